/* The reply parser, the capabilities of EHLO, and the transcript. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "smtp/caps.h"
#include "smtp/reply.h"
#include "smtp/result.h"
#include "smtp/transcript.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

static smtp_reply_parser *create(void)
{
    smtp_reply_parser *p = smtp_reply_parser_create();
    assert_non_null(p);
    return p;
}

static smtp_reply_status parse(smtp_reply_parser *p, const char *text, smtp_reply *out)
{
    assert_true(smtp_reply_feed(p, text, strlen(text)));
    return smtp_reply_next(p, out);
}

static void codes_and_texts_come_apart(void **state)
{
    static const struct {
        const char *bytes;
        int code;
        const char *enhanced, *text;
    } cases[] = {
        {"250 2.1.0 Ok\r\n", 250, "2.1.0", "Ok"},
        {"250 Ok\r\n", 250, "", "Ok"},
        {"250\r\n", 250, "", ""},
        {"250 \r\n", 250, "", ""},
        {"354 go\n", 354, "", "go"},
        {"535 5.7.139 off\r\n", 535, "5.7.139", "off"},
        {"550 5.1.1\r\n", 550, "5.1.1", ""},
        {"550-5.7.1 one\r\n550-5.7.1 two\r\n550 5.7.1 three\r\n", 550, "5.7.1", "one\ntwo\nthree"},
        {"550-5.7.1 one\r\n550 5.1.1 two\r\n", 550, "", "5.7.1 one\n5.1.1 two"},
        {"550-5.7.1 one\r\n550 two\r\n", 550, "", "5.7.1 one\ntwo"},
        {"550-5.7.1\r\n550 5.7.1 two\r\n", 550, "5.7.1", "\ntwo"},
        {"250-\r\n250 x\r\n", 250, "", "\nx"},
        {"250 3.1.1 x\r\n", 250, "", "3.1.1 x"},
        {"250 2.1.1x\r\n", 250, "", "2.1.1x"},
        {"250 2..1 x\r\n", 250, "", "2..1 x"},
        {"250 2.1. x\r\n", 250, "", "2.1. x"},
        {"250 2.1234.1 x\r\n", 250, "", "2.1234.1 x"},
        {"250 2.123.123 x\r\n", 250, "2.123.123", "x"},
        {"250 2.1.1  two spaces\r\n", 250, "2.1.1", " two spaces"},
        {"250 caf\xC3\xA9 \xE6\x8E\x88\r\n", 250, "", "caf\xC3\xA9 \xE6\x8E\x88"},
        {"250 bad \xFF\xC3 utf8\r\n", 250, "", "bad \xEF\xBF\xBD\xEF\xBF\xBD utf8"},
        {"250 tab\tesc\x1B"
         "del\x7F"
         "cr\rx\r\n",
         250, "", "tab esc del cr x"},
        {"250 nel\xC2\x85x\r\n", 250, "", "nel x"},
        {"599 x\r\n", 599, "", "x"},
        {"200 x\r\n", 200, "", "x"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        smtp_reply_parser *p = create();
        smtp_reply r;
        if (parse(p, cases[i].bytes, &r) != SMTP_REPLY_DONE)
            fail_msg("%s", cases[i].bytes);
        assert_int_equal(r.code, cases[i].code);
        assert_string_equal(r.enhanced, cases[i].enhanced);
        assert_string_equal(r.text, cases[i].text);
        assert_false(smtp_reply_pending(p));
        smtp_reply_clear(&r);
        assert_int_equal(smtp_reply_next(p, &r), SMTP_REPLY_MORE);
        smtp_reply_parser_free(p);
    }
}

static void it_does_not_matter_how_replies_are_cut(void **state)
{
    static const char bytes[] = "250-2.1.0 a\r\n250 2.1.0 b\r\n354 go\r\n550-x\r\n550 y\r\n";
    static const char *const texts[] = {"a\nb", "go", "x\ny"};
    (void)state;
    for (size_t step = 1; step < sizeof bytes; step++) {
        smtp_reply_parser *p = create();
        size_t found = 0;
        for (size_t at = 0; at < sizeof bytes - 1; at += step) {
            size_t left = sizeof bytes - 1 - at;
            smtp_reply r = {0};
            assert_true(smtp_reply_feed(p, bytes + at, step < left ? step : left));
            while (smtp_reply_next(p, &r) == SMTP_REPLY_DONE) {
                assert_string_equal(r.text, found < COUNT(texts) ? texts[found] : "(one more)");
                found++;
                smtp_reply_clear(&r);
            }
        }
        assert_int_equal(found, COUNT(texts));
        smtp_reply_parser_free(p);
    }
}

static void what_is_not_smtp_is_bad_for_good(void **state)
{
    static const char *const cases[] = {
        "hello\r\n",      "\r\n",       "25 x\r\n",  "2500 x\r\n", "250x\r\n",
        "25O x\r\n",      "100 x\r\n",  "199 x\r\n", "600 x\r\n",  "250-a\r\n251 b\r\n",
        "250-a\r\nb\r\n", " 250 x\r\n", "-50 x\r\n", "250_x\r\n"};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        smtp_reply_parser *p = create();
        smtp_reply r;
        assert_int_equal(parse(p, cases[i], &r), SMTP_REPLY_BAD);
        assert_int_equal(r.code, 0);
        assert_null(r.text);
        assert_int_equal(parse(p, "250 ok\r\n", &r), SMTP_REPLY_BAD);
        assert_true(smtp_reply_pending(p));
        smtp_reply_reset(p);
        assert_false(smtp_reply_pending(p));
        assert_int_equal(parse(p, "250 ok\r\n", &r), SMTP_REPLY_DONE);
        smtp_reply_clear(&r);
        smtp_reply_parser_free(p);
    }
}

static void a_part_of_a_reply_is_pending(void **state)
{
    smtp_reply_parser *p = create();
    smtp_reply r;
    (void)state;
    assert_false(smtp_reply_pending(p));
    assert_int_equal(parse(p, "25", &r), SMTP_REPLY_MORE);
    assert_true(smtp_reply_pending(p));
    assert_int_equal(parse(p, "0-a\r\n", &r), SMTP_REPLY_MORE);
    assert_true(smtp_reply_pending(p));
    assert_int_equal(parse(p, "250 b\r\n2", &r), SMTP_REPLY_DONE);
    assert_true(smtp_reply_pending(p));
    smtp_reply_clear(&r);
    smtp_reply_parser_free(p);
}

static void lines_replies_and_their_number_are_bounded(void **state)
{
    char *line = malloc(SMTP_REPLY_LINE_MAX + 16);
    smtp_reply_parser *p = create();
    smtp_reply r;
    (void)state;
    assert_non_null(line);

    memset(line, 'x', SMTP_REPLY_LINE_MAX + 16);
    memcpy(line, "250 ", 4);
    line[SMTP_REPLY_LINE_MAX] = '\0';
    assert_int_equal(parse(p, line, &r), SMTP_REPLY_MORE);
    assert_int_equal(parse(p, "\n", &r), SMTP_REPLY_DONE);
    assert_int_equal(strlen(r.text), SMTP_REPLY_LINE_MAX - 4);
    smtp_reply_clear(&r);

    /* Found out before the line ends: nothing is kept without an end. */
    assert_int_equal(parse(p, line, &r), SMTP_REPLY_MORE);
    assert_int_equal(parse(p, "x", &r), SMTP_REPLY_BAD);

    smtp_reply_reset(p);
    for (int i = 0; i < SMTP_REPLY_LINES - 1; i++)
        assert_int_equal(parse(p, "250-x\r\n", &r), SMTP_REPLY_MORE);
    assert_int_equal(parse(p, "250 x\r\n", &r), SMTP_REPLY_DONE);
    smtp_reply_clear(&r);
    for (int i = 0; i < SMTP_REPLY_LINES; i++)
        assert_int_equal(parse(p, "250-x\r\n", &r), SMTP_REPLY_MORE);
    assert_int_equal(parse(p, "250 x\r\n", &r), SMTP_REPLY_BAD);

    smtp_reply_reset(p);
    line[3] = '-';
    (void)snprintf(line + 8000, 3, "\r\n");
    smtp_reply_status status = SMTP_REPLY_MORE;
    int fed = 0;
    for (; status == SMTP_REPLY_MORE && fed < 100; fed++)
        status = parse(p, line, &r);
    assert_int_equal(status, SMTP_REPLY_BAD);
    assert_true(fed <= SMTP_REPLY_MAX / 7996 + 1);
    smtp_reply_parser_free(p);
    free(line);
}

