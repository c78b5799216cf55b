/*
 * document - a JSON text that comes in pieces and becomes a tree, its long strings kept beside it.
 *
 * scan.h lifts the long strings out as the text comes; jansson parses the short rest, strictly:
 * duplicate names, bad UTF-8, anything behind the document and more than DOCUMENT_DEPTH levels are
 * faults. A text is accepted if and only if jansson alone would accept it.
 *
 * The base64 of an attachment (document_files) is checked on its way and
 * kept as the mail will have it, in lines of 76 columns, so that sending only has to read: in
 * memory, or in the store's file when the document's share of memory is used up. Other strings stay
 * in memory.
 *
 * Memory: the document owns the tree and what was lifted, and lends of its own what there is made
 * of it: document_memory(). Threads: one at a time; when parsed, what document_lifted() gave may be
 * read by one other thread.
 */
#ifndef POSTERN_SERVICE_DOCUMENT_H
#define POSTERN_SERVICE_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/buf.h"
#include "mime/message.h"
#include "service/store.h"

#define DOCUMENT_DEPTH 32 /* of arrays and objects; a valid request needs 3 */

typedef struct document document;

/* Where the base64 of attachments stands: an array, the member of that name, has them as objects,
 * and they have it as the other. */
typedef struct document_files {
    const char *array, *content;
    unsigned level; /* of the array: 1 is a member of the document itself */
    bool octets;    /* it may be an array of numbers instead, or an object whose "data" is one */
} document_files;

typedef struct document_options {
    store *store;   /* NULL: memory alone, without a budget */
    size_t lift_at; /* strings longer than this are lifted */
    size_t share;   /* memory that one document may hold before its base64 goes to a file */
    size_t rest;    /* what may be left to the parser; a text with more is too large */
    bool weighed;   /* the tree's own memory is counted: where it may be far more than the text's */
    document_files files; /* all zeros: "attachments", "content", 1 */
} document_options;

/* What a service takes; `recipients`: how many a request may have. */
document_options document_defaults(store *s, unsigned recipients);

/* NULL: no memory. The options are copied. */
document *document_create(const document_options *options);

/* Makes a document of a tree that came otherwise, and takes it over. NULL: no memory. */
document *document_wrap(json_t *root);

/* The same of a tree in an arena, whose block is malloc's and taken over, too. NULL: no memory, and
 * both are still the caller's. */
document *document_wrap_arena(json_t *root, const arena *a);
void document_free(document *d);

/* Adds the next piece. After a fault nothing is kept any more, and document_parse() tells it. */
void document_add(document *d, const char *text, size_t len);

typedef enum document_result {
    DOCUMENT_OK,
    DOCUMENT_BAD,       /* it is not JSON */
    DOCUMENT_TOO_LARGE, /* it has more structure than any request needs */
    DOCUMENT_NO_SPACE,  /* the store is full */
    DOCUMENT_NOMEM
} document_result;

/* Parses, once, when all has come. On BAD and TOO_LARGE `detail` gets one sentence. */
document_result document_parse(document *d, buf *detail);

/* ---- a tree that is built otherwise (form.h) ---- */

/* A string that comes in pieces and is kept as a long string of a text would be: as text, or octets
 * as the base64 that the mail will have, in the store's file where the share is used up. One after
 * the other: begin, add, end, which gives what stands for it in the tree, a new reference. False,
 * NULL: it can't be kept, document_refused() says why. */
bool document_lift_begin(document *d, bool octets);
bool document_lift_add(document *d, const char *bytes, size_t len);
json_t *document_lift_end(document *d);

/* Why something could not be kept; DOCUMENT_OK: nothing was refused. */
document_result document_refused(const document *d);

/* Makes it the document's, which takes it over; once. It is malloc's. */
void document_set_root(document *d, json_t *root);

/* ---- what there is ---- */

/* The tree; owned by the document. */
json_t *document_root(const document *d);

/* Between these the calling thread makes and frees what goes with the tree, and may share values of
 * it. False: there was no memory for some of it, and none of it is to be trusted (base/arena.h). */
void document_enter(document *d);
bool document_leave(document *d);

/* Memory for what is made of the document, and lives at most as long: given back by arena_free(),
 * before the document is. Where the document is shared, by one owner at a time. */
arena *document_memory(document *d);

/* One more owner: document_free() by the first gives back what of the budget is taken, and by the
 * last all else. By one owner at a time. */
document *document_share(document *d);

/* Takes so much of the store's budget, for what is made of the document, until it is freed; false:
 * there is not so much left. */
bool document_hold(document *d, size_t bytes);

/* How much is taken; and gives back what was taken since it was so much. */
size_t document_held(const document *d);
void document_let_go(document *d, size_t held);

/* A string of the tree that was lifted. */
typedef struct document_string {
    bool is_base64;        /* it was checked as such on its way: */
    mime_base64_info info; /* … and this was found */
    mime_stored wrapped;   /* … and this kept, if there was no fault */
    mime_bytes text;       /* else: the text, with a NUL behind it */
    bool has_nul;
    size_t nul_at; /* the first */
} document_string;

/* False: nothing was lifted, and all strings stand in the tree itself. */
bool document_lifts(const document *d);

/* False: the string stands in the tree itself. */
bool document_lifted(document *d, const json_t *string, document_string *out);

#endif
