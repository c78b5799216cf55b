/* Each rule of lint: a mail that has it, and one nearly alike that hasn't. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lint/lint.h"
#include "lint/style.h"
#include "lint/words.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

#define LONG                                                                                       \
    "We have packed your order with care this morning, and a courier will bring it to your door "  \
    "before the end of the week. Please keep the number at hand until then. "
#define SHOUT                                                                                      \
    "WE HAVE PACKED YOUR ORDER WITH CARE THIS MORNING, AND A COURIER WILL BRING IT TO YOU. "       \
    "PLEASE KEEP THE NUMBER AT HAND UNTIL THEN, AND WRITE TO US IF ANYTHING IS MISSING. "
#define LONG5  LONG LONG LONG LONG LONG
#define LONG10 LONG5 LONG5
#define LONGER LONG LONG "<p>" LONG "</p>"
#define STORY                                                                                      \
    "Once upon a time a miller left his three sons a mill, a donkey and nothing but a cat, which " \
    "asked for boots and a bag, caught partridges for the king, and made its master a marquis. "

/* A mail, or what of it differs from the plainest there is. */
typedef struct sample {
    const char *from, *reply_to, *subject, *html, *text;
    const char *headers[4]; /* names and values in turn */
    const char *tag;
    size_t recipients;
    const char *file;
    const char *head;
    size_t head_len;
} sample;

typedef struct checked {
    mime_mailbox from, reply_to;
    mime_header headers[2];
    lint_attachment attachment;
    const char *tags[2];
    lint_mail mail;
    lint_report report;
} checked;

static mime_bytes bytes(const char *s)
{
    return (mime_bytes){s, s ? strlen(s) : 0};
}

static void check(const sample *s, checked *c)
{
    const char *reason;
    const char *from = s->from ? s->from : "Shop <shop@example.com>";
    *c = (checked){.tags = {s->tag, NULL}};
    assert_true(mime_mailbox_parse(from, strlen(from), &c->from, &reason));
    if (s->reply_to)
        assert_true(mime_mailbox_parse(s->reply_to, strlen(s->reply_to), &c->reply_to, &reason));
    c->mail = (lint_mail){
        .from = &c->from,
        .reply_to = {&c->reply_to, s->reply_to != NULL},
        .recipients = s->recipients ? s->recipients : 1,
        .subject = bytes(s->subject ? s->subject : "Your order"),
        .html = bytes(s->html),
        .text = bytes(s->text || s->html ? s->text : "Thank you."),
        .headers = c->headers,
        .attachments = &c->attachment,
        .attachment_count = s->file != NULL,
        .tags = c->tags,
    };
    for (size_t i = 0; i < 4 && s->headers[i]; i += 2)
        c->headers[c->mail.header_count++] =
            (mime_header){bytes(s->headers[i]), bytes(s->headers[i + 1])};
    c->attachment = (lint_attachment){.filename = bytes(s->file),
                                      .head = (const unsigned char *)s->head,
                                      .head_len = s->head_len};
    assert_true(lint_check(&c->mail, &c->report));
}

static void clear(checked *c)
{
    lint_report_free(&c->report);
    mime_mailbox_clear(&c->from);
    mime_mailbox_clear(&c->reply_to);
}

static const lint_finding *find(const lint_report *r, const char *code)
{
    for (size_t i = 0; i < r->count; i++) {
        if (strcmp(r->list[i].code, code) == 0)
            return &r->list[i];
    }
    return NULL;
}

#define ZIP(flags, name_len, name)                                                                 \
    "PK\3\4\24\0" flags "\0\10\0"                                                                  \
    "0123456789abcdef" name_len "\0\0\0" name

/* A folder, and behind it a file; and the same, but where the file begins can't be told. */
#define ZIP_FOLDER(flags, name)                                                                    \
    "PK\3\4\12\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2\0\3\0d/xyz" ZIP(flags, "\5", name)
#define ZIP_BEHIND(flags, name)                                                                    \
    "PK\3\4\12\0\10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2\0\3\0d/xyz" ZIP(flags, "\5", name)

/* RAR 4: the archive's header, and a file's, of seven octets each and what stands behind. */
#define RAR_4(archive, file)                                                                       \
    "Rar!\x1A\7\0"                                                                                 \
    "ss\x73" archive "\0\15\0......"                                                               \
    "ss\x74" file "\x80\x20\0\0\0\0\0....................."
/* RAR 5: the archive's header, and a file's with an extra record. */
#define RAR_5(first, record)                                                                       \
    "Rar!\x1A\7\1\0"                                                                               \
    "ssss\3" first "\0\0"                                                                          \
    "ssss\13\2\3\4\0abc\3" record "xx"

