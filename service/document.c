#include "service/document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file_io.h"
#include "base/plain.h"
#include "service/scan.h"

#define SHARE     ((size_t)256 * 1024)
#define REST      ((size_t)1024 * 1024)
#define RECIPIENT ((size_t)1024) /* of the rest, for each */
/* What is gathered of a text in a file before it is written there. */
#define WRITE_AT ((size_t)64 * 1024)
/* Base64 is checked and wrapped in steps of this. */
#define STEP ((size_t)16 * 1024)
/* A lifted string gets room for what came of it, up to this. */
#define FIRST_ROOM ((size_t)8192)
/* Octets that become a line of base64. */
#define LINE_OCTETS ((size_t)MIME_LINE_COLUMNS / 4 * 3)
#define LINE_ROOM   ((size_t)MIME_LINE_COLUMNS + 2)
/* The rest gets room for what came, up to this: more than a string is before it is lifted. */
#define FIRST_REST (SCAN_LIFT_AT + SCAN_LIFT_AT / 2)
/* Hold what comes of a usual mail: its text, the tree, and what is made of them until it is sent.
 */
#define BLOCK_BYTES ((size_t)16 * 1024)
/* Lifted strings, at first. */
#define FIRST_LIST 4
/* NUL, and a document that is no object, are let through to be told with a pointer later. */
#define FLAGS (JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY)

/* A lifted string. */
typedef struct lifted {
    document *document;
    uint64_t text_end, rest_end; /* behind its quote, in the text and in the rest */
    bool is_base64, in_file, has_nul;
    bool is_octets; /* they come, and base64 is what is kept */
    size_t nul_at;
    uint64_t size;    /* kept: in memory and in the file */
    buf bytes;        /* in memory: all of it, or what is not yet in the file */
    uint64_t file_at; /* where it begins in the file */
    mime_base64_info info;
} lifted;

struct document {
    document_options options;
    buf rest;
    json_t *root;
    lifted **list;
    size_t count;
    mime_base64_stream base64; /* of the string at hand */
    uint64_t seen;             /* of it: bytes that came */
    char line[LINE_OCTETS];    /* of octets: what came of a line */
    size_t line_len;
    size_t held; /* memory taken of the store's budget */
    int fd;      /* -1: no file yet */
    uint64_t file_end;
    uint64_t size;
    unsigned others;         /* owners besides one */
    document_result refused; /* of what came so far */
    bool is_plain;           /* the tree: plain.h has made it */
    arena arena;             /* of the tree, and of what goes with it */
    char *taken_block;       /* the arena's, if it was taken over with it */
    scan scan;               /* at the end, as the block: they are large, and clear themselves */
    _Alignas(max_align_t) char block[]; /* the arena's */
};

/* ---- memory and the file ---- */

static bool refuse(document *d, document_result why)
{
    if (d->refused == DOCUMENT_OK)
        d->refused = why;
    return false;
}

/* Takes so much more of the budget. */
static bool take(document *d, size_t bytes)
{
    if (d->options.store && !store_take(d->options.store, bytes))
        return false;
    d->held += bytes;
    return true;
}

static void give(document *d, size_t bytes)
{
    if (d->options.store)
        store_give(d->options.store, bytes);
    d->held -= bytes;
}

/* A buffer's first memory, as much as it would have otherwise, if the block has so much left. */
static void lend(document *d, buf *b, size_t size)
{
    char *room = b->data || b->failed || size == 0 ? NULL : arena_take(&d->arena, size);
    if (room)
        buf_lend(b, room, size);
}

/* Room in a buffer, out of the budget. */
static bool reserve(document *d, buf *b, size_t more)
{
    size_t cap = buf_capacity(b, more), by = cap - b->cap;
    if (!take(d, by))
        return refuse(d, DOCUMENT_NO_SPACE);
    lend(d, b, cap);
    if (buf_reserve(b, more))
        return true;
    give(d, by);
    return refuse(d, DOCUMENT_NOMEM);
}

static void release(document *d, buf *b)
{
    give(d, b->cap);
    buf_free(b);
}

static bool write_out(document *d, lifted *l)
{
    if (!file_write_at(d->fd, l->bytes.data, l->bytes.len, d->file_end))
        return refuse(d, DOCUMENT_NO_SPACE);
    d->file_end += l->bytes.len;
    l->bytes.len = 0;
    return true;
}

