#include "service/ids.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"

#define TIME_CHARACTERS 10
#define RANDOM_BYTES    10 /* for the other 16 characters, 5 bits each */

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void ids_init(ids *i)
{
    (void)pthread_mutex_init(&i->lock, NULL); /* can't fail with default attributes */
    i->left = 0;
}

void ids_clear(ids *i)
{
    explicit_bzero(i->pool, sizeof i->pool);
    i->left = 0;
    (void)pthread_mutex_destroy(&i->lock);
}

/* A signal may cut it short: what has come is kept. */
static bool refill(ids *i)
{
    while (i->left < RANDOM_BYTES) {
        ssize_t n = getrandom(i->pool + i->left, sizeof i->pool - i->left, 0);
        if (n > 0)
            i->left += (size_t)n;
        else if (n == 0 || errno != EINTR)
            return false;
    }
    return true;
}

static bool take(ids *i, unsigned char out[RANDOM_BYTES])
{
    (void)pthread_mutex_lock(&i->lock);
    bool ok = i->left >= RANDOM_BYTES || refill(i);
    if (ok) {
        i->left -= RANDOM_BYTES;
        memcpy(out, i->pool + i->left, RANDOM_BYTES);
        explicit_bzero(i->pool + i->left, RANDOM_BYTES);
    }
    (void)pthread_mutex_unlock(&i->lock);
    return ok;
}

/* Five bytes are eight characters. */
static void put_five(char *out, const unsigned char *bytes)
{
    uint64_t bits = 0;
    for (int i = 0; i < 5; i++)
        bits = bits << 8 | bytes[i];
    for (int i = 7; i >= 0; i--, bits >>= 5)
        out[i] = alphabet[bits & 31];
}

bool ids_new(ids *i, char out[IDS_LENGTH + 1])
{
    unsigned char random[RANDOM_BYTES];

    if (!take(i, random))
        return false;
    uint64_t ms = (uint64_t)clock_wall_us() / 1000;
    for (int k = TIME_CHARACTERS - 1; k >= 0; k--, ms >>= 5)
        out[k] = alphabet[ms & 31];
    put_five(out + TIME_CHARACTERS, random);
    put_five(out + TIME_CHARACTERS + 8, random + 5);
    out[IDS_LENGTH] = '\0';
    explicit_bzero(random, sizeof random);
    return true;
}

bool ids_is(const char *s)
{
    return strlen(s) == IDS_LENGTH && strspn(s, alphabet) == IDS_LENGTH && *s <= '7';
}

int64_t ids_time(const char *id)
{
    uint64_t ms = 0;
    for (int i = 0; i < TIME_CHARACTERS; i++)
        ms = ms << 5 | (uint64_t)(strchr(alphabet, id[i]) - alphabet);
    return (int64_t)(ms * 1000);
}

bool ids_new_one(char out[IDS_LENGTH + 1])
{
    ids i;
    ids_init(&i);
    bool ok = ids_new(&i, out);
    ids_clear(&i);
    return ok;
}
