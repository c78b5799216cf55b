#include "queue/sign.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/mac.h"

#define PREFIX       "whsec_"
#define VERSION_PART "v1,"
#define TIME_DIGITS  12 /* of a timestamp: up to the year 33658 */
#define TIME_MAX     INT64_C(999999999999)

/* ---- secrets ---- */

static const char *parse(const char *text, sign_secret *out)
{
    if (strncmp(text, PREFIX, strlen(PREFIX)) != 0)
        return "it must be \"whsec_\" and base64";
    text += strlen(PREFIX);
    const char *fault = mac_base64_read(text, strlen(text), out->key, sizeof out->key, &out->len);
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

_Static_assert(SIGN_LENGTH == sizeof VERSION_PART - 1 + MAC_BASE64(MAC_OCTETS),
               "a signature's length");

bool sign_make(const sign_secret *secret, const char *id, int64_t timestamp, const void *body,
               size_t len, char out[SIGN_LENGTH + 1])
{
    char digits[TIME_DIGITS + 1];
    unsigned char octets[MAC_OCTETS];
    if (!is_id(id) || timestamp < 0 || timestamp > TIME_MAX)
        return false;
    int written = snprintf(digits, sizeof digits, "%lld", (long long)timestamp);
    const mac_part parts[] = {
        {id, strlen(id)}, {".", 1}, {digits, (size_t)written}, {".", 1}, {body, len},
    };
    if (!mac_make(secret->key, secret->len, parts, sizeof parts / sizeof *parts, octets))
        return false;
    mac_base64(octets, sizeof octets, stpcpy(out, VERSION_PART));
    return true;
}
