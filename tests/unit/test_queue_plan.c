/* Tests of queue/plan and queue/record: what follows from what relays said, without any of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/civil.h"
#include "queue/plan.h"
#include "smtp/result.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define SECOND   ((int64_t)1000000)
#define NOW      (1700000000 * SECOND)
#define EXPIRY   (NOW + 3600 * SECOND)
#define ID       "01HF7YAT00000000000000000A"

static const plan_options options = {
    .first_us = 10 * SECOND, .most_us = 100 * SECOND, .events = true, .suppress = true};

/* ---- what a case is made of ---- */

/* One relay's answer; RCPT replies, "550 5.1.1 no such user|250 ok", "-" for none. */
typedef struct said {
    smtp_outcome outcome;
    smtp_stage stage;
    smtp_category category;
    smtp_blame blame;
    const char *reply; /* the decisive one */
    const char *rcpt;
    bool none; /* there was no result at all */
} said;

typedef struct plan_case {
    const char *what;
    const char *before; /* "ww": the recipients' statuses, by their first letters */
    said said[3];       /* of each relay in turn */
    size_t count;
    const char *after;
    queue_state state;
    const char *event; /* NULL: none */
    size_t gone;
    bool walks; /* after the last, another relay might be tried */
    bool resend, skipped, late;
} plan_case;

static const char *const letters = "wruaes";
static const char *const words[] = {"waiting",  "refused", "unknown",
                                    "accepted", "expired", "suppressed"};

static smtp_reply read_reply(const char *text)
{
    smtp_reply r = {0};
    if (!text || text[0] == '-')
        return r;
    r.code = atoi(text); /* NOLINT(cert-err34-c): a literal's */
    text += 4;
    if (text[0] && text[1] == '.')
        (void)snprintf(r.enhanced, sizeof r.enhanced, "%.*s", (int)strcspn(text, " "), text);
    text += strlen(r.enhanced) + (r.enhanced[0] && text[strlen(r.enhanced)] == ' ');
    r.text = strdup(text);
    return r;
}

/* Any that goes with the category. */
static smtp_cause cause_of(smtp_category category)
{
    return category == SMTP_CATEGORY_RECIPIENT   ? SMTP_CAUSE_UNKNOWN_USER
           : category == SMTP_CATEGORY_TEMPORARY ? SMTP_CAUSE_BUSY
           : category == SMTP_CATEGORY_POLICY    ? SMTP_CAUSE_POLICY
                                                 : SMTP_CAUSE_NONE;
}

/* A refusal's category as the sender finds it: by the digit behind 5.y. */
static void judge(smtp_recipient_result *r)
{
    r->accepted = r->reply.code / 100 == 2;
    r->retryable = r->reply.code / 100 == 4;
    r->category = r->accepted                         ? SMTP_CATEGORY_NONE
                  : r->retryable                      ? SMTP_CATEGORY_TEMPORARY
                  : strstr(r->reply.enhanced, "5.7.") ? SMTP_CATEGORY_POLICY
                                                      : SMTP_CATEGORY_RECIPIENT;
    r->cause = cause_of(r->category);
}

static smtp_result *make_result(const said *s, size_t count)
{
    smtp_result *r = smtp_result_create(count);
    const char *rcpt = s->rcpt ? s->rcpt : "";
    r->outcome = s->outcome;
    r->reply = read_reply(s->reply);
    r->fault =
        (smtp_fault){.category = s->category,
                     .cause = cause_of(s->category),
                     .stage = s->stage,
                     .blame = s->blame,
                     .retryable = s->blame == SMTP_BLAME_RELAY || s->blame == SMTP_BLAME_TIMEOUT,
                     .detail = s->category ? strdup("what happened") : NULL,
                     .hint = s->category ? "do this" : NULL};
    for (size_t i = 0; i < count; i++) {
        char one[100];
        size_t n = strcspn(rcpt, "|");
        (void)snprintf(one, sizeof one, "%.*s", (int)n, rcpt);
        if (one[0])
            r->recipients[i].reply = read_reply(one);
        if (r->recipients[i].reply.code)
            judge(&r->recipients[i]);
        rcpt += n + (rcpt[n] == '|');
    }
    return r;
}

