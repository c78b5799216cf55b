#include "smtp/classify.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <curl/curl.h>

#include "smtp/preset.h"

/* Of a reply's text, searched for words: a reply may be far longer than what it says. */
#define TEXT_MAX 2000

#define AT(stage) (1u << SMTP_STAGE_##stage)
#define OPENING   (AT(GREETING) | AT(EHLO) | AT(STARTTLS))
#define ENVELOPE  (AT(MAIL) | AT(RCPT) | AT(DATA))
#define MESSAGE   (AT(DATA) | AT(BODY))
#define ANY       (~0u)

/* One row: where, which codes, which words, at whom's; and what it means. The first that fits wins.
 */
typedef struct row {
    unsigned stages;
    int code, code_to; /* 0: any; code_to 0: only `code` */
    const char
        *enhanced;     /* "5.7.8", "*.7.8" for either class, or "5.7." as a beginning; NULL: any */
    const char *words; /* any of these, parted by "|", in any case; NULL: any text */
    const char *presets; /* any of these names, parted by "|", or KNOWN; NULL: any relay */
    smtp_category category;
    smtp_blame blame;
    const char *hint;
} row;

#define KNOWN       "*" /* any relay that is a preset's */
#define PRESET_HINT "*" /* what the preset says of a refused login */

#define APP_PASSWORD                                                                               \
    "Log in with the full address and an app password (it needs 2-step verification), not with "   \
    "the account's "                                                                               \
    "password, or use XOAUTH2."
#define M365_BASIC                                                                                 \
    "SMTP AUTH is switched off for this tenant or mailbox, or basic authentication has ended: "    \
    "use XOAUTH2 with "                                                                            \
    "token_file, or have an administrator allow authenticated SMTP."
#define WRONG_LOGIN                                                                                \
    "The relay refused user and password: check both, and whether it wants an app password or "    \
    "key instead."
#define SPF                                                                                        \
    "Publish an SPF record that names this relay for the sender's domain, and let the relay sign " \
    "with DKIM."
#define SPAM                                                                                       \
    "The relay judged the content to be spam: look at links, attachments and wording, and at the " \
    "sender's reputation."
#define OWN_ADDRESS                                                                                \
    "Send from the address that the relay's login belongs to, or have the relay allow this "       \
    "sender."
#define SLOWER                                                                                     \
    "The relay limits how much may come: send slower, over fewer sessions, and try again later."
#define NO_MAILBOX "The mailbox does not exist: take the address off your list."

