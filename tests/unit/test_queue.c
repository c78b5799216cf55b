/*
 * Tests of queue/: one list, run on every backend there is. SQLite always, in a folder of its own;
 * PostgreSQL where POSTERN_TEST_POSTGRESQL is the URL of a database that is the test's own: all in
 * it is dropped. Those that spoil a disk or kill a process come after, and are SQLite's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "queue/backend.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define SECOND   ((int64_t)1000000)
#define HOUR     (3600 * SECOND)
#define DAY      (24 * HOUR)
#define BIG      (QUEUE_SMALL + 12345)

typedef struct fixture {
    const char *postgresql; /* NULL: SQLite */
    char folder[64];
    char url[256];
    queue *q;
} fixture;

/* ---- what tests are made of ---- */

static int64_t now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * SECOND + t.tv_nsec / 1000;
}

/* The n-th id of a millisecond. */
static const char *id_at(char out[QUEUE_ID + 1], int64_t us, unsigned n)
{
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint64_t ms = (uint64_t)us / 1000;
    for (int k = 9; k >= 0; k--, ms >>= 5)
        out[k] = alphabet[ms & 31];
    for (int k = QUEUE_ID - 1; k >= 10; k--, n >>= 5)
        out[k] = alphabet[n & 31];
    out[QUEUE_ID] = '\0';
    return out;
}

static queue_message message(unsigned n, const char *body)
{
    queue_message m = {
        .next_at = now_us(), .expires_at = now_us() + DAY, .priority = 5, .body = {.fd = -1}};
    (void)id_at(m.id, now_us(), n);
    m.head = (char *)"{\"from\":\"a@example.com\"}";
    m.recipients = (char *)"[\"b@example.net\"]";
    m.log = (char *)"[]";
    m.body.data = body;
    m.body.size = strlen(body);
    return m;
}

static queue *open_queue(const char *url)
{
    char *error = NULL;
    queue *q = queue_open(&(queue_options){.url = url}, &error);
    if (!q)
        print_message("%s\n", error ? error : "(no reason)");
    assert_non_null(q);
    return q;
}

/* Runs it and wants that outcome; outputs are the caller's to clear. */
static void run(queue *q, queue_op *op, queue_outcome wanted)
{
    queue_outcome got = queue_run(q, op);
    if (got != wanted)
        print_message("kind %d: %s\n", (int)op->kind, op->error ? op->error : "");
    assert_int_equal(got, wanted);
}

static void put(queue *q, const queue_message *m)
{
    queue_op op = {.kind = QUEUE_PUT, .in.put = {.messages = m, .count = 1}};
    run(q, &op, QUEUE_OK);
    queue_op_clear(&op);
}

static queue_op claim(queue *q, const char *owner, size_t most, int64_t lease_us)
{
    queue_op op = {
        .kind = QUEUE_CLAIM,
        .in.claim = {.owner = owner, .most = most, .most_bytes = 1 << 30, .lease_us = lease_us}};
    run(q, &op, QUEUE_OK);
    return op;
}

static size_t claimed(queue *q, const char *owner)
{
    queue_op op = claim(q, owner, 100, HOUR);
    size_t n = op.message_count;
    queue_op_clear(&op);
    return n;
}

static queue_op settling(const char *id, const char *owner, unsigned attempt, queue_state state)
{
    queue_op op = {.kind = QUEUE_SETTLE,
                   .in.settle = {.owner = owner,
                                 .attempt = attempt,
                                 .state = state,
                                 .next_at = now_us(),
                                 .recipients = "[\"settled\"]",
                                 .log = "[1]"}};
    memcpy(op.id, id, sizeof op.id);
    return op;
}

static void settle(queue *q, const char *id, const char *owner, unsigned attempt, queue_state state,
                   queue_outcome wanted)
{
    queue_op op = settling(id, owner, attempt, state);
    run(q, &op, wanted);
    queue_op_clear(&op);
}

static queue_op get(queue *q, const char *id, queue_outcome wanted)
{
    queue_op op = {.kind = QUEUE_GET};
    memcpy(op.id, id, sizeof op.id);
    run(q, &op, wanted);
    return op;
}

static void assert_state(queue *q, const char *id, queue_state state, unsigned attempts)
{
    queue_op op = get(q, id, QUEUE_OK);
    assert_int_equal(op.message_count, 1);
    assert_string_equal(op.messages[0].id, id);
    assert_int_equal(op.messages[0].state, state);
    assert_int_equal(op.messages[0].attempts, attempts);
    queue_op_clear(&op);
}

static void sleep_us(int64_t us)
{
    (void)nanosleep(&(struct timespec){us / SECOND, us % SECOND * 1000}, NULL);
}

/* ---- fixtures ---- */

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *walk)
{
    (void)st, (void)type, (void)walk;
    return remove(name);
}

static void remove_folder(const char *folder)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe) */
    (void)nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* These tests have one thread where they use what isn't safe with several.
 * NOLINTBEGIN(concurrency-mt-unsafe) */

static const char *postgresql_url(void)
{
    return getenv("POSTERN_TEST_POSTGRESQL");
}

static size_t files_in(const char *folder, const char *sub)
{
    char name[128];
    size_t n = 0;
    (void)snprintf(name, sizeof name, "%s/%s", folder, sub);
    DIR *d = opendir(name);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    (void)closedir(d);
    return n;
}

static fixture *fixture_new(const char *postgresql)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->postgresql = postgresql;
    if (!postgresql) {
        (void)snprintf(f->folder, sizeof f->folder, "/var/tmp/postern-queue-XXXXXX");
        assert_non_null(mkdtemp(f->folder));
        (void)snprintf(f->url, sizeof f->url, "sqlite:%s", f->folder);
    } else {
        char command[600];
        (void)snprintf(f->url, sizeof f->url, "%s", postgresql);
        (void)snprintf(command, sizeof command,
                       "psql -q '%s' -c 'SET client_min_messages = error;"
                       " DROP SCHEMA public CASCADE; CREATE SCHEMA public' >/dev/null",
                       postgresql);
        assert_int_equal(system(command), 0);
    }
    return f;
}

/* NOLINTEND(concurrency-mt-unsafe) */

static int set_up(void **state)
{
    fixture *f = fixture_new(NULL);
    f->q = open_queue(f->url);
    *state = f;
    return 0;
}

static int set_up_postgresql(void **state)
{
    fixture *f = fixture_new(postgresql_url());
    f->q = open_queue(f->url);
    *state = f;
    return 0;
}

static int set_up_folder(void **state)
{
    *state = fixture_new(NULL);
    return 0;
}

/* Whatever a test left half done. */
static int tear_down(void **state)
{
    fixture *f = *state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    if (f->q)
        queue_close(f->q, SECOND);
    if (f->folder[0]) {
        (void)umount(f->folder);
        remove_folder(f->folder);
    }
    free(f);
    return 0;
}

static void reopen(fixture *f)
{
    queue_close(f->q, 10 * SECOND);
    f->q = open_queue(f->url);
}

/* ---- messages ---- */

static void a_message_goes_its_way(void **state)
{
    fixture *f = *state;
    queue_message m = message(1, "Subject: one\r\n\r\nbody\r\n");
    m.priority = 7;

    put(f->q, &m);
    queue_op op = get(f->q, m.id, QUEUE_OK);
    assert_string_equal(op.messages[0].id, m.id);
    assert_int_equal(op.messages[0].state, QUEUE_QUEUED);
    assert_int_equal(op.messages[0].priority, 7);
    assert_true(op.messages[0].next_at == m.next_at && op.messages[0].expires_at == m.expires_at);
    assert_string_equal(op.messages[0].head, m.head);
    assert_string_equal(op.messages[0].recipients, m.recipients);
    assert_string_equal(op.messages[0].log, m.log);
    queue_op_clear(&op);

    op = claim(f->q, "a", 10, HOUR);
    assert_int_equal(op.message_count, 1);
    assert_string_equal(op.messages[0].id, m.id);
    assert_int_equal(op.messages[0].attempts, 0);
    assert_string_equal(op.messages[0].head, m.head);
    assert_int_equal(op.messages[0].body.size, m.body.size);
    assert_memory_equal(op.messages[0].body.data, m.body.data, m.body.size);
    queue_op_clear(&op);
    assert_state(f->q, m.id, QUEUE_SENDING, 0);
    assert_int_equal(claimed(f->q, "a"), 0);

    settle(f->q, m.id, "a", 1, QUEUE_QUEUED, QUEUE_OK);
    assert_state(f->q, m.id, QUEUE_QUEUED, 1);
    op = claim(f->q, "b", 10, HOUR);
    assert_int_equal(op.message_count, 1);
    assert_int_equal(op.messages[0].attempts, 1);
    assert_string_equal(op.messages[0].recipients, "[\"settled\"]");
    assert_string_equal(op.messages[0].log, "[1]");
    queue_op_clear(&op);
    settle(f->q, m.id, "b", 2, QUEUE_SENT, QUEUE_OK);
    assert_state(f->q, m.id, QUEUE_SENT, 2);
    op = get(f->q, m.id, QUEUE_OK);
    assert_string_equal(op.messages[0].head, m.head);
    assert_string_equal(op.messages[0].recipients, "[\"settled\"]");
    assert_string_equal(op.messages[0].log, "[1]");
    queue_op_clear(&op);
    assert_int_equal(claimed(f->q, "a"), 0);
}

static void every_state_ends_a_message(void **state)
{
    fixture *f = *state;
    for (int s = QUEUE_SENT; s < QUEUE_STATES; s++) {
        queue_message m = message((unsigned)s, "x");
        put(f->q, &m);
        assert_int_equal(claimed(f->q, "a"), 1);
        settle(f->q, m.id, "a", 1, (queue_state)s, QUEUE_OK);
        assert_state(f->q, m.id, (queue_state)s, 1);
    }
}

