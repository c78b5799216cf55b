/*
 * replies_packed - the tables of replies_known.c as pack/pack.c writes and replies_unpack.c reads
 * them: the first patterns, the last, and the registered codes.
 */
#ifndef POSTERN_SMTP_REPLIES_PACKED_H
#define POSTERN_SMTP_REPLIES_PACKED_H

#include "base/packed.h"
#include "smtp/replies.h"

static const uint16_t smtp_pattern_texts[] = {
    offsetof(smtp_pattern, enhanced),
    offsetof(smtp_pattern, words),
    offsetof(smtp_pattern, hint),
};
static const uint16_t smtp_status_texts[] = {
    offsetof(smtp_status_row, meaning),
    offsetof(smtp_status_row, hint),
};
static const packed_layout smtp_replies_layouts[] = {
    {sizeof(smtp_pattern), 3, smtp_pattern_texts},
    {sizeof(smtp_pattern), 3, smtp_pattern_texts},
    {sizeof(smtp_status_row), 2, smtp_status_texts},
};

#endif
