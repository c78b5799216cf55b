#include "smtp/relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/hex.h"
#include "smtp/relay_config.h"

#define SESSIONS_MAX  256
#define SECRET_MAX    65536
#define NAME_MAX_LEN  253
#define EHLO_FALLBACK "[127.0.0.1]"

/* A URL being read. */
typedef struct reading {
    smtp_relay *relay;
    char *error; /* the first fault; NULL with a failure: memory ran out */
    char *region;
    char *password_file;
    int64_t rate_each; /* of pace.h; 0: none */
    bool tls_written;
    const char *auth_written;
} reading;

static bool fault(reading *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fault(reading *p, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (!p->error && vasprintf(&p->error, format, args) < 0)
        p->error = NULL;
    va_end(args);
    return false;
}

static void wipe(char *s)
{
    if (s)
        explicit_bzero(s, strlen(s));
    free(s);
}

/* --- pieces ------------------------------------------------------------------------------------
 */

/* Percent-decodes; NULL, and a fault unless memory ran out. Never repeats what it reads. */
static char *decode(reading *p, const char *what, const char *s, size_t len)
{
    char *out = calloc(1, len + 1);
    size_t n = 0;

    if (!out)
        return NULL;
    for (size_t i = 0; i < len; i++) {
        char c = s[i];
        if (c == '%') {
            int high = i + 2 < len ? hex_digit(s[i + 1]) : -1;
            int low = i + 2 < len ? hex_digit(s[i + 2]) : -1;
            if (high < 0 || low < 0) {
                fault(p, "in the %s, a %% must be followed by two hex digits (%% is written %%25)",
                      what);
                wipe(out);
                return NULL;
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        if ((unsigned char)c < 0x20 || c == 0x7F) {
            fault(p, "the %s holds a control character", what);
            wipe(out);
            return NULL;
        }
        out[n++] = c;
    }
    return out;
}

/* A number of 1 to `max`; 0: it isn't one. */
static unsigned read_number(const char *s, size_t len, unsigned max)
{
    unsigned n = 0;

    if (len == 0 || len > 6)
        return 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            return 0;
        n = n * 10 + (unsigned)(s[i] - '0');
    }
    return n <= max ? n : 0;
}

static bool is_name(const char *s, size_t len)
{
    if (len == 0 || len > NAME_MAX_LEN || s[0] == '.' || s[0] == '-')
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = s[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              c == '-' || c == '.' || c == '_'))
            return false;
        if (c == '.' && i > 0 && s[i - 1] == '.')
            return false;
    }
    return true;
}

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (strcasecmp(host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* The first line's end and what is behind it are no part of a secret in a file. */
static char *read_secret(reading *p, const char *path)
{
    char *secret = calloc(1, SECRET_MAX + 1);
    FILE *file = secret ? fopen(path, "re") : NULL;

    if (!secret)
        return NULL;
    size_t n = file ? fread(secret, 1, SECRET_MAX, file) : 0;
    if (!file || ferror(file)) {
        fault(p, "password_file can't be read: %s", strerrordesc_np(errno));
    } else {
        while (n > 0 && (secret[n - 1] == '\n' || secret[n - 1] == '\r'))
            n--;
        explicit_bzero(secret + n, SECRET_MAX + 1 - n);
        if (n == 0 || strlen(secret) != n || strpbrk(secret, "\r\n"))
            fault(p, "password_file must hold the password and nothing else, on one line");
    }
    if (file)
        (void)fclose(file); /* read only: nothing to lose */
    if (p->error) {
        explicit_bzero(secret, SECRET_MAX);
        free(secret);
        return NULL;
    }
    char *exact = strdup(secret);
    explicit_bzero(secret, SECRET_MAX);
    free(secret);
    return exact;
}

/* --- options -----------------------------------------------------------------------------------
 */

static bool set_tls(reading *p, const char *value)
{
    static const struct {
        const char *word;
        smtp_tls tls;
    } modes[] = {
        {"none", SMTP_TLS_NONE}, {"starttls", SMTP_TLS_STARTTLS}, {"implicit", SMTP_TLS_IMPLICIT}};

    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (strcmp(modes[i].word, value) == 0) {
            p->relay->tls = modes[i].tls;
            p->tls_written = true;
            return true;
        }
    }
    return fault(p, "tls must be none, starttls or implicit");
}

static bool set_auth(reading *p, const char *value)
{
    static const char *const mechanisms[] = {"PLAIN",   "LOGIN",       "CRAM-MD5",
                                             "XOAUTH2", "OAUTHBEARER", "DIGEST-MD5",
                                             "NTLM",    "GSSAPI",      "EXTERNAL"};

    if (strcasecmp(value, "none") == 0) {
        p->auth_written = "none";
        return true;
    }
    for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++) {
        if (strcasecmp(mechanisms[i], value) == 0) {
            p->auth_written = mechanisms[i];
            return true;
        }
    }
    return fault(p, "auth must be plain, login, cram-md5, xoauth2, oauthbearer, digest-md5, ntlm, "
                    "gssapi, external or none");
}

