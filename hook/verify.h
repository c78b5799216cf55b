/*
 * verify - who sent this webhook? A sender's way of proving it is data, a hook_scheme; there is no
 * code for a service.
 *
 * A scheme says what is signed ("{id}.{ts}.{body}"), with which kind of key, how the signature is
 * written and in which headers it comes; or that the sender shows a secret (a token in a header, a
 * user name and password, a part of the path). A hook may have several schemes and several secrets,
 * so that secrets can be changed without a gap: a request is right by any scheme with any secret
 * that is of the scheme's form.
 *
 * It is over the bytes as they came, before anybody parses them. Every scheme is tried with every
 * secret, to the end, whatever was found before; comparisons take constant time, and a request
 * without a signature costs as much as one with a wrong one. Only when a signature is right is it
 * said that its time is not.
 *
 * Pure: no clock (the time is brought), no HTTP (headers are asked for), no state. Memory: nothing
 * is kept; a secret is its owner's, to be wiped with hook_secret_wipe(). Threads: any.
 */
#ifndef POSTERN_HOOK_VERIFY_H
#define POSTERN_HOOK_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define HOOK_SECRET_MIN  8   /* characters of a secret */
#define HOOK_SECRET_MAX  512 /* … */
#define HOOK_KEY_MIN     24  /* octets of a key behind "whsec_" */
#define HOOK_KEY_MAX     64
#define HOOK_ID_MAX      128  /* characters of a delivery's id that is signed */
#define HOOK_HEADER_MAX  8192 /* of a header that is looked at */
#define HOOK_SIGNATURES  16   /* in a header that are looked at */
#define HOOK_SIGNED_MAX  64   /* characters of `content` */
#define HOOK_TOLERANCE_S 300
#define HOOK_FAMILIES    2

typedef enum hook_method {
    HOOK_NONE,    /* nothing is asked for */
    HOOK_HMAC,    /* HMAC-SHA256 */
    HOOK_ED25519, /* RFC 8032 */
    HOOK_TOKEN,   /* the secret itself stands in a header */
    HOOK_BASIC,   /* … or "user:password" as HTTP's basic authentication (RFC 7617) */
    HOOK_PATH     /* … or as the last part of the path */
} hook_method;

typedef enum hook_encoding { HOOK_HEX, HOOK_BASE64 } hook_encoding;

/* How signatures stand in their header. */
typedef enum hook_form {
    HOOK_ONE,  /* "sha256=…": the prefix, and one signature */
    HOOK_LIST, /* "v1,… v1a,… v1,…": the prefix stands before each that is ours */
    HOOK_PAIRS /* "t=1700000000,v1=…,v1=…,v0=…": the prefix ("v1=") before each that is ours, and
                  the time is in it */
} hook_form;

/* What a secret must look like to be one of the scheme's. */
typedef enum hook_key {
    HOOK_KEY_TEXT,   /* any: its characters are the key */
    HOOK_KEY_PLAIN,  /* the same, but for those that begin with "whsec_" or "whpk_" */
    HOOK_KEY_WHSEC,  /* "whsec_" and the key in base64 */
    HOOK_KEY_PAIR,   /* "user:password" */
    HOOK_KEY_PUBLIC, /* "whpk_" and base64, or 64 hexadecimal digits, of 32 octets */
} hook_key;

/* Header names; NULL: there is none. */
typedef struct hook_headers {
    const char *signature; /* … or of the token */
    const char *timestamp;
    const char *id;
} hook_headers;

typedef struct hook_scheme {
    const char *name; /* "signature", "token", … */
    hook_method method;
    hook_key key;
    hook_encoding encoding;
    hook_form form;
    const char *prefix;  /* of a signature; of a token: the word before it ("Bearer"); "": none */
    const char *content; /* what is signed: {body}, {ts} and {id} stand for what they say */
    int64_t tolerance_s; /* 0: the time is not looked at */
    hook_headers headers[HOOK_FAMILIES]; /* the first family whose signature is there counts */
} hook_scheme;

/* NULL, or what is wrong with what a scheme says is signed, in a sentence (static). */
const char *hook_scheme_fault(const hook_scheme *s);

typedef struct hook_secret {
    char text[HOOK_SECRET_MAX + 1];
    size_t len;
    unsigned char key[HOOK_KEY_MAX]; /* behind "whsec_", or the public key */
    size_t key_len;                  /* 0: none */
    bool is_public;
} hook_secret;

/* NULL, or why it can't be a secret (static; it never holds the secret), and then *out is zeros. */
const char *hook_secret_parse(const char *text, size_t len, hook_secret *out);
void hook_secret_wipe(hook_secret *s);

/* NULL if the scheme takes the secret, or what it expects (static). */
const char *hook_secret_unfit(const hook_scheme *s, const hook_secret *secret);

typedef struct hook_request {
    const char *(*header)(void *ctx, const char *name); /* in any case; NULL: there is none */
    void *ctx;
    const char *token; /* of the path; NULL: none */
    const void *body;
    size_t len;
} hook_request;

typedef enum hook_verdict {
    HOOK_GOOD,
    HOOK_UNSIGNED,  /* no signature or token is there */
    HOOK_MALFORMED, /* a header is missing, or is not as it should be */
    HOOK_WRONG,     /* no signature or token is right */
    HOOK_TOO_OLD,   /* the signature is right */
    HOOK_TOO_NEW,   /* the signature is right */
    HOOK_FAILED,    /* libcrypto has no memory */
    HOOK_VERDICTS
} hook_verdict;

const char *hook_verdict_text(hook_verdict v); /* a sentence for the log */

/* `now`: seconds since 1970. */
hook_verdict hook_verify(const hook_scheme *schemes, size_t scheme_count,
                         const hook_secret *secrets, size_t secret_count, const hook_request *r,
                         int64_t now);

/* The signer's half: the headers "Name: value", a line each, that a sender would send. The id is
 * used where the scheme has one. False: such a secret can't sign (hook_secret_unfit(), or it is a
 * public key), the id can't be signed, or there is no memory. HOOK_NONE and HOOK_PATH have no
 * headers. */
bool hook_sign(const hook_scheme *s, const hook_secret *secret, const char *id, int64_t now,
               const void *body, size_t len, buf *out);

#endif
