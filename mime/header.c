#include "mime/header.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/few.h"
#include "base/utf8.h"
#include "mime/base64.h"

#define LINE_WANTED                                                                                \
    76 /* RFC 5322 section 2.1.1 wants 78 at most, RFC 2047 76 with encoded-words                  \
        */
#define LINE_ENCODED LINE_WANTED
#define WORD_MAX     900 /* of text without a place to fold: leaves room for the name in 998 */
#define NAME_LENGTH  76
#define EW_HEAD      "=?UTF-8?"
#define EW_OVERHEAD  12 /* =?UTF-8?B? and ?= */
#define EW_MAX       75
#define EW_LEAST     20 /* room on a line that is worth beginning an encoded-word in */

/* ---- what may be set ---- */

typedef enum rule { FORBIDDEN, STRUCTURED } rule;

#define OWN   "Postern writes it itself"
#define TRACE "it belongs to those who carry the message"

#define NAMED(name)  name, sizeof(name) - 1, false
#define PREFIX(name) name, sizeof(name) - 1, true /* all that begin so */

static const struct {
    const char *name;
    uint8_t len;
    bool prefix;
    rule rule;
    const char *reason;
} rules[] = {
    {NAMED("Bcc"), FORBIDDEN, "use the member bcc"},
    {NAMED("Cc"), FORBIDDEN, "use the member cc"},
    {PREFIX("Content-"), FORBIDDEN, OWN},
    {NAMED("Date"), FORBIDDEN, OWN},
    {NAMED("From"), FORBIDDEN, "use the member from"},
    {NAMED("Message-ID"), FORBIDDEN, OWN},
    {NAMED("MIME-Version"), FORBIDDEN, OWN},
    {NAMED("Reply-To"), FORBIDDEN, "use the member reply_to"},
    {NAMED("Subject"), FORBIDDEN, "use the member subject"},
    {NAMED("To"), FORBIDDEN, "use the member to"},
    {PREFIX("ARC-"), FORBIDDEN, TRACE},
    {NAMED("Authentication-Results"), FORBIDDEN, TRACE},
    {NAMED("Delivered-To"), FORBIDDEN, TRACE},
    {NAMED("DKIM-Signature"), FORBIDDEN, TRACE},
    {NAMED("Received"), FORBIDDEN, TRACE},
    {NAMED("Received-SPF"), FORBIDDEN, TRACE},
    {PREFIX("Resent-"), FORBIDDEN, TRACE},
    {NAMED("Return-Path"), FORBIDDEN, "use the member envelope_from"},
    {NAMED("Auto-Submitted"), STRUCTURED, NULL},
    {NAMED("Autocrypt"), STRUCTURED, NULL},
    {NAMED("Disposition-Notification-To"), STRUCTURED, NULL},
    {NAMED("Errors-To"), STRUCTURED, NULL},
    {NAMED("Feedback-ID"), STRUCTURED, NULL},
    {NAMED("Importance"), STRUCTURED, NULL},
    {NAMED("In-Reply-To"), STRUCTURED, NULL},
    {PREFIX("List-"), STRUCTURED, NULL},
    {NAMED("Precedence"), STRUCTURED, NULL},
    {NAMED("Priority"), STRUCTURED, NULL},
    {NAMED("References"), STRUCTURED, NULL},
    {NAMED("Sender"), STRUCTURED, NULL},
    {NAMED("X-Priority"), STRUCTURED, NULL},
};

/* The row for a name, or NULL: an unstructured field. */
static const void *find(const char *name, size_t len, rule *out, const char **reason)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        size_t n = rules[i].len;
        if ((rules[i].prefix ? len >= n : len == n) && (*name | 0x20) == (*rules[i].name | 0x20) &&
            strncasecmp(name, rules[i].name, n) == 0) {
            *out = rules[i].rule;
            *reason = rules[i].reason;
            return &rules[i];
        }
    }
    return NULL;
}

static bool is_structured(const char *name, size_t len)
{
    rule r;
    const char *reason;
    return find(name, len, &r, &reason) && r == STRUCTURED;
}

