#include "service/config_hooks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hook/payload.h"
#include "service/config_value.h"
#include "service/file.h"
#include "service/request.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

#define HEADER_NAME_MAX 128
#define PREFIX_MAX      32
#define TOLERANCE_MAX   INT64_C(86400)
#define SECOND_US       INT64_C(1000000)
#define NO_ID           "00000000000000000000000000"

/* ---- places and faults ---- */

/* One hook that is read. */
typedef struct reading {
    loader *loader;
    config_hook *hook;
    bool secrets_named; /* whether or not they could be read */
} reading;

__attribute__((format(printf, 3, 4))) static void fault(const reading *r, const char *pointer,
                                                        const char *format, ...)
{
    buf where = BUF_INIT, text = BUF_INIT;
    va_list args;

    buf_addf(&where, "%s%s", r->hook->where, pointer);
    va_start(args, format);
    buf_addv(&text, format, args);
    va_end(args);
    const char *at = buf_cstr(&where), *said = buf_cstr(&text);
    if (at && said)
        config_fault(r->loader, at, "%s", said);
    else
        config_no_memory(r->loader);
    buf_free(&where);
    buf_free(&text);
}

/* The fault of a member that is not one of `names` (ended by NULL), with the nearest one. */
static void unknown(const reading *r, const char *parent, const char *name,
                    const char *const *names)
{
    const char *nearest = NULL;
    size_t best = 3;
    buf pointer = BUF_INIT;

    buf_addf(&pointer, "%s/", parent);
    config_add_name(&pointer, name, strlen(name));
    for (; *names; names++) {
        size_t distance = config_value_distance(name, *names, best);
        if (distance < best) {
            best = distance;
            nearest = *names;
        }
    }
    const char *at = buf_cstr(&pointer);
    if (!at)
        config_no_memory(r->loader);
    else if (nearest)
        fault(r, at, "there is no such member; do you mean %s?", nearest);
    else
        fault(r, at, "there is no such member");
    buf_free(&pointer);
}

static void check_members(const reading *r, const char *parent, const json_t *object,
                          const char *const *names)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)object, name, value)
    {
        size_t i = 0;
        while (names[i] && strcmp(names[i], name) != 0)
            i++;
        if (!names[i])
            unknown(r, parent, name, names);
    }
}

/* ---- secrets ---- */

static void add_secret(const reading *r, const char *pointer, const char *text, size_t len)
{
    config_hook *h = r->hook;
    if (h->secret_count == CONFIG_HOOK_SECRETS) {
        fault(r, pointer, "a hook has %d secrets at most", CONFIG_HOOK_SECRETS);
        return;
    }
    if (!h->secrets && !(h->secrets = calloc(CONFIG_HOOK_SECRETS, sizeof *h->secrets))) {
        config_no_memory(r->loader);
        return;
    }
    const char *why = hook_secret_parse(text, len, &h->secrets[h->secret_count]);
    if (why)
        fault(r, pointer, "can't be a secret: %s", why);
    else
        h->secret_count++;
}

static void read_secret(const reading *r, const char *pointer, const json_t *value, bool file)
{
    if (!json_is_string(value)) {
        fault(r, pointer, file ? "must be a path" : "must be a string");
        return;
    }
    if (!file) {
        add_secret(r, pointer, json_string_value(value), json_string_length(value));
        return;
    }
    buf where = BUF_INIT;
    buf_addf(&where, "%s%s", r->hook->where, pointer);
    const char *at = buf_cstr(&where);
    char *content = at ? config_read_secret(r->loader, at, json_string_value(value)) : NULL;
    if (content)
        add_secret(r, pointer, content, strlen(content));
    else if (!at)
        config_no_memory(r->loader);
    file_wipe(content);
    buf_free(&where);
}

