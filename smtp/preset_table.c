/* The providers' relays. The program has the table packed: see preset_table.h. */
#include "smtp/preset_table.h"

#define I SMTP_TLS_IMPLICIT
#define S SMTP_TLS_STARTTLS

#define ADDRESS "the full address"

#define QQ_HINT                                                                                    \
    "QQ Mail wants the 16-letter authorization code (授权码) made in its settings under "       \
    "POP3/SMTP, "                                                                                  \
    "not the QQ password, and the full address as user; changing the QQ password voids every "     \
    "code."
#define EXMAIL_HINT                                                                                \
    "Tencent Exmail wants the full address as user and, where client passwords are switched on, "  \
    "the client-only password (客户端专用密码) instead of the login password."
#define NETEASE_HINT                                                                                    \
    "NetEase wants the client authorization code (客户端授权码) made in the mailbox's POP3/SMTP " \
    "settings, not the login password, and the full address as user."
#define GMAIL_HINT                                                                                 \
    "Gmail wants the full address and a 16-letter app password (which needs 2-step "               \
    "verification), "                                                                              \
    "not the account's password; or XOAUTH2 with token_file."
#define OUTLOOK_HINT                                                                               \
    "Outlook.com takes no passwords for SMTP any more: use XOAUTH2 with token_file."
#define OFFICE_HINT                                                                                \
    "Microsoft 365 refuses password logins where SMTP AUTH is disabled for the mailbox or tenant " \
    "and is ending them altogether: an administrator can enable it, or use XOAUTH2 with "          \
    "token_file."
#define ALIYUN_DM_HINT                                                                             \
    "Aliyun DirectMail wants the sender address made in its console as user, and the SMTP "        \
    "password (SMTP 密码) set on that sender address, not the account's password."
#define ALIYUN_HINT                                                                                \
    "Aliyun Mail wants the full address and, where it is switched on, the third-party client "     \
    "password (三方客户端安全密码) instead of the login password."
#define TENCENT_SES_HINT                                                                           \
    "Tencent SES wants the sender address made in its console as user, and the SMTP password "     \
    "(SMTP 密码) set on that sender address."
#define SENDGRID_HINT                                                                              \
    "SendGrid wants the literal user \"apikey\" and an API key that has the Mail Send permission."
#define MAILGUN_HINT                                                                               \
    "Mailgun wants an SMTP credential of the domain (postmaster@domain), not the API key; EU "     \
    "accounts need region=eu."
#define SES_HINT "Amazon SES wants SMTP credentials made for this region, not the IAM access keys."
#define POSTMARK_HINT                                                                              \
    "Postmark wants the Server API token as user and as password; check that the server is not "   \
    "set to another stream or disabled."
#define RESEND_HINT "Resend wants the literal user \"resend\" and an API key as password."
#define BREVO_HINT                                                                                 \
    "Brevo wants the SMTP login shown in its settings and an SMTP key, not an API key."
#define MAILJET_HINT "Mailjet wants the API key as user and the secret key as password."
#define ZOHO_HINT                                                                                  \
    "Zoho wants the full address and, with two-factor login, an app-specific password; the data "  \
    "centre must be the account's (region=eu, in, com.cn, …)."
#define YANDEX_HINT                                                                                \
    "Yandex wants an app password, after mail clients have been allowed in the mailbox's "         \
    "settings."
#define ICLOUD_HINT                                                                                \
    "iCloud wants the full iCloud address (not an alias or own domain) and an app-specific "       \
    "password."
#define APP_PASSWORD_HINT                                                                          \
    "This provider wants the full address and an app password made in its security settings, not " \
    "the account's password."
#define CREDENTIAL_HINT                                                                            \
    "This provider wants the SMTP credentials shown in its console, not the account's password."
#define FEISHU_HINT                                                                                \
    "Feishu wants the full address and the password made for third-party clients "                 \
    "(第三方客户端专用密码) in its mail settings."

