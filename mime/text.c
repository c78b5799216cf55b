#include "mime/text.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mime/html.h"

#define LISTS_MAX  8   /* deeper ones are indented like the last */
#define QUOTES_MAX 8   /* deeper ones are marked like the last */
#define DEPTH_MAX  256 /* of open elements; a deeper one takes the place of the innermost */
#define BREAKS_MAX 2

/* What is called for few tokens only stays out of the way of the others. */
#define RARE __attribute__((noinline))

/* ---- the writer ---- */

typedef enum marker { NO_MARKER, BULLET, NUMBER } marker;

/* An open element. */
typedef struct level {
    const mime_element_row *row; /* of an unknown one the table's first, which tells nothing */
    uint16_t id;
} level;

typedef struct writer {
    buf out;
    size_t start;    /* where this text begins in `out` */
    size_t prefix;   /* bytes that marks and indentation may still take: what bounds the output */
    unsigned breaks; /* line ends owed before the next text; one at least before the first */
    bool space;      /* a space is owed, unless a line begins */
    bool no_newline; /* one that comes right now is dropped */

    unsigned pre, quotes, lists; /* open <pre>, <blockquote>, lists */
    unsigned low_quotes;         /* the fewest since the last text */
    bool numbered[LISTS_MAX];
    int numbers[LISTS_MAX]; /* of the next item */
    marker marker;          /* an item's is owed */
    int number;
    buf blanks; /* in <pre>: white space that is owed before a visible character */

    bool row_is_line;  /* the open row's text is on one line */
    bool row_parted;   /* by a separator */
    bool row_has_text; /* has it any? */
    bool cell_owed;    /* a separator is, as a cell has begun and has no text yet */
    bool data;         /* the row before was a line with separators */

    bool linked; /* an <a href> is open */
    buf href;
    size_t link_start; /* where its text begins; SIZE_MAX: none yet */

    char referred[OCTETS];      /* what the last reference stood for */
    buf scratch;                /* attributes' values */
    level *top;                 /* the innermost open element */
    unsigned skip;              /* how many, with the one that is left out; 0: none is */
    unsigned foreign;           /* how many, with <svg> or <math>; 0: neither is open */
    unsigned odd;               /* an element with one of these flags is for on_start(), on_end() */
    uint16_t open[128];         /* how many there are, by the low bits of their number */
    uint8_t likely[128];        /* by an element's number, what was the last to begin in one */
    level stack[1 + DEPTH_MAX]; /* from 1 on; stack[0] is none */
    mime_html html;
} writer;

static unsigned at_most(unsigned n, unsigned max)
{
    return n < max ? n : max;
}

static inline void want_breaks(writer *w, unsigned n)
{
    if (w->breaks < n)
        w->breaks = n;
    w->space = false;
    if (w->blanks.len > 0)
        buf_clear(&w->blanks);
}

/* A block in front of an item's or a cell's text doesn't part it from its marker or row. */
static inline void want_block(writer *w, unsigned n)
{
    bool in_line = w->row_has_text ? w->row_is_line : w->data;
    if (!w->cell_owed || !in_line)
        want_breaks(w, w->marker ? 1 : n);
}

static void add_prefix(writer *w, const char *s, size_t len)
{
    if (w->prefix < len)
        return;
    w->prefix -= len;
    buf_add(&w->out, s, len);
}

static void add_quote_marks(writer *w, unsigned quotes, bool spaced)
{
    static const char marks[] = "> > > > > > > > ";
    size_t len = 2 * (size_t)at_most(quotes, QUOTES_MAX);
    add_prefix(w, marks, len > 0 && !spaced ? len - 1 : len);
}

static void add_marks(writer *w)
{
    static const char indent[] = "                ";
    add_quote_marks(w, w->quotes, true);
    size_t levels = at_most(w->lists, LISTS_MAX);
    if (w->marker && levels > 0)
        levels--;
    add_prefix(w, indent, 2 * levels);
    if (w->marker == BULLET) {
        buf_adds(&w->out, "- ");
    } else if (w->marker == NUMBER) {
        if (w->number < 0)
            buf_addc(&w->out, '-');
        buf_addu(&w->out, w->number < 0 ? 0U - (unsigned)w->number : (unsigned)w->number);
        buf_adds(&w->out, ". ");
    }
    w->marker = NO_MARKER;
}

