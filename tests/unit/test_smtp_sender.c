/*
 * The sender against a scripted relay on loopback: what it says, what it makes of each answer, and
 * that nothing is lost or sent twice.
 *
 * A script is a list of steps for one session:
 *     "S 250 ok"   say a line            "S- 250 ok"  say it byte by byte
 *     "C MAIL"     read a line that begins so
 *     "E"          the client must have sent nothing more by now
 *     "B"          read a message to its final dot
 *     "N 100000"   read so many octets   "G", "G2"  wait for the test's go, and its second
 *     "A"          say the usual EHLO answer, with PIPELINING and SIZE
 *     "X" close    "R" reset             "*"  be honest until the client leaves
 * A script that is over, "H", reads until the client closes.
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

#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "base/buf.h"
#include "base/clock.h"
#include "smtp/sender.h"

#define SESSIONS_MAX 64
#define COUNT(list)  (sizeof(list) / sizeof *(list))
#define SECONDS(n)   ((int64_t)(n)*1000000)

/* ---- the relay ---- */

typedef const char *const script[40];

typedef struct place place;

typedef struct meeting {
    place *at;
    int fd;
    const char *const *steps;
    pthread_t thread;
    buf got;     /* all that the client sent; its last byte is followed by a NUL */
    size_t read; /* of it, by the script */
    bool failed; /* it did not go as scripted */
    char wrong[200];
} meeting;

struct place {
    int listener;
    unsigned port;
    pthread_t thread;
    const script *scripts; /* one per session; the last one serves all further ones */
    size_t script_count;
    meeting sessions[SESSIONS_MAX];
    atomic_size_t session_count;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool go[2];
};

static void complain(meeting *m, const char *what, const char *detail)
{
    if (!m->failed)
        (void)snprintf(m->wrong, sizeof m->wrong, "%s: %.120s", what, detail);
    m->failed = true;
}

/* Adds to what was got; the test's thread looks into it meanwhile. */
static void keep(meeting *m, const char *data, size_t len)
{
    (void)pthread_mutex_lock(&m->at->lock);
    buf_add(&m->got, data, len);
    assert_non_null(buf_cstr(&m->got));
    (void)pthread_mutex_unlock(&m->at->lock);
}

/* More of what the client says; false at its end. */
static bool receive(meeting *m)
{
    char data[65536];
    ssize_t n = recv(m->fd, data, sizeof data, 0);
    if (n > 0)
        keep(m, data, (size_t)n);
    return n > 0;
}

static const char *unread(meeting *m)
{
    return m->got.data + m->read;
}

/* The next line, without its end, in `line`; false at the client's end. */
static bool read_line(meeting *m, char *line, size_t cap)
{
    const char *end;
    while (!(end = strstr(unread(m), "\r\n"))) {
        if (!receive(m))
            return false;
    }
    size_t len = (size_t)(end - unread(m));
    (void)snprintf(line, cap, "%.*s", (int)len, unread(m));
    m->read += len + 2;
    return true;
}

static bool read_message(meeting *m)
{
    size_t start = m->read;
    for (;;) {
        const char *text = m->got.data + start;
        const char *end = strncmp(text, ".\r\n", 3) == 0 ? text : strstr(text, "\r\n.\r\n");
        if (end) {
            m->read = start + (size_t)(end - text) + (end == text ? 3 : 5);
            return true;
        }
        if (!receive(m))
            return false;
    }
}

static void say(meeting *m, const char *text, bool slowly)
{
    size_t len = strlen(text);
    size_t step = slowly ? 1 : len;
    for (size_t at = 0; at < len; at += step)
        (void)send(m->fd, text + at, step, MSG_NOSIGNAL);
}

static void say_line(meeting *m, const char *text, bool slowly)
{
    char line[600];
    (void)snprintf(line, sizeof line, "%s\r\n", text);
    say(m, line, slowly);
}

#define EHLO_ANSWER                                                                                \
    "250-relay.test\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250 ENHANCEDSTATUSCODES\r\n"

static void be_honest(meeting *m)
{
    static const struct {
        const char *command, *answer;
    } answers[] = {{"EHLO", EHLO_ANSWER},        {"MAIL", "250 2.1.0 ok\r\n"},
                   {"RCPT", "250 2.1.5 ok\r\n"}, {"DATA", "354 go\r\n"},
                   {"RSET", "250 2.0.0 ok\r\n"}, {"QUIT", "221 2.0.0 bye\r\n"}};
    char line[600];
    while (read_line(m, line, sizeof line)) {
        for (size_t i = 0; i < COUNT(answers); i++) {
            if (strncmp(line, answers[i].command, 4) == 0)
                say(m, answers[i].answer, false);
        }
        if (strcmp(line, "QUIT") == 0)
            return;
        if (strcmp(line, "DATA") == 0) {
            if (!read_message(m))
                return;
            say_line(m, "250 2.0.0 queued", false);
        }
    }
}

static void wait_for_go(place *p, size_t which)
{
    (void)pthread_mutex_lock(&p->lock);
    while (!p->go[which])
        (void)pthread_cond_wait(&p->changed, &p->lock);
    (void)pthread_mutex_unlock(&p->lock);
}

/* One step; false: the session is over. */
static bool perform(meeting *m, const char *step)
{
    char line[600];
    switch (step[0]) {
    case 'S': say_line(m, step + (step[1] == '-' ? 3 : 2), step[1] == '-'); return true;
    case 'A': say(m, EHLO_ANSWER, false); return true;
    case 'C':
        if (!read_line(m, line, sizeof line))
            complain(m, "the client left before", step);
        else if (strstr(line, step + 2) != line)
            complain(m, step, line);
        return !m->failed;
    case 'E':
        if (*unread(m) || recv(m->fd, line, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
            complain(m, "the client said too much", unread(m));
        return true;
    case 'B':
        if (!read_message(m))
            complain(m, "the client left in the message", "");
        return !m->failed;
    case 'N': {
        size_t want = m->read + strtoul(step + 2, NULL, 10);
        while (m->got.len < want && receive(m))
            continue;
        return true;
    }
    case 'G': wait_for_go(m->at, step[1] == '2'); return true;
    case '*': be_honest(m); return false;
    case 'R': {
        const struct linger now = {1, 0};
        (void)setsockopt(m->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        return false;
    }
    case 'X': return false;
    default: complain(m, "no such step", step); return false;
    }
}

/* Whether the last that the client said is QUIT: nobody need wait for more. */
static bool has_quit(const meeting *m)
{
    static const char quit[] = "QUIT\r\n";
    size_t len = sizeof quit - 1;
    return m->got.len >= len && memcmp(m->got.data + m->got.len - len, quit, len) == 0;
}

static void *serve(void *ctx)
{
    meeting *m = ctx;
    const char *const *step = m->steps;
    while (*step && perform(m, *step))
        step++;
    if (!*step) {
        while (!has_quit(m) && receive(m))
            continue;
    }
    (void)shutdown(m->fd, step[0] && step[0][0] == 'R' ? SHUT_RD : SHUT_WR);
    if (*step && **step == 'X') { /* a plain FIN: what the client still sends is read away */
        while (receive(m))
            continue;
    }
    (void)close(m->fd);
    m->fd = -1;
    return NULL;
}

static void *receive_guests(void *ctx)
{
    place *p = ctx;
    int fd;
    while ((fd = accept(p->listener, NULL, NULL)) >= 0) {
        size_t i = atomic_load(&p->session_count);
        if (i == SESSIONS_MAX) {
            (void)close(fd);
            continue;
        }
        meeting *m = &p->sessions[i];
        m->at = p;
        m->fd = fd;
        m->steps = p->scripts[i < p->script_count ? i : p->script_count - 1];
        keep(m, "", 0);
        atomic_store(&p->session_count, i + 1);
        assert_int_equal(pthread_create(&m->thread, NULL, serve, m), 0);
    }
    return NULL;
}

static place *open_place(const script *scripts, size_t count)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    place *p = calloc(1, sizeof *p);
    assert_non_null(p);
    p->scripts = scripts;
    p->script_count = count;
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->changed, NULL);
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(p->listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(p->listener, 128), 0);
    assert_int_equal(getsockname(p->listener, (struct sockaddr *)&at, &len), 0);
    p->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&p->thread, NULL, receive_guests, p), 0);
    return p;
}

static void give_go(place *p, size_t which)
{
    (void)pthread_mutex_lock(&p->lock);
    p->go[which] = true;
    (void)pthread_cond_broadcast(&p->changed);
    (void)pthread_mutex_unlock(&p->lock);
}

static void let_go(place *p)
{
    give_go(p, 0);
}

static void let_go_on(place *p)
{
    give_go(p, 1);
}

/* Ends the relay; every session must have gone as scripted. Returns how many there were. */
static size_t close_place(place *p)
{
    let_go(p);
    let_go_on(p);
    (void)shutdown(p->listener, SHUT_RDWR);
    (void)pthread_join(p->thread, NULL);
    (void)close(p->listener);
    size_t count = atomic_load(&p->session_count);
    for (size_t i = 0; i < count; i++) {
        meeting *m = &p->sessions[i];
        (void)pthread_join(m->thread, NULL);
        if (m->failed)
            fail_msg("session %zu: %s", i, m->wrong);
        buf_free(&m->got);
    }
    (void)pthread_mutex_destroy(&p->lock);
    (void)pthread_cond_destroy(&p->changed);
    free(p);
    return count;
}

/* ---- the client ---- */

typedef struct message {
    const char *text;
    size_t len, at;
    size_t repeat, round; /* the text, so many times */
    unsigned rewinds;
} message;

static size_t read_text(void *ctx, char *out, size_t cap)
{
    message *m = ctx;
    if (m->at == m->len) {
        if (m->round + 1 >= m->repeat)
            return 0;
        m->round++;
        m->at = 0;
    }
    size_t n = m->len - m->at < cap ? m->len - m->at : cap;
    memcpy(out, m->text + m->at, n);
    m->at += n;
    return n;
}

static void rewind_text(void *ctx)
{
    message *m = ctx;
    m->at = m->round = 0;
    m->rewinds++;
}

typedef struct job {
    pthread_mutex_t lock;
    pthread_cond_t done;
    unsigned calls;
    smtp_result *result;
    message message;
    smtp_transaction what;
} job;

typedef struct world {
    place *place;
    smtp_relay *relay;
    smtp_sender *sender;
} world;

static void on_done(void *ctx, smtp_result *result)
{
    job *j = ctx;
    (void)pthread_mutex_lock(&j->lock);
    j->calls++;
    j->result = result;
    (void)pthread_cond_signal(&j->done);
    (void)pthread_mutex_unlock(&j->lock);
}

static const char *const one[] = {"li@example.net"};
static const char *const two[] = {"li@example.net", "wu@example.net"};
static const char *const three[] = {"li@example.net", "wu@example.net", "an@example.net"};

static void prepare(job *j, const world *w, const char *const *recipients, size_t count,
                    const char *text)
{
    memset(j, 0, sizeof *j);
    (void)pthread_mutex_init(&j->lock, NULL);
    (void)pthread_cond_init(&j->done, NULL);
    j->message = (message){.text = text, .len = strlen(text), .repeat = 1};
    j->what = (smtp_transaction){.id = "test",
                                 .relay = w->relay,
                                 .reverse_path = "shop@example.com",
                                 .recipients = recipients,
                                 .recipient_count = count,
                                 .source = {.read = read_text,
                                            .rewind = rewind_text,
                                            .ctx = &j->message,
                                            .size = strlen(text)},
                                 .timeout_us = SECONDS(30),
                                 .transcript = true,
                                 .done = on_done,
                                 .ctx = j};
}

static void submit(world *w, job *j)
{
    assert_true(smtp_sender_submit(w->sender, &j->what));
}

static smtp_result *await(job *j)
{
    (void)pthread_mutex_lock(&j->lock);
    while (j->calls == 0)
        (void)pthread_cond_wait(&j->done, &j->lock);
    (void)pthread_mutex_unlock(&j->lock);
    assert_int_equal(j->calls, 1);
    assert_non_null(j->result);
    return j->result;
}

static void finish(job *j)
{
    assert_int_equal(j->calls, 1);
    smtp_result_free(j->result);
    (void)pthread_mutex_destroy(&j->lock);
    (void)pthread_cond_destroy(&j->done);
}

static smtp_result *send_to(world *w, job *j, const char *const *recipients, size_t count)
{
    prepare(j, w, recipients, count, "Subject: x\r\n\r\nhello\r\n");
    submit(w, j);
    return await(j);
}

