#include "queue/queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "queue/backend.h"

#define BATCH_DEFAULT    256
#define BATCH_READS      16 /* so that a GET doesn't wait for many lists */
#define WAITING_DEFAULT  16384
#define PATIENCE_DEFAULT 10000000
#define PAUSE_FIRST      20000 /* between attempts to connect again; doubled each time … */
#define PAUSE_MOST       1000000
#define STALL_US         10000
#define LISTEN_MS        200 /* how soon the listener sees that the queue is closed */
#define LISTEN_US        ((int64_t)LISTEN_MS * 1000)

/* Operations that wait for the same kind of connection, the first first. Where they `gather`, a
 * worker leaves them to the one that runs a batch, so that the next is larger, unless they fill one
 * already or the first has waited for STALL_US: that batch is a long one, or its database far. */
typedef struct line {
    queue_op *first, **end;
    pthread_cond_t work;
    bool gathers;
    size_t count;
    unsigned running; /* workers with a batch … */
    unsigned looking; /* … and those that look now and then whether it takes long */
} line;

/* A thread with a connection of its own. */
typedef struct worker {
    queue *q;
    line *line;     /* NULL: it listens */
    queue_op **ops; /* of the batch that it runs */
    size_t most;    /* in a batch */
    void *connection;
    int64_t broken_at; /* when the connection broke; 0: it is there */
    bool ran;          /* the batch was run once, and may have been committed */
    pthread_t thread;
} worker;

struct queue {
    const queue_backend *backend;
    void *shared; /* the backend's */
    size_t batch, waiting_most;
    int64_t patience_us;
    void (*woken)(void *ctx);
    void *ctx;

    pthread_mutex_t lock;   /* of all below */
    pthread_cond_t changed; /* a worker ended, or `stop` was set */
    line writes, reads;
    size_t waiting;
    size_t running; /* workers that have a line and have not ended */
    bool closing;   /* nothing more is taken */
    bool stop;      /* what waits is failed */

    worker *workers;
    size_t worker_count, started;
};

#define BACKENDS 2

static const queue_backend *const backends[BACKENDS] = {&queue_sqlite, &queue_postgres};

/* ---- one operation's end ---- */

static void fail(queue_op *op, const char *error)
{
    queue_op_clear(op);
    op->outcome = QUEUE_FAILED;
    op->error = strdup(error); /* NULL without memory: FAILED says enough */
    op->done(op);
}

static void fail_all(queue_op *const *ops, size_t count, const char *error, bool doubtful)
{
    for (size_t i = 0; i < count; i++) {
        ops[i]->doubtful = doubtful;
        fail(ops[i], error);
    }
}

/* ---- the line ---- */

static void line_init(line *l, const pthread_condattr_t *monotonic)
{
    l->end = &l->first;
    (void)pthread_cond_init(&l->work, monotonic);
}

/* Whether a worker is to take from it now; `most` is what a batch has. */
static bool line_may_take(const line *l, size_t most)
{
    return l->first && (!l->gathers || l->running == 0 || l->count >= most ||
                        clock_us() - l->first->submitted_at >= STALL_US);
}

/* Wakes a worker that waits for it, if there is one and something to do, or to look after. */
static void line_wake(line *l, size_t most)
{
    if (line_may_take(l, most) || (l->first && l->looking == 0))
        (void)pthread_cond_signal(&l->work);
}

/* Until there is something to take, or there will be nothing more. */
static void line_wait(queue *q, line *l, size_t most)
{
    while (!line_may_take(l, most) && !(q->closing && !l->first)) {
        if (!l->gathers || l->running == 0) {
            (void)pthread_cond_wait(&l->work, &q->lock);
            continue;
        }
        int64_t at = clock_us() + STALL_US;
        const struct timespec until = {at / 1000000, at % 1000000 * 1000};
        l->looking++;
        (void)pthread_cond_timedwait(&l->work, &q->lock, &until);
        l->looking--;
    }
}

static queue_op *line_pop(queue *q, line *l)
{
    queue_op *op = l->first;
    l->first = op->next_op;
    if (!l->first)
        l->end = &l->first;
    op->next_op = NULL;
    l->count--;
    q->waiting--;
    return op;
}

