/*
 * answer - reads a DNS message's answer (RFC 1035 section 4, RFC 3596): the records of one type,
 * and how long they hold.
 *
 * Pure, but that names are read by c-ares. Threads: any.
 */
#ifndef POSTERN_DNS_ANSWER_H
#define POSTERN_DNS_ANSWER_H

#include <stddef.h>
#include <stdint.h>

#include "dns/lookup.h"

#define DNS_ANSWER_MOST ((size_t)64 * 1024) /* octets of records in one answer */

int dns_type_number(dns_type type); /* on the wire */

/* Adds the records of this type in the message to *out, as lookup.h has them, whatever their
 * owner's name (aliases come before), and sets *ttl to the seconds that all of the answer holds, or
 * its absence does (RFC 2308), 0 if that isn't said. False: the message is malformed, or no memory;
 * nothing is added then. */
bool dns_answer_read(const unsigned char *data, size_t len, dns_type type, buf *out, uint32_t *ttl);

#endif
