#include "mime/text.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <libxml/HTMLparser.h>

#define LISTS_MAX  16 /* deeper ones are indented like the last */
#define QUOTES_MAX 16
#define MAX_BREAKS 2

typedef struct writer {
    buf *out;
    size_t start;                /* where this text begins in `out` */
    unsigned breaks;             /* line ends owed before the next text */
    bool space;                  /* a space is owed, unless a line begins */
    unsigned skipped;            /* open elements below one that is left out, itself included */
    unsigned pre;                /* open <pre> */
    unsigned quotes;             /* open <blockquote> */
    unsigned lists;              /* open <ul>, <ol> */
    unsigned numbers[LISTS_MAX]; /* of the next item; 0: not a numbered list */
    unsigned marker;             /* an item's marker is owed: its number, or UINT_MAX for "-" */
    bool row_has_text, cell_owed;
    char *href;        /* of the open <a>; NULL: none */
    size_t link_start; /* where its text begins; SIZE_MAX: none yet */
    bool nomem;
} writer;

/* ---- writing ---- */

static void want_breaks(writer *w, unsigned n)
{
    if (w->breaks < n)
        w->breaks = n;
    w->space = false;
}

static unsigned at_most(unsigned n, unsigned max)
{
    return n < max ? n : max;
}

static void begin_line(writer *w)
{
    unsigned depth = at_most(w->lists, LISTS_MAX);
    for (unsigned i = 0; i < at_most(w->quotes, QUOTES_MAX); i++)
        buf_adds(w->out, "> ");
    for (unsigned i = 0; i + 1 < depth + (w->marker ? 0 : 1); i++)
        buf_adds(w->out, "  ");
    if (w->marker == UINT_MAX)
        buf_adds(w->out, "- ");
    else if (w->marker)
        buf_addf(w->out, "%u. ", w->marker);
    w->marker = 0;
}

/* Pays what is owed before a visible character. */
static void begin_text(writer *w)
{
    bool first = w->out->len == w->start;
    if (w->breaks || first) {
        for (unsigned i = 0; !first && i < w->breaks; i++)
            buf_addc(w->out, '\n');
        w->breaks = 0;
        begin_line(w);
    } else if (w->cell_owed && w->row_has_text) {
        buf_adds(w->out, " | ");
    } else if (w->space) {
        buf_addc(w->out, ' ');
    }
    w->space = false;
    w->cell_owed = false;
    w->row_has_text = true;
    if (w->href && w->link_start == SIZE_MAX)
        w->link_start = w->out->len;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f';
}

static void add_flowing(writer *w, const char *s, size_t len)
{
    size_t at = 0;
    while (at < len) {
        size_t run = at;
        while (at < len && is_space(s[at]))
            at++;
        w->space = w->space || at > run;
        run = at;
        while (at < len && !is_space(s[at]))
            at++;
        if (at == run)
            break;
        begin_text(w);
        buf_add(w->out, s + run, at - run);
    }
}

static void add_preformatted(writer *w, const char *s, size_t len)
{
    for (size_t at = 0; at < len;) {
        const char *end = memchr(s + at, '\n', len - at);
        size_t n = end ? (size_t)(end - s) - at : len - at;
        if (n > 0) {
            begin_text(w);
            buf_add(w->out, s + at, n);
        }
        if (end)
            w->breaks++;
        at += n + (end != NULL);
    }
}

static void add_text(writer *w, const char *s, size_t len)
{
    if (w->skipped)
        return;
    if (w->pre)
        add_preformatted(w, s, len);
    else
        add_flowing(w, s, len);
}

/* ---- elements ---- */

static const char *attribute(const xmlChar **attributes, const char *name)
{
    for (; attributes && *attributes; attributes += 2) {
        if (strcmp((const char *)attributes[0], name) == 0)
            return (const char *)attributes[1];
    }
    return NULL;
}

/* A link's text that says the same as its target needs no target behind it. */
static bool says_target(const char *text, size_t len, const char *href)
{
    static const char *const prefixes[] = {"", "mailto:", "https://", "http://", "tel:"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        size_t n = strlen(prefixes[i]);
        if (strncasecmp(href, prefixes[i], n) != 0)
            continue;
        const char *rest = href + n;
        size_t rest_len = strlen(rest);
        if (rest_len > 0 && rest[rest_len - 1] == '/' && len > 0 && text[len - 1] != '/')
            rest_len--;
        if (rest_len == len && strncmp(rest, text, len) == 0)
            return true;
    }
    return false;
}

