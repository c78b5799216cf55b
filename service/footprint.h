/*
 * footprint - gives back what only the start has needed.
 *
 * The dynamic loader and the libraries' initialisation touch some ten megabytes of the libraries'
 * files, most of which is never looked at again: symbol tables, relocations, constructors.
 * footprint_trim() takes those pages out of the process (the page cache keeps them; what is touched
 * again is mapped again), and returns the heap's free memory. It changes nothing but what the
 * process is charged with, so it can fail in silence.
 *
 * Only segments that can't be written are taken, whole pages of them, of objects whose code was not
 * relocated: what is in such a page is what is in the file. Where something else may have written
 * there - a debugger's breakpoints, valgrind, a sanitizer's run-time - nothing is done.
 */
#ifndef POSTERN_SERVICE_FOOTPRINT_H
#define POSTERN_SERVICE_FOOTPRINT_H

#include <stddef.h>

/* Any thread, at any time. Returns how many bytes of mappings were given back, needed or not. */
size_t footprint_trim(void);

#endif
