/*
 * routes - the table of what the service answers.
 */
#ifndef POSTERN_SERVICE_ROUTES_H
#define POSTERN_SERVICE_ROUTES_H

#include "service/http.h"

/* All routes, ended by a path of NULL. */
extern const http_route routes[];

/* Their paths for the metrics, in the table's order, and "other" behind them; the number in *count.
 * The caller frees the array. NULL: no memory. */
const char **routes_names(size_t *count);

/* The handlers that have a file of their own. */
void send_handle(app *a, http_exchange *x);    /* send.c */
void compose_handle(app *a, http_exchange *x); /* send.c */
void check_handle(app *a, http_exchange *x);   /* check.c */

#endif
