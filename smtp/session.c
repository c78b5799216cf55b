#include "smtp/loop.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "base/clock.h"
#include "smtp/classify.h"
#include "smtp/result.h"

#define QUIT_US   INT64_C(2000000)
#define TOKEN_MAX 65536
#define MASK      "***"
/* What a user and a password can do. libcurl by itself would try GSSAPI and NTLM before PLAIN, and
 * not fall back when there is no ticket. */
#define DEFAULT_MECHANISMS "AUTH=DIGEST-MD5;AUTH=CRAM-MD5;AUTH=PLAIN;AUTH=LOGIN"

/* ---- stages, told by libcurl's callbacks ---- */

static bool for_check(const smtp_session *s)
{
    return s->bound && s->task && s->task->is_check;
}

static smtp_step *find_step(smtp_result *r, smtp_stage stage)
{
    for (size_t i = 0; i < r->step_count; i++) {
        if (r->steps[i].stage == stage)
            return &r->steps[i];
    }
    return NULL;
}

/* Adds the present stage to a check's steps. EHLO is said again behind STARTTLS: if that went well
 * it is one step, with what the relay offers under TLS. */
static void add_step(smtp_session *s, bool ok)
{
    smtp_result *r = s->task->result;
    smtp_step *step = ok ? find_step(r, s->stage) : NULL;
    int64_t took_us = clock_us() - s->stage_since;

    if (step) {
        took_us += step->took_us;
        smtp_reply_clear(&step->reply);
        free(step->detail);
    } else {
        step = smtp_result_step(r);
    }
    if (!step)
        return;
    *step = (smtp_step){.stage = s->stage, .ok = ok, .took_us = took_us, .detail = s->stage_detail};
    s->stage_detail = NULL;
    (void)smtp_reply_copy(&step->reply, &s->stage_reply);
}

static void enter(smtp_session *s, smtp_stage stage)
{
    if (s->stage == stage)
        return;
    if (for_check(s) && s->stage != SMTP_STAGE_NONE)
        add_step(s, true);
    free(s->stage_detail);
    s->stage_detail = NULL;
    smtp_reply_clear(&s->stage_reply);
    s->stage = stage;
    s->stage_since = clock_us();
}

static void set_detail(smtp_session *s, const char *text, size_t len)
{
    free(s->stage_detail);
    s->stage_detail = strndup(text, len);
}

/* A name was resolved: libcurl is about to connect. */
static curl_socket_t on_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *to)
{
    smtp_session *s = ctx;
    char host[INET6_ADDRSTRLEN] = "?", text[INET6_ADDRSTRLEN + 16];
    unsigned port = 0;
    (void)purpose;

    enter(s, SMTP_STAGE_CONNECT);
    if (to->family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)&to->addr;
        (void)inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        port = ntohs(in->sin_port);
    } else if (to->family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)&to->addr;
        (void)inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof host);
        port = ntohs(in->sin6_port);
    }
    (void)snprintf(text, sizeof text, to->family == AF_INET6 ? "[%s]:%u" : "%s:%u", host, port);
    set_detail(s, text, strlen(text));
    smtp_transcript_addf(&s->opening, '*', "connecting to %s", text);
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static bool starts(const char *s, size_t len, const char *with)
{
    size_t n = strlen(with);
    return len >= n && strncasecmp(s, with, n) == 0;
}

/* A command of libcurl's. AUTH's initial response and all that follows it are credentials. */
static void on_command(smtp_session *s, const char *line, size_t len)
{
    while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
        len--;
    s->asked_ehlo = starts(line, len, "EHLO");
    if (s->asked_ehlo || starts(line, len, "HELO")) {
        enter(s, SMTP_STAGE_EHLO);
    } else if (starts(line, len, "STARTTLS")) {
        enter(s, SMTP_STAGE_STARTTLS);
        s->caps = (smtp_caps){0}; /* void once TLS is up (RFC 3207 section 4.2) */
    } else if (starts(line, len, "AUTH ")) {
        const char *end = memchr(line + 5, ' ', len - 5);
        size_t mechanism = end ? (size_t)(end - line) : len;
        enter(s, SMTP_STAGE_AUTH);
        set_detail(s, line + 5, mechanism - 5);
        smtp_transcript_addf(&s->opening, 'C', "%.*s%s", (int)mechanism, line, end ? " " MASK : "");
        return;
    } else if (s->stage == SMTP_STAGE_AUTH) {
        smtp_transcript_add(&s->opening, 'C', MASK, strlen(MASK));
        return;
    }
    smtp_transcript_add(&s->opening, 'C', line, len);
}

