/*
 * text - the plain-text twin of an HTML body.
 *
 * libxml2's HTML parser reads the HTML as browsers would (broken markup included) and this module
 * writes what a reader of plain text needs: paragraphs and headings apart, lists with "-" or
 * numbers and indented when nested, links as "text <url>" (once, where the text is not the URL
 * itself), images as their alt text, tables row by row with " | " between cells, <br> and <pre>
 * kept, blockquotes with "> ", horizontal rules; script, style, head, template and comments left
 * out; white space folded as HTML does, entities decoded. Lines are not wrapped: the reader's
 * program does.
 *
 * Uses the SAX interface, so no tree is built. The caller's program must have called
 * xmlInitParser() before threads start. Threads: pure.
 */
#ifndef POSTERN_MIME_TEXT_H
#define POSTERN_MIME_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Appends to `out` the text of `len` bytes of UTF-8 HTML, lines ended by "\n", no blank lines at
 * the start or end, one "\n" at the end unless empty. False only if memory ran out. */
bool mime_text_from_html(const char *html, size_t len, buf *out);

#endif
