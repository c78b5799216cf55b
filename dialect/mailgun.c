#include "dialect/dialect.h"

static const dialect_endpoint endpoints[] = {{.path = NULL}};

const dialect dialect_mailgun = {
    .name = "mailgun",
    .auth = DIALECT_BASIC,
    .key_header = NULL,
    .endpoints = endpoints,
};
