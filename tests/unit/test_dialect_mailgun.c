/* Tests of dialect/mailgun: forms become drafts, and answers Mailgun's. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/plain.h"
#include "dialect/mail_date.h"
#include "dialect/mailgun_own.h"
#include "service/form.h"

#define URLENCODED "application/x-www-form-urlencoded"
#define MULTIPART  "multipart/form-data; boundary=b"
#define FILE(name, filename, type, content)                                                        \
    "--b\r\nContent-Disposition: form-data; name=" name "; filename=\"" filename                   \
    "\"\r\nContent-Type: " type "\r\n\r\n" content "\r\n"
#define FIELD(name, content)                                                                       \
    "--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" content "\r\n"
#define END "--b--\r\n"

/* What every mail needs. */
#define BASE   "from=A+%3Ca@x.test%3E&to=b@x.test&"
#define MAIL   BASE "text=t&"
#define DRAFT  "\"from\":\"A <a@x.test>\",\"text\":\"t\",\"to\":[\"b@x.test\"]"
#define LETTER "\"from\":\"A <a@x.test>\",\"text\":\"t\""

static const char *no_header(void *ctx, const char *name)
{
    (void)ctx;
    (void)name;
    return NULL;
}

static bool find_text(void *ctx, const json_t *string, mime_bytes *out)
{
    document_string found;
    if (!document_lifted(ctx, string, &found)) {
        *out = (mime_bytes){json_string_value(string), json_string_length(string)};
        return true;
    }
    *out = found.text;
    return !found.is_base64;
}

typedef struct call {
    document *document;
    dialect_body body;
    dialect_plan plan;
    const dialect_endpoint *endpoint;
} call;

static call take(const char *path, const char *domain, const char *type, const char *body,
                 size_t len)
{
    const document_options options = {.lift_at = 60, .share = 65536};
    const char *reason;
    document_result result;
    buf detail = BUF_INIT;
    form_reader *f = form_create(&options, type, &reason);
    call c = {.endpoint = dialect_mailgun.endpoints};

    assert_non_null(f);
    form_add(f, body, len);
    c.document = form_finish(f, &result, &detail);
    if (!c.document)
        fail_msg("%s: %s", body, buf_cstr(&detail));
    form_free(f);
    while (strcmp(c.endpoint->path, path) != 0)
        c.endpoint++;
    c.body = (dialect_body){.root = document_root(c.document),
                            .parameter = domain,
                            .header = no_header,
                            .text = find_text,
                            .ctx = c.document};
    document_enter(c.document); /* as who serves does */
    c.endpoint->read(&c.body, &c.plan);
    assert_true(document_leave(c.document));
    assert_false(c.plan.nomem);
    return c;
}

static void end(call *c)
{
    document_enter(c->document);
    dialect_plan_clear(&c->plan);
    assert_true(document_leave(c->document));
    document_free(c->document);
}

#define MESSAGES "/v3/{domain}/messages"
#define MIME     "/v3/{domain}/messages.mime"

/* Strings that stand elsewhere are told in full; base64 as such. */
static json_t *resolved(document *d, const json_t *value)
{
    document_string found;
    const char *name;
    json_t *member;
    size_t i;

    if (json_is_string(value) && document_lifted(d, value, &found))
        return found.is_base64 ? json_stringn(found.wrapped.data, (size_t)found.wrapped.len)
                               : json_stringn(found.text.data, found.text.len);
    if (!json_is_object(value) && !json_is_array(value))
        return json_deep_copy(value);
    json_t *out = json_is_object(value) ? json_object() : json_array();
    json_object_foreach((json_t *)value, name, member)
        json_object_set_new(out, name, resolved(d, member));
    json_array_foreach(value, i, member) json_array_append_new(out, resolved(d, member));
    return out;
}

