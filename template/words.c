#include "template/words.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/hex.h"

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

static bool begins(const char *s, size_t len, const char *with)
{
    size_t n = strlen(with);
    return len >= n && strncasecmp(s, with, n) == 0;
}

static const bool ends_links[256] = {
    ['"'] = true, ['\''] = true, ['<'] = true, ['>'] = true, ['\\'] = true, ['^'] = true,
    ['`'] = true, ['{'] = true,  ['|'] = true, ['}'] = true, [0x7F] = true,
};

/* No controls, no blanks, none of what HTML or Slack end an attribute or a link with. */
static bool is_plain_url(const char *s, size_t len)
{
    if (len > WORDS_LINK_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c <= ' ' || ends_links[c])
            return false;
    }
    return true;
}

bool words_is_link(const char *s, size_t len)
{
    size_t scheme = begins(s, len, "https://") ? 8 : begins(s, len, "http://") ? 7 : 0;
    return scheme > 0 && len > scheme && !strchr("/?#", s[scheme]) && is_plain_url(s, len);
}

json_t *words_few(const char *s, size_t len, size_t most, size_t *more)
{
    size_t characters = 0, cut = 0;
    for (size_t i = 0; i < len; i++) {
        if (is_continuation(s[i]))
            continue;
        if (characters + 1 == most)
            cut = i; /* the character that gives its place to the ellipsis */
        characters++;
    }
    *more = characters > most ? characters - most : 0;
    if (*more == 0)
        return json_stringn(s, len);
    while (cut > 0 && strchr(" \t\r\n", s[cut - 1]))
        cut--;
    buf b = BUF_INIT;
    buf_add(&b, s, cut);
    if (most > 0)
        buf_adds(&b, "\xE2\x80\xA6");
    json_t *few = buf_cstr(&b) ? json_stringn(b.data, b.len) : NULL;
    buf_free(&b);
    return few;
}

json_t *words_short(const char *s, size_t len)
{
    bool zeros = true;
    for (size_t i = 0; i < len; i++) {
        if (hex_digit(s[i]) < 0)
            return NULL;
        zeros = zeros && s[i] == '0';
    }
    return len >= 8 && !zeros ? json_stringn(s, 8) : NULL;
}

json_t *words_ref(const char *s, size_t len, words_ref_kind *kind)
{
    static const struct {
        const char *prefix;
        words_ref_kind kind;
    } kinds[] = {{"refs/heads/", WORDS_REF_BRANCH}, {"refs/tags/", WORDS_REF_TAG}};
    *kind = WORDS_REF_OTHER;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t n = strlen(kinds[i].prefix);
        if (len > n && memcmp(s, kinds[i].prefix, n) == 0) {
            *kind = kinds[i].kind;
            return json_stringn(s + n, len - n);
        }
    }
    return json_stringn(s, len);
}

/* --- Slack's mrkdwn -----------------------------------------------------------------------------
 */

typedef struct slice {
    const char *s;
    size_t len;
} slice;

/* The text with &amp; &lt; &gt; read: the only ones that Slack writes. */
static bool add_read(buf *b, slice t)
{
    static const struct {
        const char *written;
        char read;
    } entities[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}};
    for (size_t i = 0; i < t.len;) {
        size_t step = 1;
        char c = t.s[i];
        for (size_t e = 0; c == '&' && e < sizeof(entities) / sizeof(entities[0]); e++) {
            size_t n = strlen(entities[e].written);
            if (t.len - i >= n && memcmp(t.s + i, entities[e].written, n) == 0) {
                c = entities[e].read;
                step = n;
                break;
            }
        }
        buf_addc(b, c);
        i += step;
    }
    return buf_ok(b);
}

static json_t *read_string(slice t)
{
    buf b = BUF_INIT;
    add_read(&b, t);
    json_t *string = buf_cstr(&b) ? json_stringn(b.data, b.len) : NULL;
    buf_free(&b);
    return string;
}

/* The link of <link|text>, as it goes into href; "" if it must not. */
static json_t *read_link(slice link)
{
    json_t *url = read_string(link);
    const char *s = json_string_value(url);
    size_t len = json_string_length(url);
    if (url && !words_is_link(s, len) && !(begins(s, len, "mailto:") && is_plain_url(s, len))) {
        json_decref(url);
        url = json_string("");
    }
    return url;
}

