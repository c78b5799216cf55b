#include "queue/postgres_link.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BINARY     1
#define OID_BYTEA  17
#define OID_INT8   20
#define OID_TEXT   25
#define OID_BYTEAS 1001
#define OID_TEXTS  1009
#define OID_INT8S  1016

/* ---- parameters ---- */

void pg_args_free(pg_args *a)
{
    buf_free(&a->arrays);
}

static int add(pg_args *a, const char *value, size_t length, int format)
{
    int i = a->count++;
    a->value[i] = value;
    a->length[i] = (int)length;
    a->format[i] = format;
    a->array[i] = 0;
    return i;
}

void pg_text(pg_args *a, const char *s)
{
    (void)add(a, s, 0, 0);
}

void pg_int(pg_args *a, int64_t n)
{
    int i = add(a, NULL, sizeof n, BINARY);
    a->number[i] = (int64_t)htobe64((uint64_t)n);
    a->value[i] = (const char *)&a->number[i];
}

void pg_bytes(pg_args *a, const void *data, size_t len)
{
    (void)add(a, data, len, BINARY);
}

static void add_word(buf *b, uint32_t n)
{
    uint32_t word = htobe32(n);
    buf_add(b, &word, sizeof word);
}

/* The binary form: dimensions, whether there are nulls, the element's type, length, lower bound. */
void pg_array(pg_args *a, char type, size_t count)
{
    int i = add(a, NULL, 0, BINARY);
    a->array[i] = a->arrays.len + 1;
    add_word(&a->arrays, count > 0 ? 1 : 0);
    add_word(&a->arrays, type == 'T' ? 1 : 0);
    add_word(&a->arrays, type == 'T' ? OID_TEXT : type == 'B' ? OID_BYTEA : OID_INT8);
    if (count > 0) {
        add_word(&a->arrays, (uint32_t)count);
        add_word(&a->arrays, 1);
    }
    a->length[i] = (int)(a->arrays.len - (a->array[i] - 1));
}

static void array_grown(pg_args *a)
{
    int i = a->count - 1;
    a->length[i] = (int)(a->arrays.len - (a->array[i] - 1));
}

void pg_array_text(pg_args *a, const char *s)
{
    add_word(&a->arrays, s ? (uint32_t)strlen(s) : UINT32_MAX);
    if (s)
        buf_adds(&a->arrays, s);
    array_grown(a);
}

void pg_array_int(pg_args *a, int64_t n)
{
    uint64_t word = htobe64((uint64_t)n);
    add_word(&a->arrays, sizeof word);
    buf_add(&a->arrays, &word, sizeof word);
    array_grown(a);
}

void pg_array_bytes(pg_args *a, const void *data, size_t len)
{
    add_word(&a->arrays, (uint32_t)len);
    buf_add(&a->arrays, data, len);
    array_grown(a);
}

/* Where arrays lie is known when nothing moves them any more. */
static bool settle_args(pg_args *a)
{
    if (!buf_ok(&a->arrays))
        return false;
    for (int i = 0; i < a->count; i++) {
        if (a->array[i])
            a->value[i] = a->arrays.data + a->array[i] - 1;
    }
    return true;
}

static int type_oids(const char *types, Oid out[PG_ARGS])
{
    int n = 0;
    for (; types[n]; n++) {
        switch (types[n]) {
        case 'i': out[n] = OID_INT8; break;
        case 'b': out[n] = OID_BYTEA; break;
        case 'T': out[n] = OID_TEXTS; break;
        case 'I': out[n] = OID_INT8S; break;
        case 'B': out[n] = OID_BYTEAS; break;
        default: out[n] = OID_TEXT; break;
        }
    }
    return n;
}

/* ---- errors ---- */

/* The text's first line. libpq's and the server's texts don't hold the password; were one to, it is
 * not given out. */
