#include "mime/word.h"

#include <string.h>
#include <strings.h>

#include "base/hex.h"
#include "base/utf8.h"
#include "mime/base64.h"

#define WORD_MOST 1000 /* octets of one; RFC 2047 allows 75, which not everybody knows */

/* What is between the question marks: "=?charset?encoding?text?=". */
typedef struct word {
    const char *charset, *text;
    size_t charset_len, text_len;
    char encoding;
} word;

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Whether all of the text is one. */
static bool is_word(const char *s, size_t len, word *out)
{
    if (len < 8 || len > WORD_MOST || memcmp(s, "=?", 2) != 0 || memcmp(s + len - 2, "?=", 2) != 0)
        return false;
    const char *end = s + len - 2, *first = memchr(s + 2, '?', (size_t)(end - s) - 2);
    if (!first || end - first < 3 || first[2] != '?' ||
        memchr(first + 3, '?', (size_t)(end - first) - 3))
        return false;
    const char *language = memchr(s + 2, '*', (size_t)(first - s) - 2); /* RFC 2231 section 5 */
    *out = (word){.charset = s + 2,
                  .charset_len = (size_t)((language ? language : first) - s) - 2,
                  .encoding = first[1],
                  .text = first + 3,
                  .text_len = (size_t)(end - first) - 3};
    return true;
}

/* False: it is damaged. */
static bool decode_q(const word *w, char *out, size_t *len)
{
    for (size_t i = 0; i < w->text_len; i++) {
        char c = w->text[i];
        if (c == '=') {
            int high = i + 2 < w->text_len ? hex_digit(w->text[i + 1]) : -1;
            int low = high < 0 ? -1 : hex_digit(w->text[i + 2]);
            if (low < 0)
                return false;
            c = (char)(16 * high + low);
            i += 2;
        } else if (c == '_') {
            c = ' ';
        }
        out[(*len)++] = c;
    }
    return true;
}

static bool decode(const word *w, char *out, size_t *len)
{
    mime_base64_info info;

    *len = 0;
    if (w->encoding == 'Q' || w->encoding == 'q')
        return decode_q(w, out, len);
    if ((w->encoding != 'B' && w->encoding != 'b') ||
        !mime_base64_check(w->text, w->text_len, &info))
        return false;
    *len = mime_base64_decode(w->text, w->text_len, out);
    return true;
}

static bool is_charset(const word *w, const char *name)
{
    return w->charset_len == strlen(name) && strncasecmp(w->charset, name, w->charset_len) == 0;
}

static bool has_control(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7F)
            return true;
    }
    return false;
}

/* Whether the text can be told. */
static bool is_known(const word *w, const char *s, size_t len)
{
    if (is_charset(w, "utf-8") || is_charset(w, "us-ascii"))
        return utf8_valid(s, len);
    if (!is_charset(w, "iso-8859-1"))
        return false;
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)s[i] >= 0x80 && (unsigned char)s[i] < 0xA0) /* controls, too */
            return false;
    }
    return true;
}

static void add_text(const word *w, const char *s, size_t len, buf *out)
{
    char utf8[4];

    if (!is_charset(w, "iso-8859-1")) {
        buf_add(out, s, len);
        return;
    }
    for (size_t i = 0; i < len; i++)
        buf_add(out, utf8, utf8_encode((unsigned char)s[i], utf8));
}

bool mime_words_decode(const char *s, size_t len, buf *out)
{
    char text[WORD_MOST];
    bool found = false, after_word = false;
    size_t at = 0, from = out->len;

    while (at < len) {
        size_t blank = at, n = 0;
        while (at < len && is_blank(s[at]))
            at++;
        size_t start = at;
        while (at < len && !is_blank(s[at]))
            at++;
        word w;
        bool decoded = is_word(s + start, at - start, &w) && decode(&w, text, &n) &&
                       !has_control(text, n) && is_known(&w, text, n);
        buf_add(out, s + blank, decoded && after_word ? 0 : start - blank);
        if (decoded)
            add_text(&w, text, n, out);
        else
            buf_add(out, s + start, at - start);
        after_word = decoded;
        found = found || decoded;
    }
    if (!found && buf_ok(out))
        out->len = from;
    return found;
}
