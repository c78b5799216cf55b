/*
 * cli_domain - what is known of a domain, written for a terminal or as JSON.
 */
#ifndef POSTERN_SERVICE_CLI_DOMAIN_H
#define POSTERN_SERVICE_CLI_DOMAIN_H

#include <stdbool.h>

#include <jansson.h>

/* Write the answer of domain_check() to stdout. The exit code is the verdict's. `marks`: the
 * terminal shows ✓ and ✗. */
int cli_domain_text(const json_t *answer, bool marks);
int cli_domain_json(const json_t *answer, bool indent);

#endif
