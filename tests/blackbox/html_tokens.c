/* For test_html.py: reads a JSON array of documents on stdin; writes one of their tokens and texts:
 * [[token...], text], a token as ["text", s], ["start", name, [[attribute, value]...], closed],
 * ["end", name], ["comment", s] or ["doctype"]. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "mime/html.h"
#include "mime/text.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* What the tokenizer leaves to its caller: lower case, LF, no NUL. */
static json_t *cooked(const char *s, size_t len, bool fold)
{
    buf b = BUF_INIT;
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '\r')
            buf_adds(&b, i + 1 < len && s[i + 1] == '\n' ? "" : "\n");
        else if (s[i] == '\0')
            buf_adds(&b, "\xEF\xBF\xBD");
        else
            buf_addc(&b, fold && s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] | 0x20) : s[i]);
    }
    require(buf_cstr(&b) != NULL);
    json_t *string = json_stringn(b.data, b.len);
    require(string != NULL);
    buf_free(&b);
    return string;
}

static json_t *attributes(mime_html_token *token)
{
    json_t *list = json_array();
    buf scratch = BUF_INIT;
    mime_html_attribute a;
    while (mime_html_next_attribute(token, &a)) {
        require(mime_html_decode(&a, &scratch));
        json_t *value = json_stringn(a.value ? a.value : "", a.value_len);
        require(value != NULL);
        json_array_append_new(list, json_pack("[o,o]", cooked(a.name, a.name_len, true), value));
    }
    buf_free(&scratch);
    return list;
}

static json_t *tokens(const char *html, size_t len)
{
    json_t *list = json_array();
    mime_html h;
    mime_html_token t;
    mime_html_init(&h, html, len);
    for (mime_html_kind kind; (kind = mime_html_next(&h, &t)) != MIME_HTML_END;) {
        json_t *token = NULL;
        if (kind == MIME_HTML_TEXT)
            token = json_pack("[s,s%]", "text", t.data, t.len);
        else if (kind == MIME_HTML_START_TAG)
            token = json_pack("[s,o,o,b]", "start", cooked(t.data, t.len, true), attributes(&t),
                              t.self_closing);
        else if (kind == MIME_HTML_END_TAG)
            token = json_pack("[s,o]", "end", cooked(t.data, t.len, true));
        else if (kind == MIME_HTML_COMMENT)
            token = json_pack("[s,o]", "comment", cooked(t.data, t.len, false));
        else
            token = json_pack("[s]", "doctype");
        require(token != NULL);
        json_array_append_new(list, token);
    }
    return list;
}

int main(void)
{
    json_t *documents = json_loadf(stdin, JSON_ALLOW_NUL, NULL), *document;
    json_t *answers = json_array();
    size_t i;
    require(documents != NULL);
    json_array_foreach(documents, i, document)
    {
        const char *html = json_string_value(document);
        size_t len = json_string_length(document);
        char *tight = malloc(len ? len : 1); /* so that the sanitizers see a step behind it */
        buf text = BUF_INIT;
        require(html && tight);
        memcpy(tight, html, len);
        require(mime_text_from_html(tight, len, &text));
        json_t *said = json_stringn(text.data ? text.data : "", text.len);
        require(said != NULL);
        json_array_append_new(answers, json_pack("[o,o]", tokens(tight, len), said));
        buf_free(&text);
        free(tight);
    }
    require(json_dumpf(answers, stdout, 0) == 0);
    json_decref(answers);
    json_decref(documents);
    return 0;
}
