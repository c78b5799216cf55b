/* Tests of hook/verify and hook/profile. Vectors are those that the services publish, or were made
 * with Python's hmac. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include <openssl/evp.h>

#include "base/mac.h"
#include "hook/profile.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* Names and values by turns, ended by NULL. */
static const char *header_of(void *ctx, const char *name)
{
    const char *const *headers = ctx;
    while (headers[0] && strcasecmp(headers[0], name) != 0)
        headers += 2;
    return headers[0] ? headers[1] : NULL;
}

static hook_secret secret(const char *text)
{
    hook_secret s;
    assert_null(hook_secret_parse(text, strlen(text), &s));
    return s;
}

typedef struct call {
    const char *profile, *secret;
    const char *headers[8];
    const char *token, *body;
    int64_t now;
} call;

static hook_verdict verify_bytes(const call *c, const void *body, size_t len)
{
    const hook_profile *p = hook_profile_find(c->profile);
    hook_secret s = secret(c->secret);
    const hook_request r = {header_of, (void *)c->headers, c->token, body, len};
    assert_non_null(p);
    return hook_verify(p->schemes, hook_profile_schemes(p), &s, 1, &r, c->now);
}

static hook_verdict verify(const call *c)
{
    return verify_bytes(c, c->body, strlen(c->body));
}

#define STANDARD_SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define STANDARD_ID     "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define STANDARD_RIGHT  "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define STANDARD_WRONG  "v1,h0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define STANDARD_BODY   "{\"test\": 2432232314}"
#define GITHUB_SECRET   "It's a Secret to Everybody"
#define GITHUB_HEX      "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
#define GITHUB_BODY     "Hello, World!"
#define STRIPE_HEX      "248a374f50f943a28b0f6ab50faf9a7e7e29b710fa26df9fb1618b9bf8ea9c9a"
#define SLACK_BODY                                                                                 \
    "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id="         \
    "G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-"     \
    "collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%"             \
    "2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121."               \
    "803a0bc887a14d10d2c447fce8b6703c"
#define GRAFANA_HEX "1989731f9bb2c7d0d76465fd8865eff33772b9bb41eed41f03e7707dc2831367"

static const char among[] = STANDARD_WRONG " v1a,abcd v2,x v1,short " STANDARD_RIGHT;
static const char two[] = STANDARD_RIGHT " " STANDARD_WRONG;

