/* Tests of dkim/: canonical forms by the examples of RFC 6376, keys and message of RFC 8463's
 * appendix A, what is signed, and what a verifier refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dkim/canon.h"
#include "dkim/key.h"
#include "dkim/sign.h"
#include "dkim/verify.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

static void collect(void *ctx, const char *data, size_t len)
{
    buf_add(ctx, data, len);
}

/* ---- canonical forms ---- */

static char *canon_of(dkim_canon how, const char *body, size_t len, size_t piece)
{
    buf out = BUF_INIT;
    dkim_body b;

    dkim_body_init(&b, how, collect, &out);
    for (size_t at = 0; at < len; at += piece)
        dkim_body_feed(&b, body + at, len - at < piece ? len - at : piece);
    dkim_body_end(&b);
    return buf_take(&out);
}

static void bodies_have_their_canonical_form_wherever_they_are_cut(void **state)
{
    static const struct {
        const char *body, *simple, *relaxed;
    } cases[] = {
        {" C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"}, /* RFC 6376, 3.4.5 */
        {"", "\r\n", ""},
        {"\r\n\r\n", "\r\n", ""},
        {" \t\r\n \r\n", " \t\r\n \r\n", ""},
        {"  ", "  \r\n", ""},
        {"a", "a\r\n", "a\r\n"},
        {"a ", "a \r\n", "a\r\n"},
        {"a\r\n", "a\r\n", "a\r\n"},
        {"\r\n\r\na\r\n\r\nb\r\n\r\n", "\r\n\r\na\r\n\r\nb\r\n", "\r\n\r\na\r\n\r\nb\r\n"},
        {" \r\na", " \r\na\r\n", "\r\na\r\n"},
        {"\ta\t\tb\t \r\n c", "\ta\t\tb\t \r\n c\r\n", " a b\r\n c\r\n"},
        {"a\rb\nc\r\r\n", "a\rb\nc\r\r\n", "a\rb\nc\r\r\n"},
        {"a \r b", "a \r b\r\n", "a \r b\r\n"},
        {"a\r", "a\r\r\n", "a\r\r\n"},
        {"\xE6\x82\xA8\xE5\xA5\xBD  x=\r\n=20\r\n.\r\n..\r\n",
         "\xE6\x82\xA8\xE5\xA5\xBD  x=\r\n=20\r\n.\r\n..\r\n",
         "\xE6\x82\xA8\xE5\xA5\xBD x=\r\n=20\r\n.\r\n..\r\n"},
        {"0123456789 0123456789  0123456789 \r\n01234567 01234567\r\n\r\n\r\nend \t \r\n\r\n",
         "0123456789 0123456789  0123456789 \r\n01234567 01234567\r\n\r\n\r\nend \t \r\n",
         "0123456789 0123456789 0123456789\r\n01234567 01234567\r\n\r\n\r\nend\r\n"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t len = strlen(cases[i].body);
        for (size_t piece = 1; piece <= len + 1; piece++) {
            char *simple = canon_of(DKIM_SIMPLE, cases[i].body, len, piece);
            char *relaxed = canon_of(DKIM_RELAXED, cases[i].body, len, piece);
            assert_string_equal(simple, cases[i].simple);
            assert_string_equal(relaxed, cases[i].relaxed);
            free(simple);
            free(relaxed);
        }
    }
}

static void fields_have_their_canonical_form(void **state)
{
    static const struct {
        const char *field, *relaxed;
    } cases[] = {
        {"A: X\r\n", "a:X\r\n"}, /* RFC 6376, 3.4.5 */
        {"B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n"},
        {"Subject:", "subject:\r\n"},
        {"SUBJECT:\r\n \r\n", "subject:\r\n"},
        {"X-A:a:b\r\n  c", "x-a:a:b c\r\n"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        buf out = BUF_INIT;
        dkim_field_canon(DKIM_RELAXED, cases[i].field, strlen(cases[i].field), &out);
        assert_string_equal(buf_cstr(&out), cases[i].relaxed);
        buf_clear(&out);
        dkim_field_canon(DKIM_SIMPLE, cases[i].field, strlen(cases[i].field), &out);
        assert_memory_equal(out.data, cases[i].field, out.len - 2);
        assert_memory_equal(out.data + out.len - 2, "\r\n", 2);
        buf_free(&out);
    }
}

/* ---- RFC 8463, appendix A ---- */

#define APPENDIX_RSA                                                                               \
    "-----BEGIN RSA PRIVATE KEY-----\n"                                                            \
    "MIICXQIBAAKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQi\n"                           \
    "Y/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqM\n"                           \
    "KrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB\n"                           \
    "AoGAH0cxOhFZDgzXWhDhnAJDw5s4roOXN4OhjiXa8W7Y3rhX3FJqmJSPuC8N9vQm\n"                           \
    "6SVbaLAE4SG5mLMueHlh4KXffEpuLEiNp9Ss3O4YfLiQpbRqE7Tm5SxKjvvQoZZe\n"                           \
    "zHorimOaChRL2it47iuWxzxSiRMv4c+j70GiWdxXnxe4UoECQQDzJB/0U58W7RZy\n"                           \
    "6enGVj2kWF732CoWFZWzi1FicudrBFoy63QwcowpoCazKtvZGMNlPWnC7x/6o8Gc\n"                           \
    "uSe0ga2xAkEA8C7PipPm1/1fTRQvj1o/dDmZp243044ZNyxjg+/OPN0oWCbXIGxy\n"                           \
    "WvmZbXriOWoSALJTjExEgraHEgnXssuk7QJBALl5ICsYMu6hMxO73gnfNayNgPxd\n"                           \
    "WFV6Z7ULnKyV7HSVYF0hgYOHjeYe9gaMtiJYoo0zGN+L3AAtNP9huqkWlzECQE1a\n"                           \
    "licIeVlo1e+qJ6Mgqr0Q7Aa7falZ448ccbSFYEPD6oFxiOl9Y9se9iYHZKKfIcst\n"                           \
    "o7DUw1/hz2Ck4N5JrgUCQQCyKveNvjzkkd8HjYs0SwM0fPjK16//5qDZ2UiDGnOe\n"                           \
    "uEzxBDAr518Z8VFbR41in3W4Y3yCDgQlLlcETrS+zYcL\n"                                               \
    "-----END RSA PRIVATE KEY-----\n"
/* The appendix gives the 32 octets; this is their PKCS#8. */
#define APPENDIX_ED25519                                                                           \
    "-----BEGIN PRIVATE KEY-----\n"                                                                \
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"                           \
    "-----END PRIVATE KEY-----\n"
#define APPENDIX_ED25519_RECORD "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
#define APPENDIX_RSA_RECORD                                                                        \
    "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhd"  \
    "R6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5"  \
    "QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"
#define APPENDIX_MESSAGE                                                                           \
    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"                                \
    " d=football.example.com; i=@football.example.com;\r\n"                                        \
    " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"                                      \
    " subject : date : message-id : from : subject : date;\r\n"                                    \
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"                                        \
    " b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"                              \
    " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"                                                        \
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n"                                    \
    " d=football.example.com; i=@football.example.com;\r\n"                                        \
    " q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n"                                \
    " date : message-id : from : subject : date;\r\n"                                              \
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"                                        \
    " b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r\n"                              \
    " DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r\n"                              \
    " dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r\n"                              \
    "From: Joe SixPack <joe@football.example.com>\r\n"                                             \
    "To: Suzie Q <suzie@shopping.example.net>\r\n"                                                 \
    "Subject: Is dinner ready?\r\n"                                                                \
    "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"                                              \
    "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"                             \
    "\r\n"                                                                                         \
    "Hi.\r\n"                                                                                      \
    "\r\n"                                                                                         \
    "We lost the game.  Are you hungry yet?\r\n"                                                   \
    "\r\n"                                                                                         \
    "Joe.\r\n"

/* Answers with a record for each selector. */
typedef struct zone {
    struct {
        const char *name, *record;
    } list[4];
    dkim_lookup_result otherwise;
} zone;

static dkim_lookup_result look_up(void *ctx, const char *name, buf *records)
{
    const zone *z = ctx;
    bool found = false;

    for (size_t i = 0; i < COUNT(z->list) && z->list[i].name; i++) {
        if (strcmp(z->list[i].name, name) != 0)
            continue;
        buf_add(records, z->list[i].record, strlen(z->list[i].record) + 1);
        found = true;
    }
    return found ? DKIM_FOUND : z->otherwise;
}

static const zone appendix = {
    {{"brisbane._domainkey.football.example.com", APPENDIX_ED25519_RECORD},
     {"test._domainkey.football.example.com", APPENDIX_RSA_RECORD}},
    DKIM_NO_RECORD};

static void the_appendix_message_passes_and_a_changed_one_fails(void **state)
{
    static const char message[] = APPENDIX_MESSAGE;
    char changed[sizeof message];
    size_t count;

    (void)state;
    dkim_verdict *list =
        dkim_verify(message, sizeof message - 1, 0, look_up, (void *)&appendix, &count);
    assert_int_equal(count, 2);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(list[i].why, "");
        assert_int_equal(list[i].result, DKIM_PASS);
        assert_string_equal(list[i].domain, "football.example.com");
    }
    assert_int_equal(list[0].bits, 256);
    assert_int_equal(list[1].bits, 1024);
    assert_string_equal(list[1].selector, "test");
    dkim_verdicts_free(list, count);

    memcpy(changed, message, sizeof message);
    *strstr(changed, "hungry") = 'H';
    list = dkim_verify(changed, sizeof message - 1, 0, look_up, (void *)&appendix, &count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(list[i].result, DKIM_FAIL);
    dkim_verdicts_free(list, count);
}

static void keys_are_read_strictly(void **state)
{
    const char *fault;
    buf record = BUF_INIT;

    (void)state;
    dkim_key *k = dkim_key_read(APPENDIX_ED25519, strlen(APPENDIX_ED25519), &fault);
    assert_null(fault);
    assert_int_equal(dkim_key_algorithm(k), DKIM_ED25519);
    assert_true(dkim_key_record(k, &record));
    assert_string_equal(buf_cstr(&record), APPENDIX_ED25519_RECORD);
    buf_free(&record);
    dkim_key_free(k);

    static const struct {
        const char *pem, *word;
    } wrong[] = {
        {APPENDIX_RSA, "less than 2048"},
        {"", "no private key"},
        {"hello\n", "no private key"},
        {APPENDIX_ED25519 APPENDIX_ED25519, "more than one"},
        {"-----BEGIN PUBLIC KEY-----\n"
         "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
         "-----END PUBLIC KEY-----\n",
         "no private key"},
        {"-----BEGIN PRIVATE KEY-----\n" /* of a curve that DKIM doesn't have */
         "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgdRzcnEsm56hbdcmS\n"
         "OMfcKUQPhqGSzwKutLA/2zzQseShRANCAARJtXxXiDaQOtG3eVLIZGLOnyeeklE4\n"
         "9ucF5Y0DSz8NfC2/FpYVnkCVo1hzvKCmnlo3a7yfoJiNixl4tWkm5ObX\n"
         "-----END PRIVATE KEY-----\n",
         "neither RSA"},
        {"-----BEGIN PRIVATE KEY-----\n"
         "MIIBVAIBADANBgkqhkiG9w0BAQEFAASCAT4wggE6AgEAAkEApMEezyJHct+u5cI3\n"
         "6KMoArqQIcymrhl0t/Znh6/r1D2h8CxI9rdAaAYiiaEHLIrToXkni3dwjTwsQvxC\n"
         "soSxbwIDAQABAkEAi2gVx7L7vgnjleoXILQdwOFX4CGo0BweFSNcSwXiiL0aYX7y\n"
         "P4DPRWNQBz7U+L41FaUj9t36QFSIZEzlvh+EAQIhAM3ytudnPnyXyKJzTVHKy4Ph\n"
         "zmwz5K33gOePuEk3sCpvAiEAzMt+SGO4svGt1ImrWvBCtJTmMX7EYbPwGHYxfXfj\n"
         "aQECIBN9VqXLdXRhANGuy7Bj2qKeaeR/fLKh64b+aNg09uztAiAmV5sHFpSH/DOd\n"
         "bUEFv6HdiVsnvSIrYLL9AXP2l7GeAQIgDr+Ytb5sgHZROx3WTclDWMMkAWG+70PF\n"
         "mnu97En966s=\n"
         "-----END PRIVATE KEY-----\n",
         "less than 1024"},
    };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        assert_null(dkim_key_read(wrong[i].pem, strlen(wrong[i].pem), &fault));
        assert_non_null(strstr(fault, wrong[i].word));
    }
}

static void a_key_that_was_made_comes_back_from_its_file_and_its_record(void **state)
{
    static const struct {
        dkim_algorithm type;
        unsigned bits;
    } kinds[] = {{DKIM_RSA, 2048}, {DKIM_ED25519, 256}};
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        const char *fault;
        unsigned char digest[DKIM_DIGEST] = {1, 2, 3};
        buf pem = BUF_INIT, record = BUF_INIT, signature = BUF_INIT;
        dkim_record read;
        size_t len;
        dkim_key *k = dkim_key_make(kinds[i].type, kinds[i].bits);
        assert_true(dkim_key_pem(k, &pem) && dkim_key_record(k, &record));
        dkim_key *again = dkim_key_read(pem.data, pem.len, &fault);
        assert_true(dkim_key_same(k, again));
        assert_int_equal(dkim_key_bits(again), kinds[i].bits);
        assert_true(dkim_record_read(record.data, record.len, kinds[i].type, &read, &fault));
        assert_true(dkim_key_same(k, read.key));
        assert_true(dkim_key_sign(again, digest, &signature));
        unsigned char *octets = dkim_base64((dkim_text){signature.data, signature.len}, &len);
        assert_true(dkim_key_verify(read.key, digest, octets, len));
        digest[0] ^= 1;
        assert_false(dkim_key_verify(read.key, digest, octets, len));
        free(octets);
        dkim_key_free(k);
        dkim_key_free(again);
        dkim_key_free(read.key);
        buf_free(&pem);
        buf_free(&record);
        buf_free(&signature);
    }
}

