/* Tests of what requests of the queue are read by: times (when), idempotency keys, the members that
 * only they have, suppressed recipients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/idempotency.h"
#include "service/request.h"
#include "service/suppress.h"
#include "service/when.h"

#define ID  "01KQXW3V9M4T5Y8ZC2B7D6F1GH"
#define NOW 1790000000

/* ---- times ---- */

static void times_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01t00:00:01z", 1000000},
        {"1970-01-01 00:00:00.5Z", 500000},
        {"1970-01-01T00:00:00.1234567890123456789Z", 123456},
        {"1970-01-01T01:30:00+01:30", 0},
        {"1969-12-31T23:00:00-01:00", -1}, /* the year is before 1970 */
        {"1970-01-01T00:00:00-00:01", 60000000},
        {"2000-02-29T12:00:00Z", INT64_C(951825600000000)},
        {"2026-11-24T18:00:00+08:00", INT64_C(1795514400000000)},
        {"2016-12-31T23:59:60Z", INT64_C(1483228800000000)},
        {"9999-12-31T23:59:59Z", INT64_C(253402300799000000)},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t us = -1;
        assert_int_equal(when_parse(good[i].text, strlen(good[i].text), &us), good[i].us >= 0);
        if (good[i].us >= 0)
            assert_int_equal(us, good[i].us);
    }
}

static void what_is_no_time_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "2026",
        "2026-11-24",
        "2026-11-24T10:00:00",
        "2026-11-24T10:00Z",
        "2026-11-24T10:00:00.Z",
        "2026-11-24T10:00:00ZZ",
        "2026-11-24T24:00:00Z",
        "2026-11-24T10:60:00Z",
        "2026-11-24T10:00:61Z",
        "2026-11-31T10:00:00Z",
        "2026-02-29T10:00:00Z",
        "2100-02-29T10:00:00Z",
        "2026-13-01T10:00:00Z",
        "2026-00-01T10:00:00Z",
        "2026-01-00T10:00:00Z",
        "2026-11-24T10:00:00+24:00",
        "2026-11-24T10:00:00+08",
        "2026-11-24T10:00:00+0800",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
        "+026-11-24T10:00:00Z",
        "10000-11-24T10:00:00Z",
        " 2026-11-24T10:00:00Z",
    };
    int64_t us = 0;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(when_parse(bad[i], strlen(bad[i]), &us));
    assert_false(when_parse("2026-11-24T10:00:00Z", 19, &us)); /* by its length, not to the NUL */
}

/* ---- keys ---- */

static void keys_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *value, *key;
    } good[] = {
        {"a", "a"},
        {"\"a\"", "a"},
        {" \"a b\" ", "a b"},
        {"\"a\\\"b\\\\\"", "a\"b\\"},
        {"a:b=c/~", "a:b=c/~"},
        {"\"a,b;c\"", "a,b;c"},
        {"'", "'"},
    };
    static const char *const bad[] = {"",     " ",        "\"\"",     "\"",  "\"a",     "\"a\"b\"",
                                      "a\"",  "a b",      "a,b",      "a;b", "\"a\\\"", "\"\\a\"",
                                      "\x01", "\"\x7F\"", "\xC3\xA9", "a\\b"};
    char key[IDEMPOTENCY_MAX + 1], value[IDEMPOTENCY_MAX + 4];

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_null(idempotency_read(good[i].value, key));
        assert_string_equal(key, good[i].key);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_non_null(idempotency_read(bad[i], key));
    memset(value, 'x', sizeof value);
    value[IDEMPOTENCY_MAX] = '\0';
    assert_null(idempotency_read(value, key));
    assert_string_equal(key, value);
    value[IDEMPOTENCY_MAX] = 'x';
    value[IDEMPOTENCY_MAX + 1] = '\0';
    assert_non_null(idempotency_read(value, key));
    value[0] = value[IDEMPOTENCY_MAX + 2] = '"';
    value[IDEMPOTENCY_MAX + 1] = 'x';
    value[IDEMPOTENCY_MAX + 3] = '\0';
    assert_non_null(idempotency_read(value, key)); /* 256 in quotes */
    value[IDEMPOTENCY_MAX + 1] = '"';
    value[IDEMPOTENCY_MAX + 2] = '\0';
    assert_null(idempotency_read(value, key)); /* 255 */
}

