/*
 * Whatever stands in POSTERN_RELAY: a relay that keeps its promises, or one line that says what is
 * wrong.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "smtp/relay_config.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

static bool is_plain(const char *s)
{
    for (; *s; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7F)
            return false;
    }
    return true;
}

static void check_relay(const smtp_relay *r)
{
    require(r->host[0] && is_plain(r->host) && !strpbrk(r->host, "@/?#%[] "));
    require(r->port >= 1 && r->port <= 65535);
    require(r->sessions >= 1 && r->sessions <= 256);
    require(r->ehlo[0] && is_plain(r->ehlo) && !strchr(r->ehlo, ' '));
    require(!r->user || (r->user[0] && is_plain(r->user)));
    require(!r->password || is_plain(r->password));
    require(r->user || (!r->password && !r->token_file && !r->auth));
    require(!(r->password && r->token_file));
    /* No password in clear but to this machine. */
    require(!(r->tls == SMTP_TLS_NONE && r->user) || strncmp(r->host, "127.", 4) == 0 ||
            strchr(r->host, ':') || strcasecmp(r->host, "localhost") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *error = NULL;
    char *url = malloc(size + 1);
    require(url != NULL);
    memcpy(url, data, size);
    url[size] = '\0';
    /* A file that it names is opened: not on this target's account. */
    if (!strstr(url, "word_file")) {
        smtp_relay *r = smtp_relay_create("fuzz", url, &error);
        require((r == NULL) == (error != NULL));
        if (r)
            check_relay(r);
        else
            require(error[0] && is_plain(error));
        smtp_relay_free(r);
        free(error);
    }
    free(url);
    return 0;
}
