#include "service/store.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file_io.h"

struct store {
    char *folder;
    size_t memory_max;
    atomic_size_t used;
};

store *store_create(const char *folder, size_t memory_max)
{
    store *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->memory_max = memory_max;
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
    free(s->folder);
    free(s);
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
