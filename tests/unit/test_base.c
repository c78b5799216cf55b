/* Tests of base/: the byte buffer, the arena and UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/civil.h"
#include "base/few.h"
#include "base/utf8.h"
#include "tests/reference/utf8.h"

static void buf_grows_and_keeps_its_bytes(void **state)
{
    (void)state;
    buf b = BUF_INIT;
    for (int i = 0; i < 1000; i++)
        buf_addf(&b, "%03d,", i);
    assert_true(buf_ok(&b));
    assert_int_equal(b.len, 4000);
    assert_memory_equal(b.data + 3996, "999,", 4);
    buf_drop(&b, 3996);
    assert_string_equal(buf_cstr(&b), "999,");
    buf_addu(&b, 18446744073709551615ULL);
    char *taken = buf_take(&b);
    assert_string_equal(taken, "999,18446744073709551615");
    assert_null(b.data);
    free(taken);
}

static void buf_failure_is_sticky_until_cleared(void **state)
{
    (void)state;
    buf b = BUF_INIT;
    buf_adds(&b, "kept");
    assert_false(buf_reserve(&b, SIZE_MAX / 2));
    buf_adds(&b, "lost");
    assert_false(buf_ok(&b));
    assert_int_equal(b.len, 4);
    assert_null(buf_cstr(&b));
    buf_clear(&b);
    buf_adds(&b, "again");
    assert_string_equal(buf_cstr(&b), "again");
    buf_free(&b);
}

static void buf_outgrows_what_it_was_lent(void **state)
{
    (void)state;
    char room[8];
    buf b = BUF_INIT;
    buf_lend(&b, room, sizeof room);
    buf_adds(&b, "12345678");
    assert_ptr_equal(b.data, room);
    buf_clear(&b);
    buf_adds(&b, "1234567");
    assert_int_equal(buf_capacity(&b, 2), 16);
    buf_adds(&b, "89");
    assert_ptr_not_equal(b.data, room);
    assert_string_equal(buf_cstr(&b), "123456789");
    buf_free(&b);

    buf_lend(&b, room, sizeof room);
    buf_adds(&b, "1234");
    char *taken = buf_take(&b);
    assert_ptr_not_equal(taken, room);
    assert_string_equal(taken, "1234");
    free(taken);
    assert_null(b.data);

    buf_lend(&b, room, sizeof room);
    buf_adds(&b, "kept");
    assert_false(buf_reserve(&b, SIZE_MAX / 2));
    buf_adds(&b, "lost");
    assert_false(buf_ok(&b));
    assert_int_equal(b.len, 4);
    buf_free(&b);
    assert_true(buf_ok(&b));
}

static void arena_gives_of_its_block_and_then_of_malloc(void **state)
{
    (void)state;
    static _Alignas(max_align_t) char block[4 * ARENA_ALIGN];
    arena a;
    arena_init(&a, block, sizeof block);
    char *first = arena_alloc(&a, 1), *second = arena_alloc(&a, ARENA_ALIGN);
    char *third = arena_alloc(&a, 2 * ARENA_ALIGN + 1); /* one too many */
    memset(first, 1, 1);
    memset(second, 2, ARENA_ALIGN);
    memset(third, 3, 2 * ARENA_ALIGN + 1);
    if (first == block) { /* not under AddressSanitizer */
        assert_ptr_equal(second, block + ARENA_ALIGN);
        assert_null(arena_take(&a, 2 * ARENA_ALIGN + 1));
        assert_ptr_equal(arena_take(&a, 2 * ARENA_ALIGN), block + 2 * ARENA_ALIGN);
        assert_null(arena_take(&a, 1));
    }
    assert_false(a.spilled || a.failed); /* which are the tree's */
    arena_free(&a, first);
    arena_free(&a, second);
    arena_free(&a, third);
    arena_free(&a, NULL);
    arena_free(NULL, arena_alloc(NULL, 1));
}

