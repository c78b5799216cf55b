/*
 * cli_dkim - `postern dkim`: keygen makes a key and says what to publish, verify judges a message's
 * signatures.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file_io.h"
#include "dkim/key.h"
#include "dkim/verify.h"
#include "dns/resolver.h"
#include "mime/address.h"
#include "service/cli.h"
#include "service/cli_options.h"
#include "service/cli_tool.h"
#include "service/config_setting.h"
#include "service/config_value.h"

#define STRING_MAX  255 /* octets of a string of a TXT record */
#define RECORDS_MAX 16

/* ---- keygen ---- */

typedef struct keygen {
    const char *operands[2]; /* domain, selector */
    size_t count;
    dkim_algorithm type;
    int64_t bits;
    const char *path; /* NULL: made of both */
} keygen;

static int take_type(void *ctx, const cli_option *o, const char *value)
{
    keygen *k = ctx;

    for (k->type = DKIM_RSA; k->type < DKIM_ALGORITHMS; k->type++)
        if (strcmp(value, dkim_algorithm_key_type(k->type)) == 0)
            return CLI_OK;
    return cli_complain(CLI_USAGE, "--%s takes rsa or ed25519", o->name);
}

static int take_bits(void *ctx, const cli_option *o, const char *value)
{
    keygen *k = ctx;

    if (config_value_number(value, &k->bits) && k->bits >= DKIM_RSA_LEAST &&
        k->bits <= DKIM_RSA_MOST && k->bits % 256 == 0)
        return CLI_OK;
    return cli_complain(CLI_USAGE, "--%s takes %d to %d, a multiple of 256", o->name,
                        DKIM_RSA_LEAST, DKIM_RSA_MOST);
}

static int take_path(void *ctx, const cli_option *o, const char *value)
{
    (void)o;
    ((keygen *)ctx)->path = value;
    return CLI_OK;
}

static int take_operand(void *ctx, const char *value)
{
    keygen *k = ctx;

    if (k->count == 2)
        return cli_complain(CLI_USAGE, "dkim keygen takes a domain and a selector");
    k->operands[k->count++] = value;
    return CLI_OK;
}

static const cli_option keygen_options[] = {
    {.name = "type", .value = "TYPE", .help = "rsa (the default) or ed25519.", .take = take_type},
    {.name = "bits",
     .value = "N",
     .help = "Of an RSA key: 2048 (the default) to 4096.",
     .take = take_bits},
    {.name = "out",
     .letter = 'o',
     .value = "FILE",
     .help = "Where the key goes. Default: SELECTOR._domainkey.DOMAIN.pem.",
     .take = take_path},
    {.name = NULL},
};

const cli_manual cli_dkim_keygen_manual = {
    .name = "dkim keygen",
    .usage = "[OPTION]... DOMAIN SELECTOR",
    .summary = "Makes a DKIM key, and prints the DNS record to publish, as a line of a zone file.",
    .text = "The key is written to a file that only its owner can read; one that is there already "
            "is never overwritten. Behind the record stands, as a comment, what belongs into the "
            "configuration file.\n\n"
            "exit code: 0 made; 64 wrong arguments; 74 the file can't be written, or is there "
            "already.",
    .options = keygen_options,
};

/* A new file, for its owner alone; what is there stays. */
static int write_key(const char *path, const buf *pem)
{
    char why[128];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return cli_complain(CLI_OUTPUT, "can't make %s: %s", path,
                            strerror_r(errno, why, sizeof why));
    bool ok = file_write_at(fd, pem->data, pem->len, 0) && fsync(fd) == 0;
    int number = errno;
    if (close(fd) != 0 && ok) {
        ok = false;
        number = errno;
    }
    if (ok)
        return CLI_OK;
    (void)unlink(path);
    return cli_complain(CLI_OUTPUT, "can't write %s: %s", path,
                        strerror_r(number, why, sizeof why));
}

static void add_record(buf *out, const char *domain, const char *selector, const buf *record)
{
    buf_addf(out, "%s._domainkey.%s. IN TXT (", selector, domain);
    for (size_t at = 0; at < record->len; at += STRING_MAX) {
        size_t n = record->len - at < STRING_MAX ? record->len - at : STRING_MAX;
        buf_adds(out, " \"");
        buf_add(out, record->data + at, n);
        buf_addc(out, '"');
    }
    buf_adds(out, " )\n");
}

