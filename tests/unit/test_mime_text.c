/* Tests of mime/text: HTML as a reader of plain text wants it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mime/text.h"

typedef struct text_case {
    const char *html, *text;
} text_case;

static void check_all(const text_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf out = BUF_INIT;
        assert_true(mime_text_from_html(cases[i].html, strlen(cases[i].html), &out));
        assert_string_equal(buf_cstr(&out), cases[i].text);
        buf_free(&out);
    }
}

#define CHECK(...)                                                                                 \
    do {                                                                                           \
        static const text_case cases[] = {__VA_ARGS__};                                            \
        check_all(cases, sizeof cases / sizeof *cases);                                            \
    } while (0)

static void html_becomes_readable_text(void **state)
{
    (void)state;
    CHECK({"", ""}, {"plain", "plain\n"}, {"<p>one</p><p>two</p>", "one\n\ntwo\n"},
          {"<h1>Title</h1>text<br>next<br><br>last", "Title\n\ntext\nnext\n\nlast\n"},
          {"a  b\n\tc <b> d</b>e", "a b c de\n"},
          {"<ul><li>one<li>two<ul><li>deep</ul></ul>after", "- one\n- two\n  - deep\n\nafter\n"},
          {"<ol><li>a</li><li>b</li></ol>", "1. a\n2. b\n"},
          {"<a href=\"https://x.example/y\">here</a>.", "here <https://x.example/y>.\n"},
          {"<a href=\"https://x.example/\">https://x.example</a>", "https://x.example\n"},
          {"<a href=\"mailto:a@b.c\">a@b.c</a>", "a@b.c\n"},
          {"<a href=\"#top\">top</a> <a href=\"javascript:x()\">run</a>", "top run\n"},
          {"<table><tr><th>A<th>B<tr><td>1<td>2</table>", "A | B\n1 | 2\n"},
          {"<img src=\"cid:l\" alt=\"Logo\"> Shop", "Logo Shop\n"}, {"<img src=\"cid:l\">", ""},
          {"<style>p{}</style><script>x<y</script><title>t</title><p>seen</p>", "seen\n"},
          {"<head><title>t</title></head><body>seen", "seen\n"},
          {"<div style=\"display : none\">hidden <b>all</b></div>seen", "seen\n"},
          {"<pre>a\n  b\n</pre>c", "a\n  b\n\nc\n"},
          {"<blockquote>said<br>so</blockquote>me", "> said\n> so\n\nme\n"},
          {"a<hr>b", "a\n\n----\n\nb\n"}, {"&lt;&amp;&gt; &eacute;&#x1F600;", "<&> é😀\n"},
          {"<p>broken <b>markup <i>here</p> and there", "broken markup here\n\nand there\n"},
          {"<meta charset=\"gbk\"><p>您好</p>", "您好\n"});
}

static void links_say_their_target_once(void **state)
{
    (void)state;
    CHECK({"<a href='http://www.x.example/'>www.x.example</a>", "www.x.example\n"},
          {"<a href='mailto:a@b.c?subject=x'>a@b.c</a>", "a@b.c\n"},
          {"<a href='https://x.example/?a=1&amp;b=2&copy=3'>go</a>",
           "go <https://x.example/?a=1&b=2&copy=3>\n"},
          {"<a href=' https://x.example/a b '>go</a>", "go <https://x.example/a%20b>\n"},
          {"<a href='x'><img src=y></a>z", "z\n"}, {"<a href='x'><img alt=logo></a>", "logo <x>\n"},
          {"<a href=x><div>one</div></a>two", "one <x>\ntwo\n"},
          {"<a href=x>one<a href=y>two</a>", "one <x>two <y>\n"},
          {"<p><a href=x>one<p>two", "one <x>\n\ntwo\n"},
          {"<a href=x><div>one</a></div>two</a>", "one <x>\ntwo\n"}, {"<a>plain</a>", "plain\n"});
}

static void lists_nest_and_count(void **state)
{
    (void)state;
    CHECK({"<ol start=3><li>a<li value=9>b<li>c</ol>", "3. a\n9. b\n10. c\n"},
          {"<ol start=-1><li>a<li>b</ol>", "-1. a\n0. b\n"},
          {"<ol><li>a<ul><li>b<li>c</ul><li>d</ol>", "1. a\n  - b\n  - c\n2. d\n"},
          {"<ul><li><p>a</p><li><p>b</p><p>c</p><li>d</ul>", "- a\n- b\n\n  c\n- d\n"},
          {"x<ul><li></li><li>a</ul>", "x\n\n- a\n"}, {"<li>a<li>b", "- a\n- b\n"},
          {"<ul><li>a</li></ul></ul></li>b", "- a\n\nb\n"},
          {"<ul><li><div>a</div><li>b</ul>", "- a\n- b\n"},
          {"<dl><dt>a<dd>b<dt>c<dd>d</dl>", "a\nb\nc\nd\n"});
}

static void tables_go_row_by_row(void **state)
{
    (void)state;
    CHECK({"<table><tr><td><p>a</p></td><td><p>b</p></td></tr><tr><td><p>c</p><td><p>d</p></table>",
           "a | b\nc | d\n"},
          {"<table><tr><td>a<td>&nbsp;<td>b</table>", "a | b\n"},
          {"<table><tbody><tr><td>a<tr><td>b<tfoot><tr><td>c</table>d", "a\nb\nc\n\nd\n"},
          {"<table><tr><td><table><tr><td>a</table><td>b</table>c", "a\n\nb\n\nc\n"},
          {"<table><tr><td>a</div></p></span></td><td>b</td></tr></table>", "a | b\n"},
          {"<table><tr><td>one<br>two<td>three</table>", "one\ntwo\nthree\n"},
          {"<table><caption>t<tr><td>a</table>", "t\na\n"}, {"<td>a<td>b", "a | b\n"},
          {"<table>stray<tr><td>a</table>", "stray\na\n"});
}

static void quotes_and_rules(void **state)
{
    (void)state;
    CHECK(
        {"<blockquote><p>a</p><p>b</p></blockquote>c", "> a\n>\n> b\n\nc\n"},
        {"a<blockquote>b<blockquote>c</blockquote>d</blockquote>", "a\n\n> b\n>\n> > c\n>\n> d\n"},
        {"<blockquote>a</blockquote><blockquote>b</blockquote>", "> a\n\n> b\n"},
        {"<blockquote><ul><li>a<li>b</ul></blockquote>", "> - a\n> - b\n"},
        {"he said <q>yes</q>.", "he said \"yes\".\n"}, {"<hr><hr>", "----\n\n----\n"});
}

static void preformatted_text_stays(void **state)
{
    (void)state;
    CHECK({"<pre>\n  a\n\n\n\tb\n  \n</pre>c", "  a\n\n\n\tb\n\nc\n"},
          {"<pre>a  <b> b</b>  \nc</pre>", "a   b\nc\n"},
          {"<pre>a<br><br><br>b</pre>", "a\n\n\nb\n"}, {"<pre>a&nbsp;b\r\nc</pre>", "a b\nc\n"},
          {"<xmp><p>a\n  b</xmp>c", "<p>a\n  b\n\nc\n"},
          {"a<plaintext><p>b\n  c", "a\n\n<p>b\n  c\n"}, {"a<pre> \n </pre>", "a\n"});
}

static void spaces_fold(void **state)
{
    (void)state;
    CHECK({"10&nbsp;000&nbsp; &nbsp;x&nbsp;", "10 000 x\n"},
          {"<p>&nbsp;</p>a<p>\xC2\xA0</p>b", "a\n\nb\n"}, {"Donau&shy;dampf", "Donaudampf\n"},
          {"\xC2\xA9 \xC2\xAE", "© ®\n"}, {"a <b> </b> b", "a b\n"}, {"\xEF\xBB\xBF<p>a", "a\n"},
          {"a<br>", "a\n"}, {" \r\n\t", ""});
}

static void what_is_hidden_is_left_out(void **state)
{
    (void)state;
    CHECK({"<div style=\"display:none\"><p>x</div>shown", "shown\n"},
          {"<p hidden>x<p>shown", "shown\n"}, {"<p hidden>x<div>shown", "shown\n"},
          {"<ul><li hidden>x<li>shown</ul>", "- shown\n"},
          {"<table><tr><td hidden>x<td>shown</table>", "shown\n"},
          {"<table><tr hidden><td>x<tr><td>shown</table>", "shown\n"},
          {"<div><span hidden>x</div>shown", "shown\n"}, {"<b><span hidden>x</b>shown", "shown\n"},
          {"<span hidden>x<span>y</span>z</span>shown", "shown\n"},
          {"<span hidden><div>x</span>shown", "shown\n"},
          {"<span hidden><ul><li>x</span>shown</ul></li>too", "showntoo\n"},
          {"<div hidden><div>x</div>y</div>shown", "shown\n"},
          {"<div hidden><table><tr><td>x</div>y</table></div>shown", "shown\n"},
          {"<img hidden alt=x>shown<br hidden>!<input hidden>!", "shown!!\n"},
          {"<p STYLE='color:red;DISPLAY : None ! important'>x</p>shown", "shown\n"},
          {"<p style='display:none;display:block'>shown", "shown\n"},
          {"<p style='display:none!important;display:block'>x", ""},
          {"<p style='x-display:none'>shown", "shown\n"},
          {"<p style=\"content:';display:none'\">shown", "shown\n"},
          {"<p style='background:url(a;display:none)'>shown", "shown\n"},
          {"<p hidden style='display:block'>shown", "shown\n"},
          {"<p style=display&colon;none>x", ""}, {"a<span hidden>x</span>b", "ab\n"},
          {"<select><option>x</select>shown<datalist><option>x</datalist>!", "shown!\n"},
          {"<template><p>x</template>shown", "shown\n"},
          {"<head><title>x</title><p>shown", "shown\n"},
          {"<iframe><p>x</iframe><noframes>x</noframes>shown", "shown\n"});
}

static void nothing_visible_is_lost(void **state)
{
    (void)state;
    CHECK({"</div></td></ul></blockquote></pre></p>a", "a\n"}, {"<b><i>a</b>b</i>c", "abc\n"},
          {"<p>a<p>b<div>c<p>d</div>e", "a\n\nb\n\nc\n\nd\n\ne\n"},
          {"<p>a<blockquote>b</p>c</blockquote>d", "a\n\n> b\n>\n> c\n\nd\n"},
          {"<h1>a<h2>b</h1>c", "a\n\nb\n\nc\n"},
          {"<textarea>\na</textarea><button>b</button>", "ab\n"},
          {"<object>a</object><video>b</video><noscript>c</noscript>", "abc\n"},
          {"<body hidden>a</body>b</html>c", "abc\n"}, {"a<!-- x -->b<!doctype x>c", "abc\n"},
          {"a</br>b", "a\nb\n"}, {"1 < 2 & 3 > 2", "1 < 2 & 3 > 2\n"},
          {"<svg><title/><text>a</text><style/></svg>b", "ab\n"},
          {"<svg><title>x</title><desc>x</desc><path><p>b", "b\n"},
          {"<svg><![CDATA[<b>]]></svg>c", "<b>c\n"}, {"<svg hidden><title/>x</svg>b", "b\n"},
          {"<svg/><title>x</title>a", "a\n"}, {"<desc>a</desc>", "a\n"});
}

/* Text is taken sixteen bytes at a time: wherever those end, it must not show. */
static void text_is_the_same_at_every_place(void **state)
{
    (void)state;
    static const char piece[] = " a  \n&eacute;&#32;b\xC2\xA0<i>c </i> \xC3\xA9&shy;\t&x; <br>d ";
    static const char made[] = " a \xC3\xA9 b c \xC3\xA9 &x;\nd";
    for (size_t words = 0; words < 40; words++) {
        for (size_t tail = 0; tail < 40; tail++) {
            buf html = BUF_INIT, out = BUF_INIT, expected = BUF_INIT;
            for (size_t i = 0; i <= words; i++)
                buf_addc(&html, 'x');
            buf_add(&expected, html.data, html.len);
            buf_adds(&html, piece);
            buf_adds(&expected, made);
            for (size_t i = 0; i < tail; i++)
                buf_adds(&html, i % 2 ? "\n" : " ");
            buf_addc(&expected, '\n');
            assert_true(mime_text_from_html(html.data, html.len, &out));
            assert_string_equal(buf_cstr(&out), buf_cstr(&expected));
            buf_free(&html);
            buf_free(&out);
            buf_free(&expected);
        }
    }
}

