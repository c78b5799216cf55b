#include "mime/message.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/civil.h"
#include "base/utf8.h"
#include "mime/encode.h"
#include "mime/header.h"
#include "mime/text.h"
#include "mime/type.h"

/* Texts up to this size are encoded while composing; larger ones while they are read, so that they
 * are not in memory a second time. */
#define EAGER_TEXT 65536
/* What headers and boundaries take, mostly. */
#define HEADERS 1536
/* Beyond a text and a quarter of it, for quoted-printable. */
#define QUOTED_ROOM 448

/* For the twin of an HTML text while composing: what is made of it then is all that is needed. */
#define TWIN_ROOM 4096
_Static_assert(TWIN_ROOM * 4 < EAGER_TEXT, "it is encoded while composing, whatever is in it");

/* Messages without attachments have no more, unless their texts are long. */
#define FIRST_SEGMENTS 1

/* ---- segments: what a message is made of ---- */

typedef enum segment_kind { LITERAL, ENCODED, WRAPPED, STORED, LINES } segment_kind;

typedef struct segment {
    segment_kind kind;
    size_t offset;    /* LITERAL: in the message's bytes */
    const char *data; /* others: the text, or the base64 */
    size_t len;       /* LITERAL and others: input octets */
    mime_encoding encoding;
    const mime_base64_info *info;
    mime_stored stored; /* STORED, LINES */
    uint64_t from;      /* LINES: where in it they begin */
} segment;

struct mime_message {
    buf bytes;         /* headers, boundaries, small texts */
    segment *segments; /* `first` until there are more */
    size_t count, cap;
    size_t literal_start;    /* of the literal segment that is being written */
    mime_base64_info *infos; /* the attachments', copied */
    buf made_text;           /* the plain-text twin, if it is long */
    arena *memory;           /* the draft's */
    uint64_t size;
    bool utf8, eight_bit;
    bool failed;
    segment first[FIRST_SEGMENTS];
    char id[]; /* with <> */
};

static segment *add_segment(mime_message *m)
{
    if (m->count == m->cap) {
        bool first = m->segments == m->first;
        size_t cap = 4 * m->cap;
        segment *segments = realloc(first ? NULL : m->segments, cap * sizeof *segments);
        if (!segments) {
            m->failed = true;
            return NULL;
        }
        if (first)
            memcpy(segments, m->first, sizeof m->first);
        m->segments = segments;
        m->cap = cap;
    }
    return &m->segments[m->count++];
}

/* Ends the literal bytes written since the last segment. */
static void end_literal(mime_message *m)
{
    size_t len = m->bytes.len - m->literal_start;
    segment *s = len ? add_segment(m) : NULL;
    if (s)
        *s = (segment){.kind = LITERAL, .offset = m->literal_start, .len = len};
    m->size += len;
    m->literal_start = m->bytes.len;
}

/* ---- the header ---- */

static void put_digits(char *to, unsigned n, unsigned digits)
{
    for (; digits > 0; n /= 10)
        to[--digits] = (char)('0' + n % 10);
}

void mime_add_date(buf *out, time_t date)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char line[] = "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n";
    bool known = date >= 0 && date / 86400 <= CIVIL_LAST;
    civil_day day = civil_of(known ? (uint32_t)(date / 86400) : 0);
    unsigned second = known ? (unsigned)(date % 86400) : 0;

    memcpy(line + 6, days + (size_t)day.weekday * 3, 3);
    put_digits(line + 11, day.day, 2);
    memcpy(line + 14, months + (size_t)(day.month - 1) * 3, 3);
    put_digits(line + 18, day.year, 4);
    put_digits(line + 23, second / 3600, 2);
    put_digits(line + 26, second / 60 % 60, 2);
    put_digits(line + 29, second % 60, 2);
    buf_add(out, line, sizeof line - 1);
}

