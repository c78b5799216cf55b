#include "queue/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/zeroed.h"

#define JITTER 0.2

/* ---- what a relay's words mean for one recipient ---- */

static void mark_gone(plan_mark *m, const smtp_reply *reply)
{
    smtp_classify_reason(reply, m->reason);
    m->gone = true;
}

/* What the relay holds against us, not against the message. */
static bool is_gateways(smtp_category c)
{
    return c == SMTP_CATEGORY_POLICY || c == SMTP_CATEGORY_AUTH || c == SMTP_CATEGORY_TLS ||
           c == SMTP_CATEGORY_PROTOCOL;
}

typedef enum verdict { TAKEN, LATER, ELSEWHERE, NEVER, NOT_KNOWN } verdict;

static verdict verdict_of_fault(const smtp_fault *f)
{
    if (f->retryable || f->category == SMTP_CATEGORY_NONE)
        return LATER;
    if (f->blame == SMTP_BLAME_GATEWAY)
        return f->stage < SMTP_STAGE_MAIL ? LATER : ELSEWHERE;
    return NEVER;
}

/* The reply to the recipient's own RCPT, if it was a refusal. */
static const smtp_recipient_result *own_refusal(const smtp_result *r, size_t i)
{
    const smtp_recipient_result *one =
        r && r->recipients && i < r->recipient_count ? &r->recipients[i] : NULL;
    return one && !one->accepted && one->reply.code >= 400 ? one : NULL;
}

static verdict verdict_of(const smtp_result *r, size_t i, bool resend_unknown)
{
    const smtp_recipient_result *own = own_refusal(r, i);

    if (!r)
        return LATER;
    if (r->outcome == SMTP_SENT)
        return TAKEN;
    if (own)
        return own->retryable ? LATER : is_gateways(own->category) ? ELSEWHERE : NEVER;
    if (r->outcome == SMTP_PARTIAL) {
        bool taken = r->recipients && i < r->recipient_count && r->recipients[i].accepted;
        return taken ? TAKEN : LATER;
    }
    if (r->outcome == SMTP_UNKNOWN)
        return resend_unknown ? LATER : NOT_KNOWN;
    return verdict_of_fault(&r->fault);
}

/* ---- noting ---- */

static void say(plan *p, const plan_try *t, size_t i, verdict v)
{
    static const smtp_reply none = {0};
    const smtp_result *r = t->result;
    const smtp_recipient_result *own = own_refusal(r, i);
    record_word w = {.relay = t->relay, .at = t->now, .reply = r ? &r->reply : &none};

    if (own && v != TAKEN) {
        w.reply = &own->reply;
        w.category = smtp_category_name(own->category);
        w.cause = smtp_cause_name(own->cause);
        w.hint = own->hint;
    } else if (v == TAKEN) {
        w.reply = r && r->reply.code ? &r->reply : &none;
    } else {
        w.category = smtp_category_name(r ? r->fault.category : SMTP_CATEGORY_TEMPORARY);
        w.cause = smtp_cause_name(r ? r->fault.cause : SMTP_CAUSE_NONE);
        w.hint = r ? r->fault.hint : NULL;
    }
    record_say(&p->record, t->which[i], &w);
}

/* Whether the recipient is gone, in words that can only be about it. */
static void look_whether_gone(plan_mark *m, const plan_try *t, size_t i)
{
    const smtp_recipient_result *own = own_refusal(t->result, i);
    const smtp_result *r = t->result;

    if (own && smtp_classify_gone(own->cause, &own->reply))
        mark_gone(m, &own->reply);
    else if (!own && r && t->count == 1 && smtp_classify_gone(r->fault.cause, &r->reply))
        mark_gone(m, &r->reply);
}

static void apply(plan *p, const plan_try *t, size_t i, verdict v)
{
    record_recipient *one = &p->record.list[t->which[i]];
    plan_mark *m = &p->marks[t->which[i]];

    m->doomed = v == ELSEWHERE;
    if (v == TAKEN)
        one->status = RECORD_ACCEPTED;
    else if (v == NOT_KNOWN)
        one->status = RECORD_UNKNOWN;
    else if (v == NEVER)
        one->status = RECORD_REFUSED;
    else if (v == LATER)
        m->hope = true;
    if (v == NEVER)
        look_whether_gone(m, t, i);
    say(p, t, i, v);
}

