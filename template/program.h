/*
 * program - what a template is compiled to: a flat array of operations over slices of its source.
 * Of this layer alone.
 *
 * A section, an argument of a parent and the whole are runs of operations that end with OP_END. An
 * argument's run stands where it was written, between its OP_PARENT and that one's `end`, and is
 * only come to by name.
 *
 * Indentation (of a partial's tag that stands alone on its line, and of blocks) goes before the
 * lines of the template's text, not of values: where a line begins there is a text with `begins`,
 * or OP_INDENT.
 */
#ifndef POSTERN_TEMPLATE_PROGRAM_H
#define POSTERN_TEMPLATE_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "template/template.h"

typedef enum op_code {
    OP_NOTHING,
    OP_TEXT,     /* `text`; `flag`: it begins a line */
    OP_INDENT,   /* a line begins */
    OP_VALUE,    /* the path's value, escaped where the kind says so */
    OP_RAW,      /* the same, as it is */
    OP_SECTION,  /* the run behind it for the path's value, then on at `end` */
    OP_INVERTED, /* the run behind it if there is none, then on at `end` */
    OP_END,      /* of a run */
    OP_PARTIAL,  /* `target`, or by the path; `flag`: alone on its line, after the blanks `text` */
    OP_PARENT,   /* the same, with arguments; then on at `end` */
    OP_BLOCK,    /* an argument, indented by `text`, then on at `end`; or just on. `flag`: alone */
} op_code;

typedef struct slice {
    const char *text;
    size_t len;
} slice;

/* A name that templates are, or may be, added to the set by. */
typedef struct template_slot {
    template_unit *unit; /* NULL: none was added */
    size_t len;
    char name[];
} template_slot;

#define NO_ARGUMENT UINT32_MAX

typedef struct op {
    uint8_t code;
    bool flag;
    uint16_t parts;              /* of the path; 0: the value that is looked at, {{.}} */
    uint32_t path;               /* its first part, in `names`; of OP_BLOCK: its name */
    uint32_t at;                 /* of the tag, in the source */
    uint32_t end;                /* where to go on */
    uint32_t arguments;          /* of a parent: the first, in `arguments` */
    uint32_t len;                /* of `text` */
    const char *text;            /* a literal, or blanks */
    const template_slot *target; /* NULL: by the path (a dynamic name) */
} op;

typedef struct argument {
    slice name;
    uint32_t run;  /* its operations */
    uint32_t next; /* NO_ARGUMENT: the last */
} argument;

struct template_unit {
    const template_set *set;
    const template_slot *slot; /* has its name */
    template_kind kind;
    size_t len;
    char *source;
    op *ops;
    slice *names;
    argument *arguments;
    size_t op_count, name_count, argument_count;
};

/* The slot of that name, made where there is none; NULL: no memory. */
template_slot *template_set_slot(template_set *s, const char *name, size_t len);

/* NULL: there is no template of that name. For dynamic names. */
const template_unit *template_set_lookup(const template_set *s, const char *name, size_t len);

/* The source is copied; partials are slots of the set. NULL and *fault. */
template_unit *template_compile(template_set *s, const template_slot *slot, template_kind kind,
                                const char *source, size_t len, template_fault *fault);
void template_unit_free(template_unit *t); /* NULL is nothing */

/* Fills *fault in: of the offset in the source, if there is one (NULL: none). Always false. */
bool template_fault_set(template_fault *fault, const char *source, size_t at, const char *format,
                        ...) __attribute__((format(printf, 4, 5)));

#endif
