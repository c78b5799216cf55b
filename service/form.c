#include "service/form.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hex.h"
#include "base/utf8.h"
#include "base/zeroed.h"

#define URL_PIECE 1024                /* octets that are decoded together */
#define DELIMITER (4 + FORM_BOUNDARY) /* CR LF "--" and the boundary */
#define FILENAME  4096                /* octets: what is no name is told later */
#define CHARSET   40
/* About what a field costs in the tree, beside its text. */
#define FIELD_WEIGHT 512

typedef enum form_state {
    URL_NAME,
    URL_VALUE,
    PREAMBLE, /* before the first boundary; as content, but dropped */
    CONTENT,
    DELIMITED, /* behind a boundary: what follows says whether it was the last */
    ENDING,    /* behind its first hyphen */
    PADDING,   /* blanks before the end of its line */
    PADDING_LF,
    HEAD,
    EPILOGUE,
    FAULTY
} form_state;

/* The field or file at hand. */
typedef struct part {
    char name[FORM_NAME + 1];
    size_t name_len;
    bool is_file, lifted, empty;
    char *filename, *content_type; /* owned; of a file */
    buf text;                      /* of a field, as long as it is short */
    utf8_check utf8;
} part;

struct form_reader {
    document *document;
    json_t *root;
    size_t lift_at, rest, rest_most; /* of short texts and names: what there is, and may be */
    size_t fields;
    form_state state;
    const char *fault; /* static; NULL while there is none, or it is the document's */
    bool too_large, nomem;
    part part;
    /* multipart */
    char delimiter[DELIMITER + 1];
    size_t delimiter_len, matched;
    buf head;
    /* urlencoded */
    char escape[2]; /* what came of one, with its '%' */
    size_t escape_len;
};

static bool fail(form_reader *f, const char *why)
{
    if (f->state != FAULTY)
        f->fault = why;
    f->state = FAULTY;
    return false;
}

/* The document has said why, or there is no memory. */
static bool stop(form_reader *f)
{
    f->nomem = document_refused(f->document) == DOCUMENT_OK;
    f->state = FAULTY;
    return false;
}

/* The store's budget is used up. */
static bool no_space(form_reader *f)
{
    f->state = FAULTY;
    return false;
}

static bool weigh(form_reader *f, size_t bytes)
{
    f->rest += bytes;
    if (f->rest <= f->rest_most || !f->rest_most)
        return true;
    f->too_large = true;
    return fail(f, "there are more short fields than any request needs");
}

/* ---- the tree ---- */

/* Takes over the value. */
static bool append(form_reader *f, const char *name, json_t *value)
{
    json_t *list = json_object_get(f->root, name);
    bool ok = value != NULL;

    if (ok && !list) {
        list = json_array();
        ok = list && json_object_set_new_nocheck(f->root, name, list) == 0;
    }
    if (ok)
        return json_array_append_new(list, value) == 0 || stop(f);
    json_decref(value);
    return stop(f);
}

static void clear_part(form_reader *f)
{
    part *p = &f->part;
    free(p->filename);
    free(p->content_type);
    p->filename = p->content_type = NULL;
    p->is_file = p->lifted = false;
    p->name_len = 0;
    p->utf8 = (utf8_check){0};
    buf_clear(&p->text);
}

static bool name_fits(form_reader *f)
{
    part *p = &f->part;
    p->name[p->name_len] = '\0';
    if (p->name_len == 0)
        return fail(f, "a field has no name");
    size_t head = p->name_len;
    if (p->is_file)
        head += strlen(p->filename) + (p->content_type ? strlen(p->content_type) : 0);
    if (!utf8_valid(p->name, p->name_len))
        return fail(f, "a field's name is not UTF-8");
    for (size_t i = 0; i < p->name_len; i++) {
        if ((unsigned char)p->name[i] < 0x20 || p->name[i] == 0x7F)
            return fail(f, "a field's name holds a control character");
    }
    if (++f->fields > FORM_FIELDS) {
        f->too_large = true;
        return fail(f, "there are more than 4000 fields");
    }
    return weigh(f, head) && (document_hold(f->document, FIELD_WEIGHT + head) || no_space(f));
}

static bool begin_value(form_reader *f)
{
    part *p = &f->part;
    if (!name_fits(f))
        return false;
    p->lifted = p->is_file;
    p->empty = true;
    return !p->lifted || document_lift_begin(f->document, true) || stop(f);
}

