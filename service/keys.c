#include "service/keys.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/mac.h"

#define HASH_BYTES 32
#define KEY_MIN    16
#define KEY_MAX    512
#define KEYS_MAX   1024 /* all are compared with every presented one */

struct keys {
    EVP_MD *sha256; /* fetched once: looking it up costs more than hashing a key */
    size_t count;
    unsigned char (*hashes)[HASH_BYTES];
};

keys *keys_create(void)
{
    keys *k = calloc(1, sizeof *k);
    if (!k)
        return NULL;
    k->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!k->sha256) {
        free(k);
        return NULL;
    }
    return k;
}

void keys_free(keys *k)
{
    if (!k)
        return;
    EVP_MD_free(k->sha256);
    free(k->hashes);
    free(k);
}

size_t keys_count(const keys *k)
{
    return k ? k->count : 0;
}

static const char *plain_fault(const char *key, size_t len)
{
    if (len < KEY_MIN)
        return "a key has 16 characters at least";
    if (len > KEY_MAX)
        return "a key has 512 characters at most";
    for (size_t i = 0; i < len; i++)
        if (key[i] <= ' ' || key[i] > '~' || key[i] == ',')
            return "a key is printable ASCII without spaces and commas";
    return NULL;
}

static bool hash(const keys *k, const char *key, size_t len, unsigned char out[HASH_BYTES])
{
    return EVP_Digest(key, len, out, NULL, k->sha256, NULL) == 1;
}

/* The hash to keep of a key as it is configured; a static sentence if there is none. */
static const char *hash_of_setting(const keys *k, const char *key, size_t len,
                                   unsigned char out[HASH_BYTES])
{
    static const char prefix[] = "sha256:";

    if (len >= sizeof prefix - 1 && memcmp(key, prefix, sizeof prefix - 1) == 0)
        return mac_hex_read(key + sizeof prefix - 1, len - (sizeof prefix - 1), out, HASH_BYTES)
                   ? NULL
                   : "\"sha256:\" stands before 64 hexadecimal digits";
    const char *fault = plain_fault(key, len);
    if (fault)
        return fault;
    return hash(k, key, len, out) ? NULL : "the key could not be hashed";
}

bool keys_add(keys *k, const char *key, size_t len, const char **reason)
{
    unsigned char hashed[HASH_BYTES];

    if (k->count == KEYS_MAX) {
        *reason = "more than 1024 keys";
        return false;
    }
    *reason = hash_of_setting(k, key, len, hashed);
    if (*reason)
        return false;
    void *grown = realloc(k->hashes, (k->count + 1) * sizeof *k->hashes);
    if (!grown) {
        *reason = "out of memory";
        return false;
    }
    k->hashes = grown;
    memcpy(k->hashes[k->count++], hashed, HASH_BYTES);
    return true;
}

/* The token of "Bearer TOKEN"; NULL if the header's value is not of that form (RFC 6750, RFC 9110
 * section 11.4: one or more spaces). */
const char *keys_token(const char *authorization, size_t *len)
{
    static const char scheme[] = "Bearer";

    if (strncasecmp(authorization, scheme, sizeof scheme - 1) != 0)
        return NULL;
    const char *token = authorization + sizeof scheme - 1;
    if (*token != ' ')
        return NULL;
    token += strspn(token, " ");
    *len = strlen(token);
    while (*len > 0 && (token[*len - 1] == ' ' || token[*len - 1] == '\t'))
        --*len;
    return token;
}

bool keys_has(const keys *k, const char *key, size_t len)
{
    unsigned char presented[HASH_BYTES];
    unsigned found = 0;

    if (!hash(k, key, len, presented))
        return false;
    for (size_t i = 0; i < k->count; i++)
        found |= CRYPTO_memcmp(k->hashes[i], presented, HASH_BYTES) == 0;
    return found;
}