/* Providers by what their documentation says. Columns: see the header. */
const smtp_preset smtp_preset_source[] = {
    {"qq", "QQ Mail", "smtp.qq.com", 465, I, NULL, ADDRESS, NULL, NULL, QQ_HINT, false},
    {"exmail", "QQ Exmail", "smtp.exmail.qq.com", 465, I, NULL, ADDRESS, NULL, NULL, EXMAIL_HINT,
     false},
    {"163", "NetEase 163", "smtp.163.com", 465, I, NULL, ADDRESS, NULL, NULL, NETEASE_HINT, false},
    {"126", "NetEase 126", "smtp.126.com", 465, I, NULL, ADDRESS, NULL, NULL, NETEASE_HINT, false},
    {"aliyun-dm", "Aliyun DirectMail", "smtpdm-{region}.aliyuncs.com", 465, I, NULL,
     "the sender address made in the console; From must be the same", NULL, "cn-hangzhou",
     ALIYUN_DM_HINT, false},
    {"aliyun", "Aliyun Mail", "smtp.aliyun.com", 465, I, NULL, ADDRESS, NULL, NULL, ALIYUN_HINT,
     false},
    {"aliyun-qiye", "Aliyun enterprise mail", "smtp.qiye.aliyun.com", 465, I, NULL, ADDRESS, NULL,
     NULL, ALIYUN_HINT, false},
    {"tencent-ses", "Tencent SES", "{region}-smtp.qcloudmail.com", 465, I, NULL,
     "the sender address made in the console", NULL, "hk", TENCENT_SES_HINT, false},
    {"feishu", "Feishu Mail", "smtp.feishu.cn", 465, I, NULL, ADDRESS, NULL, NULL, FEISHU_HINT,
     false},
    {"sendcloud", "SendCloud", "smtp.sendcloud.net", 2525, S, NULL, "the API user", NULL, NULL,
     CREDENTIAL_HINT, false},
    {"gmail", "Gmail", "smtp.gmail.com", 465, I, NULL, ADDRESS, NULL, NULL, GMAIL_HINT, false},
    {"gmail-relay", "Google Workspace relay", "smtp-relay.gmail.com", 465, I, NULL, ADDRESS, NULL,
     NULL, GMAIL_HINT, false},
    {"outlook", "Outlook.com", "smtp-mail.outlook.com", 587, S, NULL, ADDRESS, NULL, NULL,
     OUTLOOK_HINT, false},
    {"office365", "Microsoft 365", "smtp.office365.com", 587, S, NULL, ADDRESS, NULL, NULL,
     OFFICE_HINT, false},
    {"sendgrid", "SendGrid", "smtp.sendgrid.net", 587, S, "apikey", "apikey", NULL, NULL,
     SENDGRID_HINT, false},
    {"mailgun", "Mailgun", "smtp.{region}.mailgun.org", 465, I, NULL,
     "an SMTP credential, postmaster@domain", NULL, "us", MAILGUN_HINT, false},
    {"ses", "Amazon SES", "email-smtp.{region}.amazonaws.com", 465, I, NULL, "the SMTP user name",
     NULL, NULL, SES_HINT, false},
    {"postmark", "Postmark", "smtp.postmarkapp.com", 587, S, NULL, "the Server API token", NULL,
     NULL, POSTMARK_HINT, true},
    {"postmark-broadcast", "Postmark, broadcast streams", "smtp-broadcasts.postmarkapp.com", 587, S,
     NULL, "the Server API token", NULL, NULL, POSTMARK_HINT, true},
    {"resend", "Resend", "smtp.resend.com", 465, I, "resend", "resend", NULL, NULL, RESEND_HINT,
     false},
    {"brevo", "Brevo", "smtp-relay.brevo.com", 587, S, NULL, "the SMTP login of the settings", NULL,
     NULL, BREVO_HINT, false},
    {"mailjet", "Mailjet", "in-v3.mailjet.com", 587, S, NULL, "the API key", NULL, NULL,
     MAILJET_HINT, false},
    {"mandrill", "Mandrill", "smtp.mandrillapp.com", 587, S, NULL, "the account's user name", NULL,
     NULL, CREDENTIAL_HINT, false},
    {"smtp2go", "SMTP2GO", "mail.smtp2go.com", 2525, S, NULL, "the SMTP user", NULL, NULL,
     CREDENTIAL_HINT, false},
    {"mailersend", "MailerSend", "smtp.mailersend.net", 587, S, NULL, "the SMTP user", NULL, NULL,
     CREDENTIAL_HINT, false},
    {"zoho", "Zoho Mail", "smtp.zoho.{region}", 465, I, NULL, ADDRESS, "LOGIN", "com", ZOHO_HINT,
     false},
    {"zoho-pro", "Zoho Mail, own domains", "smtppro.zoho.{region}", 465, I, NULL, ADDRESS, "LOGIN",
     "com", ZOHO_HINT, false},
    {"yandex", "Yandex Mail", "smtp.yandex.{region}", 465, I, NULL, ADDRESS, NULL, "com",
     YANDEX_HINT, false},
    {"icloud", "iCloud Mail", "smtp.mail.me.com", 587, S, NULL, "the full iCloud address", NULL,
     NULL, ICLOUD_HINT, false},
    {"fastmail", "Fastmail", "smtp.fastmail.com", 465, I, NULL, ADDRESS, NULL, NULL,
     APP_PASSWORD_HINT, false},
    {"yahoo", "Yahoo Mail", "smtp.mail.yahoo.com", 465, I, NULL, ADDRESS, NULL, NULL,
     APP_PASSWORD_HINT, false},
    {"aol", "AOL Mail", "smtp.aol.com", 587, S, NULL, ADDRESS, NULL, NULL, APP_PASSWORD_HINT,
     false},
    {"gmx", "GMX", "mail.gmx.com", 587, S, NULL, ADDRESS, NULL, NULL, APP_PASSWORD_HINT, false},
    {"mailru", "Mail.ru", "smtp.mail.ru", 465, I, NULL, ADDRESS, NULL, NULL, APP_PASSWORD_HINT,
     false},
    {"proton", "Proton Mail", "smtp.protonmail.ch", 587, S, NULL, "the address of the SMTP token",
     NULL, NULL, CREDENTIAL_HINT, false},
    {NULL, NULL, NULL, 0, S, NULL, NULL, NULL, NULL, NULL, false},
};
const size_t smtp_preset_source_count = sizeof smtp_preset_source / sizeof *smtp_preset_source;
