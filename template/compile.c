#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "template/program.h"

#define DELIMITER_MAX 16
#define NO_OP         UINT32_MAX

/* A section, block, parent or argument that isn't closed yet. */
typedef struct open_tag {
    op_code code;
    bool argument; /* a block right in a parent */
    bool dynamic;  /* a parent whose name is data's: its closing tag has the asterisk, too */
    uint32_t op;   /* its operation; of an argument: the parent's */
    uint32_t lead; /* of a parent: what stands before it on its line, if that is blank */
    slice name, blanks, dedent; /* `dedent`: what it was outside */
    size_t at;
} open_tag;

typedef struct compiler {
    template_set *set;
    template_unit *unit;
    template_fault *fault;
    size_t op_room, name_room, argument_room, tags;
    const char *source;                                       /* the unit's own */
    size_t len, at;                                           /* `at`: what is before is done */
    char opens[DELIMITER_MAX + 1], closes[DELIMITER_MAX + 2]; /* with room for } or = before */
    slice dedent;                                             /* taken from each line's begin */
    bool begins;                                              /* a line of the result begins */
    open_tag open[TEMPLATE_DEPTH];
    size_t depth;
} compiler;

typedef struct tag {
    char sigil; /* one of # ^ / ! > = < $ &, or 0 */
    bool dynamic;
    slice name;
    size_t at, end;     /* of the whole tag */
    size_t line, after; /* of the blanks before and behind, where there is nothing else on its line;
                           `after` is behind the line's end */
    bool first, last;   /* there is nothing else before, behind it */
} tag;

static bool fail(compiler *c, size_t at, const char *text)
{
    (void)template_fault_set(c->fault, c->source, at, "%s", text);
    return false;
}

static bool no_memory(compiler *c)
{
    (void)template_fault_set(c->fault, NULL, 0, "there is no memory");
    return false;
}

/* Room for one more of an array of the unit's. */
static bool room(compiler *c, void **array, size_t count, size_t *have, size_t size)
{
    if (count < *have)
        return true;
    size_t more = *have ? 2 * *have : 32;
    void *grown = realloc(*array, more * size);
    if (!grown)
        return no_memory(c);
    *array = grown;
    *have = more;
    return true;
}

static bool add_op(compiler *c, op o)
{
    template_unit *u = c->unit;
    void *ops = u->ops;
    if (!room(c, &ops, u->op_count, &c->op_room, sizeof(op)))
        return false;
    u->ops = ops;
    u->ops[u->op_count++] = o;
    return true;
}

static bool add_name(compiler *c, slice name)
{
    template_unit *u = c->unit;
    void *names = u->names;
    if (!room(c, &names, u->name_count, &c->name_room, sizeof(slice)))
        return false;
    u->names = names;
    u->names[u->name_count++] = name;
    return true;
}

static uint32_t next_op(const compiler *c)
{
    return (uint32_t)c->unit->op_count;
}

static open_tag *innermost(compiler *c)
{
    return c->depth ? &c->open[c->depth - 1] : NULL;
}

/* ---- texts ---- */

static bool blank(char ch)
{
    return ch == ' ' || ch == '\t';
}

static bool space(char ch)
{
    return blank(ch) || ch == '\n' || ch == '\r';
}

static bool starts_line(const compiler *c, size_t at)
{
    return at == 0 || c->source[at - 1] == '\n';
}

/* Of these blanks what is left without those of the block around. */
static slice dedented(const compiler *c, slice blanks)
{
    size_t n = 0;
    while (n < blanks.len && n < c->dedent.len && blanks.text[n] == c->dedent.text[n])
        n++;
    return (slice){blanks.text + n, blanks.len - n};
}

static bool add_piece(compiler *c, slice text)
{
    if (text.len == 0)
        return true;
    op o = {.code = OP_TEXT,
            .flag = c->begins,
            .text = text.text,
            .len = (uint32_t)text.len,
            .at = (uint32_t)(text.text - c->source)};
    c->begins = text.text[text.len - 1] == '\n';
    return add_op(c, o);
}