/* Blank lines belong to the quote if both sides do. */
static void add_blank_lines(writer *w, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        add_quote_marks(w, w->low_quotes, false);
        buf_addc(&w->out, '\n');
    }
}

/* What a piece of text takes, at most, with the space before it; and what begin_piece() writes. */
#define PIECE_ROOM (1 + OCTETS)
#define BEGIN_ROOM 4

/* What is owed where a line begins, but for its end. Where the output goes on; NULL if memory ran
 * out. */
RARE static char *begin_line(writer *w, const char *to)
{
    w->out.len = (size_t)(to - w->out.data);
    if (w->breaks > 1 && w->out.len > w->start + 1)
        add_blank_lines(w, w->breaks - 1);
    if (w->quotes | w->lists | w->marker)
        add_marks(w);
    return buf_reserve(&w->out, PIECE_ROOM) ? w->out.data + w->out.len : NULL;
}

/* Pays what is owed before a visible character, and a space if nothing else is, at the output's end
 * `to`: its new end. There is room for BEGIN_ROOM and PIECE_ROOM, and for PIECE_ROOM behind it;
 * NULL if memory ran out. */
static inline __attribute__((always_inline)) char *begin_piece(writer *w, char *to, bool space)
{
    if (w->breaks) {
        *to = '\n';
        to += to != w->out.data + w->start;
        w->row_is_line = !w->row_has_text;
        if ((w->breaks > 1 || w->quotes | w->lists | w->marker) && !(to = begin_line(w, to)))
            return NULL;
        w->breaks = 0;
    } else if (w->cell_owed && w->row_has_text) {
        memcpy(to, " | ", BEGIN_ROOM); /* and a NUL: four are one store */
        to += 3;
        w->row_parted = true;
    } else if (space) {
        *to++ = ' ';
    }
    w->low_quotes = w->quotes;
    w->row_has_text = true;
    w->cell_owed = false;
    if (w->linked && w->link_start == SIZE_MAX)
        w->link_start = (size_t)(to - w->out.data);
    return to;
}

RARE static void begin_text(writer *w)
{
    char *to = NULL;
    if (buf_reserve(&w->out, BEGIN_ROOM + PIECE_ROOM))
        to = begin_piece(w, w->out.data + w->out.len, w->space);
    if (to)
        w->out.len = (size_t)(to - w->out.data);
    w->space = false;
}

/* ---- text ---- */

enum { VISIBLE, SPACE, DROPPED, LATIN /* the first byte of U+0080 to U+00BF */ };

static const uint8_t classes[256] = {
    [' '] = SPACE,  ['\t'] = SPACE,   ['\n'] = SPACE, ['\r'] = SPACE,
    ['\f'] = SPACE, ['\0'] = DROPPED, [0xC2] = LATIN,
};

static bool is_blank(char c)
{
    return classes[(unsigned char)c] == SPACE;
}

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
    if (!buf_reserve(&w->out, len - at))
        return;
    /* Folding only shortens it. */
    char *to = w->out.data + w->out.len;
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
    w->out.len = (size_t)(to - w->out.data);
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
            buf_add(&w->out, w->blanks.data, w->blanks.len);
            buf_add(&w->out, s + at, next - at);
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

/* Bytes that stand in flowing text as they are: neither markup nor such that something else than a
 * single space may come of them. What is behind the sixteen is looked at, too: a space with another
 * one (or a NUL, which is dropped) behind it is for leading_blanks(). */
static inline size_t plain_octets(const char *s)
{
    octets o = octets_load(s), behind = octets_load(s + 1);
    octets doubled = (octets)((o | behind) == ' ');
    return octets_first(doubled | (octets)((o < ' ') | (o == '<') | (o == '&') | (o == 0xC2)));
}

/* The white space there is, as far as can be seen at once. */
static inline size_t leading_blanks(const char *s)
{
    if (*s == ' ' && (unsigned char)s[1] > ' ')
        return 1;
    octets o = octets_load(s);
    octets blank = (octets)((o == ' ') | (o == '\n') | (o == '\r') | (o == '\t'));
    return octets_first(~blank);
}

/* Some visible characters with single spaces between them, and what follows where they come from.
 * OCTETS can be read at `s`. */
typedef struct piece {
    const char *s;
    size_t len; /* at most OCTETS */
    const char *next;
} piece;

