/*
 * batches - the route POST /v1/batches: many mails of one request are read, rendered and composed,
 * and put into the queue whole or not at all.
 *
 * No HTTP thread does any of it. The outbox's own thread reads the document and composes, into
 * memory within the budget; the queue looks suppressed recipients up, and keeps what is left in one
 * transaction, with the idempotency key. A key is asked for first: what was answered before is not
 * composed again.
 */
#include "service/batches.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "base/clock.h"
#include "service/job.h"
#include "service/look.h"
#include "service/messages.h"
#include "service/outbox.h"
#include "service/routes.h"
#include "service/suppress.h"
#include "service/templates.h"

#define OF_A_MAIL 512                       /* octets that one takes beside its texts */
#define TRIM_AT   ((size_t)4 * 1024 * 1024) /* what is freed goes back to the system */

void batches_tag(const char *id, char out[BATCHES_TAG + 1])
{
    (void)snprintf(out, BATCHES_TAG + 1, BATCHES_TAG_BEGIN "%.*s", QUEUE_ID, id);
}

typedef struct batch {
    queue_op op; /* the one that is under way */
    outbox_task task;
    app *app;
    http_exchange *exchange;
    idempotency *key;   /* NULL: none */
    document *document; /* until `shared` has it */
    request *shared;
    char id[QUEUE_ID + 1];
    int64_t now;
    queue_message *messages;
    char **recipients; /* of each, as they are sent to */
    const char *const **all_tags;
    size_t count, most;
    size_t octets;    /* that they take */
    char **addresses; /* as they are looked up; NULL: they are not */
    bool *marks;
    size_t suppressed;
    const char *tags[REQUEST_TAGS + 2];
    char tag[BATCHES_TAG + 1];
    buf answer;
} batch;

/* ---- the end ---- */

/* All but what the answer needs, so that there is room for the next. */
static void give_back(batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        queue_message_clear(&b->messages[i]);
        free(b->recipients[i]);
    }
    free(b->messages);
    free(b->recipients);
    free(b->all_tags);
    b->messages = NULL;
    b->recipients = NULL;
    b->all_tags = NULL;
    b->count = 0;
    request_free(b->shared);
    b->shared = NULL;
    if (b->octets >= TRIM_AT)
        (void)malloc_trim(0);
    job_leave(b->app);
}

static void batch_free(batch *b)
{
    queue_op_clear(&b->op);
    idempotency_free(b->key);
    free(b->addresses);
    free(b->marks);
    buf_free(&b->answer);
    free(b);
}

static void refuse(batch *b, problem_kind kind, const char *detail, const faults *errors)
{
    give_back(b);
    http_problem(b->exchange, kind, detail, errors);
    batch_free(b);
}

static void fail(batch *b, const queue_op *op)
{
    give_back(b);
    outbox_problem(b->exchange, op);
    batch_free(b);
}

static void submit(batch *b, const queue_op *op, void (*done)(queue_op *op))
{
    queue_op_clear(&b->op);
    b->op = *op;
    b->op.done = done;
    b->op.ctx = b;
    if (!outbox_submit(b->app->outbox, &b->op))
        fail(b, NULL);
}

static queue_key key_of(batch *b)
{
    return (queue_key){.key = idempotency_key(b->key),
                       .fingerprint = idempotency_fingerprint(b->key),
                       .keep_until = b->now + IDEMPOTENCY_KEPT,
                       .status = 202,
                       .answer = b->answer.len ? buf_cstr(&b->answer) : NULL};
}

/* The key has an answer, or a fault. */
static void answer_key(batch *b)
{
    give_back(b);
    messages_answer_key(b->exchange, &b->op, "/v1/batches/");
    batch_free(b);
}

/* ---- into the queue ---- */

static void answer_kept(batch *b)
{
    char location[HTTP_HEADER_MAX + 1];
    (void)snprintf(location, sizeof location, "/v1/batches/%s", b->id);
    http_set_header(b->exchange, "Location", location);
    http_answer(b->exchange, 202, "application/json", 0, &b->answer);
}

static void put_done(queue_op *op)
{
    batch *b = op->ctx;

    outbox_ended(b->app->outbox, op);
    switch (op->outcome) {
    case QUEUE_OK:
        deliver_wake(outbox_deliver(b->app->outbox));
        give_back(b);
        answer_kept(b);
        batch_free(b);
        break;
    case QUEUE_FAILED: fail(b, op); break;
    default: answer_key(b); break;
    }
}

