#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "base/utf8.h"
#include "hook/payload.h"
#include "service/hooks.h"
#include "service/http.h"

#define GENERIC       "generic"
#define CHALLENGE_MAX 1024
#define REFERENCE_MAX 400 /* octets of an id's domain, and what stands before it */
#define SECOND_US     1000000
#define TREE_FACTOR   8    /* octets that a payload's tree takes for each of its text … */
#define TREE_REST     4096 /* … and the request around it */
#define TREE_MOST     ((size_t)256 * 1024) /* what is larger stands elsewhere */

/* ---- what stands where ---- */

/* A string's copy; anything else as JSON. NULL: there is none, as where it is empty (an id that is
 * empty would be that of all deliveries), or no memory (*nomem). */
static char *copy_value(const json_t *value, bool *nomem)
{
    if (!value || json_is_null(value) || (json_is_string(value) && !json_string_length(value)))
        return NULL;
    char *copy = json_is_string(value) ? strdup(json_string_value(value))
                                       : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    *nomem |= !copy;
    return copy;
}

/* A header that is no UTF-8 can't be shown, and counts as none. */
static char *copy_header(const char *value, bool *nomem)
{
    if (!value || !*value || !utf8_valid(value, strlen(value)))
        return NULL;
    char *copy = strdup(value);
    *nomem |= !copy;
    return copy;
}

static char *find(const hook_source *sources, const hook_request *r, const json_t *payload,
                  bool *nomem)
{
    char *found = NULL;
    for (size_t i = 0; i < HOOK_PROFILE_SOURCES && !found; i++) {
        if (sources[i].pointer)
            found = copy_value(hook_pointer_find(payload, sources[i].pointer), nomem);
        else if (sources[i].header)
            found = copy_header(r->header(r->ctx, sources[i].header), nomem);
    }
    return found;
}

/* An id that is signed counts before one that somebody can have put beside it: a delivery that is
 * sent again with another would be another. */
static char *find_delivery(const config_hook *h, const hook_request *r, const json_t *payload,
                           bool *nomem)
{
    const char *id = h->own_delivery ? NULL : hook_signed_id(h->schemes, h->scheme_count, r);
    if (!id)
        return find(h->delivery, r, payload, nomem);
    char *copy = strdup(id);
    *nomem |= !copy;
    return copy;
}

static bool is_event(const hooks_result *out, const char *event)
{
    return event && out->event && strcmp(out->event, event) == 0;
}

/* ---- the request ---- */

static const char *choose_template(const config_hook *h, const templates *t, const char *event,
                                   char out[TEMPLATES_NAME + 1])
{
    const char *profile = h->profile ? h->profile->name : NULL;
    const char *named = json_string_value(json_object_get(h->message, "template"));
    templates_about about;

    if (named)
        return named;
    if (profile && event) {
        int len = snprintf(out, TEMPLATES_NAME + 1, "%s-%s", profile, event);
        if (len > 0 && len <= TEMPLATES_NAME && templates_find(t, out, &about))
            return out;
    }
    return profile && templates_find(t, profile, &about) ? profile : GENERIC;
}

/* {"hook": …, "event": …, "delivery": …, "received_at": …} */
static json_t *make_postern(const config_hook *h, const hooks_result *out, int64_t now_us)
{
    char time[CIVIL_TIME + 1];
    civil_time(now_us, time);
    return json_pack("{s:s, s:s?, s:s?, s:s}", "hook", h->name, "event", out->event, "delivery",
                     out->delivery, "received_at", time);
}

/* Takes over the payload. NULL: no memory. */
static json_t *make_data(const config_hook *h, json_t *payload, const hooks_result *out,
                         int64_t now_us)
{
    json_t *data = json_is_object(payload) ? payload : json_pack("{s:o}", "payload", payload);
    if (data && json_object_set_new(data, "postern", make_postern(h, out, now_us)) == 0)
        return data;
    json_decref(data);
    return NULL;
}

/* The same reference for the same key, so that mail programs show one conversation; "": none. */
static void find_reference(const config_hook *h, const json_t *data, char out[REFERENCE_MAX])
{
    char key[HOOK_THREAD_KEY + 1];
    out[0] = '\0';
    if (!h->thread[0] || !hook_thread(h->name, h->thread, data, key))
        return;
    int len = snprintf(out, REFERENCE_MAX, "<%s@%s>", key, h->domain);
    if (len < 0 || len >= REFERENCE_MAX)
        out[0] = '\0';
}

static bool add_reference(const char *reference, json_t *message)
{
    json_t *headers = json_object_get(message, "headers");
    if (!*reference)
        return true;
    if (!json_is_object(headers)) {
        headers = json_object();
        if (json_object_set_new(message, "headers", headers) != 0)
            return false;
    }
    return json_object_set_new(headers, "In-Reply-To", json_string(reference)) == 0 &&
           json_object_set_new(headers, "References", json_string(reference)) == 0;
}

/* Takes over the data. */
static json_t *make_request(const config_hook *h, json_t *data, const char *name,
                            const char *reference)
{
    json_t *message = json_deep_copy(h->message);
    bool ok = message && add_reference(reference, message) &&
              json_object_set_new(message, "template", json_string(name)) == 0;
    if (ok && json_object_set_new(message, "data", data) == 0)
        return message;
    if (!ok)
        json_decref(data);
    json_decref(message);
    return NULL;
}

/* ---- what it is ---- */

static bool is_idle(const hook_profile *p, const hooks_result *out, const json_t *data)
{
    if (!p || !is_event(out, p->idle_event))
        return false;
    const json_t *list = hook_pointer_find(data, p->idle_at);
    return json_is_array(list) && json_array_size(list) == 0;
}