static int print_record(const dkim_key *key, const char *domain, const char *selector,
                        const char *path)
{
    buf out = BUF_INIT, record = BUF_INIT;
    int code = CLI_NO_MEMORY;

    if (dkim_key_record(key, &record)) {
        add_record(&out, domain, selector, &record);
        buf_addf(&out,
                 "; configuration: {\"dkim\": {\"%s\": [{\"selector\": \"%s\", \"key_file\": "
                 "\"%s\"}]}}\n",
                 domain, selector, path);
        code = cli_print(stdout, &out);
    } else {
        code = cli_no_memory();
    }
    buf_free(&record);
    buf_free(&out);
    return code;
}

static int make_key(const keygen *k, const char *domain)
{
    const char *selector = k->operands[1];
    buf path = BUF_INIT, pem = BUF_INIT;
    dkim_key *key = dkim_key_make(k->type, (unsigned)k->bits);
    int code = CLI_OK;

    if (k->path)
        buf_adds(&path, k->path);
    else
        buf_addf(&path, "%s._domainkey.%s.pem", selector, domain);
    const char *file = buf_cstr(&path);
    if (key && file && dkim_key_pem(key, &pem))
        code = write_key(file, &pem);
    else
        code = cli_no_memory();
    if (code == CLI_OK)
        code = print_record(key, domain, selector, file);
    if (pem.data)
        explicit_bzero(pem.data, pem.len);
    buf_free(&pem);
    buf_free(&path);
    dkim_key_free(key);
    return code;
}

static int run_keygen(int argc, char **argv)
{
    keygen k = {.type = DKIM_RSA, .bits = DKIM_RSA_LEAST};
    const cli_options sets[] = {{keygen_options, &k}, {NULL, NULL}};
    const char *reason = NULL;
    int code = cli_parse(&cli_dkim_keygen_manual, argc, argv, sets, take_operand, &k);

    if (code != CLI_OK)
        return code;
    if (k.count < 2)
        return cli_complain(CLI_USAGE, "dkim keygen takes a domain and a selector");
    if (!config_is_selector(k.operands[1]))
        return cli_complain(CLI_USAGE, "a selector is letters, digits, hyphens and dots");
    char *domain = mime_domain_ascii(k.operands[0], strlen(k.operands[0]), &reason);
    if (!domain)
        return cli_complain(CLI_USAGE, "%s: %s", k.operands[0], reason);
    code = make_key(&k, domain);
    free(domain);
    return code;
}

/* ---- verify ---- */

typedef struct verify {
    const char *path;
    const char *records[RECORDS_MAX]; /* given; none: DNS is asked */
    size_t count;
    const char *server;
    dns_resolver *resolver;
} verify;

static int take_record(void *ctx, const cli_option *o, const char *value)
{
    verify *v = ctx;

    if (v->count == RECORDS_MAX)
        return cli_complain(CLI_USAGE, "--%s: there are more than %d", o->name, RECORDS_MAX);
    v->records[v->count++] = value;
    return CLI_OK;
}

static int take_server(void *ctx, const cli_option *o, const char *value)
{
    (void)o;
    ((verify *)ctx)->server = value;
    return CLI_OK;
}

static int take_file(void *ctx, const char *value)
{
    verify *v = ctx;

    if (v->path)
        return cli_complain(CLI_USAGE, "dkim verify takes one file");
    v->path = value;
    return CLI_OK;
}

static const cli_option verify_options[] = {
    {.name = "record",
     .value = "TEXT",
     .help = "The key's record, \"v=DKIM1; …\", instead of asking DNS. Can be given several times.",
     .take = take_record},
    {.name = "server",
     .value = "ADDRESS",
     .help = "The DNS server to ask, as 192.0.2.1 or 127.0.0.1:5353. Default: POSTERN_DNS, or the "
             "system's.",
     .take = take_server},
    {.name = NULL},
};

const cli_manual cli_dkim_verify_manual = {
    .name = "dkim verify",
    .usage = "[OPTION]... FILE",
    .summary = "Judges the DKIM signatures of a message (.eml; - is stdin), one line for each.",
    .text =
        "Lines of the file may end with CRLF or LF.\n\n"
        "exit code: 0 each signature passes, and there is one; 1 one doesn't, or there is none; "
        "75 a record can't be looked up now; 64 wrong arguments; 66 the file can't be read; 78 "
        "wrong "
        "settings.",
    .options = verify_options,
};

