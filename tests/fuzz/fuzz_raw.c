/* Any bytes as a message that comes whole: a fault is told, or what would be sent keeps the
 * promises of the wire, is the same however it is read, and becomes itself again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "mime/raw.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static bool read_text(void *ctx, uint64_t at, char *out, size_t len)
{
    const mime_bytes *text = ctx;
    require(at <= text->len && len <= text->len - at);
    memcpy(out, text->data + at, len);
    return true;
}

static buf read_message(const mime_message *m, size_t piece)
{
    mime_reader *r = mime_reader_create(m);
    buf out = BUF_INIT;
    size_t n;

    require(r != NULL);
    while (buf_reserve(&out, piece) && (n = mime_reader_read(r, out.data + out.len, piece)) > 0)
        out.len += n;
    mime_reader_free(r);
    require(out.len == mime_message_size(m));
    return out;
}

/* CRLF only, no line over 998, no NUL, 8-bit only where it is told. */
static void check_wire(const mime_message *m, const buf *text)
{
    size_t column = 0;
    char last = '\0';

    for (size_t i = 0; i < text->len; i++) {
        char c = text->data[i];
        require(c != '\0');
        require(mime_message_eight_bit(m) || (unsigned char)c < 0x80);
        require((c == '\n') == (last == '\r'));
        column = c == '\n' || c == '\r' ? 0 : column + 1;
        require(column <= RAW_LINE);
        last = c;
    }
    require(last == '\n');
    require(!mime_message_eight_bit(m) || mime_message_utf8(m) ||
            memmem(text->data, text->len, "\r\n\r\n", 4));
}

/* NULL: refused. */
static mime_message *take(const mime_stored *source, mime_raw *raw)
{
    char fault[RAW_FAULT];

    *raw = (mime_raw){0};
    if (mime_raw_read(source, raw, fault)) {
        mime_message *m = mime_raw_message(raw, 1790000000, "01KQXW3V9M4T5Y8ZC2B7D6F1GH");
        require(m && raw->from.address && strchr(raw->from.address, '@'));
        require(*mime_message_id(m) == '<');
        return m;
    }
    require(fault[0] != '\0');
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    mime_bytes text = {(const char *)data + 1, size - 1};
    const mime_stored elsewhere = {.read = read_text, .ctx = &text, .len = text.len};
    mime_raw raw, again;
    mime_message *m = take(&elsewhere, &raw);

    if (m) {
        buf sent = read_message(m, 4096), small = read_message(m, data[0] ? data[0] : 1);
        require(sent.len == small.len && memcmp(sent.data, small.data, sent.len) == 0);
        check_wire(m, &sent);
        const mime_stored result = {.data = sent.data, .len = sent.len};
        mime_message *twin = take(&result, &again);
        require(twin && strcmp(mime_message_id(twin), mime_message_id(m)) == 0);
        buf same = read_message(twin, 4096);
        require(same.len == sent.len && memcmp(same.data, sent.data, sent.len) == 0);
        mime_message_free(twin);
        mime_raw_clear(&again);
        buf_free(&same);
        buf_free(&sent);
        buf_free(&small);
    }
    mime_message_free(m);
    mime_raw_clear(&raw);
    return 0;
}
