#include "base/faults.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_FAULTS 8
#define NAME_SHOWN   128 /* of a name that the user chose, in a pointer */

void faults_init(faults *f)
{
    *f = (faults){0};
}

void faults_init_many(faults *f, size_t items)
{
    *f = (faults){.more = items};
}

void faults_free(faults *f)
{
    for (size_t i = 0; i < f->count; i++) {
        free(f->list[i].pointer);
        free(f->list[i].detail);
    }
    free(f->list);
    faults_init(f);
}

/* Room for one more, or NULL: the list is full (only counted), or memory ran out (`failed`). */
static faults_item *next_fault(faults *f)
{
    f->total++;
    if (f->failed || f->count == FAULTS_MAX + f->more)
        return NULL;
    if (f->count % FIRST_FAULTS == 0) {
        faults_item *list = realloc(f->list, (f->count + FIRST_FAULTS) * sizeof *list);
        if (!list) {
            f->failed = true;
            return NULL;
        }
        f->list = list;
    }
    return &f->list[f->count];
}

static void add(faults *f, const char *pointer, const char *code, const size_t *offset,
                char *detail)
{
    faults_item *next = next_fault(f);
    char *copy = next ? strdup(pointer) : NULL;
    if (!next || !copy || !detail) {
        if (next)
            f->failed = true;
        free(copy);
        free(detail);
        return;
    }
    *next = (faults_item){copy, code, detail, offset != NULL, offset ? *offset : 0};
    f->count++;
}

void faults_add(faults *f, const char *pointer, const char *code, const char *detail, ...)
{
    va_list args;
    char *text = NULL;
    va_start(args, detail);
    if (vasprintf(&text, detail, args) < 0)
        text = NULL;
    va_end(args);
    add(f, pointer, code, NULL, text);
}

void faults_add_at(faults *f, const char *pointer, const char *code, size_t offset,
                   const char *detail)
{
    add(f, pointer, code, &offset, strdup(detail));
}

/* A pointer is made for each member that is read, whether or not it has a fault: without printf. */
static void join(char out[FAULTS_POINTER_MAX], const char *parent, const char *step, size_t len)
{
    size_t at = strnlen(parent, FAULTS_POINTER_MAX - 2);
    size_t room = FAULTS_POINTER_MAX - at - 2;

    if (out != parent)
        memcpy(out, parent, at);
    out[at++] = '/';
    len = len < room ? len : room;
    memcpy(out + at, step, len);
    out[at + len] = '\0';
}

void faults_member(char out[FAULTS_POINTER_MAX], const char *parent, const char *name)
{
    join(out, parent, name, strlen(name));
}

void faults_item_pointer(char out[FAULTS_POINTER_MAX], const char *parent, size_t i)
{
    char digits[24];
    size_t at = sizeof digits;

    do
        digits[--at] = (char)('0' + i % 10);
    while ((i /= 10) > 0);
    join(out, parent, digits + at, sizeof digits - at);
}

void faults_pointer(char out[FAULTS_POINTER_MAX], const char *parent, const char *name)
{
    char escaped[(size_t)2 * NAME_SHOWN + sizeof "…"];
    size_t at = 0, n = 0;
    for (; name[n] && n < NAME_SHOWN; n++) {
        if (name[n] == '~' || name[n] == '/') {
            escaped[at++] = '~';
            escaped[at++] = name[n] == '~' ? '0' : '1';
        } else {
            escaped[at++] = name[n];
        }
    }
    if (name[n]) { /* never in the middle of a character */
        while (n > 0 && ((unsigned char)name[n] & 0xC0) == 0x80)
            n--, at--;
        memcpy(escaped + at, "…", strlen("…"));
        at += strlen("…");
    }
    escaped[at] = '\0';
    faults_member(out, parent, escaped);
}

void faults_wrong_type(faults *f, const char *pointer, const char *expected, const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_STRING] = "a string",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a number",  [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null",
    };
    faults_add(f, pointer, "wrong_type", "Must be %s, not %s.", expected,
               names[json_typeof(value)]);
}

void faults_unknown(faults *f, const char *parent, const char *name)
{
    char pointer[FAULTS_POINTER_MAX];
    faults_pointer(pointer, parent, name);
    faults_add(f, pointer, "unknown_member", "There is no such member; is it a typo?");
}
