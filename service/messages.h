/*
 * messages - messages that are kept in the queue, whoever brings them.
 */
#ifndef POSTERN_SERVICE_MESSAGES_H
#define POSTERN_SERVICE_MESSAGES_H

#include <stdbool.h>

#include "queue/queue.h"
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
    const char *none; /* if all recipients are suppressed, 200 and this; NULL: a problem */
    void (*ended)(void *ctx, messages_outcome outcome); /* once, from any thread; the exchange may
                                                           be over */
    void *ctx;
} messages_manner;

void messages_keep_so(app *a, http_exchange *x, request *r, idempotency *key,
                      const messages_manner *how);

/* Gives the message that the path names another time: `change` is {"send_at": …}, which stands with
 * the document; the document is taken over. */
void messages_reschedule(app *a, http_exchange *x, document *d, const json_t *change);

/* ---- for others that put messages into the queue ---- */

/* Fills what the queue is given of one that waits, but for its recipients and body. False: no
 * memory. */
bool messages_fill(queue_message *m, const request *r, int64_t now, const char *batch);

/* What is kept of one (record.h): its head, of a batch if that is not NULL; its recipients, those
 * that are marked (NULL: none) as suppressed; its octets. The caller's; NULL: no memory, or the
 * message can't be read. */
char *messages_head(const request *r, int64_t now, int64_t expires_at, const char *batch);
char *messages_recipients(const request *r, const bool *marks);
char *messages_body(const request *r);

/* The octets as the queue takes them: in memory, within the budget, or a large one in a file. The
 * body's data or fd is the caller's. False: no room, or the message can't be read. */
bool messages_store(app *a, const request *r, queue_body *out);

/* Answers what a PUT with a key says if it didn't keep anything. What was answered before is at
 * `route` and its id. */
void messages_answer_key(http_exchange *x, const queue_op *op, const char *route);

#endif
