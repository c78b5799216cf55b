#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/jsonw.h"
#include "dialect/dialect.h"
#include "dialect/reader.h"
#include "dialect/retell.h"
#include "mime/base64.h"

#define EMAILS    100
#define SENTENCES 10 /* faults that an answer tells */
#define SECOND_US INT64_C(1000000)

/* ---- texts ---- */

/* "" for the text says that there shall be none: the HTML's twin is made then, as always. */
#define READ_UNLESS_EMPTY(function, member)                                                        \
    static bool function(dialect_reader *r, const char *pointer, const json_t *value)              \
    {                                                                                              \
        (void)pointer;                                                                             \
        return dialect_share_unless_empty(r, member, value);                                       \
    }

READ_UNLESS_EMPTY(read_subject, "subject")
READ_UNLESS_EMPTY(read_html, "html")
READ_UNLESS_EMPTY(read_text, "text")
READ_UNLESS_EMPTY(read_filename, "filename")
READ_UNLESS_EMPTY(read_content_type, "content_type")
READ_UNLESS_EMPTY(read_content_id, "content_id")

/* ---- mailboxes ---- */

static bool set_mailboxes(dialect_reader *r, const json_t *value, const char *name)
{
    json_t *list, *one;
    size_t i;

    if (!json_is_array(value)) {
        if (!dialect_is_empty(value))
            dialect_set(r, name, dialect_mailbox_of(r, value));
        return true;
    }
    list = json_array();
    json_array_foreach((json_t *)value, i, one)
    {
        if (json_array_append_new(list, dialect_mailbox_of(r, one)) != 0)
            r->nomem = true;
    }
    dialect_set(r, name, list);
    return true;
}

#define READ_MAILBOXES(function, member)                                                           \
    static bool function(dialect_reader *r, const char *pointer, const json_t *value)              \
    {                                                                                              \
        (void)pointer;                                                                             \
        return set_mailboxes(r, value, member);                                                    \
    }

READ_MAILBOXES(read_from, "from")
READ_MAILBOXES(read_to, "to")
READ_MAILBOXES(read_cc, "cc")
READ_MAILBOXES(read_bcc, "bcc")
READ_MAILBOXES(read_reply_to, "reply_to")

static bool asks_for_something(dialect_reader *r, const char *pointer, const json_t *value)
{
    (void)r;
    (void)pointer;
    return !dialect_is_empty(value);
}

/* ---- times ---- */

static const struct {
    const char *name;
    int64_t seconds;
} units[] = {
    {"s", 1},       {"sec", 1},    {"second", 1},    {"m", 60},      {"min", 60},
    {"minute", 60}, {"h", 3600},   {"hr", 3600},     {"hour", 3600}, {"d", 86400},
    {"day", 86400}, {"w", 604800}, {"week", 604800},
};

/* The unit's name, and an s behind it or none; 0: it is none. */
static int64_t unit_of(const char *s, size_t len)
{
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t n = strlen(units[i].name);
        if (strncasecmp(units[i].name, s, n < len ? n : len) == 0 &&
            (len == n || (len == n + 1 && n > 1 && (s[n] == 's' || s[n] == 'S'))))
            return units[i].seconds;
    }
    return 0;
}

/* "in 1 min", "in 2 hours": how many seconds; -1: it is nothing of the kind. */
static int64_t read_delay(const mime_bytes *text)
{
    const char *s = text->data;
    int64_t n = 0, unit;
    size_t digits;

    if (strncasecmp(s, "in ", 3) != 0)
        return -1;
    s += 3 + strspn(s + 3, " ");
    digits = strspn(s, "0123456789");
    for (size_t i = 0; i < digits && digits < 9; i++)
        n = n * 10 + (s[i] - '0');
    s += digits;
    s += strspn(s, " ");
    unit = unit_of(s, strlen(s));
    return digits == 0 || digits >= 9 || unit == 0 ? -1 : n * unit;
}

