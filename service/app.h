/*
 * app - what the parts of a running service share: made by main (serve.c), passed to those who need
 * it, never global.
 *
 * Threads: members are set before the first request and not changed, but for the atomics.
 */
#ifndef POSTERN_SERVICE_APP_H
#define POSTERN_SERVICE_APP_H

#include <stdatomic.h>
#include <stdbool.h>

#include "service/config.h"
#include "service/ids.h"
#include "service/log.h"
#include "service/metrics.h"
#include "service/store.h"
#include "service/worker.h"
#include "smtp/sender.h"

typedef struct dns_cache dns_cache;             /* dns/cache.h */
typedef struct outbox outbox;                   /* outbox.h */
typedef struct templates_place templates_place; /* templates.h */

typedef struct app {
    const config *config;
    logger *log;
    metrics *metrics;
    store *store;
    ids *ids;            /* NULL where none are made (postern send) */
    smtp_sender *sender; /* NULL where nothing is sent (postern compose) */
    templates_place *templates;
    outbox *outbox;        /* NULL where there is no queue */
    worker *worker;        /* NULL where nobody serves */
    worker *asker;         /* asks DNS about domains; NULL where nobody serves */
    dns_cache *dns_cache;  /* NULL where nobody serves */
    atomic_uint asking;    /* domains being asked about */
    atomic_bool draining;  /* SIGTERM came: no new work */
    atomic_uint in_flight; /* transactions submitted and not yet answered */
} app;

#endif
