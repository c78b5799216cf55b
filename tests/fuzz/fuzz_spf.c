/* Lines "NAME VALUE" of TXT, and a policy of example.com before the first line end: whatever they
 * say, the evaluation ends in bounds of questions and octets. The same is read as a DMARC record.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dns/dmarc.h"
#include "dns/spf.h"

/* Ten terms, ten exchangers or names of each with an address, and the policies themselves. */
#define QUESTIONS 400

static void require(bool holds)
{
    if (!holds)
        abort();
}

typedef struct zone {
    const char *text; /* lines, the first the policy */
    unsigned asked;
} zone;

static dns_result look_up(void *ctx, dns_type type, const char *name, buf *out)
{
    zone *z = ctx;
    const char *line = strchr(z->text, '\n');

    z->asked++;
    require(strlen(name) <= 253);
    if (type == DNS_TXT && strcasecmp(name, "example.com") == 0) {
        buf_add(out, z->text, line ? (size_t)(line - z->text) : strlen(z->text));
        buf_addc(out, '\0');
        return DNS_FOUND;
    }
    for (; type == DNS_TXT && line; line = strchr(line, '\n')) {
        size_t len = strcspn(++line, " \n");
        if (len == strlen(name) && strncasecmp(line, name, len) == 0) {
            buf_add(out, line + len + (line[len] == ' '),
                    strcspn(line + len, "\n") - (line[len] == ' '));
            buf_addc(out, '\0');
            return DNS_FOUND;
        }
    }
    switch ((unsigned)type + (unsigned char)name[0] % 3) {
    case DNS_A: buf_add(out, "192.0.2.1", sizeof "192.0.2.1"); return DNS_FOUND;
    case DNS_AAAA: buf_add(out, "2001:db8::1", sizeof "2001:db8::1"); return DNS_FOUND;
    case DNS_MX:
    case DNS_PTR:
        for (int i = 0; i < 12; i++)
            buf_add(out, type == DNS_MX ? "1 m.example.com" : "m.example.com",
                    type == DNS_MX ? sizeof "1 m.example.com" : sizeof "m.example.com");
        return DNS_FOUND;
    default: return name[0] & 1 ? DNS_FAILED : DNS_NONE;
    }
}

static void try_dmarc(const char *text)
{
    dmarc_record r;
    dmarc_text box;
    const char *fault = NULL;
    bool usable = dmarc_read(text, &r, &fault);

    require(usable || fault);
    require(r.policy <= DMARC_REJECT && r.percent <= 100);
    while (dmarc_next_mailbox(&r.rua, &box))
        require(memchr(box.data, '@', box.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = size < 8192 ? malloc(size + 1) : NULL;
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    for (int i = 0; i < 4; i++) {
        zone z = {text, 0};
        spf_verdict v;
        spf_query q = {.ip = i & 1 ? "2001:db8::1" : "192.0.2.9",
                       .sender = "a.b-c@example.com",
                       .helo = "mx.example.org",
                       .survey = i & 2,
                       .lookup = look_up,
                       .ctx = &z};
        spf_check(&q, &v);
        require(z.asked <= (q.survey ? 8 * QUESTIONS : QUESTIONS));
        require(q.survey || v.result == SPF_PERMERROR || v.lookups <= SPF_LOOKUPS);
        require(memchr(v.why, '\0', sizeof v.why) && v.why[0]);
    }
    try_dmarc(text);
    free(text);
    return 0;
}
