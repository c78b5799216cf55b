/* Relays' URLs and providers' presets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>
#include <unistd.h>

#include "smtp/preset.h"
#include "smtp/relay_config.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

static smtp_relay *make(const char *url)
{
    char *error = NULL;
    smtp_relay *r = smtp_relay_create("default", url, &error);
    if (!r)
        fail_msg("%s: %s", url, error);
    assert_null(error);
    return r;
}

static void assert_same(const char *is, const char *should)
{
    if (!should)
        assert_null(is);
    else
        assert_string_equal(is ? is : "(none)", should);
}

static void urls_are_read(void **state)
{
    static const struct {
        const char *url, *host;
        unsigned port;
        smtp_tls tls;
        const char *user, *password;
    } cases[] = {
        {"smtp://u:p@mx.example.com", "mx.example.com", 587, SMTP_TLS_STARTTLS, "u", "p"},
        {"smtps://u:p@mx.example.com", "mx.example.com", 465, SMTP_TLS_IMPLICIT, "u", "p"},
        {"SMTPS://u:p@mx.example.com:2465/", "mx.example.com", 2465, SMTP_TLS_IMPLICIT, "u", "p"},
        {"smtp://mx.example.com", "mx.example.com", 587, SMTP_TLS_STARTTLS, NULL, NULL},
        {"smtp://mx.example.com?tls=none", "mx.example.com", 25, SMTP_TLS_NONE, NULL, NULL},
        {"smtp://mx.example.com?tls=implicit", "mx.example.com", 465, SMTP_TLS_IMPLICIT, NULL,
         NULL},
        {"smtps://mx.example.com?tls=starttls", "mx.example.com", 587, SMTP_TLS_STARTTLS, NULL,
         NULL},
        {"smtp://u:p@127.0.0.1:25?tls=none", "127.0.0.1", 25, SMTP_TLS_NONE, "u", "p"},
        {"smtp://u:p@localhost?tls=none", "localhost", 25, SMTP_TLS_NONE, "u", "p"},
        {"smtp://u:p@[::1]:26?tls=none", "::1", 26, SMTP_TLS_NONE, "u", "p"},
        {"smtps://[2001:db8::25]", "2001:db8::25", 465, SMTP_TLS_IMPLICIT, NULL, NULL},
        {"smtp://me@a.b:p@mx.c", "mx.c", 587, SMTP_TLS_STARTTLS, "me@a.b", "p"},
        {"smtp://me%40a.b:p%40%3A%2f%25@mx.c", "mx.c", 587, SMTP_TLS_STARTTLS, "me@a.b", "p@:/%"},
        {"smtp://u:a:b/c#d@e&f=g@mx.c", "mx.c", 587, SMTP_TLS_STARTTLS, "u", "a:b/c#d@e&f=g"},
        {"smtp://u%3Av:p%3F@mx.c", "mx.c", 587, SMTP_TLS_STARTTLS, "u:v", "p?"},
        {"smtp://\xE6\x9D\x8E:\xE6\x8E\x88@mx.c", "mx.c", 587, SMTP_TLS_STARTTLS, "\xE6\x9D\x8E",
         "\xE6\x8E\x88"},
        {"smtp://u@mx.c?auth=external", "mx.c", 587, SMTP_TLS_STARTTLS, "u", NULL},
        {"smtp://u@mx.c?token_file=%2Frun%2Ft%40k", "mx.c", 587, SMTP_TLS_STARTTLS, "u", NULL},
        {"qq://10001@qq.com:code@", "smtp.qq.com", 465, SMTP_TLS_IMPLICIT, "10001@qq.com", "code"},
        {"163://me@163.com:code@", "smtp.163.com", 465, SMTP_TLS_IMPLICIT, "me@163.com", "code"},
        {"126://me@126.com:code@/", "smtp.126.com", 465, SMTP_TLS_IMPLICIT, "me@126.com", "code"},
        {"gmail://me@gmail.com:abcdefgh@", "smtp.gmail.com", 465, SMTP_TLS_IMPLICIT, "me@gmail.com",
         "abcdefgh"},
        {"gmail://me@gmail.com:x@?tls=starttls", "smtp.gmail.com", 587, SMTP_TLS_STARTTLS,
         "me@gmail.com", "x"},
        {"office365://me@corp.example:x@", "smtp.office365.com", 587, SMTP_TLS_STARTTLS,
         "me@corp.example", "x"},
        {"sendgrid://SG.key@", "smtp.sendgrid.net", 587, SMTP_TLS_STARTTLS, "apikey", "SG.key"},
        {"sendgrid://:SG.key@", "smtp.sendgrid.net", 587, SMTP_TLS_STARTTLS, "apikey", "SG.key"},
        {"sendgrid://apikey:SG.key@", "smtp.sendgrid.net", 587, SMTP_TLS_STARTTLS, "apikey",
         "SG.key"},
        {"resend://re_key@", "smtp.resend.com", 465, SMTP_TLS_IMPLICIT, "resend", "re_key"},
        {"postmark://token@", "smtp.postmarkapp.com", 587, SMTP_TLS_STARTTLS, "token", "token"},
        {"postmark://a:b@", "smtp.postmarkapp.com", 587, SMTP_TLS_STARTTLS, "a", "b"},
        {"ses://AK:SK@?region=eu-west-1", "email-smtp.eu-west-1.amazonaws.com", 465,
         SMTP_TLS_IMPLICIT, "AK", "SK"},
        {"mailgun://a@b.c:p@", "smtp.mailgun.org", 465, SMTP_TLS_IMPLICIT, "a@b.c", "p"},
        {"mailgun://a@b.c:p@?region=eu", "smtp.eu.mailgun.org", 465, SMTP_TLS_IMPLICIT, "a@b.c",
         "p"},
        {"aliyun-dm://a@b.c:p@", "smtpdm.aliyun.com", 465, SMTP_TLS_IMPLICIT, "a@b.c", "p"},
        {"aliyun-dm://a@b.c:p@?region=ap-southeast-1", "smtpdm-ap-southeast-1.aliyuncs.com", 465,
         SMTP_TLS_IMPLICIT, "a@b.c", "p"},
        {"tencent-ses://a@b.c:p@", "smtp.qcloudmail.com", 465, SMTP_TLS_IMPLICIT, "a@b.c", "p"},
        {"tencent-ses://a@b.c:p@?region=gz", "gz-smtp.qcloudmail.com", 465, SMTP_TLS_IMPLICIT,
         "a@b.c", "p"},
        {"zoho://a@b.c:p@?region=com.cn", "smtp.zoho.com.cn", 465, SMTP_TLS_IMPLICIT, "a@b.c", "p"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        smtp_relay *r = make(cases[i].url);
        assert_string_equal(smtp_relay_name(r), "default");
        assert_string_equal(smtp_relay_host(r), cases[i].host);
        assert_int_equal(smtp_relay_port(r), cases[i].port);
        assert_int_equal(smtp_relay_tls(r), cases[i].tls);
        assert_same(smtp_relay_user(r), cases[i].user);
        assert_same(r->password, cases[i].password);
        assert_int_equal(r->sessions, SMTP_RELAY_SESSIONS);
        assert_true(strchr(r->ehlo, '.') != NULL);
        smtp_relay_free(r);
    }
}

static void options_are_read(void **state)
{
    smtp_relay *r =
        make("smtp://u:p@mx.c?auth=cram-md5&ca=/etc/hostname&ehlo=me.example&sessions=256");
    (void)state;
    assert_string_equal(r->auth, "CRAM-MD5");
    assert_string_equal(r->ca, "/etc/hostname");
    assert_string_equal(r->ehlo, "me.example");
    assert_int_equal(r->sessions, 256);
    assert_null(smtp_relay_preset(r));
    smtp_relay_free(r);
    r = make("smtp://u@mx.c?token_file=/t&auth=oauthbearer&ehlo=[IPv6:::1]");
    assert_string_equal(r->auth, "OAUTHBEARER");
    assert_string_equal(r->token_file, "/t");
    assert_string_equal(r->ehlo, "[IPv6:::1]");
    smtp_relay_free(r);
    r = make("office365://me@x.y@?token_file=/t");
    assert_string_equal(r->auth, "XOAUTH2");
    smtp_relay_free(r);
    r = make("zoho://me@x.y:p@");
    assert_string_equal(r->auth, "LOGIN");
    smtp_relay_free(r);
    r = make("zoho-pro://"); /* by address, without a login: nothing pins one */
    assert_null(r->auth);
    smtp_relay_free(r);
    r = make("zoho://me@x.y:p@?auth=PLAIN");
    assert_string_equal(r->auth, "PLAIN");
    smtp_relay_free(r);
    r = make("smtp://mx.c?auth=none");
    assert_null(r->auth);
    smtp_relay_free(r);
}

