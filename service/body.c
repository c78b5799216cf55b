#include "service/body.h"

#include <stdlib.h>
#include <string.h>

/* Small bodies fit one piece; large pieces come from mmap and go back to the system when freed. */
#define PIECE_MIN 4096
#define PIECE_MAX ((size_t)256 * 1024)

typedef struct piece {
    struct piece *next;
    size_t len, cap;
    char data[];
} piece;

struct body {
    piece *first, *last;
    piece *given; /* by the last body_next() */
    size_t size;
    size_t expected;
};

body *body_create(size_t expected)
{
    body *b = calloc(1, sizeof *b);
    if (b)
        b->expected = expected;
    return b;
}

void body_free(body *b)
{
    if (!b)
        return;
    free(b->given);
    while (b->first) {
        piece *next = b->first->next;
        free(b->first);
        b->first = next;
    }
    free(b);
}

/* Room for what is still expected, within the bounds; twice what came where nothing is known. */
static size_t piece_size(const body *b)
{
    size_t want = b->expected > b->size ? b->expected - b->size : b->size;
    if (want < PIECE_MIN)
        return PIECE_MIN;
    return want < PIECE_MAX ? want : PIECE_MAX;
}

static bool add_piece(body *b)
{
    size_t cap = piece_size(b);
    piece *p = malloc(sizeof *p + cap);
    if (!p)
        return false;
    p->next = NULL;
    p->len = 0;
    p->cap = cap;
    if (b->last)
        b->last->next = p;
    else
        b->first = p;
    b->last = p;
    return true;
}

bool body_add(body *b, const void *data, size_t len)
{
    const char *from = data;
    while (len > 0) {
        if ((!b->last || b->last->len == b->last->cap) && !add_piece(b))
            return false;
        piece *p = b->last;
        size_t n = p->cap - p->len < len ? p->cap - p->len : len;
        memcpy(p->data + p->len, from, n);
        p->len += n;
        b->size += n;
        from += n;
        len -= n;
    }
    return true;
}

size_t body_size(const body *b)
{
    return b->size;
}

const char *body_next(body *b, size_t *len)
{
    free(b->given);
    b->given = b->first;
    if (!b->given)
        return NULL;
    b->first = b->given->next;
    if (!b->first)
        b->last = NULL;
    *len = b->given->len;
    return b->given->data;
}
