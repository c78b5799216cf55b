/*
 * templates_load - the files of templates: reading them, and telling everything that is wrong.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/utf8.h"
#include "mime/header.h"
#include "service/builtin.h"
#include "service/file.h"
#include "service/templates_own.h"

#define BUILT_IN     "built-in" /* in a fault's line, where a folder has its path */
#define SUFFIX       ".mustache"
#define SUFFIX_LEN   (sizeof SUFFIX - 1)
#define TOTAL_MOST   ((size_t)64 * 1024 * 1024) /* of all files of a folder */
#define UNIT_MOST    (TEMPLATES_NAME + 32)
#define SAMPLE_FLAGS (JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL)

typedef struct loading {
    templates_content *content;
    const char *folder; /* NULL: none */
    buf *faults;
    size_t octets, partials;
    bool built_in;       /* what is read now */
    bool partial_faulty; /* at least one */
    bool nomem;
} loading;

/* A file at hand. */
typedef struct source {
    const char *where; /* its path */
    const char *text;
    size_t len;
} source;

/* ---- faults ---- */

/* One line, without controls: a name and a sentence can hold anything. */
__attribute__((format(printf, 5, 6))) static void fault(loading *l, const char *where, size_t line,
                                                        size_t column, const char *format, ...)
{
    size_t start = l->faults->len;
    va_list args;

    buf_adds(l->faults, where);
    if (line)
        buf_addf(l->faults, ":%zu:%zu", line, column);
    buf_adds(l->faults, ": ");
    va_start(args, format);
    buf_addv(l->faults, format, args);
    va_end(args);
    for (size_t i = start; i < l->faults->len; i++) {
        unsigned char c = (unsigned char)l->faults->data[i];
        if (c < ' ' || c == 0x7F)
            l->faults->data[i] = '?';
    }
    buf_addc(l->faults, '\n');
}

/* A path of the folder, or of what is built in; the caller frees. NULL: no memory, which is noted.
 */
static char *path_of(loading *l, const char *name, const char *file)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s%s%s", l->built_in ? BUILT_IN : l->folder, name, file ? "/" : "",
                 file ? file : "") >= 0)
        return path;
    l->nomem = true;
    return NULL;
}

static bool name_fits(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)name[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     c == '-' || c == '_' || c == '.';
        if (!plain)
            return false;
    }
    return len > 0 && len <= TEMPLATES_NAME && name[0] != '.';
}

/* ---- what a file becomes ---- */

/* Of a Mustache file; NULL, and a fault, if it is none. */
static const template_unit *add_unit(loading *l, const char *name, template_kind kind,
                                     const source *s)
{
    template_fault why = {0};
    if (!utf8_valid(s->text, s->len))
        fault(l, s->where, 0, 0, "is not UTF-8");
    else if (!template_set_add(l->content->set, name, kind, s->text, s->len, &why))
        fault(l, s->where, why.line, why.column, "%s", why.text);
    else
        return template_set_find(l->content->set, name);
    return NULL;
}

static void add_part(loading *l, templates_one *t, templates_part part, const source *s)
{
    static const struct {
        const char *name;
        template_kind kind;
    } parts[TEMPLATES_PARTS] = {
        [TEMPLATES_SUBJECT] = {"subject", TEMPLATE_HEADER},
        [TEMPLATES_HTML] = {"html", TEMPLATE_HTML},
        [TEMPLATES_TEXT] = {"text", TEMPLATE_TEXT},
    };
    char name[UNIT_MOST];
    (void)snprintf(name, sizeof name, "%s/%s", t->name, parts[part].name);
    t->parts[part] = add_unit(l, name, parts[part].kind, s);
}

static void add_subject(loading *l, templates_one *t, const source *s)
{
    source trimmed = *s; /* the file's own line end is no part of it */
    while (trimmed.len > 0 && strchr("\r\n", trimmed.text[trimmed.len - 1]))
        trimmed.len--;
    add_part(l, t, TEMPLATES_SUBJECT, &trimmed);
}

static void add_html(loading *l, templates_one *t, const source *s)
{
    add_part(l, t, TEMPLATES_HTML, s);
}

static void add_text(loading *l, templates_one *t, const source *s)
{
    add_part(l, t, TEMPLATES_TEXT, s);
}

