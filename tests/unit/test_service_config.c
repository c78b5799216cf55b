/* Tests of service/config: settings from an environment of the test's own and from files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "service/config.h"
#include "service/config_value.h"

#define KEY "correct-horse-battery"

/* Whether an Authorization header's value has one of the keys. */
static bool keys_authorized(const keys *k, const char *authorization)
{
    size_t len = 0;
    const char *key = k && authorization ? keys_token(authorization, &len) : NULL;
    return key && keys_has(k, key, len);
}

typedef struct fixture {
    buf faults;
    char paths[8][64]; /* files that tear_down() deletes */
    char entries[8][512];
    size_t count;
} fixture;

static int set_up(void **state)
{
    static fixture f;
    f = (fixture){0};
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    for (size_t i = 0; i < f->count; i++)
        (void)unlink(f->paths[i]);
    buf_free(&f->faults);
    return 0;
}

/* Loads with a list of "NAME=value" that NULL ends. */
#define LOAD(f, ...) load(f, (const char *const[]){__VA_ARGS__, NULL})

static config *load(fixture *f, const char *const *environment)
{
    buf_clear(&f->faults);
    config *c = config_load(environment, &f->faults);
    assert_true((c != NULL) == (f->faults.len == 0));
    return c;
}

/* Loads what must not load; the faults. */
#define FAULTS(f, ...) refused(f, (const char *const[]){__VA_ARGS__, NULL})

static const char *refused(fixture *f, const char *const *environment)
{
    assert_null(load(f, environment));
    return buf_cstr(&f->faults);
}