static const row rows[] = {
    /* logging in */
    {ANY, 0, 0, "5.7.139", NULL, NULL, SMTP_CATEGORY_AUTH, SMTP_BLAME_GATEWAY, M365_BASIC},
    {ANY, 0, 0, "5.7.30", NULL, NULL, SMTP_CATEGORY_AUTH, SMTP_BLAME_GATEWAY, M365_BASIC},
    {AT(AUTH), 454, 0, NULL, NULL, NULL, SMTP_CATEGORY_AUTH, SMTP_BLAME_RELAY,
     "The relay can't check logins now; try again later."},
    {AT(AUTH), 421, 0, NULL, NULL, NULL, SMTP_CATEGORY_RATE, SMTP_BLAME_RELAY,
     "The relay cut the login: too many sessions or too many wrong logins; try again later."},
    {AT(AUTH), 400, 499, NULL, NULL, NULL, SMTP_CATEGORY_AUTH, SMTP_BLAME_RELAY,
     "The relay can't check logins now, or refuses them for a while after wrong ones."},
    {AT(AUTH), 538, 0, NULL, NULL, NULL, SMTP_CATEGORY_AUTH, SMTP_BLAME_GATEWAY,
     "The relay wants TLS before this login: use smtps:// or STARTTLS."},
    {AT(AUTH), 504, 0, NULL, NULL, NULL, SMTP_CATEGORY_AUTH, SMTP_BLAME_GATEWAY,
     "The relay does not know this mechanism: choose another with auth=."},
    {AT(AUTH), 531, 599, NULL, NULL, KNOWN, SMTP_CATEGORY_AUTH, SMTP_BLAME_GATEWAY, PRESET_HINT},
    {AT(AUTH), 500, 529, NULL, NULL, KNOWN, SMTP_CATEGORY_AUTH, SMTP_BLAME_GATEWAY, PRESET_HINT},
    {AT(AUTH), 531, 599, NULL, "application-specific password|badcredentials|app password", NULL,
     SMTP_CATEGORY_AUTH, SMTP_BLAME_GATEWAY, APP_PASSWORD},
    {AT(AUTH), 534, 0, NULL, NULL, NULL, SMTP_CATEGORY_AUTH, SMTP_BLAME_GATEWAY,
     "The relay finds this way of logging in too weak: use an app password, a token, or another "
     "mechanism (auth=)."},
    {AT(AUTH), 531, 599, NULL, NULL, NULL, SMTP_CATEGORY_AUTH, SMTP_BLAME_GATEWAY, WRONG_LOGIN},
    {AT(AUTH), 500, 529, NULL, NULL, NULL, SMTP_CATEGORY_AUTH, SMTP_BLAME_GATEWAY, WRONG_LOGIN},
    {ANY, 530, 0, NULL, "starttls", NULL, SMTP_CATEGORY_TLS, SMTP_BLAME_GATEWAY,
     "The relay wants STARTTLS first: leave out tls=none."},
    {ANY, 530, 0, NULL, NULL, NULL, SMTP_CATEGORY_AUTH, SMTP_BLAME_GATEWAY,
     "The relay wants a login before mail: put user and password into the relay's URL."},
    {ANY, 535, 0, NULL, NULL, NULL, SMTP_CATEGORY_AUTH, SMTP_BLAME_GATEWAY, WRONG_LOGIN},

    /* opening the session */
    {AT(STARTTLS), 400, 499, NULL, NULL, NULL, SMTP_CATEGORY_TLS, SMTP_BLAME_RELAY,
     "The relay can't do TLS now; try again later."},
    {AT(STARTTLS), 500, 599, NULL, NULL, NULL, SMTP_CATEGORY_TLS, SMTP_BLAME_GATEWAY,
     "The relay refuses STARTTLS: try smtps:// on port 465, or another relay."},
    {ANY, 421, 0, NULL, "too many|concurrent|connections|rate|limit|throttl", NULL,
     SMTP_CATEGORY_RATE, SMTP_BLAME_RELAY,
     "The relay allows fewer sessions: lower sessions= in its URL, or try again later."},
    {ANY, 421, 0, "4.7.", NULL, NULL, SMTP_CATEGORY_RATE, SMTP_BLAME_RELAY, SLOWER},
    {AT(GREETING) | AT(EHLO), 500, 599, NULL, NULL, NULL, SMTP_CATEGORY_POLICY, SMTP_BLAME_GATEWAY,
     "The relay does not want to talk to this machine: its address may be on a blocklist, or its "
     "EHLO name (ehlo=) be refused."},
    {OPENING, 421, 0, NULL, NULL, NULL, SMTP_CATEGORY_TEMPORARY, SMTP_BLAME_RELAY,
     "The relay is busy or going down; try again later."},

    /* size: before 5.2.2, which a full mailbox has as well */
    {ANY, 400, 499, "4.2.2", NULL, NULL, SMTP_CATEGORY_RECIPIENT, SMTP_BLAME_RELAY,
     "The mailbox is full; it may be emptied."},
    {ANY, 500, 599, "5.2.2", NULL, NULL, SMTP_CATEGORY_RECIPIENT, SMTP_BLAME_MESSAGE,
     "The mailbox is full."},
    {AT(RCPT), 552, 0, NULL, "quota|mailbox full|mailbox is full|over limit|storage", NULL,
     SMTP_CATEGORY_RECIPIENT, SMTP_BLAME_MESSAGE, "The mailbox is full."},
    {ANY, 500, 599, "5.3.4", NULL, NULL, SMTP_CATEGORY_SIZE, SMTP_BLAME_MESSAGE,
     "The message is larger than the relay takes: send a link instead of the attachment."},
    {ANY, 500, 599, "5.2.3", NULL, NULL, SMTP_CATEGORY_SIZE, SMTP_BLAME_MESSAGE,
     "The message is larger than the mailbox takes: send a link instead of the attachment."},
    {AT(MAIL) | MESSAGE, 552, 0, NULL, "size|large|big|exceed|limit", NULL, SMTP_CATEGORY_SIZE,
     SMTP_BLAME_MESSAGE,
     "The message is larger than the relay takes: send a link instead of the attachment."},
    {AT(MAIL) | MESSAGE, 552, 0, "5.7.", NULL, NULL, SMTP_CATEGORY_CONTENT, SMTP_BLAME_MESSAGE,
     "The relay does not take this content, often an attachment of a forbidden kind."},
    {AT(MAIL), 552, 0, NULL, NULL, NULL, SMTP_CATEGORY_SIZE, SMTP_BLAME_MESSAGE,
     "The message is larger than the relay takes: send a link instead of the attachment."},
    {ANY, 452, 0, NULL, "too many recipients", NULL, SMTP_CATEGORY_RATE, SMTP_BLAME_RELAY,
     "The relay takes fewer recipients at once: send the message to the others again."},
    {ANY, 400, 499, "4.5.3", NULL, NULL, SMTP_CATEGORY_RATE, SMTP_BLAME_RELAY,
     "The relay takes fewer recipients at once: send the message to the others again."},
    {ANY, 452, 0, NULL, NULL, NULL, SMTP_CATEGORY_TEMPORARY, SMTP_BLAME_RELAY,
     "The relay lacks room now; try again later."},

    /* SPF, DKIM, DMARC */
    {ANY, 500, 599, "5.7.26", NULL, NULL, SMTP_CATEGORY_POLICY, SMTP_BLAME_GATEWAY, SPF},
    {ANY, 500, 599, "5.7.23", NULL, NULL, SMTP_CATEGORY_POLICY, SMTP_BLAME_GATEWAY, SPF},
    {ANY, 500, 599, NULL, "dmarc", NULL, SMTP_CATEGORY_POLICY, SMTP_BLAME_GATEWAY,
     "The sender's domain has a DMARC policy that this relay does not meet: send over a relay that "
     "signs for the domain."},
    {ANY, 500, 599, NULL, "dkim", NULL, SMTP_CATEGORY_POLICY, SMTP_BLAME_GATEWAY,
     "The relay wants a valid DKIM signature of the sender's domain."},
    {ANY, 500, 599, NULL, "spf check|spf fail|sender policy framework| spf | spf:|(spf)|spf record",
     NULL, SMTP_CATEGORY_POLICY, SMTP_BLAME_GATEWAY, SPF},

    /* mail before a login */
    {AT(MAIL) | AT(RCPT), 500, 599, NULL,
     "not authenticated|authentication required|authentication is required|must authenticate|"
     "authenticate first|auth first|log in first|login first|need auth",
     NULL, SMTP_CATEGORY_AUTH, SMTP_BLAME_GATEWAY,
     "The relay wants a login before mail: put user and password into the relay's URL."},

    /* the sender */
    {AT(MAIL) | AT(RCPT) | MESSAGE, 500, 599, NULL,
     "mail from must equal authorized user|same as authorization user|dt:sum|not owned by|"
     "sendasdenied|send as|sender address rejected|sender rejected|sender address must|sender is "
     "not allowed|not verified|unverified|from address",
     NULL, SMTP_CATEGORY_SENDER, SMTP_BLAME_MESSAGE, OWN_ADDRESS},
    {AT(MAIL), 553, 0, NULL, NULL, NULL, SMTP_CATEGORY_SENDER, SMTP_BLAME_MESSAGE, OWN_ADDRESS},
    {ANY, 500, 599, "5.1.7", NULL, NULL, SMTP_CATEGORY_SENDER, SMTP_BLAME_MESSAGE,
     "The relay finds the sender's address malformed."},
    {ANY, 500, 599, "5.1.8", NULL, NULL, SMTP_CATEGORY_SENDER, SMTP_BLAME_MESSAGE,
     "The sender's domain does not exist, or takes no mail: publish MX or A records for it."},

    /* recipients */
    {ANY, 500, 599, "5.1.1", NULL, NULL, SMTP_CATEGORY_RECIPIENT, SMTP_BLAME_MESSAGE, NO_MAILBOX},
    {ANY, 500, 599, "5.1.10", NULL, NULL, SMTP_CATEGORY_RECIPIENT, SMTP_BLAME_MESSAGE, NO_MAILBOX},
    {ANY, 500, 599, "5.1.2", NULL, NULL, SMTP_CATEGORY_RECIPIENT, SMTP_BLAME_MESSAGE,
     "The recipient's domain does not exist: check its spelling."},
    {ANY, 500, 599, "5.1.3", NULL, NULL, SMTP_CATEGORY_RECIPIENT, SMTP_BLAME_MESSAGE,
     "The relay finds the recipient's address malformed."},
    {ANY, 500, 599, "5.1.6", NULL, NULL, SMTP_CATEGORY_RECIPIENT, SMTP_BLAME_MESSAGE,
     "The mailbox has moved: take the address off your list."},
    {ANY, 500, 599, "5.2.1", NULL, NULL, SMTP_CATEGORY_RECIPIENT, SMTP_BLAME_MESSAGE,
     "The mailbox is closed: take the address off your list."},
    {AT(RCPT) | MESSAGE, 500, 599, NULL,
     "user unknown|no such user|unknown user|does not exist|mailbox not found|mailbox "
     "unavailable|recipient not found|invalid recipient",
     NULL, SMTP_CATEGORY_RECIPIENT, SMTP_BLAME_MESSAGE, NO_MAILBOX},
    {AT(RCPT), 500, 599, NULL,
     "relay access denied|relaying denied|relay not permitted|unable to relay|not permitted to "
     "relay|relay denied|relaying disallowed",
     NULL, SMTP_CATEGORY_POLICY, SMTP_BLAME_GATEWAY,
     "The relay does not carry mail to this recipient for us: log in, or have it allow this "
     "machine."},
    {AT(RCPT), 400, 499, NULL, "greylist|graylist|greylisted|try again later", NULL,
     SMTP_CATEGORY_TEMPORARY, SMTP_BLAME_RELAY,
     "The relay takes mail from strangers at the second try only: try again in some minutes."},

    /* our standing with the relay */
    {ANY, 500, 599, NULL,
     "blocklist|blacklist|block list|black list|spamhaus|reputation|blocked using|dnsbl|rbl", NULL,
     SMTP_CATEGORY_POLICY, SMTP_BLAME_GATEWAY,
     "This machine's or the relay's address is on a blocklist: ask there to be taken off, or send "
     "over another relay."},

    /* content */
    {AT(BODY) | ENVELOPE, 500, 599, NULL, "dt:spm|spam|junk|unsolicited|bulk mail", NULL,
     SMTP_CATEGORY_CONTENT, SMTP_BLAME_MESSAGE, SPAM},
    {MESSAGE, 500, 599, NULL,
     "virus|malware|infected|attachment|blocked content|content reject|content denied|prohibited",
     NULL, SMTP_CATEGORY_CONTENT, SMTP_BLAME_MESSAGE,
     "The relay does not take this content, often an attachment of a forbidden kind."},
    {ANY, 500, 599, "5.6.", NULL, NULL, SMTP_CATEGORY_CONTENT, SMTP_BLAME_MESSAGE,
     "The relay finds the message malformed."},

    /* rate */
    {ANY, 500, 599, NULL,
     "frequency limit|rate limit|sending limit|daily limit|hourly limit|sending quota|too many "
     "messages|too many mails",
     NULL, SMTP_CATEGORY_RATE, SMTP_BLAME_RELAY, SLOWER},
    {ANY, 500, 599, "5.4.5", NULL, NULL, SMTP_CATEGORY_RATE, SMTP_BLAME_RELAY,
     "The day's sending limit of the account is reached; it ends after 24 hours."},
    {ANY, 400, 499, NULL, "rate|too many|too fast|too much|limit|throttl|quota|frequen", NULL,
     SMTP_CATEGORY_RATE, SMTP_BLAME_RELAY, SLOWER},
    {ANY, 400, 499, "4.7.28", NULL, NULL, SMTP_CATEGORY_RATE, SMTP_BLAME_RELAY, SLOWER},
    {ANY, 450, 451, "4.7.", NULL, NULL, SMTP_CATEGORY_TEMPORARY, SMTP_BLAME_RELAY,
     "The relay holds mail back for now, as with greylisting: try again in some minutes."},

    /* the relay's policy, and what is left of 5.7 */
    {AT(MAIL), 500, 599, "5.7.", NULL, NULL, SMTP_CATEGORY_SENDER, SMTP_BLAME_MESSAGE, OWN_ADDRESS},
    {AT(RCPT), 500, 599, "5.7.", NULL, NULL, SMTP_CATEGORY_POLICY, SMTP_BLAME_GATEWAY,
     "The relay's policy forbids this delivery: its words say why."},
    {MESSAGE, 500, 599, "5.7.", NULL, NULL, SMTP_CATEGORY_CONTENT, SMTP_BLAME_MESSAGE, SPAM},

    /* what the codes mean by themselves */
    {ENVELOPE, 555, 0, NULL, NULL, NULL, SMTP_CATEGORY_PROTOCOL, SMTP_BLAME_GATEWAY,
     "The relay does not know a parameter that it had offered."},
    {AT(MAIL), 400, 499, NULL, NULL, NULL, SMTP_CATEGORY_TEMPORARY, SMTP_BLAME_RELAY,
     "The relay can't take mail from this sender now; try again later."},
    {AT(MAIL), 500, 599, NULL, NULL, NULL, SMTP_CATEGORY_SENDER, SMTP_BLAME_MESSAGE,
     "The relay does not take mail from this sender."},
    {AT(RCPT), 400, 499, NULL, NULL, NULL, SMTP_CATEGORY_TEMPORARY, SMTP_BLAME_RELAY,
     "The relay can't take mail for this recipient now; try again later."},
    {AT(RCPT), 500, 599, NULL, NULL, NULL, SMTP_CATEGORY_RECIPIENT, SMTP_BLAME_MESSAGE,
     "The relay does not take mail for this recipient."},
    {MESSAGE, 400, 499, NULL, NULL, NULL, SMTP_CATEGORY_TEMPORARY, SMTP_BLAME_RELAY,
     "The relay can't take the message now; try again later."},
    {MESSAGE, 552, 0, NULL, NULL, NULL, SMTP_CATEGORY_SIZE, SMTP_BLAME_MESSAGE,
     "The message is larger than the relay takes: send a link instead of the attachment."},
    {MESSAGE, 500, 599, NULL, NULL, NULL, SMTP_CATEGORY_CONTENT, SMTP_BLAME_MESSAGE,
     "The relay does not take this message: its words say why."},
    {ANY, 400, 499, NULL, NULL, NULL, SMTP_CATEGORY_TEMPORARY, SMTP_BLAME_RELAY,
     "The relay is busy or going down; try again later."},
    {ANY, 500, 599, NULL, NULL, NULL, SMTP_CATEGORY_POLICY, SMTP_BLAME_GATEWAY,
     "The relay refuses us: its words say why."},
};

