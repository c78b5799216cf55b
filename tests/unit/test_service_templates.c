/* Tests of service/templates and service/builtin: what is read, what is rendered, who holds what.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "service/builtin.h"
#include "service/templates.h"

#define THREADS 8

/* ---- a folder ---- */

typedef struct folder {
    char path[64];
} folder;

static folder make_folder(void)
{
    folder f = {"/tmp/postern-templates-XXXXXX"};
    assert_non_null(mkdtemp(f.path));
    return f;
}

/* "welcome/text.mustache": its folder is made. */
static void put(const folder *f, const char *name, const char *text)
{
    char path[256];
    const char *slash = strchr(name, '/');
    if (slash) {
        (void)snprintf(path, sizeof path, "%s/%.*s", f->path, (int)(slash - name), name);
        (void)mkdir(path, 0700);
    }
    (void)snprintf(path, sizeof path, "%s/%s", f->path, name);
    FILE *out = fopen(path, "we");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

static void put_whole(const folder *f)
{
    put(f, "frame.mustache", "<{{$body}}{{/body}}>");
    put(f, "welcome/subject.mustache", "Welcome {{name}}\n");
    put(f, "welcome/html.mustache", "{{<frame}}{{$body}}{{name}}{{/body}}{{/frame}}");
    put(f, "welcome/text.mustache", "{{name}} {{long}}");
    put(f, "welcome/sample.json", "{\"name\":\"Li\"}");
}

static void remove_folder(const folder *f)
{
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %s", f->path);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c,concurrency-mt-unsafe) */
}

static templates *load(const folder *f)
{
    buf complaints = BUF_INIT;
    templates *t = templates_load(f ? f->path : NULL, &complaints);
    if (!t)
        fail_msg("%s", buf_cstr(&complaints));
    buf_free(&complaints);
    return t;
}

/* What is wrong with it. */
static char *complaints_of(const folder *f)
{
    buf complaints = BUF_INIT;
    assert_null(templates_load(f->path, &complaints));
    return buf_take(&complaints);
}

static document *parse(const char *text)
{
    const document_options options = document_defaults(NULL, 3);
    document *d = document_create(&options);
    buf detail = BUF_INIT;
    assert_non_null(d);
    document_add(d, text, strlen(text));
    assert_int_equal(document_parse(d, &detail), DOCUMENT_OK);
    buf_free(&detail);
    return d;
}

static templates_result render(const templates *t, const char *name, document *d)
{
    templates_result r;
    buf detail = BUF_INIT;
    assert_int_equal(
        templates_render(t, name, d, d ? document_root(d) : templates_sample(t, name), &r, &detail),
        TEMPLATES_OK);
    buf_free(&detail);
    return r;
}

static bool lists(const templates *t, const char *name)
{
    const char *const *names = templates_names(t);
    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

/* ---- what is built in ---- */

static void every_built_in_template_renders_its_sample(void **state)
{
    (void)state;
    templates *t = load(NULL);
    size_t count = 0;
    for (const char *const *name = templates_names(t); *name; name++, count++) {
        templates_about about;
        assert_true(templates_find(t, *name, &about));
        assert_true(about.built_in && about.html && about.text && about.sample);
        templates_result r = render(t, *name, NULL);
        assert_true(r.subject.len > 0 && r.html.len > 0 && r.text.len > 0);
        templates_result_clear(&r);
    }
    assert_true(count > 0 && count == templates_count(t));
    assert_true(lists(t, "generic"));
    templates_drop(t);
}

/* A folder makes them be tried, too: what names a partial that there is not would be told. */
static void those_built_in_have_no_faults(void **state)
{
    (void)state;
    folder f = make_folder();
    templates_drop(load(&f));
    remove_folder(&f);
}

static void an_archive_that_is_cut_short_ends(void **state)
{
    (void)state;
    buf archive = BUF_INIT;
    builtin_file file;
    builtin_unpack(&archive);
    assert_true(buf_ok(&archive) && archive.len > 1024);
    size_t all = archive.len;
    for (archive.len = 0; archive.len < 4096; archive.len += 97) {
        size_t at = 0;
        while (builtin_next(&archive, &at, &file))
            assert_true(file.content + file.len <= archive.data + archive.len);
    }
    archive.len = all;
    size_t at = 0, count = 0;
    while (builtin_next(&archive, &at, &file))
        count++;
    assert_true(count >= 4);
    buf_free(&archive);
}

static void *use_all(void *ctx)
{
    templates *t = templates_now(ctx);
    templates_result r = {0};
    buf detail = BUF_INIT;
    templates_outcome o =
        templates_render(t, "generic", NULL, templates_sample(t, "generic"), &r, &detail);
    bool good = o == TEMPLATES_OK && r.html.len > 0;
    templates_result_clear(&r);
    buf_free(&detail);
    templates_drop(t);
    return good ? ctx : NULL;
}

/* All of them are the first. */
static void they_are_read_once_whoever_asks(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    templates_place *p = templates_place_create(load(NULL));
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_all, p), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *good = NULL;
        (void)pthread_join(threads[i], &good);
        assert_ptr_equal(good, p);
    }
    templates_place_free(p);
}

