#include "queue/sqlite_db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_NAME "queue.db"
#define VERSION   1
#define STR_(x)   #x
#define STR(x)    STR_(x)

/* due_at is when a message may be claimed: its next_at while it is queued, the end of its lease
 * while it is sent. So one index finds both, and nobody has to look for leases that ran out. */
static const char tables[] =
    "CREATE TABLE IF NOT EXISTS postern_version(version INTEGER NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS postern_message(n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " state INTEGER NOT NULL, due_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,"
    " priority INTEGER NOT NULL, attempts INTEGER NOT NULL, owner TEXT, size INTEGER NOT NULL,"
    " head TEXT, recipients TEXT, log TEXT) STRICT;"
    "CREATE INDEX IF NOT EXISTS postern_message_due ON postern_message(priority, due_at, state);"
    "CREATE INDEX IF NOT EXISTS postern_message_sending ON postern_message(id) WHERE state = 1;"
    "CREATE TABLE IF NOT EXISTS postern_body(n INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS postern_day(day INTEGER PRIMARY KEY) STRICT;"
    "CREATE TABLE IF NOT EXISTS postern_key(key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL,"
    " keep_until INTEGER NOT NULL, status INTEGER NOT NULL, answer TEXT) STRICT, WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS postern_key_until ON postern_key(keep_until);"
    "CREATE TABLE IF NOT EXISTS postern_suppressed(address TEXT, list TEXT, reason TEXT,"
    " since INTEGER NOT NULL, PRIMARY KEY(address, list)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS postern_event(n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " due_at INTEGER NOT NULL, attempts INTEGER NOT NULL, owner TEXT, payload TEXT) STRICT;"
    "CREATE INDEX IF NOT EXISTS postern_event_due ON postern_event(due_at);";

static const char day_tables[] =
    "CREATE TABLE IF NOT EXISTS postern_done_########(n INTEGER PRIMARY KEY,"
    " id TEXT NOT NULL UNIQUE, state INTEGER NOT NULL, finished_at INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL, head TEXT, recipients TEXT, log TEXT) STRICT;"
    "CREATE INDEX IF NOT EXISTS postern_done_########_state ON postern_done_########(state, id);"
    "CREATE TABLE IF NOT EXISTS postern_tag_########(tag TEXT, id TEXT, PRIMARY KEY(tag, id))"
    " STRICT, WITHOUT ROWID;";

static const char drop_day_tables[] = "DROP TABLE IF EXISTS postern_done_########;"
                                      "DROP TABLE IF EXISTS postern_tag_########;";

#define LIVE_COLUMNS  "id, state, due_at, expires_at, priority, attempts, head, recipients"
#define DONE_COLUMNS  "id, state, finished_at, 0, 0, attempts, head, recipients"
#define LIVE(columns) "SELECT " columns " FROM postern_message WHERE "
#define DONE(columns) "SELECT " columns " FROM postern_done_######## WHERE "