static void read_secrets(reading *r, const json_t *declared)
{
    static const struct {
        const char *name;
        bool list, file;
    } members[] = {{"secret", false, false},
                   {"secret_file", false, true},
                   {"secrets", true, false},
                   {"secrets_files", true, true}};

    for (size_t i = 0; i < COUNT(members); i++) {
        const json_t *value = json_object_get(declared, members[i].name);
        char pointer[64];
        (void)snprintf(pointer, sizeof pointer, "/%s", members[i].name);
        r->secrets_named = r->secrets_named || value;
        if (value && members[i].list && (!json_is_array(value) || json_array_size(value) == 0)) {
            fault(r, pointer, "must be a list of %s", members[i].file ? "paths" : "secrets");
        } else if (value && members[i].list) {
            for (size_t k = 0; k < json_array_size(value); k++) {
                (void)snprintf(pointer, sizeof pointer, "/%s/%zu", members[i].name, k);
                read_secret(r, pointer, json_array_get(value, k), members[i].file);
            }
        } else if (value) {
            read_secret(r, pointer, value, members[i].file);
        }
    }
}

/* ---- how it is verified ---- */

static bool is_header_name(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len <= HEADER_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == len;
}

/* A word of a table, by its index; false, and a fault, if it is none. NULL: it stays. */
static bool read_word(const reading *r, const char *pointer, const json_t *value,
                      const char *const *words, int *out)
{
    buf all = BUF_INIT;
    const char *word = json_string_value(value);

    if (!value)
        return true;
    for (int i = 0; words[i]; i++) {
        if (word && strcmp(words[i], word) == 0) {
            *out = i;
            buf_free(&all);
            return true;
        }
        buf_addf(&all, "%s%s", i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i]);
    }
    const char *text = buf_cstr(&all);
    if (text)
        fault(r, pointer, "must be %s", text);
    else
        config_no_memory(r->loader);
    buf_free(&all);
    return false;
}

static void read_header_name(const reading *r, const json_t *verify, const char *name,
                             const char **out)
{
    const json_t *value = json_object_get(verify, name);
    char pointer[64];
    (void)snprintf(pointer, sizeof pointer, "/verify/%s", name);
    if (value && (!json_is_string(value) || !is_header_name(json_string_value(value))))
        fault(r, pointer, "must be a header's name");
    else if (value)
        *out = json_string_value(value);
}

static void read_text(const reading *r, const json_t *verify, const char *name, size_t most,
                      const char **out)
{
    const json_t *value = json_object_get(verify, name);
    char pointer[64];
    (void)snprintf(pointer, sizeof pointer, "/verify/%s", name);
    if (value && (!json_is_string(value) || json_string_length(value) > most))
        fault(r, pointer, "must be a string of %zu characters at most", most);
    else if (value)
        *out = json_string_value(value);
}

/* Seconds, or "5m". */
static void read_tolerance(const reading *r, const json_t *value, int64_t *out)
{
    int64_t us = -1;
    if (!value)
        return;
    if (json_is_integer(value) && json_integer_value(value) <= TOLERANCE_MAX)
        us = (int64_t)json_integer_value(value) * SECOND_US;
    else if (!json_is_string(value) || !config_value_duration(json_string_value(value), &us))
        us = -1;
    if (us < 0 || us > TOLERANCE_MAX * SECOND_US)
        fault(r, "/verify/tolerance", "must be a time of 0 to 1d, such as 5m");
    else
        *out = us / SECOND_US;
}

/* What a method needs where the profile says nothing. */
static const hook_scheme plain_schemes[] = {
    [HOOK_HMAC] = {.name = "signature",
                   .method = HOOK_HMAC,
                   .key = HOOK_KEY_TEXT,
                   .prefix = "",
                   .content = "{body}"},
    [HOOK_ED25519] = {.name = "public-key",
                      .method = HOOK_ED25519,
                      .key = HOOK_KEY_PUBLIC,
                      .prefix = "",
                      .content = "{body}"},
    [HOOK_TOKEN] =
        {.name = "token", .method = HOOK_TOKEN, .key = HOOK_KEY_TEXT, .prefix = "", .content = ""},
    [HOOK_BASIC] = {.name = "basic",
                    .method = HOOK_BASIC,
                    .key = HOOK_KEY_PAIR,
                    .prefix = "Basic",
                    .content = "",
                    .headers = {{"Authorization", NULL, NULL}}},
    [HOOK_PATH] =
        {.name = "path", .method = HOOK_PATH, .key = HOOK_KEY_TEXT, .prefix = "", .content = ""},
};

