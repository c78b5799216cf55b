/*
 * Tests of what only the PostgreSQL backend has: the session, the pipeline when something in it
 * fails, connections that break, several instances on one database. At POSTERN_TEST_POSTGRESQL, as
 * in test_queue.c; without it, all but the first are skipped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "queue/backend.h"
#include "queue/postgres_link.h"

#define SECOND  ((int64_t)1000000)
#define HOUR    (3600 * SECOND)
#define MANY    300
#define OPENERS 6

static const char *url(void)
{
    return getenv("POSTERN_TEST_POSTGRESQL"); /* NOLINT(concurrency-mt-unsafe): nobody sets it */
}

/* A connection beside the queue's. */
static pg *beside(const char *where)
{
    static pg_shared shared; /* of one test at a time */
    char *error = NULL;
    pg_shared_free(&shared);
    shared = (pg_shared){0};
    assert_true(pg_shared_init(&shared, where, &error));
    pg *p = pg_open(&shared, true, &error);
    if (!p)
        print_message("%s\n", error ? error : "");
    assert_non_null(p);
    return p;
}

static void sql(const char *text)
{
    pg *p = beside(url());
    assert_true(pg_command(p, text));
    pg_close(p);
}

static int set_up(void **state)
{
    *state = NULL;
    if (url()) {
        sql("SET client_min_messages = error");
        sql("DROP SCHEMA public CASCADE");
        sql("CREATE SCHEMA public");
    }
    return 0;
}

#define NEEDS_SERVER()                                                                             \
    do {                                                                                           \
        if (!url())                                                                                \
            skip();                                                                                \
    } while (0)

static int64_t now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * SECOND + t.tv_nsec / 1000;
}

static queue_message message(unsigned n)
{
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    queue_message m = {.next_at = now_us() - SECOND,
                       .expires_at = INT64_MAX,
                       .priority = 5,
                       .body = {.data = "body", .fd = -1, .size = 4}};
    uint64_t ms = (uint64_t)now_us() / 1000;
    for (int k = 9; k >= 0; k--, ms >>= 5)
        m.id[k] = alphabet[ms & 31];
    for (int k = QUEUE_ID - 1; k >= 10; k--, n >>= 5)
        m.id[k] = alphabet[n & 31];
    m.head = (char *)"{}";
    m.recipients = (char *)"[]";
    m.log = (char *)"[]";
    return m;
}

static queue *open_at(const char *where, int64_t patience_us)
{
    char *error = NULL;
    queue *q = queue_open(&(queue_options){.url = where, .patience_us = patience_us}, &error);
    if (!q)
        print_message("%s\n", error ? error : "");
    assert_non_null(q);
    return q;
}

static queue_op putting(const queue_message *m)
{
    return (queue_op){.kind = QUEUE_PUT, .in.put = {.messages = m, .count = 1}};
}

static uint64_t live(queue *q)
{
    queue_op op = {.kind = QUEUE_STATS};
    assert_int_equal(queue_run(q, &op), QUEUE_OK);
    return op.stats.queued + op.stats.sending;
}

/* ---- tests ---- */

/* What libpq says of a URL that it doesn't understand quotes it. */
static void no_error_holds_the_password(void **state)
{
    static const char *const urls[] = {
        "postgresql://me:geheim-7x@127.0.0.1:1/d", "postgresql://me:geheim-7x@[::1/d",
        "postgresql://me:geheim-7x@h:port/d", "postgresql://me:geheim%2D7x@127.0.0.1:1/geheim-7x",
        "postgresql://127.0.0.1:1/d?password=geheim-7x&no_such=geheim-7x"};
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        char *error = NULL;
        assert_null(queue_open(&(queue_options){.url = urls[i]}, &error));
        assert_non_null(error);
        assert_null(strstr(error, "geheim"));
        free(error);
    }
}

