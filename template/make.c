#include "template/make.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/civil.h"

#define FLAG_MAX 255 /* octets: a tag's name may have no more */

bool maker_stopped(const maker *m)
{
    return m->failed || m->full;
}

json_t *maker_made(maker *m, json_t *value)
{
    if (!value)
        m->failed = true;
    else if (m->left == 0) {
        m->full = true;
        json_decref(value);
        return NULL;
    } else
        m->left--;
    return value;
}

json_t *maker_string(maker *m, const char *text, size_t len)
{
    return maker_made(m, json_stringn_nocheck(text, len));
}

json_t *maker_same(maker *m, const json_t *value)
{
    return maker_made(m, json_incref((json_t *)value));
}

bool maker_put(maker *m, json_t *object, const char *name, json_t *value)
{
    if (!value)
        return false;
    if (json_object_set_new_nocheck(object, name, value) != 0)
        m->failed = true;
    return !m->failed;
}

bool maker_append(maker *m, json_t *array, json_t *value)
{
    if (!value)
        return false;
    if (json_array_append_new(array, value) != 0)
        m->failed = true;
    return !m->failed;
}

/* What was begun, or NULL if it could not be ended. */
static json_t *whole(json_t *value, bool done)
{
    if (done)
        return value;
    json_decref(value);
    return NULL;
}

/* ---- entries, flags ---- */

static json_t *make_entry(maker *m, json_t *name, json_t *value)
{
    json_t *entry = name ? maker_made(m, json_object()) : NULL;
    if (!entry) {
        json_decref(name);
        return NULL;
    }
    bool done = maker_put(m, entry, "name", name);
    return whole(entry, maker_put(m, entry, "value", json_incref(value)) && done);
}

/* [["a", 1], …], as services write what may come twice; an item of another form is left out. */
static json_t *make_pairs(maker *m, const json_t *array)
{
    size_t i;
    json_t *item;
    json_t *out = maker_made(m, json_array());
    bool done = out != NULL;
    json_array_foreach(array, i, item)
    {
        json_t *name = json_array_get(item, 0), *value = json_array_get(item, 1);
        if (done && json_is_string(name) && value)
            done = maker_append(m, out, make_entry(m, json_incref(name), value));
    }
    return whole(out, done);
}

json_t *make_entries(maker *m, const json_t *object)
{
    const char *name;
    size_t len;
    json_t *value;
    if (json_is_array(object) && json_is_array(json_array_get(object, 0)))
        return make_pairs(m, object);
    if (!json_is_object(object))
        return NULL;
    json_t *out = maker_made(m, json_array());
    bool done = out != NULL;
    json_object_keylen_foreach((json_t *)object, name, len, value)
    {
        if (done)
            done = maker_append(m, out, make_entry(m, maker_string(m, name, len), value));
    }
    return whole(out, done);
}

json_t *make_flags(maker *m, const json_t *value)
{
    char number[32];
    const char *name = NULL;
    switch (json_typeof(value)) {
    case JSON_STRING:
        if (json_string_length(value) > FLAG_MAX || json_string_length(value) == 0)
            return NULL;
        name = json_string_value(value);
        break;
    case JSON_INTEGER:
        (void)snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        name = number;
        break;
    case JSON_TRUE: name = "true"; break;
    case JSON_FALSE:
    case JSON_NULL: break;
    default: return NULL;
    }
    json_t *out = maker_made(m, json_object());
    bool done = out && (!name || maker_put(m, out, name, maker_made(m, json_true())));
    return whole(out, done);
}

/* ---- money ---- */

/* Currencies whose smallest unit isn't a hundredth: ISO 4217's, and MGA as Stripe has it, which
 * also counts ISK and UGX in hundredths though they have none. */
static const struct {
    char code[4];
    unsigned char digits;
} currencies[] = {
    {"BHD", 3}, {"BIF", 0}, {"CLF", 4}, {"CLP", 0}, {"DJF", 0}, {"GNF", 0}, {"IQD", 3},
    {"JOD", 3}, {"JPY", 0}, {"KMF", 0}, {"KRW", 0}, {"KWD", 3}, {"LYD", 3}, {"MGA", 0},
    {"OMR", 3}, {"PYG", 0}, {"RWF", 0}, {"TND", 3}, {"UYI", 0}, {"UYW", 4}, {"VND", 0},
    {"VUV", 0}, {"XAF", 0}, {"XOF", 0}, {"XPF", 0},
};

/* The code in capitals; false: it is none. */
static bool read_currency(const json_t *value, char out[4])
{
    if (!json_is_string(value) || json_string_length(value) != 3)
        return false;
    memcpy(out, json_string_value(value), 4);
    for (char *c = out; *c; c++) {
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
        if (*c < 'A' || *c > 'Z')
            return false;
    }
    return strlen(out) == 3;
}

json_t *make_money(maker *m, const json_t *amount, const json_t *currency)
{
    char code[4] = "", text[48];
    unsigned digits = 2;
    uint64_t unit = 1;
    if (!json_is_integer(amount))
        return NULL;
    bool known = read_currency(currency, code);
    for (size_t i = 0; known && i < sizeof currencies / sizeof *currencies; i++)
        if (strcmp(currencies[i].code, code) == 0)
            digits = currencies[i].digits;
    for (unsigned i = 0; i < digits; i++)
        unit *= 10;
    int64_t n = json_integer_value(amount);
    uint64_t size = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
    int len = snprintf(text, sizeof text, "%s%" PRIu64, n < 0 ? "-" : "", size / unit);
    if (digits)
        len += snprintf(text + len, sizeof text - (size_t)len, ".%0*" PRIu64, (int)digits,
                        size % unit);
    if (known)
        len += snprintf(text + len, sizeof text - (size_t)len, " %s", code);
    return maker_string(m, text, (size_t)len);
}