/* ---- a folder's ---- */

static void a_folder_is_read(void **state)
{
    (void)state;
    folder f = make_folder();
    put_whole(&f);
    templates *t = load(&f);
    templates_about about;
    assert_true(templates_find(t, "welcome", &about));
    assert_false(about.built_in);
    assert_true(about.html && about.text && about.sample && !about.prepare);
    assert_true(lists(t, "welcome") && lists(t, "generic"));
    templates_result r = render(t, "welcome", NULL);
    assert_string_equal(buf_cstr(&r.subject), "Welcome Li");
    assert_string_equal(r.html.data, "<Li>");
    assert_string_equal(r.text.data, "Li ");
    templates_result_clear(&r);
    templates_drop(t);
    remove_folder(&f);
}

static void data_are_found_where_the_document_keeps_them(void **state)
{
    (void)state;
    folder f = make_folder();
    put_whole(&f);
    templates *t = load(&f);
    buf text = BUF_INIT, expected = BUF_INIT;
    buf_adds(&text, "{\"name\":\"a & b\\r\\nBcc: c\",\"long\":\"");
    buf_adds(&expected, "a & b\r\nBcc: c ");
    for (size_t i = 0; i < 1000; i++) {
        buf_adds(&text, "x\\ud83d\\ude00\\\"y");
        buf_adds(&expected, "x\xF0\x9F\x98\x80\"y");
    }
    buf_adds(&text, "\\u0000\"}");
    buf_adds(&expected, "\xEF\xBF\xBD");
    document *d = parse(buf_cstr(&text));
    templates_result r = render(t, "welcome", d);
    assert_string_equal(buf_cstr(&r.subject), "Welcome a & b Bcc: c");
    assert_string_equal(r.html.data, "<a &amp; b\r\nBcc: c>");
    assert_int_equal(r.text.len, expected.len);
    assert_string_equal(r.text.data, buf_cstr(&expected));
    templates_result_clear(&r);
    document_free(d);
    templates_drop(t);
    buf_free(&text);
    buf_free(&expected);
    remove_folder(&f);
}

static void a_folders_partial_and_template_win_over_built_in_ones(void **state)
{
    (void)state;
    folder f = make_folder();
    put(&f, "generic/subject.mustache", "mine");
    put(&f, "generic/text.mustache", "mine");
    templates *t = load(&f);
    templates_about about;
    assert_true(templates_find(t, "generic", &about));
    assert_false(about.built_in || about.html || about.sample);
    templates_drop(t);
    remove_folder(&f);
}

static void a_place_gives_the_one_of_now_and_holders_keep_theirs(void **state)
{
    (void)state;
    folder f = make_folder();
    put_whole(&f);
    templates_place *p = templates_place_create(load(&f));
    templates *old = templates_now(p);
    put(&f, "welcome/text.mustache", "new");
    templates_replace(p, load(&f));
    templates *now = templates_now(p);
    templates_result a = render(old, "welcome", NULL), b = render(now, "welcome", NULL);
    assert_string_equal(a.text.data, "Li ");
    assert_string_equal(b.text.data, "new");
    templates_result_clear(&a);
    templates_result_clear(&b);
    templates_drop(now);
    templates_place_free(p);
    a = render(old, "welcome", NULL);
    assert_string_equal(a.text.data, "Li ");
    templates_result_clear(&a);
    templates_drop(old);
    assert_null(templates_now(NULL));
    remove_folder(&f);
}

