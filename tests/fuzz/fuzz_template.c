/* Any bytes as a template, a partial "p" and data, apart by NULs: what compiles is rendered within
 * its bounds as each kind, and a header never has a control in it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/utf8.h"
#include "template/template.h"

#define MOST 100000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static bool utf8(const char *s, size_t len)
{
    return len == 0 || utf8_valid(s, len);
}

static void check_fault(const template_fault *fault, size_t len)
{
    require(fault->text[0] && strlen(fault->text) < sizeof fault->text);
    require(fault->line <= len + 1 && fault->column <= len + 1);
}

static void check_header(const buf *out, size_t from)
{
    for (size_t i = from; i < out->len; i++) {
        unsigned char c = (unsigned char)out->data[i];
        require(c >= ' ' && c != 0x7F);
        require(c != ' ' || (i > from && i + 1 < out->len && out->data[i + 1] != ' '));
        require(c != 0xC2 || (unsigned char)out->data[i + 1] >= 0xA0);
    }
}

static void check(const template_set *s, const char *name, template_kind kind, const json_t *data,
                  size_t len)
{
    template_fault fault;
    template_options options = {.most = MOST, .steps = 20000};
    buf out = BUF_INIT;
    buf_adds(&out, "\n");
    if (template_render(template_set_find(s, name), data, &options, &out, &fault)) {
        require(out.len <= MOST + 1 && out.data[0] == '\n');
        require(utf8(out.data, out.len));
        if (kind == TEMPLATE_HEADER)
            check_header(&out, 1);
    } else
        check_fault(&fault, len);
    buf_free(&out);
}

/* The next text; what is behind its NUL is left. */
static const char *next(const char **at, size_t *left, size_t *len)
{
    const char *text = *at, *end = memchr(text, '\0', *left);
    *len = end ? (size_t)(end - text) : *left;
    *at = end ? end + 1 : text + *len;
    *left -= end ? *len + 1 : *len;
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"text", "html", "header"};
    const char *at = (const char *)data;
    size_t left = size, len, partial_len, data_len;
    const char *source = next(&at, &left, &len), *partial = next(&at, &left, &partial_len);
    const char *text = next(&at, &left, &data_len);
    template_fault fault;
    template_set *s = template_set_create();
    json_t *value = json_loadb(text, data_len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    require(s != NULL);
    if (!value)
        value = json_loads("{\"a\": [{\"b\": \"<\\r\\n\\u0085\"}, 2.5], \"b\": {\"a\": \"p\"}}", 0,
                           NULL);
    require(value != NULL);
    if (!template_set_add(s, "p", TEMPLATE_TEXT, partial, partial_len, &fault))
        check_fault(&fault, partial_len);
    for (int kind = TEMPLATE_TEXT; kind <= TEMPLATE_HEADER; kind++) {
        if (template_set_add(s, names[kind], (template_kind)kind, source, len, &fault))
            check(s, names[kind], (template_kind)kind, value, size);
        else
            check_fault(&fault, len);
    }
    json_decref(value);
    template_set_free(s);
    return 0;
}