/* The source from `from` to `to` as text: in one piece, unless blanks are taken from its lines. */
static bool add_text(compiler *c, size_t from, size_t to)
{
    const open_tag *around = innermost(c);
    if (around && around->code == OP_PARENT && !around->argument)
        return true; /* only arguments count there */
    if (c->dedent.len == 0)
        return add_piece(c, (slice){c->source + from, to - from});
    while (from < to) {
        const char *feed = memchr(c->source + from, '\n', to - from);
        size_t end = feed ? (size_t)(feed - c->source) + 1 : to;
        slice line = {c->source + from, end - from};
        if (!add_piece(c, starts_line(c, from) ? dedented(c, line) : line))
            return false;
        from = end;
    }
    return true;
}

/* A tag that leaves something in a line that it begins. */
static bool begin_line(compiler *c, size_t at)
{
    if (!c->begins)
        return true;
    c->begins = false;
    return add_op(c, (op){.code = OP_INDENT, .at = (uint32_t)at});
}

/* ---- names ---- */

static slice trimmed(slice s)
{
    while (s.len && space(*s.text))
        s.text++, s.len--;
    while (s.len && space(s.text[s.len - 1]))
        s.len--;
    return s;
}

static bool same(slice a, slice b)
{
    return a.len == b.len && memcmp(a.text, b.text, a.len) == 0;
}

static bool check_name(compiler *c, const tag *t)
{
    if (t->name.len == 0)
        return fail(c, t->at, "this tag has no name");
    if (t->name.len > TEMPLATE_NAME_MAX)
        return fail(c, t->at, "this tag's name is longer than 255 octets");
    for (size_t i = 0; i < t->name.len; i++)
        if (space(t->name.text[i]))
            return fail(c, t->at, "this tag's name has a blank in it");
    return true;
}

/* A dotted name's parts; "." has none. */
static bool add_path(compiler *c, const tag *t, op *o)
{
    slice rest = t->name;
    o->path = (uint32_t)c->unit->name_count;
    if (rest.len == 1 && *rest.text == '.')
        return true;
    for (bool more = rest.len > 0; more;) {
        const char *dot = rest.text ? memchr(rest.text, '.', rest.len) : NULL;
        slice part = {rest.text, dot ? (size_t)(dot - rest.text) : rest.len};
        if (part.len == 0)
            return fail(c, t->at, "this tag's name has an empty part, between or beside its dots");
        if (!add_name(c, part))
            return false;
        o->parts++;
        more = dot != NULL;
        if (more)
            rest = (slice){dot + 1, rest.len - part.len - 1};
    }
    return true;
}

/* What a partial or a parent names. */
static bool add_target(compiler *c, const tag *t, op *o)
{
    if (t->dynamic)
        return add_path(c, t, o);
    o->target = template_set_slot(c->set, t->name.text, t->name.len);
    return o->target || no_memory(c);
}

/* ---- tags ---- */

static bool push(compiler *c, open_tag o)
{
    if (c->depth == TEMPLATE_DEPTH)
        return template_fault_set(c->fault, c->source, o.at,
                                  "sections and blocks are more than %d inside of each other",
                                  TEMPLATE_DEPTH);
    o.dedent = c->dedent;
    c->open[c->depth++] = o;
    return true;
}

/* The text before a tag. One that stands alone on its line takes the line with it. */
static bool before(compiler *c, const tag *t, bool *alone)
{
    *alone = t->first && t->last;
    if (!add_text(c, c->at, *alone ? t->line : t->at))
        return false;
    c->at = *alone ? t->after : t->end;
    if (*alone)
        c->begins = true;
    return true;
}

static slice blanks_before(const compiler *c, const tag *t)
{
    return dedented(c, (slice){c->source + t->line, t->at - t->line});
}

static bool on_value(compiler *c, const tag *t)
{
    op o = {.code = t->sigil == '&' ? OP_RAW : OP_VALUE, .at = (uint32_t)t->at};
    if (!add_text(c, c->at, t->at))
        return false;
    c->at = t->end;
    return begin_line(c, t->at) && add_path(c, t, &o) && add_op(c, o);
}

