#include "dialect/sendgrid_own.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What it costs to sort a tag among others, for each personalization: in comparisons of a text. */
#define STEPS_OF_A_TAG 20

/* ---- the footer ---- */

/* Where the last "</body" begins; at the end, where there is none. */
static size_t body_end(const mime_bytes *html)
{
    static const char tag[] = "</body";
    for (size_t i = html->len; i-- > 0;) {
        if (html->data[i] == '<' && html->len - i >= sizeof tag - 1 &&
            strncasecmp(html->data + i, tag, sizeof tag - 1) == 0)
            return i;
    }
    return html->len;
}

static void add_footer(dialect_reader *r, int kind)
{
    sendgrid_mail *m = sendgrid_mail_of(r);
    mime_bytes text = {0}, footer = {0};
    buf whole = BUF_INIT;

    if (!m->content[kind] || !m->footer_parts[kind] ||
        !r->body->text(r->body->ctx, m->content[kind], &text) ||
        !r->body->text(r->body->ctx, m->footer_parts[kind], &footer))
        return;
    size_t at = kind == SENDGRID_HTML ? body_end(&text) : text.len;
    buf_add(&whole, text.data, at);
    buf_add(&whole, footer.data, footer.len);
    buf_add(&whole, text.data + at, text.len - at);
    json_t *made = buf_ok(&whole) ? json_stringn(whole.data, whole.len) : NULL;
    r->nomem = r->nomem || !made;
    m->made += whole.len;
    json_decref(m->content[kind]);
    m->content[kind] = made;
    buf_free(&whole);
}

void sendgrid_add_footers(dialect_reader *r)
{
    if (!sendgrid_mail_of(r)->footer)
        return;
    if (sendgrid_mail_of(r)->template_given) {
        faults_add(r->errors, "/mail_settings/footer", "unsupported",
                   "A template's texts can't have a footer put to them: write it into the "
                   "template.");
        return;
    }
    add_footer(r, SENDGRID_TEXT);
    add_footer(r, SENDGRID_HTML);
}

/* ---- substitutions ---- */

static size_t add_tags(const dialect_reader *r, const json_t *from, replace_kind kind,
                       replace_tag *list)
{
    const char *name;
    json_t *member;
    size_t n = 0;

    json_object_foreach((json_t *)from, name, member)
    {
        mime_bytes value = {"", 0};
        if (name[0] == '\0' ||
            (json_is_string(member) && !r->body->text(r->body->ctx, member, &value)))
            continue;
        list[n++] = (replace_tag){{name, strlen(name)}, value, kind};
    }
    return n;
}

/* Comparisons that putting a tag in order takes, or as good as. */
#define SORT_STEPS 16

typedef struct tags {
    replace_tag *list;
    size_t count;
    const char *pointer; /* of the personalization */
} tags;

static void tell_bound(dialect_reader *r, const char *pointer)
{
    faults_add(r->errors, pointer, "too_long",
               "The substitutions of this request make more text than one request may: send it in "
               "several.");
}

/* The value, replaced: a new reference; NULL: no memory, or (and a fault) it becomes too long. */
static json_t *replaced(dialect_reader *r, const tags *t, const json_t *value)
{
    mime_bytes text;
    buf out = BUF_INIT;
    json_t *made = NULL;

    if (!json_is_string(value) || !r->body->text(r->body->ctx, value, &text))
        return json_incref((json_t *)value);
    switch (replace_text(t->list, t->count, &text, &sendgrid_mail_of(r)->budget, &out)) {
    case REPLACE_SAME: made = json_incref((json_t *)value); break;
    case REPLACE_MADE:
        made = buf_ok(&out) ? json_stringn(out.data ? out.data : "", out.len) : NULL;
        r->nomem = r->nomem || !made;
        break;
    case REPLACE_BOUND: tell_bound(r, t->pointer); break;
    }
    buf_free(&out);
    return made;
}

static void replace_member(dialect_reader *r, const tags *t, json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    json_t *made = value ? replaced(r, t, value) : NULL;
    if (made && json_object_set_new(object, name, made) != 0)
        r->nomem = true;
}

static json_t *replaced_mailbox(dialect_reader *r, const tags *t, const json_t *mailbox)
{
    json_t *copy = dialect_copy(mailbox);
    replace_member(r, t, copy, "email");
    replace_member(r, t, copy, "name");
    return copy;
}

static void replace_reply_to(dialect_reader *r, const tags *t)
{
    const json_t *given = json_object_get(r->message, "reply_to");
    if (json_is_object(given))
        dialect_set(r, "reply_to", replaced_mailbox(r, t, given));
    if (!json_is_array(given))
        return;
    json_t *list = json_array();
    for (size_t i = 0; list && i < json_array_size(given); i++) {
        if (json_array_append_new(list, replaced_mailbox(r, t, json_array_get(given, i))) != 0)
            r->nomem = true;
    }
    dialect_set(r, "reply_to", list);
}

void sendgrid_replace(dialect_reader *r, const char *pointer)
{
    sendgrid_mail *m = sendgrid_mail_of(r);
    size_t most = json_object_size(m->own.substitutions) + json_object_size(m->sections);
    tags t = {.pointer = pointer};

    if (most == 0)
        return;
    if (m->budget.steps < most * STEPS_OF_A_TAG) {
        tell_bound(r, pointer);
        return;
    }
    m->budget.steps -= most * STEPS_OF_A_TAG;
    t.list = calloc(most, sizeof *t.list);
    if (!t.list) {
        r->nomem = true;
        return;
    }
    t.count = add_tags(r, m->own.substitutions, REPLACE_VALUE, t.list);
    t.count += add_tags(r, m->sections, REPLACE_SECTION, t.list + t.count);
    replace_sort(t.list, t.count);
    replace_member(r, &t, r->message, "subject");
    replace_member(r, &t, r->message, "text");
    replace_member(r, &t, r->message, "html");
    replace_reply_to(r, &t);
    free(t.list);
}
