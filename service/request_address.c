#include "service/request_own.h"

#include <stdlib.h>
#include <string.h>

static void address_fault(request_reader *r, const char *pointer, const char *reason)
{
    if (reason)
        faults_add(r->errors, pointer, "address", "Not a valid address: %s.", reason);
    else
        r->nomem = true;
}

/* {email, name} */
static bool read_mailbox_object(request_reader *r, const char *pointer, const json_t *value,
                                mime_mailbox *out)
{
    mime_bytes email = {0}, name = {0};
    const char *key;
    json_t *member;
    char at[FAULTS_POINTER_MAX];
    bool good = true;

    json_object_foreach((json_t *)value, key, member)
    {
        mime_bytes *to = strcmp(key, "email") == 0  ? &email
                         : strcmp(key, "name") == 0 ? &name
                                                    : NULL;
        if (!to) {
            faults_unknown(r->errors, pointer, key);
            good = false;
        } else if (!json_is_null(member)) {
            faults_member(at, pointer, key);
            good = request_string(r, at, member, to) && good;
        }
    }
    faults_member(at, pointer, "email");
    if (!email.data) {
        const json_t *given = json_object_get(value, "email");
        if (!given || json_is_null(given))
            faults_add(r->errors, at, "required", "An address object needs its email.");
        return false;
    }
    if (!good)
        return false;
    const char *reason = NULL;
    arena *memory = r->request->memory;
    if (!mime_mailbox_make_in(memory, email.data, email.len, NULL, 0, out, &reason)) {
        address_fault(r, at, reason);
        return false;
    }
    if (name.len == 0)
        return true;
    mime_mailbox_clear(out); /* the address is good: what is wrong now is the name */
    if (mime_mailbox_make_in(memory, email.data, email.len, name.data, name.len, out, &reason))
        return true;
    faults_member(at, pointer, "name");
    address_fault(r, at, reason);
    return false;
}

static bool read_mailbox(request_reader *r, const char *pointer, const json_t *value,
                         mime_mailbox *out)
{
    const char *reason = NULL;
    mime_bytes text;

    if (json_is_object(value))
        return read_mailbox_object(r, pointer, value, out);
    if (!json_is_string(value)) {
        request_wrong_type(r, pointer, "a string or an object {email, name}", value);
        return false;
    }
    if (!request_string(r, pointer, value, &text))
        return false;
    if (mime_mailbox_parse_in(r->request->memory, text.data, text.len, out, &reason))
        return true;
    address_fault(r, pointer, reason);
    return false;
}

/* One mailbox, or an array of them. */
static void read_mailboxes(request_reader *r, const char *pointer, const json_t *value,
                           request_mailboxes *out)
{
    size_t count = request_item_count(value);
    if (count > r->config->max_recipients) {
        faults_add(r->errors, pointer, "too_many_recipients", "At most %u addresses are allowed.",
                   r->config->max_recipients);
        return;
    }
    if (count == 0)
        return;
    out->list = arena_alloc(r->request->memory, count * sizeof *out->list);
    if (!out->list) {
        r->nomem = true;
        return;
    }
    if (!json_is_array(value)) {
        out->count = read_mailbox(r, pointer, value, &out->list[0]);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        char at[FAULTS_POINTER_MAX];
        faults_item_pointer(at, pointer, i);
        if (read_mailbox(r, at, json_array_get(value, i), &out->list[out->count]))
            out->count++;
    }
}

void request_read_from(request_reader *r, const char *pointer, const json_t *value)
{
    (void)read_mailbox(r, pointer, value, &r->parts->from);
}

void request_read_to(request_reader *r, const char *pointer, const json_t *value)
{
    read_mailboxes(r, pointer, value, &r->parts->to);
}

void request_read_cc(request_reader *r, const char *pointer, const json_t *value)
{
    read_mailboxes(r, pointer, value, &r->parts->cc);
}

void request_read_bcc(request_reader *r, const char *pointer, const json_t *value)
{
    read_mailboxes(r, pointer, value, &r->parts->bcc);
}

void request_read_reply_to(request_reader *r, const char *pointer, const json_t *value)
{
    read_mailboxes(r, pointer, value, &r->parts->reply_to);
}

void request_read_envelope_from(request_reader *r, const char *pointer, const json_t *value)
{
    mime_bytes text;
    const char *reason = NULL;
    if (!request_string(r, pointer, value, &text))
        return;
    if (text.len == 0)
        r->parts->null_envelope_from = true;
    else if (!mime_mailbox_make_in(r->request->memory, text.data, text.len, NULL, 0,
                                   &r->parts->envelope_from, &reason))
        address_fault(r, pointer, reason);
}

void request_mailboxes_free(const arena *memory, request_mailboxes *m)
{
    for (size_t i = 0; i < m->count; i++)
        mime_mailbox_clear(&m->list[i]);
    arena_free(memory, m->list);
}
