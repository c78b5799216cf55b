#include "mime/raw.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/utf8.h"

#define CHUNK ((size_t)16 * 1024)
/* Lines of base64 that are read at once, what they are long, and what they stand for. */
#define WRAPPED_LINES  ((size_t)96)
#define WRAPPED_LINE   ((size_t)MIME_LINE_COLUMNS + 2)
#define WRAPPED_OCTETS ((size_t)MIME_LINE_COLUMNS / 4 * 3)

/* ---- the source ---- */

static bool read_source(const mime_stored *s, uint64_t at, char *out, size_t len)
{
    if (!s->data)
        return len == 0 || s->read(s->ctx, at, out, len);
    memcpy(out, s->data + at, len);
    return true;
}

static bool read_octets(void *ctx, uint64_t at, char *out, size_t len)
{
    const mime_stored *wrapped = ctx;
    char text[WRAPPED_LINES * WRAPPED_LINE], octets[WRAPPED_LINES * WRAPPED_OCTETS];

    while (len > 0) {
        uint64_t line = at / WRAPPED_OCTETS, from = line * WRAPPED_LINE;
        size_t skip = (size_t)(at % WRAPPED_OCTETS);
        size_t n = from >= wrapped->len                ? 0
                   : wrapped->len - from < sizeof text ? (size_t)(wrapped->len - from)
                                                       : sizeof text;
        if (n == 0 || !read_source(wrapped, from, text, n))
            return false;
        size_t have = mime_base64_decode(text, n, octets);
        if (have <= skip)
            return false;
        have = have - skip < len ? have - skip : len;
        memcpy(out, octets + skip, have);
        at += have;
        out += have;
        len -= have;
    }
    return true;
}

mime_stored mime_raw_octets(const mime_stored *wrapped, uint64_t octets)
{
    return (mime_stored){.read = read_octets, .ctx = (void *)wrapped, .len = octets};
}

/* ---- lines ---- */

/* What lines are held against, which come in pieces. */
typedef struct lines {
    uint64_t number; /* of the one at hand, from 1 on */
    size_t column;   /* octets that came of it */
    uint64_t bare;   /* LFs without CR, so far */
    char last;
    char *fault;
} lines;

static bool fail(const lines *l, const char *why)
{
    (void)snprintf(l->fault, RAW_FAULT, "line %llu %s", (unsigned long long)l->number, why);
    return false;
}

/* A piece of a line, without its LF. */
static bool take_piece(lines *l, const char *s, size_t len)
{
    if (len == 0)
        return true;
    const char *cr = memchr(s, '\r', len);
    if (l->last == '\r' || (cr && cr != s + len - 1))
        return fail(l, "holds a CR that no LF follows");
    if (memchr(s, '\0', len))
        return fail(l, "holds NUL");
    l->column += len;
    l->last = s[len - 1];
    if (l->column - (l->last == '\r') > RAW_LINE)
        return fail(l, "is longer than 998 octets");
    return true;
}

static bool take_lines(lines *l, const char *s, size_t len)
{
    const char *end = s + len;

    while (s < end) {
        const char *lf = memchr(s, '\n', (size_t)(end - s));
        if (!take_piece(l, s, (size_t)((lf ? lf : end) - s)))
            return false;
        if (!lf)
            return true;
        l->bare += l->last != '\r';
        l->last = '\n';
        l->column = 0;
        l->number++;
        s = lf + 1;
    }
    return true;
}

/* ---- the header ---- */

/* Where the empty line begins, and what is behind it; false: there is none. */
static bool find_end(const buf *text, size_t *end, size_t *behind)
{
    for (size_t at = 0; at < text->len;) {
        const char *lf = memchr(text->data + at, '\n', text->len - at);
        size_t next = lf ? (size_t)(lf - text->data) + 1 : text->len;
        if (lf && (next - at == 1 || (next - at == 2 && text->data[at] == '\r'))) {
            *end = at;
            *behind = next;
            return true;
        }
        at = next;
    }
    return false;
}

