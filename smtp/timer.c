#include "smtp/timer.h"

static smtp_timer *merge(smtp_timer *a, smtp_timer *b)
{
    if (!a || !b)
        return a ? a : b;
    if (b->at < a->at) {
        smtp_timer *swap = a;
        a = b;
        b = swap;
    }
    b->prev = a;
    b->next = a->child;
    if (a->child)
        a->child->prev = b;
    a->child = b;
    a->next = NULL;
    a->prev = NULL;
    return a;
}

/* Merges siblings two by two, then the pairs from the last to the first. */
static smtp_timer *merge_siblings(smtp_timer *first)
{
    smtp_timer *pairs = NULL; /* linked by `next` */
    smtp_timer *all = NULL;

    while (first) {
        smtp_timer *a = first;
        smtp_timer *b = a->next;
        first = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        a = merge(a, b);
        a->next = pairs;
        pairs = a;
    }
    while (pairs) {
        smtp_timer *next = pairs->next;
        pairs->next = NULL;
        all = merge(all, pairs);
        pairs = next;
    }
    return all;
}

void smtp_timer_stop(smtp_timers *h, smtp_timer *t)
{
    if (!t->set)
        return;
    smtp_timer *below = merge_siblings(t->child);
    if (t == h->first) {
        h->first = below;
    } else {
        if (t->prev->child == t)
            t->prev->child = t->next;
        else
            t->prev->next = t->next;
        if (t->next)
            t->next->prev = t->prev;
        h->first = merge(h->first, below);
    }
    t->child = t->next = t->prev = NULL;
    t->set = false;
}

void smtp_timer_set(smtp_timers *h, smtp_timer *t, int64_t at)
{
    smtp_timer_stop(h, t);
    t->at = at;
    t->set = true;
    t->child = t->next = t->prev = NULL;
    h->first = merge(h->first, t);
}

void smtp_timers_run(smtp_timers *h, int64_t now)
{
    while (h->first && h->first->at <= now) {
        smtp_timer *t = h->first;
        smtp_timer_stop(h, t);
        t->fire(t);
    }
}
