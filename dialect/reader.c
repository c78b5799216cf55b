#include "dialect/reader.h"

#include <string.h>

#include "mime/address.h"
#include "mime/word.h"

void dialect_set(dialect_reader *r, const char *name, json_t *value)
{
    if (!value || json_object_set_new_nocheck(r->message, name, value) != 0)
        r->nomem = true;
}

void dialect_share(dialect_reader *r, const char *name, const json_t *value)
{
    dialect_set(r, name, json_incref((json_t *)value));
}

bool dialect_is_empty(const json_t *value)
{
    return json_is_string(value) && json_string_length(value) == 0;
}

bool dialect_share_unless_empty(dialect_reader *r, const char *name, const json_t *value)
{
    if (!dialect_is_empty(value))
        dialect_share(r, name, value);
    return true;
}

json_t *dialect_copy(const json_t *object)
{
    json_t *copy = json_copy((json_t *)object);
    if (copy && json_object_size(copy) == json_object_size(object))
        return copy;
    json_decref(copy);
    return NULL;
}

static int add_dump(const char *text, size_t len, void *ctx)
{
    buf *out = ctx;
    buf_add(out, text, len);
    return buf_ok(out) ? 0 : -1;
}

void dialect_dump(const json_t *value, buf *out)
{
    if (json_dump_callback(value, add_dump, out, JSON_COMPACT | JSON_ENCODE_ANY) != 0)
        out->failed = true;
}

void dialect_wrong_type(dialect_reader *r, const char *pointer, const char *expected,
                        const json_t *value)
{
    faults_wrong_type(r->errors, pointer, expected, value);
}

bool dialect_text(dialect_reader *r, const char *pointer, const json_t *value, mime_bytes *out)
{
    if (!json_is_string(value)) {
        dialect_wrong_type(r, pointer, "a string", value);
        return false;
    }
    if (!r->body->text(r->body->ctx, value, out)) {
        faults_add(r->errors, pointer, "wrong_type", "Must be text, not base64.");
        return false;
    }
    const char *nul = memchr(out->data, '\0', out->len);
    if (!nul)
        return true;
    faults_add_at(r->errors, pointer, "nul", (size_t)(nul - out->data),
                  "Must not hold a NUL character.");
    return false;
}

static void read_member(dialect_reader *r, const dialect_member *m, const char *pointer,
                        const json_t *value)
{
    switch (m->use) {
    case DIALECT_COPY: dialect_share(r, m->to, value); break;
    case DIALECT_READ: (void)m->read(r, pointer, value); break;
    case DIALECT_REFUSE:
        if (!json_is_false(value) && (!m->read || m->read(r, pointer, value)))
            faults_add(r->errors, pointer, "unsupported", "%s", m->note);
        break;
    case DIALECT_IGNORE:
    case DIALECT_ELSEWHERE: break;
    }
}

void dialect_read_members(dialect_reader *r, const dialect_member *table, const char *pointer,
                          const json_t *value)
{
    char at[FAULTS_POINTER_MAX];
    const char *name;
    json_t *member;

    if (!json_is_object(value)) {
        dialect_wrong_type(r, pointer, "an object", value);
        return;
    }
    json_object_foreach((json_t *)value, name, member)
    {
        const dialect_member *m = table;
        while (m->name && strcmp(m->name, name) != 0)
            m++;
        if (!m->name) {
            faults_unknown(r->errors, pointer, name);
        } else if (!json_is_null(member)) {
            faults_member(at, pointer, m->name);
            read_member(r, m, at, member);
        }
    }
}

void dialect_read_attachments(dialect_reader *r, const char *pointer, const json_t *value,
                              void (*read)(dialect_reader *r, const char *pointer,
                                           const json_t *item))
{
    char at[FAULTS_POINTER_MAX];
    json_t *draft = r->message, *list;

    if (!json_is_array(value)) {
        dialect_wrong_type(r, pointer, "an array", value);
        return;
    }
    if (json_array_size(value) > DIALECT_ATTACHMENTS) {
        faults_add(r->errors, pointer, "too_many", "At most %d attachments are allowed.",
                   DIALECT_ATTACHMENTS);
        return;
    }
    list = json_array();
    for (size_t i = 0; list && i < json_array_size(value); i++) {
        faults_item_pointer(at, pointer, i);
        r->message = json_object();
        if (r->message)
            read(r, at, json_array_get(value, i));
        if (!r->message || json_array_append_new(list, r->message) != 0)
            r->nomem = true;
    }
    r->message = draft;
    dialect_set(r, "attachments", list);
}

/* ---- lists of mailboxes ---- */

/* The end of what begins with that character: a quoted string, a comment, an angle address. */
static size_t skip(const char *s, size_t len, size_t at)
{
    char open = s[at], close = open == '(' ? ')' : open == '<' ? '>' : '"';
    unsigned depth = 1;

    while (++at < len && depth > 0) {
        if (s[at] == '\\' && open != '<')
            at++;
        else if (s[at] == close)
            depth--;
        else if (s[at] == '(' && open == '(')
            depth++;
    }
    return at < len ? at : len;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* "Name" <address>, with the name in quotes. */
static json_t *write_mailbox(const char *name, size_t len, const char *address)
{
    buf out = BUF_INIT;

    buf_addc(&out, '"');
    for (size_t i = 0; i < len; i++) {
        if (name[i] == '"' || name[i] == '\\')
            buf_addc(&out, '\\');
        buf_addc(&out, name[i]);
    }
    buf_addf(&out, "\" <%s>", address);
    json_t *made = buf_ok(&out) ? json_stringn(out.data, out.len) : NULL;
    buf_free(&out);
    return made;
}

json_t *dialect_mailbox(const char *s, size_t len)
{
    const char *reason = NULL;
    json_t *made = NULL;
    buf name = BUF_INIT;
    mime_mailbox m = {0};

    bool decoded = memmem(s, len, "=?", 2) && mime_mailbox_parse(s, len, &m, &reason) && m.name &&
                   mime_words_decode(m.name, strlen(m.name), &name);
    if (!buf_ok(&name))
        made = NULL;
    else if (decoded)
        made = write_mailbox(name.data ? name.data : "", name.len, m.address);
    else
        made = json_stringn(s, len);
    mime_mailbox_clear(&m);
    buf_free(&name);
    return made;
}

json_t *dialect_mailbox_of(dialect_reader *r, const json_t *value)
{
    mime_bytes text;

    if (!json_is_string(value) || !r->body->text(r->body->ctx, value, &text) ||
        !memmem(text.data, text.len, "=?", 2))
        return json_incref((json_t *)value);
    return dialect_mailbox(text.data, text.len);
}

/* Without blanks around it; nothing, where there is nothing. */
static bool add_mailbox(const char *s, size_t from, size_t to, json_t *list)
{
    while (from < to && is_blank(s[from]))
        from++;
    while (to > from && is_blank(s[to - 1]))
        to--;
    return from == to || json_array_append_new(list, dialect_mailbox(s + from, to - from)) == 0;
}

bool dialect_split_mailboxes(const mime_bytes *text, json_t *list)
{
    const char *s = text->data;
    size_t from = 0, at = 0;
    bool ok = true;

    while (at < text->len && ok) {
        if (s[at] == ',') {
            ok = add_mailbox(s, from, at, list);
            from = ++at;
        } else {
            at = s[at] == '"' || s[at] == '(' || s[at] == '<' ? skip(s, text->len, at) : at + 1;
        }
    }
    return ok && add_mailbox(s, from, text->len, list);
}
