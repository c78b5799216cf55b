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
 * 2xx: it is delivered, and dropped. 410: the receiver wants none: given up and dropped. All else,
 * redirects too (they are not followed), is tried again after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h,
 * 14 h, 20 h and 24 h, a tenth more or less, no sooner than a Retry-After says (24 h at most), and
 * then given up. The status tells once the answer's head is there: what comes of its body is read
 * and forgotten, and of a long one the connection is closed.
 *
 * Many are under way at once (over HTTP/1.1, a connection each, kept open), and none waits for
 * another. A receiver that fails is asked with one at a time, with pauses of 1 s that double up to
 * 60 s between them, until it answers with 2xx or 410 again: so one that is down costs little, and
 * what waits for it uses up no tries meanwhile.
 *
 * No private addresses (SSRF): every address that the name resolves to is judged when the socket is
 * made, after resolution, so that a name can't change between the look and the connection
 * (address_guard.h); what is not public is refused unless allow_private is set. No proxy of the
 * environment is used. http:// is for receivers at private addresses only, and needs allow_private;
 * TLS is 1.2 or later, certificate and name verified.
 *
 * Time: claims are leased for timeout_us and 60 s. What is claimed and can't be begun in time, or
 * settled (database away), is left to the end of its lease: so an event may come more than once,
 * always with the same webhook-id.
 *
 * Memory: the options' strings, `pace` too, must outlive it; secrets are copied and wiped. At most
 * `most` events are in memory. Threads: one of its own (a libcurl multi); functions from any
 * thread, events_stop() and events_free() from one; `told` comes on its thread and must not block.
 * curl_global_init() must have been called.
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

#define EVENTS_RETRIES 9

typedef struct events_pace { /* how it goes about it; for tests */
    int64_t retry_us[EVENTS_RETRIES];
    int64_t pause_first_us, pause_most_us; /* between tries at a receiver that fails */
    int64_t poll_us; /* looks into the queue at least so often, as others may put something in */
} events_pace;

typedef struct events_options {
    queue *queue;
    const char *url;            /* https://…, or http:// with allow_private */
    const char *const *secrets; /* "whsec_" and base64 of 24 to 64 octets; ended by NULL, at least
                                   one; the first is the new one */
    bool allow_private;         /* addresses that are not public, and http:// to them */
    const char *ca;             /* a PEM file in place of the system's; NULL: the system's */
    const char *owner;          /* as deliver.h's */
    int64_t timeout_us;
    unsigned most;                                 /* under way at once */
    void (*told)(void *ctx, const events_told *t); /* may be NULL */
    void *ctx;
    const events_pace *pace; /* NULL: as above */
} events_options;

/* Checks a URL and a secret, as the settings do: NULL if it will do, else why not (static). A URL
 * has no user name, password or fragment, and is ASCII (a name in its A-label form). */
const char *events_url_fault(const char *url, bool allow_private);
const char *events_secret_fault(const char *secret);

/* NULL, and *error a sentence that the caller frees, if it can't be started. */
events *events_create(const events_options *options, char **error);
void events_wake(events *e); /* an event was kept */

/* Begins no more, waits up to limit_us for what is under way to be told and settled, breaks off the
 * rest, joins the thread. What was not told stays in the queue. The queue must be open until then;
 * it may be closed before or after events_free(). */
void events_stop(events *e, int64_t limit_us);
void events_free(events *e); /* NULL may be freed; stops it at once if it was not */

#endif
