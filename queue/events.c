#include "queue/events.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <openssl/crypto.h>

#include "base/buf.h"
#include "base/clock.h"
#include "queue/address_guard.h"
#include "queue/sign.h"

#define MS           ((int64_t)1000)
#define SECOND       (1000 * MS)
#define MINUTE       (60 * SECOND)
#define HOUR         (60 * MINUTE)
#define RETRY_AFTER  (24 * HOUR) /* at most */
#define LEASE_MORE   MINUTE
#define CONNECT_MOST (10 * SECOND)
#define SETTLE_AGAIN SECOND          /* where the queue could not */
#define ANSWER_MOST  ((size_t)65536) /* octets of a head, and of a body */
#define STATUS_GONE  410
#define CLAIM_PAUSE  (100 * MS) /* after one that gave all there was: clocks may differ */
#define NEVER        INT64_MAX
#define USER_AGENT   "postern/" POSTERN_VERSION
#define QUICK_EXIT   0x075700 /* libcurl that has it */
#define NO_MEMORY    "there is not enough memory for webhooks"

static const events_pace standard_pace = {
    .retry_us = {5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR,
                 20 * HOUR, 24 * HOUR},
    .pause_first_us = SECOND,
    .pause_most_us = MINUTE,
    .poll_us = 5 * SECOND,
};

/* ---- what comes back from the queue ----
 * An operation is on the heap with all that it borrows, and outlives a queue that is slow to end
 * it: whoever is last gives it back. */

typedef struct inbox inbox;
typedef struct try try;

typedef struct call {
    queue_op op; /* the first member */
    inbox *in;
    try *of; /* NULL: a claim */
    struct call *next;
    char owner[QUEUE_OWNER + 1];
} call;

struct inbox {
    pthread_mutex_t lock;
    unsigned users;     /* calls under way, and events */
    CURLM *multi;       /* NULL: nobody is there any more */
    call *first, **end; /* calls that are done */
    bool wake, stop;
    int64_t stop_at;
};

static inbox *inbox_new(CURLM *multi)
{
    inbox *in = calloc(1, sizeof *in);
    if (!in)
        return NULL;
    (void)pthread_mutex_init(&in->lock, NULL); /* can't fail on Linux */
    in->users = 1;
    in->multi = multi;
    in->end = &in->first;
    return in;
}

static void inbox_leave(inbox *in) /* unlocks it */
{
    bool last = --in->users == 0;
    (void)pthread_mutex_unlock(&in->lock);
    if (!last)
        return;
    (void)pthread_mutex_destroy(&in->lock);
    free(in);
}

static void call_free(call *c)
{
    queue_op_clear(&c->op);
    free(c);
}

static void call_done(queue_op *op)
{
    call *c = (call *)op;
    inbox *in = c->in;
    (void)pthread_mutex_lock(&in->lock);
    if (in->multi) {
        c->next = NULL;
        *in->end = c;
        in->end = &c->next;
        (void)curl_multi_wakeup(in->multi);
    } else {
        call_free(c);
    }
    inbox_leave(in);
}

static call *inbox_take(inbox *in)
{
    call *first = in->first;
    in->first = NULL;
    in->end = &in->first;
    return first;
}

static void inbox_close(inbox *in)
{
    (void)pthread_mutex_lock(&in->lock);
    in->multi = NULL;
    call *next, *c = inbox_take(in);
    for (; c; c = next) {
        next = c->next;
        call_free(c);
    }
    inbox_leave(in);
}

static void inbox_tell(inbox *in, bool stop, int64_t stop_at)
{
    (void)pthread_mutex_lock(&in->lock);
    in->wake = true;
    if (stop) {
        in->stop = true;
        in->stop_at = stop_at;
    }
    (void)curl_multi_wakeup(in->multi);
    (void)pthread_mutex_unlock(&in->lock);
}

/* ---- a try, and all of them ---- */

typedef enum try_state {
    FREE,
    CLAIMED,   /* not begun */
    UNDER_WAY, /* in the multi */
    TRIED,     /* to be settled, at settle_at */
    SETTLING   /* in the queue */
} try_state;

