#include "service/request.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/features.h"
#include "service/request_own.h"
#include "service/signer.h"

#define PRIORITY_USUAL 5

#define ANY     (REQUEST_SENT | REQUEST_QUEUED | REQUEST_BATCH | REQUEST_LINTED | REQUEST_DRAFTED)
#define ONE     (REQUEST_SENT | REQUEST_QUEUED | REQUEST_LINTED | REQUEST_DRAFTED)
#define QUEUED  (REQUEST_QUEUED | REQUEST_BATCH | REQUEST_LINTED)
#define DRAFTED (QUEUED | REQUEST_DRAFTED)

static void refuse_template(request_reader *r, const char *pointer, const json_t *value)
{
    (void)value;
    faults_add(r->errors, pointer, "left_out", "This " LEAN_HAS_NO "templates.");
}

static void refuse_list(request_reader *r, const char *pointer, const json_t *value)
{
    (void)value;
    faults_add(r->errors, pointer, "left_out", "This " LEAN_HAS_NO "lists.");
}

static void refuse_lint(request_reader *r, const char *pointer, const json_t *value)
{
    (void)value;
    faults_add(r->errors, pointer, "left_out", "This " LEAN_HAS_NO "lint.");
}

static const struct {
    const char *name, *pointer;
    /* NULL: the kinds that it has its place in are not there */
    void (*read)(request_reader *r, const char *pointer, const json_t *value);
    int kinds; /* where it has its place */
} members[] = {
    {"from", "/from", request_read_from, ANY},
    {"to", "/to", request_read_to, ONE},
    {"cc", "/cc", request_read_cc, ONE},
    {"bcc", "/bcc", request_read_bcc, ONE},
    {"reply_to", "/reply_to", request_read_reply_to, ANY},
    {"subject", "/subject", request_read_subject, ANY},
    {"html", "/html", request_read_html, ANY},
    {"text", "/text", request_read_text, ANY},
    {"template", "/template", WITH_TEMPLATES ? request_read_template : refuse_template, ANY},
    {"data", "/data", WITH_TEMPLATES ? request_read_data : refuse_template, ANY},
    {"attachments", "/attachments", request_read_attachments, ANY},
    {"headers", "/headers", request_read_headers, ANY},
    {"list", "/list", WITH_QUEUE ? request_read_list : refuse_list, ANY},
    {"relay", "/relay", request_read_relay, ANY},
    {"envelope_from", "/envelope_from", request_read_envelope_from, ANY},
    {"transcript", "/transcript", request_read_transcript, REQUEST_SENT | REQUEST_LINTED},
    {"lint", "/lint", WITH_LINT ? request_read_lint : refuse_lint, ONE},
    {"send_at", "/send_at", WITH_QUEUE ? request_read_send_at : NULL, DRAFTED},
    {"expires_in", "/expires_in", WITH_QUEUE ? request_read_expires_in : NULL, QUEUED},
    {"priority", "/priority", WITH_QUEUE ? request_read_priority : NULL, QUEUED},
    {"tags", "/tags", WITH_QUEUE ? request_read_tags : NULL, DRAFTED},
    {"metadata", "/metadata", WITH_QUEUE ? request_read_metadata : NULL, DRAFTED},
    {"recipients", "/recipients", WITH_QUEUE ? request_read_recipients : NULL, REQUEST_BATCH},
    {"mime", "/mime", WITH_DIALECTS ? request_read_mime : NULL, REQUEST_DRAFTED},
};

void request_read_members(request_reader *r, const json_t *root, int kinds)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)root, key, value)
    {
        size_t i = 0;
        while (i < sizeof members / sizeof *members && strcmp(members[i].name, key) != 0)
            i++;
        if (i == sizeof members / sizeof *members || !(members[i].kinds & kinds))
            faults_unknown(r->errors, "", key);
        else if (!json_is_null(value))
            members[i].read(r, members[i].pointer, value);
    }
}

