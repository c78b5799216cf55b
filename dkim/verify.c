#include "dkim/verify.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>

#include "dkim/canon.h"
#include "dkim/field.h"

#define SIGNATURE "DKIM-Signature"

const char *dkim_result_name(dkim_result r)
{
    static const char *const names[] = {"pass", "fail", "permerror", "temperror"};
    return names[r];
}

/* ---- the key record ---- */

/* Whether a list parted by colons names one of two words; one that is absent names all. */
static bool lists(dkim_text list, const char *word, const char *other)
{
    dkim_text part;

    if (!list.data)
        return true;
    while (dkim_text_next(&list, ':', &part))
        if (dkim_text_is(part, word) || (other && dkim_text_is(part, other)))
            return true;
    return false;
}

static const char *record_fault(const dkim_tags *t, dkim_algorithm a)
{
    dkim_text v = dkim_tags_get(t, "v"), k = dkim_tags_get(t, "k"), p = dkim_tags_get(t, "p");

    if (v.data &&
        (v.len != 5 || memcmp(v.data, "DKIM1", 5) != 0 || t->list[0].value.data != v.data))
        return "The record's v= is not DKIM1 at its beginning.";
    if (k.data ? !dkim_text_is(k, dkim_algorithm_key_type(a)) : a != DKIM_RSA)
        return "The record's key is of another type than the signature.";
    if (!lists(dkim_tags_get(t, "h"), "sha256", NULL))
        return "The record's h= doesn't allow SHA-256.";
    if (!lists(dkim_tags_get(t, "s"), "*", "email"))
        return "The record's s= is not for e-mail.";
    if (!p.data)
        return "The record has no p=.";
    if (p.len == 0)
        return "The key was revoked: the record's p= is empty.";
    return NULL;
}

bool dkim_record_read(const char *s, size_t len, dkim_algorithm a, dkim_record *out,
                      const char **fault)
{
    dkim_tags tags;
    dkim_text flags;

    *out = (dkim_record){NULL, false, false};
    *fault = dkim_tags_read(s, len, &tags) ? record_fault(&tags, a)
                                           : "The record is not a list of tags.";
    if (*fault)
        return false;
    out->key = dkim_key_public(a, dkim_tags_get(&tags, "p"));
    if (!out->key)
        *fault = "The record's p= holds no key of its type.";
    else if (a == DKIM_RSA && dkim_key_bits(out->key) < DKIM_RSA_VALID)
        *fault = "The key has less than 1024 bits, which RFC 8301 forbids.";
    if (*fault) {
        dkim_key_free(out->key);
        out->key = NULL;
        return false;
    }
    flags = dkim_tags_get(&tags, "t");
    out->testing = flags.data && lists(flags, "y", NULL);
    out->strict = flags.data && lists(flags, "s", NULL);
    return true;
}

/* ---- a signature ---- */

typedef struct signature {
    const dkim_field *field;
    dkim_tags tags;
    dkim_algorithm algorithm;
    dkim_canon header, body;
    uint64_t limit; /* l= */
    const char *domain;
    bool sub_identity; /* i= is of a subdomain */
} signature;

typedef struct message {
    const dkim_field *fields;
    size_t count;
    const char *body;
    size_t len;
    int64_t now;
} message;

static bool read_algorithm(dkim_text a, dkim_algorithm *out)
{
    for (*out = DKIM_RSA; *out < DKIM_ALGORITHMS; ++*out)
        if (dkim_text_is(a, dkim_algorithm_name(*out)))
            return true;
    return false;
}

static bool read_one_canon(dkim_text t, dkim_canon *out)
{
    *out = dkim_text_is(t, "relaxed") ? DKIM_RELAXED : DKIM_SIMPLE;
    return *out == DKIM_RELAXED || dkim_text_is(t, "simple");
}

/* "relaxed/simple"; the body's is simple where it isn't said. */
static bool read_canon(dkim_text c, signature *s)
{
    dkim_text part;

    s->header = s->body = DKIM_SIMPLE;
    if (!c.data)
        return true;
    if (!dkim_text_next(&c, '/', &part) || !read_one_canon(part, &s->header))
        return false;
    return !dkim_text_next(&c, '/', &part) || (read_one_canon(part, &s->body) && !c.data);
}