/* Sends one plain mail and asks for nothing but the outcome. */
static void send_plain(world *w, smtp_outcome outcome)
{
    job j;
    assert_int_equal(send_to(w, &j, one, 1)->outcome, outcome);
    finish(&j);
}

typedef struct setting {
    const char *login; /* "user:pass@" */
    const char *query; /* "&sessions=2" */
    unsigned threads;
    unsigned limit; /* of transactions on a session */
    int64_t idle_us;
    bool hosted;
} setting;

static world open_world(const script *scripts, size_t count, setting s)
{
    world w = {0};
    char url[200], *error = NULL;
    const smtp_sender_options options = {.threads = s.threads ? s.threads : 1,
                                         .hosted = s.hosted,
                                         .idle_us = s.idle_us ? s.idle_us : SECONDS(60),
                                         .session_transactions = s.limit};
    w.place = open_place(scripts, count);
    (void)snprintf(url, sizeof url, "smtp://%s127.0.0.1:%u?tls=none&ehlo=client.test%s",
                   s.login ? s.login : "", w.place->port, s.query ? s.query : "");
    w.relay = smtp_relay_create("default", url, &error);
    if (!w.relay)
        fail_msg("%s", error);
    w.sender = smtp_sender_create(&options, &error);
    assert_non_null(w.sender);
    return w;
}

/* Ends all; returns how many sessions the relay saw. */
static size_t close_world(world *w)
{
    smtp_sender_stop(w->sender, SECONDS(5));
    smtp_sender_free(w->sender);
    smtp_relay_free(w->relay);
    return close_place(w->place);
}

#define WORLD(scripts, ...) open_world(scripts, COUNT(scripts), (setting){__VA_ARGS__})

/* What the client has said on a session so far; the caller frees it. */
static char *heard(const world *w, size_t session)
{
    meeting *m = &w->place->sessions[session];
    (void)pthread_mutex_lock(&w->place->lock);
    char *text = strdup(m->got.data);
    (void)pthread_mutex_unlock(&w->place->lock);
    assert_non_null(text);
    return text;
}

static bool said(const world *w, size_t session, const char *what)
{
    char *text = heard(w, session);
    bool found = strstr(text, what) != NULL;
    free(text);
    return found;
}

static size_t times(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
        n++;
    return n;
}

static char *transcript_of(const smtp_result *r)
{
    buf text = BUF_INIT;
    for (size_t i = 0; i < r->line_count; i++)
        buf_addf(&text, "%c %s\n", r->lines[i].side, r->lines[i].text);
    return buf_take(&text);
}

static void assert_fault(const smtp_result *r, smtp_category category, smtp_stage stage,
                         smtp_blame blame)
{
    assert_int_equal(r->fault.category, category);
    assert_int_equal(r->fault.stage, stage);
    assert_int_equal(r->fault.blame, blame);
    assert_non_null(r->fault.detail);
}

static void wait_until_said(const world *w, size_t session, const char *what)
{
    while (atomic_load(&w->place->session_count) <= session || !said(w, session, what))
        (void)usleep(1000);
}

static void wait_until_waiting(const world *w, unsigned count)
{
    smtp_sender_stats stats;
    do {
        (void)usleep(1000);
        smtp_sender_stats_get(w->sender, w->relay, &stats);
    } while (stats.waiting != count);
}

static void wait_until_closed(const world *w)
{
    smtp_sender_stats stats;
    do {
        (void)usleep(1000);
        smtp_sender_stats_get(w->sender, w->relay, &stats);
    } while (stats.sessions_open > 0);
}

#define HELLO   "S 220 relay.test ESMTP", "C EHLO client.test", "A"
#define MAIL_OK "C MAIL FROM:<shop@example.com> SIZE=", "C RCPT TO:<li@example.net>", "C DATA"
#define SAY_OK  "S 250 2.1.0 ok", "S 250 2.1.5 ok", "S 354 go"
#define SENT    MAIL_OK, SAY_OK, "B", "S 250 2.0.0 queued as 1"

/* ---- sending ---- */

static void commands_go_in_one_write_and_the_replies_come_back(void **state)
{
    static const script s[] = {{HELLO, SENT, "C QUIT", "S 221 bye", "X"}};
    world w = WORLD(s, 0);
    job j;
    (void)state;
    smtp_result *r = send_to(&w, &j, one, 1);
    assert_int_equal(r->outcome, SMTP_SENT);
    assert_int_equal(r->fault.category, SMTP_CATEGORY_NONE);
    assert_int_equal(r->reply.code, 250);
    assert_string_equal(r->reply.enhanced, "2.0.0");
    assert_string_equal(r->reply.text, "queued as 1");
    assert_true(r->recipients[0].accepted);
    assert_int_equal(r->recipients[0].reply.code, 250);
    assert_string_equal(r->recipients[0].reply.enhanced, "2.1.5");
    assert_false(r->reused);
    assert_false(r->second_try);
    assert_string_equal(r->tls, "");
    assert_true(r->timing.session > 0 && r->timing.envelope > 0 && r->timing.body > 0);
    assert_true(r->timing.total >= r->timing.envelope + r->timing.body);
    assert_true(said(&w, 0,
                     "MAIL FROM:<shop@example.com> SIZE=21\r\nRCPT TO:<li@example.net>\r\n"
                     "DATA\r\nSubject: x\r\n\r\nhello\r\n.\r\n"));
    finish(&j);
    assert_int_equal(close_world(&w), 1);
}

/* Where the loop waits. */
typedef struct waits {
    pthread_t thread;
    atomic_uint count;
} waits;

static void about_to_wait(void *ctx)
{
    waits *w = ctx;
    w->thread = pthread_self();
    atomic_fetch_add(&w->count, 1);
}

static void the_loop_tells_before_it_waits(void **state)
{
    char *error = NULL;
    waits w = {0};
    const smtp_sender_options options = {
        .threads = 1, .idle_us = SECONDS(60), .before_wait = about_to_wait, .ctx = &w};
    (void)state;
    smtp_sender *sender = smtp_sender_create(&options, &error);
    assert_non_null(sender);
    while (atomic_load(&w.count) == 0)
        (void)sched_yield();
    smtp_sender_stop(sender, 0);
    assert_false(pthread_equal(w.thread, pthread_self()));
    smtp_sender_free(sender);
}

static void a_session_serves_one_transaction_after_the_other(void **state)
{
    static const script s[] = {{HELLO, SENT, SENT, SENT}};
    world w = WORLD(s, 0);
    job j[3];
    smtp_sender_stats stats;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        smtp_result *r = send_to(&w, &j[i], one, 1);
        assert_int_equal(r->outcome, SMTP_SENT);
        assert_int_equal(r->reused, i > 0);
        assert_int_equal(r->timing.session > 0, i == 0);
        finish(&j[i]);
    }
    smtp_sender_stats_get(w.sender, w.relay, &stats);
    assert_int_equal(stats.sessions_opened, 1);
    assert_int_equal(stats.sessions_reused, 2);
    assert_int_equal(stats.sessions_open, 1);
    assert_int_equal(stats.sessions_idle, 1);
    assert_int_equal(stats.waiting, 0);
    assert_int_equal(close_world(&w), 1);
}

static void without_pipelining_each_command_waits_for_its_reply(void **state)
{
    static const script s[] = {
        {"S 220 x", "C EHLO", "S 250-x", "S 250 8BITMIME", "C MAIL FROM:<shop@example.com>", "E",
         "S 250 ok", "C RCPT TO:<li@example.net>", "E", "S 250 ok", "C RCPT TO:<wu@example.net>",
         "E", "S 550 no", "C DATA", "E", "S 354 go", "B", "S 250 ok"}};
    world w = WORLD(s, 0);
    job j;
    (void)state;
    smtp_result *r = send_to(&w, &j, two, 2);
    assert_int_equal(r->outcome, SMTP_PARTIAL);
    assert_true(r->recipients[0].accepted);
    assert_false(r->recipients[1].accepted);
    assert_int_equal(r->recipients[1].reply.code, 550);
    assert_int_equal(r->recipients[1].category, SMTP_CATEGORY_RECIPIENT);
    finish(&j);
    assert_int_equal(close_world(&w), 1);
}

static void replies_may_come_in_pieces(void **state)
{
    static const script s[] = {{"S- 220 x", "C EHLO", "S- 250-x", "S- 250 PIPELINING", "C MAIL",
                                "C RCPT", "C DATA", "S- 250-one", "S- 250 two", "S- 250 2.1.5 ok",
                                "S- 354 go", "B", "S- 250 2.0.0 done"}};
    world w = WORLD(s, 0);
    (void)state;
    send_plain(&w, SMTP_SENT);
    assert_int_equal(close_world(&w), 1);
}

static void a_body_is_stuffed_and_its_lines_end_in_crlf(void **state)
{
    static const script s[] = {{HELLO, SENT}};
    world w = WORLD(s, 0);
    job j;
    (void)state;
    prepare(&j, &w, one, 1, ".first\r\n..\r\n.\r\nbare\n.\nand\rcr\r\n.last");
    submit(&w, &j);
    assert_int_equal(await(&j)->outcome, SMTP_SENT);
    assert_true(
        said(&w, 0, "DATA\r\n..first\r\n...\r\n..\r\nbare\r\n..\r\nand\r\ncr\r\n..last\r\n.\r\n"));
    finish(&j);
    assert_int_equal(close_world(&w), 1);
}

static void a_large_body_arrives_whole(void **state)
{
    static const script s[] = {{HELLO, "C MAIL", "C RCPT", "C DATA", SAY_OK, "B", "S 250 ok"}};
    static const char line[] = ".0123456789 0123456789 0123456789\r\n";
    const size_t lines = 25000;
    world w = WORLD(s, 0);
    job j;
    (void)state;
    prepare(&j, &w, one, 1, line);
    j.message.repeat = lines;
    j.what.source.size = lines * strlen(line);
    submit(&w, &j);
    assert_int_equal(await(&j)->outcome, SMTP_SENT);
    char *all = heard(&w, 0);
    const char *body = strstr(all, "DATA\r\n") + 6;
    assert_int_equal(strlen(body), lines * (strlen(line) + 1) + 3);
    assert_int_equal(times(body, "..0123456789 0123456789 0123456789\r\n"), lines);
    free(all);
    finish(&j);
    assert_int_equal(close_world(&w), 1);
}

static void the_null_reverse_path_is_sent(void **state)
{
    static const script s[] = {
        {HELLO, "C MAIL FROM:<> SIZE=", "C RCPT", "C DATA", SAY_OK, "B", "S 250 ok"}};
    world w = WORLD(s, 0);
    job j;
    (void)state;
    prepare(&j, &w, one, 1, "x\r\n");
    j.what.reverse_path = "";
    submit(&w, &j);
    assert_int_equal(await(&j)->outcome, SMTP_SENT);
    finish(&j);
    assert_int_equal(close_world(&w), 1);
}

static void parameters_follow_what_the_relay_offers(void **state)
{
    static const script s[] = {{"S 220 x", "C EHLO", "S 250-x", "S 250-smtputf8", "S 250-Size",
                                "S 250 8bitmime",
                                "C MAIL FROM:<shop@example.com> SIZE=3 BODY=8BITMIME SMTPUTF8",
                                "S 250 ok", "C RCPT TO:<\xE6\x9D\x8E@example.net>", "S 250 ok",
                                "C DATA", "S 354 go", "B", "S 250 ok"}};
    static const char *const to[] = {"\xE6\x9D\x8E@example.net"};
    world w = WORLD(s, 0);
    job j;
    (void)state;
    prepare(&j, &w, to, 1, "x\r\n");
    j.what.utf8 = j.what.source.eight_bit = true;
    submit(&w, &j);
    assert_int_equal(await(&j)->outcome, SMTP_SENT);
    finish(&j);
    assert_int_equal(close_world(&w), 1);
}

/* ---- refused here ---- */

static void what_the_relay_can_not_take_is_refused_without_a_word(void **state)
{
    static const struct {
        uint64_t size;
        bool utf8, eight_bit;
        smtp_category category;
        const char *word;
    } cases[] = {{1000001, false, false, SMTP_CATEGORY_SIZE, "1000001"},
                 {1000001, false, false, SMTP_CATEGORY_SIZE, "1000000"},
                 {10, true, false, SMTP_CATEGORY_RECIPIENT, "SMTPUTF8"},
                 {10, false, true, SMTP_CATEGORY_CONTENT, "8BITMIME"}};
    static const script s[] = {{HELLO, "C MAIL", "C RCPT", "C DATA", SAY_OK, "B", "S 250 ok"}};
    world w = WORLD(s, 0);
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        job j;
        prepare(&j, &w, one, 1, "x\r\n");
        j.what.source.size = cases[i].size;
        j.what.utf8 = cases[i].utf8;
        j.what.source.eight_bit = cases[i].eight_bit;
        submit(&w, &j);
        smtp_result *r = await(&j);
        assert_int_equal(r->outcome, SMTP_NOT_SENT);
        assert_fault(r, cases[i].category, SMTP_STAGE_MAIL, SMTP_BLAME_MESSAGE);
        assert_non_null(strstr(r->fault.detail, cases[i].word));
        assert_false(r->fault.retryable);
        finish(&j);
    }
    send_plain(&w, SMTP_SENT); /* on the same session */
    assert_int_equal(close_world(&w), 1);
}

