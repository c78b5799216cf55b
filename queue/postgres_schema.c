#include "queue/postgres_schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "queue/backend.h"

#define TRIES 50 /* of what several instances do at once */

#define STATEMENTS 20 /* of a version, at most */

/* Versions of the schema, the first first; never changed, only added to. Each statement may be run
 * again, because not every server takes back DDL with its transaction.
 *
 * due_at is when a message may be claimed: its next_at while it is queued, the end of its lease
 * while it is sent. So one index finds both. */
static const char *const versions[][STATEMENTS] = {
    {
        "CREATE TABLE IF NOT EXISTS postern_message (id text PRIMARY KEY, state int4 NOT NULL,"
        " due_at int8 NOT NULL, expires_at int8 NOT NULL, priority int4 NOT NULL,"
        " attempts int4 NOT NULL, owner text, size int8 NOT NULL, head text, recipients text,"
        " log text)",
        "CREATE INDEX IF NOT EXISTS postern_message_due ON postern_message (priority, due_at)",
        "CREATE INDEX IF NOT EXISTS postern_message_sending ON postern_message (id)"
        " WHERE state = 1",
        "CREATE TABLE IF NOT EXISTS postern_body (id text, part int4, data bytea NOT NULL,"
        " PRIMARY KEY (id, part))",
        "CREATE TABLE IF NOT EXISTS postern_day (day int4 PRIMARY KEY)",
        "CREATE TABLE IF NOT EXISTS postern_key (key text PRIMARY KEY, fingerprint text NOT NULL,"
        " keep_until int8 NOT NULL, status int4 NOT NULL, answer text)",
        "CREATE INDEX IF NOT EXISTS postern_key_until ON postern_key (keep_until)",
        "CREATE TABLE IF NOT EXISTS postern_suppressed (address text, list text, reason text,"
        " since int8 NOT NULL, PRIMARY KEY (address, list))",
        "CREATE TABLE IF NOT EXISTS postern_event (id text PRIMARY KEY, due_at int8 NOT NULL,"
        " attempts int4 NOT NULL, owner text, payload text)",
        "CREATE INDEX IF NOT EXISTS postern_event_due ON postern_event (due_at)",
    },
};
#define VERSION (int)(sizeof versions / sizeof *versions)

/* What makes PostgreSQL faster and other servers don't know: a body of some KB stays in its row,
 * and rows that come and go are cleaned up soon. */
static const char *const tuning[] = {
    "ALTER TABLE postern_body SET (toast_tuple_target = 8160)",
    "ALTER TABLE postern_body SET (autovacuum_vacuum_scale_factor = 0.05)",
    "ALTER TABLE postern_body ALTER COLUMN data SET STORAGE EXTERNAL",
    "ALTER TABLE postern_message SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02)",
};

static const char *const day_tables[] = {
    "CREATE TABLE IF NOT EXISTS postern_done_######## (id text PRIMARY KEY, state int4 NOT NULL,"
    " finished_at int8 NOT NULL, attempts int4 NOT NULL, head text, recipients text, log text)",
    /* Nearly all are sent (2), and who looks for those has them on every page. */
    "CREATE INDEX IF NOT EXISTS postern_done_########_state ON postern_done_######## (state, id)"
    " WHERE state <> 2",
    "CREATE TABLE IF NOT EXISTS postern_tag_######## (tag text, id text, PRIMARY KEY (tag, id))",
    "INSERT INTO postern_day (day) VALUES (########) ON CONFLICT DO NOTHING",
};

