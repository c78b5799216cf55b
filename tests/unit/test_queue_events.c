/*
 * Tests of queue/events: a real queue, and a receiver on loopback that answers as a test says, in
 * clear text or with TLS. On SQLite always; on PostgreSQL too where POSTERN_TEST_POSTGRESQL is the
 * URL of a database that is the test's own.
 *
 * The environment names a proxy that is not there: nothing here would arrive if it were used.
 *
 * A receiver's answers, one for each request, the last for all further ones:
 *     "200", "503 Retry-After: 9"   a status, and a header if there is more
 *     "go 200"                      the same, once the test says go
 *     "hang"                        none, until the client leaves
 *     "endless 200"                 a body without an end
 *     "endless head"                a head without an end
 *     "cut 200"                     half of the body, and the connection is closed
 *     "garbage"                     no HTTP
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <ftw.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <curl/curl.h>
#include <openssl/ssl.h>

#include "hook/profile.h"
#include "queue/events.h"

#define COUNT(a)     (sizeof(a) / sizeof *(a))
#define SECOND       ((int64_t)1000000)
#define HOUR         (3600 * SECOND)
#define DAY          (24 * HOUR)
#define SECRET       "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define OTHER_SECRET "whsec_GB8mLTQ7QklQV15lbHN6gYiPlp2kq7K5"
#define GUESTS       64
#define REQUESTS     600
#define DEADLINE_S   120 /* for what must come: only a fault takes so long */

/* ---- waiting ---- */

static int64_t now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * SECOND + t.tv_nsec / 1000;
}

/* A lock and a condition that is told of each change. */
typedef struct watched {
    pthread_mutex_t lock;
    pthread_cond_t changed;
} watched;

static void watched_init(watched *w)
{
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_cond_init(&w->changed, NULL);
}

static void watched_destroy(watched *w)
{
    (void)pthread_mutex_destroy(&w->lock);
    (void)pthread_cond_destroy(&w->changed);
}

static void wait_for(watched *w, const size_t *count, size_t wanted)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DEADLINE_S;
    (void)pthread_mutex_lock(&w->lock);
    int waited = 0;
    while (*count < wanted && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&w->changed, &w->lock, &until);
    size_t got = *count;
    (void)pthread_mutex_unlock(&w->lock);
    if (got < wanted)
        fail_msg("%zu of %zu came", got, wanted);
}

/* ---- the receiver ---- */

typedef struct request {
    char *head; /* with its empty line */
    char *body;
} request;

typedef struct receiver receiver;

typedef struct guest {
    receiver *at;
    int fd;
    SSL *ssl;
    pthread_t thread;
} guest;

struct receiver {
    watched w; /* of all below */
    int listener;
    unsigned port;
    SSL_CTX *tls; /* NULL: clear text */
    char *answers[8];
    size_t answer_count;
    pthread_t thread;
    guest guests[GUESTS];
    size_t guest_count, go;
    request requests[REQUESTS];
    size_t request_count, at_once, most_at_once;
    size_t calm_after, most_when_calm; /* at once, of the requests after so many */
};

static ssize_t guest_read(guest *g, void *data, size_t len)
{
    return g->ssl ? SSL_read(g->ssl, data, (int)len) : recv(g->fd, data, len, 0);
}

static bool guest_write(guest *g, const char *data, size_t len)
{
    ssize_t n = g->ssl ? SSL_write(g->ssl, data, (int)len) : send(g->fd, data, len, MSG_NOSIGNAL);
    return n == (ssize_t)len;
}

static bool say(guest *g, const char *text)
{
    return guest_write(g, text, strlen(text));
}

/* The value of a header in a copy; NULL: there is none. */
static char *header(const request *r, const char *name)
{
    char start[64];
    (void)snprintf(start, sizeof start, "\r\n%s: ", name);
    const char *at = strcasestr(r->head, start);
    if (!at)
        return NULL;
    at += strlen(start);
    return strndup(at, strcspn(at, "\r"));
}

static bool read_request(guest *g, request *r)
{
    char data[65536];
    size_t len = 0, body = 0;
    const char *end = NULL;
    do {
        ssize_t n = len < sizeof data - 1 ? guest_read(g, data + len, sizeof data - 1 - len) : 0;
        if (n <= 0)
            return false;
        len += (size_t)n;
        data[len] = '\0';
        if (!end && (end = strstr(data, "\r\n\r\n"))) {
            end += 4;
            *r = (request){.head = strndup(data, (size_t)(end - data))};
            char *length = header(r, "Content-Length");
            body = length ? strtoul(length, NULL, 10) : 0;
            free(length);
        }
    } while (!end || len < (size_t)(end - data) + body);
    r->body = strdup(end);
    return true;
}

/* Keeps it and says how it is answered. */
static const char *keep(receiver *p, const request *r)
{
    (void)pthread_mutex_lock(&p->w.lock);
    assert_true(p->request_count < REQUESTS);
    size_t n = p->request_count;
    p->requests[p->request_count++] = *r;
    p->at_once++;
    if (p->at_once > p->most_at_once)
        p->most_at_once = p->at_once;
    if (n >= p->calm_after && p->at_once > p->most_when_calm)
        p->most_when_calm = p->at_once;
    const char *answer = p->answers[n < p->answer_count ? n : p->answer_count - 1];
    (void)pthread_cond_broadcast(&p->w.changed);
    (void)pthread_mutex_unlock(&p->w.lock);
    return answer;
}