static idempotency *keyed(const char *caller, const char *route, const char *key, const char *body)
{
    idempotency *i = idempotency_create(caller, strlen(caller), route, key);
    assert_non_null(i);
    for (; *body; body++) /* however it comes */
        idempotency_add(i, body, 1);
    assert_true(idempotency_end(i));
    return i;
}

static void a_key_is_the_callers_and_the_routes(void **state)
{
    (void)state;
    idempotency *all[6] = {
        keyed("a", "/x", "k", "body"),  keyed("b", "/x", "k", "body"),
        keyed("a", "/y", "k", "body"),  keyed("a", "/x", "kk", "body"),
        keyed("a", "/xk", "", "other"), keyed("", "a/x", "k", "other"),
    };
    enum { COUNT = 6 };
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(strlen(idempotency_key(all[i])), IDEMPOTENCY_HASH);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(idempotency_key(all[i]), idempotency_key(all[k]));
            bool same = i < 4 || k >= 4;
            assert_int_equal(
                strcmp(idempotency_fingerprint(all[i]), idempotency_fingerprint(all[k])) == 0,
                same);
        }
    }
    idempotency *again = keyed("a", "/x", "k", "body");
    assert_string_equal(idempotency_key(again), idempotency_key(all[0]));
    /* printf body | sha256sum */
    assert_string_equal(idempotency_fingerprint(again),
                        "230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5");
    idempotency_free(again);
    for (size_t i = 0; i < COUNT; i++)
        idempotency_free(all[i]);
}

/* ---- requests ---- */

typedef struct made {
    config *config;
    request *request;
    request_result result;
    faults errors;
} made;

static made make(const char *text)
{
    static const char *const environment[] = {"POSTERN_RELAY=smtp://127.0.0.1:25?tls=none", NULL};
    const document_options options = document_defaults(NULL, 100);
    buf text_buf = BUF_INIT;
    document *d = document_create(&options);
    made m = {.config = config_load(environment, &text_buf)};

    assert_non_null(m.config);
    assert_non_null(d);
    document_add(d, text, strlen(text));
    assert_int_equal(document_parse(d, &text_buf), DOCUMENT_OK);
    faults_init(&m.errors);
    m.result = request_create_queued(m.config, NULL, d, ID, NOW, &m.request, &m.errors);
    buf_free(&text_buf);
    return m;
}

static void unmake(made *m)
{
    request_free(m->request);
    faults_free(&m->errors);
    config_free(m->config);
}

#define MAIL(more)                                                                                 \
    "{\"from\":\"a@b.c\",\"to\":[\"x@y.z\",\"X@Y.Z\"],\"cc\":\"c@y.z\",\"text\":\"t\"" more "}"

static void without_more_it_is_for_now(void **state)
{
    (void)state;
    made m = make(MAIL(""));
    assert_int_equal(m.result, REQUEST_OK);
    const request_delivery *d = &m.request->delivery;
    assert_string_equal(d->relays[0], "default");
    assert_null(d->relays[1]);
    assert_int_equal(d->send_at, 0);
    assert_int_equal(d->expires_us, INT64_C(72) * 3600 * 1000000);
    assert_int_equal(d->priority, 5);
    assert_null(d->tags[0]);
    assert_null(d->metadata);
    unmake(&m);
}

