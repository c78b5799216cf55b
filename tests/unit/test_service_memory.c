/* A request when memory runs out: each of its allocations fails once, and nothing is lost, left or
 * told wrongly. malloc is this program's own for it, which AddressSanitizer does not bear. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "dialect/dialect.h"
#include "service/form.h"
#include "service/hooks.h"
#include "service/request.h"

#define ID "01ARZ3NDEKTSV4RRFFQ69G5FAV"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

static long fail_at;        /* the allocation that fails, counted from 1; 0: none */
static volatile long asked; /* so far */
static volatile long kept;  /* allocations that were not freed, while `counting` */
static volatile bool counting;

#ifndef SANITIZED

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);
void __libc_free(void *p);

static bool fails(void)
{
    return counting && ++asked == fail_at;
}

static void *keep(void *p)
{
    kept += counting && p;
    return p;
}

void *malloc(size_t size)
{
    return fails() ? NULL : keep(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : keep(__libc_calloc(count, size));
}

void *realloc(void *p, size_t size)
{
    if (fails())
        return NULL;
    return p ? __libc_realloc(p, size) : keep(__libc_malloc(size));
}

void free(void *p)
{
    kept -= counting && p;
    __libc_free(p);
}

#endif

typedef struct fixture {
    config *config;
    store *store;
    buf text;
    buf expected; /* the message */
} fixture;

static void add_run(buf *out, const char *unit, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_adds(out, unit);
}

/* Every kind of string: short ones, long ones in memory and in the file, base64 in both. */
static void make_text(buf *out)
{
    buf_adds(out,
             "{\"from\":\"Shop <shop@example.com>\",\"to\":[\"a@b.test\",{\"email\":\"c@d.test\","
             "\"name\":\"Gr\\u00fc\\u00dfe\"}],\"cc\":\"e@f.test\",\"subject\":\"x\","
             "\"headers\":{\"X-Order\":\"12\"},\"html\":\"<p>");
    add_run(out, "one &amp; two \\u00e4\\n", 200);
    buf_adds(out, "\",\"attachments\":[{\"filename\":\"a.txt\",\"content\":\"aGVsbG8=\"},"
                  "{\"filename\":\"\\u7b80.pdf\",\"content\":\"");
    add_run(out, "aGVsbG8h", 300);
    buf_adds(out, "\"},{\"filename\":\"b.bin\",\"content_id\":\"logo@x\",\"content\":\"");
    add_run(out, "aGVsbG8h", 20000);
    buf_adds(out, "\"},{\"filename\":\"c.bin\",\"content\":\"");
    add_run(out, "aGVsbG8h", 2000);
    buf_adds(out, "\"}]}");
}

/* The message, made with all the memory there is, and nothing in a file. */
static void make_expected(fixture *f)
{
    const document_options options = {.lift_at = 512};
    buf detail = BUF_INIT;
    faults errors;
    request *q = NULL;
    document *d = document_create(&options);

    document_add(d, f->text.data, f->text.len);
    assert_int_equal(document_parse(d, &detail), DOCUMENT_OK);
    faults_init(&errors);
    assert_int_equal(request_create(f->config, NULL, d, ID, 0, &q, &errors), REQUEST_OK);
    mime_reader *r = mime_reader_create(q->message);
    assert_true(buf_reserve(&f->expected, (size_t)mime_message_size(q->message) + 1));
    f->expected.len = mime_reader_read(r, f->expected.data, f->expected.cap);
    assert_int_equal(f->expected.len, mime_message_size(q->message));
    mime_reader_free(r);
    request_free(q);
    faults_free(&errors);
    buf_free(&detail);
}

static int set_up(void **state)
{
    static fixture f;
    buf complaints = BUF_INIT;
    const char *const environment[] = {NULL};
    f.config = config_load_command(environment, &complaints);
    f.store = store_create(store_usual_folder(), (size_t)1 << 20);
    make_text(&f.text);
    make_expected(&f);
    assert_non_null(f.config);
    assert_non_null(f.store);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    config_free(f->config);
    store_free(f->store);
    buf_free(&f->text);
    buf_free(&f->expected);
    return 0;
}

typedef enum ending { SENT, NOMEM, WRONG } ending;

static ending read_all(const fixture *f, const request *q)
{
    char out[4096];
    size_t n, at = 0;
    bool same = true;
    mime_reader *r = mime_reader_create(q->message);
    if (!r)
        return NOMEM;
    while ((n = mime_reader_read(r, out, sizeof out)) > 0 && n != MIME_READ_FAILED) {
        same = same && n <= f->expected.len - at && memcmp(f->expected.data + at, out, n) == 0;
        at += n;
    }
    mime_reader_free(r);
    return n == 0 && same && at == f->expected.len ? SENT : WRONG;
}

static ending of_document(document_result result)
{
    return result == DOCUMENT_NOMEM || result == DOCUMENT_NO_SPACE ? NOMEM : WRONG;
}

/* What a service does with a body. */
static ending take(const fixture *f)
{
    document_options options = document_defaults(f->store, 10);
    buf detail = BUF_INIT;
    faults errors;
    request *q = NULL;

    options.share = (size_t)64 * 1024;
    document *d = document_create(&options);
    if (!d)
        return NOMEM;
    for (size_t at = 0; at < f->text.len; at += 7000)
        document_add(d, f->text.data + at, f->text.len - at < 7000 ? f->text.len - at : 7000);
    document_result result = document_parse(d, &detail);
    ending parsed = result == DOCUMENT_OK ? SENT : of_document(result);
    buf_free(&detail);
    if (parsed != SENT) {
        document_free(d);
        return parsed;
    }
    faults_init(&errors);
    request_result made = request_create(f->config, NULL, d, ID, 0, &q, &errors);
    faults_free(&errors);
    if (made != REQUEST_OK)
        return made == REQUEST_NOMEM ? NOMEM : WRONG;
    ending e = read_all(f, q);
    request_free(q);
    return e;
}

/* The block that a document leaves to the next: each is to ask for its own. */
static void drop_spare(const fixture *f)
{
    free(store_spare(f->store));
}

/* A sanitizer's or valgrind's malloc stands before ours, which then sees nothing. */
static bool is_ours(void)
{
    asked = kept = 0;
    counting = true;
    void *volatile p = malloc(1);
    bool seen = asked == 1 && kept == 1;
    free(p);
    counting = false;
    return seen && kept == 0;
}

static void whatever_allocation_fails_nothing_is_left(void **state)
{
    const fixture *f = *state;
    ending e;
    assert_int_equal(take(f), SENT); /* what is made once is made */
    drop_spare(f);
    if (!is_ours())
        skip();
    fail_at = 0;
    do {
        fail_at++;
        asked = kept = 0;
        counting = true;
        e = take(f);
        drop_spare(f);
        counting = false;
        if (e == WRONG || kept != 0 || store_used(f->store) != 0)
            fail_msg("allocation %ld: ending %d, %ld kept, %zu taken", fail_at, e, kept,
                     store_used(f->store));
    } while (asked >= fail_at);
    assert_true(fail_at > 50);
    assert_int_equal(e, SENT);
}

/* Those built in, and one mail by a template: most of its allocations are the first's. */
static ending take_template(const fixture *f)
{
    static const char text[] = "{\"from\":\"a@b.test\",\"to\":\"c@d.test\",\"template\":"
                               "\"generic\",\"data\":{\"a\":[1,{\"b\":\"c\"}]}}";
    const document_options options = {.store = f->store, .lift_at = 512, .share = 65536};
    buf detail = BUF_INIT;
    faults errors;
    request *q = NULL;
    ending e = NOMEM;
    templates *t = templates_load(NULL, &detail);
    document *d = t ? document_create(&options) : NULL;

    if (!d)
        goto cleanup;
    document_add(d, text, sizeof text - 1);
    document_result parsed = document_parse(d, &detail);
    if (parsed != DOCUMENT_OK) {
        e = of_document(parsed);
        document_free(d);
        goto cleanup;
    }
    faults_init(&errors);
    request_result made = request_create(f->config, t, d, ID, 0, &q, &errors);
    faults_free(&errors);
    e = made == REQUEST_OK ? SENT : made == REQUEST_NOMEM ? NOMEM : WRONG;
    request_free(q);

cleanup:
    templates_drop(t);
    buf_free(&detail);
    return e;
}

/* jansson asserts where it has no memory for an escape, as the samples have them: its own
 * allocations don't fail here. */
static json_malloc_t spared_malloc;
static json_free_t spared_free;

static void *spare_malloc(size_t size)
{
    bool was = counting;
    counting = false;
    void *p = spared_malloc(size);
    counting = was;
    return p;
}

static void spare_free(void *p)
{
    bool was = counting;
    counting = false;
    spared_free(p);
    counting = was;
}

static void templates_leave_nothing_either(void **state)
{
    const fixture *f = *state;
    long step = 1;
    ending e;
    assert_int_equal(take_template(f), SENT);
    drop_spare(f);
    if (!is_ours())
        skip();
    json_get_alloc_funcs(&spared_malloc, &spared_free);
    json_set_alloc_funcs(spare_malloc, spare_free);
    fail_at = 0;
    do { /* each of the first, then some: there are thousands, all alike */
        fail_at += step;
        step = fail_at < 300 ? 1 : 7;
        asked = kept = 0;
        counting = true;
        e = take_template(f);
        drop_spare(f);
        counting = false;
        if (e == WRONG || kept != 0 || store_used(f->store) != 0)
            fail_msg("allocation %ld: ending %d, %ld kept, %zu taken", fail_at, e, kept,
                     store_used(f->store));
    } while (asked >= fail_at);
    json_set_alloc_funcs(spared_malloc, spared_free);
    assert_true(fail_at > 300);
    assert_int_equal(e, SENT);
}

/* ---- a form becomes mails ---- */

#define FIELD(name, content)                                                                       \
    "--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" content "\r\n"
#define A_LINE "a text that is longer than what stands in the tree, for %recipient.n%\r\n"
#define A_TEXT A_LINE A_LINE A_LINE A_LINE A_LINE A_LINE A_LINE A_LINE

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

static ending compose_drafts(const fixture *f, document *d, const dialect_plan *plan)
{
    ending e = plan->count == 0 ? WRONG : SENT;

    for (size_t i = 0; i < plan->count && e == SENT; i++) {
        request *q = NULL;
        faults errors;
        faults_init(&errors);
        request_result made =
            plan->drafts[i].message
                ? request_create_draft(f->config, NULL, d, plan->drafts[i].message, ID, 0,
                                       REQUEST_DRAFT_ONE_OF_MANY, &q, &errors)
                : REQUEST_INVALID;
        e = made == REQUEST_OK ? SENT : made == REQUEST_NOMEM ? NOMEM : WRONG;
        request_free(q);
        faults_free(&errors);
    }
    return e;
}

static ending take_plan(const fixture *f, document *d, const dialect_endpoint *endpoint)
{
    const dialect_body body = {.root = document_root(d),
                               .parameter = "x.test",
                               .header = no_header,
                               .text = find_text,
                               .ctx = d};
    dialect_plan plan = {0};
    bool failed = false;

    document_enter(d);
    endpoint->read(&body, &plan);
    failed = !document_leave(d) || plan.nomem || plan.errors.failed;
    for (size_t i = 0; i < plan.count; i++)
        failed = failed || plan.drafts[i].errors.failed;
    ending e = failed ? NOMEM : plan.errors.total > 0 ? WRONG : compose_drafts(f, d, &plan);
    document_enter(d);
    dialect_plan_clear(&plan);
    (void)document_leave(d);
    return e;
}

static ending take_form(const fixture *f, const char *text, const dialect_endpoint *endpoint)
{
    const document_options options = {.store = f->store, .lift_at = 100, .share = 1024};
    const char *reason;
    document_result result;
    buf detail = BUF_INIT;
    form_reader *body = form_create(&options, "multipart/form-data; boundary=b", &reason);

    if (!body)
        return reason ? WRONG : NOMEM;
    for (size_t at = 0, len = strlen(text); at < len; at += 100)
        form_add(body, text + at, len - at < 100 ? len - at : 100);
    document *d = form_finish(body, &result, &detail);
    form_free(body);
    buf_free(&detail);
    ending e = d ? take_plan(f, d, endpoint) : of_document(result);
    document_free(d);
    return e;
}

static void forms_leave_nothing_either(void **state)
{
    static const char *const texts[] = {
        FIELD("from", "Shop <a@x.test>") FIELD("to", "b@x.test, C <c@x.test>") FIELD("text", A_TEXT)
            FIELD("subject", "%recipient.n%") FIELD("h:X-A", "%recipient.n%") FIELD("v:k", "v")
                FIELD("o:tag", "t") FIELD("recipient-variables", "{\"b@x.test\":{\"n\":\"name\"},"
                                                                 "\"c@x.test\":{\"n\":1}}")
                    FIELD("attachment\"; filename=\"a.txt", A_TEXT A_TEXT A_TEXT) "--b--\r\n",
        FIELD("to", "b@x.test")
            FIELD("message\"; filename=\"m", "Bcc: c@x.test\r\nFrom: a@x.test\n\n" A_TEXT) "--b--",
    };
    const fixture *f = *state;
    for (size_t i = 0; i < 2; i++) {
        const dialect_endpoint *endpoint = &dialect_mailgun.endpoints[i];
        ending e = take_form(f, texts[i], endpoint);
        assert_int_equal(e, SENT);
        drop_spare(f);
        if (!is_ours())
            skip();
        fail_at = 0;
        do {
            fail_at++;
            asked = kept = 0;
            counting = true;
            e = take_form(f, texts[i], endpoint);
            drop_spare(f);
            counting = false;
            if (e == WRONG || kept != 0 || store_used(f->store) != 0)
                fail_msg("form %zu, allocation %ld: ending %d, %ld kept, %zu taken", i, fail_at, e,
                         kept, store_used(f->store));
        } while (asked >= fail_at);
        assert_true(fail_at > 20);
        assert_int_equal(e, SENT);
    }
}

/* A configuration with one hook, in a file that is gone afterwards. */
static config *hook_configuration(void)
{
    static const char text[] =
        "{\"hooks\": {\"repo\": {\"profile\": \"github\", \"secret\": \"It's a secret\", "
        "\"message\": {\"from\": \"a@b.test\", \"to\": \"c@d.test\"}}}}";
    char path[] = "/tmp/postern-test-XXXXXX", variable[64];
    const char *const environment[] = {variable, NULL};
    buf complaints = BUF_INIT;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    (void)close(fd);
    (void)snprintf(variable, sizeof variable, "POSTERN_CONFIG=%s", path);
    config *c = config_load_command(environment, &complaints);
    (void)unlink(path);
    buf_free(&complaints);
    return c;
}

#define PUSH "{\"ref\":\"refs/heads/main\"}"

static const char *push_header(void *ctx, const char *name)
{
    static const char *const headers[][2] = {{"Content-Type", "application/json"},
                                             {"X-GitHub-Event", "push"},
                                             {"X-GitHub-Delivery", "d-1"}};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        if (strcmp(headers[i][0], name) == 0)
            return headers[i][1];
    return strcmp(name, "X-Hub-Signature-256") == 0 ? ctx : NULL;
}

/* A push: of its own template, and with its id, or not at all. */
static ending take_hook(const config *c, const char *signature)
{
    const hook_request r = {
        .header = push_header, .ctx = (char *)signature, .body = PUSH, .len = sizeof PUSH - 1};
    hooks_result result;
    buf complaints = BUF_INIT;
    templates *t = templates_load(NULL, &complaints);
    if (!t)
        return NOMEM;
    hooks_outcome outcome = hooks_take(c->hooks[0], t, &r, 0, &result);
    ending e = outcome == HOOKS_NOMEM ? NOMEM : WRONG;
    if (outcome == HOOKS_SEND) {
        const json_t *root = document_root(result.document);
        const char *name = json_string_value(json_object_get(root, "template"));
        e = name && strcmp(name, "github-push") == 0 && result.event && result.delivery ? SENT
                                                                                        : WRONG;
    }
    hooks_result_clear(&result);
    templates_drop(t);
    ERR_clear_error(); /* what libcrypto keeps for who asks what failed */
    return e;
}

static void a_hook_is_taken_whole_or_not_at_all(void **state)
{
    config *c = hook_configuration();
    buf headers = BUF_INIT;
    long step = 1;
    ending e;
    (void)state;
    assert_non_null(c);
    const config_hook *h = c->hooks[0];
    assert_true(hook_sign(&h->schemes[0], &h->secrets[0], "", 0, PUSH, sizeof PUSH - 1, &headers));
    char *signature = strdup(strchr(buf_cstr(&headers), ':') + 2);
    signature[strcspn(signature, "\r\n")] = '\0';
    assert_int_equal(take_hook(c, signature), SENT);
    (void)ERR_peek_error(); /* and where: once for a thread */
    if (is_ours()) {
        json_get_alloc_funcs(&spared_malloc, &spared_free);
        json_set_alloc_funcs(spare_malloc, spare_free);
        fail_at = 0;
        do {
            fail_at += step;
            step = fail_at < 300 ? 1 : 7;
            asked = kept = 0;
            counting = true;
            e = take_hook(c, signature);
            counting = false;
            if (e == WRONG || kept != 0)
                fail_msg("allocation %ld: ending %d, %ld kept", fail_at, e, kept);
        } while (asked >= fail_at);
        json_set_alloc_funcs(spared_malloc, spared_free);
        assert_true(fail_at > 300);
    }
    free(signature);
    buf_free(&headers);
    config_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whatever_allocation_fails_nothing_is_left, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(templates_leave_nothing_either, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forms_leave_nothing_either, set_up, tear_down),
        cmocka_unit_test(a_hook_is_taken_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
