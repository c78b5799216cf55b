/*
 * queue - what must outlive the process: messages, what became of them, the answers that belong to
 * idempotency keys, suppressed recipients, events that wait for their receiver.
 *
 * The caller hands over an operation and is called back when it is durable (fsynced, or committed),
 * or has failed. Threads of the queue take all that waits, up to a batch, and let a backend run it
 * in ONE transaction, so that many small writes share one fsync. Backends (backend.h) are SQLite
 * and PostgreSQL: one schema, one set of semantics.
 *
 * What is kept of a message: its head (envelope and what never changes), the state of its
 * recipients, and the log of its attempts, each a JSON text that only the caller reads; and its
 * body, the octets of the composed message. Live messages are in one table; one that is done moves,
 * without its body, to the table of the day it was accepted on, which is dropped as a whole when
 * its time is over and nothing of it is live. So the cost of a message does not depend on how many
 * there were.
 *
 * Every operation may be run again when a connection broke in the middle of its commit: PUT by the
 * message's id, SETTLE by the attempt's number, KEY_BEGIN by who begins, KEY_END by the key, all
 * others by nature. That is how a failover of the database loses nothing.
 *
 * Ownership of a message: whoever sends it holds a lease, with the name of its process. SETTLE with
 * a lost lease does nothing and says so. Times are microseconds since 1970; leases go by the
 * database's clock.
 *
 * Memory: inputs of an operation are borrowed until `done` is called; outputs belong to the
 * operation and are given back by queue_op_clear(). Threads: queue_submit() from any thread; `done`
 * is called on a thread of the queue and must not block. Errors: QUEUE_FAILED with a sentence.
 */
#ifndef POSTERN_QUEUE_QUEUE_H
#define POSTERN_QUEUE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUEUE_ID       26 /* characters of an id; ids begin with the time (ULID), so that they sort */
#define QUEUE_OWNER    40                   /* characters of an owner's name at most */
#define QUEUE_PAGE     200                  /* of a list at most */
#define QUEUE_SMALL    ((size_t)256 * 1024) /* a body beyond this is a file of its own (SQLite) */
#define QUEUE_PRIORITY 9 /* the most urgent; 0 the least; 5 where nothing is said */

typedef struct queue queue;

typedef enum queue_state {
    QUEUE_QUEUED,  /* waits for next_at */
    QUEUE_SENDING, /* leased */
    /* done: */
    QUEUE_SENT,
    QUEUE_PARTIAL, /* some recipients have it, the others never will */
    QUEUE_FAILED_STATE,
    QUEUE_EXPIRED,
    QUEUE_CANCELLED,
    QUEUE_UNKNOWN, /* it may have been delivered, and is not sent again */
    QUEUE_STATES
} queue_state;

const char *queue_state_name(queue_state s); /* "queued" "sending" "sent" "partial" "failed" … */
bool queue_state_parse(const char *name, queue_state *out);
static inline bool queue_state_is_done(queue_state s)
{
    return s >= QUEUE_SENT;
}

/* A body: `data`, or a file from which `size` octets are read from offset 0. */
typedef struct queue_body {
    const char *data; /* NULL: `fd` */
    int fd;           /* open for reading, or -1 */
    uint64_t size;
} queue_body;

typedef struct queue_message {
    char id[QUEUE_ID + 1];
    queue_state state;
    int64_t next_at;    /* not before */
    int64_t expires_at; /* not after */
    int priority;
    unsigned attempts; /* how often it was settled: a version, not what the relays have seen */
    char *head;        /* JSON texts; see above */
    char *recipients;
    char *log;
    queue_body body; /* of a claimed one: data is the message's, or fd is open */
} queue_message;

void queue_message_clear(queue_message *m); /* frees the texts and the body, closes its file */

typedef struct queue_suppressed {
    char *address; /* lower case */
    char *list;    /* "" : whatever is sent; else a list's name */
    char *reason;  /* "550 5.1.1 no such user", or what the caller gave */
    int64_t since;
} queue_suppressed;

typedef struct queue_event {
    char id[QUEUE_ID + 1];
    char *payload; /* JSON text */
    int64_t next_at;
    unsigned attempts;
} queue_event;