/* ---- what is signed ---- */

/* Reads a text, in pieces. */
typedef struct text {
    const char *at;
    size_t piece;
    bool breaks; /* in the end it can't be read */
} text;

static size_t read_text(void *ctx, char *out, size_t cap)
{
    text *t = ctx;
    size_t len = strlen(t->at), n = len < cap ? len : cap;
    n = n < t->piece ? n : t->piece;
    if (n == 0 && t->breaks)
        return DKIM_READ_FAILED;
    memcpy(out, t->at, n);
    t->at += n;
    return n;
}

static dkim_key *appendix_key(void)
{
    const char *fault;
    dkim_key *k = dkim_key_read(APPENDIX_ED25519, strlen(APPENDIX_ED25519), &fault);
    assert_non_null(k);
    return k;
}

/* The message with its signature in front. */
static char *signed_text(const char *message, size_t piece)
{
    dkim_key *k = appendix_key();
    const dkim_identity id = {"football.example.com", "brisbane", k};
    text t = {message, piece, false};
    const dkim_source source = {read_text, &t};
    buf out = BUF_INIT;

    assert_true(dkim_sign(&id, 1, 1528637909, &source, &out));
    buf_adds(&out, message);
    dkim_key_free(k);
    return buf_take(&out);
}

static dkim_result verdict_of(const char *message, const char **why)
{
    size_t count;
    dkim_verdict *list =
        dkim_verify(message, strlen(message), 1528637909, look_up, (void *)&appendix, &count);
    dkim_result result = count == 1 ? list[0].result : DKIM_TEMPERROR;
    *why = count == 1 ? list[0].why : "there is not one signature";
    dkim_verdicts_free(list, count);
    return result;
}

