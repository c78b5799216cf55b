#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/civil.h"
#include "base/hex.h"
#include "base/jsonw.h"
#include "dialect/dialect.h"
#include "dialect/reader.h"
#include "dialect/retell.h"
#include "mime/address.h"

#define MESSAGES      500
#define MAILBOXES     10000 /* of one list that are looked at; far fewer are allowed */
#define LIST_OCTETS   (1 << 20)
#define ADDRESS_SHOWN 320 /* octets of a faulty one */
#define SENTENCES     10  /* faults that an answer tells */
#define TEST_TOKEN    "POSTMARK_API_TEST"
#define TOKEN_HEADER  "X-Postmark-Server-Token"
#define CID           "cid:"
#define CID_MOST      200 /* octets of a Content-ID */
#define WRITTEN_TIME  32
#define WHY_INACTIVE                                                                               \
    " Inactive recipients are ones that have generated a hard bounce, a spam complaint, or a "     \
    "manual suppression."

/* ---- texts ---- */

static bool read_subject(dialect_reader *r, const char *pointer, const json_t *value)
{
    (void)pointer;
    return dialect_share_unless_empty(r, "subject", value);
}

static bool read_html(dialect_reader *r, const char *pointer, const json_t *value)
{
    (void)pointer;
    return dialect_share_unless_empty(r, "html", value);
}

static bool read_text(dialect_reader *r, const char *pointer, const json_t *value)
{
    (void)pointer;
    return dialect_share_unless_empty(r, "text", value);
}

static bool read_tag(dialect_reader *r, const char *pointer, const json_t *value)
{
    (void)pointer;
    if (dialect_is_empty(value))
        return true;
    json_t *tags = json_array();
    if (json_array_append(tags, (json_t *)value) != 0)
        r->nomem = true;
    dialect_set(r, "tags", tags);
    return true;
}

/* ---- mailboxes ---- */

/* Says what is wrong in the words that clients read an address from. */
static void check_mailbox(dialect_reader *r, const char *pointer, const char *field,
                          const mime_bytes *text)
{
    const char *reason = NULL;
    mime_mailbox found;

    if (mime_mailbox_parse(text->data, text->len, &found, &reason))
        mime_mailbox_clear(&found);
    else if (reason)
        faults_add(r->errors, pointer, "address", "Invalid '%s' address: '%.*s' (%s).", field,
                   (int)(text->len < ADDRESS_SHOWN ? text->len : ADDRESS_SHOWN), text->data,
                   reason);
    else
        r->nomem = true;
}

static size_t commas(const mime_bytes *text)
{
    size_t n = 0;
    for (size_t i = 0; i < text->len; i++)
        n += text->data[i] == ',';
    return n;
}

static bool read_list(dialect_reader *r, const char *pointer, const json_t *value,
                      const char *field, const char *to)
{
    mime_bytes text;
    json_t *list, *one;
    size_t i;

    if (!dialect_text(r, pointer, value, &text))
        return false;
    if (text.len > LIST_OCTETS || commas(&text) >= MAILBOXES) {
        faults_add(r->errors, pointer, "too_many_recipients", "'%s' has too many addresses.",
                   field);
        return false;
    }
    list = json_array();
    if (!list || !dialect_split_mailboxes(&text, list))
        r->nomem = true;
    json_array_foreach(list, i, one)
    {
        const mime_bytes mailbox = {json_string_value(one), json_string_length(one)};
        check_mailbox(r, pointer, field, &mailbox);
    }
    if (json_array_size(list) > 0)
        dialect_set(r, to, list);
    else
        json_decref(list);
    return true;
}

/* Postmark takes a list here, too, and then the first of it: a mail has one sender. */
static bool read_from(dialect_reader *r, const char *pointer, const json_t *value)
{
    mime_bytes text;

    if (!dialect_text(r, pointer, value, &text) || text.len == 0)
        return false;
    check_mailbox(r, pointer, "From", &text);
    dialect_set(r, "from", dialect_mailbox_of(r, value));
    return true;
}

static bool read_to(dialect_reader *r, const char *pointer, const json_t *value)
{
    return read_list(r, pointer, value, "To", "to");
}

static bool read_cc(dialect_reader *r, const char *pointer, const json_t *value)
{
    return read_list(r, pointer, value, "Cc", "cc");
}

