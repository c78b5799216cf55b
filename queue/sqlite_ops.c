/* The operations, but those that list: see queue.h for what each means. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "queue/backend.h"
#include "queue/sqlite_run.h"

/* ---- outputs ---- */

void *sqlite_append(db *d, void *array, size_t *count, size_t size)
{
    char *base;
    memcpy(&base, array, sizeof base); /* whatever type of pointer it is */
    /* Room is doubled: the count is at a power of two when it is used up. */
    if ((*count & (*count - 1)) == 0) {
        base = realloc(base, (*count ? 2 * *count : 1) * size);
        if (!base) {
            db_fail_memory(d);
            return NULL;
        }
        memcpy(array, &base, sizeof base);
    }
    char *item = base + *count * size;
    memset(item, 0, size);
    ++*count;
    return item;
}

static void read_id(sqlite3_stmt *s, int column, char out[QUEUE_ID + 1])
{
    const unsigned char *text = sqlite3_column_text(s, column);
    (void)snprintf(out, QUEUE_ID + 1, "%s", text ? (const char *)text : "");
}

void sqlite_read_message(sqlite_connection *c, sqlite3_stmt *s, bool with_log, queue_message *out)
{
    read_id(s, 0, out->id);
    out->state = (queue_state)sqlite3_column_int(s, 1);
    out->next_at = sqlite3_column_int64(s, 2);
    out->expires_at = sqlite3_column_int64(s, 3);
    out->priority = sqlite3_column_int(s, 4);
    out->attempts = (unsigned)sqlite3_column_int64(s, 5);
    out->head = db_text(&c->db, s, 6);
    out->recipients = db_text(&c->db, s, 7);
    out->body.fd = -1;
    if (with_log) {
        out->log = db_text(&c->db, s, 8);
        out->body.size = (uint64_t)sqlite3_column_int64(s, 9);
    }
}

static void refuse(queue_op *op, const char *error)
{
    op->outcome = QUEUE_FAILED;
    op->error = strdup(error);
}

/* ---- PUT ---- */

static bool done_state(sqlite_connection *c, const char *id, queue_state *state)
{
    db *d = &c->db;
    int day = queue_day_of(id);
    if (!day || !db_has_day(d, day))
        return false;
    sqlite3_stmt *s = db_start_day(d, day, DB_DONE_STATE, "t", id);
    bool found = db_row(d, s);
    if (found)
        *state = (queue_state)sqlite3_column_int(s, 0);
    db_end(s);
    return found;
}

bool sqlite_exists(sqlite_connection *c, const char *id)
{
    queue_state state;
    return db_found(&c->db, db_start(&c->db, DB_MESSAGE_EXISTS, "t", id)) ||
           done_state(c, id, &state);
}

static void insert_message(sqlite_connection *c, const queue_op *op, const queue_message *m)
{
    db *d = &c->db;
    bool sending = m->state == QUEUE_SENDING;
    int64_t due_at = sending ? clock_wall_us() + op->in.put.lease_us : m->next_at;
    sqlite3_stmt *s =
        db_start(d, DB_MESSAGE_INSERT, "tiiiiitittt", m->id,
                 (int64_t)(sending ? QUEUE_SENDING : QUEUE_QUEUED), due_at, m->expires_at,
                 (int64_t)m->priority, (int64_t)m->attempts, sending ? op->in.put.owner : NULL,
                 (int64_t)m->body.size, m->head, m->recipients, m->log);
    if (!db_run(d, s) || sqlite3_changes(d->handle) == 0)
        return; /* it is there already, of a former run */
    int64_t n = sqlite3_last_insert_rowid(d->handle);
    const sqlite_staged *staged = NULL;
    if (m->body.size > QUEUE_SMALL || !m->body.data)
        staged = sqlite_staged_of(c, m);
    if (m->body.size <= QUEUE_SMALL)
        (void)db_run(d, db_start(d, DB_BODY_INSERT, "ib", n, staged ? staged->data : m->body.data,
                                 (size_t)m->body.size));
}

static void insert_tags(sqlite_connection *c, const char *id, const char *const *tags)
{
    db *d = &c->db;
    int day = queue_day_of(id);
    if (!tags || !tags[0] || !db_make_day(d, day))
        return;
    for (; *tags; tags++)
        (void)db_run(d, db_start_day(d, day, DB_TAG_INSERT, "tt", *tags, id));
}

