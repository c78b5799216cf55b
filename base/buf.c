#include "base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/few.h"

#define FIRST_CAPACITY 256

void buf_init(buf *b)
{
    *b = (buf)BUF_INIT;
}

void buf_free(buf *b)
{
    if (!b->lent)
        free(b->data);
    buf_init(b);
}

void buf_lend(buf *b, char *data, size_t size)
{
    b->data = data;
    b->cap = size;
    b->lent = true;
}

void buf_clear(buf *b)
{
    b->len = 0;
    b->failed = false;
}

bool buf_ok(const buf *b)
{
    return !b->failed;
}

/* A buffer that has failed has no room: so that the others need not look. */
static bool fail(buf *b)
{
    b->failed = true;
    b->cap = b->len;
    return false;
}

size_t buf_capacity(const buf *b, size_t more)
{
    if (more <= b->cap - b->len)
        return b->cap;
    size_t cap = b->cap ? b->cap : FIRST_CAPACITY;
    while (cap < b->len + more)
        cap *= 2;
    return cap;
}

bool buf_grow(buf *b, size_t more)
{
    if (b->failed || more > SIZE_MAX / 2 - b->len)
        return fail(b);
    size_t cap = buf_capacity(b, more);
    char *data = realloc(b->lent ? NULL : b->data, cap);
    if (!data)
        return fail(b);
    if (b->lent)
        memcpy(data, b->data, b->len);
    b->lent = false;
    b->data = data;
    b->cap = cap;
    return true;
}

void buf_add(buf *b, const void *data, size_t len)
{
    if (len == 0 || !buf_reserve(b, len))
        return;
    b->len = (size_t)(few_copy(b->data + b->len, data, len) - b->data);
}

void buf_addv(buf *b, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int need = vsnprintf(NULL, 0, format, args);
    if (need < 0)
        (void)fail(b);
    else if (buf_reserve(b, (size_t)need + 1)) {
        (void)vsnprintf(b->data + b->len, (size_t)need + 1, format, again);
        b->len += (size_t)need;
    }
    va_end(again);
}

void buf_addf(buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_addv(b, format, args);
    va_end(args);
}

void buf_addu(buf *b, unsigned long long n)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    buf_add(b, digits + at, sizeof digits - at);
}

void buf_drop(buf *b, size_t n)
{
    if (n == 0)
        return;
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
}

const char *buf_cstr(buf *b)
{
    if (!buf_reserve(b, 1))
        return NULL;
    b->data[b->len] = '\0';
    return b->data;
}

char *buf_take(buf *b)
{
    char *taken = (char *)buf_cstr(b);
    if (taken && b->lent) {
        taken = malloc(b->len + 1);
        if (taken)
            memcpy(taken, b->data, b->len + 1);
    }
    if (!taken) {
        buf_free(b);
        return NULL;
    }
    buf_init(b);
    return taken;
}
