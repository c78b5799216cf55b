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

#include <jansson.h>

#include "mime/message.h"
#include "service/config.h"
#include "service/document.h"
#include "service/problem.h"
#include "service/templates.h"

#define REQUEST_TAGS          10
#define REQUEST_TAG_LENGTH    64
#define REQUEST_METADATA      32
#define REQUEST_METADATA_NAME 64
#define REQUEST_METADATA_TEXT 512
#define REQUEST_RELAYS        8
#define REQUEST_BATCH_MOST    10000 /* mails */

/* What only a message of the queue has. Strings are the document's. */
typedef struct request_delivery {
    const char *relays[REQUEST_RELAYS + 1]; /* names, to be tried in this order; ended by NULL */
    int64_t send_at;                        /* microseconds since 1970; 0: now */
    int64_t expires_us;                     /* how long it is tried from then on */
    int priority;
    const char *tags[REQUEST_TAGS + 1]; /* ended by NULL */
    const json_t *metadata;             /* an object of strings; NULL: none */
} request_delivery;

typedef struct request {
    char id[27];
    document *document;      /* owned, unless it is one of many that share it */
    const json_t *root;      /* what it was read from: the document's root, or a draft */
    bool borrows;            /* the document is another's */
    arena *memory;           /* that it is made of, the document's; NULL: malloc's */
    const smtp_relay *relay; /* NULL: none is configured (compose only) */
    mime_message *message;   /* owned */
    char *reverse_path;      /* owned; "" is null */
    const char **recipients; /* to, cc, bcc in this order, no address twice; the array is owned */
    size_t recipient_count;
    const char **suppressed; /* recipients that were taken off the list above (guard.h); the array
                                is owned */
    size_t suppressed_count;
    bool utf8; /* SMTPUTF8 */
    bool transcript;
    const char *list;            /* the list that it is sent to; "": none. The document's */
    char *unsubscribe_url;       /* owned; NULL where there is no list */
    bool to_sign;                /* its signature is still to be made: request_sign() */
    time_t date;                 /* of the message */
    const char *sender_domain;   /* of From; the parts' or the configuration's */
    request_delivery delivery;   /* where it is for the queue */
    char *lint;                  /* what it said, a JSON object; NULL: not asked for */
    size_t lint_of[3];           /* how many findings of each lint_severity */
    struct request_parts *parts; /* mailboxes, attachments, headers: what the message was made of */
} request;

typedef enum request_result {
    REQUEST_OK,
    REQUEST_INVALID,   /* `errors` says why */
    REQUEST_FORBIDDEN, /* valid, but POSTERN_FROM forbids the sender: `errors` says which */
    REQUEST_NOMEM,
    REQUEST_STOPPED /* a batch: there is no room for what was kept of it */
} request_result;

/* Makes a request of a parsed document, which it takes over whatever the result. `t`: where
 * its template is looked for, while it is made (NULL: there are none). `id` and `now` are the
 * message's. On REQUEST_OK *out is the request, which the caller frees. */
request_result request_create(const config *cfg, const templates *t, document *d, const char id[27],
                              time_t now, request **out, faults *errors);

/* The same for the queue, which has members of its own and no transcript. */
request_result request_create_queued(const config *cfg, const templates *t, document *d,
                                     const char id[27], time_t now, request **out, faults *errors);

/* Either of the two, but a message whose signature (signer.h) takes long is left without it, and
 * `to_sign` set: request_sign() must follow, where a thread may be held up. */
request_result request_create_late(const config *cfg, const templates *t, document *d,
                                   const char id[27], time_t now, bool queued, request **out,
                                   faults *errors);

/* For /v1/lint: nothing is composed, members of both are known, and `lint` is there. */
request_result request_create_lint(const config *cfg, const templates *t, document *d,
                                   const char id[27], time_t now, request **out, faults *errors);

/* The same for a message that was made beside the document (dialect.h), of values of it. */
typedef enum request_manner {
    REQUEST_DRAFT_SENT,            /* at once; signed late */
    REQUEST_DRAFT_QUEUED,          /* for the queue; signed late */
    REQUEST_DRAFT_ONE_OF_MANY,     /* for the queue, too; the document stays the caller's, and must
                                      outlive the request */
    REQUEST_DRAFT_ONE_OF_MANY_SENT /* the same, at once */
} request_manner;

request_result request_create_draft(const config *cfg, const templates *t, document *d,
                                    const json_t *draft, const char id[27], time_t now,
                                    request_manner manner, request **out, faults *errors);
void request_free(request *r);

/* Who is given the mails of a batch, in order. */
typedef struct request_batch_sink {
    bool (*begin)(void *ctx, size_t count); /* so many will come; false: no memory */
    bool (*new_id)(void *ctx, char out[27]);
    /* The i-th, with an id, an envelope and a message; lent for the call. How many octets of it are
     * kept, which the document's budget then has; 0: no memory. */
    size_t (*take)(void *ctx, size_t i, const request *one);
    void *ctx;
} request_batch_sink;

/* The same for a batch: what all of its mails share, and "recipients", of which each has a mail of
 * its own. If one of them has a fault, what was given to the sink before is of no use. On
 * REQUEST_OK *out is what they share: its document, delivery and list are set, and nothing else. */
request_result request_create_batch(const config *cfg, const templates *t, document *d, time_t now,
                                    const request_batch_sink *sink, request **out, faults *errors);

/* What may be changed of a message that waits: {"send_at": …}, microseconds (0: now). False, and a
 * fault; none: no memory. */
bool request_read_change(document *d, const json_t *change, time_t now, int64_t *send_at,
                         faults *errors);

/* Signs the message, if that is still to be done; before it is read. False: no memory, or what of
 * it is stored can't be read. */
bool request_sign(const config *cfg, request *r);

/* Frees the message, and what was rendered for it, which the document's budget need not have any
 * more: what is kept of the request is for whom it is. No reader has it. */
void request_forget_message(request *r);

/* Where a recipient (by its index, before any was taken off) was first named: "/to/0". */
void request_pointer(const request *r, size_t recipient, char out[FAULTS_POINTER_MAX]);

/* Takes the recipients that are marked off the list, into `suppressed`; false: no memory. */
bool request_take_off(request *r, const bool *marks);

#endif