static void what_is_not_there_is_not_found(void **state)
{
    fixture *f = *state;
    char id[QUEUE_ID + 1];
    queue_op op = get(f->q, id_at(id, now_us(), 1), QUEUE_NOT_FOUND);
    queue_op_clear(&op);
    op = get(f->q, id_at(id, now_us() - 9 * DAY, 1), QUEUE_NOT_FOUND);
    queue_op_clear(&op);
    memset(id, '!', QUEUE_ID);
    op = get(f->q, id, QUEUE_NOT_FOUND);
    queue_op_clear(&op);
    settle(f->q, id, "a", 1, QUEUE_SENT, QUEUE_LOST);
    op = (queue_op){.kind = QUEUE_CANCEL};
    (void)id_at(op.id, now_us(), 7);
    run(f->q, &op, QUEUE_NOT_FOUND);
    queue_op_clear(&op);
}

static void a_wrong_id_fails_alone(void **state)
{
    fixture *f = *state;
    queue_message m = message(1, "x");
    m.id[0] = 'u';
    queue_op op = {.kind = QUEUE_PUT, .in.put = {.messages = &m, .count = 1}};
    run(f->q, &op, QUEUE_FAILED);
    assert_non_null(op.error);
    queue_op_clear(&op);
}

static void the_most_urgent_and_then_the_oldest_go_first(void **state)
{
    fixture *f = *state;
    static const struct {
        int priority;
        int64_t age;
        int place;
    } cases[] = {{5, 1, 3}, {9, 1, 1}, {0, 9, 4}, {5, 2, 2}, {9, 5, 0}};
    char ids[COUNT(cases)][QUEUE_ID + 1];
    int64_t now = now_us();

    for (unsigned i = 0; i < COUNT(cases); i++) {
        queue_message m = message(i, "x");
        m.priority = cases[i].priority;
        m.next_at = now - cases[i].age * SECOND;
        memcpy(ids[cases[i].place], m.id, sizeof m.id);
        put(f->q, &m);
    }
    queue_op op = claim(f->q, "a", 2, HOUR);
    assert_int_equal(op.message_count, 2);
    assert_string_equal(op.messages[0].id, ids[0]);
    assert_string_equal(op.messages[1].id, ids[1]);
    assert_true(op.next_due <= now);
    queue_op_clear(&op);
    op = claim(f->q, "a", 10, HOUR);
    assert_int_equal(op.message_count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(op.messages[i].id, ids[2 + i]);
    queue_op_clear(&op);
}

static void what_is_not_due_waits(void **state)
{
    fixture *f = *state;
    queue_op op = claim(f->q, "a", 10, HOUR);
    assert_int_equal(op.message_count, 0);
    assert_true(op.next_due == INT64_MAX);
    queue_op_clear(&op);
    int64_t due = now_us() + HOUR;
    queue_message m = message(1, "x");
    m.next_at = due;
    put(f->q, &m);
    m = message(2, "x");
    m.next_at = due + HOUR;
    m.priority = 9;
    put(f->q, &m);
    op = claim(f->q, "a", 10, HOUR);
    assert_int_equal(op.message_count, 0);
    assert_true(op.next_due == due);
    queue_op_clear(&op);
    op = (queue_op){.kind = QUEUE_STATS};
    m = message(3, "x");
    m.next_at = due - 2 * HOUR;
    put(f->q, &m);
    run(f->q, &op, QUEUE_OK);
    assert_int_equal(op.stats.queued, 3);
    assert_int_equal(op.stats.scheduled, 2);
    assert_int_equal(op.stats.sending, 0);
    assert_true(op.stats.oldest_due == m.next_at);
    queue_op_clear(&op);
}

static void a_claim_keeps_its_bounds(void **state)
{
    fixture *f = *state;
    char body[1001];
    memset(body, 'x', sizeof body - 1);
    body[sizeof body - 1] = '\0';
    for (unsigned i = 0; i < 6; i++) {
        queue_message m = message(i, body);
        put(f->q, &m);
    }
    static const struct {
        size_t most;
        uint64_t bytes;
        size_t given;
    } cases[] = {{9, 2500, 2}, {1, 99999, 1}, {9, 1, 1}, {9, 99999, 2}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        queue_op op = {.kind = QUEUE_CLAIM,
                       .in.claim = {.owner = "a",
                                    .most = cases[i].most,
                                    .most_bytes = cases[i].bytes,
                                    .lease_us = HOUR}};
        run(f->q, &op, QUEUE_OK);
        assert_int_equal(op.message_count, cases[i].given);
        queue_op_clear(&op);
    }
}

static void a_message_can_be_leased_as_it_is_put(void **state)
{
    fixture *f = *state;
    queue_message m = message(1, "x");
    m.state = QUEUE_SENDING;
    queue_op op = {.kind = QUEUE_PUT,
                   .in.put = {.messages = &m, .count = 1, .owner = "a", .lease_us = HOUR}};
    run(f->q, &op, QUEUE_OK);
    queue_op_clear(&op);
    assert_int_equal(claimed(f->q, "a"), 0);
    settle(f->q, m.id, "b", 1, QUEUE_SENT, QUEUE_LOST);
    settle(f->q, m.id, "a", 1, QUEUE_SENT, QUEUE_OK);
    assert_state(f->q, m.id, QUEUE_SENT, 1);
}

static void a_lease_runs_out(void **state)
{
    fixture *f = *state;
    queue_message m = message(1, "x");
    put(f->q, &m);
    queue_op op = claim(f->q, "a", 10, SECOND / 20);
    assert_int_equal(op.message_count, 1);
    queue_op_clear(&op);
    while (claimed(f->q, "b") == 0)
        sleep_us(SECOND / 100);
    settle(f->q, m.id, "a", 1, QUEUE_SENT, QUEUE_LOST);
    assert_state(f->q, m.id, QUEUE_SENDING, 0);
    settle(f->q, m.id, "b", 1, QUEUE_FAILED_STATE, QUEUE_OK);
    settle(f->q, m.id, "a", 1, QUEUE_SENT, QUEUE_LOST);
    assert_state(f->q, m.id, QUEUE_FAILED_STATE, 1);
}

static void an_operation_run_again_does_no_harm(void **state)
{
    fixture *f = *state;
    queue_message m = message(1, "x");
    put(f->q, &m);
    put(f->q, &m);
    assert_int_equal(claimed(f->q, "a"), 1);
    put(f->q, &m);
    assert_state(f->q, m.id, QUEUE_SENDING, 0);
    settle(f->q, m.id, "a", 1, QUEUE_QUEUED, QUEUE_OK);
    settle(f->q, m.id, "a", 1, QUEUE_QUEUED, QUEUE_OK);
    assert_int_equal(claimed(f->q, "a"), 1);
    settle(f->q, m.id, "a", 1, QUEUE_QUEUED, QUEUE_OK); /* and doesn't end the new lease */
    assert_state(f->q, m.id, QUEUE_SENDING, 1);
    assert_int_equal(claimed(f->q, "b"), 0);

    queue_event event = {.payload = (char *)"{}", .next_at = now_us()};
    (void)id_at(event.id, now_us(), 77);
    queue_op op = settling(m.id, "a", 2, QUEUE_SENT);
    op.in.settle.events = &event;
    op.in.settle.event_count = 1;
    for (int i = 0; i < 3; i++) {
        run(f->q, &op, QUEUE_OK);
        queue_op_clear(&op);
        put(f->q, &m);
        assert_state(f->q, m.id, QUEUE_SENT, 2);
    }
    op = (queue_op){.kind = QUEUE_STATS};
    run(f->q, &op, QUEUE_OK);
    assert_int_equal(op.stats.events, 1);
    assert_int_equal(op.stats.queued + op.stats.sending, 0);
    queue_op_clear(&op);
    settle(f->q, m.id, "a", 2, QUEUE_FAILED_STATE, QUEUE_LOST);
}

static void a_batch_of_messages_is_kept_whole(void **state)
{
    fixture *f = *state;
    queue_message m[50];
    static const char *const tag[] = {"news", NULL};
    const char *const *tags[50];
    for (unsigned i = 0; i < COUNT(m); i++) {
        m[i] = message(i, "x");
        tags[i] = i % 2 ? tag : NULL;
    }
    queue_op op = {.kind = QUEUE_PUT, .in.put = {.messages = m, .count = 50, .tags = tags}};
    run(f->q, &op, QUEUE_OK);
    queue_op_clear(&op);
    op = (queue_op){.kind = QUEUE_LIST, .in.list = {.tag = "news", .state = -1, .most = 100}};
    run(f->q, &op, QUEUE_OK);
    assert_int_equal(op.message_count, 25);
    queue_op_clear(&op);
    assert_int_equal(claimed(f->q, "a"), 50);
    m[0] = message(100, "x");
    m[49].id[0] = 'u';
    op = (queue_op){.kind = QUEUE_PUT, .in.put = {.messages = m, .count = 50}};
    run(f->q, &op, QUEUE_FAILED);
    queue_op_clear(&op);
    op = get(f->q, m[0].id, QUEUE_NOT_FOUND);
    queue_op_clear(&op);
}

static void cancelling(void **state)
{
    fixture *f = *state;
    queue_message m = message(1, "x");
    queue_op op = {.kind = QUEUE_CANCEL};
    memcpy(op.id, m.id, sizeof op.id);
    put(f->q, &m);
    for (int i = 0; i < 2; i++) { /* once more is no conflict */
        run(f->q, &op, QUEUE_OK);
        queue_op_clear(&op);
        assert_state(f->q, m.id, QUEUE_CANCELLED, 0);
    }
    assert_int_equal(claimed(f->q, "a"), 0);
    m = message(2, "x");
    memcpy(op.id, m.id, sizeof op.id);
    put(f->q, &m);
    assert_int_equal(claimed(f->q, "a"), 1);
    run(f->q, &op, QUEUE_CONFLICT);
    assert_int_equal(op.found, QUEUE_SENDING);
    queue_op_clear(&op);
    settle(f->q, m.id, "a", 1, QUEUE_PARTIAL, QUEUE_OK);
    run(f->q, &op, QUEUE_CONFLICT);
    assert_int_equal(op.found, QUEUE_PARTIAL);
    queue_op_clear(&op);
}

/* One that waits goes out at its new time, once; one that was tried, is being sent or is done stays
 * as it is. */
static void another_time(void **state)
{
    fixture *f = *state;
    queue_message m = message(1, "x");
    queue_op op = {.kind = QUEUE_RESCHEDULE};

    (void)id_at(op.id, now_us(), 9);
    op.in.reschedule.head = "{}";
    run(f->q, &op, QUEUE_NOT_FOUND);
    queue_op_clear(&op);
    m.next_at = now_us() + DAY;
    put(f->q, &m);
    memcpy(op.id, m.id, sizeof op.id);
    op.in.reschedule.next_at = now_us() + 2 * DAY;
    op.in.reschedule.expires_at = now_us() + 3 * DAY;
    op.in.reschedule.head = "{\"later\":true}";
    for (int i = 0; i < 2; i++) { /* it can be run again */
        run(f->q, &op, QUEUE_OK);
        queue_op_clear(&op);
    }
    queue_op shown = get(f->q, m.id, QUEUE_OK);
    assert_int_equal(shown.messages[0].next_at, op.in.reschedule.next_at);
    assert_int_equal(shown.messages[0].expires_at, op.in.reschedule.expires_at);
    assert_string_equal(shown.messages[0].head, "{\"later\":true}");
    queue_op_clear(&shown);
    assert_int_equal(claimed(f->q, "a"), 0);
    op.in.reschedule.next_at = now_us() - 1;
    run(f->q, &op, QUEUE_OK);
    queue_op_clear(&op);
    assert_int_equal(claimed(f->q, "a"), 1);
    run(f->q, &op, QUEUE_CONFLICT);
    assert_int_equal(op.found, QUEUE_SENDING);
    queue_op_clear(&op);
    settle(f->q, m.id, "a", 1, QUEUE_QUEUED, QUEUE_OK);
    run(f->q, &op, QUEUE_CONFLICT);
    assert_int_equal(op.found, QUEUE_QUEUED);
    queue_op_clear(&op);
    assert_int_equal(claimed(f->q, "a"), 1);
    settle(f->q, m.id, "a", 2, QUEUE_SENT, QUEUE_OK);
    run(f->q, &op, QUEUE_CONFLICT);
    assert_int_equal(op.found, QUEUE_SENT);
    queue_op_clear(&op);
}

/* ---- messages that belong together ---- */

static void assert_counts(queue *q, const char *tag, const char *id,
                          const uint64_t wanted[QUEUE_STATES], uint64_t scheduled)
{
    queue_op op = {.kind = QUEUE_COUNT, .in.tag = tag};
    (void)snprintf(op.id, sizeof op.id, "%s", id);
    run(q, &op, QUEUE_OK);
    for (int s = 0; s < QUEUE_STATES; s++) {
        if (op.counts.states[s] != wanted[s])
            print_message("%s: %llu\n", queue_state_name((queue_state)s),
                          (unsigned long long)op.counts.states[s]);
        assert_int_equal(op.counts.states[s], wanted[s]);
    }
    assert_int_equal(op.counts.scheduled, scheduled);
    queue_op_clear(&op);
}

#define TOGETHER 12

/* Two days' messages: of each three one is of another tag, or of none. Some are due tomorrow. */
static void put_together(queue *q, char (*ids)[QUEUE_ID + 1], int64_t start)
{
    static const char *const one[] = {"\001batch:X", "news", NULL}, *const other[] = {"news", NULL};
    queue_message m[TOGETHER];
    const char *const *tags[TOGETHER];
    for (unsigned i = 0; i < TOGETHER; i++) {
        m[i] = message(i, "x");
        memcpy(m[i].id, id_at(ids[i], i < TOGETHER / 2 ? start : start + DAY, i), sizeof m[i].id);
        m[i].next_at = i % 4 == 0 ? now_us() + DAY : now_us();
        m[i].state = i % 4 == 1 ? QUEUE_SENDING : QUEUE_QUEUED;
        tags[i] = i % 3 < 2 ? one : other;
    }
    queue_op op = {
        .kind = QUEUE_PUT,
        .in.put = {.messages = m, .count = TOGETHER, .tags = tags, .owner = "a", .lease_us = HOUR}};
    run(q, &op, QUEUE_OK);
    queue_op_clear(&op);
}

static void what_belongs_together_is_counted_and_cancelled(void **state)
{
    fixture *f = *state;
    static const uint64_t none[QUEUE_STATES] = {0};
    char ids[TOGETHER][QUEUE_ID + 1], before[QUEUE_ID + 1], after[QUEUE_ID + 1];
    int64_t start = now_us() - 2 * DAY;
    const char *tag = "\001batch:X";
    queue_op op = {.kind = QUEUE_CANCEL_TAGGED, .in.tag = tag};

    assert_counts(f->q, tag, id_at(before, start, 99), none, 0); /* before there is any day */
    put_together(f->q, ids, start);
    /* Of the tag: 0 1 3 4 6 7 9 10; due tomorrow 0 4; sent 1 9. */
    assert_counts(f->q, tag, before, (const uint64_t[QUEUE_STATES]){6, 2}, 2);
    assert_counts(f->q, "news", before, (const uint64_t[QUEUE_STATES]){9, 3}, 3);
    assert_counts(f->q, "none", before, none, 0);
    assert_counts(f->q, tag, "not an id", none, 0);
    assert_counts(f->q, tag, id_at(after, start + 3 * DAY, 0), none, 0);
    assert_counts(f->q, tag, id_at(after, start + DAY, 0), (const uint64_t[QUEUE_STATES]){3, 1}, 0);
    settle(f->q, ids[1], "a", 1, QUEUE_SENT, QUEUE_OK);
    settle(f->q, ids[9], "a", 1, QUEUE_FAILED_STATE, QUEUE_OK);
    assert_counts(f->q, tag, before,
                  (const uint64_t[QUEUE_STATES]){6, [QUEUE_SENT] = 1, [QUEUE_FAILED_STATE] = 1}, 2);
    queue_op claimed_op = claim(f->q, "b", 1, HOUR);
    assert_int_equal(claimed_op.message_count, 1);
    uint64_t mine = strcmp(claimed_op.messages[0].id, ids[2]) != 0;
    queue_op_clear(&claimed_op);
    memcpy(op.id, before, sizeof op.id);
    for (int i = 0; i < 2; i++) { /* once more does no harm */
        run(f->q, &op, QUEUE_OK);
        queue_op_clear(&op);
        assert_counts(f->q, tag, before,
                      (const uint64_t[QUEUE_STATES]){[QUEUE_SENDING] = mine,
                                                     [QUEUE_SENT] = 1,
                                                     [QUEUE_FAILED_STATE] = 1,
                                                     [QUEUE_CANCELLED] = 6 - mine},
                      0);
    }
    assert_state(f->q, ids[0], QUEUE_CANCELLED, 0);
    assert_state(f->q, ids[10], QUEUE_CANCELLED, 0);
    assert_state(f->q, ids[8], QUEUE_QUEUED, 0); /* of the other tag */
    assert_state(f->q, ids[5], QUEUE_SENDING, 0);
}

#define BATCH 10000

static void ten_thousand_are_kept_whole_or_not_at_all(void **state)
{
    fixture *f = *state;
    static const char *const tag[] = {"\001batch:Y", NULL};
    queue_message *m = calloc(BATCH, sizeof *m);
    const char *const **tags = calloc(BATCH, sizeof *tags);
    char *body = malloc(3001);
    static const uint64_t none[QUEUE_STATES] = {0};
    if (!m || !tags || !body)
        abort();
    memset(body, 'x', 3000);
    body[3000] = '\0';
    for (unsigned i = 0; i < BATCH; i++) {
        m[i] = message(i, body);
        tags[i] = tag;
    }
    queue_op op = {.kind = QUEUE_PUT,
                   .in.put = {.messages = m,
                              .count = BATCH,
                              .tags = tags,
                              .key = {.key = "many",
                                      .fingerprint = "f",
                                      .keep_until = now_us() + HOUR,
                                      .status = 202,
                                      .answer = "all"}}};
    char kept = m[BATCH - 1].id[0];
    m[BATCH - 1].id[0] = 'u';
    run(f->q, &op, QUEUE_FAILED);
    queue_op_clear(&op);
    assert_counts(f->q, tag[0], m[0].id, none, 0);
    m[BATCH - 1].id[0] = kept;
    for (int i = 0; i < 2; i++) { /* run again, it finds what it did */
        run(f->q, &op, QUEUE_OK);
        queue_op_clear(&op);
        assert_counts(f->q, tag[0], m[0].id, (const uint64_t[QUEUE_STATES]){BATCH}, 0);
    }
    queue_op cancel = {.kind = QUEUE_CANCEL_TAGGED, .in.tag = tag[0]};
    memcpy(cancel.id, m[0].id, sizeof cancel.id);
    run(f->q, &cancel, QUEUE_OK);
    queue_op_clear(&cancel);
    assert_counts(f->q, tag[0], m[0].id, (const uint64_t[QUEUE_STATES]){[QUEUE_CANCELLED] = BATCH},
                  0);
    free(body);
    free(tags);
    free(m);
}

/* ---- keys ---- */

static queue_outcome key_op(queue *q, queue_kind kind, const queue_key *key, int *status,
                            char answer[32])
{
    queue_op op = {.kind = kind, .in.key = *key};
    queue_outcome got = queue_run(q, &op);
    assert_int_not_equal(got, QUEUE_FAILED);
    *status = op.status;
    (void)snprintf(answer, 32, "%s", op.answer ? op.answer : "");
    queue_op_clear(&op);
    return got;
}

static void a_key_runs_and_is_answered(void **state)
{
    fixture *f = *state;
    queue_key key = {.key = "k/1", .fingerprint = "f1", .keep_until = now_us() + HOUR};
    queue_key other = key;
    int status;
    char answer[32];
    other.fingerprint = "f2";
    assert_int_equal(key_op(f->q, QUEUE_KEY_BEGIN, &key, &status, answer), QUEUE_OK);
    assert_int_equal(key_op(f->q, QUEUE_KEY_BEGIN, &key, &status, answer), QUEUE_KEY_RUNNING);
    assert_int_equal(key_op(f->q, QUEUE_KEY_BEGIN, &other, &status, answer), QUEUE_KEY_DIFFERENT);
    key.status = 200;
    key.answer = "{\"ok\":1}";
    for (int i = 0; i < 2; i++)
        assert_int_equal(key_op(f->q, QUEUE_KEY_END, &key, &status, answer), QUEUE_OK);
    assert_int_equal(key_op(f->q, QUEUE_KEY_BEGIN, &key, &status, answer), QUEUE_KEY_ANSWERED);
    assert_int_equal(status, 200);
    assert_string_equal(answer, "{\"ok\":1}");
    assert_int_equal(key_op(f->q, QUEUE_KEY_BEGIN, &other, &status, answer), QUEUE_KEY_DIFFERENT);
    key.status = 0; /* forgotten */
    assert_int_equal(key_op(f->q, QUEUE_KEY_END, &key, &status, answer), QUEUE_OK);
    assert_int_equal(key_op(f->q, QUEUE_KEY_BEGIN, &other, &status, answer), QUEUE_OK);
}

static void a_key_is_kept_until_its_time(void **state)
{
    fixture *f = *state;
    queue_key key = {.key = "k", .fingerprint = "f", .keep_until = now_us() - 1};
    int status;
    char answer[32];
    assert_int_equal(key_op(f->q, QUEUE_KEY_BEGIN, &key, &status, answer), QUEUE_OK);
    key.keep_until = now_us() + HOUR;
    assert_int_equal(key_op(f->q, QUEUE_KEY_BEGIN, &key, &status, answer), QUEUE_OK);
    assert_int_equal(key_op(f->q, QUEUE_KEY_BEGIN, &key, &status, answer), QUEUE_KEY_RUNNING);
    key.key = "short";
    key.keep_until = now_us() - 1;
    assert_int_equal(key_op(f->q, QUEUE_KEY_BEGIN, &key, &status, answer), QUEUE_OK);
    queue_op op = {.kind = QUEUE_CLEAN};
    run(f->q, &op, QUEUE_OK);
    queue_op_clear(&op);
    key.key = "k";
    assert_int_equal(key_op(f->q, QUEUE_KEY_BEGIN, &key, &status, answer), QUEUE_KEY_RUNNING);
}

/* As a run whose commit was not answered is run again; and nobody gives back another's key. */
static void who_has_begun_a_key_has_it(void **state)
{
    fixture *f = *state;
    queue_key mine = {.key = "k", .fingerprint = "f", .keep_until = now_us() + HOUR, .by = "r1"};
    queue_key other = mine, end = mine;
    int status;
    char answer[32];
    other.by = "r2";
    for (int i = 0; i < 2; i++) {
        assert_int_equal(key_op(f->q, QUEUE_KEY_BEGIN, &mine, &status, answer), QUEUE_OK);
        assert_int_equal(status, 0);
    }
    assert_int_equal(key_op(f->q, QUEUE_KEY_BEGIN, &other, &status, answer), QUEUE_KEY_RUNNING);
    assert_string_equal(answer, "");
    assert_int_equal(key_op(f->q, QUEUE_KEY_END, &other, &status, answer), QUEUE_OK);
    assert_int_equal(key_op(f->q, QUEUE_KEY_BEGIN, &other, &status, answer), QUEUE_KEY_RUNNING);
    end.status = 200;
    end.answer = "said";
    assert_int_equal(key_op(f->q, QUEUE_KEY_END, &end, &status, answer), QUEUE_OK);
    assert_int_equal(key_op(f->q, QUEUE_KEY_END, &other, &status, answer), QUEUE_OK);
    assert_int_equal(key_op(f->q, QUEUE_KEY_BEGIN, &mine, &status, answer), QUEUE_KEY_ANSWERED);
    assert_string_equal(answer, "said");
    mine.key = other.key = "k2";
    assert_int_equal(key_op(f->q, QUEUE_KEY_BEGIN, &mine, &status, answer), QUEUE_OK);
    assert_int_equal(key_op(f->q, QUEUE_KEY_END, &mine, &status, answer), QUEUE_OK);
    assert_int_equal(key_op(f->q, QUEUE_KEY_BEGIN, &other, &status, answer), QUEUE_OK);
}

static void a_message_is_put_with_its_key(void **state)
{
    fixture *f = *state;
    queue_message m = message(1, "x"), second = message(2, "x");
    queue_op op = {.kind = QUEUE_PUT,
                   .in.put = {.messages = &m,
                              .count = 1,
                              .key = {.key = "k",
                                      .fingerprint = "f",
                                      .keep_until = now_us() + HOUR,
                                      .status = 202,
                                      .answer = "first"}}};
    for (int i = 0; i < 2; i++) { /* run again, it finds what it did */
        run(f->q, &op, QUEUE_OK);
        queue_op_clear(&op);
    }
    op.in.put.messages = &second;
    run(f->q, &op, QUEUE_KEY_ANSWERED);
    assert_int_equal(op.status, 202);
    assert_string_equal(op.answer, "first");
    queue_op_clear(&op);
    op.in.put.key.fingerprint = "other";
    run(f->q, &op, QUEUE_KEY_DIFFERENT);
    queue_op_clear(&op);
    op.in.put.key = (queue_key){.key = "k2", .fingerprint = "f", .keep_until = now_us() + HOUR};
    queue_op begin = {.kind = QUEUE_KEY_BEGIN, .in.key = op.in.put.key};
    run(f->q, &begin, QUEUE_OK);
    queue_op_clear(&begin);
    run(f->q, &op, QUEUE_KEY_RUNNING);
    queue_op_clear(&op);
    op = get(f->q, second.id, QUEUE_NOT_FOUND);
    queue_op_clear(&op);
    assert_int_equal(claimed(f->q, "a"), 1);
}

/* Without a message a key is only asked for. */
static void a_key_is_asked_for(void **state)
{
    fixture *f = *state;
    queue_message m = message(1, "x");
    queue_op ask = {.kind = QUEUE_PUT,
                    .in.put.key = {.key = "k",
                                   .fingerprint = "f",
                                   .keep_until = now_us() + HOUR,
                                   .status = 202,
                                   .answer = "first"}};
    queue_op op = ask;
    for (int i = 0; i < 2; i++) {
        run(f->q, &ask, QUEUE_OK);
        queue_op_clear(&ask);
    }
    op.in.put.messages = &m;
    op.in.put.count = 1;
    run(f->q, &op, QUEUE_OK);
    queue_op_clear(&op);
    ask.in.put.key.answer = NULL;
    run(f->q, &ask, QUEUE_KEY_ANSWERED);
    assert_int_equal(ask.status, 202);
    assert_string_equal(ask.answer, "first");
    queue_op_clear(&ask);
    ask.in.put.key.fingerprint = "other";
    run(f->q, &ask, QUEUE_KEY_DIFFERENT);
    queue_op_clear(&ask);
}

/* ---- suppressed recipients ---- */

static void suppress(queue *q, const char *address, const char *list, const char *reason)
{
    queue_suppressed entry = {(char *)address, (char *)list, (char *)reason, 1234};
    queue_op op = {.kind = QUEUE_SUPPRESS, .in.suppress = {.entries = &entry, .count = 1}};
    run(q, &op, QUEUE_OK);
    queue_op_clear(&op);
}

static void recipients_are_suppressed_by_list(void **state)
{
    fixture *f = *state;
    static const char *const addresses[] = {"all@x.org", "news@x.org", "free@x.org", NULL};
    queue_message m = message(1, "x");
    suppress(f->q, "all@x.org", "", "550 no such user");
    suppress(f->q, "news@x.org", "news", "unsubscribed");
    static const struct {
        const char *list;
        size_t addresses, suppressed;
        queue_outcome outcome;
    } cases[] = {{"", 3, 1, QUEUE_OK},      {"news", 3, 2, QUEUE_OK},
                 {"other", 3, 1, QUEUE_OK}, {"news", 2, 2, QUEUE_ALL_SUPPRESSED},
                 {"other", 2, 1, QUEUE_OK}, {"", 1, 1, QUEUE_ALL_SUPPRESSED}};
    for (unsigned i = 0; i < COUNT(cases); i++) {
        const char *these[4] = {NULL};
        memcpy(these, addresses, cases[i].addresses * sizeof *these);
        m = message(10 + i, "x");
        queue_op op = {
            .kind = QUEUE_PUT,
            .in.put = {.messages = &m, .count = 1, .addresses = these, .list = cases[i].list}};
        run(f->q, &op, cases[i].outcome);
        assert_int_equal(op.suppressed_count, cases[i].suppressed);
        assert_string_equal(op.suppressed[0].address, "all@x.org");
        assert_string_equal(op.suppressed[0].reason, "550 no such user");
        assert_true(op.suppressed[0].since == 1234);
        queue_op_clear(&op);
        op = get(f->q, m.id, cases[i].outcome == QUEUE_OK ? QUEUE_OK : QUEUE_NOT_FOUND);
        queue_op_clear(&op);
        op = (queue_op){.kind = QUEUE_SUPPRESSED,
                        .in.suppress = {.addresses = these, .list = cases[i].list}};
        run(f->q, &op, QUEUE_OK);
        assert_int_equal(op.suppressed_count, cases[i].suppressed);
        queue_op_clear(&op);
    }
}

static void suppressions_are_listed_and_lifted(void **state)
{
    fixture *f = *state;
    char address[32];
    for (int i = 0; i < 10; i++) {
        (void)snprintf(address, sizeof address, "u%d@x.org", i);
        suppress(f->q, address, i % 2 ? "news" : "", "old");
        suppress(f->q, address, i % 2 ? "news" : "", "why");
    }
    static const struct {
        const char *after, *list;
        size_t most, given;
        const char *first;
    } cases[] = {{NULL, NULL, 4, 4, "u0@x.org"},
                 {"u3@x.org", NULL, 100, 6, "u4@x.org"},
                 {NULL, "news", 100, 5, "u1@x.org"},
                 {"u5@x.org", "", 100, 2, "u6@x.org"},
                 {"u9@x.org", NULL, 100, 0, NULL}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        queue_op op = {
            .kind = QUEUE_SUPPRESSIONS,
            .in.suppress = {.after = cases[i].after, .list = cases[i].list, .most = cases[i].most}};
        run(f->q, &op, QUEUE_OK);
        assert_int_equal(op.suppressed_count, cases[i].given);
        if (cases[i].first) {
            assert_string_equal(op.suppressed[0].address, cases[i].first);
            assert_string_equal(op.suppressed[0].reason, "why");
        }
        queue_op_clear(&op);
    }
    queue_op op = {.kind = QUEUE_UNSUPPRESS, .in.suppress = {.address = "u1@x.org", .list = ""}};
    run(f->q, &op, QUEUE_NOT_FOUND);
    queue_op_clear(&op);
    op.in.suppress.list = "news";
    run(f->q, &op, QUEUE_OK);
    queue_op_clear(&op);
    run(f->q, &op, QUEUE_NOT_FOUND);
    queue_op_clear(&op);
}

/* ---- events ---- */

static void events_wait_for_their_receiver(void **state)
{
    fixture *f = *state;
    queue_message m = message(1, "x");
    queue_event events[2] = {{.payload = (char *)"{\"n\":1}"}, {.payload = (char *)"{\"n\":2}"}};
    queue_suppressed entry = {(char *)"b@example.net", (char *)"", (char *)"550", 1};
    int64_t now = now_us();
    events[0].next_at = now;
    events[1].next_at = now + HOUR;
    (void)id_at(events[0].id, now, 1);
    (void)id_at(events[1].id, now, 2);
    put(f->q, &m);
    assert_int_equal(claimed(f->q, "a"), 1);
    queue_op op = settling(m.id, "a", 1, QUEUE_FAILED_STATE);
    op.in.settle.events = events;
    op.in.settle.event_count = 2;
    op.in.settle.suppress = &entry;
    op.in.settle.suppress_count = 1;
    run(f->q, &op, QUEUE_OK);
    queue_op_clear(&op);
    static const char *const addresses[] = {"b@example.net", NULL};
    op = (queue_op){.kind = QUEUE_SUPPRESSED, .in.suppress = {.addresses = addresses, .list = ""}};
    run(f->q, &op, QUEUE_OK);
    assert_int_equal(op.suppressed_count, 1);
    queue_op_clear(&op);

    queue_op get_events = {.kind = QUEUE_EVENT_CLAIM,
                           .in.event = {.owner = "a", .most = 10, .lease_us = HOUR}};
    run(f->q, &get_events, QUEUE_OK);
    assert_int_equal(get_events.event_count, 1);
    assert_string_equal(get_events.events[0].id, events[0].id);
    assert_string_equal(get_events.events[0].payload, "{\"n\":1}");
    assert_int_equal(get_events.events[0].attempts, 0);
    assert_true(get_events.next_due == events[1].next_at);
    queue_op_clear(&get_events);
    run(f->q, &get_events, QUEUE_OK);
    assert_int_equal(get_events.event_count, 0);
    queue_op_clear(&get_events);

    op = (queue_op){.kind = QUEUE_EVENT_SETTLE, .in.event = {.owner = "b", .drop = true}};
    memcpy(op.id, events[0].id, sizeof op.id);
    run(f->q, &op, QUEUE_LOST);
    queue_op_clear(&op);
    op.in.event.owner = "a";
    op.in.event.drop = false;
    op.in.event.next_at = now_us();
    run(f->q, &op, QUEUE_OK);
    queue_op_clear(&op);
    get_events.in.event.owner = "b";
    get_events.in.event.lease_us = 1;
    run(f->q, &get_events, QUEUE_OK);
    assert_int_equal(get_events.event_count, 1);
    assert_int_equal(get_events.events[0].attempts, 1);
    queue_op_clear(&get_events);
    sleep_us(1000);
    get_events.in.event.owner = "c";
    run(f->q, &get_events, QUEUE_OK); /* the lease ran out */
    assert_int_equal(get_events.event_count, 1);
    queue_op_clear(&get_events);
    op.in.event.owner = "c";
    op.in.event.drop = true;
    run(f->q, &op, QUEUE_OK);
    queue_op_clear(&op);
    run(f->q, &op, QUEUE_LOST);
    queue_op_clear(&op);
    op = (queue_op){.kind = QUEUE_STATS};
    run(f->q, &op, QUEUE_OK);
    assert_int_equal(op.stats.events, 1);
    queue_op_clear(&op);
}

/* ---- lists ---- */

#define LIST_DAYS 4
#define LIST_EACH ((unsigned)30)

/* Walks a list in pages, and checks that it is those numbers, the newest first. */
static void assert_list(queue *q, const char *tag, int state, size_t page,
                        char (*ids)[QUEUE_ID + 1], const unsigned *wanted, size_t count)
{
    queue_op op = {.kind = QUEUE_LIST, .in.list = {.tag = tag, .state = state, .most = page}};
    char before[QUEUE_ID + 1];
    size_t n = 0;
    do {
        run(q, &op, QUEUE_OK);
        assert_true(op.message_count <= page);
        for (size_t i = 0; i < op.message_count; i++, n++) {
            if (n >= count)
                fail();
            else
                assert_string_equal(op.messages[i].id, ids[wanted[count - 1 - n]]);
            assert_non_null(op.messages[i].head);
            assert_null(op.messages[i].log);
        }
        memcpy(before, op.next, sizeof before);
        op.in.list.before = before;
        queue_op_clear(&op);
    } while (before[0]);
    assert_int_equal(n, count);
}

static void lists_go_back_over_days_in_pages(void **state)
{
    fixture *f = *state;
    static const char *const even[] = {"even", "any", NULL}, *const odd[] = {"odd", "any", NULL};
    char ids[LIST_DAYS * LIST_EACH][QUEUE_ID + 1];
    unsigned all[COUNT(ids)], evens[COUNT(ids)], sent[COUNT(ids)], queued[COUNT(ids)],
        even_sent[COUNT(ids)];
    size_t even_count = 0, sent_count = 0, queued_count = 0, even_sent_count = 0;
    int64_t start = now_us() - LIST_DAYS * DAY;

    for (unsigned i = 0; i < COUNT(ids); i++) {
        queue_message m = message(i, "x");
        bool is_even = i % 2 == 0, is_sent = i % 3 == 0;
        const char *const *tags[1] = {is_even ? even : odd};
        memcpy(m.id, id_at(ids[i], start + i / LIST_EACH * DAY, i), sizeof m.id);
        m.state = is_sent ? QUEUE_SENDING : QUEUE_QUEUED;
        queue_op op = {
            .kind = QUEUE_PUT,
            .in.put = {.messages = &m, .count = 1, .tags = tags, .owner = "a", .lease_us = HOUR}};
        run(f->q, &op, QUEUE_OK);
        queue_op_clear(&op);
        if (is_sent)
            settle(f->q, m.id, "a", 1, QUEUE_SENT, QUEUE_OK);
        all[i] = i;
        if (is_even)
            evens[even_count++] = i;
        if (is_sent)
            sent[sent_count++] = i;
        else
            queued[queued_count++] = i;
        if (is_even && is_sent)
            even_sent[even_sent_count++] = i;
    }
    static const size_t pages[] = {1, 7, 30, 200};
    for (size_t p = 0; p < COUNT(pages); p++) {
        assert_list(f->q, NULL, -1, pages[p], ids, all, COUNT(ids));
        assert_list(f->q, "any", -1, pages[p], ids, all, COUNT(ids));
        assert_list(f->q, "even", -1, pages[p], ids, evens, even_count);
        assert_list(f->q, NULL, QUEUE_SENT, pages[p], ids, sent, sent_count);
        assert_list(f->q, NULL, QUEUE_QUEUED, pages[p], ids, queued, queued_count);
        assert_list(f->q, "even", QUEUE_SENT, pages[p], ids, even_sent, even_sent_count);
        assert_list(f->q, NULL, QUEUE_SENDING, pages[p], ids, NULL, 0);
        assert_list(f->q, "none", -1, pages[p], ids, NULL, 0);
    }

    /* The first two days go, but for what is still queued. */
    queue_op op = {.kind = QUEUE_CLEAN,
                   .in.clean = {.before = start + 2 * DAY, .since = now_us() + DAY}};
    run(f->q, &op, QUEUE_OK);
    queue_op_clear(&op);
    op = get(f->q, ids[0], QUEUE_NOT_FOUND);
    queue_op_clear(&op);
    op = get(f->q, ids[LIST_EACH], QUEUE_NOT_FOUND);
    queue_op_clear(&op);
    assert_state(f->q, ids[1], QUEUE_QUEUED, 0);
    assert_state(f->q, ids[(size_t)2 * LIST_EACH], QUEUE_SENT, 1);
    size_t gone = 0;
    while (sent[gone] < 2 * LIST_EACH)
        gone++;
    assert_list(f->q, NULL, QUEUE_SENT, 7, ids, sent + gone, sent_count - gone);
    assert_list(f->q, NULL, QUEUE_QUEUED, 7, ids, queued, queued_count);
    assert_list(f->q, "any", QUEUE_QUEUED, 7, ids, queued, queued_count);
    /* And one of them can still end: its day is made again. */
    queue_op cancel = {.kind = QUEUE_CANCEL};
    memcpy(cancel.id, ids[1], sizeof cancel.id);
    run(f->q, &cancel, QUEUE_OK);
    queue_op_clear(&cancel);
    assert_state(f->q, ids[1], QUEUE_CANCELLED, 0);
}

static void clean(queue *q, int64_t before, int64_t since)
{
    queue_op op = {.kind = QUEUE_CLEAN, .in.clean = {.before = before, .since = since}};
    run(q, &op, QUEUE_OK);
    queue_op_clear(&op);
}

/* Accepted 40 days ago, for today: the day it was accepted on is long over when it is done. */
static void what_ends_late_is_known_for_its_time(void **state)
{
    fixture *f = *state;
    static const char *const tag[] = {"late", NULL};
    const char *const *tags[1] = {tag};
    int64_t now = now_us();
    queue_message m = message(1, "x"), other = message(2, "x");
    char ids[2][QUEUE_ID + 1];
    const unsigned both[] = {0, 1}, second[] = {1};
    memcpy(m.id, id_at(ids[0], now - 40 * DAY, 1), sizeof m.id);
    memcpy(other.id, id_at(ids[1], now - 40 * DAY, 2), sizeof other.id);
    for (int i = 0; i < 2; i++) {
        queue_op op = {.kind = QUEUE_PUT,
                       .in.put = {.messages = i ? &other : &m, .count = 1, .tags = tags}};
        run(f->q, &op, QUEUE_OK);
        queue_op_clear(&op);
    }
    clean(f->q, now - 30 * DAY, now - 30 * DAY);
    assert_list(f->q, "late", -1, 7, ids, both, 2);
    assert_int_equal(claimed(f->q, "a"), 2);
    settle(f->q, m.id, "a", 1, QUEUE_SENT, QUEUE_OK);
    clean(f->q, now - 30 * DAY, now - 30 * DAY);
    assert_state(f->q, m.id, QUEUE_SENT, 1);
    assert_list(f->q, "late", -1, 7, ids, both, 2);
    clean(f->q, now - 30 * DAY, now + DAY); /* a month later, but for the other */
    queue_op op = get(f->q, m.id, QUEUE_NOT_FOUND);
    queue_op_clear(&op);
    assert_list(f->q, "late", -1, 7, ids, second, 1);
    settle(f->q, other.id, "a", 1, QUEUE_FAILED_STATE, QUEUE_OK);
    clean(f->q, now - 30 * DAY, now + DAY);
    op = get(f->q, other.id, QUEUE_NOT_FOUND);
    queue_op_clear(&op);
    assert_list(f->q, "late", -1, 7, ids, NULL, 0);
}

/* ---- many at once ---- */

typedef struct crowd {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t left;
    size_t outcomes[QUEUE_ALL_SUPPRESSED + 1];
} crowd;

static void one_is_done(queue_op *op)
{
    crowd *c = op->ctx;
    (void)pthread_mutex_lock(&c->lock);
    c->left--;
    c->outcomes[op->outcome]++;
    (void)pthread_cond_signal(&c->changed);
    (void)pthread_mutex_unlock(&c->lock);
}

static void wait_for(crowd *c)
{
    (void)pthread_mutex_lock(&c->lock);
    while (c->left > 0)
        (void)pthread_cond_wait(&c->changed, &c->lock);
    (void)pthread_mutex_unlock(&c->lock);
}

#define MANY 1000

/* PUTs of MANY messages at once; those beyond `good` have no id, and fail alone. */
static void submit_many(queue *q, crowd *c, queue_op *ops, queue_message *m, size_t good)
{
    *c = (crowd){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    c->left = MANY;
    for (unsigned i = 0; i < MANY; i++) {
        m[i] = message(i, "many");
        if (i >= good)
            m[i].id[0] = 'u';
        ops[i] = (queue_op){.kind = QUEUE_PUT,
                            .done = one_is_done,
                            .ctx = c,
                            .in.put = {.messages = &m[i], .count = 1}};
    }
    for (unsigned i = 0; i < MANY; i++)
        assert_true(queue_submit(q, &ops[(i * 7) % MANY]));
}

static void clear_many(queue_op *ops)
{
    for (size_t i = 0; i < MANY; i++)
        queue_op_clear(&ops[i]);
}

typedef struct claimer {
    queue *q;
    char owner[8];
    pthread_t thread;
    size_t count;
    char ids[MANY][QUEUE_ID + 1];
} claimer;

static void *claim_all(void *arg)
{
    claimer *c = arg;
    for (int idle = 0; idle < 3;) {
        queue_op op = {.kind = QUEUE_CLAIM,
                       .in.claim = {.owner = c->owner,
                                    .most = 1 + c->count % 9,
                                    .most_bytes = 1000000,
                                    .lease_us = HOUR}};
        if (queue_run(c->q, &op) != QUEUE_OK)
            return NULL;
        idle = op.message_count == 0 ? idle + 1 : 0;
        for (size_t i = 0; i < op.message_count && c->count < MANY; i++)
            memcpy(c->ids[c->count++], op.messages[i].id, QUEUE_ID + 1);
        queue_op_clear(&op);
    }
    return NULL;
}

static int by_id(const void *a, const void *b)
{
    return memcmp(a, b, QUEUE_ID);
}

static void two_owners_never_get_the_same(void **state)
{
    fixture *f = *state;
    static claimer claimers[4];
    static queue_op ops[MANY];
    static queue_message m[MANY];
    static char ids[COUNT(claimers) * MANY][QUEUE_ID + 1];
    crowd c;
    size_t n = 0;

    submit_many(f->q, &c, ops, m, MANY - 10);
    wait_for(&c);
    assert_int_equal(c.outcomes[QUEUE_OK], MANY - 10);
    assert_int_equal(c.outcomes[QUEUE_FAILED], 10);
    clear_many(ops);
    for (size_t i = 0; i < COUNT(claimers); i++) {
        claimers[i] = (claimer){.q = f->q};
        (void)snprintf(claimers[i].owner, sizeof claimers[i].owner, "o%zu", i);
        assert_int_equal(pthread_create(&claimers[i].thread, NULL, claim_all, &claimers[i]), 0);
    }
    for (size_t i = 0; i < COUNT(claimers); i++) {
        assert_int_equal(pthread_join(claimers[i].thread, NULL), 0);
        memcpy(ids[n], claimers[i].ids, claimers[i].count * sizeof ids[0]);
        n += claimers[i].count;
    }
    assert_int_equal(n, MANY - 10);
    qsort(ids, n, sizeof ids[0], by_id);
    for (size_t i = 1; i < n; i++)
        assert_string_not_equal(ids[i - 1], ids[i]);
}

static void too_many_may_not_wait(void **state)
{
    fixture *f = *state;
    char *error;
    static queue_op ops[MANY];
    static queue_message m[MANY];
    crowd c = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    size_t taken = 0;
    queue_close(f->q, SECOND);
    f->q = queue_open(&(queue_options){.url = f->url, .waiting = 5, .batch = 2}, &error);
    assert_non_null(f->q);
    for (unsigned i = 0; i < MANY; i++) {
        m[i] = message(i, "x");
        ops[i] = (queue_op){.kind = QUEUE_PUT,
                            .done = one_is_done,
                            .ctx = &c,
                            .in.put = {.messages = &m[i], .count = 1}};
        (void)pthread_mutex_lock(&c.lock);
        c.left++;
        (void)pthread_mutex_unlock(&c.lock);
        bool ok = queue_submit(f->q, &ops[i]);
        taken += ok;
        if (!ok) {
            (void)pthread_mutex_lock(&c.lock);
            c.left--;
            (void)pthread_mutex_unlock(&c.lock);
        }
    }
    wait_for(&c);
    assert_true(taken >= 5 && taken < MANY);
    assert_int_equal(c.outcomes[QUEUE_OK], taken);
    clear_many(ops);
}

static void closing_runs_what_waits(void **state)
{
    fixture *f = *state;
    static queue_op ops[MANY];
    static queue_message m[MANY];
    crowd c;
    submit_many(f->q, &c, ops, m, MANY);
    queue_close(f->q, 600 * SECOND);
    assert_int_equal(c.left, 0);
    assert_int_equal(c.outcomes[QUEUE_OK], MANY);
    clear_many(ops);
    f->q = open_queue(f->url);
    queue_op op = claim(f->q, "a", (size_t)2 * MANY, HOUR);
    assert_int_equal(op.message_count, MANY);
    queue_op_clear(&op);
}

static void closing_without_grace_fails_what_waits(void **state)
{
    fixture *f = *state;
    static queue_op ops[MANY];
    static queue_message m[MANY];
    crowd c;
    submit_many(f->q, &c, ops, m, MANY);
    queue_close(f->q, 0);
    assert_int_equal(c.left, 0);
    assert_int_equal(c.outcomes[QUEUE_OK] + c.outcomes[QUEUE_FAILED], MANY);
    f->q = open_queue(f->url);
    for (size_t i = 0; i < MANY; i++) {
        queue_op op = get(f->q, m[i].id, ops[i].outcome == QUEUE_OK ? QUEUE_OK : QUEUE_NOT_FOUND);
        queue_op_clear(&op);
        assert_true(ops[i].outcome == QUEUE_OK || ops[i].error);
    }
    clear_many(ops);
}

/* ---- bodies ---- */

static int temporary_file(const char *data, size_t size)
{
    int fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), (ssize_t)size);
    return fd;
}

