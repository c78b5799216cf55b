/*
 * cache - answers of DNS that still hold, for all who ask.
 *
 * Bounded: DNS_CACHE_PLACES answers of at most DNS_CACHE_ANSWER octets. What is kept holds no
 * longer than its TTL, nor than five minutes, nor, where there was no record, than half of one: who
 * has just published something wants to see it.
 *
 * Threads: any. Memory: answers are copied in and out.
 */
#ifndef POSTERN_DNS_CACHE_H
#define POSTERN_DNS_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "dns/lookup.h"

#define DNS_CACHE_PLACES 512
#define DNS_CACHE_ANSWER ((size_t)8 * 1024)

typedef struct dns_cache dns_cache;

dns_cache *dns_cache_create(void); /* NULL: no memory */
void dns_cache_free(dns_cache *c);

/* True, *result set and the records added to *out, if an answer is kept that holds. `now`:
 * microseconds of a clock that never goes back. */
bool dns_cache_find(dns_cache *c, dns_type type, const char *name, int64_t now, dns_result *result,
                    buf *out);

/* Keeps an answer, DNS_FOUND or DNS_NONE. It may not, which is no error. */
void dns_cache_keep(dns_cache *c, dns_type type, const char *name, int64_t now, uint32_t ttl,
                    dns_result result, const char *records, size_t len);

#endif
