#include "smtp/preset.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "smtp/preset_table.h"

#define REGION "{region}"

extern const char smtp_preset_rows[], smtp_preset_rows_end[]; /* pack/packed.S: preset_table.c */

/* Regions whose host does not follow its preset's pattern. */
static const struct {
    const char *preset;
    const char *region;
    const char *host;
} exceptions[] = {
    {"aliyun-dm", "cn-hangzhou", "smtpdm.aliyun.com"},
    {"tencent-ses", "hk", "smtp.qcloudmail.com"},
    {"mailgun", "us", "smtp.mailgun.org"},
};

#define EXCEPTIONS (sizeof exceptions / sizeof *exceptions)

const smtp_preset *smtp_presets(void)
{
    static packed_kept kept = {smtp_preset_rows, smtp_preset_rows_end, &smtp_preset_layout, 1,
                               NULL};
    static const smtp_preset end = {0}; /* without memory there are none */
    const packed_table *table = packed_get(&kept);
    return table ? table->rows : &end;
}

const smtp_preset *smtp_preset_find(const char *name)
{
    for (const smtp_preset *p = smtp_presets(); p->name; p++)
        if (strcasecmp(p->name, name) == 0)
            return p;
    return NULL;
}

/* True if `host` is the pattern with something in the region's place. */
static bool fits(const char *pattern, const char *host)
{
    const char *gap = strstr(pattern, REGION);

    if (!gap)
        return strcasecmp(pattern, host) == 0;
    size_t before = (size_t)(gap - pattern);
    const char *rest = gap + strlen(REGION);
    size_t after = strlen(rest);
    size_t len = strlen(host);
    return len > before + after && strncasecmp(pattern, host, before) == 0 &&
           strcasecmp(rest, host + len - after) == 0;
}

const smtp_preset *smtp_preset_of_host(const char *host)
{
    for (size_t i = 0; i < EXCEPTIONS; i++)
        if (strcasecmp(exceptions[i].host, host) == 0)
            return smtp_preset_find(exceptions[i].preset);
    for (const smtp_preset *p = smtp_presets(); p->name; p++)
        if (fits(p->host, host))
            return p;
    return NULL;
}

bool smtp_preset_host(const smtp_preset *p, const char *region, char *out, size_t cap)
{
    const char *gap = strstr(p->host, REGION);
    int n = 0;

    if (!gap && region)
        return false;
    if (!region)
        region = p->region;
    if (gap && !region)
        return false;
    for (size_t i = 0; gap && i < EXCEPTIONS; i++) {
        if (strcmp(exceptions[i].preset, p->name) == 0 &&
            strcasecmp(exceptions[i].region, region) == 0) {
            n = snprintf(out, cap, "%s", exceptions[i].host);
            return n > 0 && (size_t)n < cap;
        }
    }
    if (gap)
        n = snprintf(out, cap, "%.*s%s%s", (int)(gap - p->host), p->host, region,
                     gap + strlen(REGION));
    else
        n = snprintf(out, cap, "%s", p->host);
    return n > 0 && (size_t)n < cap;
}
