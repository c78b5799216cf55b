/*
 * Postmark's dialect: what its bodies become, where faults are told, how answers read.
 */
#include "dialect_given.h"

#define ID   "01KQXW3V9M4T5Y8ZC2B7D6F1GH"
#define UUID "019dfbc1-ed34-268b-e47d-8259da678611"
#define WHY                                                                                        \
    "Inactive recipients are ones that have generated a hard bounce, a spam complaint, or a "      \
    "manual suppression."

static given *email(const char *text)
{
    return given_body(&dialect_postmark, "POST", "/email", NULL, NULL, text);
}

static given *templated(const char *text)
{
    return given_body(&dialect_postmark, "POST", "/email/withTemplate", NULL, NULL, text);
}

/* ---- bodies ---- */

typedef struct body_case {
    const char *body, *draft; /* with ' for " */
} body_case;

static char *quoted(const char *text)
{
    char *out = strdup(text);
    for (char *c = out; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    return out;
}

static const body_case emails[] = {
    {"{'From':'Shop <shop@x.test>','To':'a@x.test','Subject':'Hi','TextBody':'t'}",
     "{'from':'Shop <shop@x.test>','to':['a@x.test'],'subject':'Hi','text':'t'}"},
    {"{'From':'s@x.test','To':' A <a@x.test>,, \\\"B, C\\\" <b@x.test> ,','Cc':'c@x.test,d@x.test',"
     "'Bcc':'e@x.test','ReplyTo':'r@x.test, q@x.test','HtmlBody':'<p>h'}",
     "{'from':'s@x.test','to':['A <a@x.test>','\\\"B, C\\\" "
     "<b@x.test>'],'cc':['c@x.test','d@x.test'],"
     "'bcc':['e@x.test'],'reply_to':['r@x.test','q@x.test'],'html':'<p>h'}"},
    /* What is empty or null isn't there. */
    {"{'From':'s@x.test','To':'a@x.test','Cc':'','Bcc':' , ','ReplyTo':'','Subject':'','HtmlBody':"
     "'','TextBody':'t','Tag':'','Metadata':null,'Headers':null,'MessageStream':null}",
     "{'from':'s@x.test','to':['a@x.test'],'text':'t'}"},
    {"{'Tag':'welcome','Metadata':{'order':'17'},'Headers':[{'Name':'X-A','Value':'1'},"
     "{'Name':'x-b','Value':'2'}],'TrackOpens':true,'TrackLinks':'HtmlOnly','MessageStream':"
     "'outbound'}",
     "{'tags':['welcome'],'metadata':{'order':'17'},'headers':{'X-A':'1','x-b':'2'}}"},
    {"{'Attachments':[{'Name':'a.pdf','Content':'SGk=','ContentType':'application/pdf',"
     "'ContentID':null,'ContentLength':2,'Disposition':''},{'Name':'','Content':'SGk=',"
     "'ContentType':''}]}",
     "{'attachments':[{'filename':'a.pdf','content':'SGk=','content_type':'application/pdf'},"
     "{'content':'SGk='}]}"},
    /* A picture of the HTML; one that it shows without being called so; a file that has an id. */
    {"{'HtmlBody':'<img src=cid:b>','Attachments':[{'ContentID':'cid:a'},{'ContentID':'b'},"
     "{'ContentID':'c'},{'ContentID':'cid:'},{'ContentID':''},{'ContentID':'d','Disposition':"
     "'inline'},{'Disposition':'attachment','ContentID':'cid:e'}]}",
     "{'html':'<img src=cid:b>','attachments':[{'content_id':'a','disposition':'inline'},"
     "{'content_id':'b','disposition':'inline'},{'content_id':'c','disposition':'attachment'},"
     "{'content_id':'cid:','disposition':'attachment'},{},{'content_id':'d','disposition':"
     "'inline'},{'content_id':'e','disposition':'attachment'}]}"},
    /* The whole id, as an address of the HTML writes it; however many have it. */
    {"{'Attachments':[{'ContentID':'logo'},{'ContentID':'logo1'},{'ContentID':'a@b'},"
     "{'ContentID':'logo1'}],'HtmlBody':'cid:logo1 cid:a%40b cid:'}",
     "{'html':'cid:logo1 cid:a%40b cid:','attachments':[{'content_id':'logo','disposition':"
     "'attachment'},{'content_id':'logo1','disposition':'inline'},{'content_id':'a@b',"
     "'disposition':'inline'},{'content_id':'logo1','disposition':'inline'}]}"},
    /* Strings that stand elsewhere stay there, but for those that are lists. */
    {"{'HtmlBody':'\\u0000lifted','To':'\\u0000lifted','Attachments':[{'Content':'\\u0000base64'}]"
     "}",
     "{'html':'\\u0000lifted','to':['one@postern.test','two@postern.test'],'attachments':"
     "[{'content':'\\u0000base64'}]}"},
    /* What is no text of ours is told by who checks the draft. */
    {"{'Subject':1,'HtmlBody':{},'Metadata':[],'Tag':7}",
     "{'subject':1,'html':{},'metadata':[],'tags':[7]}"},
};

static const body_case templates[] = {
    {"{'TemplateId':1234,'TemplateModel':{'name':'Li'},'InlineCss':true,'InlineCSS':true,'HtmlBody'"
     ":null,"
     "'TextBody':''}",
     "{'template':'1234','data':{'name':'Li'}}"},
    {"{'TemplateAlias':'welcome','TemplateId':null,'Subject':'Own'}",
     "{'template':'welcome','subject':'Own'}"},
};

static const body_case faulty[] = {
    {"[]", " wrong_type"},
    {"'text'", " wrong_type"},
    {"{'to':'a@x.test'}", "/to unknown_member"},
    {"{'From':'nobody','To':'a@x.test, b@,c','Cc':'<d@x.test','ReplyTo':'e'}",
     "/From address; /To address; /To address; /Cc address; /ReplyTo address"},
    {"{'From':'a@x.test, b@x.test'}", "/From address"},
    {"{'From':'a@x.test\\r\\nBcc: b@x.test'}", "/From address"},
    {"{'To':['a@x.test'],'Cc':1,'From':{}}", "/To wrong_type; /Cc wrong_type; /From wrong_type"},
    {"{'To':'a@x.test\\u0000'}", "/To nul"},
    {"{'Bcc':'\\u0000base64'}", "/Bcc wrong_type"},
    {"{'Headers':{'X':'1'}}", "/Headers wrong_type"},
    {"{'Headers':[1,{'Name':'X'},{'Value':'1'},{'Name':'X-B','Value':'1','More':2},{'Name':"
     "'X-B','Value':'2'},{'Name':3}]}",
     "/Headers/0 wrong_type; /Headers/2/Name required; /Headers/3/More unknown_member; "
     "/Headers/4/Name duplicate; /Headers/5/Name wrong_type"},
    {"{'Attachments':{}}", "/Attachments wrong_type"},
    {"{'Attachments':[1,{'Url':'https://x.test/a'}]}",
     "/Attachments/0 wrong_type; /Attachments/1/Url unknown_member"},
};

static const body_case faulty_templates[] = {
    {"{'TemplateModel':{}}", "/TemplateAlias template"},
    {"{'TemplateId':'1'}", "/TemplateId wrong_type"},
    {"{'TemplateId':1,'TemplateAlias':'a'}", "/TemplateAlias template"},
    {"{'TemplateAlias':'a','TemplateId':1}", "/TemplateId template"},
};

typedef void judge(const given *g, size_t i, const char *expected);

static void all(const body_case *cases, size_t count, const char *path, judge *is)
{
    for (size_t i = 0; i < count; i++) {
        char *text = quoted(cases[i].body);
        given *g = given_body(&dialect_postmark, "POST", path, NULL, NULL, text);
        assert_int_equal(g->plan.count, 1);
        assert_false(g->plan.each);
        assert_false(g->plan.dry);
        is(g, 0, cases[i].draft);
        given_free(g);
        free(text);
    }
}

#define COUNT(list) (sizeof(list) / sizeof *(list))

static void test_bodies(void **state)
{
    (void)state;
    all(emails, COUNT(emails), "/email", given_is_draft);
    all(templates, COUNT(templates), "/email/withTemplate", given_is_draft);
    all(templates, COUNT(templates), "/email/withTemplate/", given_is_draft);
}

static void test_faults(void **state)
{
    (void)state;
    all(faulty, COUNT(faulty), "/email", given_has_faults);
    all(faulty_templates, COUNT(faulty_templates), "/email/withTemplate", given_has_faults);
}

/* The words that clients read addresses from. */
static void test_faulty_address_words(void **state)
{
    (void)state;
    given *g = email("{\"To\":\"good@x.test, bad\"}");
    const faults *f = &g->plan.drafts[0].errors;
    assert_int_equal(f->count, 1);
    assert_int_equal(strncmp(f->list[0].detail, "Invalid 'To' address: 'bad' (", 29), 0);
    given_free(g);
}

/* ---- batches ---- */

static void test_batch(void **state)
{
    (void)state;
    given *g = given_body(&dialect_postmark, "POST", "/email/batch", NULL, NULL,
                          "[{\"To\":\"a@x.test\"},7,{\"To\":\"b@x.test\",\"Bad\":1}]");
    assert_int_equal(g->plan.count, 3);
    assert_true(g->plan.each);
    given_is_draft(g, 0, "{'to':['a@x.test']}");
    given_has_faults(g, 1, "/1 wrong_type");
    given_has_faults(g, 2, "/2/Bad unknown_member");
    given_free(g);
}

static void test_templated_batch(void **state)
{
    static const char *const paths[] = {"/email/batchWithTemplates", "/email/batchWithTemplates/"};
    (void)state;
    for (size_t i = 0; i < COUNT(paths); i++) {
        given *g = given_body(&dialect_postmark, "POST", paths[i], NULL, NULL,
                              "{\"Messages\":[{\"TemplateId\":7},{\"To\":\"x\"}]}");
        assert_true(g->plan.each);
        given_is_draft(g, 0, "{'template':'7'}");
        given_has_faults(g, 1, "/Messages/1/To address; /Messages/1/TemplateAlias template");
        given_stands_at(g, 1, "/to/0", "/Messages/1/To");
        given_free(g);
    }
}

static void test_batches_that_are_none(void **state)
{
    static const struct {
        const char *path, *body, *faults;
    } cases[] = {
        {"/email/batch", "{}", " wrong_type"},
        {"/email/batch", "[]", " required"},
        {"/email/batchWithTemplates", "[]", " wrong_type"},
        {"/email/batchWithTemplates", "{}", "/Messages wrong_type"},
        {"/email/batchWithTemplates", "{\"Messages\":{}}", "/Messages wrong_type"},
        {"/email/batchWithTemplates", "{\"Messages\":[]}", "/Messages required"},
        {"/email/batchWithTemplates", "{\"Messages\":[{}],\"More\":1}", "/More unknown_member"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        given *g = given_body(&dialect_postmark, "POST", cases[i].path, NULL, NULL, cases[i].body);
        assert_int_equal(g->plan.count, 0);
        given_has_faults(g, 0, cases[i].faults);
        given_free(g);
    }
}

static void test_batch_bound(void **state)
{
    (void)state;
    for (int count = 500; count <= 501; count++) {
        buf text = BUF_INIT;
        for (int i = 0; i < count; i++)
            buf_adds(&text, i ? ",{}" : "[{}");
        buf_adds(&text, "]");
        given *g =
            given_body(&dialect_postmark, "POST", "/email/batch", NULL, NULL, buf_cstr(&text));
        assert_int_equal(g->plan.count, count == 500 ? 500 : 0);
        assert_int_equal(g->plan.errors.total, count == 500 ? 0 : 1);
        given_free(g);
        buf_free(&text);
    }
}

/* A list of a million commas isn't taken apart. */
static void test_mailbox_bound(void **state)
{
    (void)state;
    buf text = BUF_INIT;
    buf_adds(&text, "{\"To\":\"");
    for (int i = 0; i < 10000; i++)
        buf_adds(&text, "a,");
    buf_adds(&text, "\"}");
    given *g = email(buf_cstr(&text));
    given_has_faults(g, 0, "/To too_many_recipients");
    given_free(g);
    buf_free(&text);
}

static void test_token_for_tries(void **state)
{
    static const struct {
        const char *header, *value;
        bool dry;
    } cases[] = {
        {"x-postmark-server-token", "POSTMARK_API_TEST", true},
        {"X-Postmark-Server-Token", "another", false},
        {"X-Postmark-Account-Token", "POSTMARK_API_TEST", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        given *g =
            given_body(&dialect_postmark, "POST", "/email", cases[i].header, cases[i].value, "{}");
        assert_int_equal(g->plan.dry, cases[i].dry);
        given_free(g);
        g = given_body(&dialect_postmark, "POST", "/email/batch", cases[i].header, cases[i].value,
                       "[{}]");
        assert_int_equal(g->plan.dry, cases[i].dry);
        given_free(g);
    }
}

/* ---- where it stands ---- */

static void test_origins(void **state)
{
    static const struct {
        const char *ours, *theirs;
    } cases[] = {
        {"", ""},
        {"/to/12", "/To"},
        {"/reply_to/0", "/ReplyTo"},
        {"/html", "/HtmlBody"},
        {"/tags/0", "/Tag"},
        {"/metadata/order", "/Metadata/order"},
        {"/headers/X-A", "/Headers/1"},
        {"/headers/a~1b", "/Headers/2"},
        {"/headers/X-Other", "/Headers/X-Other"},
        {"/attachments/3/content", "/Attachments/3/Content"},
        {"/attachments/10/content_id", "/Attachments/10/ContentID"},
        {"/attachments/0/other", "/Attachments/0/other"},
        {"/attachments", "/Attachments"},
        {"/data/user/name", "/TemplateModel/user/name"},
        {"/template", "/TemplateAlias"},
        {"/relay", "/relay"},
        {"/tomorrow", "/tomorrow"},
    };
    (void)state;
    given *g = email("{\"Headers\":[{\"Name\":\"X-B\",\"Value\":\"\"},{\"Name\":\"X-A\"},{\"Name\":"
                     "\"a/b\"}]}");
    for (size_t i = 0; i < COUNT(cases); i++)
        given_stands_at(g, 0, cases[i].ours, cases[i].theirs);
    given_free(g);
    g = templated("{\"TemplateId\":1}");
    given_stands_at(g, 0, "/template", "/TemplateId");
    given_free(g);
    g = given_body(&dialect_postmark, "POST", "/email/batch", NULL, NULL, "[{},{}]");
    given_stands_at(g, 1, "/to/0", "/1/To");
    given_free(g);
}

/* ---- answers ---- */

static void test_accepted(void **state)
{
    const dialect_sent sent = {.id = ID, .message_id = "<" ID "@x.test>"};
    (void)state;
    given *g = email("{\"To\":\"A <a@x.test>, b@x.test\",\"Cc\":\"c@x.test\",\"Bcc\":\"\"}");
    g->endpoint->accepted(&g->body, &sent, 1, false, &g->answer);
    given_is_answer(&g->answer, 200,
                    "{'To':'A <a@x.test>, b@x.test','Cc':'c@x.test','SubmittedAt':"
                    "'2026-09-21T14:13:20.1234560Z','MessageID':'" UUID
                    "','ErrorCode':0,'Message':'OK'}");
    g->endpoint->accepted(&g->body, &sent, 1, true, &g->answer);
    assert_non_null(strstr(buf_cstr(&g->answer.content), "\"Test job accepted\""));
    given_free(g);
}

static void test_accepted_for_some(void **state)
{
    static const char *const inactive[] = {"a@x.test", "b@x.test"};
    const dialect_sent sent = {.id = ID, .suppressed = inactive, .suppressed_count = 2};
    (void)state;
    given *g = email("{\"Bcc\":\"a@x.test, b@x.test, c@x.test\"}");
    g->endpoint->accepted(&g->body, &sent, 1, false, &g->answer);
    given_is_answer(&g->answer, 200,
                    "{'Bcc':'a@x.test, b@x.test, c@x.test','SubmittedAt':"
                    "'2026-09-21T14:13:20.1234560Z','MessageID':'" UUID
                    "','ErrorCode':0,'Message':'Message OK, but will not deliver to these inactive "
                    "addresses: a@x.test, b@x.test. " WHY "'}");
    given_free(g);
}

/* In their order, whatever became of them. */
static void test_accepted_batch(void **state)
{
    static const char *const inactive[] = {"b@x.test"};
    faults errors;
    (void)state;
    faults_init(&errors);
    faults_add(&errors, "/1/HtmlBody", "required", "html or text is required, or a template.");
    faults_add(&errors, "/1/Attachments/0/Content", "base64", "Not valid base64.");
    const dialect_refusal invalid = {.status = 422, .reason = "invalid", .errors = &errors};
    const dialect_refusal suppressed = {
        .status = 422, .reason = "suppressed", .suppressed = inactive, .suppressed_count = 1};
    const dialect_sent list[] = {{.id = ID}, {.refusal = &invalid}, {.refusal = &suppressed}};
    given *g = given_body(&dialect_postmark, "POST", "/email/batch", NULL, NULL,
                          "[{\"To\":\"a@x.test\"},{},{\"To\":\"b@x.test\"}]");
    g->endpoint->accepted(&g->body, list, 3, false, &g->answer);
    given_is_answer(
        &g->answer, 200,
        "[{'To':'a@x.test','SubmittedAt':'2026-09-21T14:13:20.1234560Z','MessageID':'" UUID
        "','ErrorCode':0,'Message':'OK'},{'ErrorCode':300,'Message':'Provide either email TextBody "
        "or HtmlBody or both. Attachments[0].Content: Not valid base64.'},{'ErrorCode':406,"
        "'Message':'You tried to send to recipient(s) that have been marked as inactive. Found "
        "inactive addresses: b@x.test. " WHY "'}]");
    given_free(g);
    faults_free(&errors);
}

static void test_refused(void **state)
{
    static const struct {
        const char *reason;
        unsigned postern, status;
        int code;
    } cases[] = {
        {"bad-json", 400, 422, 402},         {"unauthorized", 401, 401, 10},
        {"sender-forbidden", 403, 422, 400}, {"refused", 422, 422, 300},
        {"too-large", 413, 413, 300},        {"busy", 503, 503, 100},
        {"no-queue", 503, 503, 100},         {"relay", 503, 503, 100},
        {"timeout", 504, 500, 300},          {"internal", 500, 500, 300},
        {"method", 405, 405, 300},           {"something-new", 418, 418, 300},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const dialect_refusal r = {
            .status = cases[i].postern, .reason = cases[i].reason, .detail = "Postern's words."};
        dialect_answer out = {.content = BUF_INIT};
        dialect_postmark.refused(&r, &out);
        json_t *root = given_json(buf_cstr(&out.content));
        assert_int_equal(out.status, cases[i].status);
        assert_int_equal(json_integer_value(json_object_get(root, "ErrorCode")), cases[i].code);
        const char *message = json_string_value(json_object_get(root, "Message"));
        assert_true((strstr(message, "Postern's words.") != NULL) ==
                    (strcmp(cases[i].reason, "unauthorized") != 0));
        json_decref(root);
        buf_free(&out.content);
    }
}

static void test_codes_of_faults(void **state)
{
    static const struct {
        const char *pointer, *code;
        const char *answer;
    } cases[] = {
        {"", "wrong_type", "{'ErrorCode':403,'Message':'Why.'}"},
        {"/Subject", "wrong_type", "{'ErrorCode':403,'Message':'Subject: Why.'}"},
        {"/TemplateId", "template", "{'ErrorCode':1101,'Message':'TemplateId: Why.'}"},
        {"", "too_many_messages", "{'ErrorCode':410,'Message':'Why.'}"},
        {"/To", "required", "{'ErrorCode':300,'Message':'Zero recipients specified.'}"},
        {"/From", "required",
         "{'ErrorCode':300,'Message':'Invalid \\u0027From\\u0027 address: "
         "\\u0027\\u0027.'}"},
        {"/To", "address", "{'ErrorCode':300,'Message':'Why.'}"},
        {"/Metadata/a~1b~0", "metadata", "{'ErrorCode':300,'Message':'Metadata.a/b~: Why.'}"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        faults errors;
        dialect_answer out = {.content = BUF_INIT};
        faults_init(&errors);
        faults_add(&errors, cases[i].pointer, cases[i].code, "Why.");
        const dialect_refusal r = {.status = 422, .reason = "invalid", .errors = &errors};
        dialect_postmark.refused(&r, &out);
        given_is_answer(&out, 422, cases[i].answer);
        faults_free(&errors);
    }
}

static void test_all_inactive(void **state)
{
    static const char *const inactive[] = {"a@x.test", "b@x.test"};
    const dialect_refusal r = {.status = 422,
                               .reason = "suppressed",
                               .detail = "",
                               .suppressed = inactive,
                               .suppressed_count = 2};
    dialect_answer out = {.content = BUF_INIT};
    (void)state;
    dialect_postmark.refused(&r, &out);
    given_is_answer(&out, 422,
                    "{'ErrorCode':406,'Message':'You tried to send to recipient(s) that have been "
                    "marked as inactive. Found inactive addresses: a@x.test, b@x.test. " WHY "'}");
}

static void test_many_faults(void **state)
{
    faults errors;
    dialect_answer out = {.content = BUF_INIT};
    (void)state;
    faults_init(&errors);
    for (int i = 0; i < 500; i++)
        faults_add(&errors, "/To", "address", "Bad.");
    const dialect_refusal r = {.status = 422, .reason = "invalid", .errors = &errors};
    dialect_postmark.refused(&r, &out);
    given_is_answer(&out, 422,
                    "{'ErrorCode':300,'Message':'Bad. Bad. Bad. Bad. Bad. Bad. Bad. Bad. Bad. Bad. "
                    "(490 more.)'}");
    faults_free(&errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_faulty_address_words),
        cmocka_unit_test(test_batch),
        cmocka_unit_test(test_templated_batch),
        cmocka_unit_test(test_batches_that_are_none),
        cmocka_unit_test(test_batch_bound),
        cmocka_unit_test(test_mailbox_bound),
        cmocka_unit_test(test_token_for_tries),
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_accepted_for_some),
        cmocka_unit_test(test_accepted_batch),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_codes_of_faults),
        cmocka_unit_test(test_all_inactive),
        cmocka_unit_test(test_many_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