static void open_link(writer *w, const xmlChar **attributes)
{
    const char *href = attribute(attributes, "href");
    free(w->href);
    w->href = NULL;
    w->link_start = SIZE_MAX;
    if (!href)
        return;
    while (is_space(*href))
        href++;
    if (*href == '\0' || *href == '#' || strncasecmp(href, "javascript:", 11) == 0)
        return;
    w->href = strdup(href);
    w->nomem = w->nomem || !w->href;
}

static void close_link(writer *w)
{
    if (!w->href)
        return;
    const char *text = w->link_start == SIZE_MAX ? "" : w->out->data + w->link_start;
    size_t len = w->link_start == SIZE_MAX ? 0 : w->out->len - w->link_start;
    char *href = w->href;
    w->href = NULL;
    /* A link around nothing is an image's without a text, or a spacer: there is nothing to follow.
     */
    if (len > 0 && !says_target(text, len, href)) {
        buf_adds(w->out, " <");
        for (const char *c = href; *c; c++) {
            if (!is_space(*c))
                buf_addc(w->out, *c);
        }
        buf_addc(w->out, '>');
    }
    free(href);
}

static void open_list(writer *w, bool numbered)
{
    want_breaks(w, w->lists ? 1 : 2);
    if (w->lists < LISTS_MAX)
        w->numbers[w->lists] = numbered ? 1 : 0;
    w->lists++;
}

static void close_list(writer *w)
{
    if (w->lists)
        w->lists--;
    w->marker = 0;
    want_breaks(w, w->lists ? 1 : 2);
}

static void open_item(writer *w)
{
    want_breaks(w, 1);
    w->marker = UINT_MAX;
    if (w->lists && w->lists <= LISTS_MAX && w->numbers[w->lists - 1])
        w->marker = w->numbers[w->lists - 1]++;
}

typedef enum act {
    BLOCK,     /* on lines of its own */
    PARAGRAPH, /* a blank line before and behind */
    SKIP,      /* left out with all that is in it */
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
} act;

/* Sorted by name, for bsearch. */
static const struct element {
    const char *name;
    act act;
} elements[] = {
    {"a", LINK},           {"address", BLOCK}, {"article", BLOCK},   {"aside", BLOCK},
    {"blockquote", QUOTE}, {"br", BREAK},      {"caption", BLOCK},   {"center", BLOCK},
    {"dd", BLOCK},         {"div", BLOCK},     {"dl", PARAGRAPH},    {"dt", BLOCK},
    {"fieldset", BLOCK},   {"figure", BLOCK},  {"footer", BLOCK},    {"form", BLOCK},
    {"h1", PARAGRAPH},     {"h2", PARAGRAPH},  {"h3", PARAGRAPH},    {"h4", PARAGRAPH},
    {"h5", PARAGRAPH},     {"h6", PARAGRAPH},  {"head", SKIP},       {"header", BLOCK},
    {"hr", RULE},          {"iframe", SKIP},   {"img", IMAGE},       {"li", ITEM},
    {"main", BLOCK},       {"nav", BLOCK},     {"object", SKIP},     {"ol", NUMBERED},
    {"p", PARAGRAPH},      {"pre", PRE},       {"script", SKIP},     {"section", BLOCK},
    {"select", SKIP},      {"style", SKIP},    {"table", PARAGRAPH}, {"td", CELL},
    {"template", SKIP},    {"textarea", SKIP}, {"th", CELL},         {"title", SKIP},
    {"tr", ROW},           {"ul", LIST},
};

static int compare(const void *name, const void *element)
{
    return strcmp(name, ((const struct element *)element)->name);
}

static const struct element *find(const xmlChar *name)
{
    return bsearch(name, elements, sizeof elements / sizeof *elements, sizeof *elements, compare);
}

