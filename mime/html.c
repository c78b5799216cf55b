#include "mime/html.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "mime/entities.h"

static const char replacement[3] = {'\xEF', '\xBF', '\xBD'}; /* U+FFFD */

enum content {
    ORDINARY,
    WITH_REFERENCES, /* RCDATA: text and references up to the end tag */
    RAW,             /* RAWTEXT, script data, PLAINTEXT */
    CDATA,
};

/* What is called for few tokens only stays out of the way of the others. */
#define RARE __attribute__((noinline))

/* ---- characters ---- */

enum {
    SPACE = 1,
    SLASH = 2,
    GREATER = 4,
    EQUALS = 8,
    LETTER = 16,
    DIGIT = 32,
    SPECIAL = 64,
    MARKUP = 128
};

static const uint8_t traits[256] = {
    [' '] = SPACE,          ['\n'] = SPACE,           ['\t'] = SPACE,
    ['\f'] = SPACE,         ['\r'] = SPACE | SPECIAL, ['/'] = SLASH,
    ['>'] = GREATER,        ['='] = EQUALS,           ['a' ... 'z'] = LETTER,
    ['A' ... 'Z'] = LETTER, ['0' ... '9'] = DIGIT,    ['<'] = SPECIAL,
    ['&'] = SPECIAL,        ['\0'] = SPECIAL,         ['!'] = MARKUP,
    ['?'] = MARKUP,
};

static bool is(char c, unsigned any)
{
    return (traits[(unsigned char)c] & any) != 0;
}

/* The next character that may be something else than text; `end` if there is none. */
static const char *next_special(const char *at, const char *end)
{
    for (; end - at >= OCTETS; at += OCTETS) {
        octets o = octets_load(at);
        size_t n = octets_first((octets)((o == '<') | (o == '&') | (o == '\r') | (o == 0)));
        if (n < OCTETS)
            return at + n;
    }
    while (at < end && !is(*at, SPECIAL))
        at++;
    return at;
}

static bool starts_with(const char *at, const char *end, const char *lower)
{
    size_t len = strlen(lower);
    return (size_t)(end - at) >= len && strncasecmp(at, lower, len) == 0;
}

/* ---- character references ---- */

/* What numbers of C1 control characters stand for: those of windows-1252, as the web has it. */
static const uint16_t c1[32] = {
    0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x008D, 0x017D, 0x008F, 0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178,
};

static size_t put_point(uint32_t point, char out[8])
{
    if (point >= 0x80 && point < 0xA0)
        point = c1[point - 0x80];
    size_t n = point ? utf8_encode(point, out) : 0;
    if (n > 0)
        return n;
    memcpy(out, replacement, sizeof replacement);
    return sizeof replacement;
}

static int digit(char c, unsigned base)
{
    if (is(c, DIGIT))
        return c - '0';
    if (base == 16 && is(c, LETTER) && (c | 0x20) <= 'f')
        return (c | 0x20) - 'a' + 10;
    return -1;
}

/* "#…" at `at`: its end, and what it stands for in out[*len]; NULL if it is no reference. */
static const char *numeric_reference(const char *at, const char *end, char out[8], size_t *len)
{
    unsigned base = 10;
    uint32_t point = 0;
    at++;
    if (at < end && (*at | 0x20) == 'x') {
        base = 16;
        at++;
    }
    if (at == end || digit(*at, base) < 0)
        return NULL;
    for (int d; at < end && (d = digit(*at, base)) >= 0; at++) {
        if (point <= 0x10FFFF)
            point = point * base + (uint32_t)d;
    }
    *len = put_point(point, out);
    return at < end && *at == ';' ? at + 1 : at;
}

/* Letters and digits at `at`: one more than a name can have at most. */
static size_t name_length(const char *at, const char *end)
{
    size_t n = 0;
    if (end - at >= OCTETS) {
        octets o = octets_load(at), letters = (o | 0x20) - 'a', digits = o - '0';
        n = octets_first((octets)((letters > 'z' - 'a') & (digits > 9)));
        if (n < OCTETS)
            return n;
    }
    while (n <= MIME_ENTITY_NAME_MAX && at + n < end && is(at[n], LETTER | DIGIT))
        n++;
    return n;
}

static size_t put_entity(const unsigned char *entity, char out[8])
{
    memcpy(out, entity + 1, 8);
    return entity[0] & MIME_ENTITY_LEN;
}

/* The longest name that begins at `at`. In an attribute, one without its semicolon is text where
 * it runs on: "?a=1&copy=2" is a URL. */
