/*
 * signer - the DKIM keys of senders' domains, and signing messages with them (dkim/sign.h).
 *
 * A domain's keys sign what has exactly this domain in From; each of them makes a signature. What
 * is signed for (d=) is the domain, or one above it where that is written out.
 *
 * All keys can be put in the place of others while messages are signed: who signs holds on to the
 * ones it began with. Where there are none, asking costs a load and a comparison.
 *
 * Memory: a signer owns its keys. Threads: filled by one thread; then any, signer_exchange()
 * included.
 */
#ifndef POSTERN_SERVICE_SIGNER_H
#define POSTERN_SERVICE_SIGNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "dkim/key.h"
#include "mime/message.h"

#define SIGNER_KEYS 4 /* of a domain */

typedef struct signer signer;

signer *signer_create(void); /* NULL: no memory */
void signer_free(signer *s);

/* One more key for a From of `domain`, which signs for `signs_for`; both are A-labels in lower
 * case, and copied, as is the selector. Takes over the key. NULL, or a static sentence's end: why
 * it can't be added; the key is freed then. */
const char *signer_add(signer *s, const char *domain, const char *signs_for, const char *selector,
                       dkim_key *key);

/* Puts the keys of `fresh` into the place of those of `s`, and the other way round. */
void signer_exchange(signer *s, signer *fresh);

size_t signer_domains(const signer *s); /* NULL has none */

/* True if there are keys at all. */
bool signer_any(const signer *s);

typedef enum signer_cost {
    SIGNER_NOTHING, /* no key is for this domain */
    SIGNER_SHORT,   /* a thread that others wait for can do it */
    SIGNER_LONG     /* a large body, or a large key */
} signer_cost;

signer_cost signer_judge(const signer *s, const char *domain, uint64_t size);

/* Signs a message from that domain, if there are keys for it: its size grows by the signatures.
 * Before it is read. False: no memory, or what of it is stored can't be read. */
bool signer_sign(const signer *s, const char *domain, time_t date, mime_message *m);

/* Calls `each` for every key that signs for a From of this domain: what it signs for (d=), and its
 * selector. All are held on to for the while. */
typedef void signer_visit(void *ctx, const char *signs_for, const char *selector,
                          const dkim_key *key);
void signer_each(const signer *s, const char *domain, signer_visit *each, void *ctx);

#endif