static const char *const texts[DB_NAMES] = {
    [DB_BEGIN] = "BEGIN IMMEDIATE",
    [DB_BEGIN_READ] = "BEGIN",
    [DB_COMMIT] = "COMMIT",
    [DB_ROLLBACK] = "ROLLBACK",
    [DB_MESSAGE_EXISTS] = LIVE("1") "id = ?1",
    [DB_MESSAGE_INSERT] =
        "INSERT INTO postern_message(id, state, due_at, expires_at, priority, attempts, owner,"
        " size, head, recipients, log) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
        " ON CONFLICT(id) DO NOTHING",
    [DB_MESSAGE_DUE] = LIVE(LIVE_COLUMNS ", log, size, n") "priority = ?1 ORDER BY due_at",
    [DB_MESSAGE_LEASE] =
        "UPDATE postern_message SET state = 1, owner = ?2, due_at = ?3 WHERE n = ?1",
    [DB_MESSAGE_FIND] = LIVE("n, state, size, attempts, owner") "id = ?1",
    [DB_MESSAGE_SAME] = LIVE("1") "n = ?1 AND recipients IS coalesce(?2, recipients)"
                                  " AND log IS coalesce(?3, log)",
    [DB_MESSAGE_REQUEUE] =
        "UPDATE postern_message SET state = ?2, due_at = ?3, attempts = ?4,"
        " recipients = coalesce(?5, recipients), log = coalesce(?6, log) WHERE n = ?1",
    [DB_MESSAGE_RESCHEDULE] =
        "UPDATE postern_message SET due_at = ?2, expires_at = ?3, head = ?4 WHERE n = ?1",
    [DB_MESSAGE_DELETE] = "DELETE FROM postern_message WHERE n = ?1",
    [DB_MESSAGE_GET] = LIVE(LIVE_COLUMNS ", log, size") "id = ?1",
    [DB_MESSAGE_BETWEEN] = LIVE("1") "id >= ?1 AND id < ?2 LIMIT 1",
    [DB_MESSAGE_LIST] = LIVE(LIVE_COLUMNS) "id < ?1 ORDER BY id DESC",
    [DB_MESSAGE_LIST_QUEUED] = LIVE(LIVE_COLUMNS) "id < ?1 AND state = 0 ORDER BY id DESC",
    [DB_MESSAGE_LIST_SENDING] = LIVE(LIVE_COLUMNS) "id < ?1 AND state = 1 ORDER BY id DESC",
    [DB_BODY_INSERT] = "INSERT INTO postern_body(n, data) VALUES(?1, ?2)",
    [DB_BODY_GET] = "SELECT data FROM postern_body WHERE n = ?1",
    [DB_BODY_DELETE] = "DELETE FROM postern_body WHERE n = ?1",
    [DB_DAY_EXISTS] = "SELECT 1 FROM postern_day WHERE day = ?1",
    [DB_DAY_INSERT] = "INSERT INTO postern_day(day) VALUES(?1)",
    [DB_DAY_DELETE] = "DELETE FROM postern_day WHERE day = ?1",
    [DB_DAY_LIST] = "SELECT day FROM postern_day WHERE day <= ?1 ORDER BY day DESC",
    [DB_DAY_BETWEEN] = "SELECT min(day) FROM postern_day WHERE day > ?1 AND day < ?2",
    [DB_KEY_GET] = "SELECT fingerprint, keep_until, status, answer FROM postern_key WHERE key = ?1",
    [DB_KEY_PUT] =
        "INSERT OR REPLACE INTO postern_key(key, fingerprint, keep_until, status, answer)"
        " VALUES(?1, ?2, ?3, ?4, ?5)",
    [DB_KEY_DELETE] = "DELETE FROM postern_key WHERE key = ?1"
                      " AND (?2 IS NULL OR (status = 0 AND answer = ?2))",
    [DB_KEY_CLEAN] = "DELETE FROM postern_key WHERE key IN"
                     " (SELECT key FROM postern_key WHERE keep_until <= ?1 LIMIT ?2)",
    [DB_SUPPRESSED_PUT] =
        "INSERT INTO postern_suppressed(address, list, reason, since) VALUES(?1, ?2, ?3, ?4)"
        " ON CONFLICT(address, list) DO UPDATE SET reason = excluded.reason, since = "
        "excluded.since",
    [DB_SUPPRESSED_DELETE] = "DELETE FROM postern_suppressed WHERE address = ?1"
                             " AND list = coalesce(?2, list) RETURNING 1",
    [DB_SUPPRESSED_GET] = "SELECT address, list, reason, since FROM postern_suppressed"
                          " WHERE address = ?1 AND (list = '' OR list = coalesce(?2, list))"
                          " ORDER BY list LIMIT 1",
    [DB_SUPPRESSED_LIST] = "SELECT address, list, reason, since FROM postern_suppressed"
                           " WHERE address > ?1 AND list = coalesce(?2, list)"
                           " ORDER BY address, list",
    [DB_EVENT_INSERT] =
        "INSERT OR IGNORE INTO postern_event(id, due_at, attempts, payload) VALUES(?1, ?2, ?3, ?4)",
    [DB_EVENT_DUE] = "SELECT id, due_at, attempts, payload FROM postern_event ORDER BY due_at",
    [DB_EVENT_LEASE] = "UPDATE postern_event SET owner = ?2, due_at = ?3 WHERE id = ?1",
    [DB_EVENT_DROP] = "DELETE FROM postern_event WHERE id = ?1 AND owner = ?2 RETURNING 1",
    [DB_EVENT_AGAIN] = "UPDATE postern_event SET due_at = ?3, attempts = attempts + 1, owner = NULL"
                       " WHERE id = ?1 AND owner = ?2 RETURNING 1",
    [DB_STATS] = "SELECT count(*) FILTER (WHERE state = 0),"
                 " count(*) FILTER (WHERE state = 0 AND due_at > ?1),"
                 " count(*) FILTER (WHERE state = 1),"
                 " min(due_at) FILTER (WHERE state = 0 AND due_at <= ?1)"
                 " FROM postern_message INDEXED BY postern_message_due",
    [DB_STATS_EVENTS] = "SELECT count(*) FROM postern_event",
};

