#include "service/config_setting.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dialect/dialect.h"
#include "dns/resolver.h"
#include "queue/events.h"
#include "service/config_value.h"
#include "service/features.h"
#include "service/file.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

#define SECRET_MAX  ((size_t)64 * 1024)
#define SENDERS_MAX 1024
#define THREADS_MAX 64
#define NAME_SHOWN  64 /* characters of an unknown name that a fault repeats */

#define SECOND_US INT64_C(1000000)
#define HOUR_US   (3600 * SECOND_US)
#define DAY_US    (24 * HOUR_US)

#define FAILOVER_MAX            8
#define EVENTS_SECRETS_MAX      8
#define UNSUBSCRIBE_SECRETS_MAX 8

/* --- faults ------------------------------------------------------------------------------------
 */

void config_fault(loader *l, const char *where, const char *format, ...)
{
    size_t start = l->faults->len;
    va_list args;

    buf_addf(l->faults, "%s: ", where);
    va_start(args, format);
    buf_addv(l->faults, format, args);
    va_end(args);
    for (size_t i = start; i < l->faults->len; i++) { /* a path can hold anything */
        unsigned char c = (unsigned char)l->faults->data[i];
        if (c < ' ' || c == 0x7F)
            l->faults->data[i] = '?';
    }
    buf_addc(l->faults, '\n');
}

void config_no_memory(loader *l)
{
    l->no_memory = true;
}

/* A name that somebody else chose, safe to show: cut, and nothing but printable ASCII. */
void config_add_name(buf *out, const char *name, size_t len)
{
    for (size_t i = 0; i < len && i < NAME_SHOWN; i++)
        buf_addc(out, name[i] > ' ' && name[i] <= '~' ? name[i] : '?');
    if (len > NAME_SHOWN)
        buf_adds(out, "...");
}

/* --- readers of values -------------------------------------------------------------------------
 */

static void *field(const loader *l, const setting *s)
{
    return (char *)l->config + s->offset;
}

static bool in_range(const setting *s, int64_t n)
{
    return n >= s->min && n <= s->max;
}

static void read_number(loader *l, const setting *s, const char *where, const char *value)
{
    int64_t n = 0;

    if (config_value_number(value, &n) && in_range(s, n))
        *(unsigned *)field(l, s) = (unsigned)n;
    else
        config_fault(l, where, "must be a number of %lld to %lld", (long long)s->min,
                     (long long)s->max);
}

/* "must be a size of 1KiB to 1GiB, such as 40MiB" */
static void range_fault(loader *l, const setting *s, const char *where, const char *what,
                        void (*show)(int64_t n, buf *out))
{
    buf text = BUF_INIT;

    show(s->min, &text);
    buf_adds(&text, " to ");
    show(s->max, &text);
    const char *range = buf_cstr(&text);
    if (range)
        config_fault(l, where, "must be a %s of %s, such as %s", what, range, s->fallback);
    else
        config_no_memory(l);
    buf_free(&text);
}

static void read_size(loader *l, const setting *s, const char *where, const char *value)
{
    int64_t n = 0;

    if (config_value_size(value, &n) && in_range(s, n))
        *(size_t *)field(l, s) = (size_t)n;
    else
        range_fault(l, s, where, "size", config_value_show_size);
}

static void read_duration(loader *l, const setting *s, const char *where, const char *value)
{
    int64_t us = 0;

    if (config_value_duration(value, &us) && in_range(s, us))
        *(int64_t *)field(l, s) = us;
    else
        range_fault(l, s, where, "time", config_value_show_duration);
}

static void read_switch(loader *l, const setting *s, const char *where, const char *value)
{
    if (!config_value_switch(value, field(l, s)))
        config_fault(l, where, "must be on or off");
}

static void read_path(loader *l, const setting *s, const char *where, const char *value)
{
    char **path = field(l, s);

    (void)where; /* any string is a path; whether it can be read is asked when serving */
    free(*path);
    *path = strdup(value);
    if (!*path)
        config_no_memory(l);
}

