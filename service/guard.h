/*
 * guard - what a request of /v1/send passes where there is a queue: its Idempotency-Key, and the
 * look for suppressed recipients; and what is kept when the relay has spoken.
 *
 * A request with a key begins it before anything is sent. The answer is kept with the key before it
 * goes to the client, if sending the same again could deliver it twice, or would be refused again;
 * else the key is given back, so that it can be tried again. Where keeping fails, the client is
 * told the truth all the same.
 *
 * Threads: any; guard_create() on the exchange's.
 */
#ifndef POSTERN_SERVICE_GUARD_H
#define POSTERN_SERVICE_GUARD_H

#include <stdbool.h>

#include "service/answer.h"
#include "service/http.h"
#include "service/request.h"

typedef struct guard guard;

/* True if a request must pass one. */
bool guard_needed(const app *a, const request *r, const idempotency *key);

/* Takes over the key (NULL: none). NULL: no memory, and the key is freed. The request must live
 * until `decided` is called, or guard_learn(), whichever is the last. */
guard *guard_create(app *a, http_exchange *x, request *r, idempotency *key);

/* Begins, with the exchange suspended. `decided` comes once: go, with the suppressed recipients
 * taken off the request; or not, then guard_refuse() must follow. */
void guard_start(guard *g, void (*decided)(void *ctx, bool go), void *ctx);

/* Answers the exchange with why not, and frees. Nothing of the request is needed any more. */
void guard_refuse(guard *g);

/* Notes, before the request is freed, which recipients don't exist. */
void guard_learn(guard *g, const request *r, const smtp_result *result);

/* The last: keeps what must be kept, then answers the exchange, and frees. `said` without a status:
 * there was no memory for an answer. Takes over the content. */
void guard_finish(guard *g, const answer *said, bool unknown, buf *content);

/* Nothing was sent: the key is given back, and the exchange answered with a problem. */
void guard_abandon(guard *g, problem_kind kind, const char *detail);

#endif
