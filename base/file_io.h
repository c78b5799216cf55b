/*
 * file_io - files without a name, and reading and writing all of it, at a place, where a call may
 * do less. Not for sockets.
 */
#ifndef POSTERN_BASE_FILE_IO_H
#define POSTERN_BASE_FILE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False and errno: EIO where the file ends before. */
bool file_read_at(int fd, void *out, size_t len, uint64_t at);
/* False and errno; what was written so far stays. */
bool file_write_at(int fd, const void *data, size_t len, uint64_t at);

/* A file in that folder that has no name, open for reading and writing: it is gone when it is
 * closed. -1 and errno: it can't be had. */
int file_nameless(const char *folder);

#endif
