/* SQLite: the queue in a folder that one process uses. See sqlite_run.h for its parts. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "queue/backend.h"
#include "queue/sqlite_run.h"

/* ---- the folder ---- */

static bool complain(char **error, const char *what, const char *folder)
{
    int no = errno;
    if (asprintf(error, "the queue's folder %s can't be %s: %s", folder, what,
                 strerrordesc_np(no)) < 0)
        *error = NULL;
    return false;
}

static bool make_folder(int at, const char *name)
{
    return mkdirat(at, name, 0700) == 0 || errno == EEXIST;
}

/* Nobody else may use it: neither now nor until we close it. */
static bool take_folder(sqlite_shared *s, char **error)
{
    if (!make_folder(AT_FDCWD, s->folder))
        return complain(error, "made", s->folder);
    int folder = open(s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return complain(error, "opened", s->folder);
    s->lock = openat(folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock >= 0 && make_folder(folder, "body"))
        s->bodies = openat(folder, "body", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = s->lock >= 0 && s->bodies >= 0 ? fsync(folder) == 0 : false;
    if (!ok)
        (void)complain(error, "written", s->folder);
    (void)close(folder);
    if (!ok)
        return false;
    if (flock(s->lock, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (errno != EWOULDBLOCK)
        return complain(error, "locked", s->folder);
    if (asprintf(error, "the queue's folder %s is used by another process", s->folder) < 0)
        *error = NULL;
    return false;
}

static void shared_close(void *shared)
{
    sqlite_shared *s = shared;
    if (s->bodies >= 0)
        (void)close(s->bodies);
    if (s->lock >= 0)
        (void)close(s->lock);
    free(s->folder);
    free(s);
}

/* A lease of a former process is void: there is but one at a time. */
static void take_over(sqlite_connection *c)
{
    char sql[160];
    (void)snprintf(sql, sizeof sql,
                   "UPDATE postern_message SET state = 0, due_at = %lld WHERE id IN"
                   " (SELECT id FROM postern_message WHERE state = 1)",
                   (long long)clock_wall_us());
    (void)db_exec(&c->db, sql);
    (void)snprintf(sql, sizeof sql,
                   "UPDATE postern_event SET owner = NULL, due_at = %lld WHERE owner IS NOT NULL",
                   (long long)clock_wall_us());
    (void)db_exec(&c->db, sql);
    sqlite_body_sweep(c);
}

static char *give_error(db *d)
{
    char *error = d->error;
    d->error = NULL;
    return error;
}

static bool sqlite_open(const queue_options *options, void **shared, char **error)
{
    sqlite_shared *s = calloc(1, sizeof *s);
    sqlite_connection c = {0};
    if (!s)
        return false;
    *shared = s;
    /* Nobody asks how much memory it has, and counting takes a lock each time. Before its first use
     * alone; later it stays as it is. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    s->lock = s->bodies = -1;
    s->folder = strdup(options->url + strlen(queue_sqlite.scheme));
    if (!s->folder || !take_folder(s, error))
        return false;
    c.shared = s;
    if (db_open(&c.db, s->folder, true, true) && db_make_tables(&c.db))
        take_over(&c);
    bool ok = !c.db.failed;
    if (!ok)
        *error = give_error(&c.db);
    db_close(&c.db);
    return ok;
}

/* ---- connections ---- */

static void sqlite_disconnect(void *connection)
{
    sqlite_connection *c = connection;
    db_close(&c->db);
    free(c->staged);
    free(c->ended);
    free(c);
}

static void *sqlite_connect(void *shared, bool writes, char **error)
{
    sqlite_shared *s = shared;
    sqlite_connection *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->shared = s;
    c->writes = writes;
    if (db_open(&c->db, s->folder, false, writes))
        return c;
    *error = give_error(&c->db);
    sqlite_disconnect(c);
    return NULL;
}

/* ---- a batch ---- */

static void run_all(sqlite_connection *c, queue_op *const *ops, size_t count)
{
    db *d = &c->db;
    for (size_t i = 0; i < count; i++) {
        queue_op_clear(ops[i]);
        if (ops[i]->kind == QUEUE_PUT)
            sqlite_stage(c, ops[i]);
    }
    sqlite_stage_sync(c);
    (void)db_run(d, db_start(d, c->writes ? DB_BEGIN : DB_BEGIN_READ, ""));
    for (size_t i = 0; i < count && !d->failed; i++) {
        if (ops[i]->outcome != QUEUE_FAILED)
            sqlite_op_run(c, ops[i]);
    }
    (void)db_run(d, db_start(d, DB_COMMIT, ""));
}

static bool run_together(sqlite_connection *c, queue_op *const *ops, size_t count, char **error)
{
    run_all(c, ops, count);
    bool ok = !c->db.failed;
    if (!ok) {
        *error = give_error(&c->db);
        db_reset_error(&c->db);
        if (!sqlite3_get_autocommit(c->db.handle))
            (void)db_run(&c->db, db_start(&c->db, DB_ROLLBACK, ""));
        db_reset_error(&c->db);
    }
    sqlite_body_finish(c, ok);
    return ok;
}

/* Where not all can be done together, each is tried alone: what finds no room on a full disk must
 * not take a SETTLE with it that would. */
static queue_run_result sqlite_run(void *connection, queue_op *const *ops, size_t count,
                                   char **error)
{
    sqlite_connection *c = connection;
    if (run_together(c, ops, count, error))
        return QUEUE_RUN_DONE;
    if (count == 1)
        return QUEUE_RUN_FAILED;
    free(*error);
    *error = NULL;
    for (size_t i = 0; i < count; i++) {
        char *why = NULL;
        if (!run_together(c, &ops[i], 1, &why)) {
            queue_op_clear(ops[i]);
            ops[i]->outcome = QUEUE_FAILED;
            ops[i]->error = why;
        }
    }
    return QUEUE_RUN_DONE;
}

const queue_backend queue_sqlite = {
    .name = "sqlite",
    .scheme = "sqlite:",
    .writers = 1,
    .readers = 1,
    .one_writer = true,
    .open = sqlite_open,
    .close = shared_close,
    .connect = sqlite_connect,
    .disconnect = sqlite_disconnect,
    .run = sqlite_run,
};
