#include "base/packed.h"

#include <string.h>

#define ZLIB_CONST /* its inputs are */
#include <zlib.h>

#define GZIP (16 + MAX_WBITS) /* inflateInit2()'s word for a gzip header */

/* RFC 1952 section 2.3.1: the last four octets are the length, least significant first. */
static size_t unpacked_size(const char *end)
{
    const unsigned char *n = (const unsigned char *)end - 4;
    return (size_t)n[0] | (size_t)n[1] << 8 | (size_t)n[2] << 16 | (size_t)n[3] << 24;
}

void packed_write(const char *begin, const char *end, buf *out)
{
    size_t size = unpacked_size(end);
    z_stream z;

    memset(&z, 0, sizeof z);
    if (!buf_reserve(out, size))
        return;
    z.next_in = (const unsigned char *)begin;
    z.avail_in = (unsigned)(end - begin);
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
