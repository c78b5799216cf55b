/* One POST of an event, by libcurl: see events_own.h. */
#include "base/clock.h"
#include "queue/events_own.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/buf.h"
#include "queue/address_guard.h"

#define RETRY_AFTER  (24 * HOUR) /* at most */
#define CONNECT_MOST (10 * SECOND)
#define ANSWER_MOST  ((size_t)65536) /* octets of a head, and of a body */
#define USER_AGENT   "postern/" POSTERN_VERSION
#define QUICK_EXIT   0x075700 /* libcurl that has it */

/* ---- the receiver ---- */

static bool read_secrets(events_receiver *r, const char **fault)
{
    const char *const *texts = r->o->secrets;
    size_t n = 0;
    while (texts[n])
        n++;
    *fault = n > 0 && n <= SIGN_MOST ? NULL : "one secret is needed, and 16 at most are taken";
    if (*fault || !(r->secrets = calloc(n, sizeof *r->secrets)))
        return false;
    for (; r->secret_count < n; r->secret_count++) {
        *fault = sign_secret_parse(texts[r->secret_count], &r->secrets[r->secret_count]);
        if (*fault)
            return false;
    }
    return true;
}

bool events_receiver_init(events_receiver *r, const events_options *o, const char **fault)
{
    const char *scheme_end = strstr(o->url, "://");
    r->o = o;
    r->cleartext = scheme_end && scheme_end - o->url == 4;
    return read_secrets(r, fault);
}

void events_receiver_wipe(events_receiver *r)
{
    for (size_t i = 0; i < r->secret_count; i++)
        sign_secret_wipe(&r->secrets[i]);
    free(r->secrets);
}

/* ---- the connection, and what comes over it ---- */

static void refuse(events_request *r, const struct sockaddr *address, const char *fault)
{
    char text[INET6_ADDRSTRLEN] = "";
    if (address->sa_family == AF_INET)
        (void)inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, text,
                        sizeof text);
    else if (address->sa_family == AF_INET6)
        (void)inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, text,
                        sizeof text);
    if (fault)
        (void)snprintf(r->refused, sizeof r->refused,
                       "the receiver is at %s, %s, and only public ones are allowed", text, fault);
    else
        (void)snprintf(r->refused, sizeof r->refused,
                       "the receiver is at %s, a public address, and http:// is for private ones",
                       text);
}

static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    events_request *r = ctx;
    const events_receiver *to = r->to;
    const char *fault = address_guard_fault(&address->addr, address->addrlen);
    (void)purpose;
    if (fault ? !to->o->allow_private : to->cleartext) {
        refuse(r, &address->addr, fault);
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* Retry-After (RFC 9110 section 10.2.3), if the line is one: seconds, or a date. libcurl knows it
 * too, and has a limit of its own. */
static void take_retry_after(events_request *r, const char *line, size_t n)
{
    static const char name[] = "retry-after:";
    char value[64];
    if (n < strlen(name) || strncasecmp(line, name, strlen(name)) != 0)
        return;
    line += strlen(name);
    n -= strlen(name);
    while (n > 0 && (*line == ' ' || *line == '\t'))
        line++, n--;
    (void)snprintf(value, sizeof value, "%.*s", (int)(n < sizeof value ? n : sizeof value), line);
    size_t digits = strspn(value, "0123456789");
    time_t date = digits > 0 ? -1 : curl_getdate(value, NULL);
    int64_t seconds = date >= 0 ? (int64_t)date - clock_wall_us() / SECOND : 0;
    for (size_t i = 0; i < digits && seconds < RETRY_AFTER / SECOND; i++)
        seconds = seconds * 10 + (value[i] - '0');
    r->retry_after = least(most_of(seconds, 0), RETRY_AFTER / SECOND) * SECOND;
}

/* An end that comes with less taken than was given breaks the transfer off. */
static size_t take_head(char *data, size_t size, size_t n, void *ctx)
{
    events_request *r = ctx;
    long status = 0;
    (void)size; /* 1 */
    r->head += n;
    take_retry_after(r, data, n);
    if (n > 0 && (data[0] == '\r' || data[0] == '\n')) {
        (void)curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
        r->answered = status >= 200; /* else another head follows */
    }
    return r->head <= ANSWER_MOST ? n : 0;
}

static size_t take_body(char *data, size_t size, size_t n, void *ctx)
{
    events_request *r = ctx;
    (void)data, (void)size;
    r->body += n;
    return r->body <= ANSWER_MOST ? n : 0;
}

/* ---- settings of all requests ---- */

#define SET(option, value) (curl_easy_setopt(easy, option, value) == CURLE_OK)

static bool set_tls(CURL *easy, const events_receiver *to)
{
    return SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) &&
           SET(CURLOPT_SSL_VERIFYPEER, 1L) && SET(CURLOPT_SSL_VERIFYHOST, 2L) &&
           (!to->o->ca || (SET(CURLOPT_CAINFO, to->o->ca) && SET(CURLOPT_CAPATH, NULL)));
}

