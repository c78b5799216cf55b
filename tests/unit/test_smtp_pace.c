/*
 * Tests of the pace: rates as they are written, how many go and when, and how sessions become fewer
 * and more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>

#include <cmocka.h>

#include "smtp/pace.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define SECOND   INT64_C(1000000)
#define START    (1000 * SECOND)

static void rates_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t each_us; /* 0: refused */
    } cases[] = {
        {"1/s", SECOND},
        {"14/s", SECOND / 14},
        {"1000000/s", 1},
        {"60/m", SECOND},
        {"3600/h", SECOND},
        {"86400/d", SECOND},
        {"1/d", 86400 * SECOND},
        {"", 0},
        {"0/s", 0},
        {"/s", 0},
        {"14", 0},
        {"14/", 0},
        {"14/x", 0},
        {"14/ss", 0},
        {"-1/s", 0},
        {"1000001/s", 0},
        {"+1/s", 0},
        {" 1/s", 0},
        {"1.5/s", 0},
        {"99999999999/s", 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t each = 0;
        bool ok = smtp_pace_read_rate(cases[i].text, &each);
        assert_int_equal(ok, cases[i].each_us > 0);
        assert_int_equal(each / 1024, cases[i].each_us);
    }
}

static void start(smtp_pace *p, const char *rate)
{
    int64_t each = 0;
    assert_true(smtp_pace_read_rate(rate, &each));
    smtp_pace_init(p, 8, each);
}

/* How many recipients may go in so long, asked for as soon as is said. */
static size_t go_within(smtp_pace *p, int64_t from, int64_t length, size_t at_once)
{
    size_t count = 0;
    for (int64_t now = from; now < from + length;) {
        int64_t again = smtp_pace_take(p, at_once, now);
        if (again == 0)
            count += at_once;
        else
            assert_true(again > now);
        now = again > 0 ? again : now;
    }
    return count;
}

static void no_more_go_than_the_rate_lets(void **state)
{
    static const struct {
        const char *rate;
        int64_t length;
        size_t at_once, least, most;
    } cases[] = {
        {"14/s", 10 * SECOND, 1, 140, 142}, {"1000/s", 10 * SECOND, 1, 10000, 10101},
        {"60/m", 60 * SECOND, 1, 60, 61},   {"100/s", 10 * SECOND, 5, 1000, 1015},
        {"2/d", 86400 * SECOND, 1, 2, 3},   {"1000000/s", SECOND, 10, 1000000, 1100020},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        smtp_pace p;
        start(&p, cases[i].rate);
        size_t went = go_within(&p, START, cases[i].length, cases[i].at_once);
        assert_in_range(went, cases[i].least, cases[i].most);
    }
}

static void what_was_not_used_is_not_saved_up(void **state)
{
    smtp_pace p;
    (void)state;
    start(&p, "10/s");
    assert_in_range(go_within(&p, START, SECOND, 1), 10, 12);
    assert_in_range(go_within(&p, START + 3600 * SECOND, SECOND, 1), 10, 12);
}

static void a_mail_to_many_waits_its_whole_time(void **state)
{
    smtp_pace p;
    (void)state;
    start(&p, "10/s");
    assert_int_equal(smtp_pace_take(&p, 100, START), 0); /* it is not cut */
    int64_t again = smtp_pace_take(&p, 1, START);
    assert_in_range(again, START + 9 * SECOND, START + 10 * SECOND);
    assert_int_equal(smtp_pace_take(&p, 1, again), 0);
}

static void without_a_rate_all_go(void **state)
{
    smtp_pace p;
    (void)state;
    smtp_pace_init(&p, 8, 0);
    assert_false(smtp_pace_has_rate(&p));
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(smtp_pace_take(&p, 1000, START), 0);
}

typedef struct taker {
    smtp_pace *pace;
    size_t taken;
} taker;