static void put(batch *b)
{
    for (size_t i = 0; i < b->count; i++)
        b->all_tags[i] = b->tags;
    queue_op op = {
        .kind = QUEUE_PUT,
        .in.put = {.messages = b->messages, .count = b->count, .tags = b->all_tags, .list = ""}};
    if (b->key)
        op.in.put.key = key_of(b);
    submit(b, &op, put_done);
}

/* ---- who is left out ---- */

static void write_time(jsonw *w, const char *key, int64_t us)
{
    char text[CIVIL_TIME + 1];
    civil_time(us, text);
    jsonw_key(w, key);
    jsonw_str(w, text);
}

static bool is_out(const batch *b, size_t i)
{
    return b->suppressed && b->marks[i];
}

/* While all messages are there. */
static bool write_answer(batch *b)
{
    const request_delivery *d = &b->shared->delivery;
    jsonw w;

    (void)buf_reserve(&b->answer, 256 + b->count * (QUEUE_ID + 3));
    jsonw_init(&w, &b->answer);
    jsonw_object(&w);
    jsonw_key(&w, "id"); /* first: a repeated answer's Location is read from it */
    jsonw_str(&w, b->id);
    jsonw_key(&w, "count");
    jsonw_int(&w, (int64_t)(b->count - b->suppressed));
    jsonw_key(&w, "status");
    jsonw_str(&w, d->send_at > b->now ? "scheduled" : "queued");
    write_time(&w, "accepted_at", b->now);
    if (d->send_at > b->now)
        write_time(&w, "send_at", d->send_at);
    write_time(&w, "expires_at", b->messages[0].expires_at);
    jsonw_key(&w, "suppressed");
    jsonw_array(&w);
    for (size_t i = 0; i < b->count; i++) {
        if (is_out(b, i))
            jsonw_str(&w, b->recipients[i]);
    }
    jsonw_array_end(&w);
    jsonw_key(&w, "messages");
    jsonw_array(&w);
    for (size_t i = 0; i < b->count; i++) {
        if (is_out(b, i))
            jsonw_null(&w);
        else
            jsonw_str(&w, b->messages[i].id);
    }
    jsonw_array_end(&w);
    jsonw_object_end(&w);
    buf_addc(&b->answer, '\n');
    return buf_cstr(&b->answer) != NULL;
}

static void leave_out(batch *b)
{
    size_t kept = 0;
    for (size_t i = 0; i < b->count; i++) {
        if (is_out(b, i)) {
            queue_message_clear(&b->messages[i]);
            free(b->recipients[i]);
            continue;
        }
        b->messages[kept] = b->messages[i];
        b->recipients[kept++] = b->recipients[i];
    }
    b->count = kept;
}

static void refuse_suppressed(batch *b)
{
    faults errors;
    faults_init_many(&errors, REQUEST_BATCH_MOST);
    for (size_t i = 0; i < b->count; i++) {
        char pointer[FAULTS_POINTER_MAX];
        (void)snprintf(pointer, sizeof pointer, "/recipients/%zu/to", i);
        faults_add(&errors, pointer, "suppressed", "Nothing is sent to this address: %s.",
                   suppress_reason(&b->op, b->addresses[i]));
    }
    if (errors.failed)
        refuse(b, PROBLEM_MEMORY, "The request could not be kept.", NULL);
    else
        refuse(b, PROBLEM_SUPPRESSED, "Nothing is sent to any of the recipients.", &errors);
    faults_free(&errors);
}

static void go_on(batch *b)
{
    if (b->suppressed == b->count) {
        refuse_suppressed(b);
    } else if (!write_answer(b)) {
        refuse(b, PROBLEM_MEMORY, "The messages could not be kept.", NULL);
    } else {
        leave_out(b);
        put(b);
    }
}

static void looked_up(queue_op *op)
{
    batch *b = op->ctx;

    outbox_ended(b->app->outbox, op);
    if (op->outcome != QUEUE_OK) {
        fail(b, op);
        return;
    }
    b->suppressed = suppress_mark(op, b->addresses, b->count, b->marks);
    go_on(b);
}

/* Who has left a list gets nothing of it, whatever else is looked up. */
static void look_up(batch *b)
{
    if (!b->app->config->suppression && !b->shared->list[0]) {
        go_on(b);
        return;
    }
    b->addresses = suppress_addresses((const char *const *)b->recipients, b->count);
    b->marks = calloc(b->count, sizeof *b->marks);
    if (!b->addresses || !b->marks) {
        refuse(b, PROBLEM_MEMORY, "The messages could not be kept.", NULL);
        return;
    }
    const queue_op op = {
        .kind = QUEUE_SUPPRESSED,
        .in.suppress = {.addresses = (const char *const *)b->addresses, .list = b->shared->list}};
    submit(b, &op, looked_up);
}

