/* Tests of service/metrics: what a scrape reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>
#include <stdio.h>

#include <cmocka.h>

#include "service/metrics.h"

static const char *const ROUTES[] = {"/v1/send", "/metrics", "other"};

typedef struct fixture {
    smtp_relay *relays[2];
    metrics *metrics;
    buf text;
} fixture;

static int set_up(void **state)
{
    static fixture f;
    char *error = NULL;
    f = (fixture){0};
    f.relays[0] = smtp_relay_create("default", "smtp://mail.example.com:587", &error);
    f.relays[1] = smtp_relay_create("bulk", "smtp://bulk.example.com:587", &error);
    assert_non_null(f.relays[0]);
    assert_non_null(f.relays[1]);
    f.metrics = metrics_create(ROUTES, 3, (const smtp_relay *const *)f.relays, 2);
    assert_non_null(f.metrics);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    metrics_free(f->metrics);
    smtp_relay_free(f->relays[0]);
    smtp_relay_free(f->relays[1]);
    buf_free(&f->text);
    return 0;
}

static const char *scrape(fixture *f)
{
    buf_clear(&f->text);
    metrics_write(f->metrics, NULL, NULL, &f->text);
    return buf_cstr(&f->text);
}

/* True if that is one of the lines. */
static bool has(const char *text, const char *line)
{
    size_t len = strlen(line);
    for (const char *at = text; at; at = strchr(at, '\n'), at = at ? at + 1 : NULL)
        if (strncmp(at, line, len) == 0 && at[len] == '\n')
            return true;
    return false;
}

static void requests_are_counted_by_route_and_status(void **state)
{
    fixture *f = *state;
    metrics_request(f->metrics, 0, 200, 1500);
    metrics_request(f->metrics, 0, 200, 1000);
    metrics_request(f->metrics, 0, 422, 70000000);
    metrics_request(f->metrics, 2, 299, 0);
    metrics_request(f->metrics, 3, 200, 0); /* no such route */
    const char *text = scrape(f);
    assert_true(has(text, "postern_http_requests_total{route=\"/v1/send\",status=\"200\"} 2"));
    assert_true(has(text, "postern_http_requests_total{route=\"/v1/send\",status=\"422\"} 1"));
    assert_true(has(text, "postern_http_requests_total{route=\"other\",status=\"other\"} 1"));
    assert_null(strstr(text, "status=\"404\""));
}

static void a_histogram_is_cumulative_and_sums_seconds(void **state)
{
    fixture *f = *state;
#define BUCKET(le, n) "postern_http_request_seconds_bucket{route=\"/v1/send\",le=\"" le "\"} " n
    metrics_request(f->metrics, 0, 200, 1500);
    metrics_request(f->metrics, 0, 200, 1000); /* a bound belongs to its bucket */
    metrics_request(f->metrics, 0, 200, 70000000);
    metrics_request(f->metrics, 0, 200, -1);
    const char *text = scrape(f);
    assert_true(has(text, BUCKET("0.001", "2")));
    assert_true(has(text, BUCKET("0.0025", "3")));
    assert_true(has(text, BUCKET("60", "3")));
    assert_true(has(text, BUCKET("+Inf", "4")));
    assert_true(has(text, "postern_http_request_seconds_sum{route=\"/v1/send\"} 70.002500"));
    assert_true(has(text, "postern_http_request_seconds_count{route=\"/v1/send\"} 4"));
    assert_true(has(text, "postern_http_request_seconds_count{route=\"/metrics\"} 0"));
}

static smtp_result result_of(smtp_outcome outcome, smtp_category category, int code)
{
    smtp_result r = {.outcome = outcome};
    r.fault.category = category;
    r.reply.code = code;
    return r;
}

