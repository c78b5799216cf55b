/*
 * mail_date - times as mail writes them: "Sat, 05 Dec 2026 10:00:00 +0100" (RFC 5322 section 3.3,
 * with the names of zones that RFC 2822 still knows).
 */
#ifndef POSTERN_DIALECT_MAIL_DATE_H
#define POSTERN_DIALECT_MAIL_DATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Seconds since 1970. Years 1970 to 9999, of four digits; the day of the week is not looked at, nor
 * is a comment at the end. False: it is none. */
bool mail_date_parse(const char *s, size_t len, int64_t *seconds);

#endif
