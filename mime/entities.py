#!/usr/bin/python3
"""Writes mime/entities.c: the named character references of the HTML standard, from Python's own copy of them.

    python3 mime/entities.py >mime/entities.c
"""

import html.entities

SLOTS = 512   # a power of two, about twice the usual names: the longest probe stays short
SHIFT = 55    # of a hash of 64 bits, to have one for each slot
BARE = 0x80   # MIME_ENTITY_BARE
FACTOR = 0x9E3779B97F4A7C15
BLOCK = 16    # rare names that are gone through to find one
TWO = 0x20    # a rare one stands for two characters
BEYOND = 0x40 # a rare one's character is beyond U+FFFF, by that much
LAST = 0x80   # the last letter of a name

HEAD = """\
/* Written by mime/entities.py: don't edit. */
#include "mime/entities.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/utf8.h"
#include "mime/octets.h"

#define SLOTS  %(slots)d
#define SHIFT  %(shift)d
#define FACTOR 0x%(factor)X
#define BLOCK  %(block)d
#define BLOCKS %(blocks)d

/* In a rare one's record. */
#define SHARED 0x1F
#define TWO    0x%(two)X
#define BEYOND 0x%(beyond)X
#define LAST   0x%(last)X
"""

TAIL = """\
/* clang-format on */

const unsigned char *mime_entity_find_usual(uint64_t word, size_t len)
{
    const unsigned char *record;
    for (uint64_t slot = word * FACTOR >> SHIFT; slots[slot]; slot = (slot + 1) % SLOTS) {
        record = usual + slots[slot] - 1;
        if (record[0] == len && octets_cut(octets_eight(record + 1), len) == word)
            return record + 1 + len;
    }
    return NULL;
}

/* ---- the rare ones ---- */

/* How many letters of the name, from the `from`th on, come in the record at *at, which is moved
 * behind what is alike; *whole: that is all that the record has. */
static size_t alike(const unsigned char **at, const char *name, size_t from, size_t len,
                    bool *whole)
{
    *whole = false;
    for (; from < len && !*whole && (**at & ~LAST) == (unsigned char)name[from]; from++)
        *whole = *(*at)++ & LAST;
    return from;
}

static bool comes_behind(const unsigned char *record, const char *name, size_t len)
{
    bool whole;
    size_t n = alike(&(const unsigned char *){record + 1}, name, 0, len, &whole);
    return !whole && (n == len || (record[1 + n] & ~LAST) > (unsigned char)name[n]);
}

/* The block whose first name is the last that doesn't come behind it. */
static const unsigned char *block_of(const char *name, size_t len)
{
    size_t low = 0, high = BLOCKS;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (comes_behind(rare + blocks[middle], name, len))
            high = middle;
        else
            low = middle;
    }
    return rare + blocks[low];
}

static const unsigned char *put_value(const unsigned char *at, unsigned flags,
                                      unsigned char out[MIME_ENTITY_ROOM])
{
    out[0] = 0;
    for (size_t i = 0; i < (flags & TWO ? 4 : 2); i += 2) {
        uint32_t c = (uint32_t)at[i] << 8 | at[i + 1] | (flags & BEYOND ? 0x10000 : 0);
        out[0] = (unsigned char)(out[0] + utf8_encode(c, (char *)out + 1 + out[0]));
    }
    return out;
}

/* While names share more with the one before than that has with ours, they are no more like it. */
static const unsigned char *find_rare(const char *name, size_t len,
                                      unsigned char room[MIME_ENTITY_ROOM])
{
    const unsigned char *at = block_of(name, len);
    size_t had = 0;
    for (int i = 0; i < BLOCK && at < rare + sizeof rare - 1; i++) {
        unsigned flags = *at++, shared = flags & SHARED;
        bool whole = false;
        if (shared < had)
            return NULL;
        if (shared == had)
            had = alike(&at, name, had, len, &whole);
        if (whole && had == len)
            return put_value(at, flags, room);
        while (!whole)
            whole = *at++ & LAST;
        at += flags & TWO ? 4 : 2;
    }
    return NULL;
}

const unsigned char *mime_entity_find(const char *name, size_t len, const char *end,
                                      unsigned char room[MIME_ENTITY_ROOM])
{
    if (len == 0 || len > MIME_ENTITY_NAME_MAX)
        return NULL;
    const unsigned char *found =
        len <= 8 ? mime_entity_find_usual(octets_word(name, len, end), len) : NULL;
    return found ? found : find_rare(name, len, room);
}
"""

