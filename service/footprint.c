#include "service/footprint.h"

#include <link.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "service/file.h"

#define SEGMENTS_MAX 16 /* of an object: four are usual */

typedef struct range {
    uintptr_t from, to;
} range;

typedef struct trim {
    uintptr_t page;
    uintptr_t vdso; /* the kernel's own object; no file is behind it */
    size_t given;
} trim;

/* An address out of the program's headers is a number first. */
static void *at_address(uintptr_t address)
{
    return (void *)address; /* NOLINT(performance-no-int-to-ptr) */
}

/* Code that was relocated differs from its file. */
static bool has_text_relocations(const struct dl_phdr_info *object)
{
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        if (header->p_type != PT_DYNAMIC)
            continue;
        const ElfW(Dyn) *entry = at_address(object->dlpi_addr + header->p_vaddr);
        for (; entry->d_tag != DT_NULL; entry++) {
            if (entry->d_tag == DT_TEXTREL ||
                (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL)))
                return true;
        }
    }
    return false;
}

static void trim_range(trim *t, range r)
{
    uintptr_t first = (r.from + t->page - 1) / t->page * t->page;
    uintptr_t end = r.to / t->page * t->page;
    if (first < end && madvise(at_address(first), end - first, MADV_DONTNEED) == 0)
        t->given += end - first;
}

static int trim_object(struct dl_phdr_info *object, size_t size, void *ctx)
{
    trim *t = ctx;
    range ranges[SEGMENTS_MAX];
    size_t count = 0;
    (void)size;
    if (has_text_relocations(object))
        return 0;
    for (size_t i = 0; i < object->dlpi_phnum && count < SEGMENTS_MAX; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        uintptr_t from = object->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_LOAD && !(header->p_flags & PF_W) && from != t->vdso)
            ranges[count++] = (range){from, from + header->p_filesz};
    }
    /* Only now: the headers are in one of them. */
    for (size_t i = 0; i < count; i++)
        trim_range(t, ranges[i]);
    return 0;
}

/* Under a debugger, strace or the like: breakpoints are written into the code. */
static bool is_traced(void)
{
    char *error = NULL;
    char *status = file_read("/proc/self/status", FILE_SMALL, NULL, &error);
    bool traced = status && !strstr(status, "\nTracerPid:\t0\n");
    free(status);
    free(error);
    return traced;
}

size_t footprint_trim(void)
{
    trim t = {.page = (uintptr_t)sysconf(_SC_PAGESIZE), .vdso = getauxval(AT_SYSINFO_EHDR)};

    if (is_traced())
        return 0;
    (void)dl_iterate_phdr(trim_object, &t);
    (void)malloc_trim(0);
    return t.given;
}
