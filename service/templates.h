/*
 * templates - the templates that there are: those built in, and those of the folder
 * POSTERN_TEMPLATES, which win over built-in ones of the same name.
 *
 * One is a folder NAME (1 to 64 letters, digits, hyphens, underscores and dots) with
 * subject.mustache (TEMPLATE_HEADER) and html.mustache or text.mustache or both; sample.json, with
 * which it is rendered when it is loaded; prepare.json (template/prepare.h). Files NAME.mustache
 * beside the folders are partials ({{>NAME}}) for all; so are built-in ones.
 *
 * All are read, compiled and tried at start: a fault stops it, one line for each. SIGHUP reads
 * again: if there is a fault, what was there stays, and the log says why; requests under way keep
 * what they began with.
 *
 * Memory and threads: a snapshot is held and let go, from any thread.
 */
#ifndef POSTERN_SERVICE_TEMPLATES_H
#define POSTERN_SERVICE_TEMPLATES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "service/document.h"
#include "service/problem.h"

typedef struct templates templates;

/* `folder` NULL: those built in alone. NULL, and `faults` one line each: something is wrong. */
templates *templates_load(const char *folder, buf *faults);
templates *templates_hold(templates *t);
void templates_drop(templates *t); /* the last holder's frees; NULL is nothing */

typedef struct templates_result {
    buf subject, html, text; /* empty where the template has none; `html` and `text` end with a NUL
                                that is not counted */
    bool has_html, has_text;
} templates_result;
void templates_result_clear(templates_result *r);

typedef enum templates_outcome {
    TEMPLATES_OK,
    TEMPLATES_UNKNOWN, /* no template has that name */
    TEMPLATES_BOUND,   /* a bound was reached: `detail` says which */
    TEMPLATES_NOMEM
} templates_outcome;

/* Renders. `data`: an object of the document's tree, or a tree of the caller's (`d` NULL). */
templates_outcome templates_render(const templates *t, const char *name, document *d,
                                   const json_t *data, templates_result *out, buf *detail);

/* Names in order, ended by NULL; the templates'. */
const char *const *templates_names(const templates *t);

/* The sample; NULL: it has none. The templates'. */
const json_t *templates_sample(const templates *t, const char *name);

#endif