static char *pattern(size_t size)
{
    char *data = malloc(size);
    assert_non_null(data);
    for (size_t i = 0; i < size; i++)
        data[i] = (char)(i * 2654435761u >> 11);
    return data;
}

/* Puts it in memory and from a file, and gets back the same octets, twice. */
static void bodies_of_any_size_come_back(void **state)
{
    fixture *f = *state;
    static const size_t sizes[] = {0, 1, 5000, QUEUE_SMALL, QUEUE_SMALL + 1, BIG, 5000000};
    for (size_t i = 0; i < 2 * COUNT(sizes); i++) {
        size_t size = sizes[i / 2];
        char *data = pattern(size + 1), *read_back = pattern(size + 1);
        queue_message m = message((unsigned)i, "");
        m.body = (queue_body){.data = data, .fd = -1, .size = size};
        if (i % 2)
            m.body = (queue_body){.fd = temporary_file(data, size), .size = size};
        put(f->q, &m);
        if (m.body.fd >= 0)
            (void)close(m.body.fd);
        for (unsigned round = 1; round <= 2; round++) {
            queue_op op = claim(f->q, "a", 10, HOUR);
            assert_int_equal(op.message_count, 1);
            queue_body *body = &op.messages[0].body;
            assert_int_equal(body->size, size);
            if (body->data)
                memcpy(read_back, body->data, size);
            else
                assert_int_equal(pread(body->fd, read_back, size, 0), (ssize_t)size);
            assert_memory_equal(read_back, data, size);
            queue_op_clear(&op);
            settle(f->q, m.id, "a", round, round == 1 ? QUEUE_QUEUED : QUEUE_SENT, QUEUE_OK);
            memset(read_back, 0, size);
        }
        free(data);
        free(read_back);
    }
}

