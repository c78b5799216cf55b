/* Tests of service/scan, service/store and service/document: JSON that comes in pieces, the long
 * strings beside it. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "base/plain.h"
#include "tests/json_twin.h"

#define MIB ((size_t)1024 * 1024)

static document_options small(size_t lift_at)
{
    return (document_options){.lift_at = lift_at, .share = 4096};
}

static document *load(const document_options *options, const char *text, document_result *result,
                      buf *detail)
{
    document *d = document_create(options);
    assert_non_null(d);
    document_add(d, text, strlen(text));
    *result = document_parse(d, detail);
    return d;
}

static void assert_twins(const char *text, size_t len)
{
    static const size_t lifts[] = {0, 1, 2, 5, 40, 512};
    for (size_t i = 0; i < sizeof lifts / sizeof *lifts; i++) {
        document_options options = small(lifts[i]);
        for (size_t piece = 1; piece <= len + 1; piece++) {
            if (!twin_agrees(text, len, &options, piece))
                fail_msg("they differ: lift at %zu, pieces of %zu: %s", lifts[i], piece, text);
        }
    }
}

static void what_jansson_accepts_is_accepted_with_the_same_values(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        "[]",
        " \t\r\n{ } ",
        "\"a whole document\"",
        "null",
        "-12.5e-3",
        "{\"from\":\"a@b.c\",\"to\":[\"d@e.f\",{\"email\":\"g@h.i\",\"name\":\"G\"}]}",
        "{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}",
        "[\"\\u0041\\u00e9\\u4e2d\\ud83d\\ude00\",\"\\uD834\\uDD1E!\"]",
        "[\"\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80\"]",
        "[\"\\u0000\",\"\\u00000\",\"\\u000017\",\"a\\u0000b\",\"0\"]",
        "{\"\\\"quoted\\\"\":{\"long name that is never lifted\":\"value\"}}",
        "{\"a\":[{\"b\":[{\"c\":\"deep\"},\"x\"]},\"y\"],\"d\":\"z\"}",
        "{\"attachments\":[{\"content\":\"QUJD\\nREVG\"},{\"content\":\"\"}]}",
        "{\"attachments\":[{\"content\":\"a_-b\\/+=\"},{\"content\":\"QUI\"}]}",
        "{\"attachments\":[{\"content\":\"A\"},{\"content\":\"A\\u0000\"}]}",
        "{\"attachments\":{\"content\":\"not base64\"},\"content\":\"nor this!\"}",
        "{\"attachments\":[{\"c\\u006fntent\":\"QUJD\"},{\"filename\":\"content\"}]}",
        "\"\x7f\"",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_twins(texts[i], strlen(texts[i]));
}

static void what_jansson_refuses_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "{",
        "{\"a\"",
        "{\"a\":\"never closed",
        "[\"a\" \"b\"]",
        "[\"a\",]",
        "{\"a\":1,\"a\":2}",
        "{\"a\":\"longer text\",\"a\":\"longer text\"}",
        "{\"a\\u0000b\":1}",
        "{} {}",
        "{\"a\":01}",
        "nul",
        "[\"\\ud800\"]",
        "[\"\\ud800x\"]",
        "[\"\\ud800\\n\"]",
        "[\"\\ud800\\u0041\"]",
        "[\"\\udc00\"]",
        "[\"\\u12\"]",
        "[\"\\u123g\"]",
        "[\"\\x\"]",
        "[\"\\",
        "[\"\n\"]",
        "[\"abc\x01\"]",
        "[\"\xff\"]",
        "[\"\xc3\"]",
        "[\"\xc3\\u0041\"]",
        "[\"\xed\xa0\x80\"]",
        "[\"\xc0\xaf\"]",
        "[\"\xf4\x90\x80\x80\"]",
        "[\"\\u0000\xff\"]",
        "[\"\\u0000\\u00\"]",
        "{\"a\":\"b\"]",
        "]",
        "\"a\"b",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_twins(texts[i], strlen(texts[i]));
    assert_twins("[\"a\0b\"]", 7);
    assert_twins("[\0]", 3);
}

/* Wherever they are cut, and whether they are few or many; and only where they may be. */
static void octets_become_base64(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"attachments\":[{\"content\":[1,2,255]}]}",
        "{\"attachments\":[{\"content\":[]},{\"content\":[ 0 , 10\n,\t200\r]}]}",
        "{\"attachments\":[{\"content\":{\"type\":\"Buffer\",\"data\":[7,8,9,10]},\"a\":\"b\"}]}",
        "{\"attachments\":[{\"content\":{\"data\":[[1],2]}},{\"a\":[300]}],\"content\":[999]}",
        "{\"attachments\":{\"content\":[1000,2000]},\"data\":[\"a\"]}",
        "{\"attachments\":[{\"content\":[256]},{\"content\":[1,\"a\"]},{\"content\":[1.5]}]}",
        "{\"attachments\":[{\"content\":[                    ]},{\"content\":[1,2,3,4,5,6,7,8]}]}",
        "{\"attachments\":[{\"content\":[1,2,]}]}",
        "{\"attachments\":[{\"content\":[,1,2]}]}",
        "{\"attachments\":[{\"content\":[1 2 3]}]}",
        "{\"attachments\":[{\"content\":[01,2,3]}]}",
        "{\"attachments\":[{\"content\":[1,2,3",
        "{\"attachments\":[{\"content\":[1,2,3}]}",
        "{\"attachments\":[{\"content\":[1,2,3]]}",
    };
    static const size_t lifts[] = {0, 1, 2, 5, 40, 512};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        for (size_t k = 0; k < sizeof lifts / sizeof *lifts; k++) {
            document_options options = small(lifts[k]);
            options.files = (document_files){"attachments", "content", 1, true};
            for (size_t piece = 1; piece <= strlen(texts[i]); piece++) {
                if (!twin_agrees(texts[i], strlen(texts[i]), &options, piece))
                    fail_msg("they differ: lift at %zu, pieces of %zu: %s", lifts[k], piece,
                             texts[i]);
            }
        }
    }
}

