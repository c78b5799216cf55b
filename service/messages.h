/*
 * messages - messages that are kept in the queue, whoever brings them.
 */
#ifndef POSTERN_SERVICE_MESSAGES_H
#define POSTERN_SERVICE_MESSAGES_H

#include <stdbool.h>

#include "service/http.h"
#include "service/request.h"

/* Takes a place among those in flight. False, and the exchange answered: there is no place, no
 * queue or no relay. */
bool messages_enter(app *a, http_exchange *x);

/* Keeps the message of a request that was made for the queue, and answers the exchange when it is
 * durable: 202, or a problem. Takes over the request, the key (NULL: none; all of its body is
 * added) and the place of messages_enter(). */
void messages_keep(app *a, http_exchange *x, request *r, idempotency *key);

/* What became of a message that was to be kept. */
typedef enum messages_outcome {
    MESSAGES_KEPT,
    MESSAGES_REPLAYED,   /* its key was there: nothing is sent */
    MESSAGES_SUPPRESSED, /* nothing is sent to any of its recipients */
    MESSAGES_FAILED
} messages_outcome;

/* How it is kept otherwise. */
typedef struct messages_manner {
    const char *text; /* what is kept, or was, is answered with 200 and this; NULL: 202 and JSON */
    void (*ended)(void *ctx, messages_outcome outcome); /* once, from any thread; the exchange may
                                                           be over */
    void *ctx;
} messages_manner;

void messages_keep_so(app *a, http_exchange *x, request *r, idempotency *key,
                      const messages_manner *how);

#endif
