#include "service/request.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/zeroed.h"
#include "mime/base64.h"
#include "mime/header.h"
#include "mime/type.h"
#include "queue/queue.h"
#include "service/config_value.h"
#include "service/when.h"

/* Bounds that keep a request of tiny members from growing into gigabytes of structures. */
#define ATTACHMENTS_MAX 1000
#define HEADERS_MAX     200
#define FILENAME_MAX_   1024
#define CONTENT_ID_MAX  200
#define SUBJECT_MAX     10000
#define PRIORITY_USUAL  5

typedef struct mailboxes {
    mime_mailbox *list;
    size_t count;
} mailboxes;

struct request_parts {
    mime_mailbox from;
    mailboxes to, cc, bcc, reply_to;
    mime_mailbox envelope_from;
    bool null_envelope_from; /* "" was given */
    mime_bytes subject, html, text;
    mime_attachment *attachments;
    size_t attachment_count;
    mime_header *headers;
    size_t header_count;
};

/* What the readers of members share. */
typedef struct reader {
    const config *config;
    request *request;
    struct request_parts *parts;
    faults *errors;
    time_t now;
    bool queued; /* for the queue */
    bool nomem;
} reader;

/* ---- pieces that readers share ---- */

static const char *type_name(const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_STRING] = "a string",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a number",  [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null",
    };
    return names[json_typeof(value)];
}

static void wrong_type(reader *r, const char *pointer, const char *expected, const json_t *value)
{
    faults_add(r->errors, pointer, "wrong_type", "Must be %s, not %s.", expected, type_name(value));
}

/* A string, wherever the document keeps it; false, and a fault, for anything else, and for one that
 * holds NUL. */