#define MAIL                                                                                       \
    "Date: Sun, 10 Jun 2018 13:38:29 +0000\r\nFrom: a@football.example.com\r\nTo: "                \
    "b@example.org\r\n"                                                                            \
    "Cc: c@example.org,\r\n d@example.org\r\nMessage-ID: <x@football.example.com>\r\n"             \
    "References: <1@example.org>\r\nList-Unsubscribe: <https://example.com/u>\r\n"                 \
    "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nX-Other: 1\r\nMIME-Version: 1.0\r\n"     \
    "Content-Type: text/plain\r\nContent-Transfer-Encoding: 7bit\r\n\r\nHello  you \r\n.\r\n\r\n"

static void what_is_signed_is_named_and_folded(void **state)
{
    char *whole = signed_text(MAIL, SIZE_MAX), *flat = strdup(whole), *to = flat;

    (void)state;
    for (const char *line = whole; line - whole < (long)(strlen(whole) - strlen(MAIL));) {
        const char *end = strstr(line, "\r\n");
        assert_true(end - line <= 78);
        line = end + 2;
    }
    for (const char *from = whole; *from; from++) /* unfolded, without a blank */
        if (!strchr(" \r\n", *from))
            *to++ = *from;
    *to = '\0';
    assert_non_null(
        strstr(flat, "v=1;a=ed25519-sha256;c=relaxed/relaxed;d=football.example.com;s=brisbane;"
                     "t=1528637909;h=From:From:To:To:Subject:Date:Date:Cc:Message-ID:MIME-Version:"
                     "Content-Type:Content-Transfer-Encoding:References:List-Unsubscribe:"
                     "List-Unsubscribe-Post;bh="));
    assert_null(strstr(flat, ";x="));
    assert_null(strstr(flat, ";l="));
    for (size_t piece = 1; piece < sizeof MAIL; piece++) { /* however it comes */
        char *again = signed_text(MAIL, piece);
        assert_string_equal(again, whole);
        free(again);
    }
    free(flat);
    free(whole);
}

