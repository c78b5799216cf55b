#include "queue/address_guard.h"

#include <stdbool.h>
#include <string.h>

#include <netinet/in.h>

/* A block of addresses. The first row that an address is in tells. */
typedef struct block {
    unsigned char prefix[16];
    unsigned char bits;
    signed char inner; /* where an IPv4 address is in it, which is judged instead; -1: nowhere */
    const char *what;  /* NULL: public */
} block;

#define LOOPBACK  "a loopback address"
#define PRIVATE   "a private address"
#define LINK      "a link-local address"
#define SHARED    "an address shared by a provider's customers"
#define THIS      "an unspecified address"
#define MULTICAST "a multicast address"
#define RESERVED  "a reserved address"
#define DOCUMENTS "an address for documentation"
#define BENCHMARK "an address for benchmarks"
#define TUNNEL    "an address of a tunnel"
#define DISCARD   "a discard-only address"

/* clang-format off */

/* https://www.iana.org/assignments/iana-ipv4-special-registry. What is globally reachable in it
 * (192.31.196.0/24, 192.52.193.0/24, 192.175.48.0/24) is left out. */
static const block blocks4[] = {
    {{0},                  8, -1, THIS},      /* RFC 791 section 3.2 */
    {{10},                 8, -1, PRIVATE},   /* RFC 1918 */
    {{100, 64},           10, -1, SHARED},    /* RFC 6598 */
    {{127},                8, -1, LOOPBACK},  /* RFC 1122 section 3.2.1.3 */
    {{169, 254},          16, -1, LINK},      /* RFC 3927: clouds' metadata, too */
    {{172, 16},           12, -1, PRIVATE},   /* RFC 1918 */
    {{192, 0, 0},         24, -1, RESERVED},  /* RFC 6890 section 2.1 */
    {{192, 0, 2},         24, -1, DOCUMENTS}, /* RFC 5737 */
    {{192, 88, 99},       24, -1, TUNNEL},    /* RFC 7526: 6to4's relays */
    {{192, 168},          16, -1, PRIVATE},   /* RFC 1918 */
    {{198, 18},           15, -1, BENCHMARK}, /* RFC 2544 */
    {{198, 51, 100},      24, -1, DOCUMENTS}, /* RFC 5737 */
    {{203, 0, 113},       24, -1, DOCUMENTS}, /* RFC 5737 */
    {{224},                4, -1, MULTICAST}, /* RFC 5771 */
    {{240},                4, -1, RESERVED},  /* RFC 1112 section 4; 255.255.255.255: RFC 919 */
    {{0},                  0, -1, NULL},
};

/* https://www.iana.org/assignments/iana-ipv6-special-registry, and what RFC 4291 says of the space
 * as a whole: of it 2000::/3 alone is given out. Globally reachable and not for hosts in general
 * (the anycast ones in 2001::/23) is refused with its neighbours; 2620:4f:8000::/48 is left out. */
static const block blocks6[] = {
    {{[15] = 1},                        128, -1, LOOPBACK},  /* ::1, RFC 4291 section 2.5.3 */
    {{0},                               128, -1, THIS},      /* ::, RFC 4291 section 2.5.2 */
    {{[10] = 0xFF, 0xFF},                96, 12, NULL},      /* ::ffff:0:0/96, RFC 4291 2.5.5.2 */
    {{0x00, 0x64, 0xFF, 0x9B},           96, 12, NULL},      /* 64:ff9b::/96, RFC 6052 */
    {{0x00, 0x64, 0xFF, 0x9B, 0, 1},     48, -1, PRIVATE},   /* 64:ff9b:1::/48, RFC 8215 */
    {{0x01},                             64, -1, DISCARD},   /* 100::/64, RFC 6666 */
    {{0x20, 0x01},                       32, -1, TUNNEL},    /* 2001::/32, Teredo, RFC 4380 */
    {{0x20, 0x01, 0, 2},                 48, -1, BENCHMARK}, /* 2001:2::/48, RFC 5180 */
    {{0x20, 0x01},                       23, -1, RESERVED},  /* 2001::/23, RFC 2928 */
    {{0x20, 0x01, 0x0D, 0xB8},           32, -1, DOCUMENTS}, /* 2001:db8::/32, RFC 3849 */
    {{0x20, 0x02},                       16,  2, NULL},      /* 2002::/16, 6to4, RFC 3056 */
    {{0x3F, 0xFF},                       20, -1, DOCUMENTS}, /* 3fff::/20, RFC 9637 */
    {{0x20},                              3, -1, NULL},      /* 2000::/3, RFC 4291 section 2.4 */
    {{0xFC},                              7, -1, PRIVATE},   /* fc00::/7, RFC 4193 */
    {{0xFE, 0x80},                       10, -1, LINK},      /* fe80::/10, RFC 4291 section 2.5.6 */
    {{0xFE, 0xC0},                       10, -1, PRIVATE},   /* fec0::/10, RFC 3879 */
    {{0xFF},                              8, -1, MULTICAST}, /* ff00::/8, RFC 4291 section 2.7 */
    {{0},                                 0, -1, RESERVED},  /* ::/96 (RFC 4291 2.5.5.1), 5f00::/16
                                                                (RFC 9602), what nobody was given */
};

/* clang-format on */

static bool is_in(const block *b, const unsigned char *address)
{
    size_t whole = b->bits / 8, rest = b->bits % 8;
    unsigned char mask = (unsigned char)(0xFF00U >> rest);
    return memcmp(address, b->prefix, whole) == 0 &&
           (rest == 0 || (address[whole] & mask) == (b->prefix[whole] & mask));
}

static const char *judge4(const unsigned char *address)
{
    const block *b = blocks4;
    while (!is_in(b, address)) /* the last has all */
        b++;
    return b->what;
}

static const char *judge6(const unsigned char *address)
{
    const block *b = blocks6;
    while (!is_in(b, address))
        b++;
    return b->inner >= 0 ? judge4(address + b->inner) : b->what;
}

const char *address_guard_fault(const struct sockaddr *address, size_t len)
{
    if (len >= sizeof(struct sockaddr_in) && address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        return judge4((const unsigned char *)&in.sin_addr);
    }
    if (len >= sizeof(struct sockaddr_in6) && address->sa_family == AF_INET6) {
        struct sockaddr_in6 in;
        memcpy(&in, address, sizeof in);
        return judge6((const unsigned char *)&in.sin6_addr);
    }
    return "no IP address";
}
