#include "lint/page.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "lint/style.h"
#include "lint/words.h"
#include "mime/html.h"

#define DEPTH_MAX       256 /* of open elements; a deeper one takes the place of the innermost */
#define PREHEADER_MOST  200 /* characters of hidden text that are usual at the top */
#define SPACER          4 /* pixels up to which a picture's side is one's: it counts rules, beacons */
#define LINK_COLOUR     0x0000EE
#define CONTAINER_FLAGS (EF_SCOPE | EF_TABLE)

/* An open element. */
typedef struct level {
    uint16_t id;
    uint32_t flags;
    uint8_t act;
    bool left_out; /* nothing in it is text */
    bool foreign;  /* in <svg> or <math> */
    look look;
    size_t number; /* of the element that made the text in it be hidden, or be seen */
} level;

/* The attributes that are looked at. */
typedef enum known {
    ACTION,
    ALT,
    BACKGROUND,
    BGCOLOR,
    CLASS,
    COLOR,
    HEIGHT,
    HIDDEN,
    HREF,
    EQUIV,
    ID,
    REL,
    SRC,
    STYLE,
    TEXT,
    TYPE,
    WIDTH,
    KNOWN
} known;

static const char *const known_names[KNOWN] = {
    [ACTION] = "action",    [ALT] = "alt",       [BACKGROUND] = "background",
    [BGCOLOR] = "bgcolor",  [CLASS] = "class",   [COLOR] = "color",
    [HEIGHT] = "height",    [HIDDEN] = "hidden", [HREF] = "href",
    [EQUIV] = "http-equiv", [ID] = "id",         [REL] = "rel",
    [SRC] = "src",          [STYLE] = "style",   [TEXT] = "text",
    [TYPE] = "type",        [WIDTH] = "width",
};

typedef struct walker {
    page *page;
    mime_html html;
    mime_html_token token;
    size_t at, end; /* of the token, in the HTML */
    bool has[KNOWN];
    mime_html_attribute attributes[KNOWN];
    buf values[KNOWN];
    style_sheet sheet;
    unsigned depth; /* stack[depth] is the innermost; stack[0] is the document */
    size_t elements;
    size_t last_hidden; /* number of the element whose hidden text was told last */
    page_mark lead;     /* hidden text before any other: where it begins, and how it is hidden */
    size_t lead_ink;    /* its visible characters */
    buf lead_text;
    bool begun;       /* visible text was met */
    size_t sheet_at;  /* where the content of <style> begins */
    unsigned open[3]; /* <body>, <head>, <center>: how many are open, as tags have it */
    size_t last_tag;
    bool ended, odd; /* </html> was met; odd markup was told of */
    bool linked;     /* the last link is open */
    bool broken;     /* the next text isn't of the word before */
    level stack[1 + DEPTH_MAX];
} walker;

static void mark(walker *w, page_mark_kind kind, size_t at, size_t len)
{
    page *p = w->page;
    page_mark m = {kind, at, len};
    if (p->marks_of[kind]++ < PAGE_MARKS_MAX)
        buf_add(&p->marks, &m, sizeof m);
}

static void mark_tag(walker *w, page_mark_kind kind)
{
    mark(w, kind, w->at, w->end - w->at);
}

/* Once is enough. */
static void mark_odd(walker *w, size_t at, size_t len)
{
    if (!w->odd)
        mark(w, PAGE_ODD, at, len);
    w->odd = true;
}

/* ---- attributes ---- */

static bool contains(const char *s, size_t len, const char *word)
{
    for (size_t at = 0; at < len; at++) {
        if (words_begin(s + at, len - at, word))
            return true;
    }
    return false;
}

static bool is_handler(const mime_html_attribute *a)
{
    return a->name_len > 4 && words_begin(a->name, a->name_len, "on") && a->value_len > 0 &&
           (a->name[2] | 0x20) >= 'a' && (a->name[2] | 0x20) <= 'z';
}

