/* For test_builtin.py and tests/pictures: renders the templates of a folder.
 *
 *   template_render FOLDER <cases
 *
 * reads a JSON array of {"template": NAME, "data": {…}} on stdin and writes one of
 * {"subject": …, "html": …, "text": …} on stdout. */
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "template/prepare.h"
#include "template/template.h"

__attribute__((format(printf, 1, 2))) static _Noreturn void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    abort();
}

static void read_file(const char *path, buf *b)
{
    char piece[65536];
    FILE *f = fopen(path, "rb");
    if (!f)
        die("%s: cannot be read", path);
    for (size_t n; (n = fread(piece, 1, sizeof(piece), f)) > 0;)
        buf_add(b, piece, n);
    (void)fclose(f);
}

static void add(template_set *set, const char *name, template_kind kind, const char *path)
{
    buf source = BUF_INIT;
    template_fault fault;
    read_file(path, &source);
    if (!template_set_add(set, name, kind, source.data ? source.data : "", source.len, &fault))
        die("%s:%zu:%zu: %s", path, fault.line, fault.column, fault.text);
    buf_free(&source);
}

static const struct {
    const char *file;
    template_kind kind;
} parts[] = {{"subject", TEMPLATE_HEADER}, {"html", TEMPLATE_HTML}, {"text", TEMPLATE_TEXT}};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

/* The partials of the folder, as those of one kind. */
static void add_partials(template_set *set, const char *folder, template_kind kind)
{
    DIR *d = opendir(folder);
    if (!d)
        die("%s: cannot be read", folder);
    for (struct dirent *e; (e = readdir(d));) { /* NOLINT(concurrency-mt-unsafe): one thread */
        char path[4096], name[256];
        const char *dot = strrchr(e->d_name, '.');
        if (!dot || strcmp(dot, ".mustache") != 0)
            continue;
        (void)snprintf(name, sizeof(name), "%.*s", (int)(dot - e->d_name), e->d_name);
        (void)snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
        add(set, name, kind, path);
    }
    (void)closedir(d);
}

static json_t *render(const char *folder, const char *name, size_t part, const json_t *data)
{
    char path[4096], own[256];
    template_set *set = template_set_create();
    add_partials(set, folder, parts[part].kind);
    (void)snprintf(path, sizeof(path), "%s/%s/%s.mustache", folder, name, parts[part].file);
    (void)snprintf(own, sizeof(own), "%s/%s", name, parts[part].file);
    add(set, own, parts[part].kind, path);
    const template_unit *unit = template_set_find(set, own);
    if (template_missing(unit))
        die("%s: there is no %s", path, template_missing(unit));
    template_options options = {.most = (size_t)4 << 20, .steps = 1000000};
    template_fault fault;
    buf out = BUF_INIT;
    if (!template_render(unit, data, &options, &out, &fault))
        die("%s:%zu:%zu: %s", path, fault.line, fault.column, fault.text);
    json_t *text = json_stringn(out.data ? out.data : "", out.len);
    buf_free(&out);
    template_set_free(set);
    return text;
}

static json_t *prepared(const char *folder, const char *name, const json_t *data)
{
    char path[4096], *error = NULL;
    (void)snprintf(path, sizeof(path), "%s/%s/prepare.json", folder, name);
    json_t *rules = json_load_file(path, 0, NULL);
    prepare *p = rules ? prepare_create(rules, &error) : NULL;
    if (!p)
        die("%s: %s", path, error ? error : "not JSON");
    bool too_large = false;
    json_t *ready = prepare_apply(p, data, NULL, NULL, &too_large);
    if (!ready)
        die("%s: %s", path, too_large ? "too many values" : "no memory");
    prepare_free(p);
    json_decref(rules);
    return ready;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        die("usage: %s FOLDER <cases", argv[0]);
    json_error_t error;
    json_t *cases = json_loadf(stdin, JSON_ALLOW_NUL, &error), *all = json_array(), *one;
    if (!json_is_array(cases))
        die("stdin: %s", error.text);
    size_t i;
    json_array_foreach(cases, i, one)
    {
        const char *name = json_string_value(json_object_get(one, "template"));
        json_t *data = prepared(argv[1], name ? name : "", json_object_get(one, "data"));
        json_t *mail = json_object();
        for (size_t part = 0; part < PARTS; part++)
            json_object_set_new(mail, parts[part].file, render(argv[1], name, part, data));
        json_array_append_new(all, mail);
        json_decref(data);
    }
    json_dumpf(all, stdout, JSON_COMPACT);
    json_decref(all);
    json_decref(cases);
    return 0;
}