/* The next batch, waited for; 0: there will be none. */
static size_t take(worker *w)
{
    queue *q = w->q;
    size_t n = 0;
    (void)pthread_mutex_lock(&q->lock);
    line_wait(q, w->line, w->most);
    while (w->line->first && n < w->most)
        w->ops[n++] = line_pop(q, w->line);
    w->line->running += n > 0;
    line_wake(w->line, w->most); /* what is left */
    (void)pthread_mutex_unlock(&q->lock);
    return n;
}

static bool stopped(queue *q)
{
    (void)pthread_mutex_lock(&q->lock);
    bool stop = q->stop;
    (void)pthread_mutex_unlock(&q->lock);
    return stop;
}

/* ---- a connection that is gone ---- */

static bool has_patience(const worker *w, const queue_op *op, int64_t now)
{
    int64_t since = op->submitted_at > w->broken_at ? op->submitted_at : w->broken_at;
    return now - since < w->q->patience_us;
}

/* What the caller is told of an operation that was, or was not, run before the connection broke. */
static void fail_impatient(const worker *w, queue_op *op, const char *error, bool ran)
{
    char text[600];
    (void)snprintf(text, sizeof text,
                   "the queue's database is away, and was tried for %.1f s%s: %s",
                   (double)w->q->patience_us / 1e6,
                   ran ? " (whether this was kept before that is not known)" : "", error);
    op->doubtful = ran;
    fail(op, text);
}

/* Fails what was tried for long enough, of the batch and of the line; what is left of the batch. */
static size_t fail_the_old(worker *w, size_t count, const char *error)
{
    queue *q = w->q;
    queue_op *old = NULL, **end = &old;
    int64_t now = clock_us();
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (has_patience(w, w->ops[i], now))
            w->ops[kept++] = w->ops[i];
        else
            fail_impatient(w, w->ops[i], error, w->ran);
    }
    (void)pthread_mutex_lock(&q->lock);
    while (w->line->first && !has_patience(w, w->line->first, now)) {
        *end = line_pop(q, w->line);
        end = &(*end)->next_op;
    }
    (void)pthread_mutex_unlock(&q->lock);
    for (queue_op *next; old; old = next) {
        next = old->next_op;
        fail_impatient(w, old, error, false);
    }
    return kept;
}

/* False: the queue was stopped meanwhile. */
static bool pause_for(queue *q, int64_t us)
{
    struct timespec until;
    int64_t at = clock_us() + us;
    int waited = 0;
    until.tv_sec = (time_t)(at / 1000000);
    until.tv_nsec = (long)(at % 1000000) * 1000;
    (void)pthread_mutex_lock(&q->lock);
    while (!q->stop && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&q->changed, &q->lock, &until);
    bool stop = q->stop;
    (void)pthread_mutex_unlock(&q->lock);
    return !stop;
}

static void disconnect(worker *w)
{
    if (w->connection)
        w->q->backend->disconnect(w->connection);
    w->connection = NULL;
}

/* One run, on a new connection if there is none. */
static queue_run_result run_once(worker *w, size_t count, char **error)
{
    queue *q = w->q;
    if (!w->connection)
        w->connection = q->backend->connect(q->shared, w->line == &q->writes, error);
    if (!w->connection)
        return QUEUE_RUN_BROKEN;
    w->ran = true;
    return q->backend->run(w->connection, w->ops, count, error);
}

#define NO_REASON "the queue failed and gave no reason"
#define CLOSED    "the queue was closed before it was done"

static void run_batch(worker *w, size_t count)
{
    queue *q = w->q;
    int64_t pause = PAUSE_FIRST;

    w->ran = false;
    while (count > 0) {
        char *error = NULL;
        if (stopped(q)) {
            fail_all(w->ops, count, CLOSED, w->ran);
            return;
        }
        bool before = w->ran;
        queue_run_result result = run_once(w, count, &error);
        const char *reason = error ? error : NO_REASON;
        if (result == QUEUE_RUN_BROKEN) {
            disconnect(w);
            if (!w->broken_at)
                w->broken_at = clock_us();
            count = fail_the_old(w, count, reason);
            if (count > 0)
                (void)pause_for(q, pause);
            pause = pause * 2 < PAUSE_MOST ? pause * 2 : PAUSE_MOST;
            free(error);
            continue;
        }
        w->broken_at = 0;
        if (result == QUEUE_RUN_FAILED)
            fail_all(w->ops, count, reason, before);
        for (size_t i = 0; result == QUEUE_RUN_DONE && i < count; i++)
            w->ops[i]->done(w->ops[i]);
        free(error);
        return;
    }
}

