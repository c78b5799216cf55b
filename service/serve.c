#include "service/serve.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "dns/cache.h"
#include "service/app.h"
#include "service/cli.h"
#include "service/config_hooks.h"
#include "service/features.h"
#include "service/footprint.h"
#include "service/http.h"
#include "service/outbox.h"
#include "service/routes.h"
#include "service/templates.h"

/* What draining may take beyond a transaction's own limit. */
#define DRAIN_SLACK_US INT64_C(5000000)
#define QUIT_GRACE_US  INT64_C(1000000)
#define CUT_DRAIN_US   INT64_C(2000000)
#define SESSION_MAILS  1000u
#define ASKERS         2u /* threads that ask DNS, at most */
#define LARGE_BLOCK    (128 * 1024)
#define RETURN_MEMORY  (1024 * 1024)

typedef struct service {
    app app;
    ids ids;
    routes routes;
    const char **route_names;
    const char **hook_names;
    http *http;
    const char *const *environment;
} service;

/* One connection is one descriptor: take as many as the system gives. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* if it can't be raised, the limit stays */
    }
}

/* Large bodies come from mmap and go back to the system when they are done with, always: glibc
 * would raise the border with the first one that is freed, and then keep what a 25 MB mail has
 * taken. */
static void return_large_memory(void)
{
    /* No other thread is there yet. */
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);   /* NOLINT(concurrency-mt-unsafe) */
    (void)mallopt(M_TRIM_THRESHOLD, RETURN_MEMORY); /* NOLINT(concurrency-mt-unsafe) */
}

static void complain(const char *error)
{
    (void)fprintf(stderr, "postern: %s\n", error ? error : "out of memory");
}

static void flush_log(void *ctx)
{
    log_flush(ctx);
}

static bool name_hooks(service *s, const config *c)
{
    s->hook_names = calloc(c->hook_count + 1, sizeof *s->hook_names);
    for (size_t i = 0; s->hook_names && i < c->hook_count; i++)
        s->hook_names[i] = c->hooks[i]->name;
    return s->hook_names && metrics_hooks(s->app.metrics, s->hook_names, c->hook_count);
}

/* What works aside: signing, and asking DNS. */
static bool create_workers(app *a)
{
    if (WITH_DKIM)
        a->worker = worker_create(a->config->http_threads);
    if (WITH_DNS) {
        a->asker = worker_create(ASKERS);
        a->dns_cache = dns_cache_create();
    }
    return (a->worker || !WITH_DKIM) && ((a->asker && a->dns_cache) || !WITH_DNS);
}

static bool create_parts(service *s, const config *c)
{
    bool queued = WITH_QUEUE && c->queue_url;
    size_t count = 0;
    char *error = NULL;

    s->app.config = c;
    s->app.ids = &s->ids;
    s->app.log = log_create(STDERR_FILENO, c->log_format, c->log_addresses);
    if (s->app.log)
        (void)log_collect(s->app.log); /* without memory for it lines go out one by one */
    const smtp_sender_options options = {
        .threads = c->sender_threads ? c->sender_threads : c->http_threads,
        .hosted = c->sender_threads == 0,
        .idle_us = c->session_idle_us,
        .session_transactions = SESSION_MAILS,
        .before_wait = flush_log,
        .ctx = s->app.log,
    };
    const char *folder = c->spill ? c->spill : store_usual_folder();

    if (folder && strcmp(folder, "off") == 0)
        folder = NULL;
    s->app.store = store_create(folder, c->max_memory);
    if (routes_create(c, &s->routes))
        s->route_names = routes_names(&s->routes, &count);
    bool workers = create_workers(&s->app);
    if (s->app.log && s->app.store && workers && s->route_names)
        s->app.metrics = metrics_create(s->route_names, count, (const smtp_relay *const *)c->relays,
                                        c->relay_count);
    if (s->app.metrics && (!WITH_HOOKS || name_hooks(s, c)))
        s->app.sender = smtp_sender_create(&options, &error);
    if (s->app.sender && queued)
        s->app.outbox = outbox_create(&s->app, &error);
    if (s->app.sender && (s->app.outbox || !queued))
        s->http = http_start(&s->app, s->routes.list, &error);
    if (!s->http)
        complain(error);
    free(error);
    return s->http != NULL;
}

