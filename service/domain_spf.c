/*
 * domain_spf - the addresses that mail leaves from, and whether the domain's policy lets them.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/domain_own.h"
#include "smtp/relay.h"

/* What providers have their customers include, and where that is said. */
typedef struct provider_row {
    const char *preset;
    const char *host; /* holds for the relay of that name alone; NULL: for all of the preset's */
    const char *policy;
    bool own_return; /* without a domain of the customer's for bounces they go to one of its own */
} provider_row;

static const provider_row PROVIDERS[] = {
    /* Where nothing else is said: https://checkemaildelivery.com/blog/spf-record-guide */
    {"gmail", NULL, "_spf.google.com", false},
    {"gmail-relay", NULL, "_spf.google.com", false},
    {"office365", NULL, "spf.protection.outlook.com", false},
    {"sendgrid", NULL, "sendgrid.net", false},
    {"mailgun", NULL, "mailgun.org", false},
    /* https://docs.aws.amazon.com/ses/latest/dg/send-email-authentication-spf.html */
    {"ses", NULL, "amazonses.com", true},
    /* As accounts show it (https://www.suped.com/email-deliverability); on shared addresses bounces
     * go to sender-sib.com:
     * https://www.captaindns.com/en/blog/brevo-transactional-email-technical-guide */
    {"brevo", NULL, "spf.brevo.com", true},
    /* https://documentation.mailjet.com/hc/en-us/articles/360049641733 */
    {"mailjet", NULL, "spf.mailjet.com", false},
    /* https://www.senderclarity.com/guides/mandrill-spf-dkim-dmarc-setup */
    {"mandrill", NULL, "spf.mandrillapp.com", true},
    /* As its API's GET /v1/domains tells customers. */
    {"mailersend", NULL, "_spf.mailersend.net", false},
    /* Each region has its own. Customers' records; https://mailermonk.com/guides/spf/zoho-mail */
    {"zoho-pro", "smtppro.zoho.com", "zohomail.com", false},
    {"zoho-pro", "smtppro.zoho.eu", "zohomail.eu", false},
    /* https://yandex.com.tr/support/connect/dns/spf.html */
    {"yandex", NULL, "_spf.yandex.net", false},
    /* https://mxhelper.com/fr/mail-providers/icloud */
    {"icloud", NULL, "icloud.com", false},
    /* https://mailermonk.com/guides/spf/fastmail */
    {"fastmail", NULL, "spf.messagingengine.com", false},
    /* https://proton.me/support/anti-spoofing-custom-domain */
    {"proton", NULL, "_spf.protonmail.ch", false},
    /* Its reseller's copy of the manual: http://www.cqchinuo.com/news_in/2538 */
    {"exmail", NULL, "spf.mail.qq.com", false},
    /* Both: https://help.aliyun.com/document_detail/36771.html */
    {"aliyun-dm", NULL, "spf1.dm.aliyun.com", false},
    {"aliyun-qiye", NULL, "spf.qiye.aliyun.com", false},
};

static const provider_row *provider_of(const smtp_relay *relay)
{
    const char *preset = relay ? smtp_relay_preset(relay) : NULL;

    for (size_t i = 0; preset && i < sizeof PROVIDERS / sizeof *PROVIDERS; i++)
        if (strcmp(preset, PROVIDERS[i].preset) == 0 &&
            (!PROVIDERS[i].host || strcmp(smtp_relay_host(relay), PROVIDERS[i].host) == 0))
            return &PROVIDERS[i];
    return NULL;
}

/* ---- addresses ---- */

/* Addresses that nobody sees mail come from: loopback, link-local, private. */
static bool is_inner(const char *address)
{
    static const struct {
        int family;
        unsigned bits;
        unsigned char bytes[2];
    } nets[] = {
        {AF_INET, 8, {0}},         {AF_INET, 8, {10}},           {AF_INET, 8, {127}},
        {AF_INET, 16, {169, 254}}, {AF_INET, 12, {172, 16}},     {AF_INET, 16, {192, 168}},
        {AF_INET6, 7, {0xFC, 0}},  {AF_INET6, 10, {0xFE, 0x80}},
    };
    unsigned char bytes[16] = {0}, loopback[16] = {[15] = 1};
    int family = inet_pton(AF_INET, address, bytes) == 1 ? AF_INET : AF_INET6;

    if (family == AF_INET6 && inet_pton(AF_INET6, address, bytes) != 1)
        return true;
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        unsigned is = (unsigned)bytes[0] << 8 | bytes[1];
        unsigned net = (unsigned)nets[i].bytes[0] << 8 | nets[i].bytes[1];
        if (nets[i].family == family && (is ^ net) >> (16 - nets[i].bits) == 0)
            return true;
    }
    return family == AF_INET6 && memcmp(bytes, loopback, sizeof loopback) == 0;
}

