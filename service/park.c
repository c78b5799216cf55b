#include "service/park.h"

#include <sys/epoll.h>

void park_add(park *p, park_place *place, int epoll, struct MHD_Connection *connection, int fd)
{
    struct epoll_event event = {.events = (uint32_t)EPOLLIN | EPOLLRDHUP | (uint32_t)EPOLLET,
                                .data.ptr = place};
    *place = (park_place){.connection = connection, .fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0)
        place->park = p;
}

static void take_out(park_place *place)
{
    park *p = place->park;
    if (place->previous)
        place->previous->next = place->next;
    else
        p->first = place->next;
    if (place->next)
        place->next->previous = place->previous;
    else
        p->last = place->previous;
    place->parked = false;
}

void park_remove(park_place *place, int epoll)
{
    if (!place->park)
        return;
    if (place->parked)
        take_out(place);
    (void)epoll_ctl(epoll, EPOLL_CTL_DEL, place->fd, NULL);
    place->park = NULL;
}

void park_taken(park_place *place)
{
    place->told = false;
}

/* Nothing was told of it, else it would have left before: it lay in the daemon's memory. */
void park_asked(park_place *place, uint64_t turn)
{
    if (place->left == turn)
        place->sends_ahead = true;
}

void park_enter(park_place *place, int64_t now_us)
{
    park *p = place->park;
    if (!p || place->parked || place->told || place->sends_ahead)
        return;
    place->parked = true;
    place->until_us = now_us + PARK_US;
    place->next = NULL;
    place->previous = p->last;
    if (p->last)
        p->last->next = place;
    else
        p->first = place;
    p->last = place;
    MHD_suspend_connection(place->connection);
}

static void leave(park_place *place)
{
    take_out(place);
    MHD_resume_connection(place->connection);
}

bool park_signalled(park_place *place)
{
    if (place->parked) {
        leave(place);
        return true;
    }
    place->told = true;
    return false;
}

int64_t park_due(const park *p)
{
    return p->first ? p->first->until_us : INT64_MAX;
}

bool park_leave(park *p, int64_t now_us, uint64_t turn)
{
    bool any = false;
    for (; p->first && p->first->until_us <= now_us; any = true) {
        p->first->left = turn;
        leave(p->first);
    }
    return any;
}
