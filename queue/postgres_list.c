/* GET and LIST, and what is done with all messages of a tag: over the live messages and the days'
 * tables. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/backend.h"
#include "queue/postgres_run.h"
#include "queue/postgres_schema.h"

/* ---- GET ---- */

static void get_send(pg_batch *b, pg_step *s)
{
    pg_args args = {0};
    pg_text(&args, s->op->id);
    if (s->day)
        pg_step_send_day(b->p, s, s->day, PG_DAY_GET, &args);
    else
        pg_step_send(b->p, s, PG_LIVE_GET, &args);
}

static void get_read(pg_batch *b, pg_step *s)
{
    queue_op *op = s->op;
    PGresult *r = pg_step_next(b->p, s);
    op->outcome = QUEUE_NOT_FOUND;
    if (r && PQntuples(r) > 0 && (op->messages = pg_new_items(b->p, 1, sizeof *op->messages))) {
        pg_read_message(b->p, r, 0, &op->messages[0]);
        op->message_count = 1;
        op->outcome = QUEUE_OK;
    }
    PQclear(r);
}

/* ---- LIST ---- */

/* Of a day and of the live ones from its first id on: days don't overlap. */
#define LIST_COLUMNS(x, at, until, priority, table)                                                \
    "SELECT " x "id, " x "state, " at ", " until ", " priority ", " x "attempts, " x "head, " x    \
    "recipients, NULL::text, 0::int8 FROM " table
#define LIST_LIVE                                                                                  \
    LIST_COLUMNS("m.", "m.due_at", "m.expires_at", "m.priority", "postern_message AS m")
#define LIST_DONE                                                                                  \
    LIST_COLUMNS("d.", "d.finished_at", "0::int8", "0", "postern_done_" PG_DAY_MARK " AS d")

/* The tagged come from the index of tags, the newest first. */
static const char list_tagged[] =
    "SELECT t.id, coalesce(m.state, d.state), coalesce(m.due_at, d.finished_at),"
    " coalesce(m.expires_at, 0), coalesce(m.priority, 0), coalesce(m.attempts, d.attempts),"
    " coalesce(m.head, d.head), coalesce(m.recipients, d.recipients), NULL::text, 0::int8"
    " FROM postern_tag_" PG_DAY_MARK " AS t LEFT JOIN postern_message AS m ON m.id = t.id"
    " LEFT JOIN postern_done_" PG_DAY_MARK " AS d ON d.id = t.id"
    " WHERE t.id < $1 AND t.id >= $2 AND t.tag = $4 AND coalesce(m.state, d.state) IS NOT NULL";

/* The text of a step of the list; 0 for the day: the live ones that are older than all days. */
static char *list_text(const queue_op *op, int day)
{
    buf b = BUF_INIT;
    char state[40] = "", *text, *out;
    int wanted = op->in.list.state;
    bool tagged = op->in.list.tag && day;
    if (tagged) {
        buf_adds(&b, list_tagged);
        if (wanted >= 0)
            buf_addf(&b, " AND coalesce(m.state, d.state) = %d", wanted);
        buf_adds(&b, " ORDER BY t.id DESC LIMIT $3");
    } else {
        if (wanted >= 0)
            (void)snprintf(state, sizeof state, " AND state = %d", wanted);
        buf_addf(&b,
                 "SELECT * FROM ((" LIST_LIVE
                 " WHERE m.id < $1 AND m.id >= $2%s ORDER BY m.id DESC LIMIT $3)",
                 state);
        if (day)
            buf_addf(&b,
                     " UNION ALL (" LIST_DONE
                     " WHERE d.id < $1 AND d.id >= $2%s ORDER BY d.id DESC LIMIT $3)",
                     state);
        buf_adds(&b, ") AS page ORDER BY 1 DESC LIMIT $3");
    }
    text = buf_take(&b);
    out = text ? pg_schema_with_day(text, day) : NULL;
    free(text);
    return out;
}

/* Where those of a tag that are looked at end, QUEUE_LOOK in all; how many there are. */
#define LOOK                                                                                       \
    "SELECT min(id), count(*) FROM (SELECT t.id FROM postern_tag_" PG_DAY_MARK " AS t"             \
    " WHERE t.id < $1 AND t.id >= $2 AND t.tag = $4 ORDER BY t.id DESC LIMIT $3) AS looked"

typedef struct look {
    size_t left;
    char from[QUEUE_ID + 1];
} look;

/* Where a state of a tag is asked for: moves `from` up to where enough was looked at. */
static void look_ahead(pg *p, const queue_op *op, const char *before, int day, look *l)
{
    char *text = pg_schema_with_day(LOOK, day);
    pg_args args = {0};
    PGresult *r = NULL;
    pg_text(&args, before);
    pg_text(&args, l->from);
    pg_int(&args, (int64_t)l->left);
    pg_text(&args, op->in.list.tag);
    if (text) {
        r = pg_query(p, "ttit", text, &args);
    } else {
        pg_args_free(&args);
        pg_fail_memory(p);
    }
    free(text);
    size_t count = r && PQntuples(r) > 0 ? (size_t)pg_get_int(r, 0, 1) : 0;
    l->left -= count < l->left ? count : l->left;
    if (count > 0 && l->left == 0)
        pg_get_id(r, 0, 0, l->from, sizeof l->from);
    PQclear(r);
}

