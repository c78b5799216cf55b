/* Tests of service/form: bodies of forms that come in pieces. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/form.h"

#define MULTIPART  "multipart/form-data; boundary=b"
#define URLENCODED "application/x-www-form-urlencoded"

/* A part, and the end of the body. */
#define PART(disposition, content)                                                                 \
    "--b\r\nContent-Disposition: form-data; " disposition "\r\n\r\n" content "\r\n"
#define END "--b--\r\n"

static const document_options plain = {.lift_at = 20, .share = 4096, .rest = 100000};

/* ---- what came, as JSON without references ---- */

static char *content_of(const document_string *s)
{
    if (!s->is_base64)
        return strndup(s->text.data, s->text.len);
    char *text = calloc(1, (size_t)s->wrapped.len + 1);
    assert_non_null(text);
    if (s->wrapped.data)
        memcpy(text, s->wrapped.data, (size_t)s->wrapped.len);
    else
        assert_true(s->wrapped.read(s->wrapped.ctx, 0, text, (size_t)s->wrapped.len));
    return text;
}

static json_t *resolved(document *d, const json_t *value)
{
    document_string found;
    const char *name;
    json_t *member;
    size_t i;

    if (json_is_string(value) && document_lifted(d, value, &found)) {
        char *text = content_of(&found);
        json_t *out = json_string(text);
        free(text);
        return out;
    }
    if (json_is_string(value))
        return json_deep_copy(value);
    json_t *out = json_is_object(value) ? json_object() : json_array();
    json_object_foreach((json_t *)value, name, member)
        json_object_set_new(out, name, resolved(d, member));
    json_array_foreach(value, i, member) json_array_append_new(out, resolved(d, member));
    return out;
}

/* The document, or the sentence of its fault, as text; freed by the caller. Pieces of `piece`. */
static char *read_form(const document_options *options, const char *type, const char *body,
                       size_t len, size_t piece)
{
    const char *reason;
    document_result result;
    buf detail = BUF_INIT;
    form_reader *f = form_create(options, type, &reason);

    if (!f)
        return strdup(reason ? reason : "no memory");
    assert_null(reason);
    for (size_t at = 0; at < len; at += piece) {
        /* Of its own, so that a sanitizer sees what is read beyond it. */
        size_t n = len - at < piece ? len - at : piece;
        char *copy = malloc(n);
        assert_non_null(copy);
        memcpy(copy, body + at, n);
        form_add(f, copy, n);
        free(copy);
    }
    document *d = form_finish(f, &result, &detail);
    char *text;
    if (d) {
        json_t *tree = resolved(d, document_root(d));
        text = json_dumps(tree, JSON_COMPACT);
        json_decref(tree);
    } else if (result == DOCUMENT_BAD || result == DOCUMENT_TOO_LARGE) {
        text = buf_take(&detail);
    } else {
        text = strdup(result == DOCUMENT_NO_SPACE ? "no space" : "no memory");
    }
    assert_non_null(text);
    document_free(d);
    form_free(f);
    buf_free(&detail);
    return text;
}

/* The same wherever it is cut. */
static void assert_form(const char *type, const char *body, size_t len, const char *expected)
{
    for (size_t piece = 1; piece <= len + 1; piece++) {
        char *have = read_form(&plain, type, body, len, piece);
        if (strcmp(have, expected) != 0)
            fail_msg("pieces of %zu of %s: %s\nexpected: %s", piece, body, have, expected);
        free(have);
    }
}

#define BECOMES(type, body, expected) assert_form(type, body, sizeof(body) - 1, expected)
#define FAULT(type, body, why)        BECOMES(type, body, "The form can't be read: " why)

/* ---- multipart/form-data ---- */

static void fields_come_in_their_order_and_repeat(void **state)
{
    (void)state;
    BECOMES(MULTIPART,
            PART("name=\"to\"", "a@x.test") PART("name=\"from\"", "") PART("name=to", "b@x.test")
                END,
            "{\"to\":[\"a@x.test\",\"b@x.test\"],\"from\":[\"\"]}");
    BECOMES(MULTIPART, END, "{}");
    BECOMES(MULTIPART,
            PART("name=t", "a text that is longer than what stands in the tree")
                PART("name=t", "exactly twenty bytes") END,
            "{\"t\":[\"a text that is longer than what stands in the tree\",\"exactly twenty "
            "bytes\"]}");
}

