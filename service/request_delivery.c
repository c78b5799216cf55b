#include "service/request_own.h"

#include <stdint.h>
#include <string.h>

#include "queue/queue.h"
#include "service/config_value.h"
#include "service/when.h"

static const smtp_relay *find_relay(request_reader *r, const char *pointer, const json_t *value)
{
    mime_bytes name;
    if (!request_string(r, pointer, value, &name))
        return NULL;
    const smtp_relay *relay = config_relay(r->config, name.data);
    /* "default" may be written where no relay is configured: that is answered as such, not as a
     * fault. */
    if (!relay && !(r->config->relay_count == 0 && strcmp(name.data, "default") == 0))
        faults_add(r->errors, pointer, "unknown_relay", "No relay of this name is configured.");
    return relay;
}

/* One name; for the queue also several, in the order in which they are tried. */
void request_read_relay(request_reader *r, const char *pointer, const json_t *value)
{
    request_delivery *d = &r->request->delivery;
    bool several = (r->queued || r->only_lint) && json_is_array(value);
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

void request_read_transcript(request_reader *r, const char *pointer, const json_t *value)
{
    if (json_is_boolean(value))
        r->request->transcript = json_is_true(value);
    else
        request_wrong_type(r, pointer, "true or false", value);
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

void request_read_send_at(request_reader *r, const char *pointer, const json_t *value)
{
    int64_t now = (int64_t)r->now * SECOND_US, at = 0;
    mime_bytes text;
    bool ok = false;

    if (json_is_number(value))
        ok = get_seconds(value, 253402300799.0, &at);
    else if (!json_is_string(value))
        request_wrong_type(r, pointer, "a time (RFC 3339) or Unix seconds", value);
    else if (request_string(r, pointer, value, &text))
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

bool request_read_change(document *d, const json_t *change, time_t now, int64_t *send_at,
                         faults *errors)
{
    request q = {.document = d};
    request_reader r = {.request = &q, .errors = errors, .now = now};
    const char *key;
    json_t *value;

    if (!json_is_object(change))
        request_wrong_type(&r, "", "an object", change);
    json_object_foreach((json_t *)change, key, value)
    {
        if (strcmp(key, "send_at") != 0)
            faults_unknown(errors, "", key);
        else if (!json_is_null(value))
            request_read_send_at(&r, "/send_at", value);
    }
    if (json_is_object(change) && !request_is_given(change, "send_at"))
        faults_add(errors, "/send_at", "required", "The new time is required.");
    *send_at = q.delivery.send_at;
    return errors->total == 0 && !errors->failed && !r.nomem;
}

void request_read_expires_in(request_reader *r, const char *pointer, const json_t *value)
{
    int64_t us = 0;
    mime_bytes text;
    bool ok = false;

    if (json_is_number(value))
        ok = get_seconds(value, 1e9, &us);
    else if (!json_is_string(value)) {
        request_wrong_type(r, pointer, "a number of seconds or a string such as \"2h\"", value);
        return;
    } else if (request_string(r, pointer, value, &text))
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

void request_read_priority(request_reader *r, const char *pointer, const json_t *value)
{
    if (!json_is_integer(value))
        request_wrong_type(r, pointer, "a whole number", value);
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

static void read_tag(request_reader *r, const char *pointer, const json_t *value, const char **tags,
                     size_t *count)
{
    mime_bytes text;
    if (!request_string(r, pointer, value, &text))
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

void request_read_tags(request_reader *r, const char *pointer, const json_t *value)
{
    size_t kept = 0, count = json_array_size(value);

    if (!json_is_array(value)) {
        request_wrong_type(r, pointer, "an array of strings", value);
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

void request_read_metadata(request_reader *r, const char *pointer, const json_t *value)
{
    const char *name;
    json_t *member;

    if (!json_is_object(value)) {
        request_wrong_type(r, pointer, "an object of strings", value);
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
        else if (request_string(r, at, member, &text) && text.len > REQUEST_METADATA_TEXT)
            faults_add(r->errors, at, "too_long", "A value has at most %d bytes.",
                       REQUEST_METADATA_TEXT);
    }
    r->request->delivery.metadata = value;
}
