#include "service/answer.h"

#include <string.h>

#include "base/jsonw.h"
#include "service/problem.h"

#define ANSWER_BYTES 512 /* what most answers fit in: one allocation */
#define JSON_TYPE    "application/json"
#define PROBLEM_TYPE "application/problem+json"

/* What no mail that was taken waits for: made small, not fast. */
#define COLD __attribute__((cold))

/* Who has to act decides the status, so that it alone tells a generic client whether to try again.
 */
static const problem_kind kind_of_blame[] = {
    [SMTP_BLAME_NONE] = PROBLEM_INTERNAL, /* a fault without blame: a defect of the sender */
    [SMTP_BLAME_MESSAGE] = PROBLEM_REFUSED, [SMTP_BLAME_GATEWAY] = PROBLEM_GATEWAY,
    [SMTP_BLAME_RELAY] = PROBLEM_RELAY,     [SMTP_BLAME_TIMEOUT] = PROBLEM_TIMEOUT,
};

/* Seconds that are worth waiting, where a 503 comes from the relay. */
static const unsigned retry_after_of_category[SMTP_CATEGORY_COUNT] = {
    [SMTP_CATEGORY_NETWORK] = 10,   [SMTP_CATEGORY_RATE] = 60,   [SMTP_CATEGORY_TEMPORARY] = 60,
    [SMTP_CATEGORY_RECIPIENT] = 60, [SMTP_CATEGORY_POLICY] = 60,
};

static void write_reply(jsonw *w, const smtp_reply *reply)
{
    jsonw_key(w, "smtp");
    jsonw_object(w);
    jsonw_member_int(w, "code", reply->code);
    jsonw_member_str(w, "enhanced", reply->enhanced[0] ? reply->enhanced : NULL);
    jsonw_member_str(w, "message", reply->text);
    jsonw_object_end(w);
}

/* What was no refusal has no cause. */
static void write_cause(jsonw *w, smtp_cause cause)
{
    if (cause == SMTP_CAUSE_NONE)
        return;
    jsonw_member_str(w, "cause", smtp_cause_name(cause));
}

COLD static void write_rejected(jsonw *w, const char *email, const smtp_recipient_result *result)
{
    jsonw_object(w);
    jsonw_member_str(w, "email", email);
    write_reply(w, &result->reply);
    jsonw_member_str(w, "category", smtp_category_name(result->category));
    write_cause(w, result->cause);
    if (result->hint)
        jsonw_member_str(w, "hint", result->hint);
    jsonw_member_bool(w, "retryable", result->retryable);
    jsonw_object_end(w);
}

/* Nothing was sent to it, and no relay asked. */
COLD static void write_suppressed(jsonw *w, const char *email)
{
    jsonw_object(w);
    jsonw_member_str(w, "email", email);
    jsonw_member_str(w, "code", "suppressed");
    jsonw_member_str(w, "category", smtp_category_name(SMTP_CATEGORY_RECIPIENT));
    jsonw_member_str(
        w, "hint",
        "Nothing is sent to this address: /v1/suppressions says why, and takes it back.");
    jsonw_member_bool(w, "retryable", false);
    jsonw_object_end(w);
}

/* `accepted` only where the message went: a recipient that was accepted for a message that was then
 * refused has got nothing. */
static void write_recipients(jsonw *w, const request *r, const smtp_result *result)
{
    bool sent = result->outcome == SMTP_SENT || result->outcome == SMTP_PARTIAL;
    if (sent) {
        jsonw_key(w, "accepted");
        jsonw_array(w);
        for (size_t i = 0; i < result->recipient_count; i++) {
            if (result->recipients[i].accepted)
                jsonw_str(w, r->recipients[i]);
        }
        jsonw_array_end(w);
    }
    jsonw_key(w, "rejected");
    jsonw_array(w);
    for (size_t i = 0; i < result->recipient_count; i++) {
        if (!result->recipients[i].accepted && result->recipients[i].reply.code)
            write_rejected(w, r->recipients[i], &result->recipients[i]);
    }
    for (size_t i = 0; i < r->suppressed_count; i++)
        write_suppressed(w, r->suppressed[i]);
    jsonw_array_end(w);
}

static void write_tls(jsonw *w, const smtp_result *result)
{
    jsonw_member_str(w, "tls", result->tls[0] ? result->tls : NULL);
}

static void write_timing(jsonw *w, const smtp_result *result)
{
    jsonw_key(w, "timing");
    jsonw_object(w);
    jsonw_member_ms(w, "queued_ms", result->timing.queued);
    jsonw_member_ms(w, "session_ms", result->timing.session);
    jsonw_member_ms(w, "envelope_ms", result->timing.envelope);
    jsonw_member_ms(w, "body_ms", result->timing.body);
    jsonw_member_ms(w, "total_ms", result->timing.total);
    jsonw_member_bool(w, "session_reused", result->reused);
    jsonw_object_end(w);
}

