/* The links by which people leave lists: tokens that only we can make. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/optout.h"

#define ONE   "0123456789abcdef0123456789abcdef"
#define OTHER "fedcba9876543210fedcba9876543210"
#define ROUTE "/v1/unsubscribe/"

static optout *make(const char *url, const char *first, const char *second)
{
    const char *const secrets[] = {first, second};
    optout *l = optout_create(url, secrets, second ? 2 : 1);
    assert_non_null(l);
    return l;
}

static char *token_of(const optout *l, const char *list, const char *address)
{
    char *url = optout_url(l, list, address);
    assert_non_null(url);
    char *found = strstr(url, ROUTE);
    assert_non_null(found);
    char *token = strdup(found + strlen(ROUTE));
    free(url);
    return token;
}

static void a_token_says_whom_and_which(void **state)
{
    optout *l = make("https://mail.example.com", ONE, NULL);
    optout_subscription s;
    (void)state;
    char *token = token_of(l, "news.weekly", "Ann.Example@example.ORG");
    assert_true(optout_read_token(l, token, &s));
    assert_string_equal(s.list, "news.weekly");
    assert_string_equal(s.address, "ann.example@example.org");
    assert_true(strlen(token) < 200);
    assert_int_equal(strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                   "0123456789-_"),
                     strlen(token));
    assert_null(strstr(token, "example"));
    free(token);
    optout_free(l);
}

static void the_same_has_the_same_token_and_nothing_else_has(void **state)
{
    optout *l = make("https://mail.example.com/", ONE, NULL);
    static const struct {
        const char *list, *address;
    } others[] = {{"news", "b@example.com"}, {"new", "sa@example.com"}, {"newt", "a@example.com"}};
    (void)state;
    char *first = token_of(l, "news", "a@example.com"),
         *again = token_of(l, "news", "A@EXAMPLE.COM");
    assert_string_equal(first, again);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char *other = token_of(l, others[i].list, others[i].address);
        assert_string_not_equal(first, other);
        free(other);
    }
    free(again);
    free(first);
    optout_free(l);
}

/* Each character changed, each one dropped, each cut. */
static void no_other_token_is_taken(void **state)
{
    optout *l = make("https://mail.example.com", ONE, NULL);
    optout_subscription s;
    (void)state;
    char *token = token_of(l, "news", "a@example.com"), changed[256];
    size_t len = strlen(token);
    for (size_t i = 0; i < len; i++) {
        static const char with[] = "AB01-_~ \n";
        for (const char *c = with; *c; c++) {
            memcpy(changed, token, len + 1);
            changed[i] = *c;
            assert_int_equal(optout_read_token(l, changed, &s), token[i] == *c);
        }
        memcpy(changed, token, i);
        memcpy(changed + i, token + i + 1, len - i);
        assert_false(optout_read_token(l, changed, &s) && strcmp(changed, token) != 0);
        changed[i] = '\0';
        assert_false(optout_read_token(l, changed, &s));
    }
    static const char *const more[] = {"A", "=", "==", " ", "\n", "/", "%00"};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        memcpy(changed, token, len + 1);
        memcpy(changed + len, more[i], strlen(more[i]) + 1);
        assert_false(optout_read_token(l, changed, &s));
    }
    static const char *const none[] = {"", "1", "2", "11", "1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_false(optout_read_token(l, none[i], &s));
    char *endless = malloc(10001);
    memset(endless, 'A', 10000);
    endless[0] = '1';
    endless[10000] = '\0';
    assert_false(optout_read_token(l, endless, &s));
    free(endless);
    free(token);
    optout_free(l);
}

static void secrets_can_be_changed(void **state)
{
    optout *old = make("https://mail.example.com", ONE, NULL),
           *both = make("https://mail.example.com", OTHER, ONE),
           *new = make("https://mail.example.com", OTHER, NULL);
    optout_subscription s;
    (void)state;
    char *before = token_of(old, "news", "a@example.com"),
         *after = token_of(both, "news", "a@example.com"),
         *alone = token_of(new, "news", "a@example.com");
    assert_string_equal(after, alone); /* the first makes */
    assert_string_not_equal(before, after);
    assert_true(optout_read_token(both, before, &s));
    assert_string_equal(s.address, "a@example.com");
    assert_true(optout_read_token(both, after, &s));
    assert_true(optout_read_token(new, after, &s));
    assert_false(optout_read_token(new, before, &s));
    assert_string_equal(s.address, "");
    assert_false(optout_read_token(old, after, &s));
    free(before);
    free(after);
    free(alone);
    optout_free(old);
    optout_free(both);
    optout_free(new);
}

/* The links of mails that went out must work with every later version. */
static void a_token_of_today_is_one_of_tomorrow(void **state)
{
    optout *l = make("https://mail.example.com", ONE, NULL);
    (void)state;
    char *token = token_of(l, "news", "a@example.com");
    assert_string_equal(token, "1OFuSQISBZAe0wOyZVS5rKITRslO-keuCFN2VbUiWkkgLPQ");
    free(token);
    optout_free(l);
}

