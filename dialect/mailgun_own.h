/*
 * mailgun_own - what the files of Mailgun's dialect share: mailgun.c (fields, answers) and
 * mailgun_drafts.c (one draft, or one for each recipient). Tests look at the tables.
 */
#ifndef POSTERN_DIALECT_MAILGUN_OWN_H
#define POSTERN_DIALECT_MAILGUN_OWN_H

#include "dialect/reader.h"

/* What is gathered of a body; all owned, but the body's root. */
typedef struct mailgun_reader {
    dialect_reader reader; /* its message is what all drafts share */
    const json_t *root;
    json_t *headers, *metadata;
    json_t *variables;  /* for a template, of v: */
    json_t *data;       /* … and of t:variables; NULL: none */
    json_t *recipients; /* recipient-variables; NULL: none */
    json_t *files;
    size_t weight; /* octets that trees of JSON in fields take, and the text they were made of */
    size_t looked; /* octets of texts that were gone through for copies */
    bool dry;
} mailgun_reader;

extern const dialect_member mailgun_fields[], mailgun_mime_fields[];

/* Where in the body it stands what a draft has there. */
void mailgun_origin(const dialect_body *body, const char *pointer, char out[FAULTS_POINTER_MAX]);

/* Fills the plan, of a reader that has found no fault. */
void mailgun_drafts(mailgun_reader *m, dialect_plan *plan);

#endif
