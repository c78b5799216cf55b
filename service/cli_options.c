#include "service/cli_options.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "service/cli.h"
#include "service/cli_tool.h"
#include "service/wrap.h"

static const cli_option *find(const cli_options *sets, const char *name, size_t len, char letter,
                              void **ctx)
{
    for (; sets->list; sets++)
        for (const cli_option *o = sets->list; o->name; o++)
            if (letter ? o->letter == letter
                       : strlen(o->name) == len && memcmp(o->name, name, len) == 0) {
                *ctx = sets->ctx;
                return o;
            }
    return NULL;
}

static bool is_help(const char *argument)
{
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

/* Takes the option at argv[*at], and its value if that is the next argument. */
static int take_option(const cli_manual *manual, int argc, char **argv, int *at,
                       const cli_options *sets)
{
    const char *argument = argv[*at];
    bool is_long = argument[1] == '-';
    const char *name = argument + (is_long ? 2 : 1);
    const char *equals = is_long ? strchr(name, '=') : NULL;
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    void *ctx = NULL;

    const cli_option *o =
        is_long || len == 1 ? find(sets, name, len, is_long ? '\0' : *name, &ctx) : NULL;
    if (!o)
        return cli_complain(CLI_USAGE, "%s has no option %.*s; see postern help %s", manual->name,
                            (int)(name - argument) + (int)len, argument, manual->name);
    if (!o->value)
        return equals ? cli_complain(CLI_USAGE, "--%s takes no value", o->name)
                      : o->take(ctx, o, NULL);
    if (equals)
        return o->take(ctx, o, equals + 1);
    if (*at + 1 == argc)
        return cli_complain(CLI_USAGE, "--%s needs a value: %s", o->name, o->value);
    ++*at;
    return o->take(ctx, o, argv[*at]);
}

int cli_parse(const cli_manual *manual, int argc, char **argv, const cli_options *sets,
              int (*operand)(void *ctx, const char *value), void *operand_ctx)
{
    bool options_end = false;
    int code = CLI_OK;

    for (int at = 1; at < argc && code == CLI_OK; at++) {
        const char *argument = argv[at];
        if (!options_end && strcmp(argument, "--") == 0) {
            options_end = true;
        } else if (!options_end && is_help(argument)) {
            buf text = BUF_INIT;
            cli_manual_write(manual, &text);
            code = cli_print(stdout, &text);
            buf_free(&text);
            return code == CLI_OK ? CLI_HELPED : code;
        } else if (!options_end && argument[0] == '-' && argument[1] != '\0') {
            code = take_option(manual, argc, argv, &at, sets);
        } else if (operand) {
            code = operand(operand_ctx, argument);
        } else {
            code = cli_complain(CLI_USAGE, "%s takes no argument %s; see postern help %s",
                                manual->name, argument, manual->name);
        }
    }
    return code;
}

static void write_option(buf *out, const cli_option *o)
{
    buf_addf(out, "  --%s", o->name);
    if (o->letter)
        buf_addf(out, ", -%c", o->letter);
    if (o->value)
        buf_addf(out, " %s", o->value);
    buf_addc(out, '\n');
    wrap_text(out, o->help, 6);
}

void cli_manual_write(const cli_manual *manual, buf *out)
{
    buf_addf(out, "usage: postern %s%s%s\n\n", manual->name, manual->usage[0] ? " " : "",
             manual->usage);
    wrap_text(out, manual->summary, 0);
    if (manual->text) {
        buf_addc(out, '\n');
        wrap_text(out, manual->text, 0);
    }
    if (manual->options)
        buf_adds(out, "\noptions:\n");
    for (const cli_option *o = manual->options; o && o->name; o++)
        write_option(out, o);
}
