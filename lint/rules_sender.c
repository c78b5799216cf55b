/*
 * The rules for From, Reply-To, and the headers of bulk mail.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <idn2.h>

#include "lint/lint_own.h"

#define MANY 20 /* recipients of one message that are a list */

/* Of one owner; at a provider of mailboxes for everybody each mailbox has its own. */
static bool is_same_sender(const mime_mailbox *a, const mime_mailbox *b)
{
    size_t len = strlen(a->domain);
    if (!words_same_owner(a->domain, len, b->domain, strlen(b->domain)))
        return false;
    return !words_is_public(a->domain, len) || strcasecmp(a->address, b->address) == 0;
}

void lint_reply_to(lint_context *c)
{
    for (size_t i = 0; i < c->mail->reply_to.count; i++) {
        const mime_mailbox *m = &c->mail->reply_to.list[i];
        if (!is_same_sender(c->mail->from, m))
            lint_tell(c, "/reply_to", 0, m->address, strlen(m->address));
    }
}

static bool is_in_domain(char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
           ch == '.' || ch == '-' || (unsigned char)ch >= 0x80;
}

/* The domain of the address that the sender's name shows; its length is 0: it shows none. */
static mime_bytes domain_in_name(const mime_mailbox *from)
{
    const char *at = from->name ? strchr(from->name, '@') : NULL;
    size_t len = 0;

    while (at && at > from->name && is_in_domain(at[1 + len]))
        len++;
    return len > 0 && memchr(at + 1, '.', len) ? (mime_bytes){at + 1, len} : (mime_bytes){NULL, 0};
}

/* The sender's name shows an address, of the mail's own domain or of another. */
static bool shows_address(const mime_mailbox *from, bool own)
{
    mime_bytes shown = domain_in_name(from);
    return shown.len > 0 &&
           words_same_owner(shown.data, shown.len, from->domain, strlen(from->domain)) == own;
}

void lint_name_spoof(lint_context *c)
{
    const mime_mailbox *from = c->mail->from;
    if (shows_address(from, false))
        lint_tell(c, "/from", 0, from->name, strlen(from->name));
}

/* Of its own domain: no fraud, but it says nothing of who writes. */
void lint_name_repeats(lint_context *c)
{
    const mime_mailbox *from = c->mail->from;
    if (from->name && (strcasecmp(from->name, from->address) == 0 || shows_address(from, true)))
        lint_tell(c, "/from", 0, from->name, strlen(from->name));
}

void lint_sender_script(lint_context *c)
{
    const mime_mailbox *from = c->mail->from;
    size_t name_len = from->name ? strlen(from->name) : 0;
    char *domain = NULL;
    if (name_len > 0 && words_homoglyph(from->name, name_len, 0).len > 0)
        lint_tell(c, "/from", 0, from->name, name_len);
    if (idn2_to_unicode_8z8z(from->domain, &domain, 0) == IDN2_OK &&
        words_homoglyph(domain, strlen(domain), 0).len > 0)
        lint_tell(c, "/from", 0, domain, strlen(domain));
    idn2_free(domain);
}

/* ---- bulk ---- */

static bool says_bulk(const mime_bytes *value)
{
    static const char *const words[] = {"bulk", "list", "junk"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (value->len == strlen(words[i]) && strncasecmp(value->data, words[i], value->len) == 0)
            return true;
    }
    return false;
}

/* What is tagged so goes to many. */
static bool is_tag_of_bulk(const char *tag)
{
    static const char *const words[] = {"newsletter", "marketing", "campaign", "promo", "bulk",
                                        "digest",     "announce",  "营销",     "推广",  "促销"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strncasecmp(tag, words[i], strlen(words[i])) == 0)
            return true;
    }
    return false;
}

static bool is_bulk(const lint_mail *mail)
{
    mime_bytes precedence = lint_header(mail, "Precedence");
    if (mail->recipients >= MANY || lint_is(lint_header(mail, "List-Id")) ||
        (precedence.data && says_bulk(&precedence)))
        return true;
    for (const char *const *tag = mail->tags; tag && *tag; tag++) {
        if (is_tag_of_bulk(*tag))
            return true;
    }
    return false;
}

void lint_unsubscribe(lint_context *c)
{
    if (!c->mail->to_list && is_bulk(c->mail) && !lint_is(lint_header(c->mail, "List-Unsubscribe")))
        lint_tell(c, "/headers", 0, "", 0);
}
