/* Any form as a body of Mailgun's: it becomes drafts that are JSON, each without a fault, or faults
 * at places that are; and a place of a draft is one of the body. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dialect/dialect.h"
#include "service/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static const char *no_header(void *ctx, const char *name)
{
    (void)ctx;
    (void)name;
    return NULL;
}

static bool find_text(void *ctx, const json_t *string, mime_bytes *out)
{
    document_string found;
    if (!document_lifted(ctx, string, &found)) {
        *out = (mime_bytes){json_string_value(string), json_string_length(string)};
        return true;
    }
    *out = found.text;
    return !found.is_base64;
}

static void check_faults(const faults *f)
{
    for (size_t i = 0; i < f->count; i++) {
        require(f->list[i].detail[0] != '\0');
        require(f->list[i].pointer[0] == '\0' || f->list[i].pointer[0] == '/');
    }
}

/* A string that stands for a text of the body is one that the form made, and no other. */
static void check_strings(document *d, const json_t *value)
{
    document_string found;
    const char *name;
    json_t *member;
    size_t i;

    if (json_is_string(value) && json_string_length(value) && !*json_string_value(value))
        require(document_lifted(d, value, &found));
    json_object_foreach((json_t *)value, name, member) check_strings(d, member);
    json_array_foreach(value, i, member) check_strings(d, member);
}

static void check_draft(document *d, const dialect_draft *draft)
{
    check_faults(&draft->errors);
    require((draft->message == NULL) == (draft->errors.total > 0));
    if (!draft->message)
        return;
    char *text = json_dumps(draft->message, JSON_COMPACT);
    require(json_is_object(draft->message) && text);
    free(text);
    require(json_array_size(json_object_get(draft->message, "to")) > 0);
    check_strings(d, draft->message);
}

static void check_origins(const dialect_endpoint *e, const dialect_body *body, const json_t *draft,
                          size_t i)
{
    static const char *const rests[] = {"", "/0", "/0/email", "/X-A", "/7/content_type", "/x/"};
    const char *name;
    json_t *value;
    char pointer[FAULTS_POINTER_MAX], out[FAULTS_POINTER_MAX];

    json_object_foreach((json_t *)draft, name, value)
    {
        for (size_t k = 0; k < sizeof rests / sizeof *rests; k++) {
            (void)snprintf(pointer, sizeof pointer, "/%s%s", name, rests[k]);
            memset(out, 'x', sizeof out);
            e->origin(body, i, pointer, out);
            require(out[0] == '/' && memchr(out, '\0', sizeof out));
        }
    }
}

static void check_answer(const dialect_plan *p)
{
    const dialect_refusal r = {
        .status = 422, .reason = "invalid", .detail = "It is not valid.", .errors = &p->errors};
    dialect_answer a = {.content = BUF_INIT};
    dialect_mailgun.refused(&r, &a);
    json_t *root = json_loadb(a.content.data, a.content.len, 0, NULL);
    require(a.status == 400 || a.status == 404);
    require(json_string_length(json_object_get(root, "message")) > 0);
    json_decref(root);
    buf_free(&a.content);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const document_options options = {.lift_at = 40, .share = 65536};
    const char *reason;
    document_result result;
    buf detail = BUF_INIT;

    if (size < 1)
        return 0;
    form_reader *f = form_create(&options,
                                 data[0] & 1 ? "application/x-www-form-urlencoded"
                                             : "multipart/form-data; boundary=b",
                                 &reason);
    require(f != NULL);
    form_add(f, (const char *)data + 1, size - 1);
    document *d = form_finish(f, &result, &detail);
    form_free(f);
    buf_free(&detail);
    if (!d)
        return 0;
    const dialect_endpoint *e = &dialect_mailgun.endpoints[data[0] >> 1 & 1];
    const dialect_body body = {.root = document_root(d),
                               .parameter = "x.test",
                               .header = no_header,
                               .text = find_text,
                               .ctx = d};
    dialect_plan plan = {0};
    document_enter(d); /* as who serves does */
    e->read(&body, &plan);
    require(document_leave(d));
    require(!plan.nomem && plan.count <= DIALECT_DRAFTS);
    require(plan.count > 0 || plan.errors.total > 0);
    check_faults(&plan.errors);
    for (size_t i = 0; i < plan.count; i++) {
        check_draft(d, &plan.drafts[i]);
        check_origins(e, &body, plan.drafts[i].message, i);
    }
    check_answer(&plan);
    document_enter(d);
    dialect_plan_clear(&plan);
    require(document_leave(d));
    document_free(d);
    return 0;
}
