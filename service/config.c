#include "service/config.h"

#include <ctype.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "service/config_value.h"
#include "service/file.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

#define PREFIX         "POSTERN_"
#define PREFIX_LENGTH  (sizeof PREFIX - 1)
#define FILE_SUFFIX    "_FILE"
#define MEMBER_SUFFIX  "_file"
#define SECRET_MAX     ((size_t)64 * 1024)
#define RELAYS_MAX     64
#define RELAY_NAME_MAX 64
#define SENDERS_MAX    1024
#define THREADS_MAX    64
#define NAME_SHOWN     64 /* characters of an unknown name that a fault repeats */

#define SECOND_US INT64_C(1000000)
#define HOUR_US   (3600 * SECOND_US)

typedef struct loader {
    config *config;
    buf *faults;
    bool auth_keys;  /* POSTERN_AUTH=keys was written out */
    bool keys_named; /* keys were to come from somewhere, whether or not they could be read */
    bool no_memory;
} loader;

/* What a member of the file may be besides a string. */
typedef enum form { FORM_STRING, FORM_NUMBER, FORM_SWITCH, FORM_LIST, FORM_NONE } form;

typedef struct setting {
    const char *variable;
    void (*read)(loader *l, const struct setting *s, const char *where, const char *value);
    form form;     /* FORM_NONE: the environment only */
    bool secret;   /* can come as X_FILE */
    size_t offset; /* of the member of config, where `read` is one for many */
    int64_t min, max;
    const char *fallback; /* the default, read like a value; NULL: none */
    const char *shown;    /* the default in words, where `fallback` doesn't say it */
    const char *help;
} setting;

/* --- faults ------------------------------------------------------------------------------------
 */

static void fault(loader *l, const char *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void fault(loader *l, const char *where, const char *format, ...)
{
    va_list args;

    buf_addf(l->faults, "%s: ", where);
    va_start(args, format);
    buf_addv(l->faults, format, args);
    va_end(args);
    buf_addc(l->faults, '\n');
}

static void no_memory(loader *l)
{
    l->no_memory = true;
}

/* A name that somebody else chose, safe to show: cut, and nothing but printable ASCII. */
static void add_name(buf *out, const char *name, size_t len)
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
        fault(l, where, "must be a number of %lld to %lld", (long long)s->min, (long long)s->max);
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
        fault(l, where, "must be a %s of %s, such as %s", what, range, s->fallback);
    else
        no_memory(l);
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
        fault(l, where, "must be on or off");
}

static void read_path(loader *l, const setting *s, const char *where, const char *value)
{
    char **path = field(l, s);

    (void)where; /* any string is a path; whether it can be read is asked when serving */
    free(*path);
    *path = strdup(value);
    if (!*path)
        no_memory(l);
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
    fault(l, where, "must be json, text or auto");
}

static void read_auth(loader *l, const setting *s, const char *where, const char *value)
{
    (void)s;
    if (strcmp(value, "off") != 0 && strcmp(value, "keys") != 0) {
        fault(l, where, "must be off or keys");
        return;
    }
    l->config->auth_off = strcmp(value, "off") == 0;
    l->auth_keys = !l->config->auth_off;
}

static void listen_clear(config_listen *listen)
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
        fault(l, where, "%s", reason);
        return;
    }
    listen_clear(&l->config->listen);
    l->config->listen = listen;
}

static void read_keys(loader *l, const setting *s, const char *where, const char *value)
{
    const char *item = NULL, *reason = NULL;
    size_t len = 0, number = 0;
    keys *read = keys_create();

    (void)s;
    if (!read) {
        no_memory(l);
        return;
    }
    while (config_value_item(&value, &item, &len)) {
        number++;
        if (!keys_add(read, item, len, &reason))
            fault(l, where, "key %zu: %s", number, reason);
    }
    if (number == 0)
        fault(l, where, "holds no key");
    keys_free(l->config->keys);
    l->config->keys = read;
}

/* --- senders ------------------------------------------------------------------------------------
 */

static void senders_clear(config_senders *s)
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
            fault(l, where, "item %zu: %s", number, reason);
    }
    if (number == 0)
        fault(l, where, "holds no address or domain");
    senders_clear(&l->config->senders);
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
    smtp_relay **grown = realloc(c->relays, (c->relay_count + 1) * sizeof *grown);
    if (!grown) {
        smtp_relay_free(relay);
        return false;
    }
    c->relays = grown;
    c->relays[c->relay_count++] = relay;
    return true;
}

