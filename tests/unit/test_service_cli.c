/* Tests of service/cli_*: what the commands print and return, without a relay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "service/cli.h"
#include "service/cli_options.h"
#include "service/cli_tool.h"
#include "service/wrap.h"

#define ARGUMENTS 40

typedef int entry(int argc, char **argv, const char *const *environment);

typedef struct ran {
    int code;
    char out[16384], err[16384];
} ran;

static const char *const NOTHING[] = {NULL};

static size_t slurp(FILE *file, char *text, size_t cap)
{
    rewind(file);
    size_t n = fread(text, 1, cap - 1, file);
    text[n] = '\0';
    (void)fclose(file);
    return n;
}

/* Runs a command with stdin from `input` (NULL: empty), stdout and stderr caught. `arguments` ends
 * with NULL and begins with the command's name. */
static const ran *run(entry *command, const char *const *environment, const char *input,
                      const char *const *arguments)
{
    static ran result;
    FILE *files[3] = {tmpfile(), tmpfile(), tmpfile()};
    char *argv[ARGUMENTS + 1];
    int kept[3], argc = 0;

    for (; arguments[argc]; argc++) {
        assert_in_range(argc, 0, ARGUMENTS - 1);
        argv[argc] = strdup(arguments[argc]);
    }
    argv[argc] = NULL;
    (void)fputs(input ? input : "", files[0]);
    rewind(files[0]);
    (void)fflush(NULL);
    for (int fd = 0; fd < 3; fd++) {
        kept[fd] = dup(fd);
        assert_int_equal(dup2(fileno(files[fd]), fd), fd);
    }
    result.code = command(argc, argv, environment);
    (void)fflush(NULL);
    for (int fd = 0; fd < 3; fd++) {
        (void)dup2(kept[fd], fd);
        (void)close(kept[fd]);
    }
    (void)slurp(files[1], result.out, sizeof result.out);
    (void)slurp(files[2], result.err, sizeof result.err);
    (void)fclose(files[0]);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    return &result;
}

