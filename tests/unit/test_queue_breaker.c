/* Tests of queue/breaker: when a relay is left alone, and when it is tried again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "queue/breaker.h"

#define FIRST ((int64_t)100)
#define MOST  350

static const breaker_pauses pauses = {FIRST, MOST};

static void fail_one(breaker *b, bool probe, int64_t begun, int64_t now, double jitter)
{
    const breaker_went w = {.probe = probe, .begun = begun, .now = now};
    breaker_failed(b, &w, pauses, jitter);
}

/* One after the other, in no time. */
static void fail_often(breaker *b, unsigned times, int64_t now)
{
    for (unsigned i = 0; i < times; i++)
        fail_one(b, false, now, now, 0);
}

static void what_fails_together_is_one_failure(void **state)
{
    breaker b = {0};
    (void)state;
    for (unsigned i = 0; i < 100; i++)
        fail_one(&b, false, 10, 20 + (int64_t)i, 0);
    assert_false(breaker_is_open(&b));
    for (unsigned i = 1; i < BREAKER_FAILURES; i++) {
        assert_false(breaker_is_open(&b));
        fail_one(&b, false, 1000 * (int64_t)i, 1000 * (int64_t)i + 1, 0);
    }
    assert_true(breaker_is_open(&b));
}

/* All that may, and the last that went. */
static unsigned go_all(breaker *b)
{
    bool probe;
    unsigned n = 0;
    while (n < 1000 && breaker_go(b, 0, &probe))
        n++;
    return n;
}

static void wait_in_vain(breaker *b, int64_t begun, int64_t now)
{
    const breaker_went w = {.begun = begun, .now = now};
    breaker_waited(b, &w);
}

static void who_waits_in_vain_makes_it_fewer(void **state)
{
    breaker b = {0};
    (void)state;
    assert_int_equal(go_all(&b), 1000); /* no limit */
    for (unsigned i = 0; i < 900; i++)  /* they went together */
        wait_in_vain(&b, 0, 10 + (int64_t)i);
    assert_int_equal(b.window, 500);
    assert_int_equal(b.under_way, 100);
    assert_int_equal(go_all(&b), 400);
    assert_true(breaker_until(&b, 5) > 5);
    for (unsigned i = 0; i < 10; i++)
        breaker_worked(&b);
    assert_int_equal(go_all(&b), 20); /* ten that ended, and one more for each */
    while (b.under_way > 0)
        breaker_told_nothing(&b, false);
    for (unsigned i = 1; i < 20; i++) {
        (void)go_all(&b);
        wait_in_vain(&b, 1000 * (int64_t)i, 1000 * (int64_t)i + 1);
    }
    assert_int_equal(b.window, BREAKER_WINDOW);
}

static void a_few_failures_are_nothing(void **state)
{
    breaker b = {0};
    bool probe = true;
    (void)state;
    fail_often(&b, BREAKER_FAILURES - 1, 1);
    assert_false(breaker_is_open(&b));
    assert_true(breaker_go(&b, 1, &probe));
    assert_false(probe);
    breaker_worked(&b); /* they must be in a row */
    fail_often(&b, BREAKER_FAILURES - 1, 1);
    assert_false(breaker_is_open(&b));
    fail_often(&b, 1, 1);
    assert_true(breaker_is_open(&b));
}

static void an_open_one_lets_one_through_after_a_while(void **state)
{
    breaker b = {0};
    bool probe = false;
    (void)state;
    fail_often(&b, BREAKER_FAILURES, 1000);
    assert_int_equal(breaker_until(&b, 1000), 1000 + FIRST);
    assert_false(breaker_go(&b, 1000 + FIRST - 1, &probe));
    assert_false(probe);
    assert_true(breaker_may(&b, 1000 + FIRST));
    assert_true(breaker_go(&b, 1000 + FIRST, &probe));
    assert_true(probe);
    assert_false(breaker_may(&b, 1000 + FIRST));
    assert_false(breaker_go(&b, 9000, &probe)); /* one alone */
    assert_int_equal(breaker_until(&b, 9000), 9000 + FIRST);
}

static void the_pause_doubles_up_to_the_longest(void **state)
{
    static const int64_t wanted[] = {FIRST, 2 * FIRST, MOST, MOST};
    breaker b = {0};
    int64_t now = 0;
    (void)state;
    fail_often(&b, BREAKER_FAILURES, now);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        bool probe;
        assert_int_equal(breaker_until(&b, now) - now, wanted[i]);
        now += wanted[i];
        assert_true(breaker_go(&b, now, &probe));
        fail_one(&b, probe, now, now, 0);
    }
    breaker_worked(&b);
    assert_false(breaker_is_open(&b));
    fail_often(&b, BREAKER_FAILURES, now);
    assert_int_equal(breaker_until(&b, now) - now, FIRST);
}

static void a_pause_has_jitter(void **state)
{
    breaker b = {0};
    (void)state;
    for (unsigned i = 0; i < BREAKER_FAILURES; i++)
        fail_one(&b, false, 0, 0, 1);
    assert_int_equal(breaker_until(&b, 0), FIRST + FIRST / 5);
}

static void what_was_begun_before_tells_nothing_new(void **state)
{
    breaker b = {0};
    (void)state;
    fail_often(&b, BREAKER_FAILURES + 20, 0);
    assert_int_equal(breaker_until(&b, 0), FIRST);
    breaker_told_nothing(&b, false);
    assert_true(breaker_is_open(&b));
    breaker_worked(&b);
    assert_false(breaker_is_open(&b));
}

