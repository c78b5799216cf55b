#include "mime/encode.h"

#include <string.h>

#include "base/utf8.h"
#include "mime/base64.h"

/* A soft break's "=" needs the last column. */
#define QP_COLUMNS   (MIME_LINE_COLUMNS - 1)
#define GROUP_OCTETS ((size_t)MIME_LINE_COLUMNS / 4 * 3)
#define SCRATCH      4096
/* The most that one character takes: a soft break and four octets. */
#define CHARACTER    15
#define LONGEST_CODE 12 /* of a character's octets */
/* How much of a text is looked at to see which encoding suits it: a byte and whole vectors. */
#define PROBE 257
#define LINE  ((size_t)MIME_LINE_COLUMNS + 2)

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

/* Copies up to `most` leading bytes, until the first that is half a line end, and returns their
 * number. What follows them may be looked at within `from_room` and scratched within `to_room`. */
typedef size_t copy_until_ends(const char *from, size_t from_room, char *to, size_t to_room,
                               size_t most);

/* A position in a text and in the output line: what of an encoder changes with every character. */
typedef struct place {
    const char *s, *end;
    size_t column;
    size_t grown; /* line ends that take one octet more than they did */
} place;

typedef struct mime_encode_kernel {
    /* Quotes as much as it can, room up to `end` and the text's end permitting: the new end of the
     * output. No blank whose line may end behind it is the last. */
    char *(*quote)(place *p, char *to, const char *end);
    copy_until_ends *until_ends;
    /* Adds up a text's tally; s[-1] can be read. */
    void (*count)(const char *s, size_t len, tally *t);
} mime_encode_kernel;

static size_t plain_until_ends(const char *from, size_t from_room, char *to, size_t to_room,
                               size_t most)
{
    size_t end = smaller(smaller(from_room, to_room), most), n = 0;
    for (; n < end && kind_of(from[n]) != END; n++)
        to[n] = from[n];
    return n;
}

static void plain_count_tally(const char *s, size_t len, tally *t)
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

/* ---- quoted-printable ---- */

#define HEX_ROW(h)                                                                                 \
    h "0" h "1" h "2" h "3" h "4" h "5" h "6" h "7" h "8" h "9" h "A" h "B" h "C" h "D" h "E" h "F"

static char *put_octet(char *out, char octet)
{
    static const char hex[] = HEX_ROW("0") HEX_ROW("1") HEX_ROW("2") HEX_ROW("3") HEX_ROW("4")
        HEX_ROW("5") HEX_ROW("6") HEX_ROW("7") HEX_ROW("8") HEX_ROW("9") HEX_ROW("A") HEX_ROW("B")
            HEX_ROW("C") HEX_ROW("D") HEX_ROW("E") HEX_ROW("F");
    out[0] = '=';
    memcpy(out + 1, hex + (size_t)2 * (unsigned char)octet, 2);
    return out + 3;
}

static char *put_soft_break(char *out)
{
    *out = '=';
    return put_end(out + 1);
}

/* At a line's start: what readers of mailbox files and of SMTP would change. */
static inline bool is_fragile(const char *s, const char *end)
{
    return *s == '.' || (*s == 'F' && end - s >= 5 && memcmp(s, "From ", 5) == 0);
}

/* How many octets at `s` are parted by no soft break: one that begins no character goes alone. */
static size_t character_octets(const char *s, const char *end)
{
    uint32_t point;
    size_t n = (unsigned char)*s < 0x80 ? 1 : utf8_decode(s, (size_t)(end - s), &point);
    return n > 1 ? n : 1;
}

/* The character or line end at `p`, whichever it is, a soft break before it if it doesn't fit the
 * line: at most CHARACTER bytes. */
static char *quote_character(place *p, char *to)
{
    unsigned kind = kind_of(*p->s);
    size_t octets = kind == END ? line_end(p->s, p->end) : character_octets(p->s, p->end);
    bool bare = kind == LITERAL || (kind == BLANK && p->s + 1 < p->end && kind_of(p->s[1]) != END);
    if (kind == END) {
        p->s += octets;
        p->column = 0;
        p->grown += 2 - octets;
        return put_end(to);
    }
    if (p->column + (bare ? 1 : 3 * octets) > QP_COLUMNS) {
        to = put_soft_break(to);
        p->column = 0;
    }
    char *start = to;
    if (bare && !(p->column == 0 && is_fragile(p->s, p->end)))
        *to++ = *p->s;
    else
        for (size_t i = 0; i < octets; i++)
            to = put_octet(to, p->s[i]);
    p->column += (size_t)(to - start);
    p->s += octets;
    return to;
}

