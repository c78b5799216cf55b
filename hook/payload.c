#include "hook/payload.h"

#include <stdlib.h>
#include <string.h>

#define FIELD "payload"

/* ---- bounds ---- */

/* Behind the string that begins at `at`; `len`: it doesn't end. */
static size_t string_end(const char *text, size_t len, size_t at)
{
    for (at++; at < len && text[at] != '"'; at++)
        at += text[at] == '\\';
    return at < len ? at : len;
}

/* Whatever a parser would say of the text: neither depth nor values of what it makes of it are more
 * than what is counted here. */
static bool bounded(const char *text, size_t len, buf *detail)
{
    size_t depth = 0, deepest = 0, values = 0;
    for (size_t i = 0; i < len; i++) {
        switch (text[i]) {
        case '"': i = string_end(text, len, i); break;
        case '[':
        case '{':
            values++;
            depth++;
            deepest = depth > deepest ? depth : deepest;
            break;
        case ']':
        case '}': depth -= depth > 0; break;
        case ',': values++; break;
        default: break;
        }
    }
    if (deepest > HOOK_DEPTH)
        buf_addf(detail, "Arrays and objects are nested more than %d deep.", HOOK_DEPTH);
    else if (values > HOOK_VALUES)
        buf_addf(detail, "It has more than %d values.", HOOK_VALUES);
    return deepest <= HOOK_DEPTH && values <= HOOK_VALUES;
}

/* ---- JSON ---- */

hook_payload_result hook_payload_json(const char *text, size_t len, json_t **out, buf *detail)
{
    json_error_t error;
    *out = NULL;
    if (len == 0) {
        buf_adds(detail, "It is empty; JSON is expected.");
        return HOOK_PAYLOAD_BAD;
    }
    if (!bounded(text, len, detail))
        return HOOK_PAYLOAD_TOO_LARGE;
    *out = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (*out)
        return HOOK_PAYLOAD_OK;
    if (json_error_code(&error) == json_error_out_of_memory)
        return HOOK_PAYLOAD_NOMEM;
    buf_addf(detail, "Line %d, byte %d: %s.", error.line, error.position, error.text);
    return HOOK_PAYLOAD_BAD;
}

/* ---- forms ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* An escape that is none stands for itself, as in the URL standard. */
static void unescape(const char *s, size_t len, buf *out)
{
    (void)buf_reserve(out, len);
    for (size_t i = 0; i < len; i++) {
        int high = s[i] == '%' && i + 2 < len ? hex_digit(s[i + 1]) : -1;
        int low = high < 0 ? -1 : hex_digit(s[i + 2]);
        if (low >= 0) {
            buf_addc(out, (char)(high << 4 | low));
            i += 2;
        } else {
            buf_addc(out, s[i] == '+' ? ' ' : s[i]);
        }
    }
}

/* The value of the first member of that name, as it stands in the text; NULL: there is none. */
static const char *find_field(const char *text, size_t len, size_t *value_len)
{
    const char *end = text + len;
    while (text < end) {
        const char *stop = memchr(text, '&', (size_t)(end - text));
        size_t n = (size_t)((stop ? stop : end) - text);
        if (n > strlen(FIELD) && memcmp(text, FIELD "=", sizeof FIELD) == 0) {
            *value_len = n - sizeof FIELD;
            return text + sizeof FIELD;
        }
        text += n + 1;
    }
    return NULL;
}

hook_payload_result hook_payload_form(const char *text, size_t len, json_t **out, buf *detail)
{
    size_t value_len = 0;
    const char *value = len ? find_field(text, len, &value_len) : NULL;
    buf decoded = BUF_INIT;
    hook_payload_result result = HOOK_PAYLOAD_BAD;

    *out = NULL;
    if (!value) {
        buf_adds(detail, "The form has no member \"" FIELD "\".");
        return result;
    }
    unescape(value, value_len, &decoded);
    result = buf_ok(&decoded) ? hook_payload_json(decoded.data, decoded.len, out, detail)
                              : HOOK_PAYLOAD_NOMEM;
    buf_free(&decoded);
    return result;
}

/* ---- pointers ---- */

bool hook_pointer_valid(const char *pointer)
{
    if (strnlen(pointer, HOOK_POINTER_MAX + 1) > HOOK_POINTER_MAX)
        return false;
    if (pointer[0] != '\0' && pointer[0] != '/')
        return false;
    for (const char *p = strchr(pointer, '~'); p; p = strchr(p + 1, '~')) {
        if (p[1] != '0' && p[1] != '1')
            return false;
    }
    return true;
}

/* One step's name, its escapes undone. */
static void read_step(const char *at, size_t len, char out[HOOK_POINTER_MAX + 1])
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        bool escape = at[i] == '~' && i + 1 < len;
        out[n++] = escape ? (at[i + 1] == '0' ? '~' : '/') : at[i];
        i += escape;
    }
    out[n] = '\0';
}

/* Digits without a leading zero. */
static const json_t *item(const json_t *array, const char *step)
{
    size_t len = strlen(step);
    if (len == 0 || len > 9 || strspn(step, "0123456789") != len || (step[0] == '0' && len > 1))
        return NULL;
    return json_array_get(array, strtoul(step, NULL, 10));
}

const json_t *hook_pointer_find(const json_t *root, const char *pointer)
{
    char step[HOOK_POINTER_MAX + 1];
    if (!hook_pointer_valid(pointer))
        return NULL;
    while (root && *pointer) {
        size_t len = strcspn(pointer + 1, "/");
        read_step(pointer + 1, len, step);
        root = json_is_array(root) ? item(root, step) : json_object_get(root, step);
        pointer += 1 + len;
    }
    return root;
}
