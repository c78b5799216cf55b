#include "queue/deliver.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sys/random.h>

#include "base/clock.h"
#include "queue/breaker.h"
#include "queue/flight.h"

#define SECONDS(n) ((int64_t)(n)*1000000)
#define MS(n)      ((int64_t)(n)*1000)

#define BATCH        64          /* messages in one claim at most */
#define LOOK         8           /* … while every relay that was seen is left alone … */
#define LOOK_US      SECONDS(1)  /* … and so often */
#define SKIPPED_US   MS(20)      /* after a claim of none that could be tried */
#define EARLY_US     MS(50)      /* after one of nothing, though something was due */
#define POLL_US      SECONDS(60) /* at least so often, … */
#define POLL_FAR_US  SECONDS(5)  /* … and where other processes have the same queue */
#define PAUSE_FIRST  MS(100)     /* after the queue failed; doubled up to … */
#define PAUSE_MOST   SECONDS(5)
#define LEASE_SPARE  SECONDS(60) /* beyond the tries: waiting, and settling … */
#define LEASE_SETTLE SECONDS(20) /* … for which so much must be left */
#define LEASE_HANDED SECONDS(10) /* how old a lease may be that is handed over */
#define BUCKETS      1024

struct deliver {
    deliver_options options;
    plan_options plan;
    bool far;
    pthread_t thread;
    bool running; /* the thread is to be joined */

    pthread_mutex_t lock;           /* of these: */
    pthread_cond_t work;            /* something of them changed */
    flight *arrived, **arrived_end; /* new, or come back */
    bool claimed;                   /* the claim came back */
    bool woken, stopping;
    int64_t stop_by;
    unsigned taken;       /* room: messages … */
    uint64_t taken_bytes; /* … and octets, those reserved counted */
    unsigned claim_room;  /* of that, for what a claim will bring */
    uint64_t claim_bytes;
    unsigned away; /* callbacks that are due */
    unsigned open; /* breakers */

    /* the thread's own */
    flight *buckets[BUCKETS]; /* under way, by id */
    flight *later;            /* the queue is to be asked again */
    breakers relays;
    uint64_t random;
    queue_op claim;
    bool claiming;
    int64_t claim_at;   /* when the next is due; 0: at once */
    int64_t claim_once; /* what became due since this one began: the same, for when it is back */
    int64_t claim_began, claim_pause;
};

static int64_t now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* 0 to 1, for jitter (splitmix64). */
static double random_part(deliver *d)
{
    uint64_t z = d->random += 0x9E3779B97F4A7C15U;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9U;
    z = (z ^ z >> 27) * 0x94D049BB133111EBU;
    return (double)((z ^ z >> 31) >> 11) / (double)(1ULL << 53);
}

static int64_t smeared(deliver *d, int64_t us)
{
    return us + (int64_t)((double)us * 0.2 * (2 * random_part(d) - 1));
}

static int64_t longer(int64_t pause)
{
    int64_t next = pause ? pause * 2 : PAUSE_FIRST;
    return next < PAUSE_MOST ? next : PAUSE_MOST;
}

/* ---- what comes back from other threads ---- */

/* Under the lock. */
static void arrive(deliver *d, flight *f)
{
    f->next = NULL;
    *d->arrived_end = f;
    d->arrived_end = &f->next;
    (void)pthread_cond_signal(&d->work);
}

static void come_back(deliver *d, flight *f)
{
    (void)pthread_mutex_lock(&d->lock);
    d->away--;
    arrive(d, f);
    (void)pthread_mutex_unlock(&d->lock);
}

static void on_answer(void *ctx, smtp_result *result)
{
    flight *f = ctx;
    f->result = result;
    come_back(f->owner, f);
}

static void on_settled(queue_op *op)
{
    flight *f = op->ctx;
    come_back(f->owner, f);
}

static void on_claimed(queue_op *op)
{
    deliver *d = op->ctx;
    (void)pthread_mutex_lock(&d->lock);
    d->away--;
    d->claimed = true;
    (void)pthread_cond_signal(&d->work);
    (void)pthread_mutex_unlock(&d->lock);
}

/* Before what may call back. */
static void send_away(deliver *d, int by)
{
    (void)pthread_mutex_lock(&d->lock);
    d->away += (unsigned)by;
    (void)pthread_mutex_unlock(&d->lock);
}

/* ---- room ---- */