static void read_suppressed(db *d, sqlite3_stmt *s, queue_op *op)
{
    queue_suppressed *out =
        sqlite_append(d, &op->suppressed, &op->suppressed_count, sizeof(queue_suppressed));
    if (!out)
        return;
    out->address = db_text(d, s, 0);
    out->list = db_text(d, s, 1);
    out->reason = db_text(d, s, 2);
    out->since = sqlite3_column_int64(s, 3);
}

/* How many addresses there are; those that are suppressed are told. */
static size_t look_up(sqlite_connection *c, queue_op *op, const char *const *addresses,
                      const char *list)
{
    size_t n = 0;
    for (; addresses && addresses[n]; n++) {
        sqlite3_stmt *s = db_start(&c->db, DB_SUPPRESSED_GET, "tt", addresses[n], list);
        if (db_row(&c->db, s))
            read_suppressed(&c->db, s, op);
        db_end(s);
    }
    return n;
}

/* The key is there: what it says. */
static bool key_there(sqlite_connection *c, queue_op *op, const queue_key *k)
{
    db *d = &c->db;
    sqlite3_stmt *s = db_start(d, DB_KEY_GET, "t", k->key);
    bool there = db_row(d, s) && sqlite3_column_int64(s, 1) > clock_wall_us();
    if (there) {
        const char *fingerprint = (const char *)sqlite3_column_text(s, 0);
        op->status = sqlite3_column_int(s, 2);
        if (!fingerprint || strcmp(fingerprint, k->fingerprint ? k->fingerprint : "") != 0) {
            op->outcome = QUEUE_KEY_DIFFERENT;
            op->status = 0;
        } else if (op->status == 0) {
            const char *by = (const char *)sqlite3_column_text(s, 3);
            bool mine = by && k->by && strcmp(by, k->by) == 0; /* begun by a former run */
            op->outcome = mine ? QUEUE_OK : QUEUE_KEY_RUNNING;
        } else {
            op->outcome = QUEUE_KEY_ANSWERED;
            op->answer = db_text(d, s, 3);
        }
    }
    db_end(s);
    return there;
}

static void key_put(sqlite_connection *c, const queue_key *k, int status, const char *answer)
{
    db *d = &c->db;
    (void)db_run(d, db_start(d, DB_KEY_PUT, "ttiit", k->key, k->fingerprint ? k->fingerprint : "",
                             k->keep_until, (int64_t)status, answer));
}

static void put(sqlite_connection *c, queue_op *op)
{
    const queue_key *key = &op->in.put.key;
    const queue_message *messages = op->in.put.messages;
    for (size_t i = 0; i < op->in.put.count; i++) {
        if (!queue_day_of(messages[i].id)) {
            refuse(op, "a message's id is not one");
            return;
        }
    }
    /* Run before: its key, if it had one, says only what it put itself. */
    if (op->in.put.count > 0 && sqlite_exists(c, messages[0].id))
        return;
    if (key->key && key_there(c, op, key))
        return;
    size_t addresses = look_up(c, op, op->in.put.addresses, op->in.put.list);
    if (addresses > 0 && op->suppressed_count == addresses) {
        op->outcome = QUEUE_ALL_SUPPRESSED;
        return;
    }
    for (size_t i = 0; i < op->in.put.count; i++) {
        insert_message(c, op, &messages[i]);
        insert_tags(c, messages[i].id, op->in.put.tags ? op->in.put.tags[i] : NULL);
    }
    if (key->key && op->in.put.count > 0)
        key_put(c, key, key->status, key->answer);
}

/* ---- CLAIM ---- */

static void earlier(queue_op *op, int64_t at)
{
    if (at < op->next_due)
        op->next_due = at;
}

/* The body of a message that was claimed. One whose file is gone has neither data nor a file: only
 * whoever sends it can end it. False: it can't be opened now. */
