/*
 * The rules for the subject.
 */
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "lint/lint_own.h"

#define SPACED        4 /* letters in a row, each by itself */
#define LETTERS_LEAST 8 /* fewer are an abbreviation, not a cry */

static void tell_subject(lint_context *c)
{
    lint_tell(c, "/subject", 0, c->mail->subject.data, c->mail->subject.len);
}

void lint_no_subject(lint_context *c)
{
    const mime_bytes *s = &c->mail->subject;
    for (size_t i = 0; i < s->len; i++) {
        if ((unsigned char)s->data[i] > ' ')
            return;
    }
    lint_tell(c, "/subject", 0, "", 0);
}

void lint_shouting(lint_context *c)
{
    const mime_bytes *s = &c->mail->subject;
    size_t large = 0, small = 0, words = 0;
    for (size_t i = 0, run = 0; i < s->len; i++) {
        bool is_large = s->data[i] >= 'A' && s->data[i] <= 'Z';
        run = is_large ? run + 1 : 0;
        words += run == 3;
        large += is_large;
        small += s->data[i] >= 'a' && s->data[i] <= 'z';
    }
    if (words >= 2 && large >= LETTERS_LEAST && large >= 4 * small)
        tell_subject(c);
}

void lint_signs(lint_context *c)
{
    const mime_bytes *s = &c->mail->subject;
    size_t marks = 0, money = 0;
    for (size_t at = 0; at < s->len;) {
        uint32_t point;
        size_t n = utf8_decode(s->data + at, s->len - at, &point);
        at += n ? n : 1;
        bool mark = point == '!' || point == 0xFF01 || point == '?' || point == 0xFF1F;
        marks = n && mark ? marks + 1 : 0;
        money = n && (point == '$' || point == 0xFFE5 || point == 0x20AC) ? money + 1 : 0;
        if (marks >= 3 || money >= 3) {
            tell_subject(c);
            return;
        }
    }
}

void lint_bait_subject(lint_context *c)
{
    const mime_bytes *s = &c->mail->subject;
    words_span w = {0, 0};
    if (s->len > 0)
        w = words_bait(s->data, s->len, 0);
    if (w.len > 0)
        lint_tell(c, "/subject", 0, s->data + w.at, w.len);
}

void lint_false_reply(lint_context *c)
{
    static const char *const begins[] = {"re:",    "fw:",    "fwd:",   "re：",   "fw：",
                                         "回复:",  "回复：", "答复:",  "答复：", "转发:",
                                         "转发：", "回覆:",  "回覆：", "轉寄:",  "轉寄："};
    const mime_bytes *s = &c->mail->subject;
    if (lint_is(lint_header(c->mail, "In-Reply-To")) || lint_is(lint_header(c->mail, "References")))
        return;
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
        size_t n = strlen(begins[i]);
        if (s->len >= n && strncasecmp(s->data, begins[i], n) == 0) {
            tell_subject(c);
            return;
        }
    }
}

static bool is_letter(char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
}

/* A letter alone, and one to three times the same sign behind it: how many bytes; 0: it isn't so.
 */
static size_t spaced_letter(const char *s, size_t len, size_t at)
{
    static const char signs[] = "-_. =~/:,*!@#$%^&+;\"'<>\\";
    size_t end = at + 1;
    if (!is_letter(s[at]) || end >= len || !memchr(signs, s[end], sizeof signs - 1))
        return 0;
    while (end < len && end < at + 4 && s[end] == s[at + 1])
        end++;
    return end - at;
}

void lint_spaced(lint_context *c)
{
    const mime_bytes *s = &c->mail->subject;
    for (size_t at = 0, n, letters = 0; at < s->len; at += n ? n : 1) {
        bool begins = at == 0 || letters > 0 || !is_letter(s->data[at - 1]);
        n = begins ? spaced_letter(s->data, s->len, at) : 0;
        letters = n ? letters + 1 : 0;
        if (letters == SPACED) {
            tell_subject(c);
            return;
        }
    }
}

void lint_question(lint_context *c)
{
    static const char wide[] = "\xEF\xBC\x9F"; /* U+FF1F */
    const mime_bytes *s = &c->mail->subject;
    size_t len = s->len;
    while (len > 0 && s->data[len - 1] == ' ')
        len--;
    if (len > 0 &&
        (s->data[len - 1] == '?' || (len >= 3 && memcmp(s->data + len - 3, wide, 3) == 0)))
        tell_subject(c);
}

void lint_subject_money(lint_context *c)
{
    const mime_bytes *s = &c->mail->subject;
    for (size_t at = 0; at < s->len; at++) {
        if (words_currency(s->data, s->len, at) > 0) {
            tell_subject(c);
            return;
        }
    }
}