struct
try {
    events *of;
    try_state state;
    queue_event event;
    int64_t lease_end; /* by clock_us() */
    bool probes;       /* begun while the receiver failed */

    CURL *easy; /* kept for the next one, with its settings */
    struct curl_slist *headers;
    char error[CURL_ERROR_SIZE];
    char refused[200];   /* why an address was; "" : none was */
    size_t head, body;   /* octets that came */
    bool answered;       /* the head is whole */
    int64_t retry_after; /* as it says; 0: it says nothing */

    bool drop; /* how it ended */
    int64_t next_at, settle_at;
};

struct events {
    events_options o;
    const events_pace *pace;
    bool cleartext; /* http:// */
    sign_secret *secrets;
    size_t secret_count;
    CURLM *multi;
    inbox *in;
    pthread_t thread;
    bool running;

    /* the thread's own: */
    try *tries;
    uint64_t random;
    bool stopping, claiming, failing;
    int64_t stop_at, claim_at;   /* by clock_us(), as pause_end */
    int64_t pause_us, pause_end; /* while it fails */
};

static int64_t now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * SECOND + t.tv_nsec / 1000;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* A tenth more or less (xorshift64: nobody needs to be unable to guess it). */
static int64_t jitter(events *e, int64_t us)
{
    int64_t tenth = us / 10;
    e->random ^= e->random << 13;
    e->random ^= e->random >> 7;
    e->random ^= e->random << 17;
    return us - tenth + (int64_t)(e->random % (uint64_t)(2 * tenth + 1));
}

static size_t count_in(const events *e, try_state s)
{
    size_t n = 0;
    for (unsigned i = 0; i < e->o.most; i++)
        n += e->tries[i].state == s;
    return n;
}

static void let_go(try *t)
{
    free(t->event.payload);
    t->event = (queue_event){0};
    t->state = FREE;
}

/* ---- settling ---- */

static call *call_new(events *e, queue_kind kind, try *of)
{
    call *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->op.kind = kind;
    c->op.done = call_done;
    c->in = e->in;
    c->of = of;
    (void)snprintf(c->owner, sizeof c->owner, "%s", e->o.owner);
    c->op.in.event.owner = c->owner;
    return c;
}

static bool submit(events *e, call *c)
{
    (void)pthread_mutex_lock(&e->in->lock);
    e->in->users++;
    (void)pthread_mutex_unlock(&e->in->lock);
    if (queue_submit(e->o.queue, &c->op))
        return true;
    (void)pthread_mutex_lock(&e->in->lock);
    inbox_leave(e->in);
    call_free(c);
    return false;
}

static void settle(try *t)
{
    events *e = t->of;
    call *c = call_new(e, QUEUE_EVENT_SETTLE, t);
    if (c) {
        memcpy(c->op.id, t->event.id, sizeof c->op.id);
        c->op.in.event.drop = t->drop;
        c->op.in.event.next_at = t->next_at;
    }
    if (c && submit(e, c)) {
        t->state = SETTLING;
    } else {
        t->state = TRIED;
        t->settle_at = clock_us() + SETTLE_AGAIN;
    }
}

static void settled(try *t, const queue_op *op)
{
    if (op->outcome == QUEUE_FAILED) {
        t->state = TRIED;
        t->settle_at = clock_us() + jitter(t->of, SETTLE_AGAIN);
        return;
    }
    if (!t->drop) /* later than what the last claim saw, maybe, or sooner */
        t->of->claim_at = least(t->of->claim_at, clock_us() + most_of(t->next_at - now_us(), 0));
    let_go(t);
}

static void settle_due(events *e, int64_t now)
{
    for (unsigned i = 0; i < e->o.most; i++) {
        try *t = &e->tries[i];
        if (t->state != TRIED || t->settle_at > now)
            continue;
        if (now < t->lease_end)
            settle(t);
        else
            let_go(t);
    }
}

/* ---- the end of a try ---- */

typedef struct verdict {
    events_result result;
    long status;
    int64_t retry_after; /* 0: it said nothing */
    char why[CURL_ERROR_SIZE + 200];
} verdict;

