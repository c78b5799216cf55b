/*
 * SendGrid's v3: POST /v3/mail/send. A personalization is a draft; what the body says beside them
 * is every draft's, and what a personalization says itself wins.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/jsonw.h"
#include "dialect/reader.h"
#include "dialect/replace.h"

#define RECIPIENTS    1000  /* of all personalizations together */
#define REPLY_TO      1000  /* mailboxes */
#define CATEGORIES    10    /* … */
#define ARGUMENTS     10000 /* octets of names and values */
#define SUBSTITUTIONS 10000 /* … */
#define AHEAD         (72 * INT64_C(3600))
/* Of all that substitutions make of one request. */
#define MADE_OCTETS ((size_t)32 << 20)
#define MADE_STEPS  ((uint64_t)300 << 20)

enum { TEXT, HTML, CONTENTS };

/* What the body says, and the personalization at hand. */
typedef struct mail {
    const json_t *subject, *headers, *arguments, *sections, *batch;
    json_t *parsed;            /* owned: arguments that came as a text */
    json_t *content[CONTENTS]; /* owned */
    bool content_given, template_given, reply_to_given, dry;
    bool footer;
    const json_t *footer_parts[CONTENTS];
    size_t recipients;
    replace_budget budget;
    struct {
        const json_t *subject, *headers, *arguments, *substitutions;
        size_t to;
    } own;
} mail;

static mail *mail_of(const dialect_reader *r)
{
    return r->ctx;
}

/* ---- what several members have in common ---- */

static bool is_empty(const json_t *string)
{
    return json_is_string(string) && json_string_length(string) == 0;
}

/* A text of one character at least. */
static bool read_filled(dialect_reader *r, const char *pointer, const json_t *value,
                        const char *what)
{
    mime_bytes text;
    if (!dialect_text(r, pointer, value, &text))
        return false;
    if (text.len == 0)
        faults_add(r->errors, pointer, "empty",
                   "%s must be a string at least one character in length.", what);
    return text.len > 0;
}

static bool is_true(dialect_reader *r, const char *pointer, const json_t *value)
{
    if (!json_is_boolean(value))
        dialect_wrong_type(r, pointer, "true or false", value);
    return json_is_true(value);
}

/* Whether a setting {"enable": …} is asked for. */
static bool is_enabled(dialect_reader *r, const char *pointer, const json_t *value)
{
    char at[FAULTS_POINTER_MAX];
    const json_t *enable = json_object_get(value, "enable");

    if (!json_is_object(value)) {
        dialect_wrong_type(r, pointer, "an object", value);
        return false;
    }
    faults_member(at, pointer, "enable");
    return enable && !json_is_null(enable) && is_true(r, at, enable);
}

static bool is_array(dialect_reader *r, const char *pointer, const json_t *value)
{
    if (!json_is_array(value))
        dialect_wrong_type(r, pointer, "an array", value);
    return json_is_array(value);
}

/* ---- mailboxes ---- */

/* {"email", "name"} is what a draft takes, too, and what is wrong with them is found there. */
static bool read_mailbox(dialect_reader *r, const char *pointer, const json_t *value)
{
    if (!json_is_object(value))
        dialect_wrong_type(r, pointer, "an object {email, name}", value);
    return json_is_object(value);
}

static bool read_mailboxes(dialect_reader *r, const char *pointer, const json_t *value)
{
    char at[FAULTS_POINTER_MAX];
    bool good = is_array(r, pointer, value);

    for (size_t i = 0; good && i < json_array_size(value); i++) {
        faults_item_pointer(at, pointer, i);
        good = read_mailbox(r, at, json_array_get(value, i));
    }
    return good;
}

static bool read_from(dialect_reader *r, const char *pointer, const json_t *value)
{
    if (read_mailbox(r, pointer, value))
        dialect_share(r, "from", value);
    return true;
}

static bool read_recipients(dialect_reader *r, const char *pointer, const char *name,
                            const json_t *value)
{
    mail_of(r)->recipients += json_array_size(value);
    if (read_mailboxes(r, pointer, value))
        dialect_share(r, name, value);
    return true;
}

static bool read_to(dialect_reader *r, const char *pointer, const json_t *value)
{
    mail_of(r)->own.to = json_is_array(value) ? json_array_size(value) : 1;
    return read_recipients(r, pointer, "to", value);
}

static bool read_cc(dialect_reader *r, const char *pointer, const json_t *value)
{
    return read_recipients(r, pointer, "cc", value);
}

static bool read_bcc(dialect_reader *r, const char *pointer, const json_t *value)
{
    return read_recipients(r, pointer, "bcc", value);
}

static void set_reply_to(dialect_reader *r, const char *pointer, const json_t *value)
{
    if (mail_of(r)->reply_to_given)
        faults_add(r->errors, pointer, "twice",
                   "Only one of reply_to and reply_to_list can be used.");
    mail_of(r)->reply_to_given = true;
    dialect_share(r, "reply_to", value);
}

static bool read_reply_to(dialect_reader *r, const char *pointer, const json_t *value)
{
    if (read_mailbox(r, pointer, value))
        set_reply_to(r, pointer, value);
    return true;
}

static bool read_reply_to_list(dialect_reader *r, const char *pointer, const json_t *value)
{
    size_t count = json_array_size(value);

    if (!read_mailboxes(r, pointer, value) || count == 0)
        return true;
    if (count > REPLY_TO)
        faults_add(r->errors, pointer, "too_many", "At most %d addresses are allowed.", REPLY_TO);
    else
        set_reply_to(r, pointer, value);
    return true;
}

/* ---- subject, content, template ---- */

static bool read_subject(dialect_reader *r, const char *pointer, const json_t *value)
{
    if (read_filled(r, pointer, value, "The subject of your email"))
        mail_of(r)->subject = value;
    return true;
}

static bool read_own_subject(dialect_reader *r, const char *pointer, const json_t *value)
{
    if (read_filled(r, pointer, value, "The subject of your email"))
        mail_of(r)->own.subject = value;
    return true;
}

static const dialect_member content_members[] = {
    {"type", DIALECT_ELSEWHERE, "text", NULL, NULL},
    {"value", DIALECT_ELSEWHERE, "text", NULL, NULL},
    {.name = NULL},
};

