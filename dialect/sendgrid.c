/*
 * SendGrid's v3: POST /v3/mail/send. A personalization is a draft; what the body says beside them
 * is every draft's, and what a personalization says itself wins.
 */
#include "dialect/sendgrid_own.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/jsonw.h"

/* ---- where it stands ---- */

static bool is_given(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return value && !json_is_null(value);
}

/* A member's name in the draft, and the body's. */
static const struct {
    const char *name, *theirs;
    enum { MAIL, OWN, EITHER } place; /* in the body, the personalization, whichever has it */
} origins[] = {
    {"to", "to", OWN},
    {"cc", "cc", OWN},
    {"bcc", "bcc", OWN},
    {"data", "dynamic_template_data", OWN},
    {"from", "from", EITHER},
    {"subject", "subject", EITHER},
    {"send_at", "send_at", EITHER},
    {"headers", "headers", EITHER},
    {"metadata", "custom_args", EITHER},
    {"tags", "categories", MAIL},
    {"template", "template_id", MAIL},
    {"list", "asm/group_id", MAIL},
};

/* Whether the personalization's object is the one that a pointer's rest ("/X-Foo", "/X-Foo/…", "")
 * means. */
static bool has_rest(const json_t *object, const char *rest)
{
    const char *name;
    json_t *member;
    char at[FAULTS_POINTER_MAX];

    if (!json_is_object(object) || !*rest)
        return object && !json_is_null(object);
    json_object_foreach((json_t *)object, name, member)
    {
        faults_pointer(at, "", name);
        if (strcasecmp(at, rest) == 0)
            return true;
    }
    return false;
}

/* "/attachments/0/content_type" → "/attachments/0/type" */
static void attachment_origin(const json_t *root, const char *rest, char out[FAULTS_POINTER_MAX])
{
    size_t i = *rest ? strtoul(rest + 1, NULL, 10) : 0;
    const json_t *one = json_array_get(json_object_get(root, "attachments"), i);
    const char *name = *rest ? strchr(rest + 1, '/') : NULL;
    const char *theirs = name ? name : "";

    if (name && strcmp(name, "/content_type") == 0)
        theirs = "/type";
    else if (name && strcmp(name, "/content_id") == 0 && !is_given(one, "content_id"))
        theirs = "/contentId";
    (void)snprintf(out, FAULTS_POINTER_MAX, "/attachments%.*s%s",
                   (int)(name ? (size_t)(name - rest) : strlen(rest)), rest, theirs);
}

static void content_origin(const json_t *root, const char *type, char out[FAULTS_POINTER_MAX])
{
    const json_t *list = json_object_get(root, "content");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *given = json_string_value(json_object_get(json_array_get(list, i), "type"));
        if (given && strcasecmp(given, type) == 0) {
            (void)snprintf(out, FAULTS_POINTER_MAX, "/content/%zu/value", i);
            return;
        }
    }
    faults_member(out, "", "content");
}

static void member_origin(const json_t *root, size_t draft, const char *name, size_t len,
                          const char *rest, char out[FAULTS_POINTER_MAX])
{
    const json_t *own = json_array_get(json_object_get(root, "personalizations"), draft);
    char place[FAULTS_POINTER_MAX] = "", at[FAULTS_POINTER_MAX];
    const char *theirs = NULL;

    faults_item_pointer(at, "/personalizations", draft);
    for (size_t i = 0; !theirs && i < sizeof origins / sizeof *origins; i++) {
        if (strlen(origins[i].name) != len || memcmp(origins[i].name, name, len) != 0)
            continue;
        theirs = origins[i].theirs;
        if (origins[i].place == OWN ||
            (origins[i].place == EITHER && has_rest(json_object_get(own, theirs), rest)))
            memcpy(place, at, sizeof place);
    }
    if (!theirs) /* what is the mail's as a whole */
        memcpy(out, at, sizeof at);
    else if (snprintf(out, FAULTS_POINTER_MAX, "%s/%s%s", place, theirs, rest) >=
             FAULTS_POINTER_MAX)
        out[FAULTS_POINTER_MAX - 1] = '\0';
}

static void origin_send(const dialect_body *body, size_t draft, const char *pointer,
                        char out[FAULTS_POINTER_MAX])
{
    const char *name = *pointer ? pointer + 1 : "";
    size_t len = strcspn(name, "/");
    const char *rest = name + len;

    if (len == strlen("attachments") && memcmp(name, "attachments", len) == 0)
        attachment_origin(body->root, rest, out);
    else if (len == strlen("text") && memcmp(name, "text", len) == 0)
        content_origin(body->root, "text/plain", out);
    else if (len == strlen("html") && memcmp(name, "html", len) == 0)
        content_origin(body->root, "text/html", out);
    else if (len == strlen("reply_to") && memcmp(name, "reply_to", len) == 0)
        (void)snprintf(out, FAULTS_POINTER_MAX, "/%s%s",
                       is_given(body->root, "reply_to") ? "reply_to" : "reply_to_list", rest);
    else
        member_origin(body->root, draft, name, len, rest, out);
}

/* ---- answers ---- */

#define NO_ADDRESS "Not a valid address: "

static void write_message(jsonw *w, const faults_item *f)
{
    buf text = BUF_INIT;
    const char *reason = f->detail;

    if (strcmp(f->code, "address") == 0 && strncmp(reason, NO_ADDRESS, strlen(NO_ADDRESS)) == 0) {
        reason += strlen(NO_ADDRESS);
        size_t len = strlen(reason);
        buf_addf(&text, "Does not contain a valid address. (%.*s)",
                 (int)(len && reason[len - 1] == '.' ? len - 1 : len), reason);
        reason = buf_cstr(&text);
    }
    jsonw_str(w, reason ? reason : f->detail);
    buf_free(&text);
}

