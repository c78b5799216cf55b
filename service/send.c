/*
 * send - the routes /v1/send and /v1/compose: JSON to message, and on to the relay or back to the
 * caller.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lint/lint.h"
#include "service/answer.h"
#include "service/composed_json.h"
#include "service/features.h"
#include "service/guard.h"
#include "service/job.h"
#include "service/routes.h"

#define NOT_SIGNED "There is no room to sign the message, or what of it is stored can't be read."

typedef struct send_job {
    worker_task task; /* signing it */
    app *app;
    http_exchange *exchange;
    request *request;
    mime_reader *reader;
    guard *guard; /* NULL: it needs none, or there is no queue that it would ask */
} send_job;

static guard *guard_of(const send_job *job)
{
    return WITH_QUEUE ? job->guard : NULL;
}

/* The request's document has the memory of all of it. */
static void job_free(send_job *job)
{
    request *r = job->request;
    mime_reader_free(job->reader);
    arena_free(r->memory, job);
    request_free(r);
}

request *send_read_request(app *a, http_exchange *x, bool queued)
{
    document *d = http_exchange_document(x);
    request *r = NULL;
    faults errors;

    if (!d)
        return NULL;
    faults_init(&errors);
    templates *t = WITH_TEMPLATES ? templates_now(a->templates) : NULL;
    request_result result =
        request_create_late(a->config, t, d, http_exchange_id(x), time(NULL), queued, &r, &errors);
    if (WITH_TEMPLATES)
        templates_drop(t);
    if (result != REQUEST_OK)
        send_answer_fault(x, result, &errors);
    faults_free(&errors);
    return r;
}

void send_answer_fault(http_exchange *x, request_result result, const faults *errors)
{
    switch (result) {
    case REQUEST_OK: break;
    case REQUEST_INVALID:
        http_problem(x, PROBLEM_INVALID,
                     "Each of the errors names a member and what is wrong with it.", errors);
        break;
    case REQUEST_FORBIDDEN:
        http_problem(x, PROBLEM_SENDER_FORBIDDEN,
                     "This gateway sends for the addresses and domains of POSTERN_FROM only.",
                     errors);
        break;
    case REQUEST_NOMEM:
    case REQUEST_STOPPED:
        http_problem(x, PROBLEM_MEMORY, "The message could not be kept.", NULL);
        break;
    }
}

/* On a sender's thread: the relay has spoken. */
static void send_done(void *ctx, smtp_result *result)
{
    send_job *job = ctx;
    app *a = job->app;
    http_exchange *x = job->exchange;
    guard *g = guard_of(job);
    bool unknown = result && result->outcome == SMTP_UNKNOWN;
    buf content = BUF_INIT;
    answer said = {0};

    if (result) {
        job_finished(a, job->request, result);
        said = answer_send(job->request, result, &content);
    }
    if (g && result)
        guard_learn(g, job->request, result);
    /* First all is given back: who sends one mail after the other must find room for the next. */
    smtp_result_free(result);
    job_free(job);
    job_leave(a);
    if (g)
        guard_finish(g, &said, unknown, &content);
    else if (said.status)
        http_answer(x, said.status, said.content_type, said.retry_after, &content);
    else
        http_problem(x, PROBLEM_MEMORY, "The transaction could not be kept.", NULL);
}

/* Nothing is sent. */
static void give_up(send_job *job, problem_kind kind, const char *detail)
{
    app *a = job->app;
    http_exchange *x = job->exchange;
    guard *g = guard_of(job);

    job_free(job);
    job_leave(a);
    if (g)
        guard_abandon(g, kind, detail);
    else
        http_problem(x, kind, detail, NULL);
}

static void submit(send_job *job)
{
    app *a = job->app;
    smtp_transaction transaction = job_transaction(a, job->request, job->reader, send_done, job);

    if (!smtp_sender_submit(a->sender, &transaction))
        give_up(job, atomic_load(&a->draining) ? PROBLEM_DRAINING : PROBLEM_MEMORY,
                "The sender takes no transaction now.");
}

/* The guard has looked: on a thread of the queue. */
static void decided(void *ctx, bool go)
{
    send_job *job = ctx;
    app *a = job->app;
    guard *g = job->guard;

    if (go) {
        submit(job);
        return;
    }
    job_free(job);
    job_leave(a);
    guard_refuse(g);
}

static void go_on(send_job *job)
{
    if (guard_of(job))
        guard_start(job->guard, decided, job);
    else
        submit(job);
}

/* On a worker's thread. */
static void sign_job(void *ctx)
{
    send_job *job = ctx;

    if (request_sign(job->app->config, job->request))
        go_on(job);
    else
        give_up(job, PROBLEM_STORAGE, NOT_SIGNED);
}