static void nesting_does_not_multiply_the_text(void **state)
{
    (void)state;
    static const char *const openers[] = {"<blockquote>", "<ul>", "<ol><li>"};
    buf html = BUF_INIT, out = BUF_INIT;
    for (size_t i = 0; i < 300; i++)
        buf_adds(&html, openers[i % 3]);
    buf_adds(&html, "<pre>");
    for (size_t i = 0; i < 200000; i++)
        buf_adds(&html, "x\n");
    assert_true(mime_text_from_html(html.data, html.len, &out));
    assert_in_range(out.len, 400000, 3 * html.len + 8192);
    buf_free(&html);
    buf_free(&out);
}

static void hostile_nesting_ends(void **state)
{
    (void)state;
    static const char *const elements[] = {"<div>",           "<ul><li>", "<blockquote>",
                                           "<table><tr><td>", "<b>",      "<a href=x>"};
    for (size_t k = 0; k < sizeof elements / sizeof *elements; k++) {
        buf html = BUF_INIT, out = BUF_INIT;
        for (int i = 0; i < 20000; i++)
            buf_adds(&html, elements[k]);
        buf_adds(&html, "x");
        assert_true(mime_text_from_html(html.data, html.len, &out));
        assert_true(out.len < 1000000);
        buf_free(&html);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(html_becomes_readable_text),
        cmocka_unit_test(links_say_their_target_once),
        cmocka_unit_test(lists_nest_and_count),
        cmocka_unit_test(tables_go_row_by_row),
        cmocka_unit_test(quotes_and_rules),
        cmocka_unit_test(preformatted_text_stays),
        cmocka_unit_test(spaces_fold),
        cmocka_unit_test(what_is_hidden_is_left_out),
        cmocka_unit_test(nothing_visible_is_lost),
        cmocka_unit_test(text_is_the_same_at_every_place),
        cmocka_unit_test(nesting_does_not_multiply_the_text),
        cmocka_unit_test(hostile_nesting_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
