/* Keys, and suppressed recipients. */
#include <stdlib.h>
#include <string.h>

#include "queue/backend.h"
#include "queue/postgres_run.h"

/* ---- suppressed recipients, as PUT and SETTLE need them ---- */

size_t pg_count_texts(const char *const *texts)
{
    size_t n = 0;
    while (texts && texts[n])
        n++;
    return n;
}

void pg_add_texts(pg_args *a, const char *const *texts)
{
    size_t n = pg_count_texts(texts);
    pg_array(a, 'T', n);
    for (size_t i = 0; i < n; i++)
        pg_array_text(a, texts[i]);
}

void pg_add_suppressed(pg_args *a, const queue_suppressed *e, size_t count)
{
    pg_array(a, 'T', count);
    for (size_t i = 0; i < count; i++)
        pg_array_text(a, e[i].address);
    pg_array(a, 'T', count);
    for (size_t i = 0; i < count; i++)
        pg_array_text(a, e[i].list ? e[i].list : "");
    pg_array(a, 'T', count);
    for (size_t i = 0; i < count; i++)
        pg_array_text(a, e[i].reason);
    pg_array(a, 'I', count);
    for (size_t i = 0; i < count; i++)
        pg_array_int(a, e[i].since);
}

static void read_suppressed(pg *p, const PGresult *r, int row, queue_suppressed *out)
{
    out->address = pg_get_text(p, r, row, 0);
    out->list = pg_get_text(p, r, row, 1);
    out->reason = pg_get_text(p, r, row, 2);
    out->since = pg_get_int(r, row, 3);
}

void pg_send_look_up(pg *p, pg_step *s, const char *const *addresses, const char *list)
{
    pg_args args = {0};
    pg_add_texts(&args, addresses);
    pg_text(&args, list);
    pg_step_send(p, s, PG_LOOK_UP, &args);
}

void pg_read_look_up(pg *p, pg_step *s, const char *const *addresses)
{
    queue_op *op = s->op;
    PGresult *r = pg_step_next(p, s);
    int rows = r ? PQntuples(r) : 0;
    size_t n = pg_count_texts(addresses);
    if (rows > 0)
        op->suppressed = pg_new_items(p, n, sizeof *op->suppressed);
    for (size_t i = 0; rows > 0 && op->suppressed && i < n; i++) {
        int row = 0;
        while (row < rows && strcmp(PQgetvalue(r, row, 0), addresses[i]) != 0)
            row++;
        if (row < rows)
            read_suppressed(p, r, row, &op->suppressed[op->suppressed_count++]);
    }
    PQclear(r);
}

/* ---- keys ---- */

void pg_send_key(pg *p, pg_step *s, pg_name n, const queue_key *k, int status, const char *answer)
{
    pg_args args = {0};
    pg_text(&args, k->key);
    pg_text(&args, k->fingerprint ? k->fingerprint : "");
    pg_int(&args, k->keep_until);
    pg_int(&args, status);
    pg_text(&args, answer);
    pg_step_send(p, s, n, &args);
}

void pg_send_key_named(pg *p, pg_step *s, pg_name n, const char *key)
{
    pg_args args = {0};
    pg_text(&args, key);
    pg_step_send(p, s, n, &args);
}

void pg_send_key_begin(pg *p, pg_step *s, const queue_key *k, int status, const char *answer)
{
    pg_send_key(p, s, PG_KEY_PUT, k, status, answer);
    pg_send_key_named(p, s, PG_KEY_GET, k->key);
}

bool pg_read_key_begin(pg *p, pg_step *s, const queue_key *k)
{
    queue_op *op = s->op;
    bool made = pg_step_found(p, s);
    PGresult *r = pg_step_next(p, s);
    if (!made && r) {
        bool there = PQntuples(r) > 0; /* else it was dropped meanwhile */
        bool same =
            !there || strcmp(PQgetvalue(r, 0, 0), k->fingerprint ? k->fingerprint : "") == 0;
        op->status = there && same ? (int)pg_get_int(r, 0, 1) : 0;
        op->outcome = !same             ? QUEUE_KEY_DIFFERENT
                      : op->status == 0 ? QUEUE_KEY_RUNNING
                                        : QUEUE_KEY_ANSWERED;
        if (op->outcome == QUEUE_KEY_ANSWERED)
            op->answer = pg_get_text(p, r, 0, 2);
    }
    PQclear(r);
    return made;
}