static void read_log(loader *l, const setting *s, const char *where, const char *value)
{
    static const struct {
        const char *name;
        log_format format;
    } formats[] = {{"auto", LOG_AUTO}, {"json", LOG_JSON}, {"text", LOG_TEXT}};

    (void)s;
    for (size_t i = 0; i < COUNT(formats); i++)
        if (strcmp(value, formats[i].name) == 0) {
            l->config->log_format = formats[i].format;
            return;
        }
    config_fault(l, where, "must be json, text or auto");
}

static void read_auth(loader *l, const setting *s, const char *where, const char *value)
{
    (void)s;
    if (strcmp(value, "off") != 0 && strcmp(value, "keys") != 0) {
        config_fault(l, where, "must be off or keys");
        return;
    }
    l->config->auth_off = strcmp(value, "off") == 0;
    l->auth_keys = !l->config->auth_off;
}

void config_listen_clear(config_listen *listen)
{
    free(listen->host);
    free(listen->path);
    *listen = (config_listen){0};
}

static void read_listen(loader *l, const setting *s, const char *where, const char *value)
{
    config_listen listen;
    const char *reason = NULL;

    (void)s;
    if (!config_value_listen(value, &listen, &reason)) {
        config_fault(l, where, "%s", reason);
        return;
    }
    config_listen_clear(&l->config->listen);
    l->config->listen = listen;
}

static void read_keys(loader *l, const setting *s, const char *where, const char *value)
{
    const char *item = NULL, *reason = NULL;
    size_t len = 0, number = 0;
    keys *read = keys_create();

    (void)s;
    if (!read) {
        config_no_memory(l);
        return;
    }
    while (config_value_item(&value, &item, &len)) {
        number++;
        if (!keys_add(read, item, len, &reason))
            config_fault(l, where, "key %zu: %s", number, reason);
    }
    if (number == 0)
        config_fault(l, where, "holds no key");
    keys_free(l->config->keys);
    l->config->keys = read;
}

/* --- senders ------------------------------------------------------------------------------------
 */

void config_senders_clear(config_senders *s)
{
    for (size_t i = 0; i < s->address_count; i++)
        free(s->addresses[i]);
    for (size_t i = 0; i < s->domain_count; i++)
        free(s->domains[i]);
    free(s->addresses);
    free(s->domains);
    mime_mailbox_clear(&s->fallback);
    *s = (config_senders){0};
}

/* Takes over `string`; frees it if there is no memory. */
static bool push(char ***list, size_t *count, char *string)
{
    char **grown = string ? realloc(*list, (*count + 1) * sizeof **list) : NULL;

    if (!grown) {
        free(string);
        return false;
    }
    *list = grown;
    grown[(*count)++] = string;
    return true;
}

static const char *add_sender_domain(config_senders *s, const char *item, size_t len)
{
    const char *reason = "out of memory";

    if (len > 0 && item[0] == '@') {
        item++;
        len--;
    }
    if (len >= 2 && item[0] == '*' && item[1] == '.')
        return "subdomains can't be allowed with *.; name each domain";
    char *domain = mime_domain_ascii(item, len, &reason);
    if (!domain)
        return reason;
    return push(&s->domains, &s->domain_count, domain) ? NULL : "out of memory";
}

static const char *add_sender_address(config_senders *s, const char *item, size_t len)
{
    const char *reason = "out of memory";
    mime_mailbox mailbox = {0};

    if (!mime_mailbox_parse(item, len, &mailbox, &reason))
        return reason;
    bool ok = push(&s->addresses, &s->address_count, strdup(mailbox.address));
    if (ok && !s->fallback.address)
        s->fallback = mailbox;
    else
        mime_mailbox_clear(&mailbox);
    return ok ? NULL : "out of memory";
}

/* An item is a domain if it has no @, or begins with one. */
static const char *add_sender(config_senders *s, const char *item, size_t len)
{
    const char *at = memchr(item, '@', len);

    if (s->address_count + s->domain_count == SENDERS_MAX)
        return "more than 1024 senders";
    return !at || at == item ? add_sender_domain(s, item, len) : add_sender_address(s, item, len);
}