static const char *named_reference(const char *at, const char *end, bool in_attribute, char out[8],
                                   size_t *len)
{
    size_t n = name_length(at, end);
    bool whole = at + n < end && at[n] == ';';
    unsigned char room[MIME_ENTITY_ROOM];
    const unsigned char *entity = whole ? mime_entity_find(at, n, end, room) : NULL;
    if (entity) {
        *len = put_entity(entity, out);
        return at + n + 1;
    }
    for (n = n < MIME_ENTITY_BARE_MAX ? n : MIME_ENTITY_BARE_MAX; n > 0; n--) {
        entity = mime_entity_find_usual(octets_word(at, n, end), n);
        if (entity && *entity & MIME_ENTITY_BARE)
            break;
    }
    if (n == 0 || (in_attribute && at + n < end && (at[n] == '=' || is(at[n], LETTER | DIGIT))))
        return NULL;
    *len = put_entity(entity, out);
    return at + n;
}

const char *mime_html_reference(const char *at, const char *end, bool in_attribute, char out[8],
                                size_t *len)
{
    at++;
    if (at < end && *at == '#')
        return numeric_reference(at, end, out, len);
    return named_reference(at, end, in_attribute, out, len);
}

/* ---- tags ---- */

static const char *skip_spaces(const char *at, const char *end)
{
    while (at < end && is(*at, SPACE))
        at++;
    return at;
}

static inline const char *attribute_name_end(const char *at, const char *end)
{
    if (end - at >= OCTETS) {
        octets o = octets_load(at);
        at += octets_first((octets)((o < 'A') & (o != '-')));
    }
    while (at < end && !is(*at, SPACE | SLASH | GREATER | EQUALS))
        at++;
    return at;
}

/* The closing quote; NULL if there is none. OCTETS can be read. */
static inline const char *find_quote_from(const char *at, const char *end, char quote)
{
    do {
        size_t n = octets_first((octets)(octets_load(at) == (unsigned char)quote));
        if (n < OCTETS)
            return at + n;
        at += OCTETS;
    } while (end - at >= OCTETS);
    return memchr(at, quote, (size_t)(end - at));
}

/* A value behind "=": its end, behind the closing quote; NULL where the input ends. */
static inline const char *value(const char *at, const char *end, mime_html_attribute *a)
{
    const char *to;
    at = skip_spaces(at, end);
    if (at == end)
        return NULL;
    if (*at == '"' || *at == '\'') {
        to = memchr(at + 1, *at, (size_t)(end - at - 1));
        if (!to)
            return NULL;
        a->value = at + 1;
        a->value_len = (size_t)(to - at - 1);
        return to + 1;
    }
    for (to = at; to < end && !is(*to, SPACE | GREATER); to++)
        ;
    a->value = at;
    a->value_len = (size_t)(to - at);
    return to;
}

/* Reads the attribute at `at` or behind: its end. a->name is NULL, and the result is at the tag's
 * ">", if there is none. NULL where the input ends. */
static inline __attribute__((always_inline)) const char *attribute(const char *at, const char *end,
                                                                   mime_html_attribute *a)
{
    a->name = NULL;
    while (at < end && is(*at, SPACE | SLASH))
        at++;
    if (at == end)
        return NULL;
    if (*at == '>')
        return at;
    /* A "=" in front is the name's first character. */
    const char *to = attribute_name_end(at + (*at == '='), end);
    a->name = at;
    a->name_len = (size_t)(to - at);
    a->value = to;
    a->value_len = 0;
    const char *next = skip_spaces(to, end);
    return next < end && *next == '=' ? value(next + 1, end, a) : to;
}

/* Where to keep an attribute of the tag if it is one of the known ones, and the first of its name;
 * else NULL. `name` is what octets_word() says; fourth letters tell the known ones apart. */
static inline mime_html_attribute *known_attribute(mime_html_token *token, uint64_t name)
{
    static const char names[16][8] = {
        [0] = "alt",          ['d' & 15] = "hidden", ['f' & 15] = "href",
        ['r' & 15] = "start", ['l' & 15] = "style",  ['u' & 15] = "value",
    };
    static const uint8_t numbers[16] = {
        [0] = MIME_HTML_ALT,          ['d' & 15] = MIME_HTML_HIDDEN, ['f' & 15] = MIME_HTML_HREF,
        ['r' & 15] = MIME_HTML_START, ['l' & 15] = MIME_HTML_STYLE,  ['u' & 15] = MIME_HTML_VALUE,
    };
    name = octets_lower(name);
    size_t at = name >> 24 & 15;
    if (octets_eight(names[at]) != name || mime_html_has(token, (mime_html_known)numbers[at]))
        return NULL;
    token->has |= (uint8_t)(1U << numbers[at]);
    return &token->known[numbers[at]];
}

