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
    ACT_TABULAR,   /* <table> */
    ACT_SKIP,      /* left out with all that is in it */
    ACT_FOREIGN,   /* <svg>, <math> */
    ACT_FOREIGN_SKIP,
    ACT_BREAK,
    ACT_RULE,
    ACT_IMAGE,
    ACT_LINK,
    ACT_LIST,
    ACT_NUMBERED,
    ACT_ITEM,
    ACT_ROW,
    ACT_CELL,
    ACT_PRE,
    ACT_QUOTE,
    ACT_QUOTED, /* <q> */
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
};

/* X(slot, identifier, name, act, flags). The slot is the name's, see mime_element_slot(): where it
 * is wrong, the unit test tells the right one. S, SP and SV are elements.c's. */
#define MIME_ELEMENTS(X)                                                                           \
    X(310, A, "a", LINK, EF_ENDS_OWN)                                                              \
    X(376, ADDRESS, "address", BLOCK, SP)                                                          \
    X(288, ANNOTATION, "annotation", FOREIGN_SKIP, 0)                                              \
    X(242, APPLET, "applet", NONE, S | EF_SCOPE)                                                   \
    X(319, AREA, "area", NONE, SV)                                                                 \
    X(236, ARTICLE, "article", BLOCK, SP)                                                          \
    X(220, ASIDE, "aside", BLOCK, SP)                                                              \
    X(359, BASE, "base", NONE, SV)                                                                 \
    X(272, BASEFONT, "basefont", NONE, SV)                                                         \
    X(247, BGSOUND, "bgsound", NONE, SV)                                                           \
    X(66, BLOCKQUOTE, "blockquote", QUOTE, SP)                                                     \
    X(426, BODY, "body", NONE, S | EF_IGNORED)                                                     \
    X(404, BR, "br", BREAK, SV)                                                                    \
    X(469, BUTTON, "button", NONE, S | EF_P_SCOPE)                                                 \
    X(84, CAPTION, "caption", BLOCK, S | EF_SCOPE | EF_IN_TABLE)                                   \
    X(225, CENTER, "center", BLOCK, SP)                                                            \
    X(200, COL, "col", NONE, SV)                                                                   \
    X(300, COLGROUP, "colgroup", NONE, S | EF_IN_TABLE)                                            \
    X(161, DATALIST, "datalist", SKIP, 0)                                                          \
    X(490, DD, "dd", BLOCK, SP | EF_ENDS_OWN)                                                      \
    X(352, DESC, "desc", FOREIGN_SKIP, 0)                                                          \
    X(294, DETAILS, "details", BLOCK, SP)                                                          \
    X(86, DIALOG, "dialog", BLOCK, SP)                                                             \
    X(367, DIR, "dir", LIST, SP)                                                                   \
    X(478, DIV, "div", BLOCK, SP)                                                                  \
    X(155, DL, "dl", PARAGRAPH, SP)                                                                \
    X(332, DT, "dt", BLOCK, SP | EF_ENDS_OWN)                                                      \
    X(363, EMBED, "embed", NONE, SV)                                                               \
    X(442, FIELDSET, "fieldset", BLOCK, SP)                                                        \
    X(293, FIGCAPTION, "figcaption", BLOCK, SP)                                                    \
    X(371, FIGURE, "figure", BLOCK, SP)                                                            \
    X(107, FOOTER, "footer", BLOCK, SP)                                                            \
    X(196, FORM, "form", BLOCK, SP)                                                                \
    X(167, FRAME, "frame", NONE, SV)                                                               \
    X(90, H1, "h1", PARAGRAPH, SP | EF_HEADING)                                                    \
    X(48, H2, "h2", PARAGRAPH, SP | EF_HEADING)                                                    \
    X(6, H3, "h3", PARAGRAPH, SP | EF_HEADING)                                                     \
    X(476, H4, "h4", PARAGRAPH, SP | EF_HEADING)                                                   \
    X(434, H5, "h5", PARAGRAPH, SP | EF_HEADING)                                                   \
    X(392, H6, "h6", PARAGRAPH, SP | EF_HEADING)                                                   \
    X(314, HEAD, "head", NONE, S | EF_IGNORED)                                                     \
    X(318, HEADER, "header", BLOCK, SP)                                                            \
    X(427, HGROUP, "hgroup", BLOCK, SP)                                                            \
    X(439, HR, "hr", RULE, SV | EF_ENDS_P)                                                         \
    X(446, HTML, "html", NONE, S | EF_IGNORED)                                                     \
    X(175, IFRAME, "iframe", SKIP, S | EF_RAW)                                                     \
    X(73, IMAGE, "image", IMAGE, SV)                                                               \
    X(180, IMG, "img", IMAGE, SV)                                                                  \
    X(430, INPUT, "input", NONE, SV)                                                               \
    X(335, KEYGEN, "keygen", NONE, SV)                                                             \
    X(345, LEGEND, "legend", BLOCK, 0)                                                             \
    X(327, LI, "li", ITEM, SP | EF_ENDS_OWN)                                                       \
    X(8, LINK, "link", NONE, SV)                                                                   \
    X(491, LISTING, "listing", PRE, SP | EF_NEWLINE)                                               \
    X(243, MAIN, "main", BLOCK, SP)                                                                \
    X(18, MARQUEE, "marquee", NONE, S | EF_SCOPE)                                                  \
    X(483, MATH, "math", FOREIGN, 0)                                                               \
    X(204, MENU, "menu", LIST, SP)                                                                 \
    X(325, META, "meta", NONE, SV)                                                                 \
    X(109, METADATA, "metadata", FOREIGN_SKIP, 0)                                                  \
    X(360, NAV, "nav", BLOCK, SP)                                                                  \
    X(504, NOEMBED, "noembed", SKIP, S | EF_RAW)                                                   \
    X(468, NOFRAMES, "noframes", SKIP, S | EF_RAW)                                                 \
    X(2, OBJECT, "object", NONE, S | EF_SCOPE)                                                     \
    X(475, OL, "ol", NUMBERED, SP | EF_LIST_SCOPE)                                                 \
    X(141, P, "p", PARAGRAPH, SP)                                                                  \
    X(188, PARAM, "param", NONE, SV)                                                               \
    X(27, PLAINTEXT, "plaintext", PRE, SP | EF_RAW)                                                \
    X(212, PRE, "pre", PRE, SP | EF_NEWLINE)                                                       \
    X(403, Q, "q", QUOTED, 0)                                                                      \
    X(183, SCRIPT, "script", SKIP, S | EF_RAW)                                                     \
    X(169, SEARCH, "search", BLOCK, SP)                                                            \
    X(162, SECTION, "section", BLOCK, SP)                                                          \
    X(467, SELECT, "select", SKIP, S)                                                              \
    X(36, SOURCE, "source", NONE, SV)                                                              \
    X(130, STYLE, "style", SKIP, S | EF_RAW)                                                       \
    X(56, SUMMARY, "summary", BLOCK, SP)                                                           \
    X(373, SVG, "svg", FOREIGN, 0)                                                                 \
    X(39, TABLE, "table", TABULAR, SP | EF_SCOPE | EF_TABLE)                                       \
    X(275, TBODY, "tbody", NONE, S | EF_BODY | EF_IN_TABLE)                                        \
    X(71, TD, "td", CELL, S | EF_SCOPE | EF_IN_TABLE)                                              \
    X(12, TEMPLATE, "template", SKIP, S | EF_SCOPE | EF_TABLE)                                     \
    X(22, TEXTAREA, "textarea", NONE, S | EF_NEWLINE | EF_RCDATA)                                  \
    X(481, TFOOT, "tfoot", NONE, S | EF_BODY | EF_IN_TABLE)                                        \
    X(416, TH, "th", CELL, S | EF_SCOPE | EF_IN_TABLE)                                             \
    X(273, THEAD, "thead", NONE, S | EF_BODY | EF_IN_TABLE)                                        \
    X(203, TITLE, "title", SKIP, S | EF_RCDATA)                                                    \
    X(509, TR, "tr", ROW, S | EF_IN_TABLE)                                                         \
    X(176, TRACK, "track", NONE, SV)                                                               \
    X(510, UL, "ul", LIST, SP | EF_LIST_SCOPE)                                                     \
    X(3, WBR, "wbr", NONE, SV)                                                                     \
    X(261, XMP, "xmp", PRE, SP | EF_RAW)

