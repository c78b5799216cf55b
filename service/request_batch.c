#include "service/request_own.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/zeroed.h"

/* One below what is sent alone: a newsletter keeps nobody's password waiting. */
#define PRIORITY_BATCH 4

void request_read_recipients(request_reader *r, const char *pointer, const json_t *value)
{
    if (!json_is_array(value))
        request_wrong_type(r, pointer, "an array of objects", value);
    else if (json_array_size(value) > REQUEST_BATCH_MOST)
        faults_add(r->errors, pointer, "too_many", "At most %d recipients are allowed.",
                   REQUEST_BATCH_MOST);
    else
        r->parts->entries = value;
}

/* ---- what all mails share ---- */

/* Both in one allocation. */
typedef struct whole_batch {
    request request; /* first: it is what request_free() is given */
    struct request_parts parts;
} whole_batch;

typedef struct batch_reader {
    request_reader shared;
    const request_batch_sink *sink;
    bool renders; /* there is a template, and it can be rendered */
} batch_reader;

static bool find_template(request_reader *r)
{
    const char *name = r->parts->template;
    templates_about about;
    buf detail = BUF_INIT;

    if (r->templates && !templates_ready(r->templates)) {
        r->nomem = true;
        return false;
    }
    if (r->templates && templates_find(r->templates, name, &about))
        return true;
    if (r->templates)
        templates_suggest(r->templates, name, &detail);
    const char *why = buf_cstr(&detail);
    if (!why)
        r->nomem = true;
    else
        faults_add(r->errors, "/template", "template", "%s",
                   *why ? why : "No template has this name.");
    buf_free(&detail);
    return false;
}

static void read_shared(batch_reader *b, const json_t *root)
{
    request_reader *r = &b->shared;

    request_read_members(r, root, REQUEST_BATCH);
    b->renders = request_check_shared(r, root) && find_template(r);
    if (!request_is_given(root, "recipients") ||
        (r->parts->entries && json_array_size(r->parts->entries) == 0))
        faults_add(r->errors, "/recipients", "required", "At least one recipient is required.");
}

/* ---- one mail ---- */

/* What an entry has of its own; all else is the batch's. */
typedef struct entry {
    request request;
    struct request_parts parts;
    json_t *data; /* owned */
} entry;

static bool entry_begin(entry *e, const batch_reader *b)
{
    const request *shared = b->shared.request;
    const struct request_parts *p = b->shared.parts;

    *e = (entry){.request = {.document = shared->document,
                             .relay = shared->relay,
                             .list = shared->list,
                             .delivery = shared->delivery,
                             .parts = &e->parts},
                 .parts = *p};
    e->parts.headers = NULL;
    if (p->header_count == 0 && !shared->list[0])
        return true;
    e->parts.headers = calloc(p->header_count + REQUEST_LIST_HEADERS, sizeof *p->headers);
    if (e->parts.headers && p->header_count)
        memcpy(e->parts.headers, p->headers, p->header_count * sizeof *p->headers);
    return e->parts.headers != NULL;
}

static void entry_clear(entry *e)
{
    mime_message_free(e->request.message);
    request_mailboxes_free(NULL, &e->parts.to);
    free(e->parts.headers);
    free(e->parts.list_headers);
    templates_result_clear(&e->parts.rendered);
    free(e->request.unsubscribe_url);
    free(e->request.reverse_path);
    free(e->request.recipients);
    json_decref(e->data);
}

static void read_to(request_reader *r, const char *pointer, const json_t *value)
{
    if (json_is_array(value))
        request_wrong_type(r, pointer, "one address: each recipient has a mail of its own", value);
    else
        request_read_to(r, pointer, value);
}

/* The entry's own over the shared. */
static void read_data(request_reader *r, const char *pointer, const json_t *value)
{
    entry *e = (entry *)r->request; /* its first member */
    const json_t *shared = r->parts->data;

    if (!r->parts->template) {
        faults_add(r->errors, pointer, "template", "Data are a template's, and none is named.");
        return;
    }
    r->parts->data = NULL;
    request_read_data(r, pointer, value);
    if (!r->parts->data)
        return;
    e->data = shared ? json_copy((json_t *)shared) : json_object();
    if (!e->data || json_object_update(e->data, (json_t *)value) != 0)
        r->nomem = true;
    r->parts->data = e->data;
}

static const struct {
    const char *name;
    void (*read)(request_reader *r, const char *pointer, const json_t *value);
} members[] = {{"to", read_to}, {"data", read_data}, {"metadata", request_read_metadata}};

