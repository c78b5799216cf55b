#include "dkim/key.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#define ED25519_BITS  256
#define ED25519_OCTET 32
#define ENCODED(n)    (((size_t)(n) + 2) / 3 * 4)

struct dkim_key {
    EVP_PKEY *pkey;
    dkim_algorithm algorithm;
    unsigned bits;
};

static const struct {
    const char *name, *type;
    int id;
} algorithms[DKIM_ALGORITHMS] = {
    [DKIM_RSA] = {"rsa-sha256", "rsa", EVP_PKEY_RSA},
    [DKIM_ED25519] = {"ed25519-sha256", "ed25519", EVP_PKEY_ED25519},
};

const char *dkim_algorithm_name(dkim_algorithm a)
{
    return algorithms[a].name;
}

const char *dkim_algorithm_key_type(dkim_algorithm a)
{
    return algorithms[a].type;
}

/* ---- reading and making ---- */

/* Takes over the key; NULL: it is of another kind, or no memory. */
static dkim_key *hold(EVP_PKEY *pkey)
{
    dkim_key *k = pkey ? calloc(1, sizeof *k) : NULL;
    int id = pkey ? EVP_PKEY_get_base_id(pkey) : 0;
    dkim_algorithm a = DKIM_RSA;

    while (a < DKIM_ALGORITHMS && algorithms[a].id != id)
        a++;
    if (!k || a == DKIM_ALGORITHMS) {
        EVP_PKEY_free(pkey);
        free(k);
        return NULL;
    }
    *k = (dkim_key){pkey, a, a == DKIM_RSA ? (unsigned)EVP_PKEY_get_bits(pkey) : ED25519_BITS};
    return k;
}

/* There is nobody to ask. */
static int no_password(char *out, int size, int writing, void *ctx)
{
    (void)out, (void)size, (void)writing;
    *(bool *)ctx = true;
    return -1;
}

static const char *key_fault(const dkim_key *k)
{
    if (!k)
        return "its key is neither RSA nor Ed25519";
    if (k->algorithm == DKIM_RSA && k->bits < DKIM_RSA_VALID)
        return "its RSA key has less than 1024 bits, which no verifier takes (RFC 8301)";
    if (k->algorithm == DKIM_RSA && k->bits < DKIM_RSA_LEAST)
        return "its RSA key has less than 2048 bits; make one with postern dkim keygen";
    if (k->algorithm == DKIM_RSA && k->bits > DKIM_RSA_MOST)
        return "its RSA key has more than 4096 bits, which verifiers need not take (RFC 8301)";
    return NULL;
}

static size_t count_of(const char *text, size_t len, const char *word)
{
    size_t n = 0;
    for (const char *at = text; (at = memmem(at, len - (size_t)(at - text), word, strlen(word)));
         at += strlen(word))
        n++;
    return n;
}

dkim_key *dkim_key_read(const char *pem, size_t len, const char **fault)
{
    bool encrypted = false;
    BIO *bio = len <= INT_MAX ? BIO_new_mem_buf(pem, (int)len) : NULL;
    EVP_PKEY *pkey = NULL;
    dkim_key *k = NULL;

    *fault = NULL;
    if (count_of(pem, len, "-----BEGIN ") > 1)
        *fault = "it holds more than one key";
    else if (bio)
        pkey = PEM_read_bio_PrivateKey(bio, NULL, no_password, &encrypted);
    BIO_free(bio);
    ERR_clear_error();
    if (*fault)
        return NULL;
    if (encrypted)
        *fault = "it is encrypted";
    else if (!pkey)
        *fault = "it holds no private key in PEM";
    else
        *fault = key_fault(k = hold(pkey));
    if (!*fault)
        return k;
    dkim_key_free(k);
    return NULL;
}

dkim_key *dkim_key_make(dkim_algorithm a, unsigned bits)
{
    EVP_PKEY *pkey = a == DKIM_RSA ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits)
                                   : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    ERR_clear_error();
    return hold(pkey);
}

void dkim_key_free(dkim_key *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->pkey);
    free(k);
}

dkim_algorithm dkim_key_algorithm(const dkim_key *k)
{
    return k->algorithm;
}

unsigned dkim_key_bits(const dkim_key *k)
{
    return k->bits;
}

/* ---- writing ---- */

bool dkim_key_pem(const dkim_key *k, buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    bool ok = bio && PEM_write_bio_PKCS8PrivateKey(bio, k->pkey, NULL, NULL, 0, NULL, NULL) == 1;

    if (ok) {
        long len = BIO_get_mem_data(bio, &text);
        buf_add(out, text, (size_t)len);
        OPENSSL_cleanse(text, (size_t)len);
    }
    BIO_free(bio);
    ERR_clear_error();
    return ok && buf_ok(out);
}

static bool add_base64(const unsigned char *data, size_t len, buf *out)
{
    if (len > INT_MAX || !buf_reserve(out, ENCODED(len) + 1)) /* with the NUL that it writes */
        return false;
    out->len += (size_t)EVP_EncodeBlock((unsigned char *)out->data + out->len, data, (int)len);
    return true;
}

/* The octets of p=: malloc'd by OpenSSL; 0: it failed. */
static size_t public_octets(const dkim_key *k, unsigned char **out)
{
    size_t len = ED25519_OCTET;

    *out = NULL;
    if (k->algorithm == DKIM_RSA) {
        int n = i2d_PUBKEY(k->pkey, out);
        return n > 0 ? (size_t)n : 0;
    }
    *out = OPENSSL_malloc(len);
    return *out && EVP_PKEY_get_raw_public_key(k->pkey, *out, &len) == 1 ? len : 0;
}

