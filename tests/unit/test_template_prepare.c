/* Tests of template/prepare: what each rule makes of the data it is for, and of all other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "template/prepare.h"

static json_t *parsed(const char *text)
{
    json_error_t error;
    json_t *out = json_loads(text, JSON_DECODE_ANY, &error);
    if (!out)
        print_error("%s: %s\n", text, error.text);
    assert_non_null(out);
    return out;
}

/* The rules on the data give what is expected, and leave the data as they were. */
static void expect(const char *rules, const char *data, const char *expected)
{
    char *error;
    bool too_large;
    json_t *r = parsed(rules), *d = parsed(data), *before = json_deep_copy(d),
           *e = parsed(expected);
    prepare *p = prepare_create(r, &error);
    assert_non_null(p);
    json_t *out = prepare_apply(p, d, NULL, NULL, &too_large);
    assert_non_null(out);
    assert_false(too_large);
    char *got = json_dumps(out, JSON_ENCODE_ANY);
    if (!json_equal(out, e))
        print_error("%s of %s\n  is %s\n not %s\n", rules, data, got, expected);
    assert_true(json_equal(out, e));
    assert_true(json_equal(d, before));
    free(got);
    json_decref(out);
    json_decref(before);
    json_decref(d);
    json_decref(e);
    json_decref(r);
    prepare_free(p);
}

static void entries_are_listed(void **state)
{
    (void)state;
    expect("{\"entries\": [\"/l\"]}", "{\"l\": {\"a\": 1, \"b\": [2]}}",
           "{\"l\": {\"a\": 1, \"b\": [2]}, \"l_entries\": [{\"name\": \"a\", \"value\": 1}, "
           "{\"name\": \"b\", \"value\": [2]}]}");
    expect("{\"entries\": [\"/l\"]}", "{\"l\": {}}", "{\"l\": {}, \"l_entries\": []}");
    expect("{\"entries\": [\"/l\"]}", "{\"l\": [1]}", "{\"l\": [1]}");
    expect("{\"entries\": [\"\"]}", "{\"a\": 1}",
           "{\"a\": 1, \"entries\": [{\"name\": \"a\", \"value\": 1}]}");
    expect("{\"entries\": [\"\"]}", "[1]", "[1]");
}

static void flags_are_names(void **state)
{
    (void)state;
    expect("{\"flags\": [\"/*\"]}",
           "{\"a\": \"firing\", \"b\": true, \"c\": false, \"d\": null, \"e\": 5, \"f\": [], "
           "\"g\": {}, \"h\": \"\", \"i\": 1.5}",
           "{\"a\": \"firing\", \"b\": true, \"c\": false, \"d\": null, \"e\": 5, \"f\": [], "
           "\"g\": {}, \"h\": \"\", \"i\": 1.5, \"a_is\": {\"firing\": true}, "
           "\"b_is\": {\"true\": true}, \"c_is\": {}, \"d_is\": {}, \"e_is\": {\"5\": true}}");
}

