/*
 * messages_look - the routes that show queued messages and change them: GET /v1/messages,
 * GET, DELETE and PATCH /v1/messages/{id}.
 *
 * The texts that are kept of a message are in the API's words (record.h): what is shown is made of
 * them, less what is for the sender alone.
 */
#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "queue/record.h"
#include "service/batches.h"
#include "service/look.h"
#include "service/messages.h"
#include "service/routes.h"
#include "service/when.h"

#define PAGE_USUAL 50

/* ---- a message as it is shown ---- */

static json_t *parse(const char *text)
{
    return text ? json_loads(text, 0, NULL) : NULL;
}

/* One that waits for its time is "scheduled" until its first attempt. */
static const char *status_of(const queue_message *m, const json_t *head)
{
    if (m->state == QUEUE_QUEUED && m->attempts == 0 && m->next_at > clock_wall_us() &&
        json_object_get(head, "send_at"))
        return "scheduled";
    return queue_state_name(m->state);
}

/* Who waited when a message was cancelled waits no more. */
static void end_waiting(const json_t *recipients)
{
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)recipients, i, one)
    {
        const char *status = json_string_value(json_object_get(one, "status"));
        if (status && strcmp(status, "waiting") == 0)
            (void)json_object_set_new(one, "status", json_string("cancelled"));
    }
}

/* NULL: no memory, or the texts can't be read. */
static json_t *show(const queue_message *m, bool whole)
{
    json_t *head = parse(m->head), *recipients = parse(m->recipients);
    json_t *out = json_object();
    char next[CIVIL_TIME + 1];
    bool ok = head && recipients && out;

    if (ok && m->state == QUEUE_CANCELLED)
        end_waiting(recipients);
    ok = ok && json_object_set_new(out, "id", json_string(m->id)) == 0 &&
         json_object_set_new(out, "status", json_string(status_of(m, head))) == 0;
    if (ok && m->state == QUEUE_QUEUED) {
        civil_time(m->next_at, next);
        ok = json_object_set_new(out, "next_attempt_at", json_string(next)) == 0;
    }
    (void)json_object_del(head, "utf8");
    (void)json_object_del(head, "eight_bit");
    ok = ok && json_object_update(out, head) == 0 &&
         json_object_set(out, "recipients", recipients) == 0;
    if (ok && whole) {
        json_t *log = parse(m->log);
        ok = json_object_set_new(out, "attempts", log ? log : json_array()) == 0;
        if (!queue_state_is_done(m->state))
            ok =
                ok && json_object_set_new(out, "size", json_integer((json_int_t)m->body.size)) == 0;
    }
    json_decref(head);
    json_decref(recipients);
    if (ok)
        return out;
    json_decref(out);
    return NULL;
}

/* ---- one ---- */

static bool not_found(look *l)
{
    http_problem(l->exchange, PROBLEM_NOT_FOUND,
                 "There is no message of this id, or it was kept for long enough.", NULL);
    return true;
}

static bool answer_message(look *l)
{
    return l->op.outcome == QUEUE_OK && l->op.message_count == 1
               ? look_answer(l, 200, show(&l->op.messages[0], true))
               : not_found(l);
}

/* It can't be changed: in which state it is. */
static bool answer_conflict(look *l)
{
    buf content = BUF_INIT;
    bool sending = l->op.found == QUEUE_SENDING;
    jsonw w;

    jsonw_init(&w, &content);
    problem_begin(&w, PROBLEM_CONFLICT,
                  sending                       ? "The message is being sent."
                  : l->op.found == QUEUE_QUEUED ? "The message was tried already."
                                                : "The message is done.");
    jsonw_key(&w, "message_status");
    jsonw_str(&w, queue_state_name(l->op.found));
    jsonw_key(&w, "retryable");
    jsonw_bool(&w, sending);
    jsonw_key(&w, "outcome");
    jsonw_str(&w, "not_sent");
    jsonw_key(&w, "id");
    jsonw_str(&w, http_exchange_id(l->exchange));
    jsonw_object_end(&w);
    buf_addc(&content, '\n');
    http_answer(l->exchange, problem_status(PROBLEM_CONFLICT), "application/problem+json", 0,
                &content);
    return true;
}

