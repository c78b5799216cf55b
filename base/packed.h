/*
 * packed - what stands in the program packed by gzip: few ask for it, and it takes a fifth of the
 * room so.
 *
 * Files (service/openapi.S, builtin.S), and tables of C: pack/pack.c, which the build runs, writes
 * their rows as they are in memory, with offsets in place of the texts that they point to. So a
 * table is unpacked by one pass over these, and costs nothing before: neither relocations nor
 * pages of memory.
 */
#ifndef POSTERN_BASE_PACKED_H
#define POSTERN_BASE_PACKED_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Adds what was packed. Without memory the buf says so. */
void packed_write(const char *begin, const char *end, buf *out);

/* ---- tables ---- */

/* A row: its size, and where in it there are pointers to texts; it has no others. */
typedef struct packed_layout {
    uint16_t size;
    uint16_t text_count;
    const uint16_t *texts;
} packed_layout;

/* Rows that are nothing but one text each. */
#define PACKED_TEXTS                                                                               \
    {                                                                                              \
        sizeof(char *), 1, (const uint16_t[])                                                      \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

/* What stands in place of a pointer: 0 for NULL; where the text begins, from the first row on; or
 * that it is the next, which most are: what is alike packs best. */
#define PACKED_NEXT 1

/* As it is packed, ahead of its rows; behind these are the texts. */
typedef struct packed_head {
    uint64_t count; /* of rows */
    uint64_t size;  /* of rows and texts, a multiple of 8 */
} packed_head;

typedef struct packed_table {
    void *rows;
    size_t count;
} packed_table;

/* One or several tables that are packed as one. `have` begins as NULL. */
typedef struct packed_kept {
    const char *begin, *end;
    const packed_layout *layouts;
    size_t count; /* of tables */
    _Atomic(packed_table *) have;
} packed_kept;

/* All of them, unpacked for the first who asks and kept until the process ends; NULL: no memory.
 * Threads: any; whoever comes second finds what the first has put. */
const packed_table *packed_get(packed_kept *k);

#endif
