#include "service/http.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <microhttpd.h>
#include <openssl/crypto.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/zeroed.h"
#include "service/features.h"
#include "service/file.h"
#include "service/form.h"
#include "service/http_thread.h"
#include "service/job.h"
#include "service/listen.h"
#include "service/request.h"

/* A refused request's body is read to its end, so that the connection can go on, up to this size.
 */
#define DISCARD_MAX     ((size_t)64 * 1024)
#define CONNECTIONS_MAX 20000u
#define STREAM_BLOCK    ((size_t)32 * 1024)
/* Descriptors that are not clients': sessions to relays, files, the system's. */
#define OTHER_DESCRIPTORS 512u
#define HEADERS_MORE      3
#define KEY_ROOM          1024 /* for a key that is decoded */

struct http {
    app *app;
    const http_route *routes;
    size_t route_count;
    size_t
        *route_labels; /* of each, its path's index in the metrics; behind them that of "other" */
    http_thread **threads;
    size_t thread_count;
    int listen_fd; /* -1 once nothing is accepted any more */
    char *address;
    char *unix_path; /* to unlink at the end */
    document_options documents, batches;
    atomic_uint active; /* requests whose answers are not yet written */
};

struct http_exchange {
    http *http;
    http_thread *thread;
    http_resumption resumption;
    struct MHD_Connection *connection;
    watch_connection *watched;
    const http_route *route; /* NULL: none fits */
    const char *parameter;   /* of the path; the connection's */
    char id[27];
    char method[8];
    int64_t started_us;
    document *document;
    form_reader *form; /* one of the two */
    buf body;          /* as it came, where the route wants it so */
    idempotency *key;  /* NULL: the request has none */
    size_t received;
    size_t most;    /* bytes that the body may have */
    bool body_lost; /* there was no memory for it */
    bool refused;   /* answered before the body has come: what comes is dropped */
    bool suspended; /* written and read by the connection's thread only */
    bool waited;    /* it was suspended: all of the request had come */
    bool old;       /* it isn't of HTTP/1.1 */
    bool answered;  /* the fields below are set */
    bool queued;
    char allow[32]; /* of a 405 */
    struct {
        const char *name;
        char value[HTTP_HEADER_MAX + 1];
    } headers[HEADERS_MORE];
    unsigned header_count;
    const http_fixed_header *fixed; /* NULL: none */
    unsigned status;
    const char *content_type;
    unsigned retry_after;
    size_t content_size;
    struct MHD_Response *response;
    void *context; /* the handler's */
    void (*drop_context)(void *context);
};

/* ---- answering ---- */

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    /* Fails only without memory: the answer then lacks the header, which is better than no answer.
     */
    (void)MHD_add_response_header(response, name, value);
}

