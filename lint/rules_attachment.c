/*
 * The rules for attachments: by their names, and by their first octets.
 */
#include <string.h>

#include "lint/lint_own.h"
#include "lint/rar.h"

#define ZIP_HEADER      30 /* octets of a local file header before its name (APPNOTE.TXT 4.3.7) */
#define ZIP_LOCKED      1  /* its flags (4.4.4): bit 0 … */
#define ZIP_SIZE_BEHIND 8  /* … and bit 3 */

typedef struct ending {
    const char *s;
    size_t len; /* 0: there is none */
} ending;

/* The ending of a name of `len` bytes, without blanks and dots behind it, which Windows drops. */
static ending ending_of(const char *name, size_t len)
{
    while (len > 0 && (name[len - 1] == ' ' || name[len - 1] == '.'))
        len--;
    for (size_t at = len; at-- > 0;) {
        if (name[at] == '.')
            return (ending){name + at + 1, len - at - 1};
        if (name[at] == '/' || name[at] == '\\')
            break;
    }
    return (ending){NULL, 0};
}

static unsigned two(const unsigned char *s)
{
    return s[0] | (unsigned)s[1] << 8;
}

static bool is_zip(const lint_attachment *a)
{
    return a->head_len >= ZIP_HEADER && memcmp(a->head, "PK\3\4", 4) == 0;
}

typedef struct zip_file {
    mime_bytes name; /* empty where not all of it is at hand */
    bool locked;
} zip_file;

/* The file of a ZIP archive whose header is at *at, which moves on to the next one's; false: there
 * is none, or it isn't at hand. */
static bool zip_next(const lint_attachment *a, size_t *at, zip_file *out)
{
    size_t left = *at < a->head_len ? a->head_len - *at : 0;

    if (left < ZIP_HEADER)
        return false;
    const unsigned char *h = a->head + *at;
    if (memcmp(h, "PK\3\4", 4) != 0)
        return false;
    unsigned flags = two(h + 6);
    size_t name = two(h + 26), size = two(h + 18) | (size_t)two(h + 20) << 16;
    *out = (zip_file){{(const char *)h + ZIP_HEADER, name <= left - ZIP_HEADER ? name : 0},
                      (flags & ZIP_LOCKED) != 0};
    /* Where the size stands behind the file nobody knows from here where the next one begins. */
    bool known = !(flags & ZIP_SIZE_BEHIND) && size < a->head_len;
    *at = known ? *at + ZIP_HEADER + name + two(h + 28) + size : a->head_len;
    return true;
}

/* A .jar, a document: archives that hold what they hold. */
static bool is_archive(const lint_attachment *a)
{
    if (!lint_is(a->filename))
        return is_zip(a);
    ending e = ending_of(a->filename.data, a->filename.len);
    return is_zip(a) && (e.len == 0 || (e.len == 3 && (e.s[0] | 0x20) == 'z'));
}

static void tell_name(lint_context *c, size_t i)
{
    const lint_attachment *a = &c->mail->attachments[i];
    lint_tell_attachment(c, i, a->filename.data ? a->filename.data : "", a->filename.len);
}

/* The first of the archive's files, as far as they are at hand, that is of a blocked kind. */
static bool find_blocked(const lint_attachment *a, mime_bytes *name)
{
    zip_file file;
    for (size_t at = 0; is_archive(a) && zip_next(a, &at, &file);) {
        ending e = ending_of(file.name.data, file.name.len);
        *name = file.name;
        if (e.len > 0 && words_is_blocked(e.s, e.len))
            return true;
    }
    return false;
}

void lint_blocked(lint_context *c)
{
    for (size_t i = 0; i < c->mail->attachment_count; i++) {
        const lint_attachment *a = &c->mail->attachments[i];
        ending e = ending_of(a->filename.data, a->filename.len);
        mime_bytes inner;
        if (e.len > 0 && words_is_blocked(e.s, e.len))
            tell_name(c, i);
        else if (find_blocked(a, &inner))
            lint_tell_attachment(c, i, inner.data, inner.len);
    }
}

/* "invoice.pdf.exe", and U+202E, which turns what follows around: "invoice\u202Efdp.exe". */
void lint_double_ending(lint_context *c)
{
    static const char turn[] = "\xE2\x80\xAE";
    for (size_t i = 0; i < c->mail->attachment_count; i++) {
        const mime_bytes *name = &c->mail->attachments[i].filename;
        ending last = ending_of(name->data, name->len);
        bool turned = name->len > 0 && memmem(name->data, name->len, turn, 3);
        bool twice = false;
        if (last.len > 0 &&
            (words_is_blocked(last.s, last.len) || words_is_macro(last.s, last.len))) {
            ending before = ending_of(name->data, (size_t)(last.s - 1 - name->data));
            twice = before.len > 0 && words_is_document(before.s, before.len);
        }
        if (turned || twice)
            tell_name(c, i);
    }
}

void lint_disguised(lint_context *c)
{
    static const struct {
        const char *magic;
        size_t len;
    } programs[] = {
        {"MZ", 2}, /* Windows */
        {"\x7F"
         "ELF",
         4},                      /* Linux */
        {"\xCF\xFA\xED\xFE", 4},  /* macOS */
        {"L\0\0\0\1\x14\2\0", 8}, /* a .lnk */
    };
    for (size_t i = 0; i < c->mail->attachment_count; i++) {
        const lint_attachment *a = &c->mail->attachments[i];
        ending e = ending_of(a->filename.data, a->filename.len);
        if (e.len > 0 && words_is_blocked(e.s, e.len))
            continue; /* it says so */
        for (size_t k = 0; k < sizeof programs / sizeof *programs; k++) {
            /* "MZ" alone may begin a text. */
            bool program = a->head_len >= 64 || programs[k].len > 2;
            if (program && a->head_len >= programs[k].len &&
                memcmp(a->head, programs[k].magic, programs[k].len) == 0 &&
                (programs[k].len > 2 || memchr(a->head, 0, 64)))
                tell_name(c, i);
        }
    }
}

/* A folder that stands before its files is never locked. */
void lint_locked(lint_context *c)
{
    for (size_t i = 0; i < c->mail->attachment_count; i++) {
        const lint_attachment *a = &c->mail->attachments[i];
        zip_file file = {.locked = false};
        for (size_t at = 0; !file.locked && zip_next(a, &at, &file);)
            ;
        if (file.locked || rar_is_locked(a->head, a->head_len))
            tell_name(c, i);
    }
}

void lint_macro(lint_context *c)
{
    for (size_t i = 0; i < c->mail->attachment_count; i++) {
        const mime_bytes *name = &c->mail->attachments[i].filename;
        ending e = ending_of(name->data, name->len);
        if (e.len > 0 && words_is_macro(e.s, e.len))
            tell_name(c, i);
    }
}
