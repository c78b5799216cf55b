#include "dialect/dialect.h"

static const dialect_endpoint endpoints[] = {{.path = NULL}};

const dialect dialect_postmark = {
    .name = "postmark",
    .auth = DIALECT_HEADER,
    .key_header = "X-Postmark-Server-Token",
    .endpoints = endpoints,
};
