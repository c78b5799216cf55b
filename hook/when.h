/*
 * when - conditions on a webhook, all of which must hold for a mail to be sent; and the key that
 * makes several of them one conversation.
 *
 * A list of objects, each of one condition:
 *
 *   {"pointer": "/alerts/0/labels/severity", "op": "in", "value": ["critical", "page"]}
 *   {"header": "X-GitHub-Event", "op": "not_equals", "value": "star"}
 *
 *   equals, not_equals   any value; numbers by what they are worth. Where nothing is there,
 *                        not_equals holds
 *   in                   one of the values of an array
 *   exists, missing      whether anything is there (null is nothing); they take no value
 *   contains             a part of a string, or an item of an array
 *   begins               a string's begin
 *   greater, less        than a number
 *
 * Without "op" it is equals. Pure. Memory: conditions are immutable and the caller's. Threads: any.
 */
#ifndef POSTERN_HOOK_WHEN_H
#define POSTERN_HOOK_WHEN_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#define HOOK_WHEN_MAX   64 /* conditions */
#define HOOK_THREAD_KEY 32 /* digits that a key becomes */

typedef struct hook_when hook_when;

/* NULL, and *error a sentence's end that the caller frees ("item 1: …"; NULL: no memory). */
hook_when *hook_when_create(const json_t *list, char **error);
void hook_when_free(hook_when *w);

/* `header` gives a header's value, or NULL. NULL conditions always hold. */
bool hook_when_holds(const hook_when *w, const json_t *payload,
                     const char *(*header)(void *ctx, const char *name), void *ctx);

/* Writes the digits that stand for what is at the pointers (ended by NULL), and a NUL: the same for
 * the same values of the same hook. False: nothing is at any of them, or there is no memory. */
bool hook_thread(const char *hook, const char *const *pointers, const json_t *payload,
                 char out[HOOK_THREAD_KEY + 1]);

#endif
