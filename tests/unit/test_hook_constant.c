/* Tests that hook/verify does the same work whatever it finds. libcrypto's functions are stood in
 * for by ones that count: every secret that is of a scheme's form is used, and compared in constant
 * time with as much as ever, whether the first is right, the last, or none, and wherever a
 * signature begins to be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "hook/profile.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

#define NOW  INT64_C(1700000000)
#define ID   "msg_0001"
#define BODY "{\"id\":\"evt_1\",\"text\":\"all is well\"}"

/* ---- what is counted ---- */

typedef struct work {
    size_t compared, comparisons; /* octets and calls, in constant time */
    size_t hashed, hashes;        /* octets and results, with a key and without */
} work;

static work done;

/* The function that ours stands in front of. */
static void real(const char *name, void *function)
{
    void *found = dlsym(RTLD_NEXT, name);
    assert_non_null(found);
    memcpy(function, &found, sizeof found);
}

int CRYPTO_memcmp(const void *a, const void *b, size_t len)
{
    int (*next)(const void *, const void *, size_t);
    real("CRYPTO_memcmp", &next);
    done.compared += len;
    done.comparisons++;
    return next(a, b, len);
}

int EVP_MAC_update(EVP_MAC_CTX *ctx, const unsigned char *data, size_t len)
{
    int (*next)(EVP_MAC_CTX *, const unsigned char *, size_t);
    real("EVP_MAC_update", &next);
    done.hashed += len;
    return next(ctx, data, len);
}

int EVP_MAC_final(EVP_MAC_CTX *ctx, unsigned char *out, size_t *len, size_t size)
{
    int (*next)(EVP_MAC_CTX *, unsigned char *, size_t *, size_t);
    real("EVP_MAC_final", &next);
    done.hashes++;
    return next(ctx, out, len, size);
}

int EVP_DigestUpdate(EVP_MD_CTX *ctx, const void *data, size_t len)
{
    int (*next)(EVP_MD_CTX *, const void *, size_t);
    real("EVP_DigestUpdate", &next);
    done.hashed += len;
    return next(ctx, data, len);
}

int EVP_DigestFinal_ex(EVP_MD_CTX *ctx, unsigned char *out, unsigned *len)
{
    int (*next)(EVP_MD_CTX *, unsigned char *, unsigned *);
    real("EVP_DigestFinal_ex", &next);
    done.hashes++;
    return next(ctx, out, len);
}

/* ---- a request ---- */

#define SECRETS 3

/* As many of each form, and of one length. */
static const char *const texts[][SECRETS] = {
    [HOOK_KEY_TEXT] = {"secret-number-1", "secret-number-2", "secret-number-3"},
    [HOOK_KEY_PLAIN] = {"secret-number-1", "secret-number-2", "secret-number-3"},
    [HOOK_KEY_WHSEC] = {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                        "whsec_GB8mLTQ7QklQV15lbHN6gYiPlp2kq7K5",
                        "whsec_AB8mLTQ7QklQV15lbHN6gYiPlp2kq7K5"},
    [HOOK_KEY_PAIR] = {"ops:password-1", "ops:password-2", "ops:password-3"},
};

typedef struct request {
    char lines[1024]; /* "Name: value", each ended by a NUL */
    size_t len;
    char token[HOOK_SECRET_MAX + 1];
    char *proof; /* the signature or token in one of them */
    size_t proof_len;
} request;

static const char *header_of(void *ctx, const char *name)
{
    const request *r = ctx;
    size_t len = strlen(name);
    for (const char *line = r->lines; line < r->lines + r->len; line += strlen(line) + 1) {
        if (strncasecmp(line, name, len) == 0 && line[len] == ':')
            return line + len + 2;
    }
    return NULL;
}

static bool is_base64(const hook_scheme *s)
{
    return s->method == HOOK_BASIC || (s->method == HOOK_HMAC && s->encoding == HOOK_BASE64);
}

static size_t proof_length(const hook_scheme *s, const hook_secret *secret)
{
    if (s->method == HOOK_HMAC)
        return s->encoding == HOOK_HEX ? 64 : 40;
    return s->method == HOOK_BASIC ? 8 : secret->len;
}

