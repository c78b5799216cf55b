#include "dns/spf.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define VERSION      "v=spf1"
#define NAME_MAX_LEN 253
#define LABEL_MAX    63
#define MX_MOST      10
#define PTR_MOST     10
#define EXPANDED     4096 /* octets that macros may become */
#define SURVEY_MOST  64   /* terms that ask, where limits are not kept to */

typedef struct spf_address {
    bool v6;
    unsigned char bytes[16];
} spf_address;

/* A part of the record. */
typedef struct piece {
    const char *data;
    size_t len;
} piece;

typedef enum mechanism { ALL, INCLUDE, A, MX, PTR, IP4, IP6, EXISTS, MECHANISMS } mechanism;

typedef enum wants { NEVER, PERHAPS, ALWAYS } wants;

static const struct {
    const char *name;
    wants argument;
    bool cidr; /* "/24//64" may follow */
    bool asks; /* counts as a lookup */
} KINDS[MECHANISMS] = {
    [ALL] = {"all", NEVER, false, false},  [INCLUDE] = {"include", ALWAYS, false, true},
    [A] = {"a", PERHAPS, true, true},      [MX] = {"mx", PERHAPS, true, true},
    [PTR] = {"ptr", PERHAPS, false, true}, [IP4] = {"ip4", ALWAYS, false, false},
    [IP6] = {"ip6", ALWAYS, false, false}, [EXISTS] = {"exists", ALWAYS, false, true},
};

typedef struct term {
    piece text; /* as it is written */
    spf_result qualifier;
    mechanism kind;
    piece domain; /* data NULL: none is named */
    unsigned bits4, bits6;
    spf_address network; /* of ip4 and ip6 */
} term;

/* What a record has beside its mechanisms. */
typedef struct modifiers {
    piece redirect, exp; /* data NULL: absent */
} modifiers;

typedef struct evaluation {
    const spf_query *query;
    spf_verdict *verdict;
    spf_address ip;
    char sender[400];    /* local part and domain */
    size_t local;        /* length of the local part */
    char domain[256];    /* of the sender */
    char validated[256]; /* %{p} as far as it doesn't depend on a domain: "" not asked yet */
} evaluation;

const char *spf_result_name(spf_result r)
{
    static const char *const names[] = {"none",     "neutral",   "pass",     "fail",
                                        "softfail", "temperror", "permerror"};
    return names[r];
}

/* ---- characters ---- */

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_alpha(c) || is_digit(c);
}

static bool is_delimiter(char c)
{
    return c && strchr(".-+,/_=", c);
}

static bool piece_is(piece p, const char *word)
{
    return p.len == strlen(word) && strncasecmp(p.data, word, p.len) == 0;
}

/* ---- what is said ---- */

/* Records are other people's: what isn't printable ASCII of them is shown as '?'. */
static void make_visible(char *s)
{
    for (; *s; s++)
        if (*s < 0x20 || *s > 0x7E)
            *s = '?';
}

__attribute__((format(printf, 3, 4))) static spf_result say(spf_verdict *v, spf_result r,
                                                            const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(v->why, sizeof v->why, format, args);
    va_end(args);
    make_visible(v->why);
    return r;
}

#define SHOWN(p) (int)((p).len > 100 ? 100 : (p).len), (p).data

/* ---- addresses ---- */

static bool read_address(const char *s, spf_address *out)
{
    static const unsigned char mapped[12] = {[10] = 0xFF, [11] = 0xFF};

    *out = (spf_address){.v6 = false};
    if (inet_pton(AF_INET, s, out->bytes) == 1)
        return true;
    out->v6 = inet_pton(AF_INET6, s, out->bytes) == 1;
    if (out->v6 && memcmp(out->bytes, mapped, sizeof mapped) == 0) {
        memmove(out->bytes, out->bytes + 12, 4);
        out->v6 = false;
        return true;
    }
    return out->v6;
}