static void addresses_that_would_be_commands_never_reach_the_wire(void **state)
{
    static const char *const bad[] = {"a@b.c>\r\nRCPT TO:<x@y.z",
                                      "a@b.c\nDATA",
                                      "a\rb@c.d",
                                      "a\tb@c.d",
                                      "a@b.c> X=Y <",
                                      "a b@c.d",
                                      "\"open@c.d",
                                      "",
                                      "\x7F@c.d",
                                      "\"a\\\r\n\"@b.c",
                                      "\"a\\",
                                      "\xC3\xA9@b.c"};
    static const script s[] = {{HELLO, "*"}};
    world w = WORLD(s, 0);
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        job j;
        prepare(&j, &w, &bad[i], 1, "x\r\n");
        submit(&w, &j);
        assert_int_equal(await(&j)->outcome, SMTP_NOT_SENT);
        assert_fault(j.result, SMTP_CATEGORY_RECIPIENT, SMTP_STAGE_NONE, SMTP_BLAME_MESSAGE);
        finish(&j);
        if (bad[i][0] == '\0')
            continue;
        prepare(&j, &w, one, 1, "x\r\n");
        j.what.reverse_path = bad[i];
        submit(&w, &j);
        assert_int_equal(await(&j)->fault.category, SMTP_CATEGORY_SENDER);
        finish(&j);
    }
    job none;
    prepare(&none, &w, one, 0, "x\r\n");
    submit(&w, &none);
    assert_int_equal(await(&none)->outcome, SMTP_NOT_SENT);
    finish(&none);
    assert_int_equal(close_world(&w), 0);
}

static void quoted_local_parts_may_hold_what_others_may_not(void **state)
{
    static const char *const to[] = {"\"a b>\\\"c\"@example.net"};
    static const script s[] = {{HELLO, "C MAIL", "C RCPT TO:<\"a b>\\\"c\"@example.net>", "C DATA",
                                SAY_OK, "B", "S 250 ok"}};
    world w = WORLD(s, 0);
    job j;
    (void)state;
    prepare(&j, &w, to, 1, "x\r\n");
    submit(&w, &j);
    assert_int_equal(await(&j)->outcome, SMTP_SENT);
    finish(&j);
    assert_int_equal(close_world(&w), 1);
}

/* ---- refused by the relay ---- */

static void a_refused_session_is_told_with_its_stage(void **state)
{
    static const struct {
        script script;
        smtp_stage stage;
        int code;
        smtp_category category;
        smtp_blame blame;
    } cases[] = {
        {{"S 554 5.7.1 not you"},
         SMTP_STAGE_GREETING,
         554,
         SMTP_CATEGORY_POLICY,
         SMTP_BLAME_GATEWAY},
        {{"S 421 4.7.0 too many connections", "X"},
         SMTP_STAGE_GREETING,
         421,
         SMTP_CATEGORY_RATE,
         SMTP_BLAME_RELAY},
        {{"S 220 x", "C EHLO", "S 550 who", "C HELO", "S 550 who"},
         SMTP_STAGE_EHLO,
         550,
         SMTP_CATEGORY_POLICY,
         SMTP_BLAME_GATEWAY},
        {{"S SSH-2.0-OpenSSH_9.2"},
         SMTP_STAGE_GREETING,
         0,
         SMTP_CATEGORY_PROTOCOL,
         SMTP_BLAME_RELAY},
        {{"S 220 x", "C EHLO", "S hello there"},
         SMTP_STAGE_EHLO,
         0,
         SMTP_CATEGORY_PROTOCOL,
         SMTP_BLAME_RELAY},
        {{"X"}, SMTP_STAGE_GREETING, 0, SMTP_CATEGORY_NETWORK, SMTP_BLAME_RELAY},
        {{"S 220 x", "C EHLO", "X"}, SMTP_STAGE_EHLO, 0, SMTP_CATEGORY_NETWORK, SMTP_BLAME_RELAY},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        world w = open_world(&cases[i].script, 1, (setting){0});
        job j;
        smtp_result *r = send_to(&w, &j, one, 1);
        assert_int_equal(r->outcome, SMTP_NOT_SENT);
        assert_fault(r, cases[i].category, cases[i].stage, cases[i].blame);
        assert_int_equal(r->reply.code, cases[i].code);
        assert_int_equal(r->fault.retryable, cases[i].blame == SMTP_BLAME_RELAY);
        assert_true(r->line_count > 0);
        finish(&j);
        assert_int_equal(close_world(&w), 1);
    }
}

static void helo_will_do_where_ehlo_is_unknown(void **state)
{
    static const script s[] = {{"S 220 x", "C EHLO", "S 502 what", "C HELO client.test", "S 250 x",
                                "C MAIL FROM:<shop@example.com>", "E", "S 250 ok", "C RCPT",
                                "S 250 ok", "C DATA", "S 354 go", "B", "S 250 ok"}};
    world w = WORLD(s, 0);
    (void)state;
    send_plain(&w, SMTP_SENT);
    assert_int_equal(close_world(&w), 1);
}

static void a_refused_sender_ends_the_transaction_and_not_the_session(void **state)
{
    static const script s[] = {{HELLO, MAIL_OK, "S 553 5.7.1 not owned by user", "S 503 5.5.1 no",
                                "S 503 5.5.1 no", "C RSET", "S 250 ok", SENT}};
    world w = WORLD(s, .query = "&sessions=1");
    job j;
    (void)state;
    smtp_result *r = send_to(&w, &j, one, 1);
    assert_int_equal(r->outcome, SMTP_NOT_SENT);
    assert_fault(r, SMTP_CATEGORY_SENDER, SMTP_STAGE_MAIL, SMTP_BLAME_MESSAGE);
    assert_int_equal(r->reply.code, 553);
    assert_int_equal(r->recipients[0].reply.code, 0);
    assert_false(r->recipients[0].accepted);
    finish(&j);
    send_plain(&w, SMTP_SENT);
    assert_int_equal(close_world(&w), 1);
}

static void each_recipient_gets_its_own_reply(void **state)
{
    static const script s[] = {{HELLO, "C MAIL", "C RCPT TO:<li@", "C RCPT TO:<wu@",
                                "C RCPT TO:<an@", "C DATA", "S 250 ok", "S 550 5.1.1 no such user",
                                "S 250 2.1.5 fine", "S 452 4.2.2 full", "S 354 go", "B",
                                "S 250 ok"}};
    world w = WORLD(s, 0);
    job j;
    (void)state;
    smtp_result *r = send_to(&w, &j, three, 3);
    assert_int_equal(r->outcome, SMTP_PARTIAL);
    assert_int_equal(r->recipients[0].reply.code, 550);
    assert_string_equal(r->recipients[0].reply.enhanced, "5.1.1");
    assert_string_equal(r->recipients[0].reply.text, "no such user");
    assert_int_equal(r->recipients[0].category, SMTP_CATEGORY_RECIPIENT);
    assert_non_null(r->recipients[0].hint);
    assert_false(r->recipients[0].retryable);
    assert_true(r->recipients[1].accepted);
    assert_int_equal(r->recipients[2].reply.code, 452);
    assert_true(r->recipients[2].retryable);
    finish(&j);
    assert_int_equal(close_world(&w), 1);
}

static void when_nobody_is_accepted_a_lone_dot_ends_what_the_relay_began(void **state)
{
    static const script s[] = {{HELLO, "C MAIL", "C RCPT", "C RCPT", "C DATA", "S 250 ok",
                                "S 550 5.1.1 no", "S 550 5.1.1 nor him", "S 354 go", "C .",
                                "S 554 5.5.1 no valid recipients", "C RSET", "S 250 ok", SENT}};
    world w = WORLD(s, .query = "&sessions=1");
    job j;
    (void)state;
    smtp_result *r = send_to(&w, &j, two, 2);
    assert_int_equal(r->outcome, SMTP_NOT_SENT);
    assert_fault(r, SMTP_CATEGORY_RECIPIENT, SMTP_STAGE_RCPT, SMTP_BLAME_MESSAGE);
    assert_int_equal(r->reply.code, 550);
    assert_int_equal(j.message.at, 0); /* nothing of it was read */
    finish(&j);
    send_plain(&w, SMTP_SENT);
    assert_int_equal(close_world(&w), 1);
}

static void one_temporary_refusal_among_all_is_worth_another_try(void **state)
{
    static const script s[] = {{HELLO, "C MAIL", "C RCPT", "C RCPT", "C DATA", "S 250 ok",
                                "S 550 5.1.1 no", "S 450 4.2.1 busy", "S 503 no", "C RSET",
                                "S 250 ok"}};
    world w = WORLD(s, 0);
    job j;
    (void)state;
    smtp_result *r = send_to(&w, &j, two, 2);
    assert_int_equal(r->outcome, SMTP_NOT_SENT);
    assert_int_equal(r->reply.code, 450);
    assert_int_equal(r->fault.blame, SMTP_BLAME_RELAY);
    assert_true(r->fault.retryable);
    finish(&j);
    assert_int_equal(close_world(&w), 1);
}

static void data_and_the_message_may_be_refused(void **state)
{
    static const script s[] = {{HELLO, MAIL_OK, "S 250 ok", "S 250 ok", "S 451 4.3.0 not now",
                                "C RSET", "S 250 ok", MAIL_OK, SAY_OK, "B", "S 554 5.7.1 spam",
                                /* the transaction is over with this reply */ SENT}};
    world w = WORLD(s, .query = "&sessions=1");
    job j;
    (void)state;
    smtp_result *r = send_to(&w, &j, one, 1);
    assert_int_equal(r->outcome, SMTP_NOT_SENT);
    assert_fault(r, SMTP_CATEGORY_TEMPORARY, SMTP_STAGE_DATA, SMTP_BLAME_RELAY);
    assert_true(r->recipients[0].accepted);
    finish(&j);
    r = send_to(&w, &j, one, 1);
    assert_int_equal(r->outcome, SMTP_NOT_SENT);
    assert_fault(r, SMTP_CATEGORY_CONTENT, SMTP_STAGE_BODY, SMTP_BLAME_MESSAGE);
    assert_int_equal(r->reply.code, 554);
    finish(&j);
    send_plain(&w, SMTP_SENT);
    assert_int_equal(close_world(&w), 1);
}

static void any_2yz_to_the_dot_is_acceptance(void **state)
{
    static const script s[] = {{HELLO, MAIL_OK, SAY_OK, "B", "S 251 forwarded", SENT}};
    world w = WORLD(s, 0);
    job j;
    (void)state;
    assert_int_equal(send_to(&w, &j, one, 1)->outcome, SMTP_SENT);
    assert_int_equal(j.result->reply.code, 251);
    finish(&j);
    send_plain(&w, SMTP_SENT);
    assert_int_equal(close_world(&w), 1);
}

static void send_large(world *w, job *j)
{
    prepare(j, w, one, 1, "0123456789 0123456789 0123456789\r\n");
    j->message.repeat = 300000; /* over what the sockets' buffers hold */
    submit(w, j);
    (void)await(j);
}

static void a_refusal_in_the_middle_of_the_body_is_final(void **state)
{
    static const script s[] = {{HELLO, MAIL_OK, SAY_OK, "N 100000", "S 552 5.3.4 too big"},
                               {HELLO, SENT}};
    world w = WORLD(s, 0);
    job j;
    (void)state;
    send_large(&w, &j);
    assert_int_equal(j.result->outcome, SMTP_NOT_SENT);
    assert_fault(j.result, SMTP_CATEGORY_SIZE, SMTP_STAGE_BODY, SMTP_BLAME_MESSAGE);
    assert_int_equal(j.result->reply.code, 552);
    assert_false(said(&w, 0, "\r\n.\r\n"));
    finish(&j);
    send_plain(&w, SMTP_SENT);
    assert_int_equal(close_world(&w), 2);
}

