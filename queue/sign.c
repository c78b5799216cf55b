#include "queue/sign.h"

#include <stdio.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/sha.h>

#define PREFIX        "whsec_"
#define VERSION_PART  "v1,"
#define TIME_DIGITS   12 /* of a timestamp: up to the year 33658 */
#define ENCODED(n)    (((size_t)(n) + 2) / 3 * 4)
#define TIME_MAX      INT64_C(999999999999)
#define NOT_A_SECRET  "it must be \"whsec_\" and base64"
#define WRONG_PADDING "its base64 is cut short, or padded wrongly"

/* ---- secrets ---- */

static int value_of(char c)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = c ? strchr(alphabet, c) : NULL;
    return found ? (int)(found - alphabet) : -1;
}

/* The octets of `len` characters without padding; what doesn't fit is counted, and not written. The
 * last character must have no bits to spare. NULL, or the fault. */
static const char *decode(const char *s, size_t len, sign_secret *out)
{
    unsigned bits = 0, have = 0;
    for (size_t i = 0; i < len; i++) {
        int v = value_of(s[i]);
        if (v < 0)
            return "it has a character that base64 has not";
        bits = (bits << 6 | (unsigned)v) & 0xFFF;
        have += 6;
        if (have >= 8) {
            have -= 8;
            if (out->len < SIGN_SECRET_MAX)
                out->key[out->len] = (unsigned char)(bits >> have);
            out->len++;
        }
    }
    bool whole = len % 4 != 1 && (bits & ((1U << have) - 1)) == 0;
    return whole ? NULL : WRONG_PADDING;
}

static const char *parse(const char *text, sign_secret *out)
{
    if (strncmp(text, PREFIX, strlen(PREFIX)) != 0)
        return NOT_A_SECRET;
    text += strlen(PREFIX);
    size_t len = strcspn(text, "="), pads = strspn(text + len, "=");
    if (text[len + pads] || (pads > 0 && (pads > 2 || (len + pads) % 4 != 0)))
        return WRONG_PADDING;
    const char *fault = decode(text, len, out);
    if (!fault && out->len < SIGN_SECRET_MIN)
        fault = "it must have 24 octets at least";
    if (!fault && out->len > SIGN_SECRET_MAX)
        fault = "it must have 64 octets at most";
    return fault;
}

const char *sign_secret_parse(const char *text, sign_secret *out)
{
    memset(out, 0, sizeof *out);
    const char *fault = parse(text, out);
    if (fault)
        sign_secret_wipe(out);
    return fault;
}

void sign_secret_wipe(sign_secret *s)
{
    OPENSSL_cleanse(s, sizeof *s);
}

/* ---- signing ---- */

/* What is signed: the three parts, and the stops between them. */
typedef struct content {
    const char *id, *timestamp;
    const void *body;
    size_t len;
} content;

static bool feed(EVP_MAC_CTX *mac, const void *data, size_t len)
{
    return EVP_MAC_update(mac, data, len) == 1;
}

static bool digest(EVP_MAC_CTX *mac, const sign_secret *secret, const content *c,
                   unsigned char out[SHA256_DIGEST_LENGTH])
{
    char hash[] = "SHA256";
    const OSSL_PARAM how[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, hash, 0),
        OSSL_PARAM_construct_end(),
    };
    size_t written;
    return EVP_MAC_init(mac, secret->key, secret->len, how) == 1 &&
           feed(mac, c->id, strlen(c->id)) && feed(mac, ".", 1) &&
           feed(mac, c->timestamp, strlen(c->timestamp)) && feed(mac, ".", 1) &&
           feed(mac, c->body, c->len) &&
           EVP_MAC_final(mac, out, &written, SHA256_DIGEST_LENGTH) == 1;
}

static EVP_MAC_CTX *new_mac(void)
{
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
    EVP_MAC_CTX *mac = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
    EVP_MAC_free(hmac); /* the context holds it */
    return mac;
}

static bool sign(EVP_MAC_CTX *mac, const sign_secret *secret, const content *c,
                 char out[SIGN_LENGTH + 1])
{
    unsigned char octets[SHA256_DIGEST_LENGTH];
    _Static_assert(SIGN_LENGTH == sizeof VERSION_PART - 1 + ENCODED(SHA256_DIGEST_LENGTH),
                   "a signature's length");
    if (!digest(mac, secret, c, octets))
        return false;
    (void)EVP_EncodeBlock((unsigned char *)stpcpy(out, VERSION_PART), octets, sizeof octets);
    OPENSSL_cleanse(octets, sizeof octets);
    return true;
}

