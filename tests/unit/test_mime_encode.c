/* Tests of mime/base64 and mime/encode: what goes over the wire as a body. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "mime/base64.h"
#include "mime/encode.h"
#include "tests/reference/base64.h"
#include "tests/reference/encode.h"

static void base64_is_checked(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        ptrdiff_t octets; /* -1: refused */
        size_t offset;
        bool canonical;
    } cases[] = {
        {"", 0, 0, true},
        {"QQ==", 1, 0, true},
        {"QUI=", 2, 0, true},
        {"QUJD", 3, 0, true},
        {"QQ", 1, 0, false},
        {"QUI", 2, 0, false},
        {"QU\r\nJD\r\n", 3, 0, false},
        {" Q\tU J D ", 3, 0, false},
        {"+/+/", 3, 0, true},
        {"-_-_", 3, 0, false},
        {"QQ=\n=", 1, 0, false},
        {"+-AA", -1, 1, false},
        {"Q", -1, 1, false},
        {"QUJDQ", -1, 5, false},
        {"QQ=", -1, 3, false},
        {"QUJD=", -1, 5, false},
        {"Q=Q=", -1, 2, false},
        {"QR==", -1, 1, false},
        {"QUJ=", -1, 2, false},
        {"QU*D", -1, 2, false},
        {"QU\xC3\xA9", -1, 2, false},
        {"QQ===", -1, 5, false},
        {"====", -1, 4, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mime_base64_info info;
        bool ok = mime_base64_check(cases[i].text, strlen(cases[i].text), &info);
        if (ok != (cases[i].octets >= 0))
            fail_msg("%s", cases[i].text);
        if (ok) {
            assert_int_equal(info.octets, cases[i].octets);
            assert_int_equal(info.canonical, cases[i].canonical);
        } else {
            assert_int_equal(info.fault_offset, cases[i].offset);
            assert_non_null(info.fault);
        }
    }
}

/* Reads with pieces of `cap` bytes. */
static void wrap_all(const char *text, size_t cap, buf *out)
{
    mime_base64_info info;
    mime_base64_wrap w;
    size_t n;
    assert_true(mime_base64_check(text, strlen(text), &info));
    mime_base64_wrap_init(&w, text, strlen(text), &info);
    while (buf_reserve(out, cap) && (n = mime_base64_wrap_read(&w, out->data + out->len, cap)) > 0)
        out->len += n;
    assert_int_equal(out->len, info.wrapped);
}

static void base64_is_wrapped_the_same_however_it_is_cut(void **state)
{
    (void)state;
    char octets[300], plain[401], messy[900], back[300];
    for (size_t len = 0; len <= sizeof octets; len++) {
        for (size_t i = 0; i < len; i++)
            octets[i] = (char)(i * 7 + len);
        size_t n = mime_base64_encode(octets, len, plain);
        plain[n] = '\0';
        size_t m = 0;
        for (size_t i = 0; i < n && plain[i] != '=';
             i++) { /* URL-safe, unpadded, broken anywhere */
            messy[m++] = plain[i] == '+' ? '-' : plain[i] == '/' ? '_' : plain[i];
            if (i % 5 == 4)
                messy[m++] = '\n';
        }
        messy[m] = '\0';
        buf a = BUF_INIT, b = BUF_INIT;
        wrap_all(plain, 4096, &a);
        wrap_all(messy, 1 + len % 7, &b);
        assert_int_equal(a.len, b.len);
        if (a.len)
            assert_memory_equal(a.data, b.data, a.len);
        for (size_t at = 0, column = 0; at < a.len; at++) {
            column = a.data[at] == '\n' ? 0 : column + 1;
            assert_true(column <= 77); /* 76 and the CR */
        }
        assert_int_equal(mime_base64_decode(a.data, a.len, back), len);
        if (len)
            assert_memory_equal(back, octets, len);
        buf_free(&a);
        buf_free(&b);
    }
}

/* One text against the reference, by each of the ways. */
static void agrees(const char *text, size_t len, size_t piece)
{
    mime_base64_info expected, got;
    size_t wrapped = 0;
    char *out = malloc(3 * len + 16), *exact = malloc(len ? len : 1);
    assert_true(out && exact);
    memcpy(exact, text, len);
    bool ok = reference_base64(text, len, &expected, out, &wrapped);
    for (vector_level level = VECTOR_NONE; level <= vector_best(); level++) {
        const mime_base64_kernel *kernel = mime_base64_kernel_at(level);
        assert_int_equal(mime_base64_check_with(kernel, exact, len, &got), ok);
        if (!reference_same_info(&expected, &got) ||
            !reference_stream_agrees(kernel, text, len, piece, &expected, out))
            fail_msg("way %d, %zu bytes, pieces of %zu: %.*s", (int)level, len, piece, (int)len,
                     text);
    }
    free(out);
    free(exact);
}