static void add_relay(loader *l, const char *where, const char *name, const char *url)
{
    char *error = NULL;
    smtp_relay *relay = smtp_relay_create(name, url, &error);

    if (relay ? !put_relay(l->config, relay) : !error)
        no_memory(l);
    else if (!relay)
        fault(l, where, "%s", error);
    free(error);
}

static void read_relay(loader *l, const setting *s, const char *where, const char *value)
{
    (void)s;
    add_relay(l, where, "default", value);
}

static void default_relay_first(config *c)
{
    for (size_t i = 1; i < c->relay_count; i++)
        if (strcmp(smtp_relay_name(c->relays[i]), "default") == 0) {
            smtp_relay *found = c->relays[i];
            memmove(c->relays + 1, c->relays, i * sizeof *c->relays);
            c->relays[0] = found;
            return;
        }
}

/* --- the table ----------------------------------------------------------------------------------
 */

static const setting SETTINGS[] = {
    {.variable = "POSTERN_RELAY",
     .read = read_relay,
     .form = FORM_NONE, /* "relays" in the file */
     .secret = true,
     .shown = "none; nothing can be sent",
     .help = "URL of the relay: smtp://user:pass@host:587 (STARTTLS required), "
             "smtps://user:pass@host:465, or a preset as in gmail://user@gmail.com:apppass@ "
             "(postern check --presets). Options: ?tls= ?auth= ?ca= ?ehlo= ?sessions= "
             "?password_file= ?token_file= ?region="},
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
     .shown = "the processors, 4 at most",
     .help = "Threads that serve HTTP."},
    {.variable = "POSTERN_SENDER_THREADS",
     .read = read_number,
     .form = FORM_NUMBER,
     .offset = offsetof(config, sender_threads),
     .min = 1,
     .max = THREADS_MAX,
     .fallback = "1",
     .help = "Threads that speak with relays; each keeps sessions of its own."},
    {.variable = "POSTERN_SESSION_IDLE",
     .read = read_duration,
     .form = FORM_STRING,
     .offset = offsetof(config, session_idle_us),
     .min = 100 * INT64_C(1000),
     .max = HOUR_US,
     .fallback = "30s",
     .help = "How long a session to a relay is kept unused."},
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

/* Read before all the others, so not in the table. */
static const char CONFIG_VARIABLE[] = "POSTERN_CONFIG";
static const char CONFIG_HELP[] =
    "A JSON file of settings: the variables in lower case without POSTERN_, and \"relays\", an "
    "object of names with a URL, {\"url\": URL} or {\"url_file\": PATH}; \"default\" is the one "
    "of POSTERN_RELAY. The environment wins over the file.";

static void apply(loader *l, const setting *s, const char *where, const char *value)
{
    l->keys_named |= s->read == read_keys;
    if (value[0] == '\0')
        fault(l, where, "is empty: give it a value, or leave it out");
    else
        s->read(l, s, where, value);
}

