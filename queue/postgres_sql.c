/* How a step sends statements and reads what they gave. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/backend.h"
#include "queue/postgres_run.h"
#include "queue/postgres_schema.h"
#include "queue/postgres_text.h"

extern const char postgres_sql[], postgres_sql_end[]; /* pack/packed.S: postgres_text.c */

/* ---- preparing, sending, reading ---- */

static void statement_name(char out[32], int day, int n)
{
    (void)snprintf(out, 32, "s%d_%d", n, day);
}

/* Rows of pg_sql; NULL: no memory, which is noted. */
static const pg_sql *statements_of(pg *p, pg_text_table table)
{
    static packed_kept kept = {postgres_sql, postgres_sql_end, postgres_sql_layouts, PG_TEXT_TABLES,
                               NULL};
    const packed_table *all = packed_get(&kept);
    if (!all)
        pg_fail_memory(p);
    return all ? all[table].rows : NULL;
}

bool pg_prepare_all(pg *p)
{
    const pg_sql *statements = statements_of(p, PG_TEXT_LIVE);
    for (int n = 0; n < PG_NAMES; n++) {
        char text[32];
        statement_name(text, 0, n);
        if (n == PG_NOTIFY && !p->shared->notifies)
            continue;
        if (!statements || !pg_prepare(p, text, &statements[n]))
            return false;
    }
    return true;
}

static void send_named(pg *p, pg_step *s, int day, int n, pg_args *args)
{
    char text[32];
    statement_name(text, day, n);
    pg_send(p, text, args);
    s->sent++;
}

void pg_step_send(pg *p, pg_step *s, pg_name n, pg_args *args)
{
    send_named(p, s, 0, (int)n, args);
}

void pg_step_send_day(pg *p, pg_step *s, int day, pg_day_name n, pg_args *args)
{
    send_named(p, s, day, (int)n, args);
}

PGresult *pg_step_next(pg *p, pg_step *s)
{
    s->sent--;
    return pg_next(p);
}

void pg_step_skip(pg *p, pg_step *s)
{
    while (s->sent > 0)
        PQclear(pg_step_next(p, s));
}

bool pg_step_found(pg *p, pg_step *s)
{
    PGresult *r = pg_step_next(p, s);
    bool found = r && PQntuples(r) > 0;
    PQclear(r);
    return found;
}

int64_t pg_step_next_due(pg *p, pg_step *s)
{
    PGresult *r = pg_step_next(p, s);
    bool some = r && PQntuples(r) > 0 && !PQgetisnull(r, 0, 0);
    int64_t due = some ? pg_get_int(r, 0, 0) : INT64_MAX;
    PQclear(r);
    return due;
}

void pg_step_refuse(pg_step *s, const char *error)
{
    queue_op_clear(s->op);
    s->op->outcome = QUEUE_FAILED;
    s->op->error = strdup(error);
    s->over = true;
}

/* ---- outputs ---- */

void *pg_new_items(pg *p, size_t count, size_t size)
{
    void *items = calloc(count ? count : 1, size);
    if (!items)
        pg_fail_memory(p);
    return items;
}

void pg_read_message(pg *p, const PGresult *r, int row, queue_message *m)
{
    pg_get_id(r, row, 0, m->id, sizeof m->id);
    m->state = (queue_state)pg_get_int(r, row, 1);
    m->next_at = pg_get_int(r, row, 2);
    m->expires_at = pg_get_int(r, row, 3);
    m->priority = (int)pg_get_int(r, row, 4);
    m->attempts = (unsigned)pg_get_int(r, row, 5);
    m->head = pg_get_text(p, r, row, 6);
    m->recipients = pg_get_text(p, r, row, 7);
    m->log = pg_get_text(p, r, row, 8);
    m->body.size = (uint64_t)pg_get_int(r, row, 9);
    m->body.fd = -1;
}

/* ---- days ---- */

