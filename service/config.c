#include "service/config.h"

#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "queue/events.h"
#include "service/config_hooks.h"
#include "service/config_setting.h"
#include "service/features.h"
#include "service/file.h"
#include "service/store.h"
#include "service/wrap.h"

#define FILE_AND_RELAYS                                                                            \
    "A JSON file of settings: the variables in lower case without POSTERN_, and \"relays\", an "   \
    "object of names with a URL, {\"url\": URL} or {\"url_file\": PATH}; \"default\" is the one "  \
    "of POSTERN_RELAY"
#define HOOKS "; and \"hooks\", an object of webhooks that become mails"
#define RANK  ". The environment wins over the file."

static const char *const CONFIG_HELP =
    WITH_HOOKS ? FILE_AND_RELAYS HOOKS RANK : FILE_AND_RELAYS RANK;

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
    for (size_t i = 0; i < config_setting_count; i++) {
        const char *variable = config_settings[i].variable;
        size_t n = strlen(variable);
        if (len < n || memcmp(name, variable, n) != 0)
            continue;
        if (len == n || (config_settings[i].secret && len == n + strlen(CONFIG_FILE_SUFFIX) &&
                         memcmp(name + n, CONFIG_FILE_SUFFIX, len - n) == 0))
            return true;
    }
    return false;
}

/* Kubernetes gives every container variables for each service of its namespace: for one named
 * "postern" POSTERN_SERVICE_HOST, POSTERN_SERVICE_PORT[_NAME], POSTERN_PORT=tcp://… and
 * POSTERN_PORT_8025_TCP[_PROTO|_PORT|_ADDR]. They are nobody's mistake. */
static bool is_from_kubernetes(const char *name, const char *value)
{
    name += CONFIG_PREFIX_LENGTH;
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
        if (!end || strncmp(entry, CONFIG_PREFIX, CONFIG_PREFIX_LENGTH) != 0)
            continue;
        size_t len = (size_t)(end - entry);
        if (is_known(entry, len) || is_from_kubernetes(entry, end + 1))
            continue;
        buf where = BUF_INIT;
        char *name = strndup(entry + CONFIG_PREFIX_LENGTH, len - CONFIG_PREFIX_LENGTH);
        config_add_name(&where, entry, len);
        const char *shown = buf_cstr(&where);
        if (name && shown)
            config_unknown(l, shown, name, false);
        else
            config_no_memory(l);
        free(name);
        buf_free(&where);
    }
}

static void load_environment(loader *l, const char *const *environment)
{
    for (size_t i = 0; i < config_setting_count; i++) {
        const setting *s = &config_settings[i];
        const char *value = look_up(environment, s->variable, "");
        const char *file = s->secret ? look_up(environment, s->variable, CONFIG_FILE_SUFFIX) : NULL;
        char where[64];

        (void)snprintf(where, sizeof where, "%s%s", s->variable, CONFIG_FILE_SUFFIX);
        if (value && file && s->read)
            config_fault(l, s->variable, "is set together with %s", where);
        else if (value)
            config_apply(l, s, s->variable, value);
        else if (file)
            config_apply_file(l, s, where, file);
    }
}

/* --- the whole ----------------------------------------------------------------------------------
 */

static void default_relay_first(config *c)
{
    size_t at = 0;

    while (at < c->relay_count && strcmp(smtp_relay_name(c->relays[at]), "default") != 0)
        at++;
    if (at == c->relay_count)
        return;
    smtp_relay *found = c->relays[at];
    for (; at > 0; at--)
        c->relays[at] = c->relays[at - 1];
    c->relays[0] = found;
}

/* One thread carries some ten thousand mails a second: on a small machine the other half of the
 * processors does more good to whoever asks, and to the relay if it is there too. */
static unsigned half_the_processors(unsigned most)
{
    cpu_set_t set;
    unsigned n = sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) / 2 : 1;

    return n < 1 ? 1 : n > most ? most : n;
}

