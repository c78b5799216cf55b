/* What relays really say, and what is made of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "smtp/classify.h"
#include "smtp/preset.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

#define AUTH   SMTP_CATEGORY_AUTH
#define TLS    SMTP_CATEGORY_TLS
#define SENDER SMTP_CATEGORY_SENDER
#define RCPT   SMTP_CATEGORY_RECIPIENT
#define BODY   SMTP_CATEGORY_CONTENT
#define SIZE   SMTP_CATEGORY_SIZE
#define POLICY SMTP_CATEGORY_POLICY
#define RATE   SMTP_CATEGORY_RATE
#define TEMP   SMTP_CATEGORY_TEMPORARY

#define US   SMTP_BLAME_GATEWAY
#define MAIL SMTP_BLAME_MESSAGE
#define THEY SMTP_BLAME_RELAY

typedef struct known {
    smtp_stage stage;
    int code;
    const char *enhanced;
    const char *text;
    const char *preset;
    smtp_category category;
    smtp_blame blame;
    const char *hint; /* a word of it; NULL: any */
} known;

static const known replies[] = {
    /* logins */
    {SMTP_STAGE_AUTH, 535, "", "Login Fail. Please enter your authorization code to login.", "qq",
     AUTH, US, "授权码"},
    {SMTP_STAGE_AUTH, 535, "", "Error: authentication failed", "163", AUTH, US, "授权码"},
    {SMTP_STAGE_AUTH, 550, "", "User has no permission", "126", AUTH, US, "授权码"},
    {SMTP_STAGE_AUTH, 535, "5.7.8", "Username and Password not accepted.", "gmail", AUTH, US,
     "app password"},
    {SMTP_STAGE_AUTH, 534, "5.7.9", "Application-specific password required.", "gmail", AUTH, US,
     "app password"},
    {SMTP_STAGE_AUTH, 534, "5.7.9", "Application-specific password required.", NULL, AUTH, US,
     "app password"},
    {SMTP_STAGE_AUTH, 535, "5.7.139",
     "Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
     "office365", AUTH, US, "XOAUTH2"},
    {SMTP_STAGE_AUTH, 550, "5.7.30", "Basic authentication is not supported for Client Submission.",
     "office365", AUTH, US, "XOAUTH2"},
    {SMTP_STAGE_AUTH, 535, "5.7.3", "Authentication unsuccessful", "office365", AUTH, US,
     "XOAUTH2"},
    {SMTP_STAGE_AUTH, 535, "", "Authentication failed: Bad username / password", "sendgrid", AUTH,
     US, "apikey"},
    {SMTP_STAGE_AUTH, 526, "", "Authentication failure", "aliyun", AUTH, US, "安全密码"},
    {SMTP_STAGE_AUTH, 535, "5.7.8", "Error: authentication failed:", NULL, AUTH, US, "password"},
    {SMTP_STAGE_AUTH, 454, "4.7.0", "Temporary authentication failure", "qq", AUTH, THEY, "later"},
    {SMTP_STAGE_AUTH, 421, "4.7.0", "Too many login attempts", NULL, RATE, THEY, NULL},
    {SMTP_STAGE_AUTH, 504, "5.5.4", "Unrecognized authentication type", "qq", AUTH, US, "auth="},
    {SMTP_STAGE_AUTH, 538, "5.7.11", "Encryption required", NULL, AUTH, US, "TLS"},
    {SMTP_STAGE_AUTH, 530, "5.7.0", "Must issue a STARTTLS command first.", "gmail", TLS, US,
     "STARTTLS"},
    {SMTP_STAGE_MAIL, 530, "5.7.0", "Must issue a STARTTLS command first", NULL, TLS, US,
     "STARTTLS"},
    {SMTP_STAGE_MAIL, 530, "5.7.0", "Authentication Required.", NULL, AUTH, US, "login"},
    {SMTP_STAGE_MAIL, 530, "5.7.57", "Client not authenticated to send mail", NULL, AUTH, US,
     "login"},
    {SMTP_STAGE_MAIL, 503, "", "Error: need EHLO and AUTH first !", NULL, AUTH, US, "login"},
    {SMTP_STAGE_RCPT, 553, "", "authentication is required", NULL, AUTH, US, "login"},

    /* sessions */
    {SMTP_STAGE_GREETING, 421, "4.7.0", "Too many concurrent connections", NULL, RATE, THEY,
     "sessions="},
    {SMTP_STAGE_GREETING, 421, "4.3.2", "Service shutting down", NULL, TEMP, THEY, "later"},
    {SMTP_STAGE_GREETING, 554, "5.7.1", "Blocked by zen.spamhaus.org", NULL, POLICY, US, NULL},
    {SMTP_STAGE_EHLO, 550, "", "bad HELO", NULL, POLICY, US, "ehlo="},
    {SMTP_STAGE_STARTTLS, 454, "4.7.0", "TLS not available due to local problem", NULL, TLS, THEY,
     "later"},
    {SMTP_STAGE_STARTTLS, 502, "5.5.1", "no", NULL, TLS, US, "smtps://"},
    {SMTP_STAGE_MAIL, 421, "4.7.0", "Try again later, closing connection", NULL, RATE, THEY, NULL},
    {SMTP_STAGE_BODY, 421, "4.3.0", "closing", NULL, TEMP, THEY, NULL},

    /* senders */
    {SMTP_STAGE_MAIL, 553, "", "Mail from must equal authorized user", "163", SENDER, MAIL,
     "login"},
    {SMTP_STAGE_MAIL, 501, "", "Mail from address must be same as authorization user.", "qq",
     SENDER, MAIL, "login"},
    {SMTP_STAGE_BODY, 554, "", "DT:SUM 163 smtp13", "163", SENDER, MAIL, NULL},
    {SMTP_STAGE_RCPT, 553, "5.7.1", "<a@b.c>: Sender address rejected: not owned by user x", NULL,
     SENDER, MAIL, NULL},
    {SMTP_STAGE_BODY, 554, "5.2.252", "SendAsDenied; x not allowed to send as y", "office365",
     SENDER, MAIL, NULL},
    {SMTP_STAGE_BODY, 554, "", "Message rejected: Email address is not verified.", "ses", SENDER,
     MAIL, NULL},
    {SMTP_STAGE_MAIL, 550, "5.1.8", "Sender domain not found", NULL, SENDER, MAIL, NULL},
    {SMTP_STAGE_MAIL, 501, "5.1.7", "Bad sender address syntax", NULL, SENDER, MAIL, NULL},

    /* recipients */
    {SMTP_STAGE_RCPT, 550, "5.1.1", "<x@y>: Recipient address rejected: User unknown", NULL, RCPT,
     MAIL, NULL},
    {SMTP_STAGE_RCPT, 550, "", "Mailbox not found", NULL, RCPT, MAIL, NULL},
    {SMTP_STAGE_RCPT, 550, "5.2.1", "The email account that you tried to reach is disabled", NULL,
     RCPT, MAIL, NULL},
    {SMTP_STAGE_RCPT, 552, "5.2.2", "The recipient's inbox is out of storage space", NULL, RCPT,
     MAIL, "full"},
    {SMTP_STAGE_RCPT, 452, "4.2.2", "The email account is over quota", NULL, RCPT, THEY, "full"},
    {SMTP_STAGE_RCPT, 552, "", "mailbox full", NULL, RCPT, MAIL, "full"},
    {SMTP_STAGE_RCPT, 501, "5.1.3", "Bad recipient address syntax", NULL, RCPT, MAIL, NULL},
    {SMTP_STAGE_RCPT, 450, "4.7.1", "Greylisted, try again in 300 seconds", NULL, TEMP, THEY, NULL},
    {SMTP_STAGE_RCPT, 451, "4.7.1", "Greylisting in action, please come back later", NULL, TEMP,
     THEY, NULL},
    {SMTP_STAGE_RCPT, 554, "5.7.1", "<x@y>: Relay access denied", NULL, POLICY, US, NULL},
    {SMTP_STAGE_RCPT, 550, "5.7.1", "Unable to relay", NULL, POLICY, US, NULL},
    {SMTP_STAGE_RCPT, 452, "4.5.3", "Too many recipients", NULL, RATE, THEY, NULL},
    {SMTP_STAGE_RCPT, 452, "4.3.1", "Insufficient system storage", NULL, TEMP, THEY, NULL},

    /* messages */
    {SMTP_STAGE_MAIL, 552, "5.3.4", "Message size exceeds fixed limit", NULL, SIZE, MAIL, NULL},
    {SMTP_STAGE_BODY, 552, "5.2.3", "Message exceeds maximum fixed size", NULL, SIZE, MAIL, NULL},
    {SMTP_STAGE_BODY, 552, "", "", NULL, SIZE, MAIL, NULL},
    {SMTP_STAGE_BODY, 552, "5.7.0",
     "This message was blocked because its content presents a "
     "potential security issue.",
     "gmail", BODY, MAIL, NULL},
    {SMTP_STAGE_BODY, 554, "", "DT:SPM 163 smtp5,D9GowAB", "163", BODY, MAIL, NULL},
    {SMTP_STAGE_BODY, 550, "5.7.1",
     "Our system has detected that this message is likely "
     "unsolicited mail.",
     NULL, BODY, MAIL, NULL},
    {SMTP_STAGE_BODY, 550, "", "Mail content denied.", "qq", BODY, MAIL, NULL},
    {SMTP_STAGE_BODY, 554, "5.6.0", "Invalid message content", NULL, BODY, MAIL, NULL},
    {SMTP_STAGE_BODY, 550, "5.7.26", "Unauthenticated email is not accepted due to DMARC policy",
     NULL, POLICY, US, NULL},
    {SMTP_STAGE_RCPT, 550, "5.7.23", "SPF validation failed", NULL, POLICY, US, "SPF"},
    {SMTP_STAGE_BODY, 550, "", "SPF check failed", NULL, POLICY, US, "SPF"},
    {SMTP_STAGE_BODY, 550, "5.7.1", "DKIM signature is invalid", NULL, POLICY, US, "DKIM"},
    {SMTP_STAGE_RCPT, 554, "5.7.1",
     "Service unavailable; Client host [192.0.2.1] blocked using "
     "zen.spamhaus.org",
     NULL, POLICY, US, "blocklist"},
    {SMTP_STAGE_BODY, 550, "5.4.5", "Daily user sending limit exceeded.", "gmail", RATE, THEY,
     NULL},
    {SMTP_STAGE_BODY, 550, "", "Ip frequency limited", "qq", RATE, THEY, NULL},
    {SMTP_STAGE_BODY, 451, "4.3.0", "Temporary lookup failure", NULL, TEMP, THEY, NULL},
    {SMTP_STAGE_BODY, 451, "", "Rate limit exceeded", NULL, RATE, THEY, NULL},
};

