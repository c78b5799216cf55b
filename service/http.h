/*
 * http - the server: libmicrohttpd (epoll, a pool of threads), routes, limits, answers later.
 *
 * A handler gets a whole request (its body within the limits) and either answers at once with
 * http_answer(), or keeps the exchange and answers from another thread with http_answer() when it
 * is done: the connection is suspended meanwhile and costs no thread.
 *
 * Kept here, for every route: the table of routes with 404 and 405 + Allow, 401, 411, 413 (at once
 * by Content-Length, else as the bytes come), 415, 503 while draining and, before the body is read,
 * where too much is in flight or in memory, time limits on slow clients
 * (408 where it can still be said), a count of what is in flight, one log line and one metric per
 * request.
 */
#ifndef POSTERN_SERVICE_HTTP_H
#define POSTERN_SERVICE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/buf.h"
#include "service/app.h"
#include "service/document.h"
#include "service/idempotency.h"
#include "service/problem.h"

typedef struct http http;                   /* the server */
typedef struct http_exchange http_exchange; /* one request and its answer */

typedef enum http_auth { HTTP_AUTH_OPEN, HTTP_AUTH_KEY } http_auth;

typedef enum http_content {
    HTTP_NO_BODY,       /* one that comes is read and dropped */
    HTTP_OPTIONAL_BODY, /* JSON, or none */
    HTTP_JSON_BODY,
    HTTP_BATCH_BODY, /* JSON of many small values */
    HTTP_TEXT_BODY,  /* the same, whatever Content-Type says */
    HTTP_FORM_BODY,  /* a form (form.h), which becomes a document, too */
    HTTP_RAW_BODY    /* of any type, kept as it comes: http_body() */
} http_content;

typedef void http_handler(app *a, http_exchange *x);

/* How a route speaks where it doesn't speak as the others do. */
typedef struct http_manners {
    /* The API key that was presented, and its length; NULL: none. `room` is for one that must be
     * decoded. */
    const char *(*key)(http_exchange *x, char *room, size_t cap, size_t *len);
    const char *challenge; /* WWW-Authenticate of a 401; NULL: none */
    /* What is answered, whoever answers, becomes another answer. On any thread. */
    void (*answer)(http_exchange *x, unsigned *status, const char **content_type, buf *content);
    /* Where the base64 of attachments stands in the body. */
    const document_files *files;
} http_manners;

/* A path may have one "{…}". At its end that stands for whatever is there; with more behind it, for
 * one segment ("/v1/templates/{name}/render"). Routes of one path are neighbours in the table, and
 * one to the metrics. */
typedef struct http_route {
    const char *path;
    const char *method; /* "GET" (HEAD too), "POST", "PUT", "DELETE" */
    http_auth auth;
    http_content content;
    bool relays; /* puts a transaction in flight */
    bool keyed;  /* knows Idempotency-Key, which needs a queue */
    http_handler *handle;
    /* Octets that a body may have, asked for before it comes; NULL: POSTERN_MAX_BODY, beyond which
     * it is never. */
    size_t (*most)(const app *a, const http_exchange *x);
    const http_manners *manners; /* NULL: ours */
    const void *context;         /* the handler's */
} http_route;

/* Starts listening and serving. NULL, and *error a sentence the caller frees, if that can't be
 * done. `routes` is an array ended by a path of NULL, and lives as long as the server. */
http *http_start(app *a, const http_route *routes, char **error);

/* The address it listens on, as for a client: "http://127.0.0.1:8025", "unix:/run/postern.sock". */
const char *http_address(const http *h);

/* Stops accepting; returns when every request has been answered, or after `limit_us`; false then.
 */
bool http_drain(http *h, int64_t limit_us);
void http_free(http *h);

const char *http_exchange_id(const http_exchange *x);

/* Bytes of the body. */
size_t http_received(const http_exchange *x);

/* The body, parsed, which the caller takes over; NULL, and the exchange answered, if it isn't JSON,
 * or the form that the route takes, or can't be kept. Once. */
document *http_exchange_document(http_exchange *x);

/* The body as it came (HTTP_RAW_BODY), the exchange's. */
const buf *http_body(const http_exchange *x);

/* A header of the request (its name in any case), in the connection's memory: until the exchange is
 * answered. NULL: there is none. */
static inline const char *http_header(http_exchange *x, const char *name);

/* True if the value of a Content-Type is that media type ("application/json"), with no charset or
 * UTF-8's. NULL: false. */
bool http_is_type(const char *value, const char *type);

/* What the path has in place of "{…}", decoded; it lives as long as the exchange. */
const char *http_parameter(const http_exchange *x);

/* Puts another text in its place, which must live as long. */
void http_set_parameter(http_exchange *x, const char *parameter);

/* The route that the exchange came by. */
const http_route *http_exchange_route(const http_exchange *x);

/* What a handler keeps with the exchange until it is over; one, at most. */
void http_set_context(http_exchange *x, void *context, void (*drop)(void *context));
void *http_context(const http_exchange *x); /* NULL: none */

/* A value of the query, decoded, which is done once: each name can be asked for once. It lives as
 * long as the exchange. NULL: there is none of that name ("name" alone: ""). */
const char *http_query(http_exchange *x, const char *name);

/* The first name in the query that is not one of `known` (ended by NULL); NULL: there is none. */
const char *http_query_unknown(http_exchange *x, const char *const *known);

/* What the request's Idempotency-Key gave, body included, which the caller takes over; NULL: it has
 * none. Once. */
idempotency *http_exchange_key(http_exchange *x);

/* A header of the answer to come; the value is copied, and has HTTP_HEADER_MAX characters at most.
 * Three at most; before the answer, by whoever answers. */
#define HTTP_HEADER_MAX 63
void http_set_header(http_exchange *x, const char *name, const char *value);

/* Headers that are always the same: `list` is static, and ended by a name of NULL. */
typedef struct http_fixed_header {
    const char *name, *value;
} http_fixed_header;

void http_set_fixed_headers(http_exchange *x, const http_fixed_header *list);

/* Before leaving the request to another thread (once more is nothing): after this, exactly one
 * http_answer() must follow, from any thread. A handler that returns without having called either
 * has a defect, and 500 is answered. */
void http_suspend(http_exchange *x);

/* Answers. Takes over the bytes of `content` (left empty). content_type NULL: there is none;
 * retry_after 0: none. */
void http_answer(http_exchange *x, unsigned status, const char *content_type, unsigned retry_after,
                 buf *content);

/* Answers with 200 and `size` bytes that `read` gives piece by piece (0: it can't, and the
 * connection is cut), on the connection's thread. `done` is called with `ctx` when no more is read,
 * whatever became of the answer. */
typedef struct http_stream {
    size_t (*read)(void *ctx, char *out, size_t cap);
    void (*done)(void *ctx);
    void *ctx;
    uint64_t size;
} http_stream;

void http_answer_stream(http_exchange *x, const char *content_type, const http_stream *stream);

/* Answers with a problem that needs no relay. */
void http_problem(http_exchange *x, problem_kind kind, const char *detail, const faults *errors);

/* Here, so that of a literal the compiler knows the length. */
const char *http_header_n(http_exchange *x, const char *name, size_t len);

static inline const char *http_header(http_exchange *x, const char *name)
{
    return http_header_n(x, name, strlen(name));
}

#endif