static void a_copy_is_its_own(void **state)
{
    smtp_reply_parser *p = create();
    smtp_reply r, copy;
    (void)state;
    assert_int_equal(parse(p, "550 5.1.1 no\r\n", &r), SMTP_REPLY_DONE);
    assert_true(smtp_reply_copy(&copy, &r));
    smtp_reply_clear(&r);
    assert_int_equal(copy.code, 550);
    assert_string_equal(copy.enhanced, "5.1.1");
    assert_string_equal(copy.text, "no");
    smtp_reply_clear(&copy);
    assert_true(smtp_reply_copy(&copy, &r)); /* an empty one */
    assert_int_equal(copy.code, 0);
    smtp_reply_parser_free(p);
}

/* As many as there are, and longer than what it has room for. */
static void a_result_keeps_replies(void **state)
{
    enum { COUNT_OF_ALL = 4 };
    static const char *const texts[COUNT_OF_ALL] = {
        "Ok", "", "a text of more than thirty-two octets, but not of a hundred", "queued"};
    char longer[1000];
    smtp_result *r = smtp_result_create(COUNT_OF_ALL);
    (void)state;
    assert_non_null(r);
    assert_int_equal(r->recipient_count, COUNT_OF_ALL);
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT_OF_ALL; i++) {
            const smtp_reply heard = {
                .code = 250 + (int)i, .enhanced = "2.1.5", .text = (char *)texts[i], .lent = true};
            smtp_reply_clear(&r->recipients[i].reply);
            smtp_result_keep(r, &r->recipients[i].reply, &heard);
        }
    }
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    const smtp_reply last = {.code = 554, .text = longer, .lent = true};
    smtp_result_keep(r, &r->reply, &last);
    for (size_t i = 0; i < COUNT_OF_ALL; i++) {
        assert_int_equal(r->recipients[i].reply.code, 250 + (int)i);
        assert_string_equal(r->recipients[i].reply.enhanced, "2.1.5");
        assert_string_equal(r->recipients[i].reply.text, texts[i]);
    }
    assert_string_equal(r->reply.text, longer);
    assert_ptr_not_equal(r->reply.text, longer);
    smtp_result_free(r);

    r = smtp_result_create(0);
    assert_non_null(r);
    assert_null(r->recipients);
    smtp_result_free(r);
}