static bool within(const spf_address *ip, const spf_address *network, unsigned bits)
{
    if (ip->v6 != network->v6 || memcmp(ip->bytes, network->bytes, bits / 8) != 0)
        return false;
    unsigned rest = bits % 8, at = bits / 8;
    return rest == 0 || ((ip->bytes[at] ^ network->bytes[at]) >> (8 - rest)) == 0;
}

static void readable(const spf_address *ip, char out[INET6_ADDRSTRLEN])
{
    (void)inet_ntop(ip->v6 ? AF_INET6 : AF_INET, ip->bytes, out, INET6_ADDRSTRLEN);
}

/* "1.2.3.4", or the 32 digits of an IPv6 address with dots between: %{i}. */
static void dotted(const spf_address *ip, char out[80])
{
    if (!ip->v6) {
        readable(ip, out);
        return;
    }
    for (size_t i = 0; i < 32; i++) {
        unsigned digit = i % 2 ? ip->bytes[i / 2] & 15U : ip->bytes[i / 2] >> 4;
        out[2 * i] = "0123456789abcdef"[digit];
        out[2 * i + 1] = '.';
    }
    out[63] = '\0';
}

/* The name that has the PTR records. */
static void reverse_name(const spf_address *ip, char out[80])
{
    size_t len = 0;

    if (!ip->v6) {
        (void)snprintf(out, 80, "%u.%u.%u.%u.in-addr.arpa", ip->bytes[3], ip->bytes[2],
                       ip->bytes[1], ip->bytes[0]);
        return;
    }
    for (unsigned i = 16; i-- > 0;) {
        out[len++] = "0123456789abcdef"[ip->bytes[i] & 15];
        out[len++] = '.';
        out[len++] = "0123456789abcdef"[ip->bytes[i] >> 4];
        out[len++] = '.';
    }
    memcpy(out + len, "ip6.arpa", sizeof "ip6.arpa");
}

/* ---- names ---- */

/* Whether DNS can be asked for it: labels of 1 to 63 octets, 253 in all. */
static bool is_name(const char *s)
{
    size_t label = 0, len = strlen(s);

    if (len == 0 || len > NAME_MAX_LEN)
        return false;
    for (size_t i = 0; i < len; i++) {
        label = s[i] == '.' ? 0 : label + 1;
        if (label > LABEL_MAX || (s[i] == '.' && (i == 0 || s[i - 1] == '.')))
            return false;
    }
    return label > 0;
}

/* `name` is `above`, or below it. */
static bool is_under(const char *name, const char *above)
{
    size_t len = strlen(name), most = strlen(above);
    return len >= most && strcasecmp(name + (len - most), above) == 0 &&
           (len == most || name[len - most - 1] == '.');
}

/* ---- questions ---- */

static dns_result ask(const evaluation *e, dns_type type, const char *name, buf *out)
{
    if (!is_name(name))
        return DNS_NONE;
    dns_result r = e->query->lookup(e->query->ctx, type, name, out);
    return buf_ok(out) ? r : DNS_FAILED;
}

/* True if one of the name's addresses, of the client's kind, is within so many bits of the
 * client's. */
static dns_result match_addresses(const evaluation *e, const char *name, unsigned bits4,
                                  unsigned bits6, bool *matches)
{
    buf records = BUF_INIT;
    const char *at = NULL, *record;
    dns_result r = ask(e, e->ip.v6 ? DNS_AAAA : DNS_A, name, &records);
    spf_address a;

    *matches = false;
    while (r == DNS_FOUND && (record = dns_next(&records, &at)))
        if (read_address(record, &a) && within(&e->ip, &a, a.v6 ? bits6 : bits4))
            *matches = true;
    buf_free(&records);
    return r;
}

/* Whether the client has this name: it is one of the name's addresses. */
static bool is_validated(const evaluation *e, const char *name)
{
    bool matches;
    return match_addresses(e, name, 32, 128, &matches) == DNS_FOUND && matches;
}

