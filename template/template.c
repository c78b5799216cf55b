#include "template/template.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "template/program.h"

#define FIRST_SLOTS 64 /* a power of two, as all its sizes are */

/* A hash table, open addressing, never more than half full. The slots stay where they are. */
struct template_set {
    template_slot **slots;
    size_t size, count;
};

bool template_fault_set(template_fault *fault, const char *source, size_t at, const char *format,
                        ...)
{
    va_list args;
    *fault = (template_fault){0};
    if (source) {
        fault->line = fault->column = 1;
        for (size_t i = 0; i < at; i++) {
            if (source[i] == '\n') {
                fault->line++;
                fault->column = 1;
            } else if (((unsigned char)source[i] & 0xC0) != 0x80)
                fault->column++;
        }
    }
    va_start(args, format);
    (void)vsnprintf(fault->text, sizeof fault->text, format, args);
    va_end(args);
    return false;
}

template_set *template_set_create(void)
{
    template_set *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->size = FIRST_SLOTS;
    s->slots = calloc(s->size, sizeof(template_slot *));
    if (!s->slots) {
        free(s);
        return NULL;
    }
    return s;
}

void template_set_free(template_set *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->size; i++) {
        if (s->slots[i])
            template_unit_free(s->slots[i]->unit);
        free(s->slots[i]);
    }
    free((void *)s->slots);
    free(s);
}

static size_t hash(const char *name, size_t len)
{
    uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)name[i]) * UINT64_C(1099511628211);
    return (size_t)(h ^ h >> 32);
}

/* Where the name is in the table, or would be. */
static template_slot **place(template_slot **slots, size_t size, const char *name, size_t len)
{
    size_t i = hash(name, len) & (size - 1);
    while (slots[i] && (slots[i]->len != len || memcmp(slots[i]->name, name, len) != 0))
        i = (i + 1) & (size - 1);
    return &slots[i];
}

static bool grow(template_set *s)
{
    size_t size = 2 * s->size;
    template_slot **slots = calloc(size, sizeof(template_slot *));
    if (!slots)
        return false;
    for (size_t i = 0; i < s->size; i++) {
        template_slot *slot = s->slots[i];
        if (slot)
            *place(slots, size, slot->name, slot->len) = slot;
    }
    free((void *)s->slots);
    s->slots = slots;
    s->size = size;
    return true;
}

template_slot *template_set_slot(template_set *s, const char *name, size_t len)
{
    template_slot **at = place(s->slots, s->size, name, len);
    if (*at)
        return *at;
    if (2 * (s->count + 1) > s->size) {
        if (!grow(s))
            return NULL;
        at = place(s->slots, s->size, name, len);
    }
    template_slot *slot = malloc(sizeof *slot + len + 1);
    if (!slot)
        return NULL;
    slot->unit = NULL;
    slot->len = len;
    memcpy(slot->name, name, len);
    slot->name[len] = '\0';
    s->count++;
    return *at = slot;
}

const template_unit *template_set_lookup(const template_set *s, const char *name, size_t len)
{
    const template_slot *slot = *place(s->slots, s->size, name, len);
    return slot ? slot->unit : NULL;
}

const template_unit *template_set_find(const template_set *s, const char *name)
{
    return template_set_lookup(s, name, strlen(name));
}

bool template_set_add(template_set *s, const char *name, template_kind kind, const char *source,
                      size_t len, template_fault *fault)
{
    size_t name_len = strlen(name);
    if (name_len == 0 || name_len > TEMPLATE_NAME_MAX)
        return template_fault_set(fault, NULL, 0, "a template's name has 1 to %d octets",
                                  TEMPLATE_NAME_MAX);
    template_slot *slot = template_set_slot(s, name, name_len);
    if (!slot)
        return template_fault_set(fault, NULL, 0, "there is no memory");
    if (slot->unit)
        return template_fault_set(fault, NULL, 0, "there is a template of this name already");
    slot->unit = template_compile(s, slot, kind, source, len, fault);
    return slot->unit != NULL;
}

const char *template_missing(const template_unit *t)
{
    for (size_t i = 0; i < t->op_count; i++)
        if (t->ops[i].target && !t->ops[i].target->unit)
            return t->ops[i].target->name;
    return NULL;
}