static void kept_until_now(receiver *p)
{
    (void)pthread_mutex_lock(&p->w.lock);
    p->at_once--;
    (void)pthread_mutex_unlock(&p->w.lock);
}

static bool say_endlessly(guest *g, const char *piece)
{
    while (say(g, piece))
        continue;
    return false;
}

#define LINE_OF_64 "X-Long: 0123456789012345678901234567890123456789012345678901234\r\n"

/* False: the connection is over. */
static bool say_answer(guest *g, const char *answer)
{
    char head[300];
    if (strcmp(answer, "hang") == 0)
        return guest_read(g, head, 1) > 0;
    if (strcmp(answer, "garbage") == 0)
        return say(g, "SSH-2.0-what\r\n") && false;
    if (strcmp(answer, "endless head") == 0)
        return say(g, "HTTP/1.1 200 x\r\n") && say_endlessly(g, LINE_OF_64);
    bool endless = strncmp(answer, "endless ", 8) == 0, cut = strncmp(answer, "cut ", 4) == 0;
    answer += endless ? 8 : cut ? 4 : 0;
    answer += strncmp(answer, "go ", 3) == 0 ? 3 : 0;
    (void)snprintf(head, sizeof head, "HTTP/1.1 %.3s what\r\n%s%s%s\r\n", answer,
                   answer + (answer[3] ? 4 : 3), answer[3] ? "\r\n" : "",
                   endless ? "Content-Length: 1000000000000\r\n" : "Content-Length: 4\r\n");
    if (endless)
        return say(g, head) && say_endlessly(g, LINE_OF_64 LINE_OF_64 LINE_OF_64);
    return say(g, head) && say(g, cut ? "it" : "it's") && !cut;
}

static bool serve_one(guest *g)
{
    request r = {0};
    if (!read_request(g, &r)) {
        free(r.head);
        return false;
    }
    const char *answer = keep(g->at, &r);
    bool waits = strncmp(answer, "go ", 3) == 0;
    if (waits)
        wait_for(&g->at->w, &g->at->go, 1);
    kept_until_now(g->at);
    return say_answer(g, answer);
}

static void *serve(void *ctx)
{
    guest *g = ctx;
    if (!g->ssl || SSL_accept(g->ssl) == 1) {
        while (serve_one(g))
            continue;
    }
    if (g->ssl)
        (void)SSL_shutdown(g->ssl);
    (void)shutdown(g->fd, SHUT_RDWR);
    return NULL;
}

static void *receive_guests(void *ctx)
{
    receiver *p = ctx;
    int fd;
    while ((fd = accept(p->listener, NULL, NULL)) >= 0) {
        (void)pthread_mutex_lock(&p->w.lock);
        assert_true(p->guest_count < GUESTS);
        guest *g = &p->guests[p->guest_count];
        *g = (guest){.at = p, .fd = fd, .ssl = p->tls ? SSL_new(p->tls) : NULL};
        if (g->ssl)
            assert_int_equal(SSL_set_fd(g->ssl, fd), 1);
        assert_int_equal(pthread_create(&g->thread, NULL, serve, g), 0);
        p->guest_count++;
        (void)pthread_mutex_unlock(&p->w.lock);
    }
    return NULL;
}

#define RECEIVER(tls, ...)                                                                         \
    receiver_open(tls, (const char *const[]){__VA_ARGS__},                                         \
                  COUNT(((const char *const[]){__VA_ARGS__})))

static receiver *receiver_open(SSL_CTX *tls, const char *const *answers, size_t count)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    receiver *p = calloc(1, sizeof *p);
    assert_non_null(p);
    watched_init(&p->w);
    p->tls = tls;
    for (; p->answer_count < count; p->answer_count++)
        p->answers[p->answer_count] = strdup(answers[p->answer_count]);
    p->calm_after = SIZE_MAX;
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(p->listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(p->listener, 128), 0);
    assert_int_equal(getsockname(p->listener, (struct sockaddr *)&at, &len), 0);
    p->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&p->thread, NULL, receive_guests, p), 0);
    return p;
}

static void receiver_go(receiver *p)
{
    (void)pthread_mutex_lock(&p->w.lock);
    p->go = 1;
    (void)pthread_cond_broadcast(&p->w.changed);
    (void)pthread_mutex_unlock(&p->w.lock);
}

static void receiver_close(receiver *p)
{
    receiver_go(p);
    (void)shutdown(p->listener, SHUT_RDWR);
    (void)pthread_join(p->thread, NULL);
    (void)close(p->listener);
    for (size_t i = 0; i < p->guest_count; i++) {
        guest *g = &p->guests[i];
        (void)shutdown(g->fd, SHUT_RDWR);
        (void)pthread_join(g->thread, NULL);
        SSL_free(g->ssl);
        (void)close(g->fd);
    }
    for (size_t i = 0; i < p->request_count; i++) {
        free(p->requests[i].head);
        free(p->requests[i].body);
    }
    for (size_t i = 0; i < p->answer_count; i++)
        free(p->answers[i]);
    watched_destroy(&p->w);
    free(p);
}

/* ---- the fixture ---- */