/* What libcurl says of names, connections and certificates is worth reading; what it says of the
 * rest may hold what was sent or received. */
static const char *detail(const try *t, CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE: return t->error[0] ? t->error : curl_easy_strerror(code);
    default: return curl_easy_strerror(code);
    }
}

static void explain(const try *t, CURLcode code, verdict *v)
{
    size_t size = sizeof v->why;
    if (v->status == STATUS_GONE)
        (void)snprintf(v->why, size, "the receiver answered 410: it wants no more");
    else if (v->status)
        (void)snprintf(v->why, size, "the receiver answered %ld%s", v->status,
                       v->status / 100 == 3 ? ", a redirect, and these are not followed" : "");
    else if (t->refused[0])
        (void)snprintf(v->why, size, "%s", t->refused);
    else if (t->head > ANSWER_MOST)
        (void)snprintf(v->why, size, "the head of the receiver's answer is too long");
    else if (code == CURLE_OPERATION_TIMEDOUT)
        (void)snprintf(v->why, size, "the receiver did not answer in time");
    else
        (void)snprintf(v->why, size, "the receiver can't be asked: %s", detail(t, code));
}

static void judge(const try *t, CURLcode code, verdict *v)
{
    *v = (verdict){.result = EVENTS_DEFERRED};
    if (t->answered) {
        (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &v->status);
        v->retry_after = t->retry_after;
    }
    if (v->status / 100 == 2)
        v->result = EVENTS_DELIVERED;
    else if (v->status == STATUS_GONE || t->event.attempts >= EVENTS_RETRIES)
        v->result = EVENTS_GIVEN_UP;
    if (v->result != EVENTS_DELIVERED)
        explain(t, code, v);
}

/* What this says of the receiver. Of those that were under way when it began to fail, none makes
 * the pause longer. */
static void note(events *e, const try *t, const verdict *v)
{
    if (v->result == EVENTS_DELIVERED || v->status == STATUS_GONE) {
        e->failing = false;
        return;
    }
    if (!e->failing)
        e->pause_us = e->pace->pause_first_us;
    else if (t->probes)
        e->pause_us = least(e->pause_us * 2, e->pace->pause_most_us);
    int64_t pause = most_of(e->pause_us, least(v->retry_after, e->pace->pause_most_us));
    int64_t end = clock_us() + jitter(e, pause);
    e->pause_end = e->failing ? most_of(e->pause_end, end) : end;
    e->failing = true;
}

static void tell(const events *e, const try *t, const verdict *v)
{
    if (!e->o.told)
        return;
    const events_told told = {
        .id = t->event.id,
        .result = v->result,
        .attempt = t->event.attempts + 1,
        .status = v->status,
        .why = v->result == EVENTS_DELIVERED ? NULL : v->why,
        .next_at = v->result == EVENTS_DEFERRED ? t->next_at : 0,
    };
    e->o.told(e->o.ctx, &told);
}

static void conclude(try *t, const verdict *v)
{
    events *e = t->of;
    t->drop = v->result != EVENTS_DEFERRED;
    if (!t->drop) {
        int64_t wait = jitter(e, e->pace->retry_us[t->event.attempts]);
        t->next_at = now_us() + most_of(wait, v->retry_after);
    }
    note(e, t, v);
    tell(e, t, v);
    settle(t);
}

static void leave_multi(try *t)
{
    (void)curl_multi_remove_handle(t->of->multi, t->easy);
    (void)curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, NULL);
    (void)curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, NULL);
    curl_slist_free_all(t->headers);
    t->headers = NULL;
}

static void finish(try *t, CURLcode code)
{
    verdict v;
    judge(t, code, &v);
    leave_multi(t);
    conclude(t, &v);
}

/* ---- the request ---- */

static void refuse(try *t, const struct sockaddr *address, const char *fault)
{
    char text[INET6_ADDRSTRLEN] = "";
    if (address->sa_family == AF_INET)
        (void)inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, text,
                        sizeof text);
    else if (address->sa_family == AF_INET6)
        (void)inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, text,
                        sizeof text);
    if (fault)
        (void)snprintf(t->refused, sizeof t->refused,
                       "the receiver is at %s, %s, and only public ones are allowed", text, fault);
    else
        (void)snprintf(t->refused, sizeof t->refused,
                       "the receiver is at %s, a public address, and http:// is for private ones",
                       text);
}

