#include "dkim/field.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DIGITS_MAX 18

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static dkim_text trimmed(const char *s, size_t len)
{
    while (len > 0 && is_space(*s))
        s++, len--;
    while (len > 0 && is_space(s[len - 1]))
        len--;
    return (dkim_text){s, len};
}

/* ---- the header ---- */

/* The end of the field that begins at `at`: behind a CRLF that no blank follows. */
static const char *field_end(const char *at, const char *end)
{
    const char *lf = at;

    while ((lf = memchr(lf, '\n', (size_t)(end - lf)))) {
        lf++;
        bool whole = lf - at >= 2 && lf[-2] == '\r';
        if (whole && (lf == end || (*lf != ' ' && *lf != '\t')))
            return lf;
    }
    return end;
}

static dkim_field read_field(const char *at, const char *end)
{
    dkim_field f = {.data = at, .len = (size_t)(end - at)};
    const char *colon = memchr(at, ':', f.len);

    f.name = colon ? (size_t)(colon - at) : 0;
    while (f.name > 0 && is_space(at[f.name - 1]))
        f.name--;
    return f;
}

dkim_field *dkim_fields_read(const char *header, size_t len, size_t *count)
{
    const char *end = header + len;
    dkim_field *list;
    size_t n = 0;

    for (const char *at = header; at < end; at = field_end(at, end))
        n++;
    list = calloc(n + 1, sizeof *list);
    *count = 0;
    for (const char *at = header; list && at < end; (*count)++) {
        const char *next = field_end(at, end);
        list[*count] = read_field(at, next);
        at = next;
    }
    return list;
}

bool dkim_field_is(const dkim_field *f, const char *name, size_t len)
{
    return f->name == len && len > 0 && strncasecmp(f->data, name, len) == 0;
}

bool dkim_text_is(dkim_text t, const char *word)
{
    return t.data && t.len == strlen(word) && strncasecmp(t.data, word, t.len) == 0;
}

/* ---- tags ---- */

static bool is_tag_name(dkim_text name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";

    for (size_t i = 0; i < name.len; i++) {
        const char *found = name.data[i] ? strchr(letters, name.data[i]) : NULL;
        if (!found || (i == 0 && found - letters >= 52))
            return false;
    }
    return name.len > 0;
}

static bool same(dkim_text a, const char *name, size_t len)
{
    return a.len == len && memcmp(a.data, name, len) == 0;
}

static bool add_tag(dkim_tags *out, dkim_text whole)
{
    const char *equals = memchr(whole.data, '=', whole.len);
    size_t before = equals ? (size_t)(equals - whole.data) : 0;
    dkim_text name = trimmed(whole.data, before);

    if (!equals || !is_tag_name(name) || out->count == DKIM_TAGS)
        return false;
    for (size_t i = 0; i < out->count; i++)
        if (same(out->list[i].name, name.data, name.len))
            return false;
    out->list[out->count].name = name;
    out->list[out->count++].value = trimmed(equals + 1, whole.len - before - 1);
    return true;
}

bool dkim_tags_read(const char *s, size_t len, dkim_tags *out)
{
    dkim_text rest = {s, len}, part;

    out->count = 0;
    while (dkim_text_next(&rest, ';', &part)) {
        bool last = !rest.data;
        if (part.len == 0 && last) /* behind the last ";" there is nothing */
            break;
        if (!add_tag(out, part))
            return false;
    }
    return out->count > 0;
}

dkim_text dkim_tags_get(const dkim_tags *t, const char *name)
{
    for (size_t i = 0; i < t->count; i++)
        if (same(t->list[i].name, name, strlen(name)))
            return t->list[i].value;
    return (dkim_text){NULL, 0};
}

bool dkim_text_next(dkim_text *at, char separator, dkim_text *part)
{
    if (!at->data)
        return false;
    const char *end = memchr(at->data, separator, at->len);
    size_t len = end ? (size_t)(end - at->data) : at->len;

    *part = trimmed(at->data, len);
    *at = end ? (dkim_text){end + 1, at->len - len - 1} : (dkim_text){NULL, 0};
    return true;
}

bool dkim_text_number(dkim_text t, long long *out)
{
    long long n = 0;

    if (!t.data || t.len == 0 || t.len > DIGITS_MAX)
        return false;
    for (size_t i = 0; i < t.len; i++) {
        if (t.data[i] < '0' || t.data[i] > '9')
            return false;
        n = 10 * n + (t.data[i] - '0');
    }
    *out = n;
    return true;
}
