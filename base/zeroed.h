/*
 * zeroed - calloc() for small objects that come and go with each mail.
 *
 * glibc's calloc() does not look into the thread's cache of freed blocks, which malloc() is served
 * from: such objects would fill it and never use it, at three times the price.
 */
#ifndef POSTERN_BASE_ZEROED_H
#define POSTERN_BASE_ZEROED_H

#include <stdlib.h>
#include <string.h>

/* `count` times `size` bytes of zeros, to be free()d; NULL: no memory. */
static inline void *zeroed(size_t count, size_t size)
{
    size_t bytes = 0;
    void *p = __builtin_mul_overflow(count, size, &bytes) ? NULL : malloc(bytes);
    if (!p)
        return NULL;
    __asm__ volatile("" : : "r"(p) : "memory"); /* else the compiler makes the two a calloc() */
    memset(p, 0, bytes);
    return p;
}

#endif
