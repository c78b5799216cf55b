/*
 * Mailgun: POST /v3/{domain}/messages and /v3/{domain}/messages.mime, whose bodies are forms: each
 * field is an array here. What begins with "h:" is a header, with "v:" a variable.
 *
 * Where there are recipient-variables, each address of `to` has a draft of its own, with what it
 * has put in place of %recipient.NAME%.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/jsonw.h"
#include "base/plain.h"
#include "base/utf8.h"
#include "dialect/mail_date.h"
#include "dialect/mailgun_own.h"
#include "mime/address.h"

#define OPTIONS_MOST 16384 /* octets of what begins with o:, h: and v: */
#define METADATA     512   /* octets of a value that is kept with the message (request.h) */
#define DEPTH        32    /* of JSON in a field */
#define TREES        ((size_t)64 << 20) /* octets of what JSON in fields becomes */

/* A fault whose sentence is Mailgun's own, and stands alone. */
#define OURS "mailgun"

static mailgun_reader *own(const dialect_reader *r)
{
    return r->ctx;
}

/* ---- fields ---- */

/* The one value of a field that may be there once; NULL, and a fault. */
static const json_t *only(dialect_reader *r, const char *pointer, const json_t *value)
{
    if (json_array_size(value) == 1)
        return json_array_get(value, 0);
    faults_add(r->errors, pointer, "repeated", "It may be given once.");
    return NULL;
}

static bool only_text(dialect_reader *r, const char *pointer, const json_t *value, mime_bytes *out)
{
    const json_t *one = only(r, pointer, value);
    return one && dialect_text(r, pointer, one, out);
}

static bool is_word(const mime_bytes *text, const char *word)
{
    return text->len == strlen(word) && strncasecmp(text->data, word, text->len) == 0;
}

/* yes or no, as it is written in several ways. */
static bool read_flag(dialect_reader *r, const char *pointer, const json_t *value, bool *out)
{
    mime_bytes text;

    if (!only_text(r, pointer, value, &text))
        return false;
    *out = is_word(&text, "yes") || is_word(&text, "true") || is_word(&text, "htmlonly");
    if (*out || is_word(&text, "no") || is_word(&text, "false"))
        return true;
    faults_add(r->errors, pointer, "flag", "Must be yes or no.");
    return false;
}

/* For what can't be done: whether it is asked for. */
static bool is_asked(dialect_reader *r, const char *pointer, const json_t *value)
{
    bool asked;
    return read_flag(r, pointer, value, &asked) && asked;
}

/* A member of the draft that is a text; an empty one is none, as it is for Mailgun. */
static bool set_text(dialect_reader *r, const char *pointer, const json_t *value, const char *name)
{
    mime_bytes text;

    if (!only_text(r, pointer, value, &text))
        return false;
    if (text.len > 0)
        dialect_share(r, name, json_array_get(value, 0));
    return true;
}

static bool read_subject(dialect_reader *r, const char *pointer, const json_t *value)
{
    return set_text(r, pointer, value, "subject");
}

static bool read_html(dialect_reader *r, const char *pointer, const json_t *value)
{
    return set_text(r, pointer, value, "html");
}

static bool read_plain(dialect_reader *r, const char *pointer, const json_t *value)
{
    return set_text(r, pointer, value, "text");
}

static bool read_from(dialect_reader *r, const char *pointer, const json_t *value)
{
    mime_bytes text;

    if (!only_text(r, pointer, value, &text))
        return false;
    if (text.len > 0)
        dialect_set(r, "from", dialect_mailbox_of(r, json_array_get(value, 0)));
    return true;
}

static bool read_template(dialect_reader *r, const char *pointer, const json_t *value)
{
    return set_text(r, pointer, value, "template");
}

/* ---- addresses ---- */

/* All that the field's values name. */
static bool set_mailboxes(dialect_reader *r, const char *pointer, const json_t *value,
                          const char *name)
{
    json_t *list = json_array(), *one;
    bool ok = list != NULL;
    size_t i;

    json_array_foreach((json_t *)value, i, one)
    {
        char at[FAULTS_POINTER_MAX];
        mime_bytes text;
        faults_item_pointer(at, pointer, i);
        if (ok && dialect_text(r, at, one, &text))
            ok = dialect_split_mailboxes(&text, list);
    }
    if (!ok) {
        json_decref(list);
        r->nomem = true;
    } else if (json_array_size(list) > 0) {
        dialect_set(r, name, list);
    } else {
        json_decref(list);
    }
    return ok;
}

