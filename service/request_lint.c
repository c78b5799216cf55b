/*
 * The lint of a request: what lint/lint.h says of it becomes a member of the answer, and where it
 * is enforced, faults.
 */
#include "service/request_own.h"

#include <stdlib.h>
#include <string.h>

#include "base/jsonw.h"
#include "base/zeroed.h"
#include "lint/lint.h"

#define HEAD_BASE64 ((size_t)512) /* characters of an attachment that are looked at */
#define HEAD        (HEAD_BASE64 / 4 * 3)

/* What there is for the rules beside the parts; of one allocation. */
typedef struct linted {
    lint_mail mail;
    lint_attachment *attachments;
    unsigned char *heads; /* HEAD each */
} linted;

void request_read_lint(request_reader *r, const char *pointer, const json_t *value)
{
    if (json_is_boolean(value))
        r->lint = json_is_true(value);
    else
        request_wrong_type(r, pointer, "true or false", value);
}

/* The first octets; their number. */
static size_t read_head(const mime_attachment *a, unsigned char head[HEAD])
{
    char text[HEAD_BASE64];
    const char *from = a->base64.data ? a->base64.data : a->stored.data;
    uint64_t all = a->base64.data ? a->base64.len : a->stored.len;
    size_t len = all < sizeof text ? (size_t)all : sizeof text;

    if (!from && a->stored.read && a->stored.read(a->stored.ctx, 0, text, len))
        from = text;
    return from ? mime_base64_decode(from, len, head) : 0;
}

static bool take_attachments(const struct request_parts *p, linted *l)
{
    size_t count = p->attachment_count;

    if (count == 0)
        return true;
    l->attachments = zeroed(count, sizeof *l->attachments);
    l->heads = malloc(count * HEAD);
    for (size_t i = 0; l->attachments && l->heads && i < count; i++) {
        unsigned char *head = l->heads + i * HEAD;
        l->attachments[i] = (lint_attachment){.filename = p->attachments[i].filename,
                                              .content_type = p->attachments[i].content_type,
                                              .head = head,
                                              .head_len = read_head(&p->attachments[i], head)};
    }
    return l->attachments && l->heads;
}

static bool take(const request_reader *r, linted *l)
{
    const struct request_parts *p = r->parts;

    l->mail = (lint_mail){
        .from = p->from.address ? &p->from : &r->config->senders.fallback,
        .reply_to = {p->reply_to.list, p->reply_to.count},
        .recipients = p->to.count + p->cc.count + p->bcc.count,
        .subject = p->subject,
        .html = p->html,
        .text = p->text,
        .headers = p->headers,
        .header_count = p->header_count,
        .attachment_count = p->attachment_count,
        .to_list = r->request->list[0] != 0,
        .tags = r->request->delivery.tags,
    };
    if (!take_attachments(p, l))
        return false;
    l->mail.attachments = l->attachments;
    return true;
}

/* ---- what is told ---- */

static void write_finding(jsonw *w, const lint_finding *f)
{
    jsonw_object(w);
    jsonw_key(w, "code");
    jsonw_str(w, f->code);
    jsonw_key(w, "severity");
    jsonw_str(w, lint_severity_name(f->severity));
    jsonw_key(w, "pointer");
    jsonw_str(w, f->part);
    if (f->line > 0) {
        jsonw_key(w, "line");
        jsonw_int(w, (int64_t)f->line);
    }
    if (f->excerpt[0]) {
        jsonw_key(w, "excerpt");
        jsonw_str(w, f->excerpt);
    }
    jsonw_key(w, "why");
    jsonw_str(w, f->why);
    jsonw_key(w, "cure");
    jsonw_str(w, f->cure);
    jsonw_object_end(w);
}

static char *write_report(const lint_report *report)
{
    buf out = BUF_INIT;
    jsonw w;

    jsonw_init(&w, &out);
    jsonw_object(&w);
    jsonw_key(&w, "errors");
    jsonw_int(&w, (int64_t)report->of[LINT_ERROR]);
    jsonw_key(&w, "warnings");
    jsonw_int(&w, (int64_t)report->of[LINT_WARNING]);
    jsonw_key(&w, "notes");
    jsonw_int(&w, (int64_t)report->of[LINT_NOTE]);
    jsonw_key(&w, "findings");
    jsonw_array(&w);
    for (size_t i = 0; i < report->count; i++)
        write_finding(&w, &report->list[i]);
    jsonw_array_end(&w);
    jsonw_object_end(&w);
    return buf_take(&out);
}

static void add_faults(request_reader *r, const lint_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        const lint_finding *f = &report->list[i];
        if (f->severity != LINT_ERROR)
            continue;
        if (f->line > 0)
            faults_add(r->errors, f->part, f->fault, "Line %zu: %s %s", f->line, f->why, f->cure);
        else
            faults_add(r->errors, f->part, f->fault, "%s %s", f->why, f->cure);
    }
}

request_result request_lint(request_reader *r)
{
    request *q = r->request;
    linted l = {0};
    lint_report report = {0};
    bool ok = take(r, &l) && lint_check(&l.mail, &report);

    if (ok && (r->lint || r->only_lint)) {
        q->lint = write_report(&report);
        for (size_t i = 0; i < LINT_SEVERITIES; i++)
            q->lint_of[i] = report.of[i];
        ok = q->lint != NULL;
    }
    if (ok && r->config->lint_enforced && !r->only_lint)
        add_faults(r, &report);
    lint_report_free(&report);
    free(l.attachments);
    free(l.heads);
    if (!ok || r->errors->failed)
        return REQUEST_NOMEM;
    return r->errors->total > 0 ? REQUEST_INVALID : REQUEST_OK;
}
