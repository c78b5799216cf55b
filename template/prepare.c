#include "template/prepare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "template/copy.h"
#include "template/make.h"
#include "template/program.h"

#define STEPS_MAX   32  /* of a pointer */
#define RULES_MAX   500 /* of a template */
#define BESIDE_ROOM 256 /* octets of an added member's name that take no allocation */

typedef enum rule_kind {
    ENTRIES,
    FLAGS,
    MONEY,
    TIMES,
    LINES,
    FIRST,
    ROWS,
    COUNTS,
    FEW,
    LINKS,
    SHORT,
    REFS,
    REF_KINDS,
    MRKDWN,
    PLAIN,
    KINDS
} rule_kind;

/* A kind without a name is what the one before it adds, too. */
static const struct {
    const char *name, *suffix;
    json_t *(*make)(maker *m, const json_t *value); /* NULL: money and few, which need more */
} kinds[KINDS] = {
    [ENTRIES] = {"entries", "_entries", make_entries},
    [FLAGS] = {"flags", "_is", make_flags},
    [MONEY] = {"money", "_money", NULL},
    [TIMES] = {"times", "_time", make_time},
    [LINES] = {"lines", "_lines", make_lines},
    [FIRST] = {"first", "_first", make_first},
    [ROWS] = {"rows", "_rows", make_rows},
    [COUNTS] = {"counts", "_count", make_count},
    [FEW] = {"few", "_few", NULL},
    [LINKS] = {"links", "_url", make_link},
    [SHORT] = {"short", "_short", make_short},
    [REFS] = {"refs", "_name", make_ref},
    [REF_KINDS] = {NULL, "_kind_is", make_ref_kind},
    [MRKDWN] = {"mrkdwn", "_mrkdwn", make_mrkdwn},
    [PLAIN] = {NULL, "_plain", make_plain},
};

typedef struct rule {
    rule_kind kind;
    size_t count, most; /* of the steps; of FEW: how many */
    char *text;         /* the steps, decoded; each ends with a NUL */
    slice steps[STEPS_MAX];
} rule;

struct prepare {
    copy_plan *plan;
    size_t count;
    rule rules[];
};

/* ---- reading ---- */

/* NULL in *error is "no memory", too. */
static bool fail(char **error, const char *before, const char *what, const char *after)
{
    buf b = BUF_INIT;
    buf_addf(&b, "%s\"%.100s\"%s", before, what, after);
    *error = buf_take(&b);
    return false;
}

/* Decodes ~0 and ~1 of a step, in place. */
static bool decode(slice *s, char *text)
{
    size_t to = 0;
    for (size_t i = 0; i < s->len; i++) {
        char c = text[i];
        if (c == '~') {
            if (++i == s->len || (text[i] != '0' && text[i] != '1'))
                return false;
            c = text[i] == '0' ? '~' : '/';
        }
        text[to++] = c;
    }
    *s = (slice){text, to};
    return true;
}

static bool read_pointer(rule *r, const char *pointer, size_t len, char **error)
{
    static const char wrong[] = " is not a JSON pointer of 32 steps at most";
    if (!(r->text = malloc(len + 1)))
        return false;
    memcpy(r->text, pointer, len + 1);
    if (len > 0 && (*pointer != '/' || strlen(pointer) != len))
        return fail(error, "", pointer, wrong);
    for (size_t at = 0; at < len;) {
        char *step = r->text + at + 1;
        const char *end = memchr(step, '/', len - at - 1);
        slice s = {step, end ? (size_t)(end - step) : len - at - 1};
        at += s.len + 1;
        if (r->count == STEPS_MAX || !decode(&s, step))
            return fail(error, "", pointer, wrong);
        r->steps[r->count++] = s;
    }
    return true;
}

static bool read_rule(prepare *p, rule_kind kind, size_t most, const char *pointer, size_t len,
                      char **error)
{
    rule *r = &p->rules[p->count++];
    *r = (rule){.kind = kind, .most = most};
    return read_pointer(r, pointer, len, error);
}

static bool read_list(prepare *p, rule_kind kind, const json_t *pointers, char **error)
{
    size_t i;
    json_t *pointer;
    if (!json_is_array(pointers))
        return fail(error, "", kinds[kind].name, " is not a list of JSON pointers");
    json_array_foreach(pointers, i, pointer)
    {
        if (!json_is_string(pointer))
            return fail(error, "", kinds[kind].name, " is not a list of JSON pointers");
        if (!read_rule(p, kind, 0, json_string_value(pointer), json_string_length(pointer), error))
            return false;
    }
    return true;
}