bool deliver_reserve(deliver *d, uint64_t size)
{
    const deliver_options *o = &d->options;
    (void)pthread_mutex_lock(&d->lock);
    bool fits =
        d->taken == 0 || (d->taken_bytes < o->most_bytes && size <= o->most_bytes - d->taken_bytes);
    bool ok = !d->stopping && d->taken < o->most && fits;
    if (ok) {
        d->taken++;
        d->taken_bytes += size;
    }
    (void)pthread_mutex_unlock(&d->lock);
    return ok;
}

void deliver_unreserve(deliver *d, uint64_t size)
{
    (void)pthread_mutex_lock(&d->lock);
    d->taken--;
    d->taken_bytes -= size;
    (void)pthread_cond_signal(&d->work); /* it may be what a stop or a claim waits for */
    (void)pthread_mutex_unlock(&d->lock);
}

void deliver_take(deliver *d, queue_message *m)
{
    uint64_t size = m->body.size;
    flight *f = flight_create(m);
    if (!f) { /* its lease runs out */
        queue_message_clear(m);
        deliver_unreserve(d, size);
        return;
    }
    f->owner = d;
    f->room = size;
    f->lease_end = clock_us() + deliver_lease_us(d) - LEASE_HANDED;
    (void)pthread_mutex_lock(&d->lock);
    arrive(d, f);
    (void)pthread_mutex_unlock(&d->lock);
}

void deliver_wake(deliver *d)
{
    (void)pthread_mutex_lock(&d->lock);
    d->woken = true;
    (void)pthread_cond_signal(&d->work);
    (void)pthread_mutex_unlock(&d->lock);
}

int64_t deliver_lease_us(const deliver *d)
{
    return d->options.timeout_us * PLAN_RELAYS + LEASE_SPARE;
}

static bool is_stopping(deliver *d)
{
    (void)pthread_mutex_lock(&d->lock);
    bool stopping = d->stopping;
    (void)pthread_mutex_unlock(&d->lock);
    return stopping;
}

/* ---- what is under way ---- */

static flight **bucket(deliver *d, const char *id)
{
    uint32_t hash = 2166136261U;
    for (; *id; id++)
        hash = (hash ^ (unsigned char)*id) * 16777619U;
    return &d->buckets[hash % BUCKETS];
}

static flight *find(deliver *d, const char *id)
{
    flight *f = *bucket(d, id);
    while (f && strcmp(f->message.id, id) != 0)
        f = f->same;
    return f;
}

static void add(deliver *d, flight *f)
{
    flight **at = bucket(d, f->message.id);
    f->same = *at;
    *at = f;
}

static void end(deliver *d, flight *f)
{
    flight **at = bucket(d, f->message.id);
    while (*at && *at != f)
        at = &(*at)->same;
    if (*at)
        *at = f->same;
    (void)pthread_mutex_lock(&d->lock);
    d->taken--;
    d->taken_bytes -= f->room;
    (void)pthread_mutex_unlock(&d->lock);
    flight_free(f);
}

static void ask_later(deliver *d, flight *f)
{
    f->pause = longer(f->pause);
    f->again_at = clock_us() + smeared(d, f->pause);
    f->next = d->later;
    d->later = f;
}

/* ---- settling ---- */

/* What became of the last try, if that was not told yet. */
static void tell(deliver *d, flight *f, queue_state state, int64_t next_at)
{
    const deliver_options *o = &d->options;
    if (f->untold && o->attempted) {
        const deliver_attempt a = {.id = f->message.id,
                                   .relay = f->relay,
                                   .reverse_path = f->plan.record.reverse_path,
                                   .recipients = f->recipients,
                                   .recipient_count = f->count,
                                   .size = f->message.body.size,
                                   .number = f->number,
                                   .result = f->result,
                                   .state = state,
                                   .next_at = next_at};
        o->attempted(o->ctx, &a);
    }
    f->untold = false;
    smtp_result_free(f->result);
    f->result = NULL;
}

static void submit_outcome(deliver *d, flight *f)
{
    f->phase = FLIGHT_SUBMITTING;
    flight_op(f, d->options.owner);
    f->op.done = on_settled;
    send_away(d, 1);
    if (queue_submit(d->options.queue, &f->op))
        return;
    send_away(d, -1);
    ask_later(d, f);
}