/* ---- SQLite's own: its folder ---- */

static queue_message big_message(unsigned n, char *data)
{
    queue_message m = message(n, "");
    m.body.data = data;
    m.body.size = BIG;
    return m;
}

static void a_large_body_is_a_file_until_its_message_ends(void **state)
{
    fixture *f = *state;
    char *data = pattern(BIG);
    queue_message m = big_message(1, data), other = big_message(2, data);
    queue_key key = {.key = "k", .fingerprint = "f", .keep_until = now_us() + HOUR};
    put(f->q, &m);
    put(f->q, &m);
    assert_int_equal(files_in(f->folder, "body"), 1);
    queue_op op = {.kind = QUEUE_KEY_BEGIN, .in.key = key};
    run(f->q, &op, QUEUE_OK);
    queue_op_clear(&op);
    op = (queue_op){.kind = QUEUE_PUT, .in.put = {.messages = &other, .count = 1, .key = key}};
    run(f->q, &op, QUEUE_KEY_RUNNING);
    queue_op_clear(&op);
    assert_int_equal(files_in(f->folder, "body"), 1);
    assert_int_equal(claimed(f->q, "a"), 1);
    settle(f->q, m.id, "a", 1, QUEUE_QUEUED, QUEUE_OK);
    assert_int_equal(files_in(f->folder, "body"), 1);
    op = (queue_op){.kind = QUEUE_CANCEL};
    memcpy(op.id, m.id, sizeof op.id);
    run(f->q, &op, QUEUE_OK);
    queue_op_clear(&op);
    assert_int_equal(files_in(f->folder, "body"), 0);
    put(f->q, &m); /* it is over: no file comes back */
    assert_int_equal(files_in(f->folder, "body"), 0);
    free(data);
}

