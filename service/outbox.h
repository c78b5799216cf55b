/*
 * outbox - the service's half of the queue: the queue itself, what delivers from it (deliver.h),
 * what tells of it (events.h), and a thread for what must not hold up an HTTP thread.
 *
 * Made where a queue is configured, and only there: without it nothing of this exists. Its
 * callbacks write log lines ("attempt", "event", "queue") and count metrics.
 *
 * Threads: all functions from any thread, once made; stopping and freeing from one. Errors:
 * outbox_create() gives a sentence.
 */
#ifndef POSTERN_SERVICE_OUTBOX_H
#define POSTERN_SERVICE_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "queue/deliver.h"
#include "queue/queue.h"
#include "service/app.h"
#include "service/http.h"

/* Opens the queue of a->config and starts; a->sender and all before it in `app` must be there. The
 * app, all but its http, must outlive it. NULL, and *error a sentence that the caller frees (NULL:
 * no memory). */
outbox *outbox_create(app *a, char **error);

/* Begins nothing more, and waits up to limit_us for what is being sent. The sender must run. */
void outbox_stop(outbox *o, int64_t limit_us);

/* After outbox_stop() and the sender's end: settles what that has ended, runs or fails what the
 * queue was given, and closes it.
 * Requests that wait for it are answered. */
void outbox_close(outbox *o);
void outbox_free(outbox *o); /* NULL is nothing */

/* What a request is told where outbox_submit() says no. */
#define OUTBOX_FULL "More waits for the queue than it takes."

/* Submits; false: the queue is full or closing. */
bool outbox_submit(outbox *o, queue_op *op);

/* To be called in each `done`: keeps in mind whether the queue works. */
void outbox_ended(outbox *o, const queue_op *op);

const char *outbox_backend(const outbox *o); /* "sqlite" */
deliver *outbox_deliver(const outbox *o);
const char *outbox_owner(const outbox *o);

/* Work for the outbox's own thread, in order; a member of whatever it is for. */
typedef struct outbox_task {
    struct outbox_task *next;
    void (*run)(void *ctx);
    void *ctx;
} outbox_task;

bool outbox_do(outbox *o, outbox_task *task); /* false: it is stopping */

/* An unlinked file for a large body; -1: no folder can be written. */
int outbox_file(const outbox *o);

/* Answers with what the queue has failed at: the sentence, and whether it was done all the same.
 * `op` NULL: it was not taken. */
void outbox_problem(http_exchange *x, const queue_op *op);

/* True unless the queue failed lately, or doesn't answer. Asks it, now and then. */
bool outbox_ready(outbox *o);

/* The queue's part of the metrics; what is in it is asked for beside, at most every 10 s, and shown
 * the next time. */
void outbox_write_metrics(outbox *o, buf *out);

#endif