static bool find_string(reader *r, const char *pointer, const json_t *value, document_string *out)
{
    if (!json_is_string(value)) {
        wrong_type(r, pointer, "a string", value);
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

static bool get_string(reader *r, const char *pointer, const json_t *value, mime_bytes *out)
{
    document_string found;
    if (!find_string(r, pointer, value, &found))
        return false;
    *out = found.text;
    return true;
}

/* An array's or single value's number of items. */
static size_t item_count(const json_t *value)
{
    return json_is_array(value) ? json_array_size(value) : 1;
}

/* ---- addresses ---- */

static void address_fault(reader *r, const char *pointer, const char *reason)
{
    if (reason)
        faults_add(r->errors, pointer, "address", "Not a valid address: %s.", reason);
    else
        r->nomem = true;
}

/* {email, name} */
static bool read_mailbox_object(reader *r, const char *pointer, const json_t *value,
                                mime_mailbox *out)
{
    mime_bytes email = {0}, name = {0};
    const char *key;
    json_t *member;
    char at[FAULTS_POINTER_MAX];
    bool good = true;

    json_object_foreach((json_t *)value, key, member)
    {
        mime_bytes *to = strcmp(key, "email") == 0  ? &email
                         : strcmp(key, "name") == 0 ? &name
                                                    : NULL;
        if (!to) {
            faults_unknown(r->errors, pointer, key);
            good = false;
        } else if (!json_is_null(member)) {
            faults_member(at, pointer, key);
            good = get_string(r, at, member, to) && good;
        }
    }
    faults_member(at, pointer, "email");
    if (!email.data) {
        const json_t *given = json_object_get(value, "email");
        if (!given || json_is_null(given))
            faults_add(r->errors, at, "required", "An address object needs its email.");
        return false;
    }
    if (!good)
        return false;
    const char *reason = NULL;
    if (!mime_mailbox_make(email.data, email.len, NULL, 0, out, &reason)) {
        address_fault(r, at, reason);
        return false;
    }
    if (name.len == 0)
        return true;
    mime_mailbox_clear(out); /* the address is good: what is wrong now is the name */
    if (mime_mailbox_make(email.data, email.len, name.data, name.len, out, &reason))
        return true;
    faults_member(at, pointer, "name");
    address_fault(r, at, reason);
    return false;
}

static bool read_mailbox(reader *r, const char *pointer, const json_t *value, mime_mailbox *out)
{
    const char *reason = NULL;
    mime_bytes text;

    if (json_is_object(value))
        return read_mailbox_object(r, pointer, value, out);
    if (!json_is_string(value)) {
        wrong_type(r, pointer, "a string or an object {email, name}", value);
        return false;
    }
    if (!get_string(r, pointer, value, &text))
        return false;
    if (mime_mailbox_parse(text.data, text.len, out, &reason))
        return true;
    address_fault(r, pointer, reason);
    return false;
}

/* One mailbox, or an array of them. */
static void read_mailboxes(reader *r, const char *pointer, const json_t *value, mailboxes *out)
{
    size_t count = item_count(value);
    if (count > r->config->max_recipients) {
        faults_add(r->errors, pointer, "too_many_recipients", "At most %u addresses are allowed.",
                   r->config->max_recipients);
        return;
    }
    if (count == 0)
        return;
    out->list = zeroed(count, sizeof *out->list);
    if (!out->list) {
        r->nomem = true;
        return;
    }
    if (!json_is_array(value)) {
        out->count = read_mailbox(r, pointer, value, &out->list[0]);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        char at[FAULTS_POINTER_MAX];
        faults_item_pointer(at, pointer, i);
        if (read_mailbox(r, at, json_array_get(value, i), &out->list[out->count]))
            out->count++;
    }
}

static void read_from(reader *r, const char *pointer, const json_t *value)
{
    (void)read_mailbox(r, pointer, value, &r->parts->from);
}

static void read_to(reader *r, const char *pointer, const json_t *value)
{
    read_mailboxes(r, pointer, value, &r->parts->to);
}

static void read_cc(reader *r, const char *pointer, const json_t *value)
{
    read_mailboxes(r, pointer, value, &r->parts->cc);
}

static void read_bcc(reader *r, const char *pointer, const json_t *value)
{
    read_mailboxes(r, pointer, value, &r->parts->bcc);
}

static void read_reply_to(reader *r, const char *pointer, const json_t *value)
{
    read_mailboxes(r, pointer, value, &r->parts->reply_to);
}

static void read_envelope_from(reader *r, const char *pointer, const json_t *value)
{
    mime_bytes text;
    const char *reason = NULL;
    if (!get_string(r, pointer, value, &text))
        return;
    if (text.len == 0)
        r->parts->null_envelope_from = true;
    else if (!mime_mailbox_make(text.data, text.len, NULL, 0, &r->parts->envelope_from, &reason))
        address_fault(r, pointer, reason);
}

/* ---- texts ---- */

static void read_subject(reader *r, const char *pointer, const json_t *value)
{
    mime_bytes text;
    if (!get_string(r, pointer, value, &text))
        return;
    const char *reason = mime_header_check_value("Subject", text.data, text.len);
    if (reason)
        faults_add(r->errors, pointer, "header_value", "Not a valid subject: %s.", reason);
    else if (text.len > SUBJECT_MAX)
        faults_add(r->errors, pointer, "too_long", "A subject has at most %d bytes.", SUBJECT_MAX);
    else
        r->parts->subject = text;
}

static void read_html(reader *r, const char *pointer, const json_t *value)
{
    (void)get_string(r, pointer, value, &r->parts->html);
}

static void read_text(reader *r, const char *pointer, const json_t *value)
{
    (void)get_string(r, pointer, value, &r->parts->text);
}

/* ---- headers ---- */

static void read_header(reader *r, const char *name, const json_t *value)
{
    char pointer[FAULTS_POINTER_MAX];
    mime_header *h = &r->parts->headers[r->parts->header_count];
    h->name = (mime_bytes){name, strlen(name)};
    faults_pointer(pointer, "/headers", name);
    const char *reason = mime_header_check_name(name, h->name.len);
    if (reason) {
        faults_add(r->errors, pointer, "header_name", "This header can't be set: %s.", reason);
        return;
    }
    if (!get_string(r, pointer, value, &h->value))
        return;
    reason = mime_header_check_value(name, h->value.data, h->value.len);
    if (reason)
        faults_add(r->errors, pointer, "header_value", "Not a valid header value: %s.", reason);
    else
        r->parts->header_count++;
}

static void read_headers(reader *r, const char *pointer, const json_t *value)
{
    const char *name;
    json_t *member;

    if (!json_is_object(value)) {
        wrong_type(r, pointer, "an object of header names and values", value);
        return;
    }
    size_t count = json_object_size(value);
    if (count > HEADERS_MAX) {
        faults_add(r->errors, pointer, "too_many", "At most %d headers are allowed.", HEADERS_MAX);
        return;
    }
    r->parts->headers = calloc(count ? count : 1, sizeof *r->parts->headers);
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

/* ---- attachments ---- */

typedef struct attachment_reader {
    reader *reader;
    mime_attachment *out;
    document_string found; /* the member at hand */
    bool disposition_given;
} attachment_reader;

static void read_filename(attachment_reader *a, const char *pointer, const mime_bytes *text)
{
    const char *reason = text->len == 0              ? "it is empty"
                         : text->len > FILENAME_MAX_ ? "it is longer than 1024 bytes"
                                                     : NULL;
    for (size_t i = 0; !reason && i < text->len; i++) {
        unsigned char c = (unsigned char)text->data[i];
        if (c < 0x20 || c == 0x7F)
            reason = "it holds a control character";
    }
    if (reason)
        faults_add(a->reader->errors, pointer, "filename", "Not a valid file name: %s.", reason);
    else
        a->out->filename = *text;
}

static void read_content_type(attachment_reader *a, const char *pointer, const mime_bytes *text)
{
    const char *reason = mime_type_check(text->data, text->len);
    if (reason)
        faults_add(a->reader->errors, pointer, "content_type", "Not a valid content type: %s.",
                   reason);
    else
        a->out->content_type = *text;
}

static void base64_fault(attachment_reader *a, const char *pointer, const mime_base64_info *info)
{
    buf detail = BUF_INIT;
    buf_adds(&detail, "Not valid base64: ");
    buf_adds(&detail, info->fault);
    buf_addf(&detail, " (at byte %zu", info->fault_offset);
    if (a->out->filename.data) {
        buf_adds(&detail, " of ");
        buf_add(&detail, a->out->filename.data, a->out->filename.len);
    }
    buf_adds(&detail, ").");
    const char *sentence = buf_cstr(&detail);
    if (sentence)
        faults_add_at(a->reader->errors, pointer, "base64", info->fault_offset, sentence);
    else
        a->reader->nomem = true;
    buf_free(&detail);
}

/* A long one was checked as it came, and is stored as it will go out. */
static void read_content(attachment_reader *a, const char *pointer, const mime_bytes *text)
{
    if (a->found.is_base64) {
        a->out->info = a->found.info;
        a->out->stored = a->found.wrapped;
    } else if (mime_base64_check(text->data, text->len, &a->out->info)) {
        a->out->base64 = *text;
    }
    if (a->out->info.fault)
        base64_fault(a, pointer, &a->out->info);
}

static void read_disposition(attachment_reader *a, const char *pointer, const mime_bytes *text)
{
    a->disposition_given = true;
    a->out->is_inline = strcmp(text->data, "inline") == 0;
    if (!a->out->is_inline && strcmp(text->data, "attachment") != 0)
        faults_add(a->reader->errors, pointer, "disposition",
                   "A disposition is \"attachment\" or \"inline\".");
}

static void read_content_id(attachment_reader *a, const char *pointer, const mime_bytes *text)
{
    mime_bytes id = *text;
    if (id.len >= 2 && id.data[0] == '<' && id.data[id.len - 1] == '>')
        id = (mime_bytes){id.data + 1, id.len - 2};
    const char *reason = id.len == 0               ? "it is empty"
                         : id.len > CONTENT_ID_MAX ? "it is longer than 200 bytes"
                                                   : NULL;
    for (size_t i = 0; !reason && i < id.len; i++) {
        unsigned char c = (unsigned char)id.data[i];
        if (c <= 0x20 || c >= 0x7F || strchr("<>\"()\\,;:[]", c))
            reason = "it holds a character that has no place in it";
    }
    if (reason)
        faults_add(a->reader->errors, pointer, "content_id", "Not a valid content id: %s.", reason);
    else
        a->out->content_id = id;
}

/* In this order, so that a fault of the content can name the file. */
static const struct {
    const char *name;
    void (*read)(attachment_reader *a, const char *pointer, const mime_bytes *text);
} attachment_members[] = {
    {"filename", read_filename},       {"content_type", read_content_type},
    {"disposition", read_disposition}, {"content_id", read_content_id},
    {"content", read_content},
};

#define ATTACHMENT_MEMBERS (sizeof attachment_members / sizeof *attachment_members)

static bool is_attachment_member(const char *name)
{
    for (size_t i = 0; i < ATTACHMENT_MEMBERS; i++) {
        if (strcmp(name, attachment_members[i].name) == 0)
            return true;
    }
    return false;
}

static void read_attachment(reader *r, const char *pointer, const json_t *value,
                            mime_attachment *out)
{
    attachment_reader a = {.reader = r, .out = out};
    char at[FAULTS_POINTER_MAX];
    const char *key;
    json_t *member;

    if (!json_is_object(value)) {
        wrong_type(r, pointer, "an object", value);
        return;
    }
    json_object_foreach((json_t *)value, key, member)
    {
        if (!is_attachment_member(key))
            faults_unknown(r->errors, pointer, key);
    }
    for (size_t i = 0; i < ATTACHMENT_MEMBERS; i++) {
        member = json_object_get(value, attachment_members[i].name);
        if (!member || json_is_null(member))
            continue;
        faults_member(at, pointer, attachment_members[i].name);
        if (find_string(r, at, member, &a.found))
            attachment_members[i].read(&a, at, &a.found.text);
    }
    faults_member(at, pointer, "content");
    member = json_object_get(value, "content");
    if (!member || json_is_null(member))
        faults_add(r->errors, at, "required", "An attachment needs its content, as base64.");
    if (!a.disposition_given)
        out->is_inline = out->content_id.data != NULL;
}

/* Two parts with one Content-ID: a cid: link could mean either. */
static void check_content_ids(reader *r)
{
    for (size_t i = 1; i < r->parts->attachment_count; i++) {
        const mime_bytes *a = &r->parts->attachments[i].content_id;
        for (size_t k = 0; a->data && k < i; k++) {
            const mime_bytes *b = &r->parts->attachments[k].content_id;
            if (!b->data || a->len != b->len || memcmp(a->data, b->data, a->len) != 0)
                continue;
            char pointer[FAULTS_POINTER_MAX];
            (void)snprintf(pointer, sizeof pointer, "/attachments/%zu/content_id", i);
            faults_add(r->errors, pointer, "content_id", "Attachment %zu has the same content id.",
                       k);
            break;
        }
    }
}

static void read_attachments(reader *r, const char *pointer, const json_t *value)
{
    if (!json_is_array(value)) {
        wrong_type(r, pointer, "an array", value);
        return;
    }
    size_t count = json_array_size(value);
    if (count > ATTACHMENTS_MAX) {
        faults_add(r->errors, pointer, "too_many", "At most %d attachments are allowed.",
                   ATTACHMENTS_MAX);
        return;
    }
    if (count == 0)
        return;
    r->parts->attachments = calloc(count, sizeof *r->parts->attachments);
    if (!r->parts->attachments) {
        r->nomem = true;
        return;
    }
    r->parts->attachment_count = count;
    for (size_t i = 0; i < count; i++) {
        char at[FAULTS_POINTER_MAX];
        faults_item_pointer(at, pointer, i);
        read_attachment(r, at, json_array_get(value, i), &r->parts->attachments[i]);
    }
    check_content_ids(r);
}

/* ---- the rest ---- */

static const smtp_relay *find_relay(reader *r, const char *pointer, const json_t *value)
{
    mime_bytes name;
    if (!get_string(r, pointer, value, &name))
        return NULL;
    const smtp_relay *relay = config_relay(r->config, name.data);
    /* "default" may be written where no relay is configured: that is answered as such, not as a
     * fault. */
    if (!relay && !(r->config->relay_count == 0 && strcmp(name.data, "default") == 0))
        faults_add(r->errors, pointer, "unknown_relay", "No relay of this name is configured.");
    return relay;
}

/* One name; for the queue also several, in the order in which they are tried. */
static void read_relay(reader *r, const char *pointer, const json_t *value)
{
    request_delivery *d = &r->request->delivery;
    bool several = r->queued && json_is_array(value);
    size_t count = several ? json_array_size(value) : 1;

    if (count == 0 || count > REQUEST_RELAYS) {
        faults_add(r->errors, pointer, "too_many", "1 to %d relays can be named.", REQUEST_RELAYS);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        char at[FAULTS_POINTER_MAX];
        faults_item_pointer(at, pointer, i);
        const smtp_relay *relay =
            several ? find_relay(r, at, json_array_get(value, i)) : find_relay(r, pointer, value);
        d->relays[i] = relay ? smtp_relay_name(relay) : NULL;
        if (i == 0)
            r->request->relay = relay;
    }
}

static void read_transcript(reader *r, const char *pointer, const json_t *value)
{
    if (json_is_boolean(value))
        r->request->transcript = json_is_true(value);
    else
        wrong_type(r, pointer, "true or false", value);
}

/* ---- for the queue ---- */

#define SECOND_US   INT64_C(1000000)
#define DAY_US      (86400 * SECOND_US)
#define YEAR_US     (365 * DAY_US)
#define EXPIRES_MAX (30 * DAY_US)

/* A number of seconds within 0 to `most`, as microseconds; false for any other value. */
static bool get_seconds(const json_t *value, double most, int64_t *us)
{
    if (!json_is_number(value))
        return false;
    double seconds = json_number_value(value);
    if (!(seconds >= 0 && seconds <= most))
        return false;
    *us = json_is_integer(value) ? json_integer_value(value) * SECOND_US : (int64_t)(seconds * 1e6);
    return true;
}

static void read_send_at(reader *r, const char *pointer, const json_t *value)
{
    int64_t now = (int64_t)r->now * SECOND_US, at = 0;
    mime_bytes text;
    bool ok = false;

    if (json_is_number(value))
        ok = get_seconds(value, 253402300799.0, &at);
    else if (!json_is_string(value))
        wrong_type(r, pointer, "a time (RFC 3339) or Unix seconds", value);
    else if (get_string(r, pointer, value, &text))
        ok = when_parse(text.data, text.len, &at);
    else
        return;
    if (!json_is_number(value) && !json_is_string(value))
        return;
    if (!ok)
        faults_add(r->errors, pointer, "time",
                   "Not a time such as 2026-11-24T10:00:00Z, with its offset, or Unix seconds.");
    else if (at > now + YEAR_US)
        faults_add(r->errors, pointer, "time", "Must not be more than a year ahead.");
    else
        r->request->delivery.send_at = at > now ? at : 0;
}

static void read_expires_in(reader *r, const char *pointer, const json_t *value)
{
    int64_t us = 0;
    mime_bytes text;
    bool ok = false;

    if (json_is_number(value))
        ok = get_seconds(value, 1e9, &us);
    else if (!json_is_string(value)) {
        wrong_type(r, pointer, "a number of seconds or a string such as \"2h\"", value);
        return;
    } else if (get_string(r, pointer, value, &text))
        ok = config_value_duration(text.data, &us);
    else
        return;
    if (ok && us >= SECOND_US && us <= EXPIRES_MAX)
        r->request->delivery.expires_us = us;
    else
        faults_add(r->errors, pointer, "duration",
                   "Must be 1 second to 30 days: seconds, or a string such as \"90s\", \"2h\", "
                   "\"3d\".");
}

static void read_priority(reader *r, const char *pointer, const json_t *value)
{
    if (!json_is_integer(value))
        wrong_type(r, pointer, "a whole number", value);
    else if (json_integer_value(value) < 0 || json_integer_value(value) > QUEUE_PRIORITY)
        faults_add(r->errors, pointer, "range", "Must be 0 to %d.", QUEUE_PRIORITY);
    else
        r->request->delivery.priority = (int)json_integer_value(value);
}

static bool has_control(const mime_bytes *text)
{
    for (size_t i = 0; i < text->len; i++) {
        unsigned char c = (unsigned char)text->data[i];
        if (c < 0x20 || c == 0x7F)
            return true;
    }
    return false;
}

static size_t characters(const mime_bytes *text)
{
    size_t n = 0;
    for (size_t i = 0; i < text->len; i++)
        n += ((unsigned char)text->data[i] & 0xC0) != 0x80;
    return n;
}

static void read_tag(reader *r, const char *pointer, const json_t *value, const char **tags,
                     size_t *count)
{
    mime_bytes text;
    if (!get_string(r, pointer, value, &text))
        return;
    size_t length = characters(&text);
    if (length == 0 || length > REQUEST_TAG_LENGTH || has_control(&text)) {
        faults_add(r->errors, pointer, "tag", "A tag has 1 to %d printable characters.",
                   REQUEST_TAG_LENGTH);
        return;
    }
    for (size_t i = 0; i < *count; i++) {
        if (strcmp(tags[i], text.data) == 0)
            return; /* once is enough */
    }
    tags[(*count)++] = text.data;
}

static void read_tags(reader *r, const char *pointer, const json_t *value)
{
    size_t kept = 0, count = json_array_size(value);

    if (!json_is_array(value)) {
        wrong_type(r, pointer, "an array of strings", value);
        return;
    }
    if (count > REQUEST_TAGS) {
        faults_add(r->errors, pointer, "too_many", "At most %d tags are allowed.", REQUEST_TAGS);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        char at[FAULTS_POINTER_MAX];
        faults_item_pointer(at, pointer, i);
        read_tag(r, at, json_array_get(value, i), r->request->delivery.tags, &kept);
    }
}

static void read_metadata(reader *r, const char *pointer, const json_t *value)
{
    const char *name;
    json_t *member;

    if (!json_is_object(value)) {
        wrong_type(r, pointer, "an object of strings", value);
        return;
    }
    if (json_object_size(value) > REQUEST_METADATA) {
        faults_add(r->errors, pointer, "too_many", "At most %d values are allowed.",
                   REQUEST_METADATA);
        return;
    }
    json_object_foreach((json_t *)value, name, member)
    {
        char at[FAULTS_POINTER_MAX];
        mime_bytes text;
        faults_pointer(at, pointer, name);
        if (name[0] == '\0' || strlen(name) > REQUEST_METADATA_NAME)
            faults_add(r->errors, at, "metadata", "A name has 1 to %d bytes.",
                       REQUEST_METADATA_NAME);
        else if (get_string(r, at, member, &text) && text.len > REQUEST_METADATA_TEXT)
            faults_add(r->errors, at, "too_long", "A value has at most %d bytes.",
                       REQUEST_METADATA_TEXT);
    }
    r->request->delivery.metadata = value;
}

/* Where a member has its place. */
typedef enum place { ANYWHERE, NOT_QUEUED, QUEUED } place;

static const struct {
    const char *name, *pointer;
    void (*read)(reader *r, const char *pointer, const json_t *value);
    place place;
} members[] = {
    {"from", "/from", read_from, ANYWHERE},
    {"to", "/to", read_to, ANYWHERE},
    {"cc", "/cc", read_cc, ANYWHERE},
    {"bcc", "/bcc", read_bcc, ANYWHERE},
    {"reply_to", "/reply_to", read_reply_to, ANYWHERE},
    {"subject", "/subject", read_subject, ANYWHERE},
    {"html", "/html", read_html, ANYWHERE},
    {"text", "/text", read_text, ANYWHERE},
    {"attachments", "/attachments", read_attachments, ANYWHERE},
    {"headers", "/headers", read_headers, ANYWHERE},
    {"relay", "/relay", read_relay, ANYWHERE},
    {"envelope_from", "/envelope_from", read_envelope_from, ANYWHERE},
    {"transcript", "/transcript", read_transcript, NOT_QUEUED},
    {"send_at", "/send_at", read_send_at, QUEUED},
    {"expires_in", "/expires_in", read_expires_in, QUEUED},
    {"priority", "/priority", read_priority, QUEUED},
    {"tags", "/tags", read_tags, QUEUED},
    {"metadata", "/metadata", read_metadata, QUEUED},
};

static void read_members(reader *r, const json_t *root)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)root, key, value)
    {
        size_t i = 0;
        while (i < sizeof members / sizeof *members && strcmp(members[i].name, key) != 0)
            i++;
        if (i == sizeof members / sizeof *members ||
            members[i].place == (r->queued ? NOT_QUEUED : QUEUED))
            faults_unknown(r->errors, "", key);
        else if (!json_is_null(value))
            members[i].read(r, members[i].pointer, value);
    }
}

