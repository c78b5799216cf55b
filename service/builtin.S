/* templates/, a tar archive packed by gzip, as bytes of the program; see builtin.h. */
    .section .rodata
    .global builtin_packed, builtin_packed_end
builtin_packed:
    .incbin "templates.tar.gz"
builtin_packed_end:
    .byte 0
    .section .note.GNU-stack, "", %progbits
