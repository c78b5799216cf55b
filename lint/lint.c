#include "lint/lint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "lint/lint_own.h"

#define N LINT_NOTE
#define W LINT_WARNING
#define E LINT_ERROR

#define PREFIX (sizeof "lint." - 1)

static const lint_rule rules[] = {
    /* ---- who it is from, and to whom ---- */
    {"lint.from_name_address", E, 0, lint_name_spoof,
     "The sender's name shows an address of another domain than the mail is from, as fraud does.",
     "Use a name without an address, or that of From."},
    {"lint.from_mixed_script", E, 0, lint_sender_script,
     "The sender's name or domain mixes letters of several scripts that look alike.",
     "Write it in the letters of one script."},
    {"lint.reply_to_domain", W, 0, lint_reply_to,
     "Answers go to another domain than the mail is from, or to another mailbox of a public "
     "provider, which filters take for fraud.",
     "Let Reply-To be of the same domain as From."},
    {"lint.from_name_repeats", N, 0, lint_name_repeats,
     "The sender's name is an address, its own or another of its domain.",
     "Use the name of a person or a shop, or none."},
    {"lint.no_unsubscribe", W, 0, lint_unsubscribe,
     "It is bulk mail without List-Unsubscribe, which Gmail and Yahoo ask for.",
     "Set List-Unsubscribe with an https address, and List-Unsubscribe-Post: "
     "List-Unsubscribe=One-Click."},
    /* ---- subject ---- */
    {"lint.no_subject", W, 0, lint_no_subject, "There is no subject.",
     "Say what the mail is about."},
    {"lint.subject_shouting", W, 0, lint_shouting, "The subject is in capitals.",
     "Write it as a sentence."},
    {"lint.subject_signs", W, 0, lint_signs,
     "The subject has a row of exclamation marks or the like.", "One mark is enough."},
    {"lint.subject_bait", W, 0, lint_bait_subject, "The subject has a word that spam is known by.",
     "Say what is in the mail instead."},
    {"lint.subject_false_reply", W, 0, lint_false_reply,
     "The subject says that it is an answer, or forwarded, and no header says to what.",
     "Leave RE: or FW: out, or set In-Reply-To and References."},
    {"lint.subject_spaced", W, 0, lint_spaced, "Letters of the subject stand apart.",
     "Write words together."},
    {"lint.subject_question", N, 0, lint_question,
     "The subject ends with a question mark, which Rspamd counts.", "Say it as a statement."},
    {"lint.subject_money", N, 0, lint_subject_money,
     "The subject has a sign of money, which Rspamd counts.",
     "Name the sum in the text, or the currency by its letters."},
    /* ---- what is hidden ---- */
    {"lint.preheader", N, PAGE_PREHEADER, lint_marks,
     "Hidden text stands at the top: the line that lists of mails show. That is usual.",
     "Keep it short, and say in it what the mail is about."},
    {"lint.hidden_text", E, PAGE_DISPLAY, lint_marks, "Text is hidden: display:none and the like.",
     "Take out what isn't to be seen."},
    {"lint.hidden_tiny", E, PAGE_TINY, lint_marks, "Text is too small to be seen.",
     "Take it out, or use a font of 12 pixels or more."},
    {"lint.hidden_colour", E, PAGE_COLOUR, lint_marks, "Text has the colour of what it stands on.",
     "Take it out, or give it another colour."},
    {"lint.hidden_offscreen", E, PAGE_OFFSCREEN, lint_marks, "Text is moved out of sight.",
     "Take out what isn't to be seen."},
    {"lint.hidden_transparent", E, PAGE_TRANSPARENT, lint_marks, "Text is transparent.",
     "Take out what isn't to be seen."},
    {"lint.hidden_clipped", E, PAGE_CLIPPED, lint_marks,
     "Text is in a box without a height or width, which hides it.",
     "Take out what isn't to be seen."},
    {"lint.zero_width", E, 0, lint_zero_width,
     "A word has characters without width in it, which hide it from filters.",
     "Take the characters out."},
    {"lint.homoglyph", E, 0, lint_homoglyph,
     "A word mixes Latin letters with Cyrillic or Greek ones that look alike.",
     "Write it in the letters of one script."},
    {"lint.background_unread", N, PAGE_UNREAD, lint_marks,
     "Text is near in colour to what SpamAssassin has for its background: bgcolor, <body> and "
     "<style> it doesn't read.",
     "Say the background as style=\"background-color:…\" of a table, row, cell, div, p or span."},
    /* ---- pictures, markup ---- */
    {"lint.image_only", W, 0, lint_image_only,
     "The mail is a picture, or pictures, with hardly any text.",
     "Say in text what the picture says."},
    {"lint.image_heavy", W, 0, lint_image_heavy,
     "There is little text for so many or large pictures.", "Write more, or show less."},
    {"lint.image_short", N, 0, lint_image_short,
     "There is a picture, and less text than SpamAssassin wants with one: 3,200 characters.",
     "Do without the picture where it says nothing."},
    {"lint.no_alt", W, PAGE_NO_ALT, lint_marks, "A picture has no alt.",
     "Say in alt what it shows; alt=\"\" for an ornament."},
    {"lint.data_image", W, PAGE_DATA, lint_marks, "A picture is in its address; Gmail drops it.",
     "Attach it with a content_id and show cid:, or link to it."},
    {"lint.http_image", N, PAGE_PLAIN_IMAGE, lint_marks, "A picture is fetched without TLS.",
     "Use https."},
    {"lint.markup_heavy", N, 0, lint_markup_heavy, "Nearly all of the HTML is markup.",
     "Shorten the markup, or write more."},
    {"lint.markup_odd", N, PAGE_ODD, lint_marks,
     "SpamAssassin counts such markup: text behind </html>, a <body>, <head> or <center> that "
     "isn't "
     "closed, \"<a Href\".",
     "Close what is open, and write names in small letters."},
    {"lint.clipped", W, 0, lint_clipped,
     "The HTML is over 102 KB: Gmail cuts the rest off, and with it the link to unsubscribe.",
     "Shorten it, styles first."},
    {"lint.script", E, PAGE_SCRIPT, lint_marks, "There is a script: no mail program runs it.",
     "Take it out."},
    {"lint.event_handler", E, PAGE_HANDLER, lint_marks,
     "An element has an event handler: no mail program runs it.", "Take it out."},
    {"lint.form", W, PAGE_FORM, lint_marks,
     "There is a form: mail programs warn of it, or drop it.", "Link to a page with the form."},
    {"lint.frame", E, PAGE_FRAME, lint_marks,
     "A page or object is embedded: mail programs drop it.", "Link to it."},
    {"lint.refresh", E, PAGE_REFRESH, lint_marks, "The HTML leads to another page by itself.",
     "Use a link."},
    {"lint.external_css", W, PAGE_CSS, lint_marks,
     "Styles are fetched from elsewhere: mail programs don't.",
     "Put them into style attributes, or into <style>."},
    /* ---- links ---- */
    {"lint.link_text", E, 0, lint_link_text, "A link's text shows another site than it leads to.",
     "Let the text name the site, or say in words what is there."},
    {"lint.link_ip", E, 0, lint_link_address, "A link leads to a bare IP address.",
     "Use a name of your domain."},
    {"lint.link_mixed_script", E, 0, lint_link_host,
     "A link's domain mixes letters of several scripts that look alike.",
     "Use a domain in the letters of one script."},
    {"lint.link_script", E, 0, lint_link_script,
     "A link is a script or data: mail programs drop it.", "Link to a page."},
    {"lint.link_shortener", W, 0, lint_link_shortener,
     "A link leads through a shortener, which hides where to.", "Link to the page itself."},
    {"lint.link_port", W, 0, lint_link_port, "A link leads to an unusual port.",
     "Serve the page at 443, the one of https."},
    {"lint.link_escaped", W, 0, lint_link_escaped,
     "A link's domain has letters written as %-codes, which hide it.",
     "Write the domain as it is."},
    {"lint.link_http", N, 0, lint_link_http, "A link leads to a page without TLS.", "Use https."},
    {"lint.link_many", W, 0, lint_link_many, "There are very many links.",
     "Keep those that readers need."},
    /* ---- text ---- */
    {"lint.no_text", N, 0, lint_no_text,
     "There is no text part; one is made of the HTML, which filters accept.",
     "Write one where the layout matters."},
    {"lint.text_unlike", W, 0, lint_unlike_text, "The text part says something else than the HTML.",
     "Say the same in both, or leave text out: one is made of the HTML."},
    {"lint.text_bait", N, 0, lint_bait_text,
     "The text has many of the words that spam is known by.", "Say it in other words."},
    {"lint.text_charged", N, 0, lint_text_charged,
     "SpamAssassin or Rspamd charges for this phrase by itself.", "Say it in other words."},
    {"lint.text_shouting", W, 0, lint_text_shouting, "Most of the text is in capitals.",
     "Write it as sentences."},
    {"lint.text_money", N, 0, lint_text_money, "The text names a large sum of money, as spam does.",
     "Leave it out where nobody needs it."},
    {"lint.placeholder", W, 0, lint_placeholder,
     "Something stands there that should have been filled in.",
     "Fill it in; check the template's names."},
    /* ---- attachments ---- */
    {"lint.attachment_blocked", E, 0, lint_blocked,
     "Gmail, as others, refuses mail with a file of this kind, in an archive, too.",
     "Put it on a server and link to it."},
    {"lint.attachment_double_ending", E, 0, lint_double_ending,
     "The file's name pretends to be of another kind.", "Name it by its only ending."},
    {"lint.attachment_disguised", E, 0, lint_disguised,
     "The file is a program, whatever its name says.", "Put it on a server and link to it."},
    {"lint.attachment_locked", W, 0, lint_locked,
     "The archive has a password: filters can't look into it, and refuse it.",
     "Share it by a link that needs a login."},
    {"lint.attachment_active", W, 0, lint_macro,
     "The file may run something when it is opened; filters distrust its kind.",
     "Send a PDF, or a document without macros."},
};

