/* The program holds these tables packed: see replies_unpack.c. */
#include "smtp/replies.h"

/* Where words were read. A provider's own page where it has one; where a page does not give them,
 * whoever published replies as received. */
enum source {
    OWN, /* by experience: nothing to cite */
    GOOGLE,
    MICROSOFT,
    EXCHANGE,
    HOTMAIL,
    HOTMAIL_DYNAMIC,
    HOTMAIL_RATE,
    TENCENT,
    NETEASE,
    ALIYUN,
    SINA,
    YAHOO,
    APPLE,
    YANDEX,
    MAILRU,
    RAMBLER,
    ZOHO,
    GMX,
    TONLINE,
    FORPSI,
    INTERIA,
    ORANGE,
    FREE,
    BLUEWIN,
    COMCAST,
    COX,
    SPECTRUM,
    ATT,
    GODADDY,
    FACEBOOK,
    PROTON,
    IMPROVMX,
    CLOUDFLARE,
    SES,
    SENDGRID,
    MAILGUN,
    BREVO,
    SMTP2GO,
    PLUNK,
    MIMECAST,
    PROOFPOINT,
    BARRACUDA,
    IRONPORT,
    SYMANTEC,
    TRENDMICRO,
    FIREEYE,
    CLOUDMARK,
    SPAMHAUS,
    RSPAMD,
    POSTFIX,
    EXIM,
    EXIM_PANELS,
    SENDMAIL,
    QMAIL,
    RECEIVED, /* bounces as they came */
    SOURCES
};

#define MANUAL "https://github.com/ActiveCampaign/smtp-field-manual"
#define EMAILS "https://github.com/sisimai/set-of-emails"
#define ZONE   "https://github.com/zone-eu/zone-mta/blob/master/config/bounces.txt"

const smtp_source_row smtp_sources[] = {
    [OWN] = {"", ""},
    [GOOGLE] = {"Gmail", "https://support.google.com/a/answer/3726730"},
    [MICROSOFT] =
        {"Microsoft 365, Outlook.com",
         "https://learn.microsoft.com/exchange/mail-flow-best-practices/"
         "non-delivery-reports-in-exchange-online/non-delivery-reports-in-exchange-online"},
    [EXCHANGE] = {"Exchange Online: who may write to whom",
                  "https://github.com/ActiveCampaign/smtp-field-manual/pull/99"},
    [HOTMAIL] = {"Hotmail, as Outlook.com was (SC, OU codes)",
                 "https://foxpa.ws/"
                 "e-mails-to-hotmail-bounce-550-sc-001-part-of-your-network-is-on-our-block-list"},
    [HOTMAIL_DYNAMIC] = {"Hotmail (DY codes), Zoho",
                         "http://intranoggin.com/Blog/April-2008/"
                         "HotMail-Delivery-Status-Notification-(Failure).aspx"},
    [HOTMAIL_RATE] = {"Hotmail (RP codes)", "https://pastebin.com/dW4JrGn7"},
    [TENCENT] = {"QQ Mail, Exmail", "https://service.mail.qq.com/detail/122"},
    [NETEASE] = {"NetEase 163, 126", "http://help.163.com/09/1224/17/5RAJ4LMH00753VB8.html"},
    [ALIYUN] = {"Aliyun Mail", "http://sh-aliyun.com/index.php/Products/detail/cid/0/pid/87.html"},
    [SINA] = {"Sina", "https://blog.sina.com.cn/s/blog_8dc13ec50101fxxr.html"},
    [YAHOO] = {"Yahoo, AOL", "https://senders.yahooinc.com/smtp-error-codes"},
    [APPLE] = {"iCloud", "https://support.apple.com/102322"},
    [YANDEX] = {"Yandex", MANUAL},
    [MAILRU] = {"Mail.ru", MANUAL},
    [RAMBLER] = {"Rambler", MANUAL},
    [ZOHO] = {"Zoho", "https://help.zoho.com/portal/en/community/topic/"
                      "unable-to-send-message-reason-550-5-4-6-unusual-sending-activity-detected"},
    [GMX] = {"GMX, WEB.DE, IONOS", "https://postmaster.gmx.com/en/error-messages"},
    [TONLINE] = {"T-Online", "https://postmaster.t-online.de/index.en.html"},
    [FORPSI] = {"Forpsi and other Czech hosters",
                "https://support.grhosting.cz/kb/a290/"
                "email-se-vratil-odesilateli-jako-nedorucitelny.aspx"},
    [INTERIA] = {"Interia", "https://pomoc.poczta.interia.pl/"
                            "news-dlaczego-wiadomosc-nie-zostala-dostarczona,nId,6589600"},
    [ORANGE] = {"Orange, La Poste", "https://smtpfieldmanual.com/provider/orange"},
    [FREE] = {"Free.fr", MANUAL},
    [BLUEWIN] = {"Bluewin", "https://github.com/hitobito/hitobito/issues/953"},
    [COMCAST] = {"Comcast", "http://postmaster.comcast.net/smtp-error-codes.php"},
    [COX] = {"Cox", "https://www.cox.com/residential/support/email-error-codes.html"},
    [SPECTRUM] = {"Spectrum (Charter)",
                  "https://www.spectrum.net/support/internet/understanding-email-error-codes"},
    [ATT] = {"AT&T", ZONE},
    [GODADDY] = {"GoDaddy", EMAILS},
    [FACEBOOK] = {"Facebook", "http://postmaster.facebook.com/response_codes"},
    [PROTON] = {"Proton", MANUAL},
    [IMPROVMX] = {"ImprovMX", MANUAL},
    [CLOUDFLARE] = {"Cloudflare Email Routing",
                    "https://developers.cloudflare.com/email-routing/postmaster"},
    [SES] = {"Amazon SES", "https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-smtp.html"},
    [SENDGRID] = {"SendGrid", "https://github.com/mautic/mautic/issues/8721"},
    [MAILGUN] = {"Mailgun", "https://github.com/Monstarrrr/rebutify/issues/162"},
    [BREVO] = {"Brevo", "https://github.com/WPManageNinja/fluent-smtp/issues/157"},
    [SMTP2GO] = {"SMTP2GO", "https://github.com/PHPMailer/PHPMailer/issues/2683"},
    [PLUNK] = {"Plunk, Postal", "https://github.com/useplunk/plunk/issues/164"},
    [MIMECAST] = {"Mimecast", "https://community.mimecast.com/s/article/"
                              "email-security-cloud-gateway-mimecast-smtp-error-codes"},
    [PROOFPOINT] = {"Proofpoint", MANUAL},
    [BARRACUDA] = {"Barracuda", MANUAL},
    [IRONPORT] = {"Cisco IronPort", ZONE},
    [SYMANTEC] = {"Symantec Email Security.cloud (MessageLabs)", MANUAL},
    [TRENDMICRO] = {"Trend Micro", MANUAL},
    [FIREEYE] = {"FireEye", MANUAL},
    [CLOUDMARK] = {"Cloudmark", ZONE},
    [SPAMHAUS] = {"Spamhaus and other blocklists", ZONE},
    [RSPAMD] = {"Rspamd, SpamAssassin, Amavis", "https://rspamd.com/doc/modules/greylisting.html"},
    [POSTFIX] = {"Postfix", "https://www.postfix.org/postconf.5.html"},
    [EXIM] =
        {"Exim",
         "https://www.exim.org/exim-html-current/doc/html/spec_html/ch-access_control_lists.html"},
    [EXIM_PANELS] = {"Exim as hosting panels set it up",
                     "https://github.com/zone-eu/zone-mta/issues/162"},
    [SENDMAIL] = {"Sendmail", EMAILS},
    [QMAIL] = {"qmail", ZONE},
    [RECEIVED] = {"others, as received", EMAILS},
};
const size_t smtp_source_count = SOURCES;

