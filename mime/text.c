#include "mime/text.h"

#include <endian.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mime/html.h"

#define LISTS_MAX    8   /* deeper ones are indented like the last */
#define QUOTES_MAX   8   /* deeper ones are marked like the last */
#define DEPTH_MAX    256 /* of open elements; a deeper one takes the place of the innermost */
#define BREAKS_MAX   2
#define ELEMENT_NAME 16

/* ---- elements ---- */

typedef enum act {
    NONE,
    BLOCK,     /* on lines of its own */
    PARAGRAPH, /* a blank line before and behind */
    TABULAR,   /* <table> */
    SKIP,      /* left out with all that is in it */
    FOREIGN,   /* <svg>, <math> */
    FOREIGN_SKIP,
    BREAK,
    RULE,
    IMAGE,
    LINK,
    LIST,
    NUMBERED,
    ITEM,
    ROW,
    CELL,
    PRE,
    QUOTE,
    QUOTED, /* <q> */
} act;

/* What the standard's tree construction knows of an element. */
enum {
    SPECIAL = 1,     /* an end tag of one that isn't doesn't reach over it */
    VOID = 2,        /* has no content and no end */
    IGNORED = 4,     /* it is always there: <html>, <head>, <body> */
    ENDS_P = 8,      /* its start tag ends an open <p> */
    SCOPE = 16,      /* end tags don't reach over it */
    LIST_SCOPE = 32, /* </li> doesn't */
    P_SCOPE = 64,    /* </p> doesn't */
    TABLE = 128,     /* those of a table's parts don't */
    BODY = 256,      /* <tbody> and the like */
    IN_TABLE = 512,  /* a table's part */
    HEADING = 1024,
    NEWLINE = 2048, /* one right behind its start tag is dropped */
};

#define S  SPECIAL
#define SP (SPECIAL | ENDS_P)
#define SV (SPECIAL | VOID)

