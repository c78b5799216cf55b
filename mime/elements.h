/*
 * elements - what is known of an HTML element by its name: what the standard's tokenizer and tree
 * construction make of it, and what it does in plain text.
 *
 * Memory: static and read-only. Threads: pure.
 */
#ifndef POSTERN_MIME_ELEMENTS_H
#define POSTERN_MIME_ELEMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mime/octets.h"

/* What it does in the text. */
typedef enum mime_act {
    ACT_NONE,
    ACT_BLOCK,     /* on lines of its own */
    ACT_PARAGRAPH, /* a blank line before and behind */
    ACT_ROW,
    ACT_CELL,
    ACT_TABULAR, /* <table> */
    ACT_BREAK,
    ACT_RULE,
    ACT_IMAGE,
    ACT_LINK,
    ACT_LIST,
    ACT_NUMBERED,
    ACT_ITEM,
    ACT_PRE,
    ACT_QUOTE,
    ACT_QUOTED, /* <q> */
    ACT_SKIP,   /* left out with all that is in it */
    ACT_FOREIGN_SKIP,
    ACT_FOREIGN, /* <svg>, <math> */
} mime_act;

/* What the standard knows of it. */
enum {
    EF_SPECIAL = 1,     /* an end tag of one that isn't doesn't reach over it */
    EF_VOID = 2,        /* has no content and no end */
    EF_IGNORED = 4,     /* it is always there: <html>, <head>, <body> */
    EF_ENDS_P = 8,      /* its start tag ends an open <p> */
    EF_SCOPE = 16,      /* end tags don't reach over it */
    EF_LIST_SCOPE = 32, /* </li> doesn't */
    EF_P_SCOPE = 64,    /* </p> doesn't */
    EF_TABLE = 128,     /* those of a table's parts don't */
    EF_BODY = 256,      /* <tbody> and the like */
    EF_IN_TABLE = 512,  /* a table's part */
    EF_HEADING = 1024,
    EF_NEWLINE = 2048,  /* one right behind its start tag is dropped */
    EF_ENDS_OWN = 4096, /* its start tag ends one of its own kind: <li>, <dd>, <a> */
    EF_RAW = 8192,      /* its content is text up to its end tag */
    EF_RCDATA = 16384,  /* the same, with references */
    /* What the table derives from these: */
    EF_ODD = 1 << 15,         /* its start tag does more than to open it */
    EF_HOLDS_CELLS = 1 << 16, /* <tr> */
    EF_HOLDS_ROWS = 1 << 17,
    EF_CELL = 1 << 24,
    EF_ROW = 1 << 25,
    EF_ANY = 1 << 26, /* all have it */
};

/* Whether a table's part fits into the element it would be in. */
static inline bool mime_element_fits(uint32_t part, uint32_t parent)
{
    return (part >> 8 & parent & (EF_HOLDS_CELLS | EF_HOLDS_ROWS)) != 0;
}

/* X(slot, identifier, name, act, flags). The slot is the name's, see mime_element_slot(): where it
 * is wrong, the unit test tells the right one. S, SP and SV are elements.c's. */
