/*
 * retell - where in a provider's body it stands what a fault is at: from pointers into our drafts
 * to pointers into the body, and from those to the words of an answer.
 *
 * Pure. Memory: none of its own but the caller's buf.
 */
#ifndef POSTERN_DIALECT_RETELL_H
#define POSTERN_DIALECT_RETELL_H

#include <stdbool.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/faults.h"

/* A member of a draft, and the body's that it was made of; "#" is an item's number. */
typedef struct dialect_place {
    const char *ours, *theirs;
    bool whole; /* what is behind it in our pointer has no place of its own in theirs */
} dialect_place;

/* The first row that `pointer` is, or is in, says where; what no row knows stays as it is.
 * `before`: where the draft's object is ("" or "/3"). The table is ended by `ours` of NULL. */
void dialect_retell(const dialect_place *table, const char *before, const char *pointer,
                    char out[FAULTS_POINTER_MAX]);

/* What is a member of an object of ours ("/headers/X-A") and an item of a list of theirs, which has
 * that name as its member `name`: whether there is one, and which. */
bool dialect_find_named(const json_t *list, const char *name, const char *ours, const char *pointer,
                        size_t *found);

/* "/attachments/0/content" as "attachments[0].content". */
void dialect_path(buf *out, const char *pointer);

#endif
