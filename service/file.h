/*
 * file - reading small files whole: secrets, certificates, the configuration.
 */
#ifndef POSTERN_SERVICE_FILE_H
#define POSTERN_SERVICE_FILE_H

#include <stddef.h>

#define FILE_SMALL ((size_t)1024 * 1024)

/* The content of a file of at most `limit` bytes, with a NUL behind it, and its length in *len (may
 * be NULL). NULL on a fault, and *error a sentence the caller frees ("Can't read /x: Permission
 * denied."). */
char *file_read(const char *path, size_t limit, size_t *len, char **error);

/* Overwrites a string read from a file and frees it; NULL is allowed. */
void file_wipe(char *content);

#endif
