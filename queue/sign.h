/*
 * sign - signatures of webhooks that go out, after the Standard Webhooks specification 1.0. What
 * comes in is verified by hook/verify.h.
 *
 * Signed is "id.timestamp.body" with HMAC-SHA256 (RFC 2104); the header webhook-signature holds one
 * or several of "v1," and the base64 of it, with spaces between, so that secrets can be changed
 * without a gap. An id has no full stop: else two messages could be signed alike.
 *
 * Pure: no clock (the time is brought), no sockets, no state. Memory: nothing is kept; secrets are
 * the caller's, to be wiped with sign_secret_wipe().
 */
#ifndef POSTERN_QUEUE_SIGN_H
#define POSTERN_QUEUE_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIGN_SECRET_MIN 24 /* octets of a secret */
#define SIGN_SECRET_MAX 64
#define SIGN_ID_MAX     128                      /* characters of an id */
#define SIGN_MOST       16                       /* secrets with which one thing is signed */
#define SIGN_LENGTH     (sizeof("v1,") - 1 + 44) /* characters of a signature */

typedef struct sign_secret {
    unsigned char key[SIGN_SECRET_MAX];
    size_t len;
} sign_secret;

/* Reads "whsec_" and base64 (RFC 4648 section 4; padding may be left off). NULL, or why it won't do
 * (static; never holds the secret), and then *out is all zeros. */
const char *sign_secret_parse(const char *text, sign_secret *out);
void sign_secret_wipe(sign_secret *s);

/* Writes "v1,…" and a NUL. `timestamp`: seconds since 1970, of this try. False: an id or a time
 * that can't be signed, or libcrypto has no memory. */
bool sign_make(const sign_secret *secret, const char *id, int64_t timestamp, const void *body,
               size_t len, char out[SIGN_LENGTH + 1]);

#endif
