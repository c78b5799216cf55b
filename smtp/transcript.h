/*
 * transcript - the dialogue as lines with times, for people to read.
 *
 * Bounded: SMTP_TRANSCRIPT_LINES lines, of at most SMTP_TRANSCRIPT_COLUMNS octets each; what is
 * beyond is counted out with "…". Running out of memory loses lines and nothing else.
 *
 * Memory: owns its lines until smtp_transcript_give(). Threads: none of its own.
 */
#ifndef POSTERN_SMTP_TRANSCRIPT_H
#define POSTERN_SMTP_TRANSCRIPT_H

#include "smtp/sender.h"

#define SMTP_TRANSCRIPT_LINES   2000
#define SMTP_TRANSCRIPT_COLUMNS 1000

typedef struct smtp_transcript {
    smtp_line *lines; /* at_us on clock_us()'s scale until given away */
    size_t count;
    size_t cap;
} smtp_transcript;

void smtp_transcript_add(smtp_transcript *t, char side, const char *text, size_t len);
void smtp_transcript_addf(smtp_transcript *t, char side, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The lines of a relay's reply, codes and enhanced codes put back on each. */
void smtp_transcript_reply(smtp_transcript *t, const smtp_reply *reply);

/* Appends copies of another's lines, times kept. */
void smtp_transcript_append(smtp_transcript *t, const smtp_transcript *from);

/* Moves the lines into the result, their times made relative to `since`. */
void smtp_transcript_give(smtp_transcript *t, int64_t since, smtp_result *result);

void smtp_transcript_free(smtp_transcript *t);

#endif
