/*
 * resolver - asks DNS, over c-ares: the system's servers (/etc/resolv.conf), or given ones. Answers
 * that don't fit a datagram come by TCP.
 *
 * Each call waits for its answer, within the resolver's time limits: it is for threads that nobody
 * waits for. Memory: answers go into the caller's buf. Threads: a resolver belongs to one thread at
 * a time; any number can share a cache.
 */
#ifndef POSTERN_DNS_RESOLVER_H
#define POSTERN_DNS_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "dns/cache.h"
#include "dns/lookup.h"

typedef struct dns_resolver dns_resolver;

/* `servers`: addresses parted by commas, "192.0.2.1", "127.0.0.1:5353", "[::1]:53"; NULL: the
 * system's. NULL: they aren't any, or no memory. */
dns_resolver *dns_create(const char *servers);
void dns_free(dns_resolver *r);

/* Answers are looked for in a cache, and kept there; borrowed. */
void dns_use_cache(dns_resolver *r, dns_cache *cache);

/* At this time (clock_us()) whatever is still asked fails. */
void dns_limit(dns_resolver *r, int64_t until_us);

/* A dns_lookup; ctx is the resolver. */
dns_result dns_ask(void *r, dns_type type, const char *name, buf *out);

/* What the last call failed at; static. */
const char *dns_why(const dns_resolver *r);

#endif