/* The client's validated name, the nearest to `domain` that there is (section 7.3). */
static void find_validated(const evaluation *e, const char *domain, char out[256])
{
    buf records = BUF_INIT;
    const char *at = NULL, *name;
    char reverse[80];
    int best = 0;

    (void)snprintf(out, 256, "unknown");
    reverse_name(&e->ip, reverse);
    if (ask(e, DNS_PTR, reverse, &records) == DNS_FOUND)
        for (int i = 0; i < PTR_MOST && best < 3 && (name = dns_next(&records, &at)); i++) {
            int rank = strcasecmp(name, domain) == 0 ? 3 : is_under(name, domain) ? 2 : 1;
            if (rank > best && is_name(name) && is_validated(e, name)) {
                best = rank;
                (void)snprintf(out, 256, "%s", name);
            }
        }
    buf_free(&records);
}

/* ---- macros (section 7) ---- */

typedef struct macro {
    char letter; /* lower case */
    bool escape; /* it was upper case */
    bool reverse;
    unsigned keep; /* parts from the right; 0: all */
    piece delimiters;
} macro;

/* Reads "%{…}" behind its "%{"; the octets it has, 0 if it is none. `text`: in an explanation,
 * which has letters of its own. */
static size_t read_macro(piece p, bool text, macro *out)
{
    size_t i = 1;

    if (p.len < 2 || !is_alpha(p.data[0]))
        return 0;
    char c = p.data[0];
    *out = (macro){.escape = c >= 'A' && c <= 'Z'};
    out->letter = (char)(out->escape ? c + 32 : c);
    if (!strchr(text ? "slodiphcrtv" : "slodiphv", out->letter))
        return 0;
    bool digits = is_digit(p.data[i]);
    for (; i < p.len && is_digit(p.data[i]); i++)
        out->keep = out->keep > 1000 ? out->keep : out->keep * 10 + (unsigned)(p.data[i] - '0');
    if (digits && out->keep == 0)
        return 0;
    if (i < p.len && (p.data[i] == 'r' || p.data[i] == 'R')) {
        out->reverse = true;
        i++;
    }
    out->delimiters.data = p.data + i;
    while (i < p.len && is_delimiter(p.data[i]))
        i++;
    out->delimiters.len = (size_t)(p.data + i - out->delimiters.data);
    return i < p.len && p.data[i] == '}' ? i + 1 : 0;
}

static bool delimits(const macro *m, char c)
{
    return m->delimiters.len ? memchr(m->delimiters.data, c, m->delimiters.len) != NULL : c == '.';
}

static void add_octet(buf *out, char c, bool escape)
{
    if (!escape || is_alnum(c) || (c && strchr("-._~", c)))
        buf_addc(out, c);
    else
        buf_addf(out, "%%%02X", (unsigned)(unsigned char)c);
}

#define PARTS 256

/* Adds the value: parted, turned round, cut to its right parts. */
static void add_value(buf *out, const macro *m, const char *value)
{
    piece parts[PARTS];
    size_t count = 0;
    const char *start = value;

    for (const char *p = value;; p++) {
        if (*p && (!delimits(m, *p) || count + 1 == PARTS))
            continue;
        parts[count++] = (piece){start, (size_t)(p - start)};
        start = p + 1;
        if (!*p)
            break;
    }
    size_t from = m->keep && m->keep < count ? count - m->keep : 0;
    for (size_t i = from; i < count; i++) {
        piece p = parts[m->reverse ? count - 1 - i : i];
        if (i > from)
            add_octet(out, '.', m->escape);
        for (size_t k = 0; k < p.len; k++)
            add_octet(out, p.data[k], m->escape);
    }
}

static void add_macro(evaluation *e, const char *domain, const macro *m, buf *out)
{
    char text[400];
    const char *value = text;

    switch (m->letter) {
    case 's': value = e->sender; break;
    case 'l': (void)snprintf(text, sizeof text, "%.*s", (int)e->local, e->sender); break;
    case 'o': value = e->domain; break;
    case 'd': value = domain; break;
    case 'i': dotted(&e->ip, text); break;
    case 'p':
        if (!e->validated[0]) /* once: a record may have the macro a thousand times */
            find_validated(e, domain, e->validated);
        value = e->validated;
        break;
    case 'v': value = e->ip.v6 ? "ip6" : "in-addr"; break;
    case 'h': value = e->query->helo; break;
    case 'c': readable(&e->ip, text); break;
    case 'r': value = e->query->receiver ? e->query->receiver : "unknown"; break;
    default: (void)snprintf(text, sizeof text, "%lld", (long long)e->query->now); break;
    }
    add_value(out, m, value);
}

