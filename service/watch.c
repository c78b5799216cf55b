#include "service/watch.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "service/problem.h"

/* Slowest body that is borne, on the whole; the limit comes on top. */
#define BYTES_PER_SECOND 16384
#define LOOK_EVERY_US    INT64_C(1000000)
#define IDLE_US          INT64_C(75000000)
#define LOOK_LEAST_US    INT64_C(20000)

typedef enum watch_state {
    FRESH,   /* connected; nothing asked yet */
    WAITING, /* between requests */
    READING, /* a request's first line has come */
    HANDLING
} watch_state;

struct watch_connection {
    watch *watch;
    watch_connection *previous, *next;
    int fd;
    /* Written by the connection's thread, read by the watch's. */
    _Atomic watch_state state;
    _Atomic int64_t since_us; /* when the state began */
    atomic_size_t received;
    atomic_bool known;   /* an exchange of the service tells of this request */
    atomic_uint refused; /* the status that was written beside the server */
    bool ended; /* the watch's thread alone: at the last look the client had closed its side */
    char remote[INET6_ADDRSTRLEN];
};

struct watch {
    int64_t limit_us;
    bool tls;
    watch_slow *slow;
    void *ctx;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* of the list, and against closing a socket while it is written to */
    pthread_cond_t changed;
    watch_connection *first;
    size_t count;
    struct pollfd *polled; /* room for `polled_cap` connections, kept between looks */
    size_t polled_cap;
    bool stopping;
};

/* ---- the socket, beside the server
 * -------------------------------------------------------------------- */

static const struct {
    unsigned status;
    problem_kind kind;
    const char *reason, *detail;
} refusals[] = {
    {408, PROBLEM_SLOW, "Request Timeout", "The request took too long to come."},
    {413, PROBLEM_TOO_LARGE, "Content Too Large", "The body is larger than is allowed."},
};

