/*
 * sqlite_run - what the parts of the SQLite backend know of each other: a connection, the files of
 * large bodies, and the operations themselves.
 *
 * A batch is run in four steps: large bodies of its PUTs are written and fsynced (staged); the
 * operations are run in one transaction; it is committed; files that belong to no message any more
 * are removed: those of messages that ended, or, where something failed, those just written.
 */
#ifndef POSTERN_QUEUE_SQLITE_RUN_H
#define POSTERN_QUEUE_SQLITE_RUN_H

#include "queue/sqlite_db.h"

typedef struct sqlite_shared {
    char *folder;
    int lock;   /* flock()ed: nobody else uses the folder */
    int bodies; /* the folder of large bodies */
} sqlite_shared;

/* A body that didn't come in memory, or is to be a file. */
typedef struct sqlite_staged {
    const queue_op *op;
    const queue_message *message;
    char *data; /* a small one, read from its file; NULL: it is a file of its own now */
} sqlite_staged;

typedef char sqlite_id[QUEUE_ID + 1];

typedef struct sqlite_connection {
    db db;
    const sqlite_shared *shared;
    bool writes;
    sqlite_staged *staged;
    size_t staged_count, staged_room;
    sqlite_id *ended; /* messages whose files are to be removed after the commit */
    size_t ended_count, ended_room;
} sqlite_connection;

/* ---- sqlite_body.c ---- */

/* Stages the bodies of a PUT; what can't be had fails the operation alone (op->error is set). */
void sqlite_stage(sqlite_connection *c, queue_op *op);
/* After all are staged: their names are on the disk, too. */
void sqlite_stage_sync(sqlite_connection *c);
/* What was staged for a message; NULL: its body is in memory. */
const sqlite_staged *sqlite_staged_of(const sqlite_connection *c, const queue_message *m);
/* The file of a message that has ended goes after the commit. */
void sqlite_body_end(sqlite_connection *c, const char *id);
/* Removes files that are needed no more, and forgets what was staged. */
void sqlite_body_finish(sqlite_connection *c, bool committed);
/* Opens a message's file, for reading; -1 and errno. */
int sqlite_body_open(const sqlite_connection *c, const char *id);
/* Removes files that belong to no message. */
void sqlite_body_sweep(sqlite_connection *c);

/* ---- sqlite_ops.c, sqlite_list.c ---- */

/* Each sets outcome and outputs; an error of the database is left in c->db. */
void sqlite_op_run(sqlite_connection *c, queue_op *op);
void sqlite_op_get(sqlite_connection *c, queue_op *op);
void sqlite_op_list(sqlite_connection *c, queue_op *op);
void sqlite_op_count(sqlite_connection *c, queue_op *op);

/* True if the id is kept, live or done. */
bool sqlite_exists(sqlite_connection *c, const char *id);
/* The columns of LIVE or DONE (sqlite_db.c); with the log if it is there. */
void sqlite_read_message(sqlite_connection *c, sqlite3_stmt *s, bool with_log, queue_message *out);
/* One more, zeroed, at the end of the array whose address is given; NULL: no memory, a failure. */
void *sqlite_append(db *d, void *array, size_t *count, size_t size);

#endif