static void settle(deliver *d, flight *f)
{
    const plan_when when = {.now = now_us(),
                            .expires_at = f->message.expires_at,
                            .next_at = f->next_at,
                            .jitter = 2 * random_part(d) - 1};
    plan_outcome *o = &f->outcome;

    f->phase = FLIGHT_SETTLING;
    if (!plan_settle(&f->plan, f->message.id, &d->plan, &when, o)) {
        ask_later(d, f);
        return;
    }
    if (o->event.payload && !d->options.new_id(d->options.ctx, o->event.id)) {
        plan_outcome_clear(o);
        ask_later(d, f);
        return;
    }
    tell(d, f, o->state, o->next_at);
    submit_outcome(d, f);
}

/* As it was, due then. */
static void give_back(deliver *d, flight *f, int64_t next_at)
{
    f->outcome = (plan_outcome){.state = QUEUE_QUEUED, .next_at = next_at};
    submit_outcome(d, f);
}

/* Something is due then: a claim under way may have come too early to see it. */
static void due_at(deliver *d, int64_t at)
{
    int64_t *due = d->claiming ? &d->claim_once : &d->claim_at;
    if (at < *due)
        *due = at;
}

static void settled(deliver *d, flight *f)
{
    const deliver_options *o = &d->options;
    if (f->op.outcome == QUEUE_FAILED) {
        ask_later(d, f);
        return;
    }
    if (f->op.outcome == QUEUE_OK && f->outcome.event.payload && o->event_kept)
        o->event_kept(o->ctx);
    if (f->outcome.state == QUEUE_QUEUED)
        due_at(d, clock_us() + (f->outcome.next_at - now_us()));
    end(d, f);
}

/* ---- trying ---- */

typedef enum start { STARTED, NEXT_RELAY, NO_MORE } start;

static void note_no_relay(flight *f, const char *name)
{
    int64_t now = now_us();
    const plan_try t = {.relay = name,
                        .which = f->which,
                        .count = f->count,
                        .detail = "no relay of that name is configured",
                        .at = now,
                        .now = now};
    (void)plan_note(&f->plan, &t, false);
}

static start submit_try(deliver *d, flight *f)
{
    smtp_transaction t;
    f->phase = FLIGHT_TRYING;
    f->begun = now_us();
    flight_transaction(f, &t);
    t.timeout_us = d->options.timeout_us;
    t.done = on_answer;
    send_away(d, 1);
    if (smtp_sender_submit(d->options.sender, &t))
        return STARTED;
    send_away(d, -1);
    breaker *b = breakers_of(&d->relays, f->relay_name);
    if (b)
        breaker_told_nothing(b, f->probe);
    f->plan.hope = true;
    if (f->plan.tries == 0)
        f->next_at = now_us() + d->options.first_us;
    return NO_MORE;
}

static start try_relay(deliver *d, flight *f, const char *name)
{
    const smtp_relay *relay = d->options.relay(d->options.ctx, name);
    int64_t now = clock_us();
    bool probe = false;

    if (!relay) {
        tell(d, f, QUEUE_SENDING, 0);
        if (flight_collect(f))
            note_no_relay(f, name);
        return NEXT_RELAY;
    }
    breaker *b = breakers_of(&d->relays, name);
    if (b && !breaker_go(b, now, &probe)) {
        int64_t until = breaker_until(b, now);
        /* Spread, so that a backlog doesn't come back all at once. */
        until += (int64_t)((double)b->pause_us * random_part(d));
        if (!f->wait_until || until < f->wait_until)
            f->wait_until = until;
        f->plan.hope = true;
        return NEXT_RELAY;
    }
    tell(d, f, QUEUE_SENDING, 0);
    f->probe = probe;
    f->relay = relay;
    f->relay_name = name;
    if (flight_collect(f))
        return submit_try(d, f);
    if (b)
        breaker_told_nothing(b, probe);
    f->next_at = now_us() + d->options.first_us;
    f->plan.hope = true;
    return NO_MORE;
}

