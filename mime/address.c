#include "mime/address.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <idn2.h>

#include "base/buf.h"
#include "base/few.h"
#include "base/utf8.h"

/* RFC 5321 section 4.5.3.1. */
#define LOCAL_MAX   64
#define ADDRESS_MAX 254
#define DOMAIN_MAX  253
#define LABEL_MAX   63
#define INPUT_MAX   ((size_t)4 * DOMAIN_MAX) /* of a domain before it becomes A-labels */
#define NAME_MAX_   1000

/* ---- reading, one character after the other ---- */

typedef struct scan {
    const char *s;
    size_t len, at;
    size_t name_room;   /* that the name will need, behind the address */
    char *name_at;      /* there */
    const char *reason; /* set by the first fault */
    bool nomem;
    bool printable; /* all of it is ASCII without controls */
} scan;

static bool fail(scan *p, const char *reason)
{
    if (!p->reason)
        p->reason = reason;
    return false;
}

static bool more(const scan *p)
{
    return p->at < p->len;
}

static bool next_is(const scan *p, char c)
{
    return more(p) && p->s[p->at] == c;
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7F;
}

enum { ATEXT = 1, DOT = 2, LDH = 4, UPPER = 8 };

/* atext of RFC 5322 section 3.2.3, and what RFC 6532 adds; what a host's name consists of. */
static const uint8_t traits[256] = {
    ['a' ... 'z'] = ATEXT | LDH,
    ['A' ... 'Z'] = ATEXT | LDH | UPPER,
    ['0' ... '9'] = ATEXT | LDH,
    ['-'] = ATEXT | LDH,
    ['.'] = DOT,
    ['!'] = ATEXT,
    ['#' ... '\''] = ATEXT,
    ['*' ... '+'] = ATEXT,
    ['/'] = ATEXT,
    ['='] = ATEXT,
    ['?'] = ATEXT,
    ['^' ... '`'] = ATEXT,
    ['{' ... '~'] = ATEXT,
    [0x80 ... 0xFF] = ATEXT,
};

static bool is(char c, unsigned any)
{
    return (traits[(unsigned char)c] & any) != 0;
}

/* A comment; they nest. */
static bool skip_comment(scan *p)
{
    size_t depth = 0;
    do {
        char c = p->s[p->at];
        if (c == '(')
            depth++;
        else if (c == ')')
            depth--;
        else if (c == '\\' && p->at + 1 < p->len)
            p->at++;
        p->at++;
    } while (depth > 0 && more(p));
    return depth == 0 || fail(p, "a comment is not closed");
}

static bool skip_blanks(scan *p)
{
    while (more(p)) {
        if (p->s[p->at] == ' ' || p->s[p->at] == '\t')
            p->at++;
        else if (p->s[p->at] != '(')
            return true;
        else if (!skip_comment(p))
            return false;
    }
    return true;
}

/* The content of a quoted-string, without quotes and backslashes. */
static bool read_quoted(scan *p, buf *out)
{
    for (p->at++; more(p); p->at++) {
        char c = p->s[p->at];
        if (c == '"') {
            p->at++;
            return true;
        }
        if (c == '\\') {
            if (++p->at == p->len)
                break;
            c = p->s[p->at];
        }
        buf_addc(out, c);
    }
    return fail(p, "a quoted part is not closed");
}

/* ---- domains ---- */

static bool is_ldh(const char *s, size_t len)
{
    const char *label = s, *end = s + len;
    for (const char *c = s;; c++) {
        if (c < end && is(*c, LDH))
            continue;
        if (c == label || c - label > LABEL_MAX || c[-1] == '-' || *label == '-')
            return false;
        if (c == end || *c != '.')
            return c == end;
        label = c + 1;
    }
}

static char lower(char c)
{
    return (char)(is(c, UPPER) ? c | 0x20 : c);
}

