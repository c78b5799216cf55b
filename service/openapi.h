/*
 * openapi - the contract, openapi.yaml, as it was when the program was built.
 */
#ifndef POSTERN_SERVICE_OPENAPI_H
#define POSTERN_SERVICE_OPENAPI_H

extern const char openapi_text[], openapi_end[];

#endif
