#include "smtp/sender.h"

#include <stdlib.h>

#include "base/zeroed.h"
#include "smtp/loop.h"
#include "smtp/replies.h"
#include "smtp/result.h"

#define THREADS_MAX 64

struct smtp_sender {
    smtp_loop *loops[THREADS_MAX];
    unsigned count;
    bool hosted;
    atomic_bool stopping;
};

smtp_sender *smtp_sender_create(const smtp_sender_options *options, char **error)
{
    smtp_sender *s = calloc(1, sizeof *s);
    *error = NULL;
    /* What is known of replies is unpacked now: when a refusal comes, memory may lack. */
    if (!s || smtp_known_get().statuses.count == 0) {
        free(s);
        return NULL;
    }
    unsigned count = options->threads < 1             ? 1
                     : options->threads > THREADS_MAX ? THREADS_MAX
                                                      : options->threads;
    s->hosted = options->hosted;
    while (s->count < count) {
        smtp_loop *l = smtp_loop_create(options, s->count, count, error);
        if (!l) {
            smtp_sender_free(s);
            return NULL;
        }
        s->loops[s->count++] = l;
    }
    return s;
}

static unsigned load_of(const smtp_loop *l)
{
    return atomic_load_explicit(&l->load, memory_order_relaxed);
}

static bool has_idle(const smtp_loop *l, const smtp_relay *relay)
{
    const smtp_pool *p = smtp_loop_pool(l, relay);
    return p && atomic_load_explicit(&p->idle_now, memory_order_relaxed) > 0;
}

/* The loop that the calling thread runs, if it may have sessions to the relay; NULL: none. */
static smtp_loop *here(const smtp_sender *s, const smtp_relay *relay)
{
    for (unsigned i = 0; s->hosted && i < s->count; i++) {
        if (smtp_loop_is_here(s->loops[i]))
            return smtp_loop_share(s->loops[i], relay) > 0 ? s->loops[i] : NULL;
    }
    return NULL;
}

/* The loop with the least to do of those that may have sessions to the relay; of equal ones, one
 * that has an idle session. The loads change meanwhile, which costs nothing but evenness. */
static smtp_loop *least_busy(const smtp_sender *s, const smtp_relay *relay)
{
    smtp_loop *best = s->loops[0];
    unsigned least = load_of(best);

    for (unsigned i = 1; i < s->count && smtp_loop_share(s->loops[i], relay) > 0; i++) {
        smtp_loop *l = s->loops[i];
        unsigned load = load_of(l);
        if (load < least || (load == least && !has_idle(best, relay) && has_idle(l, relay))) {
            best = l;
            least = load;
        }
    }
    return best;
}

/* An idle session anywhere is better than opening one, and than waiting; but what the thread at
 * hand can do at once, or as soon as others, it does itself. */
static smtp_loop *choose(const smtp_sender *s, const smtp_relay *relay)
{
    smtp_loop *own = here(s, relay);
    if (own && has_idle(own, relay))
        return own;
    for (unsigned i = 0; own && i < s->count; i++) {
        if (has_idle(s->loops[i], relay))
            return s->loops[i];
    }
    smtp_loop *best = least_busy(s, relay);
    if (!own)
        return best;
    unsigned share = smtp_loop_share(own, relay);
    bool has_room = load_of(own) < share;
    bool others_have = load_of(best) < smtp_loop_share(best, relay);
    return has_room || (!others_have && load_of(own) <= load_of(best) + share) ? own : best;
}

static bool hand_over(smtp_sender *s, const smtp_transaction *what, bool is_check)
{
    if (atomic_load(&s->stopping))
        return false;
    smtp_task *t = zeroed(1, sizeof *t);
    if (!t)
        return false;
    t->what = *what;
    t->is_check = is_check;
    t->result = smtp_result_create(what->recipient_count);
    if (t->result && smtp_loop_submit(choose(s, what->relay), t))
        return true;
    smtp_task_free(t);
    return false;
}

bool smtp_sender_submit(smtp_sender *s, const smtp_transaction *t)
{
    return hand_over(s, t, false);
}

bool smtp_sender_check(smtp_sender *s, const smtp_check *c)
{
    const smtp_transaction what = {
        .id = c->id,
        .relay = c->relay,
        .reverse_path = c->reverse_path,
        .timeout_us = c->timeout_us,
        .transcript = c->transcript,
        .done = c->done,
        .ctx = c->ctx,
    };
    return hand_over(s, &what, true);
}

bool smtp_sender_host(smtp_sender *s, unsigned loop)
{
    return smtp_loop_host(s->loops[loop]);
}

void smtp_sender_leave(smtp_sender *s, unsigned loop)
{
    smtp_loop_leave(s->loops[loop]);
}

int smtp_sender_epoll(const smtp_sender *s, unsigned loop)
{
    return s->loops[loop]->epoll;
}

int64_t smtp_sender_due(smtp_sender *s, unsigned loop)
{
    return smtp_loop_due(s->loops[loop]);
}

bool smtp_sender_is_full(const smtp_sender *s, unsigned loop)
{
    return smtp_loop_is_full(s->loops[loop]);
}

void smtp_sender_turn(smtp_sender *s, unsigned loop, const struct epoll_event *events, int count)
{
    smtp_loop_turn(s->loops[loop], events, count);
}

void smtp_sender_stats_get(const smtp_sender *s, const smtp_relay *relay, smtp_sender_stats *out)
{
    *out = (smtp_sender_stats){0};
    for (unsigned i = 0; i < s->count; i++) {
        const smtp_pool *p = smtp_loop_pool(s->loops[i], relay);
        if (!p)
            continue;
        out->sessions_opened += atomic_load(&p->opened);
        out->sessions_failed += atomic_load(&p->failed);
        out->sessions_reused += atomic_load(&p->reused);
        out->second_tries += atomic_load(&p->second_tries);
        out->sessions_open += atomic_load(&p->open_now);
        out->sessions_idle += atomic_load(&p->idle_now);
        out->waiting += atomic_load(&p->waiting_now);
    }
}

void smtp_sender_stop(smtp_sender *s, int64_t grace_us)
{
    if (atomic_exchange(&s->stopping, true))
        return;
    for (unsigned i = 0; i < s->count; i++)
        smtp_loop_stop(s->loops[i], grace_us);
    for (unsigned i = 0; i < s->count; i++)
        smtp_loop_join(s->loops[i]);
}

void smtp_sender_free(smtp_sender *s)
{
    if (!s)
        return;
    smtp_sender_stop(s, 0);
    for (unsigned i = 0; i < s->count; i++)
        smtp_loop_free(s->loops[i]);
    free(s);
}
