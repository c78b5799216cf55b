#include "smtp/reply.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

struct smtp_reply_parser {
    buf in;       /* bytes as they came; those before `at` are done with */
    size_t at;    /* the start of the first line that was not taken yet */
    size_t seen;  /* bytes from `at` that are known to hold no LF */
    buf text;     /* of the reply being read: lines without their codes, joined with LF; behind its
                     end, that of the one given last */
    size_t lines; /* taken into it */
    int code;     /* of its first line */
    bool bad;
};

void smtp_reply_clear(smtp_reply *r)
{
    if (!r->lent)
        free(r->text);
    *r = (smtp_reply){0};
}

bool smtp_reply_copy(smtp_reply *to, const smtp_reply *from)
{
    *to = *from;
    to->lent = false;
    if (!from->text)
        return true;
    to->text = strdup(from->text);
    if (to->text)
        return true;
    *to = (smtp_reply){0};
    return false;
}

smtp_reply_parser *smtp_reply_parser_create(void)
{
    return calloc(1, sizeof(smtp_reply_parser));
}

void smtp_reply_parser_free(smtp_reply_parser *p)
{
    if (!p)
        return;
    buf_free(&p->in);
    buf_free(&p->text);
    free(p);
}

void smtp_reply_reset(smtp_reply_parser *p)
{
    buf_clear(&p->in);
    buf_clear(&p->text);
    p->at = p->seen = p->lines = 0;
    p->code = 0;
    p->bad = false;
}

bool smtp_reply_pending(const smtp_reply_parser *p)
{
    return p->bad || p->lines > 0 || p->at < p->in.len;
}

bool smtp_reply_feed(smtp_reply_parser *p, const char *data, size_t len)
{
    if (p->bad)
        return true; /* for good: nothing more is kept */
    if (p->at > 0) {
        buf_drop(&p->in, p->at);
        p->at = 0;
    }
    buf_add(&p->in, data, len);
    return buf_ok(&p->in);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Length of an enhanced code that is followed by a space or the line's end; 0: there is none. */
static size_t enhanced_length(const char *s, size_t len)
{
    size_t at = 1;

    if (len < 5 || (s[0] != '2' && s[0] != '4' && s[0] != '5'))
        return 0;
    for (int part = 0; part < 2; part++) {
        size_t digits = 0;
        if (at >= len || s[at++] != '.')
            return 0;
        while (at < len && digits < 4 && is_digit(s[at])) {
            at++;
            digits++;
        }
        if (digits == 0 || digits > 3)
            return 0;
    }
    return at == len || s[at] == ' ' ? at : 0;
}

/* Length of the enhanced code that all lines of `text` begin with; 0: there is none. */
static size_t common_enhanced(const char *text, size_t len)
{
    const char *end = text + len;
    size_t common = 0;

    for (const char *line = text; line <= end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop)
            stop = end;
        size_t n = enhanced_length(line, (size_t)(stop - line));
        if (n == 0 || (common && (n != common || memcmp(line, text, n) != 0)))
            return 0;
        common = n;
        line = stop + 1;
    }
    return common;
}

/* Takes the `skip` bytes that each line begins with, and the space behind them, out of the text,
 * and ends it with a NUL, for which there is room. */
static void strip_lines(char *text, size_t len, size_t skip)
{
    const char *end = text + len;
    char *out = text;

    text[len] = '\0';
    if (skip == 0)
        return;
    for (const char *line = text; line <= end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop)
            stop = end;
        const char *from = line + skip;
        if (from < stop)
            from++;
        memmove(out, from, (size_t)(stop - from));
        out += stop - from;
        *out++ = '\n';
        line = stop + 1;
    }
    out[-1] = '\0';
}

static void finish(smtp_reply_parser *p, smtp_reply *out)
{
    size_t enhanced = common_enhanced(p->text.data, p->text.len);

    if (enhanced >= sizeof out->enhanced)
        enhanced = 0;
    memcpy(out->enhanced, p->text.data, enhanced);
    strip_lines(p->text.data, p->text.len, enhanced);
    out->text = p->text.data;
    out->lent = true;
    out->code = p->code;
    buf_clear(&p->text);
    p->lines = 0;
}

/* Adds a line's text made fit for JSON and logs: printable UTF-8. */
static void add_clean(buf *out, const char *s, size_t len)
{
    size_t i = 0;
    size_t plain = 0; /* start of the run that is fine as it is */

    while (i < len) {
        unsigned char c = (unsigned char)s[i];
        if (c >= 0x20 && c < 0x7F) {
            i++;
            continue;
        }
        uint32_t point = c;
        size_t n = c < 0x80 ? 1 : utf8_decode(s + i, len - i, &point);
        if (n > 0 && point >= 0xA0) {
            i += n;
            continue;
        }
        buf_add(out, s + plain, i - plain);
        buf_adds(out, n ? " " : REPLACEMENT);
        i += n ? n : 1;
        plain = i;
    }
    buf_add(out, s + plain, len - plain);
}

/* Takes one line without its end. MORE: a line of several; DONE: the last one. */
static smtp_reply_status take_line(smtp_reply_parser *p, const char *line, size_t len)
{
    if (len < 3 || !is_digit(line[0]) || !is_digit(line[1]) || !is_digit(line[2]) ||
        (len > 3 && line[3] != ' ' && line[3] != '-'))
        return SMTP_REPLY_BAD;
    int code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
    if (code < 200 || code > 599 || (p->lines > 0 && code != p->code))
        return SMTP_REPLY_BAD;
    p->code = code;
    if (p->lines++ > 0)
        buf_addc(&p->text, '\n');
    if (len > 4)
        add_clean(&p->text, line + 4, len - 4);
    /* An empty text still needs a place to point to. */
    if (!buf_reserve(&p->text, 1))
        return SMTP_REPLY_NOMEM;
    if (p->lines > SMTP_REPLY_LINES || p->text.len > SMTP_REPLY_MAX)
        return SMTP_REPLY_BAD;
    return len > 3 && line[3] == '-' ? SMTP_REPLY_MORE : SMTP_REPLY_DONE;
}

smtp_reply_status smtp_reply_next(smtp_reply_parser *p, smtp_reply *out)
{
    smtp_reply_status status = SMTP_REPLY_MORE;

    *out = (smtp_reply){0};
    while (status == SMTP_REPLY_MORE && !p->bad) {
        const char *line = p->in.data ? p->in.data + p->at : "";
        size_t have = p->in.len - p->at;
        const char *lf = memchr(line + p->seen, '\n', have - p->seen);
        size_t len = lf ? (size_t)(lf - line) : have;

        if (len > SMTP_REPLY_LINE_MAX) {
            status = SMTP_REPLY_BAD;
        } else if (!lf) {
            p->seen = have;
            return SMTP_REPLY_MORE;
        } else {
            p->at += len + 1;
            p->seen = 0;
            if (len > 0 && line[len - 1] == '\r')
                len--;
            status = take_line(p, line, len);
        }
    }
    if (status == SMTP_REPLY_DONE)
        finish(p, out);
    if (status == SMTP_REPLY_BAD || p->bad) {
        p->bad = true;
        return SMTP_REPLY_BAD;
    }
    return status;
}