/* An object changes the profile's scheme of its method, and is the only one. */
static void read_scheme(const reading *r, const json_t *verify)
{
    static const char *const members[] = {
        "method", "header", "timestamp_header", "id_header", "signed", "encoding", "form",
        "prefix", "key",    "tolerance",        NULL};
    static const char *const method_words[] = {"hmac", "ed25519", "token", "basic", "path", NULL};
    static const char *const encoding_words[] = {"hex", "base64", NULL};
    static const char *const form_words[] = {"one", "list", "pairs", NULL};
    static const char *const key_words[] = {"text", "whsec", NULL};
    config_hook *h = r->hook;
    const hook_scheme *first = h->profile ? &h->profile->schemes[0] : &plain_schemes[HOOK_HMAC];
    int method = (int)first->method - HOOK_HMAC, encoding = -1, written = -1, key = -1;

    check_members(r, "/verify", verify, members);
    if (!read_word(r, "/verify/method", json_object_get(verify, "method"), method_words, &method))
        return;
    hook_scheme s = plain_schemes[HOOK_HMAC + method];
    for (size_t i = h->profile ? hook_profile_schemes(h->profile) : 0; i-- > 0;) {
        if ((int)h->profile->schemes[i].method == HOOK_HMAC + method)
            s = h->profile->schemes[i];
    }
    (void)read_word(r, "/verify/encoding", json_object_get(verify, "encoding"), encoding_words,
                    &encoding);
    (void)read_word(r, "/verify/form", json_object_get(verify, "form"), form_words, &written);
    (void)read_word(r, "/verify/key", json_object_get(verify, "key"), key_words, &key);
    if (encoding >= 0)
        s.encoding = (hook_encoding)encoding;
    if (written >= 0)
        s.form = (hook_form)written;
    if (key >= 0 && s.method == HOOK_HMAC)
        s.key = key == 0 ? HOOK_KEY_TEXT : HOOK_KEY_WHSEC;
    if (json_object_get(verify, "header"))
        memset(&s.headers[1], 0, sizeof s.headers[1]);
    read_header_name(r, verify, "header", &s.headers[0].signature);
    read_header_name(r, verify, "timestamp_header", &s.headers[0].timestamp);
    read_header_name(r, verify, "id_header", &s.headers[0].id);
    if (json_object_get(verify, "timestamp_header") && h->profile && h->profile->timed) {
        s.content = h->profile->timed;
        s.tolerance_s = HOOK_TOLERANCE_S;
    }
    read_text(r, verify, "signed", HOOK_SIGNED_MAX, &s.content);
    read_text(r, verify, "prefix", PREFIX_MAX, &s.prefix);
    if (json_object_get(verify, "signed"))
        s.tolerance_s = strstr(s.content, "{ts}") ? HOOK_TOLERANCE_S : 0;
    read_tolerance(r, json_object_get(verify, "tolerance"), &s.tolerance_s);
    const char *why = hook_scheme_fault(&s);
    if (why)
        fault(r, "/verify/signed", "%s", why);
    if (s.method != HOOK_PATH && !s.headers[0].signature)
        fault(r, "/verify/header", "is missing: which header is it in?");
    h->schemes[0] = s;
    h->scheme_count = 1;
}

/* A name: one of the profile's schemes alone, or none. */
static void read_named_scheme(const reading *r, const char *name)
{
    config_hook *h = r->hook;
    buf names = BUF_INIT;

    if (strcmp(name, "none") == 0) {
        h->open = true;
        h->schemes[0] =
            (hook_scheme){.name = "none", .method = HOOK_NONE, .prefix = "", .content = ""};
        h->scheme_count = 1;
        return;
    }
    for (size_t i = 0; i < h->scheme_count; i++) {
        buf_addf(&names, "%s, ", h->schemes[i].name);
        if (strcmp(h->schemes[i].name, name) != 0)
            continue;
        h->schemes[0] = h->schemes[i];
        h->scheme_count = 1;
        buf_free(&names);
        return;
    }
    const char *list = buf_cstr(&names);
    if (list)
        fault(r, "/verify", "must be %snone or an object", list);
    else
        config_no_memory(r->loader);
    buf_free(&names);
}