#define RUN(command, input, ...)                                                                   \
    run(command, NOTHING, input, (const char *const[]){#command, __VA_ARGS__, NULL})

/* Options that make a message. */
#define MINIMAL "--from", "shop@example.com", "--to", "li@example.net", "--text", "hello"

static void fails(const ran *r, int code, const char *words)
{
    assert_int_equal(r->code, code);
    assert_string_equal(r->out, "");
    assert_memory_equal(r->err, "postern: ", 9);
    assert_non_null(strstr(r->err, words));
    assert_ptr_equal(strchr(r->err, '\n'), r->err + strlen(r->err) - 1);
}

static void wrong_options_are_told_in_one_line(void **state)
{
    (void)state;
    fails(RUN(cli_send, NULL, "--nonsense"), CLI_USAGE, "send has no option --nonsense");
    fails(RUN(cli_send, NULL, "--nonsense=5"), CLI_USAGE, "send has no option --nonsense;");
    fails(RUN(cli_send, NULL, "-x"), CLI_USAGE, "send has no option -x;");
    fails(RUN(cli_send, NULL, "-ix"), CLI_USAGE, "send has no option -ix;");
    fails(RUN(cli_send, NULL, "--to"), CLI_USAGE, "--to needs a value");
    fails(RUN(cli_send, NULL, "--transcript=yes"), CLI_USAGE, "--transcript takes no value");
    fails(RUN(cli_send, NULL, "li@example.net"), CLI_USAGE, "send takes no argument");
    fails(RUN(cli_send, NULL, "--", "--to"), CLI_USAGE, "send takes no argument --to");
    fails(RUN(cli_send, NULL, "--subject", "a", "-s", "b"), CLI_USAGE, "--subject is there twice");
    fails(RUN(cli_send, NULL, "-H", "No colon"), CLI_USAGE, "--header has no colon");
    fails(RUN(cli_send, NULL, "-H", "A: b", "-H", "A: c"), CLI_USAGE, "A is there twice");
    fails(RUN(cli_send, NULL, "--inline", "/dev/null"), CLI_USAGE, "--inline needs a content id");
    fails(RUN(cli_send, "x", "--text", "-", "--html", "-"), CLI_USAGE, "stdin (-) is there twice");
    fails(RUN(cli_send, NULL, "--json", "a", "--json", "b"), CLI_USAGE, "--json is there twice");
    fails(RUN(cli_compose, NULL, MINIMAL, "--json", "-"), CLI_USAGE, "--json is the whole request");
    fails(RUN(cli_check, NULL, "--from", "nobody"), CLI_USAGE, "--from: ");
    fails(RUN(cli_version, NULL, "x"), CLI_USAGE, "version takes no argument x");
    fails(RUN(cli_help, NULL, "nonsense"), CLI_USAGE, "there is no command nonsense");
}

static void files_that_can_not_be_read_are_told(void **state)
{
    (void)state;
    fails(RUN(cli_send, NULL, "--text", "@/nonexistent"), CLI_NO_INPUT, "Can't read /nonexistent:");
    fails(RUN(cli_send, NULL, "--attach", "/nonexistent;type=a/b"), CLI_NO_INPUT,
          "Can't read /nonexistent:");
    fails(RUN(cli_compose, NULL, "--json", "/nonexistent"), CLI_NO_INPUT,
          "Can't read /nonexistent:");
}

static void text_that_is_not_utf8_is_refused(void **state)
{
    (void)state;
    fails(RUN(cli_send, NULL, "--subject", "\xFF"), CLI_DATA, "--subject is not UTF-8");
    fails(RUN(cli_send, "\xFF", "--text", "-"), CLI_DATA, "--text is not UTF-8");
    fails(RUN(cli_send, NULL, "--header", "X-A: \xFF"), CLI_DATA, "--header is not UTF-8");
    fails(RUN(cli_send, NULL, "--header", "X-\xFF: a"), CLI_DATA, "--header is not UTF-8");
    fails(RUN(cli_send, NULL, "--attach", "/dev/null;name=\xFF"), CLI_DATA,
          "--attach is not UTF-8");
}

static void options_make_the_same_message_as_json(void **state)
{
    (void)state;
    static char from_options[16384], from_json[16384];
    const ran *r = RUN(cli_compose, "from stdin", "--from", "Shop <shop@example.com>",
                       "--to=a@example.net", "-t", "b@example.net", "--cc", "c@example.net",
                       "--bcc", "hidden@example.net", "--reply-to", "r@example.com", "-s",
                       "\xE6\x82\xA8", "--text", "-", "-H", "X-Order:  12: 3", "-H",
                       "X-Empty:", "--envelope-from", "bounce@example.com", "--transcript");
    assert_int_equal(r->code, CLI_OK);
    assert_string_equal(r->err, "");
    assert_null(strstr(r->out, "hidden"));
    memcpy(from_options, r->out, sizeof from_options);
    r = RUN(
        cli_compose,
        "{\"from\": \"Shop <shop@example.com>\", \"to\": [\"a@example.net\", \"b@example.net\"],"
        " \"cc\": [\"c@example.net\"], \"bcc\": \"hidden@example.net\", \"reply_to\": "
        "\"r@example.com\", \"subject\": \"\xE6\x82\xA8\", \"text\": \"from stdin\", "
        "\"headers\": {\"X-Order\": \"12: 3\", \"X-Empty\": \"\"}}",
        "--json", "-");
    assert_int_equal(r->code, CLI_OK);
    /* The same, but for date and id, which stand in two fields. */
    memcpy(from_json, r->out, sizeof from_json);
    char *texts[] = {from_options, from_json};
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < 2; k++) {
            char *field = strstr(texts[i], k ? "Message-ID: " : "Date: ");
            assert_non_null(field);
            memset(field, '-', strcspn(field, "\r"));
        }
    assert_string_equal(texts[0], texts[1]);
}

static void attachments_take_name_type_and_content_id(void **state)
{
    (void)state;
    char path[] = "/tmp/postern;test-XXXXXX", spec[128], named[128];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd,
                           "\0\xFF\x10"
                           "abc",
                           6),
                     6);
    (void)close(fd);
    (void)snprintf(spec, sizeof spec, "%s;cid=logo@x;type=image/png", path);
    (void)snprintf(named, sizeof named, "%s;name=a;b.txt;type=text/plain; charset=utf-8", path);
    const ran *r = RUN(cli_compose, NULL, MINIMAL, "--html", "<img src=\"cid:logo@x\">", "--inline",
                       spec, "-a", named, "--attach", path);
    (void)unlink(path);
    assert_int_equal(r->code, CLI_OK);
    assert_non_null(strstr(r->out, "Content-ID: <logo@x>"));
    assert_non_null(strstr(r->out, "Content-Type: image/png"));
    assert_non_null(strstr(r->out, "Content-Disposition: inline"));
    assert_non_null(strstr(r->out, "filename=\"a;b.txt\""));
    assert_non_null(strstr(r->out, "charset=utf-8"));
    assert_non_null(strstr(r->out, "Content-Type: application/octet-stream"));
    assert_non_null(strstr(r->out, strrchr(path, '/') + 1));
    const char *content = "\r\n\r\nAP8QYWJj\r\n";
    size_t count = 0;
    for (const char *at = r->out; (at = strstr(at, content)); at++)
        count++;
    assert_int_equal(count, 3);
}

