/*
 * resolver - asks DNS, over c-ares: the system's servers (/etc/resolv.conf), or given ones.
 *
 * Each call waits for its answer, within the resolver's time limit. Memory: answers go into the
 * caller's buf. Threads: a resolver belongs to one thread at a time.
 */
#ifndef POSTERN_DNS_RESOLVER_H
#define POSTERN_DNS_RESOLVER_H

#include <stdbool.h>

#include "base/buf.h"
#include "dns/lookup.h"

typedef struct dns_resolver dns_resolver;

/* `servers`: addresses parted by commas, "192.0.2.1", "127.0.0.1:5353", "[::1]:53"; NULL: the
 * system's. NULL: they aren't any, or no memory. */
dns_resolver *dns_create(const char *servers);
void dns_free(dns_resolver *r);

/* The TXT records of a name: the strings of each joined (RFC 6376 section 3.6.2.2), a NUL behind
 * each record. One that holds a NUL is left out. */
dns_result dns_txt(dns_resolver *r, const char *name, buf *out);

/* What the last call failed at; static. */
const char *dns_why(const dns_resolver *r);

#endif
