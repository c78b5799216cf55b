/*
 * plain - JSON of the plainest kind becomes jansson's tree without jansson's parser.
 *
 * Of what is left of a send request when its long strings are lifted out, and of what the queue
 * keeps of a message, nearly all is of this kind: objects and arrays, few levels deep, of strings
 * in ASCII without escapes, integers, true, false and null; and strings of one escape and digits,
 * "\u000012", which stand for what was lifted out. The parser, which looks at each byte through
 * five functions and builds each string twice, takes ten times as long for it. Whatever else there
 * is, and every fault, is left to the parser: plain_load() says no more than that it is not sure.
 *
 * Pure; allocates with jansson's functions.
 */
#ifndef POSTERN_BASE_PLAIN_H
#define POSTERN_BASE_PLAIN_H

#include <stddef.h>

#include <jansson.h>

#define PLAIN_DEPTH      8 /* of arrays and objects */
#define PLAIN_DEPTH_TEXT 64

/* The tree that jansson, told to refuse duplicate names and to allow NULs, makes of an object's or
 * an array's text; the caller's. NULL: it is not plain, or there is no memory. */
json_t *plain_load(const char *text, size_t len);

/* The same of the text of somebody else, which is of more kinds: texts beyond ASCII and with
 * escapes, fractions, PLAIN_DEPTH_TEXT levels; and no NULs. jansson is to be told to refuse
 * duplicate names. */
json_t *plain_load_text(const char *text, size_t len);

/* About what jansson needs for a text's tree, on a machine of 64 bits: objects have a table,
 * members a key and two lists' links. What stands in strings counts, too: it is an estimate, for
 * who keeps a budget. */
size_t plain_weight(const char *text, size_t len);

#endif