static void add_message_id(mime_message *m)
{
    buf_adds(&m->bytes, "Message-ID: ");
    buf_adds(&m->bytes, m->id);
    buf_adds(&m->bytes, "\r\n");
}

static void add_list(buf *out, const char *name, const mime_mailboxes *list)
{
    if (list->count)
        mime_header_add_mailboxes(out, name, list->list, list->count);
}

static void add_user_headers(mime_message *m, const mime_draft *d)
{
    for (size_t i = 0; i < d->header_count; i++) {
        const mime_header *h = &d->headers[i];
        char *name = strndup(h->name.data, h->name.len);
        if (!name) {
            m->failed = true;
            return;
        }
        mime_header_add_text(&m->bytes, name, h->value.data, h->value.len);
        free(name);
    }
}

static void add_header(mime_message *m, const mime_draft *d)
{
    buf *out = &m->bytes;
    mime_add_date(out, d->date);
    mime_header_add_mailboxes(out, "From", d->from, 1);
    add_list(out, "Reply-To", &d->reply_to);
    if (d->to.count + d->cc.count == 0)
        buf_adds(out, "To: undisclosed-recipients:;\r\n");
    add_list(out, "To", &d->to);
    add_list(out, "Cc", &d->cc);
    if (d->subject.data)
        mime_header_add_text(out, "Subject", d->subject.data, d->subject.len);
    add_message_id(m);
    add_user_headers(m, d);
    buf_adds(out, "MIME-Version: 1.0\r\n");
}

static bool any_utf8(const mime_mailboxes *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->list[i].utf8)
            return true;
    }
    return false;
}

/* ---- parts ---- */

/* What a message is being laid out of. */
typedef struct layout {
    mime_message *message;
    const mime_draft *draft;
    mime_bytes text, html;
    buf twin;              /* the text, where it is made of the HTML */
    size_t inlines, files; /* attachments of each kind */
    size_t id_len;         /* of the draft's */
} layout;

typedef enum level { MIXED, RELATED, ALTERNATIVE } level;

static const char *const level_names[] = {
    [MIXED] = "mixed",
    [RELATED] = "related",
    [ALTERNATIVE] = "alternative",
};

/* "=_" can occur in neither encoding, so a boundary can't in a body. */
static void add_boundary(const layout *l, level which)
{
    buf *out = &l->message->bytes;
    const char end[2] = {'_', (char)('1' + (int)which)};
    buf_adds(out, "=_");
    buf_add(out, l->draft->id, l->id_len);
    buf_add(out, end, sizeof end);
}

static void open_multipart(const layout *l, level which, const char *root_type)
{
    buf *out = &l->message->bytes;
    buf_adds(out, "Content-Type: multipart/");
    buf_adds(out, level_names[which]);
    buf_addc(out, ';');
    buf_adds(out, which == RELATED ? root_type : "");
    buf_adds(out, "\r\n boundary=\"");
    add_boundary(l, which);
    buf_adds(out, "\"\r\n\r\n");
}

static void next_part(const layout *l, level which)
{
    buf_adds(&l->message->bytes, "--");
    add_boundary(l, which);
    buf_adds(&l->message->bytes, "\r\n");
}

static void close_multipart(const layout *l, level which)
{
    buf_adds(&l->message->bytes, "--");
    add_boundary(l, which);
    buf_adds(&l->message->bytes, "--\r\n");
}

/* A body whose last line is not ended gets its line end: the boundary's, or the message's. */
static void end_body(mime_message *m, bool ends_line)
{
    if (!ends_line)
        buf_adds(&m->bytes, "\r\n");
}

static void add_encoded(mime_message *m, mime_encoding encoding, const mime_bytes *text,
                        uint64_t size)
{
    if (size <= EAGER_TEXT) {
        mime_encoder e;
        mime_encoder_init(&e, encoding, text->data, text->len);
        if (buf_reserve(&m->bytes, (size_t)size))
            m->bytes.len += mime_encoder_read(&e, m->bytes.data + m->bytes.len, (size_t)size);
        return;
    }
    end_literal(m);
    segment *s = add_segment(m);
    if (s)
        *s = (segment){.kind = ENCODED, .data = text->data, .len = text->len, .encoding = encoding};
    m->size += size;
}