/* A text that has become long is the document's from then on. */
static bool add_text(form_reader *f, const char *data, size_t len)
{
    part *p = &f->part;

    const char *nul = memchr(data, '\0', len);
    size_t before = nul ? (size_t)(nul - data) : len;

    if (utf8_check_feed(&p->utf8, data, before) != before)
        return fail(f, "a field is not UTF-8");
    if (nul)
        return fail(f, "a field holds NUL");
    if (!p->lifted && len <= f->lift_at && p->text.len + len <= f->lift_at) {
        buf_add(&p->text, data, len);
        return buf_ok(&p->text) || stop(f);
    }
    if (!p->lifted && !(document_lift_begin(f->document, false) &&
                        document_lift_add(f->document, p->text.data, p->text.len)))
        return stop(f);
    p->lifted = true;
    return document_lift_add(f->document, data, len) || stop(f);
}

static bool add_value(form_reader *f, const char *data, size_t len)
{
    if (len == 0)
        return true;
    f->part.empty = false;
    if (f->part.is_file)
        return document_lift_add(f->document, data, len) || stop(f);
    return add_text(f, data, len);
}

static json_t *file_value(form_reader *f)
{
    part *p = &f->part;
    json_t *file = json_object();

    if (!file || json_object_set_new(file, "filename", json_string(p->filename)) != 0 ||
        (p->content_type &&
         json_object_set_new(file, "content_type", json_string(p->content_type)) != 0) ||
        json_object_set_new(file, "content", document_lift_end(f->document)) != 0) {
        json_decref(file);
        return NULL;
    }
    return file;
}

static bool end_value(form_reader *f)
{
    part *p = &f->part;
    json_t *value;

    if (!p->is_file && !utf8_check_end(&p->utf8))
        return fail(f, "a field is not UTF-8");
    if (p->is_file)
        value = file_value(f);
    else if (p->lifted)
        value = document_lift_end(f->document);
    else if (weigh(f, p->text.len))
        value = json_stringn_nocheck(p->text.data ? p->text.data : "", p->text.len);
    else
        return false;
    bool ok = true;
    if (value && p->is_file && p->empty && !*p->filename) /* a browser's, where none was chosen */
        json_decref(value);
    else
        ok = append(f, p->name, value);
    clear_part(f);
    return ok;
}

/* ---- parameters of a header ---- */

/* A cursor in a header field's value. */
typedef struct words {
    const char *at, *end;
} words;

static void skip_blanks(words *w)
{
    while (w->at < w->end && (*w->at == ' ' || *w->at == '\t'))
        w->at++;
}

/* RFC 2045's token; also what an unquoted value is. */
static size_t token_length(const words *w)
{
    const char *s = w->at;
    while (s < w->end && (unsigned char)*s > ' ' && *s != 0x7F && !strchr("()<>@,;:\\\"/[]?=", *s))
        s++;
    return (size_t)(s - w->at);
}

/* What is between quotes. A backslash stands for itself, unless it is before a quote or another:
 * some write "C:\a.txt" so. */
static bool read_quoted(words *w, buf *out)
{
    for (w->at++; w->at < w->end && *w->at != '"'; w->at++) {
        if (*w->at == '\\' && w->at + 1 < w->end && (w->at[1] == '"' || w->at[1] == '\\'))
            w->at++;
        buf_addc(out, *w->at);
    }
    return w->at < w->end && *w->at++ == '"';
}

/* What is behind ";": name "=" value. */
static bool read_pair(words *w, mime_bytes *name, buf *value)
{
    *name = (mime_bytes){w->at, token_length(w)};
    w->at += name->len;
    skip_blanks(w);
    if (name->len == 0 || w->at == w->end || *w->at != '=')
        return false;
    w->at++;
    skip_blanks(w);
    if (w->at < w->end && *w->at == '"')
        return read_quoted(w, value);
    size_t len = token_length(w);
    buf_add(value, w->at, len);
    w->at += len;
    return len > 0;
}

/* The next parameter; false: there is none, and the cursor is at the end only if that is so. */
static bool read_parameter(words *w, mime_bytes *name, buf *value)
{
    buf_clear(value);
    skip_blanks(w);
    words at = *w;
    if (at.at == at.end || *at.at++ != ';')
        return false;
    skip_blanks(&at);
    bool ends = at.at == at.end; /* in ";" */
    bool ok = !ends && read_pair(&at, name, value);
    if (ok || ends)
        *w = at;
    return ok;
}

