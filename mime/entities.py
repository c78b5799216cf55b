#!/usr/bin/python3
"""Writes mime/entities.c: the named character references of the HTML standard, from Python's own copy of them.

    python3 mime/entities.py >mime/entities.c
"""

import html.entities

SLOTS = 4096  # a power of two, about twice the names: the longest probe stays short
SHIFT = 52    # of a hash of 64 bits, to have one for each slot
BARE = 0x80   # MIME_ENTITY_BARE
FACTOR = 0x9E3779B97F4A7C15

HEAD = '''\
/* Written by mime/entities.py: don't edit. */
#include "mime/entities.h"

#include <stdint.h>
#include <string.h>

#include "mime/octets.h"

#define SLOTS  %(slots)d
#define SHIFT  %(shift)d
#define FACTOR 0x%(factor)X

/* One record after the other: the name's length and BARE, the name, the value's length, the value.
 */
/* clang-format off */
static const unsigned char records[] =
'''

TAIL = '''\
/* clang-format on */

const unsigned char *mime_entity_find_short(uint64_t word, size_t len)
{
    const unsigned char *record;
    for (uint64_t slot = word * FACTOR >> SHIFT; slots[slot]; slot = (slot + 1) %% SLOTS) {
        record = records + slots[slot] - 1;
        if (record[0] == len && octets_cut(octets_eight(record + 1), len) == word)
            return record + 1 + len;
    }
    return NULL;
}

const unsigned char *mime_entity_find(const char *name, size_t len, const char *end)
{
    if (len == 0 || len > MIME_ENTITY_NAME_MAX)
        return NULL;
    uint64_t h = octets_word(name, len, end);
    if (len <= 8)
        return mime_entity_find_short(h, len);
    for (size_t at = 8; at < len; at += 8)
        h = (h ^ h >> 29) * FACTOR ^ octets_word(name + at, len - at, end);
    for (uint64_t slot = h * FACTOR >> SHIFT; slots[slot]; slot = (slot + 1) %% SLOTS) {
        const unsigned char *record = records + slots[slot] - 1;
        if (record[0] == len && memcmp(record + 1, name, len) == 0)
            return record + 1 + len;
    }
    return NULL;
}
'''

# Those that mails have most get the slot that is theirs.
FREQUENT = ("nbsp amp lt gt quot apos copy reg trade euro pound times middot bull hellip ndash mdash lsquo rsquo ldquo "
            "rdquo laquo raquo zwnj shy auml ouml uuml Auml Ouml Uuml szlig eacute egrave agrave ccedil").split()


def hash_of(name):
    words = [int.from_bytes(name[at:at + 8].encode(), "little") for at in range(0, len(name), 8)]
    h = words[0]
    for word in words[1:]:
        h = (h ^ h >> 29) * FACTOR % 2 ** 64 ^ word
    return h * FACTOR % 2 ** 64 >> SHIFT


def literal(octets):
    """As a C string; octal escapes of three digits don't run on into what follows."""
    return '"' + "".join(chr(c) if chr(c).isalnum() and c < 128 else f"\\{c:03o}" for c in octets) + '"'


def main():
    references = html.entities.html5
    names = sorted(name[:-1] for name in references if name.endswith(";"))
    assert all(name in names for name in references if not name.endswith(";"))
    assert max(map(len, names)) <= 31 and all(name.isalnum() and len(name) > 1 for name in names)

    values = {"slots": SLOTS, "shift": SHIFT, "factor": FACTOR}
    names = FREQUENT + [name for name in names if name not in FREQUENT]
    print(HEAD % values, end="")
    slots, offset = [0] * SLOTS, 0
    for name in names:
        value = references[name + ";"].encode()
        bare = name in references
        assert not bare or (references[name].encode() == value and len(name) <= 6)
        record = bytes([len(name)]) + name.encode() + bytes([len(value) | (BARE if bare else 0)]) + value
        print("    " + literal(record))
        slot = hash_of(name)
        while slots[slot]:
            slot = (slot + 1) % SLOTS
        slots[slot] = offset + 1
        offset += len(record)
    assert offset < 0xFFFF
    print("    " + literal(bytes(15)) + ";")
    print("\n/* By the name's hash: where its record begins, plus 1; 0: none. */")
    print("static const uint16_t slots[SLOTS] = {")
    for at in range(0, SLOTS, 16):
        print("    " + ", ".join(map(str, slots[at:at + 16])) + ",")
    print("};")
    print(TAIL % values, end="")


if __name__ == "__main__":
    main()