static bool is_given(const json_t *root, const char *name)
{
    const json_t *value = json_object_get(root, name);
    return value && !json_is_null(value);
}

/* Where the request names none. */
static void choose_relay(reader *r)
{
    const config *c = r->config;
    request_delivery *d = &r->request->delivery;

    for (size_t i = 0; r->queued && i < c->failover_count && i < REQUEST_RELAYS; i++)
        d->relays[i] = c->failover[i];
    if (!d->relays[0])
        d->relays[0] = "default";
    r->request->relay = config_relay(c, d->relays[0]);
    if (!r->request->relay)
        faults_add(r->errors, "/relay", "required", "No relay is the default; name one.");
}

/* What must be there, and what must fit together. */
static void check_whole(reader *r, const json_t *root)
{
    struct request_parts *p = r->parts;
    size_t recipients = p->to.count + p->cc.count + p->bcc.count;
    bool list_faulty = false;

    if (!is_given(root, "from") && !r->config->senders.fallback.address)
        faults_add(r->errors, "/from", "required", "A sender is required.");
    for (size_t i = 1; i <= 3; i++) { /* to, cc, bcc */
        const json_t *value = json_object_get(root, members[i].name);
        list_faulty = list_faulty || (value && !json_is_null(value) && item_count(value) > 0);
    }
    if (recipients == 0 && !list_faulty)
        faults_add(r->errors, "/to", "required", "At least one recipient is required.");
    if (recipients > r->config->max_recipients)
        faults_add(r->errors, "/to", "too_many_recipients",
                   "to, cc and bcc together have %zu addresses; at most %u are allowed.",
                   recipients, r->config->max_recipients);
    if (!is_given(root, "html") && !is_given(root, "text"))
        faults_add(r->errors, "/html", "required", "html or text is required.");
    if (!is_given(root, "relay") && r->config->relay_count > 0)
        choose_relay(r);
}