static bool read_bcc(dialect_reader *r, const char *pointer, const json_t *value)
{
    return read_list(r, pointer, value, "Bcc", "bcc");
}

static bool read_reply_to(dialect_reader *r, const char *pointer, const json_t *value)
{
    return read_list(r, pointer, value, "ReplyTo", "reply_to");
}

/* ---- headers ---- */

static const dialect_member header_members[] = {
    {.name = "Name", .use = DIALECT_ELSEWHERE, .to = "headers"},
    {.name = "Value", .use = DIALECT_ELSEWHERE, .to = "headers"},
    {.name = NULL},
};

static void read_header(dialect_reader *r, const char *pointer, const json_t *item, json_t *headers)
{
    const json_t *name = json_object_get(item, "Name"), *value = json_object_get(item, "Value");
    char at[FAULTS_POINTER_MAX];
    mime_bytes text;

    dialect_read_members(r, header_members, pointer, item);
    if (!json_is_object(item))
        return;
    faults_member(at, pointer, "Name");
    if (!name || json_is_null(name))
        faults_add(r->errors, at, "required", "A header needs its name.");
    if (!name || json_is_null(name) || !dialect_text(r, at, name, &text))
        return;
    if (json_object_get(headers, text.data))
        faults_add(r->errors, at, "duplicate", "A header can be set once.");
    else if (value && !json_is_null(value) &&
             json_object_set_nocheck(headers, text.data, (json_t *)value) != 0)
        r->nomem = true;
}

static bool read_headers(dialect_reader *r, const char *pointer, const json_t *value)
{
    char at[FAULTS_POINTER_MAX];

    if (!json_is_array(value)) {
        dialect_wrong_type(r, pointer, "an array", value);
        return false;
    }
    json_t *headers = json_object();
    for (size_t i = 0; headers && i < json_array_size(value); i++) {
        faults_item_pointer(at, pointer, i);
        read_header(r, at, json_array_get(value, i), headers);
    }
    dialect_set(r, "headers", headers);
    return true;
}

/* ---- attachments ---- */

static bool read_name(dialect_reader *r, const char *pointer, const json_t *value)
{
    (void)pointer;
    return dialect_share_unless_empty(r, "filename", value);
}

static bool read_content_type(dialect_reader *r, const char *pointer, const json_t *value)
{
    (void)pointer;
    return dialect_share_unless_empty(r, "content_type", value);
}

static bool read_disposition(dialect_reader *r, const char *pointer, const json_t *value)
{
    (void)pointer;
    return dialect_share_unless_empty(r, "disposition", value);
}

/* "cid:x" is a picture of the mail's HTML; "x" may be one, and is what many mail programs give to
 * every file: where the HTML has no place for it, nobody would see it as a part of that. */
static bool read_content_id(dialect_reader *r, const char *pointer, const json_t *value)
{
    mime_bytes id;

    if (!dialect_text(r, pointer, value, &id) || id.len == 0)
        return false;
    bool is_inline = id.len > strlen(CID) && memcmp(id.data, CID, strlen(CID)) == 0;
    if (is_inline)
        id = (mime_bytes){id.data + strlen(CID), id.len - strlen(CID)};
    dialect_set(r, "content_id", json_stringn(id.data, id.len));
    if (is_inline && !json_object_get(r->message, "disposition"))
        dialect_set(r, "disposition", json_string("inline"));
    return true;
}

static const dialect_member attachment_members[] = {
    {.name = "Name", .use = DIALECT_READ, .to = "filename", .read = read_name},
    {.name = "Content", .use = DIALECT_COPY, .to = "content"},
    {.name = "ContentType", .use = DIALECT_READ, .to = "content_type", .read = read_content_type},
    {.name = "ContentID", .use = DIALECT_READ, .to = "content_id", .read = read_content_id},
    {.name = "Disposition", .use = DIALECT_READ, .to = "disposition", .read = read_disposition},
    {.name = "ContentLength", .use = DIALECT_IGNORE, .note = "The content has it."},
    {.name = NULL},
};

static void read_attachment(dialect_reader *r, const char *pointer, const json_t *item)
{
    dialect_read_members(r, attachment_members, pointer, item);
}

