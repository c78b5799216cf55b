#include "service/request_own.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const list_headers[REQUEST_LIST_HEADERS] = {"List-Unsubscribe",
                                                               "List-Unsubscribe-Post", "List-Id"};

#define ONE_CLICK "List-Unsubscribe=One-Click" /* RFC 8058 section 3.1 */

void request_read_list(request_reader *r, const char *pointer, const json_t *value)
{
    mime_bytes name;
    if (!request_string(r, pointer, value, &name))
        return;
    if (!optout_name_fits(name.data, name.len))
        faults_add(r->errors, pointer, "list", "A list's name is " OPTOUT_NAME_RULE ".");
    else if (!r->config->optout)
        faults_add(r->errors, pointer, "no_lists",
                   "Nothing can be sent to a list here: set POSTERN_PUBLIC_URL and "
                   "POSTERN_UNSUBSCRIBE_SECRET, and POSTERN_DATA or POSTERN_QUEUE.");
    else
        r->request->list = name.data;
}

void request_check_list_headers(request_reader *r)
{
    const struct request_parts *p = r->parts;
    char pointer[FAULTS_POINTER_MAX];

    for (size_t i = 0; i < p->header_count; i++) {
        for (size_t k = 0; k < REQUEST_LIST_HEADERS; k++) {
            const char *name = p->headers[i].name.data;
            if (strcasecmp(name, list_headers[k]) != 0)
                continue;
            faults_pointer(pointer, "/headers", name);
            faults_add(r->errors, pointer, "list", "This header is made of the list's name.");
        }
    }
}

/* A link is one person's: who else had the mail could take that one off the list. */
void request_check_list(request_reader *r)
{
    const struct request_parts *p = r->parts;
    enum { ALL = 3 };
    const request_mailboxes *const all[ALL] = {&p->to, &p->cc, &p->bcc};
    const char *only = NULL;
    size_t count = 0;

    if (!r->request->list[0])
        return;
    for (size_t i = 0; i < ALL; i++) {
        count += all[i]->count;
        only = all[i]->count ? all[i]->list[0].address : only;
    }
    if (count > 1) {
        faults_add(r->errors, "/list", "one_recipient",
                   "A mail of a list has one recipient, whose link to unsubscribe it holds; "
                   "/v1/batches sends one to each of many.");
        return;
    }
    if (only &&
        !(r->request->unsubscribe_url = optout_url(r->config->optout, r->request->list, only)))
        r->nomem = true;
}

json_t *request_list_data(const request *q, const json_t *data)
{
    json_t *out = data ? json_copy((json_t *)data) : json_object();
    const json_t *given = json_object_get(out, "postern");
    json_t *own = json_is_object(given) ? json_copy((json_t *)given) : json_object();

    if (out && own &&
        json_object_set_new(own, "unsubscribe_url", json_string(q->unsubscribe_url)) == 0 &&
        json_object_set(out, "postern", own) == 0) {
        json_decref(own);
        return out;
    }
    json_decref(own);
    json_decref(out);
    return NULL;
}

static void add_header(struct request_parts *p, const char *name, const char *value, size_t len)
{
    p->headers[p->header_count++] =
        (mime_header){.name = {name, strlen(name)}, .value = {value, len}};
}

bool request_add_list_headers(request_reader *r)
{
    struct request_parts *p = r->parts;
    const request *q = r->request;

    if (!q->list[0])
        return true;
    if (!p->headers)
        p->headers = calloc(REQUEST_LIST_HEADERS, sizeof *p->headers);
    char *id = optout_list_id(r->config->optout, q->list);
    int n = id && p->headers ? asprintf(&p->list_headers, "<%s>%s", q->unsubscribe_url, id) : -1;
    if (n < 0)
        p->list_headers = NULL;
    if (n >= 0) {
        size_t url = strlen(q->unsubscribe_url) + 2;
        add_header(p, list_headers[0], p->list_headers, url);
        add_header(p, list_headers[1], ONE_CLICK, sizeof ONE_CLICK - 1);
        add_header(p, list_headers[2], p->list_headers + url, strlen(id));
    }
    free(id);
    return n >= 0;
}
