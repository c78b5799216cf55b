/* Any texts as subject, header, file name, text and HTML: the message keeps the promises of the
 * wire. The input is cut at NULs into these members. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mime/header.h"
#include "mime/message.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

static mime_bytes next(const uint8_t **data, size_t *size)
{
    const uint8_t *start = *data, *end = *size ? memchr(start, 0, *size) : NULL;
    size_t len = end ? (size_t)(end - start) : *size;
    *data += len + (end != NULL);
    *size -= len + (end != NULL);
    return (mime_bytes){(const char *)start, len};
}

static bool fits(const char *name, const mime_bytes *value)
{
    return mime_header_check_value(name, value->data, value->len) == NULL;
}

static void check(const mime_message *m, size_t cap)
{
    mime_reader *a = mime_reader_create(m), *b = mime_reader_create(m);
    size_t size = (size_t)mime_message_size(m), at = 0, n, column = 0;
    char *whole = malloc(size + 1), piece[128];
    require(a && b && whole && mime_reader_read(a, whole, size + 1) == size);
    while ((n = mime_reader_read(b, piece, cap)) > 0) {
        require(n <= size - at && memcmp(piece, whole + at, n) == 0);
        at += n;
    }
    require(at == size && size > 2 && memcmp(whole + size - 2, "\r\n", 2) == 0);
    for (size_t i = 0; i < size; i++) {
        require(whole[i] != '\0' && (unsigned char)whole[i] < 0x80);
        require((whole[i] == '\n') == (i > 0 && whole[i - 1] == '\r'));
        column = whole[i] == '\n' ? 0 : column + 1;
        require(column <= 999);
    }
    free(whole);
    mime_reader_free(a);
    mime_reader_free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t cap = size ? 1 + data[0] % 120 : 1;
    mime_bytes subject = next(&data, &size), value = next(&data, &size),
               filename = next(&data, &size);
    mime_bytes text = next(&data, &size), html = next(&data, &size);
    mime_mailbox from;
    const char *reason;
    mime_attachment file = {
        .filename = filename, .base64 = {"QUJD", 4}, .is_inline = cap % 2, .content_id = {"c", 1}};
    mime_header header = {{"X-Fuzz", 6}, value};

    if (!fits("Subject", &subject) || !fits("X-Fuzz", &value) || !fits("X-Fuzz", &filename) ||
        filename.len == 0)
        return 0;
    require(mime_base64_check("QUJD", 4, &file.info));
    require(mime_mailbox_parse("a@b.c", 5, &from, &reason));
    mime_draft d = {.from = &from,
                    .subject = subject,
                    .text = text.len || html.len == 0 ? text : (mime_bytes){NULL, 0},
                    .html = html.len ? html : (mime_bytes){NULL, 0},
                    .attachments = &file,
                    .attachment_count = cap % 3 != 0,
                    .headers = &header,
                    .header_count = 1,
                    .date = 1790000000,
                    .id = "01KQXW3V9M4T5Y8ZC2B7D6F1GH"};
    mime_message *m = mime_compose(&d);
    require(m != NULL);
    check(m, cap);
    mime_message_free(m);
    mime_mailbox_clear(&from);
    return 0;
}
