/*
 * reader - what dialects share to read a body: tables of members, texts, addresses.
 *
 * A row of a table says what becomes of one member of an object: it stands under another name in
 * the draft, a function reads it, it has no effect (and why nothing is lost), or Postern can't do
 * what it asks (and what is said then). What isn't in the table is a fault. The tables are what the
 * documentation lists (docs/dialects.md), which a test holds to them.
 */
#ifndef POSTERN_DIALECT_READER_H
#define POSTERN_DIALECT_READER_H

#include "base/buf.h"
#include "dialect/dialect.h"

/* What a draft has at most: who reads it refuses more, and says so too late for what a dialect does
 * with each, of each of a thousand drafts. */
#define DIALECT_HEADERS     200
#define DIALECT_METADATA    32
#define DIALECT_ATTACHMENTS 1000

typedef struct dialect_reader {
    const dialect_body *body;
    json_t *message; /* the draft at hand */
    faults *errors;
    bool nomem;
    void *ctx; /* the dialect's own */
} dialect_reader;

typedef enum dialect_use {
    DIALECT_COPY,   /* the value as it is, as `to`; null is left out */
    DIALECT_READ,   /* `read` is called, unless it is null */
    DIALECT_IGNORE, /* `note` says why that is right */
    DIALECT_REFUSE, /* a fault "unsupported" with `note`, unless it is null or false, or `read` says
                       that it asks for nothing */
    DIALECT_ELSEWHERE /* somebody else reads it */
} dialect_use;

typedef struct dialect_member {
    const char *name;
    dialect_use use;
    const char *to;
    bool (*read)(dialect_reader *r, const char *pointer, const json_t *value);
    const char *note;
} dialect_member;

/* Goes through an object's members; `table` is ended by a name of NULL. What is no object is a
 * fault. */
void dialect_read_members(dialect_reader *r, const dialect_member *table, const char *pointer,
                          const json_t *value);

/* Sets a member of the draft; takes over the value (NULL: no memory, which is noted). */
void dialect_set(dialect_reader *r, const char *name, json_t *value);
/* The same with one more reference to a value of the body. */
void dialect_share(dialect_reader *r, const char *name, const json_t *value);

/* The empty string: some clients write it where there is nothing. */
bool dialect_is_empty(const json_t *value);
/* dialect_share(), but for that; true. */
bool dialect_share_unless_empty(dialect_reader *r, const char *name, const json_t *value);

/* A copy of an object, with the same values; NULL: no memory (where json_copy() may give one that
 * lacks some). */
json_t *dialect_copy(const json_t *object);

/* Sets `attachments` of the draft to what `read` makes of each item of an array, which fills
 * r->message, an empty object then. What is no array, or has too many, is a fault. */
void dialect_read_attachments(dialect_reader *r, const char *pointer, const json_t *value,
                              void (*read)(dialect_reader *r, const char *pointer,
                                           const json_t *item));
/* A value as JSON. json_dumps() would give it in memory of the current arena, which free() doesn't
 * know. Running out of memory is the buf's. */
void dialect_dump(const json_t *value, buf *out);

/* A string's text, wherever it stands; false, and a fault, for anything else and for one that holds
 * NUL. */
bool dialect_text(dialect_reader *r, const char *pointer, const json_t *value, mime_bytes *out);

void dialect_wrong_type(dialect_reader *r, const char *pointer, const char *expected,
                        const json_t *value);

/* A mailbox as a string of a draft. Providers read encoded-words in names (RFC 2047), which a draft
 * has as they are written: they are decoded. It is not checked. NULL: no memory. */
json_t *dialect_mailbox(const char *s, size_t len);
/* The same of a string of the body, which mostly stays as it is: a new reference. What is no text
 * is told by who reads the draft. */
json_t *dialect_mailbox_of(dialect_reader *r, const json_t *value);

/* Adds the mailboxes of "A <a@example.com>, \"B, C\" <b@example.com>" (RFC 5322 section 3.4, no
 * groups), each as a string, to `list`, an array. They are not checked: what is between commas
 * outside of quotes, comments and brackets. Nothing between two commas is left out. False: no
 * memory. */
bool dialect_split_mailboxes(const mime_bytes *text, json_t *list);

#endif
