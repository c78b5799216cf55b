/*
 * From settings to a configuration: the first byte says whether the rest is an environment, an
 * entry a line, or the file of POSTERN_CONFIG. Whatever comes in, either a configuration that keeps
 * its bounds or faults, a printable line each.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "service/config.h"

#define ENTRIES 64

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_config(const config *c)
{
    require(c->max_body >= 1024 && c->max_recipients >= 1 && c->max_inflight >= 1);
    require(c->timeout_us >= 100000 && c->timeout_us <= INT64_C(3600000000));
    require(c->http_threads >= 1 && c->http_threads <= 64);
    require((c->listen.kind == CONFIG_LISTEN_UNIX) == (c->listen.path != NULL));
    require((c->listen.kind == CONFIG_LISTEN_TCP) == (c->listen.host != NULL));
    require(c->listen.loopback || keys_count(c->keys) > 0 || c->auth_off);
    for (size_t i = 0; i < c->relay_count; i++)
        require(config_relay(c, smtp_relay_name(c->relays[i])) == c->relays[i]);
    for (size_t i = 0; i < c->senders.address_count; i++)
        require(strchr(c->senders.addresses[i], '@') != NULL);
}

static void check_faults(const buf *faults)
{
    require(faults->len > 0 && faults->data[faults->len - 1] == '\n');
    for (size_t i = 0; i < faults->len; i++) {
        unsigned char c = (unsigned char)faults->data[i];
        require(c >= ' ' ? c != 0x7F : c == '\n' && i > 0 && faults->data[i - 1] != '\n');
    }
}

static void load(const char *const *environment)
{
    buf faults = BUF_INIT;
    config *c = config_load(environment, &faults);

    if (c)
        check_config(c);
    else
        check_faults(&faults);
    require(!c || faults.len == 0);
    config_free(c);
    buf_free(&faults);
}

static void load_lines(char *text)
{
    const char *entries[ENTRIES + 1];
    size_t count = 0;
    char *line;

    /* No entry may name a file of this machine. */
    while ((line = strsep(&text, "\n")) && count < ENTRIES)
        if (!strstr(line, "_FILE") && !strstr(line, "_file") && !strstr(line, "CONFIG"))
            entries[count++] = line;
    entries[count] = NULL;
    load(entries);
}

static void load_file(const char *text, size_t len)
{
    char entry[64];
    const char *const environment[] = {entry, NULL};
    int fd = memfd_create("config", MFD_CLOEXEC);

    require(fd >= 0 && write(fd, text, len) == (ssize_t)len);
    (void)snprintf(entry, sizeof entry, "POSTERN_CONFIG=/proc/self/fd/%d", fd);
    if (!memmem(text, len, "_file", 5))
        load(environment);
    (void)close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char *text = strndup((const char *)data + 1, size - 1);
    require(text != NULL);
    if (data[0] == 'f')
        load_file((const char *)data + 1, size - 1);
    else
        load_lines(text);
    free(text);
    return 0;
}
