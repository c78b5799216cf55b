/*
 * field - what DKIM reads of texts: the header's fields, and lists of tags (RFC 6376 section 3.2)
 * in signatures and key records.
 *
 * Memory: all is borrowed from the text that was read. Threads: pure.
 */
#ifndef POSTERN_DKIM_FIELD_H
#define POSTERN_DKIM_FIELD_H

#include <stdbool.h>
#include <stddef.h>

typedef struct dkim_text {
    const char *data; /* NULL: absent */
    size_t len;
} dkim_text;

typedef struct dkim_field {
    const char *data; /* from its name to the CRLF at its end, folding and all */
    size_t len;
    size_t name; /* length of its name, blanks before the colon taken off */
} dkim_field;

/* The fields of a header, CRLF lines without the empty one at its end; *count of them. The caller
 * frees the array; NULL: no memory. A line without a colon is a field with a name of 0. */
dkim_field *dkim_fields_read(const char *header, size_t len, size_t *count);

/* True if it has this name, in any case. */
bool dkim_field_is(const dkim_field *f, const char *name, size_t len);

/* Whether the text is that word, in any case. */
bool dkim_text_is(dkim_text t, const char *word);

#define DKIM_TAGS 32

typedef struct dkim_tags {
    struct {
        dkim_text name, value;
    } list[DKIM_TAGS];
    size_t count;
} dkim_tags;

/* Reads "a=b; c=d"; blanks and folding around names and values are taken off. False: it isn't a
 * list of tags, a tag is there twice, or there are more than DKIM_TAGS. */
bool dkim_tags_read(const char *s, size_t len, dkim_tags *out);

/* A tag's value, to the letter of its name; absent: data NULL. */
dkim_text dkim_tags_get(const dkim_tags *t, const char *name);

/* The next part of a list parted by `separator`, blanks around it taken off; false at the end. *at
 * is the whole at first. */
bool dkim_text_next(dkim_text *at, char separator, dkim_text *part);

/* An unsigned decimal number of at most 18 digits. */
bool dkim_text_number(dkim_text t, long long *out);

#endif
