/*
 * worker - threads for work that takes longer than a thread of HTTP may be held up: started with
 * the first of it, and not before.
 *
 * Memory: a task is a member of whatever it is for, and borrowed until it runs. Threads: any;
 * worker_stop() and worker_free() from the one that created, once.
 */
#ifndef POSTERN_SERVICE_WORKER_H
#define POSTERN_SERVICE_WORKER_H

#include <stdbool.h>

typedef struct worker worker;

typedef struct worker_task {
    struct worker_task *next;
    void (*run)(void *ctx);
    void *ctx;
} worker_task;

worker *worker_create(unsigned most); /* threads at most; NULL: no memory */

/* False: it is stopping, or no thread can be had. */
bool worker_do(worker *w, worker_task *task);

/* Takes nothing more, does what it was given, and joins. */
void worker_stop(worker *w);
void worker_free(worker *w); /* stops first; NULL is nothing */

#endif
