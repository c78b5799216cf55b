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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
