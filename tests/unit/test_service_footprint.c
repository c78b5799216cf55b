/* Tests of service/footprint: pages of the files go, what is in them stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <unistd.h>

#include <cmocka.h>

#include "service/footprint.h"

/* So large that the middle of it is on pages of its own, which no neighbour brings back: the kernel
 * maps some 64 KiB around what is touched. */
#define LARGE  (1024 * 1024)
#define MIDDLE (LARGE / 2)

static const char constant[LARGE] = {[MIDDLE] = 'c', [LARGE - 1] = 'e'};
static char variable[LARGE] = {[MIDDLE] = 'v'};
static const char *const relocated[] = {constant + MIDDLE, "text"};

/* Whether the process has the page there: bit 63 of its entry (proc_pid_pagemap(5)). */
static bool is_mapped(const volatile char *at)
{
    uint64_t entry = 0;
    uintptr_t page = (uintptr_t)at / (uintptr_t)sysconf(_SC_PAGESIZE);
    int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &entry, sizeof entry, (off_t)(page * sizeof entry)), sizeof entry);
    close(fd);
    return entry >> 63;
}

static void constants_go_and_come_back_and_variables_stay(void **state)
{
    (void)state;
    /* volatile: read from memory, each time */
    const volatile char *c = constant + MIDDLE;
    volatile char *v = variable + MIDDLE;

    assert_int_equal(*c, 'c');
    *v = 'w';
    assert_true(is_mapped(c));
    assert_true(footprint_trim() >= LARGE / 2);
    assert_false(is_mapped(c));
    assert_true(is_mapped(v));
    assert_int_equal(*c, 'c');
    assert_int_equal(*v, 'w');
    assert_int_equal(constant[LARGE - 1], 'e');
    assert_ptr_equal(*(const char *const volatile *)relocated, constant + MIDDLE);
    assert_string_equal(relocated[1], "text");
}

static void it_can_be_done_again(void **state)
{
    (void)state;
    size_t first = footprint_trim();
    assert_true(first > 0);
    assert_int_equal(footprint_trim(), first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constants_go_and_come_back_and_variables_stay),
        cmocka_unit_test(it_can_be_done_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
