/*
 * cli_help - `postern help`: the commands, one command's manual, the settings.
 */
#include <stdbool.h>
#include <string.h>

#include "service/cli.h"
#include "service/cli_options.h"
#include "service/cli_tool.h"
#include "service/config.h"
#include "service/features.h"
#include "service/wrap.h"

static const cli_manual SERVE = {
    .name = "serve",
    .usage = "",
    .summary = "Serves HTTP until SIGTERM or SIGINT; then answers what is in flight and ends. This "
               "is the command where none is given.",
    .text = "exit code: 0 ended by a signal; 1 can't listen or start; 78 wrong settings.",
};

static const cli_manual HEALTH = {
    .name = "health",
    .usage = "",
    .summary = "Asks the running instance's /healthz, for a container's health check.",
    .text = "exit code: 0 it lives; 1 it doesn't answer; 78 wrong settings.",
};

static const cli_manual VERSION = {
    .name = "version",
    .usage = "",
    .summary = "Prints the version, and the libraries' versions.",
};

static const cli_manual HELP = {
    .name = "help",
    .usage = "[COMMAND]",
    .summary = "Prints the commands and settings, or the manual of one command.",
};

static const struct {
    const char *name;
    const cli_manual *manual; /* NULL: this build lacks the command */
} MANUALS[] = {
    {"serve", &SERVE},
    {"send", &cli_send_manual},
    {"compose", &cli_compose_manual},
    {"lint", WITH_LINT ? &cli_lint_manual : NULL},
    {"check", &cli_check_manual},
    {"hook", WITH_HOOKS ? &cli_hook_manual : NULL},
    {"dkim keygen", WITH_DKIM ? &cli_dkim_keygen_manual : NULL},
    {"dkim verify", WITH_DKIM ? &cli_dkim_verify_manual : NULL},
    {"health", &HEALTH},
    {"version", &VERSION},
    {"help", &HELP},
};

#define COUNT (sizeof MANUALS / sizeof *MANUALS)

static void write_all(buf *out)
{
    buf_adds(out, "postern - an HTTP-to-SMTP gateway\n\n"
                  "usage: postern [COMMAND] [ARGUMENT]...\n\ncommands:\n");
    for (size_t i = 0; i < COUNT; i++) {
        const cli_manual *m = MANUALS[i].manual;
        if (!m)
            continue;
        buf_addf(out, "  %s%s%s\n", m->name, m->usage[0] ? " " : "", m->usage);
        wrap_text(out, m->summary, 6);
    }
    buf_adds(out, "\nsettings (environment variables):\n");
    config_describe(out);
}

/* Whether a manual of that name is of that command, which may have several. */
static bool is_of(const char *name, const char *command)
{
    size_t len = strlen(command);
    return strncmp(name, command, len) == 0 && (!name[len] || name[len] == ' ');
}

int cli_help(int argc, char **argv, const char *const *environment)
{
    buf out = BUF_INIT;
    size_t i = 0;

    (void)environment;
    if (argc > 2)
        return cli_complain(CLI_USAGE, "help takes the name of one command");
    while (argc == 2 && i < COUNT && !is_of(MANUALS[i].name, argv[1]))
        i++;
    if (i == COUNT)
        return cli_complain(CLI_USAGE, "there is no command %s; see postern help", argv[1]);
    if (!MANUALS[i].manual)
        return cli_complain(CLI_USAGE, "this " LEAN_HAS_NO "command %s", argv[1]);
    for (bool first = true; argc == 2 && i < COUNT; i++) {
        if (!is_of(MANUALS[i].name, argv[1]))
            continue;
        if (!first)
            buf_addc(&out, '\n');
        cli_manual_write(MANUALS[i].manual, &out);
        first = false;
    }
    if (argc != 2)
        write_all(&out);
    int code = cli_print(stdout, &out);
    buf_free(&out);
    return code;
}
