#include "service/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

#define CHUNK 16384

static void tell(char **error, const char *path, const char *why)
{
    if (asprintf(error, "Can't read %s: %s.", path, why) < 0)
        *error = NULL;
}

static void tell_errno(char **error, const char *path, int number)
{
    char text[128];
    tell(error, path, strerror_r(number, text, sizeof text));
}

/* Reads to the end, or until there is more than `limit`; false with errno set if reading fails. */
static bool read_all(int fd, size_t limit, buf *out)
{
    while (out->len <= limit) {
        if (!buf_reserve(out, CHUNK)) {
            errno = ENOMEM;
            return false;
        }
        ssize_t n = read(fd, out->data + out->len, CHUNK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        if (n == 0)
            return true;
        out->len += (size_t)n;
    }
    return true;
}

char *file_read(const char *path, size_t limit, size_t *len, char **error)
{
    buf content = BUF_INIT;
    char *result = NULL;

    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || !read_all(fd, limit, &content)) {
        tell_errno(error, path, errno);
        goto cleanup;
    }
    if (content.len > limit) {
        tell(error, path, "it is too large");
        goto cleanup;
    }
    if (len)
        *len = content.len;
    result = buf_take(&content);
    if (!result)
        tell_errno(error, path, ENOMEM);

cleanup:
    if (content.data)
        explicit_bzero(content.data, content.len);
    buf_free(&content);
    if (fd >= 0)
        (void)close(fd);
    return result;
}

void file_wipe(char *content)
{
    if (!content)
        return;
    explicit_bzero(content, strlen(content));
    free(content);
}