/* Which of the two it is; CONTENTS, and a fault: it is neither. */
static int content_kind(dialect_reader *r, const char *pointer, const json_t *type)
{
    static const char *const types[CONTENTS] = {"text/plain", "text/html"};
    char at[FAULTS_POINTER_MAX];
    mime_bytes text;

    faults_member(at, pointer, "type");
    if (!type || json_is_null(type)) {
        faults_add(r->errors, at, "required",
                   "A content type is required, this tells email clients how to display the "
                   "email.");
        return CONTENTS;
    }
    if (!dialect_text(r, at, type, &text))
        return CONTENTS;
    for (int i = TEXT; i < CONTENTS; i++) {
        if (strcasecmp(text.data, types[i]) == 0)
            return i;
    }
    faults_add(r->errors, at, "unsupported",
               "Only text/plain and text/html can be sent, without parameters; send other "
               "content as an attachment.");
    return CONTENTS;
}

static void read_one_content(dialect_reader *r, const char *pointer, const json_t *one)
{
    mail *m = mail_of(r);
    const json_t *value = json_object_get(one, "value");
    char at[FAULTS_POINTER_MAX];

    dialect_read_members(r, content_members, pointer, one);
    int kind =
        json_is_object(one) ? content_kind(r, pointer, json_object_get(one, "type")) : CONTENTS;
    if (kind == CONTENTS)
        return;
    faults_member(at, pointer, "value");
    if (!value || json_is_null(value))
        faults_add(r->errors, at, "required",
                   "A content value is required, this is the content of the email you are "
                   "sending.");
    else if (!read_filled(r, at, value, "The content value"))
        return;
    else if (m->content[kind])
        faults_add(r->errors, pointer, "twice",
                   "If present, text/plain and text/html may only be provided once.");
    else if (kind == TEXT && m->content[HTML])
        faults_add(r->errors, pointer, "order",
                   "Following RFC 1341, section 7.2, if either text/html or text/plain are to be "
                   "sent in your email: text/plain needs to be first, followed by text/html, "
                   "followed by any other content.");
    else
        m->content[kind] = json_incref((json_t *)value);
}

static bool read_content(dialect_reader *r, const char *pointer, const json_t *value)
{
    char at[FAULTS_POINTER_MAX];

    if (!is_array(r, pointer, value))
        return true;
    mail_of(r)->content_given = json_array_size(value) > 0;
    for (size_t i = 0; i < json_array_size(value); i++) {
        faults_item_pointer(at, pointer, i);
        read_one_content(r, at, json_array_get(value, i));
    }
    return true;
}

static bool read_template(dialect_reader *r, const char *pointer, const json_t *value)
{
    if (read_filled(r, pointer, value, "The template ID"))
        dialect_share(r, "template", value);
    mail_of(r)->template_given = true;
    return true;
}

/* ---- attachments ---- */

static bool read_filename(dialect_reader *r, const char *pointer, const json_t *value)
{
    (void)pointer;
    if (!is_empty(value)) /* so says who knows of none, because it is required */
        dialect_share(r, "filename", value);
    return true;
}

static bool read_content_id(dialect_reader *r, const char *pointer, const json_t *value)
{
    const json_t *other = json_object_get(r->message, "content_id");
    if (is_empty(value))
        return true;
    if (other && !json_equal(other, value))
        faults_add(r->errors, pointer, "twice", "content_id and contentId say different things.");
    else
        dialect_share(r, "content_id", value);
    return true;
}

static const dialect_member attachment_members[] = {
    {"content", DIALECT_COPY, "content", NULL, NULL},
    {"filename", DIALECT_READ, "filename", read_filename, NULL},
    {"type", DIALECT_COPY, "content_type", NULL, NULL},
    {"disposition", DIALECT_COPY, "disposition", NULL, NULL},
    {"content_id", DIALECT_READ, "content_id", read_content_id, NULL},
    {"contentId", DIALECT_READ, "content_id", read_content_id, NULL},
    {"name", DIALECT_IGNORE, NULL, NULL, "The file's name is filename."},
    {.name = NULL},
};

static json_t *read_attachment(dialect_reader *whole, const char *pointer, const json_t *value)
{
    dialect_reader r = *whole;
    char at[FAULTS_POINTER_MAX];
    const json_t *filename = json_object_get(value, "filename");

    r.message = json_object();
    if (!r.message)
        return NULL;
    dialect_read_members(&r, attachment_members, pointer, value);
    if (json_is_object(value) && (!filename || json_is_null(filename))) {
        faults_member(at, pointer, "filename");
        faults_add(r.errors, at, "required", "filename is required.");
    }
    /* A draft's that has a content_id is inline unless it says otherwise. */
    if (json_object_get(r.message, "content_id") && !json_object_get(r.message, "disposition"))
        dialect_set(&r, "disposition", json_string("attachment"));
    whole->nomem = whole->nomem || r.nomem;
    return r.message;
}

static bool read_attachments(dialect_reader *r, const char *pointer, const json_t *value)
{
    char at[FAULTS_POINTER_MAX];

    if (!is_array(r, pointer, value))
        return true;
    json_t *list = json_array();
    for (size_t i = 0; list && i < json_array_size(value); i++) {
        faults_item_pointer(at, pointer, i);
        if (json_array_append_new(list, read_attachment(r, at, json_array_get(value, i))) != 0)
            r->nomem = true;
    }
    dialect_set(r, "attachments", list);
    return true;
}

/* ---- headers ---- */

static bool is_reserved(const char *name)
{
    static const char *const reserved[] = {
        "x-sg-id",      "x-sg-eid",
        "received",     "dkim-signature",
        "content-type", "content-transfer-encoding",
        "to",           "from",
        "subject",      "reply-to",
        "cc",           "bcc",
    };
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        if (strcasecmp(name, reserved[i]) == 0)
            return true;
    }
    return false;
}

