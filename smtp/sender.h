/*
 * sender - transactions over sessions to relays.
 *
 * submit(transaction, callback): the caller hands over an envelope and a source of bytes, and is
 * called back once, from one of the sender's threads, with what the relay said. Nothing blocks the
 * caller, and no thread waits for one relay while another has something to say.
 *
 * Inside, a loop thread (epoll) owns for each relay a pool of sessions. libcurl opens a session in
 * a multi with CONNECT_ONLY: resolve, connect, TLS, greeting, EHLO, STARTTLS, AUTH. From then on
 * this module speaks on it (in clear on its socket, else by curl_easy_send and curl_easy_recv):
 * MAIL, RCPT and DATA in one write where the relay offers PIPELINING (RFC 2920), the body dot-
 * stuffed (RFC 5321 section 4.5.2), RSET after a refused transaction, QUIT at the end. Where
 * transactions wait for a session, the next one's envelope goes out with the end of the body before
 * it (RFC 2920 section 3.1), unless the relay's URL says ahead=off: one write and one round trip
 * for each.
 *
 * What is promised:
 * - Each submitted transaction gets its callback exactly once, in bounded time (its timeout).
 * - A transaction is put on a second session only if the first was a reused one that turned out
 * stale (closed, reset or 421) before the end of the body was handed to the socket. After that
 * nothing is sent again: the outcome is SMTP_UNKNOWN.
 * - Where credentials are set, no MAIL goes out before AUTH has been answered with 235.
 * - TLS as the relay demands it, 1.2 or later, certificate and name verified; no fallback.
 * - One whose envelope went ahead goes to another session if its own ends, or takes over a second
 * for the message before: its body has not been begun, so that nothing can have been delivered.
 * - A session never serves another relay configuration than the one it was opened for.
 *
 * Memory: what a transaction points to is borrowed until its callback returns. The result is given
 * to the callback, which frees it (smtp_result_free), then or later. Threads: smtp_sender_submit()
 * and _check() from any thread; callbacks come on loop threads and must not block.
 * smtp_sender_free() from the thread that created, when nothing is in flight or after
 * smtp_sender_stop(). Loops have threads of their own, or are hosted: run by threads of the
 * caller's, which saves waking one for each mail and each answer.
 */
#ifndef POSTERN_SMTP_SENDER_H
#define POSTERN_SMTP_SENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/arena.h"
#include "smtp/relay.h"
#include "smtp/reply.h"

typedef enum smtp_stage {
    SMTP_STAGE_NONE, /* no relay was spoken to: waiting for a session, or refused before */
    SMTP_STAGE_RESOLVE,
    SMTP_STAGE_CONNECT,
    SMTP_STAGE_TLS, /* the handshake of implicit TLS */
    SMTP_STAGE_GREETING,
    SMTP_STAGE_EHLO,
    SMTP_STAGE_STARTTLS, /* the command and its handshake */
    SMTP_STAGE_AUTH,
    SMTP_STAGE_MAIL,
    SMTP_STAGE_RCPT,
    SMTP_STAGE_DATA,
    SMTP_STAGE_BODY, /* the body, its final dot, and the reply to it */
    SMTP_STAGE_COUNT
} smtp_stage;

typedef enum smtp_category {
    SMTP_CATEGORY_NONE, /* nothing went wrong */
    SMTP_CATEGORY_NETWORK,
    SMTP_CATEGORY_TLS,
    SMTP_CATEGORY_AUTH,
    SMTP_CATEGORY_SENDER,
    SMTP_CATEGORY_RECIPIENT,
    SMTP_CATEGORY_CONTENT,
    SMTP_CATEGORY_SIZE,
    SMTP_CATEGORY_POLICY,
    SMTP_CATEGORY_RATE,
    SMTP_CATEGORY_TEMPORARY,
    SMTP_CATEGORY_PROTOCOL,
    SMTP_CATEGORY_COUNT
} smtp_category;

/* Why, in one word: finer than the category, and bounded, so that it may be a metric's label.
 * docs/replies.md says what each means and what to do. */
