/* Tests of template/: the official Mustache specification's test files (tests/deps.sh brings them),
 * and what Postern has beyond and around them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "template/template.h"

#define SPEC "build/mustache-spec/"

static const template_options plenty = {.most = 1 << 20, .steps = 1000000};

/* ---- the specification ---- */

/* True: as the test expects. */
static bool spec_test(const json_t *test)
{
    const char *source = json_string_value(json_object_get(test, "template"));
    const char *expected = json_string_value(json_object_get(test, "expected"));
    const char *name;
    json_t *partial;
    template_fault fault = {0};
    buf out = BUF_INIT;
    template_set *s = template_set_create();
    bool same = true;

    json_object_foreach(json_object_get(test, "partials"), name, partial)
    {
        same &= template_set_add(s, name, TEMPLATE_HTML, json_string_value(partial),
                                 json_string_length(partial), &fault);
    }
    same = same &&
           template_set_add(s, "the test's", TEMPLATE_HTML, source, strlen(source), &fault) &&
           template_render(template_set_find(s, "the test's"), json_object_get(test, "data"),
                           &plenty, &out, &fault);
    same = same && strcmp(buf_cstr(&out), expected) == 0;
    if (!same)
        print_error("%s: %s\n--- expected\n%s\n--- got\n%s\n--- fault: %s\n",
                    json_string_value(json_object_get(test, "name")), source, expected,
                    buf_cstr(&out), fault.text);
    buf_free(&out);
    template_set_free(s);
    return same;
}

static void spec_file(const char *name, size_t count)
{
    char path[200];
    size_t i, failed = 0;
    json_t *test;
    json_error_t error;
    (void)snprintf(path, sizeof path, SPEC "%s.json", name);
    json_t *file = json_load_file(path, 0, &error);
    if (!file)
        print_error("%s: %s (tests/deps.sh test brings it)\n", path, error.text);
    assert_non_null(file);
    json_t *tests = json_object_get(file, "tests");
    assert_int_equal(json_array_size(tests), count);
    json_array_foreach(tests, i, test)
    {
        failed += !spec_test(test);
    }
    assert_int_equal(failed, 0);
    json_decref(file);
}

static void the_specification_passes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t tests;
    } files[] = {{"comments", 12},       {"delimiters", 14},  {"interpolation", 39},
                 {"inverted", 22},       {"partials", 12},    {"sections", 34},
                 {"~dynamic-names", 21}, {"~inheritance", 27}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        spec_file(files[i].name, files[i].tests);
}

/* ---- beside it ---- */

static json_t *parsed(const char *text)
{
    json_error_t error;
    json_t *out = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!out)
        print_error("%s: %s\n", text, error.text);
    assert_non_null(out);
    return out;
}

/* "p" is there as a partial. True, and the result in `out`; else the fault. */
static bool rendered(template_kind kind, const char *source, const char *partial, const char *data,
                     const template_options *options, buf *out, template_fault *fault)
{
    template_set *s = template_set_create();
    json_t *value = parsed(data);
    bool done =
        (!partial || template_set_add(s, "p", TEMPLATE_TEXT, partial, strlen(partial), fault)) &&
        template_set_add(s, "t", kind, source, strlen(source), fault) &&
        template_render(template_set_find(s, "t"), value, options, out, fault);
    json_decref(value);
    template_set_free(s);
    return done;
}

static void expect(template_kind kind, const char *source, const char *partial, const char *data,
                   const char *expected)
{
    buf out = BUF_INIT;
    template_fault fault = {0};
    bool done = rendered(kind, source, partial, data, &plenty, &out, &fault);
    if (!done || strcmp(buf_cstr(&out), expected) != 0)
        print_error("%s of %s\n  is \"%s\"\n not \"%s\"\n%s\n", source, data, buf_cstr(&out),
                    expected, fault.text);
    assert_true(done);
    assert_string_equal(buf_cstr(&out), expected);
    buf_free(&out);
}

