#include "smtp/loop.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "smtp/classify.h"
#include "smtp/replies.h"
#include "smtp/result.h"

/* Of the body, read at once. */
#define CHUNK 16384
/* What is handed to the socket at one turn, so that a large body on a fast socket leaves the others
 * theirs. */
#define TURN_BYTES ((size_t)256 * 1024)
#define OUT_BYTES  ((size_t)64 * 1024)
/* What a buffer may keep between transactions. */
#define KEEP_BYTES ((size_t)64 * 1024)
#define RESET_US   INT64_C(10000000)
/* An envelope that went ahead is held back when the reply to the body before it takes longer. */
#define AHEAD_US INT64_C(1000000)
/* How long is kept in mind what a relay did to one that went ahead. */
#define AHEAD_LESSON_US INT64_C(60000000)

static void send_failed(smtp_session *s);

/* ---- ending ---- */

static const char *preset_name(const smtp_session *s)
{
    return s->pool->relay->preset ? s->pool->relay->preset->name : NULL;
}

/* Takes the task off the session and writes down what the session knows of it. The caller first
 * says what becomes of the session, and then ends the task: whoever is called back finds the
 * session free. */
static smtp_task *settle(smtp_session *s)
{
    smtp_task *t = s->task;
    if (!t)
        return NULL;
    int64_t now = clock_us();
    smtp_timing *timing = &t->result->timing;
    if (s->envelope_since)
        timing->envelope = (s->body_since ? s->body_since : now) - s->envelope_since;
    if (s->body_since)
        timing->body = now - s->body_since;
    memcpy(t->result->tls, s->tls, sizeof s->tls);
    s->task = NULL;
    t->session = NULL;
    return t;
}

static void drop_session(smtp_session *s)
{
    smtp_pool *p = s->pool;
    smtp_task *ahead = smtp_dialogue_hold_back(s);
    smtp_session_close(s);
    if (ahead)
        smtp_pool_return(p, ahead);
    smtp_pool_lost(p);
}

static void decide(smtp_session *s, smtp_task *t, smtp_stage stage, const smtp_reply *reply)
{
    if (t->has_decisive)
        return;
    t->has_decisive = true;
    smtp_result_keep(t->result, &t->result->reply, reply);
    smtp_classify_reply(stage, reply, preset_name(s), &t->result->fault);
    free(t->result->fault.detail);
    t->result->fault.detail = smtp_refusal_detail(s->pool->relay, stage, reply);
}

/* The stage that the dialogue stands at: whose reply is awaited. */
static smtp_stage stage_of(const smtp_session *s)
{
    const smtp_task *t = s->task;
    if (s->state == SMTP_SENDING)
        return SMTP_STAGE_BODY;
    if (s->state == SMTP_CANCEL || s->cursor > t->what.recipient_count)
        return SMTP_STAGE_DATA;
    return s->cursor == 0 ? SMTP_STAGE_MAIL : SMTP_STAGE_RCPT;
}

/* The session was not opened for this task, so that the relay may have ended it before; it was
 * closed, reset or 421; and nothing can have been delivered on it. */
static bool may_try_again(const smtp_session *s, const smtp_task *t, CURLcode code)
{
    return (t->result->reused || s->rested) &&
           (code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR) && !s->dot_sent &&
           !t->has_decisive && !t->second_try && !t->is_check && !s->pool->loop->stopping;
}

/* For a while, envelopes go ahead only on sessions that have served fewer transactions. */
static void learn(smtp_pool *p, unsigned most)
{
    p->ahead_most = most;
    p->ahead_until = clock_us() + AHEAD_LESSON_US;
}

/* A check's last step: MAIL, answered or not. */
static void add_mail_step(const smtp_session *s, smtp_task *t, bool ok, const smtp_reply *reply)
{
    smtp_step *step = smtp_result_step(t->result);

    if (!step)
        return;
    step->stage = SMTP_STAGE_MAIL;
    step->ok = ok;
    step->took_us = clock_us() - s->envelope_since;
    if (reply)
        (void)smtp_reply_copy(&step->reply, reply);
}

