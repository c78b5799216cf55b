/* The services whose webhooks are known. The program has the table packed: see profile_table.h. */
#include "hook/profile_table.h"

/* What schemes have in common. */
#define HEX_OF_BODY(prefix_, ...)                                                                  \
    {                                                                                              \
        .name = "signature", .method = HOOK_HMAC, .key = HOOK_KEY_TEXT, .encoding = HOOK_HEX,      \
        .form = HOOK_ONE, .prefix = (prefix_), .content = "{body}", .headers = {                   \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define STANDARD_FAMILY                                                                            \
    {                                                                                              \
        "webhook-signature", "webhook-timestamp", "webhook-id"                                     \
    }
#define SVIX_FAMILY                                                                                \
    {                                                                                              \
        "svix-signature", "svix-timestamp", "svix-id"                                              \
    }
/* Standard Webhooks 1.0. */
#define STANDARD(...)                                                                              \
    {                                                                                              \
        .name = "signature", .method = HOOK_HMAC, .key = HOOK_KEY_WHSEC, .encoding = HOOK_BASE64,  \
        .form = HOOK_LIST, .prefix = "v1,", .content = "{id}.{ts}.{body}",                         \
        .tolerance_s = HOOK_TOLERANCE_S, .headers = {                                              \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define STANDARD_PUBLIC(...)                                                                       \
    {                                                                                              \
        .name = "public-key", .method = HOOK_ED25519, .key = HOOK_KEY_PUBLIC,                      \
        .encoding = HOOK_BASE64, .form = HOOK_LIST, .prefix = "v1a,",                              \
        .content = "{id}.{ts}.{body}", .tolerance_s = HOOK_TOLERANCE_S, .headers = {               \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define BEARER                                                                                     \
    {                                                                                              \
        .name = "bearer", .method = HOOK_TOKEN, .key = HOOK_KEY_TEXT, .prefix = "Bearer",          \
        .content = "", .headers = {                                                                \
            {"Authorization", NULL, NULL}                                                          \
        }                                                                                          \
    }
#define BASIC                                                                                      \
    {                                                                                              \
        .name = "basic", .method = HOOK_BASIC, .key = HOOK_KEY_PAIR, .prefix = "Basic",            \
        .content = "", .headers = {                                                                \
            {"Authorization", NULL, NULL}                                                          \
        }                                                                                          \
    }
#define PATH                                                                                       \
    {                                                                                              \
        .name = "path", .method = HOOK_PATH, .key = HOOK_KEY_TEXT, .prefix = "", .content = ""     \
    }

const hook_profile hook_profile_source[] = {
    {
        .name = "github",
        .schemes = {HEX_OF_BODY("sha256=", {"X-Hub-Signature-256", NULL, NULL})},
        .event = {{.header = "X-GitHub-Event"}},
        .delivery = {{.header = "X-GitHub-Delivery"}},
        .ping = "ping",
        .idle_event = "push",
        .idle_at = "/commits",
    },
    {
        .name = "gitea",
        .schemes = {HEX_OF_BODY("", {"X-Gitea-Signature", NULL, NULL},
                                {"X-Forgejo-Signature", NULL, NULL})},
        .event = {{.header = "X-Gitea-Event"}, {.header = "X-Forgejo-Event"}},
        .delivery = {{.header = "X-Gitea-Delivery"}, {.header = "X-Forgejo-Delivery"}},
        .idle_event = "push",
        .idle_at = "/commits",
    },
    {
        .name = "gitlab",
        .schemes = {STANDARD(STANDARD_FAMILY),
                    {.name = "token",
                     .method = HOOK_TOKEN,
                     .key = HOOK_KEY_PLAIN,
                     .prefix = "",
                     .content = "",
                     .headers = {{"X-Gitlab-Token", NULL, NULL}}}},
        .event = {{.pointer = "/object_kind"}, {.header = "X-Gitlab-Event"}},
        .delivery = {{.header = "webhook-id"}, {.header = "Idempotency-Key"}},
    },
    {
        .name = "stripe",
        .schemes = {{.name = "signature",
                     .method = HOOK_HMAC,
                     .key = HOOK_KEY_TEXT, /* "whsec_" belongs to it */
                     .encoding = HOOK_HEX,
                     .form = HOOK_PAIRS,
                     .prefix = "v1=",
                     .content = "{ts}.{body}",
                     .tolerance_s = HOOK_TOLERANCE_S,
                     .headers = {{"Stripe-Signature", NULL, NULL}}}},
        .event = {{.pointer = "/type"}},
        .delivery = {{.pointer = "/id"}},
    },
    {
        .name = "standard-webhooks",
        .schemes = {STANDARD(STANDARD_FAMILY, SVIX_FAMILY),
                    STANDARD_PUBLIC(STANDARD_FAMILY, SVIX_FAMILY)},
        .event = {{.pointer = "/type"}},
        .delivery = {{.header = "webhook-id"}, {.header = "svix-id"}},
    },
    {
        .name = "svix",
        .schemes = {STANDARD(SVIX_FAMILY, STANDARD_FAMILY),
                    STANDARD_PUBLIC(SVIX_FAMILY, STANDARD_FAMILY)},
        .event = {{.pointer = "/type"}},
        .delivery = {{.header = "svix-id"}, {.header = "webhook-id"}},
    },
    {
        .name = "grafana",
        .schemes = {HEX_OF_BODY("", {"X-Grafana-Alerting-Signature", NULL, NULL}), BEARER, BASIC},
        .timed = "{ts}:{body}",
        .event = {{.pointer = "/status"}},
        .thread = "/groupKey",
    },
    {
        .name = "alertmanager",
        .schemes = {BEARER, BASIC},
        .event = {{.pointer = "/status"}},
        .thread = "/groupKey",
    },
    {
        .name = "sentry",
        .schemes = {HEX_OF_BODY("", {"Sentry-Hook-Signature", NULL, NULL},
                                {"Sentry-App-Signature", NULL, NULL})},
        .event = {{.header = "Sentry-Hook-Resource"}},
        .delivery = {{.header = "Request-ID"}},
        .ping = "installation",
    },
    {
        .name = "slack",
        .schemes = {{.name = "signature",
                     .method = HOOK_HMAC,
                     .key = HOOK_KEY_TEXT,
                     .encoding = HOOK_HEX,
                     .form = HOOK_ONE,
                     .prefix = "v0=",
                     .content = "v0:{ts}:{body}",
                     .tolerance_s = HOOK_TOLERANCE_S,
                     .headers = {{"X-Slack-Signature", "X-Slack-Request-Timestamp", NULL}}},
                    PATH},
        .event = {{.pointer = "/type"}},
        .delivery = {{.pointer = "/event_id"}},
        .challenge = "url_verification",
        .challenge_at = "/challenge",
        .answer = "ok",
    },
    {
        .name = "linear",
        .schemes = {HEX_OF_BODY("", {"Linear-Signature", NULL, NULL})},
        .event = {{.header = "Linear-Event"}, {.pointer = "/type"}},
        .delivery = {{.header = "Linear-Delivery"}},
    },
    {
        .name = "calcom",
        .schemes = {HEX_OF_BODY("", {"X-Cal-Signature-256", NULL, NULL})},
        .event = {{.pointer = "/triggerEvent"}},
        .ping = "PING",
    },
    {
        .name = "token",
        .schemes = {BEARER, BASIC, PATH},
    },
};

const size_t hook_profile_source_count = sizeof hook_profile_source / sizeof *hook_profile_source;
