#include "dkim/sign.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "dkim/canon.h"
#include "dkim/field.h"

#define COLUMNS 78
#define PIECE   16384

/* What RFC 6376, 5.4.1, takes for the core of a message, and what says how to read the body. That
 * section neither names nor warns of Content-Transfer-Encoding: it is signed as its siblings are,
 * since who changes it must change the body, too, or make it unreadable. Not signed are fields that
 * change on the way (Received, Return-Path), and the user's own. */
static const struct {
    const char *name;
    bool once_more;
} signed_fields[] = {
    {"From", true},
    {"To", true},
    {"Subject", true},
    {"Date", true},
    {"Cc", false},
    {"Reply-To", false},
    {"Message-ID", false},
    {"MIME-Version", false},
    {"Content-Type", false},
    {"Content-Transfer-Encoding", false},
    {"In-Reply-To", false},
    {"References", false},
    {"List-Unsubscribe", false},
    {"List-Unsubscribe-Post", false},
    {"List-Id", false},
};

#define SIGNED (sizeof signed_fields / sizeof *signed_fields)

/* A message as far as it has been read. */
typedef struct reading {
    buf header; /* its fields */
    bool in_body;
    dkim_body body;
    EVP_MD_CTX *hash;
    bool failed;
    buf names; /* h=, with a colon behind each */
    buf canon; /* what is signed of the header, but for the signature's own field */
} reading;

static void hash_piece(void *ctx, const char *data, size_t len)
{
    reading *r = ctx;
    if (EVP_DigestUpdate(r->hash, data, len) != 1)
        r->failed = true;
}

/* Takes a piece of the message, which may have the end of the header in it. */
static void take(reading *r, const char *data, size_t len)
{
    if (r->in_body) {
        dkim_body_feed(&r->body, data, len);
        return;
    }
    size_t had = r->header.len, from = had > 3 ? had - 3 : 0;
    buf_add(&r->header, data, len);
    if (!buf_ok(&r->header))
        return;
    const char *end = memmem(r->header.data + from, r->header.len - from, "\r\n\r\n", 4);
    if (!end)
        return;
    size_t header = (size_t)(end - r->header.data) + 2;
    r->in_body = true;
    dkim_body_feed(&r->body, data + (header + 2 - had), len - (header + 2 - had));
    r->header.len = header;
}

/* The body's hash; false: it can't be read, or no memory. */
static bool read_message(reading *r, const dkim_source *message, unsigned char out[DKIM_DIGEST])
{
    char piece[PIECE];
    size_t n = 0;

    r->hash = EVP_MD_CTX_new();
    if (!r->hash || EVP_DigestInit_ex(r->hash, EVP_sha256(), NULL) != 1)
        return false;
    dkim_body_init(&r->body, DKIM_RELAXED, hash_piece, r);
    while ((n = message->read(message->ctx, piece, sizeof piece)) > 0 && n != DKIM_READ_FAILED)
        take(r, piece, n);
    dkim_body_end(&r->body);
    return n == 0 && !r->failed && buf_ok(&r->header) &&
           EVP_DigestFinal_ex(r->hash, out, NULL) == 1;
}

/* ---- the header ---- */

/* The fields of one name, from the last to the first, as verifiers take them. */
static void add_fields(reading *r, const dkim_field *list, size_t count, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = count; i-- > 0;) {
        if (!dkim_field_is(&list[i], name, len))
            continue;
        dkim_field_canon(DKIM_RELAXED, list[i].data, list[i].len, &r->canon);
        buf_adds(&r->names, name);
        buf_addc(&r->names, ':');
    }
}

static bool read_header(reading *r)
{
    size_t count = 0;
    dkim_field *list = dkim_fields_read(r->header.data, r->header.len, &count);

    for (size_t i = 0; list && i < SIGNED; i++) {
        add_fields(r, list, count, signed_fields[i].name);
        if (signed_fields[i].once_more) {
            buf_adds(&r->names, signed_fields[i].name);
            buf_addc(&r->names, ':');
        }
    }
    free(list);
    return list && buf_ok(&r->names) && buf_ok(&r->canon);
}

/* ---- the signature's field ---- */

/* Adds a word, on a new line where it doesn't fit on this one; with a blank before it if not. */
static void add_word(buf *out, size_t *line, const char *word, size_t len, bool blank)
{
    if (out->len - *line + blank + len > COLUMNS) {
        buf_adds(out, "\r\n ");
        *line = out->len - 1;
    } else if (blank) {
        buf_addc(out, ' ');
    }
    buf_add(out, word, len);
}

