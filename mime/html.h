/*
 * html - HTML cut into its tokens, as the standard's section 13.2.5 has it
 * (https://html.spec.whatwg.org/multipage/parsing.html#tokenization).
 *
 * The caller pulls tokens one by one. What the standard's tree builder tells the tokenizer is done
 * here by the names of start tags: the content of <title>, <style>, <script>... is text up to their
 * end tag. Inside of <svg> and <math> no name has that effect; the caller sets `foreign` there.
 *
 * Names, texts and values are borrowed from the input and not yet what they mean:
 *   - names are as written;
 *   - an attribute's value becomes its own with mime_html_decode();
 *   - texts are done: references resolved, line ends LF. Neighbouring text tokens belong together.
 *     A NUL in ordinary text stays one, as the standard has it;
 *   - comments and doctypes are as written.
 *
 * Input: any bytes; UTF-8 stays UTF-8, as nothing is cut but at ASCII characters.
 * Time: linear in the input, whatever it is. Memory: none but the two structs; no recursion.
 * Threads: pure.
 */
#ifndef POSTERN_MIME_HTML_H
#define POSTERN_MIME_HTML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "mime/elements.h"
#include "mime/entities.h"

typedef enum mime_html_kind {
    MIME_HTML_END, /* of the input; a tag that the end cuts off is dropped */
    MIME_HTML_TEXT,
    MIME_HTML_START_TAG,
    MIME_HTML_END_TAG,
    MIME_HTML_COMMENT,
    MIME_HTML_DOCTYPE,
} mime_html_kind;

typedef struct mime_html_attribute {
    const char *name;
    size_t name_len;
    const char *value;
    size_t value_len;
} mime_html_attribute;

/* Attributes that are found on the way to the tag's end. */
typedef enum mime_html_known {
    MIME_HTML_ALT,
    MIME_HTML_HIDDEN,
    MIME_HTML_HREF,
    MIME_HTML_START,
    MIME_HTML_STYLE,
    MIME_HTML_VALUE,
    MIME_HTML_KNOWN /* how many; none of them */
} mime_html_known;

typedef struct mime_html_token {
    const char *data; /* the text or comment, a tag's name; text is valid until the next token */
    size_t len;
    /* A tag's: */
    mime_element element;
    bool self_closing;
    uint8_t has; /* 1 << the number of each known attribute that is there */
    mime_html_attribute known[MIME_HTML_KNOWN]; /* the first of the name; unset if not there */
    const char *attributes; /* all, not yet read by mime_html_next_attribute() */
    const char *attributes_end;
} mime_html_token;

typedef struct mime_html {
    bool foreign; /* the caller's: what follows is inside of <svg> or <math> */
    /* The rest is its own. */
    const char *at, *end;
    const char *plain_end;   /* `end`; `at` if what is there is anything but ordinary */
    int content;             /* what `at` is in */
    const char *content_end; /* where that is over, unless ordinary */
    const char *resume;      /* behind the reference that is to be told next; NULL: none */
    size_t reference_len;
    char reference[8]; /* what it stands for */
} mime_html;

/* Begins with `len` bytes at `html`, which must stay. */
void mime_html_init(mime_html *h, const char *html, size_t len);

/* The next token into *token; its kind. */
mime_html_kind mime_html_next(mime_html *h, mime_html_token *token);

/* Reads a tag's attributes, for mime_html_take_tag(): where it ends, at its ">"; NULL where the
 * input ends. */
const char *mime_html_attributes(mime_html_token *token, const char *at, const char *end);

/* What documents mostly consist of is taken without a token; mime_html_next() is for the rest.
 *
 * The text that comes next, up to *end, and markup with it; nothing where only mime_html_next() can
 * tell. Any byte but "<", "&", CR and NUL is text as it stands; CR is a line's end, as is CR LF.
 * mime_html_take() says up to where it was taken. */
static inline const char *mime_html_peek(const mime_html *h, const char **end)
{
    *end = h->plain_end;
    return h->at;
}

static inline void mime_html_take(mime_html *h, const char *to)
{
    h->at = to;
}

/* The following look at that many bytes from the "<" or "&" on, which mime_html_peek() must tell
 * of. */
#define MIME_HTML_ROOM (2 + OCTETS)

/* The end tag of this element, without attributes: its end. NULL if that isn't what has begun with
 * the "</" before `at`. */
static inline const char *mime_html_take_end_tag(const mime_element_row *row, const char *at)
{
    if (!mime_element_is_at(row, at) || at[row->element.len] != '>')
        return NULL;
    return at + row->element.len + 1;
}

/* The tag that has begun with the "<" or "</" before `at`, of a well-known element with ordinary
 * content, and its end to *to; NULL if it isn't one. Of the token only what is told of attributes
 * is set: has, known and self_closing. `likely`: the element to try first. `end`: the input's. */
static inline const mime_element_row *mime_html_take_tag(mime_html_token *token,
                                                         const mime_element_row *likely,
                                                         const char *at, const char *end,
                                                         const char **to)
{
    const mime_element_row *row = likely;
    if (!mime_element_is_at(row, at)) {
        octets o = octets_load(at);
        size_t len = octets_first((octets)((o <= ' ') | (o == '>')));
        row = len <= MIME_ELEMENT_SHORT ? mime_element_find_short(octets_head(o, len)) : NULL;
        if (!row)
            return NULL;
    }
    at += row->element.len;
    token->has = 0;
    token->self_closing = false;
    if (*at != '>') {
        if (*at != ' ' || !(at = mime_html_attributes(token, at, end)))
            return NULL;
    }
    *to = at + 1;
    return row;
}

/* What the reference at the "&" stands for, in out[*len]: its end, or NULL if the "&" is text. */
const char *mime_html_reference(const char *at, const char *end, bool in_attribute, char out[8],
                                size_t *len);

/* The same of the most frequent: what it stands for as mime_entity_find() tells it, and the end to
 * *next; NULL if it isn't one of them. */
static inline const unsigned char *mime_html_usual_reference(const char *at, const char **next)
{
    octets name = octets_load(at + 1);
    size_t n = octets_first((octets)(name == ';'));
    *next = at + 1 + n + 1;
    return n <= 8 ? mime_entity_find_usual(octets_head(name, n), n) : NULL;
}

/* Whether the tag has it. */
static inline bool mime_html_has(const mime_html_token *token, mime_html_known which)
{
    return token->has >> which & 1;
}

/* The tag's next attribute; false if there is none (more). Of two with one name the first holds;
 * the second one is still told. */
bool mime_html_next_attribute(mime_html_token *token, mime_html_attribute *a);

/* Makes the value what it means: references resolved, line ends LF, NUL replaced. Stays borrowed
 * from the input where it already is, else it is written to `scratch`, which is emptied before.
 * False if memory ran out. */
bool mime_html_decode(mime_html_attribute *a, buf *scratch);

/* The end of the declaration at `at` in the value of a style attribute: its ";", not one of a
 * string or url(). */
size_t mime_html_declaration_end(const char *s, size_t len, size_t at);

#endif
