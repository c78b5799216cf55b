"""What the kernel says of a process: CPU time, memory. And the arithmetic of rounds."""

import os
import statistics
import time

TICK = os.sysconf("SC_CLK_TCK")
CPUCLOCK_SCHED = 2


def cpu_seconds(pid):
    """User and system time of all threads of a living process, ended threads too.

    The kernel's CPU clock of the process counts in nanoseconds; where it can't be read, /proc counts in ticks.
    """
    try:
        return time.clock_gettime((~pid << 3) | CPUCLOCK_SCHED)
    except OSError:
        return ticks(pid) / TICK


def ticks(pid):
    """utime + stime."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def memory_kb(pid, field):
    """VmRSS, or VmHWM (its peak): KiB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        for line in f:
            if line.startswith(field + ":"):
                return int(line.split()[1])
    raise KeyError(field)


def median(values):
    """The median, or None where a round has no such figure."""
    values = list(values)
    return None if None in values or not values else statistics.median(values)


def median_of(rounds, key):
    """The median of one figure of the rounds."""
    return median(r.get(key) for r in rounds)
