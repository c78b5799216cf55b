/* Tests of queue/sign. Its vectors are what the PyPI package standardwebhooks 1.1.0 and its kin
 * make; the first is the one in their own tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "queue/sign.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define OTHER  "whsec_GB8mLTQ7QklQV15lbHN6gYiPlp2kq7K5"
#define ID     "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define TIME   INT64_C(1614265330)
#define BODY   "{\"test\": 2432232314}"
#define RIGHT  "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

static sign_secret secret(const char *text)
{
    sign_secret s;
    assert_null(sign_secret_parse(text, &s));
    return s;
}

#define VECTOR_ID   "01JZZZZZZZZZZZZZZZZZZZZZZZ"
#define VECTOR_BODY "{\"type\":\"message.accepted\",\"data\":{\"subject\":\"您的订单\"}}"

static void signatures_are_those_of_the_specification(void **state)
{
    static const struct {
        const char *secret, *id;
        int64_t time;
        const char *body, *signature;
    } vectors[] = {
        {SECRET, ID, TIME, BODY, RIGHT},
        {OTHER, VECTOR_ID, 1767225600, VECTOR_BODY, /* 24 octets */
         "v1,IEkJZbHfe5IqS/Zi7D3fLPVrfk/hWcXSm5LiOKlrtdI="},
        {"whsec_QEdOVVxjanF4f4aNlJuiqbC3vsXM09rh6O/2/"
         "QQLEhkgJy41PENKUVhfZm10e4KJkJeepayzusHIz9bd5Ovy+Q==", /* 64 */
         VECTOR_ID, 1767225600, VECTOR_BODY, "v1,iQN7QEyMSI5vlVRpys040HVl7dllqV7tKdWBdtQ67LY="},
        {"whsec_JSwzOkFIT1ZdZGtyeYCHjpWco6qxuL/GzdTb4unw9/4FDBMaIQ==", /* 37 */
         VECTOR_ID, 1767225600, VECTOR_BODY, "v1,Zo6yk5AG3q4Jel7Z25JRxGcxrWlv5u0pFCas/5l/BrM="},
        {"whsec_JSwzOkFIT1ZdZGtyeYCHjpWco6qxuL/GzdTb4unw9/4FDBMaIQ", /* without padding */
         VECTOR_ID, 1767225600, VECTOR_BODY, "v1,Zo6yk5AG3q4Jel7Z25JRxGcxrWlv5u0pFCas/5l/BrM="},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(vectors); i++) {
        char got[SIGN_LENGTH + 1];
        sign_secret s = secret(vectors[i].secret);
        assert_true(sign_make(&s, vectors[i].id, vectors[i].time, vectors[i].body,
                              strlen(vectors[i].body), got));
        assert_string_equal(got, vectors[i].signature);
    }
}

/* "whsec_" and the base64 of so many octets of zero. */
static const char *zeros(char *out, size_t size, size_t octets)
{
    size_t n = (size_t)snprintf(out, size, "whsec_");
    for (size_t i = 0; i < (octets * 8 + 5) / 6; i++)
        out[n++] = 'A';
    while ((n - 6) % 4)
        out[n++] = '=';
    out[n] = '\0';
    return out;
}

static void secrets_have_24_to_64_octets(void **state)
{
    (void)state;
    for (size_t n = 0; n < 200; n++) {
        char text[400];
        sign_secret s;
        const char *fault = sign_secret_parse(zeros(text, sizeof text, n), &s);
        assert_true((fault == NULL) == (n >= SIGN_SECRET_MIN && n <= SIGN_SECRET_MAX));
        assert_int_equal(s.len, fault ? 0 : n);
    }
}

static void other_secrets_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "whsec_",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",   /* 23 octets and two bits */
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw=", /* padded where nothing is lacking */
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw====",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwA",      /* six bits are no octet */
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAB==",   /* bits to spare */
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAA=",    /* one = too few */
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAA==x",  /* more behind it */
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS-",       /* the URL's alphabet */
        "whsec_MfKQ9r8GKYqrTwjUPD8I LPZIo2LaLaSw",      /* a blank */
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n",     /* a line's end */
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa\xC3\xA9", /* beyond ASCII */
    };
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        static const sign_secret none;
        sign_secret s;
        memset(&s, 0xAA, sizeof s);
        if (!sign_secret_parse(bad[i], &s))
            fail_msg("taken: %s", bad[i]);
        assert_memory_equal(&s, &none, sizeof s);
    }
}

static void what_cannot_be_signed_is_not(void **state)
{
    char out[SIGN_LENGTH + 1], longest[SIGN_ID_MAX + 2];
    sign_secret s = secret(SECRET);
    (void)state;
    memset(longest, 'a', sizeof longest - 1);
    longest[SIGN_ID_MAX + 1] = '\0';
    assert_false(sign_make(&s, longest, TIME, BODY, 2, out));
    longest[SIGN_ID_MAX] = '\0';
    assert_true(sign_make(&s, longest, TIME, BODY, 2, out));
    assert_false(sign_make(&s, "", TIME, BODY, 2, out));
    assert_false(sign_make(&s, "a.b", TIME, BODY, 2, out));
    assert_false(sign_make(&s, "a b", TIME, BODY, 2, out));
    assert_false(sign_make(&s, "a\r\n", TIME, BODY, 2, out));
    assert_false(sign_make(&s, "\xC3\xA9", TIME, BODY, 2, out));
    assert_false(sign_make(&s, ID, -1, BODY, 2, out));
    assert_false(sign_make(&s, ID, INT64_C(1000000000000), BODY, 2, out));
    assert_true(sign_make(&s, ID, INT64_C(999999999999), NULL, 0, out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_are_those_of_the_specification),
        cmocka_unit_test(secrets_have_24_to_64_octets),
        cmocka_unit_test(other_secrets_are_refused),
        cmocka_unit_test(what_cannot_be_signed_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
