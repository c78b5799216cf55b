#include "hook/profile.h"

#include <string.h>

#include "hook/profile_table.h"

extern const char hook_profile_rows[], hook_profile_rows_end[]; /* pack/packed.S: profile_table.c */

/* All of them; without memory there are none. */
static packed_table profiles(void)
{
    static packed_kept kept = {hook_profile_rows, hook_profile_rows_end, &hook_profile_layout, 1,
                               NULL};
    const packed_table *table = packed_get(&kept);
    return table ? *table : (packed_table){0};
}

const hook_profile *hook_profile_find(const char *name)
{
    const hook_profile *p = NULL;
    while ((p = hook_profile_next(p)) && strcmp(p->name, name) != 0) {
    }
    return p;
}

const hook_profile *hook_profile_next(const hook_profile *p)
{
    packed_table all = profiles();
    const hook_profile *first = all.rows, *next = p ? p + 1 : first;
    return next != first + all.count ? next : NULL;
}

size_t hook_profile_schemes(const hook_profile *p)
{
    size_t n = 0;
    while (n < HOOK_PROFILE_SCHEMES && p->schemes[n].name)
        n++;
    return n;
}