/* "<a Href=" and the like. */
static bool is_of_mixed_case(const walker *w, const mime_html_attribute *a)
{
    return w->token.element.id == EL_A && a->name_len == 4 &&
           strncasecmp(a->name, "href", 4) == 0 &&
           memcmp(a->name, w->token.data[0] == 'a' ? "href" : "HREF", 4) != 0;
}

static void read_attributes(walker *w)
{
    mime_html_attribute a;
    bool handled = false;
    memset(w->has, 0, sizeof w->has);
    while (mime_html_next_attribute(&w->token, &a)) {
        if (is_handler(&a) && !handled) {
            mark_tag(w, PAGE_HANDLER);
            handled = true;
        }
        if (is_of_mixed_case(w, &a))
            mark_odd(w, w->at, w->end - w->at);
        size_t i = 0;
        while (i < KNOWN && (a.name_len != strlen(known_names[i]) ||
                             strncasecmp(a.name, known_names[i], a.name_len) != 0))
            i++;
        if (i == KNOWN || w->has[i])
            continue;
        w->has[i] = true;
        w->attributes[i] = a;
    }
}

/* An attribute's value; empty if there is none. */
static mime_html_attribute *value_of(walker *w, known which)
{
    static const mime_html_attribute none = {"", 0, "", 0};
    mime_html_attribute *a = &w->attributes[which];
    if (!w->has[which]) {
        *a = none;
    } else if (w->has[which] && a->value_len > 0) {
        if (!mime_html_decode(a, &w->values[which]))
            *a = none;
    }
    if (a->value_len == 0)
        a->value = "";
    return a;
}

/* The value without the blanks that don't belong to an address. */
static mime_html_attribute *address_of(walker *w, known which)
{
    mime_html_attribute *a = value_of(w, which);
    while (a->value_len > 0 && (unsigned char)*a->value <= ' ') {
        a->value++;
        a->value_len--;
    }
    while (a->value_len > 0 && (unsigned char)a->value[a->value_len - 1] <= ' ')
        a->value_len--;
    return a;
}

/* ---- open elements ---- */

static level *top(walker *w)
{
    return &w->stack[w->depth];
}

static bool is_block(const level *l)
{
    return l->act != ACT_NONE && l->act != ACT_LINK && l->act != ACT_QUOTED;
}

static void end_link(walker *w)
{
    page *p = w->page;
    if (w->linked && buf_ok(&p->links) && p->links.len > 0) {
        page_link *l = (page_link *)(void *)(p->links.data + p->links.len) - 1;
        l->text.len = p->text.len - l->text.at;
    }
    w->linked = false;
}

static void pop_to(walker *w, unsigned depth)
{
    for (; w->depth > depth; w->depth--) {
        w->broken = w->broken || is_block(top(w));
        if (top(w)->id == EL_A)
            end_link(w);
    }
    w->html.foreign = top(w)->foreign;
}

/* How deep the innermost open `id` is; 0 if there is none, or an element with one of the flags in
 * between. */
static unsigned find(const walker *w, uint16_t id, uint32_t flags)
{
    for (unsigned depth = w->depth; depth > 0; depth--) {
        if (w->stack[depth].id == id)
            return depth;
        if (w->stack[depth].flags & flags)
            return 0;
    }
    return 0;
}

static void end_if_open(walker *w, uint16_t id, uint32_t flags)
{
    unsigned depth = find(w, id, flags);
    if (depth > 0)
        pop_to(w, depth - 1);
}

/* Parts of a table end what is open in the part before. */
static void end_table_part(walker *w, const mime_element *e)
{
    unsigned depth = w->depth;
    while (depth > 0 && !(w->stack[depth].flags & EF_TABLE) &&
           !mime_element_fits(e->flags, w->stack[depth].flags))
        depth--;
    if (depth > 0)
        pop_to(w, depth);
}

static void end_others(walker *w, const mime_element *e)
{
    if (e->flags & EF_IN_TABLE)
        end_table_part(w, e);
    if (e->flags & EF_ENDS_OWN)
        end_if_open(w, e->id, e->id == EL_A ? CONTAINER_FLAGS : CONTAINER_FLAGS | EF_LIST_SCOPE);
    if (e->flags & EF_ENDS_P)
        end_if_open(w, EL_P, EF_SCOPE | EF_P_SCOPE);
}

