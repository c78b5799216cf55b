#include "smtp/loop.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "smtp/classify.h"
#include "smtp/envelope.h"
#include "smtp/result.h"

#define EVENTS 256
/* What epoll gives back: the wake-up, a socket that is libcurl's at the moment, a session's address
 * (whose upper bits are never set on Linux), or, without any of SMTP_SENDER_TAGS, what is the
 * host's. */
#define WAKE_TAG    (UINT64_C(1) << 63)
#define CURL_TAG    (UINT64_C(1) << 62)
#define SESSION_TAG (UINT64_C(1) << 61)
_Static_assert((WAKE_TAG | CURL_TAG | SESSION_TAG) == SMTP_SENDER_TAGS, "what hosts leave clear");
/* After a relay has refused a further session while others work, none is asked for so long. */
#define FULL_US  INT64_C(5000000)
#define STOPPING "the gateway is shutting down"

#define MEMBER_OF(pointer, type, member)                                                           \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* ---- tasks ---- */

void smtp_task_free(smtp_task *t)
{
    if (!t)
        return;
    smtp_result_free(t->result);
    smtp_transcript_free(&t->transcript);
    free(t);
}

void smtp_task_end(smtp_task *t)
{
    smtp_loop *l = t->pool->loop;
    smtp_result *r = t->result;
    int64_t now = clock_us();
    smtp_timer_stop(&l->timers, &t->deadline);
    r->second_try = t->second_try;
    r->timing.total = now - t->submitted;
    if (t->what.transcript)
        smtp_transcript_give(&t->transcript, t->submitted, r);
    t->result = NULL;
    smtp_pace_heard(t->what.relay->pace, &r->reply, now);
    atomic_fetch_sub_explicit(&l->load, 1, memory_order_relaxed);
    t->what.done(t->what.ctx, r);
    smtp_task_free(t);
}

/* Ends a task that never got to speak, with the fault of whatever kept it from that. */
static void fail_task(smtp_task *t, const smtp_fault *fault, const smtp_reply *reply,
                      const smtp_transcript *lines)
{
    smtp_result *r = t->result;
    r->outcome = SMTP_NOT_SENT;
    free(r->fault.detail);
    r->fault = *fault;
    r->fault.detail = fault->detail ? strdup(fault->detail) : NULL;
    if (reply)
        smtp_result_keep(r, &r->reply, reply);
    if (lines && t->what.transcript)
        smtp_transcript_append(&t->transcript, lines);
    r->timing.queued = (t->attended ? t->attended : clock_us()) - t->submitted;
    smtp_task_end(t);
}

/* Into the queue before that one; NULL: behind all. */
static void enqueue(smtp_pool *p, smtp_task *t, smtp_task *before)
{
    t->queued = true;
    t->next = before;
    t->previous = before ? before->previous : p->last;
    if (t->previous)
        t->previous->next = t;
    else
        p->first = t;
    if (before)
        before->previous = t;
    else
        p->last = t;
    p->waiting++;
    atomic_store_explicit(&p->waiting_now, p->waiting, memory_order_relaxed);
}

static void unqueue(smtp_pool *p, smtp_task *t)
{
    if (t->previous)
        t->previous->next = t->next;
    else
        p->first = t->next;
    if (t->next)
        t->next->previous = t->previous;
    else
        p->last = t->previous;
    t->queued = false;
    p->waiting--;
    atomic_store_explicit(&p->waiting_now, p->waiting, memory_order_relaxed);
}

/* ---- pools ---- */

static void pump(smtp_pool *p);

static void on_retry(smtp_timer *timer)
{
    pump(MEMBER_OF(timer, smtp_pool, retry));
}

smtp_pool *smtp_loop_pool(const smtp_loop *l, const smtp_relay *relay)
{
    smtp_pool *p = atomic_load_explicit(&l->pools, memory_order_acquire);
    while (p && p->relay != relay)
        p = atomic_load_explicit(&p->next, memory_order_acquire);
    return p;
}

unsigned smtp_loop_share(const smtp_loop *l, const smtp_relay *relay)
{
    return relay->sessions / l->loops + (l->index < relay->sessions % l->loops ? 1 : 0);
}

