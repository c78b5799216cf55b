/*
 * messages - the route POST /v1/messages: a message is composed and put into the queue, and the
 * answer goes out when it is durable there.
 *
 * A small message is composed on the HTTP thread, into memory; a large one, and one that takes long
 * to sign, on the outbox's own thread, into a file. Then, on threads of the queue, suppressed
 * recipients are looked up, and the message is put in: as being sent already and handed to
 * deliver.h, if that has room, so that it need not be read from the database again; else to wait
 * its turn.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/civil.h"
#include "base/clock.h"
#include "base/file_io.h"
#include "queue/record.h"
#include "service/job.h"
#include "service/messages.h"
#include "service/outbox.h"
#include "service/routes.h"
#include "service/suppress.h"
#include "service/when.h"

#define BLOCK     ((size_t)64 * 1024)
#define TEXT_ROOM 512

typedef struct posting {
    queue_op op; /* the one that is under way */
    outbox_task task;
    app *app;
    http_exchange *exchange;
    request *request;
    idempotency *key; /* NULL: none */
    char **addresses; /* of the recipients, to be looked up; NULL: they are not */
    bool *marks;      /* recipients that are suppressed */
    size_t suppressed;
    queue_message message;
    uint64_t size;
    int64_t now;
    const char *const *tags;
    buf answer;
    bool reserved; /* room for it at deliver.h */
    messages_manner how;
    messages_outcome outcome;
} posting;

static bool is_scheduled(const posting *p)
{
    return p->request->delivery.send_at > p->now;
}

/* All but the posting itself, which has what the answer needs: who posts one message after the
 * other must find room for the next. */
static void give_back(posting *p)
{
    if (p->reserved)
        deliver_unreserve(outbox_deliver(p->app->outbox), p->size);
    p->reserved = false;
    queue_message_clear(&p->message);
    request_free(p->request);
    p->request = NULL;
    job_leave(p->app);
}

static void posting_free(posting *p)
{
    queue_op_clear(&p->op);
    idempotency_free(p->key);
    free(p->addresses);
    free(p->marks);
    buf_free(&p->answer);
    if (p->how.ended)
        p->how.ended(p->how.ctx, p->outcome);
    free(p);
}

static void refuse(posting *p, problem_kind kind, const char *detail)
{
    give_back(p);
    http_problem(p->exchange, kind, detail, NULL);
    posting_free(p);
}

/* ---- what is kept, and the answer ---- */

static void write_time(jsonw *w, const char *key, int64_t us)
{
    char text[CIVIL_TIME + 1];
    civil_time(us, text);
    jsonw_key(w, key);
    jsonw_str(w, text);
}

static void write_strings(jsonw *w, const char *key, const char *const *list)
{
    jsonw_key(w, key);
    jsonw_array(w);
    for (; *list; list++)
        jsonw_str(w, *list);
    jsonw_array_end(w);
}

static void write_metadata(jsonw *w, const request *r)
{
    const char *name;
    json_t *value;
    document_string found;

    jsonw_key(w, "metadata");
    jsonw_object(w);
    json_object_foreach((json_t *)r->delivery.metadata, name, value)
    {
        jsonw_str(w, name);
        buf_addc(w->out, ':');
        w->comma = false;
        if (document_lifted(r->document, value, &found))
            jsonw_strn(w, found.text.data, found.text.len);
        else
            jsonw_strn(w, json_string_value(value), json_string_length(value));
    }
    jsonw_object_end(w);
}

