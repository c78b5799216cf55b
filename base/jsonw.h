/*
 * jsonw - writing JSON into a buf: answers and log lines, on the hot path, where building jansson
 * values only to print them would cost more than all the rest of an answer.
 *
 * A writer keeps track of commas. Strings must be UTF-8; bytes that are not become U+FFFD.
 * Members: jsonw_key(), then one value. Errors: the buf's (sticky).
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

/* A literal, so that its length is known to the compiler. */
static inline void jsonw_key(jsonw *w, const char *key)
{
    jsonw_keyn(w, key, strlen(key));
}

#endif
