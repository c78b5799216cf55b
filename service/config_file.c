#include "service/config_setting.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/arena.h"
#include "service/config_hooks.h"
#include "service/features.h"
#include "service/file.h"

#define MEMBER_SUFFIX  "_file"
#define RELAYS_MAX     64
#define RELAY_NAME_MAX 64

/* A setting's member: "POSTERN_MAX_BODY" as "max_body", with MEMBER_SUFFIX behind it if `as_file`.
 */
static bool is_member(const setting *s, bool as_file, const char *name)
{
    const char *variable = s->variable + CONFIG_PREFIX_LENGTH;
    size_t len = strlen(variable);

    if (s->form == FORM_NONE)
        return false;
    for (size_t i = 0; i < len; i++)
        if (name[i] != tolower((unsigned char)variable[i]))
            return false;
    return strcmp(name + len, as_file ? MEMBER_SUFFIX : "") == 0;
}

static const char *const FORM_WORDS[] = {
    [FORM_STRING] = "a string",
    [FORM_NUMBER] = "a string or a number",
    [FORM_SWITCH] = "\"on\" or \"off\", true or false",
    [FORM_LIST] = "a string or a list of strings",
};

/* A member's value as the text that the environment would hold; false if it has another type. */
static bool member_text(const setting *s, const json_t *value, buf *out)
{
    size_t i;
    const json_t *item;

    if (json_is_string(value)) {
        buf_adds(out, json_string_value(value));
    } else if (json_is_integer(value) && s->form == FORM_NUMBER) {
        buf_addf(out, "%lld", (long long)json_integer_value(value));
    } else if (json_is_boolean(value) && s->form == FORM_SWITCH) {
        buf_adds(out, json_is_true(value) ? "on" : "off");
    } else if (json_is_array(value) && s->form == FORM_LIST) {
        json_array_foreach(value, i, item)
        {
            if (!json_is_string(item))
                return false;
            buf_adds(out, json_string_value(item));
            buf_addc(out, '\n');
        }
    } else {
        return false;
    }
    return true;
}

static void apply_member(loader *l, const setting *s, const char *where, const json_t *value)
{
    buf text = BUF_INIT;

    if (config_lacks(l, s, where)) /* its form doesn't matter then */
        return;
    if (!member_text(s, value, &text)) {
        config_fault(l, where, "must be %s", FORM_WORDS[s->form]);
    } else {
        const char *string = buf_cstr(&text);
        if (string)
            config_apply(l, s, where, string);
        else
            config_no_memory(l);
    }
    if (text.data)
        explicit_bzero(text.data, text.len);
    buf_free(&text);
}

static bool is_relay_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    return len > 0 && len <= RELAY_NAME_MAX && name[len] == '\0';
}

/* {"url": URL} or {"url_file": PATH} */
static void apply_relay_object(loader *l, const char *where, const char *name, const json_t *value)
{
    const json_t *url = json_object_get(value, "url");
    const json_t *file = json_object_get(value, "url_file");

    if (json_object_size(value) != 1 || !json_is_string(url ? url : file)) {
        config_fault(l, where, "must be a URL, {\"url\": URL} or {\"url_file\": PATH}");
    } else if (url) {
        config_add_relay(l, where, name, json_string_value(url));
    } else {
        char *content = config_read_secret(l, where, json_string_value(file));
        if (content)
            config_add_relay(l, where, name, content);
        file_wipe(content);
    }
}

