#include "service/openapi.h"

#include "base/packed.h"

extern const char openapi_packed[], openapi_packed_end[]; /* openapi.S */

void openapi_write(buf *out)
{
    packed_write(openapi_packed, openapi_packed_end, out);
}