/* It was changed, and is shown. */
static bool answer_changed(look *l)
{
    queue_op get = {.kind = QUEUE_GET};

    if (l->op.outcome == QUEUE_CONFLICT)
        return answer_conflict(l);
    if (l->op.outcome != QUEUE_OK)
        return not_found(l);
    memcpy(get.id, l->op.id, sizeof get.id);
    return look_on(l, &get, answer_message);
}

/* Of the message that the path names; NULL, and answered. */
static look *look_of(app *a, http_exchange *x, look_answer_fn *answer)
{
    const char *id = http_parameter(x);
    look *l = look_create(a, x, answer);

    if (l && ids_is(id)) {
        memcpy(l->op.id, id, sizeof l->op.id);
        return l;
    }
    if (l) {
        (void)not_found(l);
        look_drop(l);
    }
    return NULL;
}

static void start(app *a, http_exchange *x, queue_kind kind, look_answer_fn *answer)
{
    look *l = look_of(a, x, answer);
    if (!l)
        return;
    l->op.kind = kind;
    look_start(l);
}

void messages_get(app *a, http_exchange *x)
{
    start(a, x, QUEUE_GET, answer_message);
}

void messages_cancel(app *a, http_exchange *x)
{
    start(a, x, QUEUE_CANCEL, answer_changed);
}

/* ---- another time ---- */

typedef struct other_time {
    int64_t send_at; /* 0: now */
    char head[];     /* once it is made: in place of the old */
} other_time;

static bool answer_rescheduled(look *l)
{
    if (l->op.outcome == QUEUE_OK)
        deliver_wake(outbox_deliver(l->app->outbox));
    return answer_changed(l);
}

/* The head with its new times; the caller's. NULL: no memory, or it can't be read. */
static char *make_head(const char *old, int64_t send_at, int64_t expires_at)
{
    char text[CIVIL_TIME + 1];
    json_t *head = parse(old);
    bool ok = head != NULL;
    char *out = NULL;

    (void)json_object_del(head, "send_at");
    if (ok && send_at) {
        civil_time(send_at, text);
        ok = json_object_set_new(head, "send_at", json_string(text)) == 0;
    }
    civil_time(expires_at, text);
    if (ok && json_object_set_new(head, "expires_at", json_string(text)) == 0)
        out = json_dumps(head, JSON_COMPACT);
    json_decref(head);
    return out;
}

/* It lives as long from its new time on as it would have from the old. */
static bool reschedule(look *l)
{
    const queue_message *m = l->op.messages;
    other_time *t = l->inputs;
    queue_op op = {.kind = QUEUE_RESCHEDULE};

    if (l->op.outcome != QUEUE_OK || l->op.message_count != 1)
        return not_found(l);
    if (m->state != QUEUE_QUEUED || m->attempts > 0) {
        l->op.found = m->state;
        return answer_conflict(l);
    }
    op.in.reschedule.next_at = t->send_at ? t->send_at : clock_wall_us();
    op.in.reschedule.expires_at = op.in.reschedule.next_at + (m->expires_at - m->next_at);
    char *head = make_head(m->head, t->send_at, op.in.reschedule.expires_at);
    size_t len = head ? strlen(head) : 0;
    other_time *grown = head ? realloc(t, sizeof *t + len + 1) : NULL;
    if (grown) {
        memcpy(grown->head, head, len + 1);
        l->inputs = grown;
    }
    free(head);
    if (!grown) {
        http_problem(l->exchange, PROBLEM_MEMORY, "The message could not be read.", NULL);
        return true;
    }
    op.in.reschedule.head = grown->head;
    memcpy(op.id, l->op.id, sizeof op.id);
    return look_on(l, &op, answer_rescheduled);
}