static void a_list_with_something_else_in_it_is_refused_where_it_is_long(void **state)
{
    (void)state;
    static const struct {
        const char *text, *place;
    } cases[] = {
        {"{\"attachments\":[{\"content\":[1,2,3,256]}]}",
         "Line 1, byte 37: a number from 0 to 255"},
        {"{\"attachments\":[{\"content\":[1,2,3,4,null]}]}",
         "Line 1, byte 37: a number from 0 to 255"},
        {"{\"attachments\":[{\"content\":[1,2,3,4,]}]}", "Line 1, byte 37: a number from 0 to 255"},
    };
    document_options options = small(4);
    options.files = (document_files){"attachments", "content", 1, true};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf detail = BUF_INIT;
        document_result result;
        document *d = load(&options, cases[i].text, &result, &detail);
        assert_int_equal(result, DOCUMENT_BAD);
        if (strncmp(buf_cstr(&detail), cases[i].place, strlen(cases[i].place)) != 0)
            fail_msg("%s: %s", cases[i].text, buf_cstr(&detail));
        document_free(d);
        buf_free(&detail);
    }
}

/* A megabyte of them costs no more than its base64. */
static void many_octets_go_to_a_file(void **state)
{
    (void)state;
    char *text = malloc(4 * MIB + 100), *p = text;
    assert_non_null(text);
    p += sprintf(p, "{\"attachments\":[{\"content\":{\"type\":\"Buffer\",\"data\":[0");
    for (size_t i = 1; i < MIB; i++)
        p += sprintf(p, ",%zu", i * 7 % 256);
    (void)sprintf(p, "]}}]}");
    store *s = store_create("/tmp", 2 * MIB);
    document_options options = document_defaults(s, 10);
    options.files = (document_files){"attachments", "content", 1, true};
    assert_true(twin_agrees(text, strlen(text), &options, 32768));
    document *d = document_create(&options);
    for (size_t at = 0, len = strlen(text); at < len; at += 30000) {
        document_add(d, text + at, len - at < 30000 ? len - at : 30000);
        assert_true(store_used(s) < (size_t)512 * 1024);
    }
    document_free(d);
    assert_int_equal(store_used(s), 0);
    store_free(s);
    free(text);
}

