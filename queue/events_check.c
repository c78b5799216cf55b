/* The parts of events that need no thread: names, and whether settings will do. */
#include "queue/events.h"

#include <string.h>

#include <curl/curl.h>

#include "queue/sign.h"

#define URL_MOST  2048
#define NO_MEMORY "there is not enough memory to check it"

const char *events_result_name(events_result r)
{
    static const char *const names[EVENTS_RESULTS] = {
        [EVENTS_DELIVERED] = "delivered",
        [EVENTS_DEFERRED] = "deferred",
        [EVENTS_GIVEN_UP] = "given_up",
    };
    return names[r];
}

static bool has_part(CURLU *u, CURLUPart what)
{
    char *part = NULL;
    bool has = curl_url_get(u, what, &part, 0) == CURLUE_OK;
    curl_free(part);
    return has;
}

static bool has_scheme(CURLU *u, const char *wanted)
{
    char *scheme = NULL;
    bool is = curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK && !strcmp(scheme, wanted);
    curl_free(scheme);
    return is;
}

static const char *parts_fault(CURLU *u, const char *url, bool allow_private)
{
    if (curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK)
        return "it is no URL";
    bool cleartext = has_scheme(u, "http");
    if (!cleartext && !has_scheme(u, "https"))
        return "it must begin with https://";
    if (cleartext && !allow_private)
        return "http:// is for receivers at private addresses only, which are not allowed";
    if (has_part(u, CURLUPART_USER) || has_part(u, CURLUPART_PASSWORD))
        return "it must not hold a user name or a password";
    return NULL;
}

/* What is odd in a URL is refused before a parser has to make sense of it. */
static const char *text_fault(const char *url)
{
    size_t len = strlen(url);
    if (len == 0 || len > URL_MOST)
        return len ? "it is too long" : "it is empty";
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)url[i];
        if (c > '~')
            return "it must be ASCII: a name in its xn-- form, all else percent-encoded";
        if (c <= ' ' || c == '\\')
            return "it must not hold blanks, control characters or backslashes";
        if (c == '#')
            return "it must not have a fragment";
    }
    return strstr(url, "://") ? NULL : "it must begin with https://";
}

const char *events_url_fault(const char *url, bool allow_private)
{
    const char *fault = text_fault(url);
    if (fault)
        return fault;
    CURLU *u = curl_url();
    fault = u ? parts_fault(u, url, allow_private) : NO_MEMORY;
    curl_url_cleanup(u);
    return fault;
}

const char *events_secret_fault(const char *secret)
{
    sign_secret s;
    const char *fault = sign_secret_parse(secret, &s);
    sign_secret_wipe(&s);
    return fault;
}