char *messages_head(const request *r, int64_t now, int64_t expires_at, const char *batch)
{
    const request_delivery *d = &r->delivery;
    buf out = BUF_INIT;
    jsonw w;

    (void)buf_reserve(&out, TEXT_ROOM);
    jsonw_init(&w, &out);
    jsonw_object(&w);
    jsonw_key(&w, "envelope_from");
    jsonw_str(&w, r->reverse_path);
    write_strings(&w, "relays", d->relays);
    jsonw_key(&w, "utf8");
    jsonw_bool(&w, r->utf8);
    jsonw_key(&w, "eight_bit");
    jsonw_bool(&w, mime_message_eight_bit(r->message));
    jsonw_key(&w, "message_id");
    jsonw_str(&w, mime_message_id(r->message));
    write_time(&w, "accepted_at", now);
    if (d->send_at > now)
        write_time(&w, "send_at", d->send_at);
    write_time(&w, "expires_at", expires_at);
    jsonw_key(&w, "priority");
    jsonw_int(&w, d->priority);
    write_strings(&w, "tags", d->tags);
    if (d->metadata)
        write_metadata(&w, r);
    if (r->list[0]) {
        jsonw_key(&w, "list");
        jsonw_str(&w, r->list);
    }
    if (batch) {
        jsonw_key(&w, "batch");
        jsonw_str(&w, batch);
    }
    jsonw_object_end(&w);
    return buf_take(&out);
}

char *messages_recipients(const request *r, const bool *marks)
{
    buf out = BUF_INIT;
    jsonw w;

    (void)buf_reserve(&out, TEXT_ROOM);
    jsonw_init(&w, &out);
    jsonw_array(&w);
    for (size_t i = 0; i < r->recipient_count; i++) {
        jsonw_object(&w);
        jsonw_key(&w, "email");
        jsonw_str(&w, r->recipients[i]);
        jsonw_key(&w, "status");
        jsonw_str(&w, marks && marks[i] ? "suppressed" : "waiting");
        jsonw_object_end(&w);
    }
    jsonw_array_end(&w);
    return buf_take(&out);
}

static void write_answer(posting *p)
{
    const request *r = p->request;
    jsonw w;

    buf_clear(&p->answer);
    (void)buf_reserve(&p->answer, TEXT_ROOM);
    jsonw_init(&w, &p->answer);
    jsonw_object(&w);
    jsonw_key(&w, "id"); /* first: a repeated answer's Location is read from it */
    jsonw_str(&w, r->id);
    jsonw_key(&w, "message_id");
    jsonw_str(&w, mime_message_id(r->message));
    jsonw_key(&w, "status");
    jsonw_str(&w, is_scheduled(p) ? "scheduled" : "queued");
    write_time(&w, "accepted_at", p->now);
    if (is_scheduled(p))
        write_time(&w, "send_at", r->delivery.send_at);
    write_time(&w, "expires_at", p->message.expires_at);
    jsonw_key(&w, "recipients");
    jsonw_int(&w, (int64_t)(r->recipient_count - p->suppressed));
    jsonw_key(&w, "suppressed");
    jsonw_array(&w);
    for (size_t i = 0; p->suppressed && i < r->recipient_count; i++) {
        if (p->marks[i])
            jsonw_str(&w, r->recipients[i]);
    }
    jsonw_array_end(&w);
    if (r->lint) {
        jsonw_key(&w, "lint");
        jsonw_raw(&w, r->lint, strlen(r->lint));
    }
    jsonw_object_end(&w);
    buf_addc(&p->answer, '\n');
}

/* Recipients and answer, which depend on who is suppressed. */
static bool make_texts(posting *p)
{
    free(p->message.recipients);
    p->message.recipients = messages_recipients(p->request, p->suppressed ? p->marks : NULL);
    write_answer(p);
    return p->message.recipients && buf_cstr(&p->answer);
}

bool messages_fill(queue_message *m, const request *r, int64_t now, const char *batch)
{
    const request_delivery *d = &r->delivery;

    memcpy(m->id, r->id, sizeof m->id);
    m->state = QUEUE_QUEUED;
    m->next_at = d->send_at > now ? d->send_at : now;
    m->expires_at = m->next_at + d->expires_us;
    m->priority = d->priority;
    m->head = messages_head(r, now, m->expires_at, batch);
    m->log = strdup("[]");
    return m->head && m->log;
}

static bool make_message(posting *p)
{
    return messages_fill(&p->message, p->request, p->now, NULL) && make_texts(p);
}

/* ---- the body ---- */

