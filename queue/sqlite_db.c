#include "queue/sqlite_db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "queue/sqlite_sql.h"

#define FILE_NAME "queue.db"
#define VERSION   1
#define STR_(x)   #x
#define STR(x)    STR_(x)

extern const char sqlite_sql[], sqlite_sql_end[]; /* pack/packed.S: sqlite_sql.c */

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

static const packed_table *unpacked(void)
{
    static packed_kept kept = {sqlite_sql, sqlite_sql_end, sqlite_sql_layouts, SQLITE_SQL_TABLES,
                               NULL};
    return packed_get(&kept);
}

static const char *sql_of(const db *d, sqlite_sql_table table, unsigned name)
{
    const char *const *texts = d->sql[table].rows;
    return texts[name];
}

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
    char *text = with_day(sql_of(d, SQLITE_SQL_DAY, name), day);
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
    sqlite3_stmt **kept = &d->statements[name];
    sqlite3_stmt *s = d->failed ? NULL : prepared(d, kept, sql_of(d, SQLITE_SQL_LIVE, name));
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
    if (!db_exec(d, "BEGIN IMMEDIATE") || !db_exec(d, sql_of(d, SQLITE_SQL_SCHEMA, SQLITE_TABLES)))
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
    return db_has_day(d, day) || (exec_day(d, sql_of(d, SQLITE_SQL_SCHEMA, SQLITE_DAY), day) &&
                                  db_run(d, db_start(d, DB_DAY_INSERT, "i", (int64_t)day)));
}

void db_drop_day(db *d, int day)
{
    for (size_t i = 0; i < DB_DAYS; i++) {
        if (d->days[i].day == day)
            forget_day(&d->days[i]);
    }
    if (exec_day(d, sql_of(d, SQLITE_SQL_SCHEMA, SQLITE_DROP_DAY), day))
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
    *d = (db){.folder = folder, .sql = unpacked()};
    if (!d->sql || asprintf(&name, "%s/" FILE_NAME, folder) < 0) {
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
