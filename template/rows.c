#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "template/make.h"
#include "template/prepare.h"
#include "template/write.h"

#define STEP_MAX 80 /* octets of a member's name in a row's */

/* The way to a value, of names and indices; on the stack of the walk. */
typedef struct step {
    const struct step *outer;
    char text[STEP_MAX + 8];
} step;

typedef struct rows {
    maker *m;
    json_t *out;
} rows;

static bool walk(rows *r, const json_t *value, const step *at, size_t depth);

/* Not more than `most` octets of a text, and whole characters. */
static size_t cut(const char *text, size_t len, size_t most)
{
    if (len <= most)
        return len;
    while (most > 0 && ((unsigned char)text[most] & 0xC0) == 0x80)
        most--;
    return most;
}

static void add_path(buf *b, const step *at)
{
    if (!at)
        return;
    add_path(b, at->outer);
    if (b->len > 0 && at->text[0] != '[')
        buf_addc(b, '.');
    buf_adds(b, at->text);
}

static json_t *path_of(maker *m, const step *at)
{
    buf b = BUF_INIT;
    add_path(&b, at);
    json_t *out = buf_ok(&b) ? maker_string(m, b.data ? b.data : "", b.len) : NULL;
    if (!buf_ok(&b))
        m->failed = true;
    buf_free(&b);
    return out;
}

static json_t *value_text(maker *m, const json_t *value)
{
    writer w;
    buf b = BUF_INIT;
    template_options plain = {0};
    if (json_is_string(value) && json_string_length(value) > PREPARE_ROW_MAX) {
        const char *s = json_string_value(value);
        buf_add(&b, s, cut(s, json_string_length(value), PREPARE_ROW_MAX));
        buf_adds(&b, "…");
    } else {
        w = (writer){.out = &b, .left = SIZE_MAX / 4, .steps = SIZE_MAX / 4, .options = &plain};
        if (!writer_value(&w, value, true))
            b.failed = true;
    }
    json_t *out = buf_ok(&b) ? maker_string(m, b.data ? b.data : "", b.len) : NULL;
    if (!buf_ok(&b))
        m->failed = true;
    buf_free(&b);
    return out;
}

/* A row; `value` is owned, NULL: there is none to be had. */
static bool add_row(rows *r, const step *at, json_t *value, size_t depth, bool group)
{
    maker *m = r->m;
    static const char blanks[] = "                "; /* two for each level */
    json_t *row = value ? maker_made(m, json_object()) : NULL;
    if (!row) {
        json_decref(value);
        return false;
    }
    bool done = maker_put(m, row, "value", value) && maker_put(m, row, "name", path_of(m, at)) &&
                maker_put(m, row, "label", maker_string(m, at->text, strlen(at->text))) &&
                maker_put(m, row, "depth", maker_made(m, json_integer((json_int_t)depth))) &&
                maker_put(m, row, "px", maker_made(m, json_integer(16 * (json_int_t)depth))) &&
                maker_put(m, row, "indent", maker_string(m, blanks, 2 * depth)) &&
                maker_put(m, row, "group", maker_made(m, json_boolean(group)));
    if (!done) {
        json_decref(row);
        return false;
    }
    return maker_append(m, r->out, row);
}

/* One value of the whole, its row and those of what is in it. */
static bool add(rows *r, const json_t *value, const step *at, size_t depth)
{
    bool empty = json_is_object(value)  ? json_object_size(value) == 0
                 : json_is_array(value) ? json_array_size(value) == 0
                                        : true;
    if (json_array_size(r->out) >= PREPARE_ROWS) {
        step more = {.text = "…"};
        if (json_array_size(r->out) == PREPARE_ROWS) /* once */
            return add_row(r, &more, maker_string(r->m, "…", strlen("…")), 0, false);
        return true;
    }
    if (empty)
        return add_row(r, at, value_text(r->m, value), depth, false);
    if (depth == PREPARE_ROW_DEPTH)
        return add_row(r, at, maker_string(r->m, "…", strlen("…")), depth, false);
    return add_row(r, at, maker_string(r->m, "", 0), depth, true) && walk(r, value, at, depth + 1);
}

static bool walk(rows *r, const json_t *value, const step *at, size_t depth)
{
    const char *name;
    size_t i, len;
    json_t *inner;
    step next = {.outer = at};
    json_object_keylen_foreach((json_t *)value, name, len, inner)
    {
        size_t n = cut(name, len, STEP_MAX);
        (void)snprintf(next.text, sizeof next.text, "%.*s%s", (int)n, name, n < len ? "…" : "");
        if (!add(r, inner, &next, depth) || json_array_size(r->out) > PREPARE_ROWS)
            return !maker_stopped(r->m);
    }
    json_array_foreach(value, i, inner)
    {
        (void)snprintf(next.text, sizeof next.text, "[%zu]", i);
        if (!add(r, inner, &next, depth) || json_array_size(r->out) > PREPARE_ROWS)
            return !maker_stopped(r->m);
    }
    return true;
}

json_t *make_rows(maker *m, const json_t *value)
{
    rows r = {m, maker_made(m, json_array())};
    if (!r.out)
        return NULL;
    step at = {.text = "value"};
    bool done = json_is_object(value) || json_is_array(value) ? walk(&r, value, NULL, 0)
                                                              : add(&r, value, &at, 0);
    if (done && !maker_stopped(m))
        return r.out;
    json_decref(r.out);
    return NULL;
}