#define MIME_ELEMENTS(X)                                                                           \
    X(337, A, "a", LINK, EF_ENDS_OWN)                                                              \
    X(415, ADDRESS, "address", BLOCK, SP)                                                          \
    X(394, ANNOTATION, "annotation", FOREIGN_SKIP, 0)                                              \
    X(22, APPLET, "applet", NONE, S | EF_SCOPE)                                                    \
    X(90, AREA, "area", NONE, SV)                                                                  \
    X(428, ARTICLE, "article", BLOCK, SP)                                                          \
    X(222, ASIDE, "aside", BLOCK, SP)                                                              \
    X(55, B, "b", NONE, 0)                                                                         \
    X(385, BASE, "base", NONE, SV)                                                                 \
    X(292, BASEFONT, "basefont", NONE, SV)                                                         \
    X(109, BGSOUND, "bgsound", NONE, SV)                                                           \
    X(80, BIG, "big", NONE, 0)                                                                     \
    X(76, BLOCKQUOTE, "blockquote", QUOTE, SP)                                                     \
    X(353, BODY, "body", NONE, S | EF_IGNORED)                                                     \
    X(323, BR, "br", BREAK, SV)                                                                    \
    X(354, BUTTON, "button", NONE, S | EF_P_SCOPE)                                                 \
    X(452, CAPTION, "caption", BLOCK, S | EF_SCOPE | EF_IN_TABLE)                                  \
    X(143, CENTER, "center", BLOCK, SP)                                                            \
    X(306, CODE, "code", NONE, 0)                                                                  \
    X(271, COL, "col", NONE, SV)                                                                   \
    X(303, COLGROUP, "colgroup", NONE, S | EF_IN_TABLE)                                            \
    X(309, DATALIST, "datalist", SKIP, 0)                                                          \
    X(203, DD, "dd", BLOCK, SP | EF_ENDS_OWN)                                                      \
    X(406, DESC, "desc", FOREIGN_SKIP, 0)                                                          \
    X(357, DETAILS, "details", BLOCK, SP)                                                          \
    X(425, DIALOG, "dialog", BLOCK, SP)                                                            \
    X(273, DIR, "dir", LIST, SP)                                                                   \
    X(408, DIV, "div", BLOCK, SP)                                                                  \
    X(97, DL, "dl", PARAGRAPH, SP)                                                                 \
    X(502, DT, "dt", BLOCK, SP | EF_ENDS_OWN)                                                      \
    X(442, EM, "em", NONE, 0)                                                                      \
    X(1, EMBED, "embed", NONE, SV)                                                                 \
    X(302, FIELDSET, "fieldset", BLOCK, SP)                                                        \
    X(3, FIGCAPTION, "figcaption", BLOCK, SP)                                                      \
    X(308, FIGURE, "figure", BLOCK, SP)                                                            \
    X(135, FONT, "font", NONE, 0)                                                                  \
    X(95, FOOTER, "footer", BLOCK, SP)                                                             \
    X(198, FORM, "form", BLOCK, SP)                                                                \
    X(424, FRAME, "frame", NONE, SV)                                                               \
    X(399, H1, "h1", PARAGRAPH, SP | EF_HEADING)                                                   \
    X(2, H2, "h2", PARAGRAPH, SP | EF_HEADING)                                                     \
    X(116, H3, "h3", PARAGRAPH, SP | EF_HEADING)                                                   \
    X(231, H4, "h4", PARAGRAPH, SP | EF_HEADING)                                                   \
    X(346, H5, "h5", PARAGRAPH, SP | EF_HEADING)                                                   \
    X(460, H6, "h6", PARAGRAPH, SP | EF_HEADING)                                                   \
    X(401, HEAD, "head", NONE, S | EF_IGNORED)                                                     \
    X(199, HEADER, "header", BLOCK, SP)                                                            \
    X(83, HGROUP, "hgroup", BLOCK, SP)                                                             \
    X(170, HR, "hr", RULE, SV | EF_ENDS_P)                                                         \
    X(487, HTML, "html", NONE, S | EF_IGNORED)                                                     \
    X(133, I, "i", NONE, 0)                                                                        \
    X(221, IFRAME, "iframe", SKIP, S | EF_RAW)                                                     \
    X(407, IMAGE, "image", IMAGE, SV)                                                              \
    X(104, IMG, "img", IMAGE, SV)                                                                  \
    X(193, INPUT, "input", NONE, SV)                                                               \
    X(398, KEYGEN, "keygen", NONE, SV)                                                             \
    X(437, LEGEND, "legend", BLOCK, 0)                                                             \
    X(60, LI, "li", ITEM, SP | EF_ENDS_OWN)                                                        \
    X(372, LINK, "link", NONE, SV)                                                                 \
    X(168, LISTING, "listing", PRE, SP | EF_NEWLINE)                                               \
    X(224, MAIN, "main", BLOCK, SP)                                                                \
    X(393, MARQUEE, "marquee", NONE, S | EF_SCOPE)                                                 \
    X(333, MATH, "math", FOREIGN, 0)                                                               \
    X(27, MENU, "menu", LIST, SP)                                                                  \
    X(207, META, "meta", NONE, SV)                                                                 \
    X(113, METADATA, "metadata", FOREIGN_SKIP, 0)                                                  \
    X(259, NAV, "nav", BLOCK, SP)                                                                  \
    X(13, NOEMBED, "noembed", SKIP, S | EF_RAW)                                                    \
    X(117, NOFRAMES, "noframes", SKIP, S | EF_RAW)                                                 \
    X(32, OBJECT, "object", NONE, S | EF_SCOPE)                                                    \
    X(71, OL, "ol", NUMBERED, SP | EF_LIST_SCOPE)                                                  \
    X(210, P, "p", PARAGRAPH, SP)                                                                  \
    X(417, PARAM, "param", NONE, SV)                                                               \
    X(281, PLAINTEXT, "plaintext", PRE, SP | EF_RAW)                                               \
    X(431, PRE, "pre", PRE, SP | EF_NEWLINE)                                                       \
    X(440, Q, "q", QUOTED, 0)                                                                      \
    X(389, S, "s", NONE, 0)                                                                        \
    X(179, SCRIPT, "script", SKIP, S | EF_RAW)                                                     \
    X(293, SEARCH, "search", BLOCK, SP)                                                            \
    X(447, SECTION, "section", BLOCK, SP)                                                          \
    X(86, SELECT, "select", SKIP, S)                                                               \
    X(294, SMALL, "small", NONE, 0)                                                                \
    X(128, SOURCE, "source", NONE, SV)                                                             \
    X(496, SPAN, "span", NONE, 0)                                                                  \
    X(251, STRONG, "strong", NONE, 0)                                                              \
    X(426, STYLE, "style", SKIP, S | EF_RAW)                                                       \
    X(469, SUB, "sub", NONE, 0)                                                                    \
    X(287, SUMMARY, "summary", BLOCK, SP)                                                          \
    X(173, SUP, "sup", NONE, 0)                                                                    \
    X(368, SVG, "svg", FOREIGN, 0)                                                                 \
    X(390, TABLE, "table", TABULAR, SP | EF_SCOPE | EF_TABLE)                                      \
    X(98, TBODY, "tbody", NONE, S | EF_BODY | EF_IN_TABLE)                                         \
    X(307, TD, "td", CELL, S | EF_SCOPE | EF_IN_TABLE)                                             \
    X(304, TEMPLATE, "template", SKIP, S | EF_SCOPE | EF_TABLE)                                    \
    X(190, TEXTAREA, "textarea", NONE, S | EF_NEWLINE | EF_RCDATA)                                 \
    X(490, TFOOT, "tfoot", NONE, S | EF_BODY | EF_IN_TABLE)                                        \
    X(253, TH, "th", CELL, S | EF_SCOPE | EF_IN_TABLE)                                             \
    X(37, THEAD, "thead", NONE, S | EF_BODY | EF_IN_TABLE)                                         \
    X(123, TITLE, "title", SKIP, S | EF_RCDATA)                                                    \
    X(375, TR, "tr", ROW, S | EF_IN_TABLE)                                                         \
    X(355, TRACK, "track", NONE, SV)                                                               \
    X(338, U, "u", NONE, 0)                                                                        \
    X(430, UL, "ul", LIST, SP | EF_LIST_SCOPE)                                                     \
    X(265, WBR, "wbr", NONE, SV)                                                                   \
    X(409, XMP, "xmp", PRE, SP | EF_RAW)