/* True if the string goes on in the file: it is base64, the document's share of memory is used up,
 * or the budget, and there is a file to be had. Texts are wanted whole, and stay in memory. */
static bool goes_to_file(document *d, lifted *l, size_t more)
{
    if (l->in_file)
        return true;
    size_t by = buf_capacity(&l->bytes, more) - l->bytes.cap;
    if (!d->options.store || !l->is_base64 || by == 0 ||
        (d->held + by <= d->options.share && store_has(d->options.store, by)))
        return false;
    if (d->fd < 0)
        d->fd = store_file(d->options.store);
    if (d->fd < 0)
        return false;
    l->in_file = true;
    l->file_at = d->file_end;
    return true;
}

/* Room for `more` bytes of the string at hand, at most STEP and what wrapping makes of it. */
static bool make_room(document *d, lifted *l, size_t more)
{
    if (goes_to_file(d, l, more) && l->bytes.len + more > WRITE_AT && !write_out(d, l))
        return false;
    return reserve(d, &l->bytes, more);
}

/* ---- what the scanner lifts ---- */

static lifted *current(const document *d)
{
    return d->list[d->count - 1];
}

static bool is_content(const scan *s, const document_files *f)
{
    return scan_depth(s) == f->level + 2 && strcmp(scan_name(s, f->level), f->array) == 0 &&
           strcmp(scan_name(s, f->level + 2), f->content) == 0;
}

/* [1, 2] in the place of base64, and {"type": "Buffer", "data": [1, 2]}. */
static bool is_octets(void *ctx)
{
    const document *d = ctx;
    const document_files *f = &d->options.files;
    unsigned depth = scan_depth(&d->scan);

    return f->octets && (depth == f->level + 2 || depth == f->level + 3) &&
           strcmp(scan_name(&d->scan, f->level), f->array) == 0 &&
           strcmp(scan_name(&d->scan, f->level + 2), f->content) == 0 &&
           (depth == f->level + 2 || strcmp(scan_name(&d->scan, depth), "data") == 0);
}

/* Room in the list for one more; false: no memory. */
static bool grow_list(document *d)
{
    bool full = d->count >= FIRST_LIST && (d->count & (d->count - 1)) == 0;
    if (d->list && !full)
        return true;
    lifted **list = arena_alloc(&d->arena, (full ? 2 * d->count : FIRST_LIST) * sizeof(lifted *));
    if (!list)
        return false;
    if (d->count > 0)
        memcpy(list, d->list, d->count * sizeof(lifted *));
    arena_free(&d->arena, d->list);
    d->list = list;
    return true;
}

static bool add_lifted(document *d)
{
    lifted *l = grow_list(d) ? arena_alloc(&d->arena, sizeof *l) : NULL;
    if (!l)
        return refuse(d, DOCUMENT_NOMEM);
    *l = (lifted){.document = d};
    d->list[d->count++] = l;
    return take(d, sizeof *l) || refuse(d, DOCUMENT_NO_SPACE);
}

static bool begin(void *ctx)
{
    document *d = ctx;
    if (!add_lifted(d))
        return false;
    lifted *l = current(d);
    l->is_base64 = d->scan.state == SCAN_OCTETS || is_content(&d->scan, &d->options.files);
    d->seen = 0;
    if (l->is_base64)
        mime_base64_stream_init(&d->base64);
    size_t left = scan_left(&d->scan);
    return make_room(d, l, SCAN_LIFT_AT + (left < FIRST_ROOM ? left : FIRST_ROOM));
}

static void note_nul(document *d, lifted *l, const char *bytes, size_t len)
{
    const char *nul = l->has_nul ? NULL : memchr(bytes, '\0', len);
    if (!nul)
        return;
    l->has_nul = true;
    l->nul_at = (size_t)d->seen + (size_t)(nul - bytes);
}

static bool add_base64(document *d, lifted *l, const char *bytes, size_t len)
{
    if (!make_room(d, l, MIME_BASE64_STREAM_ROOM(len)))
        return false;
    size_t n = mime_base64_stream_feed(&d->base64, bytes, len, l->bytes.data + l->bytes.len);
    l->bytes.len += n;
    l->size += n;
    return true;
}

/* A line of base64 of what is gathered; the last may be shorter. */
static void write_line(lifted *l, const char *octets, size_t len)
{
    char *to = l->bytes.data + l->bytes.len;
    size_t n = mime_base64_encode(octets, len, to);
    to[n] = '\r';
    to[n + 1] = '\n';
    l->bytes.len += n + 2;
    l->size += n + 2;
}