/* Walks to the next relay that may be tried; if there is none, settles. */
static void go_on(deliver *d, flight *f)
{
    const record *r = &f->plan.record;
    size_t relays = r->relay_count < PLAN_RELAYS ? r->relay_count : PLAN_RELAYS;
    bool waits = record_having(r, RECORD_WAITING) > 0 && now_us() < f->message.expires_at;
    start s = waits ? NEXT_RELAY : NO_MORE;

    while (s == NEXT_RELAY && f->relay_at < relays) {
        bool late = f->lease_end - clock_us() < d->options.timeout_us + LEASE_SETTLE;
        if (late || (f->plan.tries > 0 && is_stopping(d))) {
            f->next_at = now_us();
            f->plan.hope = true;
            s = NO_MORE;
        } else {
            s = try_relay(d, f, r->relays[f->relay_at++]);
        }
    }
    if (s == STARTED)
        return;
    if (f->plan.tries == 0 && !f->next_at && f->wait_until)
        f->next_at = now_us() + (f->wait_until - clock_us());
    settle(d, f);
}

static void begin(deliver *d, flight *f)
{
    if (is_stopping(d))
        give_back(d, f, now_us());
    else if (plan_begin(&f->plan, &f->message, now_us()))
        go_on(d, f);
    else
        give_back(d, f, now_us() + d->options.first_us);
}

static void answered(deliver *d, flight *f)
{
    const plan_try t = {.relay = f->relay_name,
                        .which = f->which,
                        .count = f->count,
                        .result = f->result,
                        .at = f->begun,
                        .now = now_us()};
    breaker *b = breakers_of(&d->relays, f->relay_name);
    if (b)
        breaker_judge(b, f->result, f->probe, clock_us(), d->relays.pauses, random_part(d));
    bool walk = plan_note(&f->plan, &t, d->options.resend_unknown);
    f->untold = true;
    f->number = f->plan.record.tries;
    if (walk)
        go_on(d, f);
    else
        settle(d, f);
}

/* ---- claiming ---- */

static void give_claims_room(deliver *d)
{
    (void)pthread_mutex_lock(&d->lock);
    d->taken -= d->claim_room;
    d->taken_bytes -= d->claim_bytes;
    d->claim_room = 0;
    d->claim_bytes = 0;
    (void)pthread_mutex_unlock(&d->lock);
}

static void on_claim_failed(deliver *d)
{
    d->claim_pause = longer(d->claim_pause);
    d->claim_at = clock_us() + smeared(d, d->claim_pause);
}

/* A message that is under way still: its lease ran out while it could not be settled, and the new
 * one serves as well. */
static bool is_under_way(deliver *d, const queue_message *m, int64_t lease_end)
{
    flight *f = find(d, m->id);
    if (f)
        f->lease_end = lease_end;
    return f != NULL;
}

/* Takes up what was claimed; how many are tried. */
static size_t take_up(deliver *d)
{
    queue_op *op = &d->claim;
    int64_t lease_end = d->claim_began + deliver_lease_us(d);
    size_t tried = 0;

    for (size_t i = 0; i < op->message_count; i++) {
        queue_message *m = &op->messages[i];
        uint64_t room = m->body.data ? m->body.size : 0;
        flight *f = is_under_way(d, m, lease_end) ? NULL : flight_create(m);
        if (!f)
            continue;
        (void)pthread_mutex_lock(&d->lock);
        d->taken++;
        d->taken_bytes += room;
        (void)pthread_mutex_unlock(&d->lock);
        f->owner = d;
        f->room = room;
        f->lease_end = lease_end;
        add(d, f);
        begin(d, f);
        tried += f->phase == FLIGHT_TRYING;
    }
    return tried;
}

/* When the next claim is due, after one that came back. */
static void plan_claim(deliver *d, size_t tried)
{
    const queue_op *op = &d->claim;
    int64_t now = clock_us();
    int64_t poll = now + smeared(d, d->far ? POLL_FAR_US : POLL_US);
    int64_t ahead = op->next_due == INT64_MAX ? INT64_MAX : op->next_due - now_us();

    d->claim_at = ahead < poll - now ? now + ahead : poll;
    if (op->message_count == 0 && d->claim_at < now + EARLY_US)
        d->claim_at = now + EARLY_US;
    else if (op->message_count > 0 && tried == 0 && d->claim_at < now + SKIPPED_US)
        d->claim_at = now + SKIPPED_US;
    due_at(d, d->claim_once);
}

static void claim_came_back(deliver *d)
{
    d->claiming = false;
    if (d->claim.outcome == QUEUE_OK) {
        d->claim_pause = 0;
        plan_claim(d, take_up(d)); /* counted before the claim's own room is given back */
    } else {
        on_claim_failed(d);
    }
    give_claims_room(d);
    queue_op_clear(&d->claim);
}

