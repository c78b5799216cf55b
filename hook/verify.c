#include "hook/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/mac.h"

#define WHSEC       "whsec_"
#define WHPK        "whpk_"
#define PUBLIC_KEY  32
#define SIGNATURE   64 /* octets of the longest */
#define TIME_DIGITS 12 /* of a timestamp: up to the year 33658 */
#define PARTS_MAX   16

#define BODY "{body}"
#define TS   "{ts}"
#define ID   "{id}"

static bool begins(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

/* ---- secrets ---- */

static const char *read_key(hook_secret *s)
{
    bool whsec = begins(s->text, WHSEC);
    size_t n = 0, skip = whsec ? strlen(WHSEC) : strlen(WHPK);
    const char *fault = mac_base64_read(s->text + skip, s->len - skip, s->key, sizeof s->key, &n);
    s->key_len = n;
    s->is_public = !whsec;
    if (fault)
        return fault;
    if (whsec)
        return n >= HOOK_KEY_MIN && n <= HOOK_KEY_MAX
                   ? NULL
                   : "behind \"whsec_\" stand 24 to 64 octets in base64";
    return n == PUBLIC_KEY ? NULL : "behind \"whpk_\" stand 32 octets in base64";
}

/* A key that can't be read is none: of Stripe's secrets nobody says that they are base64. */
static void find_key(hook_secret *s)
{
    if (begins(s->text, WHSEC) || begins(s->text, WHPK)) {
        if (read_key(s))
            s->key_len = 0;
    } else if (mac_hex_read(s->text, s->len, s->key, PUBLIC_KEY)) {
        s->key_len = PUBLIC_KEY;
        s->is_public = true;
    }
}

const char *hook_secret_parse(const char *text, size_t len, hook_secret *out)
{
    memset(out, 0, sizeof *out);
    if (len < HOOK_SECRET_MIN)
        return "it must have 8 characters at least";
    if (len > HOOK_SECRET_MAX)
        return "it must have 512 characters at most";
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7F)
            return "it has a control character";
    }
    memcpy(out->text, text, len);
    out->len = len;
    find_key(out);
    return NULL;
}

void hook_secret_wipe(hook_secret *s)
{
    OPENSSL_cleanse(s, sizeof *s);
}

/* "user:password", of which the password is what is secret. */
static bool is_pair(const hook_secret *s)
{
    const char *colon = memchr(s->text, ':', s->len);
    return colon && colon > s->text && s->len - (size_t)(colon - s->text) - 1 >= HOOK_SECRET_MIN;
}

const char *hook_secret_unfit(const hook_scheme *s, const hook_secret *secret)
{
    switch (s->key) {
    case HOOK_KEY_TEXT: return NULL;
    case HOOK_KEY_PLAIN:
        return begins(secret->text, WHSEC) || begins(secret->text, WHPK)
                   ? "it must not begin with whsec_ or whpk_"
                   : NULL;
    case HOOK_KEY_WHSEC:
        return secret->key_len > 0 && !secret->is_public
                   ? NULL
                   : "it must be whsec_ and 24 to 64 octets in base64";
    case HOOK_KEY_PAIR:
        return is_pair(secret) ? NULL
                               : "it must be user:password, with 8 characters of password at least";
    case HOOK_KEY_PUBLIC:
        return secret->key_len > 0 && secret->is_public
                   ? NULL
                   : "it must be whpk_ and 32 octets in base64, or 64 hexadecimal digits";
    }
    return "";
}

/* ---- what is signed ---- */

/* What the names in `content` stand for. */
typedef struct content {
    const char *id, *ts;
    const void *body;
    size_t len;
} content;

/* The parts of what is signed; 0: there are too many. */
static size_t make_parts(const char *format, const content *c, mac_part out[PARTS_MAX])
{
    const struct {
        const char *name;
        mac_part part;
    } names[] = {
        {BODY, {c->body, c->len}},
        {TS, {c->ts, strlen(c->ts)}},
        {ID, {c->id, strlen(c->id)}},
    };
    size_t n = 0;
    while (*format && n < PARTS_MAX) {
        size_t k = 0, literal = 1 + strcspn(format + 1, "{");
        while (k < sizeof names / sizeof *names && !begins(format, names[k].name))
            k++;
        bool found = k < sizeof names / sizeof *names;
        out[n++] = found ? names[k].part : (mac_part){format, literal};
        format += found ? strlen(names[k].name) : literal;
    }
    return *format ? 0 : n;
}

