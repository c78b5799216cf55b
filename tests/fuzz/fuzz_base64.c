/* Any bytes as base64, whole and in pieces, each of the ways: accepted, refused and wrapped as the
 * plain reference does it, and the same octets. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mime/base64.h"
#include "tests/reference/base64.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

static char *allocated(size_t n)
{
    char *p = malloc(n ? n : 1);
    require(p != NULL);
    return p;
}

static void try_wrap(const char *text, size_t size, size_t cap, const mime_base64_info *info,
                     const char *expected)
{
    char *wrapped = allocated(info->wrapped);
    mime_base64_wrap w;
    size_t at = 0, n;
    mime_base64_wrap_init(&w, text, size, info);
    while (at < info->wrapped) {
        n = mime_base64_wrap_read(&w, wrapped + at,
                                  cap < info->wrapped - at ? cap : info->wrapped - at);
        require(n > 0);
        at += n;
    }
    require(mime_base64_wrap_read(&w, wrapped + at, 1) == 0);
    require(memcmp(wrapped, expected, at) == 0);
    char *a = allocated(info->octets), *b = allocated(info->octets);
    require(mime_base64_decode(text, size, a) == info->octets);
    require(mime_base64_decode(wrapped, at, b) == info->octets && !memcmp(a, b, info->octets));
    free(wrapped);
    free(a);
    free(b);
}

static void try_text(const char *text, size_t size, size_t cap)
{
    mime_base64_info info, got;
    size_t wrapped = 0;
    char *expected = allocated(3 * size + 16);
    bool ok = reference_base64(text, size, &info, expected, &wrapped);
    for (vector_level level = VECTOR_NONE; level <= vector_best(); level++) {
        const mime_base64_kernel *kernel = mime_base64_kernel_at(level);
        require(mime_base64_check_with(kernel, text, size, &got) == ok);
        require(reference_same_info(&info, &got));
        require(reference_stream_agrees(kernel, text, size, cap, &info, expected));
        require(reference_stream_agrees(kernel, text, size, size + 1, &info, expected));
    }
    if (ok)
        try_wrap(text, size, cap, &info, expected);
    if (ok && info.canonical && info.octets > 0)
        try_text(expected, wrapped, cap); /* the same in lines */
    free(expected);
}

/* The bytes as octets: encoded by each of the ways, and the encoding read again, in one or the
 * other alphabet, with one byte of it changed. */
static void try_octets(const uint8_t *data, size_t size)
{
    size_t len = (size + 2) / 3 * 4;
    char *text = allocated(len), *expected = allocated(len);
    require(reference_base64_encode(data, size, expected) == len);
    for (vector_level level = VECTOR_NONE; level <= vector_best(); level++) {
        require(mime_base64_encode_with(mime_base64_kernel_at(level), data, size, text) == len);
        require(memcmp(text, expected, len) == 0);
    }
    if (size > 4) {
        for (size_t i = 0; data[1] % 2 && i < len; i++)
            text[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
        text[(data[2] | (size_t)data[3] << 8) % len] = (char)data[4];
    }
    try_text(text, len, size ? 1 + data[0] : 1);
    free(text);
    free(expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_text((const char *)data, size, size ? 1 + data[0] % 90 : 1);
    try_octets(data, size);
    return 0;
}
