/*
 * body - a request's body as it comes from the socket.
 *
 * Kept as pieces that are given back one by one while the JSON parser reads them, so that a large
 * body and its parsed copy don't stand in memory together.
 *
 * Memory: the body owns its pieces. Threads: one at a time.
 */
#ifndef POSTERN_SERVICE_BODY_H
#define POSTERN_SERVICE_BODY_H

#include <stdbool.h>
#include <stddef.h>

typedef struct body body;

/* `expected`: the Content-Length if it is known, else 0; a hint only. */
body *body_create(size_t expected);
void body_free(body *b);

bool body_add(body *b, const void *data, size_t len); /* false: no memory */
size_t body_size(const body *b);                      /* bytes added in all */

/* The next piece, valid until the next call, which frees it; NULL at the end. */
const char *body_next(body *b, size_t *len);

#endif