static bool read_to(dialect_reader *r, const char *pointer, const json_t *value)
{
    return set_mailboxes(r, pointer, value, "to");
}

static bool read_cc(dialect_reader *r, const char *pointer, const json_t *value)
{
    return set_mailboxes(r, pointer, value, "cc");
}

static bool read_bcc(dialect_reader *r, const char *pointer, const json_t *value)
{
    return set_mailboxes(r, pointer, value, "bcc");
}

/* ---- options ---- */

static bool read_tags(dialect_reader *r, const char *pointer, const json_t *value)
{
    json_t *list = json_array(), *one;
    size_t i;

    (void)pointer;
    json_array_foreach((json_t *)value, i, one)
    {
        if (list && json_string_length(one) > 0 && json_array_append(list, one) != 0)
            r->nomem = true;
    }
    dialect_set(r, "tags", list);
    return true;
}

/* Mailgun's documentation wants RFC 2822; newer pages also Unix seconds. */
static bool read_time(dialect_reader *r, const char *pointer, const json_t *value)
{
    mime_bytes text;
    int64_t seconds = 0;
    size_t digits = 0;

    if (!only_text(r, pointer, value, &text))
        return false;
    while (digits < text.len && text.data[digits] >= '0' && text.data[digits] <= '9')
        digits++;
    if (digits == text.len && digits > 0 && digits < 12)
        seconds = strtoll(text.data, NULL, 10);
    else if (digits == 4) /* RFC 3339, which the request is read by */
        return set_text(r, pointer, value, "send_at");
    else if (!mail_date_parse(text.data, text.len, &seconds)) {
        faults_add(r->errors, pointer, "time",
                   "Must be a date such as Fri, 14 Oct 2026 23:10:10 +0200 (RFC 2822).");
        return false;
    }
    dialect_set(r, "send_at", json_integer(seconds));
    return true;
}

static bool read_test(dialect_reader *r, const char *pointer, const json_t *value)
{
    return read_flag(r, pointer, value, &own(r)->dry);
}

/* ---- JSON in fields ---- */

static bool is_flat(const json_t *value, unsigned levels)
{
    const char *name;
    json_t *member;
    size_t i;

    if (levels == 0)
        return !json_is_object(value) && !json_is_array(value);
    json_object_foreach((json_t *)value, name, member)
    {
        if (!is_flat(member, levels - 1))
            return false;
    }
    json_array_foreach((json_t *)value, i, member)
    {
        if (!is_flat(member, levels - 1))
            return false;
    }
    return true;
}

/* A new reference; NULL, and a fault. NUL is not let in: a string that begins so means another that
 * stands elsewhere. */
static json_t *parse_object(dialect_reader *r, const char *pointer, const json_t *value)
{
    json_error_t error;
    mime_bytes text;

    if (!only_text(r, pointer, value, &text))
        return NULL;
    own(r)->weight += text.len + plain_weight(text.data, text.len);
    if (own(r)->weight > TREES) {
        faults_add(r->errors, pointer, "too_large", "It has too many values.");
        return NULL;
    }
    json_t *object = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &error);
    if (json_is_object(object) && is_flat(object, DEPTH))
        return object;
    json_decref(object);
    faults_add(r->errors, pointer, "json", "Must be a JSON object.");
    return NULL;
}

/* The value in place of one that was there. */
static void replace(json_t **to, json_t *value)
{
    json_decref(*to);
    *to = value;
}

static bool read_data(dialect_reader *r, const char *pointer, const json_t *value)
{
    replace(&own(r)->data, parse_object(r, pointer, value));
    return own(r)->data != NULL;
}

static bool read_recipients(dialect_reader *r, const char *pointer, const json_t *value)
{
    replace(&own(r)->recipients, parse_object(r, pointer, value));
    return own(r)->recipients != NULL;
}

static bool read_message(dialect_reader *r, const char *pointer, const json_t *value)
{
    const json_t *one = only(r, pointer, value);
    if (one)
        dialect_share(r, "mime", json_is_object(one) ? json_object_get(one, "content") : one);
    return one != NULL;
}

