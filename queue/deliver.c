#include "queue/deliver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sys/random.h>

#include "base/clock.h"
#include "queue/deliver_own.h"

#define PAUSE_FIRST  MS(100) /* after the queue failed; doubled up to … */
#define PAUSE_MOST   SECONDS(5)
#define GATHER_US    MS(1)       /* what comes back is waited for so long … */
#define GATHER_PART  4           /* … unless it is such a part of what may */
#define LEASE_SPARE  SECONDS(60) /* beyond the tries: waiting, and settling … */
#define LEASE_HANDED SECONDS(10) /* how old a lease may be that is handed over */

/* 0 to 1, for jitter (splitmix64). */
double deliver_random(deliver *d)
{
    uint64_t z = d->random += 0x9E3779B97F4A7C15U;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9U;
    z = (z ^ z >> 27) * 0x94D049BB133111EBU;
    return (double)((z ^ z >> 31) >> 11) / (double)(1ULL << 53);
}

int64_t deliver_smeared(deliver *d, int64_t us)
{
    return us + (int64_t)((double)us * 0.2 * (2 * deliver_random(d) - 1));
}

int64_t deliver_pause(int64_t pause)
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
    if (++d->arrived_count >= d->gathers)
        (void)pthread_cond_signal(&d->work);
}

void deliver_come_back(deliver *d, flight *f)
{
    (void)pthread_mutex_lock(&d->lock);
    d->away--;
    arrive(d, f);
    (void)pthread_mutex_unlock(&d->lock);
}

void deliver_put_out(deliver *d, queue_op *op)
{
    op->next_op = NULL;
    *d->out_end = op;
    d->out_end = &op->next_op;
    d->out_count++;
}

/* False: not all was taken, and when the queue is to be asked again has changed. */
static bool give_out(deliver *d)
{
    queue_op *first = d->out;
    if (!first)
        return true;
    deliver_send_away(d, (int)d->out_count);
    d->out = NULL;
    d->out_end = &d->out;
    d->out_count = 0;
    queue_op *refused = queue_submit_all(d->options.queue, first);
    bool all = !refused;
    for (queue_op *op = refused, *next; op; op = next) {
        next = op->next_op;
        deliver_send_away(d, -1);
        if (op->kind == QUEUE_CLAIM)
            deliver_claim_refused(d);
        else
            deliver_ask_later(d, op->ctx);
    }
    return all;
}

/* Before what may call back. */
void deliver_send_away(deliver *d, int by)
{
    (void)pthread_mutex_lock(&d->lock);
    d->away += (unsigned)by;
    (void)pthread_mutex_unlock(&d->lock);
}

bool deliver_is_stopping(deliver *d)
{
    (void)pthread_mutex_lock(&d->lock);
    bool stopping = d->stopping;
    (void)pthread_mutex_unlock(&d->lock);
    return stopping;
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
    unsigned relays = d->options.relays;
    if (relays == 0 || relays > PLAN_RELAYS)
        relays = PLAN_RELAYS;
    return d->options.timeout_us * relays + LEASE_SPARE;
}

/* ---- what is under way ---- */

static flight **bucket(deliver *d, const char *id)
{
    uint32_t hash = 2166136261U;
    for (; *id; id++)
        hash = (hash ^ (unsigned char)*id) * 16777619U;
    return &d->buckets[hash % DELIVER_BUCKETS];
}

flight *deliver_find(deliver *d, const char *id)
{
    flight *f = *bucket(d, id);
    while (f && strcmp(f->message.id, id) != 0)
        f = f->same;
    return f;
}

void deliver_add(deliver *d, flight *f)
{
    flight **at = bucket(d, f->message.id);
    f->same = *at;
    *at = f;
}

void deliver_end(deliver *d, flight *f)
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

void deliver_ask_later(deliver *d, flight *f)
{
    f->pause = deliver_pause(f->pause);
    f->again_at = clock_us() + deliver_smeared(d, f->pause);
    f->next = d->later;
    d->later = f;
}

