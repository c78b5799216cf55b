#include "service/cli_draft.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mime/base64.h"
#include "service/cli.h"
#include "service/cli_tool.h"
#include "service/features.h"
#include "service/ids.h"

/* A command has no bound of its own on what one request may be. */
#define RECIPIENTS_MAX 10000

/* Puts a new value into the document; NULL is memory that ran out. */
static int set_member(cli_draft *d, const cli_option *o, json_t *value)
{
    if (json_object_get(d->document, o->member)) {
        json_decref(value);
        return cli_complain(CLI_USAGE, "--%s is there twice", o->name);
    }
    return json_object_set_new(d->document, o->member, value) == 0 ? CLI_OK : cli_no_memory();
}

/* A JSON string of text; NULL, and *code the exit code, after having complained. */
static json_t *make_string(const cli_option *o, const char *text, size_t len, int *code)
{
    json_t *string = json_stringn(text, len);
    if (!string)
        *code = cli_complain(CLI_DATA, "--%s is not UTF-8, or too large for the memory", o->name);
    return string;
}

static int take_string(void *ctx, const cli_option *o, const char *value)
{
    int code = CLI_OK;
    json_t *string = make_string(o, value, strlen(value), &code);
    return string ? set_member(ctx, o, string) : code;
}

static int take_true(void *ctx, const cli_option *o, const char *value)
{
    (void)value;
    return set_member(ctx, o, json_true());
}

/* Adds to a list, which the first item makes. */
static int append(cli_draft *d, const cli_option *o, json_t *item)
{
    json_t *list = json_object_get(d->document, o->member);

    if (!list) {
        int code = set_member(d, o, json_array());
        if (code != CLI_OK) {
            json_decref(item);
            return code;
        }
        list = json_object_get(d->document, o->member);
    }
    return json_array_append_new(list, item) == 0 ? CLI_OK : cli_no_memory();
}

static int take_item(void *ctx, const cli_option *o, const char *value)
{
    int code = CLI_OK;
    json_t *string = make_string(o, value, strlen(value), &code);
    return string ? append(ctx, o, string) : code;
}

/* Reads a file or stdin, which can be read once only. */
static char *read_input(cli_draft *d, const char *path, size_t *len, int *code)
{
    if (strcmp(path, "-") == 0) {
        if (d->stdin_taken) {
            *code = cli_complain(CLI_USAGE, "stdin (-) is there twice");
            return NULL;
        }
        d->stdin_taken = true;
    }
    return cli_read(path, len, code);
}

/* The text itself, "@file" or "-". */
static int take_text(void *ctx, const cli_option *o, const char *value)
{
    bool is_stdin = strcmp(value, "-") == 0;
    int code = CLI_OK;
    size_t len = 0;

    if (!is_stdin && value[0] != '@')
        return take_string(ctx, o, value);
    char *content = read_input(ctx, is_stdin ? value : value + 1, &len, &code);
    if (!content)
        return code;
    json_t *string = make_string(o, content, len, &code);
    free(content);
    return string ? set_member(ctx, o, string) : code;
}

