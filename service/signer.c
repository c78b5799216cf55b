#include "service/signer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dkim/sign.h"

/* What is signed by a thread that others wait for: 256 KiB are hashed in a third of a millisecond,
 * and a key of 3072 bits signs in two and a half. */
#define SHORT_BODY ((uint64_t)256 * 1024)
#define SHORT_RSA  3072
#define FIRST_ROOM 8

typedef struct domain_keys {
    char *domain;
    dkim_identity identities[SIGNER_KEYS]; /* their strings and keys are owned */
    size_t count;
    bool slow;
} domain_keys;

typedef struct key_set {
    domain_keys *list; /* sorted by domain */
    size_t count, room;
    size_t users; /* under the signer's lock */
} key_set;

struct signer {
    pthread_mutex_t lock;
    _Atomic(key_set *) set; /* NULL: no keys; changed under the lock */
};

/* ---- sets ---- */

static void set_free(key_set *set)
{
    for (size_t i = 0; set && i < set->count; i++) {
        domain_keys *d = &set->list[i];
        for (size_t k = 0; k < d->count; k++) {
            free((char *)d->identities[k].domain);
            free((char *)d->identities[k].selector);
            dkim_key_free((dkim_key *)d->identities[k].key);
        }
        free(d->domain);
    }
    if (set)
        free(set->list);
    free(set);
}

/* Where the domain stands, or should. */
static size_t place(const key_set *set, const char *domain, bool *found)
{
    size_t from = 0, to = set->count;

    *found = false;
    while (from < to && !*found) {
        size_t middle = from + (to - from) / 2;
        int order = strcasecmp(domain, set->list[middle].domain);
        *found = order == 0;
        if (order > 0)
            from = middle + 1;
        else
            to = middle;
    }
    return to;
}

static domain_keys *find(const key_set *set, const char *domain)
{
    bool found = false;
    size_t at = set ? place(set, domain, &found) : 0;
    return found ? &set->list[at] : NULL;
}

static domain_keys *find_or_add(key_set *set, const char *domain)
{
    bool found;
    size_t at = place(set, domain, &found);

    if (found)
        return &set->list[at];
    if (set->count == set->room) {
        size_t room = set->room ? 2 * set->room : FIRST_ROOM;
        domain_keys *list = realloc(set->list, room * sizeof *list);
        if (!list)
            return NULL;
        set->list = list;
        set->room = room;
    }
    char *name = strdup(domain);
    if (!name)
        return NULL;
    memmove(set->list + at + 1, set->list + at, (set->count - at) * sizeof *set->list);
    set->list[at] = (domain_keys){.domain = name};
    set->count++;
    return &set->list[at];
}

/* ---- a signer ---- */

signer *signer_create(void)
{
    signer *s = calloc(1, sizeof *s);
    if (s)
        (void)pthread_mutex_init(&s->lock, NULL); /* can't fail with default attributes */
    return s;
}

void signer_free(signer *s)
{
    if (!s)
        return;
    set_free(atomic_load(&s->set));
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

static const char *add_to(domain_keys *d, const char *signs_for, const char *selector,
                          dkim_key *key)
{
    for (size_t i = 0; i < d->count; i++)
        if (strcasecmp(d->identities[i].selector, selector) == 0 &&
            strcasecmp(d->identities[i].domain, signs_for) == 0)
            return "another of the domain's keys has this selector";
    if (d->count == SIGNER_KEYS)
        return "the domain has more than 4 keys";
    dkim_identity *id = &d->identities[d->count];
    *id = (dkim_identity){strdup(signs_for), strdup(selector), key};
    if (!id->domain || !id->selector) {
        free((char *)id->domain);
        free((char *)id->selector);
        return "there is no memory for it";
    }
    d->count++;
    d->slow = d->slow || (dkim_key_algorithm(key) == DKIM_RSA && dkim_key_bits(key) > SHORT_RSA);
    return NULL;
}

const char *signer_add(signer *s, const char *domain, const char *signs_for, const char *selector,
                       dkim_key *key)
{
    key_set *set = atomic_load(&s->set);

    if (!set)
        set = calloc(1, sizeof *set);
    atomic_store(&s->set, set);
    domain_keys *d = set ? find_or_add(set, domain) : NULL;
    const char *why = d ? add_to(d, signs_for, selector, key) : "there is no memory for it";
    if (why)
        dkim_key_free(key);
    return why;
}

/* Takes the set as it is now; what it was is freed by the last who uses it. */
static key_set *hold(const signer *s)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)&s->lock;

    (void)pthread_mutex_lock(lock);
    key_set *set = atomic_load(&s->set);
    if (set)
        set->users++;
    (void)pthread_mutex_unlock(lock);
    return set;
}

static void release(const signer *s, key_set *set)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)&s->lock;

    if (!set)
        return;
    (void)pthread_mutex_lock(lock);
    bool gone = --set->users == 0 && atomic_load(&s->set) != set;
    (void)pthread_mutex_unlock(lock);
    if (gone)
        set_free(set);
}

void signer_exchange(signer *s, signer *fresh)
{
    (void)pthread_mutex_lock(&s->lock);
    key_set *before = atomic_load(&s->set);
    bool used = before && before->users > 0;
    atomic_store(&s->set, atomic_load(&fresh->set));
    (void)pthread_mutex_unlock(&s->lock);
    atomic_store(&fresh->set, used ? NULL : before);
}

size_t signer_domains(const signer *s)
{
    const key_set *set = s ? atomic_load(&s->set) : NULL;
    return set ? set->count : 0;
}

bool signer_any(const signer *s)
{
    return s && atomic_load_explicit(&s->set, memory_order_acquire);
}

signer_cost signer_judge(const signer *s, const char *domain, uint64_t size)
{
    signer_cost cost = SIGNER_NOTHING;

    if (!signer_any(s))
        return cost;
    key_set *set = hold(s);
    const domain_keys *d = find(set, domain);
    if (d)
        cost = d->slow || size > SHORT_BODY ? SIGNER_LONG : SIGNER_SHORT;
    release(s, set);
    return cost;
}

/* ---- signing ---- */

_Static_assert(MIME_READ_FAILED == DKIM_READ_FAILED, "what the reader says is the source's word");

static size_t read_message(void *ctx, char *out, size_t cap)
{
    return mime_reader_read(ctx, out, cap);
}

static bool sign_with(const domain_keys *d, time_t date, mime_message *m)
{
    mime_reader *reader = mime_reader_create(m);
    const dkim_source source = {read_message, reader};
    buf fields = BUF_INIT;

    bool ok = reader && dkim_sign(d->identities, d->count, date, &source, &fields) &&
              mime_message_prepend(m, fields.data, fields.len);
    mime_reader_free(reader);
    buf_free(&fields);
    return ok;
}

bool signer_sign(const signer *s, const char *domain, time_t date, mime_message *m)
{
    if (!signer_any(s))
        return true;
    key_set *set = hold(s);
    const domain_keys *d = find(set, domain);
    bool ok = !d || sign_with(d, date, m);
    release(s, set);
    return ok;
}

void signer_each(const signer *s, const char *domain, signer_visit *each, void *ctx)
{
    if (!signer_any(s))
        return;
    key_set *set = hold(s);
    const domain_keys *d = find(set, domain);
    for (size_t i = 0; d && i < d->count; i++)
        each(ctx, d->identities[i].domain, d->identities[i].selector, d->identities[i].key);
    release(s, set);
}