static void ten_thousand_levels_are_refused(void **state)
{
    (void)state;
    char text[20000];
    memset(text, '[', sizeof text / 2);
    memset(text + sizeof text / 2, ']', sizeof text / 2);
    document_options options = small(512);
    assert_true(twin_agrees(text, sizeof text, &options, 4096));
    assert_true(twin_agrees(text, sizeof text / 2, &options, 1));
    for (size_t i = DOCUMENT_DEPTH - 1; i <= DOCUMENT_DEPTH + 1; i++)
        assert_true(twin_agrees(text + sizeof text / 2 - i, 2 * i, &options, 7));
}

static void a_reference_is_nobody_elses_to_write(void **state)
{
    (void)state;
    buf detail = BUF_INIT;
    document_result result;
    document_options options = small(4);
    document *d = load(&options, "[\"long enough\",\"\\u00000\",\"\\u0000\"]", &result, &detail);
    assert_int_equal(result, DOCUMENT_OK);
    document_string found;
    assert_true(document_lifted(d, json_array_get(document_root(d), 1), &found));
    assert_int_equal(found.text.len, 2);
    assert_memory_equal(found.text.data, "\0000", 2);
    assert_true(found.has_nul);
    assert_int_equal(found.nul_at, 0);
    document_free(d);
    buf_free(&detail);
}

static void a_fault_is_told_with_its_place_in_the_text(void **state)
{
    (void)state;
    static const struct {
        const char *text, *place;
    } cases[] = {
        {"{\"a\":\"123456789\",\n\"b\":}", "Line 2, byte 23"},
        {"{\"a\":\"123456789\",\n\n\"b\":\"1234\\x\"}", "Line 3, byte 30: invalid escape"},
        {"[1 \"a long string with a \\x fault\"]", "Line 1, byte 27: invalid escape"},
        {"[\"123456789\" x, \"1234567\\x\"]", "Line 1, byte 14"},
        {"[\"12345\xff\"]", "Line 1, byte 8: invalid UTF-8"},
        {"[\"12345\x01\"]", "Line 1, byte 8: control character in a string"},
    };
    document_options options = small(4);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf detail = BUF_INIT;
        document_result result;
        document *d = load(&options, cases[i].text, &result, &detail);
        assert_int_equal(result, DOCUMENT_BAD);
        if (strncmp(buf_cstr(&detail), cases[i].place, strlen(cases[i].place)) != 0)
            fail_msg("%s: %s", cases[i].text, buf_cstr(&detail));
        document_free(d);
        buf_free(&detail);
    }
}

/* ---- memory and files ---- */

/* {"attachments":[{"content":"QUJD…"}],"text":"…"}: `groups` times four characters, and a hundredth
 * of that. */
static char *large(size_t groups)
{
    char *text = malloc(8 * groups + 100), *p = text;
    assert_non_null(text);
    p += sprintf(p, "{\"attachments\":[{\"content\":\"");
    for (size_t i = 0; i < groups; i++, p += 4)
        memcpy(p, "QUJD", 4);
    p += sprintf(p, "\"}],\"text\":\"");
    for (size_t i = 0; i < groups / 100; i++, p += 4)
        memcpy(p, "\xe4\xb8\xad.", 4);
    (void)sprintf(p, "\"}");
    return text;
}

