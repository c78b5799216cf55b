#include "service/templates.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "service/config_value.h"
#include "service/templates_own.h"

#define PART_MOST     ((size_t)4 * 1024 * 1024)
#define STEPS_MOST    2000000
#define PREPARED_ROOM ((size_t)64 * 1024) /* for what is prepared, before malloc is asked */

#define NEAR      3 /* names that are suggested */
#define NEAR_SLIP 3 /* slips that a suggestion forgives */

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

/* What is read late: when the first asks. */
typedef struct shelf {
    pthread_mutex_t mutex; /* who reads */
    _Atomic(templates_content *) content;
} shelf;

struct templates {
    atomic_uint holders;
    shelf *shelf; /* owned */
};

/* ---- snapshots ---- */

static void free_all(templates *t)
{
    if (t->shelf) {
        templates_content_free(atomic_load(&t->shelf->content));
        (void)pthread_mutex_destroy(&t->shelf->mutex);
    }
    free(t->shelf);
    free(t);
}

templates *templates_load(const char *folder, buf *complaints)
{
    templates *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->shelf = calloc(1, sizeof *t->shelf);
    if (!t->shelf || pthread_mutex_init(&t->shelf->mutex, NULL) != 0) {
        free(t->shelf);
        free(t);
        return NULL;
    }
    atomic_init(&t->holders, 1);
    if (!folder)
        return t;
    templates_content *c = templates_read(folder, complaints);
    atomic_store(&t->shelf->content, c);
    if (c)
        return t;
    free_all(t);
    return NULL;
}

templates *templates_hold(templates *t)
{
    atomic_fetch_add_explicit(&t->holders, 1, memory_order_relaxed);
    return t;
}

void templates_drop(templates *t)
{
    if (t && atomic_fetch_sub_explicit(&t->holders, 1, memory_order_acq_rel) == 1)
        free_all(t);
}

/* NULL: no memory. */
static const templates_content *content_of(const templates *t)
{
    shelf *s = t->shelf;
    templates_content *c = atomic_load_explicit(&s->content, memory_order_acquire);
    if (c)
        return c;
    (void)pthread_mutex_lock(&s->mutex);
    c = atomic_load_explicit(&s->content, memory_order_relaxed);
    if (!c) {
        buf complaints = BUF_INIT; /* those built in have none: tests see to it */
        c = templates_read(NULL, &complaints);
        buf_free(&complaints);
        atomic_store_explicit(&s->content, c, memory_order_release);
    }
    (void)pthread_mutex_unlock(&s->mutex);
    return c;
}

/* ---- the one of now ---- */

struct templates_place {
    pthread_mutex_t mutex;
    templates *now;
};

templates_place *templates_place_create(templates *first)
{
    templates_place *p = first ? malloc(sizeof *p) : NULL;
    if (!p || pthread_mutex_init(&p->mutex, NULL) != 0) {
        free(p);
        templates_drop(first);
        return NULL;
    }
    p->now = first;
    return p;
}

void templates_place_free(templates_place *p)
{
    if (!p)
        return;
    templates_drop(p->now);
    (void)pthread_mutex_destroy(&p->mutex);
    free(p);
}

templates *templates_now(templates_place *p)
{
    if (!p)
        return NULL;
    (void)pthread_mutex_lock(&p->mutex);
    templates *t = templates_hold(p->now);
    (void)pthread_mutex_unlock(&p->mutex);
    return t;
}

void templates_replace(templates_place *p, templates *fresh)
{
    (void)pthread_mutex_lock(&p->mutex);
    templates *old = p->now;
    p->now = fresh;
    (void)pthread_mutex_unlock(&p->mutex);
    templates_drop(old);
}

/* ---- which there are ---- */

static int compare_name(const void *name, const void *one)
{
    return strcmp(name, ((const templates_one *)one)->name);
}

static const templates_one *find(const templates_content *c, const char *name)
{
    return c->count ? bsearch(name, c->list, c->count, sizeof *c->list, compare_name) : NULL;
}

bool templates_ready(const templates *t)
{
    return content_of(t) != NULL;
}

const char *const *templates_names(const templates *t)
{
    const templates_content *c = content_of(t);
    return c ? c->names : NULL;
}

size_t templates_count(const templates *t)
{
    const templates_content *c = content_of(t);
    return c ? c->count : 0;
}

bool templates_find(const templates *t, const char *name, templates_about *out)
{
    const templates_content *c = content_of(t);
    const templates_one *one = c ? find(c, name) : NULL;
    if (!one)
        return false;
    *out = (templates_about){
        .built_in = one->built_in,
        .html = one->parts[TEMPLATES_HTML] != NULL,
        .text = one->parts[TEMPLATES_TEXT] != NULL,
        .prepare = one->prepare != NULL,
        .sample = one->sample,
    };
    return true;
}

const json_t *templates_sample(const templates *t, const char *name)
{
    templates_about about;
    return templates_find(t, name, &about) ? about.sample : NULL;
}

/* One begins as the other does: "github", "github-push". */
static bool begins_alike(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b), shorter = la < lb ? la : lb;
    return shorter > 2 && strncmp(a, b, shorter) == 0;
}

