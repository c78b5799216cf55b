#include "service/job.h"

#include <stddef.h>

bool job_enter(app *a)
{
    if (atomic_fetch_add(&a->in_flight, 1) >= a->config->max_inflight) {
        atomic_fetch_sub(&a->in_flight, 1);
        return false;
    }
    metrics_transactions_in_flight(a->metrics, 1);
    return true;
}

void job_leave(app *a)
{
    metrics_transactions_in_flight(a->metrics, -1);
    atomic_fetch_sub(&a->in_flight, 1);
}

static const char *const outcomes[] = {
    [SMTP_SENT] = "sent",
    [SMTP_PARTIAL] = "partial",
    [SMTP_NOT_SENT] = "not_sent",
    [SMTP_UNKNOWN] = "unknown",
};

const char *job_outcome_name(const smtp_result *result)
{
    return outcomes[result ? result->outcome : SMTP_NOT_SENT];
}

size_t job_accepted(const smtp_result *result)
{
    size_t n = 0;
    if (!result || (result->outcome != SMTP_SENT && result->outcome != SMTP_PARTIAL))
        return 0;
    for (size_t i = 0; i < result->recipient_count; i++)
        n += result->recipients[i].accepted;
    return n;
}

static void log_transaction(const app *a, const request *r, const smtp_result *result)
{
    bool sent = result->outcome == SMTP_SENT || result->outcome == SMTP_PARTIAL;
    log_line line;
    log_begin(&line, a->log, sent ? LOG_INFO : LOG_WARNING, "transaction");
    log_str(&line, "id", r->id);
    log_str(&line, "relay", smtp_relay_name(r->relay));
    log_str(&line, "outcome", job_outcome_name(result));
    if (!sent) {
        log_str(&line, "category", smtp_category_name(result->fault.category));
        if (result->fault.cause != SMTP_CAUSE_NONE)
            log_str(&line, "cause", smtp_cause_name(result->fault.cause));
        log_str(&line, "stage", smtp_stage_name(result->fault.stage));
    }
    log_int(&line, "code", result->reply.code);
    if (result->reply.enhanced[0])
        log_str(&line, "enhanced", result->reply.enhanced);
    log_address(&line, "from", r->reverse_path);
    if (r->recipient_count == 1)
        log_address(&line, "to", r->recipients[0]);
    log_int(&line, "recipients", (int64_t)r->recipient_count);
    log_int(&line, "accepted", (int64_t)job_accepted(result));
    log_int(&line, "size", (int64_t)mime_message_size(r->message));
    log_str(&line, "reused", result->reused ? "yes" : "no");
    if (result->second_try)
        log_str(&line, "second_try", "yes");
    log_ms(&line, "queued_ms", result->timing.queued);
    log_ms(&line, "session_ms", result->timing.session);
    log_ms(&line, "envelope_ms", result->timing.envelope);
    log_ms(&line, "body_ms", result->timing.body);
    log_ms(&line, "ms", result->timing.total);
    log_end(&line);
}

size_t job_relay_index(const app *a, const smtp_relay *relay)
{
    size_t i = 0;
    while (a->config->relays[i] != relay)
        i++;
    return i;
}

void job_finished(app *a, const request *r, const smtp_result *result)
{
    log_transaction(a, r, result);
    metrics_transaction(a->metrics, job_relay_index(a, r->relay), result,
                        mime_message_size(r->message));
}

_Static_assert(MIME_READ_FAILED == SMTP_SOURCE_FAILED, "what the reader says is the source's word");

static size_t read_message(void *ctx, char *out, size_t cap)
{
    return mime_reader_read(ctx, out, cap);
}

static void rewind_message(void *ctx)
{
    mime_reader_rewind(ctx);
}

smtp_transaction job_transaction(const app *a, const request *r, mime_reader *reader,
                                 smtp_done *done, void *ctx)
{
    return (smtp_transaction){
        .id = r->id,
        .relay = r->relay,
        .reverse_path = r->reverse_path,
        .recipients = r->recipients,
        .recipient_count = r->recipient_count,
        .utf8 = r->utf8,
        .source = {read_message, rewind_message, reader, mime_message_size(r->message),
                   mime_message_eight_bit(r->message)},
        .timeout_us = a->config->timeout_us,
        .transcript = r->transcript,
        .done = done,
        .ctx = ctx,
    };
}
