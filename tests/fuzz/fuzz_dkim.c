/* The size of a piece, a key record and a NUL, and a message: canonical forms are the same wherever
 * the message is cut, and canonical already; its signatures are judged by that record; and one that
 * is made for it passes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dkim/canon.h"
#include "dkim/sign.h"
#include "dkim/verify.h"

#define KEY                                                                                        \
    "-----BEGIN PRIVATE KEY-----\n"                                                                \
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"                           \
    "-----END PRIVATE KEY-----\n"
#define RECORD "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void collect(void *ctx, const char *data, size_t len)
{
    buf_add(ctx, data, len);
}

static buf canon_of(dkim_canon how, const char *data, size_t len, size_t piece)
{
    buf out = BUF_INIT;
    dkim_body b;

    dkim_body_init(&b, how, collect, &out);
    for (size_t at = 0; at < len; at += piece)
        dkim_body_feed(&b, data + at, len - at < piece ? len - at : piece);
    dkim_body_end(&b);
    require(buf_ok(&out));
    return out;
}

static bool same(const buf *a, const buf *b)
{
    return a->len == b->len && (!a->data || !b->data || memcmp(a->data, b->data, a->len) == 0);
}

static void try_forms(const char *data, size_t len, size_t piece)
{
    for (dkim_canon how = DKIM_SIMPLE; how <= DKIM_RELAXED; how++) {
        buf whole = canon_of(how, data, len, len + 1), cut = canon_of(how, data, len, piece);
        buf again = canon_of(how, whole.data ? whole.data : "", whole.len, 3);
        require(same(&whole, &cut) && same(&whole, &again));
        buf_free(&whole);
        buf_free(&cut);
        buf_free(&again);
    }
}

static dkim_lookup_result look_up(void *ctx, const char *name, buf *records)
{
    const char *record = ctx;
    require(strstr(name, "._domainkey.") != NULL);
    buf_add(records, record, strlen(record) + 1);
    return DKIM_FOUND;
}

typedef struct text {
    const char *data;
    size_t len, piece;
} text;

static size_t read_text(void *ctx, char *out, size_t cap)
{
    text *t = ctx;
    size_t n = t->len < t->piece ? t->len : t->piece;
    n = n < cap ? n : cap;
    memcpy(out, t->data, n);
    t->data += n;
    t->len -= n;
    return n;
}

static void try_own(const char *data, size_t len, size_t piece)
{
    static char record[] = RECORD;
    const char *fault;
    size_t count;
    dkim_key *key = dkim_key_read(KEY, strlen(KEY), &fault);
    const dkim_identity id = {"example.com", "s", key};
    text t = {data, len, piece};
    const dkim_source source = {read_text, &t};
    buf out = BUF_INIT;

    require(key && dkim_sign(&id, 1, 1, &source, &out));
    buf_add(&out, data, len);
    require(buf_ok(&out));
    dkim_verdict *list = dkim_verify(out.data, out.len, 1, look_up, record, &count);
    require(list && count >= 1 && list[0].result == DKIM_PASS);
    dkim_verdicts_free(list, count);
    buf_free(&out);
    dkim_key_free(key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *end = size > 1 ? memchr(data + 1, '\0', size - 1) : NULL;
    size_t count = 0, piece = size > 0 ? 1 + (size_t)data[0] : 1;
    if (!end)
        return 0;
    const char *record = (const char *)data + 1, *message = end + 1;
    size_t len = size - (size_t)(message - (const char *)data);

    try_forms(message, len, piece);
    dkim_verdict *list = dkim_verify(message, len, 1, look_up, (void *)record, &count);
    require(list != NULL);
    for (size_t i = 0; i < count; i++)
        require((list[i].result == DKIM_PASS) == (list[i].why[0] == '\0'));
    dkim_verdicts_free(list, count);
    if (len > 0 && ((message[0] | 0x20) >= 'a' && (message[0] | 0x20) <= 'z'))
        try_own(message, len, piece);
    return 0;
}
