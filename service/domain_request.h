/*
 * domain_request - what somebody wants to know of a domain, read and checked a part at a time, and
 * asked of DNS.
 *
 * Memory: it owns its strings. Threads: one at a time.
 */
#ifndef POSTERN_SERVICE_DOMAIN_REQUEST_H
#define POSTERN_SERVICE_DOMAIN_REQUEST_H

#include "dns/cache.h"
#include "service/domain.h"

#define DOMAIN_TIME_US INT64_C(20000000) /* for all questions (RFC 7208 section 4.6.4) */

typedef struct domain_request {
    char *domain;
    char *selectors[DOMAIN_SELECTORS];
    char *addresses[DOMAIN_ADDRESSES];
    size_t selector_count, address_count;
    const smtp_relay *relay; /* NULL: none */
} domain_request;

void domain_request_clear(domain_request *r);

/* Each NULL, or a static sentence's end: what is wrong with it. */
const char *domain_request_domain(domain_request *r, const char *s);
const char *domain_request_selector(domain_request *r, const char *s);
const char *domain_request_address(domain_request *r, const char *s);

/* Asks the configured servers, until a time (clock_us()) at most; `cache` may be NULL. The answer
 * as domain_check() has it; NULL: no memory. Blocks. */
json_t *domain_request_run(const domain_request *r, const config *c, dns_cache *cache,
                           int64_t until_us);

#endif
