/*
 * How fast the queue is, in wall-clock time, on a folder that is to be empty: the disk's bare rate
 * of fsync; PUTs of 3 KB, 64 at a time; CLAIM and SETTLE with each backlog that is named. With the
 * URL of a PostgreSQL database as a third argument that takes the folder's place, but for fsync.
 *
 *   queue FOLDER BACKLOG[,BACKLOG…] [URL]
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "queue/queue.h"

#define SECONDS     5
#define OUTSTANDING 64
#define BODY        3000
#define PAGE        4096
#define AT_ONCE     1000 /* messages in a PUT that makes a backlog */
#define DRIVERS     2    /* threads that claim and settle */

static char body[BODY + 1];

static _Noreturn void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "queue: %s: %s\n", what, why ? why : "");
    exit(1); /* NOLINT(concurrency-mt-unsafe) */
}

static void new_message(queue_message *m, unsigned n)
{
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint64_t ms = (uint64_t)clock_wall_us() / 1000, random = n * 0x9E3779B97F4A7C15u;
    *m = (queue_message){.next_at = clock_wall_us(), .expires_at = INT64_MAX, .priority = 5};
    for (int k = 9; k >= 0; k--, ms >>= 5)
        m->id[k] = alphabet[ms & 31];
    for (int k = 10; k < 20; k++, random >>= 5)
        m->id[k] = alphabet[random & 31];
    for (int k = QUEUE_ID - 1; k >= 20; k--, n >>= 5)
        m->id[k] = alphabet[n & 31];
    m->head = (char *)"{\"from\":\"shop@example.com\",\"message_id\":\"<01HZX3@example.com>\","
                      "\"size\":3000,\"relay\":\"default\",\"subject\":\"Your order\"}";
    m->recipients = (char *)"[{\"email\":\"someone@example.net\",\"state\":\"waiting\"}]";
    m->log = (char *)"[]";
    m->body = (queue_body){.data = body, .fd = -1, .size = BODY};
}

static double seconds_since(int64_t start)
{
    return (double)(clock_us() - start) / 1e6;
}

/* A page is written behind the last, and synced, as a log is. */
static void bare_fsync(const char *folder)
{
    char name[512], page[PAGE] = {0};
    size_t n = 0;
    (void)snprintf(name, sizeof name, "%s/fsync", folder);
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        die(name, "can't be made");
    int64_t start = clock_us();
    for (; seconds_since(start) < SECONDS; n++) {
        if (pwrite(fd, page, PAGE, (off_t)(n * PAGE)) != PAGE || fdatasync(fd) != 0)
            die(name, "can't be written");
    }
    printf("%-52s %10.0f /s\n", "fsync of a page", (double)n / seconds_since(start));
    (void)close(fd);
    (void)unlink(name);
}

/* ---- operations that wait for one another ---- */

typedef struct gate {
    pthread_mutex_t lock;
    pthread_cond_t open;
    size_t left;
} gate;

static void pass(gate *g)
{
    (void)pthread_mutex_lock(&g->lock);
    if (--g->left == 0)
        (void)pthread_cond_signal(&g->open);
    (void)pthread_mutex_unlock(&g->lock);
}

static void wait_at(gate *g)
{
    (void)pthread_mutex_lock(&g->lock);
    while (g->left > 0)
        (void)pthread_cond_wait(&g->open, &g->lock);
    (void)pthread_mutex_unlock(&g->lock);
}

static void must_run(queue *q, queue_op *op)
{
    if (queue_run(q, op) != QUEUE_OK)
        die("an operation failed", op->error);
}

/* ---- PUT ---- */

typedef struct putter {
    queue *q;
    gate *gate;
    int64_t start;
    unsigned first, count;
    queue_op op;
    queue_message m;
} putter;

static void put_next(queue_op *op)
{
    putter *p = op->ctx;
    if (op->outcome != QUEUE_OK)
        die("PUT", op->error);
    queue_op_clear(op);
    if (seconds_since(p->start) >= SECONDS) {
        pass(p->gate);
        return;
    }
    new_message(&p->m, p->first + p->count++);
    if (!queue_submit(p->q, op))
        die("PUT", "too many wait");
}

static unsigned measure_put(queue *q)
{
    static putter putters[OUTSTANDING];
    gate g = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, OUTSTANDING};
    unsigned n = 0;
    int64_t start = clock_us();
    for (unsigned i = 0; i < OUTSTANDING; i++) {
        putter *p = &putters[i];
        *p = (putter){.q = q, .gate = &g, .start = start, .first = i << 24};
        p->op = (queue_op){.kind = QUEUE_PUT,
                           .done = put_next,
                           .ctx = p,
                           .in.put = {.messages = &p->m, .count = 1}};
        put_next(&p->op);
    }
    wait_at(&g);
    for (unsigned i = 0; i < OUTSTANDING; i++)
        n += putters[i].count;
    printf("%-52s %10.0f /s\n", "PUT of 3 KB, 64 at a time", n / seconds_since(start));
    return n;
}

