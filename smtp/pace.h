/*
 * pace - how fast, and over how many sessions at once, a relay is given mail: the rate that its URL
 * sets (rate=14/s), and what it has shown to bear.
 *
 * Rate: the generic cell rate algorithm (ITU-T I.371), which needs one number: the time at which
 * the next recipient is due if all keep the rate. Up to a tenth of a second's worth may go at once.
 * It counts recipients, as providers do, and all threads share it; each process has its own.
 *
 * Sessions: as many as the URL allows, until the relay says that there is too much (421, 4.7.x):
 * then half as many, and after ten seconds without a further word one more for each second
 * (additive increase, multiplicative decrease). Those that were under way at once say so at once,
 * so within a second one word counts.
 *
 * Memory: the caller's. Threads: any, without a lock. Times are clock_us()'s.
 */
#ifndef POSTERN_SMTP_PACE_H
#define POSTERN_SMTP_PACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp/reply.h"

typedef struct smtp_pace {
    int64_t each_us;     /* between two recipients, in 1/1024 of a microsecond; 0: no rate */
    unsigned sessions;   /* the most */
    atomic_llong due;    /* of the next recipient, in 1/1024 of a microsecond */
    atomic_uint allowed; /* sessions, when it was last changed; 0: never was */
    atomic_llong slowed; /* when that was */
} smtp_pace;

/* Reads "14/s", "600/m", "50000/h", "2000/d": recipients in a second, minute, hour or day, 1 to
 * 1,000,000 of them. False: it is none of these. */
bool smtp_pace_read_rate(const char *text, int64_t *each_us);

void smtp_pace_init(smtp_pace *p, unsigned sessions, int64_t each_us);

/* Asks for so many recipients. 0: they may go now, and are counted; else the time at which to ask
 * again. */
int64_t smtp_pace_take(smtp_pace *p, size_t recipients, int64_t now);

static inline bool smtp_pace_has_rate(const smtp_pace *p)
{
    return p->each_us > 0;
}

/* What the relay said to a session or a transaction: slows down if it says that there is too much.
 * A reply without a code says nothing. */
void smtp_pace_heard(smtp_pace *p, const smtp_reply *reply, int64_t now);

/* How many sessions there may be now, 1 at least. */
unsigned smtp_pace_sessions(const smtp_pace *p, int64_t now);

#endif