typedef enum queue_kind {
    QUEUE_PUT,
    QUEUE_CLAIM,
    QUEUE_SETTLE,
    QUEUE_GET,
    QUEUE_LIST,
    QUEUE_COUNT,
    QUEUE_CANCEL,
    QUEUE_CANCEL_TAGGED,
    QUEUE_RESCHEDULE,
    QUEUE_KEY_BEGIN,
    QUEUE_KEY_END,
    QUEUE_SUPPRESS,
    QUEUE_UNSUPPRESS,
    QUEUE_SUPPRESSED,
    QUEUE_SUPPRESSIONS,
    QUEUE_EVENT_CLAIM,
    QUEUE_EVENT_SETTLE,
    QUEUE_STATS,
    QUEUE_CLEAN,
    QUEUE_KINDS
} queue_kind;

typedef enum queue_outcome {
    QUEUE_OK,
    QUEUE_FAILED,    /* nothing was done: `error` says why (disk full, database away) */
    QUEUE_NOT_FOUND, /* GET, CANCEL, RESCHEDULE, UNSUPPRESS */
    QUEUE_CONFLICT,  /* CANCEL: it is being sent, or done (`found` is its state); RESCHEDULE: or it
                        was tried already */
    QUEUE_LOST,      /* SETTLE, EVENT_SETTLE: another has the lease, or it is done already */
    /* KEY_BEGIN, and PUT with a key: */
    QUEUE_KEY_RUNNING,   /* the same key, not yet answered */
    QUEUE_KEY_ANSWERED,  /* the same key and fingerprint: `answer` is what was answered */
    QUEUE_KEY_DIFFERENT, /* the same key with another fingerprint */
    /* PUT: */
    QUEUE_ALL_SUPPRESSED /* every recipient is: nothing was kept */
} queue_outcome;

/* What belongs to an idempotency key. Keys are the caller's own: `key` holds who asks, the route
 * and the key itself. */
typedef struct queue_key {
    const char *key;         /* NULL: none */
    const char *fingerprint; /* of the request's body */
    int64_t keep_until;
    /* KEY_BEGIN: who begins, unlike any other (a request's id): the same once more has it already.
     * KEY_END with status 0: only what the same has begun, and not ended, is forgotten; NULL:
     * whatever is there. */
    const char *by;
    int status;         /* the answer's: HTTP status … */
    const char *answer; /* … and body */
} queue_key;

typedef struct queue_op queue_op;
struct queue_op {
    queue_kind kind;
    void (*done)(queue_op *op); /* not called if queue_submit() said no */
    void *ctx;

    /* ---- in ---- */
    char id[QUEUE_ID +
            1]; /* GET, CANCEL, RESCHEDULE, SETTLE, EVENT_SETTLE; COUNT, CANCEL_TAGGED: see `tag` */
    union {
        struct { /* PUT. state QUEUED, or SENDING: leased to `owner` at once, sent without a CLAIM
                  */
            const queue_message *messages; /* a batch of them is kept whole or not at all */
            size_t count; /* 0: nothing is kept, not even the key: what it says is told */
            const char *const *const *tags; /* of each, ended by NULL; NULL: none */
            /* Addresses of all recipients of each, lower case, ended by NULL, to be looked up among
             * the suppressed; NULL: not looked up. Who is suppressed is told in `suppressed`; only
             * if all are, nothing is kept. (Of one message alone.) */
            const char *const *addresses;
            const char *list; /* "" or the list that it is sent to */
            const char *owner;
            int64_t lease_us;
            queue_key key; /* with `answer`: kept with the message, in one transaction */
        } put;
        struct { /* CLAIM: due ones, the most urgent and then the oldest first, with bodies */
            const char *owner;
            size_t most;
            uint64_t most_bytes; /* of bodies: at least one message is given */
            int64_t lease_us;
        } claim;
        struct { /* SETTLE: after an attempt. A state that is done moves it and drops its body */
            const char *owner;
            unsigned attempt; /* `attempts` as claimed and 1: the message's becomes this, so that
                                 settling again is seen */
            queue_state state;
            int64_t next_at;
            const char *recipients, *log; /* in place of the old; NULL: they stay */
            const queue_event *events;    /* kept in the same transaction */
            size_t event_count;
            const queue_suppressed *suppress; /* the same */
            size_t suppress_count;
        } settle;
        struct {                /* LIST, newest first; EVENTs no */
            const char *tag;    /* NULL: any */
            const char *before; /* an id; NULL: from the newest */
            int state;          /* a queue_state; -1: any */
            size_t most;
        } list;
        /* COUNT: how many messages of the tag are in each state; CANCEL_TAGGED: those that are
         * queued are cancelled. Of messages of the day of the operation's `id`, and the day
         * after: what is put together has ids of one day, or of two. */
        const char *tag;
        struct { /* RESCHEDULE: one that waits and was never tried gets other times */
            int64_t next_at, expires_at;
            const char *head; /* in place of the old */
        } reschedule;
        queue_key key; /* KEY_BEGIN: without answer; KEY_END: status 0 forgets the key */
        struct {
            const queue_suppressed *entries; /* SUPPRESS */
            size_t count;
            const char *address, *list;   /* UNSUPPRESS; SUPPRESSIONS: of the list, NULL: any */
            const char *const *addresses; /* SUPPRESSED: which of these are; ended by NULL */
            const char *after;            /* SUPPRESSIONS: an address; NULL: from the first */
            size_t most;
        } suppress;
        struct {
            const char *owner;
            size_t most;
            int64_t lease_us;
            bool drop;       /* EVENT_SETTLE: delivered, or given up; else … */
            int64_t next_at; /* … tried again */
        } event;
        struct {
            /* CLEAN: of days that ended before, what is done goes, but for what ended since then (a
             * day of very many goes as a whole); keys go by their own time. */
            int64_t before, since;
        } clean;
    } in;

