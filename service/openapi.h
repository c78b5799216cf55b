/*
 * openapi - the contract, openapi.yaml, as it was when the program was built. It is kept packed,
 * since few ask for it: a fifth of its size.
 */
#ifndef POSTERN_SERVICE_OPENAPI_H
#define POSTERN_SERVICE_OPENAPI_H

#include "base/buf.h"

/* Adds its text. Without memory the buf says so. */
void openapi_write(buf *out);

#endif
