/* Tests of dns/: policies (RFC 7208) and DMARC records (RFC 7489) on zones of the test's own. The
 * test suite of RFC 7208 itself is run by tests/blackbox/test_spf.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "dns/answer.h"
#include "dns/cache.h"
#include "dns/dmarc.h"
#include "dns/spf.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

typedef struct zone_record {
    dns_type type;
    const char *name, *value; /* NULL: the question fails */
} zone_record;

typedef struct zone {
    const zone_record *list;
    size_t count;
    unsigned asked;
} zone;

static dns_result look_up(void *ctx, dns_type type, const char *name, buf *out)
{
    zone *z = ctx;
    dns_result r = DNS_NONE;

    z->asked++;
    for (size_t i = 0; i < z->count; i++) {
        const zone_record *one = &z->list[i];
        if (one->type != type || strcasecmp(one->name, name) != 0)
            continue;
        if (!one->value)
            return DNS_FAILED;
        buf_add(out, one->value, strlen(one->value) + 1);
        r = DNS_FOUND;
    }
    return r;
}

static spf_verdict check(zone *z, const char *ip, const char *sender, bool survey)
{
    spf_verdict v;
    const spf_query q = {.ip = ip,
                         .sender = sender,
                         .helo = "mx.example.org",
                         .receiver = "relay.example.net",
                         .now = 1700000000,
                         .survey = survey,
                         .lookup = look_up,
                         .ctx = z};
    spf_check(&q, &v);
    return v;
}

/* The verdict of one policy, of example.com. */
static spf_verdict check_policy(const char *policy, const char *ip)
{
    const zone_record list[] = {
        {DNS_TXT, "example.com", policy},
        {DNS_A, "example.com", "192.0.2.1"},
        {DNS_MX, "example.com", "10 mx.example.com"},
        {DNS_MX, "null.example.com", "0 ."},
        {DNS_A, "mx.example.com", "192.0.2.2"},
        {DNS_AAAA, "mx.example.com", "2001:db8::2"},
        {DNS_TXT, "plus.example.com", "v=spf1 +all"},
        {DNS_TXT, "down.example.com", NULL},
        {DNS_TXT, "exp.example.com", "%{i} of %{t} at %{r}, %{c}"},
        {DNS_PTR, "2.2.0.192.in-addr.arpa", "mx.example.com"},
    };
    zone z = {list, COUNT(list), 0};
    return check(&z, ip, "strong-bad@example.com", false);
}