static bool on_section(compiler *c, const tag *t)
{
    bool alone;
    op o = {.code = t->sigil == '#' ? OP_SECTION : OP_INVERTED, .at = (uint32_t)t->at};
    if (!before(c, t, &alone) || (!alone && !begin_line(c, t->at)))
        return false;
    open_tag open = {.code = o.code, .op = next_op(c), .name = t->name, .at = t->at};
    return push(c, open) && add_path(c, t, &o) && add_op(c, o);
}

static bool on_partial(compiler *c, const tag *t)
{
    bool alone;
    op o = {.code = OP_PARTIAL, .at = (uint32_t)t->at};
    if (!before(c, t, &alone) || (!alone && !begin_line(c, t->at)))
        return false;
    slice blanks = blanks_before(c, t);
    if ((o.flag = alone)) {
        o.text = blanks.text;
        o.len = (uint32_t)blanks.len;
    }
    return add_target(c, t, &o) && add_op(c, o);
}

/* Whether a parent stands alone is known where it is closed; what is before it on its line is an
 * operation of its own until then. */
static bool on_parent(compiler *c, const tag *t)
{
    op o = {.code = OP_PARENT, .at = (uint32_t)t->at, .arguments = NO_ARGUMENT};
    open_tag open = {
        .code = OP_PARENT, .dynamic = t->dynamic, .name = t->name, .at = t->at, .lead = NO_OP};
    if (!add_text(c, c->at, t->line))
        return false;
    open.blanks = blanks_before(c, t);
    open.lead = t->first ? next_op(c) : NO_OP;
    if (!add_text(c, t->line, t->at) || !begin_line(c, t->at))
        return false;
    if (open.lead == next_op(c))
        open.lead = NO_OP;
    open.op = next_op(c);
    c->at = t->end;
    return push(c, open) && add_target(c, t, &o) && add_op(c, o);
}

/* The blanks before the first text of a block that begins at `at`; false: it has none. */
static bool intrinsic(const compiler *c, size_t at, slice *out)
{
    size_t line = at, n = strlen(c->opens);
    while (at < c->len && space(c->source[at])) {
        at++;
        if (c->source[at - 1] == '\n')
            line = at;
    }
    *out = (slice){c->source + line, at - line};
    if (at == c->len)
        return false;
    if (c->len - at <= n || memcmp(c->source + at, c->opens, n) != 0)
        return true;
    for (at += n; at < c->len && space(c->source[at]); at++)
        ;
    return at < c->len && c->source[at] != '/';
}

static bool on_argument(compiler *c, const tag *t)
{
    template_unit *u = c->unit;
    uint32_t parent = innermost(c)->op;
    open_tag open = {
        .code = OP_BLOCK, .argument = true, .op = parent, .name = t->name, .at = t->at};
    void *arguments = u->arguments;
    slice blanks;
    if (!push(c, open) ||
        !room(c, &arguments, u->argument_count, &c->argument_room, sizeof(argument)))
        return false;
    u->arguments = arguments;
    u->arguments[u->argument_count] = (argument){t->name, next_op(c), u->ops[parent].arguments};
    u->ops[parent].arguments = (uint32_t)u->argument_count++;
    c->at = t->last ? t->after : t->end;
    if (t->last && intrinsic(c, c->at, &blanks))
        c->dedent = blanks;
    c->begins = true;
    return true;
}

static bool on_block(compiler *c, const tag *t)
{
    const open_tag *around = innermost(c);
    if (around && around->code == OP_PARENT)
        return on_argument(c, t);
    bool alone;
    slice blanks = {0};
    op o = {.code = OP_BLOCK, .at = (uint32_t)t->at, .path = (uint32_t)c->unit->name_count};
    if (!before(c, t, &alone) || (!alone && !begin_line(c, t->at)))
        return false;
    if (alone && intrinsic(c, c->at, &blanks))
        blanks = dedented(c, blanks);
    else if (t->first)
        blanks = blanks_before(c, t);
    o.flag = alone;
    o.text = blanks.text;
    o.len = (uint32_t)blanks.len;
    open_tag open = {.code = OP_BLOCK, .op = next_op(c), .name = t->name, .at = t->at};
    return push(c, open) && add_name(c, t->name) && add_op(c, o);
}

