/*
 * breaker - leaves a relay alone whose sessions fail again and again.
 *
 * Closed at first: everything may go. After BREAKER_FAILURES failures in a row it opens: nothing
 * may, for a pause. Then one may go, to see (half-open): if that works it closes, else it opens for
 * twice as long, up to the longest pause. What fails while it is open was begun before, and tells
 * nothing new; what works then closes it.
 *
 * Pure: the time (clock_us()'s) and the jitter (0 to 1) are passed in. Threads: one at a time.
 */
#ifndef POSTERN_QUEUE_BREAKER_H
#define POSTERN_QUEUE_BREAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp/sender.h"

#define BREAKER_FAILURES 5
#define BREAKER_FIRST_US ((int64_t)5 * 1000000)
#define BREAKER_MOST_US  ((int64_t)300 * 1000000)

typedef struct breaker { /* one of zeros is closed */
    unsigned failures;   /* in a row */
    int64_t pause_us;    /* the present one, without jitter; 0: closed */
    int64_t until;       /* when one may go, to see */
    bool probing;        /* it has gone, and its end is not known */
} breaker;

typedef struct breaker_pauses {
    int64_t first_us, most_us;
} breaker_pauses;

static inline bool breaker_is_open(const breaker *b)
{
    return b->pause_us > 0;
}

/* Would breaker_go() say yes? */
bool breaker_may(const breaker *b, int64_t now);

/* May one go? If it has to show whether the relay works again, then its end must be told with one
 * of those below, and *probe is true. */
bool breaker_go(breaker *b, int64_t now, bool *probe);

/* What may not go now had better wait until then. */
int64_t breaker_until(const breaker *b, int64_t now);

void breaker_worked(breaker *b);
void breaker_failed(breaker *b, bool probe, int64_t now, breaker_pauses pauses, double jitter);
void breaker_told_nothing(breaker *b, bool probe); /* it was not the relay that ended it */

/* One of these, by what came of a transaction (NULL: memory ran out). A session that can't be
 * opened, or is silent from the first command, is a failure; any reply to MAIL or later is none. */
void breaker_judge(breaker *b, const smtp_result *r, bool probe, int64_t now, breaker_pauses pauses,
                   double jitter);

/* ---- those of all relays that were seen, by name; one of zeros is empty ---- */

typedef struct breakers {
    struct breakers_item {
        char *name;
        breaker breaker;
    } * items;
    size_t count;
    breaker_pauses pauses;
} breakers;

void breakers_clear(breakers *all);

/* Valid until the next call. NULL: there is no memory to keep one, and the relay is never left
 * alone. */
breaker *breakers_of(breakers *all, const char *name);

typedef enum breakers_state {
    BREAKERS_CLOSED,   /* one is, at least, or there is none yet */
    BREAKERS_TO_PROBE, /* one may go, to see */
    BREAKERS_OPEN      /* nothing may */
} breakers_state;

/* *until: when the first of those that are open may be probed; INT64_MAX: that is not known. */
breakers_state breakers_look(const breakers *all, int64_t now, int64_t *until);
unsigned breakers_open(const breakers *all);

#endif
