/* Tests of mime/header and mime/type: fields right to the byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mime/header.h"
#include "mime/type.h"

#define X10 "xxxxxxxxxx"
#define X70 X10 X10 X10 X10 X10 X10 X10

static void text_fields_are_folded_and_encoded(void **state)
{
    (void)state;
    static const struct {
        const char *value, *field;
    } cases[] = {
        {"", "Subject: \r\n"},
        {"plain", "Subject: plain\r\n"},
        {"  blanks at the ends  ", "Subject: blanks at the ends\r\n"},
        {"two  inside", "Subject: two  inside\r\n"},
        {"您的订单", "Subject: =?UTF-8?B?5oKo55qE6K6i5Y2V?=\r\n"},
        {"Grüße aus Köln", "Subject: =?UTF-8?B?R3LDvMOfZSBhdXMgS8O2bG4=?=\r\n"},
        {"Die große Lieferung kommt am Montag",
         "Subject: Die =?UTF-8?B?Z3Jvw59l?= Lieferung kommt am Montag\r\n"},
        {"über alles, was bestellt wurde, sprächen wir",
         "Subject: =?UTF-8?Q?=C3=BCber_alles=2C_was_bestellt_wurde=2C_spr=C3=A4chen?=\r\n wir\r\n"},
        {"Order 4711: 您 is here", "Subject: Order 4711: =?UTF-8?B?5oKo?= is here\r\n"},
        {"=?utf-8?b?eA==?= spoofed", "Subject: =?UTF-8?B?PT91dGYtOD9iP2VBPT0/PQ==?= spoofed\r\n"},
        {X70 " " X10, "Subject: " X70 "\r\n " X10 "\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf out = BUF_INIT;
        mime_header_add_text(&out, "Subject", cases[i].value, strlen(cases[i].value));
        assert_string_equal(buf_cstr(&out), cases[i].field);
        buf_free(&out);
    }
}

static void no_line_of_a_field_is_over_76(void **state)
{
    (void)state;
    static const char *const pieces[] = {"a", "长", "é", "😀", " ", "xyz ", "=?"};
    for (unsigned seed = 1; seed < 400; seed++) {
        buf value = BUF_INIT, out = BUF_INIT;
        unsigned random = seed;
        for (unsigned i = 0; i < seed; i++) {
            random = random * 1103515245u + 12345u;
            buf_adds(&value, pieces[(random >> 16) % 7]);
        }
        mime_header_add_text(&out, "X-Test", value.data, value.len);
        size_t column = 0, blank = 0;
        for (size_t i = 0; i < out.len; i++) {
            if (out.data[i] == '\n') {
                assert_true(column > blank + 1); /* not a line of blanks alone */
                column = blank = 0;
                continue;
            }
            blank += out.data[i] == ' ' && blank == column;
            assert_true((unsigned char)out.data[i] < 0x80);
            assert_true(++column <= 77); /* 76 and the CR */
        }
        buf_free(&value);
        buf_free(&out);
    }
}

static void structured_fields_are_folded_and_never_encoded(void **state)
{
    (void)state;
    buf out = BUF_INIT;
    static const char ids[] =
        "<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@example.com> <bbbbbbbbbbbbbbbbbbbbbbbbbb@example.com>";
    mime_header_add_text(&out, "References", ids, strlen(ids));
    assert_string_equal(buf_cstr(&out),
                        "References: <aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@example.com>\r\n"
                        " <bbbbbbbbbbbbbbbbbbbbbbbbbb@example.com>\r\n");
    buf_clear(&out);
    mime_header_add_text(&out, "References", "<=?x@y.z>", 9);
    assert_string_equal(buf_cstr(&out), "References: <=?x@y.z>\r\n");
    buf_free(&out);
}