static void content_may_look_like_a_boundary(void **state)
{
    (void)state;
    BECOMES(MULTIPART, PART("name=t", "\r\r\n\r\n--\r\n-b\n--b\r--b\r\n--c\r") END,
            "{\"t\":[\"\\r\\r\\n\\r\\n--\\r\\n-b\\n--b\\r--b\\r\\n--c\\r\"]}");
    BECOMES("multipart/form-data; charset=utf-8; boundary=\"=_ '():b\"",
            "--=_ '():b\r\nContent-Disposition: form-data; name=t\r\n\r\n--b\r\n--=_ '():b--",
            "{\"t\":[\"--b\"]}");
}

static void what_is_around_the_parts_is_dropped(void **state)
{
    (void)state;
    BECOMES(MULTIPART, "a preamble\r\n--not\r\n" PART("name=t", "x") END "\r\nan epilogue --b",
            "{\"t\":[\"x\"]}");
    BECOMES(MULTIPART,
            "--b \t\r\nContent-Disposition: form-data; name=t\r\n\r\nx\r\n--b--and what follows",
            "{\"t\":[\"x\"]}");
}

static void files_are_kept_as_the_base64_of_the_mail(void **state)
{
    (void)state;
    BECOMES(MULTIPART,
            "--b\r\ncontent-type:  image/png; x=\"y\" \r\nContent-Disposition: form-data; "
            "name=\"f\"; filename=\"a.png\"\r\n\r\n\x00\xFF\r\n\r\n" END,
            "{\"f\":[{\"filename\":\"a.png\",\"content_type\":\"image/png; "
            "x=\\\"y\\\"\",\"content\":\"AP8NCg==\\r\\n\"}]}");
    BECOMES(MULTIPART, PART("name=f; filename=empty", "") END,
            "{\"f\":[{\"filename\":\"empty\",\"content\":\"\"}]}");
    /* A line has 57 octets. */
    BECOMES(MULTIPART,
            PART("name=f; filename=a", "123456789012345678901234567890123456789012345678901234567")
                END,
            "{\"f\":[{\"filename\":\"a\",\"content\":"
            "\"MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3\\r\\n"
            "\"}]}");
    BECOMES(MULTIPART,
            PART("name=f; filename=a", "123456789012345678901234567890123456789012345678901234567x")
                END,
            "{\"f\":[{\"filename\":\"a\",\"content\":"
            "\"MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3\\r\\n"
            "eA==\\r\\n\"}]}");
}

#define NAMED(disposition, expected)                                                               \
    BECOMES(MULTIPART, PART("name=f; " disposition, "") END,                                       \
            "{\"f\":[{\"filename\":\"" expected "\",\"content\":\"\"}]}")

static void files_have_the_names_that_clients_write(void **state)
{
    (void)state;
    NAMED("filename=\"\xE6\x8A\xA5\xE5\x91\x8A.txt\"", "\xE6\x8A\xA5\xE5\x91\x8A.txt");
    NAMED("filename=\"say \\\"hi\\\" \\\\o.txt\"", "say \\\"hi\\\" \\\\o.txt");
    NAMED("filename=\"say %22hi%22 100%.txt\"", "say \\\"hi\\\" 100%.txt");
    NAMED("filename=\"C:\\dir\\a.txt\"", "C:\\\\dir\\\\a.txt");
    NAMED("filename=\"a;b=\\\"c.txt\"; x=y", "a;b=\\\"c.txt");
    NAMED("filename=\"old.txt\"; filename*=UTF-8''%e2%82%ac%20rates", "\xE2\x82\xAC rates");
    NAMED("filename*=utf-8'en'%e2%82%ac; filename=old.txt", "\xE2\x82\xAC");
    NAMED("FileName=plain.txt;", "plain.txt");
    BECOMES(MULTIPART, PART("name=f; filename=\"\"", "x") END,
            "{\"f\":[{\"filename\":\"\",\"content\":\"eA==\\r\\n\"}]}");
    BECOMES(MULTIPART, PART("name=f; filename=\"\"", "") PART("name=t", "x") END,
            "{\"t\":[\"x\"]}");
}