static bool read_attachments(dialect_reader *r, const char *pointer, const json_t *value)
{
    dialect_read_attachments(r, pointer, value, read_attachment);
    return true;
}

/* What stands behind "cid:" in HTML, "%40" and the like being octets; ended by what no id holds. */
static void read_shown(const char *s, const char *end, char out[CID_MOST + 1])
{
    size_t n = 0;

    while (s < end && n<CID_MOST && * s> ' ' && *s < 0x7F && !strchr("<>\"'()\\,;:[]", *s)) {
        int high = *s == '%' && end - s > 2 ? hex_digit(s[1]) : -1;
        int low = high < 0 ? -1 : hex_digit(s[2]);
        out[n++] = (char)(low < 0 ? *s : 16 * high + low);
        s += low < 0 ? 1 : 3;
    }
    out[n] = '\0';
}

/* Those of the ids that the HTML shows become true. It is gone through once, whatever it has. */
static void find_shown(dialect_reader *r, json_t *ids)
{
    const json_t *html = r->ctx;
    char shown[CID_MOST + 1];
    mime_bytes text;

    if (!json_is_string(html) || !r->body->text(r->body->ctx, html, &text))
        return;
    const char *at = text.data, *end = text.data + text.len;
    while ((at = memmem(at, (size_t)(end - at), CID, strlen(CID))) != NULL) {
        at += strlen(CID);
        read_shown(at, end, shown);
        if (json_is_false(json_object_get(ids, shown)) &&
            json_object_set_nocheck(ids, shown, json_true()) != 0)
            r->nomem = true;
    }
}

/* The Content-ID of an attachment that doesn't say how it is to be shown; NULL: it does, or has
 * none. */
static const char *undecided(const json_t *attachment)
{
    if (json_object_get(attachment, "disposition"))
        return NULL;
    return json_string_value(json_object_get(attachment, "content_id"));
}

static void decide_dispositions(dialect_reader *r)
{
    const json_t *list = json_object_get(r->message, "attachments");
    json_t *ids = json_object(), *one;
    size_t i;

    json_array_foreach((json_t *)list, i, one)
    {
        const char *id = undecided(one);
        if (id && json_object_set_nocheck(ids, id, json_false()) != 0)
            r->nomem = true;
    }
    if (json_object_size(ids) > 0)
        find_shown(r, ids);
    json_array_foreach((json_t *)list, i, one)
    {
        const char *id = undecided(one);
        bool is_shown = id && json_is_true(json_object_get(ids, id));
        if (id && json_object_set_new(one, "disposition",
                                      json_string(is_shown ? "inline" : "attachment")) != 0)
            r->nomem = true;
    }
    json_decref(ids);
}

/* ---- templates ---- */

static bool name_template(dialect_reader *r, const char *pointer, json_t *name)
{
    if (!json_object_get(r->message, "template")) {
        dialect_set(r, "template", name);
        return true;
    }
    json_decref(name);
    faults_add(r->errors, pointer, "template",
               "TemplateId and TemplateAlias name a template each.");
    return false;
}

static bool read_template_id(dialect_reader *r, const char *pointer, const json_t *value)
{
    char name[32];

    if (!json_is_integer(value)) {
        dialect_wrong_type(r, pointer, "a whole number", value);
        return false;
    }
    (void)snprintf(name, sizeof name, "%lld", (long long)json_integer_value(value));
    return name_template(r, pointer, json_string(name));
}

static bool read_template_alias(dialect_reader *r, const char *pointer, const json_t *value)
{
    return dialect_is_empty(value) || name_template(r, pointer, json_incref((json_t *)value));
}

/* ---- the members ---- */

#define NO_INLINING "A template is sent as it is; those that are built in have their styles inline."
#define UNTRACKED   "Nothing is tracked: the mail is sent as it is."