static void assert_drafts(const char *path, const char *type, const char *body, size_t len,
                          const char *expected)
{
    call c = take(path, "x.test", type, body, len);
    json_t *list = json_array();

    for (size_t i = 0; i < c.plan.errors.count; i++)
        fail_msg("%s: %s %s", body, c.plan.errors.list[i].pointer, c.plan.errors.list[i].detail);
    for (size_t i = 0; i < c.plan.count; i++) {
        const dialect_draft *d = &c.plan.drafts[i];
        if (d->errors.count)
            fail_msg("%s: %s %s", body, d->errors.list[0].pointer, d->errors.list[0].detail);
        json_array_append_new(list, resolved(c.document, d->message));
    }
    char *have = json_dumps(list, JSON_COMPACT | JSON_SORT_KEYS);
    json_t *wanted = json_loads(expected, 0, NULL);
    if (!wanted || !json_equal(list, wanted))
        fail_msg("%s:\n%s\nexpected:\n%s", body, have, expected);
    json_decref(wanted);
    json_decref(list);
    free(have);
    end(&c);
}

#define BECOMES(body, expected)                                                                    \
    assert_drafts(MESSAGES, URLENCODED, body, sizeof(body) - 1, expected)
#define FILES_BECOME(body, expected)                                                               \
    assert_drafts(MESSAGES, MULTIPART, body, sizeof(body) - 1, expected)
#define READY_BECOMES(type, body, expected)                                                        \
    assert_drafts(MIME, type, body, sizeof(body) - 1, expected)

/* What Mailgun would answer to the faults that were found. */
static void assert_refused(const char *path, const char *domain, const char *type, const char *body,
                           size_t len, unsigned status, const char *text)
{
    call c = take(path, domain, type, body, len);
    dialect_answer answer = {.content = BUF_INIT};
    faults all;

    faults_init(&all);
    for (size_t i = 0; i < c.plan.errors.count; i++)
        faults_add(&all, c.plan.errors.list[i].pointer, c.plan.errors.list[i].code, "%s",
                   c.plan.errors.list[i].detail);
    for (size_t i = 0; i < c.plan.count; i++) {
        const faults *f = &c.plan.drafts[i].errors;
        for (size_t k = 0; k < f->count; k++)
            faults_add(&all, f->list[k].pointer, f->list[k].code, "%s", f->list[k].detail);
    }
    if (all.count == 0)
        fail_msg("taken: %s", body);
    const dialect_refusal r = {.status = 422, .reason = "invalid", .detail = "No.", .errors = &all};
    dialect_mailgun.refused(&r, &answer);
    json_t *root = json_loadb(answer.content.data, answer.content.len, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(root, "message")), text);
    assert_int_equal(answer.status, status);
    json_decref(root);
    buf_free(&answer.content);
    faults_free(&all);
    end(&c);
}

#define REFUSED(body, text)                                                                        \
    assert_refused(MESSAGES, "x.test", URLENCODED, body, sizeof(body) - 1, 400, text)
#define FILES_REFUSED(body, text)                                                                  \
    assert_refused(MESSAGES, "x.test", MULTIPART, body, sizeof(body) - 1, 400, text)
#define READY_REFUSED(body, text)                                                                  \
    assert_refused(MIME, "x.test", URLENCODED, body, sizeof(body) - 1, 400, text)

/* ---- fields ---- */

static void a_mail_is_a_draft(void **state)
{
    (void)state;
    BECOMES(MAIL, "[{" DRAFT "}]");
    BECOMES("from=a@x.test&to=b@x.test,+%22C,+D%22+%3Cc@x.test%3E&to=d@x.test&cc=e@x.test&cc=f@x."
            "test&bcc=g@x.test&subject=s&html=%3Cp%3E&text=t",
            "[{\"from\":\"a@x.test\",\"to\":[\"b@x.test\",\"\\\"C, D\\\" "
            "<c@x.test>\",\"d@x.test\"],\"cc\":[\"e@x.test\",\"f@x.test\"],\"bcc\":[\"g@x.test\"],"
            "\"subject\":\"s\",\"html\":\"<p>\",\"text\":\"t\"}]");
    BECOMES(MAIL "html=&subject=&cc=&amp-html=x", "[{" DRAFT "}]");
    BECOMES(
        BASE "html=a+text+that+is+longer+than+what+stands+in+the+tree+and+so+is+lifted",
        "[{\"from\":\"A <a@x.test>\",\"to\":[\"b@x.test\"],\"html\":\"a text that is longer than "
        "what stands in the tree and so is lifted\"}]");
}

