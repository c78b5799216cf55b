/*
 * dialects_many - a dialect's request that is several mails: composed by a worker, then kept in the
 * queue whole or not at all, in one transaction; or given to the relays at once, where the caller
 * waits for them.
 *
 * The answer, also the one that is kept with an idempotency key, is {"messages": […]}: for each
 * draft what POST /v1/messages answers, or {"problem": …}. dialects_answer.c translates it.
 */
#include "service/dialects.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "service/answer.h"
#include "service/job.h"
#include "service/messages.h"
#include "service/outbox.h"
#include "service/suppress.h"
#include "service/templates.h"
#include "service/worker.h"

#define OF_A_MAIL 512 /* octets that one takes beside its own */
#define NO_MEMORY "The messages could not be kept."
#define NO_ROOM   "There is no room for the composed messages now."

typedef struct many many;

typedef struct mail {
    many *all;
    request *request; /* NULL: it is refused */
    char *message_id;
    queue_message message; /* for the queue */
    mime_reader *reader;   /* for the relay */
    buf told;              /* of its own: what became of it, JSON; empty: it is kept */
    bool refused;          /* it says why not */
    size_t first;          /* of its addresses among all */
} mail;

struct many {
    dialects_call *call;
    app *app;
    http_exchange *exchange;
    idempotency *key;
    worker_task task;
    queue_op op;
    int64_t now;
    mail *mails;
    size_t count; /* as many as drafts */
    const char **recipients;
    char **addresses; /* of all that are not refused, as they are looked up; NULL: they are not */
    bool *marks;
    size_t address_count;
    queue_message *messages; /* those that are kept, borrowed */
    const char *const **tags;
    faults suppressed; /* why nothing is sent to anybody */
    size_t kept, made;
    size_t octets; /* that those take that were made */
    buf answer;
    bool placed;        /* has a place of job_enter(); with the relays each mail has its own */
    atomic_size_t left; /* with the relays */
};

/* ---- the end ---- */

static void many_free(many *m)
{
    for (size_t i = 0; m->mails && i < m->count; i++) {
        mime_reader_free(m->mails[i].reader);
        queue_message_clear(&m->mails[i].message);
        request_free(m->mails[i].request);
        buf_free(&m->mails[i].told);
        free(m->mails[i].message_id);
    }
    free(m->mails);
    free(m->recipients);
    free(m->addresses);
    free(m->marks);
    free(m->messages);
    free(m->tags);
    faults_free(&m->suppressed);
    queue_op_clear(&m->op);
    idempotency_free(m->key);
    buf_free(&m->answer);
    free(m);
}

/* Everything is given back before the answer goes out, but for what the answer is made of. */
static http_exchange *give_back(many *m)
{
    http_exchange *x = m->exchange;

    if (m->placed)
        job_leave(m->app);
    document_let_go(m->call->document, 0);
    many_free(m);
    return x;
}

static void end(many *m, unsigned status)
{
    buf content = m->answer;

    buf_init(&m->answer);
    http_answer(give_back(m), status, "application/json", 0, &content);
}

/* The detail and the faults are not m's. */
static void refuse(many *m, problem_kind kind, const char *detail, const faults *errors)
{
    http_problem(give_back(m), kind, detail, errors);
}

/* By what the operation gave, or, if it was not taken, by that. */
static void answer_op(many *m, bool taken)
{
    queue_op said = m->op;

    m->op = (queue_op){0};
    http_exchange *x = give_back(m);
    if (taken)
        messages_answer_key(x, &said, "/v1/messages/");
    else
        outbox_problem(x, NULL);
    queue_op_clear(&said);
}

/* ---- the answer ---- */

/* Whether it is known what became of it; also where there was no memory to write that. */
static bool is_told(const mail *one)
{
    return one->refused || one->told.len > 0;
}

static bool is_marked(const many *m, const mail *one, size_t recipient)
{
    return m->marks && m->marks[one->first + recipient];
}