/* The session broke, or talks nonsense, or says 421: it is closed, and the task ended or tried
 * again. */
static void broken(smtp_session *s, CURLcode code, const smtp_reply *reply, const char *what)
{
    smtp_pool *p = s->pool;
    smtp_stage stage = s->task ? stage_of(s) : SMTP_STAGE_NONE;
    bool again = s->task && may_try_again(s, s->task, code);
    smtp_task *t = settle(s);
    bool unknown = s->dot_sent && !reply;

    if (s->promoted && s->cursor == 0 && code == CURLE_RECV_ERROR)
        learn(p, s->served - 1);
    if (t && again) {
        smtp_transcript_addf(&t->transcript, '*',
                             "the idle session had ended (%s): once more on a new one", what);
        drop_session(s);
        smtp_pool_again(p, t);
        return;
    }
    if (t) {
        smtp_fault *fault = &t->result->fault;
        if (reply) {
            decide(s, t, stage, reply);
        } else if (!t->has_decisive) {
            smtp_classify_curl(stage, code, NULL, preset_name(s), fault);
            if (asprintf(&fault->detail, "%s:%u at %s: %s.", p->relay->host, p->relay->port,
                         smtp_stage_name(stage), what) < 0)
                fault->detail = NULL;
        }
        t->result->outcome = unknown ? SMTP_UNKNOWN : SMTP_NOT_SENT;
        if (unknown) {
            fault->retryable = false;
            fault->hint = "The whole message had been sent: it may have been delivered, and is not "
                          "sent again.";
        }
        smtp_transcript_addf(&t->transcript, '*', "%s", what);
        if (t->is_check && stage == SMTP_STAGE_MAIL)
            add_mail_step(s, t, false, reply);
    }
    drop_session(s);
    if (t)
        smtp_task_end(t);
}

void smtp_dialogue_abort(smtp_session *s, CURLcode code, const char *what)
{
    broken(s, code, NULL, what);
}

/* ---- sending ---- */

__attribute__((format(printf, 2, 3))) static void log_command(smtp_task *t, const char *format, ...)
{
    buf text = BUF_INIT;
    va_list args;
    if (!t->what.transcript)
        return;
    va_start(args, format);
    buf_addv(&text, format, args);
    va_end(args);
    if (buf_ok(&text))
        smtp_transcript_add(&t->transcript, 'C', text.data, text.len);
    buf_free(&text);
}

/* In clear there is nothing of libcurl's between us and the socket, which stays the session's: the
 * handle is attached to the connection (take_over()), and libcurl closes none that is in use. */
static bool in_clear(const smtp_session *s)
{
    return s->pool->relay->tls == SMTP_TLS_NONE;
}

static CURLcode socket_failed(CURLcode code)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? CURLE_AGAIN : code;
}

static CURLcode send_some(const smtp_session *s, const char *data, size_t len, size_t *sent)
{
    if (!in_clear(s))
        return curl_easy_send(s->easy, data, len, sent);
    ssize_t n = send(s->fd, data, len, MSG_NOSIGNAL);
    if (n < 0)
        return socket_failed(CURLE_SEND_ERROR);
    *sent = (size_t)n;
    return CURLE_OK;
}

static CURLcode receive_some(const smtp_session *s, char *data, size_t cap, size_t *received)
{
    if (!in_clear(s))
        return curl_easy_recv(s->easy, data, cap, received);
    ssize_t n = recv(s->fd, data, cap, 0);
    if (n < 0)
        return socket_failed(CURLE_RECV_ERROR);
    *received = (size_t)n;
    return CURLE_OK;
}

