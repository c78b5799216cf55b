/* What PostgreSQL is told. The program has it packed: see postgres_text.h. */
#include "queue/postgres_text.h"

#include "queue/backend.h"
#include "queue/postgres_schema.h"

#define CHUNK_SQL "262144" /* QUEUE_SMALL: what is larger lies in chunks */

/* Each priority has a range of the index: what is due is at its front, whatever waits behind. Of
 * the branches only as many rows are pulled, and locked, as the LIMIT around them wants. */
#define DUE(priority)                                                                              \
    "SELECT * FROM (SELECT id, priority, due_at, size FROM postern_message WHERE priority "        \
    "= " priority " AND due_at <= " PG_NOW                                                         \
    " ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS p" priority
#define NEXT(priority)                                                                             \
    "(SELECT due_at FROM postern_message WHERE priority = " priority " ORDER BY due_at LIMIT 1)"
#define ALL(of, between)                                                                           \
    of("9") between of("8") between of("7") between of("6") between of("5") between of("4")        \
        between of("3") between of("2") between of("1") between of("0")
#define ALL_DUE  ALL(DUE, " UNION ALL ")
#define ALL_NEXT ALL(NEXT, ",")

/* One statement must not meet the same row twice: what is said of an address more than once is made
 * one before. */
#define SUPPRESS_FROM(rows)                                                                        \
    "INSERT INTO postern_suppressed (address, list, reason, since)"                                \
    " SELECT s.address, s.list, max(s.reason), max(s.since)"                                       \
    " FROM " rows " AS s (address, list, reason, since)"                                           \
    " GROUP BY s.address, s.list ORDER BY s.address, s.list"                                       \
    " ON CONFLICT (address, list)"                                                                 \
    " DO UPDATE SET reason = excluded.reason, since = excluded.since"

/* What a SETTLE keeps beside the message ($7 to $14), if the lease is still its own. */
#define BESIDE                                                                                     \
    "ev AS (INSERT INTO postern_event (id, due_at, attempts, payload)"                             \
    " SELECT e.id, e.at, e.n, e.payload FROM gone,"                                                \
    " unnest($7, $8, $9, $10) AS e (id, at, n, payload) ON CONFLICT (id) DO NOTHING RETURNING 1)," \
    " su AS (" SUPPRESS_FROM("gone, unnest($11, $12, $13, $14)") " RETURNING 1)"
/* Not "state = 1": a planner that takes those being sent for few, as they are among a million that
 * wait, would go through the index of them for each id. */
#define IS_SENDING "state + 0 = 1"
#define MINE       "id = $1 AND owner = $2 AND " IS_SENDING " AND attempts < $3"

#define KEY_SAVE                                                                                   \
    "INSERT INTO postern_key (key, fingerprint, keep_until, status, answer)"                       \
    " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (key) DO UPDATE"                                     \
    " SET fingerprint = excluded.fingerprint, keep_until = excluded.keep_until,"                   \
    " status = excluded.status, answer = excluded.answer"

#define GET_LIVE                                                                                   \
    "SELECT id, state, due_at, expires_at, priority, attempts, head, recipients, log, size"        \
    " FROM postern_message WHERE id = $1"

