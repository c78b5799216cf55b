/*
 * sign - DKIM signatures for a message that is read once, piece by piece (RFC 6376, RFC 8463).
 *
 * What is written is a DKIM-Signature field for each identity, to stand before the message:
 * relaxed/relaxed, the whole body, t= and no x=, folded at 78 columns. From, To, Subject and Date
 * are named once more than they occur, so that nobody can add one; what of Cc, Reply-To,
 * Message-ID, MIME-Version, Content-Type, In-Reply-To, References, List-Unsubscribe,
 * List-Unsubscribe-Post and List-Id is there is signed, too (RFC 8058 wants that of the two).
 *
 * Memory: the header is kept while it is signed; of the body a piece at a time. Pure but for
 * libcrypto. Threads: any.
 */
#ifndef POSTERN_DKIM_SIGN_H
#define POSTERN_DKIM_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "dkim/key.h"

typedef struct dkim_identity {
    const char *domain;   /* d=, in A-labels */
    const char *selector; /* s= */
    const dkim_key *key;
} dkim_identity;

#define DKIM_READ_FAILED SIZE_MAX

/* The message, in CRLF lines. */
typedef struct dkim_source {
    size_t (*read)(void *ctx, char *out, size_t cap); /* 0: the end; DKIM_READ_FAILED */
    void *ctx;
} dkim_source;

/* Reads the message to its end and adds the fields to *out. `time`: seconds since 1970, for t=.
 * False: it can't be read, or there is no memory. */
bool dkim_sign(const dkim_identity *identities, size_t count, int64_t time,
               const dkim_source *message, buf *out);

#endif
