/*
 * header - writing header fields right to the byte (RFC 5322 section 2.2, RFC 2047, RFC 2231).
 *
 * Every function appends one whole field, "Name: value" CRLF, folded at 78 columns where there is a
 * place to fold and never over 998. Text beyond ASCII becomes encoded-words (UTF-8; Q or B,
 * whichever is shorter; at most 75 characters each, never splitting a character; for mailboxes the
 * phrase rules of RFC 2047 section 5 (3)). Values must have been checked: no CR, LF or NUL comes in
 * (mime_header_check).
 *
 * Memory: only the caller's buf grows. Threads: pure.
 */
#ifndef POSTERN_MIME_HEADER_H
#define POSTERN_MIME_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "mime/address.h"

/* Why a header that the user names can't be set; NULL if it can. A static sentence. Names are
 * RFC 5322 field names of at most 76 characters; those that the composer writes itself (From, To,
 * Cc, Bcc, Reply-To, Subject, Date, Message-ID, MIME-Version, Content-*), trace fields and Resent-*
 * are refused, see the table in header.c. Values: UTF-8 without control characters but tab; ASCII
 * only where the field is structured (References, List-Unsubscribe, …); at most 998 octets of a
 * word without a place to fold. */
const char *mime_header_check_name(const char *name, size_t len);
/* Whether that can be a Message-ID (RFC 5322 section 3.6.4, without its obsolete forms and quoted
 * strings): "<left@right>", at most 250 octets, so that it fits a line. NULL: yes; else why not. */
const char *mime_header_check_message_id(const char *value, size_t len);

const char *mime_header_check_value(const char *name, const char *value, size_t len);

/* An unstructured field (Subject, X-…), or a structured ASCII one of the table, which is only
 * folded. */
void mime_header_add_text(buf *out, const char *name, const char *value, size_t len);

/* From, To, Cc, Reply-To: `count` mailboxes (at least one). */
void mime_header_add_mailboxes(buf *out, const char *name, const mime_mailbox *list, size_t count);

/* A parameter of Content-Type or Content-Disposition, appended behind a value as ";" and the folded
 * parameter. ASCII: a token or a quoted-string. Beyond ASCII, or too long for one line: RFC 2231
 * extended (continued where long); and if `fallback`, before it the same name with an encoded-word
 * in quotes, which RFC 2047 forbids and Outlook and old clients need. `column` is where the current
 * line stands and is updated. */
void mime_header_add_parameter(buf *out, const char *name, const char *value, size_t len,
                               bool fallback, size_t *column);

#endif
