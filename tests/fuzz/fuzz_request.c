/*
 * From the bytes of a body to a message: whatever comes in, either faults or a message that keeps
 * the promises of the wire.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "service/config.h"
#include "service/request.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* CRLF only, no line over 998, no NUL, 8-bit only where SMTPUTF8 is asked for. */
static void check_message(const request *r)
{
    mime_reader *reader = mime_reader_create(r->message);
    char chunk[777];
    size_t n, total = 0, column = 0;
    char last = 0;

    require(reader != NULL);
    while ((n = mime_reader_read(reader, chunk, sizeof chunk)) > 0) {
        for (size_t i = 0; i < n; i++) {
            require(chunk[i] != '\0');
            require(r->utf8 || (unsigned char)chunk[i] < 0x80);
            require((chunk[i] == '\n') == (last == '\r'));
            column = chunk[i] == '\n' ? 0 : column + 1;
            require(column <= 999);
            last = chunk[i];
        }
        total += n;
    }
    require(last == '\n');
    require(total == mime_message_size(r->message));
    mime_reader_free(reader);
}

static void check_envelope(const request *r)
{
    require(r->recipient_count > 0 && r->recipient_count <= 100);
    for (size_t i = 0; i < r->recipient_count; i++)
        require(!strpbrk(r->recipients[i], "\r\n") && strchr(r->recipients[i], '@'));
    require(!strpbrk(r->reverse_path, "\r\n"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const environment[] = {"POSTERN_RELAY=smtp://127.0.0.1:25?tls=none", NULL};
    static config *c;
    static templates *t; /* made once: a fuzz target has no end to free it at */
    buf detail = BUF_INIT;
    faults errors;
    request *r = NULL;

    if (!c)
        c = config_load(environment, &detail);
    if (!t)
        t = templates_load(NULL, &detail);
    require(c != NULL && t != NULL);
    const document_options options = document_defaults(NULL, c->max_recipients);
    document *d = document_create(&options);
    require(d != NULL);
    document_add(d, (const char *)data, size / 2);
    document_add(d, (const char *)data + size / 2, size - size / 2);
    faults_init(&errors);
    if (document_parse(d, &detail) == DOCUMENT_OK) {
        /* Each kind has half of the texts; a blank at the end makes it the other. */
        request_result result = (size % 2 ? request_create_queued : request_create)(
            c, t, d, "01KQXW3V9M4T5Y8ZC2B7D6F1GH", 1790000000, &r, &errors);
        require((result == REQUEST_OK) == (r != NULL));
        require((result == REQUEST_INVALID) == (errors.total > 0));
        if (r) {
            check_envelope(r);
            check_message(r);
        }
    } else {
        require(detail.len > 0);
        document_free(d);
    }
    request_free(r);
    faults_free(&errors);
    buf_free(&detail);
    return 0;
}