bool mime_html_next_attribute(mime_html_token *token, mime_html_attribute *a)
{
    a->name = NULL;
    if (token->attributes < token->attributes_end) /* the tag's ">" */
        token->attributes = attribute(token->attributes, token->attributes_end + 1, a);
    return a->name != NULL;
}

bool mime_html_decode(mime_html_attribute *a, buf *scratch)
{
    const char *at = a->value, *end = at + a->value_len, *special = next_special(at, end);
    if (special == end)
        return true;
    buf_clear(scratch);
    for (; special < end; special = next_special(special, end)) {
        char out[8];
        size_t len = 0;
        const char *next = special + 1;
        if (*special == '&') {
            next = mime_html_reference(special, end, true, out, &len);
        } else if (*special == '\0') {
            memcpy(out, replacement, len = sizeof replacement);
        } else if (*special == '\r') {
            out[0] = '\n';
            len = next == end || *next != '\n';
        } else {
            next = NULL;
        }
        if (!next) {
            special++;
            continue;
        }
        buf_add(scratch, at, (size_t)(special - at));
        buf_add(scratch, out, len);
        at = special = next;
    }
    buf_add(scratch, at, (size_t)(end - at));
    a->value = scratch->data;
    a->value_len = scratch->len;
    return buf_ok(scratch);
}

/* ---- content that is text by its element's name ---- */

static bool is_end_tag(const char *at, const char *end, const char *name, size_t len)
{
    if ((size_t)(end - at) < len + 3 || at[1] != '/' || strncasecmp(at + 2, name, len) != 0)
        return false;
    at += 2 + len;
    return is(*at, SPACE | SLASH | GREATER);
}

static const char *find_end_tag(const char *at, const char *end, const char *name, size_t len)
{
    for (; (at = memchr(at, '<', (size_t)(end - at))); at++) {
        if (is_end_tag(at, end, name, len))
            return at;
    }
    return end;
}

/* "script", in whatever case, behind the "<" or "</" that comes before `at`. */
static bool names_script(const char *at, const char *end)
{
    return end - at > 6 && strncasecmp(at, "script", 6) == 0 && is(at[6], SPACE | SLASH | GREATER);
}

/* A script's end tag doesn't count between "<!--<script" and "</script" or "-->": the standard's
 * "script data (double) escaped" states. */
static const char *find_script_end(const char *at, const char *end)
{
    enum { PLAIN, ESCAPED, TWICE } state = PLAIN;
    const char *dashes = at; /* where those of "-->" may begin */
    for (; at < end; at++) {
        if (*at == '>' && state != PLAIN) {
            if (at - dashes >= 2 && at[-1] == '-' && at[-2] == '-')
                state = PLAIN;
        } else if (*at == '<') {
            bool closes = at + 1 < end && at[1] == '/' && names_script(at + 2, end);
            if (closes && state != TWICE)
                return at;
            if (closes) {
                state = ESCAPED;
            } else if (state == ESCAPED && names_script(at + 1, end)) {
                state = TWICE;
            } else if (state == PLAIN && starts_with(at, end, "<!--")) {
                state = ESCAPED;
                dashes = at + 2;
            }
        }
    }
    return end;
}

static void enter_content(mime_html *h, const mime_html_token *token, mime_html_kind kind)
{
    if (kind != MIME_HTML_START_TAG || h->foreign)
        return;
    h->content = token->element.flags & EF_RCDATA ? WITH_REFERENCES : RAW;
    if (token->element.id == EL_SCRIPT)
        h->content_end = find_script_end(h->at, h->end);
    else if (token->element.id == EL_PLAINTEXT)
        h->content_end = h->end;
    else
        h->content_end = find_end_tag(h->at, h->end, token->data, token->len);
}

/* ---- tokens ---- */

/* Read, and there is no token for it. */
#define NOTHING ((mime_html_kind)-1)

void mime_html_init(mime_html *h, const char *html, size_t len)
{
    *h = (mime_html){.at = html, .end = html + len, .plain_end = html + len, .content = ORDINARY};
}

static mime_html_kind told(mime_html_token *token, mime_html_kind kind, const char *from,
                           const char *to)
{
    token->data = from;
    token->len = (size_t)(to - from);
    return kind;
}

