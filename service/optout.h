/*
 * optout - mails of a list (a newsletter) say how to leave it with one click (RFC 2369 section 3.2,
 * RFC 8058): the link, and the token in it.
 *
 * A token is the list's name and the subscriber's address, encrypted and authenticated in one with
 * AES-SIV (RFC 5297), in base64url: so nothing need be kept to understand it, nobody can make one
 * for another address or list, and an address doesn't stand in the logs of whatever is on the way.
 * The same list and address have the same token always. It has no end: the link of an old mail must
 * work. Its first character is the version.
 *
 * The keys are made of the secrets: the first makes tokens, all of them are tried on one that
 * comes, so that a secret can be changed. One that is taken out makes all links of its time void.
 *
 * Memory: what is returned is the caller's. Threads: any, once made; nothing changes.
 */
#ifndef POSTERN_SERVICE_OPTOUT_H
#define POSTERN_SERVICE_OPTOUT_H

#include <stdbool.h>
#include <stddef.h>

#define OPTOUT_NAME    64  /* characters of a name at most */
#define OPTOUT_ADDRESS 512 /* octets of an address at most */
#define OPTOUT_SECRET  32  /* characters of a secret at least */

typedef struct optout optout;

/* `url`: what optout_base_fault() has nothing against; `secrets`: likewise, one at least. NULL: no
 * memory, or libcrypto can't do it. */
optout *optout_create(const char *url, const char *const *secrets, size_t count);
void optout_free(optout *l); /* wipes the keys */

/* NULL, or why it won't do: the end of a sentence. A URL is https://, or http:// where only this
 * machine can be meant; what routes are put behind it. */
const char *optout_base_fault(const char *url);
const char *optout_secret_fault(const char *secret);

/* What a name is, and whether this is one: it can stand in a List-Id. */
#define OPTOUT_NAME_RULE                                                                           \
    "1 to 64 of a-z, 0-9, \".\", \"_\" and \"-\", a dot neither first nor last nor beside another"
bool optout_name_fits(const char *name, size_t len);

/* The link that takes the address, in any case, off the list: one line without blanks; NULL: no
 * memory, or one of the two is too long. */
char *optout_url(const optout *l, const char *list, const char *address);

/* The value of List-Id (RFC 2919): "<news.example.com>"; NULL: no memory. */
char *optout_list_id(const optout *l, const char *list);

/* Whom a token takes off which list. */
typedef struct optout_subscription {
    char list[OPTOUT_NAME + 1];
    char address[OPTOUT_ADDRESS + 1]; /* as suppressed ones are kept: in lower case */
} optout_subscription;

/* False: it is not one of ours. Each secret is tried, whichever fits. */
bool optout_read_token(const optout *l, const char *token, optout_subscription *out);

#endif
