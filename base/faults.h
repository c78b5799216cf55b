/*
 * faults - what is wrong with one request, all of it.
 *
 * Each fault has a JSON Pointer (RFC 6901) to the member, a stable code and a sentence. The list is
 * bounded: after FAULTS_MAX, or as many more as it was made for, it only counts, and the answer
 * says so.
 *
 * Memory: the list owns its strings, but for the codes, which are static. Threads: none of its own.
 */
#ifndef POSTERN_BASE_FAULTS_H
#define POSTERN_BASE_FAULTS_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#define FAULTS_MAX 100

typedef struct faults_item {
    char *pointer; /* "/attachments/0/content"; "" is the whole document */
    const char *code;
    char *detail;
    bool has_offset;
    size_t offset; /* in the string that the pointer names, where a place can be told */
} faults_item;

typedef struct faults {
    faults_item *list;
    size_t count; /* kept in `list` */
    size_t total; /* met */
    size_t more;  /* that are kept beyond FAULTS_MAX */
    bool failed;  /* memory ran out: the answer is 503, not a shorter list */
} faults;

void faults_init(faults *f);
/* For a request of `items`, each of which may have one, beside what they share. */
void faults_init_many(faults *f, size_t items);
void faults_free(faults *f);
void faults_add(faults *f, const char *pointer, const char *code, const char *detail, ...)
    __attribute__((format(printf, 4, 5)));
/* The same, with a place in the string. */
void faults_add_at(faults *f, const char *pointer, const char *code, size_t offset,
                   const char *detail);

/* JSON Pointers one step below `parent`: to a member of ours, to an item, and to one whose name the
 * user chose, which is escaped (RFC 6901 section 3) and cut where it is long. */
#define FAULTS_POINTER_MAX 512
void faults_member(char out[FAULTS_POINTER_MAX], const char *parent, const char *name);
void faults_item_pointer(char out[FAULTS_POINTER_MAX], const char *parent, size_t i);
void faults_pointer(char out[FAULTS_POINTER_MAX], const char *parent, const char *name);

/* A value that is not what it must be ("a string"). */
void faults_wrong_type(faults *f, const char *pointer, const char *expected, const json_t *value);

/* A member that there is not. */
void faults_unknown(faults *f, const char *parent, const char *name);

#endif