/* ---- headers and variables ---- */

static void set_in(dialect_reader *r, json_t *object, const char *name, json_t *value)
{
    if (!value || json_object_set_new_nocheck(object, name, value) != 0)
        r->nomem = true;
}

/* A variable: metadata, and a template's data. Long ones are data alone. */
static void take_variable(dialect_reader *r, const char *name, json_t *value, size_t len)
{
    mailgun_reader *m = own(r);
    bool is_data = json_object_get(m->root, "template") != NULL;

    if (!is_data || len <= METADATA)
        set_in(r, m->metadata, name, json_incref(value));
    if (is_data)
        set_in(r, m->variables, name, json_incref(value));
}

static void read_variable(dialect_reader *r, const char *pointer, const char *name,
                          const json_t *value)
{
    mime_bytes text;
    if (only_text(r, pointer, value, &text))
        take_variable(r, name, json_array_get(value, 0), text.len);
}

/* h:X-Mailgun-Variables: several at once. What is no string is written as JSON. */
static void read_variables(dialect_reader *r, const char *pointer, const json_t *value)
{
    json_t *object = parse_object(r, pointer, value), *member;
    const char *name;

    json_object_foreach(object, name, member)
    {
        json_t *text = NULL;
        if (!json_is_string(member)) {
            buf dump = BUF_INIT;
            dialect_dump(member, &dump);
            text = buf_ok(&dump) ? json_stringn(dump.data, dump.len) : NULL;
            r->nomem = r->nomem || !text;
            buf_free(&dump);
        }
        if (text || json_is_string(member))
            take_variable(r, name, text ? text : member, json_string_length(text ? text : member));
        json_decref(text);
    }
    json_decref(object);
}

static void read_header(dialect_reader *r, const char *pointer, const char *name,
                        const json_t *value)
{
    if (strcasecmp(name, "Reply-To") == 0) {
        if (json_object_get(r->message, "reply_to"))
            faults_add(r->errors, pointer, "repeated", "It may be given once.");
        (void)set_mailboxes(r, pointer, value, "reply_to");
    } else if (strcasecmp(name, "X-Mailgun-Variables") == 0) {
        read_variables(r, pointer, value);
    } else {
        const json_t *one = only(r, pointer, value);
        if (one)
            set_in(r, own(r)->headers, name, json_incref((json_t *)one));
    }
}

/* ---- files ---- */

/* A type that says nothing: the composer knows better by the name. */
static bool says_nothing(const json_t *type)
{
    return !type || strcasecmp(json_string_value(type), "application/octet-stream") == 0;
}

static void take_file(dialect_reader *r, const char *pointer, const json_t *file, bool is_inline)
{
    json_t *name = json_object_get(file, "filename"), *type = json_object_get(file, "content_type");
    json_t *out = json_object();

    if (!json_is_object(file)) {
        faults_add(r->errors, pointer, OURS, "'%s' parameter is not a file",
                   is_inline ? "inline" : "attachment");
        json_decref(out);
        return;
    }
    if (!out || json_object_set(out, "filename", name) != 0 ||
        json_object_set(out, "content", json_object_get(file, "content")) != 0 ||
        (!says_nothing(type) && json_object_set(out, "content_type", type) != 0) ||
        (is_inline && (json_object_set(out, "content_id", name) != 0 ||
                       json_object_set_new(out, "disposition", json_string("inline")) != 0)))
        r->nomem = true;
    if (json_array_append_new(own(r)->files, out) != 0)
        r->nomem = true;
}

static void take_files(dialect_reader *r, const char *name, bool is_inline)
{
    char pointer[FAULTS_POINTER_MAX], at[FAULTS_POINTER_MAX];
    const json_t *list = json_object_get(own(r)->root, name), *one;
    size_t i;

    faults_member(pointer, "", name);
    json_array_foreach((json_t *)list, i, one)
    {
        faults_item_pointer(at, pointer, i);
        take_file(r, at, one, is_inline);
    }
}

/* ---- the tables ---- */

#define NOT_TRACKED "Nobody's opening and clicking is watched here; the mail is the same."
#define SIGNED      "With which keys a mail is signed is the configuration's business (dkim)."

