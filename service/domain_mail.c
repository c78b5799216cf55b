/*
 * domain_mail - whether mail to the domain arrives (answers and bounces do come), and what else a
 * domain of mail may publish.
 */
#include <stdio.h>
#include <time.h>

#include "service/domain_own.h"

#define EXCHANGERS 10 /* that are looked at */

/* Without an MX mail goes to the domain's own address (RFC 5321 section 5.1). */
static void judge_no_mx(domain_job *j, json_t *f)
{
    dns_result r;

    if (domain_resolves(j, j->query->domain, &r))
        domain_say(j, f, DOMAIN_WARNING,
                   "It has no MX; its own address stands in for one, if a mail server is there.");
    else if (r == DNS_FAILED)
        domain_say(j, f, DOMAIN_UNKNOWN, "DNS gave no answer about its address.");
    else
        domain_say(
            j, f, DOMAIN_FAULT,
            "It has neither MX nor address: answers and bounces can't come, and many receivers "
            "refuse mail from such a domain.");
}

static void judge_exchanger(domain_job *j, json_t *f, const char *host, size_t count)
{
    dns_result r;

    if (strcmp(host, ".") == 0 && count == 1)
        domain_say(
            j, f, DOMAIN_FAULT,
            "It has a null MX (RFC 7505), which says that it takes no mail: answers and bounces "
            "can't come, and receivers refuse mail from such a domain.");
    else if (strcmp(host, ".") == 0)
        domain_say(j, f, DOMAIN_FAULT, "It has a null MX beside others, which RFC 7505 forbids.");
    else if (!domain_resolves(j, host, &r))
        domain_say(j, f, r == DNS_FAILED ? DOMAIN_UNKNOWN : DOMAIN_FAULT,
                   r == DNS_FAILED ? "DNS gave no answer about %s." : "%s has no address.", host);
}

void domain_check_mx(domain_job *j)
{
    const char *domain = j->query->domain, *at = NULL, *record;
    buf records = BUF_INIT;
    json_t *f = domain_find(j, "mx", domain, "MX", true);
    dns_result r = domain_ask(j, DNS_MX, domain, &records);
    size_t count = 0, looked = 0;

    while (r == DNS_FOUND && dns_next(&records, &at))
        count++;
    at = NULL;
    while (looked < EXCHANGERS && r == DNS_FOUND && (record = dns_next(&records, &at))) {
        const char *host = strchr(record, ' ');
        looked++;
        domain_saw(j, f, record);
        if (host)
            judge_exchanger(j, f, host + 1, count);
    }
    if (r == DNS_FAILED)
        domain_say(j, f, DOMAIN_UNKNOWN, "DNS gave no answer about %s.", domain);
    else if (r == DNS_NONE)
        judge_no_mx(j, f);
    if (r != DNS_FAILED && strcmp(json_string_value(json_object_get(f, "verdict")), "ok") != 0)
        domain_publish(j, f, "10 mx.%s", domain);
    buf_free(&records);
}

/* The value of a tag of "v=…; tag=value"; false: it isn't there, or is empty. */
static bool has_tag(const char *record, const char *tag)
{
    size_t len = strlen(tag);

    for (const char *p = strchr(record, ';'); p; p = strchr(p, ';')) {
        p += 1 + strspn(p + 1, " \t");
        if (strncmp(p, tag, len) == 0 && p[len + strspn(p + len, " \t")] == '=') {
            p += len + strspn(p + len, " \t=");
            return *p && *p != ';';
        }
    }
    return false;
}

static void check_mta_sts(domain_job *j)
{
    const char *domain = j->query->domain, *record = NULL;
    buf records = BUF_INIT;
    char name[300], host[300], day[16];
    time_t now = (time_t)j->query->now;
    struct tm tm;
    dns_result r;

    (void)snprintf(name, sizeof name, "_mta-sts.%s", domain);
    (void)snprintf(host, sizeof host, "mta-sts.%s", domain);
    json_t *f = domain_find(j, "mta_sts", name, "TXT", false);
    domain_ask_record(j, f, name, "v=STSv1", &records, &record);
    if (record && !has_tag(record, "id"))
        domain_say(j, f, DOMAIN_FAULT, "It has no id=.");
    if (record && !domain_resolves(j, host, &r))
        domain_say(j, f, r == DNS_FAILED ? DOMAIN_UNKNOWN : DOMAIN_FAULT,
                   "The policy's host %s %s.", host,
                   r == DNS_FAILED ? "got no answer" : "has no address");
    else if (record)
        domain_say(j, f, DOMAIN_OK, "The policy's host %s resolves; the policy was not fetched.",
                   host);
    if (strcmp(json_string_value(json_object_get(f, "verdict")), "ok") != 0 &&
        gmtime_r(&now, &tm) && strftime(day, sizeof day, "%Y%m%d", &tm) > 0)
        domain_publish(j, f, "v=STSv1; id=%s", day);
    buf_free(&records);
}

static void check_tls_reports(domain_job *j)
{
    const char *domain = j->query->domain, *record = NULL;
    buf records = BUF_INIT;
    char name[300];

    (void)snprintf(name, sizeof name, "_smtp._tls.%s", domain);
    json_t *f = domain_find(j, "tls_rpt", name, "TXT", false);
    domain_ask_record(j, f, name, "v=TLSRPTv1", &records, &record);
    if (record && !has_tag(record, "rua"))
        domain_say(j, f, DOMAIN_FAULT, "It has no rua=.");
    if (strcmp(json_string_value(json_object_get(f, "verdict")), "ok") != 0)
        domain_publish(j, f, "v=TLSRPTv1; rua=mailto:tls-reports@%s", domain);
    buf_free(&records);
}

static void check_bimi(domain_job *j)
{
    const char *domain = j->query->domain, *record = NULL;
    buf records = BUF_INIT;
    char name[300];

    (void)snprintf(name, sizeof name, "default._bimi.%s", domain);
    json_t *f = domain_find(j, "bimi", name, "TXT", false);
    domain_ask_record(j, f, name, "v=BIMI1", &records, &record);
    if (record && j->policy == DMARC_NONE)
        domain_say(j, f, DOMAIN_WARNING,
                   "It is shown only where DMARC's policy is quarantine or reject.");
    if (!record)
        domain_publish(j, f, "v=BIMI1; l=https://%s/logo.svg", domain);
    buf_free(&records);
}

void domain_check_rest(domain_job *j)
{
    check_mta_sts(j);
    check_tls_reports(j);
    check_bimi(j);
}
