/* The operations on messages, but those that list; events, STATS and CLEAN: see queue.h for what
 * each means. */
#include <stdlib.h>
#include <string.h>

#include "queue/backend.h"
#include "queue/postgres_run.h"
#include "queue/postgres_schema.h"

/* ---- PUT ---- */

/* Whether a key that this run made may have to be given back: then it is not answered before, as
 * another operation of this batch may have the same. */
static bool may_give_back(const queue_op *op)
{
    return op->in.put.addresses || op->in.put.count == 0;
}

/* With a key or addresses, the messages are the second half. */
static void put_send(pg_batch *b, pg_step *s)
{
    const queue_op *op = s->op;
    const queue_key *k = &op->in.put.key;
    bool looks = op->in.put.addresses != NULL;
    s->second = k->key || looks;
    if (k->key)
        pg_send_key_begin(b->p, s, k, may_give_back(op) ? 0 : k->status,
                          may_give_back(op) ? NULL : k->answer);
    if (looks)
        pg_send_look_up(b->p, s, op->in.put.addresses, op->in.put.list);
    s->puts = !s->second;
}

static void put_read(pg_batch *b, pg_step *s)
{
    queue_op *op = s->op;
    const queue_key *k = &op->in.put.key;
    if (!s->second)
        return;
    if (k->key && !pg_read_key_begin(b->p, s, k)) {
        s->second = false;
        s->later = true;
        pg_step_skip(b->p, s);
        return;
    }
    if (op->in.put.addresses)
        pg_read_look_up(b->p, s, op->in.put.addresses);
    size_t addresses = pg_count_texts(op->in.put.addresses);
    if (addresses > 0 && op->suppressed_count == addresses) {
        op->outcome = QUEUE_ALL_SUPPRESSED;
        s->second = k->key != NULL;
    }
}

static void put_send_second(pg_batch *b, pg_step *s)
{
    const queue_op *op = s->op;
    const queue_key *k = &op->in.put.key;
    if (op->outcome == QUEUE_ALL_SUPPRESSED || (k->key && op->in.put.count == 0)) {
        pg_send_key_drop(b->p, s, k->key, NULL); /* this run has made it */
        return;
    }
    if (k->key && op->in.put.addresses)
        pg_send_key(b->p, s, PG_KEY_SET, k, k->status, k->answer);
    s->puts = true;
}

/* The key was there. If the message is too, a former run put both. */
static void put_later(pg_batch *b, pg_step *s)
{
    queue_op *op = s->op;
    if (op->in.put.count == 0)
        return;
    const char *id = op->in.put.messages[0].id;
    PGresult *r = pg_get_anywhere(b->p, id, queue_day_of(id));
    if (r && PQntuples(r) > 0) {
        queue_op_clear(op);
        pg_confirm(b->p);
    }
    PQclear(r);
}

/* ---- CLAIM ---- */

static void claim_send(pg_batch *b, pg_step *s)
{
    const queue_op *op = s->op;
    uint64_t bytes = op->in.claim.most_bytes;
    pg_args args = {0};
    pg_text(&args, op->in.claim.owner);
    pg_int(&args, (int64_t)op->in.claim.most);
    pg_int(&args, bytes > INT64_MAX ? INT64_MAX : (int64_t)bytes);
    pg_int(&args, op->in.claim.lease_us);
    pg_step_send(b->p, s, PG_CLAIM, &args);
}

typedef struct claimed {
    queue_message m;
    int64_t due_at;
} claimed;

static int by_urgency(const void *left, const void *right)
{
    const claimed *a = left, *b = right;
    if (a->m.priority != b->m.priority)
        return a->m.priority > b->m.priority ? -1 : 1;
    if (a->due_at != b->due_at)
        return a->due_at < b->due_at ? -1 : 1;
    return strcmp(a->m.id, b->m.id);
}

static void read_claimed(pg *p, const PGresult *r, int row, claimed *c)
{
    pg_read_message(p, r, row, &c->m);
    c->due_at = pg_get_int(r, row, 10);
    if (!PQgetisnull(r, row, 11)) {
        c->m.body.data = pg_get_text(p, r, row, 11);
        c->m.body.size = (uint64_t)PQgetlength(r, row, 11);
    }
}

