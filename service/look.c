#include "service/look.h"

#include <stdlib.h>

#include "service/config_value.h"

look *look_create(app *a, http_exchange *x, look_answer_fn *answer)
{
    look *l = a->outbox ? calloc(1, sizeof *l) : NULL;
    if (l) {
        l->app = a;
        l->exchange = x;
        l->answer = answer;
    } else if (a->outbox) {
        http_problem(x, PROBLEM_MEMORY, "The request could not be kept.", NULL);
    } else {
        http_problem(x, PROBLEM_NO_QUEUE, "Set POSTERN_DATA or POSTERN_QUEUE to have a queue.",
                     NULL);
    }
    return l;
}

void look_drop(look *l)
{
    queue_op_clear(&l->op);
    free(l->inputs);
    free(l);
}

static void look_done(queue_op *op)
{
    look *l = op->ctx;
    outbox_ended(l->app->outbox, op);
    if (op->outcome == QUEUE_FAILED)
        outbox_problem(l->exchange, op);
    else if (!l->answer(l))
        return; /* it goes on */
    look_drop(l);
}

static void submit(look *l)
{
    l->op.done = look_done;
    l->op.ctx = l;
    if (outbox_submit(l->app->outbox, &l->op))
        return;
    outbox_problem(l->exchange, NULL);
    look_drop(l);
}

void look_start(look *l)
{
    http_suspend(l->exchange);
    submit(l);
}

bool look_on(look *l, const queue_op *next, look_answer_fn *answer)
{
    queue_op_clear(&l->op);
    l->op = *next;
    l->answer = answer;
    submit(l);
    return false;
}

bool look_answer(look *l, unsigned status, json_t *json)
{
    buf content = BUF_INIT;
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

    json_decref(json);
    if (!text) {
        http_problem(l->exchange, PROBLEM_MEMORY, "The answer could not be made.", NULL);
        return true;
    }
    buf_adds(&content, text);
    buf_addc(&content, '\n');
    free(text);
    http_answer(l->exchange, status, "application/json", 0, &content);
    return true;
}

bool look_page(http_exchange *x, const char *const *known, size_t usual, size_t *most)
{
    const char *limit = http_query(x, "limit");
    int64_t n = (int64_t)usual;

    if (http_query_unknown(x, known)) {
        http_problem(x, PROBLEM_BAD_REQUEST,
                     "The query has a name that this route doesn't know; see /openapi.yaml.", NULL);
        return false;
    }
    if (limit && (!config_value_number(limit, &n) || n < 1 || n > QUEUE_PAGE)) {
        http_problem(x, PROBLEM_BAD_REQUEST, "limit must be a number of 1 to 200.", NULL);
        return false;
    }
    *most = (size_t)n;
    return true;
}