    /* ---- out ---- */
    queue_outcome outcome;
    char *error;             /* FAILED: one sentence */
    bool doubtful;           /* FAILED: it may have been done all the same (its commit broke) */
    queue_message *messages; /* CLAIM, GET (one), LIST (without bodies and logs) */
    size_t message_count;
    char next[QUEUE_ID + 1]; /* LIST: there is more, `before` this; "" : no more */
    queue_state found;       /* CONFLICT */
    struct {
        uint64_t states[QUEUE_STATES];
        uint64_t scheduled; /* of those that are queued: not due yet, and never tried */
    } counts;               /* COUNT */
    int status;             /* KEY_ANSWERED */
    char *answer;
    queue_suppressed *suppressed; /* PUT, SUPPRESSED, SUPPRESSIONS */
    size_t suppressed_count;
    queue_event *events; /* EVENT_CLAIM */
    size_t event_count;
    struct {
        uint64_t queued, scheduled, sending, events; /* scheduled: of `queued`, not yet due */
        int64_t oldest_due; /* when the oldest that is due became so; 0: none */
    } stats;
    int64_t next_due; /* CLAIM, EVENT_CLAIM: when the next becomes due; INT64_MAX: nothing waits */

    /* ---- the queue's own ---- */
    queue_op *next_op;
    int64_t submitted_at; /* by clock_us() */
};

void queue_op_clear(queue_op *op); /* frees the outputs */

typedef struct queue_options {
    const char *url;  /* "sqlite:/folder" or "postgresql://…" */
    unsigned writers; /* connections that write; SQLite has one whatever is said. 0: as it likes */
    unsigned batch;   /* operations in one transaction at most; 0: as it likes */
    size_t waiting;   /* operations that may wait; 0: as it likes */
    int64_t patience_us; /* how long an operation is tried again on a broken connection */
    /* PostgreSQL: the folder for large bodies that were claimed, as files without a name; where
     * none can be made they are in memory. "": no files; NULL: TMPDIR, or /var/tmp. */
    const char *files;
    void (*woken)(void *ctx); /* another process put something in; may be NULL */
    void *ctx;
} queue_options;

/* Opens, or makes, what is at the URL and brings its schema up to date. Waits for it; starts the
 * threads. NULL, and *error a sentence that the caller frees, if that can't be done. */
queue *queue_open(const queue_options *options, char **error);

/* "sqlite", "postgresql". */
const char *queue_backend_name(const queue *q);

/* True: `done` will be called, once. False: too many wait, or the queue is closing. What ends
 * something that was begun (SETTLE, EVENT_SETTLE, KEY_END) is never one too many: without it a mail
 * could be sent twice, and there are not more of them than was claimed. */
bool queue_submit(queue *q, queue_op *op);

/* Submits and waits; for commands and tests, never on a thread that serves. */
queue_outcome queue_run(queue *q, queue_op *op);

/* Runs what was submitted, or fails it after `grace_us`, joins the threads, closes. */
void queue_close(queue *q, int64_t grace_us);

#endif