static void add_headers(http_exchange *x)
{
    if (x->content_type)
        add_header(x->response, MHD_HTTP_HEADER_CONTENT_TYPE, x->content_type);
    add_header(x->response, "X-Request-Id", x->id);
    if (x->retry_after) {
        char seconds[16];
        (void)snprintf(seconds, sizeof seconds, "%u", x->retry_after);
        add_header(x->response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
    }
    for (unsigned i = 0; i < x->header_count; i++)
        add_header(x->response, x->headers[i].name, x->headers[i].value);
    for (const http_fixed_header *f = x->fixed; f && f->name; f++)
        add_header(x->response, f->name, f->value);
    if (x->allow[0])
        add_header(x->response, MHD_HTTP_HEADER_ALLOW, x->allow);
    if (x->status == 401 && x->route && x->route->auth == HTTP_AUTH_KEY) {
        const http_manners *m = x->route->manners;
        const char *challenge = m ? m->challenge : "Bearer realm=\"postern\"";
        if (challenge)
            add_header(x->response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, challenge);
    }
    if (atomic_load_explicit(&x->http->app->draining, memory_order_relaxed))
        add_header(x->response, MHD_HTTP_HEADER_CONNECTION, "close");
}

/* Sets the answer; the connection's thread sends it. */
static void set_answer(http_exchange *x, unsigned status, const char *content_type,
                       unsigned retry_after, buf *content)
{
    if (x->answered)
        return;
    x->answered = true;
    if (x->route && x->route->manners && buf_ok(content))
        x->route->manners->answer(x, &status, &content_type, content);
    x->status = status;
    x->content_type = content_type;
    x->retry_after = retry_after;
    if (!buf_ok(content))
        return; /* no response: the connection is closed, which is all that can be said without
                   memory */
    x->content_size = content->len;
    x->response =
        MHD_create_response_from_buffer(content->len, content->data, MHD_RESPMEM_MUST_FREE);
    if (!x->response)
        return;
    buf_init(content);
    add_headers(x);
}

void http_answer(http_exchange *x, unsigned status, const char *content_type, unsigned retry_after,
                 buf *content)
{
    set_answer(x, status, content_type, retry_after, content);
    buf_free(content);
    if (x->suspended)
        http_thread_resume(x->thread, &x->resumption);
}

/* ---- answers that are read as they go out ---- */

typedef struct streaming {
    http_stream stream;
} streaming;

static ssize_t read_stream(void *cls, uint64_t at, char *out, size_t cap)
{
    const streaming *s = cls;
    (void)at; /* it is asked for in order */
    size_t n = s->stream.read(s->stream.ctx, out, cap);
    return n > 0 && n <= cap ? (ssize_t)n : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void end_stream(void *cls)
{
    streaming *s = cls;
    s->stream.done(s->stream.ctx);
    free(s);
}

void http_answer_stream(http_exchange *x, const char *content_type, const http_stream *stream)
{
    streaming *s = malloc(sizeof *s);
    x->answered = true;
    x->status = 200;
    x->content_type = content_type;
    x->content_size = (size_t)stream->size;
    if (s) {
        s->stream = *stream;
        x->response = MHD_create_response_from_callback(stream->size, STREAM_BLOCK, read_stream, s,
                                                        end_stream);
    }
    if (x->response) {
        add_headers(x);
    } else {
        free(s);
        stream->done(stream->ctx);
    }
    if (x->suspended)
        http_thread_resume(x->thread, &x->resumption);
}

void http_problem(http_exchange *x, problem_kind kind, const char *detail, const faults *errors)
{
    buf content = BUF_INIT;
    problem_write(&content, kind, x->id, detail, errors);
    http_answer(x, problem_status(kind), "application/problem+json", problem_retry_after(kind),
                &content);
}

void http_suspend(http_exchange *x)
{
    if (x->suspended)
        return;
    x->suspended = x->waited = true;
    http_thread_suspend(x->thread, x->connection);
}

const char *http_exchange_id(const http_exchange *x)
{
    return x->id;
}

size_t http_received(const http_exchange *x)
{
    return x->received;
}

/* Why a body is refused: what it is answered with. */
static const struct {
    problem_kind kind;
    const char *detail; /* NULL: the document's own */
} refusals[] = {
    [DOCUMENT_BAD] = {PROBLEM_BAD_JSON, NULL},
    [DOCUMENT_TOO_LARGE] = {PROBLEM_TOO_LARGE, NULL},
    [DOCUMENT_NO_SPACE] = {PROBLEM_STORAGE,
                           "Neither POSTERN_MAX_MEMORY nor the folder of POSTERN_SPILL has room "
                           "for it."},
    [DOCUMENT_NOMEM] = {PROBLEM_MEMORY, "The body could not be kept."},
};

document *http_exchange_document(http_exchange *x)
{
    document *d = x->document;
    buf detail = BUF_INIT;
    document_result result = DOCUMENT_NOMEM;

    x->document = NULL;
    if (WITH_DIALECTS && x->form)
        d = form_finish(x->form, &result, &detail);
    else if (d)
        result = document_parse(d, &detail);
    if (result != DOCUMENT_OK) {
        const char *why = refusals[result].detail ? refusals[result].detail : buf_cstr(&detail);
        http_problem(x, refusals[result].kind, why ? why : problem_title(PROBLEM_MEMORY), NULL);
        document_free(d);
        d = NULL;
    }
    buf_free(&detail);
    return d;
}

void http_set_header(http_exchange *x, const char *name, const char *value)
{
    if (x->header_count == HEADERS_MORE)
        return;
    x->headers[x->header_count].name = name;
    (void)snprintf(x->headers[x->header_count++].value, HTTP_HEADER_MAX + 1, "%s", value);
}

void http_set_fixed_headers(http_exchange *x, const http_fixed_header *list)
{
    x->fixed = list;
}

const buf *http_body(const http_exchange *x)
{
    return &x->body;
}

const char *http_parameter(const http_exchange *x)
{
    return x->parameter;
}

void http_set_parameter(http_exchange *x, const char *parameter)
{
    x->parameter = parameter;
}

const http_route *http_exchange_route(const http_exchange *x)
{
    return x->route;
}

void http_set_context(http_exchange *x, void *context, void (*drop)(void *context))
{
    x->context = context;
    x->drop_context = drop;
}

void *http_context(const http_exchange *x)
{
    return x->context;
}

typedef struct unknown_search {
    const char *const *known;
    const char *found;
} unknown_search;

static enum MHD_Result look_for_unknown(void *cls, enum MHD_ValueKind kind, const char *key,
                                        const char *value)
{
    unknown_search *s = cls;
    (void)kind;
    (void)value;
    for (size_t i = 0; s->known[i]; i++) {
        if (strcmp(s->known[i], key) == 0)
            return MHD_YES;
    }
    s->found = key;
    return MHD_NO;
}

const char *http_query_unknown(http_exchange *x, const char *const *known)
{
    unknown_search search = {.known = known};
    (void)MHD_get_connection_values(x->connection, MHD_GET_ARGUMENT_KIND, look_for_unknown,
                                    &search);
    return search.found;
}

idempotency *http_exchange_key(http_exchange *x)
{
    idempotency *key = x->key;
    x->key = NULL;
    return key;
}

static enum MHD_Result queue_answer(http_exchange *x)
{
    if (!x->response)
        return MHD_NO;
    x->queued = true;
    return MHD_queue_response(x->connection, x->status, x->response);
}

/* ---- what every request must pass ---- */

const char *http_header_n(http_exchange *x, const char *name, size_t len)
{
    const char *value = NULL;
    size_t value_len = 0;
    (void)MHD_lookup_connection_value_n(x->connection, MHD_HEADER_KIND, name, len, &value,
                                        &value_len);
    return value;
}

static bool method_fits(const http_route *route, const char *method)
{
    return strcmp(route->method, method) == 0 ||
           (strcmp(route->method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

/* True if it is the pattern's path; *len octets at *parameter are then what stands in place of its
 * "{…}" (none: it has no such place). */
static bool path_fits(const char *pattern, const char *path, const char **parameter, size_t *len)
{
    size_t same = 0;
    while (pattern[same] && pattern[same] != '{' && pattern[same] == path[same])
        same++;
    *parameter = path + same;
    *len = 0;
    if (pattern[same] != '{')
        return pattern[same] == path[same];
    const char *behind = strchr(pattern + same, '}') + 1;
    size_t rest = strlen(path + same), tail = strlen(behind);
    if (rest <= tail || strcmp(path + same + rest - tail, behind) != 0)
        return false;
    *len = rest - tail;
    return tail == 0 || !memchr(*parameter, '/', *len);
}

/* Percent-decodes in place, once: what is given is in the connection's own memory. A text with an
 * escape that is none, or that stands for NUL, is left as it came. */
static const char *unescape(const char *text)
{
    for (const char *p = strchr(text, '%'); p; p = strchr(p + 1, '%')) {
        int high = hex_digit(p[1]), low = high < 0 ? -1 : hex_digit(p[2]);
        if (low < 0 || high + low == 0)
            return text;
    }
    char *to = (char *)text;
    for (const char *from = text; *from; from++) {
        if (*from == '%') {
            *to++ = (char)(16 * hex_digit(from[1]) + hex_digit(from[2]));
            from += 2;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    return text;
}

/* Finds the route, or refuses with 404 or 405. */
static bool find_route(http_exchange *x, const char *path, const char *method)
{
    size_t allowed = 0;
    for (const http_route *r = x->http->routes; r->path; r++) {
        const char *parameter;
        size_t len;
        if (!path_fits(r->path, path, &parameter, &len))
            continue;
        x->route = r;
        if (method_fits(r, method)) {
            ((char *)parameter)[len] = '\0'; /* the connection's own memory */
            x->parameter = unescape(parameter);
            x->allow[0] = '\0';
            return true;
        }
        int n =
            snprintf(x->allow + allowed, sizeof x->allow - allowed, "%s%s", allowed > 0 ? ", " : "",
                     strcmp(r->method, "GET") == 0 ? "GET, HEAD" : r->method);
        allowed += n > 0 ? (size_t)n : 0;
    }
    if (x->route)
        http_problem(x, PROBLEM_METHOD, "The Allow header names the methods of this path.", NULL);
    else
        http_problem(x, PROBLEM_NOT_FOUND,
                     POSTERN_LEAN ? "This " LEAN_HAS_NO "route with this path."
                                  : "No route has this path; see /openapi.yaml.",
                     NULL);
    return false;
}

/* The API key that the caller presents; NULL: none. */
static const char *presented_key(http_exchange *x, char room[KEY_ROOM], size_t *len)
{
    const http_manners *m = x->route->manners;
    if (m)
        return m->key(x, room, KEY_ROOM, len);
    const char *authorization = http_header(x, MHD_HTTP_HEADER_AUTHORIZATION);
    return authorization ? keys_token(authorization, len) : NULL;
}

static bool authorized(http_exchange *x)
{
    const config *c = x->http->app->config;
    char room[KEY_ROOM];
    size_t len = 0;

    if (x->route->auth == HTTP_AUTH_OPEN || !c->keys)
        return true;
    const char *key = presented_key(x, room, &len);
    bool good = key && keys_has(c->keys, key, len);
    OPENSSL_cleanse(room, sizeof room);
    if (good)
        return true;
    http_problem(x, PROBLEM_UNAUTHORIZED,
                 "Send one of the configured API keys as \"Authorization: Bearer KEY\".", NULL);
    return false;
}

bool http_is_type(const char *value, const char *type)
{
    size_t len = strlen(type);
    if (!value || strncasecmp(value, type, len) != 0)
        return false;
    const char *rest = value + len;
    rest += strspn(rest, " \t");
    if (*rest == '\0')
        return true;
    if (*rest != ';')
        return false;
    const char *charset = strcasestr(rest, "charset=");
    if (!charset)
        return true;
    charset += strlen("charset=");
    charset += *charset == '"';
    return strncasecmp(charset, "utf-8", 5) == 0 && strchr("\" \t;", charset[5]);
}

static bool content_fits(http_exchange *x, bool has_body)
{
    if (x->route->content == HTTP_NO_BODY || (x->route->content == HTTP_OPTIONAL_BODY && !has_body))
        return true;
    if (!has_body && !http_header(x, MHD_HTTP_HEADER_CONTENT_LENGTH)) {
        http_problem(x, PROBLEM_LENGTH, "Send Content-Length, or a chunked body.", NULL);
        return false;
    }
    const char *encoding = http_header(x, MHD_HTTP_HEADER_CONTENT_ENCODING);
    if (encoding && strcasecmp(encoding, "identity") != 0) {
        http_problem(x, PROBLEM_MEDIA_TYPE, "The body must not be compressed.", NULL);
        return false;
    }
    if (x->route->content != HTTP_RAW_BODY && x->route->content != HTTP_TEXT_BODY &&
        x->route->content != HTTP_FORM_BODY &&
        !http_is_type(http_header(x, MHD_HTTP_HEADER_CONTENT_TYPE), "application/json")) {
        http_problem(x, PROBLEM_MEDIA_TYPE, "Send Content-Type: application/json (in UTF-8).",
                     NULL);
        return false;
    }
    return true;
}

static bool length_fits(http_exchange *x, unsigned long long length)
{
    if (length <= x->most)
        return true;
    char detail[96];
    (void)snprintf(detail, sizeof detail, "The body has %llu bytes; at most %zu are allowed.",
                   length, x->most);
    http_problem(x, PROBLEM_TOO_LARGE, detail, NULL);
    return false;
}

static bool not_draining(http_exchange *x)
{
    if (x->route->content == HTTP_NO_BODY ||
        !atomic_load_explicit(&x->http->app->draining, memory_order_relaxed))
        return true;
    http_problem(x, PROBLEM_DRAINING, "This instance takes no new work; try another, or again.",
                 NULL);
    return false;
}

/* Refuses what would be refused anyway before its body is read. */
static bool has_room(http_exchange *x, unsigned long long length)
{
    const app *a = x->http->app;
    bool raw = x->route->content == HTTP_RAW_BODY; /* it never goes to a file */
    size_t share = raw ? x->most : x->http->documents.share;
    size_t needed = length < share ? (size_t)length : share;
    if (x->route->relays &&
        atomic_load_explicit(&a->in_flight, memory_order_relaxed) >= a->config->max_inflight) {
        http_problem(x, PROBLEM_BUSY, JOB_FULL, NULL);
        return false;
    }
    if (x->route->content == HTTP_NO_BODY || store_has(a->store, needed))
        return true;
    http_problem(x, PROBLEM_MEMORY, "Requests hold as much memory as POSTERN_MAX_MEMORY allows.",
                 NULL);
    return false;
}

const char *http_query(http_exchange *x, const char *name)
{
    const char *value = NULL;
    size_t len = 0;
    if (MHD_lookup_connection_value_n(x->connection, MHD_GET_ARGUMENT_KIND, name, strlen(name),
                                      &value, &len) != MHD_YES)
        return NULL;
    return value ? unescape(value) : "";
}

/* Takes the Idempotency-Key, where the route knows it. */
static bool key_fits(http_exchange *x)
{
    const app *a = x->http->app;
    const char *value = x->route->keyed ? http_header(x, "Idempotency-Key") : NULL;
    char key[IDEMPOTENCY_MAX + 1];
    char detail[160];
    size_t len = 0;

    if (!value)
        return true;
    if (!WITH_QUEUE) {
        http_problem(x, PROBLEM_BAD_REQUEST,
                     "This " LEAN_HAS_NO "queue, where an Idempotency-Key would be kept.", NULL);
        return false;
    }
    const char *reason = idempotency_read(value, key);
    if (reason) {
        (void)snprintf(detail, sizeof detail, "The Idempotency-Key is not valid: %s.", reason);
        http_problem(x, PROBLEM_BAD_REQUEST, detail, NULL);
        return false;
    }
    if (!a->outbox) {
        http_problem(x, PROBLEM_NO_QUEUE,
                     "An Idempotency-Key needs a place where it is kept: set POSTERN_DATA or "
                     "POSTERN_QUEUE.",
                     NULL);
        return false;
    }
    char room[KEY_ROOM];
    const char *caller = a->config->keys ? presented_key(x, room, &len) : NULL;
    x->key = idempotency_create(caller ? caller : "", len, x->route->path, key);
    OPENSSL_cleanse(room, sizeof room);
    if (!x->key)
        http_problem(x, PROBLEM_MEMORY, "The request could not be kept.", NULL);
    return x->key != NULL;
}

static bool set_most(http_exchange *x)
{
    const app *a = x->http->app;
    size_t most = x->route->most ? x->route->most(a, x) : a->config->max_body;
    x->most = most < a->config->max_body ? most : a->config->max_body;
    return true;
}

/* What the body becomes as it comes. False: no memory. */
static bool create_document(http_exchange *x)
{
    const http_manners *m = x->route->manners;
    bool many = x->route->content != HTTP_JSON_BODY && x->route->content != HTTP_OPTIONAL_BODY;
    document_options options = many ? x->http->batches : x->http->documents;
    const char *reason = NULL;

    if (m && m->files)
        options.files = *m->files;
    if (!WITH_DIALECTS || x->route->content != HTTP_FORM_BODY) {
        x->document = document_create(&options);
        return x->document != NULL;
    }
    x->form = form_create(&options, http_header(x, MHD_HTTP_HEADER_CONTENT_TYPE), &reason);
    if (reason)
        http_problem(x, PROBLEM_MEDIA_TYPE, reason, NULL);
    return x->form || reason;
}

static bool takes_document(const http_exchange *x)
{
    return x->route->content != HTTP_NO_BODY && x->route->content != HTTP_RAW_BODY;
}

static void drop_document(http_exchange *x)
{
    document_free(x->document);
    if (WITH_DIALECTS)
        form_free(x->form);
    x->document = NULL;
    x->form = NULL;
}

/* The checks on a request's head. Sets the answer if one of them refuses. */
static enum MHD_Result head_came(http_exchange *x, const char *path, const char *method)
{
    const char *length_text = http_header(x, MHD_HTTP_HEADER_CONTENT_LENGTH);
    const char *coding = http_header(x, MHD_HTTP_HEADER_TRANSFER_ENCODING);
    unsigned long long length = length_text ? strtoull(length_text, NULL, 10) : 0;
    bool has_body = coding || length > 0;

    if (length_text && coding)
        http_problem(x, PROBLEM_BAD_REQUEST,
                     "Content-Length and Transfer-Encoding don't go together.", NULL);
    else if (find_route(x, path, method) && authorized(x) && not_draining(x) &&
             content_fits(x, has_body) && set_most(x) && length_fits(x, length) &&
             has_room(x, length))
        (void)key_fits(x);
    if (!x->answered && takes_document(x) && !create_document(x))
        return MHD_NO;
    x->refused = x->answered;
    if (!x->refused)
        return MHD_YES;
    /* Where the body is small, reading it keeps the connection; else it is not waited for. */
    if (has_body && !coding && length <= DISCARD_MAX && !http_header(x, MHD_HTTP_HEADER_EXPECT))
        return MHD_YES;
    return queue_answer(x);
}

static void drop_body(http_exchange *x)
{
    store_give(x->http->app->store, x->body.cap);
    buf_free(&x->body);
}

/* Within the budget. What can't be kept is told by request_came(). */
static void keep_body(http_exchange *x, const char *data, size_t len)
{
    store *s = x->http->app->store;
    size_t more = buf_capacity(&x->body, len) - x->body.cap;

    if (x->body_lost)
        return;
    if (store_take(s, more)) {
        if (buf_reserve(&x->body, len)) {
            buf_add(&x->body, data, len);
            return;
        }
        store_give(s, more);
    }
    drop_body(x);
    x->body_lost = true;
}

static enum MHD_Result body_came(http_exchange *x, const char *data, size_t len)
{
    x->received += len;
    watch_progress(x->watched, len);
    if (x->refused)
        return x->received <= 2 * DISCARD_MAX ? MHD_YES : MHD_NO;
    if (x->received > x->most) {
        /* Only a chunked body gets here. MHD can't answer before its end, so it is told by hand. */
        drop_document(x);
        drop_body(x);
        x->refused = true;
        length_fits(x, x->received);
        watch_refuse(x->watched, 413);
        return MHD_YES;
    }
    if (WITH_QUEUE && x->key)
        idempotency_add(x->key, data, len);
    if (x->route->content == HTTP_RAW_BODY)
        keep_body(x, data, len);
    if (x->document)
        document_add(x->document, data, len); /* a fault is told when all has come */
    if (WITH_DIALECTS && x->form)
        form_add(x->form, data, len);
    return MHD_YES;
}

static enum MHD_Result request_came(http_exchange *x)
{
    watch_handling(x->watched);
    if (x->body_lost)
        http_problem(x, PROBLEM_MEMORY, "The body could not be kept.", NULL);
    if (!x->answered) {
        x->route->handle(x->http->app, x);
        if (x->suspended)
            return MHD_YES;
        if (!x->answered)
            http_problem(x, PROBLEM_INTERNAL, "The route gave no answer.", NULL);
    }
    return queue_answer(x);
}

/* ---- libmicrohttpd's callbacks ---- */

static http_exchange *exchange_create(http_thread *t, struct MHD_Connection *connection,
                                      const char *method)
{
    http *h = http_thread_context(t);
    http_exchange *x = zeroed(1, sizeof *x);
    if (!x)
        return NULL;
    x->http = h;
    x->thread = t;
    x->connection = x->resumption.connection = connection;
    x->watched = http_thread_watched(connection);
    x->started_us = clock_us();
    memcpy(x->method, method, strnlen(method, sizeof x->method - 1)); /* the rest is zeros */
    if (!x->watched || !ids_new(h->app->ids, x->id)) {
        free(x);
        return NULL;
    }
    atomic_fetch_add(&h->active, 1);
    metrics_requests_in_flight(h->app->metrics, 1);
    watch_exchange(x->watched);
    return x;
}

static enum MHD_Result on_access(void *cls, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *upload_data,
                                 size_t *upload_data_size, void **con_cls)
{
    http_exchange *x = *con_cls;
    if (!x) {
        x = *con_cls = exchange_create(cls, connection, method);
        if (!x)
            return MHD_NO;
        x->old = strcmp(version, MHD_HTTP_VERSION_1_1) != 0;
        return head_came(x, url, method);
    }
    if (*upload_data_size > 0) {
        size_t len = *upload_data_size;
        *upload_data_size = 0;
        return body_came(x, upload_data, len);
    }
    if (x->queued)
        return MHD_YES;
    if (x->suspended) { /* resumed: the answer is there */
        x->suspended = false;
        http_thread_resumed(x->thread, connection);
        return queue_answer(x);
    }
    return request_came(x);
}

static void log_request(const http_exchange *x, int64_t took_us, unsigned status,
                        enum MHD_RequestTerminationCode how)
{
    log_line line;
    log_begin(&line, x->http->app->log, LOG_INFO, "request");
    log_str(&line, "id", x->id);
    log_str(&line, "method", x->method);
    log_str(&line, "route", x->route ? x->route->path : "other");
    log_int(&line, "status", status);
    log_ms(&line, "ms", took_us);
    log_int(&line, "bytes_in", (int64_t)x->received);
    log_int(&line, "bytes_out", (int64_t)x->content_size);
    log_str(&line, "remote", watch_remote(x->watched));
    if (how != MHD_REQUEST_TERMINATED_COMPLETED_OK)
        log_str(&line, "ended",
                how == MHD_REQUEST_TERMINATED_CLIENT_ABORT ? "client_gone" : "closed");
    log_end(&line);
}

/* Whether the connection stays, and the next request may come soon. */
static bool can_park(http_exchange *x, enum MHD_RequestTerminationCode how)
{
    if (!x->waited || x->old || how != MHD_REQUEST_TERMINATED_COMPLETED_OK ||
        atomic_load_explicit(&x->http->app->draining, memory_order_relaxed))
        return false;
    const char *option = http_header(x, MHD_HTTP_HEADER_CONNECTION);
    return !option || strcasecmp(option, "keep-alive") == 0;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
                         enum MHD_RequestTerminationCode how)
{
    http *h = http_thread_context(cls);
    http_exchange *x = *con_cls;
    if (!x)
        return;
    if (x->suspended) /* closed before it could be answered */
        http_thread_resumed(x->thread, connection);
    int64_t now_us = clock_us(), took_us = now_us - x->started_us;
    if (can_park(x, how))
        http_thread_park(x->thread, connection, now_us);
    unsigned told = watch_refused(x->watched);                     /* by hand */
    unsigned status = told ? told : x->answered ? x->status : 499; /* 499: the client left first */
    size_t label = h->route_labels[x->route ? (size_t)(x->route - h->routes) : h->route_count];
    metrics_request(h->app->metrics, label, status, took_us);
    metrics_requests_in_flight(h->app->metrics, -1);
    log_request(x, took_us, status, how);
    watch_waiting(x->watched);
    if (x->response)
        MHD_destroy_response(x->response);
    drop_document(x);
    drop_body(x);
    if (WITH_QUEUE)
        idempotency_free(x->key);
    if (x->drop_context)
        x->drop_context(x->context);
    free(x);
    *con_cls = NULL;
    atomic_fetch_sub(&h->active, 1);
}

__attribute__((format(printf, 2, 0))) static void on_log(void *cls, const char *format,
                                                         va_list args)
{
    http *h = cls;
    buf text = BUF_INIT;
    buf_addv(&text, format, args);
    while (text.len > 0 && text.data[text.len - 1] == '\n')
        text.len--;
    const char *s = buf_cstr(&text);
    if (s)
        log_message(h->app->log, LOG_WARNING, "http", "%s", s);
    buf_free(&text);
}

/* A request that never got far enough to be an exchange was cut for being slow. */
static void on_slow(void *cls, const char *remote)
{
    http *h = cls;
    log_line line;
    metrics_request(h->app->metrics, h->route_labels[h->route_count], problem_status(PROBLEM_SLOW),
                    0);
    log_begin(&line, h->app->log, LOG_WARNING, "request");
    log_str(&line, "route", "other");
    log_int(&line, "status", problem_status(PROBLEM_SLOW));
    log_str(&line, "remote", remote);
    log_end(&line);
}

static void on_wait(void *cls)
{
    const http *h = cls;
    log_flush(h->app->log);
}

/* ---- start and stop ---- */

/* As many as descriptors allow, leaving room for everything else. */
static unsigned connection_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur <= (rlim_t)2 * OTHER_DESCRIPTORS)
        return OTHER_DESCRIPTORS;
    rlim_t room = limit.rlim_cur - OTHER_DESCRIPTORS;
    return room < CONNECTIONS_MAX ? (unsigned)room : CONNECTIONS_MAX;
}

static bool start_threads(http *h, const char *cert, const char *key)
{
    unsigned count = h->app->config->http_threads;
    unsigned limit = connection_limit() / count;
    http_thread_options options = {
        .listen_fd = h->listen_fd,
        .cert = cert,
        .key = key,
        .limit = limit > 0 ? limit : 1,
        .slow_us = h->app->config->read_timeout_us,
        .slow = on_slow,
        .ctx = h,
        .access = on_access,
        .completed = on_completed,
        .log = on_log,
        .before_wait = on_wait,
        .sender = h->app->config->sender_threads == 0 ? h->app->sender : NULL,
    };
    h->threads = calloc(count, sizeof(http_thread *));
    for (; h->threads && h->thread_count < count; h->thread_count++) {
        options.loop = (unsigned)h->thread_count;
        h->threads[h->thread_count] = http_thread_start(&options);
        if (!h->threads[h->thread_count])
            return false;
    }
    return h->threads != NULL;
}

static bool start(http *h, char **error)
{
    const config *c = h->app->config;
    bool tls = c->tls_cert != NULL;
    char *cert = NULL, *key = NULL;
    bool ok = false;

    if (tls && (!(cert = file_read(c->tls_cert, FILE_SMALL, NULL, error)) ||
                !(key = file_read(c->tls_key, FILE_SMALL, NULL, error))))
        goto cleanup;
    h->listen_fd = listen_open(&c->listen, tls, &h->address, error);
    if (h->listen_fd < 0)
        goto cleanup;
    h->unix_path = c->listen.kind == CONFIG_LISTEN_UNIX ? strdup(c->listen.path) : NULL;
    if (!start_threads(h, cert, key)) {
        if (asprintf(error, "The HTTP server could not start on %s%s.", h->address,
                     tls ? "; check the certificate and its key" : "") < 0)
            *error = NULL;
        goto cleanup;
    }
    ok = true;

cleanup:
    free(cert);
    file_wipe(key);
    return ok;
}

/* Each path's index, the same for routes of one path, and that of "other". */
static size_t *label_routes(const http_route *routes, size_t count)
{
    size_t *labels = calloc(count + 1, sizeof *labels);
    for (size_t i = 1; labels && i <= count; i++)
        labels[i] = labels[i - 1] + (i == count || strcmp(routes[i].path, routes[i - 1].path) != 0);
    return labels;
}

http *http_start(app *a, const http_route *routes, char **error)
{
    http *h = calloc(1, sizeof *h);
    *error = NULL;
    if (!h)
        return NULL;
    h->app = a;
    h->listen_fd = -1;
    h->routes = routes;
    h->documents = document_defaults(a->store, a->config->max_recipients);
    h->batches = document_defaults(a->store, REQUEST_BATCH_MOST);
    h->batches.weighed = true;
    while (routes[h->route_count].path)
        h->route_count++;
    h->route_labels = label_routes(routes, h->route_count);
    if (!h->route_labels || !start(h, error)) {
        http_free(h);
        return NULL;
    }
    return h;
}

const char *http_address(const http *h)
{
    return h->address;
}

static void stop_accepting(http *h)
{
    if (h->listen_fd < 0)
        return;
    for (size_t i = 0; i < h->thread_count; i++)
        http_thread_quiesce(h->threads[i]);
    (void)close(h->listen_fd);
    h->listen_fd = -1;
    if (h->unix_path)
        (void)unlink(h->unix_path);
}

bool http_drain(http *h, int64_t limit_us)
{
    const struct timespec pause = {0, 5000000};
    int64_t end = clock_us() + limit_us;

    stop_accepting(h);
    while (atomic_load(&h->active) > 0) {
        if (clock_us() >= end)
            return false;
        (void)nanosleep(&pause, NULL);
    }
    return true;
}

void http_free(http *h)
{
    if (!h)
        return;
    stop_accepting(h);
    for (size_t i = 0; i < h->thread_count; i++)
        http_thread_stop(h->threads[i]);
    free(h->threads);
    free(h->address);
    free(h->unix_path);
    free(h->route_labels);
    free(h);
}
