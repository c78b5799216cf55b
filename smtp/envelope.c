#include "smtp/envelope.h"

#include <string.h>

#include "base/few.h"

/* A path may have 256 octets (RFC 5321 section 4.5.3.1.3); longer ones are met. */
#define ADDRESS_MAX 1000

/* What takes a closer look. */
static few unusual(few v)
{
    return few_unprintable(v) | (v == ' ') | (v == '"') | (v == '<') | (v == '>');
}

/* Printable, no space, "<" or ">" outside of a quoted local part, which must be closed. */
static const char *unusual_fault(const char *address, bool utf8)
{
    bool quoted = false;
    size_t len = 0;

    for (const unsigned char *c = (const unsigned char *)address; *c; c++, len++) {
        if (*c < 0x20 || *c == 0x7F)
            return "An address of the envelope holds a control character.";
        if (*c >= 0x80 && !utf8)
            return "An address of the envelope is beyond ASCII, and SMTPUTF8 is not asked for.";
        if (*c == '"') {
            quoted = !quoted;
        } else if (quoted && *c == '\\') {
            if (c[1] < 0x20 || c[1] == 0x7F)
                return "An address of the envelope holds a control character, or ends too soon.";
            c++;
            len++;
        } else if (!quoted && (*c == ' ' || *c == '<' || *c == '>')) {
            return "An address of the envelope holds a space or an angle bracket.";
        }
    }
    if (quoted)
        return "An address of the envelope has a quote that is not closed.";
    return len > ADDRESS_MAX ? "An address of the envelope is too long." : NULL;
}

static const char *address_fault(const char *address, bool utf8)
{
    size_t len = strlen(address);
    bool usual = len <= ADDRESS_MAX && few_free_of(address, len, unusual);
    return usual ? NULL : unusual_fault(address, utf8);
}

const char *smtp_envelope_fault(const smtp_transaction *t, smtp_category *category)
{
    *category = SMTP_CATEGORY_SENDER;
    const char *fault = address_fault(t->reverse_path, t->utf8);

    if (fault)
        return fault;
    *category = SMTP_CATEGORY_RECIPIENT;
    if (t->recipient_count == 0)
        return "The envelope has no recipient.";
    for (size_t i = 0; i < t->recipient_count; i++) {
        if (t->recipients[i][0] == '\0')
            return "A recipient's address is empty.";
        fault = address_fault(t->recipients[i], t->utf8);
        if (fault)
            return fault;
    }
    return NULL;
}
