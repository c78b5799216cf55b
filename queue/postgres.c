/*
 * The queue on PostgreSQL, or what speaks like it.
 *
 * A batch is one transaction in libpq's pipeline: BEGIN, a statement or two of each operation, and
 * COMMIT go out together, and the results are read after; so it costs one round trip. Operations
 * whose second half depends on the first's result (PUT with a key or with addresses) make it two.
 * What only reads on comes after the COMMIT: large bodies of claimed messages, lists, why a SETTLE
 * found nothing.
 *
 * Durability: synchronous_commit is set to `on` where the session has it `off`; `local`,
 * `remote_write` and `remote_apply` are the operator's choice and stay. A run that finds its work
 * done by a former one, whose COMMIT was not answered, writes a row all the same: so its own COMMIT
 * waits for the standby, and with it for what came before.
 *
 * Other servers (the SQL is what all of them speak):
 *
 *                    LISTEN/NOTIFY          order of a CLAIM among priorities
 *   PostgreSQL 12+   yes                    exact
 *   YugabyteDB       no: ignored, polling   exact
 *   CockroachDB      no: refused, polling   nearly: branches of a UNION may run side by side
 *
 * Behind a pooler, sessions must be kept (session pooling): statements are prepared.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "queue/backend.h"
#include "queue/postgres_link.h"
#include "queue/postgres_schema.h"

#define TRIES      20 /* of a transaction that others were in the way of */
#define CHUNK      ((size_t)256 * 1024)
#define CHUNK_SQL  "262144" /* QUEUE_SMALL: what is larger lies in chunks */
#define CLEAN_KEYS 20000    /* in one CLEAN, so that it is soon over; the next one goes on */

/* ---- statements ---- */

#define NOW "(extract(epoch FROM now()) * 1000000)::int8"

/* Each priority has a range of the index: what is due is at its front, whatever waits behind. Of
 * the branches only as many rows are pulled, and locked, as the LIMIT around them wants. */
#define DUE(priority)                                                                              \
    "SELECT * FROM (SELECT id, priority, due_at, size FROM postern_message WHERE priority "        \
    "= " priority " AND due_at <= " NOW                                                            \
    " ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS p" priority
#define NEXT(priority)                                                                             \
    "(SELECT due_at FROM postern_message WHERE priority = " priority " ORDER BY due_at LIMIT 1)"

/* What a SETTLE keeps beside the message ($7 to $14), if the lease is still its own. */
#define BESIDE                                                                                     \
    "ev AS (INSERT INTO postern_event (id, due_at, attempts, payload)"                             \
    " SELECT e.id, e.at, e.n, e.payload FROM gone,"                                                \
    " unnest($7, $8, $9, $10) AS e (id, at, n, payload) ON CONFLICT (id) DO NOTHING RETURNING 1)," \
    " su AS (INSERT INTO postern_suppressed (address, list, reason, since)"                        \
    " SELECT s.address, s.list, max(s.reason), max(s.since) FROM gone,"                            \
    " unnest($11, $12, $13, $14) AS s (address, list, reason, since)"                              \
    " GROUP BY s.address, s.list ORDER BY s.address, s.list"                                       \
    " ON CONFLICT (address, list)"                                                                 \
    " DO UPDATE SET reason = excluded.reason, since = excluded.since RETURNING 1)"
#define MINE "id = $1 AND owner = $2 AND state = 1 AND attempts < $3"

typedef enum name {
    BEGIN,
    COMMIT,
    NOTIFY,
    TOUCH,
    PUT,
    PUT_CHUNK,
    CLAIM,
    CLAIM_NEXT,
    REQUEUE,
    KEY_PUT,
    KEY_GET,
    KEY_SET,
    KEY_DROP,
    SUPPRESS,
    UNSUPPRESS,
    LOOK_UP,
    EVENT_CLAIM,
    EVENT_NEXT,
    EVENT_DROP,
    EVENT_AGAIN,
    STATS,
    LIVE_GET,
    NAMES
} name;

#define GET_LIVE                                                                                   \
    "SELECT id, state, due_at, expires_at, priority, attempts, head, recipients, log, size"        \
    " FROM postern_message WHERE id = $1"

