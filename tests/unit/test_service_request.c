/* Tests of service/request: JSON to a message and its envelope, and its faults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/request.h"

#define ID "01KQXW3V9M4T5Y8ZC2B7D6F1GH"

static const char *const environment[] = {
    "POSTERN_RELAY=smtp://127.0.0.1:25?tls=none",
    "POSTERN_MAX_RECIPIENTS=3",
    NULL,
};

static const char *const limited[] = {
    "POSTERN_RELAY=smtp://127.0.0.1:25?tls=none",
    "POSTERN_FROM=Shop <shop@example.com>,example.org",
    NULL,
};

typedef struct made {
    config *config;
    request *request;
    request_result result;
    faults errors;
} made;

static document *parse(const char *text)
{
    const document_options options = document_defaults(NULL, 3);
    document *d = document_create(&options);
    buf detail = BUF_INIT;
    assert_non_null(d);
    document_add(d, text, strlen(text));
    assert_int_equal(document_parse(d, &detail), DOCUMENT_OK);
    buf_free(&detail);
    return d;
}

static made make(const char *const *settings, const char *text)
{
    buf complaints = BUF_INIT;
    made m = {.config = config_load(settings, &complaints)};
    assert_non_null(m.config);
    faults_init(&m.errors);
    m.result = request_create(m.config, NULL, parse(text), ID, 1790000000, &m.request, &m.errors);
    buf_free(&complaints);
    return m;
}

static void unmake(made *m)
{
    request_free(m->request);
    faults_free(&m->errors);
    config_free(m->config);
}

static char *message_of(const request *r)
{
    size_t size = (size_t)mime_message_size(r->message), at = 0, n;
    char *text = malloc(size + 1);
    mime_reader *reader = mime_reader_create(r->message);
    assert_non_null(text);
    assert_non_null(reader);
    while ((n = mime_reader_read(reader, text + at, size + 1 - at)) > 0)
        at += n;
    assert_int_equal(at, size);
    text[at] = '\0';
    mime_reader_free(reader);
    return text;
}

static void a_request_becomes_envelope_and_message(void **state)
{
    (void)state;
    made m = make(environment,
                  "{\"from\":\"Shop <shop@example.com>\",\"to\":[\"a@example.net\"],"
                  "\"cc\":{\"email\":\"b@example.net\",\"name\":\"B\"},\"bcc\":\"c@example.net\","
                  "\"subject\":\"S\",\"text\":\"T\",\"envelope_from\":\"bounces@example.com\"}");
    assert_int_equal(m.result, REQUEST_OK);
    assert_string_equal(m.request->reverse_path, "bounces@example.com");
    assert_int_equal(m.request->recipient_count, 3);
    assert_string_equal(m.request->recipients[2], "c@example.net");
    assert_string_equal(smtp_relay_name(m.request->relay), "default");
    char *text = message_of(m.request);
    assert_non_null(strstr(text, "From: Shop <shop@example.com>\r\n"));
    assert_non_null(strstr(text, "Cc: B <b@example.net>\r\n"));
    assert_non_null(strstr(text, "Message-ID: <" ID "@example.com>\r\n"));
    assert_null(strstr(text, "c@example.net"));
    free(text);
    unmake(&m);
}

static void an_address_named_twice_is_one_recipient(void **state)
{
    (void)state;
    made m =
        make(environment,
             "{\"from\":\"a@b.c\",\"to\":[\"z@e.f\",\"d@e.f\"],\"bcc\":\"z@E.F\",\"text\":\"\"}");
    assert_int_equal(m.result, REQUEST_OK);
    assert_int_equal(m.request->recipient_count, 2);
    assert_string_equal(m.request->recipients[0], "z@e.f");
    assert_string_equal(m.request->recipients[1], "d@e.f");
    unmake(&m);
}

static void the_null_reverse_path_can_be_asked_for(void **state)
{
    (void)state;
    made m = make(environment,
                  "{\"from\":\"a@b.c\",\"to\":\"d@e.f\",\"text\":\"\",\"envelope_from\":\"\"}");
    assert_int_equal(m.result, REQUEST_OK);
    assert_string_equal(m.request->reverse_path, "");
    unmake(&m);
}

static const faults_item *find(const made *m, const char *pointer)
{
    for (size_t i = 0; i < m->errors.count; i++) {
        if (strcmp(m->errors.list[i].pointer, pointer) == 0)
            return &m->errors.list[i];
    }
    return NULL;
}

static void every_fault_is_in_one_list(void **state)
{
    (void)state;
    static const struct {
        const char *pointer, *code;
    } expected[] = {
        {"/from", "wrong_type"},
        {"/to/1", "address"},
        {"/to/2/email", "required"},
        {"/to/2/mail", "unknown_member"},
        {"/subject", "header_value"},
        {"/html", "wrong_type"},
        {"/text", "nul"},
        {"/attachments/0", "wrong_type"},
        {"/attachments/1/content", "required"},
        {"/attachments/2/content", "base64"},
        {"/attachments/2/disposition", "disposition"},
        {"/attachments/3/content_type", "content_type"},
        {"/attachments/3/filename", "filename"},
        {"/attachments/3/content_id", "content_id"},
        {"/attachments/3/size", "unknown_member"},
        {"/headers/Bcc", "header_name"},
        {"/headers/X-A", "header_value"},
        {"/headers/X-B", "wrong_type"},
        {"/relay", "unknown_relay"},
        {"/transcript", "wrong_type"},
        {"/a~1b~0", "unknown_member"},
    };
    made m = make(
        environment,
        "{\"from\":7,\"to\":[\"ok@example.net\",\"nobody\",{\"mail\":\"x\"}],\"subject\":\"a\\nb\","
        "\"html\":[],\"text\":\"a\\u0000b\",\"attachments\":[1,{},{\"filename\":\"r.pdf\","
        "\"content\":\"QU*B\","
        "\"disposition\":\"x\"},{\"content\":\"\",\"content_type\":\"multipart/"
        "mixed\",\"filename\":\"a\\nb\","
        "\"content_id\":\"a b\",\"size\":1}],\"headers\":{\"Bcc\":\"x@y.z\",\"X-A\":\"a\\r\\nBcc: "
        "x@y.z\","
        "\"X-B\":1},\"relay\":\"other\",\"transcript\":1,\"a/b~\":1}");
    assert_int_equal(m.result, REQUEST_INVALID);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        const faults_item *e = find(&m, expected[i].pointer);
        if (!e) {
            fail_msg("no fault at %s", expected[i].pointer);
            return; /* it does not come back, which clang-tidy can't know */
        }
        assert_string_equal(e->code, expected[i].code);
    }
    assert_int_equal(m.errors.total, sizeof expected / sizeof *expected);
    const faults_item *base64 = find(&m, "/attachments/2/content");
    assert_true(base64->has_offset);
    assert_int_equal(base64->offset, 2);
    assert_non_null(strstr(base64->detail, "r.pdf"));
    unmake(&m);
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    made m = make(environment, "{\"cc\":[],\"html\":null}");
    assert_int_equal(m.result, REQUEST_INVALID);
    assert_int_equal(m.errors.total, 3);
    assert_string_equal(find(&m, "/from")->code, "required");
    assert_string_equal(find(&m, "/to")->code, "required");
    assert_string_equal(find(&m, "/html")->code, "required");
    unmake(&m);
}