static bool is_named(const mime_bytes *name, const char *wanted)
{
    return name->len == strlen(wanted) && strncasecmp(name->data, wanted, name->len) == 0;
}

/* %XX at `at`; -1: it isn't one. */
static int percent(const buf *b, size_t at)
{
    if (b->len - at < 3 || b->data[at] != '%')
        return -1;
    int high = hex_digit(b->data[at + 1]), low = hex_digit(b->data[at + 2]);
    return high < 0 || low < 0 ? -1 : 16 * high + low;
}

/* Decodes, all of them or those that browsers write for what would end a quoted string or a line.
 */
static void decode_percent(buf *b, bool all)
{
    size_t to = 0;
    for (size_t i = 0; i < b->len; i++) {
        int c = percent(b, i);
        if (c >= 0 && (all || c == '"' || c == '\r' || c == '\n')) {
            b->data[to++] = (char)c;
            i += 2;
        } else {
            b->data[to++] = b->data[i];
        }
    }
    b->len = to;
}

/* charset'language'text, of which the charset must be UTF-8. */
static bool decode_extended(buf *b)
{
    const char *quote = b->len ? memchr(b->data, '\'', b->len) : NULL;
    size_t head = quote ? (size_t)(quote - b->data) : 0;
    const char *second = quote ? memchr(quote + 1, '\'', b->len - head - 1) : NULL;

    if (!second || head != 5 || strncasecmp(b->data, "UTF-8", 5) != 0)
        return false;
    buf_drop(b, (size_t)(second + 1 - b->data));
    decode_percent(b, true);
    return true;
}

/* ---- a part's header ---- */

static bool take_name(form_reader *f, buf *value)
{
    decode_percent(value, false);
    if (value->len > FORM_NAME)
        return fail(f, "a field's name is longer than 256 octets");
    if (value->len)
        memcpy(f->part.name, value->data, value->len);
    f->part.name_len = value->len;
    return true;
}

static bool take_filename(form_reader *f, buf *value)
{
    if (value->len > FILENAME || (value->len && memchr(value->data, '\0', value->len)) ||
        !utf8_valid(value->data, value->len))
        return fail(f, "a file's name is not UTF-8");
    f->part.is_file = true;
    free(f->part.filename);
    f->part.filename = strndup(value->len ? value->data : "", value->len);
    return f->part.filename || stop(f);
}

static bool read_disposition(form_reader *f, words w)
{
    const char *const malformed = "the Content-Disposition of a part is malformed";
    buf value = BUF_INIT;
    mime_bytes name, type = {w.at, token_length(&w)};
    bool has_name = false, extended = false, ok = true;

    if (!is_named(&type, "form-data"))
        return fail(f, "a part's Content-Disposition is not form-data");
    w.at += type.len;
    while (ok && read_parameter(&w, &name, &value)) {
        if (!buf_ok(&value)) {
            ok = stop(f);
        } else if (is_named(&name, "name")) {
            ok = !has_name ? take_name(f, &value) : fail(f, malformed);
            has_name = true;
        } else if (is_named(&name, "filename*")) {
            ok = decode_extended(&value) ? take_filename(f, &value) : fail(f, malformed);
            extended = true;
        } else if (is_named(&name, "filename") && !extended) {
            decode_percent(&value, false);
            ok = take_filename(f, &value);
        }
    }
    if (ok && !buf_ok(&value))
        ok = stop(f);
    skip_blanks(&w);
    if (ok && (w.at != w.end || !has_name))
        ok = fail(f, malformed);
    buf_free(&value);
    return ok;
}

/* It is kept for files. Of a field it may say the charset, which must be ours. */
static bool read_type(form_reader *f, words w)
{
    buf value = BUF_INIT;
    mime_bytes name;
    bool ok = true;

    if (!utf8_valid(w.at, (size_t)(w.end - w.at)))
        return fail(f, "the Content-Type of a part is not UTF-8");
    free(f->part.content_type);
    f->part.content_type = strndup(w.at, (size_t)(w.end - w.at));
    if (!f->part.content_type)
        return stop(f);
    w.at += strcspn(f->part.content_type, ";");
    while (ok && !f->part.is_file && read_parameter(&w, &name, &value)) {
        mime_bytes charset = {value.data, value.len};
        if (!buf_ok(&value))
            ok = stop(f);
        else if (is_named(&name, "charset") && !is_named(&charset, "utf-8") &&
                 !is_named(&charset, "us-ascii"))
            ok = fail(f, "the charset of a field is not UTF-8");
    }
    buf_free(&value);
    return ok;
}

