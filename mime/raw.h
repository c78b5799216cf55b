/*
 * raw - a message that comes whole, made by somebody else, becomes one that can be sent.
 *
 * All but this stays as it came, byte for byte: a line that ends in LF alone ends in CRLF; Bcc,
 * Resent-Bcc (RFC 5322 section 3.6.3) and Return-Path (RFC 5321 section 4.4) are taken out; a Date
 * and a Message-ID are put before the first field if there is none. Trace fields stay, by which
 * servers know a message that goes round.
 *
 * What can't be sent is refused: a CR that no LF follows, NUL, a line of more than 998 octets, a
 * header that isn't fields, of more than 256 KiB, or in another charset than UTF-8, and one without
 * From, with several, or with several mailboxes in it.
 *
 * What is 8-bit stays so: mime_message_utf8() tells it of the header, mime_message_eight_bit() of
 * either.
 *
 * Pure: no clock, no random. The source is read once when it is looked at and then by the message's
 * readers, which it must outlive. Threads: as a message's.
 */
#ifndef POSTERN_MIME_RAW_H
#define POSTERN_MIME_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "mime/message.h"

#define RAW_HEAD  ((size_t)256 * 1024) /* octets of a header */
#define RAW_LINE  998                  /* RFC 5322 section 2.1.1 */
#define RAW_ID    998                  /* octets of a Message-ID */
#define RAW_FAULT 256

/* What was found; all zeros before. */
typedef struct mime_raw {
    mime_stored source;
    char *head; /* owned: the fields, as they will be sent, without the empty line */
    size_t head_len;
    mime_mailbox from; /* owned */
    char *id;          /* owned: of Message-ID, with its <>; NULL: there is none */
    bool dated;
    mime_lines body;
} mime_raw;

/* Looks at a message. False: `fault` is a sentence without its full stop ("line 3 …"), or "" where
 * there is no memory or the source can't be read. mime_raw_clear() follows in any case. */
bool mime_raw_read(const mime_stored *source, mime_raw *out, char fault[RAW_FAULT]);
void mime_raw_clear(mime_raw *raw);

/* The message: what is missing of Date and Message-ID is `date` and id@ the domain of From. NULL:
 * no memory. */
mime_message *mime_raw_message(const mime_raw *raw, time_t date, const char *id);

/* A source that gives the octets which checked base64 stands for, in lines as mime_stored has it.
 * `wrapped` is borrowed, and its `len` is the octets'. */
mime_stored mime_raw_octets(const mime_stored *wrapped, uint64_t octets);

#endif
