/*
 * domain_own - what the parts of domain share: findings, which are JSON objects, and questions.
 *
 * Memory: a finding belongs to the answer. Running out of it is kept in the job.
 */
#ifndef POSTERN_SERVICE_DOMAIN_OWN_H
#define POSTERN_SERVICE_DOMAIN_OWN_H

#include "dns/dmarc.h"
#include "dns/spf.h"
#include "service/domain.h"

/* From the best to the worst, but that DOMAIN_UNKNOWN says nothing of the domain. */
typedef enum domain_verdict {
    DOMAIN_OK,
    DOMAIN_UNKNOWN, /* DNS gave no answer */
    DOMAIN_WARNING,
    DOMAIN_MISSING,
    DOMAIN_FAULT
} domain_verdict;

#define ADDRESS_ROOM 46 /* of an address as text, with its NUL */

typedef struct domain_job {
    const domain_query *query;
    json_t *answer, *checks;
    domain_verdict worst;
    bool failed;                                    /* no memory */
    char addresses[DOMAIN_ADDRESSES][ADDRESS_ROOM]; /* that mail leaves from */
    size_t address_count;
    bool guessed; /* they are the relay's host's own */
    /* What one finding is to another: */
    bool spf_known, spf_passes; /* for all of the addresses */
    bool dkim_aligned;          /* a key signs that DMARC takes for the domain's, relaxed */
    bool dkim_exact;            /* …, for this very domain */
    dmarc_policy policy;        /* of a record that is there */
} domain_job;

/* A new finding, of records with this name and type. `needed`: mail suffers where it is missing. */
json_t *domain_find(domain_job *j, const char *check, const char *name, const char *type,
                    bool needed);

/* Sets its verdict, if it is worse than the one it has. */
void domain_judge(domain_job *j, json_t *finding, domain_verdict v);

/* The verdict and a sentence that says why. */
void domain_say(domain_job *j, json_t *finding, domain_verdict v, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* A record that was seen, or one to publish. */
void domain_saw(domain_job *j, json_t *finding, const char *record);
void domain_publish(domain_job *j, json_t *finding, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void domain_set(domain_job *j, json_t *object, const char *key, json_t *value);

/* Others' text as a string: what isn't printable UTF-8 is '?', and it is cut at 4096 octets. */
json_t *domain_text(const char *s, size_t len);

dns_result domain_ask(const domain_job *j, dns_type type, const char *name, buf *out);

/* The records of a kind in the TXT records of a name: the one in *one, NULL where there isn't
 * exactly one; all are seen. Says what is wrong otherwise: more than one, none (missing), no
 * answer. `prefix`: what one begins with, in any case. The caller frees *records, which `one`
 * points into. */
void domain_ask_record(domain_job *j, json_t *finding, const char *name, const char *prefix,
                       buf *records, const char **one);

/* True if the name has an address; *result as DNS has it. */
bool domain_resolves(const domain_job *j, const char *name, dns_result *result);

void domain_find_relay(domain_job *j); /* whose addresses they are: first */
void domain_check_spf(domain_job *j);
void domain_check_dkim(domain_job *j);
void domain_check_dmarc(domain_job *j); /* behind the two */
void domain_check_mx(domain_job *j);
void domain_check_rest(domain_job *j);

#endif
