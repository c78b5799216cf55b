/* Tests of hook/payload and hook/when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hook/payload.h"
#include "hook/when.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

static hook_payload_result parse(const char *text, bool form, json_t **out)
{
    buf detail = BUF_INIT;
    hook_payload_result result =
        (form ? hook_payload_form : hook_payload_json)(text, strlen(text), out, &detail);
    assert_int_equal(result == HOOK_PAYLOAD_OK, *out != NULL);
    assert_int_equal(result == HOOK_PAYLOAD_OK, detail.len == 0);
    buf_free(&detail);
    return result;
}

static void json_is_read_strictly(void **state)
{
    static const struct {
        const char *text;
        hook_payload_result result;
    } cases[] = {
        {"{}", HOOK_PAYLOAD_OK},
        {" [1, \"a\\\"]]]\", {\"b\": [[]]}] ", HOOK_PAYLOAD_OK},
        {"\"text\"", HOOK_PAYLOAD_OK},
        {"", HOOK_PAYLOAD_BAD},
        {" ", HOOK_PAYLOAD_BAD},
        {"{", HOOK_PAYLOAD_BAD},
        {"{\"a\":1", HOOK_PAYLOAD_BAD},
        {"{\"a\":1}x", HOOK_PAYLOAD_BAD},
        {"{\"a\":1,\"a\":2}", HOOK_PAYLOAD_BAD},
        {"{\"a\":\"\\u000\"}", HOOK_PAYLOAD_BAD},
        {"{\"a\":\"\xFF\"}", HOOK_PAYLOAD_BAD},
        {"\"\\", HOOK_PAYLOAD_BAD},
        {"\"", HOOK_PAYLOAD_BAD},
        {"]]]]", HOOK_PAYLOAD_BAD},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        json_t *root = NULL;
        if (parse(cases[i].text, false, &root) != cases[i].result)
            fail_msg("%s", cases[i].text);
        json_decref(root);
    }
}

/* Of the kinds that are read without jansson's parser, and of those that are left to it. */
static void the_tree_is_the_one_that_jansson_makes(void **state)
{
    static const char *const texts[] = {
        "{\"a\":\"\\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u0041\\u00e4\\u674e\\ud83c\\udf89 .\"}",
        "{\"a\":\"\xE6\x9D\x8E\",\"b\":[\"\",\"\xC3\xA4\\n\xC3\xA4\"]}",
        "{\"\xE6\x9D\x8E\":1,\"\\n\":2}",
        "[0,-1,123456789012345678,1234567890123456789,-9223372036854775808]",
        "[0.5,-0.0,3.25,1e9,2E-3,1.5e+10,0e0,1e-400,0.1,123456789.123456789]",
        "[ true , false , null , { } , [ ] ]",
        "{\"a\":{\"b\":[[[[[[[[[[[[\"deep\"]]]]]]]]]]]]}}",
    };
    static const char *const none[] = {
        "[1.]",
        "[.5]",
        "[01.5]",
        "[1e]",
        "[1e+]",
        "[-]",
        "[1e400]",
        "[0x10]",
        "[1.5.2]",
        "[1.5x]",
        "[9223372036854775808]",
        "[\"\\x\"]",
        "[\"\\u12\"]",
        "[\"\\u12g4\"]",
        "[\"\xC3\"]",
        "[\"\xC3\\u00e4\"]",
        "[\"\xC3\\n\"]",
        "[\"\x1F\"]",
        "[\"\\",
        "{\"a\":1,\"b\":2.5,\"a\":\"\\n\"}",
        "[1.5,]",
        "[\"\\n\"",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        json_t *root = NULL, *alone = json_loads(texts[i], 0, NULL);
        assert_non_null(alone);
        assert_int_equal(parse(texts[i], false, &root), HOOK_PAYLOAD_OK);
        assert_true(json_equal(root, alone));
        json_decref(root);
        json_decref(alone);
    }
    for (size_t i = 0; i < COUNT(none); i++) {
        json_t *root = NULL;
        if (parse(none[i], false, &root) != HOOK_PAYLOAD_BAD)
            fail_msg("%s", none[i]);
    }
}