typedef struct telling {
    char id[QUEUE_ID + 1];
    events_result result;
    unsigned attempt;
    long status;
    char why[512];
    int64_t next_at;
} telling;

typedef struct fixture {
    char folder[64];
    char url[256]; /* the queue's */
    queue *q;
    char cert[100], key[100], other_cert[100], other_key[100];

    receiver *r;
    events *e;
    char target[200];
    events_pace pace;
    events_options o;
    watched w;
    telling told[REQUESTS];
    size_t told_count;
    bool no_disk; /* once something is told */
    unsigned kept;
} fixture;

static const char *const one_secret[] = {SECRET, NULL};

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *walk)
{
    (void)st, (void)type, (void)walk;
    return remove(name);
}

/* These are called with one thread.
 * NOLINTBEGIN(concurrency-mt-unsafe) */

static const char *postgresql_url(void)
{
    return getenv("POSTERN_TEST_POSTGRESQL");
}

static void run_command(const char *command)
{
    assert_int_equal(system(command), 0);
}

static void no_proxy_will_do(void)
{
    static const char *const names[] = {"http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY",
                                        "ALL_PROXY"};
    for (size_t i = 0; i < COUNT(names); i++)
        assert_int_equal(setenv(names[i], "http://127.0.0.1:1", 1), 0);
    (void)unsetenv("no_proxy");
    (void)unsetenv("NO_PROXY");
}

/* A certificate that is its own authority. */
static void make_certificate(const char *cert, const char *key, const char *names)
{
    char command[600];
    (void)snprintf(command, sizeof command,
                   "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
                   " -keyout %s -out %s -days 2 -subj /CN=test -addext subjectAltName=%s"
                   " 2>/dev/null",
                   key, cert, names);
    run_command(command);
}

static void remove_folder(const char *folder)
{
    (void)nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* NOLINTEND(concurrency-mt-unsafe) */

static SSL_CTX *tls_with(const char *cert, const char *key)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    assert_non_null(tls);
    assert_int_equal(SSL_CTX_use_certificate_chain_file(tls, cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM), 1);
    return tls;
}

static void set_disk(bool full)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = full ? 1 : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void told(void *ctx, const events_told *t)
{
    fixture *f = ctx;
    telling one = {
        .result = t->result, .attempt = t->attempt, .status = t->status, .next_at = t->next_at};
    (void)snprintf(one.id, sizeof one.id, "%s", t->id);
    (void)snprintf(one.why, sizeof one.why, "%s", t->why ? t->why : "");
    if (f->no_disk)
        set_disk(true);
    (void)pthread_mutex_lock(&f->w.lock);
    assert_true(f->told_count < REQUESTS);
    f->told[f->told_count++] = one;
    (void)pthread_cond_broadcast(&f->w.changed);
    (void)pthread_mutex_unlock(&f->w.lock);
}

static fixture *fixture_new(const char *postgresql)
{
    char *error = NULL;
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    (void)snprintf(f->folder, sizeof f->folder, "/var/tmp/postern-events-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->url, sizeof f->url, "%s%s",
                   postgresql ? "" : "sqlite:", postgresql ? postgresql : f->folder);
    if (postgresql) {
        char command[600];
        (void)snprintf(command, sizeof command,
                       "psql -q '%s' -c 'SET client_min_messages = error;"
                       " DROP SCHEMA public CASCADE; CREATE SCHEMA public' >/dev/null",
                       postgresql);
        run_command(command);
    }
    f->q = queue_open(&(queue_options){.url = f->url}, &error);
    assert_non_null(f->q);
    watched_init(&f->w);
    f->pace = (events_pace){.pause_first_us = 1000, .pause_most_us = 2000, .poll_us = HOUR};
    for (size_t i = 0; i < EVENTS_RETRIES; i++)
        f->pace.retry_us[i] = HOUR;
    f->o = (events_options){.queue = f->q,
                            .url = f->target,
                            .secrets = one_secret,
                            .allow_private = true,
                            .owner = "test",
                            .timeout_us = 60 * SECOND,
                            .most = 8,
                            .told = told,
                            .ctx = f,
                            .pace = &f->pace};
    return f;
}

static int set_up(void **state)
{
    *state = fixture_new(NULL);
    return 0;
}

static int set_up_postgresql(void **state)
{
    *state = fixture_new(postgresql_url());
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    set_disk(false);
    events_free(f->e);
    if (f->r)
        receiver_close(f->r);
    if (f->q)
        queue_close(f->q, SECOND);
    remove_folder(f->folder);
    watched_destroy(&f->w);
    free(f);
    return 0;
}

static void use_tls_files(fixture *f)
{
    (void)snprintf(f->cert, sizeof f->cert, "%s/cert.pem", f->folder);
    (void)snprintf(f->key, sizeof f->key, "%s/key.pem", f->folder);
    make_certificate(f->cert, f->key, "DNS:localhost,IP:127.0.0.1");
}

static void start(fixture *f)
{
    char *error = NULL;
    f->e = events_create(&f->o, &error);
    if (!f->e)
        print_message("%s\n", error);
    free(error);
    assert_non_null(f->e);
}

/* At the receiver's port. */
static void start_at(fixture *f, const char *host, const char *path)
{
    (void)snprintf(f->target, sizeof f->target, "%s:%u%s", host, f->r->port, path);
    start(f);
}