static size_t lines(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

/* Writes a file and gives "NAME=path of it". */
static const char *file_as(fixture *f, const char *name, const void *content, size_t len)
{
    char path[] = "/tmp/postern-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(f->count < sizeof f->paths / sizeof *f->paths);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, len), (ssize_t)len);
    (void)close(fd);
    memcpy(f->paths[f->count], path, sizeof path);
    (void)snprintf(f->entries[f->count], sizeof f->entries[0], "%s=%s", name, path);
    return f->entries[f->count++];
}

static const char *json_file(fixture *f, const char *json)
{
    return file_as(f, "POSTERN_CONFIG", json, strlen(json));
}

static void nothing_set_gives_the_defaults(void **state)
{
    fixture *f = *state;
    config *c = LOAD(f, "PATH=/bin", "HOME=/root");
    assert_non_null(c);
    assert_int_equal(c->listen.kind, CONFIG_LISTEN_TCP);
    assert_string_equal(c->listen.host, "127.0.0.1");
    assert_int_equal(c->listen.port, 8025);
    assert_true(c->listen.loopback);
    assert_null(c->tls_cert);
    assert_null(c->keys);
    assert_false(c->auth_off);
    assert_int_equal(c->relay_count, 0);
    assert_null(config_relay(c, "default"));
    assert_null(c->senders.fallback.address);
    assert_int_equal(c->max_body, 40 * 1024 * 1024);
    assert_int_equal(c->max_memory, 128 * 1024 * 1024);
    assert_null(c->spill);
    assert_int_equal(c->max_recipients, 100);
    assert_int_equal(c->max_inflight, 1024);
    assert_int_equal(c->timeout_us, 60000000);
    assert_in_range(c->http_threads, 1, 4);
    assert_int_equal(c->sender_threads, 0);
    assert_int_equal(c->session_idle_us, 30000000);
    assert_int_equal(c->log_format, LOG_AUTO);
    assert_false(c->log_addresses);
    config_free(c);
    c = config_load(NULL, &f->faults);
    assert_non_null(c);
    config_free(c);
}

static void each_variable_is_read(void **state)
{
    fixture *f = *state;
    config *c =
        LOAD(f, "POSTERN_RELAY=smtps://user:secret@mail.example.com", "POSTERN_LISTEN=[::]:0",
             ("POSTERN_API_KEYS=" KEY ", another-key-that-is-long,"), "POSTERN_AUTH=keys",
             "POSTERN_MAX_BODY=1MB", "POSTERN_MAX_MEMORY=64MiB", "POSTERN_SPILL=/tmp",
             "POSTERN_MAX_RECIPIENTS=1", "POSTERN_MAX_INFLIGHT=100000", "POSTERN_TIMEOUT=500ms",
             "POSTERN_HTTP_THREADS=3", "POSTERN_SENDER_THREADS=2", "POSTERN_SESSION_IDLE=2m",
             "POSTERN_LOG=text", "POSTERN_LOG_ADDRESSES=on");
    assert_non_null(c);
    assert_int_equal(c->relay_count, 1);
    assert_string_equal(smtp_relay_host(config_relay(c, "default")), "mail.example.com");
    assert_string_equal(c->listen.host, "::");
    assert_int_equal(c->listen.port, 0);
    assert_false(c->listen.loopback);
    assert_int_equal(keys_count(c->keys), 2);
    assert_true(keys_authorized(c->keys, "Bearer " KEY));
    assert_int_equal(c->max_body, 1000000);
    assert_int_equal(c->max_recipients, 1);
    assert_int_equal(c->max_inflight, 100000);
    assert_int_equal(c->timeout_us, 500000);
    assert_int_equal(c->http_threads, 3);
    assert_int_equal(c->sender_threads, 2);
    assert_int_equal(c->session_idle_us, 120000000);
    assert_int_equal(c->log_format, LOG_TEXT);
    assert_true(c->log_addresses);
    config_free(c);
}

static void a_value_that_does_not_read_is_a_fault_that_says_what_would(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *entry, *fault;
    } cases[] = {
        {"POSTERN_MAX_BODY=0", "POSTERN_MAX_BODY: must be a size of 1KiB to 1GiB, such as 40MiB\n"},
        {"POSTERN_MAX_BODY=40M",
         "POSTERN_MAX_BODY: must be a size of 1KiB to 1GiB, such as 40MiB\n"},
        {"POSTERN_MAX_BODY=99999999999999999999",
         "POSTERN_MAX_BODY: must be a size of 1KiB to 1GiB, such as 40MiB\n"},
        {"POSTERN_MAX_RECIPIENTS=0", "POSTERN_MAX_RECIPIENTS: must be a number of 1 to 10000\n"},
        {"POSTERN_MAX_RECIPIENTS=10001",
         "POSTERN_MAX_RECIPIENTS: must be a number of 1 to 10000\n"},
        {"POSTERN_MAX_RECIPIENTS=+5", "POSTERN_MAX_RECIPIENTS: must be a number of 1 to 10000\n"},
        {"POSTERN_MAX_RECIPIENTS= 5", "POSTERN_MAX_RECIPIENTS: must be a number of 1 to 10000\n"},
        {"POSTERN_TIMEOUT=60", "POSTERN_TIMEOUT: must be a time of 100ms to 1h, such as 60s\n"},
        {"POSTERN_TIMEOUT=2h", "POSTERN_TIMEOUT: must be a time of 100ms to 1h, such as 60s\n"},
        {"POSTERN_HTTP_THREADS=65", "POSTERN_HTTP_THREADS: must be a number of 1 to 64\n"},
        {"POSTERN_LOG=xml", "POSTERN_LOG: must be json, text or auto\n"},
        {"POSTERN_LOG_ADDRESSES=yes", "POSTERN_LOG_ADDRESSES: must be on or off\n"},
        {"POSTERN_AUTH=none", "POSTERN_AUTH: must be off or keys\n"},
        {"POSTERN_FROM=", "POSTERN_FROM: is empty: give it a value, or leave it out\n"},
        {"POSTERN_FROM= , ", "POSTERN_FROM: holds no address or domain\n"},
        {"POSTERN_FROM=*.example.com",
         "POSTERN_FROM: item 1: subdomains can't be allowed with *.; name each domain\n"},
        {"POSTERN_API_KEYS=,", "POSTERN_API_KEYS: holds no key\n"},
        {"POSTERN_API_KEYS=" KEY ",short",
         "POSTERN_API_KEYS: key 2: a key has 16 characters at least\n"},
        {"POSTERN_CONFIG=", "POSTERN_CONFIG: is empty: give it a value, or leave it out\n"},
        {"POSTERN_RELAY_FILE=/nonexistent\n/\x1B\x7F",
         "POSTERN_RELAY_FILE: Can't read /nonexistent?/??: No such file or directory.\n"},
        {"POSTERN_CONFIG=/nonexistent/file",
         "POSTERN_CONFIG: Can't read /nonexistent/file: No such file or directory.\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(FAULTS(f, cases[i].entry), cases[i].fault);
}

static void all_faults_are_told_at_once(void **state)
{
    fixture *f = *state;
    const char *text = FAULTS(f, "POSTERN_LOG=xml", "POSTERN_TIMEOUT=soon", "POSTERN_TIMEOTU=1s",
                              "POSTERN_LISTEN=8025", "POSTERN_TLS_CERT=/nonexistent/cert");
    assert_int_equal(lines(text), 6);
    assert_non_null(strstr(text, "POSTERN_TLS_KEY: is missing"));
    assert_non_null(strstr(text, "POSTERN_TLS_CERT: Can't read"));
}

static void an_unknown_variable_is_a_fault_with_the_nearest_name(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *entry, *fault;
    } cases[] = {
        {"POSTERN_API_KEY=x",
         "POSTERN_API_KEY: there is no such setting; did you mean POSTERN_API_KEYS?\n"},
        {"POSTERN_TIMEOTU=1s",
         "POSTERN_TIMEOTU: there is no such setting; did you mean POSTERN_TIMEOUT?\n"},
        {"POSTERN_RELAY_FIL=x",
         "POSTERN_RELAY_FIL: there is no such setting; did you mean POSTERN_RELAY_FILE?\n"},
        {"POSTERN_SOMETHING_ELSE=x", "POSTERN_SOMETHING_ELSE: there is no such setting\n"},
        {"POSTERN_LOG_FILE=x", "POSTERN_LOG_FILE: there is no such setting\n"},
        {"POSTERN_=x", "POSTERN_: there is no such setting\n"},
        {"POSTERN_\x1B[2J=x", "POSTERN_?[2J: there is no such setting\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(FAULTS(f, cases[i].entry), cases[i].fault);

    char long_name[1000] = "POSTERN_";
    memset(long_name + 8, 'X', sizeof long_name - 11);
    memcpy(long_name + sizeof long_name - 3, "=1", 3);
    assert_true(strlen(FAULTS(f, long_name)) < 120);
}

static void what_kubernetes_sets_for_a_service_of_that_name_is_let_be(void **state)
{
    fixture *f = *state;
    config *c = LOAD(f, "POSTERN_SERVICE_HOST=10.0.0.7", "POSTERN_SERVICE_PORT=8025",
                     "POSTERN_SERVICE_PORT_HTTP=8025", "POSTERN_PORT=tcp://10.0.0.7:8025",
                     "POSTERN_PORT_8025_TCP=tcp://10.0.0.7:8025", "POSTERN_PORT_8025_TCP_PROTO=tcp",
                     "POSTERN_PORT_8025_TCP_ADDR=10.0.0.7");
    assert_non_null(c);
    config_free(c);
    assert_non_null(strstr(FAULTS(f, "POSTERN_PORT=8025"), "POSTERN_PORT: there is no such"));
}

static void listening_addresses_are_read_and_loopback_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        uint16_t port;
        bool loopback;
    } good[] = {
        {"127.0.0.1:8025", "127.0.0.1", 8025, true},
        {"127.9.9.9:1", "127.9.9.9", 1, true},
        {"0.0.0.0:8025", "0.0.0.0", 8025, false},
        {"[::1]:65535", "::1", 65535, true},
        {"[::]:0", "::", 0, false},
        {"localhost:80", "localhost", 80, true},
        {"LocalHost:80", "LocalHost", 80, true},
        {"mail.example.com:80", "mail.example.com", 80, false},
        {"128.0.0.1:80", "128.0.0.1", 80, false},
        {"localhost.evil.example:80", "localhost.evil.example", 80, false},
    };
    static const char *const bad[] = {
        "",
        ":8025",
        "*:8025",
        "8025",
        "localhost",
        "localhost:",
        "localhost:65536",
        "localhost:-1",
        "localhost:8025x",
        "::1:8025",
        "[::1]",
        "[::1]8025",
        "[::1:8025",
        "[127.0.0.1]:1",
        "[]:1",
        "[::1%lo]:1",
        "http://localhost:80",
        "local host:1",
        "256.0.0.1:80",
        "127.1:80",
        "unix:",
        "unix:relative",
        ("unix:/01234567890123456789"
         "0123456789012345678901234567890123456789012345678901234567890123456789"
         "01234567890123456789"),
    };
    config_listen listen;
    const char *reason = NULL;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(config_value_listen(good[i].text, &listen, &reason));
        assert_int_equal(listen.kind, CONFIG_LISTEN_TCP);
        assert_string_equal(listen.host, good[i].host);
        assert_int_equal(listen.port, good[i].port);
        assert_true(listen.loopback == good[i].loopback);
        free(listen.host);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        reason = NULL;
        assert_false(config_value_listen(bad[i], &listen, &reason));
        assert_non_null(reason);
        assert_null(listen.host);
        assert_null(listen.path);
    }
    assert_true(config_value_listen("unix:/run/postern.sock", &listen, &reason));
    assert_int_equal(listen.kind, CONFIG_LISTEN_UNIX);
    assert_string_equal(listen.path, "/run/postern.sock");
    assert_true(listen.loopback);
    free(listen.path);
}

