#include "mime/base64.h"

#include <string.h>

#define MIXED    "the standard and the URL-safe alphabet are mixed"
#define OUTSIDE  "a character has no place in base64"
#define PADDING  "the padding is wrong"
#define LENGTH   "the text is cut short"
#define TRAILING "bits are left over behind the last octet"

/* What a byte is. Those from BLANK on, and 0 (no place here at all), are rare: one comparison finds
 * them. */
enum { PLAIN = 1, STANDARD = 2, URL_SAFE = 4, BLANK = 8, PAD = 16 };

/* clang-format off */
static const uint8_t kinds[256] = {
    ['\t'] = BLANK, ['\n'] = BLANK, ['\r'] = BLANK, [' '] = BLANK, ['='] = PAD,
    ['+'] = STANDARD, ['/'] = STANDARD, ['-'] = URL_SAFE, ['_'] = URL_SAFE,
    ['0'] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    ['A'] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    ['a'] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
};
/* clang-format on */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static unsigned value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (unsigned)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (unsigned)(c - 'a' + 26);
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0' + 52);
    return c == '+' || c == '-' ? 62 : 63;
}

/* ---- the ways ---- */

static char standard(char c)
{
    return c == '-' ? '+' : c == '_' ? '/' : c;
}

static size_t plain_run(const char *in, size_t len, char *out, unsigned *seen)
{
    size_t i = 0;
    for (; i < len; i++) {
        unsigned kind = kinds[(unsigned char)in[i]];
        if (kind - 1 >= BLANK - 1)
            break;
        *seen |= kind;
        if (out)
            out[i] = standard(in[i]);
    }
    return i;
}

static inline char *put_break(char *out)
{
    out[0] = '\r';
    out[1] = '\n';
    return out + 2;
}

/* Bytes of line breaks at `at`. */
static inline size_t break_length(const char *in, size_t at, size_t len)
{
    size_t n = 0;
    while (at + n < len && (in[at + n] == '\r' || in[at + n] == '\n'))
        n++;
    return n;
}

static size_t plain_lines(const char *in, size_t len, char *out, unsigned *seen, size_t *breaks)
{
    size_t at = 0;
    while (len - at >= MIME_LINE_COLUMNS) {
        unsigned line = 0;
        if (plain_run(in + at, MIME_LINE_COLUMNS, out, &line) < MIME_LINE_COLUMNS)
            break;
        *seen |= line;
        out = put_break(out + MIME_LINE_COLUMNS);
        at += MIME_LINE_COLUMNS;
        size_t n = break_length(in, at, len);
        at += n;
        *breaks += n;
    }
    return at;
}

static size_t plain_encode(const unsigned char *p, size_t len, char *out)
{
    size_t i = 0;
    for (; i + 3 <= len; i += 3, out += 4) {
        unsigned v = (unsigned)p[i] << 16 | (unsigned)p[i + 1] << 8 | p[i + 2];
        out[0] = alphabet[v >> 18];
        out[1] = alphabet[v >> 12 & 63];
        out[2] = alphabet[v >> 6 & 63];
        out[3] = alphabet[v & 63];
    }
    return i;
}

#ifdef VECTOR_HAS_128

#define CLASS_UNDERSCORE 0x20
#define CLASS_DASH       0x40
#define CLASS_URL_SAFE   (CLASS_DASH | CLASS_UNDERSCORE)
#define CLASS_STANDARD   0x80

/* The other classes: 1 digits (3x), 2 the first letters (4x and 6x), 4 the later ones (5x, 7x). */
/* clang-format off */
static const uint8_t by_low_half[16] = {
    1 | 4,
    1 | 2 | 4, 1 | 2 | 4, 1 | 2 | 4, 1 | 2 | 4, 1 | 2 | 4, 1 | 2 | 4, 1 | 2 | 4, 1 | 2 | 4, 1 | 2 | 4,
    2 | 4,
    2 | CLASS_STANDARD, /* + */
    2,
    2 | CLASS_DASH,
    2,
    2 | CLASS_STANDARD | CLASS_UNDERSCORE, /* the first is / */
};
static const uint8_t by_high_half[16] = {
    0, 0, CLASS_STANDARD | CLASS_DASH, 1, 2, 4 | CLASS_UNDERSCORE, 2, 4,
};
/* clang-format on */

/* From a value to its character: the table is asked with 0 for the small letters, 1 to 10 for
 * digits, 11 for +, 12 for / and 13 for the capitals, and gives what is to be added. */
