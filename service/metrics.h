/*
 * metrics - counters, gauges and histograms in Prometheus' text format 0.0.4.
 *
 * The set is fixed (tables in metrics.c), so that a label's values are bounded: routes from the
 * route table, statuses that the service gives, relays of the configuration, categories, causes
 * and stages of smtp/, SMTP codes 200 to 599.
 *
 * - postern_http_requests_total{route,status}
 * - postern_http_request_seconds{route}: a histogram
 * - postern_transactions_total{relay,category,code}: category "none" when accepted; code "0": no
 *   reply
 * - postern_refusals_total{relay,cause}: each recipient that was refused for its own sake, and each
 *   transaction that something else stopped; causes of smtp/
 * - postern_stage_seconds{relay,stage}: a histogram; stages queued, session, envelope, body
 * - postern_recipients_total{relay,result}: accepted (the message was taken for them), rejected
 * (the relay refused them)
 * - postern_message_bytes_total{relay}: of what was accepted
 * - postern_requests_in_flight, postern_transactions_in_flight
 * - postern_request_memory_bytes: what requests hold of POSTERN_MAX_MEMORY
 * - postern_sessions{relay,state}: open, idle; postern_transactions_waiting{relay};
 *   postern_sessions_opened_total, _failed_total, _reused_total, postern_second_tries_total{relay}:
 *   from the sender's stats
 * - postern_attempts_total{relay,result}: of queued messages; sent, partial, deferred, failed,
 * unknown
 * - postern_events_total{result}: delivered, deferred, given_up
 * - postern_template_reloads_total{result}: loaded, failed
 * - postern_hooks_total{hook,result}: webhooks; queued, replayed, skipped, ping, unverified,
 * refused, failed
 * - postern_queue_messages{state}: due, scheduled, sending; postern_queue_events;
 *   postern_queue_oldest_seconds: only where there is a queue
 * - postern_build_info{version}, process_resident_memory_bytes, process_cpu_seconds_total,
 *   process_open_fds, process_max_fds, process_start_time_seconds
 *
 * What was never counted is left out, where its labels have many values (status, category, cause,
 * code).
 *
 * Threads: recording is lock-free (atomics); any thread.
 */
#ifndef POSTERN_SERVICE_METRICS_H
#define POSTERN_SERVICE_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "service/store.h"
#include "smtp/sender.h"

typedef struct metrics metrics;

/* `routes` and `relays` (names) are borrowed and must outlive the metrics; the last route is for
 * requests that met none ("other"). */
metrics *metrics_create(const char *const *routes, size_t route_count,
                        const smtp_relay *const *relays, size_t relay_count);
void metrics_free(metrics *m);

void metrics_request(metrics *m, size_t route, unsigned status, int64_t took_us);

/* A finished transaction of the relay with that index. The first one of a category allocates its
 * counters; without memory its code is not counted. A NULL result is ignored. */
void metrics_transaction(metrics *m, size_t relay, const smtp_result *result, uint64_t size);

/* What became of a webhook. */
typedef enum metrics_hook_result {
    METRICS_HOOK_QUEUED,
    METRICS_HOOK_REPLAYED, /* it came before */
    METRICS_HOOK_SKIPPED,  /* the hook's conditions don't hold, or all recipients are suppressed */
    METRICS_HOOK_PING,
    METRICS_HOOK_UNVERIFIED, /* 401 */
    METRICS_HOOK_REFUSED,    /* any other 4xx */
    METRICS_HOOK_FAILED,     /* 5xx */
    METRICS_HOOK_RESULTS
} metrics_hook_result;

const char *metrics_hook_name(metrics_hook_result result);

/* Names the hooks, which are borrowed; before the first is counted. False: no memory. */
bool metrics_hooks(metrics *m, const char *const *names, size_t count);
void metrics_hook(metrics *m, size_t hook, metrics_hook_result result);

void metrics_requests_in_flight(metrics *m, int change);
void metrics_transactions_in_flight(metrics *m, int change);

/* What became of one try at a queued message. */
typedef enum metrics_attempt_result {
    METRICS_ATTEMPT_SENT,
    METRICS_ATTEMPT_PARTIAL,
    METRICS_ATTEMPT_DEFERRED,
    METRICS_ATTEMPT_FAILED,
    METRICS_ATTEMPT_UNKNOWN,
    METRICS_ATTEMPT_RESULTS
} metrics_attempt_result;

void metrics_attempt(metrics *m, size_t relay, metrics_attempt_result result);
void metrics_event(metrics *m, unsigned result);   /* an events_result */
void metrics_templates(metrics *m, bool reloaded); /* SIGHUP: they were, or they are faulty */

typedef struct metrics_queue {
    uint64_t due, scheduled, sending, events;
    int64_t oldest_us; /* for how long the oldest that is due has been so */
} metrics_queue;

/* Writes the queue's part; NULL: what is in it is not known yet. */
void metrics_write_queue(const metrics *m, const metrics_queue *q, buf *out);

/* Writes all the rest; `sender` and `requests` may be NULL. */
void metrics_write(metrics *m, const smtp_sender *sender, const store *requests, buf *out);

#endif
