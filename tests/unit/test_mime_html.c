/* Tests of mime/html and mime/entities: what the standard's tokenization makes of a document. More
 * documents are compared with another tokenizer in tests/blackbox/test_html.py. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mime/entities.h"
#include "mime/html.h"

typedef struct tokens_case {
    const char *html, *tokens;
} tokens_case;

/* Texts in parentheses, neighbours as one; tags as <name attribute=[value]>, "/" before ">" where
 * they close themselves; comments as {text}, a doctype as {!}. */
static void write_tokens(const char *html, size_t len, bool foreign, buf *out)
{
    mime_html h;
    mime_html_token token;
    mime_html_attribute a;
    bool text = false;
    buf scratch = BUF_INIT;
    mime_html_init(&h, html, len);
    h.foreign = foreign;
    for (mime_html_kind kind; (kind = mime_html_next(&h, &token)) != MIME_HTML_END;) {
        if (text != (kind == MIME_HTML_TEXT))
            buf_addc(out, text ? ')' : '(');
        text = kind == MIME_HTML_TEXT;
        if (text) {
            buf_add(out, token.data, token.len);
        } else if (kind == MIME_HTML_COMMENT) {
            buf_addc(out, '{');
            buf_add(out, token.data, token.len);
            buf_addc(out, '}');
        } else if (kind == MIME_HTML_DOCTYPE) {
            buf_adds(out, "{!}");
        } else {
            buf_adds(out, kind == MIME_HTML_END_TAG ? "</" : "<");
            buf_add(out, token.data, token.len);
            while (mime_html_next_attribute(&token, &a)) {
                assert_true(mime_html_decode(&a, &scratch));
                buf_addc(out, ' ');
                buf_add(out, a.name, a.name_len);
                buf_adds(out, "=[");
                buf_add(out, a.value, a.value_len);
                buf_addc(out, ']');
            }
            buf_adds(out, token.self_closing ? "/>" : ">");
        }
    }
    if (text)
        buf_addc(out, ')');
    buf_free(&scratch);
}

static void check(const char *html, size_t len, bool foreign, const char *tokens)
{
    buf out = BUF_INIT;
    /* Of its exact size, so that the sanitizers see a step behind it. */
    char *tight = malloc(len ? len : 1);
    assert_non_null(tight);
    memcpy(tight, html, len);
    write_tokens(tight, len, foreign, &out);
    assert_string_equal(buf_cstr(&out), tokens);
    free(tight);
    buf_free(&out);
}

static void check_all(const tokens_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check(cases[i].html, strlen(cases[i].html), false, cases[i].tokens);
}

#define CHECK(...)                                                                                 \
    do {                                                                                           \
        static const tokens_case cases[] = {__VA_ARGS__};                                          \
        check_all(cases, sizeof cases / sizeof *cases);                                            \
    } while (0)

static void text_and_tags(void **state)
{
    (void)state;
    CHECK({"", ""}, {"a", "(a)"}, {"a<b", "(a)"}, {"1 < 2", "(1 < 2)"}, {"<", "(<)"},
          {"</", "(</)"}, {"<3", "(<3)"}, {"<p>a</p>", "<p>(a)</p>"}, {"a</>b", "(ab)"},
          {"a</>", "(a)"}, {"</></>", ""}, {"<P>", "<P>"}, {"<br/>", "<br/>"}, {"<br / >", "<br>"},
          {"</p x=y/>", "</p x=[y/]>"}, {"<a-b:c>", "<a-b:c>"}, {"<p", ""}, {"x<p ", "(x)"});
}