static bool claim_body(sqlite_connection *c, queue_message *m, int64_t n)
{
    db *d = &c->db;
    if (m->body.size > QUEUE_SMALL) {
        m->body.fd = sqlite_body_open(c, m->id);
        return m->body.fd >= 0 || errno == ENOENT;
    }
    sqlite3_stmt *s = db_start(d, DB_BODY_GET, "i", n);
    if (db_row(d, s)) {
        const void *data = sqlite3_column_blob(s, 0);
        size_t size = (size_t)sqlite3_column_bytes(s, 0);
        char *copy = malloc(size + 1);
        if (copy) {
            if (size > 0 && data)
                memcpy(copy, data, size);
            copy[size] = '\0';
            m->body.data = copy;
            m->body.size = size;
        } else {
            db_fail_memory(d);
        }
    }
    db_end(s);
    return true;
}

static void drop_last_message(queue_op *op)
{
    queue_message_clear(&op->messages[--op->message_count]);
}

/* Takes the row; false: no more is wanted. */
static bool claim_row(sqlite_connection *c, queue_op *op, sqlite3_stmt *s, int64_t until,
                      uint64_t *bytes)
{
    db *d = &c->db;
    int64_t due_at = sqlite3_column_int64(s, 2), n = sqlite3_column_int64(s, 10);
    uint64_t size = (uint64_t)sqlite3_column_int64(s, 9);
    bool full = op->message_count >= op->in.claim.most ||
                (op->message_count > 0 && *bytes + size > op->in.claim.most_bytes);
    queue_message *m =
        full ? NULL : sqlite_append(d, &op->messages, &op->message_count, sizeof(queue_message));
    if (!m) {
        earlier(op, due_at);
        return false;
    }
    sqlite_read_message(c, s, true, m);
    if (!claim_body(c, m, n)) {
        if (op->message_count == 1)
            refuse(op, "a body can't be opened: there are too many open files");
        drop_last_message(op);
        earlier(op, due_at);
        return false;
    }
    m->state = QUEUE_SENDING;
    m->next_at = until;
    *bytes += size;
    return true;
}

/* The rows are taken while the statement runs, and leased when it has ended: an update moves them
 * in the index that it walks. */
static void claim(sqlite_connection *c, queue_op *op)
{
    db *d = &c->db;
    int64_t now = clock_wall_us(), until = now + op->in.claim.lease_us, *rows = NULL;
    size_t row_count = 0;
    uint64_t bytes = 0;
    bool more = true;

    op->next_due = INT64_MAX;
    for (int64_t priority = QUEUE_PRIORITY; more && priority >= 0; priority--) {
        sqlite3_stmt *s = db_start(d, DB_MESSAGE_DUE, "i", priority);
        while (more && db_row(d, s)) {
            int64_t due_at = sqlite3_column_int64(s, 2), n = sqlite3_column_int64(s, 10);
            if (due_at > now) {
                earlier(op, due_at);
                break;
            }
            more = claim_row(c, op, s, until, &bytes);
            int64_t *row = more ? sqlite_append(d, &rows, &row_count, sizeof n) : NULL;
            if (row)
                *row = n;
        }
        db_end(s);
    }
    for (size_t i = 0; i < row_count; i++)
        (void)db_run(d, db_start(d, DB_MESSAGE_LEASE, "iti", rows[i], op->in.claim.owner, until));
    free(rows);
}

/* ---- SETTLE, CANCEL, RESCHEDULE ---- */

typedef struct live_row {
    int64_t n;
    queue_state state;
    uint64_t size;
    int64_t attempts;
    bool mine;
} live_row;

static bool find_live(sqlite_connection *c, const char *id, const char *owner, live_row *out)
{
    db *d = &c->db;
    sqlite3_stmt *s = db_start(d, DB_MESSAGE_FIND, "t", id);
    bool found = db_row(d, s);
    if (found) {
        const char *by = (const char *)sqlite3_column_text(s, 4);
        out->n = sqlite3_column_int64(s, 0);
        out->state = (queue_state)sqlite3_column_int(s, 1);
        out->size = (uint64_t)sqlite3_column_int64(s, 2);
        out->attempts = sqlite3_column_int64(s, 3);
        out->mine = out->state == QUEUE_SENDING && by && owner && strcmp(by, owner) == 0;
    }
    db_end(s);
    return found;
}