static queue_message make_message(const char *statuses)
{
    queue_message m = {.id = ID, .expires_at = EXPIRY, .body = {.data = "x", .fd = -1, .size = 1}};
    buf list = BUF_INIT;
    for (size_t i = 0; statuses[i]; i++)
        buf_addf(&list, "%s{\"email\":\"R%zu@Example.NET\",\"status\":\"%s\"}", i ? "," : "[", i,
                 words[strchr(letters, statuses[i]) - letters]);
    buf_adds(&list, "]");
    m.head = strdup("{\"envelope_from\":\"\",\"relays\":[\"a\",\"b\"],\"message_id\":\"<1@x>\","
                    "\"metadata\":{\"k\":1}}");
    m.recipients = buf_take(&list);
    m.log = strdup("[]");
    return m;
}

static void free_message(queue_message *m)
{
    m->body.data = NULL;
    queue_message_clear(m);
}

static bool note(plan *p, const said *s, const char *relay, bool resend)
{
    size_t which[10], count = 0;
    for (size_t i = 0; i < p->record.count; i++) {
        if (p->record.list[i].status == RECORD_WAITING)
            which[count++] = i;
    }
    smtp_result *r = s->none ? NULL : make_result(s, count);
    const plan_try t = {.relay = relay,
                        .which = which,
                        .count = count,
                        .result = r,
                        .at = NOW - SECOND,
                        .now = NOW};
    bool walks = plan_note(p, &t, resend);
    smtp_result_free(r);
    return walks;
}

static void statuses(const char *text, char out[20])
{
    json_t *list = json_loads(text, 0, NULL);
    size_t n = json_array_size(list);
    for (size_t i = 0; i < n; i++)
        out[i] = json_string_value(json_object_get(json_array_get(list, i), "status"))[0];
    out[n] = '\0';
    json_decref(list);
}

static void assert_event(const plan_case *c, const plan_outcome *o)
{
    if (!c->event) {
        assert_null(o->event.payload);
        return;
    }
    json_t *e = json_loads(o->event.payload, 0, NULL), *data = json_object_get(e, "data");
    assert_string_equal(json_string_value(json_object_get(e, "type")), c->event);
    assert_string_equal(json_string_value(json_object_get(data, "id")), ID);
    assert_string_equal(json_string_value(json_object_get(data, "message_id")), "<1@x>");
    assert_int_equal(json_integer_value(json_object_get(data, "attempts")), c->count);
    assert_null(json_object_get(data, "tags"));
    assert_int_equal(json_object_get(data, "next_at") != NULL, c->state == QUEUE_QUEUED);
    json_decref(e);
}

static void run_case(const plan_case *c)
{
    queue_message m = make_message(c->before);
    plan p;
    plan_outcome o;
    char after[20];
    bool walks = false;
    const plan_when when = {.now = c->late ? EXPIRY : NOW, .expires_at = EXPIRY};

    assert_true(plan_begin(&p, &m, NOW));
    p.hope = c->skipped;
    for (size_t i = 0; i < c->count; i++)
        walks = note(&p, &c->said[i], i ? "b" : "a", c->resend);
    if (walks != c->walks)
        fail_msg("%s: walks %d", c->what, walks);
    assert_true(plan_settle(&p, ID, &options, &when, &o));
    if (!o.recipients)
        (void)snprintf(after, sizeof after, "%s", c->before);
    else
        statuses(o.recipients, after);
    if (strcmp(after, c->after) != 0 || o.state != c->state || o.gone_count != c->gone)
        fail_msg("%s: %s, %s, %zu gone", c->what, after, queue_state_name(o.state), o.gone_count);
    assert_event(c, &o);
    if (o.state == QUEUE_QUEUED)
        assert_true(o.next_at > NOW);
    plan_outcome_clear(&o);
    plan_clear(&p);
    free_message(&m);
}

/* ---- the cases ---- */