static void a_weak_session_is_made_durable(void **state)
{
    static const char *const given[] = {"off", "local", "remote_write", "on", "remote_apply"};
    static const char *const wanted[] = {"on", "local", "remote_write", "on", "remote_apply"};
    (void)state;
    NEEDS_SERVER();
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
        char weak[600];
        (void)snprintf(weak, sizeof weak, "%s?options=-csynchronous_commit%%3D%s", url(), given[i]);
        pg *p = beside(weak);
        PGresult *r = pg_query(p, "", "SHOW synchronous_commit", NULL);
        assert_non_null(r);
        assert_string_equal(PQgetvalue(r, 0, 0), wanted[i]);
        PQclear(r);
        pg_close(p);
    }
}

static void *open_and_close(void *arg)
{
    char *error = NULL;
    queue *q = queue_open(&(queue_options){.url = url(), .writers = 1}, &error);
    if (!q)
        print_message("%s\n", error ? error : "");
    free(error);
    *(bool *)arg = q != NULL;
    if (q)
        queue_close(q, SECOND);
    return NULL;
}

static void instances_may_start_at_once(void **state)
{
    pthread_t threads[OPENERS];
    bool ok[OPENERS];
    (void)state;
    NEEDS_SERVER();
    for (size_t i = 0; i < OPENERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_and_close, &ok[i]), 0);
    for (size_t i = 0; i < OPENERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < OPENERS; i++)
        assert_true(ok[i]);
}

static void tables_of_a_newer_version_are_left_alone(void **state)
{
    char *error = NULL;
    (void)state;
    NEEDS_SERVER();
    queue_close(open_at(url(), 0), SECOND);
    sql("UPDATE postern_version SET version = 99");
    assert_null(queue_open(&(queue_options){.url = url()}, &error));
    assert_non_null(strstr(error, "newer version"));
    free(error);
}

typedef struct counter {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t ended, failed;
} counter;

static void count_end(queue_op *op)
{
    counter *c = op->ctx;
    if (op->outcome != QUEUE_OK)
        print_message("%s\n", op->error ? op->error : "");
    (void)pthread_mutex_lock(&c->lock);
    c->ended++;
    c->failed += op->outcome != QUEUE_OK;
    (void)pthread_cond_signal(&c->changed);
    (void)pthread_mutex_unlock(&c->lock);
    queue_op_clear(op);
}

static void wait_for(counter *c, size_t ended)
{
    (void)pthread_mutex_lock(&c->lock);
    while (c->ended < ended)
        (void)pthread_cond_wait(&c->changed, &c->lock);
    (void)pthread_mutex_unlock(&c->lock);
}

#define COUNTER                                                                                    \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0                                  \
    }

/* Every connection is ended by the administrator, over and over, while messages are put. */
static void a_broken_connection_loses_nothing_and_doubles_nothing(void **state)
{
    static queue_op ops[MANY];
    static queue_message messages[MANY];
    counter c = COUNTER;
    (void)state;
    NEEDS_SERVER();
    queue *q = open_at(url(), 60 * SECOND);
    pg *p = beside(url());
    for (unsigned i = 0; i < MANY; i++) {
        messages[i] = message(i);
        ops[i] = putting(&messages[i]);
        ops[i].done = count_end;
        ops[i].ctx = &c;
        assert_true(queue_submit(q, &ops[i]));
        if (i % 30 == 0)
            assert_true(pg_command(p, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                                      " WHERE datname = current_database()"
                                      " AND pid <> pg_backend_pid()"));
    }
    wait_for(&c, MANY);
    assert_int_equal(c.failed, 0);
    assert_int_equal(live(q), MANY);
    pg_close(p);
    queue_close(q, SECOND);
}

/* A COMMIT whose answer was lost: meanwhile another has sent it. */
static void what_was_done_is_not_put_again(void **state)
{
    (void)state;
    NEEDS_SERVER();
    queue *q = open_at(url(), 0);
    queue_message m = message(1);
    queue_op put = putting(&m);
    assert_int_equal(queue_run(q, &put), QUEUE_OK);
    queue_op claim = {.kind = QUEUE_CLAIM,
                      .in.claim = {.owner = "a", .most = 9, .most_bytes = 1000, .lease_us = HOUR}};
    assert_int_equal(queue_run(q, &claim), QUEUE_OK);
    assert_int_equal(claim.message_count, 1);
    queue_op settle = {.kind = QUEUE_SETTLE,
                       .in.settle = {.owner = "a", .attempt = 1, .state = QUEUE_SENT}};
    memcpy(settle.id, m.id, sizeof settle.id);
    assert_int_equal(queue_run(q, &settle), QUEUE_OK);
    put = putting(&m);
    assert_int_equal(queue_run(q, &put), QUEUE_OK);
    assert_int_equal(live(q), 0);
    pg *p = beside(url());
    PGresult *r = pg_query(p, "", "SELECT count(*) FROM postern_body", NULL);
    assert_non_null(r);
    assert_int_equal(pg_get_int(r, 0, 0), 0);
    PQclear(r);
    pg_close(p);
    queue_op_clear(&claim);
    queue_close(q, SECOND);
}