/* A resolver that hangs must not hold up the others, nor the end. */
static bool set_quick_exit(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= QUICK_EXIT
    return SET(CURLOPT_QUICK_EXIT, 1L);
#else
    (void)easy;
    return true;
#endif
}

static bool set_limits(CURL *easy, const events_receiver *to)
{
    int64_t connect = least(to->o->timeout_us, CONNECT_MOST);
    return SET(CURLOPT_NOSIGNAL, 1L) && SET(CURLOPT_TIMEOUT_MS, (long)(to->o->timeout_us / MS)) &&
           SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(connect / MS)) && set_quick_exit(easy) &&
           SET(CURLOPT_FOLLOWLOCATION, 0L) && SET(CURLOPT_PROXY, "") &&
           SET(CURLOPT_PROTOCOLS_STR, to->cleartext ? "http" : "https");
}

static bool set_up(events_request *r)
{
    CURL *easy = r->easy;
    const events_receiver *to = r->to;
    return set_tls(easy, to) && set_limits(easy, to) && SET(CURLOPT_URL, to->o->url) &&
           SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) && SET(CURLOPT_POST, 1L) &&
           SET(CURLOPT_USERAGENT, USER_AGENT) && SET(CURLOPT_ERRORBUFFER, r->error) &&
           SET(CURLOPT_PRIVATE, r) && SET(CURLOPT_OPENSOCKETFUNCTION, open_socket) &&
           SET(CURLOPT_OPENSOCKETDATA, r) && SET(CURLOPT_HEADERFUNCTION, take_head) &&
           SET(CURLOPT_HEADERDATA, r) && SET(CURLOPT_WRITEFUNCTION, take_body) &&
           SET(CURLOPT_WRITEDATA, r);
}

/* ---- an event ---- */

static bool add_header(struct curl_slist **list, const char *text)
{
    struct curl_slist *longer = curl_slist_append(*list, text);
    if (longer)
        *list = longer;
    return longer != NULL;
}

static bool add_signatures(const events_request *r, int64_t timestamp, struct curl_slist **list)
{
    const events_receiver *to = r->to;
    const char *payload = r->event->payload;
    char signature[SIGN_LENGTH + 1];
    buf line = BUF_INIT;
    bool ok = true;
    buf_adds(&line, "webhook-signature:");
    for (size_t i = 0; ok && i < to->secret_count; i++) {
        ok = sign_make(&to->secrets[i], r->event->id, timestamp, payload, strlen(payload),
                       signature);
        buf_addc(&line, ' ');
        buf_add(&line, signature, ok ? SIGN_LENGTH : 0);
    }
    const char *text = buf_cstr(&line);
    ok = ok && text && add_header(list, text);
    buf_free(&line);
    return ok;
}