/* Both routes have them. */
#define OPTIONS                                                                                    \
    {"o:tag", DIALECT_READ, "tags", read_tags, NULL},                                              \
        {"o:deliverytime", DIALECT_READ, "send_at", read_time, NULL},                              \
        {"o:testmode", DIALECT_READ, NULL, read_test, NULL},                                       \
        {"o:deliverytime-optimize-period", DIALECT_IGNORE, NULL, NULL,                             \
         "It is sent at once, which is within the period."},                                       \
        {"o:time-zone-localize", DIALECT_REFUSE, NULL, NULL,                                       \
         "Nobody's time zone is known here: it would go out at another hour. Use "                 \
         "o:deliverytime."},                                                                       \
        {"o:tracking", DIALECT_IGNORE, NULL, NULL, NOT_TRACKED},                                   \
        {"o:tracking-clicks", DIALECT_IGNORE, NULL, NULL, NOT_TRACKED},                            \
        {"o:tracking-opens", DIALECT_IGNORE, NULL, NULL, NOT_TRACKED},                             \
        {"o:tracking-pixel-location-top", DIALECT_IGNORE, NULL, NULL, NOT_TRACKED},                \
        {"o:dkim", DIALECT_IGNORE, NULL, NULL, SIGNED},                                            \
        {"o:secondary-dkim", DIALECT_IGNORE, NULL, NULL, SIGNED},                                  \
        {"o:secondary-dkim-public", DIALECT_IGNORE, NULL, NULL, SIGNED},                           \
        {"o:require-tls", DIALECT_REFUSE, NULL, is_asked,                                          \
         "How mail goes on behind the relay isn't known here; to the relay, POSTERN_RELAY says "   \
         "it."},                                                                                   \
        {"o:skip-verification", DIALECT_IGNORE, NULL, NULL,                                        \
         "Certificates are the relay's business, and to it POSTERN_RELAY's: they are not looked "  \
         "at "                                                                                     \
         "less."},                                                                                 \
        {"o:sending-ip", DIALECT_REFUSE, NULL, NULL,                                               \
         "The relay's addresses can't be chosen here; leave it out."},                             \
        {"o:sending-ip-pool", DIALECT_REFUSE, NULL, NULL,                                          \
         "The relay's addresses can't be chosen here; leave it out."},                             \
        {"o:archive-to", DIALECT_REFUSE, NULL, NULL,                                               \
         "Copies to other places aren't made; use bcc."},                                          \
    {                                                                                              \
        "o:suppress-headers", DIALECT_IGNORE, NULL, NULL, "There are none of Mailgun's headers."   \
    }

const dialect_member mailgun_fields[] = {
    {"from", DIALECT_READ, "from", read_from, NULL},
    {"to", DIALECT_READ, "to", read_to, NULL},
    {"cc", DIALECT_READ, "cc", read_cc, NULL},
    {"bcc", DIALECT_READ, "bcc", read_bcc, NULL},
    {"subject", DIALECT_READ, "subject", read_subject, NULL},
    {"text", DIALECT_READ, "text", read_plain, NULL},
    {"html", DIALECT_READ, "html", read_html, NULL},
    {"amp-html", DIALECT_IGNORE, NULL, NULL,
     "Mail of AMP has text or html, too, which everybody can read; it is sent without."},
    {"attachment", DIALECT_ELSEWHERE, "attachments", NULL, NULL},
    {"inline", DIALECT_ELSEWHERE, "attachments", NULL, NULL},
    {"template", DIALECT_READ, "template", read_template, NULL},
    {"t:variables", DIALECT_READ, "data", read_data, NULL},
    {"t:version", DIALECT_REFUSE, NULL, NULL, "Templates have no versions here."},
    {"t:text", DIALECT_IGNORE, NULL, NULL, "A mail always has a plain text beside its HTML."},
    {"recipient-variables", DIALECT_READ, NULL, read_recipients, NULL},
    OPTIONS,
    {NULL, DIALECT_IGNORE, NULL, NULL, NULL},
};

#define READY "A message that is ready is sent as it is."

