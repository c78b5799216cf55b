/* Any bytes as base64: what is accepted is wrapped to its announced size, in lines of 76, and is
 * the same octets. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mime/base64.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    mime_base64_info info, wrapped_info;
    mime_base64_wrap w;
    if (!mime_base64_check(text, size, &info)) {
        require(info.fault && info.fault_offset <= size);
        return 0;
    }
    size_t cap = size ? 1 + data[0] % 90 : 1, n, at = 0, column = 0;
    char *wrapped = malloc(info.wrapped + 1);
    char *a = malloc(info.octets + 1), *b = malloc(info.octets + 1);
    require(wrapped && a && b);
    mime_base64_wrap_init(&w, text, size, &info);
    while (at < info.wrapped) {
        n = mime_base64_wrap_read(&w, wrapped + at,
                                  cap < info.wrapped - at ? cap : info.wrapped - at);
        require(n > 0);
        at += n;
    }
    require(mime_base64_wrap_read(&w, wrapped + at, 1) == 0);
    for (size_t i = 0; i < at; i++) {
        column = wrapped[i] == '\n' ? 0 : column + 1;
        require(column <= 77);
    }
    require(mime_base64_check(wrapped, at, &wrapped_info) && wrapped_info.octets == info.octets);
    require(mime_base64_decode(text, size, a) == info.octets);
    require(mime_base64_decode(wrapped, at, b) == info.octets && memcmp(a, b, info.octets) == 0);
    free(wrapped);
    free(a);
    free(b);
    return 0;
}