static bool add_octets(document *d, lifted *l, const char *bytes, size_t len)
{
    if (!make_room(d, l, (len / LINE_OCTETS + 1) * LINE_ROOM))
        return false;
    while (len > 0) {
        if (d->line_len == 0 && len >= LINE_OCTETS) {
            write_line(l, bytes, LINE_OCTETS);
            bytes += LINE_OCTETS;
            len -= LINE_OCTETS;
            continue;
        }
        size_t n = LINE_OCTETS - d->line_len < len ? LINE_OCTETS - d->line_len : len;
        memcpy(d->line + d->line_len, bytes, n);
        d->line_len += n;
        bytes += n;
        len -= n;
        if (d->line_len == LINE_OCTETS) {
            write_line(l, d->line, LINE_OCTETS);
            d->line_len = 0;
        }
    }
    return true;
}

static bool add_text(document *d, lifted *l, const char *bytes, size_t len)
{
    if (!make_room(d, l, len))
        return false;
    buf_add(&l->bytes, bytes, len);
    l->size += len;
    return true;
}

static bool add(void *ctx, const char *bytes, size_t len)
{
    document *d = ctx;
    lifted *l = current(d);
    while (len > 0) {
        size_t n = len < STEP ? len : STEP;
        if (!l->is_octets)
            note_nul(d, l, bytes, n);
        if (!(l->is_octets   ? add_octets(d, l, bytes, n)
              : l->is_base64 ? add_base64(d, l, bytes, n)
                             : add_text(d, l, bytes, n)))
            return false;
        d->seen += n;
        bytes += n;
        len -= n;
    }
    return true;
}

static bool end_octets(document *d, lifted *l)
{
    if (!make_room(d, l, LINE_ROOM))
        return false;
    if (d->line_len > 0)
        write_line(l, d->line, d->line_len);
    l->info = (mime_base64_info){.octets = (size_t)d->seen,
                                 .characters = ((size_t)d->seen * 4 + 2) / 3,
                                 .wrapped = (size_t)l->size};
    return true;
}

static bool end(void *ctx)
{
    document *d = ctx;
    lifted *l = current(d);
    if (l->is_octets && !end_octets(d, l))
        return false;
    if (l->is_base64 && !l->is_octets) {
        size_t n = 0;
        if (!make_room(d, l, MIME_BASE64_STREAM_END))
            return false;
        (void)mime_base64_stream_end(&d->base64, l->bytes.data + l->bytes.len, &n, &l->info);
        l->bytes.len += n;
        l->size += n;
    }
    if (!l->is_base64) { /* a C string, as those of the tree are */
        if (!make_room(d, l, 1))
            return false;
        l->bytes.data[l->bytes.len] = '\0';
    }
    if (l->in_file) {
        if (!write_out(d, l))
            return false;
        release(d, &l->bytes);
    }
    l->text_end = d->scan.string_end;
    l->rest_end = d->rest.len;
    return true;
}

/* ---- coming in ---- */

document_options document_defaults(store *s, unsigned recipients)
{
    return (document_options){
        .store = s, .lift_at = SCAN_LIFT_AT, .share = SHARE, .rest = REST + RECIPIENT * recipients};
}

/* With a store `block` is BLOCK_BYTES, as those are that it has kept. */
static document *create(const document_options *options, size_t block)
{
    document *d = options->store ? store_spare(options->store) : NULL;
    if (!d)
        d = malloc(sizeof *d + block);
    if (!d)
        return NULL;
    memset(d, 0, offsetof(document, scan));
    const scan_sink sink = {begin, add, end, d, options->files.octets ? is_octets : NULL};
    d->options = *options;
    if (!d->options.files.array)
        d->options.files = (document_files){"attachments", "content", 1, false};
    d->fd = -1;
    arena_init(&d->arena, d->block, block);
    scan_init(&d->scan, &d->rest, &sink, options->lift_at);
    return d;
}

document *document_create(const document_options *options)
{
    return create(options, BLOCK_BYTES);
}

document *document_wrap(json_t *root)
{
    const document_options none = {.lift_at = SIZE_MAX};
    document *d = create(&none, 0);
    if (!d) {
        json_decref(root);
        return NULL;
    }
    d->root = root;
    d->arena.spilled = true; /* it is malloc's */
    return d;
}