static size_t occurrences(const char *text, const char *of)
{
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, of)); p += strlen(of))
        n++;
    return n;
}

const char *hook_scheme_fault(const hook_scheme *s)
{
    const content nothing = {"", "", "", 0};
    mac_part parts[PARTS_MAX];
    if (s->method != HOOK_HMAC && s->method != HOOK_ED25519)
        return NULL;
    size_t ts = occurrences(s->content, TS), ids = occurrences(s->content, ID);
    size_t braces = occurrences(s->content, "{");
    if (occurrences(s->content, BODY) != 1)
        return "what is signed must have {body} in it, once";
    if (braces != 1 + ts + ids || ts > 1 || ids > 1)
        return "what is signed may have {ts}, {id} and {body} in it, each once";
    if (strlen(s->content) > HOOK_SIGNED_MAX || make_parts(s->content, &nothing, parts) == 0)
        return "what is signed is described in 64 characters at most";
    if (ts && s->form != HOOK_PAIRS && !s->headers[0].timestamp)
        return "{ts} needs the name of the header that it comes in";
    if (ids && !s->headers[0].id)
        return "{id} needs the name of the header that it comes in";
    if (s->tolerance_s && !ts)
        return "a time that is not signed says nothing: {ts} is missing in what is signed";
    return NULL;
}

/* ---- what is given ---- */

typedef struct given {
    unsigned char list[HOOK_SIGNATURES][SIGNATURE];
    size_t count;
    const char *id, *ts;
    char ts_room[TIME_DIGITS + 1]; /* of one that is a part of another header */
    int64_t at;
    hook_verdict fault; /* HOOK_GOOD: it can be looked at */
} given;

static size_t signature_octets(const hook_scheme *s)
{
    return s->method == HOOK_ED25519 ? SIGNATURE : MAC_OCTETS;
}

/* One signature without its prefix. One of another length can't be right, and is passed over. */
static void add_signature(const hook_scheme *s, const char *text, size_t len, given *g)
{
    unsigned char *out = g->list[g->count];
    size_t octets = signature_octets(s), n = 0;
    bool ok = s->encoding == HOOK_HEX
                  ? mac_hex_read(text, len, out, octets)
                  : len == MAC_BASE64(octets) && !mac_base64_read(text, len, out, octets, &n) &&
                        n == octets;
    g->count += ok;
}

/* Digits alone, as they are signed. */
static bool read_time(const char *s, size_t len, int64_t *out)
{
    if (len == 0 || len > TIME_DIGITS)
        return false;
    *out = 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        *out = *out * 10 + (s[i] - '0');
    }
    return true;
}

/* Visible ASCII without a stop: else two messages could be signed alike. */
static bool is_id(const char *id)
{
    size_t len = 0;
    for (; id[len]; len++) {
        if (len == HOOK_ID_MAX || id[len] <= ' ' || id[len] > '~' || id[len] == '.')
            return false;
    }
    return len > 0;
}

static bool take_one(const hook_scheme *s, const char *text, given *g)
{
    size_t prefix = strlen(s->prefix);
    if (!begins(text, s->prefix))
        return false;
    add_signature(s, text + prefix, strlen(text) - prefix, g);
    return g->count == 1;
}

/* Items of other versions are passed over. False: it is no such list. */
static bool take_list(const hook_scheme *s, const char *text, given *g)
{
    size_t prefix = strlen(s->prefix);
    for (size_t n = 0;; n++) {
        size_t len = strcspn(text, " "), version = strcspn(text, ", ");
        if (n == HOOK_SIGNATURES || version == 0 || version + 1 >= len)
            return false;
        if (begins(text, s->prefix))
            add_signature(s, text + prefix, len - prefix, g);
        if (!text[len])
            return true;
        text += len + 1;
    }
}

