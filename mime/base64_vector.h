/*
 * The fast ways through base64: a part of base64.c, which includes this for each width (see
 * base/vector.h) behind the tables it uses.
 *
 * What a byte is, is found by two lookups: one by its low half says in which classes it may be, one
 * by its high half in which it is; the class is what both say, and 0 is no place at all.
 */

VECTOR_TARGET static inline VEC KERNEL(classes)(VEC text, VEC low, VEC high)
{
    return V(and)(V(lookup)(low, text), V(lookup)(high, V(upper)(text)));
}

/* To the standard alphabet: - is + and 2, _ is / and 0x30. */
VECTOR_TARGET static inline VEC KERNEL(translate)(VEC text)
{
    VEC dash = V(and)(V(equal)(text, V(same)('-')), V(same)((uint8_t)('+' - '-')));
    VEC underscore = V(and)(V(equal)(text, V(same)('_')), V(same)((uint8_t)('/' - '_')));
    return V(add)(text, V(or)(dash, underscore));
}

VECTOR_TARGET static inline unsigned KERNEL(seen_in)(VEC classes)
{
    return (V(any)(V(and)(classes, V(same)(CLASS_STANDARD))) ? STANDARD : 0) |
           (V(any)(V(and)(classes, V(same)(CLASS_URL_SAFE))) ? URL_SAFE : 0);
}

VECTOR_TARGET static size_t KERNEL(run)(const char *in, size_t len, char *out, unsigned *seen)
{
    if (len < VECTOR_BYTES)
        return SHORT_RUN(in, len, out, seen);
    const VEC low = V(table)(by_low_half), high = V(table)(by_high_half);
    VEC met = V(zero)();
    size_t i = 0;
    while (i < len) {
        if (len - i < VECTOR_BYTES) /* the last, and some before it once more */
            i = len - VECTOR_BYTES;
        VEC text = V(load)(in + i);
        VEC classes = KERNEL(classes)(text, low, high);
        VEC unfit = V(equal)(classes, V(zero)());
        if (out)
            V(store)(out + i, KERNEL(translate)(text));
        if (V(high)(unfit)) {
            size_t n = V(first)(unfit);
            met = V(or)(met, V(and)(classes, V(first_ones)(n)));
            i += n;
            break;
        }
        met = V(or)(met, classes);
        i += VECTOR_BYTES;
    }
    *seen |= KERNEL(seen_in)(met);
    return i;
}

typedef struct KERNEL(line) {
    VEC low, high, met, unfit;
} KERNEL(line);

VECTOR_TARGET static inline void KERNEL(step)(KERNEL(line) * l, const char *in, char *out)
{
    VEC text = V(load)(in);
    VEC classes = KERNEL(classes)(text, l->low, l->high);
    l->met = V(or)(l->met, classes);
    l->unfit = V(or)(l->unfit, V(equal)(classes, V(zero)()));
    V(store)(out, text);
}

/* A line's 76 bytes; the last step takes some of those before it once more. */
VECTOR_TARGET static inline void KERNEL(line_steps)(KERNEL(line) * l, const char *in, char *out)
{
    const size_t last = MIME_LINE_COLUMNS - VECTOR_BYTES;
    KERNEL(step)(l, in, out);
    KERNEL(step)(l, in + VECTOR_BYTES, out + VECTOR_BYTES);
    if (2 * VECTOR_BYTES < last) {
        KERNEL(step)(l, in + 2 * VECTOR_BYTES, out + 2 * VECTOR_BYTES);
        KERNEL(step)(l, in + 3 * VECTOR_BYTES, out + 3 * VECTOR_BYTES);
    }
    KERNEL(step)(l, in + last, out + last);
}

VECTOR_TARGET static void KERNEL(translate_line)(const char *in, char *out)
{
    const size_t last = MIME_LINE_COLUMNS - VECTOR_BYTES;
    for (size_t at = 0;; at = at + VECTOR_BYTES < last ? at + VECTOR_BYTES : last) {
        V(store)(out + at, KERNEL(translate)(V(load)(in + at)));
        if (at == last)
            break;
    }
}

VECTOR_TARGET static size_t KERNEL(lines)(const char *in, size_t len, char *out, unsigned *seen,
                                          size_t *breaks)
{
    KERNEL(line)
    l = {V(table)(by_low_half), V(table)(by_high_half), V(zero)(), V(zero)()};
    VEC met = V(zero)();
    size_t at = 0;
    while (len - at >= MIME_LINE_COLUMNS) {
        l.met = V(zero)();
        KERNEL(line_steps)(&l, in + at, out);
        if (V(high)(l.unfit))
            break;
        if (V(any)(V(and)(l.met, V(same)(CLASS_URL_SAFE))))
            KERNEL(translate_line)(in + at, out);
        met = V(or)(met, l.met);
        out = put_break(out + MIME_LINE_COLUMNS);
        at += MIME_LINE_COLUMNS;
        if (at < len && (in[at] == '\r' || in[at] == '\n')) {
            size_t n = break_length(in, at, len);
            at += n;
            *breaks += n;
        }
    }
    *seen |= KERNEL(seen_in)(met);
    return at;
}

VECTOR_TARGET static size_t KERNEL(encode)(const unsigned char *in, size_t len, char *out)
{
    const size_t octets = VECTOR_BYTES / 4 * 3;
    const VEC offsets = V(table)(to_character);
    size_t i = 0;
    for (; len - i >= V(SEXTETS_READ); i += octets, out += VECTOR_BYTES) {
        VEC values = V(sextets)(in + i);
        VEC capitals = V(and)(V(at_most)(values, V(same)(25)), V(same)(13));
        VEC which = V(or)(V(less)(values, V(same)(51)), capitals);
        V(store)(out, V(add)(values, V(lookup)(offsets, which)));
    }
    return i;
}