/* Walks a macro-string: without `e` it is only checked. *literal is where its last run of plain
 * characters begins. */
static bool walk_macros(evaluation *e, const char *domain, piece p, bool text, buf *out,
                        size_t *literal)
{
    size_t i = 0;

    *literal = 0;
    while (i < p.len) {
        char c = p.data[i++], next = i < p.len ? p.data[i] : '\0';
        macro m;
        size_t len;
        if (c < 0x20 || c > 0x7E || (c == 0x20 && !text))
            return false;
        if (c != '%') {
            if (e)
                buf_addc(out, c);
            continue;
        }
        if (next == '%' || next == '_' || next == '-')
            len = 1;
        else
            len = next == '{' ? read_macro((piece){p.data + i + 1, p.len - i - 1}, text, &m) : 0;
        if (len == 0)
            return false;
        if (e && next == '{')
            add_macro(e, domain, &m, out);
        else if (e)
            buf_adds(out, next == '%' ? "%" : next == '_' ? " " : "%20");
        i += len + (next == '{');
        *literal = i;
        if (e && (out->len > EXPANDED || !buf_ok(out)))
            return false;
    }
    return true;
}

/* ---- syntax ---- */

static bool is_toplabel(piece p)
{
    bool alpha = false, hyphen = false;

    for (size_t i = 0; i < p.len; i++) {
        if (!is_alnum(p.data[i]) && p.data[i] != '-')
            return false;
        alpha = alpha || is_alpha(p.data[i]);
        hyphen = hyphen || p.data[i] == '-';
    }
    return p.len > 0 && (alpha || hyphen) && p.data[0] != '-' && p.data[p.len - 1] != '-';
}

/* domain-spec: a macro-string that ends in a macro, or in a dot and a label that isn't a number. */
static bool is_domain_spec(piece p)
{
    size_t literal;

    if (p.len == 0 || !walk_macros(NULL, NULL, p, false, NULL, &literal))
        return false;
    if (literal == p.len)
        return true;
    size_t end = p.data[p.len - 1] == '.' ? p.len - 1 : p.len, dot = end;
    while (dot > literal && p.data[dot - 1] != '.')
        dot--;
    return dot > literal && is_toplabel((piece){p.data + dot, end - dot});
}

/* Takes "/24" off the end; false if what is there is wrong. `slashes`: how many are before it. */
static bool take_bits(piece *p, const char *slashes, unsigned most, unsigned *bits)
{
    size_t digits = p->len, count = strlen(slashes);
    unsigned n = 0;

    while (digits > 0 && is_digit(p->data[digits - 1]))
        digits--;
    if (digits < count || memcmp(p->data + digits - count, slashes, count) != 0)
        return true; /* there is none */
    size_t len = p->len - digits;
    if (len == 0 || len > 3 || (len > 1 && p->data[digits] == '0'))
        return false;
    for (size_t i = digits; i < p->len; i++)
        n = n * 10 + (unsigned)(p->data[i] - '0');
    *bits = n;
    p->len = digits - count;
    return n <= most;
}

static bool read_network(piece p, term *t)
{
    bool v6 = t->kind == IP6;
    unsigned *bits = v6 ? &t->bits6 : &t->bits4;
    char text[64];

    if (!take_bits(&p, "/", v6 ? 128 : 32, bits) || p.len == 0 || p.len >= sizeof text)
        return false;
    memcpy(text, p.data, p.len);
    text[p.len] = '\0';
    t->network.v6 = v6;
    return !strchr(text, '/') && inet_pton(v6 ? AF_INET6 : AF_INET, text, t->network.bytes) == 1;
}

