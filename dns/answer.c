#include "dns/answer.h"

#include <limits.h>

#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>

#define HEADER      12
#define FIXED       10 /* type, class, TTL and length, behind a record's name */
#define SOA_NUMBERS 20 /* serial to minimum, at the end of an SOA */

typedef struct reader {
    const unsigned char *data;
    size_t len, at;
} reader;

typedef struct record {
    unsigned type, class;
    uint32_t ttl;
    size_t at, len; /* of its data */
} record;

int dns_type_number(dns_type type)
{
    static const int numbers[DNS_TYPES] = {ns_t_txt, ns_t_a, ns_t_aaaa, ns_t_mx, ns_t_ptr};
    return numbers[type];
}

static unsigned number16(const unsigned char *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static uint32_t number32(const unsigned char *p)
{
    return (uint32_t)number16(p) << 16 | number16(p + 2);
}

/* Adds the name at `at`, which may point elsewhere; "." is the root. *length: its octets here. */
static bool read_name(const reader *r, size_t at, buf *out, size_t *length)
{
    char *name = NULL;
    long len = 0;

    if (at >= r->len ||
        ares_expand_name(r->data + at, r->data, (int)r->len, &name, &len) != ARES_SUCCESS)
        return false;
    if (out)
        buf_adds(out, name[0] ? name : ".");
    *length = (size_t)len;
    ares_free_string(name);
    return true;
}

static bool skip_question(reader *r)
{
    size_t len;

    if (!read_name(r, r->at, NULL, &len) || r->len - r->at < len + 4)
        return false;
    r->at += len + 4;
    return true;
}

static bool read_record(reader *r, record *out)
{
    size_t len;

    if (!read_name(r, r->at, NULL, &len) || r->len - r->at < len + FIXED)
        return false;
    const unsigned char *p = r->data + r->at + len;
    *out = (record){number16(p), number16(p + 2), number32(p + 4), r->at + len + FIXED,
                    number16(p + 8)};
    if (r->len - out->at < out->len)
        return false;
    r->at = out->at + out->len;
    return true;
}

static bool add_txt(const reader *r, const record *one, buf *out)
{
    size_t at = one->at, end = at + one->len;

    while (at < end) {
        size_t len = r->data[at++];
        if (end - at < len)
            return false;
        for (size_t i = 0; i < len; i++)
            buf_addc(out, r->data[at + i] ? (char)r->data[at + i] : '\1');
        at += len;
    }
    return true;
}

static bool add_address(const reader *r, const record *one, int family, buf *out)
{
    char text[INET6_ADDRSTRLEN];

    if (one->len != (family == AF_INET ? 4 : 16) ||
        !inet_ntop(family, r->data + one->at, text, sizeof text))
        return false;
    buf_adds(out, text);
    return true;
}

static bool add_mx(const reader *r, const record *one, buf *out)
{
    size_t len;

    if (one->len < 3)
        return false;
    buf_addu(out, number16(r->data + one->at));
    buf_addc(out, ' ');
    return read_name(r, one->at + 2, out, &len);
}

static bool add_record(const reader *r, const record *one, dns_type type, buf *out)
{
    size_t len;
    bool ok = true;

    switch (type) {
    case DNS_TXT: ok = add_txt(r, one, out); break;
    case DNS_A: ok = add_address(r, one, AF_INET, out); break;
    case DNS_AAAA: ok = add_address(r, one, AF_INET6, out); break;
    case DNS_MX: ok = add_mx(r, one, out); break;
    default: ok = read_name(r, one->at, out, &len);
    }
    buf_addc(out, '\0');
    return ok;
}

/* The least of the answer's TTLs; of one without records, what its zone says of that. */
static void hold(const reader *r, const record *one, bool authority, uint32_t *ttl)
{
    uint32_t least = one->ttl > INT32_MAX ? 0 : one->ttl; /* RFC 2181 section 8 */

    if (authority && (one->type != ns_t_soa || one->len < SOA_NUMBERS))
        return;
    uint32_t minimum = authority ? number32(r->data + one->at + one->len - 4) : least;
    least = least < minimum ? least : minimum;
    *ttl = least < *ttl ? least : *ttl;
}

bool dns_answer_read(const unsigned char *data, size_t len, dns_type type, buf *out, uint32_t *ttl)
{
    reader r = {data, len, HEADER};
    size_t before = out->len;
    record one;
    bool ok = len >= HEADER && len <= INT_MAX;
    unsigned questions = ok ? number16(data + 4) : 0, answers = ok ? number16(data + 6) : 0;
    unsigned authorities = ok && answers == 0 ? number16(data + 8) : 0;

    *ttl = UINT32_MAX;
    for (unsigned i = 0; ok && i < questions; i++)
        ok = skip_question(&r);
    for (unsigned i = 0; ok && i < answers + authorities; i++) {
        ok = read_record(&r, &one);
        if (ok)
            hold(&r, &one, answers == 0, ttl);
        if (ok && answers > 0 && one.class == ns_c_in && (int)one.type == dns_type_number(type))
            ok = add_record(&r, &one, type, out) && out->len - before <= DNS_ANSWER_MOST;
    }
    if (*ttl == UINT32_MAX)
        *ttl = 0;
    ok = ok && buf_ok(out);
    if (!ok)
        out->len = before;
    return ok;
}