static smtp_pool *get_pool(smtp_loop *l, const smtp_relay *relay)
{
    smtp_pool *p = smtp_loop_pool(l, relay);
    if (p || !(p = calloc(1, sizeof *p)))
        return p;
    p->loop = l;
    p->relay = relay;
    p->cap = smtp_loop_share(l, relay);
    if (p->cap == 0) /* a check's only, which has a session of its own anyway */
        p->cap = 1;
    p->retry.fire = on_retry;
    atomic_store_explicit(&p->next, atomic_load(&l->pools), memory_order_relaxed);
    atomic_store_explicit(&l->pools, p, memory_order_release);
    return p;
}

static void on_idle_timeout(smtp_timer *timer);

static void push_idle(smtp_pool *p, smtp_session *s)
{
    s->state = SMTP_IDLE;
    s->next_idle = p->idle;
    p->idle = s;
    s->timer.fire = on_idle_timeout;
    smtp_timer_set(&p->loop->timers, &s->timer, clock_us() + p->loop->idle_us);
    atomic_fetch_add_explicit(&p->idle_now, 1, memory_order_relaxed);
}

void smtp_pool_unidle(smtp_pool *p, smtp_session *s)
{
    if (s->state != SMTP_IDLE)
        return;
    smtp_session **at = &p->idle;
    while (*at && *at != s)
        at = &(*at)->next_idle;
    if (!*at)
        return;
    *at = s->next_idle;
    atomic_fetch_sub_explicit(&p->idle_now, 1, memory_order_relaxed);
}

/* Sends an open session away. */
static void quit(smtp_pool *p, smtp_session *s)
{
    smtp_pool_unidle(p, s);
    p->leaving++;
    smtp_session_quit(s);
    smtp_pool_lost(p);
}

void smtp_pool_left(smtp_pool *p)
{
    p->leaving--;
    pump(p);
}

static void on_idle_timeout(smtp_timer *timer)
{
    smtp_session *s = MEMBER_OF(timer, smtp_session, timer);
    quit(s->pool, s);
}

/* Sessions that this loop may have to the relay now. Each loop keeps one where it has transactions:
 * they are not handed to another. */
static unsigned sessions_allowed(const smtp_pool *p)
{
    const smtp_pace *pace = p->relay->pace;
    unsigned allowed = smtp_pace_sessions(pace, clock_us());
    if (allowed >= pace->sessions)
        return p->cap;
    unsigned share = allowed * p->cap / pace->sessions;
    return share > 0 ? share : 1;
}

/* True if the relay's rate lets the first that waits go; else it is looked at again in time. */
static bool in_turn(smtp_pool *p)
{
    p->paced_until = smtp_pace_take(p->relay->pace, p->first->what.recipient_count, clock_us());
    if (p->paced_until == 0)
        return true;
    smtp_timer_set(&p->loop->timers, &p->retry, p->paced_until);
    return false;
}

static void give_work(smtp_pool *p)
{
    while (p->first && p->idle && in_turn(p)) {
        smtp_session *s = p->idle;
        smtp_task *t = p->first;
        smtp_pool_unidle(p, s);
        smtp_timer_stop(&p->loop->timers, &s->timer);
        unqueue(p, t);
        if (s->served > 0)
            atomic_fetch_add_explicit(&p->reused, 1, memory_order_relaxed);
        smtp_dialogue_begin(s, t);
    }
}

smtp_task *smtp_pool_next(const smtp_pool *p)
{
    if (p->idle || p->opening > 0 || p->loop->stopping || smtp_pace_has_rate(p->relay->pace) ||
        p->open > sessions_allowed(p))
        return NULL;
    return p->first;
}

void smtp_pool_take(smtp_pool *p, smtp_task *t)
{
    unqueue(p, t);
    atomic_fetch_add_explicit(&p->reused, 1, memory_order_relaxed);
}

/* Fails those that waited at `since` already. What a callback brings comes by the inbox, later. */
static void fail_waiting(smtp_pool *p, int64_t since, const smtp_fault *fault,
                         const smtp_reply *reply, const smtp_transcript *lines)
{
    while (p->first && p->first->submitted <= since) {
        smtp_task *t = p->first;
        unqueue(p, t);
        fail_task(t, fault, reply, lines);
    }
}

