/*
 * dialect_given - a provider's body, as a test has it, and what a dialect makes of it.
 */
#ifndef POSTERN_TESTS_UNIT_DIALECT_GIVEN_H
#define POSTERN_TESTS_UNIT_DIALECT_GIVEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "dialect/dialect.h"

#define GIVEN_NOW INT64_C(1790000000123456) /* 2026-09-21T14:13:20.123456Z */

typedef struct given {
    json_t *root;
    const char *header, *value; /* the only one of the request */
    dialect_body body;
    const dialect_endpoint *endpoint;
    dialect_plan plan;
    dialect_answer answer;
} given;

static inline const char *given_header(void *ctx, const char *name)
{
    const given *g = ctx;
    return g->header && strcasecmp(g->header, name) == 0 ? g->value : NULL;
}

/* A string that stands elsewhere is "\0lifted", as a document's references are; one of base64 is
 * "\0base64". */
#define GIVEN_LIFTED "one@postern.test, two@postern.test"

static bool given_text(void *ctx, const json_t *string, mime_bytes *out)
{
    const char *s = json_string_value(string);
    size_t len = json_string_length(string);

    (void)ctx;
    *out = (mime_bytes){s, len};
    if (len > 1 && s[0] == '\0')
        *out = (mime_bytes){GIVEN_LIFTED, sizeof GIVEN_LIFTED - 1};
    return !(len == 7 && memcmp(s, "\0base64", 7) == 0);
}

static json_t *given_json(const char *text)
{
    json_error_t error;
    json_t *root = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!root)
        fail_msg("%s: %s", error.text, text);
    return root;
}

static inline const dialect_endpoint *given_endpoint(const dialect *d, const char *method,
                                                     const char *path)
{
    for (const dialect_endpoint *e = d->endpoints; e->path; e++) {
        if (strcmp(e->path, path) == 0 && strcmp(e->method, method) == 0)
            return e;
    }
    fail_msg("there is no %s %s", method, path);
    return NULL;
}

/* Reads a body, which it takes over, with "Name: value" of a header, or NULL. */
static inline given *given_tree(const dialect *d, const char *method, const char *path,
                                const char *header, const char *value, json_t *root)
{
    given *g = calloc(1, sizeof *g);
    assert_non_null(g);
    g->root = root;
    g->header = header;
    g->value = value;
    g->body = (dialect_body){.root = g->root,
                             .parameter = "",
                             .header = given_header,
                             .text = given_text,
                             .ctx = g,
                             .now_us = GIVEN_NOW};
    g->endpoint = given_endpoint(d, method, path);
    if (g->endpoint->read)
        g->endpoint->read(&g->body, &g->plan);
    return g;
}

/* The same of its text. */
static inline given *given_body(const dialect *d, const char *method, const char *path,
                                const char *header, const char *value, const char *text)
{
    given *g = given_tree(d, method, path, header, value, given_json(text));
    assert_false(g->plan.nomem);
    return g;
}

static inline void given_free(given *g)
{
    dialect_plan_clear(&g->plan);
    buf_free(&g->answer.content);
    json_decref(g->root);
    free(g);
}

/* "/to wrong_type; /cc address" */
static inline void given_say_faults(buf *out, const faults *f)
{
    for (size_t i = 0; i < f->count; i++)
        buf_addf(out, "%s%s %s", out->len ? "; " : "", f->list[i].pointer, f->list[i].code);
}

/* All of them: the body's, then those of each draft. To be freed. */
static inline char *given_faults(const given *g)
{
    buf out = BUF_INIT;
    given_say_faults(&out, &g->plan.errors);
    for (size_t i = 0; i < g->plan.count; i++)
        given_say_faults(&out, &g->plan.drafts[i].errors);
    return buf_take(&out);
}

/* The drafts, as an array; to be let go. */
static inline json_t *given_drafts(const given *g)
{
    json_t *list = json_array();
    for (size_t i = 0; i < g->plan.count; i++) {
        json_t *one = g->plan.drafts[i].message;
        assert_int_equal(json_array_append_new(list, one ? json_incref(one) : json_null()), 0);
    }
    return list;
}

/* "202 X-Message-Id: 01… {…}"; to be freed. */
static inline char *given_answer(dialect_answer *a)
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

/* The i-th draft is this, written with ' for ". */
static inline void given_is_draft(const given *g, size_t i, const char *expected)
{
    char *text = strdup(expected);
    buf faulty = BUF_INIT;

    for (char *c = text; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    json_t *wanted = given_json(text);
    assert_true(i < g->plan.count);
    given_say_faults(&faulty, &g->plan.errors);
    given_say_faults(&faulty, &g->plan.drafts[i].errors);
    if (!g->plan.drafts[i].message)
        fail_msg("no draft %zu: %s", i, buf_cstr(&faulty));
    char *got = json_dumps(g->plan.drafts[i].message, JSON_SORT_KEYS);
    if (!json_equal(wanted, g->plan.drafts[i].message))
        fail_msg("%s\n  is not %s", got, text);
    free(got);
    json_decref(wanted);
    buf_free(&faulty);
    free(text);
}

/* There is none, for these faults. */
static inline void given_has_faults(const given *g, size_t i, const char *expected)
{
    buf found = BUF_INIT;

    given_say_faults(&found, &g->plan.errors);
    if (g->plan.count > 0) {
        assert_true(i < g->plan.count);
        assert_null(g->plan.drafts[i].message);
        given_say_faults(&found, &g->plan.drafts[i].errors);
    }
    assert_string_equal(buf_cstr(&found), expected);
    buf_free(&found);
}

static inline void given_stands_at(const given *g, size_t i, const char *pointer,
                                   const char *expected)
{
    char out[FAULTS_POINTER_MAX] = "";
    g->endpoint->origin(&g->body, i, pointer, out);
    assert_string_equal(out, expected);
}

/* The answer is this JSON, written with ' for ". */
static inline void given_is_answer(dialect_answer *a, unsigned status, const char *expected)
{
    char *text = strdup(expected);
    for (char *c = text; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    assert_true(buf_ok(&a->content));
    assert_string_equal(a->content_type, "application/json");
    json_t *wanted = given_json(text), *got = given_json(buf_cstr(&a->content));
    if (!json_equal(wanted, got))
        fail_msg("%s\n  is not %s", buf_cstr(&a->content), text);
    assert_int_equal(a->status, status);
    json_decref(wanted);
    json_decref(got);
    buf_free(&a->content);
    free(text);
}

#endif
