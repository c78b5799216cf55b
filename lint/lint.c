#include "lint/lint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "lint/lint_own.h"
#include "lint/rules_texts.h"

#define PREFIX (sizeof "lint." - 1)

#define RULE(code, severity, mark, check, why, cure)                                               \
    {                                                                                              \
        code, severity, mark, check                                                                \
    }
static const lint_rule rules[] = {
#include "lint/rules_table.h"
};

extern const char lint_texts[], lint_texts_end[]; /* pack/packed.S: rules_texts.c */

/* In the order of rules; NULL: no memory. */
static const lint_rule_text *texts(void)
{
    static packed_kept kept = {lint_texts, lint_texts_end, &lint_rule_text_layout, 1, NULL};
    const packed_table *table = packed_get(&kept);
    return table ? table->rows : NULL;
}

/* ---- findings ---- */

/* Makes one line of it, fit to be shown, and cut where it is long. */
static void copy_excerpt(char out[LINT_EXCERPT], const char *s, size_t len)
{
    static const char more[] = "\xE2\x80\xA6";
    size_t n = 0, room = LINT_EXCERPT - sizeof more;
    bool blank = false;
    for (size_t at = 0; at < len;) {
        uint32_t c;
        size_t taken = utf8_decode(s + at, len - at, &c);
        if (taken == 0 || c <= ' ' || c == 0x7F) {
            blank = n > 0;
            at++;
            continue;
        }
        if (n + blank + taken > room) {
            memcpy(out + n, more, sizeof more - 1);
            n += sizeof more - 1;
            break;
        }
        if (blank)
            out[n++] = ' ';
        blank = false;
        memcpy(out + n, s + at, taken);
        n += taken;
        at += taken;
    }
    out[n] = '\0';
}

void lint_tell(lint_context *c, const char *part, size_t line, const char *excerpt, size_t len)
{
    const lint_rule *r = c->rule;
    if (c->told++ >= LINT_EACH)
        return;
    lint_finding f = {.code = r->code + PREFIX,
                      .fault = r->code,
                      .severity = r->severity,
                      .line = line,
                      .why = c->texts[r - rules].why,
                      .cure = c->texts[r - rules].cure};
    (void)snprintf(f.part, sizeof f.part, "%s", part);
    copy_excerpt(f.excerpt, excerpt, len);
    buf_add(&c->found, &f, sizeof f);
}

static size_t line_at(const mime_bytes *text, size_t at)
{
    size_t line = 1;
    const char *s = text->data, *end = s + at;
    while (s < end && (s = memchr(s, '\n', (size_t)(end - s)))) {
        line++;
        s++;
    }
    return line;
}

void lint_tell_html(lint_context *c, size_t at, const char *excerpt, size_t len)
{
    if (c->told < LINT_EACH)
        lint_tell(c, "/html", line_at(&c->html, at), excerpt, len);
}

void lint_tell_seen(lint_context *c, words_span span)
{
    lint_tell_html(c, page_place(&c->page, span.at), c->page.text.data + span.at, span.len);
}

void lint_tell_text(lint_context *c, words_span span)
{
    lint_tell(c, "/text", line_at(&c->text, span.at), c->text.data + span.at, span.len);
}

void lint_tell_attachment(lint_context *c, size_t index, const char *excerpt, size_t len)
{
    char part[LINT_PART];
    (void)snprintf(part, sizeof part, "/attachments/%zu", index);
    lint_tell(c, part, 0, excerpt, len);
}

mime_bytes lint_header(const lint_mail *mail, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < mail->header_count; i++) {
        const mime_header *h = &mail->headers[i];
        if (h->name.len == len && strncasecmp(h->name.data, name, len) == 0)
            return h->value;
    }
    return (mime_bytes){NULL, 0};
}

/* ---- the whole ---- */

static mime_bytes looked_at(mime_bytes b)
{
    if (b.len > LINT_LOOKED_AT)
        b.len = LINT_LOOKED_AT;
    return b;
}

/* The findings become the report's. */
static void give(lint_context *c, lint_report *out)
{
    const lint_finding *list = (const lint_finding *)(const void *)c->found.data;
    out->count = c->found.len / sizeof *list;
    for (size_t i = 0; i < out->count; i++)
        out->of[list[i].severity]++;
    out->list = (lint_finding *)(void *)c->found.data;
    buf_init(&c->found);
}

bool lint_check(const lint_mail *mail, lint_report *out)
{
    lint_context c = {.mail = mail,
                      .html = looked_at(mail->html),
                      .text = looked_at(mail->text),
                      .found = BUF_INIT,
                      .texts = texts()};
    *out = (lint_report){0};
    bool ok = page_read(&c.page, c.html.data ? c.html.data : "", c.html.len) && c.texts;
    for (size_t i = 0; ok && i < sizeof rules / sizeof *rules; i++) {
        c.rule = &rules[i];
        c.told = 0;
        rules[i].check(&c);
    }
    ok = ok && buf_ok(&c.found) && !c.failed;
    if (ok)
        give(&c, out);
    page_free(&c.page);
    buf_free(&c.found);
    return ok;
}

void lint_report_free(lint_report *r)
{
    free(r->list);
    *r = (lint_report){0};
}

const char *lint_severity_name(lint_severity severity)
{
    static const char *const severities[LINT_SEVERITIES] = {
        [LINT_NOTE] = "note", [LINT_WARNING] = "warning", [LINT_ERROR] = "error"};
    return severities[severity];
}

const char *lint_rule_at(size_t i, lint_severity *severity, const char **why, const char **cure)
{
    const lint_rule_text *all = texts();
    if (i >= sizeof rules / sizeof *rules || !all)
        return NULL;
    if (severity)
        *severity = rules[i].severity;
    if (why)
        *why = all[i].why;
    if (cure)
        *cure = all[i].cure;
    return rules[i].code + PREFIX;
}
