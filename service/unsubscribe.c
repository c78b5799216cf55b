/*
 * unsubscribe - the route /v1/unsubscribe/{token}, which needs no key: whoever has a mail of a list
 * has its token (optout.h).
 *
 * POST takes the address off the list, whatever its body (RFC 8058 section 3.1: mail clients send
 * "List-Unsubscribe=One-Click" as a form, without cookies, and follow no redirect). GET changes
 * nothing, since what scans mails for bad links follows them: it gives a page with one button,
 * which POSTs. Pages hold nothing but words and a form, name no address (a mail may be passed on),
 * and are in English or Chinese. A token that is none of ours is answered like one whose secret is
 * gone.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "service/look.h"
#include "service/routes.h"

#define REASON "unsubscribed"

/* ---- words ---- */

typedef enum page { PAGE_ASK, PAGE_DONE, PAGE_UNKNOWN, PAGES } page;

typedef struct words {
    const char *tag; /* of the language: what a browser asks for … */
    const char *lang;
    struct {
        const char *title, *text;
    } pages[PAGES];
    const char *list, *button;
} words;

static const words languages[] = {
    {.tag = "en",
     .lang = "en",
     .pages =
         {
             [PAGE_ASK] = {"Unsubscribe?",
                           "The address that this mail was sent to will get no more mails of the "
                           "list."},
             [PAGE_DONE] = {"You are unsubscribed",
                            "The address that this mail was sent to gets no more mails of the "
                            "list."},
             [PAGE_UNKNOWN] = {"This link does not work",
                               "It may have been cut, or broken over two lines: copy all of it "
                               "from the mail."},
         },
     .list = "List: ",
     .button = "Unsubscribe"},
    {.tag = "zh",
     .lang = "zh-Hans",
     .pages =
         {
             [PAGE_ASK] = {"确认退订？", "退订后，收到此邮件的地址将不再收到该列表的邮件。"},
             [PAGE_DONE] = {"已退订", "收到此邮件的地址不会再收到该列表的邮件。"},
             [PAGE_UNKNOWN] = {"此链接无效", "链接可能不完整或被换行截断，请从邮件中完整复制。"},
         },
     .list = "列表：",
     .button = "退订"},
};

#define LANGUAGES (sizeof languages / sizeof *languages)

/* The weight of a range of Accept-Language ("zh-CN;q=0.8"), in thousandths. */
static int weight(const char *parameters, size_t len)
{
    const char *q = memmem(parameters, len, "q=", 2);
    int n = 0, unit = 1000;

    if (!q)
        return 1000;
    for (const char *at = q + 2; at < parameters + len && unit > 0; at++) {
        if (*at == '.')
            continue;
        if (*at < '0' || *at > '9')
            break;
        n += (*at - '0') * unit;
        unit /= 10;
    }
    return n;
}

static const words *language_of(const char *range, size_t len)
{
    for (size_t i = 0; i < LANGUAGES; i++) {
        size_t n = strlen(languages[i].tag);
        if (len >= n && strncasecmp(range, languages[i].tag, n) == 0 &&
            (len == n || range[n] == '-'))
            return &languages[i];
    }
    return NULL;
}

/* What weighs most, and of these the first (RFC 9110 section 12.5.4). */
static const words *choose_words(http_exchange *x)
{
    const char *accepted = http_header(x, "Accept-Language");
    const words *best = NULL;
    int most = 0;

    while (accepted && *accepted) {
        accepted += strspn(accepted, ", \t");
        size_t len = strcspn(accepted, ","), range = strcspn(accepted, ",; \t");
        const words *w = language_of(accepted, range);
        int n = w ? weight(accepted + range, len - range) : 0;
        if (n > most) {
            best = w;
            most = n;
        }
        accepted += len;
    }
    return best ? best : &languages[0];
}

/* ---- pages ---- */

/* The hash is the style's; a test computes it again. */
#define STYLE                                                                                      \
    "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1.2rem}" \
    "button{font:inherit;padding:.5em 1.2em}"                                                      \
    "@media(prefers-color-scheme:dark){body{background:#111;color:#eee}}"
#define STYLE_HASH "sha256-3GA30wTws3GsrdmgrPpW9/gmcyhiqNg5R+cOk0PfKeI="