static char *replaced(const char *whole, const char *from, const char *to)
{
    const char *at = strstr(whole, from);
    buf out = BUF_INIT;
    assert_non_null(at);
    buf_add(&out, whole, (size_t)(at - whole));
    buf_adds(&out, to);
    buf_adds(&out, at + strlen(from));
    return buf_take(&out);
}

static void what_relays_do_passes_and_what_others_add_fails(void **state)
{
    static const struct {
        const char *from, *to;
        dkim_result result;
    } changes[] = {
        {"Hello  you \r\n", "Hello you\r\n", DKIM_PASS}, /* blanks */
        {".\r\n\r\n", ".\r\n\r\n\r\n\r\n", DKIM_PASS},
        {".\r\n\r\n", ".", DKIM_PASS},
        {"Cc: c@example.org,\r\n d@", "cc:  c@example.org, d@", DKIM_PASS},
        {"X-Other: 1", "X-Other: 2\r\nX-More: 3", DKIM_PASS},
        {"Hello", "Hallo", DKIM_FAIL},
        {"To: b@", "To: x@", DKIM_FAIL},
        {"X-Other: 1", "From: evil@example.net", DKIM_FAIL}, /* once more than signed */
        {"X-Other: 1", "To: evil@example.net", DKIM_FAIL},
        {"X-Other: 1", "Subject: there was none", DKIM_FAIL},
        {"X-Other: 1", "Date: Mon, 11 Jun 2018 13:38:29 +0000", DKIM_FAIL},
        {"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", "", DKIM_FAIL},
        {"s=brisbane", "s=brisbane; i=@x.football.example.com", DKIM_FAIL},
    };
    char *whole = signed_text(MAIL, SIZE_MAX);
    const char *why;

    (void)state;
    assert_int_equal(verdict_of(whole, &why), DKIM_PASS);
    for (size_t i = 0; i < COUNT(changes); i++) {
        char *changed = replaced(whole, changes[i].from, changes[i].to);
        assert_int_equal(verdict_of(changed, &why), changes[i].result);
        free(changed);
    }
    free(whole);
}

