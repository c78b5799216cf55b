/*
 * preset_table - the table of preset.h, as pack/pack.c packs and preset.c unpacks it.
 */
#ifndef POSTERN_SMTP_PRESET_TABLE_H
#define POSTERN_SMTP_PRESET_TABLE_H

#include "base/packed.h"
#include "smtp/preset.h"

/* As it is written down, its last row without a name; not in the program. */
extern const smtp_preset smtp_preset_source[];
extern const size_t smtp_preset_source_count;

static const uint16_t smtp_preset_texts[] = {
    offsetof(smtp_preset, name),   offsetof(smtp_preset, title),     offsetof(smtp_preset, host),
    offsetof(smtp_preset, user),   offsetof(smtp_preset, user_form), offsetof(smtp_preset, auth),
    offsetof(smtp_preset, region), offsetof(smtp_preset, hint),
};
static const packed_layout smtp_preset_layout = {
    sizeof(smtp_preset), sizeof smtp_preset_texts / sizeof *smtp_preset_texts, smtp_preset_texts};

#endif