/* Visible ASCII without a stop. */
static bool is_id(const char *id)
{
    size_t len = 0;
    for (; id[len]; len++) {
        if (len == SIGN_ID_MAX || id[len] <= ' ' || id[len] > '~' || id[len] == '.')
            return false;
    }
    return len > 0;
}

bool sign_make(const sign_secret *secret, const char *id, int64_t timestamp, const void *body,
               size_t len, char out[SIGN_LENGTH + 1])
{
    char digits[TIME_DIGITS + 1];
    if (!is_id(id) || timestamp < 0 || timestamp > TIME_MAX)
        return false;
    (void)snprintf(digits, sizeof digits, "%lld", (long long)timestamp);
    EVP_MAC_CTX *mac = new_mac();
    const content c = {id, digits, body, len};
    bool ok = mac && sign(mac, secret, &c, out);
    EVP_MAC_CTX_free(mac);
    return ok;
}

/* ---- verifying ---- */

const char *sign_result_text(sign_result r)
{
    static const char *const texts[SIGN_RESULTS] = {
        [SIGN_GOOD] = "right",      [SIGN_MALFORMED] = "missing, or not as it should be",
        [SIGN_TOO_OLD] = "too old", [SIGN_TOO_NEW] = "of a time to come",
        [SIGN_WRONG] = "wrong",     [SIGN_FAILED] = "not verified, for want of memory",
    };
    return texts[r];
}

/* Digits alone, as they are signed. */
static bool parse_time(const char *s, int64_t *out)
{
    size_t len = strspn(s, "0123456789");
    if (len == 0 || len > TIME_DIGITS || s[len])
        return false;
    *out = 0;
    for (size_t i = 0; i < len; i++)
        *out = *out * 10 + (s[i] - '0');
    return true;
}

/* Signatures of our version in the header, borrowed from it, each SIGN_LENGTH characters. */
typedef struct given {
    const char *list[SIGN_MOST];
    size_t count;
} given;

/* False: it is no list of "version,signature". One of our version and another length can't be
 * right, and is passed over as one of another version is. */
static bool parse_given(const char *s, given *out)
{
    out->count = 0;
    for (size_t n = 0;; n++) {
        size_t len = strcspn(s, " "), version = strcspn(s, ", ");
        if (n == SIGN_MOST || version == 0 || version + 1 >= len)
            return false;
        if (len == SIGN_LENGTH && strncmp(s, VERSION_PART, strlen(VERSION_PART)) == 0)
            out->list[out->count++] = s;
        if (!s[len])
            return true;
        s += len + 1;
    }
}

/* Compares with all of them, whichever was right. */
static bool is_among(const given *g, const char expected[SIGN_LENGTH + 1])
{
    bool found = false;
    for (size_t i = 0; i < g->count; i++)
        found |= CRYPTO_memcmp(g->list[i], expected, SIGN_LENGTH) == 0;
    return found;
}

static sign_result compare(const sign_secret *secrets, size_t count, const given *g,
                           const content *c)
{
    char expected[SIGN_LENGTH + 1];
    bool found = false, ok = true;
    EVP_MAC_CTX *mac = new_mac();
    for (size_t i = 0; mac && i < count && ok; i++) {
        ok = sign(mac, &secrets[i], c, expected);
        found |= ok && is_among(g, expected);
    }
    EVP_MAC_CTX_free(mac);
    OPENSSL_cleanse(expected, sizeof expected);
    if (!mac || !ok)
        return SIGN_FAILED;
    return found ? SIGN_GOOD : SIGN_WRONG;
}

sign_result sign_verify(const sign_secret *secrets, size_t count, const sign_headers *h,
                        const void *body, size_t len, int64_t now, int64_t tolerance_s)
{
    int64_t at;
    given g;
    if (!h->id || !h->timestamp || !h->signature || !is_id(h->id) ||
        !parse_time(h->timestamp, &at) || !parse_given(h->signature, &g))
        return SIGN_MALFORMED;
    if (at < now - tolerance_s)
        return SIGN_TOO_OLD;
    if (at > now + tolerance_s)
        return SIGN_TOO_NEW;
    const content c = {h->id, h->timestamp, body, len};
    return compare(secrets, count, &g, &c);
}
