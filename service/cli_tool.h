/*
 * cli_tool - what the commands share: complaints, output, settings, input, and waiting for a relay.
 */
#ifndef POSTERN_SERVICE_CLI_TOOL_H
#define POSTERN_SERVICE_CLI_TOOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/buf.h"
#include "mime/message.h"
#include "service/config.h"
#include "service/templates.h"
#include "smtp/sender.h"

/* Writes "postern: …" and a line end to stderr; returns `code`. */
int cli_complain(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says that memory ran out; returns CLI_NO_MEMORY. */
int cli_no_memory(void);

/* Writes everything, and makes sure it got there: CLI_OK, or an exit code after having complained.
 */
int cli_print(FILE *to, const buf *text);

/* Writes JSON, indented if asked for or if a terminal reads it. */
int cli_print_json(FILE *to, const buf *json, bool indent);

/* Writes a message to stdout, as .eml. */
int cli_print_message(const mime_message *m);

/* Compact JSON with line ends and two spaces for each level; the values as they are. */
void cli_indent(const buf *json, buf *out);

/* Adds text that somebody else chose, fit for a terminal: a line end becomes " / ", other controls
 * become "?". */
void cli_add_visible(buf *out, const char *text);

/* The settings; NULL, and *code the exit code, after having written the faults. */
config *cli_config(const char *const *environment, int *code);

/* The templates of the settings; NULL, and *code the exit code, after having written the faults
 * (cli_templates.c). */
templates *cli_templates(const config *c, int *code);

/* The content of a file, or with "-" of stdin, with a NUL behind it; the caller frees. NULL, and
 * *code the exit code, after having complained. */
char *cli_read(const char *path, size_t *len, int *code);

/* A sender with one thread; NULL after having complained. */
smtp_sender *cli_sender(const config *c);
void cli_sender_free(smtp_sender *s);

/* One result that is waited for: cli_wait_done is an smtp_done with a cli_wait as its context. */
typedef struct cli_wait {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool done;
    smtp_result *result;
} cli_wait;

void cli_wait_init(cli_wait *w);
void cli_wait_done(void *ctx, smtp_result *result);

/* Blocks until it came. Gives the result to the caller (NULL: memory ran out) and ends the wait. */
smtp_result *cli_wait_end(cli_wait *w);

#endif
