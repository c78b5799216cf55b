#include "mime/elements.h"

#define S  EF_SPECIAL
#define SP (EF_SPECIAL | EF_ENDS_P)
#define SV (EF_SPECIAL | EF_VOID)

const struct mime_element_row mime_elements[EL_COUNT] = {
#define X(slot, identifier, name, act, flags) {name, {EL_##identifier, ACT_##act, flags}},
    {"", {EL_UNKNOWN, ACT_NONE, 0}}, MIME_ELEMENTS(X)
#undef X
};

const uint8_t mime_element_slots[MIME_ELEMENT_SLOTS] = {
#define X(slot, identifier, name, act, flags) [slot] = EL_##identifier,
    MIME_ELEMENTS(X)
#undef X
};

mime_element mime_element_find(const char *name, size_t len, const char *end)
{
    uint64_t head = octets_lower(octets_word(name, len, end)), tail = 0, row_head, row_tail;
    const struct mime_element_row *row =
        &mime_elements[mime_element_slots[mime_element_slot(head)]];
    if (len > MIME_ELEMENT_SHORT)
        tail = octets_lower(octets_word(name + 8, len - 8, end));
    memcpy(&row_head, row->name, sizeof row_head);
    memcpy(&row_tail, row->name + 8, sizeof row_tail);
    /* A zero at the name's end is not one of those that pad the table's. */
    if (le64toh(row_head) == head && le64toh(row_tail) == tail && len < MIME_ELEMENT_NAME &&
        name[len - 1] != '\0')
        return row->element;
    uint64_t hash = (head ^ tail * 31 ^ len) * 0x9E3779B97F4A7C15;
    uint16_t id = (uint16_t)(EL_COUNT + (hash >> 48) % (UINT16_MAX - EL_COUNT));
    return (mime_element){id, ACT_NONE, 0};
}
