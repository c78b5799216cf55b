/* Tests of queue/queue.c alone, on a backend that does what a test wants: it takes SQLite's name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include <cmocka.h>

#include "queue/backend.h"

#define SECOND   ((int64_t)1000000)
#define COUNT(a) (sizeof(a) / sizeof *(a))

static struct {
    atomic_int connects_fail, runs_break, runs_fail; /* so many times */
    atomic_bool hold;                                /* runs wait until it is false */
    atomic_bool word;                                /* the listener's */
    atomic_size_t runs, ran, largest, connects;
} fake;

static bool fake_open(const queue_options *options, void **shared, char **error)
{
    (void)options, (void)error;
    *shared = &fake;
    return true;
}

static void fake_close(void *shared)
{
    (void)shared;
}

static bool due(atomic_int *times)
{
    return atomic_load(times) > 0 && atomic_fetch_sub(times, 1) > 0;
}

static void *fake_connect(void *shared, bool writes, char **error)
{
    (void)writes;
    atomic_fetch_add(&fake.connects, 1);
    if (!due(&fake.connects_fail))
        return shared;
    *error = strdup("nobody is there");
    return NULL;
}

static void fake_disconnect(void *connection)
{
    (void)connection;
}

static void nap(void)
{
    (void)nanosleep(&(struct timespec){0, 1000000}, NULL);
}

static queue_run_result fake_run(void *connection, queue_op *const *ops, size_t count, char **error)
{
    (void)connection;
    atomic_fetch_add(&fake.runs, 1);
    while (atomic_load(&fake.hold))
        nap();
    bool breaks = due(&fake.runs_break);
    if (breaks || due(&fake.runs_fail)) {
        *error = strdup("it went wrong");
        return breaks ? QUEUE_RUN_BROKEN : QUEUE_RUN_FAILED;
    }
    for (size_t i = 0; i < count; i++)
        queue_op_clear(ops[i]);
    atomic_fetch_add(&fake.ran, count);
    if (count > atomic_load(&fake.largest))
        atomic_store(&fake.largest, count);
    return QUEUE_RUN_DONE;
}

static bool fake_listen(void *connection, int ms)
{
    (void)connection;
    for (int i = 0; i < ms && !atomic_load(&fake.word); i++)
        nap();
    return atomic_exchange(&fake.word, false);
}

const queue_backend queue_sqlite = {
    .name = "fake",
    .scheme = "sqlite:",
    .writers = 1,
    .readers = 1,
    .open = fake_open,
    .close = fake_close,
    .connect = fake_connect,
    .disconnect = fake_disconnect,
    .run = fake_run,
    .listen = fake_listen,
};

static int set_up(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof fake);
    return 0;
}

static queue *open_patient(int64_t patience_us)
{
    char *error = NULL;
    queue *q = queue_open(
        &(queue_options){.url = "sqlite:x", .batch = 8, .patience_us = patience_us}, &error);
    assert_non_null(q);
    assert_string_equal(queue_backend_name(q), "fake");
    return q;
}

static void a_broken_connection_is_made_anew(void **state)
{
    (void)state;
    queue *q = open_patient(600 * SECOND);
    queue_op op = {.kind = QUEUE_CLEAN};
    atomic_store(&fake.runs_break, 2);
    atomic_store(&fake.connects_fail, 1);
    assert_int_equal(queue_run(q, &op), QUEUE_OK);
    assert_int_equal(fake.runs, 3);
    assert_int_equal(fake.ran, 1);
    assert_int_equal(fake.connects, 2 + 3);
    queue_close(q, SECOND);
}

static void patience_ends(void **state)
{
    (void)state;
    queue *q = open_patient(SECOND / 10);
    queue_op op = {.kind = QUEUE_GET};
    atomic_store(&fake.runs_break, 1000000);
    assert_int_equal(queue_run(q, &op), QUEUE_FAILED);
    assert_non_null(strstr(op.error, "it went wrong"));
    assert_non_null(strstr(op.error, "not known"));
    assert_true(fake.runs > 1);
    atomic_store(&fake.runs_break, 0);
    assert_int_equal(queue_run(q, &op), QUEUE_OK); /* and then it works again */
    queue_close(q, SECOND);
}

static void what_is_no_use_is_not_tried_again(void **state)
{
    (void)state;
    queue *q = open_patient(600 * SECOND);
    queue_op op = {.kind = QUEUE_CLEAN};
    atomic_store(&fake.runs_fail, 1);
    assert_int_equal(queue_run(q, &op), QUEUE_FAILED);
    assert_string_equal(op.error, "it went wrong");
    assert_int_equal(fake.runs, 1);
    assert_false(op.doubtful);
    queue_op_clear(&op);
    atomic_store(&fake.runs_break, 1); /* but here a former run may have been committed */
    atomic_store(&fake.runs_fail, 1);
    assert_int_equal(queue_run(q, &op), QUEUE_FAILED);
    assert_true(op.doubtful);
    queue_op_clear(&op);
    queue_close(q, SECOND);
}

