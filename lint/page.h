/*
 * page - an HTML body as a filter sees it: its visible text, links, pictures, and marks where
 * something is that a rule may tell of.
 *
 * One walk over mime/html.h's tokens with a stack of open elements, closed as the standard says for
 * those that matter here. Memory: page_free(); the HTML is borrowed. Threads: pure.
 */
#ifndef POSTERN_LINT_PAGE_H
#define POSTERN_LINT_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

typedef enum page_mark_kind {
    PAGE_NOTHING,
    PAGE_PREHEADER, /* hidden text at the very top */
    PAGE_DISPLAY,   /* hidden text, and how */
    PAGE_TINY,
    PAGE_COLOUR,
    PAGE_OFFSCREEN,
    PAGE_TRANSPARENT,
    PAGE_CLIPPED,
    PAGE_SCRIPT,
    PAGE_HANDLER,
    PAGE_FORM,
    PAGE_FRAME,
    PAGE_CSS, /* from elsewhere */
    PAGE_NO_ALT,
    PAGE_DATA, /* a picture in the address */
    PAGE_REFRESH,
    PAGE_PLAIN_IMAGE, /* over http */
    PAGE_UNREAD,      /* text that is seen, and isn't for who reads styles of cells alone */
    PAGE_ODD,         /* markup as no program of mail writes it */
    PAGE_MARKS
} page_mark_kind;

/* Of each kind no more are kept. */
#define PAGE_MARKS_MAX 8

typedef struct page_mark {
    page_mark_kind kind;
    size_t at, len; /* in the HTML */
} page_mark;

typedef struct page_span {
    size_t at, len;
} page_span;

typedef struct page_link {
    size_t at;      /* in the HTML */
    page_span href; /* in `strings` */
    page_span text; /* in `text` */
} page_link;

/* From where in the HTML a piece of the text is. */
typedef struct page_run {
    size_t text, html;
} page_run;

typedef struct page {
    const char *html;
    size_t len;
    buf marks, links, runs; /* arrays of the structs above, in the HTML's order */
    buf sources;            /* where pictures are from, and forms go: links without a text */
    size_t marks_of[PAGE_MARKS];
    buf text;        /* what is seen; a line end between blocks */
    buf strings;     /* attributes' values */
    size_t seen;     /* visible characters, without blanks; a Chinese one counts as three */
    size_t pictures; /* all of them … */
    size_t images;   /* … and those that are seen */
    uint64_t area;   /* of those pictures whose size is told, in pixels */
} page;

/* False if memory ran out; page_free() all the same. */
bool page_read(page *p, const char *html, size_t len);
void page_free(page *p);

/* Where in the HTML the text's byte is. */
size_t page_place(const page *p, size_t text);

#endif