/* i= is of the domain, or of one below it. */
static bool read_identity(dkim_text i, dkim_text d, signature *s)
{
    if (!i.data)
        return true;
    const char *at = i.len ? memrchr(i.data, '@', i.len) : NULL;
    size_t len = at ? i.len - (size_t)(at + 1 - i.data) : 0;
    if (!at || len < d.len || strncasecmp(at + 1 + (len - d.len), d.data, d.len) != 0)
        return false;
    s->sub_identity = len > d.len;
    return !s->sub_identity || at[len - d.len] == '.';
}

static bool names_from(dkim_text h)
{
    return h.data && lists(h, "From", NULL);
}

/* A domain or a selector: letters, digits, hyphens, dots, underscores, as they go into DNS. */
static bool is_name(dkim_text t)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    for (size_t i = 0; t.data && i < t.len; i++)
        if (!t.data[i] || !strchr(allowed, t.data[i]))
            return false;
    return t.data && t.len > 0 && t.len <= 253;
}

static const char *missing_tag(const dkim_tags *t)
{
    static const char *const needed[][2] = {
        {"v", "The signature has no v=."}, {"a", "The signature has no a=."},
        {"b", "The signature has no b=."}, {"bh", "The signature has no bh=."},
        {"d", "The signature has no d=."}, {"h", "The signature has no h=."},
        {"s", "The signature has no s=."},
    };
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!dkim_tags_get(t, needed[i][0]).data)
            return needed[i][1];
    return NULL;
}

static const char *time_fault(const signature *s, int64_t now)
{
    dkim_text t = dkim_tags_get(&s->tags, "t"), x = dkim_tags_get(&s->tags, "x");
    long long made = 0, until = 0;

    if ((t.data && !dkim_text_number(t, &made)) || (x.data && !dkim_text_number(x, &until)))
        return "The signature's t= or x= is no time.";
    if (x.data && t.data && until <= made)
        return "The signature ends (x=) before it was made (t=).";
    if (x.data && until < now)
        return "The signature has expired (x=).";
    return NULL;
}

/* Reads the signature's tags; NULL, or why it can't be used. */
static const char *read_signature(const dkim_field *f, int64_t now, signature *s)
{
    const char *colon = memchr(f->data, ':', f->len);
    size_t head = (size_t)(colon + 1 - f->data);
    long long limit = 0;

    s->field = f;
    s->limit = UINT64_MAX;
    if (!dkim_tags_read(f->data + head, f->len - head, &s->tags))
        return "The signature is not a list of tags.";
    const dkim_tags *t = &s->tags;
    dkim_text l = dkim_tags_get(t, "l"), d = dkim_tags_get(t, "d");
    if (missing_tag(t))
        return missing_tag(t);
    if (!dkim_text_is(dkim_tags_get(t, "v"), "1"))
        return "The signature's v= is not 1.";
    if (dkim_text_is(dkim_tags_get(t, "a"), "rsa-sha1"))
        return "rsa-sha1 must not be used any more (RFC 8301).";
    if (!read_algorithm(dkim_tags_get(t, "a"), &s->algorithm))
        return "The signature's a= is not known.";
    if (!read_canon(dkim_tags_get(t, "c"), s))
        return "The signature's c= is not known.";
    if (!is_name(d) || !is_name(dkim_tags_get(t, "s")))
        return "The signature's d= or s= is not a name.";
    if (!read_identity(dkim_tags_get(t, "i"), d, s))
        return "The signature's i= is not of d=.";
    if (!lists(dkim_tags_get(t, "q"), "dns/txt", "dns"))
        return "The signature's q= is not dns/txt.";
    if (!names_from(dkim_tags_get(t, "h")))
        return "The signature doesn't sign From.";
    if (l.data && !dkim_text_number(l, &limit))
        return "The signature's l= is no number.";
    if (l.data)
        s->limit = (uint64_t)limit;
    return time_fault(s, now);
}

/* ---- the body ---- */

typedef struct hashing {
    EVP_MD_CTX *md;
    uint64_t left; /* of l= */
    bool cut, failed;
} hashing;

static void hash_piece(void *ctx, const char *data, size_t len)
{
    hashing *h = ctx;
    size_t n = len < h->left ? len : (size_t)h->left;
    h->left -= n;
    h->cut = h->cut || n < len;
    if (EVP_DigestUpdate(h->md, data, n) != 1)
        h->failed = true;
}

