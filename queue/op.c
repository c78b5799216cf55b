/* What belongs to operations and messages themselves: names, days, giving back what they hold. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "queue/backend.h"

#define TIME_CHARACTERS 10 /* of an id, in front: milliseconds since 1970 */
#define LAST_DAY        99991231

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; /* Crockford's */

static const char *const state_names[QUEUE_STATES] = {
    [QUEUE_QUEUED] = "queued",       [QUEUE_SENDING] = "sending",     [QUEUE_SENT] = "sent",
    [QUEUE_PARTIAL] = "partial",     [QUEUE_FAILED_STATE] = "failed", [QUEUE_EXPIRED] = "expired",
    [QUEUE_CANCELLED] = "cancelled", [QUEUE_UNKNOWN] = "unknown",
};

const char *queue_state_name(queue_state s)
{
    return state_names[s];
}

bool queue_state_parse(const char *name, queue_state *out)
{
    for (int s = 0; s < QUEUE_STATES; s++) {
        if (strcmp(name, state_names[s]) == 0) {
            *out = (queue_state)s;
            return true;
        }
    }
    return false;
}

bool queue_kind_reads(queue_kind kind)
{
    static const bool reads[QUEUE_KINDS] = {
        [QUEUE_GET] = true,          [QUEUE_LIST] = true,  [QUEUE_SUPPRESSED] = true,
        [QUEUE_SUPPRESSIONS] = true, [QUEUE_STATS] = true, [QUEUE_COUNT] = true,
    };
    return reads[kind];
}

int queue_day_at(int64_t us)
{
    struct tm t;
    time_t seconds = (time_t)(us / 1000000);
    if (!gmtime_r(&seconds, &t))
        return 0;
    return (t.tm_year + 1900) * 10000 + (t.tm_mon + 1) * 100 + t.tm_mday;
}

static struct tm start_of(int day)
{
    return (struct tm){
        .tm_year = day / 10000 - 1900, .tm_mon = day / 100 % 100 - 1, .tm_mday = day % 100};
}

void queue_first_id(int day, char out[QUEUE_FIRST_ID])
{
    struct tm t = start_of(day);
    uint64_t ms = (uint64_t)timegm(&t) * 1000;
    for (int i = TIME_CHARACTERS - 1; i >= 0; i--, ms >>= 5)
        out[i] = alphabet[ms & 31];
    out[TIME_CHARACTERS] = '\0';
}

int queue_next_day(int day)
{
    struct tm t = start_of(day);
    t.tm_mday++;
    (void)timegm(&t);
    return (t.tm_year + 1900) * 10000 + (t.tm_mon + 1) * 100 + t.tm_mday;
}

int queue_day_of(const char *id)
{
    uint64_t ms = 0;

    for (size_t i = 0; i < QUEUE_ID; i++) {
        const char *found = id[i] ? strchr(alphabet, id[i]) : NULL;
        if (!found)
            return 0;
        if (i < TIME_CHARACTERS)
            ms = ms << 5 | (uint64_t)(found - alphabet);
    }
    int day = queue_day_at((int64_t)(ms * 1000));
    return id[QUEUE_ID] == '\0' && day <= LAST_DAY ? day : 0;
}

void queue_message_clear(queue_message *m)
{
    free(m->head);
    free(m->recipients);
    free(m->log);
    if (m->body.data)
        free((char *)m->body.data);
    else if (m->body.fd >
             0) /* a backend never gives 0, so that a message of zeros can be cleared */
        (void)close(m->body.fd);
    *m = (queue_message){.body = {.fd = -1}};
}

void queue_op_clear(queue_op *op)
{
    for (size_t i = 0; i < op->message_count; i++)
        queue_message_clear(&op->messages[i]);
    for (size_t i = 0; i < op->suppressed_count; i++) {
        free(op->suppressed[i].address);
        free(op->suppressed[i].list);
        free(op->suppressed[i].reason);
    }
    for (size_t i = 0; i < op->event_count; i++)
        free(op->events[i].payload);
    free(op->messages);
    free(op->suppressed);
    free(op->events);
    free(op->error);
    free(op->answer);
    op->messages = NULL;
    op->suppressed = NULL;
    op->events = NULL;
    op->error = op->answer = NULL;
    op->message_count = op->suppressed_count = op->event_count = 0;
    op->outcome = QUEUE_OK;
    op->next[0] = '\0';
    op->found = QUEUE_QUEUED;
    op->status = 0;
    op->next_due = 0;
    memset(&op->stats, 0, sizeof op->stats);
    memset(&op->counts, 0, sizeof op->counts);
}