static void money_has_its_currencys_digits(void **state)
{
    (void)state;
    static const struct {
        const char *data, *text;
    } cases[] = {
        {"\"a\": 2000, \"currency\": \"usd\"", "20.00 USD"},
        {"\"a\": -2005, \"currency\": \"EUR\"", "-20.05 EUR"},
        {"\"a\": -5, \"currency\": \"eur\"", "-0.05 EUR"},
        {"\"a\": 0, \"currency\": \"eur\"", "0.00 EUR"},
        {"\"a\": 2000, \"currency\": \"jpy\"", "2000 JPY"},
        {"\"a\": 2000, \"currency\": \"krw\"", "2000 KRW"},
        {"\"a\": 2000, \"currency\": \"kwd\"", "2.000 KWD"},
        {"\"a\": 500, \"currency\": \"isk\"", "5.00 ISK"},
        {"\"a\": 7", "0.07"},
        {"\"a\": 7, \"currency\": \"euro\"", "0.07"},
        {"\"a\": 7, \"currency\": \"e1r\"", "0.07"},
        {"\"a\": 7, \"currency\": 978", "0.07"},
        {"\"a\": 9223372036854775807, \"currency\": \"bhd\"", "9223372036854775.807 BHD"},
        {"\"a\": -9223372036854775808, \"currency\": \"clf\"", "-922337203685477.5808 CLF"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char data[200], expected[300];
        (void)snprintf(data, sizeof data, "{%s}", cases[i].data);
        (void)snprintf(expected, sizeof expected, "{%s, \"a_money\": \"%s\"}", cases[i].data,
                       cases[i].text);
        expect("{\"money\": [\"/a\"]}", data, expected);
    }
    expect("{\"money\": [\"/a\"]}", "{\"a\": \"20\"}", "{\"a\": \"20\"}");
    expect("{\"money\": [\"/a\"]}", "{\"a\": 1.5}", "{\"a\": 1.5}");
    expect("{\"money\": [\"/x/*/a\"]}",
           "{\"currency\": \"chf\", \"x\": [{\"a\": 1}, {\"a\": 1, \"currency\": \"sek\"}]}",
           "{\"currency\": \"chf\", \"x\": [{\"a\": 1, \"a_money\": \"0.01 CHF\"}, "
           "{\"a\": 1, \"currency\": \"sek\", \"a_money\": \"0.01 SEK\"}]}");
}

static void times_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *value, *text; /* NULL: nothing is made */
    } cases[] = {
        {"1700000000", "2023-11-14 22:13 UTC"},
        {"1700000000.75", "2023-11-14 22:13 UTC"},
        {"1700000000000", "2023-11-14 22:13 UTC"},
        {"\"2018-08-03T09:52:26.739266876+02:00\"", "2018-08-03 07:52 UTC"},
        {"\"2026-01-01T00:30:00+01:00\"", "2025-12-31 23:30 UTC"},
        {"\"2024-02-29t23:59:60z\"", "2024-03-01 00:00 UTC"},
        {"\"2016-08-12 15:23:28 UTC\"", "2016-08-12 15:23 UTC"},
        {"\"2016-08-12 15:23:28 -0330\"", "2016-08-12 18:53 UTC"},
        {"\"9999-12-31T23:59:59Z\"", "9999-12-31 23:59 UTC"},
        {"\"9999-12-31T23:59:59-01:00\"", NULL},
        {"\"1970-01-01T00:00:00+01:00\"", NULL},
        {"\"0001-01-01T00:00:00Z\"", NULL},
        {"\"2023-02-29T00:00:00Z\"", NULL},
        {"\"2023-13-01T00:00:00Z\"", NULL},
        {"\"2023-01-01T24:00:00Z\"", NULL},
        {"\"2023-01-01T00:00:00\"", NULL},
        {"\"2023-01-01T00:00:00+1\"", NULL},
        {"\"2023-01-01\"", NULL},
        {"\"\"", NULL},
        {"\"yesterday\"", NULL},
        {"0", NULL},
        {"-5", NULL},
        {"1e300", NULL},
        {"true", NULL},
        {"null", NULL},
        {"[1]", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char data[200], expected[300];
        (void)snprintf(data, sizeof data, "{\"at\": %s}", cases[i].value);
        (void)snprintf(expected, sizeof expected, "{\"at\": %s, \"at_time\": \"%s\"}",
                       cases[i].value, cases[i].text ? cases[i].text : "");
        expect("{\"times\": [\"/at\"]}", data, cases[i].text ? expected : data);
    }
}

static void lines_and_the_first_of_them(void **state)
{
    (void)state;
    static const char rules[] = "{\"lines\": [\"/t\"], \"first\": [\"/t\"]}";
    expect(rules, "{\"t\": \"a\\r\\n\\nb\"}",
           "{\"t\": \"a\\r\\n\\nb\", \"t_lines\": [\"a\", \"\", \"b\"], \"t_first\": \"a\"}");
    expect(rules, "{\"t\": \"a\\n\"}",
           "{\"t\": \"a\\n\", \"t_lines\": [\"a\"], \"t_first\": \"a\"}");
    expect(rules, "{\"t\": \"\"}", "{\"t\": \"\", \"t_lines\": [], \"t_first\": \"\"}");
    expect(rules, "{\"t\": 5}", "{\"t\": 5}");
}

#define ROW(name, label, value, group, depth, px, indent)                                          \
    "{\"name\": \"" name "\", \"label\": \"" label "\", \"value\": \"" value                       \
    "\", \"group\": " group ", \"depth\": " depth ", \"px\": " px ", \"indent\": \"" indent "\"}"

