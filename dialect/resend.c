#include "dialect/dialect.h"

static const dialect_endpoint endpoints[] = {{.path = NULL}};

const dialect dialect_resend = {
    .name = "resend",
    .auth = DIALECT_BEARER,
    .key_header = NULL,
    .endpoints = endpoints,
};