/* One table for all endpoints: a message that names a template is one of it wherever it comes. */
static const dialect_member message_members[] = {
    {.name = "From", .use = DIALECT_READ, .to = "from", .read = read_from},
    {.name = "To", .use = DIALECT_READ, .to = "to", .read = read_to},
    {.name = "Cc", .use = DIALECT_READ, .to = "cc", .read = read_cc},
    {.name = "Bcc", .use = DIALECT_READ, .to = "bcc", .read = read_bcc},
    {.name = "ReplyTo", .use = DIALECT_READ, .to = "reply_to", .read = read_reply_to},
    {.name = "Subject", .use = DIALECT_READ, .to = "subject", .read = read_subject},
    {.name = "HtmlBody", .use = DIALECT_READ, .to = "html", .read = read_html},
    {.name = "TextBody", .use = DIALECT_READ, .to = "text", .read = read_text},
    {.name = "Tag", .use = DIALECT_READ, .to = "tags", .read = read_tag},
    {.name = "Metadata", .use = DIALECT_COPY, .to = "metadata"},
    {.name = "Headers", .use = DIALECT_READ, .to = "headers", .read = read_headers},
    {.name = "Attachments", .use = DIALECT_READ, .to = "attachments", .read = read_attachments},
    {.name = "TemplateId", .use = DIALECT_READ, .to = "template", .read = read_template_id},
    {.name = "TemplateAlias", .use = DIALECT_READ, .to = "template", .read = read_template_alias},
    {.name = "TemplateModel", .use = DIALECT_COPY, .to = "data"},
    {.name = "InlineCss", .use = DIALECT_IGNORE, .note = NO_INLINING},
    {.name = "InlineCSS", .use = DIALECT_IGNORE, .note = NO_INLINING}, /* a Go client's */
    {.name = "TrackOpens", .use = DIALECT_IGNORE, .note = UNTRACKED},
    {.name = "TrackLinks", .use = DIALECT_IGNORE, .note = UNTRACKED},
    {.name = "MessageStream",
     .use = DIALECT_IGNORE,
     .note =
         "A stream is one of Postmark's ways out; which relay is ours, the configuration says."},
    {.name = NULL},
};

/* ---- bodies ---- */

static bool is_given(const json_t *item, const char *name)
{
    const json_t *value = json_object_get(item, name);
    return value && !json_is_null(value) && !dialect_is_empty(value);
}

static void read_message(const dialect_body *body, bool templated, const char *pointer,
                         const json_t *item, dialect_plan *plan, size_t i)
{
    dialect_draft *draft = &plan->drafts[i];
    char at[FAULTS_POINTER_MAX];
    dialect_reader r = {.body = body,
                        .message = json_object(),
                        .errors = &draft->errors,
                        .ctx = json_object_get(item, "HtmlBody")};

    if (r.message)
        dialect_read_members(&r, message_members, pointer, item);
    if (r.message)
        decide_dispositions(&r);
    if (templated && json_is_object(item) && !is_given(item, "TemplateId") &&
        !is_given(item, "TemplateAlias")) {
        faults_member(at, pointer, "TemplateAlias");
        faults_add(&draft->errors, at, "template", "TemplateId or TemplateAlias is required.");
    }
    plan->nomem = plan->nomem || r.nomem || !r.message || draft->errors.failed;
    if (draft->errors.total == 0)
        draft->message = r.message;
    else
        json_decref(r.message);
}

/* A token for tries: everything is looked at, nothing is sent. */
static bool is_test(const dialect_body *body)
{
    const char *token = body->header(body->ctx, TOKEN_HEADER);
    return token && strcasecmp(token, TEST_TOKEN) == 0;
}

static void read_one(const dialect_body *body, bool templated, dialect_plan *plan)
{
    plan->dry = is_test(body);
    if (dialect_plan_begin(plan, 1))
        read_message(body, templated, "", body->root, plan, 0);
}

static void read_many(const dialect_body *body, bool templated, const char *where,
                      const json_t *list, dialect_plan *plan)
{
    char at[FAULTS_POINTER_MAX];
    size_t count = json_array_size(list);

    plan->dry = is_test(body);
    plan->each = true;
    if (!json_is_array(list))
        faults_add(&plan->errors, where, "wrong_type", "An array of messages is expected.");
    else if (count == 0)
        faults_add(&plan->errors, where, "required", "There is no message in it.");
    else if (count > MESSAGES)
        faults_add(&plan->errors, where, "too_many_messages", "At most %d messages are allowed.",
                   MESSAGES);
    else if (dialect_plan_begin(plan, count)) {
        for (size_t i = 0; i < count && !plan->nomem; i++) {
            faults_item_pointer(at, where, i);
            read_message(body, templated, at, json_array_get(list, i), plan, i);
        }
    }
    plan->nomem = plan->nomem || plan->errors.failed;
}

