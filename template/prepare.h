/*
 * prepare - what Mustache cannot do with other people's JSON is done before: members are added
 * beside those that a rule names.
 *
 * A rule is a kind and JSON pointers (RFC 6901), in which a step that is one star stands for every
 * item of an array, or every member of an object. Rules are data of a template (its prepare.json),
 * read once, and applied in the order in which they stand there. Where a kind is wanted twice they
 * are a list of such objects:
 *
 *   {"flags": ["/status"], "times": ["/created_at", "/commits/0/timestamp"]}
 *
 *   entries  of "labels": {"a": 1, "b": "x"}, or [["a", 1], ["b", "x"]]
 *            "labels_entries": [{"name": "a", "value": 1}, {"name": "b", "value": "x"}]
 *   counts   of an array or object "commits"
 *            "commits_count": 3
 *   few      {"few": {"/commits": 20}}, pointers with numbers, of an array "commits"
 *            "commits_few": its first 20 items (the same, not copies); "commits_more": 5, how many
 *            are left out, if any. Of a string: its first 20 characters, of which the last is an
 *            ellipsis if there are more.
 *   flags    of "status": "firing" (or a number, or true)
 *            "status_is": {"firing": true}; of false and null: {}
 *   money    of "amount": 2000, an integer in the currency's smallest unit as Stripe counts it,
 *            with the "currency": "usd" of the nearest object around
 *            "amount_money": "20.00 USD"; where no currency is known: "20.00"
 *   times    of "at": 1700000000 (milliseconds where it is above 10^11), RFC 3339, or
 *            "2023-11-14 22:13:20 UTC"
 *            "at_time": "2023-11-14 22:13 UTC"; nothing where it is not after 1970
 *   lines    of "text": "a\nb\n"
 *            "text_lines": ["a", "b"]
 *   first    of the same
 *            "text_first": "a", the first line
 *   links    of "page": "https://example.com/"
 *            "page_url": the same. Of what is no link of http: or https: there is no "page_url",
 *            whatever the data say, here or anywhere else (a member of that name is null): what
 *            goes into href="" comes from here (words_is_link()).
 *   short    of a commit's hash "id": "0d1a26e67d8f…"
 *            "id_short": "0d1a26e6"
 *   refs     of "ref": "refs/heads/main"
 *            "ref_name": "main", "ref_kind_is": {"branch": true} (or tag, or nothing)
 *   mrkdwn   of "text", as Slack writes it
 *            "text_mrkdwn": its lines, as words_mrkdwn() has them, "text_plain": without markup;
 *            of at most 40,000 octets
 *   rows     of any value "data": a list of all that is in it, which a template can show readably
 *            "data_rows": [{"name": "a.b[0]", "label": "[0]", "value": "x", "group": false,
 *            "depth": 2, "px": 32, "indent": "    "}, ...]
 *            An object or array is a row with "group": true and no value before those of what is
 *            in it. What is more than PREPARE_ROW_DEPTH deep, the rest of a value of more than
 *            PREPARE_ROW_MAX octets, and what comes after PREPARE_ROWS rows is "…".
 *
 * Where the pointer is "" (the whole, an object) the member is "rows", "entries", … in the whole;
 * the whole's "postern", which a hook adds, has no rows.
 * What a pointer doesn't find, or finds of another type, is left as it is: payloads differ. A
 * member that is there already stays. At most PREPARE_VALUES values are made.
 *
 * Memory: rules are immutable and the caller's. prepare_apply() gives a new tree, in which a value
 * may stand twice (an entry's is the member's own). Threads: any.
 */
#ifndef POSTERN_TEMPLATE_PREPARE_H
#define POSTERN_TEMPLATE_PREPARE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#define PREPARE_VALUES    20000 /* made by all rules together */
#define PREPARE_ROWS      500
#define PREPARE_ROW_DEPTH 8
#define PREPARE_ROW_MAX   2000

typedef struct prepare prepare;

/* Reads the rules. NULL: *error is a sentence that the caller frees (NULL: no memory). */
prepare *prepare_create(const json_t *rules, char **error);
void prepare_free(prepare *p);

/* The data with what the rules add; strings by `string` as template_options has it (NULL:
 * json_string_value()). What no rule comes to is the data's own, which are not changed, and outlive
 * it. NULL: no memory, or too many values (*too_large). */
json_t *prepare_apply(const prepare *p, const json_t *data,
                      const char *(*string)(void *ctx, const json_t *value, size_t *len), void *ctx,
                      bool *too_large);

#endif
