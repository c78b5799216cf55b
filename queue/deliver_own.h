/*
 * deliver_own - what the parts of deliver share: deliver.c (the thread, room, what is called from
 * outside), deliver_try.c (tries and settling) and deliver_claim.c.
 */
#ifndef POSTERN_QUEUE_DELIVER_OWN_H
#define POSTERN_QUEUE_DELIVER_OWN_H

#include <pthread.h>

#include "queue/breaker.h"
#include "queue/deliver.h"
#include "queue/flight.h"

#define SECONDS(n) ((int64_t)(n)*1000000)
#define MS(n)      ((int64_t)(n)*1000)

#define DELIVER_BUCKETS      1024
#define DELIVER_LEASE_SETTLE SECONDS(20) /* so much of a lease must be left beyond a try */

struct deliver {
    deliver_options options;
    plan_options plan;
    bool far;
    pthread_t thread;
    bool running; /* the thread is to be joined */

    pthread_mutex_t lock;           /* of these: */
    pthread_cond_t work;            /* something of them changed */
    flight *arrived, **arrived_end; /* new, or come back */
    unsigned arrived_count;
    bool claimed; /* the claim came back */
    bool woken, stopping;
    int64_t stop_by;
    unsigned taken;       /* room: messages … */
    uint64_t taken_bytes; /* … and octets, those reserved counted */
    unsigned claim_room;  /* of that, for what a claim will bring */
    uint64_t claim_bytes;
    unsigned away;    /* callbacks that are due */
    unsigned gathers; /* so many have to arrive until the thread is woken */
    unsigned open;    /* breakers */

    /* the thread's own */
    flight *buckets[DELIVER_BUCKETS]; /* under way, by id */
    flight *later;                    /* the queue is to be asked again */
    flight *held;                     /* settled, but a claim under way may bring it once more */
    queue_op *out, **out_end;         /* to be given to the queue, all at once */
    unsigned out_count;
    breakers relays;
    uint64_t random;
    queue_op claim;
    bool claiming;
    int64_t claim_at;   /* when the next is due; 0: at once */
    int64_t claim_once; /* what became due since this one began: the same, for when it is back */
    int64_t claim_began, claim_pause;
};

/* For jitter: 0 to 1; the time, a fifth of it more or less. */
double deliver_random(deliver *d);
int64_t deliver_smeared(deliver *d, int64_t us);

/* The next pause after one, 0 being none, where the queue fails. */
int64_t deliver_pause(int64_t pause);

/* So many callbacks more are due; said before what may call back. */
void deliver_send_away(deliver *d, int count);

/* From a callback: the thread is to go on with it. */
void deliver_come_back(deliver *d, flight *f);

bool deliver_is_stopping(deliver *d);

/* ---- on the thread alone ---- */

/* What is under way, by id. */
flight *deliver_find(deliver *d, const char *id);
void deliver_add(deliver *d, flight *f);
void deliver_end(deliver *d, flight *f); /* frees it, and gives back its room */

/* To be given to the queue with what else there is, when the thread has done what it has. */
void deliver_put_out(deliver *d, queue_op *op);

/* The queue is asked again after a pause. */
void deliver_ask_later(deliver *d, flight *f);

/* Something is due then (clock_us()): a claim under way may have come too early to see it. */
void deliver_due_at(deliver *d, int64_t at);

/* deliver_try.c: what comes next for one that is new, was answered, is to be settled, is to be
 * given to the queue, or was settled by it. */
void deliver_begin(deliver *d, flight *f);
void deliver_answered(deliver *d, flight *f);
void deliver_settle(deliver *d, flight *f);
void deliver_submit(deliver *d, flight *f);
void deliver_settled(deliver *d, flight *f);

/* deliver_claim.c: claims if that is due; when it will be, if nothing comes in between. */
int64_t deliver_claim(deliver *d);
void deliver_claim_refused(deliver *d);
void deliver_claim_came_back(deliver *d);

#endif