static void transactions_are_counted_by_relay_category_and_code(void **state)
{
    fixture *f = *state;
#define TRANSACTIONS(relay, category, code)                                                        \
    "postern_transactions_total{relay=\"" relay "\",category=\"" category "\",code=\"" code "\"} "
    assert_true(has(scrape(f), TRANSACTIONS("bulk", "none", "250") "0"));
    static const struct {
        smtp_outcome outcome;
        smtp_category category;
        int code;
    } seen[] = {
        {SMTP_SENT, SMTP_CATEGORY_NONE, 250},         {SMTP_SENT, SMTP_CATEGORY_NONE, 250},
        {SMTP_SENT, SMTP_CATEGORY_NONE, 251},         {SMTP_NOT_SENT, SMTP_CATEGORY_AUTH, 535},
        {SMTP_NOT_SENT, SMTP_CATEGORY_NETWORK, 0},    {SMTP_NOT_SENT, SMTP_CATEGORY_PROTOCOL, 599},
        {SMTP_NOT_SENT, SMTP_CATEGORY_PROTOCOL, 200}, {SMTP_NOT_SENT, SMTP_CATEGORY_PROTOCOL, 600},
        {SMTP_NOT_SENT, SMTP_CATEGORY_PROTOCOL, 199}, {SMTP_NOT_SENT, SMTP_CATEGORY_PROTOCOL, -1},
    };
    for (size_t i = 0; i < sizeof seen / sizeof *seen; i++) {
        smtp_result r = result_of(seen[i].outcome, seen[i].category, seen[i].code);
        metrics_transaction(f->metrics, 1, &r, 100);
        metrics_transaction(f->metrics, 2, &r, 100); /* no such relay */
    }
    metrics_transaction(f->metrics, 1, NULL, 100);
    const char *text = scrape(f);
    assert_true(has(text, TRANSACTIONS("bulk", "none", "250") "2"));
    assert_true(has(text, TRANSACTIONS("bulk", "none", "251") "1"));
    assert_true(has(text, TRANSACTIONS("bulk", "auth", "535") "1"));
    assert_true(has(text, TRANSACTIONS("bulk", "network", "0") "1"));
    assert_true(has(text, TRANSACTIONS("bulk", "protocol", "599") "1"));
    assert_true(has(text, TRANSACTIONS("bulk", "protocol", "200") "1"));
    assert_true(has(text, TRANSACTIONS("bulk", "protocol", "0") "3"));
    assert_true(has(text, TRANSACTIONS("default", "none", "250") "0"));
    assert_true(has(text, "postern_message_bytes_total{relay=\"bulk\"} 300"));
    assert_true(has(text, "postern_message_bytes_total{relay=\"default\"} 0"));
}

static void recipients_count_as_accepted_only_if_the_message_was(void **state)
{
    fixture *f = *state;
    smtp_recipient_result recipients[4] = {
        {.accepted = true}, {.accepted = true}, {.reply = {.code = 550}}, {.reply = {.code = 0}}};
    smtp_result r = result_of(SMTP_PARTIAL, SMTP_CATEGORY_NONE, 250);
    r.recipients = recipients;
    r.recipient_count = 4;
    metrics_transaction(f->metrics, 0, &r, 1);
    r.outcome = SMTP_NOT_SENT;
    metrics_transaction(f->metrics, 0, &r, 1);
    const char *text = scrape(f);
    assert_true(has(text, "postern_recipients_total{relay=\"default\",result=\"accepted\"} 2"));
    assert_true(has(text, "postern_recipients_total{relay=\"default\",result=\"rejected\"} 2"));
}

static void refusals_are_counted_by_cause(void **state)
{
    fixture *f = *state;
    smtp_recipient_result recipients[3] = {
        {.accepted = true},
        {.reply = {.code = 550}, .cause = SMTP_CAUSE_UNKNOWN_USER},
        {.reply = {.code = 552}, .cause = SMTP_CAUSE_MAILBOX_FULL}};
    smtp_result r = result_of(SMTP_NOT_SENT, SMTP_CATEGORY_POLICY, 550);
#define REFUSALS(cause) "postern_refusals_total{relay=\"default\",cause=\"" cause "\"} "

    assert_null(strstr(scrape(f), "postern_refusals_total{"));
    r.fault.cause = SMTP_CAUSE_SPF;
    r.fault.stage = SMTP_STAGE_MAIL;
    metrics_transaction(f->metrics, 0, &r, 1);
    r.recipients = recipients; /* some refused, then the message: each counts */
    r.recipient_count = 3;
    r.fault.stage = SMTP_STAGE_BODY;
    metrics_transaction(f->metrics, 0, &r, 1);
    r.recipients++; /* all refused: what decides is one of them, and counts once */
    r.recipient_count = 2;
    r.fault.stage = SMTP_STAGE_RCPT;
    r.fault.cause = SMTP_CAUSE_UNKNOWN_USER;
    metrics_transaction(f->metrics, 0, &r, 1);
    r = result_of(SMTP_SENT, SMTP_CATEGORY_NONE, 250);
    metrics_transaction(f->metrics, 0, &r, 1);
    r.fault.cause = SMTP_CAUSE_COUNT; /* none of ours */
    metrics_transaction(f->metrics, 0, &r, 1);
    const char *text = scrape(f);
    assert_true(has(text, REFUSALS("spf") "2"));
    assert_true(has(text, REFUSALS("unknown_user") "2"));
    assert_true(has(text, REFUSALS("mailbox_full") "2"));
    assert_null(strstr(text, "cause=\"none\""));
    assert_null(strstr(text, REFUSALS("dkim")));
}

static void stages_that_did_not_happen_are_not_observed(void **state)
{
    fixture *f = *state;
#define STAGE(stage) "postern_stage_seconds_count{relay=\"default\",stage=\"" stage "\"} "
    smtp_result r = result_of(SMTP_SENT, SMTP_CATEGORY_NONE, 250);
    r.timing = (smtp_timing){.queued = 5, .session = 0, .envelope = 300, .body = 900};
    metrics_transaction(f->metrics, 0, &r, 1);
    const char *text = scrape(f);
    assert_true(has(text, STAGE("queued") "1"));
    assert_true(has(text, STAGE("session") "0"));
    assert_true(has(text, STAGE("envelope") "1"));
    assert_true(has(text, STAGE("body") "1"));
}