static dkim_lookup_result look_up(void *ctx, const char *name, buf *records)
{
    verify *v = ctx;

    for (size_t i = 0; i < v->count; i++)
        buf_add(records, v->records[i], strlen(v->records[i]) + 1);
    if (v->count > 0)
        return DKIM_FOUND;
    if (!v->resolver)
        v->resolver = dns_create(v->server);
    if (!v->resolver)
        return DKIM_LOOKUP_FAILED;
    switch (dns_ask(v->resolver, DNS_TXT, name, records)) {
    case DNS_FOUND: return DKIM_FOUND;
    case DNS_NONE: return DKIM_NO_RECORD;
    case DNS_FAILED: break;
    }
    return DKIM_LOOKUP_FAILED;
}

/* As it was sent: each line ends with CRLF. */
static void add_lines(buf *out, const char *text, size_t len)
{
    (void)buf_reserve(out, len + len / 32);
    for (size_t at = 0, n; at < len; at += n) {
        const char *lf = memchr(text + at, '\n', len - at);
        n = lf ? (size_t)(lf + 1 - (text + at)) : len - at;
        bool bare = lf && (n == 1 || lf[-1] != '\r');
        buf_add(out, text + at, bare ? n - 1 : n);
        if (bare)
            buf_adds(out, "\r\n");
    }
}

static void add_verdict(buf *out, const dkim_verdict *v)
{
    buf_addf(out, "%s: d=", dkim_result_name(v->result));
    cli_add_visible(out, v->domain);
    buf_adds(out, " s=");
    cli_add_visible(out, v->selector);
    buf_adds(out, " a=");
    cli_add_visible(out, v->algorithm);
    if (v->bits)
        buf_addf(out, ", a key of %u bits", v->bits);
    if (v->testing)
        buf_adds(out, ", testing (t=y)");
    if (v->partial)
        buf_adds(out, ", but some of the body is not signed (l=)");
    if (v->why[0])
        buf_addf(out, ": %s", v->why);
    buf_addc(out, '\n');
}

static int print_verdicts(const dkim_verdict *list, size_t count)
{
    buf out = BUF_INIT;
    int code = count > 0 ? CLI_OK : CLI_FAILED;

    if (count == 0)
        buf_adds(&out, "none: the message has no DKIM signature\n");
    for (size_t i = 0; i < count; i++) {
        add_verdict(&out, &list[i]);
        if (list[i].result == DKIM_TEMPERROR && code == CLI_OK)
            code = CLI_TEMPORARY;
        else if (list[i].result != DKIM_PASS && list[i].result != DKIM_TEMPERROR)
            code = CLI_FAILED;
    }
    int printed = cli_print(stdout, &out);
    buf_free(&out);
    return code == CLI_OK ? printed : code;
}

static int verify_file(verify *v)
{
    buf message = BUF_INIT;
    size_t len = 0, count = 0;
    int code = CLI_OK;
    char *text = cli_read(v->path, &len, &code);

    if (!text)
        return code;
    add_lines(&message, text, len);
    free(text);
    dkim_verdict *list =
        buf_ok(&message) ? dkim_verify(message.data, message.len, time(NULL), look_up, v, &count)
                         : NULL;
    code = list ? print_verdicts(list, count) : cli_no_memory();
    dkim_verdicts_free(list, count);
    dns_free(v->resolver);
    buf_free(&message);
    return code;
}

/* The settings are read where something is to be asked, and nobody says of whom. */
static int verify_as_configured(verify *v, const char *const *environment)
{
    int code = CLI_OK;
    config *c = NULL;

    if (v->count == 0 && !v->server) {
        c = cli_config(environment, &code);
        if (!c)
            return code;
        v->server = c->dns;
    }
    code = verify_file(v);
    config_free(c);
    return code;
}

static int run_verify(int argc, char **argv, const char *const *environment)
{
    verify v = {.path = NULL};
    const cli_options sets[] = {{verify_options, &v}, {NULL, NULL}};
    int code = cli_parse(&cli_dkim_verify_manual, argc, argv, sets, take_file, &v);

    if (code == CLI_OK && !v.path)
        code = cli_complain(CLI_USAGE, "dkim verify takes a file");
    return code == CLI_OK ? verify_as_configured(&v, environment) : code;
}

int cli_dkim(int argc, char **argv, const char *const *environment)
{
    int code = CLI_USAGE;

    if (argc >= 2 && strcmp(argv[1], "keygen") == 0)
        code = run_keygen(argc - 1, argv + 1);
    else if (argc >= 2 && strcmp(argv[1], "verify") == 0)
        code = run_verify(argc - 1, argv + 1, environment);
    else
        code = cli_complain(CLI_USAGE, "dkim takes keygen or verify; see postern help dkim");
    return code == CLI_HELPED ? CLI_OK : code;
}
