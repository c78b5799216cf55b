/* What prepare's rules make of one text, or of how much there is of something. */
#include "template/make.h"
#include "template/words.h"

#define MRKDWN_MAX 40000 /* octets: as much text as Slack takes */

static bool count_all(maker *m, const json_t *value)
{
    const char *name;
    size_t i;
    json_t *inner;
    json_object_foreach((json_t *)value, name, inner)
    {
        if (!count_all(m, inner))
            return false;
    }
    json_array_foreach(value, i, inner)
    {
        if (!count_all(m, inner))
            return false;
    }
    m->full = m->left == 0;
    m->left -= !m->full;
    return !m->full;
}

/* A value is counted with all that is in it; NULL: there was no memory. */
static json_t *counted(maker *m, json_t *value)
{
    if (!value)
        m->failed = true;
    else if (count_all(m, value))
        return value;
    json_decref(value);
    return NULL;
}

json_t *make_count(maker *m, const json_t *value)
{
    if (json_is_array(value))
        return maker_made(m, json_integer((json_int_t)json_array_size(value)));
    if (json_is_object(value))
        return maker_made(m, json_integer((json_int_t)json_object_size(value)));
    return NULL;
}

json_t *make_link(maker *m, const json_t *text)
{
    size_t len = json_string_length(text);
    return json_is_string(text) && words_is_link(json_string_value(text), len) ? maker_same(m, text)
                                                                               : NULL;
}

json_t *make_short(maker *m, const json_t *text)
{
    size_t len = json_string_length(text);
    json_t *out = json_is_string(text) ? words_short(json_string_value(text), len) : NULL;
    return out ? maker_made(m, out) : NULL;
}

json_t *make_ref(maker *m, const json_t *text)
{
    words_ref_kind kind;
    return json_is_string(text)
               ? counted(m, words_ref(json_string_value(text), json_string_length(text), &kind))
               : NULL;
}

json_t *make_ref_kind(maker *m, const json_t *text)
{
    words_ref_kind kind = WORDS_REF_OTHER;
    if (!json_is_string(text))
        return NULL;
    json_decref(words_ref(json_string_value(text), json_string_length(text), &kind));
    json_t *out = maker_made(m, json_object());
    if (out && kind != WORDS_REF_OTHER)
        (void)maker_put(m, out, kind == WORDS_REF_TAG ? "tag" : "branch",
                        maker_made(m, json_true()));
    return out;
}

json_t *make_mrkdwn(maker *m, const json_t *text)
{
    size_t len = json_string_length(text);
    return json_is_string(text) && len <= MRKDWN_MAX
               ? counted(m, words_mrkdwn(json_string_value(text), len))
               : NULL;
}

json_t *make_plain(maker *m, const json_t *text)
{
    size_t len = json_string_length(text);
    if (!json_is_string(text) || len > MRKDWN_MAX)
        return NULL;
    json_t *lines = words_mrkdwn(json_string_value(text), len);
    json_t *plain = lines ? words_plain(lines) : NULL;
    json_decref(lines);
    return counted(m, plain);
}

/* The items are the array's own, not copies. */
static json_t *first_items(maker *m, const json_t *array, size_t most)
{
    json_t *out = maker_made(m, json_array());
    for (size_t i = 0; out && i < most && i < json_array_size(array); i++) {
        if (!maker_append(m, out, json_incref(json_array_get(array, i)))) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

json_t *make_few(maker *m, const json_t *value, size_t most, size_t *more)
{
    *more = 0;
    if (json_is_array(value)) {
        size_t size = json_array_size(value);
        *more = size > most ? size - most : 0;
        return first_items(m, value, most);
    }
    if (!json_is_string(value))
        return NULL;
    size_t len = json_string_length(value);
    if (len <= most) /* octets, and so characters */
        return maker_same(m, value);
    return counted(m, words_few(json_string_value(value), len, most, more));
}