# Those that mails have most get the slot that is theirs.
FREQUENT = ("nbsp amp lt gt quot apos copy reg trade euro pound times middot bull hellip ndash mdash lsquo rsquo ldquo "
            "rdquo laquo raquo zwnj shy auml ouml uuml Auml Ouml Uuml szlig eacute egrave agrave ccedil").split()


def hash_of(name):
    return int.from_bytes(name.encode(), "little") * FACTOR % 2 ** 64 >> SHIFT


def literal(octets):
    """As a C string; octal escapes of three digits don't run on into what follows."""
    return '"' + "".join(chr(c) if chr(c).isalnum() and c < 128 else f"\\{c:03o}" for c in octets) + '"'


def numbers(all_of_them):
    for at in range(0, len(all_of_them), 16):
        print("    " + ", ".join(map(str, all_of_them[at:at + 16])) + ",")
    print("};")


def print_usual(names, references):
    """By hash; those that mails have most get the slot that is theirs."""
    print("\n/* One record after the other: the name's length, the name, the value's length and BARE, the value.\n */")
    print("/* clang-format off */\nstatic const unsigned char usual[] =")
    slots, offset = [0] * SLOTS, 0
    for name in names:
        value = references[name + ";"].encode()
        record = bytes([len(name)]) + name.encode() + bytes([len(value) | (BARE if name in references else 0)]) + value
        print("    " + literal(record))
        slot = hash_of(name)
        while slots[slot]:
            slot = (slot + 1) % SLOTS
        slots[slot] = offset + 1
        offset += len(record)
    print("    " + literal(bytes(15)) + ";")
    print("\n/* By the name's hash: where its record begins, plus 1; 0: none. */")
    print("static const uint16_t slots[SLOTS] = {")
    numbers(slots)


def print_rare(names, references):
    """In order, each without what it shares with the one before."""
    print("\n/* One record after the other, in the order of names: how many letters it shares with the one before,"
          "\n * TWO and BEYOND; the letters behind, with LAST; one or two characters in two bytes each."
          "\n * The first of a block shares none. */")
    print("static const unsigned char rare[] =")
    blocks, offset, before = [], 0, ""
    for number, name in enumerate(names):
        shared = 0
        if number % BLOCK == 0:
            blocks.append(offset)
        else:
            while name[:shared + 1] == before[:shared + 1]:
                shared += 1
        value = references[name + ";"]
        beyond = BEYOND if max(value) > "\uffff" else 0
        assert not beyond or len(value) == 1 and value < "\U00020000"
        record = bytes([shared | (TWO if len(value) == 2 else 0) | beyond]) + name[shared:-1].encode()
        record += bytes([ord(name[-1]) | LAST])
        record += b"".join((ord(char) & 0xFFFF).to_bytes(2, "big") for char in value)
        print("    " + literal(record))
        offset += len(record)
        before = name
    assert offset <= 0xFFFF
    print("    ;\n\n/* Where each block begins. */\nstatic const uint16_t blocks[BLOCKS] = {")
    numbers(blocks)


def main():
    references = html.entities.html5
    names = sorted(name[:-1] for name in references if name.endswith(";"))
    bare = [name for name in references if not name.endswith(";")]
    assert all(references[name] == references[name + ";"] and len(name) <= 6 for name in bare)
    assert max(map(len, names)) <= 31 and all(name.isalnum() and len(name) > 1 for name in names)
    assert all(len(references[name + ";"]) <= 2 for name in names)

    rest = sorted({"apos", *bare, *html.entities.name2codepoint} - set(FREQUENT))
    usual = FREQUENT + rest
    assert max(map(len, usual)) <= 8
    rare = [name for name in names if name not in usual]
    print(HEAD % {"slots": SLOTS, "shift": SHIFT, "factor": FACTOR, "block": BLOCK, "two": TWO, "beyond": BEYOND,
                  "last": LAST, "blocks": (len(rare) + BLOCK - 1) // BLOCK}, end="")
    print_usual(usual, references)
    print_rare(rare, references)
    print(TAIL, end="")


if __name__ == "__main__":
    main()