/* By their first letter, the most frequent first: X(identifier, name, act, flags). */
#define ELEMENTS(X)                                                                                \
    X(A, "a", LINK, 0)                                                                             \
    X(ADDRESS, "address", BLOCK, SP)                                                               \
    X(ANNOTATION, "annotation", FOREIGN_SKIP, 0)                                                   \
    X(APPLET, "applet", NONE, S | SCOPE)                                                           \
    X(AREA, "area", NONE, SV)                                                                      \
    X(ARTICLE, "article", BLOCK, SP)                                                               \
    X(ASIDE, "aside", BLOCK, SP)                                                                   \
    X(BR, "br", BREAK, SV)                                                                         \
    X(BASE, "base", NONE, SV)                                                                      \
    X(BASEFONT, "basefont", NONE, SV)                                                              \
    X(BGSOUND, "bgsound", NONE, SV)                                                                \
    X(BLOCKQUOTE, "blockquote", QUOTE, SP)                                                         \
    X(BODY, "body", NONE, S | IGNORED)                                                             \
    X(BUTTON, "button", NONE, S | P_SCOPE)                                                         \
    X(CAPTION, "caption", BLOCK, S | SCOPE | IN_TABLE)                                             \
    X(CENTER, "center", BLOCK, SP)                                                                 \
    X(COL, "col", NONE, SV)                                                                        \
    X(COLGROUP, "colgroup", NONE, S | IN_TABLE)                                                    \
    X(DIV, "div", BLOCK, SP)                                                                       \
    X(DATALIST, "datalist", SKIP, 0)                                                               \
    X(DD, "dd", BLOCK, SP)                                                                         \
    X(DESC, "desc", FOREIGN_SKIP, 0)                                                               \
    X(DETAILS, "details", BLOCK, SP)                                                               \
    X(DIALOG, "dialog", BLOCK, SP)                                                                 \
    X(DIR, "dir", LIST, SP)                                                                        \
    X(DL, "dl", PARAGRAPH, SP)                                                                     \
    X(DT, "dt", BLOCK, SP)                                                                         \
    X(EMBED, "embed", NONE, SV)                                                                    \
    X(FIELDSET, "fieldset", BLOCK, SP)                                                             \
    X(FIGCAPTION, "figcaption", BLOCK, SP)                                                         \
    X(FIGURE, "figure", BLOCK, SP)                                                                 \
    X(FOOTER, "footer", BLOCK, SP)                                                                 \
    X(FORM, "form", BLOCK, SP)                                                                     \
    X(FRAME, "frame", NONE, SV)                                                                    \
    X(H1, "h1", PARAGRAPH, SP | HEADING)                                                           \
    X(H2, "h2", PARAGRAPH, SP | HEADING)                                                           \
    X(H3, "h3", PARAGRAPH, SP | HEADING)                                                           \
    X(H4, "h4", PARAGRAPH, SP | HEADING)                                                           \
    X(H5, "h5", PARAGRAPH, SP | HEADING)                                                           \
    X(H6, "h6", PARAGRAPH, SP | HEADING)                                                           \
    X(HEAD, "head", NONE, S | IGNORED)                                                             \
    X(HEADER, "header", BLOCK, SP)                                                                 \
    X(HGROUP, "hgroup", BLOCK, SP)                                                                 \
    X(HR, "hr", RULE, SV | ENDS_P)                                                                 \
    X(HTML, "html", NONE, S | IGNORED)                                                             \
    X(IMG, "img", IMAGE, SV)                                                                       \
    X(IFRAME, "iframe", SKIP, S)                                                                   \
    X(IMAGE, "image", IMAGE, SV)                                                                   \
    X(INPUT, "input", NONE, SV)                                                                    \
    X(KEYGEN, "keygen", NONE, SV)                                                                  \
    X(LI, "li", ITEM, SP)                                                                          \
    X(LEGEND, "legend", BLOCK, 0)                                                                  \
    X(LINK, "link", NONE, SV)                                                                      \
    X(LISTING, "listing", PRE, SP | NEWLINE)                                                       \
    X(MAIN, "main", BLOCK, SP)                                                                     \
    X(MARQUEE, "marquee", NONE, S | SCOPE)                                                         \
    X(MATH, "math", FOREIGN, 0)                                                                    \
    X(MENU, "menu", LIST, SP)                                                                      \
    X(META, "meta", NONE, SV)                                                                      \
    X(METADATA, "metadata", FOREIGN_SKIP, 0)                                                       \
    X(NAV, "nav", BLOCK, SP)                                                                       \
    X(NOEMBED, "noembed", SKIP, S)                                                                 \
    X(NOFRAMES, "noframes", SKIP, S)                                                               \
    X(OBJECT, "object", NONE, S | SCOPE)                                                           \
    X(OL, "ol", NUMBERED, SP | LIST_SCOPE)                                                         \
    X(P, "p", PARAGRAPH, SP)                                                                       \
    X(PARAM, "param", NONE, SV)                                                                    \
    X(PLAINTEXT, "plaintext", PRE, SP)                                                             \
    X(PRE, "pre", PRE, SP | NEWLINE)                                                               \
    X(Q, "q", QUOTED, 0)                                                                           \
    X(SCRIPT, "script", SKIP, S)                                                                   \
    X(SEARCH, "search", BLOCK, SP)                                                                 \
    X(SECTION, "section", BLOCK, SP)                                                               \
    X(SELECT, "select", SKIP, S)                                                                   \
    X(SOURCE, "source", NONE, SV)                                                                  \
    X(STYLE, "style", SKIP, S)                                                                     \
    X(SUMMARY, "summary", BLOCK, SP)                                                               \
    X(SVG, "svg", FOREIGN, 0)                                                                      \
    X(TD, "td", CELL, S | SCOPE | IN_TABLE)                                                        \
    X(TR, "tr", ROW, S | IN_TABLE)                                                                 \
    X(TH, "th", CELL, S | SCOPE | IN_TABLE)                                                        \
    X(TABLE, "table", TABULAR, SP | SCOPE | TABLE)                                                 \
    X(TBODY, "tbody", NONE, S | BODY | IN_TABLE)                                                   \
    X(TEMPLATE, "template", SKIP, S | SCOPE | TABLE)                                               \
    X(TEXTAREA, "textarea", NONE, S | NEWLINE)                                                     \
    X(TFOOT, "tfoot", NONE, S | BODY | IN_TABLE)                                                   \
    X(THEAD, "thead", NONE, S | BODY | IN_TABLE)                                                   \
    X(TITLE, "title", SKIP, S)                                                                     \
    X(TRACK, "track", NONE, SV)                                                                    \
    X(UL, "ul", LIST, SP | LIST_SCOPE)                                                             \
    X(WBR, "wbr", NONE, SV)                                                                        \
    X(XMP, "xmp", PRE, SP)

enum {
    UNKNOWN, /* and all that make no difference here: <b>, <span>... */
#define X(identifier, name, act, flags) EL_##identifier,
    ELEMENTS(X)
#undef X
        ELEMENT_COUNT,
};

static const struct element {
    char name[ELEMENT_NAME];
    uint8_t act;
    uint16_t flags;
} elements[] = {{"", NONE, 0},
#define X(identifier, name, act, flags) {name, act, flags},
                ELEMENTS(X)
#undef X
};