/* "/personalizations/0/to" → "personalizations.0.to" */
static void write_field(jsonw *w, const char *pointer)
{
    char name[FAULTS_POINTER_MAX];
    size_t n = 0;

    if (!*pointer) {
        jsonw_null(w);
        return;
    }
    for (const char *at = pointer + 1; *at && n < sizeof name; at++) {
        if (*at == '~' && (at[1] == '0' || at[1] == '1'))
            name[n++] = *++at == '0' ? '~' : '/';
        else
            name[n++] = *at == '/' ? '.' : *at;
    }
    jsonw_strn(w, name, n);
}

static void write_faults(jsonw *w, const faults *errors)
{
    for (size_t i = 0; i < errors->count; i++) {
        jsonw_object(w);
        jsonw_key(w, "message");
        write_message(w, &errors->list[i]);
        jsonw_key(w, "field");
        write_field(w, errors->list[i].pointer);
        jsonw_key(w, "help");
        jsonw_null(w);
        jsonw_object_end(w);
    }
}

static void write_error(jsonw *w, const char *message, const char *pointer)
{
    jsonw_object(w);
    jsonw_key(w, "message");
    jsonw_str(w, message);
    jsonw_key(w, "field");
    write_field(w, pointer);
    jsonw_key(w, "help");
    jsonw_null(w);
    jsonw_object_end(w);
}

static void begin_errors(jsonw *w, dialect_answer *out)
{
    out->content_type = "application/json";
    jsonw_init(w, &out->content);
    jsonw_object(w);
    jsonw_key(w, "errors");
    jsonw_array(w);
}

static void end_errors(jsonw *w, const char *id)
{
    jsonw_array_end(w);
    if (id) {
        jsonw_key(w, "id");
        jsonw_str(w, id);
    }
    jsonw_object_end(w);
}

static const struct {
    const char *reason;
    unsigned status;
    const char *message, *pointer; /* NULL: the problem's own */
} refusals[] = {
    {"unauthorized", 401, "authorization required", ""},
    {"sender-forbidden", 403,
     "The from address does not match a verified Sender Identity. Mail cannot be sent until this "
     "error is resolved: POSTERN_FROM does not allow this sender.",
     "/from"},
    {"busy", 429, "too many requests", ""},
};

/* SendGrid's own statuses are few: what else there is becomes the nearest of them. What may have
 * been sent is no 503, which asks for another try. */
static unsigned status_of(unsigned status)
{
    switch (status) {
    case 409:
    case 422: return 400;
    case 502:
    case 504: return 500;
    default: return status;
    }
}

static void refused(const dialect_refusal *r, dialect_answer *out)
{
    const char *message = r->detail, *pointer = "";
    jsonw w;

    out->status = status_of(r->status);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        if (strcmp(r->reason, refusals[i].reason) == 0) {
            out->status = refusals[i].status;
            message = refusals[i].message;
            pointer = refusals[i].pointer;
        }
    }
    begin_errors(&w, out);
    if (r->errors && r->errors->count > 0 && out->status == 400)
        write_faults(&w, r->errors);
    else
        write_error(&w, message, pointer);
    end_errors(&w, r->id);
}

/* Mails that were refused where others were sent have no place in SendGrid's answers, which know
 * all or nothing: they are told in a content that it has never, rather than not at all. */
static void write_partial(const dialect_sent *list, size_t count, dialect_answer *out)
{
    jsonw w;
    char at[FAULTS_POINTER_MAX];

    begin_errors(&w, out);
    for (size_t i = 0; i < count; i++) {
        faults_item_pointer(at, "/personalizations", i);
        const dialect_refusal *r = list[i].refusal;
        if (r && r->errors && r->errors->count > 0)
            write_faults(&w, r->errors);
        else if (r)
            write_error(&w, r->detail, at);
    }
    end_errors(&w, NULL);
}

static void accepted_send(const dialect_body *body, const dialect_sent *list, size_t count,
                          bool dry, dialect_answer *out)
{
    bool any_refused = false;

    (void)body;
    out->status = dry ? 200 : 202;
    for (size_t i = 0; i < count; i++) {
        any_refused = any_refused || list[i].refusal;
        if (!out->header && list[i].id && !dry) {
            out->header = "X-Message-Id";
            (void)snprintf(out->value, sizeof out->value, "%s", list[i].id);
        }
    }
    if (any_refused)
        write_partial(list, count, out);
}

/* An id that a later mail may name; it is made of the time, which is another one each time. */
static void accepted_batch(const dialect_body *body, const dialect_sent *list, size_t count,
                           bool dry, dialect_answer *out)
{
    (void)list;
    (void)count;
    (void)dry;
    out->status = 201;
    out->content_type = "application/json";
    buf_addf(&out->content, "{\"batch_id\":\"postern-%016llx\"}", (unsigned long long)body->now_us);
}

static const dialect_endpoint endpoints[] = {
    {.path = "/v3/mail/send",
     .method = "POST",
     .action = DIALECT_SEND,
     .form = DIALECT_JSON,
     .files = "attachments",
     .content = "content",
     .level = 1,
     .read = sendgrid_read,
     .origin = origin_send,
     .accepted = accepted_send},
    {.path = "/v3/mail/batch",
     .method = "POST",
     .action = DIALECT_FIXED,
     .form = DIALECT_NOTHING,
     .accepted = accepted_batch},
    {.path = NULL},
};

const dialect dialect_sendgrid = {
    .name = "sendgrid",
    .auth = DIALECT_BEARER,
    .key_header = NULL,
    .endpoints = endpoints,
    .refused = refused,
};