RARE static piece rare_reference(writer *w, const char *at, const char *end)
{
    size_t len = 0;
    const char *next = mime_html_reference(at, end, false, w->referred, &len);
    return (piece){w->referred, next ? len : 0, next};
}

/* What a reference stands for; empty if it is none. */
static inline piece referred_piece(writer *w, const char *at)
{
    const char *next;
    const unsigned char *entity = mime_html_usual_reference(at, &next);
    if (entity)
        return (piece){(const char *)entity + 1, entity[0] & MIME_ENTITY_LEN, next};
    return rare_reference(w, at, w->html.end);
}

/* Where text is written while pieces of it come one after the other. */
typedef struct flow {
    char *to;
    char *limit;  /* `to` has room for a piece in front of it; where the output begins: none yet */
    size_t space; /* 1: one is owed */
} flow;

/* Room for a piece, and what is owed before the first; false if memory ran out. */
static inline bool begin_flow(writer *w, flow *f)
{
    bool begun = f->limit != w->out.data;
    w->out.len = (size_t)(f->to - w->out.data);
    if (!buf_reserve(&w->out, BEGIN_ROOM + PIECE_ROOM))
        return false;
    f->to = w->out.data + w->out.len;
    if (!begun) {
        char *to = begin_piece(w, f->to, f->space);
        f->to = to ? to : w->out.data + w->out.len;
        if (!to)
            return false;
        f->space = 0;
    }
    f->limit = w->out.data + w->out.cap - PIECE_ROOM + 1;
    return true;
}

static inline bool add_piece(writer *w, const piece *p, flow *f)
{
    if (f->to >= f->limit && !begin_flow(w, f))
        return false;
    size_t owed = f->space;
    f->space = p->s[p->len - 1] == ' ';
    *f->to = ' ';
    memcpy(f->to + owed, p->s, OCTETS);
    f->to += owed + p->len - f->space;
    return true;
}

/* Takes what it can of the flowing text at `at`, without a token for it; the rest is left to
 * add_flowing(). Where it ends. Up to `last` there is MIME_HTML_ROOM. */
static inline const char *take_flowing(writer *w, const char *at, const char *last)
{
    flow f = {w->out.data + w->out.len, w->out.data, w->space};
    do {
        unsigned class = VISIBLE;
        piece p = {.s = at};
        if (*at == '&') {
            size_t first = 0;
            p = referred_piece(w, at);
            class = classify(p.s, p.len, &first);
        } else if ((unsigned char)*at > ' ') {
            p.len = plain_octets(at);
            p.next = at + p.len;
        } else {
            p.len = leading_blanks(at);
            p.next = at + p.len;
            class = SPACE;
        }
        if (p.len == 0 || (class == VISIBLE && !add_piece(w, &p, &f)))
            break;
        if (class == SPACE)
            f.space = 1;
        at = p.next;
    } while (at <= last && *at != '<');
    w->out.len = (size_t)(f.to - w->out.data);
    w->space = f.space;
    return at;
}

/* ---- attributes ---- */

static size_t skip_blanks(const char *s, size_t len, size_t at)
{
    while (at < len && is_blank(s[at]))
        at++;
    return at;
}

/* A word of `n` small letters, and what isn't one behind them; mostly the first tells. */
static inline bool word_at(const char *s, size_t len, size_t at, const char *word, size_t n)
{
    return len - at >= n && (s[at] | 0x20) == *word && strncasecmp(s + at, word, n) == 0;
}

/* Whether a style may say something on display: it has a "d" with a "y" where it would be, or a
 * reference that may stand for anything. `end`: how far can be read. */
static inline bool may_set_display(const char *s, size_t len, const char *end)
{
    enum { D_TO_Y = sizeof "displa" - 1 };
    const char *to = s + len;
    for (; s < to && end - s >= D_TO_Y + OCTETS; s += OCTETS) {
        octets o = octets_load(s), later = octets_load(s + D_TO_Y);
        octets found = (octets)(((o | 0x20) == 'd') & ((later | 0x20) == 'y'));
        size_t n = octets_first(found | (octets)(o == '&'));
        if (n < OCTETS)
            return s + n < to;
    }
    return s < to;
}