static void every_byte_everywhere_is_what_the_reference_says(void **state)
{
    (void)state;
    char text[200];
    for (size_t at = 0; at < sizeof text; at++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            for (size_t i = 0; i < sizeof text; i++)
                text[i] = REFERENCE_ALPHABET[(i * 5 + at) % 62];
            text[at] = (char)byte;
            agrees(text, sizeof text, byte % 2 ? 1000 : 1 + byte % 90);
        }
    }
}

/* Texts of every length, in both alphabets, broken at 64 or 76 columns and not, padded and not. */
static void base64_in_pieces_is_the_same_as_whole(void **state)
{
    (void)state;
    char octets[400], plain[536], text[1200];
    for (size_t i = 0; i < sizeof octets; i++)
        octets[i] = (char)(i * i + i / 3);
    for (size_t len = 0; len <= sizeof octets; len++) {
        size_t n = mime_base64_encode(octets, len, plain);
        for (unsigned form = 0; form < 8; form++) {
            size_t m = 0;
            for (size_t i = 0; i < n && !(plain[i] == '=' && (form & 1)); i++) {
                char c = plain[i];
                text[m++] = !(form & 2) ? c : c == '+' ? '-' : c == '/' ? '_' : c;
                if ((form & 4) && (i + 1) % (len % 2 ? 64 : 76) == 0) {
                    text[m++] = '\r';
                    text[m++] = '\n';
                }
            }
            agrees(text, m, 1 + len % 100);
            if (form % 4 == 2 && m > 70) {
                text[70] = '+'; /* two alphabets, unless it is the only sign */
                agrees(text, m, 50 + len % 100);
            }
        }
    }
}

static void base64_is_encoded_the_same_by_each_way(void **state)
{
    (void)state;
    for (size_t len = 0; len < 300; len++) {
        unsigned char *octets = malloc(len ? len : 1);
        char *out = malloc((len + 2) / 3 * 4 + 1), expected[400];
        assert_true(octets && out);
        for (size_t i = 0; i < len; i++)
            octets[i] = (unsigned char)(i * 37 + len * 11);
        size_t n = reference_base64_encode(octets, len, expected);
        for (vector_level level = VECTOR_NONE; level <= vector_best(); level++) {
            assert_int_equal(
                mime_base64_encode_with(mime_base64_kernel_at(level), octets, len, out), n);
            assert_memory_equal(out, expected, n);
        }
        free(octets);
        free(out);
    }
}

static void encode_all(mime_encoding encoding, const char *text, size_t len, size_t cap, buf *out)
{
    mime_encoder e;
    size_t n;
    mime_encoder_init(&e, encoding, text, len);
    while (buf_reserve(out, cap) && (n = mime_encoder_read(&e, out->data + out->len, cap)) > 0)
        out->len += n;
}

static void quoted_printable_is_right_to_the_byte(void **state)
{
    (void)state;
    static const struct {
        const char *text, *encoded;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"a=b", "a=3Db"},
        {"a\nb\r\nc\rd", "a\r\nb\r\nc\r\nd"},
        {"end \n", "end=20\r\n"},
        {"end\t", "end=09"},
        {"in side", "in side"},
        {".\n..\n.a", "=2E\r\n=2E.\r\n=2Ea"},
        {"a.b", "a.b"},
        {"From me\nfrom me\n From x\nFrom", "=46rom me\r\nfrom me\r\n From x\r\nFrom"},
        {"é", "=C3=A9"},
        {"\x01\x7F", "=01=7F"},
        {"1234567890123456789012345678901234567890123456789012345678901234567890123456",
         "123456789012345678901234567890123456789012345678901234567890123456789012345=\r\n6"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234é",
         "12345678901234567890123456789012345678901234567890123456789012345678901234=\r\n=C3=A9"},
        {"123456789012345678901234567890123456789012345678901234567890123456789012345.x",
         "123456789012345678901234567890123456789012345678901234567890123456789012345=\r\n=2Ex"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t cap = 1; cap < 100; cap += 7) {
            buf out = BUF_INIT;
            encode_all(MIME_QUOTED_PRINTABLE, cases[i].text, strlen(cases[i].text), cap, &out);
            assert_string_equal(buf_cstr(&out), cases[i].encoded);
            buf_free(&out);
        }
    }
}

static void base64_of_a_text_has_crlf_line_ends(void **state)
{
    (void)state;
    /* Line ends at every place of the 57 octets that make a line. */
    for (size_t len = 0; len < 200; len++) {
        char text[200], back[400];
        buf expected = BUF_INIT, out = BUF_INIT, whole = BUF_INIT;
        for (size_t i = 0; i < len; i++) {
            text[i] = (i + len) % 3 == 0 ? '\n' : 'x';
            buf_adds(&expected, text[i] == '\n' ? "\r\n" : "x");
        }
        encode_all(MIME_BASE64, text, len, 1 + len % 13, &out);
        encode_all(MIME_BASE64, text, len, 4096, &whole);
        assert_int_equal(out.len, whole.len);
        size_t n = mime_base64_decode(out.data, out.len, back);
        assert_int_equal(n, expected.len);
        if (n)
            assert_memory_equal(back, expected.data, n);
        buf_free(&expected);
        buf_free(&out);
        buf_free(&whole);
    }
}