static json_t *read_json(loading *l, const source *s)
{
    json_error_t error;
    json_t *value = json_loadb(s->text, s->len, SAMPLE_FLAGS, &error);
    if (!value && json_error_code(&error) == json_error_out_of_memory)
        l->nomem = true;
    else if (!value)
        fault(l, s->where, error.line > 0 ? (size_t)error.line : 0,
              error.column > 0 ? (size_t)error.column : 0, "is not JSON: %s", error.text);
    return value;
}

static void add_sample(loading *l, templates_one *t, const source *s)
{
    json_t *sample = read_json(l, s);
    if (sample && !json_is_object(sample))
        fault(l, s->where, 0, 0, "must be a JSON object");
    if (json_is_object(sample))
        t->sample = sample;
    else
        json_decref(sample);
}

static void add_prepare(loading *l, templates_one *t, const source *s)
{
    char *why = NULL;
    json_t *rules = read_json(l, s);
    if (!rules)
        return;
    t->prepare = prepare_create(rules, &why);
    json_decref(rules);
    if (!t->prepare && why)
        fault(l, s->where, 0, 0, "%s", why);
    l->nomem = l->nomem || (!t->prepare && !why);
    free(why);
}

static const struct {
    const char *name;
    void (*add)(loading *l, templates_one *t, const source *s);
} files[] = {
    {"subject.mustache", add_subject}, {"html.mustache", add_html},   {"text.mustache", add_text},
    {"sample.json", add_sample},       {"prepare.json", add_prepare},
};

#define FILES (sizeof files / sizeof *files)

/* FILES: there is no such file. */
static size_t file_index(const char *name)
{
    size_t i = 0;
    while (i < FILES && strcmp(files[i].name, name) != 0)
        i++;
    return i;
}

/* "layout.mustache"; 0: that is no partial's name. */
static size_t partial_name(const char *file)
{
    size_t len = strlen(file);
    bool fits = len > SUFFIX_LEN && strcmp(file + len - SUFFIX_LEN, SUFFIX) == 0 &&
                name_fits(file, len - SUFFIX_LEN);
    return fits ? len - SUFFIX_LEN : 0;
}

/* One of the same name that is there already, from the folder, wins over a built-in one. */
static void add_partial(loading *l, const char *file, const source *s)
{
    char name[TEMPLATES_NAME + 1];
    (void)snprintf(name, sizeof name, "%.*s", (int)partial_name(file), file);
    if (l->built_in && template_set_find(l->content->set, name))
        return;
    (void)add_unit(l, name, TEMPLATE_TEXT, s);
}

/* ---- templates ---- */

static templates_one *find_one(const templates_content *c, const char *name, size_t len)
{
    for (size_t i = c->count; i > 0; i--) { /* mostly the last */
        templates_one *t = &c->list[i - 1];
        if (strncmp(t->name, name, len) == 0 && t->name[len] == '\0')
            return t;
    }
    return NULL;
}

/* NULL: no memory, which is noted. */
static templates_one *add_one(loading *l, const char *name, size_t len)
{
    templates_content *c = l->content;
    if (c->count == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 16;
        templates_one *grown = realloc(c->list, cap * sizeof *grown);
        if (!grown) {
            l->nomem = true;
            return NULL;
        }
        c->list = grown;
        c->cap = cap;
    }
    templates_one *t = &c->list[c->count];
    *t = (templates_one){.name = strndup(name, len), .built_in = l->built_in};
    if (!t->name) {
        l->nomem = true;
        return NULL;
    }
    c->count++;
    return t;
}

/* ---- what is built in ---- */

static void add_built_in(loading *l, const builtin_file *f)
{
    const char *slash = strchr(f->path, '/');
    char *where = path_of(l, f->path, NULL);
    const source s = {where, f->content, f->len};

    if (!where)
        return;
    if (!slash) {
        add_partial(l, f->path, &s);
    } else {
        size_t len = (size_t)(slash - f->path), i = file_index(slash + 1);
        templates_one *t = find_one(l->content, f->path, len);
        if (!t)
            t = add_one(l, f->path, len);
        if (t && t->built_in && i < FILES)
            files[i].add(l, t, &s);
    }
    free(where);
}

static void add_all_built_in(loading *l)
{
    buf archive = BUF_INIT;
    builtin_file file;
    size_t at = 0;

    l->built_in = true;
    builtin_unpack(&archive);
    l->nomem = l->nomem || !buf_ok(&archive);
    while (!l->nomem && builtin_next(&archive, &at, &file))
        add_built_in(l, &file);
    buf_free(&archive);
}

/* ---- the folder ---- */

