/*
 * config - the settings, from the environment and one optional JSON file.
 *
 * One table (config.c) names each setting: variable, member of the file, how it is read, default.
 * The environment wins over the file. Every secret X can come as X_FILE, a file whose content (less
 * one trailing newline) is the value; X and X_FILE together are a fault. An unknown POSTERN_…
 * variable (but those that Kubernetes makes for a service named "postern"), an unknown member, an
 * empty value, a value that doesn't read: each is one fault, all are collected, and the program
 * does not start. A fault names the setting and what it expects, and never repeats a value.
 *
 * The file (POSTERN_CONFIG) is a JSON object: the settings in lower case without the prefix
 * ("listen", "max_body", …; numbers and switches also as JSON's own), "api_keys_file", and what is
 * structured: "relays": {"default": "smtp://…", "bulk": {"url": "…"}, "slow": {"url_file": "…"}},
 * "hooks": {…} (config_hooks.h), "api_keys": […], "from": […], "failover": […], "dkim":
 * {"example.com": [{"selector": "s1", "key_file": "/etc/postern/s1.pem"}]}. The relay "default" is
 * the one of POSTERN_RELAY; both given: the environment's.
 *
 * The environment is read from the `environ`-like array that is passed, not from the process, so
 * that tests and `postern send` can bring their own.
 *
 * Memory: config owns everything; of API keys it keeps hashes only. Threads: immutable after
 * config_load(), but for the keys of DKIM (signer.h).
 */
#ifndef POSTERN_SERVICE_CONFIG_H
#define POSTERN_SERVICE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "mime/address.h"
#include "service/keys.h"
#include "service/log.h"
#include "service/optout.h"
#include "service/signer.h"
#include "smtp/relay.h"

typedef enum config_listen_kind { CONFIG_LISTEN_TCP, CONFIG_LISTEN_UNIX } config_listen_kind;

typedef struct config_listen {
    config_listen_kind kind;
    char *host;    /* "127.0.0.1", "::1", "0.0.0.0", "localhost"; NULL for a unix socket */
    uint16_t port; /* 0: any free one, which the log line of the start names */
    char *path;    /* of a unix socket */
    bool loopback; /* only this machine can reach it */
} config_listen;

/* Who may stand in From and on the envelope: addresses and whole domains ("@example.com" or
 * "example.com"); empty: anyone. The first address is the default From. */
typedef struct config_senders {
    char **addresses; /* as they go out: domain in A-labels */
    size_t address_count;
    char **domains; /* A-labels */
    size_t domain_count;
    mime_mailbox fallback; /* used when a request has no from; address NULL: none */
} config_senders;

typedef struct config_hook config_hook; /* config_hooks.h */

typedef struct config {
    config_listen listen;
    char *tls_cert, *tls_key; /* paths; both or none */
    keys *keys;               /* NULL: none */
    bool auth_off;            /* POSTERN_AUTH=off was written out */
    smtp_relay **relays;      /* "default" is the first, if there is one */
    size_t relay_count;
    config_senders senders;
    size_t max_body;   /* bytes */
    size_t max_memory; /* POSTERN_MAX_MEMORY: of requests, while they are in memory */
    char *spill; /* POSTERN_SPILL: the folder for what is larger; "off": none; NULL: the first of
                    the usual ones that can be written */
    unsigned max_recipients;
    unsigned max_inflight;
    int64_t timeout_us;
    unsigned http_threads;   /* POSTERN_HTTP_THREADS; default: half the cores, at most 4 */
    unsigned sender_threads; /* POSTERN_SENDER_THREADS; 0, the default: those of HTTP send */
    int64_t read_timeout_us; /* POSTERN_READ_TIMEOUT; default 30s, 100ms to 10m: a client's time to
                                bring a request, and a second more for each 16 KiB that came */
    int64_t session_idle_us; /* POSTERN_SESSION_IDLE; default 30s */
    log_format log_format;
    bool log_addresses;
    unsigned dialects;  /* POSTERN_DIALECTS: bits, in the order of dialects[] (dialect.h) */
    bool dialects_sync; /* POSTERN_DIALECT_MODE=sync */
    bool lint_enforced; /* POSTERN_LINT=enforce: a message with an error is refused */
    char *dns;          /* POSTERN_DNS: servers as dns/resolver.h takes them; NULL: the system's */
    char *templates;    /* POSTERN_TEMPLATES: a folder; NULL: those built in alone */
    /* ---- the queue: none of it means anything where queue_url is NULL ---- */
    char *data;      /* POSTERN_DATA: a folder; NULL: none */
    char *queue_url; /* POSTERN_QUEUE, or SQLite under `data`: as queue.h takes it. A secret */
    char **failover; /* relays that a message is tried at, in order, if its request names none;
                        empty: "default" alone */
    size_t failover_count;
    int64_t retry_first_us, retry_most_us; /* between attempts */
    int64_t expires_us;                    /* how long a message is tried */
    int64_t keep_us;                       /* how long one that is done is kept */
    bool resend_unknown;                   /* POSTERN_UNKNOWN=resend */
    bool suppression;
    char *events_url;      /* NULL: no events */
    char **events_secrets; /* ended by NULL; NULL: none */
    size_t events_secret_count;
    bool events_private;
    char *events_ca; /* a path; NULL: the system's */
    /* ---- lists ---- */
    char *public_url;           /* POSTERN_PUBLIC_URL; NULL: none */
    char **unsubscribe_secrets; /* ended by NULL; NULL: none */
    size_t unsubscribe_secret_count;
    optout *optout;  /* NULL: one of the two is missing, or there is no queue */
    signer *dkim;    /* the keys of senders' domains */
    char *dkim_open; /* a file with one of them that everybody can read or write; NULL: none */
    config_hook **hooks;
    size_t hook_count;
} config;

/* Reads everything. NULL if there is a fault or memory ran out; `faults` then holds one line each.
 */
config *config_load(const char *const *environment, buf *faults);

/* The same for a command that serves nobody: what only a server must keep (keys or loopback, a
 * readable certificate) is no fault. */
config *config_load_command(const char *const *environment, buf *faults);
void config_free(config *c);

/* The relay of that name; NULL: none. */
const smtp_relay *config_relay(const config *c, const char *name);

/* True if POSTERN_FROM lets this mailbox send: its address is listed (local part to the letter), or
 * its whole domain is (no subdomains). */
bool config_may_send(const config *c, const mime_mailbox *from);

/* The table of settings as text, for `postern help` and the README's test. */
void config_describe(buf *out);

#endif