static const uint8_t to_character[16] = {
    'a' - 26,
    (uint8_t)('0' - 52),
    (uint8_t)('0' - 52),
    (uint8_t)('0' - 52),
    (uint8_t)('0' - 52),
    (uint8_t)('0' - 52),
    (uint8_t)('0' - 52),
    (uint8_t)('0' - 52),
    (uint8_t)('0' - 52),
    (uint8_t)('0' - 52),
    (uint8_t)('0' - 52),
    (uint8_t)('+' - 62),
    (uint8_t)('/' - 63),
    'A',
};

/* The three octets b0 b1 b2 of a group, arranged as the 16-bit numbers b0 b1 and b1 b2: the first
 * holds the values of two characters from bits 10 and 4 on, the second from bits 6 and 0. */
static const uint8_t groups[16] = {1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10};

/* Octets that sextets() looks at, more than it uses. */
enum { SEXTETS_READ_128 = 16, SEXTETS_READ_256 = 28 };

#if defined(VECTOR_X86)
/* Multiplications are shifts that differ from lane to lane. */
VECTOR_TARGET_128 static inline vec_128 sextets_128(const unsigned char *in)
{
    __m128i v = lookup_128(load_128(in), table_128(groups));
    __m128i even =
        _mm_mulhi_epu16(and_128(v, _mm_set1_epi32(0x0FC0FC00)), _mm_set1_epi32(0x04000040));
    __m128i odd =
        _mm_mullo_epi16(and_128(v, _mm_set1_epi32(0x003F03F0)), _mm_set1_epi32(0x01000010));
    return or_128(even, odd);
}

VECTOR_TARGET_256 static inline vec_256 sextets_256(const unsigned char *in)
{
    __m256i both =
        _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const void *)in)),
                                _mm_loadu_si128((const void *)(in + 12)), 1);
    __m256i v = lookup_256(both, table_256(groups));
    __m256i even = _mm256_mulhi_epu16(and_256(v, _mm256_set1_epi32(0x0FC0FC00)),
                                      _mm256_set1_epi32(0x04000040));
    __m256i odd = _mm256_mullo_epi16(and_256(v, _mm256_set1_epi32(0x003F03F0)),
                                     _mm256_set1_epi32(0x01000010));
    return or_256(even, odd);
}
#elif defined(VECTOR_NEON)
VECTOR_TARGET_128 static inline vec_128 sextets_128(const unsigned char *in)
{
    static const int16_t to_even[8] = {-10, -6, -10, -6, -10, -6, -10, -6};
    static const int16_t to_odd[8] = {4, 8, 4, 8, 4, 8, 4, 8};
    uint16x8_t v = vreinterpretq_u16_u8(lookup_128(load_128(in), table_128(groups)));
    uint16x8_t even = vandq_u16(vshlq_u16(v, vld1q_s16(to_even)), vdupq_n_u16(0x003F));
    uint16x8_t odd = vandq_u16(vshlq_u16(v, vld1q_s16(to_odd)), vdupq_n_u16(0x3F00));
    return vreinterpretq_u8_u16(vorrq_u16(even, odd));
}
#endif

#define VECTOR_BITS 128
#define SHORT_RUN   plain_run
#include "mime/base64_vector.h"
#undef SHORT_RUN
#undef VECTOR_BITS
#endif

#ifdef VECTOR_HAS_256
#define VECTOR_BITS 256
#define SHORT_RUN   run_128
#include "mime/base64_vector.h"
#undef SHORT_RUN
#undef VECTOR_BITS
#endif

static const mime_base64_kernel kernels[VECTOR_LEVELS] = {
    [VECTOR_NONE] = {plain_run, plain_lines, plain_encode},
#ifdef VECTOR_HAS_128
    [VECTOR_128] = {run_128, lines_128, encode_128},
#endif
#ifdef VECTOR_HAS_256
    [VECTOR_256] = {run_256, lines_256, encode_256},
#endif
};

const mime_base64_kernel *mime_base64_kernel_at(vector_level level)
{
    return kernels[level].run ? &kernels[level] : NULL;
}

static const mime_base64_kernel *best(void)
{
    return &kernels[vector_best()];
}

/* ---- checking, and wrapping on the way ---- */

void mime_base64_stream_init(mime_base64_stream *s)
{
    *s = (mime_base64_stream){.kernel = best()};
}

static void refuse(mime_base64_stream *s, size_t offset, const char *fault)
{
    s->fault_offset = offset;
    s->fault = fault;
}

static bool is_mixed(unsigned seen)
{
    return (seen & STANDARD) && (seen & URL_SAFE);
}