static const call right[] = {
    {"github", GITHUB_SECRET, {"x-hub-signature-256", "sha256=" GITHUB_HEX}, NULL, GITHUB_BODY, 0},
    {"gitea", GITHUB_SECRET, {"X-Gitea-Signature", GITHUB_HEX}, NULL, GITHUB_BODY, 0},
    {"gitea", GITHUB_SECRET, {"X-Forgejo-Signature", GITHUB_HEX}, NULL, GITHUB_BODY, 0},
    {"sentry", GITHUB_SECRET, {"Sentry-Hook-Signature", GITHUB_HEX}, NULL, GITHUB_BODY, 0},
    {"sentry", GITHUB_SECRET, {"Sentry-App-Signature", GITHUB_HEX}, NULL, GITHUB_BODY, 0},
    {"linear", GITHUB_SECRET, {"Linear-Signature", GITHUB_HEX}, NULL, GITHUB_BODY, 0},
    {"calcom", GITHUB_SECRET, {"X-Cal-Signature-256", GITHUB_HEX}, NULL, GITHUB_BODY, 0},
    {"grafana",
     "grafana-secret",
     {"X-Grafana-Alerting-Signature", GRAFANA_HEX},
     NULL,
     "{\"a\":1}",
     0},
    {"grafana", "grafana-secret", {"Authorization", "Bearer grafana-secret"}, NULL, "x", 0},
    {"grafana", "ops:p4ssw0rd", {"Authorization", "Basic b3BzOnA0c3N3MHJk"}, NULL, "x", 0},
    {"alertmanager", "am-token-0001", {"Authorization", "bearer  am-token-0001"}, NULL, "x", 0},
    {"alertmanager", "ops:p4ssw0rd", {"Authorization", "Basic b3BzOnA0c3N3MHJk"}, NULL, "x", 0},
    {"stripe",
     "whsec_test_secret",
     {"Stripe-Signature", "t=1700000000,v1=" STRIPE_HEX},
     NULL,
     "{\"id\":\"evt_1\"}",
     1700000300},
    {"stripe",
     "whsec_test_secret",
     {"Stripe-Signature", "t=1700000000,v1=00,v0=abc,v1=" GITHUB_HEX ",v1=" STRIPE_HEX},
     NULL,
     "{\"id\":\"evt_1\"}",
     1699999700},
    {"standard-webhooks",
     STANDARD_SECRET,
     {"webhook-id", STANDARD_ID, "webhook-timestamp", "1614265330", "webhook-signature",
      STANDARD_RIGHT},
     NULL,
     STANDARD_BODY,
     1614265330},
    {"standard-webhooks",
     STANDARD_SECRET,
     {"svix-id", STANDARD_ID, "svix-timestamp", "1614265330", "svix-signature", among},
     NULL,
     STANDARD_BODY,
     1614265330},
    {"svix",
     STANDARD_SECRET,
     {"webhook-id", STANDARD_ID, "webhook-timestamp", "1614265330", "webhook-signature", two},
     NULL,
     STANDARD_BODY,
     1614265330},
    {"gitlab",
     STANDARD_SECRET,
     {"webhook-id", STANDARD_ID, "webhook-timestamp", "1614265330", "webhook-signature",
      STANDARD_RIGHT},
     NULL,
     STANDARD_BODY,
     1614265330},
    {"gitlab", "gl-token-0001", {"X-Gitlab-Token", "gl-token-0001"}, NULL, "{}", 0},
    {"slack",
     "8f742231b10e8888abcd99yyyzzz85a5",
     {"X-Slack-Signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
      "X-Slack-Request-Timestamp", "1531420618"},
     NULL,
     SLACK_BODY,
     1531420618},
    {"slack", "path-token-0001", {NULL}, "path-token-0001", "{}", 0},
    {"token", "path-token-0001", {NULL}, "path-token-0001", "{}", 0},
    {"token", "path-token-0001", {"authorization", "Bearer path-token-0001"}, NULL, "{}", 0},
};

static void what_the_services_send_is_right(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(right); i++) {
        hook_verdict v = verify(&right[i]);
        if (v != HOOK_GOOD)
            fail_msg("case %zu, %s: %s", i, right[i].profile, hook_verdict_text(v));
    }
}

static bool signs_body(const call *c)
{
    return !c->token && strcasecmp(c->headers[0], "Authorization") != 0 &&
           strcmp(c->headers[0], "X-Gitlab-Token") != 0;
}

static void every_changed_byte_is_seen(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(right); i++) {
        const call *c = &right[i];
        size_t len = strlen(c->body);
        char body[1024];
        for (size_t k = 0; signs_body(c) && k < len; k++) {
            memcpy(body, c->body, len);
            body[k] ^= 1;
            assert_int_equal(verify_bytes(c, body, len), HOOK_WRONG);
        }
        if (!signs_body(c))
            continue;
        assert_int_equal(verify_bytes(c, c->body, len - 1), HOOK_WRONG); /* cut short */
        memcpy(body, c->body, len + 1);
        assert_int_equal(verify_bytes(c, body, len + 1), HOOK_WRONG); /* a NUL more */
        assert_int_equal(verify_bytes(c, "", 0), HOOK_WRONG);
    }
}