static void read_profile(const reading *r, const json_t *value)
{
    config_hook *h = r->hook;
    const char *name = json_string_value(value);
    buf names = BUF_INIT;

    h->profile = name ? hook_profile_find(name) : NULL;
    if (h->profile || !value) {
        h->scheme_count = h->profile ? hook_profile_schemes(h->profile) : 0;
        for (size_t i = 0; i < h->scheme_count; i++)
            h->schemes[i] = h->profile->schemes[i];
        return;
    }
    for (const hook_profile *p = hook_profile_next(NULL); p; p = hook_profile_next(p))
        buf_addf(&names, "%s%s", names.len ? ", " : "", p->name);
    const char *list = buf_cstr(&names);
    if (list)
        fault(r, "/profile", "must be one of %s", list);
    else
        config_no_memory(r->loader);
    buf_free(&names);
}

static void read_verify(const reading *r, const json_t *value)
{
    config_hook *h = r->hook;
    size_t before = r->loader->faults->len;

    if (json_is_object(value))
        read_scheme(r, value);
    else if (json_is_string(value))
        read_named_scheme(r, json_string_value(value));
    else if (value)
        fault(r, "/verify", "must be the name of a way, or an object");
    if (r->loader->faults->len > before)
        return;
    if (h->scheme_count == 0)
        fault(r, "", "needs a profile, or verify, to say how its sender proves who it is");
    else if (h->open && r->secrets_named)
        fault(r, "/verify", "is none, and there is a secret: leave out one of them");
    else if (!h->open && !r->secrets_named)
        fault(r, "",
              "needs secret, secret_file, secrets or secrets_files (or \"verify\": \"none\")");
    for (size_t i = 0; i < h->secret_count && h->scheme_count > 0 && !h->open; i++) {
        const char *why = NULL;
        for (size_t k = h->scheme_count; k-- > 0;) {
            why = hook_secret_unfit(&h->schemes[k], &h->secrets[i]);
            if (!why)
                break;
        }
        if (why)
            fault(r, "", "secret %zu does not fit: %s", i + 1, why);
    }
}

/* ---- the rest of a hook ---- */

/* "/pointer" or "Header-Name". */
static void read_source(const reading *r, const char *name, const json_t *value, hook_source *out)
{
    char pointer[32];
    const char *text = json_string_value(value);

    (void)snprintf(pointer, sizeof pointer, "/%s", name);
    if (!value)
        return;
    memset(out, 0, HOOK_PROFILE_SOURCES * sizeof *out);
    if (text && text[0] == '/' && hook_pointer_valid(text))
        out->pointer = text;
    else if (text && is_header_name(text))
        out->header = text;
    else
        fault(r, pointer, "must be a header's name, or a JSON pointer such as /type");
}

static void read_thread(const reading *r, const json_t *value)
{
    config_hook *h = r->hook;
    size_t count = json_is_array(value) ? json_array_size(value) : 1;

    if (!value) {
        h->thread[0] = h->profile ? h->profile->thread : NULL;
        return;
    }
    if (json_is_null(value))
        return;
    bool good = count > 0 && count <= CONFIG_HOOK_THREAD;
    for (size_t i = 0; good && i < count; i++) {
        h->thread[i] = json_string_value(json_is_array(value) ? json_array_get(value, i) : value);
        good = h->thread[i] && h->thread[i][0] == '/' && hook_pointer_valid(h->thread[i]);
    }
    if (!good) {
        h->thread[0] = NULL;
        fault(r, "/thread", "must be a JSON pointer such as /groupKey, or a list of 1 to %d",
              CONFIG_HOOK_THREAD);
    }
}

static void read_when(const reading *r, const json_t *value)
{
    char *error = NULL;
    r->hook->when = value ? hook_when_create(value, &error) : NULL;
    if (value && !r->hook->when && error)
        fault(r, "/when", "%s", error);
    else if (value && !r->hook->when)
        config_no_memory(r->loader);
    free(error);
}

static void read_max_body(const reading *r, const json_t *value)
{
    int64_t n = 0;
    if (!value)
        return;
    if (json_is_integer(value))
        n = (int64_t)json_integer_value(value);
    else if (!json_is_string(value) || !config_value_size(json_string_value(value), &n))
        n = 0;
    if (n < 1 || n > INT64_C(1) << 30)
        fault(r, "/max_body", "must be a size of 1B to 1GiB, such as 1MiB");
    else
        r->hook->max_body = (size_t)n;
}