/* ---- CLAIM and SETTLE ---- */

static void settled(queue_op *op)
{
    if (op->outcome != QUEUE_OK)
        die("SETTLE", op->error);
    pass(op->ctx);
}

/* Claims and settles once; how many. */
static size_t drive_once(queue *q, const char *owner)
{
    static const char *const log = "[{\"at\":1,\"code\":250,\"text\":\"2.0.0 queued as 4XyZ\"}]";
    queue_op ops[OUTSTANDING];
    queue_op claim = {
        .kind = QUEUE_CLAIM,
        .in.claim = {
            .owner = owner, .most = OUTSTANDING, .most_bytes = 1 << 24, .lease_us = 60000000}};
    must_run(q, &claim);
    size_t n = claim.message_count;
    gate g = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, n};
    for (size_t i = 0; i < n; i++) {
        ops[i] = (queue_op){.kind = QUEUE_SETTLE,
                            .done = settled,
                            .ctx = &g,
                            .in.settle = {.owner = owner,
                                          .attempt = 1,
                                          .state = QUEUE_SENT,
                                          .recipients = claim.messages[i].recipients,
                                          .log = log}};
        memcpy(ops[i].id, claim.messages[i].id, sizeof ops[i].id);
        if (!queue_submit(q, &ops[i]))
            die("SETTLE", "too many wait");
    }
    wait_at(&g);
    for (size_t i = 0; i < n; i++)
        queue_op_clear(&ops[i]);
    queue_op_clear(&claim);
    return n;
}

typedef struct driver {
    queue *q;
    char owner[8];
    size_t count;
    pthread_t thread;
} driver;

static void *drive(void *arg)
{
    driver *d = arg;
    size_t n = 1;
    for (int64_t start = clock_us(); n > 0 && seconds_since(start) < SECONDS; d->count += n)
        n = drive_once(d->q, d->owner);
    return NULL;
}

static void put_many(queue *q, size_t count, unsigned *n)
{
    queue_message *m = calloc(AT_ONCE, sizeof *m);
    if (!m)
        die("PUT", "no memory");
    for (size_t left = count; left > 0;) {
        size_t some = left < AT_ONCE ? left : AT_ONCE;
        for (size_t i = 0; i < some; i++)
            new_message(&m[i], (*n)++);
        queue_op op = {.kind = QUEUE_PUT, .in.put = {.messages = m, .count = some}};
        must_run(q, &op);
        queue_op_clear(&op);
        left -= some;
    }
    free(m);
}

static uint64_t waiting(queue *q)
{
    queue_op op = {.kind = QUEUE_STATS};
    must_run(q, &op);
    uint64_t n = op.stats.queued;
    queue_op_clear(&op);
    return n;
}

static void measure_claim(queue *q, size_t backlog, unsigned *n)
{
    driver drivers[DRIVERS];
    char what[80];
    uint64_t there = waiting(q);
    size_t count = 0;
    while (there > backlog) /* down to it … */
        there -= drive_once(q, "d");
    put_many(q, backlog - there, n); /* … or up */
    int64_t start = clock_us();
    for (size_t i = 0; i < DRIVERS; i++) {
        drivers[i] = (driver){.q = q};
        (void)snprintf(drivers[i].owner, sizeof drivers[i].owner, "d%zu", i);
        if (pthread_create(&drivers[i].thread, NULL, drive, &drivers[i]) != 0)
            die("CLAIM", "no thread");
    }
    for (size_t i = 0; i < DRIVERS; i++) {
        (void)pthread_join(drivers[i].thread, NULL);
        count += drivers[i].count;
    }
    (void)snprintf(what, sizeof what, "CLAIM and SETTLE, backlog of %zu, %zu left", backlog,
                   (size_t)waiting(q));
    printf("%-52s %10.0f /s\n", what, (double)count / seconds_since(start));
}

int main(int argc, char **argv)
{
    char url[600], *error = NULL;
    unsigned n = 1u << 31;
    if (argc < 3)
        die("usage", "queue FOLDER BACKLOG[,BACKLOG…] [URL]");
    memset(body, 'x', BODY);
    (void)snprintf(url, sizeof url, "sqlite:%s/queue", argv[1]);
    bare_fsync(argv[1]);
    queue *q = queue_open(&(queue_options){.url = argc > 3 ? argv[3] : url}, &error);
    if (!q)
        die(url, error);
    (void)measure_put(q);
    for (char *at = argv[2]; *at; at += *at == ',') {
        measure_claim(q, strtoul(at, &at, 10), &n);
        int64_t start = clock_us();
        (void)waiting(q);
        printf("%-52s %10.1f ms\n", "STATS", seconds_since(start) * 1e3);
        (void)fflush(stdout);
    }
    queue_close(q, 60000000);
    return 0;
}
