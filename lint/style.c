#include "lint/style.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hex.h"
#include "mime/html.h"

#define PIXEL       10
#define FAR         (-500 * PIXEL) /* nothing is shown so far out */
#define NEARLY_NONE PIXEL          /* of a box */
#define TINY        (2 * PIXEL)    /* of a font, and what is less */
#define SAME        16 /* how much each part of two colours may differ, to look the same */
#define LENGTH_MAX  10000000

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

/* Takes the blanks around off. */
static void trim(const char **s, size_t *len)
{
    while (*len > 0 && is_blank(**s)) {
        (*s)++;
        (*len)--;
    }
    while (*len > 0 && is_blank((*s)[*len - 1]))
        (*len)--;
}

static bool is_word(const char *s, size_t len, const char *word)
{
    return len == strlen(word) && strncasecmp(s, word, len) == 0;
}

static bool has_word(const char *s, size_t len, const char *word)
{
    size_t n = strlen(word);
    for (size_t at = 0; at + n <= len; at++) {
        if (strncasecmp(s + at, word, n) == 0)
            return true;
    }
    return false;
}

/* ---- values ---- */

static const struct {
    const char *name;
    int32_t colour;
} names[] = {
    {"aqua", 0x00FFFF},       {"beige", 0xF5F5DC},      {"black", 0x000000},
    {"blue", 0x0000FF},       {"cyan", 0x00FFFF},       {"darkblue", 0x00008B},
    {"darkgray", 0xA9A9A9},   {"darkgreen", 0x006400},  {"darkgrey", 0xA9A9A9},
    {"darkred", 0x8B0000},    {"dimgray", 0x696969},    {"floralwhite", 0xFFFAF0},
    {"fuchsia", 0xFF00FF},    {"gainsboro", 0xDCDCDC},  {"ghostwhite", 0xF8F8FF},
    {"gold", 0xFFD700},       {"gray", 0x808080},       {"green", 0x008000},
    {"grey", 0x808080},       {"honeydew", 0xF0FFF0},   {"indigo", 0x4B0082},
    {"ivory", 0xFFFFF0},      {"lightgray", 0xD3D3D3},  {"lightgrey", 0xD3D3D3},
    {"lime", 0x00FF00},       {"linen", 0xFAF0E6},      {"magenta", 0xFF00FF},
    {"maroon", 0x800000},     {"mintcream", 0xF5FFFA},  {"navy", 0x000080},
    {"olive", 0x808000},      {"orange", 0xFFA500},     {"pink", 0xFFC0CB},
    {"purple", 0x800080},     {"red", 0xFF0000},        {"seashell", 0xFFF5EE},
    {"silver", 0xC0C0C0},     {"snow", 0xFFFAFA},       {"teal", 0x008080},
    {"tomato", 0xFF6347},     {"violet", 0xEE82EE},     {"white", 0xFFFFFF},
    {"whitesmoke", 0xF5F5F5}, {"yellow", 0xFFFF00},     {"transparent", STYLE_NO_COLOUR},
    {"inherit", STYLE_UNSET}, {"initial", STYLE_UNSET}, {"none", STYLE_NO_COLOUR},
};

/* "abc", "abcd", "aabbcc", "aabbccdd". */
static int32_t hex_colour(const char *s, size_t len)
{
    int32_t colour = 0;
    int digits[8];
    if (len != 3 && len != 4 && len != 6 && len != 8)
        return STYLE_UNKNOWN;
    for (size_t i = 0; i < len; i++) {
        if ((digits[i] = hex_digit(s[i])) < 0)
            return STYLE_UNKNOWN;
    }
    bool brief = len < 6;
    for (size_t i = 0; i < 3; i++)
        colour = colour << 8 | (brief ? digits[i] * 17 : digits[2 * i] * 16 + digits[2 * i + 1]);
    int alpha = len == 4 ? digits[3] * 17 : len == 8 ? digits[6] * 16 + digits[7] : 255;
    return alpha == 0 ? STYLE_NO_COLOUR : alpha < 128 ? STYLE_UNKNOWN : colour;
}

