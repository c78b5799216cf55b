#include "service/outbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/civil.h"
#include "base/clock.h"
#include "queue/events.h"
#include "service/job.h"
#include "service/when.h"

#define SECOND_US        INT64_C(1000000)
#define CLEAN_FIRST_US   (60 * SECOND_US)
#define CLEAN_US         (3600 * SECOND_US)
#define STATS_US         (10 * SECOND_US)
#define PROBE_US         (2 * SECOND_US)  /* between questions whether the queue is there, … */
#define LATE_US          (5 * SECOND_US)  /* … how long it may take to answer … */
#define FAILED_US        (10 * SECOND_US) /* … and how long a failure counts */
#define EVENT_TIMEOUT_US (20 * SECOND_US)
#define EVENTS_AT_ONCE   32
#define EVENTS_GRACE_US  (5 * SECOND_US)
#define SETTLE_GRACE_US  (5 * SECOND_US)
#define CLOSE_GRACE_US   (5 * SECOND_US)
#define LOG_AGAIN_US     (10 * SECOND_US) /* between two lines about a queue that fails */
#define MEMORY_SHARE     4 /* of POSTERN_MAX_MEMORY, for bodies that are being sent: a quarter */

/* A question that is asked now and then. By clock_us(), 0: never. */
typedef struct question {
    queue_op op;
    _Atomic int64_t asking_since; /* an answer is waited for */
    _Atomic int64_t asked_at;     /* the last time */
} question;

struct outbox {
    app *app;
    queue *queue;
    _Atomic(deliver *) deliver; /* NULL until it is there */
    _Atomic(events *) events;
    store *files; /* the folder of POSTERN_DATA; NULL: none */
    char owner[QUEUE_OWNER + 1];

    queue_op clean;
    atomic_bool cleaning;
    question stats, probe;
    /* By clock_us(); 0: never. When the queue failed; when a line told of that. */
    _Atomic int64_t failed_at, logged_at;
    atomic_uint unlogged; /* failures since that line */
    pthread_mutex_t lock; /* of the rest */
    pthread_cond_t work;
    metrics_queue last; /* what the queue said of itself */
    bool known;
    outbox_task *first, **end;
    bool stopping, started;
    pthread_t thread;
};

/* ---- the queue ---- */

bool outbox_submit(outbox *o, queue_op *op)
{
    return queue_submit(o->queue, op);
}

void outbox_ended(outbox *o, const queue_op *op)
{
    if (op->outcome != QUEUE_FAILED)
        return;
    const char *why = op->error ? op->error : "the queue failed and gave no reason";
    int64_t now = clock_us(), last = atomic_load(&o->logged_at);

    atomic_store(&o->failed_at, now);
    /* A database that is away fails all that is asked of it: one line tells of many. */
    if ((last != 0 && now - last < LOG_AGAIN_US) ||
        !atomic_compare_exchange_strong(&o->logged_at, &last, now)) {
        atomic_fetch_add(&o->unlogged, 1);
        return;
    }
    unsigned more = atomic_exchange(&o->unlogged, 0);
    if (more > 0)
        log_message(o->app->log, LOG_ERROR, "queue",
                    "%s (and %u failures more since the last line)", why, more);
    else
        log_message(o->app->log, LOG_ERROR, "queue", "%s", why);
}

const char *outbox_backend(const outbox *o)
{
    return queue_backend_name(o->queue);
}

deliver *outbox_deliver(const outbox *o)
{
    return atomic_load(&o->deliver);
}

const char *outbox_owner(const outbox *o)
{
    return o->owner;
}

int outbox_file(const outbox *o)
{
    int fd = store_file(o->app->store);
    return fd < 0 && o->files ? store_file(o->files) : fd;
}

void outbox_problem(http_exchange *x, const queue_op *op)
{
    buf content = BUF_INIT;
    jsonw w;
    bool doubtful = op && op->doubtful;

    if (!op) {
        http_problem(x, PROBLEM_BUSY, OUTBOX_FULL, NULL);
        return;
    }
    jsonw_init(&w, &content);
    problem_begin(&w, PROBLEM_QUEUE, op->error ? op->error : "The queue failed.");
    jsonw_key(&w, "retryable");
    jsonw_bool(&w, true);
    jsonw_key(&w, "outcome");
    jsonw_str(&w, doubtful ? "unknown" : "not_sent");
    jsonw_key(&w, "id");
    jsonw_str(&w, http_exchange_id(x));
    jsonw_object_end(&w);
    buf_addc(&content, '\n');
    http_answer(x, problem_status(PROBLEM_QUEUE), "application/problem+json",
                problem_retry_after(PROBLEM_QUEUE), &content);
}

