/*
 * loop - one sender thread: its epoll, its relays' pools of sessions, the transactions that wait
 * and those that are under way. Shared by loop.c (pools and events), session.c (opening and closing
 * a session) and dialogue.c (speaking a transaction on one); nobody else includes it.
 *
 * Everything here belongs to the loop's thread, but for the inbox (under its lock) and the atomics.
 */
#ifndef POSTERN_SMTP_LOOP_H
#define POSTERN_SMTP_LOOP_H

#include <pthread.h>
#include <stdatomic.h>

#include <curl/curl.h>

#include "base/buf.h"
#include "smtp/caps.h"
#include "smtp/dot.h"
#include "smtp/relay_config.h"
#include "smtp/sender.h"
#include "smtp/timer.h"
#include "smtp/transcript.h"

typedef struct smtp_loop smtp_loop;
typedef struct smtp_pool smtp_pool;
typedef struct smtp_session smtp_session;
typedef struct smtp_task smtp_task;

/* ---- a transaction, or a check, on its way ---- */

struct smtp_task {
    smtp_task *next;       /* in the inbox, or in the pool's queue */
    smtp_task *previous;   /* in the pool's queue */
    smtp_transaction what; /* of a check: the members that it has */
    bool is_check;
    bool queued; /* in the pool's queue */
    bool second_try;
    bool kept_back; /* a session was to serve it next and could not: it goes ahead no more */
    smtp_pool *pool;
    smtp_session *session; /* that serves it or has it next, or is being opened for it alone; NULL:
                              waiting */
    int64_t submitted, attended; /* attended 0: not yet */
    smtp_timer deadline;
    smtp_transcript transcript;
    smtp_result *result; /* made when submitted, so that ending can't fail */
    bool has_decisive;   /* result->reply is set */
};

/* ---- one relay's sessions and queue ---- */

struct smtp_pool {
    _Atomic(smtp_pool *) next; /* of the loop; never taken out */
    smtp_loop *loop;
    const smtp_relay *relay;
    unsigned cap;
    smtp_task *first, *last; /* waiting, oldest first */
    smtp_session *sessions;  /* all of them */
    smtp_session *idle;      /* the last used first */
    unsigned waiting;
    unsigned opening;   /* for whoever waits */
    unsigned replacing; /* being opened for one transaction's second try */
    unsigned open;      /* idle or at work */
    unsigned leaving;   /* QUIT was said; they count for the cap while the relay has them */
    bool pumping;
    int64_t full_until;  /* no further session before: the relay refused one while others worked */
    int64_t paced_until; /* the rate lets none go before; 0: it does */
    smtp_timer retry;    /* at one of the two, while transactions wait */
    /* Until then no envelope goes ahead on a session that has served so many transactions. */
    int64_t ahead_until;
    unsigned ahead_most;
    /* Read by other threads. */
    atomic_ullong opened, failed, reused, second_tries;
    atomic_ullong open_now, idle_now, waiting_now;
};

/* ---- a session ---- */

typedef enum smtp_state {
    SMTP_OPENING,  /* libcurl's: resolve to AUTH */
    SMTP_IDLE,     /* in the pool */
    SMTP_ENVELOPE, /* replies to MAIL, RCPT and DATA are awaited */
    SMTP_CANCEL,   /* a lone dot was sent, because DATA was accepted and no recipient */
    SMTP_SENDING,  /* the body, and the reply to its dot */
    SMTP_RESET,    /* RSET's reply is awaited */
    SMTP_QUITTING, /* QUIT was sent */
    SMTP_DEAD      /* closed; freed behind the events at hand */
} smtp_state;

struct smtp_session {
    smtp_session *next, *previous; /* of the pool */
    smtp_session *next_idle;
    smtp_session *next_dead;
    smtp_pool *pool;
    smtp_state state;
    CURL *easy;
    int fd; /* in our epoll; -1: not (yet) */
    bool watched, wants_out;
    smtp_task *task;
    smtp_task *ahead; /* the next: its envelope went with the body of `task` */
    bool promoted;    /* `task` was `ahead` */
    bool spoiled;     /* an envelope was said whose transaction is off: closed behind `task` */
    bool bound;       /* opened for `task` alone */
    bool last;        /* a check's: it serves nobody else */
    bool rested;      /* it has idled since it was opened, and may have gone stale by now */
    unsigned served;  /* transactions */
    smtp_timer timer; /* of idling, quitting, resetting, and of having a transaction ahead */

    /* opening */
    smtp_stage stage;
    int64_t begun, stage_since, ready;
    smtp_reply stage_reply;
    char *stage_detail;
    bool asked_ehlo; /* the last command was EHLO */
    bool authenticated;
    bool garbage; /* what came is not SMTP */
    smtp_caps caps;
    smtp_transcript opening; /* its lines, until the first transaction takes them */
    char error[CURL_ERROR_SIZE];
    char tls[64];