static void nobody_there_at_the_start(void **state)
{
    (void)state;
    char *error = NULL;
    atomic_store(&fake.connects_fail, 1);
    assert_null(queue_open(&(queue_options){.url = "sqlite:x"}, &error));
    assert_string_equal(error, "nobody is there");
    free(error);
}

static void count_done(queue_op *op)
{
    atomic_fetch_add((atomic_size_t *)op->ctx, op->outcome == QUEUE_OK ? 1 : 1000);
}

/* While one batch is run the next gathers, up to its bound. */
static void what_waits_is_one_batch(void **state)
{
    (void)state;
    queue *q = open_patient(600 * SECOND);
    queue_op ops[21] = {0};
    atomic_size_t done = 0;
    atomic_store(&fake.hold, true);
    for (size_t i = 0; i < COUNT(ops); i++) {
        ops[i] = (queue_op){.kind = QUEUE_CLEAN, .done = count_done, .ctx = &done};
        assert_true(queue_submit(q, &ops[i]));
        while (i == 0 && atomic_load(&fake.runs) == 0)
            nap();
    }
    atomic_store(&fake.hold, false);
    queue_close(q, 600 * SECOND);
    assert_int_equal(done, COUNT(ops));
    assert_int_equal(fake.runs, 4); /* 1, 8, 8, 4 */
    assert_int_equal(fake.largest, 8);
}

static void closing_does_not_wait_for_a_database_that_is_away(void **state)
{
    (void)state;
    queue *q = open_patient(INT64_MAX / 4);
    queue_op ops[20] = {0};
    atomic_size_t done = 0;
    atomic_store(&fake.runs_break, 1000000);
    for (size_t i = 0; i < COUNT(ops); i++) {
        ops[i] = (queue_op){.kind = QUEUE_CLEAN, .done = count_done, .ctx = &done};
        assert_true(queue_submit(q, &ops[i]));
    }
    queue_close(q, SECOND / 10);
    assert_int_equal(done, 1000 * COUNT(ops));
    for (size_t i = 0; i < COUNT(ops); i++) {
        assert_non_null(ops[i].error);
        queue_op_clear(&ops[i]);
    }
}

/* Closed after a run broke: whether it was kept before is not known, and that is said. */
static void closing_tells_what_is_doubtful(void **state)
{
    (void)state;
    queue *q = open_patient(INT64_MAX / 4);
    queue_op ops[2] = {{0}};
    atomic_size_t done = 0;
    atomic_store(&fake.runs_break, 1000000);
    for (size_t i = 0; i < COUNT(ops); i++) {
        ops[i] = (queue_op){.kind = QUEUE_CLEAN, .done = count_done, .ctx = &done};
        assert_true(queue_submit(q, &ops[i]));
        while (i == 0 && atomic_load(&fake.runs) == 0)
            nap();
    }
    queue_close(q, SECOND / 10);
    assert_int_equal(done, 2000);
    assert_true(ops[0].doubtful);
    assert_false(ops[1].doubtful); /* it was never run */
    queue_op_clear(&ops[0]);
    queue_op_clear(&ops[1]);
}

static void hear_word(void *ctx)
{
    atomic_fetch_add((atomic_size_t *)ctx, 1);
}

static void the_listener_wakes(void **state)
{
    (void)state;
    char *error = NULL;
    atomic_size_t heard = 0;
    queue *q =
        queue_open(&(queue_options){.url = "sqlite:x", .woken = hear_word, .ctx = &heard}, &error);
    assert_non_null(q);
    atomic_store(&fake.word, true);
    while (atomic_load(&heard) == 0)
        nap();
    queue_close(q, SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_broken_connection_is_made_anew, set_up),
        cmocka_unit_test_setup(patience_ends, set_up),
        cmocka_unit_test_setup(what_is_no_use_is_not_tried_again, set_up),
        cmocka_unit_test_setup(nobody_there_at_the_start, set_up),
        cmocka_unit_test_setup(what_waits_is_one_batch, set_up),
        cmocka_unit_test_setup(closing_does_not_wait_for_a_database_that_is_away, set_up),
        cmocka_unit_test_setup(closing_tells_what_is_doubtful, set_up),
        cmocka_unit_test_setup(the_listener_wakes, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
