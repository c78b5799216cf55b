/*
 * scan - follows JSON text as it comes and lifts the long strings out of it.
 *
 * What makes a send request large is its strings: texts and base64. A parser that builds a tree
 * holds each of them twice, looks at every byte one by one, and wants the text whole. The scanner
 * goes in front of it: it follows the text (RFC 8259) piece by piece, cut anywhere, hands the value
 * of every long string to a sink, unescaped and checked, and leaves the rest, with a reference in
 * the string's place, to the parser, which stays the judge of the document.
 *
 * A reference is the string "\u0000N": N counts the lifted strings from 0. So that nobody else can
 * write one, a string that begins with \u0000 is lifted whatever its length. Names of members are
 * never lifted, nor is anything inside more than SCAN_DEPTH arrays and objects.
 *
 * What can't be a JSON string (a control, an escape that there is not, half a surrogate pair, bytes
 * that are not UTF-8) is a fault if it is in a lifted string; in the rest the parser finds it.
 *
 * Memory: the scan writes the rest into the caller's buffer, and allocates nothing itself. Threads:
 * none of its own.
 */
#ifndef POSTERN_SERVICE_SCAN_H
#define POSTERN_SERVICE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/utf8.h"

#define SCAN_DEPTH   64 /* levels that are followed */
#define SCAN_NAMES   5  /* levels whose members' names are remembered */
#define SCAN_NAME    24 /* of a name, with its NUL; longer ones are not remembered */
#define SCAN_ESCAPE  12 /* \uD83D\uDE00 */
#define SCAN_GATHER  1024
#define SCAN_LIFT_AT 512 /* bytes, escapes as they are written: what a service lifts */

/* Takes the lifted strings. Each function says false to end the scan: the bytes can't be kept. */
typedef struct scan_sink {
    bool (*begin)(void *ctx); /* scan_name() tells where */
    bool (*add)(void *ctx, const char *bytes, size_t len);
    bool (*end)(void *ctx);
    void *ctx;
} scan_sink;

typedef enum scan_state {
    SCAN_OUTSIDE, /* of strings */
    SCAN_SHORT,   /* in a string that stands in the rest as it was written, so far */
    SCAN_LIFTED,  /* in one that goes to the sink */
    SCAN_FAULT,   /* `fault` says what, `fault_at` where; the rest ends before the string */
    SCAN_STOPPED  /* the sink said no, or there is no memory for the rest */
} scan_state;

typedef struct scan {
    buf *rest;
    scan_sink sink;
    size_t lift_at; /* a string is lifted when it is longer than this */
    scan_state state;
    uint64_t at; /* bytes of the text that were followed */
    const char *fault;
    uint64_t fault_at;
    /* the structure */
    unsigned depth;
    uint64_t objects; /* a bit for each level: it is an object */
    bool wants_name;
    bool is_name; /* the string at hand */
    char names[SCAN_NAMES][SCAN_NAME];
    /* the string at hand */
    size_t left;      /* of the piece at hand */
    size_t string_at; /* in the rest: behind its quote */
    bool escaped;     /* short: a backslash came, and what it escapes did not */
    char escape[SCAN_ESCAPE];
    size_t escape_len;
    utf8_check utf8;
    size_t lifted;       /* strings, so far */
    uint64_t string_end; /* of the last of them: behind its quote, in the text */
    size_t gathered_len; /* unescaped, not yet given to the sink */
    char gathered[SCAN_GATHER];
} scan;

void scan_init(scan *s, buf *rest, const scan_sink *sink, size_t lift_at);

/* Follows the next piece; false from the first fault or stop on, which `state` tells. */
bool scan_feed(scan *s, const char *text, size_t len);

/* While a string is being lifted: the name of the member of that level (1: the document's own)
 * which the string is in, or is; "" for an array's items, and where it is not remembered. */
const char *scan_name(const scan *s, unsigned level);

/* Levels around the string that is being lifted. */
unsigned scan_depth(const scan *s);

/* While a string is being lifted: bytes of its piece that are still to be followed, of which the
 * string has at least some. */
size_t scan_left(const scan *s);

/* True if a string of the parsed rest is a reference; *which is its number. */
bool scan_reference(const char *string, size_t len, size_t *which);

#endif
