/*
 * profile_table - the table of profile.h, as pack/pack.c packs and profile.c unpacks it.
 */
#ifndef POSTERN_HOOK_PROFILE_TABLE_H
#define POSTERN_HOOK_PROFILE_TABLE_H

#include "base/packed.h"
#include "hook/profile.h"

/* As it is written down; not in the program. */
extern const hook_profile hook_profile_source[];
extern const size_t hook_profile_source_count;

#define HOOK_PROFILE_AT(member) offsetof(hook_profile, member)
#define HOOK_FAMILY_TEXTS(of)                                                                      \
    HOOK_PROFILE_AT(of.signature), HOOK_PROFILE_AT(of.timestamp), HOOK_PROFILE_AT(of.id)
#define HOOK_SCHEME_TEXTS(of)                                                                      \
    HOOK_PROFILE_AT(of.name), HOOK_PROFILE_AT(of.prefix), HOOK_PROFILE_AT(of.content),             \
        HOOK_FAMILY_TEXTS(of.headers[0]), HOOK_FAMILY_TEXTS(of.headers[1])
#define HOOK_SOURCE_TEXTS(of) HOOK_PROFILE_AT(of.header), HOOK_PROFILE_AT(of.pointer)

_Static_assert(HOOK_PROFILE_SCHEMES == 3 && HOOK_PROFILE_SOURCES == 3 && HOOK_FAMILIES == 2,
               "each of them is named below");
static const uint16_t hook_profile_texts[] = {
    HOOK_PROFILE_AT(name),          HOOK_SCHEME_TEXTS(schemes[0]),  HOOK_SCHEME_TEXTS(schemes[1]),
    HOOK_SCHEME_TEXTS(schemes[2]),  HOOK_PROFILE_AT(timed),         HOOK_SOURCE_TEXTS(event[0]),
    HOOK_SOURCE_TEXTS(event[1]),    HOOK_SOURCE_TEXTS(event[2]),    HOOK_SOURCE_TEXTS(delivery[0]),
    HOOK_SOURCE_TEXTS(delivery[1]), HOOK_SOURCE_TEXTS(delivery[2]), HOOK_PROFILE_AT(thread),
    HOOK_PROFILE_AT(ping),          HOOK_PROFILE_AT(challenge),     HOOK_PROFILE_AT(challenge_at),
    HOOK_PROFILE_AT(idle_event),    HOOK_PROFILE_AT(idle_at),       HOOK_PROFILE_AT(answer),
};
static const packed_layout hook_profile_layout = {
    sizeof(hook_profile), sizeof hook_profile_texts / sizeof *hook_profile_texts,
    hook_profile_texts};

#endif
