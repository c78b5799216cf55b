#include "service/cli_domain.h"

#include <stdlib.h>
#include <string.h>

#include "service/cli.h"
#include "service/cli_tool.h"
#include "service/wrap.h"

static const char *text_of(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s ? s : "";
}

static int code_of(const json_t *answer)
{
    const char *verdict = text_of(answer, "verdict");

    if (strcmp(verdict, "unknown") == 0)
        return CLI_TEMPORARY;
    return strcmp(verdict, "fault") == 0 || strcmp(verdict, "missing") == 0 ? CLI_FAILED : CLI_OK;
}

static const char *mark_of(const json_t *finding, bool marks)
{
    static const struct {
        const char *verdict, *mark;
    } shown[] = {{"ok", "\xE2\x9C\x93 "}, {"fault", "\xE2\x9C\x97 "}, {"missing", "\xE2\x9C\x97 "}};

    if (!marks)
        return "";
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        if (strcmp(text_of(finding, "verdict"), shown[i].verdict) == 0)
            return strcmp(shown[i].verdict, "missing") == 0 &&
                           !json_is_true(json_object_get(finding, "needed"))
                       ? "- "
                       : shown[i].mark;
    return "! ";
}

/* A TXT record as a zone file has it: strings of at most 255 octets. */
static void add_record(buf *out, const json_t *finding, const char *value)
{
    bool txt = strcmp(text_of(finding, "type"), "TXT") == 0;

    buf_addf(out, "%s. IN %s", text_of(finding, "name"), text_of(finding, "type"));
    for (size_t len = strlen(value), at = 0, n; at < len; at += n) {
        n = txt && len - at > 255 ? 255 : len - at;
        while (at + n < len && n > 1 && ((unsigned char)value[at + n] & 0xC0) == 0x80)
            n--; /* a character is not cut */
        buf_addf(out, txt ? " \"%.*s\"" : " %.*s.", (int)n, value + at);
    }
    buf_addc(out, '\n');
}

static void add_finding(buf *out, const json_t *finding, bool marks)
{
    const json_t *one;
    size_t i;

    buf_addf(out, "%s%-8s %-8s %s\n", mark_of(finding, marks), text_of(finding, "check"),
             text_of(finding, "verdict"), text_of(finding, "name"));
    json_array_foreach(json_object_get(finding, "seen"), i, one)
        buf_addf(out, "    seen: %s\n", json_string_value(one));
    json_array_foreach(json_object_get(finding, "results"), i, one)
        buf_addf(out, "    %s: %s\n", text_of(one, "address"), text_of(one, "result"));
    json_array_foreach(json_object_get(finding, "why"), i, one)
        wrap_text(out, json_string_value(one), 4);
    if (json_object_get(finding, "publish")) {
        buf_adds(out, "    publish: ");
        add_record(out, finding, text_of(finding, "publish"));
    }
}

int cli_domain_text(const json_t *answer, bool marks)
{
    const json_t *relay = json_object_get(answer, "relay"), *one;
    buf out = BUF_INIT;
    size_t i;

    buf_addf(&out, "%s: %s\n", text_of(answer, "domain"), text_of(answer, "verdict"));
    if (text_of(relay, "name")[0])
        buf_addf(&out, "relay %s: %s", text_of(relay, "name"), text_of(relay, "host"));
    json_array_foreach(json_object_get(relay, "addresses"), i, one)
        buf_addf(&out, "%s%s", i || text_of(relay, "name")[0] ? ", " : "", json_string_value(one));
    if (out.len > 0 && out.data[out.len - 1] != '\n')
        buf_addc(&out, '\n');
    wrap_text(&out, text_of(relay, "note"), 2);
    buf_addc(&out, '\n');
    json_array_foreach(json_object_get(answer, "checks"), i, one) add_finding(&out, one, marks);
    int code = cli_print(stdout, &out);
    buf_free(&out);
    return code == CLI_OK ? code_of(answer) : code;
}

int cli_domain_json(const json_t *answer, bool indent)
{
    buf out = BUF_INIT;
    char *text = json_dumps(answer, JSON_COMPACT);
    int code = text ? CLI_OK : cli_no_memory();

    if (text) {
        buf_adds(&out, text);
        buf_addc(&out, '\n');
        code = cli_print_json(stdout, &out, indent);
    }
    free(text);
    buf_free(&out);
    return code == CLI_OK ? code_of(answer) : code;
}
