/* What many operations of a batch do alike, in a statement of many rows: messages that are put, and
 * those that are done. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "queue/backend.h"
#include "queue/postgres_run.h"

/* A row; `m` and `tags` of those that are put alone. */
typedef struct row {
    pg_step *step;
    const queue_op *op;
    const char *id;
    const queue_message *m;
    const char *const *tags;
} row;

/* What is due later than this wakes nobody: the others look at what is next every few seconds. The
 * clocks may differ by much of it. */
#define NOTIFY_AHEAD_US 60000000

/* One statement must not meet the same id twice. */
typedef struct group {
    pg_batch *b;
    void (*send)(struct group *g);
    int day;
    size_t count, bytes;
    row rows[PG_GROUP];
} group;

/* ---- groups ---- */

static void flush(group *g)
{
    if (g->count > 0 && g->b->p->trouble == PG_FINE)
        g->send(g);
    g->count = g->bytes = 0;
}

static bool has_id(const group *g, const char *id)
{
    size_t i = 0;
    while (i < g->count && strcmp(g->rows[i].id, id) != 0)
        i++;
    return i < g->count;
}

static void add(group *g, const row *r, int day, size_t bytes)
{
    if (g->count == PG_GROUP || g->day != day || g->bytes + bytes > PG_GROUP_BYTES ||
        has_id(g, r->id))
        flush(g);
    g->day = day;
    g->bytes += bytes;
    g->rows[g->count++] = *r;
}

static size_t length(const char *text)
{
    return text ? strlen(text) : 0;
}

/* ---- columns ---- */

typedef const char *text_of(const row *r);
typedef int64_t int_of(const row *r);

static void add_texts(pg_args *a, const group *g, text_of *of)
{
    pg_array(a, 'T', g->count);
    for (size_t i = 0; i < g->count; i++)
        pg_array_text(a, of(&g->rows[i]));
}

static void add_ints(pg_args *a, const group *g, int_of *of)
{
    pg_array(a, 'I', g->count);
    for (size_t i = 0; i < g->count; i++)
        pg_array_int(a, of(&g->rows[i]));
}

/* A table of them ends with NULL. */
static void add_columns(pg_args *a, const group *g, text_of *const *texts, int_of *const *ints)
{
    for (; *texts; texts++)
        add_texts(a, g, *texts);
    for (; *ints; ints++)
        add_ints(a, g, *ints);
}

static const char *id_of(const row *r)
{
    return r->id;
}

/* ---- PUT ---- */

static bool is_sending(const row *r)
{
    return r->m->state == QUEUE_SENDING;
}

static const char *put_owner(const row *r)
{
    return is_sending(r) ? r->op->in.put.owner : NULL;
}

static const char *put_head(const row *r)
{
    return r->m->head;
}

static const char *put_recipients(const row *r)
{
    return r->m->recipients;
}

static const char *put_log(const row *r)
{
    return r->m->log;
}

static int64_t put_state(const row *r)
{
    return is_sending(r) ? QUEUE_SENDING : QUEUE_QUEUED;
}

static int64_t put_at(const row *r)
{
    return is_sending(r) ? r->op->in.put.lease_us : r->m->next_at;
}

static int64_t put_expires_at(const row *r)
{
    return r->m->expires_at;
}

static int64_t put_priority(const row *r)
{
    int priority = r->m->priority < 0 ? 0 : r->m->priority;
    return priority > QUEUE_PRIORITY ? QUEUE_PRIORITY : priority;
}

static int64_t put_attempts(const row *r)
{
    return r->m->attempts;
}

static int64_t put_size(const row *r)
{
    return (int64_t)r->m->body.size;
}

static text_of *const put_texts[] = {id_of, put_owner, put_head, put_recipients, put_log, NULL};
static int_of *const put_ints[] = {put_state, put_at, put_expires_at, put_priority, put_attempts,
                                   put_size,  NULL};

static bool is_large(const queue_message *m)
{
    return m->body.size > QUEUE_SMALL;
}

/* A piece, in memory, or read into *room, which is made where it is needed. A read error ends the
 * batch, as half of a body must not be kept. */
static const char *piece_of(pg *p, const queue_body *body, uint64_t at, size_t len, char **room)
{
    if (len == 0)
        return "";
    if (!body->data && !*room && !(*room = malloc(PG_CHUNK))) {
        pg_fail_memory(p);
        return NULL;
    }
    const char *piece = pg_body_piece(body, at, len, *room);
    if (!piece)
        pg_fail(p, PG_DATA, "a body can't be read from its file");
    return piece;
}

static void send_chunks(pg_batch *b, const queue_message *m, char **room)
{
    pg *p = b->p;
    for (uint64_t at = 0; at < m->body.size && p->trouble == PG_FINE; at += PG_CHUNK) {
        uint64_t left = m->body.size - at;
        size_t len = left < PG_CHUNK ? (size_t)left : PG_CHUNK;
        const char *piece = piece_of(p, &m->body, at, len, room);
        pg_args args = {0};
        if (!piece)
            return;
        pg_text(&args, m->id);
        pg_int(&args, (int64_t)(at / PG_CHUNK));
        pg_bytes(&args, piece, len);
        pg_step_send(p, b->frame, PG_PUT_CHUNK, &args);
        pg_flush(p);
    }
}