#define OK(rcpt_)                                                                                  \
    {                                                                                              \
        .outcome = SMTP_SENT, .reply = "250 2.0.0 queued", .rcpt = (rcpt_)                         \
    }
#define SOME(rcpt_)                                                                                \
    {                                                                                              \
        .outcome = SMTP_PARTIAL, .reply = "250 2.0.0 queued", .rcpt = (rcpt_)                      \
    }
#define LOST(rcpt_)                                                                                \
    {                                                                                              \
        SMTP_UNKNOWN, SMTP_STAGE_BODY, SMTP_CATEGORY_NETWORK, SMTP_BLAME_TIMEOUT, NULL, rcpt_,     \
            false                                                                                  \
    }
#define NOT(stage, category, blame, reply_, rcpt_)                                                 \
    {                                                                                              \
        SMTP_NOT_SENT, SMTP_STAGE_##stage, SMTP_CATEGORY_##category, SMTP_BLAME_##blame, (reply_), \
            (rcpt_), false                                                                         \
    }
#define DOWN   NOT(CONNECT, NETWORK, RELAY, NULL, NULL)
#define LOGIN  NOT(AUTH, AUTH, GATEWAY, "535 5.7.8 no", NULL)
#define POLICY NOT(MAIL, POLICY, GATEWAY, "550 5.7.26 spf", NULL)
#define GONE   "550 5.1.1 no such user"
#define DENIED "550 5.7.1 relaying denied"
#define BUSY   "451 4.3.0 later"
#define FINE   "250 2.1.5 ok"