static void load_defaults(loader *l)
{
    l->config->http_threads = half_the_processors(4);
    for (size_t i = 0; i < config_setting_count; i++)
        if (config_settings[i].fallback && config_settings[i].read)
            config_settings[i].read(l, &config_settings[i], config_settings[i].variable,
                                    config_settings[i].fallback);
}

static void check_readable(loader *l, const char *where, const char *path)
{
    char *error = NULL;
    char *content = path ? file_read(path, FILE_SMALL, NULL, &error) : NULL;

    if (path && !content) {
        if (error)
            config_fault(l, where, "%s", error);
        else
            config_no_memory(l);
    }
    file_wipe(content);
    free(error);
}

/* What settings must keep together, for whoever serves. */
static void check_serving(loader *l)
{
    const config *c = l->config;

    if (c->tls_cert && !c->tls_key)
        config_fault(l, "POSTERN_TLS_KEY", "is missing: POSTERN_TLS_CERT is set");
    if (c->tls_key && !c->tls_cert)
        config_fault(l, "POSTERN_TLS_CERT", "is missing: POSTERN_TLS_KEY is set");
    check_readable(l, "POSTERN_TLS_CERT", c->tls_cert);
    check_readable(l, "POSTERN_TLS_KEY", c->tls_key);
    if (c->spill && strcmp(c->spill, "off") != 0 && !store_writes(c->spill))
        config_fault(l, "POSTERN_SPILL", "can't make a file in this folder: %s",
                     strerrordesc_np(errno));
    if (c->auth_off && c->keys)
        config_fault(l, "POSTERN_AUTH",
                     "is off, and POSTERN_API_KEYS is set: leave out one of them");
    if (l->auth_keys && !l->keys_named)
        config_fault(l, "POSTERN_AUTH", "is keys, and POSTERN_API_KEYS is not set");
    if (!l->keys_named && !c->auth_off && !l->auth_keys && !c->listen.loopback)
        config_fault(
            l, "POSTERN_LISTEN",
            "other machines could send mail through this address: set POSTERN_API_KEYS, or listen "
            "on 127.0.0.1 or a unix socket, or set POSTERN_AUTH=off if something else guards it");
}

/* The queue's place, where POSTERN_QUEUE didn't say it. */
static void default_queue(loader *l)
{
    config *c = l->config;

    if (c->data && !c->queue_url && asprintf(&c->queue_url, "sqlite:%s/queue", c->data) < 0) {
        c->queue_url = NULL;
        config_no_memory(l);
    }
}

static void check_queue(loader *l)
{
    const config *c = l->config;

    for (size_t i = 0; i < c->failover_count; i++)
        if (!config_relay(c, c->failover[i]))
            config_fault(l, "POSTERN_FAILOVER", "item %zu: no relay of this name is configured",
                         i + 1);
    if (c->retry_most_us < c->retry_first_us)
        config_fault(l, "POSTERN_RETRY_MOST", "is less than POSTERN_RETRY_FIRST");
}

static void check_events(loader *l)
{
    const config *c = l->config;
    const char *reason = c->events_url ? events_url_fault(c->events_url, c->events_private) : NULL;

    if (reason)
        config_fault(l, "POSTERN_EVENTS_URL", "%s", reason);
    if (c->events_url && !c->queue_url)
        config_fault(l, "POSTERN_EVENTS_URL",
                     "events need a queue: set POSTERN_DATA or POSTERN_QUEUE");
    if (c->events_url && !c->events_secrets)
        config_fault(l, "POSTERN_EVENTS_SECRET", "is missing: POSTERN_EVENTS_URL is set");
    if (c->events_secrets && !c->events_url)
        config_fault(l, "POSTERN_EVENTS_URL", "is missing: POSTERN_EVENTS_SECRET is set");
    check_readable(l, "POSTERN_EVENTS_CA", c->events_ca);
}

