/*
 * write - what a rendering writes with: its bounds, and values as text. Of this layer alone.
 */
#ifndef POSTERN_TEMPLATE_WRITE_H
#define POSTERN_TEMPLATE_WRITE_H

#include "template/program.h"

typedef struct writer {
    buf *out;
    size_t left;    /* octets that may be added */
    uint64_t steps; /* that may be taken */
    template_kind kind;
    const template_options *options;
    const char *stopped; /* NULL, or the sentence of a fault: nothing is to be done any more */
} writer;

/* False: nothing was written, and `stopped` says why. */
bool writer_add(writer *w, const char *text, size_t len);

/* Takes steps. */
bool writer_step(writer *w, uint64_t steps);

/* The octets of a string. */
slice writer_string(const writer *w, const json_t *value);

/* A value as the kind has it, or raw. */
bool writer_value(writer *w, const json_t *value, bool raw);

/* Makes what is in `b` from `from` on fit for a header: one blank for every run of controls and
 * blanks, and none at its ends. */
void writer_collapse(buf *b, size_t from);

#endif
