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

static void put(park_list *list, park_place *place)
{
    place->list = list;
    place->next = NULL;
    place->previous = list->last;
    if (list->last)
        list->last->next = place;
    else
        list->first = place;
    list->last = place;
}

static void take_out(park_list *list, park_place *place)
{
    if (place->previous)
        place->previous->next = place->next;
    else
        list->first = place->next;
    if (place->next)
        place->next->previous = place->previous;
    else
        list->last = place->previous;
    place->list = NULL;
}

void park_remove(park_place *place, int epoll)
{
    if (!place->park)
        return;
    if (place->list)
        take_out(place->list, place);
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
    if (!place->park || place->list || place->told || place->sends_ahead)
        return;
    place->until_us = now_us + PARK_US;
    place->late = false;
    put(&place->park->parked, place);
    MHD_suspend_connection(place->connection);
}

static void send_off(park_place *place)
{
    take_out(&place->park->parked, place);
    put(&place->park->going, place);
}

void park_signalled(park_place *place)
{
    place->late = false;
    if (!place->list)
        place->told = true;
    else if (place->list == &place->park->parked)
        send_off(place);
}

int64_t park_due(const park *p)
{
    return p->parked.first ? p->parked.first->until_us : INT64_MAX;
}

void park_leave(park *p, int64_t now_us)
{
    while (p->parked.first && p->parked.first->until_us <= now_us) {
        p->parked.first->late = true;
        send_off(p->parked.first);
    }
}

bool park_go(park *p, uint64_t turn)
{
    bool any = p->going.first != NULL;
    for (park_place *place; (place = p->going.first);) {
        take_out(&p->going, place);
        if (place->late)
            place->left = turn;
        MHD_resume_connection(place->connection);
    }
    return any;
}
