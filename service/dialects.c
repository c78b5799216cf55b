#include "service/dialects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <openssl/evp.h>

#include "base/clock.h"
#include "service/job.h"
#include "service/messages.h"
#include "service/routes.h"
#include "service/templates.h"

/* Octets of a body that is read at once: a larger one may have thousands of texts to be replaced in
 * others, and no thread of HTTP waits for that. */
#define AT_ONCE ((size_t)32 * 1024)

/* ---- who asks ---- */

static const dialects_place *place_of(const http_exchange *x)
{
    return http_exchange_route(x)->context;
}

/* The password of "Basic base64(user:password)" (RFC 7617). */
static const char *basic_key(const char *authorization, char *room, size_t cap, size_t *len)
{
    static const char scheme[] = "Basic ";
    size_t n = authorization ? strlen(authorization) : 0;

    if (n < sizeof scheme || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0)
        return NULL;
    const char *token = authorization + sizeof scheme - 1;
    token += strspn(token, " ");
    n = strlen(token);
    while (n > 0 && (token[n - 1] == ' ' || token[n - 1] == '\t'))
        n--;
    if (n == 0 || n % 4 != 0 || n / 4 * 3 >= cap)
        return NULL;
    int size = EVP_DecodeBlock((unsigned char *)room, (const unsigned char *)token, (int)n);
    size -= (token[n - 1] == '=') + (token[n - 2] == '=');
    const char *colon = size > 0 ? memchr(room, ':', (size_t)size) : NULL;
    if (!colon)
        return NULL;
    *len = (size_t)(room + size - (colon + 1));
    return colon + 1;
}

static const char *find_key(http_exchange *x, char *room, size_t cap, size_t *len)
{
    const dialect *d = place_of(x)->dialect;
    const char *value = http_header(x, d->auth == DIALECT_HEADER ? d->key_header : "Authorization");

    if (!value)
        return NULL;
    if (d->auth == DIALECT_BASIC)
        return basic_key(value, room, cap, len);
    if (d->auth == DIALECT_BEARER)
        return keys_token(value, len);
    *len = strlen(value);
    return value;
}

/* ---- the call ---- */

static void call_drop(void *context)
{
    dialects_call *c = context;
    if (c->document)
        document_enter(c->document);
    dialect_plan_clear(&c->plan);
    if (c->document)
        (void)document_leave(c->document);
    document_free(c->document);
    free(c);
}

static const char *find_header(void *ctx, const char *name)
{
    const dialects_call *c = ctx;
    return http_header(c->exchange, name);
}

static bool find_text(void *ctx, const json_t *string, mime_bytes *out)
{
    const dialects_call *c = ctx;
    document_string found;

    if (!c->document || !document_lifted(c->document, string, &found)) {
        *out = (mime_bytes){json_string_value(string), json_string_length(string)};
        return true;
    }
    *out = found.text;
    return !found.is_base64;
}

/* NULL, and the exchange answered: no memory. */
static dialects_call *call_create(app *a, http_exchange *x)
{
    dialects_call *c = calloc(1, sizeof *c);
    if (!c) {
        http_problem(x, PROBLEM_MEMORY, "The request could not be kept.", NULL);
        return NULL;
    }
    c->app = a;
    c->exchange = x;
    c->place = place_of(x);
    const char *parameter = http_parameter(x);
    c->body = (dialect_body){.parameter = parameter ? parameter : "",
                             .header = find_header,
                             .text = find_text,
                             .ctx = c,
                             .now_us = clock_wall_us()};
    http_set_context(x, c, call_drop);
    return c;
}

void dialects_map(const dialects_call *c, size_t draft, const faults *from, faults *to)
{
    char pointer[FAULTS_POINTER_MAX];

    for (size_t i = 0; i < from->count; i++) {
        const faults_item *f = &from->list[i];
        pointer[0] = '\0';
        c->place->endpoint->origin(&c->body, draft, f->pointer, pointer);
        if (f->has_offset)
            faults_add_at(to, pointer, f->code, f->offset, f->detail);
        else
            faults_add(to, pointer, f->code, "%s", f->detail);
    }
    to->total += from->total - from->count;
    to->failed = to->failed || from->failed;
}

