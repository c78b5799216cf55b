#include "queue/flight.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/zeroed.h"

flight *flight_create(queue_message *m)
{
    flight *f = zeroed(1, sizeof *f);
    if (!f)
        return NULL;
    f->message = *m;
    *m = (queue_message){.body = {.fd = -1}};
    return f;
}

void flight_free(flight *f)
{
    if (!f)
        return;
    smtp_result_free(f->result);
    plan_outcome_clear(&f->outcome);
    queue_op_clear(&f->op);
    plan_clear(&f->plan);
    free(f->which);
    free((void *)f->recipients);
    queue_message_clear(&f->message);
    free(f);
}

bool flight_collect(flight *f)
{
    const record *r = &f->plan.record;

    if (!f->which)
        f->which = zeroed(r->count, sizeof *f->which);
    if (!f->recipients)
        f->recipients = zeroed(r->count, sizeof *f->recipients);
    if (!f->which || !f->recipients)
        return false;
    f->count = 0;
    for (size_t i = 0; i < r->count; i++) {
        if (r->list[i].status != RECORD_WAITING)
            continue;
        f->which[f->count] = i;
        f->recipients[f->count++] = r->list[i].email;
    }
    return true;
}

/* ---- the body ---- */

static size_t read_body(void *ctx, char *out, size_t cap)
{
    flight *f = ctx;
    const queue_body *b = &f->message.body;
    uint64_t left = b->size - f->offset;
    size_t want = left < cap ? (size_t)left : cap;
    ssize_t n;

    if (want == 0)
        return 0;
    if (b->data) {
        memcpy(out, b->data + f->offset, want);
        n = (ssize_t)want;
    } else {
        do
            n = pread(b->fd, out, want, (off_t)f->offset);
        while (n < 0 && errno == EINTR);
    }
    if (n <= 0) /* it can't be read, or is shorter than it was */
        return SMTP_SOURCE_FAILED;
    f->offset += (uint64_t)n;
    return (size_t)n;
}

static void rewind_body(void *ctx)
{
    flight *f = ctx;
    f->offset = 0;
}

void flight_transaction(flight *f, smtp_transaction *out)
{
    const record *r = &f->plan.record;

    f->offset = 0;
    *out = (smtp_transaction){.id = f->message.id,
                              .relay = f->relay,
                              .reverse_path = r->reverse_path,
                              .recipients = f->recipients,
                              .recipient_count = f->count,
                              .utf8 = r->utf8,
                              .source = {.read = read_body,
                                         .rewind = rewind_body,
                                         .ctx = f,
                                         .size = f->message.body.size,
                                         .eight_bit = r->eight_bit},
                              .ctx = f};
}

void flight_op(flight *f, const char *owner)
{
    const plan_outcome *o = &f->outcome;

    queue_op_clear(&f->op);
    f->op.kind = QUEUE_SETTLE;
    f->op.ctx = f;
    memcpy(f->op.id, f->message.id, sizeof f->op.id);
    f->op.in.settle.owner = owner;
    f->op.in.settle.attempt = f->message.attempts + 1;
    f->op.in.settle.state = o->state;
    f->op.in.settle.next_at = o->next_at;
    f->op.in.settle.recipients = o->recipients;
    f->op.in.settle.log = o->log;
    f->op.in.settle.events = o->event.payload ? &o->event : NULL;
    f->op.in.settle.event_count = o->event.payload ? 1 : 0;
    f->op.in.settle.suppress = o->gone;
    f->op.in.settle.suppress_count = o->gone_count;
}