char *messages_body(const request *r)
{
    size_t size = (size_t)mime_message_size(r->message), have = 0, n = 1;
    char *data = malloc(size + 1);
    mime_reader *reader = data ? mime_reader_create(r->message) : NULL;

    while (reader && have < size && n > 0 && n != MIME_READ_FAILED) {
        n = mime_reader_read(reader, data + have, size - have);
        have += n == MIME_READ_FAILED ? 0 : n;
    }
    mime_reader_free(reader);
    if (reader && have == size)
        return data;
    free(data);
    return NULL;
}

/* Into memory, within the budget. */
static bool compose_small(const request *r, queue_body *out)
{
    out->data = NULL;
    if (document_hold(r->document, (size_t)mime_message_size(r->message)))
        out->data = messages_body(r);
    return out->data != NULL;
}

static bool compose_file(const request *r, int fd)
{
    mime_reader *reader = mime_reader_create(r->message);
    char *block = malloc(BLOCK);
    uint64_t at = 0, size = mime_message_size(r->message);
    size_t n = 1;

    while (reader && block && at < size && n > 0) {
        n = mime_reader_read(reader, block, BLOCK);
        if (n == MIME_READ_FAILED || !file_write_at(fd, block, n, at))
            break;
        at += n;
    }
    mime_reader_free(reader);
    free(block);
    return at == size;
}

/* Where no folder can be written, memory has to do. */
bool messages_store(app *a, const request *r, queue_body *out)
{
    out->size = mime_message_size(r->message);
    out->fd = out->size > QUEUE_SMALL ? outbox_file(a->outbox) : -1;
    return out->fd >= 0 ? compose_file(r, out->fd) : compose_small(r, out);
}

static void look_up(posting *p);

/* On the outbox's thread: signing, too, where that takes long. */
static void compose_large(void *ctx)
{
    posting *p = ctx;
    bool ok = request_sign(p->app->config, p->request);
    p->size = mime_message_size(p->request->message);
    if (ok && messages_store(p->app, p->request, &p->message.body))
        look_up(p);
    else
        refuse(p, PROBLEM_STORAGE, "There is no room for the composed message.");
}

/* ---- the queue ---- */

/* With the text that the caller wants instead, if it wants one. */
static void answer(posting *p, unsigned status, buf *content)
{
    const char *text = p->how.text;
    if (text) {
        buf_clear(content);
        buf_adds(content, text);
    }
    http_answer(p->exchange, text ? 200 : status, text ? "text/plain" : "application/json", 0,
                content);
}

/* What was answered before, with its headers. */
static void replay(http_exchange *x, const queue_op *op, const char *route, buf *content)
{
    static const char id[] = "{\"id\":\"";
    const char *said = op->answer ? op->answer : "";
    char location[HTTP_HEADER_MAX + 1];

    if (strncmp(said, id, sizeof id - 1) == 0) {
        (void)snprintf(location, sizeof location, "%s%.*s", route, QUEUE_ID, said + sizeof id - 1);
        http_set_header(x, "Location", location);
    }
    http_set_header(x, "Idempotency-Replayed", "true");
    buf_adds(content, said);
}

static void answer_replayed(posting *p)
{
    buf content = BUF_INIT;
    replay(p->exchange, &p->op, "/v1/messages/", &content);
    p->outcome = MESSAGES_REPLAYED;
    answer(p, (unsigned)p->op.status, &content);
}

void messages_answer_key(http_exchange *x, const queue_op *op, const char *route)
{
    buf content = BUF_INIT;
    switch (op->outcome) {
    case QUEUE_KEY_ANSWERED:
        replay(x, op, route, &content);
        http_answer(x, (unsigned)op->status, "application/json", 0, &content);
        break;
    case QUEUE_KEY_RUNNING: http_problem(x, PROBLEM_KEY_RUNNING, IDEMPOTENCY_RUNNING, NULL); break;
    case QUEUE_KEY_DIFFERENT:
        http_problem(x, PROBLEM_KEY_DIFFERENT, IDEMPOTENCY_DIFFERENT, NULL);
        break;
    default: outbox_problem(x, op); break;
    }
}