/* Into `text`, and perhaps something of the body; *head is its own. */
static bool read_head(const mime_stored *source, buf *text, size_t *head, uint64_t *body,
                      char fault[RAW_FAULT])
{
    size_t want = CHUNK, behind = 0;

    for (;; want *= 4) {
        size_t n = source->len < want ? (size_t)source->len : want;
        if (!buf_reserve(text, n - text->len + 1) || /* never without memory */
            !read_source(source, text->len, text->data + text->len, n - text->len))
            return false;
        text->len = n;
        if (find_end(text, head, &behind)) {
            *body = behind;
            break;
        }
        if (n == source->len || n > RAW_HEAD) {
            *head = n;
            *body = n;
            break;
        }
    }
    if (*head <= RAW_HEAD)
        return true;
    (void)snprintf(fault, RAW_FAULT, "its header is longer than 262144 octets");
    return false;
}

/* A field, with what it is folded into. */
typedef struct field {
    const char *name, *value, *end; /* its last line's end included */
    size_t name_len;
    uint64_t line;
} field;

/* Its value in one line without blanks around it; false: no memory. */
static bool unfold(const field *f, buf *out)
{
    for (const char *s = f->value; s < f->end; s++) {
        if (*s != '\r' && *s != '\n')
            buf_addc(out, *s == '\t' ? ' ' : *s);
    }
    while (out->len > 0 && out->data[out->len - 1] == ' ')
        out->len--;
    size_t blanks = 0;
    while (blanks < out->len && out->data[blanks] == ' ')
        blanks++;
    if (blanks > 0)
        buf_drop(out, blanks);
    return buf_ok(out);
}

typedef struct head_reader {
    mime_raw *raw;
    char *fault;
    buf value;
} head_reader;

static bool fail_field(const head_reader *r, const field *f, const char *why)
{
    (void)snprintf(r->fault, RAW_FAULT, "%.*s (line %llu) %s", (int)f->name_len, f->name,
                   (unsigned long long)f->line, why);
    return false;
}

static bool read_from(head_reader *r, const field *f)
{
    const char *reason = NULL;
    char why[RAW_FAULT / 2];

    if (r->raw->from.address)
        return fail_field(r, f, "is there twice");
    if (mime_mailbox_parse(r->value.data, r->value.len, &r->raw->from, &reason))
        return true;
    if (!reason)
        return false;
    (void)snprintf(why, sizeof why, "is not one address: %s", reason);
    return fail_field(r, f, why);
}

static bool read_date(head_reader *r, const field *f)
{
    (void)f;
    r->raw->dated = true;
    return true;
}

static bool read_id(head_reader *r, const field *f)
{
    const char *s = r->value.data;
    size_t len = r->value.len;
    bool good = len > 2 && len <= RAW_ID && s[0] == '<' && s[len - 1] == '>';

    for (size_t i = 1; good && i < len - 1; i++)
        good = s[i] > ' ' && s[i] < 0x7F && s[i] != '<' && s[i] != '>';
    if (!good)
        return fail_field(r, f, "is not one id between < and >");
    if (r->raw->id)
        return fail_field(r, f, "is there twice");
    r->raw->id = strndup(s, len);
    return r->raw->id != NULL;
}

/* Fields that are looked at, or taken out (no function). */
static const struct {
    const char *name;
    bool (*read)(head_reader *r, const field *f);
} known[] = {
    {"From", read_from}, {"Date", read_date},  {"Message-ID", read_id},
    {"Bcc", NULL},       {"Resent-Bcc", NULL}, {"Return-Path", NULL},
};

static void keep(const field *f, buf *head)
{
    char last = '\0';
    for (const char *s = f->name; s < f->end; s++) {
        if (*s == '\n' && last != '\r')
            buf_addc(head, '\r');
        buf_addc(head, *s);
        last = *s;
    }
    if (last != '\n')
        buf_adds(head, "\r\n");
}

static bool take_field(head_reader *r, const field *f, buf *head)
{
    size_t i = 0, count = sizeof known / sizeof *known;

    while (i < count && (strlen(known[i].name) != f->name_len ||
                         strncasecmp(known[i].name, f->name, f->name_len) != 0))
        i++;
    if (i < count && known[i].read) {
        buf_clear(&r->value);
        if (!unfold(f, &r->value) || !known[i].read(r, f))
            return false;
    }
    if (i == count || known[i].read)
        keep(f, head);
    return true;
}

