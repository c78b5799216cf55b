/*
 * hooks - the route /v1/hooks/{name}: webhooks of other services.
 */
#include "service/hooks.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "service/idempotency.h"
#include "service/job.h"
#include "service/messages.h"
#include "service/routes.h"

#define SUPPRESSED "Nothing was sent: all recipients are suppressed.\n"

/* What is logged and counted of a webhook, when its message is kept or not. */
typedef struct telling {
    app *app;
    const config_hook *hook;
    char id[27];
    char *event, *delivery;
} telling;

/* A secret may stand behind the name. */
static const config_hook *find_hook(const config *c, const http_exchange *x, const char **token)
{
    const char *name = http_parameter(x), *slash = strchr(name, '/');
    size_t len = slash ? (size_t)(slash - name) : strlen(name);
    const config_hook *h = config_hook_find(c, name, len);

    *token = slash ? slash + 1 : NULL;
    return h && (!slash || hooks_path_secret(h)) ? h : NULL;
}

size_t hooks_most(const app *a, const http_exchange *x)
{
    const char *token;
    const config_hook *h = find_hook(a->config, x, &token);
    return h ? h->max_body : CONFIG_HOOK_BODY;
}

static size_t index_of(const config *c, const config_hook *h)
{
    size_t i = 0;
    while (c->hooks[i] != h)
        i++;
    return i;
}

static void tell(const telling *t, metrics_hook_result result, const char *why)
{
    bool well = result <= METRICS_HOOK_PING;
    log_line line;

    metrics_hook(t->app->metrics, index_of(t->app->config, t->hook), result);
    log_begin(&line, t->app->log, well ? LOG_INFO : LOG_WARNING, "hook");
    log_str(&line, "id", t->id);
    log_str(&line, "hook", t->hook->name);
    log_str(&line, "result", metrics_hook_name(result));
    log_str(&line, "hook_event", t->event); /* the line's own is "event" */
    log_str(&line, "delivery", t->delivery);
    log_str(&line, "reason", why);
    log_end(&line);
}

/* ---- answers ---- */

static const char *header_of(void *ctx, const char *name)
{
    return http_header(ctx, name);
}

static void answer(http_exchange *x, const char *type, const char *text)
{
    buf content = BUF_INIT;
    buf_adds(&content, text);
    http_answer(x, 200, type, 0, &content);
}

/* What is answered where nothing is sent; the sender's own text where it expects one. */
static void answer_nothing(http_exchange *x, const config_hook *h, const char *json)
{
    const char *text = h->profile ? h->profile->answer : NULL;
    answer(x, text ? "text/plain" : "application/json", text ? text : json);
}

/* Whoever can't sign learns no more than that; that a time is off is told to one who can. */
static void answer_unverified(http_exchange *x, const config_hook *h, hook_verdict v)
{
    bool late = v == HOOK_TOO_OLD || v == HOOK_TOO_NEW;
    bool basic = h->schemes[h->scheme_count - 1].method == HOOK_BASIC;

    http_set_header(x, "WWW-Authenticate",
                    basic ? "Basic realm=\"postern\"" : "Signature realm=\"postern\"");
    http_problem(x, PROBLEM_UNVERIFIED,
                 late ? hook_verdict_text(v)
                      : "The signature or token that this hook asks for is missing or not right.",
                 NULL);
}

/* Answers, tells, and gives the result's word; false: it is to be sent. */
static bool answer_without_mail(http_exchange *x, const telling *t, hooks_outcome outcome,
                                hooks_result *r)
{
    const char *text = buf_cstr(&r->text);
    if (!text)
        outcome = HOOKS_NOMEM;
    switch (outcome) {
    case HOOKS_SEND: return false;
    case HOOKS_SKIP:
        tell(t, METRICS_HOOK_SKIPPED, NULL);
        answer_nothing(x, t->hook, "{\"status\":\"skipped\"}\n");
        return true;
    case HOOKS_PING:
        tell(t, METRICS_HOOK_PING, NULL);
        answer_nothing(x, t->hook, "{\"status\":\"ping\"}\n");
        return true;
    case HOOKS_CHALLENGE:
        tell(t, METRICS_HOOK_PING, NULL);
        answer(x, "text/plain", text);
        return true;
    case HOOKS_UNVERIFIED:
        tell(t, METRICS_HOOK_UNVERIFIED, hook_verdict_text(r->verdict));
        answer_unverified(x, t->hook, r->verdict);
        return true;
    case HOOKS_MEDIA_TYPE:
        tell(t, METRICS_HOOK_REFUSED, "It is neither JSON nor a form.");
        http_problem(x, PROBLEM_MEDIA_TYPE,
                     "Send Content-Type: application/json (in UTF-8), or "
                     "application/x-www-form-urlencoded with payload=.",
                     NULL);
        return true;
    case HOOKS_BAD:
    case HOOKS_TOO_LARGE:
        tell(t, METRICS_HOOK_REFUSED, text);
        http_problem(x, outcome == HOOKS_BAD ? PROBLEM_BAD_JSON : PROBLEM_TOO_LARGE, text, NULL);
        return true;
    case HOOKS_NOMEM: break;
    }
    tell(t, METRICS_HOOK_FAILED, "There is no memory.");
    http_problem(x, PROBLEM_MEMORY, "The webhook could not be kept.", NULL);
    return true;
}