/* The first element of each letter. */
static const uint8_t by_letter[26] = {
    ['a' - 'a'] = EL_A,      ['b' - 'a'] = EL_BR,    ['c' - 'a'] = EL_CAPTION,
    ['d' - 'a'] = EL_DIV,    ['e' - 'a'] = EL_EMBED, ['f' - 'a'] = EL_FIELDSET,
    ['h' - 'a'] = EL_H1,     ['i' - 'a'] = EL_IMG,   ['k' - 'a'] = EL_KEYGEN,
    ['l' - 'a'] = EL_LI,     ['m' - 'a'] = EL_MAIN,  ['n' - 'a'] = EL_NAV,
    ['o' - 'a'] = EL_OBJECT, ['p' - 'a'] = EL_P,     ['q' - 'a'] = EL_Q,
    ['s' - 'a'] = EL_SCRIPT, ['t' - 'a'] = EL_TD,    ['u' - 'a'] = EL_UL,
    ['w' - 'a'] = EL_WBR,    ['x' - 'a'] = EL_XMP,
};

/* Up to eight characters as a number, capital letters as small ones. */
static uint64_t packed(const char *s, size_t len)
{
    uint64_t n = 0;
    for (size_t i = 0; i < len && i < 8; i++)
        n |= (uint64_t)(unsigned char)s[i] << 8 * i;
    return n | (n & 0x4040404040404040) >> 1;
}

/* The same of an element's name, which is small and padded. */
static uint64_t packed_name(const struct element *e, size_t at)
{
    uint64_t n;
    memcpy(&n, e->name + at, sizeof n);
    return le64toh(n);
}

/* An element by its name, which begins with a letter: the table's index, or for those that are not
 * in it a number beyond that is (nearly always) the name's own. */
static uint16_t identify(const char *name, size_t len)
{
    uint64_t head = packed(name, len), tail = len > 8 ? packed(name + 8, len - 8) : 0;
    unsigned id = len < ELEMENT_NAME ? by_letter[(name[0] | 0x20) - 'a'] : 0;
    for (; id && id < ELEMENT_COUNT && elements[id].name[0] == (name[0] | 0x20); id++) {
        if (packed_name(&elements[id], 0) == head && packed_name(&elements[id], 8) == tail)
            return (uint16_t)id;
    }
    uint64_t hash = (head ^ tail * 31 ^ len) * 0x9E3779B97F4A7C15;
    return (uint16_t)(ELEMENT_COUNT + (hash >> 48) % (UINT16_MAX - ELEMENT_COUNT));
}

static const struct element *element(uint16_t id)
{
    return &elements[id < ELEMENT_COUNT ? id : UNKNOWN];
}

/* ---- the writer ---- */

typedef enum marker { NO_MARKER, BULLET, NUMBER } marker;

typedef struct writer {
    buf *out;
    size_t start;    /* where this text begins in `out` */
    size_t prefix;   /* bytes that marks and indentation may still take: what bounds the output */
    unsigned breaks; /* line ends owed before the next text */
    bool space;      /* a space is owed, unless a line begins */
    bool no_newline; /* one that comes right now is dropped */

    unsigned pre, quotes, lists; /* open <pre>, <blockquote>, lists */
    unsigned low_quotes;         /* the fewest since the last text */
    bool numbered[LISTS_MAX];
    int numbers[LISTS_MAX]; /* of the next item */
    marker marker;          /* an item's is owed */
    int number;
    buf blanks; /* in <pre>: white space that is owed before a visible character */

    bool row_has_text, row_is_line, row_parted; /* the open row's; on one line; by a separator */
    bool data;                                  /* the row before was such a line */
    bool cell_owed; /* a separator is, as a cell has begun and has no text yet */

    bool linked; /* an <a href> is open */
    buf href;
    size_t link_start; /* where its text begins; SIZE_MAX: none yet */

    buf scratch;      /* attributes' values */
    unsigned depth;   /* open elements */
    unsigned skip;    /* how many, with the one that is left out; 0: none is */
    unsigned foreign; /* how many, with <svg> or <math>; 0: neither is open */
    uint16_t stack[DEPTH_MAX];
    uint16_t open[256]; /* how many there are, by the low byte of their number */
    mime_html html;
} writer;

static unsigned at_most(unsigned n, unsigned max)
{
    return n < max ? n : max;
}

static void want_breaks(writer *w, unsigned n)
{
    if (w->breaks < n)
        w->breaks = n;
    w->space = false;
    buf_clear(&w->blanks);
}

