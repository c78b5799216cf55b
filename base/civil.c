#include "base/civil.h"

#include <string.h>

#include "base/digits.h"

void civil_time(int64_t us, char out[CIVIL_TIME + 1])
{
    static const char form[CIVIL_TIME + 1] = "0000-00-00T00:00:00.000Z";
    const int64_t last = (CIVIL_LAST + INT64_C(1)) * 86400000 - 1;
    int64_t ms = us < 0 ? 0 : us / 1000 < last ? us / 1000 : last;
    unsigned of_day = (unsigned)(ms % 86400000), second = of_day / 1000, minute = second / 60;
    civil_day d = civil_of((uint32_t)(ms / 86400000));

    memcpy(out, form, sizeof form);
    digits_pair(out, d.year / 100);
    digits_pair(out + 2, d.year % 100);
    digits_pair(out + 5, d.month);
    digits_pair(out + 8, d.day);
    digits_pair(out + 11, minute / 60);
    digits_pair(out + 14, minute % 60);
    digits_pair(out + 17, second % 60);
    out[20] = (char)('0' + of_day % 1000 / 100);
    digits_pair(out + 21, of_day % 100);
}
