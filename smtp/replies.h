/*
 * replies - what is known of refusals: causes, providers' words, and the registered codes.
 *
 * Four tables:
 * - causes: what went wrong in one word, its category, who has to act, and the cure;
 * - patterns of known replies: the words of providers and of mail servers, each with its source,
 *   and behind them the words that say by themselves what is meant. The first that fits wins;
 * - the enhanced codes of IANA's registry (RFC 5248), and subjects alone;
 * - sources: where a pattern's words were read.
 *
 * classify.c makes faults of them. All but the causes is in the program packed, 11 KB of 45, and
 * unpacked when it is first asked for: by a sender that starts, or a command. Memory: what a row
 * points to stays as long as the process does.
 * Threads: any.
 */
#ifndef POSTERN_SMTP_REPLIES_H
#define POSTERN_SMTP_REPLIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp/sender.h"

typedef struct smtp_cause_row {
    const char *name;       /* "ip_reputation" */
    smtp_category category; /* of a reply with that cause */
    smtp_blame blame;       /* of one that is for good; one of 4yz is for the relay to mend */
    const char *hint;
} smtp_cause_row;

extern const smtp_cause_row smtp_causes[SMTP_CAUSE_COUNT];

/* When another try may help. */
typedef enum smtp_turn {
    SMTP_TURN_CODE,  /* as the code says: 4yz later, 5yz never */
    SMTP_TURN_LATER, /* later, though the code is 5yz */
    SMTP_TURN_NEVER  /* never without a change, though the code is 4yz */
} smtp_turn;

#define SMTP_PRESET_HINT "*" /* as `hint`: what the preset says of a refused login */

typedef struct smtp_pattern {
    unsigned stages;      /* 1 << smtp_stage, each; ~0: any */
    short code, code_to;  /* code_to 0: only `code` */
    unsigned char cause;  /* smtp_cause */
    unsigned char turn;   /* smtp_turn */
    bool known_relay;     /* only a relay that is a preset's */
    unsigned char source; /* into smtp_sources; 0: none, what anybody would say */
    const char *enhanced; /* "5.7.8", or "5.7." as a beginning; NULL: any */
    const char *words;    /* any of these, parted by "|", in lower case; NULL: any text */
    const char *hint;     /* NULL: the cause's */
} smtp_pattern;

typedef struct smtp_patterns {
    const smtp_pattern *list;
    size_t count;
} smtp_patterns;

typedef struct smtp_source_row {
    const char *who; /* "Gmail" */
    const char *url; /* where its replies are told */
} smtp_source_row;

extern const smtp_source_row smtp_sources[];
extern const size_t smtp_source_count;

/* A registered enhanced code, the class left off: "X.7.25" is 7, 25. */
typedef struct smtp_status_row {
    unsigned char subject, detail;
    unsigned char cause; /* SMTP_CAUSE_NONE: it says too little by itself; the stage does */
    const char *meaning; /* in a few words */
    const char *hint;    /* NULL: the cause's */
} smtp_status_row;

/* In the order of their codes; each subject has a row X.n.0. */
typedef struct smtp_statuses {
    const smtp_status_row *list;
    size_t count;
} smtp_statuses;

typedef struct smtp_known {
    smtp_patterns first, last; /* what comes before the registered codes, and what behind them */
    smtp_statuses statuses;
} smtp_known;

/* Unpacked for the first who asks, and kept; while there is no memory for that, what is left says
 * only what the first digit of a code does. */
smtp_known smtp_known_get(void);

/* The same as it is written down, with what the rows point to: for who packs it, and for tests. The
 * program has neither this nor smtp_sources. */
extern const smtp_known smtp_known_source;

/* The row of "5.7.25"; if the detail is not registered, its subject's ("X.7.0"); NULL: neither. */
const smtp_status_row *smtp_status_find(const char *enhanced);

/* Of a reply's text, searched for words: a reply may be far longer than what it says. */
#define SMTP_TEXT_MAX 2000

/* A reply's text as patterns want it. `pairs` has a bit for each two characters that stand side by
 * side, so that most words are known to be absent without a search. */
typedef struct smtp_text {
    size_t len;
    char s[SMTP_TEXT_MAX + 1]; /* ASCII in lower case, white space as one space; cut */
    uint64_t pairs[64];
} smtp_text;

void smtp_text_read(smtp_text *t, const char *text);

/* One of the words, parted by "|" and in lower case, stands in the text. */
bool smtp_text_has(const smtp_text *t, const char *words);

/* The first pattern of the list that fits; NULL: none. */
const smtp_pattern *smtp_pattern_find(const smtp_patterns *in, smtp_stage stage,
                                      const smtp_reply *reply, const smtp_text *text,
                                      const char *preset);

#endif