void messages_reschedule(app *a, http_exchange *x, document *d, const json_t *change)
{
    faults errors;
    int64_t send_at = 0;

    faults_init(&errors);
    bool good =
        request_read_change(d, change, (time_t)(clock_wall_us() / 1000000), &send_at, &errors);
    document_free(d);
    if (!good && errors.total > 0 && !errors.failed)
        http_problem(x, PROBLEM_INVALID,
                     "Each of the errors names a member and what is wrong with it.", &errors);
    else if (!good)
        http_problem(x, PROBLEM_MEMORY, "The request could not be kept.", NULL);
    faults_free(&errors);
    look *l = good ? look_of(a, x, reschedule) : NULL;
    other_time *t = l ? malloc(sizeof *t) : NULL;
    if (!l)
        return;
    if (!t) {
        http_problem(x, PROBLEM_MEMORY, "The request could not be kept.", NULL);
        look_drop(l);
        return;
    }
    t->send_at = send_at;
    l->inputs = t;
    l->op.kind = QUEUE_GET;
    look_start(l);
}

void messages_patch(app *a, http_exchange *x)
{
    document *d = http_exchange_document(x);
    if (d)
        messages_reschedule(a, x, d, document_root(d));
}

/* ---- many ---- */

static bool answer_list(look *l)
{
    json_t *out = json_object(), *list = json_array();
    bool ok = out && list;

    for (size_t i = 0; ok && i < l->op.message_count; i++)
        ok = json_array_append_new(list, show(&l->op.messages[i], false)) == 0;
    ok = ok && json_object_set(out, "messages", list) == 0 &&
         json_object_set_new(out, "next", l->op.next[0] ? json_string(l->op.next) : json_null()) ==
             0;
    json_decref(list);
    if (!ok) {
        json_decref(out);
        out = NULL;
    }
    return look_answer(l, 200, out);
}

void messages_list(app *a, http_exchange *x)
{
    static const char *const known[] = {"tag", "batch", "status", "before", "limit", NULL};
    const char *tag = http_query(x, "tag"), *batch = http_query(x, "batch"),
               *status = http_query(x, "status"), *before = http_query(x, "before");
    queue_state state = QUEUE_STATES;
    const char *fault = NULL;
    look *l = look_create(a, x, answer_list);

    if (!l)
        return;
    l->op.kind = QUEUE_LIST;
    if (!look_page(x, known, PAGE_USUAL, &l->op.in.list.most)) {
        look_drop(l);
        return;
    }
    if (status && !queue_state_parse(status, &state))
        fault = "status must be queued, sending, sent, partial, failed, expired, cancelled or "
                "unknown.";
    else if (before && !ids_is(before))
        fault = "before must be a message's id.";
    else if (batch && (tag || !ids_is(batch)))
        fault = "batch must be a batch's id, and has no tag beside it.";
    else if (tag && (*tag == '\0' || strlen(tag) > 4 * (size_t)REQUEST_TAG_LENGTH ||
                     !utf8_valid(tag, strlen(tag))))
        fault = "tag must be a tag: 1 to 64 characters.";
    if (!fault && batch) {
        l->inputs = malloc(BATCHES_TAG + 1);
        if (l->inputs)
            batches_tag(batch, l->inputs);
        tag = l->inputs;
    }
    if (fault || (batch && !tag)) {
        if (fault)
            http_problem(x, PROBLEM_BAD_REQUEST, fault, NULL);
        else
            http_problem(x, PROBLEM_MEMORY, "The request could not be kept.", NULL);
        look_drop(l);
        return;
    }
    /* The query lives as long as the exchange. */
    l->op.in.list.tag = tag;
    l->op.in.list.before = before;
    l->op.in.list.state = status ? (int)state : -1;
    look_start(l);
}
