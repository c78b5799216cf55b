/* A DNS message behind an octet for the type that is asked for: it is read, or it isn't and nothing
 * of it stays. */
#include <stdint.h>
#include <stdlib.h>

#include "dns/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    buf out = BUF_INIT;
    uint32_t ttl;

    if (size == 0)
        return 0;
    bool ok = dns_answer_read(data + 1, size - 1, (dns_type)(data[0] % DNS_TYPES), &out, &ttl);
    if ((!ok && out.len > 0) || out.len > DNS_ANSWER_MOST || (out.len > 0 && out.data[out.len - 1]))
        abort();
    buf_free(&out);
    return 0;
}
