/* SendGrid's dialect: what a body becomes, what is wrong with one, and what is answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/dialect_twin.h"

#define SEND "/v3/mail/send"

/* A body, in which each of these members wins over a usual mail's. null takes one away. */
static json_t *mail(const char *members, const char *personalization)
{
    json_t *root = twin_json("{\"personalizations\": [{\"to\": [{\"email\": \"a@x.test\"}]}],"
                             "\"from\": {\"email\": \"me@x.test\"}, \"subject\": \"s\","
                             "\"content\": [{\"type\": \"text/plain\", \"value\": \"t\"}]}");
    json_t *more = twin_json(members), *own = twin_json(personalization);
    const char *name;
    json_t *value;

    assert_int_equal(
        json_object_update(json_array_get(json_object_get(root, "personalizations"), 0), own), 0);
    json_object_foreach(more, name, value)
    {
        if (json_is_null(value))
            (void)json_object_del(root, name);
        else
            assert_int_equal(json_object_set(root, name, value), 0);
    }
    json_decref(more);
    json_decref(own);
    return root;
}

static void assert_drafts(json_t *root, const char *expected)
{
    twin t = twin_read(&dialect_sendgrid, SEND, root);
    json_t *wanted = twin_json(expected), *found = twin_drafts(&t);
    char *errors = twin_faults(&t), *a = json_dumps(found, JSON_SORT_KEYS | JSON_INDENT(1)),
         *b = json_dumps(wanted, JSON_SORT_KEYS | JSON_INDENT(1));
    assert_null(errors && *errors ? errors : NULL);
    assert_string_equal(a, b);
    assert_false(t.plan.each);
    assert_false(t.plan.nomem);
    free(errors);
    free(a);
    free(b);
    json_decref(wanted);
    json_decref(found);
    twin_end(&t);
}

/* What a usual draft has, with more members. */
static void assert_one(json_t *root, const char *more)
{
    json_t *wanted = twin_json("{\"to\": [{\"email\": \"a@x.test\"}], \"from\": {\"email\": "
                               "\"me@x.test\"}, \"subject\": \"s\", \"text\": \"t\"}");
    json_t *other = twin_json(more);
    const char *name;
    json_t *value;
    json_object_foreach(other, name, value)
    {
        if (json_is_null(value))
            (void)json_object_del(wanted, name);
        else
            assert_int_equal(json_object_set(wanted, name, value), 0);
    }
    char *text = json_dumps(wanted, 0), *list = NULL;
    assert_true(asprintf(&list, "[%s]", text) > 0);
    assert_drafts(root, list);
    free(text);
    free(list);
    json_decref(other);
    json_decref(wanted);
}

static void assert_faults(json_t *root, const char *expected)
{
    twin t = twin_read(&dialect_sendgrid, SEND, root);
    char *found = twin_faults(&t);
    assert_string_equal(found ? found : "", expected);
    for (size_t i = 0; i < t.plan.count; i++)
        assert_int_equal(t.plan.drafts[i].message == NULL, t.plan.drafts[i].errors.total > 0);
    free(found);
    twin_end(&t);
}

/* ---- what is honoured ---- */

static void a_body_as_the_sdk_sends_it(void **state)
{
    (void)state;
    assert_drafts(
        twin_json(
            "{\"from\":{\"email\":\"me@x.test\",\"name\":\"Me\"},\"subject\":\"s\","
            "\"personalizations\":[{\"to\":[{\"email\":\"a@x.test\",\"name\":\"A\"},{\"email\":"
            "\"b@x.test\",\"name\":\"B\"}],\"cc\":[{\"email\":\"c@x.test\"}]}],\"attachments\":[{"
            "\"content\":\"SGk=\",\"filename\":\"报告.pdf\",\"type\":\"application/pdf\","
            "\"disposition\":\"inline\",\"contentId\":\"cid1\"}],\"categories\":[\"c1\"],"
            "\"content\":[{\"value\":\"t\",\"type\":\"text/plain\"},{\"value\":\"<p>h</p>\","
            "\"type\":\"text/html\"}],\"headers\":{\"X-Foo\":\"bar\"},\"mail_settings\":{"
            "\"sandbox_mode\":{\"enable\":false}},\"custom_args\":{\"k\":1},\"reply_to\":{"
            "\"email\":\"rt@x.test\"},\"send_at\":1790000060}"),
        "[{\"from\":{\"email\":\"me@x.test\",\"name\":\"Me\"},\"to\":[{\"email\":\"a@x.test\","
        "\"name\":\"A\"},{\"email\":\"b@x.test\",\"name\":\"B\"}],\"cc\":[{\"email\":\"c@x.test\"}]"
        ",\"reply_to\":{\"email\":\"rt@x.test\"},\"subject\":\"s\",\"text\":\"t\",\"html\":"
        "\"<p>h</p>\",\"attachments\":[{\"content\":\"SGk=\",\"filename\":\"报告.pdf\","
        "\"content_type\":\"application/pdf\",\"disposition\":\"inline\",\"content_id\":\"cid1\"}]"
        ",\"tags\":[\"c1\"],\"headers\":{\"X-Foo\":\"bar\"},\"metadata\":{\"k\":\"1\"},"
        "\"send_at\":1790000060}]");
}