/* ---- envelope and message ---- */

static const mime_mailbox *sender_of(const reader *r)
{
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

static bool make_envelope(reader *r)
{
    request *q = r->request;
    enum { LISTS = 3 };
    const mailboxes *const lists[LISTS] = {&r->parts->to, &r->parts->cc, &r->parts->bcc};
    const mime_mailbox *reverse =
        r->parts->envelope_from.address ? &r->parts->envelope_from : sender_of(r);

    q->reverse_path = strdup(r->parts->null_envelope_from ? "" : reverse->address);
    q->recipients = zeroed(1 + r->parts->to.count + r->parts->cc.count + r->parts->bcc.count,
                           sizeof *q->recipients);
    if (!q->reverse_path || !q->recipients)
        return false;
    q->utf8 = !r->parts->null_envelope_from && reverse->utf8;
    for (size_t i = 0; i < LISTS; i++) {
        for (size_t k = 0; k < lists[i]->count; k++) {
            q->recipients[q->recipient_count++] = lists[i]->list[k].address;
            q->utf8 = q->utf8 || lists[i]->list[k].utf8;
        }
    }
    return drop_repeated(q->recipients, &q->recipient_count);
}

static bool make_message(reader *r, time_t now)
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
        .date = now,
        .id = r->request->id,
    };
    r->request->message = mime_compose(&draft);
    if (!r->request->message ||
        !document_hold(r->request->document, mime_message_memory(r->request->message)))
        return false;
    r->request->utf8 = r->request->utf8 || mime_message_utf8(r->request->message);
    return true;
}

