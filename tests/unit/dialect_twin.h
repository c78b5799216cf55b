/*
 * dialect_twin - a dialect's endpoints as whoever serves them calls them, without him: a body of
 * JSON goes in, drafts, faults and answers come out as JSON again, to be compared.
 */
#ifndef POSTERN_TESTS_UNIT_DIALECT_TWIN_H
#define POSTERN_TESTS_UNIT_DIALECT_TWIN_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dialect/dialect.h"

#define TWIN_NOW INT64_C(1790000000000000) /* microseconds */

typedef struct twin {
    const dialect_endpoint *endpoint;
    json_t *root;
    dialect_body body;
    dialect_plan plan;
} twin;

static inline const char *twin_header(void *ctx, const char *name)
{
    (void)ctx;
    (void)name;
    return NULL;
}

static inline bool twin_text(void *ctx, const json_t *string, mime_bytes *out)
{
    (void)ctx;
    *out = (mime_bytes){json_string_value(string), json_string_length(string)};
    return true;
}

static inline json_t *twin_json(const char *text)
{
    json_error_t error;
    json_t *value =
        json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!value) {
        fprintf(stderr, "%s: %s\n", error.text, text);
        abort();
    }
    return value;
}

/* Takes the body over. */
static inline twin twin_read(const dialect *d, const char *path, json_t *root)
{
    const dialect_endpoint *e = d->endpoints;
    while (strcmp(e->path, path) != 0)
        e++;
    twin t = {.endpoint = e,
              .root = root,
              .body = {.root = root,
                       .parameter = "",
                       .header = twin_header,
                       .text = twin_text,
                       .now_us = TWIN_NOW}};
    if (e->read)
        e->read(&t.body, &t.plan);
    return t;
}

static inline void twin_end(twin *t)
{
    dialect_plan_clear(&t->plan);
    json_decref(t->root);
}

/* "pointer code; pointer code": the body's faults, then those of each draft. To be freed. */
static inline char *twin_faults(const twin *t)
{
    buf out = BUF_INIT;
    for (size_t i = 0; i <= t->plan.count; i++) {
        const faults *f = i == 0 ? &t->plan.errors : &t->plan.drafts[i - 1].errors;
        for (size_t k = 0; k < f->count; k++)
            buf_addf(&out, "%s%s %s", out.len ? "; " : "", f->list[k].pointer, f->list[k].code);
    }
    return buf_take(&out);
}

/* The drafts, as an array; to be let go. */
static inline json_t *twin_drafts(const twin *t)
{
    json_t *list = json_array();
    for (size_t i = 0; i < t->plan.count; i++) {
        json_t *one = t->plan.drafts[i].message;
        if (json_array_append_new(list, one ? json_incref(one) : json_null()) != 0)
            abort();
    }
    return list;
}

/* "202 X-Message-Id: 01… {…}"; to be freed. */
static inline char *twin_answer(dialect_answer *a)
{
    buf out = BUF_INIT;
    buf_addf(&out, "%u", a->status);
    if (a->header)
        buf_addf(&out, " %s: %s", a->header, a->value);
    if (a->content_type)
        buf_addf(&out, " %s ", a->content_type);
    buf_add(&out, a->content.data, a->content.len);
    buf_free(&a->content);
    return buf_take(&out);
}

#endif