static outbox *outbox_of(const service *s)
{
    return WITH_QUEUE ? s->app.outbox : NULL;
}

static void free_parts(service *s)
{
    /* What it was given goes on to the sender and the queue. */
    if (s->app.worker)
        worker_stop(s->app.worker);
    if (s->app.asker)
        worker_stop(s->app.asker);
    /* What is being delivered needs the sender, and settling it the queue. Sender and queue answer
     * what the server still waits for, and the server must not go before. */
    if (outbox_of(s))
        outbox_stop(s->app.outbox, s->http ? s->app.config->timeout_us : 0);
    if (s->app.sender)
        smtp_sender_stop(s->app.sender, QUIT_GRACE_US);
    if (outbox_of(s))
        outbox_close(s->app.outbox);
    if (s->http)
        (void)http_drain(s->http, CUT_DRAIN_US);
    http_free(s->http);
    if (outbox_of(s))
        outbox_free(s->app.outbox);
    smtp_sender_free(s->app.sender);
    metrics_free(s->app.metrics);
    if (WITH_TEMPLATES)
        templates_place_free(s->app.templates);
    worker_free(s->app.worker);
    worker_free(s->app.asker);
    if (WITH_DNS)
        dns_cache_free(s->app.dns_cache);
    store_free(s->app.store);
    free(s->route_names);
    routes_clear(&s->routes);
    free(s->hook_names);
    ids_clear(&s->ids);
    log_free(s->app.log);
}

static void log_dkim(const service *s, const config *c, const char *message)
{
    log_line line;

    log_begin(&line, s->app.log, LOG_INFO, "dkim");
    log_str(&line, "message", message);
    log_int(&line, "domains", (int64_t)signer_domains(s->app.config->dkim));
    log_end(&line);
    if (c->dkim_open)
        log_message(s->app.log, LOG_WARNING, "dkim", "everybody can read or write the key %s",
                    c->dkim_open);
}

static void log_start(const service *s)
{
    const config *c = s->app.config;
    log_line line;
    log_begin(&line, s->app.log, LOG_INFO, "start");
    log_str(&line, "version", POSTERN_VERSION);
    log_str(&line, "listen", http_address(s->http));
    for (size_t i = 0; i < c->relay_count; i++) {
        log_str(&line, "relay", smtp_relay_name(c->relays[i]));
        log_str(&line, "host", smtp_relay_host(c->relays[i]));
    }
    log_str(&line, "keys", c->keys ? "on" : "off");
    log_str(&line, "queue", outbox_of(s) ? outbox_backend(s->app.outbox) : "off");
    log_end(&line);
    if (WITH_DKIM && signer_any(c->dkim))
        log_dkim(s, c, "signing");
    log_flush(s->app.log);
    if (c->relay_count == 0)
        log_message(s->app.log, LOG_WARNING, "no_relay",
                    "POSTERN_RELAY is not set: nothing can be sent");
}

/* What is wrong, a line each, and then what becomes of it. */
static void log_complaints(logger *log, const char *event, buf *complaints, const char *end)
{
    char *rest = NULL, *text = buf_take(complaints);

    for (char *one = text ? strtok_r(text, "\n", &rest) : NULL; one;
         one = strtok_r(NULL, "\n", &rest))
        log_message(log, LOG_ERROR, event, "%s", one);
    log_message(log, LOG_ERROR, event, "%s", end);
    free(text);
}

/* The folder of templates is read again. Requests under way keep the snapshot that they hold; where
 * something is wrong, so do all to come. */
