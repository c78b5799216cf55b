/*
 * routes - the table of what the service answers.
 */
#ifndef POSTERN_SERVICE_ROUTES_H
#define POSTERN_SERVICE_ROUTES_H

#include "service/http.h"
#include "service/request.h"

typedef struct dialects_place dialects_place;

/* All routes that a configuration has. */
typedef struct routes {
    http_route *list;       /* ended by a path of NULL */
    dialects_place *places; /* of dialects, which the list points to */
} routes;

/* False: no memory, and nothing to be freed. */
bool routes_create(const config *c, routes *out);
void routes_clear(routes *r);

/* Their paths for the metrics, in the list's order, each once, and "other" behind them; the number
 * in *count. The caller frees the array. NULL: no memory. */
const char **routes_names(const routes *r, size_t *count);

/* The request of an exchange's body (send.c); NULL, and the exchange answered, if it isn't one. */
request *send_read_request(app *a, http_exchange *x, bool queued);

/* For a request that was made otherwise: takes its place among those in flight (false: answered);
 * then sends it, with the request and the place taken over, and answers. */
bool send_enter(app *a, http_exchange *x);
void send_request(app *a, http_exchange *x, request *r);

/* Answers with why there is no request: any result but REQUEST_OK. */
void send_answer_fault(http_exchange *x, request_result result, const faults *errors);

/* The handlers that have a file of their own. */
void send_handle(app *a, http_exchange *x);    /* send.c */
void compose_handle(app *a, http_exchange *x); /* send.c */
void lint_handle(app *a, http_exchange *x);    /* lint.c */
void check_handle(app *a, http_exchange *x);   /* check.c */
void messages_post(app *a, http_exchange *x);  /* messages.c */
void messages_list(app *a, http_exchange *x);  /* look.c */
void messages_get(app *a, http_exchange *x);
void messages_cancel(app *a, http_exchange *x);
void messages_patch(app *a, http_exchange *x);
void batches_post(app *a, http_exchange *x); /* batches.c */
void batches_get(app *a, http_exchange *x);
void batches_cancel(app *a, http_exchange *x);
void unsubscribe_show(app *a, http_exchange *x); /* unsubscribe.c */
void unsubscribe_post(app *a, http_exchange *x);
void suppressions_list(app *a, http_exchange *x); /* suppressions.c */
void suppressions_post(app *a, http_exchange *x);
void suppressions_get(app *a, http_exchange *x);
void suppressions_remove(app *a, http_exchange *x);
void hooks_handle(app *a, http_exchange *x); /* hooks.c */
size_t hooks_most(const app *a, const http_exchange *x);
void previews_list(app *a, http_exchange *x); /* previews.c */
void previews_render(app *a, http_exchange *x);

#endif
