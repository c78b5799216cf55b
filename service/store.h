/*
 * store - where the large parts of requests are kept until they are sent: memory within a budget,
 * and files that have no name beyond it.
 *
 * The budget is one for the whole process. What is over a request's share of memory goes into a
 * file of its own, which is unlinked before the first byte is written (O_TMPFILE where the file
 * system has it), so that nothing is left behind whatever happens. Where no folder can be written,
 * everything is kept in memory, and the budget alone decides.
 *
 * The blocks that a usual request's memory is (document.h) are kept here for the next ones, some of
 * them: to malloc they are large, and cost it more than all else that a request has.
 *
 * Threads: any; the budget is an atomic, and who would have to wait for a kept block does without.
 */
#ifndef POSTERN_SERVICE_STORE_H
#define POSTERN_SERVICE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct store store;

/* `folder` NULL: no files. NULL: no memory. */
store *store_create(const char *folder, size_t memory_max);
void store_free(store *s);

/* True if a file can be made in that folder; else errno says why not. */
bool store_writes(const char *folder);

/* The first folder for large temporary files that can be written; NULL: none. */
const char *store_usual_folder(void);

/* Where its files are made; NULL: it makes none. */
const char *store_folder(const store *s);

/* Takes `bytes` of the budget, or gives them back. False: there are not so many left. */
bool store_take(store *s, size_t bytes);
void store_give(store *s, size_t bytes);

/* True if the budget has `bytes` left just now: for refusing before any work. */
bool store_has(const store *s, size_t bytes);
size_t store_used(const store *s);

/* A block that was kept, which is malloc's; NULL: there is none now. All have one size. */
void *store_spare(store *s);

/* Keeps it, or frees it, where there are enough. */
void store_keep(store *s, void *block);

/* An unlinked file open for reading and writing; -1 and errno: it can't be had. */
int store_file(const store *s);

#endif