static void a_name_may_be_quoted(void **state)
{
    (void)state;
    BECOMES(MULTIPART, PART("name=\"h:X-A\\\"%22;\"", "x") END, "{\"h:X-A\\\"\\\";\":[\"x\"]}");
}

static void faults_of_parts_are_told(void **state)
{
    (void)state;
    FAULT(MULTIPART, "", "it ends before its last boundary.");
    FAULT(MULTIPART, PART("name=t", "x"), "it ends before its last boundary (at field 1).");
    FAULT(MULTIPART, PART("name=t", "x") "--b-", "it ends before its last boundary (at field 1).");
    FAULT(MULTIPART, PART("name=f; filename=a", "x"),
          "it ends before its last boundary (at field 1).");
    FAULT(MULTIPART, "--b\r\nContent-Dis", "it ends before its last boundary.");
    FAULT(MULTIPART, "--bb\r\n" END,
          "a boundary is followed by something else than the end of its line.");
    FAULT(MULTIPART, "--b\nContent-Disposition: form-data; name=t\n\nx\n--b--\n",
          "a boundary is followed by something else than the end of its line.");
    FAULT(MULTIPART, PART("name=t", "a\0b") END, "a field holds NUL (at field 1).");
    FAULT(MULTIPART, PART("name=u", "") PART("name=t", "\xC3(") END,
          "a field is not UTF-8 (at field 2).");
    FAULT(MULTIPART, PART("name=t", "\xE2\x82") END, "a field is not UTF-8 (at field 1).");
    FAULT(MULTIPART, PART("name=t", "a long one that is lifted \xFF") END,
          "a field is not UTF-8 (at field 1).");
    FAULT(MULTIPART, PART("name=\"\"", "x") END, "a field has no name.");
    FAULT(MULTIPART, PART("name=\"\xFF\"", "x") END, "a field's name is not UTF-8.");
    FAULT(MULTIPART, PART("name=\"a%0D%0Ab\"", "x") END,
          "a field's name holds a control character.");
    FAULT(MULTIPART, PART("filename=a", "x") END,
          "the Content-Disposition of a part is malformed.");
    FAULT(MULTIPART, PART("name=a; filename=\"a", "x") END,
          "the Content-Disposition of a part is malformed.");
    FAULT(MULTIPART, PART("name=a; filename=\"a\"b\"", "x") END,
          "the Content-Disposition of a part is malformed.");
    FAULT(MULTIPART, PART("name=a; filename*=latin1''a", "x") END,
          "the Content-Disposition of a part is malformed.");
    FAULT(MULTIPART, PART("name=a; name=b", "x") END,
          "the Content-Disposition of a part is malformed.");
    FAULT(MULTIPART, PART("name=a; filename=\"\xFF\"", "x") END, "a file's name is not UTF-8.");
    FAULT(MULTIPART, "--b\r\n\r\nx\r\n" END, "a part has no Content-Disposition.");
    FAULT(MULTIPART, "--b\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n" END,
          "a part's Content-Disposition is not form-data.");
    FAULT(MULTIPART, "--b\r\nno field\r\n\r\nx\r\n" END, "the header of a part is malformed.");
    FAULT(MULTIPART,
          "--b\r\nContent-Type: text/plain; charset=latin1\r\nContent-Disposition: form-data; "
          "name=a\r\n\r\nx\r\n" END,
          "the charset of a field is not UTF-8.");
    FAULT(MULTIPART,
          "--b\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: form-data; "
          "name=a\r\n\r\nx\r\n" END,
          "the Content-Transfer-Encoding of a part is not binary, 8bit or 7bit.");
}

