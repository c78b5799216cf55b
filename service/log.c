#include "service/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/civil.h"
#include "base/clock.h"

/* Lines that were collected. One thread writes at a time, without the lock: the others go on
 * collecting meanwhile, and wait only if there is no room left. */
typedef struct collector {
    pthread_mutex_t lock;
    pthread_cond_t written; /* `writing` has become false */
    char *lines;
    size_t len;
    char *out;                /* the writer's: exchanged with `lines` */
    size_t torn_at, torn_end; /* in `out`: the rest of a line of which a part was taken */
    bool writing;
    bool again; /* there was a flush while `writing`: the writer goes on */
} collector;

struct logger {
    int fd;
    bool json;
    bool addresses;
    collector *collector; /* NULL: each line is a write */
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

static void collector_free(collector *c)
{
    if (!c)
        return;
    (void)pthread_cond_destroy(&c->written);
    (void)pthread_mutex_destroy(&c->lock);
    free(c->lines);
    free(c->out);
    free(c);
}

bool log_collect(logger *l)
{
    collector *c = calloc(1, sizeof *c);
    if (!c)
        return false;
    (void)pthread_mutex_init(&c->lock, NULL); /* neither can fail with default attributes */
    (void)pthread_cond_init(&c->written, NULL);
    c->lines = malloc(LOG_COLLECT_MAX);
    c->out = malloc(LOG_COLLECT_MAX);
    if (!c->lines || !c->out) {
        collector_free(c);
        return false;
    }
    l->collector = c;
    return true;
}

void log_free(logger *l)
{
    if (!l)
        return;
    log_flush(l);
    collector_free(l->collector);
    free(l);
}

void log_begin(log_line *line, logger *l, log_level level, const char *event)
{
    static const char head[] = "{\"time\":\"";

    line->log = l;
    buf_init(&line->text);
    buf_lend(&line->text, line->room, sizeof line->room);
    line->json = (jsonw){.out = &line->text, .comma = true};
    char *p = line->room;
    if (l->json) {
        memcpy(p, head, sizeof head - 1);
        p += sizeof head - 1;
    }
    civil_time(clock_wall_us(), p);
    p += CIVIL_TIME;
    *p++ = l->json ? '"' : ' ';
    line->text.len = (size_t)(p - line->text.data);
    if (l->json) {
        jsonw_member_str(&line->json, "level", LEVELS[level]);
        jsonw_member_str(&line->json, "event", event);
        return;
    }
    buf_adds(&line->text, LEVELS[level]);
    buf_addc(&line->text, ' ');
    buf_adds(&line->text, event);
}

/* Lines for a person at a terminal: made small, not fast. */
#define COLD __attribute__((cold))

/* A value may follow as JSON has it. */
COLD static void text_key(log_line *line, const char *key, size_t len)
{
    buf_addc(&line->text, ' ');
    buf_add(&line->text, key, len);
    buf_addc(&line->text, '=');
    line->json.comma = false;
}

/* A value that can stand bare: no space, quote, backslash, = or control, and ASCII only. */
COLD static bool is_bare(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c <= ' ' || c >= 0x7F || c == '"' || c == '\\' || c == '=')
            return false;
    }
    return len > 0;
}

/* How much of a value is written: all, or what LOG_VALUE_MAX holds of whole characters. */
static inline size_t cut(const char *value, size_t len)
{
    if (len <= LOG_VALUE_MAX)
        return len;
    len = LOG_VALUE_MAX;
    for (int tails = 0; tails < 3 && ((unsigned char)value[len] & 0xC0) == 0x80; tails++)
        len--;
    return len;
}

COLD static void add_text(log_line *line, const char *key, size_t key_len, const char *value,
                          size_t len)
{
    text_key(line, key, key_len);
    if (is_bare(value, len))
        buf_add(&line->text, value, len);
    else
        jsonw_strn(&line->json, value, len);
}

static inline void add_value(log_line *line, const char *key, size_t key_len, const char *value,
                             size_t len)
{
    if (line->log->json)
        jsonw_field_strn(&line->json, key, key_len, value, len);
    else
        add_text(line, key, key_len, value, len);
}

void log_field_str(log_line *line, const char *key, size_t key_len, const char *value)
{
    if (value)
        add_value(line, key, key_len, value, cut(value, strlen(value)));
}

void log_field_int(log_line *line, const char *key, size_t key_len, int64_t value)
{
    if (line->log->json) {
        jsonw_field_int(&line->json, key, key_len, value);
        return;
    }
    text_key(line, key, key_len);
    jsonw_int(&line->json, value);
}

