/* Tests of queue/address_guard: each block's first and last address and those beside it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "queue/address_guard.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

static const char *judge(const char *text)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
        return address_guard_fault((const struct sockaddr *)&in, sizeof in);
    if (inet_pton(AF_INET6, text, &in6.sin6_addr) != 1)
        fail_msg("no address: %s", text);
    return address_guard_fault((const struct sockaddr *)&in6, sizeof in6);
}

static void borders(void **state)
{
    /* The last public one before, the block's first and last, the first public one behind; NULL:
     * there is none beside it. */
    static const char *const blocks[][4] = {
        {NULL, "0.0.0.0", "0.255.255.255", "1.0.0.0"},
        {"9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"},
        {"100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"},
        {"126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"},
        {"169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"},
        {"172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"},
        {"191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"},
        {"192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"},
        {"192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"},
        {"192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"},
        {"198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"},
        {"198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"},
        {"203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"},
        {"223.255.255.255", "224.0.0.0", "239.255.255.255", NULL},
        {NULL, "240.0.0.0", "255.255.255.255", NULL},

        {NULL, "::", "::1", NULL},
        {NULL, "::2", "::fffe:ffff:ffff", NULL},
        {NULL, "::1:0:0:0", "64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
        {NULL, "64:ff9b::1:0:0", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", NULL},
        {NULL, "100::", "100::ffff:ffff:ffff:ffff", NULL},
        {NULL, "100:0:0:1::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2000::"},
        {"2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         "2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::"},
        {"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
         "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"},
        {"3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::"},
        {"3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         "4000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
        {NULL, "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
        {NULL, "fe00::", "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
        {NULL, "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
        {NULL, "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
        {NULL, "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(blocks); i++) {
        for (size_t k = 0; k < 4; k++) {
            bool is_public = k == 0 || k == 3;
            if (blocks[i][k] && (judge(blocks[i][k]) == NULL) != is_public)
                fail_msg("%s: %s", blocks[i][k], is_public ? judge(blocks[i][k]) : "public");
        }
    }
}

static void what_it_is_called(void **state)
{
    static const struct {
        const char *address, *what; /* NULL: public */
    } cases[] = {
        {"8.8.8.8", NULL},
        {"192.31.196.1", NULL}, /* globally reachable in the registry */
        {"192.52.193.1", NULL},
        {"192.175.48.1", NULL},
        {"2620:4f:8000::1", NULL},
        {"2606:4700:4700::1111", NULL},
        {"0.0.0.0", "an unspecified address"},
        {"::", "an unspecified address"},
        {"127.0.0.1", "a loopback address"},
        {"::1", "a loopback address"},
        {"10.1.2.3", "a private address"},
        {"fd00::1", "a private address"},
        {"fec0::1", "a private address"},
        {"169.254.169.254", "a link-local address"},
        {"fe80::1", "a link-local address"},
        {"100.100.100.200", "an address shared by a provider's customers"},
        {"224.0.0.1", "a multicast address"},
        {"ff02::1", "a multicast address"},
        {"255.255.255.255", "a reserved address"},
        {"5f00::1", "a reserved address"},
        {"198.18.0.1", "an address for benchmarks"},
        {"2001:2::1", "an address for benchmarks"},
        {"2001:db8::1", "an address for documentation"},
        {"100::1", "a discard-only address"},
        {"2001:0:1234::1", "an address of a tunnel"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *got = judge(cases[i].address);
        if (!got || !cases[i].what)
            assert_true(got == cases[i].what);
        else
            assert_string_equal(got, cases[i].what);
    }
}

static void addresses_within_addresses(void **state)
{
    static const struct {
        const char *address;
        bool is_public;
    } cases[] = {
        {"::ffff:8.8.8.8", true},
        {"::ffff:127.0.0.1", false},
        {"::ffff:10.0.0.1", false},
        {"::ffff:169.254.169.254", false},
        {"::ffff:0.0.0.0", false},
        {"64:ff9b::8.8.8.8", true},
        {"64:ff9b::127.0.0.1", false},
        {"64:ff9b::192.168.0.1", false},
        {"64:ff9b:1::8.8.8.8", false},
        {"64:ff9b:1:ffff::1", false},
        {"64:ff9b:2::8.8.8.8", false},
        {"2002:808:808::1", true},
        {"2002:7f00:1::1", false},
        {"2002:a00:1::8.8.8.8", false},
        {"2002:c0a8:1::", false},
        {"2002::", false},
        {"2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false},
        {"::8.8.8.8", false},
        {"::127.0.0.1", false},
        {"::ffff:0:8.8.8.8", false}, /* RFC 2765's, given up */
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if ((judge(cases[i].address) == NULL) != cases[i].is_public)
            fail_msg("%s", cases[i].address);
    }
}

static void all_else_is_refused(void **state)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x08080808)};
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/run/x"};
    (void)state;
    assert_null(address_guard_fault((const struct sockaddr *)&in, sizeof in));
    assert_non_null(address_guard_fault((const struct sockaddr *)&in, sizeof in - 1));
    in.sin_family = AF_INET6;
    assert_non_null(address_guard_fault((const struct sockaddr *)&in, sizeof in));
    assert_non_null(address_guard_fault((const struct sockaddr *)&un, sizeof un));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(borders),
        cmocka_unit_test(what_it_is_called),
        cmocka_unit_test(addresses_within_addresses),
        cmocka_unit_test(all_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