static void on_text(smtp_session *s, const char *text, size_t len)
{
    static const char tls[] = "SSL connection using ";
    bool implicit = s->pool->relay->tls == SMTP_TLS_IMPLICIT;

    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
        len--;
    if (starts(text, len, "Connected to ") && s->stage == SMTP_STAGE_CONNECT) {
        smtp_transcript_addf(&s->opening, '*', "connected");
        enter(s, implicit ? SMTP_STAGE_TLS : SMTP_STAGE_GREETING);
    } else if (starts(text, len, tls)) {
        set_detail(s, text + sizeof tls - 1, len - (sizeof tls - 1));
        smtp_transcript_addf(&s->opening, '*', "TLS: %.*s", (int)(len - (sizeof tls - 1)),
                             text + sizeof tls - 1);
    }
}

static int on_debug(CURL *easy, curl_infotype type, char *data, size_t size, void *ctx)
{
    (void)easy;
    if (type == CURLINFO_HEADER_OUT)
        on_command(ctx, data, size);
    else if (type == CURLINFO_TEXT)
        on_text(ctx, data, size);
    return 0;
}

static void add_extensions(smtp_session *s, const char *text)
{
    const char *lines = strchr(text, '\n');
    if (!lines || s->stage != SMTP_STAGE_EHLO)
        return;
    set_detail(s, lines + 1, strlen(lines + 1));
    for (char *c = s->stage_detail; c && *c; c++) {
        if (*c == '\n')
            *c = ',';
    }
}

/* A whole reply while libcurl opens the session. */
static void on_opening_reply(smtp_session *s, const smtp_reply *reply)
{
    if (s->stage == SMTP_STAGE_TLS) /* the greeting is the first that comes behind the handshake */
        enter(s, SMTP_STAGE_GREETING);
    if (reply->code == 334) /* a challenge of AUTH; it may hold what is nobody's business */
        smtp_transcript_addf(&s->opening, 'S', "334 " MASK);
    else
        smtp_transcript_reply(&s->opening, reply);
    if (reply->code == 235 && s->stage == SMTP_STAGE_AUTH)
        s->authenticated = true;
    if (reply->code == 250 && s->asked_ehlo) {
        smtp_caps_read(&s->caps, reply->text);
        add_extensions(s, reply->text);
    }
    smtp_reply_clear(&s->stage_reply);
    (void)smtp_reply_copy(&s->stage_reply, reply);
}

static size_t on_header(char *data, size_t size, size_t count, void *ctx)
{
    smtp_session *s = ctx;
    smtp_reply reply; /* its text is the parser's */
    smtp_reply_status status = SMTP_REPLY_NOMEM;
    if (smtp_reply_feed(s->parser, data, size * count)) {
        while ((status = smtp_reply_next(s->parser, &reply)) == SMTP_REPLY_DONE)
            on_opening_reply(s, &reply);
    }
    /* libcurl would wait for something better until the time is up. */
    s->garbage = status == SMTP_REPLY_BAD;
    return status == SMTP_REPLY_MORE ? size * count : 0;
}

/* ---- opening ---- */

