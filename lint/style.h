/*
 * style - as much CSS as decides whether text can be seen: declarations of an element, what it
 * inherits, and simple rules of <style>.
 *
 * Left out: what depends on the screen (@media and the like), selectors of more than one name,
 * specificity: rules hold in their order, and the element's own style over all.
 * Lengths are tenths of a pixel, colours 0xRRGGBB. Memory: none. Threads: pure.
 */
#ifndef POSTERN_LINT_STYLE_H
#define POSTERN_LINT_STYLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define STYLE_UNKNOWN   (-1) /* a colour, or a length, that isn't told */
#define STYLE_NO_COLOUR (-2) /* transparent */
#define STYLE_UNSET     (-3) /* nothing was said */

/* How text is hidden; bits. */
enum {
    HIDDEN_DISPLAY = 1,
    HIDDEN_TINY = 2,
    HIDDEN_COLOUR = 4,
    HIDDEN_OFFSCREEN = 8,
    HIDDEN_TRANSPARENT = 16,
    HIDDEN_CLIPPED = 32,
};

/* What an element says of itself. */
typedef struct style {
    bool hides, shows;       /* display */
    bool invisible, visible; /* visibility */
    bool transparent;        /* opacity */
    bool out_of_flow, far;   /* position; an offset that leads out of sight */
    bool indented_far;       /* text-indent, margin */
    bool clips, no_box;      /* overflow; a height or width of (nearly) none */
    int32_t size;            /* font-size */
    bool relative;           /* … in hundredths of the parent's */
    int32_t colour, background;
    int32_t width, height;
} style;

/* What holds inside of an element. */
typedef struct look {
    unsigned hidden; /* by what its content can't undo */
    bool invisible;
    int32_t size;
    int32_t colour, background; /* STYLE_UNKNOWN: a picture, or what isn't understood */
    /* The same as SpamAssassin has it (HTML.pm of 4.0.1): it knows styles of a few elements, the
     * colours of <font> and of <body text>, and no background that an attribute tells. */
    int32_t read_colour, read_background;
} look;

void style_init(style *s);

/* Reads declarations ("color: red; display: none"). */
void style_read(style *s, const char *css, size_t len);

/* A colour, as CSS or an attribute of HTML has it. */
int32_t style_colour(const char *s, size_t len);

/* A length; STYLE_UNKNOWN if it isn't one. *relative: in hundredths of the font's. */
int32_t style_length(const char *s, size_t len, bool *relative);

look style_first_look(void); /* of a document: black on white, 16 pixels */
look style_apply(const look *parent, const style *s);

/* The ways in which text with that look is hidden; 0: it is seen. */
unsigned style_hidden(const look *l);

/* Whether SpamAssassin takes it for hidden by its colour. */
bool style_reads_as_hidden(const look *l);

/* ---- rules of <style> ---- */

typedef struct style_rule {
    char kind; /* '.', '#', or 'e': an element's name */
    const char *name;
    size_t name_len;
    style style;
} style_rule;

#define STYLE_RULES 64

typedef struct style_sheet {
    style_rule rules[STYLE_RULES]; /* names are the text's, which must stay; no more are kept */
    size_t count;
    bool
        conditional; /* there are rules for other screens: what the others say on display is left */
    bool imports;
} style_sheet;

void style_sheet_read(style_sheet *sheet, const char *css, size_t len);

/* Applies the rules for an element. `classes`: parted by blanks. */
void style_sheet_apply(const style_sheet *sheet, style *s, const char *element, size_t element_len,
                       const char *classes, size_t classes_len, const char *id, size_t id_len);

#endif
