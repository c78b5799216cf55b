/*
 * sendgrid_own - what the parts of SendGrid's dialect share: sendgrid.c answers, sendgrid_read.c
 * has the tables and makes drafts, sendgrid_more.c headers and arguments, sendgrid_texts.c footers
 * and substitutions.
 */
#ifndef POSTERN_DIALECT_SENDGRID_OWN_H
#define POSTERN_DIALECT_SENDGRID_OWN_H

#include "dialect/reader.h"
#include "dialect/replace.h"

enum { SENDGRID_TEXT, SENDGRID_HTML, SENDGRID_CONTENTS };

/* What a body says, and the personalization at hand. */
typedef struct sendgrid_mail {
    const json_t *subject, *headers, *arguments, *sections, *batch;
    json_t *parsed;                     /* owned: arguments that came as a text */
    json_t *content[SENDGRID_CONTENTS]; /* owned */
    bool content_given, template_given, reply_to_given, dry;
    bool footer;
    const json_t *footer_parts[SENDGRID_CONTENTS];
    size_t recipients, made; /* made: octets of texts with footers */
    replace_budget budget;
    struct {
        const json_t *subject, *headers, *arguments, *substitutions;
        size_t to;
    } own;
} sendgrid_mail;

static inline sendgrid_mail *sendgrid_mail_of(const dialect_reader *r)
{
    return r->ctx;
}

/* ---- sendgrid_read.c ---- */

void sendgrid_read(const dialect_body *body, dialect_plan *plan);

/* ---- sendgrid_more.c ---- */

/* Members of the request and, "own", of a personalization. */
bool sendgrid_read_headers(dialect_reader *r, const char *pointer, const json_t *value);
bool sendgrid_read_own_headers(dialect_reader *r, const char *pointer, const json_t *value);
bool sendgrid_read_arguments(dialect_reader *r, const char *pointer, const json_t *value);
bool sendgrid_read_own_arguments(dialect_reader *r, const char *pointer, const json_t *value);

/* Both, merged, into the draft; the pointer is the personalization's. */
void sendgrid_set_headers(dialect_reader *r);
void sendgrid_set_metadata(dialect_reader *r, const char *pointer);

/* The octets of names and texts of an object. */
size_t sendgrid_weigh(const dialect_reader *r, const json_t *object);

/* ---- sendgrid_texts.c ---- */

/* To the request's content, if a footer is asked for. */
void sendgrid_add_footers(dialect_reader *r);

/* Substitutions and sections, in the draft's subject, texts and reply_to. */
void sendgrid_replace(dialect_reader *r, const char *pointer);

#endif