/* ---- keeping ---- */

static void telling_clear(telling *t)
{
    free(t->event);
    free(t->delivery);
}

static void ended(void *ctx, messages_outcome outcome)
{
    static const metrics_hook_result results[] = {
        [MESSAGES_KEPT] = METRICS_HOOK_QUEUED,
        [MESSAGES_REPLAYED] = METRICS_HOOK_REPLAYED,
        [MESSAGES_SUPPRESSED] = METRICS_HOOK_SKIPPED,
        [MESSAGES_FAILED] = METRICS_HOOK_FAILED,
    };
    telling *t = ctx;
    tell(t, results[outcome],
         outcome == MESSAGES_SUPPRESSED ? "All recipients are suppressed." : NULL);
    telling_clear(t);
    free(t);
}

/* The request of the hook's document; NULL, and the exchange answered. */
static request *make_request(app *a, http_exchange *x, const templates *t, const telling *told,
                             document *d)
{
    request *r = NULL;
    faults errors;

    faults_init(&errors);
    request_result result =
        request_create_queued(a->config, t, d, http_exchange_id(x), time(NULL), &r, &errors);
    if (result == REQUEST_NOMEM) {
        tell(told, METRICS_HOOK_FAILED, "There is no memory.");
        http_problem(x, PROBLEM_MEMORY, "The message could not be kept.", NULL);
    } else if (result != REQUEST_OK) {
        tell(told, METRICS_HOOK_REFUSED,
             errors.count ? errors.list[0].detail : "The message is not valid.");
        http_problem(x, PROBLEM_INVALID, "Of this payload no valid message can be made.", &errors);
    }
    faults_free(&errors);
    return r;
}

/* One delivery is one mail, whatever its sender changes in it from try to try. */
static idempotency *make_key(const telling *t)
{
    return t->delivery ? idempotency_create(t->hook->name, strlen(t->hook->name),
                                            "/v1/hooks/{name}", t->delivery)
                       : NULL;
}

/* Takes over the document, and of `told` what it owns. */
static void keep(app *a, http_exchange *x, const templates *t, telling *told, document *d)
{
    const char *text = told->hook->profile ? told->hook->profile->answer : NULL;

    if (!messages_enter(a, x)) {
        tell(told, METRICS_HOOK_FAILED, "There is no room, or no relay.");
        document_free(d);
        telling_clear(told);
        return;
    }
    request *r = make_request(a, x, t, told, d);
    idempotency *key = r ? make_key(told) : NULL;
    telling *kept = r ? malloc(sizeof *kept) : NULL;
    if (kept && (key || !told->delivery)) {
        *kept = *told;
        /* Refused, it would come again for days. */
        const messages_manner how = {
            .text = text, .none = text ? text : SUPPRESSED, .ended = ended, .ctx = kept};
        messages_keep_so(a, x, r, key, &how);
        return;
    }
    if (r) {
        tell(told, METRICS_HOOK_FAILED, "There is no memory.");
        http_problem(x, PROBLEM_MEMORY, "The webhook could not be kept.", NULL);
    }
    free(kept);
    idempotency_free(key);
    request_free(r);
    job_leave(a);
    telling_clear(told);
}

void hooks_handle(app *a, http_exchange *x)
{
    hook_request came = {.header = header_of, .ctx = x};
    const config_hook *h = find_hook(a->config, x, &came.token);
    const buf *body = http_body(x);
    hooks_result result;

    if (!h) {
        http_problem(x, PROBLEM_NOT_FOUND, "No hook of this name is configured.", NULL);
        return;
    }
    came.body = body->data ? body->data : "";
    came.len = body->len;
    templates *t = templates_now(a->templates);
    hooks_outcome outcome = hooks_take(h, t, &came, clock_wall_us(), &result);
    telling told = {.app = a, .hook = h, .event = result.event, .delivery = result.delivery};
    memcpy(told.id, http_exchange_id(x), sizeof told.id);
    result.event = result.delivery = NULL;
    if (answer_without_mail(x, &told, outcome, &result)) {
        telling_clear(&told);
    } else {
        document *d = result.document;
        result.document = NULL;
        keep(a, x, t, &told, d);
    }
    hooks_result_clear(&result);
    templates_drop(t);
}