static void add_text_header(mime_message *m, const char *subtype, mime_encoding encoding)
{
    buf *out = &m->bytes;
    buf_adds(out, "Content-Type: text/");
    buf_adds(out, subtype);
    buf_adds(out, "; charset=utf-8\r\nContent-Transfer-Encoding: ");
    buf_adds(out, mime_encoding_name(encoding));
    buf_adds(out, "\r\n\r\n");
}

/* `inner`: another boundary follows, whose line end is not the text's own; a text that ends its
 * last line keeps that end then. Most texts are short, and quoted-printable in little more than
 * their length: they are made in their place, and it is otherwise that they are gone through again.
 */
static void add_text_part(mime_message *m, const char *subtype, const mime_bytes *text, bool inner)
{
    uint64_t size;
    bool ends_line;
    size_t start = m->bytes.len;
    size_t room = text->len <= EAGER_TEXT ? text->len + text->len / 4 + QUOTED_ROOM : 0;

    add_text_header(m, subtype, MIME_QUOTED_PRINTABLE);
    if (!buf_reserve(&m->bytes, room))
        return;
    mime_encoding encoding =
        mime_encoding_choose(text->data, text->len, m->bytes.data + m->bytes.len,
                             room < EAGER_TEXT ? room : EAGER_TEXT, &size, &ends_line);
    if (encoding == MIME_QUOTED_PRINTABLE && size <= room && size <= EAGER_TEXT) {
        m->bytes.len += (size_t)size;
    } else {
        m->bytes.len = start;
        add_text_header(m, subtype, encoding);
        add_encoded(m, encoding, text, size);
    }
    /* The line end behind base64 is part of the encoding's last line, that behind quoted-printable
     * of the text. */
    end_body(m, ends_line && (!inner || encoding == MIME_BASE64));
}

static void add_attachment(mime_message *m, const mime_attachment *a, const mime_base64_info *info)
{
    buf *out = &m->bytes;
    const char *guess = mime_type_guess(a->filename.data, a->filename.data ? a->filename.len : 0);
    size_t start = out->len;

    buf_adds(out, "Content-Type: ");
    if (a->content_type.data)
        buf_add(out, a->content_type.data, a->content_type.len);
    else
        buf_adds(out, guess);
    size_t column = out->len - start;
    if (a->filename.data)
        mime_header_add_parameter(out, "name", a->filename.data, a->filename.len, true, &column);
    buf_adds(out, "\r\nContent-Transfer-Encoding: base64\r\n");
    start = out->len;
    buf_adds(out, a->is_inline ? "Content-Disposition: inline" : "Content-Disposition: attachment");
    column = out->len - start;
    if (a->filename.data)
        mime_header_add_parameter(out, "filename", a->filename.data, a->filename.len, true,
                                  &column);
    buf_adds(out, "\r\n");
    if (a->content_id.data) {
        buf_adds(out, "Content-ID: <");
        buf_add(out, a->content_id.data, a->content_id.len);
        buf_adds(out, ">\r\n");
    }
    buf_adds(out, "\r\n");
    end_literal(m);
    segment *s = add_segment(m);
    if (s && a->base64.data)
        *s = (segment){.kind = WRAPPED, .data = a->base64.data, .len = a->base64.len, .info = info};
    else if (s)
        *s = (segment){.kind = STORED, .stored = a->stored};
    m->size += info->wrapped;
    end_body(m, info->wrapped > 0);
}