/* A comment or doctype from `from` up to the next ">". */
static mime_html_kind up_to_greater(mime_html *h, mime_html_token *token, mime_html_kind kind,
                                    const char *from)
{
    const char *to = memchr(from, '>', (size_t)(h->end - from));
    h->at = to ? to + 1 : h->end;
    return told(token, kind, from, to ? to : h->end);
}

static mime_html_kind comment(mime_html *h, mime_html_token *token, const char *from)
{
    const char *at = from, *to = h->end;
    if (at < to && (*at == '>' || starts_with(at, to, "->"))) {
        h->at = at + (*at == '>' ? 1 : 2);
        return told(token, MIME_HTML_COMMENT, from, from);
    }
    for (; (at = memchr(at, '>', (size_t)(to - at))); at++) {
        size_t mark = at - from >= 3 && at[-1] == '!' ? 3 : 2;
        if ((size_t)(at - from) >= mark && memcmp(at - mark, "--", 2) == 0) {
            h->at = at + 1;
            return told(token, MIME_HTML_COMMENT, from, at - mark);
        }
    }
    h->at = to; /* never closed: what may have begun to close it is not part of it */
    size_t len = (size_t)(to - from), dashes = 0;
    if (len >= 3 && memcmp(to - 3, "--!", 3) == 0)
        return told(token, MIME_HTML_COMMENT, from, to - 3);
    while (dashes < 2 && dashes < len && to[-1 - (ptrdiff_t)dashes] == '-')
        dashes++;
    return told(token, MIME_HTML_COMMENT, from, to - dashes);
}

static mime_html_kind declaration(mime_html *h, mime_html_token *token)
{
    const char *at = h->at + 2;
    if (starts_with(at, h->end, "--"))
        return comment(h, token, at + 2);
    if (starts_with(at, h->end, "doctype"))
        return up_to_greater(h, token, MIME_HTML_DOCTYPE, at + strlen("doctype"));
    if (h->foreign && h->end - at >= 7 && memcmp(at, "[CDATA[", 7) == 0) {
        h->at = at + 7;
        h->content_end = memmem(h->at, (size_t)(h->end - h->at), "]]>", 3);
        if (!h->content_end)
            h->content_end = h->end;
        h->content = CDATA;
        return NOTHING;
    }
    return up_to_greater(h, token, MIME_HTML_COMMENT, at);
}

/* Reads the attribute at `at` if it is written as most are, with one space in front, a name of a
 * few letters and dashes, and a value in quotes: where it ends, or NULL. */
static inline const char *usual_attribute(mime_html_token *token, const char *at, const char *end)
{
    if (end - at < 1 + OCTETS + 2 + OCTETS || *at != ' ')
        return NULL;
    octets o = octets_load(++at);
    size_t n = octets_first((octets)((o < 'A') & (o != '-')));
    const char *to = at + n;
    if (n - 1 >= OCTETS - 1 || to[0] != '=' || (to[1] != '"' && to[1] != '\''))
        return NULL;
    const char *close = find_quote_from(to + 2, end, to[1]);
    if (!close)
        return NULL;
    mime_html_attribute *known = n <= 8 ? known_attribute(token, octets_head(o, n)) : NULL;
    if (known)
        *known = (mime_html_attribute){at, n, to + 2, (size_t)(close - to - 2)};
    return close + 1;
}

RARE static const char *unusual_attribute(mime_html_token *token, const char *at, const char *end)
{
    mime_html_attribute a, *known = NULL;
    at = attribute(at, end, &a);
    token->self_closing = at && at[-1] == '/' && !(a.name && a.value + a.value_len == at);
    /* A zero at the name's end is not one of those that pad a known one. */
    if (at && a.name && a.name_len <= 8 && a.name[a.name_len - 1] != '\0')
        known = known_attribute(token, octets_word(a.name, a.name_len, end));
    if (known)
        *known = a;
    return at;
}

/* From `at` on, behind an attribute or the name: what there is of the tag. */
RARE static const char *any_attributes(mime_html_token *token, const char *at, const char *end)
{
    while (at && at < end && *at != '>') {
        const char *next = usual_attribute(token, at, end);
        if (next)
            token->self_closing = false;
        else
            next = unusual_attribute(token, at, end);
        at = next;
    }
    return at == end ? NULL : at;
}

const char *mime_html_attributes(mime_html_token *token, const char *at, const char *end)
{
    const char *next;
    token->has = 0;
    token->self_closing = false;
    while ((next = usual_attribute(token, at, end))) {
        at = next;
        if (at < end && *at == '>')
            return at;
    }
    return any_attributes(token, at, end);
}

