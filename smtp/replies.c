#include "smtp/replies.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* ---- causes ---- */

const smtp_cause_row smtp_causes[SMTP_CAUSE_COUNT] = {
    [SMTP_CAUSE_NONE] = {"", SMTP_CATEGORY_NONE, SMTP_BLAME_NONE, NULL},
    [SMTP_CAUSE_NETWORK] = {"network", SMTP_CATEGORY_NETWORK, SMTP_BLAME_RELAY,
                            "The relay can't be reached, or broke off: check host, port and DNS."},
    [SMTP_CAUSE_TLS] = {"tls", SMTP_CATEGORY_TLS, SMTP_BLAME_GATEWAY,
                        "TLS does not come about as one side wants it: check the port's TLS mode "
                        "(smtps:// or smtp:// with STARTTLS)."},
    [SMTP_CAUSE_AUTH] = {"auth", SMTP_CATEGORY_AUTH, SMTP_BLAME_GATEWAY,
                         "The relay refused user and password: check both, and whether it wants an "
                         "app password or key instead."},
    [SMTP_CAUSE_ACCOUNT] = {"account", SMTP_CATEGORY_AUTH, SMTP_BLAME_GATEWAY,
                            "The account at the relay may not send now: look in the provider's "
                            "console whether it is active, paid and not blocked."},
    [SMTP_CAUSE_QUOTA] =
        {"quota", SMTP_CATEGORY_RATE, SMTP_BLAME_RELAY,
         "The account's sending limit is reached: wait until it begins anew, or get a higher one."},
    [SMTP_CAUSE_RATE] = {"rate", SMTP_CATEGORY_RATE, SMTP_BLAME_RELAY,
                         "The relay limits how much may come: send slower, over fewer sessions, "
                         "and try again later."},
    [SMTP_CAUSE_SPF] = {"spf", SMTP_CATEGORY_POLICY, SMTP_BLAME_GATEWAY,
                        "Publish an SPF record that names this relay for the sender's domain, and "
                        "let the relay sign with DKIM."},
    [SMTP_CAUSE_DKIM] = {"dkim", SMTP_CATEGORY_POLICY, SMTP_BLAME_GATEWAY,
                         "The relay wants a valid DKIM signature of the sender's domain."},
    [SMTP_CAUSE_DMARC] = {"dmarc", SMTP_CATEGORY_POLICY, SMTP_BLAME_GATEWAY,
                          "The sender's domain has a DMARC policy that this relay does not meet: "
                          "send over a relay that signs for the domain."},
    [SMTP_CAUSE_UNAUTHENTICATED] = {"unauthenticated", SMTP_CATEGORY_POLICY, SMTP_BLAME_GATEWAY,
                                    "Neither SPF nor DKIM passes for the sender's domain: publish "
                                    "an SPF record that names this relay, and sign with DKIM."},
    [SMTP_CAUSE_PTR] = {"ptr", SMTP_CATEGORY_POLICY, SMTP_BLAME_GATEWAY,
                        "The sending address needs a reverse DNS name (PTR) that leads back to it: "
                        "have whoever owns the address set one, or send over a relay."},
    [SMTP_CAUSE_HELO] = {"helo", SMTP_CATEGORY_POLICY, SMTP_BLAME_GATEWAY,
                         "The relay does not like the name in EHLO: set ehlo= to this machine's "
                         "full name, one that DNS knows."},
    [SMTP_CAUSE_IP_REPUTATION] = {"ip_reputation", SMTP_CATEGORY_POLICY, SMTP_BLAME_GATEWAY,
                                  "This machine's or the relay's address is on a blocklist: ask "
                                  "there to be taken off, or send over another relay."},
    [SMTP_CAUSE_DOMAIN_REPUTATION] =
        {"domain_reputation", SMTP_CATEGORY_POLICY, SMTP_BLAME_GATEWAY,
         "The sender's domain, or one that the message names, has a bad name: look it up on the "
         "blocklist that is named, and send only to people who asked for it."},
    [SMTP_CAUSE_RELAYING] = {"relaying", SMTP_CATEGORY_POLICY, SMTP_BLAME_GATEWAY,
                             "The relay does not carry mail to this recipient for us: log in, or "
                             "have it allow this machine."},
    [SMTP_CAUSE_POLICY] = {"policy", SMTP_CATEGORY_POLICY, SMTP_BLAME_GATEWAY,
                           "The relay's policy forbids this delivery: its words say why."},
    [SMTP_CAUSE_SENDER_NOT_ALLOWED] = {"sender_not_allowed", SMTP_CATEGORY_SENDER,
                                       SMTP_BLAME_MESSAGE,
                                       "Send from the address that the relay's login belongs to, "
                                       "or have the relay allow this sender."},
    [SMTP_CAUSE_SENDER_DOMAIN] =
        {"sender_domain", SMTP_CATEGORY_SENDER, SMTP_BLAME_MESSAGE,
         "The sender's domain does not exist, or takes no mail: publish MX or A records for it."},
    [SMTP_CAUSE_SENDER_REFUSED] = {"sender_refused", SMTP_CATEGORY_SENDER, SMTP_BLAME_MESSAGE,
                                   "The relay does not take mail from this sender."},
    [SMTP_CAUSE_UNKNOWN_USER] = {"unknown_user", SMTP_CATEGORY_RECIPIENT, SMTP_BLAME_MESSAGE,
                                 "The mailbox does not exist: take the address off your list."},
    [SMTP_CAUSE_MAILBOX_FULL] =
        {"mailbox_full", SMTP_CATEGORY_RECIPIENT, SMTP_BLAME_MESSAGE,
         "The mailbox is full: it takes mail again once its owner makes room."},
    [SMTP_CAUSE_MAILBOX_DISABLED] = {"mailbox_disabled", SMTP_CATEGORY_RECIPIENT,
                                     SMTP_BLAME_MESSAGE,
                                     "The mailbox is closed: take the address off your list."},
    [SMTP_CAUSE_RECIPIENT_DOMAIN] =
        {"recipient_domain", SMTP_CATEGORY_RECIPIENT, SMTP_BLAME_MESSAGE,
         "The recipient's domain does not exist, or takes no mail: check its spelling."},
    [SMTP_CAUSE_RECIPIENT_REFUSED] = {"recipient_refused", SMTP_CATEGORY_RECIPIENT,
                                      SMTP_BLAME_MESSAGE,
                                      "The relay does not take mail for this recipient."},
    [SMTP_CAUSE_LOOP] =
        {"loop", SMTP_CATEGORY_RECIPIENT, SMTP_BLAME_MESSAGE,
         "The mail goes round in circles: a forwarding of the recipient's leads back to itself."},
    [SMTP_CAUSE_SPAM] = {"spam", SMTP_CATEGORY_CONTENT, SMTP_BLAME_MESSAGE,
                         "The relay judged the content to be spam: look at links, attachments and "
                         "wording, and at the sender's reputation."},
    [SMTP_CAUSE_ATTACHMENT] =
        {"attachment", SMTP_CATEGORY_CONTENT, SMTP_BLAME_MESSAGE,
         "The relay does not take this content, often an attachment of a forbidden kind."},
    [SMTP_CAUSE_MALFORMED] = {"malformed", SMTP_CATEGORY_CONTENT, SMTP_BLAME_MESSAGE,
                              "The relay finds the message malformed."},
    [SMTP_CAUSE_MESSAGE_REFUSED] = {"message_refused", SMTP_CATEGORY_CONTENT, SMTP_BLAME_MESSAGE,
                                    "The relay does not take this message: its words say why."},
    [SMTP_CAUSE_SIZE] =
        {"size", SMTP_CATEGORY_SIZE, SMTP_BLAME_MESSAGE,
         "The message is larger than the relay takes: send a link instead of the attachment."},
    [SMTP_CAUSE_GREYLIST] =
        {"greylist", SMTP_CATEGORY_TEMPORARY, SMTP_BLAME_GATEWAY,
         "The relay takes mail from strangers at the second try only: try again in some minutes."},
    [SMTP_CAUSE_BUSY] = {"busy", SMTP_CATEGORY_TEMPORARY, SMTP_BLAME_GATEWAY,
                         "The relay is busy or going down; try again later."},
    [SMTP_CAUSE_PROTOCOL] = {"protocol", SMTP_CATEGORY_PROTOCOL, SMTP_BLAME_GATEWAY,
                             "The relay does not understand what it was told: is this an SMTP "
                             "server, and is nothing between it and this gateway?"},
};