static void answer_kept(posting *p)
{
    char location[HTTP_HEADER_MAX + 1];
    (void)snprintf(location, sizeof location, "/v1/messages/%s", p->op.id);
    http_set_header(p->exchange, "Location", location);
    p->outcome = MESSAGES_KEPT;
    answer(p, 202, &p->answer);
}

/* To whom it is no fault. */
static void answer_suppressed(posting *p)
{
    buf content = BUF_INIT;
    buf_adds(&content, p->how.none);
    give_back(p);
    http_answer(p->exchange, 200, "text/plain", 0, &content);
    posting_free(p);
}

static void refuse_suppressed(posting *p)
{
    faults errors;
    p->outcome = MESSAGES_SUPPRESSED;
    if (p->how.none) {
        answer_suppressed(p);
        return;
    }
    faults_init(&errors);
    suppress_tell(p->request, &p->op, p->addresses, &errors);
    give_back(p);
    if (errors.failed)
        http_problem(p->exchange, PROBLEM_MEMORY, "The request could not be kept.", NULL);
    else
        http_problem(p->exchange, PROBLEM_SUPPRESSED, "Nothing is sent to any of the recipients.",
                     &errors);
    faults_free(&errors);
    posting_free(p);
}

/* It is durable: on to the relay. */
static void hand_over(posting *p)
{
    deliver *d = outbox_deliver(p->app->outbox);
    if (p->reserved)
        deliver_take(d, &p->message);
    else
        deliver_wake(d);
    p->reserved = false;
}

static void put_done(queue_op *op)
{
    posting *p = op->ctx;

    outbox_ended(p->app->outbox, op);
    if (op->outcome == QUEUE_ALL_SUPPRESSED) {
        (void)suppress_mark(op, p->addresses, p->request->recipient_count, p->marks);
        refuse_suppressed(p);
        return;
    }
    if (op->outcome == QUEUE_OK)
        hand_over(p);
    give_back(p);
    if (op->outcome == QUEUE_OK)
        answer_kept(p);
    else if (op->outcome == QUEUE_KEY_ANSWERED)
        answer_replayed(p);
    else
        messages_answer_key(p->exchange, op, "/v1/messages/");
    posting_free(p);
}

/* `look`: suppressed recipients, too. */
static void put(posting *p, bool look)
{
    outbox *o = p->app->outbox;
    deliver *d = outbox_deliver(o);

    p->reserved = !is_scheduled(p) && deliver_reserve(d, p->size);
    p->message.state = p->reserved ? QUEUE_SENDING : QUEUE_QUEUED;
    p->message.body.size = p->size;
    p->tags = p->request->delivery.tags;
    p->op = (queue_op){
        .kind = QUEUE_PUT,
        .done = put_done,
        .ctx = p,
        .in.put = {.messages = &p->message,
                   .count = 1,
                   .tags = &p->tags,
                   .addresses = look ? (const char *const *)p->addresses : NULL,
                   .list = p->request->list,
                   .owner = outbox_owner(o),
                   .lease_us = deliver_lease_us(d)},
    };
    memcpy(p->op.id, p->message.id, sizeof p->op.id);
    if (p->key)
        p->op.in.put.key = (queue_key){.key = idempotency_key(p->key),
                                       .fingerprint = idempotency_fingerprint(p->key),
                                       .keep_until = p->now + IDEMPOTENCY_KEPT,
                                       .status = 202,
                                       .answer = buf_cstr(&p->answer)};
    if (outbox_submit(o, &p->op))
        return;
    give_back(p);
    outbox_problem(p->exchange, NULL);
    posting_free(p);
}