static mime_html_kind tag(mime_html *h, mime_html_token *token, const char *name,
                          mime_html_kind kind)
{
    const char *to = name, *at;
    while (to < h->end && !is(*to, SPACE | SLASH | GREATER))
        to++;
    at = mime_html_attributes(token, to, h->end);
    if (!at) {
        h->at = h->end;
        return MIME_HTML_END;
    }
    token->data = name;
    token->len = (size_t)(to - name);
    token->element = mime_element_find(name, token->len, h->end);
    token->attributes = to;
    token->attributes_end = at;
    h->at = at + 1;
    if (token->element.flags & (EF_RAW | EF_RCDATA))
        enter_content(h, token, kind);
    return kind;
}

/* True if the "<" at `at` is not text. */
static bool is_markup(const char *at, const char *end)
{
    return end - at >= 2 && (is(at[1], LETTER | MARKUP) || (at[1] == '/' && end - at > 2));
}

static mime_html_kind markup(mime_html *h, mime_html_token *token)
{
    const char *at = h->at;
    bool closes = at[1] == '/';
    if (is(at[1 + closes], LETTER))
        return tag(h, token, at + 1 + closes, closes ? MIME_HTML_END_TAG : MIME_HTML_START_TAG);
    if (at[1] == '!')
        return declaration(h, token);
    if (at[1] == '?')
        return up_to_greater(h, token, MIME_HTML_COMMENT, at + 1);
    if (at[2] != '>')
        return up_to_greater(h, token, MIME_HTML_COMMENT, at + 2);
    h->at = at + 3;
    return NOTHING;
}

/* Finds where the text at h->at is interrupted, by what is not text, or not as it is written. */
static const char *text_end(mime_html *h, const char *end)
{
    bool ordinary = h->content == ORDINARY;
    for (const char *at = h->at;; at++) {
        at = next_special(at, end);
        if (at == end || *at == '\r')
            return at;
        if (*at == '<' && ordinary && is_markup(at, end))
            return at;
        if (*at == '\0' && !ordinary && h->content != CDATA)
            return at;
        if (*at == '&' && (ordinary || h->content == WITH_REFERENCES)) {
            h->resume = mime_html_reference(at, end, false, h->reference, &h->reference_len);
            if (h->resume)
                return at;
        }
    }
}

static mime_html_kind interruption(mime_html *h, mime_html_token *token)
{
    static const char newline = '\n';
    switch (*h->at) {
    case '\r': h->at++; return told(token, MIME_HTML_TEXT, &newline, &newline + 1);
    case '\0':
        h->at++;
        return told(token, MIME_HTML_TEXT, replacement, replacement + sizeof replacement);
    case '&':
        h->at = h->resume;
        h->resume = NULL;
        return told(token, MIME_HTML_TEXT, h->reference, h->reference + h->reference_len);
    default: return markup(h, token);
    }
}

static mime_html_kind next(mime_html *h, mime_html_token *token)
{
    const char *end = h->end;
    if (h->content != ORDINARY && h->at < h->content_end) {
        end = h->content_end;
    } else if (h->content != ORDINARY) {
        if (h->content == CDATA && h->at < end)
            h->at += strlen("]]>");
        h->content = ORDINARY;
    }
    if (h->at == end)
        return MIME_HTML_END;
    if (*h->at == '<' && h->content == ORDINARY && is_markup(h->at, end))
        return markup(h, token);
    if (*h->at == '\r' && end - h->at > 1 && h->at[1] == '\n')
        h->at++; /* the LF is the next text's first */
    const char *from = h->at, *to = h->resume ? from : text_end(h, end);
    if (to == from)
        return interruption(h, token);
    h->at = to;
    return told(token, MIME_HTML_TEXT, from, to);
}

mime_html_kind mime_html_next(mime_html *h, mime_html_token *token)
{
    mime_html_kind kind;
    do
        kind = next(h, token);
    while (kind == NOTHING);
    h->plain_end = h->content == ORDINARY && !h->resume ? h->end : h->at;
    return kind;
}

size_t mime_html_declaration_end(const char *s, size_t len, size_t at)
{
    char quote = 0;
    for (; at < len && (quote || s[at] != ';'); at++) {
        if (s[at] == '\\')
            at++;
        else if (quote)
            quote = s[at] == quote ? 0 : quote;
        else if (s[at] == '"' || s[at] == '\'')
            quote = s[at];
        else if (s[at] == '(')
            quote = ')';
    }
    return at < len ? at : len;
}
