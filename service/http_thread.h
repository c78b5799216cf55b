/*
 * http_thread - one thread of the server: a libmicrohttpd daemon of its own on the listening socket
 * that all threads share, the watch over its connections, where these are parked, a loop of the
 * sender where it is hosted, and the loop that runs them all: most mails then come and go on one
 * thread.
 *
 * libmicrohttpd's own threads are not used, for three reasons found in 0.9.75. When exactly 128
 * events (or a multiple) are there at once, its loop waits for more before it handles any of them,
 * for as long as a connection may be idle; a loop outside has it look without waiting. Quiescing a
 * pool of threads can abort the program; quiescing a daemon in its own thread can't. And answers
 * that come from another thread wake it once for all that have come, not once each.
 */
#ifndef POSTERN_SERVICE_HTTP_THREAD_H
#define POSTERN_SERVICE_HTTP_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include <microhttpd.h>

#include "service/watch.h"
#include "smtp/sender.h"

typedef struct http_thread http_thread;

typedef struct http_thread_options {
    int listen_fd;    /* stays the caller's, and open until the threads are stopped */
    const char *cert; /* PEM; NULL: no TLS */
    const char *key;  /* PEM */
    unsigned limit;   /* connections */
    int64_t slow_us;  /* the watch's limit */
    watch_slow *slow; /* ctx: `ctx` */
    void *ctx;
    MHD_AccessHandlerCallback access;       /* cls: the http_thread */
    MHD_RequestCompletedCallback completed; /* cls: the http_thread */
    void (*log)(void *ctx, const char *format, va_list args);
    void (*before_wait)(void *ctx); /* each time there is no more to do */
    smtp_sender *sender;            /* a hosted one, of which the thread runs a loop; NULL: none */
    unsigned loop;
} http_thread_options;

/* A suspended connection on its way back to its thread; a member of whatever waits for it. */
typedef struct http_resumption {
    struct http_resumption *next;
    struct MHD_Connection *connection;
} http_resumption;

http_thread *http_thread_start(const http_thread_options *options); /* NULL: it can't be done */

void *http_thread_context(const http_thread *t);
watch_connection *http_thread_watched(struct MHD_Connection *connection); /* NULL: no memory */

/* Of a connection whose access handler is running: it is not called again, and nothing is read,
 * until http_thread_resume(). When it is called again, it calls http_thread_resumed() first; and so
 * does the callback for a completed request where that comes instead. */
void http_thread_suspend(http_thread *t, struct MHD_Connection *connection);
void http_thread_resumed(http_thread *t, struct MHD_Connection *connection);

/* In the callback for a completed request that was read to its end and suspended, and whose
 * connection stays: the next one is waited for aside (park.h). */
void http_thread_park(http_thread *t, struct MHD_Connection *connection, int64_t now_us);

/* Lets a connection that is suspended, or about to be in this very callback, go on. Any thread;
 * `r` is the thread's until the connection's access handler is called. */
void http_thread_resume(http_thread *t, http_resumption *r);

/* From any thread: no connection is accepted from now on, or a moment later. */
void http_thread_quiesce(http_thread *t);

/* Closes what is left and frees. No connection may be suspended. NULL is nothing. */
void http_thread_stop(http_thread *t);

#endif
