/*
 * The fast ways through a text that is encoded: a part of encode.c, which includes this for each
 * width (see base/vector.h).
 */

/* What does not stand for itself in quoted-printable; blanks do, here. */
VECTOR_TARGET static inline VEC KERNEL(coded)(VEC text)
{
    VEC printable = V(at_most)(V(add)(text, V(same)((uint8_t)(0x100 - ' '))), V(same)('~' - ' '));
    VEC fit = V(xor)(printable, V(equal)(text, V(same)('=')));
    return V(equal)(V(or)(fit, V(equal)(text, V(same)('\t'))), V(zero)());
}

VECTOR_TARGET static inline VEC KERNEL(ends)(VEC text)
{
    return V(or)(V(equal)(text, V(same)('\r')), V(equal)(text, V(same)('\n')));
}

#define COPY_UNTIL(stops)                                                                          \
    size_t room = smaller(from_room, to_room);                                                     \
    for (size_t i = 0; i < most; i += VECTOR_BYTES) {                                              \
        if (room - i < VECTOR_BYTES)                                                               \
            return i + SHORTER(stops)(from + i, from_room - i, to + i, to_room - i, most - i);     \
        VEC text = V(load)(from + i);                                                              \
        VEC stop = KERNEL(stops)(text);                                                            \
        V(store)(to + i, text);                                                                    \
        if (V(high)(stop))                                                                         \
            return smaller(i + V(first)(stop), most);                                              \
    }                                                                                              \
    return most

VECTOR_TARGET static size_t KERNEL(until_coded)(const char *from, size_t from_room, char *to,
                                                size_t to_room, size_t most)
{
    COPY_UNTIL(coded);
}

VECTOR_TARGET static size_t KERNEL(until_ends)(const char *from, size_t from_room, char *to,
                                               size_t to_room, size_t most)
{
    COPY_UNTIL(ends);
}

#undef COPY_UNTIL

VECTOR_TARGET static void KERNEL(tally)(const char *s, size_t len, tally *t)
{
    size_t i = 0;
    for (; i < len && len - i >= VECTOR_BYTES; i += VECTOR_BYTES) {
        VEC text = V(load)(s + i);
        VEC lf = V(equal)(text, V(same)('\n')), cr = V(equal)(text, V(same)('\r'));
        VEC pair = V(and)(lf, V(equal)(V(load)(s + i - 1), V(same)('\r')));
        size_t ends = V(count)(V(or)(lf, cr));
        t->ends += ends;
        t->pairs += V(count)(pair);
        t->coded += V(count)(KERNEL(coded)(text)) - ends;
    }
    SHORT_COUNT(s + i, len - i, t);
}
