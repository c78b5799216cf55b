#include "mime/address.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <idn2.h>

#include "base/buf.h"
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
    const char *reason; /* set by the first fault */
    bool nomem;
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

/* atext of RFC 5322 section 3.2.3, and what RFC 6532 adds. */
static bool is_atext(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (unsigned char)c >= 0x80 || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c));
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
    size_t label = 0;
    if (len == 0)
        return false;
    for (size_t i = 0; i <= len; i++) {
        if (i == len || s[i] == '.') {
            if (label == 0 || label > LABEL_MAX || s[i - 1] == '-' || s[i - label] == '-')
                return false;
            label = 0;
            continue;
        }
        if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
              (s[i] >= '0' && s[i] <= '9') || s[i] == '-'))
            return false;
        label++;
    }
    return true;
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
            *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + ('a' - 'A') : *c);
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
        if (s[i] == '.' ? dot : !is_atext(s[i]))
            return false;
        dot = s[i] == '.';
    }
    return len > 0 && !dot;
}

static void add_local(buf *out, const buf *local)
{
    if (is_dot_atom(local->data, local->len)) {
        buf_add(out, local->data, local->len);
        return;
    }
    buf_addc(out, '"');
    for (size_t i = 0; i < local->len; i++) {
        if (local->data[i] == '"' || local->data[i] == '\\')
            buf_addc(out, '\\');
        buf_addc(out, local->data[i]);
    }
    buf_addc(out, '"');
}

/* Puts `local` and the domain at `domain` together into *out. */
static bool finish(scan *p, const buf *local, const char *domain, size_t domain_len,
                   mime_mailbox *out)
{
    buf address = BUF_INIT;
    char *ascii = NULL;
    const char *reason = NULL;

    if (local->len == 0 && !local->data)
        return fail(p, "nothing stands before the @");
    add_local(&address, local);
    size_t local_len = address.len;
    if (local_len > LOCAL_MAX) {
        buf_free(&address);
        return fail(p, "the part before the @ is longer than 64 octets");
    }
    buf_addc(&address, '@');
    if (domain_len > 0 && domain[0] == '[') {
        if (is_literal(domain, domain_len))
            buf_add(&address, domain, domain_len);
        else
            (void)fail(p, "the address literal is not an IP address");
    } else if ((ascii = mime_domain_ascii(domain, domain_len, &reason))) {
        buf_adds(&address, ascii);
        free(ascii);
    } else if (reason) {
        (void)fail(p, reason);
    } else {
        p->nomem = true;
    }
    if (!p->reason && address.len > ADDRESS_MAX)
        (void)fail(p, "the address is longer than 254 octets");
    if (p->reason || p->nomem) {
        buf_free(&address);
        return false;
    }
    out->utf8 = !utf8_is_ascii(address.data, local_len);
    out->address = buf_take(&address);
    p->nomem = !out->address;
    if (out->address)
        out->domain = out->address + local_len + 1;
    return out->address != NULL;
}

/* False, and no fault, if the buffer lacks what there was no memory for. */
static bool is_whole(scan *p, const buf *b)
{
    p->nomem = p->nomem || !buf_ok(b);
    return !p->nomem;
}

/* An addr-spec from `at` on: up to '>', a blank, or the end. */
static bool read_address(scan *p, mime_mailbox *out)
{
    buf local = BUF_INIT;
    bool ok = true, quoted = next_is(p, '"');

    (void)buf_reserve(&local, 1);
    if (quoted) {
        ok = read_quoted(p, &local);
    } else {
        while (more(p) && (is_atext(p->s[p->at]) || p->s[p->at] == '.'))
            buf_addc(&local, p->s[p->at++]);
        if (!next_is(p, '@'))
            ok = fail(p, more(p) && p->s[p->at] != '>' && p->s[p->at] != ' '
                             ? "a character has no place before the @ (quotes may help)"
                             : "it has no @");
        else if (local.len == 0)
            ok = fail(p, "nothing stands before the @");
        else if (!is_dot_atom(local.data, local.len))
            ok = fail(p, "a dot is out of place before the @");
    }
    if (ok && !next_is(p, '@'))
        ok = fail(p, "it has no @");
    ok = is_whole(p, &local) && ok;
    if (ok) {
        size_t start = ++p->at;
        if (next_is(p, '[')) {
            while (more(p) && p->s[p->at] != ']')
                p->at++;
            p->at += more(p);
        } else {
            while (more(p) && (is_atext(p->s[p->at]) || p->s[p->at] == '.'))
                p->at++;
        }
        ok = finish(p, &local, p->s + start, p->at - start, out);
    }
    buf_free(&local);
    return ok;
}