/* ---- events in the queue ---- */

static const char *id_of(char out[QUEUE_ID + 1], unsigned n)
{
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint64_t ms = (uint64_t)now_us() / 1000;
    for (int k = 9; k >= 0; k--, ms >>= 5)
        out[k] = alphabet[ms & 31];
    for (int k = QUEUE_ID - 1; k >= 10; k--, n >>= 5)
        out[k] = alphabet[n & 31];
    out[QUEUE_ID] = '\0';
    return out;
}

static void run(queue *q, queue_op *op, queue_outcome wanted)
{
    queue_outcome got = queue_run(q, op);
    if (got != wanted)
        print_message("kind %d: %s\n", (int)op->kind, op->error ? op->error : "");
    assert_int_equal(got, wanted);
    queue_op_clear(op);
}

#define PAYLOAD "{\"type\":\"message.accepted\",\"timestamp\":\"2026-01-01T00:00:00Z\",\"data\":{}}"

/* Keeps so many events, as a message's end does. */
static void keep_events(fixture *f, size_t count)
{
    queue_message m = {.state = QUEUE_SENDING,
                       .expires_at = now_us() + DAY,
                       .next_at = now_us(),
                       .head = (char *)"{}",
                       .recipients = (char *)"[]",
                       .log = (char *)"[]",
                       .body = {.data = "x", .fd = -1, .size = 1}};
    queue_event *list = calloc(count, sizeof *list);
    assert_non_null(list);
    (void)id_of(m.id, ++f->kept);
    for (size_t i = 0; i < count; i++) {
        (void)id_of(list[i].id, ++f->kept);
        list[i].payload = (char *)PAYLOAD;
        list[i].next_at = now_us();
    }
    queue_op put = {.kind = QUEUE_PUT,
                    .in.put = {.messages = &m, .count = 1, .owner = "keeper", .lease_us = HOUR}};
    run(f->q, &put, QUEUE_OK);
    queue_op op = {.kind = QUEUE_SETTLE,
                   .in.settle = {.owner = "keeper",
                                 .attempt = 1,
                                 .state = QUEUE_SENT,
                                 .recipients = "[]",
                                 .log = "[]",
                                 .events = list,
                                 .event_count = count}};
    memcpy(op.id, m.id, sizeof op.id);
    run(f->q, &op, QUEUE_OK);
    free(list);
    if (f->e)
        events_wake(f->e);
}

static void assert_kept(fixture *f, uint64_t count)
{
    queue_op op = {.kind = QUEUE_STATS};
    assert_int_equal(queue_run(f->q, &op), QUEUE_OK);
    assert_int_equal(op.stats.events, count);
    queue_op_clear(&op);
}

static void wait_told(fixture *f, size_t count)
{
    wait_for(&f->w, &f->told_count, count);
}

/* Stops in the good way, so that all that was told is settled. */
static void stop(fixture *f)
{
    events_stop(f->e, DEADLINE_S * SECOND);
}

static void assert_told(const fixture *f, size_t n, events_result result, unsigned attempt,
                        long status, const char *why)
{
    const telling *t = &f->told[n];
    assert_true(n < f->told_count);
    if (t->result != result || t->attempt != attempt || t->status != status ||
        (why ? !strstr(t->why, why) : t->why[0] != '\0'))
        fail_msg("%s, attempt %u, status %ld: %s", events_result_name(t->result), t->attempt,
                 t->status, t->why);
    assert_true((t->next_at != 0) == (result == EVENTS_DEFERRED));
}

/* ---- tests: what is sent ---- */

static const char *header_of(void *ctx, const char *name)
{
    const char *const *headers = ctx;
    while (*headers && strcmp(*headers, name) != 0)
        headers += 2;
    return *headers ? headers[1] : NULL;
}

static void assert_signed_with(const request *r, const char *secret)
{
    const hook_profile *p = hook_profile_find("standard-webhooks");
    char *id = header(r, "webhook-id"), *timestamp = header(r, "webhook-timestamp");
    char *signature = header(r, "webhook-signature");
    const char *headers[] = {"webhook-id", id,  "webhook-timestamp", timestamp, "webhook-signature",
                             signature,    NULL};
    const hook_request h = {header_of, (void *)headers, NULL, r->body, strlen(r->body)};
    hook_secret s;
    assert_null(hook_secret_parse(secret, strlen(secret), &s));
    assert_int_equal(hook_verify(p->schemes, hook_profile_schemes(p), &s, 1, &h, now_us() / SECOND),
                     HOOK_GOOD);
    free(id);
    free(timestamp);
    free(signature);
}

static void assert_header(const request *r, const char *name, const char *value)
{
    char *got = header(r, name);
    if (!got || !value)
        assert_true(got == value);
    else
        assert_string_equal(got, value);
    free(got);
}