/* Where the request names none. */
static void choose_relay(request_reader *r)
{
    const config *c = r->config;
    request_delivery *d = &r->request->delivery;

    for (size_t i = 0; WITH_QUEUE && r->queued && i < c->failover_count && i < REQUEST_RELAYS; i++)
        d->relays[i] = c->failover[i];
    if (!d->relays[0])
        d->relays[0] = "default";
    r->request->relay = config_relay(c, d->relays[0]);
    if (!r->request->relay)
        faults_add(r->errors, "/relay", "required", "No relay is the default; name one.");
}

static void check_recipients(request_reader *r, const json_t *root)
{
    const struct request_parts *p = r->parts;
    size_t recipients = p->to.count + p->cc.count + p->bcc.count;
    bool list_faulty = false;

    for (size_t i = 1; i <= 3; i++) { /* to, cc, bcc */
        const json_t *value = json_object_get(root, members[i].name);
        list_faulty =
            list_faulty || (value && !json_is_null(value) && request_item_count(value) > 0);
    }
    if (recipients == 0 && !list_faulty)
        faults_add(r->errors, "/to", "required", "At least one recipient is required.");
    if (recipients > r->config->max_recipients)
        faults_add(r->errors, "/to", "too_many_recipients",
                   "to, cc and bcc together have %zu addresses; at most %u are allowed.",
                   recipients, r->config->max_recipients);
}

bool request_check_shared(request_reader *r, const json_t *root)
{
    bool rendered = false;

    if (WITH_DIALECTS && r->parts->whole) { /* it has all but the envelope */
        if (!request_is_given(root, "relay") && r->config->relay_count > 0)
            choose_relay(r);
        return false;
    }
    if (!request_is_given(root, "from") && !r->config->senders.fallback.address)
        faults_add(r->errors, "/from", "required", "A sender is required.");
    if (WITH_QUEUE && r->request->list[0])
        request_check_list_headers(r);
    if (request_is_given(root, "template") || request_is_given(root, "data"))
        rendered = WITH_TEMPLATES && request_check_template(r, root);
    else if (!request_is_given(root, "html") && !request_is_given(root, "text"))
        faults_add(r->errors, "/html", "required", "html or text is required, or a template.");
    if (!request_is_given(root, "relay") && r->config->relay_count > 0)
        choose_relay(r);
    return rendered;
}

/* What must be there, and what must fit together. */
static void check_whole(request_reader *r, const json_t *root)
{
    check_recipients(r, root);
    if (WITH_QUEUE)
        request_check_list(r);
    if (request_check_shared(r, root) && WITH_TEMPLATES)
        request_render_as(r, "/template", "/data");
}

/* ---- envelope and message ---- */

