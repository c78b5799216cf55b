#include "service/openapi.h"

#include <stdint.h>
#include <string.h>

#define ZLIB_CONST /* its inputs are */
#include <zlib.h>

#define GZIP (16 + MAX_WBITS) /* inflateInit2()'s word for a gzip header */

extern const char openapi_packed[], openapi_packed_end[]; /* openapi.S */

/* RFC 1952 section 2.3.1: the last four octets are the length, least significant first. */
static size_t unpacked_size(void)
{
    size_t packed = (size_t)(openapi_packed_end - openapi_packed);
    const unsigned char *n = (const unsigned char *)openapi_packed + packed - 4;
    return (size_t)n[0] | (size_t)n[1] << 8 | (size_t)n[2] << 16 | (size_t)n[3] << 24;
}

void openapi_write(buf *out)
{
    size_t size = unpacked_size();
    z_stream z;

    memset(&z, 0, sizeof z);
    if (!buf_reserve(out, size))
        return;
    z.next_in = (const unsigned char *)openapi_packed;
    z.avail_in = (unsigned)(openapi_packed_end - openapi_packed);
    z.next_out = (unsigned char *)out->data + out->len;
    z.avail_out = (unsigned)size;
    bool ok = inflateInit2(&z, GZIP) == Z_OK;
    if (ok) {
        ok = inflate(&z, Z_FINISH) == Z_STREAM_END;
        (void)inflateEnd(&z);
    }
    if (ok)
        out->len += size;
    else
        out->failed = true; /* it is our own text: only memory can lack */
}
