/* Bodies: large ones are files of their own. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_io.h"
#include "queue/backend.h"
#include "queue/sqlite_run.h"

#define COPY_SIZE ((size_t)128 * 1024)

static bool copy_file(int to, int from, uint64_t size)
{
    char *buffer = malloc(COPY_SIZE);
    bool ok = buffer != NULL;
    for (uint64_t at = 0; ok && at < size;) {
        size_t n = size - at < COPY_SIZE ? (size_t)(size - at) : COPY_SIZE;
        ok = file_read_at(from, buffer, n, at) && file_write_at(to, buffer, n, at);
        at += n;
    }
    free(buffer);
    return ok;
}

/* ---- staging ---- */

static void refuse(queue_op *op, const char *folder, int no)
{
    op->outcome = QUEUE_FAILED;
    if (op->error)
        return;
    const char *format = no == ENOSPC || no == EDQUOT || no == EFBIG
                             ? "the disk of the queue's folder %s is full, or its quota: %s"
                             : "a body can't be kept in the queue's folder %s: %s";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    if (asprintf(&op->error, format, folder, strerrordesc_np(no)) < 0)
        op->error = NULL;
#pragma GCC diagnostic pop
}

static sqlite_staged *stage_slot(sqlite_connection *c)
{
    if (c->staged_count == c->staged_room) {
        size_t room = c->staged_room ? 2 * c->staged_room : 16;
        sqlite_staged *more = realloc(c->staged, room * sizeof *more);
        if (!more)
            return NULL;
        c->staged = more;
        c->staged_room = room;
    }
    return &c->staged[c->staged_count];
}

static bool stage_file(sqlite_connection *c, const queue_message *m)
{
    int fd = openat(c->shared->bodies, m->id, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool ok = (m->body.data ? file_write_at(fd, m->body.data, (size_t)m->body.size, 0)
                            : copy_file(fd, m->body.fd, m->body.size)) &&
              fsync(fd) == 0;
    int no = errno;
    if (close(fd) != 0 && ok) {
        ok = false;
        no = errno;
    }
    if (!ok)
        (void)unlinkat(c->shared->bodies, m->id, 0);
    errno = no;
    return ok;
}

static bool stage_one(sqlite_connection *c, const queue_op *op, const queue_message *m)
{
    sqlite_staged *s = stage_slot(c);
    if (!s)
        return false;
    *s = (sqlite_staged){.op = op, .message = m};
    if (m->body.size > QUEUE_SMALL) {
        if (!stage_file(c, m))
            return false;
    } else {
        s->data = malloc((size_t)m->body.size + 1);
        if (!s->data)
            return false;
        if (!file_read_at(m->body.fd, s->data, (size_t)m->body.size, 0)) {
            free(s->data);
            return false;
        }
    }
    c->staged_count++;
    return true;
}

void sqlite_stage(sqlite_connection *c, queue_op *op)
{
    for (size_t i = 0; i < op->in.put.count && !op->error; i++) {
        const queue_message *m = &op->in.put.messages[i];
        bool elsewhere = m->body.size > QUEUE_SMALL || (!m->body.data && m->body.size > 0);
        /* One that is there already, of a former run, keeps its file. */
        if (elsewhere && queue_day_of(m->id) && !sqlite_exists(c, m->id) && !stage_one(c, op, m))
            refuse(op, c->shared->folder, errno);
    }
}

void sqlite_stage_sync(sqlite_connection *c)
{
    bool files = false;
    for (size_t i = 0; i < c->staged_count; i++)
        files |= !c->staged[i].data;
    if (files && fsync(c->shared->bodies) != 0)
        db_fail(&c->db, "the queue's folder %s can't be written: %s", c->shared->folder,
                strerrordesc_np(errno));
}

const sqlite_staged *sqlite_staged_of(const sqlite_connection *c, const queue_message *m)
{
    for (size_t i = 0; i < c->staged_count; i++) {
        if (c->staged[i].message == m)
            return &c->staged[i];
    }
    return NULL;
}

/* ---- the end ---- */

void sqlite_body_end(sqlite_connection *c, const char *id)
{
    if (c->ended_count == c->ended_room) {
        size_t room = c->ended_room ? 2 * c->ended_room : 16;
        sqlite_id *more = realloc(c->ended, room * sizeof *more);
        if (!more) {
            db_fail_memory(&c->db);
            return;
        }
        c->ended = more;
        c->ended_room = room;
    }
    memcpy(c->ended[c->ended_count++], id, sizeof(sqlite_id));
}

void sqlite_body_finish(sqlite_connection *c, bool committed)
{
    for (size_t i = 0; i < c->staged_count; i++) {
        const sqlite_staged *s = &c->staged[i];
        if (!s->data && (!committed || s->op->outcome != QUEUE_OK))
            (void)unlinkat(c->shared->bodies, s->message->id, 0);
        free(s->data);
    }
    for (size_t i = 0; committed && i < c->ended_count; i++)
        (void)unlinkat(c->shared->bodies, c->ended[i], 0);
    c->staged_count = c->ended_count = 0;
}

int sqlite_body_open(const sqlite_connection *c, const char *id)
{
    int fd = openat(c->shared->bodies, id, O_RDONLY | O_CLOEXEC);
    if (fd != 0)
        return fd;
    fd = fcntl(0, F_DUPFD_CLOEXEC, 3); /* see queue_message_clear() */
    (void)close(0);
    return fd;
}

void sqlite_body_sweep(sqlite_connection *c)
{
    int fd = openat(c->shared->bodies, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        db_fail(&c->db, "the queue's folder %s can't be read: %s", c->shared->folder,
                strerrordesc_np(errno));
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    /* A stream of this thread alone. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    for (struct dirent *e; !c->db.failed && (e = readdir(d));) {
        bool live = queue_day_of(e->d_name) &&
                    db_found(&c->db, db_start(&c->db, DB_MESSAGE_EXISTS, "t", e->d_name));
        if (e->d_name[0] != '.' && !live && !c->db.failed)
            (void)unlinkat(c->shared->bodies, e->d_name, 0);
    }
    (void)closedir(d);
}
