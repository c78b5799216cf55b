/*
 * What every fuzz target of a dialect does: whatever a body is, each of its drafts is a message or
 * has faults, which stand somewhere in it; a draft that is a valid message is composed, and keeps
 * the promises of the wire; and all answers are JSON.
 */
#ifndef POSTERN_TESTS_FUZZ_DIALECT_H
#define POSTERN_TESTS_FUZZ_DIALECT_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "dialect/dialect.h"
#include "service/config.h"
#include "service/document.h"
#include "service/request.h"

#define DIALECT_ID    "01KQXW3V9M4T5Y8ZC2B7D6F1GH"
#define GIVEN_SECONDS 1790000000

static void require(bool holds)
{
    if (!holds)
        abort();
}

static const char *fuzz_header(void *ctx, const char *name)
{
    (void)name;
    return ctx;
}

static bool fuzz_text(void *ctx, const json_t *string, mime_bytes *out)
{
    (void)ctx;
    *out = (mime_bytes){json_string_value(string), json_string_length(string)};
    return true;
}

static void check_wire(const request *r)
{
    mime_reader *reader = mime_reader_create(r->message);
    char chunk[777], last = 0;
    size_t n;

    require(reader != NULL);
    for (size_t i = 0; i < r->recipient_count; i++)
        require(!strpbrk(r->recipients[i], "\r\n"));
    while ((n = mime_reader_read(reader, chunk, sizeof chunk)) > 0) {
        for (size_t i = 0; i < n; i++) {
            require(chunk[i] != '\0');
            require((chunk[i] == '\n') == (last == '\r'));
            last = chunk[i];
        }
    }
    mime_reader_free(reader);
}

/* What the service makes of a draft. */
static void check_draft(const config *c, json_t *message, faults *errors)
{
    request *r = NULL;
    document *d = document_wrap(json_incref(message));

    require(d != NULL);
    request_result result =
        request_create_queued(c, NULL, d, DIALECT_ID, GIVEN_SECONDS, &r, errors);
    require(result != REQUEST_NOMEM);
    require((result == REQUEST_OK) == (errors->total == 0));
    if (r)
        check_wire(r);
    request_free(r);
}

static void check_answer(dialect_answer *a)
{
    require(a->status >= 200 && a->status < 600);
    require(buf_ok(&a->content));
    json_t *root = json_loadb(a->content.data, a->content.len, JSON_ALLOW_NUL, NULL);
    require(root != NULL);
    json_decref(root);
    buf_free(&a->content);
    *a = (dialect_answer){.content = BUF_INIT};
}

/* Of no draft's: the dialect's own words for it. */
static void refuse_all(const dialect *d, const faults *errors)
{
    static const char *const reasons[] = {"invalid", "suppressed", "refused", "bad-json"};
    dialect_answer a = {.content = BUF_INIT};

    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        const dialect_refusal r = {
            .status = 422, .reason = reasons[i], .detail = "Why.", .errors = errors};
        d->refused(&r, &a);
        check_answer(&a);
    }
}

/* Faults of the dialect's stand in the body; those of who reads the draft are told so. */
static void check_mail(const config *c, const dialect *d, const dialect_endpoint *e,
                       const dialect_body *body, const dialect_plan *plan, size_t i,
                       dialect_sent *sent, dialect_refusal *refusal)
{
    const dialect_draft *draft = &plan->drafts[i];
    char pointer[FAULTS_POINTER_MAX];
    faults errors;

    faults_init(&errors);
    require((draft->message != NULL) == (draft->errors.total == 0));
    require(!draft->message || json_is_object(draft->message));
    if (draft->message && e->action == DIALECT_SEND)
        check_draft(c, draft->message, &errors);
    for (size_t k = 0; k < errors.count; k++) {
        memset(pointer, 'x', sizeof pointer);
        e->origin(body, i, errors.list[k].pointer, pointer);
        require(memchr(pointer, '\0', sizeof pointer) != NULL);
    }
    *refusal = (dialect_refusal){
        .status = 422, .reason = "invalid", .detail = "Why.", .errors = &draft->errors};
    *sent = (dialect_sent){.message = draft->message};
    if (draft->message)
        sent->id = DIALECT_ID;
    else
        sent->refusal = refusal;
    if (i == 0)
        refuse_all(d, draft->message ? &errors : &draft->errors);
    faults_free(&errors);
}

static void check_plan(const config *c, const dialect *d, const dialect_endpoint *e,
                       const dialect_body *body, const dialect_plan *plan)
{
    dialect_sent sent[DIALECT_DRAFTS];
    dialect_refusal refusals[DIALECT_DRAFTS];
    dialect_answer a = {.content = BUF_INIT};

    require(!plan->nomem && plan->count <= DIALECT_DRAFTS);
    require(plan->count > 0 || plan->errors.total > 0);
    refuse_all(d, &plan->errors);
    for (size_t i = 0; i < plan->count; i++)
        check_mail(c, d, e, body, plan, i, &sent[i], &refusals[i]);
    if (plan->count == 0 || !e->accepted)
        return;
    e->accepted(body, sent, plan->count, plan->dry, &a);
    check_answer(&a);
}

static void show(const dialect_endpoint *e, const json_t *root)
{
    dialect_answer a = {.content = BUF_INIT};

    if (!json_is_object(root))
        return;
    e->show(root, &a);
    check_answer(&a);
}

/* The last byte says which endpoint, and what the request's header is. */
static void fuzz_dialect(const dialect *d, const char *header, const uint8_t *data, size_t size)
{
    static const char *const environment[] = {"POSTERN_RELAY=smtp://127.0.0.1:25?tls=none", NULL};
    static config *c; /* made once: a fuzz target has no end to free it at */
    buf detail = BUF_INIT;
    size_t count = 0;

    if (!c)
        c = config_load(environment, &detail);
    require(c != NULL);
    while (d->endpoints[count].path)
        count++;
    if (size == 0)
        return;
    const dialect_endpoint *e = &d->endpoints[(data[size - 1] & 0x7F) % count];
    json_t *root = json_loadb((const char *)data, size - 1,
                              JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
    if (root) {
        const dialect_body body = {.root = root,
                                   .parameter = "",
                                   .header = fuzz_header,
                                   .text = fuzz_text,
                                   .ctx = data[size - 1] & 0x80 ? (void *)header : NULL,
                                   .now_us = GIVEN_SECONDS * INT64_C(1000000)};
        dialect_plan plan = {0};
        if (e->read) {
            e->read(&body, &plan);
            check_plan(c, d, e, &body, &plan);
        }
        if (e->show)
            show(e, root);
        dialect_plan_clear(&plan);
    }
    json_decref(root);
    buf_free(&detail);
}

#endif