/* ---- what the queue and its parts tell ---- */

/* Another process put something in. */
static void woken(void *ctx)
{
    outbox *o = ctx;
    deliver *d = atomic_load(&o->deliver);
    events *e = atomic_load(&o->events);
    if (d)
        deliver_wake(d);
    if (e)
        events_wake(e);
}

static void event_kept(void *ctx)
{
    outbox *o = ctx;
    events *e = atomic_load(&o->events);
    if (e)
        events_wake(e);
}

static const smtp_relay *find_relay(void *ctx, const char *name)
{
    const outbox *o = ctx;
    return config_relay(o->app->config, name);
}

static bool new_id(void *ctx, char out[QUEUE_ID + 1])
{
    const outbox *o = ctx;
    return ids_new(o->app->ids, out);
}

static void log_time_at(log_line *line, const char *key, int64_t us)
{
    char text[CIVIL_TIME + 1];
    civil_time(us, text);
    log_str(line, key, text);
}

static void log_attempt(const outbox *o, const deliver_attempt *t)
{
    const smtp_result *r = t->result;
    bool sent = r && (r->outcome == SMTP_SENT || r->outcome == SMTP_PARTIAL);
    log_line line;
    log_begin(&line, o->app->log, sent ? LOG_INFO : LOG_WARNING, "attempt");
    log_str(&line, "id", t->id);
    log_str(&line, "relay", smtp_relay_name(t->relay));
    log_int(&line, "number", t->number);
    log_str(&line, "outcome", job_outcome_name(r));
    if (r && !sent) {
        log_str(&line, "category", smtp_category_name(r->fault.category));
        if (r->fault.cause != SMTP_CAUSE_NONE)
            log_str(&line, "cause", smtp_cause_name(r->fault.cause));
        log_str(&line, "stage", smtp_stage_name(r->fault.stage));
    }
    log_int(&line, "code", r ? r->reply.code : 0);
    if (r && r->reply.enhanced[0])
        log_str(&line, "enhanced", r->reply.enhanced);
    log_address(&line, "from", t->reverse_path);
    if (t->recipient_count == 1)
        log_address(&line, "to", t->recipients[0]);
    log_int(&line, "recipients", (int64_t)t->recipient_count);
    log_int(&line, "accepted", (int64_t)job_accepted(r));
    log_int(&line, "size", (int64_t)t->size);
    log_str(&line, "status", queue_state_name(t->state));
    if (t->state == QUEUE_QUEUED)
        log_time_at(&line, "next_at", t->next_at);
    if (r)
        log_ms(&line, "ms", r->timing.total);
    log_end(&line);
}

static metrics_attempt_result attempt_result(const deliver_attempt *t)
{
    if (!t->result)
        return METRICS_ATTEMPT_DEFERRED;
    switch (t->result->outcome) {
    case SMTP_SENT: return METRICS_ATTEMPT_SENT;
    case SMTP_PARTIAL: return METRICS_ATTEMPT_PARTIAL;
    case SMTP_UNKNOWN: return METRICS_ATTEMPT_UNKNOWN;
    case SMTP_NOT_SENT: break;
    }
    return t->state == QUEUE_QUEUED ? METRICS_ATTEMPT_DEFERRED : METRICS_ATTEMPT_FAILED;
}

static void attempted(void *ctx, const deliver_attempt *t)
{
    const outbox *o = ctx;
    size_t relay = job_relay_index(o->app, t->relay);
    log_attempt(o, t);
    metrics_transaction(o->app->metrics, relay, t->result, t->size);
    metrics_attempt(o->app->metrics, relay, attempt_result(t));
}

static void before_wait(void *ctx)
{
    const outbox *o = ctx;
    log_flush(o->app->log);
}

static void told(void *ctx, const events_told *t)
{
    const outbox *o = ctx;
    log_line line;
    log_begin(&line, o->app->log, t->result == EVENTS_DELIVERED ? LOG_INFO : LOG_WARNING, "event");
    log_str(&line, "id", t->id);
    log_str(&line, "result", events_result_name(t->result));
    log_int(&line, "attempt", t->attempt);
    log_int(&line, "status", t->status);
    log_str(&line, "why", t->why);
    if (t->result == EVENTS_DEFERRED)
        log_time_at(&line, "next_at", t->next_at);
    log_end(&line);
    log_flush(o->app->log);
    metrics_event(o->app->metrics, (unsigned)t->result);
}

/* ---- the thread ---- */

static void cleaned(queue_op *op)
{
    outbox *o = op->ctx;
    outbox_ended(o, op);
    queue_op_clear(op);
    atomic_store(&o->cleaning, false);
}

