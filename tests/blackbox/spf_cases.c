/* Evaluates policies on a zone that is brought: {"zone": {name: {type: [record…]}}, "cases":
 * [{"ip", "sender", "helo"}…]} on stdin; a result and an explanation for each on stdout. A type
 * whose records are null fails. */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "dns/spf.h"

static dns_result look_up(void *ctx, dns_type type, const char *name, buf *out)
{
    static const char *const types[] = {"TXT", "A", "AAAA", "MX", "PTR"};
    char lower[512];
    size_t i = 0;
    const json_t *record;

    for (; name[i] && i + 1 < sizeof lower; i++)
        lower[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]);
    lower[i] = '\0';
    const json_t *records = json_object_get(json_object_get(ctx, lower), types[type]);
    if (json_is_null(records))
        return DNS_FAILED;
    json_array_foreach(records, i, record)
        buf_add(out, json_string_value(record), json_string_length(record) + 1);
    return json_array_size(records) ? DNS_FOUND : DNS_NONE;
}

int main(void)
{
    json_t *all = json_loadf(stdin, 0, NULL), *results = json_array();
    json_t *zone = json_object_get(all, "zone");
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(all, "cases"), i, one)
    {
        spf_query q = {.now = 1700000000, .lookup = look_up, .ctx = zone};
        spf_verdict v;
        if (json_unpack((json_t *)one, "{s:s, s:s, s:s}", "ip", &q.ip, "sender", &q.sender, "helo",
                        &q.helo))
            return 1;
        spf_check(&q, &v);
        json_array_append_new(results,
                              json_pack("{s:s, s:s, s:s, s:i}", "result", spf_result_name(v.result),
                                        "explanation", v.explanation, "why", v.why, "lookups",
                                        (int)v.lookups));
    }
    (void)json_dumpf(results, stdout, 0);
    json_decref(results);
    json_decref(all);
    return 0;
}