static char *scrub(const pg_shared *s, const char *text)
{
    buf out = BUF_INIT;
    size_t len = strcspn(text, "\n"), secret = s->password ? strlen(s->password) : 0;
    for (size_t i = 0; i < len;) {
        if (secret > 0 && strncmp(text + i, s->password, secret) == 0) {
            buf_adds(&out, "***");
            i += secret;
        } else {
            buf_addc(&out, text[i++]);
        }
    }
    return buf_take(&out);
}

void pg_fail(pg *p, pg_trouble trouble, const char *sentence)
{
    if (p->trouble != PG_FINE)
        return;
    p->trouble = trouble;
    p->error = scrub(p->shared, sentence);
}

void pg_fail_memory(pg *p)
{
    pg_fail(p, PG_REFUSED, "there is not enough memory for the queue");
}

char *pg_take_error(pg *p)
{
    char *error = p->error;
    p->error = NULL;
    return error;
}

/* SQLSTATEs, or their first two characters, and what they mean. The first that fits. */
static const struct {
    const char *code;
    pg_trouble trouble;
    const char *sentence; /* in front of the server's words; NULL: nothing */
} meanings[] = {
    {"40001", PG_AGAIN, "transactions got into each other's way"},
    {"40P01", PG_AGAIN, "transactions got into each other's way"},
    {"40003", PG_BROKEN, NULL}, /* whether it was committed is not known */
    {"40", PG_AGAIN, NULL},
    {"08", PG_BROKEN, NULL},
    {"57P", PG_BROKEN, "the database is shut down or restarted"},
    {"57014", PG_BROKEN, "the database stopped the statement"},
    {"25006", PG_BROKEN, "the database can only be read now"},
    {"25P0", PG_BROKEN, NULL},
    {"55P03", PG_BROKEN, "the database waited too long for a lock"},
    {"53300", PG_BROKEN, "the database has too many connections"},
    {"42P01", PG_BROKEN, NULL}, /* a day's tables were dropped: a new connection looks anew */
    {"26000", PG_BROKEN,
     NULL}, /* a prepared statement is gone: so is what we know of the session */
    {"0A000", PG_BROKEN, NULL}, /* a cached plan's tables were changed */
    {"53100", PG_REFUSED, "the database's disk is full"},
    {"53200", PG_REFUSED, "the database has not enough memory"},
    {"58", PG_REFUSED, "the database can't read or write its files"},
    {"XX", PG_REFUSED, "the database's files are damaged, or it has a fault"},
    {"42501", PG_REFUSED, "the database's user lacks a permission"},
    {"28", PG_REFUSED, "the database refused the login"},
    {"3D000", PG_REFUSED, "there is no such database"},
    {"22", PG_DATA, NULL},
    {"21", PG_DATA, NULL},
    {"23", PG_DATA, NULL},
    {"54", PG_DATA, NULL},
    {"", PG_REFUSED, "the database refused"},
};

static void fail_code(pg *p, const char *code, const char *said)
{
    char text[600];
    size_t i = 0;
    if (p->trouble != PG_FINE)
        return;
    while (strncmp(code, meanings[i].code, strlen(meanings[i].code)) != 0)
        i++;
    (void)snprintf(p->code, sizeof p->code, "%s", code);
    (void)snprintf(text, sizeof text, "%s: %s",
                   meanings[i].sentence ? meanings[i].sentence : "the database failed", said);
    pg_fail(p, meanings[i].trouble, text);
}

/* What a result, or the connection, says. */
static void fail_result(pg *p, const PGresult *r)
{
    const char *code = r ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;
    const char *said = r ? PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    if (PQstatus(p->conn) == CONNECTION_BAD && (!code || strncmp(code, "53100", 5) != 0))
        pg_fail(p, PG_BROKEN, said ? said : PQerrorMessage(p->conn));
    else if (code && said)
        fail_code(p, code, said);
    else
        pg_fail(p, PG_BROKEN, PQerrorMessage(p->conn));
}

/* ---- waiting ---- */

