#include "service/routes.h"

#include <stdlib.h>
#include <string.h>

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
    else if (a->outbox && !outbox_ready(a->outbox))
        http_problem(x, PROBLEM_QUEUE, "The queue failed lately, or doesn't answer.", NULL);
    else
        answer_text(x, 200, "application/json", "{\"status\":\"ready\"}\n");
}

static void metrics_handle(app *a, http_exchange *x)
{
    buf content = BUF_INIT;
    metrics_write(a->metrics, a->sender, a->store, &content);
    if (a->outbox)
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

const http_route routes[] = {
    {"/v1/send", "POST", HTTP_AUTH_KEY, HTTP_JSON_BODY, true, true, send_handle, NULL},
    {"/v1/messages", "POST", HTTP_AUTH_KEY, HTTP_JSON_BODY, true, true, messages_post, NULL},
    {"/v1/messages", "GET", HTTP_AUTH_KEY, HTTP_NO_BODY, false, false, messages_list, NULL},
    {"/v1/messages/{id}", "GET", HTTP_AUTH_KEY, HTTP_NO_BODY, false, false, messages_get, NULL},
    {"/v1/messages/{id}", "DELETE", HTTP_AUTH_KEY, HTTP_NO_BODY, false, false, messages_cancel,
     NULL},
    {"/v1/batches", "POST", HTTP_AUTH_KEY, HTTP_BATCH_BODY, true, true, batches_post, NULL},
    {"/v1/batches/{id}", "GET", HTTP_AUTH_KEY, HTTP_NO_BODY, false, false, batches_get, NULL},
    {"/v1/batches/{id}", "DELETE", HTTP_AUTH_KEY, HTTP_NO_BODY, false, false, batches_cancel, NULL},
    {"/v1/suppressions", "GET", HTTP_AUTH_KEY, HTTP_NO_BODY, false, false, suppressions_list, NULL},
    {"/v1/suppressions", "POST", HTTP_AUTH_KEY, HTTP_JSON_BODY, false, false, suppressions_post,
     NULL},
    {"/v1/suppressions/{email}", "GET", HTTP_AUTH_KEY, HTTP_NO_BODY, false, false, suppressions_get,
     NULL},
    {"/v1/suppressions/{email}", "DELETE", HTTP_AUTH_KEY, HTTP_NO_BODY, false, false,
     suppressions_remove, NULL},
    {"/v1/unsubscribe/{token}", "GET", HTTP_AUTH_OPEN, HTTP_NO_BODY, false, false, unsubscribe_show,
     NULL},
    {"/v1/unsubscribe/{token}", "POST", HTTP_AUTH_OPEN, HTTP_NO_BODY, false, false,
     unsubscribe_post, NULL},
    {"/v1/hooks/{name}", "POST", HTTP_AUTH_OPEN, HTTP_RAW_BODY, true, false, hooks_handle,
     hooks_most},
    {"/v1/hooks/{name}", "PUT", HTTP_AUTH_OPEN, HTTP_RAW_BODY, true, false, hooks_handle,
     hooks_most},
    {"/v1/templates", "GET", HTTP_AUTH_KEY, HTTP_NO_BODY, false, false, previews_list, NULL},
    {"/v1/templates/{name}/render", "POST", HTTP_AUTH_KEY, HTTP_OPTIONAL_BODY, false, false,
     previews_render, NULL},
    {"/v1/compose", "POST", HTTP_AUTH_KEY, HTTP_JSON_BODY, false, false, compose_handle, NULL},
    {"/v1/lint", "POST", HTTP_AUTH_KEY, HTTP_JSON_BODY, false, false, lint_handle, NULL},
    {"/v1/check", "POST", HTTP_AUTH_KEY, HTTP_OPTIONAL_BODY, true, false, check_handle, NULL},
    {"/healthz", "GET", HTTP_AUTH_OPEN, HTTP_NO_BODY, false, false, health_handle, NULL},
    {"/readyz", "GET", HTTP_AUTH_OPEN, HTTP_NO_BODY, false, false, ready_handle, NULL},
    {"/metrics", "GET", HTTP_AUTH_KEY, HTTP_NO_BODY, false, false, metrics_handle, NULL},
    {"/openapi.yaml", "GET", HTTP_AUTH_OPEN, HTTP_NO_BODY, false, false, openapi_handle, NULL},
    {NULL, NULL, HTTP_AUTH_KEY, HTTP_NO_BODY, false, false, NULL, NULL},
};

#define ROUTES (sizeof routes / sizeof *routes - 1)

const char **routes_names(size_t *count)
{
    const char **names = malloc((ROUTES + 1) * sizeof *names);
    if (!names)
        return NULL;
    size_t n = 0;
    for (size_t i = 0; i < ROUTES; i++) {
        if (i == 0 || strcmp(routes[i].path, routes[i - 1].path) != 0)
            names[n++] = routes[i].path;
    }
    names[n++] = "other";
    *count = n;
    return names;
}