static bool close_argument(compiler *c, const tag *t)
{
    if (!add_text(c, c->at, t->first && t->line >= c->at ? t->line : t->at) ||
        !add_op(c, (op){.code = OP_END, .at = (uint32_t)t->at}))
        return false;
    c->at = t->end;
    return true;
}

static void close_parent(compiler *c, const open_tag *open, const tag *t)
{
    op *o = &c->unit->ops[open->op];
    o->flag = open->lead != NO_OP && t->last;
    if (o->flag) {
        c->unit->ops[open->lead].code = OP_NOTHING;
        o->text = open->blanks.text;
        o->len = (uint32_t)open->blanks.len;
    }
    o->end = next_op(c);
    c->at = o->flag ? t->after : t->end;
    c->begins = o->flag;
}

static bool close_run(compiler *c, const open_tag *open, const tag *t)
{
    bool alone;
    if (!before(c, t, &alone) || (!alone && !begin_line(c, t->at)))
        return false;
    if (open->code != OP_BLOCK && !add_op(c, (op){.code = OP_END, .at = (uint32_t)t->at}))
        return false;
    c->unit->ops[open->op].end = next_op(c);
    return true;
}

static bool closes_it(const open_tag *open, slice name)
{
    if (!open->dynamic)
        return same(open->name, name);
    return name.len > 0 && *name.text == '*' &&
           same(open->name, trimmed((slice){name.text + 1, name.len - 1}));
}

static bool on_close(compiler *c, const tag *t)
{
    const open_tag *open = innermost(c);
    if (!open)
        return fail(c, t->at, "this tag closes what wasn't opened");
    if (!closes_it(open, t->name)) {
        return template_fault_set(c->fault, c->source, t->at,
                                  "this tag closes another section than the last that was opened, "
                                  "\"%.*s\"",
                                  (int)(open->name.len < 60 ? open->name.len : 60),
                                  open->name.text);
    }
    bool done = true;
    if (open->argument)
        done = close_argument(c, t);
    else if (open->code == OP_PARENT)
        close_parent(c, open, t);
    else
        done = close_run(c, open, t);
    c->dedent = open->dedent;
    c->depth--;
    return done;
}

/* ---- delimiters, and what is left out ---- */

static bool read_delimiter(slice *rest, char *out)
{
    size_t n = 0;
    while (n < rest->len && !space(rest->text[n]) && rest->text[n] != '=')
        n++;
    if (n == 0 || n > DELIMITER_MAX)
        return false;
    memcpy(out, rest->text, n);
    out[n] = '\0';
    *rest = trimmed((slice){rest->text + n, rest->len - n});
    return true;
}

static bool on_delimiters(compiler *c, const tag *t)
{
    bool alone, apart = false;
    slice rest = t->name;
    for (size_t i = 0; i < rest.len; i++)
        apart |= space(rest.text[i]);
    if (!apart || !read_delimiter(&rest, c->opens) || !read_delimiter(&rest, c->closes) || rest.len)
        return fail(c, t->at, "delimiters are two words of 1 to 16 octets without =");
    return before(c, t, &alone);
}

static bool on_comment(compiler *c, const tag *t)
{
    bool alone;
    return before(c, t, &alone);
}

static bool handle(compiler *c, const tag *t)
{
    if (!(t->sigil && strchr("!=/", t->sigil)) && !check_name(c, t))
        return false;
    switch (t->sigil) {
    case '#':
    case '^': return on_section(c, t);
    case '/': return on_close(c, t);
    case '>': return on_partial(c, t);
    case '<': return on_parent(c, t);
    case '$': return on_block(c, t);
    case '=': return on_delimiters(c, t);
    case '!': return on_comment(c, t);
    default: return on_value(c, t);
    }
}

