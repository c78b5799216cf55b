#include "service/routes.h"

#include <stdlib.h>
#include <string.h>

#include "service/dialects.h"
#include "service/features.h"
#include "service/openapi.h"
#include "service/outbox.h"

static void answer_text(http_exchange *x, unsigned status, const char *type, const char *text)
{
    buf content = BUF_INIT;
    buf_adds(&content, text);
    http_answer(x, status, type, 0, &content);
}

static void health_handle(app *a, http_exchange *x)
{
    (void)a;
    answer_text(x, 200, "application/json", "{\"status\":\"ok\"}\n");
}

static void ready_handle(app *a, http_exchange *x)
{
    if (atomic_load(&a->draining))
        http_problem(x, PROBLEM_DRAINING, "This instance is shutting down.", NULL);
    else if (a->config->relay_count == 0)
        http_problem(x, PROBLEM_NO_RELAY, "Set POSTERN_RELAY to be able to send.", NULL);
    else if (WITH_QUEUE && a->outbox && !outbox_ready(a->outbox))
        http_problem(x, PROBLEM_QUEUE, "The queue failed lately, or doesn't answer.", NULL);
    else
        answer_text(x, 200, "application/json", "{\"status\":\"ready\"}\n");
}

static void metrics_handle(app *a, http_exchange *x)
{
    buf content = BUF_INIT;
    metrics_write(a->metrics, a->sender, a->store, &content);
    if (WITH_QUEUE && a->outbox)
        outbox_write_metrics(a->outbox, &content);
    http_answer(x, 200, "text/plain; version=0.0.4; charset=utf-8", 0, &content);
}

static void openapi_handle(app *a, http_exchange *x)
{
    (void)a;
    buf content = BUF_INIT;
    openapi_write(&content);
    http_answer(x, 200, "application/yaml", 0, &content);
}

static const http_route sending[] = {
    {"/v1/send", "POST", HTTP_AUTH_KEY, HTTP_JSON_BODY, true, true, send_handle, NULL, NULL, NULL},
};

static const http_route queued[] = {
    {"/v1/messages", "POST", HTTP_AUTH_KEY, HTTP_JSON_BODY, true, true, messages_post, NULL, NULL,
     NULL},
    {"/v1/messages", "GET", HTTP_AUTH_KEY, HTTP_NO_BODY, false, false, messages_list, NULL, NULL,
     NULL},
    {"/v1/messages/{id}", "GET", HTTP_AUTH_KEY, HTTP_NO_BODY, false, false, messages_get, NULL,
     NULL, NULL},
    {"/v1/messages/{id}", "DELETE", HTTP_AUTH_KEY, HTTP_NO_BODY, false, false, messages_cancel,
     NULL, NULL, NULL},
    {"/v1/messages/{id}", "PATCH", HTTP_AUTH_KEY, HTTP_JSON_BODY, false, false, messages_patch,
     NULL, NULL, NULL},
    {"/v1/batches", "POST", HTTP_AUTH_KEY, HTTP_BATCH_BODY, true, true, batches_post, NULL, NULL,
     NULL},
    {"/v1/batches/{id}", "GET", HTTP_AUTH_KEY, HTTP_NO_BODY, false, false, batches_get, NULL, NULL,
     NULL},
    {"/v1/batches/{id}", "DELETE", HTTP_AUTH_KEY, HTTP_NO_BODY, false, false, batches_cancel, NULL,
     NULL, NULL},
    {"/v1/suppressions", "GET", HTTP_AUTH_KEY, HTTP_NO_BODY, false, false, suppressions_list, NULL,
     NULL, NULL},
    {"/v1/suppressions", "POST", HTTP_AUTH_KEY, HTTP_JSON_BODY, false, false, suppressions_post,
     NULL, NULL, NULL},
    {"/v1/suppressions/{email}", "GET", HTTP_AUTH_KEY, HTTP_NO_BODY, false, false, suppressions_get,
     NULL, NULL, NULL},
    {"/v1/suppressions/{email}", "DELETE", HTTP_AUTH_KEY, HTTP_NO_BODY, false, false,
     suppressions_remove, NULL, NULL, NULL},
    {"/v1/unsubscribe/{token}", "GET", HTTP_AUTH_OPEN, HTTP_NO_BODY, false, false, unsubscribe_show,
     NULL, NULL, NULL},
    {"/v1/unsubscribe/{token}", "POST", HTTP_AUTH_OPEN, HTTP_NO_BODY, false, false,
     unsubscribe_post, NULL, NULL, NULL},
};