void log_field_ms(log_line *line, const char *key, size_t key_len, int64_t us)
{
    if (line->log->json) {
        jsonw_field_ms(&line->json, key, key_len, us);
        return;
    }
    text_key(line, key, key_len);
    jsonw_ms(&line->json, us);
}

void log_field_address(log_line *line, const char *key, size_t key_len, const char *address)
{
    if (!address || line->log->addresses || address[0] == '\0') {
        log_field_str(line, key, key_len, address);
        return;
    }
    char masked[1 + LOG_VALUE_MAX];
    size_t len = 1;
    masked[0] = '*'; /* the rest is not cleared */
    const char *at = strrchr(address, '@');
    if (at) {
        size_t n = strnlen(at, LOG_VALUE_MAX);
        memcpy(masked + 1, at, n);
        len += n;
    }
    add_value(line, key, key_len, masked, cut(masked, len));
}

/* One write; if a pipe took only a part, the rest follows. Returns how much was written: what the
 * descriptor refuses is not. */
static size_t write_all(int fd, const char *data, size_t len)
{
    size_t at = 0;
    while (at < len) {
        ssize_t n = write(fd, data + at, len - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    return at;
}

/* Writes the rest of a torn line first: as long as it can't go out, nothing can that comes behind
 * it. */
static bool write_torn(collector *c, int fd)
{
    c->torn_at += write_all(fd, c->out + c->torn_at, c->torn_end - c->torn_at);
    return c->torn_at == c->torn_end;
}

/* Writes lines out of `out`. Of those that are refused, the rest of one that was begun is kept. */
static void write_lines(collector *c, int fd, size_t len)
{
    size_t at = write_all(fd, c->out, len);
    c->torn_at = c->torn_end = at;
    if (at == 0 || at == len || c->out[at - 1] == '\n')
        return;
    const char *end = memchr(c->out + at, '\n', len - at);
    c->torn_end = end ? (size_t)(end - c->out) + 1 : len;
}

/* Takes the lock off while it writes. */
static void write_collected(collector *c, int fd)
{
    c->writing = true;
    do {
        c->again = false;
        bool torn = c->torn_at < c->torn_end;
        if (torn) {
            (void)pthread_mutex_unlock(&c->lock);
            torn = !write_torn(c, fd);
            (void)pthread_mutex_lock(&c->lock);
        }
        size_t len = c->len;
        c->len = 0;
        if (torn)
            continue; /* dropped */
        char *lines = c->lines;
        c->lines = c->out;
        c->out = lines;
        (void)pthread_mutex_unlock(&c->lock);
        write_lines(c, fd, len);
        (void)pthread_mutex_lock(&c->lock);
    } while (c->again && c->len > 0);
    c->writing = false;
    (void)pthread_cond_broadcast(&c->written);
}

/* Waits for room: for a moment, or as long as the descriptor blocks. */
static void make_room(collector *c, int fd, size_t len)
{
    while (LOG_COLLECT_MAX - c->len < len) {
        if (c->writing)
            (void)pthread_cond_wait(&c->written, &c->lock);
        else
            write_collected(c, fd);
    }
}

static void collect(collector *c, int fd, const char *data, size_t len)
{
    (void)pthread_mutex_lock(&c->lock);
    make_room(c, fd, len);
    memcpy(c->lines + c->len, data, len);
    c->len += len;
    (void)pthread_mutex_unlock(&c->lock);
}

void log_flush(logger *l)
{
    collector *c = l->collector;
    int kept = errno;

    if (!c)
        return;
    (void)pthread_mutex_lock(&c->lock);
    if (c->writing)
        c->again = true;
    else if (c->len > 0 || c->torn_at < c->torn_end)
        write_collected(c, l->fd);
    (void)pthread_mutex_unlock(&c->lock);
    errno = kept;
}

static void put(logger *l, const char *data, size_t len)
{
    if (l->collector && len <= LOG_COLLECT_MAX) {
        collect(l->collector, l->fd, data, len);
        return;
    }
    log_flush(l);
    (void)write_all(l->fd, data, len);
}

void log_end(log_line *line)
{
    int kept = errno;

    buf_adds(&line->text, line->log->json ? "}\n" : "\n");
    if (buf_ok(&line->text))
        put(line->log, line->text.data, line->text.len);
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
    log_flush(l);
    buf_free(&message);
}