static void read_from(loader *l, const setting *s, const char *where, const char *value)
{
    config_senders read = {0};
    const char *item = NULL;
    size_t len = 0, number = 0;

    (void)s;
    while (config_value_item(&value, &item, &len)) {
        number++;
        const char *reason = add_sender(&read, item, len);
        if (reason)
            config_fault(l, where, "item %zu: %s", number, reason);
    }
    if (number == 0)
        config_fault(l, where, "holds no address or domain");
    config_senders_clear(&l->config->senders);
    l->config->senders = read;
}

/* --- relays -------------------------------------------------------------------------------------
 */

/* Takes over the relay, in place of one of the same name; frees it if there is no memory. */
static bool put_relay(config *c, smtp_relay *relay)
{
    for (size_t i = 0; i < c->relay_count; i++)
        if (strcmp(smtp_relay_name(c->relays[i]), smtp_relay_name(relay)) == 0) {
            smtp_relay_free(c->relays[i]);
            c->relays[i] = relay;
            return true;
        }
    smtp_relay **grown = realloc(c->relays, (c->relay_count + 1) * sizeof(smtp_relay *));
    if (!grown) {
        smtp_relay_free(relay);
        return false;
    }
    c->relays = grown;
    c->relays[c->relay_count++] = relay;
    return true;
}

void config_add_relay(loader *l, const char *where, const char *name, const char *url)
{
    char *error = NULL;
    smtp_relay *relay = smtp_relay_create(name, url, &error);

    if (relay ? !put_relay(l->config, relay) : !error)
        config_no_memory(l);
    else if (!relay)
        config_fault(l, where, "%s", error);
    free(error);
}

static void read_relay(loader *l, const setting *s, const char *where, const char *value)
{
    (void)s;
    config_add_relay(l, where, "default", value);
}

/* --- the queue ----------------------------------------------------------------------------------
 */

void config_strings_clear(char ***list, size_t *count)
{
    for (size_t i = 0; i < *count; i++)
        file_wipe((*list)[i]); /* some are secrets */
    free(*list);
    *list = NULL;
    *count = 0;
}

/* Takes over `string`; the list stays ended by NULL. */
static bool push_string(char ***list, size_t *count, char *string)
{
    char **grown = string ? realloc(*list, (*count + 2) * sizeof **list) : NULL;

    if (!grown) {
        file_wipe(string);
        return false;
    }
    *list = grown;
    grown[(*count)++] = string;
    grown[*count] = NULL;
    return true;
}

/* "postgres://" is another spelling of "postgresql://". What is behind is the backend's to judge.
 */
static void read_queue(loader *l, const setting *s, const char *where, const char *value)
{
    static const char alias[] = "postgres://";
    char *url = NULL;
    int n = -1;

    (void)s;
    if (strncmp(value, alias, sizeof alias - 1) == 0)
        n = asprintf(&url, "postgresql://%s", value + sizeof alias - 1);
    else if (strncmp(value, "postgresql://", 13) == 0 || strncmp(value, "sqlite:/", 8) == 0)
        n = asprintf(&url, "%s", value);
    else {
        config_fault(l, where,
                     "must be postgresql://user:password@host/database or sqlite:/folder");
        return;
    }
    file_wipe(l->config->queue_url);
    l->config->queue_url = n < 0 ? NULL : url;
    if (n < 0)
        config_no_memory(l);
}

static void read_folder(loader *l, const setting *s, const char *where, const char *value)
{
    if (value[0] == '/')
        read_path(l, s, where, value);
    else
        config_fault(l, where, "must be a folder's path that begins with /");
}

static void read_dns(loader *l, const setting *s, const char *where, const char *value)
{
    dns_resolver *r = dns_create(value);

    if (r)
        read_path(l, s, where, value);
    else
        config_fault(l, where, "must be addresses of DNS servers, as 192.0.2.1 or 127.0.0.1:5353");
    dns_free(r);
}

/* Whether relays of these names exist is asked when all are known. */
static void read_failover(loader *l, const setting *s, const char *where, const char *value)
{
    config *c = l->config;
    const char *item = NULL;
    size_t len = 0;

    (void)s;
    config_strings_clear(&c->failover, &c->failover_count);
    while (config_value_item(&value, &item, &len)) {
        if (c->failover_count == FAILOVER_MAX) {
            config_fault(l, where, "names more than %d relays", FAILOVER_MAX);
            return;
        }
        if (!push_string(&c->failover, &c->failover_count, strndup(item, len)))
            config_no_memory(l);
    }
    if (c->failover_count == 0)
        config_fault(l, where, "names no relay");
}