#define AT(stage) (1u << SMTP_STAGE_##stage)
#define OPENING   (AT(GREETING) | AT(EHLO) | AT(STARTTLS))
#define ENVELOPE  (AT(MAIL) | AT(RCPT) | AT(DATA))
#define MESSAGE   (AT(DATA) | AT(BODY))
#define ANY       (~0u)

#define C(cause)     SMTP_CAUSE_##cause, SMTP_TURN_CODE
#define LATER(cause) SMTP_CAUSE_##cause, SMTP_TURN_LATER
#define NEVER(cause) SMTP_CAUSE_##cause, SMTP_TURN_NEVER

/* A provider's or server's words, at any stage and relay, in a reply of 4yz or 5yz. */
#define W(cause, source, words)                                                                    \
    {                                                                                              \
        ANY, 400, 599, cause, false, source, NULL, words, NULL                                     \
    }
#define WH(cause, source, words, hint)                                                             \
    {                                                                                              \
        ANY, 400, 599, cause, false, source, NULL, words, hint                                     \
    }

/* ---- hints that several share ---- */

#define M365_BASIC                                                                                 \
    "SMTP AUTH is switched off for this tenant or mailbox, or basic authentication has ended: "    \
    "use XOAUTH2 with token_file, or have an administrator allow authenticated SMTP."
#define APP_PASSWORD                                                                               \
    "Log in with the full address and an app password (it needs 2-step verification), not with "   \
    "the account's password, or use XOAUTH2."
#define LOGIN_FIRST                                                                                \
    "The relay wants a login before mail: put user and password into the relay's URL."
#define LOGIN_PAUSE                                                                                \
    "The relay refuses logins for a while after wrong or too many ones: check user and password, " \
    "and try again later."
#define FEWER_SESSIONS                                                                             \
    "The relay allows fewer sessions: lower sessions= in its URL, or try again later."
#define FEWER_RECIPIENTS                                                                           \
    "The relay takes fewer recipients at once: send the message to the others again."
#define POPULAR                                                                                    \
    "The mailbox gets more mail than its provider allows at once: try again in some hours."
#define WARM                                                                                       \
    "The relay's trust in this address is low: send slower, only to people who asked for it, and " \
    "let it grow over weeks."
#define MICROSOFT_DELIST                                                                           \
    "Microsoft has banned the sending address: ask at https://sender.office.com/ to have it "      \
    "taken off, or send over another relay."
#define OUTLOOK_BLOCK                                                                              \
    "Outlook.com blocks the sending address or its network: ask for mitigation at "                \
    "https://olcsupport.office.com/, or send over another relay."
#define TENANT_BANNED                                                                              \
    "Microsoft has stopped this tenant's sending after suspicious mail or while it is new: an "    \
    "administrator has to secure it and ask Microsoft's support."
#define ACCOUNT_BANNED                                                                             \
    "The provider has stopped this account's sending after suspicious mail: secure it, then ask "  \
    "an administrator or its support to open it again."
#define MEMBERS_ONLY                                                                               \
    "The recipient takes mail of its own organisation or of listed senders only: its "             \
    "administrator would have to allow this sender."
#define RECIPIENTS_RULE                                                                            \
    "The recipient, or a rule of its organisation, blocks this sender: only they can allow it."
#define VERIFY_SENDER "Verify the From address or its domain in the provider's console first."
#define ACTIVATE                                                                                   \
    "The account at this provider is not activated or may not send yet: finish its activation in " \
    "the provider's console."
#define FORBIDDEN_FILE                                                                             \
    "The message has an attachment of a kind that is forbidden: send a link, or another format."
#define VIRUS "A scanner found a virus in the message: scan the attachments."
#define BAD_HEADER                                                                                 \
    "The message's header is not as RFC 5322 wants it: one From with a valid address, and no "     \
    "field twice."
#define FROM_MATCHES                                                                               \
    "The envelope's sender and the From header must be the same address, the login's."
#define DYNAMIC                                                                                    \
    "The sending address is a home or dynamic one, from which mail is not taken: send over a "     \
    "relay."
#define STRANGER                                                                                   \
    "This provider takes mail only from addresses that it knows: ask its postmaster to admit "     \
    "yours, or send over a relay."
#define TLS_FIRST "The relay wants STARTTLS first: leave out tls=none."
#define BAD_LINKS                                                                                  \
    "A link in the message leads to a domain that is on a blocklist: take it out, or have the "    \
    "domain taken off."

