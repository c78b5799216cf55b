/* Writes the tables of replies_known.c as smtp/replies_unpack.c reads them, for the Makefile to
 * pack: row after row, numbers of two bytes with the lower one first, and each text with its NUL.
 * A tool of the build's; no part of the program. */
#include <stdio.h>
#include <string.h>

#include "smtp/replies.h"
#include "smtp/replies_packed.h"

static void number(unsigned n)
{
    (void)putchar((int)(n & 0xFF));
    (void)putchar((int)(n >> 8 & 0xFF));
}

static void text(const char *s)
{
    (void)fwrite(s ? s : SMTP_PACKED_NULL, 1, strlen(s ? s : SMTP_PACKED_NULL) + 1, stdout);
}

static void patterns(const smtp_patterns *in)
{
    number((unsigned)in->count);
    for (size_t i = 0; i < in->count; i++) {
        const smtp_pattern *p = &in->list[i];
        number(p->stages & SMTP_PACKED_STAGES);
        number((unsigned)p->code);
        number((unsigned)p->code_to);
        (void)putchar(p->cause);
        (void)putchar(p->turn);
        (void)putchar(p->known_relay);
        (void)putchar(p->source);
        text(p->enhanced);
        text(p->words);
        text(p->hint);
    }
}

int main(void)
{
    const smtp_statuses *statuses = &smtp_known_source.statuses;

    patterns(&smtp_known_source.first);
    patterns(&smtp_known_source.last);
    number((unsigned)statuses->count);
    for (size_t i = 0; i < statuses->count; i++) {
        const smtp_status_row *s = &statuses->list[i];
        (void)putchar(s->subject);
        (void)putchar(s->detail);
        (void)putchar(s->cause);
        text(s->meaning);
        text(s->hint);
    }
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
