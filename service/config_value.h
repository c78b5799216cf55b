/*
 * config_value - reading the texts that settings are written as.
 *
 * Each reader takes a C string and either fills *out and returns true, or returns false and leaves
 * it alone. Pure.
 */
#ifndef POSTERN_SERVICE_CONFIG_VALUE_H
#define POSTERN_SERVICE_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "service/config.h"

/* "100". */
bool config_value_number(const char *s, int64_t *out);

/* Bytes: "41943040", "512KiB", "40MiB", "1GiB", "40kB", "40MB", "1GB", "100B"; units in any case.
 * "40M" is refused: it means two things. */
bool config_value_size(const char *s, int64_t *out);

/* Microseconds: "500ms", "60s", "2m", "1h", "30d". A unit is required. */
bool config_value_duration(const char *s, int64_t *out);

/* "on" or "off". */
bool config_value_switch(const char *s, bool *out);

/* The opposite way, for faults and help: the largest unit that divides the value. */
void config_value_show_size(int64_t bytes, buf *out);
void config_value_show_duration(int64_t us, buf *out);

/* "host:port", "[v6]:port" or "unix:/path". On a fault false, *out empty, and *reason a static
 * sentence; out of memory is one of them. */
bool config_value_listen(const char *s, config_listen *out, const char **reason);

/* The next item of a list whose items are parted by commas or line ends (but not by a comma inside
 * double quotes), blanks around it taken off, empty ones passed over. *at moves behind it; false at
 * the end. */
bool config_value_item(const char **at, const char **item, size_t *len);

/* Edit distance (insert, delete, replace, swap of neighbours), at most `limit` + 1. Strings over 63
 * characters are as far as can be. */
size_t config_value_distance(const char *a, const char *b, size_t limit);

#endif
