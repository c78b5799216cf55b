#include "service/metrics.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "queue/events.h"
#include "service/features.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

typedef atomic_uint_fast64_t counter;

/* Statuses that have a series of their own; any other is counted as "other". */
static const unsigned STATUSES[] = {200, 201, 202, 204, 207, 400, 401, 403, 404, 405, 408, 409, 411,
                                    413, 414, 415, 422, 429, 431, 500, 501, 502, 503, 504, 505};

/* Upper bounds of the histograms' buckets. */
static const struct {
    int64_t us;
    const char *label; /* seconds */
} BUCKETS[] = {
    {1000, "0.001"},  {2500, "0.0025"}, {5000, "0.005"},  {10000, "0.01"},  {25000, "0.025"},
    {50000, "0.05"},  {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"},  {1000000, "1"},
    {2500000, "2.5"}, {5000000, "5"},   {10000000, "10"}, {30000000, "30"}, {60000000, "60"},
};

typedef struct histogram {
    counter buckets[COUNT(BUCKETS) + 1]; /* each by itself; the last is +Inf's own */
    counter sum_us;
} histogram;

typedef struct route_metrics {
    counter statuses[COUNT(STATUSES) + 1];
    histogram took;
} route_metrics;

#define CODE_FIRST 200
#define CODE_LAST  599
#define CODES      (CODE_LAST - CODE_FIRST + 2) /* the one before the first is code 0 */

/* The counters of one relay's transactions in one category, made when the first is counted: few of
 * the pairs are ever met. */
typedef struct code_counters {
    counter codes[CODES];
} code_counters;

enum { STAGE_QUEUED, STAGE_SESSION, STAGE_ENVELOPE, STAGE_BODY, STAGES };
static const char *const STAGE_NAMES[STAGES] = {"queued", "session", "envelope", "body"};

typedef struct relay_metrics {
    _Atomic(code_counters *) categories[SMTP_CATEGORY_COUNT];
    histogram stages[STAGES];
    counter refusals[SMTP_CAUSE_COUNT];
    counter accepted, rejected;
    counter message_bytes;
    counter attempts[METRICS_ATTEMPT_RESULTS];
} relay_metrics;

struct metrics {
    const char *const *route_names;
    size_t route_count;
    const smtp_relay *const *relay_list;
    size_t relay_count;
    route_metrics *routes;
    relay_metrics *relays;
    counter events[EVENTS_RESULTS];
    const char *const *hook_names;
    size_t hook_count;
    counter *hooks;     /* METRICS_HOOK_RESULTS of each */
    counter reloads[2]; /* of templates: failed, loaded */
    atomic_int_fast64_t requests_in_flight;
    atomic_int_fast64_t transactions_in_flight;
    int64_t started_ms; /* since 1970 */
};

static void add(counter *c, uint64_t n)
{
    atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

static uint64_t get(const counter *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

metrics *metrics_create(const char *const *routes, size_t route_count,
                        const smtp_relay *const *relays, size_t relay_count)
{
    metrics *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->route_names = routes;
    m->route_count = route_count;
    m->relay_list = relays;
    m->relay_count = relay_count;
    m->routes = calloc(route_count + 1, sizeof *m->routes);
    m->relays = calloc(relay_count + 1, sizeof *m->relays); /* + 1: no relay is no failure */
    m->started_ms = clock_wall_us() / 1000;
    if (!m->routes || !m->relays) {
        metrics_free(m);
        return NULL;
    }
    return m;
}

void metrics_free(metrics *m)
{
    if (!m)
        return;
    for (size_t i = 0; m->relays && i < m->relay_count; i++)
        for (size_t c = 0; c < SMTP_CATEGORY_COUNT; c++)
            free(atomic_load(&m->relays[i].categories[c]));
    free(m->relays);
    free(m->routes);
    free(m->hooks);
    free(m);
}

/* --- recording ---------------------------------------------------------------------------------
 */

static void observe(histogram *h, int64_t us)
{
    size_t i = 0;

    if (us < 0)
        us = 0;
    while (i < COUNT(BUCKETS) && us > BUCKETS[i].us)
        i++;
    add(&h->buckets[i], 1);
    add(&h->sum_us, (uint64_t)us);
}

void metrics_request(metrics *m, size_t route, unsigned status, int64_t took_us)
{
    size_t i = 0;

    if (route >= m->route_count)
        return;
    while (i < COUNT(STATUSES) && STATUSES[i] != status)
        i++;
    add(&m->routes[route].statuses[i], 1);
    observe(&m->routes[route].took, took_us);
}

static size_t code_index(int code)
{
    return code < CODE_FIRST || code > CODE_LAST ? 0 : (size_t)(code - CODE_FIRST + 1);
}

/* The counters of that category; NULL if they would have to be made and there is no memory. */
static code_counters *codes_of(relay_metrics *r, smtp_category category)
{
    code_counters *there = atomic_load_explicit(&r->categories[category], memory_order_acquire);
    if (there)
        return there;
    code_counters *fresh = calloc(1, sizeof *fresh);
    if (!fresh)
        return NULL;
    if (atomic_compare_exchange_strong_explicit(&r->categories[category], &there, fresh,
                                                memory_order_acq_rel, memory_order_acquire))
        return fresh;
    free(fresh); /* another thread was first */
    return there;
}

/* Accepted is who got the message; rejected is whom the relay refused. Who got nothing for another
 * reason is neither: that is told by the transaction's category. */
static void count_recipients(relay_metrics *r, const smtp_result *result)
{
    bool sent = result->outcome == SMTP_SENT || result->outcome == SMTP_PARTIAL;
    uint64_t accepted = 0;
    uint64_t rejected = 0;

    for (size_t i = 0; result->recipients && i < result->recipient_count; i++) {
        const smtp_recipient_result *one = &result->recipients[i];
        accepted += sent && one->accepted;
        rejected += !one->accepted && one->reply.code;
    }
    add(&r->accepted, accepted);
    add(&r->rejected, rejected);
}

static void count_cause(relay_metrics *r, smtp_cause cause)
{
    if (cause > SMTP_CAUSE_NONE && cause < SMTP_CAUSE_COUNT)
        add(&r->refusals[cause], 1);
}

/* Each recipient that was refused for its own sake; else, once, what stopped the whole. */
static void count_refusals(relay_metrics *r, const smtp_result *result)
{
    bool own = false;

    for (size_t i = 0; result->recipients && i < result->recipient_count; i++) {
        const smtp_recipient_result *one = &result->recipients[i];
        if (one->accepted || !one->reply.code)
            continue;
        own = true;
        count_cause(r, one->cause);
    }
    if (!own || result->fault.stage != SMTP_STAGE_RCPT)
        count_cause(r, result->fault.cause);
}

void metrics_transaction(metrics *m, size_t relay, const smtp_result *result, uint64_t size)
{
    if (relay >= m->relay_count || !result ||
        (unsigned)result->fault.category >= SMTP_CATEGORY_COUNT)
        return;
    relay_metrics *r = &m->relays[relay];
    const int64_t stages[STAGES] = {
        [STAGE_QUEUED] = result->timing.queued,
        [STAGE_SESSION] = result->timing.session,
        [STAGE_ENVELOPE] = result->timing.envelope,
        [STAGE_BODY] = result->timing.body,
    };

    code_counters *codes = codes_of(r, result->fault.category);
    if (codes)
        add(&codes->codes[code_index(result->reply.code)], 1);
    for (size_t i = 0; i < STAGES; i++)
        if (stages[i] > 0)
            observe(&r->stages[i], stages[i]);
    count_recipients(r, result);
    count_refusals(r, result);
    if (result->outcome == SMTP_SENT || result->outcome == SMTP_PARTIAL)
        add(&r->message_bytes, size);
}

void metrics_attempt(metrics *m, size_t relay, metrics_attempt_result result)
{
    if (relay < m->relay_count)
        add(&m->relays[relay].attempts[result], 1);
}

void metrics_event(metrics *m, unsigned result)
{
    if (result < EVENTS_RESULTS)
        add(&m->events[result], 1);
}

const char *metrics_hook_name(metrics_hook_result result)
{
    static const char *const names[METRICS_HOOK_RESULTS] = {
        "queued", "replayed", "skipped", "ping", "unverified", "refused", "failed"};
    return names[result];
}

bool metrics_hooks(metrics *m, const char *const *names, size_t count)
{
    m->hook_names = names;
    m->hook_count = count;
    m->hooks = calloc(count ? count : 1, METRICS_HOOK_RESULTS * sizeof *m->hooks);
    return m->hooks != NULL;
}

void metrics_hook(metrics *m, size_t hook, metrics_hook_result result)
{
    add(&m->hooks[hook * METRICS_HOOK_RESULTS + result], 1);
}

void metrics_templates(metrics *m, bool reloaded)
{
    add(&m->reloads[reloaded], 1);
}

void metrics_requests_in_flight(metrics *m, int change)
{
    atomic_fetch_add_explicit(&m->requests_in_flight, change, memory_order_relaxed);
}

void metrics_transactions_in_flight(metrics *m, int change)
{
    atomic_fetch_add_explicit(&m->transactions_in_flight, change, memory_order_relaxed);
}

/* --- writing ------------------------------------------------------------------------------------
 */

typedef struct label {
    const char *name, *value;
} label;

static void write_head(buf *out, const char *name, const char *type, const char *help)
{
    buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* {name="value",…}, values escaped as the format asks. */
static void write_labels(buf *out, const label *labels, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_addc(out, i ? ',' : '{');
        buf_adds(out, labels[i].name);
        buf_adds(out, "=\"");
        for (const char *p = labels[i].value; *p; p++) {
            if (*p == '\n')
                buf_adds(out, "\\n");
            else if (*p == '"' || *p == '\\')
                buf_addf(out, "\\%c", *p);
            else
                buf_addc(out, *p);
        }
        buf_addc(out, '"');
    }
    if (count > 0)
        buf_addc(out, '}');
}

static void write_sample(buf *out, const char *name, const label *labels, size_t count, uint64_t n)
{
    buf_adds(out, name);
    write_labels(out, labels, count);
    buf_addc(out, ' ');
    buf_addu(out, n);
    buf_addc(out, '\n');
}

#define HISTOGRAM_LABELS 2

/* The samples of one histogram; `labels` has at most HISTOGRAM_LABELS. The count is the sum of the
 * buckets as they were read, so that the two agree while others record. */
static void write_histogram(buf *out, const char *name, const label *labels, size_t count,
                            const histogram *h)
{
    label all[HISTOGRAM_LABELS + 1];
    char suffixed[64];
    uint64_t sum_us = get(&h->sum_us);
    uint64_t total = 0;

    memcpy(all, labels, count * sizeof *all);
    (void)snprintf(suffixed, sizeof suffixed, "%s_bucket", name);
    for (size_t i = 0; i <= COUNT(BUCKETS); i++) {
        total += get(&h->buckets[i]);
        all[count] = (label){"le", i < COUNT(BUCKETS) ? BUCKETS[i].label : "+Inf"};
        write_sample(out, suffixed, all, count + 1, total);
    }
    buf_addf(out, "%s_sum", name);
    write_labels(out, labels, count);
    buf_addf(out, " %llu.%06llu\n", (unsigned long long)(sum_us / 1000000),
             (unsigned long long)(sum_us % 1000000));
    (void)snprintf(suffixed, sizeof suffixed, "%s_count", name);
    write_sample(out, suffixed, labels, count, total);
}

static void write_requests(const metrics *m, buf *out)
{
    static const char total[] = "postern_http_requests_total";
    static const char seconds[] = "postern_http_request_seconds";
    char status[16];

    write_head(out, total, "counter", "HTTP requests answered.");
    for (size_t r = 0; r < m->route_count; r++)
        for (size_t i = 0; i <= COUNT(STATUSES); i++) {
            uint64_t n = get(&m->routes[r].statuses[i]);
            if (n == 0)
                continue;
            if (i < COUNT(STATUSES))
                (void)snprintf(status, sizeof status, "%u", STATUSES[i]);
            else
                (void)snprintf(status, sizeof status, "other");
            const label labels[] = {{"route", m->route_names[r]}, {"status", status}};
            write_sample(out, total, labels, COUNT(labels), n);
        }
    write_head(out, seconds, "histogram", "Time from a request's first byte to its answer.");
    for (size_t r = 0; r < m->route_count; r++) {
        const label labels[] = {{"route", m->route_names[r]}};
        write_histogram(out, seconds, labels, COUNT(labels), &m->routes[r].took);
    }
}

/* Series that were never counted are left out, but for the one of a plain success, which gives a
 * rate from the start. */
static void write_codes(const char *name, const char *relay, smtp_category category,
                        const code_counters *codes, buf *out)
{
    char code[16];

    for (size_t i = 0; i < CODES; i++) {
        uint64_t n = codes ? get(&codes->codes[i]) : 0;
        if (n == 0 && !(category == SMTP_CATEGORY_NONE && i == code_index(250)))
            continue;
        (void)snprintf(code, sizeof code, "%u", i ? (unsigned)i + CODE_FIRST - 1 : 0);
        const label labels[] = {
            {"relay", relay},
            {"category", category == SMTP_CATEGORY_NONE ? "none" : smtp_category_name(category)},
            {"code", code},
        };
        write_sample(out, name, labels, COUNT(labels), n);
    }
}

static void write_refusals(const metrics *m, buf *out)
{
    static const char total[] = "postern_refusals_total";

    write_head(out, total, "counter", "Messages and recipients that were not taken, by cause.");
    for (size_t r = 0; r < m->relay_count; r++)
        for (size_t c = SMTP_CAUSE_NONE + 1; c < SMTP_CAUSE_COUNT; c++) {
            uint64_t n = get(&m->relays[r].refusals[c]);
            const label labels[] = {{"relay", smtp_relay_name(m->relay_list[r])},
                                    {"cause", smtp_cause_name((smtp_cause)c)}};
            if (n > 0)
                write_sample(out, total, labels, COUNT(labels), n);
        }
}

static void write_transactions(const metrics *m, buf *out)
{
    static const char total[] = "postern_transactions_total";
    static const char seconds[] = "postern_stage_seconds";

    write_head(out, total, "counter",
               "Transactions ended, by the relay's deciding code; 0: it gave none.");
    for (size_t r = 0; r < m->relay_count; r++)
        for (size_t c = 0; c < SMTP_CATEGORY_COUNT; c++)
            write_codes(total, smtp_relay_name(m->relay_list[r]), (smtp_category)c,
                        atomic_load_explicit(&m->relays[r].categories[c], memory_order_acquire),
                        out);
    write_head(out, seconds, "histogram", "Time a transaction spent in each stage it came to.");
    for (size_t r = 0; r < m->relay_count; r++)
        for (size_t i = 0; i < STAGES; i++) {
            const label labels[] = {{"relay", smtp_relay_name(m->relay_list[r])},
                                    {"stage", STAGE_NAMES[i]}};
            write_histogram(out, seconds, labels, COUNT(labels), &m->relays[r].stages[i]);
        }
}

static void write_messages(const metrics *m, buf *out)
{
    static const char recipients[] = "postern_recipients_total";
    static const char bytes[] = "postern_message_bytes_total";

    write_head(out, recipients, "counter",
               "Recipients whose message the relay took, and those it refused.");
    for (size_t r = 0; r < m->relay_count; r++) {
        const char *relay = smtp_relay_name(m->relay_list[r]);
        const label accepted[] = {{"relay", relay}, {"result", "accepted"}};
        const label rejected[] = {{"relay", relay}, {"result", "rejected"}};
        write_sample(out, recipients, accepted, COUNT(accepted), get(&m->relays[r].accepted));
        write_sample(out, recipients, rejected, COUNT(rejected), get(&m->relays[r].rejected));
    }
    write_head(out, bytes, "counter", "Octets of the messages that relays accepted.");
    for (size_t r = 0; r < m->relay_count; r++) {
        const label labels[] = {{"relay", smtp_relay_name(m->relay_list[r])}};
        write_sample(out, bytes, labels, COUNT(labels), get(&m->relays[r].message_bytes));
    }
}

static void write_hooks(const metrics *m, buf *out)
{
    static const char name[] = "postern_hooks_total";

    if (m->hook_count == 0)
        return;
    write_head(out, name, "counter", "Webhooks, and what became of them.");
    for (size_t h = 0; h < m->hook_count; h++)
        for (unsigned i = 0; i < METRICS_HOOK_RESULTS; i++) {
            const label labels[] = {{"hook", m->hook_names[h]},
                                    {"result", metrics_hook_name((metrics_hook_result)i)}};
            write_sample(out, name, labels, COUNT(labels),
                         get(&m->hooks[h * METRICS_HOOK_RESULTS + i]));
        }
}

static void write_gauge(buf *out, const char *name, const char *help, int64_t value)
{
    write_head(out, name, "gauge", help);
    buf_addf(out, "%s %lld\n", name, (long long)value);
}

static void write_queue_content(const metrics_queue *q, buf *out)
{
    static const char messages[] = "postern_queue_messages";
    static const char oldest[] = "postern_queue_oldest_seconds";
    const struct {
        const char *state;
        uint64_t count;
    } states[] = {{"due", q->due}, {"scheduled", q->scheduled}, {"sending", q->sending}};

    write_head(out, messages, "gauge", "Messages in the queue.");
    for (size_t i = 0; i < COUNT(states); i++) {
        const label labels[] = {{"state", states[i].state}};
        write_sample(out, messages, labels, COUNT(labels), states[i].count);
    }
    write_head(out, oldest, "gauge", "For how long the oldest message that is due has been so.");
    buf_addf(out, "%s %lld.%06lld\n", oldest, (long long)(q->oldest_us / 1000000),
             (long long)(q->oldest_us % 1000000));
    write_gauge(out, "postern_queue_events", "Events that wait for their receiver.",
                (int64_t)q->events);
}

void metrics_write_queue(const metrics *m, const metrics_queue *q, buf *out)
{
    static const char attempts[] = "postern_attempts_total";
    static const char told[] = "postern_events_total";
    static const char *const results[METRICS_ATTEMPT_RESULTS] = {"sent", "partial", "deferred",
                                                                 "failed", "unknown"};

    if (q)
        write_queue_content(q, out);
    write_head(out, attempts, "counter", "Tries at queued messages.");
    for (size_t r = 0; r < m->relay_count; r++)
        for (size_t i = 0; i < METRICS_ATTEMPT_RESULTS; i++) {
            const label labels[] = {{"relay", smtp_relay_name(m->relay_list[r])},
                                    {"result", results[i]}};
            write_sample(out, attempts, labels, COUNT(labels), get(&m->relays[r].attempts[i]));
        }
    write_head(out, told, "counter", "Tries at telling the receiver of events.");
    for (unsigned i = 0; i < EVENTS_RESULTS; i++) {
        const label labels[] = {{"result", events_result_name((events_result)i)}};
        write_sample(out, told, labels, COUNT(labels), get(&m->events[i]));
    }
}

static void write_reloads(const metrics *m, buf *out)
{
    static const char reloads[] = "postern_template_reloads_total";
    static const char *const results[] = {"failed", "loaded"};

    write_head(out, reloads, "counter", "Times that templates were read again, on SIGHUP.");
    for (unsigned i = 0; i < COUNT(results); i++) {
        const label labels[] = {{"result", results[i]}};
        write_sample(out, reloads, labels, COUNT(labels), get(&m->reloads[i]));
    }
}

/* What the sender counts for each relay. */
static const struct {
    const char *name, *type, *help;
    const char *state; /* the second label's value; NULL: none */
    size_t offset;     /* in smtp_sender_stats */
} SENDER_SERIES[] = {
    {"postern_sessions", "gauge", "Sessions to the relay now.", "open",
     offsetof(smtp_sender_stats, sessions_open)},
    {"postern_sessions", NULL, NULL, "idle", offsetof(smtp_sender_stats, sessions_idle)},
    {"postern_transactions_waiting", "gauge", "Transactions that wait for a session now.", NULL,
     offsetof(smtp_sender_stats, waiting)},
    {"postern_sessions_opened_total", "counter", "Sessions opened.", NULL,
     offsetof(smtp_sender_stats, sessions_opened)},
    {"postern_sessions_failed_total", "counter", "Sessions that could not be opened.", NULL,
     offsetof(smtp_sender_stats, sessions_failed)},
    {"postern_sessions_reused_total", "counter",
     "Transactions on a session that had served before.", NULL,
     offsetof(smtp_sender_stats, sessions_reused)},
    {"postern_second_tries_total", "counter",
     "Transactions moved from a stale session to a fresh one.", NULL,
     offsetof(smtp_sender_stats, second_tries)},
};

static void write_sender(const metrics *m, const smtp_sender *sender, buf *out)
{
    smtp_sender_stats *stats = calloc(m->relay_count + 1, sizeof *stats);

    if (!stats) {
        out->failed = true;
        return;
    }
    for (size_t r = 0; r < m->relay_count; r++)
        smtp_sender_stats_get(sender, m->relay_list[r], &stats[r]);
    for (size_t i = 0; i < COUNT(SENDER_SERIES); i++) {
        if (SENDER_SERIES[i].type)
            write_head(out, SENDER_SERIES[i].name, SENDER_SERIES[i].type, SENDER_SERIES[i].help);
        for (size_t r = 0; r < m->relay_count; r++) {
            uint64_t n = 0;
            memcpy(&n, (const char *)&stats[r] + SENDER_SERIES[i].offset, sizeof n);
            const label labels[] = {{"relay", smtp_relay_name(m->relay_list[r])},
                                    {"state", SENDER_SERIES[i].state}};
            write_sample(out, SENDER_SERIES[i].name, labels, SENDER_SERIES[i].state ? 2 : 1, n);
        }
    }
    free(stats);
}

/* Resident pages, from /proc/self/statm; 0 if it can't be read. */
static int64_t resident_bytes(void)
{
    long long size = 0;
    long long resident = 0;
    char text[128];

    FILE *f = fopen("/proc/self/statm", "re");
    if (!f)
        return 0;
    if (fgets(text, sizeof text, f)) {
        char *end = NULL;
        size = strtoll(text, &end, 10);
        resident = size > 0 ? strtoll(end, NULL, 10) : 0;
    }
    (void)fclose(f);
    return resident * sysconf(_SC_PAGESIZE);
}

static int64_t open_descriptors(void)
{
    int64_t n = 0;
    DIR *d = opendir("/proc/self/fd");

    if (!d)
        return 0;
    /* The stream is this function's own: readdir is safe on it.
     * NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while (readdir(d))
        n++;
    (void)closedir(d);
    return n > 3 ? n - 3 : 0; /* less ".", ".." and the directory itself */
}

static void write_process(const metrics *m, buf *out)
{
    struct timespec cpu = {0, 0};
    struct rlimit files = {0, 0};

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    (void)getrlimit(RLIMIT_NOFILE, &files);
    write_gauge(out, "process_resident_memory_bytes", "Resident memory.", resident_bytes());
    write_head(out, "process_cpu_seconds_total", "counter", "CPU time, user and system.");
    buf_addf(out, "process_cpu_seconds_total %lld.%06ld\n", (long long)cpu.tv_sec,
             cpu.tv_nsec / 1000);
    write_gauge(out, "process_open_fds", "Open file descriptors.", open_descriptors());
    write_gauge(out, "process_max_fds", "The limit of open file descriptors.",
                (int64_t)files.rlim_cur);
    write_head(out, "process_start_time_seconds", "gauge", "When the process started, Unix time.");
    buf_addf(out, "process_start_time_seconds %lld.%03d\n", (long long)(m->started_ms / 1000),
             (int)(m->started_ms % 1000));
}

void metrics_write(metrics *m, const smtp_sender *sender, const store *requests, buf *out)
{
    const label version[] = {{"version", POSTERN_VERSION}};

    write_requests(m, out);
    write_gauge(out, "postern_requests_in_flight", "HTTP requests being served now.",
                atomic_load_explicit(&m->requests_in_flight, memory_order_relaxed));
    write_transactions(m, out);
    write_refusals(m, out);
    write_gauge(out, "postern_transactions_in_flight", "Transactions submitted and not yet ended.",
                atomic_load_explicit(&m->transactions_in_flight, memory_order_relaxed));
    write_messages(m, out);
    if (WITH_HOOKS)
        write_hooks(m, out);
    if (WITH_TEMPLATES)
        write_reloads(m, out);
    if (requests)
        write_gauge(out, "postern_request_memory_bytes",
                    "Held by requests, out of POSTERN_MAX_MEMORY.", (int64_t)store_used(requests));
    if (sender)
        write_sender(m, sender, out);
    write_head(out, "postern_build_info", "gauge", "The version that runs; always 1.");
    write_sample(out, "postern_build_info", version, COUNT(version), 1);
    write_process(m, out);
}
