#include "base/arena.h"

#include <pthread.h>

#include <jansson.h>

static _Thread_local arena *current;

static void *take(arena *a, size_t size)
{
    /* used is a multiple of the alignment, as size is, and so at most that. */
    if (size > a->size - a->used)
        return NULL;
    void *p = a->block + a->used;
    a->used += (size + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
    return p;
}

static void *allocate(size_t size)
{
    arena *a = current;
    void *p = a ? take(a, size) : NULL;
    if (p)
        return p;
    p = malloc(size);
    if (!a)
        return p;
    a->spilled = true;
    a->failed = a->failed || !p;
    return p;
}

static void release(void *p)
{
    arena_free(current, p);
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

void *arena_take(arena *a, size_t size)
{
#ifdef ARENA_NONE
    (void)a;
    (void)size;
    return NULL;
#else
    return take(a, size);
#endif
}

void *arena_alloc(arena *a, size_t size)
{
    void *p = a ? arena_take(a, size) : NULL;
    return p ? p : malloc(size);
}