enum {
    EL_UNKNOWN, /* and all that are rare and make no difference here */
#define X(slot, identifier, name, act, flags) EL_##identifier,
    MIME_ELEMENTS(X)
#undef X
        EL_COUNT,
};

typedef struct mime_element {
    uint16_t id; /* of those that aren't in the table: beyond EL_COUNT, (nearly always) its own */
    uint8_t act;
    uint8_t len; /* of the name if it is short, and the content ordinary; else 0 */
    uint32_t flags;
} mime_element;

#define MIME_ELEMENT_SLOTS 512
#define MIME_ELEMENT_NAME  16
#define MIME_ELEMENT_SHORT 8

typedef struct mime_element_row {
    char name[MIME_ELEMENT_NAME]; /* padded with zeros */
    uint64_t mask; /* of a short name's bits, but for letters' case, as octets_word() has them */
    mime_element element;
} mime_element_row;

extern const mime_element_row mime_elements[EL_COUNT];

extern const uint8_t mime_element_slots[MIME_ELEMENT_SLOTS];

/* No two of the table have the same. `head`: the name's first eight characters. */
static inline size_t mime_element_slot(uint64_t head)
{
    return head * 0x733950E08E4B2675 >> 55;
}

/* Whether it is the name, in whatever case, that begins at `s`, of which eight bytes can be read.
 * It ends there if no name goes on with s[row->element.len]; a name without a length never does. */
static inline bool mime_element_is_at(const mime_element_row *row, const char *s)
{
    return ((octets_eight(s) ^ octets_eight(row->name)) & row->mask) == 0;
}

/* The element of a name with a length, as octets_head() has read it; NULL if the table lacks it. */
static inline const mime_element_row *mime_element_find_short(uint64_t word)
{
    uint64_t name = octets_lower(word);
    const mime_element_row *row = &mime_elements[mime_element_slots[mime_element_slot(name)]];
    return octets_eight(row->name) == name && row->element.len > 0 ? row : NULL;
}

/* The element by its name, in whatever case it is written, of 1 byte or more. `end`: how far can
 * be read. */
mime_element mime_element_find(const char *name, size_t len, const char *end);

#endif
