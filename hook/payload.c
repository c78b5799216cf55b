#include "hook/payload.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/plain.h"
#include "base/utf8.h"

#define FIELD  "payload"
#define ESCAPE 6 /* characters of \uXXXX */

/* ---- bounds ---- */

/* The quote that ends the string that begins at `at`; `len`: it doesn't end. */
static size_t string_end(const char *text, size_t len, size_t at)
{
    bool beyond = false;
    for (at++; at < len; at++) {
        at += utf8_plain_run(text + at, len - at, &beyond);
        if (at < len && text[at] == '"')
            return at;
        at += at < len && text[at] == '\\';
    }
    return len;
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

/* ---- what a mail can't hold ---- */

/* The unit of an escape \uXXXX that stands there; -1: none does. */
static int unit_at(const char *text, size_t len, size_t at)
{
    int unit = 0;
    if (at + ESCAPE > len || text[at] != '\\' || text[at + 1] != 'u')
        return -1;
    for (size_t i = at + 2; i < at + ESCAPE; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

/* How much of the text at `at`, a backslash, is passed over; *bad: it is the escape of NUL, or of
 * half a pair of surrogates. */
static size_t escape_at(const char *text, size_t len, size_t at, bool *bad)
{
    int unit = unit_at(text, len, at);
    int next = unit >= 0xD800 && unit < 0xDC00 ? unit_at(text, len, at + ESCAPE) : -1;
    *bad = unit == 0 || (unit >= 0xD800 && unit < 0xE000);
    if (next >= 0xDC00 && next < 0xE000) {
        *bad = false;
        return (size_t)2 * ESCAPE;
    }
    return unit >= 0 ? ESCAPE : 2;
}

/* The text with U+FFFD for those. It stays where it is if it has none: `out` is then empty. */
static void mend(const char *text, size_t len, buf *out)
{
    size_t from = 0;
    bool bad = false;
    const char *found;

    for (size_t at = 0; at < len && (found = memchr(text + at, '\\', len - at));) {
        size_t here = (size_t)(found - text);
        at = here + escape_at(text, len, here, &bad);
        if (!bad)
            continue;
        buf_add(out, text + from, here - from);
        buf_adds(out, "\\uFFFD");
        from = at;
    }
    if (from > 0)
        buf_add(out, text + from, len - from);
}

/* ---- JSON ---- */

_Static_assert(PLAIN_DEPTH_TEXT == HOOK_DEPTH, "what plain_load_text() takes is not too deep");

hook_payload_result hook_payload_json(const char *text, size_t len, json_t **out, buf *detail)
{
    json_error_t error;
    *out = NULL;
    if (len == 0) {
        buf_adds(detail, "It is empty; JSON is expected.");
        return HOOK_PAYLOAD_BAD;
    }
    /* What is short has not so many values, and plain_load_text() looks at the depth, too. */
    bool is_short = len < HOOK_VALUES;
    if (!is_short && !bounded(text, len, detail))
        return HOOK_PAYLOAD_TOO_LARGE;
    buf mended = BUF_INIT;
    mend(text, len, &mended);
    bool ok = buf_ok(&mended);
    if (mended.len > 0) {
        text = mended.data;
        len = mended.len;
    }
    *out = ok ? plain_load_text(text, len) : NULL;
    if (ok && !*out && is_short && !bounded(text, len, detail)) {
        buf_free(&mended);
        return HOOK_PAYLOAD_TOO_LARGE;
    }
    if (ok && !*out)
        *out = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    buf_free(&mended);
    if (*out)
        return HOOK_PAYLOAD_OK;
    if (!ok || json_error_code(&error) == json_error_out_of_memory)
        return HOOK_PAYLOAD_NOMEM;
    buf_addf(detail, "Line %d, byte %d: %s.", error.line, error.position, error.text);
    return HOOK_PAYLOAD_BAD;
}

/* ---- forms ---- */

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