/* Waits until the socket can be read, or written where that is wanted. False: silence. */
static bool wait_socket(pg *p, bool writing)
{
    struct pollfd fd = {.fd = PQsocket(p->conn), .events = POLLIN};
    int ready;
    if (writing)
        fd.events |= POLLOUT;
    do
        ready = poll(&fd, 1, PG_SILENCE_MS);
    while (ready < 0 && errno == EINTR);
    if (ready > 0)
        return true;
    pg_fail(p, PG_BROKEN, "the database doesn't answer");
    return false;
}

void pg_flush(pg *p)
{
    int left;
    while (p->trouble == PG_FINE && (left = PQflush(p->conn)) != 0) {
        if (left < 0 || (wait_socket(p, true) && !PQconsumeInput(p->conn)))
            fail_result(p, NULL);
    }
}

/* What comes next, an end of results (NULL) included. */
static PGresult *wait_result(pg *p)
{
    while (PQisBusy(p->conn)) {
        int left = PQflush(p->conn);
        if (!wait_socket(p, left > 0))
            return NULL;
        if (!PQconsumeInput(p->conn)) {
            fail_result(p, NULL);
            return NULL;
        }
    }
    return PQgetResult(p->conn);
}

static bool is_good(const PGresult *r)
{
    switch (PQresultStatus(r)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_PIPELINE_SYNC: return true;
    default: return false;
    }
}

/* ---- the pipeline ---- */

void pg_pipeline_begin(pg *p)
{
    if (p->trouble != PG_FINE)
        return;
    p->synced = p->warned = false;
    if (!PQenterPipelineMode(p->conn))
        fail_result(p, NULL);
}

void pg_send(pg *p, const char *name, pg_args *args)
{
    static pg_args none;
    pg_args *a = args ? args : &none;
    if (p->trouble == PG_FINE && !settle_args(a))
        pg_fail_memory(p);
    else if (p->trouble == PG_FINE &&
             !PQsendQueryPrepared(p->conn, name, a->count, a->value, a->length, a->format, BINARY))
        fail_result(p, NULL);
    if (args)
        pg_args_free(args);
}

void pg_pipeline_flush(pg *p)
{
    if (p->trouble == PG_FINE && !PQsendFlushRequest(p->conn))
        fail_result(p, NULL);
    pg_flush(p);
}

void pg_pipeline_sync(pg *p)
{
    if (p->trouble != PG_FINE)
        return;
    p->synced = PQpipelineSync(p->conn);
    if (!p->synced)
        fail_result(p, NULL);
    pg_flush(p);
}

PGresult *pg_next(pg *p)
{
    if (p->trouble != PG_FINE)
        return NULL;
    PGresult *r = wait_result(p);
    if (!r || !is_good(r)) {
        fail_result(p, r);
        PQclear(r);
        return NULL;
    }
    PQclear(wait_result(p)); /* the end of this statement's results */
    return r;
}

/* Reads up to the sync that ends the pipeline, and says nothing of what comes before it. */
static void drain(pg *p)
{
    bool synced = false;
    int ends = 0;
    while (!synced && ends < 2 && p->trouble != PG_BROKEN) {
        PGresult *r = wait_result(p);
        ends = r ? 0 : ends + 1; /* two in a row: there is no more */
        if (r && p->trouble == PG_FINE && !is_good(r))
            fail_result(p, r);
        synced = r && PQresultStatus(r) == PGRES_PIPELINE_SYNC;
        PQclear(r);
    }
}

bool pg_pipeline_end(pg *p)
{
    if (p->trouble == PG_BROKEN)
        return false;
    if (!p->synced && !PQpipelineSync(p->conn))
        pg_fail(p, PG_BROKEN, PQerrorMessage(p->conn));
    drain(p);
    if (p->trouble != PG_BROKEN && !PQexitPipelineMode(p->conn)) {
        p->trouble = PG_BROKEN; /* whatever came before */
        if (!p->error)
            p->error = scrub(p->shared, PQerrorMessage(p->conn));
    }
    return p->trouble == PG_FINE;
}