static void add_address(domain_job *j, const char *address)
{
    if (j->address_count < DOMAIN_ADDRESSES && strlen(address) < ADDRESS_ROOM)
        (void)snprintf(j->addresses[j->address_count++], ADDRESS_ROOM, "%s", address);
}

static dns_result add_addresses_of(domain_job *j, dns_type type, const char *host)
{
    buf records = BUF_INIT;
    const char *at = NULL, *record;
    dns_result r = domain_ask(j, type, host, &records);

    while (r == DNS_FOUND && (record = dns_next(&records, &at)))
        add_address(j, record);
    buf_free(&records);
    return r;
}

/* What is to be known about the addresses. */
static const char *find_addresses(domain_job *j)
{
    const domain_query *q = j->query;

    for (size_t i = 0; i < q->address_count; i++)
        add_address(j, q->addresses[i]);
    if (q->address_count > 0)
        return "The addresses are those that were named.";
    if (!q->relay)
        return "No relay is configured, and no address was named: it is not known where mail "
               "leaves "
               "from.";
    const char *host = smtp_relay_host(q->relay);
    j->guessed = true;
    if (domain_is_address(host))
        add_address(j, host);
    else {
        dns_result four = add_addresses_of(j, DNS_A, host);
        dns_result six = add_addresses_of(j, DNS_AAAA, host);
        if (j->address_count == 0)
            return four == DNS_FAILED || six == DNS_FAILED
                       ? "DNS gave no answer about the relay's host."
                       : "DNS has no address of the relay's host: name those that mail leaves "
                         "from.";
    }
    for (size_t i = 0; i < j->address_count; i++)
        if (is_inner(j->addresses[i])) {
            j->address_count = 0;
            return "The relay has an address that the world doesn't see: name those that its mail "
                   "leaves from.";
        }
    return "The addresses are those of the relay's host; it may send from others, as providers "
           "mostly do.";
}

void domain_find_relay(domain_job *j)
{
    const smtp_relay *relay = j->query->relay;
    const char *preset = relay ? smtp_relay_preset(relay) : NULL;
    const char *note = find_addresses(j);
    json_t *list = json_array();

    for (size_t i = 0; i < j->address_count; i++)
        if (json_array_append_new(list, json_string(j->addresses[i])) != 0)
            j->failed = true;
    domain_set(j, j->answer, "relay",
               json_pack("{s:s?, s:s?, s:s?, s:o, s:s}", "name",
                         relay ? smtp_relay_name(relay) : NULL, "host",
                         relay ? smtp_relay_host(relay) : NULL, "provider", preset, "addresses",
                         list, "note", note));
}

/* ---- the policy ---- */

static void suggest(domain_job *j, json_t *f)
{
    const provider_row *provider = provider_of(j->query->relay);
    buf terms = BUF_INIT;

    if (provider)
        buf_addf(&terms, " include:%s", provider->policy);
    for (size_t i = 0; i < j->address_count && (!provider || !j->guessed); i++)
        buf_addf(&terms, " ip%c:%s", strchr(j->addresses[i], ':') ? '6' : '4', j->addresses[i]);
    if (terms.len == 0)
        buf_adds(&terms, " ip4:ADDRESS-THAT-MAIL-LEAVES-FROM");
    const char *text = buf_cstr(&terms);
    if (text)
        domain_publish(j, f, "v=spf1%s ~all", text);
    else
        j->failed = true;
    buf_free(&terms);
}

static spf_verdict evaluate(const domain_job *j, const char *ip, bool survey)
{
    const domain_query *q = j->query;
    const smtp_relay *relay = q->relay;
    char sender[300];
    spf_verdict v;

    (void)snprintf(sender, sizeof sender, "postmaster@%s", q->domain);
    const spf_query asked = {.ip = ip,
                             .sender = sender,
                             .helo = relay ? smtp_relay_host(relay) : q->domain,
                             .now = q->now,
                             .survey = survey,
                             .lookup = q->lookup,
                             .ctx = q->ctx};
    spf_check(&asked, &v);
    return v;
}