static bool set_ehlo(reading *p, const char *value)
{
    size_t len = strlen(value);
    bool literal = len > 2 && len < 64 && value[0] == '[' && value[len - 1] == ']' &&
                   strspn(value + 1, "0123456789abcdefABCDEFIPv:.") == len - 2;

    if (!literal && !is_name(value, len))
        return fault(p, "ehlo must be a host name, or an address in brackets");
    p->relay->ehlo = strdup(value);
    return p->relay->ehlo != NULL;
}

static bool set_sessions(reading *p, const char *value)
{
    p->relay->sessions = read_number(value, strlen(value), SESSIONS_MAX);
    return p->relay->sessions > 0 || fault(p, "sessions must be 1 to %d", SESSIONS_MAX);
}

static bool set_ahead(reading *p, const char *value)
{
    p->relay->ahead = strcmp(value, "on") == 0;
    return p->relay->ahead || strcmp(value, "off") == 0 || fault(p, "ahead must be on or off");
}

static bool set_rate(reading *p, const char *value)
{
    return smtp_pace_read_rate(value, &p->rate_each) ||
           fault(p, "rate must be a number of recipients and /s, /m, /h or /d, such as 14/s");
}

static bool set_path(reading *p, const char *name, const char *value, char **to)
{
    if (value[0] == '\0')
        return fault(p, "%s must name a file", name);
    *to = strdup(value);
    return *to != NULL;
}

static bool set_ca(reading *p, const char *value)
{
    return set_path(p, "ca", value, &p->relay->ca) &&
           (access(value, R_OK) == 0 || fault(p, "ca can't be read: %s", strerrordesc_np(errno)));
}

static bool set_token_file(reading *p, const char *value)
{
    return set_path(p, "token_file", value, &p->relay->token_file);
}

static bool set_password_file(reading *p, const char *value)
{
    return set_path(p, "password_file", value, &p->password_file);
}

static bool set_region(reading *p, const char *value)
{
    if (!is_name(value, strlen(value)) || strlen(value) > 63)
        return fault(p, "region must be a region's name, such as eu-west-1");
    p->region = strdup(value);
    return p->region != NULL;
}

static const struct {
    const char *name;
    bool (*set)(reading *p, const char *value);
} options[] = {{"tls", set_tls},
               {"auth", set_auth},
               {"ca", set_ca},
               {"ehlo", set_ehlo},
               {"sessions", set_sessions},
               {"ahead", set_ahead},
               {"rate", set_rate},
               {"token_file", set_token_file},
               {"password_file", set_password_file},
               {"region", set_region}};

#define OPTIONS (sizeof options / sizeof *options)

/* One "name=value". An unknown name is repeated only if it looks like a name, since it may be a
 * piece of a password that holds an unescaped "?". */
