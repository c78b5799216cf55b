#include "service/domain.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <strings.h>

#include "base/utf8.h"
#include "service/domain_own.h"

#define SHOWN 4096

static const char *const VERDICTS[] = {"ok", "unknown", "warning", "missing", "fault"};

bool domain_is_address(const char *s)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, s, bytes) == 1 || inet_pton(AF_INET6, s, bytes) == 1;
}

/* ---- findings ---- */

void domain_set(domain_job *j, json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0)
        j->failed = true;
}

json_t *domain_text(const char *s, size_t len)
{
    buf out = BUF_INIT;
    uint32_t point;

    len = len < SHOWN ? len : SHOWN;
    for (size_t i = 0, n; i < len; i += n) {
        n = utf8_decode(s + i, len - i, &point);
        bool shown = n > 0 && point >= 0x20 && point != 0x7F;
        n = n ? n : 1;
        if (shown)
            buf_add(&out, s + i, n);
        else
            buf_addc(&out, '?');
    }
    json_t *text = buf_ok(&out) ? json_stringn(out.data ? out.data : "", out.len) : NULL;
    buf_free(&out);
    return text;
}

json_t *domain_find(domain_job *j, const char *check, const char *name, const char *type,
                    bool needed)
{
    json_t *f = json_pack("{s:s, s:s, s:b, s:s, s:s, s:[], s:[]}", "check", check, "verdict", "ok",
                          "needed", needed, "name", name, "type", type, "seen", "why");
    if (!f || json_array_append_new(j->checks, f) != 0)
        j->failed = true;
    return f;
}

static domain_verdict verdict_of(const json_t *finding)
{
    const char *name = json_string_value(json_object_get(finding, "verdict"));
    domain_verdict v = DOMAIN_OK;

    while (name && v < DOMAIN_FAULT && strcmp(VERDICTS[v], name) != 0)
        v++;
    return v;
}

void domain_judge(domain_job *j, json_t *finding, domain_verdict v)
{
    if (v > verdict_of(finding))
        domain_set(j, finding, "verdict", json_string(VERDICTS[v]));
    if (json_is_true(json_object_get(finding, "needed")) && v > j->worst)
        j->worst = v;
    else if (v == DOMAIN_FAULT || v == DOMAIN_WARNING) /* of what is there, but needn't be */
        j->worst = j->worst > DOMAIN_WARNING ? j->worst : DOMAIN_WARNING;
}

__attribute__((format(printf, 1, 0))) static json_t *format_text(const char *format, va_list args)
{
    buf text = BUF_INIT;

    buf_addv(&text, format, args);
    json_t *value = buf_ok(&text) ? domain_text(text.data, text.len) : NULL;
    buf_free(&text);
    return value;
}

void domain_say(domain_job *j, json_t *finding, domain_verdict v, const char *format, ...)
{
    va_list args;

    domain_judge(j, finding, v);
    va_start(args, format);
    if (json_array_append_new(json_object_get(finding, "why"), format_text(format, args)) != 0)
        j->failed = true;
    va_end(args);
}

void domain_publish(domain_job *j, json_t *finding, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    domain_set(j, finding, "publish", format_text(format, args));
    va_end(args);
}

void domain_saw(domain_job *j, json_t *finding, const char *record)
{
    json_t *text = domain_text(record, strlen(record));
    if (json_array_append_new(json_object_get(finding, "seen"), text) != 0)
        j->failed = true;
}

/* ---- questions ---- */

dns_result domain_ask(const domain_job *j, dns_type type, const char *name, buf *out)
{
    return j->query->lookup(j->query->ctx, type, name, out);
}

bool domain_resolves(const domain_job *j, const char *name, dns_result *result)
{
    buf records = BUF_INIT;
    dns_result six = DNS_NONE, four = domain_ask(j, DNS_A, name, &records);

    if (four != DNS_FOUND)
        six = domain_ask(j, DNS_AAAA, name, &records);
    buf_free(&records);
    *result = four == DNS_FOUND || six == DNS_FOUND     ? DNS_FOUND
              : four == DNS_FAILED || six == DNS_FAILED ? DNS_FAILED
                                                        : DNS_NONE;
    return *result == DNS_FOUND;
}

void domain_ask_record(domain_job *j, json_t *finding, const char *name, const char *prefix,
                       buf *records, const char **one)
{
    const char *at = NULL, *record;
    size_t count = 0;
    dns_result r = domain_ask(j, DNS_TXT, name, records);

    *one = NULL;
    while (r == DNS_FOUND && (record = dns_next(records, &at))) {
        size_t len = strlen(prefix);
        if (strncasecmp(record, prefix, len) != 0 ||
            (len > 0 && isalnum((unsigned char)record[len])))
            continue;
        if (count++ < 8)
            domain_saw(j, finding, record);
        *one = record;
    }
    if (r == DNS_FAILED)
        domain_say(j, finding, DOMAIN_UNKNOWN, "DNS gave no answer about %s.", name);
    else if (count == 0)
        domain_say(j, finding, DOMAIN_MISSING, "%s has no such record.", name);
    else if (count > 1)
        domain_say(j, finding, DOMAIN_FAULT,
                   "%s has %zu such records; receivers then take none of them: keep one.", name,
                   count);
    if (count != 1)
        *one = NULL;
}

/* ---- all of it ---- */

json_t *domain_check(const domain_query *q)
{
    domain_job j = {.query = q, .answer = json_object(), .checks = json_array()};

    domain_set(&j, j.answer, "domain", json_string(q->domain));
    domain_find_relay(&j);
    domain_check_spf(&j);
    domain_check_dkim(&j);
    domain_check_dmarc(&j);
    domain_check_mx(&j);
    domain_check_rest(&j);
    domain_set(&j, j.answer, "verdict", json_string(VERDICTS[j.worst]));
    domain_set(&j, j.answer, "checks", j.checks);
    if (j.failed) {
        json_decref(j.answer);
        return NULL;
    }
    return j.answer;
}
