/*
 * The rules for attachments: by their names, and by their first octets.
 */
#include <string.h>

#include "lint/lint_own.h"

#define ZIP_HEADER 30 /* octets of a local file header before its name (APPNOTE.TXT 4.3.7) */

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

/* The name of the archive's first file, or as much of it as is at hand. */
static mime_bytes first_file(const lint_attachment *a)
{
    if (!is_zip(a))
        return (mime_bytes){NULL, 0};
    size_t len = two(a->head + 26), room = a->head_len - ZIP_HEADER;
    return (mime_bytes){(const char *)a->head + ZIP_HEADER, len <= room ? len : 0};
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

void lint_blocked(lint_context *c)
{
    for (size_t i = 0; i < c->mail->attachment_count; i++) {
        const lint_attachment *a = &c->mail->attachments[i];
        ending e = ending_of(a->filename.data, a->filename.len);
        mime_bytes inner = first_file(a);
        ending within = ending_of(inner.data, inner.len);
        if (e.len > 0 && words_is_blocked(e.s, e.len))
            tell_name(c, i);
        else if (is_archive(a) && within.len > 0 && words_is_blocked(within.s, within.len))
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

void lint_locked(lint_context *c)
{
    for (size_t i = 0; i < c->mail->attachment_count; i++) {
        const lint_attachment *a = &c->mail->attachments[i];
        if (is_zip(a) && two(a->head + 6) & 1) /* 4.4.4, bit 0 */
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