static bool body_is_right(const message *m, const signature *s, EVP_MD_CTX *md,
                          dkim_verdict *verdict)
{
    unsigned char hash[DKIM_DIGEST];
    hashing h = {.md = md, .left = s->limit};
    dkim_body body;
    size_t len = 0;
    unsigned char *said = dkim_base64(dkim_tags_get(&s->tags, "bh"), &len);

    bool ok = said && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
    if (ok) {
        dkim_body_init(&body, s->body, hash_piece, &h);
        dkim_body_feed(&body, m->body, m->len);
        dkim_body_end(&body);
        ok = !h.failed && EVP_DigestFinal_ex(md, hash, NULL) == 1 && len == sizeof hash &&
             memcmp(hash, said, sizeof hash) == 0;
    }
    /* l= of more than there is: what was signed is not all here */
    ok = ok && (s->limit == UINT64_MAX || h.left == 0);
    verdict->partial = ok && h.cut;
    free(said);
    return ok;
}

/* ---- the header ---- */

/* Adds the fields that h= names, each time the next from the bottom. */
static bool add_signed(const message *m, const signature *s, buf *out)
{
    dkim_text h = dkim_tags_get(&s->tags, "h"), name;
    bool *used = calloc(m->count + 1, sizeof *used);

    while (used && dkim_text_next(&h, ':', &name)) {
        size_t i = m->count;
        while (i > 0 && (used[i - 1] || !dkim_field_is(&m->fields[i - 1], name.data, name.len)))
            i--;
        if (i == 0)
            continue; /* none is left: it signs that there is none */
        used[i - 1] = true;
        dkim_field_canon(s->header, m->fields[i - 1].data, m->fields[i - 1].len, out);
    }
    free(used);
    return used != NULL;
}

/* The signature's own field without what b= holds, blanks around that included, and without a line
 * end. */
static void add_own(const signature *s, buf *out)
{
    const dkim_field *f = s->field;
    const char *colon = memchr(f->data, ':', f->len);
    dkim_text b = dkim_tags_get(&s->tags, "b");
    const char *from = b.data, *end = f->data + f->len, *to;
    buf own = BUF_INIT;

    while (from > colon + 1 && from[-1] != '=')
        from--;
    to = memchr(from, ';', (size_t)(end - from));
    buf_add(&own, f->data, (size_t)(from - f->data));
    if (to)
        buf_add(&own, to, (size_t)(end - to));
    size_t before = out->len;
    dkim_field_canon(s->header, own.data, own.len, out);
    if (buf_ok(&own) && buf_ok(out) && out->len >= before + 2)
        out->len -= 2;
    out->failed = out->failed || !buf_ok(&own);
    buf_free(&own);
}

static bool header_digest(const message *m, const signature *s, EVP_MD_CTX *md,
                          unsigned char out[DKIM_DIGEST])
{
    buf text = BUF_INIT;

    bool ok = add_signed(m, s, &text);
    add_own(s, &text);
    ok = ok && buf_ok(&text) && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
         EVP_DigestUpdate(md, text.data, text.len) == 1 && EVP_DigestFinal_ex(md, out, NULL) == 1;
    buf_free(&text);
    return ok;
}

static void set(dkim_verdict *v, dkim_result result, const char *why)
{
    v->result = result;
    v->why = why;
}

/* By one record. */
static void judge_by(const signature *s, const unsigned char digest[DKIM_DIGEST],
                     const char *record, dkim_verdict *v)
{
    const char *fault = NULL;
    dkim_record r;
    size_t len = 0;

    if (!dkim_record_read(record, strlen(record), s->algorithm, &r, &fault)) {
        set(v, DKIM_PERMERROR, fault);
        return;
    }
    unsigned char *octets = dkim_base64(dkim_tags_get(&s->tags, "b"), &len);
    v->bits = dkim_key_bits(r.key);
    v->testing = r.testing;
    if (r.strict && s->sub_identity)
        set(v, DKIM_PERMERROR, "The record's t=s wants i= to be of d= itself.");
    else if (!octets)
        set(v, DKIM_PERMERROR, "The signature's b= is not base64.");
    else if (dkim_key_verify(r.key, digest, octets, len))
        set(v, DKIM_PASS, "");
    else
        set(v, DKIM_FAIL,
            "The signature is not this header's: it was changed, or the key is another one.");
    free(octets);
    dkim_key_free(r.key);
}