static void a_reply_is_explained_by_what_relays_mean_with_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(replies); i++) {
        const known *k = &replies[i];
        smtp_reply reply = {.code = k->code, .text = strdup(k->text)};
        smtp_fault fault = {0};
        assert_non_null(reply.text);
        (void)snprintf(reply.enhanced, sizeof reply.enhanced, "%s", k->enhanced);
        smtp_classify_reply(k->stage, &reply, k->preset, &fault);
        if (fault.category != k->category || fault.blame != k->blame || !fault.hint ||
            (k->hint && !strstr(fault.hint, k->hint)))
            fail_msg("%d %s %s: %s, blame %d, hint %s", k->code, k->enhanced, k->text,
                     smtp_category_name(fault.category), (int)fault.blame, fault.hint);
        assert_int_equal(fault.stage, k->stage);
        assert_int_equal(fault.retryable, k->blame == THEY);
        assert_null(fault.detail);
        smtp_reply_clear(&reply);
    }
}

static void every_code_at_every_stage_means_something(void **state)
{
    (void)state;
    for (int stage = SMTP_STAGE_GREETING; stage < SMTP_STAGE_COUNT; stage++) {
        for (int code = 200; code < 600; code++) {
            const smtp_reply reply = {.code = code};
            smtp_fault fault = {0};
            smtp_classify_reply((smtp_stage)stage, &reply, NULL, &fault);
            assert_int_not_equal(fault.category, SMTP_CATEGORY_NONE);
            assert_int_not_equal(fault.blame, SMTP_BLAME_NONE);
            assert_non_null(fault.hint);
            /* 4yz is the relay's word for "later", 5yz never is but for a rate */
            if (code >= 400)
                assert_int_equal(fault.retryable, code < 500);
        }
    }
}

