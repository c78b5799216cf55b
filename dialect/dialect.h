/*
 * dialect - the sending APIs of mail providers (SendGrid, Postmark, Resend, Mailgun), spoken so
 * that their own SDKs can't tell: what a body of theirs asks for in Postern's words, and what
 * became of it in theirs.
 *
 * A dialect is a table of endpoints. An endpoint's `read` turns a body into drafts, each of which
 * is a message as POST /v1/messages takes it; whoever serves checks, keeps and sends them as he
 * does any other (service/dialects.c). Its `accepted` and the dialect's `refused` write the
 * answers. There is no other way to the composer or the queue.
 *
 * Pure: no sockets, no clock. Memory: a plan owns its drafts and faults, dialect_plan_clear();
 * strings of drafts may be those of the body's tree (json_incref), which may stand in an arena that
 * is current while `read` runs: drafts and body go together. Threads: any, one at a time for a
 * plan.
 */
#ifndef POSTERN_DIALECT_DIALECT_H
#define POSTERN_DIALECT_DIALECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/faults.h"
#include "mime/message.h"

/* ---- what came ---- */

typedef struct dialect_body {
    /* JSON as it came. Of a form an object, in which each field is an array, in the order in which
     * they came: strings, and of files objects {"filename", "content_type", "content"} whose
     * content is base64. */
    const json_t *root;
    const char *parameter; /* what the path has in place of "{…}"; "": nothing */
    /* A header of the HTTP request; NULL: there is none. */
    const char *(*header)(void *ctx, const char *name);
    /* The text of a string of the tree, with a NUL behind it, which may hold others: long ones
     * stand elsewhere, and json_string_value() doesn't know them. False: it is base64 that nobody
     * can read as text. */
    bool (*text)(void *ctx, const json_t *string, mime_bytes *out);
    void *ctx;
    int64_t now_us; /* since 1970 */
} dialect_body;

/* ---- what it asks for ---- */

typedef struct dialect_draft {
    json_t *message; /* owned; NULL: there are faults */
    faults errors;   /* at pointers into the body as it came: "/personalizations/0/to/1/email" */
} dialect_draft;

#define DIALECT_DRAFTS 1000 /* mails of one request, at most */

typedef struct dialect_plan {
    dialect_draft *drafts; /* in the order of the body's; owned */
    size_t count;
    faults errors; /* of what is no draft's alone: nothing is sent */
    bool each;     /* a draft's faults are its own; else those of one hold up all */
    bool dry;      /* everything is checked and answered, and nothing kept or sent */
    bool nomem;
} dialect_plan;

/* Room for so many drafts, empty; false: no memory (and nomem is set). */
bool dialect_plan_begin(dialect_plan *p, size_t count);
void dialect_plan_clear(dialect_plan *p);

/* ---- what became of it ---- */

/* Why nothing was sent: a problem of Postern's, before it becomes the dialect's. */
typedef struct dialect_refusal {
    unsigned status;      /* that Postern would answer with */
    const char *reason;   /* the last word of the problem's type: "invalid", "suppressed",
                             "unauthorized", "idempotency-mismatch", "too-large" … */
    const char *detail;   /* a sentence */
    const faults *errors; /* NULL: none; at pointers into the body. Of "suppressed": one for each
                             recipient, whose `detail` has the address and why */
    const char *const *suppressed; /* of "suppressed": the addresses; `suppressed_count` of them */
    size_t suppressed_count;
    const char *id; /* of the HTTP request, which is in the log */
} dialect_refusal;

typedef struct dialect_sent {
    const char *id;                /* the message's, 26 characters; NULL: it was refused */
    const char *message_id;        /* "<…@…>"; NULL, too */
    const json_t *message;         /* the draft */
    const char *const *suppressed; /* recipients that nothing is sent to, though to others */
    size_t suppressed_count;
    const dialect_refusal *refusal; /* NULL: it was accepted */
} dialect_sent;

/* An answer: written into `content`, with at most one header of its own. */
typedef struct dialect_answer {
    unsigned status;
    const char *content_type; /* static; NULL: there is no content */
    buf content;              /* whoever asked frees it */
    const char *header;       /* its name, static; NULL: none */
    char value[64];
} dialect_answer;

/* ---- the tables ---- */

typedef enum dialect_action {
    DIALECT_SEND,
    DIALECT_SHOW,       /* the message whose id is the path's parameter */
    DIALECT_CANCEL,     /* … */
    DIALECT_RESCHEDULE, /* …: `read` gives one draft, with `send_at` alone */
    DIALECT_FIXED       /* nothing is done: `accepted` answers, with no mails */
} dialect_action;

typedef enum dialect_form {
    DIALECT_NOTHING, /* a body that comes is dropped */
    DIALECT_JSON,    /* whatever Content-Type says: SDKs let a mail's headers overwrite it */
    DIALECT_FORM     /* multipart/form-data or application/x-www-form-urlencoded */
} dialect_form;

typedef struct dialect_endpoint {
    const char *path; /* at the root, and with "/NAME" before it */
    const char *method;
    dialect_action action;
    dialect_form form;
    bool keyed; /* knows Idempotency-Key */
    /* Where the base64 of attachments stands in JSON: the member that has the array, the items'
     * member, and the array's level (1: a member of the body itself; 2: of an item of a bare array;
     * 3: of an item of an array that is a member of the body). It is checked and wrapped as it
     * comes. NULL: nowhere. */
    const char *files, *content;
    unsigned level;
    size_t most; /* octets that a body may have; 0: POSTERN_MAX_BODY, beyond which it is never */
    /* Fills a plan that is all zeros. */
    void (*read)(const dialect_body *body, dialect_plan *plan);
    /* Where in the body it stands what a fault of a draft is at ("/to/1", "/attachments/0/content",
     * "" is the draft): for faults that others find. */
    void (*origin)(const dialect_body *body, size_t draft, const char *pointer,
                   char out[FAULTS_POINTER_MAX]);
    /* One for each draft. If all of one were refused, and `each` is not set, it isn't asked. */
    void (*accepted)(const dialect_body *body, const dialect_sent *list, size_t count, bool dry,
                     dialect_answer *out);
    /* DIALECT_SHOW, DIALECT_CANCEL, DIALECT_RESCHEDULE: the answer, of what GET /v1/messages/{id}
     * says. */
    void (*show)(const json_t *message, dialect_answer *out);
} dialect_endpoint;

typedef enum dialect_auth {
    DIALECT_BEARER, /* Authorization: Bearer KEY */
    DIALECT_BASIC,  /* Authorization: Basic, of which the password is the key */
    DIALECT_HEADER  /* the header `key_header` */
} dialect_auth;

typedef struct dialect {
    const char *name; /* "sendgrid" */
    dialect_auth auth;
    const char *key_header;
    const dialect_endpoint *endpoints; /* ended by a path of NULL */
    void (*refused)(const dialect_refusal *r, dialect_answer *out);
} dialect;

extern const dialect dialect_sendgrid, dialect_postmark, dialect_resend, dialect_mailgun;

/* All of them, ended by NULL. */
extern const dialect *const dialects[];

/* ---- ids ---- */

#define DIALECT_UUID 36

/* A message's id (26 characters of Crockford's base32) is 128 bits, which a UUID has, too: the same
 * number in the form that SDKs know; and back, which takes either form. False: it is neither. */
void dialect_uuid(const char *id, char out[DIALECT_UUID + 1]);
bool dialect_id(const char *uuid, char out[27]);

#endif
