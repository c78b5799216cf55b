/* Tests of service/ids: what an id looks like, and what becomes of the bytes it is made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>
#include <time.h>

#include <cmocka.h>

#include "service/ids.h"

#define ALPHABET "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
#define COUNT(a) (sizeof(a) / sizeof *(a))

static void an_id_is_its_time_and_its_bytes(void **state)
{
    (void)state;
    static const struct {
        unsigned char bytes[10];
        const char *characters;
    } cases[] = {
        {{0}, "0000000000000000"},
        {{255, 255, 255, 255, 255, 255, 255, 255, 255, 255}, "ZZZZZZZZZZZZZZZZ"},
        {{0, 0, 0, 0, 1, 0, 0, 0, 0, 32}, "0000000100000010"},
        {{0x08, 0x42, 0x10, 0x84, 0x21, 0xF8, 0, 0, 0, 0}, "11111111Z0000000"},
    };
    static ids source;
    char id[IDS_LENGTH + 1];
    struct timespec before, after;

    ids_init(&source);
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t ms = 0;
        memcpy(source.pool, cases[i].bytes, 10);
        source.left = 10;
        assert_int_equal(clock_gettime(CLOCK_REALTIME, &before), 0);
        assert_true(ids_new(&source, id));
        assert_int_equal(clock_gettime(CLOCK_REALTIME, &after), 0);
        assert_int_equal(strlen(id), IDS_LENGTH);
        assert_string_equal(id + 10, cases[i].characters);
        for (size_t k = 0; k < 10; k++)
            ms = ms << 5 | (uint64_t)(strchr(ALPHABET, id[k]) - ALPHABET);
        assert_in_range(ms, (uint64_t)before.tv_sec * 1000 + (uint64_t)before.tv_nsec / 1000000,
                        (uint64_t)after.tv_sec * 1000 + (uint64_t)after.tv_nsec / 1000000);
    }
    ids_clear(&source);
}

static bool is_zero(const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i])
            return false;
    }
    return true;
}

static void bytes_are_used_once_and_wiped(void **state)
{
    (void)state;
    static ids source;
    char id[IDS_LENGTH + 1];

    ids_init(&source);
    for (int i = 0; i < 3 * IDS_POOL / 10; i++) {
        size_t before = source.left;
        assert_true(ids_new(&source, id));
        assert_int_equal(source.left, (before >= 10 ? before : IDS_POOL) - 10);
        assert_true(is_zero(source.pool + source.left, 10));
    }
    assert_false(is_zero(source.pool, source.left));
    ids_clear(&source);
    assert_true(is_zero(source.pool, sizeof source.pool));
}

/* ---- many of them ---- */

enum { THREADS = 4, EACH = 5000 };

typedef struct maker {
    pthread_t thread;
    ids *source;
    char (*made)[IDS_LENGTH + 1];
} maker;

static void *make_many(void *ctx)
{
    maker *m = ctx;
    for (size_t i = 0; i < EACH; i++) {
        if (!ids_new(m->source, m->made[i]))
            m->made[i][0] = '\0';
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void threads_never_get_the_same(void **state)
{
    (void)state;
    static ids source;
    static char made[THREADS * EACH][IDS_LENGTH + 1];
    maker makers[THREADS];
    unsigned seen[16][32] = {{0}};

    ids_init(&source);
    for (size_t i = 0; i < THREADS; i++) {
        makers[i] = (maker){.source = &source, .made = made + i * EACH};
        assert_int_equal(pthread_create(&makers[i].thread, NULL, make_many, &makers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(makers[i].thread, NULL), 0);
    ids_clear(&source);

    for (size_t i = 0; i < COUNT(made); i++) {
        assert_int_equal(strspn(made[i], ALPHABET), IDS_LENGTH);
        assert_true(i % EACH == 0 || strncmp(made[i - 1], made[i], 10) <= 0);
        for (size_t k = 0; k < 16; k++)
            seen[k][strchr(ALPHABET, made[i][10 + k]) - ALPHABET]++;
    }
    qsort(made, COUNT(made), sizeof *made, compare);
    for (size_t i = 1; i < COUNT(made); i++)
        assert_string_not_equal(made[i - 1], made[i]);
    /* Every character at every place; chance would leave one out once in 10^270 runs. */
    for (size_t k = 0; k < 16; k++) {
        for (size_t c = 0; c < 32; c++)
            assert_true(seen[k][c] > 0);
    }
}

static void one_can_be_had_alone(void **state)
{
    (void)state;
    char a[IDS_LENGTH + 1], b[IDS_LENGTH + 1];
    assert_true(ids_new_one(a));
    assert_true(ids_new_one(b));
    assert_int_equal(strspn(a, ALPHABET), IDS_LENGTH);
    assert_string_not_equal(a + 10, b + 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_its_time_and_its_bytes),
        cmocka_unit_test(bytes_are_used_once_and_wiped),
        cmocka_unit_test(threads_never_get_the_same),
        cmocka_unit_test(one_can_be_had_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