/* ---- threads ---- */

static void *work(void *arg)
{
    worker *w = arg;
    queue *q = w->q;
    size_t n;
    while ((n = take(w)) > 0) {
        run_batch(w, n);
        (void)pthread_mutex_lock(&q->lock);
        w->line->running--;
        (void)pthread_mutex_unlock(&q->lock);
    }
    (void)pthread_mutex_lock(&q->lock);
    q->running--;
    (void)pthread_cond_broadcast(&q->changed);
    (void)pthread_mutex_unlock(&q->lock);
    return NULL;
}

static bool is_closing(queue *q)
{
    (void)pthread_mutex_lock(&q->lock);
    bool closing = q->closing;
    (void)pthread_mutex_unlock(&q->lock);
    return closing;
}

/* A listen() that says no before its time has lost its connection: what was said meanwhile may be
 * lost too, so that a new one begins with a wake. */
static void *hear(void *arg)
{
    worker *w = arg;
    queue *q = w->q;
    while (!is_closing(q)) {
        int64_t start = clock_us();
        bool word = w->connection && q->backend->listen(w->connection, LISTEN_MS);
        if (!word && clock_us() - start < LISTEN_US / 2) {
            char *error = NULL;
            disconnect(w);
            (void)pause_for(q, LISTEN_US);
            w->connection = q->backend->connect(q->shared, false, &error);
            free(error);
            word = w->connection != NULL;
        }
        if (word)
            q->woken(q->ctx);
    }
    return NULL;
}

/* ---- opening and closing ---- */

static const queue_backend *backend_of(const char *url)
{
    for (size_t i = 0; i < BACKENDS; i++) {
        if (strncmp(url, backends[i]->scheme, strlen(backends[i]->scheme)) == 0)
            return backends[i];
    }
    return NULL;
}

static queue *queue_new(const queue_backend *backend, const queue_options *o)
{
    pthread_condattr_t monotonic;
    queue *q = calloc(1, sizeof *q);
    if (!q)
        return NULL;
    q->backend = backend;
    q->batch = o->batch ? o->batch : BATCH_DEFAULT;
    q->waiting_most = o->waiting ? o->waiting : WAITING_DEFAULT;
    q->patience_us = o->patience_us > 0 ? o->patience_us : PATIENCE_DEFAULT;
    q->woken = o->woken;
    q->ctx = o->ctx;
    (void)pthread_mutex_init(&q->lock, NULL); /* these can't fail on Linux */
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&q->changed, &monotonic);
    line_init(&q->writes, &monotonic);
    line_init(&q->reads, &monotonic);
    q->writes.gathers = true;
    (void)pthread_condattr_destroy(&monotonic);
    return q;
}

static void queue_free(queue *q)
{
    for (size_t i = 0; i < q->worker_count; i++) {
        disconnect(&q->workers[i]);
        free(q->workers[i].ops);
    }
    free(q->workers);
    if (q->shared)
        q->backend->close(q->shared);
    (void)pthread_cond_destroy(&q->changed);
    (void)pthread_cond_destroy(&q->writes.work);
    (void)pthread_cond_destroy(&q->reads.work);
    (void)pthread_mutex_destroy(&q->lock);
    free(q);
}

/* The next worker, with its connection. */
static bool add_worker(queue *q, line *l, size_t most, char **error)
{
    worker *w = &q->workers[q->worker_count++];
    w->q = q;
    w->line = l;
    w->most = most;
    w->ops = calloc(most, sizeof(queue_op *));
    if (w->ops)
        w->connection = q->backend->connect(q->shared, l == &q->writes, error);
    return w->connection != NULL;
}

static bool add_workers(queue *q, const queue_options *o, char **error)
{
    const queue_backend *b = q->backend;
    unsigned writers = b->one_writer ? 1 : o->writers ? o->writers : b->writers;
    bool listens = b->listen && q->woken;
    bool ok = true;

    q->workers = calloc((size_t)writers + b->readers + 1, sizeof *q->workers);
    if (!q->workers)
        return false;
    for (unsigned i = 0; ok && i < writers; i++)
        ok = add_worker(q, &q->writes, q->batch, error);
    for (unsigned i = 0; ok && i < b->readers; i++)
        ok = add_worker(q, &q->reads, BATCH_READS, error);
    return ok && (!listens || add_worker(q, NULL, 1, error));
}

