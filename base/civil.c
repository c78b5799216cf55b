#include "base/civil.h"

#include <string.h>

static void digits_before(char *end, unsigned n, int count)
{
    for (; count > 0; count--, n /= 10)
        *--end = (char)('0' + n % 10);
}

void civil_time(int64_t us, char out[CIVIL_TIME + 1])
{
    static const char form[CIVIL_TIME + 1] = "0000-00-00T00:00:00.000Z";
    const int64_t last = (CIVIL_LAST + INT64_C(1)) * 86400000 - 1;
    int64_t ms = us < 0 ? 0 : us / 1000 < last ? us / 1000 : last;
    unsigned of_day = (unsigned)(ms % 86400000);
    civil_day d = civil_of((uint32_t)(ms / 86400000));

    memcpy(out, form, sizeof form);
    digits_before(out + 4, d.year, 4);
    digits_before(out + 7, d.month, 2);
    digits_before(out + 10, d.day, 2);
    digits_before(out + 13, of_day / 3600000, 2);
    digits_before(out + 16, of_day / 60000 % 60, 2);
    digits_before(out + 19, of_day / 1000 % 60, 2);
    digits_before(out + 23, of_day % 1000, 3);
}
