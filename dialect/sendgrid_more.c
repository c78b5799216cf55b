#include "dialect/sendgrid_own.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define ARGUMENTS      10000 /* octets of names and values */
#define ARGUMENTS_TEXT 65536 /* … of JSON in a string, with what is escaped */

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
    if (json_object_size(value) > DIALECT_HEADERS) {
        faults_add(r->errors, pointer, "too_many", "At most %d headers are allowed.",
                   DIALECT_HEADERS);
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

bool sendgrid_read_headers(dialect_reader *r, const char *pointer, const json_t *value)
{
    if (check_headers(r, pointer, value))
        sendgrid_mail_of(r)->headers = value;
    return true;
}

bool sendgrid_read_own_headers(dialect_reader *r, const char *pointer, const json_t *value)
{
    if (check_headers(r, pointer, value))
        sendgrid_mail_of(r)->own.headers = value;
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

void sendgrid_set_headers(dialect_reader *r)
{
    const sendgrid_mail *m = sendgrid_mail_of(r);
    const char *name;
    json_t *member;

    if (!m->own.headers) {
        if (m->headers)
            dialect_share(r, "headers", m->headers);
        return;
    }
    json_t *merged = m->headers ? dialect_copy(m->headers) : json_object();
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

/* False: there are more than a message keeps, and none is looked at. */
static bool check_arguments(dialect_reader *r, const char *pointer, const json_t *object)
{
    char at[FAULTS_POINTER_MAX];
    const char *name;
    json_t *member;

    if (json_object_size(object) > DIALECT_METADATA) {
        faults_add(r->errors, pointer, "too_many", "At most %d custom arguments are allowed.",
                   DIALECT_METADATA);
        return false;
    }
    json_object_foreach((json_t *)object, name, member)
    {
        faults_pointer(at, pointer, name);
        if (json_is_object(member) || json_is_array(member))
            faults_add(r->errors, at, "wrong_type",
                       "All values of custom arguments object must be strings");
    }
    return true;
}

/* The API's description has them as a text, which an object stands in. */
bool sendgrid_read_arguments(dialect_reader *r, const char *pointer, const json_t *value)
{
    sendgrid_mail *m = sendgrid_mail_of(r);
    mime_bytes text;

    if (json_is_string(value)) {
        if (!dialect_text(r, pointer, value, &text))
            return true;
        if (text.len <= ARGUMENTS_TEXT)
            m->parsed = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
        value = m->parsed;
    }
    if (!json_is_object(value)) {
        faults_add(r->errors, pointer, "wrong_type",
                   "Must be an object, or one in a string of at most 64 KiB.");
        return true;
    }
    if (check_arguments(r, pointer, value))
        m->arguments = value;
    return true;
}

bool sendgrid_read_own_arguments(dialect_reader *r, const char *pointer, const json_t *value)
{
    if (!json_is_object(value)) {
        dialect_wrong_type(r, pointer, "an object", value);
        return true;
    }
    if (check_arguments(r, pointer, value))
        sendgrid_mail_of(r)->own.arguments = value;
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

/* The octets of names and texts of an object. */
size_t sendgrid_weigh(const dialect_reader *r, const json_t *object)
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

void sendgrid_set_metadata(dialect_reader *r, const char *pointer)
{
    const sendgrid_mail *m = sendgrid_mail_of(r);
    char at[FAULTS_POINTER_MAX];

    if (!m->arguments && !m->own.arguments && !m->batch)
        return;
    json_t *metadata = json_object();
    add_arguments(r, metadata, m->arguments);
    add_arguments(r, metadata, m->own.arguments);
    faults_member(at, m->own.arguments ? pointer : "", "custom_args");
    if (sendgrid_weigh(r, metadata) > ARGUMENTS)
        faults_add(r->errors, at, "too_long",
                   "The combined size of both global and personalization custom arguments may not "
                   "exceed 10,000 bytes per personalization.");
    if (m->batch && !json_object_get(metadata, "batch_id") &&
        json_object_set(metadata, "batch_id", (json_t *)m->batch) != 0)
        r->nomem = true;
    dialect_set(r, "metadata", metadata);
}