/* A block in front of an item's or a cell's text doesn't part it from its marker or row. */
static void want_block(writer *w, unsigned n)
{
    bool in_line = w->row_has_text ? w->row_is_line : w->data;
    if (!w->cell_owed || !in_line)
        want_breaks(w, w->marker ? 1 : n);
}

/* buf_reserve(), which mostly has nothing to do. */
static inline bool has_room(buf *b, size_t n)
{
    return (b->cap - b->len >= n && !b->failed) || buf_reserve(b, n);
}

static void add_prefix(writer *w, const char *s, size_t len)
{
    if (w->prefix < len)
        return;
    w->prefix -= len;
    buf_add(w->out, s, len);
}

static void add_quote_marks(writer *w, unsigned quotes, bool spaced)
{
    static const char marks[] = "> > > > > > > > ";
    size_t len = 2 * (size_t)at_most(quotes, QUOTES_MAX);
    add_prefix(w, marks, len > 0 && !spaced ? len - 1 : len);
}

static void begin_line(writer *w)
{
    static const char indent[] = "                ";
    add_quote_marks(w, w->quotes, true);
    size_t levels = at_most(w->lists, LISTS_MAX);
    if (w->marker && levels > 0)
        levels--;
    add_prefix(w, indent, 2 * levels);
    if (w->marker == BULLET) {
        buf_adds(w->out, "- ");
    } else if (w->marker == NUMBER) {
        if (w->number < 0)
            buf_addc(w->out, '-');
        buf_addu(w->out, w->number < 0 ? 0U - (unsigned)w->number : (unsigned)w->number);
        buf_adds(w->out, ". ");
    }
    w->marker = NO_MARKER;
}

/* Ends the line, and the blank ones behind it: they belong to the quote if both sides do. */
static void pay_breaks(writer *w)
{
    buf_addc(w->out, '\n');
    for (unsigned i = 1; i < w->breaks; i++) {
        add_quote_marks(w, w->low_quotes, false);
        buf_addc(w->out, '\n');
    }
    w->row_is_line = false;
}

/* Pays what is owed before a visible character. */
static void begin_text(writer *w)
{
    bool first = w->out->len == w->start;
    if (w->breaks || first) {
        bool row = !w->row_has_text;
        if (!first)
            pay_breaks(w);
        w->row_is_line = row;
        begin_line(w);
        w->breaks = 0;
    } else if (w->cell_owed && w->row_has_text) {
        if (has_room(w->out, 3))
            memcpy(w->out->data + w->out->len, " | ", 3);
        w->out->len += w->out->failed ? 0 : 3;
        w->row_parted = true;
    } else if (w->space) {
        buf_addc(w->out, ' ');
    }
    w->low_quotes = w->quotes;
    w->space = false;
    w->cell_owed = false;
    w->row_has_text = true;
    if (w->linked && w->link_start == SIZE_MAX)
        w->link_start = w->out->len;
}

/* ---- text ---- */

enum { VISIBLE, SPACE, DROPPED, LATIN /* the first byte of U+0080 to U+00BF */ };

static const uint8_t classes[256] = {
    [' '] = SPACE,  ['\t'] = SPACE,   ['\n'] = SPACE, ['\r'] = SPACE,
    ['\f'] = SPACE, ['\0'] = DROPPED, [0xC2] = LATIN,
};

/* What the character at s[*at] is; *at goes behind it. */
static unsigned classify(const char *s, size_t len, size_t *at)
{
    unsigned class = classes[(unsigned char)s[(*at)++]];
    if (class != LATIN)
        return class;
    unsigned char second = *at < len ? (unsigned char)s[*at] : 0;
    if (second != 0xA0 && second != 0xAD)
        return VISIBLE;
    (*at)++;
    return second == 0xA0 ? SPACE : DROPPED; /* a no-break space; a soft hyphen */
}

static void add_flowing(writer *w, const char *s, size_t len)
{
    size_t at = 0, next = 0;
    for (unsigned class; at < len; at = next) {
        class = classify(s, len, &next);
        if (class == VISIBLE)
            break;
        w->space = w->space || class == SPACE;
    }
    if (at == len)
        return;
    begin_text(w);
    if (!has_room(w->out, len - at))
        return;
    /* Folding only shortens it. */
    char *to = w->out->data + w->out->len;
    bool space = false;
    while (at < len) {
        while (at < len && classes[(unsigned char)s[at]] == VISIBLE)
            *to++ = s[at++];
        for (; at < len; at = next) {
            next = at;
            unsigned class = classify(s, len, &next);
            if (class == VISIBLE)
                break;
            space = space || class == SPACE;
        }
        if (at == len)
            break;
        if (space)
            *to++ = ' ';
        space = false;
        *to++ = s[at++];
    }
    w->out->len = (size_t)(to - w->out->data);
    w->space = space;
}