static void rows_show_anything(void **state)
{
    (void)state;
    static const char data[] = "\"a\": {\"b\": [\"x\", {}]}, \"n\": 1.5, \"z\": null";
    char whole[200], expected[2000];
    (void)snprintf(whole, sizeof whole, "{%s}", data);
    (void)snprintf(
        expected, sizeof expected, "{%s, \"rows\": [%s, %s, %s, %s, %s, %s]}", data,
        ROW("a", "a", "", "true", "0", "0", ""), ROW("a.b", "b", "", "true", "1", "16", "  "),
        ROW("a.b[0]", "[0]", "x", "false", "2", "32", "    "),
        ROW("a.b[1]", "[1]", "{}", "false", "2", "32", "    "),
        ROW("n", "n", "1.5", "false", "0", "0", ""), ROW("z", "z", "", "false", "0", "0", ""));
    expect("{\"rows\": [\"\"]}", whole, expected);
    expect("{\"rows\": [\"/v\"]}", "{\"v\": true}",
           "{\"v\": true, \"v_rows\": [" ROW("value", "value", "true", "false", "0", "0", "") "]}");
    expect("{\"rows\": [\"/v\"]}", "{\"v\": []}", "{\"v\": [], \"v_rows\": []}");
}

static void the_hooks_own_is_no_row(void **state)
{
    (void)state;
    expect("{\"rows\": [\"\"]}", "{\"v\": true, \"postern\": {\"hook\": \"h\"}}",
           "{\"v\": true, \"postern\": {\"hook\": \"h\"}, \"rows\": [" ROW(
               "v", "v", "true", "false", "0", "0", "") "]}");
}

static void steps_come_one_after_another(void **state)
{
    (void)state;
    expect("[{\"few\": {\"/l\": 1}}, {\"few\": {\"/l_few/*/t\": 2}}]",
           "{\"l\": [{\"t\": \"abc\"}, {\"t\": \"d\"}]}",
           "{\"l\": [{\"t\": \"abc\", \"t_few\": \"a…\", \"t_more\": 1}, {\"t\": \"d\"}], "
           "\"l_few\": [{\"t\": \"abc\", \"t_few\": \"a…\", \"t_more\": 1}], \"l_more\": 1}");
    expect("[]", "{\"a\": 1}", "{\"a\": 1}");
}

/* The same value, wherever it is looked at. */
static void a_rule_comes_to_a_value_by_another_name(void **state)
{
    (void)state;
    expect("[{\"entries\": [\"/l\"]}, {\"first\": [\"/l_entries/*/value/t\"]}]",
           "{\"l\": {\"k\": {\"t\": \"a\\nb\"}}}",
           "{\"l\": {\"k\": {\"t\": \"a\\nb\", \"t_first\": \"a\"}}, \"l_entries\": "
           "[{\"name\": \"k\", \"value\": {\"t\": \"a\\nb\", \"t_first\": \"a\"}}]}");
    expect("[{\"entries\": [\"/x/a\"]}, {\"counts\": [\"/x/*/0/value/p/z\"]}]",
           "{\"x\": {\"a\": {\"m\": {\"p\": {\"z\": [1]}}}}}",
           "{\"x\": {\"a\": {\"m\": {\"p\": {\"z\": [1], \"z_count\": 1}}}, \"a_entries\": "
           "[{\"name\": \"m\", \"value\": {\"p\": {\"z\": [1], \"z_count\": 1}}}]}}");
    expect("[{\"entries\": [\"\"]}, {\"counts\": [\"/entries/0/value/z\"]}]",
           "{\"k\": {\"z\": [1]}}",
           "{\"k\": {\"z\": [1], \"z_count\": 1}, \"entries\": "
           "[{\"name\": \"k\", \"value\": {\"z\": [1], \"z_count\": 1}}]}");
    expect(
        "[{\"few\": {\"/l\": 2}}, {\"few\": {\"/l_few\": 1}}, {\"flags\": [\"/l_few_few/0/z\"]}]",
        "{\"l\": [{\"z\": 1}]}",
        "{\"l\": [{\"z\": 1, \"z_is\": {\"1\": true}}], \"l_few\": [{\"z\": 1, \"z_is\": "
        "{\"1\": true}}], \"l_few_few\": [{\"z\": 1, \"z_is\": {\"1\": true}}]}");
}

