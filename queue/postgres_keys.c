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

typedef struct found_row {
    const char *address;
    int row;
} found_row;

/* As C has it: the server's order is its collation's. Of one address, the first row first. */
static int by_address(const void *left, const void *right)
{
    const found_row *a = left, *b = right;
    int order = strcmp(a->address, b->address);
    return order ? order : a->row - b->row;
}

/* The first row of the address; NULL: none. */
static const found_row *find_row(const found_row *rows, size_t count, const char *address)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(rows[middle].address, address) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && strcmp(rows[low].address, address) == 0 ? &rows[low] : NULL;
}

/* Of what was found, that which this operation has asked for. */
static void pick_suppressed(pg *p, const PGresult *r, queue_op *op, const char *const *addresses)
{
    size_t n = pg_count_texts(addresses), count = (size_t)PQntuples(r);
    if (count == 0)
        return;
    found_row *rows = pg_new_items(p, count, sizeof *rows);
    op->suppressed = pg_new_items(p, n, sizeof *op->suppressed);
    for (size_t i = 0; rows && i < count; i++)
        rows[i] = (found_row){PQgetvalue(r, (int)i, 0), (int)i};
    if (rows)
        qsort(rows, count, sizeof *rows, by_address);
    for (size_t i = 0; rows && op->suppressed && i < n; i++) {
        const found_row *found = find_row(rows, count, addresses[i]);
        if (found)
            read_suppressed(p, r, found->row, &op->suppressed[op->suppressed_count++]);
    }
    free(rows);
}

void pg_read_look_up(pg *p, pg_step *s, const char *const *addresses)
{
    PGresult *r = pg_step_next(p, s);
    if (r)
        pick_suppressed(p, r, s->op, addresses);
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

void pg_send_key_drop(pg *p, pg_step *s, const char *key, const char *by)
{
    pg_args args = {0};
    pg_text(&args, key);
    pg_text(&args, by);
    pg_step_send(p, s, PG_KEY_DROP, &args);
}

void pg_send_key_begin(pg *p, pg_step *s, const queue_key *k, int status, const char *answer)
{
    pg_args args = {0};
    pg_send_key(p, s, PG_KEY_PUT, k, status, answer);
    pg_text(&args, k->key);
    pg_step_send(p, s, PG_KEY_GET, &args);
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
    pg_send_key_begin(b->p, s, &s->op->in.key, 0, s->op->in.key.by);
}

static void key_begin_read(pg_batch *b, pg_step *s)
{
    (void)pg_read_key_begin(b->p, s, &s->op->in.key);
}

static void key_end_send(pg_batch *b, pg_step *s)
{
    const queue_key *k = &s->op->in.key;
    if (k->status == 0)
        pg_send_key_drop(b->p, s, k->key, k->by);
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

#define ASKED_TOGETHER 64 /* addresses of an operation at most, for it to be asked with others */

static bool same_list(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Whether it is a look-up that the first of its list can make with its own. */
static bool asks_with(const pg_step *first, const pg_step *s)
{
    return s == first || (s->op->kind == QUEUE_SUPPRESSED && !s->over && !s->asks &&
                          same_list(first->op->in.suppress.list, s->op->in.suppress.list) &&
                          pg_count_texts(s->op->in.suppress.addresses) <= ASKED_TOGETHER);
}

/* The first of a list asks for those behind it, too. */
static void suppressed_send(pg_batch *b, pg_step *s)
{
    const pg_step *end = b->steps + b->count;
    pg_args args = {0};
    size_t count = 0;
    if (s->asks)
        return;
    for (pg_step *t = s; t < end; t++) {
        if (asks_with(s, t)) {
            t->asks = s;
            count += pg_count_texts(t->op->in.suppress.addresses);
        }
    }
    pg_array(&args, 'T', count);
    for (pg_step *t = s; t < end; t++) {
        const char *const *address = t->asks == s ? t->op->in.suppress.addresses : NULL;
        for (; address && *address; address++)
            pg_array_text(&args, *address);
    }
    pg_text(&args, s->op->in.suppress.list);
    pg_step_send(b->p, s, PG_LOOK_UP, &args);
}

static void suppressed_read(pg_batch *b, pg_step *s)
{
    PGresult *r = s->asks == s ? pg_step_next(b->p, s) : NULL;
    for (pg_step *t = s; r && t < b->steps + b->count; t++) {
        if (t->asks == s)
            pick_suppressed(b->p, r, t->op, t->op->in.suppress.addresses);
    }
    PQclear(r);
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
