/*
 * cli_send - `postern send`: one mail from the shell, with the answer that HTTP would give.
 */
#include <stdlib.h>

#include "service/answer.h"
#include "service/cli.h"
#include "service/cli_draft.h"
#include "service/cli_options.h"
#include "service/cli_tool.h"
#include "service/job.h"

const cli_manual cli_send_manual = {
    .name = "send",
    .usage = "[OPTION]...",
    .summary = "Sends one mail and prints the answer that POST /v1/send would give.",
    .text = "The options make the JSON document that POST /v1/send takes; with none of them, or "
            "with --json, it is read whole, by default from stdin. An address is "
            "\"name@example.com\" or \"Name <name@example.com>\".\n\n"
            "exit code: 0 sent; 1 not sent, for good; 2 sent to some of the recipients only; 75 "
            "not sent, trying again may work; 76 unknown: the relay took it and never answered; 64 "
            "wrong options; 65 the message is not valid; 66 a file can't be read; 78 wrong "
            "settings, or no relay.",
    .options = cli_draft_options,
};

static int exit_code(const smtp_result *result)
{
    switch (result->outcome) {
    case SMTP_SENT: return CLI_OK;
    case SMTP_PARTIAL: return CLI_PARTIAL;
    case SMTP_UNKNOWN: return CLI_UNKNOWN;
    case SMTP_NOT_SENT: break;
    }
    return result->fault.retryable ? CLI_TEMPORARY : CLI_FAILED;
}

static int print_answer(const cli_draft *d, const request *r, const smtp_result *result)
{
    buf content = BUF_INIT;

    (void)answer_send(r, result, &content);
    int printed = cli_print_json(stdout, &content, d->indent);
    buf_free(&content);
    /* What happened to the mail matters more than who could not read of it. */
    int code = exit_code(result);
    return code == CLI_OK ? printed : code;
}

/* Sends and waits. */
static int send_request(const cli_draft *d, const config *c, const request *r)
{
    const app a = {.config = c};
    mime_reader *reader = mime_reader_create(r->message);
    smtp_sender *sender = reader ? cli_sender(c) : NULL;
    int code = CLI_NO_MEMORY;

    if (sender) {
        cli_wait wait;
        cli_wait_init(&wait);
        smtp_transaction transaction = job_transaction(&a, r, reader, cli_wait_done, &wait);
        if (!smtp_sender_submit(sender, &transaction))
            cli_wait_done(&wait, NULL);
        smtp_result *result = cli_wait_end(&wait);
        code = result ? print_answer(d, r, result) : cli_no_memory();
        smtp_result_free(result);
    }
    cli_sender_free(sender);
    mime_reader_free(reader);
    return code;
}

static int no_relay(const cli_draft *d)
{
    buf text = BUF_INIT;

    problem_write(&text, PROBLEM_NO_RELAY, NULL, "Set POSTERN_RELAY to be able to send.", NULL);
    (void)cli_print_json(stdout, &text, d->indent);
    buf_free(&text);
    return CLI_CONFIGURATION;
}

int cli_send(int argc, char **argv, const char *const *environment)
{
    cli_draft draft;
    config *c = NULL;
    request *r = NULL;
    int code = CLI_OK;

    if (!cli_draft_init(&draft))
        return cli_no_memory();
    const cli_options sets[] = {{cli_draft_options, &draft}, {NULL, NULL}};
    code = cli_parse(&cli_send_manual, argc, argv, sets, NULL, NULL);
    if (code == CLI_OK)
        c = cli_config(environment, &code);
    if (c && c->relay_count == 0)
        code = no_relay(&draft);
    else if (c)
        r = cli_draft_request(&draft, c, stdout, &code);
    if (r)
        code = send_request(&draft, c, r);
    request_free(r);
    config_free(c);
    cli_draft_free(&draft);
    return code == CLI_HELPED ? CLI_OK : code;
}