RARE static bool style_hides(writer *w, mime_html_attribute *style, bool hidden)
{
    bool important = false;
    if (!mime_html_decode(style, &w->scratch))
        return hidden;
    const char *s = style->value;
    size_t len = style->value_len;
    for (size_t at = 0, end; at < len; at = end + 1) {
        end = mime_html_declaration_end(s, len, at);
        at = skip_blanks(s, end, at);
        if (!word_at(s, end, at, "display", strlen("display")))
            continue;
        at = skip_blanks(s, end, at + strlen("display"));
        if (at == end || s[at] != ':')
            continue;
        at = skip_blanks(s, end, at + 1);
        bool now = memchr(s + at, '!', end - at) != NULL;
        if (now || !important)
            hidden = word_at(s, end, at, "none", strlen("none"));
        important = important || now;
    }
    return hidden;
}

/* What isn't shown isn't told: mostly the preheader trick. */
static inline bool is_hidden(writer *w, mime_html_token *token)
{
    mime_html_attribute *style = &token->known[MIME_HTML_STYLE];
    if (!token->has)
        return false;
    if (mime_html_has(token, MIME_HTML_STYLE) &&
        may_set_display(style->value, style->value_len, w->html.end))
        return style_hides(w, style, mime_html_has(token, MIME_HTML_HIDDEN));
    return mime_html_has(token, MIME_HTML_HIDDEN);
}

/* A list's or item's number; `otherwise` if it is none. */
static int number_of(const mime_html_token *token, mime_html_known which, int otherwise)
{
    char digits[12];
    const mime_html_attribute *a = &token->known[which];
    if (!mime_html_has(token, which) || a->value_len == 0 || a->value_len >= sizeof digits)
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
    static const struct {
        char text[9];
        uint8_t len;
    } prefixes[] = {{"", 0}, {"mailto:", 7}, {"https://", 8}, {"http://", 7}, {"tel:", 4}};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        size_t prefix = prefixes[i].len;
        if (href_len < prefix + len)
            continue;
        const char *rest = href + prefix;
        size_t n = href_len - prefix;
        if (n == len + 1 && rest[len] == '/')
            n--;
        if (i == 1 && n > len && rest[len] == '?') /* mailto:a@b.c?subject=… */
            n = len;
        if (n == len && memcmp(rest, text, len) == 0 &&
            (prefix == 0 || word_at(href, href_len, 0, prefixes[i].text, prefix)))
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
    if (w->link_start == SIZE_MAX || !buf_ok(&w->out) ||
        says_target(w->out.data + w->link_start, w->out.len - w->link_start, w->href.data,
                    w->href.len))
        return;
    buf_add(&w->out, " <", 2);
    buf_add(&w->out, w->href.data, w->href.len);
    buf_addc(&w->out, '>');
}

/* Where the first of sixteen characters is that doesn't stand in a target as it is: it could end
 * it, or is not part of it. */
static inline size_t target_octets(const char *s)
{
    octets o = octets_load(s);
    return octets_first((octets)((o <= ' ') | (o == '<') | (o == '>') | (o == 0x7F)));
}

/* How many come before such a character. */
static size_t target_run(const char *s, size_t len)
{
    size_t n, at = 0;
    for (; len - at >= OCTETS; at += OCTETS) {
        n = target_octets(s + at);
        if (n < OCTETS)
            return at + n;
    }
    if (at > 0) /* the last, and some before it once more */
        return len - OCTETS + target_octets(s + len - OCTETS);
    while (at < len && (unsigned char)s[at] > ' ' && s[at] != '<' && s[at] != '>' && s[at] != 0x7F)
        at++;
    return at;
}

/* Such a character as it stands in a target. */
static const char *in_target(char c)
{
    switch (c) {
    case ' ': return "%20";
    case '<': return "%3C";
    case '>': return "%3E";
    default: return "";
    }
}

static void open_link(writer *w, mime_html_token *token)
{
    mime_html_attribute *a = &token->known[MIME_HTML_HREF];
    close_link(w);
    if (!mime_html_has(token, MIME_HTML_HREF) || !mime_html_decode(a, &w->scratch))
        return;
    const char *s = a->value;
    size_t at = 0, len = a->value_len;
    at = skip_blanks(s, len, at);
    while (len > at && is_blank(s[len - 1]))
        len--;
    if (at == len || s[at] == '#' || word_at(s, len, at, "javascript:", strlen("javascript:")))
        return;
    buf_clear(&w->href);
    for (size_t from = at; at < len; from = at) {
        at += target_run(s + at, len - at);
        buf_add(&w->href, s + from, at - from);
        if (at < len)
            buf_adds(&w->href, in_target(s[at++]));
    }
    w->linked = w->href.len > 0;
    w->link_start = SIZE_MAX;
}

