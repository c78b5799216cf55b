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
 *     "relay", "at", "smtp" {"code", "enhanced", "message"}, "category", "cause", "hint": of the
 * last word that was said about it; left out where there is none
 *
 * log, an array of attempts, the oldest first, one for each relay that was tried; beyond
 * RECORD_LOG_MAX the oldest but the first go:
 *     "at", "number" (from 1), "relay", "outcome" ("sent", "partial", "not_sent", "unknown"), "ms",
 *     "recipients" (how many it was for), "accepted" (how many)
 *     "category", "cause", "stage", "detail", "hint", "retryable", "smtp": where it was not "sent"
 *     "next_at"        where it will be tried again
 *
 * Words of a relay that are not UTF-8 are passed on with U+FFFD in their place; those over
 * RECORD_TEXT_MAX octets are cut.
 *
 * The trees stay as they were read; what comes new is kept beside them as text, and both are
 * written together. Statuses need no memory, so that what was said of a recipient is never lost for
 * want of it; its words, and an entry of the log, can be.
 *
 * Memory: a record owns its trees; strings read from it are theirs. Threads: one at a time.
 */
#ifndef POSTERN_QUEUE_RECORD_H
#define POSTERN_QUEUE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/jsonw.h"
#include "queue/queue.h"
#include "smtp/reply.h"
#include "smtp/sender.h"

#define RECORD_LOG_MAX        50
#define RECORD_TEXT_MAX       1000 /* octets of a relay's words, or of a detail */
#define RECORD_RECIPIENTS_MAX 10000
#define RECORD_RELAYS_MAX     16 /* that are read; further ones are not tried */

typedef enum record_status {
    RECORD_WAITING,
    RECORD_ACCEPTED,
    RECORD_REFUSED,
    RECORD_UNKNOWN,
    RECORD_SUPPRESSED,
    RECORD_EXPIRED,
    RECORD_STATUSES
} record_status;

const char *record_status_name(record_status s);

typedef struct record_recipient {
    const char *email;
    record_status status;
    json_t *json;             /* borrowed from `recipients` */
    size_t word_at, word_len; /* the last word about it, of `words`; 0: as it was read */
} record_recipient;

typedef struct record {
    json_t *head, *recipients, *log; /* as they were read */
    arena arena;                     /* theirs */
    buf words;                       /* members of recipients */
    buf fresh;          /* entries for the log, each without its last bracket, and a NUL */
    size_t fresh_count; /* at most RECORD_LOG_MAX */
    const char *reverse_path;
    const char *relays[RECORD_RELAYS_MAX];
    size_t relay_count;
    bool utf8, eight_bit;
    record_recipient *list;
    size_t count;
    unsigned tries; /* the log's last number */
} record;

/* Reads a message's texts; NULL: it could. Else why not (static): `transient` where memory ran
 * out. The record must be cleared in either case. */
const char *record_read(record *r, const queue_message *m, bool *transient);
void record_clear(record *r);

/* What can be written of one that could not be read, for good: no recipient is looked at. */
void record_break(record *r);

/* How many have that status. */
size_t record_having(const record *r, record_status s);

/* The last word about a recipient; members without a value are left out. */
typedef struct record_word {
    const char *relay;       /* name */
    int64_t at;              /* when it was said */
    const smtp_reply *reply; /* NULL, or code 0: there was none */
    const char *category;    /* NULL or "": none */
    const char *cause;       /* NULL or "": none */
    const char *hint;        /* NULL: none */
} record_word;

void record_say(record *r, size_t recipient, const record_word *w);

/* An entry of the log. */
typedef struct record_entry {
    int64_t at, us;    /* when it began; how long it took */
    const char *relay; /* NULL: the message is given up */
    size_t recipients, accepted;
    const char *outcome;
    const smtp_fault *fault; /* NULL: none, nor a reply */
    const smtp_reply *reply; /* NULL, or code 0: there was none */
} record_entry;

/* Numbers it, and appends it to the log. */
void record_log(record *r, const record_entry *e);

/* Writes a string whatever its octets are, cut. */
void record_text(jsonw *w, const char *s);

/* The texts to keep; the caller frees them. False: no memory, and neither is there. next_at: when
 * the last that was logged will be tried again; 0: it will not. */
bool record_dump(const record *r, int64_t next_at, char **recipients, char **log);

/* An event's payload about the message as it is now; NULL: no memory. next_at 0: none. */
char *record_event(const record *r, const char *type, const char *id, queue_state state,
                   int64_t now, int64_t next_at);

#endif
