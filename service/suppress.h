/*
 * suppress - recipients that nothing is sent to: because a relay said that they don't exist, or
 * because somebody said so here (the routes /v1/suppressions).
 *
 * Addresses are kept with a domain in A-labels and ASCII letters in lower case, the local part's
 * too: no mailbox is known to differ from another by that alone.
 */
#ifndef POSTERN_SERVICE_SUPPRESS_H
#define POSTERN_SERVICE_SUPPRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "queue/queue.h"
#include "service/request.h"

/* The addresses as they are looked up, in the same order, ended by NULL: one allocation, the
 * caller's. NULL: no memory. */
char **suppress_addresses(const char *const *recipients, size_t count);

/* Marks those that the operation (SUPPRESSED, PUT) found; how many. It sorts what was found. */
size_t suppress_mark(queue_op *found, char *const *addresses, size_t count, bool *marks);

/* Why nothing is sent to the address, which is one that was found. */
const char *suppress_reason(const queue_op *found, char *address);

/* A fault for each recipient, where all of them are suppressed; `found` as above. */
void suppress_tell(const request *r, const queue_op *found, char *const *addresses, faults *errors);

#endif