    /* speaking */
    smtp_reply_parser *parser;
    buf out;
    size_t out_at;
    size_t cursor; /* replies that came: 0 MAIL's is awaited, 1… RCPTs', last DATA's */
    size_t sent;   /* commands that went */
    bool mail_refused;
    size_t accepted; /* recipients */
    smtp_dot dot;
    bool source_ended;  /* the final dot is in `out`, or went */
    size_t body_end;    /* behind it in `out` */
    bool source_failed; /* the message can't be read to its end */
    bool dot_sent;      /* the final dot was handed to the socket, or may have been */
    int64_t envelope_since, body_since;
};

struct smtp_loop {
    unsigned index, loops; /* of the sender: they share a relay's sessions */
    pthread_t thread;      /* that runs it: its own, or its host's */
    bool started;          /* its own */
    bool hosted;           /* no thread of its own */
    atomic_bool has_host;  /* changed under the lock */
    int epoll, wake;
    CURLM *multi;
    CURLSH *share; /* of its sessions: what TLS can be resumed with */
    smtp_timers timers;
    smtp_timer curl_timer;
    _Atomic(smtp_pool *) pools;
    smtp_session *dead;
    int64_t idle_us;
    unsigned session_transactions;
    void (*before_wait)(void *ctx); /* may be NULL */
    void *before_wait_ctx;
    atomic_uint load; /* tasks handed over and not ended */

    pthread_mutex_t lock;
    smtp_task *inbox_first, *inbox_last;
    bool stop;
    int64_t stop_grace_us;
    bool finished; /* stopped, and nothing is left */
    pthread_cond_t changed;

    bool own_work; /* hosted: its own thread has put something into the inbox */
    bool stopping;
    int64_t stop_at;
};

/* loop.c */
smtp_loop *smtp_loop_create(const smtp_sender_options *options, unsigned index, unsigned loops,
                            char **error);
/* How many sessions to the relay are this loop's share; 0: its transactions go to other loops. */
unsigned smtp_loop_share(const smtp_loop *l, const smtp_relay *relay);
/* The relay's pool; NULL: it has none here yet. From any thread. */
smtp_pool *smtp_loop_pool(const smtp_loop *l, const smtp_relay *relay);
bool smtp_loop_submit(smtp_loop *l, smtp_task *t);   /* false: the loop stops */
void smtp_loop_stop(smtp_loop *l, int64_t grace_us); /* asks; the thread ends by itself */
void smtp_loop_join(smtp_loop *l);                   /* waits for it */

/* For the thread that runs a hosted loop; see smtp_sender_host(). */
bool smtp_loop_host(smtp_loop *l);
void smtp_loop_leave(smtp_loop *l);
int64_t smtp_loop_due(smtp_loop *l);
bool smtp_loop_is_full(const smtp_loop *l);
void smtp_loop_turn(smtp_loop *l, const struct epoll_event *events, int count);
/* True if the calling thread is the one that runs it. */
bool smtp_loop_is_here(smtp_loop *l);
void smtp_loop_free(smtp_loop *l);

void smtp_task_free(smtp_task *t);

/* Ends a task: its callback is called, and the task freed. */
void smtp_task_end(smtp_task *t);

/* The pool's side of a session's life. */
void smtp_pool_ready(smtp_pool *p, smtp_session *s); /* open, or done with a transaction */
void smtp_pool_unidle(smtp_pool *p,
                      smtp_session *s); /* takes it out of those that idle, if it does */
void smtp_pool_lost(smtp_pool *p);      /* an open one was closed */
void smtp_pool_left(smtp_pool *p);      /* one that said QUIT was closed */
void smtp_pool_refused(smtp_pool *p, smtp_session *s,
                       const smtp_fault *fault);  /* could not be opened */
void smtp_pool_again(smtp_pool *p, smtp_task *t); /* the task's second try */
/* The first that waits, if no session is free, or soon will be, to begin it; else NULL. */
smtp_task *smtp_pool_next(const smtp_pool *p);
void smtp_pool_take(smtp_pool *p, smtp_task *t); /* out of the queue, for a session */
/* Back to the queue's front, from a session that was to serve it next; ends it if all stops. */
void smtp_pool_return(smtp_pool *p, smtp_task *t);

/* Watches the session's socket from now on, for writing too if it wants to. */
bool smtp_loop_watch(smtp_session *s);
void smtp_loop_unwatch(smtp_session *s);

/* session.c */
smtp_session *smtp_session_open(smtp_pool *p, smtp_task *bound); /* NULL: no memory */
void smtp_session_opened(smtp_session *s, CURLcode code);        /* libcurl has done its part */
void smtp_session_close(smtp_session *s); /* the socket, at once; the task must be off */
void smtp_session_free(smtp_session *s);
void smtp_session_quit(smtp_session *s);
/* A check's session is given up while it is opened: the present step has failed. */
void smtp_session_fail_step(smtp_session *s);

/* dialogue.c */
void smtp_dialogue_begin(smtp_session *s, smtp_task *t);
void smtp_dialogue_event(smtp_session *s, bool readable, bool writable);
/* The task's time is up (CURLE_OPERATION_TIMEDOUT), or the sender stops. */
void smtp_dialogue_abort(smtp_session *s, CURLcode code, const char *what);
bool smtp_dialogue_flush(smtp_session *s); /* false: the connection is broken */
/* Takes off what the session was to serve next; NULL: nothing. */
smtp_task *smtp_dialogue_hold_back(smtp_session *s);

#endif