static const smtp_fault stopping_fault = {.category = SMTP_CATEGORY_TEMPORARY,
                                          .blame = SMTP_BLAME_RELAY,
                                          .retryable = true,
                                          .detail = (char[]){"The gateway is shutting down."}};

void smtp_pool_return(smtp_pool *p, smtp_task *t)
{
    if (p->loop->stopping) {
        fail_task(t, &stopping_fault, NULL, NULL);
        return;
    }
    t->kept_back = true;
    enqueue(p, t, p->first);
    pump(p);
}

static void no_memory(smtp_fault *fault)
{
    smtp_classify_curl(SMTP_STAGE_NONE, CURLE_OUT_OF_MEMORY, NULL, NULL, fault);
}

/* As many sessions as there are transactions to carry, up to the cap. While none has ever opened
 * there is only one try at a time: eight wrong logins at once may lock an account. */
static void open_more(smtp_pool *p)
{
    unsigned cap = p->waiting > p->opening ? sessions_allowed(p) : 0;
    while (p->waiting > p->opening && p->open + p->opening + p->replacing + p->leaving < cap &&
           (p->open > 0 || p->opening == 0)) {
        if (p->idle) /* what waits then waits for its turn, not for a session */
            return;
        if (clock_us() < p->full_until && p->open + p->opening > 0) {
            smtp_timer_set(&p->loop->timers, &p->retry, p->full_until);
            return;
        }
        for (smtp_task *t = p->first; t; t = t->next) {
            if (!t->attended) {
                t->attended = clock_us();
                break;
            }
        }
        if (smtp_session_open(p, NULL))
            continue;
        if (p->open + p->opening == 0) {
            smtp_fault fault = {0};
            no_memory(&fault);
            fail_waiting(p, clock_us(), &fault, NULL, NULL);
        }
        return;
    }
}

static void pump(smtp_pool *p)
{
    if (p->pumping || p->loop->stopping)
        return;
    p->pumping = true;
    give_work(p);
    open_more(p);
    give_work(p);
    p->pumping = false;
}

void smtp_pool_ready(smtp_pool *p, smtp_session *s)
{
    smtp_loop *l = p->loop;
    if (s->state == SMTP_OPENING) {
        atomic_fetch_add_explicit(&p->opened, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&p->open_now, 1, memory_order_relaxed);
        if (s->bound) {
            s->bound = false;
            smtp_dialogue_begin(s, s->task);
            return;
        }
    }
    if (l->stopping || s->last || p->open > sessions_allowed(p) ||
        (l->session_transactions && s->served >= l->session_transactions)) {
        quit(p, s);
        return;
    }
    push_idle(p, s);
    pump(p);
    s->rested = s->rested || s->state == SMTP_IDLE;
}

void smtp_pool_lost(smtp_pool *p)
{
    p->open--;
    atomic_fetch_sub_explicit(&p->open_now, 1, memory_order_relaxed);
    pump(p);
}

void smtp_pool_refused(smtp_pool *p, smtp_session *s, const smtp_fault *fault)
{
    smtp_reply *reply = s->stage_reply.code >= 400 ? &s->stage_reply : NULL;
    smtp_task *t = s->task;

    atomic_fetch_add_explicit(&p->failed, 1, memory_order_relaxed);
    smtp_pace_heard(p->relay->pace, &s->stage_reply, clock_us());
    s->task = NULL;
    smtp_session_close(s);
    if (t) {
        t->session = NULL;
        t->result->timing.session = clock_us() - s->begun;
        fail_task(t, fault, reply, &s->opening);
    } else if (p->open + p->opening > 0) {
        p->full_until = clock_us() + FULL_US;
    } else {
        /* Who came later than this try began gets one of its own. */
        fail_waiting(p, s->begun, fault, reply, &s->opening);
    }
    pump(p);
}

void smtp_pool_again(smtp_pool *p, smtp_task *t)
{
    atomic_fetch_add_explicit(&p->second_tries, 1, memory_order_relaxed);
    t->second_try = true;
    for (size_t i = 0; i < t->result->recipient_count; i++) {
        smtp_reply_clear(&t->result->recipients[i].reply);
        t->result->recipients[i] = (smtp_recipient_result){0};
    }
    if (t->what.source.rewind)
        t->what.source.rewind(t->what.source.ctx);
    if (smtp_session_open(p, t))
        return;
    smtp_fault fault = {0};
    no_memory(&fault);
    fail_task(t, &fault, NULL, NULL);
}