static void an_event_is_delivered_signed(void **state)
{
    static const char *const secrets[] = {SECRET, OTHER_SECRET, NULL};
    fixture *f = *state;
    use_tls_files(f);
    SSL_CTX *tls = tls_with(f->cert, f->key);
    f->r = RECEIVER(tls, "200");
    f->o.secrets = secrets;
    f->o.ca = f->cert;
    start_at(f, "https://localhost", "/hook?token=x");
    keep_events(f, 1);
    wait_told(f, 1);
    stop(f);
    assert_told(f, 0, EVENTS_DELIVERED, 1, 200, NULL);
    assert_kept(f, 0);

    assert_int_equal(f->r->request_count, 1);
    const request *r = &f->r->requests[0];
    assert_true(strncmp(r->head, "POST /hook?token=x HTTP/1.1\r\n", 29) == 0);
    assert_string_equal(r->body, PAYLOAD);
    assert_header(r, "webhook-id", f->told[0].id);
    assert_header(r, "Content-Type", "application/json");
    assert_header(r, "User-Agent", "postern/" POSTERN_VERSION);
    assert_header(r, "Expect", NULL);
    assert_signed_with(r, SECRET);
    assert_signed_with(r, OTHER_SECRET);
    SSL_CTX_free(tls);
}

static void many_are_delivered_each_with_its_id(void **state)
{
    enum { MANY = 500 };
    fixture *f = *state;
    f->r = RECEIVER(NULL, "200");
    f->o.most = 16;
    start_at(f, "http://127.0.0.1", "/");
    keep_events(f, MANY / 2);
    keep_events(f, MANY / 2);
    wait_told(f, MANY);
    stop(f);
    assert_kept(f, 0);
    assert_int_equal(f->r->request_count, MANY);
    assert_in_range(f->r->guest_count, 1, 16); /* connections are used again */
    for (size_t i = 0; i < MANY; i++) {
        assert_signed_with(&f->r->requests[i], SECRET);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(f->told[i].id, f->told[k].id);
    }
}

static void what_was_kept_before_the_start_is_delivered(void **state)
{
    fixture *f = *state;
    keep_events(f, 3);
    f->r = RECEIVER(NULL, "200");
    start_at(f, "http://127.0.0.1", "/");
    wait_told(f, 3);
    stop(f);
    assert_kept(f, 0);
}

/* Nobody wakes it: it looks by itself. */
static void what_another_process_keeps_is_delivered(void **state)
{
    fixture *f = *state;
    f->r = RECEIVER(NULL, "200");
    f->pace.poll_us = 10000;
    start_at(f, "http://127.0.0.1", "/");
    events *e = f->e;
    f->e = NULL;
    keep_events(f, 1);
    f->e = e;
    wait_told(f, 1);
    stop(f);
    assert_kept(f, 0);
}

/* ---- tests: what is answered ---- */

static void what_fails_is_tried_again(void **state)
{
    fixture *f = *state;
    f->r = RECEIVER(NULL, "500", "garbage", "cut 200");
    f->pace.retry_us[0] = f->pace.retry_us[1] = 1000;
    start_at(f, "http://127.0.0.1", "/?token=hidden");
    keep_events(f, 1);
    wait_told(f, 3);
    stop(f);
    assert_told(f, 0, EVENTS_DEFERRED, 1, 500, "answered 500");
    assert_told(f, 1, EVENTS_DEFERRED, 2, 0, "can't be asked");
    assert_told(f, 2, EVENTS_DELIVERED, 3, 200, NULL);
    assert_null(strstr(f->told[1].why, "hidden"));
    for (size_t i = 0; i < 3; i++) {
        assert_header(&f->r->requests[i], "webhook-id", f->told[0].id);
        assert_signed_with(&f->r->requests[i], SECRET);
    }
    assert_kept(f, 0);
}

static void what_fails_for_too_long_is_given_up(void **state)
{
    fixture *f = *state;
    f->r = RECEIVER(NULL, "500");
    for (size_t i = 0; i < EVENTS_RETRIES; i++)
        f->pace.retry_us[i] = 1000;
    start_at(f, "http://127.0.0.1", "/");
    keep_events(f, 1);
    wait_told(f, EVENTS_RETRIES + 1);
    stop(f);
    for (unsigned i = 0; i < EVENTS_RETRIES; i++)
        assert_told(f, i, EVENTS_DEFERRED, i + 1, 500, "answered 500");
    assert_told(f, EVENTS_RETRIES, EVENTS_GIVEN_UP, EVENTS_RETRIES + 1, 500, "answered 500");
    assert_int_equal(f->r->request_count, EVENTS_RETRIES + 1);
    assert_kept(f, 0);
}

static void one_who_wants_none_gets_none(void **state)
{
    fixture *f = *state;
    f->r = RECEIVER(NULL, "410");
    start_at(f, "http://127.0.0.1", "/");
    keep_events(f, 1);
    wait_told(f, 1);
    stop(f);
    assert_told(f, 0, EVENTS_GIVEN_UP, 1, 410, "wants no more");
    assert_kept(f, 0);
}

static void a_redirect_is_not_followed(void **state)
{
    char answer[100];
    fixture *f = *state;
    receiver *other = RECEIVER(NULL, "200");
    (void)snprintf(answer, sizeof answer, "307 Location: http://127.0.0.1:%u/", other->port);
    f->r = RECEIVER(NULL, answer);
    start_at(f, "http://127.0.0.1", "/");
    keep_events(f, 1);
    wait_told(f, 1);
    stop(f);
    assert_told(f, 0, EVENTS_DEFERRED, 1, 307, "a redirect");
    assert_kept(f, 1);
    assert_int_equal(other->guest_count, 0);
    receiver_close(other);
}