static void a_plain_url_of_a_providers_host_gets_its_hints(void **state)
{
    static const struct {
        const char *url, *preset;
    } cases[] = {{"smtps://u:p@smtp.qq.com", "qq"},
                 {"smtps://u:p@SMTP.163.com:994", "163"},
                 {"smtp://u:p@email-smtp.us-east-1.amazonaws.com", "ses"},
                 {"smtp://u:p@smtpdm.aliyun.com:80", "aliyun-dm"},
                 {"smtp://u:p@smtpdm-eu-central-1.aliyuncs.com:80", "aliyun-dm"},
                 {"smtp://u:p@smtp.eu.mailgun.org", "mailgun"},
                 {"smtp://u:p@smtp.example.com", NULL}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        smtp_relay *r = make(cases[i].url);
        assert_same(smtp_relay_preset(r), cases[i].preset);
        assert_string_equal(r->password, "p");
        smtp_relay_free(r);
    }
}

static void wrong_urls_are_told_in_a_sentence_without_the_secret(void **state)
{
    static const struct {
        const char *url, *word;
    } cases[] = {
        {"", "must begin"},
        {"mx.example.com", "must begin"},
        {"://x", "must begin"},
        {"http://u:SECRET@x", "http"},
        {"nobody://u:SECRET@", "nobody"},
        {"sm\x01tp://x", "control"},
        {"smtp://u:SEC RET@x", "space"},
        {"smtp://", "no host"},
        {"smtp://u:SECRET@", "no host"},
        {"smtp://u:SECRET@:25", "no host"},
        {"smtp://u:SECRET@x:0", "port"},
        {"smtp://u:SECRET@x:65536", "port"},
        {"smtp://u:SECRET@x:", "port"},
        {"smtp://u:SECRET@x:25x", "port"},
        {"smtp://u:SECRET@x/path", "host"},
        {"smtp://u:SECRET@-x", "host"},
        {"smtp://u:SECRET@x..y", "host"},
        {"smtp://u:SECRET@\xE6\x9D\x8E.cn", "ASCII"},
        {"smtp://u:SECRET@[::1", "host"},
        {"smtp://u:SECRET@[::g]", "IPv6"},
        {"smtp://u:SECRET@[::1]25", "port"},
        {"smtp://u:SECRET%4@x", "%25"},
        {"smtp://u:SECRET%zz@x", "%25"},
        {"smtp://u:SECRET%0A@x", "control"},
        {"smtp://u%00:SECRET@x", "control"},
        {"smtp://:SECRET@x", "without a user"},
        {"smtp://u@x", "no password"},
        {"smtp://u:@x", "no password"},
        {"smtp://u:SECRET?x@mx.c", "%3F"},
        {"smtp://u:p?SECRET", "port"},
        {"smtp://x?SECRET", "options"},
        {"smtp://x?tls", "no value"},
        {"smtp://x?colour=red", "colour is unknown"},
        {"smtp://x?tls=maybe", "starttls"},
        {"smtp://x?tls=none&tls=none", "twice"},
        {"smtp://x?auth=magic", "cram-md5"},
        {"smtp://u:SECRET@x?auth=none", "contradicts"},
        {"smtp://x?auth=plain", "no user"},
        {"smtp://u:SECRET@x?auth=external", "no password"},
        {"smtp://u:SECRET@x?auth=xoauth2", "token_file"},
        {"smtp://u:SECRET@x?token_file=/t", "which one"},
        {"smtp://u@x?token_file=/t&auth=plain", "token_file"},
        {"smtp://x?token_file=/t", "without a user"},
        {"smtp://u:SECRET@x?password_file=/t", "which one"},
        {"smtp://u@x?password_file=/does/not/exist", "No such file"},
        {"smtp://u@x?password_file=", "file"},
        {"smtp://x?ca=/does/not/exist", "No such file"},
        {"smtp://x?ca=/etc/hostname&tls=none", "tls=none"},
        {"smtp://x?ehlo=bad_name!", "ehlo"},
        {"smtp://x?ehlo=a%0D%0AQUIT", "control"},
        {"smtp://x?sessions=0", "1 to 256"},
        {"smtp://x?rate=0/s", "such as 14/s"},
        {"smtp://x?rate=14", "such as 14/s"},
        {"smtp://x?sessions=257", "1 to 256"},
        {"smtp://x?sessions=8x", "1 to 256"},
        {"smtp://x?sessions=99999999999", "1 to 256"},
        {"smtp://x?region=eu", "providers"},
        {"smtp://u:SECRET@192.0.2.1?tls=none", "clear"},
        {"smtp://u:SECRET@127.example.com?tls=none", "clear"},
        {"smtp://u:SECRET@localhost.example.com?tls=none", "clear"},
        {"gmail://me@gmail.com:SECRET", "ends with the @"},
        {"gmail://me@gmail.com:x@SECRET", "ends with the @"},
        {"gmail://me@gmail.com:SECRET@?tls=none", "clear"},
        {"gmail://me@gmail.com:SECRET@?region=eu", "no regions"},
        {"ses://u:SECRET@", "region"},
        {"ses://u:SECRET@?region=a/b", "region"},
        {"ses://u:SECRET@?region=", "region"},
        {"sendgrid://", "no password"},
        {"qq://10001@qq.com@", "no password"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *error = NULL;
        smtp_relay *r = smtp_relay_create("default", cases[i].url, &error);
        if (r)
            fail_msg("%s was taken", cases[i].url);
        assert_non_null(error);
        if (!strstr(error, cases[i].word))
            fail_msg("%s: %s", cases[i].url, error);
        assert_null(strstr(error, "SECRET"));
        assert_null(strchr(error, '\n'));
        free(error);
    }
}

static void a_password_may_come_from_a_file(void **state)
{
    static const struct {
        const char *content, *password;
    } cases[] = {{"s3cret", "s3cret"}, {"s3cret\n", "s3cret"}, {"s3 cret\r\n", "s3 cret"},
                 {"", NULL},           {"\n", NULL},           {"two\nlines\n", NULL}};
    char path[] = "/tmp/postern-password-XXXXXX", url[100];
    int fd = mkstemp(path);
    (void)state;
    assert_true(fd >= 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *error = NULL;
        size_t len = strlen(cases[i].content);
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, cases[i].content, len, 0), len);
        (void)snprintf(url, sizeof url, "smtp://u@mx.c?password_file=%s", path);
        smtp_relay *r = smtp_relay_create("x", url, &error);
        assert_int_equal(r != NULL, cases[i].password != NULL);
        if (r)
            assert_string_equal(r->password, cases[i].password);
        else
            assert_null(strstr(error, "lines"));
        smtp_relay_free(r);
        free(error);
    }
    (void)close(fd);
    (void)unlink(path);
}

