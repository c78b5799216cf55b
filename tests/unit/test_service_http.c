/* Tests of service/http: a server of the test's own, spoken to over loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "service/http.h"
#include "service/routes.h"

#define PATIENCE 20 /* seconds for what takes milliseconds */
#define MAIL     "{\"from\":\"a@b.test\",\"to\":\"c@d.test\",\"text\":\"x\"}"

typedef struct fixture {
    config *config;
    routes routes;
    const char **names;
    app app;
    ids ids;
    http *http;
} fixture;

static void start(fixture *f, const char *sender_threads)
{
    buf complaints = BUF_INIT;
    size_t count = 0;
    char *error = NULL;
    const char *const environment[] = {"POSTERN_LISTEN=127.0.0.1:0", "POSTERN_HTTP_THREADS=2",
                                       "POSTERN_RELAY=smtp://127.0.0.1:1?tls=none", sender_threads,
                                       NULL};
    *f = (fixture){0};
    f->config = config_load(environment, &complaints);
    assert_non_null(f->config);
    assert_true(routes_create(f->config, &f->routes));
    f->names = routes_names(&f->routes, &count);
    ids_init(&f->ids);
    f->app.config = f->config;
    f->app.ids = &f->ids;
    f->app.log = log_create(-1, LOG_JSON, false);
    f->app.store = store_create(NULL, f->config->max_memory);
    f->app.metrics =
        metrics_create(f->names, count, (const smtp_relay *const *)f->config->relays, 1);
    const smtp_sender_options options = {
        .threads = f->config->sender_threads ? f->config->sender_threads : f->config->http_threads,
        .hosted = f->config->sender_threads == 0,
        .idle_us = INT64_C(30000000)};
    f->app.sender = smtp_sender_create(&options, &error);
    assert_non_null(f->app.sender);
    f->http = http_start(&f->app, f->routes.list, &error);
    assert_non_null(f->http);
}

static void end(fixture *f)
{
    smtp_sender_stop(f->app.sender, 0);
    assert_true(http_drain(f->http, INT64_C(1000000) * PATIENCE));
    http_free(f->http);
    smtp_sender_free(f->app.sender);
    assert_int_equal(store_used(f->app.store), 0);
    assert_int_equal(atomic_load(&f->app.in_flight), 0);
    metrics_free(f->app.metrics);
    store_free(f->app.store);
    log_free(f->app.log);
    ids_clear(&f->ids);
    free(f->names);
    routes_clear(&f->routes);
    config_free(f->config);
}

/* A request, and what is answered: its status; 0: nothing in time. */
static int post(const fixture *f, const char *path, const char *body)
{
    char text[1024] = "";
    const struct timeval patience = {.tv_sec = PATIENCE};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    to.sin_port = htons((uint16_t)strtoul(strrchr(http_address(f->http), ':') + 1, NULL, 10));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    int len = snprintf(text, sizeof text,
                       "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                       "Content-Length: %zu\r\n\r\n%s",
                       path, strlen(body), body);
    assert_int_equal(send(fd, text, (size_t)len, MSG_NOSIGNAL), len);
    memset(text, 0, sizeof text);
    ssize_t n = recv(fd, text, sizeof text - 1, 0);
    (void)close(fd);
    return n > 12 ? (int)strtol(text + 9, NULL, 10) : 0;
}

/* The sender refuses within the handler: the connection is suspended, and has to go on by itself.
 */
static void what_the_sender_refuses_at_once_is_answered(void **state)
{
    static const char *const settings[] = {"POSTERN_SENDER_THREADS=0", "POSTERN_SENDER_THREADS=1"};
    (void)state;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        fixture f;
        start(&f, settings[i]);
        smtp_sender_stop(f.app.sender, 0);
        for (int k = 0; k < 8; k++) { /* over all threads */
            assert_int_equal(post(&f, "/v1/send", MAIL), 503);
            assert_int_equal(post(&f, "/v1/check", "{}"), 503);
        }
        end(&f);
    }
}

static void what_no_relay_takes_is_answered(void **state)
{
    static const char *const settings[] = {"POSTERN_SENDER_THREADS=0", "POSTERN_SENDER_THREADS=1",
                                           "POSTERN_SENDER_THREADS=3"};
    (void)state;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        fixture f;
        start(&f, settings[i]);
        for (int k = 0; k < 8; k++) {
            assert_int_equal(post(&f, "/v1/send", MAIL), 503);
            assert_int_equal(post(&f, "/v1/compose", MAIL), 200);
        }
        end(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_sender_refuses_at_once_is_answered),
        cmocka_unit_test(what_no_relay_takes_is_answered),
    };
    if (curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
