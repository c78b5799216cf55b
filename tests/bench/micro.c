/*
 * How fast the primitives are: each of the ways that this processor has, in GB/s of input and
 * of processor time (the median of many runs over the same bytes, which stay in the cache).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/utf8.h"
#include "dkim/canon.h"
#include "dkim/sign.h"
#include "mime/base64.h"
#include "mime/encode.h"
#include "smtp/dot.h"

#define RUNS 41

static const char *const levels[VECTOR_LEVELS] = {"plain", "128 bits", "256 bits"};

/* One measured thing: its bytes, where it writes, and the way it takes. */
typedef struct subject {
    const char *in;
    size_t len;
    char *out;
    vector_level level;
    const dkim_identity *identity;
    size_t result; /* so that the work is not for nothing */
} subject;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Seconds that one call takes. */
static double median(void (*work)(subject *), subject *s)
{
    double times[RUNS];
    size_t calls = 1 + (s->identity ? 10000 : 2000000) / (s->len + 1); /* a signature takes long */
    for (size_t i = 0; i < RUNS; i++) {
        double start = now();
        for (size_t j = 0; j < calls; j++)
            work(s);
        times[i] = (now() - start) / (double)calls;
    }
    qsort(times, RUNS, sizeof *times, ascending);
    return times[RUNS / 2];
}

static void measure(const char *what, void (*work)(subject *), subject s, vector_level most)
{
    for (s.level = VECTOR_NONE; s.level <= most; s.level++) {
        double t = median(work, &s);
        printf("%-44s %-9s %8.2f GB/s %10.2f us\n", what, levels[s.level], (double)s.len / t * 1e-9,
               t * 1e6);
    }
}

static void *allocated(size_t n)
{
    void *p = malloc(n);
    if (!p) {
        perror("micro");
        abort();
    }
    return p;
}

/* ---- base64 ---- */

static void check(subject *s)
{
    mime_base64_info info;
    s->result += mime_base64_check_with(mime_base64_kernel_at(s->level), s->in, s->len, &info);
}

static void stream_pieces(subject *s, size_t piece)
{
    mime_base64_stream stream;
    mime_base64_info info;
    size_t n, written;
    mime_base64_stream_init(&stream);
    stream.kernel = mime_base64_kernel_at(s->level);
    for (size_t at = 0; at < s->len; at += n) {
        n = s->len - at < piece ? s->len - at : piece;
        s->result += mime_base64_stream_feed(&stream, s->in + at, n, s->out);
    }
    s->result += mime_base64_stream_end(&stream, s->out, &written, &info);
}

static void stream(subject *s)
{
    stream_pieces(s, 16384);
}

static void stream_of_lines(subject *s)
{
    stream_pieces(s, 78);
}

static void encode(subject *s)
{
    s->result += mime_base64_encode_with(mime_base64_kernel_at(s->level), s->in, s->len, s->out);
}

static void wrap(subject *s)
{
    mime_base64_info info = {.characters = s->len, .canonical = true};
    mime_base64_wrap w;
    size_t n;
    mime_base64_wrap_init(&w, s->in, s->len, &info);
    while ((n = mime_base64_wrap_read(&w, s->out, 16384)) > 0)
        s->result += n;
}

