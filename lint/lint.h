/*
 * lint - what a spam filter, and the reader's program, will see in a message, before it is sent.
 *
 * One table (rules_table.h) has the rules: code, severity, why and cure, and the function that
 * looks. What they look at is what a message is made of, not its bytes. HTML is read by
 * mime/html.h, after the standard, with the inline styles and simple rules of <style> that decide
 * whether text is seen.
 *
 * An error is what gets mail refused, or its content dropped, or what only fraud does; a warning
 * costs trust at filters; a note is for those who want it perfect. They are judgements of content
 * alone: of what the sender's name is worth nothing is known here.
 *
 * Of the HTML and of the text LINT_LOOKED_AT bytes are looked at; each rule tells of LINT_EACH
 * places at most. Time: linear in that, nearly. No recursion.
 *
 * Memory: the mail is borrowed; a report owns its list, lint_report_free(). Errors: false if memory
 * ran out. Threads: pure.
 */
#ifndef POSTERN_LINT_LINT_H
#define POSTERN_LINT_LINT_H

#include <stdbool.h>
#include <stddef.h>

#include "mime/address.h"
#include "mime/message.h"

#define LINT_LOOKED_AT ((size_t)1 << 20)
#define LINT_EACH      5
#define LINT_EXCERPT   96
#define LINT_PART      32

typedef enum lint_severity {
    LINT_NOTE,
    LINT_WARNING,
    LINT_ERROR,
    LINT_SEVERITIES /* how many */
} lint_severity;

typedef struct lint_attachment {
    mime_bytes filename, content_type; /* absent: none was given */
    const unsigned char *head;         /* its first octets, as many as are at hand */
    size_t head_len;
} lint_attachment;

typedef struct lint_mail {
    const mime_mailbox *from; /* required */
    mime_mailboxes reply_to;
    size_t recipients;
    mime_bytes subject, html, text;
    const mime_header *headers; /* the user's own */
    size_t header_count;
    const lint_attachment *attachments;
    size_t attachment_count;
    bool to_list;            /* it will get a List-Unsubscribe */
    const char *const *tags; /* ended by NULL; NULL: none */
} lint_mail;

typedef struct lint_finding {
    const char *code;  /* "hidden_text" */
    const char *fault; /* "lint.hidden_text" */
    lint_severity severity;
    char part[LINT_PART];       /* a JSON pointer into the request: "/html", "/attachments/0" */
    size_t line;                /* in that text, from 1 on; 0: it is about the whole */
    char excerpt[LINT_EXCERPT]; /* UTF-8, on one line; "": nothing to show */
    const char *why, *cure;     /* static */
} lint_finding;

typedef struct lint_report {
    lint_finding *list; /* in the table's order */
    size_t count;
    size_t of[LINT_SEVERITIES]; /* how many are so severe */
} lint_report;

/* Looks. False: memory ran out, and the report is empty. */
bool lint_check(const lint_mail *mail, lint_report *out);
void lint_report_free(lint_report *r);

const char *lint_severity_name(lint_severity severity); /* "note", "warning", "error" */

/* The table, for documents and tests: the code of rule `i`, and the rest where it is asked for;
 * NULL behind the last. */
const char *lint_rule_at(size_t i, lint_severity *severity, const char **why, const char **cure);

#endif
