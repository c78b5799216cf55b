/*
 * backend - what SQLite and PostgreSQL are to the queue: a connection that runs a batch of
 * operations in one transaction. It need not know of threads: each connection is used by one at a
 * time. Included by queue.c and the backends alone.
 *
 * run() sets `outcome` and outputs of every operation. QUEUE_RUN_FAILED: nothing was committed, and
 * trying again is no use now (disk full, read-only, corrupt): the queue fails all of the batch with
 * `error`. QUEUE_RUN_BROKEN: the connection is gone, and whether the batch was committed is not
 * known: the queue connects anew and runs the same batch again, up to its patience. A backend
 * resets outputs of a former run itself (queue_op_clear()).
 */
#ifndef POSTERN_QUEUE_BACKEND_H
#define POSTERN_QUEUE_BACKEND_H

#include "queue/queue.h"

#define QUEUE_CLEAN_KEYS 20000 /* in one CLEAN, so that it is soon over; the next one goes on */
#define QUEUE_CLEAN_ROWS 10000 /* of a day: where more are done, they go as a whole */

typedef enum queue_run_result {
    QUEUE_RUN_DONE,
    QUEUE_RUN_FAILED,
    QUEUE_RUN_BROKEN
} queue_run_result;

typedef struct queue_backend {
    const char *name;
    const char *scheme;        /* "sqlite:" */
    unsigned writers, readers; /* connections of each kind: the most, or the default */
    bool one_writer;
    /* Before any connection: makes what is not there, brings the schema up to date. *shared is what
     * connections share (a lock on the folder, parameters). */
    bool (*open)(const queue_options *options, void **shared, char **error);
    void (*close)(void *shared);
    void *(*connect)(void *shared, bool writes, char **error);
    void (*disconnect)(void *connection);
    queue_run_result (*run)(void *connection, queue_op *const *ops, size_t count, char **error);
    /* Waits up to ms for another process's word on a connection of its own; true: it came. NULL:
     * there is no such thing. */
    bool (*listen)(void *connection, int ms);
} queue_backend;

extern const queue_backend queue_sqlite;
extern const queue_backend queue_postgres;

/* True for operations that a reading connection may run. */
bool queue_kind_reads(queue_kind kind);

/* A time's day as YYYYMMDD (UTC). */
int queue_day_at(int64_t us);

/* The day of an id's time; 0: it is no id. */
int queue_day_of(const char *id);

/* What sorts before all ids of a day, and behind those of the days before; the day behind it. */
#define QUEUE_FIRST_ID 11
void queue_first_id(int day, char out[QUEUE_FIRST_ID]);
int queue_next_day(int day);

#endif