static void options_are_read(void **state)
{
    (void)state;
    BECOMES(MAIL "o:tag=a&o:tag=b&o:tag=&v:k=1&v:other=%7B%22a%22:1%7D",
            "[{" DRAFT
            ",\"tags\":[\"a\",\"b\"],\"metadata\":{\"k\":\"1\",\"other\":\"{\\\"a\\\":1}\"}}]");
    BECOMES(MAIL "o:deliverytime=Fri,+14+Oct+2011+23:10:10+%2B0200",
            "[{" DRAFT ",\"send_at\":1318626610}]");
    BECOMES(MAIL "o:deliverytime=1790000000", "[{" DRAFT ",\"send_at\":1790000000}]");
    BECOMES(MAIL "o:deliverytime=2026-12-01T10:00:00Z",
            "[{" DRAFT ",\"send_at\":\"2026-12-01T10:00:00Z\"}]");
    BECOMES(MAIL "o:tracking=yes&o:tracking-clicks=htmlonly&o:tracking-opens=no&o:dkim=yes&o:"
                 "require-tls=no&o:skip-verification=True&o:deliverytime-optimize-period=24h",
            "[{" DRAFT "}]");
}

static void test_mode_keeps_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        bool dry;
    } cases[] = {{MAIL "o:testmode=yes", true},
                 {MAIL "o:testmode=true", true},
                 {MAIL "o:testmode=no", false},
                 {MAIL "o:testmode=False", false},
                 {MAIL, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        call c = take(MESSAGES, "x.test", URLENCODED, cases[i].body, strlen(cases[i].body));
        assert_int_equal(c.plan.errors.total, 0);
        assert_int_equal(c.plan.dry, cases[i].dry);
        assert_false(c.plan.each);
        end(&c);
    }
}

static void headers_are_read(void **state)
{
    (void)state;
    BECOMES(MAIL "h:X-A=1&h:List-Id=%3Ca.b%3E&h:reply-to=r@x.test,+S+%3Cs@x.test%3E",
            "[{" DRAFT ",\"headers\":{\"X-A\":\"1\",\"List-Id\":\"<a.b>\"},\"reply_to\":[\"r@x."
            "test\",\"S <s@x.test>\"]}]");
    BECOMES(MAIL "h:X-Mailgun-Variables=%7B%22a%22:%22x%22,%22b%22:%5B1%5D%7D",
            "[{" DRAFT ",\"metadata\":{\"a\":\"x\",\"b\":\"[1]\"}}]");
}

static void templates_have_data(void **state)
{
    (void)state;
    BECOMES(
        BASE "template=welcome&t:text=yes&t:variables=%7B%22n%22:%7B%22m%22:1%7D,%22o%22:2%7D&v:o="
             "3&v:p=4",
        "[{\"from\":\"A <a@x.test>\",\"to\":[\"b@x.test\"],\"template\":\"welcome\","
        "\"data\":{\"n\":{\"m\":1},\"o\":2,\"p\":\"4\"},\"metadata\":{\"o\":\"3\",\"p\":\"4\"}}]");
    BECOMES(BASE "template=welcome",
            "[{\"from\":\"A <a@x.test>\",\"to\":[\"b@x.test\"],\"template\":"
            "\"welcome\"}]");
}

static void files_are_attachments(void **state)
{
    (void)state;
    FILES_BECOME(
        FIELD("from", "a@x.test") FIELD("to", "b@x.test") FIELD("text", "t")
            FILE("inline", "pic.png", "image/png", "\x89PNG")
                FILE("attachment", "\xE6\x8A\xA5.txt", "application/octet-stream", "hi")
                    FILE("attachment", "", "application/octet-stream", "")
                        FILE("attachment", "b.pdf", "application/pdf; x=y", "") END,
        "[{\"from\":\"a@x.test\",\"to\":[\"b@x.test\"],\"text\":\"t\",\"attachments\":["
        "{\"filename\":\"\xE6\x8A\xA5.txt\",\"content\":\"aGk=\\r\\n\"},"
        "{\"filename\":\"b.pdf\",\"content_type\":\"application/pdf; x=y\",\"content\":\"\"},"
        "{\"filename\":\"pic.png\",\"content_type\":\"image/png\",\"content\":\"iVBORw==\\r\\n\","
        "\"content_id\":\"pic.png\",\"disposition\":\"inline\"}]}]");
}

/* ---- a copy for each ---- */

#define VARIABLES(json) "&recipient-variables=" json

