/* GET, LIST and COUNT: over the live messages and the days' tables. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "queue/backend.h"
#include "queue/sqlite_run.h"

#define BEYOND "~" /* behind every id */

static bool get(sqlite_connection *c, queue_op *op, sqlite3_stmt *s, bool with_log)
{
    db *d = &c->db;
    bool found = db_row(d, s);
    if (found) {
        queue_message *m = sqlite_append(d, &op->messages, &op->message_count, sizeof *m);
        if (m)
            sqlite_read_message(c, s, with_log, m);
    }
    db_end(s);
    return found;
}

/* From where it is kept: among the live, or in its day. */
static bool get_anywhere(sqlite_connection *c, queue_op *op, const char *id)
{
    db *d = &c->db;
    int day = queue_day_of(id);
    return get(c, op, db_start(d, DB_MESSAGE_GET, "t", id), true) ||
           (day && db_has_day(d, day) &&
            get(c, op, db_start_day(d, day, DB_DONE_GET, "t", id), true));
}

void sqlite_op_get(sqlite_connection *c, queue_op *op)
{
    if (!get_anywhere(c, op, op->id) && !c->db.failed)
        op->outcome = QUEUE_NOT_FOUND;
}

/* ---- LIST ---- */

/* Two rows at hand, of the live and of the done; the newer goes first. Days don't overlap, so that
 * the newest of the done is always in the newest day that has any left. */
typedef struct lister {
    sqlite_connection *c;
    queue_op *op;
    const char *before;
    sqlite3_stmt *days, *live, *done;
    bool live_row, done_row; /* a row is at hand */
    int day;
} lister;

/* The page is full: what follows exists, but is not given. */
static bool full(queue_op *op)
{
    if (op->message_count < op->in.list.most && op->message_count < QUEUE_PAGE)
        return false;
    if (op->message_count > 0)
        memcpy(op->next, op->messages[op->message_count - 1].id, sizeof op->next);
    return true;
}

static bool next_day(lister *l)
{
    if (!db_row(&l->c->db, l->days))
        return false;
    l->day = sqlite3_column_int(l->days, 0);
    return true;
}

/* Days from that of `before` on, the newest first. */
static void start_days(lister *l)
{
    int day = queue_day_of(l->before);
    l->days = db_start(&l->c->db, DB_DAY_LIST, "i", (int64_t)(day ? day : 99999999));
}

static void next_done(lister *l)
{
    db *d = &l->c->db;
    int state = l->op->in.list.state;
    l->done_row = l->done && db_row(d, l->done);
    while (!l->done_row && l->days) {
        if (!next_day(l)) {
            l->days = NULL;
            return;
        }
        if (state < 0 || state == QUEUE_SENT)
            l->done = db_start_day(d, l->day, state < 0 ? DB_DONE_LIST : DB_DONE_LIST_SENT, "t",
                                   l->before);
        else
            l->done = db_start_day(d, l->day, DB_DONE_LIST_STATE, "ti", l->before, (int64_t)state);
        l->done_row = db_row(d, l->done);
    }
}

static bool live_is_newer(const lister *l)
{
    return l->live_row &&
           (!l->done_row || strcmp((const char *)sqlite3_column_text(l->live, 0),
                                   (const char *)sqlite3_column_text(l->done, 0)) > 0);
}

static void list_all(lister *l)
{
    static const db_name by_state[] = {DB_MESSAGE_LIST_QUEUED, DB_MESSAGE_LIST_SENDING};
    db *d = &l->c->db;
    queue_op *op = l->op;
    int state = op->in.list.state;

    if (state < 0 || !queue_state_is_done((queue_state)state))
        l->live = db_start(d, state < 0 ? DB_MESSAGE_LIST : by_state[state], "t", l->before);
    l->live_row = db_row(d, l->live);
    if (state < 0 || queue_state_is_done((queue_state)state)) {
        start_days(l);
        next_done(l);
    }
    while ((l->live_row || l->done_row) && !d->failed && !full(op)) {
        bool live = live_is_newer(l);
        queue_message *m = sqlite_append(d, &op->messages, &op->message_count, sizeof *m);
        if (m)
            sqlite_read_message(l->c, live ? l->live : l->done, false, m);
        if (live)
            l->live_row = db_row(d, l->live);
        else
            next_done(l);
    }
}

/* Adds the message of a tag, if it is wanted. False: the page is full. */
static bool list_tagged(lister *l, const char *id)
{
    queue_op *op = l->op;
    int state = op->in.list.state;
    if (!get_anywhere(l->c, op, id))
        return true;
    queue_message *m = &op->messages[op->message_count - 1];
    bool wanted = state < 0 || (int)m->state == state;
    bool beyond = op->message_count > op->in.list.most || op->message_count > QUEUE_PAGE;
    free(m->log);
    m->log = NULL;
    m->body.size = 0;
    if (wanted && !beyond)
        return true;
    queue_message_clear(m);
    op->message_count--;
    return !(wanted && full(op));
}

/* The ids of a tag are in its days; each is looked up where it is kept. */
static void list_tag(lister *l)
{
    db *d = &l->c->db;
    queue_op *op = l->op;
    size_t looked = 0;

    start_days(l);
    while (!d->failed && next_day(l)) {
        char id[QUEUE_ID + 1] = "";
        l->done = db_start_day(d, l->day, DB_TAG_LIST, "tt", l->before, op->in.list.tag);
        while (db_row(d, l->done)) {
            const unsigned char *text = sqlite3_column_text(l->done, 0);
            if (text)
                (void)strncpy(id, (const char *)text, QUEUE_ID);
            if (!list_tagged(l, id))
                return;
            if (++looked == QUEUE_LOOK) {
                memcpy(op->next, id, sizeof op->next);
                return;
            }
        }
    }
}

void sqlite_op_list(sqlite_connection *c, queue_op *op)
{
    lister l = {.c = c, .op = op, .before = op->in.list.before ? op->in.list.before : BEYOND};
    if (op->in.list.tag)
        list_tag(&l);
    else
        list_all(&l);
    db_end(l.days);
    db_end(l.live);
    db_end(l.done);
}

/* ---- COUNT ---- */

static void count_day(sqlite_connection *c, queue_op *op, int day)
{
    db *d = &c->db;
    if (!db_has_day(d, day))
        return;
    sqlite3_stmt *s = db_start_day(d, day, DB_TAG_COUNT, "ti", op->in.tag, clock_wall_us());
    while (db_row(d, s)) {
        int state = sqlite3_column_int(s, 0);
        uint64_t n = (uint64_t)sqlite3_column_int64(s, 2);
        if (state >= 0 && state < QUEUE_STATES)
            op->counts.states[state] += n;
        if (sqlite3_column_int(s, 1))
            op->counts.scheduled += n;
    }
    db_end(s);
}

void sqlite_op_count(sqlite_connection *c, queue_op *op)
{
    int day = queue_day_of(op->id);
    if (!day)
        return;
    count_day(c, op, day);
    count_day(c, op, queue_next_day(day));
}
