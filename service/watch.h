/*
 * watch - time limits on slow clients, and a mend for missed ends.
 *
 * libmicrohttpd closes a connection on which nothing moves; it does not mind one that brings a byte
 * now and then for ever. The watch does: a request must have come `limit` after its first line, and
 * a second later for each 16 KiB of body; the first line itself `limit` after the connection. One
 * that hasn't is told 408, where that can be written beside the server (not under TLS, and not
 * before a first line, where the connection is just closed), and its socket is shut down.
 *
 * And a client that went away in the middle of a request: with edge-triggered epoll libmicrohttpd
 * 0.9.75 misses the end of a stream that arrived together with the last bytes, and would keep the
 * connection until it times out. The watch sees the end and shuts such sockets down.
 *
 * Threads: a watch and its connections belong to the one thread that serves them.
 */
#ifndef POSTERN_SERVICE_WATCH_H
#define POSTERN_SERVICE_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

typedef struct watch watch;
typedef struct watch_connection watch_connection;

/* Called when a connection is cut before its request's head was whole, so that no exchange can tell
 * of it. */
typedef void watch_slow(void *ctx, const char *remote);

watch *watch_create(int64_t limit_us, bool tls, watch_slow *slow, void *ctx); /* NULL: no memory */
void watch_free(watch *w);

/* Looks at every connection if it is time to. Returns when the next look is due, by clock_us();
 * INT64_MAX while there are no connections. */
int64_t watch_look(watch *w, int64_t now_us);

watch_connection *watch_add(watch *w, int fd, const struct sockaddr *from); /* NULL: no memory */
void watch_remove(watch *w, watch_connection *c);                           /* c may be NULL */

/* A request's way: its first line came; it is known to the service; body bytes came; it is whole;
 * it is done. */
void watch_reading(watch_connection *c);
void watch_exchange(watch_connection *c);
void watch_progress(watch_connection *c, size_t bytes);
void watch_handling(watch_connection *c);
void watch_waiting(watch_connection *c);

/* Whether some request has begun to come and isn't whole. */
bool watch_is_reading(const watch *w);

/* Answers a request that is still coming with a problem (408, 413), written to the socket beside
 * the server, and shuts the connection down. */
void watch_refuse(watch_connection *c, unsigned status);

/* The status that was written so; 0: none. */
unsigned watch_refused(const watch_connection *c);

/* The client's address, without its port; "unix" for a unix socket. */
const char *watch_remote(const watch_connection *c);

#endif
