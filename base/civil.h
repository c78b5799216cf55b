/*
 * civil - the calendar's day of a day counted from 1970-01-01, in UTC, and times as RFC 3339 writes
 * them.
 *
 * A few divisions, where gmtime_r() would look at the time zone first. Pure.
 */
#ifndef POSTERN_BASE_CIVIL_H
#define POSTERN_BASE_CIVIL_H

#include <stdint.h>

typedef struct civil_day {
    unsigned year, month, day; /* month and day from 1 on */
    unsigned weekday;          /* 0: Sunday */
} civil_day;

/* `day`: 0 (1970-01-01) to CIVIL_LAST (9999-12-31). The algorithm is Howard Hinnant's
 * civil_from_days. */
#define CIVIL_LAST 2932896

static inline civil_day civil_of(uint32_t day)
{
    uint32_t z = day + 719468; /* from 0000-03-01 on, in eras of 400 years */
    uint32_t era = z / 146097, of_era = z % 146097;
    uint32_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint32_t of_year = of_era - (365 * year + year / 4 - year / 100);
    uint32_t march = (5 * of_year + 2) / 153; /* months since March */
    uint32_t month = march < 10 ? march + 3 : march - 9;
    return (civil_day){.year = era * 400 + year + (month <= 2),
                       .month = month,
                       .day = of_year - (153 * march + 2) / 5 + 1,
                       .weekday = (day + 4) % 7};
}

#define CIVIL_TIME 24 /* characters of "2026-01-02T03:04:05.678Z" */

/* Microseconds since 1970 as a time in UTC, to the millisecond before, and a NUL. What is before
 * 1970 or after 9999 is the nearest of these. */
void civil_time(int64_t us, char out[CIVIL_TIME + 1]);

#endif
