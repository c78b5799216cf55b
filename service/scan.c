#include "service/scan.h"

#include <string.h>

#include "mime/base64.h"

#define MARK "\\u0000" /* how a string must begin to look like a reference */

static const char BAD_ESCAPE[] = "invalid escape";
static const char BAD_SURROGATE[] = "invalid Unicode surrogate";
static const char BAD_UTF8[] = "invalid UTF-8";
static const char BAD_CONTROL[] = "control character in a string";
static const char BAD_OCTET[] = "a number from 0 to 255 is expected in a list of octets";

/* scan.octet, where it is no number. */
#define NUMBER_WANTED (-2) /* at the beginning, or behind a comma */
#define NUMBER_OVER   (-1) /* a comma or the end is next */

void scan_init(scan *s, buf *rest, const scan_sink *sink, size_t lift_at)
{
    memset(s, 0, offsetof(scan, gathered));
    s->rest = rest;
    s->sink = *sink;
    s->lift_at = lift_at;
}

static bool stop(scan *s)
{
    s->state = SCAN_STOPPED;
    return false;
}

/* `at`: in the text. */
static bool fault(scan *s, const char *what, uint64_t at)
{
    s->state = SCAN_FAULT;
    s->fault = what;
    s->fault_at = at;
    s->rest->len = s->string_at;
    return false;
}

/* ---- lifted strings ---- */

static bool give(scan *s, const char *bytes, size_t len)
{
    return s->sink.add(s->sink.ctx, bytes, len) || stop(s);
}

static bool give_gathered(scan *s)
{
    size_t len = s->gathered_len;
    s->gathered_len = 0;
    return len == 0 || give(s, s->gathered, len);
}

static bool gather(scan *s, const char *bytes, size_t len)
{
    memcpy(s->gathered + s->gathered_len, bytes, len);
    s->gathered_len += len;
    return true;
}

static __attribute__((noinline)) bool put_beyond(scan *s, const char *bytes, size_t len)
{
    return give_gathered(s) && (len > SCAN_GATHER ? give(s, bytes, len) : gather(s, bytes, len));
}

/* Texts are runs of some dozen bytes between escapes: they go to the sink together. */
static inline bool put(scan *s, const char *bytes, size_t len)
{
    return len > SCAN_GATHER - s->gathered_len ? put_beyond(s, bytes, len) : gather(s, bytes, len);
}

/* By a hexadecimal digit: its value and one; 0: it is none. */
static const unsigned char hex_plus_one[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

/* By the letter behind a backslash: what it stands for; 0: no such escape, or \u. */
static const char escaped_by[256] = {
    ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
    ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t',
};

static int hex_digit(char c)
{
    return hex_plus_one[(unsigned char)c] - 1;
}

/* The four digits of the escape at `at` in the buffer. */
static int32_t unit_at(const scan *s, size_t at)
{
    int32_t unit = 0;
    for (size_t i = at + 2; i < at + 6; i++)
        unit = unit << 4 | hex_digit(s->escape[i]);
    return unit;
}

/* \uXXXX, or the two of a surrogate pair, when whole: escape() has looked at their form. */
static bool put_point(scan *s, uint64_t at)
{
    char bytes[4];
    int32_t unit = unit_at(s, 0);
    if (unit >= 0xDC00 && unit <= 0xDFFF)
        return fault(s, BAD_SURROGATE, at);
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        if (s->escape_len == 6)
            return true; /* its other half must follow */
        int32_t low = unit_at(s, 6);
        if (low < 0xDC00 || low > 0xDFFF)
            return fault(s, BAD_SURROGATE, at);
        unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
    }
    s->escape_len = 0;
    return put(s, bytes, utf8_encode((uint32_t)unit, bytes));
}

/* Takes one byte of an escape. `at`: its place in the text. */
static bool escape(scan *s, char c, uint64_t at)
{
    s->escape[s->escape_len++] = c;
    if (s->escape_len == 2 && c != 'u') {
        const char *meant = &escaped_by[(unsigned char)c];
        if (!*meant)
            return fault(s, BAD_ESCAPE, at);
        s->escape_len = 0;
        return put(s, meant, 1);
    }
    /* What follows half a pair is looked at before it is waited for: a quote would end the string.
     */
    if ((s->escape_len == 7 && c != '\\') || (s->escape_len == 8 && c != 'u'))
        return fault(s, BAD_SURROGATE, at);
    if (s->escape_len > 2 && s->escape_len != 7 && s->escape_len != 8 && hex_digit(c) < 0)
        return fault(s, BAD_ESCAPE, at);
    return (s->escape_len != 6 && s->escape_len != SCAN_ESCAPE) || put_point(s, at);
}