static const char *const day_texts[DB_DAY_NAMES] = {
    [DB_DONE_INSERT] = "INSERT OR REPLACE INTO postern_done_########"
                       "(id, state, finished_at, attempts, head, recipients, log)"
                       " SELECT id, ?2, ?3, ?4, head, coalesce(?5, recipients), coalesce(?6, log)"
                       " FROM postern_message WHERE n = ?1",
    [DB_DONE_STATE] = DONE("state") "id = ?1",
    [DB_DONE_SAME] = DONE("1") "id = ?1 AND state = ?2 AND attempts = ?3"
                               " AND recipients IS coalesce(?4, recipients)"
                               " AND log IS coalesce(?5, log)",
    [DB_DONE_GET] = DONE(DONE_COLUMNS ", log, 0") "id = ?1",
    [DB_DONE_LIST] = DONE(DONE_COLUMNS) "id < ?1 ORDER BY id DESC",
    [DB_DONE_LIST_STATE] = DONE(DONE_COLUMNS) "id < ?1 AND state = ?2 ORDER BY id DESC",
    [DB_DONE_MANY] = "SELECT 1 FROM postern_done_######## LIMIT 1 OFFSET ?1",
    [DB_DONE_SINCE] = DONE("1") "finished_at >= ?1 LIMIT 1",
    [DB_DONE_BEFORE] = "DELETE FROM postern_done_######## WHERE finished_at < ?1",
    [DB_TAG_UNUSED] = "DELETE FROM postern_tag_########"
                      " WHERE NOT EXISTS (SELECT 1 FROM postern_message AS m"
                      " WHERE m.id = postern_tag_########.id)"
                      " AND NOT EXISTS (SELECT 1 FROM postern_done_######## AS d"
                      " WHERE d.id = postern_tag_########.id)",
    [DB_TAG_INSERT] = "INSERT OR IGNORE INTO postern_tag_########(tag, id) VALUES(?1, ?2)",
    [DB_TAG_LIST] = ("SELECT id FROM postern_tag_######## WHERE id < ?1 AND tag = ?2"
                     " ORDER BY id DESC"),
    [DB_TAG_ALL] = "SELECT id FROM postern_tag_######## WHERE tag = ?1",
    [DB_TAG_COUNT] = "SELECT coalesce(m.state, d.state),"
                     " coalesce(m.state = 0 AND m.attempts = 0 AND m.due_at > ?2, 0), count(*)"
                     " FROM postern_tag_######## AS t LEFT JOIN postern_message AS m ON m.id = t.id"
                     " LEFT JOIN postern_done_######## AS d ON d.id = t.id"
                     " WHERE t.tag = ?1 AND coalesce(m.state, d.state) IS NOT NULL GROUP BY 1, 2",
};

/* ---- errors ---- */

void db_fail(db *d, const char *format, ...)
{
    va_list args;
    if (d->failed)
        return;
    d->failed = true;
    va_start(args, format);
    if (vasprintf(&d->error, format, args) < 0)
        d->error = NULL;
    va_end(args);
}

void db_fail_memory(db *d)
{
    db_fail(d, "there is not enough memory for the queue");
}

void db_reset_error(db *d)
{
    free(d->error);
    d->error = NULL;
    d->failed = false;
}

/* In a person's words, whatever SQLite's last call said. Where a commit fails SQLite doesn't keep
 * the system's error, but errno still has it. */
static void fail_sqlite(db *d, int code)
{
    int no = errno, kept = sqlite3_system_errno(d->handle);
    no = kept ? kept : no;
    const char *said = sqlite3_errmsg(d->handle);
    bool full = no == ENOSPC || no == EDQUOT || no == EFBIG;
    switch (code & 0xFF) {
    case SQLITE_FULL: full = true; break;
    case SQLITE_NOMEM: db_fail_memory(d); return;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        db_fail(d, "the queue's file %s/" FILE_NAME " is damaged: %s", d->folder, said);
        return;
    case SQLITE_READONLY:
        db_fail(d, "the queue's folder %s can't be written: %s", d->folder, said);
        return;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        if (!full) {
            db_fail(d, "the queue's file %s/" FILE_NAME " can't be read or written: %s%s%s",
                    d->folder, said, no ? ", " : "", no ? strerrordesc_np(no) : "");
            return;
        }
        break;
    default: break;
    }
    if (full)
        db_fail(d, "the disk of the queue's folder %s is full, or its quota", d->folder);
    else
        db_fail(d, "the queue's file %s/" FILE_NAME " can't be used: %s", d->folder, said);
}