static bool add_span(json_t *spans, slice text, slice link, bool bold, bool code)
{
    if (text.len == 0)
        return true;
    return json_array_append_new(spans,
                                 json_pack("{s:o, s:o, s:b, s:b}", "text", read_string(text), "url",
                                           read_link(link), "bold", bold, "code", code)) == 0;
}

/* What <…> holds: a link, or a mention (@U1, #C1, !here), each with a text after a bar or without.
 */
static bool add_angle(json_t *spans, slice in)
{
    const char *bar = memchr(in.s, '|', in.len);
    slice target = {in.s, bar ? (size_t)(bar - in.s) : in.len};
    slice text = bar ? (slice){bar + 1, (size_t)(in.s + in.len - bar - 1)} : target;
    bool mention = target.len > 0 && strchr("@#!", target.s[0]) != NULL;
    if (text.len == 0)
        text = target;
    if (mention && !bar && target.s[0] == '!')
        text = (slice){target.s + 1, target.len - 1};
    return add_span(spans, text, mention ? (slice){"", 0} : target, false, false);
}

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (unsigned char)c >= 0x80;
}

/* The length of the marked text that begins at `at` with its mark; 0: it is a mere character. Bold
 * stands between words, code anywhere. */
static size_t marked(slice line, size_t at)
{
    char mark = line.s[at];
    if (mark == '<') {
        const char *end = memchr(line.s + at, '>', line.len - at);
        return end ? (size_t)(end - line.s) - at + 1 : 0;
    }
    if (mark != '`' && mark != '*')
        return 0;
    const char *end = at + 1 < line.len ? memchr(line.s + at + 1, mark, line.len - at - 1) : NULL;
    size_t close = end ? (size_t)(end - line.s) : 0;
    if (!end || close == at + 1)
        return 0;
    if (mark == '*' && ((at > 0 && is_word(line.s[at - 1])) || line.s[at + 1] == ' ' ||
                        (close + 1 < line.len && is_word(line.s[close + 1])) ||
                        memchr(line.s + at, '<', close - at)))
        return 0;
    return close - at + 1;
}

/* A line is looked at once for each mark that nothing closes: `tries` bounds what a line of marks
 * alone costs. */
static bool add_spans(json_t *spans, slice line)
{
    const slice none = {"", 0};
    size_t from = 0, tries = 200;
    bool ok = true;
    for (size_t i = 0; ok && i < line.len;) {
        bool mark = tries > 0 && strchr("<*`", line.s[i]) && line.s[i] != '\0';
        tries -= mark;
        size_t n = mark ? marked(line, i) : 0;
        if (n == 0) {
            i++;
            continue;
        }
        slice inner = {line.s + i + 1, n - 2};
        ok = add_span(spans, (slice){line.s + from, i - from}, none, false, false) &&
             (line.s[i] == '<' ? add_angle(spans, inner)
                               : add_span(spans, inner, none, line.s[i] == '*', line.s[i] == '`'));
        i += n;
        from = i;
    }
    return ok && add_span(spans, (slice){line.s + from, line.len - from}, none, false, false);
}

json_t *words_mrkdwn(const char *s, size_t len)
{
    json_t *lines = json_array();
    bool ok = lines != NULL;
    for (size_t at = 0; ok && at <= len;) {
        const char *end = at < len ? memchr(s + at, '\n', len - at) : NULL;
        size_t next = end ? (size_t)(end - s) : len;
        slice line = {s + at, next - at};
        if (line.len > 0 && line.s[line.len - 1] == '\r')
            line.len--;
        json_t *spans = json_array();
        ok = spans && add_spans(spans, line);
        ok = json_array_append_new(lines, json_pack("{s:o}", "spans", spans)) == 0 && ok;
        at = next + 1;
    }
    if (!ok) {
        json_decref(lines);
        return NULL;
    }
    return lines;
}

json_t *words_plain(const json_t *lines)
{
    buf b = BUF_INIT;
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *spans = json_object_get(json_array_get(lines, i), "spans");
        if (i > 0)
            buf_addc(&b, '\n');
        for (size_t k = 0; k < json_array_size(spans); k++) {
            const json_t *text = json_object_get(json_array_get(spans, k), "text");
            buf_add(&b, json_string_value(text), json_string_length(text));
        }
    }
    json_t *plain = buf_cstr(&b) ? json_stringn(b.data, b.len) : NULL;
    buf_free(&b);
    return plain;
}
