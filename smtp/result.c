#include "smtp/sender.h"

#include <stdlib.h>

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
