/* Tests of mime/text: HTML as a reader of plain text wants it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mime/text.h"

static void html_becomes_readable_text(void **state)
{
    (void)state;
    static const struct {
        const char *html, *text;
    } cases[] = {
        {"", ""},
        {"plain", "plain\n"},
        {"<p>one</p><p>two</p>", "one\n\ntwo\n"},
        {"<h1>Title</h1>text<br>next<br><br>last", "Title\n\ntext\nnext\n\nlast\n"},
        {"a  b\n\tc <b> d</b>e", "a b c de\n"},
        {"<ul><li>one<li>two<ul><li>deep</ul></ul>after", "- one\n- two\n  - deep\n\nafter\n"},
        {"<ol><li>a</li><li>b</li></ol>", "1. a\n2. b\n"},
        {"<a href=\"https://x.example/y\">here</a>.", "here <https://x.example/y>.\n"},
        {"<a href=\"https://x.example/\">https://x.example</a>", "https://x.example\n"},
        {"<a href=\"mailto:a@b.c\">a@b.c</a>", "a@b.c\n"},
        {"<a href=\"#top\">top</a> <a href=\"javascript:x()\">run</a>", "top run\n"},
        {"<table><tr><th>A<th>B<tr><td>1<td>2</table>", "A | B\n1 | 2\n"},
        {"<img src=\"cid:l\" alt=\"Logo\"> Shop", "Logo Shop\n"},
        {"<img src=\"cid:l\">", ""},
        {"<style>p{}</style><script>x<y</script><title>t</title><p>seen</p>", "seen\n"},
        {"<head><title>t</title></head><body>seen", "seen\n"},
        {"<div style=\"display : none\">hidden <b>all</b></div>seen", "seen\n"},
        {"<pre>a\n  b\n</pre>c", "a\n  b\n\nc\n"},
        {"<blockquote>said<br>so</blockquote>me", "> said\n> so\n\nme\n"},
        {"a<hr>b", "a\n\n----\n\nb\n"},
        {"&lt;&amp;&gt; &eacute;&#x1F600;", "<&> é😀\n"},
        {"<p>broken <b>markup <i>here</p> and there", "broken markup here\n\nand there\n"},
        {"<meta charset=\"gbk\"><p>您好</p>", "您好\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf out = BUF_INIT;
        assert_true(mime_text_from_html(cases[i].html, strlen(cases[i].html), &out));
        assert_string_equal(buf_cstr(&out), cases[i].text);
        buf_free(&out);
    }
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
        cmocka_unit_test(hostile_nesting_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