static bool is_void(const walker *w, const mime_element *e)
{
    return e->flags & EF_VOID ||
           (w->token.self_closing && (top((walker *)w)->foreign || e->act == ACT_FOREIGN));
}

/* What of an element's own colours SpamAssassin reads. */
static void read_colours(walker *w, const mime_element *e, const style *own, look *l)
{
    static const uint16_t styled[] = {EL_TABLE, EL_TR, EL_TD, EL_TH, EL_SPAN, EL_P, EL_DIV, EL_A};
    known attribute = e->id == EL_BODY ? TEXT : COLOR;
    if ((e->id == EL_BODY || e->id == EL_FONT) && w->has[attribute]) {
        const mime_html_attribute *a = value_of(w, attribute);
        l->read_colour = style_colour(a->value, a->value_len);
    }
    for (size_t i = 0; i < sizeof styled / sizeof *styled; i++) {
        if (styled[i] != e->id)
            continue;
        if (own->colour != STYLE_UNSET)
            l->read_colour = own->colour;
        if (own->background >= 0)
            l->read_background = own->background;
    }
}

static look look_of(walker *w, const mime_element *e, style *s)
{
    static const struct {
        known attribute;
        bool background;
    } colours[] = {{COLOR, false}, {BGCOLOR, true}};
    style_init(s);
    if (e->id == EL_A && w->has[HREF])
        s->colour = LINK_COLOUR;
    for (size_t i = 0; i < sizeof colours / sizeof *colours; i++) {
        const mime_html_attribute *a = value_of(w, colours[i].attribute);
        if (w->has[colours[i].attribute])
            *(colours[i].background ? &s->background : &s->colour) =
                style_colour(a->value, a->value_len);
    }
    if (e->id == EL_BODY && w->has[TEXT]) {
        const mime_html_attribute *a = value_of(w, TEXT);
        s->colour = style_colour(a->value, a->value_len);
    }
    if (w->has[BACKGROUND])
        s->background = STYLE_UNKNOWN;
    if (w->sheet.count > 0) {
        const mime_html_attribute *class = value_of(w, CLASS), *id = value_of(w, ID);
        style_sheet_apply(&w->sheet, s, w->token.data, w->token.len, class->value, class->value_len,
                          id->value, id->value_len);
    }
    if (w->has[HIDDEN])
        s->hides = true;
    int32_t colour = s->colour, background = s->background;
    s->colour = s->background = STYLE_UNSET;
    if (w->has[STYLE]) {
        const mime_html_attribute *a = value_of(w, STYLE);
        style_read(s, a->value, a->value_len);
    }
    style own = *s;
    if (s->colour == STYLE_UNSET)
        s->colour = colour;
    if (s->background == STYLE_UNSET)
        s->background = background;
    look l = style_apply(&top(w)->look, s);
    read_colours(w, e, &own, &l);
    return l;
}

static void push(walker *w, const mime_element *e, const look *l)
{
    if (w->depth == DEPTH_MAX)
        pop_to(w, DEPTH_MAX - 1);
    const level *outer = top(w);
    bool hides = style_hidden(l) != style_hidden(&outer->look);
    w->stack[w->depth + 1] = (level){
        .id = e->id,
        .flags = e->flags,
        .act = e->act,
        .left_out =
            outer->left_out || e->act == ACT_SKIP || (outer->foreign && e->act == ACT_FOREIGN_SKIP),
        .foreign = outer->foreign || e->act == ACT_FOREIGN,
        .look = *l,
        .number = hides ? w->elements : outer->number,
    };
    w->depth++;
    w->html.foreign = top(w)->foreign;
}

/* ---- what elements are ---- */