static void expect_fault(const char *source, size_t line, size_t column, const char *words)
{
    buf out = BUF_INIT;
    template_fault fault = {0};
    assert_false(rendered(TEMPLATE_TEXT, source, NULL, "{}", &plenty, &out, &fault));
    if (!strstr(fault.text, words) || fault.line != line || fault.column != column)
        print_error("%s: %zu:%zu %s\n", source, fault.line, fault.column, fault.text);
    assert_non_null(strstr(fault.text, words));
    assert_int_equal(fault.line, line);
    assert_int_equal(fault.column, column);
    buf_free(&out);
}

/* Of the specification's newest version, which the test files don't have yet. */
static void what_is_new_in_the_specification(void **state)
{
    (void)state;
    expect(TEMPLATE_HTML, "{{template}}: {{planet}}", NULL,
           "{\"template\": \"{{planet}}\", \"planet\": \"Earth\"}", "{{planet}}: Earth");
    expect(TEMPLATE_HTML, "\"{{a.b}}\"", NULL, "{\"a.b\": \"c\"}", "\"\"");
    expect(TEMPLATE_HTML, "\"{{a.b}}\"", NULL, "{\"a.b\": \"c\", \"a\": {\"b\": \"d\"}}", "\"d\"");
}

static void kinds_escape_as_they_say(void **state)
{
    (void)state;
    static const char source[] = "{{v}}|{{{v}}}|{{&v}}|{{>p}}";
    static const char data[] = "{\"v\": \"a<b>&\\\"'\\n\\tc\"}";
    expect(TEMPLATE_HTML, source, "{{v}}", data,
           "a&lt;b&gt;&amp;&quot;&#39;\n\tc|a<b>&\"'\n\tc|a<b>&\"'\n\tc|"
           "a&lt;b&gt;&amp;&quot;&#39;\n\tc");
    expect(TEMPLATE_TEXT, "{{v}}", NULL, data, "a<b>&\"'\n\tc");
    expect(TEMPLATE_HEADER, source, "{{v}}", data, "a<b>&\"' c|a<b>&\"' c|a<b>&\"' c|a<b>&\"' c");
}

static void a_header_has_no_controls(void **state)
{
    (void)state;
    expect(TEMPLATE_HEADER, "\r\n a {{v}}\r\nBcc: b ", NULL, "{\"v\": \"x\\r\\n\\u0000\\u007fy\"}",
           "a x y Bcc: b");
    expect(TEMPLATE_HEADER, "{{v}}", NULL, "\"\"", "");
    expect(TEMPLATE_HEADER, "{{.}}", NULL,
           "\"\\u0085a\\u2028b\\u2029c\\u009f\\u0080d \\u00a0e\\u2027f\\u202ag\\u0085\"",
           "a b c d \u00a0e\u2027f\u202ag");
    expect(TEMPLATE_HEADER, " \n\t ", NULL, "1", "");
    template_fault fault;
    buf out = BUF_INIT; /* what was there before is left alone */
    buf_adds(&out, "Subject:  ");
    assert_true(rendered(TEMPLATE_HEADER, "\n{{.}}\n", NULL, "\"x\"", &plenty, &out, &fault));
    assert_string_equal(buf_cstr(&out), "Subject:  x");
    buf_free(&out);
}

static void values_are_written_as_json_has_them(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"1.21", "1.21"},
        {"0.1", "0.1"},
        {"5.0", "5"},
        {"0.30000000000000004", "0.30000000000000004"},
        {"-1e300", "-1e+300"},
        {"9223372036854775807", "9223372036854775807"},
        {"true", "true"},
        {"false", "false"},
        {"null", ""},
        {"{\"a\": [1, \"<\\\"\", null, {}], \"b\": {}}", "{\"a\":[1,\"<\\\"\",null,{}],\"b\":{}}"},
        {"[]", "[]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(TEMPLATE_TEXT, "{{.}}", NULL, cases[i][0], cases[i][1]);
    expect(TEMPLATE_HTML, "{{.}}", NULL, "[\"<\"]", "[&quot;&lt;&quot;]");
}

