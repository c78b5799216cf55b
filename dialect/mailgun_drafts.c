/*
 * Mailgun's drafts. Where there are recipient-variables, each recipient has a copy of the message
 * that names him alone in To; cc and bcc go with each copy. In subject, texts, headers, variables
 * and data
 *
 *     %recipient.NAME%     is what the variables have for him; nothing there is a fault
 *     %recipient%          is he, as `to` has him; %recipient_email%, %recipient_name%
 *     %recipient_fname%    is the first word of his name, %recipient_lname% the last
 *
 * What has none of them is shared by all copies.
 */
#include <stdlib.h>
#include <string.h>

#include "dialect/mailgun_own.h"
#include "mime/address.h"

#define MARK  "%recipient"
#define NAME  128                /* octets of a variable's name */
#define MADE  ((size_t)64 << 20) /* octets of all that is made of one request */
#define LOOK  (2 * MADE)         /* … that is gone through, which may make nothing */
#define NODE  80                 /* octets of a member or item of a copy, beside its text */
#define LEAVE "unsubscribe_url%"

/* What all copies are made of. */
typedef struct source {
    mailgun_reader *m;
    json_t *same, *marked; /* members of the draft: that all share, and that have a mark; owned */
    json_t *variables;     /* recipient-variables by addresses in lower case; owned */
    json_t *seen;          /* whom there is a draft for; owned */
} source;

/* Whom a copy is for. */
typedef struct copy {
    const source *from;
    mailgun_reader *m;
    faults *errors;
    mime_mailbox who;
    mime_bytes as_written;
    const json_t *variables; /* NULL: none */
    size_t *made;
} copy;

/* ---- values ---- */

/* NULL: no memory. The caller's. */
static char *lower_case(const char *address)
{
    char *lower = strdup(address);
    for (char *c = lower; c && *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c | 0x20 : *c);
    return lower;
}

/* In any case, as addresses mostly mean the same then; of several the first. NULL: no memory. */
static json_t *index_variables(const json_t *recipients)
{
    json_t *index = json_object(), *value;
    const char *name;
    bool ok = index != NULL;

    json_object_foreach((json_t *)recipients, name, value)
    {
        char *lower = ok ? lower_case(name) : NULL;
        ok = lower &&
             (json_object_get(index, lower) || json_object_set_nocheck(index, lower, value) == 0);
        free(lower);
    }
    if (ok)
        return index;
    json_decref(index);
    return NULL;
}

/* As the address is written, or in another case. False: no memory. */
static bool find_variables(copy *c)
{
    c->variables = json_object_get(c->m->recipients, c->who.address);
    if (c->variables)
        return true;
    char *lower = lower_case(c->who.address);
    if (lower)
        c->variables = json_object_get(c->from->variables, lower);
    free(lower);
    return lower != NULL;
}

static void add_value(const json_t *value, buf *out)
{
    if (json_is_string(value))
        buf_add(out, json_string_value(value), json_string_length(value));
    else
        dialect_dump(value, out);
}

static void add_word(const char *name, bool last, buf *out)
{
    const char *blank = !name ? NULL : last ? strrchr(name, ' ') : strchr(name, ' ');

    if (!name || (last && !blank))
        return;
    if (last)
        buf_adds(out, blank + 1);
    else
        buf_add(out, name, blank ? (size_t)(blank - name) : strlen(name));
}

static bool is_name(const mime_bytes *name, const char *wanted)
{
    return name->len == strlen(wanted) && memcmp(name->data, wanted, name->len) == 0;
}

static void tell_missing(const copy *c, const char *pointer, const char *key)
{
    char at[FAULTS_POINTER_MAX];
    mailgun_origin(c->m->reader.body, pointer, at);
    faults_add(c->errors, at, "variable", "recipient-variables have no \"%s\" for %s.", key,
               c->who.address);
}

/* What stands between MARK and "%"; false: it means nothing. */
static bool add_named(const copy *c, const char *pointer, const mime_bytes *name, buf *out)
{
    char key[NAME + 1];

    if (name->len == 0)
        buf_add(out, c->as_written.data, c->as_written.len);
    else if (is_name(name, "_email"))
        buf_adds(out, c->who.address);
    else if (is_name(name, "_name"))
        buf_adds(out, c->who.name ? c->who.name : "");
    else if (is_name(name, "_fname") || is_name(name, "_lname"))
        add_word(c->who.name, name->data[1] == 'l', out);
    else if (name->data[0] != '.' || name->len == 1 || name->len > NAME)
        return false;
    else {
        memcpy(key, name->data + 1, name->len - 1);
        key[name->len - 1] = '\0';
        const json_t *value = json_object_get(c->variables, key);
        if (value)
            add_value(value, out);
        else
            tell_missing(c, pointer, key);
    }
    return true;
}

