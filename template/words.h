/*
 * words - what prepare makes of one string of other people's: a shorter one, a link that is none
 * but a link, the name in a Git reference, Slack's markup in pieces.
 *
 * All of it is pure: text in, JSON out. Text is UTF-8 (what isn't gives NULL, as jansson has it).
 * Memory: what is returned is the caller's; NULL: no memory, or no such thing. Threads: any.
 */
#ifndef POSTERN_TEMPLATE_WORDS_H
#define POSTERN_TEMPLATE_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#define WORDS_LINK_MAX 2048 /* octets of a link: no mail client and no browser wants more */

/* An absolute http: or https: URL with a host, and nothing in it that ends an attribute or a line:
 * fit for href. "javascript:" and the like are not. */
bool words_is_link(const char *s, size_t len);

/* The text, or, where it has more than `most` characters (code points), its beginning with an
 * ellipsis: `most` characters at most. *more: how many are left out. */
json_t *words_few(const char *s, size_t len, size_t most, size_t *more);

/* The first 8 digits of a commit's hash; NULL: it is none, or is all zeros (Git's "none"). */
json_t *words_short(const char *s, size_t len);

typedef enum words_ref_kind { WORDS_REF_OTHER, WORDS_REF_BRANCH, WORDS_REF_TAG } words_ref_kind;

/* "refs/heads/a/b" is the branch a/b, "refs/tags/v1" the tag v1; others stay as they are. */
json_t *words_ref(const char *s, size_t len, words_ref_kind *kind);

/* Slack's mrkdwn (reference/messaging/formatting): links and mentions in <>, *bold*, `code`, and
 * the three entities. One item a line:
 *   {"spans": [{"text": "see ", "url": "", "bold": false, "code": false},
 *              {"text": "run 812", "url": "https://…", "bold": false, "code": false}]}
 * A link that words_is_link() (or mailto:) doesn't want is its text. All members are there always,
 * so that a template doesn't find one of the same name further out. */
json_t *words_mrkdwn(const char *s, size_t len);

/* What words_mrkdwn() gave, without the markup: its texts. */
json_t *words_plain(const json_t *lines);

#endif