/* The words of a list that stand in `text`, or that equal it. */
static bool any_of(const char *list, const char *text, bool whole)
{
    char word[80];
    while (*list) {
        size_t n = strcspn(list, "|");
        if (n < sizeof word) {
            memcpy(word, list, n);
            word[n] = '\0';
            if (whole ? strcmp(word, text) == 0 : strcasestr(text, word) != NULL)
                return true;
        }
        list += n + (list[n] == '|');
    }
    return false;
}

static bool enhanced_fits(const char *pattern, const char *enhanced)
{
    size_t n = strlen(pattern);
    return pattern[n - 1] == '.' ? strncmp(pattern, enhanced, n) == 0
                                 : strcmp(pattern, enhanced) == 0;
}

static bool fits(const row *r, smtp_stage stage, const smtp_reply *reply, const char *text,
                 const char *preset)
{
    int to = r->code_to ? r->code_to : r->code;
    return (r->stages & 1u << stage) &&
           (r->code == 0 || (reply->code >= r->code && reply->code <= to)) &&
           (!r->enhanced || enhanced_fits(r->enhanced, reply->enhanced)) &&
           (!r->presets ||
            (preset && (r->presets[0] == KNOWN[0] || any_of(r->presets, preset, true)))) &&
           (!r->words || any_of(r->words, text, false));
}