static const struct {
    const char *code;
    sample has, has_not;
} cases[] = {
    {"from_name_address",
     {.from = "\"service@paypal.com\" <a@example.com>"},
     {.from = "\"shop@mail.example.com\" <a@example.com>"}},
    {"from_mixed_script", {.from = "Pаypal <a@example.com>"}, {.from = "Пайпал <a@example.com>"}},
    {"from_mixed_script",
     {.from = "Shop <a@xn--pypal-4ve.com>"},
     {.from = "Shop <a@xn--bcher-kva.com>"}},
    {"reply_to_domain", {.reply_to = "a@example.org"}, {.reply_to = "a@help.example.com"}},
    {"reply_to_domain",
     {.from = "a@one.co.uk", .reply_to = "a@two.co.uk"},
     {.from = "a@x.one.co.uk", .reply_to = "a@one.co.uk"}},
    {"reply_to_domain", /* there everybody has a mailbox */
     {.from = "a@gmail.com", .reply_to = "b@gmail.com"},
     {.from = "a@gmail.com", .reply_to = "A@gmail.com"}},
    {"reply_to_domain",
     {.from = "a@yahoo.fr", .reply_to = "b@yahoo.fr"},
     {.from = "a@yahoos.example", .reply_to = "b@yahoos.example"}},
    {"from_name_repeats",
     {.from = "\"A@example.com\" <a@example.com>"},
     {.from = "\"example.com\" <a@example.com>"}},
    {"from_name_repeats",
     {.from = "\"shop@mail.example.com\" <a@example.com>"},
     {.from = "\"shop@mail.example.org\" <a@example.com>"}},
    {"from_name_repeats",
     {.from = "\"Shop, sales@example.com\" <a@example.com>"},
     {.from = "\"Shop @ example.com\" <a@example.com>"}},
    {"no_unsubscribe",
     {.headers = {"Precedence", "bulk"}},
     {.headers = {"Precedence", "bulk", "List-Unsubscribe", "<https://example.com/u>"}}},
    {"no_unsubscribe", {.recipients = 20}, {.recipients = 19}},
    {"no_unsubscribe", {.tag = "newsletter-11"}, {.tag = "order"}},
    {"no_subject", {.subject = " "}, {.subject = "."}},
    {"subject_shouting",
     {.subject = "BUY THESE SHOES"},
     {.subject = "NASA and ESA: the Moon again"}},
    {"subject_signs", {.subject = "Your order!!!"}, {.subject = "Your order! And more!"}},
    {"subject_signs", {.subject = "您的订单！！！"}, {.subject = "您的订单！"}},
    {"subject_signs", {.subject = "Earn $$$"}, {.subject = "Your $5 back"}},
    {"subject_bait", {.subject = "You have WON a car"}, {.subject = "The wonder of cars"}},
    {"subject_bait", {.subject = "点击领取您的礼品"}, {.subject = "您的发票已开具"}},
    {"subject_bait", {.subject = "专业发票代开"}, {.subject = "会议改期"}},
    {"subject_false_reply",
     {.subject = "RE: your order"},
     {.subject = "Re: your order", .headers = {"In-Reply-To", "<a@b.c>"}}},
    {"subject_false_reply", {.subject = "回复：订单"}, {.subject = "Return: your order"}},
    {"subject_spaced", {.subject = "W-i-n a car"}, {.subject = "A. B. Smith GmbH"}},
    {"subject_spaced", {.subject = "Free V I A G R A"}, {.subject = "I am in U.S.A"}},
    {"subject_question", {.subject = "Is it yours? "}, {.subject = "Is it yours? Yes"}},
    {"subject_question", {.subject = "是您的吗？"}, {.subject = "？您的"}},
    {"subject_money", {.subject = "Your $5 back"}, {.subject = "Your 5 USD back"}},
    {"subject_money", {.subject = "Nur 5 €"}, {.subject = "Nur 5 â"}},
    {"preheader",
     {.html = "<div style='display:none'>Your order is on its way</div><p>" LONG},
     {.html = "<div>Your order is on its way</div><p>" LONG}},
    {"preheader", /* long, but seen further down */
     {.html = "<div style='display:none'>" LONG LONG "</div><p>" LONG},
     {.html = "<div style='display:none'>" STORY STORY "</div><p>" LONG}},
    {"preheader", /* filled up, as is usual */
     {.html = "<div style='display:none;max-height:0'>Hi&#847;&zwnj;&nbsp;&#8199;</div><p>" LONG},
     {.html = "<div style='display:none;max-height:0'>&#847;&zwnj;&nbsp;&#8199;</div><p>" LONG}},
    {"hidden_text",
     {.html = "<p>" LONG "<span style='DISPLAY : none !important'>casino</span>"},
     {.html = "<p>" LONG "<span style='display:inline'>casino</span>"}},
    {"hidden_text",
     {.html = "<div style='display:none'>" STORY STORY "</div><p>" LONG},
     {.html = "<div style='display:none'>" STORY "</div><p>" LONG}},
    {"hidden_text",
     {.html =
          "<style>p{color:red}\r\n.x, b { display:none }</style><p>" LONG "<i class='a x'>casino"},
     {.html = "<style>.x{display:none} @media print {.x{display:block}}</style><p>" LONG
              "<i class=x>casino"}},
    {"hidden_text",
     {.html = "<p>" LONG "<p hidden>casino</p>"},
     {.html = "<p>" LONG "<p style='visibility:hidden'><b style='visibility:visible'>casino</b>"}},
    {"hidden_text",
     {.html = "<p>" LONG "<p style='visibility:hidden'>casino"},
     {.html = "<p>" LONG "<p style='visibility:hidden'> </p>casino"}},
    {"hidden_tiny",
     {.html = "<p>" LONG "<span style='font-size:1px'>casino"},
     {.html = "<table style='font-size:0'><tr><td style='font-size:14px'>" LONG}},
    {"hidden_tiny",
     {.html = "<p>" LONG "<div style='font-size:0.05em'>casino"},
     {.html = "<p>" LONG "<div style='font-size:0.8em'>casino"}},
    {"hidden_colour",
     {.html = "<p>" LONG "<font color=white>casino</font>"},
     {.html = "<p>" LONG "<table bgcolor=#003366><tr><td><font color=white>casino</font>"}},
    {"hidden_colour",
     {.html = "<p>" LONG "<div style='background:#222'><p style='color:rgb(34, 34, 36)'>casino"},
     {.html = "<p>" LONG "<div style='background:#222'></div><p style='color:#222'>casino"}},
    {"hidden_colour",
     {.html = "<body bgcolor=black><p style='color:#ccc'>" LONG "<p>casino"},
     {.html = "<body bgcolor=black background=x.png><p style='color:#ccc'>" LONG "<p>casino"}},
    {"hidden_colour", /* <body> says what colour text has */
     {.html = "<body text=white>" LONG LONG},
     {.html = "<body text=white bgcolor=black>" LONG LONG}},
    {"background_unread",
     {.html = "<table bgcolor=#003366><tr><td><font color=white>" LONG},
     {.html = "<table style='background-color:#003366'><tr><td><font color=white>" LONG}},
    {"background_unread",
     {.html = "<body style='background:#003366'><p style='color:#fff'>" LONG},
     {.html = "<body style='background:#003366'><p style='color:#ccc'>" LONG}},
    {"background_unread",
     {.html = "<style>td{background:#003366}</style><table><tr><td><p style='color:#fff'>" LONG},
     {.html = "<style>td{background:#003366;color:#fff}</style><table><tr><td>" LONG}},
    {"background_unread",
     {.html = "<body text=white bgcolor=black>" LONG},
     {.html = "<body text=white bgcolor=black><div style='background:black'>" LONG}},
    {"hidden_offscreen",
     {.html = "<p>" LONG "<div style='position:absolute;left:-9999px'>casino"},
     {.html = "<p>" LONG "<div style='position:absolute;left:-9px'>shop"}},
    {"hidden_offscreen",
     {.html = "<p>" LONG "<h1 style='text-indent:-9999px'>casino"},
     {.html = "<p>" LONG "<h1 style='text-indent:99px'>shop"}},
    {"hidden_transparent",
     {.html = "<p>" LONG "<div style='opacity:0'>casino"},
     {.html = "<p>" LONG "<div style='opacity:0.6'>casino"}},
    {"hidden_transparent",
     {.html = "<p>" LONG "<div style='color:transparent'>casino"},
     {.html = "<p>" LONG "<div style='background:transparent'>casino"}},
    {"hidden_clipped",
     {.html = "<p>" LONG "<div style='max-height:0;overflow:hidden'>casino"},
     {.html = "<p>" LONG "<div style='height:40px;overflow:hidden'>shop"}},
    {"zero_width",
     {.html = "<p>" LONG "via&#8203;gra"},
     {.html = "<p>" LONG "one &#8203;two می‌خواهم 👨‍👩‍👧"}},
    {"zero_width", {.text = "cas\xE2\x80\x8Bino"}, {.text = "casino\xE2\x80\x8B "}},
    {"zero_width",
     {.subject = "f\xE2\x81\xA0ree"},
     {.subject = "\xEF\xBB\xBF"
                 "free"}},
    {"homoglyph",
     {.html = "<p>" LONG "P<b>а</b>ypal"},
     {.html = "<p>" LONG "Москва Moscow β-carotene 5 μm"}},
    {"homoglyph", {.text = "Αpple"}, {.text = "Äpfel, Ωmega"}},
    {"image_only",
     {.html = "<a href=https://example.com/><img src=cid:a alt=Sale width=600 height=900></a>Sale"},
     {.html = "<img src=https://example.com/o.gif width=1 height=1>Hi"}},
    {"image_heavy",
     {.html = "<img src=cid:a alt='' width=600 height=600><p>" LONG},
     {.html = "<img src=cid:a alt='' width=200 height=60><p>" LONG}},
    {"image_heavy",
     {.html = "<img src=cid:a alt=''><img src=cid:b alt=''><img src=cid:c alt=''><p>" LONG},
     {.html = "<img src=cid:a alt=''><img src=cid:b alt=''><p>" LONG}},
    {"image_short",
     {.html = "<img src=cid:a alt='' width=100 height=60><p>" LONG},
     {.html = "<p>" LONG}},
    {"markup_odd",
     {.html = "<html><body>" LONG "</body></html>\nx"},
     {.html = "<html><body>" LONG "</body></html>\n<!-- x -->"}},
    {"markup_odd", {.html = "<center>" LONG}, {.html = "<center>" LONG "</center></center>"}},
    {"markup_odd",
     {.html = "<p>" LONG "<a Href=https://example.com/>here</a>"},
     {.html = "<p>" LONG "<A HREF=https://example.com/>here</A>"}},
    {"no_alt", {.html = "<img src=cid:a><p>" LONG}, {.html = "<img src=cid:a alt><p>" LONG}},
    {"data_image",
     {.html = "<img alt='' src='data:image/png;base64,AAAA'><p>" LONG},
     {.html = "<img alt='' src='cid:data:image'><p>" LONG}},
    {"http_image",
     {.html = "<img alt='' src='http://example.com/a.png'><p>" LONG},
     {.html = "<img alt='' src='https://example.com/a.png'><p>" LONG}},
    {"script", {.html = "<script>a()</script>" LONG}, {.html = "<!--<script>a()</script>-->" LONG}},
    {"script",
     {.html = "<svg><script>a()</script></svg>" LONG},
     {.html = "<script type=application/ld+json>{}</script>" LONG}},
    {"event_handler",
     {.html = "<p onclick='a()'>" LONG},
     {.html = "<p title='onclick=a()' once=a>" LONG}},
    {"form", {.html = "<form action=https://example.com>" LONG}, {.html = "&lt;form>" LONG}},
    {"frame",
     {.html = "<iframe src=https://example.com></iframe>" LONG},
     {.html = "<p>iframe " LONG}},
    {"refresh",
     {.html = "<meta http-equiv=Refresh content='0;url=https://example.com'>" LONG},
     {.html = "<meta http-equiv=Content-Type content='text/html'>" LONG}},
    {"external_css",
     {.html = "<link rel='StyleSheet' href=https://example.com/a.css>" LONG},
     {.html = "<link rel=icon href=https://example.com/a.ico>" LONG}},
    {"external_css",
     {.html = "<style>\n@import url(https://example.com/a.css);</style>" LONG},
     {.html = "<style>/* @import url(a.css); */</style>" LONG}},
    {"link_text",
     {.html = "<p>" LONG "<a href='https://evil.example/x'>https://www.paypal.com/login</a>"},
     {.html = "<p>" LONG "<a href='https://click.paypal.com/x'>https://www.paypal.com/login</a>"}},
    {"link_text",
     {.html = "<p>" LONG "<a href='https://evil.example/x'>paypal.com</a>"},
     {.html = "<p>" LONG "<a href='https://evil.example/x'>setup.py a@paypal.com Node.js</a>"}},
    {"link_text", /* a name that a title begins with is no address */
     {.html = "<p>" LONG "<a href='https://evil.example/x'>paypal.com:443/login</a>"},
     {.html = "<p>" LONG "<a href='https://evil.example/x'>paypal.com: how it began</a>"}},
    {"link_text", /* the host is behind the "@" */
     {.html = "<p>" LONG "<a href='https://paypal.com@evil.example/'>paypal.com</a>"},
     {.html = "<p>" LONG "<a href='https://evil.example@paypal.com:443/'>paypal.com</a>"}},
    {"link_ip",
     {.html = "<p>" LONG "<a href='https://192.0.2.1:8080/x'>here</a>"},
     {.html = "<p>" LONG "<a href='https://192.0.2.1.example.com/x'>here</a>"}},
    {"link_ip",
     {.html = "<p>" LONG "<a href=' HTTP://0x7F000001/'>here</a>"},
     {.html = "<p>" LONG "<a href='https://example.com/192.0.2.1'>here</a>"}},
    {"link_ip",
     {.html = "<p>" LONG "<a href='https://[2001:db8::1]/'>here</a>"},
     {.html = "<p>" LONG "<a href='mailto:a@[192.0.2.1]'>here</a>"}},
    {"link_ip",
     {.text = LONG "(https://192.0.2.1/x)."},
     {.text = LONG "(https://example.com/?http:192.0.2.1)."}},
    {"link_ip",
     {.html = "<p>" LONG "<img alt='' src=http://192.0.2.1/a.png>"},
     {.html = "<p>" LONG "<img alt='' src=http://example.com/192.0.2.1.png>"}},
    {"link_ip",
     {.html = "<form action=http://192.0.2.1/a>" LONG},
     {.html = "<form action=/a target=http://192.0.2.1/a>" LONG}},
    {"link_port",
     {.html = "<p>" LONG "<a href='https://example.com:8443/'>here</a>"},
     {.html = "<p>" LONG "<a href='https://example.com:443/:8443'>here</a>"}},
    {"link_port", {.text = "https://[2001:db8::1]:81"}, {.text = "http://[2001:db8::1]:80/"}},
    {"link_escaped",
     {.html = "<p>" LONG "<a href='https://ex%61mple.com/'>here</a>"},
     {.html = "<p>" LONG "<a href='https://example.com/%61'>here</a>"}},
    {"link_mixed_script",
     {.html = "<p>" LONG "<a href='https://pаypal.com/'>here</a>"},
     {.html = "<p>" LONG "<a href='https://пайпал.com/'>here</a>"}},
    {"link_mixed_script",
     {.html = "<p>" LONG "<a href='https://xn--pypal-4ve.com/'>here</a>"},
     {.html = "<p>" LONG "<a href='https://xn--bcher-kva.com/'>here</a>"}},
    {"link_script",
     {.html = "<p>" LONG "<a href='java&#115;cript:a()'>here</a>"},
     {.html = "<p>" LONG "<a href='https://example.com/javascript:a()'>here</a>"}},
    {"link_shortener",
     {.html = "<p>" LONG "<a href='https://Bit.ly/x'>here</a>"},
     {.html = "<p>" LONG "<a href='https://rabbit.ly/x'>here</a>"}},
    {"link_http",
     {.html = "<p>" LONG "<a href='http://example.com/'>here</a>"},
     {.html = "<p>" LONG "<a href='https://example.com/?http://'>here</a>"}},
    {"no_text", {.html = "<p>" LONG}, {.html = "<p>" LONG, .text = LONG}},
    {"text_unlike", {.html = "<p>" LONG, .text = STORY}, {.html = "<p>" LONG STORY, .text = LONG}},
    {"text_unlike",
     {.html = "<p>" LONG, .text = "Please use a program that shows HTML."},
     {.html = "<p>" LONG "<a href=https://example.com/a/b/c>Go</a>",
      .text = LONG "\n\n* Go: https://example.com/x/y/z\n"}},
    {"text_unlike",
     {.html = "<p>感谢您的订单，我们已经发货，预计三天内送达。",
      .text = "澳门赌场上线啦，点我就送彩金，先到先得哦哦。"},
     {.html = "<p>感谢您的订单，我们已经发货，预计三天内送达。",
      .text = "感谢您的订单，我们已经发货，预计三天内送达！"}},
    {"text_bait",
     {.text = "You won! Click here now: online casino, Viagra, make money."},
     {.text = "You won! Make money."}},
    {"text_bait",
     {.text = "Dear Sir, guaranteed! Bad credit? No prescription? Next of kin."},
     {.text = "Dear Siri, guaranteed: bad credits, no prescriptions, next of kind."}},
    {"text_charged", {.text = "Dear Sir, it is"}, {.text = "Dear Siri, it is"}},
    {"text_charged", {.html = "<p>" LONG "<p>100% guaranteed"}, {.html = "<p>" LONG "guaranteed"}},
    {"text_shouting", {.text = SHOUT SHOUT "and not"}, {.text = SHOUT LONG LONG}},
    {"text_shouting", {.html = "<p>" SHOUT SHOUT}, {.html = "<p>" SHOUT}},
    {"text_money", {.text = "It is $12,500.00 in all"}, {.text = "It is $9,500.00 in all"}},
    {"text_money", {.html = "<p>" LONG "1.5 million dollars"}, {.html = "<p>" LONG "1.5 million"}},
    {"text_money", {.subject = "€ 5 million"}, {.subject = "€ 5"}},
    {"text_money", {.text = "500000 Euros"}, {.text = "A500000 Euros, 500000 books"}},
    {"placeholder", {.subject = "Dear {{ name }}"}, {.subject = "Dear {{}} {name}"}},
    {"placeholder", {.text = "Dear *|FNAME|*"}, {.text = "Dear *|F NAME|*"}},
    {"placeholder", {.html = "<p>" LONG "{%RAND%}"}, {.html = "<p>" LONG "RAND%"}},
    {"placeholder", {.text = "Dear %%first_name%%, ${x}"}, {.text = "100%% of $5 {x}"}},
    {"attachment_blocked", {.file = "setup.EXE"}, {.file = "exe.pdf"}},
    {"attachment_blocked", {.file = "a.js. "}, {.file = "a.json"}},
    {"attachment_blocked",
     {.file = "a.zip", .head = ZIP("\0", "\5", "a.exe"), .head_len = 35},
     {.file = "a.zip", .head = ZIP("\0", "\5", "a.pdf"), .head_len = 35}},
    {"attachment_blocked",
     {.file = "a.zip", .head = ZIP_FOLDER("\0", "a.exe"), .head_len = 70},
     {.file = "a.zip", .head = ZIP_FOLDER("\0", "a.exe"), .head_len = 69}},
    {"attachment_double_ending", {.file = "invoice.pdf.exe"}, {.file = "invoice.2026.pdf"}},
    {"attachment_double_ending",
     {.file = "a\xE2\x80\xAE"
              "fdp.exe"},
     {.file = "a.tar.gz"}},
    {"attachment_disguised",
     {.file = "a.pdf",
      .head = "MZ\x90\0\3\0\0\0\4\0\0\0\xFF\xFF\0\0\xB8\0\0\0\0\0\0\0\x40\0\0\0\0\0\0\0\0\0\0\0\0\0"
              "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x80\0\0\0",
      .head_len = 64},
     {.file = "a.txt",
      .head = "MZ is how programs begin, but this is a text, and a text has no zeros in it.",
      .head_len = 76}},
    {"attachment_locked",
     {.file = "a.zip", .head = ZIP("\1", "\5", "a.pdf"), .head_len = 35},
     {.file = "a.zip", .head = ZIP("\2", "\5", "a.pdf"), .head_len = 35}},
    {"attachment_locked", /* a folder with a password */
     {.file = "a.zip", .head = ZIP_FOLDER("\1", "a.pdf"), .head_len = 70},
     {.file = "a.zip", .head = ZIP_FOLDER("\0", "a.pdf"), .head_len = 70}},
    {"attachment_locked",
     {.file = "a.zip", .head = ZIP_FOLDER("\1", "a.pdf"), .head_len = 65},
     {.file = "a.zip", .head = ZIP_FOLDER("\1", "a.pdf"), .head_len = 64}},
    {"attachment_locked",
     {.file = "a.zip", .head = ZIP_FOLDER("\1", "a.pdf"), .head_len = 70},
     {.file = "a.zip", .head = ZIP_BEHIND("\1", "a.pdf"), .head_len = 70}},
    {"attachment_locked", /* names, too */
     {.file = "a.rar", .head = RAR_4("\x80", "\0"), .head_len = 52},
     {.file = "a.rar", .head = RAR_4("\1", "\0"), .head_len = 52}},
    {"attachment_locked",
     {.file = "a.rar", .head = RAR_4("\0", "\4"), .head_len = 52},
     {.file = "a.rar", .head = RAR_4("\4", "\0"), .head_len = 52}},
    {"attachment_locked",
     {.file = "a.rar", .head = RAR_5("\4", "\3"), .head_len = 16},
     {.file = "a.rar", .head = RAR_5("\1", "\3"), .head_len = 32}},
    {"attachment_locked",
     {.file = "a.rar", .head = RAR_5("\1", "\1"), .head_len = 32},
     {.file = "a.rar", .head = RAR_5("\1", "\1"), .head_len = 31}},
    {"attachment_active", {.file = "a.xlsm"}, {.file = "a.xlsx"}},
};

