/*
 * Tests of queue/deliver: a real queue, a real sender, and a relay on loopback that goes by rules.
 * One list, run on every backend there is (see test_queue.c for POSTERN_TEST_POSTGRESQL).
 *
 * The relay answers RCPT by the address: "gone…" 550 5.1.1, "never…" 550 5.7.1, "later1…" 451 the
 * first time, "later2…" twice, "busy…" always, "ok…" 250. The sender's address does the same for
 * the whole: "drop@…" ends the session after the final dot, "hold@…" waits for the test's go before
 * it answers that, "bad@…" refuses the content. A relay that is down says 421 and closes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <curl/curl.h>
#include <jansson.h>

#include "base/buf.h"
#include "base/civil.h"
#include "base/clock.h"
#include "queue/deliver.h"
#include "queue/record.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define MS       ((int64_t)1000)
#define SECOND   ((int64_t)1000000)
#define HOUR     (3600 * SECOND)
#define RELAYS   2
#define SESSIONS 512
#define SEEN     8192 /* deliveries that a relay remembers */

/* ---- the relay ---- */

typedef struct relay relay;

typedef struct session {
    relay *at;
    int fd;
    pthread_t thread;
} session;

struct relay {
    int listener;
    unsigned port;
    pthread_t thread;
    atomic_bool down;
    atomic_uint met; /* sessions */
    session sessions[SESSIONS];
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    bool go;
    char *seen[SEEN]; /* "body recipient", of what was taken */
    size_t seen_count;
    char *asked[SEEN]; /* recipients of each RCPT */
    size_t asked_count;
};

static size_t times(char *const *list, size_t count, const char *what)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += strcmp(list[i], what) == 0;
    return n;
}

static void say(int fd, const char *line)
{
    char text[300];
    int n = snprintf(text, sizeof text, "%s\r\n", line);
    (void)send(fd, text, (size_t)n, MSG_NOSIGNAL);
}

static bool begins(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

static const char *on_rcpt(relay *r, const char *address)
{
    (void)pthread_mutex_lock(&r->lock);
    size_t before = times(r->asked, r->asked_count, address);
    if (r->asked_count < SEEN)
        r->asked[r->asked_count++] = strdup(address);
    (void)pthread_mutex_unlock(&r->lock);
    if (strncasecmp(address, "gone", 4) == 0)
        return "550 5.1.1 no such user";
    if (begins(address, "never"))
        return "550 5.7.1 not for you";
    if (begins(address, "busy") || (begins(address, "later1") && before < 1) ||
        (begins(address, "later2") && before < 2))
        return "451 4.3.0 later";
    return "250 2.1.5 ok";
}

typedef struct mail {
    char from[100];
    char to[20][100];
    size_t count;
} mail;

/* The text between the angle brackets. */
static void read_path(char *out, const char *line)
{
    const char *begin = strchr(line, '<'), *end = strchr(line, '>');
    int len = begin && end ? (int)(end - begin) - 1 : 0;
    (void)snprintf(out, 100, "%.*s", len, begin ? begin + 1 : "");
}

static bool read_line(FILE *in, char line[600])
{
    if (!fgets(line, 600, in))
        return false;
    line[strcspn(line, "\r\n")] = '\0';
    return true;
}

/* The first line of the message, to its final dot; false: the client left. */
static bool read_message(FILE *in, char first[600])
{
    char line[600];
    bool more = read_line(in, first);
    if (more && strcmp(first, ".") == 0)
        return true;
    while (more && (more = read_line(in, line)) && strcmp(line, ".") != 0)
        continue;
    return more;
}

static void remember(relay *r, const mail *m, const char *body)
{
    (void)pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < m->count && r->seen_count < SEEN; i++) {
        if (asprintf(&r->seen[r->seen_count], "%.100s %s", body, m->to[i]) >= 0)
            r->seen_count++;
    }
    (void)pthread_cond_broadcast(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
}

static void wait_for_go(relay *r)
{
    (void)pthread_mutex_lock(&r->lock);
    while (!r->go)
        (void)pthread_cond_wait(&r->changed, &r->lock);
    (void)pthread_mutex_unlock(&r->lock);
}

/* False: the session is over. */
static bool on_data(session *s, FILE *in, const mail *m)
{
    char body[600];
    if (m->count == 0) {
        say(s->fd, "554 5.5.1 nobody");
        return true;
    }
    say(s->fd, "354 go");
    if (!read_message(in, body))
        return false;
    if (begins(m->from, "drop")) {
        remember(s->at, m, body);
        return false;
    }
    if (begins(m->from, "bad")) {
        say(s->fd, "554 5.6.0 what is this");
        return true;
    }
    remember(s->at, m, body);
    if (begins(m->from, "hold"))
        wait_for_go(s->at);
    say(s->fd, "250 2.0.0 queued");
    return true;
}

static void *serve(void *ctx)
{
    session *s = ctx;
    mail m = {0};
    char line[600];
    FILE *in = fdopen(s->fd, "r");
    assert_non_null(in);
    say(s->fd, atomic_load(&s->at->down) ? "421 4.3.2 down" : "220 relay.test ESMTP");
    while (!atomic_load(&s->at->down) && read_line(in, line)) {
        if (begins(line, "EHLO")) {
            say(s->fd, "250-relay.test\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES");
        } else if (begins(line, "MAIL")) {
            m.count = 0;
            read_path(m.from, line);
            say(s->fd, "250 2.1.0 ok");
        } else if (begins(line, "RCPT")) {
            read_path(m.to[m.count], line);
            const char *answer = on_rcpt(s->at, m.to[m.count]);
            m.count += begins(answer, "250");
            say(s->fd, answer);
        } else if (begins(line, "DATA")) {
            if (!on_data(s, in, &m))
                break;
        } else if (begins(line, "QUIT")) {
            say(s->fd, "221 bye");
            break;
        } else {
            say(s->fd, "250 2.0.0 ok");
        }
    }
    (void)fclose(in);
    return NULL;
}

static void *meet(void *ctx)
{
    relay *r = ctx;
    int fd;
    while ((fd = accept(r->listener, NULL, NULL)) >= 0) {
        unsigned i = atomic_load(&r->met);
        if (i == SESSIONS) {
            (void)close(fd);
            continue;
        }
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        r->sessions[i] = (session){.at = r, .fd = fd};
        assert_int_equal(pthread_create(&r->sessions[i].thread, NULL, serve, &r->sessions[i]), 0);
        atomic_store(&r->met, i + 1);
    }
    return NULL;
}

static relay *relay_open(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    relay *r = calloc(1, sizeof *r);
    assert_non_null(r);
    (void)pthread_mutex_init(&r->lock, NULL);
    (void)pthread_cond_init(&r->changed, NULL);
    r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(r->listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(r->listener, 128), 0);
    assert_int_equal(getsockname(r->listener, (struct sockaddr *)&at, &len), 0);
    r->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&r->thread, NULL, meet, r), 0);
    return r;
}