/* Trying again later makes sense where the relay is at fault, or didn't answer. */
static bool retryable(smtp_blame blame)
{
    return blame == SMTP_BLAME_RELAY || blame == SMTP_BLAME_TIMEOUT;
}

static void set(smtp_fault *out, smtp_stage stage, smtp_category category, smtp_blame blame,
                const char *hint)
{
    out->stage = stage;
    out->category = category;
    out->blame = blame;
    out->retryable = retryable(blame);
    out->hint = hint;
}

static const char *hint_of(const row *r, const char *preset)
{
    const smtp_preset *p = NULL;

    if (!r->hint || r->hint[0] != PRESET_HINT[0])
        return r->hint;
    if (preset)
        p = smtp_preset_find(preset);
    return p ? p->hint : WRONG_LOGIN;
}

void smtp_classify_reply(smtp_stage stage, const smtp_reply *reply, const char *preset,
                         smtp_fault *out)
{
    char text[TEXT_MAX + 1] = "";

    if (reply->text)
        (void)snprintf(text, sizeof text, "%s", reply->text);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (fits(&rows[i], stage, reply, text, preset)) {
            set(out, stage, rows[i].category, rows[i].blame, hint_of(&rows[i], preset));
            return;
        }
    }
    set(out, stage, SMTP_CATEGORY_PROTOCOL, SMTP_BLAME_RELAY,
        "The relay's reply has no place here: is this an SMTP server?");
}

