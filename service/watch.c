#include "service/watch.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    watch_state state;
    int64_t since_us; /* when the state began */
    size_t received;
    bool known;       /* an exchange of the service tells of this request */
    bool ended;       /* at the last look the client had closed its side */
    unsigned refused; /* the status that was written beside the server */
    char remote[INET6_ADDRSTRLEN];
};

struct watch {
    int64_t limit_us;
    int64_t every_us; /* between looks */
    int64_t next_us;  /* the next look */
    bool tls;
    watch_slow *slow;
    void *ctx;
    watch_connection *first;
    size_t count;
    size_t reading;        /* how many are in that state */
    struct pollfd *polled; /* room for `polled_cap` connections, kept between looks */
    size_t polled_cap;
};

/* ---- the socket, beside the server ---- */

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
    c->refused = status;
    if (!c->watch->tls)
        write_refusal(c->fd, which);
    /* Reading ends now. What the client still sends is dropped by the kernel without a reset that
     * would take the answer from it, until the server closes. */
    (void)shutdown(c->fd, c->watch->tls ? SHUT_RDWR : SHUT_RD);
}

/* ---- looking ---- */

/* How long the state may last; INT64_MAX: as long as it wants. */
static int64_t allowed_us(const watch_connection *c)
{
    switch (c->state) {
    case FRESH: return c->watch->limit_us;
    case WAITING: return IDLE_US;
    case READING: return c->watch->limit_us + (int64_t)(c->received / BYTES_PER_SECOND) * 1000000;
    case HANDLING: break;
    }
    return INT64_MAX;
}

static void end_overdue(watch *w, watch_connection *c, int64_t now)
{
    if (c->refused || now - c->since_us <= allowed_us(c))
        return;
    if (c->state != READING) {
        (void)shutdown(c->fd, SHUT_RDWR);
        return;
    }
    if (!c->known)
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

static void look(watch *w, int64_t now)
{
    bool polled = poll_all(w);
    size_t i = 0;
    for (watch_connection *c = w->first; c; c = c->next, i++) {
        bool ended = polled && (w->polled[i].revents & POLLRDHUP) && c->state != HANDLING;
        /* Twice in a row: the server has had the time to see it by itself. */
        if (ended && c->ended)
            (void)shutdown(c->fd, SHUT_RDWR);
        c->ended = ended;
        end_overdue(w, c, now);
    }
}

int64_t watch_look(watch *w, int64_t now_us)
{
    if (!w->first)
        return INT64_MAX;
    if (now_us >= w->next_us) {
        look(w, now_us);
        w->next_us = now_us + w->every_us;
    }
    return w->next_us;
}

/* ---- creation ---- */

watch *watch_create(int64_t limit_us, bool tls, watch_slow *slow, void *ctx)
{
    watch *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->limit_us = limit_us;
    w->every_us = limit_us < 4 * LOOK_EVERY_US ? limit_us / 4 : LOOK_EVERY_US;
    if (w->every_us < LOOK_LEAST_US)
        w->every_us = LOOK_LEAST_US;
    w->tls = tls;
    w->slow = slow;
    w->ctx = ctx;
    return w;
}

void watch_free(watch *w)
{
    if (!w)
        return;
    for (watch_connection *c = w->first, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(w->polled);
    free(w);
}

/* ---- connections ---- */

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
    c->since_us = clock_us();
    name_remote(c->remote, from);
    w->count++;
    c->next = w->first;
    if (c->next)
        c->next->previous = c;
    else
        w->next_us = c->since_us + w->every_us;
    w->first = c;
    return c;
}

static void set_state(watch_connection *c, watch_state state)
{
    c->watch->reading += state == READING;
    c->watch->reading -= c->state == READING;
    c->state = state;
}

void watch_remove(watch *w, watch_connection *c)
{
    if (!c)
        return;
    set_state(c, WAITING);
    if (c->previous)
        c->previous->next = c->next;
    else
        w->first = c->next;
    if (c->next)
        c->next->previous = c->previous;
    w->count--;
    free(c);
}

void watch_reading(watch_connection *c)
{
    c->received = 0;
    c->since_us = clock_us();
    set_state(c, READING);
}

void watch_exchange(watch_connection *c)
{
    c->known = true;
}

void watch_progress(watch_connection *c, size_t bytes)
{
    c->received += bytes;
}

void watch_handling(watch_connection *c)
{
    set_state(c, HANDLING);
}

void watch_waiting(watch_connection *c)
{
    c->known = false;
    c->since_us = clock_us();
    set_state(c, WAITING);
}

bool watch_is_reading(const watch *w)
{
    return w->reading > 0;
}

unsigned watch_refused(const watch_connection *c)
{
    return c->refused;
}

const char *watch_remote(const watch_connection *c)
{
    return c->remote;
}
