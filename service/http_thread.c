#include "service/http_thread.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "service/park.h"

/* Head of a request: request line and headers together (MHD answers 431 beyond). MHD clears this
 * much for each request, which costs more than all the rest of HTTP where it is 32 KiB. */
#define CONNECTION_MEMORY ((size_t)(16 * 1024))
/* A connection on which nothing moves is closed after this long. */
#define IDLE_SECONDS 75u
/* Any other time than that: see http_thread_suspend(). */
#define RESUME_SECONDS (IDLE_SECONDS + 1)
/* See can_pause(). */
#define PAUSE_US 1000
/* See turns_in_vain(). */
#define VAIN_TURNS 1024u
/* See gathers(). */
#define MANY           256u
#define TLS_PRIORITIES "SECURE128:+SECURE192:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* What epoll tells of: one of these, the place of a connection, whose address is none of them, or
 * something of the sender's. */
enum { DAEMON, WOKEN };
#define EVENTS 256

struct http_thread {
    http_thread_options options;
    struct MHD_Daemon *daemon;
    int epoll;     /* that it waits by: the sender's, if there is one */
    int own_epoll; /* else; -1: there is none */
    int wake_fd;   /* an eventfd: the members below have changed */
    watch *watch;
    park park;
    pthread_t thread;
    bool started;
    uint64_t turns;     /* 1 and up */
    unsigned vain;      /* the last ones in which the daemon was due at once, and nothing came */
    bool quiet;         /* nothing is accepted any more */
    bool answered;      /* in the last turn */
    bool freed;         /* a connection was closed */
    unsigned suspended; /* connections whose answer is waited for */
    int64_t gathers_until_us;
    http_resumption *own; /* that go on: resumed on the thread itself, or taken from `resumed` */
    _Atomic(http_resumption *) resumed;
    atomic_bool quiesce, stop;
};

/* What is kept of a connection. */
typedef struct visitor {
    watch_connection *watched;
    park_place place;
} visitor;

static visitor *visitor_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* ---- waking it ---- */

static void wake(http_thread *t)
{
    const uint64_t one = 1;
    /* Fails only when the count is at its end, and then it wakes all the same. */
    (void)!write(t->wake_fd, &one, sizeof one);
}

/* libmicrohttpd reads from a connection that was resumed before it asks for the answer, finds
 * nothing, has epoll watch the socket, and takes it out again when it suspends the next request:
 * three system calls for each mail. But to a connection with a time limit of its own it turns
 * before it looks at any socket: the answer is there, then, and nothing is read before it is sent;
 * by then the next request often has come. */
void http_thread_suspend(http_thread *t, struct MHD_Connection *connection)
{
    visitor *v = visitor_of(connection);
    if (v)
        park_taken(&v->place);
    t->suspended++;
    MHD_suspend_connection(connection);
    (void)MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, RESUME_SECONDS);
}

void http_thread_resumed(http_thread *t, struct MHD_Connection *connection)
{
    t->suspended--;
    (void)MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, IDLE_SECONDS);
}

void http_thread_park(http_thread *t, struct MHD_Connection *connection, int64_t now_us)
{
    visitor *v = visitor_of(connection);
    if (v && !t->quiet)
        park_enter(&v->place, now_us);
}

void http_thread_resume(http_thread *t, http_resumption *r)
{
    if (pthread_equal(t->thread, pthread_self())) {
        r->next = t->own;
        t->own = r;
        return;
    }
    http_resumption *first = atomic_load_explicit(&t->resumed, memory_order_relaxed);
    do
        r->next = first;
    while (!atomic_compare_exchange_weak(&t->resumed, &first, r));
    /* Whoever finds the list empty wakes the thread for all that follow. */
    if (!first)
        wake(t);
}

void http_thread_quiesce(http_thread *t)
{
    atomic_store(&t->quiesce, true);
    wake(t);
}

/* ---- the loop ---- */

static void take_wakes(http_thread *t)
{
    uint64_t count;
    (void)!read(t->wake_fd, &count, sizeof count); /* before the list: none is missed */
    for (http_resumption *r = atomic_exchange(&t->resumed, NULL), *next; r; r = next) {
        next = r->next;
        r->next = t->own;
        t->own = r;
    }
    if (atomic_load(&t->quiesce) && !t->quiet) {
        t->quiet = true;
        int fd = MHD_quiesce_daemon(t->daemon);
        if (fd >= 0)
            (void)close(fd);
    }
}

/* When one goes on, the daemon walks over all that are suspended. Where these are many, that would
 * be a good part of what a mail costs. Those that go on gather then, for a microsecond for each
 * that is suspended: by far more than the walk takes, and little against what so many wait. */
static bool gathers(const http_thread *t)
{
    return t->suspended > MANY && clock_us() < t->gathers_until_us;
}

/* When the daemon has something to do though nothing comes: INT64_MAX is never, 0 now. */
static int64_t daemon_due(http_thread *t)
{
    MHD_UNSIGNED_LONG_LONG ms = 0;
    if (t->own || t->park.going.first)
        return t->suspended > MANY ? t->gathers_until_us : 0;
    if (MHD_get_timeout(t->daemon, &ms) != MHD_YES)
        return INT64_MAX;
    return ms > 0 ? clock_us() + (int64_t)ms * 1000 : 0;
}

