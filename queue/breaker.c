#include "queue/breaker.h"

#include <stdlib.h>
#include <string.h>

#define BREAKERS_MOST 256 /* relays come from the configuration */
/* What finds too much under way to a relay comes back after so long. */
#define FULL_US INT64_C(1000000)

bool breaker_may(const breaker *b, int64_t now)
{
    bool room = b->window == 0 || b->under_way < b->window;
    return breaker_is_open(b) ? !b->probing && now >= b->until : room;
}

bool breaker_go(breaker *b, int64_t now, bool *probe)
{
    *probe = false;
    if (!breaker_may(b, now))
        return false;
    *probe = b->probing = breaker_is_open(b);
    b->under_way++;
    return true;
}

int64_t breaker_until(const breaker *b, int64_t now)
{
    if (!breaker_is_open(b))
        return breaker_may(b, now) ? now : now + FULL_US;
    return b->probing || b->until < now ? now + b->pause_us : b->until;
}

static void ended(breaker *b, bool probe)
{
    if (b->under_way > 0)
        b->under_way--;
    if (probe)
        b->probing = false;
}

void breaker_worked(breaker *b)
{
    unsigned under_way = b->under_way > 0 ? b->under_way - 1 : 0;
    unsigned window = b->window > 0 ? b->window + 1 : 0;
    *b = (breaker){.under_way = under_way, .window = window, .halved_at = b->halved_at};
}

void breaker_failed(breaker *b, const breaker_went *w, breaker_pauses pauses, double jitter)
{
    ended(b, w->probe);
    if ((breaker_is_open(b) && !w->probe) || (b->failures > 0 && w->begun < b->failed_at))
        return;
    b->failed_at = w->now;
    b->failures++;
    if (!w->probe && b->failures < BREAKER_FAILURES)
        return;
    b->pause_us = w->probe ? b->pause_us * 2 : pauses.first_us;
    if (b->pause_us > pauses.most_us)
        b->pause_us = pauses.most_us;
    b->until = w->now + b->pause_us + (int64_t)((double)b->pause_us * 0.2 * jitter);
}

void breaker_told_nothing(breaker *b, bool probe)
{
    ended(b, probe);
}

void breaker_waited(breaker *b, const breaker_went *w)
{
    bool narrow = b->window > 0 && b->window < b->under_way;
    unsigned half = (narrow ? b->window : b->under_way) / 2;
    ended(b, w->probe);
    /* Those that went together wait in vain together: the first has halved it for all. */
    if (b->window > 0 && w->begun < b->halved_at)
        return;
    b->halved_at = w->now;
    b->window = half > BREAKER_WINDOW ? half : BREAKER_WINDOW;
}

bool breaker_is_vain(const smtp_result *r)
{
    return r->outcome == SMTP_NOT_SENT && r->fault.stage == SMTP_STAGE_NONE &&
           r->fault.blame != SMTP_BLAME_MESSAGE;
}

static bool is_sessions_fault(const smtp_result *r)
{
    const smtp_fault *f = &r->fault;
    if (r->outcome != SMTP_NOT_SENT || f->category == SMTP_CATEGORY_NONE)
        return false;
    bool silent =
        f->stage == SMTP_STAGE_MAIL && r->reply.code == 0 && f->category == SMTP_CATEGORY_NETWORK;
    return silent || (f->stage >= SMTP_STAGE_RESOLVE && f->stage <= SMTP_STAGE_AUTH);
}

void breaker_judge(breaker *b, const smtp_result *r, const breaker_went *w, breaker_pauses pauses,
                   double jitter)
{
    if (r && breaker_is_vain(r) && r->fault.blame == SMTP_BLAME_TIMEOUT)
        breaker_waited(b, w);
    else if (!r || (r->outcome == SMTP_NOT_SENT && r->fault.stage == SMTP_STAGE_NONE))
        breaker_told_nothing(b, w->probe);
    else if (is_sessions_fault(r))
        breaker_failed(b, w, pauses, jitter);
    else
        breaker_worked(b);
}

void breakers_clear(breakers *all)
{
    for (size_t i = 0; i < all->count; i++)
        free(all->items[i].name);
    free(all->items);
    all->items = NULL;
    all->count = 0;
}

breaker *breakers_of(breakers *all, const char *name)
{
    for (size_t i = 0; i < all->count; i++) {
        if (strcmp(all->items[i].name, name) == 0)
            return &all->items[i].breaker;
    }
    if (all->count == BREAKERS_MOST)
        return NULL;
    struct breakers_item *items = realloc(all->items, (all->count + 1) * sizeof *items);
    if (!items)
        return NULL;
    all->items = items;
    items[all->count] = (struct breakers_item){.name = strdup(name)};
    return items[all->count].name ? &items[all->count++].breaker : NULL;
}

breakers_state breakers_look(const breakers *all, int64_t now, int64_t *until)
{
    breakers_state state = all->count == 0 ? BREAKERS_CLOSED : BREAKERS_OPEN;
    *until = INT64_MAX;
    for (size_t i = 0; i < all->count; i++) {
        const breaker *b = &all->items[i].breaker;
        if (!breaker_is_open(b))
            state = BREAKERS_CLOSED;
        else if (breaker_may(b, now) && state == BREAKERS_OPEN)
            state = BREAKERS_TO_PROBE;
        else if (!b->probing && b->until < *until)
            *until = b->until;
    }
    return state;
}

unsigned breakers_open(const breakers *all)
{
    unsigned n = 0;
    for (size_t i = 0; i < all->count; i++)
        n += breaker_is_open(&all->items[i].breaker);
    return n;
}
