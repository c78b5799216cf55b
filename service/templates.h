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
 * again: if there is a fault, or a template is gone that a hook names, what was there stays, and
 * the log says why; requests under way keep what they began with. Where there is no folder, those
 * built in are unpacked when the first is asked for: a service that uses none has nothing of them
 * in memory.
 *
 * Names that begin with a dot are passed over in a folder (a mounted ConfigMap has such); every
 * other name must be one of the above. A file has at most 1 MiB, and there are at most
 * TEMPLATES_MOST templates and as many partials.
 *
 * Memory and threads: a snapshot is held and let go, from any thread, and used by any number of
 * them at once.
 */
#ifndef POSTERN_SERVICE_TEMPLATES_H
#define POSTERN_SERVICE_TEMPLATES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "service/document.h"

#define TEMPLATES_MOST 1000 /* in a folder */
#define TEMPLATES_NAME 64   /* characters of a name */

typedef struct templates templates;

/* `folder` NULL: those built in alone. NULL, and `complaints` one line each
 * ("/etc/templates/welcome/ html.mustache:3:7: …"): something is wrong; and no line: no memory. */
templates *templates_load(const char *folder, buf *complaints);
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

/* Renders. `data`: an object of the document's tree, or a tree of the caller's (`d` NULL); NULL: an
 * empty one. A NUL that data bring becomes U+FFFD, since no mail can hold it. What `out` holds
 * counts as the document's memory (document_hold()). The parts are bounded: octets and steps of
 * each, and what preparing makes. `detail`, a sentence, is set on BOUND. */
templates_outcome templates_render(const templates *t, const char *name, document *d,
                                   const json_t *data, templates_result *out, buf *detail);

/* Reads those built in, if nobody has yet. False: no memory; what is asked for is then not found,
 * which says nothing. */
bool templates_ready(const templates *t);

/* How many there are. */
size_t templates_count(const templates *t);

/* Names in order, ended by NULL; the templates'. NULL: no memory. */
const char *const *templates_names(const templates *t);

/* Adds a sentence for who named one that there is not: which names are near. */
void templates_suggest(const templates *t, const char *name, buf *out);

typedef struct templates_about {
    bool built_in, html, text, prepare;
    const json_t *sample; /* NULL: it has none. The templates' */
} templates_about;

/* False: no template has that name. */
bool templates_find(const templates *t, const char *name, templates_about *out);

/* The sample; NULL: it has none, or there is no such template. The templates'. */
const json_t *templates_sample(const templates *t, const char *name);

/* ---- what a running service has ---- */

/* The snapshot of the moment, which a new one takes the place of. */
typedef struct templates_place templates_place;

templates_place *templates_place_create(templates *first); /* takes it over; NULL: no memory */
void templates_place_free(templates_place *p);

/* The one of now, held for the caller, who drops it. NULL has none: NULL. */
templates *templates_now(templates_place *p);

/* Takes over the new one. Who held the old one keeps it. */
void templates_replace(templates_place *p, templates *fresh);

#endif
