#include "mime/elements.h"

#define S  EF_SPECIAL
#define SP (EF_SPECIAL | EF_ENDS_P)
#define SV (EF_SPECIAL | EF_VOID)

#define ODD_FLAGS       (EF_VOID | EF_IGNORED | EF_NEWLINE)
#define ODD(act, flags) ((flags)&ODD_FLAGS || (act) >= ACT_SKIP ? EF_ODD : 0)
#define HOLDS(act, flags)                                                                          \
    ((act) == ACT_ROW ? EF_HOLDS_CELLS | EF_ROW                                                    \
                      : ((flags) & (EF_TABLE | EF_BODY) ? EF_HOLDS_ROWS : 0) |                     \
                            ((act) == ACT_CELL ? EF_CELL : 0))

/* The length that mime_element_is_at() goes by. A name without one is nowhere: what would be its
 * first eight characters, or zeros behind fewer, is not followed by them once more. */
#define LEN(name, flags)                                                                           \
    (sizeof(name) - 1 > MIME_ELEMENT_SHORT || (flags) & (EF_RAW | EF_RCDATA) ? 0 : sizeof(name) - 1)
/* Names are letters, which differ from their capitals in one bit; but a heading's second is a
 * digit. */
#define LETTERS(flags)    ((flags)&EF_HEADING ? 0xFFDF : 0xDFDFDFDFDFDFDFDF)
#define MASK(name, flags) (LETTERS(flags) & UINT64_MAX >> (64 - 8 * LEN(name, flags)) % 64)

const mime_element_row mime_elements[EL_COUNT] = {
#define X(slot, identifier, name, act, flags)                                                      \
    {name,                                                                                         \
     MASK(name, flags),                                                                            \
     {EL_##identifier, ACT_##act, LEN(name, flags),                                                \
      (flags) | ODD(ACT_##act, flags) | HOLDS(ACT_##act, flags) | EF_ANY}},
    {"", UINT64_MAX, {EL_UNKNOWN, ACT_NONE, 0, EF_ANY}}, MIME_ELEMENTS(X)
#undef X
};

const uint8_t mime_element_slots[MIME_ELEMENT_SLOTS] = {
#define X(slot, identifier, name, act, flags) [slot] = EL_##identifier,
    MIME_ELEMENTS(X)
#undef X
};

mime_element mime_element_find(const char *name, size_t len, const char *end)
{
    uint64_t head = octets_lower(octets_word(name, len, end)), tail = 0;
    const mime_element_row *row = &mime_elements[mime_element_slots[mime_element_slot(head)]];
    if (len > MIME_ELEMENT_SHORT)
        tail = octets_lower(octets_word(name + 8, len - 8, end));
    /* A zero at the name's end is not one of those that pad the table's. */
    if (octets_eight(row->name) == head && octets_eight(row->name + 8) == tail &&
        len < MIME_ELEMENT_NAME && name[len - 1] != '\0')
        return row->element;
    uint64_t hash = (head ^ tail * 31 ^ len) * 0x9E3779B97F4A7C15;
    uint16_t id = (uint16_t)(EL_COUNT + (hash >> 48) % (UINT16_MAX - EL_COUNT));
    return (mime_element){id, ACT_NONE, 0, EF_ANY};
}
