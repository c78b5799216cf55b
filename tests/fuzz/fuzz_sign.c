/* A text as a secret: if it is taken, what it signs is what a verifier takes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hook/profile.h"
#include "queue/sign.h"

#define ID   "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define NOW  1614265330
#define BODY "{\"test\": 2432232314}"

static void require(bool holds)
{
    if (!holds)
        abort();
}

static const char *header(void *ctx, const char *name)
{
    return strcmp(name, "webhook-id") == 0          ? ID
           : strcmp(name, "webhook-timestamp") == 0 ? "1614265330"
           : strcmp(name, "webhook-signature") == 0 ? ctx
                                                    : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = strndup((const char *)data, size);
    char signature[SIGN_LENGTH + 1];
    sign_secret s;
    hook_secret same;

    require(text != NULL);
    const char *fault = sign_secret_parse(text, &s);
    require(fault ? s.len == 0 : s.len >= SIGN_SECRET_MIN && s.len <= SIGN_SECRET_MAX);
    if (!fault) {
        const hook_profile *p = hook_profile_find("standard-webhooks");
        const hook_request r = {header, signature, NULL, BODY, strlen(BODY)};
        require(sign_make(&s, ID, NOW, BODY, strlen(BODY), signature));
        require(!hook_secret_parse(text, strlen(text), &same));
        require(hook_verify(p->schemes, hook_profile_schemes(p), &same, 1, &r, NOW) == HOOK_GOOD);
        signature[5] ^= 1;
        require(hook_verify(p->schemes, hook_profile_schemes(p), &same, 1, &r, NOW) != HOOK_GOOD);
    }
    free(text);
    return 0;
}
