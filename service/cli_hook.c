/*
 * cli_hook - `postern hook`: tries a webhook without sending anything (test), or prints the command
 * that sends one as its sender would (sign).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"
#include "service/cli.h"
#include "service/cli_options.h"
#include "service/cli_tool.h"
#include "service/hooks.h"
#include "service/ids.h"
#include "service/request.h"

#define HEADERS_MOST 32

typedef struct header_line {
    char *name, *value; /* one allocation, at `name` */
} header_line;

typedef struct trial {
    const char *operands[3]; /* test or sign, the hook's name, a file */
    size_t operand_count;
    const char *event;
    header_line headers[HEADERS_MOST];
    size_t header_count;
    const config_hook *hook;
    const char *token; /* of the path */
    const char *body;
    size_t len;
} trial;

/* ---- options ---- */

/* "Name: value", without blanks around the value. */
static int add_header(trial *t, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);

    if (!colon || colon == line)
        return cli_complain(CLI_USAGE, "--header takes a line such as \"X-Event: push\"");
    if (t->header_count == HEADERS_MOST)
        return cli_complain(CLI_USAGE, "there are more than %d headers", HEADERS_MOST);
    char *copy = strndup(line, len);
    if (!copy)
        return cli_no_memory();
    copy[colon - line] = '\0';
    char *value = copy + (colon - line) + 1;
    value += strspn(value, " \t");
    for (size_t n = strlen(value); n > 0 && (value[n - 1] == ' ' || value[n - 1] == '\t'); n--)
        value[n - 1] = '\0';
    t->headers[t->header_count++] = (header_line){copy, value};
    return CLI_OK;
}

static int take_header(void *ctx, const cli_option *o, const char *value)
{
    (void)o;
    return add_header(ctx, value, strlen(value));
}

static int take_event(void *ctx, const cli_option *o, const char *value)
{
    trial *t = ctx;
    (void)o;
    t->event = value;
    return CLI_OK;
}

static int take_operand(void *ctx, const char *value)
{
    trial *t = ctx;
    if (t->operand_count == 3)
        return cli_complain(CLI_USAGE, "hook takes test or sign, a hook's name and a file");
    t->operands[t->operand_count++] = value;
    return CLI_OK;
}

static const cli_option OPTIONS[] = {
    {"event", 'e', "EVENT", "The event, where the service names it in a header.", NULL, take_event},
    {"header", 'H', "'NAME: VALUE'",
     "A header that came with the payload; with those of its signature, the signature is verified.",
     NULL, take_header},
    {NULL, 0, NULL, NULL, NULL, NULL},
};

const cli_manual cli_hook_manual = {
    .name = "hook",
    .usage = "test|sign NAME FILE [OPTION]...",
    .summary = "Tries one of the configured hooks with a payload from a file (- is stdin).",
    .text = "test: verifies the payload, renders it and prints the mail as .eml; nothing is sent. "
            "Without the headers of a signature it signs by itself, and says so.\n"
            "sign: prints the curl command with which the service would send the payload; a secret "
            "is not shown.\n\n"
            "exit code: 0 printed, or there is nothing to send; 1 the signature is not right; 64 "
            "wrong options; 65 the payload is not valid; 66 a file can't be read; 78 wrong "
            "settings, or no such hook.",
    .options = OPTIONS,
};

/* ---- headers ---- */

static const char *header_of(void *ctx, const char *name)
{
    const trial *t = ctx;
    for (size_t i = 0; i < t->header_count; i++) {
        if (strcasecmp(t->headers[i].name, name) == 0)
            return t->headers[i].value;
    }
    return NULL;
}

static int set_header(trial *t, const char *name, const char *value)
{
    buf line = BUF_INIT;
    buf_addf(&line, "%s: %s", name, value);
    int code = header_of(t, name) ? CLI_OK
               : buf_ok(&line)    ? add_header(t, line.data, line.len)
                                  : cli_no_memory();
    buf_free(&line);
    return code;
}

static int add_lines(trial *t, const buf *lines)
{
    int code = CLI_OK;
    for (size_t at = 0; at < lines->len && code == CLI_OK;) {
        const char *end = memchr(lines->data + at, '\n', lines->len - at);
        size_t len = (size_t)(end - lines->data) - at;
        code = add_header(t, lines->data + at, len);
        at += len + 1;
    }
    return code;
}

static int add_event(trial *t)
{
    const hook_source *s = t->hook->event;
    while (s < t->hook->event + HOOK_PROFILE_SOURCES && !s->header)
        s++;
    if (!t->event)
        return CLI_OK;
    if (s == t->hook->event + HOOK_PROFILE_SOURCES)
        return cli_complain(CLI_USAGE, "the event of %s stands in its payload: leave --event out",
                            t->hook->name);
    return set_header(t, s->header, t->event);
}

