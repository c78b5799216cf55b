/*
 * mac - HMAC-SHA256 (RFC 2104) over a text in pieces, and octets as signatures and secrets write
 * them: hexadecimal, and base64 (RFC 4648 section 4).
 *
 * For what is short; the base64 of mails is mime/base64.h's. Pure, on libcrypto; nothing is kept.
 */
#ifndef POSTERN_BASE_MAC_H
#define POSTERN_BASE_MAC_H

#include <stdbool.h>
#include <stddef.h>

#define MAC_OCTETS    32                          /* of a MAC */
#define MAC_BASE64(n) (((size_t)(n) + 2) / 3 * 4) /* characters of n octets */

typedef struct mac_part {
    const void *data;
    size_t len;
} mac_part;

/* False: libcrypto has no memory. The result is to be wiped where it could be one that is asked
 * for. */
bool mac_make(const void *key, size_t key_len, const mac_part *parts, size_t count,
              unsigned char out[MAC_OCTETS]);

/* The SHA-256 of the parts; false: as above. */
bool mac_hash(const mac_part *parts, size_t count, unsigned char out[MAC_OCTETS]);

/* Writes 2 * n lower-case digits and a NUL. */
void mac_hex(const unsigned char *octets, size_t n, char *out);

/* Reads 2 * n digits of either case, and nothing behind them; false: they are none. */
bool mac_hex_read(const char *s, size_t len, unsigned char *out, size_t n);

/* Writes MAC_BASE64(n) characters and a NUL. */
void mac_base64(const unsigned char *octets, size_t n, char *out);

/* Reads base64 whose padding may be left off, and that has no bits to spare: `*n` octets, of which
 * not more than `cap` are written. NULL, or the fault: a static sentence without its "it …". */
const char *mac_base64_read(const char *s, size_t len, unsigned char *out, size_t cap, size_t *n);

#endif
