/*
 * deliver - gets what is in the queue to the relays, and settles what became of it.
 *
 * It claims what is due (or is handed what was just put in, which saves the way through the
 * database), gives it to the sender, and settles the message with what the relay said: in one
 * transaction its state, its log, the events and the suppressed recipients that follow.
 *
 * - Only recipients that wait are sent to. Accepted or refused for good is for good, each for
 *   itself; what may be tried again is, after first_us * 2^n, at most most_us, with a fifth of
 *   jitter either way, until the message expires.
 * - A fault of the gateway's own access before MAIL (credentials, TLS) is no fault of the message:
 *   it is tried again, too.
 * - Relays are tried in the head's order within one attempt (the first PLAN_RELAYS of them): the
 *   next one if the one before accepted for nobody and another may. One whose sessions fail again
 *   and again is left alone for a while that doubles (breaker.h), and then tried with one message.
 *   While all relays of a message are left alone it waits, and that is no attempt. While all
 *   relays that were seen are left alone, only a few messages are claimed, to look for others.
 *   A relay that is not configured any more counts as one that fails for now.
 * - An outcome that is unknown (the body was sent, no reply came) is not sent again, unless
 *   resend_unknown says so. What was under way when a process died is sent again: nothing can be
 *   known of it.
 * - Never the same message twice at once: a lease covers all that can happen to it, and what is
 *   settled under a lease that was lost changes nothing.
 *
 * Memory: the options' strings and callbacks must outlive it. Threads: one of its own; all
 * functions from any thread. Callbacks come on its thread or the sender's and must not block.
 * Errors: where the queue can't settle (database away), the outcome is kept and tried again until
 * it is settled or another has the lease; it occupies its room as long.
 */
#ifndef POSTERN_QUEUE_DELIVER_H
#define POSTERN_QUEUE_DELIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/queue.h"
#include "smtp/sender.h"

typedef struct deliver deliver;

/* What became of one try at one relay: for logs and metrics. */
typedef struct deliver_attempt {
    const char *id;
    const smtp_relay *relay;
    const char *reverse_path;
    const char *const *recipients; /* those that it was for */
    size_t recipient_count;
    uint64_t size;
    unsigned number;           /* of tries so far, this one counted */
    const smtp_result *result; /* NULL: memory ran out */
    queue_state state;         /* the message's now; SENDING: the next relay is tried at once;
                                  QUEUED: it will be tried again … */
    int64_t next_at;           /* … then */
} deliver_attempt;

typedef struct deliver_options {
    queue *queue;
    smtp_sender *sender;
    const smtp_relay *(*relay)(void *ctx, const char *name); /* NULL: there is none of that name */
    bool (*new_id)(void *ctx, char out[QUEUE_ID + 1]);       /* of an event; false: can't */
    void (*attempted)(void *ctx, const deliver_attempt *attempt); /* may be NULL */
    void (*event_kept)(void *ctx);  /* an event waits for its receiver; may be NULL */
    void (*before_wait)(void *ctx); /* nothing is to be done now; may be NULL */
    void *ctx;
    const char *owner; /* the process's name for leases, unlike any other's */
    int64_t timeout_us;
    unsigned relays; /* that there are: a lease must cover a walk over them; 0: not known */
    int64_t first_us, most_us; /* between attempts; first_us 0: a second */
    bool resend_unknown;
    bool events;         /* keep one for each outcome */
    bool suppress;       /* keep recipients that don't exist */
    unsigned most;       /* messages under way at once */
    uint64_t most_bytes; /* of their bodies in memory; a claim may go over it by one body */
    int64_t breaker_first_us, breaker_most_us; /* 0: breaker.h's */
} deliver_options;

/* NULL, and *error a sentence that the caller frees, if it can't be started. */
deliver *deliver_create(const deliver_options *options, char **error);

/* How long a lease must last that covers all that can happen to a message under way. */
int64_t deliver_lease_us(const deliver *d);

/* Takes room for one message with a body of so many octets (its body.size, in memory or not; one
 * larger than all there is goes alone), which can then be put in as SENDING and
 * be handed over; false: there is none (or it is stopping), put it in as QUEUED. */
bool deliver_reserve(deliver *d, uint64_t size);
void deliver_unreserve(deliver *d, uint64_t size); /* it was not put in */

/* Hands over a message that was put in as SENDING with room reserved, a lease of deliver_lease_us()
 * and the options' owner. Its content is moved: *m is cleared. */
void deliver_take(deliver *d, queue_message *m);

/* Something was put in that is due now, or sooner than what waited before. */
void deliver_wake(deliver *d);

typedef struct deliver_stats {
    unsigned under_way;
    unsigned breakers_open; /* relays that are left alone now */
} deliver_stats;

void deliver_stats_get(deliver *d, deliver_stats *out);

/* Claims no more, gives back what was not begun, and waits up to limit_us for what is under way to
 * be settled; then joins the thread. False: not everything was, and its lease will run out, unless
 * it is called again: after smtp_sender_stop(), which ends what the sender has, that settles all.
 * The queue must be open, and the sender running where anything is to be waited for. */
bool deliver_stop(deliver *d, int64_t limit_us);

/* Stops at once if it was not stopped. If the last deliver_stop() said false, the sender must have
 * been stopped and the queue closed before. */
void deliver_free(deliver *d);

#endif