#define MESSAGES_MEMBER "Messages"

static void read_email(const dialect_body *body, dialect_plan *plan)
{
    read_one(body, false, plan);
}

static void read_templated(const dialect_body *body, dialect_plan *plan)
{
    read_one(body, true, plan);
}

static void read_batch(const dialect_body *body, dialect_plan *plan)
{
    read_many(body, false, "", body->root, plan);
}

static const dialect_member batch_members[] = {
    {.name = MESSAGES_MEMBER, .use = DIALECT_ELSEWHERE, .to = ""},
    {.name = NULL},
};

static void read_templated_batch(const dialect_body *body, dialect_plan *plan)
{
    dialect_reader r = {.body = body, .errors = &plan->errors};

    dialect_read_members(&r, batch_members, "", body->root);
    if (plan->errors.total > 0)
        return;
    read_many(body, true, "/" MESSAGES_MEMBER, json_object_get(body->root, MESSAGES_MEMBER), plan);
}

/* ---- where it stands ---- */

static const dialect_place places[] = {
    {"/from", "/From", true},
    {"/to", "/To", true},
    {"/cc", "/Cc", true},
    {"/bcc", "/Bcc", true},
    {"/reply_to", "/ReplyTo", true},
    {"/subject", "/Subject", true},
    {"/html", "/HtmlBody", true},
    {"/text", "/TextBody", true},
    {"/template", "/TemplateAlias", true},
    {"/data", "/TemplateModel", false},
    {"/tags", "/Tag", true},
    {"/metadata", "/Metadata", false},
    {"/headers", "/Headers", false},
    {"/attachments/#/filename", "/Attachments/#/Name", true},
    {"/attachments/#/content", "/Attachments/#/Content", true},
    {"/attachments/#/content_type", "/Attachments/#/ContentType", true},
    {"/attachments/#/content_id", "/Attachments/#/ContentID", true},
    {"/attachments/#/disposition", "/Attachments/#/Disposition", true},
    {"/attachments", "/Attachments", false},
    {.ours = NULL},
};

/* The message that a draft was made of. */
static const json_t *item_of(const dialect_body *body, size_t draft, char before[32])
{
    const json_t *list =
        json_is_array(body->root) ? body->root : json_object_get(body->root, MESSAGES_MEMBER);

    before[0] = '\0';
    if (!json_is_array(list))
        return body->root;
    (void)snprintf(before, 32, "%s/%zu", list == body->root ? "" : "/" MESSAGES_MEMBER, draft);
    return json_array_get(list, draft);
}

static void origin(const dialect_body *body, size_t draft, const char *pointer,
                   char out[FAULTS_POINTER_MAX])
{
    char before[32];
    const json_t *item = item_of(body, draft, before);
    size_t i = 0;

    if (strcmp(pointer, "/template") == 0 && is_given(item, "TemplateId"))
        (void)snprintf(out, FAULTS_POINTER_MAX, "%s/TemplateId", before);
    else if (dialect_find_named(json_object_get(item, "Headers"), "Name", "/headers", pointer, &i))
        (void)snprintf(out, FAULTS_POINTER_MAX, "%s/Headers/%zu", before, i);
    else
        dialect_retell(places, before, pointer, out);
}

/* ---- failures ---- */

/* By Postern's reason; the last row is for all others. */
static const struct failure {
    const char *reason;
    unsigned status; /* 0: Postern's own */
    int code;        /* 0: by the first fault */
    const char *text;
    bool alone; /* no word of Postern's behind it */
} failures[] = {
    {"invalid", 422, 0, "", false},
    {"bad-json", 422, 402, "Received invalid JSON input. ", false},
    {"length-required", 422, 409, "JSON input is required. ", false},
    {"unauthorized", 401, 10,
     "Bad or missing API token: the Server Token of the request header " TOKEN_HEADER
     " must be one of the keys that are configured.",
     true},
    {"sender-forbidden", 422, 400,
     "The 'From' address you supplied is not a Sender Signature on your account. ", false},
    {"suppressed", 422, 406, "", false},
    {"refused", 422, 300, "The relay refused the message. ", false},
    {"too-large", 413, 300, "", false},
    {"idempotency-mismatch", 422, 300, "", false},
    {"busy", 503, 100, "", false},
    {"draining", 503, 100, "", false},
    {"memory", 503, 100, "", false},
    {"storage", 503, 100, "", false},
    {"queue", 503, 100, "", false},
    {"no-queue", 503, 100, "", false},
    {"no-relay", 503, 100, "", false},
    {"relay", 503, 100, "", false},
    {"internal", 500, 300, "", false},
    {"gateway", 500, 300, "", false},
    {"timeout", 500, 300, "", false},
    {NULL, 0, 300, "", false},
};