static void utf8_accepts_and_refuses_as_rfc3629(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        bool valid;
    } cases[] = {
        {"", true},
        {"plain ascii, longer than eight bytes", true},
        {"12345678\xE7\xAE\x80\xE5\x8E\x86", true},
        {"\xF0\x9F\x93\xA7", true},  /* U+1F4E7 */
        {"\xF4\x8F\xBF\xBF", true},  /* U+10FFFF */
        {"\xF4\x90\x80\x80", false}, /* above it */
        {"\xED\xA0\x80", false},     /* a surrogate */
        {"\xC0\xAF", false},         /* overlong */
        {"\xE0\x80\xAF", false},     /* overlong */
        {"\xF0\x80\x80\xAF", false}, /* overlong */
        {"\xE7\xAE", false},         /* cut */
        {"\x80", false},             /* a tail alone */
        {"12345678\xFF", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(utf8_valid(cases[i].bytes, strlen(cases[i].bytes)), cases[i].valid);
}

static void utf8_encodes_what_it_decodes(void **state)
{
    (void)state;
    for (uint32_t c = 0; c <= 0x110000; c++) {
        char bytes[4];
        uint32_t back = 0;
        size_t n = utf8_encode(c, bytes);
        if ((c >= 0xD800 && c <= 0xDFFF) || c > 0x10FFFF) {
            assert_int_equal(n, 0);
            continue;
        }
        assert_int_equal(utf8_decode(bytes, n, &back), n);
        assert_int_equal(back, c);
    }
}

/* Every four of the bytes at which the rules change, at changing places of a text. */
static void utf8_of_each_way_is_what_the_grammar_says(void **state)
{
    (void)state;
    static const unsigned char edges[] = {0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF,
                                          0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE,
                                          0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF};
    const size_t count = sizeof edges;
    char text[100];
    for (size_t n = 0; n < count * count * count * count; n++) {
        size_t len = 30 + n % 67, at = n / count % (len - 3);
        memset(text, 'a', len);
        for (size_t i = 0, rest = n; i < 4; i++, rest /= count)
            text[at + i] = (char)edges[rest % count];
        if (!reference_utf8_agrees(text, len, n % 3 ? 100 : 1 + n % 50))
            fail_msg("%02x %02x %02x %02x at %zu of %zu", (unsigned char)text[at],
                     (unsigned char)text[at + 1], (unsigned char)text[at + 2],
                     (unsigned char)text[at + 3], at, len);
    }
}

/* Characters of each length next to each other, cut at every place. */
static void utf8_may_be_cut_anywhere(void **state)
{
    (void)state;
    static const char *const characters[] = {"a", "é", "한", "😀"};
    char text[300];
    for (unsigned n = 0; n < 400; n++) {
        size_t len = 0;
        for (unsigned x = n * 2654435761u; len + 4 < sizeof text; x = x * 1103515245 + 12345) {
            const char *c = characters[x >> 16 & (n % 2 ? 3 : 2)];
            while (*c)
                text[len++] = *c++;
        }
        for (size_t piece = 1; piece < 80; piece++)
            assert_true(reference_utf8_agrees(text, len - n % 80, piece));
    }
}

static void a_plain_run_ends_where_json_must_look(void **state)
{
    (void)state;
    char text[140];
    for (size_t len = 0; len < sizeof text; len++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            memset(text, 'a', sizeof text);
            if (len)
                text[(len * 7 + byte) % len] = (char)byte;
            if (len && byte % 5 == 0) /* before or behind it */
                text[(len * 3 + byte) % len] = (char)0xC3;
            assert_true(reference_plain_run_agrees(text, len));
        }
    }
}

static void days_are_those_of_the_calendar(void **state)
{
    (void)state;
    for (uint32_t day = 0; day <= CIVIL_LAST;
         day += day < 50000 || day > CIVIL_LAST - 400 ? 1 : 13) {
        struct tm tm;
        time_t at = (time_t)day * 86400;
        civil_day civil = civil_of(day);
        assert_non_null(gmtime_r(&at, &tm));
        if (civil.year != (unsigned)tm.tm_year + 1900 || civil.month != (unsigned)tm.tm_mon + 1 ||
            civil.day != (unsigned)tm.tm_mday || civil.weekday != (unsigned)tm.tm_wday)
            fail_msg("day %u is told as %u-%u-%u", day, civil.year, civil.month, civil.day);
    }
    assert_int_equal(civil_of(CIVIL_LAST).year, 9999);
}

/* In memory of its own, so that a byte too many shows under a sanitizer. */
static void short_texts_are_copied_and_looked_at_whole(void **state)
{
    (void)state;
    for (size_t len = 0; len < 50; len++) {
        char *from = malloc(len ? len : 1), *to = malloc(len ? len : 1);
        assert_non_null(from);
        assert_non_null(to);
        for (size_t i = 0; i < len; i++)
            from[i] = (char)('A' + i);
        assert_ptr_equal(few_copy(to, from, len), to + len);
        assert_memory_equal(to, from, len);
        assert_true(few_printable(from, len));
        for (size_t i = 0; i < len * 256; i++) {
            unsigned char c = (unsigned char)(i % 256);
            from[i / 256] = (char)c;
            assert_int_equal(few_printable(from, len), c >= 0x20 && c < 0x7F);
            from[i / 256] = ' ';
        }
        free(from);
        free(to);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_grows_and_keeps_its_bytes),
        cmocka_unit_test(buf_failure_is_sticky_until_cleared),
        cmocka_unit_test(buf_outgrows_what_it_was_lent),
        cmocka_unit_test(arena_gives_of_its_block_and_then_of_malloc),
        cmocka_unit_test(utf8_accepts_and_refuses_as_rfc3629),
        cmocka_unit_test(utf8_encodes_what_it_decodes),
        cmocka_unit_test(utf8_of_each_way_is_what_the_grammar_says),
        cmocka_unit_test(utf8_may_be_cut_anywhere),
        cmocka_unit_test(a_plain_run_ends_where_json_must_look),
        cmocka_unit_test(days_are_those_of_the_calendar),
        cmocka_unit_test(short_texts_are_copied_and_looked_at_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