void templates_suggest(const templates *t, const char *name, buf *out)
{
    const char *const *names = templates_names(t);
    unsigned found = 0;

    buf_adds(out, "No template has this name");
    for (; names && *names && found < NEAR; names++) {
        if (!begins_alike(name, *names) &&
            config_value_distance(name, *names, NEAR_SLIP) > NEAR_SLIP)
            continue;
        buf_adds(out, found++ ? ", " : "; near it: ");
        buf_adds(out, *names);
    }
    buf_adds(out, found ? "." : "; GET /v1/templates lists those that there are.");
}

/* ---- rendering ---- */

void templates_result_clear(templates_result *r)
{
    buf_free(&r->subject);
    buf_free(&r->html);
    buf_free(&r->text);
    r->has_html = r->has_text = false;
}

/* What the document keeps beside its tree. A string that it keeps as base64 is the content of an
 * attachment, which no template's data can be. */
static const char *lifted_string(void *ctx, const json_t *value, size_t *len)
{
    document_string found;
    if (!document_lifted(ctx, value, &found)) {
        *len = json_string_length(value);
        return json_string_value(value);
    }
    *len = found.is_base64 ? 0 : found.text.len;
    return found.is_base64 ? "" : found.text.data;
}

/* What a mail can't hold. The result ends with a NUL that is not counted. */
static bool finish(buf *b)
{
    buf clean = BUF_INIT;
    if (b->len > 0 && memchr(b->data, '\0', b->len)) {
        for (size_t i = 0; i < b->len; i++) {
            if (b->data[i])
                buf_addc(&clean, b->data[i]);
            else
                buf_adds(&clean, REPLACEMENT);
        }
        buf_free(b);
        *b = clean;
    }
    return buf_cstr(b) != NULL;
}

static templates_outcome render_parts(const templates_one *t, const template_options *options,
                                      const json_t *data, templates_result *out, buf *detail)
{
    buf *const results[TEMPLATES_PARTS] = {
        [TEMPLATES_SUBJECT] = &out->subject,
        [TEMPLATES_HTML] = &out->html,
        [TEMPLATES_TEXT] = &out->text,
    };
    static const char *const names[TEMPLATES_PARTS] = {"subject", "html", "text"};

    for (size_t i = 0; i < TEMPLATES_PARTS; i++) {
        template_fault fault = {0};
        if (!t->parts[i])
            continue;
        if (!template_render(t->parts[i], data, options, results[i], &fault)) {
            if (!buf_ok(results[i]))
                return TEMPLATES_NOMEM;
            buf_addf(detail, "The template's %s can't be rendered: %s.", names[i], fault.text);
            return TEMPLATES_BOUND;
        }
        if (!finish(results[i]))
            return TEMPLATES_NOMEM;
    }
    out->has_html = t->parts[TEMPLATES_HTML] != NULL;
    out->has_text = t->parts[TEMPLATES_TEXT] != NULL;
    return TEMPLATES_OK;
}

/* The prepared data have their strings in their tree. */
static templates_outcome render_prepared_in(arena *a, const templates_one *t,
                                            const template_options *given, const json_t *data,
                                            templates_result *out, buf *detail)
{
    const template_options options = {.most = given->most, .steps = given->steps};
    bool too_large = false;

    arena_use(a);
    json_t *prepared = prepare_apply(t->prepare, data, given->string, given->ctx, &too_large);
    arena_use(NULL);
    if (!prepared && !too_large)
        return TEMPLATES_NOMEM;
    if (!prepared) {
        buf_addf(detail, "The template's preparation makes more than %d values of these data.",
                 PREPARE_VALUES);
        return TEMPLATES_BOUND;
    }
    templates_outcome outcome = render_parts(t, &options, prepared, out, detail);
    arena_use(a);
    json_decref(prepared);
    arena_use(NULL);
    return outcome;
}

/* The data's own values are only referred to: what they hold is never freed here. */
static templates_outcome render_prepared(const templates_one *t, const template_options *given,
                                         const json_t *data, templates_result *out, buf *detail)
{
    arena a;
    char *block = malloc(PREPARED_ROOM);

    arena_init(&a, block, block ? PREPARED_ROOM : 0);
    templates_outcome outcome = render_prepared_in(&a, t, given, data, out, detail);
    free(block);
    return outcome;
}

templates_outcome templates_render_one(const templates_one *t, document *d, const json_t *data,
                                       templates_result *out, buf *detail)
{
    const template_options options = {
        .most = PART_MOST,
        .steps = STEPS_MOST,
        .string = d && document_lifts(d) ? lifted_string : NULL,
        .ctx = d,
    };
    json_t *empty = data ? NULL : json_object();

    *out = (templates_result){0};
    if (!data && !empty)
        return TEMPLATES_NOMEM;
    templates_outcome outcome = (t->prepare ? render_prepared : render_parts)(
        t, &options, data ? data : empty, out, detail);
    json_decref(empty);
    if (outcome == TEMPLATES_OK && d &&
        !document_hold(d, out->subject.cap + out->html.cap + out->text.cap))
        outcome = TEMPLATES_NOMEM;
    if (outcome != TEMPLATES_OK)
        templates_result_clear(out);
    return outcome;
}

templates_outcome templates_render(const templates *t, const char *name, document *d,
                                   const json_t *data, templates_result *out, buf *detail)
{
    const templates_content *c = content_of(t);
    *out = (templates_result){0};
    if (!c)
        return TEMPLATES_NOMEM;
    const templates_one *one = find(c, name);
    return one ? templates_render_one(one, d, data, out, detail) : TEMPLATES_UNKNOWN;
}
