#include "service/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    char name[PATH_MAX];
    if (!s->folder) {
        errno = ENOENT;
        return -1;
    }
    int fd = open(s->folder, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    if (snprintf(name, sizeof name, "%s/postern-XXXXXX", s->folder) >= (int)sizeof name) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0 && unlink(name) != 0) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

bool store_write(int fd, const void *data, size_t len, uint64_t at)
{
    const char *from = data;
    while (len > 0) {
        ssize_t n = pwrite(fd, from, len, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            errno = n == 0 ? ENOSPC : errno;
            return false;
        }
        from += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return true;
}

bool store_read(int fd, void *out, size_t len, uint64_t at)
{
    char *to = out;
    while (len > 0) {
        ssize_t n = pread(fd, to, len, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            errno = n == 0 ? EIO : errno;
            return false;
        }
        to += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return true;
}