static const plan_case cases[] = {
    {.what = "all are accepted",
     "ww",
     {OK(FINE "|" FINE)},
     1,
     "aa",
     QUEUE_SENT,
     "message.accepted"},
    {.what = "a suppressed one isn't",
     "sw",
     {OK(FINE)},
     1,
     "sa",
     QUEUE_PARTIAL,
     "message.partly_failed"},
    {.what = "an earlier one counts", "aw", {OK(FINE)}, 1, "aa", QUEUE_SENT, "message.accepted"},
    {.what = "one is refused",
     "ww",
     {SOME(FINE "|" GONE)},
     1,
     "ar",
     QUEUE_PARTIAL,
     "message.partly_failed",
     1},
    {.what = "one waits", "ww", {SOME(FINE "|" BUSY)}, 1, "aw", QUEUE_QUEUED, "message.deferred"},
    {.what = "one waits, one is refused",
     "www",
     {SOME(BUSY "|" FINE "|" GONE)},
     1,
     "war",
     QUEUE_QUEUED,
     "message.deferred",
     1},
    {.what = "a policy's refusal among others",
     "ww",
     {SOME(FINE "|" DENIED)},
     1,
     "ar",
     QUEUE_PARTIAL,
     "message.partly_failed"},
    {.what = "it is down", "ww", {DOWN}, 1, "ww", QUEUE_QUEUED, "message.deferred", .walks = true},
    {.what = "both are down",
     "w",
     {DOWN, DOWN},
     2,
     "w",
     QUEUE_QUEUED,
     "message.deferred",
     .walks = true},
    {.what = "the second takes it", "w", {DOWN, OK(FINE)}, 2, "a", QUEUE_SENT, "message.accepted"},
    {.what = "the login is wrong",
     "w",
     {LOGIN},
     1,
     "w",
     QUEUE_QUEUED,
     "message.deferred",
     .walks = true},
    {.what = "its policy is against us",
     "w",
     {POLICY},
     1,
     "r",
     QUEUE_FAILED_STATE,
     "message.failed",
     .walks = true},
    {.what = "... and the second takes it",
     "w",
     {POLICY, OK(FINE)},
     2,
     "a",
     QUEUE_SENT,
     "message.accepted"},
    {.what = "... and the second is down",
     "w",
     {POLICY, DOWN},
     2,
     "w",
     QUEUE_QUEUED,
     "message.deferred",
     .walks = true},
    {.what = "down, and the second's policy",
     "w",
     {DOWN, POLICY},
     2,
     "w",
     QUEUE_QUEUED,
     "message.deferred",
     .walks = true},
    {.what = "policy, and another was not asked",
     "w",
     {POLICY},
     1,
     "w",
     QUEUE_QUEUED,
     "message.deferred",
     .walks = true,
     .skipped = true},
    {.what = "both have a policy",
     "w",
     {POLICY, POLICY},
     2,
     "r",
     QUEUE_FAILED_STATE,
     "message.failed",
     .walks = true},
    {.what = "policy, and the second refuses",
     "w",
     {POLICY, NOT(RCPT, RECIPIENT, MESSAGE, GONE, GONE)},
     2,
     "r",
     QUEUE_FAILED_STATE,
     "message.failed",
     1},
    {.what = "all are refused at RCPT",
     "ww",
     {NOT(RCPT, RECIPIENT, MESSAGE, GONE, GONE "|" GONE)},
     1,
     "rr",
     QUEUE_FAILED_STATE,
     "message.failed",
     2},
    {.what = "... some only for now",
     "ww",
     {NOT(RCPT, TEMPORARY, RELAY, BUSY, GONE "|" BUSY)},
     1,
     "rw",
     QUEUE_QUEUED,
     "message.deferred",
     1,
     .walks = true},
    {.what = "... some by a policy",
     "ww",
     {NOT(RCPT, RECIPIENT, MESSAGE, GONE, GONE "|" DENIED)},
     1,
     "rr",
     QUEUE_FAILED_STATE,
     "message.failed",
     1,
     .walks = true},
    {.what = "the content is refused",
     "ww",
     {NOT(BODY, CONTENT, MESSAGE, "554 5.6.0 no", FINE "|" FINE)},
     1,
     "rr",
     QUEUE_FAILED_STATE,
     "message.failed"},
    {.what = "... and one at RCPT for now",
     "ww",
     {NOT(BODY, CONTENT, MESSAGE, "554 5.6.0 no", FINE "|" BUSY)},
     1,
     "rw",
     QUEUE_QUEUED,
     "message.deferred",
     .walks = true},
    {.what = "the body for now, one at RCPT for good",
     "ww",
     {NOT(BODY, TEMPORARY, RELAY, BUSY, FINE "|" GONE)},
     1,
     "wr",
     QUEUE_QUEUED,
     "message.deferred",
     1,
     .walks = true},
    {.what = "the sender is refused",
     "ww",
     {NOT(MAIL, SENDER, MESSAGE, "553 no", NULL)},
     1,
     "rr",
     QUEUE_FAILED_STATE,
     "message.failed"},
    {.what = "it is silent after the dot",
     "ww",
     {LOST(FINE "|" FINE)},
     1,
     "uu",
     QUEUE_UNKNOWN,
     "message.unknown"},
    {.what = "... and refused one",
     "www",
     {LOST(FINE "|" GONE "|" BUSY)},
     1,
     "urw",
     QUEUE_QUEUED,
     "message.deferred",
     1},
    {.what = "unknown with others", "aru", {{0}}, 0, "aru", QUEUE_UNKNOWN, "message.unknown"},
    {.what = "... which is sent again",
     "ww",
     {LOST(FINE "|" GONE)},
     1,
     "wr",
     QUEUE_QUEUED,
     "message.deferred",
     1,
     .resend = true},
    {.what = "down, then silent",
     "w",
     {DOWN, LOST(FINE)},
     2,
     "u",
     QUEUE_UNKNOWN,
     "message.unknown"},
    {.what = "memory runs out", "ww", {{.none = true}}, 1, "ww", QUEUE_QUEUED, "message.deferred"},
    {.what = "nothing was tried", "ww", {{0}}, 0, "ww", QUEUE_QUEUED, NULL},
    {.what = "its time is over",
     "ww",
     {{0}},
     0,
     "ee",
     QUEUE_EXPIRED,
     "message.failed",
     .late = true},
    {.what = "... after one was accepted",
     "aw",
     {{0}},
     0,
     "ae",
     QUEUE_PARTIAL,
     "message.partly_failed",
     .late = true},
    {.what = "... after one was refused",
     "rw",
     {{0}},
     0,
     "re",
     QUEUE_EXPIRED,
     "message.failed",
     .late = true},
    {.what = "... after the last try",
     "w",
     {DOWN},
     1,
     "e",
     QUEUE_EXPIRED,
     "message.failed",
     .walks = true,
     .late = true},
    {.what = "... with an unknown one",
     "uw",
     {{0}},
     0,
     "ue",
     QUEUE_UNKNOWN,
     "message.unknown",
     .late = true},
    {.what = "all are suppressed", "ss", {{0}}, 0, "ss", QUEUE_FAILED_STATE, "message.failed"},
};

