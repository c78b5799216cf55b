/*
 * look - a request that is answered with what the queue says: the exchange waits while one
 * operation runs. What the routes of messages and suppressions share.
 */
#ifndef POSTERN_SERVICE_LOOK_H
#define POSTERN_SERVICE_LOOK_H

#include <jansson.h>

#include "service/app.h"
#include "service/http.h"
#include "service/outbox.h"

typedef struct look look;

/* On a thread of the queue: answers by l->op, which has not failed. True: it has; false: what
 * look_on() gave. */
typedef bool look_answer_fn(look *l);

struct look {
    queue_op op;
    app *app;
    http_exchange *exchange;
    look_answer_fn *answer;
    void *inputs; /* what the operation's are borrowed from; freed at the end */
};

/* NULL, and the exchange answered: there is no queue, or no memory. */
look *look_create(app *a, http_exchange *x, look_answer_fn *answer);

/* Leaves the exchange to the operation, which is all set but for done and ctx. */
void look_start(look *l);

/* From an answer: another operation follows before it can be given. */
bool look_on(look *l, const queue_op *next, look_answer_fn *answer);

/* Before look_start(): frees it; the caller answers. */
void look_drop(look *l);

/* Answers with JSON, which it takes over; NULL: there was no memory for it. True. */
bool look_answer(look *l, unsigned status, json_t *json);

/* The page's size: the query's "limit", or `usual`. False, and the exchange answered, if it is
 * none, or the query has a name that is not known. */
bool look_page(http_exchange *x, const char *const *known, size_t usual, size_t *most);

#endif
