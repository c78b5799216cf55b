/*
 * postgres_run - what the parts of the PostgreSQL backend know of each other: the statements by
 * their names, an operation's step in a batch, and the operations themselves. Included by them
 * alone. A connection and its errors are postgres_link.h's, tables are postgres_schema.h's.
 *
 * A batch is run in this order:
 *
 *   prepare       outside of the pipeline: tables and statements of the days that are needed
 *   send          each step's statements, in the order of the batch
 *   settle        what many steps settle goes in a few statements
 *   read          each step's results: as many and in the same order as it sent; what was settled
 *   send_second   of the steps that have set `second`; what these give is skipped
 *   put           messages of all the steps that have set `puts`, in a few statements
 *   later         of the steps that have set `later`: after the COMMIT, outside of the pipeline
 *
 * Errors are the connection's, and sticky: who reads takes a NULL for "nothing", and goes on; the
 * batch looks at them once. A step that is over (it was refused, or answered without the database)
 * has nothing done for it any more. A run may be one of many of the same operation: its outputs
 * were cleared before.
 */
#ifndef POSTERN_QUEUE_POSTGRES_RUN_H
#define POSTERN_QUEUE_POSTGRES_RUN_H

#include "queue/postgres_link.h"
#include "queue/queue.h"

/* The server's time, as the queue has it. */
#define PG_NOW "(extract(epoch FROM now()) * 1000000)::int8"

/* ---- one operation of a batch ---- */

typedef struct pg_step {
    queue_op *op;
    int day;              /* whose tables it needs and has; 0: none */
    unsigned sent;        /* statements whose results are still to be read */
    unsigned group;       /* of what one statement does for several: its number; 0: none */
    bool puts;            /* its messages are to be put */
    struct pg_step *asks; /* whose look-up is this one's, too; NULL: none's */
    bool later;           /* there is something to do after the commit */
    bool asks_next;       /* … and after that: a CLAIM, when the next is due */
    bool second;          /* there is a second half before it */
    bool over;            /* refused, or answered: nothing more */
} pg_step;

typedef struct pg_batch {
    pg *p;
    pg_step *steps;
    size_t count;
    pg_step *frame;  /* what is sent for several steps, or for none */
    unsigned groups; /* numbers of them that were given out */
    bool writes, notify;
} pg_batch;

typedef void pg_part(pg_batch *b, pg_step *s);

typedef struct pg_kind {
    pg_part *send;        /* in the transaction; NULL: all of it is done later */
    pg_part *read;        /* … NULL: results have nothing to tell */
    pg_part *send_second; /* … if `second` is set */
    pg_part *later;       /* after it, if `later` is set */
} pg_kind;

/* ---- postgres_sql.c ---- */

typedef enum pg_name {
    PG_BEGIN,
    PG_COMMIT,
    PG_NOTIFY,
    PG_TOUCH,
    PG_PUT,
    PG_PUT_BODY,
    PG_PUT_CHUNK,
    PG_CLAIM,
    PG_CLAIM_NEXT,
    PG_REQUEUE,
    PG_RESCHEDULE,
    PG_KEY_PUT,
    PG_KEY_GET,
    PG_KEY_SET,
    PG_KEY_DROP,
    PG_SUPPRESS,
    PG_UNSUPPRESS,
    PG_LOOK_UP,
    PG_EVENT_CLAIM,
    PG_EVENT_NEXT,
    PG_EVENT_DROP,
    PG_EVENT_AGAIN,
    PG_STATS,
    PG_LIVE_GET,
    PG_NAMES
} pg_name;

/* Of a day. */
typedef enum pg_day_name {
    PG_DAY_UNPUT,
    PG_DAY_TAG,
    PG_DAY_DONE,
    PG_DAY_DONE_ALL,
    PG_DAY_CANCEL,
    PG_DAY_GET,
    PG_DAY_NAMES
} pg_day_name;

/* Prepares those that are of no day: once for a connection. False and p's error. */
bool pg_prepare_all(pg *p);

/* Sets `day` of what needs one, and makes it ready; may refuse. Outside of the pipeline. */
void pg_step_prepare(pg *p, pg_step *s);
/* Those of the day are of no use any more: its tables go. Outside of the pipeline. */
void pg_forget_day(pg *p, int day);