static void every_changed_byte_of_a_header_is_seen(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(right); i++) {
        for (size_t h = 0; h < COUNT(right[i].headers) && right[i].headers[h]; h += 2) {
            call c = right[i];
            char value[512];
            size_t len = strlen(c.headers[h + 1]);
            for (size_t k = 0; k < len; k++) {
                memcpy(value, c.headers[h + 1], len + 1);
                value[k] ^= value[k] >= 'a' && value[k] <= 'z' ? 0x02 : 0x01;
                c.headers[h + 1] = value;
                if (verify(&c) == HOOK_GOOD) /* what is passed over may be anything */
                    assert_true(strchr(right[i].headers[h + 1], ' ') ||
                                strchr(right[i].headers[h + 1], ','));
                c.headers[h + 1] = right[i].headers[h + 1];
            }
            value[len - 1] = '\0'; /* cut short */
            memcpy(value, c.headers[h + 1], len - 1);
            c.headers[h + 1] = value;
            assert_true(verify(&c) != HOOK_GOOD || strchr(right[i].headers[h + 1], ' '));
            c.headers[h + 1] = "";
            assert_true(verify(&c) != HOOK_GOOD);
        }
    }
}

static void another_secret_is_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(right); i++) {
        call c = right[i];
        char text[HOOK_SECRET_MAX + 1];
        (void)snprintf(text, sizeof text, "%s", c.secret);
        text[strlen(text) - 2] ^= 1;
        c.secret = text;
        assert_int_equal(verify(&c), HOOK_WRONG);
    }
}

static void whsec_is_the_key_to_stripe_and_base64_to_the_others(void **state)
{
    const hook_scheme *stripe = hook_profile_find("stripe")->schemes;
    const hook_scheme *standard = hook_profile_find("standard-webhooks")->schemes;
    hook_secret s = secret(STANDARD_SECRET), no_base64 = secret("whsec_test_secret");
    buf raw = BUF_INIT, decoded = BUF_INIT;
    (void)state;
    assert_true(hook_sign(stripe, &s, "x", 1700000000, "{}", 2, &raw));
    assert_true(hook_sign(standard, &s, "x", 1700000000, "{}", 2, &decoded));
    assert_string_equal(buf_cstr(&raw),
                        "Stripe-Signature: t=1700000000,v1="
                        "7b6a9d679e448853f449040329e1d6c365472325895524fa88b35588e85cc03f\n");
    assert_string_equal(buf_cstr(&decoded),
                        "webhook-id: x\nwebhook-timestamp: 1700000000\n"
                        "webhook-signature: v1,kBjVrvPxKImr8/jx0eyP2NKG/2biyikynSxijYnUNLA=\n");
    assert_null(hook_secret_unfit(stripe, &no_base64));
    assert_non_null(hook_secret_unfit(standard, &no_base64));
    buf_free(&raw);
    buf_free(&decoded);
}

static void a_gitlab_token_and_its_signing_key_are_not_mixed_up(void **state)
{
    const call token_of_key = {
        "gitlab", STANDARD_SECRET, {"X-Gitlab-Token", STANDARD_SECRET}, NULL, "{}", 0};
    (void)state;
    assert_int_not_equal(verify(&token_of_key), HOOK_GOOD);
}