static const char *outcome_name(const smtp_result *r)
{
    static const char *const names[] = {[SMTP_SENT] = "sent",
                                        [SMTP_PARTIAL] = "partial",
                                        [SMTP_NOT_SENT] = "not_sent",
                                        [SMTP_UNKNOWN] = "unknown"};
    return names[r ? r->outcome : SMTP_NOT_SENT];
}

static void log_try(plan *p, const plan_try *t, size_t accepted)
{
    const smtp_result *r = t->result;
    const smtp_fault none = {.category = SMTP_CATEGORY_TEMPORARY,
                             .retryable = true,
                             .detail = (char *)(t->detail ? t->detail : "out of memory")};
    int64_t us = r && r->timing.total > 0 ? r->timing.total : t->now - t->at;
    const record_entry e = {
        .at = t->at,
        .us = us > 0 ? us : 0,
        .relay = t->relay,
        .recipients = t->count,
        .accepted = accepted,
        .outcome = outcome_name(r),
        .fault = !r                        ? &none
                 : r->outcome != SMTP_SENT ? &r->fault
                                           : NULL,
        .reply = r ? &r->reply : NULL,
    };
    record_log(&p->record, &e);
}

bool plan_note(plan *p, const plan_try *t, bool resend_unknown)
{
    size_t accepted = 0;

    for (size_t i = 0; i < t->count; i++) {
        verdict v = verdict_of(t->result, i, resend_unknown);
        accepted += v == TAKEN;
        apply(p, t, i, v);
    }
    p->tries++;
    log_try(p, t, accepted);
    return t->result && accepted == 0 && t->result->outcome != SMTP_UNKNOWN &&
           record_having(&p->record, RECORD_WAITING) > 0;
}

void plan_give_up(plan *p, const char *detail, int64_t now)
{
    const smtp_fault fault = {.detail = (char *)detail};
    const record_entry e = {.at = now,
                            .recipients = record_having(&p->record, RECORD_WAITING),
                            .outcome = "not_sent",
                            .fault = &fault};
    record_log(&p->record, &e);
    for (size_t i = 0; i < p->record.count; i++) {
        if (p->record.list[i].status == RECORD_WAITING)
            p->record.list[i].status = RECORD_REFUSED;
    }
    p->tries++;
}

/* ---- the message ---- */

/* A record that can be settled, of one that can't be read. */
static void begin_broken(plan *p, const char *fault, int64_t now)
{
    p->broken = true;
    record_break(&p->record);
    plan_give_up(p, fault, now);
}

bool plan_begin(plan *p, const queue_message *m, int64_t now)
{
    bool transient = false;
    *p = (plan){0};
    const char *fault = record_read(&p->record, m, &transient);
    bool ok = !transient;

    if (ok && fault) {
        begin_broken(p, fault, now);
    } else if (ok) {
        p->marks = zeroed(p->record.count, sizeof *p->marks);
        ok = p->marks != NULL;
        if (ok && !m->body.data && m->body.fd < 0)
            plan_give_up(p, "the message's body is gone from the queue", now);
    }
    if (!ok)
        plan_clear(p);
    return ok;
}

void plan_clear(plan *p)
{
    record_clear(&p->record);
    free(p->marks);
    *p = (plan){0};
}

/* ---- settling ---- */

/* What still waits, and is not to. */
static void end_waiting(plan *p, bool expired)
{
    for (size_t i = 0; i < p->record.count; i++) {
        record_recipient *one = &p->record.list[i];
        const plan_mark *m = &p->marks[i];
        if (one->status == RECORD_WAITING && m->doomed && !m->hope && !p->hope)
            one->status = RECORD_REFUSED;
        else if (one->status == RECORD_WAITING && expired)
            one->status = RECORD_EXPIRED;
    }
}