/* ---- the way in ---- */

/* What a draft has wrong by itself, if nothing is sent then. */
static void add_faults(faults *to, const faults *from)
{
    for (size_t i = 0; i < from->count; i++)
        faults_add(to, from->list[i].pointer, from->list[i].code, "%s", from->list[i].detail);
    to->total += from->total - from->count;
    to->failed = to->failed || from->failed;
}

static bool plan_fits(dialects_call *c)
{
    dialect_plan *p = &c->plan;
    bool failed = p->nomem;

    for (size_t i = 0; i < p->count && !p->each; i++)
        add_faults(&p->errors, &p->drafts[i].errors);
    for (size_t i = 0; i < p->count; i++)
        failed = failed || p->drafts[i].errors.failed ||
                 (!p->drafts[i].message && p->drafts[i].errors.total == 0);
    if (!failed && !p->errors.failed && p->errors.total == 0 && p->count > 0)
        return true;
    c->mapped = true;
    if (failed || p->errors.failed)
        http_problem(c->exchange, PROBLEM_MEMORY, "The request could not be kept.", NULL);
    else
        http_problem(c->exchange, PROBLEM_INVALID,
                     p->count ? "The request is not valid." : "The request has no messages.",
                     &p->errors);
    return false;
}

/* False: answered. */
static bool read_document(dialects_call *c)
{
    c->document = http_exchange_document(c->exchange);
    return c->document != NULL;
}

/* False: answered. */
static bool read_plan(dialects_call *c)
{
    c->body.root = document_root(c->document);
    document_enter(c->document);
    c->place->endpoint->read(&c->body, &c->plan);
    if (!document_leave(c->document))
        c->plan.nomem = true;
    if (!c->plan.made || document_hold(c->document, c->plan.made))
        return plan_fits(c);
    http_problem(c->exchange, PROBLEM_MEMORY,
                 "Requests hold as much memory as POSTERN_MAX_MEMORY allows.", NULL);
    return false;
}

static void send_one(dialects_call *c)
{
    app *a = c->app;
    http_exchange *x = c->exchange;
    request *r = NULL;
    faults errors;

    faults_init(&errors);
    templates *t = templates_now(a->templates);
    request_result result = request_create_draft(
        a->config, t, document_share(c->document), c->plan.drafts[0].message, http_exchange_id(x),
        time(NULL), c->sync ? REQUEST_DRAFT_SENT : REQUEST_DRAFT_QUEUED, &r, &errors);
    templates_drop(t);
    if (result != REQUEST_OK) {
        send_answer_fault(x, result, &errors);
        job_leave(a);
    } else if (c->sync) {
        send_request(a, x, r);
    } else {
        messages_keep(a, x, r, http_exchange_key(x));
    }
    faults_free(&errors);
}

/* False, and answered: the header says neither. */
static bool choose_mode(dialects_call *c)
{
    const char *mode = http_header(c->exchange, "Postern-Mode");
    c->sync = mode ? strcasecmp(mode, "sync") == 0 : c->app->config->dialects_sync;
    if (!mode || c->sync || strcasecmp(mode, "queue") == 0)
        return true;
    http_problem(c->exchange, PROBLEM_BAD_REQUEST, "Postern-Mode is \"queue\" or \"sync\".", NULL);
    return false;
}

/* On the exchange's thread, or a worker's. */
static void send_plan(void *ctx)
{
    dialects_call *c = ctx;
    app *a = c->app;

    if (!read_plan(c)) /* it is answered, and the call may be gone */
        job_leave(a);
    else if (c->plan.count == 1 && !c->plan.each && !c->plan.dry)
        send_one(c);
    else
        dialects_many(c);
}

static void give_up(dialects_call *c)
{
    job_leave(c->app);
    http_problem(c->exchange, PROBLEM_DRAINING, "This instance is shutting down.", NULL);
}

static void send_handle_dialect(app *a, http_exchange *x)
{
    dialects_call *c = call_create(a, x);

    if (!c || !choose_mode(c) || !(c->sync ? send_enter(a, x) : messages_enter(a, x)))
        return;
    if (!read_document(c)) {
        job_leave(a);
    } else if (http_received(x) <= AT_ONCE) {
        send_plan(c);
    } else {
        http_suspend(x);
        c->task = (worker_task){.run = send_plan, .ctx = c};
        if (!worker_do(a->worker, &c->task))
            give_up(c);
    }
}

