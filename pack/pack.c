/* pack TABLES >FILE: writes tables of the program's as base/packed.h says, for the Makefile to
 * pack. A tool of the build's, made of the files that have the tables; no part of the program. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/packed.h"
#include "hook/profile_table.h"
#include "lint/rules_texts.h"
#include "queue/postgres_text.h"
#include "queue/sqlite_sql.h"
#include "smtp/preset_table.h"
#include "smtp/replies_packed.h"

typedef struct texts {
    char *data;
    size_t len;
} texts;

static void put(const void *data, size_t len)
{
    if (fwrite(data, 1, len, stdout) != len)
        _Exit(1);
}

/* What is written for the text: where it is, `rows` behind the first row; if it is not there yet,
 * it is added, and is the next. */
static uintptr_t place_of(texts *t, const char *s, size_t rows)
{
    for (size_t at = 0; at < t->len; at += strlen(t->data + at) + 1) {
        if (strcmp(t->data + at, s) == 0)
            return rows + at;
    }
    size_t size = strlen(s) + 1;
    t->data = realloc(t->data, t->len + size + 8); /* of zeros, to fill it up to a multiple of 8 */
    if (!t->data)
        _Exit(1);
    memcpy(t->data + t->len, s, size);
    memset(t->data + t->len + size, 0, 8);
    t->len += size;
    return PACKED_NEXT;
}

static void table(const packed_layout *layout, const void *rows, size_t count)
{
    size_t size = count * layout->size;
    char *copy = malloc(size);
    texts t = {NULL, 0};

    if (!copy)
        _Exit(1);
    memcpy(copy, rows, size);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < layout->text_count; k++) {
            char *at = copy + i * layout->size + layout->texts[k];
            const char *text;
            memcpy(&text, at, sizeof text);
            uintptr_t offset = text ? place_of(&t, text, size) : 0;
            memcpy(at, &offset, sizeof offset);
        }
    }
    packed_head head = {count, (size + t.len + 7) / 8 * 8};
    put(&head, sizeof head);
    put(copy, size);
    put(t.data, (size_t)head.size - size);
    free(copy);
    free(t.data);
}

static void smtp_replies(void)
{
    const smtp_known *all = &smtp_known_source;
    table(&smtp_replies_layouts[0], all->first.list, all->first.count);
    table(&smtp_replies_layouts[1], all->last.list, all->last.count);
    table(&smtp_replies_layouts[2], all->statuses.list, all->statuses.count);
}

static void sqlite_sql(void)
{
    table(&sqlite_sql_layouts[SQLITE_SQL_LIVE], sqlite_sql_live, DB_NAMES);
    table(&sqlite_sql_layouts[SQLITE_SQL_DAY], sqlite_sql_day, DB_DAY_NAMES);
    table(&sqlite_sql_layouts[SQLITE_SQL_SCHEMA], sqlite_sql_schema, SQLITE_SCHEMAS);
}

static void postgres_sql(void)
{
    table(&postgres_sql_layouts[PG_TEXT_LIVE], postgres_text_live, PG_NAMES);
    table(&postgres_sql_layouts[PG_TEXT_DAY], postgres_text_day, PG_DAY_NAMES);
}

static void smtp_preset_rows(void)
{
    table(&smtp_preset_layout, smtp_preset_source, smtp_preset_source_count);
}

static void hook_profile_rows(void)
{
    table(&hook_profile_layout, hook_profile_source, hook_profile_source_count);
}

static void lint_texts(void)
{
    table(&lint_rule_text_layout, lint_texts_source, lint_texts_source_count);
}

static const struct {
    const char *name;
    void (*write)(void);
} known[] = {
    {"hook_profile_rows", hook_profile_rows}, {"lint_texts", lint_texts},
    {"postgres_sql", postgres_sql},           {"smtp_preset_rows", smtp_preset_rows},
    {"smtp_replies", smtp_replies},           {"sqlite_sql", sqlite_sql},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof known / sizeof *known; i++) {
        if (strcmp(argv[1], known[i].name) == 0) {
            known[i].write();
            return fflush(stdout) == 0 ? 0 : 1;
        }
    }
    return 2;
}
