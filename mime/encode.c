#include "mime/encode.h"

#include <string.h>

#include "base/utf8.h"
#include "mime/base64.h"

/* A soft break's "=" needs the last column. */
#define QP_COLUMNS   (MIME_LINE_COLUMNS - 1)
#define GROUP_OCTETS ((size_t)MIME_LINE_COLUMNS / 4 * 3)
#define SCRATCH      4096

const char *mime_encoding_name(mime_encoding e)
{
    return e == MIME_BASE64 ? "base64" : "quoted-printable";
}

void mime_encoder_init(mime_encoder *e, mime_encoding encoding, const char *s, size_t len)
{
    *e = (mime_encoder){.encoding = encoding, .s = s, .len = len};
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Length of the line end at `at`: 0 if there is none. */
static size_t line_end(const mime_encoder *e, size_t at)
{
    if (at >= e->len)
        return 0;
    if (e->s[at] == '\n')
        return 1;
    if (e->s[at] != '\r')
        return 0;
    return at + 1 < e->len && e->s[at + 1] == '\n' ? 2 : 1;
}

/* ---- quoted-printable ---- */

/* What stands for itself wherever it is in a line. The rest is looked at, or encoded. */
/* clang-format off */
static const uint8_t literal[256] = {
    ['!'] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* to < */
    ['>'] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* to ~ */
};
/* clang-format on */

static void pend(mime_encoder *e, const char *s, size_t len)
{
    memcpy(e->pending + e->pending_len, s, len);
    e->pending_len = (uint8_t)(e->pending_len + len);
}

static void pend_octet(mime_encoder *e, char octet)
{
    static const char hex[] = "0123456789ABCDEF";
    const char code[3] = {'=', hex[(unsigned char)octet >> 4], hex[(unsigned char)octet & 15]};
    pend(e, code, sizeof code);
}

/* At a line's start: what readers of mailbox files and of SMTP would change. */
static bool is_fragile(const mime_encoder *e)
{
    const char *s = e->s + e->at;
    return e->column == 0 &&
           (*s == '.' || (*s == 'F' && e->len - e->at >= 5 && memcmp(s, "From ", 5) == 0));
}

/* The character at `at`, which does not go by the fast way, into `pending`, a soft break before it
 * if it doesn't fit the line. */
static void encode_character(mime_encoder *e)
{
    size_t end = line_end(e, e->at);
    if (end) {
        pend(e, "\r\n", 2);
        e->at += end;
        e->column = 0;
        return;
    }
    char c = e->s[e->at];
    bool blank = c == ' ' || c == '\t';
    bool last = e->at + 1 == e->len || line_end(e, e->at + 1);
    bool bare = (blank && !last) || literal[(unsigned char)c];
    uint32_t point;
    size_t octets = bare ? 1 : utf8_decode(e->s + e->at, e->len - e->at, &point);
    if (octets == 0)
        octets = 1;
    size_t width = bare ? 1 : 3 * octets;
    if (e->column + width > QP_COLUMNS) {
        pend(e, "=\r\n", 3);
        e->column = 0;
    }
    if (bare && !is_fragile(e)) {
        pend(e, &c, 1);
    } else {
        for (size_t i = 0; i < octets; i++)
            pend_octet(e, e->s[e->at + i]);
        width = 3 * octets;
    }
    e->column += width;
    e->at += octets;
}

/* A run of characters that stand for themselves, straight into `out`. A blank is among them if
 * another character follows it in the run. */
static size_t copy_run(mime_encoder *e, char *out, size_t cap)
{
    size_t most = smaller(smaller(cap, e->len - e->at), QP_COLUMNS - e->column);
    const char *s = e->s + e->at;
    size_t n = 0;
    if (most == 0 || is_fragile(e))
        return 0;
    while (n < most && (literal[(unsigned char)s[n]] || (s[n] == ' ' && n + 1 < e->len - e->at &&
                                                         literal[(unsigned char)s[n + 1]])))
        n++;
    memcpy(out, s, n);
    e->at += n;
    e->column += n;
    return n;
}

/* ---- base64 ---- */

/* Up to one output line's octets of the text, line ends made CRLF. */
static size_t gather(mime_encoder *e, char octets[GROUP_OCTETS])
{
    size_t n = 0;
    if (e->owe_lf) {
        octets[n++] = '\n';
        e->owe_lf = false;
    }
    while (n < GROUP_OCTETS && e->at < e->len) {
        size_t end = line_end(e, e->at);
        if (!end) {
            octets[n++] = e->s[e->at++];
            continue;
        }
        e->at += end;
        octets[n++] = '\r';
        if (n == GROUP_OCTETS)
            e->owe_lf = true;
        else
            octets[n++] = '\n';
    }
    return n;
}

static void encode_line(mime_encoder *e)
{
    char octets[GROUP_OCTETS];
    size_t n = gather(e, octets);
    if (n == 0)
        return;
    e->pending_len = (uint8_t)mime_base64_encode(octets, n, e->pending);
    pend(e, "\r\n", 2);
}

/* ---- reading ---- */

size_t mime_encoder_read(mime_encoder *e, char *out, size_t cap)
{
    size_t done = 0;
    while (done < cap) {
        if (e->pending_at < e->pending_len) {
            size_t n = smaller(cap - done, (size_t)(e->pending_len - e->pending_at));
            memcpy(out + done, e->pending + e->pending_at, n);
            e->pending_at = (uint8_t)(e->pending_at + n);
            done += n;
            continue;
        }
        e->pending_at = e->pending_len = 0;
        if (e->at == e->len && !e->owe_lf)
            break;
        if (e->encoding == MIME_BASE64) {
            encode_line(e);
        } else {
            size_t n = copy_run(e, out + done, cap - done);
            if (n == 0)
                encode_character(e);
            done += n;
        }
    }
    return done;
}

/* Octets of the text with its line ends as CRLF. */
static uint64_t normal_size(const char *s, size_t len)
{
    uint64_t size = len;
    for (size_t i = 0; i < len; i++) {
        bool lf = s[i] == '\n';
        bool cr = s[i] == '\r';
        bool after_cr = lf && i > 0 && s[i - 1] == '\r';
        size += (lf && !after_cr) || (cr && !(i + 1 < len && s[i + 1] == '\n'));
    }
    return size;
}

mime_encoding mime_encoding_choose(const char *s, size_t len, uint64_t *size, bool *ends_line)
{
    char scratch[SCRATCH];
    mime_encoder e;
    size_t n;
    uint64_t quoted = 0;
    uint64_t characters = (normal_size(s, len) + 2) / 3 * 4;
    uint64_t base64 = characters + (characters + MIME_LINE_COLUMNS - 1) / MIME_LINE_COLUMNS * 2;

    mime_encoder_init(&e, MIME_QUOTED_PRINTABLE, s, len);
    while (quoted <= base64 && (n = mime_encoder_read(&e, scratch, sizeof scratch)) > 0)
        quoted += n;
    if (quoted <= base64) {
        *size = quoted;
        *ends_line = len > 0 && (s[len - 1] == '\n' || s[len - 1] == '\r');
        return MIME_QUOTED_PRINTABLE;
    }
    *size = base64;
    *ends_line = len > 0;
    return MIME_BASE64;
}