static void key_begin_send(pg_batch *b, pg_step *s)
{
    pg_send_key_begin(b->p, s, &s->op->in.key, 0, NULL);
}

static void key_begin_read(pg_batch *b, pg_step *s)
{
    (void)pg_read_key_begin(b->p, s, &s->op->in.key);
}

static void key_end_send(pg_batch *b, pg_step *s)
{
    const queue_key *k = &s->op->in.key;
    if (k->status == 0)
        pg_send_key_named(b->p, s, PG_KEY_DROP, k->key);
    else
        pg_send_key(b->p, s, PG_KEY_SET, k, k->status, k->answer);
}

/* ---- suppressed recipients ---- */

static void suppress_send(pg_batch *b, pg_step *s)
{
    pg_args args = {0};
    pg_add_suppressed(&args, s->op->in.suppress.entries, s->op->in.suppress.count);
    pg_step_send(b->p, s, PG_SUPPRESS, &args);
}

static void unsuppress_send(pg_batch *b, pg_step *s)
{
    pg_args args = {0};
    pg_text(&args, s->op->in.suppress.address);
    pg_text(&args, s->op->in.suppress.list);
    pg_step_send(b->p, s, PG_UNSUPPRESS, &args);
}

static void unsuppress_read(pg_batch *b, pg_step *s)
{
    if (!pg_step_found(b->p, s))
        s->op->outcome = QUEUE_NOT_FOUND;
}

static void suppressed_send(pg_batch *b, pg_step *s)
{
    pg_send_look_up(b->p, s, s->op->in.suppress.addresses, s->op->in.suppress.list);
}

static void suppressed_read(pg_batch *b, pg_step *s)
{
    pg_read_look_up(b->p, s, s->op->in.suppress.addresses);
}

static void append_suppressed(pg *p, queue_op *op, PGresult *r)
{
    size_t rows = r ? (size_t)PQntuples(r) : 0;
    queue_suppressed *more =
        rows ? realloc(op->suppressed, (op->suppressed_count + rows) * sizeof *more) : NULL;
    if (more)
        op->suppressed = more;
    else if (rows)
        pg_fail_memory(p);
    for (size_t i = 0; more && i < rows; i++)
        read_suppressed(p, r, (int)i, &more[op->suppressed_count++]);
    PQclear(r);
}

#define SUPPRESSIONS                                                                               \
    "SELECT address, list, reason, since FROM postern_suppressed WHERE list = coalesce($2, list)"  \
    " AND "

/* A page ends between addresses, never between the entries of one: `after` is an address. */
static void suppressions_later(pg_batch *b, pg_step *s)
{
    queue_op *op = s->op;
    pg_args args = {0}, rest = {0};
    pg_text(&args, op->in.suppress.after ? op->in.suppress.after : "");
    pg_text(&args, op->in.suppress.list);
    pg_int(&args, (int64_t)op->in.suppress.most);
    append_suppressed(
        b->p, op,
        pg_query(b->p, "tti", SUPPRESSIONS "address > $1 ORDER BY address, list LIMIT $3", &args));
    if (b->p->trouble != PG_FINE || op->suppressed_count < op->in.suppress.most ||
        op->suppressed_count == 0)
        return;
    const queue_suppressed *last = &op->suppressed[op->suppressed_count - 1];
    pg_text(&rest, last->address);
    pg_text(&rest, op->in.suppress.list);
    pg_text(&rest, last->list);
    append_suppressed(
        b->p, op,
        pg_query(b->p, "ttt", SUPPRESSIONS "address = $1 AND list > $3 ORDER BY list", &rest));
}

/* ---- what each has to do ---- */

const pg_kind pg_kind_key_begin = {.send = key_begin_send, .read = key_begin_read};
const pg_kind pg_kind_key_end = {.send = key_end_send};
const pg_kind pg_kind_suppress = {.send = suppress_send};
const pg_kind pg_kind_unsuppress = {.send = unsuppress_send, .read = unsuppress_read};
const pg_kind pg_kind_suppressed = {.send = suppressed_send, .read = suppressed_read};
const pg_kind pg_kind_suppressions = {.later = suppressions_later};