static void on_link(walker *w)
{
    page *p = w->page;
    if (!w->has[HREF])
        return;
    const mime_html_attribute *a = address_of(w, HREF);
    page_link l = {w->at, {p->strings.len, a->value_len}, {p->text.len, 0}};
    buf_add(&p->strings, a->value, a->value_len);
    buf_add(&p->links, &l, sizeof l);
    w->linked = w->token.element.id == EL_A;
}

/* A side of a picture in pixels; 0: it isn't told. */
static uint64_t side(walker *w, known attribute, int32_t styled)
{
    const mime_html_attribute *a = value_of(w, attribute);
    bool relative;
    int32_t n = style_length(a->value, a->value_len, &relative);
    if (n < 0 || relative)
        n = styled;
    return n < 0 ? 0 : (uint64_t)n / 10;
}

static void add_source(walker *w, const mime_html_attribute *a)
{
    page *p = w->page;
    page_link l = {w->at, {p->strings.len, a->value_len}, {p->text.len, 0}};
    buf_add(&p->strings, a->value, a->value_len);
    buf_add(&p->sources, &l, sizeof l);
}

static void on_image(walker *w, const style *s, bool hidden)
{
    page *p = w->page;
    const mime_html_attribute *src = address_of(w, SRC);
    uint64_t width = side(w, WIDTH, s->width), height = side(w, HEIGHT, s->height);
    if (words_begin(src->value, src->value_len, "data:"))
        mark_tag(w, PAGE_DATA);
    if (words_begin(src->value, src->value_len, "http:"))
        mark_tag(w, PAGE_PLAIN_IMAGE);
    p->pictures++;
    add_source(w, src);
    if (hidden || (width > 0 && width <= SPACER) || (height > 0 && height <= SPACER))
        return; /* it isn't seen */
    if (!w->has[ALT])
        mark_tag(w, PAGE_NO_ALT);
    p->images++;
    p->area += width * height;
}

/* Data for machines, as Gmail's markup is, isn't run. */
static void on_script(walker *w)
{
    const mime_html_attribute *type = value_of(w, TYPE);
    if (!contains(type->value, type->value_len, "json"))
        mark_tag(w, PAGE_SCRIPT);
}

static void on_element(walker *w, const mime_element *e, const style *s, const look *l)
{
    switch (e->id) {
    case EL_A:
    case EL_AREA: on_link(w); break;
    case EL_IMG:
    case EL_IMAGE: on_image(w, s, (style_hidden(l) & ~(HIDDEN_TINY | HIDDEN_COLOUR)) != 0); break;
    case EL_SCRIPT: on_script(w); break;
    case EL_FORM:
        mark_tag(w, PAGE_FORM);
        add_source(w, address_of(w, ACTION));
        break;
    case EL_IFRAME:
    case EL_FRAME:
    case EL_OBJECT:
    case EL_EMBED:
    case EL_APPLET: mark_tag(w, PAGE_FRAME); break;
    case EL_LINK: {
        const mime_html_attribute *rel = value_of(w, REL);
        if (contains(rel->value, rel->value_len, "stylesheet"))
            mark_tag(w, PAGE_CSS);
        break;
    }
    case EL_META: {
        const mime_html_attribute *equiv = value_of(w, EQUIV);
        if (words_begin(equiv->value, equiv->value_len, "refresh"))
            mark_tag(w, PAGE_REFRESH);
        break;
    }
    case EL_STYLE: w->sheet_at = w->end; break;
    case EL_BODY:
    case EL_HTML: /* they are always there, and aren't pushed */ top(w)->look = *l; break;
    default: break;
    }
}

/* Counts those that must be closed; what is closed too often is as nothing. */
static void count_open(walker *w, bool start)
{
    static const uint16_t counted[] = {EL_BODY, EL_HEAD, EL_CENTER};
    w->last_tag = w->at;
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++) {
        if (w->token.element.id == counted[i] && start)
            w->open[i]++;
        else if (w->token.element.id == counted[i] && w->open[i] > 0)
            w->open[i]--;
    }
    w->ended = w->ended || (!start && w->token.element.id == EL_HTML);
}