/* libcurl's results, by what its error text says where that tells more. */
static const struct {
    CURLcode code; /* CURLE_OK: any */
    const char *words;
    smtp_category category;
    smtp_blame blame;
    const char *hint;
} curl_rows[] = {
    {CURLE_OK, "certificate has expired", SMTP_CATEGORY_TLS, SMTP_BLAME_GATEWAY,
     "The relay's certificate has expired: its operator must renew it (and this machine's clock be "
     "right)."},
    {CURLE_OK, "not yet valid", SMTP_CATEGORY_TLS, SMTP_BLAME_GATEWAY,
     "The relay's certificate is not valid yet: check this machine's clock."},
    {CURLE_OK,
     "does not match target host name|no alternative certificate subject name matches|hostname "
     "mismatch",
     SMTP_CATEGORY_TLS, SMTP_BLAME_GATEWAY,
     "The certificate is for another name: use the name that it has as the relay's host."},
    {CURLE_OK,
     "unable to get local issuer|self-signed certificate|self signed certificate|unable to get "
     "issuer",
     SMTP_CATEGORY_TLS, SMTP_BLAME_GATEWAY,
     "No trusted authority signed the relay's certificate: if it is your own CA's, name it with "
     "ca=/path.pem."},
    {CURLE_OK, "wrong version number|packet length too long|unknown protocol", SMTP_CATEGORY_TLS,
     SMTP_BLAME_GATEWAY,
     "The relay does not speak TLS from the first byte on this port: use smtp:// with STARTTLS "
     "(587)."},
    {CURLE_OK, "protocol version|unsupported protocol|no protocols available", SMTP_CATEGORY_TLS,
     SMTP_BLAME_GATEWAY, "The relay has no TLS of 1.2 or later."},
    {CURLE_COULDNT_RESOLVE_HOST, NULL, SMTP_CATEGORY_NETWORK, SMTP_BLAME_RELAY,
     "The relay's name can't be resolved: check its spelling, and this machine's DNS."},
    {CURLE_COULDNT_CONNECT, NULL, SMTP_CATEGORY_NETWORK, SMTP_BLAME_RELAY,
     "Nothing answers there: check host and port, and whether a firewall or the provider blocks "
     "the port."},
    {CURLE_OPERATION_TIMEDOUT, NULL, SMTP_CATEGORY_NETWORK, SMTP_BLAME_TIMEOUT,
     "The relay did not answer in time: a firewall may drop the packets, or the port expect the "
     "other TLS mode."},
    {CURLE_PEER_FAILED_VERIFICATION, NULL, SMTP_CATEGORY_TLS, SMTP_BLAME_GATEWAY,
     "The relay's certificate can't be trusted."},
    {CURLE_SSL_CONNECT_ERROR, NULL, SMTP_CATEGORY_TLS, SMTP_BLAME_GATEWAY,
     "TLS could not be set up: check the port's TLS mode (smtps:// or smtp:// with STARTTLS)."},
    {CURLE_SSL_CACERT_BADFILE, NULL, SMTP_CATEGORY_TLS, SMTP_BLAME_GATEWAY,
     "The file of ca= can't be read."},
    {CURLE_USE_SSL_FAILED, NULL, SMTP_CATEGORY_TLS, SMTP_BLAME_GATEWAY,
     "The relay does not offer STARTTLS here: try smtps:// on port 465; nothing is sent in clear."},
    {CURLE_READ_ERROR, NULL, SMTP_CATEGORY_AUTH, SMTP_BLAME_GATEWAY,
     "The file of token_file must hold the token, and this process be allowed to read it."},
    {CURLE_AUTH_ERROR, NULL, SMTP_CATEGORY_AUTH, SMTP_BLAME_GATEWAY,
     "The login could not be made with what this machine has: choose another mechanism (auth=)."},
    {CURLE_LOGIN_DENIED, NULL, SMTP_CATEGORY_AUTH, SMTP_BLAME_GATEWAY,
     "No login that the relay offers works with these credentials: check them, and the mechanism "
     "(auth=)."},
    {CURLE_FILE_COULDNT_READ_FILE, NULL, SMTP_CATEGORY_TEMPORARY, SMTP_BLAME_RELAY,
     "This gateway could not read the message back: look at the disk that it keeps large ones on."},
    {CURLE_OUT_OF_MEMORY, NULL, SMTP_CATEGORY_TEMPORARY, SMTP_BLAME_RELAY,
     "This gateway is out of memory."},
    {CURLE_WEIRD_SERVER_REPLY, NULL, SMTP_CATEGORY_PROTOCOL, SMTP_BLAME_RELAY,
     "What answers there does not speak SMTP, or not rightly."},
    {CURLE_SEND_ERROR, NULL, SMTP_CATEGORY_NETWORK, SMTP_BLAME_RELAY,
     "The relay closed the connection."},
    {CURLE_RECV_ERROR, NULL, SMTP_CATEGORY_NETWORK, SMTP_BLAME_RELAY,
     "The relay closed the connection."},
};

