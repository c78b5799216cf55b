/* Tables that pack.c has written, packed by gzip, as bytes of the program: NAME and NAME_end. */
#define JOIN(name, end) name##end
#define END(name)       JOIN(name, _end)
    .section .rodata
    .global NAME, END(NAME)
NAME:
    .incbin FILE
END(NAME):
    .byte 0
    .section .note.GNU-stack, "", %progbits
