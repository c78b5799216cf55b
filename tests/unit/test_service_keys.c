/* Tests of service/keys: which keys can be configured, and what a caller must present. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/keys.h"

#define KEY "correct-horse-battery"
/* printf %s correct-horse-battery | sha256sum */
#define KEY_HASH "sha256:62249369389075490555a758353aec61500c6218fa597252d52dc4bd0148f12d"

/* Whether an Authorization header's value has one of the keys. */
static bool keys_authorized(const keys *k, const char *authorization)
{
    size_t len = 0;
    const char *key = k && authorization ? keys_token(authorization, &len) : NULL;
    return key && keys_has(k, key, len);
}

static bool add(keys *k, const char *key)
{
    const char *reason = NULL;
    bool ok = keys_add(k, key, strlen(key), &reason);
    assert_true(ok == (reason == NULL));
    return ok;
}

static void a_bearer_key_is_met_in_any_case_of_the_scheme(void **state)
{
    (void)state;
    keys *k = keys_create();
    assert_true(add(k, "another-key-that-is-long"));
    assert_true(add(k, KEY));
    assert_int_equal(keys_count(k), 2);
    assert_true(keys_authorized(k, "Bearer " KEY));
    assert_true(keys_authorized(k, "bearer " KEY));
    assert_true(keys_authorized(k, "BEARER   " KEY " \t"));
    assert_true(keys_authorized(k, "Bearer another-key-that-is-long"));
    keys_free(k);
}

static void nothing_else_is_let_in(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "Bearer",
        "Bearer ",
        "Bearer" KEY,
        "Bearer\t" KEY,
        " Bearer " KEY,
        "Basic " KEY,
        KEY,
        "Bearer " KEY "x",
        "Bearer correct-horse-batter",
        "Bearer Correct-horse-battery",
        "Bearer " KEY " " KEY,
        "Bearer " KEY "," KEY,
        "Bearer " KEY_HASH, /* the kept form is not a key */
    };
    keys *k = keys_create();
    assert_true(add(k, KEY));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(keys_authorized(k, wrong[i]));
    assert_false(keys_authorized(k, NULL));
    assert_false(keys_authorized(NULL, "Bearer " KEY));
    keys_free(k);
}

static void no_key_at_all_lets_nobody_in(void **state)
{
    (void)state;
    keys *k = keys_create();
    assert_int_equal(keys_count(k), 0);
    assert_int_equal(keys_count(NULL), 0);
    assert_false(keys_authorized(k, "Bearer "));
    assert_false(keys_authorized(k, "Bearer " KEY));
    keys_free(k);
}

static void a_hash_stands_for_its_key(void **state)
{
    (void)state;
    keys *k = keys_create();
    assert_true(add(k, KEY_HASH));
    assert_true(keys_authorized(k, "Bearer " KEY));
    assert_false(keys_authorized(k, "Bearer correct-horse-batterz"));
    keys_free(k);

    char upper[] = KEY_HASH;
    for (char *p = upper + strlen("sha256:"); *p; p++)
        if (*p >= 'a' && *p <= 'f')
            *p = (char)(*p - 'a' + 'A');
    k = keys_create();
    assert_true(add(k, upper));
    assert_true(keys_authorized(k, "Bearer " KEY));
    keys_free(k);
}

static void keys_that_are_weak_or_misspelt_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "fifteen-letters",
        "has a space in it, long",
        "sixteen-letters,",
        "sixteen-letters\x7F",
        "sixteen-letter\xC3\xA9",
        "sixteen-letters\n",
        "sha256:",
        "sha256:abc",
        "sha256:zz3456789012345678901234567890123456789012345678901234567890123a",
    };
    keys *k = keys_create();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(add(k, wrong[i]));
    assert_true(add(k, "sixteen-letters!"));

    char *longest = calloc(1, 514);
    memset(longest, 'k', 512);
    assert_true(add(k, longest));
    longest[512] = 'k';
    assert_false(add(k, longest));
    free(longest);
    assert_int_equal(keys_count(k), 2);
    keys_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bearer_key_is_met_in_any_case_of_the_scheme),
        cmocka_unit_test(nothing_else_is_let_in),
        cmocka_unit_test(no_key_at_all_lets_nobody_in),
        cmocka_unit_test(a_hash_stands_for_its_key),
        cmocka_unit_test(keys_that_are_weak_or_misspelt_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
