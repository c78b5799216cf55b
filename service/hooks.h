/*
 * hooks - a webhook becomes a send request: the route /v1/hooks/{name} and `postern hook` share it.
 *
 * First it is verified, over the bytes as they came, and only then parsed. A ping is answered, a
 * challenge given back; a push without commits, or one that the hook's conditions don't want, is
 * skipped. Of all else a send request is made, as a client would write it: the message of the
 * configuration, the template (that of the configuration, else "PROFILE-EVENT", "PROFILE" or
 * "generic", whichever there is), `data` (the payload, with a member "postern" added; what is no
 * object as {"payload": …}), In-Reply-To and References of its conversation.
 *
 * Memory: results are the caller's, freed with hooks_result_clear(). Threads: any.
 */
#ifndef POSTERN_SERVICE_HOOKS_H
#define POSTERN_SERVICE_HOOKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "hook/verify.h"
#include "service/config_hooks.h"
#include "service/document.h"
#include "service/templates.h"

typedef enum hooks_outcome {
    HOOKS_SEND, /* `document` is the request */
    HOOKS_SKIP, /* there is nothing to be told */
    HOOKS_PING,
    HOOKS_CHALLENGE,  /* `text` is what the sender wants to get back */
    HOOKS_UNVERIFIED, /* `verdict` says why */
    HOOKS_MEDIA_TYPE, /* neither JSON nor a form */
    HOOKS_BAD,        /* `text` is a sentence about the payload */
    HOOKS_TOO_LARGE,  /* … */
    HOOKS_NOMEM
} hooks_outcome;

typedef struct hooks_result {
    hook_verdict verdict;
    document *document; /* owned; whoever takes it sets it to NULL */
    buf text;
    char *event, *delivery; /* NULL: there is none; owned */
} hooks_result;

/* `now_us`: microseconds since 1970. */
hooks_outcome hooks_take(const config_hook *h, const templates *t, const hook_request *r,
                         int64_t now_us, hooks_result *out);
void hooks_result_clear(hooks_result *r);

/* True if a secret may stand in the hook's path. */
bool hooks_path_secret(const config_hook *h);

#endif