bool dkim_key_record(const dkim_key *k, buf *out)
{
    unsigned char *octets;
    size_t len = public_octets(k, &octets);

    buf_addf(out, "v=DKIM1; k=%s; p=", dkim_algorithm_key_type(k->algorithm));
    bool ok = len > 0 && add_base64(octets, len, out);
    OPENSSL_free(octets);
    ERR_clear_error();
    return ok && buf_ok(out);
}

bool dkim_key_same(const dkim_key *a, const dkim_key *b)
{
    bool same = EVP_PKEY_eq(a->pkey, b->pkey) == 1;
    ERR_clear_error();
    return same;
}

/* ---- signatures ---- */

static bool set_rsa(EVP_PKEY_CTX *c)
{
    return EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) == 1 &&
           EVP_PKEY_CTX_set_signature_md(c, EVP_sha256()) == 1;
}

static bool sign_rsa(const dkim_key *k, const unsigned char digest[DKIM_DIGEST], unsigned char *out,
                     size_t *len)
{
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(k->pkey, NULL);
    bool ok = c && EVP_PKEY_sign_init(c) == 1 && set_rsa(c) &&
              EVP_PKEY_sign(c, out, len, digest, DKIM_DIGEST) == 1;
    EVP_PKEY_CTX_free(c);
    return ok;
}

/* Ed25519 signs the digest as its message (RFC 8463 section 3). */
static bool sign_ed25519(const dkim_key *k, const unsigned char digest[DKIM_DIGEST],
                         unsigned char *out, size_t *len)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool ok = c && EVP_DigestSignInit(c, NULL, NULL, NULL, k->pkey) == 1 &&
              EVP_DigestSign(c, out, len, digest, DKIM_DIGEST) == 1;
    EVP_MD_CTX_free(c);
    return ok;
}

bool dkim_key_sign(const dkim_key *k, const unsigned char digest[DKIM_DIGEST], buf *out)
{
    unsigned char signature[DKIM_RSA_MOST / 8];
    size_t len = sizeof signature;
    bool ok = (k->algorithm == DKIM_RSA ? sign_rsa : sign_ed25519)(k, digest, signature, &len) &&
              add_base64(signature, len, out);
    ERR_clear_error();
    return ok;
}

static bool verify_rsa(const dkim_key *k, const unsigned char digest[DKIM_DIGEST],
                       const unsigned char *signature, size_t len)
{
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(k->pkey, NULL);
    bool ok = c && EVP_PKEY_verify_init(c) == 1 && set_rsa(c) &&
              EVP_PKEY_verify(c, signature, len, digest, DKIM_DIGEST) == 1;
    EVP_PKEY_CTX_free(c);
    return ok;
}

static bool verify_ed25519(const dkim_key *k, const unsigned char digest[DKIM_DIGEST],
                           const unsigned char *signature, size_t len)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool ok = c && EVP_DigestVerifyInit(c, NULL, NULL, NULL, k->pkey) == 1 &&
              EVP_DigestVerify(c, signature, len, digest, DKIM_DIGEST) == 1;
    EVP_MD_CTX_free(c);
    return ok;
}

bool dkim_key_verify(const dkim_key *k, const unsigned char digest[DKIM_DIGEST],
                     const unsigned char *signature, size_t len)
{
    bool ok = (k->algorithm == DKIM_RSA ? verify_rsa : verify_ed25519)(k, digest, signature, len);
    ERR_clear_error();
    return ok;
}

/* ---- what DNS has ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

unsigned char *dkim_base64(dkim_text t, size_t *len)
{
    unsigned char *packed = malloc(t.len + 1), *out = malloc(t.len + 1);
    size_t n = 0, pads = 0;
    int got = -1;

    for (size_t i = 0; packed && i < t.len; i++)
        if (!is_space(t.data[i]))
            packed[n++] = (unsigned char)t.data[i];
    while (packed && pads < n && packed[n - 1 - pads] == '=')
        pads++;
    /* It takes padding of any length, and none that is too long. */
    if (packed && out && n > 0 && n % 4 == 0 && n <= INT_MAX && pads <= 2)
        got = EVP_DecodeBlock(out, packed, (int)n);
    free(packed);
    ERR_clear_error();
    if (got >= 0) {
        *len = (size_t)got - pads;
        return out;
    }
    free(out);
    return NULL;
}

/* RFC 6376 says RSAPublicKey, and shows and means SubjectPublicKeyInfo: both are met. */
static EVP_PKEY *read_rsa(const unsigned char *octets, size_t len)
{
    const unsigned char *at = octets;
    EVP_PKEY *pkey = d2i_PUBKEY(NULL, &at, (long)len);

    if (!pkey) {
        at = octets;
        pkey = d2i_PublicKey(EVP_PKEY_RSA, NULL, &at, (long)len);
    }
    return pkey;
}

dkim_key *dkim_key_public(dkim_algorithm a, dkim_text p)
{
    size_t len = 0;
    unsigned char *octets = dkim_base64(p, &len);
    dkim_key *k = NULL;

    if (octets && a == DKIM_RSA)
        k = hold(read_rsa(octets, len));
    else if (octets && len == ED25519_OCTET)
        k = hold(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, octets, len));
    free(octets);
    ERR_clear_error();
    if (!k || k->algorithm == a)
        return k;
    dkim_key_free(k);
    return NULL;
}
