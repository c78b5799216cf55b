/*
 * caps - what a relay's reply to EHLO offers (RFC 5321 section 4.1.1.1).
 *
 * Threads: pure.
 */
#ifndef POSTERN_SMTP_CAPS_H
#define POSTERN_SMTP_CAPS_H

#include <stdbool.h>
#include <stdint.h>

#define SMTP_CAPS_AUTH_MAX 200

typedef struct smtp_caps {
    bool esmtp; /* EHLO was accepted (and not only HELO) */
    bool pipelining;
    bool eight_bit;
    bool utf8;
    bool enhanced;
    bool starttls;
    bool size_offered;
    uint64_t size;                 /* the announced limit in octets; 0: none announced */
    char auth[SMTP_CAPS_AUTH_MAX]; /* mechanisms, "PLAIN LOGIN"; "" if AUTH is not offered */
} smtp_caps;

/* Reads the text of an accepted EHLO reply: lines joined with LF, the first one a greeting. */
void smtp_caps_read(smtp_caps *caps, const char *text);

#endif