static void each_rule_has_what_it_looks_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        checked c;
        check(&cases[i].has, &c);
        if (!find(&c.report, cases[i].code))
            fail_msg("case %zu: %s was not found", i, cases[i].code);
        clear(&c);
        check(&cases[i].has_not, &c);
        const lint_finding *f = find(&c.report, cases[i].code);
        if (f)
            fail_msg("case %zu: %s was found: %s", i, cases[i].code, f->excerpt);
        clear(&c);
    }
}

static char *repeated(const char *begin, const char *what, size_t times)
{
    size_t n = strlen(begin), m = strlen(what);
    char *out = malloc(n + times * m + 1);
    assert_non_null(out);
    memcpy(out, begin, n + 1);
    for (size_t i = 0; i < times; i++)
        memcpy(out + n + i * m, what, m + 1);
    return out;
}

static bool has(const char *html, const char *code)
{
    checked c;
    check(&(sample){.html = html}, &c);
    bool found = find(&c.report, code) != NULL;
    clear(&c);
    return found;
}

/* What takes a long HTML: of it, `times` of a piece are too many, and one less are not. */
static const struct {
    const char *code, *begin, *piece;
    size_t times;
} bounds[] = {
    {"link_many", "<p>", "<a href=https://example.com/>here</a> ", 61},
    {"clipped", "<p>", "12345678", 102 * 1024 / 8},
    {"markup_heavy", LONG, "<i></i><b></b>", 585},
};

