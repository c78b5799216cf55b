/*
 * flight - one message under way: what is sent of it, to whom, and how it is settled.
 *
 * A part of deliver.c, which says when; there is no thread, clock or lock here. A flight belongs to
 * whoever has it: the deliver's thread, or the sender or the queue until they call back.
 *
 * Memory: a flight owns its message, plan, result and texts.
 */
#ifndef POSTERN_QUEUE_FLIGHT_H
#define POSTERN_QUEUE_FLIGHT_H

#include "queue/plan.h"
#include "queue/queue.h"
#include "smtp/sender.h"

struct deliver;

typedef enum flight_phase {
    FLIGHT_NEW,       /* to be begun */
    FLIGHT_TRYING,    /* the sender has it */
    FLIGHT_SETTLING,  /* its outcome is to be made and settled */
    FLIGHT_SUBMITTING /* its outcome is made: the queue has it, or is to get it */
} flight_phase;

typedef struct flight flight;
struct flight {
    struct deliver *owner;
    flight *next; /* in a list, or … */
    flight *same; /* … in a bucket by id */
    flight_phase phase;
    queue_message message;
    uint64_t room;     /* octets */
    int64_t lease_end; /* clock_us() */

    plan plan;
    size_t relay_at;    /* the next of the head's relays */
    int64_t wait_until; /* of the relays that are left alone, the first's end; 0: none is */
    int64_t next_at;    /* if it is tried again: then; 0: as the plan says */

    /* the last try */
    const smtp_relay *relay;
    const char *relay_name;
    size_t *which;
    const char **recipients;
    size_t count;
    bool probe;  /* of a relay that was left alone */
    bool untold; /* `attempted` was not called for it */
    unsigned number;
    int64_t begun;   /* queue's time */
    int64_t went;    /* the same by clock_us() */
    uint64_t offset; /* of the body, read so far */
    smtp_result *result;

    plan_outcome outcome;
    queue_op op;
    int64_t again_at, pause; /* clock_us(): when the queue is asked again */
};

/* Moves the message in; NULL: no memory, and *m is as it was. */
flight *flight_create(queue_message *m);
void flight_free(flight *f);

/* Collects who still waits; false: no memory. */
bool flight_collect(flight *f);

/* What is sent; the caller adds the callback and the timeout. */
void flight_transaction(flight *f, smtp_transaction *out);

/* Fills in the operation that settles the outcome. */
void flight_op(flight *f, const char *owner);

#endif
