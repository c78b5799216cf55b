#include "base/plain.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"

#define NAME_LONGEST  127
#define REAL_MAX      64 /* with its NUL */
#define DIGITS_MAX    18 /* of a number: no more than fit */
#define REFERENCE     "\\u0000"
#define REFERENCE_MAX 16 /* its digits, and the NUL before them */

typedef struct cursor {
    const char *at, *end;
    unsigned depth, deepest;
    buf *room; /* for what is written with escapes; NULL: nothing but what is plainest is read */
} cursor;

/* Behind white space, which is mostly none or one blank; NUL at the end, which is plain nowhere. */
static inline char peek(cursor *c)
{
    for (; c->at < c->end; c->at++) {
        char here = *c->at;
        if (here > ' ' || (here != ' ' && here != '\n' && here != '\r' && here != '\t'))
            return here;
    }
    return '\0';
}

static bool take(cursor *c, char wanted)
{
    if (peek(c) != wanted)
        return false;
    c->at++;
    return true;
}

/* What stands for itself in a string: ASCII from the blank on, without quote and backslash. */
#define SIXTEEN 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1
static const bool stands[256] = {
    [' '] = 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, SIXTEEN, SIXTEEN,
    ['P'] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, SIXTEEN, SIXTEEN,
};

/* Characters of a string that stand for themselves: how many. */
static size_t plain_run(const cursor *c)
{
    const char *p = c->at;
    while (p < c->end && stands[(unsigned char)*p])
        p++;
    return (size_t)(p - c->at);
}

static json_t *reference(cursor *c)
{
    char bytes[REFERENCE_MAX] = {0};
    size_t n = 1;
    c->at += sizeof REFERENCE - 1;
    while (c->at < c->end && *c->at >= '0' && *c->at <= '9' && n < sizeof bytes)
        bytes[n++] = *c->at++;
    return c->at < c->end && *c->at++ == '"' ? json_stringn_nocheck(bytes, n) : NULL;
}

/* ---- strings of somebody else ---- */