/* What a live message leaves: a row among those that are done. */
static void move_to_done(sqlite_connection *c, const char *id, const live_row *row,
                         queue_state state, int64_t attempts, const char *recipients,
                         const char *log)
{
    db *d = &c->db;
    int day = queue_day_of(id);
    if (!db_make_day(d, day) ||
        !db_run(d, db_start_day(d, day, DB_DONE_INSERT, "iiiitt", row->n, (int64_t)state,
                                clock_wall_us(), attempts, recipients, log)))
        return;
    (void)db_run(d, db_start(d, DB_MESSAGE_DELETE, "i", row->n));
    if (row->size > QUEUE_SMALL)
        sqlite_body_end(c, id);
    else
        (void)db_run(d, db_start(d, DB_BODY_DELETE, "i", row->n));
}

static void suppress(sqlite_connection *c, const queue_suppressed *entries, size_t count)
{
    db *d = &c->db;
    for (size_t i = 0; i < count; i++)
        (void)db_run(d, db_start(d, DB_SUPPRESSED_PUT, "ttti", entries[i].address,
                                 entries[i].list ? entries[i].list : "", entries[i].reason,
                                 entries[i].since));
}

/* True if the same was settled before: the attempt has its number, and left what this one says. */
static bool settled_before(sqlite_connection *c, const queue_op *op, const live_row *row)
{
    db *d = &c->db;
    int day = queue_day_of(op->id);
    const char *recipients = op->in.settle.recipients, *log = op->in.settle.log;
    int64_t attempt = op->in.settle.attempt;
    if (row)
        return row->attempts == attempt && !queue_state_is_done(op->in.settle.state) &&
               db_found(d, db_start(d, DB_MESSAGE_SAME, "itt", row->n, recipients, log));
    return day && db_has_day(d, day) &&
           db_found(d, db_start_day(d, day, DB_DONE_SAME, "tiitt", op->id,
                                    (int64_t)op->in.settle.state, attempt, recipients, log));
}

static void settle(sqlite_connection *c, queue_op *op)
{
    db *d = &c->db;
    live_row row;
    bool live = find_live(c, op->id, op->in.settle.owner, &row);
    int64_t attempt = op->in.settle.attempt;

    if (!live || !row.mine || row.attempts >= attempt) {
        op->outcome = settled_before(c, op, live ? &row : NULL) ? QUEUE_OK : QUEUE_LOST;
        return;
    }
    if (queue_state_is_done(op->in.settle.state))
        move_to_done(c, op->id, &row, op->in.settle.state, attempt, op->in.settle.recipients,
                     op->in.settle.log);
    else
        (void)db_run(d, db_start(d, DB_MESSAGE_REQUEUE, "iiiitt", row.n,
                                 (int64_t)op->in.settle.state, op->in.settle.next_at, attempt,
                                 op->in.settle.recipients, op->in.settle.log));
    for (size_t i = 0; i < op->in.settle.event_count; i++) {
        const queue_event *e = &op->in.settle.events[i];
        (void)db_run(d, db_start(d, DB_EVENT_INSERT, "tiit", e->id, e->next_at,
                                 (int64_t)e->attempts, e->payload));
    }
    suppress(c, op->in.settle.suppress, op->in.settle.suppress_count);
}

/* Once more is no conflict, so that it can be run again. */
static void cancel(sqlite_connection *c, queue_op *op)
{
    live_row row;
    if (find_live(c, op->id, NULL, &row)) {
        op->found = row.state;
        if (row.state == QUEUE_QUEUED)
            move_to_done(c, op->id, &row, QUEUE_CANCELLED, row.attempts, NULL, NULL);
        else
            op->outcome = QUEUE_CONFLICT;
    } else if (done_state(c, op->id, &op->found)) {
        op->outcome = op->found == QUEUE_CANCELLED ? QUEUE_OK : QUEUE_CONFLICT;
    } else {
        op->outcome = QUEUE_NOT_FOUND;
    }
}

static void reschedule(sqlite_connection *c, queue_op *op)
{
    live_row row;
    if (find_live(c, op->id, NULL, &row)) {
        op->found = row.state;
        if (row.state == QUEUE_QUEUED && row.attempts == 0)
            (void)db_run(&c->db, db_start(&c->db, DB_MESSAGE_RESCHEDULE, "iiit", row.n,
                                          op->in.reschedule.next_at, op->in.reschedule.expires_at,
                                          op->in.reschedule.head));
        else
            op->outcome = QUEUE_CONFLICT;
    } else {
        op->outcome = done_state(c, op->id, &op->found) ? QUEUE_CONFLICT : QUEUE_NOT_FOUND;
    }
}