static bool start_threads(queue *q)
{
    for (; q->started < q->worker_count; q->started++) {
        worker *w = &q->workers[q->started];
        if (pthread_create(&w->thread, NULL, w->line ? work : hear, w) != 0)
            return false;
        (void)pthread_mutex_lock(&q->lock);
        q->running += w->line != NULL;
        (void)pthread_mutex_unlock(&q->lock);
    }
    return true;
}

queue *queue_open(const queue_options *options, char **error)
{
    const queue_backend *backend = backend_of(options->url);
    *error = NULL;
    if (!backend) {
        *error = strdup("the queue's URL must begin with sqlite: or postgresql:");
        return NULL;
    }
    queue *q = queue_new(backend, options);
    if (q && backend->open(options, &q->shared, error) && add_workers(q, options, error) &&
        start_threads(q))
        return q;
    if (!*error)
        *error = strdup("there is not enough memory for the queue");
    if (q)
        queue_close(q, 0);
    return NULL;
}

void queue_close(queue *q, int64_t grace_us)
{
    struct timespec until;
    int64_t at = clock_us() + grace_us;
    int waited = 0;
    until.tv_sec = (time_t)(at / 1000000);
    until.tv_nsec = (long)(at % 1000000) * 1000;

    (void)pthread_mutex_lock(&q->lock);
    q->closing = true;
    (void)pthread_cond_broadcast(&q->writes.work);
    (void)pthread_cond_broadcast(&q->reads.work);
    while (q->running > 0 && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&q->changed, &q->lock, &until);
    q->stop = true;
    (void)pthread_cond_broadcast(&q->changed);
    (void)pthread_mutex_unlock(&q->lock);
    for (size_t i = 0; i < q->started; i++)
        (void)pthread_join(q->workers[i].thread, NULL);
    queue_free(q);
}

const char *queue_backend_name(const queue *q)
{
    return q->backend->name;
}

/* ---- submitting ---- */

static bool ends_something(queue_kind kind)
{
    return kind == QUEUE_SETTLE || kind == QUEUE_EVENT_SETTLE || kind == QUEUE_KEY_END;
}

/* Under the lock. */
static bool line_up(queue *q, line *l, queue_op *op, int64_t now)
{
    if (q->closing || (q->waiting >= q->waiting_most && !ends_something(op->kind)))
        return false;
    op->next_op = NULL;
    op->submitted_at = now;
    *l->end = op;
    l->end = &op->next_op;
    l->count++;
    q->waiting++;
    return true;
}

/* Wakes one worker for all of them, which goes for the next if it can't take them all. */
queue_op *queue_submit_all(queue *q, queue_op *first)
{
    int64_t now = clock_us();
    queue_op *refused = NULL, **end = &refused;
    (void)pthread_mutex_lock(&q->lock);
    for (queue_op *op = first, *next; op; op = next) {
        bool reads = queue_kind_reads(op->kind) && q->backend->readers > 0;
        next = op->next_op;
        if (line_up(q, reads ? &q->reads : &q->writes, op, now))
            continue;
        *end = op;
        end = &op->next_op;
    }
    line_wake(&q->writes, q->batch);
    line_wake(&q->reads, BATCH_READS);
    (void)pthread_mutex_unlock(&q->lock);
    *end = NULL;
    return refused;
}

bool queue_submit(queue *q, queue_op *op)
{
    op->next_op = NULL;
    return !queue_submit_all(q, op);
}

typedef struct run_wait {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool is_done;
} run_wait;

static void run_done(queue_op *op)
{
    run_wait *w = op->ctx;
    (void)pthread_mutex_lock(&w->lock);
    w->is_done = true;
    (void)pthread_cond_signal(&w->done);
    (void)pthread_mutex_unlock(&w->lock);
}

queue_outcome queue_run(queue *q, queue_op *op)
{
    run_wait w = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};
    op->done = run_done;
    op->ctx = &w;
    if (queue_submit(q, op)) {
        (void)pthread_mutex_lock(&w.lock);
        while (!w.is_done)
            (void)pthread_cond_wait(&w.done, &w.lock);
        (void)pthread_mutex_unlock(&w.lock);
    } else {
        queue_op_clear(op);
        op->outcome = QUEUE_FAILED;
        op->error = strdup("too many operations wait, or the queue is closing");
    }
    op->ctx = NULL;
    return op->outcome;
}
