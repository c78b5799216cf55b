/* Tests of mime/address: which mailboxes are read, and which are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mime/address.h"

static void mailboxes_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name, *address;
        bool utf8;
    } cases[] = {
        {"a@b.c", NULL, "a@b.c", false},
        {"  a@b.c  ", NULL, "a@b.c", false},
        {"<a@b.c>", NULL, "a@b.c", false},
        {"Shop <shop@example.com>", "Shop", "shop@example.com", false},
        {"Shop & Co. <a@b.c>", "Shop & Co.", "a@b.c", false},
        {"\"A, B\" <a@b.c>", "A, B", "a@b.c", false},
        {"\"q \\\"x\\\" \\\\\" <a@b.c>", "q \"x\" \\", "a@b.c", false},
        {"李雷 <li@example.net>", "李雷", "li@example.net", false},
        {"a@b.c (a comment (nested))", NULL, "a@b.c", false},
        {"Name (comment) <a@b.c>", "Name", "a@b.c", false},
        {"a@EXAMPLE.Com", NULL, "a@example.com", false},
        {"A.B@example.com", NULL, "A.B@example.com", false},
        {"x@bücher.example", NULL, "x@xn--bcher-kva.example", false},
        {"用户@例子.测试", NULL, "用户@xn--fsqu00a.xn--0zwm56d", true},
        {"\"a b\"@c.d", NULL, "\"a b\"@c.d", false},
        {"\"plain\"@c.d", NULL, "plain@c.d", false},
        {"\"a<b\"@c.d", NULL, "\"a<b\"@c.d", false},
        {"root@localhost", NULL, "root@localhost", false},
        {"a@[192.0.2.1]", NULL, "a@[192.0.2.1]", false},
        {"a@[IPv6:2001:db8::1]", NULL, "a@[IPv6:2001:db8::1]", false},
        {"=?utf-8?q?x?= <a@b.c>", "=?utf-8?q?x?=", "a@b.c", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mime_mailbox m;
        const char *reason = NULL;
        if (!mime_mailbox_parse(cases[i].text, strlen(cases[i].text), &m, &reason))
            fail_msg("%s: %s", cases[i].text, reason ? reason : "no memory");
        assert_string_equal(m.address, cases[i].address);
        assert_string_equal(m.domain, strrchr(cases[i].address, '@') + 1);
        assert_int_equal(m.utf8, cases[i].utf8);
        assert_int_equal(m.name != NULL, cases[i].name != NULL);
        if (m.name)
            assert_string_equal(m.name, cases[i].name);
        mime_mailbox_clear(&m);
    }
}

static void what_is_no_mailbox_is_refused_with_a_reason(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        " ",
        "a",
        "@",
        "a@",
        "@b.c",
        "a@b@c.d",
        "a b@c.d",
        "a@b c",
        "a@-b.c",
        "a@b-.c",
        "a@b..c",
        "a@.b",
        "a@b.",
        "a..b@c.d",
        ".a@b.c",
        "a.@b.c",
        "<a@b.c",
        "a@b.c>",
        "A <a@b.c> B",
        "A <a@b.c>, B <c@d.e>",
        "a@b.c, d@e.f",
        "a@b.c; d@e.f",
        "group: a@b.c;",
        "<@route:a@b.c>",
        "a@[1.2.3.4",
        "a@[1.2.3]",
        "a@[IPv6:zz]",
        "a@b_c.d",
        "a@b.c\r\nRCPT TO:<x@y.z>",
        "a\n@b.c",
        "a@b.c\x7f",
        "\"a\nb\"@c.d",
        "a@b.c ORCPT=x",
        "Name a@b.c",
        "A, B <a@b.c>",
        "\"open <a@b.c>",
        "(open a@b.c",
        "\xFF@b.c",
        "a@\xFF.c",
        "<>",
        "A <>",
        "a@b.c (x",
        "a@xn--a.b\xC0",
        "a@bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.c",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@b.c",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mime_mailbox m;
        const char *reason = NULL;
        if (mime_mailbox_parse(cases[i], strlen(cases[i]), &m, &reason))
            fail_msg("%s was read as %s", cases[i], m.address);
        assert_non_null(reason);
        assert_null(m.address);
        assert_null(m.name);
    }
}

static void a_nul_is_refused(void **state)
{
    (void)state;
    mime_mailbox m;
    const char *reason = NULL;
    assert_false(mime_mailbox_parse("a@b.c\0", 6, &m, &reason));
    assert_non_null(reason);
}

static void lengths_are_bounded_as_rfc5321_does(void **state)
{
    (void)state;
    char text[400];
    mime_mailbox m;
    const char *reason = NULL;
    /* 64 before the @, and 254 in all, are the most. */
    memset(text, 'a', 64);
    text[64] = '@';
    size_t at = 65;
    for (int i = 0; i < 3; i++) {
        memset(text + at, 'b', 47);
        text[at + 47] = '.';
        at += 48;
    }
    memset(text + at, 'c', 400 - at);
    assert_true(mime_mailbox_parse(text, 254, &m, &reason));
    assert_int_equal(strlen(m.address), 254);
    mime_mailbox_clear(&m);
    assert_false(mime_mailbox_parse(text, 255, &m, &reason));
}

static void an_address_and_a_name_make_a_mailbox(void **state)
{
    (void)state;
    mime_mailbox m;
    const char *reason = NULL;
    assert_true(mime_mailbox_make("a@b.c", 5, "Q \"x\", <y>", 10, &m, &reason));
    assert_string_equal(m.name, "Q \"x\", <y>");
    mime_mailbox_clear(&m);
    assert_true(mime_mailbox_make("a@b.c", 5, "", 0, &m, &reason));
    assert_null(m.name);
    mime_mailbox_clear(&m);
    assert_false(mime_mailbox_make("A <a@b.c>", 9, NULL, 0, &m, &reason));
    assert_false(mime_mailbox_make("a@b.c", 5, "a\r\nBcc: x", 9, &m, &reason));
    assert_null(m.address);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mailboxes_are_read),
        cmocka_unit_test(what_is_no_mailbox_is_refused_with_a_reason),
        cmocka_unit_test(a_nul_is_refused),
        cmocka_unit_test(lengths_are_bounded_as_rfc5321_does),
        cmocka_unit_test(an_address_and_a_name_make_a_mailbox),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