static bool check_headers(dialect_reader *r, const char *pointer, const json_t *value)
{
    char at[FAULTS_POINTER_MAX];
    const char *name;
    json_t *member;

    if (!json_is_object(value)) {
        dialect_wrong_type(r, pointer, "an object", value);
        return false;
    }
    json_object_foreach((json_t *)value, name, member)
    {
        faults_pointer(at, pointer, name);
        if (is_reserved(name))
            faults_add(r->errors, at, "header_name", "Header can not be one of the reserved keys.");
        else if (!json_is_string(member) && !json_is_null(member))
            faults_add(r->errors, at, "wrong_type", "The header values must be strings.");
    }
    return true;
}

static bool read_headers(dialect_reader *r, const char *pointer, const json_t *value)
{
    if (check_headers(r, pointer, value))
        mail_of(r)->headers = value;
    return true;
}

static bool read_own_headers(dialect_reader *r, const char *pointer, const json_t *value)
{
    if (check_headers(r, pointer, value))
        mail_of(r)->own.headers = value;
    return true;
}

/* The name that an object has in whatever case; NULL: it has none. */
static const char *find_name(const json_t *object, const char *name)
{
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)object, key, member)
    {
        if (strcasecmp(key, name) == 0)
            return key;
    }
    return NULL;
}

static void set_headers(dialect_reader *r)
{
    const mail *m = mail_of(r);
    const char *name;
    json_t *member;

    if (!m->own.headers) {
        if (m->headers)
            dialect_share(r, "headers", m->headers);
        return;
    }
    json_t *merged = m->headers ? json_copy((json_t *)m->headers) : json_object();
    json_object_foreach((json_t *)m->own.headers, name, member)
    {
        const char *same = find_name(merged, name);
        if (same && strcmp(same, name) != 0)
            (void)json_object_del(merged, same);
        if (json_object_set(merged, name, member) != 0)
            r->nomem = true;
    }
    dialect_set(r, "headers", merged);
}

/* ---- custom_args ---- */

/* As a text; NULL: it is none, or there is no memory. */
static json_t *argument_text(const json_t *value)
{
    char digits[32];

    switch (json_typeof(value)) {
    case JSON_STRING: return json_incref((json_t *)value);
    case JSON_TRUE: return json_string("true");
    case JSON_FALSE: return json_string("false");
    case JSON_INTEGER:
        (void)snprintf(digits, sizeof digits, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return json_string(digits);
    case JSON_REAL:
        (void)snprintf(digits, sizeof digits, "%.15g", json_real_value(value));
        return json_string(digits);
    default: return NULL;
    }
}

static void check_arguments(dialect_reader *r, const char *pointer, const json_t *object)
{
    char at[FAULTS_POINTER_MAX];
    const char *name;
    json_t *member;

    json_object_foreach((json_t *)object, name, member)
    {
        faults_pointer(at, pointer, name);
        if (json_is_object(member) || json_is_array(member))
            faults_add(r->errors, at, "wrong_type",
                       "All values of custom arguments object must be strings");
    }
}

/* The API's description has them as a text, which an object stands in. */
static bool read_arguments(dialect_reader *r, const char *pointer, const json_t *value)
{
    mail *m = mail_of(r);
    mime_bytes text;

    if (json_is_string(value)) {
        if (!dialect_text(r, pointer, value, &text))
            return true;
        m->parsed = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
        value = m->parsed;
    }
    if (!json_is_object(value)) {
        faults_add(r->errors, pointer, "wrong_type", "Must be an object.");
        return true;
    }
    check_arguments(r, pointer, value);
    m->arguments = value;
    return true;
}

static bool read_own_arguments(dialect_reader *r, const char *pointer, const json_t *value)
{
    if (!json_is_object(value)) {
        dialect_wrong_type(r, pointer, "an object", value);
        return true;
    }
    check_arguments(r, pointer, value);
    mail_of(r)->own.arguments = value;
    return true;
}

static void add_arguments(dialect_reader *r, json_t *to, const json_t *from)
{
    const char *name;
    json_t *member;

    json_object_foreach((json_t *)from, name, member)
    {
        bool is_text = !json_is_null(member) && !json_is_object(member) && !json_is_array(member);
        if (is_text && json_object_set_new(to, name, argument_text(member)) != 0)
            r->nomem = true;
    }
}

static bool read_batch(dialect_reader *r, const char *pointer, const json_t *value)
{
    if (read_filled(r, pointer, value, "The batch_id"))
        mail_of(r)->batch = value;
    return true;
}

/* The octets of names and texts of an object. */
static size_t weigh(const dialect_reader *r, const json_t *object)
{
    const char *name;
    json_t *member;
    size_t n = 0;

    json_object_foreach((json_t *)object, name, member)
    {
        mime_bytes text = {0};
        if (json_is_string(member) && r->body->text(r->body->ctx, member, &text))
            n += text.len;
        n += strlen(name);
    }
    return n;
}

static void set_metadata(dialect_reader *r, const char *pointer)
{
    const mail *m = mail_of(r);
    char at[FAULTS_POINTER_MAX];

    if (!m->arguments && !m->own.arguments && !m->batch)
        return;
    json_t *metadata = json_object();
    add_arguments(r, metadata, m->arguments);
    add_arguments(r, metadata, m->own.arguments);
    faults_member(at, m->own.arguments ? pointer : "", "custom_args");
    if (weigh(r, metadata) > ARGUMENTS)
        faults_add(r->errors, at, "too_long",
                   "The combined size of both global and personalization custom arguments may not "
                   "exceed 10,000 bytes per personalization.");
    if (m->batch && !json_object_get(metadata, "batch_id") &&
        json_object_set(metadata, "batch_id", (json_t *)m->batch) != 0)
        r->nomem = true;
    dialect_set(r, "metadata", metadata);
}

/* ---- the other members ---- */

static bool read_categories(dialect_reader *r, const char *pointer, const json_t *value)
{
    char at[FAULTS_POINTER_MAX];
    size_t count = json_array_size(value);

    if (!is_array(r, pointer, value))
        return true;
    if (count > CATEGORIES)
        faults_add(r->errors, pointer, "too_many",
                   "There is a limit of 10 categories for each email that is sent. You provided "
                   "%zu categories.",
                   count);
    for (size_t i = 0; i < count && count <= CATEGORIES; i++) {
        for (size_t k = 0; k < i; k++) {
            if (!json_equal(json_array_get(value, i), json_array_get(value, k)))
                continue;
            faults_item_pointer(at, pointer, i);
            faults_add(r->errors, at, "twice",
                       "The categories must be a unique list; this one stands there twice.");
            break;
        }
    }
    dialect_share(r, "tags", value);
    return true;
}

static bool read_send_at(dialect_reader *r, const char *pointer, const json_t *value)
{
    if (!json_is_integer(value))
        faults_add(r->errors, pointer, "wrong_type",
                   "The send_at parameter is expecting a Unix timestamp as an integer.");
    else if (json_integer_value(value) > r->body->now_us / 1000000 + AHEAD)
        faults_add(r->errors, pointer, "time",
                   "Scheduling more than 72 hours in advance is forbidden.");
    else
        dialect_share(r, "send_at", value);
    return true;
}

static bool read_group(dialect_reader *r, const char *pointer, const json_t *value)
{
    char name[32];

    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        faults_add(r->errors, pointer, "wrong_type", "The ASM group ID must be an integer.");
        return true;
    }
    (void)snprintf(name, sizeof name, "group-%" JSON_INTEGER_FORMAT, json_integer_value(value));
    dialect_set(r, "list", json_string(name));
    return true;
}

