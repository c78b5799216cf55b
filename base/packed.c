#include "base/packed.h"

#include <stdlib.h>
#include <string.h>

#define ZLIB_CONST /* its inputs are */
#include <zlib.h>

#define GZIP (16 + MAX_WBITS) /* inflateInit2()'s word for a gzip header */

/* RFC 1952 section 2.3.1: the last four octets are the length, least significant first. */
static size_t unpacked_size(const char *end)
{
    const unsigned char *n = (const unsigned char *)end - 4;
    return (size_t)n[0] | (size_t)n[1] << 8 | (size_t)n[2] << 16 | (size_t)n[3] << 24;
}

void packed_write(const char *begin, const char *end, buf *out)
{
    size_t size = end - begin > 18 ? unpacked_size(end) : 0; /* the least that gzip writes */
    z_stream z;

    memset(&z, 0, sizeof z);
    if (!buf_reserve(out, size))
        return;
    z.next_in = (const unsigned char *)begin;
    z.avail_in = (unsigned)(end - begin);
    z.next_out = (unsigned char *)out->data + out->len;
    z.avail_out = (unsigned)size;
    bool ok = inflateInit2(&z, GZIP) == Z_OK;
    if (ok) {
        ok = inflate(&z, Z_FINISH) == Z_STREAM_END;
        (void)inflateEnd(&z);
    }
    if (ok)
        out->len += size;
    else
        out->failed = true; /* it is our own text: only memory can lack */
}

/* ---- tables ---- */

/* Texts stand in the order in which rows want them first. */
static void point_at_texts(char *rows, const packed_head *head, const packed_layout *layout)
{
    char *next = rows + head->count * layout->size;
    for (size_t i = 0; i < head->count; i++) {
        for (size_t k = 0; k < layout->text_count; k++) {
            char *at = rows + i * layout->size + layout->texts[k], *text = NULL;
            uintptr_t offset;
            memcpy(&offset, at, sizeof offset);
            if (offset == PACKED_NEXT) {
                text = next;
                next += strlen(next) + 1;
            } else if (offset) {
                text = rows + offset;
            }
            memcpy(at, &text, sizeof text);
        }
    }
}

/* Behind the tables stands what has the memory of all. */
static packed_table *unpack(const packed_kept *k)
{
    packed_table *tables = calloc(k->count + 1, sizeof *tables);
    buf all = BUF_INIT;

    packed_write(k->begin, k->end, &all);
    if (!tables || !buf_ok(&all)) {
        free(tables);
        buf_free(&all);
        return NULL;
    }
    char *at = all.data;
    tables[k->count].rows = at;
    for (size_t i = 0; at && i < k->count; i++) {
        packed_head head;
        memcpy(&head, at, sizeof head);
        at += sizeof head;
        tables[i] = (packed_table){at, head.count};
        point_at_texts(at, &head, &k->layouts[i]);
        at += head.size;
    }
    return tables;
}

const packed_table *packed_get(packed_kept *k)
{
    packed_table *have = atomic_load_explicit(&k->have, memory_order_acquire);

    if (have)
        return have;
    packed_table *made = unpack(k);
    if (!made || atomic_compare_exchange_strong(&k->have, &have, made))
        return made;
    free(made[k->count].rows);
    free(made);
    return have;
}