/* What is wrong with it, whoever sends. */
static void judge_policy(domain_job *j, json_t *f)
{
    spf_verdict v = evaluate(j, j->address_count ? j->addresses[0] : "192.0.2.1", true);

    domain_set(j, f, "lookups", json_integer(v.lookups));
    domain_set(j, f, "void_lookups", json_integer(v.voids));
    if (v.result == SPF_TEMPERROR)
        domain_say(j, f, DOMAIN_UNKNOWN, "%s", v.why);
    else if (v.result == SPF_PERMERROR && !v.too_many)
        domain_say(j, f, DOMAIN_FAULT, "%s", v.why);
    if (v.lookups > SPF_LOOKUPS)
        domain_say(
            j, f, DOMAIN_FAULT,
            "It takes %u lookups and more than %d end in an error: take out includes, or put "
            "networks in their place.",
            v.lookups, SPF_LOOKUPS);
    else if (v.too_many)
        domain_say(j, f, DOMAIN_FAULT, "%s", v.why);
    if (v.voids > SPF_VOIDS)
        domain_say(
            j, f, DOMAIN_FAULT,
            "%u of its lookups find nothing, and more than %d end in an error: take out what "
            "is gone.",
            v.voids, SPF_VOIDS);
    if (v.open)
        domain_say(
            j, f, DOMAIN_FAULT,
            "It ends with +all: the whole world may send as this domain, and receivers trust "
            "it the less.");
    else if (v.result == SPF_NEUTRAL)
        domain_say(
            j, f, DOMAIN_WARNING,
            "It says nothing about addresses that it doesn't name: end it with ~all or -all.");
}

static bool names(const char *record, const char *provider)
{
    char term[100];
    int len = snprintf(term, sizeof term, "include:%s", provider);
    const char *at = strcasestr(record, term);
    return at && (at[len] == ' ' || at[len] == '\0');
}

static void judge_address(domain_job *j, json_t *f, json_t *results, const char *ip, bool excused)
{
    spf_verdict v = evaluate(j, ip, false);
    bool passes = v.result == SPF_PASS;

    if (json_array_append_new(results, json_pack("{s:s, s:s, s:s}", "address", ip, "result",
                                                 spf_result_name(v.result), "why", v.why)) != 0)
        j->failed = true;
    j->spf_passes = j->spf_passes && (passes || excused);
    if (v.result == SPF_TEMPERROR)
        j->spf_known = false;
    if (passes || excused || v.result == SPF_TEMPERROR || v.result == SPF_PERMERROR)
        return; /* errors were said of the policy */
    domain_say(j, f,
               j->guessed && smtp_relay_preset(j->query->relay) ? DOMAIN_WARNING : DOMAIN_FAULT,
               "Mail from %s gets %s: %s", ip, spf_result_name(v.result), v.why);
}

void domain_check_spf(domain_job *j)
{
    const char *domain = j->query->domain, *record = NULL;
    const provider_row *provider = j->guessed ? provider_of(j->query->relay) : NULL;
    buf records = BUF_INIT;
    json_t *f = domain_find(j, "spf", domain, "TXT", true), *results = json_array();

    domain_ask_record(j, f, domain, "v=spf1", &records, &record);
    if (record)
        judge_policy(j, f);
    bool included = record && provider && names(record, provider->policy);
    if (included)
        domain_say(j, f, DOMAIN_OK, "It includes %s, the provider's policy.", provider->policy);
    else if (provider && provider->own_return)
        domain_say(j, f, DOMAIN_OK,
                   "This provider sends bounces to a domain of its own, unless one of yours is set "
                   "up there: then that one's policy counts, and for DMARC DKIM alone.");
    j->spf_known = j->spf_passes = record && (j->address_count > 0 || included);
    for (size_t i = 0; record && i < j->address_count; i++)
        judge_address(j, f, results, j->addresses[i], included);
    if (record && !j->spf_known && j->address_count == 0)
        domain_say(j, f, DOMAIN_OK,
                   "Whether it lets the relay send was not evaluated: no address is known.");
    if (strcmp(json_string_value(json_object_get(f, "verdict")), "ok") != 0)
        suggest(j, f);
    domain_set(j, f, "results", results);
    buf_free(&records);
}
