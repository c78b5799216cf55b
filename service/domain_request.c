#include "service/domain_request.h"

#include <stdlib.h>
#include <time.h>

#include "dns/resolver.h"
#include "mime/address.h"
#include "service/config_setting.h"

void domain_request_clear(domain_request *r)
{
    free(r->domain);
    for (size_t i = 0; i < r->selector_count; i++)
        free(r->selectors[i]);
    for (size_t i = 0; i < r->address_count; i++)
        free(r->addresses[i]);
    *r = (domain_request){.domain = NULL};
}

const char *domain_request_domain(domain_request *r, const char *s)
{
    const char *reason = NULL;
    char *domain = mime_domain_ascii(s, strlen(s), &reason);

    if (domain && (domain[0] == '[' || !strchr(domain, '.') || strlen(domain) > 253)) {
        free(domain);
        return "it is no domain of mail";
    }
    if (!domain)
        return reason ? reason : "there is no memory for it";
    free(r->domain);
    r->domain = domain;
    return NULL;
}

static const char *push(char **list, size_t *count, const char *s)
{
    list[*count] = strdup(s);
    if (!list[*count])
        return "there is no memory for it";
    ++*count;
    return NULL;
}

const char *domain_request_selector(domain_request *r, const char *s)
{
    if (r->selector_count == DOMAIN_SELECTORS)
        return "there are more than 16";
    if (!config_is_selector(s))
        return "a selector is letters, digits, hyphens and dots, 63 at most";
    return push(r->selectors, &r->selector_count, s);
}

const char *domain_request_address(domain_request *r, const char *s)
{
    if (r->address_count == DOMAIN_ADDRESSES)
        return "there are more than 16";
    if (!domain_is_address(s))
        return "it is neither an IPv4 nor an IPv6 address";
    return push(r->addresses, &r->address_count, s);
}

json_t *domain_request_run(const domain_request *r, const config *c, dns_cache *cache,
                           int64_t until_us)
{
    dns_resolver *resolver = dns_create(c->dns);
    domain_query q = {.config = c,
                      .domain = r->domain,
                      .selectors = (char **)r->selectors,
                      .selector_count = r->selector_count,
                      .addresses = (char **)r->addresses,
                      .address_count = r->address_count,
                      .relay = r->relay,
                      .now = time(NULL),
                      .lookup = dns_ask,
                      .ctx = resolver};

    if (!resolver)
        return NULL;
    dns_use_cache(resolver, cache);
    dns_limit(resolver, until_us);
    json_t *answer = domain_check(&q);
    dns_free(resolver);
    return answer;
}
