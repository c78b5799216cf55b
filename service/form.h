/*
 * form - a body of multipart/form-data (RFC 7578) or application/x-www-form-urlencoded that comes
 * in pieces, cut anywhere, and becomes a document.
 *
 * The document's root is an object: each field's name has an array, in the order in which they
 * came, of strings, and for files of objects {"filename", "content_type", "content"}. A file's
 * content is the base64 that the mail will have, made on its way: in memory, and beyond the
 * document's share of it in the store's file. Fields are texts: UTF-8 without NUL.
 *
 * A file is a part with a file name (without one and without content it is a browser's, where no
 * file was chosen, and is dropped). The name may be UTF-8 as it is, quoted with backslashes, with
 * the browsers' %22, or extended (filename*, RFC 5987). A body that ends before its last boundary
 * is a fault, as is all that RFC 2046 and RFC 7578 don't know; what is before the first boundary
 * and behind the last is dropped.
 *
 * Not libmicrohttpd's post processor: it can't be had without a connection, ends a file name at an
 * escaped quote, and tells no fault from another.
 *
 * Memory: the form owns the document until form_finish() gives it away. Threads: one at a time.
 */
#ifndef POSTERN_SERVICE_FORM_H
#define POSTERN_SERVICE_FORM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "service/document.h"

#define FORM_FIELDS   4000 /* fields and files of one body */
#define FORM_NAME     256  /* octets of a field's name */
#define FORM_HEAD     4096 /* of a part's header */
#define FORM_BOUNDARY 70   /* RFC 2046 section 5.1.1 */

typedef struct form_reader form_reader;

/* A form for a body of that Content-Type. NULL: it is none (*reason is a sentence), or there is no
 * memory (*reason is NULL). The options are copied. */
form_reader *form_create(const document_options *options, const char *content_type,
                         const char **reason);
void form_free(form_reader *f);

/* Adds the next piece. After a fault nothing is kept any more, and form_finish() tells it. */
void form_add(form_reader *f, const char *data, size_t len);

/* The document, once, when all has come; the caller's. NULL: *result says why, and `detail` gets
 * one sentence where it is DOCUMENT_BAD or DOCUMENT_TOO_LARGE. */
document *form_finish(form_reader *f, document_result *result, buf *detail);

#endif
