/* Tests of base/: the byte buffer and UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/utf8.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_grows_and_keeps_its_bytes),
        cmocka_unit_test(buf_failure_is_sticky_until_cleared),
        cmocka_unit_test(utf8_accepts_and_refuses_as_rfc3629),
        cmocka_unit_test(utf8_encodes_what_it_decodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