/* Printable ASCII alone: it goes out as plain text. */
static hooks_outcome take_challenge(const hook_profile *p, const json_t *data, hooks_result *out)
{
    const char *text = json_string_value(hook_pointer_find(data, p->challenge_at));
    size_t len = text ? strlen(text) : 0;
    bool good = len > 0 && len <= CHALLENGE_MAX;
    for (size_t i = 0; i < len && good; i++)
        good = text[i] >= ' ' && text[i] <= '~';
    buf_adds(&out->text, good ? text : "The challenge is missing, or is no plain text.");
    return good ? HOOKS_CHALLENGE : HOOKS_BAD;
}

static void drop(arena *a, json_t *tree)
{
    arena_use(a);
    json_decref(tree);
    arena_use(NULL);
}

/* What a payload is where nothing is to be sent. */
static hooks_outcome without_mail(const config_hook *h, const hook_request *r, const json_t *data,
                                  hooks_result *out)
{
    const hook_profile *p = h->profile;
    if (p && is_event(out, p->ping))
        return HOOKS_PING;
    if (p && is_event(out, p->challenge))
        return take_challenge(p, data, out);
    if (is_idle(p, out, data) || !hook_when_holds(h->when, data, r->header, r->ctx))
        return HOOKS_SKIP;
    return HOOKS_SEND;
}

/* Takes over the payload; what it makes is of the arena, too, except for what is in *out. */
static hooks_outcome judge(const config_hook *h, const templates *t, const hook_request *r,
                           json_t *payload, int64_t now_us, arena *a, hooks_result *out)
{
    char reference[REFERENCE_MAX], room[TEMPLATES_NAME + 1];
    bool nomem = false;

    /* Without them it would be another mail, or one that could come twice. */
    out->event = find(h->event, r, payload, &nomem);
    out->delivery = find_delivery(h, r, payload, &nomem);
    if (nomem) {
        drop(a, payload);
        return HOOKS_NOMEM;
    }
    arena_use(a);
    json_t *data = make_data(h, payload, out, now_us);
    arena_use(NULL);
    hooks_outcome outcome = data ? without_mail(h, r, data, out) : HOOKS_NOMEM;
    if (outcome != HOOKS_SEND) {
        drop(a, data);
        return buf_ok(&out->text) ? outcome : HOOKS_NOMEM;
    }
    /* These free what jansson writes, or may load templates, which stay: not in the arena. */
    if (!templates_ready(t)) {
        drop(a, data);
        return HOOKS_NOMEM;
    }
    find_reference(h, data, reference);
    const char *name = choose_template(h, t, out->event, room);
    arena_use(a);
    json_t *request = make_request(h, data, name, reference);
    arena_use(NULL);
    if (request)
        out->document = document_wrap_arena(request, a);
    if (out->document)
        return HOOKS_SEND;
    drop(a, request);
    return HOOKS_NOMEM;
}

/* A text of which an octet was lost for want of memory is not trusted (base/arena.h). */
static hooks_outcome parse(const hook_request *r, bool is_form, arena *a, json_t **payload,
                           hooks_result *out)
{
    static const hooks_outcome outcomes[] = {
        [HOOK_PAYLOAD_OK] = HOOKS_SEND,
        [HOOK_PAYLOAD_BAD] = HOOKS_BAD,
        [HOOK_PAYLOAD_TOO_LARGE] = HOOKS_TOO_LARGE,
        [HOOK_PAYLOAD_NOMEM] = HOOKS_NOMEM,
    };
    arena_use(a);
    hook_payload_result result =
        (is_form ? hook_payload_form : hook_payload_json)(r->body, r->len, payload, &out->text);
    arena_use(NULL);
    if (!a->failed && buf_ok(&out->text))
        return outcomes[result];
    drop(a, *payload);
    *payload = NULL;
    return HOOKS_NOMEM;
}

hooks_outcome hooks_take(const config_hook *h, const templates *t, const hook_request *r,
                         int64_t now_us, hooks_result *out)
{
    json_t *payload = NULL;
    arena a;

    *out = (hooks_result){.text = BUF_INIT};
    out->verdict = hook_verify(h->schemes, h->scheme_count, h->secrets, h->secret_count, r,
                               now_us / SECOND_US);
    if (out->verdict != HOOK_GOOD)
        return out->verdict == HOOK_FAILED ? HOOKS_NOMEM : HOOKS_UNVERIFIED;
    const char *type = r->header(r->ctx, "Content-Type");
    bool is_form = http_is_type(type, "application/x-www-form-urlencoded");
    if (!is_form && !http_is_type(type, "application/json"))
        return HOOKS_MEDIA_TYPE;
    size_t room = r->len < TREE_MOST / TREE_FACTOR ? r->len * TREE_FACTOR : TREE_MOST;
    room = (room + TREE_REST) / ARENA_ALIGN * ARENA_ALIGN;
    char *block = malloc(room);
    if (!block)
        return HOOKS_NOMEM;
    arena_init(&a, block, room);
    hooks_outcome outcome = parse(r, is_form, &a, &payload, out);
    if (outcome == HOOKS_SEND)
        outcome = judge(h, t, r, payload, now_us, &a, out);
    if (!out->document)
        free(block);
    return outcome;
}

void hooks_result_clear(hooks_result *r)
{
    document_free(r->document);
    buf_free(&r->text);
    free(r->event);
    free(r->delivery);
    *r = (hooks_result){.text = BUF_INIT};
}

bool hooks_path_secret(const config_hook *h)
{
    for (size_t i = 0; i < h->scheme_count; i++) {
        if (h->schemes[i].method == HOOK_PATH)
            return true;
    }
    return false;
}
