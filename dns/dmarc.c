#include "dns/dmarc.h"

#include <string.h>
#include <strings.h>

#include <libpsl.h>

#define VERSION "v=DMARC1"
#define SCHEME  "mailto:"

static const char *const POLICIES[] = {"none", "quarantine", "reject"};

const char *dmarc_policy_name(dmarc_policy p)
{
    return POLICIES[p];
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static dmarc_text trim(dmarc_text t)
{
    while (t.len > 0 && is_blank(t.data[0]))
        t = (dmarc_text){t.data + 1, t.len - 1};
    while (t.len > 0 && is_blank(t.data[t.len - 1]))
        t.len--;
    return t;
}

static bool text_is(dmarc_text t, const char *word)
{
    return t.len == strlen(word) && strncasecmp(t.data, word, t.len) == 0;
}

/* The part up to the next separator; false at the end. */
static bool next_part(dmarc_text *at, char separator, dmarc_text *part)
{
    if (!at->data)
        return false;
    const char *end = memchr(at->data, separator, at->len);
    size_t len = end ? (size_t)(end - at->data) : at->len;
    *part = trim((dmarc_text){at->data, len});
    *at = end ? (dmarc_text){end + 1, at->len - len - 1} : (dmarc_text){NULL, 0};
    return true;
}

/* "v=DMARC1" with blanks around its equals sign perhaps, and nothing but a semicolon behind it. */
bool dmarc_is_record(const char *record)
{
    dmarc_text at = {record, strlen(record)}, first, name;

    return next_part(&at, ';', &first) && next_part(&first, '=', &name) && text_is(name, "v") &&
           name.data[0] == 'v' && first.data && trim(first).len == 6 &&
           memcmp(trim(first).data, "DMARC1", 6) == 0;
}

static bool read_policy(dmarc_text t, dmarc_policy *out)
{
    for (*out = DMARC_NONE; *out <= DMARC_REJECT; ++*out)
        if (text_is(t, POLICIES[*out]))
            return true;
    *out = DMARC_NONE;
    return false;
}

static bool read_percent(dmarc_text t, unsigned *out)
{
    unsigned n = 0;

    for (size_t i = 0; i < t.len && i < 4; i++) {
        if (t.data[i] < '0' || t.data[i] > '9')
            return false;
        n = n * 10 + (unsigned)(t.data[i] - '0');
    }
    if (t.len == 0 || t.len > 3 || n > 100)
        return false;
    *out = n;
    return true;
}

static bool read_strict(dmarc_text t, bool *out)
{
    *out = text_is(t, "s");
    return *out || text_is(t, "r");
}

typedef struct seen {
    bool p, p_bad, sp;
} seen;

/* NULL, or what is passed over of it. */
static const char *read_tag(dmarc_text name, dmarc_text value, dmarc_record *out, seen *s)
{
    if (text_is(name, "p")) {
        s->p = true;
        s->p_bad = !read_policy(value, &out->policy);
        return s->p_bad ? "Its p= is none of none, quarantine and reject." : NULL;
    }
    if (text_is(name, "sp")) {
        s->sp = read_policy(value, &out->sub_policy);
        return s->sp ? NULL : "Its sp= is none of none, quarantine and reject.";
    }
    if (text_is(name, "pct"))
        return read_percent(value, &out->percent) ? NULL : "Its pct= is no number up to 100.";
    if (text_is(name, "adkim"))
        return read_strict(value, &out->strict_dkim) ? NULL : "Its adkim= is neither r nor s.";
    if (text_is(name, "aspf"))
        return read_strict(value, &out->strict_spf) ? NULL : "Its aspf= is neither r nor s.";
    if (text_is(name, "rua"))
        out->rua = value;
    return NULL;
}

bool dmarc_read(const char *record, dmarc_record *out, const char **fault)
{
    dmarc_text at = {record, strlen(record)}, tag, name, mailbox;
    seen s = {false, false, false};

    *out = (dmarc_record){.percent = 100};
    *fault = NULL;
    if (!dmarc_is_record(record)) {
        *fault = "It doesn't begin with " VERSION ".";
        return false;
    }
    while (next_part(&at, ';', &tag)) {
        if (tag.len == 0)
            continue;
        const char *wrong = next_part(&tag, '=', &name) && tag.data
                                ? read_tag(name, trim(tag), out, &s)
                                : "It has a tag without a value.";
        *fault = *fault ? *fault : wrong;
    }
    if (!s.sp)
        out->sub_policy = out->policy;
    /* Without a policy that can be read it is one of none, if reports are asked for (6.6.3). */
    dmarc_text uris = out->rua;
    bool usable = (s.p && !s.p_bad) || dmarc_next_mailbox(&uris, &mailbox);
    if (!s.p)
        *fault = "It has no p=.";
    return usable;
}

const char *dmarc_organization(const char *domain)
{
    const psl_ctx_t *list = psl_builtin();
    const char *found = list ? psl_registrable_domain(list, domain) : NULL;
    return found ? found : domain;
}

bool dmarc_aligned(const char *authenticated, const char *from, bool strict)
{
    return strcasecmp(authenticated, from) == 0 ||
           (!strict &&
            strcasecmp(dmarc_organization(authenticated), dmarc_organization(from)) == 0);
}

bool dmarc_next_mailbox(dmarc_text *at, dmarc_text *mailbox)
{
    dmarc_text uri;

    while (next_part(at, ',', &uri)) {
        size_t scheme = sizeof SCHEME - 1;
        if (uri.len <= scheme || strncasecmp(uri.data, SCHEME, scheme) != 0)
            continue;
        *mailbox = (dmarc_text){uri.data + scheme, uri.len - scheme};
        const char *limit = memchr(mailbox->data, '!', mailbox->len);
        if (limit)
            mailbox->len = (size_t)(limit - mailbox->data);
        if (memchr(mailbox->data, '@', mailbox->len))
            return true;
    }
    return false;
}
