#include "smtp/result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/zeroed.h"
#include "smtp/replies.h"

/* Of a reply's text, in a fault's sentence. */
#define QUOTE_MAX 200

static const char *const stages[SMTP_STAGE_COUNT] = {
    [SMTP_STAGE_NONE] = "none",         [SMTP_STAGE_RESOLVE] = "resolve",
    [SMTP_STAGE_CONNECT] = "connect",   [SMTP_STAGE_TLS] = "tls",
    [SMTP_STAGE_GREETING] = "greeting", [SMTP_STAGE_EHLO] = "ehlo",
    [SMTP_STAGE_STARTTLS] = "starttls", [SMTP_STAGE_AUTH] = "auth",
    [SMTP_STAGE_MAIL] = "mail",         [SMTP_STAGE_RCPT] = "rcpt",
    [SMTP_STAGE_DATA] = "data",         [SMTP_STAGE_BODY] = "body",
};

static const char *const categories[SMTP_CATEGORY_COUNT] = {
    [SMTP_CATEGORY_NONE] = "",
    [SMTP_CATEGORY_NETWORK] = "network",
    [SMTP_CATEGORY_TLS] = "tls",
    [SMTP_CATEGORY_AUTH] = "auth",
    [SMTP_CATEGORY_SENDER] = "sender",
    [SMTP_CATEGORY_RECIPIENT] = "recipient",
    [SMTP_CATEGORY_CONTENT] = "content",
    [SMTP_CATEGORY_SIZE] = "size",
    [SMTP_CATEGORY_POLICY] = "policy",
    [SMTP_CATEGORY_RATE] = "rate",
    [SMTP_CATEGORY_TEMPORARY] = "temporary",
    [SMTP_CATEGORY_PROTOCOL] = "protocol",
};

const char *smtp_stage_name(smtp_stage s)
{
    return stages[s];
}

const char *smtp_category_name(smtp_category c)
{
    return categories[c];
}

const char *smtp_cause_name(smtp_cause c)
{
    return smtp_causes[c].name;
}

smtp_result *smtp_result_create(size_t recipient_count)
{
    smtp_result *r = zeroed(1, sizeof *r);

    if (!r)
        return NULL;
    r->outcome = SMTP_NOT_SENT;
    if (recipient_count == 0)
        return r;
    r->recipients = zeroed(recipient_count, sizeof *r->recipients);
    if (!r->recipients) {
        free(r);
        return NULL;
    }
    r->recipient_count = recipient_count;
    return r;
}

smtp_step *smtp_result_step(smtp_result *r)
{
    smtp_step *steps = realloc(r->steps, (r->step_count + 1) * sizeof *steps);

    if (!steps)
        return NULL;
    r->steps = steps;
    steps[r->step_count] = (smtp_step){0};
    return &steps[r->step_count++];
}

char *smtp_refusal_detail(const smtp_relay *relay, smtp_stage stage, const smtp_reply *reply)
{
    const char *text = reply->text ? reply->text : "";
    size_t line = strcspn(text, "\n");
    size_t len = line < QUOTE_MAX ? line : QUOTE_MAX;
    char *detail = NULL;

    while (len < line && len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
        len--; /* not in the middle of a character */
    if (asprintf(&detail, "%s:%u refused at %s: %d%s%s%s%.*s%s", smtp_relay_host(relay),
                 smtp_relay_port(relay), smtp_stage_name(stage), reply->code,
                 reply->enhanced[0] ? " " : "", reply->enhanced, len > 0 ? " " : "", (int)len, text,
                 text[len] ? " …" : "") < 0)
        return NULL;
    return detail;
}

void smtp_result_free(smtp_result *r)
{
    if (!r)
        return;
    smtp_reply_clear(&r->reply);
    free(r->fault.detail);
    for (size_t i = 0; i < r->recipient_count; i++)
        smtp_reply_clear(&r->recipients[i].reply);
    free(r->recipients);
    for (size_t i = 0; i < r->line_count; i++)
        free(r->lines[i].text);
    free(r->lines);
    for (size_t i = 0; i < r->step_count; i++) {
        smtp_reply_clear(&r->steps[i].reply);
        free(r->steps[i].detail);
    }
    free(r->steps);
    free(r);
}