static bool put_byte(scan *s, char c)
{
    if (s->gathered_len == SCAN_GATHER)
        return put(s, &c, 1);
    s->gathered[s->gathered_len++] = c;
    return true;
}

/* An escape that stands here as a whole and is one character, as nearly all are: its length. 0: it
 * is for escape(), byte by byte. */
static size_t whole_escape(scan *s, const char *text, size_t len)
{
    char bytes[4];
    int unit = 0, bad = 0;
    if (len < 2)
        return 0;
    char meant = escaped_by[(unsigned char)text[1]];
    if (meant) {
        (void)put_byte(s, meant);
        return 2;
    }
    if (text[1] != 'u' || len < 6)
        return 0;
    for (size_t i = 2; i < 6; i++) {
        int digit = hex_digit(text[i]);
        bad |= digit; /* -1 stays negative */
        unit = unit << 4 | (digit & 15);
    }
    if (bad < 0 || (unit >= 0xD800 && unit <= 0xDFFF))
        return 0;
    (void)put(s, bytes, utf8_encode((uint32_t)unit, bytes));
    return 6;
}

/* The rest ends where the reference's quote has been written, or is not wanted. */
static bool refer(scan *s, uint64_t behind)
{
    s->string_end = behind;
    buf_adds(s->rest, MARK);
    buf_addu(s->rest, s->lifted++);
    buf_addc(s->rest, '"');
    s->state = SCAN_OUTSIDE;
    return (buf_ok(s->rest) && give_gathered(s) && s->sink.end(s->sink.ctx)) || stop(s);
}

static bool end_lifted(scan *s, uint64_t behind)
{
    s->rest->len = s->string_at;
    return refer(s, behind);
}

/* Plain characters up to a quote, a backslash or a control: how many. */
static inline size_t run(scan *s, vector_level level, const char *text, size_t len, uint64_t at)
{
    bool beyond_ascii = !utf8_check_end(&s->utf8);
    size_t n = utf8_plain_run_with(level, text, len, &beyond_ascii);
    size_t good = beyond_ascii ? utf8_check_feed(&s->utf8, text, n) : n;
    if (good < n)
        (void)fault(s, BAD_UTF8, at + good);
    else if (n > 0)
        (void)put(s, text, n);
    return n;
}

/* Follows a lifted string; returns how much of `text` was taken: all, or up to behind its quote.
 * `at`: the place of `text` in the document. */
static size_t lifted(scan *s, const char *text, size_t len, uint64_t at)
{
    vector_level level = vector_best();
    size_t i = 0, n;
    while (i < len && s->state == SCAN_LIFTED) {
        if (s->escape_len > 0) {
            (void)escape(s, text[i], at + i);
            i++;
            continue;
        }
        i += run(s, level, text + i, len - i, at + i);
        if (i == len || s->state != SCAN_LIFTED)
            break;
        if (!utf8_check_end(&s->utf8))
            (void)fault(s, BAD_UTF8, at + i);
        else if (text[i] == '"')
            (void)end_lifted(s, at + i + 1);
        else if (text[i] != '\\')
            (void)fault(s, BAD_CONTROL, at + i);
        else if ((n = whole_escape(s, text + i, len - i)) > 0)
            i += n - 1;
        else
            s->escape[s->escape_len++] = '\\';
        i++;
    }
    return i;
}

/* ---- short strings ---- */

/* The string at hand goes to the sink, from its first byte on. `at`: the text behind it. */
static bool lift(scan *s, uint64_t at)
{
    size_t len = s->rest->len - s->string_at;
    s->state = SCAN_LIFTED;
    s->escape_len = 0;
    s->utf8 = (utf8_check){0};
    if (!s->sink.begin(s->sink.ctx))
        return stop(s);
    (void)lifted(s, s->rest->data + s->string_at, len, at - len);
    return s->state == SCAN_LIFTED;
}

static void remember_name(scan *s)
{
    size_t len = s->rest->len - s->string_at;
    if (s->depth == 0 || s->depth > SCAN_NAMES)
        return;
    char *name = s->names[s->depth - 1];
    if (len >= SCAN_NAME)
        len = 0;
    memcpy(name, s->rest->data + s->string_at, len);
    name[len] = '\0';
}

