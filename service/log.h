/*
 * log - lines on stderr, as JSON or as text.
 *
 * A line is never torn by another thread's, and a thread's lines keep their order. JSON:
 * {"time":"…Z","level":"info", "event":"request",…fields}; text: "2026-11-24T10:00:00.123Z info
 * request key=value …", values quoted where needed. Bodies, secrets and addresses are never handed
 * to it; log_address() writes an address only if POSTERN_LOG_ADDRESSES=on, else its domain behind
 * "*@".
 *
 * Usage: log_line l; log_begin(&l, log, LOG_INFO, "request"); log_str(&l, "id", id); …;
 * log_end(&l); A line that doesn't fit memory, or that the descriptor refuses (EPIPE; EAGAIN if it
 * doesn't block), is dropped; logging never fails the caller, and leaves errno alone. Keys and
 * events are literals that need no escapes; values are escaped, controls included, so that no value
 * can forge a line. Threads: any; a log_line belongs to one.
 *
 * A line is one write(2), unless log_collect() was called: then lines gather in a buffer that goes
 * out with one write when it is full and at each log_flush(), which a thread calls before it waits
 * for something to happen. log_message(), for the few things an operator is told beside requests
 * and transactions, flushes by itself. log_free() writes what is left.
 */
#ifndef POSTERN_SERVICE_LOG_H
#define POSTERN_SERVICE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/jsonw.h"

#define LOG_COLLECT_MAX 65536 /* octets that wait for a flush at most */
#define LOG_LINE_BYTES  512   /* what most lines fit in: they need no allocation */
#define LOG_VALUE_MAX   1024  /* octets of a value that are written; a longer one is cut */

typedef enum log_format {
    LOG_AUTO,
    LOG_JSON,
    LOG_TEXT
} log_format; /* AUTO: JSON unless a terminal */
typedef enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO } log_level;

typedef struct logger logger;

logger *log_create(int fd, log_format format, bool addresses);
void log_free(logger *l);

/* Before other threads know the logger. False: no memory, and each line stays a write. */
bool log_collect(logger *l);

/* Has what was collected written: by this thread, or by one that is writing already and goes on
 * with it. */
void log_flush(logger *l);

typedef struct log_line {
    logger *log;
    buf text;
    jsonw json;                /* into `text` */
    char room[LOG_LINE_BYTES]; /* that `text` begins in */
} log_line;

void log_begin(log_line *line, logger *l, log_level level, const char *event);
/* NULL value: the field is left out. */
static inline void log_str(log_line *line, const char *key, const char *value);
static inline void log_int(log_line *line, const char *key, int64_t value);
/* Microseconds, written as ms, 3 decimals. */
static inline void log_ms(log_line *line, const char *key, int64_t us);
static inline void log_address(log_line *line, const char *key, const char *address);
void log_end(log_line *line);

/* A line with one field "message", written at once. */
void log_message(logger *l, log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same, where the key's length is known: as it is to the compiler where the key is a literal.
 */
void log_field_str(log_line *line, const char *key, size_t key_len, const char *value);
void log_field_int(log_line *line, const char *key, size_t key_len, int64_t value);
void log_field_ms(log_line *line, const char *key, size_t key_len, int64_t us);
void log_field_address(log_line *line, const char *key, size_t key_len, const char *address);

static inline void log_str(log_line *line, const char *key, const char *value)
{
    log_field_str(line, key, strlen(key), value);
}

static inline void log_int(log_line *line, const char *key, int64_t value)
{
    log_field_int(line, key, strlen(key), value);
}

static inline void log_ms(log_line *line, const char *key, int64_t us)
{
    log_field_ms(line, key, strlen(key), us);
}

static inline void log_address(log_line *line, const char *key, const char *address)
{
    log_field_address(line, key, strlen(key), address);
}

#endif
