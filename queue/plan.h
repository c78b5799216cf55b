/*
 * plan - what follows for a message from what relays said in one attempt at it: which recipients
 * still wait, its state, when it is tried again, what is told of it.
 *
 * One attempt walks over relays. Each try is noted; then the attempt is settled. What a relay
 * refuses for reasons that are not the message's (its policy towards us) is given up only if no
 * other relay of the attempt leaves hope.
 *
 * Pure: no clock, no threads; times are the queue's (microseconds since 1970), jitter is passed in.
 * Memory: a plan owns its record and its outcome's parts until it is cleared.
 * Errors: what was noted is never lost; where memory runs out in plan_settle(), it can be called
 * again.
 */
#ifndef POSTERN_QUEUE_PLAN_H
#define POSTERN_QUEUE_PLAN_H

#include "queue/queue.h"
#include "queue/record.h"
#include "smtp/classify.h"
#include "smtp/sender.h"

typedef struct plan_options {
    int64_t first_us, most_us; /* between attempts */
    bool resend_unknown, events, suppress;
} plan_options;

#define PLAN_RELAYS 4 /* that are tried in one attempt */

typedef struct plan_mark {        /* of a recipient, in this attempt */
    bool hope;                    /* a relay may take it later */
    bool doomed;                  /* refused, unless another relay leaves hope */
    bool gone;                    /* it does not exist: … */
    char reason[SMTP_REASON_MAX]; /* … in the relay's words */
} plan_mark;

typedef struct plan {
    record record;
    plan_mark *marks;
    unsigned tries; /* in this attempt */
    bool hope;      /* a relay was not asked: set by who asks them */
    bool broken;    /* the record can't be read: the message is given up */
} plan;

/* Reads the message. False: no memory now. A message that can't be read, or has no body, makes a
 * plan in which nobody waits. */
bool plan_begin(plan *p, const queue_message *m, int64_t now);
void plan_clear(plan *p);

typedef struct plan_try {
    const char *relay;         /* name */
    const size_t *which;       /* of the record's recipients it was for … */
    size_t count;              /* … in the transaction's order */
    const smtp_result *result; /* NULL: it did not come to one … */
    const char *detail;        /* … because */
    int64_t at, now;           /* begun, over */
} plan_try;

/* True: it was taken for nobody, and another relay may take it at once. */
bool plan_note(plan *p, const plan_try *t, bool resend_unknown);

/* All that wait are given up, for a reason that is the gateway's own. */
void plan_give_up(plan *p, const char *detail, int64_t now);

typedef struct plan_outcome {
    queue_state state;
    int64_t next_at;
    char *recipients, *log; /* NULL, both: as they were */
    queue_event event;      /* without an id; payload NULL: none */
    queue_suppressed *gone; /* recipients that don't exist */
    size_t gone_count;
} plan_outcome;

typedef struct plan_when {
    int64_t now, expires_at;
    int64_t next_at; /* of what waits, whatever it was; 0: by the number of tries */
    double jitter;   /* -1 to 1 */
} plan_when;

/* False: no memory; *out is empty. */
bool plan_settle(plan *p, const char *id, const plan_options *o, const plan_when *w,
                 plan_outcome *out);
void plan_outcome_clear(plan_outcome *out);

#endif