static const pg_sql statements[NAMES] = {
    [BEGIN] = {"", "BEGIN ISOLATION LEVEL READ COMMITTED"},
    [COMMIT] = {"", "COMMIT"},
    [NOTIFY] = {"", "NOTIFY postern_queue"},
    [TOUCH] = {"", "UPDATE postern_version SET version = version WHERE id = 1"},
    /* A message that is there already was put by a former run. */
    [PUT] = {"tiiiiitittt"
             "b",
             "WITH m AS (INSERT INTO postern_message (id, state, due_at, expires_at, priority,"
             " attempts, owner, size, head, recipients, log) VALUES ($1, $2,"
             " CASE WHEN $2 = 1 THEN " NOW " + $3 ELSE $3 END, $4, $5, $6, $7, $8, $9, $10, $11)"
             " ON CONFLICT (id) DO UPDATE SET size = excluded.size RETURNING id)"
             " INSERT INTO postern_body (id, part, data) SELECT id, 0, $12 FROM m"
             " WHERE $12 IS NOT NULL ON CONFLICT DO NOTHING"},
    [PUT_CHUNK] = {"tib", "INSERT INTO postern_body (id, part, data) VALUES ($1, $2, $3)"
                          " ON CONFLICT DO NOTHING"},
    [CLAIM] =
        {"tiii",
         "WITH locked AS (SELECT * FROM (" DUE("9") " UNION ALL " DUE("8") " UNION ALL " DUE("7") " UNION ALL " DUE("6") " UNION ALL " DUE("5") " UNION ALL " DUE("4") " UNION ALL " DUE(
             "3") " UNION ALL " DUE("2") " UNION ALL " DUE("1") " UNION ALL " DUE("0") ") AS due "
                                                                                       "LIMIT $2),"
                                                                                       " fit AS "
                                                                                       "(SELECT "
                                                                                       "id, "
                                                                                       "due_at, "
                                                                                       "size,"
                                                                                       " sum(size) "
                                                                                       "OVER "
                                                                                       "(ORDER BY "
                                                                                       "priority "
                                                                                       "DESC, "
                                                                                       "due_at, "
                                                                                       "id) AS "
                                                                                       "upto FROM "
                                                                                       "locked)"
                                                                                       " UPDATE "
                                                                                       "postern_"
                                                                                       "message AS "
                                                                                       "m SET "
                                                                                       "state = 1, "
                                                                                       "owner = "
                                                                                       "$1, due_at "
                                                                                       "= " NOW
                                                                                       " + $4"
                                                                                       " FROM fit "
                                                                                       "LEFT JOIN "
                                                                                       "postern_"
                                                                                       "body AS b "
                                                                                       "ON b.id = "
                                                                                       "fit.id AND "
                                                                                       "b.part = 0"
                                                                                       " AND "
                                                                                       "fit.size "
                                                                                       "<="
                                                                                       " " CHUNK_SQL
                                                                                       " WHERE "
                                                                                       "m.id = "
                                                                                       "fit.id AND "
                                                                                       "(fit.upto "
                                                                                       "<= $3 OR "
                                                                                       "fit.upto = "
                                                                                       "fit.size)"
                                                                                       " RETURNING "
                                                                                       "m.id, "
                                                                                       "m.state, "
                                                                                       "m.due_at, "
                                                                                       "m.expires_"
                                                                                       "at, "
                                                                                       "m.priority,"
                                                                                       " m."
                                                                                       "attempts, "
                                                                                       "m.head,"
                                                                                       " m."
                                                                                       "recipients,"
                                                                                       " m.log, "
                                                                                       "m.size, "
                                                                                       "fit.due_at,"
                                                                                       " b.data"},
    [CLAIM_NEXT] =
        {"", "SELECT least(" NEXT("9") "," NEXT("8") "," NEXT("7") "," NEXT("6") "," NEXT(
                 "5") "," NEXT("4") "," NEXT("3") "," NEXT("2") "," NEXT("1") "," NEXT("0") ")"},
    [REQUEUE] = {"ttiittTIITTTTIi",
                 "WITH gone AS (UPDATE postern_message SET state = $4, due_at = $15,"
                 " attempts = $3, recipients = coalesce($5, recipients), log = coalesce($6, log)"
                 " WHERE " MINE " RETURNING id), " BESIDE " SELECT id FROM gone"},
    [KEY_PUT] = {"ttiit",
                 "INSERT INTO postern_key (key, fingerprint, keep_until, status, answer)"
                 " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (key) DO UPDATE"
                 " SET fingerprint = excluded.fingerprint, keep_until = excluded.keep_until,"
                 " status = excluded.status, answer = excluded.answer"
                 " WHERE postern_key.keep_until <= " NOW " RETURNING 1"},
    [KEY_GET] = {"t", "SELECT fingerprint, status, answer FROM postern_key WHERE key = $1"},
    [KEY_SET] = {"ttiit",
                 "INSERT INTO postern_key (key, fingerprint, keep_until, status, answer)"
                 " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (key) DO UPDATE"
                 " SET fingerprint = excluded.fingerprint, keep_until = excluded.keep_until,"
                 " status = excluded.status, answer = excluded.answer"},
    [KEY_DROP] = {"t", "DELETE FROM postern_key WHERE key = $1"},
    [SUPPRESS] = {"TTTI", "INSERT INTO postern_suppressed (address, list, reason, since)"
                          " SELECT s.address, s.list, max(s.reason), max(s.since)"
                          " FROM unnest($1, $2, $3, $4) AS s (address, list, reason, since)"
                          " GROUP BY s.address, s.list ORDER BY s.address, s.list"
                          " ON CONFLICT (address, list)"
                          " DO UPDATE SET reason = excluded.reason, since = excluded.since"},
    [UNSUPPRESS] = {"tt", "DELETE FROM postern_suppressed"
                          " WHERE address = $1 AND list = coalesce($2, list) RETURNING 1"},
    [LOOK_UP] = {"Tt", "SELECT address, list, reason, since FROM postern_suppressed"
                       " WHERE address = ANY ($1) AND (list = '' OR list = coalesce($2, list))"
                       " ORDER BY address, list"},
    [EVENT_CLAIM] = {"tii", "WITH due AS (SELECT id, due_at FROM postern_event WHERE due_at <= " NOW
                            " ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED)"
                            " UPDATE postern_event AS e SET owner = $1, due_at = " NOW " + $3"
                            " FROM due WHERE e.id = due.id"
                            " RETURNING e.id, due.due_at, e.attempts, e.payload"},
    [EVENT_NEXT] = {"", "SELECT due_at FROM postern_event ORDER BY due_at LIMIT 1"},
    [EVENT_DROP] = {"tt", "DELETE FROM postern_event WHERE id = $1 AND owner = $2 RETURNING 1"},
    [EVENT_AGAIN] = {"tti", "UPDATE postern_event SET due_at = $3, attempts = attempts + 1,"
                            " owner = NULL WHERE id = $1 AND owner = $2 RETURNING 1"},
    [STATS] = {"", "SELECT count(*) FILTER (WHERE state = 0),"
                   " count(*) FILTER (WHERE state = 0 AND due_at > " NOW "),"
                   " count(*) FILTER (WHERE state = 1),"
                   " min(due_at) FILTER (WHERE state = 0 AND due_at <= " NOW "),"
                   " (SELECT count(*) FROM postern_event) FROM postern_message"},
    [LIVE_GET] = {"t", GET_LIVE},
};

/* Of a day. */
typedef enum day_name { DAY_UNPUT, DAY_TAG, DAY_DONE, DAY_CANCEL, DAY_GET, DAY_NAMES } day_name;

#define DONE_INSERT                                                                                \
    "INSERT INTO postern_done_" PG_DAY_MARK                                                        \
    " (id, state, finished_at, attempts, head, recipients, log) "
#define DONE_AGAIN                                                                                 \
    " ON CONFLICT (id) DO UPDATE SET state = excluded.state, finished_at = excluded.finished_at,"  \
    " attempts = excluded.attempts, recipients = excluded.recipients, log = excluded.log"          \
    " RETURNING id"
#define BODY_GONE "b AS (DELETE FROM postern_body WHERE id = (SELECT id FROM gone) RETURNING 1)"