static void recipients_have_copies_of_their_own(void **state)
{
    (void)state;
    BECOMES("from=A+%3Ca@x.test%3E&text=t&to=b@x.test&to=c@x.test" VARIABLES("%7B%7D"),
            "[{" LETTER ",\"to\":[\"b@x.test\"]},{" LETTER ",\"to\":[\"c@x.test\"]}]");
    BECOMES(
        "from=a@x.test&to=Bo+B+Bee+%3Cb@x.test%3E,c@X.test&cc=d@x.test&o:tag=%25recipient.n%25&"
        "subject=%25recipient.n%25!&html=%25recipient_email%25+%25recipient%25+%25recipient_"
        "name%25+%25recipient_fname%25+%25recipient_lname%25+100%25+%25recipient+%25recipients%"
        "25&h:X-A=%25recipient.n%25&v:m=%25recipient.o%25&h:Reply-To=%25recipient.n%25@x."
        "test" VARIABLES(
            "%7B%22b@x.test%22:%7B%22n%22:%22N%22,%22o%22:1%7D,%22C@x.test%22:%7B%22n%22:"
            "%22%25recipient.o%25%22,%22o%22:%5Btrue%5D%7D%7D"),
        "[{\"from\":\"a@x.test\",\"to\":[\"Bo B Bee <b@x.test>\"],\"cc\":[\"d@x.test\"],"
        "\"tags\":[\"%recipient.n%\"],\"subject\":\"N!\",\"html\":\"b@x.test Bo B Bee <b@x.test> "
        "Bo B Bee Bo Bee 100% %recipient %recipients%\",\"headers\":{\"X-A\":\"N\"},\"metadata\":"
        "{\"m\":\"1\"},\"reply_to\":[\"N@x.test\"]},"
        "{\"from\":\"a@x.test\",\"to\":[\"c@X.test\"],\"cc\":[\"d@x.test\"],"
        "\"tags\":[\"%recipient.n%\"],\"subject\":\"%recipient.o%!\",\"html\":\"c@x.test c@X.test "
        "   100% %recipient %recipients%\",\"headers\":{\"X-A\":\"%recipient.o%\"},"
        "\"metadata\":{\"m\":\"[true]\"},\"reply_to\":[\"%recipient.o%@x.test\"]}]");
    BECOMES("from=A+%3Ca@x.test%3E&text=t&to=b@x.test,+B+%3Cb@x.test%3E" VARIABLES("%7B%7D"),
            "[{" LETTER ",\"to\":[\"b@x.test\"]}]");
    BECOMES(BASE "template=w&v:name=%25recipient.n%25&t:variables=%7B%22d%22:%5B%22%25recipient.n%"
                 "25%22%5D%7D" VARIABLES("%7B%22b@x.test%22:%7B%22n%22:%22N%22%7D%7D"),
            "[{\"from\":\"A <a@x.test>\",\"to\":[\"b@x.test\"],\"template\":\"w\",\"metadata\":"
            "{\"name\":\"N\"},\"data\":{\"name\":\"N\",\"d\":[\"N\"]}}]");
    BECOMES(BASE "text=%25recipient.n%25",
            "[{\"from\":\"A <a@x.test>\",\"to\":[\"b@x.test\"],\"text\":"
            "\"%recipient.n%\"}]");
}

static void a_value_that_is_not_there_is_told(void **state)
{
    (void)state;
    REFUSED(BASE "text=%25recipient.name%25" VARIABLES("%7B%22z@x.test%22:%7B%22name%22:1%7D%7D"),
            "text parameter: recipient-variables have no \"name\" for b@x.test.");
    REFUSED(BASE "text=t&v:k=%25recipient.name%25" VARIABLES("%7B%7D"),
            "v:k parameter: recipient-variables have no \"name\" for b@x.test.");
}

/* Long names that stand for nothing: what is gone through is bounded, too. */
static void what_makes_nothing_is_bounded(void **state)
{
    (void)state;
    buf body = BUF_INIT;
    char name[101];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    buf_adds(&body, "from=a@x.test&text=t");
    for (size_t i = 0; i < 2700; i++)
        buf_addf(&body, "%%25recipient.%s%%25", name);
    buf_adds(&body, "&recipient-variables=%7B");
    for (size_t i = 0; i < 500; i++)
        buf_addf(&body, "%s\"r%zu@x.test\":%%7B\"%s\":\"\"%%7D", i ? "," : "", i, name);
    buf_adds(&body, "%7D");
    for (size_t i = 0; i < 500; i++)
        buf_addf(&body, "&to=r%zu@x.test", i);
    assert_refused(MESSAGES, "x.test", URLENCODED, body.data, body.len, 400,
                   "recipient-variables parameter: What they make of this request has more than 64 "
                   "MiB; send to fewer at a time.");
    buf_free(&body);
}

