#include "hook/when.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mac.h"
#include "hook/payload.h"

#define HEADER_NAME_MAX 128

/* `have` NULL: nothing is there. */
typedef bool test(const json_t *have, const json_t *value);

typedef struct condition {
    const char *pointer, *header; /* one of them; the list's */
    test *holds;
    const json_t *value;
} condition;

struct hook_when {
    json_t *list; /* a copy: what conditions borrow from */
    size_t count;
    condition conditions[];
};

/* ---- operators ---- */

static bool equals(const json_t *have, const json_t *value)
{
    if (json_is_number(have) && json_is_number(value))
        return json_number_value(have) == json_number_value(value);
    return have && json_equal(have, value);
}

static bool not_equals(const json_t *have, const json_t *value)
{
    return !equals(have, value);
}

static bool has_item(const json_t *array, const json_t *value)
{
    size_t i;
    const json_t *item;
    json_array_foreach(array, i, item)
    {
        if (equals(item, value))
            return true;
    }
    return false;
}

static bool in(const json_t *have, const json_t *value)
{
    return has_item(value, have);
}

static bool exists(const json_t *have, const json_t *value)
{
    (void)value;
    return have && !json_is_null(have);
}

static bool missing(const json_t *have, const json_t *value)
{
    return !exists(have, value);
}

static bool contains(const json_t *have, const json_t *value)
{
    if (json_is_string(have) && json_is_string(value))
        return strstr(json_string_value(have), json_string_value(value)) != NULL;
    return json_is_array(have) && has_item(have, value);
}

static bool begins(const json_t *have, const json_t *value)
{
    const char *start = json_string_value(value);
    return json_is_string(have) && strncmp(json_string_value(have), start, strlen(start)) == 0;
}

static bool greater(const json_t *have, const json_t *value)
{
    return json_is_number(have) && json_number_value(have) > json_number_value(value);
}

static bool less(const json_t *have, const json_t *value)
{
    return json_is_number(have) && json_number_value(have) < json_number_value(value);
}

typedef enum value_form { ANY_VALUE, NO_VALUE, ARRAY_VALUE, STRING_VALUE, NUMBER_VALUE } value_form;

static const struct {
    const char *name;
    test *holds;
    value_form form;
} operators[] = {
    {"equals", equals, ANY_VALUE},    {"not_equals", not_equals, ANY_VALUE},
    {"in", in, ARRAY_VALUE},          {"exists", exists, NO_VALUE},
    {"missing", missing, NO_VALUE},   {"contains", contains, ANY_VALUE},
    {"begins", begins, STRING_VALUE}, {"greater", greater, NUMBER_VALUE},
    {"less", less, NUMBER_VALUE},
};

#define OPERATORS (sizeof operators / sizeof *operators)

/* NULL if the value is of the form. */
static const char *value_fault(value_form form, const json_t *value)
{
    switch (form) {
    case ANY_VALUE: return value ? NULL : "it needs a value";
    case NO_VALUE: return value ? "exists and missing take no value" : NULL;
    case ARRAY_VALUE: return json_is_array(value) ? NULL : "its value must be an array";
    case STRING_VALUE: return json_is_string(value) ? NULL : "its value must be a string";
    case NUMBER_VALUE: return json_is_number(value) ? NULL : "its value must be a number";
    }
    return NULL;
}

/* ---- reading ---- */

static bool is_header_name(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len <= HEADER_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == len;
}

static const char *read_operator(const json_t *item, condition *out)
{
    const json_t *op = json_object_get(item, "op");
    const char *name = op ? json_string_value(op) : operators[0].name;
    out->value = json_object_get(item, "value");
    for (size_t i = 0; name && i < OPERATORS; i++) {
        if (strcmp(operators[i].name, name) != 0)
            continue;
        out->holds = operators[i].holds;
        return value_fault(operators[i].form, out->value);
    }
    return "op must be equals, not_equals, in, exists, missing, contains, begins, greater or less";
}

static const char *read_condition(const json_t *item, condition *out)
{
    static const char *const members[] = {"pointer", "header", "op", "value"};
    size_t known = 0;

    if (!json_is_object(item))
        return "a condition is an object of pointer or header, op and value";
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        known += json_object_get(item, members[i]) != NULL;
    if (known != json_object_size(item))
        return "a condition has no members but pointer or header, op and value";
    out->pointer = json_string_value(json_object_get(item, "pointer"));
    out->header = json_string_value(json_object_get(item, "header"));
    if (!out->pointer == !out->header)
        return "it needs a pointer or a header, and one of them";
    if (out->pointer && !hook_pointer_valid(out->pointer))
        return "pointer must be a JSON pointer, such as /status";
    if (out->header && !is_header_name(out->header))
        return "header must be a header's name";
    return read_operator(item, out);
}

static void *fail(char **error, const char *text)
{
    *error = strdup(text);
    return NULL;
}

hook_when *hook_when_create(const json_t *list, char **error)
{
    *error = NULL;
    if (!json_is_array(list) || json_array_size(list) > HOOK_WHEN_MAX)
        return fail(error, "must be a list of conditions, 64 at most");
    size_t count = json_array_size(list);
    hook_when *w = calloc(1, sizeof *w + count * sizeof *w->conditions);
    if (!w)
        return NULL;
    w->list = json_deep_copy(list);
    for (; w->list && w->count < count; w->count++) {
        const char *why =
            read_condition(json_array_get(w->list, w->count), &w->conditions[w->count]);
        if (why) {
            if (asprintf(error, "item %zu: %s", w->count + 1, why) < 0)
                *error = NULL;
            hook_when_free(w);
            return NULL;
        }
    }
    if (w->list)
        return w;
    hook_when_free(w);
    return NULL;
}

void hook_when_free(hook_when *w)
{
    if (!w)
        return;
    json_decref(w->list);
    free(w);
}

/* ---- judging ---- */

/* A header that is no UTF-8 equals nothing, but is there. */
static json_t *header_string(const char *value)
{
    json_t *string = value ? json_string(value) : NULL;
    return value && !string ? json_true() : string;
}

bool hook_when_holds(const hook_when *w, const json_t *payload,
                     const char *(*header)(void *ctx, const char *name), void *ctx)
{
    bool holds = true;
    for (size_t i = 0; w && holds && i < w->count; i++) {
        const condition *c = &w->conditions[i];
        json_t *string = c->header ? header_string(header(ctx, c->header)) : NULL;
        holds = c->holds(c->header ? string : hook_pointer_find(payload, c->pointer), c->value);
        json_decref(string);
    }
    return holds;
}

/* ---- threads ---- */

bool hook_thread(const char *hook, const char *const *pointers, const json_t *payload,
                 char out[HOOK_THREAD_KEY + 1])
{
    unsigned char digest[MAC_OCTETS];
    buf key = BUF_INIT;
    bool found = false;

    buf_add(&key, hook, strlen(hook) + 1);
    for (; *pointers; pointers++) {
        const json_t *value = hook_pointer_find(payload, *pointers);
        char *text = value && !json_is_null(value)
                         ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS)
                         : NULL;
        found = found || text;
        buf_add(&key, text ? text : "", text ? strlen(text) + 1 : 1);
        free(text);
    }
    const mac_part part = {key.data, key.len};
    bool ok = found && buf_ok(&key) && mac_hash(&part, 1, digest);
    if (ok)
        mac_hex(digest, HOOK_THREAD_KEY / 2, out);
    buf_free(&key);
    return ok;
}
