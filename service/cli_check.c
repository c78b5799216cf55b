/*
 * cli_check - `postern check`: walks each relay step by step and says what works, as one does by
 * hand with telnet.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "service/answer.h"
#include "service/cli.h"
#include "service/cli_domain.h"
#include "service/cli_options.h"
#include "service/cli_tool.h"
#include "service/domain_request.h"
#include "service/features.h"
#include "service/ids.h"
#include "service/wrap.h"
#include "smtp/preset.h"

typedef struct check {
    const char **names; /* relays asked for; none: all */
    size_t name_count;
    mime_mailbox from; /* of --from */
    bool from_given, json, transcript, presets, indent;
    domain_request domain; /* of --domain, --selector and --address */
    bool marks;            /* the terminal shows ✓ and ✗ */
} check;

static int take_flag(void *ctx, const cli_option *o, const char *value)
{
    check *k = ctx;
    bool *const flags[] = {&k->json, &k->transcript, &k->presets, &k->indent};
    static const char *const names[] = {"json", "transcript", "presets", "indent"};

    (void)value;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(o->name, names[i]) == 0)
            *flags[i] = true;
    return CLI_OK;
}

static int take_from(void *ctx, const cli_option *o, const char *value)
{
    check *k = ctx;
    const char *reason = "out of memory";

    if (k->from_given)
        return cli_complain(CLI_USAGE, "--%s is there twice", o->name);
    k->from_given = true;
    if (value[0] == '\0' || mime_mailbox_parse(value, strlen(value), &k->from, &reason))
        return CLI_OK;
    return cli_complain(CLI_USAGE, "--%s: %s", o->name, reason);
}

static int take_part(void *ctx, const cli_option *o, const char *value)
{
    static const struct {
        const char *option;
        const char *(*take)(domain_request *, const char *);
    } parts[] = {{"domain", domain_request_domain},
                 {"selector", domain_request_selector},
                 {"address", domain_request_address}};
    check *k = ctx;
    const char *fault = NULL;

    if (!WITH_DNS)
        return cli_complain(CLI_USAGE, "--%s: this " LEAN_HAS_NO "checks of domains", o->name);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcmp(o->name, parts[i].option) == 0)
            fault = parts[i].take(&k->domain, value);
    return fault ? cli_complain(CLI_USAGE, "--%s: %s", o->name, fault) : CLI_OK;
}

/* What is said of an option that asks DNS. */
#define OF_DNS(text) (WITH_DNS ? (text) : LEAN_NOT_HERE)

static const cli_option OPTIONS[] = {
    {"domain", 'd', "DOMAIN",
     OF_DNS("Ask DNS about a sender's domain instead: SPF for the relay's addresses, DKIM keys, "
            "DMARC, MX, MTA-STS, TLS reports, BIMI; each with what to publish. POSTERN_DNS names "
            "the server to ask."),
     NULL, take_part},
    {"selector", 's', "NAME",
     OF_DNS("With --domain: a DKIM selector to look at, beside those of the configuration's keys. "
            "Can be given several times."),
     NULL, take_part},
    {"address", 'a', "ADDRESS",
     OF_DNS("With --domain: an address that mail leaves from, in place of those of the relay's "
            "host. Can be given several times."),
     NULL, take_part},
    {"from", 'f', "ADDRESS",
     "Reverse-path to try; \"\" is the null one. Without it, the first address of POSTERN_FROM, or "
     "the user if that is an address; without any, the walk ends behind AUTH.",
     NULL, take_from},
    {"transcript", 0, NULL, "Show the dialogue, credentials masked.", NULL, take_flag},
    {"json", 'j', NULL, "One answer as of POST /v1/check for each relay.", NULL, take_flag},
    {"indent", 'i', NULL, "Indent the JSON (a terminal gets it so anyway).", NULL, take_flag},
    {"presets", 0, NULL, "List the providers that a relay's URL can name.", NULL, take_flag},
    {0},
};

const cli_manual cli_check_manual = {
    .name = "check",
    .usage = "[OPTION]... [RELAY]...",
    .summary = "Walks each relay, or those named, step by step: resolve, connect, TLS, greeting, "
               "EHLO, STARTTLS, AUTH, MAIL FROM. Nothing is sent.",
    .text = "exit code: 0 every step worked, or nothing that a domain needs is wrong or missing; 1 "
            "one did not, or something is; 64 wrong options; 75 DNS gave no answer; 78 wrong "
            "settings, or no relay.",
    .options = OPTIONS,
};

static int take_relay(void *ctx, const char *value)
{
    check *k = ctx;
    const char **grown = realloc(k->names, (k->name_count + 1) * sizeof(const char *));

    if (!grown)
        return cli_no_memory();
    k->names = grown;
    grown[k->name_count++] = value;
    return CLI_OK;
}

