/*
 * suppressions - the routes /v1/suppressions and /v1/suppressions/{email}: whom nothing is sent to.
 */
#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "queue/record.h"
#include "service/look.h"
#include "service/routes.h"
#include "service/suppress.h"
#include "service/when.h"

#define PAGE_USUAL 100
#define REASON_MAX 500 /* bytes */

/* ---- an entry as it is shown ---- */

static json_t *show(const queue_suppressed *s)
{
    char since[CIVIL_TIME + 1];
    const char *list = s->list && s->list[0] ? s->list : NULL;
    civil_time(s->since, since);
    return json_pack("{s:s, s:s*, s:s, s:s}", "email", s->address, "list", list, "reason",
                     s->reason ? s->reason : "", "since", since);
}

static bool not_found(look *l)
{
    http_problem(l->exchange, PROBLEM_NOT_FOUND, "This address is not suppressed.", NULL);
    return true;
}

/* ---- lists ---- */

#define ANY_LIST "*"

/* The query's; "" where it has none, NULL for any (where that may be). False, and the look answered
 * and dropped, if it is no name, or the query has another. */
static bool query_list(look *l, bool may_be_any, const char **list)
{
    static const char *const known[] = {"list", NULL};
    const char *given = may_be_any || !http_query_unknown(l->exchange, known)
                            ? http_query(l->exchange, "list")
                            : "?";

    *list = given ? given : "";
    if (may_be_any && strcmp(*list, ANY_LIST) == 0)
        *list = NULL;
    if (!given || !*list || optout_name_fits(given, strlen(given)))
        return true;
    http_problem(l->exchange, PROBLEM_BAD_REQUEST,
                 "The query may have list, a list's name: " OPTOUT_NAME_RULE ".", NULL);
    look_drop(l);
    return false;
}

/* ---- addresses ---- */

/* As it is kept; NULL and *reason. The caller frees. */
static char *read_address(const char *s, size_t len, const char **reason)
{
    mime_mailbox mailbox = {0};
    char *out = NULL;

    *reason = NULL;
    if (!mime_mailbox_make(s, len, NULL, 0, &mailbox, reason))
        return NULL;
    const char *one[] = {mailbox.address};
    char **lower = suppress_addresses(one, 1);
    if (lower)
        out = strdup(lower[0]);
    free(lower);
    mime_mailbox_clear(&mailbox);
    return out;
}

/* The path's; NULL, and the look answered and dropped. */
static char *path_address(look *l)
{
    const char *given = http_parameter(l->exchange), *reason = NULL;
    char *address = read_address(given, strlen(given), &reason);

    if (address)
        return address;
    if (reason)
        (void)not_found(l);
    else
        http_problem(l->exchange, PROBLEM_MEMORY, "The request could not be kept.", NULL);
    look_drop(l);
    return NULL;
}

/* ---- one ---- */

static bool answer_one(look *l)
{
    return l->op.suppressed_count > 0 ? look_answer(l, 200, show(&l->op.suppressed[0]))
                                      : not_found(l);
}

/* Takes over the address; false: no memory. */
static bool look_up_address(look *l, char *address, const char *name)
{
    char **list = suppress_addresses((const char *const *)&address, 1);
    free(address);
    if (!list)
        return false;
    l->inputs = list;
    l->op.kind = QUEUE_SUPPRESSED;
    l->op.in.suppress.addresses = (const char *const *)list;
    l->op.in.suppress.list = name; /* lives as long as the exchange */
    return true;
}

void suppressions_get(app *a, http_exchange *x)
{
    look *l = look_create(a, x, answer_one);
    const char *list = "";
    char *address = l && query_list(l, false, &list) ? path_address(l) : NULL;

    if (!address)
        return;
    if (look_up_address(l, address, list)) {
        look_start(l);
        return;
    }
    http_problem(x, PROBLEM_MEMORY, "The request could not be kept.", NULL);
    look_drop(l);
}

static bool answer_removed(look *l)
{
    buf nothing = BUF_INIT;
    if (l->op.outcome != QUEUE_OK)
        return not_found(l);
    http_answer(l->exchange, 204, NULL, 0, &nothing);
    return true;
}

void suppressions_remove(app *a, http_exchange *x)
{
    look *l = look_create(a, x, answer_removed);
    const char *list = "";
    char *address = l && query_list(l, false, &list) ? path_address(l) : NULL;

    if (!address)
        return;
    l->inputs = address;
    l->op.kind = QUEUE_UNSUPPRESS;
    l->op.in.suppress.address = address;
    l->op.in.suppress.list = list;
    look_start(l);
}

/* ---- many ---- */

static bool answer_list(look *l)
{
    size_t count = l->op.suppressed_count;
    json_t *out = json_object(), *list = json_array();
    bool ok = out && list;
    bool more = count >= l->op.in.suppress.most; /* all of an address are on one page */

    for (size_t i = 0; ok && i < count; i++)
        ok = json_array_append_new(list, show(&l->op.suppressed[i])) == 0;
    ok = ok && json_object_set(out, "suppressions", list) == 0 &&
         json_object_set_new(out, "next",
                             more ? json_string(l->op.suppressed[count - 1].address)
                                  : json_null()) == 0;
    json_decref(list);
    if (!ok) {
        json_decref(out);
        out = NULL;
    }
    return look_answer(l, 200, out);
}

