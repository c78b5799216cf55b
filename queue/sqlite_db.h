/*
 * sqlite_db - a connection to the queue's file and what it remembers: prepared statements, and the
 * first error, which is sticky. Included by the SQLite backend alone.
 *
 * A statement is got by its name, bound and stepped by the functions below. Once one has failed,
 * all of them do nothing until db_reset_error(), so that an operation need not look after each; its
 * transaction is rolled back. Tables of a day are spoken of with ######## in place of the day.
 */
#ifndef POSTERN_QUEUE_SQLITE_DB_H
#define POSTERN_QUEUE_SQLITE_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "queue/queue.h"

#define DB_DAYS 4 /* whose statements are kept prepared */

typedef enum db_name {
    DB_BEGIN,
    DB_BEGIN_READ,
    DB_COMMIT,
    DB_ROLLBACK,
    DB_MESSAGE_EXISTS,
    DB_MESSAGE_INSERT,
    DB_MESSAGE_DUE,
    DB_MESSAGE_LEASE,
    DB_MESSAGE_FIND,
    DB_MESSAGE_SAME,
    DB_MESSAGE_REQUEUE,
    DB_MESSAGE_RESCHEDULE,
    DB_MESSAGE_DELETE,
    DB_MESSAGE_GET,
    DB_MESSAGE_BETWEEN,
    DB_MESSAGE_LIST,
    DB_MESSAGE_LIST_QUEUED,
    DB_MESSAGE_LIST_SENDING,
    DB_BODY_INSERT,
    DB_BODY_GET,
    DB_BODY_DELETE,
    DB_DAY_EXISTS,
    DB_DAY_INSERT,
    DB_DAY_DELETE,
    DB_DAY_LIST,
    DB_DAY_BETWEEN,
    DB_KEY_GET,
    DB_KEY_PUT,
    DB_KEY_DELETE,
    DB_KEY_CLEAN,
    DB_SUPPRESSED_PUT,
    DB_SUPPRESSED_DELETE,
    DB_SUPPRESSED_GET,
    DB_SUPPRESSED_LIST,
    DB_EVENT_INSERT,
    DB_EVENT_DUE,
    DB_EVENT_LEASE,
    DB_EVENT_DROP,
    DB_EVENT_AGAIN,
    DB_STATS,
    DB_STATS_EVENTS,
    DB_NAMES
} db_name;

/* Of a day. */
typedef enum db_day_name {
    DB_DONE_INSERT,
    DB_DONE_STATE,
    DB_DONE_SAME,
    DB_DONE_GET,
    DB_DONE_LIST,
    DB_DONE_LIST_STATE, /* but for QUEUE_SENT */
    DB_DONE_LIST_SENT,
    DB_DONE_MANY,
    DB_DONE_SINCE,
    DB_DONE_BEFORE,
    DB_TAG_UNUSED,
    DB_TAG_INSERT,
    DB_TAG_LIST,
    DB_TAG_ALL,
    DB_TAG_COUNT,
    DB_DAY_NAMES
} db_day_name;

typedef struct db_day {
    int day; /* 0: none */
    sqlite3_stmt *statements[DB_DAY_NAMES];
} db_day;

typedef struct db {
    sqlite3 *handle;
    const char *folder;             /* for what is said of errors */
    const struct packed_table *sql; /* sqlite_sql.h */
    bool failed;
    char *error; /* the sentence; NULL without memory */
    sqlite3_stmt *statements[DB_NAMES];
    db_day days[DB_DAYS];
    unsigned oldest; /* of `days`, the next to go */
} db;

/* Opens <folder>/queue.db, which is made if `create`. False and d->error; close it anyway. */
bool db_open(db *d, const char *folder, bool create, bool writes);
void db_close(db *d);

/* Tables that are not there yet; false if the file is a newer program's, or damaged. */
bool db_make_tables(db *d);
bool db_make_day(db *d, int day); /* … of a day, unless they are there */
void db_drop_day(db *d, int day);
void db_empty_day(db *d, int day); /* all that is done of it, which is soon over */
bool db_has_day(db *d, int day);

/* Runs SQL that gives no rows. */
bool db_exec(db *d, const char *sql);

/* Binds a statement's parameters, in order: t a text (NULL: null), i an int64_t, b a blob (pointer,
 * size_t). NULL: something has failed. */
sqlite3_stmt *db_start(db *d, db_name name, const char *types, ...);
sqlite3_stmt *db_start_day(db *d, int day, db_day_name name, const char *types, ...);
/* The next row; false: there is none, and the statement has ended. */
bool db_row(db *d, sqlite3_stmt *s);
/* Ends it before. */
void db_end(sqlite3_stmt *s);
/* Runs one without rows. */
bool db_run(db *d, sqlite3_stmt *s);
/* Runs one and tells whether it gave a row. */
bool db_found(db *d, sqlite3_stmt *s);

/* A column, as the caller's own; NULL: null, or no memory, which is a failure. */
char *db_text(db *d, sqlite3_stmt *s, int column);

void db_fail(db *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
void db_fail_memory(db *d);
void db_reset_error(db *d);

#endif