/* Times of the calendar are read by who reads the draft. */
static bool read_scheduled_at(dialect_reader *r, const char *pointer, const json_t *value)
{
    mime_bytes text;

    if (dialect_is_empty(value))
        return true;
    if (!dialect_text(r, pointer, value, &text))
        return false;
    int64_t delay = read_delay(&text);
    if (delay >= 0)
        dialect_set(r, "send_at", json_integer(r->body->now_us / SECOND_US + delay));
    else if (!isdigit((unsigned char)text.data[0]))
        faults_add(r->errors, pointer, "time",
                   "Must be a time such as 2026-11-24T10:00:00Z, or a span such as \"in 1 min\", "
                   "\"in 2 hours\", \"in 3 days\".");
    else
        dialect_share(r, "send_at", value);
    return true;
}

/* ---- tags ---- */

static const dialect_member tag_members[] = {
    {.name = "name", .use = DIALECT_ELSEWHERE, .to = "metadata"},
    {.name = "value", .use = DIALECT_ELSEWHERE, .to = "metadata"},
    {.name = NULL},
};

static void read_tag(dialect_reader *r, const char *pointer, const json_t *item, json_t *metadata)
{
    const json_t *name = json_object_get(item, "name"), *value = json_object_get(item, "value");
    char at[FAULTS_POINTER_MAX];
    mime_bytes text;

    dialect_read_members(r, tag_members, pointer, item);
    if (!json_is_object(item))
        return;
    faults_member(at, pointer, "name");
    if (!name || json_is_null(name)) {
        faults_add(r->errors, at, "required", "A tag needs its name.");
        return;
    }
    if (!dialect_text(r, at, name, &text))
        return;
    json_t *kept = value && !json_is_null(value) ? json_incref((json_t *)value) : json_string("");
    if (json_object_get(metadata, text.data)) {
        json_decref(kept);
        faults_add(r->errors, at, "duplicate", "Another tag has this name.");
    } else if (json_object_set_new_nocheck(metadata, text.data, kept) != 0) {
        r->nomem = true;
    }
}

static bool read_tags(dialect_reader *r, const char *pointer, const json_t *value)
{
    char at[FAULTS_POINTER_MAX];

    if (!json_is_array(value)) {
        dialect_wrong_type(r, pointer, "an array", value);
        return false;
    }
    json_t *metadata = json_object();
    for (size_t i = 0; metadata && i < json_array_size(value); i++) {
        faults_item_pointer(at, pointer, i);
        read_tag(r, at, json_array_get(value, i), metadata);
    }
    if (json_object_size(metadata) > 0 || !metadata)
        dialect_set(r, "metadata", metadata);
    else
        json_decref(metadata);
    return true;
}

/* ---- templates ---- */

static const dialect_member template_members[] = {
    {.name = "id", .use = DIALECT_COPY, .to = "template"},
    {.name = "variables", .use = DIALECT_COPY, .to = "data"},
    {.name = NULL},
};

static bool read_template(dialect_reader *r, const char *pointer, const json_t *value)
{
    char at[FAULTS_POINTER_MAX];

    dialect_read_members(r, template_members, pointer, value);
    faults_member(at, pointer, "id");
    if (json_is_object(value) && !json_object_get(r->message, "template"))
        faults_add(r->errors, at, "required", "A template needs its id.");
    return true;
}

/* ---- attachments ---- */

/* Octets as numbers: of Node's Buffer, of Go's and Python's SDK. NULL: they are none, or there is
 * no memory. */
static json_t *encode(dialect_reader *r, const char *pointer, const json_t *octets)
{
    size_t count = json_array_size(octets), cap = 4 * ((count + 2) / 3);
    unsigned char *raw = malloc(count + cap + 1);
    char *text = (char *)raw + count;
    json_t *made = NULL;

    for (size_t i = 0; raw && i < count; i++) {
        const json_t *one = json_array_get(octets, i);
        json_int_t n = json_is_integer(one) ? json_integer_value(one) : -1;
        if (n < 0 || n > UCHAR_MAX) {
            faults_add(r->errors, pointer, "wrong_type",
                       "Must be base64, or octets as numbers from 0 to 255; item %zu is none.", i);
            goto cleanup;
        }
        raw[i] = (unsigned char)n;
    }
    if (raw)
        made = json_stringn_nocheck(text, mime_base64_encode(raw, count, text));
    r->nomem = r->nomem || !made;
cleanup:
    free(raw);
    return made;
}