static void long_ones_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bounds); i++) {
        char *many = repeated(bounds[i].begin, bounds[i].piece, bounds[i].times);
        char *few = repeated(bounds[i].begin, bounds[i].piece, bounds[i].times / 2);
        if (!has(many, bounds[i].code) || has(few, bounds[i].code))
            fail_msg("%s", bounds[i].code);
        free(many);
        free(few);
    }
}

static bool is_tested(const char *code)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (strcmp(cases[i].code, code) == 0)
            return true;
    }
    for (size_t i = 0; i < COUNT(bounds); i++) {
        if (strcmp(bounds[i].code, code) == 0)
            return true;
    }
    return false;
}

static void each_rule_is_tested_and_says_what_to_do(void **state)
{
    (void)state;
    const char *code, *why, *cure;
    lint_severity severity;
    for (size_t i = 0; (code = lint_rule_at(i, &severity, &why, &cure)); i++) {
        if (!is_tested(code))
            fail_msg("%s has no test", code);
        assert_true(strlen(why) > 10 && strlen(cure) > 5);
        assert_int_equal(why[strlen(why) - 1], '.');
        assert_int_equal(cure[strlen(cure) - 1], '.');
        assert_non_null(lint_severity_name(severity));
    }
}

static void clean_mail_has_nothing(void **state)
{
    (void)state;
    static const sample clean[] = {
        {.text = "Thank you."},
        {.html = "<!doctype html><html><head><title>Order</title><style>p{margin:0}</style></head>"
                 "<body style='background:#f4f4f4'><table width=600 bgcolor=#ffffff><tr><td "
                 "style='color:#333;font-size:14px'>" LONG
                 "<p><a style='background:#06c;color:#fff' href=https://example.com/>See it</a>"
                 "</table></body></html>",
         .text = LONG "See it: https://example.com/"},
        {.html = "<img src=cid:logo alt=Shop width=80 height=40>" LONG10 LONG10,
         .text = LONG10 LONG10},
        {.subject = "您的订单已发货", .text = "感谢您的订单，我们已经发货，预计三天内送达。"},
    };
    for (size_t i = 0; i < COUNT(clean); i++) {
        checked c;
        check(&clean[i], &c);
        if (c.report.count > 0)
            fail_msg("mail %zu: %s (%s)", i, c.report.list[0].code, c.report.list[0].excerpt);
        clear(&c);
    }
}

