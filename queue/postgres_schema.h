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

/* CLEAN's part of a day that is over. Outside of a pipeline. */
void pg_schema_clean_day(pg *p, int day, int64_t since);

/* The text with the day in place; free() it. */
char *pg_schema_with_day(const char *text, int day);

#endif