static void write_kept(const many *m, const mail *one, jsonw *w)
{
    const request *r = one->request;
    jsonw_object(w);
    jsonw_key(w, "id");
    jsonw_str(w, r->id);
    jsonw_key(w, "message_id");
    jsonw_str(w, one->message_id);
    jsonw_key(w, "suppressed");
    jsonw_array(w);
    for (size_t i = 0; i < r->recipient_count; i++) {
        if (is_marked(m, one, i))
            jsonw_str(w, r->recipients[i]);
    }
    jsonw_array_end(w);
    jsonw_object_end(w);
}

static bool write_answer(many *m)
{
    jsonw w;

    buf_clear(&m->answer);
    jsonw_init(&w, &m->answer);
    jsonw_object(&w);
    jsonw_key(&w, "messages");
    jsonw_array(&w);
    for (size_t i = 0; i < m->count; i++) {
        const mail *one = &m->mails[i];
        if (!buf_ok(&one->told))
            return false;
        if (is_told(one))
            jsonw_raw(&w, one->told.data, one->told.len);
        else
            write_kept(m, one, &w);
    }
    jsonw_array_end(&w);
    jsonw_object_end(&w);
    buf_addc(&m->answer, '\n');
    return buf_cstr(&m->answer) != NULL;
}

/* The end of what a refused mail is told: who is suppressed. */
static void write_addresses(mail *one, bool all)
{
    const request *r = one->request;
    jsonw w = {&one->told, true};

    jsonw_key(&w, "suppressed");
    jsonw_array(&w);
    for (size_t i = 0; all && i < r->recipient_count; i++)
        jsonw_str(&w, r->recipients[i]);
    jsonw_array_end(&w);
    jsonw_object_end(&w);
}

/* What a mail is refused with; faults at pointers into the body. */
static void tell_refused(many *m, mail *one, problem_kind kind, const char *detail,
                         const faults *errors)
{
    buf problem = BUF_INIT;

    problem_write(&problem, kind, http_exchange_id(m->exchange), detail, errors);
    one->refused = true;
    buf_adds(&one->told, "{\"problem\":");
    if (buf_ok(&problem))
        buf_add(&one->told, problem.data, problem.len - 1); /* less its line end */
    else
        one->told.failed = true;
    write_addresses(one, kind == PROBLEM_SUPPRESSED);
    buf_free(&problem);
}

/* ---- composing, on a worker's thread ---- */

static const struct {
    problem_kind kind;
    const char *detail;
} unfit[] = {
    [REQUEST_INVALID] = {PROBLEM_INVALID, "The message is not valid."},
    [REQUEST_FORBIDDEN] =
        {PROBLEM_SENDER_FORBIDDEN,
         "This gateway sends for the addresses and domains of POSTERN_FROM only."},
};

/* What the queue is given of it. */
static bool fill_message(const many *m, mail *one)
{
    return messages_fill(&one->message, one->request, m->now, NULL) &&
           messages_store(m->app, one->request, &one->message.body);
}

/* Once its octets are stored nothing of the composed message is needed: `held` is what the document
 * held before it was composed. */
static bool store_one(many *m, mail *one, size_t held)
{
    document *d = m->call->document;
    bool ok = fill_message(m, one);
    size_t kept = OF_A_MAIL + (one->message.body.data ? (size_t)one->message.body.size : 0);

    request_forget_message(one->request);
    document_let_go(d, held);
    m->octets += kept;
    m->made++;
    return ok && document_hold(d, kept);
}

static bool keep_one(many *m, mail *one, size_t held)
{
    one->message_id = strdup(mime_message_id(one->request->message));
    if (!one->message_id)
        return false;
    if (m->call->plan.dry)
        return true;
    if (!m->call->sync)
        return store_one(m, one, held);
    one->reader = mime_reader_create(one->request->message);
    return one->reader != NULL;
}

/* One draft becomes a mail, or is refused: then `result` says why, and `errors`. False: no memory,
 * or no room. */
