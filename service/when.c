#include "service/when.h"

#include <ctype.h>
#include <time.h>

#define SECOND_US   INT64_C(1000000)
#define MINUTES_DAY 1440

typedef struct text {
    const char *at, *end;
} text;

/* Exactly so many digits. */
static bool number(text *t, int digits, int least, int most, int *out)
{
    int n = 0;
    if (t->end - t->at < digits)
        return false;
    for (; digits > 0; digits--, t->at++) {
        if (!isdigit((unsigned char)*t->at))
            return false;
        n = n * 10 + (*t->at - '0');
    }
    *out = n;
    return n >= least && n <= most;
}

static bool one_of(text *t, const char *characters, char *out)
{
    for (; *characters; characters++) {
        if (t->at < t->end && *t->at == *characters) {
            *out = *characters;
            t->at++;
            return true;
        }
    }
    return false;
}

static bool mark(text *t, const char *characters)
{
    char which;
    return one_of(t, characters, &which);
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* Of a second; digits beyond a microsecond are dropped. */
static bool fraction(text *t, int64_t *us)
{
    int64_t worth = SECOND_US / 10;
    if (!mark(t, "."))
        return true;
    const char *start = t->at;
    for (; t->at < t->end && isdigit((unsigned char)*t->at); t->at++, worth /= 10)
        *us += (*t->at - '0') * worth;
    return t->at > start;
}

static bool offset(text *t, int *minutes)
{
    int hour = 0, minute = 0;
    char sign = '+';
    if (mark(t, "Zz"))
        return true;
    if (!one_of(t, "+-", &sign) || !number(t, 2, 0, 23, &hour) || !mark(t, ":") ||
        !number(t, 2, 0, 59, &minute))
        return false;
    *minutes = (sign == '-' ? -1 : 1) * (hour * 60 + minute);
    return true;
}

bool when_parse(const char *s, size_t len, int64_t *us)
{
    text t = {s, s + len};
    int year, month, day, hour, minute, second, zone = 0;
    int64_t part = 0;

    if (!number(&t, 4, 1970, 9999, &year) || !mark(&t, "-") || !number(&t, 2, 1, 12, &month) ||
        !mark(&t, "-") || !number(&t, 2, 1, days_in(year, month), &day) || !mark(&t, "Tt ") ||
        !number(&t, 2, 0, 23, &hour) || !mark(&t, ":") || !number(&t, 2, 0, 59, &minute) ||
        !mark(&t, ":") || !number(&t, 2, 0, 60, &second) || !fraction(&t, &part) ||
        !offset(&t, &zone) || t.at != t.end)
        return false;
    struct tm parts = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
    int64_t days = (int64_t)timegm(&parts) / 86400;
    int64_t minutes = days * MINUTES_DAY + (int64_t)hour * 60 + minute - zone;
    *us = (minutes * 60 + second) * SECOND_US + part;
    return *us >= 0;
}