static bool read_option(reading *p, const char *s, size_t len, unsigned *seen)
{
    const char *equals = memchr(s, '=', len);
    size_t name = equals ? (size_t)(equals - s) : len;

    for (size_t i = 0; i < OPTIONS; i++) {
        if (strlen(options[i].name) != name || memcmp(options[i].name, s, name) != 0)
            continue;
        if (*seen & (1U << i))
            return fault(p, "the option %s is there twice", options[i].name);
        *seen |= 1U << i;
        if (!equals)
            return fault(p, "the option %s has no value", options[i].name);
        char *value = decode(p, options[i].name, equals + 1, len - name - 1);
        bool ok = value && options[i].set(p, value);
        free(value);
        return ok;
    }
    if (equals && name > 0 && name <= 20 &&
        strspn(s, "abcdefghijklmnopqrstuvwxyz_-0123456789") == name)
        return fault(p, "the option %.*s is unknown", (int)name, s);
    return fault(p, "what is behind the ? is not a list of options");
}

static bool read_options(reading *p, const char *query)
{
    unsigned seen = 0;

    while (*query) {
        size_t len = strcspn(query, "&");
        if (!read_option(p, query, len, &seen))
            return false;
        query += len;
        if (*query == '&')
            query++;
    }
    return true;
}

/* --- parts of the URL --------------------------------------------------------------------------
 */

static bool read_scheme(reading *p, const char *s, size_t len)
{
    char scheme[32];
    smtp_relay *r = p->relay;

    if (len == 0 || len >= sizeof scheme)
        return fault(p, "the URL must begin with smtp://, smtps:// or a provider's name and ://");
    for (size_t i = 0; i < len; i++) {
        bool upper = s[i] >= 'A' && s[i] <= 'Z';
        scheme[i] = upper ? (char)(s[i] + ('a' - 'A')) : s[i];
    }
    scheme[len] = '\0';
    if (strspn(scheme, "abcdefghijklmnopqrstuvwxyz0123456789+-.") != len)
        return fault(p, "the URL must begin with smtp://, smtps:// or a provider's name and ://");
    r->tls = SMTP_TLS_STARTTLS;
    if (strcmp(scheme, "smtp") == 0)
        return true;
    if (strcmp(scheme, "smtps") == 0) {
        r->tls = SMTP_TLS_IMPLICIT;
        return true;
    }
    r->preset = smtp_preset_find(scheme);
    if (!r->preset)
        return fault(p, "%s is neither smtp, smtps nor a provider that is known by name", scheme);
    r->tls = r->preset->tls;
    return true;
}

static bool read_userinfo(reading *p, const char *s, size_t len)
{
    smtp_relay *r = p->relay;
    const char *colon = memchr(s, ':', len);
    size_t user = colon ? (size_t)(colon - s) : len;

    if (user > 0 && !(r->user = decode(p, "user", s, user)))
        return false;
    if (colon && colon + 1 < s + len &&
        !(r->password = decode(p, "password", colon + 1, len - user - 1)))
        return false;
    return true;
}

static bool read_port(reading *p, const char *s, size_t len)
{
    p->relay->port = read_number(s, len, 65535);
    return p->relay->port > 0 || fault(p, "the port must be 1 to 65535");
}

static bool read_host(reading *p, const char *s, size_t len)
{
    smtp_relay *r = p->relay;
    const char *close = len > 0 && s[0] == '[' ? memchr(s, ']', len) : NULL;
    const char *colon = NULL;
    size_t host = len;

    if (r->preset) /* what stands here may be a part of the password: it is not repeated */
        return len == 0 ||
               fault(p, "a provider's URL ends with the @ behind the password; it names no host");
    if (close) {
        struct in6_addr v6;
        host = (size_t)(close - s) + 1;
        r->host = strndup(s + 1, host - 2);
        if (!r->host)
            return false;
        if (inet_pton(AF_INET6, r->host, &v6) != 1)
            return fault(p, "what stands in brackets is not an IPv6 address");
        colon = host < len ? s + host : NULL;
    } else {
        colon = memchr(s, ':', len);
        host = colon ? (size_t)(colon - s) : len;
        if (host == 0)
            return fault(p, "the URL names no host");
        if (!is_name(s, host))
            return fault(p, "the host is neither a name in ASCII nor an address (in a password, @ "
                            "is written %%40, ? is %%3F)");
        r->host = strndup(s, host);
        if (!r->host)
            return false;
    }
    if (!colon)
        return true;
    if (*colon != ':')
        return fault(p, "only a : and the port may stand behind the address in brackets");
    return read_port(p, colon + 1, len - (size_t)(colon + 1 - s));
}