/* ---- capabilities ---- */

static void capabilities_are_read_from_every_line_but_the_first(void **state)
{
    smtp_caps caps;
    (void)state;
    smtp_caps_read(&caps, "PIPELINING says\npipelining\nSIZE 35882577\n8BITMIME\nSTARTTLS\n"
                          "AUTH LOGIN PLAIN\nENHANCEDSTATUSCODES\nSMTPUTF8\nCHUNKING");
    assert_true(caps.esmtp && caps.pipelining && caps.eight_bit && caps.starttls && caps.enhanced &&
                caps.utf8 && caps.size_offered);
    assert_int_equal(caps.size, 35882577);
    assert_string_equal(caps.auth, "LOGIN PLAIN");
    smtp_caps_read(&caps, "PIPELINING");
    assert_true(caps.esmtp);
    assert_false(caps.pipelining || caps.size_offered || caps.starttls);
    assert_string_equal(caps.auth, "");
}

static void capabilities_of_odd_relays(void **state)
{
    smtp_caps caps;
    (void)state;
    smtp_caps_read(&caps, "x\nSIZE\nAUTH=LOGIN PLAIN\nPIPELININGX\nX-8BITMIME");
    assert_true(caps.size_offered);
    assert_int_equal(caps.size, 0);
    assert_string_equal(caps.auth, "LOGIN PLAIN");
    assert_false(caps.pipelining || caps.eight_bit);
    smtp_caps_read(&caps, "x\nAUTH PLAIN\nAUTH=LOGIN\nSIZE 0\nAUTHX y");
    assert_string_equal(caps.auth, "PLAIN");
    assert_int_equal(caps.size, 0);
    smtp_caps_read(&caps, "x\nSIZE 99999999999999999999999999\nAUTH");
    assert_int_equal(caps.size, 0);
    assert_string_equal(caps.auth, "");
    buf text = BUF_INIT;
    buf_adds(&text, "x\nAUTH");
    for (int i = 0; i < 90; i++)
        buf_adds(&text, " MECHANISM");
    smtp_caps_read(&caps, buf_cstr(&text));
    assert_true(strlen(caps.auth) < SMTP_CAPS_AUTH_MAX);
    assert_string_equal(caps.auth + strlen(caps.auth) - 9, "MECHANISM");
    buf_clear(&text);
    buf_adds(&text, "x\nAUTH ");
    for (int i = 0; i < 900; i++)
        buf_addc(&text, 'A');
    smtp_caps_read(&caps, buf_cstr(&text));
    assert_string_equal(caps.auth, "");
    buf_free(&text);
}

