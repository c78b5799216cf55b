/*
 * The fast ways through a text that is encoded: a part of encode.c, which includes this for each
 * width (see base/vector.h).
 */

/* What does not stand for itself in quoted-printable; blanks do, here. */
VECTOR_TARGET static inline VEC KERNEL(coded)(VEC text)
{
    VEC by_low = V(lookup)(V(table)(literal_by_low), text);
    VEC by_high = V(lookup)(V(table)(literal_by_high), V(upper)(text));
    return V(equal)(V(and)(by_low, by_high), V(zero)());
}

VECTOR_TARGET static inline VEC KERNEL(ends)(VEC text)
{
    return V(or)(V(equal)(text, V(same)('\r')), V(equal)(text, V(same)('\n')));
}

VECTOR_TARGET static size_t KERNEL(until_ends)(const char *from, size_t from_room, char *to,
                                               size_t to_room, size_t most)
{
    size_t room = smaller(from_room, to_room);
    for (size_t i = 0; i < most; i += VECTOR_BYTES) {
        if (room - i < VECTOR_BYTES)
            return i + SHORTER(until_ends)(from + i, from_room - i, to + i, to_room - i, most - i);
        VEC text = V(load)(from + i);
        VEC stop = KERNEL(ends)(text);
        V(store)(to + i, text);
        if (V(high)(stop))
            return smaller(i + V(first)(stop), most);
    }
    return most;
}

/* Which of 64 bytes are coded. */
VECTOR_TARGET static inline __attribute__((always_inline)) uint64_t
KERNEL(coded_bits)(const char *s)
{
    uint64_t bits = V(bits)(KERNEL(coded)(V(load)(s)));
    bits |= (uint64_t)V(bits)(KERNEL(coded)(V(load)(s + VECTOR_BYTES))) << VECTOR_BYTES;
#if VECTOR_BITS == 128
    bits |= (uint64_t)V(bits)(KERNEL(coded)(V(load)(s + 32))) << 32;
    bits |= (uint64_t)V(bits)(KERNEL(coded)(V(load)(s + 48))) << 48;
#endif
    return bits;
}

/* The next `octets` bytes, WINDOW at most; that and VECTOR_BYTES can be read. */
VECTOR_TARGET ALWAYS void KERNEL(quote_window)(quoter *q, size_t octets)
{
    q->stops = UINT64_C(1) << octets;
    q->stops |= KERNEL(coded_bits)(q->s) & (q->stops - 1);
    while (q->stops > 1) {
        unsigned run = (unsigned)__builtin_ctzll(q->stops);
        V(store)(q->to, V(load)(q->s));
        for (size_t i = VECTOR_BYTES; i < run; i += VECTOR_BYTES)
            V(store)(q->to + i, V(load)(q->s + i));
        pass_run(q, run);
    }
}

/* As far as there is room for what a window may come to, and then in the plain way. */
VECTOR_TARGET static char *KERNEL(quote)(place *p, char *to, const char *end)
{
    char last[2 * (WINDOW + VECTOR_BITS / 8)] = {0}; /* a copy, where more can be read */
    if (end - to < WINDOW_ROOM)
        return plain_quote(p, to, end);
    quoter q = begin_quoting(p, to);
    while (q.end - q.s >= (ptrdiff_t)(WINDOW + VECTOR_BYTES) && end - q.to >= WINDOW_ROOM)
        KERNEL(quote_window)(&q, WINDOW);
    size_t left = (size_t)(q.end - q.s);
    if (left < WINDOW + VECTOR_BYTES) {
        memcpy(last, q.s, left);
        q.s = last;
        q.end = last + left;
        for (; left > 0 && end - q.to >= WINDOW_ROOM; left = (size_t)(q.end - q.s))
            KERNEL(quote_window)(&q, smaller(left, WINDOW));
    }
    return plain_quote(p, end_quoting(&q, p), end);
}

VECTOR_TARGET static void KERNEL(count_tally)(const char *s, size_t len, tally *t)
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
    SHORTER(count_tally)(s + i, len - i, t);
}
