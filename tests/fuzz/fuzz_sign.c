/* Headers of a signed webhook, a line each (id, timestamp, signatures) and then the body: never
 * right unless a signature is in it that was made here, and then always. And the first line as a
 * secret. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "queue/sign.h"

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define NOW    1614265330

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* The line at *at as a string of its own; NULL: there is none. */
static char *line(const char **at, const char *end)
{
    const char *stop = *at < end ? memchr(*at, '\n', (size_t)(end - *at)) : NULL;
    if (!stop)
        return NULL;
    char *text = strndup(*at, (size_t)(stop - *at));
    require(text != NULL);
    *at = stop + 1;
    return text;
}

static void try_secret(const char *text)
{
    sign_secret s;
    const char *fault = sign_secret_parse(text, &s);
    require(fault ? s.len == 0 : s.len >= SIGN_SECRET_MIN && s.len <= SIGN_SECRET_MAX);
}

/* The same headers, with the right signature alone and behind the given ones. */
static void try_right(const sign_secret *secret, const sign_headers *h, const char *body,
                      size_t len, sign_result got)
{
    char right[SIGN_LENGTH + 1], several[2 * SIGN_LENGTH + 2];
    if (!sign_make(secret, h->id, NOW, body, len, right))
        return; /* not an id */
    sign_headers good = {h->id, "1614265330", right};
    require(sign_verify(secret, 1, &good, body, len, NOW, 0) == SIGN_GOOD);
    if (strcmp(h->timestamp, good.timestamp) == 0)
        require((got == SIGN_GOOD) <= (strstr(h->signature, right) != NULL));
    memcpy(several, right, SIGN_LENGTH + 1);
    several[SIGN_LENGTH] = ' ';
    memcpy(several + SIGN_LENGTH + 1, right, SIGN_LENGTH + 1);
    several[4] ^= 1;
    good.signature = several;
    require(sign_verify(secret, 1, &good, body, len, NOW, 0) == SIGN_GOOD);
    several[SIGN_LENGTH + 5] ^= 1;
    require(sign_verify(secret, 1, &good, body, len, NOW, 0) == SIGN_WRONG);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data, *end = at + size;
    char *id = line(&at, end), *timestamp = line(&at, end), *signature = line(&at, end);
    const sign_headers h = {id, timestamp, signature};
    sign_secret secret;

    require(sign_secret_parse(SECRET, &secret) == NULL);
    size_t len = (size_t)(end - at);
    sign_result got = sign_verify(&secret, 1, &h, at, len, NOW, SIGN_TOLERANCE_S);
    if (id)
        try_secret(id);
    if (id && timestamp && signature)
        try_right(&secret, &h, at, len, got);
    else
        require(got == SIGN_MALFORMED);
    free(id);
    free(timestamp);
    free(signature);
    return 0;
}