static void leftovers_go_at_the_start(void **state)
{
    fixture *f = *state;
    char *data = pattern(BIG), name[128], id[QUEUE_ID + 1];
    queue_message m = big_message(1, data);
    put(f->q, &m);
    static const char *const strange[] = {"notes.txt", NULL};
    (void)id_at(id, now_us(), 99);
    for (size_t i = 0; i < COUNT(strange); i++) {
        (void)snprintf(name, sizeof name, "%s/body/%s", f->folder, strange[i] ? strange[i] : id);
        (void)close(open(name, O_CREAT | O_WRONLY, 0600));
    }
    assert_int_equal(files_in(f->folder, "body"), 3);
    reopen(f);
    assert_int_equal(files_in(f->folder, "body"), 1);
    queue_op op = claim(f->q, "a", 1, HOUR);
    assert_int_equal(op.message_count, 1);
    assert_int_equal(op.messages[0].body.size, BIG);
    queue_op_clear(&op);
    free(data);
}

static void a_restart_voids_leases_and_keeps_the_rest(void **state)
{
    fixture *f = *state;
    queue_message m = message(1, "x"), second = message(2, "y");
    put(f->q, &m);
    put(f->q, &second);
    assert_int_equal(claimed(f->q, "a"), 2);
    settle(f->q, second.id, "a", 1, QUEUE_SENT, QUEUE_OK);
    reopen(f);
    assert_state(f->q, m.id, QUEUE_QUEUED, 0);
    assert_state(f->q, second.id, QUEUE_SENT, 1);
    settle(f->q, m.id, "a", 1, QUEUE_SENT, QUEUE_LOST);
    assert_int_equal(claimed(f->q, "b"), 1);
}