/* Name and colon. */
static bool begin_field(head_reader *r, const char *line, const char *end, uint64_t number,
                        field *out)
{
    const char *s = line;
    while (s<end && * s> ' ' && *s < 0x7F && *s != ':')
        s++;
    if (s > line && s < end && *s == ':') {
        *out = (field){line, s + 1, end, (size_t)(s - line), number};
        return true;
    }
    (void)snprintf(r->fault, RAW_FAULT, "line %llu is not a header field",
                   (unsigned long long)number);
    return false;
}

static bool read_fields(head_reader *r, const char *s, size_t len, buf *head)
{
    const char *all = s + len;
    field f = {0};

    for (uint64_t number = 1; s < all; number++) {
        const char *lf = memchr(s, '\n', (size_t)(all - s));
        const char *end = lf ? lf + 1 : all;
        if (f.name && (*s == ' ' || *s == '\t')) {
            f.end = end;
        } else {
            if (f.name && !take_field(r, &f, head))
                return false;
            if (!begin_field(r, s, end, number, &f))
                return false;
        }
        s = end;
    }
    return !f.name || take_field(r, &f, head);
}

static bool take_head(head_reader *r, const buf *text, size_t len)
{
    buf head = BUF_INIT;

    if (!utf8_valid(text->data, len)) {
        (void)snprintf(r->fault, RAW_FAULT, "its header is not UTF-8");
        return false;
    }
    bool ok = read_fields(r, text->data, len, &head);
    buf_free(&r->value);
    if (ok && !r->raw->from.address) {
        (void)snprintf(r->fault, RAW_FAULT, "it has no From");
        ok = false;
    }
    ok = ok && buf_ok(&head);
    r->raw->head = head.data;
    r->raw->head_len = head.len;
    return ok;
}

/* ---- the body ---- */

static bool read_body(mime_raw *raw, uint64_t from, lines *l)
{
    const mime_stored *source = &raw->source;
    char chunk[CHUNK];

    raw->body = (mime_lines){.stored = *source, .from = from};
    l->bare = 0;
    for (uint64_t at = from; at < source->len;) {
        size_t n = source->len - at < CHUNK ? (size_t)(source->len - at) : CHUNK;
        if (!read_source(source, at, chunk, n) || !take_lines(l, chunk, n))
            return false;
        raw->body.eight_bit = raw->body.eight_bit || !utf8_is_ascii(chunk, n);
        at += n;
    }
    if (l->last == '\r')
        return fail(l, "holds a CR that no LF follows");
    raw->body.size = source->len - from + l->bare;
    raw->body.ends_line = source->len == from || l->column == 0;
    return true;
}

bool mime_raw_read(const mime_stored *source, mime_raw *out, char fault[RAW_FAULT])
{
    head_reader reader = {.raw = out, .fault = fault};
    lines l = {.number = 1, .fault = fault};
    buf text = BUF_INIT;
    size_t head = 0;
    uint64_t body = 0;

    *fault = '\0';
    out->source = *source;
    bool ok = read_head(source, &text, &head, &body, fault) &&
              take_lines(&l, text.data, (size_t)body) && take_head(&reader, &text, head) &&
              read_body(out, body, &l);
    buf_free(&text);
    return ok;
}

void mime_raw_clear(mime_raw *raw)
{
    free(raw->head);
    free(raw->id);
    mime_mailbox_clear(&raw->from);
    *raw = (mime_raw){0};
}

/* ---- the message ---- */

mime_message *mime_raw_message(const mime_raw *raw, time_t date, const char *id)
{
    buf head = BUF_INIT, own_id = BUF_INIT;
    mime_message *m = NULL;

    if (!raw->dated)
        mime_add_date(&head, date);
    if (!raw->id)
        buf_addf(&own_id, "<%s@%s>", id, raw->from.domain);
    const char *message_id = raw->id ? raw->id : buf_cstr(&own_id);
    if (!raw->id && message_id)
        buf_addf(&head, "Message-ID: %s\r\n", message_id);
    buf_add(&head, raw->head, raw->head_len);
    buf_adds(&head, "\r\n");
    if (buf_ok(&head) && message_id)
        m = mime_message_of(message_id, &(mime_bytes){head.data, head.len}, &raw->body);
    buf_free(&head);
    buf_free(&own_id);
    return m;
}