static void read_unknown(loader *l, const setting *s, const char *where, const char *value)
{
    (void)s;
    if (strcmp(value, "keep") != 0 && strcmp(value, "resend") != 0)
        config_fault(l, where, "must be keep or resend");
    else
        l->config->resend_unknown = strcmp(value, "resend") == 0;
}

/* The bit of a dialect's name; 0: there is none. */
static unsigned dialect_bit(const char *name, size_t len)
{
    for (unsigned i = 0; dialects[i]; i++) {
        if (strlen(dialects[i]->name) == len && strncasecmp(dialects[i]->name, name, len) == 0)
            return 1U << i;
    }
    return 0;
}

static void read_dialects(loader *l, const setting *s, const char *where, const char *value)
{
    const char *item = NULL;
    size_t len = 0;

    (void)s;
    l->config->dialects = 0;
    while (config_value_item(&value, &item, &len)) {
        unsigned bit = dialect_bit(item, len);
        if (!bit)
            config_fault(l, where,
                         "names a dialect that there is not: sendgrid, postmark, resend "
                         "and mailgun are known");
        l->config->dialects |= bit;
    }
}

static void read_dialect_mode(loader *l, const setting *s, const char *where, const char *value)
{
    (void)s;
    if (strcmp(value, "queue") != 0 && strcmp(value, "sync") != 0)
        config_fault(l, where, "must be queue or sync");
    else
        l->config->dialects_sync = strcmp(value, "sync") == 0;
}

static void read_lint(loader *l, const setting *s, const char *where, const char *value)
{
    (void)s;
    if (strcmp(value, "off") != 0 && strcmp(value, "enforce") != 0)
        config_fault(l, where, "must be off or enforce");
    else
        l->config->lint_enforced = strcmp(value, "enforce") == 0;
}

static void read_events_secrets(loader *l, const setting *s, const char *where, const char *value)
{
    config *c = l->config;
    const char *item = NULL;
    size_t len = 0;

    (void)s;
    config_strings_clear(&c->events_secrets, &c->events_secret_count);
    while (config_value_item(&value, &item, &len)) {
        char *secret = strndup(item, len);
        const char *reason = secret ? events_secret_fault(secret) : NULL;
        if (c->events_secret_count == EVENTS_SECRETS_MAX)
            reason = "there are more than 8";
        if (reason) {
            config_fault(l, where, "secret %zu: %s", c->events_secret_count + 1, reason);
            file_wipe(secret);
            return;
        }
        if (!push_string(&c->events_secrets, &c->events_secret_count, secret))
            config_no_memory(l);
    }
    if (c->events_secret_count == 0)
        config_fault(l, where, "holds no secret");
}

/* --- lists --------------------------------------------------------------------------------------
 */

static void read_public_url(loader *l, const setting *s, const char *where, const char *value)
{
    const char *reason = optout_base_fault(value);

    if (reason)
        config_fault(l, where, "%s", reason);
    else
        read_path(l, s, where, value);
}

static void read_unsubscribe_secrets(loader *l, const setting *s, const char *where,
                                     const char *value)
{
    config *c = l->config;
    const char *item = NULL;
    size_t len = 0;

    (void)s;
    config_strings_clear(&c->unsubscribe_secrets, &c->unsubscribe_secret_count);
    while (config_value_item(&value, &item, &len)) {
        char *secret = strndup(item, len);
        const char *reason = secret ? optout_secret_fault(secret) : NULL;
        if (c->unsubscribe_secret_count == UNSUBSCRIBE_SECRETS_MAX)
            reason = "there are more than 8";
        if (reason) {
            config_fault(l, where, "secret %zu: %s", c->unsubscribe_secret_count + 1, reason);
            file_wipe(secret);
            return;
        }
        if (!push_string(&c->unsubscribe_secrets, &c->unsubscribe_secret_count, secret))
            config_no_memory(l);
    }
    if (c->unsubscribe_secret_count == 0)
        config_fault(l, where, "holds no secret");
}