static void claim_read(pg_batch *b, pg_step *s)
{
    queue_op *op = s->op;
    PGresult *r = pg_step_next(b->p, s);
    int rows = r ? PQntuples(r) : 0;
    claimed *all = rows ? pg_new_items(b->p, (size_t)rows, sizeof *all) : NULL;
    if (all)
        op->messages = pg_new_items(b->p, (size_t)rows, sizeof *op->messages);
    for (int i = 0; all && i < rows; i++)
        read_claimed(b->p, r, i, &all[i]);
    if (all)
        qsort(all, (size_t)rows, sizeof *all, by_urgency);
    for (int i = 0; all && i < rows; i++) {
        s->later |= all[i].m.body.size > QUEUE_SMALL;
        if (op->messages)
            op->messages[op->message_count++] = all[i].m;
        else
            queue_message_clear(&all[i].m);
    }
    free(all);
    PQclear(r);
    /* As many as were wanted: more may be due, and the next claim sees. Until then the index has
     * all that was claimed just now in front of what is next. */
    op->next_due = 1;
    s->asks_next = op->message_count < op->in.claim.most;
}

static void give_back(pg *p, const queue_op *op, const queue_message *m)
{
    pg_args args = {0};
    pg_text(&args, m->id);
    pg_text(&args, op->in.claim.owner);
    PQclear(pg_query(p, "tt",
                     "UPDATE postern_message SET state = 0, due_at = " PG_NOW
                     " WHERE id = $1 AND owner = $2 AND state = 1",
                     &args));
}

static void claim_later(pg_batch *b, pg_step *s)
{
    queue_op *op = s->op;
    size_t kept = 0;
    for (size_t i = 0; i < op->message_count; i++) {
        queue_message *m = &op->messages[i];
        if (m->body.size <= QUEUE_SMALL || pg_body_fetch(b->p, m)) {
            op->messages[kept++] = *m;
            continue;
        }
        give_back(b->p, op, m);
        op->next_due = 1; /* it is due */
        queue_message_clear(m);
    }
    bool none = op->message_count > 0 && kept == 0;
    op->message_count = kept;
    if (none && b->p->trouble == PG_FINE)
        pg_step_refuse(s, "there is no room for a large body, on the disk or in memory");
}

/* ---- SETTLE, CANCEL, RESCHEDULE ---- */

static void add_events(pg_args *a, const queue_event *e, size_t count)
{
    pg_array(a, 'T', count);
    for (size_t i = 0; i < count; i++)
        pg_array_text(a, e[i].id);
    pg_array(a, 'I', count);
    for (size_t i = 0; i < count; i++)
        pg_array_int(a, e[i].next_at);
    pg_array(a, 'I', count);
    for (size_t i = 0; i < count; i++)
        pg_array_int(a, e[i].attempts);
    pg_array(a, 'T', count);
    for (size_t i = 0; i < count; i++)
        pg_array_text(a, e[i].payload);
}

static void settle_send(pg_batch *b, pg_step *s)
{
    const queue_op *op = s->op;
    bool done = queue_state_is_done(op->in.settle.state);
    pg_args args = {0};
    if (!s->day) { /* neither live nor done */
        s->op->outcome = QUEUE_LOST;
        s->over = true;
        return;
    }
    if (pg_settles_plainly(op))
        return; /* with the others */
    pg_text(&args, op->id);
    pg_text(&args, op->in.settle.owner);
    pg_int(&args, op->in.settle.attempt);
    pg_int(&args, op->in.settle.state);
    pg_text(&args, op->in.settle.recipients);
    pg_text(&args, op->in.settle.log);
    add_events(&args, op->in.settle.events, op->in.settle.event_count);
    pg_add_suppressed(&args, op->in.settle.suppress, op->in.settle.suppress_count);
    if (done) {
        pg_step_send_day(b->p, s, s->day, PG_DAY_DONE, &args);
    } else {
        pg_int(&args, op->in.settle.next_at);
        pg_step_send(b->p, s, PG_REQUEUE, &args);
    }
}

