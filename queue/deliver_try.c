/* One message's way: over the relays, and back to the queue. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "queue/deliver_own.h"

/* ---- settling ---- */

static void on_settled(queue_op *op)
{
    flight *f = op->ctx;
    deliver_come_back(f->owner, f);
}

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

void deliver_submit(deliver *d, flight *f)
{
    f->phase = FLIGHT_SUBMITTING;
    flight_op(f, d->options.owner);
    f->op.done = on_settled;
    deliver_put_out(d, &f->op);
}

void deliver_settle(deliver *d, flight *f)
{
    const plan_when when = {.now = clock_wall_us(),
                            .expires_at = f->message.expires_at,
                            .next_at = f->next_at,
                            .jitter = 2 * deliver_random(d) - 1};
    plan_outcome *o = &f->outcome;

    f->phase = FLIGHT_SETTLING;
    if (!plan_settle(&f->plan, f->message.id, &d->plan, &when, o)) {
        deliver_ask_later(d, f);
        return;
    }
    if (o->event.payload && !d->options.new_id(d->options.ctx, o->event.id)) {
        plan_outcome_clear(o);
        deliver_ask_later(d, f);
        return;
    }
    tell(d, f, o->state, o->next_at);
    deliver_submit(d, f);
}

/* As it was, due then. */
static void give_back(deliver *d, flight *f, int64_t next_at)
{
    f->outcome = (plan_outcome){.state = QUEUE_QUEUED, .next_at = next_at};
    deliver_submit(d, f);
}

/* Its lease may have run out before it was settled, and a claim that has begun have got it. */
static bool may_be_claimed(const deliver *d, const flight *f)
{
    return d->claiming && clock_us() > f->lease_end - DELIVER_LEASE_SETTLE / 2;
}

void deliver_settled(deliver *d, flight *f)
{
    const deliver_options *o = &d->options;
    if (f->op.outcome == QUEUE_FAILED) {
        deliver_ask_later(d, f);
        return;
    }
    if (f->op.outcome == QUEUE_OK && f->outcome.event.payload && o->event_kept)
        o->event_kept(o->ctx);
    if (f->outcome.state == QUEUE_QUEUED)
        deliver_due_at(d, clock_us() + (f->outcome.next_at - clock_wall_us()));
    if (may_be_claimed(d, f)) {
        f->next = d->held;
        d->held = f;
    } else {
        deliver_end(d, f);
    }
}

/* ---- trying ---- */

typedef enum start { STARTED, NEXT_RELAY, NO_MORE } start;

static void note_no_relay(flight *f, const char *name)
{
    int64_t now = clock_wall_us();
    const plan_try t = {.relay = name,
                        .which = f->which,
                        .count = f->count,
                        .detail = "no relay of that name is configured",
                        .at = now,
                        .now = now};
    (void)plan_note(&f->plan, &t, false);
}

static void on_answer(void *ctx, smtp_result *result)
{
    flight *f = ctx;
    f->result = result;
    deliver_come_back(f->owner, f);
}

static start submit_try(deliver *d, flight *f)
{
    smtp_transaction t;
    f->phase = FLIGHT_TRYING;
    f->begun = clock_wall_us();
    f->went = clock_us();
    flight_transaction(f, &t);
    t.timeout_us = d->options.timeout_us;
    t.done = on_answer;
    deliver_send_away(d, 1);
    if (smtp_sender_submit(d->options.sender, &t))
        return STARTED;
    deliver_send_away(d, -1);
    breaker *b = breakers_of(&d->relays, f->relay_name);
    if (b)
        breaker_told_nothing(b, f->probe);
    f->plan.hope = true;
    if (f->plan.tries == 0)
        f->next_at = clock_wall_us() + d->plan.first_us;
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
        until += (int64_t)((double)(until - now) * deliver_random(d));
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
    f->next_at = clock_wall_us() + d->plan.first_us;
    f->plan.hope = true;
    return NO_MORE;
}

/* Walks to the next relay that may be tried; if there is none, settles. */
static void go_on(deliver *d, flight *f)
{
    const record *r = &f->plan.record;
    size_t relays = r->relay_count < PLAN_RELAYS ? r->relay_count : PLAN_RELAYS;
    bool waits = record_having(r, RECORD_WAITING) > 0 && clock_wall_us() < f->message.expires_at;
    start s = waits ? NEXT_RELAY : NO_MORE;

    while (s == NEXT_RELAY && f->relay_at < relays) {
        bool late = f->lease_end - clock_us() < d->options.timeout_us + DELIVER_LEASE_SETTLE;
        if (late || deliver_is_stopping(d)) { /* one more would outlast what is waited for */
            f->next_at = clock_wall_us();
            f->plan.hope = true;
            s = NO_MORE;
        } else {
            s = try_relay(d, f, r->relays[f->relay_at++]);
        }
    }
    if (s == STARTED)
        return;
    if (f->plan.tries == 0 && !f->next_at && f->wait_until)
        f->next_at = clock_wall_us() + (f->wait_until - clock_us());
    deliver_settle(d, f);
}

void deliver_begin(deliver *d, flight *f)
{
    if (deliver_is_stopping(d))
        give_back(d, f, clock_wall_us());
    else if (plan_begin(&f->plan, &f->message, clock_wall_us()))
        go_on(d, f);
    else
        give_back(d, f, clock_wall_us() + d->plan.first_us);
}

/* The sender had no session for it in time, or stops: it was not tried. */
static void was_not_tried(deliver *d, flight *f)
{
    smtp_result_free(f->result);
    f->result = NULL;
    f->plan.hope = true;
    if (f->plan.tries == 0)
        f->next_at = clock_wall_us() + deliver_smeared(d, d->plan.first_us);
    go_on(d, f);
}

void deliver_answered(deliver *d, flight *f)
{
    const plan_try t = {.relay = f->relay_name,
                        .which = f->which,
                        .count = f->count,
                        .result = f->result,
                        .at = f->begun,
                        .now = clock_wall_us()};
    const breaker_went went = {.probe = f->probe, .begun = f->went, .now = clock_us()};
    breaker *b = breakers_of(&d->relays, f->relay_name);
    if (b)
        breaker_judge(b, f->result, &went, d->relays.pauses, deliver_random(d));
    if (f->result && breaker_is_vain(f->result)) {
        was_not_tried(d, f);
        return;
    }
    bool walk = plan_note(&f->plan, &t, d->options.resend_unknown);
    f->untold = true;
    f->number = f->plan.record.tries;
    if (walk)
        go_on(d, f);
    else
        deliver_settle(d, f);
}
