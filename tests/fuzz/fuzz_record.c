/*
 * From the texts that the queue keeps of a message, a NUL between them (head, recipients, log; then
 * one byte for each relay's answer), to what is kept next. Whatever comes in, a message that is
 * settled one way or the other, in texts that can be read again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "queue/plan.h"

#define NOW ((int64_t)1700000000000000)

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* Up to the next NUL; what is behind it is left. */
static char *take(const uint8_t **data, size_t *size)
{
    const uint8_t *end = *size ? memchr(*data, 0, *size) : NULL;
    size_t len = end ? (size_t)(end - *data) : *size;
    char *text = len ? strndup((const char *)*data, len) : strdup("");
    require(text);
    len += end != NULL;
    *data += len;
    *size -= len;
    return text;
}

static void note(plan *p, uint8_t answer)
{
    size_t which[RECORD_RECIPIENTS_MAX], count = 0;
    for (size_t i = 0; i < p->record.count; i++) {
        if (p->record.list[i].status == RECORD_WAITING)
            which[count++] = i;
    }
    smtp_result r = {.outcome = answer & 3,
                     .reply = {.code = answer & 4 ? 550 : 451, .enhanced = "5.1.1"},
                     .fault = {.category = SMTP_CATEGORY_RECIPIENT,
                               .stage = answer & 8 ? SMTP_STAGE_BODY : SMTP_STAGE_AUTH,
                               .blame = answer & 16 ? SMTP_BLAME_GATEWAY : SMTP_BLAME_MESSAGE,
                               .retryable = answer & 32}};
    const plan_try t = {
        .relay = "a", .which = which, .count = count, .result = &r, .at = NOW, .now = NOW};
    bool walks = plan_note(p, &t, answer & 64);
    require(!walks || record_having(&p->record, RECORD_WAITING) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const plan_options options = {.first_us = 1, .most_us = 9, .events = true, .suppress = true};
    const plan_when when = {.now = NOW, .expires_at = NOW + 5};
    queue_message m = {.body = {.data = "x", .fd = -1, .size = 1}};
    plan p;
    plan_outcome out;

    m.head = take(&data, &size);
    m.recipients = take(&data, &size);
    m.log = take(&data, &size);
    require(plan_begin(&p, &m, NOW));
    for (size_t i = 0; i < size && i < PLAN_RELAYS && !p.broken; i++) {
        if (record_having(&p.record, RECORD_WAITING) > 0)
            note(&p, data[i]);
    }
    require(plan_settle(&p, "01HF7YAT00000000000000000A", &options, &when, &out));
    require(out.state != QUEUE_SENDING && (out.state != QUEUE_QUEUED || out.next_at > NOW));
    require(!p.broken || out.state == QUEUE_FAILED_STATE);
    if (out.recipients && !p.broken) { /* it can be read again, and says the same */
        size_t waiting = record_having(&p.record, RECORD_WAITING);
        free(m.recipients);
        free(m.log);
        m.recipients = out.recipients;
        m.log = out.log;
        out.recipients = out.log = NULL;
        plan_clear(&p);
        require(plan_begin(&p, &m, NOW) && !p.broken);
        require(record_having(&p.record, RECORD_WAITING) == waiting);
    }
    plan_outcome_clear(&out);
    plan_clear(&p);
    m.body.data = NULL;
    queue_message_clear(&m);
    return 0;
}