static void others_are_served_only_with_keys_or_if_that_is_written_out(void **state)
{
    fixture *f = *state;
    static const char open_to_all[] =
        "POSTERN_LISTEN: other machines could send mail through this address";
    assert_non_null(strstr(FAULTS(f, "POSTERN_LISTEN=0.0.0.0:8025"), open_to_all));
    assert_non_null(strstr(FAULTS(f, "POSTERN_LISTEN=mail.example.com:8025"), open_to_all));
    config *c = LOAD(f, "POSTERN_LISTEN=0.0.0.0:8025", "POSTERN_API_KEYS=" KEY);
    assert_non_null(c);
    config_free(c);
    c = LOAD(f, "POSTERN_LISTEN=0.0.0.0:8025", "POSTERN_AUTH=off");
    assert_non_null(c);
    assert_true(c->auth_off);
    config_free(c);
    c = LOAD(f, "POSTERN_LISTEN=unix:/run/postern.sock");
    assert_non_null(c);
    config_free(c);
    /* A file of keys that can't be read is one fault, not a reason to open the door. */
    assert_string_equal(
        FAULTS(f, "POSTERN_LISTEN=0.0.0.0:8025", "POSTERN_API_KEYS_FILE=/nonexistent/keys"),
        "POSTERN_API_KEYS_FILE: Can't read /nonexistent/keys: No such file or directory.\n");
    assert_string_equal(FAULTS(f, "POSTERN_AUTH=off", "POSTERN_API_KEYS=" KEY),
                        "POSTERN_AUTH: is off, and POSTERN_API_KEYS is set: leave out one of "
                        "them\n");
    assert_string_equal(FAULTS(f, "POSTERN_AUTH=keys"),
                        "POSTERN_AUTH: is keys, and POSTERN_API_KEYS is not set\n");
}

