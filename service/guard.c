#include "service/guard.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "service/outbox.h"
#include "service/suppress.h"
#include "service/when.h"
#include "smtp/classify.h"

/* What is kept of recipients that don't exist: an operation of its own, that nobody waits for. */
typedef struct lesson {
    queue_op op;
    outbox *outbox;
    size_t count;
    queue_suppressed entries[];
} lesson;

struct guard {
    queue_op key_op, look_op;
    atomic_int left; /* operations that have not ended */
    app *app;
    http_exchange *exchange;
    request *request;
    idempotency *key;
    char **addresses; /* NULL: they are not looked up */
    bool *marks;
    bool begun; /* the key is ours */
    void (*decided)(void *ctx, bool go);
    void *ctx;
    faults suppressed; /* of the recipients, where all are */
    bool nomem;
    /* what is answered when all is kept */
    answer said;
    problem_kind kind;
    const char *detail;
    buf content;
};

/* Who has left a list gets nothing of it, whatever else is looked up. */
static bool looks_up(const app *a, const request *r)
{
    return a->config->suppression || r->list[0];
}

bool guard_needed(const app *a, const request *r, const idempotency *key)
{
    return a->outbox && (key || looks_up(a, r));
}

static void guard_free(guard *g)
{
    queue_op_clear(&g->key_op);
    queue_op_clear(&g->look_op);
    idempotency_free(g->key);
    free(g->addresses);
    free(g->marks);
    faults_free(&g->suppressed);
    buf_free(&g->content);
    free(g);
}

guard *guard_create(app *a, http_exchange *x, request *r, idempotency *key)
{
    guard *g = calloc(1, sizeof *g);
    if (!g) {
        idempotency_free(key);
        return NULL;
    }
    g->app = a;
    g->exchange = x;
    g->request = r;
    g->key = key;
    faults_init(&g->suppressed);
    bool ok = !key || idempotency_end(key);
    if (ok && looks_up(a, r)) {
        g->addresses = suppress_addresses(r->recipients, r->recipient_count);
        g->marks = calloc(r->recipient_count, sizeof *g->marks);
        ok = g->addresses && g->marks;
    }
    if (ok)
        return g;
    guard_free(g);
    return NULL;
}

/* ---- before ---- */

static bool take_suppressed_off(guard *g)
{
    request *r = g->request;
    size_t count = g->addresses ? r->recipient_count : 0;
    size_t n = count ? suppress_mark(&g->look_op, g->addresses, count, g->marks) : 0;

    if (n == 0)
        return true;
    if (n == count) {
        suppress_tell(r, &g->look_op, g->addresses, &g->suppressed);
        return false;
    }
    g->nomem = !request_take_off(r, g->marks);
    return !g->nomem;
}

static void decide(guard *g)
{
    g->begun = g->key && g->key_op.outcome == QUEUE_OK;
    bool go =
        g->key_op.outcome == QUEUE_OK && g->look_op.outcome == QUEUE_OK && take_suppressed_off(g);
    g->decided(g->ctx, go);
}

static void one_done(queue_op *op)
{
    guard *g = op->ctx;
    outbox_ended(g->app->outbox, op);
    if (atomic_fetch_sub(&g->left, 1) == 1)
        decide(g);
}

static void start_one(guard *g, queue_op *op)
{
    op->done = one_done;
    op->ctx = g;
    if (outbox_submit(g->app->outbox, op))
        return;
    op->outcome = QUEUE_FAILED; /* without an error: it was not taken */
    if (atomic_fetch_sub(&g->left, 1) == 1)
        decide(g);
}

void guard_start(guard *g, void (*decided)(void *ctx, bool go), void *ctx)
{
    bool key = g->key != NULL, look = g->addresses != NULL;

    g->decided = decided;
    g->ctx = ctx;
    atomic_store(&g->left, (int)key + (int)look);
    g->key_op = (queue_op){.kind = QUEUE_KEY_BEGIN};
    g->look_op = (queue_op){
        .kind = QUEUE_SUPPRESSED,
        .in.suppress = {.addresses = (const char *const *)g->addresses, .list = g->request->list},
    };
    if (key)
        g->key_op.in.key = (queue_key){.key = idempotency_key(g->key),
                                       .fingerprint = idempotency_fingerprint(g->key),
                                       .by = http_exchange_id(g->exchange),
                                       .keep_until = clock_wall_us() + IDEMPOTENCY_KEPT};
    if (key)
        start_one(g, &g->key_op);
    if (look) /* g may be gone if there was only a key */
        start_one(g, &g->look_op);
}

/* ---- after ---- */

static void answer_now(guard *g)
{
    if (g->said.status)
        http_answer(g->exchange, g->said.status, g->said.content_type, g->said.retry_after,
                    &g->content);
    else
        http_problem(g->exchange, g->kind, g->detail,
                     g->suppressed.count > 0 ? &g->suppressed : NULL);
    guard_free(g);
}

static void key_ended(queue_op *op)
{
    guard *g = op->ctx;
    outbox_ended(g->app->outbox, op);
    answer_now(g);
}