static void each_preset_has_its_own_hint_at_a_refused_login(void **state)
{
    const smtp_reply reply = {.code = 535, .enhanced = "5.7.8"};
    (void)state;
    for (const smtp_preset *p = smtp_presets(); p->name; p++) {
        smtp_fault fault = {0};
        smtp_classify_reply(SMTP_STAGE_AUTH, &reply, p->name, &fault);
        assert_string_equal(fault.hint, p->hint);
        smtp_classify_curl(SMTP_STAGE_AUTH, CURLE_LOGIN_DENIED, NULL, p->name, &fault);
        assert_string_equal(fault.hint, p->hint);
    }
}

static void a_long_text_is_searched_at_its_beginning(void **state)
{
    const size_t len = 60000;
    char *text = malloc(len + 1);
    smtp_fault fault = {0};
    (void)state;
    assert_non_null(text);
    memset(text, 'x', len);
    text[len] = '\0';
    memcpy(text, " spam ", 6);
    smtp_reply reply = {.code = 554, .text = text};
    smtp_classify_reply(SMTP_STAGE_BODY, &reply, NULL, &fault);
    assert_int_equal(fault.category, SMTP_CATEGORY_CONTENT);
    smtp_reply_clear(&reply);
}

static const struct {
    int code;
    const char *error;
    smtp_category category;
    smtp_blame blame;
    const char *hint;
} curl_results[] = {
    {CURLE_COULDNT_RESOLVE_HOST, "Could not resolve host: x", SMTP_CATEGORY_NETWORK, THEY, "DNS"},
    {CURLE_COULDNT_CONNECT, "Connection refused", SMTP_CATEGORY_NETWORK, THEY, "port"},
    {CURLE_OPERATION_TIMEDOUT, "no answer in time", SMTP_CATEGORY_NETWORK, SMTP_BLAME_TIMEOUT,
     NULL},
    {CURLE_PEER_FAILED_VERIFICATION, "SSL certificate problem: certificate has expired", TLS, US,
     "expired"},
    {CURLE_PEER_FAILED_VERIFICATION,
     "SSL certificate problem: unable to get local issuer certificate", TLS, US, "ca="},
    {CURLE_PEER_FAILED_VERIFICATION, "SSL certificate problem: self-signed certificate", TLS, US,
     "ca="},
    {CURLE_PEER_FAILED_VERIFICATION,
     "SSL: no alternative certificate subject name matches target host name 'x'", TLS, US, "name"},
    {CURLE_PEER_FAILED_VERIFICATION,
     "SSL: certificate subject name 'y' does not match target host name 'x'", TLS, US, "name"},
    {CURLE_SSL_CONNECT_ERROR, "error:0A00010B:SSL routines::wrong version number", TLS, US,
     "STARTTLS"},
    {CURLE_SSL_CONNECT_ERROR, "something else", TLS, US, NULL},
    {CURLE_USE_SSL_FAILED, "STARTTLS not supported.", TLS, US, "smtps://"},
    {CURLE_LOGIN_DENIED, NULL, AUTH, US, "auth="},
    {CURLE_READ_ERROR, NULL, AUTH, US, "token_file"},
    {CURLE_RECV_ERROR, NULL, SMTP_CATEGORY_NETWORK, THEY, "closed"},
    {CURLE_WEIRD_SERVER_REPLY, NULL, SMTP_CATEGORY_PROTOCOL, THEY, NULL},
    {CURLE_OUT_OF_MEMORY, NULL, TEMP, THEY, "memory"},
};

