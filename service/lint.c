/*
 * lint - the route /v1/lint: what a spam filter and the reader's program will see in a message,
 * which isn't composed.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "service/routes.h"

void lint_handle(app *a, http_exchange *x)
{
    document *d = http_exchange_document(x);
    buf content = BUF_INIT;
    request *r = NULL;
    faults errors;

    if (!d)
        return;
    faults_init(&errors);
    templates *t = templates_now(a->templates);
    request_result result =
        request_create_lint(a->config, t, d, http_exchange_id(x), time(NULL), &r, &errors);
    templates_drop(t);
    if (result == REQUEST_OK) {
        buf_adds(&content, r->lint);
        buf_addc(&content, '\n');
    }
    request_free(r);
    if (result == REQUEST_OK && buf_ok(&content))
        http_answer(x, 200, "application/json", 0, &content);
    else
        send_answer_fault(x, result == REQUEST_OK ? REQUEST_NOMEM : result, &errors);
    buf_free(&content);
    faults_free(&errors);
}