static void what_variables_make_is_bounded(void **state)
{
    (void)state;
    buf body = BUF_INIT;
    buf_adds(&body, "from=a@x.test&text=%25recipient_email%25");
    for (size_t i = 0; i < 200000; i++)
        buf_addc(&body, 'x');
    for (size_t i = 0; i < 1000; i++)
        buf_addf(&body, "&to=r%zu@x.test", i);
    buf_adds(&body, VARIABLES("%7B%7D"));
    assert_refused(MESSAGES, "x.test", URLENCODED, body.data, body.len, 400,
                   "recipient-variables parameter: What they make of this request has more than 64 "
                   "MiB; send to fewer at a time.");
    buf_free(&body);
}

static void what_is_made_is_told_for_the_budget(void **state)
{
    (void)state;
    static const char body[] = BASE "to=c@x.test&text=to+%25recipient%25" VARIABLES("%7B%7D");
    call c = take(MESSAGES, "x.test", URLENCODED, body, sizeof body - 1);
    assert_int_equal(c.plan.count, 2);
    assert_int_equal(c.plan.made, 2 * strlen("to b@x.test") + strlen("{}") + plain_weight("{}", 2));
    end(&c);
}

/* One copy of a template's data for each of a thousand, if it has a mark; none if it hasn't. */
static void what_copies_have_is_bounded(void **state)
{
    static const char *const values[] = {"%22x%22", "%22%25recipient_email%25%22"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        buf body = BUF_INIT;
        buf_adds(&body, "from=a@x.test&template=t&t:variables=%7B%22a%22:%5B0");
        for (size_t k = 0; k < 2000; k++)
            buf_adds(&body, ",0");
        buf_addf(&body, ",%s%%5D%%7D", values[i]);
        for (size_t k = 0; k < 1000; k++)
            buf_addf(&body, "&to=r%zu@x.test", k);
        buf_adds(&body, VARIABLES("%7B%7D"));
        call c = take(MESSAGES, "x.test", URLENCODED, body.data, body.len);
        assert_int_equal(c.plan.count, i == 0 ? 1000 : 0);
        if (i == 0)
            assert_ptr_equal(json_object_get(c.plan.drafts[0].message, "data"),
                             json_object_get(c.plan.drafts[999].message, "data"));
        else
            assert_string_equal(c.plan.errors.list[0].code, "too_large");
        end(&c);
        buf_free(&body);
    }
}

static void fields_of_json_are_bounded(void **state)
{
    (void)state;
    buf body = BUF_INIT;
    buf_adds(&body, MAIL "recipient-variables=%7B%22a%22:%5B0");
    for (size_t i = 0; i < 1000000; i++)
        buf_adds(&body, ",0");
    buf_adds(&body, "%5D%7D");
    assert_refused(MESSAGES, "x.test", URLENCODED, body.data, body.len, 400,
                   "recipient-variables parameter: It has too many values.");
    buf_free(&body);
}

/* ---- a message that is ready ---- */

static void a_ready_message_is_a_draft(void **state)
{
    (void)state;
    READY_BECOMES(
        URLENCODED, "to=b@x.test&to=c@x.test&message=From:+a@x.test%0A%0Ax&o:tag=t",
        "[{\"to\":[\"b@x.test\",\"c@x.test\"],\"mime\":\"From: a@x.test\\n\\nx\",\"tags\":"
        "[\"t\"]}]");
    READY_BECOMES(MULTIPART,
                  FIELD("to", "b@x.test")
                      FILE("message", "MimeMessage", "application/octet-stream", "From: a@x") END,
                  "[{\"to\":[\"b@x.test\"],\"mime\":\"RnJvbTogYUB4\\r\\n\"}]");
}