static void a_refusal_is_heard_though_the_connection_is_gone(void **state)
{
    static const script s[] = {
        {HELLO, MAIL_OK, SAY_OK, "N 100000", "S 552 5.3.4 too big", "N 4000000", "R"}};
    world w = WORLD(s, 0);
    job j;
    (void)state;
    send_large(&w, &j);
    assert_int_equal(j.result->outcome, SMTP_NOT_SENT);
    assert_int_equal(j.result->reply.code, 552);
    finish(&j);
    assert_int_equal(close_world(&w), 1);
}

static void an_acceptance_before_the_end_is_none(void **state)
{
    static const script s[] = {{HELLO, MAIL_OK, SAY_OK, "N 100000", "S 250 thanks"}};
    world w = WORLD(s, 0);
    job j;
    (void)state;
    send_large(&w, &j);
    assert_int_equal(j.result->outcome, SMTP_NOT_SENT);
    assert_int_equal(j.result->fault.category, SMTP_CATEGORY_PROTOCOL);
    finish(&j);
    assert_int_equal(close_world(&w), 1);
}

static void replies_that_have_no_place_end_the_session(void **state)
{
    static const struct {
        script script;
        smtp_outcome outcome;
    } cases[] = {
        {{HELLO, MAIL_OK, "S 354 what"}, SMTP_NOT_SENT},
        {{HELLO, MAIL_OK, "S 250 ok", "S 250 ok", "S 250 ok"}, SMTP_NOT_SENT},
        {{HELLO, MAIL_OK, "S hello"}, SMTP_NOT_SENT},
        {{HELLO, MAIL_OK, "S 250-ok", "S 550 no"}, SMTP_NOT_SENT},
        {{HELLO, MAIL_OK, SAY_OK, "B", "S 354 more"}, SMTP_UNKNOWN},
        {{HELLO, MAIL_OK, SAY_OK, "B", "S gibberish"}, SMTP_UNKNOWN},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        world w = open_world(&cases[i].script, 1, (setting){0});
        job j;
        smtp_result *r = send_to(&w, &j, one, 1);
        assert_int_equal(r->outcome, cases[i].outcome);
        assert_int_equal(r->fault.category, SMTP_CATEGORY_PROTOCOL);
        assert_int_equal(r->fault.retryable, cases[i].outcome == SMTP_NOT_SENT);
        finish(&j);
        assert_int_equal(close_world(&w), 1);
    }
}

static void a_relay_that_says_too_much_is_not_asked_again(void **state)
{
    static const script s[] = {{HELLO, MAIL_OK, SAY_OK, "B", "S 250 ok\r\n250 ok"}, {HELLO, SENT}};
    world w = WORLD(s, 0);
    (void)state;
    send_plain(&w, SMTP_SENT);
    send_plain(&w, SMTP_SENT);
    assert_int_equal(close_world(&w), 2);
}

/* ---- sessions that end ---- */

