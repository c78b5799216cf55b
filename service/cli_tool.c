#include "service/cli_tool.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/utf8.h"
#include "service/cli.h"
#include "service/file.h"

#define INPUT_MAX     ((size_t)1 << 30)
#define INPUT_CHUNK   65536
#define QUIT_GRACE_US INT64_C(1000000)

int cli_complain(int code, const char *format, ...)
{
    buf line = BUF_INIT;
    va_list args;

    buf_adds(&line, "postern: ");
    va_start(args, format);
    buf_addv(&line, format, args);
    va_end(args);
    buf_addc(&line, '\n');
    (void)fwrite(line.data, 1, line.len, stderr);
    buf_free(&line);
    return code;
}

int cli_no_memory(void)
{
    (void)fputs("postern: out of memory\n", stderr); /* which takes none */
    return CLI_NO_MEMORY;
}

int cli_print(FILE *to, const buf *text)
{
    if (!buf_ok(text))
        return cli_no_memory();
    if (fwrite(text->data, 1, text->len, to) != text->len || fflush(to) != 0) {
        char why[128];
        return cli_complain(CLI_OUTPUT, "can't write: %s", strerror_r(errno, why, sizeof why));
    }
    return CLI_OK;
}

static void new_line(buf *out, size_t level)
{
    buf_addf(out, "\n%*s", (int)(2 * level), "");
}

/* The bytes of the string that begins at `at`, both quotes included. */
static size_t string_length(const char *at, const char *end)
{
    const char *p = at + 1;
    while (p < end && *p != '"')
        p += *p == '\\' && p + 1 < end ? 2 : 1;
    return (size_t)(p - at) + (p < end);
}

void cli_indent(const buf *json, buf *out)
{
    const char *end = json->data + json->len;
    size_t level = 0;

    for (const char *p = json->data; p < end; p++) {
        if (*p == '"') {
            size_t len = string_length(p, end);
            buf_add(out, p, len);
            p += len - 1;
        } else if ((*p == '{' || *p == '[') && p + 1 < end && p[1] != *p + 2) {
            buf_addc(out, *p);
            new_line(out, ++level);
        } else if ((*p == '}' || *p == ']') && p > json->data && p[-1] != *p - 2) {
            new_line(out, level > 0 ? --level : 0);
            buf_addc(out, *p);
        } else {
            buf_addc(out, *p);
            if (*p == ',')
                new_line(out, level);
            else if (*p == ':')
                buf_addc(out, ' ');
        }
    }
}

int cli_print_json(FILE *to, const buf *json, bool indent)
{
    buf text = BUF_INIT;

    if (!buf_ok(json))
        return cli_no_memory();
    if (!indent && !isatty(fileno(to)))
        return cli_print(to, json);
    cli_indent(json, &text);
    int code = cli_print(to, &text);
    buf_free(&text);
    return code;
}

int cli_print_message(const mime_message *m)
{
    buf bytes = BUF_INIT;
    int code = CLI_OK;
    mime_reader *reader = mime_reader_create(m);

    if (!reader || !buf_reserve(&bytes, INPUT_CHUNK))
        code = cli_no_memory();
    while (code == CLI_OK && (bytes.len = mime_reader_read(reader, bytes.data, INPUT_CHUNK)) > 0)
        code = cli_print(stdout, &bytes);
    buf_free(&bytes);
    mime_reader_free(reader);
    return code;
}

void cli_add_visible(buf *out, const char *text)
{
    size_t len = strlen(text);

    for (size_t at = 0; at < len;) {
        uint32_t point = 0;
        size_t n = utf8_decode(text + at, len - at, &point);
        if (n > 0 && point == '\n')
            buf_adds(out, " / ");
        else if (n == 0 || point < ' ' || (point >= 0x7F && point < 0xA0))
            buf_addc(out, '?');
        else
            buf_add(out, text + at, n);
        at += n ? n : 1;
    }
}

config *cli_config(const char *const *environment, int *code)
{
    buf faults = BUF_INIT;
    config *c = config_load_command(environment, &faults);

    if (!c) {
        *code = CLI_CONFIGURATION;
        if (buf_ok(&faults))
            (void)fwrite(faults.data, 1, faults.len, stderr);
        else
            *code = cli_no_memory();
    }
    buf_free(&faults);
    return c;
}

/* Everything that stdin has. */
static bool read_stdin(buf *out)
{
    while (out->len <= INPUT_MAX) {
        if (!buf_reserve(out, INPUT_CHUNK)) {
            errno = ENOMEM;
            return false;
        }
        ssize_t n = read(STDIN_FILENO, out->data + out->len, out->cap - out->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0;
        out->len += (size_t)n;
    }
    errno = EFBIG;
    return false;
}

char *cli_read(const char *path, size_t *len, int *code)
{
    char *error = NULL;
    char *content = NULL;
    buf input = BUF_INIT;

    if (strcmp(path, "-") != 0) {
        content = file_read(path, INPUT_MAX, len, &error);
        if (!content)
            *code = error ? cli_complain(CLI_NO_INPUT, "%s", error) : cli_no_memory();
        free(error);
        return content;
    }
    if (read_stdin(&input)) {
        *len = input.len;
        content = buf_take(&input);
        if (!content)
            *code = cli_no_memory();
    } else {
        char why[128];
        *code =
            cli_complain(CLI_NO_INPUT, "Can't read stdin: %s.", strerror_r(errno, why, sizeof why));
    }
    buf_free(&input);
    return content;
}

smtp_sender *cli_sender(const config *c)
{
    const smtp_sender_options options = {.threads = 1, .idle_us = c->session_idle_us};
    char *error = NULL;
    smtp_sender *s = smtp_sender_create(&options, &error);

    if (!s)
        (void)cli_complain(CLI_NO_MEMORY, "%s", error ? error : "out of memory");
    free(error);
    return s;
}

void cli_sender_free(smtp_sender *s)
{
    if (!s)
        return;
    smtp_sender_stop(s, QUIT_GRACE_US);
    smtp_sender_free(s);
}

void cli_wait_init(cli_wait *w)
{
    *w = (cli_wait){.done = false};
    (void)pthread_mutex_init(&w->mutex, NULL); /* neither can fail with default attributes */
    (void)pthread_cond_init(&w->changed, NULL);
}

void cli_wait_done(void *ctx, smtp_result *result)
{
    cli_wait *w = ctx;

    (void)pthread_mutex_lock(&w->mutex);
    w->result = result;
    w->done = true;
    (void)pthread_cond_signal(&w->changed); /* under the lock: the waiter destroys it afterwards */
    (void)pthread_mutex_unlock(&w->mutex);
}

smtp_result *cli_wait_end(cli_wait *w)
{
    (void)pthread_mutex_lock(&w->mutex);
    while (!w->done)
        (void)pthread_cond_wait(&w->changed, &w->mutex);
    (void)pthread_mutex_unlock(&w->mutex);
    (void)pthread_cond_destroy(&w->changed);
    (void)pthread_mutex_destroy(&w->mutex);
    return w->result;
}