/* ---- deadlines ---- */

static void time_out(smtp_task *t, smtp_stage stage, const smtp_transcript *lines)
{
    smtp_fault fault = {0};
    const smtp_relay *relay = t->what.relay;
    smtp_classify_curl(stage, CURLE_OPERATION_TIMEDOUT, NULL, NULL, &fault);
    int made = stage == SMTP_STAGE_NONE
                   ? asprintf(&fault.detail, "No session to %s:%u was free in time.", relay->host,
                              relay->port)
                   : asprintf(&fault.detail, "%s:%u did not answer in time at %s.", relay->host,
                              relay->port, smtp_stage_name(stage));
    if (made < 0)
        fault.detail = NULL;
    if (stage == SMTP_STAGE_NONE)
        fault.hint =
            t->pool->paced_until != 0
                ? "More is sent than rate= in the relay's URL allows."
                : "All sessions are busy: raise sessions= in the relay's URL if the relay allows "
                  "it.";
    fail_task(t, &fault, NULL, lines);
    free(fault.detail);
}

static void on_deadline(smtp_timer *timer)
{
    smtp_task *t = MEMBER_OF(timer, smtp_task, deadline);
    smtp_pool *p = t->pool;
    smtp_session *s = t->session;

    if (s && s->ahead == t) {
        (void)smtp_dialogue_hold_back(s);
        time_out(t, SMTP_STAGE_NONE, NULL);
        return;
    }
    if (s && s->state != SMTP_OPENING) {
        smtp_dialogue_abort(s, CURLE_OPERATION_TIMEDOUT, "no answer in time");
        return;
    }
    if (s) {
        smtp_session_fail_step(s);
        s->task = NULL;
        t->session = NULL;
        smtp_session_close(s);
        time_out(t, s->stage, &s->opening);
        pump(p);
        return;
    }
    unqueue(p, t);
    for (s = p->sessions; s && s->state != SMTP_OPENING; s = s->next)
        continue;
    time_out(t, s && p->open == 0 ? s->stage : SMTP_STAGE_NONE, s ? &s->opening : NULL);
}

/* ---- libcurl's side of epoll ---- */

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *unused)
{
    smtp_loop *l = ctx;
    struct epoll_event event = {.data.u64 = CURL_TAG | (uint32_t)fd};
    (void)easy;
    (void)unused;
    if (what == CURL_POLL_REMOVE) {
        (void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, fd, NULL); /* it may be closed already */
        return 0;
    }
    event.events = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) |
                   (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0);
    /* A number may have been closed and given again without a word. */
    int done = epoll_ctl(l->epoll, EPOLL_CTL_MOD, fd, &event);
    if (done != 0 && errno == ENOENT)
        done = epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &event);
    return done;
}

static int on_curl_timer(CURLM *multi, long ms, void *ctx)
{
    smtp_loop *l = ctx;
    (void)multi;
    if (ms < 0)
        smtp_timer_stop(&l->timers, &l->curl_timer);
    else
        smtp_timer_set(&l->timers, &l->curl_timer, clock_us() + (int64_t)ms * 1000);
    return 0;
}

/* Sessions that libcurl is done with: open, or failed. */
static void take_finished(smtp_loop *l)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(l->multi, &left))) {
        smtp_session *s = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        if (curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &s) == CURLE_OK && s &&
            s->state == SMTP_OPENING)
            smtp_session_opened(s, code);
    }
}

static void run_curl(smtp_loop *l, curl_socket_t fd, int events)
{
    int running;
    (void)curl_multi_socket_action(l->multi, fd, events, &running);
    take_finished(l);
}

static void fire_curl_timer(smtp_timer *timer)
{
    run_curl(MEMBER_OF(timer, smtp_loop, curl_timer), CURL_SOCKET_TIMEOUT, 0);
}

bool smtp_loop_watch(smtp_session *s)
{
    struct epoll_event event = {
        .events = (uint32_t)EPOLLIN | (s->wants_out ? (uint32_t)EPOLLOUT : 0), .data.ptr = s};
    event.data.u64 |= SESSION_TAG;
    int how = s->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(s->pool->loop->epoll, how, s->fd, &event) != 0)
        return false;
    s->watched = true;
    return true;
}