static void reload_templates(service *s)
{
    const char *folder = s->app.config->templates;
    logger *log = s->app.log;
    buf complaints = BUF_INIT;
    log_line line;

    if (!folder) {
        log_message(log, LOG_INFO, "templates", "POSTERN_TEMPLATES is not set: nothing to reload");
        return;
    }
    templates *fresh = templates_load(folder, &complaints);
    if (fresh)
        config_hooks_templates(s->app.config, fresh, &complaints);
    if (complaints.len > 0 || !buf_ok(&complaints)) {
        templates_drop(fresh);
        fresh = NULL;
    }
    metrics_templates(s->app.metrics, fresh != NULL);
    if (!fresh) {
        log_complaints(log, "templates", &complaints, "not reloaded: those from before stay");
        return;
    }
    log_begin(&line, log, LOG_INFO, "templates");
    log_str(&line, "message", "reloaded");
    log_int(&line, "count", (int64_t)templates_count(fresh));
    log_end(&line);
    log_flush(log);
    templates_replace(s->app.templates, fresh);
}

/* The configuration is read again, and the keys of DKIM are all that is taken of it. */
static void reload_dkim(service *s)
{
    buf complaints = BUF_INIT;
    config *fresh = config_load(s->environment, &complaints);

    if (fresh) {
        signer_exchange(s->app.config->dkim, fresh->dkim);
        if (signer_any(s->app.config->dkim) || signer_any(fresh->dkim))
            log_dkim(s, fresh, "reloaded");
    } else {
        log_complaints(s->app.log, "dkim", &complaints, "not reloaded: the keys from before stay");
    }
    config_free(fresh);
    buf_free(&complaints);
}

/* SIGHUP. */
static void reload(service *s)
{
    if (WITH_TEMPLATES)
        reload_templates(s);
    if (WITH_DKIM)
        reload_dkim(s);
    if (POSTERN_LEAN)
        log_message(s->app.log, LOG_INFO, "reload",
                    "this " LEAN_HAS_NO "templates or keys to read");
    log_flush(s->app.log);
}

/* Blocks until SIGTERM or SIGINT; the signals are blocked in every thread and taken here. */
static int wait_for_signal(service *s, const sigset_t *signals)
{
    int number = SIGHUP;
    while (number == SIGHUP) {
        while (sigwait(signals, &number) != 0)
            continue;
        if (number == SIGHUP)
            reload(s);
    }
    return number;
}

static void drain(service *s, int number)
{
    log_message(s->app.log, LOG_INFO, "drain", "signal %d: no new work, %u transactions in flight",
                number, atomic_load(&s->app.in_flight));
    atomic_store(&s->app.draining, true);
    if (!http_drain(s->http, s->app.config->timeout_us + DRAIN_SLACK_US))
        log_message(s->app.log, LOG_WARNING, "drain", "not everything ended in time");
}

/* The first, which hooks may name. False: something is wrong, or there is no memory. */
static bool load_templates(service *s, const config *c, buf *complaints)
{
    templates *t = templates_load(c->templates, complaints);

    s->app.templates = templates_place_create(t);
    if (s->app.templates)
        config_hooks_templates(c, t, complaints);
    return s->app.templates != NULL;
}

int serve(int argc, char **argv, const char *const *environment)
{
    sigset_t signals;
    buf complaints = BUF_INIT;
    service s = {.environment = environment};
    int code = CLI_CONFIGURATION;

    if (argc > 1) {
        (void)fprintf(stderr, "postern: serve takes no arguments (%s); see postern help\n",
                      argv[1]);
        return CLI_USAGE;
    }
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before any thread is made */
    ids_init(&s.ids);
    raise_descriptor_limit();
    return_large_memory();

    config *c = config_load(environment, &complaints);
    bool ready = c && (!WITH_TEMPLATES || load_templates(&s, c, &complaints));
    if (!ready || complaints.len > 0 || !buf_ok(&complaints)) {
        const char *text = buf_cstr(&complaints);
        (void)fprintf(stderr, "%s", text && *text ? text : "postern: out of memory\n");
        goto cleanup;
    }
    code = CLI_FAILED;
    if (!create_parts(&s, c))
        goto cleanup;
    log_start(&s);
    (void)footprint_trim();
    drain(&s, wait_for_signal(&s, &signals));
    code = CLI_OK;

cleanup:
    free_parts(&s);
    config_free(c);
    buf_free(&complaints);
    return code;
}