static void read_message(const reading *r, const json_t *value)
{
    static const char content[] = "the template makes the content of the payload";
    static const struct {
        const char *name, *why;
    } misplaced[] = {{"html", content},
                     {"text", content},
                     {"data", content},
                     {"send_at",
                      "it is one time, and webhooks come at any: their mail is sent when "
                      "they come"}};

    if (!json_is_object(value)) {
        fault(r, "/message", "must be an object with from and to, as a request has them");
        return;
    }
    r->hook->message = value;
    for (size_t i = 0; i < COUNT(misplaced); i++) {
        char pointer[32];
        (void)snprintf(pointer, sizeof pointer, "/message/%s", misplaced[i].name);
        if (!json_object_get(value, misplaced[i].name))
            continue;
        fault(r, pointer, "has no place here: %s", misplaced[i].why);
        r->hook->message = NULL; /* it is not tried */
    }
}

static void read_hook(reading *r, const json_t *given)
{
    static const char *const members[] = {
        "profile", "secret", "secret_file", "secrets", "secrets_files", "message", "when",
        "thread",  "event",  "delivery",    "verify",  "max_body",      NULL};
    static const char *const secrets[] = {"secret", "secret_file", "secrets", "secrets_files"};
    config_hook *h = r->hook;

    check_members(r, "", given, members);
    h->declared = json_deep_copy(given);
    if (!h->declared) {
        config_no_memory(r->loader);
        return;
    }
    for (size_t i = 0; i < COUNT(secrets); i++)
        (void)json_object_del(h->declared, secrets[i]);
    const json_t *d = h->declared;
    read_profile(r, json_object_get(d, "profile"));
    if (h->profile) {
        memcpy(h->event, h->profile->event, sizeof h->event);
        memcpy(h->delivery, h->profile->delivery, sizeof h->delivery);
    }
    read_secrets(r, given);
    if (h->profile || !json_object_get(d, "profile"))
        read_verify(r, json_object_get(d, "verify"));
    read_source(r, "event", json_object_get(d, "event"), h->event);
    read_source(r, "delivery", json_object_get(d, "delivery"), h->delivery);
    h->own_delivery = json_object_get(d, "delivery") != NULL;
    read_thread(r, json_object_get(d, "thread"));
    read_when(r, json_object_get(d, "when"));
    read_max_body(r, json_object_get(d, "max_body"));
    read_message(r, json_object_get(d, "message"));
}

/* ---- all of them ---- */

static void hook_free(config_hook *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < h->secret_count; i++)
        hook_secret_wipe(&h->secrets[i]);
    free(h->secrets);
    hook_when_free(h->when);
    json_decref(h->declared);
    free(h->name);
    free(h->where);
    free(h->domain);
    free(h);
}

static config_hook *hook_create(const char *where, const char *name)
{
    config_hook *h = calloc(1, sizeof *h);
    if (h && asprintf(&h->where, "%s/%s", where, name) < 0)
        h->where = NULL;
    if (h)
        h->name = strdup(name);
    if (h && h->where && h->name)
        return h;
    hook_free(h);
    return NULL;
}

static bool is_hook_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    return len > 0 && len <= CONFIG_HOOK_NAME && name[len] == '\0';
}

static void add_hook(loader *l, const char *where, const char *name, const json_t *value)
{
    buf at = BUF_INIT;

    buf_addf(&at, "%s/", where);
    config_add_name(&at, name, strlen(name));
    const char *place = buf_cstr(&at);
    if (!place)
        config_no_memory(l);
    else if (!is_hook_name(name))
        config_fault(l, place,
                     "a hook's name is 1 to %d letters, digits, dots, hyphens and underscores",
                     CONFIG_HOOK_NAME);
    else if (!json_is_object(value))
        config_fault(l, place, "must be an object");
    else {
        config_hook *h = hook_create(where, name);
        if (h) {
            reading r = {.loader = l, .hook = h};
            l->config->hooks[l->config->hook_count++] = h;
            read_hook(&r, value);
        } else {
            config_no_memory(l);
        }
    }
    buf_free(&at);
}