static void check_dialects(loader *l)
{
    const config *c = l->config;
    if (c->dialects && !c->dialects_sync && !c->queue_url)
        config_fault(l, "POSTERN_DIALECTS",
                     "mails need a queue: set POSTERN_DATA or POSTERN_QUEUE, or "
                     "POSTERN_DIALECT_MODE=sync");
}

/* Without a queue nobody who leaves a list could be remembered. */
static void make_lists(loader *l)
{
    config *c = l->config;

    if (!c->public_url || !c->unsubscribe_secrets || !c->queue_url)
        return;
    c->optout = optout_create(c->public_url, (const char *const *)c->unsubscribe_secrets,
                              c->unsubscribe_secret_count);
    if (!c->optout)
        config_no_memory(l);
}

static config *load(const char *const *environment, bool serving, buf *faults)
{
    static const char *const empty[] = {NULL};
    buf found = BUF_INIT;
    loader l = {.config = calloc(1, sizeof(config)), .faults = &found};
    bool ok = false;

    if (!l.config || (WITH_DKIM && !(l.config->dkim = signer_create())))
        goto cleanup;
    if (!environment)
        environment = empty;
    load_defaults(&l);
    find_unknown(&l, environment);
    const char *path = look_up(environment, CONFIG_VARIABLE, "");
    if (path && path[0] == '\0')
        config_fault(&l, CONFIG_VARIABLE, "is empty: give it a value, or leave it out");
    else if (path)
        config_load_file(&l, path);
    load_environment(&l, environment);
    default_relay_first(l.config);
    if (WITH_QUEUE) {
        default_queue(&l);
        check_queue(&l);
        make_lists(&l);
    }
    if (WITH_HOOKS)
        config_hooks_check(&l, serving);
    if (serving)
        check_serving(&l);
    if (serving && WITH_DIALECTS)
        check_dialects(&l);
    if (serving && WITH_QUEUE)
        check_events(&l);
    ok = !l.no_memory && buf_ok(&found) && found.len == 0;

cleanup:
    buf_add(faults, found.data, found.len);
    if (!l.config || (WITH_DKIM && !l.config->dkim) || l.no_memory || !buf_ok(&found))
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
    config_listen_clear(&c->listen);
    free(c->tls_cert);
    free(c->tls_key);
    free(c->spill);
    free(c->dns);
    free(c->templates);
    free(c->data);
    file_wipe(c->queue_url);
    config_strings_clear(&c->failover, &c->failover_count);
    free(c->events_url);
    config_strings_clear(&c->events_secrets, &c->events_secret_count);
    free(c->events_ca);
    free(c->public_url);
    config_strings_clear(&c->unsubscribe_secrets, &c->unsubscribe_secret_count);
    if (WITH_QUEUE)
        optout_free(c->optout);
    if (WITH_HOOKS)
        config_hooks_clear(c);
    if (WITH_DKIM)
        signer_free(c->dkim);
    free(c->dkim_open);
    keys_free(c->keys);
    for (size_t i = 0; i < c->relay_count; i++)
        smtp_relay_free(c->relays[i]);
    free(c->relays);
    config_senders_clear(&c->senders);
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

static void describe(buf *out, const setting *s)
{
    const char *fallback = s->shown ? s->shown : s->fallback;
    buf text = BUF_INIT;

    buf_addf(out, "  %s", s->variable);
    if (s->secret)
        buf_addf(out, ", or %s%s", s->variable, CONFIG_FILE_SUFFIX);
    buf_addc(out, '\n');
    buf_addf(&text, "%s Default: %s.", s->help, fallback ? fallback : "none");
    const char *words = buf_cstr(&text);
    if (words)
        wrap_text(out, words, 6);
    else
        out->failed = true;
    buf_free(&text);
}

void config_describe(buf *out)
{
    for (size_t i = 0; i < config_setting_count; i++)
        if (config_settings[i].read)
            describe(out, &config_settings[i]);
    const setting file = {.variable = CONFIG_VARIABLE, .shown = "none", .help = CONFIG_HELP};
    describe(out, &file);
}