/* The quote behind a short string came; the rest ends before it. */
static bool end_short(scan *s)
{
    size_t len = s->rest->len - s->string_at;
    s->state = SCAN_OUTSIDE;
    if (s->is_name) {
        remember_name(s);
    } else if (len >= sizeof MARK - 1 &&
               memcmp(s->rest->data + s->string_at, MARK, sizeof MARK - 1) == 0) {
        return lift(s, s->at - 1) && lifted(s, "\"", 1, s->at - 1) == 1 && s->state == SCAN_OUTSIDE;
    }
    buf_addc(s->rest, '"');
    return buf_ok(s->rest) || stop(s);
}

/* Bytes up to the quote, which is not counted; `escaped` goes on over pieces. */
static size_t find_quote(scan *s, const char *text, size_t len)
{
    bool beyond_ascii = false; /* not asked for here */
    size_t i = 0;
    while (i < len) {
        if (s->escaped) {
            s->escaped = false;
            i++;
            continue;
        }
        i += utf8_plain_run(text + i, len - i, &beyond_ascii);
        if (i == len || text[i] == '"')
            break;
        s->escaped = text[i] == '\\'; /* a control is the parser's, or lift()'s */
        i++;
    }
    return i;
}

static bool may_lift(const scan *s)
{
    return !s->is_name && s->depth <= SCAN_DEPTH;
}

/* Follows a short string; returns how much was taken. */
static size_t short_string(scan *s, const char *text, size_t len)
{
    size_t had = s->rest->len - s->string_at;
    size_t most = len;
    if (may_lift(s) && most > s->lift_at - had)
        most = s->lift_at - had + 1;
    size_t n = find_quote(s, text, most);
    buf_add(s->rest, text, n);
    s->at += n;
    if (!buf_ok(s->rest)) {
        (void)stop(s);
        return n;
    }
    if (n < most) { /* the quote */
        s->at++;
        (void)end_short(s);
        return n + 1;
    }
    if (may_lift(s) && had + n > s->lift_at)
        (void)lift(s, s->at);
    return n;
}

/* ---- octets ---- */

static bool give_octets(scan *s)
{
    s->gathered_len = mime_base64_encode(s->octets, s->octets_len, s->gathered);
    s->octets_len = 0;
    return give_gathered(s);
}

/* The number at hand is whole. */
static bool put_octet(scan *s)
{
    s->octets[s->octets_len++] = (unsigned char)s->octet;
    s->octet_came = true;
    return s->octets_len < sizeof s->octets || give_octets(s);
}

/* RFC 8259 section 6: no digit stands behind a leading zero. */
static bool take_digit(scan *s, char c, uint64_t at)
{
    if (s->octet == NUMBER_OVER || s->octet == 0)
        return fault(s, BAD_OCTET, at);
    s->octet = s->octet == NUMBER_WANTED ? c - '0' : 10 * s->octet + (c - '0');
    return s->octet <= 255 || fault(s, BAD_OCTET, at);
}

/* A comma, a blank, or what has no place here. */
static bool take_other(scan *s, char c, uint64_t at)
{
    if (c != ',' && c != ' ' && c != '\t' && c != '\r' && c != '\n')
        return fault(s, BAD_OCTET, at);
    if (s->octet >= 0) {
        if (!put_octet(s))
            return false;
        s->octet = NUMBER_OVER;
    }
    if (c != ',')
        return true;
    if (s->octet == NUMBER_WANTED)
        return fault(s, BAD_OCTET, at);
    s->octet = NUMBER_WANTED;
    return true;
}

/* Its bracket came. */
static bool end_octets(scan *s, uint64_t at)
{
    if (s->octet == NUMBER_WANTED && s->octet_came)
        return fault(s, BAD_OCTET, at);
    if ((s->octet >= 0 && !put_octet(s)) || !give_octets(s))
        return false;
    s->depth -= s->depth > 0;
    s->wants_name = false;
    s->rest->len = s->string_at;
    buf_addc(s->rest, '"');
    return refer(s, at + 1);
}

/* Follows an array that goes to the sink; returns how much was taken. */
static size_t octets(scan *s, const char *text, size_t len, uint64_t at)
{
    size_t i = 0;
    for (; i < len && s->state == SCAN_OCTETS; i++) {
        if (text[i] >= '0' && text[i] <= '9')
            (void)take_digit(s, text[i], at + i);
        else if (text[i] == ']')
            (void)end_octets(s, at + i);
        else
            (void)take_other(s, text[i], at + i);
    }
    return i;
}

/* The array at hand goes to the sink, from behind its bracket on. `at`: the text behind what came.
 */
