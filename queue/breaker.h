/*
 * breaker - leaves a relay alone whose sessions fail again and again.
 *
 * Closed at first: everything may go. After BREAKER_FAILURES failures in a row it opens: nothing
 * may, for a pause. What was begun before the last failure was known is a part of that one, since a
 * connection that can't be made fails all who wait for it. Then one may go, to see (half-open): if
 * that works it closes, else it opens for twice as long, up to the longest pause. What fails while
 * it is open was begun before, and tells nothing new; what works then closes it.
 *
 * Where the sender could not give a mail a session in time, too much was handed to it: then only
 * half of what was under way to the relay may be at once, and one more for each that works.
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
#define BREAKER_WINDOW   8 /* never less under way */
#define BREAKER_FIRST_US ((int64_t)5 * 1000000)
#define BREAKER_MOST_US  ((int64_t)300 * 1000000)

typedef struct breaker { /* one of zeros is closed */
    unsigned failures;   /* in a row */
    int64_t pause_us;    /* the present one, without jitter; 0: closed */
    int64_t until;       /* when one may go, to see */
    bool probing;        /* it has gone, and its end is not known */
    int64_t failed_at;   /* the last of the failures was known */
    unsigned under_way;  /* went, and its end is not known */
    unsigned window;     /* of these at once; 0: no limit */
    int64_t halved_at;
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

/* What came of one that went. */
typedef struct breaker_went {
    bool probe;    /* it was to show whether the relay works again */
    int64_t begun; /* when it went */
    int64_t now;
} breaker_went;

/* May one go? If so its end must be told with one of those below. */
bool breaker_go(breaker *b, int64_t now, bool *probe);

/* What may not go now had better wait until then. */
int64_t breaker_until(const breaker *b, int64_t now);

void breaker_worked(breaker *b);
void breaker_failed(breaker *b, const breaker_went *w, breaker_pauses pauses, double jitter);
void breaker_told_nothing(breaker *b, bool probe);      /* it was not the relay that ended it */
void breaker_waited(breaker *b, const breaker_went *w); /* in vain, for a session */

/* True: the mail got no session in time, and nothing was said to the relay for it. */
bool breaker_is_vain(const smtp_result *r);

/* One of these, by what came of a transaction (NULL: memory ran out). A session that can't be
 * opened, or is silent from the first command, is a failure; any reply to MAIL or later is none. */
void breaker_judge(breaker *b, const smtp_result *r, const breaker_went *w, breaker_pauses pauses,
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
