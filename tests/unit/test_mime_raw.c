/* Tests of mime/raw: messages that come whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "mime/raw.h"

#define ID   "01KQXW3V9M4T5Y8ZC2B7D6F1GH"
#define DATE 1790000000
#define SENT "Date: Mon, 21 Sep 2026 14:13:20 +0000\r\n"
#define OWN  "Message-ID: <" ID "@x.test>\r\n"
#define FROM "From: a@x.test\r\n"
/* Nothing is missing. */
#define HEAD "Date: today\r\nMessage-ID: <1@y>\r\n" FROM

/* A source that is read, and not in memory. */
static bool read_text(void *ctx, uint64_t at, char *out, size_t len)
{
    memcpy(out, (const char *)ctx + at, len);
    return true;
}

static mime_stored in_memory(const char *s, size_t len)
{
    return (mime_stored){.data = s, .len = len};
}

static mime_stored elsewhere(const char *s, size_t len)
{
    return (mime_stored){.read = read_text, .ctx = (void *)s, .len = len};
}

static char *read_message(const mime_message *m, size_t cap)
{
    buf out = BUF_INIT;
    mime_reader *r = mime_reader_create(m);
    size_t n;
    assert_non_null(r);
    for (int round = 0; round < 2; round++) { /* the second after having gone back */
        buf_clear(&out);
        while (buf_reserve(&out, cap) && (n = mime_reader_read(r, out.data + out.len, cap)) > 0) {
            assert_true(n <= cap);
            out.len += n;
        }
        mime_reader_rewind(r);
    }
    assert_int_equal(out.len, mime_message_size(m));
    mime_reader_free(r);
    buf_addc(&out, '\0');
    return out.data;
}

static mime_message *take(const mime_stored *source, mime_raw *raw)
{
    char fault[RAW_FAULT];
    *raw = (mime_raw){0};
    if (!mime_raw_read(source, raw, fault))
        fail_msg("refused: %s", fault);
    mime_message *m = mime_raw_message(raw, DATE, ID);
    assert_non_null(m);
    return m;
}

static void becomes(const char *text, const char *expected)
{
    for (int where = 0; where < 2; where++) {
        mime_stored source = (where ? elsewhere : in_memory)(text, strlen(text));
        mime_raw raw;
        mime_message *m = take(&source, &raw);
        for (size_t cap = 1; cap <= strlen(expected) + 1; cap++) {
            char *have = read_message(m, cap);
            assert_string_equal(have, expected);
            free(have);
        }
        mime_message_free(m);
        mime_raw_clear(&raw);
    }
}

static void refused(const char *text, size_t len, const char *why)
{
    mime_stored source = elsewhere(text, len);
    mime_raw raw = {0};
    char fault[RAW_FAULT];

    if (mime_raw_read(&source, &raw, fault))
        fail_msg("taken: %s", text);
    assert_string_equal(fault, why);
    mime_raw_clear(&raw);
}

#define REFUSED(text, why) refused(text, sizeof(text) - 1, why)

