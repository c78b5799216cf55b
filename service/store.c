#include "service/store.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file_io.h"

/* As many requests as a burst has, on a few threads. */
#define SPARES 64

struct store {
    char *folder;
    size_t memory_max;
    atomic_size_t used;
    atomic_flag busy; /* the members below are another thread's for the moment */
    unsigned count;
    void *spares[SPARES];
};

store *store_create(const char *folder, size_t memory_max)
{
    store *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->memory_max = memory_max;
    atomic_flag_clear(&s->busy);
    s->folder = folder ? strdup(folder) : NULL;
    if (folder && !s->folder) {
        free(s);
        return NULL;
    }
    return s;
}

bool store_writes(const char *folder)
{
    store probe = {.folder = (char *)folder};
    int fd = store_file(&probe);
    if (fd >= 0)
        (void)close(fd);
    return fd >= 0;
}

const char *store_usual_folder(void)
{
    /* /var/tmp first: /tmp is often memory. */
    static const char *const folders[] = {"/var/tmp", "/tmp"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        if (store_writes(folders[i]))
            return folders[i];
    }
    return NULL;
}

const char *store_folder(const store *s)
{
    return s->folder;
}

void store_free(store *s)
{
    if (!s)
        return;
    while (s->count > 0)
        free(s->spares[--s->count]);
    free(s->folder);
    free(s);
}

static bool enter(store *s)
{
    return !atomic_flag_test_and_set_explicit(&s->busy, memory_order_acquire);
}

static void leave(store *s)
{
    atomic_flag_clear_explicit(&s->busy, memory_order_release);
}

void *store_spare(store *s)
{
    void *block = NULL;
    if (enter(s)) {
        block = s->count > 0 ? s->spares[--s->count] : NULL;
        leave(s);
    }
    return block;
}

void store_keep(store *s, void *block)
{
#ifdef ARENA_NONE
    (void)s;
#else
    if (enter(s)) {
        if (s->count < SPARES) {
            s->spares[s->count++] = block;
            block = NULL;
        }
        leave(s);
    }
#endif
    free(block);
}

bool store_take(store *s, size_t bytes)
{
    size_t used = atomic_fetch_add_explicit(&s->used, bytes, memory_order_relaxed);
    if (used <= s->memory_max && bytes <= s->memory_max - used)
        return true;
    store_give(s, bytes);
    return false;
}

void store_give(store *s, size_t bytes)
{
    atomic_fetch_sub_explicit(&s->used, bytes, memory_order_relaxed);
}

size_t store_used(const store *s)
{
    return atomic_load_explicit(&s->used, memory_order_relaxed);
}

bool store_has(const store *s, size_t bytes)
{
    size_t used = store_used(s);
    return used <= s->memory_max && bytes <= s->memory_max - used;
}

int store_file(const store *s)
{
    if (s->folder)
        return file_nameless(s->folder);
    errno = ENOENT;
    return -1;
}