static int64_t sender_due(const http_thread *t)
{
    const http_thread_options *o = &t->options;
    return o->sender ? smtp_sender_due(o->sender, o->loop) : INT64_MAX;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* In milliseconds, as poll() has it; -1: until something happens. */
static int wait_time(int64_t at)
{
    if (at == INT64_MAX)
        return -1;
    int64_t left_us = at > 0 ? at - clock_us() : 0;
    if (left_us <= 0)
        return 0;
    return left_us / 1000 < INT_MAX ? (int)((left_us + 999) / 1000) : INT_MAX;
}

static void sender_turn(const http_thread *t, const struct epoll_event *events, int count)
{
    const http_thread_options *o = &t->options;
    if (o->sender)
        smtp_sender_turn(o->sender, o->loop, events, count);
}

/* What was answered goes back to the daemon, and what was parked; whether there was any. */
static bool let_go(http_thread *t)
{
    t->answered = t->own != NULL;
    for (http_resumption *next; t->own; t->own = next) {
        next = t->own->next;
        MHD_resume_connection(t->own->connection);
    }
    if (t->suspended > MANY)
        t->gathers_until_us = clock_us() + t->suspended;
    return park_go(&t->park, t->turns) || t->answered;
}

/* What there may be to do in a turn. */
typedef struct work {
    bool woken, daemon;
    int count;
    struct epoll_event events[EVENTS];
} work;

/* What the daemon has sent it ends, and has parked, when it is run again; and it reads from one
 * that was parked when it is run again: were anything waited for in between, what comes would be
 * told of in vain. At its limit of connections it looks whether there is room for another only when
 * it begins. */
static void run_daemon(http_thread *t, bool again)
{
    t->freed = false;
    (void)MHD_run(t->daemon);
    if (again)
        (void)MHD_run(t->daemon);
    if (t->freed && !t->quiet)
        (void)MHD_run(t->daemon);
}

/* One turn of everything: the relays' replies, which are answers; the daemon, which sends these and
 * takes requests; and the mails that these bring, to the relays. */
static void turn(http_thread *t, const work *w)
{
    if (w->woken)
        take_wakes(t);
    sender_turn(t, w->events, w->count);
    bool any_go = !gathers(t) && let_go(t);
    if (!any_go && !w->daemon)
        return;
    run_daemon(t, any_go);
    sender_turn(t, NULL, 0);
}

/* The daemon would ask clients that are not parked for their next request as soon as they have been
 * answered. Most have none yet, and are then watched, which is three system calls more and a turn
 * for little. While mails wait for a session anyhow, no time is lost if a relay's reply, or a
 * moment, comes first. */
static bool can_pause(const http_thread *t)
{
    const http_thread_options *o = &t->options;
    return t->answered && !t->own && !watch_is_reading(t->watch) && o->sender &&
           smtp_sender_is_full(o->sender, o->loop);
}

/* While a client's part of the TLS handshake has come but in pieces, the daemon is due at once, and
 * can do nothing: each turn would be in vain, for as long as the client likes. All else ends, or
 * waits for an event, long before: a turn takes a record of 16 KiB, and a socket holds few MiB. */
static bool turns_in_vain(const http_thread *t)
{
    return t->options.cert && t->vain >= VAIN_TURNS && !t->own;
}

static void take_event(const struct epoll_event *event, work *w)
{
    if (event->data.u64 == DAEMON)
        w->daemon = true;
    else if (event->data.u64 == WOKEN)
        w->woken = true;
    else if (!(event->data.u64 & SMTP_SENDER_TAGS))
        park_signalled(event->data.ptr);
}

/* Waits for work, unless there is some. */
static void wait_for_work(http_thread *t, int64_t next_look_us, work *w)
{
    const http_thread_options *o = &t->options;
    int64_t daemon_at = daemon_due(t);
    t->turns++;
    bool at_once = daemon_at == 0, pauses = at_once && can_pause(t);
    if (pauses || (at_once && turns_in_vain(t)))
        daemon_at = clock_us() + PAUSE_US;
    int64_t until = earlier(earlier(daemon_at, sender_due(t)), next_look_us);
    int ms = wait_time(earlier(until, park_due(&t->park)));
    /* It fails for a signal only; none is meant for this thread. */
    w->woken = w->daemon = false;
    w->count = epoll_wait(t->epoll, w->events, EVENTS, 0);
    if (w->count == 0 && ms != 0) {
        if (!pauses)
            o->before_wait(o->ctx);
        w->count = epoll_wait(t->epoll, w->events, EVENTS, ms);
    }
    for (int i = 0; i < w->count; i++)
        take_event(&w->events[i], w);
    t->vain = at_once && w->count == 0 ? t->vain + 1 : 0;
    int64_t now = clock_us();
    park_leave(&t->park, now);
    w->daemon = w->daemon || daemon_at <= now;
}

static bool watch_source(const http_thread *t, int fd, uint64_t source)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = source};
    return epoll_ctl(t->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static void *run(void *ctx)
{
    http_thread *t = ctx;
    const http_thread_options *o = &t->options;
    int64_t next_look_us = INT64_MAX;
    work w;

    if (o->sender && !smtp_sender_host(o->sender, o->loop))
        t->options.sender = NULL; /* it stops already */
    while (!atomic_load_explicit(&t->stop, memory_order_relaxed)) {
        wait_for_work(t, next_look_us, &w);
        turn(t, &w);
        next_look_us = watch_look(t->watch, clock_us());
    }
    park_leave(&t->park, INT64_MAX); /* the daemon can't be stopped with one suspended */
    (void)park_go(&t->park, 0);
    if (o->sender)
        smtp_sender_leave(o->sender, o->loop);
    return NULL;
}

/* ---- libmicrohttpd's callbacks ---- */

watch_connection *http_thread_watched(struct MHD_Connection *connection)
{
    const visitor *v = visitor_of(connection);
    return v ? v->watched : NULL;
}

void *http_thread_context(const http_thread *t)
{
    return t->options.ctx;
}

static void visitor_free(http_thread *t, visitor *v)
{
    if (!v)
        return;
    park_remove(&v->place, t->epoll);
    watch_remove(t->watch, v->watched);
    free(v);
}

/* NULL: no memory. */
static visitor *visitor_create(http_thread *t, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *from =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    visitor *v = fd ? calloc(1, sizeof *v) : NULL;
    if (!v)
        return NULL;
    v->watched = watch_add(t->watch, fd->connect_fd, from ? from->client_addr : NULL);
    if (!v->watched) {
        visitor_free(t, v);
        return NULL;
    }
    if (!t->options.cert)
        park_add(&t->park, &v->place, t->epoll, connection, fd->connect_fd);
    return v;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    http_thread *t = cls;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        visitor_free(t, *context);
        *context = NULL;
        t->freed = true;
    } else {
        *context = visitor_create(t, connection);
    }
}

