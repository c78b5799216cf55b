#include "template/copy.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define COPY_DEPTH 2048
#define PLACES_MAX 16 /* of the plan that one value may stand at */
#define NONE       0  /* the root is nobody's step */
#define FEW        "_few"

/* A step of some pointers, and what follows it in them. */
typedef struct step {
    slice name;
    uint32_t inner, next; /* the first of those behind it; the next beside it */
} step;

typedef struct forged {
    slice name;
    const char *suffix;
    size_t len; /* of both */
} forged;

struct copy_plan {
    bool all;     /* everything is copied */
    bool entries; /* some rule gives a value another name and place */
    uint32_t count;
    size_t forged_count;
    step *steps;
    forged *forged;
};

/* ---- the plan ---- */

copy_plan *copy_plan_create(size_t steps, size_t forged_most)
{
    copy_plan *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->steps = calloc(steps + 1, sizeof *p->steps);
    p->forged = calloc(forged_most + 1, sizeof *p->forged);
    p->count = 1;
    if (p->steps && p->forged)
        return p;
    copy_plan_free(p);
    return NULL;
}

void copy_plan_free(copy_plan *p)
{
    if (!p)
        return;
    free(p->steps);
    free(p->forged);
    free(p);
}

static bool same(slice a, slice b)
{
    return a.len == b.len && memcmp(a.text, b.text, a.len) == 0;
}

static uint32_t add_step(copy_plan *p, uint32_t at, slice name)
{
    uint32_t i = p->steps[at].inner;
    while (i != NONE && !same(p->steps[i].name, name))
        i = p->steps[i].next;
    if (i != NONE)
        return i;
    p->steps[p->count] = (step){.name = name, .next = p->steps[at].inner};
    return p->steps[at].inner = p->count++;
}

void copy_plan_add(copy_plan *p, const slice *steps, size_t count, bool entries)
{
    uint32_t at = 0;
    for (size_t i = 0; i < count; i++)
        at = add_step(p, at, steps[i]);
    p->entries |= entries;
    p->all |= entries && count == 0;
}

void copy_plan_forge(copy_plan *p, slice name, const char *suffix)
{
    p->forged[p->forged_count++] = (forged){name, suffix, name.len + strlen(suffix)};
}

/* ---- where a value stands ---- */

/* Behind which steps; each of them has others behind it. */
typedef struct places {
    bool all;
    unsigned count;
    uint32_t at[PLACES_MAX];
} places;

static bool is_star(slice s)
{
    return s.len == 1 && *s.text == '*';
}

/* What a step that isn't the member's name says of it: it may be what a rule has made of it. */
static bool is_made_of(slice s, slice member, bool *all)
{
    if (s.len <= member.len || s.text[member.len] != '_' ||
        memcmp(s.text, member.text, member.len) != 0)
        return false;
    bool few =
        s.len == member.len + strlen(FEW) && memcmp(s.text + member.len, FEW, strlen(FEW)) == 0;
    *all |= !few;
    return few;
}

static bool leads_to_member(const copy_plan *p, slice s, slice member, bool *all)
{
    if (!is_star(s))
        return same(s, member) || is_made_of(s, member, all);
    *all |= p->entries;
    return true;
}

static void add_place(places *to, uint32_t at)
{
    if (to->count == PLACES_MAX)
        to->all = true;
    else
        to->at[to->count++] = at;
}

/* Of a member; without a name, of an array's items. */
static places inside(const copy_plan *p, const places *around, slice member)
{
    places out = {.all = around->all};
    for (unsigned i = 0; i < around->count && !out.all; i++) {
        for (uint32_t at = p->steps[around->at[i]].inner; at != NONE; at = p->steps[at].next) {
            slice s = p->steps[at].name;
            if (p->steps[at].inner == NONE)
                continue;
            if (member.text ? leads_to_member(p, s, member, &out.all)
                            : is_star(s) || (s.len > 0 && *s.text >= '0' && *s.text <= '9'))
                add_place(&out, at);
        }
    }
    return out;
}

/* ---- copying ---- */