/* {"type": "Buffer", "data": [1, 2, 255]} is what JSON.stringify() makes of a Buffer. */
static bool read_content(dialect_reader *r, const char *pointer, const json_t *value)
{
    const json_t *data = json_object_get(value, "data");

    if (data)
        value = data;
    if (json_is_array(value)) {
        json_t *made = encode(r, pointer, value);
        if (made)
            dialect_set(r, "content", made);
    } else if (json_is_object(value)) {
        dialect_wrong_type(r, pointer, "base64, or octets as numbers", value);
    } else {
        dialect_share(r, "content", value);
    }
    return true;
}

static const dialect_member attachment_members[] = {
    {.name = "content", .use = DIALECT_READ, .to = "content", .read = read_content},
    {.name = "filename", .use = DIALECT_READ, .to = "filename", .read = read_filename},
    {.name = "content_type", .use = DIALECT_READ, .to = "content_type", .read = read_content_type},
    {.name = "content_id", .use = DIALECT_READ, .to = "content_id", .read = read_content_id},
    {.name = "inline_content_id", .use = DIALECT_READ, .to = "content_id", .read = read_content_id},
    {.name = "path",
     .use = DIALECT_REFUSE,
     .read = asks_for_something,
     .note = "Nothing is fetched from elsewhere; send the file itself as `content`."},
    {.name = NULL},
};

static void read_attachment(dialect_reader *r, const char *pointer, const json_t *item)
{
    size_t before = r->errors->total;
    char at[FAULTS_POINTER_MAX];

    dialect_read_members(r, attachment_members, pointer, item);
    faults_member(at, pointer, "content");
    if (r->errors->total == before && !r->nomem && !json_object_get(r->message, "content"))
        faults_add(r->errors, at, "required", "Attachment must have its `content`.");
}

static bool read_attachments(dialect_reader *r, const char *pointer, const json_t *value)
{
    dialect_read_attachments(r, pointer, value, read_attachment);
    return true;
}

/* ---- the members ---- */

static const dialect_member email_members[] = {
    {.name = "from", .use = DIALECT_READ, .to = "from", .read = read_from},
    {.name = "to", .use = DIALECT_READ, .to = "to", .read = read_to},
    {.name = "cc", .use = DIALECT_READ, .to = "cc", .read = read_cc},
    {.name = "bcc", .use = DIALECT_READ, .to = "bcc", .read = read_bcc},
    {.name = "reply_to", .use = DIALECT_READ, .to = "reply_to", .read = read_reply_to},
    {.name = "subject", .use = DIALECT_READ, .to = "subject", .read = read_subject},
    {.name = "html", .use = DIALECT_READ, .to = "html", .read = read_html},
    {.name = "text", .use = DIALECT_READ, .to = "text", .read = read_text},
    {.name = "headers", .use = DIALECT_COPY, .to = "headers"},
    {.name = "attachments", .use = DIALECT_READ, .to = "attachments", .read = read_attachments},
    {.name = "tags", .use = DIALECT_READ, .to = "metadata", .read = read_tags},
    {.name = "scheduled_at", .use = DIALECT_READ, .to = "send_at", .read = read_scheduled_at},
    {.name = "template", .use = DIALECT_READ, .to = "template", .read = read_template},
    {.name = "topic_id",
     .use = DIALECT_REFUSE,
     .read = asks_for_something,
     .note = "Who has left a topic is known to Resend alone: the mail could go to people who don't "
             "want it."},
    {.name = NULL},
};

static const dialect_member update_members[] = {
    {.name = "scheduled_at", .use = DIALECT_READ, .to = "send_at", .read = read_scheduled_at},
    {.name = "id", .use = DIALECT_IGNORE, .note = "The path has it."},
    {.name = NULL},
};