/* Takes room for a claim; 0: there is too little. Not each message that ends makes a claim, and a
 * claim leaves room for what is handed over meanwhile. */
static size_t take_claims_room(deliver *d, size_t most)
{
    const deliver_options *o = &d->options;
    (void)pthread_mutex_lock(&d->lock);
    size_t free_slots = d->taken < o->most ? o->most - d->taken : 0;
    uint64_t free_bytes = d->taken_bytes < o->most_bytes ? o->most_bytes - d->taken_bytes : 0;
    size_t enough = o->most / 4 < 2 * most ? o->most / 4 : 2 * most;
    bool ok = free_slots > 0 && free_slots >= enough && !d->stopping &&
              (free_bytes >= o->most_bytes / 4 || d->taken == 0);
    size_t half = (free_slots + 1) / 2, n = half < most ? half : most;
    if (ok) {
        d->claim_bytes = free_bytes / 2;
        d->claim_room = (unsigned)n;
        d->taken += d->claim_room;
        d->taken_bytes += d->claim_bytes;
    }
    (void)pthread_mutex_unlock(&d->lock);
    return ok ? n : 0;
}

static void submit_claim(deliver *d, size_t most)
{
    d->claim = (queue_op){.kind = QUEUE_CLAIM,
                          .done = on_claimed,
                          .ctx = d,
                          .in.claim = {.owner = d->options.owner,
                                       .most = most,
                                       .most_bytes = d->claim_bytes,
                                       .lease_us = deliver_lease_us(d)}};
    d->claim_began = clock_us();
    d->claim_once = INT64_MAX;
    d->claiming = true;
    send_away(d, 1);
    if (queue_submit(d->options.queue, &d->claim))
        return;
    send_away(d, -1);
    d->claiming = false;
    give_claims_room(d);
    on_claim_failed(d);
}

/* Claims if that is due; when it will be, if nothing comes in between. */
static int64_t claim(deliver *d)
{
    int64_t now = clock_us(), until = INT64_MAX, due = d->claim_at;
    breakers_state state = breakers_look(&d->relays, now, &until);
    size_t most = state == BREAKERS_CLOSED ? BATCH : state == BREAKERS_TO_PROBE ? 1 : LOOK;

    if (d->claiming)
        return INT64_MAX;
    if (state == BREAKERS_OPEN && due < d->claim_began + LOOK_US)
        due = d->claim_began + LOOK_US;
    if (due > now)
        return state == BREAKERS_OPEN && until < due ? until : due;
    size_t n = take_claims_room(d, most);
    if (n > 0)
        submit_claim(d, n);
    return INT64_MAX;
}

/* ---- the thread ---- */

static void handle(deliver *d, flight *f)
{
    switch (f->phase) {
    case FLIGHT_NEW:
        add(d, f);
        begin(d, f);
        break;
    case FLIGHT_TRYING: answered(d, f); break;
    case FLIGHT_SETTLING: settle(d, f); break;
    case FLIGHT_SUBMITTING: settled(d, f); break;
    }
}

/* Asks the queue again where that is due; when the next is. */
static int64_t ask_again(deliver *d)
{
    int64_t now = clock_us(), next = INT64_MAX;
    flight *f = d->later;

    d->later = NULL;
    for (flight *after; f; f = after) {
        after = f->next;
        if (f->again_at > now) {
            next = f->again_at < next ? f->again_at : next;
            f->next = d->later;
            d->later = f;
        } else if (f->phase == FLIGHT_SETTLING) {
            settle(d, f);
        } else {
            submit_outcome(d, f);
        }
    }
    for (f = d->later; f; f = f->next) /* those that were put there just now, too */
        next = f->again_at < next ? f->again_at : next;
    return next;
}

/* Under the lock. */
static bool is_over(const deliver *d)
{
    return d->stopping && (d->taken == 0 || clock_us() >= d->stop_by);
}

/* Under the lock: until something comes in, or then. */
static void wait_for_work(deliver *d, int64_t until)
{
    struct timespec at;
    if (d->stopping && d->stop_by < until)
        until = d->stop_by;
    if (d->arrived || d->claimed || d->woken || is_over(d))
        return;
    if (until == INT64_MAX) {
        (void)pthread_cond_wait(&d->work, &d->lock);
        return;
    }
    at.tv_sec = (time_t)(until / 1000000);
    at.tv_nsec = (long)(until % 1000000) * 1000;
    (void)pthread_cond_timedwait(&d->work, &d->lock, &at);
}