static const dialect_member asm_members[] = {
    {"group_id", DIALECT_READ, "list", read_group, NULL},
    {"groups_to_display", DIALECT_IGNORE, NULL, NULL,
     "The page to unsubscribe shows the mail's own list alone."},
    {.name = NULL},
};

static bool read_asm(dialect_reader *r, const char *pointer, const json_t *value)
{
    char at[FAULTS_POINTER_MAX];

    dialect_read_members(r, asm_members, pointer, value);
    if (json_is_object(value) && !json_object_get(value, "group_id")) {
        faults_member(at, pointer, "group_id");
        faults_add(r->errors, at, "required", "The ASM group ID must be an integer.");
    }
    return true;
}

static bool read_sections(dialect_reader *r, const char *pointer, const json_t *value)
{
    if (json_is_object(value))
        mail_of(r)->sections = value;
    else
        dialect_wrong_type(r, pointer, "an object", value);
    return true;
}

/* ---- settings ---- */

static bool read_footer_enable(dialect_reader *r, const char *pointer, const json_t *value)
{
    mail_of(r)->footer = is_true(r, pointer, value);
    return true;
}

static bool read_footer_part(dialect_reader *r, const char *pointer, const json_t *value, int kind)
{
    mime_bytes text;
    if (dialect_text(r, pointer, value, &text))
        mail_of(r)->footer_parts[kind] = value;
    return true;
}

static bool read_footer_text(dialect_reader *r, const char *pointer, const json_t *value)
{
    return read_footer_part(r, pointer, value, TEXT);
}

static bool read_footer_html(dialect_reader *r, const char *pointer, const json_t *value)
{
    return read_footer_part(r, pointer, value, HTML);
}

static const dialect_member footer_members[] = {
    {"enable", DIALECT_READ, NULL, read_footer_enable, NULL},
    {"text", DIALECT_READ, "text", read_footer_text, NULL},
    {"html", DIALECT_READ, "html", read_footer_html, NULL},
    {.name = NULL},
};

static bool read_footer(dialect_reader *r, const char *pointer, const json_t *value)
{
    dialect_read_members(r, footer_members, pointer, value);
    return true;
}

static bool read_sandbox(dialect_reader *r, const char *pointer, const json_t *value)
{
    mail_of(r)->dry = is_enabled(r, pointer, value);
    return true;
}

#define BYPASS                                                                                     \
    "Nothing is sent to an address that is suppressed; take it off the list to send to it."

static const dialect_member mail_settings_members[] = {
    {"bypass_list_management", DIALECT_IGNORE, NULL, NULL, BYPASS},
    {"bypass_spam_management", DIALECT_IGNORE, NULL, NULL, BYPASS},
    {"bypass_bounce_management", DIALECT_IGNORE, NULL, NULL, BYPASS},
    {"bypass_unsubscribe_management", DIALECT_IGNORE, NULL, NULL, BYPASS},
    {"footer", DIALECT_READ, NULL, read_footer, NULL},
    {"sandbox_mode", DIALECT_READ, NULL, read_sandbox, NULL},
    {"bcc", DIALECT_REFUSE, NULL, is_enabled,
     "Blind copies are a personalization's bcc, not a setting."},
    {"spam_check", DIALECT_REFUSE, NULL, is_enabled,
     "Mail is not checked for spam on its way out."},
    {.name = NULL},
};

static bool read_mail_settings(dialect_reader *r, const char *pointer, const json_t *value)
{
    dialect_read_members(r, mail_settings_members, pointer, value);
    return true;
}

static const dialect_member tracking_settings_members[] = {
    {"click_tracking", DIALECT_IGNORE, NULL, NULL,
     "Links are sent as they are: who clicks is not followed."},
    {"open_tracking", DIALECT_IGNORE, NULL, NULL,
     "No picture is put into mail: who opens it is not followed."},
    {"subscription_tracking", DIALECT_REFUSE, NULL, is_enabled,
     "No link to unsubscribe is written into a text; asm.group_id makes a mail one of a list, with "
     "the headers to leave it."},
    {"ganalytics", DIALECT_IGNORE, NULL, NULL,
     "Links are sent as they are: nothing is added to them."},
    {.name = NULL},
};

static bool read_tracking_settings(dialect_reader *r, const char *pointer, const json_t *value)
{
    dialect_read_members(r, tracking_settings_members, pointer, value);
    return true;
}

/* ---- the tables ---- */

