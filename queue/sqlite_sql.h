/*
 * sqlite_sql - the texts of SQLite's statements, as pack/pack.c packs and sqlite_db.c unpacks them:
 * a table of them each for what is live, for a day, and for making tables.
 *
 * "########" stands for a day.
 */
#ifndef POSTERN_QUEUE_SQLITE_SQL_H
#define POSTERN_QUEUE_SQLITE_SQL_H

#include "base/packed.h"
#include "queue/sqlite_db.h"

typedef enum sqlite_sql_table {
    SQLITE_SQL_LIVE, /* by db_name */
    SQLITE_SQL_DAY,  /* by db_day_name */
    SQLITE_SQL_SCHEMA,
    SQLITE_SQL_TABLES
} sqlite_sql_table;

typedef enum sqlite_schema {
    SQLITE_TABLES,
    SQLITE_DAY,
    SQLITE_DROP_DAY,
    SQLITE_SCHEMAS
} sqlite_schema;

/* As they are written down; not in the program. */
extern const char *const sqlite_sql_live[DB_NAMES];
extern const char *const sqlite_sql_day[DB_DAY_NAMES];
extern const char *const sqlite_sql_schema[SQLITE_SCHEMAS];

static const packed_layout sqlite_sql_layouts[SQLITE_SQL_TABLES] = {
    PACKED_TEXTS,
    PACKED_TEXTS,
    PACKED_TEXTS,
};

#endif