/* --- presets -----------------------------------------------------------------------------------
 */

static const char *tls_name(smtp_tls tls)
{
    return tls == SMTP_TLS_STARTTLS ? "STARTTLS" : tls == SMTP_TLS_IMPLICIT ? "TLS" : "no TLS";
}

static int print_presets(void)
{
    buf out = BUF_INIT;

    for (const smtp_preset *p = smtp_presets(); p->name; p++) {
        buf_addf(&out, "%s://  %s: %s, port %u, %s", p->name, p->title, p->host, p->port,
                 tls_name(p->tls));
        if (p->region)
            buf_addf(&out, " (region %s)", p->region);
        buf_addc(&out, '\n');
        if (p->user)
            buf_addf(&out, "      user: %s\n", p->user);
        else if (p->user_form)
            buf_addf(&out, "      user: %s\n", p->user_form);
        if (p->hint)
            wrap_text(&out, p->hint, 6);
    }
    int code = cli_print(stdout, &out);
    buf_free(&out);
    return code;
}

/* --- one relay ---------------------------------------------------------------------------------
 */

/* True if the environment's locale has UTF-8. */
static bool has_utf8(const char *const *environment)
{
    static const char *const variables[] = {"LC_ALL=", "LC_CTYPE=", "LANG="}; /* by rank */

    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        for (const char *const *e = environment; *e; e++) {
            size_t len = strlen(variables[i]);
            if (strncmp(*e, variables[i], len) == 0 && (*e)[len])
                return strcasestr(*e + len, "UTF-8") || strcasestr(*e + len, "utf8");
        }
    return false;
}

static void add_reply(buf *out, const smtp_reply *reply)
{
    buf_addf(out, " %d", reply->code);
    if (reply->enhanced[0])
        buf_addf(out, " %s", reply->enhanced);
    if (reply->text && reply->text[0]) {
        buf_addc(out, ' ');
        cli_add_visible(out, reply->text);
    }
}

static void add_step(buf *out, const smtp_step *step, bool marks)
{
    const char *mark = marks      ? step->ok ? "\xE2\x9C\x93" : "\xE2\x9C\x97"
                       : step->ok ? "ok    "
                                  : "FAILED";

    buf_addf(out, "  %s %-8s %6lld.%lld ms", mark, smtp_stage_name(step->stage),
             (long long)(step->took_us / 1000), (long long)(step->took_us / 100 % 10));
    if (step->reply.code)
        add_reply(out, &step->reply);
    if (step->detail) {
        buf_adds(out, step->reply.code ? " (" : " ");
        cli_add_visible(out, step->detail);
        if (step->reply.code)
            buf_addc(out, ')');
    }
    buf_addc(out, '\n');
}

static void add_transcript(buf *out, const smtp_result *result)
{
    for (size_t i = 0; i < result->line_count; i++) {
        const smtp_line *line = &result->lines[i];
        buf_addf(out, "    %6lld.%lld %c: ", (long long)(line->at_us / 1000),
                 (long long)(line->at_us / 100 % 10), line->side);
        cli_add_visible(out, line->text);
        buf_addc(out, '\n');
    }
}

static int print_steps(const check *k, const smtp_relay *relay, const smtp_result *result)
{
    const char *preset = smtp_relay_preset(relay);
    buf out = BUF_INIT;

    buf_addf(&out, "%s: %s, port %u", smtp_relay_name(relay), smtp_relay_host(relay),
             smtp_relay_port(relay));
    if (preset)
        buf_addf(&out, " (%s)", preset);
    buf_addc(&out, '\n');
    for (size_t i = 0; i < result->step_count; i++)
        add_step(&out, &result->steps[i], k->marks);
    if (result->fault.category != SMTP_CATEGORY_NONE && result->fault.detail) {
        buf_adds(&out, "  ");
        cli_add_visible(&out, result->fault.detail);
        buf_addc(&out, '\n');
    }
    if (result->fault.hint)
        wrap_text(&out, result->fault.hint, 2);
    if (k->transcript)
        add_transcript(&out, result);
    int code = cli_print(stdout, &out);
    buf_free(&out);
    return code;
}

static int print_json(const check *k, const char *id, const smtp_relay *relay,
                      const smtp_result *result)
{
    buf out = BUF_INIT;

    (void)answer_check(id, relay, result, &out);
    int code = cli_print_json(stdout, &out, k->indent);
    buf_free(&out);
    return code;
}

