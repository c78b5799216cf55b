#include "dialect/sendgrid_own.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define RECIPIENTS    1000  /* of all personalizations together */
#define REPLY_TO      1000  /* mailboxes */
#define CATEGORIES    10    /* … */
#define SUBSTITUTIONS 10000 /* octets of names and values */
#define AHEAD         (72 * INT64_C(3600))
/* Of all that substitutions make of one request. */
#define MADE_OCTETS ((size_t)32 << 20)
#define MADE_STEPS  ((uint64_t)300 << 20)

/* ---- what several members have in common ---- */

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
    sendgrid_mail_of(r)->recipients += json_array_size(value);
    if (read_mailboxes(r, pointer, value))
        dialect_share(r, name, value);
    return true;
}

static bool read_to(dialect_reader *r, const char *pointer, const json_t *value)
{
    sendgrid_mail_of(r)->own.to = json_is_array(value) ? json_array_size(value) : 1;
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
    if (sendgrid_mail_of(r)->reply_to_given)
        faults_add(r->errors, pointer, "twice",
                   "Only one of reply_to and reply_to_list can be used.");
    sendgrid_mail_of(r)->reply_to_given = true;
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
        sendgrid_mail_of(r)->subject = value;
    return true;
}

static bool read_own_subject(dialect_reader *r, const char *pointer, const json_t *value)
{
    if (read_filled(r, pointer, value, "The subject of your email"))
        sendgrid_mail_of(r)->own.subject = value;
    return true;
}

static const dialect_member content_members[] = {
    {"type", DIALECT_ELSEWHERE, "text", NULL, NULL},
    {"value", DIALECT_ELSEWHERE, "text", NULL, NULL},
    {.name = NULL},
};

/* Which of the two it is; SENDGRID_CONTENTS, and a fault: it is neither. */
static int content_kind(dialect_reader *r, const char *pointer, const json_t *type)
{
    static const char *const types[SENDGRID_CONTENTS] = {"text/plain", "text/html"};
    char at[FAULTS_POINTER_MAX];
    mime_bytes text;

    faults_member(at, pointer, "type");
    if (!type || json_is_null(type)) {
        faults_add(r->errors, at, "required",
                   "A content type is required, this tells email clients how to display the "
                   "email.");
        return SENDGRID_CONTENTS;
    }
    if (!dialect_text(r, at, type, &text))
        return SENDGRID_CONTENTS;
    for (int i = SENDGRID_TEXT; i < SENDGRID_CONTENTS; i++) {
        if (strcasecmp(text.data, types[i]) == 0)
            return i;
    }
    faults_add(r->errors, at, "unsupported",
               "Only text/plain and text/html can be sent, without parameters; send other "
               "content as an attachment.");
    return SENDGRID_CONTENTS;
}

static void read_one_content(dialect_reader *r, const char *pointer, const json_t *one)
{
    sendgrid_mail *m = sendgrid_mail_of(r);
    const json_t *value = json_object_get(one, "value");
    char at[FAULTS_POINTER_MAX];

    dialect_read_members(r, content_members, pointer, one);
    int kind = json_is_object(one) ? content_kind(r, pointer, json_object_get(one, "type"))
                                   : SENDGRID_CONTENTS;
    if (kind == SENDGRID_CONTENTS)
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
    else if (kind == SENDGRID_TEXT && m->content[SENDGRID_HTML])
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
    sendgrid_mail_of(r)->content_given = json_array_size(value) > 0;
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
    sendgrid_mail_of(r)->template_given = true;
    return true;
}

/* ---- attachments ---- */

static bool read_filename(dialect_reader *r, const char *pointer, const json_t *value)
{
    (void)pointer;
    if (!dialect_is_empty(value)) /* so says who knows of none, because it is required */
        dialect_share(r, "filename", value);
    return true;
}

static bool read_content_id(dialect_reader *r, const char *pointer, const json_t *value)
{
    const json_t *other = json_object_get(r->message, "content_id");
    if (dialect_is_empty(value))
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

static void read_attachment(dialect_reader *r, const char *pointer, const json_t *value)
{
    char at[FAULTS_POINTER_MAX];
    const json_t *filename = json_object_get(value, "filename");

    dialect_read_members(r, attachment_members, pointer, value);
    if (json_is_object(value) && (!filename || json_is_null(filename))) {
        faults_member(at, pointer, "filename");
        faults_add(r->errors, at, "required", "filename is required.");
    }
    /* A draft's that has a content_id is inline unless it says otherwise. */
    if (json_object_get(r->message, "content_id") && !json_object_get(r->message, "disposition"))
        dialect_set(r, "disposition", json_string("attachment"));
}

static bool read_attachments(dialect_reader *r, const char *pointer, const json_t *value)
{
    dialect_read_attachments(r, pointer, value, read_attachment);
    return true;
}

/* ---- the other members ---- */

static bool read_batch(dialect_reader *r, const char *pointer, const json_t *value)
{
    if (read_filled(r, pointer, value, "The batch_id"))
        sendgrid_mail_of(r)->batch = value;
    return true;
}

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
        sendgrid_mail_of(r)->sections = value;
    else
        dialect_wrong_type(r, pointer, "an object", value);
    return true;
}

