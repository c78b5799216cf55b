/*
 * check - the route /v1/check: walks a relay step by step.
 *
 * The body is optional: {"relay": name, "from": address}. Without "from", POSTERN_FROM's default
 * stands in MAIL FROM; without that one, the walk ends behind AUTH.
 */
#include <stdlib.h>
#include <string.h>

#include "service/answer.h"
#include "service/job.h"
#include "service/routes.h"

typedef struct check_job {
    app *app;
    http_exchange *exchange;
    const smtp_relay *relay;
    mime_mailbox from;
} check_job;

static void job_free(check_job *job)
{
    mime_mailbox_clear(&job->from);
    free(job);
}

static void check_done(void *ctx, smtp_result *result)
{
    check_job *job = ctx;
    app *a = job->app;
    http_exchange *x = job->exchange;
    buf content = BUF_INIT;
    answer said = {0};

    if (result)
        said = answer_check(http_exchange_id(x), job->relay, result, &content);
    /* First all is given back, as in send.c. */
    smtp_result_free(result);
    job_free(job);
    job_leave(a);
    if (said.status)
        http_answer(x, said.status, said.content_type, said.retry_after, &content);
    else
        http_problem(x, PROBLEM_MEMORY, "The check could not be kept.", NULL);
}

static void read_relay(const app *a, const json_t *value, check_job *job, faults *errors)
{
    job->relay = json_is_string(value) ? config_relay(a->config, json_string_value(value)) : NULL;
    if (!json_is_string(value))
        faults_add(errors, "/relay", "wrong_type", "Must be a string.");
    else if (!job->relay)
        faults_add(errors, "/relay", "unknown_relay", "No relay of this name is configured.");
}

static void read_from(const json_t *value, check_job *job, faults *errors)
{
    const char *reason = NULL;
    if (!json_is_string(value))
        faults_add(errors, "/from", "wrong_type", "Must be a string.");
    else if (!mime_mailbox_parse(json_string_value(value), json_string_length(value), &job->from,
                                 &reason))
        faults_add(errors, "/from", "address", "Not a valid address: %s.",
                   reason ? reason : "no memory");
}

static void read_document(const app *a, const json_t *root, check_job *job, faults *errors)
{
    const char *key;
    json_t *value;

    if (json_is_null(root))
        return;
    if (!json_is_object(root)) {
        faults_add(errors, "", "wrong_type", "Must be an object.");
        return;
    }
    json_object_foreach((json_t *)root, key, value)
    {
        if (json_is_null(value))
            continue;
        if (strcmp(key, "relay") == 0)
            read_relay(a, value, job, errors);
        else if (strcmp(key, "from") == 0)
            read_from(value, job, errors);
        else
            faults_unknown(errors, "", key);
    }
}

/* False, and the exchange answered, if the body is not a request. */
static bool read_body(app *a, http_exchange *x, check_job *job)
{
    faults errors;

    if (http_received(x) == 0)
        return true;
    document *d = http_exchange_document(x);
    if (!d)
        return false;
    faults_init(&errors);
    read_document(a, document_root(d), job, &errors);
    bool ok = errors.total == 0;
    if (!ok)
        http_problem(x, PROBLEM_INVALID,
                     "Each of the errors names a member and what is wrong with it.", &errors);
    document_free(d);
    faults_free(&errors);
    return ok;
}

void check_handle(app *a, http_exchange *x)
{
    check_job *job = calloc(1, sizeof *job);
    if (!job) {
        http_problem(x, PROBLEM_MEMORY, "The check could not be kept.", NULL);
        return;
    }
    job->app = a;
    job->exchange = x;
    if (!read_body(a, x, job)) {
        job_free(job);
        return;
    }
    if (!job->relay)
        job->relay = config_relay(a->config, "default");
    if (!job->relay || !job_enter(a)) {
        if (!job->relay)
            http_problem(x, PROBLEM_NO_RELAY, "Set POSTERN_RELAY, or name one of the relays.",
                         NULL);
        else
            http_problem(x, PROBLEM_BUSY, "Too many transactions are under way.", NULL);
        job_free(job);
        return;
    }
    smtp_check check = {
        .id = http_exchange_id(x),
        .relay = job->relay,
        .reverse_path = job->from.address ? job->from.address : a->config->senders.fallback.address,
        .timeout_us = a->config->timeout_us,
        .transcript = true,
        .done = check_done,
        .ctx = job,
    };
    http_suspend(x);
    if (!smtp_sender_check(a->sender, &check)) {
        job_leave(a);
        job_free(job);
        http_problem(x, PROBLEM_MEMORY, "The sender takes no check now.", NULL);
    }
}