const char *mime_header_check_name(const char *name, size_t len)
{
    rule r;
    const char *reason = NULL;
    if (len == 0)
        return "its name is empty";
    if (len > NAME_LENGTH)
        return "its name is longer than 76 characters";
    for (size_t i = 0; i < len; i++) {
        if (name[i] <= ' ' || name[i] >= 0x7F || name[i] == ':')
            return "its name holds a character that has no place in one";
    }
    if (find(name, len, &r, &reason) && r == FORBIDDEN)
        return reason;
    return NULL;
}

#define MESSAGE_ID_LENGTH 250

const char *mime_header_check_message_id(const char *value, size_t len)
{
    size_t at = 0;

    if (len < sizeof "<a@b>" - 1 || value[0] != '<' || value[len - 1] != '>')
        return "it is not of the form <left@right>";
    if (len > MESSAGE_ID_LENGTH)
        return "it is longer than 250 characters";
    for (size_t i = 1; i + 1 < len; i++) {
        if (value[i] <= ' ' || value[i] >= 0x7F || strchr("<>()\",;:\\", value[i]))
            return "it holds a character that has no place in it";
        if (value[i] == '@' && (at || i == 1 || i + 2 == len))
            return "it is not of the form <left@right>";
        at = value[i] == '@' ? i : at;
    }
    return at ? NULL : "it is not of the form <left@right>";
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Length of the longest stretch, blanks before it included, that can't be folded. */
static size_t longest_word(const char *s, size_t len)
{
    size_t longest = 0, start = 0;
    for (size_t i = 0; i <= len; i++) {
        if (i == len || (is_blank(s[i]) && i > 0 && !is_blank(s[i - 1]))) {
            longest = i - start > longest ? i - start : longest;
            start = i;
        }
    }
    return longest;
}

const char *mime_header_check_value(const char *name, const char *value, size_t len)
{
    if (len <= WORD_MAX && few_printable(value, len))
        return NULL;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)value[i];
        if (c == '\r' || c == '\n')
            return "it holds a line break";
        if ((c < 0x20 && c != '\t') || c == 0x7F)
            return "it holds a control character";
    }
    if (!utf8_valid(value, len))
        return "it is not valid UTF-8";
    if (!is_structured(name, strlen(name)))
        return NULL;
    if (!utf8_is_ascii(value, len))
        return "this header takes ASCII only";
    return longest_word(value, len) > WORD_MAX
               ? "it has more than 900 characters without a blank to fold at"
               : NULL;
}

/* ---- folding ---- */

/* A field being written: where its line stands. */
typedef struct field {
    buf *out;
    size_t column;
    bool begun; /* something stands behind the name */
} field;

static field begin(buf *out, const char *name)
{
    size_t len = strlen(name);
    buf_add(out, name, len);
    buf_adds(out, ": ");
    return (field){out, len + 2, false};
}

static void end(field *f)
{
    buf_adds(f->out, "\r\n");
}

static void put(field *f, const char *s, size_t len)
{
    buf_add(f->out, s, len);
    f->column += len;
    f->begun = true;
}

static void fold(field *f)
{
    buf_adds(f->out, "\r\n");
    f->column = 0;
}

/* A word behind blanks (one space, or the text's own), on the next line if it doesn't fit this one.
 */
static void put_word(field *f, const char *blanks, size_t blank_len, const char *word, size_t len,
                     size_t limit)
{
    if (!f->begun) {
        put(f, word, len);
        return;
    }
    if (f->column + blank_len + len > limit && f->column > 1)
        fold(f);
    put(f, blanks, blank_len);
    put(f, word, len);
}

/* ---- encoded-words (RFC 2047) ---- */

/* What stands for itself in Q wherever an encoded-word may be: section 5 (3)'s set. */
static bool is_q_literal(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '!' ||
           c == '*' || c == '+' || c == '-' || c == '/';
}

static size_t q_size(const char *s, size_t len)
{
    size_t size = 0;
    for (size_t i = 0; i < len; i++)
        size += is_q_literal(s[i]) || s[i] == ' ' ? 1 : 3;
    return size;
}

static size_t encoded_size(const char *s, size_t len, bool b)
{
    return b ? (len + 2) / 3 * 4 : q_size(s, len);
}

static void add_q(buf *out, const char *s, size_t len)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (is_q_literal(s[i])) {
            buf_addc(out, s[i]);
        } else if (c == ' ') {
            buf_addc(out, '_');
        } else {
            const char code[3] = {'=', hex[c >> 4], hex[c & 15]};
            buf_add(out, code, sizeof code);
        }
    }
}

