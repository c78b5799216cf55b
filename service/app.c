#include "service/app.h"

#include <stdint.h>
#include <sys/random.h>
#include <time.h>

#define TIME_CHARACTERS 10
#define ID_CHARACTERS   26

bool app_new_id(char out[27])
{
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    unsigned char random[ID_CHARACTERS - TIME_CHARACTERS];
    struct timespec now;

    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return false;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail with this clock on Linux */
    uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    for (int i = TIME_CHARACTERS - 1; i >= 0; i--, ms >>= 5)
        out[i] = alphabet[ms & 31];
    for (int i = TIME_CHARACTERS; i < ID_CHARACTERS; i++)
        out[i] = alphabet[random[i - TIME_CHARACTERS] & 31];
    out[ID_CHARACTERS] = '\0';
    return true;
}
