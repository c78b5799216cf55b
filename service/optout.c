#include "service/optout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "service/suppress.h"

#define CIPHER  "AES-256-SIV"
#define KEY     64 /* octets: half of them for the tag */
#define TAG     16
#define VERSION '1'
/* What keys are made for, and what goes into each tag beside the text. */
#define PURPOSE "postern unsubscribe 1"
#define PLAIN   (OPTOUT_NAME + 1 + OPTOUT_ADDRESS)
#define ENCODED ((size_t)(TAG + PLAIN) * 4 / 3 + 4)
#define ROUTE   "/v1/unsubscribe/"

struct optout {
    EVP_CIPHER *cipher;
    char *url;  /* without a slash at its end */
    char *host; /* for List-Id */
    size_t count;
    unsigned char keys[][KEY];
};

/* ---- what settings must be ---- */

static bool is_printable(const char *s)
{
    for (; *s; s++) {
        if (*s <= ' ' || *s > '~')
            return false;
    }
    return true;
}

const char *optout_secret_fault(const char *secret)
{
    if (strlen(secret) < OPTOUT_SECRET)
        return "it must have 32 characters at least";
    return is_printable(secret) ? NULL : "it has a character that is not printable ASCII";
}

/* Where the host begins; NULL: neither https:// nor http://. */
static const char *after_scheme(const char *url)
{
    const char *const schemes[] = {"https://", "http://"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (strncmp(url, schemes[i], strlen(schemes[i])) == 0)
            return url + strlen(schemes[i]);
    }
    return NULL;
}

/* Without port and path. */
static size_t host_length(const char *host)
{
    return *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
}

static bool is_loopback(const char *host, size_t len)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1", "[::1]"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        if (strlen(hosts[i]) == len && memcmp(hosts[i], host, len) == 0)
            return true;
    }
    return false;
}

static bool is_host(const char *host, size_t len)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    if (len == 0 || len > 253)
        return false;
    if (*host == '[')
        return len > 2 && host[len - 1] == ']' &&
               strspn(host + 1, "0123456789abcdefABCDEF:.") == len - 2;
    for (size_t i = 0; i < len; i++) {
        bool edge = i == 0 || i == len - 1 || host[i - 1] == '.';
        if (!strchr(letters, host[i]) && (edge || !strchr(".-_", host[i])))
            return false;
    }
    return true;
}

static bool is_port(const char *s)
{
    size_t digits = strspn(s + (*s == ':'), "0123456789");
    return *s != ':' || (digits >= 1 && digits <= 5 && strchr("/", s[1 + digits]));
}

const char *optout_base_fault(const char *url)
{
    const char *host = after_scheme(url);
    size_t len = host ? host_length(host) : 0;
    if (!host)
        return "must begin with https://";
    if (!is_printable(url) || strpbrk(url, "@?#<>\"\\"))
        return "must be a scheme, a host, perhaps a port and a path, and nothing else";
    if (!is_host(host, len) || !strchr(":/", host[len]) || !is_port(host + len))
        return "has no host that could be one";
    if (strlen(url) > 200)
        return "must have 200 characters at most";
    if (strncmp(url, "http://", 7) == 0 && !is_loopback(host, len))
        return "must begin with https://; http:// is for localhost, 127.0.0.1 and [::1] alone";
    return NULL;
}

bool optout_name_fits(const char *name, size_t len)
{
    static const char known[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
    if (len == 0 || len > OPTOUT_NAME || name[0] == '.' || name[len - 1] == '.')
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!name[i] || !strchr(known, name[i]) || (name[i] == '.' && name[i + 1] == '.'))
            return false;
    }
    return true;
}

/* ---- base64url, without padding (RFC 4648 section 5) ---- */

static const char digits64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static size_t encode(const unsigned char *data, size_t len, char *out)
{
    size_t n = 0;
    unsigned bits = 0, have = 0;
    for (size_t i = 0; i < len; i++) {
        bits = (bits << 8 | data[i]) & 0xFFFF;
        for (have += 8; have >= 6; have -= 6)
            out[n++] = digits64[bits >> (have - 6) & 63];
    }
    if (have > 0)
        out[n++] = digits64[bits << (6 - have) & 63];
    out[n] = '\0';
    return n;
}

/* How many octets; 0: it is none, or more than `most`. One text alone gives the same octets: bits
 * to spare are zeros. */
static size_t decode(const char *text, unsigned char *out, size_t most)
{
    size_t n = 0;
    unsigned bits = 0, have = 0;
    for (; *text; text++) {
        const char *found = strchr(digits64, *text);
        if (!found)
            return 0;
        bits = (bits << 6 | (unsigned)(found - digits64)) & 0xFFFF;
        have += 6;
        if (have < 8)
            continue;
        if (n == most)
            return 0;
        have -= 8;
        out[n++] = (unsigned char)(bits >> have);
    }
    return have < 6 && (bits & ((1U << have) - 1)) == 0 ? n : 0;
}

/* ---- tokens ---- */