static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    try *t = ctx;
    const events *e = t->of;
    const char *fault = address_guard_fault(&address->addr, address->addrlen);
    (void)purpose;
    if (fault ? !e->o.allow_private : e->cleartext) {
        refuse(t, &address->addr, fault);
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* Retry-After (RFC 9110 section 10.2.3), if the line is one: seconds, or a date. libcurl knows it
 * too, and has a limit of its own. */
static void take_retry_after(try *t, const char *line, size_t n)
{
    static const char name[] = "retry-after:";
    char value[64];
    if (n < strlen(name) || strncasecmp(line, name, strlen(name)) != 0)
        return;
    line += strlen(name);
    n -= strlen(name);
    while (n > 0 && (*line == ' ' || *line == '\t'))
        line++, n--;
    (void)snprintf(value, sizeof value, "%.*s", (int)(n < sizeof value ? n : sizeof value), line);
    size_t digits = strspn(value, "0123456789");
    time_t date = digits > 0 ? -1 : curl_getdate(value, NULL);
    int64_t seconds = date >= 0 ? (int64_t)date - now_us() / SECOND : 0;
    for (size_t i = 0; i < digits && seconds < RETRY_AFTER / SECOND; i++)
        seconds = seconds * 10 + (value[i] - '0');
    t->retry_after = least(most_of(seconds, 0), RETRY_AFTER / SECOND) * SECOND;
}

/* An end that comes with less taken than was given breaks the transfer off. */
static size_t take_head(char *data, size_t size, size_t n, void *ctx)
{
    try *t = ctx;
    long status = 0;
    (void)size; /* 1 */
    t->head += n;
    take_retry_after(t, data, n);
    if (n > 0 && (data[0] == '\r' || data[0] == '\n')) {
        (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
        t->answered = status >= 200; /* else another head follows */
    }
    return t->head <= ANSWER_MOST ? n : 0;
}

static size_t take_body(char *data, size_t size, size_t n, void *ctx)
{
    try *t = ctx;
    (void)data, (void)size;
    t->body += n;
    return t->body <= ANSWER_MOST ? n : 0;
}

#define SET(option, value) (curl_easy_setopt(easy, option, value) == CURLE_OK)

static bool set_tls(CURL *easy, const events *e)
{
    return SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) &&
           SET(CURLOPT_SSL_VERIFYPEER, 1L) && SET(CURLOPT_SSL_VERIFYHOST, 2L) &&
           (!e->o.ca || (SET(CURLOPT_CAINFO, e->o.ca) && SET(CURLOPT_CAPATH, NULL)));
}

/* A resolver that hangs must not hold up the others, nor the end. */
static bool set_quick_exit(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= QUICK_EXIT
    return SET(CURLOPT_QUICK_EXIT, 1L);
#else
    (void)easy;
    return true;
#endif
}

static bool set_limits(CURL *easy, const events *e)
{
    int64_t connect = least(e->o.timeout_us, CONNECT_MOST);
    return SET(CURLOPT_NOSIGNAL, 1L) && SET(CURLOPT_TIMEOUT_MS, (long)(e->o.timeout_us / MS)) &&
           SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(connect / MS)) && set_quick_exit(easy) &&
           SET(CURLOPT_FOLLOWLOCATION, 0L) && SET(CURLOPT_PROXY, "") &&
           SET(CURLOPT_PROTOCOLS_STR, e->cleartext ? "http" : "https");
}