static char *repeat(const char *text, size_t times)
{
    size_t len = strlen(text);
    char *out = malloc(times * len + 1);
    assert_non_null(out);
    for (size_t i = 0; i < times; i++)
        memcpy(out + i * len, text, len);
    out[times * len] = '\0';
    return out;
}

static void depth_and_values_are_bounded(void **state)
{
    json_t *root = NULL;
    (void)state;
    for (size_t depth = HOOK_DEPTH - 1; depth <= HOOK_DEPTH + 1; depth++) {
        char *open = repeat("[", depth), *close = repeat("]", depth), *text = NULL;
        assert_true(asprintf(&text, "%s%s", open, close) > 0);
        assert_int_equal(parse(text, false, &root),
                         depth <= HOOK_DEPTH ? HOOK_PAYLOAD_OK : HOOK_PAYLOAD_TOO_LARGE);
        json_decref(root);
        free(open);
        free(close);
        free(text);
    }
    const char *const hostile[] = {"[", "{\"a\":", "[],", "{},"};
    for (size_t i = 0; i < COUNT(hostile); i++) {
        char *text = repeat(hostile[i], HOOK_VALUES);
        assert_int_equal(parse(text, false, &root), HOOK_PAYLOAD_TOO_LARGE);
        free(text);
    }
    char *commas = repeat("[[[[[,,,", 10); /* in a string they are nothing */
    char *text = NULL;
    assert_true(asprintf(&text, "[\"%s\"]", commas) > 0);
    assert_int_equal(parse(text, false, &root), HOOK_PAYLOAD_OK);
    json_decref(root);
    free(commas);
    free(text);
}

static void forms_have_a_payload(void **state)
{
    static const struct {
        const char *text;
        hook_payload_result result;
        const char *value; /* of "a" */
    } cases[] = {
        {"payload={\"a\":\"b+c%20d\"}", HOOK_PAYLOAD_OK, "b c d"},
        {"x=1&payload=%7B%22a%22%3A%22%E6%9D%8E%22%7D&y=2", HOOK_PAYLOAD_OK, "李"},
        {"payload=%7B%22a%22%3A%22%2B%25%22%7d", HOOK_PAYLOAD_OK, "+%"},
        {"payload={\"a\":\"%zz%4\"}", HOOK_PAYLOAD_OK, "%zz%4"},
        {"payload={\"a\":\"1\"}&payload={\"a\":\"2\"}", HOOK_PAYLOAD_OK, "1"},
        {"payload=", HOOK_PAYLOAD_BAD, NULL},
        {"payload", HOOK_PAYLOAD_BAD, NULL},
        {"xpayload={}", HOOK_PAYLOAD_BAD, NULL},
        {"&&&", HOOK_PAYLOAD_BAD, NULL},
        {"", HOOK_PAYLOAD_BAD, NULL},
        {"{\"a\":1}", HOOK_PAYLOAD_BAD, NULL},
        {"payload=%00", HOOK_PAYLOAD_BAD, NULL},
        {"payload=%7B%22a", HOOK_PAYLOAD_BAD, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        json_t *root = NULL;
        if (parse(cases[i].text, true, &root) != cases[i].result)
            fail_msg("%s", cases[i].text);
        if (root)
            assert_string_equal(json_string_value(json_object_get(root, "a")), cases[i].value);
        json_decref(root);
    }
}

/* The examples of RFC 6901 section 5, and what points to nothing. */
static void pointers_are_followed(void **state)
{
    json_t *root = NULL;
    static const struct {
        const char *pointer, *value;
    } cases[] = {
        {"/foo/0", "\"bar\""}, {"/", "0"},         {"/a~1b", "1"},
        {"/c%d", "2"},         {"/e^f", "3"},      {"/g|h", "4"},
        {"/ ", "7"},           {"/m~0n", "8"},     {"/foo/2", NULL},
        {"/foo/00", NULL},     {"/foo/-", NULL},   {"/foo/", NULL},
        {"/foo/0/x", NULL},    {"/nothing", NULL}, {"foo", NULL},
        {"/m~2n", NULL},       {"/m~", NULL},      {"/foo/99999999999999999999", NULL},
    };
    (void)state;
    assert_int_equal(parse("{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,"
                           "\"g|h\":4,\" \":7,\"m~n\":8}",
                           false, &root),
                     HOOK_PAYLOAD_OK);
    assert_ptr_equal(hook_pointer_find(root, ""), root);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const json_t *found = hook_pointer_find(root, cases[i].pointer);
        char *text = found ? json_dumps(found, JSON_ENCODE_ANY) : NULL;
        if (!text != !cases[i].value || (text && strcmp(text, cases[i].value) != 0))
            fail_msg("%s: %s", cases[i].pointer, text ? text : "nothing");
        free(text);
    }
    json_decref(root);
    char *longer = repeat("/abcdefg", HOOK_POINTER_MAX / 8 + 1);
    assert_false(hook_pointer_valid(longer));
    longer[HOOK_POINTER_MAX] = '\0';
    assert_true(hook_pointer_valid(longer));
    free(longer);
}

