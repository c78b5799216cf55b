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
#define HOOK_SCHEME_AT(i)       (HOOK_PROFILE_AT(schemes) + (i) * sizeof(hook_scheme))
#define HOOK_FAMILY_AT(i, k)                                                                       \
    (HOOK_SCHEME_AT(i) + offsetof(hook_scheme, headers) + (k) * sizeof(hook_headers))
#define HOOK_FAMILY_TEXTS(i, k)                                                                    \
    HOOK_FAMILY_AT(i, k) + offsetof(hook_headers, signature),                                      \
        HOOK_FAMILY_AT(i, k) + offsetof(hook_headers, timestamp),                                  \
        HOOK_FAMILY_AT(i, k) + offsetof(hook_headers, id)
#define HOOK_SCHEME_TEXTS(i)                                                                       \
    HOOK_SCHEME_AT(i) + offsetof(hook_scheme, name),                                               \
        HOOK_SCHEME_AT(i) + offsetof(hook_scheme, prefix),                                         \
        HOOK_SCHEME_AT(i) + offsetof(hook_scheme, content), HOOK_FAMILY_TEXTS(i, 0),               \
        HOOK_FAMILY_TEXTS(i, 1)
#define HOOK_SOURCE_TEXTS(list, i)                                                                 \
    HOOK_PROFILE_AT(list) + (i) * sizeof(hook_source) + offsetof(hook_source, header),             \
        HOOK_PROFILE_AT(list) + (i) * sizeof(hook_source) + offsetof(hook_source, pointer)

_Static_assert(HOOK_PROFILE_SCHEMES == 3 && HOOK_PROFILE_SOURCES == 3 && HOOK_FAMILIES == 2,
               "each of them is named below");
static const uint16_t hook_profile_texts[] = {
    HOOK_PROFILE_AT(name),          HOOK_SCHEME_TEXTS(0),           HOOK_SCHEME_TEXTS(1),
    HOOK_SCHEME_TEXTS(2),           HOOK_PROFILE_AT(timed),         HOOK_SOURCE_TEXTS(event, 0),
    HOOK_SOURCE_TEXTS(event, 1),    HOOK_SOURCE_TEXTS(event, 2),    HOOK_SOURCE_TEXTS(delivery, 0),
    HOOK_SOURCE_TEXTS(delivery, 1), HOOK_SOURCE_TEXTS(delivery, 2), HOOK_PROFILE_AT(thread),
    HOOK_PROFILE_AT(ping),          HOOK_PROFILE_AT(challenge),     HOOK_PROFILE_AT(challenge_at),
    HOOK_PROFILE_AT(idle_event),    HOOK_PROFILE_AT(idle_at),       HOOK_PROFILE_AT(answer),
};
static const packed_layout hook_profile_layout = {
    sizeof(hook_profile), sizeof hook_profile_texts / sizeof *hook_profile_texts,
    hook_profile_texts};

#endif
