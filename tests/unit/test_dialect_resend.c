/*
 * Resend's dialect: what its bodies become, where faults are told, how answers and what became of a
 * mail read.
 */
#include "dialect_given.h"

#define ID   "01KQXW3V9M4T5Y8ZC2B7D6F1GH"
#define UUID "019dfbc1-ed34-268b-e47d-8259da678611"

static given *emails(const char *method, const char *path, const char *text)
{
    return given_body(&dialect_resend, method, path, NULL, NULL, text);
}

static char *quoted(const char *text)
{
    char *out = strdup(text);
    for (char *c = out; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    return out;
}

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* ---- bodies ---- */

typedef struct body_case {
    const char *body, *draft; /* with ' for " */
} body_case;

static const body_case bodies[] = {
    {"{'from':'Shop <s@x.test>','to':'a@x.test','subject':'Hi','text':'t'}",
     "{'from':'Shop <s@x.test>','to':'a@x.test','subject':'Hi','text':'t'}"},
    {"{'from':'s@x.test','to':['a@x.test','b@x.test'],'cc':['c@x.test'],'bcc':'d@x.test',"
     "'reply_to':['r@x.test'],'html':'<p>','headers':{'X-A':'1'}}",
     "{'from':'s@x.test','to':['a@x.test','b@x.test'],'cc':['c@x.test'],'bcc':'d@x.test',"
     "'reply_to':['r@x.test'],'html':'<p>','headers':{'X-A':'1'}}"},
    /* What the Go SDK writes where there is nothing. */
    {"{'from':'','to':null,'subject':'','template':{'id':'welcome','variables':{'n':1}},'text':'',"
     "'topic_id':''}",
     "{'template':'welcome','data':{'n':1}}"},
    {"{'template':{'id':'welcome'},'tags':[]}", "{'template':'welcome'}"},
    {"{'tags':[{'name':'kind','value':'welcome'},{'name':'flag'},{'name':'a','value':null}]}",
     "{'metadata':{'kind':'welcome','flag':'','a':''}}"},
    {"{'attachments':[{'content':'SGk=','filename':'a.txt','content_type':'text/plain'},"
     "{'content':'SGk=','content_id':'logo'},{'content':'SGk=','inline_content_id':'old','path':"
     "'','content_type':''}]}",
     "{'attachments':[{'content':'SGk=','filename':'a.txt','content_type':'text/plain'},"
     "{'content':'SGk=','content_id':'logo'},{'content':'SGk=','content_id':'old'}]}"},
    /* JSON.stringify() of a Buffer, of none and of empty ones, and the Go and Python SDK's list. */
    {"{'attachments':[{'content':{'type':'Buffer','data':[1,2,255]}},{'content':{'type':'Buffer',"
     "'data':[]}},{'content':[72,105]},{'content':[]},{'content':{'type':'Buffer','data':"
     "'AQL/'}}]}",
     "{'attachments':[{'content':'AQL/'},{'content':''},{'content':'SGk='},{'content':''},"
     "{'content':'AQL/'}]}"},
    {"{'html':'\\u0000lifted','attachments':[{'content':'\\u0000base64'}]}",
     "{'html':'\\u0000lifted','attachments':[{'content':'\\u0000base64'}]}"},
    {"{'scheduled_at':'2026-11-24T10:00:00.000Z'}", "{'send_at':'2026-11-24T10:00:00.000Z'}"},
    {"{'scheduled_at':'in 1 min'}", "{'send_at':1790000060}"},
    {"{'scheduled_at':'In 2 Hours'}", "{'send_at':1790007200}"},
    {"{'scheduled_at':'in 45s'}", "{'send_at':1790000045}"},
    {"{'scheduled_at':'in  10  seconds'}", "{'send_at':1790000010}"},
    {"{'scheduled_at':'in 3 days'}", "{'send_at':1790259200}"},
    {"{'scheduled_at':'in 1 week'}", "{'send_at':1790604800}"},
    {"{'scheduled_at':'in 0 min'}", "{'send_at':1790000000}"},
    {"{'scheduled_at':''}", "{}"},
    /* Told by who checks the draft. */
    {"{'to':1,'headers':[],'html':{}}", "{'to':1,'headers':[],'html':{}}"},
};

static const body_case faulty[] = {
    {"[]", " wrong_type"},
    {"7", " wrong_type"},
    {"{'To':'a@x.test'}", "/To unknown_member"},
    {"{'topic_id':'t1'}", "/topic_id unsupported"},
    {"{'template':'welcome'}", "/template wrong_type"},
    {"{'template':{'variables':{}}}", "/template/id required"},
    {"{'template':{'id':'a','version':2}}", "/template/version unknown_member"},
    {"{'tags':{'a':'b'}}", "/tags wrong_type"},
    {"{'tags':['a',{'value':'b'},{'name':'c','value':'d'},{'name':'c','value':'e'},{'name':1}]}",
     "/tags/0 wrong_type; /tags/1/name required; /tags/3/name duplicate; /tags/4/name wrong_type"},
    {"{'attachments':{}}", "/attachments wrong_type"},
    {"{'attachments':[1,{'path':'https://x.test/a.pdf'},{'filename':'a'},{'content':null}]}",
     "/attachments/0 wrong_type; /attachments/1/path unsupported; /attachments/2/content required; "
     "/attachments/3/content required"},
    {"{'attachments':[{'content':[1,256]},{'content':[-1]},{'content':[1.5]},{'content':['a']},"
     "{'content':{'type':'Buffer'}},{'content':{'data':[1,null]}}]}",
     "/attachments/0/content wrong_type; /attachments/1/content wrong_type; "
     "/attachments/2/content wrong_type; /attachments/3/content wrong_type; "
     "/attachments/4/content wrong_type; /attachments/5/content wrong_type"},
    {"{'scheduled_at':1790000000}", "/scheduled_at wrong_type"},
    {"{'scheduled_at':'tomorrow at 9am'}", "/scheduled_at time"},
    {"{'scheduled_at':'in a while'}", "/scheduled_at time"},
    {"{'scheduled_at':'in 1 min or so'}", "/scheduled_at time"},
    {"{'scheduled_at':'in 1 ms'}", "/scheduled_at time"},
    {"{'scheduled_at':'in 1'}", "/scheduled_at time"},
    {"{'scheduled_at':'in min'}", "/scheduled_at time"},
    {"{'scheduled_at':'in 99999999999999999999 min'}", "/scheduled_at time"},
    {"{'scheduled_at':' '}", "/scheduled_at time"},
};

static void test_bodies(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        char *text = quoted(bodies[i].body);
        given *g = emails("POST", "/emails", text);
        assert_false(g->plan.each || g->plan.dry);
        given_is_draft(g, 0, bodies[i].draft);
        given_free(g);
        free(text);
    }
}

