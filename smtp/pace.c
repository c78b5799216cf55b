#include "smtp/pace.h"

#include <stdlib.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)
#define FINE      INT64_C(1024) /* parts of a microsecond: 1,000,000 a second is still exact enough */
#define BURST     (SECOND_US * FINE / 10)
#define COUNT_MAX 1000000
#define PATIENCE  (10 * SECOND_US) /* after a word, until there is one more */
#define ONE_WORD  SECOND_US        /* what is said within is one word */

bool smtp_pace_read_rate(const char *text, int64_t *each_us)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    size_t digits = strspn(text, "0123456789");
    long count = digits >= 1 && digits <= 7 ? strtol(text, NULL, 10) : 0;

    if (count < 1 || count > COUNT_MAX || text[digits] != '/' || text[digits + 1] == '\0' ||
        text[digits + 2] != '\0')
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (units[i].unit == text[digits + 1]) {
            *each_us = units[i].seconds * SECOND_US * FINE / count;
            return true;
        }
    }
    return false;
}

void smtp_pace_init(smtp_pace *p, unsigned sessions, int64_t each_us)
{
    p->each_us = each_us;
    p->sessions = sessions;
    atomic_init(&p->due, 0);
    atomic_init(&p->allowed, 0);
    atomic_init(&p->slowed, 0);
}

int64_t smtp_pace_take(smtp_pace *p, size_t recipients, int64_t now)
{
    if (p->each_us == 0)
        return 0;
    int64_t fine = now * FINE;
    long long due = atomic_load_explicit(&p->due, memory_order_relaxed);
    for (;;) {
        if (due - BURST > fine)
            return (due - BURST) / FINE + 1;
        int64_t next = (due > fine ? due : fine) + p->each_us * (int64_t)recipients;
        if (atomic_compare_exchange_weak_explicit(&p->due, &due, next, memory_order_relaxed,
                                                  memory_order_relaxed))
            return 0;
    }
}

static bool too_much(const smtp_reply *reply)
{
    return reply->code == 421 ||
           (reply->code >= 400 && reply->code < 500 && strncmp(reply->enhanced, "4.7.", 4) == 0);
}

unsigned smtp_pace_sessions(const smtp_pace *p, int64_t now)
{
    unsigned allowed = atomic_load_explicit(&p->allowed, memory_order_relaxed);
    if (allowed == 0)
        return p->sessions;
    int64_t quiet = now - atomic_load_explicit(&p->slowed, memory_order_relaxed) - PATIENCE;
    int64_t more = quiet < 0 ? 0 : 1 + quiet / SECOND_US;
    return more >= (int64_t)p->sessions - (int64_t)allowed ? p->sessions : allowed + (unsigned)more;
}

void smtp_pace_heard(smtp_pace *p, const smtp_reply *reply, int64_t now)
{
    if (!too_much(reply))
        return;
    unsigned half = smtp_pace_sessions(p, now) / 2;
    long long since = atomic_load_explicit(&p->slowed, memory_order_relaxed);
    bool same =
        atomic_load_explicit(&p->allowed, memory_order_relaxed) != 0 && now - since < ONE_WORD;
    /* Who changes the time has the word; the others were told the same. */
    if (same || !atomic_compare_exchange_strong_explicit(
                    &p->slowed, &since, now, memory_order_relaxed, memory_order_relaxed))
        return;
    atomic_store_explicit(&p->allowed, half > 0 ? half : 1, memory_order_relaxed);
}
