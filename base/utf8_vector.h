/*
 * The fast ways through UTF-8: a part of utf8.c, which includes this for each width (see
 * base/vector.h) behind the tables it uses.
 */

/* The leading ASCII bytes, as far as whole vectors tell. */
VECTOR_TARGET static size_t KERNEL(ascii)(const char *s, size_t len)
{
    size_t i = 0;
    while (len - i >= VECTOR_BYTES && !V(high)(V(load)(s + i)))
        i += VECTOR_BYTES;
    return i;
}

/* What is wrong in the bytes at `s`, of which the three before are there to be read: not 0 where a
 * byte can't follow those before it. */
VECTOR_TARGET static inline VEC KERNEL(wrong)(const char *s, VEC text)
{
    VEC before = V(load)(s - 1);
    VEC pair = V(and)(V(lookup)(V(table)(by_lead_high), V(upper)(before)),
                      V(lookup)(V(table)(by_lead_low), V(and)(before, V(same)(15))));
    pair = V(and)(pair, V(lookup)(V(table)(by_next_high), V(upper)(text)));
    /* Two tails in a row are right behind the lead of three or four, and nowhere else. */
    VEC third = V(less)(V(load)(s - 2), V(same)(0xE0 - 0x80));
    VEC fourth = V(less)(V(load)(s - 3), V(same)(0xF0 - 0x80));
    VEC must_be_tail = V(and)(V(or)(third, fourth), V(same)(TWO_TAILS));
    return V(xor)(must_be_tail, pair);
}

/* Whole vectors without a wrong byte; of s[-3] on all can be read, and a character begins at s. */
VECTOR_TARGET static size_t KERNEL(vectors)(const char *s, size_t len)
{
    size_t i = 0;
    while (len - i >= VECTOR_BYTES) {
        const char *p = s + i;
        VEC text = V(load)(p);
        if (len - i >= 4 * VECTOR_BYTES) {
            VEC first = V(or)(V(or)(V(load)(p - 3), text), V(load)(p + VECTOR_BYTES));
            VEC last = V(or)(V(load)(p + 2 * VECTOR_BYTES), V(load)(p + 3 * VECTOR_BYTES));
            if (!V(high)(V(or)(first, last))) {
                i += 4 * VECTOR_BYTES;
                continue;
            }
        }
        if (V(any)(KERNEL(wrong)(p, text)))
            break;
        i += VECTOR_BYTES;
    }
    return i;
}

VECTOR_TARGET static size_t KERNEL(valid)(const char *s, size_t len)
{
    size_t i = KERNEL(vectors)(s, len), rest = len - i;
    if (rest == 0 || rest >= VECTOR_BYTES)
        return i;
    /* What is left, with zeros behind it: a character that they cut short is wrong, too. */
    char last[3 + VECTOR_BITS / 8] = {0};
    memcpy(last, s + i - 3, 3 + rest);
    return KERNEL(vectors)(last + 3, VECTOR_BYTES) ? len : i;
}

VECTOR_TARGET static size_t KERNEL(run)(const char *s, size_t len, bool *beyond_ascii)
{
    if (len < VECTOR_BYTES)
        return SHORT_RUN(s, len, beyond_ascii);
    VEC met = V(zero)();
    size_t i = 0, last = len - VECTOR_BYTES;
    while (true) {
        VEC text = V(load)(s + i);
        VEC stop = V(equal)(text, V(lookup)(V(table)(ends_by_low), text));
        stop = V(or)(stop, V(at_most)(text, V(same)(0x1F)));
        if (V(high)(stop)) {
            size_t n = V(first)(stop);
            met = V(or)(met, V(and)(text, V(first_ones)(n)));
            i += n;
            break;
        }
        met = V(or)(met, text);
        i += VECTOR_BYTES;
        if (i == len)
            break;
        if (i > last) /* the last, and some before it once more */
            i = last;
    }
    *beyond_ascii |= V(high)(met);
    return i;
}
