/*
 * postgres_schema - the tables, their versions, and the tables of a day. Included by the PostgreSQL
 * backend alone.
 */
#ifndef POSTERN_QUEUE_POSTGRES_SCHEMA_H
#define POSTERN_QUEUE_POSTGRES_SCHEMA_H

#include "queue/postgres_link.h"

/* Where a statement's text has ########, the day stands. */
#define PG_DAY_MARK "########"

/* Brings the schema up to date; several may do so at once. False and p's error. */
bool pg_schema_migrate(pg *p);

/* True if the day's tables are there; with `make` they are made. False: they are not, or an error.
 * Outside of a pipeline. */
bool pg_schema_day(pg *p, int day, bool make);

/* Drops them, or, if live messages are of that day, what is done of it. */
void pg_schema_drop_day(pg *p, int day);

/* The text with the day in place; free() it. */
char *pg_schema_with_day(const char *text, int day);

/* The first id of a day, or what sorts before all of them. */
void pg_schema_first_id(int day, char out[16]);

#endif
