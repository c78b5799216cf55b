/* The tables of replies_known.c, unpacked when the first reply is to be explained: a relay that
 * takes all mail costs no memory for them. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/packed.h"
#include "smtp/replies.h"
#include "smtp/replies_packed.h"

_Static_assert(1U << SMTP_STAGE_COUNT <= SMTP_PACKED_STAGES, "stages fit");

extern const char smtp_replies_packed[], smtp_replies_packed_end[]; /* replies.S */

/* ---- without memory ---- */

static const smtp_pattern by_digit[] = {
    {~0U, 400, 499, SMTP_CAUSE_BUSY, SMTP_TURN_CODE, false, 0, NULL, NULL, NULL},
    {~0U, 500, 599, SMTP_CAUSE_POLICY, SMTP_TURN_CODE, false, 0, NULL, NULL, NULL},
};
static const smtp_known least = {.last = {by_digit, sizeof by_digit / sizeof *by_digit}};

/* ---- unpacking ---- */

static unsigned take(const char **at)
{
    return (unsigned char)*(*at)++;
}

static unsigned take_number(const char **at)
{
    unsigned low = take(at);
    return low | take(at) << 8;
}

static const char *take_text(const char **at)
{
    const char *s = *at;
    *at += strlen(s) + 1;
    return strcmp(s, SMTP_PACKED_NULL) == 0 ? NULL : s;
}

static bool take_patterns(const char **at, smtp_patterns *out)
{
    size_t count = take_number(at);
    smtp_pattern *list = calloc(count, sizeof *list);

    out->list = list;
    out->count = count;
    for (size_t i = 0; list && i < count; i++) {
        smtp_pattern *p = &list[i];
        p->stages = take_number(at);
        p->code = (short)take_number(at);
        p->code_to = (short)take_number(at);
        p->cause = (unsigned char)take(at);
        p->turn = (unsigned char)take(at);
        p->known_relay = take(at);
        p->source = (unsigned char)take(at);
        p->enhanced = take_text(at);
        p->words = take_text(at);
        p->hint = take_text(at);
    }
    return list;
}

static bool take_statuses(const char **at, smtp_statuses *out)
{
    size_t count = take_number(at);
    smtp_status_row *list = calloc(count, sizeof *list);

    out->list = list;
    out->count = count;
    for (size_t i = 0; list && i < count; i++) {
        smtp_status_row *s = &list[i];
        s->subject = (unsigned char)take(at);
        s->detail = (unsigned char)take(at);
        s->cause = (unsigned char)take(at);
        s->meaning = take_text(at);
        s->hint = take_text(at);
    }
    return list;
}

/* The tables, and the text that they point into. */
typedef struct unpacked {
    smtp_known known; /* the first: this is what is given out */
    buf text;
} unpacked;

static void drop(unpacked *u)
{
    if (!u)
        return;
    free((void *)u->known.first.list);
    free((void *)u->known.last.list);
    free((void *)u->known.statuses.list);
    buf_free(&u->text);
    free(u);
}

static unpacked *unpack(void)
{
    unpacked *u = calloc(1, sizeof *u);

    if (!u)
        return NULL;
    packed_write(smtp_replies_packed, smtp_replies_packed_end, &u->text);
    const char *at = u->text.data;
    if (!buf_ok(&u->text) || !take_patterns(&at, &u->known.first) ||
        !take_patterns(&at, &u->known.last) || !take_statuses(&at, &u->known.statuses)) {
        drop(u);
        return NULL;
    }
    return u;
}

const smtp_known *smtp_known_get(void)
{
    /* Written once, and always with the same: who comes second keeps what the first has put. */
    static _Atomic(unpacked *) kept;
    unpacked *have = atomic_load_explicit(&kept, memory_order_acquire);

    if (have)
        return &have->known;
    unpacked *made = unpack();
    if (!made)
        return &least;
    if (atomic_compare_exchange_strong(&kept, &have, made))
        return &made->known;
    drop(made);
    return &have->known;
}