static void a_ready_message_is_not_changed(void **state)
{
    (void)state;
    READY_REFUSED("to=b@x.test", "message parameter is missing");
    READY_REFUSED("message=x", "to parameter is missing");
    READY_REFUSED("to=b@x.test&message=x&message=y", "message parameter: It may be given once.");
    READY_REFUSED("to=b@x.test&message=x&h:X-A=1",
                  "h:X-A parameter: A message that is ready is sent as it is.");
    READY_REFUSED("to=b@x.test&message=x&recipient-variables=%7B%7D",
                  "recipient-variables parameter: A message that is ready is sent as it is.");
    READY_REFUSED("to=b@x.test&message=x&subject=s",
                  "subject parameter: There is no such member; is it a typo?");
}

/* ---- faults ---- */

static void faults_are_told_in_mailguns_words(void **state)
{
    (void)state;
    REFUSED("to=b@x.test&text=t", "from parameter is missing");
    REFUSED("from=&to=b@x.test&text=t", "from parameter is missing");
    REFUSED("from=a@x.test&text=t", "to parameter is missing");
    REFUSED("from=a@x.test&to=+,&text=t", "to parameter is missing");
    REFUSED(BASE, "Need at least one of 'text' or 'html' parameters specified");
    REFUSED(BASE "text=&html=", "Need at least one of 'text' or 'html' parameters specified");
    REFUSED("text=t", "from parameter is missing (and 1 more)");
    REFUSED(MAIL "from=b@x.test", "from parameter: It may be given once.");
    REFUSED(MAIL "o:typo=1", "o:typo parameter: There is no such member; is it a typo?");
    REFUSED(MAIL "o:testmode=perhaps", "o:testmode parameter: Must be yes or no.");
    REFUSED(MAIL "o:deliverytime=tomorrow",
            "o:deliverytime parameter: Must be a date such as Fri, 14 Oct 2026 23:10:10 +0200 (RFC "
            "2822).");
    REFUSED(MAIL "t:variables=%5B1%5D", "t:variables parameter: Must be a JSON object.");
    REFUSED(MAIL "recipient-variables=%7B%22a%22:%22%5Cu0000%22%7D",
            "recipient-variables parameter: Must be a JSON object.");
    REFUSED(MAIL "recipient-variables=%7B%22a%22:1,%22a%22:2%7D",
            "recipient-variables parameter: Must be a JSON object.");
    REFUSED("from=a@x.test&to=nobody&text=t&recipient-variables=%7B%7D",
            "to parameter is not a valid address. please check documentation (Not a valid address: "
            "it has no @.)");
    REFUSED(MAIL "attachment=text", "'attachment' parameter is not a file");
    FILES_REFUSED(FIELD("from", "a@x.test") FIELD("to", "b@x.test")
                      FILE("text", "t.txt", "text/plain", "t") END,
                  "text parameter: Must be a string, not an object.");
    REFUSED(MAIL "h:X-A=1&h:X-A=2", "h:X-A parameter: It may be given once.");
    REFUSED(MAIL "h:Reply-To=a@x.test&h:reply-to=b@x.test",
            "h:reply-to parameter: It may be given once.");
}

static void what_cant_be_done_is_refused(void **state)
{
    (void)state;
    REFUSED(MAIL "o:require-tls=yes",
            "o:require-tls parameter: How mail goes on behind the relay isn't known here; to the "
            "relay, POSTERN_RELAY says it.");
    REFUSED(MAIL "o:time-zone-localize=10:00",
            "o:time-zone-localize parameter: Nobody's time zone is known here: it would go out at "
            "another hour. Use o:deliverytime.");
    REFUSED(MAIL "t:version=v2", "t:version parameter: Templates have no versions here.");
    REFUSED(BASE "html=%25unsubscribe_url%25",
            "html parameter: %unsubscribe_url% is not made here: name a link of your own.");
}

static void sizes_are_bounded(void **state)
{
    (void)state;
    buf body = BUF_INIT;
    buf_adds(&body, MAIL "v:k=");
    for (size_t i = 0; i < 16384; i++)
        buf_addc(&body, 'x');
    assert_refused(MESSAGES, "x.test", URLENCODED, body.data, body.len, 400,
                   "Send options (parameters starting with o:, h:, or v:) are limited to 16 kB "
                   "total");
    buf_clear(&body);
    buf_adds(&body, "from=a@x.test&text=t&to=");
    for (size_t i = 0; i <= 1000; i++)
        buf_addf(&body, "r%zu@x.test,", i);
    assert_refused(MESSAGES, "x.test", URLENCODED, body.data, body.len, 400,
                   "Too many recipients; max is 1000");
    buf_free(&body);
}