static void *run(void *arg)
{
    deliver *d = arg;

    (void)pthread_mutex_lock(&d->lock);
    while (!is_over(d)) {
        flight *f = d->arrived;
        bool claimed = d->claimed;
        d->arrived = NULL;
        d->arrived_end = &d->arrived;
        d->claimed = false;
        if (d->woken)
            due_at(d, 0);
        d->woken = false;
        (void)pthread_mutex_unlock(&d->lock);

        for (flight *after; f; f = after) {
            after = f->next;
            handle(d, f);
        }
        if (claimed)
            claim_came_back(d);
        int64_t again = ask_again(d), next = claim(d);

        (void)pthread_mutex_lock(&d->lock);
        d->open = breakers_open(&d->relays);
        wait_for_work(d, again < next ? again : next);
    }
    (void)pthread_mutex_unlock(&d->lock);
    return NULL;
}

/* ---- from outside ---- */

deliver *deliver_create(const deliver_options *options, char **error)
{
    pthread_condattr_t monotonic;
    deliver *d = calloc(1, sizeof *d);

    *error = NULL;
    if (!d)
        return NULL;
    d->options = *options;
    d->plan = (plan_options){.first_us = options->first_us > 0 ? options->first_us : 1,
                             .most_us = options->most_us,
                             .resend_unknown = options->resend_unknown,
                             .events = options->events,
                             .suppress = options->suppress};
    d->relays.pauses.first_us =
        options->breaker_first_us ? options->breaker_first_us : BREAKER_FIRST_US;
    d->relays.pauses.most_us =
        options->breaker_most_us ? options->breaker_most_us : BREAKER_MOST_US;
    d->far = strcmp(queue_backend_name(options->queue), "sqlite") != 0;
    d->arrived_end = &d->arrived;
    if (getrandom(&d->random, sizeof d->random, GRND_NONBLOCK) != (ssize_t)sizeof d->random)
        d->random = (uint64_t)now_us();       /* early in a boot; it is for jitter alone */
    (void)pthread_mutex_init(&d->lock, NULL); /* these can't fail on Linux */
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&d->work, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    d->running = pthread_create(&d->thread, NULL, run, d) == 0;
    if (d->running)
        return d;
    *error = strdup("the thread that delivers can't be started");
    deliver_free(d);
    return NULL;
}

void deliver_stats_get(deliver *d, deliver_stats *out)
{
    (void)pthread_mutex_lock(&d->lock);
    out->under_way = d->taken - d->claim_room;
    out->breakers_open = d->open;
    (void)pthread_mutex_unlock(&d->lock);
}

bool deliver_stop(deliver *d, int64_t limit_us)
{
    (void)pthread_mutex_lock(&d->lock);
    d->stopping = true;
    d->stop_by = clock_us() + limit_us;
    (void)pthread_cond_signal(&d->work);
    (void)pthread_mutex_unlock(&d->lock);
    if (d->running)
        (void)pthread_join(d->thread, NULL);
    else /* once more: what came back since */
        (void)run(d);
    d->running = false;
    (void)pthread_mutex_lock(&d->lock);
    bool all = d->taken == 0;
    (void)pthread_mutex_unlock(&d->lock);
    return all;
}

static bool callbacks_due(deliver *d)
{
    (void)pthread_mutex_lock(&d->lock);
    bool due = d->away > 0;
    (void)pthread_mutex_unlock(&d->lock);
    return due;
}

void deliver_free(deliver *d)
{
    if (!d)
        return;
    (void)deliver_stop(d, 0);
    if (callbacks_due(d)) /* against the contract: better a leak than a callback into nothing */
        return;
    for (flight *f = d->arrived, *after; f; f = after) {
        after = f->next;
        if (f->phase == FLIGHT_NEW) /* in no bucket yet */
            flight_free(f);
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        for (flight *f = d->buckets[i], *after; f; f = after) {
            after = f->same;
            flight_free(f);
        }
    }
    breakers_clear(&d->relays);
    queue_op_clear(&d->claim);
    (void)pthread_cond_destroy(&d->work);
    (void)pthread_mutex_destroy(&d->lock);
    free(d);
}