static void add_attachments(const layout *l, level which, bool inlines)
{
    for (size_t i = 0; i < l->draft->attachment_count; i++) {
        const mime_attachment *a = &l->draft->attachments[i];
        if ((a->is_inline && l->html.data) != inlines)
            continue;
        next_part(l, which);
        add_attachment(l->message, a, &l->message->infos[i]);
    }
}

static void add_texts(const layout *l, bool inner)
{
    if (!l->text.data || !l->html.data) {
        add_text_part(l->message, l->html.data ? "html" : "plain",
                      l->html.data ? &l->html : &l->text, inner);
        return;
    }
    open_multipart(l, ALTERNATIVE, NULL);
    next_part(l, ALTERNATIVE);
    add_text_part(l->message, "plain", &l->text, true);
    next_part(l, ALTERNATIVE);
    add_text_part(l->message, "html", &l->html, true);
    close_multipart(l, ALTERNATIVE);
}

static void add_related(const layout *l, bool inner)
{
    if (l->inlines == 0) {
        add_texts(l, inner);
        return;
    }
    open_multipart(l, RELATED,
                   l->text.data ? " type=\"multipart/alternative\";" : " type=\"text/html\";");
    next_part(l, RELATED);
    add_texts(l, true);
    add_attachments(l, RELATED, true);
    close_multipart(l, RELATED);
}

static void add_body(const layout *l)
{
    if (l->files == 0) {
        add_related(l, false);
        return;
    }
    open_multipart(l, MIXED, NULL);
    next_part(l, MIXED);
    add_related(l, true);
    add_attachments(l, MIXED, false);
    close_multipart(l, MIXED);
}

/* ---- composing ---- */

/* The texts: the plain one made from the HTML if it was not given. HTML without a word (an image
 * alone) has no twin. */
static bool choose_texts(layout *l)
{
    l->text = l->draft->text;
    l->html = l->draft->html;
    if (l->text.data || !l->html.data)
        return true;
    if (!mime_text_from_html(l->html.data, l->html.len, &l->twin))
        return false;
    if (l->twin.len > 0)
        l->text = (mime_bytes){l->twin.data, l->twin.len};
    return true;
}

static bool copy_infos(layout *l)
{
    const mime_draft *d = l->draft;
    if (d->attachment_count == 0)
        return true;
    l->message->infos = calloc(d->attachment_count, sizeof *l->message->infos);
    if (!l->message->infos)
        return false;
    for (size_t i = 0; i < d->attachment_count; i++) {
        l->message->infos[i] = d->attachments[i].info;
        if (d->attachments[i].is_inline && l->html.data)
            l->inlines++;
        else
            l->files++;
    }
    return true;
}

/* An empty message with its Message-ID; NULL if memory ran out. */
static mime_message *create(const mime_draft *d)
{
    const mime_bytes *own = &d->message_id;
    const char *domain = d->id_domain ? d->id_domain : d->from->domain;
    size_t size = own->data ? own->len + 1 : strlen(d->id) + strlen(domain) + sizeof "<@>";
    mime_message *m = arena_alloc(d->memory, sizeof *m + size);
    if (!m)
        return NULL;
    *m = (mime_message){.memory = d->memory, .segments = m->first, .cap = FIRST_SEGMENTS};
    if (own->data) {
        memcpy(m->id, own->data, own->len);
        m->id[own->len] = '\0';
        return m;
    }
    m->id[0] = '<';
    char *to = stpcpy(m->id + 1, d->id);
    *to++ = '@';
    to = stpcpy(to, domain);
    memcpy(to, ">", sizeof ">");
    return m;
}

/* One allocation for most messages. */
static void reserve_bytes(const layout *l)
{
    buf *bytes = &l->message->bytes;
    size_t texts = l->text.len + l->html.len, room = HEADERS + texts / 8 * 9;
    if (texts >= EAGER_TEXT)
        return;
    char *lent = l->draft->memory ? arena_take(l->draft->memory, room) : NULL;
    if (lent)
        buf_lend(bytes, lent, room);
    else
        (void)buf_reserve(bytes, room);
}