static void what_is_missing_or_malformed_is_told(void **state)
{
    char long_value[10240 + 1];
    char many[2048] = "";
    memset(long_value, 'a', sizeof long_value - 1);
    long_value[sizeof long_value - 1] = '\0';
    size_t at = 0;
    for (size_t i = 0; i < 20; i++)
        at += (size_t)snprintf(many + at, sizeof many - at, "v1,AAAA ");
    (void)snprintf(many + at, sizeof many - at, "%s", STANDARD_RIGHT);
    const struct {
        const char *id, *timestamp, *signature;
        hook_verdict verdict;
    } cases[] = {
        {STANDARD_ID, "1614265330", NULL, HOOK_UNSIGNED},
        {NULL, "1614265330", STANDARD_RIGHT, HOOK_MALFORMED},
        {STANDARD_ID, NULL, STANDARD_RIGHT, HOOK_MALFORMED},
        {"", "1614265330", STANDARD_RIGHT, HOOK_MALFORMED},
        {"msg.1", "1614265330", STANDARD_RIGHT, HOOK_MALFORMED},
        {STANDARD_ID "x", "1614265330", STANDARD_RIGHT, HOOK_WRONG},
        {STANDARD_ID, "1614265331", STANDARD_RIGHT, HOOK_WRONG},
        {STANDARD_ID, "01614265330", STANDARD_RIGHT, HOOK_WRONG},
        {STANDARD_ID, "", STANDARD_RIGHT, HOOK_MALFORMED},
        {STANDARD_ID, "-1", STANDARD_RIGHT, HOOK_MALFORMED},
        {STANDARD_ID, "1614265330 ", STANDARD_RIGHT, HOOK_MALFORMED},
        {STANDARD_ID, "1614265330.0", STANDARD_RIGHT, HOOK_MALFORMED},
        {STANDARD_ID, "1614265330000000", STANDARD_RIGHT, HOOK_MALFORMED},
        {STANDARD_ID, "1614265330", "", HOOK_MALFORMED},
        {STANDARD_ID, "1614265330", "v1", HOOK_MALFORMED},
        {STANDARD_ID, "1614265330", "v1,", HOOK_MALFORMED},
        {STANDARD_ID, "1614265330", ",x", HOOK_MALFORMED},
        {STANDARD_ID, "1614265330", " " STANDARD_RIGHT, HOOK_MALFORMED},
        {STANDARD_ID, "1614265330", STANDARD_RIGHT " ", HOOK_MALFORMED},
        {STANDARD_ID, "1614265330", STANDARD_RIGHT "  " STANDARD_RIGHT, HOOK_MALFORMED},
        {STANDARD_ID, "1614265330", "v1a,abcd v2,x", HOOK_WRONG},
        {STANDARD_ID, "1614265330", STANDARD_WRONG, HOOK_WRONG},
        {STANDARD_ID, "1614265330", long_value, HOOK_MALFORMED},
        {long_value, "1614265330", STANDARD_RIGHT, HOOK_MALFORMED},
        {STANDARD_ID, "1614265330", many, HOOK_MALFORMED},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *headers[7] = {NULL};
        size_t n = 0;
        const char *const names[] = {"webhook-id", "webhook-timestamp", "webhook-signature"};
        const char *const values[] = {cases[i].id, cases[i].timestamp, cases[i].signature};
        for (size_t k = 0; k < COUNT(names); k++) {
            if (!values[k])
                continue;
            headers[n++] = names[k];
            headers[n++] = values[k];
        }
        call c = {"standard-webhooks", STANDARD_SECRET, {NULL}, NULL, STANDARD_BODY, 1614265330};
        memcpy(c.headers, headers, sizeof headers);
        hook_verdict v = verify(&c);
        if (v != cases[i].verdict)
            fail_msg("case %zu: %s", i, hook_verdict_text(v));
    }
}

static void pairs_are_read_strictly(void **state)
{
    static const char *const bad[] = {
        "",
        "t=1700000000",
        "v1=" STRIPE_HEX,
        "t=,v1=" STRIPE_HEX,
        "t=1700000000,t=1700000000,v1=" STRIPE_HEX,
        "t=1700000000,v1",
        "t=1700000000,v1=" STRIPE_HEX ",",
        "t=1700000000,,v1=" STRIPE_HEX,
        "t=17000000000000000,v1=" STRIPE_HEX,
        "t=1700000000 ,v1=" STRIPE_HEX,
        "t=1700000000, v1=" STRIPE_HEX,
        "t=1700000000,v0=" STRIPE_HEX,
    };
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        const call c = {"stripe", "whsec_test_secret",  {"Stripe-Signature", bad[i]},
                        NULL,     "{\"id\":\"evt_1\"}", 1700000000};
        hook_verdict v = verify(&c);
        if (v != HOOK_WRONG && v != HOOK_MALFORMED)
            fail_msg("%s: %s", bad[i], hook_verdict_text(v));
    }
}