static bool read_encoding(form_reader *f, words w)
{
    mime_bytes name = {w.at, token_length(&w)};
    if (is_named(&name, "binary") || is_named(&name, "8bit") || is_named(&name, "7bit"))
        return true;
    return fail(f, "the Content-Transfer-Encoding of a part is not binary, 8bit or 7bit");
}

/* In this order: what a type's charset means depends on whether it is a file. */
static const struct {
    const char *name;
    bool (*read)(form_reader *f, words value);
} fields[] = {{"Content-Disposition", read_disposition},
              {"Content-Type", read_type},
              {"Content-Transfer-Encoding", read_encoding}};

#define FIELDS (sizeof fields / sizeof *fields)

/* Where each of the fields has its value; false: the head isn't lines of fields. */
static bool find_fields(const buf *head, words found[FIELDS])
{
    const char *at = head->data, *all = head->data + head->len;

    while (at < all) {
        const char *end = memmem(at, (size_t)(all - at), "\r\n", 2);
        const char *colon = end ? memchr(at, ':', (size_t)(end - at)) : NULL;
        if (!colon || *at == ' ' || *at == '\t' || memchr(at, '\n', (size_t)(end - at)) ||
            memchr(at, '\0', (size_t)(end - at)))
            return false;
        mime_bytes name = {at, (size_t)(colon - at)};
        words value = {colon + 1, end};
        skip_blanks(&value);
        while (value.end > value.at && (value.end[-1] == ' ' || value.end[-1] == '\t'))
            value.end--;
        for (size_t i = 0; i < FIELDS; i++) {
            if (!is_named(&name, fields[i].name))
                continue;
            if (found[i].at)
                return false;
            found[i] = value;
        }
        at = end + 2;
    }
    return true;
}

/* `head`: lines, each with its CRLF. */
static bool read_head(form_reader *f)
{
    words found[FIELDS] = {{0}};

    if (!find_fields(&f->head, found))
        return fail(f, "the header of a part is malformed");
    if (!found[0].at)
        return fail(f, "a part has no Content-Disposition");
    for (size_t i = 0; i < FIELDS; i++) {
        if (found[i].at && !fields[i].read(f, found[i]))
            return false;
    }
    return true;
}

/* ---- multipart ---- */

static bool add_content(form_reader *f, const char *data, size_t len)
{
    return f->state == PREAMBLE || add_value(f, data, len);
}

/* What looks like the delimiter so far may be content, and only then is given on: its first octet
 * is nowhere else in it, so that a mismatch can only begin it anew. */
static size_t take_content(form_reader *f, const char *data, size_t len)
{
    size_t i = 0;

    while (i < len && f->matched < f->delimiter_len) {
        if (f->matched == 0) {
            const char *cr = memchr(data + i, '\r', len - i);
            size_t n = cr ? (size_t)(cr - data) - i : len - i;
            if (!add_content(f, data + i, n))
                return len;
            i += n;
            f->matched = cr ? 1 : 0;
            i += cr ? 1 : 0;
        } else if (data[i] == f->delimiter[f->matched]) {
            f->matched++;
            i++;
        } else {
            size_t n = f->matched;
            f->matched = 0;
            if (!add_content(f, f->delimiter, n))
                return len;
        }
    }
    if (f->matched < f->delimiter_len)
        return i;
    f->matched = 0;
    if (f->state == PREAMBLE || end_value(f))
        f->state = DELIMITED;
    return i;
}

/* What follows a boundary; FAULTY: nothing that may. */
static form_state behind_boundary(form_state state, char c)
{
    if (state == PADDING_LF)
        return c == '\n' ? HEAD : FAULTY;
    if (state == ENDING)
        return c == '-' ? EPILOGUE : FAULTY;
    if (c == '\r')
        return PADDING_LF;
    if (c == ' ' || c == '\t')
        return PADDING;
    return state == DELIMITED && c == '-' ? ENDING : FAULTY;
}

