/*
 * domain_dkim - the keys of DKIM: those that the configuration signs with, and selectors that were
 * asked for.
 */
#include <stdio.h>
#include <strings.h>

#include "dkim/verify.h"
#include "service/domain_own.h"

/* The algorithm that its k= names; RSA without one. */
static dkim_algorithm algorithm_of(const char *record)
{
    dkim_tags tags;

    if (!dkim_tags_read(record, strlen(record), &tags))
        return DKIM_RSA;
    return dkim_text_is(dkim_tags_get(&tags, "k"), "ed25519") ? DKIM_ED25519 : DKIM_RSA;
}

static void judge_record(domain_job *j, json_t *f, const char *record, const dkim_key *own)
{
    dkim_algorithm a = algorithm_of(record);
    dkim_record read;
    const char *fault = NULL;

    if (!dkim_record_read(record, strlen(record), a, &read, &fault)) {
        domain_say(j, f, DOMAIN_FAULT, "%s", fault);
        return;
    }
    unsigned bits = dkim_key_bits(read.key);
    domain_set(j, f, "algorithm", json_string(dkim_algorithm_name(a)));
    domain_set(j, f, "bits", json_integer(bits));
    domain_set(j, f, "testing", json_boolean(read.testing));
    if (own && !dkim_key_same(read.key, own))
        domain_say(j, f, DOMAIN_FAULT,
                   "It is not the key that the configuration signs with: signatures fail.");
    if (a == DKIM_RSA && bits < DKIM_RSA_LEAST)
        domain_say(j, f, DOMAIN_WARNING, "It has %u bits; %d is what receivers expect.", bits,
                   DKIM_RSA_LEAST);
    if (read.testing)
        domain_say(j, f, DOMAIN_WARNING,
                   "t=y: the domain only tests, and receivers may take signatures for absent.");
    dkim_key_free(read.key);
}

static void publish_own(domain_job *j, json_t *f, const dkim_key *own)
{
    buf record = BUF_INIT;
    const char *text = dkim_key_record(own, &record) ? buf_cstr(&record) : NULL;

    if (text)
        domain_publish(j, f, "%s", text);
    else
        j->failed = true;
    buf_free(&record);
}

/* `own` is NULL where the selector was only asked for. */
static void check_selector(domain_job *j, const char *domain, const char *selector,
                           const dkim_key *own)
{
    buf records = BUF_INIT;
    const char *record = NULL;
    char name[400];

    (void)snprintf(name, sizeof name, "%s._domainkey.%s", selector, domain);
    json_t *f = domain_find(j, "dkim", name, "TXT", true);
    domain_set(j, f, "selector", json_string(selector));
    domain_set(j, f, "ours", json_boolean(own));
    domain_ask_record(j, f, name, "", &records, &record);
    if (record)
        judge_record(j, f, record, own);
    bool ok = strcmp(json_string_value(json_object_get(f, "verdict")), "ok") == 0;
    if (!ok && own)
        publish_own(j, f, own);
    else if (!ok)
        domain_publish(j, f, "v=DKIM1; k=rsa; p=…");
    if (ok || (own && strcmp(json_string_value(json_object_get(f, "verdict")), "warning") == 0)) {
        j->dkim_aligned = j->dkim_aligned || dmarc_aligned(domain, j->query->domain, false);
        j->dkim_exact = j->dkim_exact || strcasecmp(domain, j->query->domain) == 0;
    }
    buf_free(&records);
}

typedef struct walk {
    domain_job *job;
    size_t count;
    bool asked[DOMAIN_SELECTORS]; /* selectors that are a configured key's */
} walk;

static void check_own(void *ctx, const char *domain, const char *selector, const dkim_key *key)
{
    walk *w = ctx;
    const domain_query *q = w->job->query;

    for (size_t i = 0; i < q->selector_count; i++)
        if (strcasecmp(q->selectors[i], selector) == 0 && strcasecmp(domain, q->domain) == 0)
            w->asked[i] = true;
    check_selector(w->job, domain, selector, key);
    w->count++;
}

void domain_check_dkim(domain_job *j)
{
    const domain_query *q = j->query;
    walk w = {.job = j};
    char name[300];

    signer_each(q->config->dkim, q->domain, check_own, &w);
    for (size_t i = 0; i < q->selector_count; i++)
        if (!w.asked[i])
            check_selector(j, q->domain, q->selectors[i], NULL);
    if (w.count + q->selector_count > 0)
        return;
    (void)snprintf(name, sizeof name, "SELECTOR._domainkey.%s", q->domain);
    json_t *f = domain_find(j, "dkim", name, "TXT", true);
    domain_say(j, f, DOMAIN_MISSING,
               "No key of the configuration signs for %s, and no selector was named. If the relay "
               "signs, name its selector; else make a key: postern dkim keygen %s s1",
               q->domain, q->domain);
}
