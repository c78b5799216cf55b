/* Any bytes as HTML: the tokens stay within the input and UTF-8 stays UTF-8, and so does the text,
 * which grows with the input only and has the form that text.h promises. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "mime/html.h"
#include "mime/text.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_attributes(mime_html_token *token, bool utf8)
{
    mime_html_attribute a;
    buf scratch = BUF_INIT;
    while (mime_html_next_attribute(token, &a)) {
        size_t raw = a.value_len;
        require(a.name_len > 0 && a.name > token->data && a.name < token->attributes_end);
        require(raw == 0 || a.value + raw <= token->attributes_end);
        require(mime_html_decode(&a, &scratch));
        require(a.value_len <= 3 * raw);
        require(!utf8 || a.value_len == 0 || utf8_valid(a.value, a.value_len));
        require(!a.value_len || !memchr(a.value, '\0', a.value_len));
    }
    buf_free(&scratch);
}

/* `foreign`: as if all were inside of <svg>. */
static void check_tokens(const char *html, size_t len, bool utf8, bool foreign)
{
    mime_html h;
    mime_html_token token;
    mime_html_kind kind;
    size_t tokens = 0, text = 0;
    mime_html_init(&h, html, len);
    h.foreign = foreign;
    while ((kind = mime_html_next(&h, &token)) != MIME_HTML_END) {
        require(++tokens <= len && h.at >= html && h.at <= html + len);
        require(!utf8 || utf8_valid(token.data, token.len));
        if (kind == MIME_HTML_TEXT)
            text += token.len;
        else
            require(token.data >= html && token.data + token.len <= html + len);
        require(kind != MIME_HTML_TEXT || token.len > 0);
        if (kind == MIME_HTML_START_TAG || kind == MIME_HTML_END_TAG)
            check_attributes(&token, utf8);
    }
    require(text <= 3 * len && mime_html_next(&h, &token) == MIME_HTML_END);
}

static void check_text(const buf *out, size_t len, bool utf8)
{
    require(out->len <= 8 * len + 8192);
    if (out->len == 0)
        return;
    require(!utf8 || utf8_valid(out->data, out->len));
    require(!memchr(out->data, '\r', out->len) && !memchr(out->data, '\0', out->len));
    require(out->data[0] != '\n' && out->data[out->len - 1] == '\n');
    require(out->len > 1 && out->data[out->len - 2] != '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *html = (const char *)data;
    bool utf8 = utf8_valid(html, size);
    buf out = BUF_INIT;
    check_tokens(html, size, utf8, false);
    check_tokens(html, size, utf8, true);
    require(mime_text_from_html(html, size, &out));
    check_text(&out, size, utf8);
    buf_free(&out);
    return 0;
}
