#include "queue/file_io.h"

#include <errno.h>
#include <unistd.h>

bool file_read_at(int fd, char *out, size_t len, uint64_t at)
{
    while (len > 0) {
        ssize_t n = pread(fd, out, len, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            errno = n == 0 ? EIO : errno;
            return false;
        }
        out += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return true;
}

bool file_write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            errno = n == 0 ? ENOSPC : errno;
            return false;
        }
        data += n;
        len -= (size_t)n;
    }
    return true;
}