static void what_has_no_bound_gets_one(void **state)
{
    (void)state;
    buf body = BUF_INIT;
    char *have;

    for (size_t i = 0; i <= FORM_FIELDS; i++)
        buf_adds(&body, PART("name=t", "x"));
    buf_adds(&body, END);
    document_options wide = {.lift_at = 20, .share = 4096, .rest = 0};
    have = read_form(&wide, MULTIPART, body.data, body.len, 4000);
    assert_string_equal(have, "The form can't be read: there are more than 4000 fields (at field "
                              "4001).");
    free(have);
    buf_clear(&body);
    for (size_t i = 0; i < 7000; i++)
        buf_adds(&body, "x=exactly+twenty+bytes&");
    have = read_form(&plain, URLENCODED, body.data, body.len, 4000);
    assert_non_null(strstr(have, "more"));
    free(have);
    buf_clear(&body);
    for (size_t i = 0; i < 100; i++) /* names of files stand in the tree, too */
        buf_addf(&body, PART("name=f; filename=\"%01200zu\"", ""), i);
    buf_adds(&body, END);
    have = read_form(&plain, MULTIPART, body.data, body.len, 4000);
    assert_non_null(strstr(have, "more"));
    free(have);
    buf_clear(&body);
    buf_adds(&body, "--b\r\nX: ");
    for (size_t i = 0; i < FORM_HEAD; i++)
        buf_addc(&body, 'x');
    have = read_form(&plain, MULTIPART, body.data, body.len, 100);
    assert_string_equal(have, "The form can't be read: the header of a part is longer than 4096 "
                              "octets.");
    free(have);
    buf_clear(&body);
    for (size_t i = 0; i <= FORM_NAME; i++)
        buf_addc(&body, 'x');
    have = read_form(&plain, URLENCODED, body.data, body.len, 100);
    assert_string_equal(have, "The form can't be read: a field's name is longer than 256 octets.");
    free(have);
    buf_free(&body);
}

static void a_large_file_goes_to_the_stores_file_and_the_budget_holds(void **state)
{
    (void)state;
    enum { SIZE = 3000000 };
    store *s = store_create("/tmp", (size_t)400 * 1024);
    const document_options options = {.store = s, .lift_at = 512, .share = 65536};
    char *octets = malloc(SIZE), *encoded = malloc(SIZE / 3 * 4 + 8);
    const char *reason;
    document_result result;
    document_string found;
    buf detail = BUF_INIT;

    assert_non_null(s);
    assert_true(octets && encoded);
    for (size_t i = 0; i < SIZE; i++)
        octets[i] = (char)(i * 2654435761U >> 13);
    form_reader *f = form_create(&options, MULTIPART, &reason);
    static const char head[] = "--b\r\nContent-Disposition: form-data; name=f; filename=a\r\n\r\n";
    static const char end[] = "\r\n" END;
    form_add(f, head, sizeof head - 1);
    for (size_t at = 0, n = 1; at < SIZE; at += n, n = n * 3 % 40001) {
        form_add(f, octets + at, SIZE - at < n ? SIZE - at : n);
        assert_true(store_used(s) < (size_t)200 * 1024);
    }
    form_add(f, end, sizeof end - 1);
    document *d = form_finish(f, &result, &detail);
    assert_non_null(d);
    const json_t *file = json_array_get(json_object_get(document_root(d), "f"), 0);
    assert_true(document_lifted(d, json_object_get(file, "content"), &found));
    assert_null(found.wrapped.data);
    assert_int_equal(found.info.octets, SIZE);
    assert_int_equal(found.info.wrapped, found.wrapped.len);
    char *wrapped = malloc((size_t)found.wrapped.len);
    assert_true(found.wrapped.read(found.wrapped.ctx, 0, wrapped, (size_t)found.wrapped.len));
    mime_base64_info info;
    assert_true(mime_base64_check(wrapped, (size_t)found.wrapped.len, &info));
    assert_int_equal(info.wrapped, found.wrapped.len);
    assert_int_equal(mime_base64_decode(wrapped, (size_t)found.wrapped.len, encoded), SIZE);
    assert_memory_equal(encoded, octets, SIZE);
    document_free(d);
    form_free(f);
    assert_int_equal(store_used(s), 0);

    /* A text stays in memory, of which there is too little. */
    f = form_create(&options, URLENCODED, &reason);
    form_add(f, "text=", 5);
    memset(octets, 'x', SIZE);
    form_add(f, octets, SIZE);
    assert_null(form_finish(f, &result, &detail));
    assert_int_equal(result, DOCUMENT_NO_SPACE);
    form_free(f);
    assert_int_equal(store_used(s), 0);
    free(wrapped);
    free(octets);
    free(encoded);
    store_free(s);
    buf_free(&detail);
}

