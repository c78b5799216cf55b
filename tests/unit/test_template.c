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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_specification_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
