#include "service/problem.h"

#include "base/jsonw.h"

static const struct {
    unsigned status;
    unsigned retry_after;
    const char *type;
    const char *title;
} kinds[] = {
    [PROBLEM_BAD_JSON] = {400, 0, "urn:postern:problem:bad-json", "The body is not valid JSON"},
    [PROBLEM_BAD_REQUEST] = {400, 0, "urn:postern:problem:bad-request", "The request is malformed"},
    [PROBLEM_UNAUTHORIZED] = {401, 0, "urn:postern:problem:unauthorized", "An API key is required"},
    [PROBLEM_UNVERIFIED] = {401, 0, "urn:postern:problem:unverified",
                            "The request is not signed as it must be"},
    [PROBLEM_SENDER_FORBIDDEN] = {403, 0, "urn:postern:problem:sender-forbidden",
                                  "This sender is not allowed here"},
    [PROBLEM_NOT_FOUND] = {404, 0, "urn:postern:problem:not-found", "There is nothing here"},
    [PROBLEM_METHOD] = {405, 0, "urn:postern:problem:method", "The method is not allowed here"},
    [PROBLEM_SLOW] = {408, 0, "urn:postern:problem:slow", "The request did not come in time"},
    [PROBLEM_CONFLICT] = {409, 0, "urn:postern:problem:conflict",
                          "The message is in no state for this"},
    [PROBLEM_KEY_RUNNING] = {409, 5, "urn:postern:problem:idempotency-running",
                             "A request with this idempotency key is under way"},
    [PROBLEM_LENGTH] = {411, 0, "urn:postern:problem:length-required",
                        "The body's length is required"},
    [PROBLEM_TOO_LARGE] = {413, 0, "urn:postern:problem:too-large", "The body is too large"},
    [PROBLEM_MEDIA_TYPE] = {415, 0, "urn:postern:problem:media-type", "The body must be JSON"},
    [PROBLEM_INVALID] = {422, 0, "urn:postern:problem:invalid", "The message is not valid"},
    [PROBLEM_REFUSED] = {422, 0, "urn:postern:problem:refused", "The relay refused the message"},
    [PROBLEM_SUPPRESSED] = {422, 0, "urn:postern:problem:suppressed",
                            "Every recipient is suppressed"},
    [PROBLEM_KEY_DIFFERENT] = {422, 0, "urn:postern:problem:idempotency-mismatch",
                               "The idempotency key belongs to another request"},
    [PROBLEM_INTERNAL] = {500, 0, "urn:postern:problem:internal", "The gateway made a mistake"},
    [PROBLEM_GATEWAY] = {502, 0, "urn:postern:problem:gateway",
                         "The gateway's access to the relay does not work"},
    [PROBLEM_NO_RELAY] = {503, 60, "urn:postern:problem:no-relay", "No relay is configured"},
    [PROBLEM_NO_QUEUE] = {503, 60, "urn:postern:problem:no-queue", "No queue is configured"},
    [PROBLEM_QUEUE] = {503, 5, "urn:postern:problem:queue", "The queue can't do it now"},
    [PROBLEM_BUSY] = {503, 1, "urn:postern:problem:busy", "Too much is in flight"},
    [PROBLEM_DRAINING] = {503, 5, "urn:postern:problem:draining", "The gateway is shutting down"},
    [PROBLEM_MEMORY] = {503, 5, "urn:postern:problem:memory", "The gateway is out of memory"},
    [PROBLEM_STORAGE] = {503, 5, "urn:postern:problem:storage",
                         "The gateway has no room for the request"},
    [PROBLEM_RELAY] = {503, 30, "urn:postern:problem:relay",
                       "The relay can't take the message now"},
    [PROBLEM_TIMEOUT] = {504, 0, "urn:postern:problem:timeout", "The relay did not answer in time"},
};

unsigned problem_status(problem_kind kind)
{
    return kinds[kind].status;
}

const char *problem_type(problem_kind kind)
{
    return kinds[kind].type;
}

const char *problem_title(problem_kind kind)
{
    return kinds[kind].title;
}

unsigned problem_retry_after(problem_kind kind)
{
    return kinds[kind].retry_after;
}

static void write_errors(jsonw *w, const faults *errors)
{
    jsonw_key(w, "errors");
    jsonw_array(w);
    for (size_t i = 0; i < errors->count; i++) {
        const faults_item *e = &errors->list[i];
        jsonw_object(w);
        jsonw_key(w, "pointer");
        jsonw_str(w, e->pointer);
        jsonw_key(w, "code");
        jsonw_str(w, e->code);
        jsonw_key(w, "detail");
        jsonw_str(w, e->detail);
        if (e->has_offset) {
            jsonw_key(w, "offset");
            jsonw_int(w, (int64_t)e->offset);
        }
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
    if (errors->total > errors->count) {
        jsonw_key(w, "errors_total");
        jsonw_int(w, (int64_t)errors->total);
    }
}

void problem_begin(jsonw *w, problem_kind kind, const char *detail)
{
    jsonw_object(w);
    jsonw_key(w, "type");
    jsonw_str(w, kinds[kind].type);
    jsonw_key(w, "title");
    jsonw_str(w, kinds[kind].title);
    jsonw_key(w, "status");
    jsonw_int(w, kinds[kind].status);
    jsonw_key(w, "detail");
    jsonw_str(w, detail);
}

void problem_write(buf *out, problem_kind kind, const char *id, const char *detail,
                   const faults *errors)
{
    jsonw w;
    jsonw_init(&w, out);
    problem_begin(&w, kind, detail);
    if (errors)
        write_errors(&w, errors);
    jsonw_key(&w, "retryable");
    jsonw_bool(&w, kinds[kind].status == 503 || kinds[kind].status == 408 ||
                       kind == PROBLEM_KEY_RUNNING);
    jsonw_key(&w, "outcome");
    jsonw_str(&w, "not_sent");
    if (id) {
        jsonw_key(&w, "id");
        jsonw_str(&w, id);
    }
    jsonw_object_end(&w);
    buf_addc(out, '\n');
}
