/*
 * serve - the command `postern serve`: puts the parts together, runs until SIGTERM or SIGINT,
 * drains.
 */
#ifndef POSTERN_SERVICE_SERVE_H
#define POSTERN_SERVICE_SERVE_H

/* Like the entries in cli.h. */
int serve(int argc, char **argv, const char *const *environment);

#endif
