/*
 * prepare - what Mustache cannot do with other people's JSON is done before: the data are copied,
 * and members are added beside those that a rule names.
 *
 * A rule is a kind and JSON pointers (RFC 6901) in which the step "*" stands for every item of an
 * array (or every member of an object). Rules are data of a template (its prepare.json), read once:
 *
 *   {"entries": ["/commonLabels", "/alerts/＊/labels"], "flags": ["/status"], …}   (a star where ＊
 * is)
 *
 *   entries   {"a": 1, "b": "x"}, as labels     labels_entries: [{"name": "a", "value": 1}, …]
 *   flags     "firing", as status               status_is: {"firing": true}; for false and null: {}
 *   money     2000, as amount, with currency    amount_money: "20.00 USD" (currency's own number of
 *             beside it ("usd") or in the root   digits, ISO 4217; none known: 2)
 *   times     1700000000 or RFC 3339, as at     at_time: "2023-11-14 22:13 UTC"
 *   lines     "a\nb", as text                   text_lines: ["a", "b"]
 *   first     "a\nb", as text                   text_first: "a" (the first line)
 *   rows      any value, as data ("" is the     data_rows: [{"name": "a.b[0]", "value": "…",
 * "depth": whole: rows)                      1, "group": false}, …]: a readable list of it all
 *
 * What a pointer doesn't find, or finds of another type, is left as it is: payloads differ. A
 * member that is there already stays. Bounded: at most `most` values are made.
 *
 * Memory: rules are immutable and the caller's. prepare_apply() gives a new tree. Threads: any.
 */
#ifndef POSTERN_TEMPLATE_PREPARE_H
#define POSTERN_TEMPLATE_PREPARE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#define PREPARE_VALUES 20000 /* made by all rules together */

typedef struct prepare prepare;

/* Reads the rules. NULL: *error is a sentence that the caller frees (NULL: no memory). */
prepare *prepare_create(const json_t *rules, char **error);
void prepare_free(prepare *p);

/* A deep copy of the data with what the rules add; strings by `string` as template_options has it
 * (NULL: json_string_value()). NULL: no memory, or too many values (*too_large). */
json_t *prepare_apply(const prepare *p, const json_t *data,
                      const char *(*string)(void *ctx, const json_t *value, size_t *len), void *ctx,
                      bool *too_large);

#endif
