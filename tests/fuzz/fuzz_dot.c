/* Any bytes as a body for DATA, in pieces, each of the ways: stuffed as the plain reference does
 * it. */
#include <stdint.h>
#include <stdlib.h>

#include "tests/reference/dot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte cuts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *body = (const char *)data + 1;
    if (!reference_dot_agrees(body, size - 1, 1 + data[0] / 2, data[0] % 2) ||
        !reference_dot_agrees(body, size - 1, size, data[0] % 2))
        abort();
    return 0;
}
