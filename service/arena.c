#include "service/arena.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include <jansson.h>

static _Thread_local arena *current;

static void *allocate(size_t size)
{
    arena *a = current;
    if (!a)
        return malloc(size);
    /* used is a multiple of the alignment, and so at most ARENA_BYTES. */
    if (size <= ARENA_BYTES - a->used) {
        void *p = a->block + a->used;
        a->used += (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
        return p;
    }
    void *p = malloc(size);
    a->spilled = true;
    a->failed = a->failed || !p;
    return p;
}

static void release(void *p)
{
    const arena *a = current;
    if (!a || (uintptr_t)p - (uintptr_t)a->block >= ARENA_BYTES)
        free(p);
}

static void set_functions(void)
{
    json_set_alloc_funcs(allocate, release);
}

_Static_assert(ARENA_BYTES % _Alignof(max_align_t) == 0, "what is used never goes beyond");

void arena_init(arena *a)
{
    static pthread_once_t set = PTHREAD_ONCE_INIT;
    (void)pthread_once(&set, set_functions);
    a->used = 0;
    a->spilled = a->failed = false;
}

void arena_use(arena *a)
{
    current = a;
}