/* ---- times ---- */

#define DAY          INT64_C(86400)
#define SECOND_US    INT64_C(1000000)
#define MILLISECONDS 100000000000 /* a larger number than this doesn't count seconds */

/* `n` digits. */
static bool read_digits(const char **s, size_t n, int *out)
{
    *out = 0;
    for (; n > 0; n--, (*s)++) {
        if (**s < '0' || **s > '9')
            return false;
        *out = *out * 10 + (**s - '0');
    }
    return true;
}

static bool read_char(const char **s, char c)
{
    if (**s != c)
        return false;
    (*s)++;
    return true;
}

/* Days since 1970; the inverse of civil_of(). False: before, or not in the calendar. */
static bool day_of(int year, int month, int day, int64_t *out)
{
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31)
        return false;
    int y = month <= 2 ? year - 1 : year, march = (month + 9) % 12;
    *out = (int64_t)y * 365 + y / 4 - y / 100 + y / 400 + (153 * march + 2) / 5 + day - 1 - 719468;
    if (*out < 0)
        return false;
    civil_day back = civil_of((uint32_t)*out);
    return (int)back.month == month && (int)back.day == day;
}

/* Z, UTC, +01:00, +0100, maybe behind a blank. */
static bool read_zone(const char *s, int *seconds)
{
    int hours, minutes, sign;
    *seconds = 0;
    (void)read_char(&s, ' ');
    if (strcmp(s, "Z") == 0 || strcmp(s, "z") == 0 || strcmp(s, "UTC") == 0)
        return true;
    if (*s != '+' && *s != '-')
        return false;
    sign = *s++ == '-' ? -1 : 1;
    if (!read_digits(&s, 2, &hours))
        return false;
    (void)read_char(&s, ':');
    if (!read_digits(&s, 2, &minutes) || *s || hours > 23 || minutes > 59)
        return false;
    *seconds = sign * (hours * 3600 + minutes * 60);
    return true;
}

/* RFC 3339, with a blank for the T and other zones, as services have it. */
static bool read_time(const char *s, int64_t *out)
{
    int year, month, day, hour, minute, second, zone;
    int64_t days;
    if (!read_digits(&s, 4, &year) || !read_char(&s, '-') || !read_digits(&s, 2, &month) ||
        !read_char(&s, '-') || !read_digits(&s, 2, &day) || !memchr("Tt ", *s, 4) || !*s++)
        return false;
    if (!read_digits(&s, 2, &hour) || !read_char(&s, ':') || !read_digits(&s, 2, &minute) ||
        !read_char(&s, ':') || !read_digits(&s, 2, &second))
        return false;
    if (read_char(&s, '.'))
        s += strspn(s, "0123456789");
    if (hour > 23 || minute > 59 || second > 60 || !read_zone(s, &zone) ||
        !day_of(year, month, day, &days))
        return false;
    *out = days * DAY + (hour * INT64_C(60) + minute) * 60 + second - zone;
    return true;
}

static bool seconds_of(const json_t *value, int64_t *out)
{
    double n;
    if (json_is_string(value))
        return read_time(json_string_value(value), out);
    if (!json_is_number(value))
        return false;
    n = json_number_value(value);
    if (n >= MILLISECONDS)
        n /= 1000;
    if (!(n > 0 && n < (double)MILLISECONDS * 10))
        return false;
    *out = (int64_t)n;
    return true;
}

json_t *make_time(maker *m, const json_t *value)
{
    int64_t at;
    char text[CIVIL_TIME + 1];
    if (!seconds_of(value, &at) || at < 0 || at / DAY > CIVIL_LAST)
        return NULL;
    civil_time(at * SECOND_US, text);
    text[strlen("2026-01-02")] = ' ';
    memcpy(text + strlen("2026-01-02 03:04"), " UTC", sizeof " UTC");
    return maker_string(m, text, strlen("2026-01-02 03:04 UTC"));
}

/* ---- lines ---- */

/* The line at `at` without its end; *next is the next one's. */
static size_t line_at(const char *text, size_t len, size_t at, size_t *next)
{
    const char *feed = memchr(text + at, '\n', len - at);
    size_t end = feed ? (size_t)(feed - text) : len;
    *next = feed ? end + 1 : len;
    return end > at && text[end - 1] == '\r' ? end - 1 - at : end - at;
}

json_t *make_lines(maker *m, const json_t *text)
{
    if (!json_is_string(text))
        return NULL;
    const char *s = json_string_value(text);
    size_t len = json_string_length(text), next;
    json_t *out = maker_made(m, json_array());
    bool done = out != NULL;
    for (size_t at = 0; done && at < len; at = next) {
        size_t n = line_at(s, len, at, &next);
        done = maker_append(m, out, maker_string(m, s + at, n));
    }
    return whole(out, done);
}

json_t *make_first(maker *m, const json_t *text)
{
    size_t next;
    if (!json_is_string(text))
        return NULL;
    const char *s = json_string_value(text);
    size_t len = json_string_length(text), first = line_at(s, len, 0, &next);
    return first == len ? maker_same(m, text) : maker_string(m, s, first);
}