static void a_fresh_session_that_ends_is_not_tried_again(void **state)
{
    static const struct {
        script script;
        smtp_stage stage;
    } cases[] = {
        {{HELLO, "C MAIL", "X"}, SMTP_STAGE_MAIL},
        {{HELLO, MAIL_OK, "R"}, SMTP_STAGE_MAIL},
        {{HELLO, MAIL_OK, "S 250 ok", "X"}, SMTP_STAGE_RCPT},
        {{HELLO, MAIL_OK, "S 250 ok", "S 250 ok", "X"}, SMTP_STAGE_DATA},
        {{HELLO, MAIL_OK, "S 421 4.3.2 closing", "X"}, SMTP_STAGE_MAIL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        world w = open_world(&cases[i].script, 1, (setting){0});
        job j;
        smtp_result *r = send_to(&w, &j, one, 1);
        assert_int_equal(r->outcome, SMTP_NOT_SENT);
        assert_int_equal(r->fault.stage, cases[i].stage);
        assert_int_equal(r->fault.blame, SMTP_BLAME_RELAY);
        assert_true(r->fault.retryable);
        if (r->second_try)
            fail_msg("%zu: %s", i, transcript_of(r));
        assert_int_equal(j.message.rewinds, 0);
        finish(&j);
        assert_int_equal(close_world(&w), 1);
    }
}

static void a_stale_session_is_replaced_by_a_fresh_one_once(void **state)
{
    static const script cases[][2] = {
        {{HELLO, SENT, "C MAIL", "X"}, {HELLO, SENT}},
        {{HELLO, SENT, "C MAIL", "R"}, {HELLO, SENT}},
        {{HELLO, SENT, MAIL_OK, "S 421 4.4.2 idle for too long", "X"}, {HELLO, SENT}},
        {{HELLO, SENT, MAIL_OK, "S 250 ok", "S 421 4.7.0 enough"}, {HELLO, SENT}},
        {{HELLO, SENT, MAIL_OK, "S 250 ok", "S 250 ok", "S 421 no"}, {HELLO, SENT}},
        {{HELLO, SENT, MAIL_OK, "S 250 ok", "S 250 ok", "X"}, {HELLO, SENT}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        world w = open_world(cases[i], 2, (setting){0});
        smtp_sender_stats stats;
        job j;
        send_plain(&w, SMTP_SENT);
        smtp_result *r = send_to(&w, &j, one, 1);
        assert_int_equal(r->outcome, SMTP_SENT);
        assert_true(r->second_try);
        assert_false(r->reused);
        assert_true(r->recipients[0].accepted);
        assert_int_equal(j.message.rewinds, 1);
        char *lines = transcript_of(r);
        assert_int_equal(times(lines, "C MAIL FROM"), 2);
        free(lines);
        finish(&j);
        smtp_sender_stats_get(w.sender, w.relay, &stats);
        assert_int_equal(stats.second_tries, 1);
        assert_int_equal(close_world(&w), 2);
    }
}

static void a_stale_session_that_ends_in_the_body_is_replaced_too(void **state)
{
    static const script s[] = {{HELLO, SENT, MAIL_OK, SAY_OK, "N 100000", "R"},
                               {HELLO, "C MAIL", "C RCPT", "C DATA", SAY_OK, "B", "S 250 ok"}};
    world w = WORLD(s, 0);
    job j;
    (void)state;
    send_plain(&w, SMTP_SENT);
    send_large(&w, &j);
    assert_int_equal(j.result->outcome, SMTP_SENT);
    assert_true(j.result->second_try);
    char *all = heard(&w, 1);
    assert_int_equal(strlen(strstr(all, "DATA\r\n") + 6), 300000 * strlen(j.message.text) + 3);
    free(all);
    finish(&j);
    assert_int_equal(close_world(&w), 2);
}

static void there_is_no_third_try(void **state)
{
    static const script s[] = {{HELLO, SENT, "C MAIL", "X"}, {HELLO, "C MAIL", "X"}};
    world w = WORLD(s, 0);
    job j;
    (void)state;
    send_plain(&w, SMTP_SENT);
    smtp_result *r = send_to(&w, &j, one, 1);
    assert_int_equal(r->outcome, SMTP_NOT_SENT);
    assert_true(r->second_try);
    assert_int_equal(r->fault.category, SMTP_CATEGORY_NETWORK);
    finish(&j);
    assert_int_equal(close_world(&w), 2);
}

static void a_second_try_that_gets_no_session_says_why(void **state)
{
    static const script s[] = {{HELLO, SENT, "C MAIL", "X"},
                               {"S 421 4.7.0 too many connections", "X"}};
    world w = WORLD(s, 0);
    job j;
    (void)state;
    send_plain(&w, SMTP_SENT);
    smtp_result *r = send_to(&w, &j, one, 1);
    assert_int_equal(r->outcome, SMTP_NOT_SENT);
    assert_int_equal(r->reply.code, 421);
    assert_fault(r, SMTP_CATEGORY_RATE, SMTP_STAGE_GREETING, SMTP_BLAME_RELAY);
    finish(&j);
    assert_int_equal(close_world(&w), 2);
}

static void after_the_dot_nothing_is_sent_again(void **state)
{
    static const script cases[][2] = {
        {{HELLO, SENT, MAIL_OK, SAY_OK, "B", "X"}, {HELLO, SENT}},
        {{HELLO, SENT, MAIL_OK, SAY_OK, "B", "R"}, {HELLO, SENT}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        world w = open_world(cases[i], 2, (setting){0});
        job j;
        send_plain(&w, SMTP_SENT);
        smtp_result *r = send_to(&w, &j, one, 1);
        assert_int_equal(r->outcome, SMTP_UNKNOWN);
        assert_int_equal(r->fault.stage, SMTP_STAGE_BODY);
        assert_false(r->fault.retryable);
        assert_false(r->second_try);
        assert_int_equal(r->reply.code, 0);
        assert_int_equal(j.message.rewinds, 0);
        finish(&j);
        assert_int_equal(close_world(&w), 1);
    }
}

static void a_421_to_the_dot_is_a_refusal(void **state)
{
    static const script s[] = {{HELLO, SENT, MAIL_OK, SAY_OK, "B", "S 421 4.3.2 going down", "X"}};
    world w = WORLD(s, 0);
    job j;
    (void)state;
    send_plain(&w, SMTP_SENT);
    smtp_result *r = send_to(&w, &j, one, 1);
    assert_int_equal(r->outcome, SMTP_NOT_SENT);
    assert_int_equal(r->reply.code, 421);
    assert_true(r->fault.retryable);
    assert_int_equal(j.message.rewinds, 0);
    finish(&j);
    assert_int_equal(close_world(&w), 1);
}

static void a_session_that_ends_while_idle_is_noticed(void **state)
{
    static const script cases[][2] = {
        {{HELLO, SENT, "X"}, {HELLO, SENT}},
        {{HELLO, SENT, "R"}, {HELLO, SENT}},
        {{HELLO, SENT, "S 421 4.4.2 idle for too long"}, {HELLO, SENT}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        world w = open_world(cases[i], 2, (setting){0});
        job j;
        send_plain(&w, SMTP_SENT);
        wait_until_closed(&w);
        assert_int_equal(send_to(&w, &j, one, 1)->outcome, SMTP_SENT);
        assert_false(j.result->second_try);
        finish(&j);
        assert_int_equal(close_world(&w), 2);
    }
}

static void many_sessions_that_end_while_idle_are_all_noticed(void **state)
{
    enum { SESSIONS = 8, MAILS = 2 * SESSIONS };
    /* Each holds its first mail until all have one, so that there are eight; then all close. */
    static const script s[] = {
        [0 ... SESSIONS - 1] = {HELLO, MAIL_OK, SAY_OK, "B", "G", "S 250 ok", "X"},
        [SESSIONS] = {HELLO, "*"}};
    (void)state;
    world w = WORLD(s, 0);
    job j[MAILS];
    for (size_t i = 0; i < SESSIONS; i++) {
        prepare(&j[i], &w, one, 1, "Subject: x\r\n\r\nhello\r\n");
        submit(&w, &j[i]);
    }
    while (atomic_load(&w.place->session_count) < SESSIONS)
        (void)usleep(1000);
    for (size_t i = 0; i < SESSIONS; i++)
        wait_until_said(&w, i, "\r\n.\r\n");
    let_go(w.place);
    for (size_t i = 0; i < SESSIONS; i++) {
        assert_int_equal(await(&j[i])->outcome, SMTP_SENT);
        finish(&j[i]);
    }
    for (size_t i = 0; i < MAILS; i++) {
        prepare(&j[i], &w, one, 1, "x\r\n");
        submit(&w, &j[i]);
    }
    for (size_t i = 0; i < MAILS; i++) {
        assert_int_equal(await(&j[i])->outcome, SMTP_SENT);
        finish(&j[i]);
    }
    smtp_sender_stats stats;
    for (int i = 0; i < 10000; i++) { /* one that all mails did without may still be opening */
        smtp_sender_stats_get(w.sender, w.relay, &stats);
        if (stats.sessions_open == atomic_load(&w.place->session_count) - SESSIONS)
            break;
        (void)usleep(1000);
    }
    assert_int_equal(stats.sessions_open, atomic_load(&w.place->session_count) - SESSIONS);
    (void)close_world(&w);
}

static void idle_sessions_are_closed_with_quit(void **state)
{
    static const script s[] = {{HELLO, SENT, "C QUIT", "S 221 bye", "X"}};
    world w = WORLD(s, .idle_us = 20000);
    (void)state;
    send_plain(&w, SMTP_SENT);
    wait_until_closed(&w);
    assert_int_equal(close_world(&w), 1);
}

static void a_session_ends_with_quit_at_its_limit(void **state)
{
    static const script s[] = {{HELLO, SENT, SENT, "C QUIT", "S 221 bye", "X"},
                               {HELLO, SENT, "C QUIT", "X"}};
    world w = WORLD(s, .limit = 2, .query = "&sessions=1");
    (void)state;
    send_plain(&w, SMTP_SENT);
    send_plain(&w, SMTP_SENT);
    send_plain(&w, SMTP_SENT);
    assert_int_equal(close_world(&w), 2);
}

/* ---- an envelope ahead ---- */

static void *let_go_on_soon(void *ctx)
{
    (void)usleep(50000);
    let_go_on(ctx);
    return NULL;
}

#define FIRST  "first\r\n"
#define SECOND "second\r\n"
/* The first's body, and with it the second's envelope, before the first is answered. */
#define AHEAD HELLO, MAIL_OK, "G", SAY_OK, "B", MAIL_OK

/* Two, of which the second waits when the first one's body is begun. */
static void submit_two(world *w, job *first, job *second)
{
    prepare(first, w, one, 1, FIRST);
    prepare(second, w, one, 1, SECOND);
    submit(w, first);
    submit(w, second);
    wait_until_said(w, 0, "DATA\r\n");
    wait_until_waiting(w, 1);
    let_go(w->place);
}

static void finish_two(world *w, job *first, job *second, size_t sessions)
{
    finish(first);
    finish(second);
    assert_int_equal(close_world(w), sessions);
}

static void the_next_envelope_goes_out_with_the_body_before_it(void **state)
{
    static const script s[] = {
        {AHEAD, "S 250 2.0.0 as 1", SAY_OK, "B", "S 250 2.0.0 as 2", "C QUIT", "X"}};
    world w = WORLD(s, .query = "&sessions=1");
    job first, second;
    (void)state;
    submit_two(&w, &first, &second);
    assert_string_equal(await(&first)->reply.text, "as 1");
    assert_string_equal(await(&second)->reply.text, "as 2");
    assert_true(second.result->reused);
    assert_false(second.result->second_try);
    assert_true(second.result->recipients[0].accepted);
    assert_true(second.result->timing.body > 0);
    char *lines = transcript_of(second.result);
    assert_int_equal(times(lines, "\nC "), 4); /* RCPT, DATA, the message and its dot */
    assert_int_equal(times(lines, "\nS "), 4);
    free(lines);
    finish_two(&w, &first, &second, 1);
}

static void a_refused_message_does_not_touch_the_one_behind_it(void **state)
{
    static const script s[] = {{AHEAD, "S 554 5.7.1 spam", SAY_OK, "B", "S 250 2.0.0 ok"}};
    world w = WORLD(s, .query = "&sessions=1");
    job first, second;
    (void)state;
    submit_two(&w, &first, &second);
    assert_int_equal(await(&first)->outcome, SMTP_NOT_SENT);
    assert_int_equal(await(&second)->outcome, SMTP_SENT);
    finish_two(&w, &first, &second, 1);
}

static void an_envelope_that_went_ahead_may_be_refused(void **state)
{
    static const script s[] = {{AHEAD, "S 250 ok", "S 250 ok", "S 550 5.1.1 no such user",
                                "S 503 5.5.1 nobody", "C RSET", "S 250 ok", SENT}};
    world w = WORLD(s, .query = "&sessions=1");
    job first, second;
    (void)state;
    submit_two(&w, &first, &second);
    assert_int_equal(await(&first)->outcome, SMTP_SENT);
    assert_int_equal(await(&second)->fault.category, SMTP_CATEGORY_RECIPIENT);
    send_plain(&w, SMTP_SENT);
    finish_two(&w, &first, &second, 1);
}

/* However a session ends behind the first one's body: that one has its own outcome, and the second
 * is sent once, on another session. */
static void one_that_went_ahead_is_sent_once_when_its_session_ends(void **state)
{
    static const struct {
        script scripts[2];
        smtp_outcome first;
        bool second_try; /* else it is held back, and begun when it is its turn */
    } cases[] = {
        {{{AHEAD, "X"}, {HELLO, SENT}}, SMTP_UNKNOWN, false},
        {{{AHEAD, "R"}, {HELLO, SENT}}, SMTP_UNKNOWN, false},
        {{{AHEAD, "S 421 4.3.2 going down", "X"}, {HELLO, SENT}}, SMTP_NOT_SENT, false},
        {{{AHEAD, "S 250 ok", "X"}, {HELLO, SENT}}, SMTP_SENT, true},
        {{{AHEAD, "S 250 ok", "S 421 4.7.0 enough"}, {HELLO, SENT}}, SMTP_SENT, true},
        {{{AHEAD, "S 250 ok", "S 250 ok", "S 250 ok", "X"}, {HELLO, SENT}}, SMTP_SENT, true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        world w = open_world(cases[i].scripts, 2, (setting){.query = "&sessions=1"});
        job first, second;
        submit_two(&w, &first, &second);
        assert_int_equal(await(&first)->outcome, cases[i].first);
        assert_false(first.result->second_try);
        assert_int_equal(await(&second)->outcome, SMTP_SENT);
        assert_int_equal(second.result->second_try, cases[i].second_try);
        assert_false(said(&w, 0, SECOND));
        assert_false(said(&w, 1, FIRST));
        finish_two(&w, &first, &second, 2);
    }
}

static void a_relay_that_ends_sessions_gets_no_envelope_ahead(void **state)
{
    static const script s[] = {{AHEAD, "S 250 ok", "X"},
                               {HELLO, SENT, "X"},
                               {HELLO, MAIL_OK, "G2", SAY_OK, "B", "E", "S 250 ok", SENT}};
    world w = WORLD(s, .query = "&sessions=1");
    job first, second, third, fourth;
    (void)state;
    submit_two(&w, &first, &second);
    assert_int_equal(await(&first)->outcome, SMTP_SENT);
    assert_int_equal(await(&second)->outcome, SMTP_SENT);
    wait_until_closed(&w);
    prepare(&third, &w, one, 1, FIRST);
    prepare(&fourth, &w, one, 1, SECOND);
    submit(&w, &third);
    submit(&w, &fourth);
    wait_until_said(&w, 2, "DATA\r\n");
    wait_until_waiting(&w, 1);
    let_go_on(w.place);
    assert_int_equal(await(&third)->outcome, SMTP_SENT);
    assert_int_equal(await(&fourth)->outcome, SMTP_SENT);
    finish(&third);
    finish(&fourth);
    finish_two(&w, &first, &second, 3);
}

static void one_that_went_ahead_is_held_back_when_the_relay_is_slow(void **state)
{
    static const script s[] = {{AHEAD, "G2", "S 250 at last"}, {HELLO, SENT, SENT}};
    world w = WORLD(s, .query = "&sessions=1");
    job first, second;
    (void)state;
    submit_two(&w, &first, &second);
    wait_until_waiting(&w, 0); /* it is ahead … */
    wait_until_waiting(&w, 1); /* … and is not any more */
    let_go_on(w.place);
    assert_int_equal(await(&first)->outcome, SMTP_SENT);
    assert_int_equal(await(&second)->outcome, SMTP_SENT);
    assert_false(second.result->second_try);
    assert_false(said(&w, 0, SECOND));
    char *lines = transcript_of(second.result);
    assert_int_equal(times(lines, "held back"), 1);
    free(lines);
    send_plain(&w, SMTP_SENT);
    finish_two(&w, &first, &second, 2);
}

static void the_time_of_one_that_went_ahead_ends_without_harm_to_the_other(void **state)
{
    static const script s[] = {{AHEAD, "G2", "S 250 at last"}};
    world w = WORLD(s, .query = "&sessions=1");
    job first, second;
    (void)state;
    prepare(&first, &w, one, 1, FIRST);
    prepare(&second, &w, one, 1, SECOND);
    second.what.timeout_us = SECONDS(1) / 2;
    submit(&w, &first);
    wait_until_said(&w, 0, "DATA\r\n");
    submit(&w, &second);
    wait_until_waiting(&w, 1);
    let_go(w.place);
    assert_int_equal(await(&second)->outcome, SMTP_NOT_SENT);
    assert_fault(second.result, SMTP_CATEGORY_NETWORK, SMTP_STAGE_NONE, SMTP_BLAME_TIMEOUT);
    let_go_on(w.place);
    assert_int_equal(await(&first)->outcome, SMTP_SENT);
    assert_false(said(&w, 0, SECOND));
    finish_two(&w, &first, &second, 1);
}

static void stopping_holds_back_what_went_ahead(void **state)
{
    static const script s[] = {{AHEAD, "G2", "S 250 just in time"}};
    world w = WORLD(s, .query = "&sessions=1");
    pthread_t helper;
    job first, second;
    (void)state;
    submit_two(&w, &first, &second);
    wait_until_waiting(&w, 0);
    assert_int_equal(pthread_create(&helper, NULL, let_go_on_soon, w.place), 0);
    smtp_sender_stop(w.sender, SECONDS(5));
    assert_int_equal(await(&first)->outcome, SMTP_SENT);
    assert_int_equal(await(&second)->outcome, SMTP_NOT_SENT);
    assert_true(second.result->fault.retryable);
    assert_false(said(&w, 0, SECOND));
    (void)pthread_join(helper, NULL);
    finish_two(&w, &first, &second, 1);
}

static void no_envelope_goes_ahead_where_it_must_not(void **state)
{
    static const struct {
        script scripts[2];
        setting setting;
        size_t sessions;
    } cases[] = {
        {{{HELLO, MAIL_OK, "G", SAY_OK, "B", "E", "S 250 ok", SENT}},
         {.query = "&sessions=1&ahead=off"},
         1},
        {{{HELLO, MAIL_OK, "G", SAY_OK, "B", "E", "S 250 ok", "C QUIT", "X"}, {HELLO, SENT}},
         {.query = "&sessions=1", .limit = 1},
         2},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        world w = open_world(cases[i].scripts, 2, cases[i].setting);
        job first, second;
        submit_two(&w, &first, &second);
        assert_int_equal(await(&first)->outcome, SMTP_SENT);
        assert_int_equal(await(&second)->outcome, SMTP_SENT);
        finish_two(&w, &first, &second, cases[i].sessions);
    }
}

/* ---- time ---- */

static void a_relay_that_says_nothing_is_a_timeout(void **state)
{
    static const struct {
        script script;
        smtp_stage stage;
        smtp_outcome outcome;
    } cases[] = {
        {{"G"}, SMTP_STAGE_GREETING, SMTP_NOT_SENT},
        {{"S 220 x", "C EHLO", "G"}, SMTP_STAGE_EHLO, SMTP_NOT_SENT},
        {{HELLO, MAIL_OK, "G"}, SMTP_STAGE_MAIL, SMTP_NOT_SENT},
        {{HELLO, MAIL_OK, "S 250 ok", "G"}, SMTP_STAGE_RCPT, SMTP_NOT_SENT},
        {{HELLO, MAIL_OK, "S 250 ok", "S 250 ok", "G"}, SMTP_STAGE_DATA, SMTP_NOT_SENT},
        {{HELLO, MAIL_OK, SAY_OK, "B", "G"}, SMTP_STAGE_BODY, SMTP_UNKNOWN},
    };
    (void)state;
    int64_t timeout_us = 100000;
    for (size_t i = 0; i < COUNT(cases);) {
        world w = open_world(&cases[i].script, 1, (setting){0});
        job j;
        prepare(&j, &w, one, 1, "x\r\n");
        j.what.timeout_us = timeout_us;
        submit(&w, &j);
        smtp_result *r = await(&j);
        assert_int_equal(r->fault.blame, SMTP_BLAME_TIMEOUT);
        assert_int_equal(r->fault.category, SMTP_CATEGORY_NETWORK);
        assert_false(r->second_try);
        bool there = r->fault.stage == cases[i].stage;
        if (there) {
            assert_int_equal(r->outcome, cases[i].outcome);
            assert_int_equal(r->fault.retryable, cases[i].outcome == SMTP_NOT_SENT);
        }
        finish(&j);
        size_t sessions = close_world(&w);
        if (there) {
            assert_int_equal(sessions, 1);
            i++;
        } else { /* a busy machine did not get so far in that time */
            timeout_us *= 4;
            assert_true(timeout_us < SECONDS(30));
        }
    }
}

static void waiting_for_a_busy_session_counts_too(void **state)
{
    static const script s[] = {{HELLO, MAIL_OK, SAY_OK, "B", "G", "S 250 ok"}};
    world w = WORLD(s, .query = "&sessions=1");
    job busy, late;
    (void)state;
    prepare(&busy, &w, one, 1, "x\r\n");
    submit(&w, &busy);
    prepare(&late, &w, one, 1, "x\r\n");
    late.what.timeout_us = 100000;
    submit(&w, &late);
    smtp_result *r = await(&late);
    assert_int_equal(r->outcome, SMTP_NOT_SENT);
    assert_int_equal(r->fault.blame, SMTP_BLAME_TIMEOUT);
    assert_true(r->fault.retryable);
    let_go(w.place);
    assert_int_equal(await(&busy)->outcome, SMTP_SENT);
    finish(&busy);
    finish(&late);
    assert_int_equal(close_world(&w), 1);
}

/* ---- the pool ---- */

static void who_waits_is_served_in_order(void **state)
{
    static const script s[] = {{HELLO, "*"}};
    world w = WORLD(s, .query = "&sessions=1");
    static const char *const to[] = {"a0@x.y", "a1@x.y", "a2@x.y", "a3@x.y", "a4@x.y"};
    job j[5];
    const char *at;
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        prepare(&j[i], &w, &to[i], 1, "x\r\n");
        submit(&w, &j[i]);
    }
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(await(&j[i])->outcome, SMTP_SENT);
    char *all = heard(&w, 0);
    at = all;
    for (size_t i = 0; i < 5; i++) {
        at = strstr(at, to[i]);
        assert_non_null(at);
        finish(&j[i]);
    }
    free(all);
    assert_int_equal(close_world(&w), 1);
}

static void a_further_session_that_is_refused_does_not_fail_who_can_wait(void **state)
{
    static const script s[] = {{HELLO, MAIL_OK, SAY_OK, "B", "G", "S 250 ok", SENT},
                               {"S 421 4.7.0 too many connections", "X"}};
    world w = WORLD(s, .query = "&sessions=2");
    smtp_sender_stats stats;
    job first, second;
    (void)state;
    prepare(&first, &w, one, 1, "x\r\n");
    prepare(&second, &w, one, 1, "x\r\n");
    submit(&w, &first);
    submit(&w, &second);
    do {
        (void)usleep(1000);
        smtp_sender_stats_get(w.sender, w.relay, &stats);
    } while (stats.sessions_failed == 0);
    assert_int_equal(stats.waiting, 1);
    let_go(w.place);
    assert_int_equal(await(&first)->outcome, SMTP_SENT);
    assert_int_equal(await(&second)->outcome, SMTP_SENT);
    finish(&first);
    finish(&second);
    assert_int_equal(close_world(&w), 2);
}

/* Each once, all at once. */
static void send_many(world *w, job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        prepare(&jobs[i], w, one, 1, "x\r\n");
        submit(w, &jobs[i]);
    }
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(await(&jobs[i])->outcome, SMTP_SENT);
        finish(&jobs[i]);
    }
}

static void a_relay_that_says_421_gets_half_as_many_sessions(void **state)
{
    static const script s[] = {{HELLO, MAIL_OK, "S 421 4.7.0 slow down", "X"}, {HELLO, "*"}};
    world w = WORLD(s, .query = "&sessions=4");
    static job many[100];
    (void)state;
    send_plain(&w, SMTP_NOT_SENT);
    send_many(&w, many, COUNT(many));
    assert_in_range(close_world(&w), 2, 3);
}

static void too_much_closes_sessions_that_are_open(void **state)
{
    static const script s[] = {
        {HELLO, MAIL_OK, SAY_OK, "B", "G", "S 421 4.7.0 slow down", "X"},
        {HELLO, MAIL_OK, SAY_OK, "B", "G", "S 421 4.7.0 slow down", "X"},
        {HELLO, MAIL_OK, SAY_OK, "B", "G2", "S 250 ok", "*"},
        {HELLO, MAIL_OK, SAY_OK, "B", "G2", "S 250 ok", "*"},
    };
    world w = WORLD(s, .query = "&sessions=4");
    job j[4];
    smtp_sender_stats stats;
    size_t sent = 0;
    (void)state;
    for (size_t i = 0; i < COUNT(j); i++) {
        prepare(&j[i], &w, one, 1, "x\r\n");
        submit(&w, &j[i]);
    }
    for (size_t i = 0; i < COUNT(j); i++)
        wait_until_said(&w, i, "\r\n.\r\n");
    let_go(w.place);
    do {
        (void)usleep(1000);
        smtp_sender_stats_get(w.sender, w.relay, &stats);
    } while (stats.sessions_open > 2);
    let_go_on(w.place);
    for (size_t i = 0; i < COUNT(j); i++) {
        sent += await(&j[i])->outcome == SMTP_SENT;
        finish(&j[i]);
    }
    assert_int_equal(sent, 2);
    smtp_sender_stats_get(w.sender, w.relay, &stats);
    assert_in_range(stats.sessions_open, 0, 2);
    assert_int_equal(close_world(&w), 4);
}

static void a_rate_spreads_what_comes_at_once(void **state)
{
    static const script s[] = {{HELLO, "*"}};
    world w = WORLD(s, .query = "&sessions=4&rate=20/s");
    job j[8];
    int64_t since = clock_us();
    (void)state;
    send_many(&w, j, COUNT(j));
    /* 3 may go at once, 5 have 50 ms each before them */
    assert_true(clock_us() - since >= 250000);
    assert_in_range(close_world(&w), 1, 4);
}

static void who_waits_for_the_rate_too_long_is_told(void **state)
{
    static const script s[] = {{HELLO, "*"}};
    world w = WORLD(s, .query = "&rate=1/h");
    job first, second;
    (void)state;
    prepare(&first, &w, one, 1, "x\r\n");
    submit(&w, &first);
    assert_int_equal(await(&first)->outcome, SMTP_SENT);
    prepare(&second, &w, one, 1, "x\r\n");
    second.what.timeout_us = 50000;
    submit(&w, &second);
    smtp_result *r = await(&second);
    assert_int_equal(r->outcome, SMTP_NOT_SENT);
    assert_int_equal(r->fault.stage, SMTP_STAGE_NONE);
    assert_non_null(strstr(r->fault.hint, "rate="));
    finish(&first);
    finish(&second);
    assert_int_equal(close_world(&w), 1);
}

static void a_refused_login_fails_all_who_wait_with_one_try(void **state)
{
    static const script s[] = {{"G", "S 220 x", "C EHLO", "S 250-x", "S 250 AUTH PLAIN",
                                "C AUTH PLAIN", "S 535 5.7.8 no", "X"}};
    world w = WORLD(s, .login = "user:secret@");
    job j[6];
    (void)state;
    for (size_t i = 0; i < COUNT(j); i++) {
        prepare(&j[i], &w, one, 1, "x\r\n");
        submit(&w, &j[i]);
    }
    smtp_sender_stats stats;
    do {
        (void)usleep(1000);
        smtp_sender_stats_get(w.sender, w.relay, &stats);
    } while (stats.waiting < COUNT(j));
    let_go(w.place);
    for (size_t i = 0; i < COUNT(j); i++) {
        smtp_result *r = await(&j[i]);
        assert_int_equal(r->outcome, SMTP_NOT_SENT);
        assert_fault(r, SMTP_CATEGORY_AUTH, SMTP_STAGE_AUTH, SMTP_BLAME_GATEWAY);
        finish(&j[i]);
    }
    /* One for those that waited when it began, and at most one for those that came behind it. */
    assert_true(close_world(&w) <= 2);
}

static void many_at_once_are_each_sent_once(void **state)
{
    enum { MANY = 300 };
    static const script s[] = {{HELLO, "*"}};
    world w = WORLD(s, .query = "&sessions=6", .threads = 3);
    static job j[MANY];
    static char to[MANY][20];
    static const char *list[MANY];
    size_t found = 0;
    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        (void)snprintf(to[i], sizeof to[i], "n%zu@x.y", i);
        list[i] = to[i];
        prepare(&j[i], &w, &list[i], 1, "x\r\n");
        submit(&w, &j[i]);
    }
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(await(&j[i])->outcome, SMTP_SENT);
        finish(&j[i]);
    }
    smtp_sender_stop(w.sender, SECONDS(5));
    size_t sessions = atomic_load(&w.place->session_count);
    assert_true(sessions <= 6);
    for (size_t i = 0; i < sessions; i++) {
        char *all = heard(&w, i);
        found += times(all, "RCPT TO:<n");
        free(all);
    }
    assert_int_equal(found, MANY);
    (void)close_world(&w);
}

