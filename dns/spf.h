/*
 * spf - evaluates a domain's sender policy for an address (RFC 7208, check_host(), whole: all
 * mechanisms and modifiers, macros, and the limits of section 4.6.4).
 *
 * Where records come from is the caller's business. Bounded: ten terms that ask, ten exchangers and
 * ten names of an address each. Memory: nothing outlives the call. Threads: any. No clock: the time
 * is brought.
 */
#ifndef POSTERN_DNS_SPF_H
#define POSTERN_DNS_SPF_H

#include <stdbool.h>
#include <stdint.h>

#include "dns/lookup.h"

#define SPF_LOOKUPS 10 /* terms that ask, … */
#define SPF_VOIDS   2  /* … and questions without an answer, that an evaluation may have */

typedef enum spf_result { /* RFC 7208 section 2.6 */
                          SPF_NONE,
                          SPF_NEUTRAL,
                          SPF_PASS,
                          SPF_FAIL,
                          SPF_SOFTFAIL,
                          SPF_TEMPERROR,
                          SPF_PERMERROR
} spf_result;

const char *spf_result_name(spf_result r); /* "pass" */

typedef struct spf_query {
    const char *ip;       /* the client's; an IPv4 address in IPv6's form is IPv4 */
    const char *sender;   /* MAIL FROM; "" stands for postmaster at the HELO name */
    const char *helo;     /* its HELO or EHLO name */
    const char *receiver; /* who asks, for %{r}; NULL: "unknown" */
    int64_t now;          /* seconds since 1970, for %{t} */
    bool survey;          /* nothing matches but `all`, and limits don't end it: what is the most
                             that the policy may ask? */
    dns_lookup *lookup;
    void *ctx;
} spf_query;

typedef struct spf_verdict {
    spf_result result;
    unsigned lookups; /* terms that asked */
    unsigned voids;
    bool too_many;         /* a limit made it a permerror */
    bool open;             /* it was `all` with a plus, in the domain's policy, that passed it */
    char why[320];         /* a sentence in ASCII: what decided */
    char explanation[512]; /* exp=, expanded, where it fails; else "" */
} spf_verdict;

void spf_check(const spf_query *q, spf_verdict *out);

/* True if a TXT record is a version 1 policy, well-formed or not. */
bool spf_is_record(const char *record);

/* What is wrong with the syntax of a policy: false, and a sentence in `why`. */
bool spf_is_valid(const char *record, char *why, size_t room);

#endif