static void what_is_right_stays_as_it_is(void **state)
{
    (void)state;
    static const char *const texts[] = {
        HEAD "\r\n",
        HEAD "To: b@x.test,\r\n\t\"C, D\" <c@x.test>\r\nx-strange:value  \r\nSUBJECT:\r\n \r\n"
             "\r\n\r\n.dot\r\n..\r\n \r\nFrom: body\r\nBcc: body\r\n",
        "Received: from q by w; today\r\nDelivered-To: z\r\nDKIM-Signature: v=1;\r\n b=x\r\n" HEAD
        "\r\nbody\r\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        becomes(texts[i], texts[i]);
}

static void lines_end_with_crlf(void **state)
{
    (void)state;
    becomes("Date: today\nMessage-ID: <1@y>\nFrom: a@x.test\nTo: b,\n c\n\na\n\n\nb\r\nc\n",
            HEAD "To: b,\r\n c\r\n\r\na\r\n\r\n\r\nb\r\nc\r\n");
    becomes(HEAD "\r\nthe last isn't ended", HEAD "\r\nthe last isn't ended\r\n");
    becomes(HEAD, HEAD "\r\n");
    becomes("Date: today\nMessage-ID: <1@y>\nFrom: a@x.test", HEAD "\r\n");
    becomes(HEAD "\n\n", HEAD "\r\n\r\n");
}

static void what_is_missing_is_put_before(void **state)
{
    (void)state;
    becomes(FROM "\r\nx\r\n", SENT OWN FROM "\r\nx\r\n");
    becomes(FROM "DATE: today\r\n\r\nx\r\n", OWN FROM "DATE: today\r\n\r\nx\r\n");
    becomes(FROM "Message-Id:\r\n <1@y>\r\n\r\nx\r\n",
            SENT FROM "Message-Id:\r\n <1@y>\r\n\r\nx\r\n");
}

static void what_nobody_may_see_is_taken_out(void **state)
{
    (void)state;
    becomes("Return-Path: <q@x.test>\r\nBCC: secret@x.test,\r\n other@x.test\r\n" HEAD
            "Resent-Bcc: w@x.test\r\nBcc:\r\nBccx: kept\r\n\r\nx\r\n",
            HEAD "Bccx: kept\r\n\r\nx\r\n");
}

static void the_sender_and_the_id_are_found(void **state)
{
    (void)state;
    static const char text[] = "from: =?UTF-8?Q?M=C3=BCller?=\r\n (who)\r\n <Me@X.test>\r\n"
                               "message-id: <CaSe.1@y.test>\r\n\r\n";
    mime_stored source = in_memory(text, strlen(text));
    mime_raw raw;
    mime_message *m = take(&source, &raw);
    assert_string_equal(raw.from.address, "Me@x.test");
    assert_string_equal(mime_message_id(m), "<CaSe.1@y.test>");
    assert_false(mime_message_eight_bit(m));
    mime_message_free(m);
    mime_raw_clear(&raw);
}

static void what_is_8bit_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool utf8, eight_bit;
    } cases[] = {
        {HEAD "\r\nplain\r\n", false, false},
        {HEAD "\r\n\xC3\xBC\r\n", false, true},
        {HEAD "\r\nlatin-1 \xFC\r\n", false, true},
        {HEAD "Subject: \xC3\xBC\r\n\r\nplain\r\n", true, true},
        {HEAD "Bcc: \xC3\xBC@x.test\r\n\r\nplain\r\n", false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mime_stored source = in_memory(cases[i].text, strlen(cases[i].text));
        mime_raw raw;
        mime_message *m = take(&source, &raw);
        assert_int_equal(mime_message_utf8(m), cases[i].utf8);
        assert_int_equal(mime_message_eight_bit(m), cases[i].eight_bit);
        mime_message_free(m);
        mime_raw_clear(&raw);
    }
}

static void what_cant_be_sent_is_refused(void **state)
{
    (void)state;
    REFUSED("", "it has no From");
    REFUSED("\r\n" FROM "\r\n", "it has no From");
    REFUSED("Subject: x\r\n\r\n" FROM, "it has no From");
    REFUSED(FROM "From: b@x.test\r\n\r\n", "From (line 2) is there twice");
    REFUSED("From: a@x.test, b@x.test\r\n\r\n",
            "From (line 1) is not one address: it looks like more than one address");
    REFUSED("From:\r\n\r\n", "From (line 1) is not one address: it is empty");
    REFUSED(FROM "Message-ID: none\r\n\r\n", "Message-ID (line 2) is not one id between < and >");
    REFUSED(FROM "Message-ID: <a b>\r\n\r\n", "Message-ID (line 2) is not one id between < and >");
    REFUSED(FROM "Message-ID: <a>\r\nmessage-id: <b>\r\n\r\n",
            "message-id (line 3) is there twice");
    REFUSED(" folded: first\r\n" FROM "\r\n", "line 1 is not a header field");
    REFUSED(FROM "no field\r\n\r\n", "line 2 is not a header field");
    REFUSED(FROM "blank : x\r\n\r\n", "line 2 is not a header field");
    REFUSED("From me Thu Jan 1 1970\r\n" FROM "\r\n", "line 1 is not a header field");
    REFUSED(FROM ": x\r\n\r\n", "line 2 is not a header field");
    REFUSED(FROM "Subject: latin-1 \xFC\r\n\r\n", "its header is not UTF-8");
    REFUSED(FROM "X: a\rb\r\n\r\n", "line 2 holds a CR that no LF follows");
    REFUSED(FROM "X: a\0b\r\n\r\n", "line 2 holds NUL");
    REFUSED(FROM "\r\nx\r\ny\rz\r\n", "line 4 holds a CR that no LF follows");
    REFUSED(FROM "\r\nx\r\r\n", "line 3 holds a CR that no LF follows");
    REFUSED(FROM "\r\nx\r", "line 3 holds a CR that no LF follows");
    REFUSED(FROM "\r\n\r", "line 3 holds a CR that no LF follows");
    REFUSED(FROM "\r\nx\0\r\n", "line 3 holds NUL");
}

