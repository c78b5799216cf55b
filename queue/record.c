#include "queue/record.h"

#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "base/plain.h"
#include "base/zeroed.h"

#define LOAD JSON_REJECT_DUPLICATES

/* Of trees: nearly all fit, and if not they go on in malloc's. */
#define TREE_LEAST  ((size_t)1024)
#define TREE_MOST   ((size_t)32 * 1024)
#define TREE_FACTOR 8   /* octets for one of the text */
#define TEXT_USUAL  512 /* of a text with one recipient, or one entry */

static const char *const status_names[RECORD_STATUSES] = {
    [RECORD_WAITING] = "waiting", [RECORD_ACCEPTED] = "accepted",
    [RECORD_REFUSED] = "refused", [RECORD_UNKNOWN] = "unknown",
    [RECORD_EXPIRED] = "expired", [RECORD_SUPPRESSED] = "suppressed",
};

const char *record_status_name(record_status s)
{
    return status_names[s];
}

/* ---- reading ---- */

/* Nothing that could end a path of SMTP before its end; the sender quotes nothing. An angle bracket
 * may stand in a quoted local part. */
static bool is_path(const char *s)
{
    bool quoted = false;

    for (; *s; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7F)
            return false;
        if (*s == '"')
            quoted = !quoted;
        else if (quoted && *s == '\\' && (unsigned char)s[1] >= 0x20 && s[1] != 0x7F)
            s++;
        else if (!quoted && (*s == '<' || *s == '>'))
            return false;
    }
    return !quoted;
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
    r->list = zeroed(count, sizeof *r->list);
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

/* Into the arena, which is the current one. */
static json_t *load(const record *r, const char *text)
{
    size_t len = text ? strlen(text) : 0;
    /* No escape: of those it knows one that has no place here. */
    json_t *json = len && !memchr(text, '\\', len) ? plain_load(text, len) : NULL;
    return json || r->arena.failed || len == 0 ? json : json_loadb(text, len, LOAD, NULL);
}

static bool make_room(record *r, const queue_message *m)
{
    size_t len = (m->head ? strlen(m->head) : 0) + (m->recipients ? strlen(m->recipients) : 0) +
                 (m->log ? strlen(m->log) : 0);
    size_t size = len < TREE_MOST / TREE_FACTOR ? TREE_LEAST + len * TREE_FACTOR : TREE_MOST;
    size -= size % ARENA_ALIGN;
    char *block = malloc(size);
    arena_init(&r->arena, block, block ? size : 0);
    return block != NULL;
}

const char *record_read(record *r, const queue_message *m, bool *transient)
{
    *r = (record){0};
    *transient = !make_room(r, m);
    if (!*transient) {
        arena_use(&r->arena);
        r->head = load(r, m->head);
        r->recipients = load(r, m->recipients);
        r->log = load(r, m->log && m->log[0] ? m->log : "[]");
        arena_use(NULL);
        *transient = r->arena.failed;
    }
    if (*transient)
        return "out of memory";
    if (!json_is_object(r->head) || !json_is_array(r->recipients) || !json_is_array(r->log))
        return "what is kept of the message can't be read";
    read_log(r);
    const char *fault = read_head(r);
    return fault ? fault : read_recipients(r, transient);
}

void record_break(record *r)
{
    free(r->list);
    r->list = NULL;
    r->count = 0;
}

/* Trees that the arena holds as a whole go with its block. */
void record_clear(record *r)
{
    if (r->arena.spilled) {
        arena_use(&r->arena);
        json_decref(r->head);
        json_decref(r->recipients);
        json_decref(r->log);
        arena_use(NULL);
    }
    free(r->arena.block);
    free(r->list);
    buf_free(&r->words);
    buf_free(&r->fresh);
    *r = (record){0};
}

size_t record_having(const record *r, record_status s)
{
    size_t n = 0;
    for (size_t i = 0; i < r->count; i++)
        n += r->list[i].status == s;
    return n;
}

/* ---- what comes new ---- */

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

void record_text(jsonw *w, const char *s)
{
    jsonw_strn(w, s, cut(s));
}

/* Without a value there is no member. */
static void member_text(jsonw *w, const char *name, const char *s)
{
    if (!s)
        return;
    jsonw_key(w, name);
    record_text(w, s);
}

static void member_time(jsonw *w, const char *name, int64_t us)
{
    char text[CIVIL_TIME + 1];
    civil_time(us, text);
    jsonw_key(w, name);
    jsonw_strn(w, text, CIVIL_TIME);
}

