/*
 * when - times and durations as requests write them.
 *
 * Times are microseconds since 1970. Pure: the caller brings the clock.
 */
#ifndef POSTERN_SERVICE_WHEN_H
#define POSTERN_SERVICE_WHEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An RFC 3339 date-time with its offset: "2026-11-24T10:00:00Z", "2026-11-24T18:00:00.5+08:00".
 * Years 1970 to 9999; a leap second is the second after it. False if it is none. */
bool when_parse(const char *s, size_t len, int64_t *us);

#endif