static const http_route hooked[] = {
    {"/v1/hooks/{name}", "POST", HTTP_AUTH_OPEN, HTTP_RAW_BODY, true, false, hooks_handle,
     hooks_most, NULL, NULL},
    {"/v1/hooks/{name}", "PUT", HTTP_AUTH_OPEN, HTTP_RAW_BODY, true, false, hooks_handle,
     hooks_most, NULL, NULL},
};

static const http_route rendering[] = {
    {"/v1/templates", "GET", HTTP_AUTH_KEY, HTTP_NO_BODY, false, false, previews_list, NULL, NULL,
     NULL},
    {"/v1/templates/{name}/render", "POST", HTTP_AUTH_KEY, HTTP_OPTIONAL_BODY, false, false,
     previews_render, NULL, NULL, NULL},
};

static const http_route composing[] = {
    {"/v1/compose", "POST", HTTP_AUTH_KEY, HTTP_JSON_BODY, false, false, compose_handle, NULL, NULL,
     NULL},
};

static const http_route linting[] = {
    {"/v1/lint", "POST", HTTP_AUTH_KEY, HTTP_JSON_BODY, false, false, lint_handle, NULL, NULL,
     NULL},
};

static const http_route others[] = {
    {"/v1/check", "POST", HTTP_AUTH_KEY, HTTP_OPTIONAL_BODY, true, false, check_handle, NULL, NULL,
     NULL},
    {"/healthz", "GET", HTTP_AUTH_OPEN, HTTP_NO_BODY, false, false, health_handle, NULL, NULL,
     NULL},
    {"/readyz", "GET", HTTP_AUTH_OPEN, HTTP_NO_BODY, false, false, ready_handle, NULL, NULL, NULL},
    {"/metrics", "GET", HTTP_AUTH_KEY, HTTP_NO_BODY, false, false, metrics_handle, NULL, NULL,
     NULL},
    {"/openapi.yaml", "GET", HTTP_AUTH_OPEN, HTTP_NO_BODY, false, false, openapi_handle, NULL, NULL,
     NULL},
};

#define GROUP(with, list)                                                                          \
    {                                                                                              \
        (with) ? (list) : NULL, (with) ? sizeof(list) / sizeof *(list) : 0                         \
    }

/* In the order in which the metrics tell of them. */
static const struct {
    const http_route *list;
    size_t count;
} groups[] = {
    GROUP(true, sending),      GROUP(WITH_QUEUE, queued),
    GROUP(WITH_HOOKS, hooked), GROUP(WITH_TEMPLATES, rendering),
    GROUP(true, composing),    GROUP(WITH_LINT, linting),
    GROUP(true, others),
};

#define GROUPS (sizeof groups / sizeof *groups)

bool routes_create(const config *c, routes *out)
{
    size_t more = WITH_DIALECTS ? dialects_count(c->dialects) : 0, count = 0;

    for (size_t i = 0; i < GROUPS; i++)
        count += groups[i].count;
    out->list = calloc(count + more + 1, sizeof *out->list);
    out->places = calloc(more + 1, sizeof *out->places);
    if (!out->list || !out->places) {
        routes_clear(out);
        return false;
    }
    http_route *to = out->list;
    for (size_t i = 0; i < GROUPS; i++) {
        for (size_t k = 0; k < groups[i].count; k++)
            *to++ = groups[i].list[k];
    }
    if (WITH_DIALECTS)
        dialects_routes(c->dialects, out->places, to);
    return true;
}

void routes_clear(routes *r)
{
    free(r->list);
    free(r->places);
    *r = (routes){0};
}

const char **routes_names(const routes *r, size_t *count)
{
    size_t total = 0, n = 0;
    while (r->list[total].path)
        total++;
    const char **names = malloc((total + 1) * sizeof *names);
    if (!names)
        return NULL;
    for (size_t i = 0; i < total; i++) {
        if (i == 0 || strcmp(r->list[i].path, r->list[i - 1].path) != 0)
            names[n++] = r->list[i].path;
    }
    names[n++] = "other";
    *count = n;
    return names;
}