char *mime_domain_ascii(const char *domain, size_t len, const char **reason)
{
    char *ascii = NULL;
    *reason = "the domain is not one that a name server could know";
    if (len == 0 || len > INPUT_MAX) {
        *reason = len ? "the domain is too long" : "the domain is empty";
        return NULL;
    }
    char *name = strndup(domain, len);
    if (!name) {
        *reason = NULL;
        return NULL;
    }
    if (utf8_is_ascii(domain, len)) {
        for (char *c = name; *c; c++)
            *c = lower(*c);
        ascii = name;
        name = NULL;
    } else {
        char *made = NULL; /* from libidn2's allocator: copied, so that free() fits everywhere */
        int result = idn2_to_ascii_8z(name, &made, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
        ascii = result == IDN2_OK ? strdup(made) : NULL;
        if (result == IDN2_MALLOC || (result == IDN2_OK && !ascii))
            *reason = NULL;
        idn2_free(made);
    }
    free(name);
    if (ascii && (!is_ldh(ascii, strlen(ascii)) || strlen(ascii) > DOMAIN_MAX)) {
        free(ascii);
        ascii = NULL;
    }
    return ascii;
}

/* [192.0.2.1] or [IPv6:2001:db8::1], the brackets included. */
static bool is_literal(const char *s, size_t len)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char binary[16];
    static const char v6[] = "IPv6:";
    bool six = len > sizeof v6 && strncasecmp(s + 1, v6, sizeof v6 - 1) == 0;
    size_t skip = six ? sizeof v6 : 1;
    if (len < skip + 2 || len - skip - 1 >= sizeof text)
        return false;
    memcpy(text, s + skip, len - skip - 1);
    text[len - skip - 1] = '\0';
    return inet_pton(six ? AF_INET6 : AF_INET, text, binary) == 1;
}

/* ---- addresses ---- */

/* True if the local part needs no quotes: a dot-atom. */
static bool is_dot_atom(const char *s, size_t len)
{
    bool dot = true; /* none may begin or end it, or follow another */
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '.' ? dot : !is(s[i], ATEXT))
            return false;
        dot = s[i] == '.';
    }
    return len > 0 && !dot;
}

/* What must be escaped in a quoted-string. */
static bool is_escaped(char c)
{
    return c == '"' || c == '\\';
}

static size_t local_size(const char *s, size_t len)
{
    size_t size = 2 + len;
    if (is_dot_atom(s, len))
        return len;
    for (size_t i = 0; i < len; i++)
        size += is_escaped(s[i]);
    return size;
}

/* `size` is what local_size() said. */
static char *put_local(char *to, const char *s, size_t len, size_t size)
{
    if (size == len) {
        memcpy(to, s, len);
        return to + len;
    }
    *to++ = '"';
    for (size_t i = 0; i < len; i++) {
        if (is_escaped(s[i]))
            *to++ = '\\';
        *to++ = s[i];
    }
    *to++ = '"';
    return to;
}

/* The domain as it goes out: *made, which the caller frees, if that isn't `domain` in lower case.
 * False with a fault, or without if memory ran out. */
static bool convert_domain(scan *p, const char *domain, size_t len, char **made)
{
    const char *reason = NULL;
    if (len > 0 && domain[0] == '[')
        return is_literal(domain, len) || fail(p, "the address literal is not an IP address");
    if (len <= DOMAIN_MAX && is_ldh(domain, len))
        return true;
    *made = mime_domain_ascii(domain, len, &reason);
    if (!*made && reason)
        return fail(p, reason);
    p->nomem = !*made;
    return *made != NULL;
}

/* Puts the local part and the domain together into *out. `size`: what local_size() says. */
static bool finish(scan *p, const char *local, size_t len, size_t size, const char *domain,
                   size_t domain_len, mime_mailbox *out)
{
    char *made = NULL, *to;
    bool literal = domain_len > 0 && domain[0] == '[';

    if (size > LOCAL_MAX)
        return fail(p, "the part before the @ is longer than 64 octets");
    if (!convert_domain(p, domain, domain_len, &made))
        return false;
    if (made) {
        domain = made;
        domain_len = strlen(made);
    }
    if (size + 1 + domain_len > ADDRESS_MAX) {
        (void)fail(p, "the address is longer than 254 octets");
    } else if ((out->address =
                    arena_alloc(out->memory, size + 1 + domain_len + 1 + p->name_room))) {
        out->utf8 = !p->printable && !utf8_is_ascii(local, len);
        to = put_local(out->address, local, len, size);
        *to++ = '@';
        out->domain = to;
        /* Of what a host's name may hold, capitals alone lack this bit. */
        char small = literal ? 0 : 0x20;
        for (size_t i = 0; i < domain_len; i++)
            *to++ = (char)(domain[i] | small);
        *to = '\0';
        p->name_at = to + 1;
    }
    p->nomem = !p->reason && !out->address;
    free(made);
    return out->address != NULL;
}