static bool make(many *m, const templates *t, size_t i, request_result *result, faults *errors)
{
    const dialects_call *c = m->call;
    request_manner manner = c->sync ? REQUEST_DRAFT_ONE_OF_MANY_SENT : REQUEST_DRAFT_ONE_OF_MANY;
    size_t held = document_held(c->document);
    char id[IDS_LENGTH + 1];
    faults found;

    *result = REQUEST_INVALID;
    if (!c->plan.drafts[i].message)
        return true;
    if (!ids_new(m->app->ids, id))
        return false;
    faults_init(&found);
    *result =
        request_create_draft(m->app->config, t, c->document, c->plan.drafts[i].message, id,
                             (time_t)(m->now / 1000000), manner, &m->mails[i].request, &found);
    dialects_map(c, i, &found, errors);
    faults_free(&found);
    if (*result == REQUEST_OK)
        return keep_one(m, &m->mails[i], held);
    document_let_go(c->document, held); /* what was rendered is gone */
    return *result != REQUEST_NOMEM && *result != REQUEST_STOPPED && !errors->failed;
}

/* There is no room for one more. By those that there were, would there be for all of them, were no
 * other request here? */
static void refuse_full(many *m)
{
    if (m->made == 0 || m->octets / m->made * m->count < m->app->config->max_memory)
        refuse(m, PROBLEM_STORAGE, NO_ROOM, NULL);
    else
        refuse(m, PROBLEM_TOO_LARGE,
               "The composed messages have more octets than POSTERN_MAX_MEMORY allows: send them "
               "in several requests.",
               NULL);
}

/* False: it is all over, and answered. */
static bool make_all(many *m)
{
    dialect_plan *p = &m->call->plan;
    templates *t = templates_now(m->app->templates);
    request_result worst = REQUEST_OK, result;
    bool ok = true;

    for (size_t i = 0; i < m->count && ok; i++) {
        mail *one = &m->mails[i];
        faults *errors = p->each ? &p->drafts[i].errors : &p->errors;
        ok = make(m, t, i, &result, errors);
        if (!ok || result == REQUEST_OK)
            continue;
        worst = worst == REQUEST_OK ? result : worst;
        if (p->each)
            tell_refused(m, one, unfit[result].kind, unfit[result].detail, errors);
    }
    templates_drop(t);
    if (ok && (p->each || worst == REQUEST_OK))
        return true;
    if (ok)
        refuse(m, unfit[worst].kind, unfit[worst].detail, &p->errors);
    else
        refuse_full(m);
    return false;
}

/* ---- to the relays ---- */

static void all_sent(many *m)
{
    if (write_answer(m))
        end(m, 200);
    else
        refuse(m, PROBLEM_MEMORY, "The transactions could not be kept.", NULL);
}

/* On a sender's thread. */
static void one_sent(void *ctx, smtp_result *result)
{
    mail *one = ctx;
    many *m = one->all;
    buf said = BUF_INIT;

    if (result) {
        job_finished(m->app, one->request, result);
        answer a = answer_send(one->request, result, &said);
        one->refused = a.status >= 400;
    }
    if (!result || !buf_ok(&said) || said.len == 0) {
        tell_refused(m, one, PROBLEM_MEMORY, "The transaction could not be kept.", NULL);
    } else {
        buf_adds(&one->told, one->refused ? "{\"problem\":" : "");
        buf_add(&one->told, said.data, said.len);
        buf_adds(&one->told, one->refused ? "}" : "");
    }
    buf_free(&said);
    smtp_result_free(result);
    job_leave(m->app);
    if (atomic_fetch_sub(&m->left, 1) == 1)
        all_sent(m);
}

/* False: it is told that nothing was sent. */
static bool submit(many *m, mail *one)
{
    if (!job_enter(m->app)) {
        tell_refused(m, one, PROBLEM_BUSY, JOB_FULL, NULL);
        return false;
    }
    smtp_transaction t = job_transaction(m->app, one->request, one->reader, one_sent, one);
    if (smtp_sender_submit(m->app->sender, &t))
        return true;
    job_leave(m->app);
    tell_refused(m, one, PROBLEM_DRAINING, "The sender takes no transaction now.", NULL);
    return false;
}

static void send_all(many *m)
{
    job_leave(m->app);
    m->placed = false;
    atomic_store(&m->left, 1); /* nobody ends it before all are submitted */
    for (size_t i = 0; i < m->count; i++) {
        mail *one = &m->mails[i];
        if (is_told(one))
            continue;
        atomic_fetch_add(&m->left, 1);
        if (!submit(m, one))
            atomic_fetch_sub(&m->left, 1);
    }
    if (atomic_fetch_sub(&m->left, 1) == 1)
        all_sent(m);
}

