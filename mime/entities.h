/*
 * entities - the named character references of HTML ("&eacute;"), all 2231 of the standard
 * (https://html.spec.whatwg.org/multipage/named-characters.html).
 *
 * entities.c is written by entities.py; a test compares it with Python's list.
 * Memory: static and read-only. Threads: pure.
 */
#ifndef POSTERN_MIME_ENTITIES_H
#define POSTERN_MIME_ENTITIES_H

#include <stddef.h>
#include <stdint.h>

#define MIME_ENTITY_NAME_MAX 31
#define MIME_ENTITY_BARE_MAX 6 /* of those that need no semicolon */

#define MIME_ENTITY_LEN  0x0F
#define MIME_ENTITY_BARE 0x80 /* known without the semicolon, too */
#define MIME_ENTITY_ROOM 16

/* Finds `name` of `len` bytes, without "&" and ";"; case matters. `end`: how far can be read. NULL
 * if there is none, else what it stands for, one or two characters: a byte of their length in
 * bytes, 1 to 6, and flags, and the bytes; sixteen can be read. It may lie in `room`. */
const unsigned char *mime_entity_find(const char *name, size_t len, const char *end,
                                      unsigned char room[MIME_ENTITY_ROOM]);

/* The same of those of HTML 4, and all that need no semicolon, of a name of up to 8 bytes that
 * octets_head() has read: these are found at once, while the others are looked for. */
const unsigned char *mime_entity_find_usual(uint64_t word, size_t len);

#endif