/* A number; the rest of the text to *rest. False if there is none. */
static bool number(const char *s, size_t len, double *out, size_t *taken)
{
    char digits[24];
    char *end;
    size_t n = len < sizeof digits - 1 ? len : sizeof digits - 1;
    size_t kept = 0;
    while (kept < n && (strchr("+-.", s[kept]) || (s[kept] >= '0' && s[kept] <= '9')) && s[kept])
        kept++;
    memcpy(digits, s, kept);
    digits[kept] = '\0';
    *out = strtod(digits, &end);
    *taken = (size_t)(end - digits);
    return end != digits;
}

/* "1, 2, 3", "1 2 3 / 50%", "1, 2, 3, 0.5". */
static int32_t rgb_colour(const char *s, size_t len)
{
    double parts[4] = {0, 0, 0, 1};
    size_t count = 0;
    for (size_t at = 0, taken = 0; at < len && count < 4; at += taken ? taken : 1) {
        double n;
        if (!number(s + at, len - at, &n, &taken))
            continue;
        parts[count] = n;
        if (at + taken < len && s[at + taken] == '%')
            parts[count] *= count < 3 ? 2.55 : 0.01;
        count++;
    }
    if (count < 3)
        return STYLE_UNKNOWN;
    int32_t colour = 0;
    for (size_t i = 0; i < 3; i++) {
        double part = parts[i] < 0 ? 0 : parts[i] > 255 ? 255 : parts[i];
        colour = colour << 8 | (int32_t)(part + 0.5);
    }
    return parts[3] <= 0.02 ? STYLE_NO_COLOUR : parts[3] < 0.5 ? STYLE_UNKNOWN : colour;
}

int32_t style_colour(const char *s, size_t len)
{
    trim(&s, &len);
    if (len > 0 && *s == '#')
        return hex_colour(s + 1, len - 1);
    if (len > 4 && strncasecmp(s, "rgb", 3) == 0)
        return rgb_colour(s + 3, len - 3);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (is_word(s, len, names[i].name))
            return names[i].colour;
    }
    return hex_colour(s, len); /* as attributes may have it */
}

int32_t style_length(const char *s, size_t len, bool *relative)
{
    static const struct {
        const char *unit;
        double factor;
        bool relative;
    } units[] = {
        {"px", PIXEL, false},
        {"pt", PIXEL * 4 / 3.0, false},
        {"em", 100, true},
        {"rem", 160, false},
        {"%", 1, true},
        {"in", PIXEL * 96, false},
        {"cm", PIXEL * 37.8, false},
        {"mm", PIXEL * 3.78, false},
        {"", PIXEL, false},
    };
    double n;
    size_t taken;
    trim(&s, &len);
    *relative = false;
    if (!number(s, len, &n, &taken))
        return STYLE_UNKNOWN;
    s += taken;
    len -= taken;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (!is_word(s, len, units[i].unit))
            continue;
        *relative = units[i].relative;
        n *= units[i].factor;
        if (n > LENGTH_MAX || n < -LENGTH_MAX)
            n = n > 0 ? LENGTH_MAX : -LENGTH_MAX;
        /* What is negative and small would be one of the values that aren't lengths. */
        return n < 0 && n > -PIXEL ? 0 : (int32_t)n;
    }
    return STYLE_UNKNOWN;
}

/* ---- declarations ---- */

void style_init(style *s)
{
    *s = (style){.size = STYLE_UNSET,
                 .colour = STYLE_UNSET,
                 .background = STYLE_UNSET,
                 .width = STYLE_UNKNOWN,
                 .height = STYLE_UNKNOWN};
}

typedef struct declaration {
    style *style;
    const char *value;
    size_t len;
} declaration;

static void read_display(declaration *d)
{
    d->style->hides = is_word(d->value, d->len, "none");
    d->style->shows = !d->style->hides;
}