/* As the sender makes it; the proof is the end of the last line. */
static void sign(const hook_scheme *s, const hook_secret *secret, request *r)
{
    buf headers;
    buf_init(&headers);
    *r = (request){.len = 0};
    assert_true(hook_sign(s, secret, ID, NOW, BODY, strlen(BODY), &headers));
    if (s->method == HOOK_PATH) {
        memcpy(r->token, secret->text, secret->len);
        r->proof = r->token;
        r->proof_len = secret->len;
    } else {
        assert_in_range(headers.len, 1, sizeof r->lines - 1);
        memcpy(r->lines, headers.data, headers.len);
        r->len = headers.len;
        for (size_t i = 0; i < r->len; i++)
            if (r->lines[i] == '\n')
                r->lines[i] = '\0';
        /* Of base64 not the last characters, which may have no bits of their own. */
        size_t behind = is_base64(s) ? 4 : 0;
        r->proof_len = proof_length(s, secret);
        r->proof = r->lines + r->len - 1 - behind - r->proof_len;
    }
    buf_free(&headers);
}

static void corrupt(char *c)
{
    *c = *c == 'e' ? 'f' : 'e'; /* a digit of both encodings, and of no secret's number */
}

static hook_verdict verify(const hook_profile *p, const hook_secret *secrets, request *r, work *w)
{
    const hook_request asked = {header_of, r, r->token[0] ? r->token : NULL, BODY, strlen(BODY)};
    done = (work){0};
    hook_verdict v =
        hook_verify(p->schemes, hook_profile_schemes(p), secrets, SECRETS, &asked, NOW);
    *w = done;
    return v;
}

static void assert_same(const work *a, const work *b)
{
    assert_int_equal(a->comparisons, b->comparisons);
    assert_int_equal(a->compared, b->compared);
    assert_int_equal(a->hashes, b->hashes);
    assert_int_equal(a->hashed, b->hashed);
}

/* ---- tests ---- */

static void each_scheme(void (*test)(const hook_profile *, const hook_scheme *,
                                     const hook_secret *))
{
    size_t tested = 0;
    for (const hook_profile *p = hook_profile_next(NULL); p; p = hook_profile_next(p)) {
        for (size_t i = 0; i < hook_profile_schemes(p); i++) {
            const hook_scheme *s = &p->schemes[i];
            hook_secret secrets[SECRETS];
            if (s->method == HOOK_NONE || s->method == HOOK_ED25519)
                continue; /* nothing is secret */
            for (size_t k = 0; k < SECRETS; k++)
                assert_null(
                    hook_secret_parse(texts[s->key][k], strlen(texts[s->key][k]), &secrets[k]));
            test(p, s, secrets);
            tested++;
        }
    }
    assert_in_range(tested, 13, 100);
}

static void is_the_same_for_each(const hook_profile *p, const hook_scheme *s,
                                 const hook_secret *secrets)
{
    request r;
    work first, other;

    sign(s, &secrets[0], &r);
    assert_int_equal(verify(p, secrets, &r, &first), HOOK_GOOD);
    assert_in_range(first.comparisons, SECRETS, SIZE_MAX);
    assert_in_range(first.hashes, SECRETS, SIZE_MAX);
    for (size_t k = 1; k < SECRETS; k++) {
        sign(s, &secrets[k], &r);
        assert_int_equal(verify(p, secrets, &r, &other), HOOK_GOOD);
        assert_same(&first, &other);
    }
    for (size_t at = 0; at < r.proof_len; at++) {
        sign(s, &secrets[at % SECRETS], &r);
        corrupt(r.proof + at);
        assert_int_equal(verify(p, secrets, &r, &other), HOOK_WRONG);
        assert_same(&first, &other);
    }
}

static void the_right_secret_cant_be_told_from_a_wrong_one(void **state)
{
    (void)state;
    each_scheme(is_the_same_for_each);
}

/* Without a signature, or with one that is none, there are no other texts to hash than the empty
 * ones, but the same number of them. */
static void costs_the_same_without(const hook_profile *p, const hook_scheme *s,
                                   const hook_secret *secrets)
{
    request r;
    work right, other;

    sign(s, &secrets[0], &r);
    assert_int_equal(verify(p, secrets, &r, &right), HOOK_GOOD);
    r.proof[1] = '*';
    assert_in_range(verify(p, secrets, &r, &other), HOOK_MALFORMED, HOOK_WRONG);
    assert_int_equal(other.comparisons, right.comparisons);
    assert_int_equal(other.hashes, right.hashes);
    r = (request){.len = 0};
    assert_int_equal(verify(p, secrets, &r, &other), HOOK_UNSIGNED);
    assert_int_equal(other.comparisons, right.comparisons);
    assert_int_equal(other.hashes, right.hashes);
}

static void no_signature_costs_what_a_wrong_one_costs(void **state)
{
    (void)state;
    each_scheme(costs_the_same_without);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_secret_cant_be_told_from_a_wrong_one),
        cmocka_unit_test(no_signature_costs_what_a_wrong_one_costs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
