/*
 * The queue on PostgreSQL, or what speaks like it.
 *
 * A batch is one transaction in libpq's pipeline: BEGIN, the operations' statements, and COMMIT go
 * out together, and the results are read after; so it costs one round trip. What most operations
 * are (PUT, SETTLE of what is done, SUPPRESSED) shares statements of many rows. Operations
 * whose second half depends on the first's result (PUT with a key or with addresses) make it two.
 * What only reads on comes after the COMMIT: large bodies of claimed messages, lists, why a SETTLE
 * found nothing.
 *
 * Durability: synchronous_commit is set to `on` where the session has it `off`; `local`,
 * `remote_write` and `remote_apply` are the operator's choice and stay. A run that finds its work
 * done by a former one, whose COMMIT was not answered, writes a row all the same: so its own COMMIT
 * waits for the standby, and with it for what came before.
 *
 * Other servers (the SQL is what all of them speak):
 *
 *                    LISTEN/NOTIFY          order of a CLAIM among priorities
 *   PostgreSQL 12+   yes                    exact
 *   YugabyteDB       no: ignored, polling   exact
 *   CockroachDB      no: refused, polling   nearly: branches of a UNION may run side by side
 *
 * Behind a pooler, sessions must be kept (session pooling): statements are prepared.
 *
 * See postgres_run.h for its parts. Here: a batch, connections, and waiting for others.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "queue/backend.h"
#include "queue/postgres_run.h"
#include "queue/postgres_schema.h"

#define TRIES 20 /* of a transaction that others were in the way of */

/* ---- a batch ---- */

static const pg_kind *const kinds[QUEUE_KINDS] = {
    [QUEUE_PUT] = &pg_kind_put,
    [QUEUE_CLAIM] = &pg_kind_claim,
    [QUEUE_SETTLE] = &pg_kind_settle,
    [QUEUE_GET] = &pg_kind_get,
    [QUEUE_LIST] = &pg_kind_list,
    [QUEUE_COUNT] = &pg_kind_count,
    [QUEUE_CANCEL] = &pg_kind_cancel,
    [QUEUE_CANCEL_TAGGED] = &pg_kind_cancel_tagged,
    [QUEUE_RESCHEDULE] = &pg_kind_reschedule,
    [QUEUE_KEY_BEGIN] = &pg_kind_key_begin,
    [QUEUE_KEY_END] = &pg_kind_key_end,
    [QUEUE_SUPPRESS] = &pg_kind_suppress,
    [QUEUE_UNSUPPRESS] = &pg_kind_unsuppress,
    [QUEUE_SUPPRESSED] = &pg_kind_suppressed,
    [QUEUE_SUPPRESSIONS] = &pg_kind_suppressions,
    [QUEUE_EVENT_CLAIM] = &pg_kind_event_claim,
    [QUEUE_EVENT_SETTLE] = &pg_kind_event_settle,
    [QUEUE_STATS] = &pg_kind_stats,
    [QUEUE_CLEAN] = &pg_kind_clean,
};

static void send_end(pg_batch *b, pg_step *frame)
{
    if (b->writes)
        pg_step_send(b->p, frame, PG_COMMIT, NULL);
    /* In a transaction of its own, as one that commits with a NOTIFY keeps all others from it. */
    if (b->notify && b->p->shared->notifies)
        pg_step_send(b->p, frame, PG_NOTIFY, NULL);
    pg_pipeline_sync(b->p);
}

static void begin_step(pg_batch *b, pg_step *s)
{
    const pg_kind *kind = kinds[s->op->kind];
    if (kind->send)
        kind->send(b, s);
    else
        s->later = true;
}

static void read_step(pg_batch *b, pg_step *s)
{
    const pg_kind *kind = kinds[s->op->kind];
    if (kind->read)
        kind->read(b, s);
    else
        pg_step_skip(b->p, s);
}

/* The pipeline's part. */
static void transact(pg_batch *b)
{
    pg *p = b->p;
    pg_step frame = {0};
    bool second = false;

    b->frame = &frame;
    if (b->writes)
        pg_step_send(p, &frame, PG_BEGIN, NULL);
    for (size_t i = 0; i < b->count; i++) {
        pg_step *s = &b->steps[i];
        if (!s->over)
            begin_step(b, s);
        second |= s->second;
    }
    pg_settle_all(b);
    if (second) {
        pg_pipeline_flush(p);
    } else {
        pg_put_all(b);
        send_end(b, &frame);
    }
    if (b->writes)
        PQclear(pg_step_next(p, &frame));
    for (size_t i = 0; i < b->count && p->trouble == PG_FINE; i++) {
        if (!b->steps[i].over)
            read_step(b, &b->steps[i]);
    }
    pg_read_settled(b);
    if (second) {
        for (size_t i = 0; i < b->count; i++) {
            if (b->steps[i].second)
                kinds[b->steps[i].op->kind]->send_second(b, &b->steps[i]);
        }
        pg_put_all(b);
        send_end(b, &frame);
        for (size_t i = 0; i < b->count && p->trouble == PG_FINE; i++)
            pg_step_skip(p, &b->steps[i]);
    }
    pg_step_skip(p, &frame);
}

/* Comes last, and fails nothing: what was claimed is leased by then, and nobody else would have it
 * before that ends. */
static void ask_what_is_next(pg_batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        if (b->steps[i].asks_next)
            b->steps[i].op->next_due = pg_next_due(b->p);
    }
}