static void a_finding_says_where(void **state)
{
    (void)state;
    checked c;
    check(&(sample){.html = "<p>" LONG "\n<p>\n  <a \nhref=http://192.0.2.1/>a</a>\n"
                            "<img\nalt='' src='data:x'>",
                    .text = "one\ntwo cas\xE2\x80\x8Bino"},
          &c);
    const lint_finding *f = find(&c.report, "link_ip");
    assert_int_equal(f->line, 3);
    assert_string_equal(f->part, "/html");
    assert_string_equal(f->excerpt, "http://192.0.2.1/");
    assert_string_equal(f->fault, "lint.link_ip");
    f = find(&c.report, "data_image");
    assert_int_equal(f->line, 5);
    assert_string_equal(f->excerpt, "<img alt='' src='data:x'>");
    f = find(&c.report, "zero_width");
    assert_int_equal(f->line, 2);
    assert_string_equal(f->part, "/text");
    assert_int_equal(c.report.of[LINT_NOTE] + c.report.of[LINT_WARNING] + c.report.of[LINT_ERROR],
                     c.report.count);
    clear(&c);
}

/* What stands before it is looked at once, and is no part of it. */
static void a_sum_stands_where_its_digits_do(void **state)
{
    (void)state;
    char *text = repeated("Hello,\n", "\n", LINT_LOOKED_AT / 2);
    size_t len = strlen(text);
    checked c;
    check(&(sample){.text = text}, &c);
    assert_null(find(&c.report, "text_money"));
    clear(&c);
    (void)snprintf(text + len - 14, 15, "50,000 dollars");
    check(&(sample){.text = text}, &c);
    const lint_finding *f = find(&c.report, "text_money");
    assert_non_null(f);
    assert_string_equal(f ? f->excerpt : "", "50,000 dollars");
    assert_int_equal(f ? f->line : 0, 2 + LINT_LOOKED_AT / 2 - 14);
    clear(&c);
    free(text);
}

