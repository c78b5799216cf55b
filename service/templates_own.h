/*
 * templates_own - what the two files of templates share: templates_load.c (reading the files, and
 * what can be wrong with them) and templates.c (everything once they are read). Nobody else
 * includes it.
 */
#ifndef POSTERN_SERVICE_TEMPLATES_OWN_H
#define POSTERN_SERVICE_TEMPLATES_OWN_H

#include <jansson.h>

#include "service/templates.h"
#include "template/prepare.h"
#include "template/template.h"

typedef enum templates_part {
    TEMPLATES_SUBJECT,
    TEMPLATES_HTML,
    TEMPLATES_TEXT,
    TEMPLATES_PARTS
} templates_part;

typedef struct templates_one {
    char *name;
    bool built_in;
    bool faulty;                                 /* while it is loaded: a file of it is */
    const template_unit *parts[TEMPLATES_PARTS]; /* the set's; NULL: it lacks this one */
    json_t *sample;                              /* NULL: none */
    prepare *prepare;                            /* NULL: none */
} templates_one;

/* What was read; immutable from then on. */
typedef struct templates_content {
    template_set *set; /* "name/html" and so on, and the partials by their names */
    templates_one *list;
    size_t count, cap;
    const char **names; /* of the list, ended by NULL */
} templates_content;

/* Reads the folder (NULL: none) and what is built in. NULL, and `complaints` a line each, or none:
 * no memory. */
templates_content *templates_read(const char *folder, buf *complaints);
void templates_content_free(templates_content *c);

/* Renders one, as templates_render() does. */
templates_outcome templates_render_one(const templates_one *t, document *d, const json_t *data,
                                       templates_result *out, buf *detail);

#endif
