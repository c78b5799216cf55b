/*
 * digits - two decimal digits at once.
 *
 * Numbers are in each log line, answer and time: a look into a table for two digits takes half the
 * divisions.
 */
#ifndef POSTERN_BASE_DIGITS_H
#define POSTERN_BASE_DIGITS_H

#include <stddef.h>
#include <string.h>

static const char digits_pairs[] = "00010203040506070809101112131415161718192021222324"
                                   "25262728293031323334353637383940414243444546474849"
                                   "50515253545556575859606162636465666768697071727374"
                                   "75767778798081828384858687888990919293949596979899";

/* Of n < 100. */
static inline void digits_pair(char *to, unsigned n)
{
    memcpy(to, digits_pairs + (size_t)n * 2, 2);
}

#endif
