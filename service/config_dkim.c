/*
 * config_dkim - "dkim" of the file: {"example.com": [{"selector": "s1", "key_file": PATH}]}, the
 * keys that sign for the domain of From. A key may name the "domain" it signs for (d=), where that
 * is one above.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "mime/address.h"
#include "service/config_setting.h"
#include "service/file.h"

#define DOMAINS_MAX  1024
#define SELECTOR_MAX 63
#define KEY_MAX      ((size_t)64 * 1024)

/* Labels of letters, digits and hyphens, as DNS has them, with dots between. */
bool config_is_selector(const char *s)
{
    size_t len = strlen(s);
    bool ok = len > 0 && len <= SELECTOR_MAX &&
              strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == len;
    return ok && s[0] != '.' && s[0] != '-' && s[len - 1] != '.' && s[len - 1] != '-' &&
           !strstr(s, "..");
}

/* One above the other, or the same. */
static bool is_within(const char *domain, const char *above)
{
    size_t len = strlen(domain), most = strlen(above);
    return len >= most && strcmp(domain + (len - most), above) == 0 &&
           (len == most || domain[len - most - 1] == '.');
}

static const char *member(const json_t *key, const char *name)
{
    return json_string_value(json_object_get(key, name));
}

static bool has_members(loader *l, const char *where, const json_t *key)
{
    const char *name;
    json_t *value;

    if (!member(key, "selector") || !member(key, "key_file")) {
        config_fault(l, where, "must be {\"selector\": NAME, \"key_file\": PATH}");
        return false;
    }
    json_object_foreach((json_t *)key, name, value)
    {
        bool known = strcmp(name, "selector") == 0 || strcmp(name, "key_file") == 0 ||
                     strcmp(name, "domain") == 0;
        if (!known || !json_is_string(value)) {
            config_fault(l, where,
                         "has strings only: \"selector\", \"key_file\", and \"domain\" if it "
                         "signs for another one");
            return false;
        }
    }
    return true;
}

/* Secrets that are mounted are often for everybody to read, in a container where nobody else is: it
 * is no fault. */
static void look_at_mode(loader *l, const char *path)
{
    struct stat s;

    if (l->config->dkim_open || stat(path, &s) != 0 || (s.st_mode & (S_IROTH | S_IWOTH)) == 0)
        return;
    l->config->dkim_open = strdup(path);
    if (!l->config->dkim_open)
        config_no_memory(l);
}

/* The key of a file; NULL on a fault. */
static dkim_key *read_key(loader *l, const char *where, const char *path)
{
    const char *fault = NULL;
    char *error = NULL;
    size_t len = 0;
    dkim_key *key = NULL;
    char *pem = file_read(path, KEY_MAX, &len, &error);

    if (pem)
        key = dkim_key_read(pem, len, &fault);
    else if (!error)
        config_no_memory(l);
    if (error)
        config_fault(l, where, "%s", error);
    if (fault)
        config_fault(l, where, "Can't sign with %s: %s.", path, fault);
    if (key)
        look_at_mode(l, path);
    if (pem)
        explicit_bzero(pem, len);
    free(pem);
    free(error);
    return key;
}

static void apply_key(loader *l, const char *where, const char *domain, const json_t *key)
{
    const char *reason = NULL, *written = member(key, "domain");

    if (!has_members(l, where, key))
        return;
    if (!config_is_selector(member(key, "selector"))) {
        config_fault(l, where, "a selector is letters, digits, hyphens and dots, %d at most",
                     SELECTOR_MAX);
        return;
    }
    char *signs_for =
        mime_domain_ascii(written ? written : domain, strlen(written ? written : domain), &reason);
    if (!signs_for)
        config_fault(l, where, "its domain: %s", reason);
    else if (!is_within(domain, signs_for))
        config_fault(l, where, "can sign for its own domain, or one above it, only");
    else {
        dkim_key *read = read_key(l, where, member(key, "key_file"));
        reason = read
                     ? signer_add(l->config->dkim, domain, signs_for, member(key, "selector"), read)
                     : NULL;
        if (reason)
            config_fault(l, where, "%s", reason);
    }
    free(signs_for);
}

static void apply_domain(loader *l, const char *where, const char *name, const json_t *list)
{
    const char *reason = NULL;
    char *domain = mime_domain_ascii(name, strlen(name), &reason);
    size_t i;
    const json_t *key;

    if (!domain)
        config_fault(l, where, "%s", reason);
    else if (signer_judge(l->config->dkim, domain, 0) != SIGNER_NOTHING)
        config_fault(l, where, "the domain is there twice");
    else if (!json_is_array(list) || json_array_size(list) == 0)
        config_fault(l, where, "must be a list of keys");
    else {
        json_array_foreach(list, i, key)
        {
            buf inner = BUF_INIT;
            buf_addf(&inner, "%s/%zu", where, i);
            const char *at = buf_cstr(&inner);
            if (at)
                apply_key(l, at, domain, key);
            else
                config_no_memory(l);
            buf_free(&inner);
        }
    }
    free(domain);
}

void config_apply_dkim(loader *l, const char *where, const json_t *value)
{
    const char *name;
    json_t *list;

    if (!json_is_object(value) || json_object_size(value) > DOMAINS_MAX) {
        config_fault(l, where, "must be an object of domains and lists of keys, %d domains at most",
                     DOMAINS_MAX);
        return;
    }
    json_object_foreach((json_t *)value, name, list)
    {
        buf inner = BUF_INIT;
        buf_addf(&inner, "%s/", where);
        config_add_name(&inner, name, strlen(name));
        const char *at = buf_cstr(&inner);
        if (at)
            apply_domain(l, at, name, list);
        else
            config_no_memory(l);
        buf_free(&inner);
    }
}
