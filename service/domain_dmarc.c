/*
 * domain_dmarc - DMARC: the domain's policy, where its reports go, and whether what is sent here
 * passes it.
 */
#include <stdio.h>
#include <strings.h>

#include "service/domain_own.h"

#define REPORTS 4 /* addresses that are looked at */

static void suggest(domain_job *j, json_t *f)
{
    const char *organization = dmarc_organization(j->query->domain);
    domain_publish(j, f, "v=DMARC1; p=none; rua=mailto:dmarc-reports@%s", organization);
}

/* A domain elsewhere has to say that it takes them (RFC 7489 section 7.1). */
static void check_report(domain_job *j, json_t *f, const char *policy_domain, dmarc_text mailbox)
{
    const char *at = memchr(mailbox.data, '@', mailbox.len);
    char domain[256], name[600];
    buf records = BUF_INIT;
    const char *next = NULL, *record;
    bool allowed = false;

    (void)snprintf(domain, sizeof domain, "%.*s", (int)(mailbox.data + mailbox.len - at - 1),
                   at + 1);
    for (char *c = domain; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
    if (dmarc_aligned(domain, policy_domain, false))
        return;
    (void)snprintf(name, sizeof name, "%s._report._dmarc.%s", policy_domain, domain);
    dns_result r = domain_ask(j, DNS_TXT, name, &records);
    while (r == DNS_FOUND && (record = dns_next(&records, &next)))
        allowed = allowed || dmarc_is_record(record);
    if (r == DNS_FAILED)
        domain_say(j, f, DOMAIN_UNKNOWN, "DNS gave no answer about %s.", name);
    else if (!allowed)
        domain_say(j, f, DOMAIN_WARNING,
                   "Reports to %s are not sent until it allows them: %s TXT \"v=DMARC1\".", domain,
                   name);
    buf_free(&records);
}

static void judge_reports(domain_job *j, json_t *f, const char *domain, const dmarc_record *r)
{
    dmarc_text at = r->rua, mailbox;
    int count = 0;

    domain_set(j, f, "reports", r->rua.data ? domain_text(r->rua.data, r->rua.len) : json_null());
    while (count < REPORTS && dmarc_next_mailbox(&at, &mailbox)) {
        check_report(j, f, domain, mailbox);
        count++;
    }
    if (count == 0)
        domain_say(j, f, DOMAIN_WARNING,
                   "It has no rua=mailto:…: nobody learns who sends as this domain.");
}

/* What is sent through the relay passes if one of the two does. */
static void judge_alignment(domain_job *j, json_t *f, const dmarc_record *r)
{
    bool dkim = r->strict_dkim ? j->dkim_exact : j->dkim_aligned;
    json_t *spf = j->spf_known ? json_boolean(j->spf_passes) : json_null();

    domain_set(j, f, "alignment", json_pack("{s:b, s:o}", "dkim", dkim, "spf", spf));
    if (dkim)
        domain_say(j, f, DOMAIN_OK, "Its DKIM signatures are aligned.");
    else if (j->spf_passes)
        domain_say(
            j, f, DOMAIN_WARNING,
            "No DKIM key is known to be aligned. SPF is, as long as the relay leaves MAIL FROM as "
            "it is, and nobody forwards the mail.");
    else if (j->spf_known)
        domain_say(j, f, j->policy == DMARC_NONE ? DOMAIN_WARNING : DOMAIN_FAULT,
                   "Neither DKIM nor SPF is known to be aligned: mail fails DMARC.");
    else
        domain_say(j, f, DOMAIN_WARNING,
                   "No DKIM key is known to be aligned, nor is SPF known to be.");
}

static void judge(domain_job *j, json_t *f, const char *domain, const char *record)
{
    bool inherited = strcasecmp(domain, j->query->domain) != 0;
    dmarc_record r;
    const char *fault;

    if (!dmarc_read(record, &r, &fault)) {
        domain_say(j, f, DOMAIN_FAULT, "%s", fault ? fault : "It has no policy.");
        return;
    }
    if (fault)
        domain_say(j, f, DOMAIN_WARNING, "%s", fault);
    j->policy = inherited ? r.sub_policy : r.policy;
    domain_set(j, f, "policy", json_string(dmarc_policy_name(j->policy)));
    domain_set(j, f, "percent", json_integer(r.percent));
    if (inherited)
        domain_say(j, f, DOMAIN_OK, "The policy is that of %s, its organizational domain.", domain);
    if (j->policy == DMARC_NONE)
        domain_say(j, f, DOMAIN_OK,
                   "p=none asks for reports only: quarantine or reject is what stops others.");
    else if (r.percent < 100)
        domain_say(j, f, DOMAIN_WARNING, "It holds for %u%% of what fails only.", r.percent);
    judge_reports(j, f, domain, &r);
    judge_alignment(j, f, &r);
}

/* The record of the domain, or that of the organizational one (section 6.6.3). */
static const char *policy_domain(const domain_job *j)
{
    const char *domain = j->query->domain, *organization = dmarc_organization(domain);
    const char *at = NULL, *record, *found = organization;
    buf records = BUF_INIT;
    char name[300];

    (void)snprintf(name, sizeof name, "_dmarc.%s", domain);
    dns_result r = domain_ask(j, DNS_TXT, name, &records);
    while (r == DNS_FOUND && (record = dns_next(&records, &at)))
        if (strncasecmp(record, "v=DMARC1", 8) == 0)
            found = domain;
    buf_free(&records);
    return r == DNS_FAILED ? domain : found;
}

void domain_check_dmarc(domain_job *j)
{
    const char *domain = policy_domain(j), *record = NULL;
    buf records = BUF_INIT;
    char name[300];

    (void)snprintf(name, sizeof name, "_dmarc.%s", domain);
    json_t *f = domain_find(j, "dmarc", name, "TXT", true);
    domain_ask_record(j, f, name, "v=DMARC1", &records, &record);
    if (record)
        judge(j, f, domain, record);
    if (!json_object_get(f, "policy"))
        suggest(j, f);
    buf_free(&records);
}
