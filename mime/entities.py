#!/usr/bin/python3
"""Writes mime/entities.c: the named character references of the HTML standard, from Python's own copy of them.

    python3 mime/entities.py >mime/entities.c
"""

import html.entities

SLOTS = 4096  # a power of two, about twice the names: the longest probe stays short
BARE = 0x80   # valid without the semicolon, too

HEAD = '''\
/* Written by mime/entities.py: don't edit. */
#include "mime/entities.h"

#include <stdint.h>
#include <string.h>

#define SLOTS    %(slots)d
#define BARE     0x%(bare)02X
#define NAME_LEN 0x3F

/* One record after the other: the name's length and BARE, the name, the value's length, the value.
 */
/* clang-format off */
static const unsigned char records[] =
'''

TAIL = '''\
/* clang-format on */

static uint32_t hash(const char *name, size_t len)
{
    uint32_t h = 0;
    for (size_t i = 0; i < len; i++)
        h = h * %(factor)du + (unsigned char)name[i];
    return h ^ h >> 12;
}

bool mime_entity_find(const char *name, size_t len, mime_entity *entity)
{
    if (len < 2 || len > MIME_ENTITY_NAME_MAX)
        return false;
    for (uint32_t slot = hash(name, len) %% SLOTS; slots[slot]; slot = (slot + 1) %% SLOTS) {
        const unsigned char *record = records + slots[slot] - 1;
        if ((record[0] & NAME_LEN) != len || memcmp(record + 1, name, len) != 0)
            continue;
        entity->bare = (record[0] & BARE) != 0;
        entity->len = record[1 + len];
        entity->utf8 = (const char *)record + 2 + len;
        return true;
    }
    return false;
}
'''

FACTOR = 37


def hash_of(name):
    h = 0
    for c in name.encode():
        h = (h * FACTOR + c) & 0xFFFFFFFF
    return h ^ h >> 12


def literal(octets):
    """As a C string; octal escapes of three digits don't run on into what follows."""
    return '"' + "".join(chr(c) if chr(c).isalnum() and c < 128 else f"\\{c:03o}" for c in octets) + '"'


def main():
    references = html.entities.html5
    names = sorted(name[:-1] for name in references if name.endswith(";"))
    assert all(name in names for name in references if not name.endswith(";"))
    assert max(map(len, names)) <= 31 and all(name.isalnum() and len(name) > 1 for name in names)

    values = {"slots": SLOTS, "bare": BARE, "factor": FACTOR}
    print(HEAD % values, end="")
    slots, offset = [0] * SLOTS, 0
    for name in names:
        value = references[name + ";"].encode()
        bare = name in references
        assert not bare or (references[name].encode() == value and len(name) <= 6)
        record = bytes([len(name) | (BARE if bare else 0)]) + name.encode() + bytes([len(value)]) + value
        print("    " + literal(record))
        slot = hash_of(name) % SLOTS
        while slots[slot]:
            slot = (slot + 1) % SLOTS
        slots[slot] = offset + 1
        offset += len(record)
    assert offset < 0xFFFF
    print("    ;\n\n/* By the name's hash: where its record begins, plus 1; 0: none. */")
    print("static const uint16_t slots[SLOTS] = {")
    for at in range(0, SLOTS, 16):
        print("    " + ", ".join(map(str, slots[at:at + 16])) + ",")
    print("};")
    print(TAIL % values, end="")


if __name__ == "__main__":
    main()