static bool read_few(prepare *p, const json_t *numbers, char **error)
{
    static const char wrong[] = " is not an object of JSON pointers with numbers";
    const char *pointer;
    size_t len;
    json_t *most;
    if (!json_is_object(numbers))
        return fail(error, "", "few", wrong);
    json_object_keylen_foreach((json_t *)numbers, pointer, len, most)
    {
        if (!json_is_integer(most) || json_integer_value(most) < 1)
            return fail(error, "", "few", wrong);
        if (!read_rule(p, FEW, (size_t)json_integer_value(most), pointer, len, error))
            return false;
    }
    return true;
}

static bool read_kind(prepare *p, const char *name, const json_t *pointers, char **error)
{
    size_t kind = 0;
    while (kind < KINDS && (!kinds[kind].name || strcmp(kinds[kind].name, name) != 0))
        kind++;
    if (kind == KINDS)
        return fail(error, "there is no rule ", name, "");
    return kind == FEW ? read_few(p, pointers, error)
                       : read_list(p, (rule_kind)kind, pointers, error);
}

static bool read_rules(prepare *p, const json_t *rules, char **error)
{
    const char *name;
    json_t *pointers;
    json_object_foreach((json_t *)rules, name, pointers)
    {
        if (!read_kind(p, name, pointers, error))
            return false;
    }
    return true;
}

/* How many rules there are; SIZE_MAX: that isn't what they look like. */
static size_t count_rules(const json_t *rules)
{
    const char *name;
    json_t *pointers;
    size_t count = 0;
    if (!json_is_object(rules))
        return SIZE_MAX;
    json_object_foreach((json_t *)rules, name, pointers)
    {
        count += json_array_size(pointers) + json_object_size(pointers);
    }
    return count;
}

/* A link is fit for href because it was looked at here: what a payload brings along under the name
 * of one is not, wherever it stands, since a name is looked for in all that is around. */
static bool has_links(rule_kind kind)
{
    return kind == LINKS || kind == MRKDWN;
}

static copy_plan *make_plan(const prepare *p)
{
    size_t steps = 0;
    for (size_t i = 0; i < p->count; i++)
        steps += p->rules[i].count;
    copy_plan *plan = copy_plan_create(steps, p->count);
    for (size_t i = 0; plan && i < p->count; i++) {
        const rule *r = &p->rules[i];
        copy_plan_add(plan, r->steps, r->count, r->kind == ENTRIES);
        if (r->count > 0 && has_links(r->kind))
            copy_plan_forge(plan, r->steps[r->count - 1], kinds[r->kind].suffix);
    }
    return plan;
}

static prepare *create_of_list(const json_t *list, char **error)
{
    size_t count = 0, i;
    json_t *rules;
    json_array_foreach(list, i, rules)
    {
        size_t n = count_rules(rules);
        if (n == SIZE_MAX) {
            *error = strdup("rules are an object of lists of JSON pointers, or a list of such");
            return NULL;
        }
        count += n;
    }
    if (count > RULES_MAX) {
        *error = strdup("there are more than 500 JSON pointers");
        return NULL;
    }
    prepare *p = malloc(sizeof *p + count * sizeof(rule));
    if (!p)
        return NULL;
    p->count = 0;
    p->plan = NULL;
    json_array_foreach(list, i, rules)
    {
        if (!read_rules(p, rules, error)) {
            prepare_free(p);
            return NULL;
        }
    }
    if ((p->plan = make_plan(p)))
        return p;
    prepare_free(p);
    return NULL;
}

prepare *prepare_create(const json_t *rules, char **error)
{
    *error = NULL;
    json_t *list =
        json_is_array(rules) ? json_incref((json_t *)rules) : json_pack("[O]", (json_t *)rules);
    prepare *p = list ? create_of_list(list, error) : NULL;
    json_decref(list);
    return p;
}

void prepare_free(prepare *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->count; i++)
        free(p->rules[i].text);
    copy_plan_free(p->plan);
    free(p);
}

/* ---- applying ---- */

typedef struct walk {
    maker m;
    const rule *rule;
    json_t *around[STEPS_MAX + 1]; /* what the steps so far went through, from the root on */
} walk;

/* Of the nearest object around that has one. */
static const json_t *currency(const walk *w, size_t depth)
{
    for (size_t i = depth + 1; i-- > 0;) {
        const json_t *found = json_object_get(w->around[i], "currency");
        if (json_is_string(found))
            return found;
    }
    return NULL;
}

static json_t *make(walk *w, rule_kind kind, const json_t *value, size_t depth, size_t *more)
{
    if (kind == MONEY)
        return make_money(&w->m, value, currency(w, depth));
    if (kind == FEW)
        return make_few(&w->m, value, w->rule->most, more);
    return kinds[kind].make(&w->m, value);
}

/* `instead` of one that is there already (which turns null: walks know the names by where they
 * are); `made` is owned, NULL: none. */