/* The request line has come: its time runs. */
static void *on_request_line(void *cls, const char *uri, struct MHD_Connection *connection)
{
    const http_thread *t = cls;
    (void)uri;
    visitor *v = visitor_of(connection);
    if (v) {
        park_asked(&v->place, t->turns);
        watch_reading(v->watched);
    }
    return NULL;
}

/* Paths are compared as they came: none of the routes needs an escape, and "/v1/send%00" is not one
 * of them. What a path or query brings is decoded in http.c. */
static size_t keep_escapes(void *cls, struct MHD_Connection *connection, char *s)
{
    (void)cls;
    (void)connection;
    return strlen(s);
}

/* ---- start and stop ---- */

static bool start_daemon(http_thread *t)
{
    const http_thread_options *o = &t->options;
    unsigned flags =
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | (o->cert ? MHD_USE_TLS : 0);
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)o->cert},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)o->key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    /* The daemon closes the socket it listens on: each has a descriptor of its own. */
    int fd = dup(o->listen_fd);
    if (fd < 0)
        return false;
    t->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, o->access, t, MHD_OPTION_EXTERNAL_LOGGER, o->log, o->ctx,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, o->limit,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT,
        IDLE_SECONDS, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED, o->completed, t,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, t, MHD_OPTION_URI_LOG_CALLBACK,
        on_request_line, t, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, t, MHD_OPTION_ARRAY,
        o->cert ? tls : none, MHD_OPTION_END);
    /* A daemon that fails to start closes the socket in some cases and not in others: it is left.
     */
    return t->daemon != NULL;
}

static bool watch_sources(const http_thread *t)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(t->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    return info && watch_source(t, info->epoll_fd, DAEMON) && watch_source(t, t->wake_fd, WOKEN);
}

http_thread *http_thread_start(const http_thread_options *options)
{
    http_thread *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->options = *options;
    t->own_epoll = options->sender ? -1 : epoll_create1(EPOLL_CLOEXEC);
    t->epoll = options->sender ? smtp_sender_epoll(options->sender, options->loop) : t->own_epoll;
    t->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    t->watch = watch_create(options->slow_us, options->cert != NULL, options->slow, options->ctx);
    if (t->epoll < 0 || t->wake_fd < 0 || !t->watch || !start_daemon(t) || !watch_sources(t))
        goto failed;
    t->started = pthread_create(&t->thread, NULL, run, t) == 0;
    if (t->started)
        return t;

failed:
    http_thread_stop(t);
    return NULL;
}

void http_thread_stop(http_thread *t)
{
    if (!t)
        return;
    if (t->started) {
        atomic_store(&t->stop, true);
        wake(t);
        (void)pthread_join(t->thread, NULL);
    }
    if (t->daemon)
        MHD_stop_daemon(t->daemon); /* tells the watch of each connection */
    watch_free(t->watch);
    if (t->wake_fd >= 0)
        (void)close(t->wake_fd);
    if (t->own_epoll >= 0)
        (void)close(t->own_epoll);
    free(t);
}