static void a_command_that_serves_nobody_needs_no_keys(void **state)
{
    fixture *f = *state;
    const char *const environment[] = {"POSTERN_LISTEN=0.0.0.0:8025", "POSTERN_TLS_KEY=/secret",
                                       NULL};
    config *c = config_load_command(environment, &f->faults);
    assert_non_null(c);
    config_free(c);
    const char *const wrong[] = {"POSTERN_LISTEN=8025", NULL};
    assert_null(config_load_command(wrong, &f->faults));
}

static void a_certificate_needs_its_key_and_both_must_be_readable(void **state)
{
    fixture *f = *state;
    const char *cert = file_as(f, "POSTERN_TLS_CERT", "pem", 3);
    const char *key = file_as(f, "POSTERN_TLS_KEY", "pem", 3);
    config *c = LOAD(f, cert, key);
    assert_non_null(c);
    assert_string_equal(c->tls_cert, f->paths[0]);
    assert_string_equal(c->tls_key, f->paths[1]);
    config_free(c);
    assert_string_equal(FAULTS(f, cert), "POSTERN_TLS_KEY: is missing: POSTERN_TLS_CERT is set\n");
    assert_string_equal(FAULTS(f, key), "POSTERN_TLS_CERT: is missing: POSTERN_TLS_KEY is set\n");
    assert_string_equal(
        FAULTS(f, cert, "POSTERN_TLS_KEY=/nonexistent/key"),
        "POSTERN_TLS_KEY: Can't read /nonexistent/key: No such file or directory.\n");
}

static void a_secret_comes_from_a_file_less_one_line_end(void **state)
{
    fixture *f = *state;
    static const char relay[] = "smtps://user:secret@mail.example.com\r\n";
    static const char key_lines[] = KEY "\r\n\r\n  another-key-that-is-long\n"
                                        "a-third-key-that-is-long,a-fourth-key-that-is-long";
    const char *relay_entry = file_as(f, "POSTERN_RELAY_FILE", relay, strlen(relay));
    const char *keys_entry = file_as(f, "POSTERN_API_KEYS_FILE", key_lines, strlen(key_lines));
    config *c = LOAD(f, relay_entry, keys_entry);
    assert_non_null(c);
    assert_string_equal(smtp_relay_host(c->relays[0]), "mail.example.com");
    assert_int_equal(keys_count(c->keys), 4);
    assert_true(keys_authorized(c->keys, "Bearer another-key-that-is-long"));
    assert_true(keys_authorized(c->keys, "Bearer a-fourth-key-that-is-long"));
    config_free(c);
    assert_string_equal(FAULTS(f, keys_entry, "POSTERN_API_KEYS=" KEY),
                        "POSTERN_API_KEYS: is set together with POSTERN_API_KEYS_FILE\n");
}

