/*
 * events_own - what the parts of events share: events.c (the thread, claims and settles) and
 * events_request.c (one POST: the signed request, the look at the receiver's address, the reading
 * of its answer, and what is made of it).
 *
 * A request is used again and again: its libcurl handle is kept, with its settings and maybe a
 * connection. From events_request_begin() to events_request_end() it is in the multi and borrows
 * the event; the end is to be called whatever became of it. The receiver, and the options in it,
 * outlive the requests. All of it is for one thread at a time: the multi's.
 */
#ifndef POSTERN_QUEUE_EVENTS_OWN_H
#define POSTERN_QUEUE_EVENTS_OWN_H

#include <curl/curl.h>

#include "queue/events.h"
#include "queue/sign.h"

#define MS     ((int64_t)1000)
#define SECOND (1000 * MS)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

#define STATUS_GONE 410

/* To whom all requests go. */
typedef struct events_receiver {
    const events_options *o;
    bool cleartext; /* http:// */
    sign_secret *secrets;
    size_t secret_count;
} events_receiver;

typedef struct events_request {
    const events_receiver *to; /* set by its owner, once; the rest is zeroed at first */
    const queue_event *event;

    CURL *easy; /* kept for the next one, with its settings */
    struct curl_slist *headers;
    char error[CURL_ERROR_SIZE];
    char refused[200];   /* why an address was; "" : none was */
    size_t head, body;   /* octets that came */
    bool answered;       /* the head is whole */
    int64_t retry_after; /* as it says; 0: it says nothing */
} events_request;

typedef struct events_verdict {
    events_result result;
    long status;         /* 0: no answer */
    int64_t retry_after; /* in microseconds from now; 0: it said nothing */
    char why[CURL_ERROR_SIZE + 200];
} events_verdict;

/* Reads the URL's scheme and the secrets, of a zeroed one. False: *fault says why; NULL: there is
 * no memory. Wipe it anyway. */
bool events_receiver_init(events_receiver *r, const events_options *o, const char **fault);
void events_receiver_wipe(events_receiver *r);

/* Gives the request to the multi; its CURLINFO_PRIVATE is `r`. False: there is no memory for it,
 * and nothing has begun. */
bool events_request_begin(events_request *r, const queue_event *event, CURLM *multi);
/* What its end says; before events_request_end(). */
void events_request_judge(const events_request *r, CURLcode code, events_verdict *v);
void events_request_end(events_request *r, CURLM *multi);
void events_request_free(events_request *r); /* what it holds */

static inline int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t most_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

#endif
