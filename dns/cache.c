#include "dns/cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <strings.h>

#define WAYS        4 /* places that an answer can be in */
#define SETS        (DNS_CACHE_PLACES / WAYS)
#define MOST_FOUND  300 /* seconds */
#define MOST_ABSENT 30

typedef struct place {
    char *name; /* NULL: it is free; its records are behind its NUL */
    size_t len; /* of the records */
    dns_type type;
    dns_result result;
    int64_t until;
} place;

struct dns_cache {
    pthread_mutex_t lock;
    place places[SETS][WAYS];
};

dns_cache *dns_cache_create(void)
{
    dns_cache *c = calloc(1, sizeof *c);
    if (c)
        (void)pthread_mutex_init(&c->lock, NULL); /* can't fail with default attributes */
    return c;
}

void dns_cache_free(dns_cache *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < SETS; i++)
        for (size_t k = 0; k < WAYS; k++)
            free(c->places[i][k].name);
    (void)pthread_mutex_destroy(&c->lock);
    free(c);
}

/* FNV-1a. Who chooses names so that they meet in one set only makes DNS be asked again. */
static place *set_of(dns_cache *c, dns_type type, const char *name)
{
    uint32_t h = 2166136261U ^ (uint32_t)type;

    for (; *name; name++)
        h = (h ^ (unsigned char)(*name >= 'A' && *name <= 'Z' ? *name + 32 : *name)) * 16777619U;
    return c->places[h % SETS];
}

static bool is_of(const place *p, dns_type type, const char *name)
{
    return p->name && p->type == type && strcasecmp(p->name, name) == 0;
}

bool dns_cache_find(dns_cache *c, dns_type type, const char *name, int64_t now, dns_result *result,
                    buf *out)
{
    place *set = set_of(c, type, name);
    bool found = false;

    (void)pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < WAYS && !found; i++) {
        const place *p = &set[i];
        found = is_of(p, type, name) && now < p->until;
        if (found) {
            *result = p->result;
            buf_add(out, p->name + strlen(p->name) + 1, p->len);
        }
    }
    (void)pthread_mutex_unlock(&c->lock);
    return found;
}

void dns_cache_keep(dns_cache *c, dns_type type, const char *name, int64_t now, uint32_t ttl,
                    dns_result result, const char *records, size_t len)
{
    uint32_t most = result == DNS_FOUND ? MOST_FOUND : MOST_ABSENT;
    size_t length = strlen(name) + 1;
    char *copy = len > DNS_CACHE_ANSWER || ttl == 0 ? NULL : malloc(length + len);
    place *set = set_of(c, type, name), *taken = set;

    if (!copy)
        return;
    memcpy(copy, name, length);
    if (len > 0)
        memcpy(copy + length, records, len);
    (void)pthread_mutex_lock(&c->lock);
    for (size_t i = 1; i < WAYS; i++) /* a free place ends at 0, so it is first */
        if (set[i].until < taken->until)
            taken = &set[i];
    for (size_t i = 0; i < WAYS; i++)
        if (is_of(&set[i], type, name))
            taken = &set[i];
    free(taken->name);
    *taken = (place){copy, len, type, result, now + (int64_t)(ttl < most ? ttl : most) * 1000000};
    (void)pthread_mutex_unlock(&c->lock);
}