/* --- the table ----------------------------------------------------------------------------------
 */

/* A setting of a part that a build may lack (features.h): its reader and help, or the part's name.
 */
#define PART(with, part, reader, text)                                                             \
    .read = (with) ? (reader) : NULL, .help = (with) ? (text) : (part)
#define QUEUE(reader, text)    PART(WITH_QUEUE, "queue", reader, text)
#define DIALECTS(reader, text) PART(WITH_DIALECTS, "dialects", reader, text)

const setting config_settings[] = {
    {.variable = "POSTERN_RELAY",
     .read = read_relay,
     .form = FORM_NONE, /* "relays" in the file */
     .secret = true,
     .shown = "none; nothing can be sent",
     .help = "URL of the relay: smtp://user:pass@host:587 (STARTTLS required), "
             "smtps://user:pass@host:465, or a preset as in gmail://user@gmail.com:apppass@ "
             "(postern check --presets). Options: ?tls= ?auth= ?ca= ?ehlo= ?sessions= "
             "?ahead= ?password_file= ?token_file= ?region="},
    {.variable = "POSTERN_LISTEN",
     .read = read_listen,
     .form = FORM_STRING,
     .fallback = "127.0.0.1:8025",
     .help = "Where to serve: host:port, [v6]:port or unix:/path."},
    {.variable = "POSTERN_TLS_CERT",
     .read = read_path,
     .form = FORM_STRING,
     .offset = offsetof(config, tls_cert),
     .shown = "none; plain HTTP",
     .help = "Certificate chain in PEM, to serve HTTPS. With POSTERN_TLS_KEY."},
    {.variable = "POSTERN_TLS_KEY",
     .read = read_path,
     .form = FORM_STRING,
     .offset = offsetof(config, tls_key),
     .shown = "none",
     .help = "The certificate's key in PEM, a path."},
    {.variable = "POSTERN_API_KEYS",
     .read = read_keys,
     .form = FORM_LIST,
     .secret = true,
     .shown = "none; serves loopback and unix sockets only",
     .help = "Keys that callers send as \"Authorization: Bearer KEY\", parted by commas (in a "
             "file: or lines): plain, 16 characters at least, or sha256: and the hexadecimal "
             "SHA-256 of one."},
    {.variable = "POSTERN_AUTH",
     .read = read_auth,
     .form = FORM_STRING,
     .shown = "keys if there are some",
     .help = "off: serve everybody who reaches the address, without keys. keys: don't start "
             "without keys."},
    {.variable = "POSTERN_FROM",
     .read = read_from,
     .form = FORM_LIST,
     .shown = "any",
     .help = "Who may stand in From and on the envelope: addresses and whole domains, parted by "
             "commas. The first address, with its name, is the From of requests without one."},
    {.variable = "POSTERN_MAX_BODY",
     .read = read_size,
     .form = FORM_NUMBER,
     .offset = offsetof(config, max_body),
     .min = 1024,
     .max = INT64_C(1) << 30,
     .fallback = "40MiB",
     .help = "Largest request body: bytes, or with KiB, MiB, GiB, kB, MB, GB."},
    {.variable = "POSTERN_MAX_MEMORY",
     .read = read_size,
     .form = FORM_NUMBER,
     .offset = offsetof(config, max_memory),
     .min = INT64_C(1024) * 1024,
     .max = INT64_C(1) << 40,
     .fallback = "128MiB",
     .help = "What requests may hold in memory, all together, before 503 with Retry-After."},
    {.variable = "POSTERN_SPILL",
     .read = read_path,
     .form = FORM_STRING,
     .offset = offsetof(config, spill),
     .shown = "/var/tmp or /tmp, whichever can be written",
     .help = "Folder for attachments that are too large for memory, in files without a name that "
             "live as long as the request. off: memory only."},
    {.variable = "POSTERN_MAX_RECIPIENTS",
     .read = read_number,
     .form = FORM_NUMBER,
     .offset = offsetof(config, max_recipients),
     .min = 1,
     .max = 10000,
     .fallback = "100",
     .help = "Most recipients of one message: to, cc and bcc."},
    {.variable = "POSTERN_MAX_INFLIGHT",
     .read = read_number,
     .form = FORM_NUMBER,
     .offset = offsetof(config, max_inflight),
     .min = 1,
     .max = 100000,
     .fallback = "1024",
     .help = "Transactions at once before 503 with Retry-After."},
    {.variable = "POSTERN_TIMEOUT",
     .read = read_duration,
     .form = FORM_STRING,
     .offset = offsetof(config, timeout_us),
     .min = 100 * INT64_C(1000),
     .max = HOUR_US,
     .fallback = "60s",
     .help = "A transaction's whole time, waiting for a session included: ms, s, m or h."},
    {.variable = "POSTERN_HTTP_THREADS",
     .read = read_number,
     .form = FORM_NUMBER,
     .offset = offsetof(config, http_threads),
     .min = 1,
     .max = THREADS_MAX,
     .shown = "half the processors, 1 to 4",
     .help = "Threads that serve HTTP, and speak with relays."},
    {.variable = "POSTERN_SENDER_THREADS",
     .read = read_number,
     .form = FORM_NUMBER,
     .offset = offsetof(config, sender_threads),
     .min = 0,
     .max = THREADS_MAX,
     .fallback = "0",
     .help = "Threads that do nothing but speak with relays; 0: those of HTTP do it. Each keeps "
             "sessions of its own."},
    {.variable = "POSTERN_READ_TIMEOUT",
     .read = read_duration,
     .form = FORM_STRING,
     .offset = offsetof(config, read_timeout_us),
     .min = 100 * INT64_C(1000),
     .max = 600 * INT64_C(1000000),
     .fallback = "30s",
     .help =
         "How long a client may take to bring a request; a second more for each 16 KiB that came."},
    {.variable = "POSTERN_SESSION_IDLE",
     .read = read_duration,
     .form = FORM_STRING,
     .offset = offsetof(config, session_idle_us),
     .min = 100 * INT64_C(1000),
     .max = HOUR_US,
     .fallback = "30s",
     .help = "How long a session to a relay is kept unused."},
    {.variable = "POSTERN_TEMPLATES",
     PART(WITH_TEMPLATES, "templates", read_folder,
          "A folder of templates: NAME/subject.mustache with html.mustache or text.mustache, "
          "checked at the start and read again on SIGHUP. They win over built-in ones."),
     .form = FORM_STRING,
     .offset = offsetof(config, templates),
     .shown = "none; those built in alone"},
    {.variable = "POSTERN_DNS",
     PART(WITH_DNS, "checks of domains", read_dns,
          "DNS servers to ask about senders' domains (postern check --domain, dkim verify), as "
          "192.0.2.1 or 127.0.0.1:5353, parted by commas."),
     .form = FORM_STRING,
     .offset = offsetof(config, dns),
     .shown = "the system's"},
    {.variable = "POSTERN_DATA",
     QUEUE(read_folder,
           "A folder that outlives the process; the queue lies in it, in SQLite, unless "
           "POSTERN_QUEUE says otherwise. One process at a time uses it."),
     .form = FORM_STRING,
     .offset = offsetof(config, data),
     .shown = "none"},
    {.variable = "POSTERN_QUEUE",
     QUEUE(read_queue,
           "Where messages wait: postgresql://user:password@host/database, which any number of "
           "instances share, or sqlite:/folder."),
     .form = FORM_STRING,
     .secret = true,
     .shown = "SQLite under POSTERN_DATA if that is set; else no queue"},
    {.variable = "POSTERN_FAILOVER",
     QUEUE(read_failover,
           "Names of relays, parted by commas, in the order in which a queued message is tried "
           "at them if its request names none."),
     .form = FORM_LIST,
     .shown = "default"},
    {.variable = "POSTERN_RETRY_FIRST",
     QUEUE(read_duration,
           "How long after its first attempt a queued message is tried again; doubled each "
           "time."),
     .form = FORM_STRING,
     .offset = offsetof(config, retry_first_us),
     .min = 10 * INT64_C(1000),
     .max = HOUR_US,
     .fallback = "30s"},
    {.variable = "POSTERN_RETRY_MOST",
     QUEUE(read_duration, "The longest time between two attempts."),
     .form = FORM_STRING,
     .offset = offsetof(config, retry_most_us),
     .min = 10 * INT64_C(1000),
     .max = DAY_US,
     .fallback = "1h"},
    {.variable = "POSTERN_EXPIRES",
     QUEUE(read_duration, "How long a queued message is tried, if its request doesn't say."),
     .form = FORM_STRING,
     .offset = offsetof(config, expires_us),
     .min = SECOND_US,
     .max = 30 * DAY_US,
     .fallback = "72h"},
    {.variable = "POSTERN_KEEP",
     QUEUE(read_duration, "How long it is known what became of a message: by whole days."),
     .form = FORM_STRING,
     .offset = offsetof(config, keep_us),
     .min = HOUR_US,
     .max = 3660 * DAY_US,
     .fallback = "30d"},
    {.variable = "POSTERN_UNKNOWN",
     QUEUE(read_unknown,
           "What becomes of a queued message whose relay didn't answer to its end: keep, it is "
           "not sent again, or resend, which may deliver it twice."),
     .form = FORM_STRING,
     .fallback = "keep"},
    {.variable = "POSTERN_SUPPRESSION",
     QUEUE(read_switch,
           "on: recipients that don't exist are kept in the queue's database, and nothing is "
           "sent to them again. off: neither."),
     .form = FORM_SWITCH,
     .offset = offsetof(config, suppression),
     .fallback = "on"},
    {.variable = "POSTERN_EVENTS_URL",
     QUEUE(read_path,
           "Where to POST what became of queued messages (Standard Webhooks): https://…"),
     .form = FORM_STRING,
     .offset = offsetof(config, events_url),
     .shown = "none; no events"},
    {.variable = "POSTERN_EVENTS_SECRET",
     QUEUE(read_events_secrets,
           "What events are signed with: whsec_ and base64 of 24 to 64 octets. Two, parted by a "
           "comma, while one takes the place of the other; the first is the new one."),
     .form = FORM_LIST,
     .secret = true,
     .shown = "none"},
    {.variable = "POSTERN_EVENTS_PRIVATE",
     QUEUE(read_switch, "on: the receiver of events may have a private address, and http://."),
     .form = FORM_SWITCH,
     .offset = offsetof(config, events_private),
     .fallback = "off"},
    {.variable = "POSTERN_EVENTS_CA",
     QUEUE(read_path, "CA certificates in PEM that the receiver's is verified with, a path."),
     .form = FORM_STRING,
     .offset = offsetof(config, events_ca),
     .shown = "the system's"},
    {.variable = "POSTERN_DIALECTS",
     DIALECTS(read_dialects,
              "Other providers' APIs that are spoken, too, for their SDKs: sendgrid, postmark, "
              "resend, mailgun; at their own paths, and below /sendgrid and so on."),
     .form = FORM_LIST,
     .shown = "none"},
    {.variable = "POSTERN_DIALECT_MODE",
     DIALECTS(
         read_dialect_mode,
         "queue: they answer when a mail is in the queue, which they need. sync: when the relay "
         "has spoken. The header Postern-Mode chooses for one request."),
     .form = FORM_STRING,
     .fallback = "queue"},
    {.variable = "POSTERN_LINT",
     PART(WITH_LINT, "lint", read_lint,
          "enforce: each message is looked at as a spam filter would, and refused with 422 if "
          "there are errors. off: only where a request asks, and nothing is refused."),
     .form = FORM_STRING,
     .fallback = "off"},
    {.variable = "POSTERN_PUBLIC_URL",
     QUEUE(read_public_url,
           "Where subscribers reach this service, for the links in mails of a list: https://…, "
           "with the path before /v1 if a proxy has one. /v1/unsubscribe/ must be reachable "
           "there."),
     .form = FORM_STRING,
     .offset = offsetof(config, public_url),
     .shown = "none; nothing can be sent to a list"},
    {.variable = "POSTERN_UNSUBSCRIBE_SECRET",
     QUEUE(read_unsubscribe_secrets,
           "What links to unsubscribe are made with: 32 characters at least. Several, parted by "
           "commas: the first makes them, all are known; a link whose secret is taken out is "
           "dead."),
     .form = FORM_LIST,
     .secret = true,
     .shown = "none; nothing can be sent to a list"},
    {.variable = "POSTERN_LOG",
     .read = read_log,
     .form = FORM_STRING,
     .fallback = "auto",
     .shown = "auto: text on a terminal, else json",
     .help = "Log lines on stderr: json, text or auto."},
    {.variable = "POSTERN_LOG_ADDRESSES",
     .read = read_switch,
     .form = FORM_SWITCH,
     .offset = offsetof(config, log_addresses),
     .fallback = "off",
     .help = "on: log whole addresses; off: their domains only."},
};