static void recipients_are_counted_over_all_lists(void **state)
{
    (void)state;
    made m = make(environment,
                  "{\"from\":\"a@b.c\",\"text\":\"\",\"to\":[\"a@b.c\",\"b@b.c\"],\"cc\":\"c@b.c\","
                  "\"bcc\":\"d@b.c\"}");
    assert_int_equal(m.result, REQUEST_INVALID);
    assert_string_equal(m.errors.list[0].code, "too_many_recipients");
    unmake(&m);
}

static void thousands_of_faults_are_bounded(void **state)
{
    (void)state;
    buf text = BUF_INIT;
    buf_adds(&text, "{\"from\":\"a@b.c\",\"to\":\"d@e.f\",\"text\":\"\",\"attachments\":[");
    for (int i = 0; i < 900; i++)
        buf_adds(&text, i ? ",0" : "0");
    buf_adds(&text, "]}");
    made m = make(environment, buf_cstr(&text));
    assert_int_equal(m.result, REQUEST_INVALID);
    assert_int_equal(m.errors.count, FAULTS_MAX);
    assert_int_equal(m.errors.total, 900);
    unmake(&m);
    buf_free(&text);
}

static void senders_outside_the_configuration_are_forbidden(void **state)
{
    (void)state;
    made m = make(limited, "{\"from\":\"x@example.com\",\"to\":\"d@e.f\",\"text\":\"\",\"envelope_"
                           "from\":\"x@evil.test\"}");
    assert_int_equal(m.result, REQUEST_FORBIDDEN);
    assert_int_equal(m.errors.total, 2);
    unmake(&m);
    m = make(limited, "{\"from\":\"anyone@EXAMPLE.org\",\"to\":\"d@e.f\",\"text\":\"\"}");
    assert_int_equal(m.result, REQUEST_OK);
    unmake(&m);
    m = make(limited, "{\"to\":\"d@e.f\",\"text\":\"\"}");
    assert_int_equal(m.result, REQUEST_OK);
    assert_string_equal(m.request->reverse_path, "shop@example.com");
    unmake(&m);
}

