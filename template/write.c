#include "template/write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonw.h"

#define JSON_DEPTH 256 /* of a value written as JSON; deeper than what a request may have */

static bool stop(writer *w, const char *why)
{
    if (!w->stopped)
        w->stopped = why;
    return false;
}

bool writer_add(writer *w, const char *text, size_t len)
{
    if (len > w->left)
        return stop(w, "the result is too large");
    if (len == 0)
        return true;
    if (!buf_reserve(w->out, len))
        return stop(w, "there is no memory");
    w->left -= len;
    memcpy(w->out->data + w->out->len, text, len);
    w->out->len += len;
    return true;
}

bool writer_step(writer *w, uint64_t steps)
{
    if (steps > w->steps)
        return stop(w, "it takes too many steps");
    w->steps -= steps;
    return true;
}

slice writer_string(const writer *w, const json_t *value)
{
    slice s = {NULL, 0};
    if (w->options->string)
        s.text = w->options->string(w->options->ctx, value, &s.len);
    else
        s = (slice){json_string_value(value), json_string_length(value)};
    return s.text ? s : (slice){"", 0};
}

/* ---- HTML ---- */

static const char special[256] = {['&'] = 1, ['<'] = 2, ['>'] = 3, ['"'] = 4, ['\''] = 5};

static const slice entities[] = {{"", 0},     {"&amp;", 5},  {"&lt;", 4},
                                 {"&gt;", 4}, {"&quot;", 6}, {"&#39;", 5}};

static bool add_escaped(writer *w, slice s)
{
    size_t from = 0;
    for (size_t i = 0; i < s.len; i++) {
        size_t which = (size_t)special[(unsigned char)s.text[i]];
        if (which == 0)
            continue;
        if (!writer_add(w, s.text + from, i - from) ||
            !writer_add(w, entities[which].text, entities[which].len))
            return false;
        from = i + 1;
    }
    return from == s.len || writer_add(w, s.text + from, s.len - from);
}

/* ---- values ---- */

/* With no more digits than it takes to tell it from its neighbours. */
static slice real_text(double n, char out[32])
{
    int len = 0;
    for (int digits = 15; digits <= 17; digits++) {
        len = snprintf(out, 32, "%.*g", digits, n);
        if (strtod(out, NULL) == n)
            break;
    }
    return (slice){out, len > 0 ? (size_t)len : 0};
}

static slice number_text(const json_t *value, char out[32])
{
    if (json_is_real(value))
        return real_text(json_real_value(value), out);
    int len = snprintf(out, 32, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    return (slice){out, len > 0 ? (size_t)len : 0};
}

/* What a JSON text is written into: of no more octets than the result may have. */
typedef struct json_text {
    writer *w;
    jsonw json;
    buf text;
} json_text;

static bool add_json(json_text *t, const json_t *value, size_t depth);

static bool add_members(json_text *t, const json_t *object, size_t depth)
{
    const char *name;
    json_t *value;
    jsonw_object(&t->json);
    json_object_foreach((json_t *)object, name, value)
    {
        jsonw_str(&t->json, name);
        buf_addc(&t->text, ':');
        t->json.comma = false;
        if (!add_json(t, value, depth))
            return false;
    }
    jsonw_object_end(&t->json);
    return true;
}

static bool add_items(json_text *t, const json_t *array, size_t depth)
{
    size_t i;
    json_t *value;
    jsonw_array(&t->json);
    json_array_foreach(array, i, value)
    {
        if (!add_json(t, value, depth))
            return false;
    }
    jsonw_array_end(&t->json);
    return true;
}

static bool add_json(json_text *t, const json_t *value, size_t depth)
{
    char number[32];
    slice s;
    if (!writer_step(t->w, 1))
        return false;
    if (depth == JSON_DEPTH)
        return stop(t->w, "a value is too deep to be written");
    if (t->text.len > t->w->left)
        return stop(t->w, "the result is too large");
    switch (json_typeof(value)) {
    case JSON_OBJECT: return add_members(t, value, depth + 1);
    case JSON_ARRAY: return add_items(t, value, depth + 1);
    case JSON_STRING:
        s = writer_string(t->w, value);
        if (s.len > t->w->left)
            return stop(t->w, "the result is too large");
        jsonw_strn(&t->json, s.text, s.len);
        return true;
    case JSON_INTEGER:
    case JSON_REAL:
        s = number_text(value, number);
        jsonw_raw(&t->json, s.text, s.len);
        return true;
    case JSON_TRUE:
    case JSON_FALSE: jsonw_bool(&t->json, json_is_true(value)); return true;
    default: jsonw_null(&t->json); return true;
    }
}

static bool add_slice(writer *w, slice s, bool escaped)
{
    return escaped ? add_escaped(w, s) : writer_add(w, s.text, s.len);
}

/* An object or array. Rare, so that it may go by way of a text of its own. */
static bool add_tree(writer *w, const json_t *value, bool escaped)
{
    json_text t = {.w = w, .text = BUF_INIT};
    jsonw_init(&t.json, &t.text);
    bool done = add_json(&t, value, 0);
    if (done && !buf_ok(&t.text))
        done = stop(w, "there is no memory");
    if (done)
        done = add_slice(w, (slice){t.text.data, t.text.len}, escaped);
    buf_free(&t.text);
    return done;
}

bool writer_value(writer *w, const json_t *value, bool raw)
{
    bool escaped = w->kind == TEMPLATE_HTML && !raw;
    char number[32];
    slice s;
    switch (json_typeof(value)) {
    case JSON_STRING: return add_slice(w, writer_string(w, value), escaped);
    case JSON_INTEGER:
    case JSON_REAL: s = number_text(value, number); return writer_add(w, s.text, s.len);
    case JSON_TRUE: return writer_add(w, "true", 4);
    case JSON_FALSE: return writer_add(w, "false", 5);
    case JSON_NULL: return true;
    default: return add_tree(w, value, escaped);
    }
}

/* ---- headers ---- */

/* Octets of the control or blank there (U+0000 to U+0020, U+007F to U+009F, U+2028, U+2029); 0: it
 * is none. */
static size_t control(const unsigned char *s, size_t len)
{
    if (*s <= ' ' || *s == 0x7F)
        return 1;
    if (*s == 0xC2 && len >= 2 && s[1] >= 0x80 && s[1] <= 0x9F)
        return 2;
    return *s == 0xE2 && len >= 3 && s[1] == 0x80 && (s[2] & 0xFE) == 0xA8 ? 3 : 0;
}

void writer_collapse(buf *b, size_t from)
{
    unsigned char *s = (unsigned char *)b->data;
    size_t to = from;
    bool apart = false;
    for (size_t i = from; i < b->len;) {
        size_t n = control(s + i, b->len - i);
        if (n > 0) {
            apart = true;
            i += n;
            continue;
        }
        if (apart && to > from)
            s[to++] = ' ';
        apart = false;
        s[to++] = s[i++];
    }
    b->len = to;
}