/* Sends one; frees the arguments (NULL: none). Of a day: one that is ready. */
void pg_step_send(pg *p, pg_step *s, pg_name n, pg_args *args);
void pg_step_send_day(pg *p, pg_step *s, int day, pg_day_name n, pg_args *args);
/* The next result of the step's; clear it. */
PGresult *pg_step_next(pg *p, pg_step *s);
/* Whether the next result has a row. */
bool pg_step_found(pg *p, pg_step *s);
/* When the next is due, as the next result says; INT64_MAX: nothing is there. */
int64_t pg_step_next_due(pg *p, pg_step *s);
void pg_step_skip(pg *p, pg_step *s); /* all that are left */
void pg_step_refuse(pg_step *s, const char *error);

/* An operation's output, zeroed; NULL: no memory, a failure. */
void *pg_new_items(pg *p, size_t count, size_t size);
/* The first columns of a row: as in GET_LIVE. */
void pg_read_message(pg *p, const PGresult *r, int row, queue_message *m);

/* Outside of the pipeline: a message, live, or done on that day (0: none); clear it. */
PGresult *pg_get_anywhere(pg *p, const char *id, int day);
/* When the next message is due; INT64_MAX: none is there. Long over where that can't be told. */
int64_t pg_next_due(pg *p);
/* What a former run left was committed, but perhaps not waited for. */
void pg_confirm(pg *p);

/* ---- postgres_body.c ---- */

#define PG_CHUNK ((size_t)256 * 1024) /* what is larger than QUEUE_SMALL lies in these */

/* Up to a chunk of the body from `at`, of its memory or in `room`; NULL if its file can't be
 * read. */
const char *pg_body_piece(const queue_body *b, uint64_t at, size_t len, char *room);
/* Where files for bodies are made, as the options say; free() it. NULL: no memory. */
char *pg_body_folder(const char *files);
/* Copies a large body to a file, a chunk in memory at a time, or to memory where no file can be
 * made; the message has it then. False: there is no room for it, or the connection failed. A body
 * that isn't there has neither data nor a file. Outside of the pipeline. */
bool pg_body_fetch(pg *p, queue_message *m);

/* ---- postgres_group.c ---- */

#define PG_GROUP       64 /* rows of one statement at most … */
#define PG_GROUP_BYTES PG_CHUNK

/* Messages of the steps that have set `puts`. What these statements give is skipped. */
void pg_put_all(pg_batch *b);

/* A SETTLE that has nothing beside the message, and ends it. */
bool pg_settles_plainly(const queue_op *op);
/* All of these, and their results: who lost has something to do later. */
void pg_settle_all(pg_batch *b);
void pg_read_settled(pg_batch *b);

/* ---- postgres_keys.c ---- */

size_t pg_count_texts(const char *const *texts); /* NULL: none */
void pg_add_texts(pg_args *a, const char *const *texts);
/* As SUPPRESS and SETTLE take them: four arrays. */
void pg_add_suppressed(pg_args *a, const queue_suppressed *e, size_t count);

/* Looks the addresses up. One entry for each that is suppressed, in the order in which they were
 * asked for. */
void pg_send_look_up(pg *p, pg_step *s, const char *const *addresses, const char *list);
void pg_read_look_up(pg *p, pg_step *s, const char *const *addresses);

/* KEY_PUT or KEY_SET. */
void pg_send_key(pg *p, pg_step *s, pg_name n, const queue_key *k, int status, const char *answer);
/* KEY_DROP: what `by` has begun; NULL: whatever is there. */
void pg_send_key_drop(pg *p, pg_step *s, const char *key, const char *by);
/* Makes the key, and looks what is there: of use if it could not be made. */
void pg_send_key_begin(pg *p, pg_step *s, const queue_key *k, int status, const char *answer);
/* True if the key was made; else the outcome says what is there. */
bool pg_read_key_begin(pg *p, pg_step *s, const queue_key *k);

extern const pg_kind pg_kind_key_begin, pg_kind_key_end;
extern const pg_kind pg_kind_suppress, pg_kind_unsuppress;
extern const pg_kind pg_kind_suppressed, pg_kind_suppressions;

/* ---- postgres_list.c ---- */

extern const pg_kind pg_kind_get, pg_kind_list, pg_kind_count, pg_kind_cancel_tagged;

/* ---- postgres_ops.c ---- */

extern const pg_kind pg_kind_put, pg_kind_claim, pg_kind_settle, pg_kind_cancel, pg_kind_reschedule;
extern const pg_kind pg_kind_event_claim, pg_kind_event_settle;
extern const pg_kind pg_kind_stats, pg_kind_clean;

#endif
