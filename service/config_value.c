#include "service/config_value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

typedef struct unit {
    const char *name;
    int64_t worth;
} unit;

static const unit SIZES[] = {
    {"", 1},      {"B", 1},        {"KiB", INT64_C(1) << 10}, {"MiB", INT64_C(1) << 20},
    {"kB", 1000}, {"MB", 1000000}, {"GiB", INT64_C(1) << 30}, {"GB", 1000000000},
};

static const unit DURATIONS[] = {
    {"ms", 1000},
    {"s", 1000000},
    {"m", INT64_C(60) * 1000000},
    {"h", INT64_C(3600) * 1000000},
    {"d", INT64_C(86400) * 1000000},
};

static const unit NO_UNIT[] = {{"", 1}};

/* Digits and one of the units behind them. */
static bool read_with_unit(const char *s, const unit *units, size_t count, int64_t *out)
{
    int64_t n = 0;

    if (!isdigit((unsigned char)*s))
        return false;
    for (; isdigit((unsigned char)*s); s++)
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *s - '0', &n))
            return false;
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(s, units[i].name) == 0)
            return !__builtin_mul_overflow(n, units[i].worth, out);
    return false;
}

bool config_value_number(const char *s, int64_t *out)
{
    int64_t n = 0;
    if (!read_with_unit(s, NO_UNIT, COUNT(NO_UNIT), &n))
        return false;
    *out = n;
    return true;
}

bool config_value_size(const char *s, int64_t *out)
{
    int64_t n = 0;
    if (!read_with_unit(s, SIZES, COUNT(SIZES), &n))
        return false;
    *out = n;
    return true;
}

bool config_value_duration(const char *s, int64_t *out)
{
    int64_t n = 0;
    if (!read_with_unit(s, DURATIONS, COUNT(DURATIONS), &n))
        return false;
    *out = n;
    return true;
}

bool config_value_switch(const char *s, bool *out)
{
    if (strcmp(s, "on") != 0 && strcmp(s, "off") != 0)
        return false;
    *out = strcmp(s, "on") == 0;
    return true;
}

void config_value_show_size(int64_t bytes, buf *out)
{
    static const unit shown[] = {
        {"GiB", INT64_C(1) << 30}, {"MiB", INT64_C(1) << 20}, {"KiB", INT64_C(1) << 10}, {"", 1}};
    size_t i = 0;

    while (bytes % shown[i].worth != 0)
        i++;
    buf_addf(out, "%lld%s", (long long)(bytes / shown[i].worth), shown[i].name);
}

void config_value_show_duration(int64_t us, buf *out)
{
    static const unit shown[] = {{"h", INT64_C(3600) * 1000000}, {"s", 1000000}, {"ms", 1000}};
    size_t i = 0;

    while (i + 1 < COUNT(shown) && us % shown[i].worth != 0)
        i++;
    buf_addf(out, "%lld%s", (long long)(us / shown[i].worth), shown[i].name);
}

/* --- listen ------------------------------------------------------------------------------------
 */

static bool listen_unix(const char *path, config_listen *out, const char **reason)
{
    struct sockaddr_un room;

    if (path[0] != '/')
        *reason = "a unix socket's path begins with /, as in unix:/run/postern.sock";
    else if (strlen(path) >= sizeof room.sun_path)
        *reason = "a unix socket's path has 107 bytes at most";
    else if (!(out->path = strdup(path)))
        *reason = "out of memory";
    else {
        out->kind = CONFIG_LISTEN_UNIX;
        out->loopback = true;
        return true;
    }
    return false;
}

static bool read_port(const char *s, uint16_t *out)
{
    int64_t n = 0;
    if (!config_value_number(s, &n) || n > UINT16_MAX)
        return false;
    *out = (uint16_t)n;
    return true;
}

/* True if only this machine reaches what listens there. */
static bool is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return strcasecmp(host, "localhost") == 0;
}

/* Why that is no host to listen on; NULL if it may be one. */
static const char *host_fault(const char *host, bool bracketed)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
    struct in_addr v4;
    struct in6_addr v6;

    if (bracketed)
        return inet_pton(AF_INET6, host, &v6) == 1 ? NULL
                                                   : "no IPv6 address stands in the brackets";
    if (host[0] == '\0' || strcmp(host, "*") == 0)
        return "the host is missing: write 0.0.0.0:8025 for every IPv4 interface, [::]:8025 for "
               "every one";
    if (strchr(host, ':'))
        return "an IPv6 address stands in brackets, as in [::1]:8025";
    if (strspn(host, letters) != strlen(host))
        return "the host has a character that no host name has; write host:port without a scheme "
               "or path";
    if (strspn(host, "0123456789.") == strlen(host) && inet_pton(AF_INET, host, &v4) != 1)
        return "the host is no IPv4 address";
    return NULL;
}

static bool listen_tcp(const char *s, config_listen *out, const char **reason)
{
    bool bracketed = s[0] == '[';
    const char *end = bracketed ? strchr(s, ']') : strrchr(s, ':');

    if (!end || (bracketed && end[1] != ':')) {
        *reason = "the port is missing: write host:port, [v6]:port or unix:/path";
        return false;
    }
    const char *start = bracketed ? s + 1 : s;
    out->host = strndup(start, (size_t)(end - start));
    *reason = out->host ? host_fault(out->host, bracketed) : "out of memory";
    if (!*reason && !read_port(end + (bracketed ? 2 : 1), &out->port))
        *reason = "the port is a number of 0 to 65535";
    if (*reason) {
        free(out->host);
        return false;
    }
    out->kind = CONFIG_LISTEN_TCP;
    out->loopback = is_loopback(out->host);
    return true;
}

bool config_value_listen(const char *s, config_listen *out, const char **reason)
{
    config_listen read = {0};
    bool ok = strncmp(s, "unix:", 5) == 0 ? listen_unix(s + 5, &read, reason)
                                          : listen_tcp(s, &read, reason);
    *out = ok ? read : (config_listen){0};
    return ok;
}

/* --- lists -------------------------------------------------------------------------------------
 */

/* Where the item that begins at `s` ends: at a comma outside quotes, or the line's end. */
static const char *item_end(const char *s)
{
    bool quoted = false;

    for (; *s && *s != '\n'; s++) {
        if (*s == '"')
            quoted = !quoted;
        else if (quoted && *s == '\\' && s[1] && s[1] != '\n')
            s++;
        else if (!quoted && *s == ',')
            break;
    }
    return s;
}

bool config_value_item(const char **at, const char **item, size_t *len)
{
    static const char blanks[] = " \t\r\n,";

    const char *start = *at + strspn(*at, blanks);
    const char *end = item_end(start);
    *at = end;
    while (end > start && strchr(" \t\r", end[-1]))
        end--;
    *item = start;
    *len = (size_t)(end - start);
    return *len > 0;
}

/* --- suggestions --------------------------------------------------------------------------------
 */

#define WORD_MAX 63

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t config_value_distance(const char *a, const char *b, size_t limit)
{
    size_t rows[3][WORD_MAX + 1]; /* of the table: two above, above, this one */
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    size_t a_len = strlen(a), b_len = strlen(b);

    if (a_len > WORD_MAX || b_len > WORD_MAX)
        return limit + 1;
    for (size_t j = 0; j <= b_len; j++)
        above[j] = before[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        size_t *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return least(above[b_len], limit + 1);
}
