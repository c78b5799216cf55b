/* Tests of base/jsonw: what it writes is read back by jansson. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/jsonw.h"
#include "base/utf8.h"

static const char *written(buf *b, const char *s, size_t len)
{
    jsonw w;
    buf_clear(b);
    jsonw_init(&w, b);
    jsonw_strn(&w, s, len);
    return buf_cstr(b);
}

static void commas_stand_between_values_only(void **state)
{
    (void)state;
    buf b = BUF_INIT;
    jsonw w;
    jsonw_init(&w, &b);
    jsonw_object(&w);
    jsonw_key(&w, "a");
    jsonw_array(&w);
    jsonw_array_end(&w);
    jsonw_key(&w, "b");
    jsonw_array(&w);
    jsonw_int(&w, 1);
    jsonw_object(&w);
    jsonw_object_end(&w);
    jsonw_null(&w);
    jsonw_bool(&w, true);
    jsonw_array(&w);
    jsonw_bool(&w, false);
    jsonw_array_end(&w);
    jsonw_array_end(&w);
    jsonw_key(&w, "c");
    jsonw_str(&w, NULL);
    jsonw_key(&w, "d");
    jsonw_str(&w, "");
    jsonw_object_end(&w);
    assert_string_equal(buf_cstr(&b),
                        "{\"a\":[],\"b\":[1,{},null,true,[false]],\"c\":null,\"d\":\"\"}");
    buf_free(&b);
}

static void numbers_are_exact_at_their_ends(void **state)
{
    (void)state;
    buf b = BUF_INIT;
    jsonw w;
    jsonw_init(&w, &b);
    jsonw_array(&w);
    jsonw_int(&w, INT64_MIN);
    jsonw_int(&w, INT64_MAX);
    jsonw_ms(&w, 0);
    jsonw_ms(&w, 7);
    jsonw_ms(&w, 1050);
    jsonw_ms(&w, 60000000);
    jsonw_ms(&w, -1500);
    jsonw_array_end(&w);
    assert_string_equal(buf_cstr(&b), "[-9223372036854775808,9223372036854775807,0.000,0.007,1.050,"
                                      "60000.000,-1.500]");
    buf_free(&b);
}

static void every_character_is_read_back_as_it_was(void **state)
{
    (void)state;
    buf b = BUF_INIT;
    for (uint32_t c = 1; c <= 0x10FFFF; c++) {
        char s[16] = "x";
        size_t n = utf8_encode(c, s + 1);
        if (n == 0)
            continue;
        s[1 + n] = 'y';
        const char *json = written(&b, s, n + 2);
        /* One value in 256 is enough of the higher planes. */
        if (c > 0x3000 && c % 256 != 0)
            continue;
        json_t *read = json_loads(json, JSON_DECODE_ANY, NULL);
        assert_non_null(read);
        assert_int_equal(json_string_length(read), n + 2);
        assert_memory_equal(json_string_value(read), s, n + 2);
        json_decref(read);
    }
    buf_free(&b);
}

static void controls_are_escaped_del_and_c1_too(void **state)
{
    (void)state;
    buf b = BUF_INIT;
    assert_string_equal(written(&b, "\0\x01\b\t\n\f\r\x1B\x1F", 9),
                        "\"\\u0000\\u0001\\b\\t\\n\\f\\r\\u001b\\u001f\"");
    assert_string_equal(written(&b, "\"\\/", 3), "\"\\\"\\\\/\"");
    assert_string_equal(written(&b, "\x7F\xC2\x80\xC2\x9B\xC2\x9F\xC2\xA0", 9),
                        "\"\\u007f\\u0080\\u009b\\u009f\xC2\xA0\"");
    buf_free(&b);
}

/* Strings are looked at in steps of some bytes, or as two pieces. */
static void an_escape_is_found_wherever_it_stands(void **state)
{
    (void)state;
    enum { LONGEST = 37 };
    static const int lengths[] = {1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 20, 31, 32, 33, LONGEST};
    static const char around[] = {' ', '!', '#', '[', ']', 'a', '~'};
    buf b = BUF_INIT;
    for (int c = 0; c < 0x80; c++) {
        char alone[16], byte = (char)c;
        (void)snprintf(alone, sizeof alone, "%s", written(&b, &byte, 1) + 1);
        alone[strlen(alone) - 1] = '\0'; /* the quote */
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths * LONGEST; i++) {
            char s[LONGEST], expected[64];
            int len = lengths[i / LONGEST], at = (int)(i % LONGEST);
            if (at >= len)
                continue;
            memset(s, around[(i + (size_t)c) % sizeof around], sizeof s);
            (void)snprintf(expected, sizeof expected, "\"%.*s%s%.*s\"", at, s, alone, len - 1 - at,
                           s);
            s[at] = byte;
            assert_string_equal(written(&b, s, (size_t)len), expected);
        }
    }
    buf_free(&b);
}