/* What follows a mechanism's name: ":" and an argument, and bits. */
static const char *read_argument(piece p, term *t)
{
    bool given = p.len > 0 && p.data[0] == ':';

    if (KINDS[t->kind].cidr &&
        (!take_bits(&p, "//", 128, &t->bits6) || !take_bits(&p, "/", 32, &t->bits4)))
        return "has a wrong number of bits";
    if (p.len > 0 && p.data[0] != ':')
        return "has something behind it that it can't have";
    if (given ? KINDS[t->kind].argument == NEVER : KINDS[t->kind].argument == ALWAYS)
        return given ? "takes nothing behind it" : "needs an argument";
    if (!given)
        return NULL;
    piece argument = {p.data + 1, p.len - 1};
    if (t->kind == IP4 || t->kind == IP6)
        return read_network(argument, t) ? NULL : "has no valid network";
    t->domain = argument;
    return is_domain_spec(argument) ? NULL : "has no valid domain name";
}

static const char *read_mechanism(piece p, term *t)
{
    static const spf_result qualifiers[] = {SPF_PASS, SPF_FAIL, SPF_SOFTFAIL, SPF_NEUTRAL};
    static const char signs[] = "+-~?";
    const char *sign = memchr(signs, p.data[0], sizeof signs - 1);
    size_t name = 0;

    *t = (term){.text = p, .bits4 = 32, .bits6 = 128, .qualifier = SPF_PASS};
    if (sign) {
        t->qualifier = qualifiers[sign - signs];
        p = (piece){p.data + 1, p.len - 1};
    }
    while (name < p.len && p.data[name] != ':' && p.data[name] != '/')
        name++;
    while (t->kind < MECHANISMS && !piece_is((piece){p.data, name}, KINDS[t->kind].name))
        t->kind++;
    if (t->kind == MECHANISMS)
        return "is no mechanism";
    return read_argument((piece){p.data + name, p.len - name}, t);
}

static const char *read_modifier(piece p, size_t name, modifiers *m)
{
    piece value = {p.data + name + 1, p.len - name - 1};
    piece *known = piece_is((piece){p.data, name}, "redirect") ? &m->redirect
                   : piece_is((piece){p.data, name}, "exp")    ? &m->exp
                                                               : NULL;
    size_t literal;

    if (name == 0 || !is_alpha(p.data[0]))
        return "is no modifier";
    for (size_t i = 0; i < name; i++)
        if (!is_alnum(p.data[i]) && p.data[i] != '-' && p.data[i] != '_' && p.data[i] != '.')
            return "is no modifier";
    if (!known)
        return walk_macros(NULL, NULL, value, false, NULL, &literal) ? NULL : "has a wrong macro";
    if (known->data)
        return "is there twice";
    *known = value;
    return is_domain_spec(value) ? NULL : "has no valid domain name";
}

/* The next term that blanks part; false at the end. */
static bool next_term(const char **at, piece *out)
{
    while (**at == ' ')
        ++*at;
    *out = (piece){*at, strcspn(*at, " ")};
    *at += out->len;
    return out->len > 0;
}

/* Reads one term: a mechanism, or a modifier (*is_mechanism is false). NULL, or what is wrong. */
static const char *read_term(piece p, term *t, modifiers *m, bool *is_mechanism)
{
    size_t end = 0;

    while (end < p.len && !strchr(":/=", p.data[end]))
        end++;
    *is_mechanism = end == p.len || p.data[end] != '=';
    for (size_t i = 0; i < p.len; i++)
        if (p.data[i] < 0x21 || p.data[i] > 0x7E)
            return "has a character that is not printable ASCII";
    return *is_mechanism ? read_mechanism(p, t) : read_modifier(p, end, m);
}

bool spf_is_record(const char *record)
{
    size_t len = sizeof VERSION - 1;
    return strncasecmp(record, VERSION, len) == 0 && (record[len] == ' ' || record[len] == '\0');
}

