/*
 * events - tells a receiver what became of messages: signed webhooks, at least once.
 *
 * Events are kept in the queue in the transaction that settled their message (deliver.h), claimed
 * here under a lease, and POSTed as JSON after the Standard Webhooks specification 1.0: headers
 * webhook-id (the event's id, the same each time), webhook-timestamp (of this try) and
 * webhook-signature ("v1," and the base64 of HMAC-SHA256 over "id.timestamp.body"; one for each
 * secret, with a space between, so that secrets can be changed without a gap).
 *
 * Payload: {"type": "message.accepted", "timestamp": "…", "data": {…}}, types message.accepted,
 * message.deferred, message.failed, message.partly_failed, message.unknown.
 *
 * 2xx: it is delivered, and dropped. 410: the receiver wants none: dropped. All else, redirects
 * too (they are not followed), is tried again after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h
 * and 24 h, with jitter, no sooner than a Retry-After says, and then given up. Many are under way
 * at once, and none waits for another; a receiver that fails is asked with one at a time until it
 * answers again.
 *
 * No private addresses (SSRF): every address that the name resolves to is judged when the socket is
 * made, after resolution, so that a name can't change between the look and the connection;
 * loopback, private, link-local, shared, multicast and reserved ones of IPv4 and IPv6, mapped and
 * translated ones (::ffff:, 64:ff9b::, 2002::) included, are refused unless allow_private is set.
 * No proxy of the environment is used. http:// is accepted for private receivers only; TLS is 1.2
 * or later, certificate and name verified.
 *
 * Memory: the options' strings must outlive it; secrets are copied and wiped. Threads: one of its
 * own (a libcurl multi); functions from any thread; `told` comes on its thread and must not block.
 */
#ifndef POSTERN_QUEUE_EVENTS_H
#define POSTERN_QUEUE_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/queue.h"

typedef struct events events;

typedef enum events_result {
    EVENTS_DELIVERED,
    EVENTS_DEFERRED, /* tried again */
    EVENTS_GIVEN_UP,
    EVENTS_RESULTS
} events_result;

const char *events_result_name(events_result r); /* "delivered" "deferred" "given_up" */

typedef struct events_told { /* of one try: for logs and metrics */
    const char *id;
    events_result result;
    unsigned attempt; /* from 1 */
    long status;      /* HTTP; 0: no answer */
    const char *why;  /* a sentence, where it was not delivered; never has the URL's query */
    int64_t next_at;  /* where deferred */
} events_told;

typedef struct events_options {
    queue *queue;
    const char *url;            /* https://…, or http:// with allow_private */
    const char *const *secrets; /* "whsec_" and base64 of 24 to 64 octets; ended by NULL, at least
                                   one; the first is the new one */
    bool allow_private;
    const char *ca;    /* a PEM file in place of the system's; NULL: the system's */
    const char *owner; /* as deliver.h's */
    int64_t timeout_us;
    unsigned most;                                 /* under way at once */
    void (*told)(void *ctx, const events_told *t); /* may be NULL */
    void *ctx;
} events_options;

/* Checks a URL and a secret, as the settings do: NULL if it will do, else why not (static). */
const char *events_url_fault(const char *url, bool allow_private);
const char *events_secret_fault(const char *secret);

/* NULL, and *error a sentence that the caller frees, if it can't be started. */
events *events_create(const events_options *options, char **error);
void events_wake(events *e); /* an event was kept */

/* Begins no more, waits up to limit_us for what is under way, joins the thread. What was not told
 * stays in the queue. */
void events_stop(events *e, int64_t limit_us);
void events_free(events *e);

#endif
