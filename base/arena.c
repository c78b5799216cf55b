#include "base/arena.h"

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
    /* used is a multiple of the alignment, as size is, and so at most that. */
    if (size <= a->size - a->used) {
        void *p = a->block + a->used;
        a->used += (size + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
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
    if (!a || (uintptr_t)p - (uintptr_t)a->block >= a->size)
        free(p);
}

static void set_functions(void)
{
    json_set_alloc_funcs(allocate, release);
}

void arena_init(arena *a, char *block, size_t size)
{
    static pthread_once_t set = PTHREAD_ONCE_INIT;
    (void)pthread_once(&set, set_functions);
    *a = (arena){.block = block, .size = size};
}

void arena_use(arena *a)
{
    current = a;
}
