/*
 * record - the texts that the queue keeps of a message (queue.h: head, recipients, log), and what
 * is read from them. They are JSON, in the words of the API, so that an answer can pass them on.
 *
 * head, an object, written once when the message is accepted:
 *     "envelope_from"  the reverse-path; "" is the null one
 *     "relays"         names, tried in this order; at least one
 *     "utf8"           true: needs SMTPUTF8
 *     "eight_bit"      true: an octet over 127 may occur
 *     "message_id", "accepted_at", "send_at" (or none), "expires_at", "priority", "tags",
 *     "metadata"       as the API shows them; times are RFC 3339 in UTC with milliseconds
 *
 * recipients, an array in the envelope's order:
 *     "email"
 *     "status"         "waiting"; for good: "accepted", "refused", "unknown", "suppressed",
 *                      "expired" (it was tried until its time was over)
 *     "relay", "at", "smtp" {"code", "enhanced", "message"}, "category", "hint": of the last word
 *                      that was said about it; left out where there is none
 *
 * log, an array of attempts, the oldest first, one for each relay that was tried; beyond
 * RECORD_LOG_MAX the oldest but the first go:
 *     "at", "relay", "outcome" ("sent", "partial", "not_sent", "unknown"), "ms", "recipients" (how
 *     many it was for), "accepted" (how many)
 *     "category", "stage", "detail", "hint", "retryable", "smtp": where it was not "sent"
 *     "next_at"        where it will be tried again
 *
 * Words of a relay that are not UTF-8 are passed on with U+FFFD in their place.
 *
 * Memory: a record owns its trees; strings read from it are theirs. Threads: one at a time.
 */
#ifndef POSTERN_QUEUE_RECORD_H
#define POSTERN_QUEUE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_LOG_MAX 50
#define RECORD_TIME    25 /* "2026-01-02T03:04:05.678Z" and a NUL */

/* A time of the queue (microseconds since 1970) as the API writes it. */
void record_time(int64_t us, char out[RECORD_TIME]);

#endif