static void *connect_to_server(void **shared, char **error)
{
    assert_true(queue_postgres.open(&(queue_options){.url = url()}, shared, error));
    void *connection = queue_postgres.connect(*shared, true, error);
    assert_non_null(connection);
    return connection;
}

/* Values that the server can't take fail their own operation, not those beside it. */
static void one_fault_does_not_fail_the_batch(void **state)
{
    queue_message messages[8];
    queue_op ops[8], *batch[8];
    char *error = NULL;
    void *shared = NULL;
    (void)state;
    NEEDS_SERVER();
    void *connection = connect_to_server(&shared, &error);
    for (unsigned i = 0; i < 8; i++) {
        messages[i] = message(i);
        if (i == 3)
            messages[i].head = (char *)"\"\xff\""; /* no UTF-8 */
        ops[i] = putting(&messages[i]);
        batch[i] = &ops[i];
    }
    assert_int_equal(queue_postgres.run(connection, batch, 8, &error), QUEUE_RUN_DONE);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(ops[i].outcome, i == 3 ? QUEUE_FAILED : QUEUE_OK);
    assert_non_null(ops[3].error);
    queue_op_clear(&ops[3]);
    /* Alone it fails as a whole. */
    assert_int_equal(queue_postgres.run(connection, &batch[3], 1, &error), QUEUE_RUN_FAILED);
    assert_non_null(strstr(error, "UTF8"));
    free(error);
    queue_postgres.disconnect(connection);
    queue_postgres.close(shared);
}

/* Has the session end itself where it asks when the next message is due. */
static void end_at_the_next(pg *p)
{
    char text[200];
    PGresult *r = pg_query(p, "",
                           "SELECT name FROM pg_prepared_statements WHERE statement LIKE"
                           " 'SELECT least(%'",
                           NULL);
    assert_non_null(r);
    assert_int_equal(PQntuples(r), 1);
    const char *name = PQgetvalue(r, 0, 0);
    (void)snprintf(text, sizeof text, "DEALLOCATE %s", name);
    assert_true(pg_command(p, text));
    (void)snprintf(text, sizeof text,
                   "PREPARE %s AS SELECT pg_terminate_backend(pg_backend_pid())::int::int8", name);
    assert_true(pg_command(p, text));
    PQclear(r);
}

/* It is committed by then: run again it would bring others, and these wait for their lease's end.
 */
static void a_claim_that_is_done_is_not_lost_with_its_connection(void **state)
{
    char *error = NULL;
    void *shared = NULL;
    (void)state;
    NEEDS_SERVER();
    void *connection = connect_to_server(&shared, &error);
    queue_message m = message(1);
    queue_op put = putting(&m), *batch = &put;
    assert_int_equal(queue_postgres.run(connection, &batch, 1, &error), QUEUE_RUN_DONE);
    end_at_the_next(connection);
    queue_op claim = {.kind = QUEUE_CLAIM,
                      .in.claim = {.owner = "a", .most = 9, .most_bytes = 1000, .lease_us = HOUR}};
    batch = &claim;
    assert_int_equal(queue_postgres.run(connection, &batch, 1, &error), QUEUE_RUN_DONE);
    assert_int_equal(claim.outcome, QUEUE_OK);
    assert_int_equal(claim.message_count, 1);
    assert_true(claim.next_due <= now_us());
    queue_op_clear(&claim);
    assert_int_equal(queue_postgres.run(connection, &batch, 1, &error), QUEUE_RUN_BROKEN);
    free(error);
    queue_postgres.disconnect(connection);
    queue_postgres.close(shared);
}