static const dialect_member mail_members[] = {
    {"personalizations", DIALECT_ELSEWHERE, NULL, NULL, NULL},
    {"from", DIALECT_READ, "from", read_from, NULL},
    {"reply_to", DIALECT_READ, "reply_to", read_reply_to, NULL},
    {"reply_to_list", DIALECT_READ, "reply_to", read_reply_to_list, NULL},
    {"subject", DIALECT_READ, "subject", read_subject, NULL},
    {"content", DIALECT_READ, "text", read_content, NULL},
    {"attachments", DIALECT_READ, "attachments", read_attachments, NULL},
    {"template_id", DIALECT_READ, "template", read_template, NULL},
    {"sections", DIALECT_READ, NULL, read_sections, NULL},
    {"headers", DIALECT_READ, "headers", read_headers, NULL},
    {"categories", DIALECT_READ, "tags", read_categories, NULL},
    {"custom_args", DIALECT_READ, "metadata", read_arguments, NULL},
    {"send_at", DIALECT_READ, "send_at", read_send_at, NULL},
    {"batch_id", DIALECT_READ, "metadata", read_batch, NULL},
    {"asm", DIALECT_READ, "list", read_asm, NULL},
    {"ip_pool_name", DIALECT_IGNORE, NULL, NULL,
     "Which addresses mail comes from is the relay's to choose."},
    {"mail_settings", DIALECT_READ, NULL, read_mail_settings, NULL},
    {"tracking_settings", DIALECT_READ, NULL, read_tracking_settings, NULL},
    {.name = NULL},
};

static bool read_substitutions(dialect_reader *r, const char *pointer, const json_t *value)
{
    char at[FAULTS_POINTER_MAX];
    const char *name;
    json_t *member;

    if (!json_is_object(value)) {
        dialect_wrong_type(r, pointer, "an object", value);
        return true;
    }
    json_object_foreach((json_t *)value, name, member)
    {
        faults_pointer(at, pointer, name);
        if (!json_is_string(member) && !json_is_null(member))
            faults_add(r->errors, at, "wrong_type",
                       "The substitution values must be an object of key/value pairs, where the "
                       "values are all strings.");
    }
    if (weigh(r, value) > SUBSTITUTIONS)
        faults_add(r->errors, pointer, "too_long",
                   "The substitutions of a personalization have at most 10,000 bytes.");
    mail_of(r)->own.substitutions = value;
    return true;
}

static const dialect_member personalization_members[] = {
    {"to", DIALECT_READ, "to", read_to, NULL},
    {"cc", DIALECT_READ, "cc", read_cc, NULL},
    {"bcc", DIALECT_READ, "bcc", read_bcc, NULL},
    {"from", DIALECT_READ, "from", read_from, NULL},
    {"subject", DIALECT_READ, "subject", read_own_subject, NULL},
    {"headers", DIALECT_READ, "headers", read_own_headers, NULL},
    {"substitutions", DIALECT_READ, NULL, read_substitutions, NULL},
    {"dynamic_template_data", DIALECT_COPY, "data", NULL, NULL},
    {"custom_args", DIALECT_READ, "metadata", read_own_arguments, NULL},
    {"send_at", DIALECT_READ, "send_at", read_send_at, NULL},
    {"categories", DIALECT_REFUSE, NULL, NULL,
     "Categories are those of the whole request, not of a personalization."},
    {.name = NULL},
};

/* ---- the footer ---- */

/* Where the last "</body" begins; at the end, where there is none. */
static size_t body_end(const mime_bytes *html)
{
    static const char tag[] = "</body";
    for (size_t i = html->len; i-- > 0;) {
        if (html->data[i] == '<' && html->len - i >= sizeof tag - 1 &&
            strncasecmp(html->data + i, tag, sizeof tag - 1) == 0)
            return i;
    }
    return html->len;
}

static void add_footer(dialect_reader *r, int kind)
{
    mail *m = mail_of(r);
    mime_bytes text = {0}, footer = {0};
    buf whole = BUF_INIT;

    if (!m->content[kind] || !m->footer_parts[kind] ||
        !r->body->text(r->body->ctx, m->content[kind], &text) ||
        !r->body->text(r->body->ctx, m->footer_parts[kind], &footer))
        return;
    size_t at = kind == HTML ? body_end(&text) : text.len;
    buf_add(&whole, text.data, at);
    buf_add(&whole, footer.data, footer.len);
    buf_add(&whole, text.data + at, text.len - at);
    json_t *made = buf_ok(&whole) ? json_stringn(whole.data, whole.len) : NULL;
    r->nomem = r->nomem || !made;
    json_decref(m->content[kind]);
    m->content[kind] = made;
    buf_free(&whole);
}

static void add_footers(dialect_reader *r)
{
    if (!mail_of(r)->footer)
        return;
    if (mail_of(r)->template_given) {
        faults_add(r->errors, "/mail_settings/footer", "unsupported",
                   "A template's texts can't have a footer put to them: write it into the "
                   "template.");
        return;
    }
    add_footer(r, TEXT);
    add_footer(r, HTML);
}

/* ---- substitutions ---- */

static size_t add_tags(const dialect_reader *r, const json_t *from, replace_kind kind,
                       replace_tag *list)
{
    const char *name;
    json_t *member;
    size_t n = 0;

    json_object_foreach((json_t *)from, name, member)
    {
        mime_bytes value = {"", 0};
        if (name[0] == '\0' ||
            (json_is_string(member) && !r->body->text(r->body->ctx, member, &value)))
            continue;
        list[n++] = (replace_tag){{name, strlen(name)}, value, kind};
    }
    return n;
}

typedef struct tags {
    replace_tag *list;
    size_t count;
    const char *pointer; /* of the personalization */
} tags;

/* The value, replaced: a new reference; NULL: no memory, or (and a fault) it becomes too long. */
static json_t *replaced(dialect_reader *r, const tags *t, const json_t *value)
{
    mime_bytes text;
    buf out = BUF_INIT;
    json_t *made = NULL;

    if (!json_is_string(value) || !r->body->text(r->body->ctx, value, &text))
        return json_incref((json_t *)value);
    switch (replace_text(t->list, t->count, &text, &mail_of(r)->budget, &out)) {
    case REPLACE_SAME: made = json_incref((json_t *)value); break;
    case REPLACE_MADE:
        made = buf_ok(&out) ? json_stringn(out.data ? out.data : "", out.len) : NULL;
        r->nomem = r->nomem || !made;
        break;
    case REPLACE_BOUND:
        faults_add(r->errors, t->pointer, "too_long",
                   "The substitutions of this request make more text than one request may: send "
                   "it in several.");
        break;
    }
    buf_free(&out);
    return made;
}

