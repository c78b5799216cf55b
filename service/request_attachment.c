#include "service/request_own.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "mime/base64.h"
#include "mime/type.h"

/* Bounds that keep a request of tiny members from growing into gigabytes of structures. */
#define ATTACHMENTS_MAX 1000
#define FILENAME_MAX_   1024
#define CONTENT_ID_MAX  200

typedef struct attachment_reader {
    request_reader *reader;
    mime_attachment *out;
    document_string found; /* the member at hand */
    bool disposition_given;
} attachment_reader;

static void read_filename(attachment_reader *a, const char *pointer, const mime_bytes *text)
{
    const char *reason = text->len == 0              ? "it is empty"
                         : text->len > FILENAME_MAX_ ? "it is longer than 1024 bytes"
                                                     : NULL;
    for (size_t i = 0; !reason && i < text->len; i++) {
        unsigned char c = (unsigned char)text->data[i];
        if (c < 0x20 || c == 0x7F)
            reason = "it holds a control character";
    }
    if (reason)
        faults_add(a->reader->errors, pointer, "filename", "Not a valid file name: %s.", reason);
    else
        a->out->filename = *text;
}

static void read_content_type(attachment_reader *a, const char *pointer, const mime_bytes *text)
{
    const char *reason = mime_type_check(text->data, text->len);
    if (reason)
        faults_add(a->reader->errors, pointer, "content_type", "Not a valid content type: %s.",
                   reason);
    else
        a->out->content_type = *text;
}

static void base64_fault(attachment_reader *a, const char *pointer, const mime_base64_info *info)
{
    buf detail = BUF_INIT;
    buf_adds(&detail, "Not valid base64: ");
    buf_adds(&detail, info->fault);
    buf_addf(&detail, " (at byte %zu", info->fault_offset);
    if (a->out->filename.data) {
        buf_adds(&detail, " of ");
        buf_add(&detail, a->out->filename.data, a->out->filename.len);
    }
    buf_adds(&detail, ").");
    const char *sentence = buf_cstr(&detail);
    if (sentence)
        faults_add_at(a->reader->errors, pointer, "base64", info->fault_offset, sentence);
    else
        a->reader->nomem = true;
    buf_free(&detail);
}

/* A long one was checked as it came, and is stored as it will go out. */
static void read_content(attachment_reader *a, const char *pointer, const mime_bytes *text)
{
    if (a->found.is_base64) {
        a->out->info = a->found.info;
        a->out->stored = a->found.wrapped;
    } else if (mime_base64_check(text->data, text->len, &a->out->info)) {
        a->out->base64 = *text;
    }
    if (a->out->info.fault)
        base64_fault(a, pointer, &a->out->info);
}

static void read_disposition(attachment_reader *a, const char *pointer, const mime_bytes *text)
{
    a->disposition_given = true;
    a->out->is_inline = strcmp(text->data, "inline") == 0;
    if (!a->out->is_inline && strcmp(text->data, "attachment") != 0)
        faults_add(a->reader->errors, pointer, "disposition",
                   "A disposition is \"attachment\" or \"inline\".");
}

static void read_content_id(attachment_reader *a, const char *pointer, const mime_bytes *text)
{
    mime_bytes id = *text;
    if (id.len >= 2 && id.data[0] == '<' && id.data[id.len - 1] == '>')
        id = (mime_bytes){id.data + 1, id.len - 2};
    const char *reason = id.len == 0               ? "it is empty"
                         : id.len > CONTENT_ID_MAX ? "it is longer than 200 bytes"
                                                   : NULL;
    for (size_t i = 0; !reason && i < id.len; i++) {
        unsigned char c = (unsigned char)id.data[i];
        if (c <= 0x20 || c >= 0x7F || strchr("<>\"()\\,;:[]", c))
            reason = "it holds a character that has no place in it";
    }
    if (reason)
        faults_add(a->reader->errors, pointer, "content_id", "Not a valid content id: %s.", reason);
    else
        a->out->content_id = id;
}

/* In this order, so that a fault of the content can name the file. */
static const struct {
    const char *name;
    void (*read)(attachment_reader *a, const char *pointer, const mime_bytes *text);
} attachment_members[] = {
    {"filename", read_filename},       {"content_type", read_content_type},
    {"disposition", read_disposition}, {"content_id", read_content_id},
    {"content", read_content},
};

#define ATTACHMENT_MEMBERS (sizeof attachment_members / sizeof *attachment_members)

static bool is_attachment_member(const char *name)
{
    for (size_t i = 0; i < ATTACHMENT_MEMBERS; i++) {
        if (strcmp(name, attachment_members[i].name) == 0)
            return true;
    }
    return false;
}

static void read_attachment(request_reader *r, const char *pointer, const json_t *value,
                            mime_attachment *out)
{
    attachment_reader a = {.reader = r, .out = out};
    char at[FAULTS_POINTER_MAX];
    const char *key;
    json_t *member;

    if (!json_is_object(value)) {
        request_wrong_type(r, pointer, "an object", value);
        return;
    }
    json_object_foreach((json_t *)value, key, member)
    {
        if (!is_attachment_member(key))
            faults_unknown(r->errors, pointer, key);
    }
    for (size_t i = 0; i < ATTACHMENT_MEMBERS; i++) {
        member = json_object_get(value, attachment_members[i].name);
        if (!member || json_is_null(member))
            continue;
        faults_member(at, pointer, attachment_members[i].name);
        if (request_find_string(r, at, member, &a.found))
            attachment_members[i].read(&a, at, &a.found.text);
    }
    faults_member(at, pointer, "content");
    member = json_object_get(value, "content");
    if (!member || json_is_null(member))
        faults_add(r->errors, at, "required", "An attachment needs its content, as base64.");
    if (!a.disposition_given)
        out->is_inline = out->content_id.data != NULL;
}

/* Two parts with one Content-ID: a cid: link could mean either. */
static void check_content_ids(request_reader *r)
{
    for (size_t i = 1; i < r->parts->attachment_count; i++) {
        const mime_bytes *a = &r->parts->attachments[i].content_id;
        for (size_t k = 0; a->data && k < i; k++) {
            const mime_bytes *b = &r->parts->attachments[k].content_id;
            if (!b->data || a->len != b->len || memcmp(a->data, b->data, a->len) != 0)
                continue;
            char pointer[FAULTS_POINTER_MAX];
            (void)snprintf(pointer, sizeof pointer, "/attachments/%zu/content_id", i);
            faults_add(r->errors, pointer, "content_id", "Attachment %zu has the same content id.",
                       k);
            break;
        }
    }
}

void request_read_attachments(request_reader *r, const char *pointer, const json_t *value)
{
    if (!json_is_array(value)) {
        request_wrong_type(r, pointer, "an array", value);
        return;
    }
    size_t count = json_array_size(value);
    if (count > ATTACHMENTS_MAX) {
        faults_add(r->errors, pointer, "too_many", "At most %d attachments are allowed.",
                   ATTACHMENTS_MAX);
        return;
    }
    if (count == 0)
        return;
    r->parts->attachments = calloc(count, sizeof *r->parts->attachments);
    if (!r->parts->attachments) {
        r->nomem = true;
        return;
    }
    r->parts->attachment_count = count;
    for (size_t i = 0; i < count; i++) {
        char at[FAULTS_POINTER_MAX];
        faults_item_pointer(at, pointer, i);
        read_attachment(r, at, json_array_get(value, i), &r->parts->attachments[i]);
    }
    check_content_ids(r);
}