static bool take_pairs(const hook_scheme *s, const char *text, given *g)
{
    size_t prefix = strlen(s->prefix);
    for (size_t n = 0;; n++) {
        size_t len = strcspn(text, ","), name = strcspn(text, "=,");
        if (n == HOOK_SIGNATURES || name == 0 || name >= len)
            return false;
        if (begins(text, s->prefix)) {
            add_signature(s, text + prefix, len - prefix, g);
        } else if (begins(text, "t=")) {
            if (g->ts || len - 2 > TIME_DIGITS)
                return false;
            memcpy(g->ts_room, text + 2, len - 2);
            g->ts_room[len - 2] = '\0';
            g->ts = g->ts_room;
        }
        if (!text[len])
            return true;
        text += len + 1;
    }
}

static bool take(const hook_scheme *s, const char *text, given *g)
{
    switch (s->form) {
    case HOOK_ONE: return take_one(s, text, g);
    case HOOK_LIST: return take_list(s, text, g);
    case HOOK_PAIRS: return take_pairs(s, text, g);
    }
    return false;
}

static const char *header(const hook_request *r, const char *name)
{
    const char *value = name ? r->header(r->ctx, name) : NULL;
    return value && strnlen(value, HOOK_HEADER_MAX + 1) <= HOOK_HEADER_MAX ? value : NULL;
}

static const hook_headers *family(const hook_scheme *s, const hook_request *r)
{
    size_t i = 0;
    while (i + 1 < HOOK_FAMILIES && s->headers[i + 1].signature &&
           !r->header(r->ctx, s->headers[i].signature))
        i++;
    return &s->headers[i];
}

/* Whatever is wrong, `id` and `ts` are strings, so that the work can be done all the same. */
static void read_given(const hook_scheme *s, const hook_request *r, given *g)
{
    const hook_headers *names = family(s, r);
    const char *signature = header(r, names->signature);
    bool present = r->header(r->ctx, names->signature) != NULL;

    *g = (given){.fault = present ? HOOK_MALFORMED : HOOK_UNSIGNED};
    bool ok = signature && take(s, signature, g);
    g->id = header(r, names->id);
    if (!g->ts)
        g->ts = header(r, names->timestamp);
    if (strstr(s->content, ID))
        ok = ok && g->id && is_id(g->id);
    if (strstr(s->content, TS))
        ok = ok && g->ts && read_time(g->ts, strlen(g->ts), &g->at);
    if (!g->id)
        g->id = "";
    if (!g->ts)
        g->ts = "";
    if (ok)
        g->fault = HOOK_GOOD;
}

/* ---- comparing ---- */

typedef struct search {
    bool matched; /* some signature or token is right … */
    bool good;    /* … and its time, too */
    bool failed;
    hook_verdict late;  /* where it is not */
    hook_verdict wrong; /* the best word for what is not right */
} search;

/* What is told of several schemes: the one that came nearest. */
static void not_right(search *f, hook_verdict v)
{
    static const unsigned char nearness[HOOK_VERDICTS] = {
        [HOOK_UNSIGNED] = 0, [HOOK_MALFORMED] = 1, [HOOK_WRONG] = 2};
    if (nearness[v] > nearness[f->wrong])
        f->wrong = v;
}

static hook_verdict judge_time(const hook_scheme *s, const given *g, int64_t now)
{
    if (s->tolerance_s == 0)
        return HOOK_GOOD;
    return g->at < now - s->tolerance_s   ? HOOK_TOO_OLD
           : g->at > now + s->tolerance_s ? HOOK_TOO_NEW
                                          : HOOK_GOOD;
}

static bool make(const hook_scheme *s, const hook_secret *secret, const content *c,
                 unsigned char out[MAC_OCTETS])
{
    mac_part parts[PARTS_MAX];
    size_t n = make_parts(s->content, c, parts);
    bool decoded = s->key == HOOK_KEY_WHSEC;
    const void *key = decoded ? (const void *)secret->key : secret->text;
    return mac_make(key, decoded ? secret->key_len : secret->len, parts, n, out);
}

/* Compares with all that there is room for: those that were not given are zeros. */
static bool is_among(const given *g, const unsigned char expected[MAC_OCTETS])
{
    unsigned found = 0;
    for (size_t i = 0; i < HOOK_SIGNATURES; i++)
        found |= (unsigned)(CRYPTO_memcmp(g->list[i], expected, MAC_OCTETS) == 0) & (i < g->count);
    return found;
}