/* ---- statements ---- */

/* The text with the day in place of each ########; free() it. */
static char *with_day(const char *text, int day)
{
    char digits[16], *copy = strdup(text);
    (void)snprintf(digits, sizeof digits, "%08d", day);
    for (char *at = copy; at && (at = strstr(at, "########")); at += 8)
        memcpy(at, digits, 8);
    return copy;
}

bool db_exec(db *d, const char *sql)
{
    if (d->failed)
        return false;
    errno = 0;
    int code = sqlite3_exec(d->handle, sql, NULL, NULL, NULL);
    if (code != SQLITE_OK)
        fail_sqlite(d, code);
    return code == SQLITE_OK;
}

static bool exec_day(db *d, const char *text, int day)
{
    char *sql = with_day(text, day);
    if (!sql)
        db_fail_memory(d);
    bool ok = sql && db_exec(d, sql);
    free(sql);
    return ok;
}

static sqlite3_stmt *prepared(db *d, sqlite3_stmt **kept, const char *text)
{
    if (!*kept) {
        int code = sqlite3_prepare_v3(d->handle, text, -1, SQLITE_PREPARE_PERSISTENT, kept, NULL);
        if (code != SQLITE_OK)
            fail_sqlite(d, code);
    }
    return *kept;
}

static void forget_day(db_day *slot)
{
    for (size_t i = 0; i < DB_DAY_NAMES; i++)
        (void)sqlite3_finalize(slot->statements[i]);
    *slot = (db_day){0};
}

static db_day *slot_of(db *d, int day)
{
    for (size_t i = 0; i < DB_DAYS; i++) {
        if (d->days[i].day == day)
            return &d->days[i];
    }
    db_day *slot = &d->days[d->oldest++ % DB_DAYS];
    forget_day(slot);
    slot->day = day;
    return slot;
}

/* One of a day's; NULL: a failure. */
static sqlite3_stmt *prepared_day(db *d, int day, db_day_name name)
{
    sqlite3_stmt **kept = &slot_of(d, day)->statements[name];
    if (*kept)
        return *kept;
    char *text = with_day(day_texts[name], day);
    if (!text)
        db_fail_memory(d);
    sqlite3_stmt *s = text ? prepared(d, kept, text) : NULL;
    free(text);
    return s;
}

/* Nothing is done with none. */
static sqlite3_stmt *bind(db *d, sqlite3_stmt *s, const char *types, va_list args)
{
    int code = SQLITE_OK;
    if (!s)
        return NULL;
    for (int i = 1; *types && code == SQLITE_OK; i++, types++) {
        if (*types == 't') {
            code = sqlite3_bind_text(s, i, va_arg(args, const char *), -1, SQLITE_STATIC);
        } else if (*types == 'i') {
            code = sqlite3_bind_int64(s, i, va_arg(args, int64_t));
        } else {
            const void *data = va_arg(args, const void *);
            size_t size = va_arg(args, size_t);
            code = sqlite3_bind_blob64(s, i, size > 0 ? data : "", size, SQLITE_STATIC);
        }
    }
    if (code == SQLITE_OK)
        return s;
    fail_sqlite(d, code);
    return NULL;
}

sqlite3_stmt *db_start(db *d, db_name name, const char *types, ...)
{
    sqlite3_stmt *s = d->failed ? NULL : prepared(d, &d->statements[name], texts[name]);
    va_list args;
    va_start(args, types);
    s = bind(d, s, types, args);
    va_end(args);
    return s;
}

sqlite3_stmt *db_start_day(db *d, int day, db_day_name name, const char *types, ...)
{
    sqlite3_stmt *s = d->failed ? NULL : prepared_day(d, day, name);
    va_list args;
    va_start(args, types);
    s = bind(d, s, types, args);
    va_end(args);
    return s;
}

bool db_row(db *d, sqlite3_stmt *s)
{
    if (!s)
        return false;
    errno = 0;
    int code = d->failed ? SQLITE_DONE : sqlite3_step(s);
    if (code == SQLITE_ROW)
        return true;
    if (code != SQLITE_DONE)
        fail_sqlite(d, code);
    db_end(s);
    return false;
}

void db_end(sqlite3_stmt *s)
{
    if (s)
        (void)sqlite3_reset(s);
}

bool db_run(db *d, sqlite3_stmt *s)
{
    while (db_row(d, s)) {
    }
    return !d->failed;
}