/* False, and no fault, if the buffer lacks what there was no memory for. */
static bool is_whole(scan *p, const buf *b)
{
    p->nomem = p->nomem || !buf_ok(b);
    return !p->nomem;
}

static void skip_atoms(scan *p)
{
    size_t at = p->at;
    while (at < p->len && is(p->s[at], ATEXT | DOT))
        at++;
    p->at = at;
}

/* The domain or literal at `at`. */
static void skip_domain(scan *p)
{
    if (!next_is(p, '[')) {
        skip_atoms(p);
        return;
    }
    while (more(p) && p->s[p->at] != ']')
        p->at++;
    p->at += more(p);
}

/* What is wrong with an unquoted local part that ends at `at`, if anything is. */
static bool check_local(scan *p, const char *local, size_t len)
{
    if (!next_is(p, '@'))
        return fail(p, more(p) && p->s[p->at] != '>' && p->s[p->at] != ' '
                           ? "a character has no place before the @ (quotes may help)"
                           : "it has no @");
    if (len == 0)
        return fail(p, "nothing stands before the @");
    return is_dot_atom(local, len) || fail(p, "a dot is out of place before the @");
}

/* An addr-spec from `at` on: up to '>', a blank, or the end. */
static bool read_address(scan *p, mime_mailbox *out)
{
    buf unquoted = BUF_INIT;
    const char *local = p->s + p->at;
    size_t len = 0, size = 0;
    bool ok;

    if (next_is(p, '"')) {
        ok = read_quoted(p, &unquoted) && (next_is(p, '@') || fail(p, "it has no @"));
        ok = is_whole(p, &unquoted) && ok;
        local = unquoted.data ? unquoted.data : "";
        len = unquoted.len;
        size = local_size(local, len);
    } else {
        skip_atoms(p);
        size = len = (size_t)(p->s + p->at - local);
        ok = check_local(p, local, len);
    }
    if (ok) {
        size_t start = ++p->at;
        skip_domain(p);
        ok = finish(p, local, len, size, p->s + start, p->at - start, out);
    }
    buf_free(&unquoted);
    return ok;
}

/* ---- display names ---- */

/* Without the spaces at the end. */
static size_t trimmed(const char *s, size_t len)
{
    while (len > 0 && s[len - 1] == ' ')
        len--;
    return len;
}

/* Words and quoted-strings up to the '<'; false with a reason, or the name in `out`. Unquoted dots
 * and the like, which RFC 5322 allows only in obsolete syntax, are what people write, and mean
 * themselves. */
static bool read_name(scan *p, buf *out)
{
    while (more(p) && p->s[p->at] != '<') {
        char c = p->s[p->at];
        if (c == '"') {
            if (!read_quoted(p, out))
                return false;
        } else if (c == '(') {
            if (!skip_comment(p))
                return false;
        } else if (c == ',' || c == ';' || c == ':' || c == '>' || c == '@') {
            return fail(p, c == ',' || c == ';'
                               ? "it looks like more than one address (a name with a "
                                 "comma needs quotes)"
                           : c == ':' ? "groups are not allowed (a name with a colon needs quotes)"
                                      : "a character is out of place before the <");
        } else {
            buf_addc(out, c == '\t' ? ' ' : c);
            p->at++;
        }
    }
    out->len = trimmed(out->data, out->len);
    return more(p) || fail(p, "it has no @");
}

static bool check_bytes(scan *p)
{
    if (p->len == 0)
        return fail(p, "it is empty");
    if (p->len > NAME_MAX_ + 4 * ADDRESS_MAX)
        return fail(p, "it is too long");
    p->printable = few_printable(p->s, p->len);
    if (p->printable)
        return true;
    unsigned char met = 0;
    for (size_t i = 0; i < p->len; i++) {
        if (is_control(p->s[i]) && p->s[i] != '\t')
            return fail(p, "it holds a control character or a line break");
        met |= (unsigned char)p->s[i];
    }
    return met < 0x80 || utf8_valid(p->s, p->len) || fail(p, "it is not valid UTF-8");
}

