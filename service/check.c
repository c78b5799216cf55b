/*
 * check - the route /v1/check: walks a relay step by step, or asks DNS about a domain.
 *
 * With {"domain": name, "selectors": […], "addresses": […], "relay": name} the answer is what DNS
 * says of the domain (domain.h), found out on a thread of its own kind: nobody else waits for it.
 *
 * The body is optional: {"relay": name, "from": address}. Without "from", POSTERN_FROM's default
 * stands in MAIL FROM; without that one, the walk ends behind AUTH.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "service/answer.h"
#include "service/domain_request.h"
#include "service/features.h"
#include "service/job.h"
#include "service/routes.h"

#define ASKING_MOST 16u /* domains at once, before 503 */

typedef struct check_job {
    worker_task task; /* asking DNS */
    int64_t until;
    domain_request domain; /* its domain is NULL where the relay is walked */
    app *app;
    http_exchange *exchange;
    const smtp_relay *relay;
    mime_mailbox from;
} check_job;

static void job_free(check_job *job)
{
    if (WITH_DNS)
        domain_request_clear(&job->domain);
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

static void read_domain(const json_t *value, check_job *job, faults *errors)
{
    const char *fault = json_is_string(value)
                            ? domain_request_domain(&job->domain, json_string_value(value))
                            : NULL;

    if (!json_is_string(value))
        faults_add(errors, "/domain", "wrong_type", "Must be a string.");
    else if (fault)
        faults_add(errors, "/domain", "domain", "Not a domain to check: %s.", fault);
}

typedef const char *add_part(domain_request *r, const char *s);

static void read_list(const json_t *list, const char *parent, const char *code, add_part *add,
                      check_job *job, faults *errors)
{
    const json_t *item;
    size_t i;

    if (!json_is_array(list)) {
        faults_add(errors, parent, "wrong_type", "Must be a list of strings.");
        return;
    }
    json_array_foreach(list, i, item)
    {
        char pointer[FAULTS_POINTER_MAX];
        const char *fault =
            json_is_string(item) ? add(&job->domain, json_string_value(item)) : NULL;
        faults_item_pointer(pointer, parent, i);
        if (!json_is_string(item))
            faults_add(errors, pointer, "wrong_type", "Must be a string.");
        else if (fault)
            faults_add(errors, pointer, code, "Can't be checked: %s.", fault);
    }
}

/* What asks about a domain; false: it is another member. */
static bool read_of_domain(const char *key, const json_t *value, check_job *job, faults *errors)
{
    char pointer[FAULTS_POINTER_MAX];
    bool domain = strcmp(key, "domain") == 0, selectors = strcmp(key, "selectors") == 0,
         addresses = strcmp(key, "addresses") == 0;

    faults_member(pointer, "", key);
    if (!WITH_DNS && (domain || selectors || addresses))
        faults_add(errors, pointer, "left_out", "This " LEAN_HAS_NO "checks of domains.");
    else if (domain)
        read_domain(value, job, errors);
    else if (selectors)
        read_list(value, pointer, "selector", domain_request_selector, job, errors);
    else if (addresses)
        read_list(value, pointer, "address", domain_request_address, job, errors);
    return domain || selectors || addresses;
}

/* What is of a domain has no meaning for the walk, nor the other way round. */
static void compare_members(const json_t *root, const check_job *job, faults *errors)
{
    static const char *const of_domain[] = {"selectors", "addresses"};

    if (json_object_get(root, "domain")) {
        if (job->from.address)
            faults_add(errors, "/from", "conflict",
                       "Nothing is tried as a sender where DNS is asked.");
        return;
    }
    for (size_t i = 0; i < sizeof of_domain / sizeof *of_domain; i++) {
        char pointer[FAULTS_POINTER_MAX];
        const json_t *value = json_object_get(root, of_domain[i]);
        faults_member(pointer, "", of_domain[i]);
        if (value && !json_is_null(value))
            faults_add(errors, pointer, "conflict", "Is for a domain, and none is named.");
    }
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
        else if (!read_of_domain(key, value, job, errors))
            faults_unknown(errors, "", key);
    }
    if (WITH_DNS)
        compare_members(root, job, errors);
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

/* ---- a domain ---- */

/* On an asker's thread. */
static void ask(void *ctx)
{
    check_job *job = ctx;
    app *a = job->app;
    http_exchange *x = job->exchange;
    buf content = BUF_INIT;
    json_t *found = domain_request_run(&job->domain, a->config, a->dns_cache, job->until);
    char *text = NULL;

    if (found && json_object_set_new(found, "id", json_string(http_exchange_id(x))) == 0)
        text = json_dumps(found, JSON_COMPACT);
    if (text) {
        buf_adds(&content, text);
        buf_addc(&content, '\n');
    }
    free(text);
    json_decref(found);
    job_free(job);
    (void)atomic_fetch_sub(&a->asking, 1);
    if (content.len > 0 && buf_ok(&content))
        http_answer(x, 200, "application/json", 0, &content);
    else {
        buf_free(&content);
        http_problem(x, PROBLEM_MEMORY, "The check could not be kept.", NULL);
    }
}

static void check_domain(check_job *job)
{
    app *a = job->app;
    http_exchange *x = job->exchange;

    if (atomic_fetch_add(&a->asking, 1) >= ASKING_MOST) {
        (void)atomic_fetch_sub(&a->asking, 1);
        job_free(job);
        http_problem(x, PROBLEM_BUSY, "Too many domains are being checked.", NULL);
        return;
    }
    int64_t most = a->config->timeout_us < DOMAIN_TIME_US ? a->config->timeout_us : DOMAIN_TIME_US;
    job->until = clock_us() + most; /* waiting for a thread included */
    job->domain.relay = job->relay;
    job->task = (worker_task){NULL, ask, job};
    http_suspend(x);
    if (!worker_do(a->asker, &job->task)) {
        (void)atomic_fetch_sub(&a->asking, 1);
        job_free(job);
        http_problem(x, PROBLEM_DRAINING, "This instance is shutting down.", NULL);
    }
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
    if (WITH_DNS && job->domain.domain) {
        check_domain(job);
        return;
    }
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
