/* Bodies: large ones lie in chunks, and are files while they are here. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "queue/file_io.h"
#include "queue/postgres_run.h"

const char *pg_body_piece(const queue_body *b, uint64_t at, size_t len, char *room)
{
    if (b->data)
        return b->data + at;
    return file_read_at(b->fd, room, len, at) ? room : NULL;
}

/* A file that has no name; -1. */
static int open_nameless(void)
{
    const char *folder = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe): nobody sets it */
    char path[4096];
    if (!folder || !folder[0])
        folder = "/var/tmp";
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    (void)snprintf(path, sizeof path, "%s/postern.XXXXXX", folder);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        (void)unlink(path);
    return fd;
}

bool pg_body_fetch(pg *p, queue_message *m)
{
    int fd = open_nameless();
    bool ok = fd >= 0;
    uint64_t got = 0;
    for (int64_t part = 0; ok && got < m->body.size; part++) {
        pg_args args = {0};
        pg_text(&args, m->id);
        pg_int(&args, part);
        PGresult *r =
            pg_query(p, "ti", "SELECT data FROM postern_body WHERE id = $1 AND part = $2", &args);
        size_t len = r && PQntuples(r) > 0 ? (size_t)PQgetlength(r, 0, 0) : 0;
        ok = r && (len == 0 || file_write_all(fd, PQgetvalue(r, 0, 0), len));
        PQclear(r);
        got += len;
        if (len == 0)
            break;
    }
    if (ok && got == m->body.size) {
        m->body.fd = fd;
        return true;
    }
    if (fd >= 0)
        (void)close(fd);
    return ok;
}
