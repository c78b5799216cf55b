/*
 * text - the plain-text twin of an HTML body.
 *
 * Writes what a reader of plain text needs: paragraphs and headings apart, lists with "-" or
 * numbers and indented when nested, links as "text <url>" (once, where the text is not the URL
 * itself), images as their alt text, tables row by row with " | " between cells, <br> and <pre>
 * kept, blockquotes with "> ", horizontal rules; script, style, title, template, comments and what
 * is hidden (display:none, the attribute) left out; white space folded as HTML does, references
 * resolved, no-break spaces as spaces, soft hyphens dropped. Lines are not wrapped: the reader's
 * program does.
 *
 * Broken markup is read as browsers do: of the standard's tree construction the rules are kept by
 * which start and end tags close other elements. No tree is built.
 *
 * Time: linear. Output: at most 8 times the input and 8 KiB, however lists and quotes are nested;
 * UTF-8 if the input is. Threads: pure.
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