static void a_relay_of_one_session_gets_one_over_all_threads(void **state)
{
    static const script s[] = {{HELLO, "*"}};
    world w = WORLD(s, .query = "&sessions=1", .threads = 4);
    job j[20];
    (void)state;
    for (size_t i = 0; i < COUNT(j); i++) {
        prepare(&j[i], &w, one, 1, "x\r\n");
        submit(&w, &j[i]);
    }
    for (size_t i = 0; i < COUNT(j); i++) {
        assert_int_equal(await(&j[i])->outcome, SMTP_SENT);
        finish(&j[i]);
    }
    assert_int_equal(close_world(&w), 1);
}

/* ---- logging in ---- */

#define OFFER(auth) "S 220 x", "C EHLO", "S 250-x", "S 250-PIPELINING", "S 250 " auth

static void a_login_goes_before_the_first_mail_and_never_into_a_transcript(void **state)
{
    static const script s[] = {{OFFER("AUTH PLAIN LOGIN"), "C AUTH PLAIN AHVzZXIAc2VjcmV0",
                                "S 235 2.7.0 welcome", "C MAIL", "C RCPT", "C DATA", SAY_OK, "B",
                                "S 250 ok"}};
    world w = WORLD(s, .login = "user:secret@");
    job j;
    (void)state;
    smtp_result *r = send_to(&w, &j, one, 1);
    assert_int_equal(r->outcome, SMTP_SENT);
    char *lines = transcript_of(r);
    assert_non_null(strstr(lines, "C AUTH PLAIN ***\n"));
    assert_non_null(strstr(lines, "S 235 2.7.0 welcome\n"));
    assert_null(strstr(lines, "AHVzZXIAc2VjcmV0"));
    assert_non_null(strstr(lines, "S 250-PIPELINING\n"));
    assert_non_null(strstr(lines, "C RCPT TO:<li@example.net>\n"));
    free(lines);
    finish(&j);
    assert_int_equal(close_world(&w), 1);
}

static void a_login_in_several_steps_is_masked_too(void **state)
{
    static const script s[] = {{OFFER("AUTH LOGIN"), "C AUTH LOGIN dXNlcg==", "S 334 UGFzc3dvcmQ6",
                                "C c2VjcmV0", "S 235 ok", "C MAIL", "C RCPT", "C DATA", SAY_OK, "B",
                                "S 250 ok"}};
    world w = WORLD(s, .login = "user:secret@");
    job j;
    (void)state;
    smtp_result *r = send_to(&w, &j, one, 1);
    assert_int_equal(r->outcome, SMTP_SENT);
    char *lines = transcript_of(r);
    assert_null(strstr(lines, "dXNlcg"));
    assert_null(strstr(lines, "c2VjcmV0"));
    assert_null(strstr(lines, "UGFzc3dvcmQ6"));
    free(lines);
    finish(&j);
    assert_int_equal(close_world(&w), 1);
}