void smtp_loop_unwatch(smtp_session *s)
{
    if (!s->watched)
        return;
    (void)epoll_ctl(s->pool->loop->epoll, EPOLL_CTL_DEL, s->fd, NULL);
    s->watched = false;
}

/* ---- the thread ---- */

static void accept_task(smtp_loop *l, smtp_task *t)
{
    smtp_fault fault = {0};
    t->pool = get_pool(l, t->what.relay);
    if (!t->pool) { /* not even a pool: end by hand what smtp_task_end() would */
        atomic_fetch_sub_explicit(&l->load, 1, memory_order_relaxed);
        t->what.done(t->what.ctx, NULL);
        smtp_task_free(t);
        return;
    }
    if (l->stopping) {
        smtp_classify_curl(SMTP_STAGE_NONE, CURLE_ABORTED_BY_CALLBACK, NULL, NULL, &fault);
        fail_task(t, &fault, NULL, NULL);
        return;
    }
    const char *wrong = t->is_check ? NULL : smtp_envelope_fault(&t->what, &fault.category);
    if (wrong) {
        fault.blame = SMTP_BLAME_MESSAGE;
        fault.detail = strdup(wrong);
        fail_task(t, &fault, NULL, NULL);
        free(fault.detail);
        return;
    }
    t->deadline.fire = on_deadline;
    smtp_timer_set(&l->timers, &t->deadline, t->submitted + t->what.timeout_us);
    if (!t->is_check) {
        enqueue(t->pool, t, NULL);
        return;
    }
    if (!smtp_session_open(t->pool, t)) {
        no_memory(&fault);
        fail_task(t, &fault, NULL, NULL);
    }
}

static void stop_pool(smtp_pool *p)
{
    fail_waiting(p, INT64_MAX, &stopping_fault, NULL, NULL);
    for (smtp_session *s = p->sessions, *next; s; s = next) {
        next = s->next;
        smtp_task *t = s->task, *ahead = smtp_dialogue_hold_back(s);
        if (ahead)
            fail_task(ahead, &stopping_fault, NULL, NULL);
        if (s->state == SMTP_OPENING) {
            s->task = NULL;
            smtp_session_close(s);
            if (t) {
                t->session = NULL;
                fail_task(t, &stopping_fault, NULL, &s->opening);
            }
        } else if (t && !s->dot_sent) { /* else the grace is for its reply */
            smtp_dialogue_abort(s, CURLE_ABORTED_BY_CALLBACK, STOPPING);
        } else if (s->state == SMTP_IDLE || s->state == SMTP_RESET) {
            quit(p, s);
        }
    }
}

static void take_inbox(smtp_loop *l)
{
    (void)pthread_mutex_lock(&l->lock);
    smtp_task *t = l->inbox_first;
    l->inbox_first = l->inbox_last = NULL;
    bool stop = l->stop && !l->stopping;
    int64_t grace_us = l->stop_grace_us;
    (void)pthread_mutex_unlock(&l->lock);
    while (t) {
        smtp_task *next = t->next;
        accept_task(l, t);
        t = next;
    }
    for (smtp_pool *p = atomic_load(&l->pools); p; p = atomic_load(&p->next))
        pump(p);
    if (!stop)
        return;
    l->stopping = true;
    l->stop_at = clock_us() + grace_us;
    for (smtp_pool *p = atomic_load(&l->pools); p; p = atomic_load(&p->next))
        stop_pool(p);
}

static bool any_session(const smtp_loop *l)
{
    for (smtp_pool *p = atomic_load(&l->pools); p; p = atomic_load(&p->next)) {
        if (p->sessions)
            return true;
    }
    return false;
}

static void free_dead(smtp_loop *l)
{
    while (l->dead) {
        smtp_session *s = l->dead;
        l->dead = s->next_dead;
        smtp_session_free(s);
    }
}

static int wait_ms(const smtp_loop *l)
{
    int64_t until = l->timers.first ? l->timers.first->at : INT64_MAX;
    if (l->stopping && l->stop_at < until)
        until = l->stop_at;
    if (until == INT64_MAX)
        return -1;
    int64_t left = until - clock_us();
    if (left <= 0)
        return 0;
    left = (left + 999) / 1000;
    return left < 60000 ? (int)left : 60000;
}