static void settle_read(pg_batch *b, pg_step *s)
{
    if (s->sent > 0)
        s->later = !pg_step_found(b->p, s);
}

static bool same_text(const PGresult *r, int column, const char *text)
{
    return !text || (!PQgetisnull(r, 0, column) && strcmp(PQgetvalue(r, 0, column), text) == 0);
}

/* Nothing was found to settle. The same was settled before if the attempt has its number, and left
 * what this one says. */
static void settle_later(pg_batch *b, pg_step *s)
{
    queue_op *op = s->op;
    PGresult *r = pg_get_anywhere(b->p, op->id, s->day);
    bool same = false;
    if (r && PQntuples(r) > 0) {
        queue_state state = (queue_state)pg_get_int(r, 0, 1);
        bool done = queue_state_is_done(op->in.settle.state);
        same = pg_get_int(r, 0, 5) == (int64_t)op->in.settle.attempt &&
               (done ? state == op->in.settle.state : !queue_state_is_done(state)) &&
               same_text(r, 7, op->in.settle.recipients) && same_text(r, 8, op->in.settle.log);
    }
    PQclear(r);
    op->outcome = same ? QUEUE_OK : QUEUE_LOST;
    if (same)
        pg_confirm(b->p);
}

static void cancel_send(pg_batch *b, pg_step *s)
{
    pg_args args = {0};
    if (!s->day) {
        s->op->outcome = QUEUE_NOT_FOUND;
        s->over = true;
        return;
    }
    pg_text(&args, s->op->id);
    pg_step_send_day(b->p, s, s->day, PG_DAY_CANCEL, &args);
}

static void cancel_read(pg_batch *b, pg_step *s)
{
    s->later = !pg_step_found(b->p, s);
}

/* Once more is no conflict, so that it can be run again. */
static void cancel_later(pg_batch *b, pg_step *s)
{
    queue_op *op = s->op;
    PGresult *r = pg_get_anywhere(b->p, op->id, s->day);
    op->outcome = QUEUE_NOT_FOUND;
    if (r && PQntuples(r) > 0) {
        op->found = (queue_state)pg_get_int(r, 0, 1);
        op->outcome = op->found == QUEUE_CANCELLED ? QUEUE_OK : QUEUE_CONFLICT;
    }
    PQclear(r);
    if (op->outcome == QUEUE_OK)
        pg_confirm(b->p);
}

static void reschedule_send(pg_batch *b, pg_step *s)
{
    const queue_op *op = s->op;
    pg_args args = {0};

    pg_text(&args, op->id);
    pg_int(&args, op->in.reschedule.next_at);
    pg_int(&args, op->in.reschedule.expires_at);
    pg_text(&args, op->in.reschedule.head);
    pg_step_send(b->p, s, PG_RESCHEDULE, &args);
}

static void reschedule_later(pg_batch *b, pg_step *s)
{
    queue_op *op = s->op;
    PGresult *r = pg_get_anywhere(b->p, op->id, s->day);
    bool found = r && PQntuples(r) > 0;

    op->outcome = found ? QUEUE_CONFLICT : QUEUE_NOT_FOUND;
    if (found)
        op->found = (queue_state)pg_get_int(r, 0, 1);
    PQclear(r);
}

/* ---- events ---- */

static void event_claim_send(pg_batch *b, pg_step *s)
{
    const queue_op *op = s->op;
    pg_args args = {0};
    pg_text(&args, op->in.event.owner);
    pg_int(&args, (int64_t)op->in.event.most);
    pg_int(&args, op->in.event.lease_us);
    pg_step_send(b->p, s, PG_EVENT_CLAIM, &args);
    pg_step_send(b->p, s, PG_EVENT_NEXT, NULL);
}

static int by_due(const void *left, const void *right)
{
    const queue_event *a = left, *b = right;
    if (a->next_at != b->next_at)
        return a->next_at < b->next_at ? -1 : 1;
    return strcmp(a->id, b->id);
}