static void read_visibility(declaration *d)
{
    d->style->invisible =
        is_word(d->value, d->len, "hidden") || is_word(d->value, d->len, "collapse");
    d->style->visible = !d->style->invisible;
}

static void read_size(declaration *d)
{
    bool relative;
    int32_t n = style_length(d->value, d->len, &relative);
    if (n < 0)
        return;
    d->style->size = n;
    d->style->relative = relative;
}

static void read_colour(declaration *d)
{
    d->style->colour = style_colour(d->value, d->len);
}

static void read_background(declaration *d)
{
    if (has_word(d->value, d->len, "url(") || has_word(d->value, d->len, "gradient"))
        d->style->background = STYLE_UNKNOWN;
    else {
        const char *end = memchr(d->value, ' ', d->len);
        bool function = memchr(d->value, '(', d->len) != NULL;
        size_t len = end && !function ? (size_t)(end - d->value) : d->len;
        d->style->background = style_colour(d->value, len);
    }
}

static void read_background_image(declaration *d)
{
    if (!is_word(d->value, d->len, "none"))
        d->style->background = STYLE_UNKNOWN;
}

static void read_opacity(declaration *d)
{
    double n;
    size_t taken;
    if (number(d->value, d->len, &n, &taken))
        d->style->transparent = n <= 0.05;
}

static void read_position(declaration *d)
{
    d->style->out_of_flow =
        is_word(d->value, d->len, "absolute") || is_word(d->value, d->len, "fixed");
}

static bool is_far(const declaration *d)
{
    bool relative;
    int32_t n = style_length(d->value, d->len, &relative);
    return n <= FAR && (!relative || n <= 10 * FAR);
}

static void read_offset(declaration *d)
{
    d->style->far = d->style->far || is_far(d);
}

static void read_indent(declaration *d)
{
    d->style->indented_far = d->style->indented_far || is_far(d);
}

static void read_overflow(declaration *d)
{
    d->style->clips = is_word(d->value, d->len, "hidden");
}

static void read_extent(declaration *d, int32_t *extent)
{
    bool relative;
    int32_t n = style_length(d->value, d->len, &relative);
    if (n == STYLE_UNKNOWN)
        return;
    d->style->no_box = d->style->no_box || n == 0 || (n <= NEARLY_NONE && !relative);
    if (extent && !relative)
        *extent = n;
}

static void read_width(declaration *d)
{
    read_extent(d, &d->style->width);
}

static void read_height(declaration *d)
{
    read_extent(d, &d->style->height);
}

static void read_most(declaration *d)
{
    read_extent(d, NULL);
}

static const struct {
    const char *name;
    void (*read)(declaration *d);
} properties[] = {
    {"display", read_display},
    {"visibility", read_visibility},
    {"font-size", read_size},
    {"color", read_colour},
    {"background", read_background},
    {"background-color", read_background},
    {"background-image", read_background_image},
    {"opacity", read_opacity},
    {"position", read_position},
    {"left", read_offset},
    {"right", read_offset},
    {"top", read_offset},
    {"bottom", read_offset},
    {"text-indent", read_indent},
    {"margin-left", read_indent},
    {"margin-top", read_indent},
    {"overflow", read_overflow},
    {"width", read_width},
    {"height", read_height},
    {"max-width", read_most},
    {"max-height", read_most},
};

static void read_declaration(style *s, const char *text, size_t len)
{
    const char *colon = memchr(text, ':', len);
    if (!colon)
        return;
    size_t name_len = (size_t)(colon - text);
    declaration d = {s, colon + 1, len - name_len - 1};
    const char *important = memchr(d.value, '!', d.len);
    if (important)
        d.len = (size_t)(important - d.value);
    trim(&text, &name_len);
    trim(&d.value, &d.len);
    for (size_t i = 0; i < sizeof properties / sizeof *properties; i++) {
        if (is_word(text, name_len, properties[i].name)) {
            properties[i].read(&d);
            return;
        }
    }
}

