/* The sender's small parts: dot-stuffing and timers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "smtp/dot.h"
#include "smtp/timer.h"
#include "tests/reference/dot.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* ---- dot ---- */

/* Stuffs a body cut into pieces of `step` octets. */
static char *stuff(const char *body, size_t len, size_t step)
{
    char *out = malloc(SMTP_DOT_ROOM(len) + SMTP_DOT_END + 1);
    smtp_dot d = {0};
    size_t n = 0;
    assert_non_null(out);
    for (size_t at = 0; at < len; at += step) {
        size_t piece = len - at < step ? len - at : step;
        size_t wrote = smtp_dot_copy(&d, body + at, piece, out + n);
        assert_true(wrote <= SMTP_DOT_ROOM(piece));
        n += wrote;
    }
    n += smtp_dot_end(&d, out + n);
    out[n] = '\0';
    return out;
}

/* Bodies of lines around a vector's length, with a dot, CR or LF anywhere. */
static void each_way_stuffs_as_the_reference(void **state)
{
    (void)state;
    static const char odd[] = {'.', '\r', '\n', 'a'};
    char body[300];
    for (size_t n = 0; n < 40000; n++) {
        size_t len = n % sizeof body, columns = 1 + n / 7 % 90;
        for (size_t i = 0; i < len; i++) {
            size_t column = i % (columns + 2);
            body[i] = column == columns ? '\r' : column == columns + 1 ? '\n' : 'x';
        }
        for (size_t i = 0; len > 0 && i < n % 4; i++)
            body[(n * 31 + i * n / 3) % len] = odd[(n >> 3 * i) % sizeof odd];
        if (!reference_dot_agrees(body, len, 1 + n % 97, n % 2))
            fail_msg("body %zu", n);
    }
}

static void what_is_clean_needs_no_copy(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        size_t clean;
        smtp_dot before;
        bool in_line;
    } cases[] = {
        {"a\r\nb.\r\n", 7, {false, false}, false},
        {"a\r\nb", 4, {false, false}, true},
        {"a\r\nb\r", 4, {false, false}, true}, /* perhaps a bare CR */
        {"a\r\n.b\r\n", 3, {false, false}, false},
        {"a\nb", 1, {false, false}, true},
        {"a\rb", 1, {false, false}, true},
        {".a", 0, {false, false}, false},
        {".a", 2, {true, false}, true},
        {"\r\n", 2, {true, false}, false},
        {"\n", 0, {true, false}, true},
        {"\nabc", 0, {true, true}, true}, /* the CR comes first */
        {"", 0, {false, false}, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        smtp_dot d = cases[i].before;
        assert_int_equal(smtp_dot_clean(&d, cases[i].body, strlen(cases[i].body)), cases[i].clean);
        assert_int_equal(d.in_line, cases[i].in_line);
    }
}

