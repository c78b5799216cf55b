/* Any bytes as the body of a form: the same comes of them wherever they are cut, in memory and in a
 * file; what comes is an object of arrays of texts and files, whose base64 is right. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "service/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void add_stored(buf *out, const document_string *s)
{
    size_t len = (size_t)s->wrapped.len, start = out->len;
    mime_base64_info info;

    require(s->wrapped.len == s->info.wrapped);
    require(buf_reserve(out, len));
    if (s->wrapped.data)
        memcpy(out->data + start, s->wrapped.data, len);
    else
        require(s->wrapped.read(s->wrapped.ctx, 0, out->data + start, len));
    out->len += len;
    require(mime_base64_check(len ? out->data + start : "", len, &info));
    require(info.octets == s->info.octets && info.wrapped == len);
}

static void add_string(document *d, const json_t *string, buf *out)
{
    document_string found;

    buf_addc(out, '"');
    if (!document_lifted(d, string, &found)) {
        require(!memchr(json_string_value(string), '\0', json_string_length(string)));
        buf_add(out, json_string_value(string), json_string_length(string));
    } else if (found.is_base64) {
        add_stored(out, &found);
    } else {
        require(!found.has_nul && utf8_valid(found.text.data, found.text.len));
        require(found.text.data[found.text.len] == '\0');
        buf_add(out, found.text.data, found.text.len);
    }
}

static void add_value(document *d, const json_t *value, buf *out)
{
    if (json_is_string(value)) {
        add_string(d, value, out);
        return;
    }
    require(json_is_object(value));
    require(json_is_string(json_object_get(value, "filename")));
    add_string(d, json_object_get(value, "filename"), out);
    if (json_object_get(value, "content_type"))
        add_string(d, json_object_get(value, "content_type"), out);
    add_string(d, json_object_get(value, "content"), out);
}

/* What came, as bytes that can be compared. */
static buf take(const document_options *options, const char *type, const char *data, size_t size,
                size_t piece)
{
    const char *reason, *name;
    document_result result;
    buf out = BUF_INIT, detail = BUF_INIT;
    json_t *list, *value;
    size_t i;
    form_reader *f = form_create(options, type, &reason);

    require(f && !reason);
    for (size_t at = 0; at < size; at += piece) {
        size_t n = size - at < piece ? size - at : piece;
        char *copy = malloc(n);
        require(copy != NULL);
        memcpy(copy, data + at, n);
        form_add(f, copy, n);
        free(copy);
    }
    document *d = form_finish(f, &result, &detail);
    require((d != NULL) == (result == DOCUMENT_OK));
    require(d || detail.len > 0);
    buf_add(&out, detail.data ? detail.data : "", detail.len);
    json_object_foreach(d ? document_root(d) : NULL, name, list)
    {
        buf_adds(&out, name);
        require(json_array_size(list) > 0);
        json_array_foreach(list, i, value) add_value(d, value, &out);
    }
    document_free(d);
    form_free(f);
    buf_free(&detail);
    require(buf_ok(&out));
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static store *files; /* made once: a fuzz target has no end to free it at */
    if (size < 2)
        return 0;
    if (!files)
        files = store_create("/tmp", (size_t)64 * 1024 * 1024);
    require(files != NULL);
    const char *type =
        data[0] & 1 ? "application/x-www-form-urlencoded" : "multipart/form-data; boundary=b";
    const document_options memory = {.lift_at = 512, .rest = 20000};
    const document_options file = {
        .store = files, .lift_at = data[0] & 2 ? 10 : 512, .share = 0, .rest = 20000};
    const char *body = (const char *)data + 2;
    buf whole = take(&memory, type, body, size - 2, size);
    buf cut = take(data[0] & 2 ? &memory : &file, type, body, size - 2, data[1] ? data[1] : 1);
    require(whole.len == cut.len && (whole.len == 0 || memcmp(whole.data, cut.data, cut.len) == 0));
    buf_free(&cut);
    cut = take(&file, type, body, size - 2, 1);
    buf_free(&cut);
    buf_free(&whole);
    require(store_used(files) == 0);
    return 0;
}
