#include "service/wrap.h"

#include <string.h>

#define COLUMNS 80

void wrap_text(buf *out, const char *text, size_t indent)
{
    size_t column = 0;

    while (*text) {
        if (*text == '\n' || *text == ' ') {
            if (*text == '\n') {
                buf_addc(out, '\n');
                column = 0;
            }
            text++;
            continue;
        }
        size_t len = strcspn(text, " \n");
        if (column > 0 && column + 1 + len > COLUMNS) {
            buf_addc(out, '\n');
            column = 0;
        }
        if (column == 0) {
            buf_addf(out, "%*s", (int)indent, "");
            column = indent;
        } else {
            buf_addc(out, ' ');
            column++;
        }
        buf_add(out, text, len);
        column += len;
        text += len;
    }
    buf_addc(out, '\n');
}
