#include "dialect/replace.h"

#include <stdlib.h>
#include <string.h>

#define STEP_OCTETS 64 /* of a tag, that are compared in one step */

typedef struct replacing {
    const replace_tag *tags;
    size_t from[257]; /* where those that begin with an octet begin; the last: their number */
    replace_budget *budget;
    buf *out;
    bool found, bound;
} replacing;

/* By the first octet, then the longest first; of one tag the value before the section. */
static int compare(const void *a, const void *b)
{
    const replace_tag *x = a, *y = b;
    unsigned char p = (unsigned char)x->tag.data[0], q = (unsigned char)y->tag.data[0];

    if (p != q)
        return p < q ? -1 : 1;
    if (x->tag.len != y->tag.len)
        return x->tag.len > y->tag.len ? -1 : 1;
    return (int)x->kind - (int)y->kind;
}

void replace_sort(replace_tag *tags, size_t count)
{
    if (count > 1)
        qsort(tags, count, sizeof *tags, compare);
}

static void index_tags(replacing *r, size_t count)
{
    size_t n = 0;
    for (size_t octet = 0; octet < 256; octet++) {
        r->from[octet] = n;
        while (n < count && (unsigned char)r->tags[n].tag.data[0] == octet)
            n++;
    }
    r->from[256] = n;
}

/* False, and the bound is reached, once there are no more. */
static bool step(replacing *r, size_t steps)
{
    r->bound = r->bound || r->budget->steps < steps;
    r->budget->steps -= r->bound ? 0 : steps;
    return !r->bound;
}

static const replace_tag *find(replacing *r, const char *s, size_t len, unsigned kinds)
{
    size_t octet = (unsigned char)*s;

    for (size_t i = r->from[octet]; i < r->from[octet + 1]; i++) {
        const replace_tag *t = &r->tags[i];
        if (!step(r, 1 + t->tag.len / STEP_OCTETS))
            break;
        if (((unsigned)t->kind & kinds) && t->tag.len <= len &&
            memcmp(t->tag.data, s, t->tag.len) == 0)
            return t;
    }
    return NULL;
}

static void add(replacing *r, const char *s, size_t len)
{
    if (len > r->budget->octets) {
        r->bound = true;
        return;
    }
    r->budget->octets -= len;
    buf_add(r->out, s, len);
}

/* What tags are looked for in: a text (both kinds), a value of the text (sections alone), a section
 * (values alone, which then stand as they are). So it goes three levels deep, and no deeper. */
static void expand(replacing *r, const mime_bytes *text, unsigned kinds, unsigned level)
{
    size_t from = 0, at = 0, end = kinds && step(r, text->len) ? text->len : 0;

    while (at < end && !r->bound && buf_ok(r->out)) {
        const replace_tag *t = find(r, text->data + at, end - at, kinds);
        if (!t) {
            at++;
            continue;
        }
        add(r, text->data + from, at - from);
        r->found = true;
        if (t->kind == REPLACE_SECTION)
            expand(r, &t->value, REPLACE_VALUE, 2);
        else
            expand(r, &t->value, level == 0 ? REPLACE_SECTION : 0, level + 1);
        from = at += t->tag.len;
    }
    if (r->found) /* else the text is as it was */
        add(r, text->data + from, text->len - from);
}

replace_result replace_text(const replace_tag *tags, size_t count, const mime_bytes *text,
                            replace_budget *budget, buf *out)
{
    replacing r = {.tags = tags, .budget = budget, .out = out};

    index_tags(&r, count);
    expand(&r, text, REPLACE_VALUE | REPLACE_SECTION, 0);
    if (r.bound)
        return REPLACE_BOUND;
    return r.found ? REPLACE_MADE : REPLACE_SAME;
}