/* Of the texts that were chosen. */
static mime_message *compose(layout *l)
{
    const mime_draft *draft = l->draft;
    const mime_mailboxes from = {draft->from, 1};
    mime_message *m = l->message = create(draft);
    if (!m)
        return NULL;
    m->utf8 = any_utf8(&from) || any_utf8(&draft->to) || any_utf8(&draft->cc) ||
              any_utf8(&draft->reply_to);
    if (!l->twin.lent) {
        m->made_text = l->twin;
        buf_init(&l->twin);
    }
    reserve_bytes(l);
    if (!m->failed && copy_infos(l)) {
        add_header(m, draft);
        add_body(l);
        end_literal(m);
    } else {
        m->failed = true;
    }
    if (!m->failed && buf_ok(&m->bytes))
        return m;
    mime_message_free(m);
    return NULL;
}

mime_message *mime_compose(const mime_draft *draft)
{
    char room[TWIN_ROOM];
    layout l = {.draft = draft, .id_len = strlen(draft->id)};
    buf_lend(&l.twin, room, sizeof room);
    mime_message *m = choose_texts(&l) ? compose(&l) : NULL;
    buf_free(&l.twin);
    return m;
}

void mime_message_free(mime_message *m)
{
    if (!m)
        return;
    buf_free(&m->bytes);
    buf_free(&m->made_text);
    if (m->segments != m->first)
        free(m->segments);
    free(m->infos);
    arena_free(m->memory, m);
}

/* ---- one that came whole ---- */

mime_message *mime_message_of(const char *id, const mime_bytes *head, const mime_lines *body)
{
    size_t id_size = strlen(id) + 1;
    mime_message *m = malloc(sizeof *m + id_size);
    if (!m)
        return NULL;
    *m = (mime_message){.segments = m->first, .cap = FIRST_SEGMENTS};
    memcpy(m->id, id, id_size);
    m->utf8 = !utf8_is_ascii(head->data, head->len);
    m->eight_bit = body->eight_bit;
    buf_add(&m->bytes, head->data, head->len);
    end_literal(m);
    segment *s = body->stored.len > body->from ? add_segment(m) : NULL;
    if (s)
        *s = (segment){.kind = LINES, .stored = body->stored, .from = body->from};
    m->size += body->size;
    if (!body->ends_line) {
        buf_adds(&m->bytes, "\r\n");
        end_literal(m);
    }
    if (!m->failed && buf_ok(&m->bytes))
        return m;
    mime_message_free(m);
    return NULL;
}

bool mime_message_prepend(mime_message *m, const char *data, size_t len)
{
    size_t offset = m->bytes.len;

    if (!buf_reserve(&m->bytes, len) || !add_segment(m)) {
        m->bytes.failed = m->failed = false;
        return false;
    }
    memmove(m->segments + 1, m->segments, (m->count - 1) * sizeof *m->segments);
    m->segments[0] = (segment){.kind = LITERAL, .offset = offset, .len = len};
    buf_add(&m->bytes, data, len);
    m->size += len;
    return true;
}

uint64_t mime_message_size(const mime_message *m)
{
    return m->size;
}

size_t mime_message_memory(const mime_message *m)
{
    return m->bytes.cap + m->made_text.cap + m->cap * sizeof *m->segments;
}

const char *mime_message_id(const mime_message *m)
{
    return m->id;
}

bool mime_message_utf8(const mime_message *m)
{
    return m->utf8;
}

bool mime_message_eight_bit(const mime_message *m)
{
    return m->utf8 || m->eight_bit;
}

/* ---- reading ---- */

struct mime_reader {
    const mime_message *message;
    arena *memory;
    size_t segment;
    bool begun; /* the state below is the segment's */
    bool failed;
    uint64_t at; /* LITERAL, STORED and LINES */
    char last; /* LINES: what came before; '\n' of which only the CR was given is told by `owed` */
    bool owed;
    mime_encoder encoder;
    mime_base64_wrap wrap;
};