static void secret_files_that_hold_no_text_are_faults(void **state)
{
    fixture *f = *state;
    char *large = malloc(64 * 1024 + 1);
    memset(large, 'k', 64 * 1024 + 1);
    assert_non_null(strstr(FAULTS(f, file_as(f, "POSTERN_RELAY_FILE", large, 64 * 1024 + 1)),
                           "it is too large"));
    free(large);
    assert_non_null(strstr(FAULTS(f, file_as(f, "POSTERN_RELAY_FILE", "smtp://a\0b", 10)),
                           "the file holds a NUL byte"));
    assert_non_null(strstr(FAULTS(f, file_as(f, "POSTERN_RELAY_FILE", "\n", 1)), "is empty"));
    assert_non_null(strstr(FAULTS(f, "POSTERN_RELAY_FILE="), "is empty"));
    assert_non_null(strstr(FAULTS(f, "POSTERN_RELAY_FILE=/tmp"), "Is a directory"));
}

static bool may(const config *c, const char *address)
{
    mime_mailbox mailbox;
    const char *reason = NULL;
    assert_true(mime_mailbox_parse(address, strlen(address), &mailbox, &reason));
    bool ok = config_may_send(c, &mailbox);
    mime_mailbox_clear(&mailbox);
    return ok;
}

static void senders_are_addresses_and_whole_domains(void **state)
{
    fixture *f = *state;
    config *c = LOAD(f, "POSTERN_FROM=@example.org, \"Shop, the first\" <shop@Example.com>, "
                        "second@example.com,example.net, \xE4\xBE\x8B.example");
    assert_non_null(c);
    assert_int_equal(c->senders.address_count, 2);
    assert_int_equal(c->senders.domain_count, 3);
    assert_string_equal(c->senders.domains[2], "xn--fsq.example");
    assert_string_equal(c->senders.fallback.name, "Shop, the first");
    assert_true(may(c, "shop@example.com"));
    assert_true(may(c, "shop@EXAMPLE.com"));
    assert_true(may(c, "anyone@example.org"));
    assert_true(may(c, "anyone@EXAMPLE.NET"));
    assert_false(may(c, "other@example.com"));
    assert_false(may(c, "Shop@example.com")); /* the local part is to the letter */
    assert_false(may(c, "a@sub.example.org"));
    assert_false(may(c, "a@notexample.org"));
    assert_false(may(c, "a@example.org.evil.example"));
    config_free(c);
    c = LOAD(f, "POSTERN_MAX_RECIPIENTS=5");
    assert_true(may(c, "anyone@anywhere.example"));
    config_free(c);
}

static void the_file_holds_the_same_settings_and_more_relays(void **state)
{
    fixture *f = *state;
    config *c = LOAD(
        f, json_file(f, "{\"listen\": \"[::1]:9\", \"max_body\": 2048, \"max_recipients\": \"7\","
                        " \"timeout\": \"5s\", \"log_addresses\": true, \"log\": \"text\","
                        " \"api_keys\": [\"" KEY "\", \"another-key-that-is-long\"],"
                        " \"from\": [\"\\\"A, B\\\" <a@b.example>\", \"example.com\"],"
                        " \"relays\": {\"bulk\": {\"url\": \"smtps://bulk.example.com\"},"
                        " \"other\": \"smtps://other.example.com\","
                        " \"default\": \"smtps://first.example.com\"}}"));
    assert_non_null(c);
    assert_string_equal(c->listen.host, "::1");
    assert_int_equal(c->max_body, 2048);
    assert_int_equal(c->max_recipients, 7);
    assert_int_equal(c->timeout_us, 5000000);
    assert_true(c->log_addresses);
    assert_int_equal(keys_count(c->keys), 2);
    assert_string_equal(c->senders.fallback.name, "A, B");
    assert_int_equal(c->senders.domain_count, 1);
    assert_int_equal(c->relay_count, 3);
    assert_string_equal(smtp_relay_name(c->relays[0]), "default");
    assert_string_equal(smtp_relay_name(c->relays[1]), "bulk");
    assert_string_equal(smtp_relay_name(c->relays[2]), "other");
    assert_string_equal(smtp_relay_host(config_relay(c, "bulk")), "bulk.example.com");
    assert_null(config_relay(c, "Bulk"));
    config_free(c);
}

