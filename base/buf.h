/*
 * buf - a growable array of bytes.
 *
 * Every layer writes into one of these: header lines, SMTP commands, JSON answers, log lines.
 *
 * Errors: running out of memory is sticky. The first failed growth sets `failed`, later additions
 * do nothing, and the caller asks once, at the end, with buf_ok(). What was added before stays.
 * Memory: the buffer owns `data`, unless it was lent; buf_free() gives it back and leaves an empty,
 *         usable buffer. buf_take() hands the bytes (NUL-terminated) to the caller, who free()s
 *         them.
 * Threads: none of its own; one buffer belongs to one thread at a time.
 */
#ifndef POSTERN_BASE_BUF_H
#define POSTERN_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct buf {
    char *data; /* NULL while nothing was ever added; not NUL-terminated, see buf_cstr() */
    size_t len;
    size_t cap;
    bool failed;
    bool lent; /* `data` is another's */
} buf;

#define BUF_INIT                                                                                   \
    {                                                                                              \
        NULL, 0, 0, false, false                                                                   \
    }

void buf_init(buf *b);
void buf_free(buf *b);

/* Gives an empty buffer without memory its first `size` bytes, which stay the caller's and outlive
 * the buffer, or the time when it has outgrown them. Whoever takes `data` itself out of a buffer
 * must know that none was lent. */
void buf_lend(buf *b, char *data, size_t size);

/* Empties the buffer and clears `failed`, keeping its memory for the next use. */
void buf_clear(buf *b);

/* True while no addition has failed. */
bool buf_ok(const buf *b);

/* Makes room for `more` bytes behind `len`; false, and `failed` set, if there is no memory. */
static inline bool buf_reserve(buf *b, size_t more);

void buf_add(buf *b, const void *data, size_t len);
static inline void buf_addc(buf *b, char c);
static inline void buf_adds(buf *b, const char *s);
void buf_addf(buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_addv(buf *b, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

/* Decimal digits of `n`: the hot path's printf. */
void buf_addu(buf *b, unsigned long long n);

/* Drops the first `n` bytes (n <= len), moving the rest to the front. */
void buf_drop(buf *b, size_t n);

/* The bytes as a C string, valid until the next change; NULL if memory ran out. */
const char *buf_cstr(buf *b);

/* Gives the bytes away as a C string the caller free()s; NULL if memory ran out (now or before).
 * The buffer is empty and usable afterwards. */
char *buf_take(buf *b);

/* The capacity that buf_reserve(b, more) leaves, or would if there is memory: for who keeps a
 * budget. */
size_t buf_capacity(const buf *b, size_t more);

/* What buf_reserve() does where there is no room, as is always so once an addition has failed. */
bool buf_grow(buf *b, size_t more);

static inline bool buf_reserve(buf *b, size_t more)
{
    return more <= b->cap - b->len || buf_grow(b, more);
}

/* Here, so that of a literal the compiler knows the length. */
static inline void buf_adds(buf *b, const char *s)
{
    size_t len = strlen(s);
    if (len > 0 && buf_reserve(b, len)) {
        memcpy(b->data + b->len, s, len);
        b->len += len;
    }
}

static inline void buf_addc(buf *b, char c)
{
    if (buf_reserve(b, 1))
        b->data[b->len++] = c;
}

#endif