/* Errors anywhere make it one, whatever would match before them (section 4.6). */
static bool read_record(const char *record, modifiers *m, char *why, size_t room)
{
    const char *at = record + sizeof VERSION - 1;
    bool is_mechanism;
    piece p;
    term t;

    *m = (modifiers){{NULL, 0}, {NULL, 0}};
    while (next_term(&at, &p)) {
        const char *fault = read_term(p, &t, m, &is_mechanism);
        if (fault) {
            (void)snprintf(why, room, "\"%.*s\" %s.", SHOWN(p), fault);
            make_visible(why);
            return false;
        }
    }
    return true;
}

bool spf_is_valid(const char *record, char *why, size_t room)
{
    modifiers m;

    if (spf_is_record(record))
        return read_record(record, &m, why, room);
    (void)snprintf(why, room, "It does not begin with %s.", VERSION);
    return false;
}

/* ---- evaluation ---- */

static spf_result check_host(evaluation *e, const char *domain, bool outermost);

/* A domain-spec becomes a name; labels are taken off its left where it is too long. False, and it
 * is said, if it can't. */
static bool expand_domain(evaluation *e, const char *domain, piece spec, char out[256])
{
    buf text = BUF_INIT;
    size_t literal;
    bool ok = walk_macros(e, domain, spec, false, &text, &literal);
    const char *s = ok ? buf_cstr(&text) : NULL;

    if (s && text.len > 0 && text.data[text.len - 1] == '.')
        text.data[--text.len] = '\0';
    const char *end = s ? s + text.len : NULL;
    while (s && end - s > NAME_MAX_LEN) {
        const char *dot = strchr(s, '.');
        s = dot ? dot + 1 : end;
    }
    if (s)
        (void)snprintf(out, 256, "%s", s);
    else
        (void)say(e->verdict, SPF_PERMERROR, "\"%.*s\" can't be expanded.", SHOWN(spec));
    buf_free(&text);
    return s != NULL;
}

static bool too_many(evaluation *e, const char *what, unsigned most)
{
    e->verdict->too_many = true;
    (void)say(e->verdict, SPF_PERMERROR, "It has more than %u %s.", most, what);
    return true;
}

/* Counts a term that asks; true if there are too many. */
static bool count_lookup(evaluation *e)
{
    unsigned most = e->query->survey ? SURVEY_MOST : SPF_LOOKUPS;
    return ++e->verdict->lookups > most && too_many(e, "terms that ask DNS", most);
}

static bool count_void(evaluation *e, dns_result r)
{
    return r == DNS_NONE && ++e->verdict->voids > SPF_VOIDS && !e->query->survey &&
           too_many(e, "questions that DNS has no answer to", SPF_VOIDS);
}

/* What a mechanism comes to: it matches or not, or is an error. */
typedef enum outcome { MISS, MATCH, ERROR_TEMP, ERROR_PERM } outcome;

static outcome of_answer(evaluation *e, dns_result r, const char *name, bool matches)
{
    if (count_void(e, r))
        return ERROR_PERM;
    if (r != DNS_FAILED)
        return matches ? MATCH : MISS;
    (void)say(e->verdict, SPF_TEMPERROR, "DNS gave no answer about %s.", name);
    return ERROR_TEMP;
}

static outcome match_a(evaluation *e, const term *t, const char *name)
{
    bool matches;
    dns_result r = match_addresses(e, name, t->bits4, t->bits6, &matches);
    return of_answer(e, r, name, matches);
}

static outcome match_mx(evaluation *e, const term *t, const char *name)
{
    buf records = BUF_INIT;
    const char *at = NULL, *record;
    dns_result r = ask(e, DNS_MX, name, &records);
    outcome o = of_answer(e, r, name, false);
    unsigned count = 0;

    while (r == DNS_FOUND && o == MISS && (record = dns_next(&records, &at))) {
        const char *host = strchr(record, ' ');
        if (++count > MX_MOST) {
            (void)too_many(e, "mail exchangers in one mx", MX_MOST);
            o = ERROR_PERM;
        } else if (host && strcmp(host + 1, ".") != 0 && host[1])
            o = match_a(e, t, host + 1);
    }
    buf_free(&records);
    return o;
}

