#include "service/request_own.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mime/header.h"

#define HEADERS_MAX 200
#define SUBJECT_MAX 10000

/* ---- pieces that readers share ---- */

void request_wrong_type(request_reader *r, const char *pointer, const char *expected,
                        const json_t *value)
{
    faults_wrong_type(r->errors, pointer, expected, value);
}

/* A string, wherever the document keeps it; false, and a fault, for anything else, and for one that
 * holds NUL. */
bool request_find_string(request_reader *r, const char *pointer, const json_t *value,
                         document_string *out)
{
    if (!json_is_string(value)) {
        request_wrong_type(r, pointer, "a string", value);
        return false;
    }
    if (!document_lifted(r->request->document, value, out)) {
        const char *s = json_string_value(value);
        size_t len = json_string_length(value);
        const char *nul = memchr(s, '\0', len);
        *out = (document_string){.text = {s, len}, .has_nul = nul != NULL};
        out->nul_at = nul ? (size_t)(nul - s) : 0;
    }
    if (out->has_nul)
        faults_add_at(r->errors, pointer, "nul", out->nul_at, "Must not hold a NUL character.");
    return !out->has_nul;
}

bool request_string(request_reader *r, const char *pointer, const json_t *value, mime_bytes *out)
{
    document_string found;
    if (!request_find_string(r, pointer, value, &found))
        return false;
    *out = found.text;
    return true;
}

/* An array's or single value's number of items. */
size_t request_item_count(const json_t *value)
{
    return json_is_array(value) ? json_array_size(value) : 1;
}

bool request_is_given(const json_t *root, const char *name)
{
    const json_t *value = json_object_get(root, name);
    return value && !json_is_null(value);
}

/* ---- texts ---- */

const char *request_subject_fault(const mime_bytes *text)
{
    const char *reason = mime_header_check_value("Subject", text->data, text->len);
    return !reason && text->len > SUBJECT_MAX ? "it has more than 10000 bytes" : reason;
}

void request_read_subject(request_reader *r, const char *pointer, const json_t *value)
{
    mime_bytes text;
    if (!request_string(r, pointer, value, &text))
        return;
    const char *reason = mime_header_check_value("Subject", text.data, text.len);
    if (reason)
        faults_add(r->errors, pointer, "header_value", "Not a valid subject: %s.", reason);
    else if (text.len > SUBJECT_MAX)
        faults_add(r->errors, pointer, "too_long", "A subject has at most %d bytes.", SUBJECT_MAX);
    else
        r->parts->subject = text;
}

void request_read_html(request_reader *r, const char *pointer, const json_t *value)
{
    (void)request_string(r, pointer, value, &r->parts->html);
}

void request_read_text(request_reader *r, const char *pointer, const json_t *value)
{
    (void)request_string(r, pointer, value, &r->parts->text);
}

/* ---- a message that comes whole ---- */

/* What the source reads stands among the parts, which the message's readers don't outlive. */
void request_read_mime(request_reader *r, const char *pointer, const json_t *value)
{
    struct request_parts *p = r->parts;
    char fault[RAW_FAULT];
    document_string found;

    p->whole = true;
    if (r->config->lint_enforced)
        faults_add(r->errors, pointer, "lint",
                   "A message that comes whole is not looked at by the lint, which "
                   "POSTERN_LINT=enforce demands: send its parts instead.");
    if (!request_find_string(r, pointer, value, &found))
        return;
    mime_stored source = {.data = found.text.data, .len = found.text.len};
    if (found.is_base64 && found.info.fault) {
        faults_add_at(r->errors, pointer, "base64", found.info.fault_offset, "Not valid base64.");
        return;
    }
    if (found.is_base64) {
        p->whole_base64 = found.wrapped;
        source = mime_raw_octets(&p->whole_base64, found.info.octets);
    }
    if (mime_raw_read(&source, &p->raw, fault))
        return;
    if (fault[0])
        faults_add(r->errors, pointer, "mime", "The message can't be sent: %s.", fault);
    else
        r->nomem = true;
}

/* ---- headers ---- */

/* Programs that speak to providers name their mails themselves. */
static void read_message_id(request_reader *r, const char *pointer, const json_t *value)
{
    mime_bytes text;
    if (!request_string(r, pointer, value, &text))
        return;
    if (r->parts->message_id.data) { /* as "Message-ID" and "message-id" */
        faults_add(r->errors, pointer, "duplicate", "A message has one Message-ID.");
        return;
    }
    const char *reason = mime_header_check_message_id(text.data, text.len);
    if (reason)
        faults_add(r->errors, pointer, "header_value", "Not a valid Message-ID: %s.", reason);
    else
        r->parts->message_id = text;
}

static void read_header(request_reader *r, const char *name, const json_t *value)
{
    char pointer[FAULTS_POINTER_MAX];
    mime_header *h = &r->parts->headers[r->parts->header_count];
    h->name = (mime_bytes){name, strlen(name)};
    faults_pointer(pointer, "/headers", name);
    if (r->drafted && strcasecmp(name, "Message-ID") == 0) {
        read_message_id(r, pointer, value);
        return;
    }
    const char *reason = mime_header_check_name(name, h->name.len);
    if (reason) {
        faults_add(r->errors, pointer, "header_name", "This header can't be set: %s.", reason);
        return;
    }
    if (!request_string(r, pointer, value, &h->value))
        return;
    reason = mime_header_check_value(name, h->value.data, h->value.len);
    if (reason)
        faults_add(r->errors, pointer, "header_value", "Not a valid header value: %s.", reason);
    else
        r->parts->header_count++;
}

void request_read_headers(request_reader *r, const char *pointer, const json_t *value)
{
    const char *name;
    json_t *member;

    if (!json_is_object(value)) {
        request_wrong_type(r, pointer, "an object of header names and values", value);
        return;
    }
    size_t count = json_object_size(value);
    if (count > HEADERS_MAX) {
        faults_add(r->errors, pointer, "too_many", "At most %d headers are allowed.", HEADERS_MAX);
        return;
    }
    r->parts->headers = calloc(count + REQUEST_LIST_HEADERS, sizeof *r->parts->headers);
    if (!r->parts->headers) {
        r->nomem = true;
        return;
    }
    json_object_foreach((json_t *)value, name, member)
    {
        if (!json_is_null(member))
            read_header(r, name, member);
    }
}
