/*
 * postern - an HTTP-to-SMTP gateway. Dispatches on the command; `serve` where none is given.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "service/cli.h"
#include "service/features.h"
#include "service/serve.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv, const char *const *environment); /* NULL: not here */
} commands[] = {
    {"serve", serve},         {"send", cli_send},
    {"compose", cli_compose}, {"lint", WITH_LINT ? cli_lint : NULL},
    {"check", cli_check},     {"hook", WITH_HOOKS ? cli_hook : NULL},
    {"health", cli_health},   {"dkim", WITH_DKIM ? cli_dkim : NULL},
    {"version", cli_version}, {"--version", cli_version},
    {"help", cli_help},       {"--help", cli_help},
    {"-h", cli_help},
};

int main(int argc, char **argv)
{
    const char *const *environment = (const char *const *)environ;
    char serve_name[] = "serve";
    char *serve_arguments[] = {serve_name, NULL};

    /* A peer that goes away, and a file that may not grow, are errors of a write. */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        (void)fprintf(stderr, "postern: libcurl can't be initialised\n");
        return CLI_NO_MEMORY;
    }

    int code = CLI_USAGE;
    if (argc < 2) {
        code = serve(1, serve_arguments, environment);
    } else {
        size_t i = 0;
        while (i < sizeof commands / sizeof *commands && strcmp(commands[i].name, argv[1]) != 0)
            i++;
        if (i == sizeof commands / sizeof *commands)
            (void)fprintf(stderr, "postern: there is no command %s; see postern help\n", argv[1]);
        else if (commands[i].run)
            code = commands[i].run(argc - 1, argv + 1, environment);
        else
            (void)fprintf(stderr, "postern: this " LEAN_HAS_NO "command %s\n", argv[1]);
    }
    curl_global_cleanup();
    return code;
}