/* ---- settings ---- */

static bool read_footer_enable(dialect_reader *r, const char *pointer, const json_t *value)
{
    sendgrid_mail_of(r)->footer = is_true(r, pointer, value);
    return true;
}

static bool read_footer_part(dialect_reader *r, const char *pointer, const json_t *value, int kind)
{
    mime_bytes text;
    if (dialect_text(r, pointer, value, &text))
        sendgrid_mail_of(r)->footer_parts[kind] = value;
    return true;
}

static bool read_footer_text(dialect_reader *r, const char *pointer, const json_t *value)
{
    return read_footer_part(r, pointer, value, SENDGRID_TEXT);
}

static bool read_footer_html(dialect_reader *r, const char *pointer, const json_t *value)
{
    return read_footer_part(r, pointer, value, SENDGRID_HTML);
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
    sendgrid_mail_of(r)->dry = is_enabled(r, pointer, value);
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
    {"headers", DIALECT_READ, "headers", sendgrid_read_headers, NULL},
    {"categories", DIALECT_READ, "tags", read_categories, NULL},
    {"custom_args", DIALECT_READ, "metadata", sendgrid_read_arguments, NULL},
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
    if (sendgrid_weigh(r, value) > SUBSTITUTIONS)
        faults_add(r->errors, pointer, "too_long",
                   "The substitutions of a personalization have at most 10,000 bytes.");
    sendgrid_mail_of(r)->own.substitutions = value;
    return true;
}

static const dialect_member personalization_members[] = {
    {"to", DIALECT_READ, "to", read_to, NULL},
    {"cc", DIALECT_READ, "cc", read_cc, NULL},
    {"bcc", DIALECT_READ, "bcc", read_bcc, NULL},
    {"from", DIALECT_READ, "from", read_from, NULL},
    {"subject", DIALECT_READ, "subject", read_own_subject, NULL},
    {"headers", DIALECT_READ, "headers", sendgrid_read_own_headers, NULL},
    {"substitutions", DIALECT_READ, NULL, read_substitutions, NULL},
    {"dynamic_template_data", DIALECT_COPY, "data", NULL, NULL},
    {"custom_args", DIALECT_READ, "metadata", sendgrid_read_own_arguments, NULL},
    {"send_at", DIALECT_READ, "send_at", read_send_at, NULL},
    {"categories", DIALECT_REFUSE, NULL, NULL,
     "Categories are those of the whole request, not of a personalization."},
    {.name = NULL},
};

/* ---- a personalization ---- */

static void set_texts(dialect_reader *r, const char *pointer)
{
    sendgrid_mail *m = sendgrid_mail_of(r);
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
    if (m->content[SENDGRID_TEXT])
        dialect_share(r, "text", m->content[SENDGRID_TEXT]);
    if (m->content[SENDGRID_HTML])
        dialect_share(r, "html", m->content[SENDGRID_HTML]);
    sendgrid_replace(r, pointer);
}

static void read_personalization(dialect_reader *r, const char *pointer, const json_t *value)
{
    sendgrid_mail *m = sendgrid_mail_of(r);
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
    sendgrid_set_headers(r);
    sendgrid_set_metadata(r, pointer);
}

static void read_personalizations(dialect_reader *r, const json_t *list, dialect_plan *plan)
{
    json_t *shared = r->message;
    char at[FAULTS_POINTER_MAX];

    for (size_t i = 0; i < plan->count && !r->nomem; i++) {
        dialect_draft *d = &plan->drafts[i];
        faults_init(&d->errors);
        r->errors = &d->errors;
        r->message = d->message = dialect_copy(shared);
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
    const sendgrid_mail *m = sendgrid_mail_of(r);

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

void sendgrid_read(const dialect_body *body, dialect_plan *plan)
{
    sendgrid_mail m = {.budget = {MADE_OCTETS, MADE_STEPS}};
    dialect_reader r = {.body = body, .message = json_object(), .errors = &plan->errors, .ctx = &m};
    const json_t *list = json_object_get(body->root, "personalizations");

    r.nomem = !r.message;
    if (r.message) {
        dialect_read_members(&r, mail_members, "", body->root);
        sendgrid_add_footers(&r);
    }
    if (!r.nomem && json_is_object(body->root)) {
        if (check_count(&r, list) && dialect_plan_begin(plan, json_array_size(list)))
            read_personalizations(&r, list, plan);
        check_whole(&r, body->root, list);
    }
    plan->dry = m.dry;
    plan->made = m.made + (MADE_OCTETS - m.budget.octets);
    plan->nomem = plan->nomem || r.nomem;
    json_decref(r.message);
    json_decref(m.parsed);
    json_decref(m.content[SENDGRID_TEXT]);
    json_decref(m.content[SENDGRID_HTML]);
}
