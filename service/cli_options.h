/*
 * cli_options - the commands' options and manuals, as tables.
 *
 * "--name VALUE", "--name=VALUE", "-n VALUE"; "--" ends the options; whatever else doesn't begin
 * with a hyphen (or is just one) is an operand.
 */
#ifndef POSTERN_SERVICE_CLI_OPTIONS_H
#define POSTERN_SERVICE_CLI_OPTIONS_H

#include <stddef.h>

#include "base/buf.h"

typedef struct cli_option {
    const char *name;  /* without its hyphens */
    char letter;       /* 0: none */
    const char *value; /* what stands behind it, as help shows it; NULL: nothing */
    const char *help;
    const char *member; /* what take() wants to know of it */
    /* Returns CLI_OK, or the exit code after having complained. */
    int (*take)(void *ctx, const struct cli_option *o, const char *value);
} cli_option;

/* Some options that share a context. */
typedef struct cli_options {
    const cli_option *list; /* ended by a name of NULL */
    void *ctx;
} cli_options;

typedef struct cli_manual {
    const char *name;
    const char *usage;         /* behind "postern NAME " */
    const char *summary;       /* a line of the list of commands */
    const char *text;          /* paragraphs; may be NULL */
    const cli_option *options; /* NULL: none */
} cli_manual;

/* What parsing returns beside an exit code: --help was asked for and printed. */
#define CLI_HELPED (-1)

/* Goes through argv[1] and on. `sets` ends with a list of NULL; `operand` may be NULL: there are
 * none. CLI_OK, CLI_HELPED, or an exit code after having complained. */
int cli_parse(const cli_manual *manual, int argc, char **argv, const cli_options *sets,
              int (*operand)(void *ctx, const char *value), void *operand_ctx);

/* Writes the manual. */
void cli_manual_write(const cli_manual *manual, buf *out);

extern const cli_manual cli_send_manual, cli_compose_manual, cli_lint_manual, cli_check_manual,
    cli_hook_manual, cli_dkim_keygen_manual, cli_dkim_verify_manual;

#endif