static void a_domain_that_is_none_is_not_found(void **state)
{
    (void)state;
    static const char body[] = MAIL;
    assert_refused(MESSAGES, "no domain", URLENCODED, body, sizeof body - 1, 404,
                   "Domain not found: no domain");
    assert_refused(MIME, "", URLENCODED, "to=b@x.test&message=x", 21, 404, "Domain not found: ");
}

/* ---- places and answers ---- */

static void places_of_drafts_are_places_of_the_body(void **state)
{
    (void)state;
    static const struct {
        const char *draft, *body;
    } cases[] = {
        {"", ""},
        {"/to/3", "/to"},
        {"/from", "/from"},
        {"/headers/X-A", "/h:X-A"},
        {"/metadata/a~1b", "/v:a~1b"},
        {"/tags/2", "/o:tag/2"},
        {"/send_at", "/o:deliverytime"},
        {"/reply_to/0", "/h:Reply-To"},
        {"/mime", "/message"},
        {"/data", "/t:variables"},
        {"/attachments/0/filename", "/attachment/0"},
        {"/attachments/1/content_id", "/inline/0"},
    };
    static const char body[] = FIELD("from", "a@x.test") FIELD("to", "b@x.test") FIELD("text", "t")
        FILE("inline", "i", "a/b", "") FILE("attachment", "a", "a/b", "") END;
    call c = take(MESSAGES, "x.test", MULTIPART, body, sizeof body - 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[FAULTS_POINTER_MAX] = "";
        c.endpoint->origin(&c.body, 0, cases[i].draft, out);
        assert_string_equal(out, cases[i].body);
    }
    end(&c);
}

static void assert_answer(dialect_answer *a, unsigned status, const char *content)
{
    assert_int_equal(a->status, status);
    assert_string_equal(a->content_type, "application/json");
    assert_string_equal(buf_cstr(&a->content), content);
    buf_free(&a->content);
}

static void success_has_the_first_id(void **state)
{
    (void)state;
    static const char *const nobody[] = {"s@x.test", "t@x.test"};
    const dialect_refusal refusal = {.status = 422, .reason = "suppressed"};
    const dialect_sent list[] = {
        {.refusal = &refusal, .suppressed = nobody, .suppressed_count = 1},
        {.id = "1", .message_id = "<1@x.test>"},
        {.id = "2", .message_id = "<2@x.test>", .suppressed = nobody, .suppressed_count = 2},
    };
    dialect_answer a = {.content = BUF_INIT};
    const dialect_endpoint *e = dialect_mailgun.endpoints;
    e->accepted(NULL, list + 1, 1, false, &a);
    assert_answer(&a, 200, "{\"id\":\"<1@x.test>\",\"message\":\"Queued. Thank you.\"}\n");
    e->accepted(NULL, list, 3, false, &a);
    assert_answer(&a, 200,
                  "{\"id\":\"<1@x.test>\",\"message\":\"Queued. Thank you. Nothing is sent to "
                  "suppressed addresses: s@x.test, s@x.test, t@x.test\"}\n");
}

