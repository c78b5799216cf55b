/*
 * postgres_link - a connection to a PostgreSQL server: parameters in binary, statements that are
 * prepared once, the pipeline, and what an error means. Included by the PostgreSQL backend alone.
 *
 * The first error is sticky: pg_next() and pg_query() give NULL from then on, until pg_recover().
 * What was sent and not read is drained there.
 *
 * A wait for the server ends when it has said nothing for PG_SILENCE_MS: the connection is then
 * taken for broken. No text that is given out holds the password.
 */
#ifndef POSTERN_QUEUE_POSTGRES_LINK_H
#define POSTERN_QUEUE_POSTGRES_LINK_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define PG_SILENCE_MS 30000
#define PG_ARGS       16
#define PG_DAYS       16 /* whose statements a connection keeps prepared */

/* What connections share. */
typedef struct pg_shared {
    char *url;
    char *password; /* as the URL has it, decoded; NULL: none */
    char *files;    /* the folder for large bodies; "": none */
    bool notifies;  /* the server knows LISTEN and NOTIFY */
} pg_shared;

/* What to do about an error. */
typedef enum pg_trouble {
    PG_FINE,
    PG_AGAIN,   /* rolled back for another transaction's sake: run it again */
    PG_BROKEN,  /* the connection is of no use any more */
    PG_DATA,    /* of the values: one operation's own fault */
    PG_REFUSED, /* trying again is no use now */
} pg_trouble;

typedef struct pg {
    PGconn *conn;
    const pg_shared *shared;
    pg_trouble trouble;
    char code[6]; /* its SQLSTATE; "": none */
    char *error;  /* the sentence; NULL without memory */
    bool synced;  /* the pipeline's end was sent */
    bool warned;  /* by the server, since the pipeline began */
    bool listens;
    int days[PG_DAYS]; /* whose tables are there and whose statements are prepared; 0: none */
    unsigned oldest;   /* of them: the next to go */
} pg;

/* A statement: types of its parameters (t text, i int8, b bytea, T text[], I int8[], B bytea[]) and
 * text. */
typedef struct pg_sql {
    const char *types, *text;
} pg_sql;

/* Parameters, added in order; borrowed until they are sent. */
typedef struct pg_args {
    int count;
    const char *value[PG_ARGS]; /* NULL: null, unless `array` says where */
    int length[PG_ARGS], format[PG_ARGS];
    int64_t number[PG_ARGS];
    size_t array[PG_ARGS]; /* its place in `arrays`, plus one; 0: it is none */
    buf arrays;
    size_t open; /* where the array that is being filled began */
} pg_args;

void pg_args_free(pg_args *a);
void pg_text(pg_args *a, const char *s); /* NULL: null */
void pg_int(pg_args *a, int64_t n);
void pg_bytes(pg_args *a, const void *data, size_t len); /* NULL: null */
/* An array of `count` texts, numbers or octets (T, I, B), each of which is then added. */
void pg_array(pg_args *a, char type, size_t count);
void pg_array_text(pg_args *a, const char *s);
void pg_array_int(pg_args *a, int64_t n);
void pg_array_bytes(pg_args *a, const void *data, size_t len);

/* Checks the URL. False and *error. */
bool pg_shared_init(pg_shared *s, const char *url, char **error);
void pg_shared_free(pg_shared *s);

/* Connects and sets up the session; NULL and *error. */
pg *pg_open(const pg_shared *s, bool writes, char **error);
void pg_close(pg *p);

/* Prepares the statement under the name; outside of a pipeline. */
bool pg_prepare(pg *p, const char *name, const pg_sql *sql);

/* In a pipeline: sends a prepared statement and frees the arguments. NULL: without any. */
void pg_send(pg *p, const char *name, pg_args *args);
/* Waits until all that was sent is out of our memory. */
void pg_flush(pg *p);
void pg_pipeline_begin(pg *p);
void pg_pipeline_flush(pg *p); /* asks for the results so far */
void pg_pipeline_sync(pg *p);  /* … and ends what was begun */
/* The next result in the order of sending; NULL: an error. */
PGresult *pg_next(pg *p);
/* Leaves the pipeline: true if all since pg_recover() went well. What is open is rolled back. */
bool pg_pipeline_end(pg *p);

/* Outside of a pipeline: one statement; frees the arguments. NULL: an error. */
PGresult *pg_query(pg *p, const char *types, const char *text, pg_args *args);
PGresult *pg_query_prepared(pg *p, const char *name); /* … that takes nothing */
/* One that gives nothing. */
bool pg_command(pg *p, const char *text);

/* Forgets the error. False: the connection is broken. */
bool pg_recover(pg *p);

void pg_fail(pg *p, pg_trouble trouble, const char *sentence);
void pg_fail_memory(pg *p);
char *pg_take_error(pg *p);

/* Columns of a result in binary. */
int64_t pg_get_int(const PGresult *r, int row, int column);       /* null: 0 */
char *pg_get_text(pg *p, const PGresult *r, int row, int column); /* null: NULL; the caller's own */
void pg_get_id(const PGresult *r, int row, int column, char *out, size_t size);

#endif