static void on_start(walker *w)
{
    const mime_element *e = &w->token.element;
    style s;
    w->elements++;
    count_open(w, true);
    read_attributes(w);
    if (w->stack[w->depth].foreign && e->flags & (EF_ENDS_P | EF_IN_TABLE)) {
        unsigned depth = w->depth;
        while (depth > 0 && w->stack[depth].foreign)
            depth--;
        pop_to(w, depth);
    }
    end_others(w, e);
    look l = look_of(w, e, &s);
    if (e->act != ACT_NONE && e->act != ACT_LINK && e->act != ACT_QUOTED)
        w->broken = true;
    if (!(e->flags & EF_IGNORED) && !is_void(w, e))
        push(w, e, &l);
    on_element(w, e, &s, &l);
}

/* Its text comes in pieces, but is what stands between the tags. */
static void on_sheet_end(walker *w)
{
    bool imported = w->sheet.imports;
    style_sheet_read(&w->sheet, w->page->html + w->sheet_at, w->at - w->sheet_at);
    if (w->sheet.imports && !imported)
        mark(w, PAGE_CSS, w->sheet_at, w->at - w->sheet_at);
}

static void on_end(walker *w)
{
    const mime_element *e = &w->token.element;
    count_open(w, false);
    if (e->flags & EF_IGNORED)
        return;
    if (e->id == EL_STYLE && top(w)->id == EL_STYLE && !top(w)->foreign)
        on_sheet_end(w);
    uint32_t stops = CONTAINER_FLAGS;
    if (e->flags & (EF_IN_TABLE | EF_TABLE))
        stops = EF_TABLE;
    else if (e->id == EL_LI)
        stops |= EF_LIST_SCOPE;
    end_if_open(w, e->id, stops);
}

/* ---- text ---- */

/* Characters that take no ink: blanks, and those without a width that fill up preheaders. */
static bool is_inkless(uint32_t c)
{
    return c <= ' ' || c == 0xA0 || c == 0xAD || c == 0x034F || c == 0x061C || c == 0x115F ||
           c == 0x180E || (c >= 0x2000 && c <= 0x200F) || (c >= 0x2028 && c <= 0x202F) ||
           (c >= 0x205F && c <= 0x206F) || c == 0x3000 || c == 0x2800 || c == 0xFEFF;
}

/* Characters with ink; in *weight as a reader's time has them, with a Chinese one as three. */
static size_t count_ink(const char *s, size_t len, size_t *weight)
{
    size_t count = 0;
    *weight = 0;
    for (size_t at = 0; at < len;) {
        uint32_t c;
        size_t n = utf8_decode(s + at, len - at, &c);
        at += n ? n : 1;
        if (n == 0 || is_inkless(c))
            continue;
        count++;
        *weight += c >= 0x2E80 && c < 0x1F000 ? 3 : 1;
    }
    return count;
}

static page_mark_kind kind_of(unsigned hidden)
{
    static const struct {
        unsigned bit;
        page_mark_kind kind;
    } kinds[] = {
        {HIDDEN_DISPLAY, PAGE_DISPLAY}, {HIDDEN_OFFSCREEN, PAGE_OFFSCREEN},
        {HIDDEN_CLIPPED, PAGE_CLIPPED}, {HIDDEN_TRANSPARENT, PAGE_TRANSPARENT},
        {HIDDEN_TINY, PAGE_TINY},       {HIDDEN_COLOUR, PAGE_COLOUR},
    };
    size_t i = 0;
    while (!(hidden & kinds[i].bit))
        i++;
    return kinds[i].kind;
}

/* What hides before all other text is judged at the end. */
static void on_hidden(walker *w, unsigned hidden, size_t ink)
{
    size_t number = top(w)->number;
    if (!w->begun) {
        if (w->lead_ink == 0)
            w->lead = (page_mark){kind_of(hidden), w->at, w->end - w->at};
        w->lead_ink += ink;
        buf_add(&w->lead_text, w->token.data, w->token.len);
    } else if (number != w->last_hidden) {
        mark(w, kind_of(hidden), w->at, w->end - w->at);
    }
    w->last_hidden = number;
}