static const mime_mailbox *sender_of(const request_reader *r)
{
    if (WITH_DIALECTS && r->parts->whole)
        return &r->parts->raw.from;
    return r->parts->from.address ? &r->parts->from : &r->config->senders.fallback;
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Takes later mentions of an address out, keeping the order; false: no memory. */
static bool drop_repeated(const char **list, size_t *count)
{
    size_t kept = 0, n = *count;
    if (n < 2)
        return true;
    const char **sorted = malloc(n * sizeof *sorted);
    bool *seen = calloc(n, sizeof *seen);
    if (sorted && seen) {
        memcpy(sorted, list, n * sizeof *sorted);
        qsort(sorted, n, sizeof *sorted, compare_strings);
        for (size_t i = 0; i < n; i++) {
            /* bsearch may stop at any of several equal ones: the first of them stands for all. */
            const char **found = bsearch(&list[i], sorted, n, sizeof *sorted, compare_strings);
            size_t at = (size_t)(found - sorted);
            while (at > 0 && !seen[at] && strcmp(sorted[at - 1], list[i]) == 0)
                at--;
            if (seen[at])
                continue;
            for (size_t k = at; k < n && strcmp(sorted[k], list[i]) == 0; k++)
                seen[k] = true;
            list[kept++] = list[i];
        }
        *count = kept;
    }
    bool ok = sorted && seen;
    free(sorted);
    free(seen);
    return ok;
}

static bool make_envelope(request_reader *r)
{
    request *q = r->request;
    enum { LISTS = 3 };
    const request_mailboxes *const lists[LISTS] = {&r->parts->to, &r->parts->cc, &r->parts->bcc};
    const mime_mailbox *reverse =
        r->parts->envelope_from.address ? &r->parts->envelope_from : sender_of(r);

    const char *path = r->parts->null_envelope_from ? "" : reverse->address;
    size_t path_size = strlen(path) + 1;
    size_t most = 1 + r->parts->to.count + r->parts->cc.count + r->parts->bcc.count;

    q->reverse_path = arena_alloc(q->memory, path_size);
    q->recipients = arena_alloc(q->memory, most * sizeof *q->recipients);
    if (!q->reverse_path || !q->recipients)
        return false;
    memcpy(q->reverse_path, path, path_size);
    q->utf8 = !r->parts->null_envelope_from && reverse->utf8;
    for (size_t i = 0; i < LISTS; i++) {
        for (size_t k = 0; k < lists[i]->count; k++) {
            q->recipients[q->recipient_count++] = lists[i]->list[k].address;
            q->utf8 = q->utf8 || lists[i]->list[k].utf8;
        }
    }
    return drop_repeated(q->recipients, &q->recipient_count);
}

bool request_sign(const config *cfg, request *r)
{
    if (WITH_DKIM && r->to_sign)
        r->to_sign = !signer_sign(cfg->dkim, r->sender_domain, r->date, r->message);
    return !r->to_sign;
}

static bool sign(request_reader *r)
{
    const signer *dkim = r->config->dkim;
    request *q = r->request;

    if (!WITH_DKIM || !signer_any(dkim))
        return true;
    q->date = r->now;
    q->sender_domain = sender_of(r)->domain;
    signer_cost cost = signer_judge(dkim, q->sender_domain, mime_message_size(q->message));
    q->to_sign = cost != SIGNER_NOTHING;
    return (r->late && cost == SIGNER_LONG) || request_sign(r->config, q);
}

static bool make_message(request_reader *r)
{
    struct request_parts *p = r->parts;
    mime_draft draft = {
        .from = sender_of(r),
        .to = {p->to.list, p->to.count},
        .cc = {p->cc.list, p->cc.count},
        .reply_to = {p->reply_to.list, p->reply_to.count},
        .subject = p->subject,
        .text = p->text,
        .html = p->html,
        .attachments = p->attachments,
        .attachment_count = p->attachment_count,
        .headers = p->headers,
        .header_count = p->header_count,
        .date = r->now,
        .id = r->request->id,
        .message_id = p->message_id,
        .memory = r->request->memory,
    };
    request *q = r->request;
    q->message = WITH_DIALECTS && p->whole ? mime_raw_message(&p->raw, r->now, r->request->id)
                                           : mime_compose(&draft);
    if (!q->message || !sign(r) || !document_hold(q->document, mime_message_memory(q->message)))
        return false;
    q->utf8 = q->utf8 || mime_message_utf8(q->message);
    return true;
}

bool request_compose(request_reader *r)
{
    return (!WITH_QUEUE || request_add_list_headers(r)) && make_envelope(r) && make_message(r);
}

/* POSTERN_FROM holds for both: who the mail says it is from, and whom the relay bills. */
bool request_sender_allowed(request_reader *r)
{
    size_t before = r->errors->total;
    if (!config_may_send(r->config, sender_of(r)))
        faults_add(r->errors, "/from", "sender_forbidden",
                   "POSTERN_FROM does not allow this sender.");
    if (r->parts->envelope_from.address && !config_may_send(r->config, &r->parts->envelope_from))
        faults_add(r->errors, "/envelope_from", "sender_forbidden",
                   "POSTERN_FROM does not allow this reverse-path.");
    return r->errors->total == before;
}

static request_result build(request_reader *r, const json_t *root)
{
    if (json_is_object(root)) {
        request_read_members(r, root,
                             r->only_lint              ? REQUEST_LINTED
                             : r->queued && r->drafted ? REQUEST_QUEUED | REQUEST_DRAFTED
                             : r->queued               ? REQUEST_QUEUED
                             : r->drafted              ? REQUEST_DRAFTED
                                                       : REQUEST_SENT);
        if (r->drafted && r->at_once && r->request->delivery.send_at)
            faults_add(r->errors, "/send_at", "time",
                       "What is for later needs the queue; the relay can't be waited for.");
        check_whole(r, root);
    } else {
        request_wrong_type(r, "", "an object", root);
    }
    if (r->nomem || r->errors->failed)
        return REQUEST_NOMEM;
    if (r->errors->total > 0)
        return REQUEST_INVALID;
    if (!request_sender_allowed(r))
        return r->errors->failed ? REQUEST_NOMEM : REQUEST_FORBIDDEN;
    if (WITH_LINT && !r->parts->whole && (r->lint || r->only_lint || r->config->lint_enforced)) {
        request_result linted = request_lint(r);
        if (linted != REQUEST_OK || r->only_lint)
            return linted;
    }
    return request_compose(r) ? REQUEST_OK : REQUEST_NOMEM;
}

void request_pointer(const request *r, size_t recipient, char out[FAULTS_POINTER_MAX])
{
    enum { LISTS = 3 };
    static const char *const names[LISTS] = {"to", "cc", "bcc"};
    const request_mailboxes *const lists[LISTS] = {&r->parts->to, &r->parts->cc, &r->parts->bcc};
    const json_t *root = r->root;

    for (size_t i = 0; i < LISTS; i++) {
        for (size_t k = 0; k < lists[i]->count; k++) {
            if (lists[i]->list[k].address != r->recipients[recipient])
                continue;
            bool several = json_is_array(json_object_get(root, names[i]));
            if (several)
                (void)snprintf(out, FAULTS_POINTER_MAX, "/%s/%zu", names[i], k);
            else
                (void)snprintf(out, FAULTS_POINTER_MAX, "/%s", names[i]);
            return;
        }
    }
    out[0] = '\0';
}

bool request_take_off(request *r, const bool *marks)
{
    size_t kept = 0;
    r->suppressed = calloc(r->recipient_count + 1, sizeof *r->suppressed);
    if (!r->suppressed)
        return false;
    for (size_t i = 0; i < r->recipient_count; i++) {
        if (marks[i])
            r->suppressed[r->suppressed_count++] = r->recipients[i];
        else
            r->recipients[kept++] = r->recipients[i];
    }
    r->recipient_count = kept;
    return true;
}

/* Both in one allocation. */
typedef struct whole_request {
    request request; /* first: it is what request_free() is given */
    struct request_parts parts;
} whole_request;

void request_begin(request *q, document *d, const config *cfg)
{
    q->document = d;
    q->root = document_root(d);
    q->list = "";
    q->delivery.expires_us = cfg->expires_us;
    q->delivery.priority = PRIORITY_USUAL;
}

/* How one is made. */
typedef struct request_terms {
    const json_t *root; /* NULL: the document's own */
    bool queued, drafted, at_once, late, only_lint;
    bool borrows; /* the document stays the caller's */
} request_terms;

static request_result create(const config *cfg, const templates *t, document *d, const char id[27],
                             time_t now, const request_terms *terms, request **out, faults *errors)
{
    /* One of many is gone before the document, which would not get its part of the block back. */
    arena *memory = terms->borrows ? NULL : document_memory(d);
    whole_request *whole = arena_alloc(memory, sizeof *whole);
    if (!whole) {
        if (!terms->borrows)
            document_free(d);
        return REQUEST_NOMEM;
    }
    memset(whole, 0, sizeof *whole);
    request *q = &whole->request;
    q->memory = memory;
    request_begin(q, d, cfg);
    if (terms->root)
        q->root = terms->root;
    q->borrows = terms->borrows;
    q->parts = &whole->parts;
    memcpy(q->id, id, sizeof q->id);
    request_reader r = {.config = cfg,
                        .templates = t,
                        .request = q,
                        .parts = q->parts,
                        .errors = errors,
                        .now = now,
                        .queued = terms->queued,
                        .drafted = terms->drafted,
                        .at_once = terms->at_once,
                        .late = terms->late,
                        .only_lint = terms->only_lint};
    request_result result = build(&r, q->root);
    if (result == REQUEST_OK)
        *out = q;
    else
        request_free(q);
    return result;
}

request_result request_create(const config *cfg, const templates *t, document *d, const char id[27],
                              time_t now, request **out, faults *errors)
{
    const request_terms terms = {0};
    return create(cfg, t, d, id, now, &terms, out, errors);
}

request_result request_create_queued(const config *cfg, const templates *t, document *d,
                                     const char id[27], time_t now, request **out, faults *errors)
{
    const request_terms terms = {.queued = true};
    return create(cfg, t, d, id, now, &terms, out, errors);
}

request_result request_create_late(const config *cfg, const templates *t, document *d,
                                   const char id[27], time_t now, bool queued, request **out,
                                   faults *errors)
{
    const request_terms terms = {.queued = queued, .late = true};
    return create(cfg, t, d, id, now, &terms, out, errors);
}

request_result request_create_lint(const config *cfg, const templates *t, document *d,
                                   const char id[27], time_t now, request **out, faults *errors)
{
    const request_terms terms = {.only_lint = true};
    return create(cfg, t, d, id, now, &terms, out, errors);
}

request_result request_create_draft(const config *cfg, const templates *t, document *d,
                                    const json_t *draft, const char id[27], time_t now,
                                    request_manner manner, request **out, faults *errors)
{
    bool of_many = manner == REQUEST_DRAFT_ONE_OF_MANY || manner == REQUEST_DRAFT_ONE_OF_MANY_SENT;
    const request_terms terms = {.root = draft,
                                 .queued = manner != REQUEST_DRAFT_SENT,
                                 .drafted = true,
                                 .at_once = manner == REQUEST_DRAFT_SENT ||
                                            manner == REQUEST_DRAFT_ONE_OF_MANY_SENT,
                                 .late = !of_many,
                                 .borrows = of_many};
    return create(cfg, t, d, id, now, &terms, out, errors);
}

/* What the message was made of, and is owned. */
static void clear_sources(struct request_parts *p)
{
    if (WITH_TEMPLATES)
        templates_result_clear(&p->rendered);
    if (WITH_DIALECTS)
        mime_raw_clear(&p->raw);
}

void request_forget_message(request *r)
{
    mime_message_free(r->message);
    r->message = NULL;
    clear_sources(r->parts);
}

void request_free(request *r)
{
    if (!r)
        return;
    struct request_parts *p = r->parts;
    arena *memory = r->memory;
    document *d = r->borrows ? NULL : r->document;
    mime_message_free(r->message);
    clear_sources(p);
    mime_mailbox_clear(&p->from);
    mime_mailbox_clear(&p->envelope_from);
    request_mailboxes_free(memory, &p->to);
    request_mailboxes_free(memory, &p->cc);
    request_mailboxes_free(memory, &p->bcc);
    request_mailboxes_free(memory, &p->reply_to);
    free(p->attachments);
    free(p->headers);
    free(p->list_headers);
    free(r->unsubscribe_url);
    arena_free(memory, r->reverse_path);
    arena_free(memory, r->recipients);
    free(r->suppressed);
    free(r->lint);
    arena_free(memory, r);
    document_free(d);
}
