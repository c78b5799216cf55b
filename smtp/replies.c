#include "smtp/replies.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof *(list))

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

#define S(subject, detail, cause, meaning)                                                         \
    {                                                                                              \
        subject, detail, SMTP_CAUSE_##cause, meaning, NULL                                         \
    }
#define H(subject, detail, cause, meaning, hint)                                                   \
    {                                                                                              \
        subject, detail, SMTP_CAUSE_##cause, meaning, hint                                         \
    }

#define STRONGER                                                                                   \
    "The relay finds this way of logging in too weak: use an app password, a token, or another "   \
    "mechanism (auth=)."

/* IANA, SMTP Enhanced Status Codes, as of 2024-12-06: RFC 3463, 3886, 4468, 4865, 4954, 5248, 6531,
 * 6710, 7293, 7372, 7505, 8617, 8689 and others. In order, for bsearch(). */
static const smtp_status_row statuses[] = {
    S(0, 0, NONE, "undefined"),
    S(1, 0, NONE, "address, undefined"),
    S(1, 1, UNKNOWN_USER, "no such mailbox"),
    H(1, 2, RECIPIENT_DOMAIN, "no such system",
      "The recipient's domain does not exist: check its spelling."),
    H(1, 3, RECIPIENT_REFUSED, "recipient's address malformed",
      "The relay finds the recipient's address malformed."),
    H(1, 4, RECIPIENT_REFUSED, "recipient's address ambiguous",
      "The recipient's address stands for more than one mailbox: ask for another one."),
    S(1, 5, NONE, "recipient's address valid"),
    H(1, 6, MAILBOX_DISABLED, "mailbox moved, no forwarding",
      "The mailbox has moved: take the address off your list."),
    H(1, 7, SENDER_REFUSED, "sender's address malformed",
      "The relay finds the sender's address malformed."),
    S(1, 8, SENDER_DOMAIN, "sender's system bad"),
    H(1, 9, MESSAGE_REFUSED, "passed on without a delivery report",
      "The message left the world of delivery reports: nothing more is known of it."),
    H(1, 10, RECIPIENT_DOMAIN, "recipient's domain has a null MX",
      "The recipient's domain says that it takes no mail: take the address off your list."),
    S(2, 0, NONE, "mailbox, undefined"),
    S(2, 1, MAILBOX_DISABLED, "mailbox disabled"),
    S(2, 2, MAILBOX_FULL, "mailbox full"),
    H(2, 3, SIZE, "larger than the mailbox takes",
      "The message is larger than the mailbox takes: send a link instead of the attachment."),
    H(2, 4, RECIPIENT_REFUSED, "mailing list can't be expanded",
      "The recipient is a list that its server can't take apart: tell its owner."),
    S(3, 0, NONE, "mail system, undefined"),
    H(3, 1, BUSY, "mail system full", "The relay lacks room now; try again later."),
    S(3, 2, BUSY, "not accepting messages now"),
    H(3, 3, PROTOCOL, "feature not supported",
      "The receiving system lacks a feature that this message needs."),
    S(3, 4, SIZE, "larger than the system takes"),
    H(3, 5, BUSY, "system incorrectly configured",
      "The receiving system is set up wrongly: only its operator can mend that."),
    H(3, 6, PROTOCOL, "requested priority changed",
      "The receiving system does not keep the priority that was asked for."),
    S(4, 0, NONE, "network or routing, undefined"),
    H(4, 1, BUSY, "no answer from host", "The recipient's server does not answer the relay."),
    H(4, 2, BUSY, "bad connection", "The connection broke off; try again later."),
    H(4, 3, BUSY, "directory server failure",
      "The relay could not look something up, often in DNS; try again later."),
    H(4, 4, RECIPIENT_DOMAIN, "unable to route",
      "No way leads to the recipient's domain: check its spelling, and its MX records."),
    H(4, 5, RATE, "congested", "The receiving system has more mail than it can take: send slower."),
    S(4, 6, LOOP, "routing loop"),
    H(4, 7, BUSY, "too old to be delivered",
      "The relay tried for as long as it does: the recipient's server did not take the message."),
    S(5, 0, NONE, "protocol, undefined"),
    S(5, 1, PROTOCOL, "invalid command"),
    S(5, 2, PROTOCOL, "syntax error"),
    H(5, 3, RATE, "too many recipients",
      "The relay takes fewer recipients at once: send the message to the others again."),
    S(5, 4, PROTOCOL, "invalid arguments"),
    S(5, 5, PROTOCOL, "wrong protocol version"),
    H(5, 6, AUTH, "login exchange line too long",
      "The login is longer than the relay takes: a shorter token or another mechanism (auth=) may "
      "help."),
    S(6, 0, MALFORMED, "content, undefined"),
    H(6, 1, ATTACHMENT, "media not supported",
      "The receiving system does not take content of this kind: send it in another format."),
    H(6, 2, MALFORMED, "conversion prohibited",
      "The content would have to be converted on the way, and may not be."),
    H(6, 3, MALFORMED, "conversion not supported",
      "The content would have to be converted on the way, and can't be."),
    H(6, 4, MALFORMED, "converted with loss", "The content was converted on the way, with losses."),
    H(6, 5, MALFORMED, "conversion failed", "The content could not be converted on the way."),
    H(6, 6, MALFORMED, "content not available",
      "The relay could not fetch content that the message refers to."),
    H(6, 7, PROTOCOL, "address beyond ASCII not permitted",
      "Use addresses whose part before the @ is ASCII, or a relay that offers SMTPUTF8."),
    H(6, 8, PROTOCOL, "reply needs UTF-8, and may not have it",
      "Use addresses whose part before the @ is ASCII, or a relay that offers SMTPUTF8."),
    H(6, 9, PROTOCOL, "header in UTF-8 can't be passed on",
      "The way to the recipient lacks SMTPUTF8: use addresses in ASCII."),
    H(6, 10, PROTOCOL, "beyond ASCII, as 6.8",
      "The way to the recipient lacks SMTPUTF8: use addresses in ASCII."),
    S(7, 0, NONE, "security, undefined"),
    S(7, 1, NONE, "not authorized, refused"),
    H(7, 2, RECIPIENT_REFUSED, "mailing list does not take this sender",
      "The recipient is a list that takes mail of its members only: ask its owner."),
    H(7, 3, POLICY, "security conversion needed but not possible",
      "The message would have to change its encryption on the way, and can't."),
    H(7, 4, AUTH, "security feature not supported",
      "The relay does not know this mechanism: choose another with auth=."),
    H(7, 5, POLICY, "cryptographic failure",
      "The receiving system could not check or undo the message's encryption."),
    H(7, 6, POLICY, "cryptographic algorithm not supported",
      "The receiving system does not know the algorithm that the message uses."),
    H(7, 7, MALFORMED, "message integrity failure",
      "The message was changed on the way, as the receiving system sees it."),
    S(7, 8, AUTH, "credentials invalid"),
    H(7, 9, AUTH, "mechanism too weak", STRONGER),
    H(7, 10, TLS, "encryption needed",
      "The relay wants TLS before this: use smtps:// or STARTTLS."),
    H(7, 11, TLS, "encryption needed for this mechanism",
      "The relay wants TLS before this login: use smtps:// or STARTTLS."),
    H(7, 12, AUTH, "password transition needed",
      "The relay must store the password anew: log in once with PLAIN (auth=PLAIN) over TLS."),
    H(7, 13, ACCOUNT, "account disabled",
      "The account at the relay is disabled: only its operator can open it again."),
    H(7, 14, ACCOUNT, "trust relationship required",
      "The relay wants this gateway's system to be trusted first: ask its operator."),
    H(7, 15, POLICY, "priority too low",
      "The receiving system takes only messages of higher priority now."),
    H(7, 16, SIZE, "too big for its priority",
      "The message is larger than the relay takes at this priority: send a link instead."),
    H(7, 17, UNKNOWN_USER, "mailbox owner has changed",
      "The mailbox belongs to somebody else now: take the address off your list."),
    H(7, 18, RECIPIENT_DOMAIN, "domain owner has changed",
      "The recipient's domain belongs to somebody else now: take the address off your list."),
    H(7, 19, POLICY, "owner's constancy can't be checked",
      "The receiving system can't tell whether the mailbox still has the same owner."),
    S(7, 20, DKIM, "no DKIM signature passes"),
    H(7, 21, DKIM, "no acceptable DKIM signature",
      "The DKIM signatures that pass are not ones that the relay accepts: sign more of the header, "
      "and with a longer key."),
    H(7, 22, DKIM, "no DKIM signature of the author's domain",
      "Sign with DKIM as the domain of the From address."),
    S(7, 23, SPF, "SPF fails"),
    H(7, 24, SPF, "SPF can't be evaluated",
      "The sender's SPF record has an error or needs too many lookups: mend it."),
    S(7, 25, PTR, "reverse DNS fails"),
    S(7, 26, UNAUTHENTICATED, "several authentication checks fail"),
    H(7, 27, SENDER_DOMAIN, "sender's domain has a null MX",
      "The sender's domain says that it takes no mail: send from one that does."),
    H(7, 28, RATE, "mail flood",
      "The relay sees a flood of mail from this sender or address: send slower, and only what was "
      "asked for."),
    H(7, 29, POLICY, "ARC fails",
      "The message was forwarded, and its chain of ARC seals is broken: send it directly."),
    H(7, 30, TLS, "REQUIRETLS not supported on the way",
      "The message demands TLS all the way, and the next server can't promise it."),
};