static void what_is_large_goes_to_a_file_and_the_budget_is_given_back(void **state)
{
    (void)state;
    char *text = large(MIB);
    store *s = store_create("/tmp", 2 * MIB);
    document_options options = document_defaults(s, 10);
    assert_true(twin_agrees(text, strlen(text), &options, 32768));
    assert_int_equal(store_used(s), 0);
    document *d = document_create(&options);
    for (size_t at = 0, len = strlen(text); at < len; at += 30000) {
        document_add(d, text + at, len - at < 30000 ? len - at : 30000);
        assert_true(store_used(s) < (size_t)512 * 1024);
    }
    document_free(d);
    assert_int_equal(store_used(s), 0);
    store_free(s);
    free(text);
}

static void without_a_folder_the_budget_decides(void **state)
{
    (void)state;
    char *text = large(MIB);
    store *s = store_create(NULL, 20 * MIB);
    document_options options = document_defaults(s, 10);
    assert_true(twin_agrees(text, strlen(text), &options, 32768));
    assert_int_equal(store_used(s), 0);
    store_free(s);

    buf detail = BUF_INIT;
    document_result result;
    s = store_create(NULL, 3 * MIB);
    options = document_defaults(s, 10);
    document *d = load(&options, text, &result, &detail);
    assert_int_equal(result, DOCUMENT_NO_SPACE);
    document_free(d);
    assert_int_equal(store_used(s), 0);
    store_free(s);
    free(text);
    buf_free(&detail);
}

static void a_full_disk_is_told_as_such(void **state)
{
    (void)state;
    char *text = large(MIB);
    store *s = store_create("/tmp", 2 * MIB);
    document_options options = document_defaults(s, 10);
    struct rlimit before, little = {MIB, MIB};
    buf detail = BUF_INIT;
    document_result result;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    little.rlim_max = before.rlim_max;
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    document *d = load(&options, text, &result, &detail);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(result, DOCUMENT_NO_SPACE);
    document_free(d);
    assert_int_equal(store_used(s), 0);
    store_free(s);
    free(text);
    buf_free(&detail);
}

static void structure_is_bounded(void **state)
{
    (void)state;
    buf detail = BUF_INIT, text = BUF_INIT;
    document_result result;
    document_options options = document_defaults(NULL, 0);
    buf_addc(&text, '[');
    for (size_t i = 0; i < MIB; i++)
        buf_adds(&text, "1,");
    buf_adds(&text, "1]");
    document *d = load(&options, buf_cstr(&text), &result, &detail);
    assert_int_equal(result, DOCUMENT_TOO_LARGE);
    assert_true(detail.len > 0);
    document_free(d);
    buf_free(&text);
    buf_free(&detail);
}

static void a_tree_can_be_a_document(void **state)
{
    (void)state;
    document_string found;
    document *d = document_wrap(json_pack("{s:s%}", "a", "\0000", (size_t)2));
    assert_non_null(d);
    assert_false(document_lifted(d, json_object_get(document_root(d), "a"), &found));
    document_free(d);
}