static void member_int(jsonw *w, const char *name, int64_t n)
{
    jsonw_key(w, name);
    jsonw_int(w, n);
}

static void member_reply(jsonw *w, const smtp_reply *reply)
{
    if (!reply || !reply->code)
        return;
    jsonw_key(w, "smtp");
    jsonw_object(w);
    member_int(w, "code", reply->code);
    jsonw_key(w, "enhanced");
    if (reply->enhanced[0])
        record_text(w, reply->enhanced);
    else
        jsonw_null(w);
    member_text(w, "message", reply->text ? reply->text : "");
    jsonw_object_end(w);
}

/* False: there was no memory, and what was added is taken back. */
static bool keep(buf *b, size_t before)
{
    if (buf_ok(b))
        return true;
    b->len = before;
    b->failed = false;
    return false;
}

void record_say(record *r, size_t recipient, const record_word *word)
{
    record_recipient *one = &r->list[recipient];
    size_t before = r->words.len;
    jsonw w;

    jsonw_init(&w, &r->words);
    member_text(&w, "relay", word->relay);
    member_time(&w, "at", word->at);
    member_reply(&w, word->reply);
    member_text(&w, "category", word->category && word->category[0] ? word->category : NULL);
    member_text(&w, "cause", word->cause && word->cause[0] ? word->cause : NULL);
    member_text(&w, "hint", word->hint);
    if (keep(&r->words, before)) {
        one->word_at = before;
        one->word_len = r->words.len - before;
    }
}

/* All but the reply. */
static void members_fault(jsonw *w, const smtp_fault *f, bool given_up)
{
    bool known = f->category != SMTP_CATEGORY_NONE;
    if (known) {
        member_text(w, "category", smtp_category_name(f->category));
        member_text(w, "cause", f->cause == SMTP_CAUSE_NONE ? NULL : smtp_cause_name(f->cause));
        member_text(w, "stage", smtp_stage_name(f->stage));
    }
    member_text(w, "detail", f->detail);
    member_text(w, "hint", f->hint);
    if (known || given_up) {
        jsonw_key(w, "retryable");
        jsonw_bool(w, f->retryable);
    }
}

/* The second of the new ones goes: the first may be the log's. */
static void drop_second(record *r)
{
    size_t at = strlen(r->fresh.data) + 1, len = strlen(r->fresh.data + at) + 1;
    memmove(r->fresh.data + at, r->fresh.data + at + len, r->fresh.len - at - len);
    r->fresh.len -= len;
    r->fresh_count--;
}

void record_log(record *r, const record_entry *e)
{
    size_t before = r->fresh.len;
    jsonw w;

    jsonw_init(&w, &r->fresh);
    jsonw_object(&w);
    member_time(&w, "at", e->at);
    member_text(&w, "relay", e->relay);
    member_text(&w, "outcome", e->outcome);
    member_int(&w, "ms", e->us / 1000);
    member_int(&w, "recipients", (int64_t)e->recipients);
    member_int(&w, "accepted", (int64_t)e->accepted);
    if (e->fault) {
        members_fault(&w, e->fault, !e->relay);
        member_reply(&w, e->reply);
    }
    member_int(&w, "number", ++r->tries);
    buf_addc(&r->fresh, '\0');
    if (!keep(&r->fresh, before))
        return;
    if (++r->fresh_count > RECORD_LOG_MAX)
        drop_second(r);
}

/* ---- the texts ---- */

static void write_value(jsonw *w, json_t *value);

static void write_member(jsonw *w, const char *name, json_t *value)
{
    jsonw_str(w, name); /* it may need escapes */
    buf_addc(w->out, ':');
    w->comma = false;
    write_value(w, value);
}

static void write_object(jsonw *w, json_t *object)
{
    const char *name;
    json_t *value;
    jsonw_object(w);
    json_object_foreach(object, name, value) write_member(w, name, value);
    jsonw_object_end(w);
}

static void write_array(jsonw *w, json_t *array)
{
    size_t count = json_array_size(array);
    jsonw_array(w);
    for (size_t i = 0; i < count; i++)
        write_value(w, json_array_get(array, i));
    jsonw_array_end(w);
}

static void write_real(jsonw *w, json_t *real)
{
    char text[64]; /* 17 digits, and what is around them */
    size_t len = json_dumpb(real, text, sizeof text, JSON_ENCODE_ANY);
    jsonw_raw(w, text, len <= sizeof text ? len : 0);
}