/* ---- display names ---- */

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
    while (out->len > 0 && out->data[out->len - 1] == ' ')
        out->len--;
    return more(p) || fail(p, "it has no @");
}

static bool check_bytes(scan *p)
{
    if (p->len == 0)
        return fail(p, "it is empty");
    if (p->len > NAME_MAX_ + 4 * ADDRESS_MAX)
        return fail(p, "it is too long");
    for (size_t i = 0; i < p->len; i++) {
        if (is_control(p->s[i]) && p->s[i] != '\t')
            return fail(p, "it holds a control character or a line break");
    }
    return utf8_valid(p->s, p->len) || fail(p, "it is not valid UTF-8");
}

static bool set_name(scan *p, const char *name, size_t len, mime_mailbox *out)
{
    while (len > 0 && *name == ' ')
        name++, len--;
    if (len == 0)
        return true;
    if (len > NAME_MAX_)
        return fail(p, "the name is longer than 1000 octets");
    out->name = strndup(name, len);
    p->nomem = !out->name;
    return out->name != NULL;
}

/* Name <address>, or an address alone. */
static bool read_mailbox(scan *p, mime_mailbox *out)
{
    buf name = BUF_INIT;
    bool ok = false;

    if (!check_bytes(p) || !skip_blanks(p))
        return false;
    size_t start = p->at;
    const char *angle = memchr(p->s + start, '<', p->len - start);
    bool bare = !angle;
    /* A '<' may stand in a quoted part of a bare address: then the name's reading ends at the end.
     */
    if (!bare) {
        ok = read_name(p, &name);
        if (ok) {
            p->at++;
            ok = skip_blanks(p) && read_address(p, out) && skip_blanks(p) &&
                 (next_is(p, '>') || fail(p, "the < is not closed behind the address"));
            p->at++;
            ok = ok && is_whole(p, &name) && set_name(p, name.data, name.len, out);
        } else if (p->at >= p->len || next_is(p, '@')) {
            p->at = start;
            p->reason = NULL;
            bare = true;
        }
    }
    if (bare)
        ok = read_address(p, out);
    buf_free(&name);
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

bool mime_mailbox_parse(const char *s, size_t len, mime_mailbox *out, const char **reason)
{
    scan p = {.s = s, .len = len};
    *out = (mime_mailbox){0};
    return end(&p, read_mailbox(&p, out), out, reason);
}

bool mime_mailbox_make(const char *email, size_t email_len, const char *name, size_t name_len,
                       mime_mailbox *out, const char **reason)
{
    scan p = {.s = email, .len = email_len};
    scan n = {.s = name, .len = name_len};
    *out = (mime_mailbox){0};
    bool ok = check_bytes(&p) && read_address(&p, out) &&
              (!more(&p) || fail(&p, "something stands behind the address"));
    if (ok && name_len > 0 && !(check_bytes(&n) && set_name(&n, name, name_len, out))) {
        p.nomem = n.nomem;
        ok = fail(&p, "the name holds a control character, or is too long");
    }
    return end(&p, ok, out, reason);
}

void mime_mailbox_clear(mime_mailbox *m)
{
    free(m->name);
    free(m->address);
    *m = (mime_mailbox){0};
}