static void what_follows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        run_case(&cases[i]);
}

/* ---- who does not exist ---- */

static void only_what_is_sure_is_suppressed(void **state)
{
    static const struct {
        const char *reply;
        smtp_category category;
        bool gone;
    } replies[] = {
        {GONE, SMTP_CATEGORY_RECIPIENT, true},
        {"550 5.1.6 moved", SMTP_CATEGORY_RECIPIENT, true},
        {"550 5.1.10 null MX", SMTP_CATEGORY_RECIPIENT, true},
        {"550 5.2.1 disabled", SMTP_CATEGORY_RECIPIENT, true},
        {"554 5.1.1 x", SMTP_CATEGORY_RECIPIENT, true},
        {"550 User unknown", SMTP_CATEGORY_RECIPIENT, true},
        {"553 5.0.0 no such user here", SMTP_CATEGORY_RECIPIENT, true},
        {"550 mailbox unavailable", SMTP_CATEGORY_RECIPIENT, false},
        {"550 no", SMTP_CATEGORY_RECIPIENT, false},
        {"550 5.7.1 user unknown to our policy", SMTP_CATEGORY_RECIPIENT, false},
        {"550 user unknown", SMTP_CATEGORY_POLICY, false},
        {"550 5.1.1 spam", SMTP_CATEGORY_CONTENT, false},
        {"552 5.2.2 full", SMTP_CATEGORY_RECIPIENT, false},
        {"550 5.1.2 no such domain", SMTP_CATEGORY_RECIPIENT, false},
        {"554 user unknown", SMTP_CATEGORY_RECIPIENT, false},
        {"450 4.1.1 user unknown", SMTP_CATEGORY_RECIPIENT, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(replies); i++) {
        /* To the message itself, with one recipient: it can only be about that. */
        const said s = {.outcome = SMTP_NOT_SENT,
                        .stage = SMTP_STAGE_BODY,
                        .category = replies[i].category,
                        .blame = SMTP_BLAME_MESSAGE,
                        .reply = replies[i].reply,
                        .rcpt = FINE};
        for (unsigned both = 0; both < 2; both++) {
            queue_message m = make_message(both ? "ww" : "w");
            plan p;
            plan_outcome o;
            const plan_when when = {.now = NOW, .expires_at = EXPIRY};
            assert_true(plan_begin(&p, &m, NOW));
            (void)note(&p, &s, "a", false);
            assert_true(plan_settle(&p, ID, &options, &when, &o));
            if (o.gone_count != (replies[i].gone && !both))
                fail_msg("%s", replies[i].reply);
            if (o.gone_count) {
                assert_string_equal(o.gone[0].address, "r0@example.net");
                assert_string_equal(o.gone[0].reason, replies[i].reply);
                assert_true(o.gone[0].since == NOW);
            }
            plan_outcome_clear(&o);
            plan_clear(&p);
            free_message(&m);
        }
    }
}

/* ---- when ---- */

static void the_wait_doubles(void **state)
{
    static const struct {
        unsigned tries; /* before this attempt, of one relay each */
        double jitter;
        int64_t left; /* until it expires, in seconds */
        double wanted;
    } waits[] = {{0, 0, 3600, 10},    {1, 0, 3600, 10},    {2, 0, 3600, 20}, {4, 0, 3600, 40},
                 {8, 0, 3600, 100},   {500, 0, 3600, 100}, {0, 1, 3600, 12}, {0, -1, 3600, 8},
                 {500, 1, 3600, 120}, {8, 0, 90, 80},      {8, 0, 21, 11},   {8, 0, 20, 20},
                 {8, 0, 5, 5},        {0, 0, 10, 10}};
    static const said down = DOWN;
    (void)state;
    for (size_t i = 0; i < COUNT(waits); i++) {
        queue_message m = make_message("w");
        plan p;
        plan_outcome o;
        const plan_when when = {
            .now = NOW, .expires_at = NOW + waits[i].left * SECOND, .jitter = waits[i].jitter};
        assert_true(plan_begin(&p, &m, NOW));
        p.record.tries = waits[i].tries;
        (void)note(&p, &down, "a", false);
        assert_true(plan_settle(&p, ID, &options, &when, &o));
        double wait = (double)(o.next_at - NOW) / (double)SECOND;
        if (wait < waits[i].wanted - 0.001 || wait > waits[i].wanted + 0.001)
            fail_msg("case %zu: %f", i, wait);
        plan_outcome_clear(&o);
        plan_clear(&p);
        free_message(&m);
    }
}

static void a_time_that_is_given_counts(void **state)
{
    queue_message m = make_message("w");
    plan p;
    plan_outcome o;
    plan_when when = {.now = NOW, .expires_at = EXPIRY, .next_at = NOW + 7};
    (void)state;
    assert_true(plan_begin(&p, &m, NOW));
    assert_true(plan_settle(&p, ID, &options, &when, &o));
    assert_int_equal(o.next_at, NOW + 7);
    assert_null(o.recipients);
    assert_null(o.log);
    when.next_at = EXPIRY + 1; /* then it is claimed to be told expired */
    assert_true(plan_settle(&p, ID, &options, &when, &o));
    assert_int_equal(o.next_at, EXPIRY);
    plan_clear(&p);
    free_message(&m);
}

/* ---- the texts ---- */

static void the_last_word_is_kept(void **state)
{
    static const said first = SOME(BUSY "|" FINE), second = OK(FINE);
    queue_message m = make_message("ww");
    plan p;
    plan_outcome o;
    const plan_when when = {.now = NOW, .expires_at = EXPIRY};
    (void)state;
    assert_true(plan_begin(&p, &m, NOW));
    (void)note(&p, &first, "a", false);
    assert_true(plan_settle(&p, ID, &options, &when, &o));
    assert_string_equal(
        o.recipients,
        "[{\"email\":\"R0@Example.NET\",\"status\":\"waiting\",\"relay\":\"a\","
        "\"at\":\"2023-11-14T22:13:20.000Z\",\"smtp\":{\"code\":451,\"enhanced\":\"4.3.0\","
        "\"message\":\"later\"},\"category\":\"temporary\",\"cause\":\"busy\"},"
        "{\"email\":\"R1@Example.NET\",\"status\":\"accepted\",\"relay\":\"a\","
        "\"at\":\"2023-11-14T22:13:20.000Z\",\"smtp\":{\"code\":250,\"enhanced\":\"2.0.0\","
        "\"message\":\"queued\"}}]");
    assert_string_equal(
        o.log, "[{\"at\":\"2023-11-14T22:13:19.000Z\",\"relay\":\"a\",\"outcome\":\"partial\","
               "\"ms\":1000,\"recipients\":2,\"accepted\":1,\"smtp\":{\"code\":250,\"enhanced\":"
               "\"2.0.0\",\"message\":\"queued\"},\"number\":1,"
               "\"next_at\":\"2023-11-14T22:13:30.000Z\"}]");
    free(m.recipients);
    free(m.log);
    m.recipients = o.recipients;
    m.log = o.log;
    o.recipients = o.log = NULL;
    plan_outcome_clear(&o);
    plan_clear(&p);
    assert_true(plan_begin(&p, &m, NOW)); /* what was written can be read */
    assert_int_equal(p.record.tries, 1);
    (void)note(&p, &second, "b", false);
    assert_true(plan_settle(&p, ID, &options, &when, &o));
    assert_int_equal(o.state, QUEUE_SENT);
    assert_null(strstr(o.recipients, "temporary"));
    assert_non_null(strstr(o.log, "\"number\":2"));
    plan_outcome_clear(&o);
    plan_clear(&p);
    free_message(&m);
}

static int number_of(json_t *log, size_t i)
{
    return (int)json_integer_value(json_object_get(json_array_get(log, i), "number"));
}

static void a_log_has_a_bound(void **state)
{
    static const said down = DOWN;
    const plan_when when = {.now = NOW, .expires_at = EXPIRY};
    queue_message m = make_message("w");
    (void)state;
    for (int round = 0; round < 2; round++) { /* the log is empty, and then full */
        static const int seconds[] = {12, 15};
        const int more = round ? 3 : RECORD_LOG_MAX + 10;
        plan p;
        plan_outcome o;
        assert_true(plan_begin(&p, &m, NOW));
        for (int i = 0; i < more; i++)
            (void)note(&p, &down, "a", false);
        assert_int_equal(p.record.tries, RECORD_LOG_MAX + (round ? 13 : 10));
        assert_true(plan_settle(&p, ID, &options, &when, &o));
        json_t *log = json_loads(o.log, 0, NULL);
        assert_int_equal(json_array_size(log), RECORD_LOG_MAX);
        assert_int_equal(number_of(log, 0), 1);
        for (size_t i = 1; i < RECORD_LOG_MAX; i++)
            assert_int_equal(number_of(log, i), seconds[round] + (int)i - 1);
        assert_null(json_object_get(json_array_get(log, RECORD_LOG_MAX - 2), "next_at"));
        assert_non_null(json_object_get(json_array_get(log, RECORD_LOG_MAX - 1), "next_at"));
        json_decref(log);
        free(m.log);
        m.log = o.log;
        o.log = NULL;
        plan_outcome_clear(&o);
        plan_clear(&p);
    }
    free_message(&m);
}

static void a_message_without_a_body_fails(void **state)
{
    queue_message m = make_message("aw");
    plan p;
    plan_outcome o;
    const plan_when when = {.now = NOW, .expires_at = EXPIRY};
    (void)state;
    m.body.data = NULL;
    assert_true(plan_begin(&p, &m, NOW));
    assert_true(plan_settle(&p, ID, &options, &when, &o));
    assert_int_equal(o.state, QUEUE_PARTIAL);
    assert_non_null(strstr(o.log, "body is gone"));
    assert_non_null(strstr(o.log, "\"recipients\":1,\"accepted\":0")); /* as each entry says */
    plan_outcome_clear(&o);
    plan_clear(&p);
    free_message(&m);
}

/* What the queue keeps may say more than is read of it, and in any characters. */
static void what_is_not_read_is_kept(void **state)
{
    static const said fine = OK(FINE);
    static const char kept[] = "[{\"email\":\"\xC3\xA4@b\",\"x \\\"\":[1.5,-2,true,false,null,"
                               "{\"\":\"\\u0001\\n\"}],\"status\":\"%s\"%s}]";
    queue_message m = make_message("w");
    plan p;
    plan_outcome o;
    char before[300], after[300];
    const plan_when when = {.now = NOW, .expires_at = EXPIRY};
    (void)state;
    (void)snprintf(before, sizeof before, kept, "waiting", ",\"hint\":\"old\"");
    (void)snprintf(after, sizeof after, kept, "accepted",
                   ",\"relay\":\"a\",\"at\":\"2023-11-14T22:13:20.000Z\",\"smtp\":{\"code\":250,"
                   "\"enhanced\":\"2.0.0\",\"message\":\"queued\"}");
    free(m.recipients);
    m.recipients = strdup(before);
    assert_true(plan_begin(&p, &m, NOW));
    (void)note(&p, &fine, "a", false);
    assert_true(plan_settle(&p, ID, &options, &when, &o));
    json_t *wanted = json_loads(after, 0, NULL), *found = json_loads(o.recipients, 0, NULL);
    assert_non_null(wanted);
    assert_true(json_equal(wanted, found));
    json_decref(wanted);
    json_decref(found);
    plan_outcome_clear(&o);
    plan_clear(&p);
    free_message(&m);
}

static json_t *text_of(const char *s)
{
    buf b = BUF_INIT;
    jsonw w;
    jsonw_init(&w, &b);
    record_text(&w, s);
    json_t *json = json_loadb(b.data, b.len, JSON_DECODE_ANY, NULL);
    buf_free(&b);
    return json;
}

/* What /v1/send would take to a relay is not given up by what reads it back. */
static void only_what_would_end_a_path_is_refused(void **state)
{
    static const struct {
        const char *email; /* as JSON */
        bool good;
    } paths[] = {
        {"a@b", true},
        {"\\\"a<b\\\"@c", true},
        {"\\\"a>b c\\\"@d", true},
        {"\\\"a\\\\\\\"<b\\\"@c", true},
        {"a<b@c", false},
        {"a@b> SIZE=1", false},
        {"\\\"a\\\"> \\\"b\\\"@c", false},
        {"\\\"a\\\\\\\\\\\">b\\\"@c", false},
        {"\\\"a@b", false},
        {"\\\"a\\\\\\r\\\"@b", false},
        {"a@b\\r\\nDATA", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(paths); i++) {
        queue_message m = make_message("w");
        record r;
        bool transient;
        free(m.recipients);
        if (asprintf(&m.recipients, "[{\"email\":\"%s\",\"status\":\"waiting\"}]", paths[i].email) <
            0)
            fail();
        const char *fault = record_read(&r, &m, &transient);
        if ((fault == NULL) != paths[i].good)
            print_message("%s: %s\n", paths[i].email, fault ? fault : "taken");
        assert_true((fault == NULL) == paths[i].good);
        record_clear(&r);
        free_message(&m);
    }
}

static void words_are_made_fit(void **state)
{
    static const struct {
        const char *text, *wanted;
    } texts[] = {{"plain", "plain"},
                 {"caf\xC3\xA9", "caf\xC3\xA9"},
                 {"a\xFF"
                  "b\xC3",
                  "a\xEF\xBF\xBD"
                  "b\xEF\xBF\xBD"},
                 {"", ""}};
    char longer[RECORD_TEXT_MAX + 100];
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        json_t *json = text_of(texts[i].text);
        assert_string_equal(json_string_value(json), texts[i].wanted);
        json_decref(json);
    }
    memset(longer, 'x', sizeof longer);
    longer[RECORD_TEXT_MAX - 1] = '\xC3'; /* a character over the end */
    longer[RECORD_TEXT_MAX] = '\xA9';
    longer[sizeof longer - 1] = '\0';
    json_t *json = text_of(longer);
    assert_int_equal(json_string_length(json), RECORD_TEXT_MAX - 1);
    json_decref(json);
}

static void times_are_rfc_3339(void **state)
{
    char text[CIVIL_TIME + 1];
    (void)state;
    civil_time(1767323045678901, text);
    assert_string_equal(text, "2026-01-02T03:04:05.678Z");
    civil_time(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    civil_time(INT64_MIN, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    civil_time(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
    civil_time(1709208000000000, text);
    assert_string_equal(text, "2024-02-29T12:00:00.000Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_follows),
        cmocka_unit_test(only_what_is_sure_is_suppressed),
        cmocka_unit_test(the_wait_doubles),
        cmocka_unit_test(a_time_that_is_given_counts),
        cmocka_unit_test(the_last_word_is_kept),
        cmocka_unit_test(a_log_has_a_bound),
        cmocka_unit_test(a_message_without_a_body_fails),
        cmocka_unit_test(what_is_not_read_is_kept),
        cmocka_unit_test(only_what_would_end_a_path_is_refused),
        cmocka_unit_test(words_are_made_fit),
        cmocka_unit_test(times_are_rfc_3339),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