/* style="display:none": the preheader trick; what isn't shown isn't told. */
static bool is_hidden(const xmlChar **attributes)
{
    const char *style = attribute(attributes, "style");
    const char *display = style ? strcasestr(style, "display") : NULL;
    if (!display)
        return false;
    display += strlen("display");
    display += strspn(display, " \t\r\n");
    if (*display != ':')
        return false;
    display++;
    display += strspn(display, " \t\r\n");
    return strncasecmp(display, "none", 4) == 0;
}

static void open_element(writer *w, act a, const xmlChar **attributes)
{
    const char *alt;
    switch (a) {
    case BLOCK: want_breaks(w, 1); break;
    case PARAGRAPH: want_breaks(w, MAX_BREAKS); break;
    case SKIP: w->skipped = 1; break;
    case BREAK:
        w->breaks = at_most(w->breaks + 1, MAX_BREAKS);
        w->space = false;
        break;
    case RULE:
        want_breaks(w, MAX_BREAKS);
        add_text(w, "----", 4);
        want_breaks(w, MAX_BREAKS);
        break;
    case IMAGE:
        if ((alt = attribute(attributes, "alt")))
            add_flowing(w, alt, strlen(alt));
        break;
    case LINK: open_link(w, attributes); break;
    case LIST: open_list(w, false); break;
    case NUMBERED: open_list(w, true); break;
    case ITEM: open_item(w); break;
    case ROW:
        want_breaks(w, 1);
        w->row_has_text = false;
        break;
    case CELL:
        w->cell_owed = true;
        w->space = false;
        break;
    case PRE:
        want_breaks(w, MAX_BREAKS);
        w->pre++;
        break;
    case QUOTE:
        want_breaks(w, MAX_BREAKS);
        w->quotes++;
        break;
    }
}

static void close_element(writer *w, act a)
{
    switch (a) {
    case BLOCK:
    case ITEM:
    case ROW: want_breaks(w, 1); break;
    case PARAGRAPH: want_breaks(w, MAX_BREAKS); break;
    case LINK: close_link(w); break;
    case LIST:
    case NUMBERED: close_list(w); break;
    case PRE:
        w->pre -= w->pre > 0;
        w->breaks = at_most(w->breaks, MAX_BREAKS);
        want_breaks(w, MAX_BREAKS);
        break;
    case QUOTE:
        w->quotes -= w->quotes > 0;
        want_breaks(w, MAX_BREAKS);
        break;
    case CELL:
    case SKIP:
    case BREAK:
    case RULE:
    case IMAGE: break;
    }
}

/* ---- libxml2's callbacks ---- */

static void on_start(void *ctx, const xmlChar *name, const xmlChar **attributes)
{
    writer *w = ctx;
    if (w->skipped) {
        w->skipped++;
        return;
    }
    const struct element *e = find(name);
    if (is_hidden(attributes))
        w->skipped = 1;
    else if (e)
        open_element(w, e->act, attributes);
}

static void on_end(void *ctx, const xmlChar *name)
{
    writer *w = ctx;
    if (w->skipped) {
        w->skipped--;
        return;
    }
    const struct element *e = find(name);
    if (e)
        close_element(w, e->act);
}

static void on_characters(void *ctx, const xmlChar *s, int len)
{
    add_text(ctx, (const char *)s, (size_t)len);
}

bool mime_text_from_html(const char *html, size_t len, buf *out)
{
    writer w = {.out = out, .start = out->len, .link_start = SIZE_MAX};
    htmlSAXHandler handler = {
        .startElement = on_start,
        .endElement = on_end,
        .characters = on_characters,
        .ignorableWhitespace = on_characters,
        .initialized = 1,
    };
    if (len == 0)
        return true;
    if (len > INT_MAX)
        return false;
    htmlParserCtxtPtr parser = htmlNewParserCtxt();
    if (!parser)
        return false;
    memcpy(parser->sax, &handler, sizeof handler);
    parser->userData = &w;
    xmlDocPtr document =
        htmlCtxtReadMemory(parser, html, (int)len, NULL, "UTF-8",
                           HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                               HTML_PARSE_NONET | HTML_PARSE_IGNORE_ENC);
    bool nomem = parser->errNo == XML_ERR_NO_MEMORY || w.nomem;
    xmlFreeDoc(document); /* there is none: no handler makes one */
    htmlFreeParserCtxt(parser);
    free(w.href);
    if (out->len > w.start)
        buf_addc(out, '\n');
    return !nomem && buf_ok(out);
}