/* Only where something is added, or taken away, there is a copy. */
static void what_no_rule_comes_to_is_not_copied(void **state)
{
    (void)state;
    char *error;
    bool too_large;
    json_t *rules = parsed("{\"links\": [\"/a/u\"], \"counts\": [\"/l/*/x\"]}");
    json_t *data = parsed("{\"a\": {\"u\": \"http://h/\", \"in\": {}}, \"b\": {\"c\": [{}]}, "
                          "\"d\": [[{\"u_url\": \"x\"}], [1]], \"l\": [{\"x\": [{}]}]}");
    json_t *before = json_deep_copy(data);
    prepare *p = prepare_create(rules, &error);
    assert_non_null(p);
    json_t *out = prepare_apply(p, data, NULL, NULL, &too_large);
    assert_non_null(out);
    json_t *d = json_object_get(data, "d"), *l = json_object_get(data, "l");
    json_t *made_d = json_object_get(out, "d"), *made_l = json_object_get(out, "l");
    assert_ptr_equal(json_object_get(out, "b"), json_object_get(data, "b"));
    assert_ptr_equal(json_object_get(json_object_get(out, "a"), "in"),
                     json_object_get(json_object_get(data, "a"), "in"));
    assert_ptr_equal(json_array_get(made_d, 1), json_array_get(d, 1));
    assert_ptr_equal(json_object_get(json_array_get(made_l, 0), "x"),
                     json_object_get(json_array_get(l, 0), "x"));
    assert_true(
        json_is_null(json_object_get(json_array_get(json_array_get(made_d, 0), 0), "u_url")));
    assert_true(json_equal(data, before));
    json_decref(out);
    json_decref(before);
    json_decref(data);
    json_decref(rules);
    prepare_free(p);
}

static void few_are_taken(void **state)
{
    (void)state;
    expect("{\"few\": {\"/a\": 2}}", "{\"a\": [1, 2]}", "{\"a\": [1, 2], \"a_few\": [1, 2]}");
    expect("{\"few\": {\"/a\": 9}}", "{\"a\": \"\"}", "{\"a\": \"\", \"a_few\": \"\"}");
    expect("{\"few\": {\"/a\": 9}}", "{\"a\": {}}", "{\"a\": {}}");
    expect("{\"counts\": [\"/a\", \"/b\", \"/c\"]}", "{\"a\": [], \"b\": {\"x\": 1}, \"c\": 5}",
           "{\"a\": [], \"a_count\": 0, \"b\": {\"x\": 1}, \"b_count\": 1, \"c\": 5}");
}

/* A member that a payload brings itself must not pass for a link that was looked at. */
static void links_are_looked_at(void **state)
{
    (void)state;
    static const char rules[] = "{\"links\": [\"/a\"]}";
    expect(rules, "{\"a\": \"https://x.example\"}",
           "{\"a\": \"https://x.example\", \"a_url\": \"https://x.example\"}");
    expect(rules, "{\"a\": \"javascript:1\"}", "{\"a\": \"javascript:1\"}");
    expect(rules, "{\"a\": \"x\", \"a_url\": \"javascript:1\"}", "{\"a\": \"x\", \"a_url\": null}");
    expect(rules, "{\"a\": \"https://x.example\", \"a_url\": \"javascript:1\"}",
           "{\"a\": \"https://x.example\", \"a_url\": \"https://x.example\"}");
    expect(rules, "{\"a\": 5, \"a_url\": \"javascript:1\"}", "{\"a\": 5, \"a_url\": null}");
    expect(rules, "{\"a_url\": \"javascript:1\"}", "{\"a_url\": null}");
    expect("{\"links\": [\"/*\"]}", "{\"a\": 1, \"a_url\": 2, \"a_url_url\": 3}",
           "{\"a\": 1, \"a_url\": null, \"a_url_url\": null}");
    expect("{\"mrkdwn\": [\"/a\"]}", "{\"a\": 1, \"a_mrkdwn\": 2}",
           "{\"a\": 1, \"a_mrkdwn\": null}");
    expect("{\"links\": [\"/l/*/a\"]}", "{\"a_url\": \"javascript:1\", \"l\": [{}], \"b_url\": 1}",
           "{\"a_url\": null, \"l\": [{}], \"b_url\": 1}");
    expect("{\"mrkdwn\": [\"/t/a\"]}", "{\"b\": {\"a_mrkdwn\": [{\"spans\": 1}]}}",
           "{\"b\": {\"a_mrkdwn\": null}}");
    expect("{\"links\": [\"/l/*/a\"]}", "{\"l\": [{\"a_url\": \"javascript:1\"}]}",
           "{\"l\": [{\"a_url\": null}]}");
}

