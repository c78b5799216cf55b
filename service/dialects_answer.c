/*
 * dialects_answer - the way out of a dialect: an answer in Postern's words (JSON of /v1/messages,
 * of /v1/send, of dialects_many.c, a problem) is written in the dialect's.
 *
 * The answer's JSON is what is translated, so that whoever answers, whatever is answered again for
 * an idempotency key, and whatever refuses a request before any handler has seen it, comes out in
 * the dialect without knowing of it.
 */
#include "service/dialects.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/arena.h"
#include "base/plain.h"

#define TREE_BYTES       4096 /* hold a small answer's tree */
#define USUAL_MESSAGE_ID 320  /* "<…@…>" */

/* What an answer's tree becomes, and what goes with it. */
typedef struct telling {
    const dialects_call *call; /* NULL: nothing of the request was read */
    dialect_sent *sent;
    dialect_refusal *refusals;
    faults *faults;
    const char **addresses; /* that nothing is sent to: of all mails, one after the other */
    char **made;            /* those of them that are ours */
    size_t count, address_count, made_count;
} telling;

/* ---- faults ---- */

/* "/to/1" of a draft: its string, or an object's email. */
static const json_t *find_mailbox(const json_t *draft, const char *pointer)
{
    char name[16];
    const char *slash = *pointer == '/' ? strchr(pointer + 1, '/') : NULL;
    size_t len = slash ? (size_t)(slash - pointer) - 1 : strlen(pointer) - (*pointer == '/');

    if (len >= sizeof name)
        return NULL;
    memcpy(name, pointer + (*pointer == '/'), len);
    name[len] = '\0';
    const json_t *value = json_object_get(draft, name);
    if (json_is_array(value) && slash)
        value = json_array_get(value, strtoul(slash + 1, NULL, 10));
    return json_is_object(value) ? json_object_get(value, "email") : value;
}