static void the_environment_wins_over_the_file(void **state)
{
    fixture *f = *state;
    const char *file =
        json_file(f, "{\"listen\": \"[::1]:9\", \"timeout\": \"5s\", \"from\": [\"a@b.example\"],"
                     " \"api_keys\": \"key-of-the-file-12\", \"relays\": {"
                     "\"bulk\": \"smtps://bulk.example.com\","
                     "\"default\": \"smtps://of-the-file.example.com\"}}");
    config *c = LOAD(f, file, "POSTERN_TIMEOUT=7s", "POSTERN_FROM=c@d.example",
                     ("POSTERN_API_KEYS=" KEY), "POSTERN_RELAY=smtps://mail.example.com");
    assert_non_null(c);
    assert_string_equal(c->listen.host, "::1");
    assert_int_equal(c->timeout_us, 7000000);
    assert_int_equal(c->senders.address_count, 1);
    assert_string_equal(c->senders.fallback.address, "c@d.example");
    assert_int_equal(keys_count(c->keys), 1);
    assert_false(keys_authorized(c->keys, "Bearer key-of-the-file-12"));
    assert_int_equal(c->relay_count, 2);
    assert_string_equal(smtp_relay_host(c->relays[0]), "mail.example.com");
    config_free(c);
}

static void the_file_may_name_files_of_secrets(void **state)
{
    fixture *f = *state;
    char json[512];
    (void)file_as(f, "x", "smtps://bulk.example.com\n", 25);
    (void)file_as(f, "x", KEY "\n", strlen(KEY) + 1);
    (void)snprintf(json, sizeof json,
                   "{\"relays\": {\"bulk\": {\"url_file\": \"%s\"}}, \"api_keys_file\": \"%s\"}",
                   f->paths[0], f->paths[1]);
    config *c = LOAD(f, json_file(f, json));
    assert_non_null(c);
    assert_string_equal(smtp_relay_host(config_relay(c, "bulk")), "bulk.example.com");
    assert_true(keys_authorized(c->keys, "Bearer " KEY));
    config_free(c);
}

