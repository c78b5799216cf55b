#include "smtp/result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "smtp/replies.h"

/* Replies' texts take no more, mostly: multiples of ARENA_ALIGN. */
#define TEXTS_ROOM     ((size_t)96)
#define RECIPIENT_ROOM ((size_t)32) /* … and for each recipient */
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

/* All in one allocation. */
typedef struct whole_result {
    smtp_result result;                /* first: it is what smtp_result_free() is given */
    _Alignas(max_align_t) char rest[]; /* room for texts, and the recipients behind it */
} whole_result;

smtp_result *smtp_result_create(size_t recipient_count)
{
    size_t texts = TEXTS_ROOM + recipient_count * RECIPIENT_ROOM;
    size_t size = sizeof(whole_result) + texts + recipient_count * sizeof(smtp_recipient_result);
    whole_result *whole = malloc(size);

    if (!whole)
        return NULL;
    whole->result = (smtp_result){.outcome = SMTP_NOT_SENT, .recipient_count = recipient_count};
    whole->result.texts = (arena){.block = whole->rest, .size = texts};
    if (recipient_count > 0) {
        whole->result.recipients = (smtp_recipient_result *)(void *)(whole->rest + texts);
        memset(whole->result.recipients, 0, recipient_count * sizeof(smtp_recipient_result));
    }
    return &whole->result;
}

void smtp_result_keep(smtp_result *r, smtp_reply *to, const smtp_reply *from)
{
    static const char empty[] = "";
    size_t size = from->text ? strlen(from->text) + 1 : 0;
    char *room = size > 0 ? arena_take(&r->texts, size) : NULL;

    if (!room && smtp_reply_copy(to, from))
        return;
    *to = *from;
    to->text = room ? memcpy(room, from->text, size) : (char *)empty;
    to->lent = true;
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