#undef N
#undef W
#undef E

/* ---- findings ---- */

/* Makes one line of it, fit to be shown, and cut where it is long. */
static void copy_excerpt(char out[LINT_EXCERPT], const char *s, size_t len)
{
    static const char more[] = "\xE2\x80\xA6";
    size_t n = 0, room = LINT_EXCERPT - sizeof more;
    bool blank = false;
    for (size_t at = 0; at < len;) {
        uint32_t c;
        size_t taken = utf8_decode(s + at, len - at, &c);
        if (taken == 0 || c <= ' ' || c == 0x7F) {
            blank = n > 0;
            at++;
            continue;
        }
        if (n + blank + taken > room) {
            memcpy(out + n, more, sizeof more - 1);
            n += sizeof more - 1;
            break;
        }
        if (blank)
            out[n++] = ' ';
        blank = false;
        memcpy(out + n, s + at, taken);
        n += taken;
        at += taken;
    }
    out[n] = '\0';
}

void lint_tell(lint_context *c, const char *part, size_t line, const char *excerpt, size_t len)
{
    const lint_rule *r = c->rule;
    if (c->told++ >= LINT_EACH)
        return;
    lint_finding f = {.code = r->code + PREFIX,
                      .fault = r->code,
                      .severity = r->severity,
                      .line = line,
                      .why = r->why,
                      .cure = r->cure};
    (void)snprintf(f.part, sizeof f.part, "%s", part);
    copy_excerpt(f.excerpt, excerpt, len);
    buf_add(&c->found, &f, sizeof f);
}