static const struct {
    const char *code;
    int number;
} fault_codes[] = {
    {"wrong_type", 403},
    {"template", 1101},
    {"sender_forbidden", 400},
    {"too_many_messages", 410},
};

/* What is said of a member that is missing. */
static const struct {
    const char *pointer, *text;
} missing[] = {
    {"/From", "Invalid 'From' address: ''."},
    {"/To", "Zero recipients specified."},
    {"/HtmlBody", "Provide either email TextBody or HtmlBody or both."},
};

static const struct failure *failure_of(const dialect_refusal *r)
{
    const struct failure *f = failures;
    while (f->reason && strcmp(f->reason, r->reason) != 0)
        f++;
    return f;
}

static int code_of(const struct failure *f, const dialect_refusal *r)
{
    if (f->code)
        return f->code;
    for (size_t i = 0;
         r->errors && r->errors->count > 0 && i < sizeof fault_codes / sizeof *fault_codes; i++) {
        if (strcmp(fault_codes[i].code, r->errors->list[0].code) == 0)
            return fault_codes[i].number;
    }
    return 300;
}

/* `before`: where the message stands, which nobody needs to be told whose answer it is. */
static void say_fault(buf *out, const faults_item *e, const char *before)
{
    size_t len = strlen(before);
    const char *pointer = strncmp(e->pointer, before, len) == 0 ? e->pointer + len : e->pointer;

    for (size_t i = 0; strcmp(e->code, "required") == 0 && i < sizeof missing / sizeof *missing;
         i++) {
        if (strcmp(missing[i].pointer, pointer) == 0) {
            buf_adds(out, missing[i].text);
            return;
        }
    }
    if (*pointer && strcmp(e->code, "address") != 0) {
        dialect_path(out, pointer);
        buf_adds(out, ": ");
    }
    buf_adds(out, e->detail);
}

static void say_faults(buf *out, const faults *errors, const char *before)
{
    for (size_t i = 0; i < errors->count && i < SENTENCES; i++) {
        if (i > 0)
            buf_addc(out, ' ');
        say_fault(out, &errors->list[i], before);
    }
    if (errors->total > SENTENCES)
        buf_addf(out, " (%zu more.)", errors->total - SENTENCES);
}

static void add_addresses(buf *out, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_adds(out, i ? ", " : "");
        buf_adds(out, list[i]);
    }
    buf_adds(out, "." WHY_INACTIVE);
}

static void say(buf *out, const struct failure *f, const dialect_refusal *r, const char *before)
{
    buf_adds(out, f->text);
    if (f->code == 406) {
        buf_adds(out, "You tried to send to recipient(s) that have been marked as inactive. "
                      "Found inactive addresses: ");
        add_addresses(out, r->suppressed, r->suppressed_count);
    } else if (f->alone) {
        return;
    } else if (r->errors && r->errors->count > 0) {
        say_faults(out, r->errors, before);
    } else {
        buf_adds(out, r->detail ? r->detail : "");
    }
}

static void write_message(jsonw *w, int code, buf *text)
{
    jsonw_key(w, "ErrorCode");
    jsonw_int(w, code);
    jsonw_key(w, "Message");
    jsonw_strn(w, text->data ? text->data : "", text->len);
    if (!buf_ok(text))
        w->out->failed = true;
    buf_free(text);
}

static void write_refusal(jsonw *w, const dialect_refusal *r, const char *before)
{
    const struct failure *f = failure_of(r);
    buf text = BUF_INIT;

    say(&text, f, r, before);
    jsonw_object(w);
    write_message(w, code_of(f, r), &text);
    jsonw_object_end(w);
}

static void refused(const dialect_refusal *r, dialect_answer *out)
{
    const struct failure *f = failure_of(r);
    jsonw w;

    out->status = f->status ? f->status : r->status;
    out->content_type = "application/json";
    jsonw_init(&w, &out->content);
    write_refusal(&w, r, "");
}