static void replace_member(dialect_reader *r, const tags *t, json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    json_t *made = value ? replaced(r, t, value) : NULL;
    if (made && json_object_set_new(object, name, made) != 0)
        r->nomem = true;
}

static json_t *replaced_mailbox(dialect_reader *r, const tags *t, const json_t *mailbox)
{
    json_t *copy = json_copy((json_t *)mailbox);
    replace_member(r, t, copy, "email");
    replace_member(r, t, copy, "name");
    return copy;
}

static void replace_reply_to(dialect_reader *r, const tags *t)
{
    const json_t *given = json_object_get(r->message, "reply_to");
    if (json_is_object(given))
        dialect_set(r, "reply_to", replaced_mailbox(r, t, given));
    if (!json_is_array(given))
        return;
    json_t *list = json_array();
    for (size_t i = 0; list && i < json_array_size(given); i++) {
        if (json_array_append_new(list, replaced_mailbox(r, t, json_array_get(given, i))) != 0)
            r->nomem = true;
    }
    dialect_set(r, "reply_to", list);
}

static void replace_all(dialect_reader *r, const char *pointer)
{
    const mail *m = mail_of(r);
    size_t most = json_object_size(m->own.substitutions) + json_object_size(m->sections);
    tags t = {.list = most ? calloc(most, sizeof *t.list) : NULL, .pointer = pointer};

    if (most == 0)
        return;
    if (!t.list) {
        r->nomem = true;
        return;
    }
    t.count = add_tags(r, m->own.substitutions, REPLACE_VALUE, t.list);
    t.count += add_tags(r, m->sections, REPLACE_SECTION, t.list + t.count);
    replace_sort(t.list, t.count);
    replace_member(r, &t, r->message, "subject");
    replace_member(r, &t, r->message, "text");
    replace_member(r, &t, r->message, "html");
    replace_reply_to(r, &t);
    free(t.list);
}

/* ---- a personalization ---- */

static void set_texts(dialect_reader *r, const char *pointer)
{
    mail *m = mail_of(r);
    const json_t *subject = m->own.subject ? m->own.subject : m->subject;
    char at[FAULTS_POINTER_MAX];

    if (m->template_given) { /* its own texts and subject are what is sent */
        faults_member(at, pointer, "substitutions");
        if (json_object_size(m->own.substitutions) > 0)
            faults_add(r->errors, at, "unsupported",
                       "Substitutions may not be used with dynamic templating");
        return;
    }
    if (subject)
        dialect_share(r, "subject", subject);
    if (m->content[TEXT])
        dialect_share(r, "text", m->content[TEXT]);
    if (m->content[HTML])
        dialect_share(r, "html", m->content[HTML]);
    replace_all(r, pointer);
}

static void read_personalization(dialect_reader *r, const char *pointer, const json_t *value)
{
    mail *m = mail_of(r);
    char at[FAULTS_POINTER_MAX];

    memset(&m->own, 0, sizeof m->own);
    dialect_read_members(r, personalization_members, pointer, value);
    if (json_is_object(value) && m->own.to == 0) {
        faults_member(at, pointer, "to");
        faults_add(r->errors, at, "required",
                   "The to array is required for all personalization objects, and must have at "
                   "least one email object with a valid email address.");
    }
    set_texts(r, pointer);
    set_headers(r);
    set_metadata(r, pointer);
}

static void read_personalizations(dialect_reader *r, const json_t *list, dialect_plan *plan)
{
    json_t *shared = r->message;
    char at[FAULTS_POINTER_MAX];

    for (size_t i = 0; i < plan->count && !r->nomem; i++) {
        dialect_draft *d = &plan->drafts[i];
        faults_init(&d->errors);
        r->errors = &d->errors;
        r->message = d->message = json_copy(shared);
        faults_item_pointer(at, "/personalizations", i);
        if (d->message)
            read_personalization(r, at, json_array_get(list, i));
        r->nomem = r->nomem || !d->message;
        if (d->errors.total > 0) {
            json_decref(d->message);
            d->message = NULL;
        }
    }
    r->errors = &plan->errors;
    r->message = shared;
}

/* ---- the whole ---- */

static bool check_count(dialect_reader *r, const json_t *list)
{
    size_t count = json_array_size(list);

    if (list && !json_is_null(list) && !json_is_array(list))
        dialect_wrong_type(r, "/personalizations", "an array", list);
    else if (count == 0)
        faults_add(r->errors, "/personalizations", "required",
                   "The personalizations field is required and must have at least one "
                   "personalization.");
    else if (count > DIALECT_DRAFTS)
        faults_add(r->errors, "/personalizations", "too_many",
                   "The personalization block is limited to 1000 personalizations per API request. "
                   "You have provided %zu personalizations. Please consider splitting this into "
                   "multiple requests and resending your request.",
                   count);
    return count > 0 && count <= DIALECT_DRAFTS;
}

static bool is_given(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return value && !json_is_null(value);
}

static bool all_have_subject(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!is_given(json_array_get(list, i), "subject"))
            return false;
    }
    return true;
}

/* What must be there. */
static void check_whole(dialect_reader *r, const json_t *root, const json_t *list)
{
    const mail *m = mail_of(r);

    if (!is_given(root, "from"))
        faults_add(
            r->errors, "/from", "required",
            "The from object must be provided for every email send. It is an object that "
            "requires the email parameter, but may also contain a name parameter.  e.g. "
            "{\"email\" : \"example@example.com\"}  or {\"email\" : \"example@example.com\", "
            "\"name\" : \"Example Recipient\"}.");
    if (!m->template_given && !m->content_given)
        faults_add(r->errors, "/content", "required",
                   "Unless a valid template_id is provided, the content parameter is required. "
                   "There must be at least one defined content block. We typically suggest both "
                   "text/plain and text/html blocks are included, but only one block is required.");
    if (!m->template_given && !is_given(root, "subject") && !all_have_subject(list))
        faults_add(r->errors, "/subject", "required",
                   "The subject is required. You can get around this requirement if you use a "
                   "template with a subject defined or if every personalization has a subject "
                   "defined.");
    if (m->recipients > RECIPIENTS)
        faults_add(r->errors, "/personalizations", "too_many_recipients",
                   "There is a limit of 1000 total recipients (to + cc + bcc) per request.");
}