static void members_of_the_whole(void **state)
{
    static const struct {
        const char *members, *draft;
    } cases[] = {
        {"{}", "{}"},
        {"{\"reply_to\": {\"email\": \"r@x.test\", \"name\": \"R\"}}",
         "{\"reply_to\": {\"email\": \"r@x.test\", \"name\": \"R\"}}"},
        {"{\"reply_to_list\": [{\"email\": \"r@x.test\"}, {\"email\": \"q@x.test\"}]}",
         "{\"reply_to\": [{\"email\": \"r@x.test\"}, {\"email\": \"q@x.test\"}]}"},
        {"{\"reply_to_list\": []}", "{}"},
        {"{\"content\": [{\"type\": \"TEXT/HTML\", \"value\": \"<p>\"}]}",
         "{\"text\": null, \"html\": \"<p>\"}"},
        {"{\"attachments\": []}", "{\"attachments\": []}"},
        {"{\"attachments\": [{\"content\": \"QQ==\", \"filename\": \"\", \"name\": \"n\"}]}",
         "{\"attachments\": [{\"content\": \"QQ==\"}]}"},
        {"{\"attachments\": [{\"content\": \"QQ==\", \"filename\": \"f\", \"content_id\": \"c\"}]}",
         "{\"attachments\": [{\"content\": \"QQ==\", \"filename\": \"f\", \"content_id\": \"c\", "
         "\"disposition\": \"attachment\"}]}"},
        {"{\"attachments\": [{\"content\": \"QQ==\", \"filename\": \"f\", \"content_id\": \"c\", "
         "\"contentId\": \"c\", \"disposition\": \"inline\"}]}",
         "{\"attachments\": [{\"content\": \"QQ==\", \"filename\": \"f\", \"content_id\": \"c\", "
         "\"disposition\": \"inline\"}]}"},
        {"{\"template_id\": \"d-1\"}",
         "{\"template\": \"d-1\", \"subject\": null, \"text\": null}"},
        {"{\"template_id\": \"d-1\", \"subject\": null, \"content\": null}",
         "{\"template\": \"d-1\", \"subject\": null, \"text\": null}"},
        {"{\"headers\": {\"X-A\": \"1\"}}", "{\"headers\": {\"X-A\": \"1\"}}"},
        {"{\"categories\": [\"a\", \"b\"]}", "{\"tags\": [\"a\", \"b\"]}"},
        {"{\"custom_args\": {\"s\": \"x\", \"i\": -7, \"r\": 0.1, \"t\": true, \"f\": false, "
         "\"n\": "
         "null}}",
         "{\"metadata\": {\"s\": \"x\", \"i\": \"-7\", \"r\": \"0.1\", \"t\": \"true\", \"f\": "
         "\"false\"}}"},
        {"{\"custom_args\": \"{\\\"a\\\": 1}\"}", "{\"metadata\": {\"a\": \"1\"}}"},
        {"{\"batch_id\": \"b1\"}", "{\"metadata\": {\"batch_id\": \"b1\"}}"},
        {"{\"batch_id\": \"b1\", \"custom_args\": {\"batch_id\": \"mine\"}}",
         "{\"metadata\": {\"batch_id\": \"mine\"}}"},
        {"{\"send_at\": 5}", "{\"send_at\": 5}"},
        {"{\"send_at\": 1790259200}", "{\"send_at\": 1790259200}"},
        {"{\"asm\": {\"group_id\": 12, \"groups_to_display\": [12, 13]}}",
         "{\"list\": \"group-12\"}"},
        {"{\"ip_pool_name\": \"pool\"}", "{}"},
        {"{\"mail_settings\": {\"bypass_list_management\": {\"enable\": true}, "
         "\"bypass_spam_management\": {\"enable\": true}, \"bypass_bounce_management\": "
         "{\"enable\":"
         " true}, \"bypass_unsubscribe_management\": {\"enable\": true}, \"bcc\": {\"enable\": "
         "false}, \"spam_check\": {\"enable\": false, \"threshold\": 1}}}",
         "{}"},
        {"{\"mail_settings\": {\"footer\": {\"enable\": true, \"text\": \" -- \", \"html\": "
         "\"<hr>\"}}}",
         "{\"text\": \"t -- \"}"},
        {"{\"mail_settings\": {\"footer\": {\"enable\": false, \"text\": \" -- \"}}}", "{}"},
        {"{\"mail_settings\": {\"footer\": {\"enable\": true, \"html\": \"<hr>\"}}, \"content\": "
         "[{\"type\": \"text/html\", \"value\": \"<body></body><p></BODY></html>\"}]}",
         "{\"text\": null, \"html\": \"<body></body><p><hr></BODY></html>\"}"},
        {"{\"mail_settings\": {\"footer\": {\"enable\": true, \"html\": \"<hr>\"}}, \"content\": "
         "[{\"type\": \"text/html\", \"value\": \"<p>\"}]}",
         "{\"text\": null, \"html\": \"<p><hr>\"}"},
        {"{\"tracking_settings\": {\"click_tracking\": {\"enable\": true, \"enable_text\": true}, "
         "\"open_tracking\": {\"enable\": true}, \"ganalytics\": {\"enable\": true}, "
         "\"subscription_tracking\": {\"enable\": false}}}",
         "{}"},
        {"{\"sections\": {\"t\": \"section\"}}", "{\"text\": \"section\"}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_one(mail(cases[i].members, "{}"), cases[i].draft);
}

static void members_of_a_personalization(void **state)
{
    static const struct {
        const char *members, *own, *draft;
    } cases[] = {
        {"{}", "{\"cc\": [{\"email\": \"c@x.test\"}], \"bcc\": [{\"email\": \"d@x.test\"}]}",
         "{\"cc\": [{\"email\": \"c@x.test\"}], \"bcc\": [{\"email\": \"d@x.test\"}]}"},
        {"{}", "{\"cc\": [], \"bcc\": null}", "{\"cc\": []}"},
        {"{}", "{\"from\": {\"email\": \"other@x.test\", \"name\": \"O\"}}",
         "{\"from\": {\"email\": \"other@x.test\", \"name\": \"O\"}}"},
        {"{}", "{\"subject\": \"mine\"}", "{\"subject\": \"mine\"}"},
        {"{\"subject\": null}", "{\"subject\": \"mine\"}", "{\"subject\": \"mine\"}"},
        {"{\"headers\": {\"X-A\": \"1\", \"X-B\": \"2\"}}",
         "{\"headers\": {\"x-a\": \"3\", \"X-C\": \"4\"}}",
         "{\"headers\": {\"x-a\": \"3\", \"X-B\": \"2\", \"X-C\": \"4\"}}"},
        {"{}", "{\"headers\": {\"X-C\": \"4\"}}", "{\"headers\": {\"X-C\": \"4\"}}"},
        {"{\"custom_args\": {\"a\": 1, \"b\": 2}}",
         "{\"custom_args\": {\"a\": true, \"c\": \"3\"}}",
         "{\"metadata\": {\"a\": \"true\", \"b\": \"2\", \"c\": \"3\"}}"},
        {"{\"send_at\": 1790000100}", "{\"send_at\": 1790000200}", "{\"send_at\": 1790000200}"},
        {"{\"template_id\": \"d-1\"}", "{\"dynamic_template_data\": {\"n\": [1]}}",
         "{\"template\": \"d-1\", \"data\": {\"n\": [1]}, \"subject\": null, \"text\": null}"},
        {"{\"subject\": \"Hi {{n}}\", \"content\": [{\"type\": \"text/plain\", \"value\": \"{{n}} "
         "{{m}}\"}, {\"type\": \"text/html\", \"value\": \"<b>{{n}}</b>\"}], \"reply_to\": "
         "{\"email\": \"{{n}}@x.test\", \"name\": \"To {{n}}\"}}",
         "{\"substitutions\": {\"{{n}}\": \"Ann\", \"{{m}}\": null}}",
         "{\"subject\": \"Hi Ann\", \"text\": \"Ann \", \"html\": \"<b>Ann</b>\", \"reply_to\": "
         "{\"email\": \"Ann@x.test\", \"name\": \"To Ann\"}}"},
        {"{\"reply_to_list\": [{\"email\": \"{{n}}@x.test\"}, {\"email\": \"b@x.test\"}]}",
         "{\"subject\": \"Hi {{n}}\", \"substitutions\": {\"{{n}}\": \"Ann\"}}",
         "{\"subject\": \"Hi Ann\", \"reply_to\": [{\"email\": \"Ann@x.test\"}, {\"email\": "
         "\"b@x.test\"}]}"},
        {"{\"sections\": {\"-mr-\": \"Mr. -n-\"}, \"content\": [{\"type\": \"text/plain\", "
         "\"value\": \"Dear -greet-\"}]}",
         "{\"substitutions\": {\"-greet-\": \"-mr-\", \"-n-\": \"Li\"}}",
         "{\"text\": \"Dear Mr. Li\"}"},
        {"{}", "{\"substitutions\": {}}", "{}"},
        {"{}", "{\"categories\": null}", "{}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_one(mail(cases[i].members, cases[i].own), cases[i].draft);
}

static void each_personalization_is_a_mail_of_its_own(void **state)
{
    (void)state;
    assert_drafts(
        mail("{\"personalizations\": ["
             "{\"to\": [{\"email\": \"a@x.test\"}], \"substitutions\": {\"t\": \"A\"}},"
             "{\"to\": [{\"email\": \"b@x.test\"}], \"custom_args\": {\"k\": \"v\"}},"
             "{\"to\": [{\"email\": \"c@x.test\"}], \"from\": {\"email\": \"you@x.test\"}, "
             "\"subject\": \"own\"}]}",
             "{}"),
        "[{\"to\": [{\"email\": \"a@x.test\"}], \"from\": {\"email\": \"me@x.test\"}, \"subject\": "
        "\"s\", \"text\": \"A\"},"
        "{\"to\": [{\"email\": \"b@x.test\"}], \"from\": {\"email\": \"me@x.test\"}, \"subject\": "
        "\"s\", \"text\": \"t\", \"metadata\": {\"k\": \"v\"}},"
        "{\"to\": [{\"email\": \"c@x.test\"}], \"from\": {\"email\": \"you@x.test\"}, \"subject\": "
        "\"own\", \"text\": \"t\"}]");
}

static void a_sandboxed_mail_is_a_dry_one(void **state)
{
    (void)state;
    for (int on = 0; on < 2; on++) {
        twin t = twin_read(&dialect_sendgrid, SEND,
                           mail(on ? "{\"mail_settings\": {\"sandbox_mode\": {\"enable\": true}}}"
                                   : "{\"mail_settings\": {\"sandbox_mode\": {}}}",
                                "{}"));
        assert_int_equal(t.plan.dry, on);
        assert_int_equal(t.plan.count, 1);
        assert_int_equal(t.plan.errors.total, 0);
        twin_end(&t);
    }
}

/* ---- what is wrong ---- */

#define P "/personalizations/0"

static void faults_are_told_where_they_are(void **state)
{
    static const struct {
        const char *members, *own, *faults;
    } cases[] = {
        {"{\"nothing\": 1}", "{}", "/nothing unknown_member"},
        {"{}", "{\"nothing\": 1}", P "/nothing unknown_member"},
        {"{\"from\": null}", "{}", "/from required"},
        {"{\"from\": \"me@x.test\"}", "{}", "/from wrong_type"},
        {"{\"subject\": null}", "{}", "/subject required"},
        {"{\"subject\": \"\"}", "{}", "/subject empty"},
        {"{\"subject\": 1}", "{}", "/subject wrong_type"},
        {"{\"subject\": \"a\\u0000\"}", "{}", "/subject nul"},
        {"{}", "{\"subject\": \"\"}", P "/subject empty"},
        {"{\"content\": null}", "{}", "/content required"},
        {"{\"content\": []}", "{}", "/content required"},
        {"{\"content\": \"t\"}", "{}", "/content wrong_type; /content required"},
        {"{\"content\": [1]}", "{}", "/content/0 wrong_type"},
        {"{\"content\": [{}]}", "{}", "/content/0/type required"},
        {"{\"content\": [{\"type\": 1}]}", "{}", "/content/0/type wrong_type"},
        {"{\"content\": [{\"type\": \"text/calendar\", \"value\": \"x\"}]}", "{}",
         "/content/0/type unsupported"},
        {"{\"content\": [{\"type\": \"text/html; charset=utf-8\", \"value\": \"x\"}]}", "{}",
         "/content/0/type unsupported"},
        {"{\"content\": [{\"type\": \"text/plain\"}]}", "{}", "/content/0/value required"},
        {"{\"content\": [{\"type\": \"text/plain\", \"value\": \"\"}]}", "{}",
         "/content/0/value empty"},
        {"{\"content\": [{\"type\": \"text/plain\", \"value\": \"x\", \"more\": 1}]}", "{}",
         "/content/0/more unknown_member"},
        {"{\"content\": [{\"type\": \"text/html\", \"value\": \"h\"}, {\"type\": \"text/plain\", "
         "\"value\": \"t\"}]}",
         "{}", "/content/1 order"},
        {"{\"content\": [{\"type\": \"text/plain\", \"value\": \"h\"}, {\"type\": \"text/plain\", "
         "\"value\": \"t\"}]}",
         "{}", "/content/1 twice"},
        {"{\"reply_to\": \"a@x.test\"}", "{}", "/reply_to wrong_type"},
        {"{\"reply_to_list\": {\"email\": \"a@x.test\"}}", "{}", "/reply_to_list wrong_type"},
        {"{\"reply_to_list\": [{\"email\": \"a@x.test\"}, 1]}", "{}",
         "/reply_to_list/1 wrong_type"},
        {"{\"reply_to\": {\"email\": \"a@x.test\"}, \"reply_to_list\": [{\"email\": "
         "\"a@x.test\"}]}",
         "{}", "/reply_to_list twice"},
        {"{\"attachments\": {}}", "{}", "/attachments wrong_type"},
        {"{\"attachments\": [1]}", "{}", "/attachments/0 wrong_type"},
        {"{\"attachments\": [{\"content\": \"QQ==\"}]}", "{}", "/attachments/0/filename required"},
        {"{\"attachments\": [{\"content\": \"QQ==\", \"filename\": \"f\", \"contentId\": \"a\", "
         "\"content_id\": \"b\"}]}",
         "{}", "/attachments/0/content_id twice"},
        {"{\"attachments\": [{\"content\": \"QQ==\", \"filename\": \"f\", \"path\": \"a\"}]}", "{}",
         "/attachments/0/path unknown_member"},
        {"{\"template_id\": 1}", "{}", "/template_id wrong_type"},
        {"{\"template_id\": \"\"}", "{}", "/template_id empty"},
        {"{\"template_id\": \"d-1\"}", "{\"substitutions\": {\"a\": \"b\"}}",
         P "/substitutions unsupported"},
        {"{\"template_id\": \"d-1\", \"mail_settings\": {\"footer\": {\"enable\": true}}}", "{}",
         "/mail_settings/footer unsupported"},
        {"{\"headers\": []}", "{}", "/headers wrong_type"},
        {"{\"headers\": {\"X-A\": 1}}", "{}", "/headers/X-A wrong_type"},
        {"{}", "{\"headers\": {\"X-A\": true}}", P "/headers/X-A wrong_type"},
        {"{\"categories\": \"a\"}", "{}", "/categories wrong_type"},
        {"{\"categories\": [\"a\", \"b\", \"a\"]}", "{}", "/categories/2 twice"},
        {"{\"categories\": [\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\"]}",
         "{}", "/categories too_many"},
        {"{}", "{\"categories\": [\"a\"]}", P "/categories unsupported"},
        {"{\"custom_args\": []}", "{}", "/custom_args wrong_type"},
        {"{\"custom_args\": \"no JSON\"}", "{}", "/custom_args wrong_type"},
        {"{\"custom_args\": {\"a\": {}}}", "{}", "/custom_args/a wrong_type"},
        {"{}", "{\"custom_args\": {\"a\": []}}", P "/custom_args/a wrong_type"},
        {"{}", "{\"custom_args\": 1}", P "/custom_args wrong_type"},
        {"{\"send_at\": \"soon\"}", "{}", "/send_at wrong_type"},
        {"{\"send_at\": 1790000000.5}", "{}", "/send_at wrong_type"},
        {"{\"send_at\": 1790259201}", "{}", "/send_at time"},
        {"{}", "{\"send_at\": 1790259201}", P "/send_at time"},
        {"{\"batch_id\": 1}", "{}", "/batch_id wrong_type"},
        {"{\"asm\": 1}", "{}", "/asm wrong_type"},
        {"{\"asm\": {}}", "{}", "/asm/group_id required"},
        {"{\"asm\": {\"group_id\": \"1\"}}", "{}", "/asm/group_id wrong_type"},
        {"{\"asm\": {\"group_id\": -1}}", "{}", "/asm/group_id wrong_type"},
        {"{\"sections\": []}", "{}", "/sections wrong_type"},
        {"{\"mail_settings\": 1}", "{}", "/mail_settings wrong_type"},
        {"{\"mail_settings\": {\"sandbox_mode\": true}}", "{}",
         "/mail_settings/sandbox_mode wrong_type"},
        {"{\"mail_settings\": {\"sandbox_mode\": {\"enable\": \"yes\"}}}", "{}",
         "/mail_settings/sandbox_mode/enable wrong_type"},
        {"{\"mail_settings\": {\"footer\": {\"enable\": 1, \"text\": 2}}}", "{}",
         "/mail_settings/footer/enable wrong_type; /mail_settings/footer/text wrong_type"},
        {"{\"mail_settings\": {\"bcc\": {\"enable\": true, \"email\": \"a@x.test\"}}}", "{}",
         "/mail_settings/bcc unsupported"},
        {"{\"mail_settings\": {\"spam_check\": {\"enable\": true}}}", "{}",
         "/mail_settings/spam_check unsupported"},
        {"{\"mail_settings\": {\"other\": {}}}", "{}", "/mail_settings/other unknown_member"},
        {"{\"tracking_settings\": 1}", "{}", "/tracking_settings wrong_type"},
        {"{\"tracking_settings\": {\"subscription_tracking\": {\"enable\": true}}}", "{}",
         "/tracking_settings/subscription_tracking unsupported"},
        {"{\"personalizations\": null}", "{}", "/personalizations required"},
        {"{\"personalizations\": []}", "{}", "/personalizations required"},
        {"{\"personalizations\": {}}", "{}", "/personalizations wrong_type"},
        {"{\"personalizations\": [1]}", "{}", P " wrong_type"},
        {"{\"personalizations\": [{}]}", "{}", P "/to required"},
        {"{}", "{\"to\": []}", P "/to required"},
        {"{}", "{\"to\": {\"email\": \"a@x.test\"}}", P "/to wrong_type"},
        {"{}", "{\"to\": [\"a@x.test\"]}", P "/to/0 wrong_type"},
        {"{}", "{\"cc\": [null]}", P "/cc/0 wrong_type"},
        {"{}", "{\"bcc\": 1}", P "/bcc wrong_type"},
        {"{}", "{\"from\": 1}", P "/from wrong_type"},
        {"{}", "{\"substitutions\": []}", P "/substitutions wrong_type"},
        {"{}", "{\"substitutions\": {\"a\": 1}}", P "/substitutions/a wrong_type"},
        {"{\"subject\": \"\", \"send_at\": true}", "{\"to\": []}",
         "/subject empty; /send_at wrong_type; " P "/to required"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_faults(mail(cases[i].members, cases[i].own), cases[i].faults);
    assert_faults(twin_json("[]"), " wrong_type");
}

static void headers_of_ours_cant_be_set(void **state)
{
    static const char *const names[] = {
        "x-sg-id",      "X-SG-EID",
        "Received",     "dkim-signature",
        "Content-Type", "Content-Transfer-Encoding",
        "To",           "From",
        "Subject",      "Reply-To",
        "CC",           "Bcc",
    };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char members[100], told[150];
        (void)snprintf(members, sizeof members, "{\"headers\": {\"%s\": \"x\"}}", names[i]);
        (void)snprintf(told, sizeof told, "/headers/%s header_name", names[i]);
        assert_faults(mail(members, "{}"), told);
        (void)snprintf(told, sizeof told, P "/headers/%s header_name", names[i]);
        assert_faults(mail("{}", members), told);
    }
}

static json_t *many_personalizations(size_t count, size_t recipients)
{
    json_t *root = mail("{}", "{}"), *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *to = json_array();
        for (size_t k = 0; k < recipients; k++)
            assert_int_equal(
                json_array_append_new(to, twin_json("{\"email\": \"someone@x.test\"}")), 0);
        assert_int_equal(json_array_append_new(list, json_pack("{s:o}", "to", to)), 0);
    }
    assert_int_equal(json_object_set_new(root, "personalizations", list), 0);
    return root;
}

static void there_are_limits(void **state)
{
    (void)state;
    assert_faults(many_personalizations(1000, 1), "");
    assert_faults(many_personalizations(1001, 1), "/personalizations too_many");
    assert_faults(many_personalizations(10, 100), "");
    assert_faults(many_personalizations(11, 91), "/personalizations too_many_recipients");
}

/* {"name": {"a": "xxx…"}} */
static char *of_size(const char *name, size_t size)
{
    char *text = NULL;
    assert_true(asprintf(&text, "{\"%s\": {\"a\": \"%0*d\"}}", name, (int)size, 0) > 0);
    return text;
}

static void texts_have_limits(void **state)
{
    char *fits = of_size("custom_args", 9999), *over = of_size("custom_args", 10000);
    (void)state;
    assert_faults(mail(fits, "{}"), "");
    assert_faults(mail(over, "{}"), "/custom_args too_long");
    assert_faults(mail("{}", over), P "/custom_args too_long");
    assert_faults(mail(fits, "{\"custom_args\": {\"b\": \"1\"}}"), P "/custom_args too_long");
    free(fits);
    free(over);
    fits = of_size("substitutions", 9999), over = of_size("substitutions", 10000);
    assert_faults(mail("{}", fits), "");
    assert_faults(mail("{}", over), P "/substitutions too_long");
    free(fits);
    free(over);
}

/* A few bytes can't become gigabytes. */
static void what_substitutions_make_is_bounded(void **state)
{
    char *own = NULL, *members = NULL;
    (void)state;
    assert_true(asprintf(&own, "{\"substitutions\": {\"0\": \"%09000d\"}}", 1) > 0);
    assert_true(asprintf(&members,
                         "{\"content\": [{\"type\": \"text/plain\", \"value\": \"%0100000d\"}]}",
                         0) > 0);
    assert_faults(mail(members, own), P " too_long");
    free(own);
    free(members);
}

/* Sections are put in order for each personalization, which takes as long as a text would. */
static void what_sections_take_is_bounded(void **state)
{
    json_t *root = many_personalizations(1000, 1), *sections = json_object();
    char name[16], *found;
    (void)state;
    for (size_t i = 0; i < 20000; i++) {
        (void)snprintf(name, sizeof name, "-%zu-", i);
        assert_int_equal(json_object_set_new(sections, name, json_string("")), 0);
    }
    assert_int_equal(json_object_set_new(root, "sections", sections), 0);
    twin t = twin_read(&dialect_sendgrid, SEND, root);
    found = twin_faults(&t);
    assert_non_null(found);
    assert_non_null(strstr(found, " too_long"));
    free(found);
    twin_end(&t);
}

/* ---- without memory ---- */

static size_t allowed; /* allocations of jansson's until one fails */
static bool ran_out;

static void *scarce_malloc(size_t size)
{
    if (allowed == 0) {
        ran_out = true;
        allowed = SIZE_MAX;
        return NULL;
    }
    allowed--;
    return malloc(size);
}

/* A draft that lost a member on the way would be a mail that is not the one that was asked for. */
static void without_memory_there_is_no_plan(void **state)
{
    size_t n = 0;
    (void)state;
    do {
        json_t *root =
            mail("{\"headers\": {\"X-A\": \"1\", \"X-B\": \"2\"}, \"custom_args\": {\"a\": 1, "
                 "\"b\": \"c\"}, \"batch_id\": \"b\", \"categories\": [\"a\"], \"reply_to_list\": "
                 "[{\"email\": \"t@x.test\", \"name\": \"n\"}], \"asm\": {\"group_id\": 1}, "
                 "\"attachments\": [{\"content\": \"QQ==\", \"filename\": \"f\", \"content_id\": "
                 "\"c\"}], \"mail_settings\": {\"footer\": {\"enable\": true, \"text\": \"t\"}}}",
                 "{\"headers\": {\"x-a\": \"3\"}, \"custom_args\": {\"d\": 2.5}, "
                 "\"substitutions\": {\"t\": \"T\"}}");
        allowed = n++;
        ran_out = false;
        json_set_alloc_funcs(scarce_malloc, free);
        twin t = twin_read(&dialect_sendgrid, SEND, root);
        json_set_alloc_funcs(malloc, free);
        assert_int_equal(t.plan.nomem, ran_out);
        assert_true(ran_out || json_object_size(t.plan.drafts[0].message) == 10);
        twin_end(&t);
    } while (ran_out);
    assert_true(n > 50);
}

/* ---- where faults of a draft are in the body ---- */

static void a_drafts_place_is_found_in_the_body(void **state)
{
    static const struct {
        size_t draft;
        const char *pointer, *expected;
    } cases[] = {
        {0, "", "/personalizations/0"},
        {1, "", "/personalizations/1"},
        {1, "/to/2/email", "/personalizations/1/to/2/email"},
        {0, "/cc", "/personalizations/0/cc"},
        {0, "/bcc/0", "/personalizations/0/bcc/0"},
        {0, "/from/email", "/from/email"},
        {1, "/from/email", "/personalizations/1/from/email"},
        {0, "/subject", "/subject"},
        {1, "/subject", "/personalizations/1/subject"},
        {0, "/send_at", "/send_at"},
        {1, "/send_at", "/personalizations/1/send_at"},
        {0, "/reply_to/0/email", "/reply_to_list/0/email"},
        {0, "/text", "/content/0/value"},
        {1, "/html", "/content/1/value"},
        {0, "/template", "/template_id"},
        {1, "/data", "/personalizations/1/dynamic_template_data"},
        {0, "/tags/3", "/categories/3"},
        {0, "/list", "/asm/group_id"},
        {0, "/headers/X-A", "/headers/X-A"},
        {1, "/headers/x-a", "/personalizations/1/headers/x-a"},
        {1, "/headers/X-B", "/headers/X-B"},
        {1, "/headers/X~1C", "/personalizations/1/headers/X~1C"},
        {0, "/metadata/k", "/custom_args/k"},
        {1, "/metadata/k", "/personalizations/1/custom_args/k"},
        {0, "/attachments", "/attachments"},
        {0, "/attachments/0", "/attachments/0"},
        {0, "/attachments/0/content", "/attachments/0/content"},
        {0, "/attachments/0/content_type", "/attachments/0/type"},
        {0, "/attachments/0/content_id", "/attachments/0/contentId"},
        {0, "/attachments/1/content_id", "/attachments/1/content_id"},
        {0, "/attachments/9/filename", "/attachments/9/filename"},
        {0, "/relay", "/personalizations/0"},
        {5, "/to/0", "/personalizations/5/to/0"},
    };
    twin t = twin_read(
        &dialect_sendgrid, SEND,
        mail("{\"personalizations\": [{\"to\": [{\"email\": \"a@x.test\"}]}, {\"to\": [{\"email\": "
             "\"b@x.test\"}], \"from\": {\"email\": \"x\"}, \"subject\": \"x\", \"send_at\": 1, "
             "\"headers\": {\"X-A\": \"1\", \"X/C\": \"2\"}, \"custom_args\": {\"k\": 1}}],"
             "\"reply_to_list\": [{\"email\": \"r\"}], \"content\": [{\"type\": \"text/plain\", "
             "\"value\": \"t\"}, {\"type\": \"text/html\", \"value\": \"h\"}],"
             "\"attachments\": [{\"contentId\": \"c\"}, {\"content_id\": \"d\"}]}",
             "{}"));
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[FAULTS_POINTER_MAX] = "untouched";
        t.endpoint->origin(&t.body, cases[i].draft, cases[i].pointer, out);
        assert_string_equal(out, cases[i].expected);
    }
    twin_end(&t);
}

/* ---- answers ---- */

static void assert_refused(const dialect_refusal *r, const char *expected)
{
    dialect_answer a = {.content = BUF_INIT};
    dialect_sendgrid.refused(r, &a);
    char *text = twin_answer(&a);
    assert_string_equal(text, expected);
    free(text);
}

#define ERROR(message, field) "{\"message\":\"" message "\",\"field\":" field ",\"help\":null}"
#define ERRORS(list)          " application/json {\"errors\":[" list "]}"

static void a_refusal_is_told_as_sendgrid_does(void **state)
{
    static const struct {
        dialect_refusal refusal;
        const char *answer;
    } cases[] = {
        {{.status = 401, .reason = "unauthorized", .detail = "Send a key."},
         "401" ERRORS(ERROR("authorization required", "null"))},
        {{.status = 403, .reason = "sender-forbidden", .detail = "x"},
         "403" ERRORS(ERROR("The from address does not match a verified Sender Identity. Mail "
                            "cannot be sent until this error is resolved: POSTERN_FROM does not "
                            "allow this sender.",
                            "\"from\""))},
        {{.status = 400, .reason = "bad-json", .detail = "Not JSON."},
         "400" ERRORS(ERROR("Not JSON.", "null"))},
        {{.status = 404, .reason = "not-found", .detail = "x"}, "404" ERRORS(ERROR("x", "null"))},
        {{.status = 405, .reason = "method", .detail = "x"}, "405" ERRORS(ERROR("x", "null"))},
        {{.status = 413, .reason = "too-large", .detail = "x"}, "413" ERRORS(ERROR("x", "null"))},
        {{.status = 422, .reason = "refused", .detail = "550 no"},
         "400" ERRORS(ERROR("550 no", "null"))},
        {{.status = 503, .reason = "busy", .detail = "x"},
         "429" ERRORS(ERROR("too many requests", "null"))},
        {{.status = 503, .reason = "relay", .detail = "x"}, "503" ERRORS(ERROR("x", "null"))},
        {{.status = 500, .reason = "internal", .detail = "x"}, "500" ERRORS(ERROR("x", "null"))},
        {{.status = 502, .reason = "gateway", .detail = "x"}, "500" ERRORS(ERROR("x", "null"))},
        {{.status = 504, .reason = "timeout", .detail = "x"}, "500" ERRORS(ERROR("x", "null"))},
        {{.status = 404, .reason = "not-found", .detail = "x", .id = "01ID"},
         "404 application/json {\"errors\":[" ERROR("x", "null") "],\"id\":\"01ID\"}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(&cases[i].refusal, cases[i].answer);
}

static void faults_are_told_with_their_fields(void **state)
{
    faults f;
    (void)state;
    faults_init(&f);
    faults_add(&f, "/personalizations/0/to/1/email", "address",
               "Not a valid address: the address has no @.");
    faults_add(&f, "", "wrong_type", "Must be an object, not an array.");
    faults_add(&f, "/headers/a~1b~0c", "header_name", "No.");
    faults_add(&f, "/from/name", "address", "In other words.");
    const dialect_refusal r = {.status = 422, .reason = "invalid", .detail = "x", .errors = &f};
    assert_refused(
        &r,
        "400" ERRORS(ERROR(
            "Does not contain a valid address. (the address has no @)",
            "\"personalizatio"
            "ns.0.to.1."
            "email\"") "," ERROR("Must be an object, not an array.",
                                 "null") "," ERROR("No.",
                                                   "\"headers.a/b~c\"") "," ERROR("In other words.",
                                                                                  "\"from."
                                                                                  "name\"")));
    faults_free(&f);
}

static void assert_accepted(const char *path, const dialect_sent *list, size_t count, bool dry,
                            const char *expected)
{
    twin t = twin_read(&dialect_sendgrid, path, json_object());
    dialect_answer a = {.content = BUF_INIT};
    t.endpoint->accepted(&t.body, list, count, dry, &a);
    char *text = twin_answer(&a);
    assert_string_equal(text, expected);
    free(text);
    twin_end(&t);
}

static void what_is_accepted_has_no_content(void **state)
{
    const dialect_refusal no = {.status = 422, .reason = "suppressed", .detail = "Nobody."};
    const dialect_sent list[] = {{.refusal = &no}, {.id = "01A"}, {.id = "01B"}};
    (void)state;
    assert_accepted(SEND, list + 1, 1, false, "202 X-Message-Id: 01A");
    assert_accepted(SEND, list + 1, 2, false, "202 X-Message-Id: 01A");
    assert_accepted(SEND, list + 1, 1, true, "200");
    assert_accepted(SEND, list, 2, false,
                    "202 X-Message-Id: 01A application/json {\"errors\":[" ERROR(
                        "Nobody.", "\"personalizations.0\"") "]}");
}

static void a_batch_has_an_id(void **state)
{
    (void)state;
    assert_accepted("/v3/mail/batch", NULL, 0, false,
                    "201 application/json {\"batch_id\":\"postern-00065bfeda25e000\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_as_the_sdk_sends_it),
        cmocka_unit_test(members_of_the_whole),
        cmocka_unit_test(members_of_a_personalization),
        cmocka_unit_test(each_personalization_is_a_mail_of_its_own),
        cmocka_unit_test(a_sandboxed_mail_is_a_dry_one),
        cmocka_unit_test(faults_are_told_where_they_are),
        cmocka_unit_test(headers_of_ours_cant_be_set),
        cmocka_unit_test(there_are_limits),
        cmocka_unit_test(texts_have_limits),
        cmocka_unit_test(what_substitutions_make_is_bounded),
        cmocka_unit_test(what_sections_take_is_bounded),
        cmocka_unit_test(without_memory_there_is_no_plan),
        cmocka_unit_test(a_drafts_place_is_found_in_the_body),
        cmocka_unit_test(a_refusal_is_told_as_sendgrid_does),
        cmocka_unit_test(faults_are_told_with_their_fields),
        cmocka_unit_test(what_is_accepted_has_no_content),
        cmocka_unit_test(a_batch_has_an_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
