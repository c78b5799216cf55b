/*
 * request - JSON becomes a message and its envelope.
 *
 * One table (request.c) names each member of a send request, its type and its reader. All faults
 * are collected; the document is read to its end whatever is wrong with it.
 *
 * Memory: a request owns the document, from which the draft borrows texts and attachments, and
 * the composed message; it must live until nothing reads the message any more. request_free() gives
 * all back. Threads: one at a time.
 */
#ifndef POSTERN_SERVICE_REQUEST_H
#define POSTERN_SERVICE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mime/message.h"
#include "service/config.h"
#include "service/document.h"
#include "service/problem.h"

typedef struct request {
    char id[27];
    document *document;      /* owned */
    const smtp_relay *relay; /* NULL: none is configured (compose only) */
    mime_message *message;   /* owned */
    char *reverse_path;      /* owned; "" is null */
    const char **recipients; /* to, cc, bcc in this order, no address twice; the array is owned */
    size_t recipient_count;
    bool utf8; /* SMTPUTF8 */
    bool transcript;
    struct request_parts *parts; /* mailboxes, attachments, headers: what the message was made of */
} request;

typedef enum request_result {
    REQUEST_OK,
    REQUEST_INVALID,   /* `errors` says why */
    REQUEST_FORBIDDEN, /* valid, but POSTERN_FROM forbids the sender: `errors` says which */
    REQUEST_NOMEM
} request_result;

/* Makes a request of a parsed document, which it takes over whatever the result. `id` and `now` are
 * the message's. On REQUEST_OK *out is the request, which the caller frees. */
request_result request_create(const config *cfg, document *d, const char id[27], time_t now,
                              request **out, faults *errors);
void request_free(request *r);

#endif