/* Ends the key, with the answer or without, and answers then. */
static void end_key(guard *g, bool keep)
{
    if (!g->begun) {
        answer_now(g);
        return;
    }
    const char *text = keep ? buf_cstr(&g->content) : NULL;
    queue_op_clear(&g->key_op);
    g->key_op = (queue_op){
        .kind = QUEUE_KEY_END,
        .done = key_ended,
        .ctx = g,
        .in.key = {.key = idempotency_key(g->key),
                   .fingerprint = idempotency_fingerprint(g->key),
                   .by = http_exchange_id(g->exchange),
                   .keep_until = clock_wall_us() + IDEMPOTENCY_KEPT,
                   .status = text ? (int)g->said.status : 0,
                   .answer = text},
    };
    if (!outbox_submit(g->app->outbox, &g->key_op))
        answer_now(g);
}

static void answer_replayed(guard *g)
{
    bool good = g->key_op.status < 400;
    buf content = BUF_INIT;

    http_set_header(g->exchange, "Idempotency-Replayed", "true");
    buf_adds(&content, g->key_op.answer ? g->key_op.answer : "");
    http_answer(g->exchange, (unsigned)g->key_op.status,
                good ? "application/json" : "application/problem+json", 0, &content);
    guard_free(g);
}

/* The key was ours, and must be given back first. */
static void refuse_begun(guard *g)
{
    bool failed = g->look_op.outcome == QUEUE_FAILED;

    g->kind = failed                             ? PROBLEM_QUEUE
              : g->nomem || g->suppressed.failed ? PROBLEM_MEMORY
                                                 : PROBLEM_SUPPRESSED;
    g->detail = failed && g->look_op.error      ? g->look_op.error
                : failed                        ? OUTBOX_FULL
                : g->kind == PROBLEM_SUPPRESSED ? "Nothing is sent to any of the recipients."
                                                : "The request could not be kept.";
    end_key(g, false);
}

void guard_refuse(guard *g)
{
    switch (g->key_op.outcome) {
    case QUEUE_KEY_ANSWERED: answer_replayed(g); return;
    case QUEUE_KEY_RUNNING: g->kind = PROBLEM_KEY_RUNNING, g->detail = IDEMPOTENCY_RUNNING; break;
    case QUEUE_KEY_DIFFERENT:
        g->kind = PROBLEM_KEY_DIFFERENT, g->detail = IDEMPOTENCY_DIFFERENT;
        break;
    case QUEUE_FAILED:
        g->kind = PROBLEM_QUEUE;
        if (g->key_op.doubtful) { /* it may be begun: nobody would end it */
            g->begun = true;
            g->detail = "The queue's database is away.";
            end_key(g, false);
            return;
        }
        g->detail = g->key_op.error ? g->key_op.error : OUTBOX_FULL;
        break;
    default: refuse_begun(g); return;
    }
    faults_free(&g->suppressed);
    answer_now(g);
}

static void lesson_free(lesson *l)
{
    for (size_t i = 0; i < l->count; i++) {
        free(l->entries[i].address);
        free(l->entries[i].reason);
    }
    queue_op_clear(&l->op);
    free(l);
}

static void learnt(queue_op *op)
{
    lesson *l = op->ctx;
    outbox_ended(l->outbox, op);
    lesson_free(l);
}

static void add_lesson(lesson *l, const char *recipient, const smtp_reply *reply)
{
    static char no_list[] = "";
    queue_suppressed *s = &l->entries[l->count];
    char reason[SMTP_REASON_MAX];
    char **lower = suppress_addresses(&recipient, 1);

    smtp_classify_reason(reply, reason);
    *s = (queue_suppressed){.address = lower ? strdup(lower[0]) : NULL,
                            .list = no_list,
                            .reason = strdup(reason),
                            .since = clock_wall_us()};
    free(lower);
    if (s->address && s->reason) {
        l->count++;
        return;
    }
    free(s->address);
    free(s->reason);
    *s = (queue_suppressed){0};
}

void guard_learn(guard *g, const request *r, const smtp_result *result)
{
    lesson *l = NULL;

    for (size_t i = 0;
         g->app->config->suppression && result->recipients && i < result->recipient_count; i++) {
        const smtp_recipient_result *one = &result->recipients[i];
        /* Refused at a later stage, which can only be meant for the one that there is. */
        bool late = !one->reply.code && result->recipient_count == 1;
        const smtp_reply *reply = late ? &result->reply : &one->reply;
        smtp_cause cause = late ? result->fault.cause : one->cause;
        if (one->accepted || !smtp_classify_gone(cause, reply))
            continue;
        if (!l)
            l = calloc(1, sizeof *l + result->recipient_count * sizeof *l->entries);
        if (!l)
            return; /* it will be learnt the next time */
        add_lesson(l, r->recipients[i], reply);
    }
    if (!l)
        return;
    l->outbox = g->app->outbox;
    l->op = (queue_op){.kind = QUEUE_SUPPRESS,
                       .done = learnt,
                       .ctx = l,
                       .in.suppress = {.entries = l->entries, .count = l->count}};
    if (l->count == 0 || !outbox_submit(g->app->outbox, &l->op))
        lesson_free(l);
}

void guard_finish(guard *g, const answer *said, bool unknown, buf *content)
{
    g->said = *said;
    g->kind = PROBLEM_MEMORY;
    g->detail = "The transaction could not be kept.";
    g->content = *content;
    buf_init(content);
    end_key(g, said->status && (said->status < 500 || unknown));
}

void guard_abandon(guard *g, problem_kind kind, const char *detail)
{
    g->kind = kind;
    g->detail = detail;
    end_key(g, false);
}
