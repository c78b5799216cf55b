/*
 * cli - the commands beside `serve`: each is one file cli_<name>.c with one entry.
 * What they share is in cli_tool (output, input, waiting), cli_options (options and manuals as
 * tables) and cli_draft (a request from options).
 *
 * An entry gets the arguments behind the command's name (argv[0] is the name: "send") and the
 * environment (settings are read from it, not from the process), writes to stdout and stderr, and
 * returns the program's exit code. Before it, main must have ignored SIGPIPE and called
 * curl_global_init().
 */
#ifndef POSTERN_SERVICE_CLI_H
#define POSTERN_SERVICE_CLI_H

/* Exit codes: sysexits.h's where one fits. */
enum {
    CLI_OK = 0,
    CLI_FAILED = 1,         /* not sent for good; a check that failed */
    CLI_PARTIAL = 2,        /* sent to some of the recipients only */
    CLI_USAGE = 64,         /* EX_USAGE: options */
    CLI_DATA = 65,          /* EX_DATAERR: the message is not valid */
    CLI_NO_INPUT = 66,      /* EX_NOINPUT: a file can't be read */
    CLI_NO_MEMORY = 71,     /* EX_OSERR */
    CLI_OUTPUT = 74,        /* EX_IOERR: stdout doesn't take it */
    CLI_TEMPORARY = 75,     /* EX_TEMPFAIL: trying again may work */
    CLI_UNKNOWN = 76,       /* EX_PROTOCOL: the relay took the message and never answered */
    CLI_CONFIGURATION = 78, /* EX_CONFIG: settings */
};

int cli_send(int argc, char **argv, const char *const *environment);
int cli_compose(int argc, char **argv, const char *const *environment);
int cli_lint(int argc, char **argv, const char *const *environment);
int cli_check(int argc, char **argv, const char *const *environment);
int cli_hook(int argc, char **argv, const char *const *environment);
int cli_dkim(int argc, char **argv, const char *const *environment);
int cli_health(int argc, char **argv, const char *const *environment);
int cli_version(int argc, char **argv, const char *const *environment);
int cli_help(int argc, char **argv, const char *const *environment);

#endif