static void base64(vector_level best)
{
    size_t octets_len = (size_t)96 * 1024, len = octets_len / 3 * 4, wrapped, last;
    char *octets = allocated(octets_len), *text = allocated(len), *out = allocated(4 * len);
    char *lines = allocated(MIME_BASE64_STREAM_ROOM(len) + MIME_BASE64_STREAM_END);
    mime_base64_stream s;
    mime_base64_info info;
    for (size_t i = 0; i < octets_len; i++)
        octets[i] = (char)(i * i * 2654435761u >> 13);
    mime_base64_encode(octets, octets_len, text);
    mime_base64_stream_init(&s);
    wrapped = mime_base64_stream_feed(&s, text, len, lines);
    mime_base64_stream_end(&s, lines + wrapped, &last, &info);
    subject unbroken = {.in = text, .len = len, .out = out};
    subject broken = {.in = lines, .len = wrapped + last, .out = out};
    measure("base64 check", check, unbroken, best);
    measure("base64 check, 76 columns", check, broken, best);
    measure("base64 check and wrap", stream, unbroken, best);
    measure("base64 check and wrap, 76 columns", stream, broken, best);
    measure("base64 check and wrap, 78 bytes a piece", stream_of_lines, broken, best);
    measure("base64 wrap of a checked text", wrap, unbroken, VECTOR_NONE);
    measure("base64 encode", encode, (subject){.in = octets, .len = octets_len, .out = out}, best);
    for (size_t i = 0; i < len; i++)
        text[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
    measure("base64 check and wrap, URL-safe", stream, unbroken, best);
    free(octets);
    free(text);
    free(out);
    free(lines);
}

/* ---- UTF-8 ---- */

static void validate(subject *s)
{
    utf8_check c = {0};
    s->result += utf8_check_feed_with(s->level, &c, s->in, s->len);
}

/* As a JSON string's bytes are looked for: from one end of a run to the next. */
static void scan(subject *s)
{
    bool beyond_ascii = false;
    for (size_t at = 0; at < s->len; at++)
        at += utf8_plain_run_with(s->level, s->in + at, s->len - at, &beyond_ascii);
    s->result += beyond_ascii;
}

static char *repeated(const char *text, size_t len)
{
    char *out = allocated(len);
    for (size_t at = 0, n = strlen(text); at < len; at += n)
        memcpy(out + at, text, n < len - at ? n : len - at);
    return out;
}

#define HTML                                                                                       \
    "<tr>\n  <td class=\"item\" style=\"padding: 4px 8px\">One pair of boots, brown, 42</td>\n"    \
    "  <td align=\"right\">EUR 119.90</td>\n</tr>\n<p>Thank you for your order; we have begun "    \
    "to pack it and will write again as soon as it is on its way to you.</p>\n"
#define LATIN   "Grüße aus Köln: Ihre Bestellung ist eingegangen und wird für Sie gepackt.\n"
#define CHINESE "谢谢您的订单，我们已经开始为您准备商品，发货后会再次通知您。\n"

static void utf8(vector_level best)
{
    size_t len = (size_t)64 * 1024;
    char *ascii = repeated("plain ASCII text of any length ", len);
    char *html = repeated(HTML, len), *latin = repeated(LATIN, len);
    char *chinese = repeated(CHINESE, len);
    measure("UTF-8 check, ASCII", validate, (subject){.in = ascii, .len = len}, best);
    measure("UTF-8 check, German", validate, (subject){.in = latin, .len = len - 1}, best);
    measure("UTF-8 check, Chinese", validate, (subject){.in = chinese, .len = len / 97 * 97}, best);
    measure("JSON plain run, unbroken", scan, (subject){.in = ascii, .len = len}, best);
    measure("JSON plain run, HTML", scan, (subject){.in = html, .len = len}, best);
    free(ascii);
    free(html);
    free(latin);
    free(chinese);
}

/* ---- text bodies ---- */

/* Encoding, size and bytes, as the composer asks for them. */
static void compose_text(subject *s)
{
    uint64_t size;
    bool ends_line;
    mime_encoder e;
    size_t cap = s->len * 5 / 4;
    mime_encoding chosen =
        mime_encoding_choose_with(s->level, s->in, s->len, s->out, cap, &size, &ends_line);
    s->result += (size_t)size;
    if (chosen == MIME_QUOTED_PRINTABLE && size <= cap)
        return;
    mime_encoder_init_with(s->level, &e, chosen, s->in, s->len);
    s->result += mime_encoder_read(&e, s->out, (size_t)size);
}

static void text_bodies(vector_level best)
{
    static const struct {
        const char *name, *text;
    } texts[] = {{"HTML", HTML}, {"German", LATIN}, {"Chinese", CHINESE}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        for (size_t len = 3000; len <= 60000; len *= 20) {
            char name[60], *text = repeated(texts[i].text, len), *out = allocated(2 * len);
            (void)snprintf(name, sizeof name, "text body, %zu bytes of %s", len, texts[i].name);
            measure(name, compose_text, (subject){.in = text, .len = len, .out = out}, best);
            free(text);
            free(out);
        }
    }
}

/* ---- DATA ---- */

static void stuff(subject *s)
{
    smtp_dot d = {0};
    s->result += smtp_dot_copy_with(s->level, &d, s->in, s->len, s->out);
}

static void clean(subject *s)
{
    smtp_dot d = {0};
    s->result += smtp_dot_clean_with(s->level, &d, s->in, s->len);
}

#define LINE_76 "abcdefghijklmnopqrstuvwxyz.ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789 0123456789-"

static void data(vector_level best)
{
    size_t len = (size_t)16 * 1024;
    char *lines = repeated(LINE_76 "\r\n", len), *bare = repeated(LINE_76 "\n", len);
    char *out = allocated(SMTP_DOT_ROOM(len));
    subject s = {.in = lines, .len = len / 78 * 78, .out = out};
    measure("dot-stuffing, 76 columns", stuff, s, best);
    measure("dot-stuffing, is it needed?", clean, s, best);
    measure("dot-stuffing, lines end in LF", stuff, (subject){.in = bare, .len = len, .out = out},
            best);
    free(lines);
    free(bare);
    free(out);
}

/* ---- DKIM ---- */

static void count_bytes(void *ctx, const char *piece, size_t len)
{
    (void)piece;
    *(size_t *)ctx += len;
}

static void canonical_form(subject *s)
{
    dkim_body body;
    dkim_body_init(&body, DKIM_RELAXED, count_bytes, &s->result);
    for (size_t at = 0, n; at < s->len; at += n) {
        n = s->len - at < 16384 ? s->len - at : 16384;
        dkim_body_feed(&body, s->in + at, n);
    }
    dkim_body_end(&body);
}

/* What is left to be read. */
static size_t read_rest(void *ctx, char *out, size_t cap)
{
    subject *rest = ctx;
    size_t n = rest->len < cap ? rest->len : cap;
    memcpy(out, rest->in, n);
    rest->in += n;
    rest->len -= n;
    return n;
}

static void sign_message(subject *s)
{
    subject rest = *s;
    const dkim_source source = {read_rest, &rest};
    buf out = BUF_INIT;
    if (!dkim_sign(s->identity, 1, 1, &source, &out))
        abort();
    s->result += out.len;
    buf_free(&out);
}

#define HEADER                                                                                     \
    "Date: Sun, 10 Jun 2018 13:38:29 +0000\r\nFrom: Shop <shop@example.com>\r\n"                   \
    "To: li@example.net\r\nSubject: Your order\r\nMessage-ID: <01M89Y4HTM@example.com>\r\n"        \
    "MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n"                              \
    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"

static void signing(const char *key_name, dkim_algorithm type, unsigned bits, size_t len)
{
    char name[60], *text = repeated(LINE_76 "\r\n", len);
    dkim_key *key = dkim_key_make(type, bits);
    const dkim_identity identity = {"example.com", "s1", key};

    if (!key)
        abort();
    memcpy(text, HEADER, sizeof HEADER - 1);
    (void)snprintf(name, sizeof name, "DKIM, %zu bytes signed with %s", len, key_name);
    measure(name, sign_message, (subject){.in = text, .len = len, .identity = &identity},
            VECTOR_NONE);
    dkim_key_free(key);
    free(text);
}

static void dkim(vector_level best)
{
    size_t len = (size_t)64 * 1024;
    char *lines = repeated(LINE_76 "\r\n", len);

    (void)best;
    measure("DKIM canonical form, 76 columns", canonical_form, (subject){.in = lines, .len = len},
            VECTOR_NONE);
    for (size_t i = 0; i + 1 < len; i++) /* as base64: without blanks */
        lines[i] = lines[i] == ' ' ? '+' : lines[i];
    measure("DKIM canonical form, base64", canonical_form, (subject){.in = lines, .len = len},
            VECTOR_NONE);
    signing("RSA 3072", DKIM_RSA, 3072, 3000);
    signing("RSA 4096", DKIM_RSA, 4096, 3000);
    signing("Ed25519", DKIM_ED25519, 0, (size_t)256 * 1024);
    signing("Ed25519", DKIM_ED25519, 0, (size_t)34 * 1000 * 1000);
    free(lines);
}

/* What most mail is signed with: a part of the whole benchmark, too (dkim.py). */
static void signature(vector_level best)
{
    (void)best;
    signing("RSA 2048", DKIM_RSA, 2048, 3000);
    signing("Ed25519", DKIM_ED25519, 0, 3000);
}

static const struct {
    const char *name;
    void (*measure)(vector_level best);
} groups[] = {{"base64", base64}, {"utf8", utf8}, {"text", text_bodies},
              {"data", data},     {"dkim", dkim}, {"signature", signature}};

/* Without arguments all groups, else those named. */
int main(int argc, char **argv)
{
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        bool wanted = argc == 1;
        for (int i = 1; i < argc; i++)
            wanted |= strcmp(argv[i], groups[g].name) == 0;
        if (wanted)
            groups[g].measure(vector_best());
    }
    return 0;
}