/* ---- conditions ---- */

#define PAYLOAD                                                                                    \
    "{\"status\":\"firing\",\"n\":3,\"f\":1.5,\"null\":null,\"list\":[\"a\",2],\"o\":{\"k\":1},"   \
    "\"yes\":true}"

static const char *header(void *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, "X-Event") == 0 ? "push" : strcmp(name, "X-Bad") == 0 ? "\xFF" : NULL;
}

static bool holds(const char *conditions)
{
    json_t *list = json_loads(conditions, 0, NULL), *payload = NULL;
    char *error = NULL;
    assert_non_null(list);
    hook_when *w = hook_when_create(list, &error);
    json_decref(list); /* it has a copy */
    if (!w)
        fail_msg("%s: %s", conditions, error);
    assert_int_equal(parse(PAYLOAD, false, &payload), HOOK_PAYLOAD_OK);
    bool held = hook_when_holds(w, payload, header, NULL);
    json_decref(payload);
    hook_when_free(w);
    return held;
}

static void conditions_hold_or_not(void **state)
{
    static const struct {
        const char *condition;
        bool holds;
    } cases[] = {
        {"{\"pointer\":\"/status\",\"value\":\"firing\"}", true},
        {"{\"pointer\":\"/status\",\"op\":\"equals\",\"value\":\"resolved\"}", false},
        {"{\"pointer\":\"/n\",\"op\":\"equals\",\"value\":3.0}", true},
        {"{\"pointer\":\"/o\",\"op\":\"equals\",\"value\":{\"k\":1}}", true},
        {"{\"pointer\":\"/null\",\"op\":\"equals\",\"value\":null}", true},
        {"{\"pointer\":\"/none\",\"op\":\"equals\",\"value\":null}", false},
        {"{\"pointer\":\"/yes\",\"op\":\"equals\",\"value\":true}", true},
        {"{\"pointer\":\"/status\",\"op\":\"not_equals\",\"value\":\"resolved\"}", true},
        {"{\"pointer\":\"/status\",\"op\":\"not_equals\",\"value\":\"firing\"}", false},
        {"{\"pointer\":\"/none\",\"op\":\"not_equals\",\"value\":\"firing\"}", true},
        {"{\"pointer\":\"/status\",\"op\":\"in\",\"value\":[\"a\",\"firing\"]}", true},
        {"{\"pointer\":\"/status\",\"op\":\"in\",\"value\":[]}", false},
        {"{\"pointer\":\"/none\",\"op\":\"in\",\"value\":[null]}", false},
        {"{\"pointer\":\"/status\",\"op\":\"exists\"}", true},
        {"{\"pointer\":\"/null\",\"op\":\"exists\"}", false},
        {"{\"pointer\":\"/none\",\"op\":\"exists\"}", false},
        {"{\"pointer\":\"/none\",\"op\":\"missing\"}", true},
        {"{\"pointer\":\"/status\",\"op\":\"missing\"}", false},
        {"{\"pointer\":\"/status\",\"op\":\"contains\",\"value\":\"iri\"}", true},
        {"{\"pointer\":\"/status\",\"op\":\"contains\",\"value\":\"x\"}", false},
        {"{\"pointer\":\"/list\",\"op\":\"contains\",\"value\":2}", true},
        {"{\"pointer\":\"/list\",\"op\":\"contains\",\"value\":\"b\"}", false},
        {"{\"pointer\":\"/n\",\"op\":\"contains\",\"value\":3}", false},
        {"{\"pointer\":\"/status\",\"op\":\"begins\",\"value\":\"fir\"}", true},
        {"{\"pointer\":\"/status\",\"op\":\"begins\",\"value\":\"ir\"}", false},
        {"{\"pointer\":\"/n\",\"op\":\"begins\",\"value\":\"3\"}", false},
        {"{\"pointer\":\"/n\",\"op\":\"greater\",\"value\":2.5}", true},
        {"{\"pointer\":\"/n\",\"op\":\"greater\",\"value\":3}", false},
        {"{\"pointer\":\"/status\",\"op\":\"greater\",\"value\":0}", false},
        {"{\"pointer\":\"/f\",\"op\":\"less\",\"value\":2}", true},
        {"{\"pointer\":\"/none\",\"op\":\"less\",\"value\":2}", false},
        {"{\"header\":\"X-Event\",\"value\":\"push\"}", true},
        {"{\"header\":\"X-Event\",\"op\":\"in\",\"value\":[\"star\"]}", false},
        {"{\"header\":\"X-None\",\"op\":\"missing\"}", true},
        {"{\"header\":\"X-Bad\",\"op\":\"exists\"}", true},
        {"{\"header\":\"X-Bad\",\"value\":\"push\"}", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[256];
        (void)snprintf(text, sizeof text, "[%s]", cases[i].condition);
        if (holds(text) != cases[i].holds)
            fail_msg("%s", cases[i].condition);
    }
    assert_true(holds("[]"));
    assert_true(hook_when_holds(NULL, NULL, header, NULL));
    assert_false(holds("[{\"pointer\":\"/n\",\"value\":3},{\"pointer\":\"/n\",\"value\":4}]"));
    assert_false(holds("[{\"pointer\":\"/n\",\"value\":4},{\"pointer\":\"/n\",\"value\":3}]"));
}

static void other_conditions_are_faults(void **state)
{
    static const char *const bad[] = {
        "{}",
        "[1]",
        "[{}]",
        "[{\"pointer\":\"/a\"}]",
        "[{\"pointer\":\"a\",\"value\":1}]",
        "[{\"pointer\":1,\"value\":1}]",
        "[{\"pointer\":\"/a\",\"header\":\"b\",\"value\":1}]",
        "[{\"header\":\"a b\",\"value\":1}]",
        "[{\"header\":\"\",\"value\":1}]",
        "[{\"pointer\":\"/a\",\"op\":\"matches\",\"value\":1}]",
        "[{\"pointer\":\"/a\",\"op\":1,\"value\":1}]",
        "[{\"pointer\":\"/a\",\"op\":\"in\",\"value\":1}]",
        "[{\"pointer\":\"/a\",\"op\":\"exists\",\"value\":1}]",
        "[{\"pointer\":\"/a\",\"op\":\"begins\",\"value\":1}]",
        "[{\"pointer\":\"/a\",\"op\":\"less\",\"value\":\"1\"}]",
        "[{\"pointer\":\"/a\",\"value\":1,\"typo\":1}]",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        json_t *list = json_loads(bad[i], 0, NULL);
        char *error = NULL;
        assert_non_null(list);
        if (hook_when_create(list, &error))
            fail_msg("taken: %s", bad[i]);
        assert_non_null(error);
        free(error);
        json_decref(list);
    }
}

static bool thread(const char *hook, const char *payload, const char *first, const char *second,
                   char out[HOOK_THREAD_KEY + 1])
{
    const char *const pointers[] = {first, second, NULL};
    json_t *root = json_loads(payload, 0, NULL);
    assert_non_null(root);
    bool found = hook_thread(hook, pointers, root, out);
    json_decref(root);
    return found;
}

static void the_same_key_is_the_same_thread(void **state)
{
    char one[HOOK_THREAD_KEY + 1], other[HOOK_THREAD_KEY + 1];
    (void)state;
    assert_true(thread("a", "{\"k\":\"x\",\"s\":\"firing\"}", "/k", NULL, one));
    assert_int_equal(strlen(one), HOOK_THREAD_KEY);
    assert_true(thread("a", "{\"s\":\"resolved\",\"k\":\"x\"}", "/k", NULL, other));
    assert_string_equal(one, other);
    assert_true(thread("b", "{\"k\":\"x\"}", "/k", NULL, other));
    assert_string_not_equal(one, other);
    assert_true(thread("a", "{\"k\":\"y\"}", "/k", NULL, other));
    assert_string_not_equal(one, other);
    assert_true(thread("a", "{\"k\":\"x\",\"l\":\"y\"}", "/k", "/l", one));
    assert_true(thread("a", "{\"k\":\"y\",\"l\":\"x\"}", "/k", "/l", other));
    assert_string_not_equal(one, other);
    assert_true(thread("a", "{\"l\":\"x\"}", "/k", "/l", one));
    assert_false(thread("a", "{\"k\":null}", "/k", "/l", other));
    assert_true(thread("a", "{\"k\":{\"a\":1,\"b\":2}}", "/k", NULL, one));
    assert_true(thread("a", "{\"k\":{\"b\":2,\"a\":1}}", "/k", NULL, other));
    assert_string_equal(one, other);
}

static void what_a_mail_cannot_hold_is_replaced(void **state)
{
    static const struct {
        const char *text, *value;
    } cases[] = {
        {"\"a\\u0000b\"", "a\xEF\xBF\xBD"
                          "b"},
        {"\"\\ud83d\"", "\xEF\xBF\xBD"},
        {"\"\\ud83d!\\uDE00\"", "\xEF\xBF\xBD!\xEF\xBF\xBD"},
        {"\"\\ud83d\\ude00\"", "\xF0\x9F\x98\x80"},
        {"\"\\ud83d\\ud83d\\ude00\"", "\xEF\xBF\xBD\xF0\x9F\x98\x80"},
        {"\"\\\\u0000\\\"\"", "\\u0000\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *root = NULL;
        buf detail = BUF_INIT;
        assert_int_equal(hook_payload_json(cases[i].text, strlen(cases[i].text), &root, &detail),
                         HOOK_PAYLOAD_OK);
        assert_string_equal(json_string_value(root), cases[i].value);
        json_decref(root);
        buf_free(&detail);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_mail_cannot_hold_is_replaced),
        cmocka_unit_test(json_is_read_strictly),
        cmocka_unit_test(the_tree_is_the_one_that_jansson_makes),
        cmocka_unit_test(depth_and_values_are_bounded),
        cmocka_unit_test(forms_have_a_payload),
        cmocka_unit_test(pointers_are_followed),
        cmocka_unit_test(conditions_hold_or_not),
        cmocka_unit_test(other_conditions_are_faults),
        cmocka_unit_test(the_same_key_is_the_same_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