bool smtp_dialogue_flush(smtp_session *s)
{
    while (s->out_at < s->out.len) {
        size_t n = 0;
        if (s->state == SMTP_SENDING && s->source_ended)
            s->dot_sent = true;
        CURLcode code = send_some(s, s->out.data + s->out_at, s->out.len - s->out_at, &n);
        if (code == CURLE_AGAIN)
            break;
        if (code != CURLE_OK)
            return false;
        s->out_at += n;
    }
    bool wants_out = s->out_at < s->out.len || (s->state == SMTP_SENDING && !s->source_ended);
    if (s->out_at == s->out.len) {
        s->out_at = 0;
        buf_clear(&s->out);
    }
    if (wants_out == s->wants_out)
        return true;
    s->wants_out = wants_out;
    return smtp_loop_watch(s);
}

/* What the last reply to the envelope is awaited for: DATA, or a check's MAIL. */
static size_t last_command(const smtp_task *t)
{
    return t->is_check ? 0 : t->what.recipient_count + 1;
}

static void add_mail(smtp_session *s, smtp_task *t)
{
    const smtp_transaction *w = &t->what;
    size_t start = s->out.len;
    buf_adds(&s->out, "MAIL FROM:<");
    buf_adds(&s->out, w->reverse_path);
    buf_addc(&s->out, '>');
    if (s->caps.size_offered && w->source.size) {
        buf_adds(&s->out, " SIZE=");
        buf_addu(&s->out, w->source.size);
    }
    if (w->source.eight_bit && s->caps.eight_bit)
        buf_adds(&s->out, " BODY=8BITMIME");
    if (w->utf8)
        buf_adds(&s->out, " SMTPUTF8");
    log_command(t, "%.*s", (int)(s->out.len - start), s->out.data ? s->out.data + start : "");
    buf_adds(&s->out, "\r\n");
}

static void add_command(smtp_session *s, smtp_task *t, size_t which)
{
    if (which == 0) {
        add_mail(s, t);
    } else if (which <= t->what.recipient_count) {
        const char *recipient = t->what.recipients[which - 1];
        buf_adds(&s->out, "RCPT TO:<");
        buf_adds(&s->out, recipient);
        buf_adds(&s->out, ">\r\n");
        log_command(t, "RCPT TO:<%s>", recipient);
    } else {
        buf_adds(&s->out, "DATA\r\n");
        log_command(t, "DATA");
    }
}

/* What of the transaction the relay does not offer to take; NONE: it takes all. */
static smtp_category misfit(const smtp_session *s, const smtp_transaction *w)
{
    if (w->utf8 && !s->caps.utf8)
        return SMTP_CATEGORY_RECIPIENT;
    if (w->source.eight_bit && !s->caps.eight_bit)
        return SMTP_CATEGORY_CONTENT;
    if (s->caps.size && w->source.size > s->caps.size)
        return SMTP_CATEGORY_SIZE;
    return SMTP_CATEGORY_NONE;
}

/* ---- the next transaction, ahead ---- */

/* Where transactions wait for a session, the next one's MAIL, RCPT and DATA go out in one write
 * with the end of the body before them (RFC 2920 section 3.1: the body is one command of a group),
 * so that a mail costs one round trip and one write. Until its body is begun it can be given to
 * another session without having been delivered; this one is then closed, since DATA can't be taken
 * back, and a lone dot would deliver an empty message. */

smtp_task *smtp_dialogue_hold_back(smtp_session *s)
{
    smtp_task *t = s->ahead;
    if (!t)
        return NULL;
    smtp_timer_stop(&s->pool->loop->timers, &s->timer);
    s->ahead = NULL;
    s->spoiled = true;
    t->session = NULL;
    smtp_transcript_addf(&t->transcript, '*', "held back: the session has not come to it");
    return t;
}

/* The relay takes its time for the message before: another session may be free sooner. */
static void on_stalled(smtp_timer *timer)
{
    smtp_session *s = (smtp_session *)(void *)((char *)timer - offsetof(smtp_session, timer));
    learn(s->pool, 0);
    smtp_pool_return(s->pool, smtp_dialogue_hold_back(s));
}

static bool may_go_ahead(const smtp_session *s)
{
    const smtp_pool *p = s->pool;
    unsigned limit = p->loop->session_transactions;
    return s->caps.pipelining && p->relay->ahead && !s->last && !s->spoiled &&
           (limit == 0 || s->served < limit) &&
           (s->served < p->ahead_most || clock_us() >= p->ahead_until);
}