const size_t config_setting_count = COUNT(config_settings);

bool config_lacks(loader *l, const setting *s, const char *where)
{
    if (!s->read)
        config_fault(l, where, "this " LEAN_HAS_NO "%s", s->help);
    return !s->read;
}

void config_apply(loader *l, const setting *s, const char *where, const char *value)
{
    l->keys_named |= s->read == read_keys;
    if (config_lacks(l, s, where))
        return;
    if (value[0] == '\0')
        config_fault(l, where, "is empty: give it a value, or leave it out");
    else
        s->read(l, s, where, value);
}

/* The content of a mounted secret, less one line end; the caller wipes it. NULL on a fault. */
char *config_read_secret(loader *l, const char *where, const char *path)
{
    char *error = NULL;
    size_t len = 0;
    char *content = file_read(path, SECRET_MAX, &len, &error);

    if (!content) {
        if (error)
            config_fault(l, where, "%s", error);
        else
            config_no_memory(l);
        free(error);
        return NULL;
    }
    if (strlen(content) != len) {
        config_fault(l, where, "the file holds a NUL byte");
        explicit_bzero(content, len);
        free(content);
        return NULL;
    }
    if (len > 0 && content[len - 1] == '\n')
        content[--len] = '\0';
    if (len > 0 && content[len - 1] == '\r')
        content[--len] = '\0';
    return content;
}