enum {
    EL_UNKNOWN, /* and all that make no difference here: <b>, <span>... */
#define X(slot, identifier, name, act, flags) EL_##identifier,
    MIME_ELEMENTS(X)
#undef X
        EL_COUNT,
};

typedef struct mime_element {
    uint16_t id; /* of those that aren't in the table: beyond EL_COUNT, (nearly always) its own */
    uint16_t act;
    uint32_t flags;
} mime_element;

#define MIME_ELEMENT_SLOTS 512
#define MIME_ELEMENT_NAME  16
#define MIME_ELEMENT_SHORT 8

extern const struct mime_element_row {
    char name[MIME_ELEMENT_NAME]; /* padded with zeros */
    mime_element element;
} mime_elements[EL_COUNT];

extern const uint8_t mime_element_slots[MIME_ELEMENT_SLOTS];

/* No two of the table have the same. `head`: the name's first eight characters. */
static inline size_t mime_element_slot(uint64_t head)
{
    return head * 0x82EB0DDABBD75A7B >> 55;
}

/* The element of a name of 1 to 8 characters, which octets_word() or octets_head() has read; false
 * if the table lacks it. */
static inline bool mime_element_find_short(uint64_t word, mime_element *element)
{
    uint64_t name = octets_lower(word), head, tail;
    const struct mime_element_row *row =
        &mime_elements[mime_element_slots[mime_element_slot(name)]];
    memcpy(&head, row->name, sizeof head);
    memcpy(&tail, row->name + MIME_ELEMENT_SHORT, sizeof tail);
    if (le64toh(head) != name || tail != 0)
        return false;
    *element = row->element;
    return true;
}

/* The element by its name, in whatever case it is written, of 1 byte or more. `end`: how far can
 * be read. */
mime_element mime_element_find(const char *name, size_t len, const char *end);

#endif