/* Adds a step's rows. False: the page is full, or an error. */
static bool list_add(pg *p, queue_op *op, const char *before, int day, size_t most, look *l)
{
    char *text = list_text(op, day);
    pg_args args = {0};
    PGresult *r = NULL;
    l->from[0] = '\0';
    if (day)
        queue_first_id(day, l->from);
    if (day && op->in.list.tag && op->in.list.state >= 0)
        look_ahead(p, op, before, day, l);
    pg_text(&args, before);
    pg_text(&args, l->from);
    pg_int(&args, (int64_t)(most - op->message_count + 1));
    if (op->in.list.tag && day)
        pg_text(&args, op->in.list.tag);
    if (text)
        r = pg_query(p, op->in.list.tag && day ? "ttit" : "tti", text, &args);
    else
        pg_fail_memory(p);
    free(text);
    for (int i = 0; r && i < PQntuples(r); i++) {
        if (op->message_count == most) {
            if (most > 0)
                memcpy(op->next, op->messages[most - 1].id, sizeof op->next);
            PQclear(r);
            return false;
        }
        pg_read_message(p, r, i, &op->messages[op->message_count++]);
    }
    PQclear(r);
    if (l->left == 0)
        (void)snprintf(op->next, sizeof op->next, "%s", l->from);
    return p->trouble == PG_FINE && l->left > 0;
}

static void list_later(pg_batch *b, pg_step *s)
{
    pg *p = b->p;
    queue_op *op = s->op;
    char before[QUEUE_ID + 16];
    size_t most = op->in.list.most < QUEUE_PAGE ? op->in.list.most : QUEUE_PAGE;
    PGresult *days = pg_query(p, "", "SELECT day FROM postern_day ORDER BY day DESC", NULL);
    bool more = days != NULL;
    look l = {.left = QUEUE_LOOK};

    op->messages = pg_new_items(p, most, sizeof *op->messages);
    (void)snprintf(before, sizeof before, "%s", op->in.list.before ? op->in.list.before : "zzzz");
    for (int i = 0; more && op->messages && i < PQntuples(days); i++) {
        char first[QUEUE_FIRST_ID];
        int day = (int)pg_get_int(days, i, 0);
        queue_first_id(day, first);
        if (strcmp(first, before) >= 0)
            continue; /* all of it is newer */
        more = list_add(p, op, before, day, most, &l);
        memcpy(before, first, sizeof first);
    }
    if (more && op->messages && !op->in.list.tag)
        (void)list_add(p, op, before, 0, most, &l);
    PQclear(days);
}

/* ---- all of a tag ---- */

static const char count_tagged[] =
    "SELECT coalesce(m.state, d.state),"
    " coalesce(m.state = 0 AND m.attempts = 0 AND m.due_at > " PG_NOW ", false)::int4, count(*)"
    " FROM postern_tag_" PG_DAY_MARK " AS t LEFT JOIN postern_message AS m ON m.id = t.id"
    " LEFT JOIN postern_done_" PG_DAY_MARK " AS d ON d.id = t.id"
    " WHERE t.tag = $1 AND coalesce(m.state, d.state) IS NOT NULL GROUP BY 1, 2";

static const char cancel_tagged[] =
    "WITH gone AS (DELETE FROM postern_message AS m USING postern_tag_" PG_DAY_MARK " AS t"
    " WHERE t.tag = $1 AND m.id = t.id AND m.state = 0"
    " RETURNING m.id, m.attempts, m.head, m.recipients, m.log),"
    " b AS (DELETE FROM postern_body WHERE id IN (SELECT id FROM gone) RETURNING 1)"
    " INSERT INTO postern_done_" PG_DAY_MARK
    " (id, state, finished_at, attempts, head, recipients, log)"
    " SELECT id, 6, " PG_NOW ", attempts, head, recipients, log FROM gone"
    " ON CONFLICT (id) DO NOTHING";

_Static_assert(QUEUE_QUEUED == 0 && QUEUE_CANCELLED == 6, "the statements have states as numbers");

/* One of these, of the tag and a day; NULL: there is no such day, or an error. */
static PGresult *query_tagged(pg *p, const queue_op *op, int day, const char *text)
{
    pg_args args = {0};
    PGresult *r = NULL;
    if (!pg_schema_day(p, day, false))
        return NULL;
    char *with_day = pg_schema_with_day(text, day);
    pg_text(&args, op->in.tag);
    if (with_day) {
        r = pg_query(p, "t", with_day, &args);
    } else {
        pg_args_free(&args);
        pg_fail_memory(p);
    }
    free(with_day);
    return r;
}

static void count_day(pg *p, queue_op *op, int day)
{
    PGresult *r = query_tagged(p, op, day, count_tagged);
    for (int i = 0; r && i < PQntuples(r); i++) {
        int64_t state = pg_get_int(r, i, 0);
        uint64_t n = (uint64_t)pg_get_int(r, i, 2);
        if (state >= 0 && state < QUEUE_STATES)
            op->counts.states[state] += n;
        if (pg_get_int(r, i, 1))
            op->counts.scheduled += n;
    }
    PQclear(r);
}

static void count_later(pg_batch *b, pg_step *s)
{
    int day = queue_day_of(s->op->id);
    if (!day)
        return;
    count_day(b->p, s->op, day);
    count_day(b->p, s->op, queue_next_day(day));
}

static void cancel_tagged_later(pg_batch *b, pg_step *s)
{
    int day = queue_day_of(s->op->id);
    if (!day)
        return;
    PQclear(query_tagged(b->p, s->op, day, cancel_tagged));
    PQclear(query_tagged(b->p, s->op, queue_next_day(day), cancel_tagged));
}

/* ---- what each has to do ---- */

const pg_kind pg_kind_get = {.send = get_send, .read = get_read};
const pg_kind pg_kind_list = {.later = list_later};
const pg_kind pg_kind_count = {.later = count_later};
const pg_kind pg_kind_cancel_tagged = {.later = cancel_tagged_later};