static void clean(outbox *o)
{
    if (atomic_exchange(&o->cleaning, true))
        return;
    int64_t before = clock_wall_us() - o->app->config->keep_us;
    o->clean = (queue_op){.kind = QUEUE_CLEAN,
                          .done = cleaned,
                          .ctx = o,
                          .in.clean = {.before = before, .since = before}};
    if (!outbox_submit(o, &o->clean))
        atomic_store(&o->cleaning, false);
}

bool outbox_do(outbox *o, outbox_task *task)
{
    task->next = NULL;
    (void)pthread_mutex_lock(&o->lock);
    bool ok = !o->stopping;
    if (ok) {
        *o->end = task;
        o->end = &task->next;
        (void)pthread_cond_signal(&o->work);
    }
    (void)pthread_mutex_unlock(&o->lock);
    return ok;
}

/* The next task; NULL: it is time to clean, or to end. */
static outbox_task *next_task(outbox *o, int64_t until, bool *stop)
{
    const struct timespec at = {until / SECOND_US, until % SECOND_US * 1000};
    int waited = 0;

    (void)pthread_mutex_lock(&o->lock);
    while (!o->first && !o->stopping && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&o->work, &o->lock, &at);
    outbox_task *task = o->first;
    if (task)
        o->first = task->next;
    if (!o->first)
        o->end = &o->first;
    *stop = !task && o->stopping;
    (void)pthread_mutex_unlock(&o->lock);
    return task;
}

static void *run(void *arg)
{
    outbox *o = arg;
    int64_t clean_at = clock_us() + CLEAN_FIRST_US;
    bool stop = false;

    while (!stop) {
        outbox_task *task = next_task(o, clean_at, &stop);
        if (task)
            task->run(task->ctx);
        if (!stop && clock_us() >= clean_at) {
            clean(o);
            clean_at = clock_us() + CLEAN_US;
        }
    }
    return NULL;
}

/* ---- how it is ---- */

/* One at a time of each; true: it is to be asked now. */
static bool may_ask(question *q, int64_t fresh_us)
{
    int64_t at = atomic_load(&q->asked_at), now = clock_us(), nobody = 0;
    if ((at != 0 && now - at < fresh_us) ||
        !atomic_compare_exchange_strong(&q->asking_since, &nobody, now))
        return false;
    atomic_store(&q->asked_at, now);
    return true;
}

static void ask(outbox *o, question *q, queue_op op)
{
    q->op = op;
    q->op.ctx = o;
    if (!outbox_submit(o, &q->op))
        atomic_store(&q->asking_since, 0);
}

static void asked(question *q)
{
    queue_op_clear(&q->op);
    atomic_store(&q->asking_since, 0);
}

static void counted(queue_op *op)
{
    outbox *o = op->ctx;
    outbox_ended(o, op);
    if (op->outcome == QUEUE_OK) {
        int64_t late = op->stats.oldest_due ? clock_wall_us() - op->stats.oldest_due : 0;
        (void)pthread_mutex_lock(&o->lock);
        o->last = (metrics_queue){
            .due = op->stats.queued - op->stats.scheduled,
            .scheduled = op->stats.scheduled,
            .sending = op->stats.sending,
            .events = op->stats.events,
            .oldest_us = late > 0 ? late : 0,
        };
        o->known = true;
        (void)pthread_mutex_unlock(&o->lock);
    }
    asked(&o->stats);
}

static void probed(queue_op *op)
{
    outbox *o = op->ctx;
    outbox_ended(o, op);
    asked(&o->probe);
}

/* Whether it answers is asked by what costs nothing: a message that there is not. */
bool outbox_ready(outbox *o)
{
    int64_t failed = atomic_load(&o->failed_at), since = atomic_load(&o->probe.asking_since);
    int64_t now = clock_us();
    bool late = since != 0 && now - since > LATE_US;

    if (may_ask(&o->probe, PROBE_US))
        ask(o, &o->probe,
            (queue_op){.kind = QUEUE_GET, .id = "00000000000000000000000000", .done = probed});
    return !late && (failed == 0 || now - failed > FAILED_US);
}

void outbox_write_metrics(outbox *o, buf *out)
{
    metrics_queue last;
    bool known;

    if (may_ask(&o->stats, STATS_US))
        ask(o, &o->stats, (queue_op){.kind = QUEUE_STATS, .done = counted});
    (void)pthread_mutex_lock(&o->lock);
    last = o->last;
    known = o->known;
    (void)pthread_mutex_unlock(&o->lock);
    metrics_write_queue(o->app->metrics, known ? &last : NULL, out);
}