static bool prepare_day(pg *p, int day)
{
    const pg_sql *statements = statements_of(p, PG_TEXT_DAY);
    for (int n = 0; statements && n < PG_DAY_NAMES; n++) {
        char text[32], *with_day = pg_schema_with_day(statements[n].text, day);
        pg_sql sql = {statements[n].types, with_day};
        statement_name(text, day, n);
        if (!with_day)
            pg_fail_memory(p);
        else
            (void)pg_prepare(p, text, &sql);
        free(with_day);
    }
    return p->trouble == PG_FINE;
}

static void forget_slot(pg *p, int *day)
{
    for (int n = 0; *day && n < PG_DAY_NAMES; n++) {
        char text[64];
        (void)snprintf(text, sizeof text, "DEALLOCATE s%d_%d", n, *day);
        (void)pg_command(p, text);
    }
    *day = 0;
}

void pg_forget_day(pg *p, int day)
{
    for (size_t i = 0; i < PG_DAYS; i++) {
        if (p->days[i] == day)
            forget_slot(p, &p->days[i]);
    }
}

/* True if the day's statements can be used; with `make` its tables are made. */
static bool use_day(pg *p, int day, bool make)
{
    if (day == 0)
        return false;
    for (size_t i = 0; i < PG_DAYS; i++) {
        if (p->days[i] == day)
            return true;
    }
    if (!pg_schema_day(p, day, make))
        return false;
    int *slot = &p->days[p->oldest++ % PG_DAYS];
    forget_slot(p, slot);
    if (prepare_day(p, day))
        *slot = day;
    return p->trouble == PG_FINE;
}

static bool is_live(pg *p, const char *id)
{
    pg_args args = {0};
    pg_text(&args, id);
    PGresult *r = pg_query(p, "t", "SELECT 1 FROM postern_message WHERE id = $1", &args);
    bool live = r && PQntuples(r) > 0;
    PQclear(r);
    return live;
}

/* An id that comes from outside makes no tables. */
void pg_step_prepare(pg *p, pg_step *s)
{
    queue_op *op = s->op;
    switch (op->kind) {
    case QUEUE_PUT:
        for (size_t i = 0; i < op->in.put.count && p->trouble == PG_FINE; i++) {
            s->day = queue_day_of(op->in.put.messages[i].id);
            if (!s->day) {
                pg_step_refuse(s, "a message's id is not one");
                return;
            }
            (void)use_day(p, s->day, true);
        }
        break;
    case QUEUE_GET:
    case QUEUE_SETTLE:
    case QUEUE_CANCEL:
    case QUEUE_RESCHEDULE:
        s->day = queue_day_of(op->id);
        if (!use_day(p, s->day, false) && (op->kind == QUEUE_GET || p->trouble != PG_FINE ||
                                           !is_live(p, op->id) || !use_day(p, s->day, true)))
            s->day = 0;
        break;
    default: break;
    }
}

/* ---- outside of a pipeline ---- */

PGresult *pg_get_anywhere(pg *p, const char *id, int day)
{
    const pg_sql *statements = statements_of(p, day ? PG_TEXT_DAY : PG_TEXT_LIVE);
    const pg_sql *get = statements ? &statements[day ? (int)PG_DAY_GET : (int)PG_LIVE_GET] : NULL;
    char *text = get ? pg_schema_with_day(get->text, day) : NULL;
    PGresult *r = NULL;
    pg_args args = {0};
    pg_text(&args, id);
    if (text)
        r = pg_query(p, "t", text, &args);
    else
        pg_fail_memory(p);
    free(text);
    return r;
}

int64_t pg_next_due(pg *p)
{
    char name[32];
    statement_name(name, 0, PG_CLAIM_NEXT);
    PGresult *r = pg_query_prepared(p, name);
    bool some = r && PQntuples(r) > 0 && !PQgetisnull(r, 0, 0);
    int64_t due = some ? pg_get_int(r, 0, 0) : r ? INT64_MAX : 1;
    PQclear(r);
    return due;
}

void pg_confirm(pg *p)
{
    const pg_sql *statements = statements_of(p, PG_TEXT_LIVE);
    if (statements)
        (void)pg_command(p, statements[PG_TOUCH].text);
}