static void bodies_are_stuffed_and_ended(void **state)
{
    static const struct {
        const char *body, *wire;
    } cases[] = {
        {"", ".\r\n"},
        {"a\r\n", "a\r\n.\r\n"},
        {"a", "a\r\n.\r\n"},
        {".", "..\r\n.\r\n"},
        {".\r\n", "..\r\n.\r\n"},
        {"..\r\n", "...\r\n.\r\n"},
        {"a\r\n.b\r\n", "a\r\n..b\r\n.\r\n"},
        {"a.b\r\n", "a.b\r\n.\r\n"},
        {"\r\n", "\r\n.\r\n"},
        {"\r\n\r\n", "\r\n\r\n.\r\n"},
        {"a\n.\nb", "a\r\n..\r\nb\r\n.\r\n"},
        {"a\r.\rb", "a\r\n..\r\nb\r\n.\r\n"},
        {"a\n.\r\nb", "a\r\n..\r\nb\r\n.\r\n"},
        {"a\r\n.\rb", "a\r\n..\r\nb\r\n.\r\n"},
        {"a\r\r\n.", "a\r\n\r\n..\r\n.\r\n"},
        {"a\n\r\n", "a\r\n\r\n.\r\n"},
        {"a\r", "a\r\n.\r\n"},
        {"\r", "\r\n.\r\n"},
        {"\n", "\r\n.\r\n"},
        {"\r\n.\r\n", "\r\n..\r\n.\r\n"},
        {"\n.\n", "\r\n..\r\n.\r\n"},
        {"\r.\r\nMAIL", "\r\n..\r\nMAIL\r\n.\r\n"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (size_t step = 1; step < 12; step++) {
            char *wire = stuff(cases[i].body, strlen(cases[i].body), step);
            assert_string_equal(wire, cases[i].wire);
            free(wire);
        }
    }
}

/* Reads as a server does that takes any of CRLF, LF or CR as a line's end. */
static void assert_ends_once(const char *wire, size_t len)
{
    assert_true(len >= 3 && memcmp(wire + len - 3, ".\r\n", 3) == 0);
    for (size_t i = 0; i + 3 < len; i++) {
        bool line = i == 0 || wire[i - 1] == '\n' || wire[i - 1] == '\r';
        bool alone = line && wire[i] == '.' && (wire[i + 1] == '\r' || wire[i + 1] == '\n');
        assert_false(alone);
    }
    for (size_t i = 0; i < len; i++) {
        assert_false(wire[i] == '\n' && (i == 0 || wire[i - 1] != '\r'));
        assert_false(wire[i] == '\r' && wire[i + 1] != '\n');
    }
}

static void no_body_can_end_the_message_early(void **state)
{
    static const char alphabet[] = {'.', '\r', '\n', 'a'};
    char body[9];
    (void)state;
    for (size_t len = 0; len <= 8; len++) {
        for (size_t number = 0; number < (size_t)1 << (2 * len); number++) {
            for (size_t i = 0; i < len; i++)
                body[i] = alphabet[number >> (2 * i) & 3];
            char *whole = stuff(body, len, 100);
            char *cut = stuff(body, len, 1);
            assert_string_equal(whole, cut);
            assert_ends_once(whole, strlen(whole));
            free(whole);
            free(cut);
        }
    }
}

static void octets_of_all_kinds_pass(void **state)
{
    char body[256], *wire;
    (void)state;
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (char)i;
    body['\r'] = body['\n'] = ' ';
    wire = stuff(body, sizeof body, 7);
    assert_memory_equal(wire, body, sizeof body);
    assert_memory_equal(wire + sizeof body, "\r\n.\r\n", 5);
    free(wire);
}

/* ---- timers ---- */

typedef struct ring {
    smtp_timer timer;
    int64_t rang_at; /* the order in which they rang; 0: not yet */
} ring;

static int64_t rings;

static void on_ring(smtp_timer *t)
{
    ring *r = (ring *)(void *)t;
    assert_false(t->set);
    assert_int_equal(r->rang_at, 0);
    r->rang_at = ++rings;
}

static uint32_t random_number(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static void timers_ring_in_order_whatever_was_set_moved_and_stopped(void **state)
{
    enum { MANY = 2000 };
    static ring list[MANY];
    smtp_timers timers = {0};
    uint32_t seed = 1;
    (void)state;
    memset(list, 0, sizeof list);
    rings = 0;
    for (size_t i = 0; i < MANY; i++) {
        list[i].timer.fire = on_ring;
        smtp_timer_set(&timers, &list[i].timer, random_number(&seed) % 1000);
    }
    for (size_t i = 0; i < (size_t)3 * MANY; i++) {
        ring *r = &list[random_number(&seed) % MANY];
        if (random_number(&seed) % 3 == 0)
            smtp_timer_stop(&timers, &r->timer);
        else
            smtp_timer_set(&timers, &r->timer, random_number(&seed) % 1000);
    }
    for (int64_t now = 0; now < 1000; now += 37) {
        int64_t before = rings;
        smtp_timers_run(&timers, now);
        for (size_t i = 0; i < MANY; i++) {
            assert_false(list[i].timer.set && list[i].timer.at <= now);
            assert_false(list[i].rang_at > before && list[i].timer.at > now);
        }
        assert_true(!timers.first || timers.first->at > now);
    }
    smtp_timers_run(&timers, 1000);
    assert_null(timers.first);
    for (size_t i = 0; i < MANY; i++) {
        for (size_t k = 0; k < MANY && list[i].rang_at; k++) {
            if (list[k].rang_at && list[i].rang_at < list[k].rang_at)
                assert_true(list[i].timer.at <= list[k].timer.at);
        }
    }
}

static smtp_timers chain;
static ring links[3];

static void on_link(smtp_timer *t)
{
    on_ring(t);
    if (t == &links[0].timer) {
        smtp_timer_stop(&chain, &links[1].timer);
        smtp_timer_set(&chain, &links[2].timer, 5); /* due at once */
    }
}

static void a_timer_may_stop_and_set_others_when_it_rings(void **state)
{
    (void)state;
    rings = 0;
    for (size_t i = 0; i < COUNT(links); i++)
        links[i].timer.fire = on_link;
    smtp_timer_set(&chain, &links[0].timer, 10);
    smtp_timer_set(&chain, &links[1].timer, 11);
    smtp_timers_run(&chain, 9);
    assert_int_equal(rings, 0);
    smtp_timers_run(&chain, 11);
    assert_int_equal(links[0].rang_at, 1);
    assert_int_equal(links[1].rang_at, 0);
    assert_int_equal(links[2].rang_at, 2);
    assert_null(chain.first);
    smtp_timer_stop(&chain, &links[1].timer); /* stopping twice is nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_stuffed_and_ended),
        cmocka_unit_test(each_way_stuffs_as_the_reference),
        cmocka_unit_test(what_is_clean_needs_no_copy),
        cmocka_unit_test(no_body_can_end_the_message_early),
        cmocka_unit_test(octets_of_all_kinds_pass),
        cmocka_unit_test(timers_ring_in_order_whatever_was_set_moved_and_stopped),
        cmocka_unit_test(a_timer_may_stop_and_set_others_when_it_rings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
