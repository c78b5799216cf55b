/*
 * make - the values that prepare's rules add. Of this layer alone.
 *
 * Each takes the value that a rule found and gives a new one, the caller's; NULL: it is of another
 * type, so that nothing is added, or the maker has stopped.
 */
#ifndef POSTERN_TEMPLATE_MAKE_H
#define POSTERN_TEMPLATE_MAKE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

typedef struct maker {
    size_t left; /* values that may be made */
    bool failed; /* there is no memory */
    bool full;   /* there would be too many values */
} maker;

bool maker_stopped(const maker *m);

/* `currency`: of the code that goes with the amount; NULL: none is known. */
json_t *make_money(maker *m, const json_t *amount, const json_t *currency);
json_t *make_entries(maker *m, const json_t *object);
json_t *make_flags(maker *m, const json_t *value);
json_t *make_time(maker *m, const json_t *value);
json_t *make_lines(maker *m, const json_t *text);
json_t *make_first(maker *m, const json_t *text);
json_t *make_rows(maker *m, const json_t *value);
json_t *make_count(maker *m, const json_t *value);
json_t *make_link(maker *m, const json_t *text);
json_t *make_short(maker *m, const json_t *text);
json_t *make_ref(maker *m, const json_t *text);
json_t *make_ref_kind(maker *m, const json_t *text);
json_t *make_mrkdwn(maker *m, const json_t *text);
json_t *make_plain(maker *m, const json_t *text);
/* *more: how many items or characters are left out. */
json_t *make_few(maker *m, const json_t *value, size_t most, size_t *more);

/* For these functions: a value just made is counted (NULL: there was no memory), and given back
 * if there may be one more. */
json_t *maker_made(maker *m, json_t *value);
json_t *maker_string(maker *m, const char *text, size_t len);
json_t *maker_same(maker *m, const json_t *value); /* itself: nothing changes what it is */
/* Puts a value into an object, or at an array's end, and owns it; false: it was NULL, or there is
 * no memory. */
bool maker_put(maker *m, json_t *object, const char *name, json_t *value);
bool maker_append(maker *m, json_t *array, json_t *value);

#endif