static void add_tag(buf *out, size_t *line, const char *name, const char *value)
{
    buf tag = BUF_INIT;

    buf_addf(&tag, "%s=%s;", name, value);
    add_word(out, line, tag.data, tag.len, true);
    out->failed = out->failed || !buf_ok(&tag);
    buf_free(&tag);
}

/* h=, which may be folded behind each colon. */
static void add_names(buf *out, size_t *line, const buf *names)
{
    static const char tag[] = "h=";
    const char *at = names->data, *end = at + names->len - 1; /* less the last colon */
    bool first = true;

    while (at < end) {
        char word[80];
        const char *colon = memchr(at, ':', (size_t)(end - at));
        size_t len = colon ? (size_t)(colon + 1 - at) : (size_t)(end - at);
        size_t before = first ? sizeof tag - 1 : 0;
        memcpy(word, tag, before);
        memcpy(word + before, at, len);
        at += len;
        len += before;
        if (at >= end)
            word[len++] = ';';
        add_word(out, line, word, len, first);
        first = false;
    }
}

/* The field up to its "b=", which stands on a line of its own. */
static void add_unsigned(const dkim_identity *id, int64_t time, const buf *names,
                         const char *body_hash, buf *out)
{
    size_t line = out->len;
    char when[24];
    size_t at = sizeof when;

    when[--at] = '\0';
    for (uint64_t t = time > 0 ? (uint64_t)time : 0; t > 0 || at == sizeof when - 1; t /= 10)
        when[--at] = (char)('0' + t % 10);
    buf_adds(out, "DKIM-Signature:");
    add_tag(out, &line, "v", "1");
    add_tag(out, &line, "a", dkim_algorithm_name(dkim_key_algorithm(id->key)));
    add_tag(out, &line, "c", "relaxed/relaxed");
    add_tag(out, &line, "d", id->domain);
    add_tag(out, &line, "s", id->selector);
    add_tag(out, &line, "t", when + at);
    add_names(out, &line, names);
    add_tag(out, &line, "bh", body_hash);
    buf_adds(out, "\r\n b=");
}

static void add_folded(buf *out, const buf *text, size_t column)
{
    for (size_t at = 0, n; at < text->len; at += n) {
        if (at > 0) {
            buf_adds(out, "\r\n ");
            column = 1;
        }
        n = text->len - at < COLUMNS - column ? text->len - at : COLUMNS - column;
        buf_add(out, text->data + at, n);
    }
}

/* The digest that is signed: the header's fields, and behind them the signature's own, without what
 * b= will hold and without a line end. */
static bool digest(const reading *r, const char *field, size_t len, unsigned char out[DKIM_DIGEST])
{
    buf own = BUF_INIT;

    dkim_field_canon(DKIM_RELAXED, field, len, &own);
    bool ok = buf_ok(&own) && EVP_DigestInit_ex(r->hash, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(r->hash, r->canon.data, r->canon.len) == 1 &&
              EVP_DigestUpdate(r->hash, own.data, own.len - 2) == 1 &&
              EVP_DigestFinal_ex(r->hash, out, NULL) == 1;
    buf_free(&own);
    return ok;
}

static bool add_signature(const reading *r, const dkim_identity *id, int64_t time,
                          const char *body_hash, buf *out)
{
    unsigned char hash[DKIM_DIGEST];
    buf signature = BUF_INIT;
    size_t start = out->len;

    add_unsigned(id, time, &r->names, body_hash, out);
    bool ok = buf_ok(out) && digest(r, out->data + start, out->len - start, hash) &&
              dkim_key_sign(id->key, hash, &signature);
    if (ok)
        add_folded(out, &signature, sizeof " b=" - 1);
    buf_adds(out, "\r\n");
    buf_free(&signature);
    return ok && buf_ok(out);
}

bool dkim_sign(const dkim_identity *identities, size_t count, int64_t time,
               const dkim_source *message, buf *out)
{
    unsigned char hash[DKIM_DIGEST];
    unsigned char body_hash[DKIM_DIGEST / 3 * 4 + 4 + 1];
    reading r = {.in_body = false};

    bool ok = read_message(&r, message, hash) && read_header(&r);
    if (ok)
        (void)EVP_EncodeBlock(body_hash, hash, sizeof hash);
    for (size_t i = 0; ok && i < count; i++)
        ok = add_signature(&r, &identities[i], time, (const char *)body_hash, out);
    EVP_MD_CTX_free(r.hash);
    buf_free(&r.header);
    buf_free(&r.names);
    buf_free(&r.canon);
    return ok;
}
