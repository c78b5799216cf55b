/*
 * Whatever a relay says: replies come out the same however they are cut, fit for JSON and logs, and
 * within their bounds; and everything that reads them takes them.
 *
 * The first octet says how the rest is cut.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "smtp/caps.h"
#include "smtp/classify.h"
#include "smtp/preset.h"
#include "smtp/reply.h"
#include "smtp/transcript.h"

#define KEPT 64

typedef struct heard {
    smtp_reply replies[KEPT];
    size_t count; /* all of them, also those not kept */
    bool bad;
} heard;

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_text(const char *text)
{
    size_t len = strlen(text), lines = 1;
    require(utf8_valid(text, len));
    for (size_t i = 0; i < len; i++) {
        require((unsigned char)text[i] >= 0x20 || text[i] == '\n');
        require(text[i] != 0x7F);
        lines += text[i] == '\n';
    }
    require(lines <= SMTP_REPLY_LINES);
    /* A replacement is three octets for one. */
    require(len <= SMTP_REPLY_MAX + (size_t)3 * SMTP_REPLY_LINE_MAX);
}

static void use(const smtp_reply *r)
{
    smtp_caps caps;
    smtp_transcript lines = {0};
    require(r->code >= 200 && r->code <= 599 && r->text);
    require(strlen(r->enhanced) < sizeof r->enhanced);
    check_text(r->text);
    smtp_caps_read(&caps, r->text);
    require(strlen(caps.auth) < sizeof caps.auth);
    smtp_transcript_reply(&lines, r);
    for (size_t i = 0; i < lines.count; i++)
        require(utf8_valid(lines.lines[i].text, strlen(lines.lines[i].text)));
    smtp_transcript_free(&lines);
    for (int stage = SMTP_STAGE_NONE; stage < SMTP_STAGE_COUNT; stage++) {
        smtp_fault fault = {0};
        smtp_classify_reply((smtp_stage)stage, r, stage % 2 ? "qq" : NULL, &fault);
        require(fault.category != SMTP_CATEGORY_NONE && fault.blame != SMTP_BLAME_NONE);
        require(fault.cause > SMTP_CAUSE_NONE && fault.cause < SMTP_CAUSE_COUNT && fault.hint);
    }
}

static void hear(const uint8_t *data, size_t size, size_t step, heard *out)
{
    smtp_reply_parser *p = smtp_reply_parser_create();
    require(p != NULL);
    *out = (heard){0};
    for (size_t at = 0; at < size; at += step) {
        smtp_reply r;
        smtp_reply_status status;
        size_t n = size - at < step ? size - at : step;
        require(smtp_reply_feed(p, (const char *)data + at, n));
        while ((status = smtp_reply_next(p, &r)) == SMTP_REPLY_DONE) {
            if (out->count < KEPT)
                require(smtp_reply_copy(&out->replies[out->count], &r));
            out->count++;
        }
        require(status == SMTP_REPLY_MORE || status == SMTP_REPLY_BAD);
        require(r.code == 0 && !r.text);
        out->bad = status == SMTP_REPLY_BAD;
    }
    smtp_reply_parser_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    heard whole, cut;
    if (size < 1)
        return 0;
    hear(data + 1, size - 1, size, &whole);
    hear(data + 1, size - 1, (size_t)data[0] % 97 + 1, &cut);
    require(whole.count == cut.count && whole.bad == cut.bad);
    for (size_t i = 0; i < whole.count && i < KEPT; i++) {
        smtp_reply *a = &whole.replies[i], *b = &cut.replies[i];
        require(a->code == b->code && strcmp(a->enhanced, b->enhanced) == 0 &&
                strcmp(a->text, b->text) == 0);
        use(a);
        smtp_reply_clear(a);
        smtp_reply_clear(b);
    }
    return 0;
}