static void event_claim_read(pg_batch *b, pg_step *s)
{
    queue_op *op = s->op;
    PGresult *r = pg_step_next(b->p, s);
    int rows = r ? PQntuples(r) : 0;
    if (rows > 0)
        op->events = pg_new_items(b->p, (size_t)rows, sizeof *op->events);
    for (int i = 0; op->events && i < rows; i++) {
        queue_event *e = &op->events[op->event_count++];
        pg_get_id(r, i, 0, e->id, sizeof e->id);
        e->next_at = pg_get_int(r, i, 1);
        e->attempts = (unsigned)pg_get_int(r, i, 2);
        e->payload = pg_get_text(b->p, r, i, 3);
    }
    if (op->events)
        qsort(op->events, op->event_count, sizeof *op->events, by_due);
    PQclear(r);
    op->next_due = pg_step_next_due(b->p, s);
}

static void event_settle_send(pg_batch *b, pg_step *s)
{
    const queue_op *op = s->op;
    pg_args args = {0};
    pg_text(&args, op->id);
    pg_text(&args, op->in.event.owner);
    if (!op->in.event.drop)
        pg_int(&args, op->in.event.next_at);
    pg_step_send(b->p, s, op->in.event.drop ? PG_EVENT_DROP : PG_EVENT_AGAIN, &args);
}

static void event_settle_read(pg_batch *b, pg_step *s)
{
    if (!pg_step_found(b->p, s))
        s->op->outcome = QUEUE_LOST;
}

/* ---- STATS, CLEAN ---- */

static void stats_send(pg_batch *b, pg_step *s)
{
    pg_step_send(b->p, s, PG_STATS, NULL);
}

static void stats_read(pg_batch *b, pg_step *s)
{
    queue_op *op = s->op;
    PGresult *r = pg_step_next(b->p, s);
    if (r && PQntuples(r) > 0) {
        op->stats.queued = (uint64_t)pg_get_int(r, 0, 0);
        op->stats.scheduled = (uint64_t)pg_get_int(r, 0, 1);
        op->stats.sending = (uint64_t)pg_get_int(r, 0, 2);
        op->stats.oldest_due = pg_get_int(r, 0, 3);
        op->stats.events = (uint64_t)pg_get_int(r, 0, 4);
    }
    PQclear(r);
}

static void clean_later(pg_batch *b, pg_step *s)
{
    pg *p = b->p;
    pg_args before = {0}, keys = {0};
    pg_int(&before, queue_day_at(s->op->in.clean.before));
    pg_int(&keys, QUEUE_CLEAN_KEYS);
    PGresult *r =
        pg_query(p, "i", "SELECT day FROM postern_day WHERE day < $1 ORDER BY day", &before);
    for (int i = 0; r && i < PQntuples(r) && p->trouble == PG_FINE; i++) {
        int day = (int)pg_get_int(r, i, 0);
        pg_forget_day(p, day);
        pg_schema_clean_day(p, day, s->op->in.clean.since);
    }
    PQclear(r);
    PQclear(pg_query(p, "i",
                     "DELETE FROM postern_key WHERE key IN (SELECT key FROM postern_key"
                     " WHERE keep_until <= " PG_NOW " LIMIT $1)",
                     &keys));
}

/* ---- what each has to do ---- */

const pg_kind pg_kind_put = {
    .send = put_send, .read = put_read, .send_second = put_send_second, .later = put_later};
const pg_kind pg_kind_claim = {.send = claim_send, .read = claim_read, .later = claim_later};
const pg_kind pg_kind_settle = {.send = settle_send, .read = settle_read, .later = settle_later};
const pg_kind pg_kind_reschedule = {
    .send = reschedule_send, .read = cancel_read, .later = reschedule_later};
const pg_kind pg_kind_cancel = {.send = cancel_send, .read = cancel_read, .later = cancel_later};
const pg_kind pg_kind_event_claim = {.send = event_claim_send, .read = event_claim_read};
const pg_kind pg_kind_event_settle = {.send = event_settle_send, .read = event_settle_read};
const pg_kind pg_kind_stats = {.send = stats_send, .read = stats_read};
const pg_kind pg_kind_clean = {.later = clean_later};