/* Where a name ends; NULL: nowhere near. */
static const char *find_close(const char *s, const char *end)
{
    for (; s < end && *s != '%' && *s != '\n' && *s != ' '; s++)
        ;
    return s < end && *s == '%' ? s : NULL;
}

static void expand(const copy *c, const char *pointer, const mime_bytes *text, buf *out)
{
    const char *s = text->data, *end = s + text->len;

    while (s < end) {
        const char *mark = memmem(s, (size_t)(end - s), MARK, strlen(MARK));
        if (!mark)
            break;
        buf_add(out, s, (size_t)(mark - s));
        const char *from = mark + strlen(MARK), *close = find_close(from, end);
        mime_bytes name = {from, close ? (size_t)(close - from) : 0};
        if (close && add_named(c, pointer, &name, out)) {
            s = close + 1;
        } else {
            buf_adds(out, MARK);
            s = from;
        }
        if (out->len > MADE) /* told by who counts */
            return;
    }
    buf_add(out, s, (size_t)(end - s));
}

/* ---- the copy ---- */

static json_t *copy_text(copy *c, const char *pointer, json_t *value)
{
    dialect_reader *r = &c->m->reader;
    mime_bytes text;
    buf made = BUF_INIT;

    if (!r->body->text(r->body->ctx, value, &text) ||
        !memmem(text.data, text.len, MARK, strlen(MARK)))
        return json_incref(value);
    expand(c, pointer, &text, &made);
    c->m->looked += text.len;
    *c->made += made.len;
    json_t *out = buf_ok(&made) ? json_stringn_nocheck(made.data ? made.data : "", made.len) : NULL;
    buf_free(&made);
    return out;
}

/* A new reference; NULL: no memory. */
static json_t *copy_value(copy *c, const char *pointer, json_t *value)
{
    const char *name;
    json_t *member;
    size_t i;
    bool ok = true;

    if (json_is_string(value))
        return copy_text(c, pointer, value);
    *c->made += NODE * (json_object_size(value) + json_array_size(value));
    if ((!json_is_object(value) && !json_is_array(value)) || *c->made > MADE)
        return json_incref(value);
    json_t *out = json_is_object(value) ? json_object() : json_array();
    json_object_foreach(value, name, member)
    {
        char at[FAULTS_POINTER_MAX];
        faults_pointer(at, pointer, name);
        ok = ok && json_object_set_new_nocheck(out, name, copy_value(c, at, member)) == 0;
    }
    json_array_foreach(value, i, member)
    {
        char at[FAULTS_POINTER_MAX];
        faults_item_pointer(at, pointer, i);
        ok = ok && json_array_append_new(out, copy_value(c, at, member)) == 0;
    }
    if (ok)
        return out;
    json_decref(out);
    return NULL;
}

static bool has_mark(mailgun_reader *m, const json_t *value)
{
    dialect_reader *r = &m->reader;
    const char *name;
    json_t *member;
    mime_bytes text;
    size_t i;

    if (json_is_string(value))
        return r->body->text(r->body->ctx, value, &text) &&
               memmem(text.data, text.len, MARK, strlen(MARK));
    json_object_foreach((json_t *)value, name, member)
    {
        if (has_mark(m, member))
            return true;
    }
    json_array_foreach(value, i, member)
    {
        if (has_mark(m, member))
            return true;
    }
    return false;
}

/* Members in which nothing is replaced. */
static bool is_same(const char *name)
{
    static const char *const same[] = {"from", "cc",       "bcc",     "attachments",
                                       "tags", "template", "send_at", "mime"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        if (strcmp(name, same[i]) == 0)
            return true;
    }
    return false;
}

static json_t *copy_message(copy *c, json_t *to)
{
    json_t *out = dialect_copy(c->from->same), *value, *list = json_pack("[O]", to);
    const char *name;
    bool ok = out && list && json_object_set(out, "to", list) == 0;

    json_object_foreach(c->from->marked, name, value)
    {
        char pointer[FAULTS_POINTER_MAX];
        faults_member(pointer, "", name);
        ok = ok && json_object_set_new(out, name, copy_value(c, pointer, value)) == 0;
    }
    json_decref(list);
    if (ok)
        return out;
    json_decref(out);
    return NULL;
}

