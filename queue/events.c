#include "queue/events.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "queue/events_own.h"

#define LEASE_MORE   MINUTE
#define SETTLE_AGAIN SECOND     /* where the queue could not */
#define CLAIM_PAUSE  (100 * MS) /* after one that gave all there was: clocks may differ */
#define NEVER        INT64_MAX
#define NO_MEMORY    "there is not enough memory for webhooks"

static const events_pace standard_pace = {
    .retry_us = {5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR,
                 20 * HOUR, 24 * HOUR},
    .pause_first_us = SECOND,
    .pause_most_us = MINUTE,
    .poll_us = 5 * SECOND,
};

/* ---- what comes back from the queue ----
 * An operation is on the heap with all that it borrows, and outlives a queue that is slow to end
 * it: whoever is last gives it back. */

typedef struct inbox inbox;
typedef struct try try;

typedef struct call {
    queue_op op; /* the first member */
    inbox *in;
    try *of; /* NULL: a claim */
    struct call *next;
    char owner[QUEUE_OWNER + 1];
} call;

struct inbox {
    pthread_mutex_t lock;
    unsigned users;     /* calls under way, and events */
    CURLM *multi;       /* NULL: nobody is there any more */
    call *first, **end; /* calls that are done */
    bool wake, stop;
    int64_t stop_at;
};

static inbox *inbox_new(CURLM *multi)
{
    inbox *in = calloc(1, sizeof *in);
    if (!in)
        return NULL;
    (void)pthread_mutex_init(&in->lock, NULL); /* can't fail on Linux */
    in->users = 1;
    in->multi = multi;
    in->end = &in->first;
    return in;
}

static void inbox_leave(inbox *in) /* unlocks it */
{
    bool last = --in->users == 0;
    (void)pthread_mutex_unlock(&in->lock);
    if (!last)
        return;
    (void)pthread_mutex_destroy(&in->lock);
    free(in);
}

static void call_free(call *c)
{
    queue_op_clear(&c->op);
    free(c);
}

static void call_done(queue_op *op)
{
    call *c = (call *)op;
    inbox *in = c->in;
    (void)pthread_mutex_lock(&in->lock);
    if (in->multi) {
        c->next = NULL;
        *in->end = c;
        in->end = &c->next;
        (void)curl_multi_wakeup(in->multi);
    } else {
        call_free(c);
    }
    inbox_leave(in);
}

static call *inbox_take(inbox *in)
{
    call *first = in->first;
    in->first = NULL;
    in->end = &in->first;
    return first;
}

static void inbox_close(inbox *in)
{
    (void)pthread_mutex_lock(&in->lock);
    in->multi = NULL;
    call *next, *c = inbox_take(in);
    for (; c; c = next) {
        next = c->next;
        call_free(c);
    }
    inbox_leave(in);
}

static void inbox_tell(inbox *in, bool stop, int64_t stop_at)
{
    (void)pthread_mutex_lock(&in->lock);
    in->wake = true;
    if (stop) {
        in->stop = true;
        in->stop_at = stop_at;
    }
    (void)curl_multi_wakeup(in->multi);
    (void)pthread_mutex_unlock(&in->lock);
}

/* ---- a try, and all of them ---- */

typedef enum try_state {
    FREE,
    CLAIMED,   /* not begun */
    UNDER_WAY, /* in the multi */
    TRIED,     /* to be settled, at settle_at */
    SETTLING   /* in the queue */
} try_state;

struct
try {
    events_request request; /* the first member */
    events *of;
    try_state state;
    queue_event event;
    int64_t lease_end; /* by clock_us() */
    bool probes;       /* begun while the receiver failed */

    bool drop; /* how it ended */
    int64_t next_at, settle_at;
};

struct events {
    events_options o;
    const events_pace *pace;
    events_receiver receiver;
    CURLM *multi;
    inbox *in;
    pthread_t thread;
    bool running;

    /* the thread's own: */
    try *tries;
    uint64_t random;
    bool stopping, claiming, failing;
    int64_t stop_at, claim_at;   /* by clock_us(), as pause_end */
    int64_t pause_us, pause_end; /* while it fails */
};

/* A tenth more or less (xorshift64: nobody needs to be unable to guess it). */
static int64_t jitter(events *e, int64_t us)
{
    int64_t tenth = us / 10;
    e->random ^= e->random << 13;
    e->random ^= e->random >> 7;
    e->random ^= e->random << 17;
    return us - tenth + (int64_t)(e->random % (uint64_t)(2 * tenth + 1));
}