static void a_probe_that_tells_nothing_makes_way_for_another(void **state)
{
    breaker b = {0};
    bool probe;
    (void)state;
    fail_often(&b, BREAKER_FAILURES, 0);
    assert_true(breaker_go(&b, FIRST, &probe));
    breaker_told_nothing(&b, probe);
    assert_true(breaker_is_open(&b));
    assert_true(breaker_go(&b, FIRST, &probe));
    assert_true(probe);
}

static void only_sessions_count(void **state)
{
    static const struct {
        smtp_outcome outcome;
        smtp_stage stage;
        smtp_category category;
        int code;
        int verdict; /* -1 failed, 0 nothing, 1 worked */
    } cases[] = {
        {SMTP_SENT, SMTP_STAGE_NONE, SMTP_CATEGORY_NONE, 250, 1},
        {SMTP_PARTIAL, SMTP_STAGE_NONE, SMTP_CATEGORY_NONE, 250, 1},
        {SMTP_UNKNOWN, SMTP_STAGE_BODY, SMTP_CATEGORY_NETWORK, 0, 1},
        {SMTP_NOT_SENT, SMTP_STAGE_NONE, SMTP_CATEGORY_NETWORK, 0, 0},
        {SMTP_NOT_SENT, SMTP_STAGE_RESOLVE, SMTP_CATEGORY_NETWORK, 0, -1},
        {SMTP_NOT_SENT, SMTP_STAGE_CONNECT, SMTP_CATEGORY_NETWORK, 0, -1},
        {SMTP_NOT_SENT, SMTP_STAGE_GREETING, SMTP_CATEGORY_TEMPORARY, 421, -1},
        {SMTP_NOT_SENT, SMTP_STAGE_STARTTLS, SMTP_CATEGORY_TLS, 0, -1},
        {SMTP_NOT_SENT, SMTP_STAGE_AUTH, SMTP_CATEGORY_AUTH, 535, -1},
        {SMTP_NOT_SENT, SMTP_STAGE_MAIL, SMTP_CATEGORY_NETWORK, 0, -1},
        {SMTP_NOT_SENT, SMTP_STAGE_MAIL, SMTP_CATEGORY_SIZE, 0, 1}, /* refused by ourselves */
        {SMTP_NOT_SENT, SMTP_STAGE_MAIL, SMTP_CATEGORY_TEMPORARY, 451, 1},
        {SMTP_NOT_SENT, SMTP_STAGE_RCPT, SMTP_CATEGORY_RECIPIENT, 550, 1},
        {SMTP_NOT_SENT, SMTP_STAGE_BODY, SMTP_CATEGORY_NETWORK, 0, 1},
    };
    const breaker_went now = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const smtp_result r = {.outcome = cases[i].outcome,
                               .reply = {.code = cases[i].code},
                               .fault = {.stage = cases[i].stage, .category = cases[i].category}};
        breaker b = {0};
        fail_often(&b, BREAKER_FAILURES - 1, 0);
        breaker_judge(&b, &r, &now, pauses, 0);
        int verdict = breaker_is_open(&b) ? -1 : b.failures == 0;
        if (verdict != cases[i].verdict)
            fail_msg("case %zu: %d", i, verdict);
    }
    breaker b = {0};
    breaker_judge(&b, NULL, &now, pauses, 0);
    assert_int_equal(b.failures, 0);
}

static void all_relays_together(void **state)
{
    breakers all = {.pauses = pauses};
    int64_t until;
    bool probe;
    (void)state;
    assert_int_equal(breakers_look(&all, 0, &until), BREAKERS_CLOSED);
    fail_often(breakers_of(&all, "a"), BREAKER_FAILURES, 0);
    assert_int_equal(breakers_look(&all, 0, &until), BREAKERS_OPEN);
    assert_int_equal(until, FIRST);
    assert_non_null(breakers_of(&all, "b"));
    assert_int_equal(breakers_look(&all, 0, &until), BREAKERS_CLOSED);
    fail_often(breakers_of(&all, "b"), BREAKER_FAILURES, 50);
    assert_int_equal(breakers_open(&all), 2);
    assert_int_equal(breakers_look(&all, 60, &until), BREAKERS_OPEN);
    assert_int_equal(until, FIRST);
    assert_int_equal(breakers_look(&all, FIRST, &until), BREAKERS_TO_PROBE);
    assert_true(breaker_go(breakers_of(&all, "a"), FIRST, &probe));
    assert_int_equal(breakers_look(&all, FIRST, &until), BREAKERS_OPEN);
    assert_int_equal(until, 50 + FIRST);
    breaker_worked(breakers_of(&all, "a"));
    assert_int_equal(breakers_look(&all, FIRST, &until), BREAKERS_CLOSED);
    assert_int_equal(breakers_open(&all), 1);
    breakers_clear(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_few_failures_are_nothing),
        cmocka_unit_test(what_fails_together_is_one_failure),
        cmocka_unit_test(who_waits_in_vain_makes_it_fewer),
        cmocka_unit_test(an_open_one_lets_one_through_after_a_while),
        cmocka_unit_test(the_pause_doubles_up_to_the_longest),
        cmocka_unit_test(a_pause_has_jitter),
        cmocka_unit_test(what_was_begun_before_tells_nothing_new),
        cmocka_unit_test(a_probe_that_tells_nothing_makes_way_for_another),
        cmocka_unit_test(only_sessions_count),
        cmocka_unit_test(all_relays_together),
    };
    return cmocka_run_group_tests_name("breaker", tests, NULL, NULL);
}
