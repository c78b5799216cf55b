#include "queue/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/utf8.h"

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */
#define LOAD        JSON_REJECT_DUPLICATES
#define DUMP        JSON_COMPACT

static const char *const status_names[RECORD_STATUSES] = {
    [RECORD_WAITING] = "waiting", [RECORD_ACCEPTED] = "accepted",
    [RECORD_REFUSED] = "refused", [RECORD_UNKNOWN] = "unknown",
    [RECORD_EXPIRED] = "expired", [RECORD_SUPPRESSED] = "suppressed",
};

const char *record_status_name(record_status s)
{
    return status_names[s];
}

void record_time(int64_t us, char out[RECORD_TIME])
{
    struct tm t = {0};
    time_t seconds = (time_t)(us / 1000000);
    unsigned ms = (unsigned)(us % 1000000 / 1000) % 1000;
    char text[64]; /* what a year beyond 9999 would need */

    if (us < 0 || !gmtime_r(&seconds, &t)) {
        t = (struct tm){.tm_year = 70, .tm_mday = 1};
        ms = 0;
    }
    (void)snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ", t.tm_year + 1900,
                   t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, ms);
    (void)snprintf(out, RECORD_TIME, "%.*s", RECORD_TIME - 1, text);
}

/* ---- reading ---- */

/* Nothing that could end a line of SMTP; the sender quotes nothing. */
static bool is_path(const char *s)
{
    for (; *s; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7F || *s == '<' || *s == '>')
            return false;
    }
    return true;
}

static const char *read_head(record *r)
{
    json_t *relays = json_object_get(r->head, "relays");
    size_t count = json_array_size(relays);

    r->reverse_path = json_string_value(json_object_get(r->head, "envelope_from"));
    if (!r->reverse_path || !is_path(r->reverse_path))
        return "what is kept of the message has no reverse-path";
    for (size_t i = 0; i < count && r->relay_count < RECORD_RELAYS_MAX; i++) {
        const char *name = json_string_value(json_array_get(relays, i));
        if (name)
            r->relays[r->relay_count++] = name;
    }
    if (r->relay_count == 0)
        return "what is kept of the message names no relay";
    r->utf8 = json_is_true(json_object_get(r->head, "utf8"));
    r->eight_bit = json_is_true(json_object_get(r->head, "eight_bit"));
    return NULL;
}

static bool read_status(const char *name, record_status *out)
{
    for (int s = 0; name && s < RECORD_STATUSES; s++) {
        if (strcmp(name, status_names[s]) == 0) {
            *out = (record_status)s;
            return true;
        }
    }
    return false;
}

static const char *read_recipients(record *r, bool *transient)
{
    size_t count = json_array_size(r->recipients);

    if (count == 0 || count > RECORD_RECIPIENTS_MAX)
        return "what is kept of the message has no recipients";
    r->list = calloc(count, sizeof *r->list);
    if (!r->list) {
        *transient = true;
        return "out of memory";
    }
    for (size_t i = 0; i < count; i++) {
        record_recipient *one = &r->list[i];
        one->json = json_array_get(r->recipients, i);
        one->email = json_string_value(json_object_get(one->json, "email"));
        const char *status = json_string_value(json_object_get(one->json, "status"));
        if (!one->email || !one->email[0] || !is_path(one->email) ||
            !read_status(status, &one->status))
            return "what is kept of the message's recipients can't be read";
    }
    r->count = count;
    return NULL;
}

static void read_log(record *r)
{
    size_t count = json_array_size(r->log);
    json_t *number = json_object_get(json_array_get(r->log, count ? count - 1 : 0), "number");
    json_int_t n = json_integer_value(number);
    r->tries = n > 0 && n < 1000000 ? (unsigned)n : (unsigned)count;
}

static json_t *load(const char *text, bool *transient)
{
    json_error_t error;
    json_t *json = text ? json_loads(text, LOAD, &error) : NULL;
    if (text && !json && json_error_code(&error) == json_error_out_of_memory)
        *transient = true;
    return json;
}

const char *record_read(record *r, const queue_message *m, bool *transient)
{
    *r = (record){0};
    *transient = false;
    r->head = load(m->head, transient);
    r->recipients = load(m->recipients, transient);
    r->log = load(m->log && m->log[0] ? m->log : "[]", transient);
    if (*transient)
        return "out of memory";
    if (!json_is_object(r->head) || !json_is_array(r->recipients) || !json_is_array(r->log))
        return "what is kept of the message can't be read";
    read_log(r);
    const char *fault = read_head(r);
    return fault ? fault : read_recipients(r, transient);
}

void record_clear(record *r)
{
    json_decref(r->head);
    json_decref(r->recipients);
    json_decref(r->log);
    free(r->list);
    *r = (record){0};
}

size_t record_having(const record *r, record_status s)
{
    size_t n = 0;
    for (size_t i = 0; i < r->count; i++)
        n += r->list[i].status == s;
    return n;
}

