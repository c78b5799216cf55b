/*
 * relay - where mail goes and how: host, port, TLS, credentials. Read from a URL or a preset.
 *
 *     smtp://user:pass@host:587        STARTTLS required (port 587 by default)
 *     smtps://user:pass@host:465       TLS from the first byte (465)
 *     smtp://host:25?tls=none          cleartext, written out (25); with credentials on loopback
 *                                      only
 *     gmail://user@gmail.com:apppass@  a preset of preset.h: host, port, TLS and a hint
 *     sendgrid://apikey@               a preset that sets the user: a lone word is the password
 *
 * User and password are percent-decoded; the last @ ends them, the first : begins the password, and
 * only "%" and "?" must be escaped in them (%25, %3F), and ":" in the user (%3A). The host is a
 * name in ASCII, an IPv4 address, or an IPv6 address in brackets. Options behind "?", joined with
 * "&", their values percent-decoded:
 *
 *     tls=none|starttls|implicit   over the scheme's own
 *     auth=plain|login|cram-md5|xoauth2|oauthbearer|digest-md5|ntlm|gssapi|external|none
 *                            pin the mechanism; default: the strongest that both sides have, of
 *                            DIGEST-MD5, CRAM-MD5, PLAIN and LOGIN (the others need what a user
 *                            and a password can't give)
 *     ca=/path.pem           trust this CA instead of the system's
 *     ehlo=name              EHLO name; default: the machine's, or [127.0.0.1] if that has no dot
 *     sessions=N             sessions kept open at once, 1 to 256; default 8
 *     ahead=on|off           whether, where mails wait for a session, the next one's envelope goes
 *                            out with the end of the body before it, if the relay offers
 *                            PIPELINING; default on
 *     rate=14/s              recipients in a second (/s), minute (/m), hour (/h) or day (/d) at
 *                            most; what comes faster waits for its turn
 *     token_file=/path       OAuth 2 bearer token, read again for each session; pins auth=xoauth2
 *                            unless auth=oauthbearer is there
 *     password_file=/path    the password, read once at start
 *     region=name            for presets that have regions (ses, aliyun-dm, tencent-ses, mailgun,
 *                            zoho, yandex)
 *
 * Unknown options, repeated ones, a missing host, a password without a user, a user without a
 * password, characters that have no place are faults, each with one sentence that never repeats the
 * password.
 *
 * A relay is immutable after creation, but for its pace (pace.h), and may be used by any number of
 * threads; it must outlive the sender. Secrets are wiped when it is freed.
 */
#ifndef POSTERN_SMTP_RELAY_H
#define POSTERN_SMTP_RELAY_H

#include <stdbool.h>
#include <stddef.h>

#define SMTP_RELAY_SESSIONS 8

typedef enum smtp_tls { SMTP_TLS_STARTTLS, SMTP_TLS_IMPLICIT, SMTP_TLS_NONE } smtp_tls;

typedef struct smtp_relay smtp_relay;

/* Reads the URL; on a fault NULL, and *error is a sentence that the caller frees (NULL: no memory).
 */
smtp_relay *smtp_relay_create(const char *name, const char *url, char **error);
void smtp_relay_free(smtp_relay *r);

const char *smtp_relay_name(const smtp_relay *r); /* "default" */
const char *smtp_relay_host(const smtp_relay *r); /* "smtp.gmail.com" */
unsigned smtp_relay_port(const smtp_relay *r);
smtp_tls smtp_relay_tls(const smtp_relay *r);
/* "gmail", also where a plain URL names a preset's host; NULL: none. */
const char *smtp_relay_preset(const smtp_relay *r);
const char *smtp_relay_user(const smtp_relay *r); /* NULL: no credentials */

#endif
