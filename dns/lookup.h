/*
 * lookup - what is asked of DNS, and how it answers: the interface between those who judge records
 * (spf, dmarc, and the service) and those who fetch them (resolver, or a test's table).
 *
 * Records are texts, each with a NUL behind it, in the order in which they came:
 *   DNS_TXT           the strings of the record, joined; a NUL in them becomes U+0001, which is as
 *                     wrong as one in everything that is kept in TXT
 *   DNS_A, DNS_AAAA   an address, "192.0.2.1", "2001:db8::1"
 *   DNS_MX            "10 mx.example.com"; the root, which RFC 7505 uses, is "."
 *   DNS_PTR           a name
 * CNAMEs are followed. Names have no dot at their end.
 */
#ifndef POSTERN_DNS_LOOKUP_H
#define POSTERN_DNS_LOOKUP_H

#include "base/buf.h"

typedef enum dns_type { DNS_TXT, DNS_A, DNS_AAAA, DNS_MX, DNS_PTR, DNS_TYPES } dns_type;

typedef enum dns_result {
    DNS_FOUND,
    DNS_NONE,  /* there is no such name, or it has no such record */
    DNS_FAILED /* no answer, or none that says it; asking again may help */
} dns_result;

/* Adds the records of a name to *out. */
typedef dns_result dns_lookup(void *ctx, dns_type type, const char *name, buf *out);

/* The next of the records in `b`: *at is NULL at first. NULL at the end. */
static inline const char *dns_next(const buf *b, const char **at)
{
    const char *next = *at ? *at : b->data;

    if (!next || next >= b->data + b->len)
        return NULL;
    *at = next + strlen(next) + 1;
    return next;
}

#endif