/* ---- start and stop ---- */

static bool make_owner(outbox *o)
{
    char host[64] = "";
    char id[IDS_LENGTH + 1];

    if (!ids_new(o->app->ids, id))
        return false;
    (void)gethostname(host, sizeof host - 1); /* without a name, the rest is unlike enough */
    /* Of the id, what is random. */
    (void)snprintf(o->owner, sizeof o->owner, "%.16s:%d:%s", host, (int)getpid(),
                   id + IDS_LENGTH - 10);
    return true;
}

static bool open_queue(outbox *o, char **error)
{
    const char *files = store_folder(o->app->store);
    const queue_options options = {
        .url = o->app->config->queue_url, .files = files ? files : "", .woken = woken, .ctx = o};
    o->queue = queue_open(&options, error);
    return o->queue != NULL;
}

static bool start_deliver(outbox *o, char **error)
{
    const config *c = o->app->config;
    const deliver_options options = {
        .queue = o->queue,
        .sender = o->app->sender,
        .relay = find_relay,
        .new_id = new_id,
        .attempted = attempted,
        .event_kept = event_kept,
        .before_wait = before_wait,
        .ctx = o,
        .owner = o->owner,
        .timeout_us = c->timeout_us,
        .relays = (unsigned)c->relay_count,
        .first_us = c->retry_first_us,
        .most_us = c->retry_most_us,
        .resend_unknown = c->resend_unknown,
        .events = c->events_url != NULL,
        .suppress = c->suppression,
        .most = c->max_inflight,
        .most_bytes = c->max_memory / MEMORY_SHARE,
    };
    atomic_store(&o->deliver, deliver_create(&options, error));
    return atomic_load(&o->deliver) != NULL;
}

static bool start_events(outbox *o, char **error)
{
    const config *c = o->app->config;
    const events_options options = {
        .queue = o->queue,
        .url = c->events_url,
        .secrets = (const char *const *)c->events_secrets,
        .allow_private = c->events_private,
        .ca = c->events_ca,
        .owner = o->owner,
        .timeout_us = EVENT_TIMEOUT_US,
        .most = EVENTS_AT_ONCE,
        .told = told,
        .ctx = o,
    };
    if (!c->events_url)
        return true;
    atomic_store(&o->events, events_create(&options, error));
    return atomic_load(&o->events) != NULL;
}

outbox *outbox_create(app *a, char **error)
{
    pthread_condattr_t monotonic;
    outbox *o = calloc(1, sizeof *o);
    *error = NULL;
    if (!o)
        return NULL;
    o->app = a;
    o->end = &o->first;
    (void)pthread_mutex_init(&o->lock, NULL); /* these can't fail on Linux */
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&o->work, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    if (a->config->data)
        o->files = store_create(a->config->data, 0);
    if (make_owner(o) && (!a->config->data || o->files) && open_queue(o, error) &&
        start_events(o, error) && start_deliver(o, error)) {
        o->started = pthread_create(&o->thread, NULL, run, o) == 0;
        if (o->started)
            return o;
    }
    outbox_stop(o, 0);
    outbox_close(o);
    outbox_free(o);
    return NULL;
}

void outbox_stop(outbox *o, int64_t limit_us)
{
    deliver *d = atomic_load(&o->deliver);

    (void)pthread_mutex_lock(&o->lock);
    o->stopping = true; /* what was to be done is done before */
    (void)pthread_cond_signal(&o->work);
    (void)pthread_mutex_unlock(&o->lock);
    if (o->started)
        (void)pthread_join(o->thread, NULL);
    o->started = false;
    if (d)
        (void)deliver_stop(d, limit_us);
}

void outbox_close(outbox *o)
{
    deliver *d = atomic_load(&o->deliver);
    events *e = atomic_load(&o->events);
    /* What the sender's end has told is settled, too: of what it had begun, much is not known, and
     * must not be sent again. */
    if (d && !deliver_stop(d, SETTLE_GRACE_US))
        log_message(o->app->log, LOG_WARNING, "queue",
                    "not every message under way was settled: they are tried again");
    if (e)
        events_stop(e, EVENTS_GRACE_US);
    if (o->queue)
        queue_close(o->queue, CLOSE_GRACE_US);
    o->queue = NULL;
}

void outbox_free(outbox *o)
{
    if (!o)
        return;
    deliver *d = atomic_load(&o->deliver);
    events *e = atomic_load(&o->events);
    if (d)
        deliver_free(d);
    if (e)
        events_free(e);
    store_free(o->files);
    (void)pthread_cond_destroy(&o->work);
    (void)pthread_mutex_destroy(&o->lock);
    free(o);
}
