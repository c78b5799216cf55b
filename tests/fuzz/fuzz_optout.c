/* Tokens, base URLs and names that come from outside. A token that is taken is the one that we make
 * of what it says. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "service/optout.h"

#define SECRET "0123456789abcdef0123456789abcdef"

static void check_token(const optout *o, const char *text)
{
    optout_subscription s;
    if (!optout_read_token(o, text, &s))
        return;
    char *url = optout_url(o, s.list, s.address);
    if (url && strcmp(strrchr(url, '/') + 1, text) != 0)
        abort();
    free(url);
}

static void check_address(const optout *o, const char *text)
{
    optout_subscription s;
    char *url = strchr(text, '\n') ? NULL : optout_url(o, "news", text);
    if (!url)
        return;
    if (*text && !optout_read_token(o, strrchr(url, '/') + 1, &s))
        abort();
    free(url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const secrets[] = {SECRET};
    static optout *o;
    if (!o && !(o = optout_create("https://mail.example.com", secrets, 1)))
        return 0;
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    check_token(o, text);
    check_address(o, text);
    (void)optout_name_fits(text, size);
    (void)optout_secret_fault(text);
    if (!optout_base_fault(text)) {
        optout *other = optout_create(text, secrets, 1);
        char *id = other ? optout_list_id(other, "news") : NULL;
        free(id);
        optout_free(other);
    }
    free(text);
    return 0;
}