static void what_is_false(void **state)
{
    (void)state;
    static const char *const no[] = {"false", "null", "\"\"", "0", "0.0", "-0.0", "[]"};
    static const char *const yes[] = {"true", "\"0\"", "1", "0.5", "[0]", "{}"};
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        expect(TEMPLATE_TEXT, "{{#.}}yes{{/.}}{{^.}}no{{/.}}", NULL, no[i], "no");
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        expect(TEMPLATE_TEXT, "{{#.}}yes{{/.}}{{^.}}no{{/.}}", NULL, yes[i], "yes");
}

static void items_have_indices(void **state)
{
    (void)state;
    static const char data[] = "{\"a\": [\"x\", {\"b\": [\"y\"]}], \"o\": {\"0\": \"z\"}}";
    expect(TEMPLATE_TEXT, "{{a.0}}{{a.1.b.0}}{{o.0}}", NULL, data, "xyz");
    expect(TEMPLATE_TEXT, "{{a.2}}{{a.1x}}{{a.-1}}{{a.9999999}}{{a.b}}", NULL, data, "");
}

static void lines_are_indented(void **state)
{
    (void)state;
    expect(TEMPLATE_TEXT, "  {{>p}}\nx", "a\n\n{{#v}}\n{{.}}\n{{/v}}\nb{{! c}}\nd",
           "{\"v\": [1, 2]}", "  a\n  \n  1\n  2\n  b\n  dx");
    expect(TEMPLATE_TEXT, " {{>p}}\n", "{{#v}}\n {{>p}}\n{{/v}}\n{{^v}}\n.\n{{/v}}\n",
           "{\"v\": {\"v\": {\"v\": false}}}", "   .\n");
    expect(TEMPLATE_TEXT, "{{<p}}\n{{$b}}\n\t\tx\n\t\t\ty\n{{/b}}\n{{/p}}\n!",
           ">\n  {{$b}}{{/b}}.\n", "{}", ">\n  x\n  \ty\n.\n!");
    expect(TEMPLATE_TEXT, "{{<p}}{{$a}}({{$b}}1{{/b}}){{/a}}{{$b}}2{{/b}}{{/p}}",
           "{{$a}}{{/a}}{{$b}}{{/b}}", "{}", "(1)2");
    expect(TEMPLATE_TEXT, "{{<p}}{{#x}}{{$b}}no{{/b}}{{/x}}{{v}}{{/p}}", "{{$b}}yes{{/b}}",
           "{\"x\": 1, \"v\": 2}", "yes");
    expect(TEMPLATE_TEXT, "{{<*v}}{{$b}}1{{/b}}{{/ * v }}", "{{$b}}0{{/b}}", "{\"v\": \"p\"}", "1");
}

static void what_is_not_mustache_is_told(void **state)
{
    (void)state;
    expect_fault("a\n\xC3\xA4 {{b", 2, 3, "isn't closed");
    expect_fault("{{{b}}", 1, 1, "isn't closed");
    expect_fault("{{}}", 1, 1, "no name");
    expect_fault("{{# }}", 1, 1, "no name");
    expect_fault("{{a b}}", 1, 1, "blank");
    expect_fault("{{a..b}}", 1, 1, "empty part");
    expect_fault("{{.a}}", 1, 1, "empty part");
    expect_fault("{{a.}}", 1, 1, "empty part");
    expect_fault("x{{#a}}", 1, 2, "isn't closed");
    expect_fault("{{<a}}", 1, 1, "isn't closed");
    expect_fault("{{/a}}", 1, 1, "wasn't opened");
    expect_fault("{{#a}}\n{{#b}}{{/a}}{{/b}}", 2, 7, "\"b\"");
    expect_fault("{{<*a}}{{/a}}", 1, 8, "\"a\"");
    expect_fault("{{<a}}{{/*a}}", 1, 7, "\"a\"");
    expect_fault("{{=a=}}", 1, 1, "delimiters");
    expect_fault("{{=a b c=}}", 1, 1, "delimiters");
    expect_fault("{{=a =b=}}", 1, 1, "delimiters");
    expect_fault("{{=0123456789abcdefg b=}}", 1, 1, "delimiters");
    expect_fault("\xFF", 0, 0, "UTF-8");
}