static void assert_cannot_open(const char *url, const char *word)
{
    char *error = NULL;
    assert_null(queue_open(&(queue_options){.url = url}, &error));
    assert_non_null(error);
    if (!strstr(error, word))
        print_message("%s\n", error);
    assert_non_null(strstr(error, word));
    free(error);
}

static void a_folder_has_one_user(void **state)
{
    fixture *f = *state;
    assert_cannot_open(f->url, "used by another process");
    assert_cannot_open("mysql://localhost", "sqlite:");
    assert_cannot_open("sqlite:/nowhere/at/all", "can't be made: No such file");
}

static void write_file(const char *folder, const char *file, const char *text, size_t size,
                       off_t at)
{
    char name[128];
    (void)snprintf(name, sizeof name, "%s/%s", folder, file);
    int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, text, size, at), (ssize_t)size);
    (void)close(fd);
}

static void a_damaged_file_is_told(void **state)
{
    fixture *f = *state;
    char *junk = pattern(65536);
    write_file(f->folder, "queue.db", junk, 65536, 0);
    assert_cannot_open(f->url, "damaged");
    free(junk);
}

/* Damage behind the schema shows when its pages are read. */
static void damage_within_a_file_fails_what_meets_it(void **state)
{
    fixture *f = *state;
    char *junk = pattern((size_t)1 << 20);
    for (unsigned i = 0; i < 200; i++) {
        queue_message m = message(i, junk);
        m.body.size = 3000;
        put(f->q, &m);
    }
    queue_close(f->q, SECOND);
    write_file(f->folder, "queue.db", junk, 400000, (off_t)4096 * 30);
    char *error = NULL;
    f->q = queue_open(&(queue_options){.url = f->url}, &error);
    if (f->q) {
        queue_op op = {
            .kind = QUEUE_CLAIM,
            .in.claim = {.owner = "a", .most = 300, .most_bytes = 1 << 30, .lease_us = HOUR}};
        run(f->q, &op, QUEUE_FAILED);
        assert_non_null(strstr(op.error, "damaged"));
        queue_op_clear(&op);
    } else {
        assert_non_null(strstr(error, "damaged"));
        free(error);
    }
    free(junk);
}