typedef struct copier {
    const copy_plan *plan;
    const char *(*string)(void *ctx, const json_t *value, size_t *len);
    void *ctx;
} copier;

static json_t *copy(const copier *c, const json_t *value, const places *at, size_t depth);

static bool is_forged(const copy_plan *p, slice name)
{
    for (size_t i = 0; i < p->forged_count; i++) {
        const forged *f = &p->forged[i];
        if (name.len == f->len && memcmp(name.text, f->name.text, f->name.len) == 0 &&
            memcmp(name.text + f->name.len, f->suffix, f->len - f->name.len) == 0)
            return true;
    }
    return false;
}

/* Numbers and words; strings, too, where all are in the tree. */
static bool stays(const copier *c, const json_t *value)
{
    return !json_is_object(value) && !json_is_array(value) && !(json_is_string(value) && c->string);
}

/* What was made of a value whose like there is already: that one, or the copy that was begun. */
static json_t *ended(json_t *original, json_t *out, bool done)
{
    if (done && out == original)
        return json_incref(original);
    if (!done && out != original)
        json_decref(out);
    return done ? out : NULL;
}

/* Puts it into the copy, which is begun with the first that is another than before; owns it. */
static bool put_member(json_t *object, json_t **out, slice name, const json_t *before, json_t *made)
{
    if (made && made != before && *out == object)
        *out = json_copy(object);
    if (made && made != before && *out)
        return json_object_setn_new_nocheck(*out, name.text, name.len, made) == 0;
    json_decref(made);
    return made && *out;
}

static json_t *copy_object(const copier *c, json_t *object, const places *around, size_t depth)
{
    const char *text;
    size_t len;
    json_t *value;
    bool own = around->all || around->count > 0;
    json_t *out = own ? json_copy(object) : object;
    bool done = out != NULL;
    json_object_keylen_foreach(object, text, len, value)
    {
        slice name = {text, len};
        bool refused = is_forged(c->plan, name);
        if (!done || (!refused && stays(c, value)))
            continue;
        places at = refused ? *around : inside(c->plan, around, name);
        json_t *made = refused ? json_null() : copy(c, value, &at, depth);
        done = put_member(object, &out, name, value, made);
    }
    return ended(object, out, done);
}

static bool put_item(json_t *array, json_t **out, size_t i, const json_t *before, json_t *made)
{
    if (made && made != before && *out == array)
        *out = json_copy(array);
    if (made && made != before && *out)
        return json_array_set_new(*out, i, made) == 0;
    json_decref(made);
    return made && *out;
}

static json_t *copy_array(const copier *c, json_t *array, const places *around, size_t depth)
{
    size_t i;
    json_t *value, *out = array;
    bool done = true;
    places at = inside(c->plan, around, (slice){NULL, 0});
    json_array_foreach(array, i, value)
    {
        if (done && !stays(c, value))
            done = put_item(array, &out, i, value, copy(c, value, &at, depth));
    }
    return ended(array, out, done);
}

static json_t *copy_string(const copier *c, json_t *value)
{
    size_t len = 0;
    const char *text = c->string ? c->string(c->ctx, value, &len) : NULL;
    if (!c->string || text == json_string_value(value))
        return json_incref(value);
    return json_stringn_nocheck(text ? text : "", text ? len : 0);
}

static json_t *copy(const copier *c, const json_t *value, const places *at, size_t depth)
{
    json_t *shared = (json_t *)value; /* for a reference to it */
    if (depth > COPY_DEPTH)
        return NULL;
    switch (json_typeof(value)) {
    case JSON_OBJECT: return copy_object(c, shared, at, depth + 1);
    case JSON_ARRAY: return copy_array(c, shared, at, depth + 1);
    case JSON_STRING: return copy_string(c, shared);
    default: return json_incref(shared);
    }
}

json_t *copy_data(const copy_plan *p, const json_t *data,
                  const char *(*string)(void *ctx, const json_t *value, size_t *len), void *ctx)
{
    const copier c = {p, string, ctx};
    const places root = {.all = p->all, .count = 1, .at = {0}};
    return copy(&c, data, &root, 0);
}
