#include "mime/encode.h"

#include <string.h>

#include "base/utf8.h"
#include "mime/base64.h"

/* A soft break's "=" needs the last column. */
#define QP_COLUMNS   (MIME_LINE_COLUMNS - 1)
#define GROUP_OCTETS ((size_t)MIME_LINE_COLUMNS / 4 * 3)
#define SCRATCH      4096
/* The most that one character takes: a soft break and four octets. */
#define CHARACTER 15
#define LINE      ((size_t)MIME_LINE_COLUMNS + 2)

const char *mime_encoding_name(mime_encoding e)
{
    return e == MIME_BASE64 ? "base64" : "quoted-printable";
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Length of the line end that begins at `s`. */
static size_t line_end(const char *s, const char *end)
{
    return *s == '\r' && s + 1 < end && s[1] == '\n' ? 2 : 1;
}

static char *put_end(char *out)
{
    out[0] = '\r';
    out[1] = '\n';
    return out + 2;
}

/* What a byte is in quoted-printable: one that stands for itself, one that does unless it ends its
 * line, or half a line end. The others (0) are encoded wherever they are. */
enum { LITERAL = 1, BLANK = 2, END = 4 };

/* clang-format off */
static const uint8_t kinds[256] = {
    ['\t'] = BLANK, [' '] = BLANK, ['\n'] = END, ['\r'] = END,
    ['!'] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* to < */
    ['>'] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* to ~ */
};
/* clang-format on */

static unsigned kind_of(char c)
{
    return kinds[(unsigned char)c];
}

/* ---- the ways ---- */

/* What there is in a text: bytes that are CR or LF, pairs of them, and bytes that quoted-printable
 * encodes wherever they are. */
typedef struct tally {
    size_t ends, pairs, coded;
} tally;

/* Copies up to `most` leading bytes, until the first that is of some kind, and returns their
 * number. What follows them may be looked at within `from_room` and scratched within `to_room`. */
typedef size_t copy_until(const char *from, size_t from_room, char *to, size_t to_room,
                          size_t most);

typedef struct mime_encode_kernel {
    copy_until *until_coded; /* what quoted-printable encodes, line ends too */
    copy_until *until_ends;  /* CR, LF */
    /* Adds up a text's tally; s[-1] can be read. */
    void (*count)(const char *s, size_t len, tally *t);
} mime_encode_kernel;

static size_t plain_until_coded(const char *from, size_t from_room, char *to, size_t to_room,
                                size_t most)
{
    size_t end = smaller(smaller(from_room, to_room), most), n = 0;
    for (; n < end && (kind_of(from[n]) & (LITERAL | BLANK)); n++)
        to[n] = from[n];
    return n;
}

static size_t plain_until_ends(const char *from, size_t from_room, char *to, size_t to_room,
                               size_t most)
{
    size_t end = smaller(smaller(from_room, to_room), most), n = 0;
    for (; n < end && kind_of(from[n]) != END; n++)
        to[n] = from[n];
    return n;
}

static void plain_count(const char *s, size_t len, tally *t)
{
    tally sum = *t;
    for (size_t i = 0; i < len; i++) {
        unsigned kind = kind_of(s[i]);
        sum.ends += kind == END;
        sum.pairs += s[i] == '\n' && s[(ptrdiff_t)i - 1] == '\r';
        sum.coded += kind == 0;
    }
    *t = sum;
}

#ifdef VECTOR_HAS_128
#define VECTOR_BITS    128
#define SHORTER(stops) plain_until_##stops
#define SHORT_COUNT    plain_count
#include "mime/encode_vector.h"
#undef SHORT_COUNT
#undef SHORTER
#undef VECTOR_BITS
#endif

#ifdef VECTOR_HAS_256
#define VECTOR_BITS    256
#define SHORTER(stops) until_##stops##_128
#define SHORT_COUNT    tally_128
#include "mime/encode_vector.h"
#undef SHORT_COUNT
#undef SHORTER
#undef VECTOR_BITS
#endif

static const mime_encode_kernel kernels[VECTOR_LEVELS] = {
    [VECTOR_NONE] = {plain_until_coded, plain_until_ends, plain_count},
#ifdef VECTOR_HAS_128
    [VECTOR_128] = {until_coded_128, until_ends_128, tally_128},
#endif
#ifdef VECTOR_HAS_256
    [VECTOR_256] = {until_coded_256, until_ends_256, tally_256},
#endif
};

void mime_encoder_init_with(vector_level level, mime_encoder *e, mime_encoding encoding,
                            const char *s, size_t len)
{
    *e = (mime_encoder){.kernel = &kernels[level], .encoding = encoding, .s = s, .len = len};
}

void mime_encoder_init(mime_encoder *e, mime_encoding encoding, const char *s, size_t len)
{
    mime_encoder_init_with(vector_best(), e, encoding, s, len);
}

/* ---- quoted-printable ---- */

static char *put_octet(char *out, char octet)
{
    static const char hex[] = "0123456789ABCDEF";
    out[0] = '=';
    out[1] = hex[(unsigned char)octet >> 4];
    out[2] = hex[(unsigned char)octet & 15];
    return out + 3;
}

/* A position in a text and in the output line: what of an encoder changes with every character. */
typedef struct place {
    const char *s, *end;
    size_t column;
} place;

/* At a line's start: what readers of mailbox files and of SMTP would change. */
static inline bool is_fragile(place p)
{
    return p.column == 0 &&
           (*p.s == '.' || (*p.s == 'F' && p.end - p.s >= 5 && memcmp(p.s, "From ", 5) == 0));
}

/* The character or line end at `p`, whichever it is, a soft break before it if it doesn't fit the
 * line: at most CHARACTER bytes. */
static inline char *encode_character(place *p, char *to)
{
    unsigned kind = kind_of(*p->s);
    if (kind == END) {
        p->s += line_end(p->s, p->end);
        p->column = 0;
        return put_end(to);
    }
    bool bare = kind == LITERAL || (kind == BLANK && p->s + 1 < p->end && kind_of(p->s[1]) != END);
    size_t octets = 1;
    if ((unsigned char)*p->s >= 0x80) {
        uint32_t point;
        size_t n = utf8_decode(p->s, (size_t)(p->end - p->s), &point);
        octets = n > 1 ? n : 1; /* a byte that begins no character goes alone */
    }
    if (p->column + (bare ? 1 : 3 * octets) > QP_COLUMNS) {
        *to++ = '=';
        to = put_end(to);
        p->column = 0;
    }
    char *start = to;
    if (bare && !is_fragile(*p))
        *to++ = *p->s;
    else
        for (size_t i = 0; i < octets; i++)
            to = put_octet(to, p->s[i]);
    p->column += (size_t)(to - start);
    p->s += octets;
    return to;
}

/* A run of characters that stand for themselves. A blank is among them unless it ends its line. */
static inline char *copy_run(copy_until *until_coded, place *p, char *to, size_t room)
{
    size_t left = (size_t)(p->end - p->s);
    if (!(kind_of(*p->s) & (LITERAL | BLANK)) || is_fragile(*p))
        return to;
    size_t n = until_coded(p->s, left, to, room, smaller(left, QP_COLUMNS - p->column));
    if (n > 0 && kind_of(p->s[n - 1]) == BLANK && (n == left || kind_of(p->s[n]) == END))
        n--;
    p->s += n;
    p->column += n;
    return to + n;
}

/* As much of the text as surely has room in `out`. */
static size_t quote(mime_encoder *e, char *out, size_t cap)
{
    copy_until *until_coded = e->kernel->until_coded;
    place p = {e->s + e->at, e->s + e->len, e->column};
    char *to = out, *end = out + cap;
    while (p.s < p.end && end - to >= CHARACTER) {
        to = copy_run(until_coded, &p, to, (size_t)(end - to));
        if (p.s < p.end && end - to >= CHARACTER)
            to = encode_character(&p, to);
    }
    e->at = (size_t)(p.s - e->s);
    e->column = p.column;
    return (size_t)(to - out);
}

/* ---- base64 ---- */

/* Up to one output line's octets of the text, line ends made CRLF; behind them is room for a
 * vector's scratch. */
static size_t gather(mime_encoder *e, char *octets, size_t room)
{
    size_t n = 0;
    if (e->owe_lf) {
        octets[n++] = '\n';
        e->owe_lf = false;
    }
    while (n < GROUP_OCTETS && e->at < e->len) {
        size_t run = e->kernel->until_ends(e->s + e->at, e->len - e->at, octets + n, room - n,
                                           smaller(GROUP_OCTETS - n, e->len - e->at));
        n += run;
        e->at += run;
        if (n == GROUP_OCTETS || e->at == e->len)
            break;
        e->at += line_end(e->s + e->at, e->s + e->len);
        octets[n++] = '\r';
        if (n == GROUP_OCTETS)
            e->owe_lf = true;
        else
            octets[n++] = '\n';
    }
    return n;
}

/* The next line into `out`, of LINE bytes. */
static size_t encode_line(mime_encoder *e, char *out)
{
    char octets[GROUP_OCTETS + 64];
    size_t n = gather(e, octets, sizeof octets);
    char *end = put_end(out + mime_base64_encode(octets, n, out));
    return (size_t)(end - out);
}

/* ---- reading ---- */

static bool is_at_end(const mime_encoder *e)
{
    return e->at == e->len && !e->owe_lf;
}

/* Makes the next piece where there is room for it, and otherwise, a small one, in `pending`. */
static size_t make(mime_encoder *e, char *out, size_t cap)
{
    size_t n = 0;
    e->pending_at = e->pending_len = 0;
    if (e->encoding == MIME_BASE64) {
        while (cap - n >= LINE && !is_at_end(e))
            n += encode_line(e, out + n);
        if (n == 0)
            e->pending_len = (uint8_t)encode_line(e, e->pending);
    } else {
        n = quote(e, out, cap);
        if (n == 0)
            e->pending_len = (uint8_t)quote(e, e->pending, sizeof e->pending);
    }
    return n;
}

size_t mime_encoder_read(mime_encoder *e, char *out, size_t cap)
{
    size_t done = 0;
    while (done < cap) {
        if (e->pending_at < e->pending_len) {
            size_t n = smaller(cap - done, (size_t)(e->pending_len - e->pending_at));
            memcpy(out + done, e->pending + e->pending_at, n);
            e->pending_at = (uint8_t)(e->pending_at + n);
            done += n;
        } else if (is_at_end(e)) {
            break;
        } else {
            done += make(e, out + done, cap - done);
        }
    }
    return done;
}

/* ---- choosing ---- */

static uint64_t base64_size(uint64_t octets)
{
    uint64_t characters = (octets + 2) / 3 * 4;
    return characters + (characters + MIME_LINE_COLUMNS - 1) / MIME_LINE_COLUMNS * 2;
}

static tally count(vector_level level, const char *s, size_t len)
{
    tally t = {0};
    if (len == 0)
        return t;
    t.ends = kind_of(s[0]) == END;
    t.coded = kind_of(s[0]) == 0;
    kernels[level].count(s + 1, len - 1, &t);
    return t;
}

mime_encoding mime_encoding_choose_with(vector_level level, const char *s, size_t len, char *out,
                                        size_t cap, uint64_t *size, bool *ends_line)
{
    char scratch[SCRATCH];
    mime_encoder e;
    size_t n;
    tally t = count(level, s, len);
    /* With line ends as CRLF; quoted-printable takes as much, and what must be encoded, at least.
     */
    uint64_t octets = (uint64_t)len + t.ends - 2 * t.pairs;
    uint64_t base64 = base64_size(octets), quoted = octets + 2 * t.coded;

    if (quoted <= base64) {
        mime_encoder_init_with(level, &e, MIME_QUOTED_PRINTABLE, s, len);
        quoted = mime_encoder_read(&e, out, cap);
        while (quoted <= base64 && (n = mime_encoder_read(&e, scratch, sizeof scratch)) > 0)
            quoted += n;
    }
    if (quoted <= base64) {
        *size = quoted;
        *ends_line = len > 0 && kind_of(s[len - 1]) == END;
        return MIME_QUOTED_PRINTABLE;
    }
    *size = base64;
    *ends_line = len > 0;
    return MIME_BASE64;
}

mime_encoding mime_encoding_choose(const char *s, size_t len, char *out, size_t cap, uint64_t *size,
                                   bool *ends_line)
{
    return mime_encoding_choose_with(vector_best(), s, len, out, cap, size, ends_line);
}