static void send_bodies(group *g, char **room)
{
    pg *p = g->b->p;
    pg_args args = {0};
    size_t small = 0;
    for (size_t i = 0; i < g->count; i++)
        small += !is_large(g->rows[i].m);
    pg_array(&args, 'T', small);
    for (size_t i = 0; i < g->count; i++) {
        if (!is_large(g->rows[i].m))
            pg_array_text(&args, g->rows[i].id);
    }
    pg_array(&args, 'B', small);
    for (size_t i = 0; i < g->count && p->trouble == PG_FINE; i++) {
        const queue_body *body = &g->rows[i].m->body;
        size_t size = (size_t)body->size;
        const char *piece = is_large(g->rows[i].m) ? NULL : piece_of(p, body, 0, size, room);
        if (piece)
            pg_array_bytes(&args, piece, size);
    }
    if (small > 0)
        pg_step_send(p, g->b->frame, PG_PUT_BODY, &args);
    else
        pg_args_free(&args);
    for (size_t i = 0; i < g->count; i++) {
        if (is_large(g->rows[i].m))
            send_chunks(g->b, g->rows[i].m, room);
    }
}

static void send_tags(group *g)
{
    pg_args args = {0};
    size_t count = 0;
    for (size_t i = 0; i < g->count; i++)
        count += pg_count_texts(g->rows[i].tags);
    if (count == 0)
        return;
    pg_array(&args, 'T', count);
    for (size_t i = 0; i < g->count; i++) {
        for (const char *const *tag = g->rows[i].tags; tag && *tag; tag++)
            pg_array_text(&args, *tag);
    }
    pg_array(&args, 'T', count);
    for (size_t i = 0; i < g->count; i++) {
        for (size_t n = pg_count_texts(g->rows[i].tags); n > 0; n--)
            pg_array_text(&args, g->rows[i].id);
    }
    pg_step_send_day(g->b->p, g->b->frame, g->day, PG_DAY_TAG, &args);
}

static void send_put(group *g)
{
    pg *p = g->b->p;
    char *room = NULL;
    pg_args args = {0}, ids = {0};
    add_columns(&args, g, put_texts, put_ints);
    pg_step_send(p, g->b->frame, PG_PUT, &args);
    send_bodies(g, &room);
    send_tags(g);
    add_texts(&ids, g, id_of);
    pg_step_send_day(p, g->b->frame, g->day, PG_DAY_UNPUT, &ids);
    free(room);
}

void pg_put_all(pg_batch *b)
{
    int64_t soon = clock_wall_us() + NOTIFY_AHEAD_US;
    group g = {.b = b, .send = send_put};
    for (size_t i = 0; i < b->count; i++) {
        const queue_op *op = b->steps[i].op;
        size_t count = b->steps[i].puts && !b->steps[i].over ? op->in.put.count : 0;
        for (size_t n = 0; n < count; n++) {
            const queue_message *m = &op->in.put.messages[n];
            row r = {.step = &b->steps[i], .op = op, .id = m->id, .m = m};
            r.tags = op->in.put.tags ? op->in.put.tags[n] : NULL;
            add(&g, &r, queue_day_of(m->id),
                length(m->recipients) + (is_large(m) ? 0 : (size_t)m->body.size));
            b->notify |= m->state == QUEUE_QUEUED && m->next_at < soon;
        }
    }
    flush(&g);
}

/* ---- SETTLE ---- */

static const char *settle_owner(const row *r)
{
    return r->op->in.settle.owner;
}

static const char *settle_recipients(const row *r)
{
    return r->op->in.settle.recipients;
}

static const char *settle_log(const row *r)
{
    return r->op->in.settle.log;
}

static int64_t settle_attempt(const row *r)
{
    return r->op->in.settle.attempt;
}

static int64_t settle_state(const row *r)
{
    return r->op->in.settle.state;
}

static text_of *const settle_texts[] = {id_of, settle_owner, settle_recipients, settle_log, NULL};
static int_of *const settle_ints[] = {settle_attempt, settle_state, NULL};

static void send_settle(group *g)
{
    pg_args args = {0};
    add_columns(&args, g, settle_texts, settle_ints);
    g->b->groups++;
    for (size_t i = 0; i < g->count; i++)
        g->rows[i].step->group = g->b->groups;
    pg_step_send_day(g->b->p, g->b->frame, g->day, PG_DAY_DONE_ALL, &args);
}

bool pg_settles_plainly(const queue_op *op)
{
    return op->kind == QUEUE_SETTLE && queue_state_is_done(op->in.settle.state) &&
           op->in.settle.event_count == 0 && op->in.settle.suppress_count == 0;
}

void pg_settle_all(pg_batch *b)
{
    group g = {.b = b, .send = send_settle};
    for (size_t i = 0; i < b->count; i++) {
        const queue_op *op = b->steps[i].op;
        row r = {.step = &b->steps[i], .op = op, .id = op->id};
        if (!b->steps[i].over && pg_settles_plainly(op))
            add(&g, &r, b->steps[i].day,
                length(op->in.settle.recipients) + length(op->in.settle.log));
    }
    flush(&g);
}

/* Those of the group that the result doesn't name have lost. */
static void read_group(pg_batch *b, unsigned n, const PGresult *r)
{
    for (size_t i = 0; i < b->count; i++) {
        int at = 0, rows = PQntuples(r);
        if (b->steps[i].group != n)
            continue;
        while (at < rows && strcmp(PQgetvalue(r, at, 0), b->steps[i].op->id) != 0)
            at++;
        b->steps[i].later = at == rows;
    }
}

void pg_read_settled(pg_batch *b)
{
    for (unsigned n = 1; n <= b->groups; n++) {
        PGresult *r = pg_step_next(b->p, b->frame);
        if (r)
            read_group(b, n, r);
        PQclear(r);
    }
}
