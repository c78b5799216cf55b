/*
 * config_hooks - "hooks" of the configuration file: webhooks of other services that become mails.
 *
 *   "hooks": {"alerts": {
 *     "profile": "alertmanager",         of hook/profile.h; may be left out if "verify" says it all
 *     "secret" | "secret_file" | "secrets": […] | "secrets_files": […],
 *     "message": {"from": …, "to": …},   a request's members: "template" too, but no content
 *     "when": […],                       hook/when.h
 *     "thread": "/groupKey" | […] | null,
 *     "event": "X-Event" | "/type",      a header, or a pointer into the payload
 *     "delivery": "X-Id" | "/id",
 *     "max_body": "1MiB",
 *     "verify": "none" | a scheme's name of the profile | {"method", "header", "timestamp_header",
 *               "id_header", "signed", "encoding", "form", "prefix", "key", "tolerance"}}}
 *
 * What is wrong is a fault of the settings, a line each with its place. Messages are tried by
 * making a request of them.
 *
 * Memory: the config owns its hooks; of what was declared the secrets are not kept twice.
 */
#ifndef POSTERN_SERVICE_CONFIG_HOOKS_H
#define POSTERN_SERVICE_CONFIG_HOOKS_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/buf.h"
#include "hook/profile.h"
#include "hook/verify.h"
#include "hook/when.h"
#include "service/config_setting.h"
#include "service/templates.h"

#define CONFIG_HOOKS_MAX    256
#define CONFIG_HOOK_NAME    64 /* characters */
#define CONFIG_HOOK_THREAD  8  /* pointers */
#define CONFIG_HOOK_SECRETS 16
#define CONFIG_HOOK_BODY    ((size_t)1024 * 1024)

struct config_hook {
    char *name;
    char *where;                 /* its place in the file, for what is found out later */
    json_t *declared;            /* what strings below are borrowed from */
    const hook_profile *profile; /* NULL: none */
    hook_scheme schemes[HOOK_PROFILE_SCHEMES];
    size_t scheme_count;
    bool open; /* "verify": "none" */
    hook_secret *secrets;
    size_t secret_count;
    hook_when *when;                            /* NULL: always */
    const char *thread[CONFIG_HOOK_THREAD + 1]; /* ended by NULL */
    hook_source event[HOOK_PROFILE_SOURCES];
    hook_source delivery[HOOK_PROFILE_SOURCES];
    bool own_delivery; /* it was declared, and counts before an id that is signed */
    const json_t *message;
    size_t max_body;
    char *domain; /* of the sender: what references stand at */
};

/* Reads the member "hooks". */
void config_hooks_read(loader *l, const char *where, const json_t *value);

/* What hooks must keep with the other settings, when all are read. */
void config_hooks_check(loader *l, bool serving);

void config_hooks_clear(config *c);

/* NULL: there is none of that name. */
const config_hook *config_hook_find(const config *c, const char *name, size_t len);

/* Adds a line for each hook that names a template that there is not. Without memory the buf says
 * so. */
void config_hooks_templates(const config *c, const templates *t, buf *complaints);

#endif
