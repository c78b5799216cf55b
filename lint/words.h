/*
 * words - tables of words, hosts and endings that filters know, and the reading of words.
 *
 * Memory: static tables; a word_set is the caller's to free. Threads: pure.
 */
#ifndef POSTERN_LINT_WORDS_H
#define POSTERN_LINT_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* A span of a text; len 0: none. */
typedef struct words_span {
    size_t at, len;
} words_span;

/* Whether the text begins with the word, in any case. */
bool words_begin(const char *s, size_t len, const char *word);

/* The first word of bait from `from` on: Latin ones whole and in any case, Chinese ones anywhere.
 */
words_span words_bait(const char *s, size_t len, size_t from);

/* The same of phrases for each of which a filter charges. */
words_span words_charged(const char *s, size_t len, size_t from);

/* A sign of money at s[at], or a currency's name: its length; 0: none. */
size_t words_currency(const char *s, size_t len, size_t at);

/* A sum of 10,000 or more, or of millions, with its currency. */
words_span words_money(const char *s, size_t len, size_t from);

/* What programs that fill in put names between: "{{name}}", "*|NAME|*", "%%name%%", "${name}",
 * and what spam's do: "%RND_…", "%RAND…". */
words_span words_placeholder(const char *s, size_t len, size_t from);

/* A domain at which everybody can have a mailbox. */
bool words_is_public(const char *domain, size_t len);

/* A name that hides where a link leads. */
bool words_is_shortener(const char *host, size_t len);

/* Endings of file names, without the dot, in any case. */
bool words_is_blocked(const char *ending, size_t len);  /* Gmail takes none of these */
bool words_is_macro(const char *ending, size_t len);    /* a document that may run something */
bool words_is_document(const char *ending, size_t len); /* what the others pretend to be */

/* The name under which a host was registered: its last two labels, or three where the second is
 * one of those under which countries give names out. A part of `host`. */
words_span words_registered(const char *host, size_t len);

/* Whether both are of one registered name. */
bool words_same_owner(const char *a, size_t a_len, const char *b, size_t b_len);

/* What stands for a word of Latin letters and isn't: the first from `from` on that has such of
 * another script among them, or a character without width between two. */
words_span words_homoglyph(const char *s, size_t len, size_t from);
words_span words_zero_width(const char *s, size_t len, size_t from);

/* Reads the words (Chinese: characters) into `set`, an array of uint32_t, sorted, each once. Words
 * with a digit, and addresses, are left out. False: no memory. */
bool words_set(const char *s, size_t len, buf *set);

/* How many of a's words are in b; *of: how many there are. */
size_t words_shared(const buf *a, const buf *b, size_t *of);

#endif