static void the_smaller_encoding_is_chosen_and_its_size_known(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        mime_encoding encoding;
        bool ends_line;
    } cases[] = {
        {"plain ASCII text\n", MIME_QUOTED_PRINTABLE, true},
        {"plain ASCII text", MIME_QUOTED_PRINTABLE, false},
        {"", MIME_QUOTED_PRINTABLE, false},
        {"谢谢您的订单。", MIME_BASE64, true},
        {"Grüße aus Köln, und alles Gute", MIME_QUOTED_PRINTABLE, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t size;
        bool ends_line;
        size_t len = strlen(cases[i].text);
        buf out = BUF_INIT;
        assert_int_equal(mime_encoding_choose(cases[i].text, len, NULL, 0, &size, &ends_line),
                         cases[i].encoding);
        encode_all(cases[i].encoding, cases[i].text, len, 5, &out);
        assert_int_equal(out.len, size);
        assert_int_equal(ends_line, cases[i].ends_line);
        buf_free(&out);
    }
}

/* Texts of all lengths up to some lines, of words that end lines in every way, each of the ways. */
static void texts_are_encoded_as_the_reference_does(void **state)
{
    (void)state;
    static const char *const words[] = {
        "a", " ",    "\t",   "=",    "\n",   "\r",   "\r\n", ".", "From ",
        "é", "谢谢", "\xFF", "\x01", "word", "href", "<p>",  "😀", "a rather long run"};
    char text[1200];
    for (unsigned n = 0; n < 6000; n++) {
        size_t len = 0, most = n % 1000;
        unsigned x = n * 2654435761u;
        /* Some texts are of a few words only, so that lines get long or blank. */
        unsigned from = x >> 7 & 15, kinds = 1 + (x >> 11 & 15);
        while (len < most) {
            x = x * 1103515245 + 12345;
            const char *word = words[(from + (x >> 16) % kinds) % 18];
            while (*word)
                text[len++] = *word++;
        }
        if (!reference_encode_agrees(text, len, 1 + n % 150))
            fail_msg("text %u: %.*s", n, (int)len, text);
    }
}

/* Each byte, wherever it may be in what is gone through at a time and in its line. */
static void every_byte_is_quoted_as_the_reference_does(void **state)
{
    (void)state;
    static const char *const around[][2] = {{"x", "x"}, {"x", "\n"}, {"\n", "\r\n"}, {" ", "é"}};
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t at = 1; at < 80; at++) {
            char text[200];
            const char *const *beside = around[(byte + at) % 4];
            memset(text, 'x', sizeof text);
            memcpy(text + at - 1, beside[0], strlen(beside[0]));
            text[at] = (char)byte;
            memcpy(text + at + 1, beside[1], strlen(beside[1]));
            size_t len = at % 3 ? sizeof text : at + 1 + strlen(beside[1]);
            if (!reference_encode_agrees(text, len, 500))
                fail_msg("byte %u at %zu", byte, at);
        }
    }
}

/* How a text begins doesn't tell how it must be encoded. */
static void the_choice_is_that_of_the_whole_text(void **state)
{
    (void)state;
    static const char *const words[] = {"plain ASCII text ", "谢谢您的订单。"};
    for (size_t turn = 0; turn < 2; turn++) {
        for (size_t first = 0; first < 40; first++) {
            char text[4000];
            size_t len = 0;
            for (size_t i = 0; i < 80; i++) {
                len += (size_t)snprintf(text + len, sizeof text - len, "%s",
                                        words[(i < first) == turn]);
            }
            assert_true(reference_encode_agrees(text, len, 700));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_is_checked),
        cmocka_unit_test(base64_is_wrapped_the_same_however_it_is_cut),
        cmocka_unit_test(every_byte_everywhere_is_what_the_reference_says),
        cmocka_unit_test(base64_in_pieces_is_the_same_as_whole),
        cmocka_unit_test(base64_is_encoded_the_same_by_each_way),
        cmocka_unit_test(quoted_printable_is_right_to_the_byte),
        cmocka_unit_test(base64_of_a_text_has_crlf_line_ends),
        cmocka_unit_test(the_smaller_encoding_is_chosen_and_its_size_known),
        cmocka_unit_test(texts_are_encoded_as_the_reference_does),
        cmocka_unit_test(every_byte_is_quoted_as_the_reference_does),
        cmocka_unit_test(the_choice_is_that_of_the_whole_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