static void relay_go(relay *r)
{
    (void)pthread_mutex_lock(&r->lock);
    r->go = true;
    (void)pthread_cond_broadcast(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
}

/* The sender must have stopped. */
static void relay_close(relay *r)
{
    relay_go(r);
    (void)shutdown(r->listener, SHUT_RDWR);
    (void)pthread_join(r->thread, NULL);
    (void)close(r->listener);
    for (unsigned i = 0; i < atomic_load(&r->met); i++)
        (void)pthread_join(r->sessions[i].thread, NULL);
    for (size_t i = 0; i < r->seen_count; i++)
        free(r->seen[i]);
    for (size_t i = 0; i < r->asked_count; i++)
        free(r->asked[i]);
    (void)pthread_mutex_destroy(&r->lock);
    (void)pthread_cond_destroy(&r->changed);
    free(r);
}

static size_t seen(relay *r, const char *what)
{
    (void)pthread_mutex_lock(&r->lock);
    size_t n = what ? times(r->seen, r->seen_count, what) : r->seen_count;
    (void)pthread_mutex_unlock(&r->lock);
    return n;
}

static size_t asked(relay *r, const char *address)
{
    (void)pthread_mutex_lock(&r->lock);
    size_t n = times(r->asked, r->asked_count, address);
    (void)pthread_mutex_unlock(&r->lock);
    return n;
}

/* ---- the world ---- */

typedef struct told {
    char id[QUEUE_ID + 1];
    queue_state state;
    unsigned number;
    size_t recipients;
    smtp_outcome outcome;
    char relay[20];
} told;

typedef struct world {
    const char *postgresql; /* NULL: SQLite */
    char folder[64], url[256];
    queue *q;
    relay *relays[RELAYS];
    smtp_relay *routes[RELAYS]; /* "first", "second" */
    smtp_sender *sender;
    deliver *d;
    deliver_options options;
    unsigned put;
    int64_t base; /* of ids */
    atomic_uint event_ids, events_kept;
    atomic_uint unwritten; /* attempts told since the last wait */
    pthread_mutex_t lock;  /* of the attempts that were told */
    told told[SEEN];
    size_t told_count;
} world;

static const char *const names[RELAYS] = {"first", "second"};

static int64_t now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * SECOND + t.tv_nsec / 1000;
}

static void sleep_us(int64_t us)
{
    (void)nanosleep(&(struct timespec){us / SECOND, us % SECOND * 1000}, NULL);
}

static void id_at(char out[QUEUE_ID + 1], int64_t us, unsigned n)
{
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint64_t ms = (uint64_t)us / 1000;
    for (int k = 9; k >= 0; k--, ms >>= 5)
        out[k] = alphabet[ms & 31];
    for (int k = QUEUE_ID - 1; k >= 10; k--, n >>= 5)
        out[k] = alphabet[n & 31];
    out[QUEUE_ID] = '\0';
}

static const smtp_relay *find_relay(void *ctx, const char *name)
{
    world *w = ctx;
    for (size_t i = 0; i < RELAYS; i++) {
        if (strcmp(names[i], name) == 0)
            return w->routes[i];
    }
    return NULL;
}

static bool new_id(void *ctx, char out[QUEUE_ID + 1])
{
    world *w = ctx;
    id_at(out, w->base, 1000000 + atomic_fetch_add(&w->event_ids, 1));
    return true;
}

static void attempted(void *ctx, const deliver_attempt *a)
{
    world *w = ctx;
    atomic_fetch_add(&w->unwritten, 1);
    (void)pthread_mutex_lock(&w->lock);
    if (w->told_count < SEEN) {
        told *t = &w->told[w->told_count++];
        *t = (told){.state = a->state,
                    .number = a->number,
                    .recipients = a->recipient_count,
                    .outcome = a->result ? a->result->outcome : SMTP_NOT_SENT};
        memcpy(t->id, a->id, sizeof t->id);
        (void)snprintf(t->relay, sizeof t->relay, "%s", smtp_relay_name(a->relay));
    }
    (void)pthread_mutex_unlock(&w->lock);
}

static void event_kept(void *ctx)
{
    world *w = ctx;
    atomic_fetch_add(&w->events_kept, 1);
}

static void before_wait(void *ctx)
{
    world *w = ctx;
    atomic_store(&w->unwritten, 0);
}

static size_t told_of(world *w, const char *id, told *last)
{
    size_t n = 0;
    (void)pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < w->told_count; i++) {
        if (strcmp(w->told[i].id, id) != 0)
            continue;
        if (last)
            *last = w->told[i];
        n++;
    }
    (void)pthread_mutex_unlock(&w->lock);
    return n;
}

static void open_sender(world *w)
{
    char *error = NULL;
    w->sender = smtp_sender_create(&(smtp_sender_options){.threads = 1, .idle_us = HOUR}, &error);
    assert_non_null(w->sender);
}

static void start(world *w)
{
    char *error = NULL;
    w->d = deliver_create(&w->options, &error);
    if (!w->d)
        fail_msg("%s", error ? error : "no memory");
}

static void open_queue(world *w)
{
    char *error = NULL;
    w->q = queue_open(&(queue_options){.url = w->url, .patience_us = SECOND / 5}, &error);
    if (!w->q)
        fail_msg("%s", error ? error : "(no reason)");
    w->options.queue = w->q;
}

/* NOLINTBEGIN(concurrency-mt-unsafe): there is one thread yet, or no other. */

static const char *postgresql_url(void)
{
    return getenv("POSTERN_TEST_POSTGRESQL");
}

static void clean_place(world *w)
{
    char command[600];
    if (!w->postgresql) {
        (void)snprintf(w->folder, sizeof w->folder, "/var/tmp/postern-deliver-XXXXXX");
        assert_non_null(mkdtemp(w->folder));
        (void)snprintf(w->url, sizeof w->url, "sqlite:%s", w->folder);
        return;
    }
    (void)snprintf(w->url, sizeof w->url, "%s", w->postgresql);
    (void)snprintf(command, sizeof command,
                   "psql -q '%s' -c 'SET client_min_messages = error;"
                   " DROP SCHEMA public CASCADE; CREATE SCHEMA public' >/dev/null",
                   w->postgresql);
    assert_int_equal(system(command), 0);
}

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *walk)
{
    (void)st, (void)type, (void)walk;
    return remove(name);
}

