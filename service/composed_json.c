#include "service/composed_json.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE 8192

struct composed_json {
    mime_reader *reader;
    uint64_t size;
    const char *next[4]; /* what comes behind the message's text, from `step` on; ended by NULL */
    size_t step;
    bool in_text, failed;
    const char *at; /* what is to be given before anything else is looked at */
    size_t left;
    size_t raw_at, raw_len;
    char raw[PIECE];
    char escape[8];
};

static void begin(composed_json *j)
{
    static const char head[] = "{\"message\":\"";

    mime_reader_rewind(j->reader);
    j->at = head;
    j->left = sizeof head - 1;
    j->in_text = true;
    j->step = 0;
    j->raw_at = j->raw_len = 0;
}

static bool is_plain(char c)
{
    return (unsigned char)c >= ' ' && c != '"' && c != '\\';
}

/* A character that can't stand in a string as it is (RFC 8259 section 7). */
static void escape(composed_json *j, char c)
{
    static const struct {
        char c;
        const char *as;
    } short_ones[] = {{'\r', "\\r"}, {'\n', "\\n"}, {'\t', "\\t"}, {'"', "\\\""}, {'\\', "\\\\"}};

    j->at = j->escape;
    for (size_t i = 0; i < sizeof short_ones / sizeof *short_ones; i++) {
        if (short_ones[i].c == c)
            j->at = short_ones[i].as;
    }
    if (j->at == j->escape)
        (void)snprintf(j->escape, sizeof j->escape, "\\u%04x", (unsigned)(unsigned char)c);
    j->left = strlen(j->at);
}

/* The next of the message's text; false: it is at its end. */
static bool go_on_in_text(composed_json *j)
{
    if (j->raw_at == j->raw_len) {
        size_t n = mime_reader_read(j->reader, j->raw, sizeof j->raw);
        j->failed = n == MIME_READ_FAILED;
        j->raw_at = 0;
        j->raw_len = j->failed ? 0 : n;
        if (j->raw_len == 0)
            return false;
    }
    size_t run = 0;
    while (j->raw_at + run < j->raw_len && is_plain(j->raw[j->raw_at + run]))
        run++;
    if (run == 0) {
        escape(j, j->raw[j->raw_at++]);
        return true;
    }
    j->at = j->raw + j->raw_at;
    j->left = run;
    j->raw_at += run;
    return true;
}

/* False: nothing is left. */
static bool go_on(composed_json *j)
{
    j->in_text = j->in_text && go_on_in_text(j);
    if (j->in_text)
        return true;
    if (j->failed || !j->next[j->step])
        return false;
    j->at = j->next[j->step++];
    j->left = strlen(j->at);
    return true;
}

size_t composed_json_read(composed_json *j, char *out, size_t cap)
{
    size_t n = 0;

    while (n < cap && (j->left > 0 || go_on(j))) {
        size_t part = j->left < cap - n ? j->left : cap - n;
        memcpy(out + n, j->at, part);
        j->at += part;
        j->left -= part;
        n += part;
    }
    return j->failed ? 0 : n;
}

composed_json *composed_json_create(mime_reader *reader, const char *lint)
{
    composed_json *j = calloc(1, sizeof *j);
    char piece[PIECE];
    size_t n;

    if (!j)
        return NULL;
    j->reader = reader;
    j->next[0] = lint ? "\",\"lint\":" : "\"}\n";
    j->next[1] = lint;
    j->next[2] = lint ? "}\n" : NULL;
    begin(j);
    while ((n = composed_json_read(j, piece, sizeof piece)) > 0)
        j->size += n;
    if (j->failed) {
        composed_json_free(j);
        return NULL;
    }
    begin(j);
    return j;
}

void composed_json_free(composed_json *j)
{
    free(j);
}

uint64_t composed_json_size(const composed_json *j)
{
    return j->size;
}