/* The ids are taken before anything is moved. */
static void cancel_day(sqlite_connection *c, int day, const char *tag)
{
    db *d = &c->db;
    sqlite_id *ids = NULL;
    size_t count = 0;
    live_row row;

    sqlite3_stmt *s = db_has_day(d, day) ? db_start_day(d, day, DB_TAG_ALL, "t", tag) : NULL;
    while (db_row(d, s)) {
        sqlite_id *id = sqlite_append(d, &ids, &count, sizeof *ids);
        if (id)
            read_id(s, 0, *id);
    }
    for (size_t i = 0; i < count && !d->failed; i++) {
        if (find_live(c, ids[i], NULL, &row) && row.state == QUEUE_QUEUED)
            move_to_done(c, ids[i], &row, QUEUE_CANCELLED, row.attempts, NULL, NULL);
    }
    free(ids);
}

static void cancel_tagged(sqlite_connection *c, queue_op *op)
{
    int day = queue_day_of(op->id);
    if (!day)
        return;
    cancel_day(c, day, op->in.tag);
    cancel_day(c, queue_next_day(day), op->in.tag);
}

/* ---- keys ---- */

static void key_begin(sqlite_connection *c, queue_op *op)
{
    if (!key_there(c, op, &op->in.key))
        key_put(c, &op->in.key, 0, op->in.key.by);
}

static void key_end(sqlite_connection *c, queue_op *op)
{
    const queue_key *k = &op->in.key;
    if (k->status == 0)
        (void)db_run(&c->db, db_start(&c->db, DB_KEY_DELETE, "tt", k->key, k->by));
    else
        key_put(c, k, k->status, k->answer);
}

/* ---- suppressed recipients ---- */

static void op_suppress(sqlite_connection *c, queue_op *op)
{
    suppress(c, op->in.suppress.entries, op->in.suppress.count);
}

static void unsuppress(sqlite_connection *c, queue_op *op)
{
    if (!db_found(&c->db, db_start(&c->db, DB_SUPPRESSED_DELETE, "tt", op->in.suppress.address,
                                   op->in.suppress.list)))
        op->outcome = QUEUE_NOT_FOUND;
}

static void suppressed(sqlite_connection *c, queue_op *op)
{
    (void)look_up(c, op, op->in.suppress.addresses, op->in.suppress.list);
}

/* A page ends between addresses, never between the entries of one: `after` is an address. */
static void suppressions(sqlite_connection *c, queue_op *op)
{
    db *d = &c->db;
    const char *after = op->in.suppress.after;
    sqlite3_stmt *s =
        db_start(d, DB_SUPPRESSED_LIST, "tt", after ? after : "", op->in.suppress.list);
    while (db_row(d, s)) {
        size_t n = op->suppressed_count;
        const char *address = (const char *)sqlite3_column_text(s, 0);
        if (n >= op->in.suppress.most &&
            (n == 0 || !address || strcmp(address, op->suppressed[n - 1].address) != 0))
            break;
        read_suppressed(d, s, op);
    }
    db_end(s);
}

/* ---- events ---- */

static void event_claim(sqlite_connection *c, queue_op *op)
{
    db *d = &c->db;
    int64_t now = clock_wall_us();
    op->next_due = INT64_MAX;
    sqlite3_stmt *s = db_start(d, DB_EVENT_DUE, "");
    while (db_row(d, s)) {
        int64_t due_at = sqlite3_column_int64(s, 1);
        queue_event *e = NULL;
        if (due_at <= now && op->event_count < op->in.event.most)
            e = sqlite_append(d, &op->events, &op->event_count, sizeof *e);
        if (!e) {
            op->next_due = due_at;
            break;
        }
        read_id(s, 0, e->id);
        e->next_at = due_at;
        e->attempts = (unsigned)sqlite3_column_int64(s, 2);
        e->payload = db_text(d, s, 3);
    }
    db_end(s);
    for (size_t i = 0; i < op->event_count; i++)
        (void)db_run(d, db_start(d, DB_EVENT_LEASE, "tti", op->events[i].id, op->in.event.owner,
                                 now + op->in.event.lease_us));
}

