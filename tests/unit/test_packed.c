/* Tests of base/packed: tables are unpacked as they are written down, and only once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "hook/profile_table.h"
#include "lint/rules_texts.h"
#include "queue/postgres_text.h"
#include "queue/sqlite_sql.h"
#include "smtp/preset_table.h"
#include "smtp/replies_packed.h"

extern const char hook_profile_rows[], hook_profile_rows_end[];
extern const char lint_texts[], lint_texts_end[];
extern const char postgres_sql[], postgres_sql_end[];
extern const char smtp_preset_rows[], smtp_preset_rows_end[];
extern const char smtp_replies[], smtp_replies_end[];
extern const char sqlite_sql[], sqlite_sql_end[];

static void same_text(const void *have, const void *want)
{
    const char *a, *b;
    memcpy(&a, have, sizeof a);
    memcpy(&b, want, sizeof b);
    assert_true(!a == !b);
    if (a)
        assert_string_equal(a, b);
}

/* A pointer that the layout doesn't name would be the packing program's, and differ. */
static void same_row(const packed_layout *layout, const char *have, const char *want)
{
    for (size_t at = 0, text = 0; at < layout->size;) {
        while (text < layout->text_count && layout->texts[text] < at)
            text++;
        if (text < layout->text_count && layout->texts[text] == at) {
            same_text(have + at, want + at);
            at += sizeof(char *);
        } else {
            assert_int_equal(have[at], want[at]);
            at++;
        }
    }
}

static void same_table(const packed_layout *layout, const packed_table *have, const void *want,
                       size_t count)
{
    assert_int_equal(have->count, count);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++)
        same_row(layout, (const char *)have->rows + i * layout->size,
                 (const char *)want + i * layout->size);
}

static void tables_are_as_they_are_written_down(void **state)
{
    static packed_kept profiles = {hook_profile_rows, hook_profile_rows_end, &hook_profile_layout,
                                   1, NULL};
    static packed_kept lint = {lint_texts, lint_texts_end, &lint_rule_text_layout, 1, NULL};
    static packed_kept presets = {smtp_preset_rows, smtp_preset_rows_end, &smtp_preset_layout, 1,
                                  NULL};
    static packed_kept sqlite = {sqlite_sql, sqlite_sql_end, sqlite_sql_layouts, SQLITE_SQL_TABLES,
                                 NULL};
    static packed_kept postgres = {postgres_sql, postgres_sql_end, postgres_sql_layouts,
                                   PG_TEXT_TABLES, NULL};
    (void)state;
    same_table(&hook_profile_layout, packed_get(&profiles), hook_profile_source,
               hook_profile_source_count);
    same_table(&lint_rule_text_layout, packed_get(&lint), lint_texts_source,
               lint_texts_source_count);
    same_table(&smtp_preset_layout, packed_get(&presets), smtp_preset_source,
               smtp_preset_source_count);
    const packed_table *t = packed_get(&sqlite);
    same_table(&sqlite_sql_layouts[0], &t[SQLITE_SQL_LIVE], sqlite_sql_live, DB_NAMES);
    same_table(&sqlite_sql_layouts[1], &t[SQLITE_SQL_DAY], sqlite_sql_day, DB_DAY_NAMES);
    same_table(&sqlite_sql_layouts[2], &t[SQLITE_SQL_SCHEMA], sqlite_sql_schema, SQLITE_SCHEMAS);
    t = packed_get(&postgres);
    same_table(&postgres_sql_layouts[0], &t[PG_TEXT_LIVE], postgres_text_live, PG_NAMES);
    same_table(&postgres_sql_layouts[1], &t[PG_TEXT_DAY], postgres_text_day, PG_DAY_NAMES);
}

static packed_kept asked_by_many = {smtp_replies, smtp_replies_end, smtp_replies_layouts, 3, NULL};

static void *ask(void *arg)
{
    (void)arg;
    return (void *)packed_get(&asked_by_many);
}

static void all_who_ask_get_the_same(void **state)
{
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    (void)state;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask, NULL), 0);
    const packed_table *first = packed_get(&asked_by_many);
    assert_non_null(first);
    for (size_t i = 0; i < THREADS; i++) {
        void *got = NULL;
        assert_int_equal(pthread_join(threads[i], &got), 0);
        assert_ptr_equal(got, first);
    }
    same_table(&smtp_replies_layouts[0], &first[0], smtp_known_source.first.list,
               smtp_known_source.first.count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_as_they_are_written_down),
        cmocka_unit_test(all_who_ask_get_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