static char *repeated(const char *text, size_t times)
{
    size_t n = strlen(text);
    char *out = malloc(n * times + 1);
    assert_non_null(out);
    for (size_t i = 0; i < times; i++)
        memcpy(out + i * n, text, n);
    out[n * times] = '\0';
    return out;
}

static void sources_are_bounded(void **state)
{
    (void)state;
    char *deep = repeated("{{#a}}", TEMPLATE_DEPTH + 1);
    char *tags = repeated("{{a}}", TEMPLATE_TAGS_MAX + 1);
    char *large = repeated(" ", TEMPLATE_SOURCE_MAX + 1);
    char *name = repeated("a", TEMPLATE_NAME_MAX + 1), tag[300];
    expect_fault(deep, 1, 6 * TEMPLATE_DEPTH + 1, "64 inside of each other");
    expect_fault(tags, 1, 5 * TEMPLATE_TAGS_MAX + 1, "20000 tags");
    expect_fault(large, 0, 0, "octets at most");
    (void)snprintf(tag, sizeof tag, "{{%s}}", name);
    expect_fault(tag, 1, 1, "longer than 255");
    (void)snprintf(tag, sizeof tag, "{{%s}}", name + 1);
    expect(TEMPLATE_TEXT, tag, NULL, "{}", "");
    tags[strlen(tags) - strlen("{{a}}")] = '\0';
    expect(TEMPLATE_TEXT, tags, NULL, "{}", "");
    large[TEMPLATE_SOURCE_MAX] = '\0';
    expect(TEMPLATE_TEXT, large, NULL, "{}", large);
    free(deep);
    free(tags);
    free(large);
    free(name);
}

static void expect_stop(const char *source, const char *partial, const char *data, size_t most,
                        uint64_t steps, const char *words)
{
    buf out = BUF_INIT;
    template_fault fault = {0};
    template_options options = {.most = most, .steps = steps};
    bool done = rendered(TEMPLATE_HTML, source, partial, data, &options, &out, &fault);
    if (done)
        print_error("%s: it was rendered\n", source);
    assert_false(done);
    if (!strstr(fault.text, words))
        print_error("%s: %s\n", source, fault.text);
    assert_non_null(strstr(fault.text, words));
    assert_true(fault.line > 0);
    assert_true(out.len <= most);
    buf_free(&out);
}

static void renderings_are_bounded(void **state)
{
    (void)state;
    char *spaces = repeated(" ", 60), source[200];
    expect_stop("{{>p}}", "{{>p}}", "{}", 100, 1000, "too deep");
    expect_stop("{{>p}}", "a{{#v}}{{>p}}{{/v}}", "{\"v\": 1}", 1000, 10000, "too deep");
    expect_stop("{{<p}}{{$a}}{{>t}}{{/a}}{{/p}}", "{{$a}}{{/a}}", "{}", 100, 1000, "too deep");
    expect_stop("x{{>*n}}", NULL, "{\"n\": \"t\"}", 100, 1000, "too deep");
    expect_stop("{{#v}}{{#v}}{{#v}}{{/v}}{{/v}}{{/v}}", NULL, "{\"v\": [1,2,3,4,5,6,7,8,9,10]}",
                100, 1000, "too many steps");
    expect_stop("{{^x}}\n{{.}}{{/x}}", NULL, "[1,2,3]", 100, 5, "too many steps");
    expect_stop("abcdef", NULL, "{}", 5, 1000, "too large, in \"t\"");
    expect_stop("{{v}}", NULL, "{\"v\": \"<<\"}", 7, 1000, "too large");
    expect_stop("{{v}}", NULL, "{\"v\": [100, 200]}", 8, 1000, "too large");
    (void)snprintf(source, sizeof source, "%s{{>p}}", spaces); /* blanks count */
    expect_stop(source, "a\nb\nc\nd\n", "{}", 200, 1000, "too large");
    expect(TEMPLATE_TEXT, "{{#v}}{{>p}}{{/v}}", "{{#v}}{{>p}}{{/v}}{{^v}}.{{/v}}",
           "{\"v\": {\"v\": {\"v\": {\"v\": {\"v\": 0}}}}}", ".");
    free(spaces);
}