static void a_missing_permission_is_told(void **state)
{
    (void)state;
    NEEDS_SERVER();
    char reader[600];
    queue_close(open_at(url(), 0), SECOND);
    sql("DROP ROLE IF EXISTS postern_reader");
    sql("CREATE ROLE postern_reader");
    sql("GRANT USAGE ON SCHEMA public TO postern_reader");
    sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO postern_reader");
    (void)snprintf(reader, sizeof reader, "%s?options=-crole%%3Dpostern_reader", url());
    queue *q = open_at(reader, SECOND);
    queue_op op = {.kind = QUEUE_KEY_BEGIN, .in.key = {.key = "k", .keep_until = INT64_MAX}};
    assert_int_equal(queue_run(q, &op), QUEUE_FAILED);
    assert_non_null(strstr(op.error, "lacks a permission"));
    queue_op_clear(&op);
    queue_close(q, SECOND);
    sql("DROP OWNED BY postern_reader");
}

/* As after a failover to a server that isn't promoted yet: tried again until it can be written. */
static void a_server_that_can_only_be_read_is_waited_for(void **state)
{
    counter c = COUNTER;
    (void)state;
    NEEDS_SERVER();
    queue *q = open_at(url(), 60 * SECOND);
    queue_message first = message(1), m = message(2);
    queue_op put = putting(&first), op = putting(&m);
    assert_int_equal(queue_run(q, &put), QUEUE_OK); /* the day's tables are there */
    pg *p = beside(url());
    assert_true(pg_command(p, "ALTER ROLE CURRENT_USER SET default_transaction_read_only = on"));
    assert_true(pg_command(p, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                              " WHERE datname = current_database() AND pid <> pg_backend_pid()"));
    op.done = count_end;
    op.ctx = &c;
    assert_true(queue_submit(q, &op));
    assert_true(pg_command(p, "SELECT pg_sleep(0.3)"));
    assert_int_equal(c.ended, 0);
    assert_true(pg_command(p, "ALTER ROLE CURRENT_USER RESET default_transaction_read_only"));
    wait_for(&c, 1);
    assert_int_equal(c.failed, 0);
    pg_close(p);
    queue_close(q, SECOND);
}

static void woken(void *ctx)
{
    counter *c = ctx;
    (void)pthread_mutex_lock(&c->lock);
    c->ended++;
    (void)pthread_cond_signal(&c->changed);
    (void)pthread_mutex_unlock(&c->lock);
}

static void another_instance_is_woken(void **state)
{
    counter c = COUNTER;
    char *error = NULL;
    (void)state;
    NEEDS_SERVER();
    queue *putter = open_at(url(), 0);
    queue *hearer = queue_open(&(queue_options){.url = url(), .woken = woken, .ctx = &c}, &error);
    assert_non_null(hearer);
    size_t before = 0;
    for (unsigned i = 0; before == 0; i++) { /* until it listens */
        queue_message m = message(i);
        queue_op op = putting(&m);
        assert_int_equal(queue_run(putter, &op), QUEUE_OK);
        (void)pthread_mutex_lock(&c.lock);
        before = c.ended;
        (void)pthread_mutex_unlock(&c.lock);
    }
    queue_message m = message(1u << 20);
    queue_op op = putting(&m);
    assert_int_equal(queue_run(putter, &op), QUEUE_OK);
    wait_for(&c, before + 1);
    queue_close(hearer, SECOND);
    queue_close(putter, SECOND);
}

/* Tables of a day that another instance has dropped meanwhile are made anew. */
static void a_day_that_was_dropped_comes_back(void **state)
{
    (void)state;
    NEEDS_SERVER();
    queue *q = queue_open(&(queue_options){.url = url(), .writers = 1}, &(char *){NULL});
    assert_non_null(q);
    queue_message first = message(1), second = message(2);
    queue_op op = putting(&first);
    char drop[200];
    assert_int_equal(queue_run(q, &op), QUEUE_OK);
    int day = queue_day_of(first.id);
    (void)snprintf(drop, sizeof drop, "DROP TABLE postern_done_%d, postern_tag_%d", day, day);
    sql(drop);
    sql("DELETE FROM postern_day");
    op = putting(&second);
    assert_int_equal(queue_run(q, &op), QUEUE_OK);
    assert_int_equal(live(q), 2);
    queue_close(q, SECOND);
}

