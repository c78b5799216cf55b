#include "service/builtin.h"

#include <string.h>

#include "base/packed.h"

extern const char builtin_packed[], builtin_packed_end[]; /* builtin.S */

/* Of an archive: blocks, and in a file's first one its name and, in octal digits, its size. */
#define BLOCK      ((size_t)512)
#define NAME_MOST  ((size_t)100)
#define SIZE_AT    ((size_t)124)
#define SIZE_DIGIT ((size_t)11)

void builtin_unpack(buf *archive)
{
    packed_write(builtin_packed, builtin_packed_end, archive);
}

static size_t octal(const char *digits)
{
    size_t n = 0;
    for (size_t i = 0; i < SIZE_DIGIT && digits[i] >= '0' && digits[i] <= '7'; i++)
        n = 8 * n + (size_t)(digits[i] - '0');
    return n;
}

bool builtin_next(const buf *archive, size_t *at, builtin_file *file)
{
    if (archive->len < BLOCK || *at > archive->len - BLOCK)
        return false;
    const char *head = archive->data + *at;
    size_t room = archive->len - *at - BLOCK;
    file->path = head;
    file->content = head + BLOCK;
    file->len = octal(head + SIZE_AT);
    if (head[0] == '\0' || head[NAME_MOST - 1] != '\0' || file->len > room)
        return false; /* the end: blocks of zeros */
    *at += BLOCK + (file->len + BLOCK - 1) / BLOCK * BLOCK;
    return true;
}
