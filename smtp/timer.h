/*
 * timer - deadlines in a pairing heap that lives in the timers themselves.
 *
 * A timer is a member of what it watches over; setting, moving and stopping it allocates nothing
 * and can't fail. Setting costs O(1), stopping and firing O(log n) amortised.
 *
 * Threads: none of its own; a loop's timers belong to its thread.
 */
#ifndef POSTERN_SMTP_TIMER_H
#define POSTERN_SMTP_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct smtp_timer {
    int64_t at;                        /* on clock_us()'s scale */
    void (*fire)(struct smtp_timer *); /* called once; the timer is stopped by then */
    bool set;
    struct smtp_timer *child, *next;
    struct smtp_timer *prev; /* the elder sibling, or the parent of the eldest */
} smtp_timer;

typedef struct smtp_timers {
    smtp_timer *first; /* the next to fire; NULL: none is set */
} smtp_timers;

/* Sets, or moves, a timer whose `fire` is filled in. */
void smtp_timer_set(smtp_timers *h, smtp_timer *t, int64_t at);

/* Stops a timer; nothing happens if it isn't set. */
void smtp_timer_stop(smtp_timers *h, smtp_timer *t);

/* Fires what is due, in order; timers set meanwhile for `now` or earlier fire too. */
void smtp_timers_run(smtp_timers *h, int64_t now);

#endif