static size_t count_in(const events *e, try_state s)
{
    size_t n = 0;
    for (unsigned i = 0; i < e->o.most; i++)
        n += e->tries[i].state == s;
    return n;
}

static void let_go(try *t)
{
    free(t->event.payload);
    t->event = (queue_event){0};
    t->state = FREE;
}

/* ---- settling ---- */

static call *call_new(events *e, queue_kind kind, try *of)
{
    call *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->op.kind = kind;
    c->op.done = call_done;
    c->in = e->in;
    c->of = of;
    (void)snprintf(c->owner, sizeof c->owner, "%s", e->o.owner);
    c->op.in.event.owner = c->owner;
    return c;
}

static bool submit(events *e, call *c)
{
    (void)pthread_mutex_lock(&e->in->lock);
    e->in->users++;
    (void)pthread_mutex_unlock(&e->in->lock);
    if (queue_submit(e->o.queue, &c->op))
        return true;
    (void)pthread_mutex_lock(&e->in->lock);
    inbox_leave(e->in);
    call_free(c);
    return false;
}

static void settle(try *t)
{
    events *e = t->of;
    call *c = call_new(e, QUEUE_EVENT_SETTLE, t);
    if (c) {
        memcpy(c->op.id, t->event.id, sizeof c->op.id);
        c->op.in.event.drop = t->drop;
        c->op.in.event.next_at = t->next_at;
    }
    if (c && submit(e, c)) {
        t->state = SETTLING;
    } else {
        t->state = TRIED;
        t->settle_at = clock_us() + SETTLE_AGAIN;
    }
}

static void settled(try *t, const queue_op *op)
{
    if (op->outcome == QUEUE_FAILED) {
        t->state = TRIED;
        t->settle_at = clock_us() + jitter(t->of, SETTLE_AGAIN);
        return;
    }
    if (!t->drop) /* later than what the last claim saw, maybe, or sooner */
        t->of->claim_at =
            least(t->of->claim_at, clock_us() + most_of(t->next_at - clock_wall_us(), 0));
    let_go(t);
}

static void settle_due(events *e, int64_t now)
{
    for (unsigned i = 0; i < e->o.most; i++) {
        try *t = &e->tries[i];
        if (t->state != TRIED || t->settle_at > now)
            continue;
        if (now < t->lease_end)
            settle(t);
        else
            let_go(t);
    }
}

/* ---- the end of a try ---- */

/* What this says of the receiver. Of those that were under way when it began to fail, none makes
 * the pause longer. */
static void note(events *e, const try *t, const events_verdict *v)
{
    if (v->result == EVENTS_DELIVERED || v->status == STATUS_GONE) {
        e->failing = false;
        return;
    }
    if (!e->failing)
        e->pause_us = e->pace->pause_first_us;
    else if (t->probes)
        e->pause_us = least(e->pause_us * 2, e->pace->pause_most_us);
    int64_t pause = most_of(e->pause_us, least(v->retry_after, e->pace->pause_most_us));
    int64_t end = clock_us() + jitter(e, pause);
    e->pause_end = e->failing ? most_of(e->pause_end, end) : end;
    e->failing = true;
}

static void tell(const events *e, const try *t, const events_verdict *v)
{
    if (!e->o.told)
        return;
    const events_told told = {
        .id = t->event.id,
        .result = v->result,
        .attempt = t->event.attempts + 1,
        .status = v->status,
        .why = v->result == EVENTS_DELIVERED ? NULL : v->why,
        .next_at = v->result == EVENTS_DEFERRED ? t->next_at : 0,
    };
    e->o.told(e->o.ctx, &told);
}

static void conclude(try *t, const events_verdict *v)
{
    events *e = t->of;
    t->drop = v->result != EVENTS_DEFERRED;
    if (!t->drop) {
        int64_t wait = jitter(e, e->pace->retry_us[t->event.attempts]);
        t->next_at = clock_wall_us() + most_of(wait, v->retry_after);
    }
    note(e, t, v);
    tell(e, t, v);
    settle(t);
}

static void finish(try *t, CURLcode code)
{
    events_verdict v;
    events_request_judge(&t->request, code, &v);
    events_request_end(&t->request, t->of->multi);
    conclude(t, &v);
}