static void policies_come_to_what_they_say(void **state)
{
    static const struct {
        const char *policy, *ip;
        spf_result result;
        const char *why;
    } cases[] = {
        {"v=spf1 a -all", "192.0.2.1", SPF_PASS, "\"a\" of example.com decides."},
        {"v=spf1 mx -all", "192.0.2.2", SPF_PASS, "mx"},
        {"v=spf1 mx -all", "::ffff:192.0.2.2", SPF_PASS, "mx"},
        {"v=spf1 mx -all", "2001:db8::2", SPF_PASS, "mx"},
        {"v=spf1 mx:null.example.com ~all", "192.0.2.9", SPF_SOFTFAIL, "~all"},
        {"v=spf1 ptr -all", "192.0.2.2", SPF_PASS, "ptr"},
        {"v=spf1 ip4:192.0.2.0/30 -all", "192.0.2.3", SPF_PASS, "ip4:192.0.2.0/30"},
        {"v=spf1 ip4:192.0.2.0/30 -all", "192.0.2.4", SPF_FAIL, "-all"},
        {"v=spf1 ip6:2001:db8::/127 -all", "2001:db8::1", SPF_PASS, "ip6"},
        {"v=spf1 ip6:2001:db8::/127 -all", "2001:db8::2", SPF_FAIL, "-all"},
        {"v=spf1 include:plus.example.com -all", "192.0.2.9", SPF_PASS, "include"},
        {"v=spf1 redirect=plus.example.com", "192.0.2.9", SPF_PASS, "plus.example.com"},
        {"v=spf1", "192.0.2.9", SPF_NEUTRAL, "Nothing"},
        {"v=spf1 include:down.example.com -all", "192.0.2.9", SPF_TEMPERROR, "no answer"},
        {"v=spf1 include:none.example.com -all", "192.0.2.9", SPF_PERMERROR, "has no policy"},
        {"v=spf1 redirect=none.example.com", "192.0.2.9", SPF_PERMERROR, "redirects to"},
        {"v=spf1 ip4:192.0.2.1 moo -all", "192.0.2.1", SPF_PERMERROR, "\"moo\" is no mechanism"},
        {"v=spf1 ip4:192.0.2.256", "192.0.2.1", SPF_PERMERROR, "no valid network"},
        {"v=spf1 ip4:192.0.2.0/33", "192.0.2.1", SPF_PERMERROR, "no valid network"},
        {"v=spf1 ip4", "192.0.2.1", SPF_PERMERROR, "needs an argument"},
        {"v=spf1 a:%{x}.example.com", "192.0.2.1", SPF_PERMERROR, "no valid domain"},
        {"v=spf1 a:%{d0}.example.com", "192.0.2.1", SPF_PERMERROR, "no valid domain"},
        {"v=spf1 a:\xC3\xA9.example.com", "192.0.2.1", SPF_PERMERROR, "a:??.example.com"},
        {"v=spf1 redirect=a.b redirect=a.b", "192.0.2.1", SPF_PERMERROR, "twice"},
        {"v=spf1 -", "192.0.2.1", SPF_PERMERROR, "is no mechanism"},
        {"v=spf1 include:example.com -all", "192.0.2.9", SPF_PERMERROR, "more than 10 terms"},
        {"v=spf1 a:n1.a.b a:n2.a.b a:n3.a.b", "192.0.2.9", SPF_PERMERROR, "more than 2 questions"},
        {"v=spf2.0/pra", "192.0.2.1", SPF_NONE, "has no policy"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        spf_verdict v = check_policy(cases[i].policy, cases[i].ip);
        if (v.result != cases[i].result || !strstr(v.why, cases[i].why))
            fail_msg("%s: %s, %s", cases[i].policy, spf_result_name(v.result), v.why);
    }
}

static void a_plus_before_all_is_told(void **state)
{
    (void)state;
    assert_true(check_policy("v=spf1 +all", "192.0.2.9").open);
    assert_true(check_policy("v=spf1 redirect=plus.example.com", "192.0.2.9").open);
    assert_false(check_policy("v=spf1 include:plus.example.com -all", "192.0.2.9").open);
    assert_false(check_policy("v=spf1 ip4:192.0.2.9 -all", "192.0.2.9").open);
}

static void an_explanation_has_letters_of_its_own(void **state)
{
    (void)state;
    assert_string_equal(check_policy("v=spf1 -all exp=exp.example.com", "2001:db8::1").explanation,
                        "2.0.0.1.0.d.b.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1 of "
                        "1700000000 at relay.example.net, 2001:db8::1");
    assert_string_equal(check_policy("v=spf1 ~all exp=exp.example.com", "192.0.2.9").explanation,
                        "");
}

/* The examples of RFC 7208 section 7.4: each is a name that exists. */
static void macros_expand_as_in_the_rfc(void **state)
{
    static const struct {
        const char *spec, *name;
    } cases[] = {
        {"%{s}", "strong-bad@email.example.com"},
        {"%{o}", "email.example.com"},
        {"%{d}", "email.example.com"},
        {"%{d4}", "email.example.com"},
        {"%{d3}", "email.example.com"},
        {"%{d2}", "example.com"},
        {"%{d1}", "com"},
        {"%{dr}", "com.example.email"},
        {"%{d2r}", "example.email"},
        {"%{l}", "strong-bad"},
        {"%{l-}", "strong.bad"},
        {"%{lr}", "strong-bad"},
        {"%{lr-}", "bad.strong"},
        {"%{l1r-}", "strong"},
        {"%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"},
        {"%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"},
        {"%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"},
        {"%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"},
        {"%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"},
        {"%{h}", "mx.example.org"},
        {"a%%b%_c%-d.example.com", "a%b c%20d.example.com"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char policy[200];
        (void)snprintf(policy, sizeof policy, "v=spf1 exists:%s -all", cases[i].spec);
        const zone_record list[] = {{DNS_TXT, "email.example.com", policy},
                                    {DNS_A, cases[i].name, "127.0.0.2"}};
        zone z = {list, COUNT(list), 0};
        spf_verdict v = check(&z, "192.0.2.3", "strong-bad@email.example.com", false);
        if (v.result != SPF_PASS)
            fail_msg("%s: %s", cases[i].spec, v.why);
    }
}

static void a_survey_counts_all_that_may_be_asked(void **state)
{
    static const zone_record list[] = {
        {DNS_TXT, "example.com", "v=spf1 ip4:192.0.2.1 include:a.example.com a mx -all"},
        {DNS_TXT, "a.example.com", "v=spf1 a a a a a a a a ip4:192.0.2.1 -all"},
        {DNS_A, "example.com", "192.0.2.1"},
        {DNS_A, "a.example.com", "192.0.2.7"},
        {DNS_TXT, "loop.example.com", "v=spf1 include:loop.example.com"},
    };
    zone z = {list, COUNT(list), 0};
    (void)state;
    spf_verdict v = check(&z, "192.0.2.1", "a@example.com", false);
    assert_int_equal(v.result, SPF_PASS);
    assert_int_equal(v.lookups, 0);
    v = check(&z, "192.0.2.1", "a@example.com", true);
    assert_int_equal(v.result, SPF_FAIL);
    assert_int_equal(v.lookups, 11);
    assert_int_equal(v.voids, 1); /* there is no MX */
    v = check(&z, "192.0.2.1", "a@loop.example.com", true);
    assert_int_equal(v.result, SPF_PERMERROR);
    assert_true(v.too_many);
}

/* Whatever a record says, the number of questions is bounded. */
static void questions_are_bounded(void **state)
{
    buf policy = BUF_INIT;
    (void)state;
    buf_adds(&policy, "v=spf1 exists:");
    for (int i = 0; i < 800; i++)
        buf_adds(&policy, "%{p}");
    const zone_record list[] = {
        {DNS_TXT, "example.com", buf_cstr(&policy)},
        {DNS_PTR, "9.2.0.192.in-addr.arpa", "a.example.com"},
        {DNS_A, "a.example.com", "192.0.2.8"},
    };
    zone z = {list, COUNT(list), 0};
    spf_verdict v = check(&z, "192.0.2.9", "a@example.com", false);
    assert_in_range(z.asked, 3, 5);
    assert_int_not_equal(v.result, SPF_PASS);
    buf_free(&policy);
}

static void syntax_is_judged_by_itself(void **state)
{
    char why[200];
    (void)state;
    assert_true(spf_is_valid("v=spf1 a mx -all", why, sizeof why));
    assert_true(spf_is_valid("V=SPF1 unknown=%{d}", why, sizeof why));
    assert_false(spf_is_valid("v=spf1 a,mx", why, sizeof why));
    assert_non_null(strstr(why, "a,mx"));
    assert_false(spf_is_valid("v=spf10 a", why, sizeof why));
}

/* ---- DMARC ---- */

static void dmarc_records_are_read(void **state)
{
    static const struct {
        const char *record;
        bool usable;
        dmarc_policy policy, sub;
        unsigned percent;
        const char *fault; /* NULL: none */
    } cases[] = {
        {"v=DMARC1; p=reject", true, DMARC_REJECT, DMARC_REJECT, 100, NULL},
        {"v=DMARC1;p=Quarantine;sp=none;pct=5;", true, DMARC_QUARANTINE, DMARC_NONE, 5, NULL},
        {"v = DMARC1 ; p = none ; x=y", true, DMARC_NONE, DMARC_NONE, 100, NULL},
        {"v=DMARC1; p=reject; pct=101", true, DMARC_REJECT, DMARC_REJECT, 100, "pct="},
        {"v=DMARC1; p=reject; pct=9999999999", true, DMARC_REJECT, DMARC_REJECT, 100, "pct="},
        {"v=DMARC1; p=reject; adkim=x", true, DMARC_REJECT, DMARC_REJECT, 100, "adkim="},
        {"v=DMARC1; p=reject; aspf", true, DMARC_REJECT, DMARC_REJECT, 100, "without a value"},
        {"v=DMARC1; p=all; rua=mailto:a@b.c", true, DMARC_NONE, DMARC_NONE, 100, "p="},
        {"v=DMARC1; p=all", false, DMARC_NONE, DMARC_NONE, 100, "p="},
        {"v=DMARC1", false, DMARC_NONE, DMARC_NONE, 100, "no p="},
        {"v=DMARC1; rua=https://b.c", false, DMARC_NONE, DMARC_NONE, 100, "no p="},
        {"v=DMARC10; p=none", false, DMARC_NONE, DMARC_NONE, 100, "begin"},
        {"p=none; v=DMARC1", false, DMARC_NONE, DMARC_NONE, 100, "begin"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        dmarc_record r;
        const char *fault;
        assert_int_equal(dmarc_read(cases[i].record, &r, &fault), cases[i].usable);
        assert_int_equal(r.policy, cases[i].policy);
        assert_int_equal(r.percent, cases[i].percent);
        if (cases[i].usable)
            assert_int_equal(r.sub_policy, cases[i].sub);
        assert_int_equal(fault != NULL, cases[i].fault != NULL);
        if (fault && cases[i].fault)
            assert_non_null(strstr(fault, cases[i].fault));
    }
}

static void reports_go_to_mailboxes(void **state)
{
    dmarc_record r;
    dmarc_text at, box;
    const char *fault;
    (void)state;
    assert_true(
        dmarc_read("v=DMARC1; p=none; rua=mailto:a@b.c!10m, https://x, MAILTO:d@e.f", &r, &fault));
    at = r.rua;
    assert_true(dmarc_next_mailbox(&at, &box));
    assert_int_equal(box.len, 5);
    assert_memory_equal(box.data, "a@b.c", 5);
    assert_true(dmarc_next_mailbox(&at, &box));
    assert_memory_equal(box.data, "d@e.f", 5);
    assert_false(dmarc_next_mailbox(&at, &box));
}

static void organizations_are_below_public_suffixes(void **state)
{
    static const char *const cases[][2] = {
        {"example.com", "example.com"},
        {"a.b.example.com", "example.com"},
        {"a.example.co.uk", "example.co.uk"},
        {"co.uk", "co.uk"},
        {"shop.example.com.cn", "example.com.cn"},
        {"a.github.io", "a.github.io"},
        {"mail.good.test", "good.test"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_string_equal(dmarc_organization(cases[i][0]), cases[i][1]);
    assert_true(dmarc_aligned("mail.example.com", "example.com", false));
    assert_true(dmarc_aligned("Example.com", "example.com", true));
    assert_false(dmarc_aligned("mail.example.com", "example.com", true));
    assert_false(dmarc_aligned("example.org", "example.com", false));
    assert_false(dmarc_aligned("a.co.uk", "b.co.uk", false));
}

/* ---- answers ---- */

#define HEAD(answers, authorities)                                                                 \
    "\x12\x34\x81\x80\x00\x01\x00" answers "\x00" authorities "\x00\x00\x01"                       \
    "a\x02"                                                                                        \
    "bc\x00"

static bool read_answer(const char *data, size_t len, dns_type type, buf *out, uint32_t *ttl)
{
    buf_clear(out);
    return dns_answer_read((const unsigned char *)data, len, type, out, ttl);
}

static void answers_become_texts(void **state)
{
    static const char txt[] = HEAD(
        "\x02", "\x00") "\x00\x10\x00\x01"
                        "\xC0\x0C\x00\x05\x00\x01\x00\x00\x00\x05\x00\x02\xC0\x0C" /* an alias */
                        "\xC0\x0C\x00\x10\x00\x01\x00\x00\x00\x09\x00\x06\x02"
                        "ab\x02"
                        "c\x00";
    static const char mx[] =
        HEAD("\x02", "\x00") "\x00\x0F\x00\x01"
                             "\xC0\x0C\x00\x0F\x00\x01\x00\x00\x00\x05\x00\x04\x00\x0A\xC0\x0C"
                             "\xC0\x0C\x00\x0F\x00\x01\x00\x00\x00\x05\x00\x03\x00\x00\x00";
    static const char none[] =
        HEAD("\x00", "\x01") "\x00\x01\x00\x01"
                             "\xC0\x0C\x00\x06\x00\x01\x00\x00\x00\x50\x00\x16\x00\x00"
                             "\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\x28";
    buf out = BUF_INIT;
    uint32_t ttl;
    (void)state;
    assert_true(read_answer(txt, sizeof txt - 1, DNS_TXT, &out, &ttl));
    assert_int_equal(out.len, 5);
    assert_memory_equal(out.data, "abc\1", 5); /* a NUL is none any more */
    assert_int_equal(ttl, 5);
    assert_true(read_answer(mx, sizeof mx - 1, DNS_MX, &out, &ttl));
    assert_int_equal(out.len, sizeof "10 a.bc\0000 .");
    assert_memory_equal(out.data, "10 a.bc\0000 .", out.len);
    assert_true(read_answer(none, sizeof none - 1, DNS_A, &out, &ttl));
    assert_int_equal(out.len, 0);
    assert_int_equal(ttl, 40); /* the zone's minimum */
    for (size_t len = 0; len < sizeof mx - 1; len++) {
        assert_false(read_answer(mx, len, DNS_MX, &out, &ttl));
        assert_int_equal(out.len, 0);
    }
    buf_free(&out);
}

static void answers_are_kept_while_they_hold(void **state)
{
    dns_cache *c = dns_cache_create();
    buf out = BUF_INIT;
    dns_result r;
    (void)state;
    dns_cache_keep(c, DNS_A, "a.test", 1000000, 2, DNS_FOUND, "1.2.3.4", 8);
    dns_cache_keep(c, DNS_A, "none.test", 1000000, 4000, DNS_NONE, NULL, 0);
    assert_true(dns_cache_find(c, DNS_A, "A.test", 2999999, &r, &out));
    assert_string_equal(out.data, "1.2.3.4");
    assert_false(dns_cache_find(c, DNS_A, "a.test", 3000000, &r, &out));
    assert_false(dns_cache_find(c, DNS_AAAA, "a.test", 1000000, &r, &out));
    assert_true(dns_cache_find(c, DNS_A, "none.test", 30999999, &r, &out));
    assert_int_equal(r, DNS_NONE);
    assert_false(dns_cache_find(c, DNS_A, "none.test", 31000000, &r, &out));
    for (int i = 0; i < 5 * DNS_CACHE_PLACES; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "n%d.test", i);
        dns_cache_keep(c, DNS_A, name, 1000000 + i, 300, DNS_FOUND, "1.2.3.4", 8);
        assert_true(dns_cache_find(c, DNS_A, name, 1000000 + i, &r, &out));
    }
    int kept = 0;
    for (int i = 0; i < 5 * DNS_CACHE_PLACES; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "n%d.test", i);
        kept += dns_cache_find(c, DNS_A, name, 1000000, &r, &out);
    }
    assert_in_range(kept, 1, DNS_CACHE_PLACES);
    buf_free(&out);
    dns_cache_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policies_come_to_what_they_say),
        cmocka_unit_test(a_plus_before_all_is_told),
        cmocka_unit_test(an_explanation_has_letters_of_its_own),
        cmocka_unit_test(macros_expand_as_in_the_rfc),
        cmocka_unit_test(a_survey_counts_all_that_may_be_asked),
        cmocka_unit_test(questions_are_bounded),
        cmocka_unit_test(syntax_is_judged_by_itself),
        cmocka_unit_test(dmarc_records_are_read),
        cmocka_unit_test(reports_go_to_mailboxes),
        cmocka_unit_test(organizations_are_below_public_suffixes),
        cmocka_unit_test(answers_become_texts),
        cmocka_unit_test(answers_are_kept_while_they_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