/* The address that a fault of a draft is about; the caller's. NULL: none, or no memory. */
static char *address_at(const dialects_call *c, size_t draft, const char *pointer)
{
    const json_t *value = find_mailbox(c->plan.drafts[draft].message, pointer);
    mime_mailbox mailbox = {0};
    const char *reason = NULL;
    mime_bytes text;
    char *address = NULL;

    if (!json_is_string(value) || !c->body.text(c->body.ctx, value, &text) ||
        !mime_mailbox_parse(text.data, text.len, &mailbox, &reason))
        return NULL;
    address = strdup(mailbox.address);
    mime_mailbox_clear(&mailbox);
    return address;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static void read_errors(telling *t, size_t draft, const json_t *problem, faults *out)
{
    const dialects_call *c = t->call;
    const json_t *list = json_object_get(problem, "errors"), *e;
    faults found;
    size_t i;

    faults_init(&found);
    json_array_foreach((json_t *)list, i, e)
    {
        const json_t *offset = json_object_get(e, "offset");
        if (offset)
            faults_add_at(&found, text_of(e, "pointer"), text_of(e, "code"),
                          (size_t)json_integer_value(offset), text_of(e, "detail"));
        else
            faults_add(&found, text_of(e, "pointer"), text_of(e, "code"), "%s",
                       text_of(e, "detail"));
    }
    if (c && !c->mapped && draft < c->plan.count && c->body.root) {
        dialects_map(c, draft, &found, out);
        faults_free(&found);
    } else {
        *out = found;
    }
}

/* The last word of "urn:postern:problem:invalid". */
static const char *reason_of(const json_t *problem)
{
    const char *type = text_of(problem, "type"), *colon = strrchr(type, ':');
    return colon ? colon + 1 : type;
}

/* Of what was told at pointers into the draft: dialects_many.c names the addresses. */
static void read_suppressed(telling *t, size_t draft, const json_t *problem, dialect_refusal *out)
{
    const json_t *list = json_object_get(problem, "errors"), *e;
    size_t i;

    out->suppressed = t->addresses + t->address_count;
    json_array_foreach((json_t *)list, i, e)
    {
        char *address = address_at(t->call, draft, text_of(e, "pointer"));
        if (!address)
            continue;
        t->made[t->made_count++] = address;
        t->addresses[t->address_count++] = address;
        out->suppressed_count++;
    }
}

static void read_refusal(telling *t, size_t draft, const json_t *problem, dialect_refusal *out,
                         faults *errors)
{
    *out = (dialect_refusal){.status =
                                 (unsigned)json_integer_value(json_object_get(problem, "status")),
                             .reason = reason_of(problem),
                             .detail = text_of(problem, "detail"),
                             .id = json_string_value(json_object_get(problem, "id"))};
    faults_init(errors);
    if (!json_object_get(problem, "errors"))
        return;
    read_errors(t, draft, problem, errors);
    out->errors = errors;
    if (t->call && !t->call->mapped && draft < t->call->plan.count &&
        strcmp(out->reason, "suppressed") == 0)
        read_suppressed(t, draft, problem, out);
}

/* ---- mails ---- */

static void add_suppressed(telling *t, dialect_sent *s, const json_t *address)
{
    if (!json_is_string(address))
        return;
    t->addresses[t->address_count++] = json_string_value(address);
    s->suppressed_count++;
}

static void read_sent(telling *t, size_t i, const json_t *one)
{
    dialect_sent *s = &t->sent[i];
    const json_t *problem = json_object_get(one, "problem"), *item;
    size_t k;

    s->message = t->call->plan.drafts[i].message;
    s->suppressed = t->addresses + t->address_count;
    json_array_foreach(json_object_get(one, "suppressed"), k, item)
    {
        add_suppressed(t, s, item);
    }
    json_array_foreach(json_object_get(one, "rejected"), k, item) /* of /v1/send */
    {
        if (strcmp(text_of(item, "code"), "suppressed") == 0)
            add_suppressed(t, s, json_object_get(item, "email"));
    }
    if (problem) {
        dialect_refusal *r = &t->refusals[i];
        read_refusal(t, i, problem, r, &t->faults[i]);
        r->suppressed = s->suppressed;
        r->suppressed_count = s->suppressed_count;
        s->refusal = r;
        return;
    }
    s->id = json_string_value(json_object_get(one, "id"));
    s->message_id = json_string_value(json_object_get(one, "message_id"));
}

static size_t count_addresses(const json_t *one)
{
    return json_array_size(json_object_get(one, "suppressed")) +
           json_array_size(json_object_get(one, "rejected")) +
           json_array_size(json_object_get(json_object_get(one, "problem"), "errors")) +
           json_array_size(json_object_get(one, "errors"));
}

/* Room for what will be read of it. */
static bool telling_begin(telling *t, const json_t *root)
{
    const json_t *list = json_object_get(root, "messages"), *one;
    size_t i, addresses = count_addresses(root);

    t->count = list ? json_array_size(list) : 1;
    json_array_foreach((json_t *)list, i, one)
    {
        addresses += count_addresses(one);
    }
    t->sent = calloc(t->count + 1, sizeof *t->sent);
    t->refusals = calloc(t->count + 1, sizeof *t->refusals);
    t->faults = calloc(t->count + 1, sizeof *t->faults);
    t->addresses = calloc(addresses + 1, sizeof *t->addresses);
    t->made = calloc(addresses + 1, sizeof *t->made);
    return t->sent && t->refusals && t->faults && t->addresses && t->made;
}

static void telling_end(telling *t)
{
    for (size_t i = 0; t->faults && i <= t->count; i++)
        faults_free(&t->faults[i]);
    for (size_t i = 0; i < t->made_count; i++)
        free(t->made[i]);
    free(t->sent);
    free(t->refusals);
    free(t->faults);
    free(t->addresses);
    free(t->made);
}

static void tell_sent(telling *t, const json_t *root, dialect_answer *out)
{
    const dialects_call *c = t->call;
    const dialect_endpoint *e = c->place->endpoint;
    const json_t *list = json_object_get(root, "messages");

    if (e->action == DIALECT_FIXED) {
        e->accepted(&c->body, NULL, 0, false, out);
        return;
    }
    if (e->action != DIALECT_SEND) {
        e->show(root, out);
        return;
    }
    if (t->count > c->plan.count) /* can't be: it is one for each draft */
        t->count = c->plan.count;
    for (size_t i = 0; i < t->count; i++)
        read_sent(t, i, list ? json_array_get(list, i) : root);
    e->accepted(&c->body, t->sent, t->count, c->plan.dry, out);
}

/* A wrong key and none are answered alike by Postern, and not by everybody. */
static bool shows_key(http_exchange *x, const dialects_place *place)
{
    char room[1024];
    size_t len = 0;
    bool shown = place->manners.key(x, room, sizeof room, &len) != NULL && len > 0;
    OPENSSL_cleanse(room, sizeof room);
    return shown;
}

static bool tell(http_exchange *x, const dialects_place *place, unsigned status, const json_t *root,
                 dialect_answer *out)
{
    const dialects_call *c = http_context(x);
    telling t = {.call = c};
    bool ok = telling_begin(&t, root);

    if (ok && (status >= 400 || !c)) {
        read_refusal(&t, 0, root, &t.refusals[t.count], &t.faults[t.count]);
        t.refusals[t.count].status = status;
        t.refusals[t.count].has_key = status == 401 && shows_key(x, place);
        place->dialect->refused(&t.refusals[t.count], out);
    } else if (ok) {
        tell_sent(&t, root, out);
    }
    telling_end(&t);
    return ok;
}

/* ---- the usual ---- */

/* The next member, a string without escapes, where `at` begins with `key`: copied, and `at` goes
 * behind it. */
static bool take(const char **at, const char *end, const char *key, char *out, size_t cap)
{
    size_t len = strlen(key), n = 0;

    if ((size_t)(end - *at) < len || memcmp(*at, key, len) != 0)
        return false;
    const char *from = *at + len;
    while (from + n < end && n + 1 < cap && from[n] != '"' && from[n] != '\\')
        n++;
    if (from + n == end || from[n] != '"')
        return false;
    memcpy(out, from, n);
    out[n] = '\0';
    *at = from + n + 1;
    return true;
}

/* One mail that nobody is left out of: what is wanted of its answer stands in front, as it was
 * written here, and all else needs no parser. False: it is not so plain. */
static bool tell_usual(const dialects_place *place, const dialects_call *c, unsigned status,
                       const buf *content, dialect_answer *out)
{
    static const char left_out[] = "\"suppressed\":[";
    char id[IDS_LENGTH + 1], message_id[USUAL_MESSAGE_ID];
    const char *at = content->data, *end = at + content->len;

    if (status >= 207 || !c || place->endpoint->action != DIALECT_SEND || c->plan.count != 1 ||
        c->plan.each || !take(&at, end, "{\"id\":\"", id, sizeof id) ||
        !take(&at, end, ",\"message_id\":\"", message_id, sizeof message_id))
        return false;
    const char *list = memmem(at, (size_t)(end - at), left_out, sizeof left_out - 1);
    if (list && list[sizeof left_out - 1] != ']')
        return false;
    const dialect_sent sent = {
        .id = id, .message_id = message_id, .message = c->plan.drafts[0].message};
    place->endpoint->accepted(&c->body, &sent, 1, c->plan.dry, out);
    return true;
}

/* Most answers are plain enough, and small. */
static json_t *load(const buf *content)
{
    json_t *root = plain_load_text(content->data, content->len);
    return root ? root : json_loadb(content->data, content->len, JSON_ALLOW_NUL, NULL);
}

void dialects_answer(http_exchange *x, unsigned *status, const char **content_type, buf *content)
{
    _Alignas(max_align_t) char block[TREE_BYTES];
    const dialects_place *place = http_exchange_route(x)->context;
    dialect_answer made = {.content = BUF_INIT};
    arena a;

    arena_init(&a, block, sizeof block);
    bool ok = tell_usual(place, http_context(x), *status, content, &made);
    if (!ok) {
        arena_use(&a);
        json_t *root = load(content);
        arena_use(NULL);
        ok = root && !a.failed && tell(x, place, *status, root, &made);
        arena_use(&a);
        json_decref(root);
        arena_use(NULL);
    }
    /* Without memory the answer goes out as it is, which is the truth. */
    if (!ok || !made.status || !buf_ok(&made.content)) {
        buf_free(&made.content);
        return;
    }
    buf_free(content);
    *content = made.content;
    *status = made.status;
    *content_type = made.content_type;
    if (made.header)
        http_set_header(x, made.header, made.value);
}