/* ---- claiming, and beginning ---- */

static try *free_try(events *e)
{
    for (unsigned i = 0; i < e->o.most; i++) {
        if (e->tries[i].state == FREE)
            return &e->tries[i];
    }
    return NULL;
}

/* The events are moved into tries: there is room, as nothing else fills it. */
static void claimed(events *e, queue_op *op)
{
    int64_t now = clock_us(), wait = jitter(e, e->pace->poll_us);
    int64_t leased_at = op->submitted_at;
    e->claiming = false;
    if (op->outcome == QUEUE_OK && op->next_due != INT64_MAX)
        wait = least(wait, most_of(op->next_due - clock_wall_us(), 0));
    if (op->event_count < op->in.event.most)
        wait = most_of(wait, CLAIM_PAUSE);
    e->claim_at = least(e->claim_at, now + wait);
    for (size_t i = 0; i < op->event_count; i++) {
        try *t = free_try(e);
        if (!t || !op->events[i].payload)
            continue;
        t->event = op->events[i];
        op->events[i].payload = NULL;
        t->lease_end = leased_at + e->o.timeout_us + LEASE_MORE;
        t->state = CLAIMED;
    }
}

/* How many could be begun now. */
static size_t room(const events *e, int64_t now)
{
    if (!e->failing)
        return count_in(e, FREE);
    return now >= e->pause_end && count_in(e, FREE) == e->o.most ? 1 : 0;
}

static void claim(events *e, int64_t now)
{
    size_t most = room(e, now);
    if (e->stopping || e->claiming || most == 0 || now < e->claim_at)
        return;
    call *c = call_new(e, QUEUE_EVENT_CLAIM, NULL);
    if (c) {
        c->op.in.event.most = most;
        c->op.in.event.lease_us = e->o.timeout_us + LEASE_MORE;
    }
    e->claiming = c && submit(e, c);
    e->claim_at = e->claiming ? NEVER : now + SETTLE_AGAIN;
}

static bool may_begin(const events *e, int64_t now)
{
    if (e->stopping)
        return false;
    return !e->failing || (now >= e->pause_end && count_in(e, UNDER_WAY) == 0);
}

static void begin(try *t)
{
    t->probes = t->of->failing;
    if (events_request_begin(&t->request, &t->event, t->of->multi)) {
        t->state = UNDER_WAY;
        return;
    }
    bool last = t->event.attempts >= EVENTS_RETRIES;
    events_verdict v = {.result = last ? EVENTS_GIVEN_UP : EVENTS_DEFERRED};
    (void)snprintf(v.why, sizeof v.why, "there was not enough memory to ask the receiver");
    conclude(t, &v);
}

/* The first of the table is not the oldest; none is much older than another. */
static void begin_claimed(events *e, int64_t now)
{
    for (unsigned i = 0; i < e->o.most; i++) {
        try *t = &e->tries[i];
        if (t->state != CLAIMED)
            continue;
        if (now + e->o.timeout_us > t->lease_end)
            let_go(t);
        else if (may_begin(e, now))
            begin(t);
    }
}

/* ---- the thread ---- */

static bool hear(events *e, int64_t now)
{
    inbox *in = e->in;
    (void)pthread_mutex_lock(&in->lock);
    call *next, *c = inbox_take(in);
    if (in->wake)
        e->claim_at = now;
    in->wake = false;
    e->stopping = in->stop;
    e->stop_at = in->stop_at;
    (void)pthread_mutex_unlock(&in->lock);
    for (; c; c = next) {
        next = c->next;
        if (c->of)
            settled(c->of, &c->op);
        else
            claimed(e, &c->op);
        call_free(c);
    }
    return !e->stopping || now < e->stop_at;
}

static void receive(events *e)
{
    int running, left;
    CURLMsg *m;
    (void)curl_multi_perform(e->multi, &running);
    while ((m = curl_multi_info_read(e->multi, &left))) {
        events_request *r = NULL;
        CURLcode code = m->data.result;
        if (m->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&r);
        finish((try *)r, code); /* m is gone with it */
    }
}

static bool has_ended(const events *e)
{
    return e->stopping && count_in(e, UNDER_WAY) + count_in(e, TRIED) + count_in(e, SETTLING) == 0;
}

