/*
 * The rules for links.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <idn2.h>

#include "lint/lint_own.h"

#define LINKS_MANY 60
#define HOST_MAX   255

typedef struct link_view {
    const page_link *link;
    const char *href;
    size_t href_len;
    const char *host; /* of http and https; NULL: it has none */
    size_t host_len;
    bool plain; /* http */
} link_view;

/* The host of what stands behind "http://", as browsers find it: behind the last "@" of it, without
 * a port. */
static void find_host(const char *s, size_t len, const char **host, size_t *host_len)
{
    size_t end = 0, from = 0;
    while (end < len && !strchr("/\\?#", s[end]) && s[end])
        end++;
    for (size_t i = 0; i < end; i++) {
        if (s[i] == '@')
            from = i + 1;
    }
    size_t to = from;
    if (to < end && s[to] == '[') {
        while (to < end && s[to] != ']')
            to++;
        to += to < end;
    } else {
        while (to < end && s[to] != ':')
            to++;
    }
    *host = s + from;
    *host_len = to - from;
}

static void read_host(link_view *v)
{
    static const struct {
        const char *scheme;
        bool plain;
    } schemes[] = {{"https:", false}, {"http:", true}};
    for (size_t k = 0; k < sizeof schemes / sizeof *schemes; k++) {
        size_t n = strlen(schemes[k].scheme);
        if (!words_begin(v->href, v->href_len, schemes[k].scheme))
            continue;
        while (n < v->href_len && (v->href[n] == '/' || v->href[n] == '\\'))
            n++;
        find_host(v->href + n, v->href_len - n, &v->host, &v->host_len);
        v->plain = schemes[k].plain;
    }
}

static link_view view_of(const lint_context *c, const buf *list, size_t i)
{
    const page_link *l = (const page_link *)(const void *)list->data + i;
    link_view v = {.link = l,
                   .href = c->page.strings.data ? c->page.strings.data + l->href.at : "",
                   .href_len = l->href.len};
    read_host(&v);
    return v;
}

static link_view view(const lint_context *c, size_t i)
{
    return view_of(c, &c->page.links, i);
}

static size_t count(const lint_context *c)
{
    return c->page.links.len / sizeof(page_link);
}

/* The next address that stands in the text from `at` on; false: there is none. */
static bool next_in_text(const mime_bytes *text, size_t at, link_view *v)
{
    for (; at < text->len; at++) {
        const char *s = text->data + at;
        size_t room = text->len - at, end = 0;
        if ((*s | 0x20) != 'h' ||
            (!words_begin(s, room, "http://") && !words_begin(s, room, "https://")))
            continue;
        while (end < room && (unsigned char)s[end] > ' ' && !strchr("<>\"", s[end]))
            end++;
        while (strchr(".,;:!?)]'", s[end - 1]))
            end--;
        *v = (link_view){.href = s, .href_len = end};
        read_host(v);
        return true;
    }
    return false;
}

static void tell_link(lint_context *c, const link_view *v)
{
    lint_tell_html(c, v->link->at, v->href, v->href_len);
}

/* Tells of each link for which `is` holds. */
static void tell_links(lint_context *c, bool (*is)(const lint_context *c, const link_view *v))
{
    for (size_t i = 0; i < count(c) && c->told < LINT_EACH; i++) {
        link_view v = view(c, i);
        if (is(c, &v))
            tell_link(c, &v);
    }
}

/* The same of pictures and forms, and of addresses in the text part. */
static void tell_addresses(lint_context *c, bool (*is)(const lint_context *c, const link_view *v))
{
    link_view v;
    tell_links(c, is);
    for (size_t i = 0; i < c->page.sources.len / sizeof(page_link) && c->told < LINT_EACH; i++) {
        v = view_of(c, &c->page.sources, i);
        if (is(c, &v))
            tell_link(c, &v);
    }
    for (size_t at = 0; c->told < LINT_EACH && next_in_text(&c->text, at, &v);) {
        size_t begin = (size_t)(v.href - c->text.data);
        if (is(c, &v))
            lint_tell_text(c, (words_span){begin, v.href_len});
        at = begin + v.href_len;
    }
}

/* ---- the text of a link ---- */

/* Endings that make a bare word a host; others ("setup.py", "Mr.Li") don't. */
static bool is_top_level(const char *s, size_t len)
{
    static const char *const tops[] = {"com", "net", "org", "edu",  "gov",  "info",  "biz", "cn",
                                       "hk",  "tw",  "jp",  "kr",   "uk",   "de",    "fr",  "nl",
                                       "it",  "es",  "eu",  "ru",   "us",   "ca",    "au",  "in",
                                       "io",  "co",  "me",  "tv",   "cc",   "app",   "dev", "shop",
                                       "top", "xyz", "vip", "site", "club", "online"};
    for (size_t i = 0; i < sizeof tops / sizeof *tops; i++) {
        if (len == strlen(tops[i]) && strncasecmp(s, tops[i], len) == 0)
            return true;
    }
    return false;
}