/* The first scheme and secret that go together and can sign; false: none can. */
static bool choose(const config_hook *h, const hook_scheme **s, const hook_secret **secret)
{
    static const hook_secret none;
    for (size_t i = 0; i < h->scheme_count; i++) {
        *s = &h->schemes[i];
        *secret = &none;
        if ((*s)->method == HOOK_NONE)
            return true;
        for (size_t k = 0; k < h->secret_count && (*s)->method != HOOK_ED25519; k++) {
            *secret = &h->secrets[k];
            if (!hook_secret_unfit(*s, *secret))
                return true;
        }
    }
    return false;
}

static int cannot_sign(const config_hook *h)
{
    return cli_complain(CLI_CONFIGURATION, "%s has a public key alone, with which nobody can sign",
                        h->name);
}

/* ---- test ---- */

static bool is_signed(trial *t)
{
    for (size_t i = 0; i < t->hook->scheme_count; i++) {
        for (size_t k = 0; k < HOOK_FAMILIES; k++) {
            const char *name = t->hook->schemes[i].headers[k].signature;
            if (name && header_of(t, name))
                return true;
        }
    }
    return false;
}

static int sign_itself(trial *t)
{
    const hook_scheme *s = NULL;
    const hook_secret *secret = NULL;
    buf lines = BUF_INIT;
    char id[27];

    if (!choose(t->hook, &s, &secret))
        return cannot_sign(t->hook);
    if (!ids_new_one(id) ||
        !hook_sign(s, secret, id, clock_wall_us() / 1000000, t->body, t->len, &lines)) {
        buf_free(&lines);
        return cli_no_memory();
    }
    t->token = s->method == HOOK_PATH ? secret->text : NULL;
    int code = add_lines(t, &lines);
    buf_free(&lines);
    (void)cli_complain(0, "no signature was given: signed here, as the service would (%s)",
                       s->name);
    return code;
}

static int print_mail(const trial *t, const config *c, const templates *all, hooks_result *result)
{
    document *d = result->document;
    request *r = NULL;
    faults errors;
    char id[27];
    buf problem = BUF_INIT;
    int code = CLI_OK;

    result->document = NULL;
    faults_init(&errors);
    if (!ids_new_one(id)) {
        document_free(d);
        return cli_no_memory();
    }
    switch (request_create_queued(c, all, d, id, time(NULL), &r, &errors)) {
    case REQUEST_OK: code = cli_print_message(r->message); break;
    case REQUEST_NOMEM: code = cli_no_memory(); break;
    default:
        problem_write(&problem, PROBLEM_INVALID, NULL,
                      "Of this payload no valid message can be made.", &errors);
        code = cli_print_json(stderr, &problem, true);
        code = code == CLI_OK ? CLI_DATA : code;
        break;
    }
    (void)t;
    buf_free(&problem);
    faults_free(&errors);
    request_free(r);
    return code;
}

static int show(const trial *t, const config *c, const templates *all, hooks_outcome outcome,
                hooks_result *r)
{
    const char *text = buf_cstr(&r->text);
    switch (text ? outcome : HOOKS_NOMEM) {
    case HOOKS_SEND: return print_mail(t, c, all, r);
    case HOOKS_SKIP: return cli_complain(CLI_OK, "skipped: nothing would be sent");
    case HOOKS_PING: return cli_complain(CLI_OK, "a ping: it would be answered with 200");
    case HOOKS_CHALLENGE: return cli_complain(CLI_OK, "it would be answered with %s", text);
    case HOOKS_UNVERIFIED: return cli_complain(CLI_FAILED, "%s", hook_verdict_text(r->verdict));
    case HOOKS_MEDIA_TYPE:
        return cli_complain(CLI_DATA, "its Content-Type is neither JSON nor a form");
    case HOOKS_BAD:
    case HOOKS_TOO_LARGE: return cli_complain(CLI_DATA, "%s", text);
    case HOOKS_NOMEM: break;
    }
    return cli_no_memory();
}

static int test(trial *t, const config *c)
{
    int code = set_header(t, "Content-Type", "application/json");
    if (code == CLI_OK)
        code = add_event(t);
    if (code == CLI_OK && !is_signed(t) && !t->hook->open)
        code = sign_itself(t);
    templates *all = code == CLI_OK ? cli_templates(c, &code) : NULL;
    if (!all)
        return code;
    const hook_request r = {header_of, t, t->token, t->body, t->len};
    hooks_result result;
    hooks_outcome outcome = hooks_take(t->hook, all, &r, clock_wall_us(), &result);
    code = show(t, c, all, outcome, &result);
    hooks_result_clear(&result);
    templates_drop(all);
    return code;
}

/* ---- sign ---- */

/* In quotes as a shell reads them. */
static void add_quoted(buf *out, const char *text)
{
    buf_addc(out, '\'');
    for (; *text; text++) {
        if (*text == '\'')
            buf_adds(out, "'\\''");
        else
            buf_addc(out, *text);
    }
    buf_addc(out, '\'');
}