/* ---- writing ---- */

/* The text's first octets, cut between characters. */
static size_t cut(const char *s)
{
    size_t len = strnlen(s, RECORD_TEXT_MAX + 1);
    if (len <= RECORD_TEXT_MAX)
        return len;
    for (len = RECORD_TEXT_MAX; len > 0 && ((unsigned char)s[len] & 0xC0) == 0x80;)
        len--;
    return len;
}

json_t *record_text(const char *s)
{
    size_t len = cut(s);
    if (utf8_valid(s, len))
        return json_stringn_nocheck(s, len);
    buf clean = BUF_INIT;
    while (len > 0) {
        uint32_t point;
        size_t n = utf8_decode(s, len, &point);
        if (n > 0)
            buf_add(&clean, s, n);
        else
            buf_adds(&clean, REPLACEMENT);
        n += n == 0;
        s += n;
        len -= n;
    }
    json_t *text = buf_ok(&clean) ? json_stringn_nocheck(clean.data, clean.len) : NULL;
    buf_free(&clean);
    return text;
}

void record_set(json_t *object, const char *name, json_t *value)
{
    if (value)
        (void)json_object_set_new_nocheck(object, name, value); /* without memory it is left out */
}

json_t *record_reply(const smtp_reply *reply)
{
    json_t *json = json_object();
    record_set(json, "code", json_integer(reply->code));
    record_set(json, "enhanced", reply->enhanced[0] ? record_text(reply->enhanced) : json_null());
    record_set(json, "message", record_text(reply->text ? reply->text : ""));
    return json;
}

static json_t *time_text(int64_t us)
{
    char text[RECORD_TIME];
    record_time(us, text);
    return json_string(text);
}

void record_say(record *r, size_t recipient, const record_word *w)
{
    static const char *const members[] = {"relay", "at", "smtp", "category", "hint"};
    json_t *json = r->list[recipient].json;

    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        (void)json_object_del(json, members[i]); /* it may not be there */
    record_set(json, "relay", record_text(w->relay));
    record_set(json, "at", time_text(w->at));
    if (w->reply && w->reply->code)
        record_set(json, "smtp", record_reply(w->reply));
    if (w->category && w->category[0])
        record_set(json, "category", record_text(w->category));
    if (w->hint)
        record_set(json, "hint", record_text(w->hint));
}

void record_log(record *r, json_t *entry)
{
    r->tries++;
    if (!entry)
        return;
    record_set(entry, "number", json_integer((json_int_t)r->tries));
    (void)json_array_append_new(r->log, entry);
    while (json_array_size(r->log) > RECORD_LOG_MAX && json_array_remove(r->log, 1) == 0)
        continue;
}

void record_log_next(record *r, int64_t next_at)
{
    size_t count = json_array_size(r->log);
    json_t *last = json_array_get(r->log, count ? count - 1 : 0);
    if (last && next_at)
        record_set(last, "next_at", time_text(next_at));
    else if (last)
        (void)json_object_del(last, "next_at");
}

static bool write_statuses(record *r)
{
    for (size_t i = 0; i < r->count; i++) {
        json_t *status = json_string(status_names[r->list[i].status]);
        if (!status || json_object_set_new_nocheck(r->list[i].json, "status", status) != 0)
            return false;
    }
    return true;
}

bool record_dump(record *r, char **recipients, char **log)
{
    *recipients = *log = NULL;
    if (!write_statuses(r))
        return false;
    *recipients = json_dumps(r->recipients, DUMP);
    *log = json_dumps(r->log, DUMP);
    if (*recipients && *log)
        return true;
    free(*recipients);
    free(*log);
    *recipients = *log = NULL;
    return false;
}

/* Members that an event passes on as they are. */
static void pass_on(const record *r, json_t *data, const char *name)
{
    json_t *value = json_object_get(r->head, name);
    if (value && !json_is_null(value))
        (void)json_object_set(data, name, value);
}

char *record_event(record *r, const char *type, const char *id, queue_state state, int64_t now,
                   int64_t next_at)
{
    char *text = NULL;
    json_t *event = json_object(), *data = json_object();

    if (!event || !data || !write_statuses(r))
        goto cleanup;
    record_set(event, "type", json_string(type));
    record_set(event, "timestamp", time_text(now));
    record_set(data, "id", json_string(id));
    pass_on(r, data, "message_id");
    record_set(data, "state", json_string(queue_state_name(state)));
    if (r->recipients)
        (void)json_object_set(data, "recipients", r->recipients);
    pass_on(r, data, "tags");
    pass_on(r, data, "metadata");
    record_set(data, "attempts", json_integer((json_int_t)r->tries));
    if (next_at)
        record_set(data, "next_at", time_text(next_at));
    if (json_object_set(event, "data", data) == 0)
        text = json_dumps(event, DUMP);
cleanup:
    json_decref(event);
    json_decref(data);
    return text;
}
