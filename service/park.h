/*
 * park - where a thread's connections are between two requests that follow closely on each other.
 *
 * When a request is answered, libmicrohttpd asks the client for the next one at once, mostly finds
 * nothing, has its epoll watch the socket, and takes it out again when the next request is
 * suspended: three system calls for each mail. A parked connection is suspended instead. Its socket
 * is watched by the thread's own epoll, in which it is, edge-triggered, for as long as it lives.
 *
 * It goes back to the daemon when something comes, and else after PARK_US, for three reasons: it is
 * in no hurry then; what a client sent ahead of its answer lies in the daemon's memory, where no
 * epoll sees it (that happens once: such a connection is not parked again); and the daemon walks
 * over all that are suspended each time that one goes on.
 *
 * Not for TLS, where the library may hold what no socket tells of.
 *
 * Memory: a place is a part of whatever its owner keeps of a connection.
 * Threads: all of it belongs to the daemon's one thread.
 */
#ifndef POSTERN_SERVICE_PARK_H
#define POSTERN_SERVICE_PARK_H

#include <stdbool.h>
#include <stdint.h>

#include <microhttpd.h>

#define PARK_US INT64_C(5000)

typedef struct park_place park_place;

typedef struct park_list {
    park_place *first, *last;
} park_list;

/* All that are parked, those first that came first; and those that are to go. Zeros are an empty
 * one. */
typedef struct park {
    park_list parked, going;
} park;

/* A connection's. */
struct park_place {
    park *park;      /* NULL: its socket is not watched, and it is never parked */
    park_list *list; /* that it is in; NULL: none */
    park_place *previous, *next;
    struct MHD_Connection *connection;
    int fd;
    bool told;        /* of something that came since park_taken(), while it was in no list */
    bool late;        /* its time was over, and nothing has come yet */
    bool sends_ahead; /* its client does: it is not parked any more */
    uint64_t left;    /* the turn in which it went, late; 0: none */
    int64_t until_us; /* parked */
};

/* A new connection. Its events in the epoll have the place as data.ptr. Where it can't be watched
 * it is just never parked. */
void park_add(park *p, park_place *place, int epoll, struct MHD_Connection *connection, int fd);

/* The connection is about to be closed. */
void park_remove(park_place *place, int epoll);

/* The daemon has read what came: a whole request. */
void park_taken(park_place *place);

/* A request's first line came, in this turn of the thread's: 1 and up. */
void park_asked(park_place *place, uint64_t turn);

/* Its answer is sent. Only in the daemon's callback for that, and not if the connection closes. */
void park_enter(park_place *place, int64_t now_us);

/* The epoll told of the socket: the connection is to go, if it was parked. */
void park_signalled(park_place *place);

/* When the time of the first is over; INT64_MAX: none is parked. */
int64_t park_due(const park *p);

/* Those whose time is over are to go; all: INT64_MAX. */
void park_leave(park *p, int64_t now_us);

/* Gives back, in this turn, those that are to go; true if there were any: the daemon must be run.
 */
bool park_go(park *p, uint64_t turn);

#endif