static void without_the_login_that_is_set_no_mail_goes_out(void **state)
{
    static const struct {
        script script;
        const char *word;
    } cases[] = {
        {{OFFER("8BITMIME")}, "no AUTH"},
        {{OFFER("AUTH SCRAM-SHA-256 XFOO")}, "SCRAM-SHA-256"},
        {{"S 220 x", "C EHLO", "S 502 what", "C HELO", "S 250 x"}, "no AUTH"},
        /* what a user and a password can't do is not even tried */
        {{OFFER("AUTH GSSAPI NTLM")}, "GSSAPI"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        world w = open_world(&cases[i].script, 1, (setting){.login = "user:secret@"});
        job j;
        smtp_result *r = send_to(&w, &j, one, 1);
        assert_int_equal(r->outcome, SMTP_NOT_SENT);
        assert_fault(r, SMTP_CATEGORY_AUTH, SMTP_STAGE_AUTH, SMTP_BLAME_GATEWAY);
        if (!strstr(r->fault.detail, cases[i].word))
            fail_msg("%s lacks %s", r->fault.detail, cases[i].word);
        assert_false(said(&w, 0, "MAIL"));
        finish(&j);
        assert_int_equal(close_world(&w), 1);
    }
}

static void a_refused_login_tells_the_reply_and_no_secret(void **state)
{
    static const script s[] = {{OFFER("AUTH PLAIN"), "C AUTH", "S 535-5.7.8 Username and Password",
                                "S 535 5.7.8 not accepted"}};
    world w = WORLD(s, .login = "user:secret@");
    job j;
    (void)state;
    smtp_result *r = send_to(&w, &j, one, 1);
    assert_fault(r, SMTP_CATEGORY_AUTH, SMTP_STAGE_AUTH, SMTP_BLAME_GATEWAY);
    assert_int_equal(r->reply.code, 535);
    assert_string_equal(r->reply.enhanced, "5.7.8");
    assert_string_equal(r->reply.text, "Username and Password\nnot accepted");
    assert_non_null(r->fault.hint);
    assert_null(strstr(r->fault.detail, "secret"));
    finish(&j);
    assert_int_equal(close_world(&w), 1);
}

static void a_mechanism_can_be_pinned(void **state)
{
    static const script s[] = {{OFFER("AUTH CRAM-MD5 PLAIN LOGIN"), "C AUTH LOGIN",
                                "S 334 UGFzc3dvcmQ6", "C ", "S 235 ok", "C MAIL", "C RCPT",
                                "C DATA", SAY_OK, "B", "S 250 ok"}};
    world w = WORLD(s, .login = "user:secret@", .query = "&auth=login");
    (void)state;
    send_plain(&w, SMTP_SENT);
    assert_int_equal(close_world(&w), 1);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void a_token_is_read_again_for_each_session(void **state)
{
    /* user=user^Aauth=Bearer first^A^A and … second^A^A */
    static const script s[] = {
        {OFFER("AUTH XOAUTH2"), "C AUTH XOAUTH2 dXNlcj11c2VyAWF1dGg9QmVhcmVyIGZpcnN0AQE=",
         "S 235 ok", "C MAIL", "C RCPT", "C DATA", SAY_OK, "B", "S 250 ok", "X"},
        {OFFER("AUTH XOAUTH2"), "C AUTH XOAUTH2 dXNlcj11c2VyAWF1dGg9QmVhcmVyIHNlY29uZAEB",
         "S 235 ok", "C MAIL", "C RCPT", "C DATA", SAY_OK, "B", "S 250 ok", "X"}};
    char path[] = "/tmp/postern-token-XXXXXX", query[80];
    int fd = mkstemp(path);
    job j;
    (void)state;
    assert_true(fd >= 0);
    (void)close(fd);
    (void)snprintf(query, sizeof query, "&token_file=%s", path);
    write_file(path, "first\n");
    world w = WORLD(s, .login = "user@", .query = query);
    send_plain(&w, SMTP_SENT);
    wait_until_closed(&w);
    write_file(path, "second");
    send_plain(&w, SMTP_SENT);
    wait_until_closed(&w);
    (void)unlink(path);
    smtp_result *r = send_to(&w, &j, one, 1);
    assert_int_equal(r->outcome, SMTP_NOT_SENT);
    assert_fault(r, SMTP_CATEGORY_AUTH, SMTP_STAGE_AUTH, SMTP_BLAME_GATEWAY);
    finish(&j);
    assert_int_equal(close_world(&w), 2);
}

/* ---- checks ---- */

static smtp_result *check(world *w, job *j, const char *reverse_path)
{
    prepare(j, w, NULL, 0, "");
    const smtp_check c = {.id = "check",
                          .relay = w->relay,
                          .reverse_path = reverse_path,
                          .timeout_us = SECONDS(30),
                          .transcript = true,
                          .done = on_done,
                          .ctx = j};
    assert_true(smtp_sender_check(w->sender, &c));
    return await(j);
}

static void assert_steps(const smtp_result *r, const smtp_stage *stages, size_t count)
{
    assert_int_equal(r->step_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(r->steps[i].stage, stages[i]);
        assert_true(r->steps[i].took_us >= 0);
    }
}

static void a_check_walks_all_stages_and_leaves(void **state)
{
    static const smtp_stage stages[] = {SMTP_STAGE_RESOLVE, SMTP_STAGE_CONNECT, SMTP_STAGE_GREETING,
                                        SMTP_STAGE_EHLO,    SMTP_STAGE_AUTH,    SMTP_STAGE_MAIL};
    static const script s[] = {{OFFER("AUTH PLAIN"), "C AUTH PLAIN", "S 235 ok",
                                "C MAIL FROM:<shop@example.com>", "S 250 2.1.0 ok", "C RSET",
                                "S 250 ok", "C QUIT", "S 221 bye", "X"}};
    world w = WORLD(s, .login = "user:secret@");
    job j;
    (void)state;
    smtp_result *r = check(&w, &j, "shop@example.com");
    assert_steps(r, stages, COUNT(stages));
    for (size_t i = 0; i < COUNT(stages); i++)
        assert_true(r->steps[i].ok);
    assert_int_equal(r->fault.category, SMTP_CATEGORY_NONE);
    assert_non_null(strstr(r->steps[1].detail, "127.0.0.1:"));
    assert_int_equal(r->steps[2].reply.code, 220);
    assert_non_null(strstr(r->steps[3].detail, "PIPELINING"));
    assert_string_equal(r->steps[4].detail, "PLAIN");
    assert_int_equal(r->steps[4].reply.code, 235);
    assert_int_equal(r->steps[5].reply.code, 250);
    finish(&j);
    wait_until_closed(&w);
    assert_int_equal(close_world(&w), 1);
}

static void a_check_stops_at_the_step_that_fails(void **state)
{
    static const struct {
        script script;
        smtp_stage stages[6];
        size_t count;
        smtp_category category;
    } cases[] = {
        {{"S 554 no"},
         {SMTP_STAGE_RESOLVE, SMTP_STAGE_CONNECT, SMTP_STAGE_GREETING},
         3,
         SMTP_CATEGORY_POLICY},
        {{OFFER("AUTH PLAIN"), "C AUTH", "S 535 no"},
         {SMTP_STAGE_RESOLVE, SMTP_STAGE_CONNECT, SMTP_STAGE_GREETING, SMTP_STAGE_EHLO,
          SMTP_STAGE_AUTH},
         5,
         SMTP_CATEGORY_AUTH},
        {{OFFER("8BITMIME")},
         {SMTP_STAGE_RESOLVE, SMTP_STAGE_CONNECT, SMTP_STAGE_GREETING, SMTP_STAGE_EHLO,
          SMTP_STAGE_AUTH},
         5,
         SMTP_CATEGORY_AUTH},
        {{OFFER("AUTH PLAIN"), "C AUTH", "S 235 ok", "C MAIL", "S 550 5.7.1 not you", "C RSET",
          "S 250 ok", "C QUIT", "X"},
         {SMTP_STAGE_RESOLVE, SMTP_STAGE_CONNECT, SMTP_STAGE_GREETING, SMTP_STAGE_EHLO,
          SMTP_STAGE_AUTH, SMTP_STAGE_MAIL},
         6,
         SMTP_CATEGORY_SENDER},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        world w = open_world(&cases[i].script, 1, (setting){.login = "user:secret@"});
        job j;
        smtp_result *r = check(&w, &j, "shop@example.com");
        assert_steps(r, cases[i].stages, cases[i].count);
        for (size_t k = 0; k < r->step_count; k++)
            assert_int_equal(r->steps[k].ok, k + 1 < r->step_count);
        assert_int_equal(r->fault.category, cases[i].category);
        finish(&j);
        assert_int_equal(close_world(&w), 1);
    }
}

static void a_check_that_hangs_says_where_and_holds_nobody_up(void **state)
{
    static const script s[] = {{"S 220 x", "C EHLO", "G"}, {HELLO, SENT}};
    world w = WORLD(s, .query = "&sessions=1");
    job j, mail;
    (void)state;
    prepare(&j, &w, NULL, 0, "");
    const smtp_check c = {
        .id = "c", .relay = w.relay, .timeout_us = SECONDS(1) / 2, .done = on_done, .ctx = &j};
    assert_true(smtp_sender_check(w.sender, &c));
    while (atomic_load(&w.place->session_count) == 0)
        (void)usleep(1000);
    prepare(&mail, &w, one, 1, "x\r\n");
    submit(&w, &mail);
    assert_int_equal(await(&mail)->outcome, SMTP_SENT);
    smtp_result *r = await(&j);
    assert_int_equal(r->fault.stage, SMTP_STAGE_EHLO);
    assert_int_equal(r->fault.blame, SMTP_BLAME_TIMEOUT);
    assert_int_equal(r->steps[r->step_count - 1].stage, SMTP_STAGE_EHLO);
    assert_false(r->steps[r->step_count - 1].ok);
    finish(&j);
    finish(&mail);
    assert_int_equal(close_world(&w), 2);
}

/* ---- the end ---- */

static void stopping_ends_what_is_in_flight_honestly(void **state)
{
    static const script s[] = {{HELLO, MAIL_OK, "G"}};
    world w = WORLD(s, .query = "&sessions=1");
    job busy, waiting;
    (void)state;
    prepare(&busy, &w, one, 1, "x\r\n");
    prepare(&waiting, &w, one, 1, "x\r\n");
    submit(&w, &busy);
    submit(&w, &waiting);
    wait_until_said(&w, 0, "MAIL FROM");
    smtp_sender_stop(w.sender, 0);
    assert_int_equal(await(&busy)->outcome, SMTP_NOT_SENT);
    assert_int_equal(await(&waiting)->outcome, SMTP_NOT_SENT);
    assert_true(busy.result->fault.retryable);
    assert_true(waiting.result->fault.retryable);
    assert_false(smtp_sender_submit(w.sender, &busy.what));
    finish(&busy);
    finish(&waiting);
    (void)close_world(&w);
}

static void *let_go_soon(void *ctx)
{
    (void)usleep(50000);
    let_go(ctx);
    return NULL;
}

static void the_grace_is_for_replies_that_are_owed(void **state)
{
    static const script s[] = {
        {HELLO, MAIL_OK, SAY_OK, "B", "G", "S 250 2.0.0 just in time", "C QUIT", "X"}};
    world w = WORLD(s, 0);
    pthread_t helper;
    job j;
    (void)state;
    prepare(&j, &w, one, 1, "x\r\n");
    submit(&w, &j);
    wait_until_said(&w, 0, "\r\n.\r\n");
    assert_int_equal(pthread_create(&helper, NULL, let_go_soon, w.place), 0);
    smtp_sender_stop(w.sender, SECONDS(30));
    assert_int_equal(await(&j)->outcome, SMTP_SENT);
    finish(&j);
    (void)pthread_join(helper, NULL);
    assert_int_equal(close_world(&w), 1);
}

static void a_reply_that_never_comes_is_unknown_when_the_grace_is_over(void **state)
{
    static const script s[] = {{HELLO, MAIL_OK, SAY_OK, "B", "G"}};
    world w = WORLD(s, 0);
    job j;
    (void)state;
    prepare(&j, &w, one, 1, "x\r\n");
    submit(&w, &j);
    wait_until_said(&w, 0, "\r\n.\r\n");
    smtp_sender_stop(w.sender, 50000);
    assert_int_equal(await(&j)->outcome, SMTP_UNKNOWN);
    finish(&j);
    assert_int_equal(close_world(&w), 1);
}

/* ---- hosted: the test's thread runs the loop ---- */

#define EVENTS 8

static int wait_events(const world *w, struct epoll_event events[EVENTS], int ms)
{
    return epoll_wait(smtp_sender_epoll(w->sender, 0), events, EVENTS, ms);
}

static void wait_and_turn(const world *w, int ms)
{
    struct epoll_event events[EVENTS];
    smtp_sender_turn(w->sender, 0, events, wait_events(w, events, ms));
}

/* One turn, when it is due or something has come. */
static void host_once(world *w)
{
    int64_t due = smtp_sender_due(w->sender, 0);
    int64_t left = due == INT64_MAX ? INT64_MAX : due - (due ? clock_us() : 0);
    int ms = left == INT64_MAX ? -1 : left <= 0 ? 0 : (int)((left + 999) / 1000);
    wait_and_turn(w, ms);
}

static void host_until(world *w, const job *j, unsigned calls)
{
    while (j->calls < calls)
        host_once(w);
}

/* Stops the sender, which waits for the loop's host. */
typedef struct stopper {
    pthread_t thread;
    smtp_sender *sender;
    int64_t grace_us;
    atomic_bool over;
} stopper;

static void *stop_sender(void *ctx)
{
    stopper *s = ctx;
    smtp_sender_stop(s->sender, s->grace_us);
    atomic_store(&s->over, true);
    return NULL;
}

static void begin_stop(stopper *s, const world *w, int64_t grace_us)
{
    *s = (stopper){.sender = w->sender, .grace_us = grace_us};
    assert_int_equal(pthread_create(&s->thread, NULL, stop_sender, s), 0);
}

static void end_stop(stopper *s)
{
    (void)pthread_join(s->thread, NULL);
    assert_true(atomic_load(&s->over));
}

/* Stops it from another thread, while this one runs the loop to its end. */
static void stop_hosted(const world *w, int64_t grace_us)
{
    stopper stop;
    begin_stop(&stop, w, grace_us);
    while (!atomic_load(&stop.over))
        wait_and_turn(w, 1);
    end_stop(&stop);
}

static void a_hosted_loop_is_run_by_its_host(void **state)
{
    static const script s[] = {{HELLO, SENT, SENT, "C QUIT", "S 221 bye"}};
    world w = WORLD(s, .hosted = true);
    job j;
    (void)state;
    assert_true(smtp_sender_host(w.sender, 0));
    for (unsigned i = 0; i < 2; i++) {
        prepare(&j, &w, one, 1, "Subject: x\r\n\r\nhello\r\n");
        submit(&w, &j);
        assert_int_equal(j.calls, 0); /* never within submit */
        assert_int_equal(smtp_sender_due(w.sender, 0), 0);
        host_until(&w, &j, 1);
        assert_int_equal(j.result->outcome, SMTP_SENT);
        finish(&j);
    }
    stop_hosted(&w, SECONDS(5));
    assert_true(said(&w, 0, "QUIT\r\n"));
    assert_int_equal(close_world(&w), 1);
}

static void a_loop_is_full_while_one_waits_and_no_session_idles(void **state)
{
    static const script s[] = {{HELLO, SENT, SENT, "C QUIT", "S 221 bye"}};
    world w = WORLD(s, .hosted = true, .query = "&sessions=1");
    job first, second;
    (void)state;
    assert_true(smtp_sender_host(w.sender, 0));
    assert_false(smtp_sender_is_full(w.sender, 0)); /* no pool yet */
    prepare(&first, &w, one, 1, "x\r\n");
    prepare(&second, &w, one, 1, "x\r\n");
    submit(&w, &first);
    submit(&w, &second);
    host_once(&w);
    assert_true(smtp_sender_is_full(w.sender, 0)); /* the session is being opened */
    host_until(&w, &first, 1);
    host_until(&w, &second, 1);
    assert_false(smtp_sender_is_full(w.sender, 0)); /* it idles */
    finish(&first);
    finish(&second);
    stop_hosted(&w, SECONDS(5));
    assert_int_equal(close_world(&w), 1);
}

/* Submits the next from within the callback, as long as there is one. */
typedef struct chain {
    job *jobs;
    size_t count, at;
    world *world;
    unsigned depth;
} chain;

static void on_chained(void *ctx, smtp_result *result)
{
    chain *c = ctx;
    assert_int_equal(c->depth++, 0);
    on_done(&c->jobs[c->at++], result);
    if (c->at < c->count)
        submit(c->world, &c->jobs[c->at]);
    c->depth--;
}

static void a_callback_may_submit_and_is_not_called_within_itself(void **state)
{
    static const script s[] = {{"X"}};
    static const char *const bad[] = {"li@example.net>\r\nDATA"}; /* refused without a relay */
    world w = WORLD(s, .hosted = true);
    job j[3];
    chain c = {j, COUNT(j), 0, &w, 0};
    (void)state;
    assert_true(smtp_sender_host(w.sender, 0));
    for (size_t i = 0; i < COUNT(j); i++) {
        prepare(&j[i], &w, bad, 1, "x");
        j[i].what.done = on_chained;
        j[i].what.ctx = &c;
    }
    submit(&w, &j[0]);
    host_until(&w, &j[COUNT(j) - 1], 1);
    for (size_t i = 0; i < COUNT(j); i++) {
        assert_int_equal(j[i].result->outcome, SMTP_NOT_SENT);
        finish(&j[i]);
    }
    stop_hosted(&w, 0);
    assert_int_equal(close_world(&w), 0);
}

static void a_host_may_wait_for_its_own_by_the_loops_epoll(void **state)
{
    static const script s[] = {{HELLO, SENT, "C QUIT", "S 221 bye"}};
    world w = WORLD(s, .hosted = true);
    int mine = eventfd(1, EFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &mine}, events[EVENTS];
    job j;
    (void)state;
    assert_true(smtp_sender_host(w.sender, 0));
    assert_int_equal(epoll_ctl(smtp_sender_epoll(w.sender, 0), EPOLL_CTL_ADD, mine, &event), 0);
    assert_int_equal(wait_events(&w, events, -1), 1);
    assert_ptr_equal(events[0].data.ptr, &mine);
    prepare(&j, &w, one, 1, "x\r\n");
    submit(&w, &j);
    host_until(&w, &j, 1); /* with the event that nobody takes among the sender's */
    assert_int_equal(j.result->outcome, SMTP_SENT);
    finish(&j);
    stop_hosted(&w, SECONDS(5));
    assert_int_equal(close_world(&w), 1);
    assert_int_equal(close(mine), 0);
}

/* The stop is seen by the way, in a turn for something else; its wake-up must not stand for ever.
 */
static void a_hosted_loop_that_has_ended_asks_for_nothing(void **state)
{
    static const script s[] = {{HELLO}};
    world w = WORLD(s, .hosted = true);
    struct epoll_event events[EVENTS];
    stopper stop;
    job j;
    (void)state;
    assert_true(smtp_sender_host(w.sender, 0));
    prepare(&j, &w, one, 1, "x");
    submit(&w, &j);
    begin_stop(&stop, &w, 0);
    assert_int_equal(wait_events(&w, events, -1), 1);
    smtp_sender_turn(w.sender, 0, NULL, 0);
    end_stop(&stop);
    assert_int_equal(j.calls, 1);
    assert_int_equal(j.result->outcome, SMTP_NOT_SENT);
    finish(&j);
    assert_int_equal(smtp_sender_due(w.sender, 0), INT64_MAX);
    assert_int_equal(wait_events(&w, events, 0), 1);
    smtp_sender_turn(w.sender, 0, events, 1);
    assert_int_equal(wait_events(&w, events, 0), 0);
    (void)close_world(&w);
}

/* A server that could not start all its threads: those that ran are gone when the sender stops. */
static void what_a_host_has_left_is_ended_by_stopping(void **state)
{
    static const script s[] = {{HELLO}};
    world w = WORLD(s, .hosted = true, .threads = 2);
    job j;
    (void)state;
    assert_true(smtp_sender_host(w.sender, 0));
    prepare(&j, &w, one, 1, "x");
    submit(&w, &j);
    smtp_sender_leave(w.sender, 0);
    smtp_sender_stop(w.sender, 0);
    assert_int_equal(j.calls, 1);
    assert_int_equal(j.result->outcome, SMTP_NOT_SENT);
    finish(&j);
    assert_false(smtp_sender_host(w.sender, 0)); /* too late */
    (void)close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_go_in_one_write_and_the_replies_come_back),
        cmocka_unit_test(the_loop_tells_before_it_waits),
        cmocka_unit_test(a_session_serves_one_transaction_after_the_other),
        cmocka_unit_test(without_pipelining_each_command_waits_for_its_reply),
        cmocka_unit_test(replies_may_come_in_pieces),
        cmocka_unit_test(a_body_is_stuffed_and_its_lines_end_in_crlf),
        cmocka_unit_test(a_large_body_arrives_whole),
        cmocka_unit_test(the_null_reverse_path_is_sent),
        cmocka_unit_test(parameters_follow_what_the_relay_offers),
        cmocka_unit_test(what_the_relay_can_not_take_is_refused_without_a_word),
        cmocka_unit_test(addresses_that_would_be_commands_never_reach_the_wire),
        cmocka_unit_test(quoted_local_parts_may_hold_what_others_may_not),
        cmocka_unit_test(a_refused_session_is_told_with_its_stage),
        cmocka_unit_test(helo_will_do_where_ehlo_is_unknown),
        cmocka_unit_test(a_refused_sender_ends_the_transaction_and_not_the_session),
        cmocka_unit_test(each_recipient_gets_its_own_reply),
        cmocka_unit_test(when_nobody_is_accepted_a_lone_dot_ends_what_the_relay_began),
        cmocka_unit_test(one_temporary_refusal_among_all_is_worth_another_try),
        cmocka_unit_test(data_and_the_message_may_be_refused),
        cmocka_unit_test(any_2yz_to_the_dot_is_acceptance),
        cmocka_unit_test(a_refusal_in_the_middle_of_the_body_is_final),
        cmocka_unit_test(a_refusal_is_heard_though_the_connection_is_gone),
        cmocka_unit_test(an_acceptance_before_the_end_is_none),
        cmocka_unit_test(replies_that_have_no_place_end_the_session),
        cmocka_unit_test(a_relay_that_says_too_much_is_not_asked_again),
        cmocka_unit_test(a_fresh_session_that_ends_is_not_tried_again),
        cmocka_unit_test(a_stale_session_is_replaced_by_a_fresh_one_once),
        cmocka_unit_test(a_stale_session_that_ends_in_the_body_is_replaced_too),
        cmocka_unit_test(there_is_no_third_try),
        cmocka_unit_test(a_second_try_that_gets_no_session_says_why),
        cmocka_unit_test(after_the_dot_nothing_is_sent_again),
        cmocka_unit_test(a_421_to_the_dot_is_a_refusal),
        cmocka_unit_test(a_session_that_ends_while_idle_is_noticed),
        cmocka_unit_test(many_sessions_that_end_while_idle_are_all_noticed),
        cmocka_unit_test(idle_sessions_are_closed_with_quit),
        cmocka_unit_test(a_session_ends_with_quit_at_its_limit),
        cmocka_unit_test(the_next_envelope_goes_out_with_the_body_before_it),
        cmocka_unit_test(a_refused_message_does_not_touch_the_one_behind_it),
        cmocka_unit_test(an_envelope_that_went_ahead_may_be_refused),
        cmocka_unit_test(one_that_went_ahead_is_sent_once_when_its_session_ends),
        cmocka_unit_test(a_relay_that_ends_sessions_gets_no_envelope_ahead),
        cmocka_unit_test(one_that_went_ahead_is_held_back_when_the_relay_is_slow),
        cmocka_unit_test(the_time_of_one_that_went_ahead_ends_without_harm_to_the_other),
        cmocka_unit_test(stopping_holds_back_what_went_ahead),
        cmocka_unit_test(no_envelope_goes_ahead_where_it_must_not),
        cmocka_unit_test(a_relay_that_says_nothing_is_a_timeout),
        cmocka_unit_test(waiting_for_a_busy_session_counts_too),
        cmocka_unit_test(who_waits_is_served_in_order),
        cmocka_unit_test(a_further_session_that_is_refused_does_not_fail_who_can_wait),
        cmocka_unit_test(a_relay_that_says_421_gets_half_as_many_sessions),
        cmocka_unit_test(too_much_closes_sessions_that_are_open),
        cmocka_unit_test(a_rate_spreads_what_comes_at_once),
        cmocka_unit_test(who_waits_for_the_rate_too_long_is_told),
        cmocka_unit_test(a_refused_login_fails_all_who_wait_with_one_try),
        cmocka_unit_test(many_at_once_are_each_sent_once),
        cmocka_unit_test(a_relay_of_one_session_gets_one_over_all_threads),
        cmocka_unit_test(a_login_goes_before_the_first_mail_and_never_into_a_transcript),
        cmocka_unit_test(a_login_in_several_steps_is_masked_too),
        cmocka_unit_test(without_the_login_that_is_set_no_mail_goes_out),
        cmocka_unit_test(a_refused_login_tells_the_reply_and_no_secret),
        cmocka_unit_test(a_mechanism_can_be_pinned),
        cmocka_unit_test(a_token_is_read_again_for_each_session),
        cmocka_unit_test(a_check_walks_all_stages_and_leaves),
        cmocka_unit_test(a_check_stops_at_the_step_that_fails),
        cmocka_unit_test(a_check_that_hangs_says_where_and_holds_nobody_up),
        cmocka_unit_test(stopping_ends_what_is_in_flight_honestly),
        cmocka_unit_test(the_grace_is_for_replies_that_are_owed),
        cmocka_unit_test(a_reply_that_never_comes_is_unknown_when_the_grace_is_over),
        cmocka_unit_test(a_hosted_loop_is_run_by_its_host),
        cmocka_unit_test(a_loop_is_full_while_one_waits_and_no_session_idles),
        cmocka_unit_test(a_callback_may_submit_and_is_not_called_within_itself),
        cmocka_unit_test(a_host_may_wait_for_its_own_by_the_loops_epoll),
        cmocka_unit_test(a_hosted_loop_that_has_ended_asks_for_nothing),
        cmocka_unit_test(what_a_host_has_left_is_ended_by_stopping),
    };
    if (curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