static void apply_relays(loader *l, const char *where, const json_t *value)
{
    const char *name;
    json_t *relay;

    if (!json_is_object(value) || json_object_size(value) > RELAYS_MAX) {
        config_fault(l, where, "must be an object of names and relays, %d at most", RELAYS_MAX);
        return;
    }
    json_object_foreach((json_t *)value, name, relay)
    {
        buf inner = BUF_INIT;
        buf_addf(&inner, "%s/", where);
        config_add_name(&inner, name, strlen(name));
        const char *at = buf_cstr(&inner);
        if (!at)
            config_no_memory(l);
        else if (!is_relay_name(name))
            config_fault(l, at,
                         "a relay's name is 1 to %d letters, digits, dots, hyphens and underscores",
                         RELAY_NAME_MAX);
        else if (json_is_string(relay))
            config_add_relay(l, at, name, json_string_value(relay));
        else
            apply_relay_object(l, at, name, relay);
        buf_free(&inner);
    }
}

static void apply_root_member(loader *l, const char *where, const char *name, const json_t *value)
{
    if (strcmp(name, "relays") == 0) {
        apply_relays(l, where, value);
        return;
    }
    if (strcmp(name, "hooks") == 0) {
        if (WITH_HOOKS)
            config_hooks_read(l, where, value);
        else
            config_fault(l, where, "this " LEAN_HAS_NO "webhooks");
        return;
    }
    if (strcmp(name, "dkim") == 0) {
        if (WITH_DKIM)
            config_apply_dkim(l, where, value);
        else
            config_fault(l, where, "this " LEAN_HAS_NO "DKIM");
        return;
    }
    for (size_t i = 0; i < config_setting_count; i++) {
        const setting *s = &config_settings[i];
        if (is_member(s, false, name)) {
            apply_member(l, s, where, value);
            return;
        }
        if (s->secret && is_member(s, true, name)) {
            if (json_is_string(value))
                config_apply_file(l, s, where, json_string_value(value));
            else
                config_fault(l, where, "must be a path");
            return;
        }
    }
    config_unknown(l, where, name, true);
}

/* X and X_file together. */
static void check_member_pairs(loader *l, const char *path, const json_t *root)
{
    static const char *const pairs[][2] = {
        {"api_keys", "api_keys_file"},
        {"queue", "queue_file"},
        {"events_secret", "events_secret_file"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (json_object_get(root, pairs[i][0]) && json_object_get(root, pairs[i][1]))
            config_fault(l, path, "has both %s and %s", pairs[i][0], pairs[i][1]);
    }
}

static void apply_root(loader *l, const char *path, const json_t *root)
{
    const char *name;
    json_t *value;

    if (!json_is_object(root)) {
        config_fault(l, path, "must be a JSON object");
        return;
    }
    check_member_pairs(l, path, root);
    json_object_foreach((json_t *)root, name, value)
    {
        buf where = BUF_INIT;
        buf_addf(&where, "%s: /", path);
        config_add_name(&where, name, strlen(name));
        const char *at = buf_cstr(&where);
        if (at)
            apply_root_member(l, at, name, value);
        else
            config_no_memory(l);
        buf_free(&where);
    }
}

void config_load_file(loader *l, const char *path)
{
    char *error = NULL;
    size_t len = 0;
    json_error_t bad;

    char *content = file_read(path, FILE_SMALL, &len, &error);
    if (!content) {
        if (error)
            config_fault(l, CONFIG_VARIABLE, "%s", error);
        else
            config_no_memory(l);
        free(error);
        return;
    }
    arena a; /* for what it knows of memory: else a word could lack a letter, and be a fault */
    arena_init(&a, NULL, 0);
    arena_use(&a);
    json_t *root = json_loadb(content, len, JSON_REJECT_DUPLICATES, &bad);
    arena_use(NULL);
    if (root && !a.failed) {
        apply_root(l, path, root);
    } else if (a.failed || bad.text[0] == '\0') {
        config_no_memory(l);
    } else {
        /* What is behind "near" repeats the file, which may hold secrets. */
        const char *near = strstr(bad.text, " near ");
        size_t shown = near ? (size_t)(near - bad.text) : strlen(bad.text);
        config_fault(l, path, "line %d, column %d: %.*s", bad.line, bad.column, (int)shown,
                     bad.text);
    }
    json_decref(root);
    explicit_bzero(content, len);
    free(content);
}
