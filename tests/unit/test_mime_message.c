/* Tests of mime/message: how parts are laid out, and that a reader gives the same bytes however it
 * is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "mime/message.h"

#define ID "01KQXW3V9M4T5Y8ZC2B7D6F1GH"
#define HEAD                                                                                       \
    "Date: Mon, 21 Sep 2026 14:13:20 +0000\r\nFrom: a@b.c\r\nTo: d@e.f\r\nMessage-ID: <" ID        \
    "@b.c>\r\nMIME-Version: 1.0\r\n"

static mime_bytes bytes(const char *s)
{
    return s ? (mime_bytes){s, strlen(s)} : (mime_bytes){NULL, 0};
}

static mime_mailbox mailbox(const char *text)
{
    mime_mailbox m;
    const char *reason;
    assert_true(mime_mailbox_parse(text, strlen(text), &m, &reason));
    return m;
}

static mime_attachment attachment(const char *name, const char *cid, const char *base64)
{
    mime_attachment a = {.filename = bytes(name),
                         .content_id = bytes(cid),
                         .is_inline = cid != NULL,
                         .base64 = bytes(base64)};
    assert_true(mime_base64_check(base64, strlen(base64), &a.info));
    return a;
}

static char *read_message(const mime_message *m, size_t cap)
{
    buf out = BUF_INIT;
    mime_reader *r = mime_reader_create(m);
    size_t n;
    assert_non_null(r);
    while (buf_reserve(&out, cap) && (n = mime_reader_read(r, out.data + out.len, cap)) > 0)
        out.len += n;
    assert_int_equal(out.len, mime_message_size(m));
    mime_reader_free(r);
    return buf_take(&out);
}

static void check(const char *text, const char *html, const mime_attachment *list, size_t count,
                  const char *expected)
{
    mime_mailbox from = mailbox("a@b.c"), to = mailbox("d@e.f");
    mime_draft d = {.from = &from,
                    .to = {&to, 1},
                    .text = bytes(text),
                    .html = bytes(html),
                    .attachments = list,
                    .attachment_count = count,
                    .date = 1790000000,
                    .id = ID};
    mime_message *m = mime_compose(&d);
    assert_non_null(m);
    assert_string_equal(mime_message_id(m), "<" ID "@b.c>");
    for (size_t cap = 1; cap < 5000; cap = cap * 3 + 1) {
        char *got = read_message(m, cap);
        assert_string_equal(got, expected);
        free(got);
    }
    mime_message_free(m);
    mime_mailbox_clear(&from);
    mime_mailbox_clear(&to);
}

#define PLAIN                                                                                      \
    "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "                       \
    "quoted-printable\r\n\r\n"
#define HTML                                                                                       \
    "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: "                        \
    "quoted-printable\r\n\r\n"

static void text_alone_is_one_part(void **state)
{
    (void)state;
    check("hello\n", NULL, NULL, 0, HEAD PLAIN "hello\r\n");
    check("hello", NULL, NULL, 0, HEAD PLAIN "hello\r\n");
    check("", NULL, NULL, 0, HEAD PLAIN "\r\n");
}

static void html_gets_a_plain_twin(void **state)
{
    (void)state;
    check(NULL, "<p>hello</p>", NULL, 0,
          HEAD "Content-Type: multipart/alternative;\r\n boundary=\"=_" ID "_3\"\r\n\r\n--=_" ID
               "_3\r\n" PLAIN "hello\r\n\r\n--=_" ID "_3\r\n" HTML "<p>hello</p>\r\n--=_" ID
               "_3--\r\n");
}

static void html_without_a_word_has_no_twin(void **state)
{
    (void)state;
    check(NULL, "<img src=3D>", NULL, 0, HEAD HTML "<img src=3D3D>\r\n");
}

static void every_level_is_there_where_it_is_needed(void **state)
{
    (void)state;
    mime_attachment list[] = {attachment("a.txt", NULL, "QQ"), attachment("l.png", "logo", "QUI")};
    check("t", "<p>h", list, 2,
          HEAD
          "Content-Type: multipart/mixed;\r\n boundary=\"=_" ID "_1\"\r\n\r\n--=_" ID
          "_1\r\nContent-Type: multipart/related; type=\"multipart/alternative\";\r\n "
          "boundary=\"=_" ID "_2\"\r\n\r\n--=_" ID
          "_2\r\nContent-Type: multipart/alternative;\r\n boundary=\"=_" ID "_3\"\r\n\r\n--=_" ID
          "_3\r\n" PLAIN "t\r\n--=_" ID "_3\r\n" HTML "<p>h\r\n--=_" ID "_3--\r\n--=_" ID
          "_2\r\nContent-Type: image/png; name=\"l.png\"\r\nContent-Transfer-Encoding: base64\r\n"
          "Content-Disposition: inline; filename=\"l.png\"\r\nContent-ID: "
          "<logo>\r\n\r\nQUI=\r\n--=_" ID "_2--\r\n--=_" ID
          "_1\r\nContent-Type: text/plain; name=\"a.txt\"\r\nContent-Transfer-Encoding: base64\r\n"
          "Content-Disposition: attachment; filename=\"a.txt\"\r\n\r\nQQ==\r\n--=_" ID "_1--\r\n");
}

static void an_inline_part_without_html_is_an_attachment_of_mixed(void **state)
{
    (void)state;
    mime_attachment list[] = {attachment(NULL, "logo", "")};
    check("t", NULL, list, 1,
          HEAD
          "Content-Type: multipart/mixed;\r\n boundary=\"=_" ID "_1\"\r\n\r\n--=_" ID "_1\r\n" PLAIN
          "t\r\n--=_" ID
          "_1\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
          "Content-Disposition: inline\r\nContent-ID: <logo>\r\n\r\n\r\n--=_" ID "_1--\r\n");
}

static void the_date_is_written_in_utc(void **state)
{
    (void)state;
    static const struct {
        time_t date;
        const char *line;
    } cases[] = {
        {0, "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n"},
        {951827696, "Date: Tue, 29 Feb 2000 12:34:56 +0000\r\n"},
        {253402300799, "Date: Fri, 31 Dec 9999 23:59:59 +0000\r\n"},
        {253402300800, "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n"}, /* beyond the calendar */
        {-1, "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n"},
    };
    mime_mailbox from = mailbox("a@b.c");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mime_draft d = {.from = &from, .text = {"x", 1}, .date = cases[i].date, .id = ID};
        mime_message *m = mime_compose(&d);
        assert_non_null(m);
        char *all = read_message(m, 4096);
        assert_memory_equal(all, cases[i].line, strlen(cases[i].line));
        free(all);
        mime_message_free(m);
    }
    mime_mailbox_clear(&from);
}

