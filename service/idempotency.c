#include "service/idempotency.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#define HASH_BYTES 32

struct idempotency {
    EVP_MD_CTX *body;
    bool failed;
    char key[IDEMPOTENCY_HASH + 1];
    char fingerprint[IDEMPOTENCY_HASH + 1];
};

static void write_hex(const unsigned char *hash, char out[IDEMPOTENCY_HASH + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < HASH_BYTES; i++) {
        out[2 * i] = digits[hash[i] >> 4];
        out[2 * i + 1] = digits[hash[i] & 15];
    }
    out[IDEMPOTENCY_HASH] = '\0';
}

static bool finish(EVP_MD_CTX *context, char out[IDEMPOTENCY_HASH + 1])
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (EVP_DigestFinal_ex(context, hash, &len) != 1 || len != HASH_BYTES)
        return false;
    write_hex(hash, out);
    return true;
}

/* sf-string: printable ASCII, with \ before " and \ alone. */
static const char *read_string(const char *s, size_t len, char *out, size_t *n)
{
    if (len < 2 || s[len - 1] != '"')
        return "a string ends with a quote";
    for (size_t i = 1; i < len - 1; i++) {
        if (s[i] == '\\' && i + 1 < len - 1 && (s[i + 1] == '"' || s[i + 1] == '\\'))
            i++;
        else if (s[i] == '"' || s[i] == '\\')
            return "in a string, a quote or backslash stands behind a backslash";
        if (*n == IDEMPOTENCY_MAX)
            return "it is longer than 255 characters";
        out[(*n)++] = s[i];
    }
    return NULL;
}

static const char *read_token(const char *s, size_t len, char *out, size_t *n)
{
    if (len > IDEMPOTENCY_MAX)
        return "it is longer than 255 characters";
    for (size_t i = 0; i < len; i++) {
        if (strchr(" \",;\\", s[i]))
            return "without quotes it has no blank, comma, semicolon, quote or backslash";
    }
    memcpy(out, s, len);
    *n = len;
    return NULL;
}

const char *idempotency_read(const char *value, char out[IDEMPOTENCY_MAX + 1])
{
    size_t len = strlen(value), n = 0;
    const char *reason = NULL;

    while (len > 0 && (*value == ' ' || *value == '\t'))
        value++, len--;
    while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
        len--;
    for (size_t i = 0; i < len; i++) {
        if (value[i] < ' ' || value[i] > '~')
            return "it has a character that is not printable ASCII";
    }
    reason = len > 0 && *value == '"' ? read_string(value, len, out, &n)
                                      : read_token(value, len, out, &n);
    if (!reason && n == 0)
        reason = "it is empty";
    out[n] = '\0';
    return reason;
}

/* Each part with its end, so that no two sets of parts are the same text. */
static bool hash_parts(EVP_MD_CTX *context, const char *caller, size_t caller_len,
                       const char *route, const char *key)
{
    return EVP_DigestUpdate(context, caller, caller_len) == 1 &&
           EVP_DigestUpdate(context, "\0", 1) == 1 &&
           EVP_DigestUpdate(context, route, strlen(route) + 1) == 1 &&
           EVP_DigestUpdate(context, key, strlen(key)) == 1;
}

idempotency *idempotency_create(const char *caller, size_t caller_len, const char *route,
                                const char *key)
{
    idempotency *i = calloc(1, sizeof *i);
    if (!i)
        return NULL;
    i->body = EVP_MD_CTX_new();
    if (i->body && EVP_DigestInit_ex(i->body, EVP_sha256(), NULL) == 1 &&
        hash_parts(i->body, caller, caller_len, route, key) && finish(i->body, i->key) &&
        EVP_DigestInit_ex(i->body, EVP_sha256(), NULL) == 1)
        return i;
    idempotency_free(i);
    return NULL;
}

void idempotency_free(idempotency *i)
{
    if (!i)
        return;
    EVP_MD_CTX_free(i->body);
    free(i);
}

void idempotency_add(idempotency *i, const void *data, size_t len)
{
    i->failed = i->failed || EVP_DigestUpdate(i->body, data, len) != 1;
}

bool idempotency_end(idempotency *i)
{
    i->failed = i->failed || !finish(i->body, i->fingerprint);
    return !i->failed;
}

const char *idempotency_key(const idempotency *i)
{
    return i->key;
}

const char *idempotency_fingerprint(const idempotency *i)
{
    return i->fingerprint;
}