static size_t line_at(const mime_bytes *text, size_t at)
{
    size_t line = 1;
    const char *s = text->data, *end = s + at;
    while (s < end && (s = memchr(s, '\n', (size_t)(end - s)))) {
        line++;
        s++;
    }
    return line;
}

void lint_tell_html(lint_context *c, size_t at, const char *excerpt, size_t len)
{
    if (c->told < LINT_EACH)
        lint_tell(c, "/html", line_at(&c->html, at), excerpt, len);
}

void lint_tell_seen(lint_context *c, words_span span)
{
    lint_tell_html(c, page_place(&c->page, span.at), c->page.text.data + span.at, span.len);
}

void lint_tell_text(lint_context *c, words_span span)
{
    lint_tell(c, "/text", line_at(&c->text, span.at), c->text.data + span.at, span.len);
}

void lint_tell_attachment(lint_context *c, size_t index, const char *excerpt, size_t len)
{
    char part[LINT_PART];
    (void)snprintf(part, sizeof part, "/attachments/%zu", index);
    lint_tell(c, part, 0, excerpt, len);
}

mime_bytes lint_header(const lint_mail *mail, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < mail->header_count; i++) {
        const mime_header *h = &mail->headers[i];
        if (h->name.len == len && strncasecmp(h->name.data, name, len) == 0)
            return h->value;
    }
    return (mime_bytes){NULL, 0};
}

/* ---- the whole ---- */

static mime_bytes looked_at(mime_bytes b)
{
    if (b.len > LINT_LOOKED_AT)
        b.len = LINT_LOOKED_AT;
    return b;
}

/* The findings become the report's. */
static void give(lint_context *c, lint_report *out)
{
    const lint_finding *list = (const lint_finding *)(const void *)c->found.data;
    out->count = c->found.len / sizeof *list;
    for (size_t i = 0; i < out->count; i++)
        out->of[list[i].severity]++;
    out->list = (lint_finding *)(void *)c->found.data;
    buf_init(&c->found);
}

bool lint_check(const lint_mail *mail, lint_report *out)
{
    lint_context c = {.mail = mail,
                      .html = looked_at(mail->html),
                      .text = looked_at(mail->text),
                      .found = BUF_INIT};
    *out = (lint_report){0};
    bool ok = page_read(&c.page, c.html.data ? c.html.data : "", c.html.len);
    for (size_t i = 0; ok && i < sizeof rules / sizeof *rules; i++) {
        c.rule = &rules[i];
        c.told = 0;
        rules[i].check(&c);
    }
    ok = ok && buf_ok(&c.found) && !c.failed;
    if (ok)
        give(&c, out);
    page_free(&c.page);
    buf_free(&c.found);
    return ok;
}

void lint_report_free(lint_report *r)
{
    free(r->list);
    *r = (lint_report){0};
}

const char *lint_severity_name(lint_severity severity)
{
    static const char *const severities[LINT_SEVERITIES] = {
        [LINT_NOTE] = "note", [LINT_WARNING] = "warning", [LINT_ERROR] = "error"};
    return severities[severity];
}

const char *lint_rule_at(size_t i, lint_severity *severity, const char **why, const char **cure)
{
    if (i >= sizeof rules / sizeof *rules)
        return NULL;
    if (severity)
        *severity = rules[i].severity;
    if (why)
        *why = rules[i].why;
    if (cure)
        *cure = rules[i].cure;
    return rules[i].code + PREFIX;
}