static void read_send(const dialect_body *body, dialect_plan *plan)
{
    mail m = {.budget = {MADE_OCTETS, MADE_STEPS}};
    dialect_reader r = {.body = body, .message = json_object(), .errors = &plan->errors, .ctx = &m};
    const json_t *list = json_object_get(body->root, "personalizations");

    r.nomem = !r.message;
    if (r.message) {
        dialect_read_members(&r, mail_members, "", body->root);
        add_footers(&r);
    }
    if (!r.nomem && json_is_object(body->root)) {
        if (check_count(&r, list) && dialect_plan_begin(plan, json_array_size(list)))
            read_personalizations(&r, list, plan);
        check_whole(&r, body->root, list);
    }
    plan->dry = m.dry;
    plan->nomem = plan->nomem || r.nomem;
    json_decref(r.message);
    json_decref(m.parsed);
    json_decref(m.content[TEXT]);
    json_decref(m.content[HTML]);
}

/* ---- where it stands ---- */

/* A member's name in the draft, and the body's. */
static const struct {
    const char *name, *theirs;
    enum { MAIL, OWN, EITHER } place; /* in the body, the personalization, whichever has it */
} origins[] = {
    {"to", "to", OWN},
    {"cc", "cc", OWN},
    {"bcc", "bcc", OWN},
    {"data", "dynamic_template_data", OWN},
    {"from", "from", EITHER},
    {"subject", "subject", EITHER},
    {"send_at", "send_at", EITHER},
    {"headers", "headers", EITHER},
    {"metadata", "custom_args", EITHER},
    {"tags", "categories", MAIL},
    {"template", "template_id", MAIL},
    {"list", "asm/group_id", MAIL},
};

/* Whether the personalization's object is the one that a pointer's rest ("/X-Foo", "/X-Foo/…", "")
 * means. */
static bool has_rest(const json_t *object, const char *rest)
{
    const char *name;
    json_t *member;
    char at[FAULTS_POINTER_MAX];

    if (!json_is_object(object) || !*rest)
        return object && !json_is_null(object);
    json_object_foreach((json_t *)object, name, member)
    {
        faults_pointer(at, "", name);
        if (strcasecmp(at, rest) == 0)
            return true;
    }
    return false;
}

/* "/attachments/0/content_type" → "/attachments/0/type" */
static void attachment_origin(const json_t *root, const char *rest, char out[FAULTS_POINTER_MAX])
{
    size_t i = *rest ? strtoul(rest + 1, NULL, 10) : 0;
    const json_t *one = json_array_get(json_object_get(root, "attachments"), i);
    const char *name = *rest ? strchr(rest + 1, '/') : NULL;
    const char *theirs = name ? name : "";

    if (name && strcmp(name, "/content_type") == 0)
        theirs = "/type";
    else if (name && strcmp(name, "/content_id") == 0 && !is_given(one, "content_id"))
        theirs = "/contentId";
    (void)snprintf(out, FAULTS_POINTER_MAX, "/attachments%.*s%s",
                   (int)(name ? (size_t)(name - rest) : strlen(rest)), rest, theirs);
}

static void content_origin(const json_t *root, const char *type, char out[FAULTS_POINTER_MAX])
{
    const json_t *list = json_object_get(root, "content");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *given = json_string_value(json_object_get(json_array_get(list, i), "type"));
        if (given && strcasecmp(given, type) == 0) {
            (void)snprintf(out, FAULTS_POINTER_MAX, "/content/%zu/value", i);
            return;
        }
    }
    faults_member(out, "", "content");
}

static void member_origin(const json_t *root, size_t draft, const char *name, size_t len,
                          const char *rest, char out[FAULTS_POINTER_MAX])
{
    const json_t *own = json_array_get(json_object_get(root, "personalizations"), draft);
    char place[FAULTS_POINTER_MAX] = "", at[FAULTS_POINTER_MAX];
    const char *theirs = NULL;

    faults_item_pointer(at, "/personalizations", draft);
    for (size_t i = 0; !theirs && i < sizeof origins / sizeof *origins; i++) {
        if (strlen(origins[i].name) != len || memcmp(origins[i].name, name, len) != 0)
            continue;
        theirs = origins[i].theirs;
        if (origins[i].place == OWN ||
            (origins[i].place == EITHER && has_rest(json_object_get(own, theirs), rest)))
            memcpy(place, at, sizeof place);
    }
    if (!theirs) /* what is the mail's as a whole */
        memcpy(out, at, sizeof at);
    else if (snprintf(out, FAULTS_POINTER_MAX, "%s/%s%s", place, theirs, rest) >=
             FAULTS_POINTER_MAX)
        out[FAULTS_POINTER_MAX - 1] = '\0';
}

static void origin_send(const dialect_body *body, size_t draft, const char *pointer,
                        char out[FAULTS_POINTER_MAX])
{
    const char *name = *pointer ? pointer + 1 : "";
    size_t len = strcspn(name, "/");
    const char *rest = name + len;

    if (len == strlen("attachments") && memcmp(name, "attachments", len) == 0)
        attachment_origin(body->root, rest, out);
    else if (len == strlen("text") && memcmp(name, "text", len) == 0)
        content_origin(body->root, "text/plain", out);
    else if (len == strlen("html") && memcmp(name, "html", len) == 0)
        content_origin(body->root, "text/html", out);
    else if (len == strlen("reply_to") && memcmp(name, "reply_to", len) == 0)
        (void)snprintf(out, FAULTS_POINTER_MAX, "/%s%s",
                       is_given(body->root, "reply_to") ? "reply_to" : "reply_to_list", rest);
    else
        member_origin(body->root, draft, name, len, rest, out);
}

/* ---- answers ---- */

#define NO_ADDRESS "Not a valid address: "