/* A try that is answered so, and when the next one is: from `before` on. */
static int64_t next_after(fixture *f, const char *answer, int64_t *before)
{
    size_t n = f->told_count;
    f->r = RECEIVER(NULL, answer);
    start_at(f, "http://127.0.0.1", "/");
    *before = now_us();
    keep_events(f, 1);
    wait_told(f, n + 1);
    stop(f);
    events_free(f->e);
    f->e = NULL;
    receiver_close(f->r);
    f->r = NULL;
    return f->told[n].next_at;
}

static void the_receiver_may_say_when(void **state)
{
    char date[100];
    int64_t before, next;
    struct tm t;
    fixture *f = *state;
    f->pace.retry_us[0] = HOUR;
    next = next_after(f, "503 Retry-After: 7200", &before);
    assert_true(next >= before + 2 * HOUR && next <= now_us() + 2 * HOUR);

    time_t later = (time_t)((now_us() + 3 * HOUR) / SECOND);
    assert_non_null(gmtime_r(&later, &t));
    (void)strftime(date, sizeof date, "503 Retry-After: %a, %d %b %Y %H:%M:%S GMT", &t);
    next = next_after(f, date, &before);
    assert_true(next >= later * SECOND - SECOND && next <= later * SECOND + SECOND);

    /* Never longer than a day, never sooner than without it. */
    next = next_after(f, "503 Retry-After: 99999999999999999999", &before);
    assert_true(next >= before + DAY && next <= now_us() + DAY);
    static const char *const idle[] = {
        "503 Retry-After: 1", "503 Retry-After: x",
        "503 Retry-After:", "503 Retry-After: Thu, 01 Jan 1970 00:00:00 GMT"};
    for (size_t i = 0; i < COUNT(idle); i++) {
        next = next_after(f, idle[i], &before);
        assert_true(next >= before + HOUR - HOUR / 10 && next <= now_us() + HOUR + HOUR / 10);
    }
}

static void an_answer_without_end_is_cut(void **state)
{
    fixture *f = *state;
    f->r = RECEIVER(NULL, "endless 200", "endless 500", "endless head");
    f->o.most = 1;
    start_at(f, "http://127.0.0.1", "/");
    keep_events(f, 3);
    wait_told(f, 3);
    stop(f);
    assert_told(f, 0, EVENTS_DELIVERED, 1, 200, NULL);
    assert_told(f, 1, EVENTS_DEFERRED, 1, 500, "answered 500");
    assert_told(f, 2, EVENTS_DEFERRED, 1, 0, "too long");
    assert_kept(f, 2);
}

static void one_who_never_answers_is_left(void **state)
{
    fixture *f = *state;
    f->r = RECEIVER(NULL, "hang");
    f->o.timeout_us = SECOND / 5;
    start_at(f, "http://127.0.0.1", "/");
    keep_events(f, 1);
    wait_told(f, 1);
    stop(f);
    assert_told(f, 0, EVENTS_DEFERRED, 1, 0, "in time");
    assert_kept(f, 1);
}

static void one_who_is_not_there_is_told(void **state)
{
    fixture *f = *state;
    f->r = RECEIVER(NULL, "200");
    (void)snprintf(f->target, sizeof f->target, "http://127.0.0.1:%u/", f->r->port);
    receiver_close(f->r);
    f->r = NULL;
    start(f);
    keep_events(f, 1);
    wait_told(f, 1);
    stop(f);
    assert_told(f, 0, EVENTS_DEFERRED, 1, 0, "can't be asked: Failed to connect");
    assert_kept(f, 1);
}

/* Eight at once find that it fails; from then on one is tried at a time. */
static void one_who_fails_is_asked_one_at_a_time(void **state)
{
    fixture *f = *state;
    f->r = RECEIVER(NULL, "500");
    f->r->calm_after = f->o.most;
    keep_events(f, 30);
    start_at(f, "http://127.0.0.1", "/");
    wait_told(f, 30);
    stop(f);
    assert_int_equal(f->r->most_when_calm, 1);
    assert_int_equal(f->r->request_count, 30);
    assert_kept(f, 30);
}

/* Once it answers, all that waits goes at once. */
static void one_who_recovers_gets_them_all(void **state)
{
    fixture *f = *state;
    f->r = RECEIVER(NULL, "500", "go 200");
    f->o.most = 4;
    f->pace.retry_us[0] = 1000;
    start_at(f, "http://127.0.0.1", "/");
    keep_events(f, 1);
    wait_told(f, 1);
    keep_events(f, 20);
    wait_for(&f->r->w, &f->r->request_count, 2);
    assert_int_equal(f->r->request_count, 2);
    receiver_go(f->r);
    wait_told(f, 22);
    stop(f);
    assert_kept(f, 0);
}

/* ---- tests: where it goes ---- */

static void private_addresses_are_refused(void **state)
{
    static const char *const targets[] = {
        "https://127.0.0.1",         "https://localhost", "https://[::1]",
        "https://0.0.0.0",           "https://[::]",      "https://[::ffff:127.0.0.1]",
        "https://[64:ff9b::7f00:1]", "https://127.1",     "https://2130706433",
        "https://0x7f.0.0.1",        "https://10.0.0.1",  "https://169.254.169.254",
    };
    fixture *f = *state;
    f->r = RECEIVER(NULL, "200");
    f->o.allow_private = false;
    for (size_t i = 0; i < COUNT(targets); i++) {
        start_at(f, targets[i], "/");
        keep_events(f, 1);
        wait_told(f, i + 1);
        stop(f);
        events_free(f->e);
        f->e = NULL;
        assert_told(f, i, EVENTS_DEFERRED, 1, 0, "only public ones are allowed");
    }
    assert_int_equal(f->r->guest_count, 0);
    assert_kept(f, COUNT(targets));
}