bool db_found(db *d, sqlite3_stmt *s)
{
    bool found = db_row(d, s);
    if (found)
        (void)db_run(d, s); /* what RETURNING changes is done with its last row */
    return found && !d->failed;
}

char *db_text(db *d, sqlite3_stmt *s, int column)
{
    const unsigned char *text = sqlite3_column_text(s, column);
    size_t len = (size_t)sqlite3_column_bytes(s, column);
    if (!text) {
        if (sqlite3_column_type(s, column) != SQLITE_NULL)
            db_fail_memory(d);
        return NULL;
    }
    char *copy = malloc(len + 1);
    if (!copy) {
        db_fail_memory(d);
        return NULL;
    }
    memcpy(copy, text, len + 1);
    return copy;
}

/* ---- tables ---- */

bool db_make_tables(db *d)
{
    sqlite3_stmt *s = NULL;
    sqlite3_int64 version = 0;
    if (!db_exec(d, "BEGIN IMMEDIATE") || !db_exec(d, tables))
        return false;
    if (!prepared(d, &s, "SELECT max(version) FROM postern_version"))
        return false;
    if (db_row(d, s))
        version = sqlite3_column_int64(s, 0);
    (void)sqlite3_finalize(s);
    if (version > VERSION)
        db_fail(d, "the queue's file %s/" FILE_NAME " was made by a newer Postern (%lld, not %d)",
                d->folder, (long long)version, VERSION);
    else if (version < VERSION)
        (void)db_exec(d, "INSERT INTO postern_version VALUES(" STR(VERSION) ")");
    return db_exec(d, "COMMIT");
}

bool db_has_day(db *d, int day)
{
    return db_found(d, db_start(d, DB_DAY_EXISTS, "i", (int64_t)day));
}

bool db_make_day(db *d, int day)
{
    return db_has_day(d, day) || (exec_day(d, day_tables, day) &&
                                  db_run(d, db_start(d, DB_DAY_INSERT, "i", (int64_t)day)));
}

void db_drop_day(db *d, int day)
{
    for (size_t i = 0; i < DB_DAYS; i++) {
        if (d->days[i].day == day)
            forget_day(&d->days[i]);
    }
    if (exec_day(d, drop_day_tables, day))
        (void)db_run(d, db_start(d, DB_DAY_DELETE, "i", (int64_t)day));
}

void db_empty_day(db *d, int day)
{
    /* Without a WHERE: pages go, not rows. */
    (void)exec_day(d, "DELETE FROM postern_done_########", day);
}

/* ---- open and close ---- */

/* FULL: every commit is on the disk before it is told. The log is put into the file every 16 MB,
 * and doesn't stay larger than that on the disk for long. */
static const char settings[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                               "PRAGMA wal_autocheckpoint = 4000;"
                               "PRAGMA journal_size_limit = 67108864;"
                               "PRAGMA temp_store = MEMORY;"
                               /* Debian's wipes what is deleted, which writes each body twice:
                                * only where the page is written anyway. */
                               "PRAGMA secure_delete = FAST;";

/* SQLite gives its other files the rights of this one: nobody else's to read. */
static bool make_file(db *d, const char *name)
{
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        db_fail(d, "the queue's file %s can't be opened: %s", name, strerrordesc_np(errno));
        return false;
    }
    (void)close(fd);
    return true;
}

bool db_open(db *d, const char *folder, bool create, bool writes)
{
    char *name = NULL;
    *d = (db){.folder = folder};
    if (asprintf(&name, "%s/" FILE_NAME, folder) < 0) {
        db_fail_memory(d);
        return false;
    }
    if (!create || make_file(d, name)) {
        int code =
            sqlite3_open_v2(name, &d->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
        if (code != SQLITE_OK)
            fail_sqlite(d, code);
    }
    free(name);
    if (d->failed)
        return false;
    (void)sqlite3_extended_result_codes(d->handle, 1);
    (void)sqlite3_busy_timeout(d->handle, 10000);
    return db_exec(d, settings) &&
           db_exec(d, writes ? "PRAGMA cache_size = -8000" : "PRAGMA query_only = 1");
}

void db_close(db *d)
{
    for (size_t i = 0; i < DB_NAMES; i++)
        (void)sqlite3_finalize(d->statements[i]);
    for (size_t i = 0; i < DB_DAYS; i++)
        forget_day(&d->days[i]);
    (void)sqlite3_close(d->handle);
    db_reset_error(d);
    d->handle = NULL;
}