typedef enum smtp_cause {
    SMTP_CAUSE_NONE, /* nothing went wrong, or it was not a refusal */
    SMTP_CAUSE_NETWORK,
    SMTP_CAUSE_TLS,
    SMTP_CAUSE_AUTH,
    SMTP_CAUSE_ACCOUNT, /* the account at the relay: not active, blocked, not paid */
    SMTP_CAUSE_QUOTA,   /* the account's own limit of a day or an hour */
    SMTP_CAUSE_RATE,
    SMTP_CAUSE_SPF,
    SMTP_CAUSE_DKIM,
    SMTP_CAUSE_DMARC,
    SMTP_CAUSE_UNAUTHENTICATED, /* neither SPF nor DKIM passes */
    SMTP_CAUSE_PTR,
    SMTP_CAUSE_HELO,
    SMTP_CAUSE_IP_REPUTATION,
    SMTP_CAUSE_DOMAIN_REPUTATION,
    SMTP_CAUSE_RELAYING,
    SMTP_CAUSE_POLICY,
    SMTP_CAUSE_SENDER_NOT_ALLOWED,
    SMTP_CAUSE_SENDER_DOMAIN,
    SMTP_CAUSE_SENDER_REFUSED,
    SMTP_CAUSE_UNKNOWN_USER,
    SMTP_CAUSE_MAILBOX_FULL,
    SMTP_CAUSE_MAILBOX_DISABLED,
    SMTP_CAUSE_RECIPIENT_DOMAIN,
    SMTP_CAUSE_RECIPIENT_REFUSED,
    SMTP_CAUSE_LOOP,
    SMTP_CAUSE_SPAM,
    SMTP_CAUSE_ATTACHMENT, /* of a forbidden kind, or with a virus */
    SMTP_CAUSE_MALFORMED,
    SMTP_CAUSE_MESSAGE_REFUSED,
    SMTP_CAUSE_SIZE,
    SMTP_CAUSE_GREYLIST,
    SMTP_CAUSE_BUSY,
    SMTP_CAUSE_PROTOCOL,
    SMTP_CAUSE_COUNT
} smtp_cause;

const char *smtp_stage_name(smtp_stage s);       /* "starttls" */
const char *smtp_category_name(smtp_category c); /* "network"; "" for NONE */
const char *smtp_cause_name(smtp_cause c);       /* "unknown_user"; "" for NONE */

typedef enum smtp_outcome {
    SMTP_SENT,     /* accepted for every recipient */
    SMTP_PARTIAL,  /* accepted for some */
    SMTP_NOT_SENT, /* accepted for none */
    SMTP_UNKNOWN   /* the end of the body was sent, and no reply came */
} smtp_outcome;

/* Who has to act, which decides the HTTP status. */
typedef enum smtp_blame {
    SMTP_BLAME_NONE,
    SMTP_BLAME_MESSAGE, /* sender, recipient, content or size, for good: the caller can mend it */
    SMTP_BLAME_GATEWAY, /* credentials, TLS, the relay's policy towards us: the operator can */
    SMTP_BLAME_RELAY,   /* down, busy, 4yz: later may work */
    SMTP_BLAME_TIMEOUT  /* the relay didn't answer in time */
} smtp_blame;

/* What went wrong, explained (classify.h makes it). */
typedef struct smtp_fault {
    smtp_category category;
    smtp_cause cause;
    smtp_stage stage;
    smtp_blame blame;
    bool retryable;
    const char *hint; /* static: one sentence a person can act on; NULL: none known */
    char *detail;     /* what happened, one sentence; owned by the result */
} smtp_fault;

typedef struct smtp_recipient_result {
    smtp_reply reply; /* to its RCPT; code 0 if none came */
    bool accepted;
    smtp_category category; /* of a refusal */
    smtp_cause cause;
    const char *hint; /* static or NULL */
    bool retryable;
} smtp_recipient_result;

typedef struct smtp_line {
    int64_t at_us; /* since the transaction was submitted (or the check begun) */
    char side;     /* 'C' client, 'S' relay, '*' what happened (connected, TLS …) */
    char *text;    /* credentials masked; no line end */
} smtp_line;

typedef struct smtp_step { /* of a check */
    smtp_stage stage;
    bool ok;
    int64_t took_us;
    smtp_reply reply; /* code 0: the step has none */
    char *detail;     /* "192.0.2.1:587", "TLSv1.3 …"; may be NULL */
} smtp_step;

typedef struct smtp_timing { /* microseconds; 0: did not happen */
    int64_t queued;   /* submitted until it had a session's attention (or a new one was begun) */
    int64_t session;  /* opening a new session, resolve to AUTH; 0 if reused */
    int64_t envelope; /* MAIL to the reply to DATA */
    int64_t body;     /* first byte of the body to the reply to the dot */
    int64_t total;
} smtp_timing;

typedef struct smtp_result {
    smtp_outcome outcome;
    smtp_reply
        reply; /* the decisive one: to the dot if SENT or PARTIAL, else the refusal; code 0: none */
    smtp_fault fault;                  /* category NONE if SENT or PARTIAL */
    smtp_recipient_result *recipients; /* in the envelope's order; NULL in a check */
    size_t recipient_count;
    bool reused;     /* the session had served before */
    bool second_try; /* a stale session was replaced */
    char tls[64];    /* "TLSv1.3 TLS_AES_256_GCM_SHA384"; "" if in clear or never connected */
    smtp_timing timing;
    smtp_line *lines; /* the transcript, if asked for */
    size_t line_count;
    smtp_step *steps; /* a check's */
    size_t step_count;
    arena texts; /* lent to replies; behind the result, which can't be copied so */
} smtp_result;

void smtp_result_free(smtp_result *r);

/* The message can't be read to its end: it is not sent. */
#define SMTP_SOURCE_FAILED SIZE_MAX