static void faults_of_the_file_are_told_with_their_place(void **state)
{
    static const struct {
        const char *json, *fault; /* behind "path: " */
    } cases[] = {
        {"[]", "must be a JSON object"},
        {"{\"listn\": \"x\"}", "/listn: there is no such setting; did you mean listen?"},
        {"{\"relay\": \"x\"}", "/relay: there is no such setting; did you mean relays?"},
        {"{\"config\": \"x\"}", "/config: there is no such setting"},
        {"{\"listen_file\": \"x\"}", "/listen_file: there is no such setting"},
        {"{\"listen\": 8025}", "/listen: must be a string"},
        {"{\"listen\": \"\"}", "/listen: is empty: give it a value, or leave it out"},
        {"{\"max_body\": 1.5}", "/max_body: must be a string or a number"},
        {"{\"max_body\": -1}", "/max_body: must be a size of 1KiB to 1GiB, such as 40MiB"},
        {"{\"log_addresses\": 1}", "/log_addresses: must be \"on\" or \"off\", true or false"},
        {"{\"from\": [1]}", "/from: must be a string or a list of strings"},
        {"{\"from\": []}", "/from: is empty: give it a value, or leave it out"},
        {"{\"api_keys\": [\"short\"]}", "/api_keys: key 1: a key has 16 characters at least"},
        {"{\"api_keys_file\": []}", "/api_keys_file: must be a path"},
        {"{\"relays\": []}", "/relays: must be an object of names and relays, 64 at most"},
        {"{\"relays\": {\"a/b\": \"smtps://x.example\"}}",
         "/relays/a/b: a relay's name is 1 to 64 letters, digits, dots, hyphens and underscores"},
        {"{\"relays\": {\"\": \"smtps://x.example\"}}",
         "/relays/: a relay's name is 1 to 64 letters, digits, dots, hyphens and underscores"},
        {"{\"relays\": {\"a\": 1}}",
         "/relays/a: must be a URL, {\"url\": URL} or {\"url_file\": PATH}"},
        {"{\"relays\": {\"a\": {}}}",
         "/relays/a: must be a URL, {\"url\": URL} or {\"url_file\": PATH}"},
        {"{\"relays\": {\"a\": {\"url\": \"smtps://x.example\", \"url_file\": \"/x\"}}}",
         "/relays/a: must be a URL, {\"url\": URL} or {\"url_file\": PATH}"},
        {"{\"relays\": {\"a\": {\"url\": 5}}}",
         "/relays/a: must be a URL, {\"url\": URL} or {\"url_file\": PATH}"},
        {"{\"listen\": \"[::1]:1\", \"listen\": \"[::1]:2\"}",
         "line 1, column 30: duplicate object key"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fixture *f = *state;
        char expected[512];
        const char *text = FAULTS(f, json_file(f, cases[i].json));
        (void)snprintf(expected, sizeof expected, "%s: %s\n", f->paths[0], cases[i].fault);
        assert_string_equal(text, expected);
        (void)tear_down(state);
        (void)set_up(state);
    }
}

static void no_fault_repeats_a_secret(void **state)
{
    fixture *f = *state;
    static const char secret[] = "hunter2";
    assert_null(strstr(FAULTS(f, "POSTERN_API_KEYS=hunter2"), secret));
    assert_null(strstr(FAULTS(f, "POSTERN_RELAY=smtp://user:hunter2@"), secret));
    assert_null(strstr(FAULTS(f, "POSTERN_RELAY=hunter2"), secret));
    assert_null(
        strstr(FAULTS(f, json_file(f, "{\"relays\": {\"a\": \"smtp://u:hunter2@\" x}}")), secret));
    assert_null(strstr(FAULTS(f, json_file(f, "{\"api_keys\": [\"hunter2\" 5]}")), secret));
    assert_null(strstr(FAULTS(f, json_file(f, "{\"api_keys\": \"hunter2")), secret));
    assert_null(strstr(FAULTS(f, json_file(f, "{\"api_keys\": {\"hunter2\": 1}}")), secret));
}

static void the_file_is_bounded(void **state)
{
    fixture *f = *state;
    size_t len = 1024 * 1024 + 1;
    char *large = malloc(len);
    memset(large, ' ', len);
    large[0] = '{';
    large[1] = '}';
    assert_non_null(strstr(FAULTS(f, file_as(f, "POSTERN_CONFIG", large, len)), "too large"));
    free(large);

    buf json = BUF_INIT;
    buf_adds(&json, "{\"relays\": {\"r0\": \"smtps://x.example\"");
    for (int i = 1; i < 65; i++)
        buf_addf(&json, ", \"r%d\": \"smtps://x.example\"", i);
    buf_adds(&json, "}}");
    assert_non_null(strstr(FAULTS(f, json_file(f, buf_cstr(&json))), "64 at most"));
    buf_free(&json);
}

static void values_are_read_and_shown(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t size;
        const char *shown;
    } sizes[] = {
        {"0", 0, "0GiB"},
        {"512", 512, "512"},
        {"512B", 512, "512"},
        {"1KiB", 1024, "1KiB"},
        {"1024", 1024, "1KiB"},
        {"40MiB", 41943040, "40MiB"},
        {"40mib", 41943040, "40MiB"},
        {"1GiB", 1073741824, "1GiB"},
        {"1kB", 1000, "1000"},
        {"1KB", 1000, "1000"},
        {"1MB", 1000000, "1000000"},
        {"1GB", 1000000000, "1000000000"},
    };
    static const char *const no_sizes[] = {"",
                                           "MiB",
                                           "-1",
                                           "1.5MiB",
                                           "1 MiB",
                                           "40M",
                                           "40Mi",
                                           "1TiB",
                                           "9223372036854775808",
                                           "9007199254740992GiB",
                                           "0x10"};
    static const struct {
        const char *text;
        int64_t us;
        const char *shown;
    } durations[] = {
        {"500ms", 500000, "500ms"},
        {"60s", 60000000, "60s"},
        {"2m", 120000000, "120s"},
        {"1h", 3600000000, "1h"},
        {"0s", 0, "0h"},
        {"30d", INT64_C(2592000000000), "720h"},
    };
    static const char *const no_durations[] = {"",     "s",  "5",   "5 s",
                                               "1.5s", "5w", "-1s", "9223372036854775807s"};
    buf shown = BUF_INIT;
    int64_t n = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_true(config_value_size(sizes[i].text, &n));
        assert_int_equal(n, sizes[i].size);
        buf_clear(&shown);
        config_value_show_size(n, &shown);
        assert_string_equal(buf_cstr(&shown), sizes[i].shown);
    }
    for (size_t i = 0; i < sizeof no_sizes / sizeof *no_sizes; i++)
        assert_false(config_value_size(no_sizes[i], &n));
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        assert_true(config_value_duration(durations[i].text, &n));
        assert_int_equal(n, durations[i].us);
        buf_clear(&shown);
        config_value_show_duration(n, &shown);
        assert_string_equal(buf_cstr(&shown), durations[i].shown);
    }
    for (size_t i = 0; i < sizeof no_durations / sizeof *no_durations; i++)
        assert_false(config_value_duration(no_durations[i], &n));
    buf_free(&shown);
}