static bool set_up(try *t)
{
    CURL *easy = t->easy;
    const events *e = t->of;
    return set_tls(easy, e) && set_limits(easy, e) && SET(CURLOPT_URL, e->o.url) &&
           SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) && SET(CURLOPT_POST, 1L) &&
           SET(CURLOPT_USERAGENT, USER_AGENT) && SET(CURLOPT_ERRORBUFFER, t->error) &&
           SET(CURLOPT_PRIVATE, t) && SET(CURLOPT_OPENSOCKETFUNCTION, open_socket) &&
           SET(CURLOPT_OPENSOCKETDATA, t) && SET(CURLOPT_HEADERFUNCTION, take_head) &&
           SET(CURLOPT_HEADERDATA, t) && SET(CURLOPT_WRITEFUNCTION, take_body) &&
           SET(CURLOPT_WRITEDATA, t);
}

static bool add_header(struct curl_slist **list, const char *text)
{
    struct curl_slist *longer = curl_slist_append(*list, text);
    if (longer)
        *list = longer;
    return longer != NULL;
}

static bool add_signatures(const try *t, int64_t timestamp, struct curl_slist **list)
{
    const events *e = t->of;
    const char *payload = t->event.payload;
    char signature[SIGN_LENGTH + 1];
    buf line = BUF_INIT;
    bool ok = true;
    buf_adds(&line, "webhook-signature:");
    for (size_t i = 0; ok && i < e->secret_count; i++) {
        ok = sign_make(&e->secrets[i], t->event.id, timestamp, payload, strlen(payload), signature);
        buf_addc(&line, ' ');
        buf_add(&line, signature, ok ? SIGN_LENGTH : 0);
    }
    const char *text = buf_cstr(&line);
    ok = ok && text && add_header(list, text);
    buf_free(&line);
    return ok;
}

static struct curl_slist *headers_of(const try *t)
{
    struct curl_slist *list = NULL;
    int64_t timestamp = now_us() / SECOND;
    char id[sizeof "webhook-id: " + QUEUE_ID], time[64];
    (void)snprintf(id, sizeof id, "webhook-id: %s", t->event.id);
    (void)snprintf(time, sizeof time, "webhook-timestamp: %lld", (long long)timestamp);
    if (add_header(&list, "Content-Type: application/json") && add_header(&list, "Expect:") &&
        add_header(&list, id) && add_header(&list, time) && add_signatures(t, timestamp, &list))
        return list;
    curl_slist_free_all(list);
    return NULL;
}

static bool set_event(try *t)
{
    CURL *easy = t->easy;
    t->headers = headers_of(t);
    return t->headers && SET(CURLOPT_HTTPHEADER, t->headers) &&
           SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(t->event.payload)) &&
           SET(CURLOPT_POSTFIELDS, t->event.payload);
}

static bool has_handle(try *t)
{
    if (!t->easy && (t->easy = curl_easy_init()) && !set_up(t)) {
        curl_easy_cleanup(t->easy);
        t->easy = NULL;
    }
    return t->easy != NULL;
}

static void begin(try *t)
{
    t->error[0] = t->refused[0] = '\0';
    t->head = t->body = 0;
    t->answered = false;
    t->retry_after = 0;
    t->probes = t->of->failing;
    if (has_handle(t) && set_event(t) && curl_multi_add_handle(t->of->multi, t->easy) == CURLM_OK) {
        t->state = UNDER_WAY;
        return;
    }
    verdict v = {.result = t->event.attempts < EVENTS_RETRIES ? EVENTS_DEFERRED : EVENTS_GIVEN_UP};
    (void)snprintf(v.why, sizeof v.why, "there was not enough memory to ask the receiver");
    curl_slist_free_all(t->headers);
    t->headers = NULL;
    conclude(t, &v);
}

/* ---- claiming, and beginning ---- */

static try *free_try(events *e)
{
    for (unsigned i = 0; i < e->o.most; i++) {
        if (e->tries[i].state == FREE)
            return &e->tries[i];
    }
    return NULL;
}

/* The events are moved into tries: there is room, as nothing else fills it. */
static void claimed(events *e, queue_op *op)
{
    int64_t now = clock_us(), wait = jitter(e, e->pace->poll_us);
    int64_t leased_at = op->submitted_at;
    e->claiming = false;
    if (op->outcome == QUEUE_OK && op->next_due != INT64_MAX)
        wait = least(wait, most_of(op->next_due - now_us(), 0));
    if (op->event_count < op->in.event.most)
        wait = most_of(wait, CLAIM_PAUSE);
    e->claim_at = least(e->claim_at, now + wait);
    for (size_t i = 0; i < op->event_count; i++) {
        try *t = free_try(e);
        if (!t || !op->events[i].payload)
            continue;
        t->event = op->events[i];
        op->events[i].payload = NULL;
        t->lease_end = leased_at + e->o.timeout_us + LEASE_MORE;
        t->state = CLAIMED;
    }
}

