#include "smtp/caps.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static bool is_keyword(const char *line, size_t len, const char *word)
{
    size_t n = strlen(word);
    return len >= n && strncasecmp(line, word, n) == 0 && (len == n || line[n] == ' ');
}

/* Digits behind SIZE; a number beyond 64 bits is no limit. */
static uint64_t read_size(const char *s, size_t len)
{
    uint64_t size = 0;
    size_t i = 0;

    while (i < len && s[i] == ' ')
        i++;
    for (; i < len && s[i] >= '0' && s[i] <= '9'; i++) {
        if (size > (UINT64_MAX - 9) / 10)
            return 0;
        size = size * 10 + (uint64_t)(s[i] - '0');
    }
    return size;
}

/* Keeps the mechanisms of "AUTH PLAIN LOGIN" (or the old "AUTH=PLAIN LOGIN"), cut between words. */
static void read_auth(smtp_caps *caps, const char *s, size_t len)
{
    while (len > 0 && (*s == ' ' || *s == '=')) {
        s++;
        len--;
    }
    if (len >= sizeof caps->auth) {
        len = sizeof caps->auth - 1;
        while (len > 0 && s[len] != ' ')
            len--;
    }
    while (len > 0 && s[len - 1] == ' ')
        len--;
    memcpy(caps->auth, s, len);
    caps->auth[len] = '\0';
}

static void read_line(smtp_caps *caps, const char *line, size_t len)
{
    const struct {
        const char *word;
        bool *flag;
    } flags[] = {
        {"PIPELINING", &caps->pipelining}, {"8BITMIME", &caps->eight_bit},
        {"SMTPUTF8", &caps->utf8},         {"ENHANCEDSTATUSCODES", &caps->enhanced},
        {"STARTTLS", &caps->starttls},     {"SIZE", &caps->size_offered},
    };

    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (is_keyword(line, len, flags[i].word))
            *flags[i].flag = true;
    if (is_keyword(line, len, "SIZE"))
        caps->size = read_size(line + 4, len - 4);
    if (is_keyword(line, len, "AUTH") || (len > 5 && strncasecmp(line, "AUTH=", 5) == 0)) {
        /* The old form comes beside the right one; the first non-empty list is kept. */
        if (caps->auth[0] == '\0')
            read_auth(caps, line + 4, len - 4);
    }
}

void smtp_caps_read(smtp_caps *caps, const char *text)
{
    const char *line = strchr(text, '\n');

    *caps = (smtp_caps){.esmtp = true};
    while (line) {
        line++;
        const char *end = strchr(line, '\n');
        read_line(caps, line, end ? (size_t)(end - line) : strlen(line));
        line = end;
    }
}