static const char *const drop_day[] = {
    "DELETE FROM postern_day WHERE day = ########",
    "DROP TABLE IF EXISTS postern_done_########",
    "DROP TABLE IF EXISTS postern_tag_########",
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

char *pg_schema_with_day(const char *text, int day)
{
    char digits[16], *copy = strdup(text);
    (void)snprintf(digits, sizeof digits, "%08d", day);
    for (char *at = copy; at && (at = strstr(at, PG_DAY_MARK)); at += 8)
        memcpy(at, digits, 8);
    return copy;
}

/* Two that make the same thing at once get into each other's way even with IF NOT EXISTS: one of
 * them is told that it is there, or that a catalog's row is. */
static bool is_race(const pg *p)
{
    static const char *const codes[] = {"23505", "42P07", "42710", "XX000",
                                        "42P01", "40001", "40P01"};
    for (size_t i = 0; i < COUNT(codes); i++) {
        if (strcmp(p->code, codes[i]) == 0)
            return PQstatus(p->conn) == CONNECTION_OK;
    }
    return false;
}

static void pause_a_little(void)
{
    struct timespec t = {.tv_nsec = 1000000 + clock_us() % 37 * 1000000};
    (void)nanosleep(&t, NULL);
}

/* Runs it until it is not in another's way. */
static bool insist(pg *p, bool (*run)(pg *p, int day), int day)
{
    for (int i = 0; i < TRIES; i++) {
        if (p->trouble != PG_FINE || run(p, day))
            return p->trouble == PG_FINE;
        if (!is_race(p))
            return false;
        if (p->trouble == PG_BROKEN)
            p->trouble = PG_AGAIN; /* the connection is there all the same */
        if (!pg_recover(p))
            return false;
        pause_a_little();
    }
    pg_fail(p, PG_REFUSED, "the database's tables can't be made: others are always in the way");
    return false;
}

static bool run_all(pg *p, const char *const *texts, size_t count, int day)
{
    for (size_t i = 0; i < count && texts[i] && p->trouble == PG_FINE; i++) {
        char *text = pg_schema_with_day(texts[i], day);
        if (!text)
            pg_fail_memory(p);
        else
            (void)pg_command(p, text);
        free(text);
    }
    return p->trouble == PG_FINE;
}

/* ---- versions ---- */

/* 0: nothing is there. */
static int version_now(pg *p, const char *text)
{
    PGresult *r = pg_query(p, "", text, NULL);
    int version = r && PQntuples(r) > 0 ? (int)pg_get_int(r, 0, 0) : 0;
    PQclear(r);
    if (!r && strcmp(p->code, "42P01") == 0) {
        p->trouble = PG_AGAIN;
        (void)pg_recover(p);
    }
    return version;
}

static bool check_encoding(pg *p)
{
    PGresult *r = pg_query(p, "", "SHOW server_encoding", NULL);
    bool ok = !r || PQntuples(r) == 0 || strcasecmp(PQgetvalue(r, 0, 0), "UTF8") == 0;
    PQclear(r);
    if (!ok)
        pg_fail(p, PG_REFUSED, "the database's encoding is not UTF8");
    return p->trouble == PG_FINE;
}

/* Who holds the row of the version is the one that migrates. */
static bool migrate(pg *p, int unused)
{
    static const char *const begin[] = {
        "CREATE TABLE IF NOT EXISTS postern_version (id int4 PRIMARY KEY, version int4 NOT NULL)",
        "INSERT INTO postern_version (id, version) VALUES (1, 0) ON CONFLICT DO NOTHING",
        "BEGIN",
    };
    char set[80];
    (void)unused;
    if (!run_all(p, begin, COUNT(begin), 0))
        return false;
    int version = version_now(p, "SELECT version FROM postern_version WHERE id = 1 FOR UPDATE");
    for (; version < VERSION && p->trouble == PG_FINE; version++)
        (void)run_all(p, versions[version], STATEMENTS, 0);
    (void)snprintf(set, sizeof set, "UPDATE postern_version SET version = %d WHERE id = 1",
                   version);
    return p->trouble == PG_FINE && pg_command(p, set) && pg_command(p, "COMMIT");
}

bool pg_schema_migrate(pg *p)
{
    if (!check_encoding(p))
        return false;
    int version = version_now(p, "SELECT version FROM postern_version WHERE id = 1");
    if (version > VERSION)
        pg_fail(p, PG_REFUSED, "the database's tables were made by a newer version of Postern");
    if (p->trouble != PG_FINE || version == VERSION)
        return p->trouble == PG_FINE;
    if (!insist(p, migrate, 0))
        return false;
    for (size_t i = 0; i < COUNT(tuning); i++) {
        if (!pg_command(p, tuning[i]) && !pg_recover(p))
            return false;
    }
    return true;
}

/* ---- days ---- */

static bool make_day(pg *p, int day)
{
    return run_all(p, day_tables, COUNT(day_tables), day);
}

static bool day_query(pg *p, const char *text, const char *types, pg_args *args)
{
    PGresult *r = pg_query(p, types, text, args);
    bool found = r && PQntuples(r) > 0;
    PQclear(r);
    return found;
}

bool pg_schema_day(pg *p, int day, bool make)
{
    pg_args args = {0};
    pg_int(&args, day);
    if (day_query(p, "SELECT 1 FROM postern_day WHERE day = $1", "i", &args))
        return true;
    return p->trouble == PG_FINE && make && insist(p, make_day, day);
}

static bool drop(pg *p, int day)
{
    return run_all(p, drop_day, COUNT(drop_day), day);
}

#define DAY_TABLE "postern_done_" PG_DAY_MARK
#define DAY_TAGS  "postern_tag_" PG_DAY_MARK

/* Whether one of a day's has a row for it. */
static bool day_has(pg *p, int day, const char *text, int64_t n)
{
    char *with_day = pg_schema_with_day(text, day);
    pg_args args = {0};
    pg_int(&args, n);
    bool has = with_day && day_query(p, with_day, "i", &args);
    if (!with_day) {
        pg_args_free(&args);
        pg_fail_memory(p);
    }
    free(with_day);
    return has;
}

static bool has_live(pg *p, int day)
{
    pg_args args = {0};
    char from[QUEUE_FIRST_ID], to[QUEUE_FIRST_ID];
    queue_first_id(day, from);
    queue_first_id(queue_next_day(day), to);
    pg_text(&args, from);
    pg_text(&args, to);
    return day_query(p, "SELECT 1 FROM postern_message WHERE id >= $1 AND id < $2 LIMIT 1", "tt",
                     &args);
}

/* What is done goes, unless it ended since then; tags of what went, too. */
static void empty(pg *p, int day, int64_t since)
{
    char done[120];
    const char *const texts[] = {
        done,
        "DELETE FROM " DAY_TAGS " AS t WHERE NOT EXISTS"
        " (SELECT 1 FROM postern_message AS m WHERE m.id = t.id)"
        " AND NOT EXISTS (SELECT 1 FROM " DAY_TABLE " AS d WHERE d.id = t.id)",
    };
    (void)snprintf(done, sizeof done, "DELETE FROM " DAY_TABLE " WHERE finished_at < %lld",
                   (long long)since);
    if (!run_all(p, texts, COUNT(texts), day) && is_race(p)) {
        p->trouble = PG_AGAIN; /* another cleans, too; the next time is soon enough */
        (void)pg_recover(p);
    }
}

void pg_schema_clean_day(pg *p, int day, int64_t since)
{
    if (!pg_schema_day(p, day, false))
        return;
    bool live = has_live(p, day);
    bool many = day_has(p, day, "SELECT 1 FROM " DAY_TABLE " OFFSET $1 LIMIT 1", QUEUE_CLEAN_ROWS);
    bool late =
        !many &&
        day_has(p, day, "SELECT 1 FROM " DAY_TABLE " WHERE finished_at >= $1 LIMIT 1", since);
    if (p->trouble == PG_FINE && !live && !late)
        (void)insist(p, drop, day);
    else if (p->trouble == PG_FINE)
        empty(p, day, many ? INT64_MAX : since);
}