/* Fills the draft. */
static bool make_draft(copy *c, json_t *to, dialect_draft *draft)
{
    c->errors = &draft->errors;
    if (!find_variables(c))
        return false;
    json_t *message = copy_message(c, to);
    if (draft->errors.total == 0) {
        draft->message = message;
        return message != NULL;
    }
    json_decref(message);
    return true;
}

/* The next draft, unless there is one for the address: nobody has two. */
static bool make_copy(const source *from, json_t *to, dialect_plan *plan)
{
    copy c = {.from = from, .m = from->m, .made = &plan->made};
    const char *reason = NULL;
    bool ok = true;

    c.as_written = (mime_bytes){json_string_value(to), json_string_length(to)};
    if (!mime_mailbox_parse(c.as_written.data, c.as_written.len, &c.who, &reason)) {
        if (reason)
            faults_add(&plan->errors, "/to", "address", "Not a valid address: %s.", reason);
        return reason != NULL;
    }
    if (!json_object_get(from->seen, c.who.address))
        ok = json_object_set_new_nocheck(from->seen, c.who.address, json_true()) == 0 &&
             make_draft(&c, to, &plan->drafts[plan->count++]);
    mime_mailbox_clear(&c.who);
    return ok;
}

/* ---- all ---- */

/* A link that would lead nowhere. */
static void check_leave(mailgun_reader *m)
{
    static const char *const names[] = {"text", "html"};
    dialect_reader *r = &m->reader;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const json_t *value = json_object_get(r->message, names[i]);
        char pointer[FAULTS_POINTER_MAX];
        mime_bytes text;
        faults_member(pointer, "", names[i]);
        if (value && r->body->text(r->body->ctx, value, &text) &&
            memmem(text.data, text.len, LEAVE, strlen(LEAVE)))
            faults_add(r->errors, pointer, "unsupported", "%s",
                       "%unsubscribe_url% is not made here: name a link of your own.");
    }
}

static void drop_drafts(dialect_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        json_decref(plan->drafts[i].message);
        faults_free(&plan->drafts[i].errors);
    }
    plan->count = 0;
}

/* False: no memory. */
static bool source_begin(source *from, mailgun_reader *m)
{
    const char *name;
    json_t *value;

    *from = (source){.m = m,
                     .same = json_object(),
                     .marked = json_object(),
                     .variables = index_variables(m->recipients),
                     .seen = json_object()};
    bool ok = from->same && from->marked && from->variables && from->seen;
    json_object_foreach(m->reader.message, name, value)
    {
        json_t *to = is_same(name) || !has_mark(m, value) ? from->same : from->marked;
        if (strcmp(name, "to") != 0)
            ok = ok && json_object_set(to, name, value) == 0;
    }
    return ok;
}

static void source_end(source *from)
{
    json_decref(from->same);
    json_decref(from->marked);
    json_decref(from->variables);
    json_decref(from->seen);
}

static bool is_too_much(const mailgun_reader *m, const dialect_plan *plan)
{
    return plan->made > MADE || m->looked > LOOK;
}

static bool make_copies(mailgun_reader *m, dialect_plan *plan)
{
    json_t *to = json_object_get(m->reader.message, "to"), *one;
    source from;
    bool ok = source_begin(&from, m) && dialect_plan_begin(plan, json_array_size(to));
    size_t i;

    plan->count = 0;
    json_array_foreach(to, i, one)
    {
        ok = ok && (is_too_much(m, plan) || make_copy(&from, one, plan));
    }
    source_end(&from);
    if (!is_too_much(m, plan) && plan->errors.total == 0)
        return ok;
    drop_drafts(plan);
    if (is_too_much(m, plan))
        faults_add(&plan->errors, "/recipient-variables", "too_large",
                   "What they make of this request has more than %zu MiB; send to fewer at a time.",
                   MADE >> 20);
    return ok;
}

void mailgun_drafts(mailgun_reader *m, dialect_plan *plan)
{
    check_leave(m);
    if (plan->errors.total > 0)
        return;
    if (m->recipients)
        m->reader.nomem = !make_copies(m, plan);
    else if (dialect_plan_begin(plan, 1))
        plan->drafts[0].message = json_incref(m->reader.message);
}