static char *plain_quote(place *p, char *to, const char *end)
{
    while (p->s < p->end && end - to >= CHARACTER) {
        if (kind_of(*p->s) == LITERAL && p->column > 0 && p->column < QP_COLUMNS) {
            *to++ = *p->s++;
            p->column++;
        } else {
            to = quote_character(p, to);
        }
    }
    return to;
}

/* ---- the fast ways ---- */

#ifdef VECTOR_HAS_128

/* What stands for itself, by its halves: what both say, it is. */
#define TAB      1
#define ROW      2 /* of sixteen, all */
#define EQUALS_3 4 /* all but '=' */
#define DEL_7    8 /* all but DEL */
#define ANY_LOW  (ROW | EQUALS_3 | DEL_7)

static const uint8_t literal_by_high[16] = {
    [0x0] = TAB, [0x2] = ROW, [0x3] = EQUALS_3, [0x4] = ROW,
    [0x5] = ROW, [0x6] = ROW, [0x7] = DEL_7,
};

static const uint8_t literal_by_low[16] = {
    [0x0 ... 0x8] = ANY_LOW, [0x9] = ANY_LOW | TAB, [0xA ... 0xC] = ANY_LOW,
    [0xD] = ROW | DEL_7,     [0xE] = ANY_LOW,       [0xF] = ROW | EQUALS_3,
};

/* How much is quoted at a time; what it comes to, a whole vector and a line behind it, at most. */
#define WINDOW      63U
#define WINDOW_ROOM 384

#define ALWAYS static inline __attribute__((always_inline))

/* A place, while WINDOW_ROOM is there. */
typedef struct quoter {
    const char *s, *end;
    char *to, *line;   /* the output; where its line is full */
    const char *start; /* of the output */
    uint64_t stops;    /* a bit for each byte of the window that is coded, and one for its end */
    size_t grown;
} quoter;

ALWAYS void pass(quoter *q, size_t octets)
{
    q->s += octets;
    q->stops >>= octets;
}

ALWAYS void pass_octet(quoter *q)
{
    q->to = put_octet(q->to, *q->s);
    pass(q, 1);
}

/* What comes next can be read, if only behind the text's end: a zero. */
ALWAYS void begin_line(quoter *q)
{
    q->line = q->to + QP_COLUMNS;
    if (is_fragile(q->s, q->end))
        pass_octet(q);
}

ALWAYS void break_line(quoter *q)
{
    q->to = put_soft_break(q->to);
    begin_line(q);
}

/* A blank in front is one that ends its line, and has been written as one that doesn't. */
ALWAYS void end_line(quoter *q)
{
    if (q->to > q->start && kind_of(q->to[-1]) == BLANK) {
        char blank = *--q->to;
        if (q->line - q->to < 3)
            q->to = put_soft_break(q->to);
        q->to = put_octet(q->to, blank);
    }
    size_t octets = line_end(q->s, q->end);
    q->grown += 2 - octets;
    q->to = put_end(q->to);
    pass(q, octets);
    begin_line(q);
}

/* The octets that go on with a character, as far as the window and the line have room for them. A
 * character that has room is not parted by that; what is none has no need to stay whole. */
ALWAYS void pass_tails(quoter *q)
{
    while (q->stops > 1 && ((unsigned char)*q->s & 0xC0) == 0x80 && q->line - q->to >= 3)
        pass_octet(q);
}

/* Where the line may have no room for it. */
ALWAYS void encode_character(quoter *q)
{
    size_t octets = character_octets(q->s, q->end);
    if ((size_t)(q->line - q->to) < 3 * octets)
        break_line(q);
    for (; octets > 0; octets--)
        pass_octet(q);
}

/* What has been copied, `run` bytes that stand for themselves, if there is room for them, and the
 * one behind them if it is in the window. */
ALWAYS void pass_run(quoter *q, size_t run)
{
    size_t room = (size_t)(q->line - q->to);
    if (run > room) {
        q->to += room;
        pass(q, room);
        break_line(q);
        return;
    }
    q->to += run;
    pass(q, run);
    if (q->stops == 1)
        return;
    char first = *q->s;
    if (kind_of(first) == END) {
        end_line(q);
    } else if (room - run >= LONGEST_CODE) {
        pass_octet(q);
        if ((unsigned char)first >= 0xC0)
            pass_tails(q);
    } else {
        encode_character(q);
    }
}