static void attachments_may_come_from_stdin_or_be_empty(void **state)
{
    (void)state;
    const ran *r = RUN(cli_compose, "piped", MINIMAL, "--attach", "-;name=log.txt", "-a",
                       "/dev/null;name=empty.bin");
    assert_int_equal(r->code, CLI_OK);
    assert_non_null(strstr(r->out, "filename=\"log.txt\""));
    assert_non_null(strstr(r->out, "\r\n\r\ncGlwZWQ=\r\n"));
    assert_non_null(strstr(r->out, "filename=\"empty.bin\""));
}

/* The problem on one of the streams. */
static json_t *problem(const char *text)
{
    json_t *p = json_loads(text, 0, NULL);
    assert_non_null(p);
    assert_string_equal(json_string_value(json_object_get(p, "outcome")), "not_sent");
    return p;
}

static void faults_of_the_message_are_a_problem(void **state)
{
    (void)state;
    const char *const alone[] = {"compose", NULL};
    const ran *r = RUN(cli_compose, NULL, "--to", "nobody", "--subject", "x");
    assert_int_equal(r->code, CLI_DATA);
    assert_string_equal(r->out, "");
    json_t *p = problem(r->err);
    assert_int_equal(json_array_size(json_object_get(p, "errors")), 3);
    json_decref(p);
    r = run(cli_compose, NOTHING, "{\"from\": ", alone);
    assert_int_equal(r->code, CLI_DATA);
    json_decref(problem(r->err));
    r = run(cli_compose, NOTHING, "", alone);
    assert_int_equal(r->code, CLI_DATA);
    json_decref(problem(r->err));

    const char *const relay[] = {"POSTERN_RELAY=smtp://127.0.0.1:1?tls=none",
                                 "POSTERN_FROM=example.org", NULL};
    const char *const arguments[] = {"send", MINIMAL, NULL};
    r = run(cli_send, relay, NULL, arguments);
    assert_int_equal(r->code, CLI_DATA);
    assert_string_equal(r->err, "");
    p = problem(r->out);
    assert_int_equal(json_integer_value(json_object_get(p, "status")), 403);
    json_decref(p);
}

static void nothing_is_sent_without_a_relay(void **state)
{
    (void)state;
    const ran *r = RUN(cli_send, NULL, MINIMAL);
    assert_int_equal(r->code, CLI_CONFIGURATION);
    json_t *p = problem(r->out);
    assert_int_equal(json_integer_value(json_object_get(p, "status")), 503);
    json_decref(p);
    fails(RUN(cli_check, NULL, "--json"), CLI_CONFIGURATION, "no relay is configured");
    const char *const relay[] = {"POSTERN_RELAY=smtp://127.0.0.1:1?tls=none", NULL};
    const char *const arguments[] = {"check", "default", "other", NULL};
    fails(run(cli_check, relay, NULL, arguments), CLI_USAGE, "no relay of the name other");
}

static void wrong_settings_stop_every_command_that_reads_them(void **state)
{
    (void)state;
    const char *const wrong[] = {"POSTERN_TIMEOUT=soon", "POSTERN_TYPO=1", NULL};
    const char *const arguments[] = {"x", NULL};
    entry *const commands[] = {cli_send, cli_compose, cli_check};
    for (size_t i = 0; i < 3; i++) {
        const ran *r = run(commands[i], wrong, "{}", arguments);
        assert_int_equal(r->code, CLI_CONFIGURATION);
        assert_string_equal(r->out, "");
        assert_non_null(strstr(r->err, "POSTERN_TIMEOUT: "));
        assert_non_null(strstr(r->err, "POSTERN_TYPO: "));
    }
}

static void every_command_has_a_manual(void **state)
{
    (void)state;
    static const char *const names[] = {"serve",  "send",    "compose", "check",
                                        "health", "version", "help"};
    static char manual[16384];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const ran *r = RUN(cli_help, NULL, names[i]);
        assert_int_equal(r->code, CLI_OK);
        assert_memory_equal(r->out, "usage: postern ", 15);
        assert_non_null(strstr(r->out, names[i]));
    }
    assert_int_equal(RUN(cli_help, NULL, "send", "check")->code, CLI_USAGE);
    memcpy(manual, RUN(cli_help, NULL, "send")->out, sizeof manual);
    const ran *r = RUN(cli_send, NULL, "--to", "x", "--help");
    assert_int_equal(r->code, CLI_OK);
    assert_string_equal(r->out, manual);
    for (const char *line = manual; *line; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 80);
}