static void a_time_that_is_off_is_told_only_of_what_is_right(void **state)
{
    static const struct {
        int64_t now;
        hook_verdict verdict;
    } cases[] = {
        {1700000000, HOOK_GOOD},    {1700000300, HOOK_GOOD},    {1700000301, HOOK_TOO_OLD},
        {1699999700, HOOK_GOOD},    {1699999699, HOOK_TOO_NEW}, {0, HOOK_TOO_NEW},
        {4102444800, HOOK_TOO_OLD},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        call c = {
            "stripe", "whsec_test_secret",  {"Stripe-Signature", "t=1700000000,v1=" STRIPE_HEX},
            NULL,     "{\"id\":\"evt_1\"}", cases[i].now};
        assert_int_equal(verify(&c), cases[i].verdict);
        c.body = "{\"id\":\"evt_2\"}";
        assert_int_equal(verify(&c), HOOK_WRONG);
    }
}

/* The scheme of a Grafana that has been told of a header for the time. */
static hook_scheme timed_grafana(void)
{
    const hook_profile *p = hook_profile_find("grafana");
    hook_scheme s = p->schemes[0];
    s.content = p->timed;
    s.tolerance_s = HOOK_TOLERANCE_S;
    s.headers[0].timestamp = "X-Time";
    return s;
}

static void grafanas_time_is_signed_where_it_has_a_header(void **state)
{
    hook_scheme s = timed_grafana();
    hook_secret key = secret("grafana-secret");
    const char *headers[] = {"X-Grafana-Alerting-Signature",
                             "24e5cceaff421f69e7d20a98706bbd411e1681e0799cd472fa11800058e7c197",
                             "X-Time", "1700000000", NULL};
    const hook_request r = {header_of, (void *)headers, NULL, "{\"a\":1}", 7};
    (void)state;
    assert_null(hook_scheme_fault(&s));
    assert_int_equal(hook_verify(&s, 1, &key, 1, &r, 1700000000), HOOK_GOOD);
    assert_int_equal(hook_verify(&s, 1, &key, 1, &r, 1700000301), HOOK_TOO_OLD);
    headers[1] = GRAFANA_HEX; /* without the time: not of this scheme */
    assert_int_equal(hook_verify(&s, 1, &key, 1, &r, 1700000000), HOOK_WRONG);
}

static void any_of_several_secrets_will_do(void **state)
{
    const hook_profile *p = hook_profile_find("github");
    const hook_secret secrets[] = {secret("the one before"), secret(GITHUB_SECRET),
                                   secret("the one after")};
    const char *headers[] = {"X-Hub-Signature-256", "sha256=" GITHUB_HEX, NULL};
    const hook_request r = {header_of, (void *)headers, NULL, GITHUB_BODY, strlen(GITHUB_BODY)};
    (void)state;
    for (size_t from = 0; from < COUNT(secrets); from++) {
        for (size_t to = from; to <= COUNT(secrets); to++) {
            hook_verdict v = hook_verify(p->schemes, 1, secrets + from, to - from, &r, 0);
            assert_int_equal(v == HOOK_GOOD, from <= 1 && to > 1);
        }
    }
}

/* A key pair, and its signature of the text. */
static void ed25519(const char *text, char secret_text[128], char signature[128])
{
    unsigned char octets[64], pub[32];
    size_t len = sizeof octets, pub_len = sizeof pub;
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(context, NULL, NULL, NULL, key), 1);
    assert_int_equal(
        EVP_DigestSign(context, octets, &len, (const unsigned char *)text, strlen(text)), 1);
    assert_int_equal(EVP_PKEY_get_raw_public_key(key, pub, &pub_len), 1);
    mac_base64(pub, pub_len, stpcpy(secret_text, "whpk_"));
    mac_base64(octets, len, stpcpy(signature, "v1a,"));
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
}