/* How many could be begun now. */
static size_t room(const events *e, int64_t now)
{
    if (!e->failing)
        return count_in(e, FREE);
    return now >= e->pause_end && count_in(e, FREE) == e->o.most ? 1 : 0;
}

static void claim(events *e, int64_t now)
{
    size_t most = room(e, now);
    if (e->stopping || e->claiming || most == 0 || now < e->claim_at)
        return;
    call *c = call_new(e, QUEUE_EVENT_CLAIM, NULL);
    if (c) {
        c->op.in.event.most = most;
        c->op.in.event.lease_us = e->o.timeout_us + LEASE_MORE;
    }
    e->claiming = c && submit(e, c);
    e->claim_at = e->claiming ? NEVER : now + SETTLE_AGAIN;
}

static bool may_begin(const events *e, int64_t now)
{
    if (e->stopping)
        return false;
    return !e->failing || (now >= e->pause_end && count_in(e, UNDER_WAY) == 0);
}

/* The first of the table is not the oldest; none is much older than another. */
static void begin_claimed(events *e, int64_t now)
{
    for (unsigned i = 0; i < e->o.most; i++) {
        try *t = &e->tries[i];
        if (t->state != CLAIMED)
            continue;
        if (now + e->o.timeout_us > t->lease_end)
            let_go(t);
        else if (may_begin(e, now))
            begin(t);
    }
}

/* ---- the thread ---- */

static bool hear(events *e, int64_t now)
{
    inbox *in = e->in;
    (void)pthread_mutex_lock(&in->lock);
    call *next, *c = inbox_take(in);
    if (in->wake)
        e->claim_at = now;
    in->wake = false;
    e->stopping = in->stop;
    e->stop_at = in->stop_at;
    (void)pthread_mutex_unlock(&in->lock);
    for (; c; c = next) {
        next = c->next;
        if (c->of)
            settled(c->of, &c->op);
        else
            claimed(e, &c->op);
        call_free(c);
    }
    return !e->stopping || now < e->stop_at;
}

