/*
 * hex - a hexadecimal digit's value, in either case; -1: it is none.
 */
#ifndef POSTERN_BASE_HEX_H
#define POSTERN_BASE_HEX_H

static inline int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

#endif