void config_hooks_read(loader *l, const char *where, const json_t *value)
{
    const char *name;
    json_t *hook;

    if (!json_is_object(value) || json_object_size(value) > CONFIG_HOOKS_MAX) {
        config_fault(l, where, "must be an object of names and hooks, %d at most",
                     CONFIG_HOOKS_MAX);
        return;
    }
    l->config->hooks = calloc(json_object_size(value) + 1, sizeof(config_hook *));
    if (!l->config->hooks) {
        config_no_memory(l);
        return;
    }
    json_object_foreach((json_t *)value, name, hook) add_hook(l, where, name, hook);
}

void config_hooks_clear(config *c)
{
    for (size_t i = 0; i < c->hook_count; i++)
        hook_free(c->hooks[i]);
    free(c->hooks);
}

const config_hook *config_hook_find(const config *c, const char *name, size_t len)
{
    for (size_t i = 0; i < c->hook_count; i++) {
        if (strlen(c->hooks[i]->name) == len && memcmp(c->hooks[i]->name, name, len) == 0)
            return c->hooks[i];
    }
    return NULL;
}

/* ---- with the other settings ---- */

/* A request of the message's members, with any content. NULL: no memory. */
static document *try_document(const config_hook *h)
{
    json_t *root = json_deep_copy(h->message);
    if (!root)
        return NULL;
    (void)json_object_del(root, "template");
    if (json_object_set_new(root, "text", json_string("x")) != 0) {
        json_decref(root);
        return NULL;
    }
    return document_wrap(root);
}

/* What stands behind the @ of the message's id. */
static char *domain_of(const request *r)
{
    const char *id = mime_message_id(r->message), *at = strrchr(id, '@');
    return at ? strndup(at + 1, strcspn(at + 1, ">")) : strdup("localhost");
}

static void check_message(const reading *r)
{
    const config *c = r->loader->config;
    document *d = try_document(r->hook);
    request *made = NULL;
    faults errors;

    faults_init(&errors);
    request_result result =
        d ? request_create_queued(c, NULL, d, NO_ID, 0, &made, &errors) : REQUEST_NOMEM;
    for (size_t i = 0; i < errors.count; i++) {
        char pointer[FAULTS_POINTER_MAX + 16];
        (void)snprintf(pointer, sizeof pointer, "/message%s", errors.list[i].pointer);
        fault(r, pointer, "%s", errors.list[i].detail);
    }
    if (result == REQUEST_OK)
        r->hook->domain = domain_of(made);
    if (result == REQUEST_NOMEM || (result == REQUEST_OK && !r->hook->domain))
        config_no_memory(r->loader);
    request_free(made);
    faults_free(&errors);
}

void config_hooks_check(loader *l, bool serving)
{
    const config *c = l->config;

    for (size_t i = 0; i < c->hook_count; i++) {
        config_hook *h = c->hooks[i];
        const reading r = {.loader = l, .hook = h};
        if (serving && !c->queue_url)
            fault(&r, "", "hooks need a queue: set POSTERN_DATA or POSTERN_QUEUE");
        if (serving && h->open && !c->listen.loopback && !c->auth_off)
            fault(&r, "/verify",
                  "is none, and other machines could send mail through this address: verify it, or "
                  "listen on 127.0.0.1 or a unix socket, or set POSTERN_AUTH=off if something else "
                  "guards it");
        if (h->max_body > c->max_body)
            fault(&r, "/max_body", "is more than POSTERN_MAX_BODY");
        if (h->max_body == 0)
            h->max_body = CONFIG_HOOK_BODY < c->max_body ? CONFIG_HOOK_BODY : c->max_body;
        if (h->message)
            check_message(&r);
    }
}

void config_hooks_templates(const config *c, const templates *t, buf *complaints)
{
    for (size_t i = 0; i < c->hook_count; i++) {
        const char *name = json_string_value(json_object_get(c->hooks[i]->message, "template"));
        templates_about about;
        if (name && !templates_ready(t))
            complaints->failed = true;
        if (!name || complaints->failed || templates_find(t, name, &about))
            continue;
        buf_addf(complaints, "%s/message/template: ", c->hooks[i]->where);
        templates_suggest(t, name, complaints);
        buf_addc(complaints, '\n');
    }
}
