#include "service/suppress.h"

#include <stdlib.h>
#include <string.h>

char **suppress_addresses(const char *const *recipients, size_t count)
{
    size_t octets = 0;
    for (size_t i = 0; i < count; i++)
        octets += strlen(recipients[i]) + 1;
    char **list = malloc((count + 1) * sizeof *list + octets);
    if (!list)
        return NULL;
    char *at = (char *)(list + count + 1);
    for (size_t i = 0; i < count; i++) {
        list[i] = at;
        for (const char *s = recipients[i]; *s; s++)
            *at++ = *s >= 'A' && *s <= 'Z' ? (char)(*s - 'A' + 'a') : *s;
        *at++ = '\0';
    }
    list[count] = NULL;
    return list;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const queue_suppressed *)a)->address, ((const queue_suppressed *)b)->address);
}

static const queue_suppressed *find(const queue_op *found, char *address)
{
    const queue_suppressed key = {.address = address};
    return found->suppressed_count == 0 ? NULL
                                        : bsearch(&key, found->suppressed, found->suppressed_count,
                                                  sizeof *found->suppressed, compare);
}

size_t suppress_mark(queue_op *found, char *const *addresses, size_t count, bool *marks)
{
    size_t n = 0;
    if (found->suppressed_count > 1)
        qsort(found->suppressed, found->suppressed_count, sizeof *found->suppressed, compare);
    for (size_t i = 0; i < count; i++) {
        marks[i] = find(found, addresses[i]) != NULL;
        n += marks[i];
    }
    return n;
}

const char *suppress_reason(const queue_op *found, char *address)
{
    const queue_suppressed *s = find(found, address);
    return s && s->reason && s->reason[0] ? s->reason : "it is suppressed";
}

void suppress_tell(const request *r, const queue_op *found, char *const *addresses, faults *errors)
{
    for (size_t i = 0; i < r->recipient_count; i++) {
        char pointer[FAULTS_POINTER_MAX];
        request_pointer(r, i, pointer);
        faults_add(errors, pointer, "suppressed", "Nothing is sent to this address: %s.",
                   suppress_reason(found, addresses[i]));
    }
}