static void addresses_have_their_limits(void **state)
{
    optout *l = make("https://mail.example.com", ONE, NULL);
    optout_subscription s;
    char address[OPTOUT_ADDRESS + 2], name[OPTOUT_NAME + 1];
    (void)state;
    memset(address, 'x', sizeof address);
    memset(name, 'n', sizeof name);
    name[OPTOUT_NAME] = '\0';
    address[OPTOUT_ADDRESS + 1] = '\0';
    assert_null(optout_url(l, name, address));
    assert_null(optout_url(l, "news", address));
    address[OPTOUT_ADDRESS] = '\0';
    char *token = token_of(l, name, address);
    assert_true(optout_read_token(l, token, &s));
    assert_string_equal(s.list, name);
    assert_string_equal(s.address, address);
    free(token);
    optout_free(l);
}

static void names_are_what_a_list_id_can_have(void **state)
{
    static const char *const good[] = {"a", "news", "news-2026", "a.b.c", "_", "0", "-"};
    static const char *const bad[] = {"",    ".",   ".a", "a.",  "a..b", "A",
                                      "a b", "a/b", "ä",  "a\n", "*"};
    char longest[OPTOUT_NAME + 2];
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(optout_name_fits(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(optout_name_fits(bad[i], strlen(bad[i])));
    assert_false(optout_name_fits("a\0b", 3));
    memset(longest, 'a', sizeof longest);
    longest[OPTOUT_NAME + 1] = '\0';
    assert_true(optout_name_fits(longest, OPTOUT_NAME));
    assert_false(optout_name_fits(longest, OPTOUT_NAME + 1));
}

static void links_stand_behind_the_public_url(void **state)
{
    static const struct {
        const char *url, *begins, *id;
    } cases[] = {
        {"https://mail.example.com", "https://mail.example.com/v1/unsubscribe/1",
         "<news.mail.example.com>"},
        {"https://mail.example.com/", "https://mail.example.com/v1/unsubscribe/1",
         "<news.mail.example.com>"},
        {"https://mail.example.com:8443/post//", "https://mail.example.com:8443/post/v1/unsub",
         "<news.mail.example.com>"},
        {"http://127.0.0.1:8025", "http://127.0.0.1:8025/v1/unsubscribe/1", "<news.127.0.0.1>"},
        {"http://[::1]:8025/", "http://[::1]:8025/v1/unsubscribe/1", "<news.localhost>"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_null(optout_base_fault(cases[i].url));
        optout *l = make(cases[i].url, ONE, NULL);
        char *url = optout_url(l, "news", "a@example.com"), *id = optout_list_id(l, "news");
        assert_non_null(url);
        assert_non_null(id);
        assert_memory_equal(url, cases[i].begins, strlen(cases[i].begins));
        assert_string_equal(id, cases[i].id);
        free(url);
        free(id);
        optout_free(l);
    }
}

static void urls_and_secrets_that_will_not_do_are_told(void **state)
{
    static const char *const bad[] = {"",
                                      "mail.example.com",
                                      "ftp://mail.example.com",
                                      "https://",
                                      "https:///x",
                                      "https://a b",
                                      "https://mail.example.com?x",
                                      "https://mail.example.com/#x",
                                      "https://user:pass@mail.example.com",
                                      "https://mail.example.com:",
                                      "https://mail.example.com:x",
                                      "https://mail.example.com:123456",
                                      "https://mail.example.com\n",
                                      "https://mail.example.com/<x>",
                                      "https://-a.example.com",
                                      "https://a..example.com",
                                      "https://[::1",
                                      "https://[x]",
                                      "http://mail.example.com",
                                      "http://localhost.example.com"};
    char longest[256] = "https://example.com/";
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (!optout_base_fault(bad[i]))
            print_message("%s\n", bad[i]);
        assert_non_null(optout_base_fault(bad[i]));
    }
    memset(longest + 20, 'a', 200);
    assert_non_null(optout_base_fault(longest));
    assert_null(optout_secret_fault(ONE));
    assert_non_null(optout_secret_fault("0123456789abcdef0123456789abcde"));
    assert_non_null(optout_secret_fault("0123456789abcdef 0123456789abcdef"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_says_whom_and_which),
        cmocka_unit_test(the_same_has_the_same_token_and_nothing_else_has),
        cmocka_unit_test(no_other_token_is_taken),
        cmocka_unit_test(secrets_can_be_changed),
        cmocka_unit_test(a_token_of_today_is_one_of_tomorrow),
        cmocka_unit_test(addresses_have_their_limits),
        cmocka_unit_test(names_are_what_a_list_id_can_have),
        cmocka_unit_test(links_stand_behind_the_public_url),
        cmocka_unit_test(urls_and_secrets_that_will_not_do_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