static void a_list_parts_at_commas_and_lines_but_not_in_quotes(void **state)
{
    (void)state;
    static const char text[] = " a,, \"b, \\\" c\" <x@y> \n\n\"open, to the end\r\nlast\t";
    static const char *const items[] = {"a", "\"b, \\\" c\" <x@y>", "\"open, to the end", "last"};
    const char *at = text, *item = NULL;
    size_t len = 0;
    for (size_t i = 0; i < sizeof items / sizeof *items; i++) {
        assert_true(config_value_item(&at, &item, &len));
        assert_int_equal(len, strlen(items[i]));
        assert_memory_equal(item, items[i], len);
    }
    assert_false(config_value_item(&at, &item, &len));
    assert_false(config_value_item(&at, &item, &len));
}

static void distance_counts_slips_of_the_keyboard(void **state)
{
    (void)state;
    assert_int_equal(config_value_distance("", "", 2), 0);
    assert_int_equal(config_value_distance("TIMEOUT", "TIMEOUT", 2), 0);
    assert_int_equal(config_value_distance("TIMEOTU", "TIMEOUT", 2), 1);
    assert_int_equal(config_value_distance("TIMEUT", "TIMEOUT", 2), 1);
    assert_int_equal(config_value_distance("TIMMEOUT", "TIMEOUT", 2), 1);
    assert_int_equal(config_value_distance("TIMEOUT", "", 9), 7);
    assert_int_equal(config_value_distance("kitten", "sitting", 9), 3);
    assert_int_equal(config_value_distance("kitten", "sitting", 2), 3);
    char longest[65];
    memset(longest, 'A', 64);
    longest[64] = '\0';
    assert_int_equal(config_value_distance(longest, "A", 2), 3);
    assert_int_equal(config_value_distance(longest + 1, longest + 1, 2), 0);
}

static void help_names_every_setting(void **state)
{
    (void)state;
    static const char *const variables[] = {
        "RELAY",        "LISTEN", "TLS_CERT",      "TLS_KEY",        "API_KEYS",
        "AUTH",         "FROM",   "MAX_BODY",      "MAX_RECIPIENTS", "MAX_INFLIGHT",
        "TIMEOUT",      "LOG",    "LOG_ADDRESSES", "HTTP_THREADS",   "SENDER_THREADS",
        "SESSION_IDLE", "CONFIG", "API_KEYS_FILE", "RELAY_FILE",     "MAX_MEMORY",
        "SPILL",
    };
    buf out = BUF_INIT;
    config_describe(&out);
    char *text = buf_take(&out);
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "POSTERN_%s", variables[i]);
        assert_non_null(strstr(text, name));
    }
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 80);
    free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_set_gives_the_defaults),
        TEST(each_variable_is_read),
        TEST(a_value_that_does_not_read_is_a_fault_that_says_what_would),
        TEST(all_faults_are_told_at_once),
        TEST(an_unknown_variable_is_a_fault_with_the_nearest_name),
        TEST(what_kubernetes_sets_for_a_service_of_that_name_is_let_be),
        TEST(listening_addresses_are_read_and_loopback_is_told),
        TEST(others_are_served_only_with_keys_or_if_that_is_written_out),
        TEST(a_command_that_serves_nobody_needs_no_keys),
        TEST(a_certificate_needs_its_key_and_both_must_be_readable),
        TEST(a_secret_comes_from_a_file_less_one_line_end),
        TEST(secret_files_that_hold_no_text_are_faults),
        TEST(senders_are_addresses_and_whole_domains),
        TEST(the_file_holds_the_same_settings_and_more_relays),
        TEST(the_environment_wins_over_the_file),
        TEST(the_file_may_name_files_of_secrets),
        TEST(faults_of_the_file_are_told_with_their_place),
        TEST(no_fault_repeats_a_secret),
        TEST(the_file_is_bounded),
        TEST(values_are_read_and_shown),
        TEST(a_list_parts_at_commas_and_lines_but_not_in_quotes),
        TEST(distance_counts_slips_of_the_keyboard),
        TEST(help_names_every_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