/* How many of the bytes there are before the one that brings in the second alphabet. */
static size_t before_mix(const char *s, size_t len, unsigned seen)
{
    size_t i = 0;
    while (i < len && !is_mixed(seen |= kinds[(unsigned char)s[i]]))
        i++;
    return i;
}

/* What take_characters() went through: so many bytes, so many of them line breaks. */
typedef struct stretch {
    size_t bytes, breaks;
    unsigned seen;
} stretch;

/* Takes in a stretch, `at` bytes into the piece. */
static void note(mime_base64_stream *s, const char *in, size_t at, stretch t)
{
    size_t last = t.bytes;
    if (t.bytes == 0)
        return;
    if (is_mixed(t.seen | s->seen) && !is_mixed(s->seen))
        s->mixed_at = s->taken + at + before_mix(in, t.bytes, s->seen);
    s->seen |= t.seen;
    s->blanks += t.breaks;
    s->characters += t.bytes - t.breaks;
    while (kinds[(unsigned char)in[last - 1]] == BLANK) /* breaks only follow characters */
        last--;
    s->last = in[last - 1];
    s->last_at = s->taken + at + last - 1;
}

/* What there is of leading characters at `in`, whole lines at once where that can be, into `*out`,
 * unless that is NULL. */
static stretch take_characters(mime_base64_stream *s, const char *in, size_t len, char **out)
{
    stretch t = {0};
    char *to = *out;
    if (!to) {
        t.bytes = s->kernel->run(in, len, NULL, &t.seen);
        return t;
    }
    for (;;) {
        if (s->column == 0) {
            size_t breaks = 0;
            size_t n = s->kernel->lines(in + t.bytes, len - t.bytes, to, &t.seen, &breaks);
            t.bytes += n;
            t.breaks += breaks;
            to += (n - breaks) / MIME_LINE_COLUMNS * (MIME_LINE_COLUMNS + 2);
        }
        size_t most = MIME_LINE_COLUMNS - s->column;
        if (most > len - t.bytes)
            most = len - t.bytes;
        size_t run = s->kernel->run(in + t.bytes, most, to, &t.seen);
        t.bytes += run;
        to += run;
        s->column += run;
        if (s->column < MIME_LINE_COLUMNS)
            break;
        to = put_break(to);
        s->column = 0;
    }
    *out = to;
    return t;
}

/* The byte at `at` of the piece, which is not of the alphabet, or behind padding. */
static bool take_other(mime_base64_stream *s, char c, size_t at)
{
    unsigned kind = kinds[(unsigned char)c];
    if (kind == BLANK)
        s->blanks++;
    else if (kind == PAD)
        s->pads++;
    else
        refuse(s, s->taken + at, kind ? PADDING : OUTSIDE);
    return s->fault == NULL;
}

static size_t feed(mime_base64_stream *s, const char *in, size_t len, char *out)
{
    char *to = out;
    size_t at = 0;
    while (!s->fault && at < len) {
        if (s->pads == 0) {
            stretch t = take_characters(s, in + at, len - at, &to);
            note(s, in + at, at, t);
            at += t.bytes;
        }
        /* Line breaks and what else there is are few and short. */
        while (at < len && (s->pads || kinds[(unsigned char)in[at]] - 1u >= BLANK - 1u) &&
               take_other(s, in[at], at))
            at++;
    }
    s->taken += at;
    return s->fault || !out ? 0 : (size_t)(to - out);
}

size_t mime_base64_stream_feed(mime_base64_stream *s, const char *in, size_t len, char *out)
{
    return feed(s, in, len, out);
}

/* What only the end can show. */
static void check_end(mime_base64_stream *s)
{
    size_t rest = s->characters % 4;
    if (is_mixed(s->seen))
        refuse(s, s->mixed_at, MIXED);
    else if (rest == 1)
        refuse(s, s->taken, LENGTH);
    else if (s->pads && s->pads != (4 - rest) % 4)
        refuse(s, s->taken, PADDING);
    else if (rest && (value_of(s->last) & (rest == 2 ? 15u : 3u)))
        refuse(s, s->last_at, TRAILING);
}