/* What a name of this length needs, if it isn't too long. */
static size_t room_for(size_t len)
{
    return len == 0 ? 0 : 1 + (len < NAME_MAX_ ? len : NAME_MAX_);
}

/* `len` is what there is room for, behind the address that `p` has read. */
static bool set_name(scan *p, const char *name, size_t len, mime_mailbox *out)
{
    while (len > 0 && *name == ' ')
        name++, len--;
    if (len == 0)
        return true;
    if (len > NAME_MAX_)
        return fail(p, "the name is longer than 1000 octets");
    out->name = p->name_at;
    memcpy(out->name, name, len);
    out->name[len] = '\0';
    return true;
}

/* Whether a name up to the '<' is what it is written as, but for blanks around it. */
static bool is_plain_name(const char *s, const char *angle)
{
    while (s < angle && (is(*s, ATEXT) || *s == ' ' || *s == '.'))
        s++;
    return s == angle;
}

/* Name <address>, or an address alone. */
static bool read_mailbox(scan *p, mime_mailbox *out)
{
    buf read = BUF_INIT;
    bool ok = false;

    if (!check_bytes(p) || !skip_blanks(p))
        return false;
    size_t start = p->at, len = 0;
    const char *angle = memchr(p->s + start, '<', p->len - start), *name = p->s + start;
    bool bare = !angle;
    /* A '<' may stand in a quoted part of a bare address: then the name's reading ends at the end.
     */
    if (!bare) {
        bool plain = is_plain_name(name, angle);
        ok = plain || read_name(p, &read);
        if (plain)
            p->at = (size_t)(angle - p->s);
        len = plain ? trimmed(name, (size_t)(angle - name)) : read.len;
        name = plain ? name : read.data;
        p->name_room = room_for(len);
        if (ok) {
            p->at++;
            ok = skip_blanks(p) && read_address(p, out) && skip_blanks(p) &&
                 (next_is(p, '>') || fail(p, "the < is not closed behind the address"));
            p->at++;
            ok = ok && is_whole(p, &read) && set_name(p, name, len, out);
        } else if (p->at >= p->len || next_is(p, '@')) {
            p->at = start;
            p->reason = NULL;
            p->name_room = 0;
            bare = true;
        }
    }
    if (bare)
        ok = read_address(p, out);
    buf_free(&read);
    if (!ok || !skip_blanks(p))
        return false;
    return !more(p) || fail(p, p->s[p->at] == ',' || p->s[p->at] == ';'
                                   ? "it looks like more than one address"
                                   : "something stands behind the address");
}

static bool end(scan *p, bool ok, mime_mailbox *out, const char **reason)
{
    if (ok)
        return true;
    mime_mailbox_clear(out);
    *reason = p->nomem ? NULL : p->reason;
    return false;
}

bool mime_mailbox_parse_in(arena *memory, const char *s, size_t len, mime_mailbox *out,
                           const char **reason)
{
    scan p = {.s = s, .len = len};
    *out = (mime_mailbox){.memory = memory};
    return end(&p, read_mailbox(&p, out), out, reason);
}

bool mime_mailbox_parse(const char *s, size_t len, mime_mailbox *out, const char **reason)
{
    return mime_mailbox_parse_in(NULL, s, len, out, reason);
}

bool mime_mailbox_make_in(arena *memory, const char *email, size_t email_len, const char *name,
                          size_t name_len, mime_mailbox *out, const char **reason)
{
    scan p = {.s = email, .len = email_len, .name_room = room_for(name_len)};
    scan n = {.s = name, .len = name_len};
    *out = (mime_mailbox){.memory = memory};
    bool ok = check_bytes(&p) && read_address(&p, out) &&
              (!more(&p) || fail(&p, "something stands behind the address"));
    if (ok && name_len > 0 && !(check_bytes(&n) && set_name(&p, name, name_len, out)))
        ok = fail(&p, "the name holds a control character, or is too long");
    return end(&p, ok, out, reason);
}

bool mime_mailbox_make(const char *email, size_t email_len, const char *name, size_t name_len,
                       mime_mailbox *out, const char **reason)
{
    return mime_mailbox_make_in(NULL, email, email_len, name, name_len, out, reason);
}

void mime_mailbox_clear(mime_mailbox *m)
{
    arena_free(m->memory, m->address);
    *m = (mime_mailbox){0};
}
