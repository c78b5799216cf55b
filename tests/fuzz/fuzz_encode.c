/* Any bytes as a text body: both encodings and the choice between them, in pieces, each of the
 * ways, are what the plain reference makes. */
#include <stdint.h>
#include <stdlib.h>

#include "tests/reference/encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte cuts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t piece = data[0] < 200 ? 1 + data[0] : 20 * (size_t)data[0];
    if (!reference_encode_agrees((const char *)data + 1, size - 1, piece))
        abort();
    return 0;
}