static bool end(mime_base64_stream *s, mime_base64_info *out)
{
    if (!s->fault)
        check_end(s);
    if (s->fault) {
        *out = (mime_base64_info){.fault_offset = s->fault_offset, .fault = s->fault};
        return false;
    }
    size_t n = s->characters, rest = n % 4, total = (n + 3) / 4 * 4;
    *out = (mime_base64_info){
        .octets = n / 4 * 3 + (rest ? rest - 1 : 0),
        .characters = n,
        .wrapped = total + (total + MIME_LINE_COLUMNS - 1) / MIME_LINE_COLUMNS * 2,
        .canonical = s->blanks == 0 && !(s->seen & URL_SAFE) && n + s->pads == total,
    };
    return true;
}

bool mime_base64_stream_end(mime_base64_stream *s, char *out, size_t *written,
                            mime_base64_info *info)
{
    char *to = out;
    *written = 0;
    if (!end(s, info))
        return false;
    /* 76 is a multiple of four: padding never opens a line. */
    for (size_t pads = (4 - s->characters % 4) % 4; pads > 0; pads--, s->column++)
        *to++ = '=';
    if (s->column > 0)
        to = put_break(to);
    s->column = 0;
    *written = (size_t)(to - out);
    return true;
}

bool mime_base64_check_with(const mime_base64_kernel *k, const char *s, size_t len,
                            mime_base64_info *out)
{
    mime_base64_stream stream = {.kernel = k};
    feed(&stream, s, len, NULL);
    return end(&stream, out);
}

bool mime_base64_check(const char *s, size_t len, mime_base64_info *out)
{
    return mime_base64_check_with(best(), s, len, out);
}

/* ---- wrapping of what was checked ---- */

void mime_base64_wrap_init(mime_base64_wrap *w, const char *s, size_t len,
                           const mime_base64_info *info)
{
    *w = (mime_base64_wrap){
        .kernel = best(),
        .s = s,
        .len = len,
        .total = (info->characters + 3) / 4 * 4,
        .canonical = info->canonical,
    };
}

/* The next `n` characters, translated to the standard alphabet, breaks left out, padding made. */
static void take(mime_base64_wrap *w, char *out, size_t n)
{
    size_t i = 0;
    unsigned seen = 0;
    while (i < n && w->at < w->len) {
        size_t left = w->len - w->at;
        size_t run = w->kernel->run(w->s + w->at, left < n - i ? left : n - i, out + i, &seen);
        i += run;
        w->at += run;
        if (run == 0)
            w->at++; /* a break or padding */
    }
    memset(out + i, '=', n - i);
}

size_t mime_base64_wrap_read(mime_base64_wrap *w, char *out, size_t cap)
{
    size_t done = 0;
    while (done < cap) {
        if (w->break_at) {
            out[done++] = w->break_at == 1 ? '\r' : '\n';
            w->break_at = w->break_at == 1 ? 2 : 0;
            continue;
        }
        size_t n = MIME_LINE_COLUMNS - w->column;
        if (n > w->total - w->emitted)
            n = w->total - w->emitted;
        if (n == 0)
            break;
        if (n > cap - done)
            n = cap - done;
        if (w->canonical) {
            memcpy(out + done, w->s + w->at, n);
            w->at += n;
        } else {
            take(w, out + done, n);
        }
        done += n;
        w->emitted += n;
        w->column += n;
        if (w->column == MIME_LINE_COLUMNS || w->emitted == w->total) {
            w->column = 0;
            w->break_at = 1;
        }
    }
    return done;
}

/* ---- octets ---- */

size_t mime_base64_encode_with(const mime_base64_kernel *k, const void *octets, size_t len,
                               char *out)
{
    const unsigned char *p = octets;
    size_t i = k->encode(p, len, out);
    i += plain_encode(p + i, len - i, out + i / 3 * 4);
    char *to = out + i / 3 * 4;
    if (i < len) {
        unsigned v = (unsigned)p[i] << 16 | (i + 1 < len ? (unsigned)p[i + 1] << 8 : 0);
        *to++ = alphabet[v >> 18];
        *to++ = alphabet[v >> 12 & 63];
        *to++ = i + 1 < len ? alphabet[v >> 6 & 63] : '=';
        *to++ = '=';
    }
    return (size_t)(to - out);
}

size_t mime_base64_encode(const void *octets, size_t len, char *out)
{
    return mime_base64_encode_with(best(), octets, len, out);
}

size_t mime_base64_decode(const char *s, size_t len, void *out)
{
    unsigned char *to = out;
    unsigned held = 0, bits = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned kind = kinds[(unsigned char)s[i]];
        if (kind - 1 >= BLANK - 1)
            continue;
        held = held << 6 | value_of(s[i]);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *to++ = (unsigned char)(held >> bits);
        }
    }
    return (size_t)(to - (unsigned char *)out);
}