/* The bearer token, read anew for each session: it is renewed by replacing the file. */
static char *read_token(const char *path)
{
    char *token = malloc(TOKEN_MAX + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = token && fd >= 0 ? read(fd, token, TOKEN_MAX) : -1;
    if (fd >= 0)
        (void)close(fd);
    while (n > 0 && (token[n - 1] == '\n' || token[n - 1] == '\r' || token[n - 1] == ' '))
        n--;
    if (n <= 0) {
        free(token);
        return NULL;
    }
    token[n] = '\0';
    return token;
}

static char *make_url(const smtp_relay *r)
{
    bool v6 = strchr(r->host, ':') != NULL;
    char *ehlo = r->ehlo ? curl_easy_escape(NULL, r->ehlo, 0) : NULL;
    char *url = NULL;
    if (asprintf(&url, "%s://%s%s%s:%u/%s", r->tls == SMTP_TLS_IMPLICIT ? "smtps" : "smtp",
                 v6 ? "[" : "", r->host, v6 ? "]" : "", r->port, ehlo ? ehlo : "") < 0)
        url = NULL;
    curl_free(ehlo);
    return url;
}

static bool set_login(CURL *e, const smtp_relay *r, CURLcode *bad)
{
    if (!r->user)
        return true;
    *bad = curl_easy_setopt(e, CURLOPT_USERNAME, r->user);
    if (*bad == CURLE_OK && !r->token_file)
        *bad = curl_easy_setopt(e, CURLOPT_PASSWORD, r->password ? r->password : "");
    if (*bad == CURLE_OK && r->token_file) {
        char *token = read_token(r->token_file);
        *bad = token ? curl_easy_setopt(e, CURLOPT_XOAUTH2_BEARER, token) : CURLE_READ_ERROR;
        if (token)
            explicit_bzero(token, strlen(token));
        free(token);
    }
    if (*bad == CURLE_OK) {
        char options[64] = DEFAULT_MECHANISMS;
        if (r->auth)
            (void)snprintf(options, sizeof options, "AUTH=%s", r->auth);
        *bad = curl_easy_setopt(e, CURLOPT_LOGIN_OPTIONS, options);
    }
    return *bad == CURLE_OK;
}

#define SET(option, value)                                                                         \
    (code == CURLE_OK && (code = curl_easy_setopt(e, option, value)) == CURLE_OK)

static CURLcode set_up(smtp_session *s, const char *url, long timeout_ms)
{
    CURL *e = s->easy;
    const smtp_relay *r = s->pool->relay;
    CURLcode code = CURLE_OK;
    (void)(SET(CURLOPT_URL, url) && SET(CURLOPT_PROTOCOLS_STR, "smtp,smtps") &&
           SET(CURLOPT_CONNECT_ONLY, 1L) && SET(CURLOPT_NOSIGNAL, 1L) &&
           SET(CURLOPT_QUICK_EXIT, 1L) && SET(CURLOPT_PROXY, "") &&
           SET(CURLOPT_USE_SSL,
               r->tls == SMTP_TLS_STARTTLS ? (long)CURLUSESSL_ALL : (long)CURLUSESSL_NONE) &&
           SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) &&
           SET(CURLOPT_SSL_VERIFYPEER, 1L) && SET(CURLOPT_SSL_VERIFYHOST, 2L) &&
           SET(CURLOPT_SASL_IR, 1L) && SET(CURLOPT_FRESH_CONNECT, 1L) &&
           SET(CURLOPT_CONNECTTIMEOUT_MS, timeout_ms) &&
           SET(CURLOPT_SERVER_RESPONSE_TIMEOUT, timeout_ms / 1000 + 1) &&
           SET(CURLOPT_ERRORBUFFER, s->error) && SET(CURLOPT_PRIVATE, s) &&
           SET(CURLOPT_VERBOSE, 1L) && SET(CURLOPT_DEBUGFUNCTION, on_debug) &&
           SET(CURLOPT_DEBUGDATA, s) && SET(CURLOPT_HEADERFUNCTION, on_header) &&
           SET(CURLOPT_HEADERDATA, s) && SET(CURLOPT_OPENSOCKETFUNCTION, on_socket) &&
           SET(CURLOPT_OPENSOCKETDATA, s) && (!r->ca || SET(CURLOPT_CAINFO, r->ca)) &&
           /* A check resolves anew; the multi keeps names for a minute. */
           (!for_check(s) || SET(CURLOPT_DNS_CACHE_TIMEOUT, 0L)) &&
           /* … and shakes hands in full. For others a session that TLS resumes saves the relay's
            * signature and a round trip; libcurl resumes for the same host, port and settings, and
            * looks at the certificate's name again (not behind STARTTLS with TLS 1.3: 7.88 keeps
            * the ticket for smtps and looks for smtp). */
           (for_check(s) || SET(CURLOPT_SHARE, s->pool->loop->share)) && set_login(e, r, &code));
    return code;
}

/* How long opening may take: until the last of those that wait for it gives up. */
static long opening_ms(const smtp_pool *p, const smtp_task *bound)
{
    int64_t until = 0;
    if (bound)
        until = bound->deadline.at;
    for (const smtp_task *t = p->first; t; t = t->next)
        until = t->deadline.at > until ? t->deadline.at : until;
    int64_t ms = (until - clock_us()) / 1000;
    return ms < 1 ? 1 : (long)ms;
}

/* Counts a session that is being opened, or no more. A check's is nobody else's business. */
static void count_opening(const smtp_session *s, int by)
{
    unsigned *count = s->bound ? &s->pool->replacing : &s->pool->opening;
    if (!s->last)
        *count += (unsigned)by;
}