void style_read(style *s, const char *css, size_t len)
{
    for (size_t at = 0, end; at < len; at = end + 1) {
        end = mime_html_declaration_end(css, len, at);
        read_declaration(s, css + at, end - at);
    }
}

/* ---- what is seen ---- */

look style_first_look(void)
{
    return (look){.size = 16 * PIXEL,
                  .colour = 0x000000,
                  .background = 0xFFFFFF,
                  .read_colour = 0x000000,
                  .read_background = 0xFFFFFF};
}

look style_apply(const look *parent, const style *s)
{
    look l = *parent;
    if (s->hides)
        l.hidden |= HIDDEN_DISPLAY;
    if (s->transparent)
        l.hidden |= HIDDEN_TRANSPARENT;
    if ((s->out_of_flow && s->far) || s->indented_far)
        l.hidden |= HIDDEN_OFFSCREEN;
    if (s->clips && s->no_box)
        l.hidden |= HIDDEN_CLIPPED;
    l.invisible = (l.invisible && !s->visible) || s->invisible;
    if (s->size >= 0)
        l.size = s->relative ? (int32_t)((int64_t)parent->size * s->size / 100) : s->size;
    if (l.size > LENGTH_MAX)
        l.size = LENGTH_MAX;
    if (s->colour != STYLE_UNSET)
        l.colour = s->colour;
    if (s->background != STYLE_UNSET && s->background != STYLE_NO_COLOUR)
        l.background = s->background;
    return l;
}

static bool look_the_same(int32_t a, int32_t b)
{
    for (unsigned shift = 0; shift < 24; shift += 8) {
        int difference = (a >> shift & 0xFF) - (b >> shift & 0xFF);
        if (abs(difference) > SAME)
            return false;
    }
    return true;
}

unsigned style_hidden(const look *l)
{
    unsigned hidden = l->hidden;
    if (l->invisible)
        hidden |= HIDDEN_DISPLAY;
    if (l->size < TINY)
        hidden |= HIDDEN_TINY;
    if (l->colour == STYLE_NO_COLOUR)
        hidden |= HIDDEN_TRANSPARENT;
    if (l->colour >= 0 && l->background >= 0 && look_the_same(l->colour, l->background))
        hidden |= HIDDEN_COLOUR;
    return hidden;
}

/* The square of what lies between two values of a colour, in as many parts of 10,000 of it. */
static int64_t apart(int32_t a, int32_t b, unsigned shift, int64_t weight)
{
    int64_t d = ((a >> shift & 0xFF) - (b >> shift & 0xFF)) * weight;
    return d * d;
}

bool style_reads_as_hidden(const look *l)
{
    static const int64_t least = 120000; /* its own measure is 12, weighted by brightness */
    int32_t a = l->read_colour, b = l->read_background;
    return a >= 0 && b >= 0 &&
           apart(a, b, 16, 2126) + apart(a, b, 8, 7152) + apart(a, b, 0, 722) < least * least;
}

/* ---- rules of <style> ---- */

/* Behind the comment at `at`, if there is one. */
static size_t skip_comment(const char *s, size_t len, size_t at)
{
    if (len - at < 2 || s[at] != '/' || s[at + 1] != '*')
        return at;
    for (at += 2; at + 1 < len; at++) {
        if (s[at] == '*' && s[at + 1] == '/')
            return at + 2;
    }
    return len;
}

/* Behind the "}" that ends the block whose "{" is at `at`. */
static size_t block_end(const char *s, size_t len, size_t at)
{
    unsigned depth = 0;
    for (; at < len; at++) {
        if (s[at] == '{')
            depth++;
        else if (s[at] == '}' && --depth == 0)
            return at + 1;
    }
    return len;
}

static bool is_name(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (strchr(" \t\r\n.#>+~:[*", s[i]))
            return false;
    }
    return len > 0;
}