static void few_places_of_each_are_told_and_excerpts_are_short(void **state)
{
    (void)state;
    char *html = repeated("<p>",
                          "<img src=cid:a title='好好好好好好好好好好好好好好好好好好好好"
                          "好好好好好好好好好好好好好好好好好好好好好好好好'>",
                          20);
    checked c;
    check(&(sample){.html = html}, &c);
    size_t count = 0;
    for (size_t i = 0; i < c.report.count; i++) {
        count += strcmp(c.report.list[i].code, "no_alt") == 0;
        assert_true(strlen(c.report.list[i].excerpt) < LINT_EXCERPT);
    }
    assert_int_equal(count, LINT_EACH);
    const lint_finding *f = find(&c.report, "no_alt");
    assert_non_null(f);
    const char *excerpt = f ? f->excerpt : "";
    assert_non_null(strstr(excerpt, "好…"));
    clear(&c);
    free(html);
}

static void colours_and_lengths_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int32_t colour;
    } colours[] = {
        {"#fff", 0xFFFFFF},
        {" #A0b1C2 ", 0xA0B1C2},
        {"White", 0xFFFFFF},
        {"rgb(1,2,3)", 0x010203},
        {"rgb(100%, 0%, 0%)", 0xFF0000},
        {"rgba(1,2,3,0)", STYLE_NO_COLOUR},
        {"rgb(1 2 3 / 10%)", STYLE_UNKNOWN},
        {"#1234", STYLE_UNKNOWN},
        {"#12345600", STYLE_NO_COLOUR},
        {"003366", 0x003366},
        {"nonsense", STYLE_UNKNOWN},
        {"", STYLE_UNKNOWN},
    };
    static const struct {
        const char *text;
        int32_t length;
        bool relative;
    } lengths[] = {{"12px", 120, false},
                   {"9pt", 120, false},
                   {"1.5em", 150, true},
                   {"80%", 80, true},
                   {"0", 0, false},
                   {"-9999px", -99990, false},
                   {"auto", STYLE_UNKNOWN, false},
                   {"99999999999px", 10000000, false},
                   {"5 px", STYLE_UNKNOWN, false}};
    for (size_t i = 0; i < COUNT(colours); i++)
        assert_int_equal(style_colour(colours[i].text, strlen(colours[i].text)), colours[i].colour);
    for (size_t i = 0; i < COUNT(lengths); i++) {
        bool relative;
        assert_int_equal(style_length(lengths[i].text, strlen(lengths[i].text), &relative),
                         lengths[i].length);
        assert_int_equal(relative, lengths[i].relative);
    }
}