static void public_keys_verify(void **state)
{
    char key[128], signature[128], both[256];
    (void)state;
    ed25519(STANDARD_ID ".1614265330." STANDARD_BODY, key, signature);
    (void)snprintf(both, sizeof both, "%s %s", STANDARD_WRONG, signature);
    call c = {
        "standard-webhooks",
        key,
        {"webhook-id", STANDARD_ID, "webhook-timestamp", "1614265330", "webhook-signature", both},
        NULL,
        STANDARD_BODY,
        1614265330};
    assert_int_equal(verify(&c), HOOK_GOOD);
    c.now += 301;
    assert_int_equal(verify(&c), HOOK_TOO_OLD);
    c.body = STANDARD_BODY " ";
    assert_int_equal(verify(&c), HOOK_WRONG);
    c.body = STANDARD_BODY;
    both[strlen(both) - 10] ^= 1;
    assert_int_equal(verify(&c), HOOK_WRONG);
    c.headers[5] = STANDARD_RIGHT;
    assert_int_equal(verify(&c), HOOK_WRONG);
}

static void a_public_key_may_be_hexadecimal(void **state)
{
    /* RFC 8032 section 7.1, test 2 */
    hook_secret key = secret("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    const hook_scheme s = {
        .name = "signature",
        .method = HOOK_ED25519,
        .key = HOOK_KEY_PUBLIC,
        .encoding = HOOK_HEX,
        .form = HOOK_ONE,
        .prefix = "",
        .content = "{body}",
        .headers = {{"X-Signature-Ed25519", NULL, NULL}},
    };
    const char *headers[] = {"X-Signature-Ed25519",
                             "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085a"
                             "c1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
                             NULL};
    hook_request r = {header_of, (void *)headers, NULL, "\x72", 1};
    buf out = BUF_INIT;
    (void)state;
    assert_null(hook_secret_unfit(&s, &key));
    assert_int_equal(hook_verify(&s, 1, &key, 1, &r, 0), HOOK_GOOD);
    r.body = "\x73";
    assert_int_equal(hook_verify(&s, 1, &key, 1, &r, 0), HOOK_WRONG);
    assert_false(hook_sign(&s, &key, "", 0, "", 0, &out));
}

/* What hook_sign() writes is what hook_verify() takes, by every scheme of every profile. */
typedef struct lines {
    const char *names[9];
    char text[2048];
} lines;

static void split(const buf *from, lines *out)
{
    size_t n = 0;
    memcpy(out->text, from->data, from->len);
    out->text[from->len] = '\0';
    char *rest = NULL;
    for (char *p = strtok_r(out->text, "\n", &rest); p; p = strtok_r(NULL, "\n", &rest)) {
        char *colon = strstr(p, ": ");
        assert_non_null(colon);
        *colon = '\0';
        out->names[n++] = p;
        out->names[n++] = colon + 2;
    }
    out->names[n] = NULL;
}

static void what_is_signed_is_verified(void **state)
{
    (void)state;
    for (const hook_profile *p = hook_profile_next(NULL); p; p = hook_profile_next(p)) {
        for (size_t i = 0; i < hook_profile_schemes(p); i++) {
            const hook_scheme *s = &p->schemes[i];
            hook_secret key = secret(s->key == HOOK_KEY_WHSEC  ? STANDARD_SECRET
                                     : s->key == HOOK_KEY_PAIR ? "user:password"
                                                               : "a secret that is none");
            buf out = BUF_INIT;
            lines l;
            assert_null(hook_scheme_fault(s));
            if (s->method == HOOK_ED25519)
                continue;
            assert_true(hook_sign(s, &key, "id-1", 1700000000, "body", 4, &out));
            if (s->method != HOOK_PATH)
                split(&out, &l);
            else
                l.names[0] = NULL;
            const hook_request r = {header_of, l.names, s->method == HOOK_PATH ? key.text : NULL,
                                    "body", 4};
            assert_int_equal(
                hook_verify(p->schemes, hook_profile_schemes(p), &key, 1, &r, 1700000000),
                HOOK_GOOD);
            buf_free(&out);
        }
    }
}