void smtp_classify_curl(smtp_stage stage, int curl_code, const char *error, const char *preset,
                        smtp_fault *out)
{
    const smtp_preset *p = preset ? smtp_preset_find(preset) : NULL;

    for (size_t i = 0; i < sizeof curl_rows / sizeof *curl_rows; i++) {
        bool code_fits = curl_rows[i].code == CURLE_OK || (int)curl_rows[i].code == curl_code;
        bool words_fit = !curl_rows[i].words || (error && any_of(curl_rows[i].words, error, false));
        if (code_fits && words_fit) {
            bool login = curl_code == CURLE_LOGIN_DENIED && p;
            set(out, stage, curl_rows[i].category, curl_rows[i].blame,
                login ? p->hint : curl_rows[i].hint);
            return;
        }
    }
    set(out, stage, SMTP_CATEGORY_NETWORK, SMTP_BLAME_RELAY, NULL);
}

/* ---- recipients that don't exist ---- */

static bool is_one_of(const char *const *list, size_t count, const char *s)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i], s) == 0)
            return true;
    }
    return false;
}

bool smtp_classify_gone(smtp_category category, const smtp_reply *reply)
{
    static const char *const codes[] = {"5.1.1", "5.1.6", "5.1.10", "5.2.1"};
    static const char *const vague[] = {"", "5.0.0", "5.1.0"};
    static const char *const words[] = {
        "user unknown",  "unknown user",    "no such user",      "does not exist",
        "doesn't exist", "no such mailbox", "mailbox not found", "recipient not found",
    };
    bool told = reply->code == 550 || reply->code == 551 || reply->code == 553;

    if (category != SMTP_CATEGORY_RECIPIENT || reply->code < 500)
        return false;
    if (is_one_of(codes, sizeof codes / sizeof *codes, reply->enhanced))
        return true;
    if (!told || !reply->text || !is_one_of(vague, sizeof vague / sizeof *vague, reply->enhanced))
        return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcasestr(reply->text, words[i]))
            return true;
    }
    return false;
}

void smtp_classify_reason(const smtp_reply *reply, char out[SMTP_REASON_MAX])
{
    enum { WORDS_MAX = 200 };
    const char *text = reply->text ? reply->text : "";
    size_t len = strcspn(text, "\n");

    if (len > WORDS_MAX) { /* never in the middle of a character */
        for (len = WORDS_MAX; len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80;)
            len--;
    }
    (void)snprintf(out, SMTP_REASON_MAX, "%d%s%s%s%.*s", reply->code, reply->enhanced[0] ? " " : "",
                   reply->enhanced, len > 0 ? " " : "", (int)len, text);
}
