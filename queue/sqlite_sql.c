/* What SQLite is told. The program has it packed: see sqlite_sql.h. */
#include "queue/sqlite_sql.h"

#include "queue/sqlite_db.h"

/* due_at is when a message may be claimed: its next_at while it is queued, the end of its lease
 * while it is sent. So one index finds both, and nobody has to look for leases that ran out. */
const char *const sqlite_sql_schema[SQLITE_SCHEMAS] = {
    [SQLITE_TABLES] =
        "CREATE TABLE IF NOT EXISTS postern_version(version INTEGER NOT NULL) STRICT;"
        "CREATE TABLE IF NOT EXISTS postern_message(n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
        " state INTEGER NOT NULL, due_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,"
        " priority INTEGER NOT NULL, attempts INTEGER NOT NULL, owner TEXT, size INTEGER NOT NULL,"
        " head TEXT, recipients TEXT, log TEXT) STRICT;"
        "CREATE INDEX IF NOT EXISTS postern_message_due ON postern_message(priority, due_at, "
        "state);"
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
        "CREATE INDEX IF NOT EXISTS postern_event_due ON postern_event(due_at);",
    [SQLITE_DAY] =
        "CREATE TABLE IF NOT EXISTS postern_done_########(n INTEGER PRIMARY KEY,"
        " id TEXT NOT NULL UNIQUE, state INTEGER NOT NULL, finished_at INTEGER NOT NULL,"
        " attempts INTEGER NOT NULL, head TEXT, recipients TEXT, log TEXT) STRICT;"
        /* Nearly all are sent (2), and who looks for those has them on every page. */
        "CREATE INDEX IF NOT EXISTS postern_done_########_state ON postern_done_########(state, id)"
        " WHERE state <> 2;"
        "CREATE TABLE IF NOT EXISTS postern_tag_########(tag TEXT, id TEXT, PRIMARY KEY(tag, id))"
        " STRICT, WITHOUT ROWID;",
    [SQLITE_DROP_DAY] = ("DROP TABLE IF EXISTS postern_done_########;"
                         "DROP TABLE IF EXISTS postern_tag_########;"),
};

#define LIVE_COLUMNS  "id, state, due_at, expires_at, priority, attempts, head, recipients"
#define DONE_COLUMNS  "id, state, finished_at, 0, 0, attempts, head, recipients"
#define LIVE(columns) "SELECT " columns " FROM postern_message WHERE "
#define DONE(columns) "SELECT " columns " FROM postern_done_######## WHERE "

const char *const sqlite_sql_live[DB_NAMES] = {
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

const char *const sqlite_sql_day[DB_DAY_NAMES] = {
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
    [DB_DONE_LIST_STATE] = DONE(DONE_COLUMNS) "id < ?1 AND state = ?2 AND state <> 2"
                                              " ORDER BY id DESC",
    [DB_DONE_LIST_SENT] = DONE(DONE_COLUMNS) "id < ?1 AND state = 2 ORDER BY id DESC",
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

_Static_assert(QUEUE_SENT == 2, "the statements have states as numbers");