static void a_large_text_is_encoded_while_it_is_read(void **state)
{
    (void)state;
    buf text = BUF_INIT;
    for (int i = 0; i < 20000; i++)
        buf_addf(&text, "line %d, 您好\n", i);
    mime_mailbox from = mailbox("a@b.c"), to = mailbox("d@e.f");
    mime_draft d = {
        .from = &from, .to = {&to, 1}, .text = {text.data, text.len}, .date = 0, .id = ID};
    mime_message *m = mime_compose(&d);
    assert_non_null(m);
    char *a = read_message(m, 1 << 20), *b = read_message(m, 777);
    assert_string_equal(a, b);
    mime_reader *r = mime_reader_create(m);
    char piece[1000], again[1000];
    assert_int_equal(mime_reader_read(r, piece, sizeof piece), sizeof piece);
    mime_reader_rewind(r);
    assert_int_equal(mime_reader_read(r, again, sizeof again), sizeof again);
    assert_memory_equal(piece, again, sizeof piece);
    mime_reader_free(r);
    free(a);
    free(b);
    mime_message_free(m);
    mime_mailbox_clear(&from);
    mime_mailbox_clear(&to);
    buf_free(&text);
}

static void addresses_beyond_ascii_are_told(void **state)
{
    (void)state;
    mime_mailbox from = mailbox("a@b.c"), to = mailbox("用户@d.e");
    mime_draft d = {.from = &from, .to = {&to, 1}, .text = bytes("t"), .id = ID};
    mime_message *m = mime_compose(&d);
    assert_true(mime_message_utf8(m));
    char *text = read_message(m, 100);
    assert_non_null(strstr(text, "\r\nTo: 用户@d.e\r\n"));
    free(text);
    mime_message_free(m);
    mime_mailbox_clear(&from);
    mime_mailbox_clear(&to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_alone_is_one_part),
        cmocka_unit_test(html_gets_a_plain_twin),
        cmocka_unit_test(html_without_a_word_has_no_twin),
        cmocka_unit_test(every_level_is_there_where_it_is_needed),
        cmocka_unit_test(an_inline_part_without_html_is_an_attachment_of_mixed),
        cmocka_unit_test(the_date_is_written_in_utc),
        cmocka_unit_test(a_large_text_is_encoded_while_it_is_read),
        cmocka_unit_test(addresses_beyond_ascii_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
