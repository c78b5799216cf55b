#include "smtp/classify.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <curl/curl.h>

#include "smtp/preset.h"
#include "smtp/replies.h"

/* Trying again later makes sense where the relay is at fault, or didn't answer. */
static bool retryable(smtp_blame blame)
{
    return blame == SMTP_BLAME_RELAY || blame == SMTP_BLAME_TIMEOUT;
}

static void set(smtp_fault *out, smtp_stage stage, smtp_cause cause, smtp_blame blame,
                const char *hint)
{
    out->stage = stage;
    out->cause = cause;
    out->category = smtp_causes[cause].category;
    out->blame = blame;
    out->retryable = retryable(blame);
    out->hint = hint ? hint : smtp_causes[cause].hint;
}

static smtp_blame blame_of(smtp_cause cause, int code, smtp_turn turn)
{
    bool later = turn == SMTP_TURN_CODE ? code < 500 : turn == SMTP_TURN_LATER;
    return later ? SMTP_BLAME_RELAY : smtp_causes[cause].blame;
}

static const char *hint_of(const smtp_pattern *p, const char *preset)
{
    if (!p->hint || p->hint[0] != SMTP_PRESET_HINT[0])
        return p->hint;
    const smtp_preset *known = preset ? smtp_preset_find(preset) : NULL;
    return known ? known->hint : NULL;
}

static bool set_by(const smtp_patterns *in, smtp_stage stage, const smtp_reply *reply,
                   const smtp_text *text, const char *preset, smtp_fault *out)
{
    const smtp_pattern *p = smtp_pattern_find(in, stage, reply, text, preset);

    if (!p)
        return false;
    set(out, stage, (smtp_cause)p->cause,
        blame_of((smtp_cause)p->cause, reply->code, (smtp_turn)p->turn), hint_of(p, preset));
    return true;
}

/* What the enhanced code says by itself. */
static bool set_by_status(smtp_stage stage, const smtp_reply *reply, smtp_fault *out)
{
    const smtp_status_row *s = smtp_status_find(reply->enhanced);

    if (!s || s->cause == SMTP_CAUSE_NONE || reply->code < 400)
        return false;
    set(out, stage, (smtp_cause)s->cause,
        blame_of((smtp_cause)s->cause, reply->code, SMTP_TURN_CODE), s->hint);
    return true;
}

void smtp_classify_reply(smtp_stage stage, const smtp_reply *reply, const char *preset,
                         smtp_fault *out)
{
    smtp_known known = smtp_known_get();
    smtp_text text;

    smtp_text_read(&text, reply->text ? reply->text : "");
    if (set_by(&known.first, stage, reply, &text, preset, out) ||
        set_by_status(stage, reply, out) || set_by(&known.last, stage, reply, &text, preset, out))
        return;
    set(out, stage, SMTP_CAUSE_PROTOCOL, SMTP_BLAME_RELAY,
        "The relay's reply has no place here: is this an SMTP server?");
}