static void write_message(jsonw *w, const faults_item *f)
{
    buf text = BUF_INIT;
    const char *reason = f->detail;

    if (strcmp(f->code, "address") == 0 && strncmp(reason, NO_ADDRESS, strlen(NO_ADDRESS)) == 0) {
        reason += strlen(NO_ADDRESS);
        size_t len = strlen(reason);
        buf_addf(&text, "Does not contain a valid address. (%.*s)",
                 (int)(len && reason[len - 1] == '.' ? len - 1 : len), reason);
        reason = buf_cstr(&text);
    }
    jsonw_str(w, reason ? reason : f->detail);
    buf_free(&text);
}

/* "/personalizations/0/to" → "personalizations.0.to" */
static void write_field(jsonw *w, const char *pointer)
{
    char name[FAULTS_POINTER_MAX];
    size_t n = 0;

    if (!*pointer) {
        jsonw_null(w);
        return;
    }
    for (const char *at = pointer + 1; *at && n < sizeof name; at++) {
        if (*at == '~' && (at[1] == '0' || at[1] == '1'))
            name[n++] = *++at == '0' ? '~' : '/';
        else
            name[n++] = *at == '/' ? '.' : *at;
    }
    jsonw_strn(w, name, n);
}

static void write_faults(jsonw *w, const faults *errors)
{
    for (size_t i = 0; i < errors->count; i++) {
        jsonw_object(w);
        jsonw_key(w, "message");
        write_message(w, &errors->list[i]);
        jsonw_key(w, "field");
        write_field(w, errors->list[i].pointer);
        jsonw_key(w, "help");
        jsonw_null(w);
        jsonw_object_end(w);
    }
}

static void write_error(jsonw *w, const char *message, const char *pointer)
{
    jsonw_object(w);
    jsonw_key(w, "message");
    jsonw_str(w, message);
    jsonw_key(w, "field");
    write_field(w, pointer);
    jsonw_key(w, "help");
    jsonw_null(w);
    jsonw_object_end(w);
}

static void begin_errors(jsonw *w, dialect_answer *out)
{
    out->content_type = "application/json";
    jsonw_init(w, &out->content);
    jsonw_object(w);
    jsonw_key(w, "errors");
    jsonw_array(w);
}

static void end_errors(jsonw *w, const char *id)
{
    jsonw_array_end(w);
    if (id) {
        jsonw_key(w, "id");
        jsonw_str(w, id);
    }
    jsonw_object_end(w);
}

static const struct {
    const char *reason;
    unsigned status;
    const char *message, *pointer; /* NULL: the problem's own */
} refusals[] = {
    {"unauthorized", 401, "authorization required", ""},
    {"sender-forbidden", 403,
     "The from address does not match a verified Sender Identity. Mail cannot be sent until this "
     "error is resolved: POSTERN_FROM does not allow this sender.",
     "/from"},
    {"busy", 429, "too many requests", ""},
};

/* SendGrid's own statuses are few: what else there is becomes the nearest of them. What may have
 * been sent is no 503, which asks for another try. */
static unsigned status_of(unsigned status)
{
    switch (status) {
    case 409:
    case 422: return 400;
    case 502:
    case 504: return 500;
    default: return status;
    }
}

static void refused(const dialect_refusal *r, dialect_answer *out)
{
    const char *message = r->detail, *pointer = "";
    jsonw w;

    out->status = status_of(r->status);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        if (strcmp(r->reason, refusals[i].reason) == 0) {
            out->status = refusals[i].status;
            message = refusals[i].message;
            pointer = refusals[i].pointer;
        }
    }
    begin_errors(&w, out);
    if (r->errors && r->errors->count > 0 && out->status == 400)
        write_faults(&w, r->errors);
    else
        write_error(&w, message, pointer);
    end_errors(&w, r->id);
}

/* Mails that were refused where others were sent have no place in SendGrid's answers, which know
 * all or nothing: they are told in a content that it has never, rather than not at all. */
static void write_partial(const dialect_sent *list, size_t count, dialect_answer *out)
{
    jsonw w;
    char at[FAULTS_POINTER_MAX];

    begin_errors(&w, out);
    for (size_t i = 0; i < count; i++) {
        faults_item_pointer(at, "/personalizations", i);
        const dialect_refusal *r = list[i].refusal;
        if (r && r->errors && r->errors->count > 0)
            write_faults(&w, r->errors);
        else if (r)
            write_error(&w, r->detail, at);
    }
    end_errors(&w, NULL);
}

static void accepted_send(const dialect_body *body, const dialect_sent *list, size_t count,
                          bool dry, dialect_answer *out)
{
    bool any_refused = false;

    (void)body;
    out->status = dry ? 200 : 202;
    for (size_t i = 0; i < count; i++) {
        any_refused = any_refused || list[i].refusal;
        if (!out->header && list[i].id && !dry) {
            out->header = "X-Message-Id";
            (void)snprintf(out->value, sizeof out->value, "%s", list[i].id);
        }
    }
    if (any_refused)
        write_partial(list, count, out);
}

/* An id that a later mail may name; it is made of the time, which is another one each time. */
static void accepted_batch(const dialect_body *body, const dialect_sent *list, size_t count,
                           bool dry, dialect_answer *out)
{
    (void)list;
    (void)count;
    (void)dry;
    out->status = 201;
    out->content_type = "application/json";
    buf_addf(&out->content, "{\"batch_id\":\"postern-%016llx\"}", (unsigned long long)body->now_us);
}

static const dialect_endpoint endpoints[] = {
    {.path = "/v3/mail/send",
     .method = "POST",
     .action = DIALECT_SEND,
     .form = DIALECT_JSON,
     .files = "attachments",
     .content = "content",
     .level = 1,
     .read = read_send,
     .origin = origin_send,
     .accepted = accepted_send},
    {.path = "/v3/mail/batch",
     .method = "POST",
     .action = DIALECT_FIXED,
     .form = DIALECT_NOTHING,
     .accepted = accepted_batch},
    {.path = NULL},
};

const dialect dialect_sendgrid = {
    .name = "sendgrid",
    .auth = DIALECT_BEARER,
    .key_header = NULL,
    .endpoints = endpoints,
    .refused = refused,
};