/* ---- bodies ---- */

static void read_email(const dialect_body *body, const dialect_member *members, const char *pointer,
                       const json_t *item, dialect_plan *plan, size_t i)
{
    dialect_draft *draft = &plan->drafts[i];
    dialect_reader r = {.body = body, .message = json_object(), .errors = &draft->errors};

    if (r.message)
        dialect_read_members(&r, members, pointer, item);
    plan->nomem = plan->nomem || r.nomem || !r.message || draft->errors.failed;
    if (draft->errors.total == 0)
        draft->message = r.message;
    else
        json_decref(r.message);
}

static void read_one(const dialect_body *body, dialect_plan *plan)
{
    if (dialect_plan_begin(plan, 1))
        read_email(body, email_members, "", body->root, plan, 0);
}

static void read_update(const dialect_body *body, dialect_plan *plan)
{
    if (!dialect_plan_begin(plan, 1))
        return;
    read_email(body, update_members, "", body->root, plan, 0);
    dialect_draft *draft = &plan->drafts[0];
    if (!draft->message || json_object_get(draft->message, "send_at"))
        return;
    faults_add(&draft->errors, "/scheduled_at", "required", "A time is required.");
    json_decref(draft->message);
    draft->message = NULL;
}

/* Of a mail that can't be sent the others say nothing, if they shall not wait for it. */
static bool is_permissive(const dialect_body *body)
{
    const char *mode = body->header(body->ctx, "x-batch-validation");
    return mode && strcasecmp(mode, "permissive") == 0;
}

static void read_batch(const dialect_body *body, dialect_plan *plan)
{
    char at[FAULTS_POINTER_MAX];
    size_t count = json_array_size(body->root);

    plan->each = is_permissive(body);
    if (!json_is_array(body->root))
        faults_add(&plan->errors, "", "wrong_type", "An array of emails is expected.");
    else if (count == 0)
        faults_add(&plan->errors, "", "required", "There is no email in it.");
    else if (count > EMAILS)
        faults_add(&plan->errors, "", "too_many", "At most %d emails are allowed.", EMAILS);
    else if (dialect_plan_begin(plan, count)) {
        for (size_t i = 0; i < count && !plan->nomem; i++) {
            faults_item_pointer(at, "", i);
            read_email(body, email_members, at, json_array_get(body->root, i), plan, i);
        }
    }
    plan->nomem = plan->nomem || plan->errors.failed;
}

/* ---- where it stands ---- */

static const dialect_place places[] = {
    {"/template", "/template/id", true},
    {"/data", "/template/variables", false},
    {"/send_at", "/scheduled_at", true},
    {"/metadata", "/tags", false},
    {.ours = NULL},
};

static void origin(const dialect_body *body, size_t draft, const char *pointer,
                   char out[FAULTS_POINTER_MAX])
{
    bool many = json_is_array(body->root);
    const json_t *item = many ? json_array_get(body->root, draft) : body->root;
    char before[32] = "";
    size_t i = 0;

    if (many)
        (void)snprintf(before, sizeof before, "/%zu", draft);
    if (dialect_find_named(json_object_get(item, "tags"), "name", "/metadata", pointer, &i))
        (void)snprintf(out, FAULTS_POINTER_MAX, "%s/tags/%zu", before, i);
    else
        dialect_retell(places, before, pointer, out);
}

/* ---- failures ---- */

