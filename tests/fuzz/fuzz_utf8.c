/* Any bytes as UTF-8, in pieces, each of the ways: what the grammar says. */
#include <stdint.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "tests/reference/utf8.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte cuts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1;
    require(reference_utf8_agrees(text, size - 1, 1 + data[0]));
    require(reference_utf8_agrees(text, size - 1, size));
    for (size_t at = 0; at < size - 1 && at < 300; at += 1 + data[0] % 40)
        require(reference_plain_run_agrees(text + at, size - 1 - at));
    bool ascii = true;
    for (size_t i = 1; i < size; i++)
        ascii &= data[i] < 0x80;
    require(utf8_is_ascii(text, size - 1) == ascii);
    return 0;
}