static struct curl_slist *headers_of(const events_request *r)
{
    struct curl_slist *list = NULL;
    int64_t timestamp = clock_wall_us() / SECOND;
    char id[sizeof "webhook-id: " + QUEUE_ID], time[64];
    (void)snprintf(id, sizeof id, "webhook-id: %s", r->event->id);
    (void)snprintf(time, sizeof time, "webhook-timestamp: %lld", (long long)timestamp);
    if (add_header(&list, "Content-Type: application/json") && add_header(&list, "Expect:") &&
        add_header(&list, id) && add_header(&list, time) && add_signatures(r, timestamp, &list))
        return list;
    curl_slist_free_all(list);
    return NULL;
}

static bool set_event(events_request *r)
{
    CURL *easy = r->easy;
    r->headers = headers_of(r);
    return r->headers && SET(CURLOPT_HTTPHEADER, r->headers) &&
           SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(r->event->payload)) &&
           SET(CURLOPT_POSTFIELDS, r->event->payload);
}

static bool has_handle(events_request *r)
{
    if (!r->easy && (r->easy = curl_easy_init()) && !set_up(r)) {
        curl_easy_cleanup(r->easy);
        r->easy = NULL;
    }
    return r->easy != NULL;
}

bool events_request_begin(events_request *r, const queue_event *event, CURLM *multi)
{
    r->event = event;
    r->error[0] = r->refused[0] = '\0';
    r->head = r->body = 0;
    r->answered = false;
    r->retry_after = 0;
    if (has_handle(r) && set_event(r) && curl_multi_add_handle(multi, r->easy) == CURLM_OK)
        return true;
    curl_slist_free_all(r->headers);
    r->headers = NULL;
    return false;
}

void events_request_end(events_request *r, CURLM *multi)
{
    (void)curl_multi_remove_handle(multi, r->easy);
    (void)curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, NULL);
    (void)curl_easy_setopt(r->easy, CURLOPT_POSTFIELDS, NULL);
    curl_slist_free_all(r->headers);
    r->headers = NULL;
}

void events_request_free(events_request *r)
{
    curl_slist_free_all(r->headers);
    curl_easy_cleanup(r->easy);
}

/* ---- what is made of its end ---- */

/* What libcurl says of names, connections and certificates is worth reading; what it says of the
 * rest may hold what was sent or received. */
static const char *detail(const events_request *r, CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE: return r->error[0] ? r->error : curl_easy_strerror(code);
    default: return curl_easy_strerror(code);
    }
}

static void explain(const events_request *r, CURLcode code, events_verdict *v)
{
    size_t size = sizeof v->why;
    if (v->status == STATUS_GONE)
        (void)snprintf(v->why, size, "the receiver answered 410: it wants no more");
    else if (v->status)
        (void)snprintf(v->why, size, "the receiver answered %ld%s", v->status,
                       v->status / 100 == 3 ? ", a redirect, and these are not followed" : "");
    else if (r->refused[0])
        (void)snprintf(v->why, size, "%s", r->refused);
    else if (r->head > ANSWER_MOST)
        (void)snprintf(v->why, size, "the head of the receiver's answer is too long");
    else if (code == CURLE_OPERATION_TIMEDOUT)
        (void)snprintf(v->why, size, "the receiver did not answer in time");
    else
        (void)snprintf(v->why, size, "the receiver can't be asked: %s", detail(r, code));
}

void events_request_judge(const events_request *r, CURLcode code, events_verdict *v)
{
    *v = (events_verdict){.result = EVENTS_DEFERRED};
    if (r->answered) {
        (void)curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &v->status);
        v->retry_after = r->retry_after;
    }
    if (v->status / 100 == 2)
        v->result = EVENTS_DELIVERED;
    else if (v->status == STATUS_GONE || r->event->attempts >= EVENTS_RETRIES)
        v->result = EVENTS_GIVEN_UP;
    if (v->result != EVENTS_DELIVERED)
        explain(r, code, v);
}