static void event_settle(sqlite_connection *c, queue_op *op)
{
    db *d = &c->db;
    sqlite3_stmt *s =
        op->in.event.drop
            ? db_start(d, DB_EVENT_DROP, "tt", op->id, op->in.event.owner)
            : db_start(d, DB_EVENT_AGAIN, "tti", op->id, op->in.event.owner, op->in.event.next_at);
    if (!db_found(d, s))
        op->outcome = QUEUE_LOST;
}

/* ---- CLEAN ---- */

static void clean_day(db *d, int day, int64_t since)
{
    char from[QUEUE_FIRST_ID], to[QUEUE_FIRST_ID];
    queue_first_id(day, from);
    queue_first_id(queue_next_day(day), to);
    bool live = db_found(d, db_start(d, DB_MESSAGE_BETWEEN, "tt", from, to));
    bool many = db_found(d, db_start_day(d, day, DB_DONE_MANY, "i", (int64_t)QUEUE_CLEAN_ROWS));
    bool late = !many && db_found(d, db_start_day(d, day, DB_DONE_SINCE, "i", since));
    if (!live && !late) {
        db_drop_day(d, day);
        return;
    }
    if (many)
        db_empty_day(d, day);
    else
        (void)db_run(d, db_start_day(d, day, DB_DONE_BEFORE, "i", since));
    (void)db_run(d, db_start_day(d, day, DB_TAG_UNUSED, ""));
}

static void clean(sqlite_connection *c, queue_op *op)
{
    db *d = &c->db;
    int64_t before = queue_day_at(op->in.clean.before), day = 0;
    do {
        sqlite3_stmt *s = db_start(d, DB_DAY_BETWEEN, "ii", day, before);
        day = db_row(d, s) ? sqlite3_column_int(s, 0) : 0;
        db_end(s);
        if (day)
            clean_day(d, (int)day, op->in.clean.since);
    } while (day && !d->failed);
    (void)db_run(d, db_start(d, DB_KEY_CLEAN, "ii", clock_wall_us(), (int64_t)QUEUE_CLEAN_KEYS));
}

/* ---- STATS ---- */

static void stats(sqlite_connection *c, queue_op *op)
{
    db *d = &c->db;
    sqlite3_stmt *s = db_start(d, DB_STATS, "i", clock_wall_us());
    if (db_row(d, s)) {
        op->stats.queued = (uint64_t)sqlite3_column_int64(s, 0);
        op->stats.scheduled = (uint64_t)sqlite3_column_int64(s, 1);
        op->stats.sending = (uint64_t)sqlite3_column_int64(s, 2);
        op->stats.oldest_due = sqlite3_column_int64(s, 3);
    }
    db_end(s);
    s = db_start(d, DB_STATS_EVENTS, "");
    if (db_row(d, s))
        op->stats.events = (uint64_t)sqlite3_column_int64(s, 0);
    db_end(s);
}

void sqlite_op_run(sqlite_connection *c, queue_op *op)
{
    static void (*const runs[QUEUE_KINDS])(sqlite_connection *, queue_op *) = {
        [QUEUE_PUT] = put,
        [QUEUE_CLAIM] = claim,
        [QUEUE_SETTLE] = settle,
        [QUEUE_GET] = sqlite_op_get,
        [QUEUE_LIST] = sqlite_op_list,
        [QUEUE_COUNT] = sqlite_op_count,
        [QUEUE_CANCEL] = cancel,
        [QUEUE_CANCEL_TAGGED] = cancel_tagged,
        [QUEUE_RESCHEDULE] = reschedule,
        [QUEUE_KEY_BEGIN] = key_begin,
        [QUEUE_KEY_END] = key_end,
        [QUEUE_SUPPRESS] = op_suppress,
        [QUEUE_UNSUPPRESS] = unsuppress,
        [QUEUE_SUPPRESSED] = suppressed,
        [QUEUE_SUPPRESSIONS] = suppressions,
        [QUEUE_EVENT_CLAIM] = event_claim,
        [QUEUE_EVENT_SETTLE] = event_settle,
        [QUEUE_STATS] = stats,
        [QUEUE_CLEAN] = clean,
    };
    runs[op->kind](c, op);
}