void suppressions_list(app *a, http_exchange *x)
{
    static const char *const known[] = {"after", "limit", "list", NULL};
    look *l = look_create(a, x, answer_list);
    const char *list = "";

    if (!l)
        return;
    l->op.kind = QUEUE_SUPPRESSIONS;
    if (!look_page(x, known, PAGE_USUAL, &l->op.in.suppress.most)) {
        look_drop(l);
        return;
    }
    if (!query_list(l, true, &list))
        return;
    const char *after = http_query(x, "after"); /* lives as long as the exchange */
    if (after && !utf8_valid(after, strlen(after))) {
        http_problem(x, PROBLEM_BAD_REQUEST, "after must be an address.", NULL);
        look_drop(l);
        return;
    }
    l->op.in.suppress.after = after;
    l->op.in.suppress.list = list;
    look_start(l);
}

/* ---- a new one ---- */

/* What the operations of a POST borrow. */
typedef struct entry {
    queue_suppressed kept;
    const char *addresses[2]; /* ended by NULL */
    char text[];              /* address, reason and list */
} entry;

static entry *entry_create(const char *address, const char *reason, const char *list)
{
    size_t first = strlen(address) + 1, second = strlen(reason) + 1, third = strlen(list) + 1;
    entry *e = calloc(1, sizeof *e + first + second + third);
    if (!e)
        return NULL;
    memcpy(e->text, address, first);
    memcpy(e->text + first, reason, second);
    memcpy(e->text + first + second, list, third);
    e->kept = (queue_suppressed){.address = e->text,
                                 .list = e->text + first + second,
                                 .reason = e->text + first,
                                 .since = clock_wall_us()};
    e->addresses[0] = e->text;
    return e;
}

static bool answer_added(look *l)
{
    return look_answer(l, 201, show(l->op.in.suppress.entries));
}

/* Whether it is there already was asked first: then 200, and what is kept. */
static bool add_unless_known(look *l)
{
    const entry *e = l->inputs;
    const queue_op add = {.kind = QUEUE_SUPPRESS, .in.suppress = {.entries = &e->kept, .count = 1}};

    if (l->op.suppressed_count > 0 && strcmp(l->op.suppressed[0].list, e->kept.list) == 0)
        return answer_one(l);
    return look_on(l, &add, answer_added);
}

/* A string of the body; NULL, and perhaps a fault, if it isn't there or none. */
static const char *get_string(document *d, const json_t *value, const char *pointer, faults *errors)
{
    document_string found = {0};
    const char *s = json_string_value(value);

    if (!s) {
        faults_add(errors, pointer, "wrong_type", "Must be a string.");
        return NULL;
    }
    bool lifted = document_lifted(d, value, &found);
    if (lifted)
        s = found.text.data ? found.text.data : "";
    if (found.has_nul || (!lifted && strlen(s) != json_string_length(value))) {
        faults_add(errors, pointer, "nul", "Must not hold a NUL character.");
        return NULL;
    }
    return s;
}

static const char *reason_fault(const char *reason)
{
    if (strlen(reason) > REASON_MAX)
        return "A reason has at most 500 bytes.";
    for (; *reason; reason++) {
        if ((unsigned char)*reason < ' ' || *reason == 0x7F)
            return "A reason is one line of printable characters.";
    }
    return NULL;
}

static const char *get_list(document *d, const json_t *value, faults *errors)
{
    const char *list = get_string(d, value, "/list", errors);
    if (list && !optout_name_fits(list, strlen(list)))
        faults_add(errors, "/list", "list", "A list's name is " OPTOUT_NAME_RULE ".");
    return list;
}

/* NULL: `errors` says why, or there was no memory. */
static entry *read_entry(document *d, faults *errors)
{
    const json_t *root = document_root(d);
    const char *email = NULL, *reason = "", *list = "", *key, *fault = NULL;
    char *address = NULL;
    json_t *value;
    char pointer[FAULTS_POINTER_MAX];

    if (!json_is_object(root)) {
        faults_add(errors, "", "wrong_type", "Must be an object.");
        return NULL;
    }
    json_object_foreach((json_t *)root, key, value)
    {
        faults_pointer(pointer, "", key);
        if (strcmp(key, "email") == 0)
            email = get_string(d, value, pointer, errors);
        else if (strcmp(key, "reason") == 0 && !json_is_null(value))
            reason = get_string(d, value, pointer, errors);
        else if (strcmp(key, "list") == 0 && !json_is_null(value))
            list = get_list(d, value, errors);
        else if (strcmp(key, "reason") != 0 && strcmp(key, "list") != 0)
            faults_unknown(errors, "", key);
    }
    if (reason && (fault = reason_fault(reason)))
        faults_add(errors, "/reason", "too_long", "%s", fault);
    if (email && !(address = read_address(email, strlen(email), &fault)) && fault)
        faults_add(errors, "/email", "address", "Not a valid address: %s.", fault);
    if (!email && !json_object_get(root, "email"))
        faults_add(errors, "/email", "required", "An address is required.");
    entry *e = address && reason && errors->total == 0 ? entry_create(address, reason, list) : NULL;
    free(address);
    return e;
}

void suppressions_post(app *a, http_exchange *x)
{
    look *l = look_create(a, x, add_unless_known);
    document *d = l ? http_exchange_document(x) : NULL;
    faults errors;

    if (!d) {
        if (l)
            look_drop(l);
        return;
    }
    faults_init(&errors);
    entry *e = read_entry(d, &errors);
    document_free(d);
    l->inputs = e;
    if (e) {
        l->op.kind = QUEUE_SUPPRESSED;
        l->op.in.suppress.addresses = e->addresses;
        l->op.in.suppress.list = e->kept.list;
        look_start(l);
    } else {
        if (errors.total > 0)
            http_problem(x, PROBLEM_INVALID,
                         "Each of the errors names a member and what is wrong with it.", &errors);
        else
            http_problem(x, PROBLEM_MEMORY, "The request could not be kept.", NULL);
        look_drop(l);
    }
    faults_free(&errors);
}
