/*
 * key - the keys of DKIM: a sender's own, read from PEM or made, and public ones from DNS records
 * (RFC 6376 section 3.6.1, RFC 8301, RFC 8463). RSA and Ed25519, over SHA-256.
 *
 * Memory: who makes a key frees it. Threads: keys are immutable, and any number may use one.
 */
#ifndef POSTERN_DKIM_KEY_H
#define POSTERN_DKIM_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "dkim/field.h"

typedef enum dkim_algorithm { DKIM_RSA, DKIM_ED25519, DKIM_ALGORITHMS } dkim_algorithm;

#define DKIM_DIGEST    32   /* octets of a SHA-256 */
#define DKIM_RSA_LEAST 2048 /* bits of a key to sign with, … */
#define DKIM_RSA_MOST  4096 /* … which is what every verifier must be able to check */
#define DKIM_RSA_VALID 1024 /* bits of a key that a signature may be good with */

const char *dkim_algorithm_name(dkim_algorithm a);     /* "rsa-sha256" */
const char *dkim_algorithm_key_type(dkim_algorithm a); /* "rsa" */

typedef struct dkim_key dkim_key; /* private and public half, or public half alone */

/* Reads a private key in PEM: PKCS#8, or PKCS#1 for RSA; not encrypted, one alone. NULL, and
 * *fault a static sentence's end that never repeats the key ("it is encrypted"). */
dkim_key *dkim_key_read(const char *pem, size_t len, const char **fault);

/* Makes one; bits are RSA's. NULL: libcrypto failed. */
dkim_key *dkim_key_make(dkim_algorithm a, unsigned bits);
void dkim_key_free(dkim_key *k);

dkim_algorithm dkim_key_algorithm(const dkim_key *k);
unsigned dkim_key_bits(const dkim_key *k); /* 256 for Ed25519 */

/* The private key in PEM (PKCS#8), to be wiped. False: libcrypto failed. */
bool dkim_key_pem(const dkim_key *k, buf *out);

/* The DNS record of its public half: "v=DKIM1; k=rsa; p=…". */
bool dkim_key_record(const dkim_key *k, buf *out);

/* Whether both have the same public half. */
bool dkim_key_same(const dkim_key *a, const dkim_key *b);

/* Adds the base64 of the signature of a digest. */
bool dkim_key_sign(const dkim_key *k, const unsigned char digest[DKIM_DIGEST], buf *out);
bool dkim_key_verify(const dkim_key *k, const unsigned char digest[DKIM_DIGEST],
                     const unsigned char *signature, size_t len);

/* The public key of p= (base64, with blanks perhaps). NULL: it is none of that kind. */
dkim_key *dkim_key_public(dkim_algorithm a, dkim_text p);

/* Octets of base64 (RFC 4648 section 4), blanks passed over: malloc'd, and their number. NULL: it
 * isn't any, or no memory. */
unsigned char *dkim_base64(dkim_text t, size_t *len);

#endif