const pg_sql postgres_text_live[PG_NAMES] = {
    [PG_BEGIN] = {"", "BEGIN ISOLATION LEVEL READ COMMITTED"},
    [PG_COMMIT] = {"", "COMMIT"},
    [PG_NOTIFY] = {"", "NOTIFY postern_queue"},
    [PG_TOUCH] = {"", "UPDATE postern_version SET version = version WHERE id = 1"},
    /* A message that is there already was put by a former run. */
    [PG_PUT] = {"TTTTTIIIIII",
                "INSERT INTO postern_message (id, owner, head, recipients, log, state, due_at,"
                " expires_at, priority, attempts, size) SELECT u.id, u.owner, u.head, u.recipients,"
                " u.log, u.state, CASE WHEN u.state = 1 THEN " PG_NOW " + u.at ELSE u.at END,"
                " u.until, u.priority, u.attempts, u.size"
                " FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) AS u (id, owner, head,"
                " recipients, log, state, at, until, priority, attempts, size)"
                " ON CONFLICT (id) DO UPDATE SET size = excluded.size"},
    [PG_PUT_BODY] = {"TB", "INSERT INTO postern_body (id, part, data)"
                           " SELECT u.id, 0, u.data FROM unnest($1, $2) AS u (id, data)"
                           " ON CONFLICT DO NOTHING"},
    [PG_PUT_CHUNK] = {"tib", "INSERT INTO postern_body (id, part, data) VALUES ($1, $2, $3)"
                             " ON CONFLICT DO NOTHING"},
    [PG_CLAIM] = {"tiii",
                  "WITH locked AS (SELECT * FROM (" ALL_DUE ") AS due LIMIT $2),"
                  " fit AS (SELECT id, due_at, size,"
                  " sum(size) OVER (ORDER BY priority DESC, due_at, id) AS upto FROM locked)"
                  " UPDATE postern_message AS m SET state = 1, owner = $1, due_at = " PG_NOW
                  " + $4 FROM fit LEFT JOIN postern_body AS b ON b.id = fit.id"
                  " AND b.part = 0 AND fit.size <= " CHUNK_SQL
                  " WHERE m.id = fit.id AND (fit.upto <= $3 OR fit.upto = fit.size)"
                  " RETURNING m.id, m.state, m.due_at, m.expires_at, m.priority, m.attempts,"
                  " m.head, m.recipients, m.log, m.size, fit.due_at, b.data"},
    [PG_CLAIM_NEXT] = {"", "SELECT least(" ALL_NEXT ")"},
    [PG_REQUEUE] = {"ttiittTIITTTTIi",
                    "WITH gone AS (UPDATE postern_message SET state = $4, due_at = $15,"
                    " attempts = $3, recipients = coalesce($5, recipients), log = coalesce($6, log)"
                    " WHERE " MINE " RETURNING id), " BESIDE " SELECT id FROM gone"},
    [PG_RESCHEDULE] = {"tiit", "UPDATE postern_message SET due_at = $2, expires_at = $3, head = $4"
                               " WHERE id = $1 AND state = 0 AND attempts = 0 RETURNING id"},
    /* While a key runs, its answer is who has begun it: a former run of the same begins it again.
     */
    [PG_KEY_PUT] = {"ttiit", KEY_SAVE " WHERE postern_key.keep_until <= " PG_NOW
                                      " OR (postern_key.status = 0 AND excluded.status = 0"
                                      " AND postern_key.answer = excluded.answer) RETURNING 1"},
    [PG_KEY_GET] = {"t", "SELECT fingerprint, status, answer FROM postern_key WHERE key = $1"},
    [PG_KEY_SET] = {"ttiit", KEY_SAVE},
    [PG_KEY_DROP] = {"tt", "DELETE FROM postern_key WHERE key = $1"
                           " AND ($2 IS NULL OR (status = 0 AND answer = $2))"},
    [PG_SUPPRESS] = {"TTTI", SUPPRESS_FROM("unnest($1, $2, $3, $4)")},
    [PG_UNSUPPRESS] = {"tt", "DELETE FROM postern_suppressed"
                             " WHERE address = $1 AND list = coalesce($2, list) RETURNING 1"},
    [PG_LOOK_UP] = {"Tt", "SELECT address, list, reason, since FROM postern_suppressed"
                          " WHERE address = ANY ($1) AND (list = '' OR list = coalesce($2, list))"
                          " ORDER BY address, list"},
    [PG_EVENT_CLAIM] = {"tii",
                        "WITH due AS (SELECT id, due_at FROM postern_event WHERE due_at <= " PG_NOW
                        " ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED)"
                        " UPDATE postern_event AS e SET owner = $1, due_at = " PG_NOW " + $3"
                        " FROM due WHERE e.id = due.id"
                        " RETURNING e.id, due.due_at, e.attempts, e.payload"},
    [PG_EVENT_NEXT] = {"", "SELECT due_at FROM postern_event ORDER BY due_at LIMIT 1"},
    [PG_EVENT_DROP] = {"tt", "DELETE FROM postern_event WHERE id = $1 AND owner = $2 RETURNING 1"},
    [PG_EVENT_AGAIN] = {"tti", "UPDATE postern_event SET due_at = $3, attempts = attempts + 1,"
                               " owner = NULL WHERE id = $1 AND owner = $2 RETURNING 1"},
    [PG_STATS] = {"", "SELECT count(*) FILTER (WHERE state = 0),"
                      " count(*) FILTER (WHERE state = 0 AND due_at > " PG_NOW "),"
                      " count(*) FILTER (WHERE state = 1),"
                      " min(due_at) FILTER (WHERE state = 0 AND due_at <= " PG_NOW "),"
                      " (SELECT count(*) FROM postern_event) FROM postern_message"},
    [PG_LIVE_GET] = {"t", GET_LIVE},
};

