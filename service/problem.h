/*
 * problem - faults of a request and the problem details that tell them (RFC 9457).
 *
 * A list of faults collects everything that is wrong with one request; each has a JSON Pointer (RFC
 * 6901) to the member, a stable code from the table in problem.c, and a sentence. The list is
 * bounded: after PROBLEM_FAULTS_MAX it only counts, and the answer says so.
 *
 * Memory: the list owns its strings. Threads: none of its own.
 */
#ifndef POSTERN_SERVICE_PROBLEM_H
#define POSTERN_SERVICE_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/jsonw.h"

#define PROBLEM_FAULTS_MAX 100

typedef struct faults_item {
    char *pointer; /* "/attachments/0/content"; "" is the whole document */
    const char *code;
    char *detail;
    bool has_offset;
    size_t offset; /* in the string that the pointer names, where a place can be told */
} faults_item;

typedef struct faults {
    faults_item *list;
    size_t count; /* kept in `list` */
    size_t total; /* met */
    bool failed;  /* memory ran out: the answer is 503, not a shorter list */
} faults;

void faults_init(faults *f);
void faults_free(faults *f);
void faults_add(faults *f, const char *pointer, const char *code, const char *detail, ...)
    __attribute__((format(printf, 4, 5)));
/* The same, with a place in the string. */
void faults_add_at(faults *f, const char *pointer, const char *code, size_t offset,
                   const char *detail);

/* JSON Pointers one step below `parent`: to a member of ours, to an item, and to one whose name the
 * user chose, which is escaped (RFC 6901 section 3) and cut where it is long. */
#define FAULTS_POINTER_MAX 512
void faults_member(char out[FAULTS_POINTER_MAX], const char *parent, const char *name);
void faults_item_pointer(char out[FAULTS_POINTER_MAX], const char *parent, size_t i);
void faults_pointer(char out[FAULTS_POINTER_MAX], const char *parent, const char *name);

/* A member that there is not. */
void faults_unknown(faults *f, const char *parent, const char *name);

/* The kinds of problem that the HTTP request itself is answered with; status, type and title are a
 * table. */
typedef enum problem_kind {
    PROBLEM_BAD_JSON,         /* 400 */
    PROBLEM_BAD_REQUEST,      /* 400 */
    PROBLEM_UNAUTHORIZED,     /* 401 */
    PROBLEM_UNVERIFIED,       /* 401: a webhook whose sender has not shown who it is */
    PROBLEM_SENDER_FORBIDDEN, /* 403: POSTERN_FROM */
    PROBLEM_NOT_FOUND,        /* 404 */
    PROBLEM_METHOD,           /* 405 */
    PROBLEM_SLOW,             /* 408 */
    PROBLEM_CONFLICT,         /* 409: the message is in no state for this */
    PROBLEM_KEY_RUNNING,      /* 409: a request with this Idempotency-Key is under way */
    PROBLEM_LENGTH,           /* 411 */
    PROBLEM_TOO_LARGE,        /* 413 */
    PROBLEM_MEDIA_TYPE,       /* 415 */
    PROBLEM_INVALID,          /* 422, with errors */
    PROBLEM_REFUSED,          /* 422: the relay refused the message for good */
    PROBLEM_SUPPRESSED,       /* 422, with errors: nothing is sent to any of its recipients */
    PROBLEM_KEY_DIFFERENT,    /* 422: the Idempotency-Key belongs to another request */
    PROBLEM_INTERNAL,         /* 500: a defect of ours; nothing was sent */
    PROBLEM_GATEWAY,          /* 502: this gateway's own access is at fault */
    PROBLEM_NO_RELAY,         /* 503: none is configured */
    PROBLEM_NO_QUEUE,         /* 503: none is configured */
    PROBLEM_QUEUE,            /* 503: the queue can't keep or give anything now */
    PROBLEM_BUSY,             /* 503: too much in flight */
    PROBLEM_DRAINING,         /* 503 */
    PROBLEM_MEMORY,           /* 503 */
    PROBLEM_STORAGE,          /* 503: no room for a large request, in memory or in the folder */
    PROBLEM_RELAY,            /* 503: down, or 4yz */
    PROBLEM_TIMEOUT           /* 504 */
} problem_kind;

unsigned problem_status(problem_kind kind);
const char *problem_type(problem_kind kind);     /* "urn:postern:problem:invalid" */
const char *problem_title(problem_kind kind);    /* "The message is not valid" */
unsigned problem_retry_after(problem_kind kind); /* seconds; 0: no Retry-After */

/* Writes a problem without a relay's part: type, title, status, detail, id (may be NULL), errors
 * (may be NULL), retryable. */
void problem_write(buf *out, problem_kind kind, const char *id, const char *detail,
                   const faults *errors);

/* Opens the object and writes type, title, status, detail: the start of every problem, also of
 * those that tell a relay's part (answer.c). The caller closes it. */
void problem_begin(jsonw *w, problem_kind kind, const char *detail);

#endif