/* ---- into the queue ---- */

static void end_suppressed(many *m)
{
    if (m->call->plan.each)
        end(m, 202);
    else {
        faults told = m->suppressed;
        faults_init(&m->suppressed);
        refuse(m, PROBLEM_SUPPRESSED, "Nothing is sent to any of the recipients.", &told);
        faults_free(&told);
    }
}

static void put_done(queue_op *op)
{
    many *m = op->ctx;

    outbox_ended(m->app->outbox, op);
    if (op->outcome == QUEUE_OK && m->kept == 0) {
        end_suppressed(m);
        return;
    }
    if (op->outcome == QUEUE_OK) {
        deliver_wake(outbox_deliver(m->app->outbox));
        end(m, 202);
        return;
    }
    answer_op(m, true);
}

static bool prepare_put(many *m)
{
    m->messages = calloc(m->count, sizeof *m->messages);
    m->tags = calloc(m->count, sizeof *m->tags);
    m->kept = 0;
    for (size_t i = 0; m->messages && m->tags && i < m->count; i++) {
        mail *one = &m->mails[i];
        if (is_told(one))
            continue;
        one->message.recipients =
            messages_recipients(one->request, m->marks ? m->marks + one->first : NULL);
        if (!one->message.recipients)
            return false;
        m->messages[m->kept] = one->message;
        m->tags[m->kept++] = one->request->delivery.tags;
    }
    return m->messages && m->tags;
}

static void put(many *m)
{
    if (!prepare_put(m)) {
        refuse(m, PROBLEM_MEMORY, NO_MEMORY, NULL);
        return;
    }
    /* With a key the answer may have been given before: it is asked for all the same. */
    if (m->kept == 0 && !m->key) {
        end_suppressed(m);
        return;
    }
    queue_op_clear(&m->op);
    m->op = (queue_op){
        .kind = QUEUE_PUT,
        .done = put_done,
        .ctx = m,
        .in.put = {.messages = m->messages, .count = m->kept, .tags = m->tags, .list = ""}};
    if (m->key)
        m->op.in.put.key = (queue_key){.key = idempotency_key(m->key),
                                       .fingerprint = idempotency_fingerprint(m->key),
                                       .keep_until = m->now + IDEMPOTENCY_KEPT,
                                       .status = 202,
                                       .answer = buf_cstr(&m->answer)};
    if (!outbox_submit(m->app->outbox, &m->op))
        answer_op(m, false);
}

/* ---- who is left out ---- */

/* Mails whose recipients are all suppressed are told so. */
static void leave_out(many *m)
{
    for (size_t i = 0; i < m->count; i++) {
        mail *one = &m->mails[i];
        size_t out = 0, count = one->request ? one->request->recipient_count : 0;
        faults own, *errors = m->call->plan.each ? &own : &m->suppressed;
        for (size_t k = 0; k < count; k++)
            out += is_marked(m, one, k);
        if (!count || out < count)
            continue;
        faults_init(&own);
        for (size_t k = 0; k < count; k++) {
            char pointer[FAULTS_POINTER_MAX], at[FAULTS_POINTER_MAX] = "";
            request_pointer(one->request, k, pointer);
            m->call->place->endpoint->origin(&m->call->body, i, pointer, at);
            faults_add(errors, at, "suppressed", "Nothing is sent to %s: %s.",
                       one->request->recipients[k],
                       suppress_reason(&m->op, m->addresses[one->first + k]));
        }
        tell_refused(m, one, PROBLEM_SUPPRESSED, "Nothing is sent to any of the recipients.",
                     errors);
        faults_free(&own);
    }
}

/* A relay is asked for those that are left. */
static bool take_off(many *m)
{
    for (size_t i = 0; i < m->count; i++) {
        mail *one = &m->mails[i];
        if (!is_told(one) && m->marks && !request_take_off(one->request, m->marks + one->first))
            return false;
    }
    return true;
}

static void go_on(many *m)
{
    if (m->call->sync) {
        if (take_off(m))
            send_all(m);
        else
            refuse(m, PROBLEM_MEMORY, NO_MEMORY, NULL);
    } else if (write_answer(m)) {
        put(m);
    } else {
        refuse(m, PROBLEM_MEMORY, NO_MEMORY, NULL);
    }
}