/* libcurl's results, by what its error text says where that tells more. */
static const struct {
    CURLcode code; /* CURLE_OK: any */
    const char *words;
    smtp_cause cause;
    smtp_blame blame;
    const char *hint;
} curl_rows[] = {
    {CURLE_OK, "certificate has expired", SMTP_CAUSE_TLS, SMTP_BLAME_GATEWAY,
     "The relay's certificate has expired: its operator must renew it (and this machine's clock be "
     "right)."},
    {CURLE_OK, "not yet valid", SMTP_CAUSE_TLS, SMTP_BLAME_GATEWAY,
     "The relay's certificate is not valid yet: check this machine's clock."},
    {CURLE_OK,
     "does not match target host name|no alternative certificate subject name matches|hostname "
     "mismatch",
     SMTP_CAUSE_TLS, SMTP_BLAME_GATEWAY,
     "The certificate is for another name: use the name that it has as the relay's host."},
    {CURLE_OK,
     "unable to get local issuer|self-signed certificate|self signed certificate|unable to get "
     "issuer",
     SMTP_CAUSE_TLS, SMTP_BLAME_GATEWAY,
     "No trusted authority signed the relay's certificate: if it is your own CA's, name it with "
     "ca=/path.pem."},
    {CURLE_OK, "wrong version number|packet length too long|unknown protocol", SMTP_CAUSE_TLS,
     SMTP_BLAME_GATEWAY,
     "The relay does not speak TLS from the first byte on this port: use smtp:// with STARTTLS "
     "(587)."},
    {CURLE_OK, "protocol version|unsupported protocol|no protocols available", SMTP_CAUSE_TLS,
     SMTP_BLAME_GATEWAY, "The relay has no TLS of 1.2 or later."},
    {CURLE_COULDNT_RESOLVE_HOST, NULL, SMTP_CAUSE_NETWORK, SMTP_BLAME_RELAY,
     "The relay's name can't be resolved: check its spelling, and this machine's DNS."},
    {CURLE_COULDNT_CONNECT, NULL, SMTP_CAUSE_NETWORK, SMTP_BLAME_RELAY,
     "Nothing answers there: check host and port, and whether a firewall or the provider blocks "
     "the port."},
    {CURLE_OPERATION_TIMEDOUT, NULL, SMTP_CAUSE_NETWORK, SMTP_BLAME_TIMEOUT,
     "The relay did not answer in time: a firewall may drop the packets, or the port expect the "
     "other TLS mode."},
    {CURLE_PEER_FAILED_VERIFICATION, NULL, SMTP_CAUSE_TLS, SMTP_BLAME_GATEWAY,
     "The relay's certificate can't be trusted."},
    {CURLE_SSL_CONNECT_ERROR, NULL, SMTP_CAUSE_TLS, SMTP_BLAME_GATEWAY,
     "TLS could not be set up: check the port's TLS mode (smtps:// or smtp:// with STARTTLS)."},
    {CURLE_SSL_CACERT_BADFILE, NULL, SMTP_CAUSE_TLS, SMTP_BLAME_GATEWAY,
     "The file of ca= can't be read."},
    {CURLE_USE_SSL_FAILED, NULL, SMTP_CAUSE_TLS, SMTP_BLAME_GATEWAY,
     "The relay does not offer STARTTLS here: try smtps:// on port 465; nothing is sent in clear."},
    {CURLE_READ_ERROR, NULL, SMTP_CAUSE_AUTH, SMTP_BLAME_GATEWAY,
     "The file of token_file must hold the token, and this process be allowed to read it."},
    {CURLE_AUTH_ERROR, NULL, SMTP_CAUSE_AUTH, SMTP_BLAME_GATEWAY,
     "The login could not be made with what this machine has: choose another mechanism (auth=)."},
    {CURLE_LOGIN_DENIED, NULL, SMTP_CAUSE_AUTH, SMTP_BLAME_GATEWAY,
     "No login that the relay offers works with these credentials: check them, and the mechanism "
     "(auth=)."},
    {CURLE_FILE_COULDNT_READ_FILE, NULL, SMTP_CAUSE_BUSY, SMTP_BLAME_RELAY,
     "This gateway could not read the message back: look at the disk that it keeps large ones on."},
    {CURLE_OUT_OF_MEMORY, NULL, SMTP_CAUSE_BUSY, SMTP_BLAME_RELAY,
     "This gateway is out of memory."},
    {CURLE_WEIRD_SERVER_REPLY, NULL, SMTP_CAUSE_PROTOCOL, SMTP_BLAME_RELAY,
     "What answers there does not speak SMTP, or not rightly."},
    {CURLE_SEND_ERROR, NULL, SMTP_CAUSE_NETWORK, SMTP_BLAME_RELAY,
     "The relay closed the connection."},
    {CURLE_RECV_ERROR, NULL, SMTP_CAUSE_NETWORK, SMTP_BLAME_RELAY,
     "The relay closed the connection."},
};

void smtp_classify_curl(smtp_stage stage, int curl_code, const char *error, const char *preset,
                        smtp_fault *out)
{
    const smtp_preset *p = preset ? smtp_preset_find(preset) : NULL;
    smtp_text text;

    smtp_text_read(&text, error ? error : "");
    for (size_t i = 0; i < sizeof curl_rows / sizeof *curl_rows; i++) {
        bool code_fits = curl_rows[i].code == CURLE_OK || (int)curl_rows[i].code == curl_code;
        bool words_fit = !curl_rows[i].words || smtp_text_has(&text, curl_rows[i].words);
        if (code_fits && words_fit) {
            bool login = curl_code == CURLE_LOGIN_DENIED && p;
            set(out, stage, curl_rows[i].cause, curl_rows[i].blame,
                login ? p->hint : curl_rows[i].hint);
            return;
        }
    }
    set(out, stage, SMTP_CAUSE_NETWORK, SMTP_BLAME_RELAY, NULL);
    out->hint = NULL;
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

static bool is_about_existence(smtp_cause cause)
{
    return cause == SMTP_CAUSE_UNKNOWN_USER || cause == SMTP_CAUSE_MAILBOX_DISABLED ||
           cause == SMTP_CAUSE_RECIPIENT_DOMAIN;
}

bool smtp_classify_gone(smtp_cause cause, const smtp_reply *reply)
{
    static const char *const codes[] = {"5.1.1", "5.1.6", "5.1.10", "5.2.1"};
    static const char *const vague[] = {"", "5.0.0", "5.1.0"};
    static const char *const words[] = {
        "user unknown",  "unknown user",    "no such user",      "does not exist",
        "doesn't exist", "no such mailbox", "mailbox not found", "recipient not found",
    };
    bool told = reply->code == 550 || reply->code == 551 || reply->code == 553;

    if (reply->code < 500 || !is_about_existence(cause))
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