static const smtp_pattern first[] = {
    /* ---- Gmail ---- */
    W(C(SPF), GOOGLE, "the spf record of the sending domain"),
    W(C(UNAUTHENTICATED), GOOGLE, "authenticate with either spf or dkim"),
    W(C(SPF), GOOGLE, "an spf record with a hard fail policy"),
    W(C(DMARC), GOOGLE, "is not accepted due to domain's dmarc policy"),
    W(C(UNAUTHENTICATED), GOOGLE,
      "this message does not have authentication information|fails to pass authentication checks"),
    W(C(SPF), GOOGLE,
      "senders to authenticate their email with spf|senders to authenticate with spf"),
    W(C(DKIM), GOOGLE,
      "senders to authenticate their email with dkim|senders to authenticate with dkim"),
    WH(C(DMARC), GOOGLE, "aligned with either the authenticated spf or dkim",
       "SPF or DKIM pass, but for another domain than From's: sign with DKIM as the domain of the "
       "From address."),
    WH(C(TLS), GOOGLE, "senders to use tls/ssl for smtp",
       "Gmail wants TLS on the way from bulk senders: have the relay use TLS when it passes mail "
       "on."),
    W(C(DOMAIN_REPUTATION), GOOGLE, "very low reputation of the sending domain"),
    WH(C(IP_REPUTATION), GOOGLE, "very low reputation of the sending ip", WARM),
    WH(C(RATE), GOOGLE, "an unusual rate of unsolicited mail|an unusual rate of mail", WARM),
    WH(C(RATE), GOOGLE, "sending messages with the same message-id",
       "One Message-ID went out too often: send each message once, with its own."),
    WH(C(POLICY), GOOGLE, "ip not in whitelist for rcpt domain",
       "The recipient's domain takes mail only from addresses on its own list: ask its "
       "administrator."),
    W(C(HELO), GOOGLE, "helo/ehlo argument"),
    W(C(MAILBOX_FULL), GOOGLE,
      "inbox is out of storage space|that you tried to reach is over quota"),
    WH(C(RATE), GOOGLE,
       "is receiving mail too quickly|rate that prevents additional messages from being delivered",
       POPULAR),
    W(C(RATE), GOOGLE, "peak smtp relay limit exceeded"),
    W(C(QUOTA), GOOGLE,
      "daily user sending limit exceeded|daily sending quota exceeded|daily smtp relay limit "
      "exceeded|daily smtp relay sending limit exceeded"),
    W(C(MAILBOX_DISABLED), GOOGLE,
      "account that you tried to reach is disabled|account that you tried to reach is inactive"),
    W(C(UNKNOWN_USER), GOOGLE, "account that you tried to reach does not exist"),
    WH(C(ATTACHMENT), GOOGLE,
       "illegal attachment on your message|its content presents a potential security issue",
       FORBIDDEN_FILE),
    WH(C(SIZE), GOOGLE, "bytes per individual header size",
       "A header field is longer than Gmail takes: shorten it, often the list of recipients."),
    W(C(SIZE), GOOGLE, "exceeded google's message size limits|exceeds google's message size limit"),
    WH(C(RELAYING), GOOGLE, "mail relay denied|invalid credentials for relay",
       "The Workspace relay does not know this sender: register this machine's address in its SMTP "
       "relay settings, or log in."),
    WH(C(IP_REPUTATION), GOOGLE, "is not authorized to send email directly to our servers",
       DYNAMIC),
    WH(C(MALFORMED), GOOGLE,
       "missing a valid address in from: header|multiple addresses in from: header are not "
       "accepted|is not rfc 5322 compliant|missing a valid message-id: header",
       BAD_HEADER),
    WH(C(RECIPIENT_REFUSED), GOOGLE, "you are sending to (or from) has a policy that prohibited",
       RECIPIENTS_RULE),
    WH(C(ACCOUNT), GOOGLE, "mail sending denied", ACCOUNT_BANNED),
    W(C(PTR), GOOGLE,
      "does not have a ptr record|doesn't have a ptr record|ipv6 sending guidelines"),
    WH(C(AUTH), GOOGLE, "too many login attempts, please try again later", LOGIN_PAUSE),
    WH(C(AUTH), GOOGLE,
       "application-specific password required|please log in with your web browser|please log in "
       "through your web browser",
       APP_PASSWORD),
    W(C(SPAM), GOOGLE,
      "due to the nature of the content|that this message is likely unsolicited mail"),
    W(C(LOOP), GOOGLE, "message exceeded 50 hops"),
    WH(C(RECIPIENT_REFUSED), GOOGLE, "is not a valid rfc",
       "Gmail finds the recipient's address malformed: check its spelling."),

    /* ---- Microsoft 365, Outlook.com, Exchange ---- */
    WH(C(AUTH), MICROSOFT,
       "smtpclientauthentication is disabled|basic authentication is not supported|basic "
       "authentication is disabled",
       M365_BASIC),
    WH(C(AUTH), MICROSOFT,
       "client was not authenticated to send anonymous mail|client not authenticated to send",
       LOGIN_FIRST),
    W(C(SENDER_NOT_ALLOWED), MICROSOFT,
      "sendasdenied|client does not have permissions to send as this sender|not allowed to send "
      "as"),
    WH(C(IP_REPUTATION), MICROSOFT, "part of their network is on our block list", OUTLOOK_BLOCK),
    WH(C(IP_REPUTATION), MICROSOFT, "temporarily rate limited due to ip reputation", OUTLOOK_BLOCK),
    WH(C(IP_REPUTATION), MICROSOFT, "access denied, banned sending ip|access denied, banned sender",
       MICROSOFT_DELIST),
    WH(C(IP_REPUTATION), MICROSOFT,
       "access denied, rejected by recipient|using customer block list",
       "The recipient's organisation has blocked the sending address itself: ask its "
       "administrator."),
    W(C(DOMAIN_REPUTATION), MICROSOFT,
      "mailfrom domain is listed in spamhaus|helo domain is listed in spamhaus"),
    WH(C(RATE), MICROSOFT, "server busy. please try again later from",
       "Microsoft slows down this sending address for now: send slower, and try again later."),
    W(C(BUSY), MICROSOFT,
      "temporary server error. please try again later|message failed to be replicated|pfa agent "
      "busy"),
    WH(C(UNAUTHENTICATED), MICROSOFT,
       "must pass either spf or dkim validation|does not meet the required authentication level",
       "Outlook.com wants SPF, DKIM and DMARC to pass for the From domain: publish the records, "
       "and sign as that domain."),
    W(C(DMARC), MICROSOFT, "does not pass dmarc verification"),
    W(C(SPF), MICROSOFT, "because of sender policy framework violation"),
    W(C(PTR), MICROSOFT, "must have a reverse dns record"),
    W(C(HELO), MICROSOFT, "access denied, bad helo"),
    WH(C(POLICY), MICROSOFT, "does not accept email over ipv6",
       "The recipient's domain takes no mail over IPv6: send over IPv4 or a relay."),
    WH(C(MALFORMED), MICROSOFT, "must be rfc 5322 section 3.6.2 compliant", BAD_HEADER),
    WH(C(ACCOUNT), MICROSOFT, "access denied, bad outbound sender|spam abuse detected",
       ACCOUNT_BANNED),
    WH(C(ACCOUNT), MICROSOFT,
       "tenant has exceeded threshold|traffic not accepted from this ip|sending from unregistered "
       "domains",
       TENANT_BANNED),
    W(C(QUOTA), MICROSOFT,
      "you've reached your daily limit for message recipients|submission quota exceeded|has "
      "exceeded permitted limits within"),
    WH(C(RATE), MICROSOFT,
       "recipient has exceeded their limit for|per hour message receive limit|exceeded the limit "
       "for the number of messages they can send to this recipient",
       POPULAR),
    W(C(RATE), MICROSOFT, "organization queue quota exceeded"),
    WH(C(RATE), MICROSOFT, "maximum number of concurrent connections", FEWER_SESSIONS),
    WH(C(RECIPIENT_REFUSED), MICROSOFT,
       "sender not in allowed-senders list|sender not authenticated for group|sender was not "
       "authenticated|resolver.rst.authrequired",
       MEMBERS_ONLY),
    /* With another enhanced code these are Postfix's words for its operator's own lists. */
    {ANY, 400, 599, C(UNKNOWN_USER), false, MICROSOFT, "5.4.1",
     "recipient address rejected: access denied|all recipient addresses rejected : access denied",
     "The recipient's organisation knows no such mailbox, or not this domain: check the address."},
    W(C(UNKNOWN_USER), MICROSOFT,
      "resolver.adr.recip|unknown recipient or mailbox unavailable|recipient not found by smtp "
      "address lookup"),
    W(C(MAILBOX_FULL), MICROSOFT, "storedrv.deliver: mailbox full"),
    W(C(SIZE), MICROSOFT, "recipsizelimit"),
    W(C(RELAYING), MICROSOFT, "tenantattribution; relay access denied|unable to relay"),
    WH(C(TLS), MICROSOFT, "starttls is required to send mail|must support tls to receive mail",
       "The recipient's server does not do TLS, and the relay insists on it: tell its operator."),
    W(C(LOOP), MICROSOFT, "hop count exceeded"),
    WH(C(MALFORMED), MICROSOFT, "invalid message content",
       "The message has characters that the relay does not take, such as bare line feeds."),
    WH(C(RECIPIENT_REFUSED), EXCHANGE,
       "resolver.rst.sendernotauthenticated|resolver.rst.restrictedto", MEMBERS_ONLY),
    WH(C(RECIPIENT_REFUSED), EXCHANGE, "transport.rules.rejectmessage", RECIPIENTS_RULE),
    WH(C(IP_REPUTATION), HOTMAIL_DYNAMIC,
       "hotmail does not relay dynamically-assigned|do not accept email from dynamic ip's",
       DYNAMIC),
    WH(C(RATE), HOTMAIL_RATE, "unfortunately, some messages from",
       "Outlook.com limits the mails of this address by hour and by day: send slower, and try "
       "again "
       "later."),
    WH(C(IP_REPUTATION), HOTMAIL,
       "rejected by hotmail for policy reasons|rejected by windows live hotmail for policy|ou-001",
       OUTLOOK_BLOCK),

    /* ---- QQ Mail, Tencent Exmail ---- */
    WH(C(AUTH), TENCENT, "please enter your authorization code to login", SMTP_PRESET_HINT),
    W(C(SPF), TENCENT, "spf check failed"),
    W(C(DMARC), TENCENT, "dmarc check failed"),
    WH(C(RATE), TENCENT,
       "ip frequency limited|domain frequency limited|sender frequency limited|connection "
       "frequency limited",
       "QQ limits mails by minute, hour and day for each address, domain and sender: pause, then "
       "send slower."),
    WH(C(RATE), TENCENT, "mailbox unavailable or access denied", POPULAR),
    WH(C(IP_REPUTATION), TENCENT, "suspected bounce attacks|suspected spam ip|connection denied",
       NULL),
    W(C(SPAM), TENCENT, "mail content denied|spam is embedded in the email|suspected spam"),
    WH(C(RECIPIENT_REFUSED), TENCENT, "mail is rejected by recipients", RECIPIENTS_RULE),
    WH(C(RECIPIENT_REFUSED), TENCENT, "bad address syntax",
       "The relay finds an address malformed: check its spelling."),
    W(C(SENDER_NOT_ALLOWED), TENCENT, "mail from address must be same as authorization user"),
    WH(C(AUTH), TENCENT, "need ehlo and auth first", LOGIN_FIRST),

    /* ---- NetEase: 163, 126, yeah.net ---- */
    W(C(SENDER_NOT_ALLOWED), NETEASE, "mail from must equal authorized user"),
    WH(C(IP_REPUTATION), NETEASE, "hl:rep",
       "Too many recipients of this sending address do not exist: clean the list, and try again "
       "later."),
    WH(C(RATE), NETEASE, "hl:icc", FEWER_SESSIONS),
    W(C(RATE), NETEASE, "hl:ifc|mi:sfq|rp:qrc"),
    WH(C(DOMAIN_REPUTATION), NETEASE, "hl:mep",
       "Mail from this address bore forged sender domains: send only as domains of your own."),
    WH(C(IP_REPUTATION), NETEASE, "hl:ipb|wm:bli|ip in blacklist|hl:ihu", STRANGER),
    WH(C(SENDER_REFUSED), NETEASE, "mi:spb|wm:blu|user in blacklist",
       "NetEase does not let this sender write to its users: ask its postmaster."),
    W(C(IP_REPUTATION), NETEASE, "dt:rbl"),
    WH(C(PROTOCOL), NETEASE, "mi:cel|mi:ccl|rp:cel|rp:ccl",
       "The relay counts too many commands or wrong ones in a session: lower sessions=, and check "
       "what else sends over this login."),
    WH(C(RATE), NETEASE, "mi:dmc|rp:drc",
       "Too many mails or recipients went over one session: send slower."),
    W(C(SPAM), NETEASE, "dt:spm"),
    WH(C(SENDER_NOT_ALLOWED), NETEASE, "dt:sum", FROM_MATCHES),
    W(C(SPF), NETEASE, "mi:spf"),
    W(C(DMARC), NETEASE, "mi:dma"),
    W(C(QUOTA), NETEASE, "mi:stc|rp:trc"),
    WH(C(RATE), NETEASE, "rp:rcl|not taken: too much recipient", FEWER_RECIPIENTS),
    W(C(HELO), NETEASE, "mi:nhd"),
    WH(C(SENDER_REFUSED), NETEASE, "mi:imf", "The relay finds the sender's address malformed."),
    W(C(RELAYING), NETEASE, "rp:frl"),
    W(C(UNKNOWN_USER), NETEASE, "invalid user"),
    W(C(MAILBOX_DISABLED), NETEASE, "user suspended"),
    WH(C(ATTACHMENT), NETEASE, "illegal attachment", FORBIDDEN_FILE),
    W(C(SIZE), NETEASE, "exceeded mailsize limit"),
    WH(C(AUTH), NETEASE, "too much fail authentication|smtp auth error limit exceed", LOGIN_PAUSE),
    WH(C(SENDER_REFUSED), NETEASE, "null sender is not allowed",
       "The relay does not take mail without an envelope sender: set envelope_from."),
    W(C(SENDER_NOT_ALLOWED), NETEASE, "local user only"),
    WH(C(SENDER_NOT_ALLOWED), NETEASE, "no smtp mx only",
       "Mail of the provider's own users must go over its SMTP relay with a login, not to its MX."),
    WH(C(AUTH), NETEASE, "authentication is required", LOGIN_FIRST),

    /* ---- Aliyun, Sina ---- */
    W(C(SENDER_NOT_ALLOWED), ALIYUN,
      "mail from account doesn't conform with authentication|is non-local account"),
    WH(C(SENDER_NOT_ALLOWED), ALIYUN, "mailfrom account is a local account",
       "Mail of the provider's own users must go over its SMTP relay with a login, not to its MX."),
    WH(C(RATE), ALIYUN,
       "number of rcpt attempts is achieved the maximum|total of rcpts is achieved the maximum",
       "The account sent to too many recipients, or too many wrong ones: send less, and try again "
       "tomorrow."),
    W(C(SIZE), ALIYUN,
      "length of data content is achieved the maximum|length of attach is achieved the "
      "maximum|number of attachments is achieved the maximum"),
    WH(C(ACCOUNT), ALIYUN, "account isn't allowed to send email", ACCOUNT_BANNED),
    W(C(RECIPIENT_REFUSED), ALIYUN, "account isn't allowed to receive email"),
    WH(C(IP_REPUTATION), ALIYUN, "reject by behaviour spam",
       "The way this sender behaves looks like spam: send slower, only to addresses that exist, "
       "and look the address up on blocklists."),
    W(C(SPAM), ALIYUN, "reject by content spam|spamed by local spam engine"),
    W(C(SPAM), SINA, "message rejected by anti-spam engine"),
    W(C(RATE), SINA, "too many same size mails"),

    /* ---- Yahoo, AOL ---- */
    WH(C(IP_REPUTATION), YAHOO,
       "[tss04]|temporarily deferred due to user complaints|temporarily deferred due to unexpected "
       "volume|temporarily deferred - 4.16.",
       "Yahoo holds mail of this address back after complaints or sudden volume: send slower, and "
       "only to people who asked for it."),
    WH(C(IP_REPUTATION), YAHOO, "permanently deferred",
       "Yahoo takes nothing from this address any more: ask its postmaster, or send over another "
       "relay."),
    WH(C(POLICY), YAHOO, "not accepted for policy reasons",
       "Yahoo refuses this for its policy: often links or content that look like phishing, or "
       "DMARC that fails."),
    W(C(IP_REPUTATION), YAHOO, "because the ip is in spamhaus's list|ip addresses on spamhaus xbl"),
    W(C(SENDER_DOMAIN), YAHOO, "due to unresolvable rfc.5321"),
    W(C(MAILBOX_DISABLED), YAHOO,
      "this mailbox is disabled|is no longer valid|account has been disabled or discontinued"),
    W(C(UNKNOWN_USER), YAHOO, "dd this user doesn't have a|dd not a valid recipient"),
    WH(C(MALFORMED), YAHOO, "headers are not rfc compliant", BAD_HEADER),
    W(C(RATE), YAHOO, "max message per connection reached"),

    /* ---- iCloud ---- */
    W(C(DMARC), APPLE, "your message was rejected due to"),
    W(C(UNAUTHENTICATED), APPLE, "blocked for failing both spf and dkim"),
    WH(C(POLICY), APPLE, "[cs01] message rejected due to local policy",
       "iCloud's filter refuses this message or its sender: look at content, links and the "
       "sender's reputation."),
    W(C(DOMAIN_REPUTATION), APPLE, "domain present in the spamhaus dbl"),
    W(C(IP_REPUTATION), APPLE, "was rejected due to listing in spamhaus"),
    W(C(RATE), APPLE, "deferred due to excessive volume"),
    W(C(MAILBOX_DISABLED), APPLE, "inactive email address|recipient no longer on server"),
    W(C(UNKNOWN_USER), APPLE, "unknown or illegal alias"),
    W(C(IP_REPUTATION), APPLE, "esmtp not accepting connections"),

    /* ---- Yandex, Mail.ru, Rambler ---- */
    W(C(SPAM), YANDEX, "message rejected under suspicion of spam"),
    WH(C(RECIPIENT_REFUSED), YANDEX, "policy rejection on the target address", RECIPIENTS_RULE),
    WH(C(RATE), YANDEX, "recipient has exceeded message rate limit", POPULAR),
    W(C(MAILBOX_FULL), YANDEX, "mailbox size limit exceeded"),
    W(C(BUSY), YANDEX, "the service is currently unavailable. please come back later"),
    W(C(MAILBOX_DISABLED), MAILRU, "is unavailable: account is disabled"),
    W(C(UNKNOWN_USER), MAILRU, "message was not accepted -- invalid mailbox"),
    W(C(SPAM), MAILRU, "spam message rejected"),
    W(C(DMARC), MAILRU, "owner dmarc policy"),
    W(C(MAILBOX_DISABLED), RAMBLER,
      "recipient address rejected: inactive|recipient address rejected: blocked"),

    /* ---- Zoho ---- */
    WH(C(QUOTA), ZOHO, "unusual sending activity detected",
       "Zoho has paused this account's sending to outside: open it again at "
       "https://mail.zoho.com/UnblockMe, and send less at once."),
    WH(C(ACCOUNT), ZOHO, "sender address blocked", ACCOUNT_BANNED),
    WH(C(RECIPIENT_REFUSED), ZOHO,
       "mailbox delivery restricted by policy|mail rejected by destination domain|mailpolicy "
       "violation|mailbox delivery failure policy",
       RECIPIENTS_RULE),
    W(C(SPAM), ZOHO, "email flagged as spam"),
    WH(C(ATTACHMENT), ZOHO, "detected by zoho mail", VIRUS),
    W(C(DMARC), ZOHO, "email rejected per dmarc policy"),
    W(C(SENDER_NOT_ALLOWED), ZOHO, "relaying disallowed as"),

    /* ---- Germany ---- */
    W(C(PTR), GMX, "bad dns ptr resource record"),
    W(C(IP_REPUTATION), GMX, "ip address is block listed|ip address is black listed"),
    WH(C(POLICY), GMX, "reject due to policy restrictions",
       "The relay's filter refuses this message or its sender: look at content, links and the "
       "sender's reputation."),
    W(C(SPF), GMX, "reject due to spf policy"),
    W(C(MAILBOX_FULL), GMX, "exceeded storage allocation"),
    WH(C(IP_REPUTATION), TONLINE, "a problem occurred. (ask your postmaster", STRANGER),
    W(C(SPAM), TONLINE,
      "message considered as spam or virus|rejected due to spam or virus classification"),

    /* ---- Central and southern Europe ---- */
    W(C(SPF), FORPSI, "blocked by spf"),
    W(C(SENDER_REFUSED), FORPSI, "sender is blacklisted"),
    W(C(MAILBOX_FULL), FORPSI, "final recipient mailbox is full"),
    WH(C(RECIPIENT_REFUSED), INTERIA, "recipient doesn't want your mail", RECIPIENTS_RULE),
    W(C(SPF), INTERIA, "[spf]"),
    W(C(IP_REPUTATION), BLUEWIN, "ip reputation ratelimit in effect"),

    /* ---- Orange, La Poste (OFR, LPN codes), Free ---- */
    WH(C(RATE), ORANGE, "trop de connexions", FEWER_SESSIONS),
    W(C(IP_REPUTATION), ORANGE, "bloquee pour incident de spam|ofr006_102"),
    W(C(SENDER_REFUSED), ORANGE, "emetteur invalide"),
    W(C(UNKNOWN_USER), ORANGE,
      "adresse d au moins un destinataire invalide|adresse destinataire invalide"),
    W(C(MAILBOX_FULL), ORANGE, "boite du destinataire pleine"),
    W(C(MAILBOX_DISABLED), ORANGE,
      "boite du destinataire archivee|le compte du destinataire est bloque"),
    W(C(SPAM), ORANGE, "mail rejete"),
    WH(LATER(BUSY), ORANGE, "veuillez essayer plus tard",
       "The relay does not take mail from here now: send slower, and try again later."),
    W(C(IP_REPUTATION), ORANGE, "lpn000_630"),
    W(C(MAILBOX_DISABLED), FREE, "mailbox has been blocked due to inactivity"),
    W(C(MAILBOX_FULL), FREE, "user quota exceeded|quota exceeded (mailbox for user is full)"),
    WH(C(ATTACHMENT), FREE, "virus detected", VIRUS),

    /* ---- North America ---- */
    W(C(IP_REPUTATION), COMCAST, "found on one or more dnsbls|comcast block for spam"),
    W(C(DMARC), COMCAST, "message rejected due to dmarc"),
    W(C(UNKNOWN_USER), COMCAST, "not our customer|recipient mailbox unallocated"),
    WH(C(RATE), COMCAST, "too many recent messages", POPULAR),
    W(C(MAILBOX_FULL), COMCAST, "extended quota violation|user over quota"),
    W(C(IP_REPUTATION), COX, "aup#cdrbl"),
    WH(C(SENDER_REFUSED), SPECTRUM, "aup#in-",
       "Spectrum refuses this sender's address: see its page for the AUP# code, and the sender's "
       "domain and reputation."),
    W(C(IP_REPUTATION), ATT, "dnsbl:attrbl|dnsbl:rbl|_is_blocked"),
    W(C(PTR), ATT, "fix reverse dns for"),
    W(C(UNKNOWN_USER), ATT, "addressee unknown|invalid address, relay="),
    W(C(RATE), GODADDY, "has sent to too many recipients this hour"),
    W(C(SPF), GODADDY, "per it's spf record"),
    WH(C(RECIPIENT_REFUSED), FACEBOOK, "refused due to recipient preferences", RECIPIENTS_RULE),

    /* ---- forwarders ---- */
    W(C(SPAM), PROTON, "rejected by spam filter"),
    W(C(SPAM), IMPROVMX, "message considered as spam"),
    W(C(LOOP), IMPROVMX, "loop detected: email is sent and forwarded"),
    WH(C(BUSY), CLOUDFLARE, "upstream error, please check https://developers.cloudflare.com",
       "The forwarder could not pass the message on to the mailbox behind it; try again later."),

    /* ---- sending services ---- */
    WH(C(SENDER_NOT_ALLOWED), SES, "email address is not verified", VERIFY_SENDER),
    W(C(RATE), SES, "maximum sending rate exceeded"),
    W(C(QUOTA), SES, "daily message quota exceeded"),
    WH(NEVER(ACCOUNT), SENDGRID, "maximum credits exceeded",
       "The account's credits are used up: wait for the next period, or buy more."),
    WH(C(SENDER_NOT_ALLOWED), SENDGRID, "does not match a verified sender identity", VERIFY_SENDER),
    WH(C(AUTH), SENDGRID, "unauthenticated senders not allowed", LOGIN_FIRST),
    WH(NEVER(ACCOUNT), MAILGUN, "please activate your mailgun account", ACTIVATE),
    WH(C(ACCOUNT), BREVO, "smtp account is not yet activated", ACTIVATE),
    WH(C(SENDER_NOT_ALLOWED), SMTP2GO, "sender domain not verified", VERIFY_SENDER),
    WH(C(ACCOUNT), SMTP2GO, "that ip address is not allowed to send",
       "The account takes logins from listed addresses only: add this machine's in the provider's "
       "console."),
    WH(C(SENDER_NOT_ALLOWED), PLUNK,
       "this domain is not associated with your account|from/sender name is not valid|sending from "
       "domain",
       VERIFY_SENDER),

    /* ---- filters ---- */
    W(C(SPF), MIMECAST, "spf sender invalid - envelope rejected"),
    W(C(DKIM), MIMECAST, "dkim sender invalid - envelope rejected"),
    W(C(DMARC), MIMECAST, "dmarc sender invalid - envelope rejected"),
    W(C(GREYLIST), MIMECAST,
      "internal resource temporarily unavailable|internal resources are temporarily unavailable"),
    W(C(IP_REPUTATION), MIMECAST,
      "csi.mimecast.org|local ct ip reputation|ip temporarily blacklisted"),
    W(C(RELAYING), MIMECAST, "open relay not allowed|open relay is not allowed"),
    WH(C(SENDER_REFUSED), MIMECAST, "anti-spoofing policy",
       "The recipient's filter takes the sender for a forgery of its own domain: its administrator "
       "must allow this relay."),
    WH(C(RECIPIENT_REFUSED), MIMECAST,
       "administrative prohibition - envelope blocked|envelope blocked - user|header based "
       "manually blocked senders",
       RECIPIENTS_RULE),
    WH(C(IP_REPUTATION), MIMECAST, "host network not allowed",
       "The recipient's filter takes no mail from this country or network: ask its administrator."),
    W(C(SPAM), MIMECAST, "email rejected due to security policies"),
    W(C(MESSAGE_REFUSED), MIMECAST, "due to content examination policy"),
    W(C(SIZE), MIMECAST, "maximum email size exceeded"),
    WH(C(TLS), MIMECAST, "this route requires encryption (tls)|this route requires tls version",
       "The recipient's filter takes mail over TLS only: have the relay use it."),
    WH(C(IP_REPUTATION), PROOFPOINT,
       "ipcheck.proofpoint.com|support.proofpoint.com/dnsbl-lookup|blocked using "
       "prs.proofpoint.com",
       "Proofpoint blocks the sending address: ask at https://ipcheck.proofpoint.com/ to have it "
       "taken off."),
    W(C(DMARC), PROOFPOINT, "email rejected per sender's dmarc policy"),
    W(C(GREYLIST), PROOFPOINT, "address verification in progress"),
    W(C(IP_REPUTATION), BARRACUDA, "barracudacentral.org|barracuda reputation"),
    W(C(SPAM), BARRACUDA, "message content rejected, ube|rejected due to spam url in content"),
    WH(C(ATTACHMENT), BARRACUDA, "rejecting banned content", FORBIDDEN_FILE),
    W(C(SENDER_REFUSED), BARRACUDA, "rejecting spoofed message"),
    WH(C(RECIPIENT_REFUSED), BARRACUDA, "permanent failure for one or more recipients",
       RECIPIENTS_RULE),
    W(C(IP_REPUTATION), IRONPORT,
      "rejected due to the sending mta's poor reputation|your access to submit messages to this "
      "e-mail system has been rejected"),
    W(C(DOMAIN_REPUTATION), IRONPORT,
      "due to poor reputation of a domain used in message transfer"),
    W(C(UNKNOWN_USER), IRONPORT, "#5.1.0 address rejected"),
    W(C(RELAYING), SYMANTEC, "you are trying to use me"),
    W(C(SPAM), SYMANTEC, "message filtered. refer to the troubleshooting"),
    W(C(AUTH), SYMANTEC, "please turn on smtp authentication in your mail client"),
    W(C(IP_REPUTATION), TRENDMICRO, "trend micro rbl+|trend micro email reputation"),
    WH(C(RECIPIENT_REFUSED), TRENDMICRO, "ers-customized-block|block-send-er|block-rcpt",
       RECIPIENTS_RULE),
    W(C(UNKNOWN_USER), TRENDMICRO, "recipient address rejected: invalid-recipient"),
    W(C(DMARC), FIREEYE, "etp205 dmarc failure"),
    W(C(IP_REPUTATION), FIREEYE, "is listed by invaluement"),
    W(C(IP_REPUTATION), CLOUDMARK, "csi.cloudmark.com|cloudmark sender intelligence"),
    W(C(SPAM), RSPAMD, "reject, id="),
    W(C(SPAM), RSPAMD, "blocked by spamassassin"),
    W(C(SPAM), RSPAMD, "spam detected"),

    /* ---- blocklists ---- */
    WH(C(DOMAIN_REPUTATION), SPAMHAUS,
       "blocked using dbl.spamhaus.org|blocked using multi.uribl.com", BAD_LINKS),
    W(C(GREYLIST), SPAMHAUS, "blocked using grey.rbl"),
    WH(C(IP_REPUTATION), SPAMHAUS, "rejected based on geographical location",
       "The recipient's server takes no mail from this country: ask its operator."),
    WH(C(IP_REPUTATION), SPAMHAUS, "spamhaus.org|by spamhaus|using spamhaus",
       "The address or domain is on a blocklist of Spamhaus: see why at "
       "https://check.spamhaus.org/, end the cause, then ask to be taken off."),
    WH(C(IP_REPUTATION), SPAMHAUS, "spamcop.net",
       "SpamCop lists the address after reports of spam: it is taken off about a day after the "
       "last one."),
    W(C(IP_REPUTATION), SPAMHAUS,
      "sorbs.net|blagr.emailsrvr.com|hostkarma|junkemailfilter|spamrl.com|cobion.com|cbl.abuseat."
      "org"),

    /* ---- mail servers ---- */
    W(C(HELO), POSTFIX, "helo command rejected"),
    W(C(PTR), POSTFIX, "cannot find your reverse hostname|cannot find your hostname"),
    W(C(SENDER_DOMAIN), POSTFIX,
      "sender address rejected: domain not found|domain of sender address"),
    W(C(SENDER_NOT_ALLOWED), POSTFIX, "sender address rejected: not owned by"),
    WH(C(AUTH), POSTFIX, "sender address rejected: not logged in", LOGIN_FIRST),
    WH(C(SENDER_REFUSED), POSTFIX, "sender address rejected: user unknown in",
       "The relay takes mail for the sender's domain, and knows no such mailbox: send from an "
       "address that there is."),
    WH(C(SENDER_REFUSED), POSTFIX, "sender address rejected: unverified address",
       "The relay asked whether the sender's address exists, and got no answer: make it one that "
       "takes mail."),
    WH(C(SENDER_REFUSED), POSTFIX, "sender address rejected: need fully-qualified address",
       "The sender's address lacks a full domain."),
    WH(C(RECIPIENT_REFUSED), POSTFIX, "recipient address rejected: need fully-qualified address",
       "The recipient's address lacks a full domain."),
    W(C(GREYLIST), POSTFIX, "recipient address rejected: greylisted|greylisted for"),
    WH(C(RECIPIENT_REFUSED), POSTFIX, "recipient address rejected: access denied",
       "The relay's operator has listed this recipient, or who may write to it: ask there."),
    W(C(PROTOCOL), POSTFIX, "improper use of smtp command pipelining"),
    W(C(UNKNOWN_USER), POSTFIX,
      "user unknown in local recipient table|user unknown in virtual|user unknown in relay "
      "recipient table|recipient address rejected: undeliverable address"),
    W(C(RECIPIENT_DOMAIN), POSTFIX, "recipient address rejected: domain not found"),
    WH(C(RATE), POSTFIX, "error: too many connections", FEWER_SESSIONS),
    W(C(RATE), POSTFIX, "error: too much mail from|error: too many recipients from"),
    WH(C(PROTOCOL), POSTFIX, "error: too many errors",
       "The relay ended the session after too many refusals in it: look at the ones before."),
    W(C(RELAYING), POSTFIX, "relay access denied"),
    W(C(MESSAGE_REFUSED), POSTFIX, "message content rejected"),
    W(C(SIZE), POSTFIX, "message size exceeds fixed limit"),
    W(C(RELAYING), EXIM, "relay not permitted"),
    W(C(RECIPIENT_DOMAIN), EXIM, "unrouteable address"),
    WH(C(SENDER_REFUSED), EXIM, "sender verify failed",
       "The relay asked whether the sender's address exists, and it does not: make it one that "
       "takes mail."),
    W(C(HELO), EXIM, "syntactically invalid helo"),
    W(C(HELO), EXIM_PANELS, "invalid helo name"),
    W(C(IP_REPUTATION), EXIM, "in a black list at"),
    WH(C(MALFORMED), EXIM, "maximum allowed line length",
       "A line of the message is longer than 998 octets."),
    W(C(BUSY), EXIM, "temporary local problem"),
    WH(C(BUSY), EXIM, "could not complete sender verify",
       "The relay asks whether the sender's address exists, and has no answer yet: see that its "
       "domain's mail servers answer."),
    W(C(LOOP), EXIM, "suspected mail loop"),
    W(C(PROTOCOL), EXIM, "smtp synchronization error"),
    WH(C(RATE), EXIM, "rejected for too many bad recipients",
       "Too many recipients of the session do not exist: clean the list, and send again."),
    W(C(POLICY), EXIM, "administrative prohibition"),
    W(C(SENDER_REFUSED), EXIM, "message was rejected by this user"),
    W(C(PTR), SENDMAIL, "ip name lookup failed|may not be mail exchanger"),
    W(C(RELAYING), SENDMAIL, "relaying denied"),
    W(C(LOOP), SENDMAIL, "too many hops"),
    W(C(RATE), SENDMAIL, "connection rate limit exceeded"),
    W(C(SIZE), SENDMAIL, "exceeds fixed maximum message size|headers too large"),
    W(C(MALFORMED), SENDMAIL, "improper use of 8-bit data in message header"),
    W(C(BUSY), SENDMAIL, "insufficient disk space"),
    W(C(RELAYING), QMAIL, "list of allowed rcpthosts"),
    WH(C(RECIPIENT_REFUSED), QMAIL, "in my badrcptto list", RECIPIENTS_RULE),
    W(C(DKIM), RECEIVED, "duplicate header 'dkim-signature'"),
    W(C(SPF), RECEIVED, "bad spf records|mismatches client ip"),
    W(C(MAILBOX_DISABLED), RECEIVED,
      "mailbox is frozen|disabled recipient address|temporary locked"),
    {ANY, 552, 0, C(RATE), false, RECEIVED, NULL, "too many recipients", FEWER_RECIPIENTS},

    /* ---- by stage and code, before the registered codes ---- */
    {AT(AUTH), 454, 0, C(AUTH), false, OWN, NULL, NULL,
     "The relay can't check logins now; try again later."},
    {AT(AUTH), 421, 0, C(RATE), false, OWN, NULL, NULL,
     "The relay cut the login: too many sessions or too many wrong logins; try again later."},
    {AT(AUTH), 400, 499, C(AUTH), false, OWN, NULL, NULL,
     "The relay can't check logins now, or refuses them for a while after wrong ones."},
    {AT(AUTH), 538, 0, C(AUTH), false, OWN, NULL, NULL,
     "The relay wants TLS before this login: use smtps:// or STARTTLS."},
    {AT(AUTH), 504, 0, C(AUTH), false, OWN, NULL, NULL,
     "The relay does not know this mechanism: choose another with auth=."},
    {AT(AUTH), 531, 599, C(AUTH), true, OWN, NULL, NULL, SMTP_PRESET_HINT},
    {AT(AUTH), 500, 529, C(AUTH), true, OWN, NULL, NULL, SMTP_PRESET_HINT},
    {AT(AUTH), 531, 599, C(AUTH), false, OWN, NULL, "badcredentials|app password", APP_PASSWORD},
    {AT(AUTH), 534, 0, C(AUTH), false, OWN, NULL, NULL,
     "The relay finds this way of logging in too weak: use an app password, a token, or another "
     "mechanism (auth=)."},
    {AT(AUTH), 531, 599, C(AUTH), false, OWN, NULL, NULL, NULL},
    {AT(AUTH), 500, 529, C(AUTH), false, OWN, NULL, NULL, NULL},
    {ANY, 530, 0, C(TLS), false, OWN, NULL, "starttls", TLS_FIRST},
    {ANY, 530, 0, C(AUTH), false, OWN, NULL, NULL, LOGIN_FIRST},
    {ANY, 535, 0, C(AUTH), false, OWN, NULL, NULL, NULL},
    {AT(STARTTLS), 400, 499, C(TLS), false, OWN, NULL, NULL,
     "The relay can't do TLS now; try again later."},
    {AT(STARTTLS), 500, 599, C(TLS), false, OWN, NULL, NULL,
     "The relay refuses STARTTLS: try smtps:// on port 465, or another relay."},
    {ANY, 421, 0, C(RATE), false, OWN, NULL, "too many|concurrent|connections|rate|limit|throttl",
     FEWER_SESSIONS},
    {ANY, 421, 0, C(RATE), false, OWN, "4.7.0", NULL, NULL},
    {ANY, 421, 0, C(RATE), false, OWN, "4.7.1", NULL, NULL},
    {AT(GREETING) | AT(EHLO), 500, 599, C(POLICY), false, OWN, NULL, NULL,
     "The relay does not want to talk to this machine: its address may be on a blocklist, or its "
     "EHLO name (ehlo=) be refused."},
    {AT(RCPT), 552, 0, C(MAILBOX_FULL), false, OWN, NULL,
     "quota|mailbox full|mailbox is full|over limit|storage", NULL},
    {ANY, 452, 0, C(RATE), false, OWN, NULL, "too many recipients", FEWER_RECIPIENTS},
};