static void what_libcurl_says_is_explained(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(curl_results); i++) {
        smtp_fault fault = {0};
        smtp_classify_curl(SMTP_STAGE_TLS, curl_results[i].code, curl_results[i].error, NULL,
                           &fault);
        if (fault.category != curl_results[i].category || fault.blame != curl_results[i].blame ||
            !fault.hint || (curl_results[i].hint && !strstr(fault.hint, curl_results[i].hint)))
            fail_msg("%d %s: %s, %s", curl_results[i].code, curl_results[i].error,
                     smtp_category_name(fault.category), fault.hint);
    }
}

static void what_libcurl_says_newly_is_the_networks_fault(void **state)
{
    smtp_fault fault = {0};
    (void)state;
    smtp_classify_curl(SMTP_STAGE_CONNECT, 9999, NULL, NULL, &fault);
    assert_int_equal(fault.category, SMTP_CATEGORY_NETWORK);
    assert_true(fault.retryable);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_is_explained_by_what_relays_mean_with_it),
        cmocka_unit_test(every_code_at_every_stage_means_something),
        cmocka_unit_test(each_preset_has_its_own_hint_at_a_refused_login),
        cmocka_unit_test(a_long_text_is_searched_at_its_beginning),
        cmocka_unit_test(what_libcurl_says_is_explained),
        cmocka_unit_test(what_libcurl_says_newly_is_the_networks_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