/* What else is on the tag's line. */
static void look_around(const compiler *c, tag *t)
{
    t->line = t->at;
    while (t->line > c->at && blank(c->source[t->line - 1]))
        t->line--;
    t->first = starts_line(c, t->line);
    if (!t->first)
        t->line = t->at;
    t->after = t->end;
    while (t->after < c->len && blank(c->source[t->after]))
        t->after++;
    if (c->len - t->after >= 2 && memcmp(c->source + t->after, "\r\n", 2) == 0)
        t->after += 2;
    else if (t->after < c->len && c->source[t->after] == '\n')
        t->after++;
    t->last = t->after == c->len || (t->after > t->end && c->source[t->after - 1] == '\n');
}

/* The tag whose delimiter begins at t->at. */
static bool read_tag(compiler *c, tag *t)
{
    char closes[sizeof c->closes];
    size_t at = t->at + strlen(c->opens), n = 0;
    while (at < c->len && space(c->source[at]))
        at++;
    t->sigil = at < c->len && c->source[at] && strchr("#^/!>=<$&{", c->source[at]) ? c->source[at++]
                                                                                   : '\0';
    if (t->sigil == '{' || t->sigil == '=')
        closes[n++] = t->sigil == '{' ? '}' : '=';
    memcpy(closes + n, c->closes, strlen(c->closes) + 1);
    const char *end = memmem(c->source + at, c->len - at, closes, strlen(closes));
    if (!end)
        return fail(c, t->at, "this tag isn't closed");
    t->name = trimmed((slice){c->source + at, (size_t)(end - c->source) - at});
    t->end = (size_t)(end - c->source) + strlen(closes);
    if (t->sigil == '{')
        t->sigil = '&';
    if ((t->sigil == '>' || t->sigil == '<') && t->name.len && *t->name.text == '*') {
        t->dynamic = true;
        t->name = trimmed((slice){t->name.text + 1, t->name.len - 1});
    }
    look_around(c, t);
    return true;
}

static bool compile(compiler *c)
{
    for (;;) {
        const char *found = memmem(c->source + c->at, c->len - c->at, c->opens, strlen(c->opens));
        if (!found)
            break;
        tag t = {.at = (size_t)(found - c->source)};
        if (++c->tags > TEMPLATE_TAGS_MAX)
            return template_fault_set(c->fault, c->source, t.at, "there are more than %d tags",
                                      TEMPLATE_TAGS_MAX);
        if (!read_tag(c, &t) || !handle(c, &t))
            return false;
    }
    const open_tag *open = innermost(c);
    if (open)
        return fail(c, open->at, "this section or block isn't closed");
    return add_text(c, c->at, c->len) && add_op(c, (op){.code = OP_END, .at = (uint32_t)c->len});
}

void template_unit_free(template_unit *t)
{
    if (!t)
        return;
    free(t->source);
    free(t->ops);
    free(t->names);
    free(t->arguments);
    free(t);
}

template_unit *template_compile(template_set *s, const template_slot *slot, template_kind kind,
                                const char *source, size_t len, template_fault *fault)
{
    if (len > TEMPLATE_SOURCE_MAX) {
        template_fault_set(fault, NULL, 0, "a template has %zu octets at most",
                           TEMPLATE_SOURCE_MAX);
        return NULL;
    }
    if (!utf8_valid(source, len)) {
        template_fault_set(fault, NULL, 0, "a template is UTF-8, and this is not");
        return NULL;
    }
    template_unit *u = calloc(1, sizeof *u);
    compiler c = {.set = s,
                  .unit = u,
                  .fault = fault,
                  .len = len,
                  .opens = "{{",
                  .closes = "}}",
                  .begins = true};
    if (!u || !(u->source = malloc(len + 1)))
        goto no_memory;
    if (len > 0)
        memcpy(u->source, source, len);
    u->source[len] = '\0';
    u->set = s;
    u->slot = slot;
    u->kind = kind;
    u->len = len;
    c.source = u->source;
    if (compile(&c))
        return u;
    template_unit_free(u);
    return NULL;
no_memory:
    template_unit_free(u);
    no_memory(&c);
    return NULL;
}