static void take_delimited(form_reader *f, char c)
{
    form_state next = behind_boundary(f->state, c);
    if (next == FAULTY)
        (void)fail(f, "a boundary is followed by something else than the end of its line");
    f->state = next;
}

/* To the empty line, a line at most. */
static size_t take_head(form_reader *f, const char *data, size_t len)
{
    const char *lf = memchr(data, '\n', len);
    size_t n = lf ? (size_t)(lf - data) + 1 : len;

    if (f->head.len + n > FORM_HEAD) {
        (void)fail(f, "the header of a part is longer than 4096 octets");
        return len;
    }
    buf_add(&f->head, data, n);
    if (!buf_ok(&f->head)) {
        (void)stop(f);
        return len;
    }
    const buf *h = &f->head;
    bool empty =
        lf && (h->len == 2 || (h->len >= 4 && memcmp(h->data + h->len - 4, "\r\n", 2) == 0));
    if (!empty || h->data[h->len - 2] != '\r')
        return n;
    f->head.len -= 2;
    if (read_head(f) && begin_value(f))
        f->state = CONTENT;
    buf_clear(&f->head);
    return n;
}

/* ---- urlencoded ---- */

static bool add_url(form_reader *f, const char *data, size_t len)
{
    part *p = &f->part;

    if (f->state == URL_VALUE)
        return add_value(f, data, len);
    if (p->name_len + len > FORM_NAME)
        return fail(f, "a field's name is longer than 256 octets");
    memcpy(p->name + p->name_len, data, len);
    p->name_len += len;
    return true;
}

static bool end_url(form_reader *f)
{
    if (f->escape_len > 0)
        return fail(f, "a % is not followed by two hexadecimal digits");
    if (f->state == URL_NAME) {
        if (f->part.name_len == 0) /* "a=1&&b=2", and nothing at all */
            return true;
        if (!begin_value(f))
            return false;
    }
    if (!end_value(f))
        return false;
    f->state = URL_NAME;
    return true;
}

static void take_escape(form_reader *f, char c)
{
    if (hex_digit(c) < 0) {
        (void)fail(f, "a % is not followed by two hexadecimal digits");
    } else if (f->escape_len == 1) {
        f->escape[f->escape_len++] = c;
    } else {
        char octet = (char)(16 * hex_digit(f->escape[1]) + hex_digit(c));
        f->escape_len = 0;
        (void)add_url(f, &octet, 1);
    }
}

/* What is whole of a name or a value, decoded and added together, since HTML has an escape every
 * few octets; how many octets that was. What ends it, and an escape that is cut or none, is left.
 */
static size_t take_url_text(form_reader *f, const char *data, size_t len)
{
    bool in_name = f->state == URL_NAME;
    char out[URL_PIECE];
    size_t n = 0, made = 0;

    while (n < len && made < sizeof out) {
        char c = data[n];
        int high = -1, low = -1;
        if (c == '&' || (c == '=' && in_name))
            break;
        if (c == '%' && n + 2 < len) {
            high = hex_digit(data[n + 1]);
            low = hex_digit(data[n + 2]);
        }
        if (c == '%' && (high < 0 || low < 0))
            break;
        out[made++] = (char)(c == '%' ? 16 * high + low : c == '+' ? ' ' : c);
        n += c == '%' ? 3 : 1;
    }
    if (made > 0)
        (void)add_url(f, out, made);
    return n;
}

static size_t take_url(form_reader *f, const char *data, size_t len)
{
    if (f->escape_len > 0) {
        take_escape(f, *data);
        return 1;
    }
    size_t n = take_url_text(f, data, len);
    if (n > 0)
        return n;
    if (*data == '%')
        f->escape_len = 1;
    else if (*data == '&')
        (void)end_url(f);
    else if (begin_value(f))
        f->state = URL_VALUE;
    return 1;
}

/* ---- coming in ---- */

void form_add(form_reader *f, const char *data, size_t len)
{
    while (len > 0) {
        size_t n = 1;
        switch (f->state) {
        case URL_NAME:
        case URL_VALUE: n = take_url(f, data, len); break;
        case PREAMBLE:
        case CONTENT: n = take_content(f, data, len); break;
        case DELIMITED:
        case ENDING:
        case PADDING:
        case PADDING_LF: take_delimited(f, *data); break;
        case HEAD: n = take_head(f, data, len); break;
        case EPILOGUE:
        case FAULTY: return;
        }
        data += n;
        len -= n;
    }
}

