/* The first line names a profile, the next three are its headers (signature, time, id), the rest is
 * the body: never right unless the signature of this secret is in it, which is then made here and
 * taken, and is not with a byte of the body changed. Then the body as a payload. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mac.h"
#include "hook/payload.h"
#include "hook/profile.h"

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define NOW    1614265330

static void require(bool holds)
{
    if (!holds)
        abort();
}

typedef struct given {
    const hook_scheme *scheme;
    char *signature, *timestamp, *id;
} given;

static const char *find(const given *g, const hook_headers *names, const char *name)
{
    return names->signature && strcasecmp(names->signature, name) == 0   ? g->signature
           : names->timestamp && strcasecmp(names->timestamp, name) == 0 ? g->timestamp
           : names->id && strcasecmp(names->id, name) == 0               ? g->id
                                                                         : NULL;
}

static const char *header(void *ctx, const char *name)
{
    const given *g = ctx;
    return find(g, &g->scheme->headers[0], name);
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

/* Takes the header's value out of what was signed. */
static void take(const buf *lines, const char *name, char **value)
{
    const char *at = lines->data, *end = at + lines->len;
    char *text;
    while (name && (text = line(&at, end))) {
        size_t n = strlen(name);
        if (strncmp(text, name, n) == 0 && text[n] == ':') {
            free(*value);
            *value = strdup(text + n + 2);
        }
        free(text);
    }
}

static void try_scheme(const hook_scheme *s, given *g, const char *body, size_t len)
{
    hook_secret secret;
    buf lines = BUF_INIT;
    hook_request r = {header, g, NULL, body, len};
    g->scheme = s;
    require(!hook_secret_parse(SECRET, strlen(SECRET), &secret));
    hook_verdict v = hook_verify(s, 1, &secret, 1, &r, NOW);
    require(v < HOOK_VERDICTS && hook_verdict_text(v) != NULL);
    if (s->method == HOOK_PATH)
        require(v == HOOK_UNSIGNED);
    if (s->method == HOOK_HMAC &&
        hook_sign(s, &secret, g->id ? g->id : "x", NOW, body, len, &lines)) {
        take(&lines, s->headers[0].signature, &g->signature);
        take(&lines, s->headers[0].timestamp, &g->timestamp);
        take(&lines, s->headers[0].id, &g->id);
        require(hook_verify(s, 1, &secret, 1, &r, NOW) == HOOK_GOOD);
        r.len++; /* the NUL behind it */
        require(hook_verify(s, 1, &secret, 1, &r, NOW) != HOOK_GOOD);
    }
    buf_free(&lines);
}

static void try_payload(const char *body, size_t len)
{
    for (int form = 0; form < 2; form++) {
        json_t *root = NULL;
        buf detail = BUF_INIT;
        hook_payload_result result =
            (form ? hook_payload_form : hook_payload_json)(body, len, &root, &detail);
        require((result == HOOK_PAYLOAD_OK) == (root != NULL));
        if (root)
            require(hook_pointer_find(root, "") == root);
        json_decref(root);
        buf_free(&detail);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data, *end = at + size;
    char *name = line(&at, end);
    const hook_profile *p = name ? hook_profile_find(name) : NULL;
    given g = {NULL, line(&at, end), line(&at, end), line(&at, end)};
    size_t len = (size_t)(end - at);
    char *body = malloc(len + 1);

    require(body != NULL);
    memcpy(body, at, len);
    body[len] = '\0';
    for (size_t i = 0; p && i < hook_profile_schemes(p); i++)
        try_scheme(&p->schemes[i], &g, body, len);
    try_payload(body, len);
    free(name);
    free(g.signature);
    free(g.timestamp);
    free(g.id);
    free(body);
    return 0;
}