smtp_session *smtp_session_open(smtp_pool *p, smtp_task *bound)
{
    smtp_session *s = calloc(1, sizeof *s);
    char *url = make_url(p->relay);
    if (!s || !url)
        goto fail;
    s->pool = p;
    s->fd = -1;
    s->begun = clock_us();
    s->parser = smtp_reply_parser_create();
    s->easy = curl_easy_init();
    if (!s->parser || !s->easy)
        goto fail;
    if (bound) {
        s->bound = true;
        s->last = bound->is_check;
        s->task = bound;
        bound->session = s;
        bound->attended = s->begun;
    }
    s->next = p->sessions;
    if (s->next)
        s->next->previous = s;
    p->sessions = s;
    count_opening(s, 1);
    enter(s, SMTP_STAGE_RESOLVE);
    CURLcode code = set_up(s, url, opening_ms(p, bound));
    free(url);
    if (code == CURLE_OK && curl_multi_add_handle(p->loop->multi, s->easy) == CURLM_OK)
        return s;
    smtp_session_opened(s, code == CURLE_OK ? CURLE_OUT_OF_MEMORY : code);
    return s;

fail:
    free(url);
    if (s) {
        smtp_reply_parser_free(s->parser);
        curl_easy_cleanup(s->easy);
    }
    free(s);
    return NULL;
}

/* ---- opened, or not ---- */

/* What libcurl says, and where it says little, more. */
static const char *words_of(smtp_session *s, CURLcode code)
{
    long os_errno = 0;

    if (s->garbage)
        return "what answers there does not speak SMTP";
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT: return "no answer in time";
    case CURLE_READ_ERROR: return "the file of token_file can't be read, or is empty";
    case CURLE_RECV_ERROR: return "the relay closed the connection";
    case CURLE_COULDNT_CONNECT:
        if (curl_easy_getinfo(s->easy, CURLINFO_OS_ERRNO, &os_errno) == CURLE_OK && os_errno)
            return strerrordesc_np((int)os_errno);
        break;
    default: break;
    }
    return s->error[0] ? s->error : curl_easy_strerror(code);
}

/* Credentials are set, and no AUTH was answered with 235. */
static void refuse_unauthenticated(smtp_session *s, smtp_fault *fault)
{
    const smtp_relay *r = s->pool->relay;
    enter(s, SMTP_STAGE_AUTH);
    smtp_classify_curl(SMTP_STAGE_AUTH, CURLE_LOGIN_DENIED, NULL,
                       r->preset ? r->preset->name : NULL, fault);
    fault->hint = "Credentials are set and this relay offers no login (or none that works here): "
                  "check host and port.";
    int made = s->caps.auth[0]
                   ? asprintf(&fault->detail, "%s:%u offers only AUTH %s, and no login was made.",
                              r->host, r->port, s->caps.auth)
                   : asprintf(&fault->detail, "%s:%u offers no AUTH.", r->host, r->port);
    if (made < 0)
        fault->detail = NULL;
}

static void explain(smtp_session *s, CURLcode code, smtp_fault *fault)
{
    const smtp_relay *r = s->pool->relay;
    const char *preset = r->preset ? r->preset->name : NULL;
    const smtp_reply *reply = &s->stage_reply;

    if (reply->code >= 400) {
        smtp_classify_reply(s->stage, reply, preset, fault);
        fault->detail = smtp_refusal_detail(r, s->stage, reply);
        return;
    }
    if (code == CURLE_LOGIN_DENIED && s->stage != SMTP_STAGE_AUTH) {
        /* before any AUTH: no mechanism that both sides have */
        refuse_unauthenticated(s, fault);
        return;
    }
    if (code == CURLE_USE_SSL_FAILED)
        enter(s, SMTP_STAGE_STARTTLS);
    else if (code == CURLE_READ_ERROR)
        enter(s, SMTP_STAGE_AUTH);
    const char *words = words_of(s, code);
    smtp_classify_curl(s->stage, s->garbage ? CURLE_WEIRD_SERVER_REPLY : code, words, preset,
                       fault);
    if (asprintf(&fault->detail, "%s:%u at %s: %s.", r->host, r->port, smtp_stage_name(s->stage),
                 words) < 0)
        fault->detail = NULL;
}