/* Bytes of the message, pulled on a loop thread as the socket takes them. */
typedef struct smtp_source {
    size_t (*read)(void *ctx, char *out, size_t cap); /* 0: the end; SMTP_SOURCE_FAILED */
    void (*rewind)(void *ctx);                        /* called before a second try only */
    void *ctx;
    uint64_t size;  /* of the whole message in octets, CRLF counted, before dot-stuffing */
    bool eight_bit; /* a byte over 127 may occur */
} smtp_source;

typedef void smtp_done(void *ctx,
                       smtp_result *result); /* result NULL: memory ran out; nothing sent */

typedef struct smtp_transaction {
    const char *id; /* for logs */
    const smtp_relay *relay;
    const char *reverse_path; /* addr-spec without <>; "" is the null reverse-path */
    const char *const *recipients;
    size_t recipient_count; /* at least 1 */
    bool utf8;              /* needs SMTPUTF8: an address or the header is beyond ASCII */
    smtp_source source;
    int64_t timeout_us; /* whole time, waiting for a session included */
    bool transcript;
    smtp_done *done;
    void *ctx;
} smtp_transaction;

typedef struct smtp_sender_options {
    unsigned threads;              /* 1 to 64 */
    bool hosted;                   /* no threads: as many loops, which the caller's threads run */
    int64_t idle_us;               /* a session unused for this long is closed with QUIT */
    unsigned session_transactions; /* a session is closed after this many; 0: no limit */
    void (*before_wait)(
        void *ctx); /* on each loop thread, when it has no more to do; may be NULL */
    void *ctx;      /* before_wait's */
} smtp_sender_options;

typedef struct smtp_sender smtp_sender;

/* Starts the threads. NULL, and *error a sentence the caller frees, if that can't be done. The
 * program must have called curl_global_init() and ignore SIGPIPE. */
smtp_sender *smtp_sender_create(const smtp_sender_options *options, char **error);

/* Hands over; the struct is copied, what it points to is not. False, and no callback, only if
 * memory ran out or the sender is stopping. */
bool smtp_sender_submit(smtp_sender *s, const smtp_transaction *t);

/* Walks the relay on a session of its own: resolve to AUTH, MAIL FROM:<reverse_path> (no step for
 * it if NULL), RSET, QUIT. Nothing is sent. `steps` holds each step that was taken; the last one is
 * not ok if it failed, and `fault` says why. */
typedef struct smtp_check {
    const char *id;
    const smtp_relay *relay;
    const char *reverse_path;
    int64_t timeout_us;
    bool transcript;
    smtp_done *done;
    void *ctx;
} smtp_check;

bool smtp_sender_check(smtp_sender *s, const smtp_check *c);

typedef struct smtp_sender_stats { /* counters since start, gauges now; over all threads */
    uint64_t sessions_opened, sessions_failed, sessions_reused, second_tries;
    uint64_t sessions_open, sessions_idle; /* now */
    uint64_t waiting;                      /* transactions without a session, now */
} smtp_sender_stats;

/* ---- hosted loops: a thread of the caller's runs one beside what else it waits for ---- */

/* Says that the calling thread will run that loop (from 0) until the sender has stopped, or the
 * thread says that it leaves it. From then on what this thread submits needs no waking, and its
 * callbacks come on it, within a turn. False: the sender is stopping, and the loop is not the
 * thread's. */
bool smtp_sender_host(smtp_sender *s, unsigned loop);

/* The thread runs it no more. Before the sender has stopped, whatever is in flight stays until
 * smtp_sender_stop(), which then runs the loop to its end. */
void smtp_sender_leave(smtp_sender *s, unsigned loop);

/* The loop's epoll, which stays the sender's. The host waits on it, and what it tells of goes to
 * smtp_sender_turn(). It is there for the host's own descriptors too: what they have in data.u64
 * must leave these upper bits clear, as addresses do, and is nothing to the sender, whose own have
 * one of them. */
#define SMTP_SENDER_TAGS (UINT64_C(7) << 61)
int smtp_sender_epoll(const smtp_sender *s, unsigned loop);

/* By when, on clock_us()'s scale, the next turn must be taken: 0 at once, INT64_MAX not for its own
 * sake. */
int64_t smtp_sender_due(smtp_sender *s, unsigned loop);

/* True while another transaction would have to wait: some do, and no session is idle. */
bool smtp_sender_is_full(const smtp_sender *s, unsigned loop);

/* Does what there is to do, and doesn't wait. The events: all that epoll_wait() has told of. */
void smtp_sender_turn(smtp_sender *s, unsigned loop, const struct epoll_event *events, int count);

/* For one relay. */
void smtp_sender_stats_get(const smtp_sender *s, const smtp_relay *relay, smtp_sender_stats *out);

/* Ends what is in flight as not sent (or unknown), closes sessions with QUIT where the relay
 * answers within `grace_us`, joins the threads. To drain, stop submitting and wait for the
 * callbacks first. */
void smtp_sender_stop(smtp_sender *s, int64_t grace_us);
void smtp_sender_free(smtp_sender *s);

#endif