static queue_state state_of(const plan *p)
{
    const record *r = &p->record;
    size_t accepted = record_having(r, RECORD_ACCEPTED);

    if (record_having(r, RECORD_WAITING) > 0)
        return QUEUE_QUEUED;
    if (record_having(r, RECORD_UNKNOWN) > 0)
        return QUEUE_UNKNOWN;
    if (accepted > 0)
        return accepted == r->count ? QUEUE_SENT : QUEUE_PARTIAL;
    return record_having(r, RECORD_EXPIRED) > 0 ? QUEUE_EXPIRED : QUEUE_FAILED_STATE;
}

/* Doubled with each round over the relays. The last try is a little before the message expires. */
static int64_t next_at(const plan *p, const plan_options *o, const plan_when *w)
{
    const record *r = &p->record;
    unsigned relays = r->relay_count < PLAN_RELAYS ? (unsigned)r->relay_count : PLAN_RELAYS;
    unsigned rounds = relays > 0 && r->tries > 0 ? (r->tries - 1) / relays : 0;
    int64_t wait = o->first_us;

    while (rounds-- > 0 && wait < o->most_us)
        wait *= 2;
    if (wait > o->most_us)
        wait = o->most_us;
    wait += (int64_t)((double)wait * JITTER * w->jitter);
    if (wait < 1)
        wait = 1;
    if (wait < w->expires_at - w->now)
        return w->now + wait;
    int64_t last = w->expires_at - o->first_us;
    return last - w->now > o->first_us ? last : w->expires_at;
}

static const char *event_type(queue_state s)
{
    static const char *const types[QUEUE_STATES] = {
        [QUEUE_QUEUED] = "message.deferred",       [QUEUE_SENT] = "message.accepted",
        [QUEUE_PARTIAL] = "message.partly_failed", [QUEUE_FAILED_STATE] = "message.failed",
        [QUEUE_EXPIRED] = "message.failed",        [QUEUE_UNKNOWN] = "message.unknown",
    };
    return types[s];
}

static bool list_gone(const plan *p, int64_t now, plan_outcome *out)
{
    size_t count = 0;

    for (size_t i = 0; i < p->record.count; i++)
        count += p->marks[i].gone;
    if (count == 0)
        return true;
    out->gone = calloc(count, sizeof *out->gone);
    if (!out->gone)
        return false;
    for (size_t i = 0; i < p->record.count; i++) {
        if (!p->marks[i].gone)
            continue;
        queue_suppressed *g = &out->gone[out->gone_count++];
        g->address = strdup(p->record.list[i].email);
        g->list = strdup("");
        g->reason = strdup(p->marks[i].reason);
        g->since = now;
        if (!g->address || !g->list || !g->reason)
            return false;
        for (char *c = g->address; *c; c++)
            *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    }
    return true;
}

static bool make_texts(plan *p, const char *id, const plan_options *o, const plan_when *w,
                       plan_outcome *out)
{
    int64_t next = out->state == QUEUE_QUEUED ? out->next_at : 0;

    if (!record_dump(&p->record, next, &out->recipients, &out->log))
        return false;
    if (o->suppress && !list_gone(p, w->now, out))
        return false;
    if (!o->events)
        return true;
    out->event.next_at = w->now;
    out->event.payload =
        record_event(&p->record, event_type(out->state), id, out->state, w->now, next);
    return out->event.payload != NULL;
}

bool plan_settle(plan *p, const char *id, const plan_options *o, const plan_when *w,
                 plan_outcome *out)
{
    *out = (plan_outcome){0};
    end_waiting(p, w->now >= w->expires_at);
    out->state = state_of(p);
    if (out->state == QUEUE_QUEUED) {
        out->next_at = w->next_at ? w->next_at : next_at(p, o, w);
        if (out->next_at > w->expires_at)
            out->next_at = w->expires_at;
        if (p->tries == 0) /* nothing was done, and nothing is told */
            return true;
    }
    if (make_texts(p, id, o, w, out))
        return true;
    plan_outcome_clear(out);
    return false;
}

void plan_outcome_clear(plan_outcome *out)
{
    free(out->recipients);
    free(out->log);
    free(out->event.payload);
    for (size_t i = 0; i < out->gone_count; i++) {
        free(out->gone[i].address);
        free(out->gone[i].list);
        free(out->gone[i].reason);
    }
    free(out->gone);
    *out = (plan_outcome){0};
}
