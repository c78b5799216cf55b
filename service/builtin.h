/*
 * builtin - the files of templates/ as they were when the program was built: an archive (ustar,
 * POSIX.1-1988), packed. What is in it is read by templates.h.
 *
 * Memory: files are borrowed from the unpacked archive, which is the caller's. Threads: any.
 */
#ifndef POSTERN_SERVICE_BUILTIN_H
#define POSTERN_SERVICE_BUILTIN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

typedef struct builtin_file {
    const char *path; /* "generic/html.mustache", "layout.mustache" */
    const char *content;
    size_t len;
} builtin_file;

/* Adds the archive. Without memory the buf says so. */
void builtin_unpack(buf *archive);

/* The next file; *at is 0 at first. False: there is no other. Files of a folder are neighbours. */
bool builtin_next(const buf *archive, size_t *at, builtin_file *file);

#endif