/* It is a preheader, as long as there is little of it, or it is all seen further down. */
static bool is_preheader(walker *w)
{
    buf hidden = BUF_INIT, seen = BUF_INIT;
    size_t all, shared = 0;
    if (w->lead_ink <= PREHEADER_MOST)
        return true;
    bool ok = words_set(w->lead_text.data, w->lead_text.len, &hidden) &&
              words_set(w->page->text.data ? w->page->text.data : "", w->page->text.len, &seen);
    if (ok)
        shared = words_shared(&hidden, &seen, &all);
    else
        w->lead_text.failed = true;
    buf_free(&hidden);
    buf_free(&seen);
    return ok && shared * 10 >= all * 9;
}

static void judge_lead(walker *w)
{
    if (w->lead_ink > 0)
        mark(w, is_preheader(w) ? PAGE_PREHEADER : w->lead.kind, w->lead.at, w->lead.len);
}

static void on_text(walker *w)
{
    page *p = w->page;
    const level *l = top(w);
    size_t weight;
    if (l->left_out)
        return;
    size_t ink = count_ink(w->token.data, w->token.len, &weight);
    unsigned hidden = style_hidden(&l->look);
    if (hidden) {
        if (ink > 0)
            on_hidden(w, hidden, ink);
        return;
    }
    w->begun = w->begun || ink > 0;
    if (ink > 0 && w->ended)
        mark_odd(w, w->at, w->end - w->at);
    if (ink > 0 && style_reads_as_hidden(&l->look))
        mark(w, PAGE_UNREAD, w->at, w->end - w->at);
    p->seen += weight;
    if (w->broken && p->text.len > 0 && p->text.data[p->text.len - 1] != '\n')
        buf_addc(&p->text, '\n');
    w->broken = false;
    page_run run = {p->text.len, w->at};
    buf_add(&p->runs, &run, sizeof run);
    buf_add(&p->text, w->token.data, w->token.len);
}

bool page_read(page *p, const char *html, size_t len)
{
    walker *w = calloc(1, sizeof *w);
    *p = (page){.html = html, .len = len};
    if (!w)
        return false;
    w->page = p;
    w->last_hidden = SIZE_MAX;
    w->stack[0].look = style_first_look();
    mime_html_init(&w->html, html, len);
    for (;;) {
        w->at = (size_t)(w->html.at - html);
        mime_html_kind kind = mime_html_next(&w->html, &w->token);
        w->end = (size_t)(w->html.at - html);
        if (kind == MIME_HTML_TEXT)
            on_text(w);
        else if (kind == MIME_HTML_START_TAG)
            on_start(w);
        else if (kind == MIME_HTML_END_TAG)
            on_end(w);
        else if (kind == MIME_HTML_END)
            break;
    }
    pop_to(w, 0);
    judge_lead(w);
    if (w->open[0] || w->open[1] || w->open[2])
        mark_odd(w, w->last_tag, 0);
    bool ok = buf_ok(&w->lead_text);
    buf_free(&w->lead_text);
    for (size_t i = 0; i < KNOWN; i++) {
        ok = ok && buf_ok(&w->values[i]);
        buf_free(&w->values[i]);
    }
    free(w);
    return ok && buf_ok(&p->marks) && buf_ok(&p->links) && buf_ok(&p->runs) && buf_ok(&p->text) &&
           buf_ok(&p->strings) && buf_ok(&p->sources);
}

void page_free(page *p)
{
    buf_free(&p->marks);
    buf_free(&p->links);
    buf_free(&p->runs);
    buf_free(&p->text);
    buf_free(&p->strings);
    buf_free(&p->sources);
}

size_t page_place(const page *p, size_t text)
{
    const page_run *runs = (const page_run *)(const void *)p->runs.data;
    size_t low = 0, high = p->runs.len / sizeof *runs;
    while (low < high) { /* the last run that begins at or before it */
        size_t middle = low + (high - low) / 2;
        if (runs[middle].text <= text)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? 0 : runs[low - 1].html;
}
