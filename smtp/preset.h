/*
 * preset - providers' relays as a table: host, port, TLS mode, the user's form, and what people get
 * wrong at login.
 *
 * Pure: the tables are static.
 */
#ifndef POSTERN_SMTP_PRESET_H
#define POSTERN_SMTP_PRESET_H

#include "smtp/relay.h"

typedef struct smtp_preset {
    const char *name;  /* the URL's scheme: "gmail" */
    const char *title; /* "Gmail" */
    const char *host;  /* may hold "{region}" */
    unsigned port;
    smtp_tls tls;
    const char *user;      /* the user when the URL has none: "apikey", "resend"; else NULL */
    const char *user_form; /* "the full address" */
    const char *auth;      /* a pinned mechanism or NULL */
    const char *region;    /* the default region where `host` has one; else NULL */
    const char *hint;      /* on a refused login */
    bool token;            /* one token is user and password alike: "postmark://token@" */
} smtp_preset;

/* The preset of that name (ASCII, any case); NULL: none. */
const smtp_preset *smtp_preset_find(const char *name);

/* The preset whose relay is `host` (in any region); NULL: none. So that a plain smtps:// URL gets
 * its provider's hints too. */
const smtp_preset *smtp_preset_of_host(const char *host);

/* The host for a region, NULL meaning the default. Copied to `out`; false if the preset needs a
 * region and has no default, if it has no regions and one was given, or if it doesn't fit. */
bool smtp_preset_host(const smtp_preset *p, const char *region, char *out, size_t cap);

/* The whole table, ended by a row whose name is NULL: for the docs and `postern check --presets`.
 */
const smtp_preset *smtp_presets(void);

#endif