/* Splits the URL; secrets may hold anything but an unescaped ? and %. */
static bool read_url(reading *p, const char *url)
{
    const char *sep = strstr(url, "://");

    for (const char *s = url; *s; s++)
        if ((unsigned char)*s <= 0x20 || *s == 0x7F)
            return fault(p, "the URL holds a space or a control character");
    if (!sep)
        return fault(p, "the URL must begin with smtp://, smtps:// or a provider's name and ://");
    if (!read_scheme(p, url, (size_t)(sep - url)))
        return false;
    const char *rest = sep + 3;
    const char *query = strchr(rest, '?');
    size_t len = query ? (size_t)(query - rest) : strlen(rest);
    if (query && strchr(query, '@'))
        return fault(p, "there is an @ behind the ?: in a password ? is written %%3F, in an option "
                        "@ is %%40");
    const char *at = memrchr(rest, '@', len);
    if (at && !read_userinfo(p, rest, (size_t)(at - rest)))
        return false;
    const char *host = at ? at + 1 : rest;
    size_t host_len = len - (size_t)(host - rest);
    if (host_len > 0 && host[host_len - 1] == '/')
        host_len--;
    return read_host(p, host, host_len) && (!query || read_options(p, query + 1));
}

/* --- what only the whole tells -----------------------------------------------------------------
 */

/* Fills in what a preset knows. */
static bool apply_preset(reading *p)
{
    smtp_relay *r = p->relay;
    char host[NAME_MAX_LEN + 1];

    if (!r->preset) {
        r->preset = smtp_preset_of_host(r->host);
        return !p->region || fault(p, "region is for providers' URLs, such as ses://");
    }
    if (!smtp_preset_host(r->preset, p->region, host, sizeof host)) {
        if (p->region)
            return fault(p, "%s has no regions", r->preset->title);
        return fault(p, "%s needs a region: add ?region=", r->preset->title);
    }
    r->host = strdup(host);
    if (!r->host)
        return false;
    if (r->tls == r->preset->tls)
        r->port = r->preset->port;
    if (r->user && r->preset->auth && !p->auth_written && !r->token_file)
        r->auth = r->preset->auth;
    /* Where the provider sets the user, or one token is both, a lone word is the secret. */
    bool lone = r->user && !r->password && !p->password_file && !r->token_file;
    if (r->preset->user && lone) {
        r->password = r->user;
        r->user = NULL;
    }
    if (r->preset->user && !r->user && !(r->user = strdup(r->preset->user)))
        return false;
    if (r->preset->token && lone && !(r->password = strdup(r->user)))
        return false;
    return true;
}