static int shown(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* The names in a folder, in order; -1, and a fault, if it can't be read. free_names() it. */
static int read_names(loading *l, const char *path, struct dirent ***names)
{
    char text[128];
    int count = scandir(path, names, shown, by_name);
    if (count < 0 && errno == ENOMEM)
        l->nomem = true;
    else if (count < 0)
        fault(l, path, 0, 0, "can't be read: %s", strerror_r(errno, text, sizeof text));
    return count;
}

static void free_names(struct dirent **names, int count)
{
    if (count < 0)
        return;
    for (int i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

/* The content; the caller frees. NULL, and a fault, or no memory. */
static char *read_source(loading *l, const char *path, source *s)
{
    char *error = NULL;
    *s = (source){.where = path};
    char *text = file_read(path, TEMPLATE_SOURCE_MAX, &s->len, &error);
    if (!text && error) { /* "Can't read PATH: why." */
        const char *why = error + strlen("Can't read ") + strlen(path) + strlen(": ");
        fault(l, path, 0, 0, "can't be read: %.*s", (int)strlen(why) - 1, why);
    }
    l->nomem = l->nomem || (!text && !error);
    free(error);
    s->text = text;
    l->octets += s->len;
    if (text && l->octets > TOTAL_MOST) {
        if (l->octets - s->len <= TOTAL_MOST) /* once */
            fault(l, l->folder, 0, 0, "the files have more than 64 MiB together");
        free(text);
        return NULL;
    }
    return text;
}

/* A file of a template's folder. */
static void read_file(loading *l, templates_one *t, const char *name)
{
    char *path = path_of(l, t->name, name), *text = NULL;
    size_t i = file_index(name);
    source s;

    if (path && i == FILES)
        fault(l, path, 0, 0,
              "a template has subject.mustache, html.mustache, text.mustache, sample.json and "
              "prepare.json, and no other file");
    else if (path && (text = read_source(l, path, &s)))
        files[i].add(l, t, &s);
    free(text);
    free(path);
}

static void read_template(loading *l, const char *name, const char *path)
{
    struct dirent **names = NULL;

    if (!name_fits(name, strlen(name))) {
        fault(l, path, 0, 0,
              "a template's name has 1 to 64 letters, digits, hyphens, underscores and dots");
        return;
    }
    if (l->content->count == TEMPLATES_MOST) {
        fault(l, path, 0, 0, "there are more than %d templates", TEMPLATES_MOST);
        return;
    }
    templates_one *t = add_one(l, name, strlen(name));
    if (!t)
        return;
    size_t before = l->faults->len;
    int count = read_names(l, path, &names);
    for (int i = 0; i < count && !l->nomem; i++)
        read_file(l, t, names[i]->d_name);
    t->faulty = l->faults->len > before;
    free_names(names, count);
}

static void read_partial(loading *l, const char *file, const char *path)
{
    source s;
    char *text = NULL;
    size_t before = l->faults->len;

    if (!partial_name(file))
        fault(l, path, 0, 0,
              "beside the folders there are partials: files NAME.mustache, whose name has 1 to 64 "
              "letters, digits, hyphens, underscores and dots");
    else if (l->partials++ >= TEMPLATES_MOST)
        fault(l, path, 0, 0, "there are more than %d partials", TEMPLATES_MOST);
    else if ((text = read_source(l, path, &s)))
        add_partial(l, file, &s);
    if (partial_name(file) && l->faults->len > before) { /* an empty one, so that it isn't missed */
        l->partial_faulty = true;
        add_partial(l, file, &(source){.where = path, .text = ""});
    }
    free(text);
}

static void read_entry(loading *l, const char *name)
{
    char *path = path_of(l, name, NULL), text[128];
    struct stat about;

    if (path && stat(path, &about) != 0) /* a symbolic link is what it leads to */
        fault(l, path, 0, 0, "can't be read: %s", strerror_r(errno, text, sizeof text));
    else if (path && S_ISDIR(about.st_mode))
        read_template(l, name, path);
    else if (path)
        read_partial(l, name, path);
    free(path);
}

static void read_folder(loading *l)
{
    struct dirent **names = NULL;
    int count = read_names(l, l->folder, &names);

    for (int i = 0; i < count && !l->nomem; i++)
        read_entry(l, names[i]->d_name);
    free_names(names, count);
}

/* ---- what can be seen when all is there ---- */

static const char *const part_files[TEMPLATES_PARTS] = {"subject.mustache", "html.mustache",
                                                        "text.mustache"};

static void check_missing(loading *l, const template_unit *unit, const char *name, const char *file)
{
    const char *missing = template_missing(unit);
    char *path = missing ? path_of(l, name, file) : NULL;
    if (path)
        fault(l, path, 0, 0, "names %s, and there is no such partial", missing);
    free(path);
}

/* Partials of the folder: those built in name only each other. */
static void check_partials(loading *l)
{
    struct dirent **names = NULL;
    int count = scandir(l->folder, &names, shown, by_name);

    for (int i = 0; i < count; i++) {
        char name[TEMPLATES_NAME + 1];
        size_t len = partial_name(names[i]->d_name);
        (void)snprintf(name, sizeof name, "%.*s", (int)len, names[i]->d_name);
        const template_unit *unit = len ? template_set_find(l->content->set, name) : NULL;
        if (unit)
            check_missing(l, unit, names[i]->d_name, NULL);
    }
    free_names(names, count);
}

/* As a request would render it, with its sample, or with nothing. */
static void try_one(loading *l, const templates_one *t)
{
    templates_result result = {0};
    buf detail = BUF_INIT;
    const char *why = NULL;
    char *path = path_of(l, t->name, NULL);

    switch (templates_render_one(t, NULL, t->sample, &result, &detail)) {
    case TEMPLATES_OK:
        why = mime_header_check_value("Subject", result.subject.data, result.subject.len);
        if (why && path)
            fault(l, path, 0, 0, "its subject, with its sample, is not a header's value: %s", why);
        break;
    case TEMPLATES_UNKNOWN:
    case TEMPLATES_BOUND:
        why = buf_cstr(&detail);
        if (why && path)
            fault(l, path, 0, 0, "can't be rendered with its sample: %s", why);
        break;
    case TEMPLATES_NOMEM: l->nomem = true; break;
    }
    templates_result_clear(&result);
    buf_free(&detail);
    free(path);
}

static void check_one(loading *l, const templates_one *t)
{
    size_t before = l->faults->len;

    l->built_in = t->built_in;
    char *path = path_of(l, t->name, NULL);
    if (path && !t->parts[TEMPLATES_SUBJECT])
        fault(l, path, 0, 0, "has no subject.mustache");
    if (path && !t->parts[TEMPLATES_HTML] && !t->parts[TEMPLATES_TEXT])
        fault(l, path, 0, 0, "has neither html.mustache nor text.mustache");
    free(path);
    for (size_t i = 0; i < TEMPLATES_PARTS; i++) {
        if (t->parts[i])
            check_missing(l, t->parts[i], t->name, part_files[i]);
    }
    if (l->faults->len == before && !l->partial_faulty)
        try_one(l, t);
}

/* What a file's fault has told is not told again by what lacks because of it. */
static void check_all(loading *l)
{
    l->built_in = false;
    check_partials(l);
    for (size_t i = 0; i < l->content->count && !l->nomem; i++) {
        if (!l->content->list[i].faulty)
            check_one(l, &l->content->list[i]);
    }
}

/* ---- all of it ---- */

static int compare_ones(const void *a, const void *b)
{
    return strcmp(((const templates_one *)a)->name, ((const templates_one *)b)->name);
}

static bool sort(templates_content *c)
{
    c->names = calloc(c->count + 1, sizeof *c->names);
    if (!c->names)
        return false;
    if (c->count)
        qsort(c->list, c->count, sizeof *c->list, compare_ones);
    for (size_t i = 0; i < c->count; i++)
        c->names[i] = c->list[i].name;
    return true;
}

templates_content *templates_read(const char *folder, buf *complaints)
{
    loading l = {.folder = folder, .faults = complaints, .content = calloc(1, sizeof *l.content)};
    size_t before = complaints->len;

    if (!l.content)
        return NULL;
    l.content->set = template_set_create();
    l.nomem = !l.content->set;
    if (folder && !l.nomem)
        read_folder(&l);
    if (!l.nomem)
        add_all_built_in(&l);
    if (folder && !l.nomem)
        check_all(&l);
    if (!l.nomem && buf_ok(complaints) && complaints->len == before && sort(l.content))
        return l.content;
    if (l.nomem)
        buf_clear(complaints);
    templates_content_free(l.content);
    return NULL;
}

void templates_content_free(templates_content *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++) {
        free(c->list[i].name);
        json_decref(c->list[i].sample);
        prepare_free(c->list[i].prepare);
    }
    free(c->list);
    free(c->names);
    template_set_free(c->set);
    free(c);
}