/* By Postern's reason; the last row is for all others. */
static const struct failure {
    const char *reason;
    unsigned status;  /* 0: Postern's own */
    const char *name; /* NULL: by the first fault */
    const char *text; /* NULL: Postern's words */
} failures[] = {
    {"invalid", 422, NULL, NULL},
    {"bad-json", 400, "validation_error", NULL},
    {"bad-request", 400, "validation_error", NULL},
    {"idempotency-key", 400, "invalid_idempotency_key", NULL},
    {"length-required", 400, "validation_error", NULL},
    {"unauthorized", 401, "missing_api_key",
     "Missing API key in the authorization header. Include `Authorization: Bearer YOUR_API_KEY` in "
     "the request."},
    {"wrong-key", 403, "invalid_api_key", "API key is invalid."},
    {"sender-forbidden", 403, "validation_error", NULL},
    {"not-found", 404, "not_found", NULL},
    {"method", 405, "method_not_allowed", NULL},
    {"conflict", 422, "validation_error", NULL},
    {"idempotency-mismatch", 409, "invalid_idempotent_request", NULL},
    {"idempotency-running", 409, "concurrent_idempotent_requests", NULL},
    {"too-large", 413, "validation_error", NULL},
    {"suppressed", 422, "validation_error", NULL},
    {"refused", 422, "validation_error", NULL},
    {"busy", 503, "application_error", NULL},
    {"internal", 500, "internal_server_error", NULL},
    {NULL, 0, "application_error", NULL},
};

/* By the code of a fault, and where it stands: the first that fits. */
static const struct {
    const char *code, *pointer, *name;
} fault_names[] = {
    {NULL, "/attachments", "invalid_attachment"},
    {"required", "", "missing_required_field"},
    {"address", "/from", "invalid_from_address"},
    {NULL, "", "validation_error"},
};

/* Resend tells apart what Postern doesn't: a key that is wrong from none, and what the header
 * Idempotency-Key can't be from other malformed requests. */
static const char *reason_of(const dialect_refusal *r)
{
    static const char header[] = "The Idempotency-Key";

    if (r->has_key && strcmp(r->reason, "unauthorized") == 0)
        return "wrong-key";
    if (strcmp(r->reason, "bad-request") == 0 && strncmp(r->detail, header, sizeof header - 1) == 0)
        return "idempotency-key";
    return r->reason;
}

static const struct failure *failure_of(const dialect_refusal *r)
{
    const char *reason = reason_of(r);
    const struct failure *f = failures;

    while (f->reason && strcmp(f->reason, reason) != 0)
        f++;
    return f;
}

/* Behind the number of the email in a batch. */
static const char *in_email(const char *pointer)
{
    size_t digits = *pointer == '/' ? strspn(pointer + 1, "0123456789") : 0;
    return digits > 0 ? pointer + 1 + digits : pointer;
}

static const char *fault_name(const faults *errors)
{
    const faults_item *e = errors && errors->count > 0 ? &errors->list[0] : NULL;
    size_t i = 0, last = sizeof fault_names / sizeof *fault_names - 1;

    for (; e && i < last; i++) {
        const char *at = fault_names[i].pointer;
        if ((!fault_names[i].code || strcmp(fault_names[i].code, e->code) == 0) &&
            strncmp(in_email(e->pointer), at, strlen(at)) == 0)
            break;
    }
    return fault_names[e ? i : last].name;
}

/* In Resend's words where a test for them is likely. */
static void say_fault(buf *out, const faults_item *e)
{
    const char *field = in_email(e->pointer);

    if (*e->pointer == '\0') {
        buf_adds(out, e->detail);
    } else if (strcmp(e->code, "required") == 0 && *field && !strchr(field + 1, '/')) {
        buf_adds(out, "Missing `");
        dialect_path(out, e->pointer);
        buf_adds(out, "` field. ");
        buf_adds(out, e->detail);
    } else {
        buf_adds(out, "Invalid `");
        dialect_path(out, e->pointer);
        buf_adds(out, "` field. ");
        buf_adds(out, strcmp(e->code, "address") == 0
                          ? "The email address needs to follow the `email@example.com` or `Name "
                            "<email@example.com>` format. "
                          : "");
        buf_adds(out, e->detail);
    }
}

static void say(buf *out, const struct failure *f, const dialect_refusal *r)
{
    const faults *errors = r->errors;

    if (f->text || !errors || errors->count == 0) {
        buf_adds(out, f->text ? f->text : r->detail);
        return;
    }
    for (size_t i = 0; i < errors->count && i < SENTENCES; i++) {
        buf_adds(out, i ? " " : "");
        say_fault(out, &errors->list[i]);
    }
    if (errors->total > SENTENCES)
        buf_addf(out, " (%zu more.)", errors->total - SENTENCES);
}

