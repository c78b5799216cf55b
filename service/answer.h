/*
 * answer - what the relay said becomes an HTTP status and a JSON body.
 *
 * One table maps outcome and blame to the status. Addresses of the answer are those of the
 * request's envelope; the relay's words are passed on as they came.
 *
 * Pure: writes into the caller's buf.
 */
#ifndef POSTERN_SERVICE_ANSWER_H
#define POSTERN_SERVICE_ANSWER_H

#include "base/buf.h"
#include "service/request.h"
#include "smtp/sender.h"

typedef struct answer {
    unsigned status;
    const char *content_type; /* static */
    unsigned retry_after;     /* seconds; 0: none */
} answer;

/* The answer to /v1/send. */
answer answer_send(const request *r, const smtp_result *result, buf *out);

/* The answer to /v1/check: 200 if every step worked, else the problem's status, with the steps in
 * both. */
answer answer_check(const char *id, const smtp_relay *relay, const smtp_result *result, buf *out);

#endif
