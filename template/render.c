#include <stdlib.h>
#include <string.h>

#include "template/write.h"

/* Blanks before the lines of what is rendered; a chain, the outermost last. NULL: none. */
typedef struct indent {
    const struct indent *outer;
    const char *text;
    size_t len;
} indent;

/* The arguments of the parents around. */
typedef struct scope {
    const struct scope *outer;
    const template_unit *unit;
    uint32_t first; /* argument */
} scope;

/* Where a run is. */
typedef struct place {
    const template_unit *unit;
    const scope *scope;
    const indent *indent;
} place;

typedef struct renderer {
    writer w;
    size_t depth;
    const json_t *context[TEMPLATE_DEPTH + 2];
    size_t contexts;
    bool inside; /* a line that begins has begun already: a block's that isn't alone */
    const template_unit *stopped_in;
    size_t stopped_at;
} renderer;

static bool run(renderer *r, const place *p, uint32_t at);

/* ---- names ---- */

/* A part of decimal digits is an array's index. */
static const json_t *item(const json_t *array, slice part)
{
    size_t index = 0;
    if (part.len > 6)
        return NULL;
    for (size_t i = 0; i < part.len; i++) {
        if (part.text[i] < '0' || part.text[i] > '9')
            return NULL;
        index = index * 10 + (size_t)(part.text[i] - '0');
    }
    return json_array_get(array, index);
}

static const json_t *member(const json_t *value, slice part)
{
    if (json_is_object(value))
        return json_object_getn(value, part.text, part.len);
    return json_is_array(value) ? item(value, part) : NULL;
}

/* NULL: there is none (or it took too many steps). */
static const json_t *lookup(renderer *r, const template_unit *u, const op *o)
{
    const json_t *value = NULL;
    if (o->parts == 0)
        return r->context[r->contexts - 1];
    const slice *part = &u->names[o->path];
    uint64_t looked = o->parts;
    for (size_t i = r->contexts; i-- > 0 && !value; looked++)
        value = member(r->context[i], *part);
    if (!writer_step(&r->w, looked))
        return NULL;
    for (size_t i = 1; i < o->parts && value; i++)
        value = member(value, part[i]);
    return value;
}

static bool holds(const renderer *r, const json_t *value)
{
    if (!value)
        return false;
    switch (json_typeof(value)) {
    case JSON_NULL:
    case JSON_FALSE: return false;
    case JSON_ARRAY: return json_array_size(value) > 0;
    case JSON_STRING: return writer_string(&r->w, value).len > 0;
    case JSON_INTEGER: return json_integer_value(value) != 0;
    case JSON_REAL: return json_real_value(value) != 0.0;
    default: return true;
    }
}

/* ---- lines ---- */

static bool add_indent(writer *w, const indent *i)
{
    return !i || (add_indent(w, i->outer) && writer_add(w, i->text, i->len));
}

static bool begin_line(renderer *r, const place *p)
{
    bool inside = r->inside;
    r->inside = false;
    return inside || add_indent(&r->w, p->indent);
}

/* Text of several lines, with what goes before each of them. */
static bool add_lines(renderer *r, const place *p, const op *o)
{
    const char *text = o->text, *end = o->text + o->len;
    for (bool begins = o->flag; text < end; begins = true) {
        const char *feed = memchr(text, '\n', (size_t)(end - text));
        const char *next = feed ? feed + 1 : end;
        if ((begins && !begin_line(r, p)) || !writer_add(&r->w, text, (size_t)(next - text)))
            return false;
        text = next;
    }
    return true;
}

static bool add_text(renderer *r, const place *p, const op *o)
{
    if (p->indent || r->inside)
        return add_lines(r, p, o);
    return writer_add(&r->w, o->text, o->len);
}

/* ---- what has others inside of it ---- */

static bool stop(renderer *r, const char *why)
{
    if (!r->w.stopped)
        r->w.stopped = why;
    return false;
}

static bool inner(renderer *r, const place *p, uint32_t at)
{
    if (r->depth == TEMPLATE_DEPTH)
        return stop(r, "sections, partials and blocks are too deep inside of each other");
    r->depth++;
    bool done = writer_step(&r->w, 1) && run(r, p, at); /* an item costs something, even if empty */
    r->depth--;
    return done;
}

static bool run_with(renderer *r, const place *p, uint32_t at, const json_t *value)
{
    r->context[r->contexts++] = value;
    bool done = inner(r, p, at);
    r->contexts--;
    return done;
}

static bool run_section(renderer *r, const place *p, uint32_t at)
{
    const json_t *value = lookup(r, p->unit, &p->unit->ops[at]);
    if (!holds(r, value))
        return !r->w.stopped;
    if (!json_is_array(value))
        return run_with(r, p, at + 1, value);
    for (size_t i = 0, n = json_array_size(value); i < n; i++)
        if (!run_with(r, p, at + 1, json_array_get(value, i)))
            return false;
    return true;
}