/* ---- reading and composing, on the outbox's thread ---- */

static bool sink_begin(void *ctx, size_t count)
{
    batch *b = ctx;
    b->most = count;
    b->messages = calloc(count, sizeof *b->messages);
    b->recipients = calloc(count, sizeof *b->recipients);
    b->all_tags = calloc(count, sizeof *b->all_tags);
    return b->messages && b->recipients && b->all_tags;
}

static bool sink_id(void *ctx, char out[27])
{
    const batch *b = ctx;
    return ids_new(b->app->ids, out);
}

static bool make_message(const batch *b, const request *one, queue_message *m)
{
    m->body.fd = -1;
    m->body.size = mime_message_size(one->message);
    bool filled = messages_fill(m, one, b->now, b->id);
    m->recipients = messages_recipients(one, NULL);
    m->body.data = messages_body(one);
    return filled && m->recipients && m->body.data;
}

static size_t sink_take(void *ctx, size_t i, const request *one)
{
    batch *b = ctx;
    queue_message *m = &b->messages[i];
    size_t size = 0;

    b->recipients[i] = strdup(one->recipients[0]);
    b->count = i + 1; /* what there is of it is freed with the others */
    if (b->recipients[i] && make_message(b, one, m))
        size = OF_A_MAIL + strlen(m->head) + strlen(m->recipients) + (size_t)m->body.size;
    b->octets += size;
    return size;
}

static void make_tags(batch *b)
{
    size_t n = 0;
    for (; b->shared->delivery.tags[n]; n++)
        b->tags[n] = b->shared->delivery.tags[n];
    batches_tag(b->id, b->tag);
    b->tags[n] = b->tag;
}

/* There is no room for one more. By those that there were, would there be for all of them, were no
 * other request here? */
static void refuse_full(batch *b)
{
    if (b->octets / b->count * b->most < b->app->config->max_memory)
        refuse(b, PROBLEM_STORAGE, "There is no room for the composed messages now.", NULL);
    else
        refuse(b, PROBLEM_TOO_LARGE,
               "The composed messages have more octets than POSTERN_MAX_MEMORY allows: send them "
               "in several batches.",
               NULL);
}

static void tell_unfit(batch *b, request_result result, const faults *errors)
{
    switch (result) {
    case REQUEST_INVALID:
        refuse(b, PROBLEM_INVALID, "Each of the errors names a member and what is wrong with it.",
               errors);
        break;
    case REQUEST_FORBIDDEN:
        refuse(b, PROBLEM_SENDER_FORBIDDEN,
               "This gateway sends for the addresses and domains of POSTERN_FROM only.", errors);
        break;
    default: refuse(b, PROBLEM_MEMORY, "The messages could not be kept.", NULL); break;
    }
}

static void compose(void *ctx)
{
    batch *b = ctx;
    app *a = b->app;
    document *d = b->document;
    const request_batch_sink sink = {sink_begin, sink_id, sink_take, b};
    faults errors;

    b->document = NULL;
    if (!ids_new(a->ids, b->id)) {
        document_free(d);
        refuse(b, PROBLEM_MEMORY, "The system has no random bytes.", NULL);
        return;
    }
    b->now = ids_time(b->id);
    faults_init_many(&errors, REQUEST_BATCH_MOST);
    templates *t = templates_now(a->templates);
    request_result result = request_create_batch(a->config, t, d, (time_t)(b->now / 1000000), &sink,
                                                 &b->shared, &errors);
    templates_drop(t);
    if (result == REQUEST_OK) {
        make_tags(b);
        look_up(b);
    } else if (result == REQUEST_STOPPED || (result == REQUEST_NOMEM && b->octets > 0)) {
        refuse_full(b);
    } else {
        tell_unfit(b, result, &errors);
    }
    faults_free(&errors);
}

static void compose_soon(batch *b)
{
    b->task = (outbox_task){.run = compose, .ctx = b};
    if (outbox_do(b->app->outbox, &b->task))
        return;
    document_free(b->document);
    refuse(b, PROBLEM_DRAINING, "This instance is shutting down.", NULL);
}

static void asked(queue_op *op)
{
    batch *b = op->ctx;

    outbox_ended(b->app->outbox, op);
    if (op->outcome == QUEUE_OK) {
        compose_soon(b);
        return;
    }
    document_free(b->document);
    if (op->outcome == QUEUE_FAILED)
        fail(b, op);
    else
        answer_key(b);
}

