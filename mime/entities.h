/*
 * entities - the named character references of HTML ("&eacute;"), all 2231 of the standard
 * (https://html.spec.whatwg.org/multipage/named-characters.html).
 *
 * entities.c is written by entities.py; a test compares it with Python's list.
 * Memory: static and read-only. Threads: pure.
 */
#ifndef POSTERN_MIME_ENTITIES_H
#define POSTERN_MIME_ENTITIES_H

#include <stdbool.h>
#include <stddef.h>

#define MIME_ENTITY_NAME_MAX 31
#define MIME_ENTITY_BARE_MAX 6 /* of those that need no semicolon */

typedef struct mime_entity {
    char utf8[8]; /* one or two characters */
    size_t len;   /* in bytes, 1 to 6 */
    bool bare;    /* known without the semicolon, too */
} mime_entity;

/* Finds `name` of `len` bytes, without "&" and ";"; case matters. `end`: how far can be read. False
 * if there is none. */
bool mime_entity_find(const char *name, size_t len, const char *end, mime_entity *entity);

#endif
