#include "dialect/retell.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool is_digit(char c)
{
    return isdigit((unsigned char)c) != 0;
}

/* What of the pointer is behind the row's place; NULL: it is elsewhere. `number` gets the digits
 * that "#" stands for. */
static const char *behind(const char *ours, const char *pointer, const char **number)
{
    while (*ours) {
        if (*ours == '#') {
            *number = pointer;
            while (is_digit(*pointer))
                pointer++;
            if (pointer == *number)
                return NULL;
        } else if (*ours != *pointer++) {
            return NULL;
        }
        ours++;
    }
    return *pointer == '\0' || *pointer == '/' ? pointer : NULL;
}

static int digits(const char *number)
{
    int n = 0;
    while (is_digit(number[n]))
        n++;
    return n;
}

/* Cut where it is too long, as all pointers are. */
static void write(char out[FAULTS_POINTER_MAX], const char *before, const char *theirs,
                  const char *number, const char *rest)
{
    const char *hash = strchr(theirs, '#');

    if (!hash || !number)
        (void)snprintf(out, FAULTS_POINTER_MAX, "%s%s%s", before, theirs, rest);
    else
        (void)snprintf(out, FAULTS_POINTER_MAX, "%s%.*s%.*s%s%s", before, (int)(hash - theirs),
                       theirs, digits(number), number, hash + 1, rest);
}

void dialect_retell(const dialect_place *table, const char *before, const char *pointer,
                    char out[FAULTS_POINTER_MAX])
{
    for (; table->ours; table++) {
        const char *number = NULL, *rest = behind(table->ours, pointer, &number);
        if (!rest)
            continue;
        write(out, before, table->theirs, number, table->whole ? "" : rest);
        return;
    }
    write(out, before, "", NULL, pointer);
}

bool dialect_find_named(const json_t *list, const char *name, const char *ours, const char *pointer,
                        size_t *found)
{
    char at[FAULTS_POINTER_MAX];

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *one = json_string_value(json_object_get(json_array_get(list, i), name));
        faults_pointer(at, ours, one ? one : "");
        *found = i;
        if (one && strcmp(at, pointer) == 0)
            return true;
    }
    return false;
}

/* A segment that is a number is an item; a member of that name reads the same. */
static void add_segment(buf *out, bool first, const char *segment, size_t len)
{
    bool is_item = len > 0;

    for (size_t i = 0; i < len; i++)
        is_item = is_item && is_digit(segment[i]);
    if (is_item)
        buf_addc(out, '[');
    else if (!first)
        buf_addc(out, '.');
    for (size_t i = 0; i < len; i++) {
        bool escaped = segment[i] == '~' && i + 1 < len; /* RFC 6901 section 3 */
        i += escaped;
        buf_addc(out, !escaped ? segment[i] : segment[i] == '1' ? '/' : '~');
    }
    if (is_item)
        buf_addc(out, ']');
}

void dialect_path(buf *out, const char *pointer)
{
    for (bool first = true; *pointer == '/'; first = false) {
        size_t len = strcspn(++pointer, "/");
        add_segment(out, first, pointer, len);
        pointer += len;
    }
}