static void add_named(walk *w, json_t *object, slice name, const char *suffix, json_t *made,
                      bool instead)
{
    char room[BESIDE_ROOM];
    const char *end = name.text ? suffix : suffix + 1;
    size_t len = name.len + strlen(end);
    char *beside = len <= sizeof room ? room : malloc(len);
    if (!beside)
        w->m.failed = true;
    else {
        if (name.text)
            memcpy(beside, name.text, name.len);
        memcpy(beside + name.len, end, len - name.len);
        bool there = json_object_getn(object, beside, len) != NULL;
        json_t *value = made ? made : there && instead ? json_null() : NULL;
        if (value && (instead || !there) &&
            json_object_setn_nocheck(object, beside, len, value) != 0)
            w->m.failed = true;
    }
    json_decref(made);
    if (beside != room)
        free(beside);
}

/* Adds what the rule makes of that member, beside it. */
static void add_beside(walk *w, json_t *object, slice name, const json_t *value, size_t depth)
{
    size_t kind = w->rule->kind, more = 0;
    do {
        json_t *made = make(w, (rule_kind)kind, value, depth, &more);
        add_named(w, object, name, kinds[kind].suffix, made, has_links((rule_kind)kind));
    } while (!maker_stopped(&w->m) && ++kind < KINDS && !kinds[kind].name);
    if (more > 0)
        add_named(w, object, name, "_more", maker_made(&w->m, json_integer((json_int_t)more)),
                  false);
}

/* What Postern says of a hook isn't part of what there is to be read. */
static void add_to_whole(walk *w, json_t *whole)
{
    json_t *value = w->rule->kind == ROWS ? json_copy(whole) : json_incref(whole);
    if (!value) {
        w->m.failed = true;
        return;
    }
    if (w->rule->kind == ROWS)
        (void)json_object_del(value, "postern");
    add_beside(w, whole, (slice){NULL, 0}, value, 0);
    json_decref(value);
}

static void follow(walk *w, json_t *value, size_t depth);

static void follow_member(walk *w, json_t *object, slice name, size_t depth)
{
    json_t *value = json_object_getn(object, name.text, name.len);
    rule_kind kind = w->rule->kind;
    if (!value && depth + 1 == w->rule->count && has_links(kind))
        add_named(w, object, name, kinds[kind].suffix, NULL, true);
    if (!value || maker_stopped(&w->m))
        return;
    if (depth + 1 == w->rule->count)
        add_beside(w, object, name, value, depth);
    else
        follow(w, value, depth + 1);
}

/* The names are taken down before: members are added on the way. */
static void follow_members(walk *w, json_t *object, size_t depth)
{
    const char *name;
    size_t len, count = 0;
    json_t *value;
    slice *names = calloc(json_object_size(object) + 1, sizeof *names);
    if (!names) {
        w->m.failed = true;
        return;
    }
    json_object_keylen_foreach(object, name, len, value)
    {
        names[count++] = (slice){name, len};
    }
    for (size_t i = 0; i < count; i++)
        follow_member(w, object, names[i], depth);
    free(names);
}

static void follow_items(walk *w, json_t *array, slice step, size_t depth)
{
    size_t i;
    json_t *item;
    char *end, index[24];
    if (depth + 1 == w->rule->count)
        return; /* nothing stands beside an item */
    if (step.len == 1 && *step.text == '*') {
        json_array_foreach(array, i, item)
        {
            follow(w, item, depth + 1);
        }
        return;
    }
    if (step.len == 0 || step.len >= sizeof index || *step.text < '0' || *step.text > '9')
        return;
    memcpy(index, step.text, step.len);
    index[step.len] = '\0';
    item = json_array_get(array, strtoull(index, &end, 10));
    if (item && !*end)
        follow(w, item, depth + 1);
}

static void follow(walk *w, json_t *value, size_t depth)
{
    slice step = w->rule->steps[depth];
    w->around[depth] = value;
    if (maker_stopped(&w->m))
        return;
    if (json_is_array(value))
        follow_items(w, value, step, depth);
    else if (json_is_object(value) && step.len == 1 && *step.text == '*')
        follow_members(w, value, depth);
    else if (json_is_object(value))
        follow_member(w, value, step, depth);
}

json_t *prepare_apply(const prepare *p, const json_t *data,
                      const char *(*string)(void *ctx, const json_t *value, size_t *len), void *ctx,
                      bool *too_large)
{
    walk w = {.m = {.left = PREPARE_VALUES}};
    json_t *out = copy_data(p->plan, data, string, ctx);
    *too_large = false;
    for (size_t i = 0; out && i < p->count && !maker_stopped(&w.m); i++) {
        w.rule = &p->rules[i];
        w.around[0] = out;
        if (w.rule->count > 0)
            follow(&w, out, 0);
        else if (json_is_object(out))
            add_to_whole(&w, out);
    }
    if (!maker_stopped(&w.m))
        return out;
    *too_large = w.m.full;
    json_decref(out);
    return NULL;
}