void config_apply_file(loader *l, const setting *s, const char *where, const char *path)
{
    l->keys_named |= s->read == read_keys;
    if (config_lacks(l, s, where))
        return;
    if (path[0] == '\0') {
        config_fault(l, where, "is empty: give it a value, or leave it out");
        return;
    }
    char *content = config_read_secret(l, where, path);
    if (!content)
        return;
    config_apply(l, s, where, content);
    file_wipe(content);
}

/* --- names that no setting has -----------------------------------------------------------------
 */

/* Adds the setting whose name is nearest, if one is near. */
static void suggest(const char *name, bool lower, buf *out)
{
    static const char *const of_the_file[] = {"relays", "dkim"};
    size_t best = 3; /* one more than the slips that a suggestion forgives */

    for (size_t i = 0; lower && i < COUNT(of_the_file); i++) {
        size_t distance = config_value_distance(name, of_the_file[i], best - 1);
        if (distance >= best)
            continue;
        best = distance;
        buf_clear(out);
        buf_addf(out, "; did you mean %s?", of_the_file[i]);
    }
    for (size_t i = 0; i < 2 * config_setting_count; i++) {
        const setting *s = &config_settings[i / 2];
        bool as_file = i % 2;
        char word[64];
        int n = snprintf(word, sizeof word, "%s%s", s->variable + CONFIG_PREFIX_LENGTH,
                         as_file ? CONFIG_FILE_SUFFIX : "");
        if ((as_file && !s->secret) || (lower && s->form == FORM_NONE) || n < 0)
            continue;
        for (char *p = word; lower && *p; p++)
            *p = (char)tolower((unsigned char)*p);
        size_t distance = config_value_distance(name, word, best);
        if (distance >= best)
            continue;
        best = distance;
        buf_clear(out);
        buf_addf(out, "; did you mean %s%s?", lower ? "" : CONFIG_PREFIX, word);
    }
}

/* The fault of a name that no setting has. */
void config_unknown(loader *l, const char *where, const char *name, bool lower)
{
    buf hint = BUF_INIT;

    suggest(name, lower, &hint);
    const char *text = buf_cstr(&hint);
    config_fault(l, where, "there is no such setting%s", text ? text : "");
    buf_free(&hint);
}
