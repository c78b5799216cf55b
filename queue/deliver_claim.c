/* Claiming what is due: when, how much, and not too often. */
#include "base/clock.h"
#include "queue/deliver_own.h"

#define BATCH       128         /* messages in one claim at most */
#define LOOK        8           /* … while every relay that was seen is left alone … */
#define LOOK_US     SECONDS(1)  /* … and so often */
#define SKIPPED_US  MS(20)      /* after a claim of none that could be tried */
#define EARLY_US    MS(50)      /* after one of nothing, though something was due */
#define POLL_US     SECONDS(60) /* at least so often, … */
#define POLL_FAR_US SECONDS(5)  /* … and where other processes have the same queue */

static void on_claimed(queue_op *op)
{
    deliver *d = op->ctx;
    (void)pthread_mutex_lock(&d->lock);
    d->away--;
    d->claimed = true;
    (void)pthread_cond_signal(&d->work);
    (void)pthread_mutex_unlock(&d->lock);
}

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
    d->claim_pause = deliver_pause(d->claim_pause);
    d->claim_at = clock_us() + deliver_smeared(d, d->claim_pause);
}

/* A message that is under way still, or just was: its lease ran out while it could not be settled.
 * The new one serves as well. */
static bool is_under_way(deliver *d, const queue_message *m, int64_t lease_end)
{
    flight *f = deliver_find(d, m->id);
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
        deliver_add(d, f);
        deliver_begin(d, f);
        tried += f->phase == FLIGHT_TRYING;
    }
    return tried;
}

/* When the next claim is due, after one that came back. */
static void plan_claim(deliver *d, size_t tried)
{
    const queue_op *op = &d->claim;
    int64_t now = clock_us();
    int64_t poll = now + deliver_smeared(d, d->far ? POLL_FAR_US : POLL_US);
    int64_t ahead = op->next_due == INT64_MAX ? INT64_MAX : op->next_due - clock_wall_us();

    d->claim_at = ahead < poll - now ? now + ahead : poll;
    if (op->message_count == 0 && d->claim_at < now + EARLY_US)
        d->claim_at = now + EARLY_US;
    else if (op->message_count > 0 && tried == 0 && d->claim_at < now + SKIPPED_US)
        d->claim_at = now + SKIPPED_US;
    deliver_due_at(d, d->claim_once);
}

void deliver_claim_came_back(deliver *d)
{
    d->claiming = false;
    if (d->claim.outcome == QUEUE_OK) {
        d->claim_pause = 0;
        plan_claim(d, take_up(d)); /* counted before the claim's own room is given back */
    } else {
        on_claim_failed(d);
    }
    for (flight *f = d->held, *after; f; f = after) {
        after = f->next;
        deliver_end(d, f);
    }
    d->held = NULL;
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
    deliver_put_out(d, &d->claim);
}

void deliver_claim_refused(deliver *d)
{
    d->claiming = false;
    give_claims_room(d);
    on_claim_failed(d);
}

/* Claims if that is due; when it will be, if nothing comes in between. */
int64_t deliver_claim(deliver *d)
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
    return INT64_MAX; /* something ends first */
}
