/* Bodies: large ones lie in chunks, and are files while they are here. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file_io.h"
#include "queue/postgres_run.h"

const char *pg_body_piece(const queue_body *b, uint64_t at, size_t len, char *room)
{
    if (b->data)
        return b->data + at;
    return file_read_at(b->fd, room, len, at) ? room : NULL;
}

char *pg_body_folder(const char *files)
{
    const char *usual = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe): nobody sets it */
    if (!usual || !usual[0])
        usual = "/var/tmp";
    return strdup(files ? files : usual);
}

/* Where a body goes: a file, or memory for all of it. */
typedef struct place {
    int fd; /* -1: `data` */
    char *data;
} place;

static bool take_part(const place *to, const char *part, size_t len, uint64_t at)
{
    if (to->fd >= 0)
        return file_write_at(to->fd, part, len, at);
    memcpy(to->data + at, part, len);
    return true;
}

/* Up to `size` octets; how many there were. */
static bool fetch(pg *p, const queue_message *m, const place *to, uint64_t *got)
{
    bool ok = true;
    for (int64_t part = 0; ok && *got < m->body.size; part++) {
        pg_args args = {0};
        pg_text(&args, m->id);
        pg_int(&args, part);
        PGresult *r =
            pg_query(p, "ti", "SELECT data FROM postern_body WHERE id = $1 AND part = $2", &args);
        size_t len = r && PQntuples(r) > 0 ? (size_t)PQgetlength(r, 0, 0) : 0;
        uint64_t left = m->body.size - *got;
        len = len < left ? len : (size_t)left;
        ok = r && (len == 0 || take_part(to, PQgetvalue(r, 0, 0), len, *got));
        PQclear(r);
        *got += len;
        if (len == 0)
            break;
    }
    return ok;
}

bool pg_body_fetch(pg *p, queue_message *m)
{
    place to = {.fd = file_nameless(p->shared->files)};
    uint64_t got = 0;
    if (to.fd < 0 && !(to.data = malloc((size_t)m->body.size)))
        return false;
    bool ok = fetch(p, m, &to, &got);
    if (ok && got == m->body.size) {
        m->body.fd = to.fd;
        m->body.data = to.data;
        return true;
    }
    if (to.fd >= 0)
        (void)close(to.fd);
    free(to.data);
    return ok;
}
