#include "base/mac.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/hex.h"

#define WRONG_PADDING "its base64 is cut short, or padded wrongly"

static EVP_MAC_CTX *new_mac(void)
{
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
    EVP_MAC_CTX *mac = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
    EVP_MAC_free(hmac); /* the context holds it */
    return mac;
}

bool mac_make(const void *key, size_t key_len, const mac_part *parts, size_t count,
              unsigned char out[MAC_OCTETS])
{
    char hash[] = "SHA256";
    const OSSL_PARAM how[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, hash, 0),
        OSSL_PARAM_construct_end(),
    };
    size_t written = 0;
    EVP_MAC_CTX *mac = new_mac();
    bool ok = mac && EVP_MAC_init(mac, key, key_len, how) == 1;

    for (size_t i = 0; ok && i < count; i++)
        ok = parts[i].len == 0 || EVP_MAC_update(mac, parts[i].data, parts[i].len) == 1;
    ok = ok && EVP_MAC_final(mac, out, &written, MAC_OCTETS) == 1 && written == MAC_OCTETS;
    EVP_MAC_CTX_free(mac);
    return ok;
}

bool mac_hash(const mac_part *parts, size_t count, unsigned char out[MAC_OCTETS])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;

    for (size_t i = 0; ok && i < count; i++)
        ok = parts[i].len == 0 || EVP_DigestUpdate(context, parts[i].data, parts[i].len) == 1;
    ok = ok && EVP_DigestFinal_ex(context, out, NULL) == 1;
    EVP_MD_CTX_free(context);
    return ok;
}

/* ---- digits ---- */

void mac_hex(const unsigned char *octets, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[octets[i] >> 4];
        out[2 * i + 1] = digits[octets[i] & 15];
    }
    out[2 * n] = '\0';
}

bool mac_hex_read(const char *s, size_t len, unsigned char *out, size_t n)
{
    if (len != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        int high = hex_digit(s[2 * i]), low = hex_digit(s[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

void mac_base64(const unsigned char *octets, size_t n, char *out)
{
    (void)EVP_EncodeBlock((unsigned char *)out, octets, (int)n);
}

static int value_of(char c)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = c ? strchr(alphabet, c) : NULL;
    return found ? (int)(found - alphabet) : -1;
}

/* Without its padding. The last character must have no bits to spare. */
static const char *read_digits(const char *s, size_t len, unsigned char *out, size_t cap, size_t *n)
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
            if (*n < cap)
                out[*n] = (unsigned char)(bits >> have);
            ++*n;
        }
    }
    bool whole = len % 4 != 1 && (bits & ((1U << have) - 1)) == 0;
    return whole ? NULL : WRONG_PADDING;
}

const char *mac_base64_read(const char *s, size_t len, unsigned char *out, size_t cap, size_t *n)
{
    size_t digits = len;
    while (digits > 0 && s[digits - 1] == '=')
        digits--;
    size_t pads = len - digits;
    *n = 0;
    if (pads > 2 || (pads > 0 && len % 4 != 0))
        return WRONG_PADDING;
    return read_digits(s, digits, out, cap, n);
}