static void write_message(jsonw *w, const struct failure *f, const dialect_refusal *r)
{
    buf text = BUF_INIT;

    say(&text, f, r);
    jsonw_key(w, "message");
    jsonw_strn(w, text.data ? text.data : "", text.len);
    if (!buf_ok(&text))
        w->out->failed = true;
    buf_free(&text);
}

static void refused(const dialect_refusal *r, dialect_answer *out)
{
    const struct failure *f = failure_of(r);
    jsonw w;

    out->status = f->status ? f->status : r->status;
    out->content_type = "application/json";
    jsonw_init(&w, &out->content);
    jsonw_object(&w);
    jsonw_key(&w, "statusCode");
    jsonw_int(&w, out->status);
    jsonw_key(&w, "name");
    jsonw_str(&w, f->name ? f->name : fault_name(r->errors));
    write_message(&w, f, r);
    jsonw_object_end(&w);
}

/* ---- success ---- */

static void write_id(jsonw *w, const char *id)
{
    char uuid[DIALECT_UUID + 1];

    dialect_uuid(id ? id : "", uuid);
    jsonw_key(w, "id");
    jsonw_str(w, uuid);
}

static void begin_answer(jsonw *w, dialect_answer *out)
{
    out->status = 200;
    out->content_type = "application/json";
    jsonw_init(w, &out->content);
    jsonw_object(w);
}

static void accepted(const dialect_body *body, const dialect_sent *list, size_t count, bool dry,
                     dialect_answer *out)
{
    jsonw w;

    (void)body;
    (void)dry;
    begin_answer(&w, out);
    write_id(&w, count > 0 ? list[0].id : NULL);
    jsonw_object_end(&w);
}