static void every_preset_makes_a_relay(void **state)
{
    size_t count = 0;
    (void)state;
    for (const smtp_preset *p = smtp_presets(); p->name; p++, count++) {
        char url[200];
        (void)snprintf(url, sizeof url, "%s://user:pass@%s", p->name,
                       strstr(p->host, "{region}") ? "?region=xx" : "");
        smtp_relay *r = make(url);
        assert_string_equal(smtp_relay_preset(r), p->name);
        assert_int_equal(smtp_relay_port(r), p->port);
        assert_int_not_equal(p->tls, SMTP_TLS_NONE);
        assert_null(strchr(smtp_relay_host(r), '{'));
        assert_true(p->title && p->user_form && p->hint && strlen(p->hint) > 20);
        assert_int_equal(p->hint[strlen(p->hint) - 1], '.');
        assert_ptr_equal(smtp_preset_find(p->name), p);
        assert_string_equal(smtp_preset_of_host(smtp_relay_host(r))->hint, p->hint);
        smtp_relay_free(r);
        for (const smtp_preset *q = smtp_presets(); q < p; q++)
            assert_true(strcasecmp(q->name, p->name) != 0);
    }
    assert_true(count >= 20);
    assert_null(smtp_preset_find("nobody"));
    assert_null(smtp_preset_find(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_read),
        cmocka_unit_test(options_are_read),
        cmocka_unit_test(a_plain_url_of_a_providers_host_gets_its_hints),
        cmocka_unit_test(wrong_urls_are_told_in_a_sentence_without_the_secret),
        cmocka_unit_test(a_password_may_come_from_a_file),
        cmocka_unit_test(every_preset_makes_a_relay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