static void lift_octets(scan *s, uint64_t at)
{
    size_t from = s->string_at + 1, len = s->rest->len - from;
    s->state = SCAN_OCTETS;
    s->octet = NUMBER_WANTED;
    s->octet_came = false;
    s->octets_len = 0;
    if (!s->sink.begin(s->sink.ctx))
        (void)stop(s);
    else
        (void)octets(s, s->rest->data + from, len, at - len);
}

/* Follows an array of numbers that is short, so far; returns how much was taken. */
static size_t numbers(scan *s, const char *text, size_t len)
{
    size_t n = 0, had = s->rest->len - s->string_at - 1;
    size_t most = had <= s->lift_at && len > s->lift_at - had ? s->lift_at - had + 1 : len;
    while (n < most && ((text[n] >= '0' && text[n] <= '9') || text[n] == ',' || text[n] == ' ' ||
                        text[n] == '\t' || text[n] == '\r' || text[n] == '\n'))
        n++;
    buf_add(s->rest, text, n);
    s->at += n;
    if (!buf_ok(s->rest))
        (void)stop(s);
    else if (had + n > s->lift_at)
        lift_octets(s, s->at);
    else if (n < most)
        s->state = SCAN_OUTSIDE; /* its bracket, or what is the parser's to judge */
    return n;
}

/* ---- outside ---- */

static void enter(scan *s, bool object)
{
    if (s->depth < SCAN_DEPTH) {
        uint64_t bit = UINT64_C(1) << s->depth;
        s->objects = object ? s->objects | bit : s->objects & ~bit;
    }
    if (s->depth < SCAN_NAMES)
        s->names[s->depth][0] = '\0';
    s->depth++;
    s->wants_name = object;
}

static bool in_object(const scan *s)
{
    return s->depth > 0 && s->depth <= SCAN_DEPTH && (s->objects >> (s->depth - 1) & 1);
}

/* True if what began is an array of octets. */
static bool structure(scan *s, char c)
{
    bool is_octets = false;
    switch (c) {
    case '{': enter(s, true); break;
    case '[':
        is_octets = s->sink.octets && s->depth < SCAN_DEPTH && s->sink.octets(s->sink.ctx);
        enter(s, false);
        break;
    case '}':
    case ']':
        s->depth -= s->depth > 0;
        s->wants_name = false;
        break;
    case ',': s->wants_name = in_object(s); break;
    case ':': s->wants_name = false; break;
    default: break;
    }
    return is_octets;
}

/* Follows what is between strings, up to behind the next quote. */
static size_t outside(scan *s, const char *text, size_t len)
{
    size_t i = 0;
    bool is_octets = false;
    while (i < len && text[i] != '"' && !is_octets)
        is_octets = structure(s, text[i++]);
    bool quote = !is_octets && i < len;
    i += quote;
    buf_add(s->rest, text, i);
    s->at += i;
    if (!buf_ok(s->rest)) {
        (void)stop(s);
    } else if (is_octets) {
        s->state = SCAN_NUMBERS;
        s->string_at = s->rest->len - 1;
    } else if (quote) {
        s->state = SCAN_SHORT;
        s->is_name = s->wants_name;
        s->escaped = false;
        s->string_at = s->rest->len;
    }
    return i;
}

bool scan_feed(scan *s, const char *text, size_t len)
{
    size_t i = 0, n;
    while (i < len && s->state < SCAN_FAULT) {
        s->left = len - i;
        switch (s->state) {
        case SCAN_OUTSIDE: i += outside(s, text + i, len - i); break;
        case SCAN_SHORT: i += short_string(s, text + i, len - i); break;
        case SCAN_NUMBERS: i += numbers(s, text + i, len - i); break;
        case SCAN_OCTETS:
            n = octets(s, text + i, len - i, s->at);
            s->at += n;
            i += n;
            break;
        default: /* SCAN_LIFTED */
            n = lifted(s, text + i, len - i, s->at);
            s->at += n;
            i += n;
            break;
        }
    }
    return s->state < SCAN_FAULT;
}

const char *scan_name(const scan *s, unsigned level)
{
    return level >= 1 && level <= SCAN_NAMES && level <= s->depth ? s->names[level - 1] : "";
}

unsigned scan_depth(const scan *s)
{
    return s->depth;
}

size_t scan_left(const scan *s)
{
    return s->left;
}

bool scan_reference(const char *string, size_t len, size_t *which)
{
    size_t n = 0;
    if (len < 2 || string[0] != '\0')
        return false;
    for (size_t i = 1; i < len; i++) {
        if (string[i] < '0' || string[i] > '9')
            return false;
        n = n * 10 + (size_t)(string[i] - '0');
    }
    *which = n;
    return true;
}