const dialect_member mailgun_mime_fields[] = {
    {"to", DIALECT_READ, "to", read_to, NULL},
    {"message", DIALECT_READ, "mime", read_message, NULL},
    {"template", DIALECT_REFUSE, NULL, NULL, READY},
    {"t:variables", DIALECT_REFUSE, NULL, NULL, READY},
    {"t:version", DIALECT_REFUSE, NULL, NULL, READY},
    {"t:text", DIALECT_REFUSE, NULL, NULL, READY},
    {"recipient-variables", DIALECT_REFUSE, NULL, NULL, READY},
    OPTIONS,
    {NULL, DIALECT_IGNORE, NULL, NULL, NULL},
};

/* ---- the body ---- */

static bool begins(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

static size_t weigh(const dialect_reader *r, const char *name, const json_t *values)
{
    size_t n = 0, i;
    json_t *one;
    mime_bytes text;

    json_array_foreach((json_t *)values, i, one)
    {
        if (json_is_string(one) && r->body->text(r->body->ctx, one, &text))
            n += strlen(name) + text.len;
    }
    return n;
}

/* Headers and variables; the rest is the table's. */
static json_t *read_named(dialect_reader *r, bool ready)
{
    char pointer[FAULTS_POINTER_MAX];
    json_t *others = json_object(), *value;
    const char *name;
    size_t options = 0;

    json_object_foreach((json_t *)r->body->root, name, value)
    {
        bool header = begins(name, "h:"), variable = begins(name, "v:");
        faults_pointer(pointer, "", name);
        if (header || variable || begins(name, "o:"))
            options += weigh(r, name, value);
        if (!header && !variable)
            set_in(r, others, name, json_incref(value));
        else if (variable)
            read_variable(r, pointer, name + 2, value);
        else if (ready)
            faults_add(r->errors, pointer, "unsupported", "%s", READY);
        else
            read_header(r, pointer, name + 2, value);
    }
    if (options > OPTIONS_MOST)
        faults_add(r->errors, "", OURS,
                   "Send options (parameters starting with o:, h:, or v:) are limited to 16 kB "
                   "total");
    return others;
}

/* Whether nothing was said of it; one that is there and faulty isn't missing. */
static bool lacks(const dialect_reader *r, const char *name, const char *field, bool faulty)
{
    return !json_object_get(r->message, name) &&
           (!faulty || !json_object_get(r->body->root, field));
}

static void check_there(dialect_reader *r, const char *name, const char *field, bool faulty)
{
    char pointer[FAULTS_POINTER_MAX];
    faults_member(pointer, "", field);
    if (lacks(r, name, field, faulty))
        faults_add(r->errors, pointer, OURS, "%s parameter is missing", field);
}

static void check_whole(dialect_reader *r, bool ready)
{
    bool faulty = r->errors->total > 0;

    if (!ready)
        check_there(r, "from", "from", faulty);
    check_there(r, "to", "to", faulty);
    if (json_array_size(json_object_get(r->message, "to")) > DIALECT_DRAFTS)
        faults_add(r->errors, "/to", OURS, "Too many recipients; max is %d", DIALECT_DRAFTS);
    if (ready)
        check_there(r, "mime", "message", faulty);
    else if (lacks(r, "text", "text", faulty) && lacks(r, "html", "html", faulty) &&
             lacks(r, "template", "template", faulty))
        faults_add(r->errors, "", OURS,
                   "Need at least one of 'text' or 'html' parameters specified");
}

/* What is an object or array of its own, where there is something in it. */
static void add_gathered(dialect_reader *r)
{
    mailgun_reader *m = own(r);

    if (json_object_size(m->headers) > 0)
        dialect_share(r, "headers", m->headers);
    if (json_object_size(m->metadata) > 0)
        dialect_share(r, "metadata", m->metadata);
    if (json_array_size(m->files) > 0)
        dialect_share(r, "attachments", m->files);
    if (m->data && json_object_update(m->variables, m->data) != 0)
        r->nomem = true;
    if (m->data || json_object_size(m->variables) > 0)
        dialect_share(r, "data", m->variables);
}

static bool reader_begin(mailgun_reader *m, const dialect_body *body, dialect_plan *plan)
{
    *m = (mailgun_reader){.root = body->root,
                          .headers = json_object(),
                          .metadata = json_object(),
                          .variables = json_object(),
                          .files = json_array()};
    m->reader =
        (dialect_reader){.body = body, .message = json_object(), .errors = &plan->errors, .ctx = m};
    return m->headers && m->metadata && m->variables && m->files && m->reader.message;
}

static void reader_end(mailgun_reader *m)
{
    json_decref(m->headers);
    json_decref(m->metadata);
    json_decref(m->variables);
    json_decref(m->files);
    json_decref(m->data);
    json_decref(m->recipients);
    json_decref(m->reader.message);
}

/* The domain is an account's there; here POSTERN_FROM says who may send, whatever it is. */
static void check_domain(dialect_reader *r)
{
    const char *reason = NULL;
    const char *domain = r->body->parameter;
    char *ascii = mime_domain_ascii(domain, strlen(domain), &reason);

    if (!ascii && reason)
        faults_add(r->errors, "", "domain", "Domain not found: %s", domain);
    r->nomem = r->nomem || (!ascii && !reason);
    free(ascii);
}

static void read_body(const dialect_body *body, dialect_plan *plan, const dialect_member *table,
                      bool ready)
{
    mailgun_reader m;
    dialect_reader *r = &m.reader;
    bool ok = reader_begin(&m, body, plan);

    if (ok) {
        check_domain(r);
        json_t *others = read_named(r, ready);
        dialect_read_members(r, table, "", others);
        json_decref(others);
        if (!ready) {
            take_files(r, "attachment", false);
            take_files(r, "inline", true);
        }
        check_whole(r, ready);
        add_gathered(r);
    }
    plan->dry = m.dry;
    if (ok && !r->nomem && plan->errors.total == 0)
        mailgun_drafts(&m, plan);
    plan->made += m.weight;
    plan->nomem = plan->nomem || r->nomem || !ok;
    reader_end(&m);
}

static void read_fields(const dialect_body *body, dialect_plan *plan)
{
    read_body(body, plan, mailgun_fields, false);
}

static void read_ready(const dialect_body *body, dialect_plan *plan)
{
    read_body(body, plan, mailgun_mime_fields, true);
}

/* ---- where it stands ---- */

/* An attachment's place in the draft as that of its file: attachments come before inline ones. */
static void origin_of_file(const dialect_body *body, const char *rest, char out[FAULTS_POINTER_MAX])
{
    size_t i = strtoul(rest + (*rest == '/'), NULL, 10);
    size_t files = json_array_size(json_object_get(body->root, "attachment"));

    if (i < files)
        (void)snprintf(out, FAULTS_POINTER_MAX, "/attachment/%zu", i);
    else
        (void)snprintf(out, FAULTS_POINTER_MAX, "/inline/%zu", i - files);
}

void mailgun_origin(const dialect_body *body, const char *pointer, char out[FAULTS_POINTER_MAX])
{
    static const struct {
        const char *of, *is;
        bool with_rest;
    } places[] = {
        {"/headers/", "/h:", true},
        {"/metadata/", "/v:", true},
        {"/reply_to", "/h:Reply-To", false},
        {"/tags", "/o:tag", true},
        {"/send_at", "/o:deliverytime", false},
        {"/mime", "/message", false},
        {"/data", "/t:variables", true},
    };

    if (begins(pointer, "/attachments")) {
        origin_of_file(body, pointer + strlen("/attachments"), out);
        return;
    }
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (!begins(pointer, places[i].of))
            continue;
        (void)snprintf(out, FAULTS_POINTER_MAX, "%s%s", places[i].is,
                       places[i].with_rest ? pointer + strlen(places[i].of) : "");
        return;
    }
    /* "/to/3" is one of a list that may be cut by commas. */
    size_t len = strcspn(pointer + (*pointer == '/'), "/") + (*pointer == '/');
    (void)snprintf(out, FAULTS_POINTER_MAX, "%.*s", (int)len, pointer);
}

