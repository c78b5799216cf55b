/*
 * arena - memory for one document's tree, and what else goes with it, in one block, given back with
 * it.
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
 * Memory: the block is its owner's, and outlives the tree. Threads: an arena belongs to one at a
 * time.
 */
#ifndef POSTERN_BASE_ARENA_H
#define POSTERN_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct arena {
    char *block; /* the owner's, aligned as malloc's are */
    size_t size, used;
    bool spilled; /* some of it is malloc's: it must be freed piece by piece */
    bool failed;  /* there was no memory */
} arena;

#define ARENA_ALIGN _Alignof(max_align_t)

/* AddressSanitizer sees malloc's bounds, and what was freed, but nothing within a block or of one
 * that is kept: under it all is malloc's but the tree. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_NONE
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ARENA_NONE
#endif

/* Empties it, without clearing the block. `size` is a multiple of ARENA_ALIGN; 0: all of it is
 * malloc's. */
void arena_init(arena *a, char *block, size_t size);

/* Makes it the thread's current one; NULL: none is. */
void arena_use(arena *a);

/* ---- what isn't the tree's: an arena need not be the current one; `size` is not 0 ---- */

/* `size` bytes of the block, of which nobody gives back single ones; NULL: there are not so many
 * left. */
void *arena_take(arena *a, size_t size);

/* The same, or malloc's where there are not so many left, or no arena (NULL). NULL: no memory,
 * which only the caller knows then. arena_free() follows while the block is there. */
void *arena_alloc(arena *a, size_t size);

static inline void arena_free(const arena *a, void *p)
{
    if (!a || (uintptr_t)p - (uintptr_t)a->block >= a->size)
        free(p);
}

#endif