/* ---- application/x-www-form-urlencoded ---- */

static void urlencoded_fields_are_decoded(void **state)
{
    (void)state;
    BECOMES(URLENCODED, "", "{}");
    BECOMES("Application/X-WWW-Form-Urlencoded ; charset=UTF-8",
            "to=a%40x.test&to=b@x.test&&subject=%E6%8A%A5+1%2B1=2&o%3Atag=&alone",
            "{\"to\":[\"a@x.test\",\"b@x.test\"],\"subject\":[\"\xE6\x8A\xA5 "
            "1+1=2\"],\"o:tag\":[\"\"],\"alone\":[\"\"]}");
    BECOMES(URLENCODED, "text=a+text+that+is+longer+than+what+stands+in+the+tree%0D%0A",
            "{\"text\":[\"a text that is longer than what stands in the tree\\r\\n\"]}");
}

static void faults_of_urlencoded_fields_are_told(void **state)
{
    (void)state;
    FAULT(URLENCODED, "a=100%", "a % is not followed by two hexadecimal digits (at field 1).");
    FAULT(URLENCODED, "a=%4", "a % is not followed by two hexadecimal digits (at field 1).");
    FAULT(URLENCODED, "a=%zz", "a % is not followed by two hexadecimal digits (at field 1).");
    FAULT(URLENCODED, "%4=1", "a % is not followed by two hexadecimal digits.");
    FAULT(URLENCODED, "a=%00", "a field holds NUL (at field 1).");
    FAULT(URLENCODED, "a=\0", "a field holds NUL (at field 1).");
    FAULT(URLENCODED, "a=%FF", "a field is not UTF-8 (at field 1).");
    FAULT(URLENCODED, "a=%E2%82&b=1", "a field is not UTF-8 (at field 1).");
    FAULT(URLENCODED, "=1", "a field has no name.");
    FAULT(URLENCODED, "a%00=1", "a field's name holds a control character.");
}

/* ---- what is no form ---- */

static void other_types_are_told(void **state)
{
    (void)state;
    static const char *const none[] = {"application/json", "multipart/mixed; boundary=b",
                                       "multipart/form-dataset; boundary=b", ""};
    static const char *const bare[] = {
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"",
        "multipart/form-data; boundary=\"a\r\nb\"",
        "multipart/form-data; boundary=\"a",
    };
    const char *reason;

    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        assert_null(form_create(&plain, none[i], &reason));
        assert_string_equal(reason,
                            "Send multipart/form-data or application/x-www-form-urlencoded.");
    }
    assert_null(form_create(&plain, NULL, &reason));
    for (size_t i = 0; i < sizeof bare / sizeof *bare; i++) {
        assert_null(form_create(&plain, bare[i], &reason));
        assert_string_equal(reason, "The Content-Type of the body names no valid boundary.");
    }
    buf type = BUF_INIT;
    for (size_t len = FORM_BOUNDARY; len <= FORM_BOUNDARY + 1; len++) {
        buf_clear(&type);
        buf_adds(&type, "multipart/form-data; boundary=");
        for (size_t i = 0; i < len; i++)
            buf_addc(&type, 'b');
        form_reader *f = form_create(&plain, buf_cstr(&type), &reason);
        assert_int_equal(f != NULL, len <= FORM_BOUNDARY);
        form_free(f);
    }
    buf_free(&type);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_come_in_their_order_and_repeat),
        cmocka_unit_test(content_may_look_like_a_boundary),
        cmocka_unit_test(what_is_around_the_parts_is_dropped),
        cmocka_unit_test(files_are_kept_as_the_base64_of_the_mail),
        cmocka_unit_test(files_have_the_names_that_clients_write),
        cmocka_unit_test(a_name_may_be_quoted),
        cmocka_unit_test(faults_of_parts_are_told),
        cmocka_unit_test(what_has_no_bound_gets_one),
        cmocka_unit_test(a_large_file_goes_to_the_stores_file_and_the_budget_holds),
        cmocka_unit_test(urlencoded_fields_are_decoded),
        cmocka_unit_test(faults_of_urlencoded_fields_are_told),
        cmocka_unit_test(other_types_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
