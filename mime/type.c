#include "mime/type.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define TYPE_MAX 255

static const struct {
    const char *ending, *type;
} endings[] = {
    {"7z", "application/x-7z-compressed"},
    {"avif", "image/avif"},
    {"bmp", "image/bmp"},
    {"css", "text/css"},
    {"csv", "text/csv"},
    {"doc", "application/msword"},
    {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {"epub", "application/epub+zip"},
    {"gif", "image/gif"},
    {"gz", "application/gzip"},
    {"heic", "image/heic"},
    {"htm", "text/html"},
    {"html", "text/html"},
    {"ics", "text/calendar"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"json", "application/json"},
    {"log", "text/plain"},
    {"m4a", "audio/mp4"},
    {"md", "text/markdown"},
    {"mov", "video/quicktime"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"odp", "application/vnd.oasis.opendocument.presentation"},
    {"ods", "application/vnd.oasis.opendocument.spreadsheet"},
    {"odt", "application/vnd.oasis.opendocument.text"},
    {"ogg", "audio/ogg"},
    {"p7s", "application/pkcs7-signature"},
    {"pdf", "application/pdf"},
    {"pgp", "application/pgp-encrypted"},
    {"png", "image/png"},
    {"ppt", "application/vnd.ms-powerpoint"},
    {"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
    {"rar", "application/vnd.rar"},
    {"rtf", "application/rtf"},
    {"svg", "image/svg+xml"},
    {"tar", "application/x-tar"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"txt", "text/plain"},
    {"vcf", "text/vcard"},
    {"wav", "audio/wav"},
    {"webm", "video/webm"},
    {"webp", "image/webp"},
    {"xls", "application/vnd.ms-excel"},
    {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    {"xml", "application/xml"},
    {"xz", "application/x-xz"},
    {"yaml", "application/yaml"},
    {"yml", "application/yaml"},
    {"zip", "application/zip"},
};

const char *mime_type_guess(const char *filename, size_t len)
{
    const char *dot = len ? memrchr(filename, '.', len) : NULL;
    size_t n = dot ? len - (size_t)(dot + 1 - filename) : 0;
    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++) {
        if (strlen(endings[i].ending) == n && strncasecmp(endings[i].ending, dot + 1, n) == 0)
            return endings[i].type;
    }
    return "application/octet-stream";
}

/* token of RFC 2045 section 5.1. */
static bool is_token(char c)
{
    return c > ' ' && c < 0x7F && !strchr("()<>@,;:\\\"/[]?=", c);
}

static size_t token(const char *s, size_t len, size_t at)
{
    while (at < len && is_token(s[at]))
        at++;
    return at;
}

static size_t blanks(const char *s, size_t len, size_t at)
{
    while (at < len && s[at] == ' ')
        at++;
    return at;
}

/* A parameter's value at `at`: a token or a quoted-string. Its end, or 0. */
static size_t value(const char *s, size_t len, size_t at)
{
    if (at == len || s[at] != '"') {
        size_t to = token(s, len, at);
        return to > at ? to : 0;
    }
    for (at++; at < len && s[at] != '"'; at++) {
        if (s[at] == '\\')
            at++;
    }
    return at < len ? at + 1 : 0;
}

/* The parameters of the composer's own: given twice, readers differ on which holds. */
static bool is_reserved(const char *s, size_t len)
{
    return (len >= 4 && strncasecmp(s, "name", 4) == 0 && (len == 4 || s[4] == '*')) ||
           (len == 8 && strncasecmp(s, "boundary", 8) == 0);
}

static const char *check_parameters(const char *s, size_t len, size_t at)
{
    while ((at = blanks(s, len, at)) < len) {
        if (s[at] != ';')
            return "a character is out of place behind type/subtype";
        size_t start = blanks(s, len, at + 1);
        if (start == len)
            return "nothing follows the semicolon";
        size_t to = token(s, len, start);
        if (to == start || to == len || s[to] != '=')
            return "a parameter is not of the form name=value";
        if (is_reserved(s + start, to - start))
            return "the parameters name and boundary are the composer's";
        at = value(s, len, to + 1);
        if (at == 0)
            return "a parameter's value is neither a token nor quoted";
    }
    return NULL;
}

const char *mime_type_check(const char *s, size_t len)
{
    if (len == 0)
        return "it is empty";
    if (len > TYPE_MAX)
        return "it is longer than 255 bytes";
    for (size_t i = 0; i < len; i++) {
        if (s[i] < ' ' || s[i] >= 0x7F)
            return "it holds a control character, or one beyond ASCII";
    }
    size_t slash = token(s, len, 0);
    if (slash == 0 || slash == len || s[slash] != '/')
        return "it is not of the form type/subtype";
    size_t to = token(s, len, slash + 1);
    if (to == slash + 1)
        return "it is not of the form type/subtype";
    if ((slash == 9 && strncasecmp(s, "multipart", 9) == 0) ||
        (slash == 7 && strncasecmp(s, "message", 7) == 0))
        return "multipart and message types can't be sent as base64";
    return check_parameters(s, len, to);
}
