#include "service/routes.h"

#include <stdlib.h>

#include "service/openapi.h"

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
    else
        answer_text(x, 200, "application/json", "{\"status\":\"ready\"}\n");
}

static void metrics_handle(app *a, http_exchange *x)
{
    buf content = BUF_INIT;
    metrics_write(a->metrics, a->sender, a->store, &content);
    http_answer(x, 200, "text/plain; version=0.0.4; charset=utf-8", 0, &content);
}

static void openapi_handle(app *a, http_exchange *x)
{
    (void)a;
    buf content = BUF_INIT;
    buf_add(&content, openapi_text, (size_t)(openapi_end - openapi_text));
    http_answer(x, 200, "application/yaml", 0, &content);
}

const http_route routes[] = {
    {"/v1/send", "POST", HTTP_AUTH_KEY, HTTP_JSON_BODY, true, send_handle},
    {"/v1/compose", "POST", HTTP_AUTH_KEY, HTTP_JSON_BODY, false, compose_handle},
    {"/v1/check", "POST", HTTP_AUTH_KEY, HTTP_OPTIONAL_BODY, true, check_handle},
    {"/healthz", "GET", HTTP_AUTH_OPEN, HTTP_NO_BODY, false, health_handle},
    {"/readyz", "GET", HTTP_AUTH_OPEN, HTTP_NO_BODY, false, ready_handle},
    {"/metrics", "GET", HTTP_AUTH_KEY, HTTP_NO_BODY, false, metrics_handle},
    {"/openapi.yaml", "GET", HTTP_AUTH_OPEN, HTTP_NO_BODY, false, openapi_handle},
    {NULL, NULL, HTTP_AUTH_KEY, HTTP_NO_BODY, false, NULL},
};

#define ROUTES (sizeof routes / sizeof *routes - 1)

const char **routes_names(size_t *count)
{
    const char **names = malloc((ROUTES + 1) * sizeof *names);
    if (!names)
        return NULL;
    for (size_t i = 0; i < ROUTES; i++)
        names[i] = routes[i].path;
    names[ROUTES] = "other";
    *count = ROUTES + 1;
    return names;
}