/* ---- what is wrong ---- */

static void faults_are_told_with_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *file, *text, *told;
    } cases[] = {
        {"x/text.mustache", "a\n{{#b}}", "/x/text.mustache:2:"},
        {"x/text.mustache", "{{>nowhere}}", "nowhere"},
        {"x/text.mustache", "gr\xFC\xDF", "UTF-8"},
        {"x/sample.json", "{\"a\":}", "/x/sample.json:1:"},
        {"x/sample.json", "[]", "/x/sample.json: "},
        {"x/prepare.json", "{\"nonsense\":[]}", "/x/prepare.json: "},
        {"x/other.txt", "", "/x/other.txt: "},
        {"other.txt", "", "/other.txt: "},
        {"x\x01y/text.mustache", "", "/x?y: "},
        {"part.mustache", "{{>nowhere}}", "/part.mustache: names nowhere"},
        {"y/text.mustache", "t", "/y: has no subject.mustache"},
        {"z/subject.mustache", "s", "/z: has neither"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        folder f = make_folder();
        put(&f, "x/subject.mustache", "s");
        put(&f, "x/text.mustache", "t");
        put(&f, cases[i].file, cases[i].text);
        char *told = complaints_of(&f);
        if (!told || strncmp(told, f.path, strlen(f.path)) != 0 || !strstr(told, cases[i].told) ||
            strchr(told, '\n') != told + strlen(told) - 1)
            fail_msg("%s: %s", cases[i].file, told ? told : "no memory");
        free(told);
        remove_folder(&f);
    }
}

static void a_bound_that_is_reached_is_told(void **state)
{
    (void)state;
    folder f = make_folder();
    put(&f, "again.mustache", "x{{#go}}{{>again}}{{/go}}");
    put(&f, "again/subject.mustache", "s");
    put(&f, "again/text.mustache", "{{>again}}");
    templates *t = load(&f);
    document *d = parse("{\"go\":true}");
    templates_result r;
    buf detail = BUF_INIT;
    assert_int_equal(templates_render(t, "again", d, document_root(d), &r, &detail),
                     TEMPLATES_BOUND);
    assert_non_null(strstr(buf_cstr(&detail), "text"));
    assert_null(r.text.data);
    assert_int_equal(templates_render(t, "nowhere", d, document_root(d), &r, &detail),
                     TEMPLATES_UNKNOWN);
    document_free(d);
    buf_free(&detail);
    templates_drop(t);
    put(&f, "again/sample.json", "{\"go\":1}");
    char *told = complaints_of(&f);
    assert_non_null(strstr(told, "/again: can't be rendered with its sample: "));
    free(told);
    remove_folder(&f);
}

static void near_names_are_suggested(void **state)
{
    (void)state;
    folder f = make_folder();
    put_whole(&f);
    templates *t = load(&f);
    static const struct {
        const char *name, *told;
    } cases[] = {{"welcom", "near it: welcome."},
                 {"welcome-back", "near it: welcome."},
                 {"zzzzzzzzzzzzzz", "GET /v1/templates"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf out = BUF_INIT;
        templates_suggest(t, cases[i].name, &out);
        assert_non_null(strstr(buf_cstr(&out), cases[i].told));
        buf_free(&out);
    }
    templates_drop(t);
    remove_folder(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_built_in_template_renders_its_sample),
        cmocka_unit_test(those_built_in_have_no_faults),
        cmocka_unit_test(an_archive_that_is_cut_short_ends),
        cmocka_unit_test(they_are_read_once_whoever_asks),
        cmocka_unit_test(a_folder_is_read),
        cmocka_unit_test(data_are_found_where_the_document_keeps_them),
        cmocka_unit_test(a_folders_partial_and_template_win_over_built_in_ones),
        cmocka_unit_test(a_place_gives_the_one_of_now_and_holders_keep_theirs),
        cmocka_unit_test(faults_are_told_with_their_place),
        cmocka_unit_test(a_bound_that_is_reached_is_told),
        cmocka_unit_test(near_names_are_suggested),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