static void secrets_are_bounded_and_plain(void **state)
{
    static const hook_secret none;
    char text[HOOK_SECRET_MAX + 2];
    hook_secret s;
    (void)state;
    memset(text, 'a', sizeof text);
    for (size_t len = 0; len <= HOOK_SECRET_MAX + 1; len++) {
        const char *fault = hook_secret_parse(text, len, &s);
        assert_int_equal(fault == NULL, len >= HOOK_SECRET_MIN && len <= HOOK_SECRET_MAX);
        if (fault)
            assert_memory_equal(&s, &none, sizeof s);
    }
    text[3] = '\n';
    assert_non_null(hook_secret_parse(text, 20, &s));
    text[3] = '\0';
    assert_non_null(hook_secret_parse(text, 20, &s));
}

static void a_scheme_that_signs_too_little_is_a_fault(void **state)
{
    static const struct {
        const char *content;
        int64_t tolerance_s;
        const char *timestamp, *id;
        bool good;
    } cases[] = {
        {"{body}", 0, NULL, NULL, true},
        {"v0:{ts}:{body}", 300, "T", NULL, true},
        {"{id}.{ts}.{body}", 300, "T", "I", true},
        {"{ts}{body}", 300, "T", NULL, true},
        {"", 0, NULL, NULL, false},
        {"{ts}", 300, "T", NULL, false},
        {"{body}{body}", 0, NULL, NULL, false},
        {"{body}{x}", 0, NULL, NULL, false},
        {"{ts}.{body}", 300, NULL, NULL, false},
        {"{id}.{body}", 0, NULL, NULL, false},
        {"{body}", 300, "T", NULL, false},
        {"{ts}{ts}{body}", 0, "T", NULL, false},
        {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{body}", 0, NULL, NULL, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const hook_scheme s = {.method = HOOK_HMAC,
                               .prefix = "",
                               .content = cases[i].content,
                               .tolerance_s = cases[i].tolerance_s,
                               .headers = {{"S", cases[i].timestamp, cases[i].id}}};
        if ((hook_scheme_fault(&s) == NULL) != cases[i].good)
            fail_msg("%s", cases[i].content);
    }
}

static void profiles_are_found_and_verdicts_told(void **state)
{
    (void)state;
    assert_null(hook_profile_find("nobody"));
    for (const hook_profile *p = hook_profile_next(NULL); p; p = hook_profile_next(p))
        assert_ptr_equal(hook_profile_find(p->name), p);
    for (int v = 0; v < HOOK_VERDICTS; v++)
        assert_non_null(hook_verdict_text((hook_verdict)v));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_services_send_is_right),
        cmocka_unit_test(every_changed_byte_is_seen),
        cmocka_unit_test(every_changed_byte_of_a_header_is_seen),
        cmocka_unit_test(another_secret_is_wrong),
        cmocka_unit_test(whsec_is_the_key_to_stripe_and_base64_to_the_others),
        cmocka_unit_test(a_gitlab_token_and_its_signing_key_are_not_mixed_up),
        cmocka_unit_test(what_is_missing_or_malformed_is_told),
        cmocka_unit_test(pairs_are_read_strictly),
        cmocka_unit_test(a_time_that_is_off_is_told_only_of_what_is_right),
        cmocka_unit_test(grafanas_time_is_signed_where_it_has_a_header),
        cmocka_unit_test(any_of_several_secrets_will_do),
        cmocka_unit_test(public_keys_verify),
        cmocka_unit_test(a_public_key_may_be_hexadecimal),
        cmocka_unit_test(what_is_signed_is_verified),
        cmocka_unit_test(secrets_are_bounded_and_plain),
        cmocka_unit_test(a_scheme_that_signs_too_little_is_a_fault),
        cmocka_unit_test(profiles_are_found_and_verdicts_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
