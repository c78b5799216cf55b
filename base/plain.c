#include "base/plain.h"

#include <stdbool.h>
#include <string.h>

#define NAME_MAX_     64 /* with its NUL */
#define DIGITS_MAX    18 /* of a number: no more than fit */
#define REFERENCE     "\\u0000"
#define REFERENCE_MAX 16 /* its digits, and the NUL before them */

typedef struct cursor {
    const char *at, *end;
    unsigned depth;
} cursor;

/* Behind white space; NUL at the end, which is plain nowhere. */
static char peek(cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\r' || *c->at == '\t'))
        c->at++;
    return c->at < c->end ? *c->at : '\0';
}

static bool take(cursor *c, char wanted)
{
    if (peek(c) != wanted)
        return false;
    c->at++;
    return true;
}

/* Characters of a string that stand for themselves: how many. */
static size_t plain_run(const cursor *c)
{
    const char *p = c->at;
    while (p < c->end && *p >= ' ' && !((unsigned char)*p & 0x80) && *p != '"' && *p != '\\')
        p++;
    return (size_t)(p - c->at);
}

static json_t *reference(cursor *c)
{
    char bytes[REFERENCE_MAX] = {0};
    size_t n = 1;
    c->at += sizeof REFERENCE - 1;
    while (c->at < c->end && *c->at >= '0' && *c->at <= '9' && n < sizeof bytes)
        bytes[n++] = *c->at++;
    return c->at < c->end && *c->at++ == '"' ? json_stringn_nocheck(bytes, n) : NULL;
}

/* The quote is behind. */
static json_t *string(cursor *c)
{
    const char *from = c->at;
    size_t left = (size_t)(c->end - from);
    if (left >= sizeof REFERENCE && memcmp(from, REFERENCE, sizeof REFERENCE - 1) == 0)
        return reference(c);
    size_t n = plain_run(c);
    c->at += n;
    return c->at < c->end && *c->at++ == '"' ? json_stringn_nocheck(from, n) : NULL;
}

static bool name(cursor *c, char out[NAME_MAX_])
{
    if (!take(c, '"'))
        return false;
    size_t n = plain_run(c);
    if (n >= NAME_MAX_ || n == (size_t)(c->end - c->at) || c->at[n] != '"')
        return false;
    memcpy(out, c->at, n);
    out[n] = '\0';
    c->at += n + 1;
    return take(c, ':');
}

static json_t *value(cursor *c);

/* The members up to behind the bracket. A name that is there already is the parser's to tell. */
static bool members(cursor *c, json_t *object)
{
    char key[NAME_MAX_];
    if (take(c, '}'))
        return true;
    do {
        if (!name(c, key) || json_object_get(object, key) ||
            json_object_set_new_nocheck(object, key, value(c)) != 0)
            return false;
    } while (take(c, ','));
    return take(c, '}');
}

static bool items(cursor *c, json_t *array)
{
    if (take(c, ']'))
        return true;
    do {
        if (json_array_append_new(array, value(c)) != 0)
            return false;
    } while (take(c, ','));
    return take(c, ']');
}

static json_t *container(cursor *c, json_t *made, bool (*fill)(cursor *c, json_t *made))
{
    bool good = made && c->depth < PLAIN_DEPTH;
    c->depth++;
    good = good && fill(c, made);
    c->depth--;
    if (good)
        return made;
    json_decref(made);
    return NULL;
}

static json_t *word(cursor *c, const char *word, json_t *meaning)
{
    size_t len = strlen(word);
    if ((size_t)(c->end - c->at) < len || memcmp(c->at, word, len) != 0)
        return NULL;
    c->at += len; /* what may follow is a comma or a bracket: whoever asked looks for it */
    return meaning;
}

/* What may follow is as with word(): a fraction or a further digit is neither. */
static json_t *integer(cursor *c)
{
    bool negative = c->at < c->end && *c->at == '-';
    const char *from = c->at += negative;
    json_int_t n = 0;
    while (c->at < c->end && *c->at >= '0' && *c->at <= '9' && c->at - from < DIGITS_MAX)
        n = n * 10 + (*c->at++ - '0');
    if (c->at == from || (*from == '0' && (negative || c->at - from > 1)))
        return NULL;
    return json_integer(negative ? -n : n);
}

/* NULL, which no tree takes in: it is not plain. */
static json_t *value(cursor *c)
{
    switch (peek(c)) {
    case '"': c->at++; return string(c);
    case '{': c->at++; return container(c, json_object(), members);
    case '[': c->at++; return container(c, json_array(), items);
    case 't': return word(c, "true", json_true());
    case 'f': return word(c, "false", json_false());
    case 'n': return word(c, "null", json_null());
    default: return integer(c);
    }
}

json_t *plain_load(const char *text, size_t len)
{
    cursor c = {text, text + len, 0};
    if (peek(&c) != '{' && peek(&c) != '[')
        return NULL;
    json_t *root = value(&c);
    (void)peek(&c);
    if (root && c.at == c.end)
        return root;
    json_decref(root);
    return NULL;
}
