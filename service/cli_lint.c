/*
 * cli_lint - `postern lint`: what a spam filter will see in a request's message.
 */
#include "lint/lint.h"
#include "service/cli.h"
#include "service/cli_draft.h"
#include "service/cli_options.h"
#include "service/cli_tool.h"

typedef struct linting {
    cli_draft draft;
    bool json, rules;
} linting;

static int take_json(void *ctx, const cli_option *o, const char *value)
{
    (void)o;
    (void)value;
    ((linting *)ctx)->json = true;
    return CLI_OK;
}

static int take_rules(void *ctx, const cli_option *o, const char *value)
{
    (void)o;
    (void)value;
    ((linting *)ctx)->rules = true;
    return CLI_OK;
}

static int take_file(void *ctx, const char *value)
{
    linting *l = ctx;

    if (l->draft.source)
        return cli_complain(CLI_USAGE, "lint takes one file");
    l->draft.source = value;
    return CLI_OK;
}

static const cli_option lint_options[] = {
    {.name = "json",
     .letter = 'j',
     .help = "Print what /v1/lint answers, instead of lines.",
     .take = take_json},
    {.name = "rules", .help = "Print the rules instead, as a table.", .take = take_rules},
    {.name = NULL},
};

const cli_manual cli_lint_manual = {
    .name = "lint",
    .usage = "[OPTION]... FILE",
    .summary = "Tells what a spam filter, and the reader's program, will see in a message, before "
               "it is sent.",
    .text = "The file (- is stdin) is a request as /v1/send takes it, as JSON. Each finding is a "
            "line: severity, code, where, why and the cure.\n\n"
            "exit code: 0 no errors; 1 there are; 64 wrong arguments; 65 the request is not valid; "
            "66 the file can't be read; 78 wrong settings.",
    .options = lint_options,
};

static int print_rules(void)
{
    buf out = BUF_INIT;
    lint_severity severity;
    const char *code, *why, *cure;

    buf_adds(&out, "| code | severity | why | cure |\n| --- | --- | --- | --- |\n");
    for (size_t i = 0; (code = lint_rule_at(i, &severity, &why, &cure)); i++)
        buf_addf(&out, "| `%s` | %s | %s | %s |\n", code, lint_severity_name(severity), why, cure);
    int done = cli_print(stdout, &out);
    buf_free(&out);
    return done;
}

static void add_finding(buf *out, const json_t *f)
{
    const char *excerpt = json_string_value(json_object_get(f, "excerpt"));
    json_int_t line = json_integer_value(json_object_get(f, "line"));

    buf_addf(out, "%s %s %s", json_string_value(json_object_get(f, "severity")),
             json_string_value(json_object_get(f, "code")),
             json_string_value(json_object_get(f, "pointer")));
    if (line > 0)
        buf_addf(out, ":%lld", (long long)line);
    buf_addf(out, ": %s %s", json_string_value(json_object_get(f, "why")),
             json_string_value(json_object_get(f, "cure")));
    if (excerpt) {
        buf_adds(out, "\n    ");
        cli_add_visible(out, excerpt);
    }
    buf_addc(out, '\n');
}

static int print_lines(const request *r)
{
    buf out = BUF_INIT;
    json_t *report = json_loads(r->lint, 0, NULL), *f;
    size_t i;

    if (!report)
        return cli_no_memory();
    json_array_foreach(json_object_get(report, "findings"), i, f)
    {
        add_finding(&out, f);
    }
    json_decref(report);
    buf_addf(&out, "%zu errors, %zu warnings, %zu notes\n", r->lint_of[LINT_ERROR],
             r->lint_of[LINT_WARNING], r->lint_of[LINT_NOTE]);
    int code = cli_print(stdout, &out);
    buf_free(&out);
    return code;
}

static int print_json(const request *r)
{
    buf out = BUF_INIT;

    buf_adds(&out, r->lint);
    int code = cli_print_json(stdout, &out, false);
    buf_free(&out);
    return code;
}

int cli_lint(int argc, char **argv, const char *const *environment)
{
    linting l = {.json = false};
    config *c = NULL;
    request *r = NULL;

    if (!cli_draft_init(&l.draft))
        return cli_no_memory();
    l.draft.lint = true;
    const cli_options sets[] = {{lint_options, &l}, {NULL, NULL}};
    int code = cli_parse(&cli_lint_manual, argc, argv, sets, take_file, &l);
    if (code == CLI_OK && l.rules) {
        cli_draft_free(&l.draft);
        return print_rules();
    }
    if (code == CLI_OK && !l.draft.source)
        code = cli_complain(CLI_USAGE, "lint takes a file, or -");
    if (code == CLI_OK)
        c = cli_config(environment, &code);
    if (c)
        r = cli_draft_request(&l.draft, c, stderr, &code);
    if (r)
        code = l.json ? print_json(r) : print_lines(r);
    if (r && code == CLI_OK && r->lint_of[LINT_ERROR] > 0)
        code = CLI_FAILED;
    request_free(r);
    config_free(c);
    cli_draft_free(&l.draft);
    return code == CLI_HELPED ? CLI_OK : code;
}
