/*
 * job - what the relay is asked for on behalf of an exchange or a command: its place among those in
 * flight, and what is logged and counted when it ends.
 */
#ifndef POSTERN_SERVICE_JOB_H
#define POSTERN_SERVICE_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "service/app.h"
#include "service/request.h"

#define JOB_FULL "As many transactions as POSTERN_MAX_INFLIGHT allows are under way."

/* Takes a place among those in flight; false if POSTERN_MAX_INFLIGHT are taken. */
bool job_enter(app *a);
void job_leave(app *a);

/* Logs and counts a finished transaction. */
void job_finished(app *a, const request *r, const smtp_result *result);

/* For who logs and counts by himself: a name ("not_sent" without a result), how many have got the
 * message, the relay's index in the metrics. */
const char *job_outcome_name(const smtp_result *result);
size_t job_accepted(const smtp_result *result);
size_t job_relay_index(const app *a, const smtp_relay *relay);

/* The transaction of a request; `reader` is its message's and `done` is called with `ctx`. */
smtp_transaction job_transaction(const app *a, const request *r, mime_reader *reader,
                                 smtp_done *done, void *ctx);

#endif
