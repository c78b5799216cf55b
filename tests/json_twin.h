/*
 * json_twin - holds service/document to jansson alone: the same texts accepted, the same values.
 *
 * Used by the unit tests and the fuzz target.
 */
#ifndef POSTERN_TESTS_JSON_TWIN_H
#define POSTERN_TESTS_JSON_TWIN_H

#include <stdlib.h>
#include <string.h>

#include "mime/base64.h"
#include "service/document.h"

#define TWIN_FLAGS (JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY)

/* What wrapping has made of base64, unwrapped: the alphabet's characters and padding. */
static inline bool twin_same_base64(const document_string *s, const char *text, size_t len)
{
    mime_base64_info info;
    mime_base64_wrap wrap;
    char line[64], stored[64];
    uint64_t at = 0;
    size_t n;
    bool valid = mime_base64_check(text, len, &info);
    if (valid != (s->info.fault == NULL))
        return false;
    if (!valid)
        return info.fault == s->info.fault && info.fault_offset == s->info.fault_offset;
    if (s->wrapped.len != info.wrapped || s->info.octets != info.octets)
        return false;
    mime_base64_wrap_init(&wrap, text, len, &info);
    while ((n = mime_base64_wrap_read(&wrap, line, sizeof line)) > 0) {
        if (s->wrapped.data)
            memcpy(stored, s->wrapped.data + at, n);
        else if (!s->wrapped.read(s->wrapped.ctx, at, stored, n))
            return false;
        if (memcmp(line, stored, n) != 0)
            return false;
        at += n;
    }
    return at == s->wrapped.len;
}

static inline bool twin_same_string(document *d, const json_t *a, const json_t *b)
{
    const char *text = json_string_value(b);
    size_t len = json_string_length(b);
    const char *nul = memchr(text, '\0', len);
    document_string found;
    if (!document_lifted(d, a, &found))
        return json_string_length(a) == len && memcmp(json_string_value(a), text, len) == 0;
    if (found.has_nul != (nul != NULL) || (nul && found.nul_at != (size_t)(nul - text)))
        return false;
    if (found.is_base64)
        return twin_same_base64(&found, text, len);
    return found.text.len == len && memcmp(found.text.data, text, len) == 0;
}

static inline bool twin_is_octet(const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) >= 0 &&
           json_integer_value(value) <= 255;
}

/* An array of octets that has become base64. */
static inline bool twin_same_octets(document *d, const json_t *a, const json_t *b)
{
    document_string found;
    size_t count = json_array_size(b);
    unsigned char *octets = malloc(count + 1);
    char *text = malloc(4 * ((count + 2) / 3) + 1);
    bool same = octets && text && document_lifted(d, a, &found) && found.is_base64;

    for (size_t i = 0; same && i < count; i++) {
        same = twin_is_octet(json_array_get(b, i));
        octets[i] = (unsigned char)json_integer_value(json_array_get(b, i));
    }
    same = same && twin_same_base64(&found, text, mime_base64_encode(octets, count, text));
    free(octets);
    free(text);
    return same;
}

static inline bool twin_same(document *d, json_t *a, json_t *b)
{
    const char *key;
    json_t *item;
    size_t i;
    if (json_is_string(a) && json_is_array(b))
        return twin_same_octets(d, a, b);
    if (json_typeof(a) != json_typeof(b))
        return false;
    if (json_is_string(a))
        return twin_same_string(d, a, b);
    if (json_is_array(a)) {
        if (json_array_size(a) != json_array_size(b))
            return false;
        json_array_foreach(b, i, item)
        {
            if (!twin_same(d, json_array_get(a, i), item))
                return false;
        }
        return true;
    }
    if (!json_is_object(a))
        return json_equal(a, b);
    if (json_object_size(a) != json_object_size(b))
        return false;
    json_object_foreach(b, key, item)
    {
        json_t *other = json_object_get(a, key);
        if (!other || !twin_same(d, other, item))
            return false;
    }
    return true;
}

static inline unsigned twin_depth(json_t *value)
{
    const char *key;
    json_t *item;
    size_t i;
    unsigned deepest = 0, depth;
    json_object_foreach(value, key, item)
    {
        depth = twin_depth(item);
        deepest = depth > deepest ? depth : deepest;
    }
    json_array_foreach(value, i, item)
    {
        depth = twin_depth(item);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + (json_is_object(value) || json_is_array(value));
}

/* There is an array with other things than octets in it. */
static inline bool twin_has_others(json_t *value)
{
    const char *key;
    json_t *item;
    size_t i;
    json_object_foreach(value, key, item)
    {
        if (twin_has_others(item))
            return true;
    }
    json_array_foreach(value, i, item)
    {
        if (!twin_is_octet(item) || twin_has_others(item))
            return true;
    }
    return false;
}

/* True if a document may refuse what jansson takes: a long array of octets has nothing else in it,
 * and no "-0". */
static inline bool twin_may_refuse(json_t *alone, const document_options *options, const char *text,
                                   size_t len)
{
    return options->files.octets && (twin_has_others(alone) || memmem(text, len, "-0", 2));
}

/* True if a document made of the text, which comes in pieces of `piece` bytes, is what jansson
 * makes of it, or if both refuse it. */
static inline bool twin_agrees(const char *text, size_t len, const document_options *options,
                               size_t piece)
{
    json_error_t error;
    buf detail = BUF_INIT;
    json_t *alone = len ? json_loadb(text, len, TWIN_FLAGS, &error) : NULL;
    document *d = document_create(options);
    if (!d)
        return false;
    for (size_t at = 0; at < len; at += piece)
        document_add(d, text + at, len - at < piece ? len - at : piece);
    document_result result = document_parse(d, &detail);
    bool wanted = alone && twin_depth(alone) <= DOCUMENT_DEPTH;
    if (result != DOCUMENT_OK && wanted && twin_may_refuse(alone, options, text, len))
        wanted = false;
    bool agrees = (result == DOCUMENT_OK) == wanted &&
                  (result == DOCUMENT_OK || (result == DOCUMENT_BAD && detail.len > 0)) &&
                  (!wanted || twin_same(d, document_root(d), alone));
    document_free(d);
    json_decref(alone);
    buf_free(&detail);
    return agrees;
}

#endif