static void attributes_in_every_quoting(void **state)
{
    (void)state;
    CHECK({"<a b=c>", "<a b=[c]>"}, {"<a b='c d'e=\"f'\">", "<a b=[c d] e=[f']>"},
          {"<a b c = d>", "<a b=[] c=[d]>"}, {"<a b=>", "<a b=[]>"}, {"<a b=c/>", "<a b=[c/]>"},
          {"<a b='c'/>", "<a b=[c]/>"}, {"<a/b/c=d>", "<a b=[] c=[d]>"}, {"<a =b>", "<a =b=[]>"},
          {"<a \"'<>b", "<a \"'<=[]>(b)"}, {"<a b=1 b=2>", "<a b=[1] b=[2]>"},
          {"<a b='>'>", "<a b=[>]>"}, {"<a b='", ""}, {"<a b=\"c>d", ""}, {"<a b=c", ""},
          {"<a b='1\r\n2\r3'>", "<a b=[1\n2\n3]>"}, {"<a b=&lt;&#33>", "<a b=[<!]>"},
          {"<a b='?x&copy=1&copyy&copy'>", "<a b=[?x&copy=1&copyy©]>"},
          {"<a b='&copy;=1&nosuch;&'>", "<a b=[©=1&nosuch;&]>"});
    check("<a b=\0>", 7, false, "<a b=[\xEF\xBF\xBD]>");
}

static void comments_and_declarations(void **state)
{
    (void)state;
    CHECK({"<!-- a -->b", "{ a }(b)"}, {"<!-->a", "{}(a)"}, {"<!--->a", "{}(a)"},
          {"<!---->a", "{}(a)"}, {"<!--a--!>b", "{a}(b)"}, {"<!--a-->-->", "{a}(-->)"},
          {"<!--a>b--->", "{a>b-}"}, {"<!--a", "{a}"}, {"<!--a--", "{a}"}, {"<!--a--!", "{a}"},
          {"<!--a---", "{a-}"}, {"<!-a->b", "{-a-}(b)"}, {"<!>a", "{}(a)"}, {"<?a?>b", "{?a?}(b)"},
          {"</ a>b", "{ a}(b)"}, {"<![CDATA[a>b]]>", "{[CDATA[a}(b]]>)"},
          {"<!DOCTYPE html>a", "{!}(a)"}, {"<!doctype a '>b", "{!}(b)"});
}

static void references(void **state)
{
    (void)state;
    CHECK({"&amp;&amp&AMP;", "(&&&)"}, {"&Amp;", "(&Amp;)"}, {"&", "(&)"}, {"&;", "(&;)"},
          {"a &b", "(a &b)"}, {"&notin;&notit;&notin", "(∉¬it;¬in)"}, {"&ngE;", "(≧̸)"},
          {"&CounterClockwiseContourIntegral;", "(∳)"}, {"&zwnj;", "(\xE2\x80\x8C)"},
          {"&#65;&#x41;&#X41&#65", "(AAAA)"}, {"&#128;&#x99;&#129;", "(€™\xC2\x81)"},
          {"&#0;&#xD800;&#x110000;&#99999999999;", "(����)"}, {"&#x10FFFF;", "(\xF4\x8F\xBF\xBF)"},
          {"&#;&#x;&#xg;&#a", "(&#;&#x;&#xg;&#a)"});
}

static void line_ends_and_nul(void **state)
{
    (void)state;
    CHECK({"a\r\nb\rc\nd", "(a\nb\nc\nd)"}, {"\r\r\n\r", "(\n\n\n)"},
          {"\r\n<p>\r\n", "(\n)<p>(\n)"});
    check("<title>\0</title>", 16, false, "<title>(\xEF\xBF\xBD)</title>");
    check("<style>a\0b", 10, false,
          "<style>(a\xEF\xBF\xBD"
          "b)");
    mime_html h;
    mime_html_token token;
    mime_html_init(&h, "a\0b", 3); /* the standard leaves it to the tree builder */
    assert_int_equal(mime_html_next(&h, &token), MIME_HTML_TEXT);
    assert_int_equal(token.len, 3);
}