static bool check_credentials(reading *p)
{
    smtp_relay *r = p->relay;
    const char *auth = p->auth_written;
    bool none = auth && strcmp(auth, "none") == 0;
    bool bearer = auth && (strcmp(auth, "XOAUTH2") == 0 || strcmp(auth, "OAUTHBEARER") == 0);
    bool ticket = auth && (strcmp(auth, "EXTERNAL") == 0 || strcmp(auth, "GSSAPI") == 0);

    if (p->password_file && r->password)
        return fault(p, "there is a password in the URL and a password_file: which one?");
    if (p->password_file && !(r->password = read_secret(p, p->password_file)))
        return false;
    if (none && (r->user || r->password || r->token_file))
        return fault(p, "auth=none contradicts the credentials");
    if (auth && !none)
        r->auth = auth;
    if (r->token_file) {
        if (auth && !bearer)
            return fault(p, "token_file goes with auth=xoauth2 or auth=oauthbearer only");
        if (!auth)
            r->auth = "XOAUTH2";
    }
    if (r->token_file && r->password)
        return fault(p, "there is a password and a token_file: which one?");
    if (bearer && !r->token_file)
        return fault(p, "auth=%s needs a token_file", auth[0] == 'X' ? "xoauth2" : "oauthbearer");
    if (!r->user) {
        if (r->password || r->token_file)
            return fault(p, "there is a %s without a user",
                         r->password ? "password" : "token_file");
        return !(auth && !none) || fault(p, "auth pins a mechanism, but there is no user");
    }
    if (ticket && auth[0] == 'E' && r->password)
        return fault(p, "auth=external takes no password");
    if (!r->password && !r->token_file && !ticket)
        return fault(p, "the user has no password (nor a password_file or token_file)");
    return true;
}

static bool check_whole(reading *p)
{
    smtp_relay *r = p->relay;

    if (!apply_preset(p) || !check_credentials(p))
        return false;
    if (r->tls == SMTP_TLS_NONE && r->user && !is_loopback(r->host))
        return fault(p, "tls=none would send the password in clear: with credentials it is for "
                        "loopback hosts only");
    if (r->tls == SMTP_TLS_NONE && r->ca)
        return fault(p, "ca means nothing with tls=none");
    if (r->port == 0)
        r->port = r->tls == SMTP_TLS_IMPLICIT ? 465 : r->tls == SMTP_TLS_NONE ? 25 : 587;
    if (r->sessions == 0)
        r->sessions = SMTP_RELAY_SESSIONS;
    return true;
}

/* The machine's name where it is a whole one; relays that check the EHLO name refuse a bare host
 * name but take an address (RFC 5321 section 4.1.3). */
static char *machine_name(void)
{
    char name[HOST_NAME_MAX + 1] = "";

    if (gethostname(name, sizeof name) != 0)
        name[0] = '\0';
    name[sizeof name - 1] = '\0';
    bool whole = strchr(name, '.') && is_name(name, strlen(name));
    return strdup(whole ? name : EHLO_FALLBACK);
}

smtp_relay *smtp_relay_create(const char *name, const char *url, char **error)
{
    smtp_relay *r = calloc(1, sizeof *r);
    reading p = {.relay = r};
    bool ok = false;

    *error = NULL;
    if (!r)
        return NULL;
    r->ahead = true;
    r->name = strdup(name);
    ok = r->name && read_url(&p, url) && check_whole(&p);
    if (ok && !r->ehlo)
        ok = (r->ehlo = machine_name()) != NULL;
    if (ok && (ok = (r->pace = malloc(sizeof *r->pace)) != NULL))
        smtp_pace_init(r->pace, r->sessions, p.rate_each);
    free(p.region);
    free(p.password_file);
    if (ok)
        return r;
    *error = p.error;
    smtp_relay_free(r);
    return NULL;
}

void smtp_relay_free(smtp_relay *r)
{
    if (!r)
        return;
    free(r->name);
    free(r->host);
    wipe(r->user); /* a token may stand in the user's place */
    wipe(r->password);
    free(r->ca);
    free(r->ehlo);
    free(r->token_file);
    free(r->pace);
    free(r);
}

const char *smtp_relay_name(const smtp_relay *r)
{
    return r->name;
}

const char *smtp_relay_host(const smtp_relay *r)
{
    return r->host;
}

unsigned smtp_relay_port(const smtp_relay *r)
{
    return r->port;
}

smtp_tls smtp_relay_tls(const smtp_relay *r)
{
    return r->tls;
}

const char *smtp_relay_preset(const smtp_relay *r)
{
    return r->preset ? r->preset->name : NULL;
}

const char *smtp_relay_user(const smtp_relay *r)
{
    return r->user;
}