static bool try_hmac(const hook_scheme *s, const hook_secret *secret, const given *g,
                     const content *c, search *f)
{
    unsigned char expected[MAC_OCTETS];
    bool ok = make(s, secret, c, expected);
    bool found = is_among(g, expected);
    f->failed = f->failed || !ok;
    OPENSSL_cleanse(expected, sizeof expected);
    return ok && found;
}

/* One text of the parts: Ed25519 goes over it twice. */
static unsigned char *join(const hook_scheme *s, const content *c, size_t *len)
{
    mac_part parts[PARTS_MAX];
    size_t n = make_parts(s->content, c, parts), at = 0;
    *len = 0;
    for (size_t i = 0; i < n; i++)
        *len += parts[i].len;
    unsigned char *text = malloc(*len + 1);
    for (size_t i = 0; text && i < n; i++) {
        if (parts[i].len > 0)
            memcpy(text + at, parts[i].data, parts[i].len);
        at += parts[i].len;
    }
    return text;
}

static bool try_ed25519(const hook_scheme *s, const hook_secret *secret, const given *g,
                        const content *c, search *f)
{
    size_t len = 0;
    bool found = false;
    unsigned char *text = join(s, c, &len);
    EVP_PKEY *key =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, secret->key, secret->key_len);
    for (size_t i = 0; text && key && i < (g->count ? g->count : 1); i++) {
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        if (context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1)
            found |=
                EVP_DigestVerify(context, g->list[i], SIGNATURE, text, len) == 1 && i < g->count;
        else
            f->failed = true;
        EVP_MD_CTX_free(context);
    }
    f->failed = f->failed || !text || !key;
    EVP_PKEY_free(key);
    free(text);
    return found;
}

static void try_signature(const hook_scheme *s, const hook_secret *secrets, size_t count,
                          const hook_request *r, int64_t now, search *f)
{
    given g;
    bool found = false, tried = false;
    read_given(s, r, &g);
    const content c = {g.id, g.ts, r->body, r->len};
    for (size_t i = 0; i < count; i++) {
        if (hook_secret_unfit(s, &secrets[i]))
            continue;
        tried = true;
        found |= s->method == HOOK_HMAC ? try_hmac(s, &secrets[i], &g, &c, f)
                                        : try_ed25519(s, &secrets[i], &g, &c, f);
    }
    found = found && g.fault == HOOK_GOOD;
    if (!found) {
        not_right(f, g.fault != HOOK_GOOD ? g.fault : tried ? HOOK_WRONG : HOOK_UNSIGNED);
        return;
    }
    hook_verdict when = judge_time(s, &g, now);
    f->matched = true;
    f->good = f->good || when == HOOK_GOOD;
    f->late = when;
}

/* ---- tokens ---- */

/* What stands behind the word ("Bearer", in any case); NULL: it isn't there. */
static const char *behind_word(const char *value, const char *word)
{
    size_t len = strlen(word);
    if (!value || len == 0)
        return value;
    if (strncasecmp(value, word, len) != 0 || value[len] != ' ')
        return NULL;
    return value + len + strspn(value + len, " ");
}

static bool hash(const char *text, size_t len, unsigned char out[MAC_OCTETS])
{
    const mac_part part = {text, len};
    return mac_hash(&part, 1, out);
}

/* As it must come. */
static void expected_token(const hook_scheme *s, const hook_secret *secret,
                           char out[MAC_BASE64(HOOK_SECRET_MAX) + 1])
{
    if (s->method == HOOK_BASIC)
        mac_base64((const unsigned char *)secret->text, secret->len, out);
    else
        memcpy(out, secret->text, secret->len + 1);
}

/* Hashes are compared, so that a length is no secret's. */
static void try_token(const hook_scheme *s, const hook_secret *secrets, size_t count,
                      const hook_request *r, search *f)
{
    const char *value = s->method == HOOK_PATH ? r->token : header(r, s->headers[0].signature);
    const char *token = behind_word(value, s->prefix);
    unsigned char presented[MAC_OCTETS], kept[MAC_OCTETS];
    char expected[MAC_BASE64(HOOK_SECRET_MAX) + 1];
    bool found = false;

    bool ok = hash(token ? token : "", token ? strlen(token) : 0, presented);
    for (size_t i = 0; i < count; i++) {
        if (hook_secret_unfit(s, &secrets[i]))
            continue;
        expected_token(s, &secrets[i], expected);
        ok = hash(expected, strlen(expected), kept) && ok;
        found |= ok && CRYPTO_memcmp(presented, kept, MAC_OCTETS) == 0;
    }
    OPENSSL_cleanse(expected, sizeof expected);
    OPENSSL_cleanse(kept, sizeof kept);
    f->failed = f->failed || !ok;
    if (!found || !token)
        not_right(f, !value ? HOOK_UNSIGNED : !token ? HOOK_MALFORMED : HOOK_WRONG);
    else
        f->matched = f->good = true;
}