static void handle(smtp_loop *l, const struct epoll_event *event)
{
    epoll_data_t data = event->data;
    if (data.u64 == WAKE_TAG) {
        uint64_t count;
        (void)!read(l->wake, &count, sizeof count); /* before the inbox: nothing is missed */
        take_inbox(l);
    } else if (data.u64 & CURL_TAG) {
        int events = (event->events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                     (event->events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                     (event->events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
        run_curl(l, (curl_socket_t)(data.u64 & UINT32_MAX), events);
    } else if (data.u64 & SESSION_TAG) {
        data.u64 &= ~SESSION_TAG;
        smtp_session *s = data.ptr; /* alive, or dead and not yet freed */
        if (s->state != SMTP_DEAD)
            smtp_dialogue_event(s, (event->events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0,
                                (event->events & EPOLLOUT) != 0);
    }
}

/* What has come, and what is due. */
static void do_turn(smtp_loop *l, const struct epoll_event *events, int count)
{
    for (int i = 0; i < count; i++)
        handle(l, &events[i]);
    smtp_timers_run(&l->timers, clock_us());
    free_dead(l);
}

static bool goes_on(const smtp_loop *l)
{
    return !l->stopping || (any_session(l) && clock_us() < l->stop_at);
}

/* Ends what the grace was not long enough for. */
static void finish(smtp_loop *l)
{
    for (smtp_pool *p = atomic_load(&l->pools); p; p = atomic_load(&p->next)) {
        while (p->sessions) {
            if (p->sessions->task)
                smtp_dialogue_abort(p->sessions, CURLE_ABORTED_BY_CALLBACK, STOPPING);
            else
                smtp_session_close(p->sessions);
        }
    }
    free_dead(l);
    (void)pthread_mutex_lock(&l->lock);
    l->finished = true;
    (void)pthread_cond_broadcast(&l->changed);
    (void)pthread_mutex_unlock(&l->lock);
}

static void *run(void *ctx)
{
    smtp_loop *l = ctx;
    struct epoll_event events[EVENTS];
    while (goes_on(l)) {
        int ms = wait_ms(l);
        if (ms != 0 && l->before_wait)
            l->before_wait(l->before_wait_ctx);
        do_turn(l, events, epoll_wait(l->epoll, events, EVENTS, ms));
    }
    finish(l);
    return NULL;
}

/* ---- for its host ---- */

bool smtp_loop_host(smtp_loop *l)
{
    (void)pthread_mutex_lock(&l->lock);
    bool ok = !l->stop; /* else whoever joins runs it, or has run it */
    if (ok) {
        l->thread = pthread_self();
        atomic_store(&l->has_host, true);
    }
    (void)pthread_mutex_unlock(&l->lock);
    return ok;
}

void smtp_loop_leave(smtp_loop *l)
{
    (void)pthread_mutex_lock(&l->lock);
    atomic_store(&l->has_host, false);
    (void)pthread_cond_broadcast(&l->changed);
    (void)pthread_mutex_unlock(&l->lock);
}

bool smtp_loop_is_here(smtp_loop *l)
{
    return atomic_load_explicit(&l->has_host, memory_order_acquire) &&
           pthread_equal(l->thread, pthread_self());
}

int64_t smtp_loop_due(smtp_loop *l)
{
    if (l->finished) /* written by this thread */
        return INT64_MAX;
    if (l->own_work)
        return 0;
    int64_t until = l->timers.first ? l->timers.first->at : INT64_MAX;
    return l->stopping && l->stop_at < until ? l->stop_at : until;
}

bool smtp_loop_is_full(const smtp_loop *l)
{
    bool waits = false;
    for (const smtp_pool *p = atomic_load(&l->pools); p; p = atomic_load(&p->next)) {
        if (p->idle)
            return false;
        waits = waits || p->first != NULL;
    }
    return waits;
}

void smtp_loop_turn(smtp_loop *l, const struct epoll_event *events, int count)
{
    if (l->own_work) {
        l->own_work = false;
        take_inbox(l);
    }
    do_turn(l, events, count);
    if (!l->finished && !goes_on(l))
        finish(l);
}

/* ---- from other threads ---- */

static void wake(const smtp_loop *l)
{
    const uint64_t one = 1;
    ssize_t n = write(l->wake, &one, sizeof one);
    (void)n; /* a full counter wakes as well */
}

bool smtp_loop_submit(smtp_loop *l, smtp_task *t)
{
    t->submitted = clock_us();
    (void)pthread_mutex_lock(&l->lock);
    if (l->stop) {
        (void)pthread_mutex_unlock(&l->lock);
        return false;
    }
    atomic_fetch_add_explicit(&l->load, 1, memory_order_relaxed);
    bool first = !l->inbox_first;
    t->next = NULL;
    if (first)
        l->inbox_first = t;
    else
        l->inbox_last->next = t;
    l->inbox_last = t;
    (void)pthread_mutex_unlock(&l->lock);
    if (smtp_loop_is_here(l))
        l->own_work = true;
    else if (first)
        wake(l);
    return true;
}

void smtp_loop_stop(smtp_loop *l, int64_t grace_us)
{
    (void)pthread_mutex_lock(&l->lock);
    l->stop = true;
    l->stop_grace_us = grace_us;
    (void)pthread_mutex_unlock(&l->lock);
    wake(l);
}

void smtp_loop_join(smtp_loop *l)
{
    if (l->started)
        (void)pthread_join(l->thread, NULL);
    l->started = false;
    (void)pthread_mutex_lock(&l->lock);
    while (atomic_load(&l->has_host) && !l->finished)
        (void)pthread_cond_wait(&l->changed, &l->lock);
    bool left = l->hosted && !l->finished;
    (void)pthread_mutex_unlock(&l->lock);
    if (left)
        (void)run(l); /* nobody does, or ever did */
}

static void tell(char **error, const char *what)
{
    if (asprintf(error, "The sender can't start: %s.", what) < 0)
        *error = NULL;
}

static bool set_up(smtp_loop *l)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = WAKE_TAG};
    return l->epoll >= 0 && l->wake >= 0 && l->multi && l->share &&
           curl_share_setopt(l->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK &&
           epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->wake, &event) == 0 &&
           curl_multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket) == CURLM_OK &&
           curl_multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l) == CURLM_OK &&
           curl_multi_setopt(l->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer) == CURLM_OK &&
           curl_multi_setopt(l->multi, CURLMOPT_TIMERDATA, l) == CURLM_OK &&
           /* It counts CONNECT_ONLY's connections too and would close one of them to make room. */
           curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, 100000L) == CURLM_OK;
}

