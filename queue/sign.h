/*
 * sign - signatures of webhooks, after the Standard Webhooks specification 1.0: made for what goes
 * out, verified on what comes in.
 *
 * Signed is "id.timestamp.body" with HMAC-SHA256 (RFC 2104); the header webhook-signature holds one
 * or several of "v1," and the base64 of it, with spaces between. A verifier takes any one of them
 * with any one of its secrets, so that secrets can be changed without a gap. Versions other than v1
 * are passed over. An id has no full stop: else two messages could be signed alike.
 *
 * Pure: no clock (the time is brought), no sockets, no state. Memory: nothing is kept; secrets are
 * the caller's, to be wiped with sign_secret_wipe(). Signatures are compared in constant time.
 */
#ifndef POSTERN_QUEUE_SIGN_H
#define POSTERN_QUEUE_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIGN_SECRET_MIN  24 /* octets of a secret */
#define SIGN_SECRET_MAX  64
#define SIGN_ID_MAX      128                      /* characters of an id */
#define SIGN_MOST        16                       /* signatures in a header that are looked at */
#define SIGN_TOLERANCE_S 300                      /* what the specification's libraries take */
#define SIGN_LENGTH      (sizeof("v1,") - 1 + 44) /* characters of a signature */

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

typedef enum sign_result {
    SIGN_GOOD,
    SIGN_MALFORMED, /* a header is missing, or is not what it should be */
    SIGN_TOO_OLD,
    SIGN_TOO_NEW,
    SIGN_WRONG,  /* no signature is right */
    SIGN_FAILED, /* libcrypto has no memory */
    SIGN_RESULTS
} sign_result;

const char *sign_result_text(sign_result r); /* a sentence's end: "the signature is …" */

typedef struct sign_headers { /* as they came, without blanks around; NULL: missing */
    const char *id, *timestamp, *signature;
} sign_headers;

/* Judges the headers and the body, by each of the secrets. `now`: seconds since 1970. */
sign_result sign_verify(const sign_secret *secrets, size_t count, const sign_headers *h,
                        const void *body, size_t len, int64_t now, int64_t tolerance_s);

#endif
