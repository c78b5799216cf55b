/* Any JSON as a body of SendGrid's: it becomes drafts that are JSON, each without a fault, or
 * faults at places that are; and a place of a draft is one of the body. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/dialect_twin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_faults(const faults *f)
{
    for (size_t i = 0; i < f->count; i++) {
        require(f->list[i].detail[0] != '\0');
        require(f->list[i].pointer[0] == '\0' || f->list[i].pointer[0] == '/');
    }
}

/* A draft is an object that JSON can write. */
static void check_draft(const dialect_draft *d)
{
    check_faults(&d->errors);
    require((d->message == NULL) == (d->errors.total > 0));
    if (!d->message)
        return;
    char *text = json_dumps(d->message, JSON_COMPACT);
    require(json_is_object(d->message) && text);
    json_t *again = json_loads(text, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    require(json_equal(again, d->message));
    json_decref(again);
    free(text);
    require(json_array_size(json_object_get(d->message, "to")) > 0);
    require(!json_object_get(d->message, "template") || !json_object_get(d->message, "text"));
}

static void check_origins(const twin *t, const json_t *draft, size_t i)
{
    static const char *const rests[] = {"", "/0", "/0/email", "/X-A", "/0/content_type", "/x/"};
    const char *name;
    json_t *value;
    char pointer[FAULTS_POINTER_MAX], out[FAULTS_POINTER_MAX];

    json_object_foreach((json_t *)draft, name, value)
    {
        for (size_t k = 0; k < sizeof rests / sizeof *rests; k++) {
            (void)snprintf(pointer, sizeof pointer, "/%s%s", name, rests[k]);
            memset(out, 'x', sizeof out);
            t->endpoint->origin(&t->body, i, pointer, out);
            require(out[0] == '/' && memchr(out, '\0', sizeof out));
        }
    }
}

static void check_answer(const twin *t)
{
    const dialect_refusal r = {.status = 422,
                               .reason = "invalid",
                               .detail = "It is not valid.",
                               .errors = &t->plan.errors};
    dialect_answer a = {.content = BUF_INIT};
    dialect_sendgrid.refused(&r, &a);
    json_t *root = json_loadb(a.content.data, a.content.len, 0, NULL);
    require(a.status == 400 && json_array_size(json_object_get(root, "errors")) > 0);
    json_decref(root);
    buf_free(&a.content);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *root =
        json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    if (!root)
        return 0;
    twin t = twin_read(&dialect_sendgrid, "/v3/mail/send", root);
    require(!t.plan.nomem && t.plan.count <= DIALECT_DRAFTS);
    check_faults(&t.plan.errors);
    require(t.plan.count > 0 || t.plan.errors.total > 0);
    for (size_t i = 0; i < t.plan.count; i++) {
        check_draft(&t.plan.drafts[i]);
        check_origins(&t, t.plan.drafts[i].message, i);
    }
    check_answer(&t);
    twin_end(&t);
    return 0;
}