static void add_encoded_word(field *f, const char *s, size_t len, bool b)
{
    char base64[EW_MAX + 8];
    size_t before = f->out->len;
    buf_adds(f->out, EW_HEAD);
    buf_adds(f->out, b ? "B?" : "Q?");
    if (b)
        buf_add(f->out, base64, mime_base64_encode(s, len, base64));
    else
        add_q(f->out, s, len);
    buf_adds(f->out, "?=");
    f->column += f->out->len - before;
    f->begun = true;
}

/* How much of `s`, in whole characters, an encoded-word with `room` for its payload takes. *groups:
 * the most of it that ends on a group of three octets. */
static size_t fitting(const char *s, size_t len, size_t room, bool b, size_t *groups)
{
    size_t n = 0, used = 0;
    *groups = 0;
    while (n < len) {
        uint32_t point;
        size_t octets = utf8_decode(s + n, len - n, &point);
        if (octets == 0)
            octets = 1;
        used = b ? encoded_size(s, n + octets, true) : used + q_size(s + n, octets);
        if (used > room)
            break;
        n += octets;
        if (n % 3 == 0)
            *groups = n;
    }
    return n;
}

/* The next encoded-word's text. Base64 that another word follows must not be padded: some readers
 * join the payloads of neighbours before decoding, and padding in the middle ends the text for
 * them. So it ends on a group of three octets, and where no character does, the word is Q (*b
 * false). */
static size_t next_word(const char *s, size_t len, size_t room, bool *b)
{
    size_t groups;
    size_t n = fitting(s, len, room, *b, &groups);
    if (!*b || n == len)
        return n;
    if (groups > 0)
        return groups;
    *b = false;
    return fitting(s, len, room, false, &groups);
}

/* Text as encoded-words, each but perhaps the first behind a space; the spaces between them don't
 * count, so those of the text are inside. */
static void put_encoded(field *f, const char *s, size_t len)
{
    bool b = encoded_size(s, len, true) < q_size(s, len);
    while (len > 0) {
        size_t lead = f->begun ? 1 : 0;
        size_t left = f->column + lead < LINE_ENCODED ? LINE_ENCODED - f->column - lead : 0;
        size_t want = EW_OVERHEAD + encoded_size(s, len, b);
        if (lead && f->column > 1 && left < want && left < EW_LEAST + EW_OVERHEAD) {
            fold(f);
            left = LINE_ENCODED - 1;
        }
        if (left < EW_LEAST + EW_OVERHEAD) /* a very long field name, and nothing to fold at */
            left = EW_LEAST + EW_OVERHEAD;
        if (left > EW_MAX)
            left = EW_MAX;
        bool word_b = b;
        size_t n = next_word(s, len, left - EW_OVERHEAD, &word_b);
        if (lead)
            put(f, " ", 1);
        add_encoded_word(f, s, n, word_b);
        s += n;
        len -= n;
    }
}

/* ---- unstructured text ---- */

/* True if a word can't stand as it is: beyond ASCII, or it could be taken for an encoded-word. */
static bool needs_encoding(const char *word, size_t len)
{
    const char *mark = word, *end = word + len;
    if (!few_printable(word, len) && !utf8_is_ascii(word, len))
        return true;
    while (mark < end && (mark = memchr(mark, '?', (size_t)(end - mark)))) {
        if (mark > word && mark[-1] == '=')
            return true;
        mark++;
    }
    return false;
}

/* Words with their own blanks between them, folded. */
static void put_plain(field *f, const char *s, size_t len)
{
    size_t at = 0;
    while (at < len) {
        size_t blank = at;
        while (at < len && is_blank(s[at]))
            at++;
        size_t word = at;
        while (at < len && !is_blank(s[at]))
            at++;
        put_word(f, s + blank, word - blank, s + word, at - word, LINE_WANTED);
    }
}

