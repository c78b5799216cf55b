/*
 * Reads JSON texts, each behind a line with its length in octets, and writes for each what jansson
 * alone makes of it, "accepted" or "refused", or "differs" where service/document does otherwise,
 * for some way of lifting strings and of cutting the text.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/json_twin.h"

#define PIECES_OF 300 /* texts up to this are cut in every way of equal pieces */

static bool agrees_always(const char *text, size_t len)
{
    static const size_t lifts[] = {0, 1, 5, 512};
    for (size_t i = 0; i < sizeof lifts / sizeof *lifts; i++) {
        const document_options options = {.lift_at = lifts[i], .share = 4096};
        size_t last = len < PIECES_OF ? len + 1 : 7;
        for (size_t piece = 1; piece <= last; piece++) {
            if (!twin_agrees(text, len, &options, piece))
                return false;
        }
    }
    return true;
}

static const char *judge(const char *text, size_t len)
{
    json_error_t error;
    json_t *alone = len ? json_loadb(text, len, TWIN_FLAGS, &error) : NULL;
    json_decref(alone);
    if (!agrees_always(text, len))
        return "differs";
    return alone ? "accepted" : "refused";
}

int main(void)
{
    size_t len;
    while (scanf("%zu", &len) == 1 && getchar() == '\n') {
        char *text = malloc(len + 1);
        if (!text || fread(text, 1, len, stdin) != len)
            return 1;
        (void)puts(judge(text, len));
        free(text);
    }
    return 0;
}
