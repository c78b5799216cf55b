/*
 * domain - judges what DNS says of a sender's domain: SPF for the relay's addresses (RFC 7208),
 * DKIM keys (RFC 6376), DMARC (RFC 7489), MX and null MX (RFC 7505), MTA-STS (RFC 8461), TLS
 * reports (RFC 8460), BIMI. Each with a verdict, the record that was seen, and the one to publish.
 *
 * Where records come from is the caller's business. It asks some dozens of questions, one after the
 * other: for threads that nobody waits for. Memory: all but the answer is borrowed. Threads: any.
 */
#ifndef POSTERN_SERVICE_DOMAIN_H
#define POSTERN_SERVICE_DOMAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "dns/lookup.h"
#include "service/config.h"

#define DOMAIN_SELECTORS 16 /* that may be asked for */
#define DOMAIN_ADDRESSES 16 /* that mail may leave from */

typedef struct domain_query {
    const config *config;
    const char *domain; /* of From: A-labels in lower case */
    char **selectors;   /* beside those of the configuration's keys */
    size_t selector_count;
    char **addresses; /* that mail leaves from; none: those of the relay's host are looked up */
    size_t address_count;
    const smtp_relay *relay; /* NULL: none is known */
    int64_t now;             /* seconds since 1970 */
    dns_lookup *lookup;
    void *ctx;
} domain_query;

/* The answer, but its id: {"domain", "verdict", "relay", "checks": […]}; NULL: no memory. */
json_t *domain_check(const domain_query *q);

/* Whether it is an IPv4 or IPv6 address. */
bool domain_is_address(const char *s);

#endif