static void read_members(request_reader *r, const char *pointer, const json_t *value)
{
    char at[FAULTS_POINTER_MAX];
    const char *key;
    json_t *member;

    json_object_foreach((json_t *)value, key, member)
    {
        size_t i = 0;
        while (i < sizeof members / sizeof *members && strcmp(members[i].name, key) != 0)
            i++;
        faults_member(at, pointer, key);
        if (i == sizeof members / sizeof *members)
            faults_unknown(r->errors, pointer, key);
        else if (!json_is_null(member))
            members[i].read(r, at, member);
    }
    faults_member(at, pointer, "to");
    if (!request_is_given(value, "to"))
        faults_add(r->errors, at, "required", "A recipient's address is required.");
}

/* Reads it and, if nothing is wrong with it, renders. */
static void read_entry(const batch_reader *b, request_reader *r, size_t i, const json_t *value)
{
    char pointer[FAULTS_POINTER_MAX], data[FAULTS_POINTER_MAX];
    size_t before = r->errors->total;

    faults_item_pointer(pointer, "/recipients", i);
    if (!json_is_object(value)) {
        request_wrong_type(r, pointer, "an object", value);
        return;
    }
    read_members(r, pointer, value);
    if (r->errors->total > before || r->nomem)
        return;
    request_check_list(r);
    faults_member(data, pointer, "data");
    if (b->renders && !r->nomem)
        request_render_as(r, pointer, data);
}

static request_result make_entry(batch_reader *b, size_t i)
{
    document *d = b->shared.request->document;
    size_t held = document_held(d), kept = 0;
    request_reader r = b->shared;
    entry e;

    bool ok = entry_begin(&e, b);
    r.request = &e.request;
    r.parts = &e.parts;
    if (ok)
        read_entry(b, &r, i, json_array_get(b->shared.parts->entries, i));
    ok = ok && !r.nomem && !r.errors->failed;
    if (ok && r.errors->total == 0 && r.config->lint_enforced)
        ok = request_lint(&r) != REQUEST_NOMEM;
    if (ok && r.errors->total == 0) {
        ok = b->sink->new_id(b->sink->ctx, e.request.id) && request_compose(&r);
        kept = ok ? b->sink->take(b->sink->ctx, i, &e.request) : 0;
        ok = kept > 0;
    }
    entry_clear(&e);
    document_let_go(d, held);
    if (!ok)
        return REQUEST_NOMEM;
    return kept == 0 || document_hold(d, kept) ? REQUEST_OK : REQUEST_STOPPED;
}

/* ---- the whole ---- */

/* Every entry is looked at, whatever is wrong with those before it: all is told at once. But once
 * there is a fault none is composed any more. */
static request_result build(batch_reader *b, const json_t *root)
{
    request_reader *r = &b->shared;
    request_result result = REQUEST_OK;

    if (json_is_object(root))
        read_shared(b, root);
    else
        request_wrong_type(r, "", "an object", root);
    if (r->nomem || r->errors->failed)
        return REQUEST_NOMEM;
    if (r->errors->total == 0 && !request_sender_allowed(r))
        return r->errors->failed ? REQUEST_NOMEM : REQUEST_FORBIDDEN;
    size_t count = json_array_size(r->parts->entries);
    if (r->errors->total == 0 && !b->sink->begin(b->sink->ctx, count))
        return REQUEST_NOMEM;
    for (size_t i = 0; i < count && result == REQUEST_OK; i++)
        result = make_entry(b, i);
    return result == REQUEST_OK && r->errors->total > 0 ? REQUEST_INVALID : result;
}

request_result request_create_batch(const config *cfg, const templates *t, document *d, time_t now,
                                    const request_batch_sink *sink, request **out, faults *errors)
{
    whole_batch *whole = zeroed(1, sizeof *whole);
    if (!whole) {
        document_free(d);
        return REQUEST_NOMEM;
    }
    request *q = &whole->request;
    request_begin(q, d, cfg);
    q->parts = &whole->parts;
    q->delivery.priority = PRIORITY_BATCH;
    batch_reader b = {.shared = {.config = cfg,
                                 .templates = t,
                                 .request = q,
                                 .parts = q->parts,
                                 .errors = errors,
                                 .now = now,
                                 .queued = true},
                      .sink = sink};
    request_result result = build(&b, document_root(d));
    if (result == REQUEST_OK)
        *out = q;
    else
        request_free(q);
    return result;
}