/* When the next may be begun or claimed; NEVER: not before something else happens. */
static int64_t go_on_at(const events *e)
{
    int64_t after_pause = e->failing ? e->pause_end : 0;
    size_t unused = count_in(e, FREE);
    if (e->stopping || (e->failing && count_in(e, UNDER_WAY) > 0))
        return NEVER;
    if (count_in(e, CLAIMED) > 0)
        return after_pause;
    bool has_room = e->failing ? unused == e->o.most : unused > 0;
    return has_room && !e->claiming ? most_of(after_pause, e->claim_at) : NEVER;
}

/* When something is to be done that no socket and no call tells of. */
static int64_t next_at(const events *e)
{
    int64_t at = go_on_at(e);
    for (unsigned i = 0; i < e->o.most; i++) {
        const try *t = &e->tries[i];
        if (t->state == TRIED)
            at = least(at, t->settle_at);
        else if (t->state == CLAIMED && !e->stopping)
            at = least(at, t->lease_end - e->o.timeout_us);
    }
    return e->stopping ? least(at, e->stop_at) : at;
}

static void pause_until(events *e, int64_t at)
{
    int64_t wait = at == NEVER ? MINUTE : least(at - clock_us(), MINUTE);
    int ms = wait <= 0 ? 0 : (int)((wait + MS - 1) / MS);
    (void)curl_multi_poll(e->multi, NULL, 0, ms, NULL);
}

static void *work(void *arg)
{
    events *e = arg;
    while (hear(e, clock_us()) && !has_ended(e)) {
        int64_t now = clock_us();
        settle_due(e, now);
        begin_claimed(e, now);
        claim(e, now);
        receive(e);
        if (!has_ended(e))
            pause_until(e, next_at(e));
    }
    for (unsigned i = 0; i < e->o.most; i++) {
        if (e->tries[i].state == UNDER_WAY)
            events_request_end(&e->tries[i].request, e->multi);
    }
    return NULL;
}

/* ---- creating, stopping ---- */

static bool make_tries(events *e)
{
    e->tries = calloc(e->o.most, sizeof *e->tries);
    for (unsigned i = 0; e->tries && i < e->o.most; i++) {
        e->tries[i].of = e;
        e->tries[i].request.to = &e->receiver;
    }
    return e->tries != NULL;
}

static bool make_multi(events *e)
{
    e->multi = curl_multi_init();
    e->in = e->multi ? inbox_new(e->multi) : NULL;
    return e->in && curl_multi_setopt(e->multi, CURLMOPT_MAXCONNECTS, (long)e->o.most) == CURLM_OK;
}

static bool start(events *e, const char **fault)
{
    if (!events_receiver_init(&e->receiver, &e->o, fault) || !make_tries(e) || !make_multi(e))
        return false;
    if (getrandom(&e->random, sizeof e->random, GRND_NONBLOCK) != sizeof e->random)
        e->random = (uint64_t)clock_wall_us();
    e->random |= 1; /* xorshift stays at zero */
    e->running = pthread_create(&e->thread, NULL, work, e) == 0;
    if (!e->running)
        *fault = "the system has no thread for webhooks";
    return e->running;
}

events *events_create(const events_options *options, char **error)
{
    const char *fault = events_url_fault(options->url, options->allow_private);
    events *e = fault ? NULL : calloc(1, sizeof *e);
    *error = NULL;
    if (e) {
        e->o = *options;
        e->o.most = options->most ? options->most : 1;
        e->o.timeout_us = most_of(options->timeout_us, MS);
        e->pace = options->pace ? options->pace : &standard_pace;
        if (start(e, &fault))
            return e;
        events_free(e);
    }
    *error = strdup(fault ? fault : NO_MEMORY);
    return NULL;
}

void events_wake(events *e)
{
    inbox_tell(e->in, false, 0);
}

void events_stop(events *e, int64_t limit_us)
{
    if (!e->in || !e->running)
        return;
    inbox_tell(e->in, true, clock_us() + limit_us);
    (void)pthread_join(e->thread, NULL);
    e->running = false;
}

void events_free(events *e)
{
    if (!e)
        return;
    events_stop(e, 0);
    if (e->in)
        inbox_close(e->in);
    for (unsigned i = 0; e->tries && i < e->o.most; i++) {
        let_go(&e->tries[i]);
        events_request_free(&e->tries[i].request);
    }
    free(e->tries);
    (void)curl_multi_cleanup(e->multi);
    events_receiver_wipe(&e->receiver);
    free(e);
}
