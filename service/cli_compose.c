/*
 * cli_compose - `postern compose`: the message of a request on stdout, nothing sent.
 */
#include "service/cli.h"
#include "service/cli_draft.h"
#include "service/cli_options.h"
#include "service/cli_tool.h"

const cli_manual cli_compose_manual = {
    .name = "compose",
    .usage = "[OPTION]...",
    .summary = "Prints the message that send would send, as .eml, and sends nothing.",
    .text = "Takes the options of send, or JSON on stdin. What is wrong with the request is told "
            "on stderr as a JSON problem.\n\n"
            "exit code: 0 composed; 64 wrong options; 65 the message is not valid; 66 a file can't "
            "be read; 78 wrong settings.",
    .options = cli_draft_options,
};

int cli_compose(int argc, char **argv, const char *const *environment)
{
    cli_draft draft;
    config *c = NULL;
    request *r = NULL;
    int code = CLI_OK;

    if (!cli_draft_init(&draft))
        return cli_no_memory();
    const cli_options sets[] = {{cli_draft_options, &draft}, {NULL, NULL}};
    code = cli_parse(&cli_compose_manual, argc, argv, sets, NULL, NULL);
    if (code == CLI_OK)
        c = cli_config(environment, &code);
    if (c)
        r = cli_draft_request(&draft, c, stderr, &code);
    if (r)
        code = cli_print_message(r->message);
    request_free(r);
    config_free(c);
    cli_draft_free(&draft);
    return code == CLI_HELPED ? CLI_OK : code;
}
