/*
 * ids - ids for requests and their messages: 26 characters of Crockford's base32, ten of time in
 * front (a ULID), so that ids sort by time.
 *
 * The other sixteen are 80 bits of the kernel's randomness, which nobody can guess from ids seen
 * before: bytes are taken from the kernel a few hundred ids' worth at a time, used once, and wiped.
 * The program never forks, so no two processes have the same bytes.
 *
 * Threads: any, once made. Errors: the system may have no random bytes, as early in its boot.
 */
#ifndef POSTERN_SERVICE_IDS_H
#define POSTERN_SERVICE_IDS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IDS_LENGTH 26
#define IDS_POOL   4096 /* octets that are taken from the kernel at a time */

typedef struct ids {
    pthread_mutex_t lock;
    size_t left; /* bytes of the pool that are not used yet: its first ones */
    unsigned char pool[IDS_POOL];
} ids;

void ids_init(ids *i);
void ids_clear(ids *i); /* wipes what is left */

/* Writes a new id and a NUL; false: no random bytes. */
bool ids_new(ids *i, char out[IDS_LENGTH + 1]);

/* Whether it is one, by its form; and when one was made, in microseconds since 1970. */
bool ids_is(const char *s);
int64_t ids_time(const char *id);

/* The same for who needs but one. */
bool ids_new_one(char out[IDS_LENGTH + 1]);

#endif