/* RFC 2046's bchars, without CR and LF in any case; not a blank at the end. */
static bool boundary_fits(const buf *b)
{
    if (b->len == 0 || b->len > FORM_BOUNDARY || b->data[b->len - 1] == ' ')
        return false;
    for (size_t i = 0; i < b->len; i++) {
        if (b->data[i] < ' ' || b->data[i] == 0x7F)
            return false;
    }
    return true;
}

/* False, and *reason, NULL without memory. */
static bool read_boundary(form_reader *f, const char *content_type, const char **reason)
{
    words w = {content_type, content_type + strlen(content_type)};
    buf value = BUF_INIT;
    mime_bytes name;
    bool found = false;

    w.at += strcspn(content_type, ";");
    while (!found && read_parameter(&w, &name, &value))
        found = is_named(&name, "boundary");
    if (found && buf_ok(&value) && boundary_fits(&value))
        f->delimiter_len = (size_t)snprintf(f->delimiter, sizeof f->delimiter, "\r\n--%.*s",
                                            (int)value.len, value.data);
    else if (buf_ok(&value))
        *reason = "The Content-Type of the body names no valid boundary.";
    buf_free(&value);
    return f->delimiter_len > 0;
}

static bool is_type(const char *content_type, const char *wanted)
{
    words w = {content_type, content_type + strcspn(content_type, ";")};
    skip_blanks(&w);
    while (w.end > w.at && (w.end[-1] == ' ' || w.end[-1] == '\t'))
        w.end--;
    mime_bytes type = {w.at, (size_t)(w.end - w.at)};
    return is_named(&type, wanted);
}

static bool begin(form_reader *f, const char *content_type, const char **reason)
{
    bool multipart = content_type && is_type(content_type, "multipart/form-data");

    if (!multipart &&
        !(content_type && is_type(content_type, "application/x-www-form-urlencoded"))) {
        *reason = "Send multipart/form-data or application/x-www-form-urlencoded.";
        return false;
    }
    if (multipart && !read_boundary(f, content_type, reason))
        return false;
    f->state = multipart ? PREAMBLE : URL_NAME;
    f->matched = multipart ? 2 : 0; /* the first boundary may be the first thing that comes */
    return true;
}

form_reader *form_create(const document_options *options, const char *content_type,
                         const char **reason)
{
    form_reader *f = zeroed(1, sizeof *f);

    *reason = NULL;
    if (!f)
        return NULL;
    f->document = document_create(options);
    f->root = json_object();
    f->lift_at = options->lift_at;
    f->rest_most = options->rest;
    if (f->document && f->root && begin(f, content_type, reason))
        return f;
    form_free(f);
    return NULL;
}

void form_free(form_reader *f)
{
    if (!f)
        return;
    clear_part(f);
    buf_free(&f->part.text);
    buf_free(&f->head);
    json_decref(f->root);
    document_free(f->document);
    free(f);
}

static document_result outcome(form_reader *f, buf *detail)
{
    if (f->state == URL_NAME || f->state == URL_VALUE)
        (void)end_url(f);
    else if (f->state != EPILOGUE)
        (void)fail(f, "it ends before its last boundary");
    if (f->state != FAULTY)
        return DOCUMENT_OK;
    if (document_refused(f->document) != DOCUMENT_OK)
        return document_refused(f->document);
    if (!f->fault)
        return f->nomem ? DOCUMENT_NOMEM : DOCUMENT_NO_SPACE;
    buf_addf(detail, "The form can't be read: %s", f->fault);
    if (f->fields > 0)
        buf_addf(detail, " (at field %zu)", f->fields);
    buf_adds(detail, ".");
    return f->too_large ? DOCUMENT_TOO_LARGE : DOCUMENT_BAD;
}

document *form_finish(form_reader *f, document_result *result, buf *detail)
{
    document *d = f->document;

    *result = outcome(f, detail);
    if (!buf_ok(detail))
        *result = DOCUMENT_NOMEM;
    if (*result != DOCUMENT_OK)
        return NULL;
    document_set_root(d, f->root);
    f->root = NULL;
    f->document = NULL;
    return d;
}