static void presets_and_versions_are_listed(void **state)
{
    (void)state;
    const ran *r = RUN(cli_check, NULL, "--presets");
    assert_int_equal(r->code, CLI_OK);
    assert_non_null(strstr(r->out, "gmail://"));
    assert_non_null(strstr(r->out, "qq://"));
    const char *const arguments[] = {"version", NULL};
    r = run(cli_version, NOTHING, NULL, arguments);
    assert_int_equal(r->code, CLI_OK);
    assert_memory_equal(r->out, "postern " POSTERN_VERSION "\n", strlen(POSTERN_VERSION) + 9);
}

static void output_that_nobody_takes_is_a_fault(void **state)
{
    (void)state;
    buf text = BUF_INIT;
    FILE *full = fopen("/dev/full", "we");
    buf_adds(&text, "text");
    assert_non_null(full);
    int kept = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    (void)dup2(null, STDERR_FILENO);
    assert_int_equal(cli_print(full, &text), CLI_OUTPUT);
    (void)dup2(kept, STDERR_FILENO);
    (void)close(kept);
    (void)close(null);
    (void)fclose(full);
    buf_free(&text);
}

static void indenting_changes_no_value(void **state)
{
    (void)state;
    static const char compact[] = "{\"a\":[],\"b\":{},\"c\":[1,{\"d\":\"x,\\\"{[:]}\\\\\"}],\"e\":"
                                  "1.500,\"f\":[[]],\"g\":\"\"}\n";
    buf json = BUF_INIT, out = BUF_INIT;
    buf_adds(&json, compact);
    cli_indent(&json, &out);
    assert_string_equal(buf_cstr(&out), "{\n"
                                        "  \"a\": [],\n"
                                        "  \"b\": {},\n"
                                        "  \"c\": [\n"
                                        "    1,\n"
                                        "    {\n"
                                        "      \"d\": \"x,\\\"{[:]}\\\\\"\n"
                                        "    }\n"
                                        "  ],\n"
                                        "  \"e\": 1.500,\n"
                                        "  \"f\": [\n"
                                        "    []\n"
                                        "  ],\n"
                                        "  \"g\": \"\"\n"
                                        "}\n");
    static const char *const odd[] = {"", "}", "]", "\"", "\"\\", "{", "[1", "}}]", "\"a\\\""};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        buf_clear(&json);
        buf_clear(&out);
        buf_adds(&json, odd[i]);
        cli_indent(&json, &out);
        assert_true(buf_ok(&out));
    }
    buf_free(&json);
    buf_free(&out);
}

static void what_a_relay_says_can_not_steer_the_terminal(void **state)
{
    (void)state;
    buf out = BUF_INIT;
    cli_add_visible(&out, "a\nb\x1B[2J\r\x7F\xC2\x9B\xFF\xE7\xAE\x80\xC2\xA0");
    assert_string_equal(buf_cstr(&out), "a / b?[2J????\xE7\xAE\x80\xC2\xA0");
    buf_free(&out);
}

static void words_are_wrapped_at_80_columns(void **state)
{
    (void)state;
    char longest[101];
    memset(longest, 'w', 100);
    longest[100] = '\0';
    buf text = BUF_INIT, out = BUF_INIT;
    for (int i = 0; i < 30; i++)
        buf_adds(&text, " seven77");
    buf_addf(&text, " %s tail\n\nsecond  paragraph", longest);
    wrap_text(&out, buf_cstr(&text), 4);
    char *wrapped = buf_take(&out);
    size_t lines = 0;
    for (const char *line = wrapped; *line; line += strcspn(line, "\n") + 1, lines++) {
        size_t len = strcspn(line, "\n");
        assert_true(len <= 80 || len == 104);
        assert_true(len == 0 || strspn(line, " ") == 4);
    }
    assert_int_equal(lines, 4 + 1 + 1 + 1 + 1);
    assert_non_null(strstr(wrapped, "\n    tail\n\n    second paragraph\n"));
    free(wrapped);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_options_are_told_in_one_line),
        cmocka_unit_test(files_that_can_not_be_read_are_told),
        cmocka_unit_test(text_that_is_not_utf8_is_refused),
        cmocka_unit_test(options_make_the_same_message_as_json),
        cmocka_unit_test(attachments_take_name_type_and_content_id),
        cmocka_unit_test(attachments_may_come_from_stdin_or_be_empty),
        cmocka_unit_test(faults_of_the_message_are_a_problem),
        cmocka_unit_test(nothing_is_sent_without_a_relay),
        cmocka_unit_test(wrong_settings_stop_every_command_that_reads_them),
        cmocka_unit_test(every_command_has_a_manual),
        cmocka_unit_test(presets_and_versions_are_listed),
        cmocka_unit_test(output_that_nobody_takes_is_a_fault),
        cmocka_unit_test(indenting_changes_no_value),
        cmocka_unit_test(what_a_relay_says_can_not_steer_the_terminal),
        cmocka_unit_test(words_are_wrapped_at_80_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