static outcome match_ptr(evaluation *e, const char *name)
{
    buf records = BUF_INIT;
    const char *at = NULL, *record;
    char reverse[80];
    outcome o = MISS;

    reverse_name(&e->ip, reverse);
    dns_result r = ask(e, DNS_PTR, reverse, &records);
    if (count_void(e, r))
        o = ERROR_PERM;
    for (int i = 0; i < PTR_MOST && r == DNS_FOUND && o == MISS; i++) {
        record = dns_next(&records, &at);
        if (!record)
            break;
        if (is_under(record, name) && is_validated(e, record))
            o = MATCH;
    }
    buf_free(&records);
    return o;
}

static outcome match_exists(evaluation *e, const char *name)
{
    buf records = BUF_INIT;
    dns_result r = ask(e, DNS_A, name, &records);

    buf_free(&records);
    return of_answer(e, r, name, r == DNS_FOUND);
}

/* The included policy's verdict (section 5.2). */
static outcome match_include(evaluation *e, const char *name)
{
    switch (check_host(e, name, false)) {
    case SPF_PASS: return MATCH;
    case SPF_TEMPERROR: return ERROR_TEMP;
    case SPF_PERMERROR: return ERROR_PERM;
    case SPF_NONE:
        (void)say(e->verdict, SPF_PERMERROR, "%s, which is included, has no policy.", name);
        return ERROR_PERM;
    default: return MISS;
    }
}

static outcome match(evaluation *e, const term *t, const char *domain)
{
    char name[256];
    outcome o = MISS;

    if (KINDS[t->kind].asks && count_lookup(e))
        return ERROR_PERM;
    if (t->domain.data && !expand_domain(e, domain, t->domain, name))
        return ERROR_PERM;
    if (!t->domain.data)
        (void)snprintf(name, sizeof name, "%s", domain);
    switch (t->kind) {
    case ALL: return MATCH;
    case INCLUDE: o = match_include(e, name); break;
    case A: o = match_a(e, t, name); break;
    case MX: o = match_mx(e, t, name); break;
    case PTR: o = match_ptr(e, name); break;
    case EXISTS: o = match_exists(e, name); break;
    default: o = within(&e->ip, &t->network, t->kind == IP6 ? t->bits6 : t->bits4) ? MATCH : MISS;
    }
    return o == MATCH && e->query->survey ? MISS : o;
}

/* exp=: whatever goes wrong, there is none. */
static void explain(evaluation *e, const char *domain, piece spec)
{
    spf_verdict *v = e->verdict;
    buf records = BUF_INIT, text = BUF_INIT;
    const char *at = NULL, *record;
    char name[256], why[sizeof v->why];
    size_t literal;

    memcpy(why, v->why, sizeof why); /* what decided stays said */
    if (expand_domain(e, domain, spec, name) && ask(e, DNS_TXT, name, &records) == DNS_FOUND &&
        (record = dns_next(&records, &at)) && !dns_next(&records, &at) &&
        walk_macros(e, domain, (piece){record, strlen(record)}, true, &text, &literal) &&
        text.len < sizeof v->explanation && buf_cstr(&text))
        (void)snprintf(v->explanation, sizeof v->explanation, "%s", buf_cstr(&text));
    memcpy(v->why, why, sizeof why);
    buf_free(&records);
    buf_free(&text);
}

static spf_result follow_redirect(evaluation *e, const char *domain, piece spec, bool outermost)
{
    char name[256];

    if (count_lookup(e) || !expand_domain(e, domain, spec, name))
        return SPF_PERMERROR;
    spf_result r = check_host(e, name, outermost);
    if (r != SPF_NONE)
        return r;
    return say(e->verdict, SPF_PERMERROR, "%s, which it redirects to, has no policy.", name);
}

static spf_result decided(evaluation *e, const term *t, const char *domain, const modifiers *m,
                          bool outermost)
{
    spf_verdict *v = e->verdict;

    (void)say(v, t->qualifier, "\"%.*s\" of %s decides.", SHOWN(t->text), domain);
    v->open = outermost && t->kind == ALL && t->qualifier == SPF_PASS;
    if (outermost && t->qualifier == SPF_FAIL && m->exp.data && !e->query->survey)
        explain(e, domain, m->exp);
    return t->qualifier;
}

