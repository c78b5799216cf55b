/*
 * lint_own - what the files of lint share: lint.c (the table, findings), rules_*.c (what looks).
 * Nobody else includes it.
 */
#ifndef POSTERN_LINT_LINT_OWN_H
#define POSTERN_LINT_LINT_OWN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "lint/lint.h"
#include "lint/page.h"
#include "lint/words.h"

typedef struct lint_rule lint_rule;
typedef struct lint_rule_text lint_rule_text;

typedef struct lint_context {
    const lint_mail *mail;
    mime_bytes html, text;       /* as much of them as is looked at */
    page page;                   /* of the HTML; empty if there is none */
    buf found;                   /* an array of lint_finding */
    const lint_rule *rule;       /* whose turn it is */
    const lint_rule_text *texts; /* in the order of rules */
    size_t told;                 /* of its findings */
    bool failed;                 /* no memory */
} lint_context;

struct lint_rule {
    const char *code; /* "lint.hidden_text" */
    lint_severity severity;
    page_mark_kind mark; /* what lint_marks() looks for */
    void (*check)(lint_context *c);
};

struct lint_rule_text {
    const char *why, *cure;
};

/* Tells of something in a part: "/subject"; `line` as in lint.h. */
void lint_tell(lint_context *c, const char *part, size_t line, const char *excerpt, size_t len);

/* The same of a place in the HTML, or its visible text, or the given text. */
void lint_tell_html(lint_context *c, size_t at, const char *excerpt, size_t len);
void lint_tell_seen(lint_context *c, words_span span);
void lint_tell_text(lint_context *c, words_span span);
void lint_tell_attachment(lint_context *c, size_t index, const char *excerpt, size_t len);

/* The user's header of that name; absent: there is none. */
mime_bytes lint_header(const lint_mail *mail, const char *name);

static inline bool lint_is(mime_bytes b)
{
    return b.data && b.len > 0;
}

/* rules_subject.c */
void lint_no_subject(lint_context *c);
void lint_shouting(lint_context *c);
void lint_signs(lint_context *c);
void lint_bait_subject(lint_context *c);
void lint_false_reply(lint_context *c);
void lint_spaced(lint_context *c);
void lint_question(lint_context *c);
void lint_subject_money(lint_context *c);
/* rules_sender.c */
void lint_reply_to(lint_context *c);
void lint_name_spoof(lint_context *c);
void lint_name_repeats(lint_context *c);
void lint_unsubscribe(lint_context *c);
void lint_sender_script(lint_context *c);
/* rules_page.c */
void lint_marks(lint_context *c);
void lint_image_only(lint_context *c);
void lint_image_heavy(lint_context *c);
void lint_image_short(lint_context *c);
void lint_markup_heavy(lint_context *c);
void lint_clipped(lint_context *c);
/* rules_links.c */
void lint_link_text(lint_context *c);
void lint_link_address(lint_context *c);
void lint_link_http(lint_context *c);
void lint_link_script(lint_context *c);
void lint_link_shortener(lint_context *c);
void lint_link_port(lint_context *c);
void lint_link_escaped(lint_context *c);
void lint_link_host(lint_context *c);
void lint_link_many(lint_context *c);
/* rules_text.c */
void lint_no_text(lint_context *c);
void lint_unlike_text(lint_context *c);
void lint_zero_width(lint_context *c);
void lint_homoglyph(lint_context *c);
void lint_bait_text(lint_context *c);
void lint_text_charged(lint_context *c);
void lint_text_shouting(lint_context *c);
void lint_text_money(lint_context *c);
void lint_placeholder(lint_context *c);
/* rules_attachment.c */
void lint_blocked(lint_context *c);
void lint_double_ending(lint_context *c);
void lint_disguised(lint_context *c);
void lint_locked(lint_context *c);
void lint_macro(lint_context *c);

#endif