static void receive(events *e)
{
    int running, left;
    CURLMsg *m;
    (void)curl_multi_perform(e->multi, &running);
    while ((m = curl_multi_info_read(e->multi, &left))) {
        try *t = NULL;
        CURLcode code = m->data.result;
        if (m->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        finish(t, code); /* m is gone with it */
    }
}

static bool has_ended(const events *e)
{
    return e->stopping && count_in(e, UNDER_WAY) + count_in(e, TRIED) + count_in(e, SETTLING) == 0;
}

/* When the next may be begun or claimed; NEVER: not before something else happens. */
static int64_t go_on_at(const events *e)
{
    int64_t after_pause = e->failing ? e->pause_end : 0;
    size_t unused = count_in(e, FREE);
    if (e->stopping || (e->failing && count_in(e, UNDER_WAY) > 0))
        return NEVER;
    if (count_in(e, CLAIMED) > 0)
        return after_pause;
    bool has_room = e->failing ? unused == e->o.most : unused > 0;
    return has_room && !e->claiming ? most_of(after_pause, e->claim_at) : NEVER;
}

/* When something is to be done that no socket and no call tells of. */
static int64_t next_at(const events *e)
{
    int64_t at = go_on_at(e);
    for (unsigned i = 0; i < e->o.most; i++) {
        const try *t = &e->tries[i];
        if (t->state == TRIED)
            at = least(at, t->settle_at);
        else if (t->state == CLAIMED && !e->stopping)
            at = least(at, t->lease_end - e->o.timeout_us);
    }
    return e->stopping ? least(at, e->stop_at) : at;
}

static void pause_until(events *e, int64_t at)
{
    int64_t wait = at == NEVER ? MINUTE : least(at - clock_us(), MINUTE);
    int ms = wait <= 0 ? 0 : (int)((wait + MS - 1) / MS);
    (void)curl_multi_poll(e->multi, NULL, 0, ms, NULL);
}

static void *work(void *arg)
{
    events *e = arg;
    while (hear(e, clock_us()) && !has_ended(e)) {
        int64_t now = clock_us();
        settle_due(e, now);
        begin_claimed(e, now);
        claim(e, now);
        receive(e);
        if (!has_ended(e))
            pause_until(e, next_at(e));
    }
    for (unsigned i = 0; i < e->o.most; i++) {
        if (e->tries[i].state == UNDER_WAY)
            leave_multi(&e->tries[i]);
    }
    return NULL;
}

/* ---- creating, stopping ---- */

static bool read_secrets(events *e, const char **fault)
{
    size_t n = 0;
    while (e->o.secrets[n])
        n++;
    *fault = n > 0 && n <= SIGN_MOST ? NULL : "one secret is needed, and 16 at most are taken";
    if (*fault || !(e->secrets = calloc(n, sizeof *e->secrets)))
        return false;
    for (; e->secret_count < n; e->secret_count++) {
        *fault = sign_secret_parse(e->o.secrets[e->secret_count], &e->secrets[e->secret_count]);
        if (*fault)
            return false;
    }
    return true;
}

static bool make_tries(events *e)
{
    e->tries = calloc(e->o.most, sizeof *e->tries);
    for (unsigned i = 0; e->tries && i < e->o.most; i++)
        e->tries[i].of = e;
    return e->tries != NULL;
}

static bool make_multi(events *e)
{
    e->multi = curl_multi_init();
    e->in = e->multi ? inbox_new(e->multi) : NULL;
    return e->in && curl_multi_setopt(e->multi, CURLMOPT_MAXCONNECTS, (long)e->o.most) == CURLM_OK;
}

static bool start(events *e, const char **fault)
{
    const char *scheme_end = strstr(e->o.url, "://");
    e->cleartext = scheme_end && scheme_end - e->o.url == 4;
    if (!read_secrets(e, fault) || !make_tries(e) || !make_multi(e))
        return false;
    if (getrandom(&e->random, sizeof e->random, GRND_NONBLOCK) != sizeof e->random)
        e->random = (uint64_t)now_us();
    e->random |= 1; /* xorshift stays at zero */
    e->running = pthread_create(&e->thread, NULL, work, e) == 0;
    if (!e->running)
        *fault = "the system has no thread for webhooks";
    return e->running;
}

events *events_create(const events_options *options, char **error)
{
    const char *fault = events_url_fault(options->url, options->allow_private);
    events *e = fault ? NULL : calloc(1, sizeof *e);
    *error = NULL;
    if (e) {
        e->o = *options;
        e->o.most = options->most ? options->most : 1;
        e->o.timeout_us = most_of(options->timeout_us, MS);
        e->pace = options->pace ? options->pace : &standard_pace;
        if (start(e, &fault))
            return e;
        events_free(e);
    }
    *error = strdup(fault ? fault : NO_MEMORY);
    return NULL;
}

void events_wake(events *e)
{
    inbox_tell(e->in, false, 0);
}

void events_stop(events *e, int64_t limit_us)
{
    if (!e->in || !e->running)
        return;
    inbox_tell(e->in, true, clock_us() + limit_us);
    (void)pthread_join(e->thread, NULL);
    e->running = false;
}

void events_free(events *e)
{
    if (!e)
        return;
    events_stop(e, 0);
    if (e->in)
        inbox_close(e->in);
    for (unsigned i = 0; e->tries && i < e->o.most; i++) {
        let_go(&e->tries[i]);
        curl_slist_free_all(e->tries[i].headers);
        curl_easy_cleanup(e->tries[i].easy);
    }
    free(e->tries);
    (void)curl_multi_cleanup(e->multi);
    for (size_t i = 0; i < e->secret_count; i++)
        sign_secret_wipe(&e->secrets[i]);
    free(e->secrets);
    free(e);
}
