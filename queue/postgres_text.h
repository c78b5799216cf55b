/*
 * postgres_text - PostgreSQL's statements, as pack/pack.c packs and postgres_sql.c unpacks them: a
 * table of those of what is live, and one of a day's.
 */
#ifndef POSTERN_QUEUE_POSTGRES_TEXT_H
#define POSTERN_QUEUE_POSTGRES_TEXT_H

#include "base/packed.h"
#include "queue/postgres_run.h"

typedef enum pg_text_table {
    PG_TEXT_LIVE, /* by pg_name */
    PG_TEXT_DAY,  /* by pg_day_name */
    PG_TEXT_TABLES
} pg_text_table;

/* As they are written down; not in the program. */
extern const pg_sql postgres_text_live[PG_NAMES];
extern const pg_sql postgres_text_day[PG_DAY_NAMES];

static const uint16_t pg_sql_texts[] = {offsetof(pg_sql, types), offsetof(pg_sql, text)};
static const packed_layout postgres_sql_layouts[PG_TEXT_TABLES] = {
    {sizeof(pg_sql), 2, pg_sql_texts},
    {sizeof(pg_sql), 2, pg_sql_texts},
};

#endif
