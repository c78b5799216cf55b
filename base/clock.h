/*
 * clock - the monotonic clock that timeouts and timings are measured with, and the time of day.
 */
#ifndef POSTERN_BASE_CLOCK_H
#define POSTERN_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_read_us(clockid_t clock)
{
    struct timespec ts;
    (void)clock_gettime(clock, &ts); /* cannot fail with these clocks on Linux */
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Microseconds since an arbitrary point; never goes back. */
static inline int64_t clock_us(void)
{
    return clock_read_us(CLOCK_MONOTONIC);
}

/* Microseconds since 1970 (UTC), as the system has them: they may jump. */
static inline int64_t clock_wall_us(void)
{
    return clock_read_us(CLOCK_REALTIME);
}

#endif