#define DONE_INSERT                                                                                \
    "INSERT INTO postern_done_" PG_DAY_MARK                                                        \
    " (id, state, finished_at, attempts, head, recipients, log) "
#define DONE_AGAIN                                                                                 \
    " ON CONFLICT (id) DO UPDATE SET state = excluded.state, finished_at = excluded.finished_at,"  \
    " attempts = excluded.attempts, recipients = excluded.recipients, log = excluded.log"          \
    " RETURNING id"
#define BODY_GONE "b AS (DELETE FROM postern_body WHERE id = (SELECT id FROM gone) RETURNING 1)"

const pg_sql postgres_text_day[PG_DAY_NAMES] = {
    /* Put by a former run and done since: it must not be sent again. This is a statement behind the
     * insert, because that waits for whoever is just moving the message. */
    [PG_DAY_UNPUT] = {"T", "WITH gone AS (SELECT id FROM postern_done_" PG_DAY_MARK
                           " WHERE id = ANY ($1)),"
                           " b AS (DELETE FROM postern_body WHERE id IN (SELECT id FROM gone)"
                           " RETURNING 1)"
                           " DELETE FROM postern_message WHERE id IN (SELECT id FROM gone)"},
    [PG_DAY_TAG] = {"TT", "INSERT INTO postern_tag_" PG_DAY_MARK " (tag, id)"
                          " SELECT DISTINCT u.tag, u.id FROM unnest($1, $2) AS u (tag, id)"
                          " ON CONFLICT DO NOTHING"},
    [PG_DAY_DONE] = {"ttiittTIITTTTI", "WITH gone AS (DELETE FROM postern_message WHERE " MINE
                                       " RETURNING id, head, recipients, log), " BODY_GONE
                                       ", " BESIDE " " DONE_INSERT "SELECT id, $4, " PG_NOW
                                       ", $3, head, coalesce($5, recipients), coalesce($6, log)"
                                       " FROM gone" DONE_AGAIN},
    [PG_DAY_DONE_ALL] = {"TTTTII",
                         "WITH gone AS (DELETE FROM postern_message AS m"
                         " USING unnest($1, $2, $3, $4, $5, $6)"
                         " AS u (id, owner, recipients, log, attempt, state)"
                         " WHERE m.id = u.id AND m.owner = u.owner AND m." IS_SENDING
                         " AND m.attempts < u.attempt RETURNING m.id, u.state, u.attempt, m.head,"
                         " coalesce(u.recipients, m.recipients) AS recipients,"
                         " coalesce(u.log, m.log) AS log),"
                         " b AS (DELETE FROM postern_body WHERE id IN (SELECT id FROM gone)"
                         " RETURNING 1) " DONE_INSERT "SELECT id, state, " PG_NOW
                         ", attempt, head, recipients, log FROM gone" DONE_AGAIN},
    [PG_DAY_CANCEL] = {"t", "WITH gone AS (DELETE FROM postern_message WHERE id = $1 AND state = 0"
                            " RETURNING id, attempts, head, recipients, log), " BODY_GONE
                            " " DONE_INSERT "SELECT id, 6, " PG_NOW
                            ", attempts, head, recipients, log FROM gone" DONE_AGAIN},
    [PG_DAY_GET] = {"t", GET_LIVE " UNION ALL SELECT id, state, finished_at, 0::int8, 0, attempts,"
                                  " head, recipients, log, 0::int8 FROM postern_done_" PG_DAY_MARK
                                  " WHERE id = $1"},
};

_Static_assert(QUEUE_SENDING == 1 && QUEUE_QUEUED == 0 && QUEUE_SENT == 2 && QUEUE_CANCELLED == 6,
               "the statements have states as numbers");
_Static_assert(QUEUE_SMALL == 262144, "as in CHUNK_SQL");
