/*
 * problem - the problem details that a request is answered with (RFC 9457): what kind of problem,
 * and the faults of the request.
 *
 * Pure: writes into the caller's buf.
 */
#ifndef POSTERN_SERVICE_PROBLEM_H
#define POSTERN_SERVICE_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/faults.h"
#include "base/jsonw.h"

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