/* Into memory of its own, so that a byte too many shows under a sanitizer; with a value that says
 * where the key ends. */
static void a_member_is_a_key_and_a_value(void **state)
{
    (void)state;
    static const char name[] = "abcdefghijklmnopqrstuvwxyz";
    buf b = BUF_INIT;
    for (size_t len = 0; len < sizeof name; len++) {
        char expected[512], *key = strndup(name, len), *text = malloc(len + 1);
        jsonw w;
        assert_non_null(key);
        assert_non_null(text);
        memcpy(text, name, len);
        jsonw_init(&w, &b);
        jsonw_object(&w);
        jsonw_field_strn(&w, key, len, text, len);
        jsonw_field_str(&w, key, len, "\n");
        jsonw_field_str(&w, key, len, NULL);
        jsonw_field_int(&w, key, len, -1);
        jsonw_field_ms(&w, key, len, -1);
        jsonw_field_raw(&w, key, len, "[]", 2);
        jsonw_keyn(&w, key, len);
        jsonw_int(&w, 1);
        jsonw_member_bool(&w, "z", true);
        jsonw_object_end(&w);
        (void)snprintf(expected, sizeof expected,
                       "{\"%1$s\":\"%1$s\",\"%1$s\":\"\\n\",\"%1$s\":null,\"%1$s\":-1,"
                       "\"%1$s\":-0.001,\"%1$s\":[],\"%1$s\":1,\"z\":true}",
                       key);
        assert_string_equal(buf_cstr(&b), expected);
        free(key);
        free(text);
        buf_free(&b);
    }
}

static void numbers_are_those_that_printf_writes(void **state)
{
    (void)state;
    buf b = BUF_INIT;
    jsonw w;
    uint64_t n = 1;
    for (int digits = 1; digits <= 19; digits++, n *= 10) {
        for (int64_t more = -2; more <= 2; more++) {
            char expected[64];
            int64_t each = (int64_t)n + more, size = each < 0 ? -each : each;
            (void)snprintf(expected, sizeof expected, "[%lld,%lld,%s%lld.%03lld]", (long long)each,
                           (long long)-each, each < 0 ? "-" : "", (long long)(size / 1000),
                           (long long)(size % 1000));
            buf_clear(&b);
            jsonw_init(&w, &b);
            jsonw_array(&w);
            jsonw_int(&w, each);
            jsonw_int(&w, -each);
            jsonw_ms(&w, each);
            jsonw_array_end(&w);
            assert_string_equal(buf_cstr(&b), expected);
        }
    }
    buf_free(&b);
}

static void bytes_that_are_no_utf8_become_replacement_characters(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *text;
    } cases[] = {
        {"a\xFF"
         "b",
         "a\xEF\xBF\xBD"
         "b"},
        {"\x80", "\xEF\xBF\xBD"},
        {"\xE7\xAE", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xE7\xAE\x80\xE5", "\xE7\xAE\x80\xEF\xBF\xBD"},
        {"\xF0\x9F\x93\xA7", "\xF0\x9F\x93\xA7"},
    };
    buf b = BUF_INIT;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *read =
            json_loads(written(&b, cases[i].bytes, strlen(cases[i].bytes)), JSON_DECODE_ANY, NULL);
        assert_non_null(read);
        assert_string_equal(json_string_value(read), cases[i].text);
        json_decref(read);
    }
    buf_free(&b);
}

static void any_bytes_give_json_that_parses(void **state)
{
    (void)state;
    buf b = BUF_INIT;
    uint32_t seed = 12345;
    for (int round = 0; round < 20000; round++) {
        char bytes[24];
        size_t len = (size_t)round % sizeof bytes;
        for (size_t i = 0; i < len; i++) {
            seed = seed * 1664525 + 1013904223;
            bytes[i] = (char)(seed >> 24);
        }
        json_t *read = json_loads(written(&b, bytes, len), JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(read);
        json_decref(read);
    }
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_stand_between_values_only),
        cmocka_unit_test(numbers_are_exact_at_their_ends),
        cmocka_unit_test(every_character_is_read_back_as_it_was),
        cmocka_unit_test(controls_are_escaped_del_and_c1_too),
        cmocka_unit_test(an_escape_is_found_wherever_it_stands),
        cmocka_unit_test(a_member_is_a_key_and_a_value),
        cmocka_unit_test(numbers_are_those_that_printf_writes),
        cmocka_unit_test(bytes_that_are_no_utf8_become_replacement_characters),
        cmocka_unit_test(any_bytes_give_json_that_parses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