static void write_refusal(int fd, size_t which)
{
    buf body = BUF_INIT, head = BUF_INIT;
    problem_write(&body, refusals[which].kind, NULL, refusals[which].detail, NULL);
    buf_addf(&head,
             "HTTP/1.1 %u %s\r\nContent-Type: application/problem+json\r\nContent-Length: %zu\r\n"
             "Connection: close\r\n\r\n",
             refusals[which].status, refusals[which].reason, body.len);
    buf_add(&head, body.data, body.len);
    /* A client that takes nothing gets nothing: there is no waiting for it. */
    if (buf_ok(&body) && buf_ok(&head))
        (void)send(fd, head.data, head.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    buf_free(&body);
    buf_free(&head);
}

void watch_refuse(watch_connection *c, unsigned status)
{
    size_t which = 0;
    while (refusals[which].status != status)
        which++;
    atomic_store(&c->refused, status);
    if (!c->watch->tls)
        write_refusal(c->fd, which);
    /* Reading ends now. What the client still sends is dropped by the kernel without a reset that
     * would take the answer from it, until the server closes. */
    (void)shutdown(c->fd, c->watch->tls ? SHUT_RDWR : SHUT_RD);
}

/* ---- the thread
 * ------------------------------------------------------------------------------------------- */

/* How long the state may last; INT64_MAX: as long as it wants. */
static int64_t allowed_us(const watch_connection *c)
{
    switch (atomic_load(&c->state)) {
    case FRESH: return c->watch->limit_us;
    case WAITING: return IDLE_US;
    case READING:
        return c->watch->limit_us +
               (int64_t)(atomic_load(&c->received) / BYTES_PER_SECOND) * 1000000;
    case HANDLING: break;
    }
    return INT64_MAX;
}

static void end_overdue(watch *w, watch_connection *c, int64_t now)
{
    if (atomic_load(&c->refused) || now - atomic_load(&c->since_us) <= allowed_us(c))
        return;
    if (atomic_load(&c->state) != READING) {
        (void)shutdown(c->fd, SHUT_RDWR);
        return;
    }
    if (!atomic_load(&c->known))
        w->slow(w->ctx, c->remote);
    watch_refuse(c, 408);
}

/* Whether each connection's client has closed its side, in the list's order; false: can't be told
 * now. */
static bool poll_all(watch *w)
{
    if (w->count > w->polled_cap) {
        struct pollfd *polled = realloc(w->polled, w->count * sizeof *polled);
        if (!polled)
            return false;
        w->polled = polled;
        w->polled_cap = w->count;
    }
    size_t n = 0;
    for (watch_connection *c = w->first; c; c = c->next)
        w->polled[n++] = (struct pollfd){.fd = c->fd, .events = POLLRDHUP};
    return poll(w->polled, n, 0) >= 0;
}

static void look(watch *w)
{
    int64_t now = clock_us();
    bool polled = poll_all(w);
    size_t i = 0;
    for (watch_connection *c = w->first; c; c = c->next, i++) {
        bool ended =
            polled && (w->polled[i].revents & POLLRDHUP) && atomic_load(&c->state) != HANDLING;
        /* Twice in a row: the server has had the time to see it by itself. */
        if (ended && c->ended)
            (void)shutdown(c->fd, SHUT_RDWR);
        c->ended = ended;
        end_overdue(w, c, now);
    }
}

static void wait_until(watch *w, int64_t us)
{
    struct timespec until = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
    (void)pthread_cond_timedwait(&w->changed, &w->lock, &until);
}

static void *run(void *ctx)
{
    watch *w = ctx;
    int64_t every = w->limit_us < 4 * LOOK_EVERY_US ? w->limit_us / 4 : LOOK_EVERY_US;
    if (every < LOOK_LEAST_US)
        every = LOOK_LEAST_US;
    (void)pthread_mutex_lock(&w->lock);
    while (!w->stopping) {
        if (!w->first) {
            (void)pthread_cond_wait(&w->changed, &w->lock);
            continue;
        }
        int64_t next = clock_us() + every;
        while (!w->stopping && clock_us() < next)
            wait_until(w, next);
        look(w);
    }
    (void)pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* ---- creation
 * -----------------------------------------------------------------------------------------------
 */

watch *watch_create(int64_t limit_us, bool tls, watch_slow *slow, void *ctx)
{
    watch *w = calloc(1, sizeof *w);
    pthread_condattr_t monotonic;
    if (!w)
        return NULL;
    w->limit_us = limit_us;
    w->tls = tls;
    w->slow = slow;
    w->ctx = ctx;
    (void)pthread_mutex_init(&w->lock,
                             NULL); /* with default attributes neither can fail on Linux */
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    w->started = pthread_create(&w->thread, NULL, run, w) == 0;
    if (w->started)
        return w;
    watch_free(w);
    return NULL;
}

void watch_free(watch *w)
{
    if (!w)
        return;
    (void)pthread_mutex_lock(&w->lock);
    w->stopping = true;
    (void)pthread_cond_signal(&w->changed);
    (void)pthread_mutex_unlock(&w->lock);
    if (w->started)
        (void)pthread_join(w->thread, NULL);
    while (w->first)
        watch_remove(w, w->first);
    (void)pthread_cond_destroy(&w->changed);
    (void)pthread_mutex_destroy(&w->lock);
    free(w->polled);
    free(w);
}

/* ---- connections
 * ---------------------------------------------------------------------------------------------- */

static void name_remote(char out[INET6_ADDRSTRLEN], const struct sockaddr *from)
{
    const void *address = NULL;
    if (from && from->sa_family == AF_INET)
        address = &((const struct sockaddr_in *)(const void *)from)->sin_addr;
    else if (from && from->sa_family == AF_INET6)
        address = &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr;
    if (!address || !inet_ntop(from->sa_family, address, out, INET6_ADDRSTRLEN))
        (void)snprintf(out, INET6_ADDRSTRLEN, "unix");
}

watch_connection *watch_add(watch *w, int fd, const struct sockaddr *from)
{
    watch_connection *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->watch = w;
    c->fd = fd;
    atomic_init(&c->since_us, clock_us());
    name_remote(c->remote, from);
    (void)pthread_mutex_lock(&w->lock);
    w->count++;
    c->next = w->first;
    if (c->next)
        c->next->previous = c;
    else
        (void)pthread_cond_signal(&w->changed);
    w->first = c;
    (void)pthread_mutex_unlock(&w->lock);
    return c;
}

void watch_remove(watch *w, watch_connection *c)
{
    if (!c)
        return;
    (void)pthread_mutex_lock(&w->lock);
    if (c->previous)
        c->previous->next = c->next;
    else
        w->first = c->next;
    if (c->next)
        c->next->previous = c->previous;
    w->count--;
    (void)pthread_mutex_unlock(&w->lock);
    free(c);
}

void watch_reading(watch_connection *c)
{
    atomic_store_explicit(&c->received, 0, memory_order_relaxed);
    atomic_store_explicit(&c->since_us, clock_us(), memory_order_relaxed);
    atomic_store_explicit(&c->state, READING, memory_order_release);
}

void watch_exchange(watch_connection *c, bool known)
{
    atomic_store_explicit(&c->known, known, memory_order_relaxed);
}

void watch_progress(watch_connection *c, size_t bytes)
{
    (void)atomic_fetch_add_explicit(&c->received, bytes, memory_order_relaxed);
}

void watch_handling(watch_connection *c)
{
    atomic_store_explicit(&c->state, HANDLING, memory_order_release);
}

void watch_waiting(watch_connection *c)
{
    atomic_store_explicit(&c->known, false, memory_order_relaxed);
    atomic_store_explicit(&c->since_us, clock_us(), memory_order_relaxed);
    atomic_store_explicit(&c->state, WAITING, memory_order_release);
}

unsigned watch_refused(const watch_connection *c)
{
    return atomic_load(&c->refused);
}

const char *watch_remote(const watch_connection *c)
{
    return c->remote;
}
