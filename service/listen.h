/*
 * listen - opening the socket that the service listens on: TCP or unix.
 */
#ifndef POSTERN_SERVICE_LISTEN_H
#define POSTERN_SERVICE_LISTEN_H

#include <stdbool.h>

#include "service/config.h"

/* A listening, non-blocking socket, and in *address how a client names it ("http://127.0.0.1:8025",
 * "https://[::1]:8443", "unix:/run/postern.sock"; the caller frees). -1 on a fault, and *error a
 * sentence the caller frees. A unix socket that nobody listens on any more is replaced; one in use,
 * or another kind of file, is not. */
int listen_open(const config_listen *where, bool tls, char **address, char **error);

#endif