/* JSON, in the same ways. */
static int take_json(void *ctx, const cli_option *o, const char *value)
{
    bool is_stdin = strcmp(value, "-") == 0, is_file = value[0] == '@';
    char *content = NULL;
    int code = CLI_OK;
    size_t len = strlen(value);
    json_error_t error;

    if (is_stdin || is_file) {
        content = read_input(ctx, is_stdin ? value : value + 1, &len, &code);
        if (!content)
            return code;
    }
    json_t *read = json_loadb(content ? content : value, len,
                              JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    free(content);
    if (!read)
        return cli_complain(CLI_DATA, "--%s is not JSON: line %d, column %d: %s", o->name,
                            error.line, error.column, error.text);
    return set_member(ctx, o, read);
}

/* --- attachments -------------------------------------------------------------------------------
 */

/* "FILE;type=…;name=…;cid=…": a part of a member begins at its mark and ends at the next one, so
 * that a type may have parameters and a file's name a semicolon. */
static const struct {
    const char *mark, *member;
} ATTACHMENT_PARTS[] = {
    {";type=", "content_type"}, {";name=", "filename"}, {";cid=", "content_id"}};

#define PARTS (sizeof ATTACHMENT_PARTS / sizeof *ATTACHMENT_PARTS)

static bool is_mark(const char *s, size_t part)
{
    return strncmp(s, ATTACHMENT_PARTS[part].mark, strlen(ATTACHMENT_PARTS[part].mark)) == 0;
}

/* Length up to the next mark or the end; *part which mark it is, PARTS at the end. */
static size_t until_mark(const char *s, size_t *part)
{
    const char *p = s;
    for (; *p; p++)
        for (*part = 0; *part < PARTS; ++*part)
            if (is_mark(p, *part))
                return (size_t)(p - s);
    *part = PARTS;
    return (size_t)(p - s);
}

static bool set_text(json_t *object, const char *member, const char *text, size_t len)
{
    return json_object_set_new(object, member, json_stringn(text, len)) == 0;
}

/* The parts behind the file's name; where they begin at `spec`. */
static int set_parts(const cli_option *o, json_t *object, const char *spec, size_t part)
{
    while (part < PARTS) {
        const char *value = spec + strlen(ATTACHMENT_PARTS[part].mark);
        const char *member = ATTACHMENT_PARTS[part].member;
        size_t len = until_mark(value, &part);
        if (!set_text(object, member, value, len))
            return cli_complain(CLI_DATA, "--%s is not UTF-8", o->name);
        spec = value + len;
    }
    return CLI_OK;
}

static bool set_content(json_t *object, const char *octets, size_t len)
{
    char *text = malloc(4 * ((len + 2) / 3) + 1);
    if (!text)
        return false;
    size_t n = mime_base64_encode(octets, len, text);
    bool ok = json_object_set_new(object, "content", json_stringn_nocheck(text, n)) == 0;
    free(text);
    return ok;
}

/* Fills the attachment's object from "FILE;…". */
static int fill_attachment(cli_draft *d, const cli_option *o, const char *spec, json_t *object)
{
    size_t part = PARTS;
    size_t path_len = until_mark(spec, &part);
    size_t len = 0;
    int code = CLI_OK;

    char *path = strndup(spec, path_len);
    char *content = path ? read_input(d, path, &len, &code) : NULL;
    if (!path)
        code = cli_no_memory();
    if (content) {
        const char *slash = strrchr(path, '/');
        const char *name = slash ? slash + 1 : path;
        if (strcmp(path, "-") != 0 && !set_text(object, "filename", name, strlen(name)))
            code = cli_complain(CLI_DATA,
                                "--%s: the file's name is not UTF-8; give it a ;name=", o->name);
        else if (!set_content(object, content, len))
            code = cli_no_memory();
        else
            code = set_parts(o, object, spec + path_len, part);
    }
    free(content);
    free(path);
    return code;
}

static int add_attachment(cli_draft *d, const cli_option *o, const char *spec,
                          const char *disposition)
{
    json_t *object = json_object();

    if (!object || !set_text(object, "disposition", disposition, strlen(disposition))) {
        json_decref(object);
        return cli_no_memory();
    }
    int code = fill_attachment(d, o, spec, object);
    if (code != CLI_OK) {
        json_decref(object);
        return code;
    }
    return append(d, o, object);
}

static int take_attachment(void *ctx, const cli_option *o, const char *value)
{
    return add_attachment(ctx, o, value, "attachment");
}

static int take_inline(void *ctx, const cli_option *o, const char *value)
{
    if (!strstr(value, ";cid="))
        return cli_complain(CLI_USAGE, "--%s needs a content id: FILE;cid=ID", o->name);
    return add_attachment(ctx, o, value, "inline");
}

/* --- the rest ----------------------------------------------------------------------------------
 */

/* "Name: value" */
static int take_header(void *ctx, const cli_option *o, const char *value)
{
    cli_draft *d = ctx;
    const char *colon = strchr(value, ':');
    int code = CLI_OK;

    if (!colon)
        return cli_complain(CLI_USAGE, "--%s has no colon: 'Name: value'", o->name);
    json_t *headers = json_object_get(d->document, o->member);
    if (!headers) {
        code = set_member(d, o, json_object());
        if (code != CLI_OK)
            return code;
        headers = json_object_get(d->document, o->member);
    }
    char *name = strndup(value, (size_t)(colon - value));
    const char *text = colon + 1 + strspn(colon + 1, " ");
    if (!name)
        code = cli_no_memory();
    else if (json_object_get(headers, name))
        code = cli_complain(CLI_USAGE, "--%s: %s is there twice", o->name, name);
    else if (json_object_set_new(headers, name, json_string(text)) != 0)
        code = cli_complain(CLI_DATA, "--%s is not UTF-8", o->name);
    free(name);
    return code;
}

static int take_source(void *ctx, const cli_option *o, const char *value)
{
    cli_draft *d = ctx;
    if (d->source)
        return cli_complain(CLI_USAGE, "--%s is there twice", o->name);
    d->source = value;
    return CLI_OK;
}

static int take_indent(void *ctx, const cli_option *o, const char *value)
{
    (void)o;
    (void)value;
    ((cli_draft *)ctx)->indent = true;
    return CLI_OK;
}

const cli_option cli_draft_options[] = {
    {"from", 'f', "ADDRESS", "Sender; without it, the first address of POSTERN_FROM.", "from",
     take_string},
    {"to", 't', "ADDRESS", "Recipient. Can be repeated, as can --cc, --bcc and --reply-to.", "to",
     take_item},
    {"cc", 0, "ADDRESS", "Recipient of a copy.", "cc", take_item},
    {"bcc", 0, "ADDRESS", "Recipient whom the message doesn't name.", "bcc", take_item},
    {"reply-to", 0, "ADDRESS", "Where answers go.", "reply_to", take_item},
    {"subject", 's', "TEXT", "Subject.", "subject", take_string},
    {"text", 0, "TEXT|@FILE|-", "Plain text: itself, a file's, or stdin's.", "text", take_text},
    {"template", 0, "NAME",
     WITH_TEMPLATES ? "Template that makes subject, HTML and text." : LEAN_NOT_HERE, "template",
     take_string},
    {"data", 0, "JSON|@FILE|-",
     WITH_TEMPLATES ? "What the template shows: a JSON object." : LEAN_NOT_HERE, "data", take_json},
    {"html", 0, "HTML|@FILE|-", "HTML; without --text, the plain text is made from it.", "html",
     take_text},
    {"attach", 'a', "FILE[;type=TYPE][;name=NAME]",
     "Attachment. The type is guessed from the name's ending. Can be repeated.", "attachments",
     take_attachment},
    {"inline", 0, "FILE;cid=ID[;type=TYPE][;name=NAME]",
     "Image that the HTML shows as <img src=\"cid:ID\">. Can be repeated.", "attachments",
     take_inline},
    {"header", 'H', "'NAME: VALUE'", "Header field of your own. Can be repeated.", "headers",
     take_header},
    {"envelope-from", 0, "ADDRESS", "Reverse-path, where bounces go; without it, the sender.",
     "envelope_from", take_string},
    {"relay", 'r', "NAME", "Relay of the settings; without it, the default one.", "relay",
     take_string},
    {"transcript", 0, NULL, "Add the SMTP dialogue to the answer, credentials masked.",
     "transcript", take_true},
    {"json", 'j', "FILE|-", "The whole request as JSON, instead of the options above.", NULL,
     take_source},
    {"indent", 'i', NULL, "Indent the JSON that is printed (a terminal gets it so anyway).", NULL,
     take_indent},
    {0},
};

bool cli_draft_init(cli_draft *d)
{
    *d = (cli_draft){.document = json_object()};
    return d->document != NULL;
}

void cli_draft_free(cli_draft *d)
{
    json_decref(d->document);
    d->document = NULL;
}

/* Writes a problem; the exit code is `code`, or that of writing. */
static int tell(const cli_draft *d, FILE *problems, problem_kind kind, const char *detail,
                const faults *errors, int code)
{
    buf text = BUF_INIT;

    problem_write(&text, kind, NULL, detail, errors);
    int printed = cli_print_json(problems, &text, d->indent);
    buf_free(&text);
    return printed == CLI_OK ? code : printed;
}

/* Parses as the service does. */
static document *parse(const cli_draft *d, const char *content, size_t len, FILE *problems,
                       int *code)
{
    const document_options options = document_defaults(NULL, RECIPIENTS_MAX);
    document *made = document_create(&options);
    buf detail = BUF_INIT;

    *code = made ? CLI_OK : cli_no_memory();
    if (!made)
        return NULL;
    document_add(made, content, len);
    document_result result = document_parse(made, &detail);
    const char *why = result == DOCUMENT_OK ? NULL : buf_cstr(&detail);
    if (result == DOCUMENT_BAD || result == DOCUMENT_TOO_LARGE)
        *code = why ? tell(d, problems, PROBLEM_BAD_JSON, why, NULL, CLI_DATA) : cli_no_memory();
    else if (result != DOCUMENT_OK)
        *code = cli_no_memory();
    buf_free(&detail);
    if (result == DOCUMENT_OK)
        return made;
    document_free(made);
    return NULL;
}

/* The document of --json, of stdin, or of the options. */
static document *take_document(cli_draft *d, FILE *problems, int *code)
{
    size_t len = 0;

    if (json_object_size(d->document) > 0) {
        if (!d->source) {
            document *made = document_wrap(json_incref(d->document));
            *code = made ? CLI_OK : cli_no_memory();
            return made;
        }
        *code =
            cli_complain(CLI_USAGE, "--json is the whole request: no other option goes with it");
        return NULL;
    }
    if (!d->source && isatty(STDIN_FILENO)) {
        *code = cli_complain(CLI_USAGE, "nothing to send: give options, or JSON on stdin");
        return NULL;
    }
    char *content = read_input(d, d->source ? d->source : "-", &len, code);
    document *made = content ? parse(d, content, len, problems, code) : NULL;
    free(content);
    return made;
}

static void drop_templates(templates *t)
{
    if (WITH_TEMPLATES)
        templates_drop(t);
}

request *cli_draft_request(cli_draft *d, const config *c, FILE *problems, int *code)
{
    static const char look[] = "Each of the errors names a member and what is wrong with it.";
    char id[27];
    request *r = NULL;
    templates *t = NULL;
    faults errors;

    document *made = take_document(d, problems, code);
    if (!made)
        return NULL;
    bool renders = WITH_TEMPLATES && json_object_get(document_root(made), "template");
    if (renders && !(t = cli_templates(c, code))) {
        document_free(made);
        return NULL;
    }
    if (!ids_new_one(id)) {
        document_free(made);
        drop_templates(t);
        *code = cli_complain(CLI_NO_MEMORY, "the system has no random bytes");
        return NULL;
    }
    faults_init(&errors);
    bool lint = WITH_LINT && d->lint;
    switch (
        (lint ? request_create_lint : request_create)(c, t, made, id, time(NULL), &r, &errors)) {
    case REQUEST_OK: *code = CLI_OK; break;
    case REQUEST_INVALID:
        *code = tell(d, problems, PROBLEM_INVALID, look, &errors, CLI_DATA);
        break;
    case REQUEST_FORBIDDEN:
        *code =
            tell(d, problems, PROBLEM_SENDER_FORBIDDEN,
                 "POSTERN_FROM names the addresses and domains that may send.", &errors, CLI_DATA);
        break;
    case REQUEST_STOPPED:
    case REQUEST_NOMEM: *code = cli_no_memory(); break;
    }
    faults_free(&errors);
    drop_templates(t);
    return r;
}
