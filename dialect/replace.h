/*
 * replace - literal replacement of many tags at once: what stands between a tag of a text and its
 * value is nothing but one pass, so that a value never becomes a tag by what it says.
 *
 * There are two kinds. A value (of a substitution) is put in as it is, but for sections' tags; a
 * section is a piece of text that may have values' tags. Of several tags that begin at one place
 * the longest is meant.
 *
 * Bounded by a budget that all texts of one request share. Pure. Memory: tags and values are
 * borrowed. Threads: any, one at a time for a budget.
 */
#ifndef POSTERN_DIALECT_REPLACE_H
#define POSTERN_DIALECT_REPLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "mime/message.h"

typedef enum replace_kind { REPLACE_VALUE = 1, REPLACE_SECTION = 2 } replace_kind;

typedef struct replace_tag {
    mime_bytes tag, value; /* the tag is not empty */
    replace_kind kind;
} replace_tag;

typedef struct replace_budget {
    size_t octets;  /* that may still be made */
    uint64_t steps; /* comparisons that may still be needed */
} replace_budget;

/* Puts the tags in the order in which replace_text() needs them. */
void replace_sort(replace_tag *tags, size_t count);

typedef enum replace_result {
    REPLACE_SAME,  /* there is no tag in the text, and nothing was added */
    REPLACE_MADE,  /* the text, replaced, was added */
    REPLACE_BOUND, /* the budget is used up */
} replace_result;

/* `tags` in order. Running out of memory is the buf's. */
replace_result replace_text(const replace_tag *tags, size_t count, const mime_bytes *text,
                            replace_budget *budget, buf *out);

#endif