static void remove_place(const world *w)
{
    if (!w->postgresql)
        (void)nftw(w->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* NOLINTEND(concurrency-mt-unsafe) */

static int set_up_at(void **state, const char *postgresql)
{
    char url[100], *error = NULL;
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->postgresql = postgresql;
    w->base = now_us();
    (void)pthread_mutex_init(&w->lock, NULL);
    clean_place(w);
    open_queue(w);
    open_sender(w);
    for (size_t i = 0; i < RELAYS; i++) {
        w->relays[i] = relay_open();
        (void)snprintf(url, sizeof url, "smtp://127.0.0.1:%u?tls=none&ehlo=client.test",
                       w->relays[i]->port);
        w->routes[i] = smtp_relay_create(names[i], url, &error);
        assert_non_null(w->routes[i]);
    }
    w->options = (deliver_options){.queue = w->q,
                                   .sender = w->sender,
                                   .relay = find_relay,
                                   .new_id = new_id,
                                   .attempted = attempted,
                                   .event_kept = event_kept,
                                   .before_wait = before_wait,
                                   .ctx = w,
                                   .owner = "this",
                                   .timeout_us = 20 * SECOND,
                                   .first_us = 5 * MS,
                                   .most_us = 20 * MS,
                                   .most = 64,
                                   .most_bytes = 1 << 20,
                                   .breaker_first_us = 20 * MS,
                                   .breaker_most_us = 50 * MS};
    *state = w;
    return 0;
}

static int set_up(void **state)
{
    return set_up_at(state, NULL);
}

static int set_up_postgresql(void **state)
{
    return set_up_at(state, postgresql_url());
}

static int tear_down(void **state)
{
    world *w = *state;
    for (size_t i = 0; i < RELAYS; i++)
        relay_go(w->relays[i]);
    if (w->d) {
        assert_true(deliver_stop(w->d, 30 * SECOND));
        assert_int_equal(atomic_load(&w->unwritten), 0);
        deliver_free(w->d);
    }
    smtp_sender_stop(w->sender, 5 * SECOND);
    smtp_sender_free(w->sender);
    if (w->q)
        queue_close(w->q, 5 * SECOND);
    for (size_t i = 0; i < RELAYS; i++) {
        relay_close(w->relays[i]);
        smtp_relay_free(w->routes[i]);
    }
    remove_place(w);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
    return 0;
}

/* ---- messages ---- */

typedef struct letter {
    const char *from;
    const char *to;     /* with commas between */
    const char *relays; /* the JSON array */
    int64_t next_at, expires_at;
    bool file; /* the body is one */
} letter;

static char *recipients_of(const char *to)
{
    buf text = BUF_INIT;
    char list[400];
    char *save = NULL;
    (void)snprintf(list, sizeof list, "%s", to);
    for (char *one = strtok_r(list, ",", &save); one; one = strtok_r(NULL, ",", &save))
        buf_addf(&text, "%s{\"email\":\"%s@example.net\",\"status\":\"waiting\"}",
                 text.len ? "," : "[", one);
    buf_adds(&text, "]");
    return buf_take(&text);
}

/* The body's first line is the id. */
static queue_message write_letter(world *w, const letter *l)
{
    queue_message m = {.priority = 5, .body = {.fd = -1}};
    char *head = NULL, *body = NULL;
    const char *from = l->from ? l->from : "shop@example.com";
    id_at(m.id, w->base, w->put++);
    m.next_at = l->next_at ? l->next_at : now_us();
    m.expires_at = l->expires_at ? l->expires_at : now_us() + HOUR;
    assert_true(asprintf(&head,
                         "{\"envelope_from\":\"%s\",\"relays\":%s,\"message_id\":\"<%s@x>\","
                         "\"tags\":[\"t\"],\"metadata\":{\"k\":\"v\"}}",
                         from, l->relays ? l->relays : "[\"first\"]", m.id) > 0);
    assert_true(asprintf(&body, "%s\r\nhello\r\n", m.id) > 0);
    m.head = head;
    m.recipients = recipients_of(l->to);
    m.log = strdup("[]");
    m.body.size = strlen(body);
    if (l->file) {
        m.body.fd = memfd_create("body", MFD_CLOEXEC);
        assert_true(write(m.body.fd, body, m.body.size) == (ssize_t)m.body.size);
        free(body);
    } else {
        m.body.data = body;
    }
    return m;
}

static void run(queue *q, queue_op *op, queue_outcome wanted)
{
    queue_outcome got = queue_run(q, op);
    if (got != wanted)
        print_message("kind %d: %s\n", (int)op->kind, op->error ? op->error : "");
    assert_int_equal(got, wanted);
}

static void keep(world *w, const queue_message *m)
{
    queue_op op = {.kind = QUEUE_PUT,
                   .in.put = {.messages = m,
                              .count = 1,
                              .owner = "this",
                              .lease_us = w->d ? deliver_lease_us(w->d) : HOUR}};
    run(w->q, &op, QUEUE_OK);
    queue_op_clear(&op);
}

/* Puts it in as one that is due; its id. */
static void put(world *w, const letter *l, char id[QUEUE_ID + 1])
{
    queue_message m = write_letter(w, l);
    keep(w, &m);
    memcpy(id, m.id, sizeof m.id);
    queue_message_clear(&m);
    if (w->d)
        deliver_wake(w->d);
}

/* A claim under way may have all the room there is. */
static void reserve(world *w, uint64_t size)
{
    while (!deliver_reserve(w->d, size))
        sleep_us(MS);
}

/* Puts it in as being sent, and hands it over. */
static void hand_over(world *w, const letter *l, char id[QUEUE_ID + 1])
{
    queue_message m = write_letter(w, l);
    reserve(w, m.body.size);
    m.state = QUEUE_SENDING;
    keep(w, &m);
    memcpy(id, m.id, sizeof m.id);
    deliver_take(w->d, &m);
    assert_null(m.head);
}

static queue_op get(world *w, const char *id)
{
    queue_op op = {.kind = QUEUE_GET};
    memcpy(op.id, id, sizeof op.id);
    run(w->q, &op, QUEUE_OK);
    assert_int_equal(op.message_count, 1);
    return op;
}

static queue_state state_of(world *w, const char *id)
{
    queue_op op = get(w, id);
    queue_state s = op.messages[0].state;
    queue_op_clear(&op);
    return s;
}

static void await_state(world *w, const char *id, queue_state s)
{
    queue_state now;
    while ((now = state_of(w, id)) != s) {
        if (queue_state_is_done(now))
            fail_msg("%s instead of %s", queue_state_name(now), queue_state_name(s));
        sleep_us(MS);
    }
}

static json_t *texts_of(world *w, const char *id, bool log)
{
    queue_op op = get(w, id);
    json_t *json = json_loads(log ? op.messages[0].log : op.messages[0].recipients, 0, NULL);
    assert_true(json_is_array(json));
    queue_op_clear(&op);
    return json;
}

static const char *text_at(const json_t *list, size_t i, const char *name)
{
    const char *s = json_string_value(json_object_get(json_array_get(list, i), name));
    return s ? s : "";
}

static size_t tries(world *w, const char *id)
{
    json_t *log = texts_of(w, id, true);
    size_t n = json_array_size(log);
    json_decref(log);
    return n;
}

static void assert_recipients(world *w, const char *id, const char *wanted)
{
    buf text = BUF_INIT;
    json_t *list = texts_of(w, id, false);
    for (size_t i = 0; i < json_array_size(list); i++)
        buf_addf(&text, "%s%s", i ? "," : "", text_at(list, i, "status"));
    assert_string_equal(buf_cstr(&text), wanted);
    buf_free(&text);
    json_decref(list);
}

/* How often the relay took it for that recipient. */
static size_t taken(relay *r, const char *id, const char *who)
{
    char what[200];
    (void)snprintf(what, sizeof what, "%s %s@example.net", id, who);
    return seen(r, what);
}

static void await_seen(relay *r, size_t count)
{
    while (seen(r, NULL) < count)
        sleep_us(MS);
}

static deliver_stats stats_of(world *w)
{
    deliver_stats s;
    deliver_stats_get(w->d, &s);
    return s;
}

#define ID char id[QUEUE_ID + 1]

/* ---- one relay ---- */

static void what_is_due_is_sent(void **state)
{
    world *w = *state;
    ID;
    told last = {0};
    put(w, &(letter){.to = "ok1,ok2"}, id);
    start(w);
    await_state(w, id, QUEUE_SENT);
    assert_recipients(w, id, "accepted,accepted");
    assert_int_equal(taken(w->relays[0], id, "ok1"), 1);
    assert_int_equal(taken(w->relays[0], id, "ok2"), 1);
    assert_int_equal(told_of(w, id, &last), 1);
    while (atomic_load(&w->unwritten) > 0) /* it was told of one, and waits for the next */
        (void)usleep(1000);
    assert_int_equal(last.state, QUEUE_SENT);
    assert_int_equal(last.number, 1);
    assert_int_equal(last.recipients, 2);
    json_t *log = texts_of(w, id, true), *who = texts_of(w, id, false);
    assert_int_equal(json_array_size(log), 1);
    assert_string_equal(text_at(log, 0, "outcome"), "sent");
    assert_string_equal(text_at(log, 0, "relay"), "first");
    assert_string_equal(text_at(who, 0, "relay"), "first");
    json_decref(log);
    json_decref(who);
    assert_int_equal(atomic_load(&w->events_kept), 0);
}

static void what_is_put_in_later_is_sent_too(void **state)
{
    world *w = *state;
    ID;
    start(w);
    for (unsigned i = 0; i < 20; i++) {
        put(w, &(letter){.to = "ok", .file = i % 2}, id);
        await_state(w, id, QUEUE_SENT);
        assert_int_equal(taken(w->relays[0], id, "ok"), 1);
    }
}

static void what_is_handed_over_is_sent(void **state)
{
    world *w = *state;
    ID;
    start(w);
    for (unsigned i = 0; i < 20; i++) {
        hand_over(w, &(letter){.to = i == 3 ? "later1" : "ok", .file = i % 2}, id);
        await_state(w, id, QUEUE_SENT);
    }
    assert_int_equal(seen(w->relays[0], NULL), 20);
    while (stats_of(w).under_way > 0)
        sleep_us(MS);
}

static void what_is_refused_for_now_is_tried_again(void **state)
{
    world *w = *state;
    ID;
    told last = {0};
    put(w, &(letter){.to = "later2"}, id);
    start(w);
    await_state(w, id, QUEUE_SENT);
    assert_int_equal(taken(w->relays[0], id, "later2"), 1);
    assert_int_equal(tries(w, id), 3);
    assert_int_equal(told_of(w, id, &last), 3);
    assert_int_equal(last.number, 3);
    json_t *log = texts_of(w, id, true);
    assert_string_equal(text_at(log, 0, "outcome"), "not_sent");
    assert_string_equal(text_at(log, 0, "category"), "temporary");
    assert_string_equal(text_at(log, 0, "stage"), "rcpt");
    assert_int_equal(strlen(text_at(log, 0, "next_at")), CIVIL_TIME);
    assert_string_equal(text_at(log, 2, "next_at"), "");
    json_decref(log);
}

static void each_recipient_counts_for_itself(void **state)
{
    world *w = *state;
    ID;
    put(w, &(letter){.to = "ok,later2,gone,later1"}, id);
    start(w);
    await_state(w, id, QUEUE_PARTIAL);
    assert_recipients(w, id, "accepted,accepted,refused,accepted");
    assert_int_equal(taken(w->relays[0], id, "ok"), 1);
    assert_int_equal(taken(w->relays[0], id, "later1"), 1);
    assert_int_equal(taken(w->relays[0], id, "later2"), 1);
    assert_int_equal(asked(w->relays[0], "ok@example.net"), 1);
    assert_int_equal(asked(w->relays[0], "gone@example.net"), 1);
    assert_int_equal(asked(w->relays[0], "later2@example.net"), 3);
    assert_int_equal(tries(w, id), 3);
}

static void what_is_refused_for_good_fails(void **state)
{
    world *w = *state;
    char id[3][QUEUE_ID + 1];
    static const letter letters[] = {
        {.to = "gone,never"}, {.from = "bad@x", .to = "ok"}, {.from = "bad@x", .to = "ok,busy"}};
    for (size_t i = 0; i < COUNT(letters); i++)
        put(w, &letters[i], id[i]);
    w->options.most_us = HOUR;
    w->options.first_us = HOUR;
    start(w);
    await_state(w, id[0], QUEUE_FAILED_STATE);
    assert_recipients(w, id[0], "refused,refused");
    await_state(w, id[1], QUEUE_FAILED_STATE);
    assert_int_equal(tries(w, id[0]), 1);
    while (tries(w, id[2]) == 0)
        sleep_us(MS);
    assert_int_equal(state_of(w, id[2]), QUEUE_QUEUED);
    assert_recipients(w, id[2], "refused,waiting");
}

static void who_does_not_exist_is_suppressed(void **state)
{
    world *w = *state;
    ID;
    w->options.suppress = true;
    put(w, &(letter){.to = "ok,Gone2,never"}, id);
    start(w);
    await_state(w, id, QUEUE_PARTIAL);
    queue_op op = {.kind = QUEUE_SUPPRESSIONS, .in.suppress = {.most = 10}};
    run(w->q, &op, QUEUE_OK);
    assert_int_equal(op.suppressed_count, 1);
    assert_string_equal(op.suppressed[0].address, "gone2@example.net");
    assert_string_equal(op.suppressed[0].list, "");
    assert_string_equal(op.suppressed[0].reason, "550 5.1.1 no such user");
    queue_op_clear(&op);
}

/* ---- events ---- */

static size_t events_like(const queue_op *op, const char *type, const char *state)
{
    size_t n = 0;
    for (size_t i = 0; i < op->event_count; i++) {
        json_t *e = json_loads(op->events[i].payload, 0, NULL), *data = json_object_get(e, "data");
        assert_non_null(e);
        assert_string_equal(json_string_value(json_array_get(json_object_get(data, "tags"), 0)),
                            "t");
        assert_non_null(json_object_get(data, "message_id"));
        assert_true(json_array_size(json_object_get(data, "recipients")) > 0);
        const char *is = json_string_value(json_object_get(e, "type"));
        n += strcmp(is, type) == 0 &&
             strcmp(json_string_value(json_object_get(data, "state")), state) == 0;
        json_decref(e);
    }
    return n;
}

static void each_outcome_is_an_event(void **state)
{
    static const struct {
        letter letter;
        queue_state state;
        const char *type;
    } cases[] = {{{.to = "ok"}, QUEUE_SENT, "message.accepted"},
                 {{.to = "ok,gone"}, QUEUE_PARTIAL, "message.partly_failed"},
                 {{.to = "gone"}, QUEUE_FAILED_STATE, "message.failed"},
                 {{.from = "drop@x", .to = "ok"}, QUEUE_UNKNOWN, "message.unknown"},
                 {{.to = "ok", .expires_at = 1}, QUEUE_EXPIRED, "message.failed"},
                 {{.to = "later1"}, QUEUE_SENT, "message.accepted"}};
    world *w = *state;
    ID;
    w->options.events = true;
    start(w);
    for (size_t i = 0; i < COUNT(cases); i++) {
        put(w, &cases[i].letter, id);
        await_state(w, id, cases[i].state);
    }
    while (atomic_load(&w->events_kept) < COUNT(cases) + 1)
        sleep_us(MS);
    queue_op op = {.kind = QUEUE_EVENT_CLAIM,
                   .in.event = {.owner = "e", .most = 50, .lease_us = HOUR}};
    run(w->q, &op, QUEUE_OK);
    assert_int_equal(op.event_count, COUNT(cases) + 1);
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_true(events_like(&op, cases[i].type, queue_state_name(cases[i].state)) > 0);
    assert_int_equal(events_like(&op, "message.accepted", "sent"), 2);
    assert_int_equal(events_like(&op, "message.deferred", "queued"), 1);
    queue_op_clear(&op);
}

/* ---- unknown, expiry, schedule ---- */

static void an_unknown_outcome_is_not_sent_again(void **state)
{
    world *w = *state;
    ID;
    put(w, &(letter){.from = "drop@x", .to = "ok,gone,ok2"}, id);
    start(w);
    await_state(w, id, QUEUE_UNKNOWN);
    assert_recipients(w, id, "unknown,refused,unknown");
    assert_int_equal(taken(w->relays[0], id, "ok"), 1);
    assert_int_equal(tries(w, id), 1);
}

static void an_unknown_outcome_is_sent_again_if_that_is_asked_for(void **state)
{
    world *w = *state;
    ID;
    w->options.resend_unknown = true;
    put(w, &(letter){.from = "drop@x", .to = "ok,gone"}, id);
    start(w);
    while (taken(w->relays[0], id, "ok") < 3)
        sleep_us(MS);
    assert_int_equal(asked(w->relays[0], "gone@example.net"), 1);
    assert_true(tries(w, id) >= 2);
}

static void what_is_never_taken_expires(void **state)
{
    world *w = *state;
    ID;
    start(w);
    put(w, &(letter){.to = "busy,gone", .expires_at = now_us() + SECOND}, id);
    await_state(w, id, QUEUE_EXPIRED);
    assert_recipients(w, id, "expired,refused");
    assert_true(tries(w, id) >= 1);
    put(w, &(letter){.to = "ok", .expires_at = now_us() - 1}, id);
    await_state(w, id, QUEUE_EXPIRED);
    assert_int_equal(tries(w, id), 0);
    assert_int_equal(asked(w->relays[0], "ok@example.net"), 0);
}

static void what_is_scheduled_waits_for_its_time(void **state)
{
    world *w = *state;
    char later[QUEUE_ID + 1];
    ID;
    int64_t at = now_us() + 200 * MS;
    start(w);
    put(w, &(letter){.to = "much", .next_at = now_us() + HOUR}, later);
    put(w, &(letter){.to = "ok", .next_at = at}, id);
    await_state(w, id, QUEUE_SENT);
    assert_true(now_us() >= at);
    assert_int_equal(state_of(w, later), QUEUE_QUEUED);
}

/* ---- what can't be read ---- */

static void a_message_that_cannot_be_read_fails(void **state)
{
    static const struct {
        const char *head, *recipients, *log;
    } cases[] = {
        {"{", "[{\"email\":\"a@b\",\"status\":\"waiting\"}]", "[]"},
        {"{\"relays\":[\"first\"]}", "[{\"email\":\"a@b\",\"status\":\"waiting\"}]", "[]"},
        {"{\"envelope_from\":\"a@b\",\"relays\":[]}",
         "[{\"email\":\"a@b\",\"status\":\"waiting\"}]", "[]"},
        {"{\"envelope_from\":\"a@b\",\"relays\":[\"first\"]}", "[]", "[]"},
        {"{\"envelope_from\":\"a@b\",\"relays\":[\"first\"]}",
         "[{\"email\":\"a@b\",\"status\":\"dancing\"}]", "nonsense"},
        {"{\"envelope_from\":\"a@b\",\"relays\":[\"first\"]}",
         "[{\"email\":\"a@b>\\r\\nDATA\",\"status\":\"waiting\"}]", "[1,2]"},
    };
    world *w = *state;
    ID;
    w->options.events = true;
    start(w);
    for (size_t i = 0; i < COUNT(cases); i++) {
        queue_message m = write_letter(w, &(letter){.to = "ok"});
        free(m.head);
        free(m.recipients);
        free(m.log);
        m.head = strdup(cases[i].head);
        m.recipients = strdup(cases[i].recipients);
        m.log = strdup(cases[i].log);
        keep(w, &m);
        deliver_wake(w->d);
        memcpy(id, m.id, sizeof id);
        queue_message_clear(&m);
        await_state(w, id, QUEUE_FAILED_STATE);
        json_t *log = texts_of(w, id, true);
        assert_true(strlen(text_at(log, json_array_size(log) - 1, "detail")) > 10);
        json_decref(log);
    }
    assert_int_equal(seen(w->relays[0], NULL), 0);
}

/* ---- more than one relay ---- */

#define BOTH "[\"first\",\"second\"]"

static void the_second_relay_is_tried_at_once(void **state)
{
    world *w = *state;
    ID;
    told last = {0};
    atomic_store(&w->relays[0]->down, true);
    w->options.first_us = w->options.most_us = HOUR;
    put(w, &(letter){.to = "ok", .relays = BOTH}, id);
    start(w);
    await_state(w, id, QUEUE_SENT);
    assert_int_equal(taken(w->relays[1], id, "ok"), 1);
    assert_int_equal(told_of(w, id, &last), 2);
    assert_string_equal(last.relay, "second");
    assert_int_equal(last.number, 2);
    json_t *log = texts_of(w, id, true);
    assert_int_equal(json_array_size(log), 2);
    assert_string_equal(text_at(log, 0, "relay"), "first");
    assert_string_equal(text_at(log, 1, "outcome"), "sent");
    json_decref(log);
}

static void the_second_relay_is_not_tried_for_a_fault_of_the_message(void **state)
{
    world *w = *state;
    char id[2][QUEUE_ID + 1];
    put(w, &(letter){.to = "gone", .relays = BOTH}, id[0]);
    put(w, &(letter){.from = "drop@x", .to = "ok", .relays = BOTH}, id[1]);
    start(w);
    await_state(w, id[0], QUEUE_FAILED_STATE);
    await_state(w, id[1], QUEUE_UNKNOWN);
    assert_int_equal(atomic_load(&w->relays[1]->met), 0);
}

static void a_relay_that_is_not_configured_is_passed_over(void **state)
{
    world *w = *state;
    char id[2][QUEUE_ID + 1];
    w->options.first_us = w->options.most_us = HOUR;
    put(w, &(letter){.to = "ok", .relays = "[\"old\",\"second\"]"}, id[0]);
    put(w, &(letter){.to = "ok", .relays = "[\"old\"]"}, id[1]);
    start(w);
    await_state(w, id[0], QUEUE_SENT);
    assert_int_equal(tries(w, id[0]), 2);
    while (tries(w, id[1]) == 0)
        sleep_us(MS);
    json_t *log = texts_of(w, id[1], true);
    assert_non_null(strstr(text_at(log, 0, "detail"), "no relay of that name"));
    json_decref(log);
    assert_int_equal(state_of(w, id[1]), QUEUE_QUEUED);
}

static void a_relay_that_fails_is_left_alone_for_a_while(void **state)
{
    world *w = *state;
    char id[40][QUEUE_ID + 1];
    atomic_store(&w->relays[0]->down, true);
    for (size_t i = 0; i < COUNT(id); i++)
        put(w, &(letter){.to = "ok"}, id[i]);
    w->options.most = 1; /* one after the other, so that it opens before all were tried */
    w->options.first_us = w->options.most_us = HOUR;
    w->options.breaker_first_us = w->options.breaker_most_us = HOUR;
    start(w);
    while (stats_of(w).breakers_open == 0)
        sleep_us(MS);
    assert_int_equal(atomic_load(&w->relays[0]->met), 5);
    /* Claims look for messages of other relays. These wait until theirs may be asked again. */
    int64_t next_at = 0;
    while (next_at < now_us() + HOUR / 2) {
        queue_op op = get(w, id[5]);
        next_at = op.messages[0].state == QUEUE_QUEUED ? op.messages[0].next_at : 0;
        queue_op_clear(&op);
        sleep_us(MS);
    }
    assert_int_equal(tries(w, id[5]), 0);
    assert_int_equal(atomic_load(&w->relays[0]->met), 5);
    /* What has another relay goes there at once. */
    put(w, &(letter){.to = "ok", .relays = BOTH}, id[0]);
    hand_over(w, &(letter){.to = "ok2", .relays = BOTH}, id[1]);
    await_state(w, id[1], QUEUE_SENT);
    assert_int_equal(tries(w, id[1]), 1);
    assert_int_equal(atomic_load(&w->relays[0]->met), 5);
}

static void what_waits_for_its_turn_in_vain_was_not_tried(void **state)
{
    enum { MANY = 8 };
    world *w = *state;
    char url[100], *error = NULL, ids[MANY][QUEUE_ID + 1];
    smtp_relay_free(w->routes[0]);
    (void)snprintf(url, sizeof url, "smtp://127.0.0.1:%u?tls=none&ehlo=client.test&rate=5/s",
                   w->relays[0]->port);
    w->routes[0] = smtp_relay_create(names[0], url, &error);
    assert_non_null(w->routes[0]);
    w->options.timeout_us = 400 * MS; /* three can go in that time */
    for (size_t i = 0; i < MANY; i++)
        put(w, &(letter){.to = "ok"}, ids[i]);
    start(w);
    for (size_t i = 0; i < MANY; i++) {
        await_state(w, ids[i], QUEUE_SENT);
        assert_int_equal(tries(w, ids[i]), 1);
        assert_int_equal(told_of(w, ids[i], NULL), 1);
        assert_int_equal(taken(w->relays[0], ids[i], "ok"), 1);
    }
}

static void a_relay_that_works_again_is_used_again(void **state)
{
    world *w = *state;
    char id[30][QUEUE_ID + 1];
    unsigned met;
    atomic_store(&w->relays[0]->down, true);
    for (size_t i = 0; i < COUNT(id); i++)
        put(w, &(letter){.to = "ok"}, id[i]);
    start(w);
    while (stats_of(w).breakers_open == 0)
        sleep_us(MS);
    met = atomic_load(&w->relays[0]->met);
    while (atomic_load(&w->relays[0]->met) < met + 3) /* it is asked now and then */
        sleep_us(MS);
    atomic_store(&w->relays[0]->down, false);
    for (size_t i = 0; i < COUNT(id); i++) {
        await_state(w, id[i], QUEUE_SENT);
        assert_int_equal(taken(w->relays[0], id[i], "ok"), 1);
    }
    assert_int_equal(stats_of(w).breakers_open, 0);
}

/* ---- room ---- */

static void room_has_bounds(void **state)
{
    world *w = *state;
    w->options.most = 3;
    w->options.most_bytes = 1000;
    start(w);
    reserve(w, 5000); /* alone, once the first claim is back */
    assert_false(deliver_reserve(w->d, 1));
    deliver_unreserve(w->d, 5000);
    reserve(w, 400);
    reserve(w, 400);
    assert_false(deliver_reserve(w->d, 400));
    reserve(w, 100);
    assert_false(deliver_reserve(w->d, 1));
    assert_int_equal(stats_of(w).under_way, 3);
    deliver_unreserve(w->d, 100);
    deliver_unreserve(w->d, 400);
    deliver_unreserve(w->d, 400);
}

static void no_more_is_claimed_than_there_is_room_for(void **state)
{
    world *w = *state;
    char id[12][QUEUE_ID + 1];
    w->options.most = 4;
    for (size_t i = 0; i < COUNT(id); i++)
        put(w, &(letter){.from = "hold@x", .to = "ok"}, id[i]);
    start(w);
    await_seen(w->relays[0], 4);
    queue_op op = {.kind = QUEUE_STATS};
    run(w->q, &op, QUEUE_OK);
    assert_int_equal(op.stats.sending, 4);
    assert_int_equal(op.stats.queued, 8);
    queue_op_clear(&op);
    assert_int_equal(stats_of(w).under_way, 4);
    relay_go(w->relays[0]);
    for (size_t i = 0; i < COUNT(id); i++)
        await_state(w, id[i], QUEUE_SENT);
    assert_int_equal(seen(w->relays[0], NULL), COUNT(id));
}

static void many_are_drained_each_once(void **state)
{
    enum { MANY = 2000 };
    world *w = *state;
    static char id[MANY][QUEUE_ID + 1];
    queue_message *m = calloc(MANY, sizeof *m);
    assert_non_null(m);
    for (size_t i = 0; i < MANY; i++) {
        m[i] = write_letter(w, &(letter){.to = i % 50 == 0 ? "ok,later1" : "ok"});
        memcpy(id[i], m[i].id, sizeof m[i].id);
    }
    queue_op op = {.kind = QUEUE_PUT, .in.put = {.messages = m, .count = MANY}};
    run(w->q, &op, QUEUE_OK);
    queue_op_clear(&op);
    for (size_t i = 0; i < MANY; i++)
        queue_message_clear(&m[i]);
    free(m);
    w->options.most = 256;
    start(w);
    for (size_t i = 0; i < MANY; i++)
        await_state(w, id[i], QUEUE_SENT);
    assert_int_equal(seen(w->relays[0], NULL), MANY + MANY / 50);
    for (size_t i = 0; i < MANY; i += 7)
        assert_int_equal(taken(w->relays[0], id[i], "ok"), 1);
}

/* ---- stopping, and a queue that fails ---- */

static void *stop_of(void *ctx)
{
    world *w = ctx;
    assert_true(deliver_stop(w->d, 60 * SECOND));
    return NULL;
}

static void a_stop_that_does_not_wait_can_go_on(void **state)
{
    world *w = *state;
    char id[8][QUEUE_ID + 1];
    w->options.most = 4;
    start(w);
    for (size_t i = 0; i < COUNT(id); i++)
        put(w, &(letter){.from = "hold@x", .to = "ok"}, id[i]);
    await_seen(w->relays[0], 4);
    assert_false(deliver_stop(w->d, 10 * MS));
    assert_false(deliver_reserve(w->d, 1));
    smtp_sender_stop(w->sender, 0); /* the relay has not answered */
    assert_true(deliver_stop(w->d, 30 * SECOND));
    for (size_t i = 0; i < COUNT(id); i++)
        assert_int_equal(state_of(w, id[i]), i < 4 ? QUEUE_UNKNOWN : QUEUE_QUEUED);
}

static void what_a_stop_leaves_is_left_to_its_lease(void **state)
{
    world *w = *state;
    char id[4][QUEUE_ID + 1];
    start(w);
    for (size_t i = 0; i < COUNT(id); i++)
        put(w, &(letter){.from = "hold@x", .to = "ok"}, id[i]);
    await_seen(w->relays[0], 4);
    assert_false(deliver_stop(w->d, 0));
    smtp_sender_stop(w->sender, 0);
    for (size_t i = 0; i < COUNT(id); i++)
        assert_int_equal(state_of(w, id[i]), QUEUE_SENDING);
    queue_close(w->q, SECOND);
    deliver_free(w->d);
    w->d = NULL;
    w->q = NULL;
}

static void a_stop_waits_for_what_is_under_way(void **state)
{
    world *w = *state;
    ID;
    pthread_t thread;
    start(w);
    put(w, &(letter){.from = "hold@x", .to = "ok"}, id);
    await_seen(w->relays[0], 1);
    assert_int_equal(pthread_create(&thread, NULL, stop_of, w), 0);
    while (deliver_reserve(w->d, 1)) { /* it is not stopping yet */
        deliver_unreserve(w->d, 1);
        sleep_us(MS);
    }
    relay_go(w->relays[0]);
    (void)pthread_join(thread, NULL);
    assert_int_equal(state_of(w, id), QUEUE_SENT);
}

static void nothing_is_lost_or_sent_twice_by_a_stop(void **state)
{
    world *w = *state;
    char id[300][QUEUE_ID + 1];
    for (size_t i = 0; i < COUNT(id); i++)
        put(w, &(letter){.to = i % 3 ? "ok" : "ok,later1"}, id[i]);
    for (unsigned round = 0; round < 5; round++) {
        size_t before = seen(w->relays[0], NULL);
        start(w);
        await_seen(w->relays[0], before + 10);
        assert_true(deliver_stop(w->d, 60 * SECOND));
        assert_false(deliver_reserve(w->d, 1));
        deliver_free(w->d);
        w->d = NULL;
        queue_op op = {.kind = QUEUE_STATS};
        run(w->q, &op, QUEUE_OK);
        assert_int_equal(op.stats.sending, 0);
        queue_op_clear(&op);
    }
    start(w);
    for (size_t i = 0; i < COUNT(id); i++) {
        await_state(w, id[i], QUEUE_SENT);
        assert_int_equal(taken(w->relays[0], id[i], "ok"), 1);
        assert_int_equal(taken(w->relays[0], id[i], "later1"), i % 3 == 0);
    }
}

static void what_is_handed_over_at_a_stop_is_given_back(void **state)
{
    world *w = *state;
    ID;
    start(w);
    queue_message m = write_letter(w, &(letter){.to = "ok"});
    reserve(w, m.body.size);
    m.state = QUEUE_SENDING;
    keep(w, &m);
    memcpy(id, m.id, sizeof m.id);
    assert_false(deliver_stop(w->d, 0)); /* it was reserved for */
    deliver_take(w->d, &m);
    assert_true(deliver_stop(w->d, 30 * SECOND));
    assert_int_equal(state_of(w, id), QUEUE_QUEUED);
    assert_int_equal(seen(w->relays[0], NULL), 0);
}

/* The database says no to each SETTLE for a while: what must be settled is, when it can be. */
static void block_settling(world *w, bool block)
{
    char command[700];
    if (w->postgresql) {
        (void)snprintf(command, sizeof command,
                       block ? "psql -q '%s' -c \"CREATE FUNCTION no() RETURNS trigger LANGUAGE "
                               "plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'; "
                               "CREATE TRIGGER no BEFORE DELETE ON postern_message "
                               "FOR EACH ROW EXECUTE FUNCTION no()\" >/dev/null"
                             : "psql -q '%s' -c 'DROP TRIGGER no ON postern_message' >/dev/null",
                       w->postgresql);
    } else {
        (void)snprintf(command, sizeof command,
                       "python3 -c \"import sqlite3, glob, sys; c = sqlite3.connect("
                       "glob.glob('%s/*.db')[0], timeout=30); c.execute(sys.argv[1]); c.commit()\""
                       " \"%s\"",
                       w->folder,
                       block ? "CREATE TRIGGER no BEFORE DELETE ON postern_message BEGIN "
                               "SELECT RAISE(ABORT, 'no'); END"
                             : "DROP TRIGGER no");
    }
    assert_int_equal(system(command), 0); /* NOLINT(concurrency-mt-unsafe) */
}

static void what_cannot_be_settled_is_kept_until_it_can(void **state)
{
    world *w = *state;
    char id[10][QUEUE_ID + 1];
    w->options.most = 4;
    start(w);
    put(w, &(letter){.to = "ok"}, id[0]);
    await_state(w, id[0], QUEUE_SENT); /* the day's table is there */
    block_settling(w, true);
    for (size_t i = 0; i < COUNT(id); i++)
        put(w, &(letter){.to = "ok"}, id[i]);
    await_seen(w->relays[0], 5);
    sleep_us(300 * MS); /* so that what is wrong would show */
    assert_int_equal(seen(w->relays[0], NULL), 5);
    assert_int_equal(stats_of(w).under_way, 4);
    block_settling(w, false);
    for (size_t i = 0; i < COUNT(id); i++) {
        await_state(w, id[i], QUEUE_SENT);
        assert_int_equal(taken(w->relays[0], id[i], "ok"), 1);
    }
}

static void what_another_has_is_left_to_it(void **state)
{
    world *w = *state;
    ID;
    queue_message m = write_letter(w, &(letter){.to = "ok"});
    start(w);
    reserve(w, m.body.size);
    m.state = QUEUE_SENDING;
    queue_op op = {.kind = QUEUE_PUT,
                   .in.put = {.messages = &m, .count = 1, .owner = "other", .lease_us = HOUR}};
    run(w->q, &op, QUEUE_OK);
    queue_op_clear(&op);
    memcpy(id, m.id, sizeof m.id);
    deliver_take(w->d, &m); /* as if the lease had been lost meanwhile */
    while (stats_of(w).under_way > 0)
        sleep_us(MS);
    assert_int_equal(state_of(w, id), QUEUE_SENDING);
    assert_int_equal(atomic_load(&w->events_kept), 0);
}

static void what_is_under_way_is_not_begun_again_when_its_lease_ran_out(void **state)
{
    world *w = *state;
    ID;
    int64_t until = 0;
    start(w);
    queue_message m = write_letter(w, &(letter){.from = "hold@x", .to = "ok"});
    reserve(w, m.body.size);
    m.state = QUEUE_SENDING;
    queue_op op = {.kind = QUEUE_PUT,
                   .in.put = {.messages = &m, .count = 1, .owner = "this", .lease_us = 20 * MS}};
    run(w->q, &op, QUEUE_OK);
    queue_op_clear(&op);
    memcpy(id, m.id, sizeof m.id);
    deliver_take(w->d, &m);
    await_seen(w->relays[0], 1);
    while (until < now_us() + SECOND) { /* it is claimed, and has a new lease */
        deliver_wake(w->d);
        sleep_us(5 * MS);
        op = get(w, id);
        until = op.messages[0].next_at;
        queue_op_clear(&op);
    }
    relay_go(w->relays[0]);
    await_state(w, id, QUEUE_SENT);
    assert_int_equal(asked(w->relays[0], "ok@example.net"), 1);
    assert_int_equal(told_of(w, id, NULL), 1);
}

#define ON(setup)                                                                                  \
    cmocka_unit_test_setup_teardown(what_is_due_is_sent, setup, tear_down),                        \
        cmocka_unit_test_setup_teardown(what_is_put_in_later_is_sent_too, setup, tear_down),       \
        cmocka_unit_test_setup_teardown(what_is_handed_over_is_sent, setup, tear_down),            \
        cmocka_unit_test_setup_teardown(what_is_refused_for_now_is_tried_again, setup, tear_down), \
        cmocka_unit_test_setup_teardown(each_recipient_counts_for_itself, setup, tear_down),       \
        cmocka_unit_test_setup_teardown(what_is_refused_for_good_fails, setup, tear_down),         \
        cmocka_unit_test_setup_teardown(who_does_not_exist_is_suppressed, setup, tear_down),       \
        cmocka_unit_test_setup_teardown(each_outcome_is_an_event, setup, tear_down),               \
        cmocka_unit_test_setup_teardown(an_unknown_outcome_is_not_sent_again, setup, tear_down),   \
        cmocka_unit_test_setup_teardown(an_unknown_outcome_is_sent_again_if_that_is_asked_for,     \
                                        setup, tear_down),                                         \
        cmocka_unit_test_setup_teardown(what_is_never_taken_expires, setup, tear_down),            \
        cmocka_unit_test_setup_teardown(what_is_scheduled_waits_for_its_time, setup, tear_down),   \
        cmocka_unit_test_setup_teardown(a_message_that_cannot_be_read_fails, setup, tear_down),    \
        cmocka_unit_test_setup_teardown(the_second_relay_is_tried_at_once, setup, tear_down),      \
        cmocka_unit_test_setup_teardown(the_second_relay_is_not_tried_for_a_fault_of_the_message,  \
                                        setup, tear_down),                                         \
        cmocka_unit_test_setup_teardown(a_relay_that_is_not_configured_is_passed_over, setup,      \
                                        tear_down),                                                \
        cmocka_unit_test_setup_teardown(a_relay_that_fails_is_left_alone_for_a_while, setup,       \
                                        tear_down),                                                \
        cmocka_unit_test_setup_teardown(a_relay_that_works_again_is_used_again, setup, tear_down), \
        cmocka_unit_test_setup_teardown(what_waits_for_its_turn_in_vain_was_not_tried, setup,      \
                                        tear_down),                                                \
        cmocka_unit_test_setup_teardown(room_has_bounds, setup, tear_down),                        \
        cmocka_unit_test_setup_teardown(no_more_is_claimed_than_there_is_room_for, setup,          \
                                        tear_down),                                                \
        cmocka_unit_test_setup_teardown(many_are_drained_each_once, setup, tear_down),             \
        cmocka_unit_test_setup_teardown(a_stop_waits_for_what_is_under_way, setup, tear_down),     \
        cmocka_unit_test_setup_teardown(a_stop_that_does_not_wait_can_go_on, setup, tear_down),    \
        cmocka_unit_test_setup_teardown(what_a_stop_leaves_is_left_to_its_lease, setup,            \
                                        tear_down),                                                \
        cmocka_unit_test_setup_teardown(nothing_is_lost_or_sent_twice_by_a_stop, setup,            \
                                        tear_down),                                                \
        cmocka_unit_test_setup_teardown(what_is_handed_over_at_a_stop_is_given_back, setup,        \
                                        tear_down),                                                \
        cmocka_unit_test_setup_teardown(what_cannot_be_settled_is_kept_until_it_can, setup,        \
                                        tear_down),                                                \
        cmocka_unit_test_setup_teardown(what_another_has_is_left_to_it, setup, tear_down),         \
        cmocka_unit_test_setup_teardown(                                                           \
            what_is_under_way_is_not_begun_again_when_its_lease_ran_out, setup, tear_down)

int main(void)
{
    const struct CMUnitTest sqlite[] = {ON(set_up)};
    const struct CMUnitTest postgresql[] = {ON(set_up_postgresql)};
    (void)curl_global_init(CURL_GLOBAL_ALL);
    int failed = cmocka_run_group_tests_name("deliver on SQLite", sqlite, NULL, NULL);
    if (postgresql_url())
        failed += cmocka_run_group_tests_name("deliver on PostgreSQL", postgresql, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
