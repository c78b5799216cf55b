#include "dns/resolver.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include <ares.h>
#include <arpa/nameser.h>

#define TRY_MS 2000 /* of the first try; c-ares doubles it */
#define TRIES  3

struct dns_resolver {
    ares_channel channel;
    int status; /* of the last call */
    bool done;
    buf *out;
};

dns_resolver *dns_create(const char *servers)
{
    struct ares_options options = {.timeout = TRY_MS, .tries = TRIES};
    dns_resolver *r = NULL;

    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
        return NULL;
    r = calloc(1, sizeof *r);
    if (!r || ares_init_options(&r->channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES) !=
                  ARES_SUCCESS) {
        free(r);
        ares_library_cleanup();
        return NULL;
    }
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

const char *dns_why(const dns_resolver *r)
{
    return ares_strerror(r->status);
}

/* The records' strings: one record is what lies between two that begin one. */
static void add_records(const struct ares_txt_ext *list, buf *out)
{
    size_t start = out->len;
    bool whole = true;

    for (const struct ares_txt_ext *t = list; t; t = t->next) {
        if (t->record_start) {
            start = out->len;
            whole = true;
        }
        whole = whole && !memchr(t->txt, '\0', t->length);
        buf_add(out, t->txt, t->length);
        bool last = !t->next || t->next->record_start;
        if (last && whole)
            buf_addc(out, '\0');
        else if (last)
            out->len = start;
    }
}

static void answered(void *ctx, int status, int timeouts, unsigned char *data, int len)
{
    dns_resolver *r = ctx;
    struct ares_txt_ext *list = NULL;

    (void)timeouts;
    r->done = true;
    r->status = status == ARES_SUCCESS ? ares_parse_txt_reply_ext(data, len, &list) : status;
    if (r->status == ARES_SUCCESS)
        add_records(list, r->out);
    if (list)
        ares_free_data(list);
}

/* Waits for what c-ares waits for, and lets it go on. */
static void turn(dns_resolver *r)
{
    ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
    struct pollfd list[ARES_GETSOCK_MAXNUM];
    nfds_t count = 0;
    struct timeval most = {.tv_sec = TRY_MS / 1000}, left;
    int mask = ares_getsock(r->channel, sockets, ARES_GETSOCK_MAXNUM);

    for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
        bool in = ARES_GETSOCK_READABLE(mask, i), out = ARES_GETSOCK_WRITABLE(mask, i);
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

dns_result dns_txt(dns_resolver *r, const char *name, buf *out)
{
    r->done = false;
    r->out = out;
    ares_query(r->channel, name, ns_c_in, ns_t_txt, answered, r);
    while (!r->done)
        turn(r);
    switch (r->status) {
    case ARES_SUCCESS: return buf_ok(out) && out->len > 0 ? DNS_FOUND : DNS_NONE;
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
    case ARES_EBADNAME: return DNS_NONE;
    default: return DNS_FAILED;
    }
}