COLD static void write_transcript(jsonw *w, const smtp_result *result)
{
    jsonw_key(w, "transcript");
    jsonw_array(w);
    for (size_t i = 0; i < result->line_count; i++) {
        const smtp_line *line = &result->lines[i];
        const char *side = line->side == 'C' ? "client" : line->side == 'S' ? "relay" : "event";
        jsonw_object(w);
        jsonw_member_ms(w, "at_ms", line->at_us);
        jsonw_member_str(w, "side", side);
        jsonw_member_str(w, "line", line->text);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

/* Opens a problem and writes what a relay's fault has to tell; the caller closes it. */
COLD static answer begin_fault(jsonw *w, const char *id, const smtp_relay *relay,
                               const smtp_result *result)
{
    const smtp_fault *fault = &result->fault;
    bool unknown = result->outcome == SMTP_UNKNOWN;
    problem_kind kind = unknown ? PROBLEM_TIMEOUT : kind_of_blame[fault->blame];
    unsigned retry_after = 0;

    if (problem_status(kind) == 503) {
        retry_after = retry_after_of_category[fault->category];
        if (retry_after == 0)
            retry_after = problem_retry_after(kind);
    }
    problem_begin(w, kind, fault->detail ? fault->detail : problem_title(kind));
    jsonw_member_str(w, "id", id);
    jsonw_member_str(w, "relay", smtp_relay_name(relay));
    jsonw_member_str(w, "category", smtp_category_name(fault->category));
    write_cause(w, fault->cause);
    jsonw_member_str(w, "stage",
                     fault->stage == SMTP_STAGE_NONE ? NULL : smtp_stage_name(fault->stage));
    if (result->reply.code)
        write_reply(w, &result->reply);
    if (fault->hint)
        jsonw_member_str(w, "hint", fault->hint);
    jsonw_member_bool(w, "retryable", fault->retryable && !unknown);
    jsonw_member_str(w, "outcome", unknown ? "unknown" : "not_sent");
    return (answer){problem_status(kind), PROBLEM_TYPE, retry_after};
}

answer answer_send(const request *r, const smtp_result *result, buf *out)
{
    bool sent = result->outcome == SMTP_SENT || result->outcome == SMTP_PARTIAL;
    bool whole = result->outcome == SMTP_SENT && r->suppressed_count == 0;
    answer a = {whole ? 200 : 207, JSON_TYPE, 0};
    jsonw w;

    (void)buf_reserve(out, ANSWER_BYTES); /* a failure is told by what is added */
    jsonw_init(&w, out);
    if (sent) {
        jsonw_object(&w);
        jsonw_member_str(&w, "id", r->id);
        jsonw_member_str(&w, "message_id", mime_message_id(r->message));
        jsonw_member_str(&w, "status", whole ? "sent" : "partial");
        jsonw_member_str(&w, "relay", smtp_relay_name(r->relay));
        write_reply(&w, &result->reply);
    } else {
        a = begin_fault(&w, r->id, r->relay, result);
        jsonw_member_str(&w, "message_id", mime_message_id(r->message));
    }
    write_recipients(&w, r, result);
    jsonw_member_int(&w, "size", (int64_t)mime_message_size(r->message));
    write_tls(&w, result);
    write_timing(&w, result);
    if (r->transcript)
        write_transcript(&w, result);
    if (r->lint) {
        jsonw_key(&w, "lint");
        jsonw_raw(&w, r->lint, strlen(r->lint));
    }
    jsonw_object_end(&w);
    buf_addc(out, '\n');
    return a;
}

COLD static void write_steps(jsonw *w, const smtp_result *result)
{
    jsonw_key(w, "steps");
    jsonw_array(w);
    for (size_t i = 0; i < result->step_count; i++) {
        const smtp_step *step = &result->steps[i];
        jsonw_object(w);
        jsonw_member_str(w, "stage", smtp_stage_name(step->stage));
        jsonw_member_bool(w, "ok", step->ok);
        jsonw_member_ms(w, "took_ms", step->took_us);
        if (step->detail)
            jsonw_member_str(w, "detail", step->detail);
        if (step->reply.code)
            write_reply(w, &step->reply);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
}

COLD answer answer_check(const char *id, const smtp_relay *relay, const smtp_result *result,
                         buf *out)
{
    answer a = {200, JSON_TYPE, 0};
    jsonw w;

    jsonw_init(&w, out);
    if (result->fault.category == SMTP_CATEGORY_NONE) {
        jsonw_object(&w);
        jsonw_member_str(&w, "id", id);
        jsonw_member_str(&w, "status", "ok");
        jsonw_member_str(&w, "relay", smtp_relay_name(relay));
    } else {
        a = begin_fault(&w, id, relay, result);
    }
    jsonw_member_str(&w, "host", smtp_relay_host(relay));
    jsonw_member_int(&w, "port", smtp_relay_port(relay));
    write_steps(&w, result);
    write_tls(&w, result);
    write_timing(&w, result);
    write_transcript(&w, result);
    jsonw_object_end(&w);
    buf_addc(out, '\n');
    return a;
}
