/*
 * template - the Mustache language (mustache(5), the specification's modules interpolation,
 * sections, inverted, comments, partials, delimiters, and the optional ~inheritance and
 * ~dynamic-names) over JSON.
 *
 * A set holds named templates; partials, parents and dynamic names are looked for in the same set,
 * so that nothing is read from anywhere while a template is rendered. A template is compiled once,
 * when it is added, and rendered any number of times, from any number of threads.
 *
 * Data come from callers that nobody vouches for: rendering is bounded in depth, in octets and in
 * steps, and ends with a fault beyond that. What a value may do is decided by the template's kind:
 * TEMPLATE_HTML escapes & < > " ' in {{name}} (not in {{{name}}}, {{&name}}); TEMPLATE_TEXT
 * nothing; TEMPLATE_HEADER nothing, but every run of controls (CR and LF among them) and blanks of
 * the whole result is one blank, so that it is fit for a header's value. A partial is rendered as
 * its caller's kind.
 *
 * Numbers are written as JSON has them (a real without needless digits); true and false as words;
 * null as nothing; objects and arrays as JSON text. false, null, "", 0 and [] are false to a
 * section. Beyond the specification a part of a dotted name may be an array's index, from 0 on:
 * {{items.0.name}}.
 *
 * Memory: the set owns its templates; a set must outlive every rendering. Threads: a set that is
 * no longer added to may be used by any. Errors: template_fault, whose text is fit for the user.
 */
#ifndef POSTERN_TEMPLATE_TEMPLATE_H
#define POSTERN_TEMPLATE_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/buf.h"

#define TEMPLATE_DEPTH      64 /* sections, partials, blocks and parents inside of each other */
#define TEMPLATE_SOURCE_MAX ((size_t)1024 * 1024)
#define TEMPLATE_TAGS_MAX   20000 /* of a template */
#define TEMPLATE_NAME_MAX   255   /* octets of a name in a tag, and of a template's */

typedef struct template_set template_set;
typedef struct template_unit template_unit; /* a compiled template */

typedef enum template_kind { TEMPLATE_TEXT, TEMPLATE_HTML, TEMPLATE_HEADER } template_kind;

typedef struct template_fault {
    size_t line, column; /* from 1, in the source; 0: of no place */
    char text[160];      /* one sentence */
} template_fault;

template_set *template_set_create(void); /* NULL: no memory */
void template_set_free(template_set *s); /* NULL is nothing */

/* Compiles; the source is copied. False, and *fault: it is not Mustache (a tag that isn't closed, a
 * section that doesn't match, …), is too large, the name is there already, or there is no memory.
 */
bool template_set_add(template_set *s, const char *name, template_kind kind, const char *source,
                      size_t len, template_fault *fault);

/* NULL: there is none. */
const template_unit *template_set_find(const template_set *s, const char *name);

/* The first partial or parent that the template names and the set lacks (the language renders it as
 * nothing: who keeps templates may want to know); NULL: none. Dynamic names are not looked at. */
const char *template_missing(const template_unit *t);

typedef struct template_options {
    size_t most;    /* octets of the result */
    uint64_t steps; /* tags rendered and names looked for */
    /* Where the octets of a string are (a document may keep long ones beside its tree); NULL:
     * json_string_value(). */
    const char *(*string)(void *ctx, const json_t *value, size_t *len);
    void *ctx;
} template_options;

/* Appends the result to `out`. False, and *fault: a bound was reached, or there is no memory; what
 * `out` holds then is of no use. */
bool template_render(const template_unit *t, const json_t *data, const template_options *options,
                     buf *out, template_fault *fault);

#endif