static const pg_sql day_statements[DAY_NAMES] = {
    /* Put by a former run and done since: it must not be sent again. This is a statement behind the
     * insert, because that waits for whoever is just moving the message. */
    [DAY_UNPUT] = {"T",
                   "WITH gone AS (SELECT id FROM postern_done_" PG_DAY_MARK " WHERE id = ANY ($1)),"
                   " b AS (DELETE FROM postern_body WHERE id IN (SELECT id FROM gone)"
                   " RETURNING 1)"
                   " DELETE FROM postern_message WHERE id IN (SELECT id FROM gone)"},
    [DAY_TAG] = {"tT", "INSERT INTO postern_tag_" PG_DAY_MARK " (tag, id)"
                       " SELECT DISTINCT u.tag, $1 FROM unnest($2) AS u (tag)"
                       " ON CONFLICT DO NOTHING"},
    [DAY_DONE] = {"ttiittTIITTTTI",
                  "WITH gone AS (DELETE FROM postern_message WHERE " MINE
                  " RETURNING id, head, recipients, log), " BODY_GONE ", " BESIDE " " DONE_INSERT
                  "SELECT id, $4, " NOW ", $3, head, coalesce($5, recipients), coalesce($6, log)"
                  " FROM gone" DONE_AGAIN},
    [DAY_CANCEL] = {"t",
                    "WITH gone AS (DELETE FROM postern_message WHERE id = $1 AND state = 0"
                    " RETURNING id, attempts, head, recipients, log), " BODY_GONE " " DONE_INSERT
                    "SELECT id, 6, " NOW ", attempts, head, recipients, log FROM gone" DONE_AGAIN},
    [DAY_GET] = {"t", GET_LIVE " UNION ALL SELECT id, state, finished_at, 0::int8, 0, attempts,"
                               " head, recipients, log, 0::int8 FROM postern_done_" PG_DAY_MARK
                               " WHERE id = $1"},
};

_Static_assert(QUEUE_SENDING == 1 && QUEUE_QUEUED == 0 && QUEUE_SENT == 2 && QUEUE_CANCELLED == 6,
               "the statements have states as numbers");
_Static_assert(QUEUE_SMALL == 262144, "as in CHUNK_SQL");

/* ---- one operation of a batch ---- */

typedef struct step {
    queue_op *op;
    int day;       /* whose tables it needs and has; 0: none */
    unsigned sent; /* statements whose results are still to be read */
    bool later;    /* there is something to do after the commit */
    bool second;   /* there is a second half before it */
    bool over;     /* refused, or answered: nothing more */
} step;

typedef struct batch {
    pg *p;
    step *steps;
    size_t count;
    bool writes, notify;
} batch;

static void statement_name(char out[32], int day, int n)
{
    (void)snprintf(out, 32, "s%d_%d", n, day);
}

static void send_statement(pg *p, step *s, name n, pg_args *args)
{
    char text[32];
    statement_name(text, 0, (int)n);
    pg_send(p, text, args);
    s->sent++;
}

static void send_day(pg *p, step *s, int day, day_name n, pg_args *args)
{
    char text[32];
    statement_name(text, day, (int)n);
    pg_send(p, text, args);
    s->sent++;
}

/* The next result of the step's; clear it. */
static PGresult *next_result(pg *p, step *s)
{
    s->sent--;
    return pg_next(p);
}

static void skip_results(pg *p, step *s)
{
    while (s->sent > 0)
        PQclear(next_result(p, s));
}

/* Whether the next result has a row. */
static bool next_found(pg *p, step *s)
{
    PGresult *r = next_result(p, s);
    bool found = r && PQntuples(r) > 0;
    PQclear(r);
    return found;
}

static void refuse(step *s, const char *error)
{
    queue_op_clear(s->op);
    s->op->outcome = QUEUE_FAILED;
    s->op->error = strdup(error);
    s->over = true;
}

/* ---- days ---- */

static bool prepare_day(pg *p, int day)
{
    for (int n = 0; n < DAY_NAMES; n++) {
        char text[32], *with_day = pg_schema_with_day(day_statements[n].text, day);
        pg_sql sql = {day_statements[n].types, with_day};
        statement_name(text, day, n);
        if (!with_day)
            pg_fail_memory(p);
        else
            (void)pg_prepare(p, text, &sql);
        free(with_day);
    }
    return p->trouble == PG_FINE;
}