static void mailboxes_are_quoted_or_encoded_as_they_need(void **state)
{
    (void)state;
    static const struct {
        const char *mailbox, *field;
    } cases[] = {
        {"a@b.c", "To: a@b.c\r\n"},
        {"Shop Team <a@b.c>", "To: Shop Team <a@b.c>\r\n"},
        {"\"A, B\" <a@b.c>", "To: \"A, B\" <a@b.c>\r\n"},
        {"Shop & Co. <a@b.c>", "To: \"Shop & Co.\" <a@b.c>\r\n"},
        {"\"q \\\"x\\\"\" <a@b.c>", "To: \"q \\\"x\\\"\" <a@b.c>\r\n"},
        {"李雷 <a@b.c>", "To: =?UTF-8?B?5p2O6Zu3?= <a@b.c>\r\n"},
        {"\"=?x\" <a@b.c>", "To: =?UTF-8?B?PT94?= <a@b.c>\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mime_mailbox m;
        const char *reason;
        buf out = BUF_INIT;
        assert_true(mime_mailbox_parse(cases[i].mailbox, strlen(cases[i].mailbox), &m, &reason));
        mime_header_add_mailboxes(&out, "To", &m, 1);
        assert_string_equal(buf_cstr(&out), cases[i].field);
        buf_free(&out);
        mime_mailbox_clear(&m);
    }
}

static void parameters_have_both_forms_where_they_need_them(void **state)
{
    (void)state;
    static const struct {
        const char *value, *text;
    } cases[] = {
        {"a.pdf", "; filename=\"a.pdf\""},
        {"a \"b\" \\.pdf", "; filename=\"a \\\"b\\\" \\\\.pdf\""},
        {"简历.pdf", ";\r\n filename=\"=?UTF-8?B?566A5Y6GLnBkZg==?=\";\r\n "
                     "filename*=UTF-8''%E7%AE%80%E5%8E%86.pdf"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf out = BUF_INIT;
        size_t column = strlen("Content-Disposition: attachment");
        mime_header_add_parameter(&out, "filename", cases[i].value, strlen(cases[i].value), true,
                                  &column);
        assert_string_equal(buf_cstr(&out), cases[i].text);
        buf_free(&out);
    }
}

static void long_parameters_are_continued(void **state)
{
    (void)state;
    buf value = BUF_INIT, out = BUF_INIT;
    size_t column = 20, line = 20;
    for (int i = 0; i < 100; i++)
        buf_adds(&value, "长");
    mime_header_add_parameter(&out, "filename", value.data, value.len, true, &column);
    assert_non_null(strstr(buf_cstr(&out), "filename*0*=UTF-8''%E9%95%BF"));
    assert_non_null(strstr(buf_cstr(&out), "filename*1*=%E9%95%BF"));
    for (size_t i = 0; i < out.len; i++) {
        line = out.data[i] == '\n' ? 0 : line + 1;
        assert_true(line <= 79);
    }
    buf_free(&value);
    buf_free(&out);
}

static void a_message_id_has_one_form(void **state)
{
    static const char *const good[] = {"<a@b>", "<01KQ.x-1_y+z@mail.example.com>",
                                       "<a@[192.0.2.1]>"};
    static const char *const wrong[] = {"",          "<>",          "a@b",          "<a>",
                                        "<@b>",      "<a@>",        "<a@b@c>",      "<a b@c>",
                                        "<a@b>\r\n", "<a@b> <c@d>", "<\xC3\xA9@b>", "<a\"@b>"};
    char longest[300] = "<";

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_null(mime_header_check_message_id(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_non_null(mime_header_check_message_id(wrong[i], strlen(wrong[i])));
    memset(longest + 1, 'a', 246);
    memcpy(longest + 247, "@b>", 4);
    assert_null(mime_header_check_message_id(longest, 250));
    memcpy(longest + 247, "a@b>", 5);
    assert_non_null(mime_header_check_message_id(longest, 251));
}

static void names_and_values_that_could_harm_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",     "From",       "bcc",        "CONTENT-TYPE", "Content-Anything",
        "Date", "Message-Id", "Received",   "Resent-To",    "DKIM-Signature",
        "X A",  "X:A",        "X-\xC3\xA9", "X\r\nBcc"};
    static const char *const good[] = {"X-Order", "List-Unsubscribe", "In-Reply-To", "Precedence",
                                       "Fromage"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_non_null(mime_header_check_name(names[i], strlen(names[i])));
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_null(mime_header_check_name(good[i], strlen(good[i])));
    assert_non_null(mime_header_check_value("X-A", "a\r\nBcc: x", 9));
    assert_non_null(mime_header_check_value("X-A", "a\rb", 3));
    assert_non_null(mime_header_check_value("X-A", "a\0b", 3));
    assert_non_null(mime_header_check_value("X-A", "\xFF", 1));
    assert_non_null(mime_header_check_value("References", "é", 2));
    assert_null(mime_header_check_value("X-A", "é\tb", 4));
}

static void media_types_are_checked_and_guessed(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "text",
                                      "text/",
                                      "/plain",
                                      "a b/c",
                                      "text/plain;",
                                      "text/plain; a",
                                      "text/plain; a=",
                                      "multipart/mixed",
                                      "MESSAGE/rfc822",
                                      "text/plain\r\nX: y",
                                      "text/plain; name=x",
                                      "text/plain; a=\"b",
                                      "text/plain x"};
    static const char *const good[] = {"text/plain", "application/vnd.ms-excel",
                                       "text/plain; charset=\"utf-8\"",
                                       "text/calendar; method=REQUEST; charset=utf-8"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_non_null(mime_type_check(bad[i], strlen(bad[i])));
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_null(mime_type_check(good[i], strlen(good[i])));
    assert_string_equal(mime_type_guess("a.PDF", 5), "application/pdf");
    assert_string_equal(mime_type_guess("a.b", 3), "application/octet-stream");
    assert_string_equal(mime_type_guess("", 0), "application/octet-stream");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_fields_are_folded_and_encoded),
        cmocka_unit_test(no_line_of_a_field_is_over_76),
        cmocka_unit_test(structured_fields_are_folded_and_never_encoded),
        cmocka_unit_test(mailboxes_are_quoted_or_encoded_as_they_need),
        cmocka_unit_test(parameters_have_both_forms_where_they_need_them),
        cmocka_unit_test(long_parameters_are_continued),
        cmocka_unit_test(a_message_id_has_one_form),
        cmocka_unit_test(names_and_values_that_could_harm_are_refused),
        cmocka_unit_test(media_types_are_checked_and_guessed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
