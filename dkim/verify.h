/*
 * verify - judges the DKIM signatures of a message (RFC 6376 section 6, RFC 8301, RFC 8463).
 *
 * Where a record comes from is the caller's business. Memory: the message is borrowed; a verdict
 * owns its strings. Threads: any. No clock: the time is brought.
 */
#ifndef POSTERN_DKIM_VERIFY_H
#define POSTERN_DKIM_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "dkim/key.h"

/* A key record (RFC 6376 section 3.6.1), judged for signatures of one algorithm. NULL, and *fault a
 * static sentence: it has no key for them, or none that may be used. */
typedef struct dkim_record {
    dkim_key *key; /* the caller frees it */
    bool testing;  /* t=y */
    bool strict;   /* t=s: i= must be of d= itself */
} dkim_record;

bool dkim_record_read(const char *s, size_t len, dkim_algorithm a, dkim_record *out,
                      const char **fault);

typedef enum dkim_result { /* RFC 8601 section 2.7.1 */
                           DKIM_PASS,
                           DKIM_FAIL,      /* the message or the header is not what was signed */
                           DKIM_PERMERROR, /* signature or record can't be used */
                           DKIM_TEMPERROR  /* the record can't be had now */
} dkim_result;

const char *dkim_result_name(dkim_result r); /* "pass" */

typedef struct dkim_verdict {
    dkim_result result;
    const char *why; /* a static sentence; "" if it passes */
    char *domain;    /* d= and s=, "" where there is none */
    char *selector;
    char *algorithm; /* a=, as it is written */
    unsigned bits;   /* of the key; 0: none was found */
    bool testing;
    bool partial; /* l= leaves some of the body unsigned */
} dkim_verdict;

typedef enum dkim_lookup_result {
    DKIM_FOUND,
    DKIM_NO_RECORD,
    DKIM_LOOKUP_FAILED
} dkim_lookup_result;

/* The TXT records of a name, such as "s1._domainkey.example.com", each with a NUL behind it. */
typedef dkim_lookup_result dkim_lookup(void *ctx, const char *name, buf *records);

#define DKIM_SIGNATURES 32 /* as many are looked at */

/* Judges each signature, from the top: *count verdicts, 0 if there is none. The message has CRLF
 * lines. `now`: seconds since 1970, for x=. The caller frees; NULL: no memory. */
dkim_verdict *dkim_verify(const char *message, size_t len, int64_t now, dkim_lookup *lookup,
                          void *ctx, size_t *count);
void dkim_verdicts_free(dkim_verdict *list, size_t count);

#endif