static bool run_inverted(renderer *r, const place *p, uint32_t at)
{
    const json_t *value = lookup(r, p->unit, &p->unit->ops[at]);
    if (r->w.stopped)
        return false;
    return holds(r, value) || inner(r, p, at + 1);
}

/* NULL: there is none. The set is the one that the name's slot would be in. */
static const template_unit *target(renderer *r, const place *p, const op *o)
{
    if (o->target)
        return o->target->unit;
    const json_t *name = lookup(r, p->unit, o);
    if (!json_is_string(name))
        return NULL;
    slice s = writer_string(&r->w, name);
    return template_set_lookup(p->unit->set, s.text, s.len);
}

static bool run_partial(renderer *r, const place *p, const op *o)
{
    const template_unit *unit = target(r, p, o);
    if (!unit)
        return !r->w.stopped;
    indent more = {p->indent, o->text, o->len};
    scope arguments = {p->scope, p->unit, o->arguments};
    place at = {.unit = unit, .scope = p->scope};
    if (o->code == OP_PARENT && o->arguments != NO_ARGUMENT)
        at.scope = &arguments;
    if (o->flag) /* what isn't alone on its line has no indentation */
        at.indent = o->len ? &more : p->indent;
    return inner(r, &at, 0);
}

/* The outermost argument of that name. */
static const argument *find_argument(renderer *r, const place *p, const op *o, const scope **in)
{
    const argument *found = NULL;
    slice name = p->unit->names[o->path];
    uint64_t looked = 0;
    for (const scope *s = p->scope; s; s = s->outer) {
        for (uint32_t i = s->first; i != NO_ARGUMENT; i = s->unit->arguments[i].next) {
            const argument *a = &s->unit->arguments[i];
            looked++;
            if (a->name.len == name.len && memcmp(a->name.text, name.text, name.len) == 0) {
                found = a;
                *in = s;
                break;
            }
        }
    }
    return writer_step(&r->w, looked) ? found : NULL;
}

/* An argument in a block's place. The blocks in it are those of the template that it was written
 * in, so they are looked for among the arguments which that one was given. */
static bool run_argument(renderer *r, const place *p, const op *o, const argument *a,
                         const scope *in)
{
    indent more = {p->indent, o->text, o->len};
    place at = {in->unit, in->outer, o->len ? &more : p->indent};
    if (!o->flag)
        r->inside = true;
    bool done = inner(r, &at, a->run);
    if (!o->flag)
        r->inside = false;
    return done;
}

/* ---- the program ---- */

/* One operation, and in *at the next one's place. */
static bool one(renderer *r, const place *p, const op *o, uint32_t *at)
{
    const json_t *value;
    const argument *a;
    const scope *in = NULL;
    uint32_t here = (*at)++;
    switch (o->code) {
    case OP_TEXT: return add_text(r, p, o);
    case OP_INDENT: return begin_line(r, p);
    case OP_VALUE:
    case OP_RAW:
        value = lookup(r, p->unit, o);
        return value ? writer_value(&r->w, value, o->code == OP_RAW) : !r->w.stopped;
    case OP_SECTION: *at = o->end; return run_section(r, p, here);
    case OP_INVERTED: *at = o->end; return run_inverted(r, p, here);
    case OP_PARTIAL: return run_partial(r, p, o);
    case OP_PARENT: *at = o->end; return run_partial(r, p, o);
    case OP_BLOCK:
        a = p->scope ? find_argument(r, p, o, &in) : NULL;
        if (!a)
            return !r->w.stopped;
        *at = o->end;
        return run_argument(r, p, o, a, in);
    default: return true;
    }
}

static bool run(renderer *r, const place *p, uint32_t at)
{
    const op *o;
    do {
        o = &p->unit->ops[at];
        if (o->code == OP_END)
            return true;
    } while (writer_step(&r->w, 1) && one(r, p, o, &at));
    if (!r->stopped_in) { /* the innermost is told */
        r->stopped_in = p->unit;
        r->stopped_at = o->at;
    }
    return false;
}

bool template_render(const template_unit *t, const json_t *data, const template_options *options,
                     buf *out, template_fault *fault)
{
    size_t from = out->len;
    renderer r = {.w = {.out = out,
                        .left = options->most,
                        .steps = options->steps,
                        .kind = t->kind,
                        .options = options},
                  .context = {data},
                  .contexts = 1};
    place whole = {.unit = t};
    if (!run(&r, &whole, 0))
        return template_fault_set(fault, r.stopped_in->source, r.stopped_at, "%s, in \"%s\"",
                                  r.w.stopped, r.stopped_in->slot->name);
    if (t->kind == TEMPLATE_HEADER)
        writer_collapse(out, from);
    return true;
}
