#include "service/worker.h"

#include <pthread.h>
#include <stdlib.h>

struct worker {
    pthread_mutex_t lock;
    pthread_cond_t work;
    worker_task *first, **end;
    unsigned waiting; /* threads with nothing to do */
    unsigned queued;  /* tasks that nobody has begun */
    bool stopping;
    unsigned count, most;
    pthread_t threads[];
};

worker *worker_create(unsigned most)
{
    worker *w = calloc(1, sizeof *w + most * sizeof *w->threads);
    if (!w)
        return NULL;
    w->most = most;
    w->end = &w->first;
    (void)pthread_mutex_init(&w->lock, NULL); /* neither can fail with default attributes */
    (void)pthread_cond_init(&w->work, NULL);
    return w;
}

/* The next task; NULL: there is none, and there will be none. Under the lock. */
static worker_task *next_task(worker *w)
{
    w->waiting++;
    while (!w->first && !w->stopping)
        (void)pthread_cond_wait(&w->work, &w->lock);
    w->waiting--;
    worker_task *task = w->first;
    if (task) {
        w->first = task->next;
        w->queued--;
        if (!w->first)
            w->end = &w->first;
    }
    return task;
}

static void *run(void *ctx)
{
    worker *w = ctx;
    worker_task *task;

    (void)pthread_setname_np(pthread_self(), "postern-work");
    (void)pthread_mutex_lock(&w->lock);
    while ((task = next_task(w))) {
        (void)pthread_mutex_unlock(&w->lock);
        task->run(task->ctx); /* the task may be gone */
        (void)pthread_mutex_lock(&w->lock);
    }
    (void)pthread_mutex_unlock(&w->lock);
    return NULL;
}

bool worker_do(worker *w, worker_task *task)
{
    (void)pthread_mutex_lock(&w->lock);
    bool more = w->queued >= w->waiting && w->count < w->most && !w->stopping;
    if (more && pthread_create(&w->threads[w->count], NULL, run, w) == 0)
        w->count++;
    bool taken = !w->stopping && w->count > 0;
    if (taken) {
        task->next = NULL;
        *w->end = task;
        w->end = &task->next;
        w->queued++;
        (void)pthread_cond_signal(&w->work);
    }
    (void)pthread_mutex_unlock(&w->lock);
    return taken;
}

void worker_stop(worker *w)
{
    (void)pthread_mutex_lock(&w->lock);
    unsigned count = w->count;
    w->count = 0;
    w->stopping = true;
    (void)pthread_cond_broadcast(&w->work);
    (void)pthread_mutex_unlock(&w->lock);
    for (unsigned i = 0; i < count; i++)
        (void)pthread_join(w->threads[i], NULL);
}

void worker_free(worker *w)
{
    if (!w)
        return;
    worker_stop(w);
    (void)pthread_cond_destroy(&w->work);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
}
