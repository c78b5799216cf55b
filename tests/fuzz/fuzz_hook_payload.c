/* hook_payload_json() takes what jansson alone takes, and makes the same tree of it; it takes more
 * only where there is an escape of NUL or of a surrogate. Of a form nothing is asked but to end. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "hook/payload.h"

#define FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int has_mended(const char *text, size_t size)
{
    for (size_t i = 0; i + 6 <= size; i++) {
        if (memcmp(text + i, "\\u0000", 6) == 0 || strncasecmp(text + i, "\\ud", 3) == 0)
            return 1;
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    buf detail = BUF_INIT;
    json_t *ours = NULL, *form = NULL;
    hook_payload_result result = hook_payload_json(text, size, &ours, &detail);

    if ((result == HOOK_PAYLOAD_OK) != (ours != NULL) ||
        (result == HOOK_PAYLOAD_OK) != (detail.len == 0))
        abort();
    if (result != HOOK_PAYLOAD_TOO_LARGE) {
        json_t *theirs = json_loadb(text, size, FLAGS, NULL);
        if (theirs ? !ours || !json_equal(ours, theirs) : ours && !has_mended(text, size))
            abort();
        json_decref(theirs);
    }
    json_decref(ours);
    buf_clear(&detail);
    (void)hook_payload_form(text, size, &form, &detail);
    json_decref(form);
    buf_free(&detail);
    return 0;
}