/* Nothing is loaded, kept, framed or found; and the page's address, which has the token, goes to
 * nobody. */
static const http_fixed_header strict[] = {
    {"Content-Security-Policy", "default-src 'none'; style-src '" STYLE_HASH
                                "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},
    {"Referrer-Policy", "no-referrer"},
    {"X-Robots-Tag", "noindex, nofollow"},
    {"X-Content-Type-Options", "nosniff"},
    {"Cache-Control", "no-store"},
    {"Vary", "Accept, Accept-Language"},
    {NULL, NULL},
};

/* `list`: a name, which needs no escapes; NULL: none. */
static void write_page(buf *out, const words *w, page which, const char *list)
{
    const char *title = w->pages[which].title;
    buf_addf(out,
             "<!doctype html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n"
             "<meta name=\"viewport\" content=\"width=device-width\">\n<title>%s</title>\n"
             "<style>" STYLE "</style>\n</head>\n<body>\n<h1>%s</h1>\n<p>%s</p>\n",
             w->lang, title, title, w->pages[which].text);
    if (list)
        buf_addf(out, "<p>%s<strong>%s</strong></p>\n", w->list, list);
    if (which == PAGE_ASK)
        buf_addf(out,
                 "<form method=\"post\">\n<input type=\"hidden\" name=\"List-Unsubscribe\" "
                 "value=\"One-Click\">\n<button>%s</button>\n</form>\n",
                 w->button);
    buf_adds(out, "</body>\n</html>\n");
}

static void answer_page(http_exchange *x, unsigned status, page which, const char *list)
{
    const words *w = choose_words(x);
    buf content = BUF_INIT;

    write_page(&content, w, which, list);
    http_set_header(x, "Content-Language", w->lang);
    http_answer(x, status, "text/html; charset=utf-8", 0, &content);
}

/* Programs ask for JSON; browsers and mail clients for pages, or for anything. */
static bool wants_json(http_exchange *x)
{
    const char *accepted = http_header(x, "Accept");
    return accepted && strcasestr(accepted, "application/json") &&
           !strcasestr(accepted, "text/html");
}

static void answer_unknown(http_exchange *x)
{
    if (wants_json(x))
        http_problem(x, PROBLEM_NOT_FOUND, "This link to unsubscribe is not one of ours.", NULL);
    else
        answer_page(x, 404, PAGE_UNKNOWN, NULL);
}

/* ---- the routes ---- */

void unsubscribe_show(app *a, http_exchange *x)
{
    const optout *o = a->config->optout;
    optout_subscription s;

    http_set_fixed_headers(x, strict);
    if (o && optout_read_token(o, http_parameter(x), &s))
        answer_page(x, 200, PAGE_ASK, s.list);
    else
        answer_unknown(x);
}

/* What the operation borrows. */
typedef struct leaving {
    queue_suppressed kept;
    optout_subscription who;
    char reason[sizeof REASON];
} leaving;

static bool answer_left(look *l)
{
    const leaving *it = l->inputs;

    if (wants_json(l->exchange))
        return look_answer(l, 200, json_pack("{s:s, s:s}", "status", REASON, "list", it->who.list));
    answer_page(l->exchange, 200, PAGE_DONE, it->who.list);
    return true;
}

void unsubscribe_post(app *a, http_exchange *x)
{
    const optout *o = a->config->optout;
    optout_subscription who = {0};

    http_set_fixed_headers(x, strict);
    if (a->outbox && (!o || !optout_read_token(o, http_parameter(x), &who))) {
        answer_unknown(x);
        return;
    }
    look *l = look_create(a, x, answer_left);
    leaving *it = l ? malloc(sizeof *it) : NULL;
    if (!it) {
        if (l) {
            http_problem(x, PROBLEM_MEMORY, "The request could not be kept.", NULL);
            look_drop(l);
        }
        return;
    }
    *it = (leaving){.who = who, .reason = REASON};
    it->kept = (queue_suppressed){.address = it->who.address,
                                  .list = it->who.list,
                                  .reason = it->reason,
                                  .since = clock_wall_us()};
    l->inputs = it;
    l->op.kind = QUEUE_SUPPRESS;
    l->op.in.suppress.entries = &it->kept;
    l->op.in.suppress.count = 1;
    look_start(l);
}