static void add_preformatted(writer *w, const char *s, size_t len)
{
    for (size_t at = 0, next = 0; at < len; at = next) {
        if (s[at] == '\n') {
            w->breaks++;
            buf_clear(&w->blanks);
            next++;
            continue;
        }
        unsigned class = classify(s, len, &next);
        if (class == SPACE) {
            buf_addc(&w->blanks, s[at] == '\t' ? '\t' : ' ');
        } else if (class == VISIBLE) {
            while (next < len && classes[(unsigned char)s[next]] == VISIBLE)
                next++;
            begin_text(w);
            buf_add(w->out, w->blanks.data, w->blanks.len);
            buf_add(w->out, s + at, next - at);
            buf_clear(&w->blanks);
        }
    }
}

static void add_text(writer *w, const char *s, size_t len)
{
    if (w->skip)
        return;
    if (w->no_newline && len > 0 && *s == '\n') {
        s++;
        len--;
    }
    if (w->pre)
        add_preformatted(w, s, len);
    else
        add_flowing(w, s, len);
}

/* ---- attributes ---- */

typedef struct attributes {
    mime_html_attribute href, alt, style, start, value;
    bool hidden;
} attributes;

static void keep(mime_html_attribute *kept, const mime_html_attribute *a)
{
    if (!kept->name)
        *kept = *a;
}

static void read_attributes(mime_html_token *token, attributes *all)
{
    mime_html_attribute a;
    all->href.name = all->alt.name = all->style.name = all->start.name = all->value.name = NULL;
    all->hidden = false;
    while (token->attributes < token->attributes_end && mime_html_next_attribute(token, &a)) {
        if (mime_html_is(a.name, a.name_len, "style"))
            keep(&all->style, &a);
        else if (mime_html_is(a.name, a.name_len, "href"))
            keep(&all->href, &a);
        else if (mime_html_is(a.name, a.name_len, "alt"))
            keep(&all->alt, &a);
        else if (mime_html_is(a.name, a.name_len, "hidden"))
            all->hidden = true;
        else if (mime_html_is(a.name, a.name_len, "start"))
            keep(&all->start, &a);
        else if (mime_html_is(a.name, a.name_len, "value"))
            keep(&all->value, &a);
    }
}

static bool is_blank(char c)
{
    return classes[(unsigned char)c] == SPACE;
}

/* The end of the CSS declaration at `at`: its ";", not one of a string or url(). */
static size_t declaration_end(const char *s, size_t len, size_t at)
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

static size_t skip_blanks(const char *s, size_t len, size_t at)
{
    while (at < len && is_blank(s[at]))
        at++;
    return at;
}

static bool word_at(const char *s, size_t len, size_t at, const char *word)
{
    size_t n = strlen(word);
    return len - at >= n && strncasecmp(s + at, word, n) == 0;
}

/* What isn't shown isn't told: mostly the preheader trick. The style's last word on display counts,
 * or its last important one. */
static bool is_hidden(writer *w, attributes *all)
{
    bool hidden = all->hidden, important = false;
    if (!all->style.name || !mime_html_decode(&all->style, &w->scratch))
        return hidden;
    const char *s = all->style.value;
    size_t len = all->style.value_len;
    for (size_t at = 0, end; at < len; at = end + 1) {
        end = declaration_end(s, len, at);
        at = skip_blanks(s, end, at);
        if (!word_at(s, end, at, "display"))
            continue;
        at = skip_blanks(s, end, at + strlen("display"));
        if (at == end || s[at] != ':')
            continue;
        at = skip_blanks(s, end, at + 1);
        bool now = memchr(s + at, '!', end - at) != NULL;
        if (now || !important)
            hidden = word_at(s, end, at, "none");
        important = important || now;
    }
    return hidden;
}

/* A list's or item's number; `otherwise` if it is none. */
static int number_of(const mime_html_attribute *a, int otherwise)
{
    char digits[12];
    if (!a->name || a->value_len == 0 || a->value_len >= sizeof digits)
        return otherwise;
    memcpy(digits, a->value, a->value_len);
    digits[a->value_len] = '\0';
    char *end;
    long n = strtol(digits, &end, 10);
    return end == digits || n > INT_MAX / 2 || n < INT_MIN / 2 ? otherwise : (int)n;
}

/* ---- links ---- */