static bool run_once(pg *p, queue_op *const *ops, size_t count)
{
    pg_batch b = {.p = p, .count = count};
    b.steps = pg_new_items(p, count, sizeof *b.steps);
    for (size_t i = 0; b.steps && i < count; i++) {
        queue_op_clear(ops[i]);
        b.steps[i].op = ops[i];
        b.writes |= !queue_kind_reads(ops[i]->kind);
        pg_step_prepare(p, &b.steps[i]);
    }
    if (b.steps && p->trouble == PG_FINE) {
        pg_pipeline_begin(p);
        transact(&b);
        if (pg_pipeline_end(p) && b.writes && p->warned)
            pg_fail(p, PG_BROKEN, "the database did not wait for its standby");
    }
    for (size_t i = 0; b.steps && i < count && p->trouble == PG_FINE; i++) {
        if (b.steps[i].later && !b.steps[i].over)
            kinds[ops[i]->kind]->later(&b, &b.steps[i]);
    }
    bool ok = b.steps && p->trouble == PG_FINE;
    if (ok)
        ask_what_is_next(&b);
    free(b.steps);
    return ok;
}

static void pause_before_try(int i)
{
    int64_t ms = 1 + clock_us() % (2 << (i < 6 ? i : 6));
    struct timespec t = {.tv_nsec = (long)ms * 1000000};
    (void)nanosleep(&t, NULL);
}

static queue_run_result run_tries(pg *p, queue_op *const *ops, size_t count, char **error)
{
    for (int i = 0; i < TRIES; i++) {
        bool ok = run_once(p, ops, count);
        pg_trouble trouble = p->trouble;
        if (ok)
            return QUEUE_RUN_DONE;
        free(*error);
        *error = pg_take_error(p);
        if (trouble == PG_BROKEN || !pg_recover(p))
            return QUEUE_RUN_BROKEN;
        if (trouble != PG_AGAIN)
            return QUEUE_RUN_FAILED;
        pause_before_try(i);
    }
    return QUEUE_RUN_BROKEN; /* the queue's patience is longer */
}

/* One operation has values that the server can't take: each has its own transaction then. */
static queue_run_result run_each(pg *p, queue_op *const *ops, size_t count, char **error)
{
    for (size_t i = 0; i < count; i++) {
        queue_run_result result = run_tries(p, &ops[i], 1, error);
        if (result == QUEUE_RUN_BROKEN)
            return result;
        if (result == QUEUE_RUN_FAILED) {
            queue_op_clear(ops[i]);
            ops[i]->outcome = QUEUE_FAILED;
            ops[i]->error = *error;
            *error = NULL;
        }
    }
    free(*error);
    *error = NULL;
    return QUEUE_RUN_DONE;
}

static queue_run_result run(void *connection, queue_op *const *ops, size_t count, char **error)
{
    pg *p = connection;
    char *why = NULL;
    if (!pg_recover(p)) {
        *error = strdup("the connection to the queue's database is gone");
        return QUEUE_RUN_BROKEN;
    }
    queue_run_result result = run_tries(p, ops, count, &why);
    if (result == QUEUE_RUN_FAILED && count > 1)
        result = run_each(p, ops, count, &why);
    if (result == QUEUE_RUN_DONE)
        free(why);
    else
        *error = why;
    return result;
}

/* ---- connections ---- */

static void *connect_(void *shared, bool writes, char **error)
{
    pg *p = pg_open(shared, writes, error);
    if (p && !pg_prepare_all(p)) {
        *error = pg_take_error(p);
        pg_close(p);
        return NULL;
    }
    return p;
}

static void disconnect(void *connection)
{
    pg_close(connection);
}

static void close_(void *shared)
{
    pg_shared_free(shared);
    free(shared);
}

static bool open_(const queue_options *options, void **shared, char **error)
{
    pg_shared *s = calloc(1, sizeof *s);
    if (!s)
        return false;
    s->files = pg_body_folder(options->files);
    pg *p = s->files && pg_shared_init(s, options->url, error) ? pg_open(s, true, error) : NULL;
    bool ok = p && pg_schema_migrate(p);
    if (ok) {
        s->notifies = pg_command(p, "LISTEN postern_queue");
        if (!s->notifies)
            (void)pg_recover(p);
    } else if (p) {
        *error = pg_take_error(p);
    }
    if (p)
        pg_close(p);
    if (ok)
        *shared = s;
    else
        close_(s);
    return ok;
}

/* ---- waiting for another process ---- */

static bool heard(pg *p)
{
    bool word = false;
    for (PGnotify *n; (n = PQnotifies(p->conn)); PQfreemem(n))
        word = true;
    return word;
}

/* A no before its time says that the connection is lost. */
static bool listen_(void *connection, int ms)
{
    pg *p = connection;
    int64_t until = clock_us() + (int64_t)ms * 1000, left;

    if (!p->shared->notifies) {
        (void)poll(NULL, 0, ms);
        return false;
    }
    if (!p->listens && !pg_command(p, "LISTEN postern_queue"))
        return false;
    p->listens = true;
    if (heard(p))
        return true;
    while ((left = until - clock_us()) > 0) {
        struct pollfd fd = {.fd = PQsocket(p->conn), .events = POLLIN};
        int ready = poll(&fd, 1, (int)(left / 1000) + 1);
        if (ready > 0 && (!PQconsumeInput(p->conn) || PQstatus(p->conn) == CONNECTION_BAD))
            return false;
        if (ready > 0 && heard(p))
            return true;
    }
    return false;
}

const queue_backend queue_postgres = {
    .name = "postgresql",
    .scheme = "postgresql:",
    .writers =
        3, /* one makes batches larger, and each message cheaper; others wait for a long one */
    .readers = 2,
    .one_writer = false,
    .open = open_,
    .close = close_,
    .connect = connect_,
    .disconnect = disconnect,
    .run = run,
    .listen = listen_,
};