static void add_selector(style_sheet *sheet, const char *s, size_t len, const style *said)
{
    trim(&s, &len);
    char kind = len > 0 && (*s == '.' || *s == '#') ? *s : 'e';
    if (kind != 'e') {
        s++;
        len--;
    }
    if (is_name(s, len) && sheet->count < STYLE_RULES)
        sheet->rules[sheet->count++] = (style_rule){kind, s, len, *said};
}

static void add_rule(style_sheet *sheet, const char *selectors, size_t len, const char *css,
                     size_t css_len)
{
    style said;
    style_init(&said);
    style_read(&said, css, css_len);
    while (len > 0) {
        const char *comma = memchr(selectors, ',', len);
        size_t n = comma ? (size_t)(comma - selectors) : len;
        add_selector(sheet, selectors, n, &said);
        if (!comma)
            return;
        selectors += n + 1;
        len -= n + 1;
    }
}

/* An at-rule: where it ends. */
static size_t read_at_rule(style_sheet *sheet, const char *css, size_t len, size_t at)
{
    size_t to = at;
    while (to < len && css[to] != ';' && css[to] != '{')
        to++;
    if (len - at > 7 && strncasecmp(css + at, "@import", 7) == 0)
        sheet->imports = true;
    if (to == len || css[to] == ';')
        return to < len ? to + 1 : len;
    sheet->conditional = true;
    return block_end(css, len, to);
}

void style_sheet_read(style_sheet *sheet, const char *css, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t from = skip_comment(css, len, at);
        if (from > at || is_blank(css[at])) {
            at = from > at ? from : at + 1;
            continue;
        }
        if (css[at] == '@') {
            at = read_at_rule(sheet, css, len, at);
            continue;
        }
        const char *open = memchr(css + at, '{', len - at);
        if (!open)
            return;
        size_t body = (size_t)(open - css), end = block_end(css, len, body);
        if (end > body + 1)
            add_rule(sheet, css + at, body - at, css + body + 1,
                     end - body - 1 - (css[end - 1] == '}'));
        at = end;
    }
}

static bool has_class(const char *classes, size_t len, const char *name, size_t name_len)
{
    for (size_t at = 0, end; at < len; at = end + 1) {
        end = at;
        while (end < len && !is_blank(classes[end]))
            end++;
        if (end - at == name_len && memcmp(classes + at, name, name_len) == 0)
            return true;
    }
    return false;
}

/* `conditional`: what it says on display may not hold. */
static void add_style(style *to, const style *from, bool conditional)
{
    if ((from->hides || from->shows) && !conditional) {
        to->hides = from->hides;
        to->shows = from->shows;
    }
    if (from->invisible || from->visible) {
        to->invisible = from->invisible;
        to->visible = from->visible;
    }
    to->transparent = to->transparent || from->transparent;
    to->out_of_flow = to->out_of_flow || from->out_of_flow;
    to->far = to->far || from->far;
    to->indented_far = to->indented_far || from->indented_far;
    to->clips = to->clips || from->clips;
    to->no_box = to->no_box || from->no_box;
    if (from->size != STYLE_UNSET) {
        to->size = from->size;
        to->relative = from->relative;
    }
    if (from->colour != STYLE_UNSET)
        to->colour = from->colour;
    if (from->background != STYLE_UNSET)
        to->background = from->background;
}

void style_sheet_apply(const style_sheet *sheet, style *s, const char *element, size_t element_len,
                       const char *classes, size_t classes_len, const char *id, size_t id_len)
{
    for (size_t i = 0; i < sheet->count; i++) {
        const style_rule *r = &sheet->rules[i];
        bool fits;
        if (r->kind == '.')
            fits = has_class(classes, classes_len, r->name, r->name_len);
        else if (r->kind == '#')
            fits = id_len == r->name_len && memcmp(id, r->name, id_len) == 0;
        else
            fits = element_len == r->name_len && strncasecmp(element, r->name, element_len) == 0;
        if (fits)
            add_style(s, &r->style, sheet->conditional);
    }
}