/* A name can have several records: the first that makes it pass, or the first of all. */
static void judge_key(const signature *s, const unsigned char digest[DKIM_DIGEST],
                      const buf *records, dkim_verdict *v)
{
    bool first = true;

    for (size_t at = 0; at < records->len; at += strlen(records->data + at) + 1) {
        dkim_verdict one = *v;
        judge_by(s, digest, records->data + at, &one);
        if (first || one.result == DKIM_PASS ||
            (one.result == DKIM_FAIL && v->result == DKIM_PERMERROR))
            *v = one;
        first = false;
        if (v->result == DKIM_PASS)
            return;
    }
}

static void judge_found(const message *m, const signature *s, const buf *records, EVP_MD_CTX *md,
                        dkim_verdict *v)
{
    unsigned char digest[DKIM_DIGEST];

    if (!header_digest(m, s, md, digest)) {
        set(v, DKIM_TEMPERROR, "There is no memory.");
        return;
    }
    judge_key(s, digest, records, v);
    if (v->result == DKIM_PASS && !body_is_right(m, s, md, v))
        set(v, DKIM_FAIL, "The body is not what was signed (bh=).");
}

static void judge(const message *m, const signature *s, dkim_lookup *lookup, void *ctx,
                  dkim_verdict *v)
{
    buf name = BUF_INIT, records = BUF_INIT;
    EVP_MD_CTX *md = EVP_MD_CTX_new();

    buf_addf(&name, "%s._domainkey.%s", v->selector, v->domain);
    const char *text = buf_cstr(&name);
    dkim_lookup_result found = text && md ? lookup(ctx, text, &records) : DKIM_LOOKUP_FAILED;
    if (found == DKIM_NO_RECORD)
        set(v, DKIM_PERMERROR, "DNS has no record of this selector.");
    else if (found == DKIM_LOOKUP_FAILED || !buf_ok(&records) || records.len == 0)
        set(v, DKIM_TEMPERROR, "The record can't be looked up now.");
    else
        judge_found(m, s, &records, md, v);
    EVP_MD_CTX_free(md);
    buf_free(&name);
    buf_free(&records);
}

/* ---- the whole ---- */

static char *copy(dkim_text t)
{
    return strndup(t.data ? t.data : "", t.len);
}

static bool judge_field(const message *m, const dkim_field *f, dkim_lookup *lookup, void *ctx,
                        dkim_verdict *v)
{
    signature s = {.limit = 0};
    const char *fault = read_signature(f, m->now, &s);

    v->domain = copy(dkim_tags_get(&s.tags, "d"));
    v->selector = copy(dkim_tags_get(&s.tags, "s"));
    v->algorithm = copy(dkim_tags_get(&s.tags, "a"));
    if (!v->domain || !v->selector || !v->algorithm)
        return false;
    if (fault)
        set(v, DKIM_PERMERROR, fault);
    else
        judge(m, &s, lookup, ctx, v);
    return true;
}

/* Behind the last line of the header. */
static const char *header_end(const char *s, size_t len)
{
    if (len >= 2 && memcmp(s, "\r\n", 2) == 0)
        return s;
    const char *end = memmem(s, len, "\r\n\r\n", 4);
    return end ? end + 2 : s + len;
}

dkim_verdict *dkim_verify(const char *s, size_t len, int64_t now, dkim_lookup *lookup, void *ctx,
                          size_t *count)
{
    const char *body = header_end(s, len);
    size_t header = (size_t)(body - s), fields = 0;
    dkim_field *list = dkim_fields_read(s, header, &fields);
    dkim_verdict *out = calloc(DKIM_SIGNATURES, sizeof *out);
    bool ok = list && out;

    if (header < len)
        body += 2;
    const message m = {list, fields, body, len - (size_t)(body - s), now};
    *count = 0;
    for (size_t i = 0; ok && i < fields && *count < DKIM_SIGNATURES; i++)
        if (dkim_field_is(&list[i], SIGNATURE, strlen(SIGNATURE)))
            ok = judge_field(&m, &list[i], lookup, ctx, &out[(*count)++]);
    free(list);
    if (ok)
        return out;
    dkim_verdicts_free(out, *count);
    return NULL;
}

void dkim_verdicts_free(dkim_verdict *list, size_t count)
{
    for (size_t i = 0; list && i < count; i++) {
        free(list[i].domain);
        free(list[i].selector);
        free(list[i].algorithm);
    }
    free(list);
}
