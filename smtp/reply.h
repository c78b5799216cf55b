/*
 * reply - SMTP replies (RFC 5321 section 4.2) and their enhanced codes (RFC 3463, RFC 2034).
 *
 * A parser takes bytes as they come from the relay and gives whole replies: the code, the enhanced
 * code if every line has the same one, and the text, lines joined with "\n", code and enhanced code
 * taken off each. The text is made fit for JSON and logs: valid UTF-8 (other bytes become U+FFFD),
 * no control characters.
 *
 * Bounds: a line may have 8,192 octets (RFC 5321 allows 512; longer ones are met), a reply 64 KiB
 * or 512 lines. Lines may end in LF alone. Beyond that, a line that doesn't start with three digits
 * and space, hyphen or end of line, or a code that changes within a reply: SMTP_REPLY_BAD, for
 * good.
 *
 * Memory: the parser owns its buffers, and the texts of the replies it gives; other replies' texts
 * belong to whoever holds the smtp_reply, unless they were lent.
 * Threads: none of its own.
 */
#ifndef POSTERN_SMTP_REPLY_H
#define POSTERN_SMTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define SMTP_REPLY_LINE_MAX 8192
#define SMTP_REPLY_MAX      65536
#define SMTP_REPLY_LINES    512

typedef struct smtp_reply {
    int code;          /* 200 to 599; 0: there was no reply */
    char enhanced[12]; /* "5.7.8"; "" if the relay gave none */
    char *text;        /* UTF-8, lines joined with "\n"; NULL only with code 0 */
    bool lent;         /* the text is another's: the parser's, or of a result as a whole */
} smtp_reply;

/* Frees the text, if it wasn't lent, and empties it. */
void smtp_reply_clear(smtp_reply *r);

/* A deep copy, whose text is its own; false if memory ran out (*to is then empty). */
bool smtp_reply_copy(smtp_reply *to, const smtp_reply *from);

typedef enum smtp_reply_status {
    SMTP_REPLY_MORE, /* not yet whole: feed more */
    SMTP_REPLY_DONE, /* *out is filled */
    SMTP_REPLY_BAD,  /* not SMTP, or over the bounds; *out is empty */
    SMTP_REPLY_NOMEM
} smtp_reply_status;

typedef struct smtp_reply_parser smtp_reply_parser;

smtp_reply_parser *smtp_reply_parser_create(void);
void smtp_reply_parser_free(smtp_reply_parser *p);

/* Takes bytes; what is behind a whole reply stays for the next smtp_reply_next(). False: no memory.
 */
bool smtp_reply_feed(smtp_reply_parser *p, const char *data, size_t len);

/* The next whole reply, if there is one. Its text is lent until the next is asked for, or the
 * parser reset or freed. */
smtp_reply_status smtp_reply_next(smtp_reply_parser *p, smtp_reply *out);

/* True if bytes are left that belong to no reply given so far. */
bool smtp_reply_pending(const smtp_reply_parser *p);

/* Forgets all, for a new session. */
void smtp_reply_reset(smtp_reply_parser *p);

#endif