static void go_ahead(smtp_session *s)
{
    smtp_task *t = smtp_pool_next(s->pool);
    if (!t || t->kept_back || misfit(s, &t->what) != SMTP_CATEGORY_NONE || !may_go_ahead(s))
        return;
    smtp_pool_take(s->pool, t);
    s->ahead = t;
    t->session = s;
    for (size_t i = 0; i <= last_command(t); i++)
        add_command(s, t, i);
    s->timer.fire = on_stalled;
    smtp_timer_set(&s->pool->loop->timers, &s->timer, clock_us() + AHEAD_US);
}

/* ---- the body ---- */

/* Puts more of the body into `out`, dot-stuffed, up to OUT_BYTES, and the final dot behind the last
 * of it. Most of a body goes out as it is, and is read to where it goes out from. */
static void fill(smtp_session *s)
{
    const smtp_source *source = &s->task->what.source;
    char changed[CHUNK];
    while (!s->source_ended && s->out.len < OUT_BYTES) {
        if (!buf_reserve(&s->out, SMTP_DOT_ROOM(CHUNK) + SMTP_DOT_END))
            return;
        char *to = s->out.data + s->out.len;
        size_t n = source->read(source->ctx, to, CHUNK);
        if (n == SMTP_SOURCE_FAILED) {
            s->source_failed = true;
            return;
        }
        size_t clean = smtp_dot_clean(&s->dot, to, n);
        s->out.len += clean;
        if (clean < n) {
            memcpy(changed, to + clean, n - clean);
            s->out.len += smtp_dot_copy(&s->dot, changed, n - clean, to + clean);
        }
        if (n == 0) {
            s->out.len += smtp_dot_end(&s->dot, to);
            s->source_ended = true;
            s->body_end = s->out.len;
            go_ahead(s);
        }
    }
}

static void send_body(smtp_session *s)
{
    size_t given = 0;
    do {
        if (s->out_at == 0 && !s->source_ended)
            fill(s);
        if (s->source_failed) {
            broken(s, CURLE_FILE_COULDNT_READ_FILE, NULL,
                   "the gateway can't read the message from its disk");
            return;
        }
        if (!buf_ok(&s->out)) {
            broken(s, CURLE_OUT_OF_MEMORY, NULL, "out of memory");
            return;
        }
        given += s->out.len - s->out_at;
        if (!smtp_dialogue_flush(s)) {
            send_failed(s);
            return;
        }
    } while (s->out.len == 0 && !s->source_ended && given < TURN_BYTES);
}

/* Adds the commands that may go now: all of them where the relay offers PIPELINING, else the next.
 */
static void add_commands(smtp_session *s)
{
    while (s->sent <= last_command(s->task) && (s->caps.pipelining || s->sent == s->cursor))
        add_command(s, s->task, s->sent++);
}

static bool put(smtp_session *s)
{
    if (!buf_ok(&s->out)) {
        broken(s, CURLE_OUT_OF_MEMORY, NULL, "out of memory");
        return false;
    }
    if (!smtp_dialogue_flush(s)) {
        send_failed(s);
        return false;
    }
    return true;
}

/* ---- what is refused before anything is said ---- */

static void refuse(smtp_task *t, smtp_cause cause, const char *hint, char *detail)
{
    t->result->fault = (smtp_fault){.category = smtp_causes[cause].category,
                                    .cause = cause,
                                    .stage = SMTP_STAGE_MAIL,
                                    .blame = SMTP_BLAME_MESSAGE,
                                    .hint = hint,
                                    .detail = detail};
}