void deliver_due_at(deliver *d, int64_t at)
{
    int64_t *due = d->claiming ? &d->claim_once : &d->claim_at;
    if (at < *due)
        *due = at;
}

/* ---- the thread ---- */

static void handle(deliver *d, flight *f)
{
    switch (f->phase) {
    case FLIGHT_NEW:
        deliver_add(d, f);
        deliver_begin(d, f);
        break;
    case FLIGHT_TRYING: deliver_answered(d, f); break;
    case FLIGHT_SETTLING: deliver_settle(d, f); break;
    case FLIGHT_SUBMITTING: deliver_settled(d, f); break;
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
            deliver_settle(d, f);
        } else {
            deliver_submit(d, f);
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

/* Under the lock. */
static bool has_work(const deliver *d)
{
    return d->arrived || d->claimed || d->woken || is_over(d);
}

/* Under the lock, which is given back meanwhile. */
static void tell_of_wait(deliver *d)
{
    const deliver_options *o = &d->options;
    if (!o->before_wait)
        return;
    (void)pthread_mutex_unlock(&d->lock);
    o->before_wait(o->ctx);
    (void)pthread_mutex_lock(&d->lock);
}

/* Under the lock. Where much is under way, the thread isn't woken for each that comes back: a few
 * are settled in one transaction, too. One that is alone waits for nobody. */
static void gather(deliver *d)
{
    int64_t until = clock_us() + GATHER_US;
    const struct timespec at = {until / 1000000, until % 1000000 * 1000};
    int waited = 0;

    d->gathers = d->away / GATHER_PART;
    while (d->arrived_count < d->gathers && !d->claimed && !d->woken && !d->stopping &&
           waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&d->work, &d->lock, &at);
    d->gathers = 0;
}

/* Under the lock: until something comes in, or then. */
static void wait_for_work(deliver *d, int64_t until)
{
    struct timespec at;
    if (!has_work(d))
        tell_of_wait(d);
    if (has_work(d))
        return;
    if (d->stopping && d->stop_by < until)
        until = d->stop_by;
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
        d->arrived_count = 0;
        d->claimed = false;
        if (d->woken)
            deliver_due_at(d, 0);
        d->woken = false;
        (void)pthread_mutex_unlock(&d->lock);

        for (flight *after; f; f = after) {
            after = f->next;
            handle(d, f);
        }
        if (claimed)
            deliver_claim_came_back(d);
        int64_t again = ask_again(d), next = deliver_claim(d);
        bool all = give_out(d);

        (void)pthread_mutex_lock(&d->lock);
        d->open = breakers_open(&d->relays);
        if (all)
            wait_for_work(d, again < next ? again : next);
        if (d->arrived)
            gather(d);
    }
    tell_of_wait(d);
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
    int64_t first = options->first_us > 0 ? options->first_us : SECONDS(1);
    d->plan = (plan_options){.first_us = first,
                             .most_us = options->most_us > first ? options->most_us : first,
                             .resend_unknown = options->resend_unknown,
                             .events = options->events,
                             .suppress = options->suppress};
    d->relays.pauses.first_us =
        options->breaker_first_us ? options->breaker_first_us : BREAKER_FIRST_US;
    d->relays.pauses.most_us =
        options->breaker_most_us ? options->breaker_most_us : BREAKER_MOST_US;
    d->far = strcmp(queue_backend_name(options->queue), "sqlite") != 0;
    d->arrived_end = &d->arrived;
    d->out_end = &d->out;
    if (getrandom(&d->random, sizeof d->random, GRND_NONBLOCK) != (ssize_t)sizeof d->random)
        d->random = (uint64_t)clock_wall_us(); /* early in a boot; it is for jitter alone */
    (void)pthread_mutex_init(&d->lock, NULL);  /* these can't fail on Linux */
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
    for (size_t i = 0; i < DELIVER_BUCKETS; i++) {
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
