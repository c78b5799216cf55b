/*
 * request_own - what the files of request share: request.c (the table of members, what must fit
 * together, the envelope and the message), request_read.c (what readers share, texts and headers),
 * request_address.c, request_attachment.c, request_delivery.c, request_lint.c, request_list.c,
 * request_template.c, request_batch.c. Nobody else includes it.
 *
 * A reader reads one member's value, which is not null, into the parts; what is wrong with it
 * becomes a fault at `pointer`, and lack of memory is `nomem`.
 */
#ifndef POSTERN_SERVICE_REQUEST_OWN_H
#define POSTERN_SERVICE_REQUEST_OWN_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <jansson.h>

#include "mime/address.h"
#include "mime/message.h"
#include "mime/raw.h"
#include "service/config.h"
#include "service/document.h"
#include "service/problem.h"
#include "service/request.h"
#include "service/templates.h"

#define REQUEST_LIST_HEADERS 3

typedef struct request_mailboxes {
    mime_mailbox *list;
    size_t count;
} request_mailboxes;

struct request_parts {
    mime_mailbox from;
    request_mailboxes to, cc, bcc, reply_to;
    mime_mailbox envelope_from;
    bool null_envelope_from; /* "" was given */
    mime_bytes subject, html, text;
    mime_attachment *attachments;
    size_t attachment_count;
    mime_header *headers; /* with room for those of a list */
    size_t header_count;
    mime_bytes message_id;     /* a dialect's header; absent: ours is made */
    char *list_headers;        /* owned: their values */
    const char *template;      /* its name; NULL: none, or a faulty one */
    const json_t *data;        /* for it; NULL: none */
    bool subject_given;        /* which wins over the template's */
    templates_result rendered; /* what it became, which subject, html and text point into */
    const json_t *entries;     /* of a batch: an array; NULL: none, or a faulty one */
    bool whole;                /* the message came whole: */
    mime_stored whole_base64;  /* … as base64, which its source reads */
    mime_raw raw;
};

/* What the readers of members share. */
typedef struct request_reader {
    const config *config;
    const templates *templates;
    request *request;
    struct request_parts *parts;
    faults *errors;
    time_t now;
    bool queued;    /* for the queue */
    bool drafted;   /* by a dialect: what only a queue keeps may be there where there is none */
    bool at_once;   /* such a one: the relay is waited for */
    bool late;      /* what takes long to sign is left to be signed */
    bool lint;      /* it is asked for */
    bool only_lint; /* … and nothing else */
    bool nomem;
} request_reader;

/* ---- request.c ---- */

/* What a request may be, and a member's place in it. */
typedef enum request_kind {
    REQUEST_SENT = 1, /* at once */
    REQUEST_QUEUED = 2,
    REQUEST_BATCH = 4,   /* queued, too */
    REQUEST_LINTED = 8,  /* only looked at */
    REQUEST_DRAFTED = 16 /* a dialect's: queued, with the other, or at once, and its author knows of
                            no difference */
} request_kind;

/* `kinds`: of request_kind. */
void request_read_members(request_reader *r, const json_t *root, int kinds);
/* What every kind must have. True: there is a template to be rendered. */
bool request_check_shared(request_reader *r, const json_t *root);
/* POSTERN_FROM. */
bool request_sender_allowed(request_reader *r);
/* Envelope and message, of parts without a fault. False: no memory. */
bool request_compose(request_reader *r);
/* What a request is before it is read. */
void request_begin(request *q, document *d, const config *cfg);

/* ---- the others ---- */

void request_wrong_type(request_reader *r, const char *pointer, const char *expected,
                        const json_t *value);

/* A string, wherever the document keeps it; false, and a fault, for anything else, and for one that
 * holds NUL. */
bool request_find_string(request_reader *r, const char *pointer, const json_t *value,
                         document_string *out);
bool request_string(request_reader *r, const char *pointer, const json_t *value, mime_bytes *out);

/* An array's or single value's number of items. */
size_t request_item_count(const json_t *value);

/* Where the document has a member of its own that is not null. */
bool request_is_given(const json_t *root, const char *name);

/* Where a template or data are given: checks what goes with them. True: there is one to be
 * rendered. */
bool request_check_template(request_reader *r, const json_t *root);
/* Renders it into the parts. Faults are told at these: of what it makes, and of the data. */
void request_render_as(request_reader *r, const char *pointer, const char *data_pointer);

/* `memory`: the request's. */
void request_mailboxes_free(const arena *memory, request_mailboxes *m);

/* Of a mail that is sent to a list: checks what must be with it, and how to leave it, which a
 * template may show. */
void request_check_list(request_reader *r);
void request_check_list_headers(request_reader *r);
/* What a template is given: `data` (NULL: none), and in its member "postern" what we know. A new
 * reference; NULL: no memory. */
json_t *request_list_data(const request *q, const json_t *data);
/* The list's headers, to the others. False: no memory. */
bool request_add_list_headers(request_reader *r);

/* One for each member of the table. */
void request_read_from(request_reader *r, const char *pointer, const json_t *value);
void request_read_to(request_reader *r, const char *pointer, const json_t *value);
void request_read_cc(request_reader *r, const char *pointer, const json_t *value);
void request_read_bcc(request_reader *r, const char *pointer, const json_t *value);
void request_read_reply_to(request_reader *r, const char *pointer, const json_t *value);
void request_read_envelope_from(request_reader *r, const char *pointer, const json_t *value);
void request_read_subject(request_reader *r, const char *pointer, const json_t *value);
void request_read_html(request_reader *r, const char *pointer, const json_t *value);
void request_read_text(request_reader *r, const char *pointer, const json_t *value);
void request_read_headers(request_reader *r, const char *pointer, const json_t *value);
void request_read_attachments(request_reader *r, const char *pointer, const json_t *value);
void request_read_list(request_reader *r, const char *pointer, const json_t *value);
void request_read_relay(request_reader *r, const char *pointer, const json_t *value);
void request_read_transcript(request_reader *r, const char *pointer, const json_t *value);
void request_read_send_at(request_reader *r, const char *pointer, const json_t *value);
void request_read_expires_in(request_reader *r, const char *pointer, const json_t *value);
void request_read_priority(request_reader *r, const char *pointer, const json_t *value);
void request_read_tags(request_reader *r, const char *pointer, const json_t *value);
void request_read_metadata(request_reader *r, const char *pointer, const json_t *value);
void request_read_template(request_reader *r, const char *pointer, const json_t *value);
void request_read_mime(request_reader *r, const char *pointer, const json_t *value);
void request_read_recipients(request_reader *r, const char *pointer, const json_t *value);
void request_read_data(request_reader *r, const char *pointer, const json_t *value);

void request_read_lint(request_reader *r, const char *pointer, const json_t *value);

/* Looks at what was read, and adds faults where that is enforced (request_lint.c). */
request_result request_lint(request_reader *r);

/* What is wrong with a subject; NULL: nothing. */
const char *request_subject_fault(const mime_bytes *text);

#endif
