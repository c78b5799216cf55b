/*
 * composed_json - a composed message as the member of a JSON object, given piece by piece:
 * {"message": "…", "lint": {…}}. It is read twice, to know how long it is first.
 *
 * Memory: reader and `lint` are borrowed. Threads: one at a time. Errors: 0 octets where the
 * message can't be read.
 */
#ifndef POSTERN_SERVICE_COMPOSED_JSON_H
#define POSTERN_SERVICE_COMPOSED_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "mime/message.h"

typedef struct composed_json composed_json;

/* `lint`: JSON; NULL: there is none. NULL: no memory, or the message can't be read. */
composed_json *composed_json_create(mime_reader *reader, const char *lint);
void composed_json_free(composed_json *j);

uint64_t composed_json_size(const composed_json *j);

/* Up to `cap` octets; 0 at the end. */
size_t composed_json_read(composed_json *j, char *out, size_t cap);

#endif