/* The content of a mounted secret, less one line end; the caller wipes it. NULL on a fault. */
static char *read_secret_file(loader *l, const char *where, const char *path)
{
    char *error = NULL;
    size_t len = 0;
    char *content = file_read(path, SECRET_MAX, &len, &error);

    if (!content) {
        if (error)
            fault(l, where, "%s", error);
        else
            no_memory(l);
        free(error);
        return NULL;
    }
    if (strlen(content) != len) {
        fault(l, where, "the file holds a NUL byte");
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

static void apply_file(loader *l, const setting *s, const char *where, const char *path)
{
    l->keys_named |= s->read == read_keys;
    if (path[0] == '\0') {
        fault(l, where, "is empty: give it a value, or leave it out");
        return;
    }
    char *content = read_secret_file(l, where, path);
    if (!content)
        return;
    apply(l, s, where, content);
    file_wipe(content);
}

/* --- the file -----------------------------------------------------------------------------------
 */

/* A setting's member: "POSTERN_MAX_BODY" as "max_body", with MEMBER_SUFFIX behind it if `as_file`.
 */
static bool is_member(const setting *s, bool as_file, const char *name)
{
    const char *variable = s->variable + PREFIX_LENGTH;
    size_t len = strlen(variable);

    if (s->form == FORM_NONE)
        return false;
    for (size_t i = 0; i < len; i++)
        if (name[i] != tolower((unsigned char)variable[i]))
            return false;
    return strcmp(name + len, as_file ? MEMBER_SUFFIX : "") == 0;
}

static const char *const FORM_WORDS[] = {
    [FORM_STRING] = "a string",
    [FORM_NUMBER] = "a string or a number",
    [FORM_SWITCH] = "\"on\" or \"off\", true or false",
    [FORM_LIST] = "a string or a list of strings",
};

/* A member's value as the text that the environment would hold; false if it has another type. */
static bool member_text(const setting *s, const json_t *value, buf *out)
{
    size_t i;
    const json_t *item;

    if (json_is_string(value)) {
        buf_adds(out, json_string_value(value));
    } else if (json_is_integer(value) && s->form == FORM_NUMBER) {
        buf_addf(out, "%lld", (long long)json_integer_value(value));
    } else if (json_is_boolean(value) && s->form == FORM_SWITCH) {
        buf_adds(out, json_is_true(value) ? "on" : "off");
    } else if (json_is_array(value) && s->form == FORM_LIST) {
        json_array_foreach(value, i, item)
        {
            if (!json_is_string(item))
                return false;
            buf_adds(out, json_string_value(item));
            buf_addc(out, '\n');
        }
    } else {
        return false;
    }
    return true;
}

static void apply_member(loader *l, const setting *s, const char *where, const json_t *value)
{
    buf text = BUF_INIT;

    if (!member_text(s, value, &text)) {
        fault(l, where, "must be %s", FORM_WORDS[s->form]);
    } else {
        const char *string = buf_cstr(&text);
        if (string)
            apply(l, s, where, string);
        else
            no_memory(l);
    }
    if (text.data)
        explicit_bzero(text.data, text.len);
    buf_free(&text);
}

static bool is_relay_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    return len > 0 && len <= RELAY_NAME_MAX && name[len] == '\0';
}

/* {"url": URL} or {"url_file": PATH} */
static void apply_relay_object(loader *l, const char *where, const char *name, const json_t *value)
{
    const json_t *url = json_object_get(value, "url");
    const json_t *file = json_object_get(value, "url_file");

    if (json_object_size(value) != 1 || !json_is_string(url ? url : file)) {
        fault(l, where, "must be a URL, {\"url\": URL} or {\"url_file\": PATH}");
    } else if (url) {
        add_relay(l, where, name, json_string_value(url));
    } else {
        char *content = read_secret_file(l, where, json_string_value(file));
        if (content)
            add_relay(l, where, name, content);
        file_wipe(content);
    }
}

static void apply_relays(loader *l, const char *where, const json_t *value)
{
    const char *name;
    json_t *relay;

    if (!json_is_object(value) || json_object_size(value) > RELAYS_MAX) {
        fault(l, where, "must be an object of names and relays, %d at most", RELAYS_MAX);
        return;
    }
    json_object_foreach((json_t *)value, name, relay)
    {
        buf inner = BUF_INIT;
        buf_addf(&inner, "%s/", where);
        add_name(&inner, name, strlen(name));
        const char *at = buf_cstr(&inner);
        if (!at)
            no_memory(l);
        else if (!is_relay_name(name))
            fault(l, at, "a relay's name is 1 to %d letters, digits, dots, hyphens and underscores",
                  RELAY_NAME_MAX);
        else if (json_is_string(relay))
            add_relay(l, at, name, json_string_value(relay));
        else
            apply_relay_object(l, at, name, relay);
        buf_free(&inner);
    }
}

/* The nearest of `name` among the settings, or NULL. For a member (`lower`), and for a variable
 * less its prefix. */
static void suggest(const char *name, bool lower, buf *out)
{
    size_t best = 3; /* one more than the slips that a suggestion forgives */

    for (size_t i = 0; i < 2 * COUNT(SETTINGS); i++) {
        const setting *s = &SETTINGS[i / 2];
        bool as_file = i % 2;
        char word[64];
        int n = snprintf(word, sizeof word, "%s%s", s->variable + PREFIX_LENGTH,
                         as_file ? FILE_SUFFIX : "");
        if ((as_file && !s->secret) || (lower && s->form == FORM_NONE) || n < 0)
            continue;
        for (char *p = word; lower && *p; p++)
            *p = (char)tolower((unsigned char)*p);
        size_t distance = config_value_distance(name, word, best);
        if (distance >= best)
            continue;
        best = distance;
        buf_clear(out);
        buf_addf(out, "; did you mean %s%s?", lower ? "" : PREFIX, word);
    }
}

/* The fault of a name that no setting has. */
static void unknown(loader *l, const char *where, const char *name, bool lower)
{
    buf hint = BUF_INIT;

    suggest(name, lower, &hint);
    const char *text = buf_cstr(&hint);
    fault(l, where, "there is no such setting%s", text ? text : "");
    buf_free(&hint);
}

static void apply_root_member(loader *l, const char *where, const char *name, const json_t *value)
{
    if (strcmp(name, "relays") == 0) {
        apply_relays(l, where, value);
        return;
    }
    for (size_t i = 0; i < COUNT(SETTINGS); i++) {
        const setting *s = &SETTINGS[i];
        if (is_member(s, false, name)) {
            apply_member(l, s, where, value);
            return;
        }
        if (s->secret && is_member(s, true, name)) {
            if (json_is_string(value))
                apply_file(l, s, where, json_string_value(value));
            else
                fault(l, where, "must be a path");
            return;
        }
    }
    unknown(l, where, name, true);
}

/* X and X_file together. */
static void check_member_pairs(loader *l, const char *path, const json_t *root)
{
    if (json_object_get(root, "api_keys") && json_object_get(root, "api_keys_file"))
        fault(l, path, "has both api_keys and api_keys_file");
}

static void apply_root(loader *l, const char *path, const json_t *root)
{
    const char *name;
    json_t *value;

    if (!json_is_object(root)) {
        fault(l, path, "must be a JSON object");
        return;
    }
    check_member_pairs(l, path, root);
    json_object_foreach((json_t *)root, name, value)
    {
        buf where = BUF_INIT;
        buf_addf(&where, "%s: /", path);
        add_name(&where, name, strlen(name));
        const char *at = buf_cstr(&where);
        if (at)
            apply_root_member(l, at, name, value);
        else
            no_memory(l);
        buf_free(&where);
    }
}

static void load_file(loader *l, const char *path)
{
    char *error = NULL;
    size_t len = 0;
    json_error_t bad;

    char *content = file_read(path, FILE_SMALL, &len, &error);
    if (!content) {
        if (error)
            fault(l, CONFIG_VARIABLE, "%s", error);
        else
            no_memory(l);
        free(error);
        return;
    }
    json_t *root = json_loadb(content, len, JSON_REJECT_DUPLICATES, &bad);
    if (root) {
        apply_root(l, path, root);
    } else {
        /* What is behind "near" repeats the file, which may hold secrets. */
        const char *near = strstr(bad.text, " near ");
        size_t shown = near ? (size_t)(near - bad.text) : strlen(bad.text);
        fault(l, path, "line %d, column %d: %.*s", bad.line, bad.column, (int)shown, bad.text);
    }
    json_decref(root);
    explicit_bzero(content, len);
    free(content);
}

/* --- the environment ----------------------------------------------------------------------------
 */

/* The value behind "NAME" or "NAMEsuffix" and "="; NULL if it is not set. */
static const char *look_up(const char *const *environment, const char *name, const char *suffix)
{
    size_t name_len = strlen(name), suffix_len = strlen(suffix);

    for (; *environment; environment++) {
        const char *entry = *environment;
        if (strncmp(entry, name, name_len) == 0 &&
            strncmp(entry + name_len, suffix, suffix_len) == 0 &&
            entry[name_len + suffix_len] == '=')
            return entry + name_len + suffix_len + 1;
    }
    return NULL;
}

static bool is_known(const char *name, size_t len)
{
    if (len == sizeof CONFIG_VARIABLE - 1 && memcmp(name, CONFIG_VARIABLE, len) == 0)
        return true;
    for (size_t i = 0; i < COUNT(SETTINGS); i++) {
        const char *variable = SETTINGS[i].variable;
        size_t n = strlen(variable);
        if (len < n || memcmp(name, variable, n) != 0)
            continue;
        if (len == n || (SETTINGS[i].secret && len == n + strlen(FILE_SUFFIX) &&
                         memcmp(name + n, FILE_SUFFIX, len - n) == 0))
            return true;
    }
    return false;
}

/* Kubernetes gives every container variables for each service of its namespace: for one named
 * "postern" POSTERN_SERVICE_HOST, POSTERN_SERVICE_PORT[_NAME], POSTERN_PORT=tcp://… and
 * POSTERN_PORT_8025_TCP[_PROTO|_PORT|_ADDR]. They are nobody's mistake. */
static bool is_from_kubernetes(const char *name, const char *value)
{
    name += PREFIX_LENGTH;
    if (strncmp(name, "SERVICE_HOST=", 13) == 0 || strncmp(name, "SERVICE_PORT", 12) == 0)
        return true;
    if (strncmp(name, "PORT=", 5) == 0)
        return strstr(value, "://") != NULL;
    return strncmp(name, "PORT_", 5) == 0 && isdigit((unsigned char)name[5]);
}

static void find_unknown(loader *l, const char *const *environment)
{
    for (; *environment; environment++) {
        const char *entry = *environment;
        const char *end = strchr(entry, '=');
        if (!end || strncmp(entry, PREFIX, PREFIX_LENGTH) != 0)
            continue;
        size_t len = (size_t)(end - entry);
        if (is_known(entry, len) || is_from_kubernetes(entry, end + 1))
            continue;
        buf where = BUF_INIT;
        char *name = strndup(entry + PREFIX_LENGTH, len - PREFIX_LENGTH);
        add_name(&where, entry, len);
        const char *shown = buf_cstr(&where);
        if (name && shown)
            unknown(l, shown, name, false);
        else
            no_memory(l);
        free(name);
        buf_free(&where);
    }
}

static void load_environment(loader *l, const char *const *environment)
{
    for (size_t i = 0; i < COUNT(SETTINGS); i++) {
        const setting *s = &SETTINGS[i];
        const char *value = look_up(environment, s->variable, "");
        const char *file = s->secret ? look_up(environment, s->variable, FILE_SUFFIX) : NULL;
        char where[64];

        (void)snprintf(where, sizeof where, "%s%s", s->variable, FILE_SUFFIX);
        if (value && file)
            fault(l, s->variable, "is set together with %s", where);
        else if (value)
            apply(l, s, s->variable, value);
        else if (file)
            apply_file(l, s, where, file);
    }
}

/* --- the whole ----------------------------------------------------------------------------------
 */

static unsigned processors(unsigned most)
{
    cpu_set_t set;
    unsigned n = sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;

    return n < 1 ? 1 : n > most ? most : n;
}

static void load_defaults(loader *l)
{
    l->config->http_threads = processors(4);
    for (size_t i = 0; i < COUNT(SETTINGS); i++)
        if (SETTINGS[i].fallback)
            SETTINGS[i].read(l, &SETTINGS[i], SETTINGS[i].variable, SETTINGS[i].fallback);
}

static void check_readable(loader *l, const char *where, const char *path)
{
    char *error = NULL;
    char *content = path ? file_read(path, FILE_SMALL, NULL, &error) : NULL;

    if (path && !content) {
        if (error)
            fault(l, where, "%s", error);
        else
            no_memory(l);
    }
    file_wipe(content);
    free(error);
}

/* What settings must keep together, for whoever serves. */
static void check_serving(loader *l)
{
    const config *c = l->config;

    if (c->tls_cert && !c->tls_key)
        fault(l, "POSTERN_TLS_KEY", "is missing: POSTERN_TLS_CERT is set");
    if (c->tls_key && !c->tls_cert)
        fault(l, "POSTERN_TLS_CERT", "is missing: POSTERN_TLS_KEY is set");
    check_readable(l, "POSTERN_TLS_CERT", c->tls_cert);
    check_readable(l, "POSTERN_TLS_KEY", c->tls_key);
    if (c->auth_off && c->keys)
        fault(l, "POSTERN_AUTH", "is off, and POSTERN_API_KEYS is set: leave out one of them");
    if (l->auth_keys && !l->keys_named)
        fault(l, "POSTERN_AUTH", "is keys, and POSTERN_API_KEYS is not set");
    if (!l->keys_named && !c->auth_off && !l->auth_keys && !c->listen.loopback)
        fault(
            l, "POSTERN_LISTEN",
            "other machines could send mail through this address: set POSTERN_API_KEYS, or listen "
            "on 127.0.0.1 or a unix socket, or set POSTERN_AUTH=off if something else guards it");
}

static config *load(const char *const *environment, bool serving, buf *faults)
{
    static const char *const empty[] = {NULL};
    buf found = BUF_INIT;
    loader l = {.config = calloc(1, sizeof(config)), .faults = &found};
    bool ok = false;

    if (!l.config)
        goto cleanup;
    if (!environment)
        environment = empty;
    load_defaults(&l);
    find_unknown(&l, environment);
    const char *path = look_up(environment, CONFIG_VARIABLE, "");
    if (path && path[0] == '\0')
        fault(&l, CONFIG_VARIABLE, "is empty: give it a value, or leave it out");
    else if (path)
        load_file(&l, path);
    load_environment(&l, environment);
    default_relay_first(l.config);
    if (serving)
        check_serving(&l);
    ok = !l.no_memory && buf_ok(&found) && found.len == 0;

cleanup:
    buf_add(faults, found.data, found.len);
    if (!l.config || l.no_memory || !buf_ok(&found))
        buf_adds(faults, "out of memory\n");
    buf_free(&found);
    if (ok)
        return l.config;
    config_free(l.config);
    return NULL;
}

config *config_load(const char *const *environment, buf *faults)
{
    return load(environment, true, faults);
}

config *config_load_command(const char *const *environment, buf *faults)
{
    return load(environment, false, faults);
}

void config_free(config *c)
{
    if (!c)
        return;
    listen_clear(&c->listen);
    free(c->tls_cert);
    free(c->tls_key);
    keys_free(c->keys);
    for (size_t i = 0; i < c->relay_count; i++)
        smtp_relay_free(c->relays[i]);
    free(c->relays);
    senders_clear(&c->senders);
    free(c);
}

const smtp_relay *config_relay(const config *c, const char *name)
{
    for (size_t i = 0; i < c->relay_count; i++)
        if (strcmp(smtp_relay_name(c->relays[i]), name) == 0)
            return c->relays[i];
    return NULL;
}

/* The same local part to the letter, the same domain in any case. */
static bool same_address(const char *a, const char *b)
{
    const char *a_at = strrchr(a, '@'), *b_at = strrchr(b, '@');

    return a_at && b_at && a_at - a == b_at - b && memcmp(a, b, (size_t)(a_at - a)) == 0 &&
           strcasecmp(a_at, b_at) == 0;
}

bool config_may_send(const config *c, const mime_mailbox *from)
{
    const config_senders *s = &c->senders;

    if (s->address_count + s->domain_count == 0)
        return true;
    for (size_t i = 0; i < s->domain_count; i++)
        if (strcasecmp(s->domains[i], from->domain) == 0)
            return true;
    for (size_t i = 0; i < s->address_count; i++)
        if (same_address(s->addresses[i], from->address))
            return true;
    return false;
}

/* --- help ---------------------------------------------------------------------------------------
 */

#define HELP_INDENT  6
#define HELP_COLUMNS 80

/* Adds words, broken into indented lines. */
static void add_wrapped(buf *out, const char *text)
{
    size_t column = 0;

    for (;;) {
        text += strspn(text, " ");
        size_t len = strcspn(text, " ");
        if (len == 0)
            break;
        if (column == 0 || column + 1 + len > HELP_COLUMNS) {
            buf_addf(out, "%s%*s", column ? "\n" : "", HELP_INDENT, "");
            column = HELP_INDENT;
        } else {
            buf_addc(out, ' ');
            column++;
        }
        buf_add(out, text, len);
        column += len;
        text += len;
    }
    buf_addc(out, '\n');
}

static void describe(buf *out, const setting *s)
{
    const char *fallback = s->shown ? s->shown : s->fallback;

    buf_addf(out, "  %s", s->variable);
    if (s->secret)
        buf_addf(out, " or %s%s", s->variable, FILE_SUFFIX);
    buf_addf(out, "  (default: %s)\n", fallback ? fallback : "none");
    add_wrapped(out, s->help);
}

void config_describe(buf *out)
{
    for (size_t i = 0; i < COUNT(SETTINGS); i++)
        describe(out, &SETTINGS[i]);
    const setting file = {.variable = CONFIG_VARIABLE, .shown = "none", .help = CONFIG_HELP};
    describe(out, &file);
}
