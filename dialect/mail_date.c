#include "dialect/mail_date.h"

#include <string.h>
#include <strings.h>
#include <time.h>

typedef struct text {
    const char *at, *end;
} text;

static void blanks(text *t)
{
    while (t->at < t->end && (*t->at == ' ' || *t->at == '\t'))
        t->at++;
}

static bool mark(text *t, char c)
{
    blanks(t);
    if (t->at == t->end || *t->at != c)
        return false;
    t->at++;
    return true;
}

/* `least` digits to `most`. */
static bool number(text *t, int least, int most, int *out)
{
    int n = 0;
    blanks(t);
    for (*out = 0; n < most && t->at < t->end && *t->at >= '0' && *t->at <= '9'; n++)
        *out = *out * 10 + (*t->at++ - '0');
    return n >= least && (t->at == t->end || *t->at < '0' || *t->at > '9');
}

static size_t letters(const text *t)
{
    const char *s = t->at;
    while (s < t->end && ((*s >= 'A' && *s <= 'Z') || (*s >= 'a' && *s <= 'z')))
        s++;
    return (size_t)(s - t->at);
}

static bool month(text *t, int *out)
{
    static const char *const names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    blanks(t);
    for (*out = 0; *out < 12; ++*out) {
        if (letters(t) == 3 && strncasecmp(t->at, names[*out], 3) == 0) {
            t->at += 3;
            return true;
        }
    }
    return false;
}

/* Minutes east of Greenwich. */
static bool zone(text *t, int *out)
{
    static const struct {
        const char *name;
        int hours;
    } names[] = {{"GMT", 0},  {"UT", 0},   {"UTC", 0},  {"Z", 0},    {"EST", -5}, {"EDT", -4},
                 {"CST", -6}, {"CDT", -5}, {"MST", -7}, {"MDT", -6}, {"PST", -8}, {"PDT", -7}};
    int n;

    blanks(t);
    if (t->at < t->end && (*t->at == '+' || *t->at == '-')) {
        int sign = *t->at++ == '-' ? -1 : 1;
        const char *digits = t->at;
        if (!number(t, 4, 4, &n) || t->at - digits != 4 || n / 100 > 23 || n % 100 > 59)
            return false;
        *out = sign * (n / 100 * 60 + n % 100);
        return true;
    }
    size_t len = letters(t);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (len != strlen(names[i].name) || strncasecmp(t->at, names[i].name, len) != 0)
            continue;
        t->at += len;
        *out = names[i].hours * 60;
        return true;
    }
    return false;
}

static bool time_of_day(text *t, int *seconds)
{
    int hour, minute, second = 0;
    if (!number(t, 2, 2, &hour) || !mark(t, ':') || !number(t, 2, 2, &minute))
        return false;
    if (mark(t, ':') && !number(t, 2, 2, &second))
        return false;
    *seconds = hour * 3600 + minute * 60 + second;
    return hour < 24 && minute < 60 && second <= 60;
}

/* That day, if the calendar has it. */
static bool days(int year, int month_of, int day, int64_t *out)
{
    struct tm parts = {.tm_year = year - 1900, .tm_mon = month_of, .tm_mday = day};
    *out = (int64_t)timegm(&parts) / 86400;
    return year >= 1970 && parts.tm_mon == month_of && parts.tm_mday == day;
}

bool mail_date_parse(const char *s, size_t len, int64_t *seconds)
{
    text t = {s, s + len};
    int day, month_of, year, of_day, east;
    int64_t since;

    blanks(&t);
    if (letters(&t) > 0) {
        t.at += letters(&t);
        if (!mark(&t, ','))
            return false;
    }
    if (!number(&t, 1, 2, &day) || !month(&t, &month_of) || !number(&t, 4, 4, &year) ||
        !days(year, month_of, day, &since) || !time_of_day(&t, &of_day) || !zone(&t, &east))
        return false;
    if (mark(&t, '(')) {
        const char *close = memchr(t.at, ')', (size_t)(t.end - t.at));
        if (!close)
            return false;
        t.at = close + 1;
    }
    blanks(&t);
    *seconds = since * 86400 + of_day - (int64_t)east * 60;
    return t.at == t.end && *seconds >= 0;
}
