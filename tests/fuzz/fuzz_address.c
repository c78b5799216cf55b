/* Any bytes as a mailbox: refused with a reason, or an address that can go on the wire. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "mime/address.h"
#include "mime/header.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mime_mailbox m, again;
    const char *reason = NULL;
    if (!mime_mailbox_parse((const char *)data, size, &m, &reason)) {
        require(reason && !m.address && !m.name);
        return 0;
    }
    size_t len = strlen(m.address);
    require(len >= 3 && len <= 254 && !strpbrk(m.address, "\r\n"));
    require(utf8_valid(m.address, len) && m.domain[-1] == '@');
    require(utf8_is_ascii(m.domain, strlen(m.domain)));
    require(m.utf8 || utf8_is_ascii(m.address, len));
    /* What was read can be read again, and means the same. */
    require(
        mime_mailbox_make(m.address, len, m.name, m.name ? strlen(m.name) : 0, &again, &reason));
    require(strcmp(m.address, again.address) == 0);
    buf field = BUF_INIT;
    mime_header_add_mailboxes(&field, "To", &m, 1);
    require(field.len > 2 && memcmp(field.data + field.len - 2, "\r\n", 2) == 0);
    buf_free(&field);
    mime_mailbox_clear(&again);
    mime_mailbox_clear(&m);
    return 0;
}