/* ---- success ---- */

static void write_list(jsonw *w, const dialect_body *body, const json_t *item, const char *name)
{
    mime_bytes text;

    if (!is_given(item, name) || !body->text(body->ctx, json_object_get(item, name), &text))
        return;
    jsonw_keyn(w, name, strlen(name));
    jsonw_strn(w, text.data, text.len);
}

/* As Postmark writes it, with seven digits of a second. */
static void write_time(jsonw *w, int64_t us)
{
    char text[WRITTEN_TIME], at[CIVIL_TIME + 1];

    civil_time(us, at);
    (void)snprintf(text, sizeof text, "%.*s%03d0Z", CIVIL_TIME - 1, at, (int)(us % 1000));
    jsonw_key(w, "SubmittedAt");
    jsonw_str(w, text);
}

static void write_sent(jsonw *w, const dialect_body *body, const json_t *item,
                       const dialect_sent *sent, bool dry)
{
    char uuid[DIALECT_UUID + 1];
    buf text = BUF_INIT;

    jsonw_object(w);
    write_list(w, body, item, "To");
    write_list(w, body, item, "Cc");
    write_list(w, body, item, "Bcc");
    write_time(w, body->now_us);
    dialect_uuid(sent->id ? sent->id : "", uuid);
    jsonw_key(w, "MessageID");
    jsonw_str(w, uuid);
    if (sent->suppressed_count > 0) {
        buf_adds(&text, "Message OK, but will not deliver to these inactive addresses: ");
        add_addresses(&text, sent->suppressed, sent->suppressed_count);
    } else {
        buf_adds(&text, dry ? "Test job accepted" : "OK");
    }
    write_message(w, 0, &text);
    jsonw_object_end(w);
}

static void write_outcome(jsonw *w, const dialect_body *body, const dialect_sent *list, size_t i,
                          bool dry)
{
    char before[32];
    const json_t *item = item_of(body, i, before);

    if (list[i].refusal)
        write_refusal(w, list[i].refusal, before);
    else
        write_sent(w, body, item, &list[i], dry);
}

static void accepted(const dialect_body *body, const dialect_sent *list, size_t count, bool dry,
                     dialect_answer *out)
{
    jsonw w;

    out->status = 200;
    out->content_type = "application/json";
    jsonw_init(&w, &out->content);
    if (count > 0)
        write_outcome(&w, body, list, 0, dry);
}

/* 200 whatever became of them: each says so itself, in their order. */
static void accepted_batch(const dialect_body *body, const dialect_sent *list, size_t count,
                           bool dry, dialect_answer *out)
{
    jsonw w;

    out->status = 200;
    out->content_type = "application/json";
    jsonw_init(&w, &out->content);
    jsonw_array(&w);
    for (size_t i = 0; i < count; i++)
        write_outcome(&w, body, list, i, dry);
    jsonw_array_end(&w);
}

/* ---- the table ---- */

#define ENDPOINT(at, deep, reads, answers)                                                         \
    {                                                                                              \
        .path = (at), .method = "POST", .action = DIALECT_SEND, .form = DIALECT_JSON,              \
        .keyed = true, .files = "Attachments", .content = "Content", .level = (deep),              \
        .read = (reads), .origin = origin, .accepted = (answers)                                   \
    }

/* Clients write some of them with a slash at the end, as Postmark's documentation does. */
static const dialect_endpoint endpoints[] = {
    ENDPOINT("/email", 1, read_email, accepted),
    ENDPOINT("/email/batch", 2, read_batch, accepted_batch),
    ENDPOINT("/email/withTemplate", 1, read_templated, accepted),
    ENDPOINT("/email/withTemplate/", 1, read_templated, accepted),
    ENDPOINT("/email/batchWithTemplates", 3, read_templated_batch, accepted_batch),
    ENDPOINT("/email/batchWithTemplates/", 3, read_templated_batch, accepted_batch),
    {.path = NULL},
};

const dialect dialect_postmark = {
    .name = "postmark",
    .auth = DIALECT_HEADER,
    .key_header = TOKEN_HEADER,
    .endpoints = endpoints,
    .refused = refused,
};