static void a_public_one_is_not_told_in_clear_text(void **state)
{
    fixture *f = *state;
    (void)snprintf(f->target, sizeof f->target, "http://8.8.8.8/");
    start(f);
    keep_events(f, 1);
    wait_told(f, 1);
    stop(f);
    assert_told(f, 0, EVENTS_DEFERRED, 1, 0, "8.8.8.8, a public address");
}

static void assert_tls_refused(fixture *f, SSL_CTX *tls, const char *ca, const char *why)
{
    size_t n = f->told_count;
    f->r = RECEIVER(tls, "200");
    f->o.ca = ca;
    start_at(f, "https://localhost", "/");
    keep_events(f, 1);
    wait_told(f, n + 1);
    stop(f);
    events_free(f->e);
    f->e = NULL;
    assert_told(f, n, EVENTS_DEFERRED, 1, 0, why);
    assert_int_equal(f->r->request_count, 0);
    receiver_close(f->r);
    f->r = NULL;
    SSL_CTX_free(tls);
}

static void a_receiver_that_proves_nothing_gets_nothing(void **state)
{
    fixture *f = *state;
    use_tls_files(f);
    (void)snprintf(f->other_cert, sizeof f->other_cert, "%s/other.pem", f->folder);
    (void)snprintf(f->other_key, sizeof f->other_key, "%s/other.key", f->folder);
    make_certificate(f->other_cert, f->other_key, "DNS:elsewhere.test");

    assert_tls_refused(f, tls_with(f->cert, f->key), NULL, "certificate");
    assert_tls_refused(f, tls_with(f->cert, f->key), f->other_cert, "certificate");
    assert_tls_refused(f, tls_with(f->other_cert, f->other_key), f->other_cert, "name");

    SSL_CTX *old = tls_with(f->cert, f->key);
    assert_int_equal(SSL_CTX_set_cipher_list(old, "ALL:@SECLEVEL=0"), 1);
    assert_int_equal(SSL_CTX_set_min_proto_version(old, TLS1_VERSION), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(old, TLS1_1_VERSION), 1);
    assert_tls_refused(f, old, f->cert, "can't be asked");
}

/* ---- tests: the end ---- */

static void what_is_under_way_at_the_end_stays(void **state)
{
    fixture *f = *state;
    f->r = RECEIVER(NULL, "hang");
    start_at(f, "http://127.0.0.1", "/");
    keep_events(f, 20);
    wait_for(&f->r->w, &f->r->request_count, 1);
    events_stop(f->e, 0);
    assert_int_equal(f->told_count, 0);
    assert_kept(f, 20);
}

static void what_is_answered_before_the_end_is_settled(void **state)
{
    fixture *f = *state;
    f->r = RECEIVER(NULL, "go 200");
    start_at(f, "http://127.0.0.1", "/");
    keep_events(f, 5);
    wait_for(&f->r->w, &f->r->request_count, 5);
    receiver_go(f->r);
    stop(f);
    assert_int_equal(f->told_count, 5);
    assert_kept(f, 0);
}

/* What the queue still does for it then comes to nobody. */
static void it_may_end_before_the_queue_has_answered(void **state)
{
    fixture *f = *state;
    f->r = RECEIVER(NULL, "200");
    start_at(f, "http://127.0.0.1", "/");
    keep_events(f, 20);
    wait_told(f, 1);
    events_stop(f->e, 0);
    events_stop(f->e, 0);
    events_wake(f->e);
    queue_close(f->q, SECOND);
    f->q = NULL;
}

static void it_may_end_before_it_has_begun(void **state)
{
    fixture *f = *state;
    keep_events(f, 20);
    f->r = RECEIVER(NULL, "200");
    start_at(f, "http://127.0.0.1", "/");
    events_free(f->e);
    f->e = NULL;
    events_free(NULL);
}

/* The queue can't write for a while: what was told is settled later. */
static void what_cannot_be_settled_is_settled_later(void **state)
{
    fixture *f = *state;
    f->r = RECEIVER(NULL, "200");
    f->no_disk = true;
    start_at(f, "http://127.0.0.1", "/");
    keep_events(f, 1);
    wait_told(f, 1);
    for (int i = 0; i < 5; i++) { /* these come in between, and behind it */
        queue_message m = {.state = QUEUE_QUEUED,
                           .head = (char *)"{}",
                           .recipients = (char *)"[]",
                           .log = (char *)"[]",
                           .body = {.data = "x", .fd = -1, .size = 1}};
        (void)id_of(m.id, ++f->kept);
        queue_op op = {.kind = QUEUE_PUT, .in.put = {.messages = &m, .count = 1}};
        assert_int_equal(queue_run(f->q, &op), QUEUE_FAILED);
        queue_op_clear(&op);
    }
    set_disk(false);
    stop(f);
    assert_int_equal(f->r->request_count, 1);
    assert_kept(f, 0);
}

