#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "hook/payload.h"
#include "service/hooks.h"
#include "service/http.h"

#define GENERIC       "generic"
#define CHALLENGE_MAX 1024
#define REFERENCE_MAX 400 /* octets of an id's domain, and what stands before it */
#define SECOND_US     1000000

/* ---- what stands where ---- */

/* A string's copy; anything else as JSON. NULL: there is none, or no memory. */
static char *copy_value(const json_t *value)
{
    if (!value || json_is_null(value))
        return NULL;
    return json_is_string(value) ? strdup(json_string_value(value))
                                 : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
}

/* A header that is no UTF-8 can't be shown, and counts as none. */
static char *find(const hook_source *sources, const hook_request *r, const json_t *payload)
{
    char *found = NULL;
    for (size_t i = 0; i < HOOK_PROFILE_SOURCES && !found; i++) {
        const char *value = sources[i].header ? r->header(r->ctx, sources[i].header) : NULL;
        json_t *string = value && *value ? json_string(value) : NULL;
        if (sources[i].pointer)
            found = copy_value(hook_pointer_find(payload, sources[i].pointer));
        else if (string)
            found = strdup(value);
        json_decref(string);
    }
    return found;
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

/* The same reference for the same key, so that mail programs show one conversation. */
static bool add_thread(const config_hook *h, const json_t *data, json_t *message)
{
    char key[HOOK_THREAD_KEY + 1], reference[REFERENCE_MAX];
    json_t *headers = json_object_get(message, "headers");

    if (!h->thread[0] || !hook_thread(h->name, h->thread, data, key))
        return true;
    int len = snprintf(reference, sizeof reference, "<%s@%s>", key, h->domain);
    if (len < 0 || (size_t)len >= sizeof reference)
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
static document *make_request(const config_hook *h, const templates *t, json_t *data,
                              const hooks_result *out)
{
    char room[TEMPLATES_NAME + 1];
    const char *name = choose_template(h, t, out->event, room);
    json_t *message = json_deep_copy(h->message);
    bool ok = message && add_thread(h, data, message) &&
              json_object_set_new(message, "template", json_string(name)) == 0;
    if (ok && json_object_set_new(message, "data", data) == 0)
        return document_wrap(message);
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

/* Takes over the payload. */
static hooks_outcome judge(const config_hook *h, const templates *t, const hook_request *r,
                           json_t *payload, int64_t now_us, hooks_result *out)
{
    const hook_profile *p = h->profile;

    out->event = find(h->event, r, payload);
    out->delivery = find(h->delivery, r, payload);
    json_t *data = make_data(h, payload, out, now_us);
    hooks_outcome outcome = HOOKS_SEND;
    if (!data)
        return HOOKS_NOMEM;
    if (p && is_event(out, p->ping))
        outcome = HOOKS_PING;
    else if (p && is_event(out, p->challenge))
        outcome = take_challenge(p, data, out);
    else if (is_idle(p, out, data) || !hook_when_holds(h->when, data, r->header, r->ctx))
        outcome = HOOKS_SKIP;
    if (outcome != HOOKS_SEND) {
        json_decref(data);
        return buf_ok(&out->text) ? outcome : HOOKS_NOMEM;
    }
    out->document = make_request(h, t, data, out);
    return out->document ? HOOKS_SEND : HOOKS_NOMEM;
}

hooks_outcome hooks_take(const config_hook *h, const templates *t, const hook_request *r,
                         int64_t now_us, hooks_result *out)
{
    static const hooks_outcome outcomes[] = {
        [HOOK_PAYLOAD_OK] = HOOKS_SEND,
        [HOOK_PAYLOAD_BAD] = HOOKS_BAD,
        [HOOK_PAYLOAD_TOO_LARGE] = HOOKS_TOO_LARGE,
        [HOOK_PAYLOAD_NOMEM] = HOOKS_NOMEM,
    };
    json_t *payload = NULL;

    *out = (hooks_result){.text = BUF_INIT};
    out->verdict = hook_verify(h->schemes, h->scheme_count, h->secrets, h->secret_count, r,
                               now_us / SECOND_US);
    if (out->verdict != HOOK_GOOD)
        return out->verdict == HOOK_FAILED ? HOOKS_NOMEM : HOOKS_UNVERIFIED;
    const char *type = r->header(r->ctx, "Content-Type");
    bool is_form = http_is_type(type, "application/x-www-form-urlencoded");
    if (!is_form && !http_is_type(type, "application/json"))
        return HOOKS_MEDIA_TYPE;
    hook_payload_result result =
        (is_form ? hook_payload_form : hook_payload_json)(r->body, r->len, &payload, &out->text);
    if (result != HOOK_PAYLOAD_OK)
        return buf_ok(&out->text) ? outcomes[result] : HOOKS_NOMEM;
    return judge(h, t, r, payload, now_us, out);
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
