/* The tables of replies_known.c, unpacked when they are first asked for. */
#include "smtp/replies_packed.h"

extern const char smtp_replies[], smtp_replies_end[]; /* pack/packed.S */

/* Without memory. */
static const smtp_pattern by_digit[] = {
    {~0U, 400, 499, SMTP_CAUSE_BUSY, SMTP_TURN_CODE, false, 0, NULL, NULL, NULL},
    {~0U, 500, 599, SMTP_CAUSE_POLICY, SMTP_TURN_CODE, false, 0, NULL, NULL, NULL},
};

smtp_known smtp_known_get(void)
{
    static packed_kept kept = {smtp_replies, smtp_replies_end, smtp_replies_layouts, 3, NULL};
    const packed_table *t = packed_get(&kept);

    if (!t)
        return (smtp_known){.last = {by_digit, sizeof by_digit / sizeof *by_digit}};
    return (smtp_known){{t[0].rows, t[0].count}, {t[1].rows, t[1].count}, {t[2].rows, t[2].count}};
}