/* ---- one statement ---- */

/* The result of what was sent, all of it. */
static PGresult *only_result(pg *p)
{
    PGresult *r = NULL, *more;
    pg_flush(p);
    if (p->trouble != PG_FINE)
        return NULL;
    r = wait_result(p);
    while (r && p->trouble == PG_FINE && (more = wait_result(p)))
        PQclear(more);
    if (r && is_good(r))
        return r;
    fail_result(p, r);
    PQclear(r);
    return NULL;
}

PGresult *pg_query(pg *p, const char *types, const char *text, pg_args *args)
{
    Oid oids[PG_ARGS];
    pg_args none = {0};
    pg_args *a = args ? args : &none;

    if (p->trouble == PG_FINE && !settle_args(a))
        pg_fail_memory(p);
    if (p->trouble == PG_FINE) {
        (void)type_oids(types, oids);
        if (!PQsendQueryParams(p->conn, text, a->count, oids, a->value, a->length, a->format,
                               BINARY))
            fail_result(p, NULL);
    }
    PGresult *r = only_result(p);
    pg_args_free(a);
    return r;
}

PGresult *pg_query_prepared(pg *p, const char *name)
{
    pg_send(p, name, NULL);
    return only_result(p);
}

bool pg_command(pg *p, const char *text)
{
    PGresult *r = pg_query(p, "", text, NULL);
    PQclear(r);
    return r != NULL;
}

bool pg_prepare(pg *p, const char *name, const pg_sql *sql)
{
    Oid oids[PG_ARGS];
    if (p->trouble != PG_FINE)
        return false;
    PGresult *r = PQprepare(p->conn, name, sql->text, type_oids(sql->types, oids), oids);
    if (!is_good(r))
        fail_result(p, r);
    PQclear(r);
    return p->trouble == PG_FINE;
}

bool pg_recover(pg *p)
{
    bool broken = p->trouble == PG_BROKEN || PQstatus(p->conn) == CONNECTION_BAD;
    if (broken)
        return false;
    free(p->error);
    p->error = NULL;
    p->trouble = PG_FINE;
    p->code[0] = '\0';
    if (PQtransactionStatus(p->conn) != PQTRANS_IDLE)
        (void)pg_command(p, "ROLLBACK");
    return p->trouble == PG_FINE;
}

/* ---- columns ---- */

int64_t pg_get_int(const PGresult *r, int row, int column)
{
    const char *at = PQgetvalue(r, row, column);
    uint64_t n8;
    uint32_t n4;
    switch (PQgetlength(r, row, column)) {
    case sizeof n8: memcpy(&n8, at, sizeof n8); return (int64_t)be64toh(n8);
    case sizeof n4: memcpy(&n4, at, sizeof n4); return (int32_t)be32toh(n4);
    default: return 0;
    }
}

char *pg_get_text(pg *p, const PGresult *r, int row, int column)
{
    if (PQgetisnull(r, row, column))
        return NULL;
    size_t len = (size_t)PQgetlength(r, row, column);
    char *copy = malloc(len + 1);
    if (!copy) {
        pg_fail_memory(p);
        return NULL;
    }
    memcpy(copy, PQgetvalue(r, row, column), len);
    copy[len] = '\0';
    return copy;
}

void pg_get_id(const PGresult *r, int row, int column, char *out, size_t size)
{
    (void)snprintf(out, size, "%s", PQgetvalue(r, row, column));
}

/* ---- connecting ---- */

#define BAD_URL                                                                                    \
    "the queue's URL is not one of PostgreSQL (postgresql://user:password@host:port/database)"

