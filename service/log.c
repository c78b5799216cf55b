#include "service/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "service/jsonw.h"

#define LINE_BYTES 512 /* what most lines fit in: one allocation */

struct logger {
    int fd;
    bool json;
    bool addresses;
};

static const char *const LEVELS[] = {
    [LOG_ERROR] = "error",
    [LOG_WARNING] = "warning",
    [LOG_INFO] = "info",
};

logger *log_create(int fd, log_format format, bool addresses)
{
    logger *l = malloc(sizeof *l);
    if (!l)
        return NULL;
    *l = (logger){.fd = fd, .addresses = addresses};
    l->json = format == LOG_JSON || (format == LOG_AUTO && !isatty(fd));
    return l;
}

void log_free(logger *l)
{
    free(l);
}

static char *put_digits(char *p, unsigned n, int count)
{
    for (int i = count; i-- > 0; n /= 10)
        p[i] = (char)('0' + n % 10);
    return p + count;
}

/* Year, month and day of a day counted from 1970-01-01 (Howard Hinnant's civil_from_days): a few
 * divisions, where gmtime_r and strftime would take more than all the rest of a line. */
static char *put_date(char *p, int64_t day)
{
    uint64_t z = (uint64_t)(day + 719468);
    uint64_t era = z / 146097;
    unsigned of_era = (unsigned)(z % 146097);
    unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
    unsigned march = (5 * of_year + 2) / 153; /* months since March */
    unsigned month = march < 10 ? march + 3 : march - 9;

    p = put_digits(p, (unsigned)(era * 400) + year + (month <= 2), 4);
    *p++ = '-';
    p = put_digits(p, month, 2);
    *p++ = '-';
    return put_digits(p, of_year - (153 * march + 2) / 5 + 1, 2);
}

size_t log_time(const struct timespec *at, char out[LOG_TIME_LENGTH + 1])
{
    int64_t second = at->tv_sec > 0 ? at->tv_sec : 0;
    unsigned of_day = (unsigned)(second % 86400);
    char *p = put_date(out, second / 86400);

    *p++ = 'T';
    p = put_digits(p, of_day / 3600, 2);
    *p++ = ':';
    p = put_digits(p, of_day / 60 % 60, 2);
    *p++ = ':';
    p = put_digits(p, of_day % 60, 2);
    *p++ = '.';
    p = put_digits(p, (unsigned)(at->tv_nsec / 1000000), 3);
    *p++ = 'Z';
    *p = '\0';
    return (size_t)(p - out);
}

/* A writer that stands behind a member of the line's object. */
static jsonw writer(log_line *line)
{
    return (jsonw){.out = &line->text, .comma = true};
}

void log_begin(log_line *line, logger *l, log_level level, const char *event)
{
    struct timespec now;
    char time[LOG_TIME_LENGTH + 1];

    line->log = l;
    buf_init(&line->text);
    (void)buf_reserve(&line->text, LINE_BYTES);
    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail with this clock */
    size_t len = log_time(&now, time);
    if (l->json) {
        buf_adds(&line->text, "{\"time\":\"");
        buf_add(&line->text, time, len);
        buf_adds(&line->text, "\",\"level\":\"");
        buf_adds(&line->text, LEVELS[level]);
        buf_addc(&line->text, '"');
        log_str(line, "event", event);
        return;
    }
    buf_add(&line->text, time, len);
    buf_addc(&line->text, ' ');
    buf_adds(&line->text, LEVELS[level]);
    buf_addc(&line->text, ' ');
    buf_adds(&line->text, event);
}

static void text_key(log_line *line, const char *key)
{
    buf_addc(&line->text, ' ');
    buf_adds(&line->text, key);
    buf_addc(&line->text, '=');
}

/* A value that can stand bare: no space, quote, backslash, = or control, and ASCII only. */
static bool is_bare(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c <= ' ' || c >= 0x7F || c == '"' || c == '\\' || c == '=')
            return false;
    }
    return len > 0;
}

/* How much of a value is written: all, or what LOG_VALUE_MAX holds of whole characters. */
static size_t cut(const char *value, size_t len)
{
    if (len <= LOG_VALUE_MAX)
        return len;
    len = LOG_VALUE_MAX;
    for (int tails = 0; tails < 3 && ((unsigned char)value[len] & 0xC0) == 0x80; tails++)
        len--;
    return len;
}

static void add_value(log_line *line, const char *key, const char *value, size_t len)
{
    if (line->log->json) {
        jsonw w = writer(line);
        jsonw_key(&w, key);
        jsonw_strn(&w, value, len);
        return;
    }
    text_key(line, key);
    if (is_bare(value, len)) {
        buf_add(&line->text, value, len);
        return;
    }
    jsonw w;
    jsonw_init(&w, &line->text);
    jsonw_strn(&w, value, len);
}

void log_str(log_line *line, const char *key, const char *value)
{
    if (value)
        add_value(line, key, value, cut(value, strlen(value)));
}

static jsonw number(log_line *line, const char *key)
{
    jsonw w = writer(line);
    if (line->log->json) {
        jsonw_key(&w, key);
    } else {
        text_key(line, key);
        w.comma = false;
    }
    return w;
}

void log_int(log_line *line, const char *key, int64_t value)
{
    jsonw w = number(line, key);
    jsonw_int(&w, value);
}

void log_ms(log_line *line, const char *key, int64_t us)
{
    jsonw w = number(line, key);
    jsonw_ms(&w, us);
}

void log_address(log_line *line, const char *key, const char *address)
{
    if (!address || line->log->addresses || address[0] == '\0') {
        log_str(line, key, address);
        return;
    }
    const char *at = strrchr(address, '@');
    buf masked = BUF_INIT;
    buf_addc(&masked, '*');
    if (at)
        buf_add(&masked, at, strnlen(at, LOG_VALUE_MAX));
    log_str(line, key, buf_cstr(&masked));
    buf_free(&masked);
}

/* One write for the line; if a pipe took only a part, the rest follows. What the descriptor refuses
 * is dropped. */
static void write_line(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        data += n;
        len -= (size_t)n;
    }
}

void log_end(log_line *line)
{
    int kept = errno;

    buf_adds(&line->text, line->log->json ? "}\n" : "\n");
    if (buf_ok(&line->text))
        write_line(line->log->fd, line->text.data, line->text.len);
    buf_free(&line->text);
    errno = kept;
}

void log_message(logger *l, log_level level, const char *event, const char *format, ...)
{
    buf message = BUF_INIT;
    log_line line;
    va_list args;

    va_start(args, format);
    buf_addv(&message, format, args);
    va_end(args);
    log_begin(&line, l, level, event);
    log_str(&line, "message", buf_cstr(&message));
    log_end(&line);
    buf_free(&message);
}