static void forget_day(pg *p, int *day)
{
    for (int n = 0; *day && n < DAY_NAMES; n++) {
        char text[64];
        (void)snprintf(text, sizeof text, "DEALLOCATE s%d_%d", n, *day);
        (void)pg_command(p, text);
    }
    *day = 0;
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
    forget_day(p, slot);
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
static void prepare_step(pg *p, step *s)
{
    queue_op *op = s->op;
    switch (op->kind) {
    case QUEUE_PUT:
        for (size_t i = 0; i < op->in.put.count && p->trouble == PG_FINE; i++) {
            s->day = queue_day_of(op->in.put.messages[i].id);
            if (!s->day) {
                refuse(s, "a message's id is not one");
                return;
            }
            (void)use_day(p, s->day, true);
        }
        break;
    case QUEUE_GET:
    case QUEUE_SETTLE:
    case QUEUE_CANCEL:
        s->day = queue_day_of(op->id);
        if (!use_day(p, s->day, false) && (op->kind == QUEUE_GET || p->trouble != PG_FINE ||
                                           !is_live(p, op->id) || !use_day(p, s->day, true)))
            s->day = 0;
        break;
    default: break;
    }
}

/* ---- outputs ---- */

static void *new_items(pg *p, size_t count, size_t size)
{
    void *items = calloc(count ? count : 1, size);
    if (!items)
        pg_fail_memory(p);
    return items;
}

/* The first columns of a row: as in GET_LIVE. */
static void read_message(pg *p, const PGresult *r, int row, queue_message *m)
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

static void read_suppressed(pg *p, const PGresult *r, int row, queue_suppressed *out)
{
    out->address = pg_get_text(p, r, row, 0);
    out->list = pg_get_text(p, r, row, 1);
    out->reason = pg_get_text(p, r, row, 2);
    out->since = pg_get_int(r, row, 3);
}

/* ---- addresses and keys ---- */

static size_t count_texts(const char *const *texts)
{
    size_t n = 0;
    while (texts && texts[n])
        n++;
    return n;
}

static void add_texts(pg_args *a, const char *const *texts)
{
    size_t n = count_texts(texts);
    pg_array(a, true, n);
    for (size_t i = 0; i < n; i++)
        pg_array_text(a, texts[i]);
}

static void send_look_up(pg *p, step *s, const char *const *addresses, const char *list)
{
    pg_args args = {0};
    add_texts(&args, addresses);
    pg_text(&args, list);
    send_statement(p, s, LOOK_UP, &args);
}

/* One entry for each address that is suppressed, in the order in which they were asked for. */
static void read_look_up(pg *p, step *s, const char *const *addresses)
{
    queue_op *op = s->op;
    PGresult *r = next_result(p, s);
    int rows = r ? PQntuples(r) : 0;
    size_t n = count_texts(addresses);
    if (rows > 0)
        op->suppressed = new_items(p, n, sizeof *op->suppressed);
    for (size_t i = 0; rows > 0 && op->suppressed && i < n; i++) {
        int row = 0;
        while (row < rows && strcmp(PQgetvalue(r, row, 0), addresses[i]) != 0)
            row++;
        if (row < rows)
            read_suppressed(p, r, row, &op->suppressed[op->suppressed_count++]);
    }
    PQclear(r);
}

static void send_key(pg *p, step *s, name n, const queue_key *k, int status, const char *answer)
{
    pg_args args = {0};
    pg_text(&args, k->key);
    pg_text(&args, k->fingerprint ? k->fingerprint : "");
    pg_int(&args, k->keep_until);
    pg_int(&args, status);
    pg_text(&args, answer);
    send_statement(p, s, n, &args);
}

static void send_key_named(pg *p, step *s, name n, const char *key)
{
    pg_args args = {0};
    pg_text(&args, key);
    send_statement(p, s, n, &args);
}

/* Makes the key, and looks what is there: of use if it could not be made. */
static void send_key_begin(pg *p, step *s, const queue_key *k, int status, const char *answer)
{
    send_key(p, s, KEY_PUT, k, status, answer);
    send_key_named(p, s, KEY_GET, k->key);
}

/* True if the key was made; else the outcome says what is there. */
static bool read_key_begin(pg *p, step *s, const queue_key *k)
{
    queue_op *op = s->op;
    bool made = next_found(p, s);
    PGresult *r = next_result(p, s);
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

/* ---- PUT ---- */

/* Up to a chunk of the body from `at`; NULL, and the step's end, if its file can't be read. */
static const char *body_piece(const queue_body *b, uint64_t at, size_t len, char *room)
{
    if (b->data)
        return b->data + at;
    for (size_t got = 0; got < len;) {
        ssize_t n = pread(b->fd, room + got, len - got, (off_t)(at + got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return NULL;
        got += (size_t)n;
    }
    return room;
}

static void send_message(pg *p, step *s, const queue_message *m, const char *small)
{
    const queue_op *op = s->op;
    bool sending = m->state == QUEUE_SENDING;
    int priority = m->priority < 0 ? 0 : m->priority;
    pg_args args = {0};
    pg_text(&args, m->id);
    pg_int(&args, sending ? QUEUE_SENDING : QUEUE_QUEUED);
    pg_int(&args, sending ? op->in.put.lease_us : m->next_at);
    pg_int(&args, m->expires_at);
    pg_int(&args, priority > QUEUE_PRIORITY ? QUEUE_PRIORITY : priority);
    pg_int(&args, m->attempts);
    pg_text(&args, sending ? op->in.put.owner : NULL);
    pg_int(&args, (int64_t)m->body.size);
    pg_text(&args, m->head);
    pg_text(&args, m->recipients);
    pg_text(&args, m->log);
    pg_bytes(&args, small, small ? (size_t)m->body.size : 0);
    send_statement(p, s, PUT, &args);
}

/* Read errors end the batch, as half of a body must not be kept. */
static void send_with_body(pg *p, step *s, const queue_message *m, char *room)
{
    bool large = m->body.size > QUEUE_SMALL;
    const char *piece = "";
    if (!large && m->body.size > 0)
        piece = body_piece(&m->body, 0, (size_t)m->body.size, room);
    if (piece)
        send_message(p, s, m, large ? NULL : piece);
    for (uint64_t at = 0; large && piece && at < m->body.size; at += CHUNK) {
        uint64_t left = m->body.size - at;
        size_t len = left < CHUNK ? (size_t)left : CHUNK;
        pg_args args = {0};
        piece = body_piece(&m->body, at, len, room);
        if (!piece)
            break;
        pg_text(&args, m->id);
        pg_int(&args, (int64_t)(at / CHUNK));
        pg_bytes(&args, piece, len);
        send_statement(p, s, PUT_CHUNK, &args);
        pg_flush(p);
    }
    if (!piece)
        pg_fail(p, PG_DATA, "a body can't be read from its file");
}

static void send_unput(pg *p, step *s)
{
    const queue_message *m = s->op->in.put.messages;
    size_t count = s->op->in.put.count;
    for (size_t i = 0, next; i < count; i = next) {
        int day = queue_day_of(m[i].id);
        pg_args args = {0};
        for (next = i; next < count && queue_day_of(m[next].id) == day; next++)
            ;
        pg_array(&args, true, next - i);
        for (; i < next; i++)
            pg_array_text(&args, m[i].id);
        send_day(p, s, day, DAY_UNPUT, &args);
    }
}

static void send_messages(batch *b, step *s)
{
    pg *p = b->p;
    const queue_op *op = s->op;
    char *room = NULL;
    for (size_t i = 0; i < op->in.put.count && p->trouble == PG_FINE; i++) {
        const queue_message *m = &op->in.put.messages[i];
        const char *const *tags = op->in.put.tags ? op->in.put.tags[i] : NULL;
        if (!m->body.data && !room && !(room = malloc(CHUNK))) {
            pg_fail_memory(p);
            break;
        }
        send_with_body(p, s, m, room);
        if (tags && tags[0]) {
            pg_args args = {0};
            pg_text(&args, m->id);
            add_texts(&args, tags);
            send_day(p, s, queue_day_of(m->id), DAY_TAG, &args);
        }
        b->notify |= m->state == QUEUE_QUEUED;
    }
    free(room);
    if (p->trouble == PG_FINE)
        send_unput(p, s);
}

/* With a key or addresses, the messages are the second half. A key that may have to be given back
 * is not answered before that: another operation of this batch may have the same. */
static void put_send(batch *b, step *s)
{
    const queue_op *op = s->op;
    const queue_key *k = &op->in.put.key;
    bool looks = op->in.put.addresses != NULL;
    s->second = k->key || looks;
    if (k->key)
        send_key_begin(b->p, s, k, looks ? 0 : k->status, looks ? NULL : k->answer);
    if (looks)
        send_look_up(b->p, s, op->in.put.addresses, op->in.put.list);
    if (!s->second)
        send_messages(b, s);
}

static void put_read(batch *b, step *s)
{
    queue_op *op = s->op;
    const queue_key *k = &op->in.put.key;
    if (!s->second) {
        skip_results(b->p, s);
        return;
    }
    if (k->key && !read_key_begin(b->p, s, k)) {
        s->second = false;
        s->later = true;
        skip_results(b->p, s);
        return;
    }
    if (op->in.put.addresses)
        read_look_up(b->p, s, op->in.put.addresses);
    size_t addresses = count_texts(op->in.put.addresses);
    if (addresses > 0 && op->suppressed_count == addresses) {
        op->outcome = QUEUE_ALL_SUPPRESSED;
        s->second = k->key != NULL;
    }
}

static void put_send_second(batch *b, step *s)
{
    const queue_op *op = s->op;
    const queue_key *k = &op->in.put.key;
    if (op->outcome == QUEUE_ALL_SUPPRESSED) {
        send_key_named(b->p, s, KEY_DROP, k->key);
        return;
    }
    if (k->key && op->in.put.addresses)
        send_key(b->p, s, KEY_SET, k, k->status, k->answer);
    send_messages(b, s);
}

static PGresult *get_anywhere(pg *p, const char *id, int day)
{
    char *text = pg_schema_with_day(day ? day_statements[DAY_GET].text : GET_LIVE, day);
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

/* What a former run left was committed, but perhaps not waited for. */
static void confirm(pg *p)
{
    (void)pg_command(p, statements[TOUCH].text);
}

/* The key was there. If the message is too, a former run put both. */
static void put_later(batch *b, step *s)
{
    queue_op *op = s->op;
    if (op->in.put.count == 0)
        return;
    const char *id = op->in.put.messages[0].id;
    PGresult *r = get_anywhere(b->p, id, queue_day_of(id));
    if (r && PQntuples(r) > 0) {
        queue_op_clear(op);
        confirm(b->p);
    }
    PQclear(r);
}

/* ---- CLAIM ---- */

static void claim_send(batch *b, step *s)
{
    const queue_op *op = s->op;
    uint64_t bytes = op->in.claim.most_bytes;
    pg_args args = {0};
    pg_text(&args, op->in.claim.owner);
    pg_int(&args, (int64_t)op->in.claim.most);
    pg_int(&args, bytes > INT64_MAX ? INT64_MAX : (int64_t)bytes);
    pg_int(&args, op->in.claim.lease_us);
    send_statement(b->p, s, CLAIM, &args);
    send_statement(b->p, s, CLAIM_NEXT, NULL);
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
    read_message(p, r, row, &c->m);
    c->due_at = pg_get_int(r, row, 10);
    if (!PQgetisnull(r, row, 11)) {
        c->m.body.data = pg_get_text(p, r, row, 11);
        c->m.body.size = (uint64_t)PQgetlength(r, row, 11);
    }
}

static int64_t next_due(pg *p, step *s)
{
    PGresult *r = next_result(p, s);
    bool some = r && PQntuples(r) > 0 && !PQgetisnull(r, 0, 0);
    int64_t due = some ? pg_get_int(r, 0, 0) : INT64_MAX;
    PQclear(r);
    return due;
}

static void claim_read(batch *b, step *s)
{
    queue_op *op = s->op;
    PGresult *r = next_result(b->p, s);
    int rows = r ? PQntuples(r) : 0;
    claimed *all = rows ? new_items(b->p, (size_t)rows, sizeof *all) : NULL;
    if (all)
        op->messages = new_items(b->p, (size_t)rows, sizeof *op->messages);
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
    op->next_due = next_due(b->p, s);
}

/* A file that has no name; -1. */
static int open_nameless(void)
{
    const char *folder = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe): nobody sets it */
    char path[4096];
    if (!folder || !folder[0])
        folder = "/var/tmp";
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    (void)snprintf(path, sizeof path, "%s/postern.XXXXXX", folder);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        (void)unlink(path);
    return fd;
}

static bool write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* Copies a large body to a file, a chunk in memory at a time. False: there is no room for it, or
 * the connection failed. A body that isn't there has neither data nor a file. */
static bool fetch_body(pg *p, queue_message *m)
{
    int fd = open_nameless();
    bool ok = fd >= 0;
    uint64_t got = 0;
    for (int64_t part = 0; ok && got < m->body.size; part++) {
        pg_args args = {0};
        pg_text(&args, m->id);
        pg_int(&args, part);
        PGresult *r =
            pg_query(p, "ti", "SELECT data FROM postern_body WHERE id = $1 AND part = $2", &args);
        size_t len = r && PQntuples(r) > 0 ? (size_t)PQgetlength(r, 0, 0) : 0;
        ok = r && (len == 0 || write_all(fd, PQgetvalue(r, 0, 0), len));
        PQclear(r);
        got += len;
        if (len == 0)
            break;
    }
    if (ok && got == m->body.size) {
        m->body.fd = fd;
        return true;
    }
    if (fd >= 0)
        (void)close(fd);
    return ok;
}

static void give_back(pg *p, const queue_op *op, const queue_message *m)
{
    pg_args args = {0};
    pg_text(&args, m->id);
    pg_text(&args, op->in.claim.owner);
    PQclear(pg_query(p, "tt",
                     "UPDATE postern_message SET state = 0, due_at = " NOW
                     " WHERE id = $1 AND owner = $2 AND state = 1",
                     &args));
}

static void claim_later(batch *b, step *s)
{
    queue_op *op = s->op;
    size_t kept = 0;
    for (size_t i = 0; i < op->message_count; i++) {
        queue_message *m = &op->messages[i];
        if (m->body.size <= QUEUE_SMALL || fetch_body(b->p, m)) {
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
        refuse(s, "a large body can't be copied to a file in TMPDIR (or /var/tmp)");
}

/* ---- SETTLE, CANCEL, GET ---- */

static void add_suppressed(pg_args *a, const queue_suppressed *e, size_t count)
{
    pg_array(a, true, count);
    for (size_t i = 0; i < count; i++)
        pg_array_text(a, e[i].address);
    pg_array(a, true, count);
    for (size_t i = 0; i < count; i++)
        pg_array_text(a, e[i].list ? e[i].list : "");
    pg_array(a, true, count);
    for (size_t i = 0; i < count; i++)
        pg_array_text(a, e[i].reason);
    pg_array(a, false, count);
    for (size_t i = 0; i < count; i++)
        pg_array_int(a, e[i].since);
}

static void add_events(pg_args *a, const queue_event *e, size_t count)
{
    pg_array(a, true, count);
    for (size_t i = 0; i < count; i++)
        pg_array_text(a, e[i].id);
    pg_array(a, false, count);
    for (size_t i = 0; i < count; i++)
        pg_array_int(a, e[i].next_at);
    pg_array(a, false, count);
    for (size_t i = 0; i < count; i++)
        pg_array_int(a, e[i].attempts);
    pg_array(a, true, count);
    for (size_t i = 0; i < count; i++)
        pg_array_text(a, e[i].payload);
}

static void settle_send(batch *b, step *s)
{
    const queue_op *op = s->op;
    bool done = queue_state_is_done(op->in.settle.state);
    pg_args args = {0};
    if (!s->day) { /* neither live nor done */
        s->op->outcome = QUEUE_LOST;
        s->over = true;
        return;
    }
    pg_text(&args, op->id);
    pg_text(&args, op->in.settle.owner);
    pg_int(&args, op->in.settle.attempt);
    pg_int(&args, op->in.settle.state);
    pg_text(&args, op->in.settle.recipients);
    pg_text(&args, op->in.settle.log);
    add_events(&args, op->in.settle.events, op->in.settle.event_count);
    add_suppressed(&args, op->in.settle.suppress, op->in.settle.suppress_count);
    if (done) {
        send_day(b->p, s, s->day, DAY_DONE, &args);
    } else {
        pg_int(&args, op->in.settle.next_at);
        send_statement(b->p, s, REQUEUE, &args);
    }
}

static void settle_read(batch *b, step *s)
{
    s->later = !next_found(b->p, s);
}

static bool same_text(const PGresult *r, int column, const char *text)
{
    return !text || (!PQgetisnull(r, 0, column) && strcmp(PQgetvalue(r, 0, column), text) == 0);
}

/* Nothing was found to settle. The same was settled before if the attempt has its number, and left
 * what this one says. */
static void settle_later(batch *b, step *s)
{
    queue_op *op = s->op;
    PGresult *r = get_anywhere(b->p, op->id, s->day);
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
        confirm(b->p);
}

static void cancel_send(batch *b, step *s)
{
    pg_args args = {0};
    if (!s->day) {
        s->op->outcome = QUEUE_NOT_FOUND;
        s->over = true;
        return;
    }
    pg_text(&args, s->op->id);
    send_day(b->p, s, s->day, DAY_CANCEL, &args);
}

static void cancel_read(batch *b, step *s)
{
    s->later = !next_found(b->p, s);
}

/* Once more is no conflict, so that it can be run again. */
static void cancel_later(batch *b, step *s)
{
    queue_op *op = s->op;
    PGresult *r = get_anywhere(b->p, op->id, s->day);
    op->outcome = QUEUE_NOT_FOUND;
    if (r && PQntuples(r) > 0) {
        op->found = (queue_state)pg_get_int(r, 0, 1);
        op->outcome = op->found == QUEUE_CANCELLED ? QUEUE_OK : QUEUE_CONFLICT;
    }
    PQclear(r);
    if (op->outcome == QUEUE_OK)
        confirm(b->p);
}

static void get_send(batch *b, step *s)
{
    pg_args args = {0};
    pg_text(&args, s->op->id);
    if (s->day)
        send_day(b->p, s, s->day, DAY_GET, &args);
    else
        send_statement(b->p, s, LIVE_GET, &args);
}

static void get_read(batch *b, step *s)
{
    queue_op *op = s->op;
    PGresult *r = next_result(b->p, s);
    op->outcome = QUEUE_NOT_FOUND;
    if (r && PQntuples(r) > 0 && (op->messages = new_items(b->p, 1, sizeof *op->messages))) {
        read_message(b->p, r, 0, &op->messages[0]);
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
#define TAGGED(x)                                                                                  \
    " AND EXISTS (SELECT 1 FROM postern_tag_" PG_DAY_MARK " AS t WHERE t.tag = $4 AND t.id = " x   \
    "id)"

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

/* Adds a step's rows. False: the page is full, or an error. */
static bool list_add(pg *p, queue_op *op, const char *before, int day, size_t most)
{
    char from[16] = "", *text = list_text(op, day);
    pg_args args = {0};
    PGresult *r = NULL;
    if (day)
        pg_schema_first_id(day, from);
    pg_text(&args, before);
    pg_text(&args, from);
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
        read_message(p, r, i, &op->messages[op->message_count++]);
    }
    PQclear(r);
    return p->trouble == PG_FINE;
}

static void list_later(batch *b, step *s)
{
    pg *p = b->p;
    queue_op *op = s->op;
    char before[QUEUE_ID + 16];
    size_t most = op->in.list.most < QUEUE_PAGE ? op->in.list.most : QUEUE_PAGE;
    PGresult *days = pg_query(p, "", "SELECT day FROM postern_day ORDER BY day DESC", NULL);
    bool more = days != NULL;

    op->messages = new_items(p, most, sizeof *op->messages);
    (void)snprintf(before, sizeof before, "%s", op->in.list.before ? op->in.list.before : "zzzz");
    for (int i = 0; more && op->messages && i < PQntuples(days); i++) {
        char first[16];
        int day = (int)pg_get_int(days, i, 0);
        pg_schema_first_id(day, first);
        if (strcmp(first, before) >= 0)
            continue; /* all of it is newer */
        more = list_add(p, op, before, day, most);
        memcpy(before, first, sizeof first);
    }
    if (more && op->messages && !op->in.list.tag)
        (void)list_add(p, op, before, 0, most);
    PQclear(days);
}

/* ---- keys ---- */

static void key_begin_send(batch *b, step *s)
{
    send_key_begin(b->p, s, &s->op->in.key, 0, NULL);
}

static void key_begin_read(batch *b, step *s)
{
    (void)read_key_begin(b->p, s, &s->op->in.key);
}

static void key_end_send(batch *b, step *s)
{
    const queue_key *k = &s->op->in.key;
    if (k->status == 0)
        send_key_named(b->p, s, KEY_DROP, k->key);
    else
        send_key(b->p, s, KEY_SET, k, k->status, k->answer);
}

static void just_read(batch *b, step *s)
{
    skip_results(b->p, s);
}

/* ---- suppressed recipients ---- */

static void suppress_send(batch *b, step *s)
{
    pg_args args = {0};
    add_suppressed(&args, s->op->in.suppress.entries, s->op->in.suppress.count);
    send_statement(b->p, s, SUPPRESS, &args);
}

static void unsuppress_send(batch *b, step *s)
{
    pg_args args = {0};
    pg_text(&args, s->op->in.suppress.address);
    pg_text(&args, s->op->in.suppress.list);
    send_statement(b->p, s, UNSUPPRESS, &args);
}

static void unsuppress_read(batch *b, step *s)
{
    if (!next_found(b->p, s))
        s->op->outcome = QUEUE_NOT_FOUND;
}

static void suppressed_send(batch *b, step *s)
{
    send_look_up(b->p, s, s->op->in.suppress.addresses, s->op->in.suppress.list);
}

static void suppressed_read(batch *b, step *s)
{
    read_look_up(b->p, s, s->op->in.suppress.addresses);
}

static void later(batch *b, step *s)
{
    (void)b;
    s->later = true;
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
static void suppressions_later(batch *b, step *s)
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

/* ---- events ---- */

static void event_claim_send(batch *b, step *s)
{
    const queue_op *op = s->op;
    pg_args args = {0};
    pg_text(&args, op->in.event.owner);
    pg_int(&args, (int64_t)op->in.event.most);
    pg_int(&args, op->in.event.lease_us);
    send_statement(b->p, s, EVENT_CLAIM, &args);
    send_statement(b->p, s, EVENT_NEXT, NULL);
}

static int by_due(const void *left, const void *right)
{
    const queue_event *a = left, *b = right;
    if (a->next_at != b->next_at)
        return a->next_at < b->next_at ? -1 : 1;
    return strcmp(a->id, b->id);
}

static void event_claim_read(batch *b, step *s)
{
    queue_op *op = s->op;
    PGresult *r = next_result(b->p, s);
    int rows = r ? PQntuples(r) : 0;
    if (rows > 0)
        op->events = new_items(b->p, (size_t)rows, sizeof *op->events);
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
    op->next_due = next_due(b->p, s);
}

static void event_settle_send(batch *b, step *s)
{
    const queue_op *op = s->op;
    pg_args args = {0};
    pg_text(&args, op->id);
    pg_text(&args, op->in.event.owner);
    if (!op->in.event.drop)
        pg_int(&args, op->in.event.next_at);
    send_statement(b->p, s, op->in.event.drop ? EVENT_DROP : EVENT_AGAIN, &args);
}

static void event_settle_read(batch *b, step *s)
{
    if (!next_found(b->p, s))
        s->op->outcome = QUEUE_LOST;
}

/* ---- STATS, CLEAN ---- */

static void stats_send(batch *b, step *s)
{
    send_statement(b->p, s, STATS, NULL);
}

static void stats_read(batch *b, step *s)
{
    queue_op *op = s->op;
    PGresult *r = next_result(b->p, s);
    if (r && PQntuples(r) > 0) {
        op->stats.queued = (uint64_t)pg_get_int(r, 0, 0);
        op->stats.scheduled = (uint64_t)pg_get_int(r, 0, 1);
        op->stats.sending = (uint64_t)pg_get_int(r, 0, 2);
        op->stats.oldest_due = pg_get_int(r, 0, 3);
        op->stats.events = (uint64_t)pg_get_int(r, 0, 4);
    }
    PQclear(r);
}

static void clean_later(batch *b, step *s)
{
    pg *p = b->p;
    pg_args before = {0}, keys = {0};
    pg_int(&before, queue_day_at(s->op->in.clean.before));
    pg_int(&keys, CLEAN_KEYS);
    PGresult *r =
        pg_query(p, "i", "SELECT day FROM postern_day WHERE day < $1 ORDER BY day", &before);
    for (int i = 0; r && i < PQntuples(r) && p->trouble == PG_FINE; i++) {
        int day = (int)pg_get_int(r, i, 0);
        for (size_t k = 0; k < PG_DAYS; k++) {
            if (p->days[k] == day)
                forget_day(p, &p->days[k]);
        }
        pg_schema_drop_day(p, day);
    }
    PQclear(r);
    PQclear(pg_query(p, "i",
                     "DELETE FROM postern_key WHERE key IN (SELECT key FROM postern_key"
                     " WHERE keep_until <= " NOW " LIMIT $1)",
                     &keys));
}

/* ---- a batch ---- */

typedef void part(batch *b, step *s);

static const struct {
    part *send, *read; /* in the transaction */
    part *send_second; /* … if `second` is set */
    part *later;       /* after it, if `later` is set */
} kinds[QUEUE_KINDS] = {
    [QUEUE_PUT] = {put_send, put_read, put_send_second, put_later},
    [QUEUE_CLAIM] = {claim_send, claim_read, NULL, claim_later},
    [QUEUE_SETTLE] = {settle_send, settle_read, NULL, settle_later},
    [QUEUE_GET] = {get_send, get_read, NULL, NULL},
    [QUEUE_LIST] = {later, just_read, NULL, list_later},
    [QUEUE_CANCEL] = {cancel_send, cancel_read, NULL, cancel_later},
    [QUEUE_KEY_BEGIN] = {key_begin_send, key_begin_read, NULL, NULL},
    [QUEUE_KEY_END] = {key_end_send, just_read, NULL, NULL},
    [QUEUE_SUPPRESS] = {suppress_send, just_read, NULL, NULL},
    [QUEUE_UNSUPPRESS] = {unsuppress_send, unsuppress_read, NULL, NULL},
    [QUEUE_SUPPRESSED] = {suppressed_send, suppressed_read, NULL, NULL},
    [QUEUE_SUPPRESSIONS] = {later, just_read, NULL, suppressions_later},
    [QUEUE_EVENT_CLAIM] = {event_claim_send, event_claim_read, NULL, NULL},
    [QUEUE_EVENT_SETTLE] = {event_settle_send, event_settle_read, NULL, NULL},
    [QUEUE_STATS] = {stats_send, stats_read, NULL, NULL},
    [QUEUE_CLEAN] = {later, just_read, NULL, clean_later},
};

static void send_end(batch *b, step *frame)
{
    if (b->writes)
        send_statement(b->p, frame, COMMIT, NULL);
    /* In a transaction of its own, as one that commits with a NOTIFY keeps all others from it. */
    if (b->notify && b->p->shared->notifies)
        send_statement(b->p, frame, NOTIFY, NULL);
    pg_pipeline_sync(b->p);
}

/* The pipeline's part. */
static void transact(batch *b)
{
    pg *p = b->p;
    step frame = {0};
    bool second = false;

    if (b->writes)
        send_statement(p, &frame, BEGIN, NULL);
    for (size_t i = 0; i < b->count; i++) {
        step *s = &b->steps[i];
        if (!s->over)
            kinds[s->op->kind].send(b, s);
        second |= s->second;
    }
    if (second)
        pg_pipeline_flush(p);
    else
        send_end(b, &frame);
    if (b->writes)
        PQclear(next_result(p, &frame));
    for (size_t i = 0; i < b->count && p->trouble == PG_FINE; i++) {
        if (!b->steps[i].over)
            kinds[b->steps[i].op->kind].read(b, &b->steps[i]);
    }
    if (second) {
        for (size_t i = 0; i < b->count; i++) {
            if (b->steps[i].second)
                kinds[b->steps[i].op->kind].send_second(b, &b->steps[i]);
        }
        send_end(b, &frame);
        for (size_t i = 0; i < b->count && p->trouble == PG_FINE; i++)
            skip_results(p, &b->steps[i]);
    }
    skip_results(p, &frame);
}

static bool run_once(pg *p, queue_op *const *ops, size_t count)
{
    batch b = {.p = p, .count = count};
    b.steps = new_items(p, count, sizeof *b.steps);
    for (size_t i = 0; b.steps && i < count; i++) {
        queue_op_clear(ops[i]);
        b.steps[i].op = ops[i];
        b.writes |= !queue_kind_reads(ops[i]->kind);
        prepare_step(p, &b.steps[i]);
    }
    if (p->trouble == PG_FINE) {
        pg_pipeline_begin(p);
        transact(&b);
        if (pg_pipeline_end(p) && b.writes && p->warned)
            pg_fail(p, PG_BROKEN, "the database did not wait for its standby");
    }
    for (size_t i = 0; b.steps && i < count && p->trouble == PG_FINE; i++) {
        if (b.steps[i].later && !b.steps[i].over)
            kinds[ops[i]->kind].later(&b, &b.steps[i]);
    }
    free(b.steps);
    return p->trouble == PG_FINE;
}

static void pause_before_try(int i)
{
    int64_t ms = 1 + clock_us() % (2 << (i < 6 ? i : 6));
    struct timespec t = {.tv_nsec = (long)ms * 1000000};
    (void)nanosleep(&t, NULL);
}

static queue_run_result run_tries(pg *p, queue_op *const *ops, size_t count, char **error)
{
    for (int i = 0; i < TRIES; i++) {
        bool ok = run_once(p, ops, count);
        pg_trouble trouble = p->trouble;
        if (ok)
            return QUEUE_RUN_DONE;
        free(*error);
        *error = pg_take_error(p);
        if (trouble == PG_BROKEN || !pg_recover(p))
            return QUEUE_RUN_BROKEN;
        if (trouble != PG_AGAIN)
            return QUEUE_RUN_FAILED;
        pause_before_try(i);
    }
    return QUEUE_RUN_BROKEN; /* the queue's patience is longer */
}

/* One operation has values that the server can't take: each has its own transaction then. */
static queue_run_result run_each(pg *p, queue_op *const *ops, size_t count, char **error)
{
    for (size_t i = 0; i < count; i++) {
        queue_run_result result = run_tries(p, &ops[i], 1, error);
        if (result == QUEUE_RUN_BROKEN)
            return result;
        if (result == QUEUE_RUN_FAILED) {
            queue_op_clear(ops[i]);
            ops[i]->outcome = QUEUE_FAILED;
            ops[i]->error = *error;
            *error = NULL;
        }
    }
    free(*error);
    *error = NULL;
    return QUEUE_RUN_DONE;
}

static queue_run_result run(void *connection, queue_op *const *ops, size_t count, char **error)
{
    pg *p = connection;
    char *why = NULL;
    if (!pg_recover(p)) {
        *error = strdup("the connection to the queue's database is gone");
        return QUEUE_RUN_BROKEN;
    }
    queue_run_result result = run_tries(p, ops, count, &why);
    if (result == QUEUE_RUN_FAILED && count > 1)
        result = run_each(p, ops, count, &why);
    if (result == QUEUE_RUN_DONE)
        free(why);
    else
        *error = why;
    return result;
}

/* ---- connections ---- */

static void *connect_(void *shared, bool writes, char **error)
{
    pg *p = pg_open(shared, writes, error);
    for (int n = 0; p && n < NAMES; n++) {
        char text[32];
        statement_name(text, 0, n);
        if (n == NOTIFY && !p->shared->notifies)
            continue;
        if (!pg_prepare(p, text, &statements[n])) {
            *error = pg_take_error(p);
            pg_close(p);
            return NULL;
        }
    }
    return p;
}

static void disconnect(void *connection)
{
    pg_close(connection);
}

static void close_(void *shared)
{
    pg_shared_free(shared);
    free(shared);
}

static bool open_(const queue_options *options, void **shared, char **error)
{
    pg_shared *s = calloc(1, sizeof *s);
    if (!s)
        return false;
    pg *p = pg_shared_init(s, options->url, error) ? pg_open(s, true, error) : NULL;
    bool ok = p && pg_schema_migrate(p);
    if (ok) {
        s->notifies = pg_command(p, "LISTEN postern_queue");
        if (!s->notifies)
            (void)pg_recover(p);
    } else if (p) {
        *error = pg_take_error(p);
    }
    if (p)
        pg_close(p);
    if (ok)
        *shared = s;
    else
        close_(s);
    return ok;
}

/* ---- waiting for another process ---- */

static bool heard(pg *p)
{
    bool word = false;
    for (PGnotify *n; (n = PQnotifies(p->conn)); PQfreemem(n))
        word = true;
    return word;
}

/* A no before its time says that the connection is lost. */
static bool listen_(void *connection, int ms)
{
    pg *p = connection;
    int64_t until = clock_us() + (int64_t)ms * 1000, left;

    if (!p->shared->notifies) {
        (void)poll(NULL, 0, ms);
        return false;
    }
    if (!p->listens && !pg_command(p, "LISTEN postern_queue"))
        return false;
    p->listens = true;
    if (heard(p))
        return true;
    while ((left = until - clock_us()) > 0) {
        struct pollfd fd = {.fd = PQsocket(p->conn), .events = POLLIN};
        int ready = poll(&fd, 1, (int)(left / 1000) + 1);
        if (ready > 0 && (!PQconsumeInput(p->conn) || PQstatus(p->conn) == CONNECTION_BAD))
            return false;
        if (ready > 0 && heard(p))
            return true;
    }
    return false;
}

const queue_backend queue_postgres = {
    .name = "postgresql",
    .scheme = "postgresql:",
    .writers = 8,
    .readers = 2,
    .one_writer = false,
    .open = open_,
    .close = close_,
    .connect = connect_,
    .disconnect = disconnect,
    .run = run,
    .listen = listen_,
};