/* ---- what elements do ---- */

static void open_list(writer *w, bool numbered, const mime_html_token *token)
{
    want_breaks(w, w->lists ? 1 : 2);
    if (w->lists < LISTS_MAX) {
        w->numbered[w->lists] = numbered;
        w->numbers[w->lists] = number_of(token, MIME_HTML_START, 1);
    }
    w->lists++;
}

static void open_item(writer *w, const mime_html_token *token)
{
    unsigned list = w->lists - 1;
    want_breaks(w, 1);
    w->marker = BULLET;
    if (list < LISTS_MAX && w->numbered[list]) {
        w->marker = NUMBER;
        w->number = number_of(token, MIME_HTML_VALUE, w->numbers[list]);
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

static void open_image(writer *w, mime_html_token *token)
{
    mime_html_attribute *alt = &token->known[MIME_HTML_ALT];
    if (mime_html_has(token, MIME_HTML_ALT) && mime_html_decode(alt, &w->scratch))
        add_flowing(w, alt->value, alt->value_len);
}

/* What most elements do; false for the others. */
static inline bool open_block(writer *w, unsigned act)
{
    if (act == ACT_CELL) {
        open_cell(w);
        return true;
    }
    switch (act) {
    case ACT_NONE: return true;
    case ACT_BLOCK: want_block(w, 1); return true;
    case ACT_PARAGRAPH: want_block(w, BREAKS_MAX); return true;
    case ACT_ROW:
        want_breaks(w, 1);
        w->row_has_text = w->row_parted = false;
        return true;
    default: return false;
    }
}

RARE static void open_element(writer *w, const mime_element *e, mime_html_token *token)
{
    if (open_block(w, e->act))
        return;
    switch ((mime_act)e->act) {
    case ACT_TABULAR:
        want_breaks(w, BREAKS_MAX);
        w->data = false;
        break;
    case ACT_BREAK:
        w->breaks = w->pre ? w->breaks + 1 : at_most(w->breaks + 1, BREAKS_MAX);
        w->space = false;
        break;
    case ACT_RULE:
        want_breaks(w, BREAKS_MAX);
        begin_text(w);
        buf_add(&w->out, "----", 4);
        want_breaks(w, BREAKS_MAX);
        break;
    case ACT_IMAGE: open_image(w, token); break;
    case ACT_LINK: open_link(w, token); break;
    case ACT_LIST: open_list(w, false, token); break;
    case ACT_NUMBERED: open_list(w, true, token); break;
    case ACT_ITEM: open_item(w, token); break;
    case ACT_PRE:
        want_breaks(w, BREAKS_MAX);
        w->pre++;
        break;
    case ACT_QUOTE:
        want_breaks(w, BREAKS_MAX);
        w->quotes++;
        break;
    case ACT_QUOTED: add_flowing(w, "\"", 1); break;
    default: break;
    }
}

static inline void close_row(writer *w)
{
    w->cell_owed = false;
    want_breaks(w, 1);
    w->data = w->row_is_line && w->row_parted;
    if (w->data) /* close to the next one, even if its cells are paragraphs */
        w->breaks = 1;
}

static inline bool close_block(writer *w, unsigned act)
{
    if (act == ACT_CELL)
        return true;
    switch (act) {
    case ACT_NONE: return true;
    case ACT_BLOCK: want_block(w, 1); return true;
    case ACT_PARAGRAPH: want_block(w, BREAKS_MAX); return true;
    case ACT_ROW: close_row(w); return true;
    default: return false;
    }
}

RARE static void close_element(writer *w, const mime_element *e)
{
    if (close_block(w, e->act))
        return;
    switch ((mime_act)e->act) {
    case ACT_TABULAR:
        want_breaks(w, BREAKS_MAX);
        w->data = w->row_is_line = false;
        break;
    case ACT_LINK: close_link(w); break;
    case ACT_LIST:
    case ACT_NUMBERED:
        w->lists--;
        w->marker = NO_MARKER;
        want_breaks(w, w->lists ? 1 : 2);
        break;
    case ACT_ITEM:
        want_breaks(w, 1);
        if (!w->marker) /* close to the next one, even if paragraphs are in it */
            w->breaks = 1;
        w->marker = NO_MARKER;
        break;
    case ACT_PRE:
        w->pre--;
        buf_clear(&w->blanks);
        w->breaks = BREAKS_MAX;
        break;
    case ACT_QUOTE:
        w->quotes--;
        if (w->low_quotes > w->quotes)
            w->low_quotes = w->quotes;
        want_breaks(w, BREAKS_MAX);
        break;
    case ACT_QUOTED: add_flowing(w, "\"", 1); break;
    default: break;
    }
}

/* ---- open elements ---- */

/* While one of them is left out or foreign, and behind <pre>, every element is. */
static void note_odd(writer *w)
{
    w->odd = w->skip || w->foreign || w->no_newline ? EF_ANY : EF_ODD;
}

static void expect_newline(writer *w, bool expected)
{
    w->no_newline = expected;
    note_odd(w);
}

/* How many there are. */
static inline unsigned depth_of(const writer *w)
{
    return (unsigned)(w->top - w->stack);
}

/* Takes the innermost one from the stack. */
static inline void drop(writer *w)
{
    w->open[w->top->id & 0x7F]--;
    w->top--;
}

RARE static void pop(writer *w)
{
    if (!w->skip)
        close_element(w, &w->top->row->element);
    drop(w);
    if (w->skip > depth_of(w))
        w->skip = 0;
    if (w->foreign > depth_of(w)) {
        w->foreign = 0;
        w->html.foreign = false;
    }
    note_odd(w);
}

static void pop_to(writer *w, unsigned depth)
{
    while (depth_of(w) > depth)
        pop(w);
}

static inline void push_row(writer *w, const mime_element_row *row, uint16_t id)
{
    if (w->top == &w->stack[DEPTH_MAX])
        pop(w);
    w->top++;
    *w->top = (level){row, id};
    w->open[id & 0x7F]++;
}

/* The innermost one. */
static void leave_out(writer *w)
{
    w->skip = depth_of(w);
    note_odd(w);
}

static void push(writer *w, const mime_element *e)
{
    push_row(w, &mime_elements[e->id < EL_COUNT ? e->id : EL_UNKNOWN], e->id);
    if (e->act == ACT_FOREIGN && !w->foreign) {
        w->foreign = depth_of(w);
        w->html.foreign = true;
        note_odd(w);
    }
}

/* How deep the innermost open `id` is, itself included; 0 if there is none, or if an element with
 * one of the flags is in between. */
static unsigned find(const writer *w, uint16_t id, unsigned flags)
{
    if (w->open[id & 0x7F] == 0)
        return 0;
    for (unsigned depth = depth_of(w); depth > 0; depth--) {
        if (w->stack[depth].id == id)
            return depth;
        if (w->stack[depth].row->element.flags & flags)
            return 0;
    }
    return 0;
}

/* How deep the innermost element with one of the flags is; 0: there is none. */
static unsigned find_flags(const writer *w, unsigned flags)
{
    unsigned depth = depth_of(w);
    while (depth > 0 && !(w->stack[depth].row->element.flags & flags))
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
    for (unsigned depth = depth_of(w); depth > 0; depth--) {
        uint16_t open = w->stack[depth].id;
        if (open == id || open == other) {
            pop_to(w, depth - 1);
            return;
        }
        if (w->stack[depth].row->element.flags & EF_SPECIAL && open != EL_ADDRESS &&
            open != EL_DIV && open != EL_P)
            return;
    }
}

/* Parts of a table end what is open in the part before. */
RARE static void end_table_part(writer *w, uint16_t id)
{
    unsigned depth = 0;
    if (id == EL_TD || id == EL_TH) {
        depth = find_flags(w, EF_TABLE | EF_BODY);
        unsigned row = find(w, EL_TR, EF_TABLE | EF_BODY);
        depth = row > depth ? row : depth;
    } else if (id == EL_TR) {
        depth = find_flags(w, EF_TABLE | EF_BODY);
    } else {
        depth = find_flags(w, EF_TABLE);
    }
    if (depth > 0)
        pop_to(w, depth);
    else /* cells without a table are not told apart by browsers, but by their writers */
        end_if_open(w, id, EF_SCOPE);
}

RARE static void end_usual(writer *w, uint16_t id, unsigned flags)
{
    if (id == EL_LI)
        end_item(w, id, id);
    else if (id == EL_DT || id == EL_DD)
        end_item(w, EL_DT, EL_DD);
    else if (id == EL_A)
        end_if_open(w, id, EF_SPECIAL);
    if (flags & EF_ENDS_P)
        end_if_open(w, EL_P, EF_SCOPE | EF_P_SCOPE);
    if (flags & EF_HEADING && w->top->row->element.flags & EF_HEADING)
        pop(w);
}

/* What a start tag ends. */
static inline void end_others(writer *w, const mime_element *e, const mime_element_row *inner)
{
    if (mime_element_fits(e->flags, inner->element.flags))
        return;
    if (e->flags & EF_IN_TABLE)
        end_table_part(w, e->id);
    else if (e->flags & (EF_ENDS_OWN | EF_ENDS_P | EF_HEADING))
        end_usual(w, e->id, e->flags);
}

/* ---- tags ---- */

static bool is_left_out(const writer *w, const mime_element *e)
{
    return e->act == ACT_SKIP || (e->act == ACT_FOREIGN_SKIP && w->foreign);
}

/* Whether the element goes on behind its start tag. */
static bool has_end_tag(const writer *w, const mime_element *e, const mime_html_token *token)
{
    if (token->self_closing && (w->foreign || e->act == ACT_FOREIGN))
        return false;
    return !(e->flags & EF_VOID);
}

RARE static void on_start(writer *w, const mime_element *e, mime_html_token *token)
{
    expect_newline(w, false);
    if (e->flags & EF_IGNORED)
        return;
    if (w->foreign && e->flags & (EF_ENDS_P | EF_IN_TABLE))
        pop_to(w, w->foreign - 1); /* nothing closes <svg> so often as forgetting to */
    end_others(w, e, w->top->row);
    bool has_end = has_end_tag(w, e, token);
    if (has_end)
        push(w, e);
    if (w->skip)
        return;
    if (is_left_out(w, e) || is_hidden(w, token)) {
        if (has_end)
            leave_out(w);
        return;
    }
    open_element(w, e, token);
    if (e->flags & EF_NEWLINE)
        expect_newline(w, true);
}

static unsigned end_tag_stops(const mime_element *e)
{
    if (!(e->flags & EF_SPECIAL))
        return EF_SPECIAL;
    if (e->flags & (EF_IN_TABLE | EF_TABLE))
        return EF_TABLE;
    if (e->id == EL_LI)
        return EF_SCOPE | EF_LIST_SCOPE;
    return e->id == EL_P ? EF_SCOPE | EF_P_SCOPE : EF_SCOPE;
}

/* How deep the element is that an end tag ends; 0: there is none. */
static unsigned find_ended(const writer *w, const mime_element *e)
{
    if (!(e->flags & EF_HEADING))
        return find(w, e->id, end_tag_stops(e));
    unsigned depth = find_flags(w, EF_HEADING | EF_SCOPE);
    return w->stack[depth].row->element.flags & EF_HEADING ? depth : 0;
}

RARE static void on_end(writer *w, const mime_element *e, mime_html_token *token)
{
    expect_newline(w, false);
    if (w->top->id == e->id) {
        pop(w);
        return;
    }
    unsigned depth = find_ended(w, e);
    if (depth > 0)
        pop_to(w, depth - 1);
    else if (w->skip && w->stack[w->skip].id == e->id && !(e->flags & EF_SPECIAL))
        pop_to(w, w->skip - 1); /* <b hidden><div></b>: rather told too much than too little */
    else if (e->id == EL_A)
        close_link(w);
    else if (!w->skip && e->id == EL_P)
        want_breaks(w, BREAKS_MAX);
    else if (!w->skip && e->id == EL_BR)
        open_element(w, e, token);
}

/* What on_start() and on_end() come to for most elements that are neither left out nor foreign. */
static inline void start_ordinary(writer *w, const mime_element_row *row,
                                  const mime_element_row *inner, mime_html_token *token)
{
    const mime_element *e = &row->element;
    end_others(w, e, inner);
    push_row(w, row, e->id);
    if (is_hidden(w, token))
        leave_out(w);
    else if (!open_block(w, e->act))
        open_element(w, e, token);
}

static inline void end_innermost(writer *w, const mime_element_row *row)
{
    if (!close_block(w, row->element.act))
        close_element(w, &row->element);
    drop(w);
}

/* The following take the tag or text at `at`, and tell where it ends: NULL where only a token will
 * do. MIME_HTML_ROOM is there. */

/* An end tag that isn't the innermost element's, or has attributes. */
RARE static const char *take_other_end(writer *w, mime_html_token *token, const char *at)
{
    const char *to;
    const mime_element_row *row = mime_html_take_tag(token, w->top->row, at + 2, w->html.end, &to);
    if (!row)
        return NULL;
    on_end(w, &row->element, token);
    return to;
}

static inline const char *take_end(writer *w, mime_html_token *token, const char *at)
{
    const mime_element_row *inner = w->top->row;
    const char *to = mime_html_take_end_tag(inner, at + 2);
    if (!to)
        return take_other_end(w, token, at);
    if (inner->element.flags & w->odd)
        on_end(w, &inner->element, token);
    else
        end_innermost(w, inner);
    return to;
}

static inline const char *take_start(writer *w, mime_html_token *token, const char *at)
{
    const char *to;
    const mime_element_row *inner = w->top->row;
    uint8_t *likely = &w->likely[inner->element.id];
    const mime_element_row *row =
        mime_html_take_tag(token, &mime_elements[*likely], at + 1, w->html.end, &to);
    if (!row)
        return NULL;
    if (row->element.flags & w->odd) {
        on_start(w, &row->element, token);
        return to;
    }
    *likely = (uint8_t)row->element.id;
    start_ordinary(w, row, inner, token);
    return to;
}

/* A text that is left out. */
RARE static const char *skip_text(const char *at, const char *last)
{
    size_t n;
    do {
        n = octets_first((octets)(octets_load(at) == '<'));
        at += n;
    } while (n == OCTETS && at <= last);
    return at;
}

static inline const char *take_text(writer *w, const char *at, const char *last)
{
    if (w->skip | w->pre)
        return w->skip ? skip_text(at, last) : NULL;
    const char *to = take_flowing(w, at, last);
    return to > at ? to : NULL;
}

/* What documents mostly consist of, up to where another thing comes. */
static void take_usual(writer *w, mime_html_token *token)
{
    const char *end, *to, *at = mime_html_peek(&w->html, &end);
    if (end - at < MIME_HTML_ROOM)
        return;
    const char *last = end - MIME_HTML_ROOM;
    do {
        if (*at != '<')
            to = take_text(w, at, last);
        else if (at[1] == '/')
            to = take_end(w, token, at);
        else
            to = take_start(w, token, at);
        if (!to)
            break;
        at = to;
    } while (at <= last);
    mime_html_take(&w->html, at);
}

/* False at the end. */
RARE static bool take_token(writer *w, mime_html_token *token)
{
    mime_html_kind kind = mime_html_next(&w->html, token);
    if (kind == MIME_HTML_TEXT)
        add_text(w, token->data, token->len);
    expect_newline(w, false);
    if (kind == MIME_HTML_START_TAG)
        on_start(w, &token->element, token);
    else if (kind == MIME_HTML_END_TAG)
        on_end(w, &token->element, token);
    return kind != MIME_HTML_END;
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
    if (!buf_reserve(out, len / 2)) /* what most come to */
        return false;
    memset(&w, 0, offsetof(writer, stack));
    w.out = *out;
    w.breaks = 1;
    w.odd = EF_ODD;
    w.stack[0] = (level){&mime_elements[EL_UNKNOWN], EL_UNKNOWN};
    w.top = w.stack;
    w.start = out->len;
    w.prefix = 2 * len + 4096;
    if (len >= 3 && memcmp(html, "\xEF\xBB\xBF", 3) == 0) { /* a byte order mark */
        html += 3;
        len -= 3;
    }
    mime_html_init(&w.html, html, len);
    do {
        if (!w.no_newline)
            take_usual(&w, &token);
    } while (take_token(&w, &token));
    pop_to(&w, 0);
    close_link(&w);
    if (w.out.len > w.start)
        buf_addc(&w.out, '\n');
    *out = w.out;
    bool ok = buf_ok(out) && buf_ok(&w.blanks) && buf_ok(&w.href) && buf_ok(&w.scratch);
    free_buffers(&w);
    return ok;
}
