/*
 * message - the composer: a draft becomes the bytes of an RFC 5322 message.
 *
 * mime_compose() checks nothing that its parts have checked already (mailboxes by address.h, header
 * names and values by header.h, base64 by base64.h); it lays the parts out:
 *
 *     multipart/mixed                 only with attachments
 *       multipart/related             only with inline parts (those with a content_id)
 *         multipart/alternative       only with both text and html
 *           text/plain
 *           text/html
 *         image/png …
 *       application/pdf …
 *
 * Text bodies are normalised to CRLF lines and go out as quoted-printable or base64, whichever is
 * smaller; no line is over 76 columns and no 8-bit byte is written in a body. Boundaries hold "=_",
 * which neither encoding can produce, and so can't occur in the content.
 *
 * The message is a list of segments (literal bytes, an attachment's text to be re-wrapped, or one
 * that is stored as it will be sent), and a reader walks it: what is kept in memory is the headers
 * and encoded texts, never an attachment. The same draft gives the same bytes, every time it is
 * read.
 *
 * Pure: no clock, no random, no sockets; the draft brings date and id.
 * Memory: the draft's strings are borrowed. Headers are copied when composing; text, html and the
 * content of attachments are NOT, and must outlive the message and its readers, as must the arena,
 * if the draft brings one.
 * Threads: a message is immutable after mime_compose(), or mime_message_prepend(); any number of
 * readers, one thread each.
 */
#ifndef POSTERN_MIME_MESSAGE_H
#define POSTERN_MIME_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/arena.h"
#include "base/buf.h"
#include "mime/address.h"
#include "mime/base64.h"

typedef struct mime_bytes {
    const char *data; /* NULL: absent */
    size_t len;
} mime_bytes;

/* Base64 that is kept as the mail will have it: checked, in lines of 76 columns, each with CRLF. */
typedef struct mime_stored {
    const char *data; /* all of it; NULL: read() gives it */
    bool (*read)(void *ctx, uint64_t at, char *out, size_t len); /* false: it can't be read */
    void *ctx;
    uint64_t len;
} mime_stored;

typedef struct mime_attachment {
    mime_bytes filename; /* UTF-8; absent: the part has no name */
    mime_bytes
        content_type;      /* "type/subtype", with parameters if the user gave some; absent:
                              guessed from the file name's ending, else application/octet-stream */
    mime_bytes content_id; /* without <>; absent: none */
    bool is_inline;        /* Content-Disposition: inline, placed in multipart/related */
    mime_bytes base64;     /* checked; absent: `stored` has the content */
    mime_base64_info info; /* what the check said */
    mime_stored stored;
} mime_attachment;

typedef struct mime_header {
    mime_bytes name;
    mime_bytes value;
} mime_header;

typedef struct mime_mailboxes {
    const mime_mailbox *list;
    size_t count;
} mime_mailboxes;

typedef struct mime_draft {
    const mime_mailbox *from; /* required */
    mime_mailboxes to, cc, reply_to;
    mime_bytes subject; /* absent: no Subject field */
    mime_bytes text;    /* at least one of text and html; absent with html: made from it */
    mime_bytes html;
    const mime_attachment *attachments;
    size_t attachment_count;
    const mime_header *headers; /* the user's own, checked, in their order */
    size_t header_count;
    time_t date;           /* written in UTC, +0000 */
    const char *id;        /* token [A-Za-z0-9] of 16 to 40 characters, unique to this message: in
                              Message-ID and boundaries */
    const char *id_domain; /* Message-ID's right side; NULL: the domain of from */
    mime_bytes message_id; /* checked (header.h), with its <>; absent: made of these two */
    arena *memory;         /* of which the message is made, as far as it has room; NULL: malloc's */
} mime_draft;

typedef struct mime_message mime_message;
typedef struct mime_reader mime_reader;

/* Composes. NULL only if memory ran out (every fault of content was found before). */
mime_message *mime_compose(const mime_draft *draft);
void mime_message_free(mime_message *m);

/* Puts `len` bytes before the first: whole header fields, a signature's perhaps. Only as long as
 * nobody else has the message, and no reader has begun. False: no memory, and all is as it was. */
bool mime_message_prepend(mime_message *m, const char *data, size_t len);

/* Octets that a reader gives, known without reading: for SIZE=. */
uint64_t mime_message_size(const mime_message *m);

/* Memory that the message holds of its own: headers, short texts, the plain twin of an HTML text.
 */
size_t mime_message_memory(const mime_message *m);

/* Message-ID with its <>. */
const char *mime_message_id(const mime_message *m);

/* True if a mailbox in the header has a local part beyond ASCII: the header then holds raw UTF-8
 * (RFC 6532) and the transaction needs SMTPUTF8. */
bool mime_message_utf8(const mime_message *m);

/* True if any octet is beyond ASCII: the relay must offer 8BITMIME. */
bool mime_message_eight_bit(const mime_message *m);

/* ---- for raw.h ---- */

/* Lines of a text that is kept elsewhere, from a place in it on to its end: checked, each ended by
 * CRLF or LF. */
typedef struct mime_lines {
    mime_stored stored;
    uint64_t from;
    uint64_t size;  /* when each ends with CRLF */
    bool ends_line; /* the last is ended, or there is none */
    bool eight_bit;
} mime_lines;

/* A message of a header, whose lines end with CRLF and which ends with the empty line, and a body.
 * `id`: Message-ID with its <>. The header is copied. NULL: no memory. */
mime_message *mime_message_of(const char *id, const mime_bytes *head, const mime_lines *body);

/* The Date field. A date that the calendar doesn't have is its first. */
void mime_add_date(buf *out, time_t date);

/* ---- reading ---- */

mime_reader *mime_reader_create(const mime_message *m);
/* The same, of that arena, which outlives it. */
mime_reader *mime_reader_create_in(arena *memory, const mime_message *m);
void mime_reader_free(mime_reader *r);

#define MIME_READ_FAILED SIZE_MAX

/* Up to `cap` bytes into `out`; 0 at the end; MIME_READ_FAILED, from then on, if stored content
 * can't be read. Lines end in CRLF; no dot-stuffing (the sender's). */
size_t mime_reader_read(mime_reader *r, char *out, size_t cap);

/* Back to the first byte. */
void mime_reader_rewind(mime_reader *r);

#endif
