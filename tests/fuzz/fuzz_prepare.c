/* Any bytes as rules and data, apart by a NUL: what is prepared keeps all that was there,
 * and prepared again as well; the data stay as they were. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "template/prepare.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static bool ends(const char *name, size_t len, const char *with)
{
    size_t n = strlen(with);
    return len >= n && memcmp(name + len - n, with, n) == 0;
}

/* All that is in `a` is in `b`, but what has the name of a link that was looked at. */
static bool kept(const json_t *a, json_t *b)
{
    const char *name;
    json_t *value;
    size_t i, len;
    if (json_is_object(a)) {
        json_object_keylen_foreach((json_t *)a, name, len, value)
        {
            json_t *other = json_object_getn(b, name, len);
            bool looked_at = ends(name, len, "_url") || ends(name, len, "_mrkdwn");
            if (!other || (!looked_at && !kept(value, other)))
                return false;
        }
        return json_is_object(b);
    }
    if (json_is_array(a)) {
        json_array_foreach(a, i, value)
        {
            if (i >= json_array_size(b) || !kept(value, json_array_get(b, i)))
                return false;
        }
        return json_array_size(b) == json_array_size(a);
    }
    return json_equal(a, b);
}

static void check(const prepare *p, const json_t *value)
{
    bool too_large = false;
    json_t *before = json_deep_copy(value);
    json_t *out = prepare_apply(p, value, NULL, NULL, &too_large);
    require(!out == too_large);
    require(json_equal(value, before));
    json_decref(before);
    if (!out)
        return;
    require(kept(value, out));
    json_t *again = prepare_apply(p, out, NULL, NULL, &too_large);
    require(again ? kept(out, again) : too_large);
    json_decref(again);
    json_decref(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *rules_text = (const char *)data, *end = size ? memchr(data, '\0', size) : NULL;
    size_t len = end ? (size_t)(end - rules_text) : size;
    char *error = NULL;
    json_t *rules = json_loadb(rules_text, len, 0, NULL);
    json_t *value = end ? json_loadb(end + 1, size - len - 1, JSON_DECODE_ANY, NULL) : NULL;
    prepare *p = rules ? prepare_create(rules, &error) : NULL;
    if (p && value && json_array_size(json_object_get(rules, "rows")) < 10)
        check(p, value);
    require(p || !rules || error);
    free(error);
    prepare_free(p);
    json_decref(value);
    json_decref(rules);
    return 0;
}