ALWAYS quoter begin_quoting(const place *p, char *to)
{
    quoter q = {.s = p->s, .end = p->end, .to = to, .start = to};
    if (p->column == 0 && p->s < p->end)
        begin_line(&q);
    else
        q.line = to + (QP_COLUMNS - p->column);
    return q;
}

/* Goes back in front of a blank: its line may end there. The end of the output. */
ALWAYS char *end_quoting(const quoter *q, place *p)
{
    size_t back = q->to > q->start && kind_of(q->to[-1]) == BLANK;
    p->s = p->end - (q->end - q->s) - back;
    p->column = QP_COLUMNS - (size_t)(q->line - q->to) - back;
    p->grown += q->grown;
    return q->to - back;
}

#endif

#ifdef VECTOR_HAS_128
#define VECTOR_BITS   128
#define SHORTER(name) plain_##name
#include "mime/encode_vector.h"
#undef SHORTER
#undef VECTOR_BITS
#endif

#ifdef VECTOR_HAS_256
#define VECTOR_BITS   256
#define SHORTER(name) name##_128
#include "mime/encode_vector.h"
#undef SHORTER
#undef VECTOR_BITS
#endif

static const mime_encode_kernel kernels[VECTOR_LEVELS] = {
    [VECTOR_NONE] = {plain_quote, plain_until_ends, plain_count_tally},
#ifdef VECTOR_HAS_128
    [VECTOR_128] = {quote_128, until_ends_128, count_tally_128},
#endif
#ifdef VECTOR_HAS_256
    [VECTOR_256] = {quote_256, until_ends_256, count_tally_256},
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

/* As much of the text as surely has room in `out`. */
static size_t quote(mime_encoder *e, char *out, size_t cap)
{
    place p = {e->s + e->at, e->s + e->len, e->column, 0};
    char *to = e->kernel->quote(&p, out, out + cap);
    e->at = (size_t)(p.s - e->s);
    e->column = p.column;
    e->grown += p.grown;
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

/* What a text takes with its line ends as CRLF. */
static uint64_t count_octets(vector_level level, const char *s, size_t len, size_t *coded)
{
    tally t = {0};
    if (len > 0) {
        t.ends = kind_of(s[0]) == END;
        t.coded = kind_of(s[0]) == 0;
        kernels[level].count(s + 1, len - 1, &t);
    }
    *coded = t.coded;
    return (uint64_t)len + t.ends - 2 * t.pairs;
}

/* Quoted-printable takes as much, and what must be encoded, at least. */
static bool may_be_quoted(vector_level level, const char *s, size_t len)
{
    size_t coded;
    uint64_t octets = count_octets(level, s, len, &coded);
    return octets + 2 * (uint64_t)coded <= base64_size(octets);
}

mime_encoding mime_encoding_choose_with(vector_level level, const char *s, size_t len, char *out,
                                        size_t cap, uint64_t *size, bool *ends_line)
{
    char scratch[SCRATCH];
    mime_encoder e;
    size_t n;
    uint64_t quoted = UINT64_MAX, base64 = 0;
    size_t coded;

    /* A text that begins so mostly goes on so: trying tells. */
    if (may_be_quoted(level, s, smaller(len, PROBE)) || may_be_quoted(level, s, len)) {
        mime_encoder_init_with(level, &e, MIME_QUOTED_PRINTABLE, s, len);
        quoted = mime_encoder_read(&e, out, cap);
        /* In base64, the rest takes twice its length before it is made so, at most. */
        while (quoted <= (base64 = base64_size((uint64_t)len + e.grown + (len - e.at))) &&
               (n = mime_encoder_read(&e, scratch, sizeof scratch)) > 0)
            quoted += n;
    }
    if (quoted <= base64) {
        *size = quoted;
        *ends_line = len > 0 && kind_of(s[len - 1]) == END;
        return MIME_QUOTED_PRINTABLE;
    }
    *size = base64_size(count_octets(level, s, len, &coded));
    *ends_line = len > 0;
    return MIME_BASE64;
}

mime_encoding mime_encoding_choose(const char *s, size_t len, char *out, size_t cap, uint64_t *size,
                                   bool *ends_line)
{
    return mime_encoding_choose_with(vector_best(), s, len, out, cap, size, ends_line);
}
