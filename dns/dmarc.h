/*
 * dmarc - DMARC's policy records (RFC 7489 section 6), organizational domains (section 3.2) by the
 * public suffix list (libpsl's own copy), and alignment (section 3.1).
 *
 * Pure. Memory: nothing outlives the text that was read. Threads: any.
 */
#ifndef POSTERN_DNS_DMARC_H
#define POSTERN_DNS_DMARC_H

#include <stdbool.h>
#include <stddef.h>

typedef enum dmarc_policy { DMARC_NONE, DMARC_QUARANTINE, DMARC_REJECT } dmarc_policy;

const char *dmarc_policy_name(dmarc_policy p); /* "quarantine" */

typedef struct dmarc_text {
    const char *data; /* NULL: absent */
    size_t len;
} dmarc_text;

typedef struct dmarc_record {
    dmarc_policy policy, sub_policy; /* p=; sp=, which is p= where it is absent */
    unsigned percent;                /* pct= */
    bool strict_dkim, strict_spf;    /* adkim=s, aspf=s */
    dmarc_text rua;                  /* where reports go: URIs parted by commas */
} dmarc_record;

/* True if a TXT record is one, well-formed or not. */
bool dmarc_is_record(const char *record);

/* Reads one. False, and *fault a static sentence, where receivers find no policy in it. Else *fault
 * is NULL, or a sentence about what they pass over. */
bool dmarc_read(const char *record, dmarc_record *out, const char **fault);

/* The organizational domain: a part of `domain`, which is A-labels in lower case. A public suffix
 * is its own. */
const char *dmarc_organization(const char *domain);

/* Whether an authenticated domain speaks for the one of From. */
bool dmarc_aligned(const char *authenticated, const char *from, bool strict);

/* The next mailto: address in a list of URIs, its size limit left off; *at is the whole at first.
 * False at the end; what is no mailto: is passed over. */
bool dmarc_next_mailbox(dmarc_text *at, dmarc_text *mailbox);

#endif