static void signatures_that_can_t_be_used_say_why(void **state)
{
    static const struct {
        const char *from, *to, *word;
    } changes[] = {
        {"v=1;", "v=2;", "v= is not 1"},
        {"v=1;", "", "no v="},
        {"a=ed25519-sha256", "a=rsa-sha1", "rsa-sha1"},
        {"a=ed25519-sha256", "a=dsa", "a= is not known"},
        {"c=relaxed/relaxed", "c=relaxed/", "c= is not known"},
        {"c=relaxed/relaxed", "c=nofws", "c= is not known"},
        {"d=football.example.com", "d=", "not a name"},
        {"s=brisbane", "s=bris bane", "not a name"},
        {"s=brisbane", "s=other", "no record"},
        {"s=brisbane", "s=test", "another type"},
        {"s=brisbane", "s=brisbane; i=@example.com", "i= is not of d="},
        {"s=brisbane", "s=brisbane; i=@xfootball.example.com", "i= is not of d="},
        {"s=brisbane", "s=brisbane; q=other", "q= is not"},
        {"s=brisbane", "s=brisbane; l=-1", "l= is no number"},
        {"s=brisbane", "s=brisbane; x=1528637908", "before it was made"},
        {"t=1528637909", "x=1528637908", "expired"},
        {"t=1528637909", "t=soon", "no time"},
        {"t=1528637909", "t=1; t=1", "not a list of tags"},
        {"h=From:From:", "h=", "doesn't sign From"},
        {"DKIM-Signature:", "DKIM-Signature: x", "not a list of tags"},
    };
    char *whole = signed_text(MAIL, SIZE_MAX);
    const char *why;

    (void)state;
    for (size_t i = 0; i < COUNT(changes); i++) {
        char *changed = replaced(whole, changes[i].from, changes[i].to);
        assert_int_equal(verdict_of(changed, &why), DKIM_PERMERROR);
        assert_non_null(strstr(why, changes[i].word));
        free(changed);
    }
    free(whole);
}