smtp_loop *smtp_loop_create(const smtp_sender_options *options, unsigned index, unsigned loops,
                            char **error)
{
    smtp_loop *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->index = index;
    l->loops = loops;
    l->idle_us = options->idle_us;
    l->session_transactions = options->session_transactions;
    l->before_wait = options->before_wait;
    l->before_wait_ctx = options->ctx;
    l->curl_timer.fire = fire_curl_timer;
    l->hosted = options->hosted;
    (void)pthread_mutex_init(&l->lock, NULL); /* with default attributes it can't fail on Linux */
    (void)pthread_cond_init(&l->changed, NULL);
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    l->multi = curl_multi_init();
    l->share = curl_share_init();
    if (!set_up(l)) {
        tell(error, "no descriptors or no memory");
        smtp_loop_free(l);
        return NULL;
    }
    l->started = !l->hosted && pthread_create(&l->thread, NULL, run, l) == 0;
    if (!l->started && !l->hosted) {
        tell(error, "no thread can be made");
        smtp_loop_free(l);
        return NULL;
    }
    return l;
}

void smtp_loop_free(smtp_loop *l)
{
    if (!l)
        return;
    for (smtp_pool *p = atomic_load(&l->pools), *next; p; p = next) {
        next = atomic_load(&p->next);
        free(p);
    }
    (void)curl_multi_cleanup(l->multi);
    (void)curl_share_cleanup(l->share);
    if (l->epoll >= 0)
        (void)close(l->epoll);
    if (l->wake >= 0)
        (void)close(l->wake);
    (void)pthread_cond_destroy(&l->changed);
    (void)pthread_mutex_destroy(&l->lock);
    free(l);
}
