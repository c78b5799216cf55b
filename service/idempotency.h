/*
 * idempotency - the header Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): what one
 * request is recognised by when it comes again.
 *
 * The value is a structured-field string ("…", RFC 8941) or a bare token, 1 to 255 characters of
 * printable ASCII. What is kept of it is a hash over the API key that authorized the request, the
 * route and the value, so that callers and routes have keys of their own, and nothing secret is
 * stored; and a hash over the body, which tells another request with the same key.
 *
 * Memory: an object of its own for each request that has the header. Threads: one at a time.
 */
#ifndef POSTERN_SERVICE_IDEMPOTENCY_H
#define POSTERN_SERVICE_IDEMPOTENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IDEMPOTENCY_HASH 64 /* hexadecimal digits */
#define IDEMPOTENCY_MAX  255
#define IDEMPOTENCY_KEPT INT64_C(86400000000) /* microseconds: a day */

/* What a problem says. */
#define IDEMPOTENCY_RUNNING                                                                        \
    "The first request with this key is under way. If it still is so after POSTERN_TIMEOUT, its "  \
    "instance has died and its outcome is not known: look before sending again with another key."
#define IDEMPOTENCY_DIFFERENT                                                                      \
    "A request with this key and another body came before: take a new key for each message."

typedef struct idempotency idempotency;

/* Reads the header's value into `out` (no quotes, escapes undone) and its length. NULL if it will
 * do, else why not: a static sentence. */
const char *idempotency_read(const char *value, char out[IDEMPOTENCY_MAX + 1]);

/* `caller`: what the request was authorized with; "" where no key is asked for. `key`: as
 * idempotency_read() gave it. NULL: no memory. */
idempotency *idempotency_create(const char *caller, size_t caller_len, const char *route,
                                const char *key);
void idempotency_free(idempotency *i);

/* The next piece of the body, and its end. */
void idempotency_add(idempotency *i, const void *data, size_t len);
bool idempotency_end(idempotency *i); /* false: it could not be hashed */

const char *idempotency_key(const idempotency *i);         /* what the queue knows it by */
const char *idempotency_fingerprint(const idempotency *i); /* after the end */

#endif
