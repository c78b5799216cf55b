/*
 * file_io - all of it, where a call may read or write less: for bodies in files. Waits for slow
 * ones; not for sockets.
 */
#ifndef POSTERN_QUEUE_FILE_IO_H
#define POSTERN_QUEUE_FILE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False and errno: EIO where the file ends before. */
bool file_read_at(int fd, char *out, size_t len, uint64_t at);
/* False and errno; what was written so far stays. */
bool file_write_all(int fd, const char *data, size_t len);

#endif
