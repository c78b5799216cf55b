#include "smtp/transcript.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define CUT "\xE2\x80\xA6" /* U+2026, horizontal ellipsis */

static bool reserve(smtp_transcript *t)
{
    if (t->count < t->cap)
        return true;
    size_t cap = t->cap ? 2 * t->cap : 16;
    smtp_line *lines = realloc(t->lines, cap * sizeof *lines);
    if (!lines)
        return false;
    t->lines = lines;
    t->cap = cap;
    return true;
}

static void add_line(smtp_transcript *t, int64_t at, char side, const char *text, size_t len)
{
    bool last = t->count == SMTP_TRANSCRIPT_LINES;
    bool cut = len > SMTP_TRANSCRIPT_COLUMNS || last;

    if (t->count > SMTP_TRANSCRIPT_LINES || !reserve(t))
        return;
    if (last)
        len = 0;
    if (cut && len > 0) {
        len = SMTP_TRANSCRIPT_COLUMNS;
        while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
            len--; /* not in the middle of a character */
    }
    char *copy = malloc(len + sizeof CUT);
    if (!copy)
        return;
    memcpy(copy, text, len);
    memcpy(copy + len, cut ? CUT : "", cut ? sizeof CUT : 1);
    t->lines[t->count++] = (smtp_line){at, side, copy};
}

void smtp_transcript_add(smtp_transcript *t, char side, const char *text, size_t len)
{
    add_line(t, clock_us(), side, text, len);
}

void smtp_transcript_addf(smtp_transcript *t, char side, const char *format, ...)
{
    char text[SMTP_TRANSCRIPT_COLUMNS + 2];
    va_list args;

    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n >= 0)
        add_line(t, clock_us(), side, text, strlen(text));
}

void smtp_transcript_reply(smtp_transcript *t, const smtp_reply *reply)
{
    const char *line = reply->text ? reply->text : "";

    while (line) {
        const char *end = strchr(line, '\n');
        size_t len = end ? (size_t)(end - line) : strlen(line);
        int columns = len < SMTP_TRANSCRIPT_COLUMNS ? (int)len : SMTP_TRANSCRIPT_COLUMNS;
        smtp_transcript_addf(t, 'S', "%03d%c%s%s%.*s", reply->code, end ? '-' : ' ',
                             reply->enhanced, reply->enhanced[0] ? " " : "", columns, line);
        line = end ? end + 1 : NULL;
    }
}

void smtp_transcript_append(smtp_transcript *t, const smtp_transcript *from)
{
    for (size_t i = 0; i < from->count; i++) {
        const smtp_line *line = &from->lines[i];
        add_line(t, line->at_us, line->side, line->text, strlen(line->text));
    }
}

void smtp_transcript_give(smtp_transcript *t, int64_t since, smtp_result *result)
{
    for (size_t i = 0; i < t->count; i++) {
        int64_t at = t->lines[i].at_us - since;
        t->lines[i].at_us = at > 0 ? at : 0;
    }
    result->lines = t->lines;
    result->line_count = t->count;
    *t = (smtp_transcript){0};
}

void smtp_transcript_free(smtp_transcript *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->lines[i].text);
    free(t->lines);
    *t = (smtp_transcript){0};
}