static void *take_many(void *ctx)
{
    taker *t = ctx;
    for (size_t i = 0; i < 100000; i++)
        t->taken += smtp_pace_take(t->pace, 1, START) == 0;
    return NULL;
}

static void threads_share_the_rate(void **state)
{
    smtp_pace p;
    pthread_t threads[4];
    taker takers[4] = {{&p, 0}, {&p, 0}, {&p, 0}, {&p, 0}};
    size_t all = 0;
    (void)state;
    start(&p, "10000/s");
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_many, &takers[i]), 0);
    for (size_t i = 0; i < COUNT(threads); i++) {
        (void)pthread_join(threads[i], NULL);
        all += takers[i].taken;
    }
    assert_in_range(all, 1000, 1001); /* a tenth of a second's worth */
}

static void hear(smtp_pace *p, int code, const char *enhanced, int64_t now)
{
    smtp_reply reply = {.code = code};
    for (size_t i = 0; enhanced[i]; i++)
        reply.enhanced[i] = enhanced[i];
    smtp_pace_heard(p, &reply, now);
}

static void too_much_halves_the_sessions(void **state)
{
    smtp_pace p;
    int64_t now = START;
    (void)state;
    smtp_pace_init(&p, 8, 0);
    assert_int_equal(smtp_pace_sessions(&p, now), 8);
    hear(&p, 421, "", now);
    hear(&p, 421, "4.7.0", now + 1000); /* the same word, from a session beside it */
    assert_int_equal(smtp_pace_sessions(&p, now), 4);
    hear(&p, 451, "4.7.1", now + 2 * SECOND);
    assert_int_equal(smtp_pace_sessions(&p, now + 2 * SECOND), 2);
    for (size_t i = 4; i < 20; i += 2)
        hear(&p, 421, "", now + (int64_t)i * SECOND);
    assert_int_equal(smtp_pace_sessions(&p, now + 18 * SECOND), 1);
}

static void quiet_brings_them_back_one_by_one(void **state)
{
    smtp_pace p;
    (void)state;
    smtp_pace_init(&p, 8, 0);
    hear(&p, 421, "", START);
    assert_int_equal(smtp_pace_sessions(&p, START + 10 * SECOND - 1), 4);
    assert_int_equal(smtp_pace_sessions(&p, START + 10 * SECOND), 5);
    assert_int_equal(smtp_pace_sessions(&p, START + 11 * SECOND), 6);
    assert_int_equal(smtp_pace_sessions(&p, START + 13 * SECOND), 8);
    assert_int_equal(smtp_pace_sessions(&p, START + 3600 * SECOND), 8);
    hear(&p, 421, "", START + 11 * SECOND); /* half of what there is by then */
    assert_int_equal(smtp_pace_sessions(&p, START + 11 * SECOND), 3);
}

static void other_words_change_nothing(void **state)
{
    static const struct {
        int code;
        const char *enhanced;
    } cases[] = {{250, "2.0.0"}, {450, "4.2.0"}, {451, ""},      {452, "4.2.2"},
                 {550, "5.7.1"}, {554, ""},      {554, "4.7.0"}, {0, ""}};
    smtp_pace p;
    (void)state;
    smtp_pace_init(&p, 8, 0);
    for (size_t i = 0; i < COUNT(cases); i++)
        hear(&p, cases[i].code, cases[i].enhanced, START + (int64_t)i * 2 * SECOND);
    assert_int_equal(smtp_pace_sessions(&p, START + 20 * SECOND), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_read),
        cmocka_unit_test(no_more_go_than_the_rate_lets),
        cmocka_unit_test(what_was_not_used_is_not_saved_up),
        cmocka_unit_test(a_mail_to_many_waits_its_whole_time),
        cmocka_unit_test(without_a_rate_all_go),
        cmocka_unit_test(threads_share_the_rate),
        cmocka_unit_test(too_much_halves_the_sessions),
        cmocka_unit_test(quiet_brings_them_back_one_by_one),
        cmocka_unit_test(other_words_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