static bool is_host(const char *s, size_t len)
{
    const char *dot = NULL;
    for (size_t i = 0; i < len; i++) {
        bool letter = (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
                      (s[i] >= '0' && s[i] <= '9') || s[i] == '-';
        if (s[i] == '.')
            dot = s + i;
        else if (!letter)
            return false;
    }
    return dot && dot > s && is_top_level(dot + 1, len - (size_t)(dot + 1 - s));
}

/* The host that a link's text shows, if it shows one at its begin. */
static bool shown_host(const char *s, size_t len, const char **host, size_t *host_len)
{
    while (len > 0 && (unsigned char)*s <= ' ') {
        s++;
        len--;
    }
    size_t end = 0;
    while (end < len && (unsigned char)s[end] > ' ')
        end++;
    if (words_begin(s, end, "https://"))
        s += 8, end -= 8;
    else if (words_begin(s, end, "http://"))
        s += 7, end -= 7;
    if (memchr(s, '@', end))
        return false;
    find_host(s, end, host, host_len);
    if (*host + *host_len == s + end - 1 && s[end - 1] == ':')
        return false; /* "News.com: what is new" */
    while (*host_len > 0 && strchr(".,;)", (*host)[*host_len - 1]))
        (*host_len)--;
    return is_host(*host, *host_len);
}

static bool shows_another(const lint_context *c, const link_view *v)
{
    const char *host;
    size_t len;
    if (v->link->text.len == 0 ||
        !shown_host(c->page.text.data + v->link->text.at, v->link->text.len, &host, &len))
        return false;
    return v->host && !words_same_owner(host, len, v->host, v->host_len);
}

void lint_link_text(lint_context *c)
{
    for (size_t i = 0; i < count(c) && c->told < LINT_EACH; i++) {
        link_view v = view(c, i);
        if (shows_another(c, &v)) {
            words_span text = {v.link->text.at, v.link->text.len};
            lint_tell_html(c, v.link->at, c->page.text.data + text.at, text.len);
        }
    }
}

/* ---- where it leads ---- */

/* Dotted, or one number: browsers take all of them for IPv4. */
static bool is_address(const lint_context *c, const link_view *v)
{
    (void)c;
    if (!v->host || v->host_len == 0)
        return false;
    if (v->host[0] == '[')
        return true;
    const char *last = v->host;
    size_t len = v->host_len;
    for (size_t i = 0; i < v->host_len; i++) {
        if (v->host[i] == '.' && i + 1 < v->host_len) {
            last = v->host + i + 1;
            len = v->host_len - i - 1;
        }
    }
    bool hex = len > 2 && last[0] == '0' && (last[1] | 0x20) == 'x';
    for (size_t i = hex ? 2 : 0; i < len; i++) {
        bool digit = last[i] >= '0' && last[i] <= '9';
        bool letter = hex && (last[i] | 0x20) >= 'a' && (last[i] | 0x20) <= 'f';
        if (!digit && !letter)
            return false;
    }
    return true;
}

void lint_link_address(lint_context *c)
{
    tell_addresses(c, is_address);
}

static bool is_plain(const lint_context *c, const link_view *v)
{
    (void)c;
    return v->host && v->plain;
}

void lint_link_http(lint_context *c)
{
    tell_links(c, is_plain);
}

static bool is_script(const lint_context *c, const link_view *v)
{
    (void)c;
    return words_begin(v->href, v->href_len, "javascript:") ||
           words_begin(v->href, v->href_len, "vbscript:") ||
           words_begin(v->href, v->href_len, "data:");
}

void lint_link_script(lint_context *c)
{
    tell_links(c, is_script);
}

static bool is_shortener(const lint_context *c, const link_view *v)
{
    (void)c;
    return v->host && words_is_shortener(v->host, v->host_len);
}

void lint_link_shortener(lint_context *c)
{
    tell_addresses(c, is_shortener);
}

static bool is_mixed(const lint_context *c, const link_view *v)
{
    (void)c;
    char host[HOST_MAX + 1], *readable = NULL;
    if (!v->host || v->host_len == 0 || v->host_len > HOST_MAX)
        return false;
    memcpy(host, v->host, v->host_len);
    host[v->host_len] = '\0';
    bool mixed = words_homoglyph(host, v->host_len, 0).len > 0;
    if (!mixed && strstr(host, "xn--") && idn2_to_unicode_8z8z(host, &readable, 0) == IDN2_OK)
        mixed = words_homoglyph(readable, strlen(readable), 0).len > 0;
    idn2_free(readable);
    return mixed;
}

void lint_link_host(lint_context *c)
{
    tell_addresses(c, is_mixed);
}

/* What stands behind the host is ":" and a number. */
static bool has_odd_port(const lint_context *c, const link_view *v)
{
    static const char *const usual[] = {"80", "443", "8080"};
    (void)c;
    if (!v->host)
        return false;
    const char *s = v->host + v->host_len, *end = v->href + v->href_len;
    size_t n = 0;
    if (s >= end || *s++ != ':')
        return false;
    while (s + n < end && s[n] >= '0' && s[n] <= '9')
        n++;
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        if (n == strlen(usual[i]) && memcmp(s, usual[i], n) == 0)
            return false;
    }
    return n > 0;
}

void lint_link_port(lint_context *c)
{
    tell_addresses(c, has_odd_port);
}

static bool is_escaped(const lint_context *c, const link_view *v)
{
    (void)c;
    return v->host && memchr(v->host, '%', v->host_len);
}

void lint_link_escaped(lint_context *c)
{
    tell_addresses(c, is_escaped);
}

void lint_link_many(lint_context *c)
{
    if (count(c) > LINKS_MANY)
        lint_tell(c, "/html", 0, "", 0);
}
