/*
 * The scanner with jansson behind it against jansson alone: the same texts are accepted, with the
 * same values, wherever the pieces are cut and whatever is lifted, in memory and in a file.
 */
#include <stdint.h>
#include <stdlib.h>

#include "tests/json_twin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static store *files; /* made once: a fuzz target has no end to free it at */
    static const size_t lifts[] = {0, 1, 5, 40, SIZE_MAX};
    if (size < 2)
        return 0;
    if (!files)
        files = store_create("/tmp", (size_t)64 * 1024 * 1024);
    document_options options = {
        .store = data[0] & 0x80 ? files : NULL,
        .lift_at = lifts[(data[0] & 0x1F) % (sizeof lifts / sizeof *lifts)],
        .share = data[0] & 0x40 ? 0 : 4096,
    };
    if (data[0] & 0x20)
        options.files = (document_files){"attachments", "content", 1, true};
    size_t piece = data[1] ? data[1] : size;
    if (!files || !twin_agrees((const char *)data + 2, size - 2, &options, piece))
        abort();
    if (store_used(files) != 0)
        abort();
    return 0;
}
