/*
 * batches - messages that one request brought: POST /v1/batches keeps all of them or none, GET
 * tells how far they are, DELETE cancels what waits. What holds them together in the queue is a tag
 * that no caller can give, since it begins with a control character.
 */
#ifndef POSTERN_SERVICE_BATCHES_H
#define POSTERN_SERVICE_BATCHES_H

#include "queue/queue.h"

#define BATCHES_TAG_BEGIN "\001batch:"
#define BATCHES_TAG       (sizeof BATCHES_TAG_BEGIN - 1 + QUEUE_ID) /* characters */

/* The tag of the batch of that id (QUEUE_ID characters). */
void batches_tag(const char *id, char out[BATCHES_TAG + 1]);

#endif
