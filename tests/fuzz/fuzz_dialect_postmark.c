/*
 * Bodies of Postmark's API.
 */
#include "fuzz_dialect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_dialect(&dialect_postmark, "POSTMARK_API_TEST", data, size);
    return 0;
}