/* Without the parser: what is sure, as the parser has it; all else is left to it. */
static void what_is_plain_needs_no_parser(void **state)
{
    (void)state;
    static const char *const plain[] = {
        "{}",
        " {\t\"a\" : \"b\" ,\r\n\"c\":[ ] } ",
        "{\"from\":\"Shop <a@b.c>\",\"to\":[\"x@y.z\",{\"email\":\"q@r.s\"}]}",
        "{\"html\":\"\\u000012\",\"a\":true,\"b\":false,\"c\":null,\"\":\"\x7F\"}",
        "{\"a\":{\"a\":[[[[[[]]]]]]}}",
        "[]",
        "[{\"a\":0,\"b\":-7 , \"c\":[123456789012345678]}, 42]",
    };
    static const char *const others[] = {
        "",
        "\"a\"",
        "1",
        "{",
        "[1.5]",
        "[1e2]",
        "[01]",
        "[00]",
        "[-0]",
        "[-]",
        "[+1]",
        "[1x]",
        "[-",
        "[1",
        "[1234567890123456789]",
        "[]]",
        "{\"a\":\"\\n\"}",
        "{\"a\":\"\xC3\xA4\"}",
        "{\"a\":\"\x1F\"}",
        "{\"a\":\"b\",\"a\":\"c\"}",
        "{\"a\":\"b\",}",
        "{\"a\":[\"b\",]}",
        "{\"a\":trueish}",
        "{\"a\":\"b\"}x",
        "{\"a\":\"b\"",
        "{\"a\":\"b",
        "{\"a\":\"\\u0000x\"}",
        "{\"a\":\"\\u00001",
        "{\"a\" \"b\"}",
        "{\"a\":[[[[[[[[]]]]]]]]}",
    };
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        json_t *quick = plain_load(plain[i], strlen(plain[i]));
        json_t *alone = json_loads(plain[i], TWIN_FLAGS, NULL);
        assert_non_null(quick);
        assert_true(json_equal(quick, alone));
        json_decref(quick);
        json_decref(alone);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_null(plain_load(others[i], strlen(others[i])));
}

static void a_folder_is_tried(void **state)
{
    (void)state;
    assert_true(store_writes("/tmp"));
    assert_false(store_writes("/nowhere/at/all"));
    assert_non_null(store_usual_folder());
    store *s = store_create(NULL, 10);
    assert_true(store_has(s, 10));
    assert_false(store_take(s, 11));
    assert_true(store_take(s, 10));
    assert_false(store_take(s, 1));
    assert_false(store_has(s, 1));
    store_give(s, 10);
    assert_int_equal(store_used(s), 0);
    store_free(s);
}

/* Not under AddressSanitizer, which is to see what was freed. */
static void a_documents_block_serves_the_next(void **state)
{
    enum { MANY = 100 };
    static const char text[] = "{\"a\":\"b\"}";
    document *list[MANY];
    buf detail = BUF_INIT;
    (void)state;
    store *s = store_create(NULL, MIB);
    const document_options options = document_defaults(s, 10);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < MANY; i++) {
            list[i] = document_create(&options);
            assert_non_null(list[i]);
            document_add(list[i], text, sizeof text - 1);
            assert_int_equal(document_parse(list[i], &detail), DOCUMENT_OK);
            assert_string_equal(json_string_value(json_object_get(document_root(list[i]), "a")),
                                "b");
        }
        for (size_t i = 0; i < MANY; i++)
            document_free(list[i]);
        assert_int_equal(store_used(s), 0);
    }
    void *kept = store_spare(s);
    free(kept);
    document *d = document_create(&options), *before = d;
    document_free(d);
    d = document_create(&options);
    if (kept)
        assert_ptr_equal(d, before);
    document_free(d);
    buf_free(&detail);
    store_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_jansson_accepts_is_accepted_with_the_same_values),
        cmocka_unit_test(what_jansson_refuses_is_refused),
        cmocka_unit_test(octets_become_base64),
        cmocka_unit_test(a_list_with_something_else_in_it_is_refused_where_it_is_long),
        cmocka_unit_test(many_octets_go_to_a_file),
        cmocka_unit_test(a_documents_block_serves_the_next),
        cmocka_unit_test(ten_thousand_levels_are_refused),
        cmocka_unit_test(a_reference_is_nobody_elses_to_write),
        cmocka_unit_test(a_fault_is_told_with_its_place_in_the_text),
        cmocka_unit_test(what_is_large_goes_to_a_file_and_the_budget_is_given_back),
        cmocka_unit_test(without_a_folder_the_budget_decides),
        cmocka_unit_test(a_full_disk_is_told_as_such),
        cmocka_unit_test(structure_is_bounded),
        cmocka_unit_test(a_tree_can_be_a_document),
        cmocka_unit_test(what_is_plain_needs_no_parser),
        cmocka_unit_test(a_folder_is_tried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
