/*
 * cli_draft - a request from the command line: options that make the same JSON document as the
 * HTTP request's, or the whole document from a file or stdin.
 */
#ifndef POSTERN_SERVICE_CLI_DRAFT_H
#define POSTERN_SERVICE_CLI_DRAFT_H

#include <stdbool.h>
#include <stdio.h>

#include "service/cli_options.h"
#include "service/request.h"

typedef struct cli_draft {
    json_t *document;   /* what the options made so far */
    const char *source; /* of the whole document: a path or "-"; NULL: not given */
    bool stdin_taken;
    bool lint;   /* the request is only looked at: request_create_lint() */
    bool indent; /* indent what is printed */
} cli_draft;

extern const cli_option cli_draft_options[]; /* their context is a cli_draft */

bool cli_draft_init(cli_draft *d); /* false: no memory */
void cli_draft_free(cli_draft *d);

/* The request; without any option that makes one, from a document on stdin. NULL, and *code the
 * exit code: what is wrong with the request is written to `problems` as a problem, anything else
 * complained of. */
request *cli_draft_request(cli_draft *d, const config *c, FILE *problems, int *code);

#endif