/* A large body comes back as a file where the options say, and in memory where there is no folder
 * for it: a container without one must be able to try again. */
static void a_large_body_needs_no_folder(void **state)
{
    static const char *const folders[] = {"/dev/shm", "", "/nowhere"};
    static char body[3 * QUEUE_SMALL + 17];
    char *error = NULL;
    (void)state;
    NEEDS_SERVER();
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (char)(i * 7 + i / 1000);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        queue *q = queue_open(&(queue_options){.url = url(), .files = folders[i]}, &error);
        assert_non_null(q);
        queue_message m = message((unsigned)i);
        m.body = (queue_body){.data = body, .fd = -1, .size = sizeof body};
        queue_op op = putting(&m);
        assert_int_equal(queue_run(q, &op), QUEUE_OK);
        op = (queue_op){
            .kind = QUEUE_CLAIM,
            .in.claim = {.owner = "a", .most = 9, .most_bytes = sizeof body, .lease_us = HOUR}};
        assert_int_equal(queue_run(q, &op), QUEUE_OK);
        assert_int_equal(op.message_count, 1);
        const queue_body *b = &op.messages[0].body;
        assert_int_equal(b->size, sizeof body);
        assert_true((b->data != NULL) == (i > 0));
        char *got = b->data ? (char *)b->data : malloc(sizeof body);
        assert_non_null(got);
        if (!b->data)
            assert_int_equal(pread(b->fd, got, sizeof body, 0), sizeof body);
        assert_memory_equal(got, body, sizeof body);
        if (!b->data)
            free(got);
        queue_op_clear(&op);
        queue_close(q, SECOND);
    }
}

/* ---- a batch whose operations share statements ---- */

#define IN_BATCH 70 /* more than a statement has rows */

static void run_batch(void *connection, queue_op *ops, size_t count)
{
    queue_op *batch[IN_BATCH + 1];
    char *error = NULL;
    for (size_t i = 0; i < count; i++)
        batch[i] = &ops[i];
    assert_int_equal(queue_postgres.run(connection, batch, count, &error), QUEUE_RUN_DONE);
    assert_null(error);
}

static void *connect_backend(void **shared)
{
    char *error = NULL;
    assert_true(queue_postgres.open(&(queue_options){.url = url()}, shared, &error));
    void *connection = queue_postgres.connect(*shared, true, &error);
    assert_non_null(connection);
    return connection;
}

static void settle_of(queue_op *op, const char *id, const char *owner, queue_state state)
{
    *op = (queue_op){.kind = QUEUE_SETTLE,
                     .in.settle = {.owner = owner, .attempt = 1, .state = state, .log = "[1]"}};
    memcpy(op->id, id, sizeof op->id);
}

static void each_of_a_batch_has_its_own_outcome(void **state)
{
    static queue_message messages[IN_BATCH];
    static queue_op ops[IN_BATCH + 1];
    void *shared, *connection;
    (void)state;
    NEEDS_SERVER();
    connection = connect_backend(&shared);
    for (unsigned i = 0; i < IN_BATCH; i++) {
        messages[i] = message(i + 1);
        messages[i].state = QUEUE_SENDING;
        ops[i] = putting(&messages[i]);
        ops[i].in.put.owner = "me";
        ops[i].in.put.lease_us = 60 * SECOND;
    }
    ops[IN_BATCH] = ops[2]; /* the same once more */
    run_batch(connection, ops, IN_BATCH + 1);
    for (size_t i = 0; i < IN_BATCH + 1; i++)
        assert_int_equal(ops[i].outcome, QUEUE_OK);

    for (size_t i = 0; i < IN_BATCH - 1; i++)
        settle_of(&ops[i], messages[i].id, i == 5 ? "another" : "me", QUEUE_SENT);
    settle_of(&ops[IN_BATCH - 1], messages[7].id, "me", QUEUE_SENT);
    settle_of(&ops[IN_BATCH], messages[8].id, "me", QUEUE_FAILED_STATE);
    run_batch(connection, ops, IN_BATCH + 1);
    for (size_t i = 0; i < IN_BATCH + 1; i++)
        assert_int_equal(ops[i].outcome, i == 5 || i == IN_BATCH ? QUEUE_LOST : QUEUE_OK);

    static const size_t looked_at[] = {5, 8, IN_BATCH - 1};
    static const queue_state left[] = {QUEUE_SENDING, QUEUE_SENT, QUEUE_SENDING};
    for (size_t i = 0; i < 3; i++) {
        queue_op get = {.kind = QUEUE_GET};
        memcpy(get.id, messages[looked_at[i]].id, sizeof get.id);
        run_batch(connection, &get, 1);
        assert_int_equal(get.outcome, QUEUE_OK);
        assert_int_equal(get.messages[0].state, left[i]);
        assert_string_equal(get.messages[0].log, left[i] == QUEUE_SENT ? "[1]" : "[]");
        queue_op_clear(&get);
    }
    queue_postgres.disconnect(connection);
    queue_postgres.close(shared);
}

