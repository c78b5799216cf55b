/*
 * arena - memory for one document's tree in one block, given back with it.
 *
 * jansson makes some dozens of small allocations for a small request, and its allocation functions
 * are the whole process's. So those set here look at the arena that the calling thread has made
 * current: arena_use(a), then calls that touch one document's tree only, then arena_use(NULL). What
 * doesn't fit the block, and all that is allocated while no arena is current, is malloc's; a
 * pointer out of the block is told from one of malloc's by its address.
 *
 * jansson's lexer goes on where it has no memory for a token's next byte: the byte is left out, and
 * an address has become another one. So a failed allocation is remembered: no tree is trusted, and
 * no fault told, of a text during whose parsing one of them failed.
 *
 * Threads: an arena belongs to one at a time.
 */
#ifndef POSTERN_SERVICE_ARENA_H
#define POSTERN_SERVICE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#define ARENA_BYTES 2048

typedef struct arena {
    size_t used;
    bool spilled; /* some of it is malloc's: it must be freed piece by piece */
    bool failed;  /* there was no memory */
    _Alignas(max_align_t) char block[ARENA_BYTES];
} arena;

/* Empties it, without clearing the block. */
void arena_init(arena *a);

/* Makes it the thread's current one; NULL: none is. */
void arena_use(arena *a);

#endif
