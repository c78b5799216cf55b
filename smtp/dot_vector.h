/*
 * The fast way through a body: a part of dot.c, which includes this for each width (see
 * base/vector.h).
 */

/* The leading bytes that can stand behind those before them, as far as whole vectors go; s[-1] can
 * be read. The pair (CR, anything else), (anything else, LF) or (LF, dot) is what can't. */
VECTOR_TARGET static size_t KERNEL(fit)(const char *s, size_t len)
{
    size_t i = 0;
    for (; len - i >= VECTOR_BYTES; i += VECTOR_BYTES) {
        VEC before = V(load)(s + i - 1), text = V(load)(s + i);
        VEC bare = V(xor)(V(equal)(before, V(same)('\r')), V(equal)(text, V(same)('\n')));
        VEC dot = V(and)(V(equal)(before, V(same)('\n')), V(equal)(text, V(same)('.')));
        VEC unfit = V(or)(bare, dot);
        if (V(high)(unfit))
            return i + V(first)(unfit);
    }
    return i + SHORT_FIT(s + i, len - i);
}