static void refusals_are_mailguns(void **state)
{
    (void)state;
    static const char *const nobody[] = {"s@x.test"};
    faults from;
    faults_init(&from);
    faults_add(&from, "/from", "sender_forbidden", "POSTERN_FROM does not allow this sender.");
    const struct {
        dialect_refusal r;
        unsigned status;
        const char *content;
    } cases[] = {
        {{.status = 401, .reason = "unauthorized", .detail = "Send one of …"},
         401,
         "{\"message\":\"Invalid private key\"}\n"},
        {{.status = 403, .reason = "sender-forbidden", .detail = "No.", .errors = &from},
         404,
         "{\"message\":\"Domain not found: POSTERN_FROM does not allow this sender.\"}\n"},
        {{.status = 422,
          .reason = "suppressed",
          .detail = "All.",
          .suppressed = nobody,
          .suppressed_count = 1},
         400,
         "{\"message\":\"Nothing is sent to suppressed addresses: s@x.test\"}\n"},
        {{.status = 422, .reason = "refused", .detail = "550 \"no\""},
         400,
         "{\"message\":\"550 \\\"no\\\"\"}\n"},
        {{.status = 413, .reason = "too-large", .detail = "Too much."},
         413,
         "{\"message\":\"Too much.\"}\n"},
        {{.status = 415, .reason = "media-type", .detail = "Type."},
         415,
         "{\"message\":\"Type.\"}\n"},
        {{.status = 503, .reason = "busy", .detail = "Later."}, 503, "{\"message\":\"Later.\"}\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dialect_answer a = {.content = BUF_INIT};
        dialect_mailgun.refused(&cases[i].r, &a);
        assert_answer(&a, cases[i].status, cases[i].content);
    }
    faults_free(&from);
}

/* ---- dates ---- */

static void dates_of_mail_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {
        {"Thu, 01 Jan 1970 00:00:00 +0000", 0},
        {"1 Jan 1970 00:00 GMT", 0},
        {"Fri, 14 Oct 2011 23:10:10 -0000", 1318633810},
        {"Fri, 14 Oct 2011 23:10:10 GMT", 1318633810},
        {"  fri ,14 oct 2011  23:10:10 UTC (here) ", 1318633810},
        {"Fri, 14 Oct 2011 18:10:10 EST", 1318633810},
        {"Sat, 15 Oct 2011 04:40:10 +0530", 1318633810},
        {"29 Feb 2024 23:59:60 +0000", 1709251200},
        {"31 Dec 9999 23:59:59 +0000", INT64_C(253402300799)},
    };
    static const char *const none[] = {
        "",
        "Fri",
        "Fri,",
        "14 Oct 2011",
        "14 Oct 2011 23:10:10",
        "14 Oct 11 23:10:10 GMT",
        "30 Feb 2011 23:10:10 GMT",
        "29 Feb 2023 23:10:10 GMT",
        "0 Oct 2011 23:10:10 GMT",
        "14 Okt 2011 23:10:10 GMT",
        "14 Oct 2011 24:10:10 GMT",
        "14 Oct 2011 23:60:10 GMT",
        "14 Oct 2011 23:10:61 GMT",
        "14 Oct 2011 23:10:10 +02:00",
        "14 Oct 2011 23:10:10 +200",
        "14 Oct 2011 23:10:10 +00000",
        "14 Oct 2011 23:10:10 +2400",
        "14 Oct 2011 23:10:10 XYZ",
        "14 Oct 2011 23:10:10 GMT x",
        "14 Oct 2011 23:10:10 GMT (",
        "14 Oct 20111 23:10:10 GMT",
        "31 Dec 1969 23:59:59 +0000",
        "1 Jan 1970 00:00:00 +0100",
        "14 October 2011 23:10:10 GMT",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t have = -1;
        if (!mail_date_parse(cases[i].text, strlen(cases[i].text), &have))
            fail_msg("refused: %s", cases[i].text);
        assert_int_equal(have, cases[i].seconds);
    }
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        int64_t have;
        if (mail_date_parse(none[i], strlen(none[i]), &have))
            fail_msg("taken: %s", none[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mail_is_a_draft),
        cmocka_unit_test(options_are_read),
        cmocka_unit_test(test_mode_keeps_nothing),
        cmocka_unit_test(headers_are_read),
        cmocka_unit_test(templates_have_data),
        cmocka_unit_test(files_are_attachments),
        cmocka_unit_test(recipients_have_copies_of_their_own),
        cmocka_unit_test(a_value_that_is_not_there_is_told),
        cmocka_unit_test(what_variables_make_is_bounded),
        cmocka_unit_test(what_makes_nothing_is_bounded),
        cmocka_unit_test(what_is_made_is_told_for_the_budget),
        cmocka_unit_test(what_copies_have_is_bounded),
        cmocka_unit_test(fields_of_json_are_bounded),
        cmocka_unit_test(a_ready_message_is_a_draft),
        cmocka_unit_test(a_ready_message_is_not_changed),
        cmocka_unit_test(faults_are_told_in_mailguns_words),
        cmocka_unit_test(what_cant_be_done_is_refused),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(a_domain_that_is_none_is_not_found),
        cmocka_unit_test(places_of_drafts_are_places_of_the_body),
        cmocka_unit_test(success_has_the_first_id),
        cmocka_unit_test(refusals_are_mailguns),
        cmocka_unit_test(dates_of_mail_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
