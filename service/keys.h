/*
 * keys - the API keys that callers present.
 *
 * Kept as SHA-256 only. A presented key is hashed and compared with every kept one in constant time
 * (CRYPTO_memcmp, no early end), so that neither the length nor the place of a difference, nor
 * which key it was, shows in the time.
 *
 * Threads: immutable after creation.
 */
#ifndef POSTERN_SERVICE_KEYS_H
#define POSTERN_SERVICE_KEYS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct keys keys;

keys *keys_create(void);
void keys_free(keys *k);

/* Adds a key: plain (16 characters of printable ASCII at least, no spaces or commas), or "sha256:"
 * and 64 hex digits. On a fault false, and *reason a static sentence. */
bool keys_add(keys *k, const char *key, size_t len, const char **reason);

size_t keys_count(const keys *k);

/* Whether that is one of the keys. */
bool keys_has(const keys *k, const char *key, size_t len);

/* The key of an Authorization header's value ("Bearer KEY", the scheme in any case), and its
 * length; NULL: it has none. */
const char *keys_token(const char *authorization, size_t *len);

#endif
