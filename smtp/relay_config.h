/*
 * relay_config - what a relay's URL said, for the sender alone: it holds the secrets that relay.h
 * keeps from everybody else.
 */
#ifndef POSTERN_SMTP_RELAY_CONFIG_H
#define POSTERN_SMTP_RELAY_CONFIG_H

#include "smtp/pace.h"
#include "smtp/preset.h"
#include "smtp/relay.h"

struct smtp_relay {
    char *name;
    char *host; /* without the brackets of an IPv6 literal */
    unsigned port;
    smtp_tls tls;
    const smtp_preset *preset; /* NULL: none */
    char *user;                /* NULL: no credentials */
    char *password;            /* NULL: none, as with a token or a ticket */
    const char *auth;          /* the pinned mechanism, as libcurl calls it; NULL: none */

    char *ca;
    char *ehlo;
    unsigned sessions;
    bool ahead; /* an envelope may go out before the reply to the message before it */
    char *token_file;
    smtp_pace *pace; /* the one thing that changes: what the relay bears, as all threads see it */
};

/* True if the relay must answer an AUTH with 235 before mail is sent. */
static inline bool smtp_relay_must_auth(const smtp_relay *r)
{
    return r->user != NULL;
}

#endif