static bool is_refused_here(const smtp_session *s, smtp_task *t)
{
    smtp_category category = misfit(s, &t->what);
    char *detail = NULL;
    switch (category) {
    case SMTP_CATEGORY_RECIPIENT:
        refuse(
            t, SMTP_CAUSE_RECIPIENT_REFUSED,
            "Use addresses whose part before the @ is ASCII, or a relay that offers SMTPUTF8.",
            strdup(
                "An address is beyond ASCII before the @, and the relay does not offer SMTPUTF8."));
        return true;
    case SMTP_CATEGORY_CONTENT:
        refuse(t, SMTP_CAUSE_MESSAGE_REFUSED, NULL,
               strdup("The message is 8-bit, and the relay does not offer 8BITMIME."));
        return true;
    case SMTP_CATEGORY_SIZE:
        if (asprintf(&detail,
                     "The message has %" PRIu64 " octets; the relay takes %" PRIu64 " at most.",
                     t->what.source.size, s->caps.size) < 0)
            detail = NULL;
        refuse(t, SMTP_CAUSE_SIZE, "Send a link instead of the attachment.", detail);
        return true;
    default: return false;
    }
}

/* ---- the dialogue ---- */

/* From now on the session serves the task; nothing is said yet. */
static void take_up(smtp_session *s, smtp_task *t)
{
    int64_t now = clock_us();
    s->task = t;
    t->session = s;
    if (!t->attended)
        t->attended = now;
    t->result->timing.queued = t->attended - t->submitted;
    t->result->reused = s->served > 0;
    s->state = SMTP_ENVELOPE;
    s->cursor = s->sent = s->accepted = 0;
    s->mail_refused = s->source_ended = s->source_failed = s->dot_sent = s->promoted = false;
    s->dot = (smtp_dot){0};
    s->envelope_since = now;
    s->body_since = 0;
}

/* The one that went ahead: its envelope was said, and the replies to it come next. */
static void promote(smtp_session *s)
{
    smtp_task *t = s->ahead;
    s->ahead = NULL;
    take_up(s, t);
    s->sent = last_command(t) + 1;
    s->promoted = true;
    s->served++;
}

static void rest(smtp_session *s)
{
    smtp_timer_stop(&s->pool->loop->timers, &s->timer);
    if (s->out.cap > KEEP_BYTES)
        buf_free(&s->out);
    if (s->ahead)
        promote(s);
    /* More than was asked for: its replies can't be told apart any more. */
    else if (s->spoiled || smtp_reply_pending(s->parser))
        drop_session(s);
    else
        smtp_pool_ready(s->pool, s);
}

static void on_reset_timeout(smtp_timer *timer)
{
    drop_session((smtp_session *)(void *)((char *)timer - offsetof(smtp_session, timer)));
}

/* After a refused transaction. The task has ended by then, or ends now. */
static void reset(smtp_session *s)
{
    smtp_task *t = settle(s);
    s->state = SMTP_RESET;
    s->timer.fire = on_reset_timeout;
    smtp_timer_set(&s->pool->loop->timers, &s->timer, clock_us() + RESET_US);
    buf_adds(&s->out, "RSET\r\n");
    bool ok = buf_ok(&s->out) && smtp_dialogue_flush(s);
    if (!ok)
        drop_session(s);
    if (t)
        smtp_task_end(t);
}

void smtp_dialogue_begin(smtp_session *s, smtp_task *t)
{
    take_up(s, t);
    if (s->served == 0) {
        int64_t from = s->begun > t->submitted ? s->begun : t->submitted;
        t->result->timing.session = s->ready > from ? s->ready - from : 0;
        if (t->what.transcript)
            smtp_transcript_append(&t->transcript, &s->opening);
        smtp_transcript_free(&s->opening);
    }
    if ((t->is_check && !t->what.reverse_path) || is_refused_here(s, t)) {
        s->envelope_since = 0;
        (void)settle(s);
        rest(s);
        smtp_task_end(t);
        return;
    }
    s->served++;
    add_commands(s);
    (void)put(s);
}

static void note_recipient(smtp_session *s, size_t i, const smtp_reply *reply)
{
    smtp_recipient_result *r = &s->task->result->recipients[i];
    smtp_result_keep(s->task->result, &r->reply, reply);
    r->accepted = r->reply.code / 100 == 2;
    if (r->accepted) {
        s->accepted++;
        return;
    }
    smtp_fault fault = {0};
    smtp_classify_reply(SMTP_STAGE_RCPT, &r->reply, preset_name(s), &fault);
    r->category = fault.category;
    r->cause = fault.cause;
    r->hint = fault.hint;
    r->retryable = fault.retryable;
}