static void looks_of_a_batch_are_told_apart(void **state)
{
    const queue_suppressed entries[] = {
        {.address = (char *)"a@x", .list = (char *)"", .reason = (char *)"one", .since = 1},
        {.address = (char *)"b@x", .list = (char *)"news", .reason = (char *)"two", .since = 2},
    };
    const char *const a[] = {"c@x", "a@x", NULL}, *const b[] = {"b@x", NULL},
                      *const none[] = {NULL};
    const struct {
        const char *const *addresses;
        const char *list, *found;
    } looks[] = {{a, "", "a@x"},       {b, "", NULL},      {b, "news", "b@x"},
                 {none, "news", NULL}, {a, "news", "a@x"}, {b, NULL, "b@x"}};
    queue_op ops[6], put = {.kind = QUEUE_SUPPRESS};
    void *shared, *connection;
    (void)state;
    NEEDS_SERVER();
    connection = connect_backend(&shared);
    put.in.suppress.entries = entries;
    put.in.suppress.count = 2;
    run_batch(connection, &put, 1);
    for (size_t i = 0; i < 6; i++) {
        ops[i] = (queue_op){.kind = QUEUE_SUPPRESSED};
        ops[i].in.suppress.addresses = looks[i].addresses;
        ops[i].in.suppress.list = looks[i].list;
    }
    run_batch(connection, ops, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(ops[i].suppressed_count, looks[i].found ? 1 : 0);
        if (looks[i].found)
            assert_string_equal(ops[i].suppressed[0].address, looks[i].found);
        queue_op_clear(&ops[i]);
    }
    queue_postgres.disconnect(connection);
    queue_postgres.close(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_error_holds_the_password),
        cmocka_unit_test(a_weak_session_is_made_durable),
        cmocka_unit_test_setup(instances_may_start_at_once, set_up),
        cmocka_unit_test_setup(tables_of_a_newer_version_are_left_alone, set_up),
        cmocka_unit_test_setup(a_broken_connection_loses_nothing_and_doubles_nothing, set_up),
        cmocka_unit_test_setup(what_was_done_is_not_put_again, set_up),
        cmocka_unit_test_setup(one_fault_does_not_fail_the_batch, set_up),
        cmocka_unit_test_setup(a_claim_that_is_done_is_not_lost_with_its_connection, set_up),
        cmocka_unit_test_setup(each_of_a_batch_has_its_own_outcome, set_up),
        cmocka_unit_test_setup(looks_of_a_batch_are_told_apart, set_up),
        cmocka_unit_test_setup(a_missing_permission_is_told, set_up),
        cmocka_unit_test_setup(a_server_that_can_only_be_read_is_waited_for, set_up),
        cmocka_unit_test_setup(another_instance_is_woken, set_up),
        cmocka_unit_test_setup(a_day_that_was_dropped_comes_back, set_up),
        cmocka_unit_test_setup(a_large_body_needs_no_folder, set_up),
    };
    return cmocka_run_group_tests_name("queue_postgres", tests, NULL, NULL);
}