/* ---- tests: settings ---- */

static void urls_are_checked(void **state)
{
    static const struct {
        const char *url;
        bool allow_private, ok;
    } cases[] = {
        {"https://example.com", false, true},
        {"https://example.com:8443/a/b?c=d&e=%20", false, true},
        {"HTTPS://example.com/", false, true},
        {"https://[2606:4700::1]/", false, true},
        {"http://example.com/", false, false},
        {"http://10.0.0.1/", true, true},
        {"HTTP://10.0.0.1/", true, true},
        {"ftp://example.com/", true, false},
        {"file:///etc/passwd", true, false},
        {"gopher://example.com/", true, false},
        {"example.com", false, false},
        {"//example.com/", false, false},
        {"https://", false, false},
        {"https:", false, false},
        {"", false, false},
        {"https://user@example.com/", false, false},
        {"https://user:pass@example.com/", false, false},
        {"https://:pass@example.com/", false, false},
        {"https://example.com/#part", false, false},
        {"https://example.com/a b", false, false},
        {"https://example.com/\r\nX: y", false, false},
        {"https://example.com/\x7F", false, false},
        {"https://example.com\\@10.0.0.1/", false, false},
        {"https://b\xC3\xBC"
         "cher.example/",
         false, false},
        {"https://example.com:99999/", false, false},
        {"https://exam ple.com/", false, false},
    };
    char longest[3000] = "https://example.com/";
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if ((events_url_fault(cases[i].url, cases[i].allow_private) == NULL) != cases[i].ok)
            fail_msg("%s", cases[i].url);
    }
    memset(longest + strlen(longest), 'a', sizeof longest - 1 - strlen(longest));
    longest[2048] = '\0';
    assert_null(events_url_fault(longest, false));
    longest[2048] = 'a';
    assert_non_null(events_url_fault(longest, false));
}

static void assert_not_created(const events_options *o, const char *why)
{
    char *error = NULL;
    assert_null(events_create(o, &error));
    assert_non_null(error);
    assert_non_null(strstr(error, why));
    free(error);
}

static void what_is_wrong_is_said(void **state)
{
    static const char *const none[] = {NULL}, *const bad[] = {SECRET, "whsec_x", NULL};
    fixture *f = *state;
    f->o.url = "ftp://example.com";
    assert_not_created(&f->o, "https://");
    f->o.url = "https://example.com";
    f->o.secrets = none;
    assert_not_created(&f->o, "one secret is needed");
    f->o.secrets = bad;
    assert_not_created(&f->o, "base64");
    assert_null(events_secret_fault(SECRET));
    assert_non_null(events_secret_fault("whsec_x"));
    assert_string_equal(events_result_name(EVENTS_GIVEN_UP), "given_up");
}

#define TEST(test, prepare) cmocka_unit_test_setup_teardown(test, prepare, tear_down)
#define EVERY_BACKEND(prepare)                                                                     \
    TEST(an_event_is_delivered_signed, prepare),                                                   \
        TEST(many_are_delivered_each_with_its_id, prepare),                                        \
        TEST(what_was_kept_before_the_start_is_delivered, prepare),                                \
        TEST(what_another_process_keeps_is_delivered, prepare),                                    \
        TEST(what_fails_is_tried_again, prepare),                                                  \
        TEST(what_fails_for_too_long_is_given_up, prepare),                                        \
        TEST(one_who_wants_none_gets_none, prepare), TEST(the_receiver_may_say_when, prepare),     \
        TEST(one_who_fails_is_asked_one_at_a_time, prepare),                                       \
        TEST(one_who_recovers_gets_them_all, prepare),                                             \
        TEST(what_is_under_way_at_the_end_stays, prepare),                                         \
        TEST(what_is_answered_before_the_end_is_settled, prepare),                                 \
        TEST(it_may_end_before_the_queue_has_answered, prepare),                                   \
        TEST(it_may_end_before_it_has_begun, prepare)

int main(void)
{
    const struct CMUnitTest sqlite[] = {
        cmocka_unit_test(urls_are_checked),
        EVERY_BACKEND(set_up),
        TEST(what_is_wrong_is_said, set_up),
        TEST(a_redirect_is_not_followed, set_up),
        TEST(an_answer_without_end_is_cut, set_up),
        TEST(one_who_never_answers_is_left, set_up),
        TEST(one_who_is_not_there_is_told, set_up),
        TEST(private_addresses_are_refused, set_up),
        TEST(a_public_one_is_not_told_in_clear_text, set_up),
        TEST(a_receiver_that_proves_nothing_gets_nothing, set_up),
        TEST(what_cannot_be_settled_is_settled_later, set_up),
    };
    const struct CMUnitTest postgresql[] = {EVERY_BACKEND(set_up_postgresql)};
    no_proxy_will_do();
    (void)signal(SIGPIPE, SIG_IGN); /* OpenSSL writes to sockets without MSG_NOSIGNAL */
    (void)signal(SIGXFSZ, SIG_IGN);
    if (curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK)
        return 1;
    int failed = cmocka_run_group_tests_name("sqlite", sqlite, NULL, NULL);
    if (postgresql_url())
        failed += cmocka_run_group_tests_name("postgresql", postgresql, NULL, NULL);
    curl_global_cleanup();
    return failed != 0;
}
