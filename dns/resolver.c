#include "dns/resolver.h"

#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/time.h>

#include <ares.h>
#include <arpa/nameser.h>

#include "base/clock.h"
#include "dns/answer.h"

#define TRY_MS   2000 /* of the first try; c-ares doubles it */
#define TRY_US   INT64_C(2000000)
#define TRIES    3
#define DATAGRAM 1232 /* octets that need no fragments anywhere */

struct dns_resolver {
    ares_channel channel;
    int status; /* of the last call */
    bool done;
    dns_type type; /* of the question */
    buf *out;
    uint32_t ttl;
    dns_cache *cache; /* NULL: none */
    int64_t until;
};

dns_resolver *dns_create(const char *servers)
{
    struct ares_options options = {
        .flags = ARES_FLAG_EDNS, .timeout = TRY_MS, .tries = TRIES, .ednspsz = DATAGRAM};
    int given = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ;
    dns_resolver *r = NULL;

    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
        return NULL;
    r = calloc(1, sizeof *r);
    if (!r || ares_init_options(&r->channel, &options, given) != ARES_SUCCESS) {
        free(r);
        ares_library_cleanup();
        return NULL;
    }
    r->until = INT64_MAX;
    if (servers && ares_set_servers_ports_csv(r->channel, servers) != ARES_SUCCESS) {
        dns_free(r);
        return NULL;
    }
    return r;
}

void dns_free(dns_resolver *r)
{
    if (!r)
        return;
    ares_destroy(r->channel);
    free(r);
    ares_library_cleanup();
}

void dns_use_cache(dns_resolver *r, dns_cache *cache)
{
    r->cache = cache;
}

void dns_limit(dns_resolver *r, int64_t until_us)
{
    r->until = until_us;
}

const char *dns_why(const dns_resolver *r)
{
    return ares_strerror(r->status);
}

static void answered(void *ctx, int status, int timeouts, unsigned char *data, int len)
{
    dns_resolver *r = ctx;

    (void)timeouts;
    r->done = true;
    r->status = status;
    r->ttl = 0;
    /* That there is no such record comes with how long that holds. */
    bool said = status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND;
    if (!said || !data || len <= 0)
        return;
    size_t before = r->out->len;
    bool ok = dns_answer_read(data, (size_t)len, r->type, r->out, &r->ttl);
    if (status == ARES_SUCCESS && !ok)
        r->status = ARES_EBADRESP;
    else if (status == ARES_SUCCESS && r->out->len == before)
        r->status = ARES_ENODATA;
    if (status != ARES_SUCCESS)
        r->out->len = before;
}

/* Of the mask of ares_getsock(): its macros shift a one into the sign. */
static bool wanted(int mask, int bit)
{
    return (unsigned)mask >> bit & 1;
}

/* Waits for what c-ares waits for, and lets it go on. */
static void turn(dns_resolver *r)
{
    ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
    struct pollfd list[ARES_GETSOCK_MAXNUM];
    nfds_t count = 0;
    int64_t rest = r->until - clock_us();
    suseconds_t us = rest <= 0 ? 0 : rest < TRY_US ? (suseconds_t)rest : TRY_US;
    struct timeval most = {us / 1000000, us % 1000000}, left;
    int mask = ares_getsock(r->channel, sockets, ARES_GETSOCK_MAXNUM);

    for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
        bool in = wanted(mask, i), out = wanted(mask, i + ARES_GETSOCK_MAXNUM);
        if (in || out)
            list[count++] =
                (struct pollfd){sockets[i], (short)((in ? POLLIN : 0) | (out ? POLLOUT : 0)), 0};
    }
    const struct timeval *wait = ares_timeout(r->channel, &most, &left);
    int ready = poll(list, count, (int)(wait->tv_sec * 1000 + wait->tv_usec / 1000 + 1));
    for (nfds_t i = 0; ready > 0 && i < count; i++) {
        bool in = list[i].revents & (POLLIN | POLLERR | POLLHUP), out = list[i].revents & POLLOUT;
        ares_process_fd(r->channel, in ? list[i].fd : ARES_SOCKET_BAD,
                        out ? list[i].fd : ARES_SOCKET_BAD);
    }
    if (ready <= 0)
        ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static dns_result result_of(int status)
{
    switch (status) {
    case ARES_SUCCESS: return DNS_FOUND;
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
    case ARES_EBADNAME: return DNS_NONE;
    default: return DNS_FAILED;
    }
}

dns_result dns_ask(void *ctx, dns_type type, const char *name, buf *out)
{
    dns_resolver *r = ctx;
    dns_result result = DNS_FAILED;
    size_t before = out->len;

    r->status = ARES_SUCCESS;
    if (r->cache && dns_cache_find(r->cache, type, name, clock_us(), &result, out))
        return buf_ok(out) ? result : DNS_FAILED;
    r->done = false;
    r->out = out;
    r->type = type;
    if (clock_us() < r->until)
        ares_query(r->channel, name, ns_c_in, dns_type_number(type), answered, r);
    else
        r->status = ARES_ETIMEOUT;
    while (!r->done && clock_us() < r->until)
        turn(r);
    if (!r->done) {
        ares_cancel(r->channel); /* which says that it is done */
        r->status = ARES_ETIMEOUT;
    }
    result = buf_ok(out) ? result_of(r->status) : DNS_FAILED;
    if (result == DNS_FAILED)
        out->len = before;
    else if (r->cache)
        dns_cache_keep(r->cache, type, name, clock_us(), r->ttl, result,
                       out->data ? out->data + before : "", out->len - before);
    return result;
}
