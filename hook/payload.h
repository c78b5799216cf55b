/*
 * payload - what a webhook brings, read when it is known who sent it: JSON, or a form whose member
 * "payload" is JSON; and looking into it by JSON pointers (RFC 6901).
 *
 * Brackets deeper than HOOK_DEPTH are refused, and more than HOOK_VALUES members and items: a text
 * that is long enough to have them is gone over before anything is allocated, so that it can't
 * become a much larger tree.
 * Escapes of NUL, and of half a pair of surrogates (an emoji that its service cut in two), become
 * U+FFFD: whoever can bring one into an alert must not be able to hide it. jansson is the judge of
 * all else; duplicate names are faults.
 *
 * Pure. Memory: the tree is the caller's.
 */
#ifndef POSTERN_HOOK_PAYLOAD_H
#define POSTERN_HOOK_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/buf.h"

#define HOOK_DEPTH       64
#define HOOK_VALUES      100000
#define HOOK_POINTER_MAX 512

typedef enum hook_payload_result {
    HOOK_PAYLOAD_OK,
    HOOK_PAYLOAD_BAD,
    HOOK_PAYLOAD_TOO_LARGE, /* more structure than is allowed */
    HOOK_PAYLOAD_NOMEM
} hook_payload_result;

/* On BAD and TOO_LARGE `detail` gets one sentence. */
hook_payload_result hook_payload_json(const char *text, size_t len, json_t **out, buf *detail);

/* The same of application/x-www-form-urlencoded. */
hook_payload_result hook_payload_form(const char *text, size_t len, json_t **out, buf *detail);

/* True if it is a JSON pointer of at most HOOK_POINTER_MAX characters. */
bool hook_pointer_valid(const char *pointer);

/* What it points to, which is the root's; NULL: nothing. */
const json_t *hook_pointer_find(const json_t *root, const char *pointer);

#endif