/* A link's text that says the same as its target needs no target behind it. */
static bool says_target(const char *text, size_t len, const char *href, size_t href_len)
{
    static const char *const prefixes[] = {"", "mailto:", "https://", "http://", "tel:"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        if (!word_at(href, href_len, 0, prefixes[i]))
            continue;
        const char *rest = href + strlen(prefixes[i]);
        size_t n = href_len - strlen(prefixes[i]);
        if (n == len + 1 && rest[len] == '/')
            n--;
        if (i == 1 && n > len && rest[len] == '?') /* mailto:a@b.c?subject=… */
            n = len;
        if (n == len && memcmp(rest, text, len) == 0)
            return true;
    }
    return false;
}

static void close_link(writer *w)
{
    if (!w->linked)
        return;
    w->linked = false;
    /* A link around nothing is an image's without a text, or a spacer: there is nothing to follow.
     */
    if (w->link_start == SIZE_MAX || !buf_ok(w->out) ||
        says_target(w->out->data + w->link_start, w->out->len - w->link_start, w->href.data,
                    w->href.len))
        return;
    buf_add(w->out, " <", 2);
    buf_add(w->out, w->href.data, w->href.len);
    buf_addc(w->out, '>');
}

static void open_link(writer *w, attributes *all)
{
    mime_html_attribute *a = &all->href;
    close_link(w);
    if (!a->name || !mime_html_decode(a, &w->scratch))
        return;
    const char *s = a->value;
    size_t at = 0, len = a->value_len;
    at = skip_blanks(s, len, at);
    while (len > at && is_blank(s[len - 1]))
        len--;
    if (at == len || s[at] == '#' || word_at(s, len, at, "javascript:"))
        return;
    buf_clear(&w->href);
    for (; at < len; at++) {
        if (s[at] == ' ')
            buf_adds(&w->href, "%20");
        else if (s[at] == '<')
            buf_adds(&w->href, "%3C");
        else if (s[at] == '>')
            buf_adds(&w->href, "%3E");
        else if ((unsigned char)s[at] > ' ' && s[at] != 0x7F)
            buf_addc(&w->href, s[at]);
    }
    w->linked = w->href.len > 0;
    w->link_start = SIZE_MAX;
}

/* ---- what elements do ---- */

static void open_list(writer *w, bool numbered, const attributes *all)
{
    want_breaks(w, w->lists ? 1 : 2);
    if (w->lists < LISTS_MAX) {
        w->numbered[w->lists] = numbered;
        w->numbers[w->lists] = number_of(&all->start, 1);
    }
    w->lists++;
}

static void open_item(writer *w, const attributes *all)
{
    unsigned list = w->lists - 1;
    want_breaks(w, 1);
    w->marker = BULLET;
    if (list < LISTS_MAX && w->numbered[list]) {
        w->marker = NUMBER;
        w->number = number_of(&all->value, w->numbers[list]);
        w->numbers[list] = w->number + 1;
    }
}

/* A cell goes on with its row's line, unless one before it took several. */
static void open_cell(writer *w)
{
    if (w->row_has_text && w->row_is_line)
        w->breaks = 0;
    else if (w->row_has_text)
        want_breaks(w, 1);
    w->cell_owed = true;
    w->space = false;
}

static void open_element(writer *w, uint16_t id, attributes *all)
{
    switch ((act)element(id)->act) {
    case BLOCK: want_block(w, 1); break;
    case PARAGRAPH: want_block(w, BREAKS_MAX); break;
    case TABULAR:
        want_breaks(w, BREAKS_MAX);
        w->data = false;
        break;
    case BREAK:
        w->breaks = w->pre ? w->breaks + 1 : at_most(w->breaks + 1, BREAKS_MAX);
        w->space = false;
        break;
    case RULE:
        want_breaks(w, BREAKS_MAX);
        begin_text(w);
        buf_add(w->out, "----", 4);
        want_breaks(w, BREAKS_MAX);
        break;
    case IMAGE:
        if (all->alt.name && mime_html_decode(&all->alt, &w->scratch))
            add_flowing(w, all->alt.value, all->alt.value_len);
        break;
    case LINK: open_link(w, all); break;
    case LIST: open_list(w, false, all); break;
    case NUMBERED: open_list(w, true, all); break;
    case ITEM: open_item(w, all); break;
    case ROW:
        want_breaks(w, 1);
        w->row_has_text = w->row_parted = false;
        break;
    case CELL: open_cell(w); break;
    case PRE:
        want_breaks(w, BREAKS_MAX);
        w->pre++;
        break;
    case QUOTE:
        want_breaks(w, BREAKS_MAX);
        w->quotes++;
        break;
    case QUOTED: add_flowing(w, "\"", 1); break;
    case SKIP:
    case FOREIGN:
    case FOREIGN_SKIP:
    case NONE: break;
    }
}