static void the_set_knows_what_it_lacks(void **state)
{
    (void)state;
    template_fault fault;
    template_set *s = template_set_create();
    assert_null(template_set_find(s, "a"));
    assert_true(template_set_add(s, "a", TEMPLATE_TEXT, "{{>b}}{{<c}}{{/c}}", 18, &fault));
    assert_string_equal(template_missing(template_set_find(s, "a")), "b");
    assert_null(template_set_find(s, "b"));
    assert_true(template_set_add(s, "b", TEMPLATE_TEXT, "", 0, &fault));
    assert_string_equal(template_missing(template_set_find(s, "a")), "c");
    assert_true(template_set_add(s, "c", TEMPLATE_TEXT, "{{>*d}}", 7, &fault));
    assert_null(template_missing(template_set_find(s, "a")));
    assert_null(template_missing(template_set_find(s, "c")));
    assert_false(template_set_add(s, "c", TEMPLATE_TEXT, "", 0, &fault));
    assert_non_null(strstr(fault.text, "already"));
    assert_false(template_set_add(s, "", TEMPLATE_TEXT, "", 0, &fault));
    assert_false(template_set_add(s, "e", TEMPLATE_TEXT, "{{", 2, &fault));
    assert_null(template_set_find(s, "e"));
    assert_true(template_set_add(s, "e", TEMPLATE_TEXT, "x", 1, &fault)); /* another try */
    for (int i = 0; i < 1000; i++) {
        char name[20];
        (void)snprintf(name, sizeof name, "n%d", i);
        assert_true(template_set_add(s, name, TEMPLATE_TEXT, name, strlen(name), &fault));
    }
    assert_non_null(template_set_find(s, "n0"));
    assert_non_null(template_set_find(s, "n999"));
    assert_non_null(template_set_find(s, "a"));
    template_set_free(s);
    template_set_free(NULL);
}

static const char *kept(void *ctx, const json_t *value, size_t *len)
{
    const char *text = strcmp(json_string_value(value), "1") == 0 ? ctx : json_string_value(value);
    *len = strlen(text);
    return text;
}

static void strings_may_be_kept_elsewhere(void **state)
{
    (void)state;
    char text[] = "p";
    buf out = BUF_INIT;
    template_fault fault;
    template_options options = {.most = 100, .steps = 100, .string = kept, .ctx = text};
    assert_true(rendered(TEMPLATE_TEXT, "{{v}}{{>*v}}{{.}}", "<{{v}}>", "{\"v\": \"1\"}", &options,
                         &out, &fault));
    assert_string_equal(buf_cstr(&out), "p<p>{\"v\":\"p\"}");
    buf_clear(&out);
    *text = '\0';
    assert_true(rendered(TEMPLATE_TEXT, "{{^v}}empty{{/v}}", NULL, "{\"v\": \"1\"}", &options, &out,
                         &fault));
    assert_string_equal(buf_cstr(&out), "empty");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_specification_passes),
        cmocka_unit_test(what_is_new_in_the_specification),
        cmocka_unit_test(kinds_escape_as_they_say),
        cmocka_unit_test(a_header_has_no_controls),
        cmocka_unit_test(values_are_written_as_json_has_them),
        cmocka_unit_test(what_is_false),
        cmocka_unit_test(items_have_indices),
        cmocka_unit_test(lines_are_indented),
        cmocka_unit_test(what_is_not_mustache_is_told),
        cmocka_unit_test(sources_are_bounded),
        cmocka_unit_test(renderings_are_bounded),
        cmocka_unit_test(the_set_knows_what_it_lacks),
        cmocka_unit_test(strings_may_be_kept_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