static spf_result evaluate(evaluation *e, const char *domain, const char *record, bool outermost)
{
    const char *at = record + sizeof VERSION - 1;
    modifiers m, none = {{NULL, 0}, {NULL, 0}};
    bool is_mechanism;
    piece p;
    term t;
    char why[200];

    if (!read_record(record, &m, why, sizeof why))
        return say(e->verdict, SPF_PERMERROR, "%s: %s", domain, why);
    while (next_term(&at, &p)) {
        outcome o = MISS;
        if (!read_term(p, &t, &none, &is_mechanism) && is_mechanism)
            o = match(e, &t, domain);
        if (o == MATCH)
            return decided(e, &t, domain, &m, outermost);
        if (o != MISS)
            return o == ERROR_TEMP ? SPF_TEMPERROR : SPF_PERMERROR;
    }
    if (m.redirect.data)
        return follow_redirect(e, domain, m.redirect, outermost);
    return say(e->verdict, SPF_NEUTRAL, "Nothing in the policy of %s is for this address.", domain);
}

/* Its one policy in *out, of `records`. */
static spf_result select_record(evaluation *e, const char *domain, const buf *records,
                                const char **out)
{
    const char *at = NULL, *record;

    *out = NULL;
    while ((record = dns_next(records, &at))) {
        if (!spf_is_record(record))
            continue;
        if (*out)
            return say(e->verdict, SPF_PERMERROR, "%s has more than one policy.", domain);
        *out = record;
    }
    return *out ? SPF_NEUTRAL : say(e->verdict, SPF_NONE, "%s has no policy.", domain);
}

/* Recursion is bounded by the number of lookups: each way here but the first counts one. */
// NOLINTNEXTLINE(misc-no-recursion)
static spf_result check_host(evaluation *e, const char *domain, bool outermost)
{
    buf records = BUF_INIT;
    const char *record = NULL;
    spf_result r;

    if (!is_name(domain) || !strchr(domain, '.'))
        return say(e->verdict, SPF_NONE, "%s is no domain name.", domain);
    switch (ask(e, DNS_TXT, domain, &records)) {
    case DNS_FOUND: r = select_record(e, domain, &records, &record); break;
    case DNS_NONE: r = say(e->verdict, SPF_NONE, "%s has no policy.", domain); break;
    default: r = say(e->verdict, SPF_TEMPERROR, "DNS gave no answer about %s.", domain);
    }
    if (r == SPF_NEUTRAL && record)
        r = evaluate(e, domain, record, outermost);
    buf_free(&records);
    return r;
}

/* The sender's local part and domain; without one it is postmaster (section 4.3). */
static bool take_sender(evaluation *e, const spf_query *q)
{
    const char *at = strrchr(q->sender, '@');
    const char *domain = at ? at + 1 : q->sender[0] ? q->sender : q->helo;
    size_t local = at ? (size_t)(at - q->sender) : 0;
    size_t len = strlen(domain);

    if (len > 0 && domain[len - 1] == '.')
        len--;
    if (len > NAME_MAX_LEN || local > 128)
        return false;
    e->local = local ? local : strlen("postmaster");
    (void)snprintf(e->sender, sizeof e->sender, "%.*s@%.*s", (int)e->local,
                   local ? q->sender : "postmaster", (int)len, domain);
    (void)snprintf(e->domain, sizeof e->domain, "%.*s", (int)len, domain);
    return true;
}

void spf_check(const spf_query *q, spf_verdict *out)
{
    evaluation e = {.query = q, .verdict = out};

    *out = (spf_verdict){.result = SPF_NONE};
    if (!read_address(q->ip, &e.ip))
        out->result = say(out, SPF_NONE, "%s is no address.", q->ip);
    else if (!take_sender(&e, q))
        out->result = say(out, SPF_NONE, "The sender is too long.");
    else
        out->result = check_host(&e, e.domain, true);
}
