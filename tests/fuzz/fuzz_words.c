/* Any bytes as a text of other people's: whatever it is, links are links, and nothing is too long.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "template/words.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_mrkdwn(const char *text, size_t len)
{
    json_t *lines = words_mrkdwn(text, len);
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *spans = json_object_get(json_array_get(lines, i), "spans");
        for (size_t k = 0; k < json_array_size(spans); k++) {
            const json_t *span = json_array_get(spans, k);
            const json_t *url = json_object_get(span, "url");
            require(json_string_length(json_object_get(span, "text")) > 0);
            require(json_string_length(url) == 0 ||
                    words_is_link(json_string_value(url), json_string_length(url)) ||
                    strncasecmp(json_string_value(url), "mailto:", 7) == 0);
            require(!strpbrk(json_string_value(url), "\"'<> \r\n"));
        }
    }
    if (lines) {
        json_t *plain = words_plain(lines);
        require(plain && json_string_length(plain) <= len);
        json_decref(plain);
    }
    json_decref(lines);
}

/* The first byte is how much is wanted. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1;
    size_t len = size - 1, more;
    json_t *few = words_few(text, len, data[0], &more);
    require(!few || json_string_length(few) <= 4 * (size_t)data[0] + 3);
    json_decref(few);
    json_decref(words_short(text, len));
    words_ref_kind kind;
    json_decref(words_ref(text, len, &kind));
    check_mrkdwn(text, len);
    return 0;
}
