/*
 * jsonw - writing JSON into a buf: answers and log lines, on the hot path, where building jansson
 * values only to print them would cost more than all the rest of an answer.
 *
 * A writer keeps track of commas. Strings must be UTF-8; bytes that are not become U+FFFD.
 * Members: jsonw_key(), then one value; jsonw_member_…() is both in one. Errors: the buf's
 * (sticky).
 */
#ifndef POSTERN_BASE_JSONW_H
#define POSTERN_BASE_JSONW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"

typedef struct jsonw {
    buf *out;
    bool comma; /* a value stands before */
} jsonw;

void jsonw_init(jsonw *w, buf *out);
void jsonw_object(jsonw *w); /* { */
void jsonw_object_end(jsonw *w);
void jsonw_array(jsonw *w);
void jsonw_array_end(jsonw *w);
void jsonw_keyn(jsonw *w, const char *key, size_t len); /* it needs no escapes */
void jsonw_str(jsonw *w, const char *s);                /* NULL: null */
void jsonw_strn(jsonw *w, const char *s, size_t len);
void jsonw_int(jsonw *w, int64_t n);
void jsonw_bool(jsonw *w, bool b);
void jsonw_null(jsonw *w);
void jsonw_raw(jsonw *w, const char *text, size_t len); /* values or members, as they are */
void jsonw_ms(jsonw *w, int64_t us); /* microseconds as milliseconds with three decimals */

/* A member of an object. */
void jsonw_field_str(jsonw *w, const char *key, size_t key_len, const char *s); /* NULL: null */
void jsonw_field_strn(jsonw *w, const char *key, size_t key_len, const char *s, size_t len);
void jsonw_field_int(jsonw *w, const char *key, size_t key_len, int64_t n);
void jsonw_field_ms(jsonw *w, const char *key, size_t key_len, int64_t us);
void jsonw_field_raw(jsonw *w, const char *key, size_t key_len, const char *text, size_t len);

/* The same of keys that are literals, so that their length is known to the compiler. */
static inline void jsonw_key(jsonw *w, const char *key)
{
    jsonw_keyn(w, key, strlen(key));
}

static inline void jsonw_member_str(jsonw *w, const char *key, const char *s)
{
    jsonw_field_str(w, key, strlen(key), s);
}

static inline void jsonw_member_int(jsonw *w, const char *key, int64_t n)
{
    jsonw_field_int(w, key, strlen(key), n);
}

static inline void jsonw_member_ms(jsonw *w, const char *key, int64_t us)
{
    jsonw_field_ms(w, key, strlen(key), us);
}

static inline void jsonw_member_bool(jsonw *w, const char *key, bool b)
{
    jsonw_field_raw(w, key, strlen(key), b ? "true" : "false", b ? 4 : 5);
}

#endif