/* ---- registered codes ---- */

static int by_code(const void *key, const void *row)
{
    const unsigned long *wanted = key;
    const smtp_status_row *r = row;
    unsigned long have = (unsigned long)r->subject * 1000 + r->detail;
    return *wanted < have ? -1 : *wanted > have;
}

static const smtp_status_row *status_row(unsigned long subject, unsigned long detail)
{
    smtp_statuses in = smtp_known_get().statuses;
    unsigned long wanted = subject * 1000 + detail;
    return in.count > 0 ? bsearch(&wanted, in.list, in.count, sizeof *in.list, by_code) : NULL;
}

const smtp_status_row *smtp_status_find(const char *enhanced)
{
    char *end = NULL;

    if (enhanced[0] == '\0' || enhanced[1] != '.')
        return NULL;
    unsigned long subject = strtoul(enhanced + 2, &end, 10);
    unsigned long detail = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
    if (subject > UCHAR_MAX || detail > 999)
        return NULL;
    const smtp_status_row *known = status_row(subject, detail);
    return known ? known : status_row(subject, 0);
}

/* ---- patterns ---- */

static unsigned pair_of(const char *at)
{
    return ((unsigned)at[0] & 63) << 6 | ((unsigned)at[1] & 63);
}

void smtp_text_read(smtp_text *t, const char *text)
{
    size_t n = 0;

    memset(t->pairs, 0, sizeof t->pairs);
    for (; *text && n < SMTP_TEXT_MAX; text++) {
        char c = *text == '\n' || *text == '\t' ? ' ' : *text;
        if (c == ' ' && n > 0 && t->s[n - 1] == ' ')
            continue;
        t->s[n++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    t->s[n] = '\0';
    t->len = n;
    for (size_t i = 0; i + 1 < n; i++) {
        unsigned pair = pair_of(t->s + i);
        t->pairs[pair / 64] |= UINT64_C(1) << pair % 64;
    }
}

static bool has_word(const smtp_text *t, const char *word, size_t len)
{
    for (size_t i = 0; i + 1 < len; i++) {
        unsigned pair = pair_of(word + i);
        if (!(t->pairs[pair / 64] >> pair % 64 & 1))
            return false;
    }
    return memmem(t->s, t->len, word, len) != NULL;
}

bool smtp_text_has(const smtp_text *t, const char *words)
{
    while (*words) {
        size_t len = strcspn(words, "|");
        if (has_word(t, words, len))
            return true;
        words += len + (words[len] == '|');
    }
    return false;
}

static bool enhanced_fits(const char *pattern, const char *enhanced)
{
    size_t n = strlen(pattern);
    return pattern[n - 1] == '.' ? strncmp(pattern, enhanced, n) == 0
                                 : strcmp(pattern, enhanced) == 0;
}

static bool fits(const smtp_pattern *p, smtp_stage stage, const smtp_reply *reply,
                 const smtp_text *text, const char *preset)
{
    int to = p->code_to ? p->code_to : p->code;
    return (p->stages & 1u << stage) && reply->code >= p->code && reply->code <= to &&
           (!p->enhanced || enhanced_fits(p->enhanced, reply->enhanced)) &&
           (!p->known_relay || preset) && (!p->words || smtp_text_has(text, p->words));
}

const smtp_pattern *smtp_pattern_find(const smtp_patterns *in, smtp_stage stage,
                                      const smtp_reply *reply, const smtp_text *text,
                                      const char *preset)
{
    for (size_t i = 0; i < in->count; i++) {
        if (fits(&in->list[i], stage, reply, text, preset))
            return &in->list[i];
    }
    return NULL;
}