static void write_value(jsonw *w, json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT: write_object(w, value); break;
    case JSON_ARRAY: write_array(w, value); break;
    case JSON_STRING: jsonw_strn(w, json_string_value(value), json_string_length(value)); break;
    case JSON_INTEGER: jsonw_int(w, json_integer_value(value)); break;
    case JSON_REAL: write_real(w, value); break;
    case JSON_TRUE:
    case JSON_FALSE: jsonw_bool(w, json_is_true(value)); break;
    case JSON_NULL: jsonw_null(w); break;
    }
}

static bool is_word(const char *name)
{
    static const char *const members[] = {"relay", "at", "smtp", "category", "cause", "hint"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (strcmp(name, members[i]) == 0)
            return true;
    }
    return false;
}

static void write_recipient(jsonw *w, const record *r, const record_recipient *one)
{
    const char *name;
    json_t *value;
    jsonw_object(w);
    json_object_foreach(one->json, name, value)
    {
        if (strcmp(name, "status") == 0) {
            jsonw_key(w, "status");
            jsonw_str(w, status_names[one->status]);
        } else if (!one->word_len || !is_word(name)) {
            write_member(w, name, value);
        }
    }
    if (one->word_len)
        jsonw_raw(w, r->words.data + one->word_at, one->word_len);
    jsonw_object_end(w);
}

static void write_recipients(jsonw *w, const record *r)
{
    if (!r->list) { /* as they were */
        write_array(w, json_is_array(r->recipients) ? r->recipients : NULL);
        return;
    }
    jsonw_array(w);
    for (size_t i = 0; i < r->count; i++)
        write_recipient(w, r, &r->list[i]);
    jsonw_array_end(w);
}

/* All but those that are too many: the oldest but the first go. */
static void write_log(jsonw *w, const record *r, int64_t next_at)
{
    size_t old = json_array_size(r->log), count = old + r->fresh_count;
    size_t extra = count > RECORD_LOG_MAX ? count - RECORD_LOG_MAX : 0;
    const char *fresh = r->fresh.data;

    jsonw_array(w);
    for (size_t i = 0; i < count; i++) {
        bool kept = i == 0 || i > extra;
        size_t len = i < old ? 0 : strlen(fresh);
        if (kept && i < old) {
            write_value(w, json_array_get(r->log, i));
        } else if (kept) {
            jsonw_raw(w, fresh, len);
            if (i + 1 == count && next_at)
                member_time(w, "next_at", next_at);
            jsonw_object_end(w);
        }
        if (i >= old)
            fresh += len + 1;
    }
    jsonw_array_end(w);
}

bool record_dump(const record *r, int64_t next_at, char **recipients, char **log)
{
    buf first = BUF_INIT, second = BUF_INIT;
    jsonw w;

    if (buf_reserve(&first, TEXT_USUAL)) {
        jsonw_init(&w, &first);
        write_recipients(&w, r);
    }
    if (buf_reserve(&second, TEXT_USUAL)) {
        jsonw_init(&w, &second);
        write_log(&w, r, next_at);
    }
    *recipients = buf_take(&first);
    *log = buf_take(&second);
    if (*recipients && *log)
        return true;
    free(*recipients);
    free(*log);
    *recipients = *log = NULL;
    return false;
}

/* A member that an event passes on as it is. */
static void pass_on(jsonw *w, const record *r, const char *name)
{
    json_t *value = json_object_get(r->head, name);
    if (value && !json_is_null(value))
        write_member(w, name, value);
}

char *record_event(const record *r, const char *type, const char *id, queue_state state,
                   int64_t now, int64_t next_at)
{
    buf text = BUF_INIT;
    jsonw w;

    jsonw_init(&w, &text);
    jsonw_object(&w);
    member_text(&w, "type", type);
    member_time(&w, "timestamp", now);
    jsonw_key(&w, "data");
    jsonw_object(&w);
    member_text(&w, "id", id);
    pass_on(&w, r, "message_id");
    member_text(&w, "state", queue_state_name(state));
    jsonw_key(&w, "recipients");
    write_recipients(&w, r);
    pass_on(&w, r, "tags");
    pass_on(&w, r, "metadata");
    pass_on(&w, r, "list");
    pass_on(&w, r, "batch");
    member_int(&w, "attempts", r->tries);
    if (next_at)
        member_time(&w, "next_at", next_at);
    jsonw_object_end(&w);
    jsonw_object_end(&w);
    return buf_take(&text);
}