/* The stretch of words from the first to the last that needs encoding; false if none does. */
static bool encoded_stretch(const char *s, size_t len, size_t *from, size_t *to)
{
    bool any = false;
    size_t at = 0;
    while (at < len) {
        while (at < len && is_blank(s[at]))
            at++;
        size_t word = at;
        while (at < len && !is_blank(s[at]))
            at++;
        if (!needs_encoding(s + word, at - word))
            continue;
        if (!any)
            *from = word;
        *to = at;
        any = true;
    }
    return any;
}

void mime_header_add_text(buf *out, const char *name, const char *value, size_t len)
{
    field f = begin(out, name);
    size_t from = 0, to = 0;

    /* Blanks at the ends carry nothing, and a line of blanks alone must not come to be. */
    while (len > 0 && is_blank(value[len - 1]))
        len--;
    while (len > 0 && is_blank(*value))
        value++, len--;
    bool fits = f.column + len <= LINE_WANTED && !needs_encoding(value, len);
    bool free_text = !fits && !is_structured(name, strlen(name));
    if (fits) {
        put(&f, value, len); /* as it is, by any of the ways below */
    } else if (free_text && longest_word(value, len) > WORD_MAX) {
        put_encoded(&f, value, len);
    } else if (free_text && encoded_stretch(value, len, &from, &to)) {
        size_t blank = from;
        while (blank > 0 && is_blank(value[blank - 1]))
            blank--;
        put_plain(&f, value, blank);
        /* One space parts plain from encoded; further ones go in with the encoded text, where they
         * keep. */
        size_t start = blank > 0 ? blank + 1 : from;
        put_encoded(&f, value + start, to - start);
        put_plain(&f, value + to, len - to);
    } else {
        put_plain(&f, value, len);
    }
    end(&f);
}

/* ---- mailboxes ---- */

#define NAME_PLAIN_MAX                                                                             \
    60 /* a longer name is written as encoded-words, which can be folded anywhere */

typedef enum name_form { ATOMS, QUOTED, ENCODED } name_form;

static name_form form_of(const char *name, size_t len)
{
    if (len > NAME_PLAIN_MAX || needs_encoding(name, len))
        return ENCODED;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        bool inner_space = c == ' ' && i > 0 && i + 1 < len && name[i - 1] != ' ';
        bool atom = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    inner_space || strchr("!#$%&'*+-/=?^_`{|}~", c);
        if (!atom)
            return QUOTED;
    }
    return ATOMS;
}

static void put_quoted(field *f, const char *name, size_t len)
{
    char quoted[2 * NAME_PLAIN_MAX + 2];
    size_t n = 0;
    quoted[n++] = '"';
    for (size_t i = 0; i < len; i++) {
        if (name[i] == '"' || name[i] == '\\')
            quoted[n++] = '\\';
        quoted[n++] = name[i];
    }
    quoted[n++] = '"';
    put_word(f, " ", 1, quoted, n, LINE_WANTED);
}

static void put_name(field *f, const char *name)
{
    size_t len = strlen(name);
    switch (form_of(name, len)) {
    case ATOMS: put_word(f, " ", 1, name, len, LINE_WANTED); break;
    case QUOTED: put_quoted(f, name, len); break;
    case ENCODED: put_encoded(f, name, len); break;
    }
}

/* `behind`: room for the comma that follows. */
static void put_mailbox(field *f, const mime_mailbox *m, size_t behind)
{
    size_t len = strlen(m->address);
    if (!m->name) {
        put_word(f, " ", 1, m->address, len, LINE_WANTED - behind);
        return;
    }
    put_name(f, m->name);
    if (f->column + len + 3 + behind > LINE_WANTED)
        fold(f);
    buf_adds(f->out, " <");
    buf_add(f->out, m->address, len);
    buf_addc(f->out, '>');
    f->column += len + 3;
}

void mime_header_add_mailboxes(buf *out, const char *name, const mime_mailbox *list, size_t count)
{
    field f = begin(out, name);
    for (size_t i = 0; i < count; i++) {
        put_mailbox(&f, &list[i], i + 1 < count);
        if (i + 1 < count)
            put(&f, ",", 1);
    }
    end(&f);
}

/* ---- parameters (RFC 2231) ---- */

#define PARAMETER_LINE  76
#define PLAIN_VALUE_MAX 60

/* attribute-char of RFC 2231 section 7. */
static bool is_attribute_char(char c)
{
    return c > ' ' && c < 0x7F && !strchr("*'%()<>@,;:\\\"/[]?=", c);
}