/* Where chunks are read, too. */
static void lines_and_the_header_are_bounded(void **state)
{
    (void)state;
    for (size_t before = 16 * 1024 - 30; before < 16 * 1024 + 1010; before += 13) {
        for (size_t len = RAW_LINE; len <= RAW_LINE + 1; len++) {
            for (int crlf = 0; crlf < 2; crlf++) {
                buf text = BUF_INIT;
                char fault[RAW_FAULT];
                mime_raw raw = {0};
                buf_adds(&text, HEAD "\r\n");
                while (text.len < before)
                    buf_adds(&text, "x\n");
                for (size_t i = 0; i < len; i++)
                    buf_addc(&text, 'x');
                buf_adds(&text, crlf ? "\r\n" : "\n");
                mime_stored source = elsewhere(text.data, text.len);
                assert_int_equal(mime_raw_read(&source, &raw, fault), len <= RAW_LINE);
                mime_raw_clear(&raw);
                buf_free(&text);
            }
        }
    }
    for (size_t size = RAW_HEAD - 1; size <= RAW_HEAD + 1; size++) {
        buf text = BUF_INIT;
        char fault[RAW_FAULT];
        mime_raw raw = {0};
        buf_adds(&text, FROM);
        while (text.len < size - 500)
            buf_adds(&text, "X: 12345\n");
        buf_adds(&text, "X: ");
        while (text.len < size - 1)
            buf_addc(&text, 'x');
        buf_adds(&text, "\n\r\nbody\r\n");
        mime_stored source = elsewhere(text.data, text.len);
        assert_int_equal(mime_raw_read(&source, &raw, fault), size <= RAW_HEAD);
        if (size > RAW_HEAD)
            assert_string_equal(fault, "its header is longer than 262144 octets");
        mime_raw_clear(&raw);
        buf_free(&text);
    }
}

static void base64_is_a_source(void **state)
{
    (void)state;
    for (size_t lines = 0; lines < 2000; lines += 1 + lines / 2) {
        buf text = BUF_INIT, wrapped = BUF_INIT;
        buf_adds(&text, HEAD "\r\n");
        for (size_t i = 0; i < lines; i++)
            buf_addf(&text, "this is line %zu\r\n", i);
        for (size_t at = 0; at < text.len; at += 57) {
            char line[80];
            size_t n = text.len - at < 57 ? text.len - at : 57;
            buf_add(&wrapped, line, mime_base64_encode(text.data + at, n, line));
            buf_adds(&wrapped, "\r\n");
        }
        mime_stored base64 = elsewhere(wrapped.data, wrapped.len);
        mime_stored source = mime_raw_octets(&base64, text.len);
        mime_raw raw;
        mime_message *m = take(&source, &raw);
        for (size_t cap = 1; cap < 30000; cap = cap * 5 + 1) {
            char *have = read_message(m, cap);
            assert_string_equal(have, buf_cstr(&text));
            free(have);
        }
        mime_message_free(m);
        mime_raw_clear(&raw);
        buf_free(&text);
        buf_free(&wrapped);
    }
}

static void a_signature_can_be_put_before(void **state)
{
    (void)state;
    static const char text[] = HEAD "\r\nx\n";
    mime_stored source = in_memory(text, strlen(text));
    mime_raw raw;
    mime_message *m = take(&source, &raw);
    assert_true(mime_message_prepend(m, "DKIM-Signature: x\r\n", 19));
    char *have = read_message(m, 7);
    assert_string_equal(have, "DKIM-Signature: x\r\n" HEAD "\r\nx\r\n");
    free(have);
    mime_message_free(m);
    mime_raw_clear(&raw);
}

static bool cant_read(void *ctx, uint64_t at, char *out, size_t len)
{
    (void)ctx;
    (void)at;
    (void)out;
    (void)len;
    return false;
}

static void a_source_that_cant_be_read_is_no_fault_of_the_message(void **state)
{
    (void)state;
    mime_stored source = {.read = cant_read, .len = 100};
    mime_raw raw = {0};
    char fault[RAW_FAULT];
    assert_false(mime_raw_read(&source, &raw, fault));
    assert_string_equal(fault, "");
    mime_raw_clear(&raw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_right_stays_as_it_is),
        cmocka_unit_test(lines_end_with_crlf),
        cmocka_unit_test(what_is_missing_is_put_before),
        cmocka_unit_test(what_nobody_may_see_is_taken_out),
        cmocka_unit_test(the_sender_and_the_id_are_found),
        cmocka_unit_test(what_is_8bit_is_told),
        cmocka_unit_test(what_cant_be_sent_is_refused),
        cmocka_unit_test(lines_and_the_header_are_bounded),
        cmocka_unit_test(base64_is_a_source),
        cmocka_unit_test(a_signature_can_be_put_before),
        cmocka_unit_test(a_source_that_cant_be_read_is_no_fault_of_the_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