static void begin(void *ctx)
{
    batch *b = ctx;

    b->document = http_exchange_document(b->exchange);
    if (!b->document) { /* it is answered */
        give_back(b);
        batch_free(b);
        return;
    }
    if (!b->key) {
        compose(b);
        return;
    }
    const queue_op ask = {.kind = QUEUE_PUT, .in.put = {.list = "", .key = key_of(b)}};
    submit(b, &ask, asked);
}

/* ---- the route ---- */

void batches_post(app *a, http_exchange *x)
{
    if (!messages_enter(a, x))
        return;
    batch *b = calloc(1, sizeof *b);
    if (b) {
        b->app = a;
        b->exchange = x;
        b->now = clock_wall_us();
        b->key = http_exchange_key(x);
    }
    if (!b || (b->key && !idempotency_end(b->key))) {
        if (b)
            batch_free(b);
        job_leave(a);
        http_problem(x, PROBLEM_MEMORY, "The request could not be kept.", NULL);
        return;
    }
    http_suspend(x);
    b->task = (outbox_task){.run = begin, .ctx = b};
    if (!outbox_do(a->outbox, &b->task))
        refuse(b, PROBLEM_DRAINING, "This instance is shutting down.", NULL);
}

/* ---- how far one is ---- */

/* What a look of one borrows. */
typedef struct progress {
    char id[QUEUE_ID + 1];
    char tag[BATCHES_TAG + 1];
} progress;

static json_t *show_states(const queue_op *op)
{
    json_t *states = json_object();
    bool ok = states && json_object_set_new(states, "scheduled",
                                            json_integer((json_int_t)op->counts.scheduled)) == 0;
    for (int s = 0; ok && s < QUEUE_STATES; s++) {
        uint64_t n = op->counts.states[s] - (s == QUEUE_QUEUED ? op->counts.scheduled : 0);
        ok = json_object_set_new(states, queue_state_name((queue_state)s),
                                 json_integer((json_int_t)n)) == 0;
    }
    if (ok)
        return states;
    json_decref(states);
    return NULL;
}

static bool answer_progress(look *l)
{
    const progress *p = l->inputs;
    const uint64_t *states = l->op.counts.states;
    json_int_t count = 0, remaining = 0;
    char accepted[CIVIL_TIME + 1];

    for (int s = 0; s < QUEUE_STATES; s++)
        count += (json_int_t)states[s];
    remaining = (json_int_t)states[QUEUE_QUEUED] + (json_int_t)states[QUEUE_SENDING];
    if (count == 0) {
        http_problem(l->exchange, PROBLEM_NOT_FOUND,
                     "There is no batch of this id, or it was kept for long enough.", NULL);
        return true;
    }
    civil_time(ids_time(p->id), accepted);
    json_t *shown = show_states(&l->op);
    return look_answer(l, 200,
                       shown ? json_pack("{s:s, s:I, s:s, s:I, s:o}", "id", p->id, "count", count,
                                         "accepted_at", accepted, "remaining", remaining, "states",
                                         shown)
                             : NULL);
}

static queue_op count_of(const progress *p)
{
    queue_op op = {.kind = QUEUE_COUNT, .in.tag = p->tag};
    memcpy(op.id, p->id, sizeof op.id);
    return op;
}

static bool answer_cancelled(look *l)
{
    const queue_op count = count_of(l->inputs);
    return look_on(l, &count, answer_progress);
}

static void start(app *a, http_exchange *x, queue_kind kind, look_answer_fn *answer)
{
    const char *id = http_parameter(x);
    look *l = look_create(a, x, answer);
    progress *p = l ? calloc(1, sizeof *p) : NULL;

    if (!l)
        return;
    l->inputs = p;
    if (p && ids_is(id)) {
        memcpy(p->id, id, sizeof p->id);
        batches_tag(id, p->tag);
        l->op = count_of(p);
        l->op.kind = kind;
        look_start(l);
        return;
    }
    if (p)
        http_problem(x, PROBLEM_NOT_FOUND, "There is no batch of this id.", NULL);
    else
        http_problem(x, PROBLEM_MEMORY, "The request could not be kept.", NULL);
    look_drop(l);
}

void batches_get(app *a, http_exchange *x)
{
    start(a, x, QUEUE_COUNT, answer_progress);
}

void batches_cancel(app *a, http_exchange *x)
{
    start(a, x, QUEUE_CANCEL_TAGGED, answer_cancelled);
}