static void close_element(writer *w, uint16_t id)
{
    switch ((act)element(id)->act) {
    case BLOCK: want_block(w, 1); break;
    case PARAGRAPH: want_block(w, BREAKS_MAX); break;
    case TABULAR:
        want_breaks(w, BREAKS_MAX);
        w->data = w->row_is_line = false;
        break;
    case ROW:
        w->cell_owed = false;
        want_breaks(w, 1);
        w->data = w->row_is_line && w->row_parted;
        if (w->data) /* close to the next one, even if its cells are paragraphs */
            w->breaks = 1;
        break;
    case LINK: close_link(w); break;
    case LIST:
    case NUMBERED:
        w->lists--;
        w->marker = NO_MARKER;
        want_breaks(w, w->lists ? 1 : 2);
        break;
    case ITEM:
        want_breaks(w, 1);
        if (!w->marker) /* close to the next one, even if paragraphs are in it */
            w->breaks = 1;
        w->marker = NO_MARKER;
        break;
    case PRE:
        w->pre--;
        buf_clear(&w->blanks);
        w->breaks = BREAKS_MAX;
        break;
    case QUOTE:
        w->quotes--;
        if (w->low_quotes > w->quotes)
            w->low_quotes = w->quotes;
        want_breaks(w, BREAKS_MAX);
        break;
    case QUOTED: add_flowing(w, "\"", 1); break;
    case CELL:
    case SKIP:
    case FOREIGN:
    case FOREIGN_SKIP:
    case BREAK:
    case RULE:
    case IMAGE:
    case NONE: break;
    }
}

/* ---- open elements ---- */

static unsigned flags_of(const writer *w, unsigned at)
{
    return element(w->stack[at])->flags;
}

static void pop(writer *w)
{
    uint16_t id = w->stack[w->depth - 1];
    if (!w->skip)
        close_element(w, id);
    w->depth--;
    w->open[id & 0xFF]--;
    if (w->skip > w->depth)
        w->skip = 0;
    if (w->foreign > w->depth) {
        w->foreign = 0;
        w->html.foreign = false;
    }
}

static void pop_to(writer *w, unsigned depth)
{
    while (w->depth > depth)
        pop(w);
}

static void push(writer *w, uint16_t id)
{
    if (w->depth == DEPTH_MAX)
        pop(w);
    w->stack[w->depth++] = id;
    w->open[id & 0xFF]++;
    if (element(id)->act == FOREIGN && !w->foreign) {
        w->foreign = w->depth;
        w->html.foreign = true;
    }
}

/* How deep the innermost open `id` is, itself included; 0 if there is none, or if an element with
 * one of the flags is in between. */
static unsigned find(const writer *w, uint16_t id, unsigned flags)
{
    if (w->open[id & 0xFF] == 0)
        return 0;
    for (unsigned depth = w->depth; depth > 0; depth--) {
        if (w->stack[depth - 1] == id)
            return depth;
        if (flags_of(w, depth - 1) & flags)
            return 0;
    }
    return 0;
}

/* How deep the innermost element with one of the flags is; 0: there is none. */
static unsigned find_flags(const writer *w, unsigned flags)
{
    unsigned depth = w->depth;
    while (depth > 0 && !(flags_of(w, depth - 1) & flags))
        depth--;
    return depth;
}

static void end_if_open(writer *w, uint16_t id, unsigned flags)
{
    unsigned depth = find(w, id, flags);
    if (depth > 0)
        pop_to(w, depth - 1);
}

/* An item ends the one before, unless a list has begun in between; the same with <dt> and <dd>. */
static void end_item(writer *w, uint16_t id, uint16_t other)
{
    for (unsigned depth = w->depth; depth > 0; depth--) {
        uint16_t open = w->stack[depth - 1];
        if (open == id || open == other) {
            pop_to(w, depth - 1);
            return;
        }
        if (flags_of(w, depth - 1) & SPECIAL && open != EL_ADDRESS && open != EL_DIV &&
            open != EL_P)
            return;
    }
}

/* Parts of a table end what is open in the part before. */
static void end_table_parts(writer *w, uint16_t id)
{
    unsigned depth = 0;
    if (id == EL_TD || id == EL_TH) {
        depth = find_flags(w, TABLE | BODY);
        unsigned row = find(w, EL_TR, TABLE | BODY);
        depth = row > depth ? row : depth;
    } else if (id == EL_TR) {
        depth = find_flags(w, TABLE | BODY);
    } else {
        depth = find_flags(w, TABLE);
    }
    if (depth > 0)
        pop_to(w, depth);
    else /* cells without a table are not told apart by browsers, but by their writers */
        end_if_open(w, id, SCOPE);
}