static void gauges_go_up_and_down(void **state)
{
    fixture *f = *state;
    metrics_requests_in_flight(f->metrics, 3);
    metrics_requests_in_flight(f->metrics, -1);
    metrics_transactions_in_flight(f->metrics, 1);
    metrics_transactions_in_flight(f->metrics, -1);
    const char *text = scrape(f);
    assert_true(has(text, "postern_requests_in_flight 2"));
    assert_true(has(text, "postern_transactions_in_flight 0"));
}

/* The value behind "name " at a line's start. */
static double value_of(const char *text, const char *name)
{
    char start[64];
    (void)snprintf(start, sizeof start, "\n%s ", name);
    const char *at = strstr(text, start);
    assert_non_null(at);
    return strtod(at + strlen(start), NULL);
}

static void the_process_is_described(void **state)
{
    fixture *f = *state;
    const char *text = scrape(f);
    assert_true(has(text, "postern_build_info{version=\"" POSTERN_VERSION "\"} 1"));
    assert_true(value_of(text, "process_resident_memory_bytes") > 100000);
    assert_true(value_of(text, "process_cpu_seconds_total") > 0);
    assert_true(value_of(text, "process_open_fds") >= 3);
    assert_true(value_of(text, "process_max_fds") >= value_of(text, "process_open_fds"));
    assert_true(value_of(text, "process_start_time_seconds") > 1.7e9);
}

/* Each sample's family is announced before it by HELP and TYPE, once. */
static void every_line_is_of_the_text_format(void **state)
{
    fixture *f = *state;
    metrics_request(f->metrics, 0, 200, 1500);
    char *copy = strdup(scrape(f)), *rest = copy, *line = NULL;
    char family[128] = "";
    while ((line = strsep(&rest, "\n")) && *line) {
        if (strncmp(line, "# HELP ", 7) == 0) {
            char again[160];
            (void)snprintf(family, sizeof family, "%.*s", (int)strcspn(line + 7, " "), line + 7);
            (void)snprintf(again, sizeof again, "# HELP %s ", family);
            assert_null(rest ? strstr(rest, again) : NULL);
        } else if (strncmp(line, "# TYPE ", 7) == 0) {
            assert_memory_equal(line + 7, family, strlen(family));
        } else {
            assert_memory_equal(line, family, strlen(family));
            const char *value = strrchr(line, ' ');
            char *end = NULL;
            assert_non_null(value);
            (void)strtod(value + 1, &end);
            assert_true(end > value + 1 && *end == '\0');
        }
    }
    assert_null(rest);
    assert_true(copy != line);
    free(copy);
}

static void no_relay_at_all_is_served_too(void **state)
{
    fixture *f = *state;
    metrics *m = metrics_create(ROUTES, 3, NULL, 0);
    assert_non_null(m);
    buf_clear(&f->text);
    metrics_write(m, NULL, NULL, &f->text);
    assert_true(buf_ok(&f->text));
    metrics_free(m);
}

#define ROUNDS 2000

static void *record(void *ctx)
{
    metrics *m = ctx;
    for (int i = 0; i < ROUNDS; i++) {
        smtp_result r = result_of(SMTP_NOT_SENT, (smtp_category)(i % SMTP_CATEGORY_COUNT), 450);
        metrics_request(m, 0, 200, i);
        metrics_transaction(m, 0, &r, 1);
        metrics_requests_in_flight(m, i % 2 ? -1 : 1);
    }
    return NULL;
}

static void threads_lose_no_count(void **state)
{
    fixture *f = *state;
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, record, f->metrics), 0);
    for (int i = 0; i < 20; i++)
        assert_non_null(scrape(f));
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    const char *text = scrape(f);
    assert_true(has(text, "postern_http_requests_total{route=\"/v1/send\",status=\"200\"} 8000"));
    assert_true(has(text, "postern_requests_in_flight 0"));
    uint64_t total = 0;
    static const char start[] = "postern_transactions_total{relay=\"default\"";
    for (const char *at = strstr(text, start); at; at = strstr(at + 1, start))
        total += strtoull(strchr(at, ' ') + 1, NULL, 10);
    assert_int_equal(total, 4 * ROUNDS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(requests_are_counted_by_route_and_status),
        TEST(a_histogram_is_cumulative_and_sums_seconds),
        TEST(transactions_are_counted_by_relay_category_and_code),
        TEST(refusals_are_counted_by_cause),
        TEST(recipients_count_as_accepted_only_if_the_message_was),
        TEST(stages_that_did_not_happen_are_not_observed),
        TEST(gauges_go_up_and_down),
        TEST(the_process_is_described),
        TEST(every_line_is_of_the_text_format),
        TEST(no_relay_at_all_is_served_too),
        TEST(threads_lose_no_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