document *document_wrap_arena(json_t *root, const arena *a)
{
    const document_options none = {.lift_at = SIZE_MAX};
    document *d = create(&none, 0);
    if (!d)
        return NULL;
    d->root = root;
    d->arena = *a;
    d->taken_block = a->block;
    return d;
}

/* A tree that the arena holds as a whole goes with it. */
static void free_tree(document *d)
{
    if (!d->arena.spilled)
        return;
    arena_use(&d->arena);
    json_decref(d->root);
    arena_use(NULL);
}

static void free_lifted(document *d)
{
    for (size_t i = 0; i < d->count; i++) {
        buf_free(&d->list[i]->bytes);
        arena_free(&d->arena, d->list[i]);
    }
    arena_free(&d->arena, d->list);
}

arena *document_memory(document *d)
{
    return &d->arena;
}

void document_enter(document *d)
{
    arena_use(&d->arena);
}

bool document_leave(document *d)
{
    arena_use(NULL);
    return !d->arena.failed;
}

document *document_share(document *d)
{
    d->others++;
    return d;
}

void document_free(document *d)
{
    if (!d)
        return;
    if (d->others > 0) {
        give(d, d->held);
        d->others--;
        return;
    }
    free_tree(d);
    free_lifted(d);
    free(d->taken_block);
    buf_free(&d->rest);
    give(d, d->held);
    if (d->fd >= 0)
        (void)close(d->fd);
    if (d->options.store)
        store_keep(d->options.store, d);
    else
        free(d);
}

void document_add(document *d, const char *text, size_t len)
{
    size_t before = d->rest.cap;
    d->size += len;
    if (d->refused != DOCUMENT_OK || d->scan.state >= SCAN_FAULT)
        return;
    if (!before) { /* a failure is told by what is added */
        size_t first = len < FIRST_REST ? len : FIRST_REST;
        lend(d, &d->rest, buf_capacity(&d->rest, first));
        (void)buf_reserve(&d->rest, first);
    }
    if (!scan_feed(&d->scan, text, len) && d->scan.state == SCAN_STOPPED)
        (void)refuse(d, DOCUMENT_NOMEM); /* unless the sink has said better */
    if (d->rest.len > d->options.rest && d->options.rest)
        (void)refuse(d, DOCUMENT_TOO_LARGE);
    if (d->rest.cap > before && !take(d, d->rest.cap - before)) {
        (void)refuse(d, DOCUMENT_NO_SPACE); /* the scanner is not asked again */
        give(d, before);
        buf_free(&d->rest);
    }
}

/* ---- parsing ---- */

_Static_assert(PLAIN_DEPTH <= DOCUMENT_DEPTH, "a plain tree is not too deep");

/* True if no array or object is nested deeper than `levels`. The parser's own bound (2048) keeps
 * this recursion's depth. */
static bool depth_fits(json_t *value, unsigned levels)
{
    const char *key;
    json_t *item;
    size_t i;
    if (json_is_object(value)) {
        if (levels == 0)
            return false;
        json_object_foreach(value, key, item)
        {
            if (!depth_fits(item, levels - 1))
                return false;
        }
    } else if (json_is_array(value)) {
        if (levels == 0)
            return false;
        json_array_foreach(value, i, item)
        {
            if (!depth_fits(item, levels - 1))
                return false;
        }
    }
    return true;
}

/* A place in the rest as a place in the text. */
static uint64_t place_in_text(const document *d, size_t at)
{
    uint64_t place = at;
    for (size_t i = 0; i < d->count && d->list[i]->rest_end && d->list[i]->rest_end <= at; i++)
        place = d->list[i]->text_end + (at - d->list[i]->rest_end);
    return place;
}

static int line_of(const document *d, size_t at)
{
    int line = 1;
    for (size_t i = 0; i < at && i < d->rest.len; i++)
        line += d->rest.data[i] == '\n';
    return line;
}

/* The first fault of the text: the parser's, or the scanner's in a string that the parser never
 * saw. */
static void tell_fault(const document *d, const json_error_t *error, buf *detail)
{
    size_t at = error->position < 0 ? 0 : (size_t)error->position;
    if (d->scan.state == SCAN_FAULT && at >= d->rest.len)
        buf_addf(detail, "Line %d, byte %llu: %s.", line_of(d, d->rest.len),
                 (unsigned long long)d->scan.fault_at + 1, d->scan.fault);
    else
        buf_addf(detail, "Line %d, byte %llu: %s.", error->line,
                 (unsigned long long)place_in_text(d, at), error->text);
}