/* ---- what is not a mail ---- */

static void show_handle(app *a, http_exchange *x)
{
    dialects_call *c = call_create(a, x);
    if (!c)
        return;
    if (!dialect_id(http_parameter(x), c->id)) {
        http_problem(x, PROBLEM_NOT_FOUND, "There is no message of this id.", NULL);
        return;
    }
    http_set_parameter(x, c->id);
    switch (c->place->endpoint->action) {
    case DIALECT_CANCEL: messages_cancel(a, x); break;
    case DIALECT_RESCHEDULE:
        if (read_document(c) && read_plan(c))
            messages_reschedule(a, x, document_share(c->document), c->plan.drafts[0].message);
        break;
    default: messages_get(a, x); break;
    }
}

static void fixed_handle(app *a, http_exchange *x)
{
    buf content = BUF_INIT;
    if (!call_create(a, x))
        return;
    buf_adds(&content, "{}");
    http_answer(x, 200, "application/json", 0, &content);
}

/* ---- the routes ---- */

static size_t most_octets(const app *a, const http_exchange *x)
{
    size_t most = place_of(x)->endpoint->most;
    return most ? most : a->config->max_body;
}

static bool is_chosen(unsigned chosen, size_t i)
{
    return chosen >> i & 1;
}

size_t dialects_count(unsigned chosen)
{
    size_t n = 0;
    for (size_t i = 0; dialects[i]; i++) {
        for (const dialect_endpoint *e = dialects[i]->endpoints; e->path; e++)
            n += is_chosen(chosen, i) ? 2 : 0;
    }
    return n;
}

static void make_route(const dialect *d, const dialect_endpoint *e, bool prefixed,
                       dialects_place *place, http_route *out)
{
    static http_handler *const handlers[] = {
        [DIALECT_SEND] = send_handle_dialect, [DIALECT_SHOW] = show_handle,
        [DIALECT_CANCEL] = show_handle,       [DIALECT_RESCHEDULE] = show_handle,
        [DIALECT_FIXED] = fixed_handle,
    };
    static const http_content contents[] = {
        [DIALECT_NOTHING] = HTTP_NO_BODY,
        [DIALECT_JSON] = HTTP_TEXT_BODY,
        [DIALECT_FORM] = HTTP_FORM_BODY,
    };
    static const char *const challenges[] = {
        [DIALECT_BEARER] = "Bearer realm=\"postern\"",
        [DIALECT_BASIC] = "Basic realm=\"postern\"",
        [DIALECT_HEADER] = NULL,
    };
    *place = (dialects_place){.dialect = d, .endpoint = e};
    (void)snprintf(place->path, sizeof place->path, "%s%s%s", prefixed ? "/" : "",
                   prefixed ? d->name : "", e->path);
    place->files = (document_files){e->files ? e->files : "", e->content ? e->content : "",
                                    e->level ? e->level : 1, e->octets};
    place->manners = (http_manners){.key = find_key,
                                    .challenge = challenges[d->auth],
                                    .answer = dialects_answer,
                                    .files = &place->files};
    *out = (http_route){.path = place->path,
                        .method = e->method,
                        .auth = HTTP_AUTH_KEY,
                        .content = contents[e->form],
                        .relays = e->action == DIALECT_SEND,
                        .keyed = e->keyed,
                        .handle = handlers[e->action],
                        .most = most_octets,
                        .manners = &place->manners,
                        .context = place};
}

/* Those at the root first: routes of one path are neighbours. */
void dialects_routes(unsigned chosen, dialects_place *places, http_route *out)
{
    size_t n = 0;
    for (int prefixed = 0; prefixed < 2; prefixed++) {
        for (size_t i = 0; dialects[i]; i++) {
            for (const dialect_endpoint *e = dialects[i]->endpoints; e->path; e++) {
                if (!is_chosen(chosen, i))
                    continue;
                make_route(dialects[i], e, prefixed == 1, &places[n], &out[n]);
                n++;
            }
        }
    }
}