/* POSTERN_FROM holds for both: who the mail says it is from, and whom the relay bills. */
static bool sender_allowed(reader *r)
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

static request_result build(reader *r, const json_t *root, time_t now)
{
    if (json_is_object(root)) {
        read_members(r, root);
        check_whole(r, root);
    } else {
        wrong_type(r, "", "an object", root);
    }
    if (r->nomem || r->errors->failed)
        return REQUEST_NOMEM;
    if (r->errors->total > 0)
        return REQUEST_INVALID;
    if (!sender_allowed(r))
        return r->errors->failed ? REQUEST_NOMEM : REQUEST_FORBIDDEN;
    return make_envelope(r) && make_message(r, now) ? REQUEST_OK : REQUEST_NOMEM;
}

void request_pointer(const request *r, size_t recipient, char out[FAULTS_POINTER_MAX])
{
    enum { LISTS = 3 };
    static const char *const names[LISTS] = {"to", "cc", "bcc"};
    const mailboxes *const lists[LISTS] = {&r->parts->to, &r->parts->cc, &r->parts->bcc};
    const json_t *root = document_root(r->document);

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

static request_result create(const config *cfg, document *d, const char id[27], time_t now,
                             bool queued, request **out, faults *errors)
{
    whole_request *whole = zeroed(1, sizeof *whole);
    if (!whole) {
        document_free(d);
        return REQUEST_NOMEM;
    }
    request *q = &whole->request;
    q->document = d;
    q->parts = &whole->parts;
    memcpy(q->id, id, sizeof q->id);
    q->delivery.expires_us = cfg->expires_us;
    q->delivery.priority = PRIORITY_USUAL;
    reader r = {.config = cfg,
                .request = q,
                .parts = q->parts,
                .errors = errors,
                .now = now,
                .queued = queued};
    request_result result = build(&r, document_root(d), now);
    if (result == REQUEST_OK)
        *out = q;
    else
        request_free(q);
    return result;
}

request_result request_create(const config *cfg, document *d, const char id[27], time_t now,
                              request **out, faults *errors)
{
    return create(cfg, d, id, now, false, out, errors);
}

request_result request_create_queued(const config *cfg, document *d, const char id[27], time_t now,
                                     request **out, faults *errors)
{
    return create(cfg, d, id, now, true, out, errors);
}

static void free_mailboxes(mailboxes *m)
{
    for (size_t i = 0; i < m->count; i++)
        mime_mailbox_clear(&m->list[i]);
    free(m->list);
}

void request_free(request *r)
{
    if (!r)
        return;
    struct request_parts *p = r->parts;
    mime_message_free(r->message);
    mime_mailbox_clear(&p->from);
    mime_mailbox_clear(&p->envelope_from);
    free_mailboxes(&p->to);
    free_mailboxes(&p->cc);
    free_mailboxes(&p->bcc);
    free_mailboxes(&p->reply_to);
    free(p->attachments);
    free(p->headers);
    free(r->reverse_path);
    free(r->recipients);
    free(r->suppressed);
    document_free(r->document);
    free(r);
}
