/* What prepare makes of one string. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "template/words.h"

static bool is_link(const char *s)
{
    return words_is_link(s, strlen(s));
}

static void only_web_links_are_links(void **state)
{
    (void)state;
    assert_true(is_link("https://example.com/a?b=c&d=%20#e"));
    assert_true(is_link("http://alertmanager:9093"));
    assert_true(is_link("HTTPS://example.com"));
    assert_true(is_link("https://example.com/\xE6\xB8\xA1"));
    static const char *const others[] = {"",
                                         "https://",
                                         "https:///etc/passwd",
                                         "https://?q",
                                         "javascript:alert(1)//https://example.com",
                                         " https://example.com",
                                         "https:example.com",
                                         "data:text/html,x",
                                         "//example.com",
                                         "mailto:a@example.com",
                                         "https://example.com/a b",
                                         "https://example.com/\r\nx",
                                         "https://example.com/\"onclick=",
                                         "https://example.com/<script>",
                                         "https://example.com\\@evil"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(is_link(others[i]));
    assert_false(words_is_link("https://example.com/\0x", 22));
    buf long_one = BUF_INIT;
    buf_adds(&long_one, "https://");
    while (long_one.len <= WORDS_LINK_MAX)
        buf_addc(&long_one, 'a');
    assert_true(words_is_link(long_one.data, WORDS_LINK_MAX));
    assert_false(words_is_link(long_one.data, WORDS_LINK_MAX + 1));
    buf_free(&long_one);
}

static void assert_few(const char *text, size_t most, const char *expected, size_t left)
{
    size_t more = 99;
    json_t *few = words_few(text, strlen(text), most, &more);
    assert_string_equal(json_string_value(few), expected);
    assert_int_equal(more, left);
    json_decref(few);
}

static void few_counts_characters(void **state)
{
    (void)state;
    assert_few("", 3, "", 0);
    assert_few("abc", 3, "abc", 0);
    assert_few("abcd", 3, "ab\xE2\x80\xA6", 1);
    assert_few("a  bcd", 4, "a\xE2\x80\xA6", 2);
    assert_few("\xE6\xB8\xA1\xE8\xBC\xAA\xE5\x9C\xA8\xE4\xB8\xAD", 3,
               "\xE6\xB8\xA1\xE8\xBC\xAA\xE2\x80\xA6", 1);
    assert_few("ab", 1, "\xE2\x80\xA6", 1);
    assert_few("ab", 0, "", 2);
    size_t more;
    assert_null(words_few("\xFF", 1, 5, &more));
}

static void assert_short(const char *hash, const char *expected)
{
    json_t *s = words_short(hash, strlen(hash));
    if (expected)
        assert_string_equal(json_string_value(s), expected);
    else
        assert_null(s);
    json_decref(s);
}

static void hashes_are_shortened(void **state)
{
    (void)state;
    assert_short("0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c", "0d1a26e6");
    assert_short("0000000000000000000000000000000000000000", NULL);
    assert_short("0d1a26e", NULL);
    assert_short("not a hash at all", NULL);
    assert_short("", NULL);
}

static void assert_ref(const char *ref, const char *name, words_ref_kind expected)
{
    words_ref_kind kind;
    json_t *s = words_ref(ref, strlen(ref), &kind);
    assert_string_equal(json_string_value(s), name);
    assert_int_equal(kind, expected);
    json_decref(s);
}

static void references_have_names(void **state)
{
    (void)state;
    assert_ref("refs/heads/feature/map", "feature/map", WORDS_REF_BRANCH);
    assert_ref("refs/tags/v1", "v1", WORDS_REF_TAG);
    assert_ref("refs/heads/", "refs/heads/", WORDS_REF_OTHER);
    assert_ref("main", "main", WORDS_REF_OTHER);
    assert_ref("", "", WORDS_REF_OTHER);
}

/* The spans in a form that is read at a glance: text, [text](url), *text*, `text`. */
static void assert_mrkdwn(const char *text, const char *expected)
{
    json_t *lines = words_mrkdwn(text, strlen(text));
    assert_non_null(lines);
    buf all = BUF_INIT;
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *spans = json_object_get(json_array_get(lines, i), "spans");
        for (size_t k = 0; k < json_array_size(spans); k++) {
            const char *s, *url;
            int bold, code;
            assert_int_equal(json_unpack(json_array_get(spans, k), "{s:s,s:s,s:b,s:b}", "text", &s,
                                         "url", &url, "bold", &bold, "code", &code),
                             0);
            const char *mark = *url ? "[" : bold ? "*" : code ? "`" : "";
            buf_addf(&all, "%s%s%s", k > 0 ? "+" : "", mark, s);
            buf_addf(&all, "%s%s%s", *url ? "](" : mark, url, *url ? ")" : "");
        }
        buf_adds(&all, i + 1 < json_array_size(lines) ? "\n" : "");
    }
    assert_string_equal(buf_cstr(&all), expected);
    buf_free(&all);
    json_decref(lines);
}

static void slacks_markup_is_read(void **state)
{
    (void)state;
    assert_mrkdwn("", "");
    assert_mrkdwn("plain &amp; &lt;b&gt; &copy;", "plain & <b> &copy;");
    assert_mrkdwn("see <https://a.example/?x=1&amp;y|run 1>!",
                  "see +[run 1](https://a.example/?x=1&y)+!");
    assert_mrkdwn("<https://a.example>", "[https://a.example](https://a.example)");
    assert_mrkdwn("<mailto:a@b.example|a@b.example>", "[a@b.example](mailto:a@b.example)");
    assert_mrkdwn("<javascript:alert(1)|click>", "click");
    assert_mrkdwn("<https://a.example/&lt;|x>", "x");
    assert_mrkdwn("<@U1> <#C1|deploys> <!here> <!subteam^S1|@ops>", "@U1+ +deploys+ +here+ +@ops");
    assert_mrkdwn("*bold* and `code`", "*bold*+ and +`code`");
    assert_mrkdwn("2*3*4 and * no * and **", "2*3*4 and * no * and **");
    assert_mrkdwn("*<https://a.example|a>*", "*+[a](https://a.example)+*");
    assert_mrkdwn("one\r\ntwo\n\n", "one\ntwo\n\n");
    assert_mrkdwn("open <bracket, `tick, *star", "open <bracket, `tick, *star");
    assert_mrkdwn("<>", "");
    assert_mrkdwn("<|>", "");
}

static void markup_can_be_left_out(void **state)
{
    (void)state;
    static const char text[] = "*a* <https://a.example|b>\n`c` &lt;d";
    json_t *lines = words_mrkdwn(text, sizeof(text) - 1);
    json_t *plain = words_plain(lines);
    assert_string_equal(json_string_value(plain), "a b\nc <d");
    json_decref(plain);
    json_decref(lines);
    assert_null(words_mrkdwn("a\xFF", 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_web_links_are_links), cmocka_unit_test(few_counts_characters),
        cmocka_unit_test(hashes_are_shortened),     cmocka_unit_test(references_have_names),
        cmocka_unit_test(slacks_markup_is_read),    cmocka_unit_test(markup_can_be_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
