#include "service/request_own.h"

#include <string.h>

void request_read_template(request_reader *r, const char *pointer, const json_t *value)
{
    mime_bytes name;
    if (request_string(r, pointer, value, &name))
        r->parts->template = name.data;
}

void request_read_data(request_reader *r, const char *pointer, const json_t *value)
{
    if (json_is_object(value))
        r->parts->data = value;
    else
        request_wrong_type(r, pointer, "an object", value);
}

/* Members that have no place beside a template. */
static const struct {
    const char *name, *pointer;
} beside[] = {{"html", "/html"}, {"text", "/text"}};

/* What it became, as if it had been given so. A subject that was given wins. */
static void take_rendered(request_reader *r, const char *pointer)
{
    struct request_parts *p = r->parts;
    const templates_result *made = &p->rendered;
    const mime_bytes subject = {made->subject.data, made->subject.len};

    if (made->has_html)
        p->html = (mime_bytes){made->html.data, made->html.len};
    if (made->has_text)
        p->text = (mime_bytes){made->text.data, made->text.len};
    if (p->subject_given)
        return;
    const char *reason = request_subject_fault(&subject);
    if (reason)
        faults_add(r->errors, pointer, "template",
                   "The subject that this template makes of the data is not valid: %s.", reason);
    else
        p->subject = subject;
}

/* A mail of a list can show how to leave it. */
static templates_outcome render(const request_reader *r, buf *detail)
{
    struct request_parts *p = r->parts;
    const request *q = r->request;
    json_t *more = q->unsubscribe_url ? request_list_data(q, p->data) : NULL;
    templates_outcome outcome = TEMPLATES_NOMEM;

    if (more || !q->unsubscribe_url)
        outcome = templates_render(r->templates, p->template, q->document, more ? more : p->data,
                                   &p->rendered, detail);
    json_decref(more);
    return outcome;
}

void request_render_as(request_reader *r, const char *pointer, const char *data_pointer)
{
    struct request_parts *p = r->parts;
    buf detail = BUF_INIT;
    templates_outcome outcome = r->templates ? render(r, &detail) : TEMPLATES_UNKNOWN;

    if (outcome == TEMPLATES_UNKNOWN && r->templates)
        templates_suggest(r->templates, p->template, &detail);
    const char *why = buf_cstr(&detail);
    if (outcome == TEMPLATES_NOMEM || !why)
        r->nomem = true;
    else if (outcome == TEMPLATES_UNKNOWN)
        faults_add(r->errors, "/template", "template", "%s",
                   *why ? why : "No template has this name.");
    else if (outcome == TEMPLATES_BOUND)
        faults_add(r->errors, data_pointer, "template_bound", "%s", why);
    else
        take_rendered(r, pointer);
    buf_free(&detail);
}

bool request_check_template(request_reader *r, const json_t *root)
{
    if (!request_is_given(root, "template")) {
        faults_add(r->errors, "/data", "template", "Data are a template's, and none is named.");
        return false;
    }
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
        if (request_is_given(root, beside[i].name))
            faults_add(r->errors, beside[i].pointer, "template",
                       "The template makes it: both together have no meaning.");
    }
    r->parts->subject_given = request_is_given(root, "subject");
    return r->parts->template != NULL;
}