static void write_errors(jsonw *w, const dialect_sent *list, size_t count)
{
    jsonw_key(w, "errors");
    jsonw_array(w);
    for (size_t i = 0; i < count; i++) {
        if (!list[i].refusal)
            continue;
        jsonw_object(w);
        jsonw_key(w, "index");
        jsonw_int(w, (int64_t)i);
        write_message(w, failure_of(list[i].refusal), list[i].refusal);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

/* Those that are sent, in their order; and why the others aren't. */
static void accepted_batch(const dialect_body *body, const dialect_sent *list, size_t count,
                           bool dry, dialect_answer *out)
{
    bool some_refused = false;
    jsonw w;

    (void)dry;
    begin_answer(&w, out);
    jsonw_key(&w, "data");
    jsonw_array(&w);
    for (size_t i = 0; i < count; i++) {
        some_refused = some_refused || list[i].refusal;
        if (list[i].refusal)
            continue;
        jsonw_object(&w);
        write_id(&w, list[i].id);
        jsonw_object_end(&w);
    }
    jsonw_array_end(&w);
    if (some_refused || is_permissive(body))
        write_errors(&w, list, count);
    jsonw_object_end(&w);
}

/* ---- what became of it ---- */

/* `sent`: a relay has it, which need not be the recipient's. */
static const struct {
    const char *status, *event;
} events[] = {
    {"scheduled", "scheduled"}, {"queued", "queued"},      {"sending", "queued"},
    {"sent", "sent"},           {"partial", "bounced"},    {"failed", "bounced"},
    {"expired", "failed"},      {"cancelled", "canceled"}, {"unknown", "sent"},
};

static const char *string_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static bool has_recipient(const json_t *message, const char *status)
{
    const json_t *list = json_object_get(message, "recipients");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *one = string_of(json_array_get(list, i), "status");
        if (one && strcmp(one, status) == 0)
            return true;
    }
    return false;
}

static const char *event_of(const json_t *message)
{
    const char *status = string_of(message, "status");
    size_t i = 0;

    if (!status)
        return "queued";
    if (strcmp(status, "queued") == 0 && json_array_size(json_object_get(message, "attempts")) > 0)
        return "delivery_delayed";
    if (strcmp(status, "failed") == 0 && !has_recipient(message, "refused"))
        return has_recipient(message, "suppressed") ? "suppressed" : "failed";
    while (i < sizeof events / sizeof *events && strcmp(events[i].status, status) != 0)
        i++;
    return i < sizeof events / sizeof *events ? events[i].event : "queued";
}

/* Of to, cc and bcc the queue knows no more than that they are its recipients. */
static void write_recipients(jsonw *w, const json_t *message)
{
    const json_t *list = json_object_get(message, "recipients");

    jsonw_key(w, "to");
    jsonw_array(w);
    for (size_t i = 0; i < json_array_size(list); i++)
        jsonw_str(w, string_of(json_array_get(list, i), "email"));
    jsonw_array_end(w);
}

static void write_tags(jsonw *w, const json_t *message)
{
    const char *name;
    json_t *value;

    jsonw_key(w, "tags");
    jsonw_array(w);
    json_object_foreach(json_object_get(message, "metadata"), name, value)
    {
        jsonw_object(w);
        jsonw_key(w, "name");
        jsonw_str(w, name);
        jsonw_key(w, "value");
        jsonw_str(w, json_string_value(value));
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

static void write_member(jsonw *w, const char *name, const char *value)
{
    jsonw_keyn(w, name, strlen(name));
    jsonw_str(w, value);
}

/* What isn't kept is null, as where a mail has none of it. */
static void show(const json_t *message, dialect_answer *out)
{
    static const char *const nulls[] = {"subject", "html", "text"};
    static const char *const lists[] = {"cc", "bcc", "reply_to"};
    jsonw w;

    begin_answer(&w, out);
    write_member(&w, "object", "email");
    write_id(&w, string_of(message, "id"));
    write_member(&w, "message_id", string_of(message, "message_id"));
    write_recipients(&w, message);
    write_member(&w, "from", string_of(message, "envelope_from"));
    write_member(&w, "created_at", string_of(message, "accepted_at"));
    for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++)
        write_member(&w, nulls[i], NULL);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        jsonw_keyn(&w, lists[i], strlen(lists[i]));
        jsonw_raw(&w, "[]", 2);
    }
    write_member(&w, "last_event", event_of(message));
    write_member(&w, "scheduled_at", string_of(message, "send_at"));
    write_tags(&w, message);
    jsonw_object_end(&w);
}

static void show_changed(const json_t *message, dialect_answer *out)
{
    jsonw w;

    begin_answer(&w, out);
    write_member(&w, "object", "email");
    write_id(&w, string_of(message, "id"));
    jsonw_object_end(&w);
}

/* ---- the table ---- */

static const dialect_endpoint endpoints[] = {
    {.path = "/emails",
     .method = "POST",
     .action = DIALECT_SEND,
     .form = DIALECT_JSON,
     .keyed = true,
     .files = "attachments",
     .content = "content",
     .level = 1,
     .octets = true,
     .read = read_one,
     .origin = origin,
     .accepted = accepted},
    {.path = "/emails/batch",
     .method = "POST",
     .action = DIALECT_SEND,
     .form = DIALECT_JSON,
     .keyed = true,
     .files = "attachments",
     .content = "content",
     .level = 2,
     .octets = true,
     .read = read_batch,
     .origin = origin,
     .accepted = accepted_batch},
    {.path = "/emails/{id}",
     .method = "GET",
     .action = DIALECT_SHOW,
     .form = DIALECT_NOTHING,
     .show = show},
    {.path = "/emails/{id}",
     .method = "PATCH",
     .action = DIALECT_RESCHEDULE,
     .form = DIALECT_JSON,
     .read = read_update,
     .origin = origin,
     .show = show_changed},
    {.path = "/emails/{id}/cancel",
     .method = "POST",
     .action = DIALECT_CANCEL,
     .form = DIALECT_NOTHING,
     .show = show_changed},
    {.path = NULL},
};

const dialect dialect_resend = {
    .name = "resend",
    .auth = DIALECT_BEARER,
    .key_header = NULL,
    .endpoints = endpoints,
    .refused = refused,
};