bool pg_shared_init(pg_shared *s, const char *url, char **error)
{
    char *said = NULL;
    /* What libpq says of a URL may quote it, password and all. */
    PQconninfoOption *options = PQconninfoParse(url, &said);
    PQfreemem(said);
    if (!options) {
        *error = strdup(BAD_URL);
        return false;
    }
    for (PQconninfoOption *o = options; o->keyword; o++) {
        if (strcmp(o->keyword, "password") == 0 && o->val && o->val[0])
            s->password = strdup(o->val);
    }
    PQconninfoFree(options);
    s->url = strdup(url);
    return s->url != NULL;
}

void pg_shared_free(pg_shared *s)
{
    free(s->url);
    free(s->password);
    free(s->files);
}

/* A warning of the server while it commits may say that the standby was not waited for. */
static void notice(void *ctx, const PGresult *r)
{
    pg *p = ctx;
    const char *severity = PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (severity && strcmp(severity, "WARNING") == 0)
        p->warned = true;
}

/* What the URL doesn't say: that a host which is gone is noticed within seconds. In front of it,
 * because the last one holds. */
static PGconn *connect_url(const char *url)
{
    static const char *const keys[] = {"connect_timeout",
                                       "tcp_user_timeout",
                                       "keepalives",
                                       "keepalives_idle",
                                       "keepalives_interval",
                                       "keepalives_count",
                                       "fallback_application_name",
                                       "dbname",
                                       "client_encoding",
                                       NULL};
    const char *values[] = {"3", "5000", "1", "5", "2", "3", "postern", url, "UTF8", NULL};
    return PQconnectdbParams(keys, values, 1);
}

/* Each is tried by itself: a server that lacks one goes on without. Plans must not depend on
 * statistics that a queue, empty now and full soon, has wrong most of the time.
 * Nor are they made anew for each run, as a server likes to for arrays of an element or two.
 *
 * A writer has no statement_timeout: it would end a COMMIT that waits for its standby, and the
 * server calls that committed. The silence's limit above holds for it. */
static const char *const for_all[] = {
    "SET synchronous_commit = on", /* only where it is off: see set_up() */
    "SET idle_in_transaction_session_timeout = 30000",
    "SET lock_timeout = 15000",
    "SET enable_seqscan = off",
    "SET enable_bitmapscan = off",
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
    "SET jit = off",
    "SET plan_cache_mode = force_generic_plan",
};

static void try_command(pg *p, const char *text)
{
    PGresult *r = PQexec(p->conn, text);
    PQclear(r);
}

static bool set_up(pg *p, bool writes)
{
    PGresult *r = pg_query(p, "", "SHOW synchronous_commit", NULL);
    bool off = r && PQntuples(r) == 1 && strcmp(PQgetvalue(r, 0, 0), "off") == 0;
    PQclear(r);
    if (r && off && !pg_command(p, for_all[0]))
        return false;
    if (!r && !pg_recover(p))
        return false;
    for (size_t i = 1; i < sizeof for_all / sizeof *for_all; i++)
        try_command(p, for_all[i]);
    try_command(p, writes ? "SET statement_timeout = 0" : "SET statement_timeout = 30000");
    if (PQstatus(p->conn) == CONNECTION_BAD || PQsetnonblocking(p->conn, 1) != 0) {
        fail_result(p, NULL);
        return false;
    }
    return p->trouble == PG_FINE;
}

pg *pg_open(const pg_shared *s, bool writes, char **error)
{
    pg *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->shared = s;
    p->conn = connect_url(s->url);
    if (p->conn && PQstatus(p->conn) == CONNECTION_OK) {
        (void)PQsetNoticeReceiver(p->conn, notice, p);
        if (set_up(p, writes))
            return p;
        *error = pg_take_error(p);
    } else if (p->conn) {
        buf text = BUF_INIT;
        char *said = scrub(s, PQerrorMessage(p->conn));
        buf_addf(&text, "the queue's database can't be reached: %s", said ? said : "");
        free(said);
        *error = buf_take(&text);
    }
    pg_close(p);
    return NULL;
}

void pg_close(pg *p)
{
    if (p->conn)
        PQfinish(p->conn);
    free(p->error);
    free(p);
}