static void test_faults(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(faulty); i++) {
        char *text = quoted(faulty[i].body);
        given *g = emails("POST", "/emails", text);
        given_has_faults(g, 0, faulty[i].draft);
        given_free(g);
        free(text);
    }
}

static void test_batch(void **state)
{
    static const struct {
        const char *header, *value;
        bool each;
    } cases[] = {
        {NULL, NULL, false},
        {"x-batch-validation", "strict", false},
        {"X-Batch-Validation", "permissive", true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        given *g =
            given_body(&dialect_resend, "POST", "/emails/batch", cases[i].header, cases[i].value,
                       "[{\"to\":\"a@x.test\"},7,{\"scheduled_at\":\"in 1 min\",\"bad\":1}]");
        assert_int_equal(g->plan.count, 3);
        assert_int_equal(g->plan.each, cases[i].each);
        given_is_draft(g, 0, "{'to':'a@x.test'}");
        given_has_faults(g, 1, "/1 wrong_type");
        given_has_faults(g, 2, "/2/bad unknown_member");
        given_stands_at(g, 2, "/send_at", "/2/scheduled_at");
        given_free(g);
    }
}

static void test_batches_that_are_none(void **state)
{
    static const struct {
        const char *body, *faults;
    } cases[] = {{"{}", " wrong_type"}, {"[]", " required"}, {"\"a\"", " wrong_type"}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        given *g = emails("POST", "/emails/batch", cases[i].body);
        assert_int_equal(g->plan.count, 0);
        given_has_faults(g, 0, cases[i].faults);
        given_free(g);
    }
    for (int count = 100; count <= 101; count++) {
        buf text = BUF_INIT;
        for (int i = 0; i < count; i++)
            buf_adds(&text, i ? ",{}" : "[{}");
        buf_adds(&text, "]");
        given *g = emails("POST", "/emails/batch", buf_cstr(&text));
        assert_int_equal(g->plan.count, count == 100 ? 100 : 0);
        assert_int_equal(g->plan.errors.total, count == 100 ? 0 : 1);
        given_free(g);
        buf_free(&text);
    }
}

static void test_reschedule(void **state)
{
    static const struct {
        const char *body, *draft, *faults;
    } cases[] = {
        {"{\"scheduled_at\":\"2027-01-01T00:00:00Z\",\"id\":\"x\"}",
         "{'send_at':'2027-01-01T00:00:00Z'}", NULL},
        {"{\"scheduled_at\":\"in 1 hour\"}", "{'send_at':1790003600}", NULL},
        {"{}", NULL, "/scheduled_at required"},
        {"{\"scheduled_at\":null}", NULL, "/scheduled_at required"},
        {"{\"scheduled_at\":\"soon\"}", NULL, "/scheduled_at time"},
        {"{\"scheduled_at\":\"in 1 hour\",\"to\":\"b@x.test\"}", NULL, "/to unknown_member"},
        {"[]", NULL, " wrong_type"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        given *g = emails("PATCH", "/emails/{id}", cases[i].body);
        assert_int_equal(g->plan.count, 1);
        if (cases[i].draft)
            given_is_draft(g, 0, cases[i].draft);
        else
            given_has_faults(g, 0, cases[i].faults);
        given_free(g);
    }
}

static void test_origins(void **state)
{
    static const struct {
        const char *ours, *theirs;
    } cases[] = {
        {"", ""},
        {"/to/1", "/to/1"},
        {"/headers/X-A", "/headers/X-A"},
        {"/send_at", "/scheduled_at"},
        {"/template", "/template/id"},
        {"/data/user/name", "/template/variables/user/name"},
        {"/metadata", "/tags"},
        {"/metadata/b~1c", "/tags/1"},
        {"/metadata/none", "/tags/none"},
        {"/attachments/0/content_id", "/attachments/0/content_id"},
    };
    (void)state;
    given *g = emails("POST", "/emails", "{\"tags\":[{\"name\":\"a\"},{\"name\":\"b/c\"},3]}");
    for (size_t i = 0; i < COUNT(cases); i++)
        given_stands_at(g, 0, cases[i].ours, cases[i].theirs);
    given_free(g);
}

/* ---- answers ---- */

static void test_accepted(void **state)
{
    const dialect_sent sent = {.id = ID};
    (void)state;
    given *g = emails("POST", "/emails", "{}");
    g->endpoint->accepted(&g->body, &sent, 1, false, &g->answer);
    given_is_answer(&g->answer, 200, "{'id':'" UUID "'}");
    given_free(g);
}

static void test_accepted_batch(void **state)
{
    faults errors;
    (void)state;
    faults_init(&errors);
    faults_add(&errors, "/1/to", "required", "At least one recipient is required.");
    const dialect_refusal invalid = {.status = 422, .reason = "invalid", .errors = &errors};
    const dialect_sent list[] = {{.id = ID}, {.refusal = &invalid}, {.id = ID}};
    given *g = given_body(&dialect_resend, "POST", "/emails/batch", "x-batch-validation",
                          "permissive", "[{},{},{}]");
    g->endpoint->accepted(&g->body, list, 3, false, &g->answer);
    given_is_answer(&g->answer, 200,
                    "{'data':[{'id':'" UUID "'},{'id':'" UUID
                    "'}],'errors':[{'index':1,'message':'Missing `[1].to` field. At least one "
                    "recipient is required.'}]}");
    g->endpoint->accepted(&g->body, list, 1, false, &g->answer);
    given_is_answer(&g->answer, 200, "{'data':[{'id':'" UUID "'}],'errors':[]}");
    g->endpoint->accepted(&g->body, &list[1], 1, false, &g->answer);
    assert_non_null(strstr(buf_cstr(&g->answer.content), "\"data\":[]"));
    given_free(g);
    g = emails("POST", "/emails/batch", "[{}]");
    g->endpoint->accepted(&g->body, list, 1, false, &g->answer);
    given_is_answer(&g->answer, 200, "{'data':[{'id':'" UUID "'}]}");
    given_free(g);
    faults_free(&errors);
}

static void test_refused(void **state)
{
    static const struct {
        const char *reason;
        unsigned postern, status;
        const char *name;
    } cases[] = {
        {"bad-json", 400, 400, "validation_error"},
        {"unauthorized", 401, 401, "missing_api_key"},
        {"wrong-key", 401, 403, "invalid_api_key"},
        {"sender-forbidden", 403, 403, "validation_error"},
        {"not-found", 404, 404, "not_found"},
        {"method", 405, 405, "method_not_allowed"},
        {"conflict", 409, 422, "validation_error"},
        {"idempotency-mismatch", 422, 409, "invalid_idempotent_request"},
        {"idempotency-running", 409, 409, "concurrent_idempotent_requests"},
        {"idempotency-key", 400, 400, "invalid_idempotency_key"},
        {"too-large", 413, 413, "validation_error"},
        {"busy", 503, 503, "application_error"},
        {"no-queue", 503, 503, "application_error"},
        {"internal", 500, 500, "internal_server_error"},
        {"something-new", 418, 418, "application_error"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const dialect_refusal r = {
            .status = cases[i].postern, .reason = cases[i].reason, .detail = "Postern's words."};
        dialect_answer out = {.content = BUF_INIT};
        dialect_resend.refused(&r, &out);
        json_t *root = given_json(buf_cstr(&out.content));
        assert_int_equal(out.status, cases[i].status);
        assert_int_equal(json_integer_value(json_object_get(root, "statusCode")), cases[i].status);
        assert_string_equal(json_string_value(json_object_get(root, "name")), cases[i].name);
        assert_true(json_string_length(json_object_get(root, "message")) > 0);
        json_decref(root);
        buf_free(&out.content);
    }
}

static void test_names_of_faults(void **state)
{
    static const struct {
        const char *pointer, *code, *name, *message;
    } cases[] = {
        {"/to", "required", "missing_required_field", "Missing `to` field. Why."},
        {"/3/from", "required", "missing_required_field", "Missing `[3].from` field. Why."},
        {"/from", "address", "invalid_from_address",
         "Invalid `from` field. The email address needs to follow the `email@example.com` or `Name "
         "<email@example.com>` format. Why."},
        {"/to/0", "address", "validation_error",
         "Invalid `to[0]` field. The email address needs to follow the `email@example.com` or "
         "`Name <email@example.com>` format. Why."},
        {"/attachments/0/content", "required", "invalid_attachment",
         "Invalid `attachments[0].content` field. Why."},
        {"/2/attachments/0/path", "unsupported", "invalid_attachment",
         "Invalid `[2].attachments[0].path` field. Why."},
        {"/scheduled_at", "time", "validation_error", "Invalid `scheduled_at` field. Why."},
        {"", "too_many", "validation_error", "Why."},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        faults errors;
        dialect_answer out = {.content = BUF_INIT};
        faults_init(&errors);
        faults_add(&errors, cases[i].pointer, cases[i].code, "Why.");
        const dialect_refusal r = {.status = 422, .reason = "invalid", .errors = &errors};
        dialect_resend.refused(&r, &out);
        json_t *root = given_json(buf_cstr(&out.content));
        assert_int_equal(out.status, 422);
        assert_string_equal(json_string_value(json_object_get(root, "name")), cases[i].name);
        assert_string_equal(json_string_value(json_object_get(root, "message")), cases[i].message);
        json_decref(root);
        buf_free(&out.content);
        faults_free(&errors);
    }
}

/* ---- what became of it ---- */

#define BASE                                                                                       \
    "'id':'" ID "','envelope_from':'s@x.test','message_id':'<m@x.test>','accepted_at':"            \
    "'2026-11-24T10:00:00.123Z'"

static void show(const char *path, const char *method, const char *message, const char *expected)
{
    dialect_answer out = {.content = BUF_INIT};
    char *text = quoted(message);
    json_t *root = given_json(text);
    given_endpoint(&dialect_resend, method, path)->show(root, &out);
    given_is_answer(&out, 200, expected);
    json_decref(root);
    free(text);
}

static void test_show(void **state)
{
    (void)state;
    show("/emails/{id}", "GET",
         "{" BASE ",'status':'scheduled','send_at':'2026-12-01T00:00:00.000Z','metadata':{'kind':"
         "'a'},'recipients':[{'email':'a@x.test','status':'waiting'},{'email':'b@x.test','status':"
         "'waiting'}],'attempts':[]}",
         "{'object':'email','id':'" UUID
         "','message_id':'<m@x.test>','to':['a@x.test','b@x.test'],'from':'s@x.test','created_at':"
         "'2026-11-24T10:00:00.123Z','subject':null,'html':null,'text':null,'cc':[],'bcc':[],"
         "'reply_to':[],'last_event':'scheduled','scheduled_at':'2026-12-01T00:00:00.000Z','tags':"
         "[{'name':'kind','value':'a'}]}");
    show("/emails/{id}", "PATCH", "{" BASE "}", "{'object':'email','id':'" UUID "'}");
    show("/emails/{id}/cancel", "POST", "{" BASE "}", "{'object':'email','id':'" UUID "'}");
}

static void test_last_event(void **state)
{
    static const struct {
        const char *message, *event;
    } cases[] = {
        {"{'status':'scheduled'}", "scheduled"},
        {"{'status':'queued','attempts':[]}", "queued"},
        {"{'status':'queued','attempts':[{}]}", "delivery_delayed"},
        {"{'status':'sending'}", "queued"},
        {"{'status':'sent'}", "sent"},
        {"{'status':'partial'}", "bounced"},
        {"{'status':'failed','recipients':[{'status':'suppressed'},{'status':'refused'}]}",
         "bounced"},
        {"{'status':'failed','recipients':[{'status':'suppressed'}]}", "suppressed"},
        {"{'status':'failed','recipients':[{}]}", "failed"},
        {"{'status':'expired'}", "failed"},
        {"{'status':'cancelled'}", "canceled"},
        {"{'status':'unknown'}", "sent"},
        {"{}", "queued"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        dialect_answer out = {.content = BUF_INIT};
        char *text = quoted(cases[i].message);
        json_t *root = given_json(text);
        given_endpoint(&dialect_resend, "GET", "/emails/{id}")->show(root, &out);
        json_t *answer = given_json(buf_cstr(&out.content));
        assert_string_equal(json_string_value(json_object_get(answer, "last_event")),
                            cases[i].event);
        json_decref(answer);
        json_decref(root);
        buf_free(&out.content);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies),     cmocka_unit_test(test_faults),
        cmocka_unit_test(test_batch),      cmocka_unit_test(test_batches_that_are_none),
        cmocka_unit_test(test_reschedule), cmocka_unit_test(test_origins),
        cmocka_unit_test(test_accepted),   cmocka_unit_test(test_accepted_batch),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_names_of_faults),
        cmocka_unit_test(test_show),       cmocka_unit_test(test_last_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