static void content_that_is_text(void **state)
{
    (void)state;
    CHECK({"<title><b>&lt;</b></Title >a", "<title>(<b><</b>)</Title>(a)"},
          {"<textarea></title></textarea>", "<textarea>(</title>)</textarea>"},
          {"<style>&lt;<b></styles></style>", "<style>(&lt;<b></styles>)</style>"},
          {"<style>a", "<style>(a)"}, {"<style>a</style", "<style>(a</style)"},
          {"<title/>a", "<title/>(a)"}, {"<XMP><p></xmp>", "<XMP>(<p>)</xmp>"},
          {"<iframe><p></iframe><noframes><p></noframes><noembed><p></noembed>",
           "<iframe>(<p>)</iframe><noframes>(<p>)</noframes><noembed>(<p>)</noembed>"},
          {"<plaintext></plaintext>&lt;", "<plaintext>(</plaintext>&lt;)"});
}

static void scripts(void **state)
{
    (void)state;
    CHECK({"<script>a<b</script>c", "<script>(a<b)</script>(c)"},
          {"<script><!--</script>c", "<script>(<!--)</script>(c)"},
          {"<script><!--<script></script>--></script>c",
           "<script>(<!--<script></script>-->)</script>(c)"},
          {"<script><!--<script>--></script>c", "<script>(<!--<script>-->)</script>(c)"},
          {"<script><!--><script></script>c", "<script>(<!--><script>)</script>(c)"},
          {"<script><!--<scripts></script>c", "<script>(<!--<scripts>)</script>(c)"},
          {"<script><!--<script></script>", "<script>(<!--<script></script>)"});
}

static void foreign_content_is_markup(void **state)
{
    (void)state;
    check("<title/>a<style><b></style>", 27, true, "<title/>(a)<style><b></style>");
    check("<![CDATA[a<b>&lt;\r\n]]]>c", 24, true, "(a<b>&lt;\n]c)");
    check("<![CDATA[]]><![CDATA[a", 22, true, "(a)");
}

static const unsigned char *find_entity(const char *name)
{
    static unsigned char room[MIME_ENTITY_ROOM];
    size_t len = strlen(name);
    return mime_entity_find(name, len, name + len, room);
}

static void entities_are_found_by_their_name(void **state)
{
    (void)state;
    const unsigned char *e = find_entity("eacute");
    assert_non_null(e);
    assert_memory_equal(e, "\x82é", 3);
    e = find_entity("nGt");
    assert_non_null(e);
    assert_int_equal(*e, 6);
    assert_memory_equal(find_entity("CounterClockwiseContourIntegral"), "\x03∳", 4);
    assert_null(find_entity("eacut"));
    assert_null(find_entity("eacute;"));
    assert_null(find_entity(""));
    assert_null(find_entity("CounterClockwiseContourIntegrals"));
    assert_null(find_entity("CounterClockwiseContourIntegra"));
    assert_null(find_entity("A"));
    assert_null(find_entity("zzzz"));
}

/* Where a slot of MIME_ELEMENTS is not the name's, its message says which is. */
static void every_element_is_found(void **state)
{
    (void)state;
    for (int id = EL_UNKNOWN + 1; id < EL_COUNT; id++) {
        const char *name = mime_elements[id].name;
        size_t len = strlen(name);
        if (mime_element_find(name, len, name + len).id != id)
            fail_msg("%s: its slot is %zu", name,
                     mime_element_slot(octets_word(name, len, name + len)));
        char larger[MIME_ELEMENT_NAME + 1] = {0};
        for (size_t i = 0; i < len; i++)
            larger[i] = (char)toupper(name[i]);
        assert_int_equal(mime_element_find(larger, len, larger + sizeof larger).id, id);
        assert_true(mime_element_find(larger, len + 1, larger + sizeof larger).id >= EL_COUNT);
        if (len > 1)
            assert_int_not_equal(mime_element_find(name, len - 1, name + len).id, id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_and_tags),
        cmocka_unit_test(attributes_in_every_quoting),
        cmocka_unit_test(comments_and_declarations),
        cmocka_unit_test(references),
        cmocka_unit_test(line_ends_and_nul),
        cmocka_unit_test(content_that_is_text),
        cmocka_unit_test(scripts),
        cmocka_unit_test(foreign_content_is_markup),
        cmocka_unit_test(entities_are_found_by_their_name),
        cmocka_unit_test(every_element_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
