/*
 * address_guard - which addresses anybody may be reached at, and which are some network's own: what
 * keeps a URL that a stranger chose from pointing at this host or its neighbours (SSRF).
 *
 * Judged after the IANA registries of special-purpose addresses (RFC 6890, as of 2025). Only what
 * the registries leave to the public, or mark as globally reachable for hosts, is public. IPv4
 * addresses in IPv6 ones (mapped, NAT64, 6to4) are judged by themselves; those whose packets can't
 * be foreseen (Teredo, a network's own NAT64 prefix) are not public.
 *
 * Pure, no memory, any thread.
 */
#ifndef POSTERN_QUEUE_ADDRESS_GUARD_H
#define POSTERN_QUEUE_ADDRESS_GUARD_H

#include <stddef.h>

#include <sys/socket.h>

/* NULL: it is public. Else what it is: "a loopback address" (static). All but IPv4 and IPv6, and
 * what is too short for its family, is not public. */
const char *address_guard_fault(const struct sockaddr *address, size_t len);

#endif