/* Every recipient was refused: if one of them only for now, the whole is worth another try. */
static void decide_on_recipients(smtp_session *s, smtp_task *t)
{
    size_t which = 0;
    for (size_t i = t->result->recipient_count; i-- > 0;) {
        if (t->result->recipients[i].retryable)
            which = i;
    }
    if (!t->result->recipients[which].reply.code)
        return;
    decide(s, t, SMTP_STAGE_RCPT, &t->result->recipients[which].reply);
}

static void begin_body(smtp_session *s)
{
    s->state = SMTP_SENDING;
    s->body_since = clock_us();
    log_command(s->task, "(the message, %" PRIu64 " octets)", s->task->what.source.size);
    log_command(s->task, ".");
    send_body(s);
}

/* The last reply of the envelope: DATA's. */
static void on_data_reply(smtp_session *s, const smtp_reply *reply)
{
    smtp_task *t = s->task;
    bool go = reply->code == 354;
    if (!s->mail_refused && s->accepted == 0)
        decide_on_recipients(s, t);
    if (go && !t->has_decisive) {
        begin_body(s);
    } else if (go) { /* RFC 2920 section 3.1: it accepted DATA for nobody; nothing must be in it */
        s->state = SMTP_CANCEL;
        buf_adds(&s->out, ".\r\n");
        log_command(t, ".");
        (void)put(s);
    } else if (reply->code < 400) {
        broken(s, CURLE_WEIRD_SERVER_REPLY, NULL, "the reply to DATA makes no sense");
    } else {
        decide(s, t, SMTP_STAGE_DATA, reply);
        reset(s);
    }
}

static void end_check(smtp_session *s, const smtp_reply *reply)
{
    bool ok = reply->code / 100 == 2;

    add_mail_step(s, s->task, ok, reply);
    if (!ok)
        decide(s, s->task, SMTP_STAGE_MAIL, reply);
    reset(s);
}

/* 25y or a refusal: what MAIL and RCPT can be answered with. Anything else shows that the two sides
 * are not at the same place of the dialogue. */
static bool fits_command(const smtp_reply *reply)
{
    return reply->code / 10 == 25 || reply->code >= 400;
}

static void on_envelope_reply(smtp_session *s, const smtp_reply *reply)
{
    smtp_task *t = s->task;
    assert(t);
    size_t which = s->cursor, last = t->what.recipient_count + 1;
    if (which < last && !fits_command(reply)) {
        broken(s, CURLE_WEIRD_SERVER_REPLY, NULL,
               which == 0 ? "the reply to MAIL makes no sense"
                          : "the reply to RCPT makes no sense");
        return;
    }
    if (which == 0) {
        if (t->is_check) {
            end_check(s, reply);
            return;
        }
        if (reply->code >= 400) {
            s->mail_refused = true;
            decide(s, t, SMTP_STAGE_MAIL, reply);
        }
    } else if (which < last && !s->mail_refused) {
        note_recipient(s, which - 1, reply);
    }
    s->cursor++;
    if (which == last) {
        on_data_reply(s, reply);
        return;
    }
    if (s->caps.pipelining)
        return;
    if (s->mail_refused || (s->cursor == last && s->accepted == 0)) {
        if (!s->mail_refused)
            decide_on_recipients(s, t);
        reset(s);
        return;
    }
    add_commands(s);
    (void)put(s);
}