static void words_are_read(void **state)
{
    (void)state;
    expect("{\"short\": [\"/a\", \"/b\"]}", "{\"a\": \"0d1a26e67d\", \"b\": \"main\"}",
           "{\"a\": \"0d1a26e67d\", \"a_short\": \"0d1a26e6\", \"b\": \"main\"}");
    expect("{\"refs\": [\"/a\", \"/b\"]}", "{\"a\": \"refs/tags/v1\", \"b\": \"x\"}",
           "{\"a\": \"refs/tags/v1\", \"a_name\": \"v1\", \"a_kind_is\": {\"tag\": true}, "
           "\"b\": \"x\", \"b_name\": \"x\", \"b_kind_is\": {}}");
    expect("{\"mrkdwn\": [\"/a\"]}", "{\"a\": \"*x*\"}",
           "{\"a\": \"*x*\", \"a_mrkdwn\": [{\"spans\": [{\"text\": \"x\", \"url\": \"\", "
           "\"bold\": true, \"code\": false}]}], \"a_plain\": \"x\"}");
    expect("{\"entries\": [\"/a\"]}", "{\"a\": [[\"x\", 1], [2, 3], [\"y\"]]}",
           "{\"a\": [[\"x\", 1], [2, 3], [\"y\"]], "
           "\"a_entries\": [{\"name\": \"x\", \"value\": 1}]}");
}

static json_t *applied(const char *rules, const json_t *data, bool *too_large)
{
    char *error;
    json_t *r = parsed(rules);
    prepare *p = prepare_create(r, &error);
    assert_non_null(p);
    json_t *out = prepare_apply(p, data, NULL, NULL, too_large);
    prepare_free(p);
    json_decref(r);
    return out;
}

static void rows_are_bounded(void **state)
{
    (void)state;
    bool too_large;
    json_t *data = json_object(), *many = json_array(), *deep = json_array();
    char *text = malloc(3 * 5000 + 1);
    assert_non_null(text);
    for (size_t i = 0; i < 5000; i++)
        memcpy(text + 3 * i, "€", 3);
    text[(size_t)3 * 5000] = '\0';
    for (size_t i = 0; i < (size_t)10 * PREPARE_ROWS; i++)
        json_array_append_new(many, json_integer((json_int_t)i));
    for (size_t i = 0; i < 100; i++) {
        json_t *outer = json_array();
        json_array_append_new(outer, deep);
        deep = outer;
    }
    json_object_set_new(data, "long", json_string(text));
    json_object_set_new(data, text, json_true());
    json_object_set_new(data, "deep", deep);
    json_object_set_new(data, "many", many);
    json_t *out = applied("{\"rows\": [\"\"]}", data, &too_large);
    assert_non_null(out);
    json_t *rows = json_object_get(out, "rows");
    assert_int_equal(json_array_size(rows), PREPARE_ROWS + 1);
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(rows, PREPARE_ROWS), "name")), "…");
    const json_t *value = json_object_get(json_array_get(rows, 0), "value");
    assert_int_equal(json_string_length(value), 1998 + strlen("…"));
    assert_int_equal(json_string_length(json_object_get(json_array_get(rows, 1), "label")),
                     78 + strlen("…"));
    for (size_t i = 2; i < 2 + PREPARE_ROW_DEPTH; i++)
        assert_true(json_is_true(json_object_get(json_array_get(rows, i), "group")));
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(rows, 2 + PREPARE_ROW_DEPTH), "value")),
        "…");
    json_decref(out);
    json_decref(data);
    free(text);
}

static void pointers_find_what_there_is(void **state)
{
    (void)state;
    static const char rules[] =
        "{\"first\": [\"/a~1b/~0/1/*/x\", \"/no/where\", \"/l/0\", \"/l/*\", "
        "\"/l/01x/x\", \"/x/y\"]}";
    expect(rules,
           "{\"a/b\": {\"~\": [1, {\"m\": {\"x\": \"q\"}, \"n\": 5}]}, \"l\": [\"s\"], \"x\": 1}",
           "{\"a/b\": {\"~\": [1, {\"m\": {\"x\": \"q\", \"x_first\": \"q\"}, \"n\": 5}]}, "
           "\"l\": [\"s\"], \"x\": 1}");
    expect(rules, "null", "null");
    expect("{\"first\": [\"/x\", \"/*\"]}", "{\"x\": \"a\", \"x_first\": \"mine\"}",
           "{\"x\": \"a\", \"x_first\": \"mine\", \"x_first_first\": \"mine\"}");
    expect("{}", "[1, 2.5, \"x\", null, true, false, {\"\": {}}]",
           "[1, 2.5, \"x\", null, true, false, {\"\": {}}]");
}