static void registered_names_are_found(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {"example.com", "example.com"},
        {"a.b.example.com", "example.com"},
        {"example.co.uk", "example.co.uk"},
        {"a.example.com.cn", "example.com.cn"},
        {"co.uk", "co.uk"},
        {"localhost", "localhost"},
        {"a.t.co", "t.co"},
        {"www.example.org.", "example.org"},
        {"", ""},
    };
    for (size_t i = 0; i < COUNT(names); i++) {
        words_span s = words_registered(names[i][0], strlen(names[i][0]));
        assert_int_equal(s.len, strlen(names[i][1]));
        assert_memory_equal(names[i][0] + s.at, names[i][1], s.len);
    }
}

static void nothing_at_all_is_a_mail(void **state)
{
    (void)state;
    checked c;
    check(&(sample){.subject = "x", .html = ""}, &c);
    assert_int_equal(c.report.of[LINT_ERROR], 0);
    clear(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_has_what_it_looks_for),
        cmocka_unit_test(long_ones_are_told),
        cmocka_unit_test(each_rule_is_tested_and_says_what_to_do),
        cmocka_unit_test(clean_mail_has_nothing),
        cmocka_unit_test(a_finding_says_where),
        cmocka_unit_test(a_sum_stands_where_its_digits_do),
        cmocka_unit_test(few_places_of_each_are_told_and_excerpts_are_short),
        cmocka_unit_test(colours_and_lengths_are_read),
        cmocka_unit_test(registered_names_are_found),
        cmocka_unit_test(nothing_at_all_is_a_mail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