hook_verdict hook_verify(const hook_scheme *schemes, size_t scheme_count,
                         const hook_secret *secrets, size_t secret_count, const hook_request *r,
                         int64_t now)
{
    search f = {.wrong = HOOK_UNSIGNED};
    for (size_t i = 0; i < scheme_count; i++) {
        const hook_scheme *s = &schemes[i];
        if (s->method == HOOK_NONE)
            f.matched = f.good = true;
        else if (s->method == HOOK_HMAC || s->method == HOOK_ED25519)
            try_signature(s, secrets, secret_count, r, now, &f);
        else
            try_token(s, secrets, secret_count, r, &f);
    }
    if (f.good)
        return HOOK_GOOD;
    if (f.failed)
        return HOOK_FAILED;
    return f.matched ? f.late : f.wrong;
}

const char *hook_verdict_text(hook_verdict v)
{
    static const char *const texts[HOOK_VERDICTS] = {
        [HOOK_GOOD] = "It is right.",
        [HOOK_UNSIGNED] = "There is no signature or token.",
        [HOOK_MALFORMED] = "A header of the signature is missing, or is not as it should be.",
        [HOOK_WRONG] = "No signature or token is right: is it the same secret on both sides?",
        [HOOK_TOO_OLD] = "The signature is right, but too old.",
        [HOOK_TOO_NEW] = "The signature is right, but of a time to come: is the clock right?",
        [HOOK_FAILED] = "It was not verified, for want of memory.",
    };
    return texts[v];
}

/* ---- signing ---- */

static void add_line(buf *out, const char *name, const char *value)
{
    if (name)
        buf_addf(out, "%s: %s\n", name, value);
}

static bool sign_hmac(const hook_scheme *s, const hook_secret *secret, const content *c, buf *out)
{
    unsigned char octets[MAC_OCTETS];
    char digits[2 * MAC_OCTETS + 1];
    const hook_headers *names = &s->headers[0];

    if (!make(s, secret, c, octets))
        return false;
    if (s->encoding == HOOK_HEX)
        mac_hex(octets, sizeof octets, digits);
    else
        mac_base64(octets, sizeof octets, digits);
    bool timed = strstr(s->content, TS) != NULL;
    if (strstr(s->content, ID))
        add_line(out, names->id, c->id);
    if (timed && s->form != HOOK_PAIRS)
        add_line(out, names->timestamp, c->ts);
    buf_addf(out, "%s: ", names->signature);
    if (timed && s->form == HOOK_PAIRS)
        buf_addf(out, "t=%s,", c->ts);
    buf_addf(out, "%s%s\n", s->prefix, digits);
    return true;
}

bool hook_sign(const hook_scheme *s, const hook_secret *secret, const char *id, int64_t now,
               const void *body, size_t len, buf *out)
{
    char ts[TIME_DIGITS + 12], token[MAC_BASE64(HOOK_SECRET_MAX) + 1];
    (void)snprintf(ts, sizeof ts, "%lld", (long long)now);
    const content c = {id, ts, body, len};

    if (s->method == HOOK_NONE || s->method == HOOK_PATH)
        return true;
    if (s->method == HOOK_ED25519 || hook_secret_unfit(s, secret))
        return false;
    if (s->method == HOOK_HMAC)
        return (!strstr(s->content, ID) || is_id(id)) && sign_hmac(s, secret, &c, out) &&
               buf_ok(out);
    expected_token(s, secret, token);
    buf_addf(out, "%s: %s%s%s\n", s->headers[0].signature, s->prefix, *s->prefix ? " " : "", token);
    OPENSSL_cleanse(token, sizeof token);
    return buf_ok(out);
}
