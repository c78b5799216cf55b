/*
 * copy - the data that prepare's rules are applied to: copied where a rule may add something, the
 * caller's own everywhere else. Of this layer alone.
 *
 * Most of what a webhook brings is named by no rule, and copying it would cost more than the rules.
 * So a plan, made once of all pointers, says which objects a rule can come to; these are copied,
 * and what is around them. A rule also comes to a value by what another one has made of it:
 * "commits_few" has the items of "commits". Where the plan can't tell, all that is below is copied.
 *
 * Memory: a plan is immutable when it is made; the slices given to it are its caller's and outlive
 * it. The copy holds references to the data, which outlive it, too, and must never be changed.
 * Threads: any.
 */
#ifndef POSTERN_TEMPLATE_COPY_H
#define POSTERN_TEMPLATE_COPY_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "template/program.h"

typedef struct copy_plan copy_plan;

/* Of at most so many steps, and names that are forged. NULL: no memory. */
copy_plan *copy_plan_create(size_t steps, size_t forged);
void copy_plan_free(copy_plan *p); /* NULL is nothing */

/* A pointer's steps. `entries`: its rule lists what it finds under the names of others. */
void copy_plan_add(copy_plan *p, const slice *steps, size_t count, bool entries);

/* A member of this name, with this end (static), turns null wherever it stands. */
void copy_plan_forge(copy_plan *p, slice name, const char *suffix);

/* Strings by `string`, as prepare_apply() has it. NULL: no memory. */
json_t *copy_data(const copy_plan *p, const json_t *data,
                  const char *(*string)(void *ctx, const json_t *value, size_t *len), void *ctx);

#endif