/* Lifted strings are read like others: a text, a name and a value that are long, and base64. */
static void long_strings_are_read_wherever_they_are_kept(void **state)
{
    (void)state;
    buf text = BUF_INIT;
    buf_adds(&text, "{\"from\":\"a@b.c\",\"to\":\"d@e.f\",\"text\":\"");
    for (int i = 0; i < 1000; i++)
        buf_adds(&text, "word ");
    buf_adds(&text, "\",\"headers\":{\"X-Long\":\"");
    for (int i = 0; i < 200; i++)
        buf_adds(&text, "word ");
    buf_adds(&text, "end\"},\"attachments\":[{\"filename\":\"a.bin\",\"content\":\"");
    for (int i = 0; i < 1000; i++)
        buf_adds(&text, "QUJD");
    buf_adds(&text, "\"}]}");
    made m = make(environment, buf_cstr(&text));
    assert_int_equal(m.result, REQUEST_OK);
    char *message = message_of(m.request);
    assert_non_null(strstr(message, "word word word"));
    assert_non_null(strstr(message, " end\r\n"));
    assert_non_null(strstr(message,
                           "\r\nQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJD"
                           "QUJDQUJDQUJDQUJD\r\nQUJD"));
    free(message);
    unmake(&m);
    text.data[text.len - 200] = '!';
    m = make(environment, buf_cstr(&text));
    assert_int_equal(m.result, REQUEST_INVALID);
    assert_int_equal(m.errors.total, 1);
    assert_string_equal(m.errors.list[0].pointer, "/attachments/0/content");
    assert_string_equal(m.errors.list[0].code, "base64");
    assert_int_equal(m.errors.list[0].offset, 4000 + 4 - 200);
    unmake(&m);
    buf_free(&text);
}

static void long_words_that_mean_nothing_are_faults(void **state)
{
    (void)state;
    buf text = BUF_INIT;
    buf_adds(&text, "{\"from\":\"a@b.c\",\"to\":\"d@e.f\",\"text\":\"\",\"relay\":\"");
    for (int i = 0; i < 200; i++)
        buf_adds(&text, "default");
    buf_adds(&text, "\",\"attachments\":[{\"content\":\"\",\"disposition\":\"");
    for (int i = 0; i < 200; i++)
        buf_adds(&text, "inline");
    buf_adds(&text, "\"}]}");
    made m = make(environment, buf_cstr(&text));
    assert_int_equal(m.result, REQUEST_INVALID);
    assert_int_equal(m.errors.total, 2);
    unmake(&m);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_becomes_envelope_and_message),
        cmocka_unit_test(an_address_named_twice_is_one_recipient),
        cmocka_unit_test(the_null_reverse_path_can_be_asked_for),
        cmocka_unit_test(every_fault_is_in_one_list),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(recipients_are_counted_over_all_lists),
        cmocka_unit_test(thousands_of_faults_are_bounded),
        cmocka_unit_test(senders_outside_the_configuration_are_forbidden),
        cmocka_unit_test(long_strings_are_read_wherever_they_are_kept),
        cmocka_unit_test(long_words_that_mean_nothing_are_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