/* What a start tag ends. */
static void end_others(writer *w, uint16_t id, unsigned flags)
{
    if (id == EL_LI)
        end_item(w, id, id);
    else if (id == EL_DT || id == EL_DD)
        end_item(w, EL_DT, EL_DD);
    else if (id == EL_A)
        end_if_open(w, id, SPECIAL);
    if (flags & ENDS_P)
        end_if_open(w, EL_P, SCOPE | P_SCOPE);
    if (flags & HEADING && w->depth > 0 && flags_of(w, w->depth - 1) & HEADING)
        pop(w);
    if (flags & IN_TABLE)
        end_table_parts(w, id);
}

/* ---- tags ---- */

static bool is_left_out(const writer *w, uint16_t id)
{
    unsigned does = element(id)->act;
    return does == SKIP || (does == FOREIGN_SKIP && w->foreign);
}

/* Whether the element goes on behind its start tag. */
static bool has_end_tag(const writer *w, uint16_t id, const mime_html_token *token)
{
    bool foreign = w->foreign || element(id)->act == FOREIGN;
    return !(element(id)->flags & VOID) && !(foreign && token->self_closing);
}

static void on_start(writer *w, mime_html_token *token)
{
    uint16_t id = identify(token->data, token->len);
    unsigned flags = element(id)->flags;
    if (flags & IGNORED)
        return;
    if (w->foreign && flags & (ENDS_P | IN_TABLE))
        pop_to(w, w->foreign - 1); /* nothing closes <svg> so often as forgetting to */
    end_others(w, id, flags);
    bool has_end = has_end_tag(w, id, token);
    if (has_end)
        push(w, id);
    if (w->skip)
        return;
    attributes all;
    bool skipped = is_left_out(w, id);
    read_attributes(token, &all);
    if (skipped || is_hidden(w, &all)) {
        if (has_end)
            w->skip = w->depth;
        return;
    }
    open_element(w, id, &all);
    w->no_newline = flags & NEWLINE;
}

static unsigned end_tag_stops(uint16_t id, unsigned flags)
{
    if (!(flags & SPECIAL))
        return SPECIAL;
    if (flags & (IN_TABLE | TABLE))
        return TABLE;
    if (id == EL_LI)
        return SCOPE | LIST_SCOPE;
    return id == EL_P ? SCOPE | P_SCOPE : SCOPE;
}

static void on_end(writer *w, const mime_html_token *token)
{
    uint16_t id = identify(token->data, token->len);
    unsigned flags = element(id)->flags, depth = 0;
    if (flags & HEADING) {
        depth = find_flags(w, HEADING | SCOPE);
        if (depth > 0 && !(flags_of(w, depth - 1) & HEADING))
            depth = 0;
    } else {
        depth = find(w, id, end_tag_stops(id, flags));
    }
    if (depth > 0)
        pop_to(w, depth - 1);
    else if (w->skip && w->stack[w->skip - 1] == id && !(flags & SPECIAL))
        pop_to(w, w->skip - 1); /* <b hidden><div></b>: rather told too much than too little */
    else if (id == EL_A)
        close_link(w);
    else if (!w->skip && id == EL_P)
        want_breaks(w, BREAKS_MAX);
    else if (!w->skip && id == EL_BR)
        open_element(w, id, NULL);
}

static void free_buffers(writer *w)
{
    buf_free(&w->blanks);
    buf_free(&w->href);
    buf_free(&w->scratch);
}

bool mime_text_from_html(const char *html, size_t len, buf *out)
{
    writer w;
    mime_html_token token;
    memset(&w, 0, offsetof(writer, stack));
    memset(w.open, 0, sizeof w.open);
    w.out = out;
    w.start = out->len;
    w.prefix = 2 * len + 4096;
    if (len >= 3 && memcmp(html, "\xEF\xBB\xBF", 3) == 0) { /* a byte order mark */
        html += 3;
        len -= 3;
    }
    mime_html_init(&w.html, html, len);
    for (mime_html_kind kind; (kind = mime_html_next(&w.html, &token)) != MIME_HTML_END;) {
        if (kind == MIME_HTML_TEXT)
            add_text(&w, token.data, token.len);
        w.no_newline = false;
        if (kind == MIME_HTML_START_TAG)
            on_start(&w, &token);
        else if (kind == MIME_HTML_END_TAG)
            on_end(&w, &token);
    }
    pop_to(&w, 0);
    close_link(&w);
    if (out->len > w.start)
        buf_addc(out, '\n');
    bool ok = buf_ok(out) && buf_ok(&w.blanks) && buf_ok(&w.href) && buf_ok(&w.scratch);
    free_buffers(&w);
    return ok;
}