static void origin(const dialect_body *body, size_t draft, const char *pointer,
                   char out[FAULTS_POINTER_MAX])
{
    (void)draft; /* they are all made of the same */
    mailgun_origin(body, pointer, out);
}

/* ---- answers ---- */

static void write_message(dialect_answer *out, unsigned status, const char *id, const buf *text)
{
    jsonw w;

    out->status = status;
    out->content_type = "application/json";
    jsonw_init(&w, &out->content);
    jsonw_object(&w);
    if (id) {
        jsonw_key(&w, "id");
        jsonw_str(&w, id);
    }
    jsonw_key(&w, "message");
    jsonw_strn(&w, text->data, text->len);
    jsonw_object_end(&w);
    buf_addc(&out->content, '\n');
    if (!text->data || !buf_ok(text))
        out->content.failed = true;
}

static void add_addresses(buf *text, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_adds(text, i ? ", " : " ");
        buf_adds(text, list[i]);
    }
}

/* One id stands for all. Whom nothing is sent to is told behind the words that clients look for. */
static void accepted(const dialect_body *body, const dialect_sent *list, size_t count, bool dry,
                     dialect_answer *out)
{
    const char *id = NULL;
    bool any = false;
    buf text = BUF_INIT;

    (void)body;
    (void)dry;
    buf_adds(&text, "Queued. Thank you.");
    for (size_t i = 0; i < count; i++) {
        const dialect_sent *s = &list[i];
        if (!id && !s->refusal)
            id = s->message_id;
        if (s->suppressed_count == 0)
            continue;
        buf_adds(&text, any ? "," : " Nothing is sent to suppressed addresses:");
        add_addresses(&text, s->suppressed, s->suppressed_count);
        any = true;
    }
    write_message(out, 200, id ? id : "", &text);
    buf_free(&text);
}