static void wrong_rules_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"[1]", "an object"},
        {"[{}, []]", "an object"},
        {"{\"few\": [\"/a\"]}", "\"few\" is not an object"},
        {"{\"few\": {\"/a\": 0}}", "\"few\" is not an object"},
        {"{\"few\": {\"a\": 1}}", "\"a\" is not a JSON pointer"},
        {"{\"monkeys\": []}", "no rule \"monkeys\""},
        {"{\"rows\": \"/a\"}", "\"rows\" is not a list"},
        {"{\"rows\": [5]}", "\"rows\" is not a list"},
        {"{\"rows\": [\"a\"]}", "\"a\" is not a JSON pointer"},
        {"{\"rows\": [\"/a~2\"]}", "not a JSON pointer"},
        {"{\"rows\": [\"/a~\"]}", "not a JSON pointer"},
        {"{\"rows\": [\"/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1\"]}",
         "not a JSON pointer"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char *error = NULL;
        json_t *rules = parsed(wrong[i][0]);
        assert_null(prepare_create(rules, &error));
        assert_non_null(error);
        assert_non_null(strstr(error, wrong[i][1]));
        free(error);
        json_decref(rules);
    }
    char *error;
    json_t *many = json_object(), *list = json_array();
    for (size_t i = 0; i < 501; i++)
        json_array_append_new(list, json_string("/a"));
    json_object_set_new(many, "rows", list);
    assert_null(prepare_create(many, &error));
    assert_string_equal(error, "there are more than 500 JSON pointers");
    free(error);
    json_decref(many);
}

static void too_many_values_are_refused(void **state)
{
    (void)state;
    bool too_large = false;
    char *text = malloc(PREPARE_VALUES + 1);
    assert_non_null(text);
    memset(text, '\n', PREPARE_VALUES);
    text[PREPARE_VALUES] = '\0';
    json_t *data = json_pack("{s:s}", "t", text);
    assert_null(applied("{\"lines\": [\"/t\"]}", data, &too_large));
    assert_true(too_large);
    json_decref(data);
    data = json_pack("{s:s}", "t", text + 1); /* the list is one */
    json_t *out = applied("{\"lines\": [\"/t\"]}", data, &too_large);
    assert_non_null(out);
    assert_false(too_large);
    json_decref(out);
    json_decref(data);
    free(text);
}

static const char *kept(void *ctx, const json_t *value, size_t *len)
{
    const char *text = strcmp(json_string_value(value), "1") == 0 ? ctx : json_string_value(value);
    *len = strlen(text);
    return text;
}

static void strings_kept_elsewhere_are_copied(void **state)
{
    (void)state;
    char *error, beside[] = "a\nb";
    bool too_large;
    json_t *rules = parsed("{\"lines\": [\"/t\"]}"),
           *data = parsed("{\"t\": \"1\", \"u\": [\"2\"]}");
    json_t *expected = parsed("{\"t\": \"a\\nb\", \"u\": [\"2\"], \"t_lines\": [\"a\", \"b\"]}");
    prepare *p = prepare_create(rules, &error);
    assert_non_null(p);
    json_t *out = prepare_apply(p, data, kept, beside, &too_large);
    assert_true(json_equal(out, expected));
    json_decref(out);
    json_decref(expected);
    json_decref(data);
    json_decref(rules);
    prepare_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_listed),
        cmocka_unit_test(flags_are_names),
        cmocka_unit_test(money_has_its_currencys_digits),
        cmocka_unit_test(times_are_read),
        cmocka_unit_test(lines_and_the_first_of_them),
        cmocka_unit_test(rows_show_anything),
        cmocka_unit_test(the_hooks_own_is_no_row),
        cmocka_unit_test(steps_come_one_after_another),
        cmocka_unit_test(a_rule_comes_to_a_value_by_another_name),
        cmocka_unit_test(what_no_rule_comes_to_is_not_copied),
        cmocka_unit_test(few_are_taken),
        cmocka_unit_test(links_are_looked_at),
        cmocka_unit_test(words_are_read),
        cmocka_unit_test(rows_are_bounded),
        cmocka_unit_test(pointers_find_what_there_is),
        cmocka_unit_test(wrong_rules_are_refused),
        cmocka_unit_test(too_many_values_are_refused),
        cmocka_unit_test(strings_kept_elsewhere_are_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