static void the_members_of_the_queue_are_read(void **state)
{
    (void)state;
    made m = make(MAIL(",\"send_at\":1790000060.5,\"expires_in\":\"2h\",\"priority\":9,"
                       "\"tags\":[\"a\",\"b\",\"a\"],\"metadata\":{\"k\":\"v\"},"
                       "\"relay\":[\"default\",\"default\"]"));
    assert_int_equal(m.result, REQUEST_OK);
    const request_delivery *d = &m.request->delivery;
    assert_int_equal(d->send_at, INT64_C(1790000060500000));
    assert_int_equal(d->expires_us, INT64_C(7200000000));
    assert_int_equal(d->priority, 9);
    assert_string_equal(d->tags[0], "a");
    assert_string_equal(d->tags[1], "b");
    assert_null(d->tags[2]);
    assert_non_null(d->metadata);
    assert_string_equal(d->relays[1], "default");
    unmake(&m);
}

static void a_time_that_is_past_is_now_and_a_year_is_the_most(void **state)
{
    (void)state;
    made past = make(MAIL(",\"send_at\":1789999999"));
    made year = make(MAIL(",\"send_at\":1821536000"));
    made more = make(MAIL(",\"send_at\":1821536001"));
    assert_int_equal(past.result, REQUEST_OK);
    assert_int_equal(past.request->delivery.send_at, 0);
    assert_int_equal(year.result, REQUEST_OK);
    assert_int_equal(more.result, REQUEST_INVALID);
    assert_string_equal(more.errors.list[0].pointer, "/send_at");
    unmake(&past);
    unmake(&year);
    unmake(&more);
}

static void recipients_are_pointed_at_and_taken_off(void **state)
{
    (void)state;
    made m = make(MAIL(",\"bcc\":[\"c@y.z\",\"d@y.z\"]"));
    static const char *const pointers[] = {"/to/0", "/to/1", "/cc", "/bcc/1"};
    const bool marks[] = {true, false, false, true};
    char pointer[FAULTS_POINTER_MAX];

    assert_int_equal(m.result, REQUEST_OK);
    assert_int_equal(m.request->recipient_count, 4);
    for (size_t i = 0; i < 4; i++) {
        request_pointer(m.request, i, pointer);
        assert_string_equal(pointer, pointers[i]);
    }
    assert_true(request_take_off(m.request, marks));
    assert_int_equal(m.request->recipient_count, 2);
    assert_string_equal(m.request->recipients[0], "X@y.z");
    assert_string_equal(m.request->recipients[1], "c@y.z");
    assert_int_equal(m.request->suppressed_count, 2);
    assert_string_equal(m.request->suppressed[1], "d@y.z");
    unmake(&m);
}

static void suppressed_recipients_are_found_in_any_order(void **state)
{
    (void)state;
    static const char *const recipients[] = {"B@x.y", "a@x.y", "\xC3\x84@x.y", "b@X.y"};
    char b[] = "b@x.y", umlaut[] = "\xC3\x84@x.y";
    queue_suppressed list[] = {{.address = umlaut}, {.address = b}};
    queue_op found = {.suppressed = list, .suppressed_count = 2};
    bool marks[4];
    char **addresses = suppress_addresses(recipients, 4);

    assert_non_null(addresses);
    assert_string_equal(addresses[0], "b@x.y");
    assert_null(addresses[4]);
    assert_int_equal(suppress_mark(&found, addresses, 4, marks), 3);
    assert_true(marks[0] && !marks[1] && marks[2] && marks[3]);
    found.suppressed_count = 0;
    assert_int_equal(suppress_mark(&found, addresses, 4, marks), 0);
    free(addresses);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_read),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(keys_are_read),
        cmocka_unit_test(a_key_is_the_callers_and_the_routes),
        cmocka_unit_test(without_more_it_is_for_now),
        cmocka_unit_test(the_members_of_the_queue_are_read),
        cmocka_unit_test(a_time_that_is_past_is_now_and_a_year_is_the_most),
        cmocka_unit_test(recipients_are_pointed_at_and_taken_off),
        cmocka_unit_test(suppressed_recipients_are_found_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