/* The tree, or none and *error; false: no memory. */
static bool load(document *d, json_error_t *error)
{
    const arena before = d->arena;
    arena_use(&d->arena);
    d->root = plain_load(d->rest.data, d->rest.len);
    d->is_plain = d->root != NULL;
    if (!d->root && !d->arena.failed) {
        d->arena = before; /* what was begun is freed */
        d->root = json_loadb(d->rest.data, d->rest.len, FLAGS, error);
    }
    arena_use(NULL);
    return !d->arena.failed;
}

static document_result parse(document *d, buf *detail)
{
    json_error_t error;
    if (d->size == 0) {
        buf_adds(detail, "The body is empty; a JSON object is expected.");
        return DOCUMENT_BAD;
    }
    if (d->refused == DOCUMENT_TOO_LARGE)
        buf_addf(detail,
                 "Without its long strings, the document has more than the %zu bytes that are "
                 "allowed.",
                 d->options.rest);
    if (d->refused != DOCUMENT_OK)
        return d->refused;
    if (d->options.weighed && !take(d, plain_weight(d->rest.data, d->rest.len)))
        return DOCUMENT_NO_SPACE;
    if (!load(d, &error))
        return DOCUMENT_NOMEM;
    if (!d->root) {
        tell_fault(d, &error, detail);
        return DOCUMENT_BAD;
    }
    if (d->is_plain || depth_fits(d->root, DOCUMENT_DEPTH))
        return DOCUMENT_OK;
    buf_addf(detail, "Arrays and objects are nested more than %d deep.", DOCUMENT_DEPTH);
    return DOCUMENT_BAD;
}

document_result document_parse(document *d, buf *detail)
{
    document_result result = parse(d, detail);
    buf_free(&d->rest); /* its budget is the tree's now, which holds about as much */
    if (result == DOCUMENT_BAD && !buf_ok(detail))
        return DOCUMENT_NOMEM;
    return result;
}

/* ---- a tree that is built otherwise ---- */

bool document_lift_begin(document *d, bool octets)
{
    if (d->refused != DOCUMENT_OK || !add_lifted(d))
        return false;
    lifted *l = current(d);
    l->is_base64 = l->is_octets = octets;
    d->seen = d->line_len = 0;
    return true;
}

bool document_lift_add(document *d, const char *bytes, size_t len)
{
    return d->refused == DOCUMENT_OK && add(d, bytes, len);
}

json_t *document_lift_end(document *d)
{
    char reference[24] = "\0"; /* scan.h */
    if (d->refused != DOCUMENT_OK || !end(d))
        return NULL;
    int n = snprintf(reference + 1, sizeof reference - 1, "%zu", d->count - 1);
    json_t *string = json_stringn_nocheck(reference, 1 + (size_t)n);
    if (!string)
        (void)refuse(d, DOCUMENT_NOMEM);
    return string;
}

document_result document_refused(const document *d)
{
    return d->refused;
}

void document_set_root(document *d, json_t *root)
{
    d->root = root;
    d->arena.spilled = true;
}

json_t *document_root(const document *d)
{
    return d->root;
}

bool document_hold(document *d, size_t bytes)
{
    return take(d, bytes);
}

size_t document_held(const document *d)
{
    return d->held;
}

void document_let_go(document *d, size_t held)
{
    give(d, d->held - held);
}

/* ---- what was lifted ---- */

static bool read_file(void *ctx, uint64_t at, char *out, size_t len)
{
    const lifted *l = ctx;
    return file_read_at(l->document->fd, out, len, l->file_at + at);
}

bool document_lifts(const document *d)
{
    return d->count > 0;
}

bool document_lifted(document *d, const json_t *string, document_string *out)
{
    size_t which;
    if (!scan_reference(json_string_value(string), json_string_length(string), &which) ||
        which >= d->count)
        return false;
    lifted *l = d->list[which];
    *out = (document_string){
        .is_base64 = l->is_base64,
        .info = l->info,
        .has_nul = l->has_nul,
        .nul_at = l->nul_at,
    };
    if (l->is_base64) {
        out->wrapped = (mime_stored){
            .data = l->in_file ? NULL : l->bytes.data, .read = read_file, .ctx = l, .len = l->size};
        return true;
    }
    out->text = (mime_bytes){l->bytes.data, (size_t)l->size};
    return true;
}