mime_reader *mime_reader_create_in(arena *memory, const mime_message *m)
{
    mime_reader *r = arena_alloc(memory, sizeof *r);
    if (!r)
        return NULL;
    r->message = m;
    r->memory = memory;
    mime_reader_rewind(r);
    return r;
}

mime_reader *mime_reader_create(const mime_message *m)
{
    return mime_reader_create_in(NULL, m);
}

void mime_reader_free(mime_reader *r)
{
    if (r)
        arena_free(r->memory, r);
}

void mime_reader_rewind(mime_reader *r)
{
    r->segment = 0;
    r->begun = false;
    r->failed = false;
}

static void begin_segment(mime_reader *r, const segment *s)
{
    r->begun = true;
    switch (s->kind) {
    case LITERAL:
    case STORED: r->at = 0; break;
    case LINES:
        r->at = s->from;
        r->last = '\0';
        r->owed = false;
        break;
    case ENCODED: mime_encoder_init(&r->encoder, s->encoding, s->data, s->len); break;
    case WRAPPED: mime_base64_wrap_init(&r->wrap, s->data, s->len, s->info); break;
    }
}

static size_t read_literal(mime_reader *r, const segment *s, char *out, size_t cap)
{
    size_t n = s->len - (size_t)r->at < cap ? s->len - (size_t)r->at : cap;
    memcpy(out, r->message->bytes.data + s->offset + r->at, n);
    r->at += n;
    return n;
}

static size_t read_stored(mime_reader *r, const mime_stored *s, char *out, size_t cap)
{
    size_t n = s->len - r->at < cap ? (size_t)(s->len - r->at) : cap;
    if (s->data)
        memcpy(out, s->data + r->at, n);
    else if (n > 0)
        r->failed = !s->read(s->ctx, r->at, out, n);
    r->at += n;
    return n;
}

/* Puts a CR before each LF that has none. `from` is in `out`, and at least as far behind it as what
 * is there can grow. */
static size_t end_lines(mime_reader *r, const char *from, size_t len, char *out, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = from[i]; /* which may be overwritten */
        if (c == '\n' && r->last != '\r')
            out[n++] = '\r';
        r->last = c;
        if (n < cap)
            out[n++] = c;
        else
            r->owed = true;
    }
    return n;
}

/* Half of the room is for what comes, behind; it doubles at most. */
static size_t read_lines(mime_reader *r, const mime_stored *s, char *out, size_t cap)
{
    if (r->owed) {
        r->owed = false;
        *out = '\n';
        return 1;
    }
    size_t half = cap < 2 ? 1 : cap / 2;
    size_t n = read_stored(r, s, out + (cap - half), half);
    return r->failed ? 0 : end_lines(r, out + (cap - half), n, out, cap);
}

size_t mime_reader_read(mime_reader *r, char *out, size_t cap)
{
    size_t done = 0;
    while (done < cap && r->segment < r->message->count && !r->failed) {
        const segment *s = &r->message->segments[r->segment];
        size_t n = 0;
        if (!r->begun)
            begin_segment(r, s);
        switch (s->kind) {
        case LITERAL: n = read_literal(r, s, out + done, cap - done); break;
        case ENCODED: n = mime_encoder_read(&r->encoder, out + done, cap - done); break;
        case WRAPPED: n = mime_base64_wrap_read(&r->wrap, out + done, cap - done); break;
        case STORED: n = read_stored(r, &s->stored, out + done, cap - done); break;
        case LINES: n = read_lines(r, &s->stored, out + done, cap - done); break;
        }
        done += n;
        if (n == 0) {
            r->segment++;
            r->begun = false;
        }
    }
    return r->failed ? MIME_READ_FAILED : done;
}
