/*
 * dialects - the routes of other providers' APIs (dialect/): POSTERN_DIALECTS names those that are
 * spoken.
 *
 * A dialect is an adapter at both ends of a route. At its beginning a body becomes drafts, which
 * are read, checked, kept and sent by what does so for /v1/messages and /v1/send; at its end
 * whatever is answered, by whomever, in Postern's words (a success, a problem, also those of
 * http.c) is written in the dialect's (http_manners). What is kept with an idempotency key is in
 * Postern's words, too.
 *
 * Files: dialects.c has routes, keys and the way in; dialects_answer.c the way out;
 * dialects_many.c requests that are several mails.
 */
#ifndef POSTERN_SERVICE_DIALECTS_H
#define POSTERN_SERVICE_DIALECTS_H

#include <stdbool.h>
#include <stddef.h>

#include "dialect/dialect.h"
#include "service/http.h"
#include "service/request.h"

#define DIALECTS_PATH 64

/* An endpoint's place among the routes. */
typedef struct dialects_place {
    const dialect *dialect;
    const dialect_endpoint *endpoint;
    char path[DIALECTS_PATH];
    document_files files;
    http_manners manners;
} dialects_place;

/* How many places those in `chosen` (bits, by the order of dialects[]) have; and their routes, as
 * many, of places that the caller keeps as long. */
size_t dialects_count(unsigned chosen);
void dialects_routes(unsigned chosen, dialects_place *places, http_route *out);

/* ---- among dialects*.c ---- */

/* What an exchange keeps until it is over. */
typedef struct dialects_call {
    app *app;
    http_exchange *exchange;
    const dialects_place *place;
    document *document; /* shared with the request; NULL: no body */
    dialect_body body;
    dialect_plan plan;
    bool sync;   /* the relay is waited for */
    bool mapped; /* the answer's faults stand at pointers into the body already */
    char id[27]; /* of the message that the path names */
} dialects_call;

/* Several mails: on a worker, and then on threads of the queue. Takes over the place of job_enter()
 * and answers. */
void dialects_many(dialects_call *c);

/* The hook of http_manners. */
void dialects_answer(http_exchange *x, unsigned *status, const char **content_type, buf *content);

/* Puts faults of a draft into a list, at pointers into the body. */
void dialects_map(const dialects_call *c, size_t draft, const faults *from, faults *to);

#endif