/* Four hexadecimal digits; -1: they are none. */
static int32_t unit(const char *s, size_t left)
{
    int32_t value = 0;
    for (size_t i = 0; i < 4; i++) {
        char c = i < left ? s[i] : '\0';
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

/* Behind "\u". False: it is a NUL, half a pair, or nothing at all. */
static bool unicode(cursor *c)
{
    char bytes[4];
    int32_t point = unit(c->at, (size_t)(c->end - c->at));
    if (point <= 0)
        return false;
    c->at += 4;
    if (point >= 0xD800 && point <= 0xDBFF) {
        bool escape = c->end - c->at > 2 && c->at[0] == '\\' && c->at[1] == 'u';
        int32_t low = escape ? unit(c->at + 2, (size_t)(c->end - c->at) - 2) : -1;
        if (low < 0xDC00 || low > 0xDFFF)
            return false;
        c->at += 6;
        point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
    }
    size_t n = utf8_encode((uint32_t)point, bytes);
    buf_add(c->room, bytes, n);
    return n > 0;
}

/* Behind the backslash. */
static bool escape(cursor *c)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (c->at == c->end)
        return false;
    char letter = *c->at++;
    if (letter == 'u')
        return unicode(c);
    const char *found = letter ? strchr(from, letter) : NULL;
    if (found)
        buf_addc(c->room, to[found - from]);
    return found;
}

/* An escape never begins with what could end a character before it, so that it is all one whether
 * the text is looked at before or behind. */
static json_t *escaped_string(cursor *c)
{
    bool beyond = false;
    buf_clear(c->room);
    for (;;) {
        size_t n = utf8_plain_run(c->at, (size_t)(c->end - c->at), &beyond);
        buf_add(c->room, c->at, n);
        c->at += n;
        if (c->at == c->end || (*c->at != '"' && *c->at != '\\'))
            return NULL;
        if (*c->at++ == '"')
            break;
        if (!escape(c))
            return NULL;
    }
    if (!buf_ok(c->room) || (beyond && !utf8_valid(c->room->data, c->room->len)))
        return NULL;
    return json_stringn_nocheck(c->room->data, c->room->len);
}

static json_t *text_string(cursor *c)
{
    bool beyond = false;
    const char *from = c->at;
    size_t n = utf8_plain_run(from, (size_t)(c->end - from), &beyond);
    if (n == (size_t)(c->end - from) || from[n] != '"')
        return escaped_string(c);
    c->at += n + 1;
    return !beyond || utf8_valid(from, n) ? json_stringn_nocheck(from, n) : NULL;
}

/* The quote is behind. */
static json_t *string(cursor *c)
{
    if (c->room)
        return text_string(c);
    const char *from = c->at;
    size_t left = (size_t)(c->end - from);
    if (left >= sizeof REFERENCE && memcmp(from, REFERENCE, sizeof REFERENCE - 1) == 0)
        return reference(c);
    size_t n = plain_run(c);
    c->at += n;
    return c->at < c->end && *c->at++ == '"' ? json_stringn_nocheck(from, n) : NULL;
}

/* Where it stands in the text; NULL: it is not plain. */
static const char *name(cursor *c, size_t *len)
{
    if (!take(c, '"'))
        return NULL;
    const char *from = c->at;
    *len = plain_run(c);
    if (*len > NAME_LONGEST || *len == (size_t)(c->end - from) || from[*len] != '"')
        return NULL;
    c->at += *len + 1;
    return take(c, ':') ? from : NULL;
}

static json_t *value(cursor *c);

/* The members up to behind the bracket. A name that is there already is the parser's to tell. */
static bool members(cursor *c, json_t *object)
{
    size_t len;
    if (take(c, '}'))
        return true;
    do {
        size_t before = json_object_size(object);
        const char *key = name(c, &len);
        if (!key || json_object_setn_new_nocheck(object, key, len, value(c)) != 0 ||
            json_object_size(object) == before)
            return false;
    } while (take(c, ','));
    return take(c, '}');
}

static bool items(cursor *c, json_t *array)
{
    if (take(c, ']'))
        return true;
    do {
        if (json_array_append_new(array, value(c)) != 0)
            return false;
    } while (take(c, ','));
    return take(c, ']');
}

static json_t *container(cursor *c, json_t *made, bool (*fill)(cursor *c, json_t *made))
{
    bool good = made && c->depth < c->deepest;
    c->depth++;
    good = good && fill(c, made);
    c->depth--;
    if (good)
        return made;
    json_decref(made);
    return NULL;
}

static json_t *word(cursor *c, const char *word, json_t *meaning)
{
    size_t len = strlen(word);
    if ((size_t)(c->end - c->at) < len || memcmp(c->at, word, len) != 0)
        return NULL;
    c->at += len; /* what may follow is a comma or a bracket: whoever asked looks for it */
    return meaning;
}

/* What may follow is as with word(): a fraction or a further digit is neither. */
static json_t *integer(cursor *c)
{
    bool negative = c->at < c->end && *c->at == '-';
    const char *from = c->at += negative;
    json_int_t n = 0;
    while (c->at < c->end && *c->at >= '0' && *c->at <= '9' && c->at - from < DIGITS_MAX)
        n = n * 10 + (*c->at++ - '0');
    if (c->at == from || (*from == '0' && (negative || c->at - from > 1)))
        return NULL;
    return json_integer(negative ? -n : n);
}

static size_t digits(const char *s)
{
    return strspn(s, "0123456789");
}

/* A number with a fraction or an exponent, which is read as the parser reads it. */
static json_t *real(const char *text, size_t *len)
{
    const char *p = text + (*text == '-');
    size_t n = digits(p);
    if (n == 0 || (*p == '0' && n > 1))
        return NULL;
    const char *behind = p += n;
    if (*p == '.') {
        if ((n = digits(++p)) == 0)
            return NULL;
        p += n;
    }
    if (*p == 'e' || *p == 'E') {
        p += 1 + (p[1] == '+' || p[1] == '-');
        if ((n = digits(p)) == 0)
            return NULL;
        p += n;
    }
    *len = (size_t)(p - text);
    char *end;
    double value = strtod(text, &end);
    return p > behind && end == p && isfinite(value) ? json_real(value) : NULL;
}

static json_t *number(cursor *c)
{
    char text[REAL_MAX];
    const char *from = c->at;
    json_t *whole = integer(c);
    if (!c->room || (whole && (c->at == c->end || !strchr(".eE", *c->at))))
        return whole;
    json_decref(whole);
    size_t n = 0, len = 0;
    while (n < sizeof text - 1 && from + n < c->end && from[n] &&
           strchr("+-.0123456789eE", from[n]))
        n++;
    memcpy(text, from, n);
    text[n] = '\0';
    json_t *made = real(text, &len);
    c->at = from + len;
    return made;
}

/* NULL, which no tree takes in: it is not plain. */
static json_t *value(cursor *c)
{
    switch (peek(c)) {
    case '"': c->at++; return string(c);
    case '{': c->at++; return container(c, json_object(), members);
    case '[': c->at++; return container(c, json_array(), items);
    case 't': return word(c, "true", json_true());
    case 'f': return word(c, "false", json_false());
    case 'n': return word(c, "null", json_null());
    default: return number(c);
    }
}

static json_t *load(cursor c)
{
    if (peek(&c) != '{' && peek(&c) != '[')
        return NULL;
    json_t *root = value(&c);
    (void)peek(&c);
    if (root && c.at == c.end)
        return root;
    json_decref(root);
    return NULL;
}

json_t *plain_load(const char *text, size_t len)
{
    return load((cursor){text, text + len, 0, PLAIN_DEPTH, NULL});
}

json_t *plain_load_text(const char *text, size_t len)
{
    buf room = BUF_INIT;
    json_t *root = load((cursor){text, text + len, 0, PLAIN_DEPTH_TEXT, &room});
    buf_free(&room);
    return root;
}

size_t plain_weight(const char *text, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += text[i] == '{'                     ? 304
             : text[i] == '['                   ? 144
             : text[i] == ':' || text[i] == ',' ? 80
                                                : 0;
    return n;
}
