/*
 * profile - what Postern knows of the senders of webhooks: how each proves who it is, and where in
 * its requests the event and the delivery's id stand. One table; no code for any of them.
 *
 * A source names a header, or a place in the payload (a JSON pointer, RFC 6901); the first of
 * several that is there counts.
 *
 * Pure. Memory: the table is static.
 */
#ifndef POSTERN_HOOK_PROFILE_H
#define POSTERN_HOOK_PROFILE_H

#include <stddef.h>

#include "hook/verify.h"

#define HOOK_PROFILE_SCHEMES 3
#define HOOK_PROFILE_SOURCES 3

typedef struct hook_source {
    const char *header, *pointer; /* one of them; both NULL: the end */
} hook_source;

typedef struct hook_profile {
    const char *name;
    hook_scheme schemes[HOOK_PROFILE_SCHEMES]; /* up to one without a name */
    const char *timed; /* what is signed where a header for the time is configured; NULL: as ever */
    hook_source event[HOOK_PROFILE_SOURCES];
    hook_source delivery[HOOK_PROFILE_SOURCES]; /* the same in each try at one delivery */
    const char *thread;                         /* pointer to a conversation's key; NULL: none */
    const char *ping;      /* the event that only asks whether somebody is there; NULL: none */
    const char *challenge; /* the event that wants `challenge_at` of the payload back; NULL: none */
    const char *challenge_at;
    const char *idle_event; /* the event that says nothing … */
    const char *idle_at;    /* … where the array at this pointer is empty; NULL: none */
    const char *answer;     /* the text that the sender expects; NULL: JSON will do */
} hook_profile;

/* NULL: there is none of that name. */
const hook_profile *hook_profile_find(const char *name);

/* The next profile of the table, the first after NULL; NULL: that was the last. */
const hook_profile *hook_profile_next(const hook_profile *p);

size_t hook_profile_schemes(const hook_profile *p); /* their number */

#endif