static void records_are_read_strictly(void **state)
{
#define P "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    static const struct {
        const char *record, *word; /* NULL: it is good */
    } cases[] = {
        {"k=ed25519; " P, NULL},
        {"v=DKIM1;k=ed25519;h=sha1:sha256;s=other:email;n=a note;" P ";", NULL},
        {"v=DKIM1; k=ed25519; t=y:s; " P, NULL},
        {"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQH Og7hcvPapiMlrwIaaPcHURo=", NULL},
        {"", "not a list"},
        {"v=DKIM1; k=ed25519", "no p="},
        {"v=DKIM1; k=ed25519; p=", "revoked"},
        {"v=DKIM1; " P, "another type"},
        {"v=DKIM2; k=ed25519; " P, "not DKIM1"},
        {"k=ed25519; v=DKIM1; " P, "not DKIM1"},
        {"v=DKIM1; k=ed25519; h=sha1; " P, "SHA-256"},
        {"v=DKIM1; k=ed25519; s=tlsrpt; " P, "e-mail"},
        {"v=DKIM1; k=ed25519; p=AAAA", "no key"},
        {"v=DKIM1; k=ed25519; p=!!!", "no key"},
        {"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo", "no key"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *fault = NULL;
        dkim_record r;
        bool ok =
            dkim_record_read(cases[i].record, strlen(cases[i].record), DKIM_ED25519, &r, &fault);
        assert_int_equal(ok, cases[i].word == NULL);
        if (cases[i].word)
            assert_non_null(strstr(fault, cases[i].word));
        dkim_key_free(r.key);
    }
}

static void several_records_are_all_tried_and_a_failed_lookup_is_temporary(void **state)
{
    zone z = {{{"brisbane._domainkey.football.example.com", "v=DKIM1; p="},
               {"brisbane._domainkey.football.example.com", APPENDIX_RSA_RECORD},
               {"brisbane._domainkey.football.example.com", APPENDIX_ED25519_RECORD}},
              DKIM_LOOKUP_FAILED};
    char *whole = signed_text(MAIL, SIZE_MAX);
    size_t count;

    (void)state;
    dkim_verdict *list = dkim_verify(whole, strlen(whole), 0, look_up, &z, &count);
    assert_int_equal(list[0].result, DKIM_PASS);
    dkim_verdicts_free(list, count);
    z.list[0].name = NULL;
    list = dkim_verify(whole, strlen(whole), 0, look_up, &z, &count);
    assert_int_equal(list[0].result, DKIM_TEMPERROR);
    dkim_verdicts_free(list, count);
    free(whole);
}

static void a_message_that_can_t_be_read_is_not_signed(void **state)
{
    dkim_key *k = appendix_key();
    const dkim_identity id = {"football.example.com", "brisbane", k};
    text t = {MAIL, 7, true};
    const dkim_source source = {read_text, &t};
    buf out = BUF_INIT;

    (void)state;
    assert_false(dkim_sign(&id, 1, 0, &source, &out));
    assert_int_equal(out.len, 0);
    buf_free(&out);
    dkim_key_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_have_their_canonical_form_wherever_they_are_cut),
        cmocka_unit_test(fields_have_their_canonical_form),
        cmocka_unit_test(the_appendix_message_passes_and_a_changed_one_fails),
        cmocka_unit_test(keys_are_read_strictly),
        cmocka_unit_test(a_key_that_was_made_comes_back_from_its_file_and_its_record),
        cmocka_unit_test(what_is_signed_is_named_and_folded),
        cmocka_unit_test(what_relays_do_passes_and_what_others_add_fails),
        cmocka_unit_test(signatures_that_can_t_be_used_say_why),
        cmocka_unit_test(records_are_read_strictly),
        cmocka_unit_test(several_records_are_all_tried_and_a_failed_lookup_is_temporary),
        cmocka_unit_test(a_message_that_can_t_be_read_is_not_signed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