static void add_url(buf *out, const config *c, const trial *t, bool path)
{
    const config_listen *l = &c->listen;
    const char *scheme = c->tls_cert ? "https" : "http";

    if (l->kind == CONFIG_LISTEN_UNIX) {
        buf_adds(out, " --unix-socket ");
        add_quoted(out, l->path);
        buf_addf(out, " \"%s://localhost", scheme);
    } else {
        bool any = strcmp(l->host, "0.0.0.0") == 0 || strcmp(l->host, "::") == 0;
        bool v6 = !any && strchr(l->host, ':');
        buf_addf(out, " \"%s://%s%s%s:%u", scheme, v6 ? "[" : "", any ? "localhost" : l->host,
                 v6 ? "]" : "", l->port);
    }
    buf_addf(out, "/v1/hooks/%s%s\"", t->hook->name, path ? "/$SECRET" : "");
}

/* A secret stands as $SECRET. */
static bool add_proof(trial *t, const hook_scheme *s, const hook_secret *secret, const char *id,
                      buf *out)
{
    buf lines = BUF_INIT;
    bool ok = true;

    if (s->method == HOOK_BASIC) {
        buf_adds(out, " \\\n  -u \"$SECRET\"");
    } else if (s->method == HOOK_TOKEN) {
        buf_addf(out, " \\\n  -H \"%s: %s%s$SECRET\"", s->headers[0].signature, s->prefix,
                 *s->prefix ? " " : "");
    } else {
        ok = hook_sign(s, secret, id, clock_wall_us() / 1000000, t->body, t->len, &lines) &&
             add_lines(t, &lines) == CLI_OK;
    }
    buf_free(&lines);
    return ok;
}

static int sign(trial *t, const config *c)
{
    const hook_scheme *s = NULL;
    const hook_secret *secret = NULL;
    const hook_source *delivery = t->hook->delivery;
    buf out = BUF_INIT;
    char id[27];

    if (!choose(t->hook, &s, &secret))
        return cannot_sign(t->hook);
    int code = set_header(t, "Content-Type", "application/json");
    if (code == CLI_OK)
        code = add_event(t);
    if (code == CLI_OK && !ids_new_one(id))
        code = cli_no_memory();
    if (code != CLI_OK)
        return code;
    buf_adds(&out, "curl -X POST");
    add_url(&out, c, t, s->method == HOOK_PATH);
    if (!add_proof(t, s, secret, id, &out))
        code = cli_no_memory();
    if (code == CLI_OK && delivery->header)
        code = set_header(t, delivery->header, id);
    for (size_t i = 0; i < t->header_count; i++) {
        buf line = BUF_INIT;
        buf_addf(&line, "%s: %s", t->headers[i].name, t->headers[i].value);
        const char *text = buf_cstr(&line);
        buf_adds(&out, " \\\n  -H ");
        add_quoted(&out, text ? text : "");
        buf_free(&line);
    }
    buf_adds(&out, " \\\n  --data-binary ");
    buf file = BUF_INIT;
    buf_addf(&file, "@%s", t->operands[2]);
    const char *path = buf_cstr(&file);
    add_quoted(&out, path ? path : "");
    buf_free(&file);
    buf_addc(&out, '\n');
    if (code == CLI_OK)
        code = cli_print(stdout, &out);
    buf_free(&out);
    return code;
}

/* ---- the command ---- */

static int run(trial *t, const config *c)
{
    bool signs = strcmp(t->operands[0], "sign") == 0;
    int code = CLI_OK;
    size_t len = 0;

    t->hook = config_hook_find(c, t->operands[1], strlen(t->operands[1]));
    if (!t->hook)
        return cli_complain(CLI_CONFIGURATION, "no hook %s is configured", t->operands[1]);
    char *content = cli_read(t->operands[2], &len, &code);
    if (!content)
        return code;
    t->body = content;
    t->len = len;
    code = signs ? sign(t, c) : test(t, c);
    free(content);
    return code;
}

int cli_hook(int argc, char **argv, const char *const *environment)
{
    trial t = {.operand_count = 0};
    const cli_options sets[] = {{OPTIONS, &t}, {NULL, NULL}};
    config *c = NULL;

    int code = cli_parse(&cli_hook_manual, argc, argv, sets, take_operand, &t);
    if (code == CLI_OK && (t.operand_count != 3 || (strcmp(t.operands[0], "test") != 0 &&
                                                    strcmp(t.operands[0], "sign") != 0)))
        code = cli_complain(CLI_USAGE, "hook takes test or sign, a hook's name and a file; see "
                                       "postern help hook");
    if (code == CLI_OK)
        c = cli_config(environment, &code);
    if (c)
        code = run(&t, c);
    config_free(c);
    for (size_t i = 0; i < t.header_count; i++)
        free(t.headers[i].name);
    return code == CLI_HELPED ? CLI_OK : code;
}
