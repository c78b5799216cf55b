/*
 * curl_loop - a floor for the benchmark: mails sent by libcurl alone, without HTTP, JSON or
 * composing. N transfers at once in one multi handle, each easy handle used again and again, as
 * libcurl's own examples have it. One thread.
 *
 *     curl_loop URL CA|- USER|- SESSIONS MAILS RECIPIENTS MESSAGE.eml reuse|new
 *
 * The password is in RELAY_PASSWORD. Prints seconds and the peak of its memory, as JSON; exits with
 * 1 if a mail was not accepted.
 */
#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_SESSIONS = 64, MAX_RECIPIENTS = 100, POLL_MS = 1000 };

typedef struct job {
    const char *url, *ca, *user, *password;
    long sessions, mails, recipients;
    bool fresh; /* a new session for each mail */
    char *message;
    size_t size;
    struct curl_slist *to;
} job;

typedef struct transfer {
    const job *job;
    size_t sent;
} transfer;

static size_t read_message(char *to, size_t size, size_t count, void *context)
{
    transfer *t = context;
    size_t left = t->job->size - t->sent;
    size_t n = size * count < left ? size * count : left;

    memcpy(to, t->job->message + t->sent, n);
    t->sent += n;
    return n;
}

static bool load_message(job *j, const char *path)
{
    FILE *f = fopen(path, "rb");
    bool ok = false;
    long size;

    if (f == NULL)
        return false;
    if (fseek(f, 0, SEEK_END) == 0 && (size = ftell(f)) > 0) {
        rewind(f);
        j->size = (size_t)size;
        j->message = malloc(j->size);
        ok = j->message != NULL && fread(j->message, 1, j->size, f) == j->size;
    }
    (void)fclose(f);
    return ok;
}

static bool make_recipients(job *j)
{
    for (long i = 0; i < j->recipients; i++) {
        char address[64];
        struct curl_slist *more;

        (void)snprintf(address, sizeof address, "<li%ld@example.net>", i);
        if ((more = curl_slist_append(j->to, address)) == NULL)
            return false;
        j->to = more;
    }
    return true;
}

static CURL *make_handle(const job *j, transfer *t)
{
    CURL *e = curl_easy_init();

    if (e == NULL)
        return NULL;
    t->job = j;
    curl_easy_setopt(e, CURLOPT_URL, j->url);
    curl_easy_setopt(e, CURLOPT_MAIL_FROM, "<shop@example.com>");
    curl_easy_setopt(e, CURLOPT_MAIL_RCPT, j->to);
    curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(e, CURLOPT_READFUNCTION, read_message);
    curl_easy_setopt(e, CURLOPT_READDATA, t);
    curl_easy_setopt(e, CURLOPT_PRIVATE, t);
    curl_easy_setopt(e, CURLOPT_TIMEOUT, 120L);
    if (j->fresh) {
        curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
        curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
    }
    if (j->ca != NULL) {
        curl_easy_setopt(e, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
        curl_easy_setopt(e, CURLOPT_CAINFO, j->ca);
    }
    if (j->user != NULL) {
        curl_easy_setopt(e, CURLOPT_USERNAME, j->user);
        curl_easy_setopt(e, CURLOPT_PASSWORD, j->password);
    }
    return e;
}

/* Takes the finished transfers out and begins the next ones; false: one failed. */
static bool turn(CURLM *multi, long *left)
{
    CURLMsg *m;
    int queued;

    while ((m = curl_multi_info_read(multi, &queued)) != NULL) {
        CURL *e = m->easy_handle;
        CURLcode result = m->data.result;
        transfer *t;

        if (m->msg != CURLMSG_DONE)
            continue;
        curl_multi_remove_handle(multi, e);
        if (result != CURLE_OK) {
            (void)fprintf(stderr, "curl_loop: %s\n", curl_easy_strerror(result));
            return false;
        }
        if (*left == 0)
            continue;
        (*left)--;
        curl_easy_getinfo(e, CURLINFO_PRIVATE, (char **)&t);
        t->sent = 0;
        if (curl_multi_add_handle(multi, e) != CURLM_OK)
            return false;
    }
    return true;
}

static bool send_all(const job *j)
{
    CURLM *multi = curl_multi_init();
    CURL *handles[MAX_SESSIONS] = {NULL};
    transfer transfers[MAX_SESSIONS] = {{NULL, 0}};
    long left = j->mails;
    int running = 1;
    bool ok = multi != NULL;

    for (long i = 0; ok && i < j->sessions && left > 0; i++, left--) {
        handles[i] = make_handle(j, &transfers[i]);
        ok = handles[i] != NULL && curl_multi_add_handle(multi, handles[i]) == CURLM_OK;
    }
    while (ok && running > 0) {
        ok = curl_multi_perform(multi, &running) == CURLM_OK && turn(multi, &left);
        /* What turn() began is running too, though perform has not counted it yet. */
        if (ok && running == 0)
            ok = curl_multi_perform(multi, &running) == CURLM_OK;
        if (ok && running > 0)
            ok = curl_multi_poll(multi, NULL, 0, POLL_MS, NULL) == CURLM_OK;
    }
    for (long i = 0; i < j->sessions; i++) {
        if (handles[i] != NULL) {
            curl_multi_remove_handle(multi, handles[i]);
            curl_easy_cleanup(handles[i]);
        }
    }
    curl_multi_cleanup(multi);
    return ok && left == 0;
}

static long peak_kb(void)
{
    char line[256];
    long kb = 0;
    FILE *f = fopen("/proc/self/status", "r");

    while (f != NULL && kb == 0 && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, "VmHWM:", 6) == 0)
            kb = strtol(line + 6, NULL, 10);
    }
    if (f != NULL)
        (void)fclose(f);
    return kb;
}

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static const char *word(const char *argument)
{
    return strcmp(argument, "-") == 0 ? NULL : argument;
}

int main(int argc, char **argv)
{
    job j = {0};
    double begin;
    bool ok;

    if (argc != 9) {
        (void)fputs(
            "usage: curl_loop URL CA|- USER|- SESSIONS MAILS RECIPIENTS MESSAGE.eml reuse|new\n",
            stderr);
        return 64;
    }
    j.url = argv[1];
    j.ca = word(argv[2]);
    j.user = word(argv[3]);
    j.password = getenv("RELAY_PASSWORD"); /* NOLINT(concurrency-mt-unsafe): one thread */
    j.sessions = strtol(argv[4], NULL, 10);
    j.mails = strtol(argv[5], NULL, 10);
    j.recipients = strtol(argv[6], NULL, 10);
    j.fresh = strcmp(argv[8], "new") == 0;
    if (j.sessions < 1 || j.sessions > MAX_SESSIONS || j.mails < 1 || j.recipients < 1 ||
        j.recipients > MAX_RECIPIENTS || !load_message(&j, argv[7]) || !make_recipients(&j)) {
        (void)fputs("curl_loop: a wrong argument, or no memory\n", stderr);
        return 64;
    }
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    begin = now();
    ok = send_all(&j);
    (void)printf("{\"seconds\": %.6f, \"peak_kb\": %ld}\n", now() - begin, peak_kb());
    curl_slist_free_all(j.to);
    free(j.message);
    curl_global_cleanup();
    return ok ? 0 : 1;
}