/* Tag and ciphertext, TAG + len octets. */
static bool seal(const optout *l, const char *plain, size_t len, unsigned char *out)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n = 0;
    bool ok =
        c && EVP_EncryptInit_ex(c, l->cipher, NULL, l->keys[0], NULL) == 1 &&
        EVP_EncryptUpdate(c, NULL, &n, (const unsigned char *)PURPOSE, sizeof PURPOSE - 1) == 1 &&
        EVP_EncryptUpdate(c, out + TAG, &n, (const unsigned char *)plain, (int)len) == 1 &&
        (size_t)n == len && EVP_EncryptFinal_ex(c, out + TAG + n, &n) == 1 &&
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG, out) == 1;
    EVP_CIPHER_CTX_free(c);
    return ok;
}

static bool unseal(const optout *l, size_t key, unsigned char *data, size_t len, char *out)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n = 0;
    bool ok =
        c && EVP_DecryptInit_ex(c, l->cipher, NULL, l->keys[key], NULL) == 1 &&
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG, data) == 1 &&
        EVP_DecryptUpdate(c, NULL, &n, (const unsigned char *)PURPOSE, sizeof PURPOSE - 1) == 1 &&
        EVP_DecryptUpdate(c, (unsigned char *)out, &n, data + TAG, (int)(len - TAG)) == 1 &&
        (size_t)n == len - TAG && EVP_DecryptFinal_ex(c, (unsigned char *)out + n, &n) == 1;
    EVP_CIPHER_CTX_free(c);
    return ok;
}

char *optout_url(const optout *l, const char *list, const char *address)
{
    char plain[PLAIN + 1], text[ENCODED + 1], *out = NULL;
    unsigned char sealed[TAG + PLAIN];
    char **lower = suppress_addresses(&address, 1);

    bool fits = lower && strlen(list) <= OPTOUT_NAME && strlen(lower[0]) <= OPTOUT_ADDRESS;
    int n = fits ? snprintf(plain, sizeof plain, "%s\n%s", list, lower[0]) : -1;
    free(lower);
    if (n < 0 || !seal(l, plain, (size_t)n, sealed))
        return NULL;
    (void)encode(sealed, TAG + (size_t)n, text);
    return asprintf(&out, "%s" ROUTE "%c%s", l->url, VERSION, text) < 0 ? NULL : out;
}

/* What was sealed was good: this is for what a former version might have sealed. */
static bool read_plain(const char *plain, size_t len, optout_subscription *out)
{
    const char *end = memchr(plain, '\n', len);
    size_t list = end ? (size_t)(end - plain) : 0, address = end ? len - list - 1 : 0;
    if (!end || !optout_name_fits(plain, list) || address == 0 || address > OPTOUT_ADDRESS ||
        memchr(plain, '\0', len))
        return false;
    memcpy(out->list, plain, list);
    memcpy(out->address, end + 1, address);
    return true;
}

bool optout_read_token(const optout *l, const char *token, optout_subscription *out)
{
    unsigned char data[TAG + PLAIN];
    char plain[PLAIN + 1], tried[PLAIN + 1];
    bool good = false;

    *out = (optout_subscription){0};
    size_t len = *token == VERSION ? decode(token + 1, data, sizeof data) : 0;
    if (len <= TAG)
        return false;
    for (size_t i = 0; i < l->count; i++) {
        if (!unseal(l, i, data, len, tried))
            continue;
        memcpy(plain, tried, len - TAG);
        good = true;
    }
    return good && read_plain(plain, len - TAG, out);
}

char *optout_list_id(const optout *l, const char *list)
{
    char *out = NULL;
    return asprintf(&out, "<%s.%s>", list, l->host) < 0 ? NULL : out;
}

/* ---- making one ---- */

static bool make_key(const char *secret, unsigned char out[KEY])
{
    unsigned len = 0;
    return HMAC(EVP_sha512(), secret, (int)strlen(secret), (const unsigned char *)PURPOSE,
                sizeof PURPOSE - 1, out, &len) &&
           len == KEY;
}

/* An address in brackets can't stand in a List-Id: RFC 2919 section 3 has localhost for whoever has
 * no domain. */
static char *host_of(const char *url)
{
    const char *host = after_scheme(url);
    return *host == '[' ? strdup("localhost") : strndup(host, host_length(host));
}

optout *optout_create(const char *url, const char *const *secrets, size_t count)
{
    optout *l = calloc(1, sizeof *l + count * KEY);
    if (!l)
        return NULL;
    size_t len = strlen(url);
    while (len > 0 && url[len - 1] == '/')
        len--;
    l->url = strndup(url, len);
    l->host = host_of(url);
    l->cipher = EVP_CIPHER_fetch(NULL, CIPHER, NULL);
    bool ok = l->url && l->host && l->cipher && count > 0;
    for (; ok && l->count < count; l->count++)
        ok = make_key(secrets[l->count], l->keys[l->count]);
    if (ok)
        return l;
    optout_free(l);
    return NULL;
}

void optout_free(optout *l)
{
    if (!l)
        return;
    OPENSSL_cleanse(l->keys, l->count * KEY);
    EVP_CIPHER_free(l->cipher);
    free(l->url);
    free(l->host);
    free(l);
}