/* What Mailgun answers with. A 422 of ours is a 400 there. */
static unsigned status_of(const dialect_refusal *r)
{
    if (strcmp(r->reason, "sender-forbidden") == 0)
        return 404;
    return r->status == 422 || r->status == 403 ? 400 : r->status;
}

/* The name of the parameter that a pointer begins with. */
static void add_parameter(buf *text, const char *pointer)
{
    for (const char *s = pointer + (*pointer == '/'); *s && *s != '/'; s++) {
        if (*s == '~' && (s[1] == '0' || s[1] == '1'))
            buf_addc(text, *++s == '0' ? '~' : '/');
        else
            buf_addc(text, *s);
    }
}

static void add_fault(buf *text, const faults_item *f)
{
    bool alone = strcmp(f->code, OURS) == 0 || strcmp(f->code, "domain") == 0 || !f->pointer[0];

    if (alone) {
        buf_adds(text, f->detail);
        return;
    }
    add_parameter(text, f->pointer);
    if (strcmp(f->code, "address") == 0) {
        buf_addf(text, " parameter is not a valid address. please check documentation (%s)",
                 f->detail);
    } else if (strcmp(f->code, "too_many_recipients") == 0) {
        buf_clear(text);
        buf_addf(text, "Too many recipients; %s", f->detail);
    } else {
        buf_addf(text, " parameter: %s", f->detail);
    }
}

static void refused(const dialect_refusal *r, dialect_answer *out)
{
    const faults_item *first = r->errors && r->errors->count ? r->errors->list : NULL;
    unsigned status = status_of(r);
    buf text = BUF_INIT;

    if (strcmp(r->reason, "unauthorized") == 0) {
        buf_adds(&text, "Invalid private key");
    } else if (strcmp(r->reason, "sender-forbidden") == 0) {
        buf_addf(&text, "Domain not found: %s", first ? first->detail : r->detail);
    } else if (r->suppressed_count > 0) {
        buf_adds(&text, "Nothing is sent to suppressed addresses:");
        add_addresses(&text, r->suppressed, r->suppressed_count);
    } else if (first) {
        add_fault(&text, first);
        if (r->errors->total > 1)
            buf_addf(&text, " (and %zu more)", r->errors->total - 1);
        if (strcmp(first->code, "domain") == 0)
            status = 404;
    } else {
        buf_adds(&text, r->detail);
    }
    write_message(out, status, NULL, &text);
    buf_free(&text);
}

/* ---- the endpoints ---- */

static const dialect_endpoint endpoints[] = {
    {.path = "/v3/{domain}/messages",
     .method = "POST",
     .action = DIALECT_SEND,
     .form = DIALECT_FORM,
     .read = read_fields,
     .origin = origin,
     .accepted = accepted},
    {.path = "/v3/{domain}/messages.mime",
     .method = "POST",
     .action = DIALECT_SEND,
     .form = DIALECT_FORM,
     .read = read_ready,
     .origin = origin,
     .accepted = accepted},
    {.path = NULL},
};

const dialect dialect_mailgun = {
    .name = "mailgun",
    .auth = DIALECT_BASIC,
    .endpoints = endpoints,
    .refused = refused,
};
