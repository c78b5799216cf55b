/*
 * config_setting - the table of settings, and reading one of them into a config.
 *
 * Inside of config: config.c goes through the environment, config_file.c through the file, and both
 * hand each value they find to the table's reader.
 */
#ifndef POSTERN_SERVICE_CONFIG_SETTING_H
#define POSTERN_SERVICE_CONFIG_SETTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/buf.h"
#include "service/config.h"

#define CONFIG_PREFIX        "POSTERN_"
#define CONFIG_PREFIX_LENGTH (sizeof CONFIG_PREFIX - 1)
#define CONFIG_FILE_SUFFIX   "_FILE"
#define CONFIG_VARIABLE      "POSTERN_CONFIG" /* read before all the others, so not in the table */

typedef struct loader {
    config *config;
    buf *faults;
    bool auth_keys;  /* POSTERN_AUTH=keys was written out */
    bool keys_named; /* keys were to come from somewhere, whether or not they could be read */
    bool no_memory;
} loader;

/* What a member of the file may be besides a string. */
typedef enum form { FORM_STRING, FORM_NUMBER, FORM_SWITCH, FORM_LIST, FORM_NONE } form;

typedef struct setting {
    const char *variable;
    /* NULL: this build has no such setting (features.h) */
    void (*read)(loader *l, const struct setting *s, const char *where, const char *value);
    form form;     /* FORM_NONE: the environment only */
    bool secret;   /* can come as X_FILE */
    size_t offset; /* of the member of config, where `read` is one for many */
    int64_t min, max;
    const char *fallback; /* the default, read like a value; NULL: none */
    const char *shown;    /* the default in words, where `fallback` doesn't say it */
    const char *help;     /* where `read` is NULL: the part that this build would need for it */
} setting;

extern const setting config_settings[];
extern const size_t config_setting_count;

/* Adds the line "where: …", controls in it as "?". */
void config_fault(loader *l, const char *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void config_no_memory(loader *l);

/* A name that somebody else chose, safe to show: cut, and nothing but printable ASCII. */
void config_add_name(buf *out, const char *name, size_t len);

/* The fault of a name that no setting has, with the nearest one. `lower`: a member of the file;
 * else a variable less its prefix. */
void config_unknown(loader *l, const char *where, const char *name, bool lower);

/* True, and a fault, if the setting is of a part that this build lacks. */
bool config_lacks(loader *l, const setting *s, const char *where);

/* Reads a value, or the content of a file, as the setting's. */
void config_apply(loader *l, const setting *s, const char *where, const char *value);
void config_apply_file(loader *l, const setting *s, const char *where, const char *path);

/* The content of a mounted secret, less one line end; file_wipe() it. NULL on a fault. */
char *config_read_secret(loader *l, const char *where, const char *path);

/* Adds a relay, in place of one of the same name. */
void config_add_relay(loader *l, const char *where, const char *name, const char *url);

/* Whether it can be a selector of DKIM. */
bool config_is_selector(const char *s);

/* Reads the keys of DKIM into the signer (config_dkim.c). */
void config_apply_dkim(loader *l, const char *where, const json_t *value);

/* Applies the members of a JSON file. */
void config_load_file(loader *l, const char *path);

void config_listen_clear(config_listen *listen);
void config_strings_clear(char ***list, size_t *count); /* wiped */
void config_senders_clear(config_senders *s);

#endif