static void a_newer_file_is_left_alone(void **state)
{
    fixture *f = *state;
    char command[200];
    queue_close(f->q, SECOND);
    f->q = NULL;
    sqlite3 *file;
    (void)snprintf(command, sizeof command, "%s/queue.db", f->folder);
    assert_int_equal(sqlite3_open(command, &file), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(file, "UPDATE postern_version SET version = 99", NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(file);
    assert_cannot_open(f->url, "newer");
}

/* ---- SQLite's own: the disk ---- */

/* Puts until it fails; the message that failed. */
static queue_message fill(queue *q, char *body, size_t size, unsigned *n)
{
    for (;; ++*n) {
        queue_message m = message(*n, "");
        m.body.data = body;
        m.body.size = size;
        queue_op op = {.kind = QUEUE_PUT, .in.put = {.messages = &m, .count = 1}};
        queue_outcome got = queue_run(q, &op);
        if (got == QUEUE_FAILED) {
            assert_non_null(op.error);
            if (!strstr(op.error, "full"))
                print_message("%s\n", op.error);
            assert_non_null(strstr(op.error, "full"));
            queue_op_clear(&op);
            return m;
        }
        assert_int_equal(got, QUEUE_OK);
        assert_true(*n < 100000);
        queue_op_clear(&op);
    }
}

/* Nothing that was said to be kept is lost, nothing else is there, and it works again with room. */
static void check_full(fixture *f, void (*make_room)(fixture *))
{
    char *body = pattern((size_t)1 << 20);
    unsigned n = 0;
    queue_message small = fill(f->q, body, 3000, &n);
    unsigned kept = n++;
    queue_message large = fill(f->q, body, 1 << 20, &n);
    queue_op op = get(f->q, small.id, QUEUE_NOT_FOUND);
    queue_op_clear(&op);
    op = get(f->q, large.id, QUEUE_NOT_FOUND);
    queue_op_clear(&op);
    assert_int_equal(files_in(f->folder, "body"), n - kept - 1);
    make_room(f);
    small = message(n + 1, "x");
    put(f->q, &small);
    reopen(f);
    op = claim(f->q, "a", 200000, HOUR);
    assert_int_equal(op.message_count,
                     n); /* those before, and the last; not the first that failed */
    queue_op_clear(&op);
    free(body);
}

static void remount_larger(fixture *f)
{
    assert_int_equal(mount("none", f->folder, "tmpfs", MS_REMOUNT, "size=64m"), 0);
}

static void raise_limit(fixture *f)
{
    (void)f;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_full_disk_loses_nothing(void **state)
{
    fixture *f = *state;
    if (mount("none", f->folder, "tmpfs", 0, "size=4m,mode=700") != 0) {
        skip();
        return;
    }
    f->q = open_queue(f->url);
    check_full(f, remount_larger);
}

static void a_limit_of_files_loses_nothing(void **state)
{
    fixture *f = *state;
    struct rlimit limit;
    (void)signal(SIGXFSZ, SIG_IGN);
    f->q = open_queue(f->url);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = 900000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    check_full(f, raise_limit);
}

static void what_finds_no_room_fails_alone(void **state)
{
    fixture *f = *state;
    queue_options options = {.url = f->url};
    void *shared = NULL, *connection;
    char *error = NULL, *body = pattern(200000);
    queue_message m[3];
    queue_op ops[COUNT(m)], *batch[COUNT(m)];
    struct rlimit limit;
    assert_true(queue_sqlite.open(&options, &shared, &error));
    assert_non_null(connection = queue_sqlite.connect(shared, true, &error));
    for (unsigned i = 0; i < COUNT(m); i++) {
        m[i] = message(i, "x");
        ops[i] = (queue_op){.kind = QUEUE_PUT, .in.put = {.messages = &m[i], .count = 1}};
        batch[i] = &ops[i];
    }
    m[1].body.data = body;
    m[1].body.size = 200000;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = 190000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(queue_sqlite.run(connection, batch, COUNT(m), &error), QUEUE_RUN_DONE);
    raise_limit(f);
    for (unsigned i = 0; i < COUNT(m); i++) {
        assert_int_equal(ops[i].outcome, i == 1 ? QUEUE_FAILED : QUEUE_OK);
        assert_true((i == 1) == (ops[i].error && strstr(ops[i].error, "full")));
        queue_op_clear(&ops[i]);
    }
    queue_sqlite.disconnect(connection);
    queue_sqlite.close(shared);
    f->q = open_queue(f->url);
    assert_int_equal(claimed(f->q, "a"), 2);
    free(body);
}

static void a_folder_that_cannot_be_written_is_told(void **state)
{
    fixture *f = *state;
    if (geteuid() != 0) {
        assert_int_equal(chmod(f->folder, 0500), 0);
        assert_cannot_open(f->url, "can't be written: Permission denied");
        assert_int_equal(chmod(f->folder, 0700), 0);
        return;
    }
    if (mount("none", f->folder, "tmpfs", 0, "size=8m,mode=700") != 0) {
        skip();
        return;
    }
    f->q = open_queue(f->url);
    queue_message m = message(1, "x");
    put(f->q, &m);
    queue_close(f->q, SECOND);
    f->q = NULL;
    assert_int_equal(mount("none", f->folder, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), 0);
    assert_cannot_open(f->url, "can't be written: Read-only file system");
    assert_int_equal(mount("none", f->folder, "tmpfs", MS_REMOUNT, NULL), 0);
    f->q = open_queue(f->url);
    assert_int_equal(claimed(f->q, "a"), 1);
}

/* ---- SQLite's own: killed in the middle ---- */

#define ROUNDS 20

typedef struct writer {
    int pipe;
    queue_op op;
    queue_message m;
} writer;

static void tell_kept(queue_op *op)
{
    writer *w = op->ctx;
    if (op->outcome == QUEUE_OK)
        (void)!write(w->pipe, w->m.id, QUEUE_ID);
}

/* Writes as fast as it may until it is killed, and says what is kept. */
static _Noreturn void write_until_killed(const char *url, int pipe, unsigned round)
{
    static writer writers[20000];
    static char body[BIG];
    char *error = NULL;
    queue *q = queue_open(&(queue_options){.url = url}, &error);
    for (unsigned i = 0; q && i < COUNT(writers); i++) {
        writer *w = &writers[i];
        w->pipe = pipe;
        w->m = message(round * 100000 + i, "");
        w->m.body.data = body;
        w->m.body.size = i % 50 == 0 ? BIG : 3000;
        w->op = (queue_op){.kind = QUEUE_PUT,
                           .done = tell_kept,
                           .ctx = w,
                           .in.put = {.messages = &w->m, .count = 1}};
        while (!queue_submit(q, &w->op))
            sleep_us(1000);
        if (i % 64 == 0)
            sleep_us(2000);
    }
    for (;;)
        (void)pause();
}

static void what_was_kept_survives_a_kill(void **state)
{
    fixture *f = *state;
    unsigned seed = (unsigned)now_us();
    for (unsigned round = 0; round < ROUNDS; round++) {
        int ends[2];
        char id[QUEUE_ID + 1] = "";
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            (void)close(ends[0]);
            write_until_killed(f->url, ends[1], round);
        }
        (void)close(ends[1]);
        /* From its first word on, or soon before. */
        assert_int_equal(read(ends[0], id, QUEUE_ID), QUEUE_ID);
        sleep_us(rand_r(&seed) % 60000);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        f->q = open_queue(f->url);
        do
            assert_state(f->q, id, QUEUE_QUEUED, 0);
        while (read(ends[0], id, QUEUE_ID) == QUEUE_ID);
        (void)close(ends[0]);
        /* A body's file is there for each large one, and for no other. */
        size_t large = 0, files = files_in(f->folder, "body");
        queue_op op = claim(f->q, "a", 100000, HOUR);
        for (size_t i = 0; i < op.message_count; i++) {
            large += op.messages[i].body.size == BIG;
            assert_true(op.messages[i].body.data || op.messages[i].body.fd > 0);
        }
        assert_int_equal(files, large);
        for (size_t i = 0; i < op.message_count; i++)
            settle(f->q, op.messages[i].id, "a", 1, QUEUE_SENT, QUEUE_OK);
        queue_op_clear(&op);
        assert_int_equal(files_in(f->folder, "body"), 0);
        queue_close(f->q, SECOND);
        f->q = NULL;
    }
}

/* ---- names ---- */

static void days_and_states_have_names(void **state)
{
    (void)state;
    char id[QUEUE_ID + 1];
    queue_state s;
    assert_int_equal(queue_day_of(id_at(id, 0, 0)), 19700101);
    assert_int_equal(queue_day_of(id_at(id, 1709251199 * SECOND, 0)), 20240229);
    assert_int_equal(queue_day_of(id_at(id, 1709251200 * SECOND, 0)), 20240301);
    assert_int_equal(queue_day_of(""), 0);
    assert_int_equal(queue_day_of("0123456789ABCDEFGHJKMNPQR"), 0);
    assert_int_equal(queue_day_of("0123456789ABCDEFGHJKMNPQRSU"), 0);
    assert_int_equal(queue_day_of("0123456789ABCDEFGHJKMNPQRI"), 0);
    for (int i = 0; i < QUEUE_STATES; i++) {
        assert_true(queue_state_parse(queue_state_name((queue_state)i), &s));
        assert_int_equal(s, i);
    }
    assert_false(queue_state_parse("", &s));
    assert_string_equal(queue_state_name(QUEUE_FAILED_STATE), "failed");
}

/* ---- all ---- */

#define EVERY_BACKEND(set_up)                                                                      \
    TEST(a_message_goes_its_way, set_up), TEST(every_state_ends_a_message, set_up),                \
        TEST(what_is_not_there_is_not_found, set_up), TEST(a_wrong_id_fails_alone, set_up),        \
        TEST(the_most_urgent_and_then_the_oldest_go_first, set_up),                                \
        TEST(what_is_not_due_waits, set_up), TEST(a_claim_keeps_its_bounds, set_up),               \
        TEST(a_message_can_be_leased_as_it_is_put, set_up), TEST(a_lease_runs_out, set_up),        \
        TEST(an_operation_run_again_does_no_harm, set_up),                                         \
        TEST(a_batch_of_messages_is_kept_whole, set_up), TEST(cancelling, set_up),                 \
        TEST(another_time, set_up), TEST(what_belongs_together_is_counted_and_cancelled, set_up),  \
        TEST(ten_thousand_are_kept_whole_or_not_at_all, set_up), TEST(a_key_is_asked_for, set_up), \
        TEST(a_key_runs_and_is_answered, set_up), TEST(a_key_is_kept_until_its_time, set_up),      \
        TEST(who_has_begun_a_key_has_it, set_up), TEST(a_message_is_put_with_its_key, set_up),     \
        TEST(recipients_are_suppressed_by_list, set_up),                                           \
        TEST(suppressions_are_listed_and_lifted, set_up),                                          \
        TEST(events_wait_for_their_receiver, set_up),                                              \
        TEST(lists_go_back_over_days_in_pages, set_up),                                            \
        TEST(what_ends_late_is_known_for_its_time, set_up),                                        \
        TEST(two_owners_never_get_the_same, set_up), TEST(too_many_may_not_wait, set_up),          \
        TEST(closing_runs_what_waits, set_up),                                                     \
        TEST(closing_without_grace_fails_what_waits, set_up),                                      \
        TEST(bodies_of_any_size_come_back, set_up)

#define TEST(name, set_up) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest sqlite[] = {
        cmocka_unit_test(days_and_states_have_names),
        EVERY_BACKEND(set_up),
        TEST(a_large_body_is_a_file_until_its_message_ends, set_up),
        TEST(leftovers_go_at_the_start, set_up),
        TEST(a_restart_voids_leases_and_keeps_the_rest, set_up),
        TEST(a_folder_has_one_user, set_up),
        TEST(a_damaged_file_is_told, set_up_folder),
        TEST(damage_within_a_file_fails_what_meets_it, set_up),
        TEST(a_newer_file_is_left_alone, set_up),
        TEST(a_full_disk_loses_nothing, set_up_folder),
        TEST(a_limit_of_files_loses_nothing, set_up_folder),
        TEST(what_finds_no_room_fails_alone, set_up_folder),
        TEST(a_folder_that_cannot_be_written_is_told, set_up_folder),
        TEST(what_was_kept_survives_a_kill, set_up_folder),
    };
    const struct CMUnitTest postgresql[] = {EVERY_BACKEND(set_up_postgresql)};
    int failed = cmocka_run_group_tests_name("sqlite", sqlite, NULL, NULL);
    if (postgresql_url())
        failed += cmocka_run_group_tests_name("postgresql", postgresql, NULL, NULL);
    return failed != 0;
}