static void looked_up(queue_op *op)
{
    posting *p = op->ctx;
    size_t count = p->request->recipient_count;

    outbox_ended(p->app->outbox, op);
    if (op->outcome != QUEUE_OK) {
        give_back(p);
        outbox_problem(p->exchange, op);
        posting_free(p);
        return;
    }
    p->suppressed = suppress_mark(op, p->addresses, count, p->marks);
    bool all = p->suppressed == count;
    if (all && !p->key) {
        refuse_suppressed(p);
        return;
    }
    /* With a key the answer may have been given before: the queue is asked for both at once. */
    if (all)
        p->suppressed = 0;
    bool ok = p->suppressed == 0 || make_texts(p);
    queue_op_clear(op);
    if (ok)
        put(p, all);
    else
        refuse(p, PROBLEM_MEMORY, "The message could not be kept.");
}

static void look_up(posting *p)
{
    if (!p->addresses) {
        put(p, false);
        return;
    }
    p->op = (queue_op){
        .kind = QUEUE_SUPPRESSED,
        .done = looked_up,
        .ctx = p,
        .in.suppress = {.addresses = (const char *const *)p->addresses, .list = p->request->list}};
    if (outbox_submit(p->app->outbox, &p->op))
        return;
    give_back(p);
    outbox_problem(p->exchange, NULL);
    posting_free(p);
}

/* ---- the route ---- */

/* Takes over the request and the key; NULL: no memory, and they are freed. */
static posting *posting_create(app *a, http_exchange *x, request *r, idempotency *key)
{
    posting *p = calloc(1, sizeof *p);
    if (!p) {
        idempotency_free(key);
        request_free(r);
        job_leave(a);
        return NULL;
    }
    p->app = a;
    p->exchange = x;
    p->request = r;
    p->key = key;
    p->size = mime_message_size(r->message);
    p->now = clock_wall_us();
    p->message.body.fd = -1;
    p->outcome = MESSAGES_FAILED;
    bool ok = !p->key || idempotency_end(p->key);
    /* Who has left a list gets nothing of it, whatever else is looked up. */
    if (ok && (a->config->suppression || r->list[0])) {
        p->addresses = suppress_addresses(r->recipients, r->recipient_count);
        p->marks = calloc(r->recipient_count, sizeof *p->marks);
        ok = p->addresses && p->marks;
    }
    if (ok && make_message(p))
        return p;
    give_back(p);
    posting_free(p);
    return NULL;
}

void messages_keep(app *a, http_exchange *x, request *r, idempotency *key)
{
    const messages_manner usual = {0};
    messages_keep_so(a, x, r, key, &usual);
}

void messages_keep_so(app *a, http_exchange *x, request *r, idempotency *key,
                      const messages_manner *how)
{
    posting *p = posting_create(a, x, r, key);
    if (!p) {
        http_problem(x, PROBLEM_MEMORY, "The message could not be kept.", NULL);
        if (how->ended)
            how->ended(how->ctx, MESSAGES_FAILED);
        return;
    }
    p->how = *how;
    bool small = p->size <= QUEUE_SMALL && !r->to_sign;
    if (small && !compose_small(p->request, &p->message.body)) {
        refuse(p, PROBLEM_STORAGE, "There is no room for the composed message.");
        return;
    }
    http_suspend(x);
    p->task = (outbox_task){.run = compose_large, .ctx = p};
    if (small)
        look_up(p);
    else if (!outbox_do(a->outbox, &p->task))
        refuse(p, PROBLEM_DRAINING, "This instance is shutting down.");
}

bool messages_enter(app *a, http_exchange *x)
{
    if (!a->outbox)
        http_problem(x, PROBLEM_NO_QUEUE,
                     "Set POSTERN_DATA or POSTERN_QUEUE to have messages kept.", NULL);
    else if (a->config->relay_count == 0)
        http_problem(x, PROBLEM_NO_RELAY, "Set POSTERN_RELAY to be able to send.", NULL);
    else if (!job_enter(a))
        http_problem(x, PROBLEM_BUSY, JOB_FULL, NULL);
    else
        return true;
    return false;
}

void messages_post(app *a, http_exchange *x)
{
    if (!messages_enter(a, x))
        return;
    request *r = send_read_request(a, x, true);
    if (r)
        messages_keep(a, x, r, http_exchange_key(x));
    else
        job_leave(a);
}
