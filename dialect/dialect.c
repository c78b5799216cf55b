#include "dialect/dialect.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"

#define ID_CHARACTERS 26
#define ID_BYTES      16

const dialect *const dialects[] = {&dialect_sendgrid, &dialect_postmark, &dialect_resend,
                                   &dialect_mailgun, NULL};

bool dialect_plan_begin(dialect_plan *p, size_t count)
{
    p->drafts = calloc(count ? count : 1, sizeof *p->drafts);
    p->nomem = !p->drafts;
    p->count = p->drafts ? count : 0;
    return !p->nomem;
}

void dialect_plan_clear(dialect_plan *p)
{
    for (size_t i = 0; i < p->count; i++) {
        json_decref(p->drafts[i].message);
        faults_free(&p->drafts[i].errors);
    }
    free(p->drafts);
    faults_free(&p->errors);
    *p = (dialect_plan){0};
}

/* ---- ids ---- */

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* 26 digits of 5 bits are 130: the first has 3. */
static bool read_id(const char *id, unsigned char out[ID_BYTES])
{
    unsigned pending = 0, bits = 0;
    size_t n = 0;

    for (size_t i = 0; i < ID_CHARACTERS; i++) {
        const char *at = id[i] ? strchr(digits, id[i]) : NULL;
        if (!at || (i == 0 && at - digits > 7))
            return false;
        pending = pending << 5 | (unsigned)(at - digits);
        bits += i == 0 ? 3 : 5;
        if (bits >= 8) {
            bits -= 8;
            out[n++] = (unsigned char)(pending >> bits);
            pending &= (1U << bits) - 1;
        }
    }
    return id[ID_CHARACTERS] == '\0';
}

static void write_id(const unsigned char bytes[ID_BYTES], char out[ID_CHARACTERS + 1])
{
    unsigned pending = 0, bits = 2; /* two zeros before the first three bits */
    size_t n = 0;

    for (size_t i = 0; i < ID_BYTES; i++) {
        pending = pending << 8 | bytes[i];
        bits += 8;
        while (bits >= 5) {
            bits -= 5;
            out[n++] = digits[pending >> bits & 31];
            pending &= (1U << bits) - 1;
        }
    }
    out[n] = '\0';
}

/* Where a UUID has a hyphen before this octet. */
static bool is_grouped(size_t octet)
{
    return octet == 4 || octet == 6 || octet == 8 || octet == 10;
}

void dialect_uuid(const char *id, char out[DIALECT_UUID + 1])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char bytes[ID_BYTES] = {0};
    size_t n = 0;

    (void)read_id(id, bytes);
    for (size_t i = 0; i < ID_BYTES; i++) {
        if (is_grouped(i))
            out[n++] = '-';
        out[n++] = hex[bytes[i] >> 4];
        out[n++] = hex[bytes[i] & 15];
    }
    out[n] = '\0';
}

bool dialect_id(const char *uuid, char out[27])
{
    unsigned char bytes[ID_BYTES];

    if (read_id(uuid, bytes)) {
        memcpy(out, uuid, ID_CHARACTERS + 1);
        return true;
    }
    for (size_t i = 0; i < ID_BYTES; i++) {
        if (is_grouped(i) && *uuid++ != '-')
            return false;
        int high = hex_digit(uuid[0]), low = high < 0 ? -1 : hex_digit(uuid[1]);
        if (low < 0)
            return false;
        bytes[i] = (unsigned char)(16 * high + low);
        uuid += 2;
    }
    write_id(bytes, out);
    return *uuid == '\0';
}