/* Begins a parameter, on a line of its own if it doesn't fit this one. */
static void begin_parameter(field *f, size_t len)
{
    buf_addc(f->out, ';');
    f->column++;
    if (f->column + 1 + len > PARAMETER_LINE)
        fold(f);
    put(f, " ", 1);
}

static void put_plain_parameter(field *f, const char *name, const char *value, size_t len)
{
    char quoted[2 * PLAIN_VALUE_MAX + 2];
    size_t n = 0;
    quoted[n++] = '"';
    for (size_t i = 0; i < len; i++) {
        if (value[i] == '"' || value[i] == '\\')
            quoted[n++] = '\\';
        quoted[n++] = value[i];
    }
    quoted[n++] = '"';
    begin_parameter(f, strlen(name) + 1 + n);
    put(f, name, strlen(name));
    put(f, "=", 1);
    put(f, quoted, n);
}

/* Encoded-words in quotes: against RFC 2047 section 5, and what old readers read. */
static void put_fallback(field *f, const char *name, const char *value, size_t len)
{
    bool b = encoded_size(value, len, true) < q_size(value, len);
    size_t room = EW_MAX - EW_OVERHEAD - strlen(name) - 3; /* ="" of the first line */
    begin_parameter(f, PARAMETER_LINE);
    put(f, name, strlen(name));
    put(f, "=\"", 2);
    for (bool first = true; len > 0; first = false) {
        bool word_b = b;
        size_t n = next_word(value, len, room, &word_b);
        if (!first) {
            fold(f);
            put(f, " ", 1);
        }
        add_encoded_word(f, value, n, word_b);
        value += n;
        len -= n;
    }
    put(f, "\"", 1);
}

/* Percent-encoded characters of `value` that fit `room`, into the buf; the number of octets taken.
 */
static size_t add_percent(field *f, const char *value, size_t len, size_t room)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t taken = 0;
    while (taken < len) {
        uint32_t point;
        size_t octets = utf8_decode(value + taken, len - taken, &point);
        bool bare = octets == 1 && is_attribute_char(value[taken]);
        octets = octets ? octets : 1;
        size_t width = bare ? 1 : 3 * octets;
        if (width > room)
            break;
        for (size_t i = 0; i < octets; i++) {
            unsigned char c = (unsigned char)value[taken + i];
            const char code[3] = {'%', hex[c >> 4], hex[c & 15]};
            put(f, bare ? (const char *)&value[taken] : code, bare ? 1 : 3);
        }
        room -= width;
        taken += octets;
    }
    return taken;
}

static size_t percent_size(const char *value, size_t len)
{
    size_t size = 0;
    for (size_t i = 0; i < len; i++)
        size += is_attribute_char(value[i]) ? 1 : 3;
    return size;
}

/* name*=UTF-8''…, or name*0*=UTF-8''…; name*1*=… where that is too long for a line. */
static void put_extended(field *f, const char *name, const char *value, size_t len)
{
    static const char charset[] = "UTF-8''";
    bool whole = strlen(name) + 2 + strlen(charset) + percent_size(value, len) < PARAMETER_LINE - 2;
    for (unsigned section = 0; len > 0; section++) {
        buf head = BUF_INIT;
        if (whole)
            buf_addf(&head, "%s*=%s", name, charset);
        else
            buf_addf(&head, "%s*%u*=%s", name, section, section ? "" : charset);
        begin_parameter(f, whole ? head.len + percent_size(value, len) : PARAMETER_LINE);
        put(f, head.data, head.len);
        if (!buf_ok(&head))
            f->out->failed = true;
        buf_free(&head);
        size_t n = add_percent(f, value, len, PARAMETER_LINE - 2 - f->column);
        value += n;
        len -= n;
    }
}

void mime_header_add_parameter(buf *out, const char *name, const char *value, size_t len,
                               bool fallback, size_t *column)
{
    field f = {out, *column, true};
    if (len <= PLAIN_VALUE_MAX && !needs_encoding(value, len)) {
        put_plain_parameter(&f, name, value, len);
    } else {
        if (fallback)
            put_fallback(&f, name, value, len);
        put_extended(&f, name, value, len);
    }
    *column = f.column;
}
