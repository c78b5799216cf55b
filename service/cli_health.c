/*
 * cli_health - `postern health`: asks a running instance's /healthz, for a container's HEALTHCHECK.
 *
 * Finds the instance by the same settings as `serve`. Over TLS it trusts exactly the certificate
 * that the instance serves (POSTERN_TLS_CERT), whatever names are in it: what is reached is this
 * machine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "base/buf.h"
#include "service/cli.h"
#include "service/config.h"

#define TIMEOUT_MS 3000L

static size_t drop(char *data, size_t size, size_t count, void *ctx)
{
    (void)data;
    (void)ctx;
    return size * count;
}

/* An address that listens everywhere is reached on loopback. */
static const char *reachable(const char *host)
{
    if (strcmp(host, "0.0.0.0") == 0)
        return "127.0.0.1";
    return strcmp(host, "::") == 0 ? "::1" : host;
}

static char *make_url(const config *c)
{
    const char *host = c->listen.host ? reachable(c->listen.host) : "localhost";
    bool v6 = strchr(host, ':') != NULL;
    buf url = BUF_INIT;
    buf_addf(&url, "http%s://%s%s%s", c->tls_cert ? "s" : "", v6 ? "[" : "", host, v6 ? "]" : "");
    if (c->listen.kind == CONFIG_LISTEN_TCP)
        buf_addf(&url, ":%u", c->listen.port);
    buf_adds(&url, "/healthz");
    return buf_take(&url);
}

static bool set_up(CURL *curl, const config *c, const char *url, char error[CURL_ERROR_SIZE])
{
    return curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOPROXY, "*") == CURLE_OK &&
           (c->listen.kind != CONFIG_LISTEN_UNIX ||
            curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, c->listen.path) == CURLE_OK) &&
           (!c->tls_cert || (curl_easy_setopt(curl, CURLOPT_CAINFO, c->tls_cert) == CURLE_OK &&
                             curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L) == CURLE_OK));
}

int cli_health(int argc, char **argv, const char *const *environment)
{
    char error[CURL_ERROR_SIZE] = "";
    buf complaints = BUF_INIT;
    char *url = NULL;
    CURL *curl = NULL;
    int code = CLI_CONFIGURATION;

    (void)argc;
    (void)argv;
    config *c = config_load(environment, &complaints);
    if (!c) {
        const char *text = buf_cstr(&complaints);
        (void)fprintf(stderr, "%s", text ? text : "postern: out of memory\n");
        goto cleanup;
    }
    code = CLI_NO_MEMORY;
    url = make_url(c);
    curl = curl_easy_init();
    if (!url || !curl || !set_up(curl, c, url, error))
        goto cleanup;
    CURLcode result = curl_easy_perform(curl);
    code = result == CURLE_OK ? CLI_OK : CLI_FAILED;
    if (result != CURLE_OK)
        (void)fprintf(stderr, "postern: %s: %s\n", url,
                      error[0] ? error : curl_easy_strerror(result));

cleanup:
    curl_easy_cleanup(curl);
    free(url);
    config_free(c);
    buf_free(&complaints);
    return code;
}
