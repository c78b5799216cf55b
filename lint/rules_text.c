/*
 * The rules for words: of the text part, and of what is seen of the HTML.
 */
#include <string.h>

#include "lint/lint_own.h"
#include "mime/text.h"

#define WORDS_LEAST 12 /* fewer are no measure */
#define LIKE        50 /* percent of the text's words that the HTML has, too */
#define TOLD        30 /* percent of the HTML's that the text has */
#define BAIT_MANY   4  /* different places of bait */
#define BAIT_WITHIN ((size_t)256 * 1024)
#define SHOUT_LEAST 200 /* letters; of fewer a few names make the half */

void lint_no_text(lint_context *c)
{
    if (lint_is(c->html) && !c->text.data)
        lint_tell(c, "/text", 0, "", 0);
}

static bool are_unlike(lint_context *c, const buf *html, const buf *text)
{
    size_t in_text, in_html;
    size_t shared = words_shared(text, html, &in_text);
    (void)words_shared(html, text, &in_html);
    (void)c;
    if (in_html < WORDS_LEAST)
        return in_text >= WORDS_LEAST && shared * 100 < in_text * LIKE && in_html > 0;
    return shared * 100 < in_html * TOLD || shared * 100 < in_text * LIKE;
}

void lint_unlike_text(lint_context *c)
{
    buf twin = BUF_INIT, html = BUF_INIT, text = BUF_INIT;
    if (!lint_is(c->html) || !c->text.data)
        return;
    if (!mime_text_from_html(c->html.data, c->html.len, &twin) ||
        !words_set(twin.data ? twin.data : "", twin.len, &html) ||
        !words_set(c->text.data, c->text.len, &text))
        c->failed = true;
    else if (are_unlike(c, &html, &text))
        lint_tell(c, "/text", 0, c->text.data, c->text.len);
    buf_free(&twin);
    buf_free(&html);
    buf_free(&text);
}

typedef words_span finder(const char *s, size_t len, size_t from);

/* Tells of all that is found in subject, text and HTML. */
static void tell_all(lint_context *c, finder *find)
{
    const mime_bytes *subject = &c->mail->subject;
    if (subject->len > 0) {
        words_span w = find(subject->data, subject->len, 0);
        if (w.len > 0)
            lint_tell(c, "/subject", 0, subject->data + w.at, w.len);
    }
    const buf *seen = &c->page.text;
    for (size_t at = 0; at < seen->len && c->told < LINT_EACH;) {
        words_span w = find(seen->data, seen->len, at);
        if (w.len == 0)
            break;
        lint_tell_seen(c, w);
        at = w.at + w.len;
    }
    for (size_t at = 0; at < c->text.len && c->told < LINT_EACH;) {
        words_span w = find(c->text.data, c->text.len, at);
        if (w.len == 0)
            break;
        lint_tell_text(c, w);
        at = w.at + w.len;
    }
}

void lint_zero_width(lint_context *c)
{
    tell_all(c, words_zero_width);
}

void lint_homoglyph(lint_context *c)
{
    tell_all(c, words_homoglyph);
}

void lint_bait_text(lint_context *c)
{
    bool html = c->page.text.len > 0;
    const char *s = html ? c->page.text.data : c->text.data;
    size_t len = html ? c->page.text.len : c->text.len, many = 0;
    words_span w = {0, 0}, first = {0, 0};
    if (len > BAIT_WITHIN)
        len = BAIT_WITHIN;
    for (size_t at = 0; at < len && many < BAIT_MANY; at = w.at + w.len) {
        w = words_bait(s, len, at);
        if (w.len == 0)
            return;
        if (many++ == 0)
            first = w;
    }
    if (many < BAIT_MANY)
        return;
    if (html)
        lint_tell_seen(c, first);
    else
        lint_tell_text(c, first);
}

/* What is read: the HTML's text if there is one. */
static mime_bytes read_text(const lint_context *c)
{
    if (c->page.text.len > 0)
        return (mime_bytes){c->page.text.data, c->page.text.len};
    return c->text;
}

void lint_text_shouting(lint_context *c)
{
    mime_bytes s = read_text(c);
    size_t large = 0, small = 0;
    for (size_t i = 0; i < s.len; i++) {
        large += s.data[i] >= 'A' && s.data[i] <= 'Z';
        small += s.data[i] >= 'a' && s.data[i] <= 'z';
    }
    if (large + small >= SHOUT_LEAST && large >= small)
        lint_tell(c, c->page.text.len > 0 ? "/html" : "/text", 0, "", 0);
}

void lint_text_charged(lint_context *c)
{
    tell_all(c, words_charged);
}

void lint_text_money(lint_context *c)
{
    tell_all(c, words_money);
}

void lint_placeholder(lint_context *c)
{
    tell_all(c, words_placeholder);
}