static void looked_up(queue_op *op)
{
    many *m = op->ctx;

    outbox_ended(m->app->outbox, op);
    if (op->outcome != QUEUE_OK) {
        answer_op(m, true);
        return;
    }
    if (suppress_mark(op, m->addresses, m->address_count, m->marks) > 0)
        leave_out(m);
    if (m->suppressed.failed)
        refuse(m, PROBLEM_MEMORY, NO_MEMORY, NULL);
    else
        go_on(m);
}

static bool gather_addresses(many *m)
{
    size_t n = 0;
    for (size_t i = 0; i < m->count; i++) {
        m->mails[i].first = n;
        n += m->mails[i].request ? m->mails[i].request->recipient_count : 0;
    }
    m->address_count = n;
    m->recipients = calloc(n + 1, sizeof *m->recipients);
    m->marks = calloc(n + 1, sizeof *m->marks);
    for (size_t i = 0; m->recipients && i < m->count; i++) {
        const request *r = m->mails[i].request;
        for (size_t k = 0; r && k < r->recipient_count; k++)
            m->recipients[m->mails[i].first + k] = r->recipients[k];
    }
    m->addresses = m->recipients ? suppress_addresses(m->recipients, n) : NULL;
    return m->addresses && m->marks;
}

/* Mails of one request are of one list, if any is of one. */
static const char *list_of(const many *m)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->mails[i].request && m->mails[i].request->list[0])
            return m->mails[i].request->list;
    }
    return "";
}

/* Who has left a list gets nothing of it, whatever else is looked up. */
static void look_up(many *m)
{
    if (!m->app->outbox || (!m->app->config->suppression && !list_of(m)[0])) {
        go_on(m);
        return;
    }
    if (!gather_addresses(m)) {
        refuse(m, PROBLEM_MEMORY, NO_MEMORY, NULL);
        return;
    }
    m->op = (queue_op){
        .kind = QUEUE_SUPPRESSED,
        .done = looked_up,
        .ctx = m,
        .in.suppress = {.addresses = (const char *const *)m->addresses, .list = list_of(m)}};
    if (!outbox_submit(m->app->outbox, &m->op))
        answer_op(m, false);
}

static void compose(void *ctx)
{
    many *m = ctx;
    dialects_call *c = m->call;

    c->mapped = true;
    if (!make_all(m))
        return;
    if (c->plan.dry) {
        if (write_answer(m))
            end(m, 200);
        else
            refuse(m, PROBLEM_MEMORY, NO_MEMORY, NULL);
    } else {
        look_up(m);
    }
}

/* ---- the beginning ---- */

static many *many_create(dialects_call *c)
{
    many *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->call = c;
    m->app = c->app;
    m->exchange = c->exchange;
    m->key = http_exchange_key(c->exchange);
    m->now = clock_wall_us();
    m->count = c->plan.count;
    m->mails = calloc(m->count, sizeof *m->mails);
    m->placed = true;
    m->task = (worker_task){.run = compose, .ctx = m};
    for (size_t i = 0; m->mails && i < m->count; i++) {
        m->mails[i].all = m;
        m->mails[i].message.body.fd = -1;
    }
    if (m->mails && (!m->key || idempotency_end(m->key)))
        return m;
    many_free(m);
    return NULL;
}

void dialects_many(dialects_call *c)
{
    app *a = c->app;
    http_exchange *x = c->exchange;
    many *m = many_create(c);

    if (!m) {
        job_leave(a);
        http_problem(x, PROBLEM_MEMORY, NO_MEMORY, NULL);
        return;
    }
    if (c->sync && !c->plan.dry && (!c->plan.each || m->key)) {
        refuse(m, PROBLEM_BAD_REQUEST,
               m->key ? "Where the relays are waited for, several mails have no Idempotency-Key."
                      : "Where the relay is waited for, a request is one mail: of several some "
                        "may be sent and others not, which this answer can't tell. Send them one "
                        "by one, or through the queue.",
               NULL);
        return;
    }
    http_suspend(x);
    if (!worker_do(a->worker, &m->task))
        refuse(m, PROBLEM_DRAINING, "This instance is shutting down.", NULL);
}