static const smtp_pattern last[] = {
    {OPENING, 421, 0, C(BUSY), false, OWN, NULL, NULL, NULL},
    {AT(MAIL) | MESSAGE, 552, 0, C(SIZE), false, OWN, NULL, "size|large|big|exceed|limit", NULL},
    {AT(MAIL) | MESSAGE, 552, 0, C(ATTACHMENT), false, OWN, "5.7.", NULL, NULL},
    {AT(MAIL), 552, 0, C(SIZE), false, OWN, NULL, NULL, NULL},
    {ANY, 452, 0, C(BUSY), false, OWN, NULL, NULL, "The relay lacks room now; try again later."},

    /* SPF, DKIM, DMARC */
    {ANY, 500, 599, C(DMARC), false, OWN, NULL, "dmarc", NULL},
    {ANY, 500, 599, C(DKIM), false, OWN, NULL, "dkim", NULL},
    {ANY, 500, 599, C(SPF), false, OWN, NULL,
     "spf-check|spf check|spf fail|sender policy framework| spf | spf:|(spf)|spf record", NULL},

    /* mail before a login */
    {AT(MAIL) | AT(RCPT), 500, 599, C(AUTH), false, OWN, NULL,
     "not authenticated|authentication required|must authenticate|authenticate first|auth "
     "first|log in first|login first|need auth",
     LOGIN_FIRST},

    /* the sender */
    {AT(MAIL) | AT(RCPT) | MESSAGE, 500, 599, C(SENDER_NOT_ALLOWED), false, OWN, NULL,
     "same as authorization user|not owned by|send as|sender address rejected|sender "
     "rejected|sender address must|sender is not allowed|not verified|unverified|from address",
     NULL},
    {AT(MAIL), 553, 0, C(SENDER_NOT_ALLOWED), false, OWN, NULL, NULL, NULL},

    /* recipients */
    {AT(RCPT) | MESSAGE, 500, 599, C(UNKNOWN_USER), false, OWN, NULL,
     "user unknown|no such user|unknown user|does not exist|dosn't exist|mailbox not found|mailbox "
     "unavailable|recipient not found|invalid recipient|no such recipient|no mailbox here by that "
     "name",
     NULL},
    {AT(RCPT), 500, 599, C(RELAYING), false, OWN, NULL,
     "not permitted to relay|relay denied|relaying disallowed", NULL},
    {AT(RCPT) | MESSAGE, 400, 499, C(GREYLIST), false, OWN, NULL,
     "greylist|graylist|try again later", NULL},

    /* our standing with the relay */
    {ANY, 500, 599, C(IP_REPUTATION), false, OWN, NULL,
     "blocklist|blacklist|block list|black list|reputation|blocked using|dnsbl|rbl", NULL},

    /* content */
    {AT(BODY) | ENVELOPE, 500, 599, C(SPAM), false, OWN, NULL, "spam|junk|unsolicited|bulk mail",
     NULL},
    {MESSAGE, 500, 599, C(ATTACHMENT), false, OWN, NULL,
     "virus|malware|infected|attachment|blocked content|content reject|content denied|prohibited",
     NULL},

    /* rate */
    {ANY, 500, 599, C(RATE), false, OWN, NULL,
     "frequency limit|rate limit|sending limit|daily limit|hourly limit|sending quota|too many "
     "messages|too many mails",
     NULL},
    {ANY, 500, 599, C(QUOTA), false, OWN, "5.4.5", NULL,
     "The day's sending limit of the account is reached; it ends after 24 hours."},
    {ANY, 400, 499, C(RATE), false, OWN, NULL,
     "rate|too many|too fast|too much|limit|throttl|quota|frequen", NULL},
    {ANY, 450, 451, C(GREYLIST), false, OWN, "4.7.", NULL,
     "The relay holds mail back for now, as with greylisting: try again in some minutes."},

    /* the relay's policy, and what is left of 5.7 */
    {AT(MAIL), 500, 599, C(SENDER_NOT_ALLOWED), false, OWN, "5.7.", NULL, NULL},
    {AT(RCPT), 500, 599, C(POLICY), false, OWN, "5.7.", NULL, NULL},
    {MESSAGE, 500, 599, C(SPAM), false, OWN, "5.7.", NULL, NULL},

    /* what the codes mean by themselves */
    {ENVELOPE, 555, 0, C(PROTOCOL), false, OWN, NULL, NULL,
     "The relay does not know a parameter that it had offered."},
    {AT(MAIL), 400, 499, C(BUSY), false, OWN, NULL, NULL,
     "The relay can't take mail from this sender now; try again later."},
    {AT(MAIL), 500, 599, C(SENDER_REFUSED), false, OWN, NULL, NULL, NULL},
    {AT(RCPT), 400, 499, C(BUSY), false, OWN, NULL, NULL,
     "The relay can't take mail for this recipient now; try again later."},
    {AT(RCPT), 500, 599, C(RECIPIENT_REFUSED), false, OWN, NULL, NULL, NULL},
    {MESSAGE, 400, 499, C(BUSY), false, OWN, NULL, NULL,
     "The relay can't take the message now; try again later."},
    {MESSAGE, 552, 0, C(SIZE), false, OWN, NULL, NULL, NULL},
    {MESSAGE, 500, 599, C(MESSAGE_REFUSED), false, OWN, NULL, NULL, NULL},
    {ANY, 400, 499, C(BUSY), false, OWN, NULL, NULL, NULL},
    {ANY, 500, 599, C(POLICY), false, OWN, NULL, NULL, "The relay refuses us: its words say why."},
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

#define COUNT(list) (sizeof(list) / sizeof *(list))

const smtp_known smtp_known_source = {
    .first = {first, COUNT(first)},
    .last = {last, COUNT(last)},
    .statuses = {statuses, COUNT(statuses)},
};