static void on_final_reply(smtp_session *s, const smtp_reply *reply)
{
    smtp_task *t = s->task;
    assert(t);
    bool whole = s->source_ended && (s->out.len == 0 || s->out_at >= s->body_end);
    if (reply->code / 100 == 2 && whole) {
        smtp_result *r = t->result;
        r->outcome = s->accepted == r->recipient_count ? SMTP_SENT : SMTP_PARTIAL;
        smtp_result_keep(r, &r->reply, reply);
        (void)settle(s);
        rest(s);
        smtp_task_end(t);
    } else if (reply->code >= 400) {
        decide(s, t, SMTP_STAGE_BODY, reply);
        (void)settle(s);
        /* A relay that refuses in the middle still waits for the rest: that session is done with.
         */
        if (whole)
            rest(s);
        else
            drop_session(s);
        smtp_task_end(t);
    } else {
        broken(s, CURLE_WEIRD_SERVER_REPLY, NULL, "the reply to the message makes no sense");
    }
}

static void on_reply(smtp_session *s, const smtp_reply *reply)
{
    if (s->task && s->task->what.transcript)
        smtp_transcript_reply(&s->task->transcript, reply);
    if (reply->code == 421 && s->state != SMTP_QUITTING) {
        broken(s, CURLE_RECV_ERROR, reply, "the relay said 421");
        return;
    }
    switch (s->state) { /* with a task: ENVELOPE, CANCEL and SENDING */
    case SMTP_ENVELOPE: on_envelope_reply(s, reply); break;
    case SMTP_CANCEL: reset(s); break;
    case SMTP_SENDING: on_final_reply(s, reply); break;
    case SMTP_RESET:
        if (reply->code / 100 == 2)
            rest(s);
        else
            drop_session(s);
        break;
    case SMTP_QUITTING: smtp_session_close(s); break;
    case SMTP_IDLE: /* nothing was asked */ drop_session(s); break;
    case SMTP_OPENING:
    case SMTP_DEAD: break;
    }
}

/* ---- events ---- */

static void gone(smtp_session *s, CURLcode code, const char *what)
{
    if (s->state == SMTP_QUITTING)
        smtp_session_close(s);
    else if (s->task)
        broken(s, code, NULL, what);
    else
        drop_session(s);
}

static void handle_replies(smtp_session *s)
{
    smtp_reply reply; /* its text is the parser's: nothing reads it once something was sent */
    smtp_reply_status status = SMTP_REPLY_MORE;
    while (s->state != SMTP_DEAD &&
           (status = smtp_reply_next(s->parser, &reply)) == SMTP_REPLY_DONE)
        on_reply(s, &reply);
    if (s->state == SMTP_DEAD)
        return;
    if (status == SMTP_REPLY_BAD)
        gone(s, CURLE_WEIRD_SERVER_REPLY, "what the relay says is not SMTP");
    else if (status == SMTP_REPLY_NOMEM)
        gone(s, CURLE_OUT_OF_MEMORY, "out of memory");
}

static void read_all(smtp_session *s)
{
    char data[CHUNK];
    while (s->state != SMTP_DEAD) {
        size_t n = 0;
        CURLcode code = receive_some(s, data, sizeof data, &n);
        if (code == CURLE_AGAIN)
            return;
        if (code != CURLE_OK || n == 0) {
            gone(s, CURLE_RECV_ERROR, "the relay closed the connection");
            return;
        }
        if (!smtp_reply_feed(s->parser, data, n)) {
            gone(s, CURLE_OUT_OF_MEMORY, "out of memory");
            return;
        }
        handle_replies(s);
        /* In clear, a short read says that there is no more; under TLS a record may wait decrypted.
         */
        if (n < sizeof data && in_clear(s))
            return;
    }
}

/* What the relay said before it closed counts more than that it did: a 552 in the middle of the
 * body, a 421. */
static void send_failed(smtp_session *s)
{
    read_all(s);
    if (s->state != SMTP_DEAD)
        gone(s, CURLE_SEND_ERROR, "the relay closed the connection");
}

void smtp_dialogue_event(smtp_session *s, bool readable, bool writable)
{
    if (readable)
        read_all(s);
    if (!writable || s->state == SMTP_DEAD)
        return;
    if (s->state == SMTP_SENDING)
        send_body(s);
    else if (!smtp_dialogue_flush(s))
        send_failed(s);
}