#undef S
#undef H

static const smtp_status_row subjects[] = {
    {0, 0, SMTP_CAUSE_NONE, "undefined", NULL},
    {1, 0, SMTP_CAUSE_NONE, "address, undefined", NULL},
    {2, 0, SMTP_CAUSE_NONE, "mailbox, undefined", NULL},
    {3, 0, SMTP_CAUSE_NONE, "mail system, undefined", NULL},
    {4, 0, SMTP_CAUSE_NONE, "network or routing, undefined", NULL},
    {5, 0, SMTP_CAUSE_NONE, "protocol, undefined", NULL},
    {6, 0, SMTP_CAUSE_MALFORMED, "content, undefined", NULL},
    {7, 0, SMTP_CAUSE_NONE, "security, undefined", NULL},
};

static int by_code(const void *key, const void *row)
{
    const unsigned long *wanted = key;
    const smtp_status_row *r = row;
    unsigned long have = (unsigned long)r->subject * 1000 + r->detail;
    return *wanted < have ? -1 : *wanted > have;
}

const smtp_status_row *smtp_status_find(const char *enhanced)
{
    char *end = NULL;

    if (enhanced[0] == '\0' || enhanced[1] != '.')
        return NULL;
    unsigned long subject = strtoul(enhanced + 2, &end, 10);
    unsigned long detail = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
    unsigned long wanted = subject * 1000 + detail;
    if (subject >= COUNT(subjects) || detail > 999)
        return NULL;
    const smtp_status_row *known =
        bsearch(&wanted, statuses, COUNT(statuses), sizeof *statuses, by_code);
    return known ? known : &subjects[subject];
}

const smtp_status_row *smtp_statuses(size_t *count)
{
    *count = COUNT(statuses);
    return statuses;
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