static void note_tls(smtp_session *s)
{
    struct curl_tlssessioninfo *info = NULL;
    if (s->pool->relay->tls == SMTP_TLS_NONE)
        return;
    if (curl_easy_getinfo(s->easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK || !info ||
        !info->internals)
        return;
    const SSL *ssl = info->internals;
    (void)snprintf(s->tls, sizeof s->tls, "%s %s", SSL_get_version(ssl), SSL_get_cipher_name(ssl));
}

/* Takes the connection over from libcurl. The first recv attaches it to the handle; see the
 * module's contract in sender.h for why the handle stays in the multi. */
static bool take_over(smtp_session *s)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    char byte;
    size_t n = 0;
    CURLcode code = curl_easy_recv(s->easy, &byte, 1, &n);
    if (code == CURLE_OK && n > 0 && !smtp_reply_feed(s->parser, &byte, n))
        return false;
    if ((code != CURLE_AGAIN && code != CURLE_OK) || (code == CURLE_OK && n == 0))
        return false;
    if (curl_easy_getinfo(s->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd == CURL_SOCKET_BAD)
        return false;
    s->fd = fd;
    note_tls(s);
    (void)curl_easy_setopt(s->easy, CURLOPT_VERBOSE, 0L); /* it would tell of every read */
    return smtp_loop_watch(s);
}

void smtp_session_fail_step(smtp_session *s)
{
    if (for_check(s))
        add_step(s, false);
}

void smtp_session_opened(smtp_session *s, CURLcode code)
{
    smtp_pool *p = s->pool;
    smtp_fault fault = {0};

    bool refused = code != CURLE_OK;
    if (refused) {
        explain(s, code, &fault);
    } else if (smtp_relay_must_auth(p->relay) && !s->authenticated) {
        refuse_unauthenticated(s, &fault);
        refused = true;
    } else {
        smtp_reply_reset(s->parser);
        if (!take_over(s)) {
            explain(s, CURLE_RECV_ERROR, &fault);
            refused = true;
        } else if (p->relay->tls != SMTP_TLS_NONE && s->tls[0] == '\0') {
            /* libcurl was told to demand it: this can't be, and must not be. */
            explain(s, CURLE_USE_SSL_FAILED, &fault);
            refused = true;
        }
    }
    if (refused) {
        smtp_session_fail_step(s);
        smtp_transcript_addf(&s->opening, '*', "%s", fault.detail ? fault.detail : "failed");
        smtp_pool_refused(p, s, &fault);
        free(fault.detail);
        return;
    }
    s->ready = clock_us();
    if (for_check(s))
        add_step(s, true);
    count_opening(s, -1);
    p->open++;
    smtp_pool_ready(p, s);
}

/* ---- closing ---- */

void smtp_session_close(smtp_session *s)
{
    smtp_pool *p = s->pool;
    smtp_loop *l = p->loop;
    if (s->state == SMTP_DEAD)
        return;
    smtp_timer_stop(&l->timers, &s->timer);
    smtp_pool_unidle(p, s);
    smtp_loop_unwatch(s);
    (void)curl_multi_remove_handle(l->multi, s->easy); /* closes the socket; no QUIT, no waiting */
    if (s->previous)
        s->previous->next = s->next;
    else
        p->sessions = s->next;
    if (s->next)
        s->next->previous = s->previous;
    if (s->state == SMTP_OPENING)
        count_opening(s, -1);
    bool left = s->state == SMTP_QUITTING;
    s->state = SMTP_DEAD;
    s->next_dead = l->dead;
    l->dead = s;
    if (left)
        smtp_pool_left(p);
}

void smtp_session_free(smtp_session *s)
{
    curl_easy_cleanup(s->easy);
    smtp_reply_parser_free(s->parser);
    smtp_reply_clear(&s->stage_reply);
    free(s->stage_detail);
    smtp_transcript_free(&s->opening);
    buf_free(&s->out);
    free(s);
}

static void on_quit_timeout(smtp_timer *timer)
{
    smtp_session *s = (smtp_session *)(void *)((char *)timer - offsetof(smtp_session, timer));
    smtp_session_close(s);
}

/* Says QUIT, and closes when the relay has answered, or soon. */
void smtp_session_quit(smtp_session *s)
{
    s->state = SMTP_QUITTING;
    s->timer.fire = on_quit_timeout;
    smtp_timer_set(&s->pool->loop->timers, &s->timer, clock_us() + QUIT_US);
    buf_clear(&s->out);
    s->out_at = 0;
    buf_adds(&s->out, "QUIT\r\n");
    if (!smtp_dialogue_flush(s))
        smtp_session_close(s);
}