/* ---- transcripts ---- */

static void transcripts_write_replies_as_they_came(void **state)
{
    char text[] = "one\ntwo";
    const smtp_reply reply = {.code = 550, .enhanced = "5.7.1", .text = text};
    smtp_transcript t = {0};
    smtp_result r = {0};
    (void)state;
    smtp_transcript_reply(&t, &reply);
    smtp_transcript_addf(&t, 'C', "QUIT");
    smtp_transcript_give(&t, 0, &r);
    assert_int_equal(r.line_count, 3);
    assert_string_equal(r.lines[0].text, "550-5.7.1 one");
    assert_string_equal(r.lines[1].text, "550 5.7.1 two");
    assert_string_equal(r.lines[2].text, "QUIT");
    assert_int_equal(r.lines[2].side, 'C');
    assert_true(r.lines[0].at_us > 0 && r.lines[2].at_us >= r.lines[0].at_us);
    t = (smtp_transcript){r.lines, r.line_count, r.line_count};
    smtp_transcript_free(&t);
}

static void transcripts_are_bounded_and_cut_between_characters(void **state)
{
    smtp_transcript t = {0}, copy = {0};
    char wide[3 * SMTP_TRANSCRIPT_COLUMNS + 1];
    (void)state;
    for (size_t shift = 0; shift < 3; shift++) {
        memset(wide, 'x', shift);
        for (size_t i = shift; i + 3 < sizeof wide; i += 3)
            memcpy(wide + i, "\xE6\x8E\x88", 4);
        const smtp_reply reply = {.code = 250, .text = wide};
        smtp_transcript_reply(&t, &reply);
        smtp_transcript_add(&t, 'C', wide, strlen(wide));
    }
    for (size_t i = 0; i < t.count; i++) {
        size_t len = strlen(t.lines[i].text);
        assert_true(len > SMTP_TRANSCRIPT_COLUMNS - 4 && len <= SMTP_TRANSCRIPT_COLUMNS + 3);
        assert_true(utf8_valid(t.lines[i].text, len));
        assert_string_equal(t.lines[i].text + len - 3, "\xE2\x80\xA6");
    }
    for (size_t i = 0; i < SMTP_TRANSCRIPT_LINES + 10; i++)
        smtp_transcript_addf(&t, 'S', "line");
    assert_int_equal(t.count, SMTP_TRANSCRIPT_LINES + 1);
    assert_string_equal(t.lines[t.count - 1].text, "\xE2\x80\xA6");
    smtp_transcript_append(&copy, &t);
    assert_int_equal(copy.count, t.count);
    assert_int_equal(copy.lines[3].at_us, t.lines[3].at_us);
    smtp_transcript_free(&copy);
    smtp_transcript_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_and_texts_come_apart),
        cmocka_unit_test(it_does_not_matter_how_replies_are_cut),
        cmocka_unit_test(what_is_not_smtp_is_bad_for_good),
        cmocka_unit_test(a_part_of_a_reply_is_pending),
        cmocka_unit_test(lines_replies_and_their_number_are_bounded),
        cmocka_unit_test(a_copy_is_its_own),
        cmocka_unit_test(a_result_keeps_replies),
        cmocka_unit_test(capabilities_are_read_from_every_line_but_the_first),
        cmocka_unit_test(capabilities_of_odd_relays),
        cmocka_unit_test(transcripts_write_replies_as_they_came),
        cmocka_unit_test(transcripts_are_bounded_and_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