/* Takes over the request; NULL: no memory, and it is freed. */
static send_job *job_create(app *a, http_exchange *x, request *r)
{
    idempotency *key = WITH_QUEUE ? http_exchange_key(x) : NULL;
    send_job *job = arena_alloc(r->memory, sizeof *job);
    mime_reader *reader = mime_reader_create_in(r->memory, r->message);
    bool guarded = WITH_QUEUE && guard_needed(a, r, key);
    guard *g = job && reader && guarded ? guard_create(a, x, r, key) : NULL;

    if (job && reader && (g || !guarded)) {
        *job = (send_job){{NULL, sign_job, job}, a, x, r, reader, g};
        return job;
    }
    if (WITH_QUEUE && (!guarded || !job || !reader))
        idempotency_free(key);
    mime_reader_free(reader);
    arena_free(r->memory, job);
    request_free(r);
    return NULL;
}

bool send_enter(app *a, http_exchange *x)
{
    if (a->config->relay_count == 0)
        http_problem(x, PROBLEM_NO_RELAY, "Set POSTERN_RELAY to be able to send.", NULL);
    else if (!job_enter(a))
        http_problem(x, PROBLEM_BUSY, JOB_FULL, NULL);
    else
        return true;
    return false;
}

void send_request(app *a, http_exchange *x, request *r)
{
    send_job *job = job_create(a, x, r);
    if (!job) {
        http_problem(x, PROBLEM_MEMORY, "The message could not be kept.", NULL);
        job_leave(a);
        return;
    }
    http_suspend(x);
    if (!WITH_DKIM || !r->to_sign)
        go_on(job);
    else if (!worker_do(a->worker, &job->task))
        give_up(job, PROBLEM_DRAINING, "This instance is shutting down.");
}

void send_handle(app *a, http_exchange *x)
{
    if (!send_enter(a, x))
        return;
    request *r = send_read_request(a, x, false);
    if (r)
        send_request(a, x, r);
    else
        job_leave(a);
}

/* ---- /v1/compose ---- */

typedef struct composed {
    worker_task task; /* signing it */
    app *app;
    http_exchange *exchange;
    request *request;
    mime_reader *reader;
    composed_json *json; /* NULL: the message is the answer as it is */
} composed;

static size_t read_composed(void *ctx, char *out, size_t cap)
{
    const composed *c = ctx;
    return c->json ? composed_json_read(c->json, out, cap) : mime_reader_read(c->reader, out, cap);
}

static void free_composed(void *ctx)
{
    composed *c = ctx;
    composed_json_free(c->json);
    mime_reader_free(c->reader);
    request_free(c->request);
    free(c);
}

/* Of clients that say they take anything too, as HTTP libraries do, most want the message. */
static bool wants_json(http_exchange *x)
{
    const char *accepted = http_header(x, "Accept");
    return accepted && strcasestr(accepted, "application/json") && !strstr(accepted, "*/*") &&
           !strcasestr(accepted, "message/");
}

static void answer_composed(composed *c)
{
    const request *r = c->request;
    char counts[HTTP_HEADER_MAX + 1];
    http_exchange *x = c->exchange;
    bool json = wants_json(x);

    if (json)
        c->json = composed_json_create(c->reader, r->lint);
    if (json && !c->json) {
        free_composed(c);
        http_problem(x, PROBLEM_MEMORY, "The message could not be read again.", NULL);
        return;
    }
    if (r->lint) {
        (void)snprintf(counts, sizeof counts, "errors=%zu, warnings=%zu, notes=%zu",
                       r->lint_of[LINT_ERROR], r->lint_of[LINT_WARNING], r->lint_of[LINT_NOTE]);
        http_set_header(x, "Postern-Lint", counts);
    }
    const http_stream stream = {read_composed, free_composed, c,
                                json ? composed_json_size(c->json) : mime_message_size(r->message)};
    http_set_header(x, "Vary", "Accept");
    http_answer_stream(x, json ? "application/json" : "message/rfc822", &stream);
}

/* On a worker's thread. */
static void sign_composed(void *ctx)
{
    composed *c = ctx;
    http_exchange *x = c->exchange;

    if (request_sign(c->app->config, c->request)) {
        answer_composed(c);
        return;
    }
    free_composed(c);
    http_problem(x, PROBLEM_STORAGE, NOT_SIGNED, NULL);
}

void compose_handle(app *a, http_exchange *x)
{
    request *r = send_read_request(a, x, false);
    if (!r)
        return;
    mime_reader *reader = mime_reader_create(r->message);
    composed *c = reader ? malloc(sizeof *c) : NULL;
    if (!c) {
        mime_reader_free(reader);
        request_free(r);
        http_problem(x, PROBLEM_MEMORY, "The message could not be kept.", NULL);
        return;
    }
    *c = (composed){{NULL, sign_composed, c}, a, x, r, reader, NULL};
    if (!WITH_DKIM || !r->to_sign) {
        answer_composed(c);
        return;
    }
    http_suspend(x);
    if (!worker_do(a->worker, &c->task)) {
        free_composed(c);
        http_problem(x, PROBLEM_DRAINING, "This instance is shutting down.", NULL);
    }
}
