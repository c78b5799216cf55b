/*
 * address - mailboxes: what stands in From, To and on the envelope.
 *
 * Reads RFC 5322 section 3.4 `mailbox` ("Shop <shop@example.com>", "\"A, B\" <a@b.c>", "a@b.c";
 * with RFC 6532: UTF-8 in names and local parts) and checks an addr-spec by itself. What RFC 5321
 * forbids on the wire is refused here, so that nothing after this module meets a CR, a LF, a NUL, a
 * control character, an obsolete route, an empty domain, a local part over 64 or an address over
 * 254 octets. A domain beyond ASCII becomes A-labels (libidn2, IDNA 2008 with UTS 46 mapping);
 * address literals ([192.0.2.1], [IPv6:…]) are kept.
 *
 * Exactly one mailbox is read: a list, a group, a comment without an address are faults.
 *
 * Memory: mime_mailbox owns its strings, which are one block, or have it in an arena that is there
 * as long; mime_mailbox_clear() frees them. Threads: pure.
 */
#ifndef POSTERN_MIME_ADDRESS_H
#define POSTERN_MIME_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

typedef struct mime_mailbox {
    char *name;    /* display name as UTF-8, unquoted; NULL if there is none (never "") */
    char *address; /* addr-spec for the wire and the header: quoted where needed, domain in A-labels
                    */
    char *domain;  /* points into `address`, behind the @ */
    bool utf8;     /* the local part is beyond ASCII: the relay must offer SMTPUTF8 */
    arena *memory; /* that the strings are of; NULL: malloc's */
} mime_mailbox;

/* Reads a mailbox from `len` bytes. On a fault returns false, leaves *out empty and sets *reason to
 * a static sentence fit for the user ("the address has no @"), which does not repeat the input. */
bool mime_mailbox_parse(const char *s, size_t len, mime_mailbox *out, const char **reason);

/* The same; the strings are of that arena (NULL: malloc's). */
bool mime_mailbox_parse_in(arena *memory, const char *s, size_t len, mime_mailbox *out,
                           const char **reason);

/* Makes a mailbox of a bare addr-spec and a display name (NULL or empty: none). The name is any
 * UTF-8 without control characters; how it must be quoted is the header writer's business. */
bool mime_mailbox_make(const char *email, size_t email_len, const char *name, size_t name_len,
                       mime_mailbox *out, const char **reason);
bool mime_mailbox_make_in(arena *memory, const char *email, size_t email_len, const char *name,
                          size_t name_len, mime_mailbox *out, const char **reason);

/* Converts a domain to lower-case A-labels; NULL and *reason on a fault. The caller frees. */
char *mime_domain_ascii(const char *domain, size_t len, const char **reason);

void mime_mailbox_clear(mime_mailbox *m);

#endif
