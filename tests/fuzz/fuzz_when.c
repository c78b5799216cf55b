/* Any bytes as a time and as an Idempotency-Key: what is taken is within its bounds, and a key that
 * is written again as a string is the same one. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "service/idempotency.h"
#include "service/when.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition)
        abort();
}

static void check_key(const char *value)
{
    char key[IDEMPOTENCY_MAX + 1], again[IDEMPOTENCY_MAX + 1];
    char quoted[2 * IDEMPOTENCY_MAX + 3];
    size_t n = 0;

    if (idempotency_read(value, key))
        return;
    require(key[0] != '\0');
    quoted[n++] = '"';
    for (const char *k = key; *k; k++) {
        require(*k >= ' ' && *k <= '~');
        if (*k == '"' || *k == '\\')
            quoted[n++] = '\\';
        quoted[n++] = *k;
    }
    quoted[n++] = '"';
    quoted[n] = '\0';
    require(idempotency_read(quoted, again) == NULL && strcmp(key, again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t us = -1;
    char *text = malloc(size + 1);

    require(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (when_parse((const char *)data, size, &us))
        require(us >= 0 && us < INT64_C(253402387200000000)); /* a day after 9999, by offset */
    check_key(text);
    free(text);
    return 0;
}