/* The reverse-path to try; NULL: none. `user` keeps it where it is made of the relay's user. */
static const char *reverse_path(const check *k, const config *c, const smtp_relay *relay,
                                mime_mailbox *user)
{
    const char *name = smtp_relay_user(relay);
    const char *reason = NULL;

    if (k->from_given)
        return k->from.address ? k->from.address : "";
    if (c->senders.fallback.address)
        return c->senders.fallback.address;
    if (name && strchr(name, '@') && mime_mailbox_parse(name, strlen(name), user, &reason))
        return user->address;
    return NULL;
}

static int check_relay(const check *k, const config *c, smtp_sender *sender,
                       const smtp_relay *relay)
{
    mime_mailbox user = {0};
    cli_wait wait;
    char id[27];

    if (!ids_new_one(id))
        return cli_complain(CLI_NO_MEMORY, "the system has no random bytes");
    const smtp_check asked = {
        .id = id,
        .relay = relay,
        .reverse_path = reverse_path(k, c, relay, &user),
        .timeout_us = c->timeout_us,
        .transcript = k->json || k->transcript,
        .done = cli_wait_done,
        .ctx = &wait,
    };
    cli_wait_init(&wait);
    if (!smtp_sender_check(sender, &asked))
        cli_wait_done(&wait, NULL);
    smtp_result *result = cli_wait_end(&wait);
    int code = CLI_NO_MEMORY;
    if (!result)
        (void)cli_no_memory();
    else if (k->json)
        code = print_json(k, id, relay, result);
    else
        code = print_steps(k, relay, result);
    if (result && code == CLI_OK && result->fault.category != SMTP_CATEGORY_NONE)
        code = CLI_FAILED;
    smtp_result_free(result);
    mime_mailbox_clear(&user);
    return code;
}

/* --- all of them -------------------------------------------------------------------------------
 */

static int check_names(const check *k, const config *c)
{
    for (size_t i = 0; i < k->name_count; i++)
        if (!config_relay(c, k->names[i]))
            return cli_complain(CLI_USAGE, "no relay of the name %s is configured", k->names[i]);
    return CLI_OK;
}

static int check_all(const check *k, const config *c)
{
    size_t count = k->name_count ? k->name_count : c->relay_count;
    int code = check_names(k, c);

    if (code != CLI_OK)
        return code;
    smtp_sender *sender = cli_sender(c);
    if (!sender)
        return CLI_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        int one =
            check_relay(k, c, sender, k->name_count ? config_relay(c, k->names[i]) : c->relays[i]);
        code = one == CLI_OK ? code : one;
        if (one != CLI_OK && one != CLI_FAILED)
            break;
    }
    cli_sender_free(sender);
    return code;
}

/* The one relay that a domain is checked for: the one named, or the default. */
static int check_domain(check *k, const config *c)
{
    int code = check_names(k, c);

    if (code == CLI_OK && k->name_count > 1)
        code = cli_complain(CLI_USAGE, "a domain is checked for one relay");
    if (code != CLI_OK)
        return code;
    k->domain.relay = config_relay(c, k->name_count ? k->names[0] : "default");
    int64_t most = c->timeout_us < DOMAIN_TIME_US ? c->timeout_us : DOMAIN_TIME_US;
    json_t *found = domain_request_run(&k->domain, c, NULL, clock_us() + most);
    if (!found)
        return cli_no_memory();
    code = k->json ? cli_domain_json(found, k->indent) : cli_domain_text(found, k->marks);
    json_decref(found);
    return code;
}

static int check_options(const check *k)
{
    if (k->domain.domain && (k->from_given || k->transcript))
        return cli_complain(CLI_USAGE, "--from and --transcript are of the walk, not of a domain");
    if (!k->domain.domain && k->domain.selector_count + k->domain.address_count > 0)
        return cli_complain(CLI_USAGE, "--selector and --address need --domain");
    return CLI_OK;
}

int cli_check(int argc, char **argv, const char *const *environment)
{
    check k = {.marks = isatty(STDOUT_FILENO) && has_utf8(environment)};
    const cli_options sets[] = {{OPTIONS, &k}, {NULL, NULL}};
    config *c = NULL;

    int code = cli_parse(&cli_check_manual, argc, argv, sets, take_relay, &k);
    if (code == CLI_OK)
        code = check_options(&k);
    if (code == CLI_OK && k.presets)
        code = print_presets();
    else if (code == CLI_OK)
        c = cli_config(environment, &code);
    if (WITH_DNS && c && k.domain.domain)
        code = check_domain(&k, c);
    else if (c && c->relay_count == 0)
        code = cli_complain(CLI_CONFIGURATION, "no relay is configured: set POSTERN_RELAY");
    else if (c)
        code = check_all(&k, c);
    config_free(c);
    free(k.names);
    mime_mailbox_clear(&k.from);
    if (WITH_DNS)
        domain_request_clear(&k.domain);
    return code == CLI_HELPED ? CLI_OK : code;
}
