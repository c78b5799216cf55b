/*
 * previews - the routes /v1/templates and /v1/templates/{name}/render: which templates there are,
 * and what one makes of data, without a mail.
 */
#include <string.h>

#include "base/jsonw.h"
#include "service/routes.h"
#include "service/templates.h"

/* ---- which there are ---- */

static void write_about(jsonw *w, const char *name, const templates_about *about)
{
    jsonw_object(w);
    jsonw_key(w, "name");
    jsonw_str(w, name);
    jsonw_key(w, "source");
    jsonw_str(w, about->built_in ? "built-in" : "folder");
    jsonw_key(w, "parts");
    jsonw_array(w);
    jsonw_str(w, "subject");
    if (about->html)
        jsonw_str(w, "html");
    if (about->text)
        jsonw_str(w, "text");
    jsonw_array_end(w);
    jsonw_key(w, "sample");
    jsonw_bool(w, about->sample != NULL);
    jsonw_object_end(w);
}

static void write_list(const templates *t, buf *out)
{
    const char *const *names = templates_names(t);
    templates_about about;
    jsonw w;

    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_key(&w, "templates");
    jsonw_array(&w);
    for (; names && *names; names++) {
        if (templates_find(t, *names, &about))
            write_about(&w, *names, &about);
    }
    jsonw_array_end(&w);
    jsonw_object_end(&w);
    buf_addc(out, '\n');
    out->failed = out->failed || !names;
}

void previews_list(app *a, http_exchange *x)
{
    buf content = BUF_INIT;
    templates *t = templates_now(a->templates);
    write_list(t, &content);
    templates_drop(t);
    if (buf_ok(&content)) {
        http_answer(x, 200, "application/json", 0, &content);
        return;
    }
    buf_free(&content);
    http_problem(x, PROBLEM_MEMORY, "The templates could not be listed.", NULL);
}

/* ---- what one makes of data ---- */

/* The body's data; NULL: there are none, or a fault. */
static const json_t *read_data(const json_t *root, faults *errors)
{
    const json_t *data = NULL;
    const char *key;
    json_t *value;

    if (!json_is_object(root)) {
        faults_add(errors, "", "wrong_type", "Must be an object.");
        return NULL;
    }
    json_object_foreach((json_t *)root, key, value)
    {
        if (strcmp(key, "data") != 0)
            faults_unknown(errors, "", key);
        else if (json_is_object(value))
            data = value;
        else if (!json_is_null(value))
            faults_add(errors, "/data", "wrong_type", "Must be an object.");
    }
    return data;
}

static void write_part(jsonw *w, const char *name, bool there, const buf *part)
{
    jsonw_key(w, name);
    if (there)
        jsonw_strn(w, part->data, part->len);
    else
        jsonw_null(w);
}

static void answer(http_exchange *x, const char *name, const templates_result *r)
{
    buf content = BUF_INIT;
    jsonw w;

    jsonw_init(&w, &content);
    jsonw_object(&w);
    jsonw_key(&w, "template");
    jsonw_str(&w, name);
    write_part(&w, "subject", true, &r->subject);
    write_part(&w, "html", r->has_html, &r->html);
    write_part(&w, "text", r->has_text, &r->text);
    jsonw_object_end(&w);
    buf_addc(&content, '\n');
    if (buf_ok(&content)) {
        http_answer(x, 200, "application/json", 0, &content);
        return;
    }
    buf_free(&content);
    http_problem(x, PROBLEM_MEMORY, "The preview could not be kept.", NULL);
}

static void invalid(http_exchange *x, const faults *errors)
{
    http_problem(x, PROBLEM_INVALID, "Each of the errors names a member and what is wrong with it.",
                 errors);
}

static void render(const templates *t, http_exchange *x, document *d, const json_t *data)
{
    const char *name = http_parameter(x);
    templates_result result = {0};
    buf detail = BUF_INIT;
    faults errors;

    faults_init(&errors);
    templates_outcome outcome =
        templates_render(t, name, d, data ? data : templates_sample(t, name), &result, &detail);
    if (outcome == TEMPLATES_UNKNOWN)
        templates_suggest(t, name, &detail);
    const char *why = buf_cstr(&detail);
    if (outcome == TEMPLATES_BOUND && why)
        faults_add(&errors, "/data", "template_bound", "%s", why);
    if (outcome == TEMPLATES_OK)
        answer(x, name, &result);
    else if (outcome == TEMPLATES_NOMEM || !why || errors.failed)
        http_problem(x, PROBLEM_MEMORY, "The preview could not be kept.", NULL);
    else if (outcome == TEMPLATES_UNKNOWN)
        http_problem(x, PROBLEM_NOT_FOUND, why, NULL);
    else
        invalid(x, &errors);
    faults_free(&errors);
    buf_free(&detail);
    templates_result_clear(&result);
}

void previews_render(app *a, http_exchange *x)
{
    document *d = NULL;
    const json_t *data = NULL;
    faults errors;

    faults_init(&errors);
    if (http_received(x) > 0) {
        d = http_exchange_document(x);
        if (!d)
            goto cleanup;
        data = read_data(document_root(d), &errors);
    }
    if (errors.total > 0) {
        invalid(x, &errors);
    } else {
        templates *t = templates_now(a->templates);
        render(t, x, data ? d : NULL, data);
        templates_drop(t);
    }

cleanup:
    faults_free(&errors);
    document_free(d);
}
